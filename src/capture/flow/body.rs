//! The body after a message: which bytes of a stream belong to it. Pure.
//!
//! ```text
//!  4;name=value\r\n  <4 bytes>  \r\n    0\r\n  Digest: x\r\n  \r\n
//!  size extension    data               last   trailer section    (RFC 9112 §7.1)
//! ```
//!
//! No byte is kept: a few numbers describe the place in a chunked body, so it may be cut anywhere.
//! `http::ChunkReader` refuses bodies that two recipients could read differently. This code only
//! watches; for bodies that `ChunkReader` accepts, it finds the same end.

/// The rest of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Body {
    /// Nothing: a message comes next.
    #[default]
    None,
    /// This many bytes.
    Length(u64),
    /// Chunks.
    Chunked(Chunks),
    /// All bytes until the connection ends.
    UntilClose,
}

impl Body {
    /// How many of the next bytes belong to the body.
    pub(super) fn take(&mut self, bytes: &[u8]) -> usize {
        match self {
            Self::None => 0,
            Self::UntilClose => bytes.len(),
            Self::Length(left) => {
                let taken = bytes
                    .len()
                    .min(usize::try_from(*left).unwrap_or(usize::MAX));
                self.miss(taken as u64);
                taken
            }
            Self::Chunked(chunks) => match chunks.end(bytes) {
                Some(end) => {
                    *self = Self::None;
                    end
                }
                None => bytes.len(),
            },
        }
    }

    /// Skips missing bytes. If they may have held the end of a chunk, the end of the body is no
    /// longer known: then a message may come next.
    pub(super) fn miss(&mut self, bytes: u64) {
        match self {
            Self::None | Self::UntilClose => return,
            Self::Length(left) => *left = left.saturating_sub(bytes),
            Self::Chunked(Chunks::Data(left)) if bytes <= *left => *left -= bytes,
            Self::Chunked(_) => *self = Self::None,
        }
        if *self == Self::Length(0) {
            *self = Self::None;
        }
    }
}

/// A place in a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunks {
    /// In the size; its value so far.
    Size(u64),
    /// After the size, in an extension or the line's end.
    Extension(u64),
    /// In the data, with this many bytes to come.
    Data(u64),
    /// In the line end after the data.
    DataEnd,
    /// In a line of the trailer section; whether it is empty so far.
    Trailer { empty: bool },
}

impl Chunks {
    /// The start of a body.
    pub(super) const START: Self = Self::Size(0);

    /// Where in the next bytes the body ends, or turns out not to be one; `None` if it goes on.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if let Self::Data(left @ 1..) = *self {
                let taken = (bytes.len() - at).min(usize::try_from(left).unwrap_or(usize::MAX));
                *self = Self::Data(left - taken as u64);
                at += taken;
                continue;
            }
            at += 1;
            match self.next(*byte) {
                Some(next) => *self = next,
                None => return Some(if *byte == b'\n' { at } else { bytes.len() }),
            }
        }
        None
    }

    /// The state after a byte that is not data. `None` after the last line end of the body, and
    /// after a byte that cannot be there.
    fn next(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Size(size) | Self::Extension(size), b'\n') => Some(match size {
                0 => Self::Trailer { empty: true },
                size => Self::Data(size),
            }),
            (Self::Size(size), _) if byte.is_ascii_hexdigit() => {
                let digit = char::from(byte).to_digit(16)?;
                let size = size.checked_mul(16)?;
                Some(Self::Size(size | u64::from(digit)))
            }
            (Self::Size(size), b';' | b'\r' | b' ' | b'\t') | (Self::Extension(size), _) => {
                Some(Self::Extension(size))
            }
            (Self::Data(_) | Self::DataEnd, b'\r') => Some(Self::DataEnd),
            (Self::Data(_) | Self::DataEnd, b'\n') => Some(Self::START),
            (Self::Trailer { empty: true }, b'\n') => None,
            (Self::Trailer { empty: true }, b'\r') => Some(self),
            (Self::Trailer { .. }, b'\n') => Some(Self::Trailer { empty: true }),
            (Self::Trailer { .. }, _) => Some(Self::Trailer { empty: false }),
            (Self::Size(_) | Self::Data(_) | Self::DataEnd, _) => None,
        }
    }
}
