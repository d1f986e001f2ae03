//! The service: the settings that hold for all pools, and [`Config`], the whole.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::address::{Listen, ListenAddress};
use super::pool::PoolConfig;
use super::routes::{Route, Router};
use super::values::{ForwardedFor, LogTarget, Pseudonym};
use crate::http::Limits as MessageLimits;
use crate::net::{HostPort, Prefix};
use crate::proxy::access_log::Format;
use crate::proxy::rate::RateConfig;
use crate::server::AccessList;

/// A complete configuration: at least one listener, every pool has backends and a route, every
/// route a pool. [`Default`] is what the lines start from: it has none of these.
///
/// The load balancer checks that ([`Config::checked`]), whether it was read or made in code:
///
/// ```
/// use groundwire::net::HostPort;
/// use groundwire::proxy::config::{Backend, BackendAddress, Config, Listen, PoolConfig};
///
/// let mut pool = PoolConfig::named("www");
/// pool.backends.push(Backend {
///     address: BackendAddress::Tcp(HostPort { host: "10.0.0.7".parse()?, port: 9000 }),
///     weight: 1,
///     max: None,
///     backup: false,
/// });
/// let listen = Listen {
///     address: "127.0.0.1:8080".parse()?,
///     proxy_protocol: false,
/// };
/// let made = Config { listeners: vec![listen], pools: vec![pool], ..Config::default() };
///
/// let config = made.clone().checked().map_err(|problems| problems[0].clone())?;
/// assert_eq!(config.routes[0].pool, "www");
///
/// let deaf = Config { listeners: Vec::new(), ..made };
/// let problems = deaf.checked().unwrap_err();
/// assert_eq!(problems[0].to_string(), "config: listen: needed, an address to serve");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `listen`: where clients connect.
    pub listeners: Vec<Listen>,
    /// `reuse-port`: another process may listen on the same ports (`SO_REUSEPORT`), so that a new one
    /// takes over while this one drains. Default no.
    pub reuse_port: bool,
    /// `pool`: the named sets of backends.
    pub pools: Vec<PoolConfig>,
    /// `route`: which pool answers which requests.
    pub routes: Vec<Route>,
    /// `reject-unknown-host`: 421 for a host that no route names. Default no.
    pub reject_unknown_host: bool,
    /// How long a client may take.
    pub timeouts: Timeouts,
    /// How much clients may send and request.
    pub limits: Limits,
    /// `allow`: if there are any, only these may connect.
    pub allow: Vec<Prefix>,
    /// `deny`: these may not connect; it overrides `allow`.
    pub deny: Vec<Prefix>,
    /// What backends are told about the client.
    pub forwarding: Forwarding,
    /// `connect-allow`: the targets of CONNECT; if there are none, the method is refused.
    pub connect_allow: Vec<HostPort>,
    /// `name-server`: the servers to ask for the names of backends; if there are none, those of
    /// `/etc/resolv.conf`.
    pub name_servers: Vec<SocketAddr>,
    /// `resolve-min`: the shortest time between two look-ups, however short the TTL. Default 1 s.
    pub resolve_min: Duration,
    /// `resolve-max`: the longest time, however long the TTL. Default 1 minute.
    pub resolve_max: Duration,
    /// `access-log`: where the line for each request goes. Default nowhere.
    pub access_log: Option<LogTarget>,
    /// `access-format`: the format of that line. Default combined.
    pub access_format: Format,
    /// `admin`: the address of the status page. Default none.
    pub admin: Option<ListenAddress>,
    /// `admin-token-file`: the file with the token that lets other machines drain and enable
    /// backends. Default none: only this machine may.
    pub admin_token_file: Option<String>,
    /// `metrics`: the address of `/metrics` without the status page. Default none.
    pub metrics: Option<ListenAddress>,
}

/// How long a client may take. None may be zero, except `drain`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// `header-timeout`: from the first byte of a header section to its last; sending slowly does
    /// not extend it. Then 408. Default 10 s.
    pub header: Duration,
    /// `idle-timeout`: from an answer to the next request's first byte, and from the connection's
    /// start to the first request. Then the connection is closed. Default 60 s.
    pub idle: Duration,
    /// `body-timeout`: silence in the middle of a request's body. Then 408. Default 30 s.
    pub body: Duration,
    /// `write-timeout`: how long a client or a backend may take to accept each part of up to 64
    /// KiB. Default 30 s.
    pub write: Duration,
    /// `tunnel-timeout`: silence in both directions of an upgraded connection or a CONNECT. Default
    /// 1 hour.
    pub tunnel: Duration,
    /// `drain`: how long running requests may take after a signal. Default 25 s: orchestrators
    /// commonly kill after 30. 0 cuts at once.
    pub drain: Duration,
}

