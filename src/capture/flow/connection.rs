//! What is known of a TCP connection after the segments so far, and the numbers of the next one
//! relative to it. Pure.
//!
//! Numbers are compared modulo 2^32 (RFC 9293 §3.4). Where the capture begins in the middle, the
//! first segment of a side has the relative number 1, as Wireshark shows it: the base is then one
//! below the first number seen, or below the first acknowledgment of the other side.

use crate::capture::decode::{Tcp, TcpFlags, TcpOption, TcpOptions};

use super::analysis::{Facts, Sacks, analyse};
use super::segment::{Direction, Marks, Segment};
use super::unacked::{List, Unacked};

/// How a side scales its windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Scale {
    /// Its SYN was not seen.
    #[default]
    Unknown,
    /// One SYN or the other has no such option: RFC 7323 §2.2.
    Unused,
    /// As its SYN says.
    Shift(u8),
}

/// What one side has sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Side {
    /// What relative numbers count from.
    pub(super) base: Option<u32>,
    /// How it scales its windows.
    pub(super) scale: Scale,
    /// Whether a segment of it was seen.
    pub(super) seen: bool,
    /// Its last window, as in the header.
    pub(super) window: u16,
    /// Whether that was a SYN's, which is not scaled.
    pub(super) syn_window: bool,
    /// The number behind the highest byte seen, and when that was, in nanoseconds.
    pub(super) next: Option<u32>,
    pub(super) next_time: u64,
    /// The number behind the last byte before the first gap: what may be acknowledged.
    pub(super) to_ack: Option<u32>,
    /// Whether nothing more is said of acknowledgments behind its last segment.
    pub(super) told: bool,
    /// Whether that was said since its last segment.
    pub(super) probe_told: bool,
    /// Its last acknowledgment, when it came, in which packet it came first, and how often it came
    /// again.
    pub(super) last_ack: u32,
    pub(super) ack_time: u64,
    pub(super) acked_in: u64,
    pub(super) duplicates: u32,
    /// What its last segment acknowledges selectively; most sides never do.
    pub(super) sacks: Option<Box<Sacks>>,
    /// The marks of its last segment.
    pub(super) marks: Marks,
    /// Its segments that are not acknowledged.
    pub(super) list: List,
}

impl Side {
    /// How many bytes it has room for, where its handshake was seen.
    pub(super) fn room(&self) -> Option<u32> {
        let window = u32::from(self.window);
        match self.scale {
            Scale::Unknown => None,
            Scale::Shift(shift) if !self.syn_window => Some(window << shift),
            _ => Some(window),
        }
    }
}

/// A connection: side 0 is the lower end of its key.
#[derive(Clone, Debug, Default)]
pub(super) struct Connection {
    /// Both sides.
    pub(super) sides: [Side; 2],
    /// Whether side 1 is the one that opened it.
    pub(super) opened_by_second: bool,
    /// When the SYN was seen, and how long the handshake took; nanoseconds, 0 is not known.
    pub(super) syn_time: u64,
    pub(super) round_trip: u64,
}

impl Connection {
    /// One whose first segment this is.
    pub(super) fn new(from_second: bool, tcp: &Tcp<'_>) -> Self {
        // A capture that begins with a SYN+ACK lacks the client's first segment, not its side.
        let answer = tcp.flags.has(TcpFlags::SYN) && tcp.flags.has(TcpFlags::ACK);
        Self {
            opened_by_second: from_second != answer,
            ..Self::default()
        }
    }

    /// Whether this segment opens another connection on the same ports: a SYN with another number.
    pub(super) fn is_replaced_by(&self, from_second: bool, tcp: &Tcp<'_>) -> bool {
        let [low, high] = &self.sides;
        let sender = if from_second { high } else { low };
        tcp.flags.has(TcpFlags::SYN)
            && !tcp.flags.has(TcpFlags::ACK)
            && sender.base.is_some_and(|base| base != tcp.sequence)
    }

    /// Gives back what is kept of its segments, which is in a store of all connections: to be
    /// called before it is forgotten.
    pub(super) fn forget_unacked(&mut self, unacked: &mut Unacked) {
        for side in &mut self.sides {
            unacked.clear(&mut side.list);
        }
    }

