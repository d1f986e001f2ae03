//! The bounds-checked cursor over a message, and the decompression of names.
//!
//! All decoding goes through [`Reader`]: nothing else looks at a message's octets, so bounds are
//! checked in one place. It never reads past its end, which is that of the message or the RDATA,
//! and allocates nothing but the names that it has read.
//!
//! A name ends with the root, or with a pointer to an earlier offset at which the name goes on (RFC
//! 1035 §4.1.4):
//!
//! ```text
//!   offset 20:  1 'F'  3 'I' 'S' 'I'  4 'A' 'R' 'P' 'A'  0        F.ISI.ARPA.
//!   offset 40:  3 'F' 'O' 'O'  11000000 00010100                  FOO.F.ISI.ARPA.
//! ```
//!
//! A *piece* is the part of a name up to its root or pointer. A pointer must point before the piece
//! that it ends, so the pieces go strictly backwards and no loop is possible. RFC 9267 §2 finds that
//! better than a limit on the hops of a name. It would also refuse a pointer to a pointer, or to the
//! root; RFC 1035 allows both, and so does this reader. The 255 octets of a name limit the pieces
//! with labels. Pieces without labels are counted over the whole message; otherwise each of a
//! thousand names at the end of a long chain would cost the length of the chain.

use super::error::{DecodeError, Fault};
use super::name::{MAX_NAME, Name};

/// The length of the header, in octets (RFC 1035 §4.1.1); no name may begin in it.
pub(super) const HEADER: usize = 12;

