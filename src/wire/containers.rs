//! Types that hold other values: options, results, boxes, sequences, arrays, tuples.
//!
//! ```text
//!  Option      0 | 1 value              Vec, VecDeque, [T]   u32 count, then the elements
//!  Result      0 value | 1 error        [T; N], tuples       the elements
//!  Box Rc Arc & Cow    as what is inside
//! ```

use std::borrow::Cow;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use super::{Decode, Encode, ErrorKind, Failed, Reader, Row, Writer, empty, width};

impl<T: Encode> Encode for Option<T> {
    #[inline]
    fn encode(&self, writer: &mut Writer) {
        match self {
            None => writer.put_array([0]),
            Some(value) => {
                writer.put_array([1]);
                value.encode(writer);
            }
        }
    }
}

impl<'a, T: Decode<'a>> Decode<'a> for Option<T> {
    const LEAST: usize = 1;

    #[inline]
    fn decode(reader: &mut Reader<'a>) -> Result<Self, Failed> {
        match u8::decode(reader)? {
            0 => Ok(None),
            1 => Ok(Some(T::decode(reader)?)),
            tag => Err(reader.fail::<Self>(ErrorKind::UnknownTag { tag })),
        }
    }
}

impl<T: Encode, E: Encode> Encode for Result<T, E> {
    #[inline]
    fn encode(&self, writer: &mut Writer) {
        match self {
            Ok(value) => {
                writer.put_array([0]);
                value.encode(writer);
            }
            Err(error) => {
                writer.put_array([1]);
                error.encode(writer);
            }
        }
    }
}

impl<'a, T: Decode<'a>, E: Decode<'a>> Decode<'a> for Result<T, E> {
    const LEAST: usize = 1;

    #[inline]
    fn decode(reader: &mut Reader<'a>) -> Result<Self, Failed> {
        match u8::decode(reader)? {
            0 => Ok(Ok(T::decode(reader)?)),
            1 => Ok(Err(E::decode(reader)?)),
            tag => Err(reader.fail::<Self>(ErrorKind::UnknownTag { tag })),
        }
    }
}

/// Bytes of the two counts beside a shared value, and of their alignment.
const COUNTS: usize = 3 * size_of::<usize>();

/// Owners of one value: they add nothing to the message. For each: the bytes of memory that it has
/// beside the value, and whether a sequence is moved into it or copied.
macro_rules! owner {
    ($($owner:ident $beside:expr, $copied:expr;)*) => { $(
        impl<T: Encode + ?Sized> Encode for $owner<T> {
            const EMPTY: bool = T::EMPTY;

            #[inline]
            fn encode(&self, writer: &mut Writer) {
                (**self).encode(writer);
            }
        }

        impl<'a, T: Decode<'a>> Decode<'a> for $owner<T> {
            const LEAST: usize = T::LEAST;

            #[inline]
            fn decode(reader: &mut Reader<'a>) -> Result<Self, Failed> {
                reader.charge::<Self>($beside + size_of::<T>())?;
                Ok($owner::new(T::decode(reader)?))
            }
        }

        impl<'a, T: Decode<'a>> Decode<'a> for $owner<[T]> {
            const LEAST: usize = 4;

            #[inline]
            fn decode(reader: &mut Reader<'a>) -> Result<Self, Failed> {
                let items = Vec::decode(reader)?;
                let copied = if $copied { size_of_val(items.as_slice()) } else { 0 };
                reader.charge::<Self>($beside + copied)?;
                Ok(items.into())
            }
        }
    )* };
}

owner! {
    Box 0, false;
    Rc COUNTS, true;
    Arc COUNTS, true;
}

impl<T: Encode + ?Sized> Encode for &T {
    const WIDTH: usize = T::WIDTH;
    const EMPTY: bool = T::EMPTY;

    #[inline]
    fn encode(&self, writer: &mut Writer) {
        (**self).encode(writer);
    }

    #[inline]
    fn encode_whole(&self, writer: &mut Writer) {
        (**self).encode_whole(writer);
    }

    #[inline]
    fn encode_row(&self, row: &mut Row<'_>) {
        (**self).encode_row(row);
    }
}

