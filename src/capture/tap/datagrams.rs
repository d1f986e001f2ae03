//! The relay of datagrams: one socket for all clients, and one to the target for each client.
//!
//! There are no connections, so a client is an address from which a datagram came. It is forgotten
//! when nothing has passed for the idle time-out. Datagrams that are delayed, throttled or
//! reordered wait in one [`Lane`]; if it has no room, they are lost, as in a router whose queue is
//! full.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use super::conversation::ends;
use super::fault::{HOLD, Plan};
use super::lane::Lane;
use super::recorder::{Event, Recorder, Track};
use super::relay::{MOST_ON_THE_WAY, Passed, RelayConfig};
use crate::capture::flow::Direction;
use crate::net::{Addr, DatagramSocket, Deadline, dial_datagrams, plain_words};
use crate::server::{Stopper, is_due, lock, no_thread};
use crate::telemetry::{Counter, Level, Log};

/// The longest datagram that is passed on, in bytes: more than IP carries, and as much as a Unix
/// socket sends by default.
const LONGEST: usize = 256 * 1024;
/// How long a client is remembered if [`RelayConfig::idle`] is not set.
pub const IDLE: Duration = Duration::from_secs(60);
/// How long a Unix peer with a full queue may take to make room before the datagram is lost.
const PATIENCE: Duration = Duration::from_secs(1);
const STACK: usize = 128 * 1024;

/// What was passed on.
#[derive(Debug, Default)]
pub struct DatagramTotals {
    clients: AtomicU64,
    to_target: Counter,
    to_client: Counter,
    lost: Counter,
    failed: Counter,
    bytes: Passed,
}

impl fmt::Display for DatagramTotals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clients = self.clients.load(Ordering::Relaxed);
        let [there, back] = [&self.to_target, &self.to_client].map(Counter::get);
        let bytes = [&self.bytes.to_target, &self.bytes.to_client].map(Counter::get);
        let [lost, failed] = [&self.lost, &self.failed].map(Counter::get);
        write!(
            f,
            "clients {clients}, to target {there} ({} bytes), to client {back} ({} bytes), \
             lost {lost}, failed {failed}",
            bytes[0], bytes[1]
        )
    }
}

/// A relay of datagrams that has not started yet.
pub struct DatagramRelay {
    config: RelayConfig,
    recorder: Arc<Recorder>,
    log: Log,
    socket: DatagramSocket,
    most_clients: usize,
    totals: Arc<DatagramTotals>,
    clients: Mutex<HashMap<Addr, Arc<Client>>>,
    lane: Option<Lane<Datagram>>,
    begun: Instant,
    /// When the log last had a warning about a client or a datagram.
    complained: Mutex<Option<Instant>>,
}

struct Client {
    /// Its number, from 0.
    number: u64,
    address: Addr,
    /// Connected to the target.
    socket: DatagramSocket,
    track: Track,
    forward: Mutex<Plan>,
    back: Mutex<Plan>,
    /// When something last passed, in milliseconds since the relay began.
    active: AtomicU64,
}

/// A datagram on its way.
struct Datagram {
    client: Arc<Client>,
    way: Direction,
    bytes: Vec<u8>,
}

impl DatagramRelay {
    /// A relay on a bound socket. It serves at most `most_clients` at a time.
    pub fn new(
        config: RelayConfig,
        recorder: Arc<Recorder>,
        log: Log,
        socket: DatagramSocket,
        most_clients: usize,
    ) -> Self {
        let begun = Instant::now();
        let is_slow = [Direction::Forward, Direction::Back]
            .iter()
            .any(|way| Plan::new(&config.faults, config.seed, 0, *way).holds_datagrams());
        Self {
            lane: is_slow.then(|| Lane::new(begun, MOST_ON_THE_WAY)),
            config,
            recorder,
            log,
            socket,
            most_clients,
            totals: Arc::default(),
            clients: Mutex::default(),
            begun,
            complained: Mutex::default(),
        }
    }

    /// The counters.
    pub fn totals(&self) -> Arc<DatagramTotals> {
        self.totals.clone()
    }

    /// Passes datagrams on, on this thread and one more per client, until `stopper` is used;
    /// datagrams still on their way are lost. Fails if the socket breaks or a thread cannot be
    /// started.
    pub fn run(self, stopper: &Stopper) -> io::Result<()> {
        let (closing, watched) = (self.socket.clone(), stopper.clone());
        let closer = thread::Builder::new().name("stop".into()).stack_size(STACK);
        let closer = closer.spawn(move || {
            watched.wait();
            closing.close();
        });
        closer.map_err(no_thread)?;
        let result = thread::scope(|scope| {
            let result = self.start_lane(scope).and_then(|()| self.receive(scope));
            for client in self.clients().values() {
                client.socket.close();
            }
            if let Some(lane) = &self.lane {
                lane.close();
            }
            result
        });
        stopper.stop(); // so that others that wait for it learn of a broken socket
        result
    }

