//! `Dialer`: from a network name and an address to a connection, within one deadline.
//!
//! A name often has several addresses, and the first may lead nowhere: a host with a broken IPv6
//! route would cost a whole time-out each time. RFC 8305 ("happy eyeballs") staggers the attempts:
//! the families take turns (§4), the next attempt starts after 250 ms (§5), and the first
//! connection wins. Each attempt is a thread with a blocking `connect`; the losers are woken by
//! shutting their sockets down.
//!
//! Two things differ from the RFC. The next attempt also starts as soon as one has failed, even
//! within the 10 ms that §5 keeps between two: a host that refuses at once is not congested, and
//! the attempts are few. And the first one starts when the addresses of both families are there
//! (§3 would not wait): `getaddrinfo` returns them together, in the order of RFC 6724.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use super::conn::{Addr, Conn};
use super::deadline::{Deadline, timed_out};
use super::error::Error;
use super::network::Transport;
use super::resolve::both;
use super::{Network, resolve};
use crate::sys::address::RawAddress;
use crate::sys::socket::{self, Kind, Opt};

/// The Connection Attempt Delay of RFC 8305 §5: 250 ms is its recommendation.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// Addresses tried for one name; a name with more is a mistake or an attack.
const MAX_ATTEMPTS: usize = 16;
/// The longest time before or between keep-alive probes that Linux takes, in seconds
/// (`net/tcp.h`: MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL).
const MAX_KEEP_ALIVE: u64 = 32_767;
/// The error when no attempt could be made from [`Dialer::local`].
pub(super) const OTHER_FAMILY: &str = "the local address is of the other family";
/// A stack for a thread that makes three system calls.
const STACK: usize = 64 * 1024;

/// How connections are made. The default suits most programs.
#[derive(Clone, Debug)]
pub struct Dialer {
    /// For look-up and all attempts together. Default 10 s; `None` leaves it to the kernel (about
    /// two minutes).
    pub timeout: Option<Duration>,
    /// Idle time after which the kernel probes the peer, and the time between probes (9 of them).
    /// Rounded up to seconds, and cut to what the kernel takes: at most 32,767 s, about nine
    /// hours. Default 15 s, as Go's, where RFC 9293 §3.8.4 has no probes by default, or one after
    /// two hours: many a firewall forgets a silent connection within minutes. `None` for no probes.
    pub keep_alive: Option<Duration>,
    /// How long sent bytes may stay unacknowledged before the connection is dead (TCP_USER_TIMEOUT;
    /// the user timeout of RFC 9293 §3.10.8): for a caller that must redial a peer soon after a
    /// network cut ends. Default `None`: the kernel's own limit, about 15 minutes.
    pub unacknowledged: Option<Duration>,
    /// Send small writes at once (TCP_NODELAY). Default on.
    pub no_delay: bool,
    /// The address to connect from, `None` (default) for the kernel's choice. Peers of the other
    /// family are skipped. With an unspecified address (`0.0.0.0`, `::`), the kernel chooses the
    /// address in either family and only the port counts.
    pub local: Option<SocketAddr>,
}

impl Default for Dialer {
    fn default() -> Self {
        Self {
            timeout: Some(Duration::from_secs(10)),
            keep_alive: Some(Duration::from_secs(15)),
            unacknowledged: None,
            no_delay: true,
            local: None,
        }
    }
}

/// Connects with the default [`Dialer`] on a stream network.
///
/// ```no_run
/// # fn main() -> Result<(), groundwire::net::Error> {
/// use groundwire::net::{self, Network};
/// let conn = net::dial(Network::Tcp, "localhost:http")?;
/// # Ok(()) }
/// ```
pub fn dial(network: Network, address: &(impl AsRef<OsStr> + ?Sized)) -> Result<Conn, Error> {
    Dialer::default().dial(network, address)
}

