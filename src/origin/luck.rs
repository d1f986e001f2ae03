//! Which requests fail on purpose: a share of them, chosen by a seed. Pure.
//!
//! The fate of a request depends only on the seed and on its number, counted over all connections
//! in the order of arrival. So a client that asks again with the same seed sees the same replies,
//! and a failure that a test has found can be repeated.

use crate::server::mix;

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is answered.
    Answered,
    /// It is answered with 503.
    Refused,
    /// Its connection ends in the middle of the reply.
    Dies,
}

/// A share of failures, half of them refusals and half of them deaths.
#[derive(Clone, Copy, Debug, Default)]
pub struct Luck {
    /// Failures in 2^32 requests.
    share: u64,
    seed: u64,
}

impl Luck {
    /// `rate` is 0.0 (none fails) to 1.0 (all do).
    pub fn new(rate: f64, seed: u64) -> Self {
        let share = (rate.clamp(0.0, 1.0) * f64::from(u32::MAX)).round() as u64;
        // With a rate of 1, every request must fail.
        let share = if rate >= 1.0 { 1 << 32 } else { share };
        Self { share, seed }
    }

    /// The fate of request `number`.
    pub fn of(&self, number: u64) -> Fate {
        let drawn = mix(self.seed ^ mix(number));
        if drawn >> 32 >= self.share {
            Fate::Answered
        } else if drawn & 1 == 0 {
            Fate::Refused
        } else {
            Fate::Dies
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_that_fails_is_the_rate_and_both_ways_of_failing_come() {
        for (rate, from, to) in [
            (0.0, 0, 0),
            (0.1, 900, 1100),
            (0.5, 4800, 5200),
            (1.0, 10_000, 10_000),
        ] {
            let luck = Luck::new(rate, 7);
            let fates: Vec<Fate> = (0..10_000).map(|number| luck.of(number)).collect();
            let count = |fate| fates.iter().filter(|f| **f == fate).count();
            let (refused, died) = (count(Fate::Refused), count(Fate::Dies));
            assert!(
                (from..=to).contains(&(refused + died)),
                "{rate}: {refused} {died}"
            );
            assert!(rate == 0.0 || refused.abs_diff(died) * 5 < refused + died);
        }
    }

    #[test]
    fn a_seed_repeats_its_fates_and_another_has_others() {
        let fates = |seed| {
            (0..64)
                .map(|n| Luck::new(0.5, seed).of(n))
                .collect::<Vec<_>>()
        };
        assert_eq!(fates(1), fates(1));
        assert_ne!(fates(1), fates(2));
    }
}
