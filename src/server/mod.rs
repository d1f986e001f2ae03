//! Serving connections: one accept loop for every kind of stream, threads, limits, and an orderly
//! shutdown.
//!
//! A [`Server`] is a [`Config`], a [`Handler`] and counters. The handler knows the protocol and
//! nothing of threads, limits or shutdown; the server knows nothing of the protocol. The life of a
//! connection:
//!
//! ```text
//!  accept ──> admit ──────────────> serve ─────────────────────> end
//!             access list,          the handler, on a thread     counted; logged with peer and
//!             total and per-peer    of its own; a panic is       cause; our last bytes protected
//!             limit, or refused     caught                       from a reset (lingering close)
//! ```
//!
//! The end of a server begins with [`Stopper::stop`] and has the four steps below. Without
//! preparation, SIGTERM ends a process on the spot. A program that wants the four steps on a signal
//! begins with [`Signals::block`] and then connects the signals to the stopper ([`Signals::stop`]),
//! as `docs/hello.rs` does.
//!
//! 1. The listener closes, which wakes the threads that wait in `accept`. Connections in its
//!    backlog are reset. But on a shared port ([`ListenConfig::reuse_port`]), where another server
//!    takes over, they are served like the live connections.
//! 2. The drain begins: each live connection is shut for reading. Its handler gets what had
//!    arrived, then the end of the stream, finishes its work and closes. Idle connections end at
//!    once. A handler that must read on to finish its work gets a notice instead
//!    ([`Session::at_stop`]).
//! 3. After the drain time ([`Config::drain`]), connections that are left are cut: shut down both
//!    ways, and counted as cut.
//! 4. [`Server::run`] returns the totals.
//!
//! Reading order: [`config`](Config) (the numbers), [`shared`](self) (a connection's life), the
//! ways to spread connections over threads (`threads`, `pool`), the table of live connections
//! (`live`), who may connect (`access`), which addresses count as one peer (`neighbour`) and how
//! many connections a peer may have (`per_peer`), how the server stops (`stop`), what it counts
//! (`stats`), `scheduling`. Apart from these: `datagrams`, the loop for sockets without
//! connections; `metrics_page`; and `accounts`, with which the rooms above limit the rate of
//! requests.
//!
//! [`ListenConfig::reuse_port`]: crate::net::ListenConfig::reuse_port

mod access;
mod accounts;
mod config;
mod datagrams;
pub mod flags;
mod live;
mod metrics_page;
mod neighbour;
mod per_peer;
mod pool;
pub mod program;
mod scheduling;
mod shared;
mod stats;
mod stop;
mod threads;

use std::io;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

pub use access::{AccessList, Unwelcome};
pub(crate) use accounts::{Accounts, ONE, mix};
pub use config::{Config, Mode, STACK_SIZE};
pub use datagrams::{DatagramConfig, DatagramHandler, DatagramServer, DatagramStats};
pub use live::Refusal;
pub use metrics_page::MetricsPage;
pub(crate) use neighbour::neighbour;
pub(crate) use per_peer::PerPeer;
pub use scheduling::{MANY_PEERS, Scheduling};
pub use shared::at_stage;
pub(crate) use shared::{caught, ended, is_due, is_gone, lock, no_thread};
pub use stats::{Stats, Totals};
pub use stop::{Signals, Stopper};

use crate::net::{Conn, Deadline, Listener};
use crate::telemetry::Registry;
use live::Seat;
use scheduling::Scheduler;
use shared::Shared;
use threads::Crew;

/// After the cut: how long the handlers may take to notice before the server returns without them.
const AFTER_CUT: Duration = Duration::from_secs(1);

/// What a connection's handler sees of the server.
pub struct Session<'a> {
    id: u64,
    /// `None` for a connection of [`Server::serve_conn`].
    seat: Option<&'a Seat>,
    stopper: &'a Stopper,
    scheduler: &'a Scheduler,
    conn: &'a Conn,
}

