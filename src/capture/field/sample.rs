//! The packets of `packets.txt`, decoded: the input of the tests of fields and filters.

use std::time::Duration;

use crate::capture::decode::{Decoded, Decoder, Settings};
use crate::capture::{LinkType, Packet};

/// Bytes and link types of all packets.
pub fn packets() -> Vec<(LinkType, Vec<u8>)> {
    let lines = include_str!("packets.txt").lines();
    let lines = lines.filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let mut words = line.split(' ');
            let link = LinkType(words.next().unwrap().parse().unwrap());
            (link, bytes(words.next().unwrap()))
        })
        .collect()
}

pub fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    let digits = digits.map(|pair| std::str::from_utf8(pair).unwrap());
    digits
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}

/// Decodes the packets one after the other.
pub fn each(packets: &[(LinkType, Vec<u8>)], mut see: impl FnMut(&Decoded<'_>)) {
    let mut decoder = Decoder::new(Settings::default());
    let links = [1, 113, 276, 101, 0];
    for (at, (link, bytes)) in packets.iter().enumerate() {
        let time = Duration::from_nanos(1_700_000_000_123_456_789 + at as u64 * 1_234_567);
        let mut packet = Packet::whole(time, *link, bytes);
        packet.interface = links.iter().position(|l| *l == link.0).unwrap_or(0) as u32;
        see(&decoder.decode(&packet));
    }
}
