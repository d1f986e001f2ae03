//! The service: everything that holds for all pools, and [`Config`], the whole.

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

/// A configuration that is whole: at least one listener, every pool has backends and a route, every
/// route a pool. [`Default`] is what the lines begin from: without any of these.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `listen`: where clients connect.
    pub listeners: Vec<Listen>,
    /// `reuse-port`: another process may listen on the same ports (`SO_REUSEPORT`), so that a new one
    /// takes over while this one drains. Default no.
    pub reuse_port: bool,
    /// `pool`: the named sets of backends.
    pub pools: Vec<PoolConfig>,
    /// `route`: which pool answers what.
    pub routes: Vec<Route>,
    /// `reject-unknown-host`: 421 for a host that no route names. Default no.
    pub reject_unknown_host: bool,
    /// How long a client may take.
    pub timeouts: Timeouts,
    /// How much a client may send and ask.
    pub limits: Limits,
    /// `allow`: only these may connect, if there are any.
    pub allow: Vec<Prefix>,
    /// `deny`: these may not; wins over `allow`.
    pub deny: Vec<Prefix>,
    /// What is told to backends about the client.
    pub forwarding: Forwarding,
    /// `connect-allow`: the targets of CONNECT; without any the method is refused.
    pub connect_allow: Vec<HostPort>,
    /// `name-server`: whom to ask for the names of backends; without any, those of
    /// `/etc/resolv.conf`.
    pub name_servers: Vec<SocketAddr>,
    /// `resolve-min`: a name is not asked for more often, however short its TTL. Default 1 s.
    pub resolve_min: Duration,
    /// `resolve-max`: and not less often, however long. Default 1 minute.
    pub resolve_max: Duration,
    /// `access-log`: where a line for each request goes. Default nowhere.
    pub access_log: Option<LogTarget>,
    /// `access-format`: what stands on it. Default combined.
    pub access_format: Format,
    /// `admin`: where the status page is. Default nowhere.
    pub admin: Option<ListenAddress>,
    /// `admin-token-file`: the file with the token that lets somebody drain and enable backends from
    /// elsewhere than this machine. Default none, so nobody may.
    pub admin_token_file: Option<String>,
    /// `metrics`: where `/metrics` is without the status page. Default nowhere.
    pub metrics: Option<ListenAddress>,
}

/// How long things on the client's side may take. None may be zero but `drain`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// `header-timeout`: from the first byte of a header section to its last; a slow sender cannot
    /// renew it. Then 408. Default 10 s.
    pub header: Duration,
    /// `idle-timeout`: from an answer to the next request's first byte, and from the connection's
    /// start to its first. Then a close. Default 60 s.
    pub idle: Duration,
    /// `body-timeout`: silence in the middle of a request's body. Then 408. Default 30 s.
    pub body: Duration,
    /// `write-timeout`: how long a client or a backend may take for each part of up to 64 KiB that is
    /// written to it. Default 30 s.
    pub write: Duration,
    /// `tunnel-timeout`: silence in both directions of an upgraded connection or a CONNECT. Default
    /// 1 hour.
    pub tunnel: Duration,
    /// `drain`: after a signal, how long running requests may take. Default 25 s: an orchestrator
    /// commonly kills after 30. 0 cuts at once.
    pub drain: Duration,
}

/// How much clients may ask for. Where 0 on a line means no limit, the field is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `max-connections`: of all clients together; a connection more is closed with 503. Default
    /// 10,000.
    pub connections: usize,
    /// `max-per-peer`: of one address (IPv6: of one /64); one more is closed with 429. Behind the PROXY
    /// protocol that of the client. Default no limit.
    pub per_peer: Option<usize>,
    /// `rate-limit`: requests a second of one address (IPv6: of one /64), then 429. Default no limit.
    pub rate: Option<u32>,
    /// `rate-burst`: requests at once after a pause. Default as many as `rate-limit`.
    pub rate_burst: Option<u32>,
    /// `rate-clients`: how many addresses are remembered for that, 40 bytes each. Default 65,536.
    pub rate_clients: usize,
    /// `max-body`: bytes of a request's body, then 413. Default no limit: a body is streamed, so it
    /// takes no memory here.
    pub body: Option<u64>,
    /// `max-request-line`, `max-field-line`, `max-fields`, `max-header`, `max-chunk-line` and
    /// `max-trailers`: of one message, a request as well as a reply.
    pub message: MessageLimits,
}

/// What is told to backends about the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarding {
    /// `forwarded-for`: what becomes of the `X-Forwarded-For`, `-Proto` and `-Host` fields that a
    /// trusted peer sends. Anybody else's are replaced. Default append.
    pub forwarded_for: ForwardedFor,
    /// `forwarded`: also write `Forwarded` (RFC 7239). Default no.
    pub forwarded: bool,
    /// `via`: our name in the `Via` field (RFC 9110 §7.6.3), or off. Default `groundwire`.
    pub via: Option<Pseudonym>,
    /// `trust`: the peers whose `X-Forwarded-*` and `Forwarded` fields and PROXY protocol headers
    /// are believed. Default nobody's.
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
    /// The limit of requests a second, if there is one.
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

    /// Whether what this peer says about a client is believed.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.forwarding
            .trust
            .iter()
            .any(|prefix| prefix.contains(peer))
    }

    /// The routes as they are tried; the numbers are places in [`pools`](Config::pools).
    pub fn router(&self) -> Router {
        let placed = self.routes.iter().filter_map(|route| {
            let pool = self.pools.iter().position(|pool| pool.name == route.pool)?;
            Some((route.clone(), pool))
        });
        Router::new(placed, self.reject_unknown_host)
    }
}