impl Session<'_> {
    /// The connection's number, counted from 0, as in the log lines.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Call it between two requests of a connection, so that the scheduling of this thread
    /// ([`Scheduling::Auto`]) and its way of waiting follow the load; nearly free.
    pub fn between_requests(&self) {
        self.scheduler.adjust(self.conn);
    }

    /// Whether the server has been asked to stop: finish what was begun, begin nothing new.
    pub fn is_stopping(&self) -> bool {
        self.stopper.is_stopped()
    }

    /// Makes the drain call `notice` instead of shutting this connection for reading: for a handler
    /// that must read from its peer to finish what was begun. The handler must then wake a blocked
    /// reader itself, with [`Conn::shutdown`], as soon as nothing is left to finish. At the drain
    /// deadline the connection is cut like any other.
    ///
    /// The notice runs on the thread that drains, so it must not block. If the drain has already
    /// begun, the notice runs at once, and the connection is shut for reading all the same. It
    /// never runs for a connection of [`Server::serve_conn`].
    pub fn at_stop(&self, notice: impl Fn() + Send + Sync + 'static) {
        if let Some(seat) = self.seat {
            seat.at_stop(Arc::new(notice));
        }
    }

    /// Asks the whole server to stop gracefully.
    pub fn stop_server(&self) {
        self.stopper.stop();
    }
}

/// Who ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The peer did: the handler has read the end of the stream, so nothing is unread.
    Peer,
    /// We did. The peer may still be sending, so the server closes with care for our last bytes.
    Ours,
    /// We did, before anything was served, for a reason that the handler found by reading. Reported
    /// to the peer, counted and logged like a refusal without a seat ([`Handler::refused`]).
    Refused(Refusal),
}

/// A protocol's server side.
pub trait Handler: Send + Sync {
    /// Serves one connection until it ends. Reads and writes block; deadlines are the handler's
    /// to set. An error is logged and ends this connection only, as does a panic.
    fn serve(&self, conn: &Conn, session: &Session<'_>) -> io::Result<End>;

    /// Called for a connection that will not be served, for protocols that have a message for
    /// "busy". Must not block, because it runs on an accepting thread; a panic is caught and
    /// counted. The connection is closed right after. Default: nothing.
    fn refused(&self, conn: &Conn, why: Refusal) {
        let _ = (conn, why);
    }
}

/// One handler for several servers: for each of several listeners, say.
impl<H: Handler + ?Sized> Handler for Arc<H> {
    fn serve(&self, conn: &Conn, session: &Session<'_>) -> io::Result<End> {
        (**self).serve(conn, session)
    }

    fn refused(&self, conn: &Conn, why: Refusal) {
        (**self).refused(conn, why);
    }
}

impl<F> Handler for F
where
    F: Fn(&Conn, &Session<'_>) -> io::Result<End> + Send + Sync,
{
    fn serve(&self, conn: &Conn, session: &Session<'_>) -> io::Result<End> {
        self(conn, session)
    }
}

/// A server that has not started yet.
///
/// ```
/// use std::io::{Read, Write};
/// use groundwire::net::{self, Network};
/// use groundwire::server::{Config, End, Server, Session};
///
/// let listener = net::listen(Network::Tcp, "127.0.0.1:0")?;
/// let address = listener.local_addr().to_string();
/// let server = Server::new(Config::default(), |mut conn: &net::Conn, _: &Session<'_>| {
///     conn.write_all(b"hello")?;
///     Ok(End::Ours)
/// });
/// let running = server.start(listener)?;
///
/// let mut greeting = String::new();
/// net::dial(Network::Tcp, &address)?.read_to_string(&mut greeting)?;
/// assert_eq!(greeting, "hello");
/// assert_eq!(running.stop()?.served, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Server<H> {
    config: Config,
    handler: H,
    stats: Arc<Stats>,
    stopper: Stopper,
}

impl<H: Handler + 'static> Server<H> {
    /// A server with a configuration and a handler.
    pub fn new(config: Config, handler: H) -> Self {
        Self {
            config,
            handler,
            stats: Arc::default(),
            stopper: Stopper::new(),
        }
    }

    /// The same, but `stopper` stops it: for a handler that was made with this stopper.
    pub fn stopped_by(self, stopper: Stopper) -> Self {
        Self { stopper, ..self }
    }

    /// The same, but it counts into `stats`: several servers of one program share one set of
    /// numbers.
    pub fn counting_into(self, stats: Arc<Stats>) -> Self {
        Self { stats, ..self }
    }

    /// The handle that stops it.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Its counters.
    pub fn stats(&self) -> Arc<Stats> {
        self.stats.clone()
    }

    /// Puts its counters into a registry, under the prefix `groundwire_connections`.
    pub fn register(&self, registry: &Registry) {
        self.stats.register(registry);
    }

