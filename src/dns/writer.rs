//! A message under construction: octets up to a limit, and the names that later ones can point to.
//!
//! Names are compressed with a table of the suffixes written so far. A suffix is identified by its
//! first label and the offset of the rest. So a name is looked up from the right: one look at the
//! table and one comparison for each label, however many names there are. (A scan over all earlier
//! names is quadratic, and was a way to attack servers: RUSTSEC-2026-0119.) Only offsets below
//! 16,384 fit into a pointer (RFC 1035 §4.1.4).
//!
//! A write that does not fit leaves the message as it was. [`Writer::mark`] and [`Writer::back_to`]
//! remove a record set of which only a part fitted.

use super::name::Name;

/// Offsets below this fit into a pointer: 14 bits.
const POINTERS: u16 = 0x4000;
/// Stands for the offset of the root, which is never pointed to.
const ROOT: u16 = 0;
/// How many slots of the table are tried for a suffix. If it is in none of them, it is written in
/// full, so that names chosen to collide cost octets and not time.
const PROBES: usize = 8;
/// How many pointers lead from a name to the root at most. The format sets no limit, but some
/// readers do: Go's dnsmessage allows 10, dnspython some more.
const HOPS: u8 = 8;
const FNV_PRIME: u32 = 0x0100_0193;

/// The message is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// A message under construction.
pub(super) struct Writer {
    out: Vec<u8>,
    /// Where the message starts in `out`: at 0, or after the length prefix of TCP.
    start: usize,
    limit: usize,
    /// `None` if names are written in full.
    suffixes: Option<Suffixes>,
    /// The offsets of the pointers written, if the caller wants them.
    pointers: Option<Vec<usize>>,
}

/// A point to which a message can be rolled back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark(usize);

impl Writer {
    /// Appends a message of at most `limit` octets to `out`.
    pub(super) fn new(out: Vec<u8>, limit: usize) -> Self {
        Self {
            start: out.len(),
            out,
            limit,
            suffixes: Some(Suffixes::default()),
            pointers: None,
        }
    }

    /// The same, but keeps the offsets of all pointers for [`Writer::finish_traced`]. Such a
    /// message must not be rolled back.
    pub(super) fn tracing(limit: usize) -> Self {
        Self {
            pointers: Some(Vec::new()),
            ..Self::new(Vec::new(), limit)
        }
    }

    /// The same, but a name points only to one of the same case, so that each is read back with its
    /// own.
    pub(super) fn keeping_case(out: Vec<u8>, limit: usize) -> Self {
        Self {
            suffixes: Some(Suffixes {
                keeps_case: true,
                ..Suffixes::default()
            }),
            ..Self::new(out, limit)
        }
    }

    /// The same, but writes all names in full.
    pub(super) fn uncompressed(out: Vec<u8>, limit: usize) -> Self {
        Self {
            suffixes: None,
            ..Self::new(out, limit)
        }
    }

    /// The octets written so far.
    pub(super) fn len(&self) -> usize {
        self.out.len() - self.start
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.out
    }

    pub(super) fn finish_traced(self) -> (Vec<u8>, Vec<usize>) {
        (self.out, self.pointers.unwrap_or_default())
    }

