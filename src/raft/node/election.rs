//! Elections: timers, pre-vote, votes (§5.2, §5.4.1; dissertation §9.6).
//!
//! ```text
//!   follower ──timeout──> pre-candidate ──majority──> candidate ──majority──> leader
//!       ^                  (same term)                 (term + 1)
//!       └── a leader is heard, a higher term is seen, or a majority refuses ──┘
//! ```
//!
//! Exactly three events reset the election timer: the node gives a vote, hears the current leader,
//! or starts an election itself. Because of the pre-vote, a node that returns from a partition does
//! not depose a leader: it asks before it raises the term.

use std::collections::BTreeMap;

use super::{Node, Role};
use crate::raft::entry::{HardState, Index, NodeId, Term};
use crate::raft::flaw::Flaw;
use crate::raft::message::{Ballot, Body, Message};
use crate::raft::port::Event;

impl Node {
    /// Draws a new timeout; each election has its own (§5.2).
    pub(super) fn reset_election_timer(&mut self) {
        let (least, most) = (
            self.config.election_timeout_min,
            self.config.election_timeout_max,
        );
        self.election = self.now + self.dice.between(least, most);
    }

    /// Whether this asks for a vote while the node hears its leader: then the message is dropped,
    /// whatever its term (§6; dissertation §4.2.3, "disruptive servers"). A leader counts as
    /// hearing itself; when it loses its majority, it steps down. A transfer is no disturbance: the
    /// leader asked for it.
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

    /// No leader was heard for a whole timeout.
    pub(super) fn election_timeout(&mut self) {
        if self.may_campaign() {
            return self.campaign(Ballot::Pre);
        }
        self.reset_election_timer();
        if self.leader().is_some() {
            self.become_follower(self.hard.term, None);
        }
    }

    /// A voter may campaign. So may a node that the membership in effect leaves out, until that
    /// membership is committed: perhaps only leaving nodes have its entry, and the others could not
    /// elect a leader without them (dissertation §4.2.2). Its own vote does not count then.
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
        // The node's own vote counts once it is on disk, like any other.
        let granted = true;
        let own = self.message(self.id, Body::Vote { ballot, granted });
        self.send_message_when_stable(Message { term, ..own });
    }

    fn become_candidate(&mut self, ballot: Ballot) {
        let votes = BTreeMap::new();
        self.become_(Role::Candidate { ballot, votes });
    }

    /// The leader hands over: campaign without pre-vote and at once (dissertation §3.10).
    pub(super) fn timeout_now(&mut self, from: NodeId) {
        if self.leader() == Some(from) && from != self.id && self.may_campaign() {
            self.campaign(Ballot::Transfer);
        }
    }

    /// A request for a vote: one a term, first come, first served (§5.2), and only for a log that
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

    /// An answer to a request for a vote: counts once for each voter, and only for this election.
    pub(super) fn vote(&mut self, from: NodeId, term: Term, ballot: Ballot, granted: bool) {
        // The term must be on disk first: else a leader could forget a term that it led.
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

    /// Whether the nodes for which it is true are a majority; while the membership is joint, of
    /// both.
    pub(super) fn has_quorum(&self, agrees: impl Fn(NodeId) -> bool) -> bool {
        if self.planted(Flaw::JointByNewMajority) {
            return self.new_members().has_quorum(agrees);
        }
        self.log.membership().has_quorum(agrees)
    }

    /// The highest value that such a quorum has reached.
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
