//! The table of fields, and the printed form of their values.

use std::collections::{BTreeMap, BTreeSet};

use super::sample::{bytes, each, packets};
use super::{Field, Kind, Line, LineError, Value};
use crate::capture::decode::{Check, Decoded, Decoder, Icmp, Layer, Layers};
use crate::capture::flow::{Direction, Marks, Segment};
use crate::capture::{LinkType, Packet};
use std::time::Duration;

/// `tcp.port` of a packet, as `-T fields` prints it.
fn printed(field: &Field, decoded: &Decoded<'_>) -> Option<String> {
    let mut all = Vec::new();
    field.values(decoded, &mut |value| {
        let mut text = String::new();
        value.show(field.kind(), &mut text);
        all.push(text);
    });
    (!all.is_empty()).then(|| all.join(","))
}

/// `forms.txt`: what tshark prints, by field and packet.
fn tsharks() -> BTreeMap<(&'static str, u64), &'static str> {
    let mut all = BTreeMap::new();
    let lines = include_str!("forms.txt").lines();
    for line in lines.filter(|line| !line.starts_with('#')) {
        let mut parts = line.splitn(3, '\t');
        let (field, numbers) = (parts.next().unwrap(), parts.next().unwrap());
        let value = parts.next().unwrap();
        for number in numbers.split(' ') {
            all.insert((field, number.parse().unwrap()), value);
        }
    }
    all
}

/// Where we differ, and why: packets of these numbers are left out for these fields.
const DIFFERENT: [(&str, &[u64]); 5] = [
    // Wireshark says it of IPv6, too.
    ("ip.version", &[16, 17, 18, 20, 25, 28]),
    // Bytes that were sent before are data here, and nothing to Wireshark (7). It counts the payload
    // of an echo as data, less a guessed time stamp (14, 16); and it knows LLC (31).
    ("data", &[7, 14, 16]),
    ("data.data", &[7, 14, 16, 31]),
    ("data.len", &[7, 14, 16, 31]),
    ("frame.protocols", &[7, 14, 16, 31]),
];

#[test]
fn an_address_of_multicast_dns_has_a_class_with_one_bit_more() {
    let record = |kind: u8, data: &[u8]| {
        let head = [0, 0, kind, 0x80, 1, 0, 0, 0, 120, 0, data.len() as u8];
        [&[1, b'a'][..], &head, data].concat()
    };
    let (four, six) = ([10, 0, 0, 1], [0xfe; 16]);
    let counts = [0, 0, 0x84, 0, 0, 0, 0, 2, 0, 0, 0, 0];
    let message = [&counts[..], &record(1, &four), &record(28, &six)].concat();
    let decoded = made(&[Layer::Mdns(&message)], None);
    assert_eq!(of("dns.a", &decoded).as_deref(), Some("10.0.0.1"));
    let six = "fefe:fefe:fefe:fefe:fefe:fefe:fefe:fefe";
    assert_eq!(of("dns.aaaa", &decoded).as_deref(), Some(six));
    let classes = of("dns.resp.class", &decoded);
    assert_eq!(classes.as_deref(), Some("0x0001,0x0001"));
    let question = b"\0\0\0\0\0\x01\0\0\0\0\0\0\x01a\0\0\x0c\x80\x01";
    let class = |layer| of("dns.qry.class", &made(&[layer], None));
    assert_eq!(class(Layer::Mdns(question)).as_deref(), Some("0x0001"));
    assert_eq!(class(Layer::Dns(question)).as_deref(), Some("0x8001"));
}

#[test]
fn llmnr_has_no_bits_of_dns_in_its_header() {
    let message = b"\0\x01\x87\xb3\0\0\0\0\0\0\0\0";
    let decoded = made(&[Layer::Llmnr(message)], None);
    let flags = Field::all().filter(|field| field.name().starts_with("dns.flags."));
    let there: Vec<&str> = flags
        .filter(|field| printed(field, &decoded).is_some())
        .map(Field::name)
        .collect();
    let bits = ["response", "opcode", "truncated", "rcode"];
    assert_eq!(there, bits.map(|bit| format!("dns.flags.{bit}")));
}

#[test]
fn a_header_of_udp_that_is_cut_has_ports_and_nothing_made_up() {
    let datagram = bytes("4500002000004000401100000a0000010a00000200354ee1000c123468656c6c");
    for kept in 24..=28 {
        let packet = Packet {
            length: datagram.len() as u32,
            ..Packet::whole(Duration::ZERO, LinkType::RAW, &datagram[..kept])
        };
        let mut decoder = Decoder::new(Default::default());
        let decoded = decoder.decode(&packet);
        assert_eq!(of("udp.port", &decoded).as_deref(), Some("53,20193"));
        let told = ["udp.length", "udp.checksum", "udp.checksum.status"].map(|f| of(f, &decoded));
        let whole = ["12", "0x1234", "2"].map(|value| (kept == 28).then(|| value.to_owned()));
        assert_eq!(told, whole, "{kept}");
        let mut tree = String::new();
        crate::capture::show::tree(&decoded, &mut tree);
        assert_eq!(tree.contains("Length: 12"), kept == 28, "{tree}");
        assert!(!tree.contains("Length: 0"), "{tree}");
    }
}

/// As in tshark, which says `_ws.short` of the others.
#[test]
fn malformed_is_what_was_made_so_and_not_what_the_snap_length_has_cut() {
    // IP with one byte of UDP, of which there is no more, or there is; DNS that ends within its
    // question, or goes on.
    let short = "4500001500004000401100000a0000010a00000235";
    let snapped = "4500001c00004000401100000a0000010a00000235";
    let dns = "4500002900004000401100000a0000010a000002\
               123400350015000000070100000100000000000001";
    for (datagram, length, protocols, is_malformed) in [
        (short, 21, "raw:ip", true),
        (snapped, 28, "raw:ip", false),
        (dns, 41, "raw:ip:udp:dns", true),
        (dns, 42, "raw:ip:udp:dns", false),
    ] {
        let datagram = bytes(datagram);
        let whole = Packet::whole(Duration::ZERO, LinkType::RAW, &datagram);
        let mut decoder = Decoder::new(Default::default());
        let decoded = decoder.decode(&Packet { length, ..whole });
        assert_eq!(of("frame.protocols", &decoded).as_deref(), Some(protocols));
        assert_eq!(of("_ws.malformed", &decoded).is_some(), is_malformed);
    }
}

#[test]
fn each_query_of_icmp_has_an_identifier_and_a_sequence_number() {
    for kind in 0..=u8::MAX {
        let icmp = Icmp {
            v6: false,
            kind,
            code: 0,
            checksum: 0,
            check: Check::Unverified,
            body: &[1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0],
        };
        let decoded = made(&[Layer::Icmp(icmp)], None);
        // As in tshark.
        let is_query = matches!(kind, 0 | 8 | 13..=18);
        let told = ["icmp.ident", "icmp.seq"].map(|name| of(name, &decoded));
        let expected = [258, 772].map(|number| is_query.then(|| number.to_string()));
        assert_eq!(told, expected, "{kind}");
    }
}

#[test]
fn every_field_is_printed_as_tshark_prints_it() {
    let golden = tsharks();
    let fields: BTreeSet<&str> = golden.keys().map(|(field, _)| *field).collect();
    assert!(fields.len() > 170, "{}", fields.len());
    let mut faults = String::new();
    each(&packets(), |decoded| {
        for name in &fields {
            let different =
                |(field, at): &(&str, &[u64])| field == name && at.contains(&decoded.number);
            if DIFFERENT.iter().any(different) {
                continue;
            }
            let field = Field::find(name).unwrap();
            let mut ours = printed(field, decoded);
            if field.kind() == Kind::Protocol {
                // The field may have two values.
                ours = ours.map(|_| name.to_string());
            }
            let theirs = golden.get(&(*name, decoded.number)).copied();
            // The file has the times of only three packets.
            let is_cut = name.starts_with("frame.time") && theirs.is_none();
            if ours.as_deref() != theirs && !is_cut {
                faults += &format!("{name} of {}: {ours:?}, not {theirs:?}\n", decoded.number);
            }
        }
    });
    assert!(faults.is_empty(), "{faults}");
}

#[test]
fn names_are_unique_and_in_wiresharks_alphabet() {
    let mut seen = BTreeSet::new();
    for field in Field::all() {
        assert!(seen.insert(field.name()), "{field:?} twice");
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._".contains(c);
        assert!(field.name().chars().all(fits), "{field:?}");
    }
}

#[test]
fn every_value_is_of_its_fields_kind() {
    each(&packets(), |decoded| {
        for field in Field::all() {
            field.values(decoded, &mut |value| {
                let fits = match value {
                    Value::Protocol(name, bytes) => {
                        let told = bytes.is_empty() || field.has_bytes();
                        field.kind() == Kind::Protocol && name == field.name() && told
                    }
                    Value::Mark => field.kind() == Kind::Mark,
                    Value::Boolean(_) => field.kind() == Kind::Boolean,
                    Value::Unsigned(number) => match field.kind() {
                        Kind::Unsigned(bytes) | Kind::Hex(bytes) => {
                            bytes == 8 || number >> (8 * bytes) == 0
                        }
                        _ => false,
                    },
                    Value::Signed(_) => field.kind() == Kind::Signed,
                    Value::Ipv4(_) => field.kind() == Kind::Ipv4,
                    Value::Ipv6(_) => field.kind() == Kind::Ipv6,
                    Value::Ether(_) => field.kind() == Kind::Ether,
                    Value::Bytes(_) => field.kind() == Kind::Bytes,
                    Value::Text(_) => field.kind() == Kind::Text,
                    Value::Interval(_) => matches!(field.kind(), Kind::Interval | Kind::Moment),
                };
                assert!(fits, "{field:?}: {value:?}");
            });
        }
    });
}

/// A packet that has only these layers.
fn made<'a>(all: &[Layer<'a>], segment: Option<Segment>) -> Decoded<'a> {
    let mut layers = Layers::new();
    for layer in all {
        layers.push(*layer);
    }
    Decoded {
        number: 1,
        packet: Packet::whole(Duration::ZERO, LinkType::ETHERNET, &[]),
        since_first: 0,
        since_previous: -1_500_000_000,
        layers,
        segment,
        udp_stream: None,
        quoted_stream: None,
        part_of_message: false,
    }
}

