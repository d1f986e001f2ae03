//! Active health checks: each backend of a pool is asked for a path, again and again.
//!
//! ```text
//!   round:  GET /health HTTP/1.1            2xx or 3xx, whole, in time ──> passed ─┐
//!           Host: 10.0.0.7:9000                                                    ├─> Pool::checked
//!           User-Agent: groundwire-health   anything else ───────────────> failed ─┘
//!           Connection: close
//!   then a pause, so that rounds begin every `health_interval`
//! ```
//!
//! One thread of the pool does this. In each round, one more thread helps for each other backend,
//! up to [`AT_ONCE`] threads together. So a backend that hangs does not delay the checks of the
//! others, and a name with a thousand addresses does not make a thousand threads. A round that
//! lasts longer than the interval is followed by the next one at once.
//!
//! Every check makes its own connection. A kept one would show only that the process still holds
//! it, not that it still accepts connections. A check passes with a whole response: a backend that
//! breaks off in the middle of one is not well, whatever its status line said.
//!
//! The same thread closes connections to backends that have been idle for too long, because a pool
//! of connections closes nothing while it is not used. So it runs for pools without active checks,
//! too.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::backend::{Backend, Member};
use super::config::PoolConfig;
use super::forward::local_address;
use super::pool::Pool;
use super::proxy_protocol::{self, Header, Version};
use crate::http::{ClientExchange, ExchangeError, Limits, Request};
use crate::net::{Conn, Deadline, Dialer, Error};
use crate::server::Stopper;
use crate::telemetry::Log;

/// Checks in progress at one time for one pool.
pub const AT_ONCE: usize = 16;
/// How much of a response's body is read at most, in bytes: a health page is shorter.
const LONGEST_BODY: usize = 64 * 1024;
/// The shortest pause, for a configuration made in code that says 0.
const SHORTEST: Duration = Duration::from_millis(10);
/// The stack of a helper thread, in bytes: its buffers are on the heap, except one of 4 KiB.
const STACK: usize = 128 * 1024;

/// Starts a pool's thread. It ends at the stop, after the checks in progress, each of which takes
/// at most `health_timeout`. Failed checks are logged at the debug level; the pool logs what
/// follows from them.
pub fn start(pool: Arc<Pool>, log: Log, stopper: Stopper) -> io::Result<thread::JoinHandle<()>> {
    let thread = thread::Builder::new().name("health checks".into());
    thread.spawn(move || run(&pool, &log, &stopper))
}

fn run(pool: &Pool, log: &Log, stopper: &Stopper) {
    let config = &pool.config;
    let mut prune = Due::every(config.keep_alive_time);
    let path = config.health_path.as_deref();
    let mut checks = path.map(|path| (path, Due::every(config.health_interval)));
    loop {
        if prune.is_now() {
            pool.prune();
        }
        let mut pause = prune.left();
        if let Some((path, due)) = &mut checks {
            if due.is_now() {
                round(pool, path, log, stopper);
            }
            pause = pause.min(due.left());
        }
        if stopper.wait_timeout(pause.max(SHORTEST)) {
            return;
        }
    }
}

/// An action that is due at once, and then at intervals.
struct Due {
    every: Duration,
    last: Option<Instant>,
}

impl Due {
    fn every(every: Duration) -> Self {
        Self { every, last: None }
    }

    fn left(&self) -> Duration {
        let left = |last: Instant| self.every.saturating_sub(last.elapsed());
        self.last.map_or(Duration::ZERO, left)
    }

    /// Whether it is due; if so, the next interval starts now.
    fn is_now(&mut self) -> bool {
        let is_now = self.left().is_zero();
        if is_now {
            self.last = Some(Instant::now());
        }
        is_now
    }
}

/// Checks all present backends of the pool.
fn round(pool: &Pool, path: &str, log: &Log, stopper: &Stopper) {
    let standings = pool.standings();
    let next = AtomicUsize::new(0);
    let work = || {
        while !stopper.is_stopped() {
            let turn = next.fetch_add(1, Ordering::Relaxed);
            let Some(standing) = standings.get(turn) else {
                return;
            };
            check(pool, &standing.backend, path, log);
        }
    };
    thread::scope(|scope| {
        for _ in 1..standings.len().min(AT_ONCE) {
            let thread = thread::Builder::new().name("health check".into());
            // If no thread can be started, this one does the work alone.
            let _ = thread.stack_size(STACK).spawn_scoped(scope, work);
        }
        work();
    });
}

fn check(pool: &Pool, backend: &Backend, path: &str, log: &Log) {
    let outcome = ask(&backend.member, path, &pool.config);
    if let Err(why) = &outcome {
        let fields: [(&str, &dyn fmt::Display); 3] = [
            ("pool", &pool.name()),
            ("backend", &backend.name()),
            ("cause", why),
        ];
        log.debug("load-balancer", "check failed", &fields);
    }
    // A shortage on this machine says nothing about the backend.
    if !matches!(&outcome, Err(Failed::Connect(error)) if error.is_shortage()) {
        let outcome = outcome.as_ref().map(drop);
        pool.checked(backend, outcome.map_err(|why| why as &dyn fmt::Display));
    }
}

/// Why a check failed.
#[derive(Debug)]
enum Failed {
    /// No connection.
    Connect(Error),
    /// No response, or a broken one.
    Exchange(ExchangeError),
    /// A response with this status.
    Status(u16),
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failed::Connect(error) => error.fmt(f),
            Failed::Exchange(error) => error.fmt(f),
            Failed::Status(status) => write!(f, "status {status}"),
        }
    }
}

impl From<ExchangeError> for Failed {
    fn from(error: ExchangeError) -> Self {
        Failed::Exchange(error)
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Failed::Exchange(error.into())
    }
}

/// One check; blocks for `health_timeout` at most.
fn ask(member: &Member, path: &str, config: &PoolConfig) -> Result<(), Failed> {
    let deadline = Deadline::after(config.health_timeout);
    let dialer = Dialer {
        timeout: Some(config.health_timeout),
        ..Dialer::default()
    };
    let conn = dialer.dial_to(member.network(), &member.destination);
    let mut conn = conn.map_err(Failed::Connect)?;
    conn.set_deadline(deadline);
    if let Some(version) = config.proxy_protocol {
        let mut header = Vec::new();
        proxy_protocol::write(version, introduction(version, &conn), &mut header);
        conn.write_all(&header)?;
    }
    let mut request = Request::new("GET", path, &member.host());
    request.fields.add("User-Agent", "groundwire-health");
    request.keep_alive = false;
    let mut exchange = ClientExchange::new(conn, Limits::default());
    exchange.send(&request)?;
    let response = exchange.receive_head("GET")?;
    if !matches!(response.status, 200..=399) {
        return Err(Failed::Status(response.status));
    }
    let (mut part, mut read) = ([0; 4096], 0);
    while read < LONGEST_BODY {
        match exchange.read(&mut part)? {
            0 => break,
            count => read += count,
        }
    }
    Ok(())
}

/// Who asks. Version 1 has no word for it but UNKNOWN, which some receivers refuse; a check should
/// give the addresses of its own connection instead (PROXY protocol §2.1).
fn introduction(version: Version, conn: &Conn) -> Header {
    match (version, local_address(conn), conn.peer_addr().ip()) {
        (Version::V1, Some(source), Some(destination)) => Header::Tcp {
            source,
            destination,
        },
        _ => Header::Local,
    }
}
