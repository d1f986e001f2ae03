//! What a follower does with its leader's messages: appends (§5.3) and snapshots (§7).

use super::{Node, Role};
use crate::raft::entry::{Command, Entry, Index, NodeId, Snapshot, SnapshotMeta, Term};
use crate::raft::flaw::Flaw;
use crate::raft::message::Body;

/// A snapshot that is being received, in parts (Figure 13).
#[derive(Debug)]
pub(super) struct Incoming {
    meta: SnapshotMeta,
    data: Vec<u8>,
}

impl Node {
    /// A message of this term's leader: the node follows it, and resets its election timer. False
    /// if the sender cannot be the leader, because there is another (then some node broke a rule).
    pub(super) fn follow(&mut self, from: NodeId) -> bool {
        match &self.role {
            Role::Leader(_) => return false,
            Role::Follower {
                leader: Some(leader),
                ..
            } if *leader != from => return false,
            Role::Follower {
                leader: Some(_), ..
            } => {}
            Role::Follower { leader: None, .. } | Role::Candidate { .. } => {
                self.become_follower(self.hard.term, Some(from));
            }
        }
        self.heard = Some(self.now);
        self.reset_election_timer();
        true
    }

    fn answer_leader(&mut self, body: Body) {
        if let Some(leader) = self.leader() {
            self.send_when_stable(leader, body);
        }
    }

    /// New entries after `previous_index`, or none: a heartbeat (Figure 2, "AppendEntries").
    pub(super) fn append_entries(
        &mut self,
        previous_index: Index,
        previous_term: Term,
        mut entries: Vec<Entry>,
        commit: Index,
        round: u64,
    ) {
        let Some(last) = self.check_entries(previous_index, previous_term, &entries) else {
            return;
        };
        let base = self.log.base();
        if previous_index < base {
            // All up to the base is committed, so it is the same in both logs; compare only what
            // follows.
            let is_other = |entry: &Entry| Some(entry.term) != self.log.term_at(base);
            if entries
                .iter()
                .any(|entry| entry.index == base && is_other(entry))
            {
                return;
            }
            entries.retain(|entry| entry.index > base);
        } else if self.log.term_at(previous_index) != Some(previous_term)
            && !(self.planted(Flaw::AppendWithoutMatch) && previous_index <= self.log.last_index())
        {
            return self.refuse_append(previous_index, round);
        }
        let is_heartbeat = entries.is_empty();
        if !self.store(entries, last) {
            return;
        }
        let matched = last.max(base);
        if self.planted(Flaw::CommitBeyondMatch) {
            self.commit_to(commit);
        }
        self.commit_to(commit.min(matched));
        if is_heartbeat {
            self.answer_heartbeat(matched, round);
        } else {
            self.answer_leader(Body::Appended { matched, round });
        }
    }

    /// A heartbeat brings nothing to write, so its answer does not wait for entries that are being
    /// written: a slow disk must neither cost the leader its majority nor delay reads.
    fn answer_heartbeat(&mut self, matched: Index, round: u64) {
        let stable = self.stable.last_index();
        let matched = matched.min(stable);
        match self.leader() {
            Some(leader) if self.stable.has_term() => {
                let message = self.message(leader, Body::Appended { matched, round });
                self.out.messages.push(message);
            }
            _ => self.answer_leader(Body::Appended { matched, round }),
        }
    }

    /// The last index that the message covers; `None` for a message that no leader sends.
    fn check_entries(&self, previous: Index, mut term: Term, entries: &[Entry]) -> Option<Index> {
        let last = previous.checked_add(entries.len() as Index)?;
        for (entry, index) in entries.iter().zip(previous.saturating_add(1)..=last) {
            if entry.index != index || entry.term < term {
                return None;
            }
            term = entry.term;
        }
        (term <= self.hard.term).then_some(last)
    }

