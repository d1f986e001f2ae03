//! The thread that sends to one peer.

use std::fmt::{self, Display};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::{Answer, Book, DELIVER, INTRODUCE, PeersConfig};
use crate::kv::cluster::{Belonging, ClusterId};
use crate::net::{Deadline, Network};
use crate::raft::{Body, Message, NodeId};
use crate::rpc::{CallError, Client};
use crate::telemetry::Level;

/// Bytes after which no more messages go into a notification. With its last message, which may
/// exceed this, it stays below the limit of a message (4 MiB).
const TOGETHER: usize = 1 << 20;
/// The weight of a message without its commands: about the bytes of its fields.
const AROUND: usize = 64;

/// The link to one peer. Ends its thread when it is dropped.
pub(super) struct Link {
    queue: Arc<Queue>,
    most: usize,
}

struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    messages: Vec<Message>,
    bytes: usize,
    /// Whether the thread waits and has not been woken yet.
    asleep: bool,
    closed: bool,
}

impl Link {
    /// Starts the thread that sends from one node to another.
    pub(super) fn start(
        (from, to): (NodeId, NodeId),
        (book, belonging): (&Book, &Belonging),
        config: &PeersConfig,
    ) -> io::Result<Self> {
        let queue = Arc::new(Queue {
            state: Mutex::new(State {
                messages: Vec::new(),
                bytes: 0,
                asleep: false,
                closed: false,
            }),
            changed: Condvar::new(),
        });
        let sending = Sending {
            from,
            to,
            book: book.clone(),
            belonging: belonging.clone(),
            config: config.clone(),
            client: None,
            failures: 0,
            is_stranger: false,
            retry: Deadline::after(Duration::ZERO),
        };
        let (name, taken) = (format!("to node {to}"), queue.clone());
        let thread = thread::Builder::new().name(name);
        thread.spawn(move || sending.run(&taken))?;
        Ok(Self {
            queue,
            most: config.queue_bytes,
        })
    }

    /// Adds a message. If too much waits, all that waits is dropped: messages that the peer has not
    /// taken for so long are old, and Raft starts over from what the peer says it has.
    pub(super) fn push(&self, message: Message) {
        let new = weight(&message);
        let mut state = self.queue.lock();
        if state.bytes + new > self.most {
            state.messages.clear();
            state.bytes = 0;
        }
        if state
            .messages
            .last()
            .is_some_and(|last| repeats(&message, last))
        {
            let last = state.messages.pop();
            state.bytes -= last.as_ref().map_or(0, weight);
        }
        state.bytes += new;
        state.messages.push(message);
    }

