//! What a leader does: takes proposals, counts replies, commits, and sends heartbeats (§5.3,
//! §5.4.2).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::change::{Changing, Transfer};
use super::progress::Progress;
use super::reads::Reading;
use super::{Node, Role};
use crate::raft::entry::{Command, Entry, Index, NodeId, Payload, Term};
use crate::raft::flaw::Flaw;
use crate::raft::port::{Event, Refusal};

/// A leader's state, which it drops when it steps down (Figure 2, "volatile state on leaders").
#[derive(Debug)]
pub(super) struct Leader {
    /// Of every other member.
    pub progress: BTreeMap<NodeId, Progress>,
    /// The first entry of its term: earlier entries commit with it (§5.4.2).
    pub first_own: Index,
    /// Counts rounds of messages; each reply repeats its number.
    pub round: u64,
    /// When the next heartbeat is due.
    pub heartbeat: Duration,
    /// When it next checks that a majority answers.
    pub quorum: Duration,
    /// Whether all nodes get a message with the next output, even without news.
    pub beat: bool,
    /// Bytes of entries after the commit index.
    pub uncommitted: usize,
    /// Reads that wait for a round or for the state machine, in order.
    pub reads: VecDeque<Reading>,
    /// Whether a read has come since the last round began.
    pub new_reads: bool,
    pub transfer: Option<Transfer>,
    pub changing: Option<Changing>,
}

impl Leader {
    /// Adds a progress for each new member. Nodes that left keep theirs until they are told.
    pub fn meet(&mut self, members: &BTreeSet<NodeId>, own: NodeId, last: Index, now: Duration) {
        for &node in members {
            if node != own {
                let entry = self.progress.entry(node);
                entry.or_insert_with(|| Progress::new(last, now));
            }
        }
    }

    pub fn deadline(&self) -> Duration {
        let next = self.heartbeat.min(self.quorum);
        self.transfer
            .as_ref()
            .map_or(next, |transfer| next.min(transfer.until))
    }

    pub fn matched(&self) -> Vec<(NodeId, Index)> {
        let matched = |(&node, progress): (&NodeId, &Progress)| (node, progress.matched);
        self.progress.iter().map(matched).collect()
    }
}

impl Node {
    /// A majority voted for it. It appends a no-op: without an entry of its own term, it could not
    /// commit those of earlier terms (§5.4.2, §8).
    pub(super) fn become_leader(&mut self) {
        let last = self.log.last_index();
        let uncommitted = self.log.from(self.commit + 1).map(Entry::size).sum();
        let mut leader = Leader {
            progress: BTreeMap::new(),
            first_own: last + 1,
            round: 0,
            heartbeat: self.now + self.config.heartbeat,
            quorum: self.now + self.config.election_timeout_max,
            beat: true,
            uncommitted,
            reads: VecDeque::new(),
            new_reads: false,
            transfer: None,
            changing: None,
        };
        leader.meet(&self.log.membership().members(), self.id, last, self.now);
        self.become_(Role::Leader(Box::new(leader)));
        self.append(Payload::NoOp);
    }

    /// Answers the requests of a leader that steps down: reads did not happen, the rest is unknown.
    pub(super) fn leave_office(&mut self, leader: Leader) {
        let refusal = Refusal::NotLeader(self.leader());
        for reading in leader.reads {
            self.out.refused.push((reading.id, refusal));
        }
        self.out
            .unknown
            .extend(leader.changing.map(|changing| changing.id));
    }

    /// The next entry of a leader's log.
    pub(super) fn append(&mut self, payload: Payload) -> Index {
        let entry = Entry {
            term: self.hard.term,
            index: self.log.last_index() + 1,
            payload,
        };
        let (index, size) = (entry.index, entry.size());
        if let Role::Leader(leader) = &mut self.role {
            leader.uncommitted += size;
        }
        self.push(entry);
        index
    }

    pub(super) fn propose(&mut self, id: u64, command: Command) {
        if let Some(refusal) = self.refusal() {
            self.out.refused.push((id, refusal));
            return;
        }
        let index = self.append(Payload::Command(command));
        self.out.accepted.push((id, index, self.hard.term));
    }

    pub(super) fn leader_refusal(&self, leader: &Leader) -> Option<Refusal> {
        match &leader.transfer {
            Some(transfer) => Some(Refusal::Transferring(transfer.to)),
            None if leader.uncommitted > self.config.max_uncommitted => Some(Refusal::Busy),
            None => None,
        }
    }

