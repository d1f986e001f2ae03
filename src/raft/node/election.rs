//! Elections: timers, pre-vote, votes (§5.2, §5.4.1; dissertation §9.6).
//!
//! ```text
//!   follower ──timeout──> pre-candidate ──majority──> candidate ──majority──> leader
//!       ^                  (same term)                 (term + 1)
//!       └── a leader is heard, a higher term is seen, or a majority refuses ──┘
//! ```
//!
//! The election timer is set back on exactly three events: a vote given, a message of the current
//! leader, an election of one's own. The pre-vote is why a node that comes back from a partition
//! deposes nobody: it asks before it raises the term.

use std::collections::BTreeMap;

use super::{Node, Role};
use crate::raft::entry::{HardState, Index, NodeId, Term};
use crate::raft::flaw::Flaw;
use crate::raft::message::{Ballot, Body, Message};
use crate::raft::port::Event;

impl Node {
    /// Draws a new timeout, for each election its own (§5.2).
    pub(super) fn reset_election_timer(&mut self) {
        let (least, most) = (
            self.config.election_timeout_min,
            self.config.election_timeout_max,
        );
        self.election = self.now + self.dice.between(least, most);
    }

    /// Whether a node that hears its leader is asked for a vote: it does not even look at the term
    /// (§6, "disruptive servers"). A leader hears itself; when it loses its majority it stops to
    /// lead. A transfer is the leader's own wish.
    pub(super) fn is_disturbance(&self, message: &Message) -> bool {
        let asks = matches!(
            message.body,
            Body::RequestVote {
                ballot: Ballot::Pre | Ballot::Real,
                ..
            }
        );
        asks && message.term >= self.hard.term && self.hears_leader()
    }

    fn hears_leader(&self) -> bool {
        match &self.role {
            Role::Leader(_) => true,
            Role::Candidate { .. } => false,
            Role::Follower { leader, .. } => {
                let recently = |heard| self.now < heard + self.config.election_timeout_min;
                leader.is_some() && self.heard.is_some_and(recently)
            }
        }
    }

    /// No leader for a whole timeout.
    pub(super) fn election_timeout(&mut self) {
        if self.may_campaign() {
            return self.campaign(Ballot::Pre);
        }
        self.reset_election_timer();
        if self.leader().is_some() {
            self.become_follower(self.hard.term, None);
        }
    }

    /// A voter may. So may one that the membership in effect leaves out, until that is committed: it
    /// may be that only those who leave have its entry, and that the others wait for their votes
    /// (dissertation §4.2.2). Its own vote does not count then.
    fn may_campaign(&self) -> bool {
        let committed = self.log.membership_at(self.commit);
        let is_voter = self.log.membership().is_voter(self.id) || committed.is_voter(self.id);
        self.writable && is_voter
    }

    fn campaign(&mut self, ballot: Ballot) {
        let mut term = self.hard.term + 1;
        if ballot == Ballot::Pre {
            self.become_candidate(ballot);
        } else {
            let vote = Some(self.id);
            self.set_hard_state(HardState { term, vote });
            self.become_candidate(ballot);
            term = self.hard.term;
        }
        self.reset_election_timer();
        let request = Body::RequestVote {
            ballot,
            last_index: self.log.last_index(),
            last_term: self.log.last_term(),
        };
        for to in self.log.membership().members() {
            if to != self.id && self.log.membership().is_voter(to) {
                let request = self.message(to, request.clone());
                self.send_message_when_stable(Message { term, ..request });
            }
        }
        // The own vote counts when it is on disk, like any other.
        let granted = true;
        let own = self.message(self.id, Body::Vote { ballot, granted });
        self.send_message_when_stable(Message { term, ..own });
    }

    fn become_candidate(&mut self, ballot: Ballot) {
        let votes = BTreeMap::new();
        self.become_(Role::Candidate { ballot, votes });
    }

