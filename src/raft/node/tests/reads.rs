//! Reads, and the outcome of requests (§8; dissertation §6.4).

use std::time::Duration;

use super::cluster::Cluster;
use super::words::{append, appended, stopped};
use crate::raft::node::reads::MOST_READS;
use crate::raft::{Body, Command, Config, Input, Refusal};

const LONG: Duration = Duration::from_secs(1);

#[test]
fn a_read_is_confirmed_by_a_round_that_began_after_it_came() {
    let mut cluster = Cluster::of(3);
    cluster.elect(1);
    cluster.read(1, 1);
    let sent: Vec<_> = cluster.messages.drain(..).collect();
    assert_eq!(cluster.reads, [], "nobody has answered");
    cluster.read(1, 2);
    cluster.messages.clear();
    for message in sent {
        cluster.deliver(message);
    }
    cluster.settle();
    assert_eq!(
        cluster.reads,
        [(1, 1)],
        "the second came when that round was under way"
    );
    cluster.read(1, 3);
    cluster.settle();
    assert_eq!(cluster.reads, [(1, 1), (1, 2), (1, 3)]);
}

#[test]
fn more_reads_than_a_leader_can_hold_are_refused() {
    let mut cluster = Cluster::of(3);
    cluster.elect(1);
    cluster.isolated.insert(1);
    for read in 0..=MOST_READS as u64 {
        cluster.read(1, read);
    }
    assert_eq!(cluster.refused, [(MOST_READS as u64, Refusal::Busy)]);
}

#[test]
fn a_read_needs_a_majority() {
    let mut cluster = Cluster::of(5);
    cluster.elect(1);
    cluster.isolated.extend([3, 4, 5]);
    cluster.read(1, 1);
    cluster.settle();
    assert_eq!(cluster.reads, []);
    cluster.pass(LONG);
    assert_eq!((&cluster.reads[..], cluster.leaders()), (&[][..], vec![]));
    assert_eq!(
        cluster.refused,
        [(1, Refusal::NotLeader(None))],
        "it did not happen"
    );
}

#[test]
fn a_deposed_leader_that_does_not_know_it_answers_no_read() {
    let mut cluster = Cluster::of(3);
    cluster.elect(1);
    cluster.isolated.insert(1);
    cluster.forget_leaders();
    cluster.time_out(2);
    cluster.settle();
    assert_eq!(cluster.leaders(), [1, 2]);
    cluster.propose(2, "newer");
    cluster.read(1, 1);
    cluster.settle();
    assert_eq!(cluster.reads, []);
    cluster.isolated.clear();
    cluster.pass(LONG);
    assert_eq!((&cluster.reads[..], cluster.leaders()), (&[][..], vec![2]));
    assert_eq!(cluster.refused.len(), 1);
}

#[test]
fn a_new_leader_makes_reads_wait_for_its_no_op() {
    let mut cluster = Cluster::leader_alone(1, &[1]);
    cluster.read(1, 1);
    cluster.hear(1, 2, 2, appended(0, 1));
    assert_eq!(
        cluster.reads,
        [],
        "a majority answered, but the old entry may be committed"
    );
    cluster.hear(1, 2, 2, appended(2, 1));
    assert_eq!(cluster.reads, [(1, 1)]);
    assert_eq!(cluster.commands(1), ["1.1"], "which it sees");
}

#[test]
fn a_read_waits_until_what_was_committed_before_it_is_applied() {
    let mut cluster = Cluster::leader_alone(1, &[]);
    cluster.hear(1, 2, 2, appended(1, 0));
    cluster.slow.insert(1);
    cluster.propose(1, "x");
    for from in [2, 3] {
        cluster.hear(1, from, 2, appended(2, 0));
    }
    assert_eq!(cluster.commit(1), 2, "by the others' disks");
    cluster.read(1, 1);
    cluster.hear(1, 2, 2, appended(2, 1));
    assert_eq!(
        (&cluster.reads[..], cluster.commands(1).len()),
        (&[][..], 0)
    );
    cluster.write_one(1);
    assert_eq!(
        (&cluster.reads[..], cluster.commands(1).len()),
        (&[(1, 1)][..], 1)
    );
}

#[test]
fn a_cluster_of_one_and_one_with_a_learner_confirm_alone() {
    let mut cluster = Cluster::of(1);
    cluster.elect(1);
    cluster.read(1, 1);
    let address = "b".to_string();
    cluster.change(1, crate::raft::Change::AddLearner { node: 2, address });
    cluster.read(1, 2);
    assert_eq!(cluster.reads, [(1, 1), (1, 2)]);
}

#[test]
fn a_conflict_or_a_part_of_a_snapshot_confirms_a_round_as_well() {
    for body in [
        Body::Conflict {
            previous_index: 1,
            term: None,
            first_index: 1,
            round: 1,
        },
        Body::SnapshotReceived {
            last_index: 9,
            offset: 0,
            round: 1,
        },
    ] {
        let mut cluster = Cluster::leader_alone(1, &[1]);
        cluster.hear(1, 2, 2, appended(2, 0));
        cluster.read(1, 1);
        cluster.hear(1, 3, 2, body.clone());
        assert_eq!(cluster.reads, [(1, 1)], "{body:?}");
    }
}

