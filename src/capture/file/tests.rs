//! Files written by hand, byte for byte, and what the reader must return for them.

mod bounds;

use std::io::{self, Read};
use std::time::Duration;

use super::*;
use crate::capture::{LinkType, Packet};

/// A packet as an owned value: seconds, nanoseconds, link, length, interface, bytes.
type Read1 = (u64, u32, u16, u32, u32, Vec<u8>);

fn owned(packet: &Packet<'_>) -> Read1 {
    (
        packet.time.as_secs(),
        packet.time.subsec_nanos(),
        packet.link.0,
        packet.length,
        packet.interface,
        packet.bytes.to_vec(),
    )
}

/// All whole packets, and the result after them.
fn read(stream: impl Read) -> (Vec<Read1>, Result<(), FileError>) {
    let mut packets = Vec::new();
    let mut reader = match CaptureReader::open(stream) {
        Ok(reader) => reader,
        Err(error) => return (packets, Err(error)),
    };
    loop {
        match reader.next_packet() {
            Ok(Some(packet)) => packets.push(owned(&packet)),
            Ok(None) => return (packets, Ok(())),
            Err(error) => {
                assert!(reader.next_packet().unwrap().is_none(), "after an error");
                return (packets, Err(error));
            }
        }
    }
}

fn all(bytes: &[u8]) -> Vec<Read1> {
    let (packets, end) = read(bytes);
    end.unwrap();
    packets
}

fn fault(bytes: &[u8]) -> String {
    read(bytes).1.unwrap_err().to_string()
}

/// Returns one byte at a time, like a slow pipe.
struct Drops<'a>(&'a [u8]);

impl Read for Drops<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.len().min(buffer.len()).min(1);
        let (now, later) = self.0.split_at(count);
        buffer[..count].copy_from_slice(now);
        self.0 = later;
        Ok(count)
    }
}

#[derive(Clone, Copy)]
struct Put {
    big: bool,
}

const BIG: Put = Put { big: true };
const LITTLE: Put = Put { big: false };

impl Put {
    fn two(self, out: &mut Vec<u8>, value: u16) {
        match self.big {
            true => out.extend(value.to_be_bytes()),
            false => out.extend(value.to_le_bytes()),
        }
    }

    fn four(self, out: &mut Vec<u8>, value: u32) {
        match self.big {
            true => out.extend(value.to_be_bytes()),
            false => out.extend(value.to_le_bytes()),
        }
    }

    fn words(self, words: &[u32]) -> Vec<u8> {
        let mut out = Vec::new();
        for word in words {
            self.four(&mut out, *word);
        }
        out
    }

    fn pcap(self, magic: u32, minor: u16) -> Vec<u8> {
        let mut out = self.words(&[magic]);
        self.two(&mut out, 2);
        self.two(&mut out, minor);
        out.extend(self.words(&[0, 0, 65535, 1]));
        out
    }

    fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
        let padded = body.len().next_multiple_of(4);
        let length = padded as u32 + 12;
        let mut out = self.words(&[kind, length]);
        out.extend(body);
        out.resize(8 + padded, 0);
        self.four(&mut out, length);
        out
    }

    fn section(self) -> Vec<u8> {
        let mut body = self.words(&[0x1a2b_3c4d]);
        self.two(&mut body, 1);
        self.two(&mut body, 0);
        body.extend([0xff; 8]);
        self.block(0x0a0d_0d0a, &body)
    }

    fn interface(self, link: u16, snap: u32, options: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        self.two(&mut body, link);
        self.two(&mut body, 0);
        self.four(&mut body, snap);
        for (code, value) in options {
            self.two(&mut body, *code);
            self.two(&mut body, value.len() as u16);
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        self.block(1, &body)
    }

    fn enhanced(self, interface: u32, units: u64, length: u32, bytes: &[u8]) -> Vec<u8> {
        let (upper, lower) = ((units >> 32) as u32, units as u32);
        let mut body = self.words(&[interface, upper, lower, bytes.len() as u32, length]);
        body.extend(bytes);
        self.block(6, &body)
    }
}

