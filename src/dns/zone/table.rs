//! A table from names to numbers, which finds a zone's name among a million without a search.
//!
//! A [`Key`] is a name prepared for look-ups: in lower case, with a hash of each of its suffixes,
//! computed from the root so that one pass over the octets makes them all. The closest encloser of
//! a name (RFC 4592 §3.3.1) is then its longest suffix that the table has.
//!
//! The table has open addressing and is at most half full. Its names come from zone files, not from
//! clients, so the hash needs no seed: the author of a zone can make its names collide, but slows
//! down only the loading of that zone and the look-ups in it.

use crate::dns::name::{MAX_NAME, Name};

/// The most labels of a name, counting the root.
const MAX_LABELS: usize = MAX_NAME / 2 + 1;

/// A name prepared for look-ups.
pub(in crate::dns) struct Key {
    octets: [u8; MAX_NAME],
    /// The offset of each label, the root's last.
    starts: [u8; MAX_LABELS],
    /// The hash of the suffix that begins there.
    hashes: [u32; MAX_LABELS],
    labels: usize,
    length: usize,
}

impl Key {
    pub(in crate::dns) fn new(name: &Name) -> Self {
        // The octets of a name always read as a name.
        Self::read(name.wire()).unwrap_or(Self::root())
    }

    fn root() -> Self {
        Self {
            octets: [0; MAX_NAME],
            starts: [0; MAX_LABELS],
            hashes: [0; MAX_LABELS],
            labels: 0,
            length: 1,
        }
    }

    /// Reads the name at the start of these octets; `None` if it is compressed, cut or too long,
    /// which the decoder has to judge.
    pub(in crate::dns) fn read(octets: &[u8]) -> Option<Self> {
        let mut key = Self::root();
        let mut at = 0;
        loop {
            let length = usize::from(*octets.get(at)?);
            if length == 0 {
                break;
            }
            let end = at + 1 + length;
            // One octet stays free for the root.
            if length > 63 || end >= MAX_NAME {
                return None;
            }
            // Length octets are not letters: lower-casing does not change them.
            for (to, from) in key
                .octets
                .get_mut(at..end)?
                .iter_mut()
                .zip(octets.get(at..end)?)
            {
                *to = from.to_ascii_lowercase();
            }
            *key.starts.get_mut(key.labels)? = at as u8; // below 255
            key.labels += 1;
            at = end;
        }
        *key.starts.get_mut(key.labels)? = at as u8;
        key.length = at + 1;
        key.hash();
        Some(key)
    }

    fn hash(&mut self) {
        let mut hash = 0x811c_9dc5;
        let mut end = self.length - 1;
        let starts = self.starts[..=self.labels].iter();
        for (start, place) in starts.zip(&mut self.hashes[..=self.labels]).rev() {
            // FNV-1a, label by label from the right.
            for octet in &self.octets[usize::from(*start)..end] {
                hash = (hash ^ u32::from(*octet)).wrapping_mul(0x0100_0193);
            }
            *place = hash;
            end = usize::from(*start);
        }
    }

    /// The number of labels, not counting the root.
    pub(in crate::dns) fn labels(&self) -> usize {
        self.labels
    }

    /// How many octets the name has in wire form.
    pub(in crate::dns) fn length(&self) -> usize {
        self.length
    }

    /// The name without its first `without` labels: its hash and its octets in lower case.
    fn suffix(&self, without: usize) -> Option<(u32, &[u8])> {
        let start = *self.starts[..=self.labels].get(without)?;
        let hash = *self.hashes.get(without)?;
        Some((hash, &self.octets[usize::from(start)..self.length]))
    }
}

/// An entry: the number of a name, and its hash.
#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u32,
    number: u32,
}

/// A slot without a name.
const FREE: u32 = u32::MAX;

/// A table from names to numbers. The names themselves are stored elsewhere, by their numbers.
#[derive(Debug, Default)]
pub(in crate::dns) struct Table {
    slots: Vec<Slot>,
    used: usize,
}

