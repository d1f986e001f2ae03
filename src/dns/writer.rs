//! A message under construction: octets up to a limit, and the names to which later ones can point.
//!
//! Names are compressed by a table of the suffixes that were written: a hash of each, and where it
//! stands. To find a suffix costs one look at the table for each label, however many names there
//! are (a scan over all earlier names is quadratic, and was a way to attack servers:
//! RUSTSEC-2026-0119). Only offsets below 16,384 fit into a pointer (RFC 1035 §4.1.4).
//!
//! What does not fit leaves the message as it was: [`Writer::mark`] and [`Writer::back_to`] take
//! half a record set out again.

use super::name::Name;

/// The offsets that a pointer can hold: 14 bits.
const POINTERS: usize = 0x4000;
/// How far from its place a suffix is looked for. Beyond that it is written in full, so that names
/// chosen to collide cost octets and not time.
const PROBES: usize = 8;

/// The message is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// A message under construction.
pub(super) struct Writer {
    out: Vec<u8>,
    /// What precedes the message in `out`: nothing, or the length prefix of TCP.
    start: usize,
    limit: usize,
    /// None where names are written in full.
    suffixes: Option<Suffixes>,
}

/// A point to which a message can be taken back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark(usize);

impl Writer {
    /// Goes on in `out`, where the message begins at its present end; it may have `limit` octets.
    pub(super) fn new(out: Vec<u8>, limit: usize) -> Self {
        Self {
            start: out.len(),
            out,
            limit,
            suffixes: Some(Suffixes::default()),
        }
    }

    /// The same, with all names in full.
    pub(super) fn uncompressed(out: Vec<u8>, limit: usize) -> Self {
        Self {
            suffixes: None,
            ..Self::new(out, limit)
        }
    }

    /// Octets so far.
    pub(super) fn len(&self) -> usize {
        self.out.len() - self.start
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.out
    }

    /// Changes the limit: to keep room for what has to come last, and to give it free.
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

    /// Overwrites two octets at an offset of the message, which have been written before.
    pub(super) fn patch(&mut self, offset: usize, value: u16) {
        let at = self.start + offset;
        if let Some(place) = self.out.get_mut(at..at + 2) {
            place.copy_from_slice(&value.to_be_bytes());
        }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark(self.len())
    }

    /// Takes the message back to a point; names written since are forgotten.
    pub(super) fn back_to(&mut self, mark: Mark) {
        self.out.truncate(self.start + mark.0);
        if let Some(suffixes) = &mut self.suffixes {
            suffixes.forget_from(mark.0);
        }
    }

    /// Takes the message back to its beginning.
    pub(super) fn back_to_start(&mut self) {
        self.back_to(Mark(0));
    }

    /// A name in full: in RDATA of types that came after RFC 1035 (RFC 3597 §4).
    pub(super) fn name_in_full(&mut self, name: &Name) -> Result<(), Full> {
        self.bytes(name.wire())
    }

    /// A name, its longest known suffix as a pointer; its own suffixes become known.
    pub(super) fn name(&mut self, name: &Name) -> Result<(), Full> {
        let wire = name.wire();
        let Some(suffixes) = &mut self.suffixes else {
            return self.bytes(wire);
        };
        let mut starts = [0u8; 128];
        let mut count = 0;
        let mut at = 0;
        for label in name.labels() {
            starts[count] = at as u8; // at most 254
            count += 1;
            at += 1 + label.len();
        }
        // From the right: each suffix's hash goes on from the shorter one's.
        let mut hashes = [0u32; 128];
        let mut hash = 0;
        let mut end = at;
        for (place, start) in hashes[..count].iter_mut().zip(&starts[..count]).rev() {
            hash = fold(hash, &wire[usize::from(*start)..end]);
            end = usize::from(*start);
            *place = hash;
        }
        let mut known = None;
        let mut fresh = count;
        for (index, start) in starts[..count].iter().enumerate() {
            let suffix = &wire[usize::from(*start)..];
            let message = &self.out[self.start..];
            known = suffixes.find(hashes[index], suffix, message);
            if known.is_some() {
                fresh = index;
                break;
            }
        }
        let here = self.out.len() - self.start;
        let (head, tail) = match known {
            Some(offset) => (usize::from(starts[fresh]), Some(0xc000 | offset)),
            None => (wire.len(), None),
        };
        // Asked before anything is written, so that a name is never half there.
        if head + tail.map_or(0, |_| 2) > self.limit.saturating_sub(here) {
            return Err(Full);
        }
        for (start, hash) in starts[..fresh].iter().zip(hashes) {
            suffixes.add(hash, here + usize::from(*start));
        }
        self.bytes(&wire[..head])?;
        tail.map_or(Ok(()), |pointer| self.u16(pointer))
    }
}

