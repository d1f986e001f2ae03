//! Scripted segments, compared with the output of tshark 4.0.17 for the same bytes.

mod application;
mod bodies;
mod conversations;
mod explain;
mod follow;
mod fuzz;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::*;
use crate::capture::decode::{Check, Decoded, Decoder, Settings, Tcp, TcpFlags};
use crate::capture::file::{CaptureWriter, Precision};
use crate::capture::{LinkType, Packet};

pub(super) const F: u16 = TcpFlags::FIN;
pub(super) const S: u16 = TcpFlags::SYN;
pub(super) const R: u16 = TcpFlags::RST;
pub(super) const P: u16 = TcpFlags::PSH;
pub(super) const A: u16 = TcpFlags::ACK;

/// A segment of a script: the client is 10.0.0.1:1000, the server 10.0.0.2:80.
#[derive(Clone, Copy)]
pub(super) struct Script {
    pub(super) from_client: bool,
    /// Milliseconds.
    pub(super) at: u64,
    pub(super) sequence: u32,
    pub(super) acknowledgment: u32,
    pub(super) flags: u16,
    pub(super) length: usize,
    pub(super) window: u16,
    pub(super) options: &'static [u8],
}

pub(super) fn c(at: u64, sequence: u32, acknowledgment: u32, flags: u16, length: usize) -> Script {
    let (from_client, window, options) = (true, 100, &[] as &[u8]);
    Script {
        from_client,
        at,
        sequence,
        acknowledgment,
        flags,
        length,
        window,
        options,
    }
}

pub(super) fn s(at: u64, sequence: u32, acknowledgment: u32, flags: u16, length: usize) -> Script {
    let from_client = false;
    Script {
        from_client,
        ..c(at, sequence, acknowledgment, flags, length)
    }
}

impl Script {
    pub(super) fn window(self, window: u16) -> Self {
        Self { window, ..self }
    }

    pub(super) fn options(self, options: &'static [u8]) -> Self {
        Self { options, ..self }
    }

    pub(super) fn ends(&self) -> Ends {
        let end = |last, port| (IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)), port);
        let ends = Ends {
            source: end(1, 1000),
            destination: end(2, 80),
        };
        if self.from_client {
            ends
        } else {
            ends.reversed()
        }
    }

    pub(super) fn tcp<'a>(&self, payload: &'a [u8]) -> Tcp<'a> {
        let ends = self.ends();
        Tcp {
            source: ends.source.1,
            destination: ends.destination.1,
            sequence: self.sequence,
            acknowledgment: self.acknowledgment,
            header_length: 20,
            flags: TcpFlags(self.flags),
            window: self.window,
            checksum: 0,
            check: Check::Unverified,
            urgent: 0,
            options: self.options,
            payload,
            length: self.length as u32,
        }
    }
}

/// An IPv4 packet.
pub(super) fn ipv4(ends: Ends, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + payload.len()).expect("a short packet");
    let mut packet = vec![0x45, 0];
    packet.extend(length.to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, protocol, 0, 0]);
    for end in [ends.source, ends.destination] {
        match end.0 {
            IpAddr::V4(address) => packet.extend(address.octets()),
            IpAddr::V6(_) => panic!("an IPv4 address is expected"),
        }
    }
    packet.extend(payload);
    packet
}

impl Script {
    /// Its packet.
    pub(super) fn packet(&self, payload: &[u8]) -> Vec<u8> {
        let ends = self.ends();
        let header = 20 + self.options.len();
        let offset = u16::try_from(header / 4).expect("short options") << 12;
        let mut tcp = Vec::new();
        tcp.extend(ends.source.1.to_be_bytes());
        tcp.extend(ends.destination.1.to_be_bytes());
        tcp.extend(self.sequence.to_be_bytes());
        tcp.extend(self.acknowledgment.to_be_bytes());
        tcp.extend((offset | self.flags).to_be_bytes());
        tcp.extend(self.window.to_be_bytes());
        tcp.extend([0; 4]);
        tcp.extend(self.options);
        tcp.extend(payload);
        ipv4(ends, 6, &tcp)
    }
}