fn of(name: &str, decoded: &Decoded<'_>) -> Option<String> {
    printed(Field::find(name).unwrap(), decoded)
}

#[test]
fn the_analysis_is_fields_of_its_own() {
    let (_, syn) = packets().swap_remove(0);
    let packet = Packet::whole(Duration::ZERO, LinkType::ETHERNET, &syn);
    let mut decoder = Decoder::new(Default::default());
    let tcp = *decoder
        .decode(&packet)
        .layers
        .as_slice()
        .iter()
        .find(|layer| matches!(layer, Layer::Tcp(_)))
        .unwrap();
    let mut segment = Segment {
        stream: 7,
        direction: Direction::Back,
        sequence: 0,
        acknowledgment: 0,
        window: 100,
        window_shift: None,
        marks: Marks::default(),
        duplicate_of: None,
    };
    let quiet = made(&[tcp], Some(segment));
    assert_eq!(of("tcp.analysis.flags", &quiet), None);
    assert_eq!(of("tcp.stream", &quiet).as_deref(), Some("7"));
    segment.marks.add(Marks::FAST_RETRANSMISSION);
    let fast = made(&[tcp], Some(segment));
    let marks: Vec<&str> = Field::all()
        .filter(|field| field.kind() == Kind::Mark && printed(field, &fast).is_some())
        .map(Field::name)
        .collect();
    let retransmission = "tcp.analysis.retransmission";
    let expected = [
        "tcp.analysis.flags",
        retransmission,
        "tcp.analysis.fast_retransmission",
    ];
    assert_eq!(marks, expected);
    // Without a connection there are no relative numbers, only that of the header.
    assert_eq!(of("tcp.seq", &made(&[tcp], None)).as_deref(), Some("1000"));
    assert_eq!(of("tcp.nxtseq", &made(&[tcp], None)), None);
}

