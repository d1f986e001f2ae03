//! Sockets: the calls and options that std does not offer.
//!
//! A socket made here is close-on-exec and comes back as an `OwnedFd`; the caller turns it into
//! `TcpListener`, `UdpSocket`, `UnixStream` ... with std's safe `From<OwnedFd>`.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_uint};
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use super::abi::{self, IoVec, MsgHdr};
use super::address::{CAPACITY, RawAddress, read_ip};
use super::poll::{self, Event};
use super::{check, check_len};

/// The most parts that one call sends (`linux/uio.h` UIO_MAXIOV); the kernel refuses more.
const MAX_PARTS: usize = 1024;

/// The kind of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A byte stream: TCP, Unix stream.
    Stream,
    /// Datagrams: UDP, Unix datagram.
    Datagram,
    /// A connection that keeps record boundaries: Unix only.
    SequencedPacket,
}

/// A boolean or numeric socket option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opt {
    /// Bind although old connections linger in TIME-WAIT (`socket(7)` SO_REUSEADDR).
    ReuseAddress,
    /// Bind to an address only, and choose the port when connecting: it then only has to differ from
    /// those of other connections to the same peer (`ip(7)` IP_BIND_ADDRESS_NO_PORT).
    BindAddressNoPort,
    /// Several sockets bound to one port share its load (`socket(7)` SO_REUSEPORT).
    ReusePort,
    /// Bytes for received data that is not read yet. The kernel doubles it for its own needs, and
    /// limits it to `net.core.rmem_max` (`socket(7)` SO_RCVBUF).
    ReceiveBuffer,
    /// An IPv6 socket does not receive IPv4 (`ipv6(7)` IPV6_V6ONLY, RFC 3493 §5.3).
    Ipv6Only,
    /// Send segments at once, without Nagle's algorithm (`tcp(7)` TCP_NODELAY, RFC 9293 §3.7.4).
    NoDelay,
    /// Probe an idle peer (`tcp(7)` SO_KEEPALIVE, RFC 9293 §3.8.4).
    KeepAlive,
    /// Idle seconds before the first probe.
    KeepAliveIdle,
    /// Seconds between probes.
    KeepAliveInterval,
    /// Milliseconds that sent bytes may stay unacknowledged before the connection is dead (`tcp(7)`
    /// TCP_USER_TIMEOUT, RFC 9293 §3.10.8); 0: the kernel's own limit, about 15 minutes. The peer is
    /// not told, as the option of RFC 5482 would.
    UserTimeout,
    /// The time to live of IPv4 packets (`ip(7)` IP_TTL).
    Ttl,
    /// The same for packets to a group (IP_MULTICAST_TTL, 1 by default).
    MulticastTtl,
    /// The same for IPv6 (`ipv6(7)` IPV6_UNICAST_HOPS).
    HopLimit,
    /// The same for IPv6 and groups (IPV6_MULTICAST_HOPS).
    MulticastHopLimit,
    /// Report the time to live of each IPv4 packet received (`ip(7)` IP_RECVTTL).
    ReceiveTtl,
    /// The same for IPv6 (`ipv6(7)` IPV6_RECVHOPLIMIT).
    ReceiveHopLimit,
    /// Report the address that each IPv4 datagram was sent to (`ip(7)` IP_PKTINFO).
    ReceiveDestination,
    /// The same for IPv6 (`ipv6(7)` IPV6_RECVPKTINFO).
    ReceiveDestination6,
    /// Queue the ICMP errors about packets sent (`ip(7)` IP_RECVERR).
    QueueErrors,
    /// The same for IPv6 (IPV6_RECVERR).
    QueueErrors6,
}

