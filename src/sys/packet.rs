//! Packet sockets: all packets of an interface, as they are on the wire (`packet(7)`, CAP_NET_RAW).
//!
//! A *raw* socket delivers the link header; a *cooked* one removes it and reports its contents.
//! Both report where and when the packet was seen, and the VLAN tag that the hardware removed:
//!
//! ```text
//! control message, time  0 seconds (8)  8 nanoseconds (8)
//! control message, tag   0 status (4)  4 length (4)  8 snap (4)  12 mac (2)  14 net (2)
//!                       16 tag (2)    18 its EtherType (2)
//! ```
#![allow(unsafe_code)]

use std::ffi::{c_int, c_uint};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use super::abi::{self, IoVec, MsgHdr, SockAddrLl};
use super::icmp::{next_control, number, read_time};
use super::{check, check_len, socket};

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

/// Room for the control messages of one receive: a time (16 + 16 bytes) and auxiliary data (16 + 20,
/// in whole words 40).
const CONTROL: usize = 128;

/// Control messages, aligned as `cmsg(3)` requires.
#[repr(align(8))]
struct Control([u8; CONTROL]);

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
    let address = SockAddrLl {
        family: abi::AF_PACKET as u16,
        protocol: protocol.to_be(),
        index: index as c_int,
        ..SockAddrLl::default()
    };
    let len = size_of::<SockAddrLl>() as c_uint;
    // SAFETY: pointer and length describe the live value `address`; the kernel only reads it.
    check(unsafe { abi::bind(fd.as_raw_fd(), (&raw const address).cast(), len) })?;
    Ok(())
}

/// The kind of the interface that the socket is bound to (ARPHRD_): 1 Ethernet, 772 loopback.
pub fn hardware(fd: BorrowedFd<'_>) -> io::Result<u16> {
    let mut address = SockAddrLl::default();
    let mut len = size_of::<SockAddrLl>() as c_uint;
    // SAFETY: `address` and `len` are live for the call; `len` holds the size of `address`, which is
    // integers only, any bit pattern of which is valid.
    check(unsafe { abi::getsockname(fd.as_raw_fd(), (&raw mut address).cast(), &raw mut len) })?;
    Ok(address.hardware)
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
    let mut value = [0_u32; 2];
    let mut len = size_of_val(&value) as c_uint;
    // SAFETY: `value` and `len` are live for the call; `len` holds the size of `value`, two integers
    // as `struct tpacket_stats` has them, any bit pattern of which is valid.
    check(unsafe {
        abi::getsockopt(
            fd.as_raw_fd(),
            abi::SOL_PACKET,
            abi::PACKET_STATISTICS,
            (&raw mut value).cast(),
            &raw mut len,
        )
    })?;
    let [arrived, dropped] = value;
    Ok((arrived, dropped))
}

/// Takes the next packet without waiting; `WouldBlock` when there is none.
pub fn receive_now(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Received> {
    let mut name = SockAddrLl::default();
    let mut control = Control([0; CONTROL]);
    let mut iov = IoVec {
        base: buffer.as_mut_ptr().cast(),
        len: buffer.len(),
    };
    let mut header = MsgHdr {
        name: (&raw mut name).cast(),
        namelen: size_of::<SockAddrLl>() as c_uint,
        iov: &raw mut iov,
        iovlen: 1,
        control: control.0.as_mut_ptr().cast(),
        controllen: CONTROL,
        flags: 0,
    };
    // MSG_TRUNC: the length is the packet's, not the buffer's.
    let flags = abi::MSG_DONTWAIT | abi::MSG_TRUNC;
    // SAFETY: the header points at one iovec, one address and one control array, the iovec at
    // `buffer`, all with their true lengths; all of them are live, writable and outlive the call.
    let length = check_len(unsafe { abi::recvmsg(fd.as_raw_fd(), &raw mut header, flags) })?;
    let controllen = header.controllen;
    let (time, tag) = read_control(control.0.get(..controllen).unwrap_or(&[]));
    Ok(Received {
        len: length.min(buffer.len()),
        length,
        seen: Seen {
            protocol: u16::from_be(name.protocol),
            interface: name.index as u32,
            hardware: name.hardware,
            packet_type: name.packet_type,
            address_length: name.address_length,
            address: name.address,
        },
        time,
        tag,
    })
}

fn read_control(mut bytes: &[u8]) -> (Option<Duration>, Option<(u16, u16)>) {
    let (mut time, mut tag) = (None, None);
    while let Some((level, kind, data, rest)) = next_control(bytes) {
        match (level, kind) {
            (abi::SOL_SOCKET, abi::SO_TIMESTAMPNS) => time = read_time(data),
            (abi::SOL_PACKET, abi::PACKET_AUXDATA) => tag = read_tag(data),
            _ => {}
        }
        bytes = rest;
    }
    (time, tag)
}

fn read_tag(data: &[u8]) -> Option<(u16, u16)> {
    let status = number(data, 0)?;
    let (tag, rest) = data.get(16..)?.split_first_chunk()?;
    let (ether_type, _) = rest.split_first_chunk()?;
    (status & abi::TP_STATUS_VLAN_VALID != 0).then_some(())?;
    // Kernels before 3.14 do not report it.
    let ether_type = match status & abi::TP_STATUS_VLAN_TPID_VALID {
        0 => abi::ETH_P_8021Q,
        _ => u16::from_ne_bytes(*ether_type),
    };
    Some((ether_type, u16::from_ne_bytes(*tag)))
}

#[cfg(test)]
mod tests {
    use super::*;

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