#[test]
fn our_own_protocols_have_fields() {
    let call = bytes("010700000000000000e8030000000000000453756d2e0102");
    let decoded = made(
        &[Layer::Rpc(&call), Layer::Rpc(b"\x05\x09\0\0\0\0\0\0\0")],
        None,
    );
    assert_eq!(of("rpc.kind", &decoded).as_deref(), Some("Call,Ping"));
    assert_eq!(of("rpc.id", &decoded).as_deref(), Some("7"));
    assert_eq!(of("rpc.method", &decoded).as_deref(), Some("Sum."));
    assert_eq!(of("rpc.micros", &decoded).as_deref(), Some("1000"));
    assert_eq!(of("rpc.length", &decoded).as_deref(), Some("24,9"));
    let broken = made(&[Layer::Rpc(b"\xff")], None);
    assert_eq!(of("rpc", &broken).as_deref(), Some("rpc"));
    assert_eq!(of("rpc.kind", &broken), None);
    let frame = made(&[Layer::Frame(b"\x01\xff")], None);
    assert_eq!(of("frames.body", &frame).as_deref(), Some("01ff"));
    assert_eq!(of("frames.length", &frame).as_deref(), Some("2"));
}

#[test]
fn times_before_others_are_negative_and_days_are_calendar_days() {
    let mut decoded = made(&[], None);
    assert_eq!(
        of("frame.time_delta", &decoded).as_deref(),
        Some("-1.500000000")
    );
    for (seconds, text) in [
        (0, "Jan  1, 1970 00:00:00.000000000 UTC"),
        (951_782_399, "Feb 28, 2000 23:59:59.000000000 UTC"),
        (951_782_400, "Feb 29, 2000 00:00:00.000000000 UTC"),
        (951_868_800, "Mar  1, 2000 00:00:00.000000000 UTC"),
        (1_709_164_800, "Feb 29, 2024 00:00:00.000000000 UTC"),
        (1_735_603_200, "Dec 31, 2024 00:00:00.000000000 UTC"),
        (4_107_542_400, "Mar  1, 2100 00:00:00.000000000 UTC"),
    ] {
        decoded.packet.time = Duration::from_secs(seconds);
        assert_eq!(of("frame.time", &decoded).as_deref(), Some(text));
    }
    decoded.packet.time = Duration::MAX;
    assert!(of("frame.time", &decoded).is_some());
}

