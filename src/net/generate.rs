//! Seeded random texts for the property tests of this room; built for tests only.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// SplitMix64: one number of state, the same sequence on every machine.
pub struct Seeded(u64);

impl Seeded {
    /// Starts from `GROUNDWIRE_SEED` if it is set, else from `default`, and prints
    /// the seed: the test harness shows it when the test fails.
    pub fn new(default: u64) -> Seeded {
        let chosen = std::env::var("GROUNDWIRE_SEED").ok();
        let seed = chosen.map_or(default, |s| s.parse().expect("GROUNDWIRE_SEED: a number"));
        println!("GROUNDWIRE_SEED={seed}");
        Seeded(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub fn ipv4(&mut self) -> Ipv4Addr {
        Ipv4Addr::from(self.next() as u32)
    }

    /// Half of the groups are zero, so that `::` and its edge cases turn up often.
    pub fn ipv6(&mut self) -> Ipv6Addr {
        let mut groups = [0; 8];
        for group in &mut groups {
            if self.below(2) == 0 {
                *group = self.next() as u16 >> self.below(16);
            }
        }
        match self.below(8) {
            0 => self.ipv4().to_ipv6_mapped(),
            _ => Ipv6Addr::from(groups),
        }
    }

    pub fn ip(&mut self) -> IpAddr {
        match self.below(2) {
            0 => IpAddr::V4(self.ipv4()),
            _ => IpAddr::V6(self.ipv6()),
        }
    }

    /// A text put together from the pieces that addresses are made of, or a valid address; then
    /// perhaps altered at up to three places.
    pub fn address_like(&mut self) -> String {
        let mut text = match self.below(5) {
            0 => self.ipv4().to_string(),
            1 => self.ipv6().to_string(),
            2 => self.groups_and_quad(),
            3 => self.numbers_and_dots(),
            _ => self.pieces(),
        };
        for _ in 0..self.below(4) {
            self.spoil(&mut text);
        }
        text
    }

    fn groups_and_quad(&mut self) -> String {
        let written = 1 + self.below(9);
        let mut parts: Vec<String> = Vec::new();
        for _ in 0..written {
            parts.push(format!("{:x}", self.next() as u16 >> self.below(16)));
        }
        if self.below(2) == 0 {
            parts.push(self.ipv4().to_string());
        }
        if self.below(2) == 0 {
            let at = self.below(parts.len() + 1);
            parts.insert(at, String::new());
        }
        parts.join(":")
    }

    fn numbers_and_dots(&mut self) -> String {
        let mut numbers: Vec<String> = Vec::new();
        for _ in 0..3 + self.below(3) {
            numbers.push(self.below(300).to_string());
        }
        numbers.join(".")
    }

    fn pieces(&mut self) -> String {
        const PIECES: [&str; 20] = [
            "0", "1", "00", "255", "256", "ffff", "10000", "a", "F", "g", ".", ":", "::", "::",
            ":", "1.2.3.4", ".0.0.1", "%", "-", " ",
        ];
        let mut text = String::new();
        for _ in 0..self.below(12) {
            text.push_str(PIECES[self.below(PIECES.len())]);
        }
        text
    }

    /// Inserts, removes, replaces or doubles one character.
    fn spoil(&mut self, text: &mut String) {
        const ALPHABET: &[u8] = b"0123456789abcdefFx:::...%+- ";
        let mut bytes = std::mem::take(text).into_bytes();
        let new = ALPHABET[self.below(ALPHABET.len())];
        let at = self.below(bytes.len() + 1);
        match self.below(4) {
            0 => bytes.insert(at, new),
            1 if at < bytes.len() => drop(bytes.remove(at)),
            2 if at < bytes.len() => bytes[at] = new,
            3 if at < bytes.len() => bytes.insert(at, bytes[at]),
            _ => {}
        }
        *text = String::from_utf8(bytes).expect("only ASCII was put in");
    }
}
