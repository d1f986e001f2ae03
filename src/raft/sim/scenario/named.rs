//! The scenarios that have a name: ten texts, and chaos, which is made from the seed.

use std::time::Duration;

use super::{Action, Clients, Disks, Scenario, Share, Snapshots, Span, Timed, Weather, Who};
use crate::raft::{Dice, NodeId};

/// All names, in the order of a lesson.
pub const NAMES: [&str; 11] = [
    "election",
    "replication",
    "leader-crash",
    "partition",
    "minority",
    "flapping",
    "figure8",
    "membership",
    "snapshot",
    "lossy",
    "chaos",
];

/// The text of a scenario that has one, comments included.
pub fn text(name: &str) -> Option<&'static str> {
    Some(match name {
        "election" => include_str!("named/election.txt"),
        "replication" => include_str!("named/replication.txt"),
        "leader-crash" => include_str!("named/leader-crash.txt"),
        "partition" => include_str!("named/partition.txt"),
        "minority" => include_str!("named/minority.txt"),
        "flapping" => include_str!("named/flapping.txt"),
        "figure8" => include_str!("named/figure8.txt"),
        "membership" => include_str!("named/membership.txt"),
        "snapshot" => include_str!("named/snapshot.txt"),
        "lossy" => include_str!("named/lossy.txt"),
        _ => return None,
    })
}

/// The scenario of this name; `None` if there is none. `seed` decides what `chaos` is, and does not
/// change the others.
pub fn named(name: &str, seed: u64) -> Option<Scenario> {
    match name {
        "chaos" => Some(chaos(seed, 5, Duration::from_secs(10))),
        _ => text(name)?.parse().ok(),
    }
}

/// A scenario of random faults, drawn by the seed, with `nodes` founding nodes.
///
/// Every fault is undone within a second or two, so that a cluster makes progress in between:
/// a cluster that is down all the time breaks no promise.
pub fn chaos(seed: u64, nodes: u64, duration: Duration) -> Scenario {
    let dice = &mut Dice::new(seed);
    let mut scenario = surroundings(dice, nodes, duration);
    let mut joining = nodes;
    let mut now = dice.between(Duration::ZERO, Duration::from_millis(1000));
    while now < duration {
        let (action, undo) = fault(dice, &scenario, &mut joining);
        let lasts = dice.between(Duration::from_millis(10), Duration::from_millis(1500));
        let until = (now + lasts).min(duration);
        scenario.actions.push(Timed { at: now, action });
        let undo = undo.map(|action| Timed { at: until, action });
        scenario.actions.extend(undo);
        now += dice.between(Duration::from_millis(5), Duration::from_millis(800));
    }
    scenario.actions.sort_by_key(|timed| timed.at);
    scenario
}

/// Network, disks, clocks, clients.
fn surroundings(dice: &mut Dice, nodes: u64, duration: Duration) -> Scenario {
    Scenario {
        nodes,
        duration,
        weather: weather(dice),
        disks: Disks {
            sync: pick(
                dice,
                [Span::millis(0, 1), Span::millis(1, 10), Span::millis(1, 40)],
            ),
            tear: pick(dice, [Share::NONE, Share::percent(50)]),
        },
        skew: pick(dice, [Share::NONE, Share::percent(2), Share::percent(10)]),
        snapshots: Snapshots {
            every: pick(dice, [0, 5, 20, 100]),
            keep: pick(dice, [0, 3, 20]),
            part: pick(dice, [40, 200, 65536]),
        },
        clients: Clients {
            number: 1 + dice.below(4),
            keys: 1 + dice.below(4),
            pause: pick(
                dice,
                [
                    Span::millis(1, 20),
                    Span::millis(5, 50),
                    Span::millis(50, 200),
                ],
            ),
            ..Clients::default()
        },
        ..Scenario::default()
    }
}

fn weather(dice: &mut Dice) -> Weather {
    Weather {
        delay: pick(
            dice,
            [Span::millis(0, 1), Span::millis(1, 5), Span::millis(1, 30)],
        ),
        loss: pick(dice, [Share::NONE, Share::percent(2), Share::percent(20)]),
        duplicate: pick(dice, [Share::NONE, Share::percent(5), Share::percent(20)]),
        reorder: pick(dice, [Share::NONE, Share::percent(5), Share::percent(30)]),
    }
}

