//! A value to one message and back: where most users begin.

use std::cell::RefCell;

use super::{Decode, Encode, Error, Failed, Limits, Reader, Writer};

/// Writes a value as one message, within the default [`Limits`].
pub fn encode<T: Encode + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    encode_within(value, Limits::default())
}

/// Writes a value as one message within `limits`.
pub fn encode_within<T: Encode + ?Sized>(value: &T, limits: Limits) -> Result<Vec<u8>, Error> {
    WRITER.with(|kept| match kept.try_borrow_mut() {
        Ok(mut writer) => {
            let written = writer.message_within(value, limits);
            let bytes = writer.take();
            written.map(|()| bytes)
        }
        // A value's `encode` has called this function: use a new writer.
        Err(_) => {
            let mut writer = Writer::new(limits);
            writer.message(value)?;
            Ok(writer.take())
        }
    })
}

thread_local! {
    /// Kept for its buffer of texts, which would otherwise cost each [`encode`] a second
    /// allocation.
    static WRITER: RefCell<Writer> = const { RefCell::new(Writer::new(Limits::DEFAULT)) };
}

/// Reads the value that a whole message holds, within the default [`Limits`].
pub fn decode<'a, T: Decode<'a>>(message: &'a [u8]) -> Result<T, Error> {
    decode_within(message, Limits::default())
}

/// Reads the value that a whole message holds, within `limits`.
pub fn decode_within<'a, T: Decode<'a>>(message: &'a [u8], limits: Limits) -> Result<T, Error> {
    let mut reader = Reader::new(message, limits)?;
    let value = T::decode(&mut reader).and_then(|value| {
        reader.end::<T>()?;
        Ok(value)
    });
    value.map_err(|Failed(())| reader.error())
}

/// Writes messages one after the other into a buffer that is kept: no allocation once it is large
/// enough.
#[derive(Debug, Default)]
pub struct Encoder {
    writer: Writer,
}

impl Encoder {
    /// An encoder with these limits.
    pub fn new(limits: Limits) -> Self {
        Self {
            writer: Writer::new(limits),
        }
    }

    /// Writes a value as one message; the bytes are valid until the next call.
    pub fn encode<T: Encode + ?Sized>(&mut self, value: &T) -> Result<&[u8], Error> {
        self.writer.bytes().clear();
        self.writer.message(value)?;
        Ok(self.writer.bytes())
    }
}
