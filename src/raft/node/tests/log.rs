//! The log: what an append cuts, what commits, how a follower's log is brought to the leader's
//! (§5.3, §5.4.2, Figures 7 and 8).

use std::time::Duration;

use super::cluster::Cluster;
use super::words::{append, appended, stopped, whole};
use crate::raft::{Apply, Body, Command, Config, Flaw, Index, Input, Message, RoleName, Term};

const LONG: Duration = Duration::from_secs(1);

/// The log of the leader of term 8 in Figure 7.
const LEADER: [Term; 10] = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];

#[test]
fn each_log_of_figure_7_is_brought_to_the_leaders() {
    let logs: [&[Term]; 7] = [
        &LEADER,
        &[1, 1, 1, 4, 4, 5, 5, 6, 6],
        &[1, 1, 1, 4],
        &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
        &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
        &[1, 1, 1, 4, 4, 4, 4],
        &[1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
    ];
    let disks = (1..)
        .zip(logs)
        .map(|(id, log)| (id, stopped(1..=7, 7, log)));
    let mut cluster = Cluster::from(disks, Config::default());
    cluster.elect(1);
    cluster.pass(LONG);
    let expected = [&LEADER[..], &[8]].concat();
    for (id, name) in (1..=7).zip(["leader", "a", "b", "c", "d", "e", "f"]) {
        assert_eq!(cluster.terms(id), expected, "{name}");
        assert_eq!(cluster.commit(id), 11, "{name}");
        assert_eq!(cluster.commands(id), cluster.commands(1), "{name}");
    }
}

/// Figure 8, from (c) on: node 1 leads in term 4 and sends the 2 at index 2 to nodes 2 and 3; node 5
/// has a 3 there. Its own 4 at index 3 arrives or not, then it crashes and node 5 campaigns. How far
/// node 1 had committed, and what stands at index 2 in the end.
pub fn figure_8(four_arrives: bool, flaw: Option<Flaw>) -> (Cluster, Index) {
    let logs: [&[Term]; 5] = [&[1, 2], &[1, 2], &[1], &[1], &[1, 3]];
    let disks = (1..)
        .zip(logs)
        .map(|(id, log)| (id, stopped(1..=5, 3, log)));
    let mut cluster = Cluster::from(disks, Config::default());
    cluster.plant(flaw);
    cluster.isolated = [4, 5].into();
    cluster.time_out(1);
    while let Some(mut message) = cluster.messages.pop_front() {
        if let Body::AppendEntries { entries, .. } = &mut message.body {
            entries.retain(|entry| four_arrives || entry.term < 4);
        }
        cluster.deliver(message);
    }
    let committed = cluster.commit(1);
    cluster.crash(1);
    cluster.isolated.clear();
    for _ in 0..3 {
        cluster.forget_leaders();
        cluster.time_out(5);
        cluster.settle();
    }
    cluster.pass(LONG);
    cluster.start(1);
    cluster.pass(LONG);
    (cluster, committed)
}

#[test]
fn entries_of_earlier_terms_are_not_committed_by_counting_figure_8_d() {
    let (cluster, committed) = figure_8(false, None);
    assert_eq!(committed, 0, "though index 2 is on three of five");
    assert_eq!(cluster.terms(2)[..2], [1, 3], "and it was overwritten");
    assert!(cluster.agree());
}

#[test]
fn they_commit_through_an_entry_of_the_own_term_figure_8_e() {
    let (cluster, committed) = figure_8(true, None);
    assert_eq!(committed, 3);
    assert_eq!(cluster.terms(5)[..3], [1, 2, 4], "node 5 could not win");
    assert!(cluster.agree());
}

#[test]
fn a_new_leader_appends_a_no_op_and_commits_what_came_before_through_it() {
    let mut cluster = Cluster::leader_alone(1, &[1, 1]);
    assert_eq!(cluster.terms(1), [1, 1, 2]);
    cluster.hear(1, 2, 2, appended(2, 0));
    assert_eq!(cluster.commit(1), 0);
    cluster.hear(1, 2, 2, appended(3, 0));
    assert_eq!(cluster.commit(1), 3);
}

#[test]
fn an_append_truncates_only_on_a_real_conflict() {
    for (previous, news, expected, why) in [
        ((0, 0), &[1][..], &[1, 1, 2, 2][..], "shorter, matching"),
        ((2, 1), &[], &[1, 1, 2, 2], "a late heartbeat"),
        ((1, 1), &[1, 2, 2], &[1, 1, 2, 2], "the same again"),
        ((3, 2), &[3], &[1, 1, 2, 3], "another last entry"),
        ((2, 1), &[2, 3], &[1, 1, 2, 3], "the conflict comes second"),
        ((1, 1), &[3], &[1, 3], "all behind a conflict goes"),
        ((4, 2), &[3, 3], &[1, 1, 2, 2, 3, 3], "the end"),
    ] {
        let mut cluster = Cluster::alone(3, &[1, 1, 2, 2]);
        cluster.hear(1, 2, 3, append(previous, news, 0));
        assert_eq!(cluster.terms(1), expected, "{why}");
        assert_eq!(cluster.disks[&1].entries, cluster.log(1), "{why}");
    }
}

#[test]
fn the_commit_index_stops_at_what_is_known_to_match() {
    for (previous, news, commit, expected) in [
        ((1, 1), &[][..], 3, 1),
        ((1, 1), &[1][..], 3, 2),
        ((3, 1), &[][..], 2, 2),
        ((3, 1), &[2][..], 9, 4),
    ] {
        let mut cluster = Cluster::alone(2, &[1, 1, 1]);
        cluster.hear(1, 2, 2, append(previous, news, commit));
        assert_eq!(cluster.commit(1), expected, "{previous:?} {news:?}");
    }
    let mut cluster = Cluster::alone(2, &[1, 1, 1]);
    cluster.hear(1, 2, 2, append((3, 1), &[], 3));
    cluster.hear(1, 2, 2, append((3, 1), &[], 1));
    assert_eq!(cluster.commit(1), 3, "it never goes back");
}

#[test]
fn an_append_behind_an_entry_that_is_not_there_is_refused_with_the_place_to_try() {
    let log = [1, 1, 4, 4, 4];
    for (previous, term, first_index) in [
        ((9, 6), None, 6),
        ((5, 6), Some(4), 3),
        ((2, 6), Some(1), 1),
    ] {
        let mut cluster = Cluster::alone(6, &log);
        let answer = cluster.hear(1, 2, 6, append(previous, &[6], 9));
        let expected = Body::Conflict {
            previous_index: previous.0,
            term,
            first_index,
            round: 0,
        };
        assert_eq!(answer[0].body, expected);
        assert_eq!((cluster.terms(1), cluster.commit(1)), (log.to_vec(), 0));
    }
}

#[test]
fn the_match_index_is_what_the_answered_message_spoke_of_and_never_goes_down() {
    let mut cluster = Cluster::leader_alone(1, &[]);
    cluster.hear(1, 2, 2, appended(1, 0));
    for command in ["a", "b"] {
        cluster.propose(1, command);
    }
    let matched = |cluster: &Cluster| cluster.node(1).status().matched;
    cluster.hear(1, 2, 2, appended(2, 0));
    assert_eq!(matched(&cluster), [(2, 2), (3, 0)]);
    assert_eq!(
        cluster.commit(1),
        2,
        "the next message is under way, not there"
    );
    cluster.hear(1, 2, 2, appended(1, 0));
    assert_eq!(matched(&cluster), [(2, 2), (3, 0)], "a late answer");
    let conflict = Body::Conflict {
        previous_index: 1,
        term: None,
        first_index: 1,
        round: 0,
    };
    cluster.hear(1, 2, 2, conflict);
    assert_eq!(matched(&cluster), [(2, 2), (3, 0)]);
    cluster.hear(1, 2, 2, appended(99, 0));
    assert_eq!(matched(&cluster), [(2, 2), (3, 0)], "what nobody sent");
}

/// How many messages a leader needs to find where a follower's log parts from its own.
fn rounds(leader: &[Term], follower: &[Term]) -> usize {
    let term = leader.iter().chain(follower).max().copied().unwrap_or(0);
    let disks = [(1, leader), (2, follower), (3, leader)];
    let disks = disks.map(|(id, log)| (id, stopped(1..=3, term, log)));
    let mut cluster = Cluster::from(disks, Config::default());
    cluster.isolated.insert(2);
    cluster.elect(1);
    cluster.isolated.clear();
    let mut conflicts = 0;
    cluster.pass(Duration::from_millis(51));
    cluster.now += Duration::from_millis(50);
    cluster.step(1, Input::Tick);
    while let Some(message) = cluster.messages.pop_front() {
        conflicts += usize::from(matches!(message.body, Body::Conflict { .. }));
        cluster.deliver(message);
    }
    cluster.pass(LONG);
    assert_eq!(cluster.log(2), cluster.log(1), "{leader:?} {follower:?}");
    conflicts
}

#[test]
fn backing_up_ends_for_every_log_and_takes_at_most_a_message_a_term() {
    for (leader, follower, most) in [
        (&[1, 1, 1][..], &[][..], 1),
        (&[1, 1, 1, 1, 1, 1], &[1], 1),
        (&[1], &[1, 1, 1, 1, 1, 1], 0),
        (&LEADER, &[1, 1, 1, 4, 4, 4, 4], 2),
        (&LEADER, &[1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3], 2),
        (&[9; 1000], &[8; 1000], 1),
        (&[], &[], 0),
        (&[5, 5, 5], &[1, 2, 3], 3),
        (
            &[1, 3, 5, 7, 9, 11, 13, 15],
            &[2, 4, 6, 8, 10, 12, 14, 14],
            8,
        ),
    ] {
        let found = rounds(leader, follower);
        assert!(found <= most, "{leader:?} {follower:?}: {found} conflicts");
    }
}

#[test]
fn any_two_logs_become_one_with_at_most_a_conflict_a_term() {
    // Every pair of logs of up to four entries with terms 1 to 3, where Log Matching allows it.
    let mut logs = vec![vec![]];
    for at in 0.. {
        let Some(log): Option<&Vec<Term>> = logs.get(at) else {
            break;
        };
        let log = log.clone();
        let least = log.last().copied().unwrap_or(1);
        if log.len() < 4 {
            logs.extend((least..=3).map(|term| [&log[..], &[term]].concat()));
        }
    }
    assert_eq!(logs.len(), 35);
    let mut pairs = 0;
    for leader in &logs {
        for follower in logs.iter().filter(|other| may_meet(leader, other)) {
            let terms = follower.iter().collect::<std::collections::BTreeSet<_>>();
            assert!(rounds(leader, follower) <= terms.len() + 1);
            pairs += 1;
        }
    }
    assert!(pairs > 300, "{pairs}");
}

/// Whether the leader could have been elected: where both have an entry of the same index and
/// term, all before it is the same (Log Matching); and a term has one leader, so its entries stand
/// in one place.
fn may_meet(leader: &[Term], follower: &[Term]) -> bool {
    let same = leader
        .iter()
        .zip(follower)
        .take_while(|(a, b)| a == b)
        .count();
    let (mine, other) = (&leader[same..], &follower[same..]);
    mine.iter().all(|term| !other.contains(term))
}

#[test]
fn an_append_that_reaches_back_behind_the_followers_base_is_taken() {
    let compacted = |keep_entries| {
        let mut cluster = Cluster::from(
            [(1, stopped(1..=3, 2, &[1, 1, 2, 2]))],
            Config {
                keep_entries,
                ..Config::default()
            },
        );
        cluster.hear(1, 2, 2, append((4, 2), &[], 4));
        assert_eq!(cluster.compact(1, "all"), 4);
        cluster
    };
    for keep in [0, 2] {
        for (previous, news, matched) in [
            ((0, 0), &[1, 1, 2, 2, 2][..], 5),
            ((1, 1), &[1, 2, 2, 2, 2], 6),
            ((1, 1), &[], 4 - keep),
            ((1, 1), &[1], 4 - keep),
            ((3, 2), &[2], 4),
        ] {
            let mut cluster = compacted(keep);
            let answer = cluster.hear(1, 2, 2, append(previous, news, 4));
            assert_eq!(
                answer[0].body,
                appended(matched, 0),
                "{previous:?} {news:?}"
            );
            assert_eq!(cluster.node(1).status().last_index, matched.max(4));
        }
    }
    let mut cluster = compacted(0);
    cluster.hear(1, 2, 3, append((2, 1), &[1, 1, 3], 4));
    assert_eq!(
        cluster.node(1).status().last_index,
        4,
        "the base is committed: no leader has another"
    );
}

#[test]
fn a_leader_whose_guess_lies_behind_a_followers_base_feeds_it_from_there() {
    let mut cluster = Cluster::of(3);
    cluster.elect(1);
    for command in ["a", "b", "c"] {
        cluster.propose(1, command);
        cluster.settle();
    }
    // The follower has compacted all; then its leader forgets how far it was.
    let keep_entries = 0;
    cluster.crash(2);
    let mut disk = cluster.disks[&2].clone();
    disk.snapshot = whole(4, 1, "abc");
    disk.entries.clear();
    let mut others = [1, 3].map(|id| (id, cluster.disks[&id].clone())).to_vec();
    others.push((2, disk));
    let mut cluster = Cluster::from(
        others,
        Config {
            keep_entries,
            ..Config::default()
        },
    );
    cluster.elect(1);
    // A probe from before what the follower still has.
    let probe = append((1, 1), &[1, 1, 1], 4);
    let term = cluster.term(1);
    let answers = cluster.hear(2, 1, term, probe);
    assert_eq!(answers[0].body, appended(4, 0));
    cluster.propose(1, "d");
    cluster.pass(LONG);
    assert_eq!(cluster.log(2).last(), cluster.log(1).last());
}

#[test]
fn applying_is_exactly_once_in_order_after_commit_also_across_restart_and_snapshot() {
    let mut cluster = Cluster::with(
        3,
        Config {
            keep_entries: 0,
            ..Config::default()
        },
    );
    cluster.elect(1);
    for round in 0..6 {
        cluster.propose(1, &round.to_string());
        cluster.pass(Duration::from_millis(120));
        if round == 2 {
            cluster.compact(3, "0 1 2");
        }
        if round == 4 {
            cluster.applied.insert(3, Vec::new());
            cluster.start(3);
        }
    }
    cluster.pass(LONG);
    assert_eq!(cluster.commands(1), ["0", "1", "2", "3", "4", "5"]);
    assert_eq!(cluster.commands(3), ["3", "4", "5"], "behind the snapshot");
    let Some(Apply::Snapshot(snapshot)) = cluster.applied[&3].first() else {
        panic!("the first thing after a restart is the snapshot");
    };
    assert_eq!(snapshot.data, Command::from("0 1 2"));
    assert!(cluster.agree());
}

#[test]
fn nothing_is_applied_before_it_is_committed() {
    let mut cluster = Cluster::alone(1, &[]);
    cluster.hear(1, 2, 1, append((0, 0), &[1, 1], 0));
    assert!(cluster.commands(1).is_empty());
    cluster.hear(1, 2, 1, append((2, 1), &[], 1));
    assert_eq!(cluster.commands(1), ["1.1"]);
    cluster.hear(1, 2, 1, append((2, 1), &[], 2));
    assert_eq!(cluster.commands(1), ["1.1", "1.2"]);
}

#[test]
fn no_leader_can_make_a_node_give_up_what_is_committed() {
    let mut cluster = Cluster::alone(1, &[1, 1]);
    cluster.hear(1, 2, 1, append((2, 1), &[], 2));
    assert_eq!(cluster.hear(1, 3, 2, append((0, 0), &[2, 2, 2], 3)), []);
    assert_eq!((cluster.terms(1), cluster.commit(1)), (vec![1, 1], 2));
}

#[test]
fn a_leader_never_cuts_its_own_log() {
    let mut cluster = Cluster::leader_alone(1, &[1]);
    cluster.hear(1, 3, 2, append((0, 0), &[2], 1));
    assert_eq!(
        (cluster.role(1), cluster.terms(1)),
        (RoleName::Leader, vec![1, 2])
    );
}

#[test]
fn an_isolated_leaders_uncommitted_entries_give_way_when_it_returns() {
    let mut cluster = Cluster::of(3);
    cluster.elect(1);
    cluster.isolated.insert(1);
    for command in ["lost", "too"] {
        cluster.propose(1, command);
    }
    cluster.pass(LONG);
    let [leader] = cluster.leaders()[..] else {
        panic!("{:?}", cluster.leaders());
    };
    cluster.propose(leader, "kept");
    cluster.pass(LONG);
    cluster.isolated.clear();
    cluster.pass(LONG);
    for id in 1..=3 {
        assert_eq!(cluster.commands(id), ["kept"], "node {id}");
    }
}

#[test]
fn at_most_so_many_messages_of_so_many_bytes_are_under_way() {
    let config = Config {
        max_in_flight: 3,
        max_batch: 1,
        ..Config::default()
    };
    let mut cluster = Cluster::from([(1, stopped(1..=3, 1, &[]))], config);
    cluster.win(1);
    cluster.hear(1, 2, 2, appended(1, 0));
    cluster.messages.clear();
    for _ in 0..9 {
        cluster.propose(1, "x");
    }
    let sent = |message: &&Message| message.to == 2 && message.body.name() == "AppendEntries";
    assert_eq!(cluster.messages.iter().filter(sent).count(), 3);
    let next = cluster.hear(1, 2, 2, appended(2, 0));
    assert_eq!(
        next.iter().filter(sent).count(),
        1,
        "a reply makes room for one"
    );
}
