//! Answers, packet by packet: bad queries, limits, and the prepared ones beside the algorithm.

use super::octets::reply_at_length;
use super::tests::{UDP, ask, name, plain, sample, try_zones, zones};
use super::*;
use crate::dns::edns::Edns;
use crate::dns::header::Header;

/// The octets of a header and a question for `www.lab.test. A`.
fn raw(flags: u16, counts: [u16; 4], class: u16) -> Vec<u8> {
    let mut octets = vec![0xab, 0xcd];
    octets.extend(flags.to_be_bytes());
    octets.extend(counts.map(u16::to_be_bytes).concat());
    octets.extend(b"\x03wWw\x03lab\x04test\x00\x00\x01");
    octets.extend(class.to_be_bytes());
    octets
}

const OPT: &[u8] = &[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];

/// The reply to a query, the algorithm's answer to it, and whether the reply was prepared.
fn both_ways(zones: &Zones, query: &Message) -> (Message, Message, bool) {
    let octets = query.encode().unwrap();
    let header = Header::decode(&octets).unwrap();
    let is_prepared = prepared::reply(zones, &octets, UDP, &mut Vec::new()).is_some();
    let mut replies = [Vec::new(), Vec::new()];
    let [short, long] = &mut replies;
    let outcomes = [
        reply(zones, &octets, UDP, short),
        reply_at_length(zones, &octets, header, UDP, long),
    ];
    let [short, long] = outcomes.map(|outcome| match outcome {
        Outcome::Reply(answered) => (
            answered.rcode,
            answered.kind,
            answered.zone.map(|zone| zone.apex().clone()),
        ),
        other => panic!("{other:?}"),
    });
    assert_eq!(short, long);
    let [short, long] = replies.map(|octets| Message::decode(&octets).unwrap());
    (short, long, is_prepared)
}

/// Asks for all names of the zones, and for names below, by some types, over UDP with and without
/// EDNS; returns how many answers were prepared, and of how many.
fn compare_both_ways(zones: &Zones) -> (usize, usize) {
    let (mut prepared, mut asked) = (0, 0);
    let nodes = zones.iter().flat_map(|zone| &zone.nodes);
    for node in nodes {
        let mut names = vec![node.name.clone()];
        for label in ["nothing", "*", "WWW", "a"] {
            if let Ok(below) = node.name.child(label.as_bytes()) {
                names.extend(below.child(b"deeper"));
                names.push(below);
            }
        }
        for name in names {
            for kind in [
                "A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA", "SRV", "DNAME", "DS", "ANY",
                "HTTPS",
            ] {
                for edns in [None, Some(Edns::default())] {
                    let kind: RecordType = kind.parse().unwrap();
                    let mut query = plain(".", kind);
                    query.questions[0].name = name.clone();
                    query.header.recursion_desired = edns.is_some();
                    query.edns = edns;
                    let (short, long, is_prepared) = both_ways(zones, &query);
                    assert_eq!(short, long, "{name} {kind}");
                    prepared += usize::from(is_prepared);
                    asked += 1;
                }
            }
        }
    }
    (prepared, asked)
}

#[test]
fn prepared_answers_are_those_of_the_algorithm_over_the_sample_zones() {
    let (prepared, asked) = compare_both_ways(&sample());
    assert!(prepared * 10 > asked * 7, "{prepared} of {asked}");
}

#[test]
fn prepared_answers_are_those_of_the_algorithm_over_zones_by_chance() {
    let mut state = 7u64;
    let mut below = |limit: usize| {
        // Knuth's constants; the upper bits are the better ones.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit
    };
    let mut tried = 0;
    for _ in 0..30 {
        let mut text = String::new();
        for _ in 0..1 + below(14) {
            let labels = ["a", "b", "A", "*", "sub", "deeper"];
            let mut name = || {
                (0..1 + below(3))
                    .map(|_| labels[below(6)])
                    .collect::<Vec<_>>()
                    .join(".")
            };
            let (owner, target) = (name(), name());
            let data = [
                "A 192.0.2.1",
                "TXT x",
                "CNAME =",
                "NS =",
                "MX 1 =",
                "DNAME =",
                "SRV 1 1 1 =",
                "DS 1 1 1 AA",
                "MX 2 @",
                "AAAA 2001:db8::1",
                "HTTPS 0 =",
                "HTTPS 1 .",
            ];
            let data = data[below(data.len())].replace('=', &target);
            text += &format!("{owner} {data}\n");
        }
        if let Ok(zones) = try_zones(&[("z.test.", &text), ("a.sub.z.test.", "b A 192.0.2.2\n")]) {
            compare_both_ways(&zones);
            tried += 1;
        }
    }
    assert!(tried > 5, "{tried} could be read");
}

