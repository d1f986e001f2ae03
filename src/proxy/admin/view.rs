//! What the pages show of a pool: one snapshot, taken once for a whole page.

use std::time::Duration;

use crate::proxy::balance::Algorithm;
use crate::proxy::health::{PARTS, State};
use crate::proxy::{Pool, Standing};

/// A pool.
#[derive(Clone, Debug)]
pub struct PoolView {
    pub name: String,
    pub balance: Algorithm,
    /// Requests in the queue for a backend.
    pub waiting: usize,
    pub backends: Vec<BackendView>,
}

/// A backend.
#[derive(Clone, Debug)]
pub struct BackendView {
    pub name: String,
    pub state: State,
    /// How long an ejection still lasts.
    pub left: Option<Duration>,
    pub weight: u32,
    pub backup: bool,
    /// Its share of the pool's requests by weight, in percent, at present.
    pub share: f64,
    pub active: u32,
    pub max: Option<usize>,
    pub requests: u64,
    /// Responses from 1xx to 5xx.
    pub classes: [u64; 5],
    pub failures: u64,
    pub retries: u64,
    /// The median latency since the start.
    pub p50: Duration,
    /// The latency that 99 of 100 requests did not exceed.
    pub p99: Duration,
}

impl PoolView {
    /// The pool's present state.
    pub fn of(pool: &Pool) -> Self {
        let standings = pool.standings();
        let mut backends: Vec<BackendView> = standings.iter().map(BackendView::of).collect();
        share_out(&mut backends);
        Self {
            name: pool.name().to_string(),
            balance: pool.config.balance,
            waiting: pool.waiting(),
            backends,
        }
    }

    /// How many backends get requests.
    pub fn usable(&self) -> usize {
        self.backends.iter().filter(|b| b.is_usable()).count()
    }
}

impl BackendView {
    fn of(standing: &Standing) -> Self {
        let (member, counts) = (&standing.backend.member, &standing.backend.counts);
        let quantile = |share| Duration::from_nanos(counts.latency.quantile(share));
        Self {
            name: member.name.clone(),
            state: standing.state,
            left: standing.until,
            weight: member.weight,
            backup: member.backup,
            share: 0.0,
            active: standing.active,
            max: standing.backend.max,
            requests: counts.requests.get(),
            classes: counts.classes.each_ref().map(|counter| counter.get()),
            failures: counts.failures.get(),
            retries: counts.retries.get(),
            p50: quantile(0.5),
            p99: quantile(0.99),
        }
    }

    /// Whether it gets requests, be it only one to try it.
    pub fn is_usable(&self) -> bool {
        is_usable(self.state)
    }

    /// Its present weight: less during a slow start, none while it is out or tried.
    fn weight_now(&self) -> f64 {
        match self.state {
            State::Up => f64::from(self.weight),
            State::SlowStart(percent) => {
                let least = 1.0 / f64::from(PARTS);
                (f64::from(self.weight) * f64::from(percent) / 100.0).max(least)
            }
            State::Trying | State::Ejected { .. } | State::Down | State::Draining => 0.0,
        }
    }
}

/// Whether a backend in this state gets requests.
pub fn is_usable(state: State) -> bool {
    match state {
        State::Up | State::SlowStart(_) | State::Trying => true,
        State::Ejected { .. } | State::Down | State::Draining => false,
    }
}

/// Every state in one word, as `/backends` and `/metrics` show it.
pub const STATES: [&str; 6] = ["up", "slow-start", "trying", "ejected", "down", "draining"];

/// The word for a state.
pub fn word(state: State) -> &'static str {
    let [up, slow_start, trying, ejected, down, draining] = STATES;
    match state {
        State::Up => up,
        State::SlowStart(_) => slow_start,
        State::Trying => trying,
        State::Ejected { .. } => ejected,
        State::Down => down,
        State::Draining => draining,
    }
}

/// Sets the shares. Backups get one only when no other backend can have requests.
fn share_out(backends: &mut [BackendView]) {
    let sum = |backends: &[BackendView], backup: bool| -> f64 {
        let group = backends.iter().filter(|b| b.backup == backup);
        group.map(BackendView::weight_now).sum()
    };
    let backups_serve = sum(backends, false) == 0.0;
    let whole = sum(backends, backups_serve);
    for backend in backends.iter_mut() {
        if backend.backup == backups_serve && whole > 0.0 {
            backend.share = backend.weight_now() * 100.0 / whole;
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A backend of which only this is known.
    pub fn backend(name: &str, state: State) -> BackendView {
        BackendView {
            name: name.into(),
            state,
            left: None,
            weight: 1,
            backup: false,
            share: 0.0,
            active: 0,
            max: None,
            requests: 0,
            classes: [0; 5],
            failures: 0,
            retries: 0,
            p50: Duration::ZERO,
            p99: Duration::ZERO,
        }
    }

    #[test]
    fn shares_are_by_weight_and_backups_have_one_only_alone() {
        let ejected = State::Ejected {
            until: Duration::ZERO,
        };
        let with = |weight, backup, state| BackendView {
            weight,
            backup,
            ..backend("a", state)
        };
        for (backends, shares) in [
            (
                vec![(3, false, State::Up), (1, false, State::Up)],
                vec![75.0, 25.0],
            ),
            (
                vec![(1, false, State::Up), (9, true, State::Up)],
                vec![100.0, 0.0],
            ),
            (
                vec![(1, false, ejected), (9, true, State::Up)],
                vec![0.0, 100.0],
            ),
            (
                vec![(1, false, State::Trying), (1, false, State::Down)],
                vec![0.0, 0.0],
            ),
            (
                vec![(10, false, State::SlowStart(10)), (9, false, State::Up)],
                vec![10.0, 90.0],
            ),
            (
                vec![(1, false, State::SlowStart(25)), (1, false, State::Up)],
                vec![20.0, 80.0],
            ),
        ] {
            let mut views: Vec<BackendView> = backends
                .iter()
                .map(|&(weight, backup, state)| with(weight, backup, state))
                .collect();
            share_out(&mut views);
            let found: Vec<f64> = views.iter().map(|view| view.share).collect();
            assert_eq!(found, shares, "{backends:?}");
        }
    }
}