#[test]
fn every_pcap_magic_is_read_in_both_byte_orders() {
    for put in [BIG, LITTLE] {
        for (magic, nanoseconds, more) in [
            (0xa1b2_c3d4, 7_000, 0),
            (0xa1b2_3c4d, 7, 0),
            (0xa1b2_cd34, 7_000, 8),
        ] {
            let mut file = put.pcap(magic, 4);
            for (length, bytes) in [(60, &b"abc"[..]), (0, b""), (2, b"de")] {
                file.extend(put.words(&[1_000_000_000, 7, bytes.len() as u32, length]));
                file.extend(vec![0xee; more]);
                file.extend(bytes);
            }
            let packet =
                |length, bytes: &[u8]| (1_000_000_000, nanoseconds, 1, length, 0, bytes.to_vec());
            let expected = vec![packet(60, b"abc"), packet(0, b""), packet(2, b"de")];
            assert_eq!(all(&file), expected, "{magic:x}");
            let (slowly, end) = read(Drops(&file));
            assert!(end.is_ok());
            assert_eq!(slowly, expected, "{magic:x} byte by byte");
        }
    }
}

#[test]
fn the_two_lengths_stand_the_other_way_round_in_old_pcap_files() {
    for (minor, first, second) in [(2, 60, 3), (3, 60, 3), (3, 3, 60), (4, 3, 60)] {
        let mut file = LITTLE.pcap(0xa1b2_c3d4, minor);
        file.extend(LITTLE.words(&[1, 0, first, second]));
        file.extend(b"abc");
        assert_eq!(all(&file), [(1, 0, 1, 60, 0, b"abc".to_vec())], "2.{minor}");
    }
}

#[test]
fn a_pcap_header_tells_link_and_snap_length_and_the_upper_half_of_the_link_is_not_of_it() {
    let mut file = BIG.pcap(0xa1b2_c3d4, 4);
    file[20] = 0xf0;
    let reader = CaptureReader::open(&file[..]).unwrap();
    assert_eq!(reader.format(), Format::Pcap(Precision::Micro));
    let interface = &reader.interfaces()[0];
    assert_eq!(
        (interface.link, interface.snap),
        (LinkType::ETHERNET, 65535)
    );
}

#[test]
fn a_fraction_of_more_than_a_second_is_carried() {
    let mut file = LITTLE.pcap(0xa1b2_c3d4, 4);
    file.extend(LITTLE.words(&[u32::MAX, u32::MAX, 0, 0]));
    assert_eq!(all(&file)[0].0, u64::from(u32::MAX) + 4294);
}

#[test]
fn every_kind_of_packet_block_is_read_in_both_byte_orders() {
    for put in [BIG, LITTLE] {
        let mut file = put.section();
        file.extend(put.interface(1, 4, &[(2, b"eth0"), (0, b"")]));
        file.extend(put.enhanced(0, 1_000_007, 60, b"abcde"));
        let mut old = Vec::new();
        put.two(&mut old, 0);
        put.two(&mut old, 99);
        old.extend(put.words(&[0, 2_000_000, 3, 70]));
        old.extend(b"xyz");
        file.extend(put.block(2, &old));
        file.extend(put.block(0x0bad, b"another program's"));
        let mut simple = put.words(&[9]);
        simple.extend(b"four");
        file.extend(put.block(3, &simple));
        let expected = vec![
            (1, 7_000, 1, 60, 0, b"abcde".to_vec()),
            (2, 0, 1, 70, 0, b"xyz".to_vec()),
            (0, 0, 1, 9, 0, b"four".to_vec()),
        ];
        assert_eq!(all(&file), expected);
        let (slowly, end) = read(Drops(&file));
        assert!(end.is_ok());
        assert_eq!(slowly, expected, "byte by byte");
    }
}

#[test]
fn each_interface_has_its_own_resolution_and_offset() {
    let second = 1_700_000_000_u64;
    let table: [(&[u8], u64, u64, u32); 9] = [
        (&[6], second * 1_000_000 + 7, second, 7_000),
        (&[9], second * 1_000_000_000 + 7, second, 7),
        (&[0], second, second, 0),
        (&[3], second * 1000 + 7, second, 7_000_000),
        (&[12], 5_000_000_007_999, 5, 7),
        (&[19], u64::MAX, 1, 844_674_407),
        (&[0x80 | 10], second << 10 | 512, second, 500_000_000),
        (&[0x80 | 32], second << 32 | 1 << 31, second, 500_000_000),
        (&[0x80 | 63], u64::MAX, 1, 999_999_999),
    ];
    let mut file = LITTLE.section();
    for (resolution, ..) in table {
        file.extend(LITTLE.interface(101, 0, &[(9, resolution), (14, &10_i64.to_le_bytes())]));
    }
    for (number, (_, units, ..)) in table.iter().enumerate() {
        file.extend(LITTLE.enhanced(number as u32, *units, 1, b"a"));
    }
    let mut reader = CaptureReader::open(&file[..]).unwrap();
    let (_, interfaces) = reader.next_with_interfaces().unwrap().unwrap();
    let digits: Vec<u8> = interfaces.iter().map(Interface::digits).collect();
    assert_eq!(digits, [6, 9, 0, 3, 9, 9, 4, 9, 9]);
    for (packet, (resolution, _, seconds, nanoseconds)) in all(&file).iter().zip(table) {
        assert_eq!(
            (packet.0, packet.1),
            (seconds + 10, nanoseconds),
            "{resolution:x?}"
        );
    }
}