    /// Changes the limit: to reserve room for what comes last, and to release it.
    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Full> {
        if bytes.len() > self.limit.saturating_sub(self.len()) {
            return Err(Full);
        }
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    pub(super) fn u8(&mut self, value: u8) -> Result<(), Full> {
        self.bytes(&[value])
    }

    pub(super) fn u16(&mut self, value: u16) -> Result<(), Full> {
        self.bytes(&value.to_be_bytes())
    }

    pub(super) fn u32(&mut self, value: u32) -> Result<(), Full> {
        self.bytes(&value.to_be_bytes())
    }

    /// Overwrites two octets, already written, at an offset of the message.
    pub(super) fn patch(&mut self, offset: usize, value: u16) {
        let at = self.start + offset;
        if let Some(place) = self.out.get_mut(at..at + 2) {
            place.copy_from_slice(&value.to_be_bytes());
        }
    }

    /// What `write` writes, after its length in two octets: RDATA, and options in it.
    pub(super) fn with_length(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<(), Full>,
    ) -> Result<(), Full> {
        let at = self.len();
        self.u16(0)?;
        write(self)?;
        let length = self.len() - at - 2;
        self.patch(at, u16::try_from(length).map_err(|_| Full)?);
        Ok(())
    }

    pub(super) fn mark(&self) -> Mark {
        Mark(self.len())
    }

    /// Rolls the message back to a mark; names written since are forgotten.
    pub(super) fn back_to(&mut self, mark: Mark) {
        self.out.truncate(self.start + mark.0);
        if let Some(suffixes) = &mut self.suffixes {
            suffixes.forget_from(mark.0);
        }
    }

    /// A name in full: for RDATA of types newer than RFC 1035 (RFC 3597 §4).
    pub(super) fn name_in_full(&mut self, name: &Name) -> Result<(), Full> {
        self.bytes(name.wire())
    }

    /// A name, with its longest known suffix as a pointer; its own suffixes become known.
    pub(super) fn name(&mut self, name: &Name) -> Result<(), Full> {
        let wire = name.wire();
        let Some(suffixes) = &mut self.suffixes else {
            return self.bytes(wire);
        };
        let (starts, mut fresh) = name.label_starts();
        let message = &self.out[self.start..];
        // From the right, as long as the suffix with one more label is known.
        let (mut known, mut end, mut hops) = (ROOT, wire.len() - 1, 0);
        while let Some(start) = starts[..fresh].last().map(|start| usize::from(*start)) {
            let Some(longer) = suffixes.find(known, &wire[start..end], message) else {
                break;
            };
            (known, end, hops) = (longer.offset, start, longer.hops);
            fresh -= 1;
        }
        let (head, tail, hops) = match known {
            ROOT => (wire.len(), None, 0),
            offset => (end, Some(0xc000 | offset), hops + 1),
        };
        // Checked before anything is written, so that a name is never half written.
        let here = message.len();
        if head + tail.map_or(0, |_| 2) > self.limit.saturating_sub(here) {
            return Err(Full);
        }
        for start in starts[..fresh]
            .iter()
            .rev()
            .map(|start| usize::from(*start))
        {
            let label = &wire[start..end];
            let Some(added) = suffixes.add(known, label, here + start, hops) else {
                break; // Longer suffixes are not found without this one.
            };
            (known, end) = (added, start);
        }
        self.bytes(&wire[..head])?;
        let Some(pointer) = tail else { return Ok(()) };
        if let Some(pointers) = &mut self.pointers {
            pointers.push(here + head);
        }
        self.u16(pointer)
    }
}

/// Where each suffix starts: a hash table with open addressing, its size a power of two.
#[derive(Default)]
struct Suffixes {
    slots: Vec<Slot>,
    used: usize,
    /// Whether labels that differ in case are different.
    keeps_case: bool,
}

/// A suffix: a label and the suffix after it.
#[derive(Clone, Copy, Default)]
struct Slot {
    hash: u32,
    /// Where the label starts; 0, in the header, marks a free slot.
    offset: u16,
    /// Where the suffix after it starts.
    behind: u16,
    /// How many pointers lead from it to the root.
    hops: u8,
}

impl Suffixes {
    /// Finds `label` (with its length octet) followed by the suffix at `behind`.
    fn find(&self, behind: u16, label: &[u8], message: &[u8]) -> Option<Slot> {
        let hash = hash(behind, label);
        let row = self.places(hash).map(|place| self.slots[place]);
        let mut row = row.take_while(|slot| slot.offset != 0);
        row.find(|slot| {
            let there = message.get(usize::from(slot.offset)..);
            let there = there.and_then(|there| there.get(..label.len()));
            (slot.hash, slot.behind) == (hash, behind)
                && there.is_some_and(|there| match self.keeps_case {
                    true => there == label,
                    false => there.eq_ignore_ascii_case(label),
                })
        })
    }

    /// Adds a label at an offset; `None` without a free slot, or with too many hops or octets before
    /// it.
    fn add(&mut self, behind: u16, label: &[u8], offset: usize, hops: u8) -> Option<u16> {
        let offset = u16::try_from(offset).ok().filter(|o| *o < POINTERS)?;
        if hops >= HOPS {
            return None;
        }
        if self.used * 2 >= self.slots.len() {
            let size = (self.slots.len() * 2).max(64);
            self.remake(size, POINTERS);
        }
        let hash = hash(behind, label);
        let slot = Slot {
            hash,
            offset,
            behind,
            hops,
        };
        self.put(slot).then_some(offset)
    }

    fn put(&mut self, slot: Slot) -> bool {
        let free = self
            .places(slot.hash)
            .find(|place| self.slots[*place].offset == 0);
        if let Some(free) = free {
            self.slots[free] = slot;
            self.used += 1;
        }
        free.is_some()
    }

    /// The slots in which a hash may be: none while the table is empty.
    fn places(&self, hash: u32) -> impl Iterator<Item = usize> + use<> {
        let mask = self.slots.len().wrapping_sub(1);
        // The upper bits of FNV are its better ones.
        let first = (hash ^ hash >> 15) as usize;
        let count = if self.slots.is_empty() { 0 } else { PROBES };
        (0..count).map(move |step| first.wrapping_add(step) & mask)
    }

    /// Forgets the suffixes at or after an offset. The table is rebuilt, because a free slot in the
    /// middle of a probe sequence would hide the slots after it.
    fn forget_from(&mut self, end: usize) {
        let end = u16::try_from(end).unwrap_or(POINTERS);
        self.remake(self.slots.len(), end);
    }

    /// Rebuilds the table with another size and the suffixes before `end`.
    fn remake(&mut self, size: usize, end: u16) {
        let old = std::mem::replace(&mut self.slots, vec![Slot::default(); size]);
        self.used = 0;
        for slot in old {
            if slot.offset != 0 && slot.offset < end {
                self.put(slot);
            }
        }
    }
}

/// FNV-1a over a label with its length octet, without case, seeded with the offset of the rest.
fn hash(behind: u16, label: &[u8]) -> u32 {
    let begin = (u32::from(behind) ^ 0x811c_9dc5).wrapping_mul(FNV_PRIME);
    label.iter().fold(begin, |hash, octet| {
        (hash ^ u32::from(octet.to_ascii_lowercase())).wrapping_mul(FNV_PRIME)
    })
}

#[cfg(test)]
mod tests {
    use super::super::reader::{HEADER, Reader};
    use super::*;

