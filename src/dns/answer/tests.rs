//! Answers, rule by rule, from small zones.

use std::sync::Arc;

use super::*;
use crate::dns::edns::SAFE_UDP;
use crate::dns::zone::{Limits, Problem, parse, samples};

pub(super) const UDP: Transport = Transport::Udp { most: SAFE_UDP };

pub(super) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// Zones of these texts, each after an SOA record and an NS record.
pub(super) fn try_zones(texts: &[(&str, &str)]) -> Result<Zones, Vec<Problem>> {
    let read = texts.iter().map(|(apex, text)| {
        let head = format!("$ORIGIN {apex}\n$TTL 300\n@ 600 SOA ns.else. h.else. 1 2 3 4 60\n");
        let text = format!("{head}@ NS ns.else.\n{text}");
        let mut no_file = |_: &str| Err("no file".into());
        let parsed = parse("test", &text, None, Limits::default(), &mut no_file);
        parsed.map(|parsed| Arc::new(parsed.zone))
    });
    let read: Result<Vec<_>, _> = read.collect();
    read.map(|zones| Zones::new(zones).unwrap())
}

pub(super) fn zones(texts: &[(&str, &str)]) -> Zones {
    try_zones(texts).unwrap()
}

/// The reply over UDP, decoded.
pub(super) fn ask(zones: &Zones, query: &[u8]) -> Message {
    let mut out = Vec::new();
    let outcome = reply(zones, query, UDP, &mut out);
    assert!(matches!(outcome, Outcome::Reply(_)), "{outcome:?}");
    Message::decode(&out).unwrap()
}

/// A query without EDNS.
pub(super) fn plain(text: &str, kind: RecordType) -> Message {
    let mut query = Message::query(7, Question::new(name(text), kind));
    query.edns = None;
    query
}

/// The answer for a name: rcode, AA, and the three sections' records as text.
fn said(zones: &Zones, text: &str, kind: RecordType) -> String {
    let reply = ask(zones, &plain(text, kind).encode().unwrap());
    let mut lines = vec![reply.header.rcode.to_string()];
    if reply.header.authoritative {
        lines.push("AA".into());
    }
    let sections = [&reply.answers, &reply.authorities, &reply.additionals];
    for (mark, section) in ["", "auth: ", "add: "].iter().zip(sections) {
        for Record {
            name, ttl, data, ..
        } in section
        {
            lines.push(format!("{mark}{name} {ttl} {} {data}", data.kind()));
        }
    }
    lines.join("; ")
}

pub(super) fn sample() -> Zones {
    let read = samples().unwrap().into_iter();
    Zones::new(read.map(|parsed| Arc::new(parsed.zone))).unwrap()
}

/// Checks the answers for names.
#[track_caller]
fn check(zones: &Zones, kind: RecordType, cases: &[(&str, &str)]) {
    for (asked, expected) in cases {
        assert_eq!(said(zones, asked, kind), *expected, "{asked} {kind}");
    }
}

const SOA: &str = "auth: z.test. 60 SOA ns.else. h.else. 1 2 3 4 60";

#[test]
fn an_empty_non_terminal_has_no_data_and_a_missing_name_does_not_exist() {
    let zones = zones(&[("z.test.", "a.b.c TXT x\n")]);
    let nodata = format!("NOERROR; AA; {SOA}");
    let nxdomain = format!("NXDOMAIN; AA; {SOA}");
    check(
        &zones,
        RecordType::TXT,
        &[
            ("b.c.z.test.", &nodata),
            ("c.z.test.", &nodata),
            ("x.c.z.test.", &nxdomain),
            ("a.b.c.z.test.", "NOERROR; AA; a.b.c.z.test. 300 TXT \"x\""),
        ],
    );
    check(&zones, RecordType::A, &[("a.b.c.z.test.", &nodata)]);
}

