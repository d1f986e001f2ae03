//! One thread per connection, without handing connections over.
//!
//! The plain way is one accepting thread that starts a new thread for each connection. A start
//! costs about 50 microseconds, and handing over costs one more wake-up. Here every thread accepts
//! for itself:
//!
//! ```text
//!            +---------------- stays, if fewer than `spare_threads` wait -------------+
//!            v                                                                        |
//!     wait in accept ---> take a connection ---> was I the last one waiting? ---> serve it
//!                                                   | yes
//!                                                   +--> start one more thread
//! ```
//!
//! When a thread cannot be started (a limit on threads or memory), there may be no thread left in
//! `accept`. Then the thread that waits for the stop tries again, until it succeeds or a serving
//! thread has returned to `accept`.
//!
//! So a thread is started only when none waits, the kernel chooses (it wakes one thread per
//! connection), and finished threads are used again. There is at most one thread more than the
//! connection limit; it refuses connections.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::Handler;
use super::live::Seat;
use super::shared::{Shared, is_due, lock, no_thread};
use crate::net::{Conn, Listener, plain_words};

/// The pause before another try to start a thread.
const TRY_AGAIN: Duration = Duration::from_millis(100);

/// The threads of one listener.
pub(crate) struct Crew<H> {
    shared: Arc<Shared<H>>,
    listener: Listener,
    waiting: AtomicUsize,
    threads: AtomicUsize,
    /// A thread could not be started: perhaps none is in `accept`.
    short: AtomicBool,
    failure: Mutex<Option<io::Error>>,
    /// When it was last logged that a thread could not be started.
    complained: Mutex<Option<Instant>>,
}

impl<H: Handler + 'static> Crew<H> {
    fn new(shared: Arc<Shared<H>>, listener: Listener) -> Self {
        Self {
            shared,
            listener,
            waiting: AtomicUsize::new(0),
            threads: AtomicUsize::new(0),
            short: AtomicBool::new(false),
            failure: Mutex::new(None),
            complained: Mutex::new(None),
        }
    }

    /// Starts the first thread.
    pub(crate) fn start(shared: Arc<Shared<H>>, listener: Listener) -> io::Result<Arc<Self>> {
        let crew = Arc::new(Self::new(shared, listener));
        crew.spawn().map_err(no_thread)?;
        Ok(crew)
    }

    /// The error that broke the listener, if one did.
    pub(crate) fn failure(&self) -> Option<io::Error> {
        lock(&self.failure).take()
    }

    fn spawn(self: &Arc<Self>) -> io::Result<()> {
        // Counted before it runs, so that two threads cannot both find that none waits.
        self.waiting.fetch_add(1, Ordering::SeqCst);
        self.threads.fetch_add(1, Ordering::SeqCst);
        let crew = self.clone();
        let started = thread::Builder::new()
            .name("connection".into())
            .stack_size(self.shared.config.stack_size)
            .spawn(move || crew.work());
        if let Err(error) = started {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            self.threads.fetch_sub(1, Ordering::SeqCst);
            return Err(error);
        }
        Ok(())
    }

    fn work(self: &Arc<Self>) {
        loop {
            let next = self.shared.next(&self.listener);
            let last_waiting = self.waiting.fetch_sub(1, Ordering::SeqCst) == 1;
            let (conn, seat) = match next {
                Ok(Some(pair)) => pair,
                Ok(None) => break,
                Err(error) => {
                    *lock(&self.failure) = Some(error);
                    self.shared.stopper.stop();
                    break;
                }
            };
            if last_waiting {
                self.grow();
            }
            self.shared.serve(conn, seat);
            if !join(&self.waiting, self.shared.config.spare_threads.max(1)) {
                break;
            }
        }
        self.threads.fetch_sub(1, Ordering::SeqCst);
    }

    /// Serves one connection on a thread of its own, after the listener has closed.
    pub(crate) fn serve(&self, conn: Conn, seat: Seat) {
        let shared = self.shared.clone();
        let started = thread::Builder::new()
            .name("connection".into())
            .stack_size(self.shared.config.stack_size)
            .spawn(move || shared.serve(conn, seat));
        if let Err(error) = started {
            self.shared.stats.failed.inc();
            self.complain(&error);
        }
    }

    /// Peers decide how often this happens, so it is logged only now and then.
    fn complain(&self, error: &io::Error) {
        if !is_due(&self.complained) {
            return;
        }
        let (config, cause) = (&self.shared.config, plain_words(error));
        config
            .log
            .error(&config.name, "cannot start a thread", &[("cause", &cause)]);
    }

    /// Blocks until the stop. After a failed start of a thread, makes sure that some thread
    /// accepts.
    pub(crate) fn attend(self: &Arc<Self>) {
        let stopper = &self.shared.stopper;
        while !stopper.wait_or(|| self.short.load(Ordering::SeqCst)) {
            if stopper.wait_timeout(TRY_AGAIN) {
                return;
            }
            // Cleared before the check, so that a failure after it sets it again.
            self.short.store(false, Ordering::SeqCst);
            if self.waiting.load(Ordering::SeqCst) == 0 && self.spawn().is_err() {
                self.short.store(true, Ordering::SeqCst);
            }
        }
    }

    /// Starts one more thread. When that fails (a limit on threads), the connections wait in the
    /// backlog until [`attend`](Self::attend) can start one or a serving thread is back.
    fn grow(self: &Arc<Self>) {
        if self.threads.load(Ordering::SeqCst) > self.shared.config.max_connections {
            return;
        }
        if let Err(error) = self.spawn() {
            self.complain(&error);
            self.short.store(true, Ordering::SeqCst);
            self.shared.stopper.nudge();
        }
    }
}

