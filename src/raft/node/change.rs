//! Changes of membership by joint consensus (§6), learners, and leadership transfer (dissertation
//! §3.10).
//!
//! ```text
//!  Add 4 to {1 2 3}:   {1 2 3} + learner 4  ──caught up──>  {1 2 3} and {1 2 3 4}  ──committed──>  {1 2 3 4}
//! ```
//!
//! There is one change at a time. Each of its memberships is committed before the next one is
//! appended, and the first is appended only after the leader has committed an entry of its own
//! term.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Node, Role};
use crate::raft::entry::{NodeId, Payload};
use crate::raft::flaw::Flaw;
use crate::raft::membership::Membership;
use crate::raft::message::Body;
use crate::raft::port::{Change, Event, Refusal};

/// How many entries a learner may lack and still count as caught up.
const CAUGHT_UP: u64 = 128;

/// A change in progress, until its last membership is appended.
#[derive(Debug)]
pub(super) struct Changing {
    pub id: u64,
    /// The voters after the change.
    target: BTreeSet<NodeId>,
}

/// A leadership transfer in progress.
#[derive(Debug)]
pub(super) struct Transfer {
    pub to: NodeId,
    /// When it is given up.
    pub until: Duration,
    /// Whether the target was told to campaign.
    pub told: bool,
}

impl Node {
    pub(super) fn change(&mut self, id: u64, change: Change) {
        if let Err(refusal) = self.begin_change(id, change) {
            self.out.refused.push((id, refusal));
        }
    }

    fn begin_change(&mut self, id: u64, change: Change) -> Result<(), Refusal> {
        if let Some(refusal) = self.refusal() {
            return Err(refusal);
        }
        if !self.may_change(&change) {
            return Err(Refusal::ChangeUnderWay);
        }
        let mut members = self.log.membership().clone();
        let target = match change {
            Change::AddLearner { node, address } => {
                if !members.learn(node, address) {
                    return Err(Refusal::BadChange);
                }
                self.append_last(id, members);
                return Ok(());
            }
            Change::Remove { node } if members.learners.remove(&node) => {
                members.addresses.remove(&node);
                self.give_up_change();
                self.append_last(id, members);
                return Ok(());
            }
            Change::Remove { node } => {
                members.voters.remove(&node);
                members.voters
            }
            Change::Add { node, address } => {
                if members.learn(node, address) {
                    self.append(Payload::Membership(members.clone()));
                }
                members.voters.insert(node);
                members.voters
            }
            Change::Voters(voters) => voters,
        };
        let now = self.log.membership();
        let known = target.iter().all(|&node| now.contains(node));
        if target.is_empty() || !known || target == now.voters {
            return Err(Refusal::BadChange);
        }
        if let Role::Leader(leader) = &mut self.role {
            leader.changing = Some(Changing { id, target });
        }
        Ok(())
    }

    /// Whether no other change is in progress, and the leader has committed in its own term
    /// (without which even single-server changes are unsafe).
    fn may_change(&self, change: &Change) -> bool {
        let Role::Leader(leader) = &self.role else {
            return false;
        };
        let is_free = match (&leader.changing, change) {
            (None, _) => true,
            // The learner being added may be down for ever: its removal ends the wait for it.
            (Some(changing), Change::Remove { node }) => {
                changing.target.contains(node) && self.log.membership().learners.contains(node)
            }
            (Some(_), _) => false,
        };
        is_free
            && !self.log.membership().is_joint()
            && self.log.membership_index() <= self.commit
            && leader.first_own <= self.commit
    }

    fn give_up_change(&mut self) {
        if let Role::Leader(leader) = &mut self.role {
            let given_up = leader.changing.take().map(|changing| changing.id);
            self.out.unknown.extend(given_up);
        }
    }

    fn append_last(&mut self, id: u64, members: Membership) {
        let index = self.append(Payload::Membership(members));
        self.out.accepted.push((id, index, self.hard.term));
    }

    /// The next step of a change, once the previous one is committed. A new leader continues a
    /// change that its predecessor began. True if the change has removed the leader itself.
    pub(super) fn continue_change(&mut self) -> bool {
        if self.log.membership_index() > self.commit {
            return false;
        }
        if self.log.membership().is_joint() {
            self.end_joint();
        } else if let Some(target) = self.target_caught_up() {
            self.begin_joint(target);
        } else {
            return self.let_go();
        }
        false
    }

    /// The target's voters, if all of them have nearly the whole log.
    fn target_caught_up(&self) -> Option<BTreeSet<NodeId>> {
        let Role::Leader(leader) = &self.role else {
            return None;
        };
        let target = &leader.changing.as_ref()?.target;
        let last = self.log.last_index();
        let has_log = |node: &NodeId| {
            let matched = leader
                .progress
                .get(node)
                .map_or(last, |progress| progress.matched);
            self.log.membership().is_voter(*node) || matched + CAUGHT_UP >= last && matched > 0
        };
        target.iter().all(has_log).then(|| target.clone())
    }