impl Opt {
    fn level_and_name(self) -> (c_int, c_int) {
        match self {
            Opt::ReuseAddress => (abi::SOL_SOCKET, abi::SO_REUSEADDR),
            Opt::BindAddressNoPort => (abi::IPPROTO_IP, abi::IP_BIND_ADDRESS_NO_PORT),
            Opt::ReusePort => (abi::SOL_SOCKET, abi::SO_REUSEPORT),
            Opt::ReceiveBuffer => (abi::SOL_SOCKET, abi::SO_RCVBUF),
            Opt::Ipv6Only => (abi::IPPROTO_IPV6, abi::IPV6_V6ONLY),
            Opt::NoDelay => (abi::IPPROTO_TCP, abi::TCP_NODELAY),
            Opt::KeepAlive => (abi::SOL_SOCKET, abi::SO_KEEPALIVE),
            Opt::KeepAliveIdle => (abi::IPPROTO_TCP, abi::TCP_KEEPIDLE),
            Opt::KeepAliveInterval => (abi::IPPROTO_TCP, abi::TCP_KEEPINTVL),
            Opt::UserTimeout => (abi::IPPROTO_TCP, abi::TCP_USER_TIMEOUT),
            Opt::Ttl => (abi::IPPROTO_IP, abi::IP_TTL),
            Opt::MulticastTtl => (abi::IPPROTO_IP, abi::IP_MULTICAST_TTL),
            Opt::HopLimit => (abi::IPPROTO_IPV6, abi::IPV6_UNICAST_HOPS),
            Opt::MulticastHopLimit => (abi::IPPROTO_IPV6, abi::IPV6_MULTICAST_HOPS),
            Opt::ReceiveTtl => (abi::IPPROTO_IP, abi::IP_RECVTTL),
            Opt::ReceiveHopLimit => (abi::IPPROTO_IPV6, abi::IPV6_RECVHOPLIMIT),
            Opt::ReceiveDestination => (abi::IPPROTO_IP, abi::IP_PKTINFO),
            Opt::ReceiveDestination6 => (abi::IPPROTO_IPV6, abi::IPV6_RECVPKTINFO),
            Opt::QueueErrors => (abi::IPPROTO_IP, abi::IP_RECVERR),
            Opt::QueueErrors6 => (abi::IPPROTO_IPV6, abi::IPV6_RECVERR),
        }
    }
}

/// The process at the other end of a Unix socket, as the kernel saw it connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Process id.
    pub pid: i32,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// Makes a socket of the family of `address`; nothing is bound yet.
pub fn new(address: &RawAddress, kind: Kind) -> io::Result<OwnedFd> {
    let kind = match kind {
        Kind::Stream => abi::SOCK_STREAM,
        Kind::Datagram => abi::SOCK_DGRAM,
        Kind::SequencedPacket => abi::SOCK_SEQPACKET,
    };
    with_protocol(address.family(), kind, 0)
}

/// Makes a socket by numbers: family, type, protocol.
pub(super) fn with_protocol(family: c_int, kind: c_int, protocol: c_int) -> io::Result<OwnedFd> {
    // SAFETY: the call takes three integers and touches no memory of ours.
    let fd = check(unsafe { abi::socket(family, kind | abi::SOCK_CLOEXEC, protocol) })?;
    // SAFETY: the kernel has just made this descriptor, so nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Binds the socket to an address; for a Unix path this makes the file.
pub fn bind(fd: BorrowedFd<'_>, address: &RawAddress) -> io::Result<()> {
    let bytes = address.as_bytes();
    // SAFETY: pointer and length describe the live slice `bytes`; the kernel only reads it.
    check(unsafe { abi::bind(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len() as c_uint) })?;
    Ok(())
}

/// Makes a bound socket listen; at most `backlog` finished handshakes wait for `accept` (the kernel
/// limits it to `net.core.somaxconn`).
pub fn listen(fd: BorrowedFd<'_>, backlog: u32) -> io::Result<()> {
    let backlog = c_int::try_from(backlog).unwrap_or(c_int::MAX);
    // SAFETY: two integers; no memory of ours is touched.
    check(unsafe { abi::listen(fd.as_raw_fd(), backlog) })?;
    Ok(())
}

/// Connects, blocking for as long as the socket's write time-out allows (`socket(7)` SO_SNDTIMEO
/// covers `connect`); when it runs out the error is one that [`is_connect_timeout`] recognizes.
///
/// A signal, or SIGCONT after a stop, ends it with `Interrupted` (`signal(7)`: calls with a
/// time-out are not restarted by themselves). A Unix socket is then as before the call; on an IP
/// socket the handshake goes on, and [`wait_connected`] waits for it.
pub fn connect(fd: BorrowedFd<'_>, address: &RawAddress) -> io::Result<()> {
    let bytes = address.as_bytes();
    // SAFETY: pointer and length describe the live slice `bytes`; the kernel only reads it.
    check(unsafe { abi::connect(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len() as c_uint) })?;
    Ok(())
}

/// Whether this error means that the time-out of [`connect`] ran out: EINPROGRESS for TCP, EAGAIN
/// for Unix sockets.
pub fn is_connect_timeout(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(abi::EINPROGRESS | abi::EAGAIN))
}

/// Whether the machine cannot use an address at all: its kernel lacks the family (IPv6, for
/// example), or no interface has the address. Every other failure is about a port.
pub fn is_unavailable(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(abi::EAFNOSUPPORT)
}

