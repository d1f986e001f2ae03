//! The conversations of a capture: which one a packet belongs to, and where it stands in it. Pure.
//!
//! Memory: about 270 bytes a TCP connection (100 more where selective acknowledgments are seen), 70
//! a UDP conversation, and at most a million of each ([`Flows::MOST`]); then the oldest is forgotten.
//! And 12 MiB at most for segments that are not acknowledged.

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

    /// None yet.
    pub fn new() -> Self {
        Self::with_limit(Self::MOST)
    }

    /// None yet, and at most `most` of each kind (at least 1).
    pub fn with_limit(most: usize) -> Self {
        Self {
            tcp: Table::new(most),
            udp: Table::new(most),
            unacked: Unacked::default(),
        }
    }

    /// Takes a TCP segment, packet `number` of the capture, seen at `time`: which connection it
    /// belongs to, its relative numbers, and what the segments before tell of it.
    ///
    /// A SYN with another sequence number than the last one of these ends is a new connection.
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

    /// The number of the TCP connection that an ICMP error is about: nothing of it is remembered but
    /// that it is there. A SYN there with another number is of a new connection, too.
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

    /// Before a connection is added: the one that it takes the place of gives back what it has.
    fn make_room(&mut self) {
        if let Some(oldest) = self.tcp.oldest() {
            oldest.forget_unacked(&mut self.unacked);
        }
    }

    /// How many segments of all connections there is room for.
    #[cfg(test)]
    pub(super) fn room_made(&self) -> usize {
        self.unacked.room_made()
    }

    /// Takes a UDP datagram: the number of its conversation, from 0.
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
