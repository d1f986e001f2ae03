//! `ConnPool`: idle connections, kept by address for the next request.
//!
//! A new connection costs a round trip and two threads' attention; a kept one costs a look. The
//! risk is that the peer has closed it meanwhile, so [`ConnPool::get`] looks first: the end of the
//! stream, or bytes that nobody asked for, disqualify it (a reply that came late would be taken
//! for the answer to the next question). A peer may still close between the look and the write:
//! a caller whose request may be repeated tries once more on a fresh connection
//! ([`Pooled::is_fresh`] tells which kind it had).
//!
//! A connection returns to the pool only by [`Pooled::keep`]: dropping it, as an error path does,
//! closes it, because nobody knows what a half-read connection will say next.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Conn, Deadline, Dialer, Error, Network};

/// What a pool keeps, and for how long.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    /// Idle connections kept for one address. Default 16.
    pub max_idle_per_address: usize,
    /// Idle connections kept in all; the longest idle one makes room. Default 256.
    pub max_idle: usize,
    /// How long an unused connection is kept. Default 60 s. Looked at when a connection is taken
    /// or given back, and by [`ConnPool::prune`]: a pool at rest closes nothing by itself.
    pub idle_time: Duration,
    /// How old a connection may become, so that a change of the peer's address is noticed.
    /// Looked at likewise. Default 10 minutes.
    pub max_age: Duration,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            max_idle_per_address: 16,
            max_idle: 256,
            idle_time: Duration::from_secs(60),
            max_age: Duration::from_secs(600),
        }
    }
}

/// What has happened in a pool so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// Connections made.
    pub dialled: u64,
    /// Connections used again.
    pub reused: u64,
    /// Idle connections thrown away: closed by the peer, talkative, too old, too many.
    pub discarded: u64,
    /// Idle connections now.
    pub idle: usize,
}

type Key = (Network, String);

/// A pool of idle connections. A handle: clones share it.
#[derive(Clone)]
pub struct ConnPool {
    inner: Arc<Inner>,
}

struct Inner {
    dialer: Dialer,
    config: PoolConfig,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    idle: HashMap<Key, Vec<Idle>>,
    stats: PoolStats,
}

struct Idle {
    conn: Conn,
    made: Instant,
    since: Instant,
}

/// A connection on loan.
pub struct Pooled {
    conn: Conn,
    key: Key,
    made: Instant,
    fresh: bool,
    pool: ConnPool,
}

impl ConnPool {
    /// An empty pool that dials with `dialer`.
    pub fn new(dialer: Dialer, config: PoolConfig) -> Self {
        Self {
            inner: Arc::new(Inner {
                dialer,
                config,
                state: Mutex::default(),
            }),
        }
    }

    /// The idle connection to this address that was used last, or else a new one.
    pub fn get(&self, network: Network, address: &str) -> Result<Pooled, Error> {
        let key = (network, address.to_string());
        while let Some(idle) = self.take(&key) {
            // Looked at outside the lock: it is a system call.
            if idle.conn.is_quiet() {
                self.lock().stats.reused += 1;
                let Idle { conn, made, .. } = idle;
                return Ok(Pooled {
                    conn,
                    key,
                    made,
                    fresh: false,
                    pool: self.clone(),
                });
            }
            self.lock().stats.discarded += 1;
        }
        self.dial(key)
    }

    /// A new connection whatever is idle: for the one repetition after a stale one failed.
    pub fn get_fresh(&self, network: Network, address: &str) -> Result<Pooled, Error> {
        self.dial((network, address.to_string()))
    }

    /// What has happened so far.
    pub fn stats(&self) -> PoolStats {
        let state = self.lock();
        PoolStats {
            idle: state.idle.values().map(Vec::len).sum(),
            ..state.stats
        }
    }

    /// Closes all idle connections.
    pub fn clear(&self) {
        let idle = std::mem::take(&mut self.lock().idle);
        drop(idle); // the sockets close outside the lock
    }

    /// Closes the idle connections that are older than the configuration allows: for a caller that
    /// may let the pool rest for long, from time to time.
    pub fn prune(&self) {
        let expired = self.lock().expire(Instant::now(), &self.inner.config);
        drop(expired); // the sockets close outside the lock
    }

    fn dial(&self, key: Key) -> Result<Pooled, Error> {
        let conn = self.inner.dialer.dial(key.0, &key.1)?;
        self.lock().stats.dialled += 1;
        Ok(Pooled {
            conn,
            key,
            made: Instant::now(),
            fresh: true,
            pool: self.clone(),
        })
    }

    fn take(&self, key: &Key) -> Option<Idle> {
        let now = Instant::now();
        let mut state = self.lock();
        let config = &self.inner.config;
        let expired = state.expire(now, config);
        let taken = state.idle.get_mut(key).and_then(Vec::pop);
        drop(state);
        drop(expired);
        taken
    }

    fn put(&self, key: Key, conn: Conn, made: Instant) {
        conn.set_deadline(Deadline::NEVER); // the last loan's would end the next one
        let now = Instant::now();
        let mut state = self.lock();
        let mut closing = state.expire(now, &self.inner.config);
        state.idle.entry(key.clone()).or_default().push(Idle {
            conn,
            made,
            since: now,
        });
        closing.extend(state.trim(&key, &self.inner.config));
        drop(state);
        drop(closing);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code of others runs under the lock, so a poisoned state is still whole.
        self.inner
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes out what has become too old; the caller closes it outside the lock.
    fn expire(&mut self, now: Instant, config: &PoolConfig) -> Vec<Idle> {
        let mut expired = Vec::new();
        for list in self.idle.values_mut() {
            expired.extend(take_expired(list, now, config));
        }
        self.idle.retain(|_, list| !list.is_empty());
        self.stats.discarded += expired.len() as u64;
        expired
    }

    /// Takes out the longest idle ones beyond the limits.
    fn trim(&mut self, key: &Key, config: &PoolConfig) -> Vec<Idle> {
        let mut out = Vec::new();
        if let Some(list) = self.idle.get_mut(key) {
            while list.len() > config.max_idle_per_address {
                out.push(list.remove(0));
            }
        }
        while self.idle.values().map(Vec::len).sum::<usize>() > config.max_idle {
            let oldest = self
                .idle
                .values_mut()
                .min_by_key(|list| list.first().map(|i| i.since));
            match oldest {
                Some(list) if !list.is_empty() => out.push(list.remove(0)),
                _ => break,
            }
        }
        self.idle.retain(|_, list| !list.is_empty());
        self.stats.discarded += out.len() as u64;
        out
    }
}

fn take_expired(list: &mut Vec<Idle>, now: Instant, config: &PoolConfig) -> Vec<Idle> {
    let (old, young) = std::mem::take(list).into_iter().partition(|idle| {
        now.duration_since(idle.since) >= config.idle_time
            || now.duration_since(idle.made) >= config.max_age
    });
    *list = young;
    old
}

impl Pooled {
    /// Gives the connection back, for a caller that has read its reply to the end. Its deadlines
    /// are taken off.
    pub fn keep(self) {
        let Pooled {
            conn,
            key,
            made,
            pool,
            ..
        } = self;
        pool.put(key, conn, made);
    }

    /// Whether it was made for this loan, so that a failure is not a stale connection's.
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