/// Waits for the end of a handshake that an interrupted [`connect`] began, `None` for as long as it
/// takes; `TimedOut` when it takes longer (`connect(2)`: the socket becomes writable, and SO_ERROR
/// has the result).
pub fn wait_connected(fd: BorrowedFd<'_>, timeout: Option<Duration>) -> io::Result<()> {
    if poll::wait([(fd, Event::Writable)], timeout)? == [false] {
        return Err(io::Error::from(io::ErrorKind::TimedOut));
    }
    match get_raw(fd, abi::SOL_SOCKET, abi::SO_ERROR)? {
        [0] => Ok(()),
        [error] => Err(io::Error::from_raw_os_error(error)),
    }
}

/// Shuts a socket of any kind down in both directions.
///
/// On a listening socket this wakes every thread blocked in `accept` and makes later calls fail
/// with EINVAL; on a datagram socket it wakes `recv`, although the call itself then reports
/// ENOTCONN. Linux does both, but no manual promises it; tests of `net` check it.
pub fn shutdown(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: two integers; no memory of ours is touched.
    check(unsafe { abi::shutdown(fd.as_raw_fd(), abi::SHUT_RDWR) })?;
    Ok(())
}

/// Shuts a datagram socket for reading: a blocked `recv` is woken, datagrams that have arrived can
/// still be read, and after that `recv` returns an empty datagram without a sender at once.
pub fn shutdown_reading(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: two integers; no memory of ours is touched.
    check(unsafe { abi::shutdown(fd.as_raw_fd(), abi::SHUT_RD) })?;
    Ok(())
}

/// Sets a boolean or numeric option.
pub fn set(fd: BorrowedFd<'_>, option: Opt, value: i32) -> io::Result<()> {
    let (level, name) = option.level_and_name();
    set_raw(fd, level, name, &[value])
}

/// Sets what `close` does with unsent bytes: `Some(0)` throws them away and sends a reset,
/// `None` is the default, to send them in the background.
pub fn set_linger(fd: BorrowedFd<'_>, seconds: Option<u16>) -> io::Result<()> {
    // `struct linger`: on or off, and the seconds.
    let value = [
        c_int::from(seconds.is_some()),
        c_int::from(seconds.unwrap_or(0)),
    ];
    set_raw(fd, abi::SOL_SOCKET, abi::SO_LINGER, &value)
}

/// Sets an option whose value is an integer or several.
pub(super) fn set_raw(
    fd: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: &[c_int],
) -> io::Result<()> {
    // SAFETY: pointer and length describe the live slice `value`; the kernel only reads it.
    check(unsafe {
        abi::setsockopt(
            fd.as_raw_fd(),
            level,
            name,
            value.as_ptr().cast(),
            size_of_val(value) as c_uint,
        )
    })?;
    Ok(())
}

/// Reads a boolean or numeric option.
pub fn get(fd: BorrowedFd<'_>, option: Opt) -> io::Result<i32> {
    let (level, name) = option.level_and_name();
    let [value] = get_raw(fd, level, name)?;
    Ok(value)
}

/// Reads an option whose value is an integer or several.
pub(super) fn get_raw<const N: usize>(
    fd: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
) -> io::Result<[c_int; N]> {
    let mut value = [0; N];
    let mut len = size_of_val(&value) as c_uint;
    // SAFETY: `value` and `len` are live for the call; `len` holds the size of `value`, any bit
    // pattern of which is valid integers.
    check(unsafe {
        abi::getsockopt(
            fd.as_raw_fd(),
            level,
            name,
            value.as_mut_ptr().cast(),
            &raw mut len,
        )
    })?;
    Ok(value)
}

/// The process that connected to (or listens on) the other end of a Unix stream (`unix(7)`
/// SO_PEERCRED).
pub fn peer_credentials(fd: BorrowedFd<'_>) -> io::Result<Credentials> {
    // `struct ucred`: three integers of 32 bits; the ids have no sign.
    let [pid, uid, gid] = get_raw(fd, abi::SOL_SOCKET, abi::SO_PEERCRED)?;
    Ok(Credentials {
        pid,
        uid: uid as u32,
        gid: gid as u32,
    })
}

/// Looks at the next byte without taking it and without waiting: `Ok(0)` means the end of the
/// stream, `Ok(1)` unread data, `WouldBlock` an idle live connection.
pub fn peek_now(fd: BorrowedFd<'_>) -> io::Result<usize> {
    peek(fd, abi::MSG_DONTWAIT)
}

