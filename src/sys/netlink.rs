//! Netlink: a socket whose other end is the kernel (`netlink(7)`, `rtnetlink(7)`).
//!
//! Safe code: the socket is made and connected here, and std's `send`, `recv` and time-outs work on
//! it as on any datagram socket. What the messages mean is read in `net`.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsFd;

use super::abi;
use super::address::RawAddress;
use super::socket;

/// A socket that asks the kernel about links, addresses and routes.
///
/// Connected to the kernel, so a message from another process is not delivered. Its type is the
/// one of std's that has datagrams, `send` and `recv`; it has no IP address to tell.
pub fn open() -> io::Result<UdpSocket> {
    let fd = socket::with_protocol(abi::AF_NETLINK, abi::SOCK_RAW, abi::NETLINK_ROUTE)?;
    socket::connect(fd.as_fd(), &RawAddress::kernel())?;
    Ok(UdpSocket::from(fd))
}
