//! Stability: nothing leaves a node that it could forget, and nothing is applied that it could
//! (Figure 2, "updated on stable storage before responding").

use super::cluster::Cluster;
use super::words::{append, appended, part, request, stopped, vote};
use crate::raft::node::stable::MOST_KEPT_BACK;
use crate::raft::{Apply, Ballot, Body, Config, Input, Refusal, RoleName};

/// Node 1 of {1 2 3} with a disk that writes when it is told to, after a heartbeat of node 2.
fn slow(term: u64, log: &[u64]) -> Cluster {
    let mut cluster = Cluster::alone(term, log);
    let last = (log.len() as u64, log.last().copied().unwrap_or(0));
    cluster.hear(1, 2, term, append(last, &[], 0));
    cluster.slow.insert(1);
    cluster
}

fn bodies(cluster: &mut Cluster) -> Vec<Body> {
    let messages = cluster.messages.drain(..);
    messages.map(|message| message.body).collect()
}

#[test]
fn no_answer_that_reveals_a_term_a_vote_or_an_entry_leaves_before_it_is_stable() {
    let refused = Body::Conflict {
        previous_index: 9,
        term: None,
        first_index: 2,
        round: 0,
    };
    for (what, term, body, expected) in [
        ("entries", 1, append((1, 1), &[1], 0), appended(2, 0)),
        ("a term", 2, append((1, 1), &[], 0), appended(1, 0)),
        ("a term, refusing", 2, append((9, 1), &[], 0), refused),
        (
            "a vote",
            2,
            request(Ballot::Transfer, (1, 1)),
            vote(Ballot::Transfer, true),
        ),
        (
            "a vote refused",
            2,
            request(Ballot::Transfer, (0, 0)),
            vote(Ballot::Transfer, false),
        ),
        ("a snapshot", 1, part((5, 1), 0, "x", true), appended(5, 0)),
    ] {
        let mut cluster = slow(1, &[1]);
        assert_eq!(cluster.hear(1, 2, term, body), [], "{what}");
        cluster.write_one(1);
        assert_eq!(bodies(&mut cluster), [expected], "{what}");
    }
}

#[test]
fn a_candidate_asks_when_its_term_and_its_vote_for_itself_are_stable_and_not_before() {
    let mut cluster = slow(1, &[1]);
    cluster.time_out(1);
    cluster.hear(1, 2, 2, vote(Ballot::Pre, true));
    assert_eq!(cluster.role(1), RoleName::Candidate);
    assert_eq!(bodies(&mut cluster), []);
    cluster.hear(1, 2, 2, vote(Ballot::Real, true));
    cluster.hear(1, 3, 2, vote(Ballot::Real, true));
    assert_eq!(cluster.role(1), RoleName::Candidate, "nobody was asked yet");
    cluster.write_one(1);
    let ask = request(Ballot::Real, (1, 1));
    assert_eq!(bodies(&mut cluster), [ask.clone(), ask]);
    // Alone, it needs no vote but its own: when that is stable.
    let mut single = Cluster::from([(1, stopped([1], 1, &[1]))], Config::default());
    single.slow.insert(1);
    single.time_out(1);
    assert_eq!(single.role(1), RoleName::Candidate);
    single.write_one(1);
    assert_eq!(single.role(1), RoleName::Leader);
}

#[test]
fn a_leader_sends_before_it_writes_and_counts_itself_when_it_has_written() {
    let mut cluster = Cluster::leader_alone(1, &[]);
    cluster.hear(1, 2, 2, appended(1, 0));
    cluster.slow.insert(1);
    cluster.messages.clear();
    cluster.propose(1, "x");
    assert!(!cluster.messages.is_empty(), "both disks work at once");
    cluster.hear(1, 2, 2, appended(2, 0));
    assert_eq!(cluster.commit(1), 1);
    cluster.write_one(1);
    assert_eq!(cluster.commit(1), 2);
}

#[test]
fn several_writes_under_way_are_reported_one_by_one_or_at_once_or_again() {
    for (reports, expected) in [
        (&[1, 2, 3][..], &[2, 3, 4][..]),
        (&[3], &[2, 3, 4]),
        (&[2, 1, 2, 3], &[2, 3, 4]),
        (&[1], &[2]),
        (&[0], &[]),
        (&[u64::MAX], &[2, 3, 4]),
    ] {
        let mut cluster = slow(1, &[1]);
        let first = cluster.node(1).next_write();
        for index in 1..=3 {
            cluster.hear(1, 2, 1, append((index, 1), &[1], 0));
            cluster.collect_all(1);
        }
        for number in reports {
            let number = number.saturating_add(first - 1);
            cluster.step(1, Input::Persisted(number));
        }
        let expected = expected.iter().map(|&index| appended(index, 0));
        assert_eq!(
            bodies(&mut cluster),
            expected.collect::<Vec<_>>(),
            "{reports:?}"
        );
    }
}

