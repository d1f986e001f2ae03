//! tshark judges the summary lines: of packets whose protocols are ours, ours are its own to the
//! letter. Why a line may be another is in [`excuse`] and in `docs/capture.md`.

use std::collections::BTreeMap;

use crate::captures::{Set, lines, made_up, place, shipped, troubled, write};
use crate::judge::AS_OURS;

/// What tshark calls the protocols that are decoded here.
const OURS: [&str; 20] = [
    "eth",
    "ethertype",
    "vlan",
    "ieee8021ad",
    "sll",
    "raw",
    "null",
    "ip",
    "ipv6",
    "ipv6.fraghdr",
    "ipv6.hopopts",
    "ipv6.dstopts",
    "tcp",
    "udp",
    "icmp",
    "icmpv6",
    "arp",
    "dns",
    "data",
    "http",
];

const PART: &str = " [TCP segment of a reassembled PDU]";
const UNSEEN: &str = "[TCP ACKed unseen segment] ";
const CUT: &str = "[Packet size limited during capture]";

/// Why a line is not tshark's, where that is known.
fn excuse(theirs: &str, ours: &str) -> Option<&'static str> {
    let head = |line: &str| {
        let line = line.split("  (").next().unwrap_or_default();
        let line = line.split("[Malformed Packet]").next();
        let line = line.unwrap_or_default().trim_end();
        line.replace(" HTTP/XML ", " HTTP ")
    };
    if theirs.contains(" HTTP ") && theirs.contains("Continuation") {
        return Some("a segment of a body is a line of TCP");
    }
    if theirs.replace(PART, "") == ours.replace(PART, "") {
        return Some("others put their own messages together");
    }
    if theirs.ends_with(&format!(" {PART}")) && ours.ends_with(PART) {
        return Some("a section that is not whole yet is not told of");
    }
    if theirs.contains(" HTTP") && head(theirs) == head(ours) {
        return Some("a body is named by its media type, and never looked into");
    }
    let kept = ours.strip_suffix(CUT).unwrap_or(ours);
    if theirs.ends_with(CUT) && theirs.starts_with(kept) {
        return Some("of a cut message not each piece is shown");
    }
    let plain = |line: &str| line.replace(PART, "").replace(UNSEEN, "");
    if plain(theirs) == plain(ours) {
        return Some("an acknowledgment that is unseen for one only");
    }
    None
}

/// Whether all headers up to HTTP's are ours.
fn is_ours(protocols: &str) -> bool {
    let up_to_http = protocols
        .split_once(":http")
        .map_or(protocols, |(up, _)| up);
    up_to_http.split(':').all(|name| OURS.contains(&name))
}

/// Compares the lines; at least so many in 1,000 that have no excuse are to be equal.
fn judge(set: &Set, least: usize) {
    let path = place(&format!("{}-lines.pcapng", set.name));
    write(&set.frames, &path);
    let Some(theirs) = lines("tshark", &AS_OURS, &path) else {
        println!("skipped: tshark is not installed");
        return;
    };
    let with_protocols = [&AS_OURS[..], &["-T", "fields", "-e", "frame.protocols"]].concat();
    let protocols = lines("tshark", &with_protocols, &path).unwrap();
    let ours = lines(env!("CARGO_BIN_EXE_capture"), &[], &path).unwrap();
    let count = set.frames.len();
    assert_eq!((theirs.len(), ours.len()), (count, count));
    let (mut equal, mut wrong) = (0, Vec::new());
    let mut excused = BTreeMap::new();
    for (at, (theirs, ours)) in theirs.iter().zip(&ours).enumerate() {
        if !is_ours(&protocols[at]) {
            continue;
        }
        if theirs.trim_end() == ours.trim_end() {
            equal += 1;
        } else if let Some(why) = excuse(theirs, ours) {
            *excused.entry(why).or_insert(0) += 1;
        } else {
            wrong.push(format!("{}\n  {theirs}\n  {ours}", set.whence(at)));
        }
    }
    println!(
        "{}: {equal} lines are equal, {} are not",
        set.name,
        wrong.len()
    );
    println!("{}: excused are {excused:#?}", set.name);
    assert!(equal * 2 > count, "only {equal} of {count} lines are equal");
    let share = equal * 1000 / (equal + wrong.len());
    wrong.truncate(20);
    let wrong = wrong.join("\n");
    assert!(share >= least, "only {share} in 1,000 are equal: {wrong}");
    println!("{wrong}");
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn lines_of_captures_that_debian_ships_are_those_of_tshark() {
    judge(&shipped(), 995);
}

#[test]
fn lines_of_made_up_packets_are_those_of_tshark() {
    judge(&made_up(), 1000);
}

#[test]
fn lines_of_troubled_connections_are_those_of_tshark() {
    judge(&troubled(), 1000);
}