#[test]
fn wildcards_answer_as_in_the_example_of_rfc_4592() {
    // RFC 4592 §2.2.1, under another name and with other servers: the eight questions of the text,
    // in its order.
    let zones = zones(&[(
        "z.test.",
        "* TXT wild\n* MX 10 host1\nsub.* TXT not\nhost1 A 192.0.2.1\n\
         _ssh._tcp.host1 SRV 0 0 22 h.else.\n_ssh._tcp.host2 SRV 0 0 22 h.else.\n\
         subdel NS ns.else.\n",
    )]);
    let nodata = format!("NOERROR; AA; {SOA}");
    let nxdomain = format!("NXDOMAIN; AA; {SOA}");
    let mail = "NOERROR; AA; host3.z.test. 300 MX 10 host1.z.test.; \
                add: host1.z.test. 300 A 192.0.2.1";
    let wild = |owner: &str| format!("NOERROR; AA; {owner} 300 TXT \"wild\"");
    for (asked, kind, expected) in [
        ("host3.z.test.", RecordType::MX, mail),
        ("host3.z.test.", RecordType::A, &nodata),
        ("foo.bar.z.test.", RecordType::TXT, &wild("foo.bar.z.test.")),
        ("host1.z.test.", RecordType::MX, &nodata),
        ("sub.*.z.test.", RecordType::MX, &nodata),
        ("_telnet._tcp.host1.z.test.", RecordType::SRV, &nxdomain),
        (
            "host.subdel.z.test.",
            RecordType::A,
            "NOERROR; auth: subdel.z.test. 300 NS ns.else.",
        ),
        ("ghost.*.z.test.", RecordType::MX, &nxdomain),
    ] {
        check(&zones, kind, &[(asked, expected)]);
    }
    // An empty non-terminal exists as well, and keeps the wildcard away.
    check(&zones, RecordType::TXT, &[("host2.z.test.", &nodata)]);
}

#[test]
fn the_parent_speaks_at_a_cut_of_ds_only_and_refers_for_all_else() {
    let zones = zones(&[(
        "z.test.",
        "sub NS ns.sub\nns.sub A 192.0.2.1\nother NS ns.else.\nother DS 1 13 2 AB\n",
    )]);
    let referral = "NOERROR; auth: sub.z.test. 300 NS ns.sub.z.test.; \
                    add: ns.sub.z.test. 300 A 192.0.2.1";
    let names = ["sub.z.test.", "www.sub.z.test.", "ns.sub.z.test."];
    for kind in [
        RecordType::NS,
        RecordType::A,
        RecordType::SOA,
        RecordType::ANY,
    ] {
        check(&zones, kind, &names.map(|name| (name, referral)));
    }
    let nodata = format!("NOERROR; AA; {SOA}");
    check(
        &zones,
        RecordType::DS,
        &[
            ("sub.z.test.", &nodata),
            (
                "other.z.test.",
                "NOERROR; AA; other.z.test. 300 DS 1 13 2 AB",
            ),
            ("www.sub.z.test.", referral),
        ],
    );
}

#[test]
fn of_two_zones_the_longer_answers_but_for_the_ds_record_of_its_beginning() {
    let zones = zones(&[
        (
            "z.test.",
            "sub NS ns.else.\nsub DS 1 13 2 AB\nto CNAME www.sub\n",
        ),
        ("sub.z.test.", "www A 192.0.2.1\n"),
    ]);
    let address = "www.sub.z.test. 300 A 192.0.2.1";
    check(
        &zones,
        RecordType::A,
        &[
            ("www.sub.z.test.", &format!("NOERROR; AA; {address}")),
            (
                "to.z.test.",
                &format!("NOERROR; AA; to.z.test. 300 CNAME www.sub.z.test.; {address}"),
            ),
        ],
    );
    let ds = "NOERROR; AA; sub.z.test. 300 DS 1 13 2 AB";
    check(&zones, RecordType::DS, &[("sub.z.test.", ds)]);
}

#[test]
fn a_zone_whose_parent_is_elsewhere_denies_its_ds_record_itself() {
    let zones = zones(&[
        ("z.test.", "sub NS ns.else.\n"),
        ("deep.sub.z.test.", "www A 192.0.2.1\n"),
    ]);
    let soa = SOA.replace("z.test.", "deep.sub.z.test.");
    let nodata = format!("NOERROR; AA; {soa}");
    check(&zones, RecordType::DS, &[("deep.sub.z.test.", &nodata)]);
    let referral = "NOERROR; auth: sub.z.test. 300 NS ns.else.";
    check(&zones, RecordType::DS, &[("nx.sub.z.test.", referral)]);
}

