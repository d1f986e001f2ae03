//! The cluster's client: finds the leader, retries where that is safe, and reports what is known.
//!
//! A change is a numbered command of a session (`raft::sessions`), so it may be sent again after a
//! connection broke or a leader was lost: the cluster applies it once, and a retry gets the
//! first answer. If the outcome is not known at the deadline, the call returns
//! [`StoreError::Unknown`].
//!
//! Each call has a connection to itself (see [`service`](super::service)).
//!
//! The files: `route`, which server to ask, and the connections; `tries`, what a try means for the
//! next; `session`, the numbers; this one, the rest.

mod route;
mod session;
mod tries;

use std::sync::Arc;
use std::time::Duration;

use super::command::{
    Changes, Command, Expected, KeyValue, Keys, Page, Refused, Reply, Revision, Swap, check_key,
};
use super::service::{KvClient, NodeStatus, Problem};
use super::store::{Store, StoreError, WENT_BACK, Watch};
use crate::net::Deadline;
use crate::raft::sessions::Answer;
use crate::raft::{self, Index, NodeId};
use crate::rpc::{CallError, Secret};
use crate::server::Stopper;
use crate::wire;
use route::{Connections, Route, Timed};
use session::Session;
use tries::Tries;

/// The pause after the first try that failed; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// The longest pause: about an election.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// The configuration of a [`Client`].
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Where nodes of the cluster listen; one that answers is enough.
    pub servers: Vec<String>,
    /// The secret of all nodes and clients of the cluster. Default: none.
    pub secret: Option<Secret>,
    /// How long a call may take, with all its tries. Default 10 s.
    pub time: Duration,
    /// How long one try may take; then another node is asked. Default 2 s.
    pub try_time: Duration,
    /// How long a dial may take. Default 1 s.
    pub dial_timeout: Duration,
}

impl ClientConfig {
    /// The defaults, for these servers.
    pub fn new(servers: Vec<String>) -> Self {
        Self {
            servers,
            secret: None,
            time: Duration::from_secs(10),
            try_time: Duration::from_secs(2),
            dial_timeout: Duration::from_secs(1),
        }
    }
}

/// A client of the cluster. A handle: clones share connections and session.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: ClientConfig,
    route: Route,
    connections: Connections,
    session: Session,
    /// Never used, so a wait for it is a plain pause.
    never: Stopper,
}

/// The effect of carrying out a call twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Twice {
    /// The same as once: it only reads, or its session prevents a second effect.
    Harmless,
    /// Perhaps another: it is not retried once it may have been carried out.
    Harmful,
}

/// A result, and whether the outcome of an earlier try is unknown.
struct Ran<R> {
    value: R,
    doubted: bool,
}

