//! A run as a list of moments: what happened, when, and to which node.
//!
//! ```text
//!  node's events ──┐
//!  the network ────┼──> Moment ──> Timeline ──> lines, JSON lines (words.rs)
//!  the scenario ───┤                       ├──> the table at the end (tally.rs)
//!  the clients ────┘                       └──> the page (page.rs)
//! ```
//!
//! Both simulations tell their moments in these words, so everything that shows a run works for
//! both. To add a kind of moment: 1. a variant of [`What`] and its [`Level`]; 2. its words and its
//! JSON in words.rs; 3. if it counts, a line in tally.rs; 4. if it can be seen, a case in page.html.

use std::time::Duration;

use crate::raft::{Entry, Event, Index, Message, NodeId, RoleName, Term};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Since the run began.
    pub time: Duration,
    /// The node; `None` for the network, and for clients that ask no particular node.
    pub node: Option<NodeId>,
    /// What the node is after it. Without a node it means nothing, nor does `term`.
    pub role: RoleName,
    /// The node's term after it.
    pub term: Term,
    /// What.
    pub what: What,
}

impl Moment {
    /// A moment of a node.
    pub fn of(time: Duration, node: NodeId, role: RoleName, term: Term, what: What) -> Self {
        Self {
            time,
            node: Some(node),
            role,
            term,
            what,
        }
    }

    /// A moment that is no node's.
    pub fn of_world(time: Duration, what: What) -> Self {
        Self {
            time,
            node: None,
            role: RoleName::Follower,
            term: 0,
            what,
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// An event of the core.
    Event(Event),
    /// The node wants to act at this time if it hears nothing: a follower's election timeout.
    Timer(Duration),
    /// These entries went to storage: what the log held from the first one's index on is replaced.
    Appended(Vec<Entry>),
    /// The node begins to run, at first or after a crash, with what its storage holds.
    Started {
        /// The last index of its snapshot.
        snapshot: Index,
        /// The log after it.
        entries: Vec<Entry>,
    },
    /// The node stops without a warning; what was not synced is lost.
    Crashed,
    /// The node is paused and does not notice; what arrives waits.
    Paused,
    /// The node continues.
    Resumed,
    /// The node gave a message to the network. Numbers are counted from 1 on and never repeat.
    Sent {
        /// The message's number.
        number: u64,
        /// The message.
        message: Message,
    },
    /// The network made a copy.
    Duplicated {
        /// The number of the message.
        number: u64,
        /// The copy's own number.
        copy: u64,
    },
    /// A message did not arrive.
    Dropped {
        /// Its number.
        number: u64,
        /// Its sender.
        from: NodeId,
        /// Its receiver.
        to: NodeId,
        /// Its name: [`Body::name`](crate::raft::Body::name).
        kind: &'static str,
        /// Why.
        loss: Loss,
    },
    /// A message arrived at the moment's node.
    Delivered {
        /// Its number.
        number: u64,
        /// Its sender.
        from: NodeId,
        /// Its name.
        kind: &'static str,
    },
    /// The network fell apart: nodes of different groups do not hear each other.
    Parted(Vec<Vec<NodeId>>),
    /// Beside that, no message passes in this direction.
    Cut {
        /// Whose messages are lost.
        from: Vec<NodeId>,
        /// On the way to whom.
        to: Vec<NodeId>,
    },
    /// All nodes hear each other again.
    Healed,
    /// A client asks the moment's node.
    Asked {
        /// Which client.
        client: u64,
        /// Counts the client's operations.
        number: u64,
        /// Such as `put x 1`.
        operation: String,
    },
    /// A client has its answer, or knows that it will get none.
    Answered {
        /// Which client.
        client: u64,
        /// Which of its operations.
        number: u64,
        /// The operation again.
        operation: String,
        /// Such as `ok`, `1`, `refused: not the leader`, `unknown`.
        outcome: String,
    },
    /// Something else that the scenario did, in its words: other weather, a skewed clock.
    Note(String),
    /// A property that must always hold does not: the bug of the run.
    Broken(String),
}

/// Why a message did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The network lost it.
    Weather,
    /// Sender and receiver are in different parts of the network.
    Parted,
    /// The receiver does not run.
    Down,
}

/// Which readers want a line for a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// All: roles, votes, commits, faults, clients.
    Story,
    /// Those who want to see each message.
    Message,
    /// The page only.
    Detail,
}

impl Moment {
    /// Which readers want a line for it.
    pub fn level(&self) -> Level {
        match &self.what {
            What::Sent { .. }
            | What::Duplicated { .. }
            | What::Dropped { .. }
            | What::Delivered { .. } => Level::Message,
            // The others soon hear what the leader has committed; one line for it is enough.
            What::Event(Event::Committed(_)) if self.role != RoleName::Leader => Level::Message,
            What::Timer(_) | What::Appended(_) => Level::Detail,
            _ => Level::Story,
        }
    }
}

/// All moments of a run in order of time.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    moments: Vec<Moment>,
}

impl Timeline {
    /// Without moments yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what happened next, or a little earlier: threads report not quite in order.
    pub fn add(&mut self, moment: Moment) {
        let later = self.moments.iter().rev();
        let later = later.take_while(|other| other.time > moment.time).count();
        self.moments.insert(self.moments.len() - later, moment);
    }

    /// All of them.
    pub fn moments(&self) -> &[Moment] {
        &self.moments
    }
}