#[test]
fn less_than_a_header_and_replies_are_answered_with_silence() {
    let zones = sample();
    let reply_to = |octets: &[u8]| {
        let mut out = vec![1, 2];
        let outcome = reply(&zones, octets, UDP, &mut out);
        assert_eq!(out.len() == 2, matches!(outcome, Outcome::Silence));
        matches!(outcome, Outcome::Silence)
    };
    let query = raw(0, [1, 0, 0, 0], 1);
    for length in 0..12 {
        assert!(reply_to(&query[..length]));
    }
    assert!(reply_to(&raw(0x8000, [1, 0, 0, 0], 1)));
    assert!(!reply_to(&query));
}

#[test]
fn each_kind_of_bad_query_has_its_code_and_opt_is_in_every_reply_to_one() {
    use Rcode as R;
    let zones = sample();
    let with = |octets: Vec<u8>, more: &[u8]| [&octets[..], more].concat();
    let one = [1, 0, 0, 0];
    let opt = [1, 0, 0, 1];
    let question = b"\x01x\x00\x00\x01\x00\x01";
    let cut = raw(0, one, 1);
    let mut looping = raw(0, one, 1);
    looping[12..14].copy_from_slice(&[0xc0, 12]);
    #[rustfmt::skip]
    let table = [
        ("a query", raw(0, one, 1), R::NOERROR, 1, false),
        ("no question", raw(0, [0; 4], 1), R::FORMERR, 0, false),
        ("two", with(raw(0, [2, 0, 0, 0], 1), question), R::FORMERR, 0, false),
        ("65535 questions", raw(0, [65535, 0, 0, 0], 1), R::FORMERR, 0, false),
        ("IQUERY", raw(1 << 11, one, 1), R::NOTIMP, 1, false),
        ("STATUS", raw(2 << 11, one, 1), R::NOTIMP, 1, false),
        ("NOTIFY", raw(4 << 11, one, 1), R::NOTIMP, 1, false),
        ("UPDATE", with(raw(5 << 11, opt, 1), OPT), R::NOTIMP, 1, true),
        ("opcode 15", raw(15 << 11, [9, 9, 9, 9], 1), R::NOTIMP, 0, false),
        ("a cut name", cut[..20].to_vec(), R::FORMERR, 0, false),
        ("a name in a circle", looping, R::FORMERR, 0, false),
        ("class CH", raw(0, one, 3), R::REFUSED, 1, false),
        ("class NONE", raw(0, one, 254), R::REFUSED, 1, false),
        ("class ANY", raw(0, one, 255), R::REFUSED, 1, false),
        ("class 0", raw(0, one, 0), R::REFUSED, 1, false),
        ("EDNS", with(raw(0, opt, 1), OPT), R::NOERROR, 1, true),
        ("octets behind", with(raw(0, one, 1), b"junk"), R::NOERROR, 1, false),
        ("a version of EDNS above 0",
            with(raw(0, opt, 1), &[0, 0, 41, 4, 208, 0, 1, 0, 0, 0, 0]), R::BADVERS, 1, true),
        ("an option beyond its record",
            with(raw(0, opt, 1), &[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 4, 0, 3, 0, 9]),
            R::FORMERR, 1, true),
        ("two OPT records",
            with(raw(0, [1, 0, 0, 2], 1), &[OPT, OPT].concat()), R::FORMERR, 1, true),
        ("an OPT record with a name",
            with(raw(0, opt, 1), &[&[1, b'x'][..], OPT].concat()), R::FORMERR, 1, true),
    ];
    for (what, octets, rcode, questions, has_opt) in table {
        let reply = ask(&zones, &octets);
        assert_eq!(reply.header.rcode, rcode, "{what}");
        assert_eq!(reply.questions.len(), questions, "{what}");
        assert_eq!(reply.edns.is_some(), has_opt, "{what}");
        assert_eq!(reply.header.id, 0xabcd, "{what}");
    }
    let elsewhere = plain("www.example.", RecordType::A).encode().unwrap();
    assert_eq!(ask(&zones, &elsewhere).header.rcode, R::REFUSED);
}

