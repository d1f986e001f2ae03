//! The library's sockets in real use: on loopback, with port 0, and in temporary folders.

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
