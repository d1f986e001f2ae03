//! The authoritative server: zones, sockets, and the parts between them.
//!
//! [`answer`](super::answer), which is pure, decides the answer to a query. This folder has the
//! rest of a server's life: the clients that ask too much, counters and logs, and the replacement
//! of zones while queries come.
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
//! - Each UDP worker has a socket of its own on the same port (SO_REUSEPORT). It takes up to 32
//!   datagrams with one system call, answers them in place, and sends the replies with another.
//! - TCP uses the [`server`](crate::server) room: limits, deadlines, drain.
//! - When stopped, the server drains TCP as that room does, and answers the datagrams that came
//!   before the stop.
//!
//! Reading order: `zone_files`, `current`, `answerer` with `reply_octets` (pure), `udp`, `tcp` with
//! `frames` (pure), then `rate_limit` (pure) and `limiter`, `counts`, `query_log`, `sockets`.

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

pub use rate_limit::RateConfig;
pub use sockets::Place;
pub use zone_files::{Faults, Loaded, Reloader, ZoneFile};

use crate::net::{Addr, DatagramSocket, Deadline, Listener, Network, Prefix};
use crate::server::{
    Config as TcpConfig, DatagramConfig, DatagramServer, DatagramStats, Server, Stats, Stopper,
    ended, no_thread,
};
use crate::telemetry::{Log, Registry};
use answerer::Shared;
use counts::Counts;
use current::Current;
use limiter::Limiter;
use tcp::TcpHandler;
use udp::UdpHandler;

/// The longest query over UDP, in octets; longer ones are dropped and counted. Most have about 50.
const MAX_QUERY: usize = 4096;
/// After a stop: how long to wait for the UDP workers, which answer for half a second at most.
const AFTER_STOP: Duration = Duration::from_secs(2);

/// The configuration of a [`DnsServer`].
#[derive(Clone, Debug)]
pub struct Config {
    /// Connections: name, log, limits, access, drain. Datagrams use the same name, log, access and
    /// scheduling.
    pub tcp: TcpConfig,
    /// The log of reloads and transfers. Default none.
    pub log: Log,
    /// The next query of a TCP connection has to be complete within this time. Default 10 s.
    pub idle: Duration,
    /// TCP clients have to take their answers within this time. Default 10 s.
    pub write: Duration,
    /// The networks whose clients may have whole zones. Default none.
    pub transfer: Vec<Prefix>,
    /// Response rate limiting of UDP. Default none.
    pub rate: Option<RateConfig>,
    /// The longest reply over UDP, in octets, even if the client allows more. Default
    /// [`SAFE_UDP`](super::SAFE_UDP).
    pub udp_size: u16,
    /// The query log: a line for each query. Default none.
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
    /// A server of these zones on these sockets, with a UDP worker thread for each
    /// ([`Place::bind`]). The warnings of `loaded` are for the caller to show.
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

    /// The addresses at which it listens.
    pub fn bound(&self) -> Vec<(Network, Addr)> {
        let places = self.places.iter().flat_map(|place| {
            let address = place.listener.local_addr();
            [Network::Udp, Network::Tcp].map(|network| (network, address.clone()))
        });
        places.collect()
    }

    /// Adds its counters to a registry.
    pub fn register(&self, registry: &Registry) {
        self.shared.counts.register(registry);
        self.register_serials(registry);
        self.connections.register(registry);
        self.datagrams.register(registry);
    }

    /// A gauge for each zone present at the start; 0 if a reload has removed the zone.
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

    /// Reads these files again when it is told to.
    pub fn reloader(&self, files: Vec<ZoneFile>) -> Reloader {
        Reloader::new(files, self.shared.clone())
    }

    /// Answers until the stopper is used and the drain is over; returns the totals. Fails if a
    /// thread cannot be started or a socket breaks; then the other threads stop, too.
    pub fn run(mut self, stopper: &Stopper) -> io::Result<Totals> {
        let (tell, told) = mpsc::channel();
        let threads = Threads {
            tell,
            stopper: stopper.clone(),
        };
        let mut served = self.start(&threads);
        if served.is_err() {
            stopper.stop(); // never run with only some of the sockets
        }
        drop(threads); // so that `told` ends with the last of them
        stopper.wait();
        let until = Deadline::after(self.config.tcp.drain.saturating_add(AFTER_STOP));
        // A thread that is stuck is left behind.
        while let Ok(end) = told.recv_timeout(until.remaining().unwrap_or(Duration::MAX)) {
            served = served.and(end);
        }
        served?;
        Ok(Totals {
            counts: self.shared.counts.clone(),
            datagrams: self.datagrams,
            connections: self.connections,
        })
    }

    /// Starts the threads of all sockets.
    fn start(&mut self, threads: &Threads) -> io::Result<()> {
        let mut workers = 0;
        for place in std::mem::take(&mut self.places) {
            self.start_tcp(place.listener, threads)?;
            for socket in place.sockets {
                self.start_udp(socket, workers, threads)?;
                workers += 1;
            }
        }
        Ok(())
    }

    fn start_tcp(&self, listener: Listener, threads: &Threads) -> io::Result<()> {
        let handler = TcpHandler {
            shared: self.shared.clone(),
            idle: self.config.idle,
            write: self.config.write,
        };
        let server = Server::new(self.config.tcp.clone(), handler)
            .stopped_by(threads.stopper.clone())
            .counting_into(self.connections.clone());
        threads.start("tcp", move || server.run(listener).map(drop))
    }

    /// Starts the UDP worker with this number.
    fn start_udp(
        &self,
        socket: DatagramSocket,
        worker: usize,
        threads: &Threads,
    ) -> io::Result<()> {
        let tcp = &self.config.tcp;
        let config = DatagramConfig {
            name: tcp.name.clone(),
            log: tcp.log.clone(),
            max_datagram: MAX_QUERY,
            access: tcp.access.clone(),
            questions_only: true,
            // A worker that waits its turn finds more queries, and fewer system calls take them all.
            scheduling: Some(tcp.scheduling),
        };
        let handler = UdpHandler::new(self.shared.clone(), worker);
        let server =
            DatagramServer::new(config, socket, handler).counting_into(self.datagrams.clone());
        let stopper = threads.stopper.clone();
        threads.start("udp", move || server.run(&stopper))
    }
}

/// Starts the threads of a server.
struct Threads {
    /// Gets the outcome of each.
    tell: mpsc::Sender<io::Result<()>>,
    stopper: Stopper,
}

impl Threads {
    fn start(
        &self,
        name: &str,
        serve: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> io::Result<()> {
        let (tell, stopper) = (self.tell.clone(), self.stopper.clone());
        let run = move || {
            // If one thread ends, even by a panic, all end: half a server is worse than none.
            let _stop = StopAtEnd(stopper);
            let _ = tell.send(ended(serve));
        };
        let thread = thread::Builder::new().name(name.into());
        thread.spawn(run).map(drop).map_err(no_thread)
    }
}

/// Stops the server when a thread of it ends.
struct StopAtEnd(Stopper);

impl Drop for StopAtEnd {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// The totals of a server; displays as its last line.
pub struct Totals {
    counts: Arc<Counts>,
    datagrams: Arc<DatagramStats>,
    connections: Arc<Stats>,
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.counts.fmt(f)?;
        // Replies are counted when they are made; the sockets count those that could not be sent.
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
