//! `ConnPool`: the idle connections to one address, kept for the next request.
//!
//! A new connection costs a round trip and work at both ends; a kept one costs a check. The risk is
//! that the peer has closed it meanwhile, so [`ConnPool::get`] can check first ([`Liveness`]). The
//! end of the stream, or unrequested bytes, disqualify a connection (a late reply would be taken
//! for the answer to the next request). A peer may still close between the check and the write: a
//! caller whose request may be repeated tries once more on a fresh connection ([`Pooled::is_fresh`]
//! tells which kind it had).
//!
//! A connection returns to the pool only by [`Pooled::keep`]: dropping it, as an error path does,
//! closes it, because what comes next on a half-read connection is unknown.
//!
//! The connection that was used last is given out first. So after a burst of requests, the surplus
//! connections rest at the other end of the queue until they are too old. Taking a kept connection
//! and giving it back allocates nothing.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Conn, Deadline, Dialer, Error, Network};

/// What a pool keeps, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolConfig {
    /// How many idle connections are kept; one more displaces the one that has been idle longest.
    /// Default 256.
    pub max_idle: usize,
    /// How long an unused connection is kept. Default 60 s. Checked when a connection is taken or
    /// given back, and by [`ConnPool::prune`]: an unused pool closes nothing by itself.
    pub idle_time: Duration,
    /// How old a connection may become, so that a change behind the peer's address is noticed.
    /// Checked when [`idle_time`](Self::idle_time) is. Default 10 minutes.
    pub max_age: Duration,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            max_idle: 256,
            idle_time: Duration::from_secs(60),
            max_age: Duration::from_secs(600),
        }
    }
}

/// Where a pool connects to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// An IP address and port.
    Ip(SocketAddr),
    /// `host:port`, looked up for each new connection, or a Unix socket's path.
    Text(OsString),
}

impl Dialer {
    /// Connects to a destination. Otherwise as [`Dialer::dial`].
    pub fn dial_to(&self, network: Network, destination: &Destination) -> Result<Conn, Error> {
        match destination {
            Destination::Ip(peer) => self.dial_ip(network, *peer),
            Destination::Text(address) => self.dial(network, address),
        }
    }
}

/// Whether to check a kept connection before it is used again, which costs a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// Always: for a request that must not be sent twice.
    Check,
    /// Only when it has been idle for longer than this. A connection that was in use a moment ago
    /// is nearly always alive, and a request that may be repeated can take the risk.
    CheckAfter(Duration),
}

/// What has happened in a pool so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// Connections made.
    pub dialled: u64,
    /// Connections used again.
    pub reused: u64,
    /// Idle or returned connections that were thrown away: closed by the peer, with unrequested
    /// bytes, too old, too many, or cleared.
    pub discarded: u64,
    /// Idle connections now.
    pub idle: usize,
}

/// The idle connections to one address. A handle: clones share it.
///
/// A request that may be made twice is tried once more on a fresh connection, because the peer may
/// close a kept one at any time, as a restarted server has:
///
/// ```
/// use std::io::{self, BufRead, BufReader, Write};
/// use std::time::Duration;
/// use groundwire::net::{self, Conn, ConnPool, Deadline, Dialer, Liveness, Network, PoolConfig};
///
/// fn ask(pool: &ConnPool, line: &str) -> Result<String, Box<dyn std::error::Error>> {
///     let mut conn = pool.get(Liveness::CheckAfter(Duration::from_secs(1)))?;
///     loop {
///         conn.set_deadline(Deadline::after(Duration::from_secs(5)));
///         match exchange(&conn, line) {
///             Ok(reply) => {
///                 conn.keep();
///                 return Ok(reply);
///             }
///             Err(error) if conn.is_fresh() || Deadline::is_cause_of(&error) => {
///                 return Err(error.into());
///             }
///             Err(_) => conn = pool.get_fresh()?,
///         }
///     }
/// }
///
/// fn exchange(mut conn: &Conn, line: &str) -> io::Result<String> {
///     conn.write_all(line.as_bytes())?;
///     let mut reply = String::new();
///     match BufReader::new(conn).read_line(&mut reply)? {
///         0 => Err(io::ErrorKind::UnexpectedEof.into()),
///         _ => Ok(reply),
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = net::listen(Network::Tcp, "127.0.0.1:0")?;
/// let address = listener.local_addr().to_string();
/// let echo = std::thread::spawn(move || {
///     let conn = listener.accept().ok()?;
///     io::copy(&mut &conn, &mut &conn).ok()
/// });
/// let pool = ConnPool::new(Dialer::default(), Network::Tcp, &*address, PoolConfig::default());
/// for line in ["one\n", "two\n"] {
///     assert_eq!(ask(&pool, line)?, line);
/// }
/// assert_eq!((pool.stats().dialled, pool.stats().reused), (1, 1));
/// # drop(pool);
/// # echo.join().map_err(|_| "a panic")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ConnPool {
    inner: Arc<Inner>,
}

