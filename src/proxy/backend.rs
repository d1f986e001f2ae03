//! A backend: one address that answers requests, its idle connections, and its counts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::balance::stable_hash;
use super::config::PoolConfig;
use super::proxy_protocol::Version;
use crate::net::{
    ConnPool, Destination, Dialer, Error, Liveness, Network, PoolConfig as Kept, Pooled,
};
use crate::telemetry::{Counter, Histogram};

/// How long a kept connection may be idle before it is checked, for a request that may be repeated.
///
/// Bytes that a backend sends unasked would be taken for the next answer (RFC 9112 §9.2), so a
/// connection is checked when it is taken. No check is late enough: such bytes may arrive right
/// after it. For a connection that was idle for only milliseconds, the check gains little. Under
/// load it would be a fifth of all system calls, and connections are idle for no longer than that.
const RESTED: Duration = Duration::from_millis(10);

/// A backend's address and its limits: a line of the configuration, with its name looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name in logs and on pages: `10.0.0.7:9000`, `unix:/run/app.sock`.
    pub name: String,
    /// Where it is: an IP address and port, or the path of a Unix socket.
    pub destination: Destination,
    /// Its share of the requests.
    pub weight: u32,
    /// Its limit of requests in flight.
    pub max: Option<usize>,
    /// Whether it is used only when no other backend is in service.
    pub backup: bool,
}

impl Member {
    /// Whether both have the same name and address, whatever their weight and limits.
    pub(super) fn is_at_the_place_of(&self, other: &Member) -> bool {
        self.name == other.name && self.destination == other.destination
    }

    /// The network of its address.
    pub(super) fn network(&self) -> Network {
        match self.destination {
            Destination::Ip(_) => Network::Tcp,
            Destination::Text(_) => Network::Unix,
        }
    }

    /// The Host field for requests that have none: the name that led to the backend if there is
    /// one, else its address. A zone means something on this machine only, and a Unix socket has no
    /// host.
    pub fn host(&self) -> String {
        match (&self.destination, self.name.split_once('/')) {
            (Destination::Ip(address), Some((name, _))) => format!("{name}:{}", address.port()),
            (Destination::Ip(address), None) => {
                SocketAddr::new(address.ip(), address.port()).to_string()
            }
            (Destination::Text(_), _) => "localhost".into(),
        }
    }
}

/// What is counted of a backend. The numbers only grow.
#[derive(Debug, Default)]
pub struct Counts {
    /// Requests sent to it, including retries.
    pub requests: Counter,
    /// Responses by the first digit of their status, 1xx to 5xx.
    pub classes: [Counter; 5],
    /// Requests that failed because of it: no connection, no response, a broken or a late one.
    pub failures: Counter,
    /// Requests that were sent again, here or to another backend, after they failed at this one.
    pub retries: Counter,
    /// From the choice of this backend to the end of the response, in nanoseconds.
    pub latency: Arc<Histogram>,
}

/// A backend. Its health, which changes over time, is in its [`Pool`](super::Pool).
pub struct Backend {
    /// The configuration line that it was made from.
    pub member: Member,
    /// What was counted.
    pub counts: Arc<Counts>,
    /// Requests in flight. Grows under the pool's lock only, so that no maximum is exceeded.
    active: Arc<AtomicU32>,
    /// Its limit of requests in flight: its own, or the pool's.
    pub(super) max: Option<usize>,
    connect_timeout: Duration,
    kept: Kept,
    /// Whether connections begin with a header of the PROXY protocol. It is stored here because a
    /// request that began before a reload may get a backend from after it.
    pub(super) proxy_protocol: Option<Version>,
    /// [`Member::host`], for requests that have none.
    pub(super) host: String,
    pub(super) key: u64,
    pub(super) conns: ConnPool,
}

impl Backend {
    /// A backend that has not been used yet.
    pub fn new(member: Member, config: &PoolConfig) -> Self {
        let dialer = Dialer {
            timeout: Some(config.connect_timeout),
            ..Dialer::default()
        };
        // With the PROXY protocol a connection belongs to one client (the header names it).
        let shared = config.proxy_protocol.is_none();
        let kept = Kept {
            max_idle: if shared { config.keep_alive } else { 0 },
            idle_time: config.keep_alive_time,
            max_age: config.max_age,
        };
        let to = member.destination.clone();
        let conns = ConnPool::new(dialer, member.network(), to, kept.clone());
        Self {
            host: member.host(),
            key: stable_hash(member.name.as_bytes()),
            max: member.max.or(config.backend_connections),
            conns,
            member,
            counts: Arc::default(),
            active: Arc::default(),
            connect_timeout: config.connect_timeout,
            proxy_protocol: config.proxy_protocol,
            kept,
        }
    }

    /// The same backend with another configuration. It keeps its counts and its requests in flight;
    /// and its connections, if they would be made and kept in the same way.
    pub(super) fn by(&self, member: Member, config: &PoolConfig) -> Self {
        let new = Self::new(member, config);
        let alike = new.connect_timeout == self.connect_timeout && new.kept == self.kept;
        Self {
            counts: self.counts.clone(),
            active: self.active.clone(),
            conns: if alike { self.conns.clone() } else { new.conns },
            ..new
        }
    }

    /// Whether both are the same backend, perhaps in two configurations.
    pub(super) fn is(&self, other: &Backend) -> bool {
        Arc::ptr_eq(&self.counts, &other.counts)
    }

    /// Requests in flight.
    pub(super) fn active(&self) -> u32 {
        self.active.load(Ordering::Relaxed)
    }

    pub(super) fn is_full(&self) -> bool {
        self.max.is_some_and(|max| self.active() as usize >= max)
    }

    pub(super) fn begins(&self) {
        self.active.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn ends(&self) {
        self.active.fetch_sub(1, Ordering::Relaxed);
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.member.name
    }

    /// A connection: a kept one that seems alive, if there is one and `fresh` does not forbid it;
    /// else a new one.
    pub(super) fn connect(&self, fresh: bool, may_repeat: bool) -> Result<Pooled, Error> {
        if fresh {
            return self.conns.get_fresh();
        }
        self.conns.get(match may_repeat {
            true => Liveness::CheckAfter(RESTED),
            false => Liveness::Check,
        })
    }

    pub(super) fn count_response(&self, status: u16) {
        let class = usize::from(status / 100).wrapping_sub(1);
        if let Some(counter) = self.counts.classes.get(class) {
            counter.inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_field_is_the_name_or_the_address_without_a_zone() {
        let member = |name: &str, destination: Destination| Member {
            name: name.into(),
            destination,
            weight: 1,
            max: None,
            backup: false,
        };
        let ip = |text: &str| Destination::Ip(text.parse().unwrap());
        for (member, wanted) in [
            (member("10.0.0.7:90", ip("10.0.0.7:90")), "10.0.0.7:90"),
            (member("app/10.0.0.7:90", ip("10.0.0.7:90")), "app:90"),
            (member("app/[::1]:90", ip("[::1]:90")), "app:90"),
            (
                member("[fe80::1%lo]:90", ip("[fe80::1%1]:90")),
                "[fe80::1]:90",
            ),
            (
                member("unix:/run/a", Destination::Text("/run/a".into())),
                "localhost",
            ),
        ] {
            assert_eq!(member.host(), wanted);
        }
    }
}