#[test]
fn a_round_that_never_began_confirms_nothing() {
    let mut cluster = Cluster::leader_alone(1, &[1]);
    cluster.hear(1, 2, 2, appended(2, 0));
    cluster.hear(1, 2, 2, appended(2, u64::MAX));
    cluster.read(1, 1);
    assert_eq!(cluster.reads, []);
}

#[test]
fn a_heartbeat_is_answered_while_entries_are_being_written() {
    let mut cluster = Cluster::alone(1, &[1]);
    cluster.hear(1, 2, 1, append((1, 1), &[], 0));
    cluster.slow.insert(1);
    assert_eq!(cluster.hear(1, 2, 1, append((1, 1), &[1], 0)), []);
    let answer = cluster.hear(1, 2, 1, append((2, 1), &[], 0));
    assert_eq!(answer[0].body, appended(1, 0), "with what is on disk");
    cluster.step(1, Input::Writable(false));
    assert_eq!(cluster.hear(1, 2, 1, append((2, 1), &[], 0)).len(), 1);
    cluster.messages.clear();
    cluster.write_one(1);
    assert_eq!(cluster.messages[0].body, appended(2, 0));
    // In a term that is not on disk there is nothing to say yet, and one answer to say it with.
    for _ in 0..9 {
        assert_eq!(cluster.hear(1, 3, 2, append((2, 1), &[], 0)), []);
    }
    cluster.write_one(1);
    assert_eq!(cluster.messages.len(), 1, "{:?}", cluster.messages);
}

#[test]
fn a_command_whose_leader_is_lost_is_neither_refused_nor_done() {
    let mut cluster = Cluster::of(3);
    cluster.elect(1);
    cluster.isolated.insert(1);
    cluster.propose(1, "unknown");
    let [(1, index, term)] = cluster.accepted[..] else {
        panic!("{:?}", cluster.accepted);
    };
    cluster.pass(LONG);
    assert_eq!(cluster.refused, [], "who says that it failed may be wrong");
    cluster.isolated.clear();
    cluster.pass(LONG);
    let there = cluster.log(1)[index as usize - 1].term;
    assert_ne!(
        there, term,
        "here it was lost, as another entry in its place says"
    );
}

#[test]
fn reads_that_wait_during_a_transfer_are_answered_or_refused() {
    let mut cluster = Cluster::of(3);
    cluster.elect(1);
    cluster.isolated.insert(3);
    cluster.step(1, Input::Transfer { id: 1, to: 3 });
    cluster.read(1, 1);
    cluster.settle();
    assert_eq!(cluster.reads, [(1, 1)], "the leader still leads");
    cluster.isolated = [2, 3].into();
    cluster.read(1, 2);
    cluster.settle();
    cluster.isolated.clear();
    cluster.step(1, Input::Transfer { id: 2, to: 3 });
    cluster.forget_leaders();
    cluster.time_out(3);
    cluster.settle();
    cluster.pass(LONG);
    let ends = cluster.reads.len() + cluster.refused.iter().filter(|(id, _)| *id == 2).count();
    assert!(ends >= 2, "{:?} {:?}", cluster.reads, cluster.refused);
}

#[test]
fn a_follower_forwards_nothing_and_names_the_leader() {
    let mut cluster = Cluster::of(3);
    assert_eq!(cluster.node(2).refusal(), Some(Refusal::NotLeader(None)));
    cluster.elect(1);
    cluster.propose(2, "x");
    cluster.read(2, 5);
    let hint = Refusal::NotLeader(Some(1));
    assert_eq!(cluster.refused, [(1, hint), (5, hint)]);
}

#[test]
fn too_much_that_waits_is_refused_and_room_comes_with_commitment() {
    let config = Config {
        max_uncommitted: 100,
        ..Config::default()
    };
    let mut cluster = Cluster::from([(1, stopped(1..=3, 1, &[]))], config);
    cluster.win(1);
    // The no-op counts, and empty commands do: their number has a limit.
    for id in 1..=4 {
        let command = Command::default();
        cluster.step(1, Input::Propose { id, command });
    }
    assert_eq!(cluster.refused, [(4, Refusal::Busy)]);
    cluster.hear(1, 2, 2, appended(4, 0));
    assert_eq!(cluster.node(1).refusal(), None);
}

#[test]
fn answers_of_an_earlier_term_match_nothing_and_confirm_nothing() {
    // Node 1 may have led in that term, too, and given up entries since that were acknowledged.
    let mut cluster = Cluster::leader_alone(1, &[1]);
    cluster.hear(1, 2, 1, appended(2, 0));
    assert_eq!(cluster.node(1).status().matched, [(2, 0), (3, 0)]);
    cluster.hear(1, 2, 2, appended(2, 0));
    assert_eq!(cluster.commit(1), 2);
    cluster.read(1, 1);
    let conflict = Body::Conflict {
        previous_index: 1,
        term: None,
        first_index: 1,
        round: 1,
    };
    let received = Body::SnapshotReceived {
        last_index: 9,
        offset: 0,
        round: 1,
    };
    for body in [appended(2, 1), conflict, received] {
        assert_eq!(cluster.hear(1, 2, 1, body.clone()), [], "{body:?}");
        assert_eq!(cluster.reads, [], "{body:?}");
    }
    cluster.hear(1, 2, 2, appended(2, 1));
    assert_eq!(cluster.reads, [(1, 1)]);
}
