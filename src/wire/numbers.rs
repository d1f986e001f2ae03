//! Numbers, booleans, characters and the unit: fixed widths, little-endian.
//!
//! ```text
//!  i8 u8 bool   1 byte (false 0, true 1)      f32 f64   4, 8 bytes, the bits as they are
//!  i16 u16      2 bytes                       char      4 bytes, the scalar value
//!  i32 u32      4 bytes                       isize     as i64
//!  i64 u64      8 bytes                       usize     as u64
//!  i128 u128   16 bytes                       ()        nothing
//! ```

use std::num::NonZero;

use super::{Decode, Encode, ErrorKind, Failed, Reader, Row, Writer};

/// Numbers of a fixed width. A sequence of them is read by a loop that the compiler turns into one
/// copy.
macro_rules! number {
    ($($number:ty)*) => { $(
        impl Encode for $number {
            const WIDTH: usize = size_of::<$number>();

            #[inline]
            fn encode(&self, writer: &mut Writer) {
                writer.put_array(self.to_le_bytes());
            }

            #[inline]
            fn encode_row(&self, row: &mut Row<'_>) {
                row.put_array(self.to_le_bytes());
            }
        }

        impl<'a> Decode<'a> for $number {
            const LEAST: usize = size_of::<$number>();

            #[inline]
            fn decode(reader: &mut Reader<'a>) -> Result<Self, Failed> {
                Ok(<$number>::from_le_bytes(reader.array::<Self, { size_of::<$number>() }>()?))
            }

            #[inline]
            fn decode_all(count: usize, reader: &mut Reader<'a>) -> Result<Vec<Self>, Failed> {
                const WIDTH: usize = size_of::<$number>();
                let bytes = reader.bytes::<Self>(count.saturating_mul(WIDTH))?;
                let chunks = bytes.chunks_exact(WIDTH);
                Ok(chunks.map(|chunk| {
                    let mut number = [0; WIDTH];
                    number.copy_from_slice(chunk);
                    <$number>::from_le_bytes(number)
                }).collect())
            }
        }
    )* };
}

number! { u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64 }

// Bytes: like the numbers, but sequences are copied whole.
impl Encode for u8 {
    const WIDTH: usize = 1;

    #[inline]
    fn encode(&self, writer: &mut Writer) {
        writer.put_array([*self]);
    }

    #[inline]
    fn encode_row(&self, row: &mut Row<'_>) {
        row.put_array([*self]);
    }

    #[inline]
    fn encode_all(items: &[Self], writer: &mut Writer) {
        writer.put(items);
    }
}

impl<'a> Decode<'a> for u8 {
    const LEAST: usize = 1;

    #[inline]
    fn decode(reader: &mut Reader<'a>) -> Result<Self, Failed> {
        let [byte] = reader.array::<u8, 1>()?;
        Ok(byte)
    }

    #[inline]
    fn decode_all(count: usize, reader: &mut Reader<'a>) -> Result<Vec<Self>, Failed> {
        Ok(reader.bytes::<u8>(count)?.to_vec())
    }

    #[inline]
    fn decode_array<const N: usize>(reader: &mut Reader<'a>) -> Result<[Self; N], Failed> {
        reader.array::<[u8; N], N>()
    }
}

/// Types that are sent as a number of another type; the text describes a refused number.
macro_rules! travels_as {
    ($($own:ty, $number:ty, $to:expr, $from:expr, $refused:literal;)*) => { $(
        impl Encode for $own {
            const WIDTH: usize = <$number>::WIDTH;

            #[inline]
            fn encode(&self, writer: &mut Writer) {
                let to: fn($own) -> $number = $to;
                to(*self).encode(writer);
            }

            #[inline]
            fn encode_row(&self, row: &mut Row<'_>) {
                let to: fn($own) -> $number = $to;
                to(*self).encode_row(row);
            }
        }

        impl<'a> Decode<'a> for $own {
            const LEAST: usize = <$number as Decode<'a>>::LEAST;

            #[inline]
            fn decode(reader: &mut Reader<'a>) -> Result<Self, Failed> {
                let from: fn($number) -> Option<$own> = $from;
                match from(<$number>::decode(reader)?) {
                    Some(value) => Ok(value),
                    None => Err(reader.fail::<$own>(ErrorKind::OutOfRange($refused))),
                }
            }
        }
    )* };
}

travels_as! {
    // A usize is at most 64 bits wide wherever Rust's standard library has sockets.
    usize, u64, |n| n as u64, |n| usize::try_from(n).ok(), "a number too large for usize here";
    isize, i64, |n| n as i64, |n| isize::try_from(n).ok(), "a number too large for isize here";
    char, u32, u32::from, char::from_u32, "no Unicode scalar value";
    NonZero<u8>, u8, NonZero::get, NonZero::new, "zero";
    NonZero<u16>, u16, NonZero::get, NonZero::new, "zero";
    NonZero<u32>, u32, NonZero::get, NonZero::new, "zero";
    NonZero<u64>, u64, NonZero::get, NonZero::new, "zero";
}

impl Encode for bool {
    const WIDTH: usize = 1;

    #[inline]
    fn encode(&self, writer: &mut Writer) {
        writer.put_array([u8::from(*self)]);
    }

    #[inline]
    fn encode_row(&self, row: &mut Row<'_>) {
        row.put_array([u8::from(*self)]);
    }
}

impl<'a> Decode<'a> for bool {
    const LEAST: usize = 1;

    #[inline]
    fn decode(reader: &mut Reader<'a>) -> Result<Self, Failed> {
        match u8::decode(reader)? {
            0 => Ok(false),
            1 => Ok(true),
            tag => Err(reader.fail::<bool>(ErrorKind::UnknownTag { tag })),
        }
    }
}

impl Encode for () {
    const EMPTY: bool = true;

    #[inline]
    fn encode(&self, _: &mut Writer) {}
}

impl<'a> Decode<'a> for () {
    const LEAST: usize = 0;

    #[inline]
    fn decode(_: &mut Reader<'a>) -> Result<Self, Failed> {
        Ok(())
    }
}
