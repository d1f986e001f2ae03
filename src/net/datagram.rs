//! `DatagramSocket`: one type over UDP and Unix datagram sockets.
//!
//! A datagram arrives whole or not at all, in no promised order (RFC 768). A datagram that is
//! longer than the reader's buffer loses its end, so readers pass a buffer one byte larger than
//! what they accept. A socket from [`listen_datagrams`] receives from every peer. One from
//! [`dial_datagrams`] is connected to one peer: the kernel drops datagrams from other addresses,
//! and an ICMP "port unreachable" comes back as `ConnectionRefused`.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::Network;
use super::conn::Addr;
use super::deadline::{Deadline, Timer};
use super::dialer::{Dialer, OTHER_FAMILY};
use super::error::Error;
use super::listener::ListenConfig;
use super::resolve::{self, both};
use super::unix_file::{self, SocketFile};
use crate::sys::address::RawAddress;
use crate::sys::batch::Batch;
use crate::sys::socket::{self, Kind};

/// The largest payload of a UDP datagram over IPv4, in bytes: 65,535 less the 20 of the IP header
/// and the 8 of the UDP header (RFC 791 §3.1, RFC 768).
pub const MAX_UDP_PAYLOAD: usize = 65_507;

/// How many names a dialled Unix socket tries for itself when the earlier ones are taken.
const NAMES: u32 = 1000;

/// A datagram socket. A handle: clones share the socket and its deadlines.
#[derive(Clone)]
pub struct DatagramSocket {
    inner: Arc<Inner>,
}

struct Inner {
    /// Kept for its drop, before the socket's: if the socket were dead already, another server
    /// might replace the file between our check and its removal.
    file: Option<SocketFile>,
    socket: Socket,
    network: Network,
    reading: Timer,
    writing: Timer,
    closed: AtomicBool,
}

enum Socket {
    Udp(UdpSocket),
    Unix(UnixDatagram),
}

/// Binds a datagram socket (`udp`, `udp4`, `udp6`, `unixgram`) with the default configuration.
pub fn listen_datagrams(
    network: Network,
    address: &(impl AsRef<OsStr> + ?Sized),
) -> Result<DatagramSocket, Error> {
    ListenConfig::default().listen_datagrams(network, address)
}

/// Makes a datagram socket that is connected to one peer, from an address of the system's choice.
///
/// On `unixgram` the socket is also bound, because a reply needs an address: to a fresh name in the
/// peer's folder, where the file is removed when the socket is dropped. Where no file can be made
/// (a folder of another user, a long path), it gets an abstract name.
pub fn dial_datagrams(
    network: Network,
    address: &(impl AsRef<OsStr> + ?Sized),
) -> Result<DatagramSocket, Error> {
    Dialer::default().dial_datagrams(network, address)
}

impl Dialer {
    /// The same, from [`Dialer::local`]; the dialer's other fields are not used.
    pub fn dial_datagrams(
        &self,
        network: Network,
        address: &(impl AsRef<OsStr> + ?Sized),
    ) -> Result<DatagramSocket, Error> {
        let (path, address) = both(address);
        let failed = Error::failed("connect", network, &address);
        match network {
            Network::Udp | Network::Udp4 | Network::Udp6 => {
                let target = resolve::parse(network, &address)?;
                let found = resolve::addresses(network, &address, &target)?;
                let mut failure = io::Error::new(io::ErrorKind::AddrNotAvailable, OTHER_FAMILY);
                for candidate in found.into_iter().filter(|peer| self.can_reach(peer)) {
                    match dial_udp(candidate, self.local_for(&candidate)) {
                        Ok(socket) => {
                            return Ok(DatagramSocket::new(Socket::Udp(socket), network, None));
                        }
                        Err(error) => failure = error,
                    }
                }
                Err(failed(failure))
            }
            Network::Unixgram => {
                let (socket, file) = dial_unixgram(path).map_err(failed)?;
                Ok(DatagramSocket::new(Socket::Unix(socket), network, file))
            }
            _ => Err(Error::wrong("connect", network, "dial")),
        }
    }
}

fn dial_udp(peer: SocketAddr, local: Option<SocketAddr>) -> io::Result<UdpSocket> {
    let fd = socket::new(&RawAddress::ip(&peer), Kind::Datagram)?;
    if let Some(local) = local {
        socket::bind(fd.as_fd(), &RawAddress::ip(&local))?;
    }
    let socket = UdpSocket::from(fd);
    socket
        .connect(peer)
        .map_err(|error| resolve::without_zone(error, &peer))?;
    Ok(socket)
}

