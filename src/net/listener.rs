//! `Listener`: one type over TCP, Unix stream and Unix sequenced-packet listeners.
//!
//! std's `TcpListener::bind` fixes the backlog at 128 and offers neither reuse-port nor IPv6-only,
//! and its `accept` cannot be woken. Here the socket is made step by step (`socket`, options,
//! `bind`, `listen`), and [`Listener::close`] may be called from any thread: it shuts the listening
//! socket down, which wakes every blocked `accept` at once. No polling, no flag that is checked
//! "soon". The kernel resets the connections that wait in the backlog at that moment;
//! [`Listener::close_after_backlog`] accepts them first.

use std::ffi::OsStr;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::conn::{Addr, Conn};
use super::error::{AcceptError, Error};
use super::resolve::{self, both};
use super::unix_file::{self, SocketFile};
use super::{Host, Network};
use crate::sys::address::RawAddress;
use crate::sys::socket::{self, Kind, Opt};

/// How a [`Listener`] (or a bound datagram socket) is made.
#[derive(Clone, Debug)]
pub struct ListenConfig {
    /// How many finished handshakes may wait for `accept`; the kernel limits it to
    /// `net.core.somaxconn` (4,096 on Linux). Default 1,024.
    pub backlog: u32,
    /// Let several sockets bind this port and share its load. Default off.
    pub reuse_port: bool,
    /// Bytes for datagrams that have arrived and are not read yet; the kernel limits it to
    /// `net.core.rmem_max`. `None` (default) for the system's choice, about 200 short datagrams.
    pub receive_buffer: Option<u32>,
    /// Whether an IPv6 wildcard socket refuses IPv4 peers; `None` (default) decides by the network:
    /// `tcp` and `udp` take both, `tcp6` and `udp6` only IPv6.
    pub ipv6_only: Option<bool>,
    /// Send small replies at once (TCP_NODELAY; accepted connections inherit it). Default on.
    pub no_delay: bool,
    /// Permission bits of a Unix socket's file, `None` for what the umask leaves (default).
    pub unix_mode: Option<u32>,
}

impl Default for ListenConfig {
    fn default() -> Self {
        Self {
            backlog: 1024,
            reuse_port: false,
            receive_buffer: None,
            ipv6_only: None,
            no_delay: true,
            unix_mode: None,
        }
    }
}

/// A socket that accepts connections. A handle: clones share the socket, which closes (and its
/// Unix file goes) when the last clone is dropped or at [`Listener::close`].
#[derive(Clone, Debug)]
pub struct Listener {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Dropped before the socket: if the socket were dead already, another server might replace the
    /// file between our check and its removal.
    file: Option<SocketFile>,
    socket: Socket,
    network: Network,
    local: Addr,
    config: ListenConfig,
    closed: AtomicBool,
    /// Set by [`Listener::close_after_backlog`]: a blocked `accept` may return a connection
    /// although the listener is closing.
    keeping: AtomicBool,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Listens with the default configuration.
///
/// `address` is `host:port` (`:0` for every interface and a free port) or, on a Unix network, a
/// path, which need not be UTF-8. Errors name the network and address:
/// `listen tcp 127.0.0.1:80: permission denied`.
pub fn listen(network: Network, address: &(impl AsRef<OsStr> + ?Sized)) -> Result<Listener, Error> {
    ListenConfig::default().listen(network, address)
}

impl ListenConfig {
    /// Listens on a stream network (`tcp`, `tcp4`, `tcp6`, `unix`, `unixpacket`).
    pub fn listen(
        &self,
        network: Network,
        address: &(impl AsRef<OsStr> + ?Sized),
    ) -> Result<Listener, Error> {
        let (path, address) = both(address);
        let (socket, file) = match network {
            Network::Tcp | Network::Tcp4 | Network::Tcp6 => (
                Socket::Tcp(self.listen_tcp(network, &address)?.into()),
                None,
            ),
            Network::Unix | Network::Unixpacket => {
                let (fd, file) = self
                    .listen_unix(network, path)
                    .map_err(Error::failed("listen", network, &address))?;
                (Socket::Unix(fd.into()), file)
            }
            _ => {
                return Err(Error::wrong("listen", network, "listen_datagrams"));
            }
        };
        let local = socket
            .local_addr()
            .map_err(Error::failed("listen", network, &address))?;
        Ok(Listener {
            inner: Arc::new(Inner {
                socket,
                network,
                local,
                config: self.clone(),
                closed: AtomicBool::new(false),
                keeping: AtomicBool::new(false),
                file,
            }),
        })
    }

