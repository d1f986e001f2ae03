//! The rate limit shared by all workers: one table in parts, each with a lock of its own.
//!
//! The table is shared because the kernel spreads a client's ports over the workers: with a table
//! per worker, a client would get the rate once for each worker.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::rate_limit::{RateConfig, RateLimit, ReplyKind, Verdict, network};

const PARTS: usize = 16;

/// A rate limit for many threads.
#[derive(Debug)]
pub struct Limiter {
    begun: Instant,
    parts: Vec<Mutex<RateLimit>>,
    choose: RandomState,
}

impl Limiter {
    /// A limiter with an empty table.
    pub fn new(config: RateConfig) -> Self {
        let choose = RandomState::new();
        let part = RateConfig {
            accounts: config.accounts.div_ceil(PARTS),
            ..config
        };
        let parts =
            (0..PARTS).map(|number| Mutex::new(RateLimit::new(part, choose.hash_one(number))));
        Self {
            begun: Instant::now(),
            parts: parts.collect(),
            choose,
        }
    }

    /// Counts a reply to `client` at the present time.
    pub fn judge(&self, client: IpAddr, kind: ReplyKind<'_>) -> Verdict {
        // By network, so that all replies to one network are counted in the same part.
        let part = self.choose.hash_one(network(client)) as usize % PARTS;
        let Some(part) = self.parts.get(part) else {
            return Verdict::Send;
        };
        let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
        part.judge(self.begun.elapsed(), client, kind)
    }
}