#[test]
fn a_chain_of_aliases_ends_with_what_its_last_name_has() {
    let zones = zones(&[(
        "z.test.",
        "a CNAME b\nb CNAME c\nc A 192.0.2.1\nno CNAME nx\nout CNAME www.else.\n\
         l1 CNAME l2\nl2 CNAME l1\nself CNAME self\ncut NS ns.else.\nto CNAME x.cut\n",
    )]);
    check(
        &zones,
        RecordType::A,
        &[
            (
                "a.z.test.",
                "NOERROR; AA; a.z.test. 300 CNAME b.z.test.; b.z.test. 300 CNAME c.z.test.; \
                 c.z.test. 300 A 192.0.2.1",
            ),
            // RFC 6604 §3: the rcode is that of the last name.
            (
                "no.z.test.",
                &format!("NXDOMAIN; AA; no.z.test. 300 CNAME nx.z.test.; {SOA}"),
            ),
            (
                "out.z.test.",
                "NOERROR; AA; out.z.test. 300 CNAME www.else.",
            ),
            (
                "l1.z.test.",
                "NOERROR; AA; l1.z.test. 300 CNAME l2.z.test.; l2.z.test. 300 CNAME l1.z.test.",
            ),
            (
                "self.z.test.",
                "NOERROR; AA; self.z.test. 300 CNAME self.z.test.",
            ),
            (
                "to.z.test.",
                "NOERROR; AA; to.z.test. 300 CNAME x.cut.z.test.; \
                 auth: cut.z.test. 300 NS ns.else.",
            ),
        ],
    );
    let alias = "NOERROR; AA; a.z.test. 300 CNAME b.z.test.";
    check(&zones, RecordType::CNAME, &[("a.z.test.", alias)]);
    check(&zones, RecordType::ANY, &[("a.z.test.", alias)]);
}

#[test]
fn a_chain_of_aliases_without_end_is_cut() {
    let chain: String = (0..50)
        .map(|n| format!("a{n} CNAME a{}\n", n + 1))
        .collect();
    let zones = zones(&[("z.test.", &chain)]);
    let query = plain("a0.z.test.", RecordType::A).encode().unwrap();
    let mut out = Vec::new();
    reply(&zones, &query, Transport::Tcp, &mut out);
    assert_eq!(
        Message::decode(&out).unwrap().answers.len(),
        MAX_ALIASES + 1
    );
}

#[test]
fn names_below_a_dname_are_renamed_and_too_long_ones_refused() {
    let long = ["x".repeat(63), "y".repeat(63), "z".repeat(63)].join(".");
    let text = format!("old DNAME new\na.new A 192.0.2.1\nlong DNAME {long}\nr DNAME r.r\n");
    let mut zones_of = zones(&[("z.test.", &text.replace("r DNAME r.r\n", ""))]);
    check(
        &zones_of,
        RecordType::A,
        &[(
            "a.old.z.test.",
            "NOERROR; AA; old.z.test. 300 DNAME new.z.test.; \
             a.old.z.test. 300 CNAME a.new.z.test.; a.new.z.test. 300 A 192.0.2.1",
        )],
    );
    check(
        &zones_of,
        RecordType::DNAME,
        &[(
            "old.z.test.",
            "NOERROR; AA; old.z.test. 300 DNAME new.z.test.",
        )],
    );
    let too_long = format!("{}.long.z.test.", "w".repeat(60));
    let reply = ask(
        &zones_of,
        &plain(&too_long, RecordType::A).encode().unwrap(),
    );
    assert_eq!(reply.header.rcode, Rcode::YXDOMAIN);
    assert_eq!(reply.answers.len(), 1);
    // A name that grows with each step ends, and the DNAME record appears once.
    zones_of = zones(&[("z.test.", "r DNAME r.r\n")]);
    let reply = ask(
        &zones_of,
        &plain("a.r.z.test.", RecordType::A).encode().unwrap(),
    );
    let dnames = reply
        .answers
        .iter()
        .filter(|r| r.data.kind() == RecordType::DNAME);
    assert_eq!(dnames.count(), 1);
}

