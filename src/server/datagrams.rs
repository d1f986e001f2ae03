//! Serving datagrams: one thread, one socket, many peers.
//!
//! Without connections there is nothing to accept and no peer to wait for: a loop takes a datagram,
//! rewrites it in place and sends it back. IP sockets are read in batches (`recvmmsg`): under load
//! one system call takes up to 32. One thread per socket, because two that share a socket contend
//! for its lock and get half as far. More threads need more sockets ([`ListenConfig::reuse_port`]);
//! the kernel distributes the peers among them.
//!
//! What can go wrong:
//!
//! - A Unix peer asks and never reads, so its queue stays full. Replies are sent without waiting; a
//!   reply without room is dropped and counted, and logged as a warning now and then. But unread
//!   replies also count against our own socket's send buffer: when they fill it, no peer is
//!   answered until that one reads or closes. Sequenced packets have a socket, and so a buffer, for
//!   each peer.
//! - A datagram that claims to come from a service that answers everything, such as ourselves,
//!   would start an endless loop of answers. It is dropped, and counted as refused.
//! - A host has several addresses and we listen on all of them. Each reply leaves from the address
//!   that the request was sent to; otherwise the peer's connected socket would not accept it.
//!
//! [`ListenConfig::reuse_port`]: crate::net::ListenConfig::reuse_port

use std::fmt::Display;
use std::io;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::access::AccessList;
use super::scheduling::{Pace, Scheduling};
use super::shared::caught;
use super::stop::Stopper;
use super::{is_due, no_thread};
use crate::net::{Addr, DatagramSocket, Deadline, plain_words};
use crate::sys::batch::Batch;
use crate::telemetry::{Counter, Level, Log, Registry};

/// After a stop: how long the datagrams that have arrived by then may take to be answered.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// No IP datagram carries more, whatever the configured limit.
const MAX_IP: usize = 65_535;
/// No Unix datagram carries more: the kernel's send buffers are smaller.
const MAX_UNIX: usize = 1 << 30;

/// Source ports that are not answered: those of services that answer everything (echo, daytime,
/// quote of the day, chargen, time; RFC 862, 867, 865, 864, 868), and 0, which cannot be answered.
const NOT_ANSWERED: [u16; 6] = [0, 7, 13, 17, 19, 37];

/// A protocol's answer to one datagram.
pub trait DatagramHandler: Send {
    /// The request is `buffer[..len]`. Writes the reply into `buffer` and returns its length, or
    /// `None` for no reply.
    ///
    /// The buffer is one byte longer than [`DatagramConfig::max_datagram`], and a reply has at most
    /// its length. Behind the request it may hold bytes of earlier datagrams, from other peers: a
    /// reply must not be longer than what was written. A panic is caught, logged and counted as
    /// failed, and its datagram gets no reply.
    fn reply(&mut self, peer: &Addr, buffer: &mut [u8], len: usize) -> Option<usize>;
}

impl<F: FnMut(&Addr, &mut [u8], usize) -> Option<usize> + Send> DatagramHandler for F {
    fn reply(&mut self, peer: &Addr, buffer: &mut [u8], len: usize) -> Option<usize> {
        self(peer, buffer, len)
    }
}

/// The configuration of a [`DatagramServer`].
#[derive(Clone, Debug)]
pub struct DatagramConfig {
    /// The name in log lines.
    pub name: String,
    /// Where log lines go. Default: nowhere.
    pub log: Log,
    /// The longest datagram that is answered, in bytes; longer ones are dropped and counted.
    /// Default 65,507, the most that UDP over IPv4 carries. A larger value than a datagram can
    /// carry means no limit.
    pub max_datagram: usize,
    /// Which peers are answered. Default: all.
    pub access: AccessList,
    /// The protocol can tell a question from an answer and never answers an answer, so no endless
    /// loop can arise: then only port 0 is refused. Default off.
    pub questions_only: bool,
    /// How the serving thread is scheduled. Default: as it is.
    pub scheduling: Option<Scheduling>,
}

impl Default for DatagramConfig {
    fn default() -> Self {
        Self {
            name: "server".into(),
            log: Log::off(),
            max_datagram: crate::net::MAX_UDP_PAYLOAD,
            access: AccessList::default(),
            questions_only: false,
            scheduling: None,
        }
    }
}

