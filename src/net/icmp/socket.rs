//! `IcmpSocket`: sends echo requests, receives their replies and the errors about them.
//!
//! Linux has two kinds of ICMP socket, and this type covers both. A *datagram* socket needs no
//! privilege where `net.ipv4.ping_group_range` includes the user's group: the kernel chooses the
//! id, delivers only the replies that have it, and keeps errors in a separate queue. A *raw* socket
//! needs CAP_NET_RAW: it sees what all programs receive, so messages that are not ours are skipped
//! here.
//!
//! ```text
//! datagram  reply ──> recvmsg ───────────────────┐
//!           error ──> recvmsg(MSG_ERRQUEUE) ─────┤
//!                                                ├──> Incoming::Reply, Incoming::Problem
//! raw       reply ──> recvmsg ──> IP header off ─┤
//!           error ──> the same ──> its quote ────┘
//! ```
//!
//! What can go wrong: neither kind is allowed ([`Error::Forbidden`] says what would allow it); a
//! packet cannot be sent at all (no route, too long, a broadcast address); nobody answers (set a
//! deadline).

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use super::message::{self, Echo, Family, Message, types};
use super::packet::Packet;
use super::problem::Problem;
use crate::net::deadline::{Deadline, Timer};
use crate::net::error::Error;
use crate::net::network::Network;
use crate::net::resolve::without_zone;
use crate::net::unguessable;
use crate::sys::icmp::{self, Kind, Received};
use crate::sys::poll::{self, Event};
use crate::sys::process;
use crate::sys::socket::{self, Opt};

/// An ICMP socket of one family. Dropping it closes it.
///
/// ```no_run
/// use groundwire::net::icmp::message::Echo;
/// use groundwire::net::icmp::socket::Incoming;
/// use groundwire::net::{Deadline, IcmpSocket, Network};
/// use std::time::Duration;
///
/// let socket = IcmpSocket::open(Network::Ip4Icmp)?;
/// let echo = Echo { id: socket.id(), sequence: 1, payload: b"are you there?" };
/// socket.send_to(&echo, &"127.0.0.1:0".parse().unwrap())?;
/// socket.set_read_deadline(Deadline::after(Duration::from_secs(1)));
/// match socket.recv_from(&mut [0; 1500])? {
///     Incoming::Reply { from, .. } => println!("{} answers", from.ip()),
///     Incoming::Problem { problem, .. } => println!("{problem}"),
/// }
/// # Ok::<(), groundwire::net::Error>(())
/// ```
pub struct IcmpSocket {
    /// Not UDP: std's type for any datagram socket, used for its time-outs and its address.
    socket: UdpSocket,
    network: Network,
    family: Family,
    kind: Kind,
    id: u16,
    reading: Timer,
    closed: AtomicBool,
}

/// What an [`IcmpSocket`] receives. The bytes are in the caller's buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// An echo reply with the socket's id.
    Reply {
        /// Its sender; the port means nothing.
        from: SocketAddr,
        /// Its time to live on arrival, if the kernel reported it.
        ttl: Option<u8>,
        /// How long it had waited in the socket, by the time of day. A program that was busy or
        /// stopped must not count this as part of the round trip. Zero if the kernel did not report
        /// it.
        waited: Duration,
        /// The echo that it carries.
        echo: Echo<'a>,
    },
    /// A router or host could not deliver an echo request with the socket's id.
    Problem {
        /// The sender of the error message, if the kernel reported it.
        from: Option<SocketAddr>,
        /// Why.
        problem: Problem,
        /// The request, as far as it is quoted. Bytes that the error's sender appended may follow.
        request: Echo<'a>,
    },
}