#[test]
fn any_gets_one_set_without_company() {
    let zones = zones(&[("z.test.", "h MX 1 m\nh TXT x\nm A 192.0.2.1\n")]);
    check(
        &zones,
        RecordType::ANY,
        &[
            ("h.z.test.", "NOERROR; AA; h.z.test. 300 MX 1 m.z.test."),
            ("z.test.", "NOERROR; AA; z.test. 300 NS ns.else."),
        ],
    );
    let with_address = "NOERROR; AA; h.z.test. 300 MX 1 m.z.test.; add: m.z.test. 300 A 192.0.2.1";
    check(&zones, RecordType::MX, &[("h.z.test.", with_address)]);
}

#[test]
fn addresses_are_added_once_and_those_of_a_wildcard_too() {
    let zones = zones(&[(
        "z.test.",
        "h MX 1 m\nh MX 2 M\nh MX 3 x.w\nh MX 4 nx\nm A 192.0.2.1\n*.w A 192.0.2.2\n\
         *.w MX 5 mail.w\n",
    )]);
    check(
        &zones,
        RecordType::MX,
        &[
            (
                "h.z.test.",
                "NOERROR; AA; h.z.test. 300 MX 1 m.z.test.; h.z.test. 300 MX 2 m.z.test.; \
                 h.z.test. 300 MX 3 x.w.z.test.; h.z.test. 300 MX 4 nx.z.test.; \
                 add: m.z.test. 300 A 192.0.2.1; add: x.w.z.test. 300 A 192.0.2.2",
            ),
            (
                "any.w.z.test.",
                "NOERROR; AA; any.w.z.test. 300 MX 5 mail.w.z.test.; \
                 add: mail.w.z.test. 300 A 192.0.2.2",
            ),
        ],
    );
}

#[test]
fn an_alias_of_a_service_brings_what_stands_at_its_target() {
    let zones = zones(&[(
        "z.test.",
        "a HTTPS 0 b\nb HTTPS 0 c\nc HTTPS 1 .\nc A 192.0.2.1\nl HTTPS 0 m\nm HTTPS 0 l\n",
    )]);
    check(
        &zones,
        RecordType::HTTPS,
        &[
            (
                "a.z.test.",
                "NOERROR; AA; a.z.test. 300 HTTPS 0 b.z.test.; add: b.z.test. 300 HTTPS 0 c.z.test.; \
                 add: c.z.test. 300 A 192.0.2.1; add: c.z.test. 300 HTTPS 1 .",
            ),
            (
                "c.z.test.",
                "NOERROR; AA; c.z.test. 300 HTTPS 1 .; add: c.z.test. 300 A 192.0.2.1",
            ),
            (
                "l.z.test.",
                "NOERROR; AA; l.z.test. 300 HTTPS 0 m.z.test.; add: m.z.test. 300 HTTPS 0 l.z.test.",
            ),
        ],
    );
}

#[test]
fn a_reply_gets_no_more_records_than_its_transport_could_carry() {
    let hosts = (0..100).map(|h| format!("big MX 1 h{h}\n"));
    let addresses = (0..5000).map(|n| format!("h{} A 192.0.{}.{}\n", n % 100, n / 250, n % 250));
    let zones = zones(&[("z.test.", &hosts.chain(addresses).collect::<String>())]);
    let query = plain("big.z.test.", RecordType::MX);
    let records = |limit| zones.answer_within(&query, limit).additionals.len();
    assert_eq!(records(usize::MAX), 5000);
    assert_eq!(records(512), 0, "100 answers do not fit themselves");
    assert_eq!(records(1232), 13);
    for limit in [512, 1232, 4000, 65535] {
        let [some, all] = [limit, usize::MAX].map(|limit| zones.answer_within(&query, limit));
        let [some, all] = [some, all].map(|reply| reply.encode_within(limit, Vec::new()));
        assert!(some == all, "{limit}");
    }
}
