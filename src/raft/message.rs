//! What nodes send each other: the three RPCs of the paper and their replies, as messages.
//!
//! | message | source |
//! |---|---|
//! | [`Body::RequestVote`], [`Body::Vote`] | Figure 2; pre-vote: dissertation §9.6 |
//! | [`Body::AppendEntries`], [`Body::Appended`], [`Body::Conflict`] | Figure 2; back-up by term: §5.3 |
//! | [`Body::InstallSnapshot`], [`Body::SnapshotReceived`] | Figure 13 |
//! | [`Body::TimeoutNow`] | dissertation §3.10 |
//!
//! Each carries its sender's term. A message may be lost, repeated, late or out of order: the
//! receiver decides by its contents, never by what it expects.

use super::entry::{Command, Entry, Index, NodeId, SnapshotMeta, Term};

crate::wire! {
    /// One message from node to node.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Message {
        /// Its sender.
        pub from: NodeId,
        /// Its receiver.
        pub to: NodeId,
        /// The sender's term; a pre-vote's is the term that it would campaign in.
        pub term: Term,
        /// What it says.
        pub body: Body
    }

    /// Which kind of election a vote is for.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Ballot {
        /// Would you vote for me? Changes nothing at the receiver.
        Pre,
        /// Vote for me.
        Real,
        /// Vote for me although you have heard a leader: it asked me to (transfer).
        Transfer
    }

    /// What a message says.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Body {
        /// Asks for a vote.
        RequestVote {
            /// Which kind.
            ballot: Ballot,
            /// The candidate's last log entry.
            last_index: Index,
            /// That entry's term.
            last_term: Term
        },
        /// The answer to it.
        Vote {
            /// Which kind was asked for.
            ballot: Ballot,
            /// Whether the candidate has it.
            granted: bool
        },
        /// New entries, or none: a heartbeat.
        AppendEntries {
            /// The entry before the new ones.
            previous_index: Index,
            /// That entry's term.
            previous_term: Term,
            /// What to store after it.
            entries: Vec<Entry>,
            /// The leader's commit index.
            commit: Index,
            /// Counts the leader's rounds of messages; it comes back with the reply (reads, §8).
            round: u64
        },
        /// The sender's log equals the leader's up to here, on stable storage.
        Appended {
            /// The last index of the message that this answers.
            matched: Index,
            /// The round of the answered message.
            round: u64
        },
        /// The entry before the new ones is not the leader's.
        Conflict {
            /// The previous index of the answered message.
            previous_index: Index,
            /// The term of the entry at that index, if there is one.
            term: Option<Term>,
            /// The first index of that term; without an entry, the end of the log plus one.
            first_index: Index,
            /// The round of the answered message.
            round: u64
        },
        /// A part of the leader's snapshot.
        InstallSnapshot {
            /// Which snapshot.
            meta: SnapshotMeta,
            /// Where in its data the part belongs, in bytes.
            offset: u64,
            /// The part.
            data: Command,
            /// Whether it is the last.
            done: bool,
            /// As in [`Body::AppendEntries`].
            round: u64
        },
        /// How far the snapshot has come.
        SnapshotReceived {
            /// Which snapshot, by its last index.
            last_index: Index,
            /// The bytes that are there without a gap: what to send from.
            offset: u64,
            /// The round of the answered message.
            round: u64
        },
        /// Campaign at once: the leader hands over.
        TimeoutNow
    }
}

impl Body {
    /// Its name, as the paper has it.
    pub fn name(&self) -> &'static str {
        match self {
            Body::RequestVote {
                ballot: Ballot::Pre,
                ..
            } => "PreVote",
            Body::RequestVote { .. } => "RequestVote",
            Body::Vote {
                ballot: Ballot::Pre,
                ..
            } => "PreVoteReply",
            Body::Vote { .. } => "Vote",
            Body::AppendEntries { entries, .. } if entries.is_empty() => "Heartbeat",
            Body::AppendEntries { .. } => "AppendEntries",
            Body::Appended { .. } => "Appended",
            Body::Conflict { .. } => "Conflict",
            Body::InstallSnapshot { .. } => "InstallSnapshot",
            Body::SnapshotReceived { .. } => "SnapshotReceived",
            Body::TimeoutNow => "TimeoutNow",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::Payload;
    use crate::wire::{decode, encode};

    #[test]
    fn an_append_of_one_entry_is_these_bytes() {
        let entry = Entry {
            term: 3,
            index: 8,
            payload: Payload::Command(Command::from("put x 1")),
        };
        let message = Message {
            from: 1,
            to: 2,
            term: 3,
            body: Body::AppendEntries {
                previous_index: 7,
                previous_term: 2,
                entries: vec![entry],
                commit: 7,
                round: 40,
            },
        };
        let bytes = [
            &[0, 0, 0, 0][..],                                          // no texts
            &[1, 0, 0, 0, 0, 0, 0, 0],                                  // from
            &[2, 0, 0, 0, 0, 0, 0, 0],                                  // to
            &[3, 0, 0, 0, 0, 0, 0, 0],                                  // term
            &[2],                                                       // AppendEntries
            &[7, 0, 0, 0, 0, 0, 0, 0],                                  // previous index
            &[2, 0, 0, 0, 0, 0, 0, 0],                                  // previous term
            &[1, 0, 0, 0],                                              // one entry:
            &[3, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0],          // its term and index
            &[1, 7, 0, 0, 0, b'p', b'u', b't', b' ', b'x', b' ', b'1'], // a command
            &[7, 0, 0, 0, 0, 0, 0, 0],                                  // commit index
            &[40, 0, 0, 0, 0, 0, 0, 0],                                 // round
        ]
        .concat();
        assert_eq!(encode(&message).unwrap(), bytes);
        assert_eq!(decode::<Message>(&bytes).unwrap(), message);
    }

    #[test]
    fn a_message_that_is_cut_anywhere_is_an_error() {
        let message = Message {
            from: 1,
            to: 2,
            term: 3,
            body: Body::InstallSnapshot {
                meta: SnapshotMeta {
                    last_index: 9,
                    last_term: 2,
                    membership: crate::raft::Membership::of([1, 2, 3]),
                },
                offset: 0,
                data: Command::from("all of it"),
                done: true,
                round: 1,
            },
        };
        let bytes = encode(&message).unwrap();
        assert_eq!(decode::<Message>(&bytes).unwrap(), message);
        for len in 0..bytes.len() {
            assert!(decode::<Message>(&bytes[..len]).is_err(), "cut at {len}");
        }
    }
}