    fn writer(limit: usize) -> Writer {
        let mut writer = Writer::new(Vec::new(), limit);
        writer.bytes(&[0; HEADER]).unwrap();
        writer
    }

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn a_known_suffix_becomes_a_pointer_whatever_its_case() {
        let mut writer = writer(512);
        for text in ["F.ISI.ARPA", "foo.f.isi.arpa", "arpa", ".", "F.isi.ARPA"] {
            writer.name(&name(text)).unwrap();
        }
        let octets = writer.finish();
        assert_eq!(
            octets[HEADER..],
            *b"\x01F\x03ISI\x04ARPA\x00\x03foo\xc0\x0c\xc0\x12\x00\xc0\x0c"
        );
    }

    #[test]
    fn what_is_written_is_read_back_over_thousands_of_names() {
        let mut writer = writer(65535);
        let names: Vec<Name> = (0..4000)
            .map(|n| name(&format!("host{}.net{}.example", n, n % 17)))
            .collect();
        for name in &names {
            writer.name(name).unwrap();
        }
        let octets = writer.finish();
        assert!(octets.len() < 45_000, "{} octets", octets.len());
        let mut reader = Reader::new(&octets);
        reader.bytes(HEADER).unwrap();
        for name in &names {
            assert_eq!(&reader.name().unwrap(), name);
        }
        reader.finish().unwrap();
    }

    #[test]
    fn no_name_is_read_over_more_than_8_pointers() {
        let mut writer = writer(65535);
        let names: Vec<Name> = (1..60).map(|n| name(&"a.".repeat(n))).collect();
        for name in &names {
            writer.name(name).unwrap();
        }
        let octets = writer.finish();
        let mut reader = Reader::new(&octets);
        reader.bytes(HEADER).unwrap();
        for name in &names {
            let mut hops = 0;
            let mut at = reader.offset();
            while octets[at] != 0 {
                if octets[at] < 64 {
                    at += 1 + usize::from(octets[at]);
                } else {
                    at = usize::from(octets[at] & 63) << 8 | usize::from(octets[at + 1]);
                    hops += 1;
                }
            }
            assert!(hops <= 8, "{hops} pointers to read {name}");
            assert_eq!(&reader.name().unwrap(), name);
        }
    }

    #[test]
    fn nothing_points_beyond_the_14_bits_of_a_pointer() {
        let mut writer = writer(65535);
        writer.bytes(&[0; 0x4000 - HEADER]).unwrap();
        writer.name(&name("late.example")).unwrap();
        let before = writer.len();
        writer.name(&name("late.example")).unwrap();
        assert_eq!(writer.len() - before, name("late.example").wire().len());
    }

    #[test]
    fn a_name_that_does_not_fit_leaves_nothing_behind() {
        let mut writer = writer(HEADER + 12);
        writer.name(&name("a.example")).unwrap();
        let before = writer.len();
        assert_eq!(writer.name(&name("b.example")), Err(Full));
        assert_eq!(writer.len(), before);
        assert_eq!(writer.name(&name("b")), Err(Full));
        assert_eq!(writer.len(), before);
    }

    #[test]
    fn names_chosen_to_collide_cost_octets_and_not_time() {
        // Labels before `x.` whose hashes fall on one slot of the table, up to 4096 slots.
        let behind = HEADER as u16;
        let labels = (0..400_000).map(|n| format!("{n:06x}"));
        let colliding = labels.filter(|label| {
            let hash = hash(behind, &[b"\x06", label.as_bytes()].concat());
            (hash ^ hash >> 15) & 0xfff == 0
        });
        let names: Vec<Name> = colliding.map(|label| name(&format!("{label}.x"))).collect();
        assert!(names.len() > 50, "{}", names.len());

        let mut writer = writer(65535);
        writer.name(&name("x")).unwrap();
        let mut known = 0;
        for name in names.iter().chain(&names) {
            let before = writer.len();
            writer.name(name).unwrap();
            known += usize::from(writer.len() == before + 2);
        }
        assert_eq!(known, PROBES);
        let octets = writer.finish();
        let mut reader = Reader::new(&octets);
        reader.bytes(HEADER + 3).unwrap();
        for name in names.iter().chain(&names) {
            assert_eq!(&reader.name().unwrap(), name);
        }
    }

    #[test]
    fn names_taken_back_are_not_pointed_to() {
        let mut writer = writer(512);
        writer.name(&name("kept.example")).unwrap();
        let mark = writer.mark();
        writer.name(&name("gone.kept.example")).unwrap();
        writer.back_to(mark);
        writer.bytes(&[9; 20]).unwrap();
        writer.name(&name("gone.kept.example")).unwrap();
        let octets = writer.finish();
        assert!(octets.ends_with(b"\x04gone\xc0\x0c"));
    }
}