    /// The leader hands over: no pre-vote, no waiting (dissertation §3.10).
    pub(super) fn timeout_now(&mut self, from: NodeId) {
        if self.leader() == Some(from) && from != self.id && self.may_campaign() {
            self.campaign(Ballot::Transfer);
        }
    }

    /// Someone asks for a vote: one a term, first come, first served (§5.2), and only for a log that
    /// is not behind (§5.4.1).
    pub(super) fn request_vote(
        &mut self,
        from: NodeId,
        term: Term,
        ballot: Ballot,
        (last_index, last_term): (Index, Term),
    ) {
        let is_free =
            self.hard.vote.is_none_or(|vote| vote == from) || self.planted(Flaw::VoteTwice);
        let may = match ballot {
            Ballot::Pre => term > self.hard.term || is_free,
            Ballot::Real | Ballot::Transfer => is_free,
        };
        let granted = may
            && (self.log.is_not_ahead_of(last_index, last_term)
                || self.planted(Flaw::VoteForStaleLog));
        let reply = self.message(from, Body::Vote { ballot, granted });
        if ballot == Ballot::Pre {
            let term = if granted { term } else { self.hard.term };
            return self.send_message_when_stable(Message { term, ..reply });
        }
        if granted {
            self.give_vote(from);
        }
        if granted || self.planted(Flaw::TimerResetByRefusedVote) {
            self.reset_election_timer();
        }
        self.send_message_when_stable(reply);
    }

    fn give_vote(&mut self, to: NodeId) {
        if self.hard.vote == Some(to) {
            return;
        }
        let term = self.hard.term;
        let vote = Some(to);
        self.set_hard_state(HardState { term, vote });
        self.out.events.push(Event::Voted { to, term });
    }

    /// Someone answered: counted once a voter, for this election only.
    pub(super) fn vote(&mut self, from: NodeId, term: Term, ballot: Ballot, granted: bool) {
        // Nobody was asked before the term was on disk: a leader could forget a term it leads in.
        if !self.stable.has_term() && !self.planted(Flaw::AnswerBeforeStable) {
            return;
        }
        let repeated = self.planted(Flaw::CountRepeatedVotes);
        let own = self.id;
        let members = self.log.membership();
        let Role::Candidate {
            ballot: mine,
            votes,
        } = &mut self.role
        else {
            return;
        };
        let is_pre = *mine == Ballot::Pre;
        let asked = self.hard.term + u64::from(is_pre && granted);
        if is_pre != (ballot == Ballot::Pre) || term != asked || !members.is_voter(from) {
            return;
        }
        if repeated && granted && votes.contains_key(&from) && from != own {
            let other = members.voters.iter().find(|node| !votes.contains_key(node));
            votes.extend(other.map(|&node| (node, true)));
        }
        votes.entry(from).or_insert(granted);
        let votes = votes.clone();
        let says = |node, what| votes.get(&node) == Some(&what);
        if self.has_quorum(|node| says(node, true)) {
            if is_pre {
                self.campaign(Ballot::Real);
            } else {
                self.become_leader();
            }
        } else if self.has_quorum(|node| says(node, false)) {
            self.become_follower(self.hard.term, None);
        }
    }

    /// Whether those for whom it is true are a majority; while the membership is joint, two.
    pub(super) fn has_quorum(&self, agrees: impl Fn(NodeId) -> bool) -> bool {
        if self.planted(Flaw::JointByNewMajority) {
            return self.new_members().has_quorum(agrees);
        }
        self.log.membership().has_quorum(agrees)
    }

    /// The highest value that such a majority has reached.
    pub(super) fn reached_by_quorum(&self, value: impl Fn(NodeId) -> Index) -> Index {
        if self.planted(Flaw::JointByNewMajority) {
            return self.new_members().reached_by_quorum(value);
        }
        self.log.membership().reached_by_quorum(value)
    }

    fn new_members(&self) -> crate::raft::Membership {
        let mut members = self.log.membership().clone();
        members.outgoing.clear();
        members
    }
}
