//! A TCP segment in words, for lessons: the meaning of each flag and number in it. Pure.
//!
//! ```text
//!   1   0.000000000 ... 51234 → 443 [SYN] Seq=0 Win=64240 Len=0 MSS=1460 WS=128
//!         The client asks to open a connection (SYN).
//!         Its numbers begin at 3735928559, shown as 0; the SYN takes one, so its first byte is number 1.
//! ```
//!
//! The handshake tells who is client and who is server; if the capture does not have it, the sides
//! are called by their ports. The words follow RFC 9293 §3.3 to §3.6 and RFC 7323. Memory: a few
//! bytes for each of the last [`Explain::MOST`] connections.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use crate::capture::decode::{Decoded, Layer, Tcp, TcpFlags, TcpOption, TcpOptions};

use super::segment::{Direction, Marks, Segment};

/// What was explained about the connections so far.
#[derive(Clone, Debug, Default)]
pub struct Explain {
    told: BTreeMap<u32, Told>,
}

/// What was explained about one connection.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    /// Whether a SYN was seen, which tells who is the client.
    has_roles: bool,
    phase: Phase,
    /// The side that opened it, and the other one.
    sides: [Close; 2],
}

/// The phase of a connection, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// The capture does not show it.
    #[default]
    Unknown,
    /// These were seen: a SYN, the answer to it, and the acknowledgment of the answer.
    Asked,
    Answered,
    Open,
    /// Both FINs are acknowledged.
    Over,
}

/// How far a side has closed.
#[derive(Clone, Copy, Debug, Default)]
struct Close {
    /// The number after its FIN.
    fin: Option<u32>,
    /// Whether it closed without knowing of the other side's FIN. Both may have (RFC 9293 §3.6,
    /// case 3).
    first: bool,
    acknowledged: bool,
}

impl Explain {
    /// The most connections that are remembered; beyond that, the oldest is forgotten.
    pub const MOST: usize = 65_536;

    /// A state without connections.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes the lines for a packet, each indented by 8 spaces; none if it has no TCP segment.
    pub fn packet(&mut self, decoded: &Decoded<'_>, out: &mut String) {
        let mut layers = decoded.layers.as_slice().iter();
        let tcp = layers.find_map(|layer| match layer {
            Layer::Tcp(tcp) => Some(tcp),
            _ => None,
        });
        if let (Some(segment), Some(tcp)) = (&decoded.segment, tcp) {
            self.segment(segment, tcp, out);
        }
    }

    /// How many connections are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.told.len()
    }

    /// Writes the lines for a segment.
    pub fn segment(&mut self, segment: &Segment, tcp: &Tcp<'_>, out: &mut String) {
        if self.told.len() >= Self::MOST && !self.told.contains_key(&segment.stream) {
            self.told.pop_first();
        }
        let told = self.told.entry(segment.stream).or_default();
        Words {
            segment,
            tcp,
            told,
            out,
        }
        .all();
    }
}

/// The name of a side within a sentence; `{:#}` at the beginning of one.
struct Who {
    /// Whether it opened the connection, if that is known.
    client: Option<bool>,
    port: u16,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.client, f.alternate()) {
            (Some(true), true) => f.write_str("The client"),
            (Some(true), false) => f.write_str("the client"),
            (Some(false), true) => f.write_str("The server"),
            (Some(false), false) => f.write_str("the server"),
            (None, true) => write!(f, "Port {}", self.port),
            (None, false) => write!(f, "port {}", self.port),
        }
    }
}

/// A segment while it is explained.
struct Words<'a> {
    segment: &'a Segment,
    tcp: &'a Tcp<'a>,
    told: &'a mut Told,
    out: &'a mut String,
}

