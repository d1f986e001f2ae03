//! What is known of a TCP connection after the segments so far, and the numbers of the next one
//! relative to it. Pure.
//!
//! Numbers are compared modulo 2^32 (RFC 9293 §3.4). Where the capture begins in the middle, the
//! first segment of a side has the relative number 1, as Wireshark shows it: the base is then one
//! below the first number seen, or below the first acknowledgment of the other side.

use crate::capture::decode::{Tcp, TcpFlags};

use super::segment::{Direction, Marks, Segment};

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
}

/// A connection: side 0 is the lower end of its key.
#[derive(Clone, Debug, Default)]
pub(super) struct Connection {
    /// Both sides.
    pub(super) sides: [Side; 2],
    /// Whether side 1 is the one that opened it.
    pub(super) opened_by_second: bool,
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

    /// Takes the next segment.
    pub(super) fn segment(&mut self, stream: u32, from_second: bool, tcp: &Tcp<'_>) -> Segment {
        let [low, high] = &mut self.sides;
        let (sender, receiver) = if from_second {
            (high, low)
        } else {
            (low, high)
        };
        let syn = tcp.flags.has(TcpFlags::SYN);
        let ack = tcp.flags.has(TcpFlags::ACK);
        let first = tcp.sequence.wrapping_sub(u32::from(!syn));
        let base = *sender.base.get_or_insert(first);
        if ack {
            let before = tcp.acknowledgment.wrapping_sub(1);
            receiver.base.get_or_insert(before);
        }
        if syn {
            agree(sender, receiver, tcp);
        }
        let (window, window_shift) = scaled(sender.scale, syn, tcp.window);
        let acknowledgment = match receiver.base {
            Some(base) if ack => tcp.acknowledgment.wrapping_sub(base),
            _ => 0,
        };
        Segment {
            stream,
            direction: if from_second == self.opened_by_second {
                Direction::Forward
            } else {
                Direction::Back
            },
            sequence: tcp.sequence.wrapping_sub(base),
            acknowledgment,
            window,
            window_shift,
            length: tcp.length,
            marks: Marks::default(),
        }
    }
}

/// A SYN says how its side scales; without the option nobody does.
fn agree(sender: &mut Side, receiver: &mut Side, tcp: &Tcp<'_>) {
    match window_scale(tcp.options) {
        Some(shift) if sender.scale == Scale::Unknown => sender.scale = Scale::Shift(shift.min(14)),
        Some(_) => {}
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
fn window_scale(mut options: &[u8]) -> Option<u8> {
    loop {
        options = match options {
            [1, rest @ ..] => rest,
            [3, 3, shift, ..] => return Some(*shift),
            [0, ..] | [] => return None,
            [_, length, ..] if *length >= 2 => options.get(usize::from(*length)..)?,
            _ => return None,
        }
    }
}
