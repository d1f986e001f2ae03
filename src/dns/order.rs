//! In which order to try the hosts of MX and SRV records (RFC 5321 §5.1, RFC 2782).
//!
//! Random numbers come in as a seeded [`Sequence`], so that a test can replay an order.

use super::data::{Mx, Srv};
use crate::server::mix;

/// Numbers that look random and follow from a seed (SplitMix64). For spreading load, not for
/// secrets: one number tells the next.
#[derive(Clone, Debug)]
pub struct Sequence(u64);

impl Sequence {
    /// The sequence of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        let number = mix(self.0);
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        number
    }

    /// A number from 0 to `most`. The bias is below 2^-31 for the sums of weights it is made for.
    fn up_to(&mut self, most: u64) -> u64 {
        match most.checked_add(1) {
            Some(count) => self.next() % count,
            None => self.next(),
        }
    }
}

/// Puts mail exchangers in order: by preference, shuffled within the same preference (RFC 5321
/// §5.1).
pub fn sort_mx(exchangers: &mut [Mx], random: &mut Sequence) {
    let mut keyed: Vec<(u16, u64, Mx)> = exchangers
        .iter()
        .map(|mx| (mx.preference, random.next(), mx.clone()))
        .collect();
    keyed.sort_by_key(|(preference, number, _)| (*preference, *number));
    for (slot, (_, _, mx)) in exchangers.iter_mut().zip(keyed) {
        *slot = mx;
    }
}

/// Puts the hosts of a service in order: by priority. Among hosts of the same priority, the chance
/// to be first is proportional to the weight (RFC 2782, "Weight").
pub fn sort_srv(services: &mut Vec<Srv>, random: &mut Sequence) {
    // Weight 0 first, so that its chance is small but not zero.
    services.sort_by_key(|srv| (srv.priority, srv.weight != 0));
    let mut ordered = Vec::with_capacity(services.len());
    for group in services.chunk_by(|a, b| a.priority == b.priority) {
        let mut left = group.to_vec();
        while !left.is_empty() {
            let sum = left.iter().map(|srv| u64::from(srv.weight)).sum();
            let chosen = random.up_to(sum);
            let mut running = 0;
            let place = left.iter().position(|srv| {
                running += u64::from(srv.weight);
                running >= chosen
            });
            // The last running sum is `sum`, which no number exceeds: `place` is always found.
            ordered.push(left.remove(place.unwrap_or(0)));
        }
    }
    *services = ordered;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Name;

    fn srv(priority: u16, weight: u16, target: &str) -> Srv {
        Srv {
            priority,
            weight,
            port: 1,
            target: Name::parse(target).unwrap(),
        }
    }

    #[test]
    fn services_come_by_priority_and_by_weight_within_one() {
        const RUNS: u64 = 10_000;
        let (mut first_heavy, mut first_zero) = (0, 0);
        for seed in 0..RUNS {
            let mut services = vec![
                srv(20, 0, "backup"),
                srv(10, 30, "heavy"),
                srv(10, 0, "zero"),
                srv(10, 10, "light"),
            ];
            sort_srv(&mut services, &mut Sequence::new(seed));
            assert_eq!(services.len(), 4);
            assert_eq!(services[3], srv(20, 0, "backup"), "seed {seed}");
            first_heavy += u64::from(services[0] == srv(10, 30, "heavy"));
            first_zero += u64::from(services[0] == srv(10, 0, "zero"));
        }
        // 30 of 41 numbers choose the heavy one, 1 the one of weight 0.
        assert!((6_900..7_700).contains(&first_heavy), "{first_heavy}");
        assert!((130..400).contains(&first_zero), "{first_zero}");
    }

    #[test]
    fn the_same_seed_gives_the_same_order() {
        let services: Vec<Srv> = (0..20).map(|n| srv(1, n, "x")).collect();
        let sorted = |seed| {
            let mut services = services.clone();
            sort_srv(&mut services, &mut Sequence::new(seed));
            services
        };
        assert_eq!(sorted(7), sorted(7));
        assert_ne!(sorted(7), sorted(8));
        sort_srv(&mut Vec::new(), &mut Sequence::new(0));
    }

    #[test]
    fn mail_exchangers_come_by_preference_and_shuffled_within_one() {
        let mx = |preference, exchange: &str| Mx {
            preference,
            exchange: Name::parse(exchange).unwrap(),
        };
        let mut firsts = [0; 2];
        for seed in 0..1_000 {
            let mut exchangers = [mx(20, "c"), mx(10, "a"), mx(10, "b")];
            sort_mx(&mut exchangers, &mut Sequence::new(seed));
            assert_eq!(exchangers[2], mx(20, "c"), "seed {seed}");
            firsts[usize::from(exchangers[0] == mx(10, "b"))] += 1;
        }
        assert!(firsts.iter().all(|count| *count > 400), "{firsts:?}");
    }
}
