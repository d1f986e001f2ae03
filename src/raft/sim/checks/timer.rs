//! A refused vote does not reset the election timer (§5.2).

use std::time::Duration;

use super::{Checked, Rule, must};
use crate::raft::{Body, HardState, Input, Node, NodeId, RoleName};

/// A node's state before it was asked for its vote.
pub(in crate::raft::sim) struct Asked {
    deadline: Duration,
    hard: HardState,
}

/// Before a step: `None` if it is no request for a vote, or the node has another timer.
pub(in crate::raft::sim) fn before(input: &Input, node: &Node) -> Option<Asked> {
    let asked = matches!(input, Input::Message(message) if matches!(message.body, Body::RequestVote { .. }));
    (asked && node.role() == RoleName::Follower).then(|| Asked {
        deadline: node.deadline(),
        hard: node.hard_state(),
    })
}

/// After it: the deadline moved only with a vote.
pub(in crate::raft::sim) fn after(asked: Option<Asked>, id: NodeId, node: &Node) -> Checked {
    let Some(Asked { deadline, hard }) = asked else {
        return Ok(());
    };
    let now = node.hard_state();
    // A repeated request gets the vote again that it already has.
    let voted = now.vote.is_some() && (now != hard || now.vote == hard.vote);
    must(
        voted || node.deadline() <= deadline,
        Rule::ElectionTimer,
        || format!("node {id} refused its vote and set its election timer back"),
    )
}