fn dial_unixgram(peer: &Path) -> io::Result<(UnixDatagram, Option<SocketFile>)> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let address = RawAddress::unix(peer)?;
    let fd = socket::new(&address, Kind::Datagram)?;
    socket::connect(fd.as_fd(), &address)?;
    let mut tries = 0;
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut own = peer.as_os_str().to_os_string();
        own.push(format!(".{}-{number}", std::process::id()));
        match unix_file::bind(fd.as_fd(), Path::new(&own), Kind::Datagram, None, None) {
            // Two containers that share the folder may each have a process with the same number.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries < NAMES => tries += 1,
            Err(error) if has_no_place(&error) => {
                // Only the second choice: a peer in another network namespace cannot answer an
                // abstract name.
                socket::bind(fd.as_fd(), &RawAddress::unix_any())?;
                return Ok((fd.into(), None));
            }
            bound => return Ok((fd.into(), bound?)),
        }
    }
}

/// Whether we may not make a file in the folder, or its path leaves no room for a name. A user who
/// may send to a socket need not own its folder.
fn has_no_place(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, PermissionDenied, ReadOnlyFilesystem};
    matches!(
        error.kind(),
        InvalidInput | PermissionDenied | ReadOnlyFilesystem
    )
}

impl ListenConfig {
    /// Binds a datagram socket (`udp`, `udp4`, `udp6`, `unixgram`).
    pub fn listen_datagrams(
        &self,
        network: Network,
        address: &(impl AsRef<OsStr> + ?Sized),
    ) -> Result<DatagramSocket, Error> {
        let (path, address) = both(address);
        match network {
            Network::Udp | Network::Udp4 | Network::Udp6 => {
                let fd = self.bind_ip(network, &address, Kind::Datagram)?;
                Ok(DatagramSocket::new(Socket::Udp(fd.into()), network, None))
            }
            Network::Unixgram => {
                let (socket, file) = self
                    .bind_unixgram(path)
                    .map_err(Error::failed("listen", network, &address))?;
                Ok(DatagramSocket::new(Socket::Unix(socket), network, file))
            }
            _ => Err(Error::wrong("listen", network, "listen")),
        }
    }

    fn bind_unixgram(&self, path: &Path) -> io::Result<(UnixDatagram, Option<SocketFile>)> {
        let fd = socket::new(&RawAddress::unix(path)?, Kind::Datagram)?;
        let file = unix_file::bind(fd.as_fd(), path, Kind::Datagram, self.unix_mode, None)?;
        Ok((fd.into(), file))
    }
}

impl DatagramSocket {
    /// A UDP socket that is connected to this peer.
    pub(crate) fn connected(peer: SocketAddr) -> io::Result<Self> {
        let socket = Socket::Udp(dial_udp(peer, None)?);
        Ok(Self::new(socket, Network::Udp, None))
    }

    fn new(socket: Socket, network: Network, file: Option<SocketFile>) -> Self {
        let (reading, writing) = (Timer::new(), Timer::new());
        let closed = AtomicBool::new(false);
        Self {
            inner: Arc::new(Inner {
                socket,
                network,
                reading,
                writing,
                closed,
                file,
            }),
        }
    }

