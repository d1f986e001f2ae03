//! Why a message could not be read or written: the rule that was broken, where, and for which type.

use std::fmt;

/// A value could not be written, or bytes are not a message: the rule that was broken, the byte at
/// which this was found, and the Rust type that was being read or written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The rule that was broken.
    pub kind: ErrorKind,
    /// Bytes from the start of the message to where reading stopped. For a text this is the place
    /// of its length, because the texts themselves are together at the end.
    pub offset: usize,
    /// The type that was being read or written, as in `std::any::type_name`, or `message` for all of
    /// it.
    pub of: &'static str,
}

/// The rules of docs/wire-format.md, one for each way to break them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The message ends before the value does.
    Cut {
        /// Bytes that the value needs at least.
        needed: u64,
        /// Bytes that are left.
        left: usize,
    },
    /// Bytes, or texts, are left over after the value.
    Trailing {
        /// How many bytes.
        left: usize,
    },
    /// The message is longer than the limit.
    MessageTooLong {
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A collection has more elements than the limit.
    TooMany {
        /// How many it has, or claims to have.
        count: u64,
        /// The limit.
        limit: usize,
    },
    /// The decoded value would take more memory than the message is allowed.
    OverBudget {
        /// Bytes that the next part needs.
        needed: usize,
        /// Bytes that are left of the budget.
        left: usize,
    },
    /// Values are nested more deeply than the limit.
    TooDeep {
        /// The limit.
        limit: u32,
    },
    /// No variant has this tag.
    UnknownTag {
        /// The tag that was read.
        tag: u8,
    },
    /// The texts of the message are not UTF-8.
    NotUtf8,
    /// A text ends within a character.
    SplitCharacter,
    /// A key is not greater than the one before it: repeated, or out of order.
    KeyOrder,
    /// A field of a later version is absent, but was written out.
    NotShortest,
    /// A number is outside the range of its type; the text says which.
    OutOfRange(&'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}: {}", self.of, self.offset, self.kind)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut { needed, left } => {
                write!(f, "the message is cut: {needed} bytes needed, {left} left")
            }
            Self::Trailing { left } => write!(f, "{left} bytes left over after the value"),
            Self::MessageTooLong { len, limit } => {
                write!(f, "message of {len} bytes, the limit is {limit}")
            }
            Self::TooMany { count, limit } => {
                write!(f, "{count} elements, the limit is {limit}")
            }
            Self::OverBudget { needed, left } => write!(
                f,
                "{needed} bytes of memory needed, {left} left of the message's budget"
            ),
            Self::TooDeep { limit } => write!(f, "nested more than {limit} deep"),
            Self::UnknownTag { tag } => write!(f, "no variant has tag {tag}"),
            Self::NotUtf8 => f.write_str("the texts are not UTF-8"),
            Self::SplitCharacter => f.write_str("the text ends within a character"),
            Self::KeyOrder => f.write_str("a key is not greater than the one before it"),
            Self::NotShortest => f.write_str("an absent last field is written out"),
            Self::OutOfRange(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Error {}

/// Stands for an error that the [`Reader`](super::Reader) has kept.
///
/// It is empty, so that a `Result` with four bytes stays small on the hot path. Only
/// [`Reader::fail`](super::Reader::fail) makes one, and [`decode`](super::decode) turns it into the
/// [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed(pub(super) ());
