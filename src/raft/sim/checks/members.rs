//! Memberships: the one in effect is the log's last, and adjacent ones overlap (§6).

use std::collections::BTreeSet;

use super::{Checked, Rule, must};
use crate::raft::Log;
use crate::raft::sim::words::membership_words;
use crate::raft::{Membership, NodeId, Payload};

/// With more voters than this, the quorums are not enumerated.
const MOST: usize = 12;

/// The members in effect are those that the log's last membership entry names, or its
/// snapshot.
pub(super) fn in_effect(id: NodeId, log: &Log) -> Checked {
    let last = log.entries().rev().find_map(|entry| match &entry.payload {
        Payload::Membership(membership) => Some(membership),
        _ => None,
    });
    let expected = last.unwrap_or(&log.snapshot().membership);
    let members = log.membership();
    must(members == expected, Rule::Membership, || {
        let (acts, says) = (membership_words(members), membership_words(expected));
        format!("node {id} acts on members {acts}, its log says {says}")
    })
}

/// Each quorum of one has a node in each quorum of the other: two leaders cannot be elected, nor
/// two entries committed, one by each.
pub(super) fn overlap(one: &Membership, other: &Membership) -> Checked {
    let voters: BTreeSet<NodeId> = [&one.voters, &one.outgoing, &other.voters, &other.outgoing]
        .into_iter()
        .flatten()
        .copied()
        .collect();
    let voters: Vec<NodeId> = voters.into_iter().collect();
    if voters.len() > MOST || one.voters.is_empty() {
        return Ok(());
    }
    for chosen in 0_u32..1 << voters.len() {
        let place = |node| {
            voters
                .iter()
                .position(|&voter| voter == node)
                .unwrap_or(MOST)
        };
        let in_one = |node| chosen >> place(node) & 1 == 1;
        if one.has_quorum(in_one) {
            must(
                !other.has_quorum(|node| !in_one(node)),
                Rule::Membership,
                || {
                    let (one, other) = (membership_words(one), membership_words(other));
                    format!("members {one}, then {other}: a quorum of each, and no node in both")
                },
            )?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_more_overlaps_and_two_do_not_without_a_joint_membership() {
        let three = Membership::of(1..=3);
        assert_eq!(overlap(&three, &Membership::of(1..=4)), Ok(()));
        assert!(overlap(&three, &Membership::of(1..=5)).is_err());
        let mut joint = Membership::of(1..=5);
        joint.outgoing = [1, 2, 3].into();
        assert_eq!(overlap(&three, &joint), Ok(()));
        assert_eq!(overlap(&joint, &Membership::of(1..=5)), Ok(()));
    }
}