#[test]
fn an_offset_may_be_negative_and_no_time_is_before_1970() {
    let mut file = LITTLE.section();
    file.extend(LITTLE.interface(1, 0, &[(14, &(-5_i64).to_le_bytes())]));
    for units in [7_000_000, 3_000_000] {
        file.extend(LITTLE.enhanced(0, units, 0, b""));
    }
    let seconds: Vec<u64> = all(&file).iter().map(|packet| packet.0).collect();
    assert_eq!(seconds, [2, 0]);
}

#[test]
fn sections_of_either_order_count_their_interfaces_anew_and_the_file_counts_on() {
    let mut file = BIG.section();
    file.extend(BIG.interface(1, 0, &[]));
    file.extend(BIG.interface(113, 0, &[]));
    file.extend(BIG.enhanced(1, 1, 1, b"a"));
    file.extend(LITTLE.section());
    file.extend(LITTLE.interface(276, 0, &[(2, b"lo"), (9, &[9])]));
    file.extend(LITTLE.enhanced(0, 1, 1, b"b"));
    let packets = all(&file);
    assert_eq!(packets[0], (0, 1_000, 113, 1, 1, b"a".to_vec()));
    assert_eq!(packets[1], (0, 1, 276, 1, 2, b"b".to_vec()));
    file.extend(LITTLE.enhanced(1, 1, 1, b"c"));
    assert!(fault(&file).ends_with("interface 1 is not described"));
}

/// Two packets in each format, and where each begins and ends.
fn samples() -> Vec<(Vec<u8>, Vec<usize>)> {
    let mut pcap = LITTLE.pcap(0xa1b2_c3d4, 4);
    let mut at = vec![pcap.len()];
    for bytes in [&b"first"[..], b"second"] {
        pcap.extend(LITTLE.words(&[1, 2, bytes.len() as u32, 60]));
        pcap.extend(bytes);
        at.push(pcap.len());
    }
    let mut blocks = BIG.section();
    blocks.extend(BIG.interface(1, 0, &[(2, b"eth0")]));
    let mut ends = vec![blocks.len()];
    for bytes in [&b"first"[..], b"second"] {
        blocks.extend(BIG.enhanced(0, 1, 60, bytes));
        ends.push(blocks.len());
    }
    vec![(pcap, at), (blocks, ends)]
}

#[test]
fn a_file_cut_at_any_byte_gives_all_whole_packets_and_then_says_that_it_is_cut() {
    for (file, ends) in samples() {
        for length in 0..file.len() {
            let whole = ends[1..].iter().filter(|end| **end <= length).count();
            let (packets, end) = read(&file[..length]);
            assert_eq!(packets.len(), whole, "cut at {length}");
            // Between two blocks or packets the end looks regular: the cut cannot be seen.
            let between = ends.contains(&length) || [28, 28 + 20].contains(&length) && ends[0] > 28;
            match end {
                Ok(()) => assert!(between, "cut at {length}"),
                Err(FileError::Cut { .. }) => assert!(!ends.contains(&length), "{length}"),
                Err(other) => panic!("cut at {length}: {other}"),
            }
        }
        assert_eq!(all(&file).len(), 2);
    }
}