impl Client {
    /// A client of these servers. Nothing is dialled before the first call.
    pub fn new(config: ClientConfig) -> Self {
        let shared = Shared {
            route: Route::new(config.servers.clone()),
            connections: Connections::new(&config),
            session: Session::default(),
            never: Stopper::new(),
            config,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Adds a node to the cluster, as a voter or a learner. Returns when it is one. It may be
    /// started before or after. A learner may be added again, with another address or as a voter.
    pub fn add(&self, node: NodeId, address: &str, learner: bool) -> Result<(), StoreError> {
        self.administer(|kv| kv.add(node, address, learner))
    }

    /// Removes a node from the cluster.
    pub fn remove(&self, node: NodeId) -> Result<(), StoreError> {
        self.administer(|kv| kv.remove(node))
    }

    /// Makes another node the leader. Returns when it leads.
    pub fn transfer(&self, to: NodeId) -> Result<(), StoreError> {
        let moved = self.administer(|kv| kv.transfer(to));
        self.shared.route.forget();
        moved
    }

    /// How one node sees itself and the cluster. Asks no other.
    pub fn status(&self, server: &str) -> Result<NodeStatus, StoreError> {
        let time = self.shared.config.try_time;
        self.shared.ask_one(server, time, |kv| kv.status())
    }

    /// Makes one node take a snapshot, within `time`; returns its last index.
    pub fn snapshot(&self, server: &str, time: Duration) -> Result<Index, StoreError> {
        self.shared.ask_one(server, time, |kv| kv.snapshot())
    }

    fn administer(
        &self,
        call: impl Fn(&KvClient<Timed<'_>>) -> Result<Result<(), Problem>, CallError>,
    ) -> Result<(), StoreError> {
        let shared = &self.shared;
        let time = shared.config.time;
        let ran = shared.run(Deadline::after(time), time, Twice::Harmful, call);
        ran.map(|ran| ran.value)
    }

    fn read<R>(
        &self,
        call: impl Fn(&KvClient<Timed<'_>>) -> Result<Result<R, Problem>, CallError>,
    ) -> Result<R, StoreError> {
        let shared = &self.shared;
        let deadline = Deadline::after(shared.config.time);
        let ran = shared.run(deadline, shared.config.try_time, Twice::Harmless, call);
        ran.map(|ran| ran.value).map_err(only_asked)
    }

    fn command(&self, command: Command<'_>) -> Result<Reply, StoreError> {
        command.check()?;
        let command = wire::encode(&command).map_err(not_sent)?;
        let deadline = Deadline::after(self.shared.config.time);
        let mut pause = Duration::ZERO;
        loop {
            let ran = self.shared.command(&command, deadline)?;
            match ran.value {
                Answer::Reply(reply) => {
                    return match wire::decode(&reply).map_err(not_understood)? {
                        Reply::Refused(why) => Err(why.into()),
                        reply => Ok(reply),
                    };
                }
                // The session expired before this command: nothing was done; begin a new session.
                // If that is lost, too, there are too many sessions, and each costs a log entry:
                // pause.
                Answer::NoSession if !ran.doubted => {
                    if deadline.remaining().is_some_and(|left| left <= pause) {
                        let why = "each session was lost before it could be used";
                        return Err(StoreError::NotDone(why.into()));
                    }
                    self.shared.never.wait_timeout(pause);
                    pause = (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
                }
                other => {
                    let why = format!("the session ended meanwhile ({other:?})");
                    return Err(StoreError::Unknown(why));
                }
            }
        }
    }
}

impl Shared {
    /// Sends a command as often as needed; it takes effect once.
    fn command(&self, command: &[u8], deadline: Deadline) -> Result<Ran<Answer>, StoreError> {
        let propose = |request: &[u8]| {
            let ran = self.run(deadline, self.config.try_time, Twice::Harmless, |kv| {
                kv.propose(raft::Command::from(request))
            })?;
            Ok(Ran {
                value: wire::decode(&ran.value).map_err(not_understood)?,
                doubted: ran.doubted,
            })
        };
        let begun = self.session.begin(deadline, command, &propose)?;
        let ran = propose(&begun.request);
        let lost = ran.as_ref().is_ok_and(|ran| ran.value == Answer::NoSession);
        self.session.end(&begun, lost);
        ran
    }

    /// Makes a call to the leader, again and again until there is an answer or no time left.
    fn run<R>(
        &self,
        deadline: Deadline,
        try_time: Duration,
        twice: Twice,
        call: impl Fn(&KvClient<Timed<'_>>) -> Result<Result<R, Problem>, CallError>,
    ) -> Result<Ran<R>, StoreError> {
        let (mut tries, mut pause) = (Tries::default(), FIRST_PAUSE);
        loop {
            let server = self.route.server();
            let by = deadline.earlier(Deadline::after(try_time));
            let why = match self.connections.call(&server, by, &call) {
                Ok(Ok(value)) => {
                    let doubted = tries.doubted;
                    return Ok(Ran { value, doubted });
                }
                Ok(Err(problem)) => match self.after_problem(&server, problem, &mut tries)? {
                    Some(why) => why,
                    None => continue,
                },
                Err(error) => self.after_error(&server, error, &mut tries)?,
            };
            let late = deadline.remaining().is_some_and(|left| left <= pause);
            match tries.doubted {
                true if late || twice == Twice::Harmful => return Err(StoreError::Unknown(why)),
                false if late => return Err(StoreError::NotDone(why)),
                _ => self.never.wait_timeout(pause),
            };
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Makes a call to one node, once.
    fn ask_one<R>(
        &self,
        server: &str,
        time: Duration,
        call: impl Fn(&KvClient<Timed<'_>>) -> Result<Result<R, Problem>, CallError>,
    ) -> Result<R, StoreError> {
        let by = Deadline::after(time);
        match self.connections.call(server, by, &call) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(Problem::Never(why))) => Err(Refused::Other(why).into()),
            Ok(Err(Problem::NotDone(why) | Problem::Unknown(why))) => Err(StoreError::NotDone(why)),
            Ok(Err(_)) => Err(StoreError::NotDone("the node has stopped".into())),
            Err(error) => Err(StoreError::NotDone(error.to_string())),
        }
    }
}

/// The error of a read: without an answer, it has changed nothing.
fn only_asked(error: StoreError) -> StoreError {
    match error {
        StoreError::Unknown(why) => StoreError::NotDone(why),
        error => error,
    }
}

fn not_sent(error: wire::Error) -> StoreError {
    StoreError::NotDone(format!("the command cannot be sent: {error}"))
}

fn not_understood(error: wire::Error) -> StoreError {
    StoreError::Unknown(format!("the answer cannot be read: {error}"))
}

/// The error for a reply that does not suit the command.
fn strange(reply: &Reply) -> StoreError {
    StoreError::Unknown(format!("the answer is to something else: {reply:?}"))
}

impl Store for Client {
    fn get(&self, key: &[u8]) -> Result<Option<KeyValue>, StoreError> {
        check_key(key)?;
        self.read(|kv| kv.get(key))
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<Revision, StoreError> {
        match self.command(Command::Put { key, value })? {
            Reply::Put(revision) => Ok(revision),
            reply => Err(strange(&reply)),
        }
    }

    fn delete(&self, key: &[u8]) -> Result<Option<Revision>, StoreError> {
        match self.command(Command::Delete { key })? {
            Reply::Deleted(revision) => Ok(revision),
            reply => Err(strange(&reply)),
        }
    }

    fn compare_and_swap(
        &self,
        key: &[u8],
        expected: Expected<'_>,
        value: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        let command = Command::CompareAndSwap {
            key,
            expected,
            value,
        };
        match self.command(command)? {
            Reply::Swap(swap) => Ok(swap),
            reply => Err(strange(&reply)),
        }
    }

    fn list(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Page, StoreError> {
        let after = after.map(<[u8]>::to_vec);
        self.read(|kv| kv.list(prefix, &after, limit as u64))
    }

    fn watch(&self, keys: Keys, from: Revision) -> Result<Box<dyn Watch>, StoreError> {
        keys.check()?;
        Ok(Box::new(Watching {
            client: self.clone(),
            keys,
            next: from,
        }))
    }
}

/// A watch: one call after the other, each waiting at a node from the revision where the last
/// ended. So a lost node costs a try, but no change is missed.
struct Watching {
    client: Client,
    keys: Keys,
    next: Revision,
}

impl Watch for Watching {
    fn changes(&mut self, wait: Duration) -> Result<Changes, StoreError> {
        let shared = &self.client.shared;
        let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        let deadline = Deadline::after(wait.saturating_add(shared.config.time));
        let try_time = wait.saturating_add(shared.config.try_time);
        let ran = shared.run(deadline, try_time, Twice::Harmless, |kv| {
            let told = kv.changes(&self.keys, self.next, millis)?;
            Ok(
                told.and_then(|changes| match changes.go_on_from(self.next) {
                    true => Ok(changes),
                    // Another node may answer correctly.
                    false => Err(Problem::NotDone(WENT_BACK.into())),
                }),
            )
        });
        let changes = ran.map_err(only_asked)?.value;
        self.next = changes.next;
        Ok(changes)
    }
}
