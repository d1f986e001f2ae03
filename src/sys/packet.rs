//! Packet sockets: all packets of an interface, as they are on the wire (`packet(7)`, CAP_NET_RAW).
//!
//! A *raw* socket delivers the link header; a *cooked* one removes it and reports its contents.
//! Both report where and when the packet was seen, and the VLAN tag that the hardware removed:
//!
//! ```text
//! offset  0           4           8          12        14        16        18
//! tag     status (4)  length (4)  snap (4)   mac (2)   net (2)   tag (2)   its EtherType (2)
//! ```
#![allow(unsafe_code)]

use std::ffi::{c_int, c_uint};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use super::address::{CAPACITY, RawAddress, field};
use super::message::{Controls, Message, number, time};
use super::{abi, check, socket};

/// The kind of a packet socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// With the link's header.
    Raw,
    /// Without it: all kinds of link look the same.
    Cooked,
}

/// Where a packet was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What its payload is: an EtherType.
    pub protocol: u16,
    /// The interface's index.
    pub interface: u32,
    /// The kind of the interface (ARPHRD_ of `net/if_arp.h`).
    pub hardware: u16,
    /// 0 to us, 1 broadcast, 2 multicast, 3 to another host, 4 sent by us.
    pub packet_type: u8,
    /// How many bytes of the address are in use.
    pub address_length: u8,
    /// The sender's hardware address.
    pub address: [u8; 8],
}

/// What came with a packet, beside its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Received {
    /// How many bytes of the buffer it fills.
    pub len: usize,
    /// Its whole length in bytes, which may be more.
    pub length: usize,
    /// Where.
    pub seen: Seen,
    /// When, since 1970.
    pub time: Option<Duration>,
    /// A VLAN tag that is not in the bytes: its EtherType and its 16 bits.
    pub tag: Option<(u16, u16)>,
}

/// Makes a packet socket that reports times and tags. Nothing arrives until [`bind`].
pub fn open(kind: Kind) -> io::Result<OwnedFd> {
    let number = match kind {
        Kind::Raw => abi::SOCK_RAW,
        Kind::Cooked => abi::SOCK_DGRAM,
    };
    // Protocol 0: with any other, packets of all interfaces would arrive before the bind.
    let fd = socket::with_protocol(abi::AF_PACKET, number, 0)?;
    socket::set_raw(fd.as_fd(), abi::SOL_SOCKET, abi::SO_TIMESTAMPNS, &[1])?;
    socket::set_raw(fd.as_fd(), abi::SOL_PACKET, abi::PACKET_AUXDATA, &[1])?;
    Ok(fd)
}

/// Which packets arrive after [`bind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// Nothing yet.
    Nothing,
    /// Packets of all protocols, in both directions.
    All,
}

/// Binds the socket to the interface of this index; 0 is all of them.
pub fn bind(fd: BorrowedFd<'_>, index: u32, take: Take) -> io::Result<()> {
    let protocol = match take {
        Take::Nothing => 0,
        Take::All => abi::ETH_P_ALL,
    };
    socket::bind(fd, &RawAddress::link(protocol, index))
}

/// The kind of the interface that the socket is bound to (ARPHRD_): 1 Ethernet, 772 loopback.
pub fn hardware(fd: BorrowedFd<'_>) -> io::Result<u16> {
    let mut name = [0_u8; CAPACITY];
    let mut len = CAPACITY as c_uint;
    // SAFETY: the array `name`, whose size `len` holds, and `len` are live and writable for the call.
    check(unsafe { abi::getsockname(fd.as_raw_fd(), name.as_mut_ptr().cast(), &raw mut len) })?;
    let seen = Seen::read(&name).ok_or(io::ErrorKind::InvalidData)?;
    Ok(seen.hardware)
}

/// Makes the interface receive packets for other hosts, too, until the socket is closed.
pub fn promiscuous(fd: BorrowedFd<'_>, index: u32) -> io::Result<()> {
    // `struct packet_mreq`: index, type and length of address (2 bytes each), address (8).
    let [a, b] = abi::PACKET_MR_PROMISC.to_ne_bytes();
    let request = [index as c_int, c_int::from_ne_bytes([a, b, 0, 0]), 0, 0];
    socket::set_raw(fd, abi::SOL_PACKET, abi::PACKET_ADD_MEMBERSHIP, &request)
}

/// Ignores packets that this machine sends (Linux 4.20 or newer).
pub fn ignore_outgoing(fd: BorrowedFd<'_>) -> io::Result<()> {
    socket::set_raw(fd, abi::SOL_PACKET, abi::PACKET_IGNORE_OUTGOING, &[1])
}

