//! What all threads of a server share, and the life of one connection from `accept` to close.

use std::any::Any;
use std::error::Error;
use std::fmt::{self, Display};
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::config::Config;
use super::live::{Hearing, Limits, Refusal, Seat, Table};
use super::scheduling::Scheduler;
use super::stats::Stats;
use super::stop::Stopper;
use super::{End, Handler, Session};
use crate::net::{AcceptError, Addr, Conn, Deadline, Listener, plain_words};
use crate::sys::process;
use crate::telemetry::{Fields, Level};

/// How long, and for how many bytes, we go on reading from a connection that we end, so that its
/// peer gets our last bytes and not a reset.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: u64 = 1024 * 1024;

/// The first and the longest wait after an `accept` that failed for want of descriptors.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// The shortest time between two log lines about a shortage.
const COMPLAINT: Duration = Duration::from_secs(10);

pub(crate) struct Shared<H> {
    pub config: Config,
    pub handler: H,
    pub table: Arc<Table>,
    pub stats: Arc<Stats>,
    pub stopper: Stopper,
    scheduler: Scheduler,
    /// How many threads wait for a connection or hold one without a seat.
    at_door: Mutex<usize>,
    door_left: Condvar,
    /// When the last shortage of descriptors was logged.
    complained: Mutex<Option<Instant>>,
    /// When a refusal by a limit was last logged as a warning.
    refused: Mutex<Option<Instant>>,
    /// When a peer that went away was last logged as a warning.
    gone: Mutex<Option<Instant>>,
}

impl<H: Handler> Shared<H> {
    pub(crate) fn new(config: Config, handler: H, stats: Arc<Stats>, stopper: Stopper) -> Self {
        let limits = Limits {
            max_connections: config.max_connections,
            max_per_peer: config.max_per_peer,
            access: config.access.clone(),
        };
        let table = Table::new(limits, stats.clone());
        let scheduler = Scheduler::new(config.scheduling, stats.clone());
        Self {
            config,
            handler,
            table,
            stats,
            stopper,
            scheduler,
            at_door: Mutex::new(0),
            door_left: Condvar::new(),
            complained: Mutex::new(None),
            refused: Mutex::new(None),
            gone: Mutex::new(None),
        }
    }

    /// The next connection with its seat; `Ok(None)` when the listener was closed.
    ///
    /// Refused connections, connections lost before `accept`, and a shortage of descriptors are
    /// handled here.
    pub(crate) fn next(&self, listener: &Listener) -> io::Result<Option<(Conn, Seat)>> {
        *self.door() += 1;
        let next = self.accept(listener);
        let mut at_door = self.door();
        *at_door -= 1;
        if *at_door == 0 {
            self.door_left.notify_all();
        }
        next
    }