/// Something that happens, and what undoes it.
fn fault(dice: &mut Dice, scenario: &Scenario, joining: &mut NodeId) -> (Action, Option<Action>) {
    match dice.below(20) {
        0..=3 => {
            let who = some(dice, scenario.nodes);
            (
                Action::Crash(who.clone()),
                Some(Action::Restart(again(who))),
            )
        }
        4 => (
            Action::Crash(vec![Who::All]),
            Some(Action::Restart(vec![Who::All])),
        ),
        5..=6 => {
            let who = some(dice, scenario.nodes);
            (Action::Pause(who.clone()), Some(Action::Resume(again(who))))
        }
        7..=9 => {
            let groups = vec![some(dice, scenario.nodes), vec![Who::Rest]];
            (Action::Partition(groups), Some(Action::Heal))
        }
        10 => {
            let (from, to) = (some(dice, scenario.nodes), some(dice, scenario.nodes));
            (Action::Cut { from, to }, Some(Action::Heal))
        }
        11..=12 => (
            Action::Weather(weather(dice)),
            Some(Action::Weather(scenario.weather)),
        ),
        13 => {
            let by = dice.between(Duration::ZERO, Duration::from_millis(400));
            let who = some(dice, scenario.nodes);
            (Action::Clock { who, by }, None)
        }
        14 => (Action::Snapshot(some(dice, scenario.nodes)), None),
        15..=16 => (
            Action::Transfer(pick(dice, [Who::Follower, Who::Leader])),
            None,
        ),
        _ => (change(dice, scenario.nodes, joining), None),
    }
}

/// A change of the members. Some of them make no sense by then, and are refused.
fn change(dice: &mut Dice, nodes: u64, joining: &mut NodeId) -> Action {
    match dice.below(6) {
        0 if *joining < nodes + 2 => {
            *joining += 1;
            pick(dice, [Action::Add(*joining), Action::Learner(*joining)])
        }
        0 | 1 => Action::Remove(pick(dice, [Who::Leader, Who::Follower])),
        2 => Action::Voters(
            (1..=*joining)
                .filter(|_| dice.chance(0.6))
                .chain([1])
                .collect(),
        ),
        _ => Action::Add(1 + dice.below(*joining)),
    }
}

/// The leader, a follower, one node, or two.
fn some(dice: &mut Dice, nodes: u64) -> Vec<Who> {
    let (one, other) = (1 + dice.below(nodes), 1 + dice.below(nodes));
    match dice.below(5) {
        0..=1 => vec![Who::Leader],
        2 => vec![Who::Leader, Who::Follower],
        3 => vec![Who::Node(one)],
        _ => vec![Who::Node(one), Who::Node(other)],
    }
}

/// The same nodes later. After `leader` it is all nodes, since that one no longer leads.
fn again(who: Vec<Who>) -> Vec<Who> {
    match who.contains(&Who::Leader) {
        true => vec![Who::All],
        false => who,
    }
}

fn pick<T, const N: usize>(dice: &mut Dice, of: [T; N]) -> T {
    let mut of = Vec::from(of);
    of.swap_remove(dice.below(N as u64) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_has_a_scenario_that_is_the_same_again_as_text() {
        for name in NAMES {
            let scenario = named(name, 42).expect(name);
            let text = scenario.to_string();
            assert_eq!(text.parse(), Ok(scenario), "{name}:\n{text}");
        }
        assert_eq!(named("peace", 42), None);
    }

    #[test]
    fn what_is_written_down_has_no_mistake() {
        for name in NAMES.iter().filter(|&&name| name != "chaos") {
            let read: Result<Scenario, _> = text(name).expect(name).parse();
            assert!(read.is_ok(), "{name}.txt: {read:?}");
        }
    }

    #[test]
    fn the_seed_decides_chaos() {
        let ten = Duration::from_secs(10);
        assert_eq!(chaos(1, 5, ten), chaos(1, 5, ten));
        assert_ne!(chaos(1, 5, ten), chaos(2, 5, ten));
        for seed in 0..100 {
            let scenario = chaos(seed, 3, ten);
            assert_eq!(scenario.to_string().parse(), Ok(scenario), "seed {seed}");
        }
    }
}
