//! Each planted bug is really a bug: with it a small run breaks a promise, without it the run does
//! not. (The simulation must find them by itself: `sim/hunt.rs`.)

use std::time::Duration;

use super::cluster::Cluster;
use super::log::figure_8;
use super::membership::change_in_a_partition;
use super::words::{append, appended, granted, part, request, stopped, vote, whole};
use crate::raft::{Apply, Ballot, Body, Config, Flaw, Membership, Payload, RoleName, Term};

#[test]
fn each_planted_bug_breaks_a_promise_and_nothing_else_does() {
    for flaw in Flaw::ALL {
        assert!(keeps_promise(flaw, None), "{flaw:?} is not planted");
        assert!(!keeps_promise(flaw, Some(flaw)), "{flaw:?} breaks nothing");
    }
}

/// Plays the run that shows this bug, with `planted`; true if the promise was kept.
fn keeps_promise(shown: Flaw, planted: Option<Flaw>) -> bool {
    match shown {
        Flaw::VoteNotPersisted => one_vote_across_a_crash(planted),
        Flaw::AnswerBeforeStable => answer_after_the_write(planted),
        Flaw::VoteTwice => one_vote_a_term(planted),
        Flaw::VoteForStaleLog => committed_entries_outlive_an_election(planted),
        Flaw::CountRepeatedVotes => three_of_five_elect(planted),
        Flaw::CountVotesOfEarlierTerms => votes_of_the_own_term_elect(planted),
        Flaw::CountAnswersOfEarlierTerms => answers_of_the_own_term_commit(planted),
        Flaw::CommitOldTerm => figure_8(false, planted).0.agree(),
        Flaw::TruncateOnStaleAppend => what_was_acknowledged_stays(planted),
        Flaw::CommitBeyondMatch => the_leaders_entry_is_applied(planted),
        Flaw::MatchFromNext => a_majority_has_what_is_committed(planted),
        Flaw::AppendWithoutMatch => logs_match_before_an_entry(planted),
        Flaw::CountUnstableSelf => a_majority_of_disks_has_what_is_committed(planted),
        Flaw::ReadWithoutQuorum | Flaw::ReadByEarlierRound => a_deposed_leader_reads(planted),
        Flaw::ReadBeforeNoOp => a_new_leader_reads(planted),
        Flaw::SingleStepChange | Flaw::JointByNewMajority => change_in_a_partition(planted),
        Flaw::MembershipNotUndone => members_go_with_their_entry(planted),
        Flaw::SnapshotOfLaterMembers => a_snapshot_has_the_members_of_its_index(planted),
        Flaw::SnapshotKeepsLog => a_snapshot_replaces_another_log(planted),
        Flaw::InstallStaleSnapshot => the_state_never_goes_back(planted),
        Flaw::TimerResetByRefusedVote => a_vain_candidate_delays_nobody(planted),
    }
}

fn alone(flaw: Option<Flaw>, term: Term, log: &[Term]) -> Cluster {
    let mut cluster = Cluster::alone(term, log);
    cluster.plant(flaw);
    cluster
}

fn leader_alone(flaw: Option<Flaw>, term: Term, log: &[Term]) -> Cluster {
    let mut cluster = alone(flaw, term, log);
    cluster.win(1);
    cluster
}

/// Two candidates of a term, and a voter that crashes between them.
fn one_vote_across_a_crash(flaw: Option<Flaw>) -> bool {
    let mut cluster = alone(flaw, 1, &[]);
    let ask = request(Ballot::Real, (0, 0));
    assert!(granted(&cluster.hear(1, 2, 2, ask.clone())));
    cluster.start(1);
    !granted(&cluster.hear(1, 3, 2, ask))
}

/// A follower acknowledges an entry, and crashes: does it still have the entry?
fn answer_after_the_write(flaw: Option<Flaw>) -> bool {
    let mut cluster = alone(flaw, 1, &[]);
    cluster.slow.insert(1);
    let answer = cluster.hear(1, 2, 1, append((0, 0), &[1], 0));
    let said = answer.iter().any(|message| message.body == appended(1, 0));
    cluster.start(1);
    !said || cluster.terms(1) == [1]
}