fn lines(options: &[&str]) -> String {
    let names = ["frame.number", "http.server", "tcp.port", "http.set_cookie"];
    let mut line = Line::new(names).unwrap();
    options.iter().for_each(|option| line.set(option).unwrap());
    let mut out = String::new();
    line.header(&mut out);
    each(&packets(), |decoded| {
        if [5, 12].contains(&decoded.number) {
            line.packet(decoded, &mut out);
        }
    });
    out
}

#[test]
fn a_line_is_separated_and_quoted_as_tsharks() {
    // What tshark 4.0.17 prints with the same -E options.
    let tab = "5\tgw, \"q\"\t80,40000\ta=1,b=2\n12\t\t\t\n";
    assert_eq!(lines(&[]), tab);
    assert_eq!(
        lines(&["header=y", "separator=,", "quote=d"]),
        "frame.number,http.server,tcp.port,http.set_cookie\n\
         \"5\",\"gw, \"q\"\",\"80,40000\",\"a=1,b=2\"\n\"12\",,,\n"
    );
    assert_eq!(
        lines(&["quote=s", "occurrence=f"]),
        "'5'\t'gw, \"q\"'\t'80'\t'a=1'\n'12'\t\t\t\n"
    );
    assert_eq!(
        lines(&["occurrence=l", "aggregator=/s", "quote=d"]),
        "\"5\"\t\"gw, \"q\"\"\t\"40000\"\t\"b=2\"\n\"12\"\t\t\t\n"
    );
    assert_eq!(
        lines(&["aggregator=|", "separator=/s"]),
        "5 gw, \"q\" 80|40000 a=1|b=2\n12   \n"
    );
    assert_eq!(lines(&["header=y", "header=n", "separator=/t"]), tab);
}

#[test]
fn a_message_that_is_cut_within_the_name_of_a_field_is_no_request_as_in_wireshark() {
    let request = |head: &[u8]| of("http.request", &made(&[Layer::Http(head)], None));
    for told in [
        "GET / H",
        "GET / HTTP/1.1\r\nHost: a",
        "GET / HTTP/1.1\r\n\r\n",
    ] {
        assert_eq!(request(told.as_bytes()).as_deref(), Some("1"), "{told:?}");
    }
    let cut = b"GET / HTTP/1.1\r\nHos";
    assert_eq!(request(cut), None);
    let method = of("http.request.method", &made(&[Layer::Http(cut)], None));
    assert_eq!(method.as_deref(), Some("GET"));
}

#[test]
fn wrong_options_and_names_of_a_line_are_told() {
    let mut line = Line::new(["ip.src"]).unwrap();
    for wrong in [
        "foo=1",
        "header",
        "header=1",
        "separator=",
        "quote=x",
        "occurrence=z",
    ] {
        assert_eq!(line.set(wrong), Err(LineError::Option(wrong.into())));
    }
    let error = Line::new(["ip.src", "tcp.ports"]).unwrap_err();
    let text = "no field has the name \"tcp.ports\"; is it tcp.port?";
    assert_eq!(error.to_string(), text);
}

#[test]
fn the_table_in_the_book_has_every_field() {
    let book = include_str!("../../../docs/filters.md");
    let mut missing = String::new();
    for field in Field::all() {
        let row = format!("| `{}` | {} |\n", field.name(), field.kind().name());
        if !book.contains(&row) {
            missing += &row;
        }
    }
    assert!(missing.is_empty(), "rows for docs/filters.md:\n{missing}");
}