    fn listen_tcp(&self, network: Network, address: &str) -> Result<OwnedFd, Error> {
        let target = self.bind_ip(network, address, Kind::Stream)?;
        socket::listen(target.as_fd(), self.backlog)
            .map_err(Error::failed("listen", network, &address))?;
        Ok(target)
    }

    fn listen_unix(
        &self,
        network: Network,
        path: &Path,
    ) -> io::Result<(OwnedFd, Option<SocketFile>)> {
        let kind = if network == Network::Unix {
            Kind::Stream
        } else {
            Kind::SequencedPacket
        };
        let fd = socket::new(&RawAddress::unix(path)?, kind)?;
        let file = unix_file::bind(fd.as_fd(), path, kind, self.unix_mode, Some(self.backlog))?;
        Ok((fd, file))
    }

    /// Binds an IP socket to the first address that `address` stands for and that this machine can
    /// use. If the port is taken there, that is an error: a server on the next address alone would
    /// not hear the peers that prefer the first.
    pub(crate) fn bind_ip(
        &self,
        network: Network,
        address: &str,
        kind: Kind,
    ) -> Result<OwnedFd, Error> {
        let target = resolve::parse(network, address)?;
        let candidates = match &target.host {
            Host::Any => wildcard(network, target.port),
            _ => resolve::addresses(network, address, &target)?,
        };
        let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for candidate in candidates {
            match self.bind_one(network, candidate, kind) {
                Err(error) if socket::is_unavailable(&error) => failure = error,
                other => return other.map_err(Error::failed("listen", network, &address)),
            }
        }
        Err(Error::failed("listen", network, &address)(failure))
    }

    fn bind_one(&self, network: Network, address: SocketAddr, kind: Kind) -> io::Result<OwnedFd> {
        let raw = RawAddress::ip(&address);
        let fd = socket::new(&raw, kind)?;
        if kind == Kind::Stream {
            // Lets a restart bind while old connections are in TIME-WAIT. On UDP the same option
            // would let two servers share a port unnoticed.
            socket::set(fd.as_fd(), Opt::ReuseAddress, 1)?;
            socket::set(fd.as_fd(), Opt::NoDelay, i32::from(self.no_delay))?;
        }
        if self.reuse_port {
            socket::set(fd.as_fd(), Opt::ReusePort, 1)?;
        }
        if let (Some(size), Kind::Datagram) = (self.receive_buffer, kind) {
            let size = i32::try_from(size).unwrap_or(i32::MAX);
            socket::set(fd.as_fd(), Opt::ReceiveBuffer, size)?;
        }
        if address.is_ipv6() {
            let only = self
                .ipv6_only
                .unwrap_or(matches!(network, Network::Tcp6 | Network::Udp6));
            socket::set(fd.as_fd(), Opt::Ipv6Only, i32::from(only))?;
        }
        if kind == Kind::Datagram && address.ip().is_unspecified() {
            // Set before the first datagram can arrive; otherwise its reply might leave from
            // another address than the one it was sent to.
            let destination = match address.is_ipv6() {
                true => Opt::ReceiveDestination6,
                false => Opt::ReceiveDestination,
            };
            socket::set(fd.as_fd(), destination, 1)?;
        }
        socket::bind(fd.as_fd(), &raw).map_err(|error| resolve::without_zone(error, &address))?;
        Ok(fd)
    }
}

/// What `:port` means: every address of the machine. One IPv6 socket takes IPv4 peers as well;
/// where the kernel has no IPv6, IPv4 alone has to do.
fn wildcard(network: Network, port: u16) -> Vec<SocketAddr> {
    let v6 = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port);
    let v4 = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
    [v6, v4]
        .into_iter()
        .filter(|address| network.allows(address.ip()))
        .collect()
}

impl Socket {
    fn local_addr(&self) -> io::Result<Addr> {
        match self {
            Socket::Tcp(listener) => listener.local_addr().map(Addr::Ip),
            Socket::Unix(listener) => listener.local_addr().map(|a| Addr::from_unix(&a)),
        }
    }
}

