//! Groundwire's Raft beside raft-rs: three nodes in one thread, in memory, commits a second.
//!
//! ```text
//! raft-rs-bench [ROUNDS]                                 the table
//! raft-rs-bench only groundwire|raft-rs BATCH BYTES COUNT   one of them, so many batches, for a profiler
//! ```
//!
//! Both do the same: the leader is given a batch of commands, messages are handed over until all is
//! still, what is to be persisted counts as persisted when it has been taken into a vector, what is
//! committed is applied on all three nodes. No clock runs, so nothing is sent only because time has
//! passed. Every round runs both for a few milliseconds; a ratio is that of two rates of one round.

mod ours;
mod raft_rs;

use std::time::{Duration, Instant};

const SLICE: Duration = Duration::from_millis(20);
/// After how many entries a node cuts its log, so that memory does not grow with the run.
const COMPACT_EVERY: u64 = 8192;
const BATCHES: [usize; 2] = [1, 64];
const SIZES: [usize; 2] = [16, 128];

/// What the entries are applied to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Commands applied.
    pub count: u64,
    /// Of all of them, in order.
    pub digest: u64,
}

impl Machine {
    pub fn apply(&mut self, command: &[u8]) {
        self.count += 1;
        for part in command.chunks(8) {
            let number = part
                .iter()
                .fold(0_u64, |sum, &byte| sum << 8 | u64::from(byte));
            self.digest = self.digest.rotate_left(5) ^ number;
        }
    }
}

/// Three nodes of one make, with a leader.
pub trait Cluster {
    /// Proposes the commands and hands messages over until all is still.
    fn commit(&mut self, commands: Vec<Vec<u8>>);
    /// The state machines, the leader's first, after the followers have heard of all commitments.
    fn machines(&mut self) -> [Machine; 3];
}

/// Some bytes that differ from command to command.
fn command(number: u64, bytes: usize) -> Vec<u8> {
    number
        .to_be_bytes()
        .into_iter()
        .cycle()
        .take(bytes)
        .collect()
}

/// A cluster and what it was given.
struct Contestant {
    cluster: Box<dyn Cluster>,
    expected: Machine,
}

impl Contestant {
    fn new(name: &str) -> Self {
        let cluster: Box<dyn Cluster> = match name {
            "groundwire" => Box::new(ours::Nodes::new()),
            "raft-rs" => Box::new(raft_rs::Nodes::new()),
            _ => panic!("{name}: groundwire or raft-rs"),
        };
        Self {
            cluster,
            expected: Machine::default(),
        }
    }

    fn batch(&mut self, batch: usize, bytes: usize) {
        let first = self.expected.count;
        let commands: Vec<_> = (first..first + batch as u64)
            .map(|n| command(n, bytes))
            .collect();
        commands
            .iter()
            .for_each(|command| self.expected.apply(command));
        self.cluster.commit(commands);
    }

    /// Commits a second over a slice of time.
    fn rate(&mut self, batch: usize, bytes: usize) -> f64 {
        let (begun, before) = (Instant::now(), self.expected.count);
        while begun.elapsed() < SLICE {
            self.batch(batch, bytes);
        }
        (self.expected.count - before) as f64 / begun.elapsed().as_secs_f64()
    }

    fn check(&mut self) {
        assert_eq!(
            self.cluster.machines(),
            [self.expected; 3],
            "what was applied"
        );
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn case(batch: usize, bytes: usize, rounds: usize) {
    let mut both = ["groundwire", "raft-rs"].map(Contestant::new);
    let mut rates = [Vec::new(), Vec::new()];
    for round in 0..rounds + 1 {
        // The other one first, each time.
        for turn in [round % 2, 1 - round % 2] {
            let rate = both[turn].rate(batch, bytes);
            rates[turn].extend((round > 0).then_some(rate));
        }
    }
    both.iter_mut().for_each(Contestant::check);
    let mut ratios: Vec<f64> = rates[0]
        .iter()
        .zip(&rates[1])
        .map(|(ours, theirs)| ours / theirs)
        .collect();
    let ratio = median(&mut ratios);
    let [ours, theirs] = rates.each_mut().map(|rates| median(rates));
    let (low, high) = (ratios[0], ratios[ratios.len() - 1]);
    println!(
        "| {batch} | {bytes} | {ours:.0}/s | {theirs:.0}/s | {ratio:.2} ({low:.2} to {high:.2}) | 1.00 |"
    );
}

fn only(arguments: &[&str]) {
    let [name, batch, bytes, count] = arguments else {
        panic!("usage: raft-rs-bench only groundwire|raft-rs BATCH BYTES COUNT");
    };
    let number = |text: &str| text.parse::<usize>().expect("a number");
    let mut contestant = Contestant::new(name);
    for _ in 0..number(count) {
        contestant.batch(number(batch), number(bytes));
    }
    contestant.check();
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let texts: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["only", rest @ ..] = &texts[..] {
        return only(rest);
    }
    let rounds = texts
        .first()
        .map_or(21, |text| text.parse().expect("ROUNDS: a number"));
    println!(
        "| batch | bytes | groundwire (commits, median) | raft-rs | ours to theirs: median (range) | goal |"
    );
    println!("|---|---|---|---|---|---|");
    for batch in BATCHES {
        SIZES
            .into_iter()
            .for_each(|bytes| case(batch, bytes, rounds));
    }
}
