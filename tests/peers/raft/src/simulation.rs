//! How many seeds of the deterministic simulation one thread plays in a minute: five nodes, ten
//! virtual seconds of chaos and the recovery after it, all checks on.

use std::time::{Duration, Instant};

use groundwire::raft::sim::scenario::chaos;
use groundwire::raft::sim::world::{Options, run};

const NODES: u64 = 5;
const VIRTUAL: Duration = Duration::from_secs(10);

pub fn row(time: Duration) {
    let (begun, mut seeds, mut steps) = (Instant::now(), 0, 0);
    while begun.elapsed() < time {
        let run = run(&chaos(seeds, NODES, VIRTUAL), seeds, &Options::default());
        if let Some((when, broken)) = run.broken {
            panic!("seed {seeds}: after {when:?}: {broken}");
        }
        seeds += 1;
        steps += run.steps;
    }
    let minutes = begun.elapsed().as_secs_f64() / 60.0;
    let steps = steps as f64 / minutes / 60.0;
    println!("| raft-simulation | groundwire | {:.0} seeds a minute | {steps:.0} events a second | | | 1,000 |", seeds as f64 / minutes);
}