#[test]
fn a_write_that_was_overtaken_by_a_truncation_makes_nothing_stable_that_is_gone() {
    let mut cluster = slow(1, &[1]);
    cluster.hear(1, 2, 1, append((1, 1), &[1, 1, 1], 0));
    cluster.hear(1, 3, 2, append((1, 1), &[2], 2));
    assert_eq!(cluster.commit(1), 2);
    cluster.write_one(1);
    assert_eq!(
        cluster.node(1).stable_index(),
        1,
        "entry 2 is another one now"
    );
    assert_eq!(
        cluster.node(1).status().applied,
        1,
        "and waits, though committed"
    );
    cluster.hear(1, 3, 2, append((2, 2), &[2, 2], 4));
    cluster.write_one(1);
    assert_eq!(cluster.commands(1), ["1.1", "2.2"]);
    cluster.write_one(1);
    assert_eq!(cluster.commands(1), ["1.1", "2.2", "2.3", "2.4"]);
    assert_eq!(cluster.disks[&1].entries, cluster.log(1));
}

#[test]
fn a_snapshot_is_applied_when_it_is_stable_also_with_writes_under_way_before_and_behind_it() {
    let mut cluster = slow(2, &[1]);
    cluster.hear(1, 2, 2, append((1, 1), &[2, 2], 2));
    cluster.hear(1, 2, 2, part((5, 2), 0, "five", true));
    cluster.hear(1, 2, 2, append((5, 2), &[2], 6));
    cluster.hear(1, 2, 2, part((8, 2), 0, "eight", true));
    assert_eq!(cluster.commit(1), 8);
    let mut applied = Vec::new();
    for _ in 0..4 {
        cluster.write_one(1);
        applied.push(cluster.node(1).status().applied);
    }
    assert_eq!(
        applied,
        [1, 5, 5, 8],
        "never what is on no disk, never backwards"
    );
    let snapshots = cluster.applied[&1].iter();
    let snapshots = snapshots.filter(|apply| matches!(apply, Apply::Snapshot(_)));
    assert_eq!(snapshots.count(), 2);
    assert_eq!(cluster.disks[&1].snapshot.meta.last_index, 8);
}

#[test]
fn entries_behind_a_snapshot_that_is_being_written_wait_for_it() {
    let mut cluster = slow(2, &[1]);
    cluster.hear(1, 2, 2, part((5, 2), 0, "five", true));
    cluster.hear(1, 2, 2, append((5, 2), &[2, 2], 6));
    cluster.hear(1, 3, 3, append((6, 2), &[3], 6));
    assert!(cluster.applied.get(&1).is_none_or(Vec::is_empty));
    for _ in 0..3 {
        cluster.write_one(1);
    }
    cluster.hear(1, 3, 3, append((7, 3), &[], 7));
    let applied = cluster.applied[&1].iter().map(|apply| match apply {
        Apply::Snapshot(snapshot) => (snapshot.meta.last_index, 0),
        Apply::Entry(entry) => (entry.index, entry.term),
    });
    assert_eq!(applied.collect::<Vec<_>>(), [(5, 0), (6, 2), (7, 3)]);
}

#[test]
fn what_a_crash_takes_had_been_revealed_to_nobody() {
    let mut cluster = slow(1, &[1]);
    assert_eq!(cluster.hear(1, 3, 2, request(Ballot::Transfer, (1, 1))), []);
    assert_eq!(cluster.hear(1, 3, 2, append((1, 1), &[2], 2)), []);
    cluster.slow.clear();
    cluster.start(1);
    assert_eq!((cluster.term(1), cluster.terms(1)), (1, vec![1]));
    assert_eq!(
        cluster.commands(1),
        ["1.1"],
        "entry 1 was on disk, entry 2 was not"
    );
}

#[test]
fn a_node_whose_disk_is_full_answers_when_it_has_written() {
    let mut cluster = slow(1, &[1]);
    cluster.step(1, Input::Writable(false));
    assert_eq!(
        cluster.hear(1, 2, 1, append((1, 1), &[1], 0)),
        [],
        "its shell holds the write"
    );
    cluster.step(1, Input::Writable(true));
    cluster.write_one(1);
    assert_eq!(bodies(&mut cluster), [appended(2, 0)]);
}

#[test]
fn a_node_whose_disk_is_full_names_the_leader_that_it_hears() {
    let mut cluster = slow(1, &[1]);
    cluster.step(1, Input::Writable(false));
    let refusal = cluster.node(1).refusal();
    assert_eq!(refusal, Some(Refusal::NotLeader(Some(2))));
    cluster.time_out(1);
    assert_eq!(cluster.node(1).refusal(), Some(Refusal::DiskFull));
}

#[test]
fn a_node_whose_disk_is_full_hoards_no_answers() {
    let mut cluster = slow(1, &[1]);
    cluster.forget_leaders();
    for term in 2..10_000 {
        cluster.hear(1, 3, term, request(Ballot::Real, (0, 0)));
    }
    cluster.catch_up(1);
    let answers = bodies(&mut cluster).len();
    assert_eq!(answers, MOST_KEPT_BACK);
}
