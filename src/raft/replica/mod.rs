//! The blocking shell of a node: one thread that owns the core, the storage and the state machine.
//!
//! ```text
//!  propose ─┐                     ┌────────────── the node's thread ──────────────┐
//!  read ────┤                     │ 1 wait for a letter, or for Node::deadline    │
//!  deliver ─┼──> inbox (bounded) ─┼>2 step all letters that are there             ├─> Transport
//!  change ──┤                     │ 3 messages out, apply, answer                 │
//!  stop ────┘                     │ 4 write and sync, step(Persisted), again 3    │
//!                                 └───────────────────────────────────────────────┘
//! ```
//!
//! *What a proposal costs.* One copy of the command, one ticket, the reply; two switches between
//! threads (to the node's and back), in addition to those of the network. All letters that came
//! while the disk was busy are handled together and share the next sync: group commit without a
//! timer.
//!
//! *Why this thread waits for the disk.* The messages are sent before the write begins, so the
//! followers' disks work at the same time as the leader's. With a storage thread, the node could
//! take messages meanwhile, but their results would wait for the same disk, and each write would
//! cost two more switches.
//!
//! *What a snapshot costs.* [`StateMachine::snapshot`] and the writing of its bytes also run on
//! this thread, and the node handles nothing meanwhile: 50 MB on a disk that takes 100 MB a second
//! are half a second. A leader that is silent for an election timeout is replaced. So a larger
//! state needs longer timeouts, fewer snapshots, or another design.
//!
//! The files: this one is the handle; `ticket` is one caller's answer; `waiting` the requests that
//! wait, and for what; `work` the thread; `counts` what is counted.

mod counts;
#[cfg(test)]
mod tests;
mod ticket;
mod waiting;
mod work;

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::machine::BadSnapshot;
use super::storage::{Restored, Storage, StorageError};
use super::{
    Change, Command, Config, Index, Membership, Message, NodeId, Refusal, StateMachine, Status,
};
use crate::net::{Deadline, unguessable, wait_until};
use crate::telemetry::{Log, Registry};
use counts::Counts;
use ticket::{Ticket, ticket};
use waiting::Question;
use work::Work;

/// Letters that wait for the node's thread. When it is full, a proposal is refused, and a message
/// from a peer waits, together with the connection that brought it.
const INBOX: usize = 4096;
/// ... and bytes of commands in them: while a disk is stuck, clients leave and come back.
const INBOX_BYTES: usize = 64 << 20;

/// Carries messages to the other nodes.
pub trait Transport: Send + 'static {
    /// Sends each message to its `to`. May lose any, must not block: it runs on the node's thread.
    fn send(&mut self, messages: Vec<Message>);

    /// Another membership is in effect, with the addresses of its nodes. Default: does nothing.
    fn members(&mut self, membership: &Membership) {
        let _ = membership;
    }
}

/// The stack of a node's thread, which runs the state machine, in bytes.
const STACK: usize = 2 << 20;

/// What a user may tune of a replica, in addition to the [`Config`] of its node.
#[derive(Clone, Debug)]
pub struct ReplicaConfig {
    /// Times and limits of the node.
    pub raft: Config,
    /// A snapshot is taken when this many entries were applied since the last. Default 100,000.
    pub snapshot_entries: u64,
    /// ... or when the commands applied since then have this many bytes, and more than the last
    /// snapshot, so that large states are not written over and over. Default 64 MiB.
    pub snapshot_bytes: usize,
    /// The log for roles, full disks and the like. Default: off.
    pub log: Log,
}

impl Default for ReplicaConfig {
    fn default() -> Self {
        Self {
            raft: Config::default(),
            snapshot_entries: 100_000,
            snapshot_bytes: 64 << 20,
            log: Log::off(),
        }
    }
}

