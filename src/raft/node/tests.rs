//! The rules of the core, one test each, in the order of the paper.

mod cluster;
mod elections;
mod flaws;
mod fuzz;
mod handover;
mod hostile;
mod log;
mod membership;
mod reads;
mod snapshots;
mod stability;
mod successor;
mod words;

use std::time::Duration;

use super::*;
use crate::raft::{Change, Command, Membership};
use cluster::Cluster;

impl Node {
    /// As if its leader had been silent for a long time.
    fn forget_leader(&mut self) {
        self.heard = None;
    }

    /// The last entry on stable storage.
    fn stable_index(&self) -> Index {
        self.stable.last_index()
    }

    /// The number that its next write will have.
    fn next_write(&self) -> u64 {
        self.stable.next_number()
    }
}

#[test]
fn three_nodes_elect_one_leader_and_agree_on_its_commands() {
    let mut cluster = Cluster::of(3);
    cluster.pass(Duration::from_secs(1));
    let leaders = cluster.leaders();
    let [leader] = leaders[..] else {
        panic!("leaders: {leaders:?}");
    };
    for command in ["a", "b", "c"] {
        cluster.propose(leader, command);
    }
    cluster.pass(Duration::from_secs(1));
    for id in 1..=3 {
        assert_eq!(cluster.commands(id), ["a", "b", "c"], "node {id}");
    }
    assert_eq!(cluster.leaders(), [leader]);
    assert_eq!(cluster.node(leader).status().term, 1);
}

#[test]
fn a_cluster_of_one_leads_and_commits_alone() {
    let mut cluster = Cluster::of(1);
    cluster.pass(Duration::from_secs(1));
    cluster.propose(1, "alone");
    assert_eq!(cluster.commands(1), ["alone"]);
    cluster.step(1, Input::Read { id: 7 });
    assert_eq!(cluster.reads, [(1, 7)]);
}

#[test]
fn a_node_is_added_as_a_learner_then_through_joint_consensus() {
    let mut cluster = Cluster::of(3);
    cluster.elect(1);
    for index in 0..300 {
        cluster.propose(1, &index.to_string());
    }
    cluster.join(4);
    let address = "d".to_string();
    cluster.change(1, Change::Add { node: 4, address });
    cluster.pass(Duration::from_secs(1));
    let status = cluster.node(4).status();
    assert_eq!(status.membership.voters, [1, 2, 3, 4].into());
    assert!(!status.membership.is_joint());
    assert_eq!(status.membership.learners, [].into(), "no more");
    assert_eq!(cluster.commands(4).len(), 300);
    assert!(cluster.accepted.iter().any(|accepted| accepted.0 == 9));
    let joint = cluster
        .events
        .iter()
        .any(|(_, event)| matches!(event, Event::Members(members) if members.is_joint()));
    assert!(joint);
    // Nothing of it is left when it leaves.
    cluster.change(1, Change::Remove { node: 4 });
    cluster.pass(Duration::from_secs(1));
    let members = cluster.node(1).status().membership;
    assert_eq!(members, Membership::of([1, 2, 3]));
}

#[test]
fn a_follower_far_behind_gets_the_snapshot_in_parts_and_then_the_entries() {
    let config = Config {
        snapshot_part: 10,
        keep_entries: 0,
        ..Config::default()
    };
    let mut cluster = Cluster::with(3, config);
    cluster.elect(1);
    cluster.isolated.insert(3);
    for index in 0..10 {
        cluster.propose(1, &index.to_string());
        cluster.settle();
    }
    let data = "all that was said so far, in more than ten bytes";
    cluster.compact(1, data);
    cluster.propose(1, "behind it");
    cluster.isolated.clear();
    cluster.pass(Duration::from_secs(1));
    let installed = cluster.applied[&3].iter().find_map(|apply| match apply {
        Apply::Snapshot(snapshot) => Some(snapshot.clone()),
        Apply::Entry(_) => None,
    });
    assert_eq!(installed.expect("a snapshot").data, Command::from(data));
    assert_eq!(
        cluster.commands(3).last().map(String::as_str),
        Some("behind it")
    );
}

#[test]
fn a_leader_that_is_removed_leads_until_that_is_committed_and_hands_over() {
    let mut cluster = Cluster::of(3);
    cluster.elect(1);
    cluster.change(1, Change::Remove { node: 1 });
    cluster.settle();
    let leaders = cluster.leaders();
    assert!(leaders == [2] || leaders == [3], "{leaders:?}");
    assert_eq!(
        cluster.node(leaders[0]).status().membership.voters,
        [2, 3].into()
    );
    cluster.pass(Duration::from_secs(1));
    assert_eq!(cluster.leaders(), leaders);
}

#[test]
fn leadership_goes_to_the_one_who_was_named() {
    let mut cluster = Cluster::of(3);
    cluster.elect(1);
    cluster.propose(1, "before");
    cluster.step(1, Input::Transfer { id: 1, to: 3 });
    cluster.settle();
    assert_eq!(cluster.leaders(), [3]);
    assert_eq!(cluster.commands(3), ["before"]);
}
