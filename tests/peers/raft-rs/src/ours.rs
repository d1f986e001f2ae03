//! Groundwire's core in the shell that a test would give it.

use std::collections::BTreeSet;
use std::time::Duration;

use groundwire::raft::storage::Restored;
use groundwire::raft::{
    Apply, Command, Config, Entry, Input, Membership, Message, Node, NodeId, Output, Payload, Snapshot, SnapshotMeta,
};

use crate::{COMPACT_EVERY, Cluster, Machine};

/// No time passes, but for the first election.
const START: Duration = Duration::ZERO;

struct Member {
    node: Node,
    machine: Machine,
    /// What was persisted.
    stored: Vec<Entry>,
    /// The last index applied, and the one up to which the log was cut.
    applied: u64,
    cut: u64,
    /// Whether something was put in since the last output.
    stirred: bool,
}

pub struct Nodes {
    members: Vec<Member>,
    /// On their way.
    messages: Vec<Message>,
    now: Duration,
}

impl Member {
    fn new(id: NodeId) -> Self {
        let membership = Membership::of(BTreeSet::from([1, 2, 3]));
        let meta = SnapshotMeta { membership, ..SnapshotMeta::default() };
        let restored = Restored { snapshot: Snapshot { meta, ..Snapshot::default() }, ..Restored::default() };
        let config = Config { keep_entries: 0, ..Config::default() };
        let node = Node::new(id, config, restored, id, START);
        Self { node, machine: Machine::default(), stored: Vec::new(), applied: 0, cut: 0, stirred: true }
    }

    fn step(&mut self, now: Duration, input: Input) {
        self.node.step(now, input);
        self.stirred = true;
    }

    fn apply(&mut self, all: Vec<Apply>) {
        for apply in all {
            let Apply::Entry(entry) = apply else { panic!("nobody lags so far") };
            self.applied = entry.index;
            if let Payload::Command(command) = entry.payload {
                self.machine.apply(command.bytes());
            }
        }
    }

    /// Does what the node wants done.
    fn work(&mut self, now: Duration, messages: &mut Vec<Message>) {
        self.stirred = false;
        let Output { persist, messages: mut news, apply, refused, .. } = self.node.output();
        assert!(refused.is_empty(), "it leads");
        messages.append(&mut news);
        if let Some(mut persist) = persist {
            self.stored.append(&mut persist.entries);
            self.step(now, Input::Persisted(persist.number));
        }
        self.apply(apply);
        if self.applied >= self.cut + COMPACT_EVERY {
            self.cut = self.applied;
            self.stored.retain(|entry| entry.index > self.cut);
            self.step(now, Input::Compact { index: self.cut, data: Command::default() });
        }
    }
}

impl Nodes {
    pub fn new() -> Self {
        let mut nodes = Self { members: (1..=3).map(Member::new).collect(), messages: Vec::new(), now: START };
        let first = &mut nodes.members[0];
        nodes.now = first.node.deadline();
        first.step(nodes.now, Input::Tick);
        nodes.settle();
        nodes
    }

    /// Lets every node work and hands messages over until all is still.
    fn settle(&mut self) {
        loop {
            for member in &mut self.members {
                while member.stirred {
                    member.work(self.now, &mut self.messages);
                }
            }
            if self.messages.is_empty() {
                return;
            }
            for message in std::mem::take(&mut self.messages) {
                let member = &mut self.members[message.to as usize - 1];
                member.step(self.now, Input::Message(message));
            }
        }
    }
}

impl Cluster for Nodes {
    fn commit(&mut self, commands: Vec<Vec<u8>>) {
        for command in commands {
            self.members[0].step(self.now, Input::Propose { id: 0, command: command.into() });
        }
        self.settle();
    }

    fn machines(&mut self) -> [Machine; 3] {
        self.now = self.members[0].node.deadline();
        self.members[0].step(self.now, Input::Tick);
        self.settle();
        [0, 1, 2].map(|at| self.members[at].machine)
    }
}