    /// Wakes the thread, if it waits and there are messages.
    pub(super) fn wake(&self) {
        let mut state = self.queue.lock();
        if state.asleep && !state.messages.is_empty() {
            state.asleep = false;
            drop(state);
            self.queue.changed.notify_one();
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.changed.notify_one();
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks until there are messages, and takes them all; `None` at the end.
    fn take(&self, taken: &mut Vec<Message>) -> Option<()> {
        let mut state = self.lock();
        while state.messages.is_empty() {
            if state.closed {
                return None;
            }
            state.asleep = true;
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.asleep = false;
        state.bytes = 0;
        std::mem::swap(&mut state.messages, taken);
        Some(())
    }
}

/// What the thread owns.
struct Sending {
    from: NodeId,
    to: NodeId,
    book: Book,
    belonging: Belonging,
    config: PeersConfig,
    client: Option<Client>,
    /// Dials that failed since the last successful one.
    failures: u32,
    /// Whether the last of them found another node at the address.
    is_stranger: bool,
    /// When to dial again. Until then messages are dropped.
    retry: Deadline,
}

impl Sending {
    fn run(mut self, queue: &Queue) {
        let mut messages = Vec::new();
        while queue.take(&mut messages).is_some() {
            if self.connect() {
                self.send(&messages);
            }
            messages.clear();
        }
    }

    /// Whether there is a connection; dials if it is time to do so.
    fn connect(&mut self) -> bool {
        if self.client.as_ref().is_some_and(Client::is_usable) {
            return true;
        }
        if let Some(gone) = self.client.take() {
            self.tell(Level::Debug, "peer lost", &gone.peer());
        }
        if !self.retry.passed() {
            return false;
        }
        match self.dial() {
            Ok(client) => {
                let why = client.peer();
                // At the level at which readers were told that it could not be reached.
                let level = match self.failures {
                    0 => Level::Debug,
                    _ => Level::Info,
                };
                self.tell(level, "peer reached", &why);
                (self.client, self.failures) = (Some(client), 0);
                self.is_stranger = false;
                true
            }
            Err(error) => {
                let stranger = error.stranger();
                let is_stranger = stranger.is_some();
                if let (Some(what), false) = (stranger, self.is_stranger) {
                    self.tell(Level::Warn, what, &error);
                } else if self.failures == 0 {
                    self.tell(Level::Info, "peer not reached", &error);
                }
                self.is_stranger = is_stranger;
                self.retry = Deadline::after(pause(&self.config, self.failures));
                self.failures = self.failures.saturating_add(1);
                false
            }
        }
    }

    fn dial(&self) -> Result<Client, Unreached> {
        let address = self.book.address(self.to);
        let failed = |why| CallError::Disconnected { why, sent: false };
        let address = address.ok_or_else(|| failed("its address is not known".into()))?;
        let dialled = self.config.dialer().dial(Network::Tcp, &address);
        let conn = dialled.map_err(|error| failed(error.to_string()))?;
        let client = Client::over(conn, self.config.client())?;
        let ours = self.belonging.cluster();
        let own = self.book.address(self.from);
        let introduction = (self.from, self.to, own, ours);
        let time = Some(self.config.unacknowledged);
        let (there, theirs): Answer = client.call_within(INTRODUCE, &introduction, time)?;
        match (ours, theirs) {
            (Some(ours), Some(theirs)) if ours != theirs => {
                Err(Unreached::Stranger(address, ours, theirs))
            }
            _ if there != self.to => Err(Unreached::Other(address, there)),
            _ => Ok(client),
        }
    }

    /// Sends messages, several in each notification, up to its limit.
    fn send(&mut self, messages: &[Message]) {
        let mut rest = messages;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(fit(rest));
            rest = later;
            let Some(client) = &self.client else { return };
            match client.notify(DELIVER, &(now,)) {
                Ok(()) => {}
                // Too long for a frame: no other connection would take it.
                Err(error @ CallError::BadArgument(_)) => {
                    self.tell(Level::Debug, "message dropped", &error);
                }
                Err(error) => {
                    self.tell(Level::Debug, "peer lost", &error);
                    self.client = None;
                }
            }
        }
    }

    /// Logs what happens to the peer: at [`Level::Info`] once when it is lost and once when it is
    /// back, otherwise for debugging.
    fn tell(&self, level: Level, what: &str, why: &dyn Display) {
        let target = format!("node {}", self.from);
        let fields: [(&str, &dyn Display); 2] = [("peer", &self.to), ("why", why)];
        self.config.log.write(level, &target, what, &fields);
    }
}

/// Why there is no connection.
enum Unreached {
    /// It could not be made.
    Failed(CallError),
    /// A node of another cluster listens at the address: our cluster, theirs.
    Stranger(String, ClusterId, ClusterId),
    /// Another node listens at the address: which.
    Other(String, NodeId),
}

impl Unreached {
    /// The message if the address is wrong, and the peer not just down.
    fn stranger(&self) -> Option<&'static str> {
        match self {
            Unreached::Failed(_) => None,
            Unreached::Stranger(..) => Some("another cluster at the address of a peer"),
            Unreached::Other(..) => Some("another node at the address of a peer"),
        }
    }
}

impl From<CallError> for Unreached {
    fn from(error: CallError) -> Self {
        Unreached::Failed(error)
    }
}

impl Display for Unreached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreached::Failed(error) => error.fmt(f),
            Unreached::Stranger(address, ours, theirs) => write!(
                f,
                "{address} is a node of cluster {theirs}, this one of {ours}: \
                 they were not founded together with the same members, addresses and token"
            ),
            Unreached::Other(address, there) => write!(f, "{address} is node {there}"),
        }
    }
}

/// The pause after this many failures.
fn pause(config: &PeersConfig, failures: u32) -> Duration {
    let doubled = 1_u32.checked_shl(failures).unwrap_or(u32::MAX);
    let pause = config.first_pause.saturating_mul(doubled);
    pause.min(config.longest_pause)
}

/// Whether a message repeats one that has not left yet: a leader that waits for an answer sends the
/// same entries, or the same part of a snapshot, with each heartbeat. On a slow path, these would
/// crowd out everything else.
fn repeats(new: &Message, old: &Message) -> bool {
    match (&new.body, &old.body) {
        (
            Body::AppendEntries {
                previous_index: new,
                entries,
                ..
            },
            Body::AppendEntries {
                previous_index: old,
                ..
            },
        ) => new == old && !entries.is_empty(),
        (Body::InstallSnapshot { offset: new, .. }, Body::InstallSnapshot { offset: old, .. }) => {
            new == old
        }
        _ => false,
    }
}

/// How many messages go into one notification: up to the one that reaches the limit.
fn fit(messages: &[Message]) -> usize {
    let mut bytes = 0;
    let reached = messages.iter().position(|message| {
        bytes += weight(message);
        bytes >= TOGETHER
    });
    reached.map_or(messages.len(), |last| last + 1)
}

/// About how many bytes a message has.
fn weight(message: &Message) -> usize {
    AROUND
        + match &message.body {
            Body::AppendEntries { entries, .. } => {
                let sizes = entries.iter().map(|entry| AROUND + entry.size());
                sizes.sum()
            }
            Body::InstallSnapshot { data, .. } => data.bytes().len(),
            _ => 0,
        }
}