/// Decodes packets of raw IP, each with its time since the first in milliseconds.
pub(super) fn decode(packets: &[(u64, Vec<u8>)], mut see: impl FnMut(&Decoded<'_>)) {
    let mut decoder = Decoder::new(Settings::default());
    for (at, bytes) in packets {
        let time = Duration::from_millis(1_700_000_000_000 + at);
        see(&decoder.decode(&Packet::whole(time, LinkType::RAW, bytes)));
    }
}

/// Writes them to a capture file in `GROUNDWIRE_PACKETS`, for tshark.
pub(super) fn save(name: &str, packets: &[(u64, Vec<u8>)]) {
    let Some(folder) = std::env::var_os("GROUNDWIRE_PACKETS") else {
        return;
    };
    let path = std::path::Path::new(&folder).join(name);
    let file = std::fs::File::create(path).expect("a folder");
    let mut writer =
        CaptureWriter::pcap(file, LinkType::RAW, 262_144, Precision::Nano).expect("a file");
    for (at, bytes) in packets {
        let time = Duration::from_millis(1_700_000_000_000 + at);
        let packet = Packet::whole(time, LinkType::RAW, bytes);
        writer.write(&packet).expect("room on the disk");
    }
    writer.flush().expect("room on the disk");
}

/// Runs a script; returns the segments.
fn run(script: &[Script]) -> Vec<Segment> {
    let mut flows = Flows::new();
    let numbered = script.iter().zip(1..);
    numbered
        .map(|(step, number)| {
            let payload = vec![b'a'; step.length];
            let time = Duration::from_millis(1_000_000 + step.at);
            flows.tcp(step.ends(), &step.tcp(&payload), number, time)
        })
        .collect()
}

/// The marks of a script's last segment.
fn last_marks(script: &[Script]) -> Marks {
    run(script)
        .last()
        .map(|segment| segment.marks)
        .unwrap_or_default()
}

/// A handshake without options, up to the client's ACK.
fn handshake() -> Vec<Script> {
    vec![
        c(0, 499, 0, S, 0),
        s(10, 999, 500, S | A, 0),
        c(10, 500, 1000, A, 0),
    ]
}

fn after_handshake(more: &[Script]) -> Marks {
    let mut script = handshake();
    script.extend_from_slice(more);
    last_marks(&script)
}

#[test]
fn numbers_are_relative_to_the_handshake_and_windows_scaled_by_it() {
    let script = [
        c(0, u32::MAX, 0, S, 0).options(&[1, 3, 3, 2]),
        s(1, 5000, 0, S | A, 0).options(&[1, 3, 3, 7]),
        c(2, 0, 5001, A, 10),
    ];
    let shown: Vec<_> = run(&script)
        .iter()
        .map(|seg| {
            (
                seg.sequence,
                seg.acknowledgment,
                seg.window,
                seg.window_shift,
                seg.direction,
            )
        })
        .collect();
    let (forward, back) = (Direction::Forward, Direction::Back);
    let expected = [
        (0, 0, 100, None, forward),
        (0, 1, 100, None, back),
        (1, 1, 400, Some(2), forward),
    ];
    assert_eq!(shown, expected);
}

#[test]
fn without_the_option_in_both_syns_windows_are_not_scaled() {
    let mut script = handshake();
    script[1] = script[1].options(&[1, 3, 3, 7]);
    assert_eq!(run(&script)[2].window, 100);
}

#[test]
fn a_syn_whose_options_were_cut_off_does_not_say_that_windows_are_not_scaled() {
    let options: &[u8] = &[2, 4, 5, 180, 1, 3, 3, 7];
    let script = [
        c(0, 499, 0, S, 0).options(options),
        s(1, 999, 500, S | A, 0).options(options),
        c(2, 500, 1000, A, 0),
    ];
    for (snap, expected) in [(44, None), (48, Some(7))] {
        let mut decoder = Decoder::new(Settings::default());
        let shifts = script.map(|step| {
            let whole = step.packet(&[]);
            let packet = Packet {
                length: whole.len() as u32,
                ..Packet::whole(
                    Duration::ZERO,
                    LinkType::RAW,
                    &whole[..snap.min(whole.len())],
                )
            };
            decoder.decode(&packet).segment.unwrap().window_shift
        });
        assert_eq!(shifts, [None, None, expected], "{snap}");
    }
}

#[test]
fn a_capture_from_the_middle_begins_at_number_one() {
    let segments = run(&[s(0, 7000, 300, A, 10), c(1, 300, 7010, A, 0)]);
    let numbers: Vec<_> = segments
        .iter()
        .map(|seg| (seg.sequence, seg.acknowledgment))
        .collect();
    assert_eq!(numbers, [(1, 1), (1, 11)]);
    assert_eq!(segments[0].window_shift, None);
}

#[test]
fn a_syn_with_another_number_is_a_new_connection_and_the_same_one_is_sent_again() {
    let mut script = handshake();
    script.extend([c(2000, 499, 0, S, 0), c(3000, 777, 0, S, 0)]);
    let segments = run(&script);
    assert_eq!(segments[3].marks, Marks::RETRANSMISSION);
    assert_eq!((segments[3].stream, segments[4].stream), (0, 1));
    assert_eq!(segments[4].marks, Marks::PORT_REUSED);
}

#[test]
fn a_quoted_syn_is_of_the_connection_with_its_number_or_of_a_new_one() {
    let mut flows = Flows::new();
    let (first, other) = (c(0, 499, 0, S, 0), c(0, 777, 0, S, 0));
    let ends = first.ends();
    let seen = flows.tcp(ends, &first.tcp(b""), 1, Duration::ZERO);
    assert_eq!(seen.stream, 0);
    assert_eq!(flows.quoted_tcp(ends, &first.tcp(b"")), 0);
    assert_eq!(flows.quoted_tcp(ends, &other.tcp(b"")), 1);
    // Nothing is remembered of that connection, so this is its first segment and no retransmission.
    let seen = flows.tcp(ends, &first.tcp(b""), 2, Duration::ZERO);
    assert_eq!((seen.stream, seen.marks.is_empty()), (1, true));
}

/// Each mark, in a script for which tshark gives the same one.
#[test]
fn marks_are_those_of_tshark() {
    let data = c(20, 500, 1000, A | P, 10);
    let acked = s(30, 1000, 510, A, 0);
    let table: &[(&[Script], Marks)] = &[
        (&[data, c(300, 500, 1000, A | P, 10)], Marks::RETRANSMISSION),
        (
            &[data, acked, c(300, 500, 1000, A | P, 10)],
            Marks::SPURIOUS_RETRANSMISSION,
        ),
        (&[data, c(21, 520, 1000, A, 10)], Marks::LOST_BEFORE),
        (
            &[data, c(21, 520, 1000, A, 10), c(22, 510, 1000, A, 10)],
            Marks::OUT_OF_ORDER,
        ),
        (
            &[data, c(21, 520, 1000, A, 10), c(92, 510, 1000, A, 10)],
            Marks::RETRANSMISSION,
        ),
        (
            &[
                data,
                acked,
                s(31, 1000, 510, A, 0),
                s(32, 1000, 510, A, 0),
                c(33, 510, 1000, A, 10),
            ],
            Marks::default(),
        ),
        (&[data, acked, s(31, 1000, 510, A, 0)], Marks::DUPLICATE_ACK),
        (&[data, s(30, 1000, 600, A, 0)], Marks::ACKED_UNSEEN),
        (&[data, acked, c(900, 509, 1000, A, 0)], Marks::KEEP_ALIVE),
        (
            &[
                data,
                acked,
                c(900, 509, 1000, A, 0),
                s(910, 1000, 510, A, 0),
            ],
            Marks::KEEP_ALIVE_ACK,
        ),
        (
            &[data, s(30, 1000, 510, A, 0).window(0)],
            Marks::ZERO_WINDOW,
        ),
        (
            &[
                data,
                s(30, 1000, 510, A, 0).window(0),
                c(900, 510, 1000, A, 1),
            ],
            Marks::ZERO_WINDOW_PROBE,
        ),
        (
            &[
                data,
                s(30, 1000, 510, A, 0).window(0),
                c(900, 510, 1000, A, 1),
                s(910, 1000, 510, A, 0).window(0),
            ],
            Marks(Marks::ZERO_WINDOW.0 | Marks::ZERO_WINDOW_PROBE_ACK.0),
        ),
        (
            &[data, acked, s(31, 1000, 510, A, 0).window(200)],
            Marks::WINDOW_UPDATE,
        ),
        (&[data, acked, c(40, 510, 1000, A, 100)], Marks::WINDOW_FULL),
    ];
    for (script, marks) in table {
        assert_eq!(after_handshake(script), *marks);
    }
}

#[test]
fn a_segment_sent_again_after_two_duplicates_is_a_fast_retransmission() {
    let data = |at, from| c(at, from, 1000, A, 10);
    let dup = |at| s(at, 1000, 500, A, 0);
    let script = [
        data(20, 500),
        data(20, 510),
        data(20, 520),
        dup(21),
        dup(22),
        dup(23),
        data(24, 500),
    ];
    assert_eq!(after_handshake(&script), Marks::FAST_RETRANSMISSION);
}

#[test]
fn where_the_clock_was_set_back_in_the_handshake_what_is_late_is_out_of_order_as_in_tshark() {
    let script = [
        c(5000, 499, 0, S, 0),
        s(10, 999, 500, S | A, 0),
        c(20, 500, 1000, A, 0),
        c(30, 500, 1000, A, 10),
        c(40, 520, 1000, A, 10),
        c(1000, 510, 1000, A, 10),
    ];
    assert_eq!(last_marks(&script), Marks::OUT_OF_ORDER);
}

#[test]
fn a_duplicate_tells_which_packet_it_repeats() {
    let mut script = handshake();
    script.extend([
        c(20, 500, 1000, A, 10),
        s(21, 1000, 510, A, 0),
        s(22, 1000, 510, A, 0),
        s(23, 1000, 510, A, 0),
    ]);
    let told: Vec<_> = run(&script)
        .iter()
        .filter_map(|seg| seg.duplicate_of)
        .collect();
    assert_eq!(told, [(5, 1), (5, 2)]);
}

#[test]
fn the_oldest_connection_is_forgotten_where_there_are_too_many() {
    let mut flows = Flows::with_limit(2);
    let udp = |flows: &mut Flows, port| {
        let end = |port| (IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        flows.udp(Ends {
            source: end(port),
            destination: end(53),
        })
    };
    let numbers: Vec<u32> = [1, 2, 1, 3, 2, 1, 3]
        .map(|port| udp(&mut flows, port))
        .to_vec();
    assert_eq!(numbers, [0, 1, 0, 2, 1, 3, 2]);
}

#[test]
fn a_forgotten_connection_gives_back_what_was_kept_of_its_segments() {
    let mut flows = Flows::with_limit(4);
    for number in 0..1000_u32 {
        let step = c(0, 500, 1, A, 9);
        let mut ends = step.ends();
        ends.source.0 = IpAddr::V4(Ipv4Addr::from_bits(number));
        flows.tcp(ends, &step.tcp(&[0; 9]), 1, Duration::ZERO);
    }
    assert_eq!(flows.room_made(), 4);
}

#[test]
fn every_one_of_many_connections_is_found_again() {
    let mut flows = Flows::new();
    for _ in 0..2 {
        for number in 0..20_000_u32 {
            let client = IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number / 100));
            let port = 1000 + u16::try_from(number % 100).unwrap();
            let ends = Ends {
                source: (client, port),
                destination: (IpAddr::V4(Ipv4Addr::LOCALHOST), 80),
            };
            assert_eq!(flows.udp(ends), number);
            assert_eq!(flows.udp(ends.reversed()), number);
        }
    }
}
