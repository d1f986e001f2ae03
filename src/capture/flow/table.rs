//! Conversations by their two ends, numbered in the order in which they were first seen. Pure.
//!
//! ```text
//!  key ──hash──> bucket of 8 slots (tag, place) ──> entries[place] = key, value
//!                    │ bucket is full
//!                    └──> an ordered map
//! ```
//!
//! The hash has no secret, so the author of a capture can fill one bucket on purpose. That costs
//! only the logarithm of the ordered map: a look-up never goes through more than one bucket.
//!
//! At most `limit` conversations are kept. The next one replaces the oldest, which is forgotten:
//! another packet of it begins a new conversation.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::segment::Ends;

/// Two ends without an order: the same in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key([u64; 5]);

impl Key {
    /// The key, and whether the sender is the second end in it.
    pub(super) fn of(ends: Ends) -> (Self, bool) {
        let (one, other) = (wide(ends.source), wide(ends.destination));
        let swapped = one > other;
        let (low, high) = if swapped { (other, one) } else { (one, other) };
        let ports = u64::from(low.1) << 16 | u64::from(high.1);
        let v6 = matches!(ends.source.0, IpAddr::V6(_));
        let [a, b] = halves(low.0);
        let [c, d] = halves(high.0);
        (Self([a, b, c, d, ports << 1 | u64::from(v6)]), swapped)
    }

    fn hash(&self) -> u64 {
        let [a, b, c, d, ports] = self.0;
        let left = mix(a ^ 0x9e37_79b9_7f4a_7c15, b ^ 0xbf58_476d_1ce4_e5b9);
        let right = mix(c ^ 0x94d0_49bb_1331_11eb, d ^ 0xd6e8_feb8_6659_fd93);
        mix(left ^ ports, right ^ 0xa076_1d64_78bd_642f)
    }
}

/// An end as numbers; an IPv4 address is the low half of its number.
fn wide((address, port): (IpAddr, u16)) -> (u128, u16) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), port),
        IpAddr::V6(address) => (address.to_bits(), port),
    }
}

fn halves(number: u128) -> [u64; 2] {
    [(number >> 64) as u64, number as u64]
}

/// Both halves of the product, combined: each bit of either number affects every bit.
fn mix(a: u64, b: u64) -> u64 {
    let [high, low] = halves(u128::from(a) * u128::from(b));
    high ^ low
}

const SLOTS: usize = 8;

/// One cache line of the processor. The upper part of a slot is a tag from the hash, the lower part
/// is the place plus one; 0 means an empty slot.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Bucket([u64; SLOTS]);

#[derive(Clone, Debug)]
struct Entry<T> {
    key: Key,
    number: u32,
    value: T,
}

/// Conversations and the state of each.
#[derive(Clone, Debug)]
pub(super) struct Table<T> {
    entries: Vec<Entry<T>>,
    buckets: Vec<Bucket>,
    overflow: BTreeMap<Key, u32>,
    limit: usize,
    next: u32,
    last: usize,
}

impl<T> Table<T> {
    /// An empty table that keeps at most `limit` conversations, at least 1.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            entries: Vec::new(),
            buckets: vec![Bucket([0; SLOTS]); 16],
            overflow: BTreeMap::new(),
            limit: limit.clamp(1, 1 << 31),
            next: 0,
            last: 0,
        }
    }

    /// The newest conversation between these ends: its number and its state.
    #[inline]
    pub(super) fn find(&mut self, key: &Key) -> Option<(u32, &mut T)> {
        let last = self.entries.get(self.last);
        if last.is_none_or(|entry| entry.key != *key) {
            self.last = self.place(key)?;
        }
        let entry = self.entries.get_mut(self.last)?;
        Some((entry.number, &mut entry.value))
    }

    /// The number that the next new conversation gets.
    pub(super) fn next_number(&self) -> u32 {
        self.next
    }

    /// Adds a conversation, which replaces an earlier one between the same ends; returns its
    /// number.
    pub(super) fn add(&mut self, key: Key, value: T) -> u32 {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        let place = number as usize % self.limit;
        self.forget(&key, None);
        let entry = Entry { key, number, value };
        match self.entries.get_mut(place) {
            Some(old) => {
                let gone = std::mem::replace(old, entry).key;
                self.forget(&gone, Some(place));
            }
            None => self.entries.push(entry),
        }
        if self.entries.len() > self.buckets.len() * (SLOTS / 2) {
            self.grow();
        }
        self.index(&key, place);
        self.last = place;
        number
    }

    /// The conversation that the next one replaces; `None` while there is room.
    pub(super) fn oldest(&mut self) -> Option<&mut T> {
        let place = self.next as usize % self.limit;
        self.entries.get_mut(place).map(|entry| &mut entry.value)
    }

    fn bucket(&self, hash: u64) -> usize {
        // The number of buckets is a power of two.
        let low = hash as usize;
        low & (self.buckets.len() - 1)
    }

    fn place(&self, key: &Key) -> Option<usize> {
        let hash = key.hash();
        let bucket = self.buckets.get(self.bucket(hash))?;
        let here = bucket.0.iter().find_map(|slot| {
            let place = place_of(*slot, hash)?;
            let entry = self.entries.get(place)?;
            (entry.key == *key).then_some(place)
        });
        match here {
            None if !self.overflow.is_empty() => {
                self.overflow.get(key).map(|place| *place as usize)
            }
            here => here,
        }
    }

    fn index(&mut self, key: &Key, place: usize) {
        let hash = key.hash();
        let bucket = self.bucket(hash);
        let empty = self
            .buckets
            .get_mut(bucket)
            .and_then(|bucket| bucket.0.iter_mut().find(|slot| **slot == 0));
        match empty {
            Some(slot) => *slot = (hash >> 32) << 32 | (place as u64 + 1),
            None => {
                self.overflow.insert(*key, place as u32);
            }
        }
    }

    /// Removes a key from the index; if a place is given, only if the key leads to it.
    fn forget(&mut self, key: &Key, only: Option<usize>) {
        let hash = key.hash();
        let bucket = self.bucket(hash);
        let entries = &self.entries;
        let leads = |place: usize| match only {
            Some(only) => place == only,
            None => entries.get(place).is_some_and(|entry| entry.key == *key),
        };
        if let Some(bucket) = self.buckets.get_mut(bucket) {
            for slot in &mut bucket.0 {
                if place_of(*slot, hash).is_some_and(leads) {
                    *slot = 0;
                }
            }
        }
        if self
            .overflow
            .get(key)
            .is_some_and(|place| leads(*place as usize))
        {
            self.overflow.remove(key);
        }
    }

    fn grow(&mut self) {
        let twice = vec![Bucket([0; SLOTS]); self.buckets.len() * 2];
        let old = std::mem::replace(&mut self.buckets, twice);
        let overflow = std::mem::take(&mut self.overflow);
        let slots = old.iter().flat_map(|bucket| bucket.0);
        let places = slots
            .filter_map(place_in)
            .chain(overflow.into_values().map(|p| p as usize));
        for place in places {
            if let Some(key) = self.entries.get(place).map(|entry| entry.key) {
                self.index(&key, place);
            }
        }
    }
}

fn place_in(slot: u64) -> Option<usize> {
    (slot as u32).checked_sub(1).map(|place| place as usize)
}

fn place_of(slot: u64, hash: u64) -> Option<usize> {
    if slot >> 32 == hash >> 32 {
        place_in(slot)
    } else {
        None
    }
}
