//! A pool: the backends that answer the same requests, and the settings for each of them.

use std::time::Duration;

use super::address::Backend;
use crate::proxy::balance::Algorithm;
use crate::proxy::health::HealthConfig;
use crate::proxy::proxy_protocol::Version;
use crate::proxy::retry::RetryConfig;

/// A named set of backends that answer the same requests.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolConfig {
    /// `pool`: its name.
    pub name: String,
    /// `backend`: its members.
    pub backends: Vec<Backend>,
    /// `balance`: how a backend is chosen. Default round-robin.
    pub balance: Algorithm,
    /// `max-failures`, `ejection`, `longest-ejection`, `rise`, `fall`, `slow-start`: when a backend
    /// is left out, and how it comes back.
    pub health: HealthConfig,
    /// `health-path`: the path of active checks; 2xx and 3xx pass. Default none: no active checks.
    pub health_path: Option<String>,
    /// `health-interval`: from one check to the next. Default 5 s.
    pub health_interval: Duration,
    /// `health-timeout`: for a complete check. Default 2 s.
    pub health_timeout: Duration,
    /// `backend-connections`: to one backend at a time; its own `max=` takes precedence. Default no
    /// limit.
    pub backend_connections: Option<usize>,
    /// `queue`: requests that may wait for one backend. Default 100.
    pub queue: usize,
    /// `queue-timeout`: how long they may wait. Then 503. Default 5 s.
    pub queue_timeout: Duration,
    /// `retries`, `retry-budget`, `retry-reserve`: how many more attempts one request gets, and how
    /// many requests may get them.
    pub retry: RetryConfig,
    /// `connect-timeout`: for a connection to a backend. Default 5 s.
    pub connect_timeout: Duration,
    /// `first-byte-timeout`: from the request's end to the reply's first byte. Then 504. Default
    /// 60 s.
    pub first_byte_timeout: Duration,
    /// `backend-idle-timeout`: silence in the middle of a reply. Then the client's connection is
    /// cut. Default 60 s.
    pub backend_idle_timeout: Duration,
    /// `keep-alive`: idle connections kept to one backend. Default 64; 0 makes a new one for each
    /// request.
    pub keep_alive: usize,
    /// `keep-alive-time`: how long an idle one is kept. Default 30 s.
    pub keep_alive_time: Duration,
    /// `max-age`: how long a connection is used at all. Default 10 minutes.
    pub max_age: Duration,
    /// `proxy-protocol`: a header before a connection's first byte that tells the backend the
    /// client's address. Each connection then carries the requests of one client only. Default off.
    pub proxy_protocol: Option<Version>,
}

/// What an active check asks for, and how long it waits.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::proxy) struct Check {
    path: String,
    proxy_protocol: Option<Version>,
    timeout: Duration,
}

impl PoolConfig {
    /// The active check, if there is one.
    pub(in crate::proxy) fn check(&self) -> Option<Check> {
        Some(Check {
            path: self.health_path.clone()?,
            proxy_protocol: self.proxy_protocol,
            timeout: self.health_timeout,
        })
    }

    /// A pool without backends; all else at its default.
    pub fn named(name: &str) -> PoolConfig {
        PoolConfig {
            name: name.to_string(),
            backends: Vec::new(),
            balance: Algorithm::RoundRobin,
            health: HealthConfig::default(),
            health_path: None,
            health_interval: Duration::from_secs(5),
            health_timeout: Duration::from_secs(2),
            backend_connections: None,
            queue: 100,
            queue_timeout: Duration::from_secs(5),
            retry: RetryConfig::default(),
            connect_timeout: Duration::from_secs(5),
            first_byte_timeout: Duration::from_secs(60),
            backend_idle_timeout: Duration::from_secs(60),
            keep_alive: 64,
            keep_alive_time: Duration::from_secs(30),
            max_age: Duration::from_secs(600),
            proxy_protocol: None,
        }
    }
}
