//! A few nodes on one thread for tests: messages wait in a list until they are delivered, disks
//! write when they are told to, time passes when the test says so.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::words::{founding, stopped, vote};
use crate::raft::storage::Restored;
use crate::raft::storage::memory::take;
use crate::raft::{
    Apply, Ballot, Body, Change, Command, Config, Entry, Event, Flaw, Index, Input, Membership,
    Message, Node, NodeId, Output, Payload, Persist, Refusal, RoleName, Term,
};

/// The nodes and what is between them.
pub struct Cluster {
    pub now: Duration,
    pub nodes: BTreeMap<NodeId, Node>,
    /// Messages in flight, oldest first.
    pub messages: VecDeque<Message>,
    /// Nodes cut off from all others.
    pub isolated: BTreeSet<NodeId>,
    /// Writes of disks that are slow, by node.
    pub unwritten: BTreeMap<NodeId, VecDeque<Persist>>,
    /// Disks that write only when told to.
    pub slow: BTreeSet<NodeId>,
    /// What each disk holds.
    pub disks: BTreeMap<NodeId, Restored>,
    pub applied: BTreeMap<NodeId, Vec<Apply>>,
    pub reads: Vec<(NodeId, u64)>,
    pub accepted: Vec<(u64, Index, Term)>,
    pub refused: Vec<(u64, Refusal)>,
    pub unknown: Vec<u64>,
    pub events: Vec<(NodeId, Event)>,
    config: Config,
}

impl Cluster {
    pub fn of(count: NodeId) -> Self {
        Self::with(count, Config::default())
    }

    pub fn with(count: NodeId, config: Config) -> Self {
        let start = founding(&Membership::of(1..=count));
        Self::from((1..=count).map(|id| (id, start.clone())), config)
    }

    /// Node 1 alone, a voter of {1 2 3}: the test speaks for the others.
    pub fn alone(term: Term, log: &[Term]) -> Self {
        Self::from([(1, stopped(1..=3, term, log))], Config::default())
    }

    /// Node 1 alone, elected by nodes 2 and 3 in the next term.
    pub fn leader_alone(term: Term, log: &[Term]) -> Self {
        let mut cluster = Self::alone(term, log);
        cluster.win(1);
        cluster
    }

    /// Nodes that continue from what their disks hold.
    pub fn from(disks: impl IntoIterator<Item = (NodeId, Restored)>, config: Config) -> Self {
        let mut cluster = Self {
            now: Duration::ZERO,
            nodes: BTreeMap::new(),
            messages: VecDeque::new(),
            isolated: BTreeSet::new(),
            unwritten: BTreeMap::new(),
            slow: BTreeSet::new(),
            disks: disks.into_iter().collect(),
            applied: BTreeMap::new(),
            reads: Vec::new(),
            accepted: Vec::new(),
            refused: Vec::new(),
            unknown: Vec::new(),
            events: Vec::new(),
            config,
        };
        for id in cluster.disks.keys().copied().collect::<Vec<_>>() {
            cluster.start(id);
        }
        cluster
    }

    /// Starts a node from its disk; what it had in memory is gone.
    pub fn start(&mut self, id: NodeId) {
        let disk = self.disks.get(&id).cloned().unwrap_or_default();
        self.unwritten.remove(&id);
        let node = Node::new(id, self.config.clone(), disk, id, self.now);
        self.nodes.insert(id, node);
        self.collect(id);
    }

    /// Starts a new node, which waits to be made a member.
    pub fn join(&mut self, id: NodeId) {
        self.disks.insert(id, Restored::default());
        self.start(id);
    }

    /// Stops a node; what its slow disk has not written is gone.
    pub fn crash(&mut self, id: NodeId) {
        self.nodes.remove(&id);
        self.unwritten.remove(&id);
    }

