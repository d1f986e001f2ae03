//! Carries out a node's outputs: messages go to the network, writes to the disk, committed entries
//! to the state machine, answers to clients.

use super::checks::{Broken, Checked, Rule};
use super::client::Reply;
use super::host::{Host, Waiting};
use super::timeline::What;
use super::world::{Event, World};
use crate::raft::storage::Storage;
use crate::raft::{
    Apply, Entry, Input, Message, NodeId, Output, Payload, Persist, Refusal, Snapshot, StateMachine,
};

impl World<'_> {
    /// Carries out a node's outputs until there are no more.
    pub(super) fn settle(&mut self, id: NodeId) -> Checked {
        let Some(host) = self.hosts.get_mut(&id) else {
            return Ok(());
        };
        host.flush = false;
        let Some(node) = &mut host.node else {
            return Ok(());
        };
        let output = node.output();
        self.look(id)?;
        self.done(id, output)?;
        if self.compacts(id) {
            self.compact(id)?;
            return self.settle(id);
        }
        self.plan_tick(id);
        Ok(())
    }

    fn done(&mut self, id: NodeId, output: Output) -> Checked {
        for event in output.events {
            self.tell(Some(id), || What::Event(event));
        }
        for message in output.messages {
            self.send(message)?;
        }
        if let Some(persist) = output.persist {
            self.persist(id, &persist);
        }
        for (number, index, term) in output.accepted {
            if let Some(host) = self.hosts.get_mut(&id) {
                host.accepted.insert(index, (term, number));
            }
        }
        for apply in output.apply {
            self.apply(id, apply)?;
        }
        for number in output.reads {
            self.read(id, number)?;
        }
        for (number, refusal) in output.refused {
            self.refused(id, number, refusal);
        }
        Ok(())
    }

    fn send(&mut self, message: Message) -> Checked {
        let (from, to, kind) = (message.from, message.to, message.body.name());
        if let Some(host) = self.hosts.get(&from) {
            if let Some(node) = &host.node {
                self.checks.leaves(&message, node, host.storage.stable())?;
            }
        }
        let number = self.number();
        self.tell(Some(from), || What::Sent {
            number,
            message: message.clone(),
        });
        match self.network.send(from, to) {
            Err(loss) => self.tell(None, || What::Dropped {
                number,
                from,
                to,
                kind,
                loss,
            }),
            Ok((delay, again)) => {
                if let Some(delay) = again {
                    let copy = self.number();
                    self.tell(None, || What::Duplicated { number, copy });
                    let message = message.clone();
                    self.queue.plan(
                        self.now + delay,
                        Event::Arrives {
                            number: copy,
                            message,
                        },
                    );
                }
                self.queue
                    .plan(self.now + delay, Event::Arrives { number, message });
            }
        }
        Ok(())
    }

    fn persist(&mut self, id: NodeId, persist: &Persist) {
        let takes = self.scenario.disks.sync.draw(&mut self.dice);
        let Some(host) = self.hosts.get_mut(&id) else {
            return;
        };
        // A storage in memory takes every write.
        let _ = host.storage.write(persist);
        // One write after the other, as on a disk.
        host.disk_free = host.disk_free.max(self.now) + takes;
        let (life, number, node) = (host.life, persist.number, id);
        self.queue
            .plan(host.disk_free, Event::Synced { node, life, number });
        if !persist.entries.is_empty() {
            self.tell(Some(id), || What::Appended(persist.entries.clone()));
        }
    }

    fn apply(&mut self, id: NodeId, apply: Apply) -> Checked {
        match apply {
            Apply::Snapshot(snapshot) => self.restore(id, &snapshot),
            Apply::Entry(entry) => self.apply_entry(id, &entry),
        }
    }

    fn restore(&mut self, id: NodeId, snapshot: &Snapshot) -> Checked {
        let Snapshot { meta, data } = snapshot;
        let Some(host) = self.hosts.get_mut(&id) else {
            return Ok(());
        };
        self.checks
            .commits
            .installs(id, host.applied, meta, data.bytes())?;
        if let Err(why) = host.machine.restore(data.bytes()) {
            let how = format!(
                "node {id} cannot restore the snapshot up to {}: {why}",
                meta.last_index
            );
            return Err(Broken {
                rule: Rule::Snapshot,
                how,
            });
        }
        (host.applied, host.compacted) = (meta.last_index, meta.last_index);
        // A client that waits for an entry in the snapshot will call again.
        host.accepted = host.accepted.split_off(&(meta.last_index + 1));
        Ok(())
    }

    fn apply_entry(&mut self, id: NodeId, entry: &Entry) -> Checked {
        let Some(host) = self.hosts.get_mut(&id) else {
            return Ok(());
        };
        self.checks
            .commits
            .applies(id, host.applied, entry, host.storage.stable())?;
        host.applied = entry.index;
        let accepted = host.accepted.remove(&entry.index);
        let said = match &entry.payload {
            Payload::Command(command) => host.machine.apply(entry.index, command.bytes()),
            Payload::NoOp | Payload::Membership(_) => Vec::new(),
        };
        let Some((term, number)) = accepted else {
            return Ok(());
        };
        if let Some(waiting) = host.waiting.remove(&number) {
            let reply = if term == entry.term {
                Reply::Applied(said)
            } else {
                Reply::Replaced
            };
            self.answer(&waiting, reply);
        }
        Ok(())
    }

    fn read(&mut self, id: NodeId, number: u64) -> Checked {
        let Some(host) = self.hosts.get_mut(&id) else {
            return Ok(());
        };
        let Some(waiting) = host.waiting.remove(&number) else {
            return Ok(());
        };
        if let Some((key, committed)) = &waiting.read {
            self.checks.commits.reads(id, *committed, host.applied)?;
            let holds = host.machine.machine().get(key).map(str::to_owned);
            self.answer(&waiting, Reply::Holds(holds));
        }
        Ok(())
    }

    fn refused(&mut self, id: NodeId, number: u64, refusal: Refusal) {
        if let Some((order, refused)) = &mut self.order {
            if *order == number {
                *refused = Some(refusal);
            }
        }
        let waiting = self
            .hosts
            .get_mut(&id)
            .and_then(|host| host.waiting.remove(&number));
        if let Some(waiting) = waiting {
            self.answer(&waiting, Reply::Refused(refusal));
        }
    }

    /// Whether a node has applied enough for a snapshot of its own.
    fn compacts(&self, id: NodeId) -> bool {
        let every = self.scenario.snapshots.every;
        let due = |host: &Host| host.applied - host.compacted >= every;
        every > 0 && self.hosts.get(&id).is_some_and(due)
    }

    /// The node puts its log into a snapshot.
    pub(super) fn compact(&mut self, id: NodeId) -> Checked {
        let Some(host) = self.hosts.get_mut(&id) else {
            return Ok(());
        };
        let (index, data) = (host.applied, host.machine.snapshot());
        host.compacted = index;
        self.checks.commits.machine(id, index, &data)?;
        self.step(
            id,
            Input::Compact {
                index,
                data: data.into(),
            },
        )?;
        match self.hosts.get(&id).and_then(|host| host.node.as_ref()) {
            Some(node) => self.checks.commits.members_at(id, node.log().snapshot()),
            None => Ok(()),
        }
    }

    /// Sends an answer on its way to a client.
    fn answer(&mut self, waiting: &Waiting, reply: Reply) {
        let (client, of) = (waiting.client, waiting.of);
        if let Ok((delay, _)) = self.network.carry() {
            self.queue
                .plan(self.now + delay, Event::Answered { client, of, reply });
        }
    }
}