/// What a datagram server counts.
#[derive(Debug, Default)]
pub struct DatagramStats {
    /// Datagrams received.
    pub received: Counter,
    /// Replies sent.
    pub replied: Counter,
    /// Datagrams dropped: too long, from a peer that the access list refuses, or from a port that
    /// could start an endless loop of answers.
    pub refused: Counter,
    /// Replies that could not be sent, and panics of the handler.
    pub failed: Counter,
}

impl DatagramStats {
    /// `received 3, replied 3, refused 0, failed 0`.
    pub fn line(&self) -> String {
        let [received, replied, refused, failed] =
            [&self.received, &self.replied, &self.refused, &self.failed].map(|c| c.get());
        format!("received {received}, replied {replied}, refused {refused}, failed {failed}")
    }

    /// Puts the counters into a registry.
    pub fn register(self: &Arc<Self>, registry: &Registry) {
        type Pick = fn(&DatagramStats) -> u64;
        let rows: [(&str, &str, Pick); 4] = [
            (
                "groundwire_datagrams_received_total",
                "Datagrams received.",
                |s| s.received.get(),
            ),
            ("groundwire_datagrams_replied_total", "Replies sent.", |s| {
                s.replied.get()
            }),
            (
                "groundwire_datagrams_refused_total",
                "Datagrams dropped.",
                |s| s.refused.get(),
            ),
            (
                "groundwire_datagrams_failed_total",
                "Replies not sent.",
                |s| s.failed.get(),
            ),
        ];
        for (name, help, pick) in rows {
            let stats = self.clone();
            registry.counter_fn(name, help, &[], move || pick(&stats));
        }
    }
}

/// A server of one datagram socket.
///
/// ```
/// use groundwire::net::{self, Addr, Network};
/// use groundwire::server::{DatagramConfig, DatagramServer, Stopper};
///
/// let socket = net::listen_datagrams(Network::Udp, "127.0.0.1:0")?;
/// let address = socket.local_addr()?.to_string();
/// let mut seen = 0_u8;
/// // The reply overwrites the request: its first byte becomes the last digit of a count.
/// let handler = move |_: &Addr, datagram: &mut [u8], len: usize| {
///     seen = (seen + 1) % 10;
///     *datagram.first_mut()? = b'0' + seen;
///     Some(len)
/// };
/// let stopper = Stopper::new();
/// let server = DatagramServer::new(DatagramConfig::default(), socket, handler);
/// # let clone = stopper.clone();
/// # let thread = std::thread::spawn(move || { let stopper = clone;
/// server.run(&stopper)?; // until somebody calls `stopper.stop()`
/// # std::io::Result::Ok(()) });
/// # let client = net::dial_datagrams(Network::Udp, &address)?;
/// # client.send(b"x and y")?;
/// # let mut reply = [0; 16];
/// # assert_eq!((client.recv(&mut reply)?, &reply[..7]), (7, &b"1 and y"[..]));
/// # client.set_read_deadline(net::Deadline::after(std::time::Duration::from_secs(30)));
/// # for _ in 0..300 {
/// #     client.send(b"x")?;
/// #     assert_eq!(client.recv(&mut reply)?, 1);
/// # }
/// # stopper.stop();
/// # thread.join().unwrap()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct DatagramServer<H> {
    config: DatagramConfig,
    handler: H,
    socket: DatagramSocket,
    stats: Arc<DatagramStats>,
    /// Set when the socket was found closed: until then, datagrams that had arrived are answered.
    closing: Option<Deadline>,
    /// When an unsent reply was last logged as a warning.
    complained: Mutex<Option<Instant>>,
}

impl<H: DatagramHandler> DatagramServer<H> {
    /// A server for a bound socket.
    pub fn new(config: DatagramConfig, socket: DatagramSocket, handler: H) -> Self {
        Self {
            config,
            handler,
            socket,
            stats: Arc::default(),
            closing: None,
            complained: Mutex::new(None),
        }
    }

    /// The counters; several servers may share one set.
    pub fn stats(&self) -> Arc<DatagramStats> {
        self.stats.clone()
    }