#[test]
fn of_the_flags_a_reply_has_rd_only() {
    let zones = sample();
    for (asked, replied) in [
        (0x0000, 0x8400), // AA
        (0x0100, 0x8500), // RD
        (0x0010, 0x8400), // CD
        (0x07ff, 0x8500), // AA, TC, RD, RA, Z, AD, CD and an rcode
    ] {
        for more in [&b""[..], b"junk"] {
            // The additional octets rule out a prepared answer; the algorithm has to agree with it.
            let query = [&raw(asked, [1, 0, 0, 0], 1), more].concat();
            let mut out = Vec::new();
            reply(&zones, &query, UDP, &mut out);
            assert_eq!(out[2..4], u16::to_be_bytes(replied), "{asked:#06x}");
            // The question comes back with its case.
            assert_eq!(out[12..30], query[12..30]);
        }
    }
}

#[test]
fn transfers_are_for_tcp_and_for_names_at_which_a_zone_begins() {
    let zones = sample();
    let ask_tcp = |query: &Message| {
        let mut out = Vec::new();
        match reply(&zones, &query.encode().unwrap(), Transport::Tcp, &mut out) {
            Outcome::Transfer(zone, _) => Err(zone.apex().to_string()),
            _ => Ok(Message::decode(&out).unwrap()),
        }
    };
    let axfr = plain("LAB.test.", RecordType::AXFR);
    let mut ixfr = plain("lab.test.", RecordType::IXFR);
    let udp = |query: &Message| ask(&zones, &query.encode().unwrap()).header.rcode;
    assert_eq!(udp(&axfr), Rcode::NOTIMP);
    let over_udp = ask(&zones, &ixfr.encode().unwrap());
    assert!(over_udp.header.authoritative && over_udp.answers.len() == 1);
    assert_eq!(over_udp.answers[0].data.kind(), RecordType::SOA);
    assert_eq!(
        udp(&plain("www.lab.test.", RecordType::IXFR)),
        Rcode::NOTAUTH
    );
    assert_eq!(ask_tcp(&axfr), Err("lab.test.".into()));
    for nowhere in ["www.lab.test.", "example."] {
        let reply = ask_tcp(&plain(nowhere, RecordType::AXFR)).unwrap();
        assert_eq!(reply.header.rcode, Rcode::NOTAUTH);
    }
    // An older version, or none, gets the whole zone; others the SOA record (RFC 1995 §2).
    assert_eq!(ask_tcp(&ixfr), Err("lab.test.".into()));
    let zone = zones.at(&name("lab.test")).unwrap();
    for (ahead, is_sent) in [(0, false), (1, false), (u32::MAX, true)] {
        let mut soa = zone.soa_record().unwrap();
        if let Data::Soa(soa) = &mut soa.data {
            soa.serial = soa.serial.wrapping_add(ahead);
        }
        ixfr.authorities = vec![soa];
        assert_eq!(ask_tcp(&ixfr).is_err(), is_sent, "{ahead}");
    }
    let mut out = Vec::new();
    refuse(&axfr, &mut out);
    assert_eq!(Message::decode(&out).unwrap().header.rcode, Rcode::REFUSED);
}

#[test]
fn of_the_flags_a_transfer_has_rd_only() {
    // RFC 5936 §2.2.1.
    let zones = sample();
    let zone = zones.at(&name("lab.test")).unwrap();
    for (apex, kind) in [
        ("lab.test.", RecordType::AXFR),
        ("lab.test.", RecordType::IXFR),
        ("example.", RecordType::AXFR),
    ] {
        let mut query = plain(apex, kind);
        query.header.recursion_desired = true;
        query.header.authentic_data = true;
        query.header.checking_disabled = true;
        let mut out = Vec::new();
        match reply(&zones, &query.encode().unwrap(), Transport::Tcp, &mut out) {
            Outcome::Transfer(_, query) => refuse(&query, &mut out),
            other => assert!(matches!(other, Outcome::Reply(_))),
        }
        let whole = zone.transfer(&query).next().unwrap();
        for octets in [out, whole] {
            let header = Header::decode(&octets).unwrap();
            assert!(header.recursion_desired, "{apex} {kind}");
            let flags = (header.authentic_data, header.checking_disabled);
            assert_eq!(flags, (false, false), "{apex} {kind}");
        }
    }
}

