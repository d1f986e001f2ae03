//! The shell around [`Exchange`] and [`Lookup`]: sends their messages, waits as long as they say,
//! and knows nothing of the contents.
//!
//! Each query has a socket of its own, so the kernel chooses a fresh source port, and an id of 16
//! random bits. Together a forger who cannot see the query has to guess some 30 bits (RFC 5452
//! §9.2). The socket is connected, so the kernel drops messages from other addresses.
//!
//! Over TCP, too, a query has a connection of its own. RFC 7766 §6.2.1 would use it again; a look-up
//! seldom needs TCP, and then for one message, so there would rarely be one to use.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::chain::Answer;
use super::exchange::{Exchange, Reply, Step, Try};
use super::lookup::{Failure, Lookup};
use super::message::MAX_MESSAGE;
use crate::net::{Conn, DatagramSocket, Deadline, Transport, plain_words, unguessable};

/// What [`carry`] drives: it says what to send and how long to wait, until it is done.
pub(super) trait Carried {
    type Outcome;
    fn poll(&mut self, now: Duration, id: u16) -> Step<Self::Outcome>;
    fn received(&mut self, now: Duration, from: SocketAddr, octets: &[u8]);
    fn unreachable(&mut self, why: String);
}

impl Carried for Exchange {
    type Outcome = Result<Reply, Vec<Try>>;

    fn poll(&mut self, now: Duration, id: u16) -> Step<Self::Outcome> {
        Exchange::poll(self, now, id)
    }

    fn received(&mut self, now: Duration, from: SocketAddr, octets: &[u8]) {
        Exchange::received(self, now, from, octets);
    }

    fn unreachable(&mut self, why: String) {
        Exchange::unreachable(self, why);
    }
}

impl Carried for Lookup {
    type Outcome = Result<Answer, Failure>;

    fn poll(&mut self, now: Duration, id: u16) -> Step<Self::Outcome> {
        Lookup::poll(self, now, id)
    }

    fn received(&mut self, now: Duration, from: SocketAddr, octets: &[u8]) {
        Lookup::received(self, now, from, octets);
    }

    fn unreachable(&mut self, why: String) {
        Lookup::unreachable(self, why);
    }
}

/// Runs a look-up to its end; its clock starts at `epoch`.
pub(super) fn carry<C: Carried>(carried: &mut C, epoch: Instant) -> C::Outcome {
    let mut link: Option<Link> = None;
    let mut buffer = vec![0; MAX_MESSAGE];
    // Each step sends (a bounded number of times), waits (until a point in time), or ends.
    loop {
        match carried.poll(epoch.elapsed(), unguessable() as u16) {
            Step::Done(outcome) => return outcome,
            Step::Send {
                server,
                transport,
                octets,
                until,
            } => match Link::open(server, transport, &octets, epoch + until) {
                Ok(opened) => link = Some(opened),
                Err(error) => {
                    link = None;
                    unless_late(carried, &error);
                }
            },
            Step::Wait(until) => {
                let Some(link) = &mut link else {
                    carried.unreachable("connection timed out".into());
                    continue;
                };
                match link.receive(&mut buffer, epoch + until) {
                    Ok(octets) => carried.received(epoch.elapsed(), link.server, octets),
                    Err(error) => unless_late(carried, &error),
                }
            }
        }
    }
}

/// Reports a failure, except a time-out: the next poll sees that the time is over.
fn unless_late(carried: &mut impl Carried, error: &io::Error) {
    match error.kind() {
        ErrorKind::TimedOut => {}
        ErrorKind::UnexpectedEof => carried.unreachable("connection closed early".into()),
        _ => carried.unreachable(plain_words(error)),
    }
}

/// The socket of one query.
struct Link {
    server: SocketAddr,
    socket: Socket,
}

enum Socket {
    Udp(DatagramSocket),
    Tcp(Conn),
}

impl Link {
    fn open(
        server: SocketAddr,
        transport: Transport,
        octets: &[u8],
        until: Instant,
    ) -> io::Result<Self> {
        let socket = match transport {
            Transport::Udp => {
                let socket = DatagramSocket::connected(server)?;
                socket.set_write_deadline(Deadline::at(until));
                socket.send(octets)?;
                Socket::Udp(socket)
            }
            Transport::Tcp => {
                let stream = TcpStream::connect_timeout(&server, left(until)?)?;
                stream.set_nodelay(true)?;
                let mut conn = Conn::from_tcp(stream)?;
                conn.set_deadline(Deadline::at(until));
                // In one write: some servers take the first segment for the whole message (RFC 7766
                // §8).
                let length = u16::try_from(octets.len()).unwrap_or(u16::MAX);
                conn.write_all(&[&length.to_be_bytes(), octets].concat())?;
                Socket::Tcp(conn)
            }
        };
        Ok(Self { server, socket })
    }

    /// The next message, at most until the given moment.
    fn receive<'a>(&mut self, buffer: &'a mut [u8], until: Instant) -> io::Result<&'a [u8]> {
        match &mut self.socket {
            Socket::Udp(socket) => {
                socket.set_read_deadline(Deadline::at(until));
                let length = socket.recv(buffer)?;
                Ok(buffer.get(..length).unwrap_or_default())
            }
            Socket::Tcp(conn) => {
                let mut length = [0; 2];
                conn.read_exact(&mut length)?;
                let length = usize::from(u16::from_be_bytes(length));
                // The buffer holds the longest message that two octets can announce.
                let message = buffer.get_mut(..length).unwrap_or_default();
                conn.read_exact(message)?;
                Ok(message)
            }
        }
    }
}

/// The time that is left, never zero: to a socket zero means no limit.
fn left(until: Instant) -> io::Result<Duration> {
    match until.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(ErrorKind::TimedOut.into()),
        left => Ok(left.max(Duration::from_millis(1))),
    }
}
