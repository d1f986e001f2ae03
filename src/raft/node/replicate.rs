//! What a leader sends to each of the others: entries in batches, several in flight, or the
//! snapshot in parts (§5.3, §7; batching and pipelining: dissertation §10.2).
//!
//! Nothing here waits for the leader's own disk: entries are sent while they are written
//! (dissertation §10.2.1), because the leader counts itself only after that.

use std::collections::VecDeque;

use super::progress::{Flow, Progress};
use super::{Node, Role};
use crate::raft::config::Config;
use crate::raft::entry::{Command, Entry, Index, NodeId, Term};
use crate::raft::log::Log;
use crate::raft::message::{Body, Message};

/// What is needed to make a message to a follower.
struct Post<'a> {
    from: NodeId,
    term: Term,
    commit: Index,
    round: u64,
    log: &'a Log,
    config: &'a Config,
    messages: &'a mut Vec<Message>,
}

impl Node {
    /// Sends each member what its flow allows now.
    pub(super) fn replicate(&mut self) {
        let Role::Leader(leader) = &mut self.role else {
            return;
        };
        let beat = std::mem::take(&mut leader.beat);
        let reads = std::mem::take(&mut leader.new_reads);
        leader.round += u64::from(reads);
        let members = self.log.membership();
        let mut post = Post {
            from: self.id,
            term: self.hard.term,
            commit: self.commit,
            round: leader.round,
            log: &self.log,
            config: &self.config,
            messages: &mut self.out.messages,
        };
        for (&node, progress) in &mut leader.progress {
            post.feed(node, progress, beat || (reads && members.is_voter(node)));
        }
    }

    /// A follower has received the snapshot up to this offset.
    pub(super) fn snapshot_received(
        &mut self,
        from: NodeId,
        last_index: Index,
        received: u64,
        round: u64,
    ) {
        let Some(progress) = self.answered(from, round) else {
            return;
        };
        if let Flow::Snapshot {
            snapshot,
            offset,
            waiting,
        } = &mut progress.flow
        {
            if snapshot.meta.last_index == last_index {
                let received = received.min(snapshot.data.bytes().len() as u64);
                // Only progress sends the next part at once. A duplicated reply would send it
                // twice, bring two replies, and so on (TFTP's Sorcerer's Apprentice, RFC 1123
                // §4.2.3.1); a refused part would go back and forth without end. The heartbeat
                // repeats what was lost.
                *waiting &= received <= *offset;
                *offset = received;
            }
        }
    }
}

impl Post<'_> {
    /// Sends one follower all that its flow allows; with `always`, even if there is no news.
    fn feed(&mut self, to: NodeId, progress: &mut Progress, always: bool) {
        let needs_snapshot = progress.next <= self.log.base();
        if needs_snapshot && !matches!(progress.flow, Flow::Snapshot { .. }) {
            progress.flow = Flow::Snapshot {
                snapshot: self.log.whole_snapshot().clone(),
                offset: 0,
                waiting: false,
            };
        }
        match &mut progress.flow {
            Flow::Snapshot { waiting: true, .. } => {}
            Flow::Snapshot { .. } => self.feed_snapshot(to, progress),
            Flow::Probe { waiting } => {
                let probe = !std::mem::replace(waiting, true);
                if probe {
                    self.append(to, progress.next);
                } else if always {
                    self.heartbeat(to, progress.next);
                }
            }
            Flow::Replicate { in_flight } => {
                let sent = self.stream(to, &mut progress.next, in_flight);
                if always && !sent {
                    self.heartbeat(to, progress.next);
                }
            }
        }
    }

    /// Sends batches until the log ends or enough are in flight.
    fn stream(&mut self, to: NodeId, next: &mut Index, in_flight: &mut VecDeque<Index>) -> bool {
        let mut sent = false;
        while *next <= self.log.last_index() && in_flight.len() < self.config.max_in_flight {
            let Some(last) = self.append(to, *next) else {
                break;
            };
            in_flight.push_back(last);
            *next = last + 1;
            sent = true;
        }
        sent
    }

    /// Sends one batch from `next` on; returns its last index. At most `max_batch` bytes, but
    /// always one entry, else a long one would never be sent.
    fn append(&mut self, to: NodeId, next: Index) -> Option<Index> {
        let mut size = 0;
        let mut entries: Vec<Entry> = Vec::new();
        for entry in self.log.from(next) {
            size += entry.size();
            if size > self.config.max_batch && !entries.is_empty() {
                break;
            }
            entries.push(entry.clone());
        }
        let last = entries.last().map(|entry| entry.index);
        self.append_entries(to, next, entries);
        last
    }

    fn heartbeat(&mut self, to: NodeId, next: Index) {
        self.append_entries(to, next, Vec::new());
    }

    fn append_entries(&mut self, to: NodeId, next: Index, entries: Vec<Entry>) {
        let previous_index = next.saturating_sub(1);
        let Some(previous_term) = self.log.term_at(previous_index) else {
            return;
        };
        let body = Body::AppendEntries {
            previous_index,
            previous_term,
            entries,
            commit: self.commit,
            round: self.round,
        };
        self.send(to, body);
    }

    /// Sends the next part of the snapshot.
    fn feed_snapshot(&mut self, to: NodeId, progress: &mut Progress) {
        let Flow::Snapshot {
            snapshot,
            offset,
            waiting,
        } = &mut progress.flow
        else {
            return;
        };
        *waiting = true;
        let rest = snapshot.data.bytes().get(*offset as usize..).unwrap_or(&[]);
        let part = rest.get(..self.config.snapshot_part).unwrap_or(rest);
        let body = Body::InstallSnapshot {
            meta: snapshot.meta.clone(),
            offset: *offset,
            data: Command::from(part),
            done: part.len() == rest.len(),
            round: self.round,
        };
        self.send(to, body);
    }

    fn send(&mut self, to: NodeId, body: Body) {
        self.messages.push(Message {
            from: self.from,
            to,
            term: self.term,
            body,
        });
    }
}