    /// Tells the leader where the logs differ, by term, so that it skips a term with each message
    /// (§5.3).
    fn refuse_append(&mut self, previous_index: Index, round: u64) {
        let term = self.log.term_at(previous_index);
        let first_index = match term {
            Some(_) => self.log.first_of_term(previous_index),
            None => self.log.last_index() + 1,
        };
        self.answer_leader(Body::Conflict {
            previous_index,
            term,
            first_index,
            round,
        });
    }

    /// Stores the entries that are not there yet. Only an entry of another term at the same index
    /// is a conflict, and only a conflict truncates the log: a late, shorter message must not
    /// remove newer entries. False if it would remove committed ones, which no leader asks for.
    fn store(&mut self, entries: Vec<Entry>, last: Index) -> bool {
        for entry in entries {
            match self.log.term_at(entry.index) {
                Some(term) if term == entry.term => {}
                Some(_) if entry.index <= self.commit => return false,
                Some(_) => {
                    self.truncate(entry.index);
                    self.push(entry);
                }
                None => self.push(entry),
            }
        }
        if self.planted(Flaw::TruncateOnStaleAppend) && self.log.last_index() > last {
            self.truncate(last + 1);
        }
        true
    }

    /// A part of the leader's snapshot (Figure 13). Parts may come twice and out of order.
    pub(super) fn install_snapshot(
        &mut self,
        meta: SnapshotMeta,
        offset: u64,
        part: &[u8],
        done: bool,
        round: u64,
    ) {
        let stale = meta.last_index <= self.commit && !self.planted(Flaw::InstallStaleSnapshot);
        if stale {
            // All up to the commit index is in the leader's log, too.
            let matched = meta.last_index;
            return self.answer_leader(Body::Appended { matched, round });
        }
        let last_index = meta.last_index;
        let Some(data) = self.gather(meta, offset, part, done) else {
            let offset = self.gathered(last_index);
            return self.answer_leader(Body::SnapshotReceived {
                last_index,
                offset,
                round,
            });
        };
        self.take_over(data);
        self.answer_leader(Body::Appended {
            matched: last_index,
            round,
        });
    }

    /// Adds a part; returns the snapshot if it is complete.
    fn gather(
        &mut self,
        meta: SnapshotMeta,
        offset: u64,
        part: &[u8],
        done: bool,
    ) -> Option<Snapshot> {
        let limit = self.config.max_snapshot;
        let Role::Follower { incoming, .. } = &mut self.role else {
            return None;
        };
        // A newer snapshot replaces an older one, never the other way round.
        if incoming
            .as_ref()
            .is_some_and(|have| have.meta.last_index > meta.last_index)
        {
            return None;
        }
        let have = incoming.take().filter(|have| have.meta == meta);
        let mut have = have.unwrap_or(Incoming {
            meta,
            data: Vec::new(),
        });
        let fits = offset == have.data.len() as u64 && have.data.len() + part.len() <= limit;
        if fits {
            have.data.extend_from_slice(part);
        }
        if fits && done {
            return Some(Snapshot {
                meta: have.meta,
                data: Command::from(have.data),
            });
        }
        *incoming = Some(have);
        None
    }

    /// How many bytes of that snapshot are here without a gap.
    fn gathered(&self, last_index: Index) -> u64 {
        match &self.role {
            Role::Follower {
                incoming: Some(have),
                ..
            } if have.meta.last_index == last_index => have.data.len() as u64,
            _ => 0,
        }
    }

    /// A snapshot is complete. If the log has its last entry, the log already holds all of it and
    /// stays; otherwise the snapshot replaces the whole log (§7).
    fn take_over(&mut self, snapshot: Snapshot) {
        let SnapshotMeta {
            last_index,
            last_term,
            ..
        } = snapshot.meta;
        #[cfg(test)]
        if self.planted(Flaw::SnapshotKeepsLog) && self.log.last_index() >= last_index {
            return self.commit_to(last_index);
        }
        let stale = last_index <= self.commit;
        if self.log.term_at(last_index) == Some(last_term) && !stale {
            self.commit_to(last_index);
        } else {
            self.replace_log(snapshot);
        }
    }
}
