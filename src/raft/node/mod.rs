//! The core: one node of Raft as a pure state machine.
//!
//! [`Node::step`] takes what happens, [`Node::output`] gives what is to be done. There is no
//! clock (time is handed in), no thread, no disk and no randomness but the seed.
//!
//! | file | rules | source |
//! |---|---|---|
//! | `mod` | what a node is; terms; which rule gets which message | Figure 2, "all servers" |
//! | `door` | messages that no node sends | |
//! | `stable` | what must be on disk before what may leave; commit and apply | Figure 2 |
//! | `election` | timers, pre-vote, votes | §5.2, §5.4.1, §6; dissertation §9.6 |
//! | `follower` | appends and snapshots | §5.3, §7 |
//! | `leader` | proposals, replies, commitment, heartbeats | §5.3, §5.4.2 |
//! | `progress`, `replicate` | what to send to which node | §5.3; dissertation §10.2 |
//! | `reads` | linearizable reads | §8; dissertation §6.4 |
//! | `change` | membership, leadership transfer | §6; dissertation §3.10 |

mod change;
mod door;
mod election;
mod follower;
mod leader;
mod progress;
mod reads;
mod replicate;
mod stable;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use self::follower::Incoming;
use self::leader::Leader;
use self::stable::Stable;
use super::config::Config;
use super::dice::Dice;
use super::entry::{HardState, Index, NodeId, Term};
use super::flaw::Flaw;
use super::log::Log;
use super::message::{Ballot, Body, Message};
use super::port::{Apply, Event, Input, Output, Refusal, RoleName, Status};
use super::storage::Restored;

/// The end of time for a node: the clock stands still, and a deadline after it is still a `Duration`.
const END_OF_TIME: Duration = Duration::from_secs(u64::MAX - (1 << 32));

/// A node's role in its term (Figure 4), with its state.
#[derive(Debug)]
enum Role {
    Follower {
        leader: Option<NodeId>,
        /// The snapshot that is being received from that leader.
        incoming: Option<Incoming>,
    },
    Candidate {
        ballot: Ballot,
        /// Each node's first answer.
        votes: BTreeMap<NodeId, bool>,
    },
    Leader(Box<Leader>),
}

/// One node.
#[derive(Debug)]
pub struct Node {
    id: NodeId,
    config: Config,
    dice: Dice,
    /// The latest time that was handed in.
    now: Duration,
    hard: HardState,
    log: Log,
    role: Role,
    /// When a follower or candidate campaigns.
    election: Duration,
    /// When it last heard the current leader.
    heard: Option<Duration>,
    commit: Index,
    applied: Index,
    stable: Stable,
    /// Whether the storage takes writes.
    writable: bool,
    out: Output,
    #[cfg(test)]
    flaw: Option<Flaw>,
}

impl Node {
    /// A node that continues from what its storage held. `now` may have any origin, the same in all
    /// later calls; `seed` decides the election timeouts. A config with a
    /// [problem](Config::problem) is corrected.
    pub fn new(id: NodeId, config: Config, restored: Restored, seed: u64, now: Duration) -> Self {
        let Restored {
            hard_state,
            snapshot,
            entries,
        } = restored;
        let mut out = Output::default();
        let applied = snapshot.meta.last_index;
        if applied > 0 {
            out.apply.push(Apply::Snapshot(snapshot.clone()));
        }
        let log = Log::new(snapshot, entries);
        let now = now.min(END_OF_TIME);
        let mut node = Self {
            id,
            config: config.usable(),
            dice: Dice::new(seed),
            now,
            hard: hard_state,
            role: Role::Follower {
                leader: None,
                incoming: None,
            },
            election: now,
            heard: None,
            commit: applied,
            applied,
            stable: Stable::new(log.last_index()),
            log,
            writable: true,
            out,
            #[cfg(test)]
            flaw: None,
        };
        node.reset_election_timer();
        node
    }

