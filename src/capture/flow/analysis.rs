//! The meaning of a segment after those before it: the marks of Wireshark's TCP analysis. They are
//! guesses by fixed rules, so that both tools say the same about the same capture. Pure.
//!
//! Source: Wireshark User's Guide 4.0, "TCP Analysis", and, where the guide is silent, the output
//! of tshark 4.0 for made-up segments. Numbers are compared modulo 2^32 (RFC 9293 §3.4).

use crate::capture::decode::TcpFlags;

use super::connection::Side;
use super::segment::Marks;
use super::unacked::Unacked;

/// A segment repeated within this time after duplicate acknowledgments is a fast retransmission, in
/// nanoseconds.
const FAST: u64 = 20_000_000;

/// A segment within this time after the newest one is late, not retransmitted, in nanoseconds; if
/// the handshake was seen, its round-trip time is used instead.
const LATE: u64 = 3_000_000;

/// The facts of a segment that the analysis uses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub(super) sequence: u32,
    pub(super) acknowledgment: u32,
    pub(super) flags: TcpFlags,
    /// As in the header.
    pub(super) window: u16,
    /// Payload in bytes.
    pub(super) length: u32,
    /// The ranges that it acknowledges selectively.
    pub(super) sacks: Sacks,
    /// Its packet's number, and the time at which it was seen, in nanoseconds.
    pub(super) number: u64,
    pub(super) time: u64,
}

/// Ranges that a segment acknowledges selectively (RFC 2018): at most four fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sacks {
    pub(super) count: u8,
    pub(super) ranges: [(u32, u32); 4],
}

impl Sacks {
    fn holds(&self, from: u32, to: u32) -> bool {
        let ranges = self.ranges.iter().take(usize::from(self.count));
        ranges
            .into_iter()
            .any(|&(left, right)| !before(from, left) && !before(right, to))
    }
}

/// Whether `a` comes before `b`.
pub(super) fn before(a: u32, b: u32) -> bool {
    a.wrapping_sub(b) >= 1 << 31
}

impl Facts {
    fn has(&self, flags: u16) -> bool {
        self.flags.has(flags)
    }

    /// Whether it neither opens nor closes a connection.
    fn plain(&self) -> bool {
        !self.has(TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST)
    }

    /// Whether it uses up sequence numbers.
    fn takes(&self) -> bool {
        self.length > 0 || self.has(TcpFlags::SYN | TcpFlags::FIN)
    }

    /// The number after its last byte; SYN and FIN count as one.
    fn end(&self) -> u32 {
        let control = u32::from(self.has(TcpFlags::SYN | TcpFlags::FIN));
        self.sequence
            .wrapping_add(self.length)
            .wrapping_add(control)
    }
}

/// Marks a segment that `sender` has sent to `receiver`, and remembers it.
pub(super) fn analyse(
    sender: &mut Side,
    receiver: &mut Side,
    unacked: &mut Unacked,
    round_trip: u64,
    facts: &Facts,
) -> Marks {
    let mut marks = Marks::default();
    if facts.has(TcpFlags::SYN) && !facts.has(TcpFlags::ACK) {
        sender.next = sender.to_ack;
    }
    if !probe_or_repeated(sender, receiver, facts, &mut marks) {
        acknowledgments(sender, facts, &mut marks);
    }
    if facts.acknowledgment != sender.last_ack {
        sender.duplicates = 0;
        sender.acked_in = facts.number;
    }
    unseen(receiver, facts, &mut marks);
    if let Some(mark) = again(sender, receiver, unacked, round_trip, facts, marks) {
        marks.add(mark);
    }
    remember(sender, receiver, unacked, facts, marks);
    marks
}

/// Marks from the sender's own numbers. `true` if no other marks apply.
fn probe_or_repeated(sender: &Side, receiver: &Side, facts: &Facts, marks: &mut Marks) -> bool {
    let expected = sender.next == Some(facts.sequence);
    if facts.length == 1 && expected && receiver.seen && receiver.window == 0 {
        marks.add(Marks::ZERO_WINDOW_PROBE);
        return true;
    }
    if facts.window == 0 && facts.plain() {
        marks.add(Marks::ZERO_WINDOW);
    }
    if let Some(next) = sender.next {
        if before(next, facts.sequence) && !facts.has(TcpFlags::RST) {
            marks.add(Marks::LOST_BEFORE);
        }
        if facts.length <= 1 && facts.sequence == next.wrapping_sub(1) && facts.plain() {
            marks.add(Marks::KEEP_ALIVE);
        }
    }
    let room = receiver.room();
    let room_end = room.map(|room| receiver.last_ack.wrapping_add(room));
    if facts.length > 0 && facts.plain() && room_end == Some(facts.end()) {
        marks.add(Marks::WINDOW_FULL);
    }
    let bare = facts.length == 0 && expected && facts.plain();
    bare && facts.acknowledgment == sender.last_ack && reply(sender, receiver, facts, marks)
}

