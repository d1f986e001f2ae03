//! The calls of clients to nodes, and the answers.

use super::checks::Checked;
use super::client::{Call, Client, Next, PATIENCE, Plan, Reply};
use super::host::Waiting;
use super::timeline::What;
use super::world::{Event, World};
use crate::raft::{Input, NodeId};

impl World<'_> {
    /// A new client, which begins at once.
    pub(super) fn hire(&mut self, plan: Plan) {
        let nodes = self.nodes();
        let any = nodes.get(self.dice.below(nodes.len() as u64) as usize);
        let dice = self.dice.child();
        self.clients
            .push(Client::new(plan, any.copied().unwrap_or(1), dice));
        let client = self.clients.len() - 1;
        self.queue.plan(self.now, Event::Wakes { client });
    }

    fn nodes(&self) -> Vec<NodeId> {
        self.hosts.keys().copied().collect()
    }

    /// A client begins its next operation. After all faults are over, there are no more.
    pub(super) fn wakes(&mut self, place: usize) -> Checked {
        let now = self.now;
        let Some(client) = self.clients.get_mut(place).filter(|_| !self.calm) else {
            return Ok(());
        };
        if let Some(request) = client.begin(now, place + 1) {
            let operation = client.operation;
            self.recording.begin(place, now, &request);
            self.tell(None, || What::Asked {
                client: place as u64 + 1,
                number: operation,
                operation: request.to_string(),
            });
            self.queue.plan(
                now,
                Event::Calls {
                    client: place,
                    operation,
                },
            );
        }
        Ok(())
    }

    /// A client sends its request, for the first time or again.
    pub(super) fn calls(&mut self, place: usize, operation: u64) -> Checked {
        let Some(client) = self.clients.get_mut(place) else {
            return Ok(());
        };
        if client.operation != operation {
            return Ok(());
        }
        let Some(call) = client.call() else {
            return Ok(());
        };
        let (node, number) = (client.target, client.call);
        self.queue.plan(
            self.now + PATIENCE,
            Event::Impatient {
                client: place,
                call: number,
            },
        );
        if let Ok((delay, again)) = self.network.carry() {
            for delay in [Some(delay), again].into_iter().flatten() {
                let call = call.clone();
                let event = Event::Asked {
                    node,
                    client: place,
                    of: (operation, number),
                    call,
                };
                self.queue.plan(self.now + delay, event);
            }
        }
        Ok(())
    }

    /// A request arrives at a node.
    pub(super) fn asked(
        &mut self,
        node: NodeId,
        client: usize,
        of: (u64, u64),
        call: Call,
    ) -> Checked {
        let (id, committed) = (self.number(), self.checks.commits.last());
        let Some(host) = self.hosts.get_mut(&node).filter(|host| host.node.is_some()) else {
            return Ok(());
        };
        let (input, read) = match call {
            Call::Propose(command) => (Input::Propose { id, command }, None),
            Call::Read(key) => (Input::Read { id }, Some((key, committed))),
        };
        host.waiting.insert(id, Waiting { client, of, read });
        self.give(node, input)
    }

    /// An answer arrives at a client.
    pub(super) fn answered(&mut self, place: usize, of: (u64, u64), reply: Reply) -> Checked {
        let (now, nodes) = (self.now, self.nodes());
        if let Some(client) = self.clients.get_mut(place) {
            let next = client.reply(now, of, reply, &nodes);
            self.then(place, next);
        }
        Ok(())
    }

    /// A call was not answered in time.
    pub(super) fn impatient(&mut self, place: usize, call: u64) -> Checked {
        let (now, nodes) = (self.now, self.nodes());
        let waiting = |client: &&mut Client| client.call == call && client.is_busy();
        if let Some(client) = self.clients.get_mut(place).filter(waiting) {
            let next = client.silence(now, &nodes);
            self.then(place, next);
        }
        Ok(())
    }

    fn then(&mut self, place: usize, next: Next) {
        let now = self.now;
        let Some(client) = self.clients.get_mut(place) else {
            return;
        };
        let operation = client.operation;
        match next {
            Next::Nothing => {}
            Next::Again(pause) => {
                self.queue.plan(
                    now + pause,
                    Event::Calls {
                        client: place,
                        operation,
                    },
                );
            }
            Next::Over(outcome) => {
                let pause = client.pause();
                let request = self.recording.end(place, now, &outcome);
                self.queue.plan(now + pause, Event::Wakes { client: place });
                self.tell(None, || What::Answered {
                    client: place as u64 + 1,
                    number: operation,
                    operation: request.map_or(String::new(), |request| request.to_string()),
                    outcome: outcome.to_string(),
                });
            }
        }
    }
}
