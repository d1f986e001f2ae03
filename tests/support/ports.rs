//! Ports for those that cannot be given port 0.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};

/// A port of 127.0.0.1 that nobody has and nobody is given: not of those from 32768 on, of which the
/// system gives one to whoever asks for port 0 or connects (ip(7), `ip_local_port_range`). For peers that cannot
/// tell which port they were given, for an address that is to be had again, and for one where nobody is.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..1000 {
        // Processes that run at the same time begin at different ones.
        let first = std::process::id().wrapping_mul(37);
        let number = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let address = (Ipv4Addr::LOCALHOST, 10_000 + (number % 20_000) as u16);
        if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
            return address.1;
        }
    }
    panic!("no port is free");
}
