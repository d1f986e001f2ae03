//! Who serves in a pool, and who waits: what the pool's lock guards. It knows no lock and no clock.
//!
//! `Pool::take` asks it for a backend ([`Roster::pick`]), by health, balance and room; if all are full,
//! the request stands in `line`, and [`Roster::is_turn_of`] says who may ask next.

use std::sync::Arc;
use std::time::Duration;

use crate::proxy::backend::Backend;
use crate::proxy::balance::{Balancer, Candidate};
use crate::proxy::config::{Check, PoolConfig};
use crate::proxy::health::{Health, State};
use crate::proxy::resolve::Found;
use crate::proxy::retry::Budget;

/// What the pool's lock guards.
pub(super) struct Roster {
    /// The number of the pool in use. What other pools' look-ups find is out of date or too early.
    pub(super) at_work: u64,
    /// The active check of the pool in use. Another pool's result counts if it asks the same.
    pub(super) check: Option<Check>,
    /// The number of the last pool made.
    pub(super) last: u64,
    pub(super) seats: Vec<Seat>,
    pub(super) balancer: Balancer,
    pub(super) budget: Budget,
    pub(super) random: u64,
    /// The queue, first come first.
    pub(super) line: Vec<Waiting>,
    pub(super) next_ticket: u64,
    /// The last known members of the lines that have names.
    pub(super) found: Found,
}

/// A request in the queue.
pub(super) struct Waiting {
    pub(super) ticket: u64,
    /// Whether it has tried some backends. Then nobody waits behind it, because the backends that
    /// it cannot use may be free.
    pub(super) tried_some: bool,
}

pub(super) struct Seat {
    pub(super) backend: Arc<Backend>,
    pub(super) health: Health,
}

/// The result of looking for a backend.
pub(super) enum Pick {
    /// This backend, already counted, and its state at that moment.
    Found(Arc<Backend>, State),
    Full,
    Out(Option<Duration>),
}

impl Seat {
    /// The same seat with another configuration.
    pub(super) fn by(&self, config: &PoolConfig) -> Seat {
        let health = self.health.clone();
        let member = self.backend.member.clone();
        Seat {
            backend: Arc::new(self.backend.by(member, config)),
            health: health.by(config.health, config.health_path.is_some()),
        }
    }
}

impl Roster {
    /// Looks for a backend, among the backups last.
    pub(super) fn pick(&mut self, now: Duration, client: u64, tried: &[Arc<Backend>]) -> Pick {
        // xorshift64 (Marsaglia 2003): enough to take two at random.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let mut any_full = false;
        for backup in [false, true] {
            let seats = &self.seats;
            let weigh = |seat: &Seat| {
                let member = &seat.backend.member;
                if member.backup != backup || tried.iter().any(|tried| tried.is(&seat.backend)) {
                    return 0;
                }
                seat.health.weight(member.weight, now)
            };
            let candidate = |index: usize| match seats.get(index) {
                Some(seat) => Candidate {
                    weight: if seat.backend.is_full() {
                        0
                    } else {
                        weigh(seat)
                    },
                    active: seat.backend.active(),
                    key: seat.backend.key,
                },
                None => Candidate::default(),
            };
            let chosen = self
                .balancer
                .choose(seats.len(), candidate, client, self.random);
            if chosen.is_none() {
                let full = || seats.iter().filter(|s| s.backend.is_full() && weigh(s) > 0);
                any_full |= full().next().is_some();
                // A backend that is full is in service, so no backup is used; one that is to be
                // tried is not.
                match full().any(|seat| seat.health.state(now) != State::Trying) {
                    true => break,
                    false => continue,
                }
            }
            if let Some(seat) = chosen.and_then(|index| self.seats.get_mut(index)) {
                let state = seat.health.state(now);
                if seat.health.admit(now) {
                    seat.backend.begins();
                    return Pick::Found(seat.backend.clone(), state);
                }
            }
        }
        match any_full {
            true => Pick::Full,
            false => Pick::Out(self.soonest(now)),
        }
    }

    /// Whether this request is next; `None` stands for one that has just arrived.
    pub(super) fn is_turn_of(&self, ticket: Option<u64>) -> bool {
        let is_me = |other: &Waiting| Some(other.ticket) == ticket;
        let first = self.line.iter().find(|w| !w.tried_some || is_me(w));
        first.is_none_or(is_me)
    }

    /// How long until an ejection ends.
    fn soonest(&self, now: Duration) -> Option<Duration> {
        let seats = self.seats.iter();
        seats.filter_map(|seat| seat.health.ejected_for(now)).min()
    }

    /// How long until a backend may accept requests again without any other event.
    pub(super) fn opens_in(&self, now: Duration) -> Option<Duration> {
        let seats = self.seats.iter();
        seats.filter_map(|seat| seat.health.opens_in(now)).min()
    }

    pub(super) fn end_trial(&mut self, backend: &Backend, asked: Duration) {
        if let Some(seat) = self.seat(backend) {
            seat.health.trial_ended(asked);
        }
    }

    pub(super) fn seat(&mut self, backend: &Backend) -> Option<&mut Seat> {
        self.seats.iter_mut().find(|seat| seat.backend.is(backend))
    }
}
