//! Which packets filters match, and how wrong filters are refused.

use super::{Filter, FilterError, Problem};
use crate::capture::field::Field;
use crate::capture::field::sample::{each, packets};
use crate::capture::{LinkType, Packet};
use crate::net::Seeded;

/// `verdicts.txt`: filters, and the packets of `packets.txt` that tshark shows by them.
fn verdicts() -> Vec<(&'static str, Vec<u64>)> {
    let lines = include_str!("verdicts.txt").lines();
    let lines = lines.filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (text, numbers) = line.split_once(" =>").unwrap();
            let numbers = numbers.split_ascii_whitespace();
            (
                text,
                numbers.map(|number| number.parse().unwrap()).collect(),
            )
        })
        .collect()
}

#[test]
fn filters_match_the_packets_that_tsharks_do() {
    let all: Vec<_> = verdicts()
        .into_iter()
        .map(|(text, numbers)| (text, Filter::parse(text).unwrap(), numbers, Vec::new()))
        .collect();
    let mut all = all;
    assert!(all.len() > 90, "{}", all.len());
    each(&packets(), |decoded| {
        for (_, filter, _, ours) in &mut all {
            if filter.matches(decoded) {
                ours.push(decoded.number);
            }
        }
    });
    for (text, _, theirs, ours) in all {
        assert_eq!(ours, theirs, "{text}");
    }
}

#[test]
fn an_empty_filter_matches_every_packet() {
    for text in ["", "  \t"] {
        let filter = Filter::parse(text).unwrap();
        each(&packets(), |decoded| assert!(filter.matches(decoded)));
    }
}

#[test]
fn a_wrong_filter_is_refused_with_its_column_and_reason() {
    for (text, expected) in [
        (
            "tcp.prt == 80",
            "1 no field or protocol has the name \"tcp.prt\"; is it tcp.port?",
        ),
        (
            "ip and htp",
            "8 no field or protocol has the name \"htp\"; is it http?",
        ),
        ("TCP", "1 no field or protocol has the name \"TCP\""),
        (
            "80 == tcp.port",
            "1 no field or protocol has the name \"80\"",
        ),
        ("\"tcp\" == 1", "1 expected a field or a protocol"),
        (
            "tcp.port == 70000",
            "13 the field has no number above 65535",
        ),
        ("ip.ttl in {1, 256}", "15 the field has no number above 255"),
        (
            "tcp.port == http.",
            "13 \"http.\" is no unsigned number (443, 0x1bb)",
        ),
        (
            "tcp.port == http",
            "13 unsigned number and protocol cannot be compared",
        ),
        (
            "tcp.port == \"80\"",
            "13 \"80\" is no unsigned number (443, 0x1bb)",
        ),
        (
            "tcp.port == -1",
            "13 \"-1\" is no unsigned number (443, 0x1bb)",
        ),
        (
            "tcp.port == 08",
            "13 \"08\" is no unsigned number (443, 0x1bb)",
        ),
        (
            "tcp.port == 0x+1",
            "13 \"0x+1\" is no unsigned number (443, 0x1bb)",
        ),
        (
            "tcp.port == 80.5",
            "13 \"80.5\" is no unsigned number (443, 0x1bb)",
        ),
        (
            "tcp.flags.syn == 2",
            "18 \"2\" is no boolean (1, 0, true or false)",
        ),
        (
            "ip.addr == 10.0",
            "12 \"10.0\" is no IPv4 address (192.0.2.1, 192.0.2.0/24)",
        ),
        ("ip.src == 10.0.0.0/33", "11 a prefix has at most 32 bits"),
        (
            "ip.src == ::1",
            "11 \"::1\" is no IPv4 address (192.0.2.1, 192.0.2.0/24)",
        ),
        ("ipv6.src == ::/129", "13 a prefix has at most 128 bits"),
        (
            "eth.src == 02:00",
            "12 \"02:00\" is no hardware address (02:00:5e:00:53:01)",
        ),
        (
            "frame.time_delta > 1s",
            "20 \"1s\" is no time in seconds (0.25)",
        ),
        (
            "frame.time_delta > 0.0000000001",
            "20 \"0.0000000001\" is no time in seconds (0.25)",
        ),
        (
            "ip.src == tcp.port",
            "11 IPv4 address and unsigned number cannot be compared",
        ),
        (
            "tcp == 1",
            "1 a field of kind protocol cannot be compared by ==",
        ),
        (
            "tcp.analysis.flags eq 1",
            "1 a field of kind mark cannot be compared by ==",
        ),
        (
            "tcp.port contains 80",
            "1 a field of kind unsigned number cannot be compared by contains",
        ),
        (
            "frame.time > 1",
            "1 a field of kind moment cannot be compared by >",
        ),
        (
            "ip.src & 1",
            "8 a field of kind IPv4 address cannot be compared by &",
        ),
        ("tcp.port ==", "12 expected a value"),
        ("tcp.port == )", "13 expected a value"),
        ("tcp && ", "8 expected a field or a protocol"),
        ("(tcp or udp", "12 expected and, or, or )"),
        ("tcp)", "4 expected and, or, or the end"),
        ("tcp udp", "5 expected and, or, or the end"),
        ("tcp.port in 80", "13 expected {"),
        ("tcp.port in {80 443}", "17 expected , or }"),
        ("tcp.port in {}", "14 expected a value"),
        ("tcp.port not == 1", "14 expected in"),
        ("any tcp.port", "13 expected a comparison"),
        ("tcp.port = 80", "10 '=' has no meaning here"),
        ("tcp.port == '0'", "13 '\\'' has no meaning here"),
        ("http.host == \"a", "14 a text without its second quote"),
        (
            "http.host == \"\u{e4}\\q\"",
            "16 no such escape: there are \\\" \\\\ \\n \\r \\t \\xHH",
        ),
        (
            "http.host matches \"a\"",
            "11 left out here: matches; there is contains",
        ),
        (
            "eth.src[0:3] == 02:00:00",
            "8 left out here: slices; contains looks into bytes",
        ),
        (
            "tcp or ip contains \"GET\"",
            "8 left out here: the bytes of this header; frame has them all",
        ),
        (
            "lower(http.host) == a",
            "1 no field or protocol has the name \"lower\"",
        ),
    ] {
        let error = Filter::parse(text).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("column {}", expected.replacen(' ', ": ", 1)),
            "{text}"
        );
    }
}

