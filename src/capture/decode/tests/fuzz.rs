//! Mutated packets of every kind: no panic, no layer out of place, and no more memory than the limits
//! of `fragments` say.
//!
//! `GROUNDWIRE_FUZZ` is how many packets are tried (200,000 without it; `make fuzz` sets it to ten
//! million), `GROUNDWIRE_SEED` which ones.

use super::*;
use crate::net::Seeded;

fn wanted() -> u64 {
    let wanted = std::env::var("GROUNDWIRE_FUZZ").ok();
    wanted.map_or(200_000, |text| {
        text.parse().expect("GROUNDWIRE_FUZZ: a number")
    })
}

/// Values with a meaning in the fields that decide what comes next.
const EDGES: [u8; 12] = [0, 1, 4, 6, 17, 43, 44, 51, 60, 0x45, 0x7f, 0xff];

fn mutate(bytes: &mut [u8], random: &mut Seeded) {
    for _ in 0..random.below(4) {
        let at = random.below(bytes.len().min(80));
        bytes[at] = match random.below(3) {
            0 => EDGES[random.below(EDGES.len())],
            1 => bytes[at] ^ (1 << random.below(8)),
            _ => random.next() as u8,
        };
    }
}

/// Samples, and fragments of several datagrams.
fn corpus() -> Vec<(LinkType, Vec<u8>)> {
    let mut all: Vec<_> = samples()
        .into_iter()
        .map(|(link, bytes, _)| (link, bytes))
        .collect();
    let datagram = udp(&[b'x'; 40]);
    for (id, more, at) in [(1, 1, 0), (1, 0, 24), (2, 0, 24), (2, 1, 0)] {
        let part = if more == 1 {
            &datagram[..24]
        } else {
            &datagram[24..]
        };
        let place = (more << 13) | (at / 8);
        all.push((LinkType::RAW, ipv4(17, id, place, part)));
        let head = [17, 0, 0, at as u8 | more as u8, 0, 0, 0, id as u8];
        all.push((LinkType::IPV6, ipv6(44, &[&head, part].concat())));
    }
    all
}

/// What holds for every packet.
fn check(decoded: &Decoded<'_>) {
    let layers = decoded.layers.as_slice();
    let wrong = layers
        .iter()
        .position(|layer| matches!(layer, Layer::Malformed(_)));
    assert!(wrong.is_none_or(|at| at + 1 == layers.len()), "{layers:?}");
    assert!(layers.len() <= Layers::MOST);
    for layer in layers {
        match layer {
            Layer::Tcp(tcp) => {
                TcpOptions::of(tcp.options).for_each(drop);
                assert!(tcp.payload.len() <= tcp.length as usize);
            }
            Layer::Ipv4(ip) => Ipv4Options::of(ip.options).for_each(drop),
            Layer::Icmp(icmp) => drop(quoted(icmp.body.get(4..).unwrap_or_default())),
            _ => {}
        }
    }
}

#[test]
fn mutated_packets_are_decoded_or_marked() {
    let mut random = Seeded::new(42);
    let corpus = corpus();
    let mut decoder = checking();
    let mut bytes = Vec::new();
    let mut marked = 0_u64;
    let wanted = wanted();
    for number in 0..wanted {
        let (link, sample) = &corpus[random.below(corpus.len())];
        bytes.clear();
        bytes.extend_from_slice(sample);
        mutate(&mut bytes, &mut random);
        let kept = match random.below(8) {
            0 => random.below(bytes.len() + 1),
            _ => bytes.len(),
        };
        let packet = Packet {
            time: Duration::from_micros(number),
            link: *link,
            length: (bytes.len() - random.below(2) * (bytes.len() - kept)) as u32,
            interface: 0,
            bytes: &bytes[..kept],
        };
        let decoded = decoder.decode(&packet);
        check(&decoded);
        marked += u64::from(matches!(decoded.layers.last(), Some(Layer::Malformed(_))));
        if number % 1024 == 0 {
            decoder.fragments.check();
        }
    }
    // Both must happen, or the mutations are too weak.
    assert!(
        marked > wanted / 50 && marked < wanted,
        "{marked} of {wanted}"
    );
}