    /// Serves on this thread until it is stopped and drained; returns the totals. Closing the
    /// listener ([`Listener::close`]) stops it, too. Fails when no thread can be started or the
    /// listener breaks.
    pub fn run(self, listener: Listener) -> io::Result<Totals> {
        let stats = self.stats;
        let shared = Shared::new(self.config, self.handler, stats.clone(), self.stopper);
        let shared = Arc::new(shared);
        let until_stopped = |serve: &dyn Fn(Conn, Seat)| {
            shared.stopper.wait();
            shared.close(&listener, serve);
            drain(&shared);
        };
        match shared.config.mode {
            Mode::Serial => run_serial(&shared, &listener, until_stopped)?,
            Mode::Threads => {
                let crew = Crew::start(shared.clone(), listener.clone())?;
                crew.attend();
                until_stopped(&|conn, seat| crew.serve(conn, seat));
                crew.failure().map_or(Ok(()), Err)?;
            }
            Mode::Pool { workers, queue } => {
                pool::run(&shared, &listener, workers, queue, until_stopped)?;
            }
        }
        Ok(stats.totals())
    }

    /// Serves one connection on this thread, without a listener: for tests, and for a peer that was
    /// connected some other way. The stopper does not end it. Returns when the handler does.
    pub fn serve_conn(&self, conn: Conn) -> io::Result<()> {
        let session = Session {
            id: 0,
            seat: None,
            stopper: &self.stopper,
            scheduler: &Scheduler::new(self.config.scheduling, self.stats.clone()),
            conn: &conn,
        };
        self.handler.serve(&conn, &session).map(drop)
    }

    /// Serves on a thread of its own: for tests, and for programs with several servers.
    pub fn start(self, listener: Listener) -> io::Result<Running> {
        let (stopper, stats) = (self.stopper(), self.stats());
        let name = self.config.name.clone();
        let thread = thread::Builder::new()
            .name(name)
            .spawn(move || self.run(listener))
            .map_err(no_thread)?;
        Ok(Running {
            stopper,
            stats,
            thread,
        })
    }
}

/// A server that runs on its own thread. Dropping this does not stop it: it serves until something
/// else stops it, or the process ends.
pub struct Running {
    stopper: Stopper,
    stats: Arc<Stats>,
    thread: thread::JoinHandle<io::Result<Totals>>,
}

impl Running {
    /// The totals so far.
    pub fn totals(&self) -> Totals {
        self.stats.totals()
    }

    /// The handle that stops it.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Stops it, waits until it has drained, and returns the totals.
    pub fn stop(self) -> io::Result<Totals> {
        self.stopper.stop();
        self.wait()
    }

    /// Waits until something else stops it.
    pub fn wait(self) -> io::Result<Totals> {
        self.thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the server's thread panicked")))
    }
}

/// Serves one connection after the other, on one thread.
fn run_serial<H: Handler + 'static>(
    shared: &Arc<Shared<H>>,
    listener: &Listener,
    until_stopped: impl FnOnce(&dyn Fn(Conn, Seat)),
) -> io::Result<()> {
    let (tell, told) = mpsc::channel();
    let (worker, incoming) = (shared.clone(), listener.clone());
    let thread = thread::Builder::new()
        .name("serial".into())
        .stack_size(shared.config.stack_size)
        .spawn(move || {
            let result = loop {
                match worker.next(&incoming) {
                    Ok(Some((conn, seat))) => worker.serve(conn, seat),
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            worker.stopper.stop();
            for (conn, seat) in told {
                worker.serve(conn, seat);
            }
            result
        })
        .map_err(no_thread)?;
    until_stopped(&move |conn, seat| drop(tell.send((conn, seat))));
    if thread.is_finished() || shared.stats.totals().active == 0 {
        return thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the serving thread panicked")));
    }
    Ok(()) // its handler has outlasted even the cut: return without it
}

/// Steps 2 and 3 of the end: shut for reading or notify, wait, cut.
fn drain<H: Handler>(shared: &Shared<H>) {
    let (config, live) = (&shared.config, shared.stats.active.get());
    if live > 0 {
        config
            .log
            .info(&config.name, "draining", &[("live", &live)]);
    }
    shared.table.drain();
    if shared
        .table
        .wait_empty(Deadline::after(shared.config.drain))
    {
        return;
    }
    let cut = shared.table.cut();
    shared.stats.cut.add(cut as u64);
    config
        .log
        .warn(&config.name, "drain time is over", &[("cut", &cut)]);
    shared.table.wait_empty(Deadline::after(AFTER_CUT));
}
