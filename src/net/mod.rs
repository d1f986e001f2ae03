//! Addresses, network names, connections: the base of every protocol in this crate.
//!
//! The room has a pure half and a shell.
//!
//! - *Pure*: text to values and back. [`ip`] (IPv4 and IPv6 literals), [`zone`] (`%eth0`),
//!   [`class`] (what kind of address it is), [`prefix`] (`10.0.0.0/8`), [`host_port`]
//!   (`host:port`), [`services`] (`/etc/services`), [`network`] (`tcp`, `udp4`, `unix` ...),
//!   `lines` (bounded lines), `incoming` (received bytes that are not taken yet), [`hosts`] (the
//!   addresses in a prefix), [`reverse`] (an address as a name), [`interface`] and [`netlink`]
//!   (interfaces, and the kernel's messages about them), [`icmp`] (echo and errors).
//! - *Shell*: [`dial`] and [`Dialer`] make connections, [`listen`] and [`Listener`] accept them,
//!   both as a [`Conn`]; [`DatagramSocket`] is the same for datagrams; [`ConnPool`] keeps idle
//!   connections to one address; an [`IcmpSocket`] pings; [`interfaces`] asks the kernel for its
//!   interfaces; a [`Deadline`] limits every blocking call; [`unguessable`] is for ids and seeds.
//!
//! ```text
//!   "tcp", "localhost:http"
//!        |  HostPort::parse             literals never reach a resolver
//!        v
//!   Name("localhost"), 80
//!        |  resolve                     the system's, on a thread when there is a deadline
//!        v
//!   [::1]:80, 127.0.0.1:80
//!        |  Dialer                      staggered attempts, first one wins (RFC 8305)
//!        v
//!      Conn                             TCP or Unix: read, write, half-close, deadlines
//! ```
//!
//! Errors say what was attempted, on what, and why it failed: `connect tcp 127.0.0.1:1: connection
//! refused`. Every descriptor is owned, close-on-exec, and closed by `Drop`.

mod address_error;
pub mod class;
mod conn;
mod datagram;
mod deadline;
mod dialer;
mod error;
#[cfg(test)]
mod generate;
pub mod host_port;
pub mod hosts;
pub mod icmp;
mod incoming;
pub mod interface;
mod interfaces;
pub mod ip;
mod lines;
mod listener;
pub mod netlink;
pub mod network;
mod pool;
pub mod prefix;
mod resolve;
pub mod reverse;
pub mod services;
mod start_lock;
mod unguessable;
mod unix_file;
pub mod zone;

pub use address_error::{AddressError, Rule};
pub use class::{Class, classify};
pub use conn::{Addr, Conn, Ready};
pub use datagram::{DatagramSocket, MAX_UDP_PAYLOAD, dial_datagrams, listen_datagrams};
pub use deadline::Deadline;
pub(crate) use deadline::{say_which, wait_until};
pub use dialer::{Dialer, dial};
pub use error::{AcceptError, Error, plain_words};
#[cfg(test)]
pub(crate) use generate::Seeded;
pub use host_port::{Host, HostPort, join_host_port, split_host_port};
pub use icmp::socket::IcmpSocket;
pub use incoming::Incoming;
pub use interface::Interface;
pub use interfaces::interfaces;
pub use ip::parse_ip;
pub use lines::{LineBuffer, LineTooLong, without_line_end};
pub use listener::{ListenConfig, Listener, listen};
pub use network::{Network, Transport};
pub use pool::{ConnPool, Destination, Liveness, PoolConfig, PoolStats, Pooled};
pub use prefix::Prefix;
pub use resolve::{host_addresses, services as system_services};
pub use reverse::reverse_name;
pub use services::Services;
pub use unguessable::unguessable;
pub use zone::{Zone, ZonedIp};

pub use crate::sys::socket::Credentials;