/// Asks for a buffer of this many bytes for unread packets: up to `net.core.rmem_max`, or more with
/// CAP_NET_ADMIN.
pub fn set_buffer(fd: BorrowedFd<'_>, bytes: i32) -> io::Result<()> {
    let forced = socket::set_raw(fd, abi::SOL_SOCKET, abi::SO_RCVBUFFORCE, &[bytes]);
    forced.or_else(|_| socket::set_raw(fd, abi::SOL_SOCKET, abi::SO_RCVBUF, &[bytes]))
}

/// How many packets arrived, and how many of these had no room, since the last call.
pub fn counts(fd: BorrowedFd<'_>) -> io::Result<(u32, u32)> {
    let value = socket::get_raw(fd, abi::SOL_PACKET, abi::PACKET_STATISTICS)?;
    let [arrived, dropped] = value.map(|count| count as u32);
    Ok((arrived, dropped))
}

/// Takes the next packet without waiting; `WouldBlock` when there is none.
pub fn receive_now(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Received> {
    // MSG_TRUNC: the length is the packet's, not the buffer's.
    let message = Message::receive(fd, buffer, abi::MSG_DONTWAIT | abi::MSG_TRUNC)?;
    let (time, tag) = told(message.control());
    Ok(Received {
        len: message.len.min(buffer.len()),
        length: message.len,
        seen: Seen::read(&message.name).ok_or(io::ErrorKind::InvalidData)?,
        time,
        tag,
    })
}

impl Seen {
    /// Reads a `sockaddr_ll` (see `address`). Older kernels leave out what of the hardware address
    /// is not in use; `name` has zeros there.
    fn read(name: &[u8; CAPACITY]) -> Option<Self> {
        let [packet_type, address_length] = field(name, 10)?;
        Some(Self {
            protocol: u16::from_be_bytes(field(name, 2)?),
            interface: u32::from_ne_bytes(field(name, 4)?),
            hardware: u16::from_ne_bytes(field(name, 8)?),
            packet_type,
            address_length,
            address: field(name, 12)?,
        })
    }
}

fn told(controls: Controls<'_>) -> (Option<Duration>, Option<(u16, u16)>) {
    let (mut when, mut tag) = (None, None);
    for (level, kind, data) in controls {
        match (level, kind) {
            (abi::SOL_SOCKET, abi::SO_TIMESTAMPNS) => when = time(data),
            (abi::SOL_PACKET, abi::PACKET_AUXDATA) => tag = read_tag(data),
            _ => {}
        }
    }
    (when, tag)
}

fn read_tag(data: &[u8]) -> Option<(u16, u16)> {
    let status = number(data, 0)?;
    let [tag, ether_type] = [field(data, 16)?, field(data, 18)?].map(u16::from_ne_bytes);
    (status & abi::TP_STATUS_VLAN_VALID != 0).then_some(())?;
    // Kernels before 3.14 do not report it.
    let ether_type = match status & abi::TP_STATUS_VLAN_TPID_VALID {
        0 => abi::ETH_P_8021Q,
        _ => ether_type,
    };
    Some((ether_type, tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_packet_was_seen_is_read_as_packet_7_lays_it_out() {
        let mut name = [0; CAPACITY];
        name[..12].copy_from_slice(
            RawAddress::link(0x0800, 3)
                .as_bytes()
                .first_chunk::<12>()
                .unwrap(),
        );
        name[8..10].copy_from_slice(&772_u16.to_ne_bytes());
        name[10..18].copy_from_slice(&[4, 6, 2, 0, 0, 0, 0, 1]);
        let seen = Seen {
            protocol: 0x0800,
            interface: 3,
            hardware: 772,
            packet_type: 4,
            address_length: 6,
            address: [2, 0, 0, 0, 0, 1, 0, 0],
        };
        assert_eq!(Seen::read(&name), Some(seen));
        assert_eq!(name[2..4], [8, 0]); // in network order
        assert_eq!(RawAddress::link(0, 0).as_bytes().len(), 20);
    }

    #[test]
    fn a_tag_that_the_hardware_took_out_is_told_with_its_type() {
        let aux = |status: c_int| {
            let mut data = status.to_ne_bytes().to_vec();
            data.extend([0; 12]);
            data.extend(0x2005_u16.to_ne_bytes());
            data.extend(0x88a8_u16.to_ne_bytes());
            read_tag(&data)
        };
        assert_eq!(aux(1), None);
        assert_eq!(aux(1 << 4), Some((0x8100, 0x2005)));
        assert_eq!(aux(1 << 4 | 1 << 6), Some((0x88a8, 0x2005)));
        assert_eq!(read_tag(&[0xff; 19]), None);
    }
}
