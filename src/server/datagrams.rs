//! Serving datagrams: one thread, one socket, many peers.
//!
//! Without connections there is nothing to accept and nobody to wait for: a loop takes a datagram,
//! rewrites it in place and sends it back. IP sockets are read in batches (`recvmmsg`): under load
//! one system call takes up to 32. One thread, because two that share a socket fight for its lock
//! and get half as far; more threads want more sockets ([`ListenConfig::reuse_port`]), among which
//! the kernel shares out the peers.
//!
//! [`ListenConfig::reuse_port`]: crate::net::ListenConfig::reuse_port

use std::fmt::Display;
use std::io;
use std::sync::Arc;
use std::thread;

use super::access::AccessList;
use super::stop::Stopper;
use crate::net::{Addr, DatagramSocket, plain_words};
use crate::sys::batch::Batch;
use crate::telemetry::{Counter, Log, Registry};

/// A protocol's answer to one datagram.
pub trait DatagramHandler: Send {
    /// The request is `buffer[..len]`. Writes the reply into `buffer` and returns its length, or
    /// `None` for no reply.
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
    /// Default 65,507, the most that UDP over IPv4 carries.
    pub max_datagram: usize,
    /// Who is answered. Default everybody.
    pub access: AccessList,
}

impl Default for DatagramConfig {
    fn default() -> Self {
        Self {
            name: "server".into(),
            log: Log::off(),
            max_datagram: crate::net::MAX_UDP_PAYLOAD,
            access: AccessList::default(),
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
    /// Datagrams dropped: too long, or from a peer that is not on the access list.
    pub refused: Counter,
    /// Replies that could not be sent.
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
pub struct DatagramServer<H> {
    config: DatagramConfig,
    handler: H,
    socket: DatagramSocket,
    stats: Arc<DatagramStats>,
}

impl<H: DatagramHandler> DatagramServer<H> {
    /// A server for a bound socket.
    pub fn new(config: DatagramConfig, socket: DatagramSocket, handler: H) -> Self {
        Self {
            config,
            handler,
            socket,
            stats: Arc::default(),
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

    /// Serves on this thread until the stopper is used. What was received by then is answered.
    pub fn run(mut self, stopper: &Stopper) -> io::Result<()> {
        let (closing, watched) = (self.socket.clone(), stopper.clone());
        let closer = thread::Builder::new()
            .name("stop".into())
            .stack_size(64 * 1024);
        closer.spawn(move || {
            watched.wait();
            closing.close();
        })?;
        let result = match self.socket.local_addr()? {
            Addr::Ip(_) => self.run_batched(),
            Addr::Unix(_) => self.run_single(),
        };
        // A broken socket ends the whole program rather than leave it deaf.
        stopper.stop();
        result
    }

    fn run_batched(&mut self) -> io::Result<()> {
        // One byte more than allowed, so that a longer datagram shows itself.
        let mut batch = Batch::new(self.config.max_datagram + 1);
        while let Some(count) = self.received(|socket| socket.recv_batch(&mut batch))? {
            for index in 0..count {
                let len = batch.datagram(index).map_or(0, <[u8]>::len);
                let peer = batch.peer(index).map_or(Addr::Unix(None), Addr::Ip);
                let reply = batch
                    .buffer(index)
                    .and_then(|buffer| self.answer(&peer, buffer, len));
                if let Some(len) = reply {
                    batch.set_reply(index, len);
                }
            }
            self.send_replies(&mut batch);
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

    fn run_single(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; self.config.max_datagram + 1];
        while let Some((len, peer)) = self.received(|socket| socket.recv_from(&mut buffer))? {
            if let Some(len) = self.answer(&peer, &mut buffer, len) {
                let reply = buffer.get(..len).unwrap_or(&buffer);
                match self.socket.send_to(reply, &peer) {
                    Ok(_) => self.stats.replied.inc(),
                    Err(error) => self.not_sent(&peer, &error),
                }
            }
        }
        Ok(())
    }

    /// `Ok(None)` when the socket was closed.
    fn received<T>(
        &self,
        mut receive: impl FnMut(&DatagramSocket) -> io::Result<T>,
    ) -> io::Result<Option<T>> {
        loop {
            match receive(&self.socket) {
                Ok(value) => return Ok(Some(value)),
                Err(_) if self.socket.is_closed() => return Ok(None),
                // The report of an earlier reply's fate, told once; nothing is wrong with us.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    self.stats.failed.inc();
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn answer(&mut self, peer: &Addr, buffer: &mut [u8], len: usize) -> Option<usize> {
        self.stats.received.inc();
        let fields: [(&str, &dyn Display); 2] = [("peer", peer), ("bytes", &len)];
        let config = &self.config;
        config.log.trace(&config.name, "datagram received", &fields);
        let why = if len > config.max_datagram {
            "longer than the limit".to_string()
        } else if let Err(rule) = config.access.judge(peer) {
            rule.to_string()
        } else {
            return self.handler.reply(peer, buffer, len);
        };
        self.stats.refused.inc();
        self.config.log.info(
            &self.config.name,
            "datagram dropped",
            &[("peer", peer), ("why", &why)],
        );
        None
    }

    fn not_sent(&self, peer: &Addr, error: &io::Error) {
        self.stats.failed.inc();
        let cause = plain_words(error);
        self.config.log.warn(
            &self.config.name,
            "reply not sent",
            &[("peer", peer), ("cause", &cause)],
        );
    }
}
