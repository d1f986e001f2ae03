//! The deterministic simulation: a whole cluster in one thread, in virtual time, from one seed.
//!
//! ```text
//!            ┌────────────── queue: what happens when ◄─────────────┐
//!            ▼                                                      │
//!  message, tick, sync, call, action ──> host ──> Node::step ──> Output
//!                                          │                        │
//!                                          └──> checks after each ◄─┘
//! ```
//!
//! Nothing here uses the operating system, and all random choices come from [`Dice`] with one seed:
//! the same seed and scenario give the same run, moment by moment, on every machine. When the
//! scenario is over, so are all faults. Then a leader must be elected, a new write must reach all
//! members within [`RECOVERY`], and what the clients saw must be linearizable.
//!
//! Files in reading order: `queue`, `network`, `host`, this one, `outputs` (what nodes want done),
//! `stage` (the scenario's actions), `client`, `calls` (what goes between clients and nodes), `ending`,
//! `checks`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::checks::{Broken, Checked, Checks, Rule};
use super::client::{Call, Client, Reply};
use super::history::Recording;
use super::host::{Clock, Host};
use super::network::Network;
use super::queue::Queue;
use super::scenario::Scenario;
use super::timeline::{Loss, Moment, Timeline, What};
use crate::raft::history::Operation;
use crate::raft::storage::{MemoryStorage, Restored};
use crate::raft::{Dice, Index, Input, Message, Node, NodeId, Refusal, RoleName};

/// How long after all faults a new write may take to reach all members.
pub const RECOVERY: Duration = Duration::from_secs(10);
/// A run of more steps than this counts as endless.
const MOST_STEPS: u64 = 20_000_000;
/// The share of outputs that are taken a little after their input, so that inputs come in batches.
const BATCHED: f64 = 0.1;

/// What a run showed.
#[derive(Debug)]
pub struct Run {
    /// The moments, if they were asked for.
    pub timeline: Timeline,
    /// How many events there were.
    pub steps: u64,
    /// How long it was in virtual time, recovery included.
    pub lasted: Duration,
    /// What clients did.
    pub history: Vec<Operation>,
    /// The rule that was broken, and when.
    pub broken: Option<(Duration, Broken)>,
}

/// How to run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whether to keep all moments: a hundred times slower.
    pub watch: bool,
    /// The bug that every node gets.
    #[cfg(test)]
    pub flaw: Option<crate::raft::Flaw>,
}

/// Plays a scenario.
pub fn run(scenario: &Scenario, seed: u64, options: &Options) -> Run {
    let mut world = World::new(scenario, seed, options);
    let broken = world.play().err();
    if let Some(broken) = &broken {
        world.tell(None, || What::Broken(broken.to_string()));
    }
    Run {
        steps: world.steps,
        lasted: world.now,
        history: world.recording.operations().to_vec(),
        broken: broken.map(|broken| (world.now, broken)),
        timeline: world.timeline,
    }
}

/// Something that is going to happen.
#[derive(Debug)]
pub(super) enum Event {
    /// A message arrives.
    Arrives { number: u64, message: Message },
    /// A disk has done a write.
    Synced {
        node: NodeId,
        life: u64,
        number: u64,
    },
    /// A node's deadline may have come.
    Tick { node: NodeId, life: u64 },
    /// A node's output is taken.
    Flush { node: NodeId, life: u64 },
    /// The scenario's next action.
    Action(usize),
    /// A change or transfer is tried, for this many more times.
    Order { action: usize, tries: u32 },
    /// A client begins an operation.
    Wakes { client: usize },
    /// A client calls (again).
    Calls { client: usize, operation: u64 },
    /// A call arrives at a node.
    Asked {
        node: NodeId,
        client: usize,
        of: (u64, u64),
        call: Call,
    },
    /// An answer arrives at a client.
    Answered {
        client: usize,
        of: (u64, u64),
        reply: Reply,
    },
    /// A client has waited long enough for this call.
    Impatient { client: usize, call: u64 },
    /// The scenario is over.
    Over,
    /// It is checked whether the cluster has recovered.
    Recovered,
}

/// The whole simulated world.
#[derive(Debug)]
pub(super) struct World<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) options: &'a Options,
    pub(super) now: Duration,
    pub(super) dice: Dice,
    pub(super) queue: Queue<Event>,
    pub(super) network: Network,
    pub(super) hosts: BTreeMap<NodeId, Host>,
    pub(super) clients: Vec<Client>,
    pub(super) recording: Recording,
    pub(super) checks: Checks,
    /// Counts messages, and the ids that nodes are given.
    pub(super) numbers: u64,
    /// The change or transfer that the leader was given, and why it was refused.
    pub(super) order: Option<(u64, Option<Refusal>)>,
    /// Whether all faults are over; then `proof` is the write that shows recovery.
    pub(super) calm: bool,
    pub(super) proof: Option<(u64, Index)>,
    timeline: Timeline,
    steps: u64,
}