    /// Takes the next segment.
    pub(super) fn segment(
        &mut self,
        stream: u32,
        from_second: bool,
        tcp: &Tcp<'_>,
        (number, time): (u64, u64),
        unacked: &mut Unacked,
    ) -> Segment {
        let direction = match from_second == self.opened_by_second {
            true => Direction::Forward,
            false => Direction::Back,
        };
        let [low, high] = &mut self.sides;
        let (sender, receiver) = match from_second {
            true => (high, low),
            false => (low, high),
        };
        let syn = tcp.flags.has(TcpFlags::SYN);
        let ack = tcp.flags.has(TcpFlags::ACK);
        let (base, again) = bases(sender, receiver, tcp);
        if syn {
            agree(sender, receiver, tcp);
        }
        let (window, window_shift) = scaled(sender.scale, syn, tcp.window);
        let acknowledgment = match receiver.base {
            Some(base) if ack => tcp.acknowledgment.wrapping_sub(base),
            _ => tcp.acknowledgment,
        };
        let facts = facts(tcp, (number, time));
        let mut marks = analyse(sender, receiver, unacked, self.round_trip, &facts);
        if again {
            marks.add(Marks::PORT_REUSED);
        }
        let is_duplicate = marks.has(Marks::DUPLICATE_ACK);
        let duplicate_of = is_duplicate.then_some((sender.acked_in, sender.duplicates));
        self.handshake(&facts);
        Segment {
            stream,
            direction,
            sequence: tcp.sequence.wrapping_sub(base),
            acknowledgment,
            window,
            window_shift,
            length: tcp.length,
            marks,
            duplicate_of,
        }
    }

    /// The round trip of the handshake: from the SYN to the acknowledgment of the answer. Where the
    /// clock was set back between them it wraps around and is longer than any capture, in Wireshark
    /// as well: what comes late counts as out of order then, however late.
    fn handshake(&mut self, facts: &Facts) {
        let syn = facts.flags.has(TcpFlags::SYN);
        let ack = facts.flags.has(TcpFlags::ACK);
        if syn && !ack {
            self.syn_time = facts.time;
        } else if ack && !syn && self.round_trip == 0 && self.syn_time != 0 {
            self.round_trip = facts.time.wrapping_sub(self.syn_time);
        }
    }
}

/// What relative numbers of both sides count from, where that was not known: the sender's, and whether
/// it was known otherwise before.
fn bases(sender: &mut Side, receiver: &mut Side, tcp: &Tcp<'_>) -> (u32, bool) {
    let syn = tcp.flags.has(TcpFlags::SYN);
    let ack = tcp.flags.has(TcpFlags::ACK);
    let first = tcp.sequence.wrapping_sub(u32::from(!syn));
    // The answer to a SYN tells the number better than an acknowledgment that was seen before.
    let again = syn && ack && sender.base.is_some_and(|base| base != first);
    let base = match sender.base {
        Some(base) if !again => base,
        _ => *sender.base.insert(first),
    };
    if ack {
        let before = tcp.acknowledgment.wrapping_sub(1);
        receiver.base.get_or_insert(before);
    }
    (base, again)
}

/// What the analysis reads.
fn facts(tcp: &Tcp<'_>, (number, time): (u64, u64)) -> Facts {
    let ack = tcp.flags.has(TcpFlags::ACK);
    let syn = tcp.flags.has(TcpFlags::SYN);
    Facts {
        sequence: tcp.sequence,
        acknowledgment: tcp.acknowledgment,
        flags: tcp.flags,
        window: tcp.window,
        length: tcp.length,
        sacks: if ack && !syn {
            sacks(tcp.options)
        } else {
            Sacks::default()
        },
        number,
        time,
    }
}

/// A SYN says how its side scales; without the option nobody does.
fn agree(sender: &mut Side, receiver: &mut Side, tcp: &Tcp<'_>) {
    match window_scale(tcp.options) {
        Some(shift) if sender.scale == Scale::Unknown => sender.scale = Scale::Shift(shift.min(14)),
        Some(_) => {}
        None if sender.scale != Scale::Unknown => {}
        // The snap length has cut its options: it may have been among them.
        None if tcp.options.len() + 20 < usize::from(tcp.header_length) => {}
        None => {
            sender.scale = Scale::Unused;
            receiver.scale = Scale::Unused;
        }
    }
}

/// The window in bytes; that of a SYN is never scaled.
fn scaled(scale: Scale, syn: bool, window: u16) -> (u32, Option<u8>) {
    let window = u32::from(window);
    match scale {
        Scale::Shift(shift) if !syn => (window << shift, Some(shift)),
        Scale::Unused if !syn => (window, Some(0)),
        _ => (window, None),
    }
}

/// The shift of a window scale option.
fn window_scale(options: &[u8]) -> Option<u8> {
    TcpOptions::of(options).find_map(|option| match option {
        TcpOption::WindowScale(shift) => Some(shift),
        _ => None,
    })
}

/// The ranges of a SACK option (RFC 2018 §3).
fn sacks(options: &[u8]) -> Sacks {
    let mut sacks = Sacks::default();
    let blocks = TcpOptions::of(options).find_map(|option| match option {
        TcpOption::Sack(blocks) => Some(blocks),
        _ => None,
    });
    for (range, block) in sacks.ranges.iter_mut().zip(blocks.into_iter().flatten()) {
        *range = block;
        sacks.count += 1;
    }
    sacks
}
