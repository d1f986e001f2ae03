//! The authoritative server: zones, sockets, and what stands between them.
//!
//! What the answer to a query is, is decided by [`answer`](super::answer), which is pure. Here is the
//! rest of a server's life: who asks too much, what is counted and logged, and how the zones change
//! while queries come.
//!
//! ```text
//!   UDP  ──> worker 1 ─┐   Shared                ┌─ Current: the zones, replaced as a whole
//!        ──> worker 2 ─┼─> reply(zones, query) ──┼─ Limiter: replies by network and kind (UDP only)
//!   TCP  ──> a thread ─┘                         ├─ Counts: a tally for each worker
//!            each                                └─ the query log
//!
//!   SIGHUP ──> Reloader ──> all files read ──> good: Current::replace     bad: a line each, no change
//! ```
//!
//! - UDP workers have a socket each on the same port (SO_REUSEPORT), take up to 32 datagrams with one
//!   system call, answer them where they lie and send the replies with another.
//! - TCP goes through the [`server`](crate::server) room: limits, deadlines, drain.
//! - A stop ends TCP as there, and answers the datagrams that had come by then.
//!
//! Reading order: `zone_files`, `current`, `answerer`, `udp`, `tcp` with `frames`, then what
//! surrounds them: `rate_limit` (pure) and `limiter`, `counts`, `query_log`, `sockets`.

mod answerer;
mod counts;
mod current;
mod frames;
mod limiter;
mod query_log;
mod rate_limit;
mod reply_octets;
mod sockets;
mod tcp;
mod udp;
mod zone_files;

use std::fmt;
use std::io;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

pub use rate_limit::{RateConfig, RateLimit, ReplyKind, Verdict};
pub use sockets::Place;
pub use zone_files::{Faults, Loaded, Reloader, ZoneFile};

use crate::net::{Addr, Deadline, Network, Prefix};
use crate::server::{
    Config as TcpConfig, DatagramConfig, DatagramServer, DatagramStats, Server, Stats, Stopper,
};
use crate::telemetry::{Log, Registry};
use answerer::Shared;
use counts::Counts;
use current::Current;
use limiter::Limiter;
use tcp::TcpHandler;
use udp::UdpHandler;

/// The longest query over UDP, in octets; longer ones are dropped and counted. A usual one has 50.
const MAX_QUERY: usize = 4096;
/// After a stop: how long the workers of UDP may take, which answer for half a second at most.
const AFTER_STOP: Duration = Duration::from_secs(2);

/// The configuration of a [`DnsServer`].
#[derive(Clone, Debug)]
pub struct Config {
    /// Connections: name, log, limits, access, drain. Datagrams have the same name, log, access and
    /// scheduling (for them `Auto` is batch: they have no connections to count).
    pub tcp: TcpConfig,
    /// Where reloads and transfers are told of. Default nowhere.
    pub log: Log,
    /// Within this time the next query of a TCP connection has to be whole. Default 10 s.
    pub idle: Duration,
    /// Within this time TCP clients have to take their answers. Default 10 s.
    pub write: Duration,
    /// Threads for UDP at each address, a socket each. Default 2.
    pub workers: usize,
    /// Who may have whole zones. Default nobody.
    pub transfer: Vec<Prefix>,
    /// Response rate limiting of UDP. Default none.
    pub rate: Option<RateConfig>,
    /// The longest reply over UDP, in octets, however much the asker takes. Default
    /// [`SAFE_UDP`](super::SAFE_UDP).
    pub udp_size: u16,
    /// Where a line for each query goes. Default nowhere.
    pub query_log: Option<Log>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            tcp: TcpConfig {
                name: "dns-server".into(),
                ..TcpConfig::default()
            },
            log: Log::off(),
            idle: Duration::from_secs(10),
            write: Duration::from_secs(10),
            workers: 2,
            transfer: Vec::new(),
            rate: None,
            udp_size: super::SAFE_UDP,
            query_log: None,
        }
    }
}

/// A server that is bound and has its zones, but does not answer yet.
pub struct DnsServer {
    config: Config,
    places: Vec<Place>,
    shared: Arc<Shared>,
    connections: Arc<Stats>,
    datagrams: Arc<DatagramStats>,
}

impl DnsServer {
    /// A server of these zones at these places.
    pub fn new(config: Config, loaded: Loaded, places: Vec<Place>) -> Self {
        let workers = places.iter().map(|place| place.sockets.len()).sum();
        let shared = Shared {
            name: config.tcp.name.clone(),
            log: config.log.clone(),
            query_log: config.query_log.clone(),
            current: Current::new(loaded.zones),
            counts: Arc::new(Counts::new(workers)),
            limiter: config.rate.map(Limiter::new),
            udp_size: config.udp_size,
            transfer: config.transfer.clone(),
        };
        shared.counts.loaded_now();
        Self {
            config,
            places,
            shared: Arc::new(shared),
            connections: Arc::default(),
            datagrams: Arc::default(),
        }
    }