impl<'a> World<'a> {
    fn new(scenario: &'a Scenario, seed: u64, options: &'a Options) -> Self {
        let mut dice = Dice::new(seed);
        let network = Network::new(scenario.weather, dice.child());
        let mut world = Self {
            scenario,
            options,
            now: Duration::ZERO,
            dice,
            queue: Queue::new(),
            network,
            hosts: BTreeMap::new(),
            clients: Vec::new(),
            recording: Recording::default(),
            checks: Checks::default(),
            numbers: 0,
            order: None,
            calm: false,
            proof: None,
            timeline: Timeline::new(),
            steps: 0,
        };
        world.found();
        world
    }

    /// The founding nodes, with what the scenario puts on their disks.
    fn found(&mut self) {
        let scenario = self.scenario;
        let members = scenario.founders();
        for id in members.members() {
            self.build(id, scenario.founding_disk(id));
        }
        self.checks.commits.founded(members);
        for (place, timed) in scenario.actions.iter().enumerate() {
            self.queue.plan(timed.at, Event::Action(place));
        }
        for _ in 0..scenario.clients.number {
            self.hire(super::client::Plan::Always(scenario.clients));
        }
        self.queue.plan(scenario.duration, Event::Over);
    }

    /// A machine with this on its disk; it is down.
    pub(super) fn build(&mut self, id: NodeId, restored: Restored) {
        let clock = Clock::skewed(self.scenario.skew, &mut self.dice);
        let host = Host::new(id, MemoryStorage::new(restored), clock);
        self.hosts.insert(id, host);
    }

    fn play(&mut self) -> Checked {
        let ids: Vec<NodeId> = self.hosts.keys().copied().collect();
        for id in ids {
            self.start(id)?;
        }
        while let Some((time, event)) = self.queue.next() {
            self.now = time;
            self.steps += 1;
            if self.steps > MOST_STEPS {
                let how = format!("{MOST_STEPS} steps are not enough");
                return Err(Broken {
                    rule: Rule::Progress,
                    how,
                });
            }
            if let Event::Recovered = event {
                if self.has_recovered()? {
                    return self.conclude();
                }
            } else {
                self.happens(event)?;
            }
        }
        Ok(())
    }

    fn happens(&mut self, event: Event) -> Checked {
        match event {
            Event::Arrives { number, message } => self.arrives(number, message),
            Event::Synced { node, life, number } => self.synced(node, life, number),
            Event::Tick { node, life } => self.tick(node, life),
            Event::Flush { node, life } => self.flush(node, life),
            Event::Action(place) => self.act(place),
            Event::Order { action, tries } => self.order(action, tries),
            Event::Wakes { client } => self.wakes(client),
            Event::Calls { client, operation } => self.calls(client, operation),
            Event::Asked {
                node,
                client,
                of,
                call,
            } => self.asked(node, client, of, call),
            Event::Answered { client, of, reply } => self.answered(client, of, reply),
            Event::Impatient { client, call } => self.impatient(client, call),
            Event::Over => self.over(),
            Event::Recovered => Ok(()),
        }
    }

    /// Adds a moment; `what` is made only if moments are kept.
    pub(super) fn tell(&mut self, node: Option<NodeId>, what: impl FnOnce() -> What) {
        if !self.options.watch {
            return;
        }
        let of = node
            .and_then(|id| self.hosts.get(&id))
            .and_then(|host| host.node.as_ref());
        let (role, term) = of.map_or((RoleName::Follower, 0), |node| {
            (node.role(), node.hard_state().term)
        });
        self.timeline.add(Moment {
            time: self.now,
            node,
            role,
            term,
            what: what(),
        });
    }

    pub(super) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// A node that is down begins to run with what its disk holds.
    pub(super) fn start(&mut self, id: NodeId) -> Checked {
        let (seed, config) = (self.dice.number(), self.scenario.config());
        let Some(host) = self.hosts.get_mut(&id).filter(|host| host.node.is_none()) else {
            return Ok(());
        };
        let restored = host.storage.load();
        #[cfg_attr(not(test), allow(unused_mut))]
        let mut node = Node::new(
            id,
            config,
            restored.clone(),
            seed,
            host.clock.shows(self.now),
        );
        #[cfg(test)]
        if let Some(flaw) = self.options.flaw {
            node.plant(flaw);
        }
        self.checks.started(&node, &restored)?;
        host.start(node);
        let snapshot = restored.snapshot.meta.last_index;
        let entries = restored.entries;
        self.tell(Some(id), || What::Started { snapshot, entries });
        self.settle(id)
    }

    /// The node loses all that is not on its disk.
    pub(super) fn crash(&mut self, id: NodeId) {
        let tears = self.dice.chance(self.scenario.disks.tear.of_one());
        let Some(host) = self.hosts.get_mut(&id).filter(|host| host.node.is_some()) else {
            return;
        };
        match tears {
            true => host.storage.crash(&mut self.dice),
            false => host.storage.lose_unsynced(),
        }
        // Before the node's role is gone.
        self.tell(Some(id), || What::Crashed);
        if let Some(host) = self.hosts.get_mut(&id) {
            host.stop();
        }
        self.checks.crashed(id);
    }

