//! Snapshots as bytes: numbers and byte strings, one after the other.
//!
//! A snapshot is as large as the state, so it must not fail on a limit as a message of
//! [`wire`](mod@crate::wire) may, and only nodes of the same cluster write one. What is read is
//! checked all the same: a disk or a programmer may be wrong.
//!
//! ```text
//!  number   8 bytes, little-endian        bytes   a number: how many; then they
//! ```

use super::machine::BadSnapshot;

/// Writes a snapshot.
#[derive(Debug, Default)]
pub struct Packer(Vec<u8>);

impl Packer {
    /// Adds a number.
    pub fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    /// Adds a byte string.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// The snapshot.
    pub fn end(self) -> Vec<u8> {
        self.0
    }
}

/// Reads a snapshot in the order in which it was written.
#[derive(Debug)]
pub struct Unpacker<'a>(&'a [u8]);

impl<'a> Unpacker<'a> {
    /// At the first byte.
    pub fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// The next number.
    pub fn number(&mut self) -> Result<u64, BadSnapshot> {
        let (number, rest) = self.0.split_first_chunk().ok_or_else(cut)?;
        self.0 = rest;
        Ok(u64::from_le_bytes(*number))
    }

    /// The next byte string.
    pub fn bytes(&mut self) -> Result<&'a [u8], BadSnapshot> {
        let count = usize::try_from(self.number()?).map_err(|_| cut())?;
        let (bytes, rest) = self.0.split_at_checked(count).ok_or_else(cut)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// The next byte string, which is UTF-8.
    pub fn text(&mut self) -> Result<&'a str, BadSnapshot> {
        std::str::from_utf8(self.bytes()?).map_err(|_| BadSnapshot("a text is not UTF-8".into()))
    }

    /// Asserts that all was read.
    pub fn end(self) -> Result<(), BadSnapshot> {
        match self.0.len() {
            0 => Ok(()),
            left => Err(BadSnapshot(format!("{left} bytes left over"))),
        }
    }
}

fn cut() -> BadSnapshot {
    BadSnapshot("it is cut".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_comes_out_and_no_cut_or_longer_one_does() {
        let mut packer = Packer::default();
        packer.number(7);
        packer.bytes(b"key");
        let whole = packer.end();
        let read = |data: &[u8]| {
            let mut unpacker = Unpacker::new(data);
            let found = (unpacker.number()?, unpacker.text()?.to_string());
            unpacker.end().map(|()| found)
        };
        assert_eq!(read(&whole).unwrap(), (7, "key".to_string()));
        for len in 0..whole.len() {
            assert!(read(&whole[..len]).is_err(), "{len} bytes");
        }
        assert!(read(&[whole, vec![0]].concat()).is_err());
    }

    #[test]
    fn a_length_beyond_the_end_is_refused_before_anything_is_copied() {
        assert!(Unpacker::new(&[0xff; 8]).bytes().is_err());
        assert!(Unpacker::new(&[1, 0, 0, 0, 0, 0, 0, 0]).bytes().is_err());
        let not_text = [1, 0, 0, 0, 0, 0, 0, 0, 0xff];
        assert!(Unpacker::new(&not_text).text().is_err());
    }
}