impl Dialer {
    /// Connects to `address`: `host:port`, or a path on a Unix network.
    ///
    /// Blocks at most [`Dialer::timeout`]. Errors name network and address:
    /// `connect tcp 127.0.0.1:1: connection refused`.
    pub fn dial(
        &self,
        network: Network,
        address: &(impl AsRef<OsStr> + ?Sized),
    ) -> Result<Conn, Error> {
        let (path, address) = both(address);
        let deadline = Deadline::after_option(self.timeout);
        match network {
            Network::Tcp | Network::Tcp4 | Network::Tcp6 => {
                self.dial_tcp(network, &address, deadline)
            }
            Network::Unix | Network::Unixpacket => {
                let failed = Error::failed("connect", network, &address);
                dial_unix(network, path, deadline).map_err(failed)
            }
            _ => Err(Error::wrong("connect", network, "dial_datagrams")),
        }
    }

    /// Connects to an address that needs no look-up, on a TCP network. Otherwise as
    /// [`Dialer::dial`].
    pub fn dial_ip(&self, network: Network, peer: SocketAddr) -> Result<Conn, Error> {
        if network.transport() != Some(Transport::Tcp) {
            let instead = if network.is_unix() {
                "dial"
            } else {
                "dial_datagrams"
            };
            return Err(Error::wrong("connect", network, instead));
        }
        let why = if !network.allows(peer.ip()) {
            "the network is of the other family"
        } else if !self.can_reach(&peer) {
            OTHER_FAMILY
        } else {
            let deadline = Deadline::after_option(self.timeout);
            return self.dial_one(network, peer, deadline, &peer);
        };
        let error = io::Error::new(io::ErrorKind::AddrNotAvailable, why);
        Err(Error::failed("connect", network, &peer)(error))
    }

    /// Whether [`Dialer::local`] has the peer's family, or leaves the family open.
    pub(super) fn can_reach(&self, peer: &SocketAddr) -> bool {
        self.local_for(peer)
            .is_none_or(|local| local.is_ipv4() == peer.is_ipv4())
    }

    /// What a socket for this peer is bound to.
    pub(super) fn local_for(&self, peer: &SocketAddr) -> Option<SocketAddr> {
        let mut local = self.local?;
        if local.ip().is_unspecified() {
            local.set_ip(match peer {
                SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            });
        }
        Some(local)
    }

    /// Makes one attempt on the current thread; errors name `address`.
    fn dial_one(
        &self,
        network: Network,
        peer: SocketAddr,
        deadline: Deadline,
        address: &dyn fmt::Display,
    ) -> Result<Conn, Error> {
        self.attempt(peer)
            .and_then(|fd| finish(fd, peer, deadline))
            .map(|stream| Conn::with_tcp(stream, network, peer).dialled())
            .map_err(|error| Error::failed("connect", network, address)(error))
    }

    fn dial_tcp(&self, network: Network, address: &str, deadline: Deadline) -> Result<Conn, Error> {
        let target = resolve::parse(network, address)?;
        let found = resolve::addresses_by(deadline, network, address, target)?;
        let usable = found.into_iter().filter(|peer| self.can_reach(peer));
        let peers = in_attempt_order(usable.collect());
        match peers.as_slice() {
            [] => {
                let error = io::Error::new(io::ErrorKind::AddrNotAvailable, OTHER_FAMILY);
                Err(Error::failed("connect", network, &address)(error))
            }
            [peer] => self.dial_one(network, *peer, deadline, &address),
            _ => match self.race(&peers, deadline) {
                Ok((stream, peer)) => Ok(Conn::with_tcp(stream, network, peer).dialled()),
                Err(attempts) => {
                    let address = address.to_string();
                    Err(Error::AllFailed {
                        network,
                        address,
                        attempts,
                    })
                }
            },
        }
    }