    fn start_lane<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) -> io::Result<()> {
        let Some(lane) = &self.lane else {
            return Ok(());
        };
        let thread = thread::Builder::new()
            .name("delayed".into())
            .stack_size(STACK);
        let deliver = move || {
            while let Some(Datagram { client, way, bytes }) = lane.pop() {
                self.deliver(&client, way, &bytes);
            }
        };
        let started = thread.spawn_scoped(scope, deliver).map(drop);
        started.map_err(no_thread)
    }

    /// Receives the datagrams of all clients.
    fn receive<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) -> io::Result<()> {
        let mut buffer = vec![0; LONGEST];
        loop {
            let (count, peer) = match self.socket.recv_from(&mut buffer) {
                Ok(datagram) => datagram,
                Err(_) if self.socket.is_closed() => return Ok(()),
                Err(error) => return Err(error),
            };
            let known = self.known(&peer);
            let client = known.map_or_else(|| self.admit(scope, peer), Ok);
            match client {
                Ok(client) => {
                    let bytes = buffer.get_mut(..count).unwrap_or_default();
                    self.through(&client, Direction::Forward, bytes);
                }
                // Logged even without -v, as a failed connection is; but not for each datagram.
                Err(error) => self.failed(self.level(), "a client is not served", &error),
            }
        }
    }

    /// Adds a new client.
    fn admit<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        address: Addr,
    ) -> io::Result<Arc<Client>> {
        if self.clients().len() >= self.most_clients {
            return Err(io::Error::other("too many clients"));
        }
        let client = Arc::new(self.client(address.clone())?);
        // Before its thread starts: that takes it out again, perhaps at once.
        self.clients().insert(address, client.clone());
        let (replies, thread) = (client.clone(), thread::Builder::new());
        let thread = thread.name("replies".into()).stack_size(STACK);
        if let Err(error) = thread.spawn_scoped(scope, move || self.replies(&replies)) {
            self.clients().remove(&client.address);
            return Err(no_thread(error));
        }
        Ok(client)
    }

    /// The client at this address, if there is one. It is not idle now, so it is not forgotten
    /// before its datagram has passed.
    fn known(&self, address: &Addr) -> Option<Arc<Client>> {
        let clients = self.clients();
        let client = clients.get(address)?;
        self.moved(client);
        Some(client.clone())
    }

    /// Forgets a client if it is idle. Under the lock, as above: a datagram that came meanwhile would
    /// else go out, and nobody would wait for its reply.
    fn forget_if_idle(&self, client: &Client) -> bool {
        let mut clients = self.clients();
        let is_idle = self.idle_end(client).passed();
        if is_idle {
            clients.remove(&client.address);
        }
        is_idle
    }

    /// The client gets a socket of its own, so that the target can tell it from the others.
    fn client(&self, address: Addr) -> io::Result<Client> {
        let (network, target) = &self.config.target;
        let socket = dial_datagrams(*network, target)?;
        let number = self.totals.clients.fetch_add(1, Ordering::Relaxed);
        let to = socket.peer_addr().ok().and_then(|peer| peer.ip());
        let track = self
            .recorder
            .datagrams(number, ends(address.ip(), to, number));
        self.recorder
            .record(&track, Event::Opened(&address.to_string(), target));
        let plan = |way| {
            Mutex::new(Plan::new(
                &self.config.faults,
                self.config.seed,
                number,
                way,
            ))
        };
        Ok(Client {
            number,
            address,
            socket,
            track,
            forward: plan(Direction::Forward),
            back: plan(Direction::Back),
            // The present time: with 0, a relay older than the idle time-out would forget the
            // client in the thread below before its first datagram.
            active: AtomicU64::new(self.begun.elapsed().as_millis() as u64),
        })
    }

    /// Receives what the target sends to one client, until the client is forgotten.
    fn replies(&self, client: &Arc<Client>) {
        let mut buffer = vec![0; LONGEST];
        loop {
            client.socket.set_read_deadline(self.idle_end(client));
            match client.socket.recv(&mut buffer) {
                Ok(count) => {
                    let bytes = buffer.get_mut(..count).unwrap_or_default();
                    self.through(client, Direction::Back, bytes);
                }
                // An ICMP "port unreachable": the target is not there now, but may be later.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    self.totals.failed.inc();
                    self.recorder
                        .record(&client.track, Event::Note("<- refused"));
                }
                Err(error) if error.kind() == ErrorKind::TimedOut => {
                    if self.forget_if_idle(client) {
                        return;
                    }
                }
                Err(_) => {
                    self.clients().remove(&client.address); // closed or broken
                    return;
                }
            }
        }
    }

    fn idle_end(&self, client: &Client) -> Deadline {
        let active = Duration::from_millis(client.active.load(Ordering::Relaxed));
        let idle = self.config.idle.unwrap_or(IDLE);
        let end = self
            .begun
            .checked_add(active)
            .and_then(|last| last.checked_add(idle));
        end.map_or(Deadline::NEVER, Deadline::at)
    }

    /// Applies the faults to a datagram and passes it on.
    fn through(&self, client: &Arc<Client>, way: Direction, bytes: &mut [u8]) {
        let now = self.moved(client);
        let plan = match way {
            Direction::Forward => &client.forward,
            Direction::Back => &client.back,
        };
        let fate = lock(plan).datagram(now, bytes);
        if fate.copies == 0 {
            self.totals.lost.inc();
        }
        for copy in 0..fate.copies {
            let Some(lane) = &self.lane else {
                self.deliver(client, way, bytes);
                continue;
            };
            let datagram = Datagram {
                client: client.clone(),
                way,
                bytes: bytes.to_vec(),
            };
            let wait = if fate.held { HOLD } else { Duration::ZERO };
            // Datagrams of other clients, and of the other direction, overtake nothing here.
            let flow = client.number * 2 + u64::from(way == Direction::Back);
            // An empty datagram takes room, too.
            let size = bytes.len() + 64;
            if !lane.offer(fate.due + wait, size, datagram, (flow, fate.held)) {
                self.totals.lost.inc();
                if copy == 0 {
                    lock(plan).lost(bytes.len());
                }
            }
        }
    }

    /// Something came from the client or was sent either way: the client is not idle.
    fn moved(&self, client: &Client) -> Duration {
        let now = self.begun.elapsed();
        let millis = now.as_millis() as u64;
        client.active.store(millis, Ordering::Relaxed);
        now
    }

    fn deliver(&self, client: &Client, way: Direction, bytes: &[u8]) {
        self.moved(client);
        self.recorder
            .record(&client.track, Event::Passed(way, bytes));
        let (socket, count) = match way {
            Direction::Forward => (&client.socket, &self.totals.to_target),
            Direction::Back => (&self.socket, &self.totals.to_client),
        };
        socket.set_write_deadline(Deadline::after(PATIENCE));
        let send = || match way {
            Direction::Forward => socket.send(bytes),
            Direction::Back => socket.send_to(bytes, &client.address),
        };
        // An ICMP error caused by an earlier datagram is reported in place of sending this one.
        let sent = match send() {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => send(),
            other => other,
        };
        match sent {
            Ok(_) => {
                count.inc();
                self.totals.bytes.add(way, bytes.len());
            }
            Err(error) => {
                let level = match error.kind() {
                    ErrorKind::ConnectionRefused => Level::Debug, // the target is not there
                    _ => self.level(),
                };
                self.failed(level, "a datagram was not passed on", &error);
            }
        }
    }

    /// A warning, but only now and then.
    fn level(&self) -> Level {
        match is_due(&self.complained) {
            true => Level::Warn,
            false => Level::Info,
        }
    }

    fn failed(&self, level: Level, what: &str, error: &io::Error) {
        self.totals.failed.inc();
        let cause = plain_words(error);
        self.log.write(level, "wiretap", what, &[("cause", &cause)]);
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<Addr, Arc<Client>>> {
        lock(&self.clients)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::tap::Show;
    use crate::capture::tap::fault::Faults;
    use crate::net::{Dialer, ListenConfig, Network};

    fn relay(idle: Duration) -> DatagramRelay {
        let listen = || ListenConfig::default().listen_datagrams(Network::Udp, "127.0.0.1:0");
        let config = RelayConfig {
            target: (Network::Udp, "127.0.0.1:9".into()),
            dialer: Dialer::default(),
            faults: Faults::default(),
            seed: 0,
            idle: Some(idle),
        };
        let recorder = Recorder::new(Show::None, 0, Vec::new(), Log::off());
        let (recorder, socket) = (Arc::new(recorder), listen().unwrap());
        DatagramRelay::new(config, recorder, Log::off(), socket, usize::MAX)
    }

    fn address(number: u16) -> Addr {
        Addr::Ip(([127, 0, 0, 1], number).into())
    }

    #[test]
    fn a_client_that_is_idle_at_once_is_forgotten() {
        let relay = relay(Duration::ZERO);
        thread::scope(|scope| {
            for number in 1..=1000 {
                relay.admit(scope, address(number)).unwrap();
            }
        });
        assert_eq!(relay.clients().len(), 0);
    }

    #[test]
    fn a_client_that_sends_again_is_not_forgotten_before_the_reply() {
        let hour = Duration::from_secs(3600);
        let mut relay = relay(hour / 2);
        relay.begun = Instant::now().checked_sub(hour).unwrap();
        let client = Arc::new(relay.client(address(1)).unwrap());
        relay.clients().insert(address(1), client.clone());
        let is_idle = || client.active.store(0, Ordering::Relaxed);
        is_idle();
        assert!(relay.known(&address(1)).is_some());
        assert!(!relay.forget_if_idle(&client) && relay.known(&address(1)).is_some());
        is_idle();
        assert!(relay.forget_if_idle(&client) && relay.known(&address(1)).is_none());
    }
}
