//! What a TCP segment means in its connection: numbers relative to the handshake, and what the
//! segments before it tell of it. Pure.

use std::net::IpAddr;

/// The two ends of a packet: who has sent it, and to whom.
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

    /// The same, seen from the other side.
    pub fn reversed(self) -> Self {
        Self {
            source: self.destination,
            destination: self.source,
        }
    }
}

/// Which way a packet goes in its conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the side that sent the conversation's first packet (of TCP, the one that sent the SYN,
    /// where it was seen).
    Forward,
    /// Towards it.
    Back,
}

/// A TCP segment in its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The number of the connection in this capture, from 0.
    pub stream: u32,
    /// Which way it goes.
    pub direction: Direction,
    /// Sequence number, relative to the first one seen of this side.
    pub sequence: u32,
    /// Acknowledgment number, relative to the first sequence number of the other side;
    /// without the ACK flag as it stands in the header, where it means nothing.
    pub acknowledgment: u32,
    /// The window in bytes, scaled where the handshake was seen to allow it (RFC 7323 §2).
    pub window: u32,
    /// What scales it, as a power of two; `None` where the handshake was not seen.
    pub window_shift: Option<u8>,
    /// Payload, in bytes.
    pub length: u32,
    /// What the segments before it tell of it.
    pub marks: Marks,
    /// Of a duplicate acknowledgment: the packet that had it first, and how often it came since.
    pub duplicate_of: Option<(u64, u32)>,
}

/// What the segments before tell of this one: any of these, as Wireshark's analysis names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks(pub u16);

impl Marks {
    /// Bytes that were sent before, and not because of duplicate acknowledgments.
    pub const RETRANSMISSION: Marks = Marks(1);
    /// Sent again at once after duplicate acknowledgments (RFC 5681 §3.2).
    pub const FAST_RETRANSMISSION: Marks = Marks(1 << 1);
    /// Bytes that were acknowledged before.
    pub const SPURIOUS_RETRANSMISSION: Marks = Marks(1 << 2);
    /// Bytes of a gap that were not lost, only late.
    pub const OUT_OF_ORDER: Marks = Marks(1 << 3);
    /// Bytes before it are missing.
    pub const LOST_BEFORE: Marks = Marks(1 << 4);
    /// An acknowledgment of bytes that were never seen.
    pub const ACKED_UNSEEN: Marks = Marks(1 << 5);
    /// The same acknowledgment again.
    pub const DUPLICATE_ACK: Marks = Marks(1 << 6);
    /// No byte or one, before the next that is expected.
    pub const KEEP_ALIVE: Marks = Marks(1 << 7);
    /// The reply to that.
    pub const KEEP_ALIVE_ACK: Marks = Marks(1 << 8);
    /// The receiver has no room.
    pub const ZERO_WINDOW: Marks = Marks(1 << 9);
    /// One byte, to ask whether there is room again.
    pub const ZERO_WINDOW_PROBE: Marks = Marks(1 << 10);
    /// The reply to that.
    pub const ZERO_WINDOW_PROBE_ACK: Marks = Marks(1 << 11);
    /// Only the window has changed.
    pub const WINDOW_UPDATE: Marks = Marks(1 << 12);
    /// As much as the receiver has room for.
    pub const WINDOW_FULL: Marks = Marks(1 << 13);
    /// A SYN on the ports of a connection that was there before.
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
