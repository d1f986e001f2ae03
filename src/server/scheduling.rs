//! How the kernel schedules the threads that serve, and how they wait.
//!
//! By default a thread that wakes up preempts the running one, so a single peer gets its reply
//! soonest. With many busy peers that is wasteful: each arriving byte interrupts a thread that was
//! about to finish. With SCHED_BATCH (`sched(7)`, no privilege needed), a woken thread waits its
//! turn; docs/performance.md has the figures. [`Scheduling::Auto`] switches by the number of live
//! connections.
//!
//! Over Unix streams a peer that reads wakes our thread as well, so there fewer connections are many,
//! and very many wait in `poll`, which lets such a thread sleep on (docs/unix-sockets.md).

use std::cell::Cell;
use std::sync::Arc;

use super::stats::Stats;
use crate::net::{Conn, Network};
use crate::sys::process;

/// The policy for a server's threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheduling {
    /// A thread that wakes up preempts the running one.
    Normal,
    /// A thread that wakes up waits its turn.
    Batch,
    /// [`Batch`](Scheduling::Batch) while at least [`MANY_PEERS`] connections are live, or two over
    /// Unix streams.
    Auto,
}

/// The number of live connections from which [`Scheduling::Auto`] means batch.
pub const MANY_PEERS: i64 = 4;

/// The same over Unix streams. There the peer wakes our thread also by reading a reply, and would be
/// preempted by it for nothing.
const MANY_UNIX_PEERS: i64 = 2;

/// The number of live connections from which their Unix streams are polled before each read
/// ([`Conn::poll_before_read`]). With fewer, the wake-up that this saves often comes just before the
/// next request, and so makes up for itself (docs/performance.md).
const CROWD: i64 = 200;

pub(crate) struct Scheduler {
    policy: Scheduling,
    stats: Arc<Stats>,
}

impl Scheduler {
    pub(crate) fn new(policy: Scheduling, stats: Arc<Stats>) -> Self {
        Self { policy, stats }
    }

    /// Gives the current thread the policy that it should have now, and its connection the way of
    /// waiting; a system call only when the policy has changed.
    pub(crate) fn adjust(&self, conn: &Conn) {
        thread_local! {
            /// Unknown at first: a thread inherits the policy of the one that started it.
            static NOW: Cell<Option<process::Scheduling>> = const { Cell::new(None) };
        }
        let live = self.stats.active.get();
        conn.poll_before_read(live >= CROWD);
        let many = match conn.network() {
            Network::Unix => MANY_UNIX_PEERS,
            _ => MANY_PEERS,
        };
        let wanted = match self.policy {
            Scheduling::Normal => process::Scheduling::Normal,
            Scheduling::Batch => process::Scheduling::Batch,
            Scheduling::Auto if live < many => process::Scheduling::Normal,
            Scheduling::Auto => process::Scheduling::Batch,
        };
        if NOW.replace(Some(wanted)) != Some(wanted) {
            // If the change is refused, only some speed is lost.
            let _ = process::set_scheduling(wanted);
        }
    }
}
