//! Order: what must be on stable storage before a message may leave, or an entry be applied.
//!
//! "Updated on stable storage before responding to RPCs" (Figure 2). Writes are numbered; a message
//! that reveals a term, a vote or an entry waits for the number that covers it. A node's own vote
//! and its own log count by the same rule: they are messages to itself.

use std::collections::VecDeque;

use super::{Node, Role};
use crate::raft::entry::{Command, HardState, Index, NodeId, Payload, Snapshot, SnapshotMeta};
use crate::raft::flaw::Flaw;
use crate::raft::message::{Body, Message};
use crate::raft::port::{Apply, Event, Persist};

/// The most messages that wait for the disk. More are dropped, as any may be: a node whose disk is
/// full for an hour must not collect answers to all requests for votes meanwhile.
pub(super) const MOST_KEPT_BACK: usize = 4096;

/// A write that the storage has not yet reported.
#[derive(Debug)]
struct Write {
    number: u64,
    /// The last index that is stable when this write is, unless the log was truncated since.
    last_index: Index,
    /// What the state machine becomes when this write is stable.
    install: Option<Snapshot>,
}

/// What is on stable storage, and what waits for it.
#[derive(Debug)]
pub(super) struct Stable {
    /// The last stable entry.
    last_index: Index,
    /// The number of the next write.
    next: u64,
    /// All up to here are done.
    done: u64,
    /// The last write that held a term and a vote.
    hard_write: u64,
    under_way: VecDeque<Write>,
    /// Messages, and the write that each waits for.
    waiting: VecDeque<(u64, Message)>,
    // What the next write is to hold.
    hard_state: bool,
    first_entry: Option<Index>,
    snapshot: Option<Snapshot>,
    /// Whether that snapshot came from a leader.
    install: bool,
}

impl Stable {
    pub fn new(last_index: Index) -> Self {
        Self {
            last_index,
            next: 1,
            done: 0,
            hard_write: 0,
            under_way: VecDeque::new(),
            waiting: VecDeque::new(),
            hard_state: false,
            first_entry: None,
            snapshot: None,
            install: false,
        }
    }

    /// The last entry on stable storage.
    pub fn last_index(&self) -> Index {
        self.last_index
    }

    /// The number of the next write.
    #[cfg(test)]
    pub fn next_number(&self) -> u64 {
        self.next
    }

    /// Whether the node's term is on stable storage.
    pub fn has_term(&self) -> bool {
        !self.hard_state && self.hard_write <= self.done
    }

    /// Keeps a message back. Of two acknowledgements, the later one covers the earlier: while a
    /// disk takes nothing, its node must not collect an answer to each heartbeat.
    fn keep_back(&mut self, after: u64, message: Message) {
        let is_full = self.waiting.len() >= MOST_KEPT_BACK;
        match self.waiting.back_mut() {
            Some((number, last)) if *number == after && says_all(&message, last) => *last = message,
            _ if is_full => {}
            _ => self.waiting.push_back((after, message)),
        }
    }

    fn is_saved(&self) -> bool {
        !self.hard_state && self.first_entry.is_none() && self.snapshot.is_none()
    }

    /// Entries from here on are to be written.
    pub fn appended(&mut self, index: Index) {
        self.first_entry = Some(self.first_entry.map_or(index, |first| first.min(index)));
    }

    /// Entries from here on are no longer in the log.
    pub fn truncated(&mut self, index: Index) {
        let last = index.saturating_sub(1);
        self.last_index = self.last_index.min(last);
        for write in &mut self.under_way {
            write.last_index = write.last_index.min(last);
        }
    }
}

impl Node {
    pub(super) fn set_hard_state(&mut self, hard: HardState) {
        self.hard = hard;
        self.stable.hard_state = true;
    }

    /// Sends a message as soon as all that it may reveal is on stable storage.
    pub(super) fn send_when_stable(&mut self, to: NodeId, body: Body) {
        let message = self.message(to, body);
        self.send_message_when_stable(message);
    }

    pub(super) fn send_message_when_stable(&mut self, message: Message) {
        let saved = self.stable.is_saved();
        let after = self.stable.next - u64::from(saved);
        if after <= self.stable.done || self.planted(Flaw::AnswerBeforeStable) {
            self.release(message);
        } else {
            self.stable.keep_back(after, message);
        }
    }

    fn release(&mut self, message: Message) {
        if message.to == self.id {
            self.receive(message);
        } else {
            self.out.messages.push(message);
        }
    }

    /// Collects what is new since the last write, as the next write.
    pub(super) fn collect_persist(&mut self) {
        if self.stable.is_saved() {
            return;
        }
        let number = self.stable.next;
        let first = self.stable.first_entry.take();
        let install = std::mem::take(&mut self.stable.install);
        let snapshot = self.stable.snapshot.take();
        let mut hard = std::mem::take(&mut self.stable.hard_state).then_some(self.hard);
        if self.planted(Flaw::VoteNotPersisted) {
            hard = hard.map(|hard| HardState { vote: None, ..hard });
        }
        if hard.is_some() {
            self.stable.hard_write = number;
        }
        self.stable.next += 1;
        self.stable.under_way.push_back(Write {
            number,
            last_index: match (first, install) {
                (None, false) => 0,
                _ => self.log.last_index(),
            },
            install: snapshot.clone().filter(|_| install),
        });
        self.out.persist = Some(Persist {
            number,
            hard_state: hard,
            snapshot,
            drop_log: install,
            entries: first.map_or(Vec::new(), |first| self.log.from(first).cloned().collect()),
        });
    }

