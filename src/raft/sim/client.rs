//! A client of the deterministic simulation: one operation after another, retried in a session.
//!
//! ```text
//!  begin ──> call ──> answer? ── done ──────────────> pause, begin the next
//!             ^         │  └─ refused, lost, silence ──┐
//!             └─────────┴──── another node, a pause <──┘   after GIVES_UP: outcome unknown
//! ```
//!
//! Every value is put only once in a run, so that a read shows which put it saw.

use std::collections::BTreeMap;
use std::time::Duration;

use super::scenario::{Clients, Request, Span};
use crate::raft::registers::{Ask, Say};
use crate::raft::sessions::{self, Answer, ClientSession};
use crate::raft::{Command, Dice, NodeId, Refusal};
use crate::wire;

/// How long a client waits for the answer to one call.
pub(super) const PATIENCE: Duration = Duration::from_millis(250);
/// How long it tries one operation.
const GIVES_UP: Duration = Duration::from_millis(2500);
/// How long it waits before it calls again.
const PAUSE: Span = Span::millis(5, 50);

/// What a client asks for.
#[derive(Clone, Debug)]
pub(super) enum Plan {
    /// Random operations until the run ends.
    Always(Clients),
    /// One operation, perhaps at one node only.
    Once(Request, Option<NodeId>),
}

/// What a client sends to a node.
#[derive(Clone, Debug)]
pub(super) enum Call {
    /// For the log.
    Propose(Command),
    /// A linearizable read of this key.
    Read(String),
}

/// What a node answers.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    /// The state machine's reply to the command.
    Applied(Vec<u8>),
    /// What the key holds.
    Holds(Option<String>),
    /// Nothing was done.
    Refused(Refusal),
    /// Another leader's entry took the command's place: it was not done there.
    Replaced,
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A read: what the key held.
    Holds(Option<String>),
    /// The write was done.
    Done,
    /// The swap was not done: the key held this.
    Differs(Option<String>),
    /// It is not known whether it happened, or still will.
    Unknown,
}

/// What a client wants to do after an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The answer belongs to no operation that it still awaits.
    Nothing,
    /// Call again after this time.
    Again(Duration),
    /// The operation is over.
    Over(Outcome),
}

/// An operation in progress.
#[derive(Clone, Debug)]
struct Doing {
    request: Request,
    since: Duration,
    /// The command's number in the session, from the first call on.
    sequence: Option<u64>,
}

/// The client.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) plan: Plan,
    /// Counts the operations.
    pub(super) operation: u64,
    /// Counts the calls: the one that is awaited.
    pub(super) call: u64,
    /// The node that it calls.
    pub(super) target: NodeId,
    dice: Dice,
    session: Option<ClientSession>,
    doing: Option<Doing>,
    /// What it last saw of each key.
    seen: BTreeMap<String, String>,
}

impl Client {
    pub(super) fn new(plan: Plan, target: NodeId, dice: Dice) -> Self {
        let target = match plan {
            Plan::Once(_, Some(on)) => on,
            _ => target,
        };
        Self {
            plan,
            operation: 0,
            call: 0,
            target,
            dice,
            session: None,
            doing: None,
            seen: BTreeMap::new(),
        }
    }

    /// Begins the next operation, if there is one; `name` makes its values unlike other clients'.
    pub(super) fn begin(&mut self, now: Duration, name: usize) -> Option<Request> {
        let request = match &self.plan {
            Plan::Once(..) if self.operation > 0 => return None,
            Plan::Once(request, _) => request.clone(),
            Plan::Always(clients) => {
                let clients = *clients;
                self.draw(clients, name)
            }
        };
        self.operation += 1;
        self.doing = Some(Doing {
            request: request.clone(),
            since: now,
            sequence: None,
        });
        Some(request)
    }

    /// Whether it is in the middle of an operation.
    pub(super) fn is_busy(&self) -> bool {
        self.doing.is_some()
    }

    /// How long until the next operation.
    pub(super) fn pause(&mut self) -> Duration {
        match &self.plan {
            Plan::Always(clients) => clients.pause.draw(&mut self.dice),
            Plan::Once(..) => Duration::ZERO,
        }
    }

    fn draw(&mut self, clients: Clients, name: usize) -> Request {
        let key = format!("k{}", 1 + self.dice.below(clients.keys));
        let new = format!("{name}.{}", self.operation + 1);
        let Clients { get, put, cas, .. } = clients;
        let throw = self.dice.below(u64::from(get + put + cas)) as u32;
        match (throw < get, throw < get + put) {
            (true, _) => Request::Get { key },
            (false, true) => Request::Put { key, value: new },
            (false, false) => {
                let old = self.seen.get(&key).cloned().unwrap_or_default();
                Request::Cas { key, old, new }
            }
        }
    }

