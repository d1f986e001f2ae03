//! How the kernel schedules the threads that serve.
//!
//! By default a thread that wakes up preempts the one that runs: a lone peer gets its reply
//! soonest. With many busy peers that is a waste: each arriving byte interrupts a thread that was
//! about to finish. SCHED_BATCH (`sched(7)`, no privilege needed) lets a woken thread wait its turn;
//! docs/performance.md has the figures. [`Scheduling::Auto`] goes from one to the other by the
//! number of live connections.

use std::cell::Cell;
use std::sync::Arc;

use super::stats::Stats;
use crate::sys::process;

/// The policy for a server's threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheduling {
    /// A thread that wakes up preempts the one that runs.
    Normal,
    /// A thread that wakes up waits its turn.
    Batch,
    /// [`Batch`](Scheduling::Batch) while at least [`MANY_PEERS`] connections are live.
    Auto,
}

/// From how many live connections on [`Scheduling::Auto`] means batch.
pub const MANY_PEERS: i64 = 4;

pub(crate) struct Scheduler {
    policy: Scheduling,
    stats: Arc<Stats>,
}

impl Scheduler {
    pub(crate) fn new(policy: Scheduling, stats: Arc<Stats>) -> Self {
        Self { policy, stats }
    }

    /// Sees to it that this thread is scheduled as it should be now; a system call only when
    /// that has changed.
    pub(crate) fn adjust(&self) {
        thread_local! {
            /// Unknown at first: a thread inherits the policy of the one that started it.
            static NOW: Cell<Option<process::Scheduling>> = const { Cell::new(None) };
        }
        let wanted = match self.policy {
            Scheduling::Normal => process::Scheduling::Normal,
            Scheduling::Batch => process::Scheduling::Batch,
            Scheduling::Auto if self.stats.active.get() < MANY_PEERS => process::Scheduling::Normal,
            Scheduling::Auto => process::Scheduling::Batch,
        };
        if NOW.replace(Some(wanted)) != Some(wanted) {
            // A refused change costs some speed and nothing else.
            let _ = process::set_scheduling(wanted);
        }
    }
}
