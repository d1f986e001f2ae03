//! What goes into a node and what comes out of it.
//!
//! ```text
//!            Input                                     Output
//!  message, proposals, reads, change ──> Node::step ──> persist, messages, apply, answers
//!  persisted, a deadline that passed         (pure)
//! ```
//!
//! The promise that keeps a shell simple: *whatever an [`Output`] holds may be done at once.* A
//! message that reveals a term, a vote or an entry stays in the node until
//! [`Input::Persisted`] says that it is on stable storage (Figure 2: "before responding").

use std::collections::BTreeSet;
use std::fmt;

use super::entry::{Command, Entry, HardState, Index, NodeId, Snapshot, Term};
use super::membership::Membership;
use super::message::Message;

/// Something that happens to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A message from another node.
    Message(Message),
    /// A client's command. `id` comes back in [`Output::accepted`] or [`Output::refused`].
    Propose {
        /// Chosen by the caller.
        id: u64,
        /// What the state machine is to do.
        command: Command,
    },
    /// A client wants to read. `id` comes back in [`Output::reads`] or [`Output::refused`].
    Read {
        /// Chosen by the caller.
        id: u64,
    },
    /// The membership is to become this one.
    Change {
        /// Chosen by the caller; comes back in [`Output::accepted`] or [`Output::refused`].
        id: u64,
        /// What the members are to be.
        change: Change,
    },
    /// Leadership is to go to this voter.
    Transfer {
        /// Chosen by the caller; comes back in [`Output::refused`] if it cannot be tried.
        id: u64,
        /// The next leader.
        to: NodeId,
    },
    /// All writes up to this number, which came with [`Persist::number`], are on stable storage.
    Persisted(u64),
    /// The storage takes no more writes (its disk is full), or takes them again: until then the
    /// node neither leads nor campaigns.
    Writable(bool),
    /// A snapshot of the state machine after the entry at `index`: the log up to there may go.
    Compact {
        /// An index that was applied.
        index: Index,
        /// The state machine's bytes at that index.
        data: Command,
    },
    /// Nothing but time has passed: [`Node::deadline`](super::Node::deadline) has come.
    Tick,
}

/// A change of membership (§6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new voter: first as a learner, then, when it has caught up, through joint consensus.
    Add {
        /// Its number.
        node: NodeId,
        /// Where it listens. Replaces the address of a learner.
        address: String,
    },
    /// A node that only learns.
    AddLearner {
        /// Its number.
        node: NodeId,
        /// Where it listens. Replaces the address of one that is a learner already.
        address: String,
    },
    /// A voter or learner leaves.
    Remove {
        /// Its number.
        node: NodeId,
    },
    /// Exactly these voters, all of them members already.
    Voters(BTreeSet<NodeId>),
}

/// What must go to stable storage: all of it, in this order, before `number` is reported back.
/// A later one may be written together with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Persist {
    /// Counts up by one.
    pub number: u64,
    /// The new term and vote.
    pub hard_state: Option<HardState>,
    /// A snapshot, the node's own or received. Entries up to its last index may be removed.
    pub snapshot: Option<Snapshot>,
    /// Whether all entries go with the snapshot: it came from a leader and the log is not a
    /// continuation of it (§7).
    pub drop_log: bool,
    /// Entries in order of index. What the log holds from the first one's index on is replaced.
    pub entries: Vec<Entry>,
}

/// What a state machine has to do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Apply {
    /// Become this.
    Snapshot(Snapshot),
    /// Apply this committed entry, of whatever payload.
    Entry(Entry),
}

/// What a node wants done. All of it may be done at once; the reads after `apply`.
#[derive(Debug, Default)]
pub struct Output {
    /// To stable storage; then [`Input::Persisted`].
    pub persist: Option<Persist>,
    /// To send. Each may be lost.
    pub messages: Vec<Message>,
    /// For the state machine.
    pub apply: Vec<Apply>,
    /// Reads that may be answered from the state machine once `apply` is done.
    pub reads: Vec<u64>,
    /// Proposals that are in this leader's log, at this index and term. They are done when an
    /// entry of the same index *and* term is applied; when another one is, they are lost.
    pub accepted: Vec<(u64, Index, Term)>,
    /// Requests that were not begun, and why: nothing of them has happened.
    pub refused: Vec<(u64, Refusal)>,
    /// Changes of membership whose outcome is unknown: their leader was deposed (the next one may
    /// complete them), or the learner they waited for was removed.
    pub unknown: Vec<u64>,
    /// What a spectator would want to know.
    pub events: Vec<Event>,
}

/// Why a node does not do what a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It does not lead; perhaps this node does.
    NotLeader(Option<NodeId>),
    /// It is handing leadership over.
    Transferring(NodeId),
    /// Too many bytes of entries, or too many reads, wait.
    Busy,
    /// Another change of membership is in progress.
    ChangeUnderWay,
    /// The change makes no sense for these members.
    BadChange,
    /// The disk is full.
    DiskFull,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::NotLeader(None) => f.write_str("not the leader, and none is known"),
            Refusal::NotLeader(Some(node)) => write!(f, "not the leader; node {node} is"),
            Refusal::Transferring(node) => write!(f, "handing leadership over to node {node}"),
            Refusal::Busy => f.write_str("too much waits for commitment"),
            Refusal::ChangeUnderWay => f.write_str("a change of membership is under way"),
            Refusal::BadChange => f.write_str("no such change for these members"),
            Refusal::DiskFull => f.write_str("the disk is full"),
        }
    }
}

impl std::error::Error for Refusal {}

/// What a node is (Figure 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleName {
    /// Follows a leader, or waits for one.
    Follower,
    /// Asks whether an election could be won.
    PreCandidate,
    /// Campaigns.
    Candidate,
    /// Leads.
    Leader,
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            RoleName::Follower => "follower",
            RoleName::PreCandidate => "pre-candidate",
            RoleName::Candidate => "candidate",
            RoleName::Leader => "leader",
        })
    }
}

/// Something to show on a timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The node has another role or term.
    Became {
        /// Its role now.
        role: RoleName,
        /// In which term.
        term: Term,
        /// The leader that it follows.
        leader: Option<NodeId>,
    },
    /// It gave its vote.
    Voted {
        /// To which candidate.
        to: NodeId,
        /// In which term.
        term: Term,
    },
    /// Everything up to here is committed.
    Committed(Index),
    /// A conflict: entries from here on were dropped.
    Truncated(Index),
    /// Another membership is in effect.
    Members(Membership),
    /// The log up to here went into a snapshot of its own.
    Compacted(Index),
    /// A leader's snapshot up to here replaced the state machine.
    Installed(Index),
    /// As leader, it heard no majority for an election timeout.
    LostQuorum,
    /// Leadership goes to this node.
    Transferring(NodeId),
}

/// A node as a table shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its number.
    pub id: NodeId,
    /// Its role.
    pub role: RoleName,
    /// Its term.
    pub term: Term,
    /// The leader, as far as it knows.
    pub leader: Option<NodeId>,
    /// The first index that its log still holds.
    pub first_index: Index,
    /// The last one.
    pub last_index: Index,
    /// The term of that entry.
    pub last_term: Term,
    /// The commit index.
    pub commit: Index,
    /// The last index given to the state machine.
    pub applied: Index,
    /// The members in effect.
    pub membership: Membership,
    /// A leader's view of the others: the match index of each.
    pub matched: Vec<(NodeId, Index)>,
    /// The best voter to hand leadership to: of those heard within an election timeout (of all, if
    /// there are none) the one furthest in the log; of several, the one heard last.
    pub successor: Option<NodeId>,
}