fn peek(fd: BorrowedFd<'_>, flags: c_int) -> io::Result<usize> {
    receive(fd, &mut [0u8; 1], abi::MSG_PEEK | flags)
}

/// Reads what is there, without waiting; `WouldBlock` when nothing is.
pub fn recv_now(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    receive(fd, buffer, abi::MSG_DONTWAIT)
}

fn receive(fd: BorrowedFd<'_>, buffer: &mut [u8], flags: c_int) -> io::Result<usize> {
    // SAFETY: pointer and length describe the live slice `buffer`, which the call may write.
    check_len(unsafe {
        abi::recv(
            fd.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            flags,
        )
    })
}

/// Blocks for the next datagram or record, as long as the read time-out allows, and returns its
/// whole length without taking it (`recv(2)` MSG_TRUNC; on a byte stream at most 1). 0 may also
/// mean the end of the stream.
pub fn peek_len(fd: BorrowedFd<'_>) -> io::Result<usize> {
    peek(fd, abi::MSG_TRUNC)
}

/// Blocks for one datagram over IP, as long as the read time-out allows; returns how many bytes of
/// the buffer it fills, and its sender. A socket that was shut for reading returns no bytes and no
/// sender; std's `recv_from` panics on that, because it expects an address.
pub fn recv_from(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, Option<SocketAddr>)> {
    let mut name = [0u8; CAPACITY];
    let mut name_len = CAPACITY as c_uint;
    // SAFETY: the two pairs of pointer and length describe the live slice `buffer` and the live array
    // `name`, both of which the call may write; `name_len` is live for the call.
    let len = check_len(unsafe {
        abi::recvfrom(
            fd.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            0,
            name.as_mut_ptr().cast(),
            &raw mut name_len,
        )
    })?;
    Ok((len, name.get(..name_len as usize).and_then(read_ip)))
}

/// Sends what fits into the socket's buffer at once and returns how many bytes that were;
/// `WouldBlock` when nothing fits. Never raises SIGPIPE.
pub fn send_now(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: pointer and length describe the live slice `bytes`; the kernel only reads it.
    check_len(unsafe {
        abi::send(
            fd.as_raw_fd(),
            bytes.as_ptr().cast(),
            bytes.len(),
            abi::MSG_DONTWAIT | abi::MSG_NOSIGNAL,
        )
    })
}

/// [`send_now`] for bytes in several parts, in their order, as if they were one slice. Takes the
/// first 1,024 of them.
pub fn send_parts_now(fd: BorrowedFd<'_>, parts: &[IoSlice<'_>]) -> io::Result<usize> {
    let message = MsgHdr {
        // An `IoSlice` has the layout of `struct iovec` (its documentation promises it).
        iov: parts.as_ptr().cast::<IoVec>().cast_mut(),
        iovlen: parts.len().min(MAX_PARTS),
        ..MsgHdr::EMPTY
    };
    // SAFETY: `message` names no address and no control bytes; `iov` and `iovlen` describe the live
    // slice `parts`, each element of which describes a live slice. The kernel only reads all of it.
    check_len(unsafe {
        abi::sendmsg(
            fd.as_raw_fd(),
            &raw const message,
            abi::MSG_DONTWAIT | abi::MSG_NOSIGNAL,
        )
    })
}

