//! How a run ends: the faults are over, and the cluster must show that it still works.

use std::time::Duration;

use super::checks::{Broken, Checked, Rule};
use super::client::Client;
use super::scenario::Weather;
use super::timeline::What;
use super::world::{Event, RECOVERY, World};
use crate::raft::{Command, Input, NodeId, StateMachine};

impl World<'_> {
    /// The scenario is over, and with it all faults.
    pub(super) fn over(&mut self) -> Checked {
        self.calm = true;
        self.network.heal();
        self.network.weather = Weather::default();
        let ids: Vec<NodeId> = self.hosts.keys().copied().collect();
        for id in ids {
            self.resume(id)?;
            self.start(id)?;
        }
        self.tell(None, || What::Note("all faults are over".into()));
        self.tell(None, || What::Healed);
        self.queue.plan(self.now, Event::Recovered);
        Ok(())
    }

    /// Writes something new as soon as there is a leader; true once all its members have it.
    pub(super) fn has_recovered(&mut self) -> Result<bool, Broken> {
        let waited = self.now.saturating_sub(self.scenario.duration);
        if waited > RECOVERY {
            let how = format!("{RECOVERY:?} after the last fault {}", self.stuck());
            return Err(Broken {
                rule: Rule::Progress,
                how,
            });
        }
        self.queue
            .plan(self.now + Duration::from_millis(20), Event::Recovered);
        let Some(leader) = self.leader() else {
            return Ok(false);
        };
        let Some(host) = self.hosts.get(&leader) else {
            return Ok(false);
        };
        let Some(node) = &host.node else {
            return Ok(false);
        };
        let (term, last) = (node.hard_state().term, node.log().last_index());
        // An entry that the current leader appends now is the new write; if the leader refuses it,
        // it is proposed again.
        let Some((_, index)) = self
            .proof
            .filter(|&(of, index)| of == term && index <= last)
        else {
            self.proof = Some((term, last + 1));
            let (id, command) = (self.number(), Command::from(b"proof"));
            self.give(leader, Input::Propose { id, command })?;
            return Ok(false);
        };
        let members = node.log().membership().members();
        let has = |member: &NodeId| {
            self.hosts
                .get(member)
                .is_some_and(|host| host.applied >= index)
        };
        Ok(!self.clients.iter().any(Client::is_busy) && members.iter().all(has))
    }

    fn stuck(&self) -> String {
        let nodes = self.hosts.values().filter_map(|host| host.node.as_ref());
        let nodes: Vec<String> = nodes
            .map(|node| {
                let status = node.status();
                format!(
                    "{} {} of term {} at {}",
                    status.id, status.role, status.term, status.applied
                )
            })
            .collect();
        format!("no new write has reached all members: {}", nodes.join(", "))
    }

    /// All machines are equal, and what the clients saw is linearizable.
    pub(super) fn conclude(&mut self) -> Checked {
        for (&id, host) in self.hosts.iter().filter(|(_, host)| host.applied > 0) {
            let bytes = host.machine.snapshot();
            self.checks.commits.machine(id, host.applied, &bytes)?;
        }
        self.recording.judge()
    }
}
