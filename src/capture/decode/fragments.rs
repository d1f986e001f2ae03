//! Reassembly of fragments: RFC 791 §3.2, RFC 8200 §4.5. Pure; bounded.
//!
//! Fragments wait under their [`Key`] until all bytes of the packet are there. The sender may be
//! hostile, so:
//!
//! - at most [`MOST_PACKETS`] packets wait, with at most [`MOST_BYTES`] of memory in all: beyond
//!   that, the oldest is given up;
//! - none waits longer than [`PATIENCE`], by the times of the packets;
//! - a fragment that cannot be a part of a packet does not count: without payload, beyond the
//!   longest packet, or of a length that no other can follow (RFC 8200 §4.5);
//! - a fragment that overlaps another, unless it repeats it exactly, spoils its packet: all
//!   fragments of that packet are discarded, including later ones (RFC 5722 §4; repetitions: RFC
//!   8200 §4.5). That is a rule of IPv6. In IPv4 the copy that comes later counts (RFC 791 §3.2),
//!   but not all systems do so: what the receiver makes of such packets, which tshark shows, cannot
//!   be known.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// The most packets that wait for fragments.
pub const MOST_PACKETS: usize = 1024;

/// The most memory that waiting fragments take, in bytes: their payloads, and [`PIECE`] for each.
pub const MOST_BYTES: usize = 4 << 20;

/// What a fragment costs besides its payload: its entries in the tables, and the allocator's
/// overhead.
const PIECE: usize = 128;

/// How long a packet may wait: 60 s (RFC 8200 §4.5; IPv4: RFC 1122 §3.3.2, 60 to 120 s).
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The longest payload of a reassembled packet.
const LONGEST: usize = 65_535;

/// Which packet a fragment is a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub ends: (IpAddr, IpAddr),
    pub id: u32,
    /// IPv4 ids are unique only within a protocol.
    pub protocol: Option<u8>,
}

/// One fragment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    /// The offset of its payload in the whole, in bytes.
    pub offset: usize,
    /// Whether more fragments follow.
    pub more: bool,
    /// The protocol that its header gives for the whole.
    pub protocol: u8,
    pub bytes: &'a [u8],
}

/// A packet that waits for fragments.
#[derive(Debug)]
struct Waiting {
    /// Its place in the order of arrival.
    number: u64,
    since: Duration,
    pieces: BTreeMap<usize, Vec<u8>>,
    /// How many bytes the pieces hold.
    held: usize,
    /// How many bytes the whole has, once the last fragment is here.
    total: Option<usize>,
    /// The protocol of the payload, by the first fragment.
    protocol: u8,
    /// Fragments contradict each other.
    spoiled: bool,
}

/// All packets that wait for fragments.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    waiting: BTreeMap<Key, Waiting>,
    /// The same packets, oldest first.
    order: BTreeMap<u64, Key>,
    numbered: u64,
    memory: usize,
    /// The packet that was reassembled last.
    whole: Vec<u8>,
}

impl Fragments {
    /// Takes a fragment that was seen at `time`. If it completes a packet, returns the protocol and
    /// the payload of the whole.
    pub fn add(&mut self, key: Key, piece: Piece<'_>, time: Duration) -> Option<(u8, &[u8])> {
        self.forget_old(time);
        let end = piece.offset + piece.bytes.len();
        // Offsets count units of 8 bytes, so only the last fragment may have another length.
        let is_odd = piece.more && piece.bytes.len() % 8 > 0;
        if piece.bytes.is_empty() || end > LONGEST || is_odd {
            return None;
        }
        let cost = piece.bytes.len() + PIECE;
        self.make_room(cost, !self.waiting.contains_key(&key));
        let waiting = self.waiting.entry(key).or_insert_with(|| {
            self.numbered += 1;
            self.order.insert(self.numbered, key);
            Waiting::new(self.numbered, time)
        });
        match waiting.add(piece) {
            Added::Kept => self.memory += cost,
            Added::Known => return None,
            Added::Spoiled { freed } => {
                self.memory -= freed;
                return None;
            }
        }
        if !waiting.is_complete() {
            return None;
        }
        let done = self.remove(key)?;
        self.whole.clear();
        for bytes in done.pieces.values() {
            self.whole.extend_from_slice(bytes);
        }
        Some((done.protocol, &self.whole))
    }

    /// Whether its counts are right, and within the limits.
    #[cfg(test)]
    pub fn check(&self) {
        let held: usize = self.waiting.values().map(Waiting::cost).sum();
        assert_eq!(self.memory, held);
        assert_eq!(self.waiting.len(), self.order.len());
        assert!(held <= MOST_BYTES && self.waiting.len() <= MOST_PACKETS);
    }

    fn remove(&mut self, key: Key) -> Option<Waiting> {
        let gone = self.waiting.remove(&key)?;
        self.order.remove(&gone.number);
        self.memory -= gone.cost();
        Some(gone)
    }

    fn forget_old(&mut self, time: Duration) {
        while let Some((_, &key)) = self.order.first_key_value() {
            let since = self.waiting.get(&key).map_or(time, |oldest| oldest.since);
            if time.saturating_sub(since) <= PATIENCE {
                return;
            }
            self.remove(key);
        }
    }