    /// Where it listens.
    pub fn bound(&self) -> Vec<(Network, Addr)> {
        let places = self.places.iter().flat_map(|place| {
            let address = place.listener.local_addr();
            [Network::Udp, Network::Tcp].map(|network| (network, address.clone()))
        });
        places.collect()
    }

    /// Puts its counters into a registry.
    pub fn register(&self, registry: &Registry) {
        self.shared.counts.register(registry);
        self.register_serials(registry);
        self.connections.register(registry);
        self.datagrams.register(registry);
    }

    /// A gauge for each zone that is there at the start; 0 when a reload has put another in its place.
    fn register_serials(&self, registry: &Registry) {
        let (name, help) = ("groundwire_dns_zone_serial", "The serial of a zone.");
        for zone in self
            .shared
            .current
            .hold()
            .zones(&self.shared.current)
            .iter()
        {
            let (shared, apex) = (self.shared.clone(), zone.apex().clone());
            let label = apex.to_string();
            registry.gauge_fn(name, help, &[("zone", &label)], move || {
                let mut held = shared.current.hold();
                let zone = held.zones(&shared.current).at(&apex);
                zone.map_or(0, |zone| zone.serial().into())
            });
        }
    }

    /// What reads these files again, whenever it is told to.
    pub fn reloader(&self, files: Vec<ZoneFile>) -> Reloader {
        Reloader::new(files, self.shared.clone())
    }

    /// Answers until the stopper is used and all is drained; returns the totals. Fails when a thread
    /// cannot be started or a socket breaks, which stops the rest.
    pub fn run(self, stopper: &Stopper) -> io::Result<Totals> {
        let (tell, told) = mpsc::channel();
        let mut threads = 0;
        let mut start = |name: &str, serve: Box<dyn FnOnce() -> io::Result<()> + Send>| {
            let (tell, stopper) = (tell.clone(), stopper.clone());
            threads += 1;
            let run = move || {
                // Whatever ends one of them, a panic included, ends all: half a server is none.
                let _stop = StopAtEnd(stopper);
                let _ = tell.send(serve());
            };
            thread::Builder::new()
                .name(name.into())
                .spawn(run)
                .map(drop)
        };
        let mut tally = 0;
        for place in self.places {
            let handler = TcpHandler {
                shared: self.shared.clone(),
                idle: self.config.idle,
                write: self.config.write,
            };
            let server = Server::new(self.config.tcp.clone(), handler)
                .stopped_by(stopper.clone())
                .counting_into(self.connections.clone());
            let listener = place.listener;
            start("tcp", Box::new(move || server.run(listener).map(drop)))?;
            for socket in place.sockets {
                let config = DatagramConfig {
                    name: self.config.tcp.name.clone(),
                    log: self.config.tcp.log.clone(),
                    max_datagram: MAX_QUERY,
                    access: self.config.tcp.access.clone(),
                    questions_only: true,
                };
                let handler = UdpHandler::new(self.shared.clone(), tally);
                tally += 1;
                let server = DatagramServer::new(config, socket, handler)
                    .counting_into(self.datagrams.clone());
                let (scheduling, stopper) = (self.config.tcp.scheduling, stopper.clone());
                start(
                    "udp",
                    Box::new(move || udp::run(server, scheduling, &stopper)),
                )?;
            }
        }
        stopper.wait();
        let until = Deadline::after(self.config.tcp.drain + AFTER_STOP);
        for _ in 0..threads {
            let left = until.remaining().unwrap_or_default();
            match told.recv_timeout(left) {
                Ok(ended) => ended?,
                Err(_) => break, // stuck, or ended by a panic: leave without it
            }
        }
        Ok(Totals {
            counts: self.shared.counts.clone(),
            datagrams: self.datagrams,
            connections: self.connections,
        })
    }
}

/// Stops the server when a thread of it ends.
struct StopAtEnd(Stopper);

impl Drop for StopAtEnd {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// What a server has done; displays as the line at its end.
pub struct Totals {
    counts: Arc<Counts>,
    datagrams: Arc<DatagramStats>,
    connections: Arc<Stats>,
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.counts.fmt(f)?;
        // A reply is counted when it is made; what became of it the socket says.
        match self.datagrams.failed.get() {
            0 => {}
            failed => write!(f, ", not sent {failed}")?,
        }
        write!(f, "; connections {}", self.connections.totals())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_that_could_not_be_sent_are_told_when_there_are_any() {
        let totals = Totals {
            counts: Arc::default(),
            datagrams: Arc::default(),
            connections: Arc::default(),
        };
        let whole = totals.to_string();
        assert!(whole.contains(", reloads 0; connections"), "{whole}");
        totals.datagrams.failed.add(3);
        let short = totals.to_string();
        assert!(
            short.contains(", reloads 0, not sent 3; connections"),
            "{short}"
        );
    }
}