    fn begin_joint(&mut self, target: BTreeSet<NodeId>) {
        let mut members = self.log.membership().clone();
        members.learners.retain(|node| !target.contains(node));
        members.outgoing = std::mem::replace(&mut members.voters, target);
        if self.planted(Flaw::SingleStepChange) {
            members.outgoing.clear();
            return self.end_change(members);
        }
        self.append(Payload::Membership(members));
    }

    fn end_joint(&mut self) {
        let mut members = self.log.membership().clone();
        members.outgoing.clear();
        self.end_change(members);
    }

    fn end_change(&mut self, mut members: Membership) {
        let stay = members.members();
        members.addresses.retain(|node, _| stay.contains(node));
        let index = self.append(Payload::Membership(members));
        let term = self.hard.term;
        if let Role::Leader(leader) = &mut self.role {
            let id = leader.changing.take().map(|changing| changing.id);
            self.out.accepted.extend(id.map(|id| (id, index, term)));
        }
    }

    /// After a membership is committed, tells the nodes that it leaves out of the commitment, then
    /// stops sending to them. True if the leader is left out itself.
    fn let_go(&mut self) -> bool {
        let members = self.log.membership();
        let Role::Leader(leader) = &mut self.role else {
            return false;
        };
        let gone = |node: &NodeId| !members.contains(*node);
        if leader.progress.keys().any(gone) {
            leader.beat = true;
            self.replicate();
            self.forget_gone();
        }
        !self.log.membership().is_voter(self.id)
    }

    fn forget_gone(&mut self) {
        let members = self.log.membership();
        if let Role::Leader(leader) = &mut self.role {
            leader.progress.retain(|&node, _| members.contains(node));
        }
    }

    /// Steps down: a leader leads until the membership without it is committed (§6). Its successor
    /// may take over at once.
    pub(super) fn resign(&mut self) {
        if let Role::Leader(leader) = &mut self.role {
            leader.beat = true;
        }
        self.replicate();
        let told = self
            .successor()
            .map(|to| self.message(to, Body::TimeoutNow));
        self.out.messages.extend(told);
        self.become_follower(self.hard.term, None);
    }

    /// The best voter to hand leadership to. While nothing is written, a voter that is down may be
    /// as far in the log as any, so the ones heard recently come first.
    pub(super) fn successor(&self) -> Option<NodeId> {
        let Role::Leader(leader) = &self.role else {
            return None;
        };
        let members = self.log.membership();
        let window = self.config.election_timeout_max;
        let voters = leader
            .progress
            .iter()
            .filter(|(node, _)| members.voters.contains(node));
        voters
            .max_by_key(|(_, progress)| {
                let hears = self.now <= progress.heard + window;
                (hears, progress.matched, progress.heard)
            })
            .map(|(&node, _)| node)
    }

    pub(super) fn transfer(&mut self, id: u64, to: NodeId) {
        let until = self.now + self.config.election_timeout_max;
        let is_voter = self.log.membership().voters.contains(&to);
        let refusal = match self.refusal() {
            None if to == self.id || !is_voter => Some(Refusal::BadChange),
            other => other,
        };
        if let Some(refusal) = refusal {
            self.out.refused.push((id, refusal));
            return;
        }
        if let Role::Leader(leader) = &mut self.role {
            let told = false;
            leader.transfer = Some(Transfer { to, until, told });
            self.out.events.push(Event::Transferring(to));
        }
    }

    /// Tells the target to campaign, once it has the whole log.
    pub(super) fn hand_over(&mut self) {
        let last = self.log.last_index();
        let Role::Leader(leader) = &mut self.role else {
            return;
        };
        let Some(transfer) = &mut leader.transfer else {
            return;
        };
        let to = transfer.to;
        let complete = leader
            .progress
            .get(&to)
            .is_some_and(|progress| progress.matched == last);
        if complete && !std::mem::replace(&mut transfer.told, true) {
            let message = self.message(to, Body::TimeoutNow);
            self.out.messages.push(message);
        }
    }
}

impl Membership {
    /// Adds a learner, or changes the address of one, which may have been added with a wrong one.
    /// (A voter's address stays: a wrong one would cost a vote.) Returns whether anything changes.
    fn learn(&mut self, node: NodeId, address: String) -> bool {
        let before = self.addresses.get(&node);
        let moves = before.is_some_and(|before| *before != address);
        let changes = match self.contains(node) {
            true => self.learners.contains(&node) && moves,
            false => node != 0,
        };
        if changes {
            self.learners.insert(node);
            self.addresses.insert(node, address);
        }
        changes
    }
}
