//! The sockets of an address: one for TCP, one for each UDP worker, all on the same port.

use std::io;

use crate::net::{DatagramSocket, Error, ListenConfig, Listener, Network};

/// The receive buffer for queries that wait for a worker, in bytes: about a thousand queries, which
/// take it some milliseconds. Queries that do not fit are lost.
const RECEIVE_BUFFER: u32 = 1 << 20;
/// How many ports of the kernel's choice are tried until one is free for both TCP and UDP.
const TRIES: usize = 16;

/// Bound sockets of one address.
#[derive(Debug)]
pub struct Place {
    /// For connections.
    pub listener: Listener,
    /// For datagrams, one per worker; the kernel distributes the clients among them.
    pub sockets: Vec<DatagramSocket>,
}

impl Place {
    /// Binds `address` (`host:port`) with one UDP socket per worker: a thread of the server, at
    /// least 1. Port 0 means a free port.
    pub fn bind(address: &str, workers: usize) -> Result<Self, Error> {
        let mut tries = TRIES;
        loop {
            // TCP first: it never shares its port, so a second server on this address fails here.
            // Its UDP sockets would succeed, and take half of the first server's queries.
            let listener = ListenConfig::default().listen(Network::Tcp, address)?;
            let bound = listener.local_addr().to_string();
            match udp(&bound, workers) {
                // The port that was free for TCP is taken for UDP. A port asked for by number would
                // stay taken.
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
    let sockets = (0..workers.max(1)).map(|_| config.listen_datagrams(Network::Udp, address));
    sockets.collect()
}

fn is_taken(error: &Error) -> bool {
    error.kind() == io::ErrorKind::AddrInUse
}
