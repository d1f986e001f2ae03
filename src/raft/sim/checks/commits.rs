//! What is committed stays committed: the log that all nodes agree on, extended entry by entry.

use std::collections::BTreeMap;

use super::{Checked, Disks, Rule, members, must};
use crate::raft::Log;
use crate::raft::sim::words::membership_words;
use crate::raft::storage::Restored;
use crate::raft::{Entry, Index, Membership, Node, NodeId, Payload, RoleName, SnapshotMeta, Term};

/// The agreed log, and the machine's state at some of its indices.
#[derive(Debug, Default)]
pub(in crate::raft::sim) struct Commits {
    /// Entry 1 first; with the term in which it was seen committed for the first time.
    agreed: Vec<(Entry, Term)>,
    /// The memberships among them by their index, and the founding one.
    members: BTreeMap<Index, Membership>,
    /// The digest of the machine's bytes after the entry of this index.
    machines: BTreeMap<Index, u64>,
}

/// Whether a disk holds this entry, by itself or in a snapshot.
pub(super) fn holds(disk: &Restored, index: Index, term: Term) -> bool {
    let snapshot = disk.snapshot.meta.last_index;
    let Some(place) = index.checked_sub(snapshot + 1) else {
        return true;
    };
    disk.entries
        .get(place as usize)
        .is_some_and(|entry| entry.term == term)
}

impl Commits {
    /// The highest commit index that any node knows.
    pub(in crate::raft::sim) fn last(&self) -> Index {
        self.agreed.len() as Index
    }

    fn at(&self, index: Index) -> Option<&(Entry, Term)> {
        self.agreed.get(index.checked_sub(1)? as usize)
    }

    /// A node begins to lead: it has all that was committed in earlier terms. By Log Matching it
    /// is enough to look at the last of them.
    pub(super) fn complete(&self, id: NodeId, term: Term, log: &Log) -> Checked {
        let earlier = |(_, committed_in): &&(Entry, Term)| *committed_in < term;
        let Some((entry, committed_in)) = self.agreed.iter().rev().find(earlier) else {
            return Ok(());
        };
        let index = entry.index;
        let there = index <= log.base() || log.term_at(index) == Some(entry.term);
        must(there, Rule::LeaderCompleteness, || {
            format!(
                "node {id} leads in term {term} without entry {index} of term {}, \
                 which was committed in term {committed_in}",
                entry.term
            )
        })
    }

    /// A node's commit index rose from what it was before its step, when these members counted.
    pub(super) fn risen(
        &mut self,
        id: NodeId,
        node: &Node,
        (before, members): (Index, &(Index, Membership)),
        disks: Disks<'_>,
    ) -> Checked {
        let (log, commit) = (node.log(), node.commit());
        must(commit > before, Rule::StateMachineSafety, || {
            format!("the commit index of node {id} went from {before} back to {commit}")
        })?;
        must(commit <= log.last_index(), Rule::StateMachineSafety, || {
            format!(
                "node {id} committed up to {commit}, its log ends at {}",
                log.last_index()
            )
        })?;
        if node.role() == RoleName::Leader {
            leader_may_commit(id, node, members, disks)?;
        }
        for index in before + 1..=commit {
            match log.entry(index) {
                Some(entry) => self.agree(id, node, entry)?,
                None => must(index <= self.last(), Rule::StateMachineSafety, || {
                    format!("node {id} has entry {index} in a snapshot, and nobody committed it")
                })?,
            }
        }
        Ok(())
    }

    fn agree(&mut self, id: NodeId, node: &Node, entry: &Entry) -> Checked {
        let Some((agreed, _)) = self.at(entry.index) else {
            return self.commit_first(id, node, entry);
        };
        must(agreed.term == entry.term, Rule::StateMachineSafety, || {
            let (index, term) = (entry.index, entry.term);
            format!(
                "node {id} committed entry {index} of term {term}, others one of term {}",
                agreed.term
            )
        })
    }

    /// No node knew before that this entry is committed; the first that does must be the leader,
    /// which counts.
    fn commit_first(&mut self, id: NodeId, node: &Node, entry: &Entry) -> Checked {
        must(
            node.role() == RoleName::Leader,
            Rule::StateMachineSafety,
            || {
                format!(
                    "node {id} does not lead, and is the first to commit entry {}",
                    entry.index
                )
            },
        )?;
        if let Payload::Membership(next) = &entry.payload {
            if let Some((_, members)) = self.members.last_key_value() {
                members::overlap(members, next)?;
            }
            self.members.insert(entry.index, next.clone());
        }
        self.agreed.push((entry.clone(), node.hard_state().term));
        Ok(())
    }