    /// Plants a bug in all running nodes.
    pub fn plant(&mut self, flaw: Option<Flaw>) {
        for node in self.nodes.values_mut() {
            flaw.into_iter().for_each(|flaw| node.plant(flaw));
        }
    }

    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[&id]
    }

    /// Something happens to a node; its messages are in flight, its writes done unless its disk is
    /// slow.
    pub fn step(&mut self, id: NodeId, input: Input) {
        let now = self.now;
        self.nodes.get_mut(&id).expect("a node").step(now, input);
        self.collect(id);
    }

    /// Several things happen to a node before its output is taken.
    pub fn batch(&mut self, id: NodeId, inputs: impl IntoIterator<Item = Input>) {
        let (now, node) = (self.now, self.nodes.get_mut(&id).expect("a node"));
        inputs.into_iter().for_each(|input| node.step(now, input));
        self.collect(id);
    }

    /// Delivers one message to a node, and returns its answers.
    pub fn hear(&mut self, to: NodeId, from: NodeId, term: Term, body: Body) -> Vec<Message> {
        self.messages.clear();
        let message = Message {
            from,
            to,
            term,
            body,
        };
        self.step(to, Input::Message(message));
        self.messages.drain(..).collect()
    }

    /// Time passes until the node's timer runs out, and only that node's.
    pub fn time_out(&mut self, id: NodeId) {
        self.now = self.now.max(self.node(id).deadline());
        self.step(id, Input::Tick);
    }

    /// Node `id` campaigns, and nodes 2 and 3 vote for it.
    pub fn win(&mut self, id: NodeId) {
        self.time_out(id);
        let term = self.term(id) + 1;
        for ballot in [Ballot::Pre, Ballot::Real] {
            for from in [2, 3] {
                self.hear(id, from, term, vote(ballot, true));
            }
        }
        assert_eq!(self.role(id), RoleName::Leader);
    }

    /// No node has heard a leader for a long time.
    pub fn forget_leaders(&mut self) {
        self.nodes.values_mut().for_each(Node::forget_leader);
    }

    fn collect(&mut self, id: NodeId) {
        loop {
            let output = self.nodes.get_mut(&id).expect("a node").output();
            let Some(persist) = self.take(id, output) else {
                break;
            };
            if self.slow.contains(&id) {
                self.unwritten.entry(id).or_default().push_back(persist);
                break;
            }
            self.write(id, &persist);
        }
    }

    /// A slow disk forgets its writes: the test reports them by their numbers.
    pub fn collect_all(&mut self, id: NodeId) {
        self.unwritten.remove(&id);
    }

    /// A slow disk does all its writes and is fast from now on.
    pub fn catch_up(&mut self, id: NodeId) {
        while self.lags(id) {
            self.write_one(id);
        }
        self.slow.remove(&id);
    }

    /// Whether a slow disk has something to write.
    pub fn lags(&self, id: NodeId) -> bool {
        self.unwritten
            .get(&id)
            .is_some_and(|writes| !writes.is_empty())
    }

    /// A slow disk does its oldest write.
    pub fn write_one(&mut self, id: NodeId) {
        let persist = self.unwritten.get_mut(&id).and_then(VecDeque::pop_front);
        self.write(id, &persist.expect("a write"));
        self.collect(id);
    }

    fn write(&mut self, id: NodeId, persist: &Persist) {
        take(self.disks.entry(id).or_default(), persist, usize::MAX);
        let now = self.now;
        let node = self.nodes.get_mut(&id).expect("a node");
        node.step(now, Input::Persisted(persist.number));
    }

    fn take(&mut self, id: NodeId, output: Output) -> Option<Persist> {
        self.messages.extend(output.messages);
        self.applied.entry(id).or_default().extend(output.apply);
        self.reads
            .extend(output.reads.into_iter().map(|read| (id, read)));
        self.accepted.extend(output.accepted);
        self.refused.extend(output.refused);
        self.unknown.extend(output.unknown);
        let events = output.events.into_iter().map(|event| (id, event));
        self.events.extend(events);
        output.persist
    }

    /// Delivers one message, unless its sender or receiver is isolated or down.
    pub fn deliver(&mut self, message: Message) {
        let cut = self.isolated.contains(&message.from) || self.isolated.contains(&message.to);
        if !cut && self.nodes.contains_key(&message.to) {
            self.step(message.to, Input::Message(message));
        }
    }

    /// Delivers until nothing is in flight.
    pub fn settle(&mut self) {
        for _ in 0..100_000 {
            let Some(message) = self.messages.pop_front() else {
                return;
            };
            self.deliver(message);
        }
        panic!("the messages do not end");
    }

    /// Delivers until the condition holds.
    pub fn settle_until(&mut self, holds: impl Fn(&Self) -> bool) {
        while !holds(self) {
            let message = self.messages.pop_front().expect("a message");
            self.deliver(message);
        }
    }

    /// Lets time pass, with all that it brings.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.settle();
            let next = self
                .nodes
                .iter()
                .map(|(&id, node)| (node.deadline(), id))
                .min();
            let Some((due, id)) = next.filter(|(due, _)| *due <= end) else {
                break;
            };
            self.now = self.now.max(due);
            self.step(id, Input::Tick);
        }
        self.now = end;
    }

    /// Makes a node campaign although the others hear a leader, and lead.
    pub fn elect(&mut self, id: NodeId) {
        self.elect_beside(id, &[]);
    }

    /// The same, while others are cut off and lead on.
    pub fn elect_beside(&mut self, id: NodeId, others: &[NodeId]) {
        for _ in 0..100 {
            let leaders = self.leaders();
            let is_other = |leader: &NodeId| others.contains(leader);
            if leaders
                .iter()
                .all(|leader| *leader == id || is_other(leader))
                && leaders.contains(&id)
            {
                return;
            }
            // The others must not hear a leader any more, or they refuse.
            self.forget_leaders();
            self.time_out(id);
            self.settle();
        }
        panic!("node {id} is not elected");
    }

    /// All nodes that believe they lead.
    pub fn leaders(&self) -> Vec<NodeId> {
        let leads = |node: &&Node| node.status().role == RoleName::Leader;
        let leaders = self.nodes.values().filter(leads);
        leaders.map(|node| node.status().id).collect()
    }

    pub fn propose(&mut self, id: NodeId, command: &str) {
        let command = Command::from(command);
        self.step(id, Input::Propose { id: 1, command });
    }

    /// A change of membership; its number is 9.
    pub fn change(&mut self, id: NodeId, change: Change) {
        self.step(id, Input::Change { id: 9, change });
    }

    pub fn read(&mut self, id: NodeId, read: u64) {
        self.step(id, Input::Read { id: read });
    }

    /// Puts all that was applied into a snapshot.
    pub fn compact(&mut self, id: NodeId, data: &str) -> Index {
        let index = self.node(id).status().applied;
        let data = Command::from(data);
        self.step(id, Input::Compact { index, data });
        index
    }

    pub fn role(&self, id: NodeId) -> RoleName {
        self.node(id).status().role
    }

    pub fn term(&self, id: NodeId) -> Term {
        self.node(id).status().term
    }

    pub fn commit(&self, id: NodeId) -> Index {
        self.node(id).status().commit
    }

    /// The commands that a node's state machine has seen, in order.
    pub fn commands(&self, id: NodeId) -> Vec<String> {
        let command = |apply: &Apply| match apply {
            Apply::Entry(Entry {
                payload: Payload::Command(command),
                ..
            }) => Some(String::from_utf8_lossy(command.bytes()).into_owned()),
            _ => None,
        };
        self.applied[&id].iter().filter_map(command).collect()
    }

    /// State Machine Safety (Figure 3): all that was applied at an index, on any node at any time,
    /// is one entry.
    pub fn agree(&self) -> bool {
        let mut at: BTreeMap<Index, &Entry> = BTreeMap::new();
        self.applied.values().flatten().all(|apply| match apply {
            Apply::Entry(entry) => *at.entry(entry.index).or_insert(entry) == entry,
            Apply::Snapshot(_) => true,
        })
    }

    /// A node's log.
    pub fn log(&self, id: NodeId) -> Vec<Entry> {
        self.node(id).log().entries().cloned().collect()
    }

    /// The terms of a node's log.
    pub fn terms(&self, id: NodeId) -> Vec<Term> {
        let entries = self.node(id).log().entries();
        entries.map(|entry| entry.term).collect()
    }
}
