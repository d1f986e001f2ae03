//! raft-rs with its own MemStorage, in the loop that its documentation and examples show.

use raft::prelude::{Config, Entry, EntryType, Message, RawNode};
use raft::storage::MemStorage;
use slog::{Discard, Logger, o};

use crate::{COMPACT_EVERY, Cluster, Machine};

struct Member {
    raft: RawNode<MemStorage>,
    machine: Machine,
    /// The last index applied, and the one up to which the log was cut.
    applied: u64,
    cut: u64,
}

pub struct Nodes {
    members: Vec<Member>,
    /// On their way.
    messages: Vec<Message>,
}

fn config(id: u64) -> Config {
    Config {
        id,
        election_tick: 10,
        heartbeat_tick: 3,
        max_size_per_msg: 256 << 10,
        max_inflight_msgs: 64,
        // What ours always has.
        check_quorum: true,
        pre_vote: true,
        // What is fastest here: one message for a batch of proposals, and no message of its own
        // for a commitment.
        batch_append: true,
        skip_bcast_commit: true,
        ..Config::default()
    }
}

impl Member {
    fn new(id: u64) -> Self {
        let storage = MemStorage::new_with_conf_state((vec![1, 2, 3], vec![]));
        let logger = Logger::root(Discard, o!());
        let raft = RawNode::new(&config(id), storage, &logger).expect("a sound configuration");
        Self {
            raft,
            machine: Machine::default(),
            applied: 0,
            cut: 0,
        }
    }

    fn apply(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            self.applied = entry.index;
            // A new leader's first entry is empty.
            if entry.get_entry_type() == EntryType::EntryNormal && !entry.data.is_empty() {
                self.machine.apply(&entry.data);
            }
        }
    }

    /// Does what the node wants done.
    fn work(&mut self, messages: &mut Vec<Message>) {
        let mut ready = self.raft.ready();
        messages.append(&mut ready.take_messages());
        self.apply(ready.take_committed_entries());
        let store = self.raft.raft.raft_log.store.clone();
        if !ready.entries().is_empty() {
            store
                .wl()
                .append(ready.entries())
                .expect("a log without gaps");
        }
        if let Some(state) = ready.hs() {
            store.wl().set_hardstate(state.clone());
        }
        messages.append(&mut ready.take_persisted_messages());
        let mut light = self.raft.advance(ready);
        if let Some(commit) = light.commit_index() {
            store.wl().mut_hard_state().set_commit(commit);
        }
        messages.append(&mut light.take_messages());
        self.apply(light.take_committed_entries());
        self.raft.advance_apply();
        if self.applied >= self.cut + COMPACT_EVERY {
            store
                .wl()
                .compact(self.applied)
                .expect("an index that was applied");
            self.cut = self.applied;
        }
    }
}

impl Nodes {
    pub fn new() -> Self {
        let mut nodes = Self {
            members: (1..=3).map(Member::new).collect(),
            messages: Vec::new(),
        };
        nodes.members[0]
            .raft
            .campaign()
            .expect("a follower may campaign");
        nodes.settle();
        nodes
    }

    /// Lets every node work and hands messages over until all is still.
    fn settle(&mut self) {
        loop {
            for member in &mut self.members {
                while member.raft.has_ready() {
                    member.work(&mut self.messages);
                }
            }
            if self.messages.is_empty() {
                return;
            }
            for message in std::mem::take(&mut self.messages) {
                let member = &mut self.members[message.to as usize - 1];
                member.raft.step(message).expect("a message of a member");
            }
        }
    }
}

impl Cluster for Nodes {
    fn commit(&mut self, commands: Vec<Vec<u8>>) {
        for command in commands {
            self.members[0]
                .raft
                .propose(Vec::new(), command)
                .expect("it leads");
        }
        self.settle();
    }

    fn machines(&mut self) -> [Machine; 3] {
        self.members[0].raft.ping();
        self.settle();
        [0, 1, 2].map(|at| self.members[at].machine)
    }
}
