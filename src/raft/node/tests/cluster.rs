//! A few nodes on one thread for tests: messages wait in a list until they are delivered, disks
//! write when they are told to, time passes when the test says so.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::raft::storage::Restored;
use crate::raft::{
    Apply, Command, Config, Entry, Event, Index, Input, Membership, Message, Node, NodeId, Output,
    Payload, Persist, Refusal, RoleName, Snapshot, SnapshotMeta, Term,
};

/// The nodes and what is between them.
pub struct Cluster {
    pub now: Duration,
    pub nodes: BTreeMap<NodeId, Node>,
    /// Under way, oldest first.
    pub messages: VecDeque<Message>,
    /// Nobody hears these, and they hear nobody.
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

/// The start of a founding node.
pub fn founding(members: &Membership) -> Restored {
    Restored {
        snapshot: Snapshot {
            meta: SnapshotMeta {
                membership: members.clone(),
                ..SnapshotMeta::default()
            },
            ..Snapshot::default()
        },
        ..Restored::default()
    }
}

/// A log with these terms, from index 1 on.
pub fn entries(terms: &[Term]) -> Vec<Entry> {
    let entry = |(index, &term)| Entry {
        term,
        index,
        payload: Payload::Command(Command::from(&format!("{term}.{index}"))),
    };
    (1..).zip(terms).map(entry).collect()
}

impl Cluster {
    pub fn of(count: NodeId) -> Self {
        Self::with(count, Config::default())
    }

    pub fn with(count: NodeId, config: Config) -> Self {
        let start = founding(&Membership::of(1..=count));
        Self::from((1..=count).map(|id| (id, start.clone())), config)
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

    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[&id]
    }

    /// Something happens to a node; its messages are under way, its writes done unless it is slow.
    pub fn step(&mut self, id: NodeId, input: Input) {
        let now = self.now;
        self.nodes.get_mut(&id).expect("a node").step(now, input);
        self.collect(id);
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

    /// A slow disk does its oldest write.
    pub fn write_one(&mut self, id: NodeId) {
        let persist = self.unwritten.get_mut(&id).and_then(VecDeque::pop_front);
        self.write(id, &persist.expect("a write"));
        self.collect(id);
    }

    fn write(&mut self, id: NodeId, persist: &Persist) {
        let disk = self.disks.entry(id).or_default();
        disk.hard_state = persist.hard_state.unwrap_or(disk.hard_state);
        if let Some(snapshot) = &persist.snapshot {
            let last = snapshot.meta.last_index;
            disk.entries
                .retain(|entry| entry.index > last && !persist.drop_log);
            disk.snapshot = snapshot.clone();
        }
        if let Some(first) = persist.entries.first() {
            disk.entries.retain(|entry| entry.index < first.index);
        }
        let last = disk.snapshot.meta.last_index;
        let news = persist.entries.iter().filter(|entry| entry.index > last);
        disk.entries.extend(news.cloned());
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

    /// Delivers until nothing is under way.
    pub fn settle(&mut self) {
        for _ in 0..100_000 {
            let Some(message) = self.messages.pop_front() else {
                return;
            };
            self.deliver(message);
        }
        panic!("the messages do not end");
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

    /// Makes a node campaign although no time has passed for the others, and lead.
    pub fn elect(&mut self, id: NodeId) {
        for _ in 0..100 {
            if self.leaders() == [id] {
                return;
            }
            // The others must not hear a leader any more, or they refuse.
            for node in self.nodes.values_mut() {
                node.forget_leader();
            }
            let now = self.now.max(self.node(id).deadline());
            let node = self.nodes.get_mut(&id).expect("a node");
            node.step(now, Input::Tick);
            self.collect(id);
            self.settle();
        }
        panic!("node {id} is not elected");
    }

    /// All who believe that they lead.
    pub fn leaders(&self) -> Vec<NodeId> {
        let leads = |node: &&Node| node.status().role == RoleName::Leader;
        let leaders = self.nodes.values().filter(leads);
        leaders.map(|node| node.status().id).collect()
    }

    pub fn propose(&mut self, id: NodeId, command: &str) {
        let command = Command::from(command);
        self.step(id, Input::Propose { id: 1, command });
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

    /// The terms of a node's log.
    pub fn terms(&self, id: NodeId) -> Vec<Term> {
        let entries = self.node(id).log().entries();
        entries.map(|entry| entry.term).collect()
    }
}
