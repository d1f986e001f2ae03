//! The table of live connections: it enforces the limits on admission, and knows which connections
//! to wake at the end.
//!
//! [`Table::admit`] gives a connection a [`Seat`]. Dropping the seat takes the connection out of
//! the table, on every way out of a handler, a panic included. So the counts cannot drift.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Shutdown};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use super::access::{AccessList, Unwelcome};
use super::per_peer::{PerPeer, Place};
use super::shared::{caught, lock};
use super::stats::Stats;
use crate::net::{Conn, Deadline, wait_until};

/// Why a connection was not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The access list refuses the peer, by this rule.
    Access(Unwelcome),
    /// The server has as many connections as the configuration allows.
    TooMany,
    /// This address (an IPv6 address: its /64) has as many connections as the configuration allows.
    TooManyFromPeer,
    /// The same of the client at this address, for which the peer, a proxy, has connected.
    TooManyFrom(IpAddr),
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
            Refusal::TooManyFrom(client) => {
                return write!(f, "too many connections from {client}");
            }
            Refusal::TooManyFromPeer => "too many connections from this address",
            Refusal::QueueFull => "all workers busy and the queue full",
            Refusal::Stopping => "the server is stopping",
        })
    }
}

impl std::error::Error for Refusal {}

/// The limits that the table enforces.
pub(crate) struct Limits {
    pub max_connections: usize,
    pub max_per_peer: Option<usize>,
    pub access: AccessList,
}

pub(crate) struct Table {
    limits: Limits,
    per_peer: Option<Arc<PerPeer>>,
    stats: Arc<Stats>,
    state: Mutex<State>,
    empty: Condvar,
}

#[derive(Default)]
struct State {
    next: u64,
    live: HashMap<u64, Live>,
    draining: bool,
}

struct Live {
    conn: Conn,
    /// Its handler is done, and it is closing.
    leaving: bool,
    /// Its handler reads on during the drain, and gets this notice instead.
    notice: Option<Arc<Notice>>,
}

/// Called when the drain begins, to notify a handler.
type Notice = dyn Fn() + Send + Sync;

/// Whether a connection whose handler is done can still be read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hearing {
    /// It can, and the drain will leave it alone.
    Open,
    /// The drain has shut it for reading.
    Ended,
}

/// A live connection's place in the table.
pub(crate) struct Seat {
    id: u64,
    place: Option<Place>,
    table: Arc<Table>,
}

impl Table {
    pub(crate) fn new(limits: Limits, stats: Arc<Stats>) -> Arc<Self> {
        let state = Mutex::default();
        Arc::new(Self {
            per_peer: limits.max_per_peer.map(PerPeer::new),
            limits,
            stats,
            state,
            empty: Condvar::new(),
        })
    }

    /// Gives the connection a seat, or the reason for a refusal.
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
        let place = match (&self.per_peer, conn.peer_addr().ip()) {
            (Some(peers), Some(peer)) => {
                let place = peers.enter(peer.ip());
                Some(place.ok_or(Refusal::TooManyFromPeer)?)
            }
            _ => None,
        };
        let id = state.next;
        state.next += 1;
        let live = Live {
            conn: conn.clone(),
            leaving: false,
            notice: None,
        };
        state.live.insert(id, live);
        self.stats.active.add(1);
        Ok(Seat {
            id,
            place,
            table: self.clone(),
        })
    }

    /// Admits no more connections and wakes the readers: each gets what its peer had sent and then
    /// the end of the stream. Handlers that read on to finish their work get their notice instead.
    pub(crate) fn drain(&self) {
        let live = {
            let mut state = self.lock();
            state.draining = true;
            // A closing connection reads on to protect its last bytes; it ends by itself.
            let staying = state.live.values().filter(|live| !live.leaving);
            let each = staying.map(|live| (live.conn.clone(), live.notice.clone()));
            each.collect::<Vec<_>>()
        };
        for (conn, notice) in live {
            let told = notice.is_some_and(|notice| tell(&*notice));
            if !told {
                let _ = conn.shutdown(Shutdown::Read); // fails when the peer is gone already
            }
        }
    }

    /// Shuts all sockets down both ways, so that every read and write of their handlers fails;
    /// returns how many there were.
    pub(crate) fn cut(&self) -> usize {
        let live: Vec<Conn> = {
            let state = self.lock();
            state.live.values().map(|live| live.conn.clone()).collect()
        };
        for conn in &live {
            let _ = conn.shutdown(Shutdown::Both);
        }
        live.len()
    }

    /// Blocks until the table is empty or the deadline passes; returns whether it is empty.
    pub(crate) fn wait_empty(&self, deadline: Deadline) -> bool {
        let mut state = self.lock();
        while !state.live.is_empty() {
            if deadline.passed() {
                return false;
            }
            state = wait_until(&self.empty, state, deadline);
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// Runs a notice; `false` if it panicked, which must not keep the drain from the other connections.
fn tell(notice: &Notice) -> bool {
    caught(notice).is_ok()
}

impl Seat {
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Leaves a notice for the drain, or runs it at once if the drain has begun.
    pub(crate) fn at_stop(&self, notice: Arc<Notice>) {
        let mut state = self.table.lock();
        if !state.draining {
            if let Some(live) = state.live.get_mut(&self.id) {
                live.notice = Some(notice);
            }
            return;
        }
        drop(state);
        notice();
    }

    /// Says that the handler is done and the connection is about to be closed.
    pub(crate) fn leave(&self) -> Hearing {
        let mut state = self.table.lock();
        if state.draining {
            return Hearing::Ended;
        }
        if let Some(live) = state.live.get_mut(&self.id) {
            live.leaving = true;
        }
        Hearing::Open
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        drop(self.place.take()); // first: a peer that sees the end may connect again at once
        let mut state = self.table.lock();
        let conn = state.live.remove(&self.id);
        // Under the lock, so that a thread that waited for an empty table also reads a gauge of 0.
        self.table.stats.active.add(-1);
        let last = state.draining && state.live.is_empty();
        drop(state);
        drop(conn); // a system call, outside the lock
        if last {
            self.table.empty.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open_table() -> Arc<Table> {
        let limits = Limits {
            max_connections: 10,
            max_per_peer: None,
            access: AccessList::default(),
        };
        Table::new(limits, Arc::default())
    }

    #[test]
    fn the_drain_ends_the_reading_of_all_but_those_who_are_leaving() {
        let table = open_table();
        let [(served, _peer), (closing, _other)] = [(); 2].map(|()| Conn::pair().unwrap());
        let [_staying, leaving] = [&served, &closing].map(|conn| table.admit(conn).ok().unwrap());
        assert_eq!(leaving.leave(), Hearing::Open);
        table.drain();
        assert!(!served.is_quiet(), "it reads on");
        assert!(closing.is_quiet(), "its last bytes are in danger");
    }

    #[test]
    fn a_connection_during_the_drain_is_refused() {
        let table = open_table();
        let (conn, _peer) = Conn::pair().unwrap();
        table.drain();
        assert_eq!(table.admit(&conn).err(), Some(Refusal::Stopping));
        assert!(table.wait_empty(Deadline::NEVER));
    }
}
