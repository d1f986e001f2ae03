//! Which nodes belong to the cluster, and what a majority of it is (§6, joint consensus).
//!
//! A membership is a value in the log. While `outgoing` is not empty it is a *joint*
//! one, C_old,new: agreement needs a majority of the old voters and one of the new. Learners get
//! the log and count in no majority.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::{Index, NodeId};

crate::wire! {
    /// The members as of one log entry.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Membership {
        /// The nodes that vote: C_new while the membership is joint.
        pub voters: BTreeSet<NodeId>,
        /// The nodes that voted before: C_old. Empty unless the membership is joint.
        pub outgoing: BTreeSet<NodeId>,
        /// The nodes that only get the log.
        pub learners: BTreeSet<NodeId>,
        /// Where each member listens; Raft itself does not look at it.
        pub addresses: BTreeMap<NodeId, String>
    }
}

impl Membership {
    /// These voters, no learners, no addresses.
    pub fn of(voters: impl IntoIterator<Item = NodeId>) -> Self {
        Self {
            voters: voters.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Whether a change is half done: both majorities are needed.
    pub fn is_joint(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Whether the node's vote and log count, in the old set or in the new.
    pub fn is_voter(&self, node: NodeId) -> bool {
        self.voters.contains(&node) || self.outgoing.contains(&node)
    }

    /// Whether the node gets the log.
    pub fn contains(&self, node: NodeId) -> bool {
        self.is_voter(node) || self.learners.contains(&node)
    }

    /// All nodes that get the log, in order.
    pub fn members(&self) -> BTreeSet<NodeId> {
        let voters = self.voters.union(&self.outgoing).copied();
        voters.chain(self.learners.iter().copied()).collect()
    }

    /// Whether the nodes for which `agrees` is true are enough: a majority of the voters, and while
    /// the membership is joint a majority of the outgoing ones, too.
    pub fn has_quorum(&self, agrees: impl Fn(NodeId) -> bool) -> bool {
        let majority = |set: &BTreeSet<NodeId>| {
            let count = set.iter().filter(|&&node| agrees(node)).count();
            set.is_empty() || 2 * count > set.len()
        };
        !self.voters.is_empty() && majority(&self.voters) && majority(&self.outgoing)
    }

    /// The highest value that a quorum has reached: of match indices, the one that may commit.
    pub fn reached_by_quorum(&self, value: impl Fn(NodeId) -> Index) -> Index {
        let reached = |set: &BTreeSet<NodeId>| {
            let mut values: Vec<Index> = set.iter().map(|&node| value(node)).collect();
            values.sort_unstable();
            // Of 5 the third lowest, of 4 the second lowest: a majority is there or higher.
            values.get((values.len().saturating_sub(1)) / 2).copied()
        };
        let of_voters = reached(&self.voters).unwrap_or(0);
        reached(&self.outgoing).map_or(of_voters, |of_outgoing| of_outgoing.min(of_voters))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_majority_of_four_is_three_and_of_five_three() {
        let four = Membership::of(1..=4);
        assert!(!four.has_quorum(|node| node <= 2));
        assert!(four.has_quorum(|node| node <= 3));
        let five = Membership::of(1..=5);
        assert!(!five.has_quorum(|node| node <= 2));
        assert!(five.has_quorum(|node| node <= 3));
    }

    #[test]
    fn a_joint_membership_needs_both_majorities() {
        let mut joint = Membership::of([3, 4, 5]);
        joint.outgoing = [1, 2, 3].into();
        assert!(!joint.has_quorum(|node| node <= 3), "old ones only");
        assert!(!joint.has_quorum(|node| node >= 3), "new ones only");
        assert!(joint.has_quorum(|node| node != 1 && node != 5));
        assert_eq!(
            joint.reached_by_quorum(|node| [0, 9, 7, 5, 3, 1][node as usize]),
            3
        );
    }

    #[test]
    fn the_empty_membership_agrees_to_nothing() {
        assert!(!Membership::default().has_quorum(|_| true));
        assert_eq!(Membership::default().reached_by_quorum(|_| 9), 0);
    }

    #[test]
    fn what_a_quorum_reached_is_the_lower_middle() {
        for (count, expected) in [(1, 10), (2, 10), (3, 20), (4, 20), (5, 30)] {
            let members = Membership::of(1..=count);
            assert_eq!(
                members.reached_by_quorum(|node| node * 10),
                expected,
                "{count}"
            );
        }
    }
}