/// How much clients may ask for. A 0 on a line means no limit and is stored as `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `max-connections`: from all clients together; beyond that, closed with 503. Default 10,000.
    pub connections: usize,
    /// `max-per-peer`: from one address (IPv6: from one /64); beyond that, closed with 429. Behind
    /// the PROXY protocol, from one client's address. Default no limit.
    pub per_peer: Option<usize>,
    /// `rate-limit`: requests a second from one address (IPv6: /64), then 429. Default no limit.
    pub rate: Option<u32>,
    /// `rate-burst`: requests at once after a pause. Default the same as `rate-limit`.
    pub rate_burst: Option<u32>,
    /// `rate-clients`: how many addresses are remembered, 40 bytes each. Default 65,536.
    pub rate_clients: usize,
    /// `max-body`: bytes of a request's body, then 413. Default no limit: a body is streamed, so it
    /// takes no memory.
    pub body: Option<u64>,
    /// `max-request-line`, `max-field-line`, `max-fields`, `max-header`, `max-chunk-line` and
    /// `max-trailers`: of one message, request or reply.
    pub message: MessageLimits,
}

/// What backends are told about the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarding {
    /// `forwarded-for`: what happens to the `X-Forwarded-For`, `-Proto` and `-Host` fields of a
    /// trusted peer. Those of any other peer are replaced. Default append.
    pub forwarded_for: ForwardedFor,
    /// `forwarded`: also write `Forwarded` (RFC 7239). Default no.
    pub forwarded: bool,
    /// `via`: this proxy's name in the `Via` field, or off, though RFC 9110 §7.6.3 wants it in each
    /// request. Default `groundwire`.
    pub via: Option<Pseudonym>,
    /// `trust`: the peers whose `X-Forwarded-*` and `Forwarded` fields and PROXY protocol headers
    /// are believed. Default none.
    pub trust: Vec<Prefix>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listeners: Vec::new(),
            reuse_port: false,
            pools: Vec::new(),
            routes: Vec::new(),
            reject_unknown_host: false,
            timeouts: Timeouts::default(),
            limits: Limits::default(),
            allow: Vec::new(),
            deny: Vec::new(),
            forwarding: Forwarding::default(),
            connect_allow: Vec::new(),
            name_servers: Vec::new(),
            resolve_min: Duration::from_secs(1),
            resolve_max: Duration::from_secs(60),
            access_log: None,
            access_format: Format::Combined,
            admin: None,
            admin_token_file: None,
            metrics: None,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            header: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            body: Duration::from_secs(30),
            write: Duration::from_secs(30),
            tunnel: Duration::from_secs(3600),
            drain: Duration::from_secs(25),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            per_peer: None,
            rate: None,
            rate_burst: None,
            rate_clients: 65_536,
            body: None,
            message: MessageLimits::default(),
        }
    }
}

impl Limits {
    /// The limit of requests a second, if it is set.
    pub fn rate(&self) -> Option<RateConfig> {
        let per_second = self.rate?;
        Some(RateConfig {
            per_second,
            burst: self.rate_burst.unwrap_or(per_second),
            clients: self.rate_clients,
        })
    }
}

impl Default for Forwarding {
    fn default() -> Self {
        Self {
            forwarded_for: ForwardedFor::Append,
            forwarded: false,
            via: Some(Pseudonym::default()),
            trust: Vec::new(),
        }
    }
}

impl Config {
    /// Who may connect.
    pub fn access(&self) -> AccessList {
        AccessList::new(self.allow.clone(), self.deny.clone())
    }

    /// Whether to believe what this peer says about a client.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.forwarding
            .trust
            .iter()
            .any(|prefix| prefix.contains(peer))
    }

    /// The routes in the order in which they are tried; the numbers are indexes of
    /// [`pools`](Config::pools).
    pub fn router(&self) -> Router {
        let placed = self.routes.iter().filter_map(|route| {
            let pool = self.pools.iter().position(|pool| pool.name == route.pool)?;
            Some((route.clone(), pool))
        });
        Router::new(placed, self.reject_unknown_host)
    }
}
