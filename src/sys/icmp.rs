//! ICMP sockets: the two kinds, what they let pass, and the messages they receive.
//!
//! Linux has two. A *datagram* socket (`icmp(7)`, `net.ipv4.ping_group_range`) sends only echo
//! requests, gives them an id of its own and receives the replies with that id; error messages
//! about them go to its error queue. A *raw* socket (`raw(7)`, CAP_NET_RAW) sends and receives all
//! of ICMP, for IPv4 with the IP header in front.
//!
//! The time to live, the time of arrival and the queued errors arrive as control messages. Safe
//! code: `message` reads them from the kernel, and the data of two of them is read here:
//!
//! ```text
//! offset  0           4                       8          12         16
//! TTL     value (4)
//! error   errno (4)   origin type code pad    info (4)   data (4)   offender
//! ```

use std::ffi::c_int;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use super::message::{Controls, Message, number, time};
use super::socket::{self, Opt};
use super::{abi, address};

/// The kind of an ICMP socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Echo requests and their replies, for the groups of `net.ipv4.ping_group_range`.
    Datagram,
    /// All of ICMP, for the capability CAP_NET_RAW.
    Raw,
}

/// What came with a message, beside its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Received {
    /// How many bytes of the buffer it fills.
    pub len: usize,
    /// Its sender (for a queued error, the destination of the packet that caused it).
    pub peer: Option<SocketAddr>,
    /// What the kernel reports about it.
    pub told: Told,
}

/// What the kernel reports about a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Its time to live on arrival.
    pub ttl: Option<u8>,
    /// When it arrived, since 1970.
    pub time: Option<Duration>,
    /// The ICMP error, for a message from the error queue.
    pub report: Option<Report>,
}

/// An ICMP error about a packet of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// The ICMP type.
    pub kind: u8,
    /// The ICMP code.
    pub code: u8,
    /// The next hop's MTU or the pointer to the problem, by type.
    pub info: u32,
    /// The sender of the error.
    pub offender: Option<SocketAddr>,
}

/// Makes an ICMP socket of the family of `local` that reports the time to live and the time of
/// arrival of each message. A datagram socket also queues the errors about its packets.
pub fn open(local: IpAddr, kind: Kind) -> io::Result<OwnedFd> {
    let number = match kind {
        Kind::Datagram => abi::SOCK_DGRAM,
        Kind::Raw => abi::SOCK_RAW,
    };
    let (family, protocol, ttl, errors) = match local {
        IpAddr::V4(_) => (
            abi::AF_INET,
            abi::IPPROTO_ICMP,
            Opt::ReceiveTtl,
            Opt::QueueErrors,
        ),
        IpAddr::V6(_) => (
            abi::AF_INET6,
            abi::IPPROTO_ICMPV6,
            Opt::ReceiveHopLimit,
            Opt::QueueErrors6,
        ),
    };
    let fd = socket::with_protocol(family, number, protocol)?;
    socket::set(fd.as_fd(), ttl, 1)?;
    // If this is refused, messages have no time.
    let _ = socket::set_raw(fd.as_fd(), abi::SOL_SOCKET, abi::SO_TIMESTAMPNS, &[1]);
    if kind == Kind::Datagram {
        socket::set(fd.as_fd(), errors, 1)?;
    }
    Ok(fd)
}

/// Lets a raw socket of the family of `local` receive these ICMP types only. (IPv4's filter knows
/// types below 32; the others always pass.)
pub fn let_pass(fd: BorrowedFd<'_>, local: IpAddr, types: &[u8]) -> io::Result<()> {
    // In both filters a set bit blocks its type.
    let mut blocked: [c_int; 8] = [-1; 8];
    for &kind in types {
        if let Some(word) = blocked.get_mut(usize::from(kind / 32)) {
            *word &= !(1 << (kind % 32));
        }
    }
    match local {
        IpAddr::V4(_) => socket::set_raw(fd, abi::SOL_RAW, abi::ICMP_FILTER, &blocked[..1]),
        IpAddr::V6(_) => socket::set_raw(fd, abi::IPPROTO_ICMPV6, abi::ICMPV6_FILTER, &blocked),
    }
}