impl Table {
    /// The number of a key less its first `without` labels; `name` returns the name of a number.
    pub(in crate::dns) fn find<'n>(
        &self,
        key: &Key,
        without: usize,
        name: impl Fn(usize) -> Option<&'n Name>,
    ) -> Option<usize> {
        let (hash, octets) = key.suffix(without)?;
        let slots = self.row(hash).map_while(|place| self.slots.get(place));
        slots
            .take_while(|slot| slot.number != FREE)
            .filter(|slot| slot.hash == hash)
            .map(|slot| slot.number as usize)
            .find(|number| {
                name(*number).is_some_and(|name| name.wire().eq_ignore_ascii_case(octets))
            })
    }

    /// Adds a key less its first `without` labels; it must not be in the table.
    pub(in crate::dns) fn add(&mut self, key: &Key, without: usize, number: usize) {
        let number = u32::try_from(number).unwrap_or(FREE);
        if let Some((hash, _)) = key.suffix(without) {
            self.put(Slot { hash, number });
        }
    }

    fn put(&mut self, slot: Slot) {
        if self.used * 2 >= self.slots.len() {
            let free = Slot {
                hash: 0,
                number: FREE,
            };
            let larger = vec![free; (self.slots.len() * 2).max(16)];
            let old = std::mem::replace(&mut self.slots, larger);
            self.used = 0;
            old.into_iter()
                .filter(|slot| slot.number != FREE)
                .for_each(|slot| self.put(slot));
        }
        let place = self
            .row(slot.hash)
            .find(|place| self.slots[*place].number == FREE);
        if let Some(place) = place {
            self.slots[place] = slot;
            self.used += 1;
        }
    }

    /// The slots for a hash, in the order of probing, each once.
    fn row(&self, hash: u32) -> impl Iterator<Item = usize> + use<> {
        let mask = self.slots.len().wrapping_sub(1);
        // The upper bits of FNV are its better ones.
        let first = (hash ^ hash >> 15) as usize;
        (0..self.slots.len()).map(move |step| (first + step) & mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn a_name_is_found_without_case_and_by_its_whole_labels() {
        let names: Vec<Name> = (0..1000).map(|n| name(&format!("h{n}.Example."))).collect();
        let mut table = Table::default();
        for (number, name) in names.iter().enumerate() {
            table.add(&Key::new(name), 0, number);
        }
        let find = |text: &str, without| {
            table.find(&Key::new(&name(text)), without, |number| names.get(number))
        };
        assert_eq!(find("H7.example.", 0), Some(7));
        assert_eq!(find("a.b.h999.EXAMPLE.", 2), Some(999));
        assert_eq!(find("a.b.h999.EXAMPLE.", 1), None);
        assert_eq!(find("xh7.example.", 0), None);
        assert_eq!(find("h1000.example.", 0), None);
        assert_eq!(find("h1.example.", 9), None);
        assert_eq!(
            Table::default().find(&Key::new(&names[0]), 0, |_| None),
            None
        );
    }

    #[test]
    fn a_key_is_read_from_a_message_and_only_when_it_is_plain() {
        let key = Key::read(b"\x03WWW\x07example\x00\x00\x01rest").unwrap();
        assert_eq!((key.labels(), key.length()), (2, 13));
        assert_eq!(Key::read(b"\x00").unwrap().length(), 1);
        let long = [&[63; 64][..]; 4].concat();
        for bad in [
            &b"\x03ww"[..],
            b"",
            b"\x03www",
            b"\xc0\x0c",
            b"\x40a\x00",
            &long,
        ] {
            assert!(Key::read(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn the_longest_name_of_the_shortest_labels_is_a_key() {
        let longest = Name::from_labels(["a"; 127]).unwrap();
        assert_eq!(longest.wire().len(), 255);
        let key = Key::new(&longest);
        assert_eq!((key.labels(), key.length()), (127, 255));
    }
}
