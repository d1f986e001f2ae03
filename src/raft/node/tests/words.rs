//! Short forms for the tests of the core: logs, disks, messages.
//!
//! A log is a list of terms, as in the paper's Figures 7 and 8; its commands are named after term
//! and index.

use crate::raft::storage::Restored;
use crate::raft::{
    Ballot, Body, Command, Entry, HardState, Index, Membership, Message, NodeId, Payload, Snapshot,
    SnapshotMeta, Term,
};

/// The start of a founding node.
pub fn founding(members: &Membership) -> Restored {
    let mut restored = Restored::default();
    restored.snapshot.meta.membership = members.clone();
    restored
}

/// What a founding node finds on its disk if it stopped in this term, without a vote.
pub fn stopped(voters: impl IntoIterator<Item = NodeId>, term: Term, log: &[Term]) -> Restored {
    Restored {
        hard_state: HardState { term, vote: None },
        entries: entries(log),
        ..founding(&Membership::of(voters))
    }
}

/// The meta of a snapshot of voters 1 to 3.
pub fn meta(last_index: Index, last_term: Term) -> SnapshotMeta {
    SnapshotMeta {
        last_index,
        last_term,
        membership: Membership::of(1..=3),
    }
}

/// A snapshot of voters 1 to 3.
pub fn whole(last_index: Index, last_term: Term, data: &str) -> Snapshot {
    Snapshot {
        meta: meta(last_index, last_term),
        data: Command::from(data),
    }
}

/// A part of the snapshot of such a cluster.
pub fn part(last: (Index, Term), offset: u64, data: &str, done: bool) -> Body {
    Body::InstallSnapshot {
        meta: meta(last.0, last.1),
        offset,
        data: Command::from(data),
        done,
        round: 0,
    }
}

/// Asks for a vote.
pub fn request(ballot: Ballot, last: (Index, Term)) -> Body {
    let (last_index, last_term) = last;
    Body::RequestVote {
        ballot,
        last_index,
        last_term,
    }
}

/// The answer.
pub fn vote(ballot: Ballot, granted: bool) -> Body {
    Body::Vote { ballot, granted }
}

/// Whether a vote was given, or promised by a pre-vote, in one of these.
pub fn granted(messages: &[Message]) -> bool {
    let is_vote = |message: &Message| matches!(message.body, Body::Vote { granted: true, .. });
    messages.iter().any(is_vote)
}

/// All up to `matched` is there.
pub fn appended(matched: Index, round: u64) -> Body {
    Body::Appended { matched, round }
}

/// An append of entries with these terms after an entry; committed up to `commit`.
pub fn append(previous: (Index, Term), terms: &[Term], commit: Index) -> Body {
    let (previous_index, previous_term) = previous;
    Body::AppendEntries {
        previous_index,
        previous_term,
        entries: entries_behind(previous_index, terms),
        commit,
        round: 0,
    }
}

/// A log with these terms, from index 1 on.
pub fn entries(terms: &[Term]) -> Vec<Entry> {
    entries_behind(0, terms)
}

fn entries_behind(previous: Index, terms: &[Term]) -> Vec<Entry> {
    let entry = |(index, &term)| Entry {
        term,
        index,
        payload: Payload::Command(Command::from(&format!("{term}.{index}"))),
    };
    (previous + 1..).zip(terms).map(entry).collect()
}