/// Two candidates of a term.
fn one_vote_a_term(flaw: Option<Flaw>) -> bool {
    let mut cluster = alone(flaw, 1, &[]);
    let ask = request(Ballot::Real, (0, 0));
    assert!(granted(&cluster.hear(1, 2, 2, ask.clone())));
    !granted(&cluster.hear(1, 3, 2, ask))
}

/// An entry is committed by nodes 1 and 2; then node 3, which lacks it, asks for votes.
fn committed_entries_outlive_an_election(flaw: Option<Flaw>) -> bool {
    let mut cluster = Cluster::of(3);
    cluster.plant(flaw);
    cluster.elect(1);
    cluster.isolated.insert(3);
    cluster.propose(1, "committed");
    cluster.settle();
    cluster.isolated = [1].into();
    for _ in 0..3 {
        cluster.forget_leaders();
        cluster.time_out(3);
        cluster.settle();
    }
    cluster.agree()
}

/// One voter of four others answers three times.
fn three_of_five_elect(flaw: Option<Flaw>) -> bool {
    let mut cluster = Cluster::from([(1, stopped(1..=5, 1, &[]))], Config::default());
    cluster.time_out(1);
    for from in [2, 3] {
        cluster.hear(1, from, 2, vote(Ballot::Pre, true));
    }
    cluster.plant(flaw);
    for _ in 0..3 {
        cluster.hear(1, 2, 2, vote(Ballot::Real, true));
    }
    cluster.role(1) == RoleName::Candidate
}

/// A candidate's second election, and a vote for its first.
fn votes_of_the_own_term_elect(flaw: Option<Flaw>) -> bool {
    let mut cluster = alone(flaw, 1, &[]);
    for term in [2, 3] {
        cluster.time_out(1);
        cluster.hear(1, 2, term, vote(Ballot::Pre, true));
    }
    cluster.hear(1, 2, 2, vote(Ballot::Real, true));
    cluster.role(1) == RoleName::Candidate
}

/// Node 2 acknowledged entries to node 1 in an earlier term, and may have lost them since.
fn answers_of_the_own_term_commit(flaw: Option<Flaw>) -> bool {
    let mut cluster = leader_alone(flaw, 1, &[1]);
    cluster.hear(1, 2, 1, appended(2, 0));
    cluster.commit(1) == 0
}

/// A message of one entry comes late, when two more were acknowledged.
fn what_was_acknowledged_stays(flaw: Option<Flaw>) -> bool {
    let mut cluster = alone(flaw, 1, &[]);
    let answer = cluster.hear(1, 2, 1, append((0, 0), &[1, 1, 1], 0));
    assert_eq!(answer[0].body, appended(3, 0));
    cluster.hear(1, 2, 1, append((0, 0), &[1], 0));
    cluster.terms(1) == [1, 1, 1]
}

/// A heartbeat with a commit index above the entries that it shows to match.
fn the_leaders_entry_is_applied(flaw: Option<Flaw>) -> bool {
    let mut cluster = alone(flaw, 2, &[1, 1]);
    cluster.hear(1, 2, 2, append((1, 1), &[], 2));
    cluster.hear(1, 2, 2, append((1, 1), &[2], 2));
    cluster.commands(1) == ["1.1", "2.2"]
}

/// Two messages are in flight, the first one is answered.
fn a_majority_has_what_is_committed(flaw: Option<Flaw>) -> bool {
    let mut cluster = leader_alone(flaw, 1, &[]);
    cluster.hear(1, 2, 2, appended(1, 0));
    for command in ["a", "b"] {
        cluster.propose(1, command);
    }
    cluster.hear(1, 2, 2, appended(2, 0));
    cluster.commit(1) == 2
}

/// An entry of term 3 after one of term 2 that this log does not have.
fn logs_match_before_an_entry(flaw: Option<Flaw>) -> bool {
    let mut cluster = alone(flaw, 3, &[1, 1]);
    cluster.hear(1, 2, 3, append((2, 2), &[3], 3));
    cluster.commands(1).is_empty() && cluster.terms(1) == [1, 1]
}

