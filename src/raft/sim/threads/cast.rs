//! The threads of a run: how they start, and how they end.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::super::client::{Client, Plan};
use super::super::host::Clock;
use super::super::network::Network;
use super::super::scenario::{Action, Scenario};
use super::super::timeline::{Moment, What};
use super::client::ClientThread;
use super::network::NetworkThread;
use super::node::{Asked, Disk, NodeThread, Snapshots};
use super::post::{Answer, Letter, Post, Report, Spectator};
use crate::raft::registers::Registers;
use crate::raft::sessions::{Limits, Sessions};
use crate::raft::storage::{MemoryStorage, Restored};
use crate::raft::{Dice, Node, NodeId, RoleName};

/// Enough for a node or a client; sixty-four of each are allowed.
const STACK: usize = 512 << 10;

/// All threads but the control's own.
pub(super) struct Cast {
    pub(super) scenario: Scenario,
    pub(super) dice: Dice,
    pub(super) network: Sender<Letter>,
    pub(super) machines: BTreeMap<NodeId, Machine>,
    spectator: Spectator,
    clients: Vec<Sender<Answer>>,
    others: Vec<JoinHandle<()>>,
}

/// A machine on which a node may run.
pub(super) struct Machine {
    life: Life,
    clock: Clock,
    /// While it is paused: dropping this resumes it.
    gate: Option<Sender<()>>,
}

enum Life {
    Up(JoinHandle<MemoryStorage>),
    Down(MemoryStorage),
}

impl Machine {
    pub(super) fn is_up(&self) -> bool {
        matches!(self.life, Life::Up(_))
    }
}

impl Cast {
    /// The network, the founding nodes, the clients.
    pub(super) fn start(scenario: Scenario, seed: u64, spectator: Spectator) -> io::Result<Self> {
        let mut dice = Dice::new(seed);
        let (network, inbox) = mpsc::channel();
        let weather = Network::new(scenario.weather, dice.child());
        let thread = NetworkThread::new(inbox, weather, spectator.clone());
        let mut cast = Self {
            scenario,
            dice,
            network,
            machines: BTreeMap::new(),
            spectator,
            clients: Vec::new(),
            others: vec![spawn("network".into(), move || thread.run())?],
        };
        for id in cast.scenario.founders().members() {
            let disk = cast.scenario.founding_disk(id);
            cast.add(id, disk)?;
        }
        for _ in 0..cast.scenario.clients.number {
            cast.client(Plan::Always(cast.scenario.clients))?;
        }
        Ok(cast)
    }

    /// Starts a node that was not there yet.
    pub(super) fn add(&mut self, id: NodeId, disk: Restored) -> io::Result<()> {
        let clock = Clock::skewed(self.scenario.skew, &mut self.dice);
        let life = Life::Down(MemoryStorage::new(disk));
        let gate = None;
        self.machines.insert(id, Machine { life, clock, gate });
        self.restart(id)
    }

    /// Starts a node that is down, with what its disk holds.
    pub(super) fn restart(&mut self, id: NodeId) -> io::Result<()> {
        let seed = self.dice.number();
        let dice = self.dice.child();
        let Some(machine) = self.machines.get_mut(&id) else {
            return Ok(());
        };
        let Life::Down(storage) = &mut machine.life else {
            return Ok(());
        };
        let storage = std::mem::take(storage);
        let restored = storage.load();
        let term = restored.hard_state.term;
        let snapshot = restored.snapshot.meta.last_index;
        let now = self.spectator.time.now();
        let started = What::Started {
            snapshot,
            entries: restored.entries.clone(),
        };
        let moment = Moment::of(now, id, RoleName::Follower, term, started);
        self.spectator.tell(Report::Moment(moment));
        let (sender, inbox) = mpsc::channel();
        let config = self.scenario.config();
        let thread = NodeThread {
            id,
            node: Node::new(id, config, restored, seed, machine.clock.shows(now)),
            storage,
            machine: Sessions::new(Registers::default(), Limits::default()),
            inbox,
            network: self.network.clone(),
            spectator: self.spectator.clone(),
            clock: machine.clock,
            disk: Disk::new(self.scenario.disks, dice),
            snapshots: Snapshots::new(self.scenario.snapshots.every),
            asked: Asked::default(),
            seen: (RoleName::Follower, term),
            timer: Duration::ZERO,
        };
        machine.life = Life::Up(spawn(format!("node {id}"), move || thread.run())?);
        self.send(Letter::Inbox(id, sender));
        Ok(())
    }

