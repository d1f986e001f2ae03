//! Which backend gets the next request.
//!
//! | algorithm | chooses | for |
//! |---|---|---|
//! | `round-robin` | each in turn, as often as its weight says | requests that cost much the same |
//! | `least-connections` | the one with the fewest requests in flight, by weight | requests of very different length |
//! | `random-of-two` | of two at random, by weight, the less busy one | many balancers that do not know of each other |
//! | `client-hash` | the same one for the same client | backends that remember their clients |
//!
//! *Round robin* is smooth, as in nginx: weights 5, 1, 1 give `a a b a c a a`, not `a a a a a b c`.
//! At each turn every backend gains its weight. The one with the largest balance serves, and pays
//! the sum of all weights. All that is gained is paid, so the shares are exact over a round. A
//! backend that has just paid has little, so its turns lie apart.
//!
//! *Random of two* does nearly as well as least connections, without the herd: if ten balancers see
//! the same idle backend, all ten would send to it at once (Mitzenmacher, "The power of two
//! choices", 2001).
//!
//! *Client hash* is rendezvous hashing with weights. For each client, every backend draws a waiting
//! time from the hash of both; it is exponentially distributed, and shorter for more weight. The
//! shortest wins. A backend that leaves was first for its own clients only, so only these move. One
//! that joins takes its share from all alike. A change of weight moves no more clients than it
//! must. A ring of points promises the same, but it is state that each change must rebuild, and its
//! shares are only as even as its points are many. The price here is a logarithm for each backend
//! at each choice: some 20 ns.
//!
//! A candidate of weight 0 is left out: it is ejected, drained, full, or has already failed this
//! request. A candidate may change between two reads of it, because other threads serve requests
//! meanwhile. The choice is then a little worse, never out of range. Pure: random numbers are
//! arguments.

use std::fmt;
use std::str::FromStr;

use crate::server::mix;

/// How the next backend is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// Each in turn, as often as its weight says, evenly spread.
    #[default]
    RoundRobin,
    /// The one with the fewest requests in flight for its weight; round robin among equals.
    LeastConnections,
    /// Of two at random, by weight, the less busy one.
    RandomOfTwo,
    /// The same one for the same client, as long as it is available.
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

/// A backend, as far as the choice needs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// Its share of the requests; 0: not available now.
    pub weight: u32,
    /// Requests in flight.
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

/// The algorithm, and the state that round robin keeps.
#[derive(Clone, Debug)]
pub struct Balancer {
    algorithm: Algorithm,
    /// By index: weight gained and not yet paid.
    gained: Vec<i64>,
}

impl Balancer {
    /// A balancer that has chosen nothing yet.
    pub fn new(algorithm: Algorithm) -> Self {
        Self {
            algorithm,
            gained: Vec::new(),
        }
    }

    /// Starts anew with `count` backends. Call it when the set has changed, because the state is
    /// kept by index.
    pub fn reset(&mut self, count: usize) {
        self.gained.clear();
        self.gained.resize(count, 0);
    }

    /// The index of the backend to use, below `count`; `None` when every weight is 0. `candidate`
    /// is called at most twice for each index. `client` is a [`stable_hash`] of the client's
    /// address, `random` any random number; only client hash and random of two use them. Allocates
    /// only when `count` differs from the last call's.
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

    /// Smooth weighted round robin among the candidates that `takes_part` accepts.
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
        // Round robin among the least busy; else the first would get every request while all are
        // idle. There is no turn when all of them have become busier meanwhile.
        let turn = self.next_turn(candidate, |this| !best.is_less_busy(this));
        turn.or(Some(index))
    }
}

/// The candidates with a weight.
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

/// One of the candidates at random, each as often as its weight says. In a single pass, so that no
/// weight is read twice: each candidate replaces the one drawn so far with the probability of its
/// share of the weights seen so far.
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
/// send a client to the same backend (FNV-1a with its bits mixed). Anyone who can choose the bytes
/// can find two inputs with the same hash.
pub fn stable_hash(bytes: &[u8]) -> u64 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| {
        (hash ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    mix(hash)
}

#[cfg(test)]
mod tests;
