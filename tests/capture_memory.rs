//! What decoding costs in memory: nothing for a packet of a connection that is known, and never more
//! than the limits say, whatever fragments come.

use std::time::Duration;

use groundwire::capture::decode::{Decoder, Layer, Settings};
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
