//! The node's thread: letters in, everything else out.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::counts::Counts;
use super::ticket::Ticket;
use super::waiting::{Asked, Standing, Waiting};
use super::{Ended, Letter, ReplicaConfig, Shared, Transport};
use crate::raft::storage::{Restored, Storage, StorageError};
use crate::raft::{
    Apply, Entry, Event, Index, Input, Node, NodeId, Output, Payload, Persist, RoleName, Snapshot,
    StateMachine,
};

/// The most letters handled before the output is taken, so that answers do not wait for ever.
const BATCH: usize = 1024;
/// How long after a full disk the write is tried again.
const FULL_PAUSE: Duration = Duration::from_secs(1);
/// Election timeouts after which a hand-over is reported as failed; the core itself gives up after
/// one (dissertation §3.10).
const TRANSFER_TIMEOUTS: u32 = 3;

/// Everything that the thread owns.
pub(super) struct Work<M, S, T> {
    id: NodeId,
    node: Node,
    storage: S,
    machine: M,
    transport: T,
    config: ReplicaConfig,
    shared: Arc<Shared>,
    started: Instant,
    waiting: Waiting<M>,
    role: RoleName,
    leader: Option<NodeId>,
    applied: Index,
    /// The last index of the latest snapshot that the machine restored.
    became: Index,
    /// What was applied since the last snapshot of its own.
    since: Since,
    snapshots: Vec<Ticket<Index>>,
    /// Writes that the disk has not taken; if it is full, when to try again.
    unwritten: VecDeque<Persist>,
    full_until: Option<Duration>,
    /// What the core was last told.
    writable: bool,
}

/// What was applied since the last snapshot, and how large that was.
#[derive(Default)]
struct Since {
    entries: u64,
    bytes: usize,
    last: usize,
}

impl<M: StateMachine, S: Storage, T: Transport> Work<M, S, T> {
    pub(super) fn new(
        (id, seed): (NodeId, u64),
        mut config: ReplicaConfig,
        (storage, restored): (S, Restored),
        machine: M,
        transport: T,
        shared: Arc<Shared>,
    ) -> Self {
        let last = restored.snapshot.data.bytes().len();
        config.raft = config.raft.usable();
        Self {
            id,
            node: Node::new(id, config.raft.clone(), restored, seed, Duration::ZERO),
            storage,
            machine,
            transport,
            config,
            shared,
            started: Instant::now(),
            waiting: Waiting::new(),
            role: RoleName::Follower,
            leader: None,
            applied: 0,
            became: 0,
            since: Since {
                last,
                ..Since::default()
            },
            snapshots: Vec::new(),
            unwritten: VecDeque::new(),
            full_until: None,
            writable: true,
        }
    }