struct Inner {
    dialer: Dialer,
    network: Network,
    destination: Destination,
    config: PoolConfig,
    state: Mutex<State>,
    dialled: AtomicU64,
    reused: AtomicU64,
    discarded: AtomicU64,
}

#[derive(Default)]
struct State {
    /// The connection that has been idle longest comes first.
    idle: VecDeque<Idle>,
    /// How often the pool was cleared: a connection lent before that is not taken back.
    cleared: u64,
}

struct Idle {
    conn: Conn,
    made: Instant,
    since: Instant,
    /// The peer may send more than it should: check the connection whatever the caller asks for.
    doubtful: bool,
}

/// A connection on loan. Dropping it closes it, as an error path should: what comes next on a
/// half-read connection is unknown. It returns to the pool by [`keep`](Self::keep) only.
pub struct Pooled {
    conn: Conn,
    made: Instant,
    fresh: bool,
    cleared: u64,
    pool: ConnPool,
}

impl ConnPool {
    /// An empty pool that dials `destination` with `dialer`. Nothing is checked yet: a wrong
    /// address fails when it is dialled.
    pub fn new(
        dialer: Dialer,
        network: Network,
        destination: impl Into<Destination>,
        config: PoolConfig,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                dialer,
                network,
                destination: destination.into(),
                config,
                state: Mutex::default(),
                dialled: AtomicU64::new(0),
                reused: AtomicU64::new(0),
                discarded: AtomicU64::new(0),
            }),
        }
    }

    /// The idle connection that was used last, or else a new one. Blocks only to make one, at most
    /// [`Dialer::timeout`].
    pub fn get(&self, liveness: Liveness) -> Result<Pooled, Error> {
        let now = Instant::now();
        while let Some((idle, cleared)) = self.take() {
            // Checked, and closed, outside the lock: both are system calls.
            if self.is_usable(&idle, liveness, now) {
                self.inner.reused.fetch_add(1, Ordering::Relaxed);
                return Ok(Pooled {
                    conn: idle.conn,
                    made: idle.made,
                    fresh: false,
                    cleared,
                    pool: self.clone(),
                });
            }
            self.count_discarded(1);
        }
        self.get_fresh()
    }

    /// A new connection, even when some are idle: for the one retry after a stale connection
    /// failed. Blocks at most [`Dialer::timeout`].
    pub fn get_fresh(&self) -> Result<Pooled, Error> {
        let inner = &*self.inner;
        // Read before dialling: if the pool is cleared meanwhile, it must not take this connection
        // back.
        let cleared = self.lock().cleared;
        let conn = inner.dialer.dial_to(inner.network, &inner.destination)?;
        inner.dialled.fetch_add(1, Ordering::Relaxed);
        Ok(Pooled {
            conn,
            made: Instant::now(),
            fresh: true,
            cleared,
            pool: self.clone(),
        })
    }

    /// What has happened so far.
    pub fn stats(&self) -> PoolStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        PoolStats {
            dialled: read(&self.inner.dialled),
            reused: read(&self.inner.reused),
            discarded: read(&self.inner.discarded),
            idle: self.lock().idle.len(),
        }
    }

    /// Closes all idle connections, and those on loan when they are given back: for a peer that has
    /// failed or is no longer to be used.
    pub fn clear(&self) {
        let idle = {
            let mut state = self.lock();
            state.cleared += 1;
            std::mem::take(&mut state.idle)
        };
        self.count_discarded(idle.len());
        drop(idle); // the sockets close outside the lock
    }

    /// Closes the idle connections that are older than the configuration allows. A caller that may
    /// leave the pool unused for long calls it from time to time.
    pub fn prune(&self) {
        let (now, mut closing) = (Instant::now(), Vec::new());
        self.lock().idle.retain(|idle| {
            let expired = self.is_expired(idle, now);
            if expired {
                closing.push(idle.conn.clone());
            }
            !expired
        });
        self.count_discarded(closing.len());
        drop(closing); // the sockets close outside the lock
    }

    fn take(&self) -> Option<(Idle, u64)> {
        let mut state = self.lock();
        let idle = state.idle.pop_back()?;
        Some((idle, state.cleared))
    }

    /// Takes a connection back, and closes those at the other end of the queue that are too old or
    /// too many.
    fn put(&self, idle: Idle, cleared: u64) {
        idle.conn.set_deadline(Deadline::NEVER); // or this loan's would end the next
        let since = idle.since;
        let mut closing = Vec::new();
        let mut state = self.lock();
        if cleared == state.cleared && !self.is_expired(&idle, since) {
            state.idle.push_back(idle);
        } else {
            closing.push(idle);
        }
        while state.idle.len() > self.inner.config.max_idle
            || state
                .idle
                .front()
                .is_some_and(|idle| self.is_expired(idle, since))
        {
            closing.extend(state.idle.pop_front());
        }
        drop(state);
        self.count_discarded(closing.len());
        drop(closing); // the sockets close outside the lock
    }

    fn is_usable(&self, idle: &Idle, liveness: Liveness, now: Instant) -> bool {
        let looks = match liveness {
            _ if idle.doubtful => true,
            Liveness::Check => true,
            Liveness::CheckAfter(rest) => now.saturating_duration_since(idle.since) > rest,
        };
        !self.is_expired(idle, now) && (!looks || idle.conn.is_quiet())
    }

    fn is_expired(&self, idle: &Idle, now: Instant) -> bool {
        let config = &self.inner.config;
        now.saturating_duration_since(idle.since) >= config.idle_time
            || now.saturating_duration_since(idle.made) >= config.max_age
    }

    fn count_discarded(&self, count: usize) {
        if count > 0 {
            let count = count as u64;
            self.inner.discarded.fetch_add(count, Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No foreign code runs under the lock, so a poisoned state is still whole.
        let state = self.inner.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pooled {
    /// Gives the connection back, for a caller that has read its reply to the end. Its deadlines
    /// are removed.
    pub fn keep(self) {
        self.give_back(false);
    }

    /// The same, when the peer may be about to send more than it should: the connection is checked
    /// before it is used again, whatever [`Liveness`] is asked for then.
    pub fn keep_doubtful(self) {
        self.give_back(true);
    }

    fn give_back(self, doubtful: bool) {
        let idle = Idle {
            conn: self.conn,
            made: self.made,
            since: Instant::now(),
            doubtful,
        };
        self.pool.put(idle, self.cleared);
    }

    /// Whether it was made for this loan, so that a failure cannot mean a stale connection.
    pub fn is_fresh(&self) -> bool {
        self.fresh
    }
}

impl Deref for Pooled {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        &self.conn
    }
}

impl From<SocketAddr> for Destination {
    fn from(address: SocketAddr) -> Self {
        Destination::Ip(address)
    }
}

impl From<&str> for Destination {
    fn from(address: &str) -> Self {
        Destination::Text(address.into())
    }
}
