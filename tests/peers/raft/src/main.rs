//! What is measured of Raft with Groundwire alone.
//!
//! ```text
//! raft-bench election [TRIALS]      how long a cluster has no leader after a crash (Figure 16)
//! ```

mod election;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let texts: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match texts[..] {
        ["election"] => election::table(1000),
        ["election", trials] => election::table(trials.parse().expect("TRIALS: a number")),
        _ => panic!("usage: raft-bench election [TRIALS]"),
    }
}
