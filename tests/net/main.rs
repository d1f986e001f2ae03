//! The library's sockets, driven for real: on loopback, port 0, and in folders of their own.

mod conn;
mod datagram;
mod dial;
mod icmp;
mod interfaces;
mod listen;
mod pool;
#[path = "../support/mod.rs"]
mod support;
mod unix;
