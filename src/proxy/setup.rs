//! A configuration in use: its routes, pools and limits. A reload replaces it as a whole.
//!
//! ```text
//!   reload ──> Setup (new) ──> Current ──> a connection looks at a number before each request,
//!                  |                       and fetches the new one when it has changed
//!                  +── pools and backends of the same name bring their connections and health,
//!                      the same rates their buckets
//! ```
//!
//! A request keeps the setup that it began with, so a reload disturbs nothing in flight. Only the
//! backends of its pool are always the present ones, as when the addresses of a name change.

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::access_log::AccessLog;
use super::admin::Token;
use super::config::{Config, LogTarget, Router};
use super::desk::Desks;
use super::pool::Pool;
use super::rate::{RateConfig, RateLimit};
use crate::net::unguessable;

/// A configuration in use.
pub struct Setup {
    /// The configuration that it was made from.
    pub config: Config,
    /// The pools, in the order of the configuration.
    pub pools: Vec<Arc<Pool>>,
    /// Where the access lines go.
    pub access_log: Option<Arc<AccessLog>>,
    pub(super) desks: Desks,
    router: Router,
    rate: Option<Arc<Rates>>,
}

/// The clients' rates. They outlive a setup, so that a reload refills no bucket.
struct Rates {
    numbers: RateConfig,
    limit: Mutex<RateLimit>,
    born: Instant,
}

impl Rates {
    fn new(numbers: RateConfig) -> Self {
        Self {
            numbers,
            limit: Mutex::new(RateLimit::new(numbers, unguessable())),
            born: Instant::now(),
        }
    }
}

impl Setup {
    /// Puts a configuration into use with these pools, one for each of its own, in their order.
    /// `older` is the setup that it replaces. Fails when the access log cannot be opened.
    pub fn new(config: Config, pools: Vec<Arc<Pool>>, older: Option<&Setup>) -> io::Result<Self> {
        let rate = config.limits.rate().map(|numbers| {
            let known = older.and_then(|older| older.rate.clone());
            let same = known.filter(|known| known.numbers == numbers);
            same.unwrap_or_else(|| Arc::new(Rates::new(numbers)))
        });
        Ok(Self {
            pools,
            access_log: access_log(&config, older)?,
            desks: Desks::new(config.limits.message),
            router: config.router(),
            rate,
            config,
        })
    }

    /// The pool of this name.
    pub fn pool(&self, name: &str) -> Option<&Arc<Pool>> {
        self.pools.iter().find(|pool| pool.name() == name)
    }

    /// Ends the threads of all pools: their health checks, their look-ups.
    pub(super) fn end_pools(&self) {
        self.pools.iter().for_each(|pool| pool.life().stop());
    }

    /// The pool for a host and a path, or the status that says that there is none.
    pub(super) fn route(&self, host: &str, path: &str) -> Result<&Arc<Pool>, u16> {
        use super::config::Unrouted::{NoRoute, UnknownHost};
        match self.router.choose(host.as_bytes(), path.as_bytes()) {
            Ok(place) => self.pools.get(place).ok_or(404),
            Err(NoRoute) => Err(404),
            Err(UnknownHost) => Err(421),
        }
    }

    /// Whether a client may send another request now; if not, how long it has to wait.
    pub(super) fn admit(&self, client: Option<IpAddr>) -> Result<(), Duration> {
        match (&self.rate, client) {
            (Some(rate), Some(client)) => {
                let mut limit = rate.limit.lock().unwrap_or_else(PoisonError::into_inner);
                limit.allow(client, rate.born.elapsed())
            }
            _ => Ok(()),
        }
    }
}

/// The open log of the older setup, if the new one asks for the same.
fn access_log(config: &Config, older: Option<&Setup>) -> io::Result<Option<Arc<AccessLog>>> {
    let Some(target) = &config.access_log else {
        return Ok(None);
    };
    if let Some(older) = older {
        let old = (&older.config.access_log, older.config.access_format);
        if old == (&config.access_log, config.access_format) {
            if let Some(log) = &older.access_log {
                log.reopen()?; // it may have been rotated
            }
            return Ok(older.access_log.clone());
        }
    }
    let log = match target {
        LogTarget::Stdout => AccessLog::to_stdout(config.access_format)?,
        LogTarget::Path(path) => AccessLog::to_file(path, config.access_format)?,
    };
    Ok(Some(Arc::new(log)))
}

/// The setup that new requests use.
pub struct Current {
    /// The configuration with which the listeners were made.
    pub(super) first: Config,
    /// The token of the status page, which lets other machines make changes.
    pub(super) token: Option<Token>,
    number: AtomicU64,
    setup: RwLock<Arc<Setup>>,
}

impl Current {
    /// Starts with this setup.
    pub fn new(setup: Setup) -> Self {
        Self {
            first: setup.config.clone(),
            token: None,
            number: AtomicU64::new(0),
            setup: RwLock::new(Arc::new(setup)),
        }
    }

    /// The present setup.
    pub fn get(&self) -> Arc<Setup> {
        self.setup
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Replaces the setup.
    pub fn replace(&self, setup: Setup) {
        *self.setup.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(setup);
        self.number.fetch_add(1, Ordering::Release);
    }

    /// The number of the setup; another number means another setup.
    pub fn number(&self) -> u64 {
        self.number.load(Ordering::Acquire)
    }
}

/// Without it nobody is served, however it came to that: it was stopped, or it could not start.
impl Drop for Current {
    fn drop(&mut self) {
        self.get().end_pools();
    }
}
