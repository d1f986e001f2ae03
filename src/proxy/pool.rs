//! A pool: the backends that answer the same requests, and which of them gets the next one.
//!
//! ```text
//!            lock                        unlocked                          lock
//!   take() ──────> choose, count ──> connect, send, receive ──> drop the Lease ──────> uncount
//!                    |                                                                   |
//!                    +── all full: wait in the queue, until one is dropped <─────────────+
//! ```
//!
//! One lock guards health, counts and turns of all backends of the pool: a choice looks at all of
//! them anyway, and takes well under a microsecond.
//!
//! A reload makes another pool, which takes over the older one's roster, and with it the queue. So
//! requests from before and after the reload share backends, places and turns. Otherwise a request
//! could wait for a place whose release only the others would notice.

mod roster;

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::backend::{Backend, Member};
use super::balance::Balancer;
use super::config::PoolConfig;
use super::health::{Change, Health, State};
use super::resolve::Found;
use super::retry::Budget;
use crate::net::{Deadline, unguessable};
use crate::server::{Stopper, is_due};
use crate::telemetry::Log;
use roster::{Pick, Roster, Seat, Waiting};

/// Why no backend can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoBackend {
    /// No backend is in service; one may be tried after this time, if it is known.
    Out(Option<Duration>),
    /// All are busy, and the queue has no place.
    QueueFull,
    /// All were busy for as long as a request may wait.
    QueueTimeout,
}

impl fmt::Display for NoBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NoBackend::Out(_) => "no backend is in service",
            NoBackend::QueueFull => "all backends are busy and the queue is full",
            NoBackend::QueueTimeout => "all backends were busy for too long",
        })
    }
}

impl std::error::Error for NoBackend {}

/// A backend as the status page shows it.
#[derive(Clone)]
pub struct Standing {
    /// The backend.
    pub backend: Arc<Backend>,
    /// Its state.
    pub state: State,
    /// How long an ejection still lasts.
    pub until: Option<Duration>,
    /// Requests in flight.
    pub active: u32,
}

/// The backends that answer the same requests.
pub struct Pool {
    /// The configuration.
    pub config: PoolConfig,
    log: Log,
    /// When it was last logged that this machine lacks something.
    complained: Mutex<Option<Instant>>,
    born: Instant,
    /// Ends the threads of the pool: its health checks, its look-ups.
    life: Stopper,
    /// Its number among the pools that share the roster.
    number: u64,
    shared: Arc<Shared>,
}

/// What a pool shares with those of the same name before and after it.
struct Shared {
    roster: Mutex<Roster>,
    /// A request in the queue may be able to go on.
    moved: Condvar,
}

impl Pool {
    /// A pool of these backends.
    pub fn new(config: PoolConfig, members: Vec<Member>, log: Log) -> Self {
        let roster = Roster {
            at_work: 0,
            last: 0,
            check: config.check(),
            seats: Vec::new(),
            balancer: Balancer::new(config.balance),
            budget: Budget::new(config.retry),
            random: unguessable() | 1,
            line: Vec::new(),
            next_ticket: 0,
            found: Found::new(),
        };
        let pool = Self {
            config,
            log,
            complained: Mutex::new(None),
            born: Instant::now(),
            life: Stopper::new(),
            number: 0,
            shared: Arc::new(Shared {
                roster: Mutex::new(roster),
                moved: Condvar::new(),
            }),
        };
        pool.set_members(members);
        pool
    }

    /// A pool that will replace an older one, once it [takes over](Self::take_over). Its times
    /// count from the older one's start, because those of health do.
    pub fn after(older: &Pool, config: PoolConfig, log: Log) -> Self {
        let mut roster = older.lock();
        roster.last += 1;
        Self {
            config,
            log,
            complained: Mutex::new(None),
            born: older.born,
            life: Stopper::new(),
            number: roster.last,
            shared: older.shared.clone(),
        }
    }

