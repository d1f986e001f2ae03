//! Everything that crosses a channel between the threads.

use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use super::super::client::{Call, Reply};
use super::super::scenario::Weather;
use super::super::timeline::{Moment, What};
use crate::raft::{Entry, Input, Message, NodeId, Refusal, RoleName, Term};

/// To a node's inbox.
pub(super) enum Post {
    /// A message of another node, with its number.
    Message(u64, Message),
    /// A client's call.
    Call(Call, Asker),
    /// A change of membership or a transfer, to be tried; a refusal goes back to the control.
    Order(Order),
    /// Put the log into a snapshot.
    Snapshot,
    /// The clock jumps forward.
    Clock(Duration),
    /// Pause until the other end of this channel is dropped.
    Pause(Receiver<()>),
    /// Stop at once.
    Crash,
}

/// To the network's inbox.
pub(super) enum Letter {
    /// A message for the node that it names, from a node in this role and term.
    Message(RoleName, Term, Message),
    /// A client's call, which no partition stops.
    Call(NodeId, Call, Asker),
    /// For a node's inbox, now.
    Post(NodeId, Post),
    /// A node has this inbox from now on.
    Inbox(NodeId, Sender<Post>),
    /// Nodes of different groups no longer hear each other.
    Part(Vec<Vec<NodeId>>),
    /// No message passes in this direction either.
    Cut(Vec<NodeId>, Vec<NodeId>),
    /// All nodes hear each other again.
    Heal,
    /// Another weather.
    Weather(Weather),
    /// The run is over.
    Stop,
}

/// To a client's inbox.
pub(super) enum Answer {
    /// To this call of this operation.
    Reply((u64, u64), Reply),
    /// The run is over.
    Stop,
}

/// To the control's inbox.
pub(super) enum Report {
    /// For the timeline.
    Moment(Moment),
    /// A node applied an entry.
    Applied(NodeId, Entry),
    /// What the control asked a node for was not begun.
    Refused(Order, Refusal),
    /// A client's operation is over, and whether its outcome is known.
    Over {
        /// Which client.
        client: u64,
        /// Whether its operation was done.
        known: bool,
    },
    /// The user has seen enough.
    Stop,
}

/// Where the answer to a call goes.
#[derive(Clone)]
pub(super) struct Asker {
    /// The operation and the call.
    pub(super) of: (u64, u64),
    pub(super) inbox: Sender<Answer>,
}

impl Asker {
    /// Sends the answer. A client that has ended needs none.
    pub(super) fn tell(&self, reply: Reply) {
        let _ = self.inbox.send(Answer::Reply(self.of, reply));
    }
}

/// What the control asks a leader for.
#[derive(Clone, Debug)]
pub(super) struct Order {
    /// The input for the leader.
    pub(super) input: Input,
    /// The same in the scenario's words.
    pub(super) words: String,
    /// When to give it up.
    pub(super) until: Duration,
}

/// The time of the run: the same for all threads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time(Instant);

impl Time {
    pub(super) fn begin() -> Self {
        Self(Instant::now())
    }

    pub(super) fn now(self) -> Duration {
        self.0.elapsed()
    }

    /// How long it is until `time`.
    pub(super) fn until(self, time: Duration) -> Duration {
        time.saturating_sub(self.now())
    }
}

/// Reports events to the control.
#[derive(Clone)]
pub(super) struct Spectator {
    pub(super) time: Time,
    pub(super) control: Sender<Report>,
}

impl Spectator {
    /// A report that cannot be sent does not matter: the run is over then.
    pub(super) fn tell(&self, report: Report) {
        let _ = self.control.send(report);
    }

    pub(super) fn of_world(&self, what: What) {
        self.tell(Report::Moment(Moment::of_world(self.time.now(), what)));
    }
}