/// If only the window can have changed since the sender's last segment: marks a window update, or
/// the reply to a probe. `true` for that reply.
fn reply(sender: &Side, receiver: &Side, facts: &Facts, marks: &mut Marks) -> bool {
    if facts.window != sender.window {
        if facts.window != 0 {
            marks.add(Marks::WINDOW_UPDATE);
        }
        return false;
    }
    let (asked, mark) = match facts.window {
        0 => (Marks::ZERO_WINDOW_PROBE, Marks::ZERO_WINDOW_PROBE_ACK),
        _ => (Marks::KEEP_ALIVE, Marks::KEEP_ALIVE_ACK),
    };
    let is_reply = receiver.marks.has(asked);
    if is_reply {
        marks.add(mark);
    }
    is_reply
}

/// Marks a repeated acknowledgment.
fn acknowledgments(sender: &mut Side, facts: &Facts, marks: &mut Marks) {
    let same_window = facts.window != 0 && facts.window == sender.window;
    if facts.length == 0
        && same_window
        && sender.next == Some(facts.sequence)
        && facts.acknowledgment == sender.last_ack
        && facts.plain()
    {
        sender.duplicates = sender.duplicates.saturating_add(1);
        sender.told = true;
        marks.add(Marks::DUPLICATE_ACK);
    }
}

/// Marks an acknowledgment of bytes that were never seen: once for the bytes in a gap, and once for
/// bytes after the last segment.
fn unseen(receiver: &mut Side, facts: &Facts, marks: &mut Marks) {
    let (Some(most), Some(next)) = (receiver.to_ack, receiver.next) else {
        return;
    };
    let gap = before(most, next);
    // The byte of a probe does not count as sent; if it is acknowledged, that is marked, too.
    let probed = receiver.marks.has(Marks::ZERO_WINDOW_PROBE) && !receiver.probe_told;
    let told = receiver.told && !gap && !probed;
    if !facts.has(TcpFlags::ACK) || !before(most, facts.acknowledgment) || told {
        return;
    }
    marks.add(Marks::ACKED_UNSEEN);
    receiver.probe_told = true;
    if gap {
        receiver.to_ack = Some(next);
    } else {
        receiver.told = true;
    }
}

/// The mark for bytes that were sent before or are late; `None` for others.
fn again(
    sender: &Side,
    receiver: &Side,
    unacked: &Unacked,
    round_trip: u64,
    facts: &Facts,
    marks: Marks,
) -> Option<Marks> {
    if marks.has(Marks::KEEP_ALIVE) {
        return None;
    }
    let end = facts.sequence.wrapping_add(facts.length);
    if facts.length > 0 && receiver.last_ack != 0 && !before(receiver.last_ack, end) {
        return Some(Marks::SPURIOUS_RETRANSMISSION);
    }
    let next = sender.next?;
    let probe = facts.length > 1 && facts.sequence == next.wrapping_sub(1);
    if !facts.takes() || !before(facts.sequence, next) || probe {
        return None;
    }
    if receiver.duplicates >= 2 && facts.time.wrapping_sub(receiver.ack_time) < FAST {
        let asked = receiver.last_ack == facts.sequence;
        let sacks = receiver.sacks.as_deref().filter(|sacks| sacks.count > 0);
        if asked || sacks.is_some_and(|sacks| !sacks.holds(facts.sequence, end)) {
            return Some(Marks::FAST_RETRANSMISSION);
        }
    }
    let patience = if round_trip == 0 { LATE } else { round_trip };
    if facts.time.wrapping_sub(sender.next_time) < patience
        && next != facts.end()
        && !unacked.holds(&sender.list, facts.sequence, facts.end())
    {
        return Some(Marks::OUT_OF_ORDER);
    }
    Some(Marks::RETRANSMISSION)
}

/// Remembers what later segments are compared with.
fn remember(
    sender: &mut Side,
    receiver: &mut Side,
    unacked: &mut Unacked,
    facts: &Facts,
    marks: Marks,
) {
    let end = facts.end();
    if facts.length > 0 {
        unacked.add(&mut sender.list, facts.sequence, end);
    }
    if !marks.has(Marks::ZERO_WINDOW_PROBE) {
        if sender.next.is_none_or(|next| before(next, end)) {
            sender.next = Some(end);
            sender.next_time = facts.time;
        }
        if sender.to_ack.is_none_or(|most| most == facts.sequence) {
            sender.to_ack = sender.next;
        }
    }
    sender.seen = true;
    sender.probe_told = false;
    sender.window = facts.window;
    sender.syn_window = facts.has(TcpFlags::SYN);
    sender.last_ack = facts.acknowledgment;
    sender.ack_time = facts.time;
    sender.marks = marks;
    if facts.sacks.count > 0 || sender.sacks.is_some() {
        **sender.sacks.get_or_insert_default() = facts.sacks;
    }
    unacked.acknowledged(&mut receiver.list, facts.acknowledgment);
}
