//! Strings, borrowed bytes and paths.
//!
//! A string is a `u32` length in the body and that many bytes in the texts. Bytes are a `u32`
//! length and the bytes, both in the body. A path is bytes: on Unix it need not be UTF-8.

use std::borrow::Cow;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use super::{Decode, Encode, Failed, Reader, Row, Writer};

impl Encode for str {
    const WIDTH: usize = 4;

    #[inline]
    fn encode(&self, writer: &mut Writer) {
        writer.put_text(self);
    }

    #[inline]
    fn encode_row(&self, row: &mut Row<'_>) {
        row.put_text(self);
    }
}

impl Encode for String {
    const WIDTH: usize = 4;

    #[inline]
    fn encode(&self, writer: &mut Writer) {
        writer.put_text(self);
    }

    #[inline]
    fn encode_row(&self, row: &mut Row<'_>) {
        row.put_text(self);
    }
}

impl<'a> Decode<'a> for &'a str {
    const LEAST: usize = 4;

    #[inline]
    fn decode(reader: &mut Reader<'a>) -> Result<Self, Failed> {
        reader.text()
    }
}

/// Owners of a text.
macro_rules! owned_text {
    ($($owner:ty)*) => { $(
        impl<'a> Decode<'a> for $owner {
            const LEAST: usize = 4;

            #[inline]
            fn decode(reader: &mut Reader<'a>) -> Result<Self, Failed> {
                Ok(reader.text()?.into())
            }
        }
    )* };
}

owned_text! { String Box<str> Rc<str> Arc<str> }

impl<'a> Decode<'a> for Cow<'a, str> {
    const LEAST: usize = 4;

    #[inline]
    fn decode(reader: &mut Reader<'a>) -> Result<Self, Failed> {
        Ok(Cow::Borrowed(reader.text()?))
    }
}

impl<'a> Decode<'a> for &'a [u8] {
    const LEAST: usize = 4;

    #[inline]
    fn decode(reader: &mut Reader<'a>) -> Result<Self, Failed> {
        let len = reader.len::<Self>()?;
        reader.bytes::<Self>(len)
    }
}

impl<'a> Decode<'a> for Cow<'a, [u8]> {
    const LEAST: usize = 4;

    #[inline]
    fn decode(reader: &mut Reader<'a>) -> Result<Self, Failed> {
        Ok(Cow::Borrowed(<&[u8]>::decode(reader)?))
    }
}

impl Encode for Path {
    fn encode(&self, writer: &mut Writer) {
        let bytes = self.as_os_str().as_bytes();
        writer.put_len::<Path>(bytes.len());
        writer.put(bytes);
    }
}

impl Encode for PathBuf {
    fn encode(&self, writer: &mut Writer) {
        self.as_path().encode(writer);
    }
}

impl<'a> Decode<'a> for PathBuf {
    const LEAST: usize = 4;

    fn decode(reader: &mut Reader<'a>) -> Result<Self, Failed> {
        let bytes = <&[u8]>::decode(reader)?;
        reader.charge::<Self>(bytes.len())?;
        Ok(OsString::from_vec(bytes.to_vec()).into())
    }
}