#[test]
fn do_comes_back_as_it_came_in_every_reply() {
    let zones = sample();
    for dnssec_ok in [false, true] {
        let flags = if dnssec_ok { 0x80 } else { 0 };
        let opt = [0, 0, 41, 4, 208, 0, 0, flags, 0, 0, 0];
        let bad = [&opt[..9], &[0, 4, 0, 3, 0, 9]].concat();
        let class = |class, flags, opt: &[u8]| [&raw(flags, [1, 0, 0, 1], class), opt].concat();
        for query in [
            class(1, 0, &opt),
            class(3, 0, &opt),
            class(1, 5 << 11, &opt),
            class(1, 0, &bad),
        ] {
            let reply = ask(&zones, &query);
            assert_eq!(reply.edns.unwrap().dnssec_ok, dnssec_ok, "{query:?}");
        }
        let mut query = plain("lab.test.", RecordType::IXFR);
        query.edns = Some(Edns {
            dnssec_ok,
            ..Edns::default()
        });
        let zone = zones.at(&name("lab.test")).unwrap();
        query.authorities.extend(zone.soa_record());
        let mut out = Vec::new();
        reply(&zones, &query.encode().unwrap(), Transport::Tcp, &mut out);
        let mut refused = Vec::new();
        refuse(&query, &mut refused);
        let first = zone.transfer(&query).next().unwrap();
        for octets in [out, refused, first] {
            let reply = Message::decode(&octets).unwrap();
            assert_eq!(reply.edns.unwrap().dnssec_ok, dnssec_ok);
        }
    }
}

#[test]
fn a_query_with_options_gets_the_prepared_answer_unless_they_are_malformed() {
    let zones = sample();
    let is_prepared = |rdata: &[u8]| {
        let opt = [&OPT[..10], &[rdata.len() as u8], rdata].concat();
        let query = [raw(0, [1, 0, 0, 1], 1), opt].concat();
        let prepared = prepared::reply(&zones, &query, UDP, &mut Vec::new()).is_some();
        assert_eq!(prepared, ask(&zones, &query).header.rcode == Rcode::NOERROR);
        prepared
    };
    let cookie = [0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8];
    assert!(is_prepared(&cookie) && is_prepared(&[&cookie[..], &[0, 12, 0, 0]].concat()));
    for length in 1..cookie.len() {
        assert!(!is_prepared(&cookie[..length]), "{length}");
    }
}

#[test]
fn a_referral_is_cut_with_tc_when_it_lacks_glue_below_itself_and_only_then() {
    let servers: String = (0..20)
        .map(|n| format!("c NS ns{n}.c\nns{n}.c A 192.0.2.{n}\n"))
        .collect();
    let others: String = (0..20).map(|n| format!("d NS ns{n}.c\n")).collect();
    let zones = zones(&[("z.test.", &format!("{servers}{others}al CNAME www.c\n"))]);
    for (asked, is_cut) in [
        ("www.c.z.test.", true),
        ("al.z.test.", true),
        ("x.d.z.test.", false),
    ] {
        let reply = ask(&zones, &plain(asked, RecordType::A).encode().unwrap());
        assert_eq!(reply.authorities.len(), 20, "{asked}");
        assert!(reply.additionals.len() < 20, "{asked}");
        assert_eq!(reply.header.truncated, is_cut, "{asked}");
    }
}

/// A TSIG record with this data after the name of the algorithm.
fn tsig(data: &[u8]) -> Vec<u8> {
    let algorithm = &b"\x0bhmac-sha256\x00"[..];
    let head = &b"\x03key\x00\x00\xfa\x00\xff\x00\x00\x00\x00\x00"[..];
    [
        head,
        &[(algorithm.len() + data.len()) as u8],
        algorithm,
        data,
    ]
    .concat()
}

/// Time, fudge, a MAC of 3 octets, the id of `raw`, no error, no other data.
const SIGNED: &[u8] = &[
    0, 0, 1, 2, 3, 4, 1, 44, 0, 3, 7, 7, 7, 0xab, 0xcd, 0, 0, 0, 0,
];