    fn door(&self) -> MutexGuard<'_, usize> {
        lock(&self.at_door)
    }

    /// Stops listening. On a shared port, another server takes over and no peer should notice:
    /// connections in the backlog get their seats here and are passed to `serve`.
    pub(crate) fn close(&self, listener: &Listener, mut serve: impl FnMut(Conn, Seat)) {
        if !listener.shares_port() {
            return listener.close();
        }
        for conn in listener.close_after_backlog() {
            match self.table.admit(&conn) {
                Ok(seat) => serve(conn, seat),
                Err(why) => self.refuse(&conn, why),
            }
        }
        // Connections that were accepted a moment ago must get their seats before the drain begins.
        let waited = self
            .door_left
            .wait_while(self.door(), |at_door| *at_door > 0);
        drop(waited);
    }

    fn accept(&self, listener: &Listener) -> io::Result<Option<(Conn, Seat)>> {
        let mut wait = BACK_OFF.0;
        loop {
            match listener.accept() {
                Ok(conn) => {
                    wait = BACK_OFF.0;
                    match self.table.admit(&conn) {
                        Ok(seat) => return Ok(Some((conn, seat))),
                        Err(why) => self.refuse(&conn, why),
                    }
                }
                Err(AcceptError::Closed) => {
                    // Whoever else closed it meant the stop: nobody could connect any more.
                    self.stopper.stop();
                    return Ok(None);
                }
                Err(AcceptError::Lost(error)) => {
                    self.stats.accept_errors.inc();
                    let cause = plain_words(&error);
                    self.config.log.debug(
                        &self.config.name,
                        "connection lost before accept",
                        &[("cause", &cause)],
                    );
                }
                Err(AcceptError::Exhausted(error)) => {
                    self.back_off(&error, wait);
                    wait = (wait * 2).min(BACK_OFF.1);
                }
                Err(AcceptError::Fatal(error)) => return Err(error),
            }
        }
    }

    /// Waits for descriptors to become free. The connection stays in the backlog, so `accept` would
    /// fail again at once, and a loop without a wait would spin (and print 400,000 lines in three
    /// seconds). One line is logged per [`COMPLAINT`], not one per try.
    fn back_off(&self, error: &io::Error, wait: Duration) {
        self.stats.accept_errors.inc();
        if is_due(&self.complained) {
            let cause = plain_words(error);
            self.config.log.error(
                &self.config.name,
                "cannot accept, waiting until descriptors or memory come free",
                &[("cause", &cause)],
            );
        }
        self.stopper.wait_timeout(wait);
    }

    /// A limit that is reached is worth a warning, one per [`COMPLAINT`]; a refusal by the access
    /// list is not.
    pub(crate) fn refuse(&self, conn: &Conn, why: Refusal) {
        self.stats.refused.inc();
        // This is usually an accepting thread: a panic must not end it, or the server would be
        // deaf.
        if let Err(panic) = caught(|| self.handler.refused(conn, why)) {
            self.panicked(conn, &panic);
        }
        let by_limit = !matches!(why, Refusal::Access(_) | Refusal::Stopping);
        let level = if by_limit && is_due(&self.refused) {
            Level::Warn
        } else {
            Level::Info
        };
        self.config.log.write(
            level,
            &self.config.name,
            "connection refused",
            &[("peer", conn.peer_addr()), ("why", &why)],
        );
    }

    /// Serves one connection to its end. Whatever the handler does, only this connection ends.
    pub(crate) fn serve(&self, conn: Conn, seat: Seat) {
        self.name_thread(&conn);
        self.scheduler.adjust(&conn);
        self.tell_life("connection opened", &conn, &seat);
        let session = Session {
            id: seat.id(),
            seat: Some(&seat),
            stopper: &self.stopper,
            scheduler: &self.scheduler,
            conn: &conn,
        };
        let begun = Instant::now();
        let result = caught(|| self.handler.serve(&conn, &session));
        let lasted = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.stats.lifetime.record(lasted);
        match result {
            Ok(Ok(end)) => self.ended_well(conn, &seat, end),
            Ok(Err(error)) => self.failed(conn, &seat, &error),
            Err(panic) => {
                self.stats.failed.inc();
                self.panicked(&conn, &panic);
            }
        }
    }

    fn ended_well(&self, conn: Conn, seat: &Seat, end: End) {
        if let End::Refused(why) = end {
            self.refuse(&conn, why);
        } else {
            self.stats.served.inc();
            self.tell_life("connection closed", &conn, seat);
        }
        // The drain shuts all connections for reading, so every peer seems to its handler to have
        // closed, although it may still be sending.
        let hearing = seat.leave();
        if end != End::Peer || hearing == Hearing::Ended {
            self.linger(conn, hearing);
        }
    }

    fn failed(&self, conn: Conn, seat: &Seat, error: &io::Error) {
        self.stats.failed.inc();
        // First, because whoever reads the line may stop the server at once. A stop before would
        // wait the whole drain for a peer that reads nothing.
        let hearing = seat.leave();
        self.tell_failure(conn.peer_addr(), error);
        if !is_gone(error) {
            self.linger(conn, hearing);
        }
    }

    fn tell_life(&self, message: &str, conn: &Conn, seat: &Seat) {
        let Config { log, name, .. } = &self.config;
        let fields: Fields<'_> = &[("peer", conn.peer_addr()), ("id", &seat.id())];
        log.debug(name, message, fields);
    }

    /// Peers that reset their connections, as port scans and health checks do, cause one warning
    /// per [`COMPLAINT`].
    fn tell_failure(&self, peer: &Addr, error: &io::Error) {
        let level = if is_gone(error) && !is_due(&self.gone) {
            Level::Info
        } else {
            Level::Warn
        };
        let (stage, cause) = (stage_of(error), plain_words(error));
        let mut fields: Vec<(&str, &dyn Display)> = vec![("peer", peer)];
        if let Some(stage) = &stage {
            fields.push(("stage", stage));
        }
        fields.push(("cause", &cause));
        let Config { log, name, .. } = &self.config;
        log.write(level, name, "connection failed", &fields);
    }

    /// Closes with care for our last bytes.
    ///
    /// A socket that is shut for reading answers whatever the peer still sends with a reset as soon
    /// as our FIN is sent, and a reset throws our unsent bytes away. Reading on is not possible
    /// then. Instead, our FIN waits until the peer's kernel has acknowledged everything.
    fn linger(&self, conn: Conn, hearing: Hearing) {
        if hearing == Hearing::Ended {
            conn.wait_acknowledged(Deadline::after(self.config.drain));
        }
        conn.close(Deadline::after(LINGER), LINGER_BYTES);
    }

    fn panicked(&self, conn: &Conn, panic: &str) {
        self.stats.panicked.inc();
        self.config.log.error(
            &self.config.name,
            "handler panicked",
            &[("peer", conn.peer_addr()), ("cause", &panic)],
        );
    }

    /// Names the thread after its peer, for `ps -T` and `top -H`.
    fn name_thread(&self, conn: &Conn) {
        if let Some(peer) = conn.peer_addr().ip() {
            process::name_thread(&peer.to_string());
        }
    }
}

