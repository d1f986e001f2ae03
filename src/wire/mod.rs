//! Values as bytes: the wire format, and the traits that write and read it.
//!
//! # The problem
//!
//! Two programs share a Rust type and a stream of bytes. The bytes must represent the value
//! exactly, a reader must learn the format in ten minutes, and a stranger's message must not cost
//! more than its bytes justify: no panic, no allocation beyond a multiple of the message, no stack
//! overflow.
//!
//! # The format
//!
//! ```text
//!  message = | u32 length of the texts | body            | texts       |
//!                                        fixed widths,     all strings,
//!                                        little-endian     one after the other
//! ```
//!
//! Numbers have their width, booleans and tags are one byte, lengths and counts four. A string has
//! its length in the body and its characters in the texts. The texts are checked for UTF-8 once, as
//! a whole, and then split. No names, no types: both sides know the type. docs/wire-format.md is
//! the specification; its examples are the tests' vectors.
//!
//! # The promises
//!
//! - *Equal values, equal bytes*: maps and sets are written in key order.
//! - *One encoding per value*: if [`decode`] succeeds, [`encode`] returns the same bytes. A bool of
//!   2, a repeated key and a surplus byte are errors.
//! - *Bounded*: a message is at most [`Limits::message`] long, values nest at most
//!   [`Limits::depth`] deep, and the memory for the decoded value is at most
//!   [`Limits::memory_factor`] times the message. A count is compared with the bytes that are left
//!   before anything is allocated for it; a collection of elements without bytes does not compile.
//! - *Evolvable where you say so*: `..` in a struct or enum of the [`wire!`](crate::wire!) macro
//!   leaves room for later fields and variants.
//!
//! # A run
//!
//! ```
//! use groundwire::wire::{decode, encode};
//!
//! groundwire::wire! {
//!     #[derive(Debug, PartialEq)]
//!     struct Reading { sensor: String, celsius: f32 }
//! }
//!
//! let reading = Reading { sensor: "roof".into(), celsius: 21.5 };
//! let bytes = encode(&reading)?;
//! assert_eq!(bytes, b"\x04\0\0\0\x04\0\0\0\0\0\xac\x41roof");
//! assert_eq!(decode::<Reading>(&bytes)?, reading);
//! # Ok::<(), groundwire::wire::Error>(())
//! ```
//!
//! # The files, in reading order
//!
//! [`writer`](Writer) and [`reader`](Reader): a message that is being written or read. `numbers`,
//! `text`, `containers`, `maps`, `times`, `addresses`: the types of std. `derive`: the macro for
//! your own types. `later`: fields and variants of a later version. `whole`: a value to a message
//! and back. `frame`: messages on a stream.

mod addresses;
mod containers;
mod derive;
mod error;
mod frame;
mod later;
mod maps;
mod numbers;
mod reader;
mod text;
mod times;
mod whole;
mod writer;

pub use error::{Error, ErrorKind, Failed};
pub use frame::{FrameBuffer, FrameError, FrameReader, Frames};
pub use later::Unknown;
#[doc(hidden)]
pub use later::{no_variant, present};
pub use reader::{BlockRest, Reader};
pub use whole::{Encoder, decode, decode_within, encode, encode_within};
#[doc(hidden)]
pub use writer::Row;
pub use writer::{BlockStart, Writer};

/// A value that can be written to a message.
pub trait Encode {
    /// How many bytes of body every value of this type takes; 0 when values differ. Values of a
    /// known width are written in rows: many of them with one check for room.
    #[doc(hidden)]
    const WIDTH: usize = 0;

    /// Whether every value of this type is written as no bytes at all. Then it cannot be an element
    /// of a collection or a key of a map: what [`Decode::LEAST`] refuses to read is not written.
    ///
    /// ```compile_fail
    /// let _ = groundwire::wire::encode(&vec![()]);
    /// ```
    ///
    /// ```compile_fail
    /// groundwire::wire! { struct Marker; }
    /// let _ = groundwire::wire::encode(&std::collections::VecDeque::from([(Marker, [0_u8; 0])]));
    /// ```
    ///
    /// ```compile_fail
    /// let _ = groundwire::wire::encode(&std::collections::BTreeMap::from([((), 1_u8)]));
    /// ```
    ///
    /// ```compile_fail
    /// let _ = groundwire::wire::encode(&std::collections::HashSet::from([Box::new(())]));
    /// ```
    ///
    /// A type with room for later fields does have bytes:
    ///
    /// ```
    /// groundwire::wire! {
    ///     #[derive(Clone, Debug, PartialEq)]
    ///     struct Roomy { .. }
    /// }
    /// let some = vec![Roomy {}; 3];
    /// let message = groundwire::wire::encode(&some)?;
    /// assert_eq!(groundwire::wire::decode::<Vec<Roomy>>(&message)?, some);
    /// # Ok::<(), groundwire::wire::Error>(())
    /// ```
    #[doc(hidden)]
    const EMPTY: bool = false;