    /// Counts into `stats` instead of a set of its own.
    pub fn counting_into(mut self, stats: Arc<DatagramStats>) -> Self {
        self.stats = stats;
        self
    }

    /// Serves on this thread until the stopper is used. Datagrams that had arrived by then are
    /// answered, for at most half a second.
    pub fn run(mut self, stopper: &Stopper) -> io::Result<()> {
        let (closing, watched) = (self.socket.clone(), stopper.clone());
        let closer = thread::Builder::new()
            .name("stop".into())
            .stack_size(64 * 1024);
        let closer = closer.spawn(move || {
            watched.wait();
            closing.close();
        });
        closer.map_err(no_thread)?;
        let local = self.socket.local_addr()?;
        let pace = Pace::new(self.config.scheduling);
        let result = match local {
            Addr::Ip(_) => self.run_batched(&local, &pace),
            Addr::Unix(_) => self.run_single(&local, &pace),
        };
        // A broken socket ends the whole program; otherwise it would run on and hear nothing.
        stopper.stop();
        result
    }

    fn run_batched(&mut self, local: &Addr, pace: &Pace) -> io::Result<()> {
        // One byte more than allowed, so that a longer datagram is recognized.
        let mut batch = Batch::new(self.config.max_datagram.min(MAX_IP) + 1);
        if local.ip().is_some_and(|local| local.ip().is_unspecified()) {
            batch.reply_from_where_asked();
        }
        while let Some(count) = self.received(|socket| socket.recv_batch(&mut batch))? {
            // Once per batch: servers that share counters would otherwise contend for them at each
            // datagram.
            self.stats.received.add(count as u64);
            for index in 0..count {
                let len = batch.datagram(index).map_or(0, <[u8]>::len);
                let peer = batch.peer(index).map_or(Addr::Unix(None), Addr::Ip);
                let reply = batch
                    .buffer(index)
                    .and_then(|buffer| self.answer(local, &peer, buffer, len));
                if let Some(len) = reply {
                    batch.set_reply(index, len);
                }
            }
            self.send_replies(&mut batch);
            pace.keep(true);
        }
        Ok(())
    }

    fn send_replies(&self, batch: &mut Batch) {
        loop {
            match self.socket.send_batch(batch) {
                Ok(0) => return,
                Ok(sent) => self.stats.replied.add(sent as u64),
                Err(error) => {
                    let peer = batch.skip_reply().map_or(Addr::Unix(None), Addr::Ip);
                    self.not_sent(&peer, &error);
                }
            }
        }
    }

