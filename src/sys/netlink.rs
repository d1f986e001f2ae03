//! Netlink: a socket whose other end is the kernel (`netlink(7)`, `rtnetlink(7)`).
//!
//! Safe code: the socket is made and connected here, and std's `send`, `recv` and time-outs work on
//! it as on any datagram socket. `net` interprets the messages.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsFd;

use super::abi;
use super::address::RawAddress;
use super::socket;

/// A socket that asks the kernel about links, addresses and routes.
///
/// Connected to the kernel, so messages from other processes are not delivered. std has no netlink
/// type; a `UdpSocket` offers `send`, `recv` and time-outs for datagrams. It has no IP address.
pub fn open() -> io::Result<UdpSocket> {
    let fd = socket::with_protocol(abi::AF_NETLINK, abi::SOCK_RAW, abi::NETLINK_ROUTE)?;
    socket::connect(fd.as_fd(), &RawAddress::kernel())?;
    Ok(UdpSocket::from(fd))
}
