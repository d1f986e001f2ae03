//! Every number of a server that a user may want to change, with its default.

use std::time::Duration;

use super::access::AccessList;
use super::scheduling::Scheduling;
use crate::telemetry::Log;

/// Which threads serve the connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One at a time; the others wait in the backlog. The first lesson.
    Serial,
    /// A thread for each connection; threads that have finished wait for the next one.
    Threads,
    /// A fixed number of workers, fed by a bounded queue.
    Pool {
        /// How many threads serve. At least 1.
        workers: usize,
        /// How many admitted connections may wait for a worker.
        queue: usize,
    },
}

/// The configuration of a [`Server`](super::Server).
#[derive(Clone, Debug)]
pub struct Config {
    /// The name in log lines.
    pub name: String,
    /// Where log lines go. Default: nowhere.
    pub log: Log,
    /// Which threads serve. Default [`Mode::Threads`].
    pub mode: Mode,
    /// Connections live at one time; more are refused. Default 10,000.
    pub max_connections: usize,
    /// Connections live at one time from one IPv4 address or one /64 of IPv6 addresses. Default: no
    /// such limit.
    pub max_per_peer: Option<usize>,
    /// Who may connect. Default: every peer.
    pub access: AccessList,
    /// The stack of a connection's thread, in bytes. Default [`STACK_SIZE`].
    pub stack_size: usize,
    /// Finished threads that stay to wait for the next connection. Default 64.
    pub spare_threads: usize,
    /// How the threads are scheduled. Default [`Scheduling::Auto`].
    pub scheduling: Scheduling,
    /// The drain time: how long live connections may take to finish after a stop. Default 5 s.
    pub drain: Duration,
}

impl Config {
    /// The most connections that are open at one time: the mode may set a lower limit than
    /// [`max_connections`](Self::max_connections).
    pub(crate) fn most_at_once(&self) -> usize {
        let by_mode = match self.mode {
            Mode::Serial => 1,
            Mode::Threads => usize::MAX,
            Mode::Pool { workers, queue } => workers.saturating_add(queue),
        };
        self.max_connections.min(by_mode)
    }
}

/// 128 KiB of address space for each thread. The kernel provides only the pages that are touched:
/// an idle echo connection touches two or three (8 to 12 KiB). The rest is headroom for a panic
/// with a backtrace, the deepest call chain that a handler here ever has.
pub const STACK_SIZE: usize = 128 * 1024;

impl Default for Config {
    fn default() -> Self {
        Self {
            name: "server".into(),
            log: Log::off(),
            mode: Mode::Threads,
            max_connections: 10_000,
            max_per_peer: None,
            access: AccessList::default(),
            stack_size: STACK_SIZE,
            spare_threads: 64,
            scheduling: Scheduling::Auto,
            drain: Duration::from_secs(5),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_holds_those_that_are_served_and_those_that_wait() {
        let most = |mode, max_connections| {
            let config = Config {
                mode,
                max_connections,
                ..Config::default()
            };
            config.most_at_once()
        };
        let pool = |workers, queue| Mode::Pool { workers, queue };
        for (mode, max_connections, wanted) in [
            (Mode::Serial, 100, 1),
            (Mode::Threads, 100, 100),
            (pool(4, 16), 100, 20),
            (pool(4, 16), 10, 10),
            (pool(4, usize::MAX), 100, 100),
        ] {
            assert_eq!(most(mode, max_connections), wanted, "{mode:?}");
        }
    }
}