    /// Takes what happened at `now`. An earlier time than the last counts as the last.
    pub fn step(&mut self, now: Duration, input: Input) {
        self.now = self.now.max(now.min(END_OF_TIME));
        match input {
            Input::Message(message) => self.hear(message),
            Input::Propose { id, command } => self.propose(id, command),
            Input::Read { id } => self.read(id),
            Input::Change { id, change } => self.change(id, change),
            Input::Transfer { id, to } => self.transfer(id, to),
            Input::Persisted(number) => self.persisted(number),
            Input::Writable(writable) => self.set_writable(writable),
            Input::Compact { index, data } => self.compact(index, data),
            Input::Tick => self.tick(),
        }
    }

    /// Everything to be done, collected since the last call.
    pub fn output(&mut self) -> Output {
        if matches!(self.role, Role::Leader(_)) {
            self.lead_on();
        }
        self.collect_persist();
        self.collect_apply();
        self.collect_reads();
        std::mem::take(&mut self.out)
    }

    /// When [`Input::Tick`] is due, unless another input comes before.
    pub fn deadline(&self) -> Duration {
        match &self.role {
            Role::Leader(leader) => leader.deadline(),
            Role::Follower { .. } | Role::Candidate { .. } => self.election,
        }
    }

    /// The node as a table shows it.
    pub fn status(&self) -> Status {
        Status {
            id: self.id,
            role: self.role(),
            term: self.hard.term,
            leader: self.leader(),
            first_index: self.log.base() + 1,
            last_index: self.log.last_index(),
            last_term: self.log.last_term(),
            commit: self.commit,
            applied: self.applied,
            membership: self.log.membership().clone(),
            matched: match &self.role {
                Role::Leader(leader) => leader.matched(),
                _ => Vec::new(),
            },
            successor: self.successor(),
        }
    }

    /// Its role.
    pub fn role(&self) -> RoleName {
        match &self.role {
            Role::Follower { .. } => RoleName::Follower,
            Role::Candidate {
                ballot: Ballot::Pre,
                ..
            } => RoleName::PreCandidate,
            Role::Candidate { .. } => RoleName::Candidate,
            Role::Leader(_) => RoleName::Leader,
        }
    }

    /// Its commit index.
    pub fn commit(&self) -> Index {
        self.commit
    }

    /// Its log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Its term and vote, perhaps not yet on stable storage.
    pub fn hard_state(&self) -> HardState {
        self.hard
    }

    /// Why a proposal would be refused now; `None` if it would be taken.
    pub fn refusal(&self) -> Option<Refusal> {
        match &self.role {
            Role::Leader(leader) => self.leader_refusal(leader),
            // A client is sent to the leader if there is one: its disk may have space.
            _ => match self.leader() {
                None if !self.writable => Some(Refusal::DiskFull),
                leader => Some(Refusal::NotLeader(leader)),
            },
        }
    }

    fn leader(&self) -> Option<NodeId> {
        match &self.role {
            Role::Follower { leader, .. } => *leader,
            Role::Candidate { .. } => None,
            Role::Leader(_) => Some(self.id),
        }
    }

    /// Takes a role and reports it.
    fn become_(&mut self, role: Role) {
        if let Role::Leader(leader) = std::mem::replace(&mut self.role, role) {
            self.leave_office(*leader);
        }
        self.out.events.push(Event::Became {
            role: self.role(),
            term: self.hard.term,
            leader: self.leader(),
        });
    }

    /// Follows, in this term or in a later one, in which it has not voted yet (Figure 2).
    fn become_follower(&mut self, term: Term, leader: Option<NodeId>) {
        if term > self.hard.term {
            self.set_hard_state(HardState { term, vote: None });
        }
        let led = matches!(self.role, Role::Leader(_));
        self.become_(Role::Follower {
            leader,
            incoming: None,
        });
        // A leader has no election timer, so a new one starts. All others keep theirs: a higher
        // term is no reason to wait longer.
        if led {
            self.reset_election_timer();
        }
    }

