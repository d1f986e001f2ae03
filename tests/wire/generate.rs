//! Seeded random numbers, and the mutations of a message.

/// SplitMix64: one number of state, the same sequence on every machine.
pub struct Seeded(u64);

/// Numbers that sit on a border.
const BORDERS: [u32; 10] = [
    0,
    1,
    2,
    0x7f,
    0xff,
    0x100,
    0xffff,
    0x7fff_ffff,
    0xffff_fffe,
    0xffff_ffff,
];

impl Seeded {
    /// Starts from `GROUNDWIRE_SEED` if it is set, else from `default`, and prints the seed.
    pub fn new(default: u64) -> Self {
        let chosen = std::env::var("GROUNDWIRE_SEED").ok();
        let seed = chosen.map_or(default, |text| {
            text.parse().expect("GROUNDWIRE_SEED: a number")
        });
        println!("GROUNDWIRE_SEED={seed}");
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    /// Changes `message` in one to four places.
    pub fn mutate(&mut self, message: &mut Vec<u8>, other: &[u8]) {
        for _ in 0..1 + self.below(4) {
            self.mutate_once(message, other);
        }
    }

    fn mutate_once(&mut self, message: &mut Vec<u8>, other: &[u8]) {
        let at = self.below(message.len());
        let len = self.below((message.len() - at).min(16) + 1);
        match self.below(9) {
            0 | 1 if !message.is_empty() => message[at] ^= 1 << self.below(8),
            2 if !message.is_empty() => message[at] = self.next() as u8,
            3 => message.insert(at, self.next() as u8),
            4 => drop(message.drain(at..at + len)),
            5 => message.truncate(at),
            6 => {
                // A part twice.
                let part = message[at..at + len].to_vec();
                message.splice(at..at, part);
            }
            7 => {
                // A part of another message in its place.
                let from = self.below(other.len());
                let until = from + self.below((other.len() - from).min(32) + 1);
                message.splice(at..at + len, other[from..until].iter().copied());
            }
            _ => {
                // A length, a count, a number on a border, or a little more or less.
                let Some(place) = message.get_mut(at..at + 4) else {
                    return;
                };
                let old = u32::from_le_bytes(place.try_into().unwrap());
                let new = match self.below(3) {
                    0 => BORDERS[self.below(BORDERS.len())],
                    1 => old.wrapping_add(self.below(9) as u32).wrapping_sub(4),
                    _ => self.next() as u32 >> self.below(32),
                };
                place.copy_from_slice(&new.to_le_bytes());
            }
        }
    }
}
