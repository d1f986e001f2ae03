//! A TCP segment in words, for the lesson: what each flag and number of it means. Pure.
//!
//! ```text
//!   1   0.000000000 ... 51234 → 443 [SYN] Seq=0 Win=64240 Len=0 MSS=1460 WS=128
//!         The client asks to open a connection (SYN).
//!         Its numbers begin at 3735928559, shown as 0; the SYN takes one, its first byte is number 1.
//! ```
//!
//! The words follow RFC 9293 §3.3 to §3.6 and RFC 7323. Memory: a few bytes for each of the last
//! [`Explain::MOST`] connections.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::capture::decode::{Decoded, Layer, Tcp, TcpFlags, TcpOption, TcpOptions};

use super::segment::{Direction, Marks, Segment};

/// What was told of the connections so far.
#[derive(Clone, Debug, Default)]
pub struct Explain {
    /// Which sides have closed, by connection.
    closed: BTreeMap<u32, [bool; 2]>,
}

impl Explain {
    /// The most connections whose ends are remembered.
    pub const MOST: usize = 65_536;

    /// Nothing told yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes the lines for a packet, each indented by 8 spaces; none where it has no TCP segment.
    pub fn packet(&mut self, decoded: &Decoded<'_>, out: &mut String) {
        let tcp = decoded
            .layers
            .as_slice()
            .iter()
            .find_map(|layer| match layer {
                Layer::Tcp(tcp) => Some(tcp),
                _ => None,
            });
        if let (Some(segment), Some(tcp)) = (&decoded.segment, tcp) {
            self.segment(segment, tcp, out);
        }
    }

    /// The same for a segment.
    pub fn segment(&mut self, segment: &Segment, tcp: &Tcp<'_>, out: &mut String) {
        let mut words = Words { segment, tcp, out };
        words.marks();
        if words.has(TcpFlags::RST) {
            words.reset();
            return;
        }
        if words.has(TcpFlags::SYN) {
            words.open();
            return;
        }
        words.data();
        words.acknowledges();
        if words.has(TcpFlags::FIN) {
            let both = self.close(segment);
            words.close(both);
        }
    }

    /// Remembers that a side has closed; whether now both have.
    fn close(&mut self, segment: &Segment) -> bool {
        if self.closed.len() >= Self::MOST {
            self.closed.pop_first();
        }
        let sides = self.closed.entry(segment.stream).or_default();
        let [forward, back] = sides;
        match segment.direction {
            Direction::Forward => *forward = true,
            Direction::Back => *back = true,
        }
        *forward && *back
    }
}

/// A segment being told.
struct Words<'a> {
    segment: &'a Segment,
    tcp: &'a Tcp<'a>,
    out: &'a mut String,
}

