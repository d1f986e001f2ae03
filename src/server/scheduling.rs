//! How the kernel schedules the threads that serve, and how they wait.
//!
//! By default a thread that wakes up preempts the running one, so a peer gets its reply soonest. When
//! the threads of one server fill the machine, that is wasteful: each arriving byte interrupts a
//! thread that was about to finish. With SCHED_BATCH (`sched(7)`, no privilege needed), a woken
//! thread waits its turn. But where other programs are busy, it waits until *their* time is over:
//! milliseconds for each request. So [`Scheduling::Auto`] means batch only while this process itself
//! uses much of the machine; docs/performance.md has the figures.
//!
//! Over Unix streams a peer that reads wakes our thread as well, so there one connection is enough
//! for that, and very many wait in `poll`, which lets such a thread sleep on (docs/unix-sockets.md).

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

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
    /// [`Batch`](Scheduling::Batch) while this process uses a third of the machine's CPU time or more,
    /// and at least [`MANY_PEERS`] connections are live (one over Unix streams; for datagrams none
    /// is needed). Where the program was started under another policy than the default one, as by
    /// `chrt`, that stays.
    Auto,
}

/// The number of live connections from which [`Scheduling::Auto`] can mean batch. With fewer, there
/// is nearly always a CPU for a thread that wakes up.
pub const MANY_PEERS: i64 = 4;

/// The number of live connections from which their Unix streams are polled before each read
/// ([`Conn::poll_before_read`]). With fewer, the wake-up that this saves often comes just before the
/// next request, and so makes up for itself (docs/performance.md).
const CROWD: i64 = 200;

/// How often it is looked how much of the machine this process uses.
const LOOK: Duration = Duration::from_millis(100);

/// Scheduling for the threads that serve connections.
pub(crate) struct Scheduler {
    pace: Pace,
    stats: Arc<Stats>,
}

impl Scheduler {
    pub(crate) fn new(policy: Scheduling, stats: Arc<Stats>) -> Self {
        Self {
            pace: Pace::new(Some(policy)),
            stats,
        }
    }

    /// Gives the current thread the policy that it should have now, and its connection the way of
    /// waiting; a system call only when the policy has changed.
    pub(crate) fn adjust(&self, conn: &Conn) {
        let live = self.stats.active.get();
        conn.poll_before_read(live >= CROWD);
        // A Unix peer wakes our thread also by reading a reply, and would be preempted for nothing.
        let many = live >= MANY_PEERS || conn.network() == Network::Unix;
        self.pace.keep(many);
    }
}

/// Keeps threads at the policy that fits the load of the process.
pub(crate) struct Pace {
    /// `None`: they keep what they were started with.
    policy: Option<Scheduling>,
    load: Load,
}

impl Pace {
    pub(crate) fn new(policy: Option<Scheduling>) -> Self {
        let ours = |policy: &_| *policy != Scheduling::Auto || process::is_scheduled_by_default();
        Self {
            policy: policy.filter(ours),
            load: Load::new(),
        }
    }

    /// Gives the current thread its policy; `many` is whether there are peers enough for batch.
    pub(crate) fn keep(&self, many: bool) {
        thread_local! {
            /// Unknown at first: a thread inherits the policy of the one that started it.
            static NOW: Cell<Option<process::Scheduling>> = const { Cell::new(None) };
        }
        let batch = match self.policy {
            None => return,
            Some(Scheduling::Normal) => false,
            Some(Scheduling::Batch) => true,
            Some(Scheduling::Auto) => many && self.load.is_high(),
        };
        let wanted = match batch {
            false => process::Scheduling::Normal,
            true => process::Scheduling::Batch,
        };
        if NOW.replace(Some(wanted)) != Some(wanted) {
            // If the change is refused, only some speed is lost.
            let _ = process::set_scheduling(wanted);
        }
    }
}

/// A moment, and the CPU time that the process had used until then.
type Reading = (Instant, Duration);

/// How much of the machine this process uses, as seen at the last look. The threads that serve look
/// themselves: whichever comes by first when a look is due.
struct Load {
    cpus: usize,
    began: Instant,
    /// When the next look is due, in milliseconds from `began`.
    due: AtomicU64,
    last: Mutex<Reading>,
    high: AtomicBool,
}

impl Load {
    fn new() -> Self {
        let began = Instant::now();
        Self {
            cpus: thread::available_parallelism().map_or(1, usize::from),
            began,
            due: AtomicU64::new(0),
            last: Mutex::new((began, process::cpu_time())),
            high: AtomicBool::new(false),
        }
    }

    fn is_high(&self) -> bool {
        let now = millis(self.began.elapsed());
        if now >= self.due.load(Ordering::Relaxed) {
            self.look(now);
        }
        self.high.load(Ordering::Relaxed)
    }

    fn look(&self, now: u64) {
        // Whoever finds it locked goes on: another thread looks.
        if let Ok(mut last) = self.last.try_lock() {
            let next = now.saturating_add(millis(LOOK));
            self.due.store(next, Ordering::Relaxed);
            let seen = (Instant::now(), process::cpu_time());
            self.compare(&mut last, seen);
        }
    }

    fn compare(&self, last: &mut Reading, seen: Reading) {
        let time = seen.0.duration_since(last.0);
        // A moment is too short to tell.
        if time >= LOOK / 2 {
            let high = is_much(seen.1.saturating_sub(last.1), time, self.cpus);
            self.high.store(high, Ordering::Relaxed);
            *last = seen;
        }
    }
}

/// Whether `spent` is a third or more of what `cpus` had to give in `time`.
///
/// A server that loads the machine together with its clients takes nearly half of it (measured: 43
/// to 54 %), one without them more. One whose clients want all that they can get, beside as many busy
/// programs as there are CPUs, gets a quarter (25 to 31 %), and then batch would cost it rate and
/// time.
fn is_much(spent: Duration, time: Duration, cpus: usize) -> bool {
    let all = time.as_nanos().saturating_mul(cpus as u128);
    spent.as_nanos().saturating_mul(3) >= all
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(cpus: usize) -> (Load, Reading) {
        let mut load = Load::new();
        load.cpus = cpus;
        (load, (Instant::now(), Duration::ZERO))
    }

    #[test]
    fn the_load_is_high_while_the_process_uses_a_third_of_all_cpus() {
        let (load, mut last) = load(2);
        for (spent, high) in [(66, false), (67, true), (200, true), (0, false)] {
            let spent = Duration::from_millis(spent);
            let seen = (last.0 + LOOK, last.1 + spent);
            load.compare(&mut last, seen);
            assert_eq!(load.high.load(Ordering::Relaxed), high, "{spent:?}");
        }
    }

    #[test]
    fn after_a_long_silence_a_burst_that_is_over_no_longer_counts() {
        let (load, mut last) = load(1);
        let burst = (last.0 + LOOK, last.1 + LOOK);
        load.compare(&mut last, burst);
        assert!(load.high.load(Ordering::Relaxed));
        let quiet = (burst.0 + Duration::from_secs(3_600), burst.1);
        load.compare(&mut last, quiet);
        assert!(!load.high.load(Ordering::Relaxed));
    }

    #[test]
    fn a_moment_is_too_short_to_tell() {
        let (load, mut last) = load(1);
        let (begun, moment) = (last, LOOK / 3);
        load.compare(&mut last, (begun.0 + moment, begun.1 + moment));
        assert!(!load.high.load(Ordering::Relaxed));
        assert_eq!(last, begun);
    }

    #[test]
    fn a_system_that_tells_no_cpu_time_has_no_high_load() {
        assert!(!is_much(Duration::ZERO, LOOK, 1));
    }
}