    /// The storage has done all writes up to this number.
    pub(super) fn persisted(&mut self, number: u64) {
        let stable = &mut self.stable;
        // A number that was never given out would be a bug of the shell.
        stable.done = stable.done.max(number.min(stable.next - 1));
        while stable
            .under_way
            .front()
            .is_some_and(|write| write.number <= stable.done)
        {
            let Some(write) = stable.under_way.pop_front() else {
                break;
            };
            stable.last_index = stable.last_index.max(write.last_index);
            if let Some(snapshot) = write.install {
                let last_index = snapshot.meta.last_index;
                self.out.apply.push(Apply::Snapshot(snapshot));
                self.out.events.push(Event::Installed(last_index));
                self.applied = last_index;
            }
        }
        while let Some((after, message)) = self.stable.waiting.pop_front() {
            if after > self.stable.done {
                self.stable.waiting.push_front((after, message));
                break;
            }
            self.release(message);
        }
        self.try_commit();
    }

    /// Moves the commit index up, never down, and never beyond the log.
    pub(super) fn commit_to(&mut self, index: Index) {
        let index = index.min(self.log.last_index());
        if index > self.commit {
            self.commit = index;
            self.out.events.push(Event::Committed(index));
        }
    }

    /// Outputs the committed entries that are on this node's own disk, in order, each once.
    pub(super) fn collect_apply(&mut self) {
        let until = self.commit.min(self.stable.last_index());
        if until <= self.applied {
            return;
        }
        let entries = self.log.from(self.applied + 1);
        let ready = entries.take_while(|entry| entry.index <= until).cloned();
        self.out.apply.extend(ready.map(Apply::Entry));
        self.applied = until;
    }

    /// The state machine after `index` was applied is `data`: entries up to there may go (§7).
    pub(super) fn compact(&mut self, index: Index, data: Command) {
        if index > self.applied || index <= self.log.snapshot().last_index {
            return;
        }
        let Some(last_term) = self.log.term_at(index) else {
            return;
        };
        let members = match self.planted(Flaw::SnapshotOfLaterMembers) {
            true => self.log.membership(),
            false => self.log.membership_at(index),
        };
        let snapshot = Snapshot {
            meta: SnapshotMeta {
                last_index: index,
                last_term,
                membership: members.clone(),
            },
            data,
        };
        let kept = (self.config.keep_entries, self.config.keep_bytes);
        self.log.compact(snapshot.clone(), kept);
        self.stable.snapshot = Some(snapshot);
        self.out.events.push(Event::Compacted(index));
    }

    /// A leader's snapshot replaces the log, and the state machine once it is stable.
    pub(super) fn replace_log(&mut self, snapshot: Snapshot) {
        let last_index = snapshot.meta.last_index;
        let members = snapshot.meta.membership.clone();
        self.stable.truncated(self.applied + 1);
        self.stable.first_entry = None;
        self.log.install(snapshot.clone());
        self.stable.snapshot = Some(snapshot);
        self.stable.install = true;
        self.out.events.push(Event::Members(members));
        self.commit_to(last_index);
    }

    /// Drops the entries from here on: another leader's entries replace them.
    pub(super) fn truncate(&mut self, index: Index) {
        let before = self.log.membership_index();
        self.stable.truncated(index);
        #[cfg(test)]
        let kept = self
            .planted(Flaw::MembershipNotUndone)
            .then(|| self.log.clone());
        self.log.truncate(index);
        #[cfg(test)]
        if let Some(kept) = kept {
            self.log.keep_memberships(&kept);
        }
        self.out.events.push(Event::Truncated(index));
        if self.log.membership_index() != before {
            self.out
                .events
                .push(Event::Members(self.log.membership().clone()));
        }
    }

    /// Appends an entry to the node's own log, to be written.
    pub(super) fn push(&mut self, entry: crate::raft::Entry) {
        let members = match &entry.payload {
            Payload::Membership(membership) => Some(membership.clone()),
            _ => None,
        };
        self.stable.appended(entry.index);
        self.log.push(entry);
        if let Some(members) = members {
            self.out.events.push(Event::Members(members));
            self.meet_members();
        }
    }

    /// Adds a progress for each new member, on a leader.
    fn meet_members(&mut self) {
        let members = self.log.membership().members();
        if let Role::Leader(leader) = &mut self.role {
            leader.meet(&members, self.id, self.log.last_index(), self.now);
        }
    }
}

/// Whether an answer to the same leader covers an earlier one.
fn says_all(message: &Message, earlier: &Message) -> bool {
    let (
        Body::Appended { matched, round },
        Body::Appended {
            matched: before,
            round: then,
        },
    ) = (&message.body, &earlier.body)
    else {
        return false;
    };
    let same = (message.to, message.term) == (earlier.to, earlier.term);
    same && matched >= before && round >= then
}