impl IcmpSocket {
    /// Opens a socket on `ip4:icmp` or `ip6:icmp`: a datagram socket where that is allowed, else a
    /// raw one.
    pub fn open(network: Network) -> Result<IcmpSocket, Error> {
        let (family, local) = match network {
            Network::Ip4Icmp => (Family::V4, IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            Network::Ip6Icmp => (Family::V6, IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
            _ => return Err(Error::wrong("open", network, "dial")),
        };
        let opened = match datagram(local) {
            Err(error) if is_refusal(&error) => raw(local, family),
            other => other,
        };
        let (socket, kind, id) = opened.map_err(|source| refusal(network, source))?;
        Ok(IcmpSocket {
            socket,
            network,
            family,
            kind,
            id,
            reading: Timer::new(),
            closed: AtomicBool::new(false),
        })
    }

    /// The id that every echo request of this socket has: the kernel's choice for a datagram socket,
    /// a random one for a raw socket.
    pub fn id(&self) -> u16 {
        self.id
    }

    /// Which of the two kinds it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The network of the socket.
    pub fn network(&self) -> Network {
        self.network
    }

    /// Sets the time to live of requests, 1 to 255.
    pub fn set_ttl(&self, ttl: u8) -> Result<(), Error> {
        let options = match self.family {
            Family::V4 => [Opt::Ttl, Opt::MulticastTtl],
            Family::V6 => [Opt::HopLimit, Opt::MulticastHopLimit],
        };
        let set = |option| socket::set(self.socket.as_fd(), option, i32::from(ttl));
        let set = options.into_iter().try_for_each(set);
        set.map_err(Error::failed("set the TTL of", self.network, &ttl))
    }

    /// Sends an echo request to a host; the port is ignored, and the id is replaced by the
    /// socket's.
    pub fn send_to(&self, echo: &Echo<'_>, to: &SocketAddr) -> Result<(), Error> {
        let own = Echo {
            id: self.id,
            ..*echo
        };
        let bytes = message::encode_request(self.family, &own);
        let mut to = *to;
        to.set_port(0);
        let mut tries = 0;
        loop {
            match self.socket.send_to(&bytes, to) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Perhaps a report about an earlier request: then this call has not sent, and the
                // next one will. An error about this request comes again.
                Err(error) if self.is_queued(&error) && tries < SEND_TRIES => tries += 1,
                Err(error) => {
                    let shown = with_zone(&to);
                    return Err(Error::failed("send", self.network, &shown)(explained(
                        error, &to,
                    )));
                }
                Ok(_) => return Ok(()),
            }
        }
    }

    /// Blocks for the next reply or error message that has this socket's id; the caller compares
    /// the payload. Fails with `TimedOut` when the deadline passes, with `NotConnected` once the
    /// socket is closed.
    ///
    /// Bytes that do not fit `buffer` are lost: it needs 60 bytes more than the payload. The sender
    /// of an error message decides how much it quotes and appends; 65,535 bytes are always enough.
    pub fn recv_from<'a>(&self, buffer: &'a mut [u8]) -> Result<Incoming<'a>, Error> {
        let id = format!("id {}", self.id);
        let failed = Error::failed("receive", self.network, &id);
        let received = loop {
            let received = self.receive(buffer).map_err(&failed)?;
            if self.read(&received, buffer).is_some() {
                break received;
            }
        };
        // Read again outside the loop: the borrow checker rejects returning a borrow made inside
        // it.
        let incoming = self.read(&received, buffer);
        incoming.ok_or_else(|| failed(io::Error::from(io::ErrorKind::InvalidData)))
    }

    /// The next message of either queue, for any program. Waits with `poll`, which is exact to a
    /// millisecond: a socket's time-out is rounded to clock ticks of up to 10 ms, and requests may
    /// be 2 ms apart.
    fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        loop {
            if self.closed.load(Ordering::SeqCst) {
                let why = "the socket is closed";
                return Err(io::Error::new(io::ErrorKind::NotConnected, why));
            }
            let left = self.reading.left()?;
            match poll::wait([(self.socket.as_fd(), Event::Readable)], left) {
                Ok([true]) => {}
                Ok([false]) => continue,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            if self.kind == Kind::Datagram {
                match icmp::receive_error(self.socket.as_fd(), buffer) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    other => return other,
                }
            }
            match icmp::receive(self.socket.as_fd(), buffer) {
                // A closed socket returns an empty message.
                Ok(received) if received.len == 0 => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if self.is_queued(&error) => {}
                other => return other,
            }
        }
    }

    /// Whether this error only announces that a report was queued: the next call on a datagram
    /// socket, receive or send, fails with the report's error number, once.
    fn is_queued(&self, error: &io::Error) -> bool {
        let reported = matches!(
            error.kind(),
            io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::ConnectionRefused
                | io::ErrorKind::PermissionDenied
        );
        // ENONET, EPROTO, EMSGSIZE, ENOPROTOOPT, EOPNOTSUPP, EHOSTDOWN: the others of icmp(7)'s
        // table. EREMOTEIO: for a redirect and a source quench.
        let by_number = matches!(
            error.raw_os_error(),
            Some(64 | 71 | 90 | 92 | 95 | 112 | 121)
        );
        self.kind == Kind::Datagram && (reported || by_number)
    }

    /// What the bytes are, if they are for this socket.
    fn read<'a>(&self, received: &Received, buffer: &'a [u8]) -> Option<Incoming<'a>> {
        let bytes = buffer.get(..received.len)?;
        let told = received.told;
        if let Some(report) = told.report {
            let problem = Problem::new(self.family, report.kind, report.code, report.info)?;
            let request = message::quoted_request(self.family, bytes).ok()??;
            return self.problem(report.offender, problem, request);
        }
        let (bytes, ttl) = match (self.kind, self.family) {
            (Kind::Raw, Family::V4) => {
                let packet = Packet::parse(bytes).ok()?;
                (packet.body, Some(packet.ttl))
            }
            _ => (bytes, told.ttl),
        };
        match message::decode(self.family, bytes).ok()? {
            Message::EchoReply(echo) if echo.id == self.id => Some(Incoming::Reply {
                from: received.peer?,
                ttl,
                waited: told.time.map(since).unwrap_or_default(),
                echo,
            }),
            Message::Problem { problem, quoted } => {
                let request = Packet::parse(quoted).ok()?.echo_request()?;
                self.problem(received.peer, problem, request)
            }
            _ => None,
        }
    }

    fn problem<'a>(
        &self,
        from: Option<SocketAddr>,
        problem: Problem,
        request: Echo<'a>,
    ) -> Option<Incoming<'a>> {
        (request.id == self.id).then_some(Incoming::Problem {
            from,
            problem,
            request,
        })
    }

    /// Sets the moment after which receiving fails with `TimedOut`.
    pub fn set_read_deadline(&self, deadline: Deadline) {
        self.reading.set(deadline);
    }

    /// Wakes a blocked receive and makes it and all later ones fail.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        // Reports ENOTCONN, but wakes the readers all the same, as on an unconnected UDP socket.
        let _ = socket::shutdown_reading(self.socket.as_fd());
    }
}

