//! A node as a thread: an inbox, a loop, and the pure core in the middle of it.
//!
//! This is all that the paper's rules need to become a program: [`NodeThread::run`] waits until
//! something arrives or is due, hands it to the core, and carries out the core's output.
//! [`replica`](crate::raft::replica) has the same loop for real work.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use super::super::client::{Call, Reply};
use super::super::host::Clock;
use super::super::scenario::Disks;
use super::super::timeline::{Moment, What};
use super::post::{Asker, Letter, Order, Post, Report, Spectator};
use crate::raft::registers::Registers;
use crate::raft::sessions::Sessions;
use crate::raft::storage::{MemoryStorage, Storage};
use crate::raft::{
    Apply, Dice, Entry, Event, Index, Input, Node, NodeId, Output, Payload, Persist, Refusal,
    RoleName, StateMachine, Term,
};

/// The thread's state.
pub(super) struct NodeThread {
    pub(super) id: NodeId,
    pub(super) node: Node,
    pub(super) storage: MemoryStorage,
    pub(super) machine: Sessions<Registers>,
    pub(super) inbox: Receiver<Post>,
    pub(super) network: Sender<Letter>,
    pub(super) spectator: Spectator,
    pub(super) clock: Clock,
    pub(super) disk: Disk,
    pub(super) snapshots: Snapshots,
    pub(super) asked: Asked,
    /// The role and term that were last reported.
    pub(super) seen: (RoleName, Term),
    /// The election timeout that was last reported.
    pub(super) timer: Duration,
}

/// The disk: a write becomes stable some time after it is given.
pub(super) struct Disk {
    like: Disks,
    dice: Dice,
    /// The writes that it works on: when each will be stable, and its number.
    writing: VecDeque<(Duration, u64)>,
}

/// When the log goes into a snapshot.
#[derive(Default)]
pub(super) struct Snapshots {
    /// After this many entries; 0: only when told to.
    every: u64,
    /// The last one.
    last: Index,
    /// The last index that was applied.
    applied: Index,
}

/// What was asked of the node and has no answer yet.
#[derive(Default)]
pub(super) struct Asked {
    count: u64,
    waiting: BTreeMap<u64, Waiting>,
    /// By index: the request whose entry will be there, if it has this term.
    accepted: BTreeMap<Index, (Term, u64)>,
}

enum Waiting {
    Write(Asker),
    Read(String, Asker),
    Order(Order),
}

impl NodeThread {
    /// The node's life, until it crashes; returns its disk.
    pub(super) fn run(mut self) -> MemoryStorage {
        self.act();
        loop {
            match self.inbox.recv_timeout(self.patience()) {
                Ok(Post::Crash) | Err(RecvTimeoutError::Disconnected) => return self.crash(),
                Ok(post) => self.take(post),
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.do_what_is_due();
            self.act();
        }
    }

    /// How long it may wait for its inbox: until the disk is done, or the core wants a tick.
    fn patience(&self) -> Duration {
        let tick = self.clock.when(self.node.deadline());
        let disk = self.disk.writing.front();
        let next = disk.map_or(tick, |&(done, _)| done.min(tick));
        self.spectator.time.until(next)
    }

    /// Something came.
    fn take(&mut self, post: Post) {
        match post {
            Post::Message(number, message) => {
                let (from, kind) = (message.from, message.body.name());
                self.tell(What::Delivered { number, from, kind });
                self.step(Input::Message(message));
            }
            Post::Call(call, asker) => self.called(call, asker),
            Post::Order(order) => {
                let id = self.asked.wait(Waiting::Order(order.clone()));
                self.step(with_id(order.input, id));
            }
            Post::Snapshot => self.snapshot(),
            Post::Clock(by) => self.clock.jump(by),
            Post::Pause(gate) => {
                self.tell(What::Paused);
                // Nothing is ever sent: the wait ends when the other end goes.
                let _ = gate.recv();
                self.tell(What::Resumed);
            }
            Post::Crash => {}
        }
    }

    /// Syncs that are done, and a tick if the core waits for one.
    fn do_what_is_due(&mut self) {
        let now = self.spectator.time.now();
        while let Some(&(_, number)) = self.disk.writing.front().filter(|(done, _)| *done <= now) {
            self.disk.writing.pop_front();
            self.storage.sync_to(number);
            self.step(Input::Persisted(number));
        }
        if self.node.deadline() <= self.clock.shows(now) {
            self.step(Input::Tick);
        }
        let Snapshots {
            every,
            last,
            applied,
        } = self.snapshots;
        if every > 0 && applied - last >= every {
            self.snapshot();
        }
    }

    fn step(&mut self, input: Input) {
        let now = self.clock.shows(self.spectator.time.now());
        self.node.step(now, input);
    }

    /// Does what the core wants. The order is free, but for reads: they see what is applied.
    fn act(&mut self) {
        let output = self.node.output();
        self.tell_events(&output);
        for message in output.messages {
            let letter = Letter::Message(self.seen.0, self.seen.1, message);
            // When the network has gone, the run is over, and that will be heard.
            let _ = self.network.send(letter);
        }
        if let Some(write) = output.persist {
            self.write(write);
        }
        for (id, index, term) in output.accepted {
            self.asked.accepted.insert(index, (term, id));
        }
        for (id, refusal) in output.refused {
            self.refuse(id, refusal);
        }
        for apply in output.apply {
            self.apply(apply);
        }
        for id in output.reads {
            self.answer_read(id);
        }
    }

    fn write(&mut self, write: Persist) {
        // A storage in memory takes every write.
        let _ = self.storage.write(&write);
        let last = self
            .disk
            .writing
            .back()
            .map_or(Duration::ZERO, |&(done, _)| done);
        let done =
            last.max(self.spectator.time.now()) + self.disk.like.sync.draw(&mut self.disk.dice);
        self.disk.writing.push_back((done, write.number));
        if !write.entries.is_empty() {
            self.tell(What::Appended(write.entries));
        }
    }

    fn apply(&mut self, apply: Apply) {
        match apply {
            Apply::Snapshot(snapshot) => {
                let index = snapshot.meta.last_index;
                if let Err(bad) = self.machine.restore(snapshot.data.bytes()) {
                    self.tell(What::Broken(bad.to_string()));
                }
                (self.snapshots.applied, self.snapshots.last) = (index, index);
                // What became of those commands this node will never know: their clients give up.
                self.asked.accepted = self.asked.accepted.split_off(&(index + 1));
            }
            Apply::Entry(entry) => {
                self.snapshots.applied = entry.index;
                let reply = match &entry.payload {
                    Payload::Command(command) => self.machine.apply(entry.index, command.bytes()),
                    _ => Vec::new(),
                };
                self.answer_write(&entry, reply);
                self.spectator.tell(Report::Applied(self.id, entry));
            }
        }
    }

    fn snapshot(&mut self) {
        let index = self.snapshots.applied;
        if index > self.snapshots.last {
            self.snapshots.last = index;
            let data = self.machine.snapshot().into();
            self.step(Input::Compact { index, data });
        }
    }

    fn crash(mut self) -> MemoryStorage {
        self.tell(What::Crashed);
        let Disk { like, dice, .. } = &mut self.disk;
        match dice.chance(like.tear.of_one()) {
            true => self.storage.crash(dice),
            false => self.storage.lose_unsynced(),
        }
        self.storage
    }
}

/// What clients ask.
impl NodeThread {
    fn called(&mut self, call: Call, asker: Asker) {
        match call {
            Call::Propose(command) => {
                let id = self.asked.wait(Waiting::Write(asker));
                self.step(Input::Propose { id, command });
            }
            Call::Read(key) => {
                let id = self.asked.wait(Waiting::Read(key, asker));
                self.step(Input::Read { id });
            }
        }
    }

