//! The deterministic simulation over many seeds.
//!
//! `make sim` makes a long run in release mode from a new seed; `make test` a short one from a
//! fixed seed. A failure prints the seed and the smallest scenario that still fails: save that
//! text, and `raft-sim --deterministic --scenario FILE` shows what happens.

use std::panic::catch_unwind;
use std::time::{Duration, Instant};

use super::scenario::{NAMES, Scenario, chaos, named};
use super::shrink::shrink;
use super::world::{Options, Run, run};

fn setting(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty());
    text.map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text}: no number"))
    })
}

/// Why a run fails: a rule that was broken, or an assertion of the node.
fn failure(scenario: &Scenario, seed: u64) -> Option<String> {
    match catch_unwind(|| run(scenario, seed, &Options::default())) {
        Ok(run) => run
            .broken
            .map(|(time, broken)| format!("at {time:?}: {broken}")),
        Err(_) => Some("an assertion, see above".to_owned()),
    }
}

/// How many seeds a smaller scenario is tried with: leaving a part out changes all random choices
/// after it, so the same seed may no longer fail where the next one does.
const NEIGHBOURS: u64 = 25;

/// The first seed from this one on with which a run fails, and why.
fn failure_near(scenario: &Scenario, seed: u64) -> Option<(u64, String)> {
    let mut seeds = (0..NEIGHBOURS).map(|more| seed.wrapping_add(more));
    seeds.find_map(|seed| Some((seed, failure(scenario, seed)?)))
}

/// Ends the test with what a person needs.
fn report(scenario: &Scenario, seed: u64, why: &str) -> ! {
    let mut small = shrink(scenario, |scenario| failure_near(scenario, seed).is_some());
    let (small_seed, small_why) = failure_near(&small, seed).expect("it failed just now");
    small.seed = Some(small_seed);
    panic!(
        "seed {seed}: {why}\n\
         the smallest scenario that fails, {small_why}:\n\n{small}\n\
         save it as `small`, and see: raft-sim --deterministic -s small"
    );
}

#[test]
fn chaos_breaks_no_rule() {
    let (seeds, first) = (setting("GROUNDWIRE_SIM", 24), setting("GROUNDWIRE_SEED", 1));
    println!("GROUNDWIRE_SEED={first}");
    let (began, mut told) = (Instant::now(), Instant::now());
    for done in 0..seeds {
        let seed = first.wrapping_add(done);
        let scenario = chaos(seed, 5, Duration::from_secs(10));
        if let Some(why) = failure(&scenario, seed) {
            report(&scenario, seed, &why);
        }
        if told.elapsed() > Duration::from_secs(10) || done + 1 == seeds {
            told = Instant::now();
            let rate = (done + 1) as f64 / began.elapsed().as_secs_f64();
            println!(
                "sim: {} seeds of five nodes and 10 s, {rate:.1} seeds/s",
                done + 1
            );
        }
    }
}

#[test]
fn each_named_scenario_breaks_no_rule() {
    let first = setting("GROUNDWIRE_SEED", 1);
    for name in NAMES {
        for seed in first..first + 1 + setting("GROUNDWIRE_SIM", 0) / 100 {
            let scenario = named(name, seed).expect("a scenario");
            if let Some(why) = failure(&scenario, seed) {
                println!("{name}:");
                report(&scenario, seed, &why);
            }
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_trace_byte_for_byte() {
    let scenario = chaos(5, 5, Duration::from_secs(3));
    let options = || Options {
        watch: true,
        ..Options::default()
    };
    let trace = |run: &Run| {
        let moments = run.timeline.moments().iter();
        let lines = moments.map(|moment| moment.json() + "\n");
        lines.collect::<String>()
    };
    let (one, other) = (run(&scenario, 5, &options()), run(&scenario, 5, &options()));
    assert_eq!(trace(&one), trace(&other));
    // Without a spectator, the run is the same: a random choice more or less, and the clients would
    // be answered at other times.
    let unseen = |seed| run(&scenario, seed, &Options::default()).history;
    assert!(one.history == unseen(5));
    assert!(one.history != unseen(6));
}