    /// Replaces the pool in use, with these backends. Those that stay keep their health, counts and
    /// requests in flight, and their connections, unless these would now be made in another way.
    /// Requests of the older pool get these backends now, too. Returns the earlier backends.
    pub fn take_over(&self, members: Vec<Member>) -> Vec<Member> {
        let mut roster = self.lock();
        (roster.at_work, roster.check) = (self.number, self.config.check());
        roster.balancer = Balancer::new(self.config.balance);
        roster.budget.set(self.config.retry);
        let seats = roster.seats.iter();
        let before = seats.map(|seat| seat.backend.member.clone()).collect();
        let seats = roster.seats.iter().map(|s| s.by(&self.config)).collect();
        // The connections of replaced backends close when the lock is free again.
        let _old = std::mem::replace(&mut roster.seats, seats);
        self.seat_members(roster, members);
        before
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Replaces the backends. Those that stay keep their connections, counts and health, even if
    /// their weight or maximum changes. Those that have gone finish their requests. Does nothing
    /// once another pool has taken over.
    pub fn set_members(&self, members: Vec<Member>) {
        let roster = self.lock();
        if roster.at_work == self.number {
            self.seat_members(roster, members);
        }
    }

    fn seat_members(&self, mut roster: MutexGuard<'_, Roster>, members: Vec<Member>) {
        let now = self.born.elapsed();
        let mut old = std::mem::take(&mut roster.seats);
        let first = old.is_empty();
        for member in members {
            let same = |seat: &Seat| seat.backend.member == member;
            let alike = |seat: &Seat| seat.backend.member.is_at_the_place_of(&member);
            let known = old.iter().position(same);
            let known = known.or_else(|| old.iter().position(alike));
            let seat = match known.map(|place| old.swap_remove(place)) {
                Some(seat) if seat.backend.member == member => seat,
                Some(seat) => Seat {
                    backend: Arc::new(seat.backend.by(member, &self.config)),
                    ..seat
                },
                None => Seat {
                    backend: Arc::new(Backend::new(member, &self.config)),
                    health: match first {
                        true => Health::new(self.config.health),
                        false => Health::joining(self.config.health, now),
                    },
                },
            };
            roster.seats.push(seat);
        }
        let count = roster.seats.len();
        roster.balancer.reset(count);
        drop(roster);
        self.shared.moved.notify_all();
        for seat in &old {
            seat.backend.conns.clear(); // those in use close when they are given back
        }
    }

    /// Ends the threads of the pool: its health checks, its look-ups.
    pub fn life(&self) -> &Stopper {
        &self.life
    }

    /// The last known members of the lines that have names.
    pub(super) fn found(&self) -> Found {
        self.lock().found.clone()
    }

    pub(super) fn set_found(&self, found: Found) {
        let mut roster = self.lock();
        if roster.at_work == self.number {
            roster.found = found;
        }
    }

    /// Chooses a backend that was not `tried` yet. `client` is a hash of the client, which keeps it
    /// with one backend if the algorithm does that. Blocks while all are full, at most
    /// [`queue_timeout`](PoolConfig::queue_timeout).
    pub fn take(self: &Arc<Self>, client: u64, tried: &[Arc<Backend>]) -> Result<Lease, NoBackend> {
        let now = self.born.elapsed();
        let mut roster = self.lock();
        if tried.is_empty() {
            roster.budget.deposit(now);
        }
        // Requests in the queue go first.
        if roster.is_turn_of(None) {
            match roster.pick(now, client, tried) {
                Pick::Found(backend, state) => return Ok(self.lease(backend, state, now)),
                Pick::Out(until) => return Err(NoBackend::Out(until)),
                Pick::Full => {}
            }
        }
        let places = self.config.queue.saturating_mul(roster.seats.len());
        if roster.line.len() >= places {
            return Err(NoBackend::QueueFull);
        }
        self.wait_in_line(roster, client, tried)
    }

    fn wait_in_line(
        self: &Arc<Self>,
        mut roster: MutexGuard<'_, Roster>,
        client: u64,
        tried: &[Arc<Backend>],
    ) -> Result<Lease, NoBackend> {
        let end = Deadline::after(self.config.queue_timeout);
        let ticket = roster.next_ticket;
        roster.next_ticket += 1;
        let tried_some = !tried.is_empty();
        roster.line.push(Waiting { ticket, tried_some });
        let found = loop {
            let mut opens = None;
            if roster.is_turn_of(Some(ticket)) {
                let now = self.born.elapsed();
                match roster.pick(now, client, tried) {
                    Pick::Found(backend, state) => break Ok(self.lease(backend, state, now)),
                    Pick::Out(until) => break Err(NoBackend::Out(until)),
                    // No event ends an ejection or a trial, so the first in the queue looks again.
                    Pick::Full => opens = roster.opens_in(now),
                }
            }
            let left = end.remaining().unwrap_or(Duration::MAX);
            if left.is_zero() {
                break Err(NoBackend::QueueTimeout);
            }
            let pause = opens.map_or(left, |opens| left.min(opens));
            let woken = self.shared.moved.wait_timeout(roster, pause);
            roster = woken.unwrap_or_else(PoisonError::into_inner).0;
        };
        roster.line.retain(|other| other.ticket != ticket);
        let others_wait = !roster.line.is_empty();
        drop(roster);
        if others_wait {
            self.shared.moved.notify_all(); // another request is first in the queue now
        }
        found
    }

    fn lease(self: &Arc<Self>, backend: Arc<Backend>, state: State, now: Duration) -> Lease {
        backend.counts.requests.inc();
        Lease {
            pool: self.clone(),
            backend,
            is_trial: state == State::Trying,
            asked: now,
        }
    }

    /// Whether the budget allows another attempt for a request that a backend failed; if so, the
    /// attempt is counted.
    pub fn may_spend_retry(&self) -> bool {
        let now = self.born.elapsed();
        self.lock().budget.withdraw(now)
    }

    /// The state of all backends.
    pub fn standings(&self) -> Vec<Standing> {
        let now = self.born.elapsed();
        let roster = self.lock();
        let standing = |seat: &Seat| Standing {
            backend: seat.backend.clone(),
            state: seat.health.state(now),
            until: seat.health.ejected_for(now),
            active: seat.backend.active(),
        };
        roster.seats.iter().map(standing).collect()
    }

    /// How many requests wait in the queue.
    pub fn waiting(&self) -> usize {
        self.lock().line.len()
    }

    /// An active check of a backend has passed, or failed for this reason. The check of a replaced
    /// pool counts if both ask the same, because a check may take longer than a reload.
    pub fn checked(&self, backend: &Backend, outcome: Result<(), &dyn fmt::Display>) {
        self.change_because(backend, outcome.err(), |roster, now| {
            let counts = roster.check == self.config.check();
            let seat = roster.seat(backend).filter(|_| counts);
            seat?.health.checked(outcome.is_ok(), now)
        });
    }

    /// Lets a backend finish its requests and gives it no new ones; `false` if none has this name.
    pub fn drain(&self, name: &str) -> bool {
        self.by_name(name)
            .map(|backend| self.change(&backend, |health, _| health.drain()))
            .is_some()
    }

    /// Puts a backend back; `false` if no backend has this name.
    pub fn enable(&self, name: &str) -> bool {
        self.by_name(name)
            .map(|backend| self.change(&backend, Health::enable))
            .is_some()
    }

    fn by_name(&self, name: &str) -> Option<Arc<Backend>> {
        let roster = self.lock();
        let found = roster.seats.iter().find(|seat| seat.backend.name() == name);
        found.map(|seat| seat.backend.clone())
    }

    /// Closes connections that have been idle for too long.
    pub fn prune(&self) {
        self.standings()
            .iter()
            .for_each(|s| s.backend.conns.prune());
    }

    fn change(
        &self,
        backend: &Backend,
        tell: impl FnOnce(&mut Health, Duration) -> Option<Change>,
    ) {
        self.change_because(backend, None, |roster, now| {
            tell(&mut roster.seat(backend)?.health, now)
        });
    }

    fn change_because(
        &self,
        backend: &Backend,
        cause: Option<&dyn fmt::Display>,
        tell: impl FnOnce(&mut Roster, Duration) -> Option<Change>,
    ) {
        let now = self.born.elapsed();
        let changed = tell(&mut self.lock(), now);
        if let Some(change) = changed {
            self.shared.moved.notify_all();
            let mut fields: Vec<(&str, &dyn fmt::Display)> = vec![
                ("pool", &self.config.name),
                ("backend", &backend.member.name),
                ("change", &change),
            ];
            fields.extend(cause.map(|cause| ("cause", cause)));
            self.log.warn("load-balancer", "backend changed", &fields);
        }
    }

    /// Says that this machine lacks what a request needs. No backend is at fault, and the access log
    /// is not for whoever must mend this, so the log gets a line, one in a while.
    pub fn is_short(&self, cause: &dyn fmt::Display) {
        if is_due(&self.complained) {
            let message = "requests fail for lack of descriptors, memory or threads";
            let fields: [(&str, &dyn fmt::Display); 2] =
                [("pool", &self.config.name), ("cause", cause)];
            self.log.error("load-balancer", message, &fields);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Roster> {
        // No foreign code runs under the lock, so a poisoned roster is still consistent.
        let roster = self.shared.roster.lock();
        roster.unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request's hold on a backend. Dropping it ends the hold.
pub struct Lease {
    pub(super) pool: Arc<Pool>,
    /// The backend.
    pub backend: Arc<Backend>,
    /// Whether this request tries a backend whose ejection is over.
    is_trial: bool,
    /// When the backend was chosen.
    asked: Duration,
}

impl Lease {
    /// The backend has begun to answer. If this request tries the backend, that is enough.
    pub fn begun(&self) {
        if self.is_trial {
            self.succeeded();
        }
    }

    /// The backend has answered to the end, with whatever status.
    pub fn succeeded(&self) {
        let tell = |health: &mut Health, now| health.succeeded(self.asked, now);
        self.pool.change(&self.backend, tell);
    }

    /// The backend has not answered to the end, and that was its fault.
    pub fn failed(&self) {
        self.backend.counts.failures.inc();
        self.pool
            .change(&self.backend, |health, now| health.failed(self.asked, now));
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.backend.ends();
        let mut roster = self.pool.lock();
        if self.is_trial {
            roster.end_trial(&self.backend, self.asked);
        }
        let others_wait = !roster.line.is_empty();
        drop(roster);
        if others_wait {
            self.pool.shared.moved.notify_all();
        }
    }
}

#[cfg(test)]
mod tests;