/// A cursor over a message.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    message: &'a [u8],
    at: usize,
    /// Only a pointer's target is read beyond this offset.
    end: usize,
    /// How many more pointers may lead directly to another pointer: at first, one per octet.
    hops: usize,
    /// Whether there is a message that pointers can refer to.
    pointers: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(message: &'a [u8]) -> Self {
        let end = message.len();
        Self {
            message,
            at: 0,
            end,
            hops: end,
            pointers: true,
        }
    }

    /// Reads RDATA that is not part of a message: its names are not compressed (RFC 3597 §5).
    pub(super) fn alone(rdata: &'a [u8]) -> Self {
        Self {
            pointers: false,
            ..Self::new(rdata)
        }
    }

    /// The offset of the next octet.
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// How many octets are left.
    pub(super) fn left(&self) -> usize {
        self.end - self.at
    }

    pub(super) fn fail(&self, fault: Fault) -> DecodeError {
        let offset = self.at;
        DecodeError { offset, fault }
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        if count > self.left() {
            return Err(self.fail(Fault::Short));
        }
        let bytes = &self.message[self.at..self.at + count];
        self.at += count;
        Ok(bytes)
    }

    /// All octets up to the end.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        let bytes = &self.message[self.at..self.end];
        self.at = self.end;
        bytes
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N)?);
        Ok(array)
    }

    pub(super) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(|[octet]| octet)
    }

    pub(super) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    /// A length octet and that many octets (RFC 1035 §3.3, `<character-string>`).
    pub(super) fn string(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.u8()?;
        self.bytes(length.into())
    }

    /// Restricts `read` to the next `count` octets, all of which it has to take; pointers in them
    /// still refer to the whole message.
    #[inline(always)]
    pub(super) fn within<T>(
        &mut self,
        count: usize,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        if count > self.left() {
            return Err(self.fail(Fault::Short));
        }
        let end = std::mem::replace(&mut self.end, self.at + count);
        let value = read(self)?;
        self.finish()?;
        self.end = end;
        Ok(value)
    }

    /// An error if octets are left that no field has taken.
    pub(super) fn finish(&self) -> Result<(), DecodeError> {
        match self.left() {
            0 => Ok(()),
            left => Err(self.fail(Fault::DataTooLong(left))),
        }
    }

    /// A name, compressed or not.
    pub(super) fn name(&mut self) -> Result<Name, DecodeError> {
        // The first piece is read by `self`, each further one by a reader at the pointer's target.
        let (first, pointer) = self.piece(0)?;
        let Some(target) = pointer else {
            return Ok(Name::from_wire(first.into()));
        };
        let (mut piece, mut pointer) = self.piece_at(target, first.len())?;
        // Two pieces are nearly always the whole name, so this is its size.
        let mut wire = Vec::with_capacity(first.len() + piece.len());
        wire.extend_from_slice(first);
        wire.extend_from_slice(piece);
        while let Some(target) = pointer {
            if piece.is_empty() {
                let hops = self.hops.checked_sub(1);
                self.hops = hops.ok_or_else(|| self.fail(Fault::Hops))?;
            }
            (piece, pointer) = self.piece_at(target, wire.len())?;
            wire.extend_from_slice(piece);
        }
        Ok(Name::from_wire(wire.into()))
    }

    /// A name that must not be compressed, because of its type (RFC 3597 §4).
    pub(super) fn name_in_full(&mut self) -> Result<Name, DecodeError> {
        let pointers = std::mem::replace(&mut self.pointers, false);
        let name = self.name()?;
        self.pointers = pointers;
        Ok(name)
    }

    /// Takes labels up to and including the root (`None`), or up to a pointer (its target).
    /// `before` is how many octets of the name precede them.
    fn piece(&mut self, before: usize) -> Result<(&'a [u8], Option<usize>), DecodeError> {
        let start = self.at;
        loop {
            let offset = self.at;
            let octet = self.u8()?;
            let fail = |fault| Err(DecodeError { offset, fault });
            match octet >> 6 {
                0b00 if usize::from(octet) > self.left() => return Err(self.fail(Fault::Short)),
                0b00 => {
                    self.at += usize::from(octet);
                    let length = before + self.at - start;
                    if octet == 0 {
                        return Ok((&self.message[start..self.at], None));
                    }
                    if length >= MAX_NAME {
                        return fail(Fault::NameTooLong); // no room for the root
                    }
                }
                0b11 if !self.pointers => return fail(Fault::Compressed),
                0b11 => {
                    let target = u16::from_be_bytes([octet & 0x3f, self.u8()?]);
                    if usize::from(target) >= start || usize::from(target) < HEADER {
                        return fail(Fault::Pointer(target));
                    }
                    return Ok((&self.message[start..offset], Some(target.into())));
                }
                _ => return fail(Fault::LabelType(octet)),
            }
        }
    }

    fn piece_at(
        &self,
        target: usize,
        before: usize,
    ) -> Result<(&'a [u8], Option<usize>), DecodeError> {
        let mut there = Reader {
            at: target,
            end: self.message.len(),
            ..*self
        };
        there.piece(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads the name at `offset` of a message with a header of zeros and these octets.
    fn read(octets: &[u8], offset: usize) -> Result<(String, usize), DecodeError> {
        let message = [&[0; HEADER], octets].concat();
        let mut reader = Reader::new(&message);
        reader.at = offset;
        let name = reader.name()?;
        Ok((name.to_string(), reader.offset()))
    }

    #[test]
    fn the_example_of_rfc_1035_section_4_1_4_is_read() {
        // Between the names is what the example ignores.
        let mut octets = vec![0xff; 93 - HEADER];
        for (offset, name) in [
            (20, &b"\x01F\x03ISI\x04ARPA\x00"[..]),
            (40, b"\x03FOO\xc0\x14"),
            (64, b"\xc0\x1a"),
            (92, b"\x00"),
        ] {
            octets[offset - HEADER..][..name.len()].copy_from_slice(name);
        }
        assert_eq!(read(&octets, 20), Ok(("F.ISI.ARPA.".into(), 32)));
        assert_eq!(read(&octets, 40), Ok(("FOO.F.ISI.ARPA.".into(), 46)));
        assert_eq!(read(&octets, 64), Ok(("ARPA.".into(), 66)));
        assert_eq!(read(&octets, 92), Ok((".".into(), 93)));
    }

    #[test]
    fn a_pointer_that_does_not_lead_backwards_is_refused() {
        for (octets, offset, target) in [
            (&b"\xc0\x0c"[..], 12, 12),              // to itself
            (b"\x01a\xc0\x0c", 12, 12),              // to the start of its own name
            (b"\xc0\x0e\x01a\x00", 12, 14),          // forwards
            (b"\xc0\xff", 12, 255),                  // past the end
            (b"\xc0\x00", 12, 0),                    // into the header
            (b"\x00\xc0\x0b", 13, 11),               // into its last octet
            (b"\x01a\xc0\x10\x01b\xc0\x0c", 16, 16), // two that point at each other
        ] {
            let error = read(octets, offset).unwrap_err();
            assert_eq!(error.fault, Fault::Pointer(target), "{octets:x?}");
        }
    }

    #[test]
    fn a_long_chain_of_pointers_backwards_is_legal() {
        let mut octets = b"\x01a\x00".to_vec();
        let mut last = HEADER;
        for _ in 0..8000 {
            let at = HEADER + octets.len();
            octets.extend((0xc000 | last as u16).to_be_bytes());
            last = at;
        }
        assert_eq!(read(&octets, last).unwrap().0, "a.");
    }

    #[test]
    fn reserved_label_types_are_refused() {
        for octet in [0x40, 0x41, 0x80, 0xbf] {
            let error = read(&[octet, 1, 2, 3], 12).unwrap_err();
            assert_eq!((error.offset, error.fault), (12, Fault::LabelType(octet)));
        }
    }

    #[test]
    fn legal_pieces_that_expand_beyond_255_octets_are_refused() {
        // 12: a name of 253 octets; then labels before it.
        let mut octets = Vec::new();
        for length in [63, 63, 63, 59] {
            octets.push(length);
            octets.extend(vec![b'x'; length.into()]);
        }
        octets.push(0);
        let at = HEADER + octets.len();
        let with = |label: &[u8]| [&octets[..], label, b"\xc0\x0c"].concat();
        let (name, _) = read(&with(b"\x01a"), at).unwrap();
        assert_eq!(Name::parse(&name).unwrap().wire().len(), 255);
        let error = read(&with(b"\x02ab"), at).unwrap_err();
        assert_eq!(error.fault, Fault::NameTooLong);
    }

    #[test]
    fn a_name_that_is_cut_anywhere_is_an_error() {
        let whole = b"\x03www\x07example\x00";
        for length in 0..whole.len() {
            let error = read(&whole[..length], 12).unwrap_err();
            assert_eq!(error.fault, Fault::Short, "{length} octets");
        }
        assert_eq!(read(b"\x00\xc0", 13).unwrap_err().fault, Fault::Short);
    }

    #[test]
    fn a_name_may_point_out_of_its_rdata_but_not_end_outside() {
        let mut message = vec![0; HEADER];
        message.extend(b"\x01a\x00\xc0\x0c\x01b\x00");
        let mut whole = Reader::new(&message);
        whole.bytes(15).unwrap();
        let pointer = whole.within(2, Reader::name).unwrap();
        assert_eq!(pointer.to_string(), "a.");
        let cut = whole.within(2, Reader::name).unwrap_err();
        assert_eq!(cut.fault, Fault::Short);
    }

    #[test]
    fn names_at_the_end_of_a_long_chain_cost_no_more_hops_than_the_message_has_octets() {
        let mut message = vec![0; HEADER];
        message.extend(b"\x01a\x00");
        let mut last = HEADER;
        while message.len() + 2 < 0x4000 {
            let at = message.len();
            message.extend((0xc000 | last as u16).to_be_bytes());
            last = at;
        }
        let names = message.len();
        message.extend((0xc000 | last as u16).to_be_bytes().repeat(20_000));
        let mut reader = Reader::new(&message);
        reader.bytes(names).unwrap();
        let read = (0..20_000).map_while(|_| reader.name().ok()).count();
        assert_eq!(read, message.len() / ((names - HEADER - 3) / 2));
        assert_eq!(reader.name().unwrap_err().fault, Fault::Hops);
        // Names without such pieces can still be read.
        reader.at = HEADER;
        assert_eq!(reader.name().unwrap().to_string(), "a.");
    }

    #[test]
    fn a_name_that_must_stand_in_full_is_refused_with_a_pointer_in_it() {
        let mut message = vec![0; HEADER];
        message.extend(b"\x01a\x00\x01b\xc0\x0c");
        let mut reader = Reader::new(&message);
        reader.bytes(HEADER).unwrap();
        assert_eq!(reader.name_in_full().unwrap().to_string(), "a.");
        assert_eq!(reader.clone().name().unwrap().to_string(), "b.a.");
        let error = reader.name_in_full().unwrap_err();
        assert_eq!((error.offset, error.fault), (17, Fault::Compressed));
        let mut alone = Reader::alone(&message);
        alone.bytes(15).unwrap();
        assert_eq!(alone.name().unwrap_err().fault, Fault::Compressed);
    }
}
