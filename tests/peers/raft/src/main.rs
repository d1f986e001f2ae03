//! What is measured of Raft with Groundwire alone.
//!
//! ```text
//! raft-bench election [TRIALS]       how long a cluster has no leader after a crash (Figure 16)
//! raft-bench simulation [SECONDS]    how many seeds the deterministic simulation plays in a minute
//! ```

mod election;
mod simulation;

use std::time::Duration;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let texts: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match texts[..] {
        ["election"] => election::table(1000),
        ["election", trials] => election::table(trials.parse().expect("TRIALS: a number")),
        ["simulation"] => simulation::row(Duration::from_secs(10)),
        ["simulation", seconds] => {
            simulation::row(Duration::from_secs_f64(seconds.parse().expect("SECONDS: a number")));
        }
        _ => panic!("usage: raft-bench election [TRIALS] | simulation [SECONDS]"),
    }
}