/// Counts one more waiting thread, unless `most` wait already. In one step: if a thread were
/// counted for a moment and then left, the last waiting thread would not notice that it is the
/// last.
fn join(waiting: &AtomicUsize, most: usize) -> bool {
    let (order, mut now) = (Ordering::SeqCst, waiting.load(Ordering::SeqCst));
    while now < most {
        match waiting.compare_exchange_weak(now, now + 1, order, order) {
            Ok(_) => return true,
            Err(other) => now = other,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::net::{self, Network};
    use crate::server::{Config, End, Session, Stats, Stopper};
    use crate::telemetry::{Format, Level, Log};

    #[test]
    fn a_connection_for_which_there_is_no_thread_has_failed() {
        let config = Config {
            stack_size: 1 << 60, // more than any address space has
            ..Config::default()
        };
        let handler = |_: &Conn, _: &Session<'_>| Ok(End::Ours);
        let (stats, stopper) = (Arc::<Stats>::default(), Stopper::new());
        let shared = Arc::new(Shared::new(config, handler, stats.clone(), stopper));
        let (conn, _peer) = Conn::pair().unwrap();
        let seat = shared.table.admit(&conn).ok().unwrap();
        let listener = net::listen(Network::Tcp, "127.0.0.1:0").unwrap();
        Crew::new(shared, listener).serve(conn, seat);
        let totals = stats.totals();
        assert_eq!((totals.served, totals.failed, totals.active), (0, 1, 0));
    }

    #[test]
    fn a_lasting_shortage_of_threads_is_one_log_line_however_many_peers_connect() {
        let (log, mut reader) = UnixStream::pair().unwrap();
        reader.set_nonblocking(true).unwrap();
        let log = Log::to_writer(Level::Error, Format::Text, Box::new(log));
        let config = Config {
            log,
            ..Config::default()
        };
        let handler = |_: &Conn, _: &Session<'_>| Ok(End::Ours);
        let shared = Shared::new(config, handler, Arc::default(), Stopper::new());
        let listener = net::listen(Network::Tcp, "127.0.0.1:0").unwrap();
        let crew = Crew::new(Arc::new(shared), listener);
        for _ in 0..3 {
            crew.complain(&io::Error::from_raw_os_error(11));
        }
        let mut told = [0; 4096];
        let length = reader.read(&mut told).unwrap();
        let told = String::from_utf8_lossy(&told[..length]);
        assert_eq!(told.matches("cannot start a thread").count(), 1, "{told}");
    }

    #[test]
    fn a_thread_that_leaves_because_enough_wait_is_never_counted() {
        let (waiting, over) = (AtomicUsize::new(1), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    assert!(!join(&waiting, 1));
                }
            });
            // The waiting thread got a connection: is it the last, so that it must start another?
            let looks = (0..2_000_000).map(|_| waiting.load(Ordering::SeqCst));
            let most = looks.max();
            over.store(true, Ordering::SeqCst);
            assert_eq!(most, Some(1));
        });
        assert!(join(&waiting, 2));
        assert!(!join(&waiting, 2));
    }
}