    /// Runs until it has to stop, or cannot go on.
    pub(super) fn run(mut self, inbox: Receiver<Letter<M>>) -> Result<(), Ended> {
        let status = self.node.status();
        self.transport.members(&status.membership);
        Counts::set(&self.shared.counts.term, status.term);
        self.settle()?;
        loop {
            let now = self.now();
            match inbox.recv_timeout(self.wake_at().saturating_sub(now)) {
                Ok(letter) => {
                    if !self.take_all(letter, &inbox) {
                        return self.settle();
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                // No handle is left that could ask, deliver or stop.
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            let now = self.now();
            if now >= self.node.deadline() {
                self.node.step(now, Input::Tick);
            }
            if self.full_until.is_some_and(|until| now >= until) {
                self.full_until = None;
                self.write_out()?;
            }
            self.settle()?;
            self.waiting.look_at_transfer(self.role, self.leader, now);
        }
    }

    /// Time as the core has it: since this thread began.
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn wake_at(&self) -> Duration {
        let deadline = self.node.deadline();
        self.full_until.map_or(deadline, |full| full.min(deadline))
    }

    /// Handles a letter and those that wait after it; `false` when one says stop.
    fn take_all(&mut self, first: Letter<M>, inbox: &Receiver<Letter<M>>) -> bool {
        let now = self.now();
        let letters = std::iter::once(first).chain(inbox.try_iter());
        for letter in letters.take(BATCH) {
            if !self.take(now, letter) {
                return false;
            }
        }
        true
    }

    fn take(&mut self, now: Duration, letter: Letter<M>) -> bool {
        if let Letter::Propose(command, _) = &letter {
            let size = command.bytes().len();
            self.shared.proposed.fetch_sub(size, Ordering::Relaxed);
        }
        match letter {
            Letter::Messages(messages) => {
                let inputs = messages.into_iter().map(Input::Message);
                inputs.for_each(|input| self.node.step(now, input));
            }
            // The caller has left and would get no answer, so it need not happen.
            Letter::Propose(_, ticket) if ticket.is_abandoned() => {}
            Letter::Propose(command, ticket) => {
                let id = self.waiting.ask(Asked::Propose(ticket.begun()));
                self.node.step(now, Input::Propose { id, command });
            }
            Letter::Read(question) => {
                let id = self.waiting.ask(Asked::Read(question));
                self.node.step(now, Input::Read { id });
            }
            Letter::Look(question) => question.put_to(&self.machine),
            Letter::Change(change, ticket) => {
                let id = self.waiting.ask(Asked::Change(ticket.begun()));
                self.node.step(now, Input::Change { id, change });
            }
            Letter::Transfer(to, ticket) => {
                let given_up = now + self.config.raft.election_timeout_max * TRANSFER_TIMEOUTS;
                let id = self.waiting.transfer(to, given_up, ticket.begun());
                self.node.step(now, Input::Transfer { id, to });
            }
            Letter::Snapshot(ticket) => {
                self.snapshots.push(ticket);
                self.compact();
            }
            Letter::Status(ticket) => ticket.answer(Ok(self.node.status())),
            Letter::Stop => return false,
        }
        true
    }

    /// Does what the node wants done, until it wants nothing more.
    fn settle(&mut self) -> Result<(), Ended> {
        loop {
            let mut output = self.node.output();
            let persist = output.persist.take();
            self.carry_out(output)?;
            if self.is_snapshot_due() {
                self.compact();
            }
            match persist {
                Some(write) => self.unwritten.push_back(write),
                None => return Ok(()),
            }
            self.write_out()?;
        }
    }

    /// All of an output but what goes to the disk: the messages first, which make others work.
    fn carry_out(&mut self, output: Output) -> Result<(), Ended> {
        if !output.messages.is_empty() {
            self.transport.send(output.messages);
        }
        for (id, index, term) in output.accepted {
            let is_command = self.waiting.accepted(id, index, term);
            self.shared.counts.proposals.add(u64::from(is_command));
        }
        for (id, refusal) in output.refused {
            self.waiting.refused(id, refusal);
        }
        for id in output.unknown {
            self.waiting.unknown(id);
        }
        if !output.apply.is_empty() {
            for apply in output.apply {
                self.apply(apply)?;
            }
            Counts::set(&self.shared.counts.applied, self.applied);
            self.shared.applied(self.applied);
        }
        self.shared.counts.reads.add(output.reads.len() as u64);
        for id in output.reads {
            self.waiting.read(id, &self.machine);
        }
        // After `apply`: a leader that was removed resigns with the entry that removes it.
        for event in output.events {
            self.hear(event);
        }
        Ok(())
    }

    fn apply(&mut self, apply: Apply) -> Result<(), Ended> {
        match apply {
            Apply::Snapshot(snapshot) => {
                self.restore(&snapshot)?;
                self.applied = snapshot.meta.last_index;
                self.since = Since {
                    last: snapshot.data.bytes().len(),
                    ..Since::default()
                };
                self.waiting.skipped(self.applied);
            }
            Apply::Entry(entry) => self.apply_entry(&entry),
        }
        Ok(())
    }

    /// The machine becomes this snapshot, unless it was a later one already: while the disk is full,
    /// several may wait for it.
    fn restore(&mut self, snapshot: &Snapshot) -> Result<(), Ended> {
        let last_index = snapshot.meta.last_index;
        if self.became < last_index {
            let restored = self.machine.restore(snapshot.data.bytes());
            restored.map_err(Ended::Snapshot)?;
            self.became = last_index;
        }
        Ok(())
    }

    fn apply_entry(&mut self, entry: &Entry) {
        self.applied = entry.index;
        self.since.entries += 1;
        self.since.bytes += entry.size();
        let standing = self.waiting.applied(entry.index, entry.term);
        let reply = match &entry.payload {
            Payload::Command(command) => self.machine.apply(entry.index, command.bytes()),
            Payload::Membership(_) | Payload::NoOp => Vec::new(),
        };
        match standing {
            Some(Standing::Command(ticket)) => ticket.answer(Ok(reply)),
            Some(Standing::Change(ticket)) => ticket.answer(Ok(())),
            None => {}
        }
    }

    /// Reports an event to the log and the counters.
    fn hear(&mut self, event: Event) {
        let counts = &self.shared.counts;
        match event {
            Event::Became { role, term, leader } => {
                if self.role == RoleName::Leader && role != RoleName::Leader {
                    self.waiting.deposed();
                }
                let news = self.role != role || self.leader != leader;
                (self.role, self.leader) = (role, leader);
                self.shared.led_by(leader);
                let leads = role == RoleName::Leader;
                counts.won.add(u64::from(leads));
                counts.leads.set(i64::from(leads));
                Counts::set(&counts.term, term);
                if news {
                    self.tell_role(term);
                }
            }
            Event::Committed(index) => Counts::set(&counts.commit, index),
            Event::Members(members) => {
                self.transport.members(&members);
                let sets = [&members.voters, &members.outgoing, &members.learners].map(numbers);
                let names = ["voters", "outgoing", "learners"];
                let fields = names.iter().zip(&sets).filter(|(_, set)| !set.is_empty());
                let fields: Vec<(&str, &dyn Display)> = fields
                    .map(|(name, set)| (*name, set as &dyn Display))
                    .collect();
                self.tell("members", &fields);
            }
            Event::Installed(index) => self.tell("snapshot installed", &[("index", &index)]),
            Event::LostQuorum => self.tell("no majority is heard", &[]),
            Event::Voted { .. }
            | Event::Truncated(_)
            | Event::Transferring(_)
            | Event::Compacted(_) => {}
        }
    }

    fn tell_role(&self, term: u64) {
        match self.leader {
            _ if self.role == RoleName::Leader => self.tell("leads", &[("term", &term)]),
            Some(leader) => self.tell("follows", &[("leader", &leader), ("term", &term)]),
            None => self.tell("has no leader", &[("role", &self.role), ("term", &term)]),
        }
    }

    fn tell(&self, message: &str, fields: &[(&str, &dyn Display)]) {
        let target = format!("node {}", self.id);
        self.config.log.info(&target, message, fields);
    }

    /// Writes what there is to write, syncs once, and tells the core. After a full disk, it writes
    /// nothing until the next try. Any other failure ends the node: what was written may be lost,
    /// and a second try would not show that.
    fn write_out(&mut self) -> Result<(), Ended> {
        if self.full_until.is_some() {
            return Ok(());
        }
        let begun = Instant::now();
        let mut written = None;
        while let Some(write) = self.unwritten.pop_front() {
            // If this machine could not read the snapshot that replaces the whole log, the node
            // could never start again: so the machine restores it first. That is safe: all before
            // it is applied, nothing is applied until it is written, and its contents are
            // committed.
            if let Some(snapshot) = write.snapshot.as_ref().filter(|_| write.drop_log) {
                self.restore(snapshot)?;
            }
            match self.storage.write(&write) {
                Ok(()) => written = Some(write.number),
                Err(error @ StorageError::Full { .. }) => {
                    self.unwritten.push_front(write);
                    // Tried again each second, logged once.
                    if self.writable {
                        let target = format!("node {}", self.id);
                        let why: [(&str, &dyn Display); 1] = [("because", &error)];
                        self.config.log.warn(&target, "takes no commands", &why);
                    }
                    self.full_until = Some(self.now() + FULL_PAUSE);
                    break;
                }
                Err(error) => return Err(Ended::Storage(error)),
            }
        }
        if let Some(number) = written {
            self.storage.sync().map_err(Ended::Storage)?;
            let time = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.shared.counts.writing.record(time);
            self.node.step(self.now(), Input::Persisted(number));
        }
        let writable = self.full_until.is_none();
        if writable != self.writable {
            self.writable = writable;
            if writable {
                self.tell("takes commands again", &[]);
            }
            self.node.step(self.now(), Input::Writable(writable));
        }
        if writable {
            self.answer_snapshots();
        }
        Ok(())
    }

    fn is_snapshot_due(&self) -> bool {
        let Since {
            entries,
            bytes,
            last,
        } = self.since;
        let most = self.config.snapshot_bytes.max(last);
        entries > 0 && (entries >= self.config.snapshot_entries || bytes >= most)
    }

    /// Replaces the log up to here by a snapshot.
    fn compact(&mut self) {
        if self.since.entries > 0 {
            let data = self.machine.snapshot();
            self.shared.counts.snapshots.inc();
            self.since = Since {
                last: data.len(),
                ..Since::default()
            };
            let (index, data) = (self.applied, data.into());
            self.node.step(self.now(), Input::Compact { index, data });
        } else if self.unwritten.is_empty() {
            self.answer_snapshots();
        }
    }

    /// When nothing waits for the disk, the requested snapshots are there.
    fn answer_snapshots(&mut self) {
        let index = self.node.log().snapshot().last_index;
        for ticket in self.snapshots.drain(..) {
            ticket.answer(Ok(index));
        }
    }
}

fn numbers(set: &BTreeSet<NodeId>) -> String {
    let numbers: Vec<String> = set.iter().map(NodeId::to_string).collect();
    numbers.join(",")
}
