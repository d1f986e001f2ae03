//! A client that connects again: a few connections to one server, made when needed.
//!
//! A failed call is tried again if that is safe: when it was certainly not run
//! ([`CallError::not_run`]), or when the connection broke and the method is marked repeatable. Each
//! pause between tries is twice as long as the last, less a random part of up to a half. Otherwise
//! a thousand clients would return to a restarted server at the same moment.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use super::client::{Client, ClientConfig};
use super::failure::CallError;
use crate::net::{Deadline, Dialer, Network, unguessable, wait_until};
use crate::server::lock;

/// The configuration of a [`Reconnecting`] client.
#[derive(Clone, Debug)]
pub struct ReconnectConfig {
    /// The number of connections, at least 1; calls take turns. Default 1: many callers share one
    /// well.
    pub connections: usize,
    /// How many times a call is tried in all. Default 5.
    pub tries: u32,
    /// The pause before the second try; each further one is twice as long. Default 50 ms.
    pub first_pause: Duration,
    /// The longest pause. Default 5 s.
    pub longest_pause: Duration,
    /// How connections are made.
    pub dialer: Dialer,
    /// How calls are made on them.
    pub client: ClientConfig,
}

impl Default for ReconnectConfig {
    fn default() -> Self {
        Self {
            connections: 1,
            tries: 5,
            first_pause: Duration::from_millis(50),
            longest_pause: Duration::from_secs(5),
            dialer: Dialer::default(),
            client: ClientConfig::default(),
        }
    }
}

/// Connections to one server, made when needed and made again when they break.
#[derive(Debug)]
pub struct Reconnecting {
    network: Network,
    address: String,
    config: ReconnectConfig,
    places: Vec<Place>,
    turn: AtomicUsize,
}

/// One of the connections.
#[derive(Debug, Default)]
struct Place {
    state: Mutex<State>,
    /// Notified when the attempt to connect has ended.
    dialled: Condvar,
}

#[derive(Debug, Default)]
struct State {
    client: Option<Client>,
    /// A thread is connecting; others wait for it and share the result.
    dialling: bool,
}

impl Reconnecting {
    /// A client for a server; does not connect yet.
    pub fn new(network: Network, address: &str, config: ReconnectConfig) -> Self {
        let places = (0..config.connections.max(1)).map(|_| Place::default());
        Self {
            network,
            address: address.into(),
            places: places.collect(),
            config,
            turn: AtomicUsize::new(0),
        }
    }

    /// A connection that seems to work; connects if there is none. Blocks as long as connecting and
    /// the greeting may take.
    pub fn client(&self) -> Result<Client, CallError> {
        self.client_by(Deadline::NEVER)
    }

    fn client_by(&self, deadline: Deadline) -> Result<Client, CallError> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.places.len().max(1);
        let Some(place) = self.places.get(turn) else {
            return Err(disconnected("no connections are configured".into()));
        };
        let mut state = lock(&place.state);
        loop {
            if let Some(client) = state.client.as_ref().filter(|client| client.is_usable()) {
                return Ok(client.clone());
            }
            if !state.dialling {
                break;
            }
            if deadline.passed() {
                return Err(disconnected("no connection in time".into()));
            }
            state = wait_until(&place.dialled, state, deadline);
        }
        state.client = None;
        state.dialling = true;
        drop(state);
        let dialled = self.dial(deadline);
        let mut state = lock(&place.state);
        state.dialling = false;
        state.client = dialled.as_ref().ok().cloned();
        place.dialled.notify_all();
        dialled
    }

    fn dial(&self, deadline: Deadline) -> Result<Client, CallError> {
        let mut dialer = self.config.dialer.clone();
        dialer.timeout = match (dialer.timeout, deadline.remaining()) {
            (Some(timeout), Some(left)) => Some(timeout.min(left)),
            (timeout, left) => timeout.or(left),
        };
        let dialled = dialer.dial(self.network, &self.address);
        let conn = dialled.map_err(|error| disconnected(error.to_string()))?;
        Client::over_by(conn, self.config.client.clone(), deadline)
    }

    /// Runs `call` with a client, and again with another if that is safe, within the configured
    /// time.
    pub(super) fn with_client<R>(
        &self,
        repeatable: bool,
        call: impl Fn(&Client, Option<Duration>) -> Result<R, CallError>,
    ) -> Result<R, CallError> {
        let deadline = Deadline::after_option(self.config.client.time);
        let mut tried = 0;
        loop {
            let result = self
                .client_by(deadline)
                .and_then(|client| call(&client, deadline.remaining()));
            tried += 1;
            let error = match result {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let again =
                error.not_run() || repeatable && matches!(error, CallError::Disconnected { .. });
            if !again || tried >= self.config.tries {
                return Err(error);
            }
            let pause = pause(&self.config, tried, unguessable());
            if deadline.remaining().is_some_and(|left| left <= pause) {
                return Err(error); // tells more than that the time is over
            }
            wait(pause);
        }
    }
}

fn disconnected(why: String) -> CallError {
    CallError::Disconnected { why, sent: false }
}

/// The pause after `tried` tries: doubled each time, then between a half and all of that.
fn pause(config: &ReconnectConfig, tried: u32, random: u64) -> Duration {
    let doubled = 1_u32
        .checked_shl(tried.saturating_sub(1))
        .unwrap_or(u32::MAX);
    let whole = config
        .first_pause
        .saturating_mul(doubled)
        .min(config.longest_pause);
    let part = (random >> 32) as f64 / f64::from(u32::MAX);
    whole.mul_f64(0.5 + part / 2.0)
}

/// Blocks this thread for `time`.
fn wait(time: Duration) {
    let (nothing, never) = (Mutex::new(()), Condvar::new());
    let until = Deadline::after(time);
    let mut guard = lock(&nothing);
    while !until.passed() {
        guard = wait_until(&never, guard, until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_vary_by_half() {
        let config = ReconnectConfig::default();
        let millis = |tried, random| pause(&config, tried, random).as_millis();
        assert_eq!(millis(1, 0), 25);
        assert_eq!(millis(1, u64::MAX), 50);
        assert_eq!(millis(3, 0), 100);
        assert_eq!(millis(3, u64::MAX), 200);
        assert_eq!(millis(40, u64::MAX), 5000);
    }
}