/// A step of FNV-1a over a label with its length octet, without case.
fn fold(hash: u32, label: &[u8]) -> u32 {
    label.iter().fold(hash ^ 0x811c_9dc5, |hash, octet| {
        (hash ^ u32::from(octet.to_ascii_lowercase())).wrapping_mul(0x0100_0193)
    })
}

/// Where each suffix stands: a table with open addressing, sized by powers of two.
#[derive(Default)]
struct Suffixes {
    /// Hash and offset; an offset of 0, in the header, is a free place.
    slots: Vec<(u32, u16)>,
    used: usize,
}

impl Suffixes {
    fn find(&self, hash: u32, suffix: &[u8], message: &[u8]) -> Option<u16> {
        for place in self.places(hash) {
            match self.slots[place] {
                (_, 0) => return None,
                (other, offset) if other == hash && stands_at(message, offset, suffix) => {
                    return Some(offset);
                }
                _ => {}
            }
        }
        None
    }

    fn add(&mut self, hash: u32, offset: usize) {
        if offset >= POINTERS {
            return;
        }
        if self.used * 2 >= self.slots.len() {
            self.grow();
        }
        if let Some(free) = self.places(hash).find(|place| self.slots[*place].1 == 0) {
            self.slots[free] = (hash, offset as u16); // below POINTERS
            self.used += 1;
        }
    }

    /// The places where a hash may stand: none while the table is empty.
    fn places(&self, hash: u32) -> impl Iterator<Item = usize> + use<> {
        let mask = self.slots.len().wrapping_sub(1);
        // The upper bits of FNV are its better ones.
        let first = (hash ^ hash >> 15) as usize;
        let count = if self.slots.is_empty() { 0 } else { PROBES };
        (0..count).map(move |step| (first + step) & mask)
    }

    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(64);
        let old = std::mem::replace(&mut self.slots, vec![(0, 0); size]);
        self.used = 0;
        for (hash, offset) in old {
            if offset != 0 {
                self.add(hash, offset.into());
            }
        }
    }

    /// Forgets what stands at or after an offset. The table is made anew, since a free place in
    /// the middle of a row would hide what comes after it.
    fn forget_from(&mut self, end: usize) {
        let size = self.slots.len();
        let old = std::mem::replace(&mut self.slots, vec![(0, 0); size]);
        self.used = 0;
        for (hash, offset) in old {
            if offset != 0 && usize::from(offset) < end {
                self.add(hash, offset.into());
            }
        }
    }
}

/// Whether a name of our own message, at this offset, is this suffix.
fn stands_at(message: &[u8], offset: u16, mut suffix: &[u8]) -> bool {
    let mut rest = message.get(usize::from(offset)..).unwrap_or_default();
    loop {
        match rest {
            [high @ 0xc0..=0xff, low, ..] => {
                let target = u16::from_be_bytes([high & 0x3f, *low]);
                rest = message.get(usize::from(target)..).unwrap_or_default();
            }
            [0, ..] => return suffix == [0],
            [length, ..] => {
                let size = 1 + usize::from(*length);
                let (Some(here), Some(there)) = (rest.get(..size), suffix.get(..size)) else {
                    return false;
                };
                if !here.eq_ignore_ascii_case(there) {
                    return false;
                }
                rest = &rest[size..];
                suffix = &suffix[size..];
            }
            [] => return false,
        }
    }
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