#[test]
fn a_signed_query_is_told_that_its_key_is_not_known() {
    let zones = sample();
    let told = tsig(&[&SIGNED[..8], &[0, 0, 0xab, 0xcd, 0, 17, 0, 0]].concat());
    for kind in [1, 252] {
        for opt in [&b""[..], OPT] {
            let count = 1 + u16::from(!opt.is_empty());
            let mut query = [&raw(0, [1, 0, 0, count], 1), opt, &tsig(SIGNED)].concat();
            query[27] = kind;
            let mut out = Vec::new();
            let outcome = reply(&zones, &query, Transport::Tcp, &mut out);
            assert!(matches!(outcome, Outcome::Reply(_)));
            assert!(out.ends_with(&told), "{out:?}");
            let reply = Message::decode(&out).unwrap();
            assert_eq!(reply.header.rcode, Rcode::NOTAUTH);
            assert_eq!((reply.answers.len(), reply.additionals.len()), (0, 1));
            assert_eq!(reply.edns.is_some(), !opt.is_empty());
        }
    }
}

#[test]
fn a_signature_that_is_malformed_or_not_the_last_record_is_a_format_error() {
    let zones = sample();
    let good = tsig(SIGNED);
    let told = |counts, records: &[&[u8]]| {
        let query = [raw(0, counts, 1), records.concat()].concat();
        ask(&zones, &query).header.rcode
    };
    assert_eq!(told([1, 0, 0, 1], &[&good]), Rcode::NOTAUTH);
    for (what, counts, records) in [
        ("before OPT", [1, 0, 0, 2], &[&good[..], OPT][..]),
        ("twice", [1, 0, 0, 2], &[&good, &good]),
        ("in the answer section", [1, 1, 0, 0], &[&good]),
        ("in the authority section", [1, 0, 1, 1], &[&good, OPT]),
        ("in two sections", [1, 1, 0, 1], &[&good, &good]),
    ] {
        assert_eq!(told(counts, records), Rcode::FORMERR, "{what}");
    }
    for length in 0..SIGNED.len() {
        let cut = tsig(&SIGNED[..length]);
        assert_eq!(told([1, 0, 0, 1], &[&cut]), Rcode::FORMERR, "{length}");
    }
    let longer = tsig(&[SIGNED, &[0]].concat());
    assert_eq!(told([1, 0, 0, 1], &[&longer]), Rcode::FORMERR);
}

#[test]
fn a_payload_size_below_512_counts_as_512() {
    let some: String = (0..20).map(|n| format!("some A 192.0.2.{n}\n")).collect();
    let zones = zones(&[("z.test.", &some)]);
    for said in [0, 100, 511, 512] {
        let mut query = plain("some.z.test.", RecordType::A);
        query.edns = Some(Edns {
            udp_size: said,
            ..Edns::default()
        });
        let whole = ask(&zones, &query.encode().unwrap());
        assert_eq!(whole.answers.len(), 20, "{said}");
    }
}

#[test]
fn what_is_too_long_for_udp_is_cut_by_whole_sets_with_tc_and_whole_over_tcp() {
    let many: String = (0..60).map(|n| format!("big A 192.0.2.{n}\n")).collect();
    let zones = zones(&[("z.test.", &many)]);
    let query = plain("big.z.test.", RecordType::A);
    let octets = query.encode().unwrap();
    let cut = ask(&zones, &octets);
    assert!(cut.header.truncated && cut.answers.is_empty());
    let mut with_edns = query.clone();
    with_edns.edns = Some(Edns::default());
    let whole = ask(&zones, &with_edns.encode().unwrap());
    assert_eq!((whole.header.truncated, whole.answers.len()), (false, 60));
    // The smaller of the two limits counts, but never less than 512.
    let mut out = Vec::new();
    let small = Transport::Udp { most: 100 };
    reply(&zones, &with_edns.encode().unwrap(), small, &mut out);
    assert!(Message::decode(&out).unwrap().header.truncated);
    let mut out = Vec::new();
    reply(&zones, &octets, Transport::Tcp, &mut out);
    assert_eq!(Message::decode(&out).unwrap().answers.len(), 60);
}