    /// Writes the value. A value that cannot be written is reported with [`Writer::fail`].
    fn encode(&self, writer: &mut Writer);

    /// Writes the value into its row. Only for a type that has a [`WIDTH`](Self::WIDTH).
    #[doc(hidden)]
    #[inline]
    fn encode_row(&self, _: &mut Row<'_>) {}

    /// Writes the value as a whole message, so that the end of the body may be known from the
    /// start.
    #[doc(hidden)]
    #[inline]
    fn encode_whole(&self, writer: &mut Writer) {
        self.encode(writer);
    }

    /// Writes several values, without their number.
    #[doc(hidden)]
    #[inline]
    fn encode_all(items: &[Self], writer: &mut Writer)
    where
        Self: Sized,
    {
        if Self::WIDTH > 0 {
            return writer.put_rows(Self::WIDTH, items.iter(), Self::encode_row);
        }
        for item in items {
            item.encode(writer);
        }
    }
}

/// The width of all fields together; 0 if one of them has no fixed width.
#[doc(hidden)]
pub const fn width(fields: &[usize]) -> usize {
    let (mut at, mut sum) = (0, 0);
    while at < fields.len() {
        if fields[at] == 0 {
            return 0;
        }
        sum += fields[at];
        at += 1;
    }
    sum
}

/// Whether all fields together have no bytes.
#[doc(hidden)]
pub const fn empty(fields: &[bool]) -> bool {
    let mut at = 0;
    while at < fields.len() {
        if !fields[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// A value that can be read from a message, borrowing its texts and bytes where the type says so
/// (`&'a str`, `&'a [u8]`).
pub trait Decode<'a>: Sized {
    /// The fewest bytes of body that a value of this type takes. With it, a count of elements is
    /// compared with the bytes that are left. A type with 0 cannot be an element of a collection,
    /// because a few bytes could claim four thousand million elements. These do not compile:
    ///
    /// ```compile_fail
    /// let _ = groundwire::wire::decode::<Vec<()>>(&[0; 8]);
    /// ```
    ///
    /// ```compile_fail
    /// groundwire::wire! { struct Marker; }
    /// let _ = groundwire::wire::decode::<std::collections::VecDeque<Marker>>(&[0; 8]);
    /// ```
    ///
    /// ```compile_fail
    /// let _ = groundwire::wire::decode::<std::collections::BTreeMap<(), u8>>(&[0; 8]);
    /// ```
    const LEAST: usize;

    /// Reads the value. A refusal is reported with [`Reader::fail`].
    fn decode(reader: &mut Reader<'a>) -> Result<Self, Failed>;

    /// Reads `count` values; `count` was already checked.
    #[doc(hidden)]
    #[inline]
    fn decode_all(count: usize, reader: &mut Reader<'a>) -> Result<Vec<Self>, Failed> {
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(Self::decode(reader)?);
        }
        Ok(items)
    }

    /// Reads an array.
    #[doc(hidden)]
    #[inline]
    fn decode_array<const N: usize>(reader: &mut Reader<'a>) -> Result<[Self; N], Failed> {
        reader.charge::<[Self; N]>(size_of::<[Self; N]>())?;
        let items = Self::decode_all(N, reader)?;
        items
            .try_into()
            .map_err(|_| reader.fail::<[Self; N]>(ErrorKind::OutOfRange("array length")))
    }
}

/// A value that can be read from a message without borrowing from it.
pub trait DecodeOwned: for<'a> Decode<'a> {}

impl<T: for<'a> Decode<'a>> DecodeOwned for T {}

/// What a message may cost, for its writer and its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest message, in bytes. Default 4 MiB.
    pub message: usize,
    /// The most elements of one collection. For elements of one byte in memory, such as `u8`, only
    /// the length of the message is the limit. Default 1,048,576.
    pub elements: usize,
    /// How deeply structs and enums may nest. Default 64, which takes less than 128 KiB of stack in
    /// a debug build.
    pub depth: u32,
    /// How many bytes of memory a decoded value may request per byte of its message, beyond the
    /// first 64 KiB. (A list of bytes requests one for each. The allocator's own overhead is not
    /// counted; a `Box<u8>` has more overhead than content.) Default 16.
    pub memory_factor: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Limits {
    /// The defaults.
    pub const DEFAULT: Limits = Limits {
        message: 4 << 20,
        elements: 1 << 20,
        depth: 64,
        memory_factor: 16,
    };

    /// The memory for a message of `len` bytes.
    fn budget(&self, len: usize) -> usize {
        len.saturating_mul(self.memory_factor)
            .saturating_add(64 << 10)
    }
}