impl<T: Encode + ToOwned + ?Sized> Encode for Cow<'_, T> {
    const EMPTY: bool = T::EMPTY;

    #[inline]
    fn encode(&self, writer: &mut Writer) {
        (**self).encode(writer);
    }
}

impl<T: Encode> Encode for [T] {
    #[inline]
    fn encode(&self, writer: &mut Writer) {
        writer.put_count_of::<Self, T>(self.len());
        T::encode_all(self, writer);
    }

    #[inline]
    fn encode_whole(&self, writer: &mut Writer) {
        // A value no longer than a pointer is a number; it has no texts to be copied.
        if T::WIDTH == 0 || size_of::<T>() <= size_of::<usize>() {
            return self.encode(writer);
        }
        writer.put_count_of::<Self, T>(self.len());
        writer.put_last_rows(T::WIDTH, self.iter(), T::encode_row);
    }
}

impl<T: Encode> Encode for Vec<T> {
    #[inline]
    fn encode(&self, writer: &mut Writer) {
        self.as_slice().encode(writer);
    }

    #[inline]
    fn encode_whole(&self, writer: &mut Writer) {
        self.as_slice().encode_whole(writer);
    }
}

impl<'a, T: Decode<'a>> Decode<'a> for Vec<T> {
    const LEAST: usize = 4;

    #[inline]
    fn decode(reader: &mut Reader<'a>) -> Result<Self, Failed> {
        let count = reader.count_of::<Self, T>()?;
        T::decode_all(count, reader)
    }
}

impl<T: Encode> Encode for VecDeque<T> {
    fn encode(&self, writer: &mut Writer) {
        writer.put_count_of::<Self, T>(self.len());
        let (front, back) = self.as_slices();
        T::encode_all(front, writer);
        T::encode_all(back, writer);
    }
}

impl<'a, T: Decode<'a>> Decode<'a> for VecDeque<T> {
    const LEAST: usize = 4;

    fn decode(reader: &mut Reader<'a>) -> Result<Self, Failed> {
        Ok(Vec::decode(reader)?.into())
    }
}

impl<T: Encode, const N: usize> Encode for [T; N] {
    const WIDTH: usize = N * T::WIDTH;
    const EMPTY: bool = N == 0 || T::EMPTY;

    #[inline]
    fn encode(&self, writer: &mut Writer) {
        T::encode_all(self, writer);
    }

    #[inline]
    fn encode_row(&self, row: &mut Row<'_>) {
        for item in self {
            item.encode_row(row);
        }
    }
}

impl<'a, T: Decode<'a>, const N: usize> Decode<'a> for [T; N] {
    const LEAST: usize = N * T::LEAST;

    #[inline]
    fn decode(reader: &mut Reader<'a>) -> Result<Self, Failed> {
        T::decode_array(reader)
    }
}

macro_rules! tuple {
    ($($name:ident $at:tt),*) => {
        impl<$($name: Encode),*> Encode for ($($name,)*) {
            const WIDTH: usize = width(&[$($name::WIDTH),*]);
            const EMPTY: bool = empty(&[$($name::EMPTY),*]);

            #[inline]
            fn encode(&self, writer: &mut Writer) {
                $(self.$at.encode(writer);)*
            }

            #[inline]
            fn encode_row(&self, row: &mut Row<'_>) {
                $(self.$at.encode_row(row);)*
            }
        }

        impl<'a, $($name: Decode<'a>),*> Decode<'a> for ($($name,)*) {
            const LEAST: usize = 0 $(+ $name::LEAST)*;

            #[inline]
            fn decode(reader: &mut Reader<'a>) -> Result<Self, Failed> {
                Ok(($($name::decode(reader)?,)*))
            }
        }
    };
}

tuple! { A 0 }
tuple! { A 0, B 1 }
tuple! { A 0, B 1, C 2 }
tuple! { A 0, B 1, C 2, D 3 }
tuple! { A 0, B 1, C 2, D 3, E 4 }
tuple! { A 0, B 1, C 2, D 3, E 4, F 5 }
tuple! { A 0, B 1, C 2, D 3, E 4, F 5, G 6 }
tuple! { A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7 }