impl Inner {
    fn take(&self) -> io::Result<Conn> {
        let network = self.network;
        match &self.socket {
            Socket::Tcp(listener) => listener
                .accept()
                .map(|(stream, peer)| Conn::with_tcp(stream, network, peer)),
            Socket::Unix(listener) => listener
                .accept()
                .map(|(stream, peer)| Conn::with_unix(stream, network, Addr::from_unix(&peer))),
        }
    }
}

impl Listener {
    /// Blocks until a peer connects or the listener is closed.
    pub fn accept(&self) -> Result<Conn, AcceptError> {
        match self.inner.take() {
            // A closed Unix listener still returns the connections in its backlog.
            Ok(_) if self.is_closed() && !self.inner.keeping.load(Ordering::SeqCst) => {
                Err(AcceptError::Closed)
            }
            // The socket blocks until it is closing (`close_after_backlog`). Earlier, somebody else
            // has changed it, and every further call would return at once, too.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                match self.inner.keeping.load(Ordering::SeqCst) || self.is_closed() {
                    true => Err(AcceptError::Closed),
                    false => Err(AcceptError::Fatal(error)),
                }
            }
            other => other.map_err(|error| AcceptError::classify(error, self.is_closed())),
        }
    }

    /// The address it listens on; if port 0 was asked for, with the port that the kernel chose.
    pub fn local_addr(&self) -> &Addr {
        &self.inner.local
    }

    /// The network it listens on.
    pub fn network(&self) -> Network {
        self.inner.network
    }

    /// Stops listening: blocked and later `accept`s return [`AcceptError::Closed`], new peers are
    /// refused, the Unix file is removed. From any thread, any number of times.
    pub fn close(&self) {
        if self.inner.closed.swap(true, Ordering::SeqCst) {
            return;
        }
        // The file goes first, so that no client finds it and tries to connect.
        if let Some(file) = &self.inner.file {
            file.remove();
        }
        // This fails only for a socket that does not listen; this one does.
        let _ = socket::shutdown(self.as_fd());
        // A Unix socket keeps its backlog after the shutdown, and `accept` returns it without
        // blocking. The peers in it would otherwise wait until the last handle is dropped.
        if let Socket::Unix(listener) = &self.inner.socket {
            while listener.accept().is_ok() {}
        }
    }

    /// Like [`Listener::close`], but does not reset peers that have already connected: returns the
    /// connections that waited in the backlog, at most [`ListenConfig::backlog`], and no more than
    /// there are descriptors. For a server whose port another server takes over
    /// ([`ListenConfig::reuse_port`]).
    ///
    /// A TCP peer in the middle of its handshake is still reset, unless the kernel may hand it to
    /// the other listener (`net.ipv4.tcp_migrate_req`, ip-sysctl).
    pub fn close_after_backlog(&self) -> Vec<Conn> {
        let mut waiting = Vec::new();
        if self.is_closed() {
            return waiting;
        }
        self.inner.keeping.store(true, Ordering::SeqCst);
        // An empty backlog must not block this thread. Threads that already block in `accept` go on
        // blocking.
        let may_look = match &self.inner.socket {
            Socket::Tcp(listener) => listener.set_nonblocking(true).is_ok(),
            Socket::Unix(listener) => listener.set_nonblocking(true).is_ok(),
        };
        let most = if may_look {
            self.inner.config.backlog
        } else {
            0
        };
        for _ in 0..most {
            match self.inner.take() {
                Ok(conn) => waiting.push(conn),
                Err(error) => match AcceptError::classify(error, false) {
                    AcceptError::Lost(error) if error.kind() != io::ErrorKind::WouldBlock => {}
                    _ => break, // nobody left, or no descriptor
                },
            }
        }
        self.close();
        waiting
    }

    /// Whether other listeners may have the same port.
    pub fn shares_port(&self) -> bool {
        self.inner.config.reuse_port
    }

    /// Whether [`Listener::close`] was called.
    pub fn is_closed(&self) -> bool {
        self.inner.closed.load(Ordering::SeqCst)
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.inner.socket {
            Socket::Tcp(listener) => listener.as_fd(),
            Socket::Unix(listener) => listener.as_fd(),
        }
    }
}