/// Sends one datagram to an address if there is room for it at once, else `WouldBlock`.
pub fn send_to_now(fd: BorrowedFd<'_>, bytes: &[u8], address: &RawAddress) -> io::Result<usize> {
    let to = address.as_bytes();
    // SAFETY: the two pairs of pointer and length describe the live slices `bytes` and `to`; the
    // kernel only reads them.
    check_len(unsafe {
        abi::sendto(
            fd.as_raw_fd(),
            bytes.as_ptr().cast(),
            bytes.len(),
            abi::MSG_DONTWAIT | abi::MSG_NOSIGNAL,
            to.as_ptr().cast(),
            to.len() as c_uint,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::net::UnixStream;

    #[test]
    fn options_read_back_what_was_set() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        for (option, value) in [
            (Opt::KeepAlive, 1),
            (Opt::KeepAliveIdle, 11),
            (Opt::KeepAliveInterval, 12),
            (Opt::NoDelay, 1),
        ] {
            set(stream.as_fd(), option, value).unwrap();
            assert_eq!(get(stream.as_fd(), option).unwrap(), value, "{option:?}");
        }
    }

    #[test]
    fn a_missing_family_or_address_is_told_from_a_taken_port() {
        for (number, unavailable) in [(97, true), (99, true), (98, false), (13, false)] {
            let error = io::Error::from_raw_os_error(number);
            assert_eq!(is_unavailable(&error), unavailable, "{error}");
        }
    }

    #[test]
    fn waiting_for_a_connection_tells_made_and_refused_apart_and_ends_in_time() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let begin = || {
            let fd = new(&RawAddress::ip(&address), Kind::Stream).unwrap();
            let stream = TcpStream::from(fd);
            stream.set_nonblocking(true).unwrap(); // returns at once, like an interrupted one
            let begun = connect(stream.as_fd(), &RawAddress::ip(&address));
            assert!(is_connect_timeout(&begun.unwrap_err()));
            stream
        };
        wait_connected(begin().as_fd(), None).unwrap();
        drop(listener);
        let refused = wait_connected(begin().as_fd(), None).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let (full, _theirs) = UnixStream::pair().unwrap();
        while send_now(full.as_fd(), &[0; 4096]).is_ok() {}
        let late = wait_connected(full.as_fd(), Some(Duration::from_nanos(1))).unwrap_err();
        assert_eq!(late.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_datagram_has_a_sender_and_the_end_of_a_shut_socket_has_none() {
        for local in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(socket) = UdpSocket::bind(local) else {
                continue; // no IPv6 here
            };
            let address = socket.local_addr().unwrap();
            socket.send_to(b"hello", address).unwrap();
            let mut buffer = [0; 4];
            let cut = recv_from(socket.as_fd(), &mut buffer).unwrap();
            assert_eq!((cut, buffer), ((4, Some(address)), *b"hell"));
            let _ = shutdown_reading(socket.as_fd()); // reports ENOTCONN, but it is shut
            let end = recv_from(socket.as_fd(), &mut buffer).unwrap();
            assert_eq!(end, (0, None));
        }
    }

    #[test]
    fn peek_now_tells_idle_unread_and_ended_apart() {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        assert_eq!(
            peek_now(ours.as_fd()).unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
        theirs.write_all(b"x").unwrap();
        assert_eq!(peek_now(ours.as_fd()).unwrap(), 1);
        ours.read_exact(&mut [0]).unwrap();
        drop(theirs);
        assert_eq!(peek_now(ours.as_fd()).unwrap(), 0);
    }

    #[test]
    fn peek_len_tells_the_length_of_a_record_and_leaves_it_there() {
        let (ours, theirs) = std::os::unix::net::UnixDatagram::pair().unwrap();
        theirs.send(&[7; 5_000]).unwrap();
        for _ in 0..2 {
            assert_eq!(peek_len(ours.as_fd()).unwrap(), 5_000);
        }
        assert_eq!(ours.recv(&mut [0; 6_000]).unwrap(), 5_000);
    }

    #[test]
    fn send_now_stops_at_a_full_buffer_and_a_closed_peer_is_an_error_not_a_signal() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let block = [7u8; 64 * 1024];
        while send_now(ours.as_fd(), &block).is_ok() {}
        assert_eq!(
            send_now(ours.as_fd(), &block).unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
        drop(theirs);
        assert_eq!(
            send_now(ours.as_fd(), b"x").unwrap_err().kind(),
            io::ErrorKind::BrokenPipe
        );
    }

    #[test]
    fn parts_are_sent_in_order_up_to_as_many_as_the_kernel_takes_at_once() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let parts = [IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"c")];
        assert_eq!(send_parts_now(ours.as_fd(), &parts).unwrap(), 3);
        let mut heard = [0; 3];
        theirs.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"abc");
        let many = [IoSlice::new(b"x"); MAX_PARTS + 1];
        assert_eq!(send_parts_now(ours.as_fd(), &many).unwrap(), MAX_PARTS);
        drop(theirs);
        let gone = send_parts_now(ours.as_fd(), &parts).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn credentials_of_a_socket_pair_are_our_own() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let this = std::fs::metadata("/proc/self").unwrap();
        let expected = Credentials {
            pid: std::process::id() as i32,
            uid: this.uid(),
            gid: this.gid(),
        };
        assert_eq!(peer_credentials(ours.as_fd()).unwrap(), expected);
    }

    #[test]
    fn linger_zero_makes_close_send_a_reset() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut theirs, _) = listener.accept().unwrap();
        set_linger(ours.as_fd(), Some(0)).unwrap();
        drop(ours);
        assert_eq!(
            theirs.read(&mut [0]).unwrap_err().kind(),
            io::ErrorKind::ConnectionReset
        );
    }
}
