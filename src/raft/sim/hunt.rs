//! The check of the checker: each planted bug is found, and nothing is found without one.
//!
//! Chaos finds most bugs within a few seeds. Some need a rare coincidence, and have a scenario that
//! brings it about. A flaw without a scenario here is tried in chaos.

use std::time::Duration;

use super::scenario::{Scenario, chaos};
use super::world::{Options, run};
use crate::raft::Flaw;

/// The most seeds that a flaw may take.
const SEEDS: u64 = 120;

/// Votes take longer than elections.
const LATE_VOTES: &str = "
nodes 5
duration 3s
weather delay 10ms..120ms duplicate 30% reorder 60%
";

/// A leader writes what only one other node acknowledges, loses leadership and these entries, and
/// leads again while some of the answers are still in flight.
const LATE_ANSWERS: &str = "
nodes 5
duration 3s
timeouts 50ms..100ms heartbeat 20ms
weather delay 1ms..20ms duplicate 50% reorder 50%
clients 32 keys 4 pause 1ms..5ms mix get 0 put 1
at 700ms transfer 1
at 1s isolate 1 2
at 1200ms heal
at 1200ms transfer 1
at 1600ms transfer 1
at 1700ms transfer 1
";

/// A leader is cut off and paused while another is elected; clients find it when it resumes.
const LATE_READS: &str = "
nodes 3
duration 5s
clients 8 keys 1 pause 1ms..5ms mix get 3 put 1
at 1s isolate leader
at 1s pause leader
at 1600ms resume all
at 1620ms heal
at 3s isolate leader
at 3s pause leader
at 3600ms resume all
at 3620ms heal
";

/// A leader changes the members while no other node hears it.
const LOST_CHANGE: &str = "
nodes 3
duration 2s
at 500ms isolate leader
at 510ms remove follower
at 1s heal
";

/// A node with a long, uncommitted log meets a leader whose log begins with a snapshot.
const LONG_WRONG_LOG: &str = "
nodes 3
duration 2s
snapshots every 1 keep 0 part 64
log 1: 1 1 1 1 1 1 1 1 1 1
log 2: 2 2
log 3: 2 2
at 0s crash 1
at 1s restart 1
";

/// The scenario that reveals the flaw.
fn scenario(flaw: Flaw, seed: u64) -> Scenario {
    let text = match flaw {
        Flaw::CountVotesOfEarlierTerms => LATE_VOTES,
        Flaw::CountAnswersOfEarlierTerms => LATE_ANSWERS,
        Flaw::ReadByEarlierRound => LATE_READS,
        Flaw::MembershipNotUndone => LOST_CHANGE,
        Flaw::SnapshotKeepsLog => LONG_WRONG_LOG,
        _ => return chaos(seed, 5, Duration::from_secs(3)),
    };
    text.parse().expect("a scenario")
}

/// What finds the flaw with this seed.
fn finds(flaw: Option<Flaw>, scenario: &Scenario, seed: u64) -> Option<String> {
    let options = Options {
        flaw,
        ..Options::default()
    };
    // An assertion of the core or of the storage finds it, too.
    match std::panic::catch_unwind(|| run(scenario, seed, &options)) {
        Ok(run) => run.broken.map(|(_, broken)| broken.to_string()),
        Err(_) => Some("an assertion".to_owned()),
    }
}

#[test]
fn each_planted_bug_is_caught_and_the_core_without_it_passes_the_same_seed() {
    let mut missed = Vec::new();
    for flaw in Flaw::ALL {
        let caught = (1..=SEEDS).find_map(|seed| {
            let scenario = scenario(flaw, seed);
            let found = finds(Some(flaw), &scenario, seed)?;
            Some((seed, scenario, found))
        });
        match caught {
            None => missed.push(flaw),
            Some((seed, scenario, found)) => {
                println!("{flaw:?}: seed {seed}: {found}");
                let without = finds(None, &scenario, seed);
                assert_eq!(
                    without, None,
                    "{flaw:?}, seed {seed}, not planted:\n{scenario}"
                );
            }
        }
    }
    assert!(
        missed.is_empty(),
        "not caught within {SEEDS} seeds: {missed:?}"
    );
}