/// Why a request has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// It has not happened, and will not.
    Refused(Refusal),
    /// The node has stopped; it has not happened, and will not.
    Stopped,
    /// It may have been done, or may still be: the deadline passed, or leadership was lost, before
    /// the outcome was known. For a read: there is no answer.
    Unknown,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failed::Refused(refusal) => refusal.fmt(f),
            Failed::Stopped => f.write_str("the node has stopped"),
            Failed::Unknown => f.write_str("whether it was done is not known"),
        }
    }
}

impl std::error::Error for Failed {}

/// Why a node stopped by itself.
#[derive(Debug)]
pub enum Ended {
    /// Its storage failed: running on, it could not keep its promises.
    Storage(StorageError),
    /// A snapshot, its own or a leader's, does not belong to this state machine.
    Snapshot(BadSnapshot),
    /// Its state machine panicked.
    Panicked,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Storage(error) => error.fmt(f),
            Ended::Snapshot(error) => error.fmt(f),
            Ended::Panicked => f.write_str("the state machine panicked"),
        }
    }
}

impl std::error::Error for Ended {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // `Display` shows the storage's error itself, so its source comes next.
            Ended::Storage(error) => error.source(),
            Ended::Snapshot(_) | Ended::Panicked => None,
        }
    }
}

/// What the node's thread is asked to do.
enum Letter<M> {
    Messages(Vec<Message>),
    Propose(Command, Ticket<Vec<u8>>),
    /// Through ReadIndex.
    Read(Question<M>),
    /// Of the state machine as it is now.
    Look(Question<M>),
    Change(Change, Ticket<()>),
    Transfer(NodeId, Ticket<()>),
    Snapshot(Ticket<Index>),
    Status(Ticket<Status>),
    Stop,
}