/// One follower has the entry, the leader's own disk not yet.
fn a_majority_of_disks_has_what_is_committed(flaw: Option<Flaw>) -> bool {
    let mut cluster = leader_alone(flaw, 1, &[]);
    cluster.slow.insert(1);
    cluster.propose(1, "a");
    cluster.hear(1, 2, 2, appended(2, 0));
    let on_disks = 1 + u64::from(cluster.disks[&1].entries.len() >= 2);
    cluster.commit(1) < 2 || on_disks >= 2
}

/// Node 1 still leads in its partition while node 2 has committed more.
fn a_deposed_leader_reads(flaw: Option<Flaw>) -> bool {
    let mut cluster = Cluster::of(3);
    cluster.elect(1);
    cluster.plant(flaw);
    cluster.isolated.insert(1);
    cluster.elect_beside(2, &[1]);
    cluster.propose(2, "newer");
    cluster.settle();
    assert_eq!(cluster.commands(2), ["newer"]);
    cluster.read(1, 1);
    cluster.settle();
    cluster.reads.is_empty()
}

/// Node 2 has an entry that node 1 committed and does not know it yet.
fn a_new_leader_reads(flaw: Option<Flaw>) -> bool {
    let mut cluster = leader_alone(flaw, 1, &[1]);
    cluster.read(1, 1);
    cluster.hear(1, 2, 2, appended(0, 1));
    cluster.reads.is_empty() || cluster.commands(1) == ["1.1"]
}

/// A change that was never committed gives way to another leader's entry.
fn members_go_with_their_entry(flaw: Option<Flaw>) -> bool {
    let mut cluster = alone(flaw, 1, &[1]);
    let mut change = append((1, 1), &[1], 0);
    if let Body::AppendEntries { entries, .. } = &mut change {
        entries[0].payload = Payload::Membership(Membership::of([1]));
    }
    cluster.hear(1, 2, 1, change);
    cluster.hear(1, 3, 2, append((1, 1), &[2], 0));
    // Now see which nodes it counts as a majority.
    cluster.forget_leaders();
    cluster.time_out(1);
    cluster.role(1) != RoleName::Leader && cluster.node(1).log().membership().voters.len() == 3
}

/// A snapshot is made while the log has a later membership that may still be undone.
fn a_snapshot_has_the_members_of_its_index(flaw: Option<Flaw>) -> bool {
    let mut cluster = alone(flaw, 1, &[1]);
    let mut change = append((1, 1), &[1], 1);
    if let Body::AppendEntries { entries, .. } = &mut change {
        entries[0].payload = Payload::Membership(Membership::of([1]));
    }
    cluster.hear(1, 2, 1, change);
    cluster.compact(1, "state");
    cluster.node(1).log().snapshot().membership.voters.len() == 3
}

/// A snapshot of index 2 comes to a log that never was the leader's.
fn a_snapshot_replaces_another_log(flaw: Option<Flaw>) -> bool {
    let mut cluster = alone(flaw, 3, &[1, 1]);
    cluster.hear(1, 2, 3, part((2, 2), 0, "state", true));
    let applied = cluster.applied.get(&1).map_or(&[][..], Vec::as_slice);
    applied == [Apply::Snapshot(whole(2, 2, "state"))]
}

/// A snapshot comes late, when more has been applied.
fn the_state_never_goes_back(flaw: Option<Flaw>) -> bool {
    let mut cluster = alone(flaw, 1, &[1, 1, 1]);
    cluster.hear(1, 2, 1, append((3, 1), &[], 3));
    cluster.hear(1, 2, 1, part((2, 1), 0, "older", true));
    cluster.terms(1) == [1, 1, 1] && cluster.applied[&1].len() == 3
}

/// Node 2's log is behind, and it asks again and again; node 1 could win.
fn a_vain_candidate_delays_nobody(flaw: Option<Flaw>) -> bool {
    let mut cluster = alone(flaw, 1, &[1]);
    for term in 2..20 {
        cluster.pass(Duration::from_millis(100));
        cluster.hear(1, 2, term, request(Ballot::Real, (0, 0)));
    }
    let tried = |(_, event): &(u64, crate::raft::Event)| {
        let role = RoleName::PreCandidate;
        matches!(event, crate::raft::Event::Became { role: became, .. } if *became == role)
    };
    cluster.events.iter().any(tried)
}
