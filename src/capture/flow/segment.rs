//! The meaning of a TCP segment in its connection: numbers relative to the handshake, and what
//! earlier segments tell about it. Pure.

use std::net::IpAddr;

/// The two ends of a packet: its sender and its receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ends {
    /// Address and port of the sender.
    pub source: (IpAddr, u16),
    /// Address and port of the receiver.
    pub destination: (IpAddr, u16),
}

impl Ends {
    /// From the first address and port to the second.
    pub fn between((source, destination): (IpAddr, IpAddr), from: u16, to: u16) -> Self {
        Self {
            source: (source, from),
            destination: (destination, to),
        }
    }

    /// The same ends, in the other direction.
    pub fn reversed(self) -> Self {
        Self {
            source: self.destination,
            destination: self.source,
        }
    }
}

/// The direction of a packet in its conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the side that sent the conversation's first packet (in TCP, the side that sent the SYN,
    /// if it was seen).
    Forward,
    /// Towards that side.
    Back,
}

/// A TCP segment in its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The number of the connection in this capture, from 0.
    pub stream: u32,
    /// Its direction.
    pub direction: Direction,
    /// Sequence number, relative to the first one seen from this side.
    pub sequence: u32,
    /// Acknowledgment number, relative to the first sequence number of the other side; without the
    /// ACK flag it has no meaning, and is as in the header.
    pub acknowledgment: u32,
    /// The window in bytes, scaled if the handshake was seen to allow it (RFC 7323 §2).
    pub window: u32,
    /// The scale of the window, as a power of two; `None` if the handshake was not seen.
    pub window_shift: Option<u8>,
    /// What earlier segments tell about it.
    pub marks: Marks,
    /// For a duplicate acknowledgment: the first packet that had it, and how often it came since.
    pub duplicate_of: Option<(u64, u32)>,
}

/// What earlier segments tell about this one: a set of marks, named as in Wireshark's analysis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks(pub u16);

impl Marks {
    /// Bytes that were sent before, other than after duplicate acknowledgments.
    pub const RETRANSMISSION: Marks = Marks(1);
    /// Bytes sent again at once after duplicate acknowledgments (RFC 5681 §3.2).
    pub const FAST_RETRANSMISSION: Marks = Marks(1 << 1);
    /// Bytes that were acknowledged before.
    pub const SPURIOUS_RETRANSMISSION: Marks = Marks(1 << 2);
    /// Bytes that fill a gap: not lost, only late.
    pub const OUT_OF_ORDER: Marks = Marks(1 << 3);
    /// Bytes before it are missing.
    pub const LOST_BEFORE: Marks = Marks(1 << 4);
    /// An acknowledgment of bytes that were never seen.
    pub const ACKED_UNSEEN: Marks = Marks(1 << 5);
    /// The same acknowledgment again.
    pub const DUPLICATE_ACK: Marks = Marks(1 << 6);
    /// At most one byte, just before the next one that is expected.
    pub const KEEP_ALIVE: Marks = Marks(1 << 7);
    /// The reply to a keep-alive.
    pub const KEEP_ALIVE_ACK: Marks = Marks(1 << 8);
    /// The receiver has no room.
    pub const ZERO_WINDOW: Marks = Marks(1 << 9);
    /// One byte, to ask whether the receiver has room again.
    pub const ZERO_WINDOW_PROBE: Marks = Marks(1 << 10);
    /// The reply to a zero window probe.
    pub const ZERO_WINDOW_PROBE_ACK: Marks = Marks(1 << 11);
    /// Only the window has changed.
    pub const WINDOW_UPDATE: Marks = Marks(1 << 12);
    /// It fills all the room that the receiver has.
    pub const WINDOW_FULL: Marks = Marks(1 << 13);
    /// A SYN on the ports of an earlier connection.
    pub const PORT_REUSED: Marks = Marks(1 << 14);

    /// Whether all of these are set.
    pub fn has(self, marks: Marks) -> bool {
        self.0 & marks.0 == marks.0
    }

    /// Sets these as well.
    pub fn add(&mut self, marks: Marks) {
        self.0 |= marks.0;
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}
