//! Random numbers from a seed that is handed in: the same seed, the same throws, on every machine.
//!
//! SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014). Good
//! enough for timeouts and faults; not for secrets.

use std::time::Duration;

/// A generator and all its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dice(u64);

impl Dice {
    /// Throws that `seed` decides.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Another generator, which this one seeds.
    pub fn child(&mut self) -> Self {
        Self(self.number())
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`; 0 if the limit is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.number() % limit.max(1)
    }

    /// True in `share` of the cases, 0.0 to 1.0.
    pub fn chance(&mut self, share: f64) -> bool {
        // 53 bits are what an f64 holds exactly.
        ((self.number() >> 11) as f64) < share * (1_u64 << 53) as f64
    }

    /// A duration of at least `least` and at most `most`, to the microsecond.
    pub fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let span = most.saturating_sub(least).as_micros() as u64;
        least.saturating_add(Duration::from_micros(self.below(span.saturating_add(1))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_all_throws() {
        let throws = |seed| {
            let mut dice = Dice::new(seed);
            [dice.number(), dice.below(10), dice.child().number()]
        };
        assert_eq!(throws(42), throws(42));
        assert_ne!(throws(42), throws(43));
    }

    #[test]
    fn throws_stay_within_their_bounds_and_reach_them() {
        let (least, most) = (Duration::from_micros(5), Duration::from_micros(8));
        let mut dice = Dice::new(1);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..1000 {
            seen.insert(dice.between(least, most).as_micros());
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [5, 6, 7, 8]);
        assert_eq!(dice.between(most, least), most);
        assert_eq!(dice.below(0), 0);
        assert!(dice.chance(1.0) && !dice.chance(0.0));
    }
}