    /// What it sends now.
    pub(super) fn call(&mut self) -> Option<Call> {
        self.call += 1;
        let doing = self.doing.as_mut()?;
        let ask = match doing.request.clone() {
            Request::Get { key } => return Some(Call::Read(key)),
            Request::Put { key, value } => Ask::Put { key, value },
            Request::Cas { key, old, new } => Ask::CompareAndSwap {
                key,
                expected: Some(old).filter(|old| !old.is_empty()),
                value: new,
            },
        };
        let Some(session) = &mut self.session else {
            return propose(&sessions::Request::Register);
        };
        if doing.sequence.is_none() {
            doing.sequence = session.begin(sessions::Limits::default().window);
        }
        let command = wire::encode(&ask).ok()?;
        propose(&session.request(doing.sequence?, &command))
    }

    /// No answer came in time.
    pub(super) fn silence(&mut self, now: Duration, nodes: &[NodeId]) -> Next {
        self.elsewhere(None, nodes);
        self.again(now)
    }

    /// A node answered one of the calls of this operation.
    pub(super) fn reply(
        &mut self,
        now: Duration,
        (operation, call): (u64, u64),
        reply: Reply,
        nodes: &[NodeId],
    ) -> Next {
        if self.doing.is_none() || operation != self.operation {
            return Next::Nothing;
        }
        // A result of an earlier call of this operation counts; a refusal of an earlier call does
        // not.
        let refused = matches!(reply, Reply::Refused(_) | Reply::Replaced);
        if refused && call != self.call {
            return Next::Nothing;
        }
        match reply {
            Reply::Holds(value) => self.over(Outcome::Holds(value)),
            Reply::Refused(Refusal::NotLeader(hint)) => {
                self.elsewhere(hint, nodes);
                self.again(now)
            }
            Reply::Refused(_) | Reply::Replaced => self.again(now),
            Reply::Applied(bytes) => match wire::decode(&bytes) {
                Ok(answer) => self.applied(now, answer),
                Err(_) => self.over(Outcome::Unknown),
            },
        }
    }

    fn applied(&mut self, now: Duration, answer: Answer) -> Next {
        match answer {
            Answer::Registered(client) => {
                // A second registration, by a repeated call, is not needed.
                if self.session.is_some() {
                    return Next::Nothing;
                }
                self.session = Some(ClientSession::new(client));
                match self.has_given_up(now) {
                    true => self.over(Outcome::Unknown),
                    false => Next::Again(Duration::ZERO),
                }
            }
            Answer::Reply(said) => match wire::decode(&said) {
                Ok(Say::Done) => self.over(Outcome::Done),
                Ok(Say::Differs(value)) => self.over(Outcome::Differs(value)),
                _ => self.over(Outcome::Unknown),
            },
            _ => self.over(Outcome::Unknown),
        }
    }

    /// Calls another node from now on: the one that leads, by the hint, or any.
    fn elsewhere(&mut self, hint: Option<NodeId>, nodes: &[NodeId]) {
        if matches!(self.plan, Plan::Once(_, Some(_))) {
            return;
        }
        let any = nodes.get(self.dice.below(nodes.len() as u64) as usize);
        self.target = hint.or(any.copied()).unwrap_or(self.target);
    }

    fn again(&mut self, now: Duration) -> Next {
        if self.has_given_up(now) {
            return self.over(Outcome::Unknown);
        }
        // Nothing is awaited until the next call.
        self.call += 1;
        Next::Again(PAUSE.draw(&mut self.dice))
    }

    fn has_given_up(&self, now: Duration) -> bool {
        let since = self.doing.as_ref().map_or(now, |doing| doing.since);
        now >= since + GIVES_UP
    }

    fn over(&mut self, outcome: Outcome) -> Next {
        let Some(doing) = self.doing.take() else {
            return Next::Nothing;
        };
        match (&outcome, doing.request) {
            // The next command of this session would say that this one is over.
            (Outcome::Unknown, Request::Put { .. } | Request::Cas { .. }) => self.session = None,
            (Outcome::Holds(Some(value)) | Outcome::Differs(Some(value)), request) => {
                self.seen.insert(request.key().to_owned(), value.clone());
            }
            (
                Outcome::Done,
                Request::Put { key, value }
                | Request::Cas {
                    key, new: value, ..
                },
            ) => {
                self.seen.insert(key, value);
            }
            _ => {}
        }
        if let (Some(session), Some(sequence)) = (&mut self.session, doing.sequence) {
            session.end(sequence);
        }
        Next::Over(outcome)
    }
}

fn propose(request: &sessions::Request<'_>) -> Option<Call> {
    let bytes = wire::encode(request).ok()?;
    Some(Call::Propose(Command::from(bytes)))
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".into());
        match self {
            Outcome::Holds(held) => f.write_str(&value(held)),
            Outcome::Done => f.write_str("ok"),
            Outcome::Differs(held) => write!(f, "no: it holds {}", value(held)),
            Outcome::Unknown => f.write_str("unknown"),
        }
    }
}
