//! Snapshots: what they carry, in parts and out of order, and what happens to the log (§7, Figure
//! 13).

use std::time::Duration;

use super::cluster::Cluster;
use super::words::{append, appended, meta, part, stopped};
use crate::raft::{Apply, Body, Change, Command, Config, Index, Input, Message, Payload, Snapshot};

const LONG: Duration = Duration::from_secs(1);

/// The snapshots that a node's state machine became.
fn installed(cluster: &Cluster) -> Vec<Snapshot> {
    let snapshot = |apply: &Apply| match apply {
        Apply::Snapshot(snapshot) => Some(snapshot.clone()),
        Apply::Entry(_) => None,
    };
    let applied = cluster.applied.get(&1);
    applied.into_iter().flatten().filter_map(snapshot).collect()
}

fn received(last_index: Index, offset: u64) -> Body {
    Body::SnapshotReceived {
        last_index,
        offset,
        round: 0,
    }
}

#[test]
fn a_snapshot_carries_last_index_last_term_and_the_membership_as_of_there() {
    let mut cluster = Cluster::of(3);
    cluster.elect(1);
    cluster.join(4);
    let (node, address) = (4, "d".to_string());
    cluster.change(1, Change::AddLearner { node, address });
    cluster.pass(LONG);
    let members = cluster.node(1).status().membership;
    assert_eq!(members.learners, [4].into());
    let index = cluster.compact(1, "state");
    // Not those of a later entry.
    cluster.change(1, Change::Remove { node: 4 });
    cluster.pass(LONG);
    let Snapshot { meta, data } = &cluster.disks[&1].snapshot;
    assert_eq!((meta.last_index, meta.last_term), (index, 1));
    assert_eq!(
        (&meta.membership, data),
        (&members, &Command::from("state"))
    );
    cluster.start(1);
    assert_eq!(cluster.node(1).status().membership.learners, [].into());
}

#[test]
fn a_stale_snapshot_is_ignored() {
    let mut cluster = Cluster::alone(2, &[1, 1, 2]);
    cluster.hear(1, 2, 2, append((3, 2), &[], 3));
    for last in [(1, 1), (2, 1), (3, 2)] {
        let answer = cluster.hear(1, 2, 2, part(last, 0, "old", true));
        assert_eq!(answer[0].body, appended(last.0, 0), "all of it is here");
    }
    assert_eq!(installed(&cluster), []);
    assert_eq!(cluster.terms(1), [1, 1, 2]);
}

#[test]
fn the_suffix_is_kept_if_the_log_holds_the_snapshots_last_entry_else_all_is_dropped() {
    for (last, expected, why) in [
        ((2, 1), &[1, 1, 2][..], "it is there: nothing is missing"),
        ((2, 2), &[], "another one is there"),
        ((3, 3), &[], "the last one is another"),
        ((9, 3), &[], "the log is shorter"),
    ] {
        let mut cluster = Cluster::alone(3, &[1, 1, 2]);
        let answer = cluster.hear(1, 2, 3, part(last, 0, "data", true));
        assert_eq!(answer[0].body, appended(last.0, 0), "{why}");
        assert_eq!(cluster.terms(1), expected, "{why}");
        assert_eq!(cluster.commit(1), last.0, "{why}");
        assert_eq!(cluster.disks[&1].entries, cluster.log(1), "{why}");
        let dropped = expected.is_empty();
        assert_eq!(installed(&cluster).len(), usize::from(dropped), "{why}");
        let next = append((last.0, last.1), &[3], 0);
        let answer = cluster.hear(1, 2, 3, next);
        assert_eq!(answer[0].body, appended(last.0 + 1, 0), "{why}");
    }
}

#[test]
fn parts_may_repeat_come_out_of_order_or_belong_to_another_snapshot() {
    let mut cluster = Cluster::alone(2, &[]);
    for (last, offset, data, done, expected) in [
        ((5, 2), 3, "def", true, received(5, 0)),
        ((5, 2), 0, "abc", false, received(5, 3)),
        ((5, 2), 0, "abc", false, received(5, 3)),
        ((4, 2), 0, "old", true, received(4, 0)),
        ((5, 2), 9, "xyz", true, received(5, 3)),
        ((5, 2), 3, "def", false, received(5, 6)),
        ((5, 2), 3, "def", true, received(5, 6)),
        ((5, 2), 6, "", true, appended(5, 0)),
        ((5, 2), 0, "abc", false, appended(5, 0)),
    ] {
        let answer = cluster.hear(1, 2, 2, part(last, offset, data, done));
        assert_eq!(answer[0].body, expected, "{last:?} {offset} {data}");
    }
    assert_eq!(installed(&cluster), [super::words::whole(5, 2, "abcdef")]);
}

#[test]
fn a_newer_snapshot_takes_the_place_of_one_that_is_coming_in() {
    let mut cluster = Cluster::alone(2, &[]);
    cluster.hear(1, 2, 2, part((5, 2), 0, "abc", false));
    let answer = cluster.hear(1, 2, 2, part((7, 2), 0, "new", false));
    assert_eq!(answer[0].body, received(7, 3));
    // Another leader's snapshot of the same index is begun anew: its bytes may differ.
    let answer = cluster.hear(1, 3, 3, part((7, 2), 3, "er", true));
    assert_eq!(answer[0].body, received(7, 0));
    let answer = cluster.hear(1, 3, 3, part((7, 2), 0, "other", true));
    assert_eq!(answer[0].body, appended(7, 0));
    assert_eq!(installed(&cluster)[0].data, Command::from("other"));
}

