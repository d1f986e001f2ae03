//! The output of `capture --explain`, compared with `explain.txt`. `GROUNDWIRE_REWRITE=1` rewrites
//! that file.

use super::*;
use crate::capture::show::{Options, Summary};

const EXPECTED: &str = include_str!("explain.txt");

/// MSS 1460, SACK permitted, timestamps, window scale 7.
const SYN: &[u8] = &[
    2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 7, 0, 0, 0, 0, 1, 3, 3, 7,
];
/// SACK of 1020 to 1029, and of 1000 to 1009.
const BEHIND: &[u8] = &[1, 1, 5, 10, 0, 0, 3, 252, 0, 0, 4, 6];
const TWICE: &[u8] = &[1, 1, 5, 10, 0, 0, 3, 232, 0, 0, 3, 242];

/// A connection with all that can happen on the way.
fn whole() -> Vec<Script> {
    vec![
        c(0, 499, 0, S, 0).options(SYN).window(64_000),
        s(10, 999, 500, S | A, 0).options(SYN).window(65_000),
        c(20, 500, 1000, A, 0),
        c(21, 500, 1000, A | P, 12),
        s(30, 1000, 512, A, 10),
        s(31, 1020, 512, A, 10),
        c(41, 512, 1010, A, 0),
        c(42, 512, 1010, A, 0).options(BEHIND),
        s(60, 1010, 512, A | P, 10),
        c(70, 512, 1030, A, 0),
        s(71, 1000, 512, A, 10),
        c(72, 512, 1030, A, 0).options(TWICE).window(200),
        c(80, 512, 1030, A, 0).window(0),
        s(300, 1030, 512, A, 1),
        c(301, 512, 1030, A, 0).window(0),
        c(400, 512, 1030, A | 0x40, 0),
        s(401, 1030, 512, A | 0x80, 1),
        c(402, 512, 1031, A, 0),
        s(60_000, 1030, 512, A, 0),
        c(60_001, 512, 1031, A, 0),
        c(61_000, 512, 1031, F | A, 0),
        s(61_010, 1031, 513, A, 5),
        c(61_020, 513, 1036, A, 0),
        s(61_030, 1036, 513, F | A, 0),
        c(61_040, 513, 1037, A, 0),
        s(61_050, 1037, 513, R, 0),
    ]
}

/// A connection that is refused, and one that is reset when it is open.
fn broken() -> Vec<Script> {
    vec![
        c(0, 499, 0, S, 0),
        s(1, 0, 500, R | A, 0),
        c(2, 700, 0, S, 0),
        c(1002, 700, 0, S, 0),
        s(1003, 900, 701, S | A, 0),
        c(1004, 701, 901, A, 3),
        s(1005, 901, 704, R | A, 0),
    ]
}

/// A connection whose beginning is not in the capture; the server is the first to close.
fn middle() -> Vec<Script> {
    vec![
        s(0, 1000, 500, A, 10),
        c(1, 500, 1010, A, 0),
        s(2, 1010, 500, F | A, 2),
        c(3, 500, 1013, F | A, 0),
        s(4, 1013, 501, A, 0),
    ]
}

/// Each side sends its FIN before it has the other's (RFC 9293, figure 13).
fn crossed() -> Vec<Script> {
    vec![
        c(0, 500, 1000, F | A, 0),
        s(1, 1000, 500, F | A, 0),
        c(10, 501, 1001, A, 0),
        s(11, 1001, 501, A, 0),
    ]
}

#[test]
fn a_connection_from_its_handshake_to_its_close_is_told_in_words() {
    let mut out = String::new();
    for (title, script) in [
        ("a whole connection", whole()),
        ("refused, and broken off", broken()),
        ("begun before the capture", middle()),
        ("closed by both at once", crossed()),
    ] {
        out += &format!("# {title}\n");
        let mut explain = Explain::new();
        let mut summary = Summary::new(Options::default());
        let packets: Vec<_> = script
            .iter()
            .map(|step| (step.at, step.packet(&vec![b'a'; step.length])))
            .collect();
        decode(&packets, |decoded| {
            summary.line(decoded, &mut out);
            out.push('\n');
            explain.packet(decoded, &mut out);
        });
    }
    if std::env::var_os("GROUNDWIRE_REWRITE").is_some() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/src/capture/flow/tests/explain.txt"
        );
        std::fs::write(path, &out).expect("the file is written");
        return;
    }
    for (at, (said, expected)) in out.lines().zip(EXPECTED.lines()).enumerate() {
        assert_eq!(said, expected, "explain.txt, line {}", at + 1);
    }
    assert_eq!(out.lines().count(), EXPECTED.lines().count());
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut explain = Explain::new();
    let mut out = String::new();
    let mut segment = run(&[c(0, 1, 1, A, 0)])[0];
    for stream in 0..70_000 {
        segment.stream = stream;
        explain.segment(&segment, &c(0, 1, 1, A, 0).tcp(&[]), &mut out);
        out.clear();
    }
    assert_eq!(explain.len(), Explain::MOST);
}
