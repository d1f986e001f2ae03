//! A scenario's cluster at the start: the members, their disks, their configuration.

use super::Scenario;
use crate::raft::storage::Restored;
use crate::raft::{Config, Entry, Membership, NodeId, Payload};

impl Scenario {
    /// The founding members.
    pub(in crate::raft::sim) fn founders(&self) -> Membership {
        let mut members = Membership::of(1..=self.nodes);
        members.learners = (self.nodes + 1..=self.nodes + self.learners).collect();
        members
    }

    /// What one of them has on its disk.
    pub(in crate::raft::sim) fn founding_disk(&self, id: NodeId) -> Restored {
        let preset = self.logs.get(&id).cloned().unwrap_or_default();
        let entry = |(index, &term)| Entry {
            term,
            index,
            payload: Payload::NoOp,
        };
        let mut restored = Restored {
            entries: (1..).zip(&preset.log).map(entry).collect(),
            ..Restored::default()
        };
        restored.hard_state.term = preset.term;
        restored.snapshot.meta.membership = self.founders();
        restored
    }

    /// The configuration of every node.
    pub(in crate::raft::sim) fn config(&self) -> Config {
        Config {
            election_timeout_min: self.timeouts.election.least,
            election_timeout_max: self.timeouts.election.most,
            heartbeat: self.timeouts.heartbeat,
            snapshot_part: self.snapshots.part as usize,
            keep_entries: self.snapshots.keep,
            ..Config::default()
        }
    }
}