    fn run_single(&mut self, local: &Addr, pace: &Pace) -> io::Result<()> {
        let mut buffer = vec![0; self.config.max_datagram.min(MAX_UNIX) + 1];
        while let Some((len, peer)) = self.received(|socket| socket.recv_from(&mut buffer))? {
            self.stats.received.inc();
            if let Some(len) = self.answer(local, &peer, &mut buffer, len) {
                let reply = buffer.get(..len).unwrap_or(&buffer);
                match self.socket.send_to_now(reply, &peer) {
                    Ok(_) => self.stats.replied.inc(),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        let why = "no room beside what this peer, or others, have not read";
                        self.not_sent(&peer, &io::Error::other(why));
                    }
                    Err(error) => self.not_sent(&peer, &error),
                }
            }
            pace.keep(true);
        }
        Ok(())
    }

    /// `Ok(None)` when the socket was closed and all that had arrived is taken, or time is up.
    fn received<T>(
        &mut self,
        mut receive: impl FnMut(&DatagramSocket) -> io::Result<T>,
    ) -> io::Result<Option<T>> {
        if self.socket.is_closed() {
            // Peers may go on sending, so this needs a limit.
            let until = self.closing.get_or_insert(Deadline::after(LAST_ANSWERS));
            if until.passed() {
                return Ok(None);
            }
        }
        loop {
            match receive(&self.socket) {
                Ok(value) => return Ok(Some(value)),
                Err(_) if self.socket.is_closed() => return Ok(None),
                // An ICMP error about an earlier reply, reported once; our socket is fine.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    self.stats.failed.inc();
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn answer(
        &mut self,
        local: &Addr,
        peer: &Addr,
        buffer: &mut [u8],
        len: usize,
    ) -> Option<usize> {
        let fields: [(&str, &dyn Display); 2] = [("peer", peer), ("bytes", &len)];
        let config = &self.config;
        config.log.trace(&config.name, "datagram received", &fields);
        let why = if len > config.max_datagram {
            "longer than the limit".to_string()
        } else if let Err(rule) = config.access.judge(peer) {
            rule.to_string()
        } else if config.would_loop(local, peer) {
            "the answer might come back for ever".to_string()
        } else {
            return self.reply(peer, buffer, len);
        };
        self.stats.refused.inc();
        self.config.log.info(
            &self.config.name,
            "datagram dropped",
            &[("peer", peer), ("why", &why)],
        );
        None
    }

    /// A panic must not end the loop: a datagram that causes one would silence us for every peer.
    fn reply(&mut self, peer: &Addr, buffer: &mut [u8], len: usize) -> Option<usize> {
        let reply = caught(|| self.handler.reply(peer, buffer, len));
        reply.unwrap_or_else(|panic| {
            self.stats.failed.inc();
            self.config.log.error(
                &self.config.name,
                "handler panicked",
                &[("peer", peer), ("cause", &panic)],
            );
            None
        })
    }

    /// Peers decide how often this happens, so it is only a warning now and then.
    fn not_sent(&self, peer: &Addr, error: &io::Error) {
        self.stats.failed.inc();
        let level = match is_due(&self.complained) {
            true => Level::Warn,
            false => Level::Info,
        };
        let cause = plain_words(error);
        self.config.log.write(
            level,
            &self.config.name,
            "reply not sent",
            &[("peer", peer), ("cause", &cause)],
        );
    }
}

impl DatagramConfig {
    fn would_loop(&self, local: &Addr, peer: &Addr) -> bool {
        match self.questions_only {
            true => peer.ip().is_some_and(|peer| peer.port() == 0),
            false => would_loop(local, peer),
        }
    }
}

/// Whether the peer may answer our answer, and so on: a port in [`NOT_ANSWERED`], or ourselves. On
/// a wildcard address all addresses of this host are ours, so there the port alone decides.
fn would_loop(local: &Addr, peer: &Addr) -> bool {
    let (Some(local), Some(peer)) = (local.ip(), peer.ip()) else {
        return local == peer;
    };
    let ours = local.ip().is_unspecified() || local.ip() == peer.ip();
    NOT_ANSWERED.contains(&peer.port()) || (ours && local.port() == peer.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_whose_answer_might_come_back_for_ever_is_not_answered() {
        for (local, peer, loops) in [
            ("192.0.2.1:7001", "192.0.2.2:40000", false),
            ("192.0.2.1:7001", "192.0.2.2:7001", false),
            ("192.0.2.1:7001", "192.0.2.1:7001", true),
            ("192.0.2.1:7001", "192.0.2.2:7", true),
            ("192.0.2.1:7001", "192.0.2.2:19", true),
            ("192.0.2.1:7001", "192.0.2.2:0", true),
            ("0.0.0.0:7001", "192.0.2.2:7001", true),
            ("[::]:7001", "[2001:db8::1]:7001", true),
            ("[::]:7001", "[2001:db8::1]:7002", false),
        ] {
            let [a, b] = [local, peer].map(|text| Addr::Ip(text.parse().unwrap()));
            assert_eq!(would_loop(&a, &b), loops, "{local} {peer}");
        }
    }

    #[test]
    fn a_protocol_that_answers_questions_only_refuses_port_0_only() {
        let config = DatagramConfig {
            questions_only: true,
            ..DatagramConfig::default()
        };
        let local = Addr::Ip("0.0.0.0:53".parse().unwrap());
        for (peer, loops) in [
            ("192.0.2.1:53", false),
            ("192.0.2.1:7", false),
            ("192.0.2.1:0", true),
        ] {
            let peer = Addr::Ip(peer.parse().unwrap());
            assert_eq!(config.would_loop(&local, &peer), loops, "{peer}");
        }
    }
}
