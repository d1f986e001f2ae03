//! The conversations of a capture: which one a packet belongs to, and its place in it. Pure.
//!
//! Memory: about 270 bytes per TCP connection (100 more with selective acknowledgments) and 70 per
//! UDP conversation, for at most a million of each ([`Flows::MOST`]); beyond that, the oldest is
//! forgotten. Unacknowledged segments take at most 12 MiB.

use std::time::Duration;

use crate::capture::decode::Tcp;

use super::connection::Connection;
use super::segment::{Ends, Marks, Segment};
use super::table::{Key, Table};
use super::unacked::Unacked;

/// All conversations so far.
#[derive(Clone, Debug)]
pub struct Flows {
    tcp: Table<Connection>,
    udp: Table<()>,
    unacked: Unacked,
}

impl Flows {
    /// The most TCP connections, and the most UDP conversations, that are remembered.
    pub const MOST: usize = 1 << 20;

    /// No conversations yet.
    pub fn new() -> Self {
        Self::with_limit(Self::MOST)
    }

    /// The same, with at most `most` of each kind (at least 1).
    pub fn with_limit(most: usize) -> Self {
        Self {
            tcp: Table::new(most),
            udp: Table::new(most),
            unacked: Unacked::default(),
        }
    }

    /// Takes a TCP segment, packet `number` of the capture, seen at `time`. Returns its connection,
    /// its relative numbers, and the marks that follow from earlier segments.
    ///
    /// A SYN with another sequence number than the last SYN between these ends opens a new
    /// connection.
    pub fn tcp(&mut self, ends: Ends, tcp: &Tcp<'_>, number: u64, time: Duration) -> Segment {
        let when = (number, u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        let (key, swapped) = Key::of(ends);
        let mut reused = false;
        if let Some((stream, connection)) = self.tcp.find(&key) {
            if !connection.is_replaced_by(swapped, tcp) {
                return connection.segment(stream, swapped, tcp, when, &mut self.unacked);
            }
            connection.forget_unacked(&mut self.unacked);
            reused = true;
        }
        self.make_room();
        let stream = self.tcp.next_number();
        let mut connection = Connection::new(swapped, tcp);
        let mut segment = connection.segment(stream, swapped, tcp, when, &mut self.unacked);
        self.tcp.add(key, connection);
        if reused {
            segment.marks.add(Marks::PORT_REUSED);
        }
        segment
    }

    /// The number of the TCP connection that an ICMP error is about. Nothing else of the quoted
    /// segment is remembered. A quoted SYN with another number belongs to a new connection, too.
    pub fn quoted_tcp(&mut self, ends: Ends, tcp: &Tcp<'_>) -> u32 {
        let (key, swapped) = Key::of(ends);
        if let Some((number, connection)) = self.tcp.find(&key) {
            if !connection.is_replaced_by(swapped, tcp) {
                return number;
            }
            connection.forget_unacked(&mut self.unacked);
        }
        let connection = Connection {
            opened_by_second: swapped,
            ..Connection::default()
        };
        self.make_room();
        self.tcp.add(key, connection)
    }

    /// To be called before a connection is added: the connection that it displaces returns its
    /// entries.
    fn make_room(&mut self) {
        if let Some(oldest) = self.tcp.oldest() {
            oldest.forget_unacked(&mut self.unacked);
        }
    }

    /// How many segments of all connections the store has room for.
    #[cfg(test)]
    pub(super) fn room_made(&self) -> usize {
        self.unacked.room_made()
    }

    /// Takes a UDP datagram: returns the number of its conversation, from 0.
    pub fn udp(&mut self, ends: Ends) -> u32 {
        let (key, _) = Key::of(ends);
        if let Some((number, ())) = self.udp.find(&key) {
            return number;
        }
        self.udp.add(key, ())
    }
}

impl Default for Flows {
    fn default() -> Self {
        Self::new()
    }
}