    /// Blocks for one datagram; returns its length and sender. Fails with `TimedOut` when the
    /// deadline passes, and with `NotConnected` once the socket is closed and all datagrams that
    /// had arrived are taken.
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, Addr)> {
        let nobody = |(count, peer): &(usize, Addr)| *count == 0 && *peer == Addr::Unix(None);
        self.receive(nobody, |socket| match socket {
            Socket::Udp(socket) => socket::recv_from(socket.as_fd(), buffer)
                .map(|(n, peer)| (n, peer.map_or(Addr::Unix(None), Addr::Ip))),
            Socket::Unix(socket) => socket
                .recv_from(buffer)
                .map(|(n, peer)| (n, Addr::from_unix(&peer))),
        })
    }

    /// Blocks for one datagram of the connected peer.
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        // Only the sender tells an empty datagram from the end.
        self.recv_from(buffer).map(|(count, _)| count)
    }

    /// Blocks for one datagram and also takes the others that have arrived; returns how many.
    pub fn recv_batch(&self, batch: &mut Batch) -> io::Result<usize> {
        self.receive(|&count| count == 0, |_| batch.receive(self.as_fd()))
    }

    /// Sends the replies of a batch that are still to be sent; returns how many went.
    pub fn send_batch(&self, batch: &mut Batch) -> io::Result<usize> {
        self.send_with(|_| batch.send(self.as_fd()))
    }

    /// Sends one datagram to a peer.
    pub fn send_to(&self, bytes: &[u8], peer: &Addr) -> io::Result<usize> {
        self.send_with(|socket| match (socket, peer) {
            (Socket::Udp(socket), Addr::Ip(peer)) => socket.send_to(bytes, peer),
            (Socket::Unix(socket), Addr::Unix(Some(path))) => send_to_path(socket, bytes, path),
            _ => Err(unanswerable(peer)),
        })
    }

    /// Sends one datagram to a peer, or fails with `WouldBlock` when there is no room for it now. A
    /// Unix peer that does not read has a full queue, and a blocking send would wait for ever.
    pub fn send_to_now(&self, bytes: &[u8], peer: &Addr) -> io::Result<usize> {
        let address = match (&self.inner.socket, peer) {
            (Socket::Udp(_), Addr::Ip(peer)) => RawAddress::ip(peer),
            (Socket::Unix(_), Addr::Unix(Some(path))) => RawAddress::unix(path)?,
            _ => return Err(unanswerable(peer)),
        };
        loop {
            match socket::send_to_now(self.as_fd(), bytes, &address) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    /// Sends one datagram to the connected peer.
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.send_with(|socket| match socket {
            Socket::Udp(socket) => socket.send(bytes),
            Socket::Unix(socket) => socket.send(bytes),
        })
    }

    /// Repeats a receiving call until it succeeds, fails for good, or its deadline passes. On a
    /// closed socket it does not block: when all that had arrived is taken, it returns `nobody` (an
    /// empty datagram without a sender) or fails.
    fn receive<T>(
        &self,
        nobody: impl Fn(&T) -> bool,
        mut call: impl FnMut(&Socket) -> io::Result<T>,
    ) -> io::Result<T> {
        let inner = &self.inner;
        inner.reading.repeat(
            |timeout| self.set_read_timeout(timeout),
            || match call(&inner.socket) {
                Ok(value) if !nobody(&value) => Ok(value),
                _ if self.is_closed() => {
                    let why = "the socket is closed";
                    Err(io::Error::new(io::ErrorKind::NotConnected, why))
                }
                other => other,
            },
        )
    }

    fn send_with(&self, mut call: impl FnMut(&Socket) -> io::Result<usize>) -> io::Result<usize> {
        let inner = &self.inner;
        inner.writing.repeat(
            |timeout| self.set_write_timeout(timeout),
            || call(&inner.socket),
        )
    }

    /// Sets the moment after which receiving fails with `TimedOut`.
    pub fn set_read_deadline(&self, deadline: Deadline) {
        self.inner.reading.set(deadline);
    }

    /// Sets the moment after which sending fails with `TimedOut`.
    pub fn set_write_deadline(&self, deadline: Deadline) {
        self.inner.writing.set(deadline);
    }

    /// The address of this end.
    pub fn local_addr(&self) -> io::Result<Addr> {
        match &self.inner.socket {
            Socket::Udp(socket) => socket.local_addr().map(Addr::Ip),
            Socket::Unix(socket) => socket.local_addr().map(|a| Addr::from_unix(&a)),
        }
    }

    /// The address of the connected peer; fails where there is none.
    pub fn peer_addr(&self) -> io::Result<Addr> {
        match &self.inner.socket {
            Socket::Udp(socket) => socket.peer_addr().map(Addr::Ip),
            Socket::Unix(socket) => socket.peer_addr().map(|a| Addr::from_unix(&a)),
        }
    }

    /// The network of the socket.
    pub fn network(&self) -> Network {
        self.inner.network
    }

    /// Wakes blocked receivers and removes the Unix file. Later receives take what had arrived,
    /// then fail. Sending still works, so that received datagrams can be answered.
    pub fn close(&self) {
        if self.inner.closed.swap(true, Ordering::SeqCst) {
            return;
        }
        if let Some(file) = &self.inner.file {
            file.remove();
        }
        // Reports ENOTCONN on an unconnected socket, but wakes its readers all the same.
        let _ = socket::shutdown_reading(self.as_fd());
    }

    /// Whether [`DatagramSocket::close`] was called.
    pub fn is_closed(&self) -> bool {
        self.inner.closed.load(Ordering::SeqCst)
    }

    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match &self.inner.socket {
            Socket::Udp(socket) => socket.set_read_timeout(timeout),
            Socket::Unix(socket) => socket.set_read_timeout(timeout),
        }
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match &self.inner.socket {
            Socket::Udp(socket) => socket.set_write_timeout(timeout),
            Socket::Unix(socket) => socket.set_write_timeout(timeout),
        }
    }
}

fn unanswerable(peer: &Addr) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("a peer named {peer} cannot be answered on this socket"),
    )
}

fn send_to_path(socket: &UnixDatagram, bytes: &[u8], path: &Path) -> io::Result<usize> {
    use std::os::linux::net::SocketAddrExt;
    match path.as_os_str().as_encoded_bytes().strip_prefix(b"@") {
        Some(name) => {
            let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
            socket.send_to_addr(bytes, &address)
        }
        None => socket.send_to(bytes, path),
    }
}

impl AsFd for DatagramSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.inner.socket {
            Socket::Udp(socket) => socket.as_fd(),
            Socket::Unix(socket) => socket.as_fd(),
        }
    }
}

impl fmt::Debug for DatagramSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatagramSocket({})", self.inner.network)
    }
}
