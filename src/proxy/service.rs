//! The load balancer as a whole: listeners bound, clients served, the configuration read again.

use std::fmt;
use std::io;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use super::backend::Member;
use super::config::{BackendAddress, Config, PoolConfig};
use super::handler::{Clients, Newcomers};
use super::setup::{Current, Setup};
use crate::net::{self, Addr, Deadline, Host, ListenConfig, Listener, Network};
use crate::server::{self, Server, Stats, Stopper, Totals};
use crate::telemetry::{Log, Registry};

/// How much longer than the drain the listeners' threads may take to end.
const AFTER_DRAIN: Duration = Duration::from_secs(3);
/// How long, after a stop, a connection that has sent nothing yet may take to send its first request.
const FIRST_REQUEST: Duration = Duration::from_millis(500);
/// The stack of a client's thread, in bytes.
const STACK: usize = 96 * 1024;

/// Why the load balancer cannot start, or go on with another configuration.
#[derive(Debug)]
pub enum StartError {
    /// It cannot listen.
    Listen(net::Error),
    /// The access log cannot be opened.
    AccessLog(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Listen(error) => error.fmt(f),
            StartError::AccessLog(error) => write!(f, "opening the access log: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// A load balancer that is bound and serves nobody yet.
pub struct LoadBalancer {
    current: Arc<Current>,
    listeners: Vec<(Listener, bool)>,
    server: server::Config,
    stats: Arc<Stats>,
}

impl LoadBalancer {
    /// Binds the listeners and puts the configuration to work. `server` says how threads run and
    /// where log lines go; its limits are those of `config`.
    pub fn bind(config: Config, mut server: server::Config) -> Result<Self, StartError> {
        server.max_connections = config.limits.connections;
        server.max_per_peer = config.limits.per_peer;
        server.access = config.access();
        server.drain = config.timeouts.drain;
        server.stack_size = STACK;
        let how = ListenConfig {
            reuse_port: config.reuse_port,
            ..ListenConfig::default()
        };
        let mut listeners = Vec::new();
        for listen in &config.listeners {
            let (network, address) = listen.address.parts();
            let listener = how.listen(network, &address).map_err(StartError::Listen)?;
            listeners.push((listener, listen.proxy_protocol));
        }
        let setup = put_to_work(config, None, &server.log)?;
        Ok(Self {
            current: Arc::new(Current::new(setup)),
            listeners,
            server,
            stats: Arc::default(),
        })
    }

    /// Where it listens.
    pub fn bound(&self) -> Vec<(Network, Addr)> {
        let all = self.listeners.iter();
        all.map(|(listener, _)| (listener.network(), listener.local_addr().clone()))
            .collect()
    }

    /// The setup at work, which [`reload`] replaces.
    pub fn current(&self) -> Arc<Current> {
        self.current.clone()
    }

    /// Puts its counters into a registry.
    pub fn register(&self, registry: &Registry) {
        self.stats.register(registry);
    }

    /// Serves until the stopper is used and all is drained; returns the totals. Fails when a thread
    /// cannot be started or a listener breaks, which stops the rest.
    pub fn run(self, stopper: &Stopper) -> io::Result<Totals> {
        let (tell, told) = mpsc::channel();
        let count = self.listeners.len();
        let mut newcomers = Vec::new();
        for (listener, behind_proxy) in self.listeners {
            let clients = Clients::new(self.current.clone(), behind_proxy);
            newcomers.push(clients.newcomers());
            let server = Server::new(self.server.clone(), clients)
                .stopped_by(stopper.clone())
                .counting_into(self.stats.clone());
            let (tell, stopper) = (tell.clone(), stopper.clone());
            let serve = move || {
                let ended = server.run(listener);
                stopper.stop(); // half a load balancer is none
                let _ = tell.send(ended);
            };
            thread::Builder::new()
                .name("listener".into())
                .spawn(serve)?;
        }
        stopper.wait();
        let until = Deadline::after(self.server.drain + AFTER_DRAIN);
        let moment = Deadline::after(FIRST_REQUEST.min(self.server.drain));
        let mut ended = 0;
        for limit in [moment, until] {
            while ended < count {
                match told.recv_timeout(limit.remaining().unwrap_or_default()) {
                    Ok(end) => drop(end?),
                    Err(_) => break, // the second time: stuck, so leave without it
                }
                ended += 1;
            }
            newcomers.iter().for_each(Newcomers::end);
        }
        if let Some(log) = &self.current.get().access_log {
            log.flush();
        }
        Ok(self.stats.totals())
    }
}

/// Puts another configuration to work, for all requests that begin from now on. What belongs to
/// listeners (addresses, limits of connections, access lists, the drain) stays as it was.
pub fn reload(current: &Current, config: Config, log: &Log) -> Result<(), StartError> {
    let older = current.get();
    current.replace(put_to_work(config, Some(&older), log)?);
    Ok(())
}

fn put_to_work(config: Config, older: Option<&Setup>, log: &Log) -> Result<Setup, StartError> {
    let members = config.pools.iter().map(members).collect();
    Setup::new(config, members, older, log).map_err(StartError::AccessLog)
}

fn members(pool: &PoolConfig) -> Vec<Member> {
    let member = |backend: &super::config::Backend| {
        let (network, name, destination) = match &backend.address {
            BackendAddress::Tcp(address) => match address.host {
                Host::Ip(ref ip) => {
                    let text = address.to_string();
                    let known = text.parse().map(net::Destination::Ip);
                    let _ = ip;
                    (
                        Network::Tcp,
                        text.clone(),
                        known.unwrap_or(net::Destination::from(text.as_str())),
                    )
                }
                _ => {
                    let text = address.to_string();
                    (
                        Network::Tcp,
                        text.clone(),
                        net::Destination::from(text.as_str()),
                    )
                }
            },
            BackendAddress::Unix(path) => (
                Network::Unix,
                format!("unix:{path}"),
                net::Destination::from(path.as_str()),
            ),
            BackendAddress::Service(_) => return None,
        };
        Some(Member {
            name,
            network,
            destination,
            weight: backend.weight,
            max: backend.max,
            backup: backend.backup,
        })
    };
    pool.backends.iter().filter_map(member).collect()
}
