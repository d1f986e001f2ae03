//! Which backend gets the next request.
//!
//! | algorithm | chooses | for |
//! |---|---|---|
//! | `round-robin` | each in turn, as often as its weight says | requests that cost much the same |
//! | `least-connections` | the one with the fewest requests under way, by weight | requests of very different length |
//! | `random-of-two` | two at random, by weight, and of these the less busy one | many balancers that do not know of each other |
//! | `client-hash` | the same one for the same client | backends that remember their clients |
//!
//! *Round robin* is smooth, as nginx's: weights 5, 1, 1 give `a a b a c a a`, not `a a a a a b c`.
//! At each turn every backend gains its weight; the one that has most serves, and pays the sum of all
//! weights. What is gained is paid, so the shares are exact over a round; and who has just paid has
//! little, so the turns of one backend lie apart.
//!
//! *Random of two* does what least connections does, nearly as well, without the herd: of ten balancers
//! that each see the same idle backend, ten would send to it at once (Mitzenmacher, "The power of two
//! choices", 2001).
//!
//! *Client hash* is rendezvous hashing with weights: for each client, every backend draws a waiting time
//! from the hash of both, exponentially distributed, shorter for more weight; the shortest wins. A
//! backend that leaves was first for its own clients only, so only these move; one that joins takes
//! its share from all alike; a change of weight moves no more than it must. A ring of points has
//! the same promise, but is state to be rebuilt with each change, and its shares are only as even
//! as it has many points. The price here is a logarithm for each backend at each choice: some 20 ns.
//!
//! A candidate of weight 0 is left out: it is ejected, drained, full, or has failed this request
//! already. What a candidate is may change between two looks at it (other threads serve requests
//! meanwhile); the choice is then a little worse, never out of range. Pure: random numbers are arguments.

use std::fmt;
use std::str::FromStr;

use crate::server::mix;

/// How the next backend is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// Each in turn, as often as its weight says, evenly spread.
    #[default]
    RoundRobin,
    /// The one with the fewest requests under way for its weight; round robin among equals.
    LeastConnections,
    /// Two at random, by weight, and the less busy of these.
    RandomOfTwo,
    /// The same one for the same client, as long as it is there.
    ClientHash,
}

impl Algorithm {
    /// All of them, as the help page lists them.
    pub const ALL: [Algorithm; 4] = [
        Algorithm::RoundRobin,
        Algorithm::LeastConnections,
        Algorithm::RandomOfTwo,
        Algorithm::ClientHash,
    ];

    /// Its name in flags and configuration files.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::RoundRobin => "round-robin",
            Algorithm::LeastConnections => "least-connections",
            Algorithm::RandomOfTwo => "random-of-two",
            Algorithm::ClientHash => "client-hash",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A text that names no algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnAlgorithm;

impl fmt::Display for NotAnAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected ")?;
        for (index, algorithm) in Algorithm::ALL.into_iter().enumerate() {
            let between = match index {
                0 => "",
                index if index + 1 == Algorithm::ALL.len() => " or ",
                _ => ", ",
            };
            write!(f, "{between}{algorithm}")?;
        }
        Ok(())
    }
}

impl std::error::Error for NotAnAlgorithm {}

impl FromStr for Algorithm {
    type Err = NotAnAlgorithm;

    fn from_str(text: &str) -> Result<Self, NotAnAlgorithm> {
        let mut all = Algorithm::ALL.into_iter();
        all.find(|algorithm| algorithm.name() == text)
            .ok_or(NotAnAlgorithm)
    }
}

/// A backend, as far as the choice is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its share of the requests; 0: not now.
    pub weight: u32,
    /// Requests under way.
    pub active: u32,
    /// [`stable_hash`] of its name, for client hash.
    pub key: u64,
}