impl Words<'_> {
    fn all(&mut self) {
        self.marks();
        if self.has(TcpFlags::RST) {
            self.reset();
            return;
        }
        if self.has(TcpFlags::SYN) {
            self.open();
            self.data();
            return;
        }
        if self.told.phase == Phase::Asked && self.segment.direction == Direction::Back {
            // Its SYN was not seen.
            self.told.phase = Phase::Open;
        }
        self.data();
        if self.has(TcpFlags::ACK) {
            self.acknowledges();
            self.selective();
            self.window();
        }
        self.congestion();
        if self.has(TcpFlags::FIN) {
            self.close();
        }
        self.over();
    }

    fn has(&self, flag: u16) -> bool {
        self.tcp.flags.has(flag)
    }

    fn line(&mut self, words: fmt::Arguments<'_>) {
        let _ = writeln!(self.out, "        {words}");
    }

    /// The sender and the receiver.
    fn sides(&self) -> (Who, Who) {
        let forward = self.segment.direction == Direction::Forward;
        let who = |client, port| Who {
            client: self.told.has_roles.then_some(client),
            port,
        };
        (
            who(forward, self.tcp.source),
            who(!forward, self.tcp.destination),
        )
    }

    /// How far the sender and the receiver have closed.
    fn closes(&mut self) -> (&mut Close, &mut Close) {
        let [forward, back] = &mut self.told.sides;
        match self.segment.direction {
            Direction::Forward => (forward, back),
            Direction::Back => (back, forward),
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
        self.told.has_roles = true;
        let (from, to) = self.sides();
        let answer = self.has(TcpFlags::ACK);
        let phase = if answer {
            Phase::Answered
        } else {
            Phase::Asked
        };
        self.told.phase = self.told.phase.max(phase);
        if answer {
            self.line(format_args!(
                "{from:#} agrees (SYN, ACK): it has the SYN of {to} and sends its own."
            ));
        } else {
            self.line(format_args!("{from:#} asks to open a connection (SYN)."));
        }
        let (raw, shown) = (self.tcp.sequence, self.segment.sequence);
        let first = shown.wrapping_add(1);
        self.line(format_args!(
            "Its numbers begin at {raw}, shown as {shown}; the SYN takes one, so its first byte is number {first}."
        ));
        if answer {
            let ack = self.segment.acknowledgment;
            self.line(format_args!(
                "Ack={ack}: the byte that it expects next from {to}."
            ));
        }
        let window = self.segment.window;
        self.line(format_args!(
            "Win={window}: it has room for so many bytes; the window of a SYN is never scaled."
        ));
        self.options();
    }

    /// What the two sides agree on by the options of their SYNs.
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
        let length = self.tcp.length;
        if length == 0 || self.segment.marks.has(Marks::KEEP_ALIVE) {
            return;
        }
        let syn = u32::from(self.has(TcpFlags::SYN));
        let first = self.segment.sequence.wrapping_add(syn);
        let last = first.wrapping_add(length - 1);
        match length {
            1 => self.line(format_args!("{from:#} sends 1 byte: number {first}.")),
            _ => self.line(format_args!(
                "{from:#} sends {length} bytes: numbers {first} to {last}."
            )),
        }
        if self.has(TcpFlags::PSH) {
            self.line(format_args!(
                "PSH: the receiver shall hand them to its program at once."
            ));
        }
    }

    fn acknowledges(&mut self) {
        let (from, to) = self.sides();
        let ack = self.segment.acknowledgment;
        let (_, other) = self.closes();
        let closes = other.fin == Some(ack);
        other.acknowledged |= closes;
        let forward = self.segment.direction == Direction::Forward;
        if forward && self.told.phase == Phase::Answered {
            self.told.phase = Phase::Open;
            self.line(format_args!(
                "{from:#} has the SYN of {to} (ACK): the connection is open."
            ));
        } else if closes {
            self.line(format_args!(
                "Ack={ack}: {from} has all that {to} has sent, and its FIN."
            ));
        } else {
            self.line(format_args!(
                "Ack={ack}: {from} has all before number {ack} and expects that next."
            ));
        }
    }

    /// Ranges of SACK (RFC 2018); one before the acknowledgment reports bytes that arrived twice
    /// (RFC 2883).
    fn selective(&mut self) {
        let ack = self.tcp.acknowledgment;
        let blocks = TcpOptions::of(self.tcp.options).find_map(|option| match option {
            TcpOption::Sack(blocks) => Some(blocks),
            _ => None,
        });
        for (left, right) in blocks.into_iter().flatten() {
            let shown = |raw: u32| {
                raw.wrapping_sub(ack)
                    .wrapping_add(self.segment.acknowledgment)
            };
            let (first, last) = (shown(left), shown(right.wrapping_sub(1)));
            if left.wrapping_sub(ack) < 1 << 31 {
                self.line(format_args!(
                    "SACK: behind a gap it has numbers {first} to {last} as well."
                ));
            } else {
                self.line(format_args!(
                    "SACK: numbers {first} to {last} have come to it twice."
                ));
            }
        }
    }

    fn window(&mut self) {
        let (window, field) = (self.segment.window, self.tcp.window);
        match self.segment.window_shift {
            _ if window == 0 => self.line(format_args!("Win=0: it has no room for more bytes.")),
            Some(shift) if shift > 0 => {
                let factor = 1_u32 << shift.min(14);
                self.line(format_args!(
                    "Win={window}: room for so many bytes more ({field} in the header, times {factor})."
                ));
            }
            Some(_) => self.line(format_args!("Win={window}: room for so many bytes more.")),
            None => self.line(format_args!(
                "Win={window}: as in the header; whether it is scaled, the capture does not say."
            )),
        }
    }

    /// Explicit congestion notification (RFC 3168 §6.1).
    fn congestion(&mut self) {
        if self.has(TcpFlags::ECE) {
            self.line(format_args!(
                "ECE: a router on the way has marked a packet as congested; send more slowly."
            ));
        }
        if self.has(TcpFlags::CWR) {
            self.line(format_args!("CWR: it has begun to send more slowly."));
        }
    }

    fn close(&mut self) {
        let (from, to) = self.sides();
        let number = self.segment.sequence.wrapping_add(self.tcp.length);
        let (own, other) = self.closes();
        own.fin = Some(number.wrapping_add(1));
        let both = other.fin.is_some();
        own.first |= !other.acknowledged;
        self.line(format_args!(
            "{from:#} has no more to send (FIN); that takes number {number}."
        ));
        if both {
            self.line(format_args!(
                "Now both have closed: the connection is over once each FIN is acknowledged."
            ));
        } else {
            self.line(format_args!(
                "{to:#} may go on sending: the connection is half closed."
            ));
        }
    }

    /// Both FINs are acknowledged: said once (RFC 9293 §3.6).
    fn over(&mut self) {
        let all = self.told.sides.iter().all(|side| side.acknowledged);
        if !all || self.told.phase == Phase::Over {
            return;
        }
        self.told.phase = Phase::Over;
        let (from, to) = self.sides();
        let (own, other) = self.closes();
        let (at_once, first) = (own.first && other.first, if own.first { from } else { to });
        self.line(format_args!(
            "Both FINs are acknowledged: the connection is over."
        ));
        if at_once {
            self.line(format_args!(
                "Both have closed at once, and keep their ports for a while, in case an acknowledgment was lost (TIME-WAIT)."
            ));
        } else {
            self.line(format_args!(
                "{first:#} has closed first and keeps its port for a while, in case this was lost (TIME-WAIT)."
            ));
        }
    }

    fn reset(&mut self) {
        let (from, to) = self.sides();
        let back = self.segment.direction == Direction::Back;
        if back && self.told.phase == Phase::Asked {
            self.line(format_args!(
                "{from:#} refuses (RST): nobody listens there, or it does not want the connection."
            ));
        } else if self.told.phase == Phase::Over {
            self.line(format_args!(
                "{from:#} does not know this connection any more (RST)."
            ));
        } else {
            self.line(format_args!("{from:#} breaks the connection off (RST)."));
            self.line(format_args!(
                "It is gone at once, for both; what {to} had not read may be lost."
            ));
        }
    }
}

const MARKS: [(Marks, &str); 15] = [
    (
        Marks::PORT_REUSED,
        "These ports had another connection before; this is a new one.",
    ),
    (
        Marks::RETRANSMISSION,
        "Sent again: no acknowledgment came in time.",
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
        "The same acknowledgment again: most often something came, but not what is expected next.",
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
        "Only the room has changed: most often because its program has read.",
    ),
    (
        Marks::WINDOW_FULL,
        "Now as much is under way as the other side has room for.",
    ),
];