#[test]
fn a_snapshot_beyond_the_limit_is_not_gathered() {
    let config = Config {
        max_snapshot: 5,
        ..Config::default()
    };
    let mut cluster = Cluster::from([(1, stopped(1..=3, 2, &[]))], config);
    cluster.hear(1, 2, 2, part((5, 2), 0, "abc", false));
    let answer = cluster.hear(1, 2, 2, part((5, 2), 3, "def", true));
    assert_eq!(answer[0].body, received(5, 3));
}

/// A leader that has compacted all, two parts of three bytes, and a follower that lacks it: the
/// first messages are in flight.
fn sending() -> Cluster {
    let config = Config {
        keep_entries: 0,
        snapshot_part: 3,
        ..Config::default()
    };
    let mut cluster = Cluster::with(3, config);
    cluster.isolated.insert(3);
    cluster.elect(1);
    cluster.propose(1, "a");
    cluster.settle();
    cluster.compact(1, "abcdef");
    cluster.isolated.clear();
    cluster
}

fn parts(messages: &[Message]) -> usize {
    let is_part = |message: &&Message| message.body.name() == "InstallSnapshot";
    messages.iter().filter(is_part).count()
}

#[test]
fn an_answer_that_comes_twice_does_not_bring_the_next_part_twice() {
    let mut cluster = sending();
    cluster.messages.clear();
    cluster.now += Duration::from_millis(50);
    cluster.step(1, Input::Tick);
    assert_eq!(parts(cluster.messages.make_contiguous()), 1);
    let last_index = cluster.node(1).log().snapshot().last_index;
    let second = cluster.hear(1, 3, 1, received(last_index, 3));
    assert_eq!(parts(&second), 1);
    for (offset, why) in [(3, "the same again"), (0, "a late one")] {
        let again = cluster.hear(1, 3, 1, received(last_index, offset));
        assert_eq!(parts(&again), 0, "{why}");
    }
    cluster.pass(LONG);
    assert_eq!(cluster.commit(3), cluster.commit(1));
}

#[test]
fn a_follower_that_refuses_a_part_hears_it_once_a_heartbeat() {
    let mut cluster = sending();
    let config = Config {
        max_snapshot: 4,
        ..Config::default()
    };
    let restored = cluster.disks[&3].clone();
    let small = crate::raft::Node::new(3, config, restored, 3, cluster.now);
    cluster.nodes.insert(3, small);
    // It would not come back if parts and refusals followed each other without a pause.
    cluster.pass(LONG);
    assert_eq!((cluster.leaders(), cluster.commit(3)), (vec![1], 0));
}

#[test]
fn a_leader_that_compacts_while_it_sends_goes_on_with_the_same_snapshot() {
    let mut cluster = sending();
    let last_index = cluster.node(1).log().snapshot().last_index;
    let mut sent = Vec::new();
    for step in 0..200 {
        let Some(message) = cluster.messages.pop_front() else {
            cluster.pass(Duration::from_millis(10));
            continue;
        };
        if let Body::InstallSnapshot { meta, .. } = &message.body {
            sent.push(meta.last_index);
            if sent.len() == 1 {
                cluster.propose(1, "b");
            }
        }
        cluster.deliver(message);
        if step % 5 == 0 {
            cluster.compact(1, "ABCDEF and more");
        }
    }
    cluster.pass(LONG);
    assert!(cluster.node(1).log().snapshot().last_index > last_index);
    assert_eq!(cluster.commit(3), cluster.commit(1));
    let last = |id| cluster.node(id).status().last_index;
    assert_eq!(last(3), last(1));
    let changes = sent.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(changes <= 1, "{sent:?}");
}

#[test]
fn a_part_that_is_lost_is_sent_again() {
    let mut cluster = sending();
    let mut lost = 0;
    for _ in 0..100 {
        match cluster.messages.pop_front() {
            Some(message) if parts(std::slice::from_ref(&message)) == 1 && lost < 3 => lost += 1,
            Some(message) => cluster.deliver(message),
            None => {
                cluster.now += Duration::from_millis(50);
                cluster.step(1, Input::Tick);
            }
        }
    }
    assert_eq!((lost, cluster.commit(3)), (3, cluster.commit(1)));
}

#[test]
fn memberships_come_with_the_snapshot_and_count_at_once() {
    let mut cluster = Cluster::alone(2, &[]);
    let mut snapshot = meta(5, 2);
    snapshot.membership.voters.insert(4);
    let body = Body::InstallSnapshot {
        meta: snapshot.clone(),
        offset: 0,
        data: Command::default(),
        done: true,
        round: 0,
    };
    cluster.hear(1, 2, 2, body);
    assert_eq!(cluster.node(1).status().membership, snapshot.membership);
    cluster.start(1);
    assert_eq!(cluster.node(1).status().membership, snapshot.membership);
}

#[test]
fn only_what_was_applied_is_compacted_and_only_forwards() {
    let mut cluster = Cluster::alone(1, &[1, 1, 1]);
    cluster.hear(1, 2, 1, append((3, 1), &[], 2));
    let compact = |cluster: &mut Cluster, index, data: &str| {
        let data = Command::from(data);
        cluster.step(1, Input::Compact { index, data });
        cluster.disks[&1].snapshot.meta.last_index
    };
    assert_eq!(compact(&mut cluster, 3, "not committed"), 0);
    assert_eq!(compact(&mut cluster, u64::MAX, "not there"), 0);
    assert_eq!(compact(&mut cluster, 2, "two"), 2);
    assert_eq!(compact(&mut cluster, 1, "one"), 2);
    assert_eq!(compact(&mut cluster, 2, "two again"), 2);
    assert_eq!(cluster.disks[&1].snapshot.data, Command::from("two"));
    assert!(
        matches!(cluster.log(1).last(), Some(last) if matches!(last.payload, Payload::Command(_)))
    );
}
