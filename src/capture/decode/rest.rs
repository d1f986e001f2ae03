//! The rest of a packet after the headers read so far: the bytes that were kept, and how many there
//! were on the wire. Pure.
//!
//! Every parser takes its header off the front of a [`Rest`], and nothing reads a packet in another
//! way, so this file makes every comparison of lengths. A header that is not there was either cut
//! by the snap length ([`Why::Cut`]: the packet was longer than what was kept) or is missing in the
//! packet itself ([`Why::Short`]).

use super::{Malformed, Why};

/// The rest of a packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest<'a> {
    /// The bytes that were kept.
    pub bytes: &'a [u8],
    /// Its length on the wire, in bytes; never less than what was kept.
    pub length: usize,
}

impl<'a> Rest<'a> {
    pub fn new(bytes: &'a [u8], length: usize) -> Self {
        let length = length.max(bytes.len());
        Self { bytes, length }
    }

    /// A rest of which every byte was kept.
    pub fn whole(bytes: &'a [u8]) -> Self {
        Self::new(bytes, bytes.len())
    }

    pub fn is_whole(&self) -> bool {
        self.length == self.bytes.len()
    }

    /// Takes `N` bytes off the front, for the header of `protocol`.
    #[inline]
    pub fn head<const N: usize>(
        self,
        protocol: &'static str,
    ) -> Result<(&'a [u8; N], Rest<'a>), Malformed> {
        match self.bytes.split_first_chunk::<N>() {
            Some((head, bytes)) => Ok((head, Rest::new(bytes, self.length - N))),
            None => Err(self.missing(N, protocol)),
        }
    }

    /// Takes `count` bytes off the front, for the header of `protocol`.
    #[inline]
    pub fn split(
        self,
        count: usize,
        protocol: &'static str,
    ) -> Result<(&'a [u8], Rest<'a>), Malformed> {
        match self.bytes.split_at_checked(count) {
            Some((head, bytes)) => Ok((head, Rest::new(bytes, self.length - count))),
            None => Err(self.missing(count, protocol)),
        }
    }

    /// The reason why there are fewer than `need` bytes.
    pub fn missing(&self, need: usize, protocol: &'static str) -> Malformed {
        let why = if self.length < need {
            Why::Short {
                have: self.length,
                need,
            }
        } else {
            Why::Cut
        };
        Malformed { protocol, why }
    }

    /// The first `length` bytes, or all if there are fewer: the bytes after them are padding of the
    /// link, or a trailer.
    #[inline]
    pub fn first(self, length: usize) -> Self {
        Self {
            bytes: self.bytes.get(..length).unwrap_or(self.bytes),
            length: self.length.min(length),
        }
    }
}