fn problem(text: &str) -> Problem {
    Filter::parse(text).map(|_| ()).unwrap_err().problem
}

#[test]
fn texts_that_nest_or_go_on_without_end_are_refused() {
    let nested = |times: usize| format!("{}tcp{}", "(".repeat(times), ")".repeat(times));
    assert!(Filter::parse(&nested(Filter::DEEPEST)).is_ok());
    assert_eq!(problem(&nested(Filter::DEEPEST + 1)), Problem::TooDeep);
    assert_eq!(problem(&"(".repeat(60_000)), Problem::TooDeep);
    assert_eq!(problem(&"!".repeat(60_000)), Problem::TooDeep);
    assert_eq!(problem(&"not ".repeat(10_000)), Problem::TooDeep);
    assert_eq!(problem(&"tcp or ".repeat(10_000)), Problem::TooLong);
    let wide = format!("{}tcp", "udp or ".repeat(9_000));
    let filter = Filter::parse(&wide).unwrap();
    each(&packets()[..1], |decoded| assert!(filter.matches(decoded)));
}

/// Words from which filters are made, right and wrong.
const WORDS: [&str; 44] = [
    "tcp",
    "udp",
    "ip.addr",
    "tcp.port",
    "dns.a",
    "http.host",
    "frame",
    "eth.src",
    "ipv6.addr",
    "tcp.flags",
    "dns.qry.name",
    "frame.time_delta",
    "tcp.payload",
    "data.len",
    "==",
    "!=",
    "===",
    "~=",
    ">",
    "<=",
    "contains",
    "in",
    "not",
    "!",
    "and",
    "&&",
    "or",
    "||",
    "(",
    ")",
    "{",
    "}",
    ",",
    "..",
    "&",
    "80",
    "0x1f",
    "10.0.0.0/8",
    "2001:db8::/32",
    "\"a\\x00\"",
    "02:00",
    "any",
    "-1.5",
    "[",
];

mod fuzz {
    use super::*;
    use crate::capture::decode::{Decoder, Settings};

    /// `make fuzz` sets GROUNDWIRE_FUZZ.
    fn rounds(few: usize) -> usize {
        let rounds = std::env::var("GROUNDWIRE_FUZZ").ok();
        rounds.map_or(few, |n| n.parse().expect("GROUNDWIRE_FUZZ: a number"))
    }

    #[test]
    fn a_random_text_is_a_filter_or_an_error_within_it() {
        let mut random = Seeded::new(7);
        let mut good = 0;
        // A wrong name is compared with every field name: one text costs as much as hundreds of
        // packets.
        for _ in 0..rounds(400_000) / 100 {
            let mut text = String::new();
            for _ in 0..random.below(9) {
                text += WORDS[random.below(WORDS.len())];
                text += if random.below(8) == 0 { "" } else { " " };
            }
            if random.below(4) == 0 {
                let odd = ['\u{e4}', '"', '\\', '\0', '\u{1f600}', '/'];
                let at = random.below(text.chars().count() + 1);
                let at = text.char_indices().nth(at).map_or(text.len(), |(at, _)| at);
                text.insert(at, odd[random.below(odd.len())]);
            }
            match Filter::parse(&text) {
                Ok(_) => good += 1,
                Err(FilterError { column, .. }) => {
                    let count = text.chars().count();
                    assert!((1..=count + 1).contains(&column), "{text:?}: {column}");
                }
            }
        }
        assert!(good > 0);
    }

    #[test]
    fn every_field_of_a_mutated_packet_can_be_asked_and_printed() {
        let mut random = Seeded::new(8);
        let packets = packets();
        let filters: Vec<Filter> = verdicts()
            .iter()
            .map(|(text, _)| Filter::parse(text).unwrap())
            .collect();
        let mut text = String::new();
        for _ in 0..rounds(30_000) / 100 {
            let (link, mut bytes): (LinkType, Vec<u8>) =
                packets[random.below(packets.len())].clone();
            for _ in 0..random.below(6) {
                let at = random.below(bytes.len());
                bytes[at] = random.next() as u8;
            }
            bytes.truncate(random.below(bytes.len()) + 1);
            let mut see = |decoded: &crate::capture::decode::Decoded<'_>| {
                text.clear();
                for field in Field::all() {
                    field.values(decoded, &mut |value| value.show(field.kind(), &mut text));
                }
                for filter in &filters {
                    filter.matches(decoded);
                }
            };
            let packet = Packet::whole(std::time::Duration::ZERO, link, &bytes);
            see(&Decoder::new(Settings::default()).decode(&packet));
            each(&[(link, bytes)], see);
        }
    }
}