    fn arrives(&mut self, number: u64, message: Message) -> Checked {
        let (from, to, kind) = (message.from, message.to, message.body.name());
        let parted = !self.network.connects(from, to);
        let up = self.hosts.get(&to).is_some_and(|host| host.node.is_some());
        if parted || !up {
            let loss = if parted { Loss::Parted } else { Loss::Down };
            self.tell(None, || What::Dropped {
                number,
                from,
                to,
                kind,
                loss,
            });
            return Ok(());
        }
        self.tell(Some(to), || What::Delivered { number, from, kind });
        self.give(to, Input::Message(message))
    }

    fn synced(&mut self, id: NodeId, life: u64, number: u64) -> Checked {
        let Some(host) = self
            .hosts
            .get_mut(&id)
            .filter(|host| host.life == life && host.node.is_some())
        else {
            return Ok(());
        };
        host.storage.sync_to(number);
        self.give(id, Input::Persisted(number))
    }

    fn tick(&mut self, id: NodeId, life: u64) -> Checked {
        let now = self.now;
        let Some(host) = self.hosts.get_mut(&id).filter(|host| host.life == life) else {
            return Ok(());
        };
        if host.tick != Some(now) || !host.is_awake() {
            return Ok(());
        }
        host.tick = None;
        let due = host
            .node
            .as_ref()
            .is_some_and(|node| node.deadline() <= host.clock.shows(now));
        match due {
            true => self.give(id, Input::Tick),
            false => {
                self.plan_tick(id);
                Ok(())
            }
        }
    }

    fn flush(&mut self, id: NodeId, life: u64) -> Checked {
        match self.hosts.get_mut(&id) {
            Some(host) if host.life == life && host.is_awake() => self.settle(id),
            _ => Ok(()),
        }
    }

    /// Something happens to a node: at once, or when it wakes.
    pub(super) fn give(&mut self, id: NodeId, input: Input) -> Checked {
        let Some(host) = self.hosts.get_mut(&id) else {
            return Ok(());
        };
        if let Some(arrived) = &mut host.paused {
            arrived.push(input);
            return Ok(());
        }
        self.step(id, input)?;
        let batched = self.dice.chance(BATCHED);
        match self.hosts.get_mut(&id) {
            Some(host) if host.flush => Ok(()),
            Some(host) if batched => {
                host.flush = true;
                let (life, node) = (host.life, id);
                let later = self.dice.between(Duration::ZERO, Duration::from_millis(2));
                self.queue
                    .plan(self.now + later, Event::Flush { node, life });
                Ok(())
            }
            _ => self.settle(id),
        }
    }

    pub(super) fn step(&mut self, id: NodeId, input: Input) -> Checked {
        let now = self.now;
        let Some(host) = self.hosts.get_mut(&id) else {
            return Ok(());
        };
        let local = host.clock.shows(now);
        let Some(node) = &mut host.node else {
            return Ok(());
        };
        let asked = super::checks::timer::before(&input, node);
        node.step(local, input);
        super::checks::timer::after(asked, id, node)?;
        self.look(id)
    }

    /// The checks after a step.
    pub(super) fn look(&mut self, id: NodeId) -> Checked {
        let hosts = &self.hosts;
        let disks = |node: NodeId| hosts.get(&node).map(|host| host.storage.stable());
        match hosts.get(&id).and_then(|host| host.node.as_ref()) {
            Some(node) => self.checks.stepped(id, node, &disks),
            None => Ok(()),
        }
    }

    pub(super) fn plan_tick(&mut self, id: NodeId) {
        let now = self.now;
        let Some(host) = self.hosts.get_mut(&id).filter(|host| host.is_awake()) else {
            return;
        };
        let Some(node) = &host.node else {
            return;
        };
        // A deadline that has passed is due a little later, not at once: time must go on.
        let due = host
            .clock
            .when(node.deadline())
            .max(now + Duration::from_micros(1));
        if host
            .tick
            .is_none_or(|planned| planned > due || planned < now)
        {
            host.tick = Some(due);
            let (node, life) = (id, host.life);
            self.queue.plan(due, Event::Tick { node, life });
        }
        self.tell_timer(id, due);
    }

    /// Reports a follower's election timeout, for spectators.
    fn tell_timer(&mut self, id: NodeId, due: Duration) {
        let host = self.hosts.get_mut(&id).filter(|_| self.options.watch);
        let Some(host) = host.filter(|host| host.timer != due) else {
            return;
        };
        host.timer = due;
        let role = host.node.as_ref().map(Node::role);
        if role != Some(RoleName::Leader) {
            self.tell(Some(id), || What::Timer(due));
        }
    }

    /// The leader of the highest term among the running nodes.
    pub(super) fn leader(&self) -> Option<NodeId> {
        let leads = |host: &&Host| {
            let node = host.node.as_ref();
            host.is_awake() && node.is_some_and(|node| node.role() == RoleName::Leader)
        };
        let term = |host: &&Host| host.node.as_ref().map(|node| node.hard_state().term);
        self.hosts
            .values()
            .filter(leads)
            .max_by_key(term)
            .map(|host| host.id)
    }
}
