//! Carries out the scenario's actions.

use std::collections::BTreeSet;
use std::time::Duration;

use super::checks::{Broken, Checked};
use super::client::Plan;
use super::scenario::{Action, Who};
use super::timeline::What;
use super::world::{Event, World};
use crate::raft::storage::Restored;
use crate::raft::{NodeId, Refusal, RoleName};

/// How often a change is tried until a leader takes it, and the pause between tries.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);

impl World<'_> {
    /// The action at this place of the scenario.
    pub(super) fn act(&mut self, place: usize) -> Checked {
        let scenario = self.scenario;
        let Some(timed) = scenario.actions.get(place) else {
            return Ok(());
        };
        self.tell(None, || What::Note(timed.action.to_string()));
        match &timed.action {
            Action::Crash(who) => self.each(who, |world, id| {
                world.crash(id);
                Ok(())
            }),
            Action::Restart(who) => self.each(who, Self::start),
            Action::Pause(who) => self.each(who, Self::pause),
            Action::Resume(who) => self.each(who, Self::resume),
            Action::Partition(groups) => {
                self.part(groups);
                Ok(())
            }
            Action::Cut { from, to } => {
                self.cut(from, to);
                Ok(())
            }
            Action::Heal => {
                self.network.heal();
                self.tell(None, || What::Healed);
                Ok(())
            }
            Action::Weather(weather) => {
                self.network.weather = *weather;
                Ok(())
            }
            Action::Clock { who, by } => self.each(who, |world, id| world.jump(id, *by)),
            Action::Ask { request, on } => {
                let on = on.and_then(|who| self.one(who));
                self.hire(Plan::Once(request.clone(), on));
                Ok(())
            }
            Action::Snapshot(who) => self.each(who, Self::snapshot),
            Action::Add(_)
            | Action::Learner(_)
            | Action::Remove(_)
            | Action::Voters(_)
            | Action::Transfer(_) => self.order(place, TRIES),
        }
    }

    /// Gives a change of membership or a transfer to the leader, again and again until there is one
    /// that takes it.
    pub(super) fn order(&mut self, place: usize, tries: u32) -> Checked {
        let scenario = self.scenario;
        let Some(timed) = scenario.actions.get(place) else {
            return Ok(());
        };
        if let Action::Add(node) | Action::Learner(node) = timed.action {
            self.join(node)?;
        }
        let taken = match self.leader() {
            Some(leader) => self.give_order(leader, &timed.action)?,
            None => false,
        };
        if !taken && tries > 1 && !self.calm {
            let event = Event::Order {
                action: place,
                tries: tries - 1,
            };
            self.queue.plan(self.now + PAUSE, event);
        }
        Ok(())
    }

    /// True if the leader took it, or refused it as making no sense.
    fn give_order(&mut self, leader: NodeId, action: &Action) -> Result<bool, Broken> {
        let id = self.number();
        let Some(input) = action.order(id, |who| self.one(who)) else {
            return Ok(true);
        };
        self.order = Some((id, None));
        self.step(leader, input)?;
        self.settle(leader)?;
        let refused = self.order.take().and_then(|(_, refusal)| refusal);
        if let Some(refusal) = refused {
            self.tell(Some(leader), || {
                What::Note(format!("does not {action}: {refusal}"))
            });
        }
        Ok(refused.is_none_or(|refusal| refusal == Refusal::BadChange))
    }

    /// A new node, not yet a member, waits for a leader with nothing on its disk.
    fn join(&mut self, id: NodeId) -> Checked {
        if self.hosts.contains_key(&id) {
            return Ok(());
        }
        self.build(id, Restored::default());
        self.start(id)
    }

    fn each(&mut self, who: &[Who], act: impl Fn(&mut Self, NodeId) -> Checked) -> Checked {
        let ids = self.all_of(who, &BTreeSet::new());
        if ids.is_empty() {
            self.tell(None, || What::Note("there is none".into()));
        }
        ids.into_iter().try_for_each(|id| act(self, id))
    }

    /// The nodes that the words mean now, each once. `rest` means all but `named`.
    fn all_of(&mut self, who: &[Who], named: &BTreeSet<NodeId>) -> Vec<NodeId> {
        let mut ids = Vec::new();
        for who in who {
            let more: Vec<NodeId> = match who {
                Who::All => self.hosts.keys().copied().collect(),
                Who::Rest => self
                    .hosts
                    .keys()
                    .copied()
                    .filter(|id| !named.contains(id))
                    .collect(),
                Who::Follower => self.follower(&ids).into_iter().collect(),
                who => self.one(*who).into_iter().collect(),
            };
            for id in more {
                if !ids.contains(&id) {
                    ids.push(id);
                }
            }
        }
        ids
    }

    /// The node that the word means now, if it means one and there is one.
    fn one(&mut self, who: Who) -> Option<NodeId> {
        match who {
            Who::Node(id) => self.hosts.contains_key(&id).then_some(id),
            Who::Leader => self.leader(),
            Who::Follower => self.follower(&[]),
            Who::All | Who::Rest => None,
        }
    }

    /// A running voter that does not lead and is not among these.
    fn follower(&mut self, but: &[NodeId]) -> Option<NodeId> {
        let leader = self.leader();
        let follows = |id: &NodeId| {
            let host = self.hosts.get(id).filter(|host| host.is_awake());
            let node = host.and_then(|host| host.node.as_ref());
            node.is_some_and(|node| {
                let votes = node.log().membership().is_voter(*id);
                votes && (node.role() != RoleName::Leader || leader != Some(*id))
            })
        };
        let ids: Vec<NodeId> = self.hosts.keys().copied().filter(follows).collect();
        let ids: Vec<NodeId> = ids.into_iter().filter(|id| !but.contains(id)).collect();
        ids.get(self.dice.below(ids.len() as u64) as usize).copied()
    }

    fn part(&mut self, groups: &[Vec<Who>]) {
        let mut named = BTreeSet::new();
        let mut parts: Vec<Vec<NodeId>> = Vec::new();
        // `rest` comes last, wherever it stands.
        for rest in [false, true] {
            for group in groups
                .iter()
                .filter(|group| group.contains(&Who::Rest) == rest)
            {
                let ids = self.all_of(group, &named);
                let ids: Vec<NodeId> = ids.into_iter().filter(|id| !named.contains(id)).collect();
                named.extend(ids.iter().copied());
                parts.push(ids);
            }
        }
        self.network.part(parts.clone());
        self.tell(None, || What::Parted(parts));
    }

    fn cut(&mut self, from: &[Who], to: &[Who]) {
        let from = self.all_of(from, &BTreeSet::new());
        let to = self.all_of(to, &from.iter().copied().collect());
        let each = from
            .iter()
            .flat_map(|from| to.iter().map(move |to| (*from, *to)));
        for (from, to) in each {
            self.network.cut(from, to);
        }
        self.tell(None, || What::Cut { from, to });
    }

    fn pause(&mut self, id: NodeId) -> Checked {
        if let Some(host) = self.hosts.get_mut(&id).filter(|host| host.is_awake()) {
            host.paused = Some(Vec::new());
            self.tell(Some(id), || What::Paused);
        }
        Ok(())
    }

    /// Handles now, in order, what arrived meanwhile.
    pub(super) fn resume(&mut self, id: NodeId) -> Checked {
        let Some(arrived) = self.hosts.get_mut(&id).and_then(|host| host.paused.take()) else {
            return Ok(());
        };
        self.tell(Some(id), || What::Resumed);
        for input in arrived {
            self.step(id, input)?;
        }
        self.settle(id)
    }

    fn jump(&mut self, id: NodeId, by: Duration) -> Checked {
        if let Some(host) = self.hosts.get_mut(&id) {
            host.clock.jump(by);
            self.plan_tick(id);
        }
        Ok(())
    }

    fn snapshot(&mut self, id: NodeId) -> Checked {
        let awake = self
            .hosts
            .get(&id)
            .is_some_and(|host| host.is_awake() && host.applied > 0);
        if !awake {
            return Ok(());
        }
        self.compact(id)?;
        self.settle(id)
    }
}
