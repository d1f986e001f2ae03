//! Where the input goes: a connection, or a datagram socket and who is to hear it.

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
    /// A socket with many peers, and the one that was heard last.
    Answers(DatagramSocket, Addr),
}

impl Sink {
    /// Sends all of the bytes; blocks while the peer is slow. As one datagram where there are such.
    pub fn send(&self, feed: &Feed, bytes: &[u8]) -> io::Result<()> {
        match self {
            Sink::Stream(conn) => feed.write(conn, bytes),
            Sink::Datagrams(socket) => socket.send(bytes).map(drop),
            Sink::Answers(socket, peer) => socket.send_to(bytes, peer).map(drop),
        }
    }

    /// Tells the peer that nothing more comes, where there is a way to say it.
    pub fn end(&self) {
        if let Sink::Stream(conn) = self {
            // Fails when the connection is gone, which the reading side finds out as well.
            let _ = conn.shutdown(Shutdown::Write);
        }
    }

    /// Wakes whoever reads from the socket: for good.
    pub fn wake(&self) {
        match self {
            Sink::Stream(conn) => {
                let _ = conn.shutdown(Shutdown::Both);
            }
            Sink::Datagrams(socket) | Sink::Answers(socket, _) => socket.close(),
        }
    }
}
