//! Impossible input: messages that no node sends, and a config that makes no sense.

use std::time::Duration;

use super::cluster::Cluster;
use super::words::{append, appended, part, request, stopped, vote};
use crate::raft::{Ballot, Body, Config, HardState, Input, Message, NodeId, Term};

/// The state of node 1 of {1 2 3}, in term 3 with log 1 1 2, after a message.
fn after(from: NodeId, to: NodeId, term: Term, body: Body) -> (HardState, Vec<Term>, u64, usize) {
    let mut cluster = Cluster::alone(3, &[1, 1, 2]);
    let message = Message {
        from,
        to,
        term,
        body,
    };
    cluster.step(1, Input::Message(message));
    let node = cluster.node(1);
    let (hard, commit) = (node.hard_state(), node.status().commit);
    (hard, cluster.terms(1), commit, cluster.messages.len())
}

#[test]
fn what_no_node_says_changes_nothing_and_is_not_answered() {
    let most = u64::MAX;
    let untouched = after(2, 1, 3, appended(0, 0));
    for (what, from, to, term, body) in [
        ("for another node", 2, 3, 4, append((3, 2), &[4], 3)),
        ("from itself", 1, 1, 4, append((3, 2), &[4], 3)),
        (
            "its own vote from outside",
            1,
            1,
            4,
            vote(Ballot::Real, true),
        ),
        (
            "a term beyond all terms",
            2,
            1,
            most,
            append((3, 2), &[], 3),
        ),
        ("an index beyond", 2, 1, 4, append((most / 2, 2), &[], 3)),
        (
            "an index at which entries overflow",
            2,
            1,
            4,
            append((most - 1, 2), &[], 3),
        ),
        (
            "a previous term above the message's",
            2,
            1,
            4,
            append((9, 5), &[], 3),
        ),
        (
            "a log of the candidate's new term",
            2,
            1,
            4,
            request(Ballot::Real, (3, 4)),
        ),
        ("an endless log", 2, 1, 4, request(Ballot::Real, (most, 3))),
        ("a snapshot beyond", 2, 1, 4, part((most, 2), 0, "x", true)),
        (
            "a snapshot of a later term",
            2,
            1,
            4,
            part((9, 5), 0, "x", true),
        ),
    ] {
        assert_eq!(after(from, to, term, body), untouched, "{what}");
    }
}

#[test]
fn entries_that_no_log_holds_are_not_stored() {
    for (what, change) in [
        (
            "a gap",
            (|entries| entries[1].index += 1) as fn(&mut Vec<crate::raft::Entry>),
        ),
        ("the wrong place", |entries| entries[0].index = 9),
        ("a place beyond", |entries| entries[0].index = u64::MAX),
        ("falling terms", |entries| entries[1].term = 2),
        ("a term below the previous one's", |entries| {
            entries[0].term = 1
        }),
        ("a term above the leader's", |entries| entries[1].term = 5),
    ] {
        let mut cluster = Cluster::alone(4, &[1, 1, 2]);
        let mut body = append((3, 2), &[3, 3], 5);
        if let Body::AppendEntries { entries, .. } = &mut body {
            change(entries);
        }
        assert_eq!(cluster.hear(1, 2, 4, body), [], "{what}");
        assert_eq!(
            (cluster.terms(1), cluster.commit(1)),
            (vec![1, 1, 2], 0),
            "{what}"
        );
    }
}

#[test]
fn a_leader_is_not_misled_by_answers_to_what_it_never_sent() {
    let most = u64::MAX;
    let conflict = |previous_index, first_index| Body::Conflict {
        previous_index,
        term: Some(most),
        first_index,
        round: most,
    };
    let received = |last_index, offset| Body::SnapshotReceived {
        last_index,
        offset,
        round: 0,
    };
    for body in [
        appended(most, 0),
        appended(most, most),
        conflict(most, most),
        conflict(0, most),
        conflict(1, 0),
        received(most, most),
        received(0, 0),
    ] {
        let mut cluster = Cluster::leader_alone(1, &[1]);
        for from in [0, 1, 2, 3, 9, most] {
            cluster.hear(1, from, 2, body.clone());
        }
        assert_eq!(
            (cluster.leaders(), cluster.commit(1)),
            (vec![1], 0),
            "{body:?}"
        );
        cluster.hear(1, 2, 2, appended(2, 0));
        assert_eq!(cluster.commit(1), 2, "{body:?}");
    }
}

#[test]
fn a_config_of_zeros_or_of_endless_times_still_makes_a_cluster() {
    let (zero, endless) = (Duration::ZERO, Duration::MAX);
    for (least, most, heartbeat) in [
        (zero, zero, zero),
        (
            Duration::from_millis(300),
            Duration::from_millis(10),
            endless,
        ),
    ] {
        let config = Config {
            election_timeout_min: least,
            election_timeout_max: most,
            heartbeat,
            max_batch: 0,
            max_in_flight: 0,
            snapshot_part: 0,
            keep_entries: 0,
            ..Config::default()
        };
        let mut cluster = Cluster::with(3, config);
        cluster.elect(1);
        cluster.isolated.insert(3);
        cluster.propose(1, "a");
        cluster.settle();
        cluster.compact(1, "so far");
        cluster.isolated.clear();
        cluster.propose(1, "b");
        cluster.pass(Duration::from_millis(500));
        assert_eq!(cluster.leaders(), [1], "{least:?}");
        assert_eq!(cluster.commands(3), ["b"], "{least:?}, behind the snapshot");
    }
    let config = Config {
        election_timeout_min: endless,
        election_timeout_max: endless,
        ..Config::default()
    };
    let mut cluster = Cluster::from([(1, stopped(1..=3, 1, &[]))], config);
    cluster.win(1);
    cluster.hear(1, 2, 2, appended(1, 0));
    assert_eq!(cluster.commit(1), 1);
}
