//! Linearizable reads without a log entry: ReadIndex (§8; dissertation §6.4).
//!
//! A read must see everything that was committed before it came. So the leader notes its commit
//! index, confirms by a round of messages that no other node leads in a later term, and waits until
//! its state machine has applied up to that index.

use super::{Node, Role};
use crate::raft::entry::Index;
use crate::raft::flaw::Flaw;
use crate::raft::port::Refusal;

/// The most reads that wait; beyond this, clients are refused. Reads whose clients have given up
/// still count, and followers with stuck disks answer heartbeats and nothing else.
pub(super) const MOST_READS: usize = 65_536;

/// A read that waits.
#[derive(Debug)]
pub(super) struct Reading {
    pub id: u64,
    /// The index that must be applied before it is answered.
    index: Index,
    /// The round that a majority must have answered.
    round: u64,
}

impl Node {
    pub(super) fn read(&mut self, id: u64) {
        let by_earlier = self.planted(Flaw::ReadByEarlierRound);
        let before_no_op = self.planted(Flaw::ReadBeforeNoOp);
        let refusal = Refusal::NotLeader(self.leader());
        let Role::Leader(leader) = &mut self.role else {
            self.out.refused.push((id, refusal));
            return;
        };
        if leader.reads.len() >= MOST_READS {
            self.out.refused.push((id, Refusal::Busy));
            return;
        }
        // A new leader may not know yet how far its predecessors have committed; its own first
        // entry comes after all of it.
        let index = if before_no_op {
            self.commit
        } else {
            self.commit.max(leader.first_own)
        };
        // A reply to an older round proves nothing about the time after the read came.
        let round = leader.round + u64::from(!by_earlier);
        leader.reads.push_back(Reading { id, index, round });
        leader.new_reads = true;
    }

    /// Outputs the reads whose round a majority has answered and whose index is applied.
    pub(super) fn collect_reads(&mut self) {
        let Role::Leader(leader) = &self.role else {
            return;
        };
        if leader.reads.is_empty() {
            return;
        }
        let answered = |node| match leader.progress.get(&node) {
            Some(progress) => progress.round,
            None if node == self.id => u64::MAX,
            None => 0,
        };
        let mut confirmed = self.reached_by_quorum(answered);
        if self.planted(Flaw::ReadWithoutQuorum) {
            confirmed = u64::MAX;
        }
        let applied = self.applied;
        let Role::Leader(leader) = &mut self.role else {
            return;
        };
        while let Some(reading) = leader.reads.front() {
            if reading.round > confirmed || reading.index > applied {
                break;
            }
            self.out.reads.push(reading.id);
            leader.reads.pop_front();
        }
    }
}
