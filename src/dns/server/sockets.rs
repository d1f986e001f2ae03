//! The sockets of an address: one for TCP, one for each UDP worker, all on the same port.

use std::io;

use crate::net::{DatagramSocket, Error, ListenConfig, Listener, Network};

/// Room for queries that wait for a worker, in bytes: a thousand or so of them, which take it some
/// milliseconds. What finds no room is lost.
const RECEIVE_BUFFER: u32 = 1 << 20;
/// How many free ports are tried until one is free for both.
const TRIES: usize = 16;

/// Bound sockets of one address.
#[derive(Debug)]
pub struct Place {
    /// For connections.
    pub listener: Listener,
    /// For datagrams, one a worker; the kernel shares the clients out among them.
    pub sockets: Vec<DatagramSocket>,
}

impl Place {
    /// Binds `address` (`host:port`) with as many UDP sockets as workers. Port 0 is a free one.
    pub fn bind(address: &str, workers: usize) -> Result<Self, Error> {
        let mut tries = TRIES;
        loop {
            // TCP first: it never shares its port, so that a second server on this address fails
            // here, where its UDP sockets would take half of the first one's queries.
            let listener = ListenConfig::default().listen(Network::Tcp, address)?;
            let bound = listener.local_addr().to_string();
            match udp(&bound, workers) {
                // The free port of TCP was taken for UDP. Asked for by its number, it would be again.
                Err(error) if bound != address && is_taken(&error) && tries > 1 => tries -= 1,
                sockets => {
                    return Ok(Self {
                        listener,
                        sockets: sockets?,
                    });
                }
            }
        }
    }
}

fn udp(address: &str, workers: usize) -> Result<Vec<DatagramSocket>, Error> {
    let config = ListenConfig {
        reuse_port: workers > 1,
        receive_buffer: Some(RECEIVE_BUFFER),
        ..ListenConfig::default()
    };
    let sockets = (0..workers).map(|_| config.listen_datagrams(Network::Udp, address));
    sockets.collect()
}

fn is_taken(error: &Error) -> bool {
    error.kind() == io::ErrorKind::AddrInUse
}