/// Says that it was a thread that could not be started.
pub(crate) fn no_thread(error: io::Error) -> io::Error {
    let why = format!("starting a thread: {}", plain_words(&error));
    io::Error::new(error.kind(), why)
}

/// Runs a server whose thread reports how it ended. A panic is reported, too: otherwise the program
/// would end as if it had been told to.
pub(crate) fn ended<T>(serve: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    caught(serve).unwrap_or_else(|panic| {
        let why = format!("a serving thread panicked: {panic}");
        Err(io::Error::other(why))
    })
}

/// Takes a lock, also one that the panic of another thread has poisoned: nothing that may panic here
/// leaves what it guards half changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether [`COMPLAINT`] has passed since this last returned `true`.
pub(crate) fn is_due(last: &Mutex<Option<Instant>>) -> bool {
    let mut last = lock(last);
    let due = last.is_none_or(|last| last.elapsed() >= COMPLAINT);
    if due {
        *last = Some(Instant::now());
    }
    due
}

/// Whether the peer has gone, so that no byte of ours can reach it.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
    matches!(
        error.kind(),
        BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected
    )
}

/// Adds to an error the stage of the connection in which it occurred, for the log line: `timed out`
/// alone does not say what was too slow. For `map_err`, as the last of them: the error's number
/// ([`raw_os_error`](io::Error::raw_os_error)) is lost.
pub fn at_stage(stage: &'static str) -> impl FnOnce(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), Staged { stage, error })
}

#[derive(Debug)]
struct Staged {
    stage: &'static str,
    error: io::Error,
}

impl Display for Staged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for Staged {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

fn stage_of(error: &io::Error) -> Option<&'static str> {
    let staged = error.get_ref()?.downcast_ref::<Staged>()?;
    Some(staged.stage)
}

/// Runs foreign code whose panic must not end this thread; `Err` is the panic's message.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic_text(&*panic);
        // Dropping a panic's payload may panic itself; then the second payload is leaked.
        if let Err(again) = panic::catch_unwind(AssertUnwindSafe(|| drop(panic))) {
            std::mem::forget(again);
        }
        text
    })
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| text.to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serving_thread_that_panics_has_not_ended_well() {
        assert_eq!(ended(|| Ok(7)).unwrap(), 7);
        let failed = ended(|| -> io::Result<()> { panic!("no random data") }).unwrap_err();
        assert_eq!(
            failed.to_string(),
            "a serving thread panicked: no random data"
        );
    }
}
