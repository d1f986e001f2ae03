//! The table of live connections: limits at the door, and the list of whom to wake at the end.
//!
//! A connection gets in through [`Table::admit`] and leaves when its [`Seat`] is dropped, which
//! happens on every way out of a handler, a panic included. So the counts cannot drift.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Shutdown};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::access::{AccessList, Unwelcome};
use super::stats::Stats;
use crate::net::{Conn, Deadline};

/// Why a connection was not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The access list, by this rule.
    Access(Unwelcome),
    /// As many connections as the configuration allows.
    TooMany,
    /// As many from this address as the configuration allows.
    TooManyFromPeer,
    /// All workers are busy and the queue is full.
    QueueFull,
    /// The server is stopping.
    Stopping,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Access(rule) => return rule.fmt(f),
            Refusal::TooMany => "too many connections",
            Refusal::TooManyFromPeer => "too many connections from this address",
            Refusal::QueueFull => "all workers busy and the queue full",
            Refusal::Stopping => "the server is stopping",
        })
    }
}

/// The limits that the table keeps.
pub(crate) struct Limits {
    pub max_connections: usize,
    pub max_per_peer: Option<usize>,
    pub access: AccessList,
}

pub(crate) struct Table {
    limits: Limits,
    stats: Arc<Stats>,
    state: Mutex<State>,
    empty: Condvar,
}

#[derive(Default)]
struct State {
    next: u64,
    live: HashMap<u64, Conn>,
    /// Kept only when there is a limit for each peer.
    per_peer: HashMap<IpAddr, usize>,
    draining: bool,
}

/// A live connection's place in the table.
pub(crate) struct Seat {
    id: u64,
    peer: Option<IpAddr>,
    table: Arc<Table>,
}

impl Table {
    pub(crate) fn new(limits: Limits, stats: Arc<Stats>) -> Arc<Self> {
        let state = Mutex::default();
        Arc::new(Self {
            limits,
            stats,
            state,
            empty: Condvar::new(),
        })
    }

    /// Gives the connection a seat, or the reason why not.
    pub(crate) fn admit(self: &Arc<Self>, conn: &Conn) -> Result<Seat, Refusal> {
        let welcome = self.limits.access.judge(conn.peer_addr());
        welcome.map_err(Refusal::Access)?;
        let mut state = self.lock();
        if state.draining {
            return Err(Refusal::Stopping);
        }
        if state.live.len() >= self.limits.max_connections {
            return Err(Refusal::TooMany);
        }
        let peer = self
            .limits
            .max_per_peer
            .and(conn.peer_addr().ip())
            .map(|address| address.ip());
        if let (Some(ip), Some(limit)) = (peer, self.limits.max_per_peer) {
            let count = state.per_peer.entry(ip).or_insert(0);
            if *count >= limit {
                return Err(Refusal::TooManyFromPeer);
            }
            *count += 1;
        }
        let id = state.next;
        state.next += 1;
        state.live.insert(id, conn.clone());
        self.stats.active.add(1);
        Ok(Seat {
            id,
            peer,
            table: self.clone(),
        })
    }

    /// Lets nobody in any more and wakes the readers: each gets what its peer had sent and then
    /// the end of the stream.
    pub(crate) fn drain(&self) {
        let live = {
            let mut state = self.lock();
            state.draining = true;
            state.live.values().cloned().collect::<Vec<_>>()
        };
        for conn in live {
            let _ = conn.shutdown(Shutdown::Read); // fails when the peer is gone already
        }
    }

    /// Shuts all sockets down, so that every read and write of their handlers fails; returns how
    /// many there were.
    pub(crate) fn cut(&self) -> usize {
        let live: Vec<Conn> = self.lock().live.values().cloned().collect();
        for conn in &live {
            let _ = conn.shutdown(Shutdown::Both);
        }
        live.len()
    }

    /// Blocks until nobody is left, or the deadline passes; tells whether nobody is.
    pub(crate) fn wait_empty(&self, deadline: Deadline) -> bool {
        let mut state = self.lock();
        while !state.live.is_empty() {
            state = match deadline.remaining() {
                None => self
                    .empty
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => return false,
                Some(left) => {
                    let waited = self.empty.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Only the code of this file runs under the lock, and it does not panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    pub(crate) fn id(&self) -> u64 {
        self.id
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.table.lock();
        let conn = state.live.remove(&self.id);
        if let Some(ip) = self.peer {
            if let Some(count) = state.per_peer.get_mut(&ip) {
                *count -= 1;
                if *count == 0 {
                    state.per_peer.remove(&ip);
                }
            }
        }
        // Under the lock, so that whoever waits for an empty table reads an empty gauge, too.
        self.table.stats.active.add(-1);
        let last = state.draining && state.live.is_empty();
        drop(state);
        drop(conn); // a system call, outside the lock
        if last {
            self.table.empty.notify_all();
        }
    }
}