impl Candidate {
    /// Whether it has less to do for its weight than `other`.
    fn is_less_busy(&self, other: &Candidate) -> bool {
        // a/w < b/v without dividing: aw, bv < 2^64.
        u64::from(self.active) * u64::from(other.weight)
            < u64::from(other.active) * u64::from(self.weight)
    }

    /// Its waiting time in the race for a client; of two, the shorter wins.
    fn waiting_time(&self, client: u64) -> f64 {
        // The upper 53 bits are what an f64 holds; the half keeps 0 out of the logarithm.
        let uniform = ((mix(client ^ mix(self.key)) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        -uniform.ln() / f64::from(self.weight)
    }
}

/// The choice, and what it has to remember for the turns.
#[derive(Clone, Debug)]
pub struct Balancer {
    algorithm: Algorithm,
    /// By index: weight gained and not yet paid.
    gained: Vec<i64>,
}

impl Balancer {
    /// One that has chosen nothing yet.
    pub fn new(algorithm: Algorithm) -> Self {
        Self {
            algorithm,
            gained: Vec::new(),
        }
    }

    /// How it chooses.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Begins anew with so many backends: to be called when the set has changed, because what is
    /// remembered is remembered by index.
    pub fn reset(&mut self, count: usize) {
        self.gained.clear();
        self.gained.resize(count, 0);
    }

    /// The index of the backend to use, of `count`; `None` when each has weight 0. `candidate` is
    /// called at most twice for each index below `count`. `client` is a [`stable_hash`] of the
    /// client's address, `random` any random number; only client hash and random of two look at them.
    /// Allocates only when `count` is another one than before.
    pub fn choose(
        &mut self,
        count: usize,
        candidate: impl Fn(usize) -> Candidate,
        client: u64,
        random: u64,
    ) -> Option<usize> {
        if self.gained.len() != count {
            self.reset(count);
        }
        match self.algorithm {
            Algorithm::RoundRobin => self.next_turn(candidate, |_| true),
            Algorithm::LeastConnections => self.least_busy(count, candidate),
            Algorithm::RandomOfTwo => random_of_two(count, candidate, random),
            Algorithm::ClientHash => shortest_wait(count, candidate, client),
        }
    }

    /// Smooth weighted round robin among those that take part.
    fn next_turn(
        &mut self,
        candidate: impl Fn(usize) -> Candidate,
        takes_part: impl Fn(&Candidate) -> bool,
    ) -> Option<usize> {
        let mut sum = 0;
        let mut best: Option<(usize, i64)> = None;
        for (index, gained) in self.gained.iter_mut().enumerate() {
            let candidate = candidate(index);
            if candidate.weight == 0 || !takes_part(&candidate) {
                continue;
            }
            let weight = i64::from(candidate.weight);
            *gained += weight;
            sum += weight;
            if best.is_none_or(|(_, most)| *gained > most) {
                best = Some((index, *gained));
            }
        }
        let (index, _) = best?;
        if let Some(gained) = self.gained.get_mut(index) {
            *gained -= sum;
        }
        Some(index)
    }

    fn least_busy(
        &mut self,
        count: usize,
        candidate: impl Fn(usize) -> Candidate,
    ) -> Option<usize> {
        let mut best: Option<(usize, Candidate)> = None;
        for (index, this) in living(count, &candidate) {
            if best.is_none_or(|(_, best)| this.is_less_busy(&best)) {
                best = Some((index, this));
            }
        }
        let (index, best) = best?;
        // By turns, or the first would get every request while all are idle. Nobody takes part when
        // all have become busier since.
        let turn = self.next_turn(candidate, |this| !best.is_less_busy(this));
        turn.or(Some(index))
    }
}

/// Those with a weight.
fn living(
    count: usize,
    candidate: impl Fn(usize) -> Candidate,
) -> impl Iterator<Item = (usize, Candidate)> {
    let all = (0..count).map(move |index| (index, candidate(index)));
    all.filter(|(_, candidate)| candidate.weight > 0)
}

fn random_of_two(
    count: usize,
    candidate: impl Fn(usize) -> Candidate,
    random: u64,
) -> Option<usize> {
    let (first, one) = draw(living(count, &candidate), random)?;
    let others = living(count, &candidate).filter(|(index, _)| *index != first);
    match draw(others, mix(random)) {
        Some((second, other)) if other.is_less_busy(&one) => Some(second),
        _ => Some(first),
    }
}

/// One of them at random, each as often as its weight says. A single pass, so that no weight is looked
/// at twice: each newcomer takes the place with the probability of its share of those seen so far.
fn draw(
    candidates: impl Iterator<Item = (usize, Candidate)>,
    mut random: u64,
) -> Option<(usize, Candidate)> {
    let mut sum = 0;
    let mut drawn = None;
    for (index, candidate) in candidates {
        let weight = u64::from(candidate.weight);
        sum += weight;
        random = mix(random);
        // A number below `sum`, scaled from 64 random bits.
        let number = ((u128::from(random) * u128::from(sum)) >> 64) as u64;
        if number < weight {
            drawn = Some((index, candidate));
        }
    }
    drawn
}

fn shortest_wait(
    count: usize,
    candidate: impl Fn(usize) -> Candidate,
    client: u64,
) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (index, candidate) in living(count, candidate) {
        let time = candidate.waiting_time(client);
        if best.is_none_or(|(_, shortest)| time < shortest) {
            best = Some((index, time));
        }
    }
    best.map(|(index, _)| index)
}

/// A hash that is the same in every process and on every machine, so that balancers side by side
/// send a client to the same backend (FNV-1a, and its bits spread). Who can choose the bytes can find
/// two with one hash.
pub fn stable_hash(bytes: &[u8]) -> u64 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| {
        (hash ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    mix(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Seeded;

    fn idle(weights: &[u32]) -> Vec<Candidate> {
        let candidate = |(index, &weight): (usize, &u32)| Candidate {
            weight,
            active: 0,
            key: stable_hash(format!("backend-{index}").as_bytes()),
        };
        weights.iter().enumerate().map(candidate).collect()
    }

    fn letters(balancer: &mut Balancer, candidates: &[Candidate], turns: usize) -> String {
        let mut letter = || {
            let chosen = balancer.choose(candidates.len(), |index| candidates[index], 0, 0);
            chosen.map_or('-', |index| (b'a' + index as u8) as char)
        };
        (0..turns).map(|_| letter()).collect()
    }

    fn shares(chosen: impl Iterator<Item = usize>, count: usize) -> Vec<usize> {
        let mut shares = vec![0; count];
        chosen.for_each(|index| shares[index] += 1);
        shares
    }

    fn assert_near(shares: &[usize], expected: &[usize]) {
        for (share, expected) in shares.iter().zip(expected) {
            let off = share.abs_diff(*expected);
            assert!(off * 20 < *expected, "{shares:?}, not {expected:?}");
        }
    }

    #[test]
    fn round_robin_spreads_the_turns_of_each_as_nginx_does() {
        for (weights, expected) in [
            (&[1, 1, 1][..], "abcabc"),
            (&[5, 1, 1], "aabacaa"),
            (&[5, 1, 1, 0], "aabacaaaabacaa"),
            (&[0, 2, 1], "bcbbcb"),
            (&[3], "aaa"),
            (&[0, 0], "--"),
            (&[], "-"),
        ] {
            let mut balancer = Balancer::new(Algorithm::RoundRobin);
            let seen = letters(&mut balancer, &idle(weights), expected.len());
            assert_eq!(seen, expected, "{weights:?}");
        }
    }

    #[test]
    fn the_shares_of_a_round_are_exact_whatever_the_weights() {
        let mut random = Seeded::new(5_01);
        for _ in 0..200 {
            let weights: Vec<u32> = (0..=random.below(8))
                .map(|_| random.below(30) as u32)
                .collect();
            let candidates = idle(&weights);
            let mut balancer = Balancer::new(Algorithm::RoundRobin);
            let round = weights.iter().sum::<u32>() as usize;
            let chosen = letters(&mut balancer, &candidates, round);
            let chosen = chosen.bytes().map(|letter| usize::from(letter - b'a'));
            let seen = shares(chosen, weights.len());
            assert!(seen.iter().zip(&weights).all(|(a, b)| *a == *b as usize));
            assert!(balancer.gained.iter().all(|gained| *gained == 0));
        }
    }

    #[test]
    fn one_that_was_away_does_not_catch_up_on_what_it_missed() {
        let mut balancer = Balancer::new(Algorithm::RoundRobin);
        letters(&mut balancer, &idle(&[1, 1, 1]), 1);
        letters(&mut balancer, &idle(&[0, 1, 1]), 100);
        let seen = letters(&mut balancer, &idle(&[1, 1, 1]), 30);
        assert!((9..=11).contains(&seen.matches('a').count()), "{seen}");
    }

    #[test]
    fn a_set_of_another_size_begins_a_new_round() {
        let mut balancer = Balancer::new(Algorithm::RoundRobin);
        assert_eq!(letters(&mut balancer, &idle(&[1, 1]), 1), "a");
        assert_eq!(letters(&mut balancer, &idle(&[1, 1, 1]), 3), "abc");
    }

    #[test]
    fn least_connections_weighs_what_is_under_way() {
        for (candidates, expected) in [
            (&[(1, 3), (1, 2), (1, 4)][..], "b"),
            (&[(10, 9), (1, 1)], "a"),
            (&[(10, 11), (1, 1)], "b"),
            (&[(0, 0), (1, 9)], "b"),
            (&[(1, 2), (1, 2), (1, 3)], "abab"),
            (&[(2, 0), (1, 0)], "abaaba"),
            (&[(0, 0)], "-"),
        ] {
            let candidate = |&(weight, active)| Candidate {
                weight,
                active,
                key: 0,
            };
            let all: Vec<_> = candidates.iter().map(candidate).collect();
            let mut balancer = Balancer::new(Algorithm::LeastConnections);
            let seen = letters(&mut balancer, &all, expected.len());
            assert_eq!(seen, expected, "{candidates:?}");
        }
    }

    #[test]
    fn candidates_that_change_under_its_eyes_are_still_in_range() {
        use std::cell::RefCell;
        let random = RefCell::new(Seeded::new(5_02));
        for algorithm in Algorithm::ALL {
            let mut balancer = Balancer::new(algorithm);
            for turn in 0..5_000 {
                let restless = |_| {
                    let mut random = random.borrow_mut();
                    Candidate {
                        weight: random.below(3) as u32,
                        active: random.below(3) as u32,
                        key: random.next(),
                    }
                };
                let chosen = balancer.choose(4, restless, turn, turn);
                assert!(chosen.is_none_or(|index| index < 4));
            }
        }
    }

    #[test]
    fn weights_and_loads_at_their_limits_do_not_overflow() {
        let full = Candidate {
            weight: u32::MAX,
            active: u32::MAX,
            key: u64::MAX,
        };
        for algorithm in Algorithm::ALL {
            let mut balancer = Balancer::new(algorithm);
            for random in [0, 1, u64::MAX] {
                assert!(balancer.choose(100, |_| full, random, random).is_some());
            }
        }
    }

    #[test]
    fn two_drawn_at_random_are_drawn_by_weight_and_the_less_busy_one_serves() {
        let mut random = Seeded::new(5_03);
        let mut balancer = Balancer::new(Algorithm::RandomOfTwo);
        let candidates = idle(&[5, 3, 2, 0]);
        let mut turn = |candidates: &[Candidate]| {
            let all = candidates.len();
            let chosen = balancer.choose(all, |index| candidates[index], 0, random.next());
            chosen.unwrap()
        };
        // All idle: the first draw serves.
        let seen = shares((0..20_000).map(|_| turn(&candidates)), 4);
        assert_near(&seen[..3], &[10_000, 6_000, 4_000]);
        assert_eq!(seen[3], 0);
        // One of three equals is busy: it serves when it is drawn twice, which cannot be.
        let mut candidates = idle(&[1, 1, 1]);
        candidates[0].active = 9;
        assert_eq!(shares((0..5_000).map(|_| turn(&candidates)), 3)[0], 0);
        assert_eq!(turn(&candidates[..1]), 0, "the only one serves anyhow");
    }

    #[test]
    fn random_of_two_keeps_the_longest_queue_short_where_one_draw_does_not() {
        let mut random = Seeded::new(5_04);
        let mut balancer = Balancer::new(Algorithm::RandomOfTwo);
        let mut two = idle(&[1; 100]);
        let mut one = [0_u32; 100];
        for _ in 0..10_000 {
            let chosen = balancer.choose(100, |index| two[index], 0, random.next());
            two[chosen.unwrap()].active += 1;
            one[random.below(100)] += 1;
        }
        let longest = two.iter().map(|backend| backend.active).max().unwrap();
        assert!(longest <= 105, "{longest}, where 100 is even");
        assert!(one.iter().max() > Some(&longest));
    }

    fn homes(candidates: &[Candidate], clients: u64) -> Vec<usize> {
        let mut balancer = Balancer::new(Algorithm::ClientHash);
        let mut home = |client: u64| {
            let client = stable_hash(&client.to_be_bytes());
            let chosen = balancer.choose(candidates.len(), |index| candidates[index], client, 0);
            chosen.unwrap()
        };
        (0..clients).map(&mut home).collect()
    }

    #[test]
    fn client_hash_gives_each_backend_its_share_of_the_clients() {
        let homes = homes(&idle(&[5, 3, 2]), 20_000);
        assert_near(&shares(homes.into_iter(), 3), &[10_000, 6_000, 4_000]);
    }

    #[test]
    fn a_backend_that_leaves_moves_its_own_clients_only_and_to_all_others() {
        let before = homes(&idle(&[1, 1, 1, 1]), 20_000);
        let after = homes(&idle(&[1, 0, 1, 1]), 20_000);
        let both = before.iter().zip(&after);
        assert!(both.clone().all(|(old, new)| *old == 1 || old == new));
        let moved = both.filter(|(old, _)| **old == 1).map(|(_, new)| *new);
        let seen = shares(moved, 4);
        assert_eq!(seen[1], 0);
        assert!(seen[0].min(seen[2]).min(seen[3]) > 1_400, "{seen:?}");
    }

    #[test]
    fn a_weight_that_grows_draws_clients_and_drives_none_away() {
        let before = homes(&idle(&[1, 1, 1]), 10_000);
        let after = homes(&idle(&[1, 2, 1]), 10_000);
        let mut both = before.iter().zip(&after);
        assert!(both.all(|(old, new)| old == new || *new == 1));
    }

    #[test]
    fn the_order_of_the_backends_does_not_matter_to_their_clients() {
        let forward = idle(&[1, 2, 3]);
        let backward: Vec<_> = forward.iter().rev().copied().collect();
        let there = homes(&forward, 1_000);
        let back = homes(&backward, 1_000);
        assert!(there.iter().zip(&back).all(|(a, b)| *a == 2 - *b));
    }

    #[test]
    fn the_hash_is_the_same_for_ever() {
        assert_eq!(stable_hash(b""), 0xc381_7c01_6ba4_ff30);
        assert_eq!(stable_hash(b"192.0.2.1"), 0xd307_492f_ba64_da08);
    }

    #[test]
    fn an_algorithm_is_read_as_it_is_written_and_others_are_refused_with_the_list() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
        }
        let error = "roundrobin".parse::<Algorithm>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected round-robin, least-connections, random-of-two or client-hash"
        );
    }
}