impl Words<'_> {
    fn has(&self, flag: u16) -> bool {
        self.tcp.flags.has(flag)
    }

    fn line(&mut self, words: std::fmt::Arguments<'_>) {
        let _ = writeln!(self.out, "        {words}");
    }

    /// Who sends, and to whom.
    fn sides(&self) -> (&'static str, &'static str) {
        match self.segment.direction {
            Direction::Forward => ("client", "server"),
            Direction::Back => ("server", "client"),
        }
    }

    fn marks(&mut self) {
        for (mark, words) in MARKS {
            if self.segment.marks.has(mark) {
                self.line(format_args!("{words}"));
            }
        }
    }

    fn open(&mut self) {
        let (from, to) = self.sides();
        if self.has(TcpFlags::ACK) {
            self.line(format_args!(
                "The {from} agrees (SYN, ACK): it has the {to}'s SYN and sends its own."
            ));
        } else {
            self.line(format_args!("The {from} asks to open a connection (SYN)."));
        }
        let raw = self.tcp.sequence;
        self.line(format_args!(
            "Its numbers begin at {raw}, shown as 0; the SYN takes one, so its first byte is number 1."
        ));
        if self.has(TcpFlags::ACK) {
            let ack = self.segment.acknowledgment;
            self.line(format_args!(
                "Ack={ack}: the byte that it expects next from the {to}."
            ));
        }
        self.options();
    }

    /// What both agree on with their SYNs.
    fn options(&mut self) {
        for option in TcpOptions::of(self.tcp.options) {
            match option {
                TcpOption::MaximumSegmentSize(size) => self.line(format_args!(
                    "MSS={size}: it takes at most {size} bytes in one segment."
                )),
                TcpOption::WindowScale(shift) => {
                    let factor = 1_u32 << shift.min(14);
                    self.line(format_args!(
                        "WS={factor}: its later windows are to be multiplied by {factor}, if both sides offer this."
                    ));
                }
                TcpOption::SackPermitted => self.line(format_args!(
                    "SACK_PERM: it can say which bytes have come behind a gap."
                )),
                TcpOption::Timestamps { value, .. } => self.line(format_args!(
                    "TSval={value}: its clock, which comes back as TSecr; the round trip is measured so."
                )),
                _ => {}
            }
        }
    }

    fn data(&mut self) {
        let (from, _) = self.sides();
        let Segment {
            sequence,
            length,
            marks,
            ..
        } = *self.segment;
        if length == 0 || marks.has(Marks::KEEP_ALIVE) {
            return;
        }
        let last = sequence.wrapping_add(length - 1);
        let bytes = if length == 1 { "byte" } else { "bytes" };
        self.line(format_args!(
            "The {from} sends {length} {bytes}: numbers {sequence} to {last}."
        ));
        if self.has(TcpFlags::PSH) {
            self.line(format_args!(
                "PSH: the receiver shall hand them to its program at once."
            ));
        }
    }

    fn acknowledges(&mut self) {
        if !self.has(TcpFlags::ACK) {
            return;
        }
        let (from, to) = self.sides();
        let Segment {
            acknowledgment,
            window,
            sequence,
            ..
        } = *self.segment;
        let handshake = sequence == 1 && acknowledgment == 1 && self.segment.length == 0;
        if handshake
            && self.segment.direction == Direction::Forward
            && self.segment.marks.is_empty()
            && self.segment.window_shift.is_some()
            && !self.has(TcpFlags::FIN)
        {
            self.line(format_args!(
                "The {from} has the {to}'s SYN (ACK): the connection is open."
            ));
        } else {
            let before = acknowledgment.wrapping_sub(1);
            self.line(format_args!(
                "Ack={acknowledgment}: the {from} has all up to number {before} and expects {acknowledgment} next."
            ));
        }
        let field = self.tcp.window;
        match self.segment.window_shift {
            Some(shift) if shift > 0 => {
                let factor = 1_u32 << shift.min(14);
                self.line(format_args!(
                    "Win={window}: room for so many bytes more ({field} in the header, times {factor})."
                ));
            }
            Some(_) => self.line(format_args!("Win={window}: room for so many bytes more.")),
            None => self.line(format_args!(
                "Win={window}: as in the header; whether it is scaled was agreed before the capture began."
            )),
        }
    }

    fn close(&mut self, both: bool) {
        let (from, to) = self.sides();
        let number = self.segment.sequence.wrapping_add(self.segment.length);
        self.line(format_args!(
            "The {from} has no more to send (FIN); that takes number {number}."
        ));
        if both {
            self.line(format_args!(
                "Now both have closed: with the {to}'s acknowledgment of {} the connection is over.",
                number.wrapping_add(1)
            ));
        } else {
            self.line(format_args!(
                "The {to} may go on sending: the connection is half closed."
            ));
        }
    }

    fn reset(&mut self) {
        let (from, to) = self.sides();
        if self.segment.sequence == 0
            || (self.segment.sequence == 1
                && self.has(TcpFlags::ACK)
                && self.segment.acknowledgment == 1)
        {
            self.line(format_args!("The {from} refuses (RST): nobody listens there, or it does not want the connection."));
        } else {
            self.line(format_args!("The {from} breaks the connection off (RST)."));
        }
        self.line(format_args!(
            "It is gone at once, for both; what the {to} had not read may be lost."
        ));
    }
}

const MARKS: [(Marks, &str); 15] = [
    (
        Marks::PORT_REUSED,
        "These ports had another connection before; this is a new one.",
    ),
    (
        Marks::RETRANSMISSION,
        "Sent again: the bytes were seen before, and no acknowledgment came in time.",
    ),
    (
        Marks::FAST_RETRANSMISSION,
        "Sent again at once: repeated acknowledgments said that these bytes are missing.",
    ),
    (
        Marks::SPURIOUS_RETRANSMISSION,
        "Sent again for nothing: these bytes were acknowledged already.",
    ),
    (Marks::OUT_OF_ORDER, "Late: segments behind it came first."),
    (
        Marks::LOST_BEFORE,
        "Bytes before it are missing in the capture.",
    ),
    (
        Marks::ACKED_UNSEEN,
        "It acknowledges bytes that the capture does not have.",
    ),
    (
        Marks::DUPLICATE_ACK,
        "The same acknowledgment again: something came, but not what is expected next.",
    ),
    (
        Marks::KEEP_ALIVE,
        "Keep-alive: a number that was used before, only to see whether the other side answers.",
    ),
    (
        Marks::KEEP_ALIVE_ACK,
        "The answer to the keep-alive: it is still there.",
    ),
    (
        Marks::ZERO_WINDOW,
        "It has no room left: the other side must wait.",
    ),
    (
        Marks::ZERO_WINDOW_PROBE,
        "One byte, to ask whether there is room again.",
    ),
    (
        Marks::ZERO_WINDOW_PROBE_ACK,
        "The answer to the probe: still no room.",
    ),
    (
        Marks::WINDOW_UPDATE,
        "Only the room has changed: its program has read.",
    ),
    (
        Marks::WINDOW_FULL,
        "Now as much is under way as the other side has room for.",
    ),
];