    /// Starts an attempt every [`ATTEMPT_DELAY`], or as soon as one has failed, until one
    /// succeeds, all have failed, or the deadline passes.
    fn race(
        &self,
        peers: &[SocketAddr],
        deadline: Deadline,
    ) -> Result<(TcpStream, SocketAddr), Vec<(String, io::Error)>> {
        let (tell, told) = mpsc::channel();
        let mut waiting: VecDeque<SocketAddr> = peers.iter().copied().collect();
        let mut running: Vec<(SocketAddr, Arc<OwnedFd>)> = Vec::new();
        let mut failures = Vec::new();
        let winner = loop {
            if let Some(peer) = waiting.pop_front() {
                match self
                    .attempt(peer)
                    .and_then(|fd| spawn_attempt(fd, peer, deadline, &tell))
                {
                    Ok(socket) => running.push((peer, socket)),
                    Err(error) => failures.push((peer, error)),
                }
            }
            if running.is_empty() {
                if waiting.is_empty() {
                    break None;
                }
                continue; // the attempt did not even start: nothing to wait for
            }
            let patience = if waiting.is_empty() {
                Deadline::NEVER
            } else {
                Deadline::after(ATTEMPT_DELAY)
            };
            match receive_by(&told, patience.earlier(deadline)) {
                Ok((peer, Ok(stream))) => break Some((stream, peer)),
                Ok((peer, Err(error))) => {
                    running.retain(|(other, _)| *other != peer);
                    failures.push((peer, error));
                }
                Err(_) if deadline.passed() => {
                    failures.extend(running.iter().map(|(peer, _)| (*peer, timed_out())));
                    break None;
                }
                Err(_) => {}
            }
        };
        for (peer, socket) in &running {
            if winner.as_ref().is_none_or(|(_, won)| won != peer) {
                let _ = socket::shutdown(socket.as_fd()); // wakes its connecting thread
            }
        }
        winner.ok_or_else(|| {
            // They arrived in the order in which the attempts ended.
            failures.sort_by_key(|(peer, _)| peers.iter().position(|tried| tried == peer));
            let named = failures.into_iter();
            named.map(|(peer, why)| (peer.to_string(), why)).collect()
        })
    }

    /// Makes and prepares the socket for one attempt.
    fn attempt(&self, peer: SocketAddr) -> io::Result<OwnedFd> {
        let fd = socket::new(&RawAddress::ip(&peer), Kind::Stream)?;
        if let Some(local) = self.local_for(&peer) {
            socket::set(fd.as_fd(), Opt::ReuseAddress, 1)?;
            if local.port() == 0 {
                // Or the address has one connection for each of its ports, whatever their peers.
                socket::set(fd.as_fd(), Opt::BindAddressNoPort, 1)?;
            }
            socket::bind(fd.as_fd(), &RawAddress::ip(&local))?;
        }
        socket::set(fd.as_fd(), Opt::NoDelay, i32::from(self.no_delay))?;
        if let Some(time) = self.unacknowledged {
            let millis = i32::try_from(time.as_millis()).unwrap_or(i32::MAX).max(1);
            socket::set(fd.as_fd(), Opt::UserTimeout, millis)?;
        }
        if let Some(interval) = self.keep_alive {
            let part = u64::from(interval.subsec_nanos() > 0);
            let seconds = interval.as_secs().saturating_add(part);
            let seconds = seconds.clamp(1, MAX_KEEP_ALIVE) as i32;
            socket::set(fd.as_fd(), Opt::KeepAlive, 1)?;
            socket::set(fd.as_fd(), Opt::KeepAliveIdle, seconds)?;
            socket::set(fd.as_fd(), Opt::KeepAliveInterval, seconds)?;
        }
        Ok(fd)
    }
}

type Outcome = (SocketAddr, io::Result<TcpStream>);

fn receive_by(
    told: &mpsc::Receiver<Outcome>,
    deadline: Deadline,
) -> Result<Outcome, RecvTimeoutError> {
    match deadline.remaining() {
        Some(left) => told.recv_timeout(left),
        None => told.recv().map_err(|_| RecvTimeoutError::Disconnected),
    }
}

fn spawn_attempt(
    fd: OwnedFd,
    peer: SocketAddr,
    deadline: Deadline,
    tell: &mpsc::Sender<Outcome>,
) -> io::Result<Arc<OwnedFd>> {
    // The race keeps a second descriptor, by which it can wake an attempt that has lost.
    let handle = Arc::new(fd.try_clone()?);
    let tell = tell.clone();
    thread::Builder::new()
        .name("connect".into())
        .stack_size(STACK)
        .spawn(move || tell.send((peer, finish(fd, peer, deadline))))?;
    Ok(handle)
}