    /// A message, by the rules that hold for all servers (Figure 2), then by its kind.
    fn receive(&mut self, message: Message) {
        if self.is_disturbance(&message) {
            return;
        }
        if message.term < self.hard.term {
            return self.answer_stale(&message);
        }
        if message.term > self.hard.term && raises_term(&message.body) {
            let leader = is_from_leader(&message.body).then_some(message.from);
            self.become_follower(message.term, leader);
        }
        self.dispatch(message);
    }

    fn dispatch(&mut self, message: Message) {
        let Message {
            from, term, body, ..
        } = message;
        match body {
            Body::RequestVote {
                ballot,
                last_index,
                last_term,
            } => self.request_vote(from, term, ballot, (last_index, last_term)),
            Body::Vote { ballot, granted } => self.vote(from, term, ballot, granted),
            Body::AppendEntries {
                previous_index,
                previous_term,
                entries,
                commit,
                round,
            } => {
                if self.follow(from) {
                    self.append_entries(previous_index, previous_term, entries, commit, round);
                }
            }
            Body::InstallSnapshot {
                meta,
                offset,
                data,
                done,
                round,
            } => {
                if self.follow(from) {
                    self.install_snapshot(meta, offset, data.bytes(), done, round);
                }
            }
            Body::Appended { matched, round } => self.appended(from, matched, round),
            Body::Conflict {
                previous_index,
                term,
                first_index,
                round,
            } => self.conflict(from, previous_index, (term, first_index), round),
            Body::SnapshotReceived {
                last_index,
                offset,
                round,
            } => self.snapshot_received(from, last_index, offset, round),
            Body::TimeoutNow => self.timeout_now(from),
        }
    }

    /// The sender is behind: its reply is dropped, its request is refused so that it learns the
    /// term (§5.1).
    fn answer_stale(&mut self, message: &Message) {
        let body = match &message.body {
            Body::RequestVote { ballot, .. } => Body::Vote {
                ballot: *ballot,
                granted: false,
            },
            // A deposed leader needs only the term of this reply.
            Body::AppendEntries { round, .. } | Body::InstallSnapshot { round, .. } => {
                Body::Conflict {
                    previous_index: 0,
                    term: None,
                    first_index: 0,
                    round: *round,
                }
            }
            Body::Appended { matched, round } if self.planted(Flaw::CountAnswersOfEarlierTerms) => {
                return self.appended(message.from, *matched, *round);
            }
            Body::Vote { ballot, granted }
                if self.planted(Flaw::CountVotesOfEarlierTerms) && *granted =>
            {
                let term = self.hard.term;
                return self.vote(message.from, term, *ballot, true);
            }
            _ => return,
        };
        self.send_when_stable(message.from, body);
    }

    fn message(&self, to: NodeId, body: Body) -> Message {
        Message {
            from: self.id,
            to,
            term: self.hard.term,
            body,
        }
    }

    fn tick(&mut self) {
        match &self.role {
            Role::Leader(_) => self.tick_leader(),
            _ if self.now >= self.election => self.election_timeout(),
            _ => {}
        }
    }

    /// A node that cannot write can neither vote for itself nor keep what it promises as leader.
    fn set_writable(&mut self, writable: bool) {
        self.writable = writable;
        if !writable && !matches!(self.role, Role::Follower { .. }) {
            self.become_follower(self.hard.term, None);
        }
    }

    /// Has this bug from now on.
    #[cfg(test)]
    pub fn plant(&mut self, flaw: Flaw) {
        self.flaw = Some(flaw);
    }

    #[cfg(test)]
    fn planted(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    #[cfg(not(test))]
    const fn planted(&self, _: Flaw) -> bool {
        false
    }
}

/// Whether a higher term in such a message is a real one. A pre-vote asks about a term that
/// no node has entered yet, and the reply that grants it repeats that term (dissertation §9.6).
fn raises_term(body: &Body) -> bool {
    !matches!(
        body,
        Body::RequestVote {
            ballot: Ballot::Pre,
            ..
        } | Body::Vote {
            ballot: Ballot::Pre,
            granted: true
        }
    )
}

fn is_from_leader(body: &Body) -> bool {
    matches!(
        body,
        Body::AppendEntries { .. } | Body::InstallSnapshot { .. }
    )
}
