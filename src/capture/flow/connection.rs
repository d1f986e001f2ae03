//! The state of a TCP connection after the segments so far, and the numbers of the next segment
//! relative to it. Pure.
//!
//! Numbers are compared modulo 2^32 (RFC 9293 §3.4). If the capture begins in the middle, the first
//! segment of a side has the relative number 1, as in Wireshark: the base is then one below the
//! first sequence number of the side, or below the first acknowledgment from the other side.

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
    /// One SYN or the other lacks the option: no scaling (RFC 7323 §2.2).
    Unused,
    /// As its SYN says.
    Shift(u8),
}

/// The state of one side, from the segments that it has sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Side {
    /// The base of relative numbers.
    pub(super) base: Option<u32>,
    /// How it scales its windows.
    pub(super) scale: Scale,
    /// Whether a segment from it was seen.
    pub(super) seen: bool,
    /// Its last window, as in the header.
    pub(super) window: u16,
    /// Whether that window was in a SYN, where it is not scaled.
    pub(super) syn_window: bool,
    /// The number after the highest byte seen, and the time of that segment, in nanoseconds.
    pub(super) next: Option<u32>,
    pub(super) next_time: u64,
    /// The number after the last byte before the first gap: higher acknowledgments are of unseen
    /// bytes.
    pub(super) to_ack: Option<u32>,
    /// Whether an acknowledgment beyond its last segment was already marked.
    pub(super) told: bool,
    /// Whether one was marked since its last segment.
    pub(super) probe_told: bool,
    /// Its last acknowledgment, the time of it, the packet in which it first came, and how often it
    /// was repeated.
    pub(super) last_ack: u32,
    pub(super) ack_time: u64,
    pub(super) acked_in: u64,
    pub(super) duplicates: u32,
    /// The ranges that its last segment acknowledges selectively; most sides never do.
    pub(super) sacks: Option<Box<Sacks>>,
    /// The marks of its last segment.
    pub(super) marks: Marks,
    /// Its segments that are not yet acknowledged.
    pub(super) list: List,
}

impl Side {
    /// How many bytes it has room for, if its handshake was seen.
    pub(super) fn room(&self) -> Option<u32> {
        let (window, _) = scaled(self.scale, self.syn_window, self.window);
        (self.scale != Scale::Unknown).then_some(window)
    }
}

/// A connection: side 0 is the lower end of its key.
#[derive(Clone, Debug, Default)]
pub(super) struct Connection {
    /// Both sides.
    pub(super) sides: [Side; 2],
    /// Whether side 1 opened it.
    pub(super) opened_by_second: bool,
    /// The time of the SYN, and the length of the handshake; nanoseconds, 0 means not known.
    pub(super) syn_time: u64,
    pub(super) round_trip: u64,
}

impl Connection {
    /// A connection of which this is the first segment.
    pub(super) fn new(from_second: bool, tcp: &Tcp<'_>) -> Self {
        // A capture that begins with a SYN+ACK lacks the client's first segment; the client is the
        // other side.
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

    /// Returns its entries to the store that all connections share; to be called before the
    /// connection is forgotten.
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
            marks,
            duplicate_of,
        }
    }

    /// The round-trip time of the handshake: from the SYN to the acknowledgment of the answer. If
    /// the clock was set back in between, it wraps around to a very long time, in Wireshark as
    /// well: then late segments count as out of order, however late.
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

/// Sets the bases of relative numbers where they are not known. Returns the sender's, and whether
/// it replaces another one.
fn bases(sender: &mut Side, receiver: &mut Side, tcp: &Tcp<'_>) -> (u32, bool) {
    let syn = tcp.flags.has(TcpFlags::SYN);
    let ack = tcp.flags.has(TcpFlags::ACK);
    let first = tcp.sequence.wrapping_sub(u32::from(!syn));
    // The answer to a SYN gives the number better than an earlier acknowledgment.
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

/// The facts that the analysis uses.
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

/// A SYN says how its side scales; if one lacks the option, neither side scales.
fn agree(sender: &mut Side, receiver: &mut Side, tcp: &Tcp<'_>) {
    match window_scale(tcp.options) {
        Some(shift) if sender.scale == Scale::Unknown => sender.scale = Scale::Shift(shift.min(14)),
        Some(_) => {}
        None if sender.scale != Scale::Unknown => {}
        // The snap length has cut its options: this one may have been among them.
        None if tcp.options.len() + 20 < usize::from(tcp.header_length) => {}
        None => {
            sender.scale = Scale::Unused;
            receiver.scale = Scale::Unused;
        }
    }
}

/// The window in bytes; a SYN's is never scaled.
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