/// Connects a prepared socket within the deadline.
fn finish(fd: OwnedFd, peer: SocketAddr, deadline: Deadline) -> io::Result<TcpStream> {
    let stream = TcpStream::from(fd);
    connect_by(
        &stream,
        &RawAddress::ip(&peer),
        deadline,
        TcpStream::set_write_timeout,
    )
    .map_err(|error| resolve::without_zone(error, &peer))?;
    // A free port dialled from the very same port connects to itself (RFC 9293 §3.5 allows
    // simultaneous open), although nobody listens there. The socket's own peer address is compared,
    // because dialling 0.0.0.0 or :: reaches another address than the one given.
    let local = stream.local_addr()?;
    let itself = || stream.peer_addr().is_ok_and(|reached| reached == local);
    if local.port() == peer.port() && itself() {
        return Err(io::Error::from(io::ErrorKind::ConnectionRefused));
    }
    Ok(stream)
}

fn dial_unix(network: Network, path: &Path, deadline: Deadline) -> io::Result<Conn> {
    let kind = if network == Network::Unix {
        Kind::Stream
    } else {
        Kind::SequencedPacket
    };
    let address = RawAddress::unix(path)?;
    let stream = UnixStream::from(socket::new(&address, kind)?);
    connect_by(&stream, &address, deadline, UnixStream::set_write_timeout)?;
    let peer = Addr::Unix(Some(path.to_path_buf()));
    Ok(Conn::with_unix(stream, network, peer).dialled())
}

/// A blocking `connect` that the socket's write time-out ends (`socket(7)`: SO_SNDTIMEO). The
/// time-out stays; the first write that blocks replaces it ([`Conn::dialled`]).
///
/// After an interruption it goes on with the remaining time, not with all of it again.
pub(crate) fn connect_by<S: AsFd>(
    stream: &S,
    peer: &RawAddress,
    deadline: Deadline,
    set_timeout: impl Fn(&S, Option<Duration>) -> io::Result<()>,
) -> io::Result<()> {
    let mut under_way = false;
    loop {
        let left = deadline.remaining();
        if left == Some(Duration::ZERO) {
            return Err(timed_out());
        }
        let connected = if under_way {
            socket::wait_connected(stream.as_fd(), left)
        } else {
            if let Some(left) = left {
                set_timeout(stream, Some(left.max(Duration::from_millis(1))))?;
            }
            socket::connect(stream.as_fd(), peer)
        };
        match connected {
            // On a Unix socket `connect` has to be called again; TCP's handshake goes on by itself.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                under_way = peer.is_ip();
            }
            Err(error) if left.is_some() && socket::is_connect_timeout(&error) => {
                return Err(timed_out());
            }
            Err(error) if error.kind() == io::ErrorKind::TimedOut && deadline.passed() => {
                return Err(timed_out());
            }
            other => return other,
        }
    }
}

/// RFC 8305 §4: the families take turns, beginning with the resolver's first choice.
fn in_attempt_order(usable: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = usable.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = usable
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let mut order = Vec::new();
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            order.truncate(MAX_ATTEMPTS);
            return order;
        }
        order.extend(pair.into_iter().flatten());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns_and_the_resolvers_first_choice_begins() {
        let found = addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"]);
        let order = in_attempt_order(found);
        let expected = ["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"];
        assert_eq!(order, addresses(&expected));
    }

    #[test]
    fn a_local_address_keeps_its_own_family_only() {
        let dialer = Dialer {
            local: Some("127.0.0.1:0".parse().unwrap()),
            ..Dialer::default()
        };
        let [v6, v4] = ["[::1]:1", "1.1.1.1:1"].map(|text| text.parse().unwrap());
        assert_eq!(
            (dialer.can_reach(&v6), dialer.can_reach(&v4)),
            (false, true)
        );
    }

    #[test]
    fn a_name_with_a_hundred_addresses_gets_a_bounded_number_of_attempts() {
        let found: Vec<SocketAddr> = (0..100)
            .map(|p| SocketAddr::from(([127, 0, 0, 1], p)))
            .collect();
        assert_eq!(in_attempt_order(found).len(), MAX_ATTEMPTS);
    }
}