#[test]
fn a_length_that_cannot_be_is_refused_with_its_place() {
    let mut long_record = LITTLE.pcap(0xa1b2_c3d4, 4);
    long_record.extend(LITTLE.words(&[0, 0, MAX_PACKET + 1, MAX_PACKET + 1]));
    let start = |more: Vec<u8>| {
        let mut file = LITTLE.section();
        file.extend(LITTLE.interface(1, 0, &[]));
        file.extend(more);
        file
    };
    let mut two_lengths = LITTLE.enhanced(0, 0, 4, b"abcd");
    *two_lengths.last_mut().unwrap() = 1;
    let captured = |captured| {
        let mut body = LITTLE.words(&[0, 0, 0, captured, 4]);
        body.extend(b"abcd");
        start(LITTLE.block(6, &body))
    };
    let table = [
        (
            long_record,
            "packet of 262145 bytes at byte 24, the limit is 262144",
        ),
        (
            start(LITTLE.words(&[6, 0])),
            "byte 48: its length cannot be 0",
        ),
        (
            start(LITTLE.words(&[6, 8])),
            "byte 48: its length cannot be 8",
        ),
        (
            start(LITTLE.words(&[6, 33])),
            "byte 48: its length cannot be 33",
        ),
        (
            start(LITTLE.words(&[6, 12, 12])),
            "byte 48: its length cannot be 12",
        ),
        (
            start(LITTLE.words(&[6, u32::MAX - 3])),
            "4294967292 bytes, the limit is 16777216",
        ),
        (
            start(LITTLE.words(&[5, MAX_BLOCK])),
            "cut off within the packet or block at byte 48",
        ),
        (start(two_lengths), "its lengths differ: 36 and 16777252"),
        (captured(5), "it has no room for 5 bytes of packet"),
        (
            captured(u32::MAX),
            "packet of 4294967295 bytes at byte 48, the limit is 262144",
        ),
        (
            start(LITTLE.enhanced(1, 0, 0, b"")),
            "interface 1 is not described",
        ),
        (
            start(LITTLE.enhanced(u32::MAX, 0, 0, b"")),
            "interface 4294967295 is not described",
        ),
        (
            start(LITTLE.interface(1, 0, &[(9, &[20])])),
            "time resolution 0x14 is too fine",
        ),
        (
            start(LITTLE.interface(1, 0, &[(9, &[0xc0])])),
            "time resolution 0xc0 is too fine",
        ),
        (start(LITTLE.block(1, b"")), "its length cannot be 12"),
        (start(LITTLE.block(1, &[0; 4])), "its length cannot be 16"),
        (start(LITTLE.block(3, b"")), "its length cannot be 12"),
        (
            start(LITTLE.block(0x0a0d_0d0a, &[0; 16])),
            "byte-order magic 00 00 00 00",
        ),
        (b"\x1f\x8b\x08\x00".to_vec(), "gzip -d"),
        (b"GET / HTTP/1.1".to_vec(), "it begins with 47 45 54 20"),
        (b"".to_vec(), "the file is empty, or ends within its header"),
    ];
    for (file, words) in table {
        let (packets, end) = read(&file[..]);
        let text = end.map_or_else(|error| error.to_string(), |()| "no error".into());
        assert!(
            packets.is_empty() && text.contains(words),
            "{words}: {text}"
        );
    }
}

#[test]
fn unknown_versions_are_refused() {
    let mut pcap = LITTLE.pcap(0xa1b2_c3d4, 4);
    pcap[4] = 3;
    assert_eq!(fault(&pcap), "version 3.4 of the format is not known");
    let mut blocks = LITTLE.section();
    blocks[12] = 2;
    assert_eq!(fault(&blocks), "version 2.0 of the format is not known");
}

#[test]
fn an_option_that_claims_more_than_there_is_ends_the_options() {
    let mut file = LITTLE.section();
    let mut body = LITTLE.words(&[1, 0]);
    LITTLE.two(&mut body, 2);
    LITTLE.two(&mut body, 60_000);
    file.extend(LITTLE.block(1, &body));
    file.extend(LITTLE.enhanced(0, 1, 0, b""));
    assert_eq!(all(&file).len(), 1);
}

#[test]
fn more_interfaces_than_the_limit_are_refused() {
    let mut file = LITTLE.section();
    let one = LITTLE.interface(1, 0, &[]);
    for _ in 0..MAX_INTERFACES {
        file.extend(&one);
    }
    assert!(all(&file).is_empty());
    file.extend(&one);
    assert!(fault(&file).ends_with("more than 65536 interfaces"));
}

#[test]
fn a_block_longer_than_the_buffer_is_passed_over_or_read() {
    let mut file = LITTLE.section();
    file.extend(LITTLE.interface(1, 0, &[]));
    file.extend(LITTLE.block(5, &vec![7; 3 << 20]));
    let bytes = vec![9; MAX_PACKET as usize];
    file.extend(LITTLE.enhanced(0, 1, MAX_PACKET, &bytes));
    assert_eq!(all(&file), [(0, 1_000, 1, MAX_PACKET, 0, bytes)]);
}