    /// Gives up the oldest packets until there is room for one more fragment with this cost, and,
    /// if `is_first`, for its packet.
    fn make_room(&mut self, cost: usize, is_first: bool) {
        let most = MOST_PACKETS - usize::from(is_first);
        while self.waiting.len() > most || self.memory + cost > MOST_BYTES {
            let Some((_, &oldest)) = self.order.first_key_value() else {
                return;
            };
            self.remove(oldest);
        }
    }
}

/// The outcome of adding a fragment.
enum Added {
    Kept,
    /// It was here before.
    Known,
    /// It contradicts another; the packet's pieces were dropped, which freed this much memory.
    Spoiled {
        freed: usize,
    },
}

impl Waiting {
    fn new(number: u64, since: Duration) -> Self {
        Self {
            number,
            since,
            pieces: BTreeMap::new(),
            held: 0,
            total: None,
            protocol: 0,
            spoiled: false,
        }
    }

    fn cost(&self) -> usize {
        self.held + self.pieces.len() * PIECE
    }

    fn is_complete(&self) -> bool {
        self.total == Some(self.held)
    }

    fn add(&mut self, piece: Piece<'_>) -> Added {
        if self.spoiled {
            return Added::Known;
        }
        let end = piece.offset + piece.bytes.len();
        if self
            .pieces
            .get(&piece.offset)
            .is_some_and(|same| *same == piece.bytes)
        {
            return Added::Known;
        }
        if self.contradicts(piece.offset, end, piece.more) {
            let freed = self.cost();
            self.pieces.clear();
            self.held = 0;
            self.spoiled = true;
            return Added::Spoiled { freed };
        }
        if !piece.more {
            self.total = Some(end);
        }
        if piece.offset == 0 {
            self.protocol = piece.protocol;
        }
        self.held += piece.bytes.len();
        self.pieces.insert(piece.offset, piece.bytes.to_vec());
        Added::Kept
    }

    /// Whether a piece overlaps an existing one, or announces a different end.
    fn contradicts(&self, start: usize, end: usize, more: bool) -> bool {
        // Pieces do not overlap: only the last one that begins before `end` can reach in.
        let before = self.pieces.range(..end).next_back();
        let overlaps = before.is_some_and(|(at, bytes)| at + bytes.len() > start);
        let last = self.pieces.last_key_value();
        let furthest = last.map_or(0, |(at, bytes)| at + bytes.len());
        let beyond = self.total.is_some_and(|total| end > total || !more);
        overlaps || beyond || (!more && furthest > end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: u32) -> Key {
        let ip = IpAddr::from([192, 0, 2, 1]);
        Key {
            ends: (ip, ip),
            id,
            protocol: None,
        }
    }

    fn piece(offset: usize, more: bool, bytes: &[u8]) -> Piece<'_> {
        Piece {
            offset,
            more,
            protocol: offset as u8,
            bytes,
        }
    }

    /// The result of these pieces of one packet, added in this order.
    fn whole(pieces: &[Piece<'_>]) -> Option<(u8, Vec<u8>)> {
        let (mut fragments, mut whole) = (Fragments::default(), None);
        for piece in pieces {
            let added = fragments.add(key(1), *piece, Duration::ZERO);
            whole = added.map(|(protocol, bytes)| (protocol, bytes.to_vec()));
            fragments.check();
        }
        whole
    }

    #[test]
    fn the_first_fragment_says_what_is_in_the_packet_whichever_comes_first() {
        let (first, last) = (piece(0, true, b"12345678"), piece(8, false, b"90"));
        let wanted = Some((0, b"1234567890".to_vec()));
        assert_eq!(whole(&[first, last]), wanted);
        assert_eq!(whole(&[last, first]), wanted);
    }

    #[test]
    fn a_fragment_that_leaves_part_of_eight_bytes_for_the_next_one_does_not_count() {
        let wrong = piece(0, true, b"123456789");
        let (first, last) = (piece(0, true, b"12345678"), piece(8, false, b"90"));
        let wanted = Some((0, b"1234567890".to_vec()));
        assert_eq!(whole(&[wrong, first, last]), wanted);
    }

    #[test]
    fn no_packet_is_longer_than_its_length_field_can_say() {
        let most = vec![7; LONGEST];
        let (first, longest) = most.split_at(65_528);
        let first = piece(0, true, first);
        assert!(whole(&[first, piece(65_528, false, longest)]).is_some());
        assert_eq!(whole(&[first, piece(65_528, false, &[7; 8])]), None);
    }

    #[test]
    fn a_last_fragment_before_what_is_there_spoils_the_packet_for_good() {
        let behind = piece(16, true, b"12345678");
        let last = piece(8, false, b"12345678");
        let first = piece(0, true, b"12345678");
        assert_eq!(whole(&[behind, last, first]), None);
        assert_eq!(whole(&[behind, last, first, last]), None, "sent again");
    }

    #[test]
    fn large_fragments_of_many_packets_are_bounded_in_bytes() {
        let mut fragments = Fragments::default();
        let bytes = vec![7; 60_000];
        for id in 0..200 {
            fragments.add(key(id), piece(0, true, &bytes), Duration::ZERO);
            fragments.check();
        }
        assert!(fragments.memory > MOST_BYTES / 2, "{}", fragments.memory);
    }
}