    fn answer_write(&mut self, entry: &Entry, reply: Vec<u8>) {
        let Some((term, id)) = self.asked.accepted.remove(&entry.index) else {
            return;
        };
        if let Some(Waiting::Write(asker)) = self.asked.waiting.remove(&id) {
            asker.tell(match term == entry.term {
                true => Reply::Applied(reply),
                false => Reply::Replaced,
            });
        }
    }

    fn answer_read(&mut self, id: u64) {
        if let Some(Waiting::Read(key, asker)) = self.asked.waiting.remove(&id) {
            let held = self.machine.machine().get(&key);
            asker.tell(Reply::Holds(held.map(str::to_owned)));
        }
    }

    fn refuse(&mut self, id: u64, refusal: Refusal) {
        match self.asked.waiting.remove(&id) {
            Some(Waiting::Write(asker) | Waiting::Read(_, asker)) => {
                asker.tell(Reply::Refused(refusal));
            }
            Some(Waiting::Order(order)) => self.spectator.tell(Report::Refused(order, refusal)),
            None => {}
        }
    }
}

/// What spectators see.
impl NodeThread {
    fn tell(&self, what: What) {
        let (role, term) = self.seen;
        let now = self.spectator.time.now();
        let moment = Moment::of(now, self.id, role, term, what);
        self.spectator.tell(Report::Moment(moment));
    }

    fn tell_events(&mut self, output: &Output) {
        for event in &output.events {
            if let Event::Became { role, term, .. } = *event {
                self.seen = (role, term);
            }
            self.tell(What::Event(event.clone()));
        }
        let timer = self.clock.when(self.node.deadline());
        if self.seen.0 != RoleName::Leader && timer != self.timer {
            self.timer = timer;
            self.tell(What::Timer(timer));
        }
    }
}

impl Disk {
    pub(super) fn new(like: Disks, dice: Dice) -> Self {
        Self {
            like,
            dice,
            writing: VecDeque::new(),
        }
    }
}

impl Snapshots {
    pub(super) fn new(every: u64) -> Self {
        Self {
            every,
            ..Self::default()
        }
    }
}

impl Asked {
    fn wait(&mut self, waiting: Waiting) -> u64 {
        self.count += 1;
        self.waiting.insert(self.count, waiting);
        self.count
    }
}

/// The control's orders have no id before they meet a node.
fn with_id(input: Input, id: u64) -> Input {
    match input {
        Input::Change { change, .. } => Input::Change { id, change },
        Input::Transfer { to, .. } => Input::Transfer { id, to },
        other => other,
    }
}
