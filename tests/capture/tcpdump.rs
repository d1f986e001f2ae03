//! tcpdump judges: it sees as many packets as we do, at the same times, and of each TCP segment the
//! same ends, flags, numbers, window and length, of each datagram the same ends and length.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use groundwire::capture::file::{CaptureWriter, Precision};
use groundwire::capture::{LinkType, Packet};

use crate::captures::{Set, lines, made_up, place, shipped, troubled};
use crate::traffic::Frame;

/// What tcpdump's line is made of.
const FIELDS: [&str; 19] = [
    "frame.time_epoch",
    "frame.protocols",
    "ip.flags.mf",
    "ip.frag_offset",
    "ipv6.fraghdr",
    "ip.src",
    "ip.dst",
    "ipv6.src",
    "ipv6.dst",
    "tcp.srcport",
    "tcp.dstport",
    "tcp.flags",
    "tcp.seq_raw",
    "tcp.ack_raw",
    "tcp.window_size_value",
    "tcp.len",
    "udp.srcport",
    "udp.dstport",
    "udp.length",
];

/// Writes the packets of one link as pcap: tcpdump reads no file that has several.
fn write(frames: &[&Frame], link: LinkType, path: &Path) {
    let file = BufWriter::new(File::create(path).unwrap());
    let mut writer = CaptureWriter::pcap(file, link, 0, Precision::Nano).unwrap();
    for (time, link, bytes, length) in frames {
        let packet = Packet {
            length: *length,
            ..Packet::whole(*time, *link, bytes)
        };
        writer.write(&packet).unwrap();
    }
    writer.flush().unwrap();
}

/// tcpdump's line of each packet; `None` where it is not there.
fn theirs(options: &[&str], path: &Path) -> Option<Vec<String>> {
    let mut lines = lines("tcpdump", options, path)?;
    // What does not begin with a time belongs to the line before.
    lines.retain(|line| line.starts_with(|first: char| first.is_ascii_digit()));
    Some(lines)
}

/// The last three words: `1.2.3.4.80 > 5.6.7.8.90`.
fn ends(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    words[words.len().saturating_sub(3)..].join(" ")
}

/// Of tcpdump's line of a segment what is compared: without its options and what is in it.
fn segment(line: &str) -> Option<String> {
    let (before, behind) = line.split_once(": Flags [")?;
    let (flags, rest) = behind.split_once(']')?;
    let mut told = format!("{}: Flags [{flags}]", ends(before));
    for word in ["seq ", "ack ", "win ", "length "] {
        let part = rest.split(", ").find_map(|part| part.strip_prefix(word));
        let number = part.map(|part| part.split([' ', ',']).next().unwrap_or_default());
        if let Some(number) = number {
            told += &format!(", {word}{}", number.trim_end_matches(':'));
        }
    }
    Some(told)
}

/// Of its line of a datagram.
fn datagram(line: &str) -> Option<String> {
    let (before, length) = line.split_once(": UDP, length ")?;
    Some(format!("{}: UDP, length {length}", ends(before)))
}

/// Whether tcpdump tells the same, or less: behind options that are wrong there is no length, behind
/// extension headers no address.
fn is_same(theirs: &str, ours: &str) -> bool {
    let port = |end: &str| end.rsplit('.').next().unwrap_or_default().to_string();
    let (from, to) = ours.split_once(" > ").unwrap_or_default();
    let (to, behind) = to.split_once(": ").unwrap_or_default();
    let only_ports = format!("{} > {}: {behind}", port(from), port(to));
    let no_length = ours.split(", length").next();
    theirs == ours || theirs == only_ports || Some(theirs) == no_length
}

/// Ours, by the names of the fields.
struct Ours<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Ours<'a> {
    fn of(line: &'a str) -> Self {
        Self(FIELDS.into_iter().zip(line.split('\t')).collect())
    }

    fn number(&self, name: &str) -> Option<u32> {
        let text = self.0[name];
        match text.strip_prefix("0x") {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => text.parse().ok(),
        }
    }

    /// A fragment is told of by tcpdump in the first one, by us in the last; what errors quote, only
    /// by us.
    fn is_comparable(&self) -> bool {
        let whole = |name: &str| matches!(self.0[name], "" | "0");
        whole("ip.flags.mf")
            && whole("ip.frag_offset")
            && self.0["ipv6.fraghdr"].is_empty()
            && !self.0["frame.protocols"].contains("icmp")
    }

    fn ends(&self, ports: (u32, u32)) -> String {
        let either = |v4: &str, v6: &str| match self.0[v4] {
            "" => self.0[v6].to_string(),
            address => address.to_string(),
        };
        let (from, to) = (either("ip.src", "ipv6.src"), either("ip.dst", "ipv6.dst"));
        format!("{from}.{} > {to}.{}", ports.0, ports.1)
    }

    /// As tcpdump would have it.
    fn segment(&self) -> Option<String> {
        let flags = self.number("tcp.flags")?;
        let ports = (self.number("tcp.srcport")?, self.number("tcp.dstport")?);
        let (seq, length) = (self.number("tcp.seq_raw")?, self.number("tcp.len")?);
        let letters = "FSRP.UEW".chars().enumerate();
        let set = letters.filter(|(bit, _)| flags >> bit & 1 == 1);
        let mut letters: String = set.map(|(_, letter)| letter).collect();
        if letters.is_empty() {
            letters += "none";
        }
        let mut told = format!("{}: Flags [{letters}]", self.ends(ports));
        if length > 0 {
            told += &format!(", seq {seq}:{}", seq.wrapping_add(length));
        } else if flags & 0b111 != 0 {
            told += &format!(", seq {seq}");
        }
        if flags & 0x10 != 0 {
            told += &format!(", ack {}", self.number("tcp.ack_raw")?);
        }
        let window = self.number("tcp.window_size_value")?;
        Some(told + &format!(", win {window}, length {length}"))
    }

    fn datagram(&self) -> Option<String> {
        let ports = (self.number("udp.srcport")?, self.number("udp.dstport")?);
        let length = self.number("udp.length")?.checked_sub(8)?;
        Some(format!("{}: UDP, length {length}", self.ends(ports)))
    }
}