    /// The members that a cluster begins with.
    pub(in crate::raft::sim) fn founded(&mut self, members: Membership) {
        self.members.insert(0, members);
    }

    /// An entry goes into the machine of a node that is at `applied`.
    pub(in crate::raft::sim) fn applies(
        &self,
        id: NodeId,
        applied: Index,
        entry: &Entry,
        disk: &Restored,
    ) -> Checked {
        let (index, term) = (entry.index, entry.term);
        must(index == applied + 1, Rule::StateMachineSafety, || {
            format!("node {id} applies entry {index} behind {applied}")
        })?;
        let agreed = self.at(index).is_some_and(|(agreed, _)| agreed == entry);
        must(agreed, Rule::StateMachineSafety, || {
            format!("node {id} applies an entry {index} of term {term} that nobody committed")
        })?;
        must(holds(disk, index, term), Rule::StableFirst, || {
            format!("node {id} applies entry {index}, which is not on its disk")
        })
    }

    /// A machine's bytes after the entry at `index`: the same on each node.
    pub(in crate::raft::sim) fn machine(
        &mut self,
        id: NodeId,
        index: Index,
        bytes: &[u8],
    ) -> Checked {
        let digest = digest(bytes);
        let known = *self.machines.entry(index).or_insert(digest);
        must(known == digest, Rule::Snapshot, || {
            format!("the machine of node {id} after entry {index} is not what it is elsewhere")
        })
    }

    /// A snapshot of a node: its members are those of its last index. A node that was added, and
    /// got the log from its first entry on, knows no members before the first change.
    pub(in crate::raft::sim) fn members_at(&self, id: NodeId, meta: &SnapshotMeta) -> Checked {
        let (index, says) = (meta.last_index, &meta.membership);
        let Some((_, members)) = self.members.range(..=index).next_back() else {
            return Ok(());
        };
        let right = says.voters.is_empty() || says == members;
        must(right, Rule::Membership, || {
            let (says, members) = (membership_words(says), membership_words(members));
            format!("node {id} has a snapshot up to {index} of members {says}, not {members}")
        })
    }

    /// A snapshot replaces the machine of a node that is at `applied`.
    pub(in crate::raft::sim) fn installs(
        &mut self,
        id: NodeId,
        applied: Index,
        meta: &SnapshotMeta,
        data: &[u8],
    ) -> Checked {
        let (index, term) = (meta.last_index, meta.last_term);
        must(index > applied, Rule::StateMachineSafety, || {
            format!("node {id} takes a snapshot up to {index}, and has applied {applied}")
        })?;
        let agreed = self
            .at(index)
            .is_some_and(|(agreed, _)| agreed.term == term);
        must(agreed, Rule::StateMachineSafety, || {
            format!("node {id} takes a snapshot up to {index} of term {term} that nobody committed")
        })?;
        self.members_at(id, meta)?;
        self.machine(id, index, data)
    }

    /// A read is answered from a machine that is at `applied`; `committed` was when it came.
    pub(in crate::raft::sim) fn reads(
        &self,
        id: NodeId,
        committed: Index,
        applied: Index,
    ) -> Checked {
        must(applied >= committed, Rule::Read, || {
            format!(
                "node {id} answers a read at {applied}; {committed} were committed when it came"
            )
        })
    }
}

/// A leader may commit if a quorum has the entry on its disks, and it is of the leader's term.
fn leader_may_commit(
    id: NodeId,
    node: &Node,
    (since, members): &(Index, Membership),
    disks: Disks<'_>,
) -> Checked {
    let (log, commit, term) = (node.log(), node.commit(), node.hard_state().term);
    let Some(of) = log.term_at(commit) else {
        return Ok(());
    };
    must(of == term, Rule::CommitOwnTerm, || {
        format!("node {id} leads in term {term} and commits by entry {commit} of term {of}")
    })?;
    let has = |member| disks(member).is_some_and(|disk| holds(disk, commit, of));
    let quorum = |members: &Membership| members.has_quorum(has);
    // The step may have appended another membership after it counted by the previous one.
    let counted = quorum(log.membership())
        || quorum(members)
        || (*since..log.membership_index()).any(|index| quorum(log.membership_at(index)));
    must(counted, Rule::CommitQuorum, || {
        let with: Vec<NodeId> = log
            .membership()
            .members()
            .into_iter()
            .filter(|&node| has(node))
            .collect();
        format!(
            "node {id} commits up to {commit}, which the disks of {with:?} hold; members are {}",
            membership_words(log.membership())
        )
    })
}

/// FNV-1a, 64 bits.
fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |digest, &byte| {
        (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