/// What handles see without asking the thread.
#[derive(Debug, Default)]
struct Shared {
    progress: Mutex<Progress>,
    changed: Condvar,
    /// Bytes of commands in the inbox.
    proposed: AtomicUsize,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Progress {
    applied: Index,
    leader: Option<NodeId>,
    /// How many threads wait for it: without any, a wake-up would be a wasted system call.
    waiting: usize,
    ended: bool,
    /// Until a caller takes it.
    why: Option<Ended>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn applied(&self, index: Index) {
        let mut progress = self.lock();
        progress.applied = index;
        if progress.waiting > 0 {
            self.changed.notify_all();
        }
    }

    fn led_by(&self, leader: Option<NodeId>) {
        self.lock().leader = leader;
    }

    fn ended(&self, why: Result<(), Ended>) {
        let mut progress = self.lock();
        progress.ended = true;
        progress.why = why.err();
        self.changed.notify_all();
    }
}

/// A running node. A handle: clones speak to the same node, which runs until [`Replica::stop`].
///
/// A cluster of one node, which founds it when its folder is new. With more nodes, each founds it
/// with the same members, and the transport takes messages to [`Replica::deliver`] of the others.
///
/// ```
/// use std::time::Duration;
/// use groundwire::net::Deadline;
/// use groundwire::raft::storage::{DiskStorage, Storage, disk};
/// use groundwire::raft::{
///     BadSnapshot, Command, Index, Membership, Message, Persist, Replica, ReplicaConfig,
///     StateMachine, Transport,
/// };
///
/// struct Sum(u64);
///
/// impl StateMachine for Sum {
///     fn apply(&mut self, _: Index, command: &[u8]) -> Vec<u8> {
///         self.0 += command.iter().map(|&byte| u64::from(byte)).sum::<u64>();
///         self.snapshot()
///     }
///     fn snapshot(&self) -> Vec<u8> {
///         self.0.to_le_bytes().to_vec()
///     }
///     fn restore(&mut self, data: &[u8]) -> Result<(), BadSnapshot> {
///         let bytes = data.try_into().map_err(|_| BadSnapshot("not 8 bytes".into()))?;
///         self.0 = u64::from_le_bytes(bytes);
///         Ok(())
///     }
/// }
///
/// struct Alone;
///
/// impl Transport for Alone {
///     fn send(&mut self, _: Vec<Message>) {}
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = std::env::temp_dir().join(format!("replica-{}", std::process::id()));
/// # let _ = std::fs::remove_dir_all(&folder);
/// for sum in [3_u64, 6] {
///     let (mut storage, mut restored) = DiskStorage::open(&folder, disk::Limits::default())?;
///     if restored.is_new() {
///         // On the disk, too: after a restart, a log without members has no leader.
///         restored.snapshot.meta.membership = Membership::of([1]);
///         let snapshot = Some(restored.snapshot.clone());
///         storage.write(&Persist { snapshot, ..Persist::default() })?;
///         storage.sync()?;
///     }
///     let disk = (storage, restored);
///     let replica = Replica::start(1, ReplicaConfig::default(), disk, Sum(0), Alone)?;
///     let soon = Deadline::after(Duration::from_secs(10));
///     replica.applied_beyond(0, soon); // until it leads: a leader's first entry is its own
///     let reply = replica.propose(Command::from(vec![1, 2]), soon)?;
///     assert_eq!(reply, sum.to_le_bytes());
///     replica.stop();
/// }
/// # std::fs::remove_dir_all(folder)?;
/// # Ok(())
/// # }
/// ```
pub struct Replica<M> {
    inbox: SyncSender<Letter<M>>,
    shared: Arc<Shared>,
}

impl<M> Clone for Replica<M> {
    fn clone(&self) -> Self {
        Self {
            inbox: self.inbox.clone(),
            shared: self.shared.clone(),
        }
    }
}

impl<M: StateMachine> Replica<M> {
    /// Starts the node's thread on what its storage held. Fails if no thread can be started.
    pub fn start(
        id: NodeId,
        config: ReplicaConfig,
        (storage, restored): (impl Storage + 'static, Restored),
        machine: M,
        transport: impl Transport,
    ) -> io::Result<Self> {
        let (inbox, letters) = sync_channel(INBOX);
        let shared = Arc::new(Shared::default());
        // With the same seed, nodes would draw the same election timeouts, and split every vote.
        let seed = unguessable();
        let (told, seen) = (shared.clone(), shared.clone());
        let work = move || {
            let disk = (storage, restored);
            Work::new((id, seed), config, disk, machine, transport, seen).run(letters)
        };
        thread::Builder::new()
            .name(format!("node {id}"))
            .stack_size(STACK)
            .spawn(move || {
                let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
                told.ended(ran.unwrap_or(Err(Ended::Panicked)));
            })?;
        Ok(Self { inbox, shared })
    }

    /// Gives it messages from its peers. Blocks while its inbox is full.
    pub fn deliver(&self, messages: Vec<Message>) {
        let _ = self.inbox.send(Letter::Messages(messages)); // a stopped node ignores them
    }

    /// Has the cluster apply a command, and returns the state machine's reply. Blocks until it is
    /// applied here, at most until the deadline.
    pub fn propose(&self, command: Command, deadline: Deadline) -> Result<Vec<u8>, Failed> {
        let (ticket, awaited) = ticket();
        let (size, proposed) = (command.bytes().len(), &self.shared.proposed);
        let asked = match proposed.fetch_add(size, Ordering::Relaxed) {
            ..INBOX_BYTES => self.ask(Letter::Propose(command, ticket)),
            _ => Err(Failed::Refused(Refusal::Busy)),
        };
        asked.inspect_err(|_| {
            proposed.fetch_sub(size, Ordering::Relaxed);
        })?;
        awaited.wait(deadline)
    }

    /// Asks the state machine, linearizably: the answer includes all that was acknowledged before
    /// the call (§8). The leader only. Blocks for a round of heartbeats, at most until the
    /// deadline.
    ///
    /// The question runs on the node's thread, which handles nothing else meanwhile: keep it short.
    pub fn read<R: Send + 'static>(
        &self,
        question: impl FnOnce(&M) -> R + Send + 'static,
        deadline: Deadline,
    ) -> Result<R, Failed> {
        let letter = |ticket| Letter::Read(Question::new(question, ticket));
        self.ask_and_wait(letter, deadline)
    }

