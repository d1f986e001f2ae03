//! Seeded random numbers: the same run again from the number that was printed.
#![allow(dead_code)] // each test binary uses a part

/// SplitMix64: one number of state, the same sequence on every machine.
pub struct Seeded(u64);

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

    /// Another generator that this one seeds, for a thread of its own.
    pub fn child(&mut self) -> Self {
        Self(self.next())
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, or 0.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}
