//! Where the input goes: a connection, or a datagram socket with one of its peers.

use std::io;
use std::net::Shutdown;

use super::feed::Feed;
use crate::net::{Addr, Conn, DatagramSocket};

/// One peer; a handle, cheap to clone.
#[derive(Clone, Debug)]
pub enum Sink {
    /// A connection.
    Stream(Conn),
    /// A socket that is connected to its one peer.
    Datagrams(DatagramSocket),
    /// A socket with many peers, and the peer heard last.
    Answers(DatagramSocket, Addr),
}

impl Sink {
    /// Sends all bytes, in one datagram if the socket has datagrams; blocks while the peer is slow.
    pub fn send(&self, feed: &Feed, bytes: &[u8]) -> io::Result<()> {
        match self {
            Sink::Stream(conn) => feed.write(conn, bytes),
            Sink::Datagrams(socket) => socket.send(bytes).map(drop),
            Sink::Answers(socket, peer) => socket.send_to(bytes, peer).map(drop),
        }
    }

    /// Tells the peer that nothing more comes, if the socket can (a half-close).
    pub fn end(&self) {
        if let Sink::Stream(conn) = self {
            // Fails if the connection has ended; the reading side notices that, too.
            let _ = conn.shutdown(Shutdown::Write);
        }
    }

    /// Wakes the reader of the socket, for good.
    pub fn wake(&self) {
        match self {
            Sink::Stream(conn) => {
                let _ = conn.shutdown(Shutdown::Both);
            }
            Sink::Datagrams(socket) | Sink::Answers(socket, _) => socket.close(),
        }
    }
}