    /// Ends a node's thread and keeps its disk.
    pub(super) fn crash(&mut self, id: NodeId) {
        self.resume(id);
        self.post(id, Post::Crash);
        let Some(machine) = self.machines.get_mut(&id) else {
            return;
        };
        let down = Life::Down(MemoryStorage::default());
        machine.life = match std::mem::replace(&mut machine.life, down) {
            // A thread that panicked has lost its disk.
            Life::Up(thread) => Life::Down(thread.join().unwrap_or_default()),
            down => down,
        };
    }

    /// Pauses a running node.
    pub(super) fn pause(&mut self, id: NodeId) {
        let (gate, other_end) = mpsc::channel();
        let Some(machine) = self.machines.get_mut(&id) else {
            return;
        };
        if machine.is_up() && machine.gate.is_none() {
            machine.gate = Some(gate);
            self.post(id, Post::Pause(other_end));
        }
    }

    /// Resumes it.
    pub(super) fn resume(&mut self, id: NodeId) {
        if let Some(machine) = self.machines.get_mut(&id) {
            machine.gate = None;
        }
    }

    /// A machine's clock jumps ahead, and stays ahead after a crash.
    pub(super) fn jump(&mut self, id: NodeId, by: Duration) {
        if let Some(machine) = self.machines.get_mut(&id) {
            machine.clock.jump(by);
            self.post(id, Post::Clock(by));
        }
    }

    /// Starts a client; returns its name.
    pub(super) fn client(&mut self, plan: Plan) -> io::Result<u64> {
        let nodes = self.all_nodes();
        let any = self.dice.below(nodes.len() as u64) as usize;
        let target = nodes.get(any).copied().unwrap_or(1);
        let (reply_to, inbox) = mpsc::channel();
        self.clients.push(reply_to.clone());
        let name = self.clients.len() as u64;
        let thread = ClientThread {
            name,
            client: Client::new(plan, target, self.dice.child()),
            request: String::new(),
            inbox,
            reply_to,
            network: self.network.clone(),
            nodes,
            spectator: self.spectator.clone(),
        };
        let thread = spawn(format!("client {name}"), move || thread.run())?;
        self.others.push(thread);
        Ok(name)
    }

    /// All nodes, those that the scenario will add included.
    fn all_nodes(&self) -> Vec<NodeId> {
        let added = self
            .scenario
            .actions
            .iter()
            .filter_map(|timed| match timed.action {
                Action::Add(node) | Action::Learner(node) => Some(node),
                _ => None,
            });
        let mut nodes: Vec<NodeId> = self.machines.keys().copied().chain(added).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    /// To the network, which lives as long as the run.
    pub(super) fn send(&self, letter: Letter) {
        let _ = self.network.send(letter);
    }

    pub(super) fn post(&self, id: NodeId, post: Post) {
        self.send(Letter::Post(id, post));
    }

    /// Ends all threads.
    pub(super) fn end(mut self) {
        let ids: Vec<NodeId> = self.machines.keys().copied().collect();
        ids.into_iter().for_each(|id| self.crash(id));
        for client in &self.clients {
            let _ = client.send(Answer::Stop);
        }
        self.send(Letter::Stop);
        for thread in self.others {
            // A panic was reported on standard error.
            let _ = thread.join();
        }
    }
}

fn spawn<T: Send + 'static>(
    name: String,
    body: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    thread::Builder::new()
        .name(name)
        .stack_size(STACK)
        .spawn(body)
}