/// What was compared, and what differs.
#[derive(Default)]
struct Verdict {
    packets: usize,
    segments: usize,
    datagrams: usize,
    /// Where only one of both reads a header.
    one_sided: Vec<String>,
    wrong: Vec<String>,
}

impl Verdict {
    /// Takes a packet: tcpdump's line, its short line (`-q`), and ours.
    fn packet(&mut self, theirs: &str, short: &str, ours: &str) {
        self.packets += 1;
        let line = ours;
        let ours = Ours::of(ours);
        let time = ours.0["frame.time_epoch"];
        if theirs.split(' ').next() != Some(time) {
            self.wrong.push(format!("{theirs}\n  at {time}"));
        }
        if !ours.is_comparable() {
            return;
        }
        match (segment(theirs), ours.segment()) {
            (Some(theirs), Some(ours)) if is_same(&theirs, &ours) => self.segments += 1,
            (Some(theirs), Some(ours)) => self.wrong.push(format!("{theirs}\n  {ours}")),
            (None, None) => {}
            _ => self.one_sided.push(format!("{theirs}\n  {line}")),
        }
        match (datagram(short), ours.datagram()) {
            (Some(theirs), Some(ours)) if is_same(&theirs, &ours) => self.datagrams += 1,
            (Some(theirs), Some(ours)) => self.wrong.push(format!("{theirs}\n  {ours}")),
            (None, None) => {}
            _ => self.one_sided.push(format!("{short}\n  {line}")),
        }
    }
}

/// At least so many segments and datagrams are to be equal.
fn judge(set: &Set, (segments, datagrams): (usize, usize)) {
    let mut links: BTreeMap<u16, Vec<&Frame>> = BTreeMap::new();
    for frame in &set.frames {
        links.entry(frame.1.0).or_default().push(frame);
    }
    let mut verdict = Verdict::default();
    for (link, frames) in links {
        let path = place(&format!("{}-{link}.pcap", set.name));
        write(&frames, LinkType(link), &path);
        let Some(long) = theirs(&["-tt", "--nano", "-S"], &path) else {
            println!("skipped: tcpdump is not installed");
            return;
        };
        let short = theirs(&["-tt", "--nano", "-q"], &path).unwrap();
        let mut options = vec!["-T", "fields", "-E", "occurrence=l"];
        options.extend(FIELDS.iter().flat_map(|field| ["-e", field]));
        let ours = lines(env!("CARGO_BIN_EXE_capture"), &options, &path).unwrap();
        let seen = (long.len(), short.len(), ours.len());
        assert_eq!(seen, (frames.len(), frames.len(), frames.len()), "{link}");
        for ((theirs, short), ours) in long.iter().zip(&short).zip(&ours) {
            verdict.packet(theirs, short, ours);
        }
        std::fs::remove_file(&path).unwrap();
    }
    println!(
        "{}: {} packets, of them {} segments and {} datagrams equal, {} read by one only",
        set.name,
        verdict.packets,
        verdict.segments,
        verdict.datagrams,
        verdict.one_sided.len()
    );
    verdict.wrong.truncate(20);
    assert!(verdict.wrong.is_empty(), "{}", verdict.wrong.join("\n"));
    // Headers that are cut, or wrong in themselves.
    let few = verdict.one_sided.len() * 50 <= verdict.packets;
    verdict.one_sided.truncate(20);
    assert!(few, "{}", verdict.one_sided.join("\n"));
    assert!(verdict.segments >= segments && verdict.datagrams >= datagrams);
}

#[test]
fn captures_that_debian_ships_are_read_as_tcpdump_reads_them() {
    judge(&shipped(), (3, 0));
}

#[test]
fn made_up_packets_are_read_as_tcpdump_reads_them() {
    judge(&made_up(), (100, 20));
}

#[test]
fn troubled_connections_are_read_as_tcpdump_reads_them() {
    judge(&troubled(), (3000, 0));
}