/// Packets of every length around the padding, across the reader's buffer, and cut ones.
fn traffic() -> Vec<(Duration, Vec<u8>, u32)> {
    let packet = |number: u32| {
        let bytes = vec![number as u8; (number as usize * 7) % 1600];
        let more = if number % 5 == 0 { 100 } else { 0 };
        let time = Duration::new(1_700_000_000 + u64::from(number), number * 1_000);
        (time, bytes.clone(), bytes.len() as u32 + more)
    };
    (0..2000).map(packet).collect()
}

#[test]
fn what_is_written_is_read_the_same() {
    let link = LinkType::LINUX_SLL2;
    for format in [
        Format::Pcap(Precision::Micro),
        Format::Pcap(Precision::Nano),
        Format::PcapNg,
    ] {
        let mut file = Vec::new();
        let mut writer = match format {
            Format::Pcap(precision) => CaptureWriter::pcap(&mut file, link, 0, precision),
            Format::PcapNg => CaptureWriter::pcapng(&mut file),
        }
        .unwrap();
        for (time, bytes, length) in &traffic() {
            let packet = Packet {
                length: *length,
                ..Packet::whole(*time, link, bytes)
            };
            writer.write(&packet).unwrap();
        }
        writer.flush().unwrap();
        drop(writer);
        assert_eq!(CaptureReader::open(&file[..]).unwrap().format(), format);
        let packets = all(&file);
        assert_eq!(packets.len(), traffic().len());
        for (packet, (time, bytes, length)) in packets.into_iter().zip(traffic()) {
            let (seconds, nanoseconds) = (time.as_secs(), time.subsec_nanos());
            assert_eq!(
                packet,
                (seconds, nanoseconds, link.0, length, 0, bytes),
                "{format:?}"
            );
        }
    }
}

#[test]
fn a_pcapng_file_holds_many_interfaces_and_links_with_their_names() {
    let mut file = Vec::new();
    let mut writer = CaptureWriter::pcapng(&mut file).unwrap();
    let eth0 = Interface::new(LinkType::ETHERNET, 96, Some("eth0"));
    writer.add_interface(0, &eth0).unwrap();
    let time = Duration::new(5, 123_456_789);
    let long = [7; 100];
    for (interface, link) in [
        (0, LinkType::ETHERNET),
        (3, LinkType::RAW),
        (0, LinkType::RAW),
        (3, LinkType::RAW),
    ] {
        let packet = Packet {
            interface,
            ..Packet::whole(time, link, &long)
        };
        writer.write(&packet).unwrap();
    }
    drop(writer);
    let mut reader = CaptureReader::open(&file[..]).unwrap();
    let mut found = Vec::new();
    while let Some(packet) = reader.next_packet().unwrap() {
        assert_eq!((packet.time, packet.length), (time, 100));
        found.push((packet.interface, packet.link.0, packet.bytes.len()));
    }
    assert_eq!(
        found,
        [(0, 1, 96), (1, 101, 100), (2, 101, 100), (1, 101, 100)]
    );
    assert_eq!(reader.interfaces()[0], eth0);
}

#[test]
fn a_pcap_file_refuses_what_it_cannot_hold_and_goes_on() {
    let mut file = Vec::new();
    let mut writer =
        CaptureWriter::pcap(&mut file, LinkType::ETHERNET, 2, Precision::Micro).unwrap();
    let time = Duration::from_secs(1);
    let refused = |result: Result<(), FileError>| result.unwrap_err().to_string();
    let raw = Packet::whole(time, LinkType::RAW, b"abc");
    assert!(refused(writer.write(&raw)).contains("here Ethernet, and this packet's is raw IP"));
    let late = Packet::whole(Duration::from_secs(1 << 32), LinkType::ETHERNET, b"abc");
    assert!(refused(writer.write(&late)).contains("until 2106"));
    writer
        .write(&Packet::whole(time, LinkType::ETHERNET, b"abc"))
        .unwrap();
    drop(writer);
    assert_eq!(all(&file), [(1, 0, 1, 3, 0, b"ab".to_vec())]);
}

#[test]
fn a_stream_that_fails_is_told_and_an_interrupted_read_is_tried_again() {
    struct Fails(u8);
    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            Err(match self.0 {
                1 => io::ErrorKind::Interrupted.into(),
                _ => io::Error::other("the disk is gone"),
            })
        }
    }
    let error = CaptureReader::open(Fails(0)).map(drop).unwrap_err();
    assert_eq!(error.to_string(), "the disk is gone");
}