impl fmt::Debug for IcmpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "IcmpSocket({} {:?} {})",
            self.network, self.kind, self.id
        )
    }
}

/// A datagram socket. It is bound at once, because its port is its id.
fn datagram(local: IpAddr) -> io::Result<(UdpSocket, Kind, u16)> {
    let fd = icmp::open(local, Kind::Datagram)?;
    let any = crate::sys::address::RawAddress::ip(&SocketAddr::new(local, 0));
    socket::bind(fd.as_fd(), &any)?;
    let socket = UdpSocket::from(fd);
    let id = socket.local_addr()?.port();
    Ok((socket, Kind::Datagram, id))
}

/// A raw socket with a filter, so that messages that it would skip do not wake it.
fn raw(local: IpAddr, family: Family) -> io::Result<(UdpSocket, Kind, u16)> {
    let fd = icmp::open(local, Kind::Raw)?;
    let is_wanted =
        |kind: &u8| types::is_problem(family, *kind) || *kind == types::echo_reply(family);
    let wanted: Vec<u8> = (0..=u8::MAX).filter(is_wanted).collect();
    icmp::let_pass(fd.as_fd(), local, &wanted)?;
    // Two programs are unlikely to share it, even in two PID namespaces.
    let id = unguessable() as u16;
    Ok((UdpSocket::from(fd), Kind::Raw, id))
}

/// The time since then; zero if the time of day was set back meanwhile.
fn since(time: Duration) -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap_or_default().saturating_sub(time)
}

/// Whether the error leaves open that the other kind of socket is allowed.
fn is_refusal(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported
    ) || error.raw_os_error() == Some(EPROTONOSUPPORT)
}

/// An address with its zone by name: `fe80::1%eth0`.
fn with_zone(address: &SocketAddr) -> String {
    let index = match address {
        SocketAddr::V6(v6) if v6.scope_id() != 0 => v6.scope_id(),
        _ => return address.ip().to_string(),
    };
    let name = process::interface_name(index).unwrap_or_else(|_| index.to_string());
    format!("{}%{name}", address.ip())
}

/// Why a request to this address could not be sent, with what the kernel's error leaves out.
fn explained(error: io::Error, to: &SocketAddr) -> io::Error {
    let why = match (error.raw_os_error(), to) {
        (Some(EACCES), SocketAddr::V4(_)) => {
            "permission denied: a broadcast address, which is not asked, or a route that forbids it"
        }
        _ => return without_zone(error, to),
    };
    io::Error::new(error.kind(), why)
}

/// Error numbers (`errno(3)`).
const EACCES: i32 = 13;

/// How often a send is tried again after an error that may be a report about an earlier request.
/// One retry is enough unless further reports arrive in between.
const SEND_TRIES: u32 = 8;

/// The error of a kernel without datagram ICMP (`errno(3)`).
const EPROTONOSUPPORT: i32 = 93;

fn refusal(network: Network, source: io::Error) -> Error {
    if source.kind() != io::ErrorKind::PermissionDenied {
        return Error::failed("open", network, &"socket")(source);
    }
    let remedy = "allow datagram ICMP (sysctl -w net.ipv4.ping_group_range=\"0 2147483647\") \
                  or give this program the capability CAP_NET_RAW (setcap cap_net_raw+ep FILE)";
    Error::Forbidden {
        network,
        remedy: remedy.into(),
        source,
    }
}