    /// A follower's log equals this one up to `matched`.
    pub(super) fn appended(&mut self, from: NodeId, matched: Index, round: u64) {
        let last = self.log.last_index();
        let from_next = self.planted(Flaw::MatchFromNext);
        let Some(progress) = self.answered(from, round) else {
            return;
        };
        let matched = if from_next {
            progress.next - 1
        } else {
            matched
        };
        // An index that was never sent cannot match.
        if matched <= last && progress.matches(matched) {
            self.try_commit();
        }
    }

    /// A follower's log differs from this one before the entry that was sent: back up by a whole
    /// term (§5.3).
    pub(super) fn conflict(
        &mut self,
        from: NodeId,
        previous: Index,
        (term, first_index): (Option<Term>, Index),
        round: u64,
    ) {
        if previous > self.log.last_index() {
            return;
        }
        // If this log has that term, too, its last entry of the term may be the one that matches.
        let shared = term.and_then(|term| self.log.last_of_term(term));
        let hint = shared.map_or(first_index, |last| last + 1);
        if let Some(progress) = self.answered(from, round) {
            progress.conflicts(previous, hint);
        }
    }

    /// Notes that a node answered in this round, and returns its progress; `None` for a node whose
    /// answers do not count, or a round that never began.
    pub(super) fn answered(&mut self, node: NodeId, round: u64) -> Option<&mut Progress> {
        let now = self.now;
        match &mut self.role {
            Role::Leader(leader) if round <= leader.round => {
                let progress = leader.progress.get_mut(&node)?;
                progress.answered(round, now);
                Some(progress)
            }
            _ => None,
        }
    }

    /// Commits what a majority has on stable storage, if the last such entry is of this term: only
    /// entries of the current term commit by counting, and all before commit with them (§5.4.2,
    /// Figure 8).
    pub(super) fn try_commit(&mut self) {
        let Role::Leader(leader) = &self.role else {
            return;
        };
        let own = if self.planted(Flaw::CountUnstableSelf) {
            self.log.last_index()
        } else {
            self.stable.last_index()
        };
        let matched = |node| match leader.progress.get(&node) {
            Some(progress) => progress.matched,
            None if node == self.id => own,
            None => 0,
        };
        let reached = self.reached_by_quorum(matched);
        let is_own = self.log.term_at(reached) == Some(self.hard.term);
        if reached > self.commit && (is_own || self.planted(Flaw::CommitOldTerm)) {
            self.commit_own(reached);
        }
    }

    fn commit_own(&mut self, index: Index) {
        let news = self.log.from(self.commit + 1);
        let size: usize = news
            .take_while(|entry| entry.index <= index)
            .map(Entry::size)
            .sum();
        if let Role::Leader(leader) = &mut self.role {
            leader.uncommitted = leader.uncommitted.saturating_sub(size);
        }
        self.commit_to(index);
    }

    pub(super) fn tick_leader(&mut self) {
        let (now, config) = (self.now, &self.config);
        let Role::Leader(leader) = &mut self.role else {
            return;
        };
        if now >= leader.heartbeat {
            leader.heartbeat = now + config.heartbeat;
            leader.beat = true;
            leader.progress.values_mut().for_each(Progress::may_repeat);
            if let Some(transfer) = &mut leader.transfer {
                transfer.told = false;
            }
        }
        if leader
            .transfer
            .as_ref()
            .is_some_and(|transfer| now >= transfer.until)
        {
            leader.transfer = None;
        }
        if now >= leader.quorum {
            leader.quorum = now + config.election_timeout_min;
            self.check_quorum();
        }
    }

    /// A leader that no majority answers must step down: another may lead already, and clients wait
    /// (dissertation §6.2).
    fn check_quorum(&mut self) {
        let Role::Leader(leader) = &self.role else {
            return;
        };
        let window = self.config.election_timeout_max;
        let hears = |node| match leader.progress.get(&node) {
            Some(progress) => self.now <= progress.heard + window,
            None => node == self.id,
        };
        if !self.has_quorum(hears) {
            self.out.events.push(Event::LostQuorum);
            self.become_follower(self.hard.term, None);
        }
    }

    /// With each output: what has to be sent to the others.
    pub(super) fn lead_on(&mut self) {
        let resigns = self.continue_change();
        self.replicate();
        self.hand_over();
        if resigns {
            self.resign();
        }
    }
}
