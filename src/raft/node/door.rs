//! Messages that no node of a cluster sends: they are dropped before any rule sees them.
//!
//! Raft trusts its members, and the transport admits no others; but a bit may flip, and a
//! programmer may err. These bounds let the rest of the core count without overflow, and keep a log
//! whose terms only grow, on which Log Matching (Figure 3) rests.

use super::Node;
use crate::raft::message::{Body, Message};

/// Above every real term and index: a million a second for 146,000 years. Two of them
/// can be added without overflow.
const HIGHEST: u64 = 1 << 62;

impl Node {
    /// Takes a message from outside, if it is for this node, from another one, and possible.
    pub(super) fn hear(&mut self, message: Message) {
        if message.to == self.id && message.from != self.id && is_possible(&message) {
            self.receive(message);
        }
    }
}

/// Whether a node could have sent it. A log's terms are never above its node's term, and a
/// candidate has raised its own. (The entries of an append are checked where they are stored.)
fn is_possible(message: &Message) -> bool {
    let term = message.term;
    let possible = match &message.body {
        Body::RequestVote {
            last_index,
            last_term,
            ..
        } => *last_index <= HIGHEST && *last_term < term,
        Body::AppendEntries {
            previous_index,
            previous_term,
            ..
        } => *previous_index <= HIGHEST && *previous_term <= term,
        Body::InstallSnapshot { meta, .. } => meta.last_index <= HIGHEST && meta.last_term <= term,
        // Replies are compared with what was sent.
        Body::Vote { .. }
        | Body::Appended { .. }
        | Body::Conflict { .. }
        | Body::SnapshotReceived { .. }
        | Body::TimeoutNow => true,
    };
    possible && term <= HIGHEST
}
