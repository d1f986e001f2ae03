//! What decoding costs in memory: nothing for a packet of a known connection, and never more than
//! the limits, whatever fragments arrive.

use std::time::Duration;

use groundwire::capture::decode::{Decoder, Layer, Settings};
use groundwire::capture::flow::{Applications, Follow, Target};
use groundwire::capture::{LinkType, Packet};
use groundwire::sys::counting::{self, Counting};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// An IPv4 packet from 10.0.0.1 to 10.0.0.2; `fragment` is its field of flags and offset.
fn ipv4(protocol: u8, id: u16, fragment: u16, payload: &[u8]) -> Vec<u8> {
    let length = (20 + payload.len() as u16).to_be_bytes();
    let (id, fragment) = (id.to_be_bytes(), fragment.to_be_bytes());
    let mut packet = vec![0x45, 0, length[0], length[1], id[0], id[1]];
    packet.extend([fragment[0], fragment[1], 64, protocol, 0, 0]);
    packet.extend([10, 0, 0, 1, 10, 0, 0, 2]);
    packet.extend(payload);
    packet
}

fn packet(bytes: &[u8]) -> Packet<'_> {
    Packet::whole(Duration::from_secs(1), LinkType::RAW, bytes)
}

#[test]
fn a_segment_of_a_known_connection_is_decoded_without_asking_for_memory() {
    let mut segment = vec![0x9c, 0x40, 0x9c, 0x41, 0, 0, 0, 1, 0, 0, 0, 1];
    segment.extend([0x50, 0x10, 1, 0, 0, 0, 0, 0]);
    let bytes = ipv4(6, 1, 0, &segment);
    let mut decoder = Decoder::new(Settings::default());
    decoder.decode(&packet(&bytes));
    let ((), asked) = counting::allocations(|| {
        for _ in 0..1000 {
            let decoded = decoder.decode(&packet(&bytes));
            assert!(matches!(decoded.layers.last(), Some(Layer::Tcp(_))));
        }
    });
    assert_eq!(asked, 0);
}

#[test]
fn fragments_that_never_become_a_packet_are_held_within_bounds() {
    // 4 MiB of fragments, their tables, and the packet that is put together.
    const MOST: usize = 8 << 20;
    for size in [8, 1480] {
        let (_, most) = counting::peak(|| {
            let mut decoder = Decoder::new(Settings::default());
            for number in 0..40_000_u32 {
                // Pieces with a hole between each two, of packets that take turns.
                let (id, place) = (number % 900, number / 900 * (size / 8 + 1));
                let bytes = ipv4(
                    17,
                    id as u16,
                    0x2000 | place as u16,
                    &vec![7; size as usize],
                );
                decoder.decode(&packet(&bytes));
            }
        });
        assert!(most < MOST, "{most} bytes for fragments of {size}");
    }
}

/// A segment from a client's port to port 80, behind its first `from` bytes.
fn segment(client: u16, from: u32, payload: &[u8]) -> Vec<u8> {
    let (port, sequence) = (client.to_be_bytes(), (1000 + from).to_be_bytes());
    let mut segment = vec![port[0], port[1], 0, 80];
    segment.extend(sequence);
    segment.extend([0, 0, 0, 1, 0x50, 0x10, 1, 0, 0, 0, 0, 0]);
    segment.extend(payload);
    ipv4(6, 1, 0, &segment)
}

#[test]
fn messages_that_never_end_are_held_within_bounds() {
    // Beside what is held: the table of connections, and one beginning that is made longer.
    const MOST: usize = Applications::HELD + (4 << 20);
    let mut begin = b"GET / HTTP/1.1\r\n".to_vec();
    begin.resize(1400, b'a');
    for parts in [1, 20] {
        let (_, most) = counting::peak(|| {
            let mut decoder = Decoder::new(Settings::default());
            for client in 1000..5000 {
                for part in 0..parts {
                    let bytes = segment(client, part * 1400, &begin);
                    let decoded = decoder.decode(&packet(&bytes));
                    assert!(decoded.part_of_message);
                }
            }
        });
        assert!(
            most < MOST,
            "{most} bytes for beginnings of {parts} segments"
        );
    }
}

#[test]
fn a_connection_takes_less_than_a_kibibyte() {
    const CONNECTIONS: u16 = 40_000;
    // Its bytes are the beginning of a message: of one letter, so that most of it is what stands beside.
    let (_, most) = counting::peak(|| {
        let mut decoder = Decoder::new(Settings::default());
        for client in 0..CONNECTIONS {
            decoder.decode(&packet(&segment(client, 0, b"G")));
        }
    });
    let each = most / usize::from(CONNECTIONS);
    assert!(each < 1024, "{each} bytes for a connection");
}

#[test]
fn what_a_followed_stream_holds_back_is_bounded() {
    // The tables of what waits, the decoder's own, and the text of a segment.
    const MOST: usize = Follow::WAITING + (4 << 20);
    for (size, count) in [(1, 6000), (40_000, 600)] {
        let payload = vec![7; size as usize];
        let (_, most) = counting::peak(|| {
            let mut decoder = Decoder::new(Settings::default());
            let mut follow = Follow::new(Target::parse("tcp,0,raw").expect("a target"));
            let mut out = String::new();
            for number in 0..count {
                // A hole before each but the first.
                let bytes = segment(1000, number * (size + 1), &payload);
                follow.packet(&decoder.decode(&packet(&bytes)), &mut out);
                out.clear();
            }
        });
        assert!(most < MOST, "{most} bytes for segments of {size}");
    }
}