/// Takes one message; `WouldBlock` when there is none.
pub fn receive(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Received> {
    receive_with(fd, buffer, abi::MSG_DONTWAIT)
}

/// Takes one report off the error queue, with as much of the packet it is about as was quoted;
/// `WouldBlock` when the queue is empty.
pub fn receive_error(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Received> {
    receive_with(fd, buffer, abi::MSG_ERRQUEUE | abi::MSG_DONTWAIT)
}

fn receive_with(fd: BorrowedFd<'_>, buffer: &mut [u8], flags: c_int) -> io::Result<Received> {
    let message = Message::receive(fd, buffer, flags)?;
    Ok(Received {
        len: message.len.min(buffer.len()),
        peer: address::read_ip(&message.name),
        told: told(message.control()),
    })
}

fn told(controls: Controls<'_>) -> Told {
    let mut told = Told::default();
    for (level, kind, data) in controls {
        match (level, kind) {
            (abi::IPPROTO_IP, abi::IP_TTL) | (abi::IPPROTO_IPV6, abi::IPV6_HOPLIMIT) => {
                told.ttl = number(data, 0).and_then(|hops| u8::try_from(hops).ok());
            }
            (abi::IPPROTO_IP, abi::IP_RECVERR) | (abi::IPPROTO_IPV6, abi::IPV6_RECVERR) => {
                told.report = read_report(data);
            }
            (abi::SOL_SOCKET, abi::SO_TIMESTAMPNS) => told.time = time(data),
            _ => {}
        }
    }
    told
}

/// A report of ICMP; `None` when it has another origin, such as an MTU limit found by the host
/// itself.
fn read_report(data: &[u8]) -> Option<Report> {
    let origin = *data.get(4)?;
    matches!(origin, abi::SO_EE_ORIGIN_ICMP | abi::SO_EE_ORIGIN_ICMP6).then_some(())?;
    Some(Report {
        kind: *data.get(5)?,
        code: *data.get(6)?,
        info: number(data, 8)? as u32,
        offender: data.get(16..).and_then(address::read_ip),
    })
}

#[cfg(test)]
mod tests {
    use super::super::address::RawAddress;
    use super::*;

    /// A control message as the kernel writes it.
    fn message(level: c_int, kind: c_int, data: &[u8]) -> Vec<u8> {
        let mut bytes = (16 + data.len()).to_ne_bytes().to_vec();
        bytes.extend(level.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }

    fn error(origin: u8, offender: &str) -> Vec<u8> {
        let mut data = 113_i32.to_ne_bytes().to_vec();
        data.extend([origin, 3, 1, 0]);
        data.extend(1_400_u32.to_ne_bytes());
        data.extend([0; 4]);
        let offender: SocketAddr = offender.parse().unwrap();
        data.extend(RawAddress::ip(&offender).as_bytes());
        data
    }

    #[test]
    fn a_time_to_live_a_time_and_a_report_are_found_in_any_order() {
        let ttl = message(abi::IPPROTO_IP, abi::IP_TTL, &64_i32.to_ne_bytes());
        let error = message(abi::IPPROTO_IP, abi::IP_RECVERR, &error(2, "10.0.0.1:0"));
        let time = [1_700_000_000_i64.to_ne_bytes(), 5_i64.to_ne_bytes()].concat();
        let time = message(abi::SOL_SOCKET, abi::SO_TIMESTAMPNS, &time);
        let other = message(1, 2, b"abc");
        let report = Report {
            kind: 3,
            code: 1,
            info: 1_400,
            offender: Some("10.0.0.1:0".parse().unwrap()),
        };
        let expected = Told {
            ttl: Some(64),
            time: Some(Duration::new(1_700_000_000, 5)),
            report: Some(report),
        };
        for bytes in [
            [&ttl[..], &time, &error, &other].concat(),
            [&other[..], &error, &ttl, &time].concat(),
        ] {
            assert_eq!(told(Controls(&bytes)), expected);
        }
        let hops = message(
            abi::IPPROTO_IPV6,
            abi::IPV6_HOPLIMIT,
            &255_i32.to_ne_bytes(),
        );
        let expected = Told {
            ttl: Some(255),
            ..Told::default()
        };
        assert_eq!(told(Controls(&hops)), expected);
    }

    #[test]
    fn a_report_of_the_host_itself_is_not_one_of_icmp() {
        let local = message(abi::IPPROTO_IP, abi::IP_RECVERR, &error(1, "10.0.0.1:0"));
        assert_eq!(told(Controls(&local)), Told::default());
    }

    #[test]
    fn cut_and_lying_control_messages_are_passed_over() {
        let whole = message(abi::IPPROTO_IPV6, abi::IPV6_RECVERR, &error(3, "[::1]:0"));
        // The last 4 bytes are padding.
        for len in 0..whole.len() - 4 {
            assert_eq!(
                told(Controls(&whole[..len])),
                Told::default(),
                "{len} bytes"
            );
        }
        for length in [0, 1, 15, 17, usize::MAX - 3, usize::MAX] {
            let mut lying = whole.clone();
            lying[..8].copy_from_slice(&length.to_ne_bytes());
            told(Controls(&lying));
        }
    }
}