    /// Asks this node's state machine as it is now, on any node; it may be behind the others'.
    pub fn look<R: Send + 'static>(
        &self,
        question: impl FnOnce(&M) -> R + Send + 'static,
        deadline: Deadline,
    ) -> Result<R, Failed> {
        let letter = |ticket| Letter::Look(Question::new(question, ticket));
        self.ask_and_wait(letter, deadline)
    }

    /// Changes the membership. Blocks until the whole change is committed: by then, a node that is
    /// added votes.
    pub fn change(&self, change: Change, deadline: Deadline) -> Result<(), Failed> {
        self.ask_and_wait(|ticket| Letter::Change(change, ticket), deadline)
    }

    /// Hands leadership over. Blocks until another leader is known here. [`Failed::Unknown`] if
    /// that is a third node, or if this node still leads after three election timeouts.
    pub fn transfer(&self, to: NodeId, deadline: Deadline) -> Result<(), Failed> {
        self.ask_and_wait(|ticket| Letter::Transfer(to, ticket), deadline)
    }

    /// Takes a snapshot now, on this node. Returns the last index in it, once it is on the disk.
    pub fn snapshot(&self, deadline: Deadline) -> Result<Index, Failed> {
        self.ask_and_wait(Letter::Snapshot, deadline)
    }

    /// How the node sees itself and its cluster.
    pub fn status(&self, deadline: Deadline) -> Result<Status, Failed> {
        self.ask_and_wait(Letter::Status, deadline)
    }

    /// The last index that was applied here. Blocks until it is above `index`, the deadline has
    /// passed, or the node has stopped.
    pub fn applied_beyond(&self, index: Index, deadline: Deadline) -> Index {
        let mut progress = self.shared.lock();
        progress.waiting += 1;
        while progress.applied <= index && !progress.ended && !deadline.passed() {
            progress = wait_until(&self.shared.changed, progress, deadline);
        }
        progress.waiting -= 1;
        progress.applied
    }

    /// The leader, as far as this node knows.
    pub fn leader(&self) -> Option<NodeId> {
        self.shared.lock().leader
    }

    /// Puts what the node counts into a registry, labelled with its id.
    pub fn register(&self, registry: &Registry, id: NodeId) {
        counts::register(registry, id, &self.shared);
    }

    /// Stops the node; blocks until its thread has released the storage. To hand leadership over,
    /// the caller calls [`transfer`](Self::transfer) before. If its last write fails,
    /// [`wait`](Self::wait) says so.
    pub fn stop(&self) {
        let _ = self.inbox.send(Letter::Stop);
        drop(self.until_ended());
    }

    /// Blocks until the node has stopped. The error says why it stopped by itself; only the first
    /// caller gets it.
    pub fn wait(&self) -> Result<(), Ended> {
        self.until_ended().why.take().map_or(Ok(()), Err)
    }

    fn until_ended(&self) -> MutexGuard<'_, Progress> {
        let mut progress = self.shared.lock();
        while !progress.ended {
            progress = wait_until(&self.shared.changed, progress, Deadline::NEVER);
        }
        progress
    }

    fn ask_and_wait<R>(
        &self,
        letter: impl FnOnce(Ticket<R>) -> Letter<M>,
        deadline: Deadline,
    ) -> Result<R, Failed> {
        let (ticket, awaited) = ticket();
        self.ask(letter(ticket))?;
        awaited.wait(deadline)
    }

    fn ask(&self, letter: Letter<M>) -> Result<(), Failed> {
        self.inbox.try_send(letter).map_err(|error| match error {
            TrySendError::Full(_) => Failed::Refused(Refusal::Busy),
            TrySendError::Disconnected(_) => Failed::Stopped,
        })
    }
}
