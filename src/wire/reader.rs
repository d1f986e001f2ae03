//! Where values are read from: a message split into its body and its texts, and the memory that may
//! still be spent on it.

use std::any::type_name;

use super::error::{Error, ErrorKind, Failed};
use super::writer::HEADER;
use super::{Decode, Limits};

/// Reads one message: [`Decode::decode`] takes its values from it, front to back.
///
/// No number is trusted before it is checked: a length against the bytes that are left, a count
/// against the bytes that this many elements take at least, both against the [`Limits`].
#[derive(Debug)]
pub struct Reader<'a> {
    body: &'a [u8],
    texts: &'a str,
    /// The address of the message's first byte, to compute offsets.
    origin: usize,
    depth: u32,
    budget: usize,
    limits: Limits,
    error: Option<Error>,
}

impl<'a> Reader<'a> {
    /// Splits a message into body and texts, and checks all texts for UTF-8 at once.
    pub(super) fn new(message: &'a [u8], limits: Limits) -> Result<Self, Error> {
        let fail = |kind, offset| Error {
            kind,
            offset,
            of: "message",
        };
        let (len, limit) = (message.len(), limits.message);
        if len > limit {
            return Err(fail(ErrorKind::MessageTooLong { len, limit }, 0));
        }
        let Some((header, rest)) = message.split_first_chunk::<HEADER>() else {
            let needed = HEADER as u64;
            return Err(fail(ErrorKind::Cut { needed, left: len }, 0));
        };
        let texts_len = u32::from_le_bytes(*header);
        let body_len = rest.len().checked_sub(texts_len as usize);
        let Some((body, texts)) = body_len.and_then(|at| rest.split_at_checked(at)) else {
            let needed = u64::from(texts_len);
            let left = rest.len();
            return Err(fail(ErrorKind::Cut { needed, left }, 0));
        };
        let texts = std::str::from_utf8(texts).map_err(|error| {
            fail(
                ErrorKind::NotUtf8,
                HEADER + body.len() + error.valid_up_to(),
            )
        })?;
        Ok(Self {
            body,
            texts,
            origin: message.as_ptr() as usize,
            depth: 0,
            // Every text may be copied into a `String`: the memory is charged here, once for all.
            budget: limits.budget(len).saturating_sub(texts.len()),
            limits,
            error: None,
        })
    }

    /// Asserts that all was read.
    pub(super) fn end<T>(&mut self) -> Result<(), Failed> {
        match self.body.len() + self.texts.len() {
            0 => Ok(()),
            left => Err(self.fail::<T>(ErrorKind::Trailing { left })),
        }
    }

    /// The error that a [`Failed`] stands for.
    pub(super) fn error(self) -> Error {
        self.error.unwrap_or(Error {
            kind: ErrorKind::OutOfRange("refused by the type, with no reason given"),
            offset: 0,
            of: "message",
        })
    }

    /// Bytes from the start of the message to the next byte of the body.
    fn offset(&self) -> usize {
        (self.body.as_ptr() as usize).saturating_sub(self.origin)
    }

    /// Records why the message is refused; the first reason is kept.
    #[cold]
    pub fn fail<T: ?Sized>(&mut self, kind: ErrorKind) -> Failed {
        let (offset, of) = (self.offset(), type_name::<T>());
        self.error.get_or_insert(Error { kind, offset, of });
        Failed(())
    }

    #[cold]
    fn cut<T: ?Sized>(&mut self, needed: usize) -> Failed {
        let (needed, left) = (needed as u64, self.body.len());
        self.fail::<T>(ErrorKind::Cut { needed, left })
    }

    /// The next `N` bytes of the body, for a value of type `T`.
    #[inline]
    pub fn array<T: ?Sized, const N: usize>(&mut self) -> Result<[u8; N], Failed> {
        match self.body.split_first_chunk::<N>() {
            Some((bytes, rest)) => {
                self.body = rest;
                Ok(*bytes)
            }
            None => Err(self.cut::<T>(N)),
        }
    }

    /// The next `len` bytes of the body, for a value of type `T`.
    #[inline]
    pub fn bytes<T: ?Sized>(&mut self, len: usize) -> Result<&'a [u8], Failed> {
        match self.body.split_at_checked(len) {
            Some((bytes, rest)) => {
                self.body = rest;
                Ok(bytes)
            }
            None => Err(self.cut::<T>(len)),
        }
    }

    /// The next text: its length from the body, its characters from the texts.
    #[inline]
    pub fn text(&mut self) -> Result<&'a str, Failed> {
        let len = u32::from_le_bytes(self.array::<str, 4>()?) as usize;
        match self.texts.split_at_checked(len) {
            Some((text, rest)) => {
                self.texts = rest;
                Ok(text)
            }
            None => Err(self.bad_text(len)),
        }
    }

    #[cold]
    fn bad_text(&mut self, len: usize) -> Failed {
        let (needed, left) = (len as u64, self.texts.len());
        self.fail::<str>(if len > left {
            ErrorKind::Cut { needed, left }
        } else {
            ErrorKind::SplitCharacter
        })
    }

    /// Reads a number of bytes; fails if fewer are left.
    #[inline]
    pub fn len<T: ?Sized>(&mut self) -> Result<usize, Failed> {
        let len = u32::from_le_bytes(self.array::<T, 4>()?) as usize;
        if len > self.body.len() {
            return Err(self.cut::<T>(len));
        }
        Ok(len)
    }

    /// Reads a number of elements; fails if fewer are possible, because each takes at least `least`
    /// bytes of body. Takes `each` bytes of memory per element from the budget.
    #[inline]
    pub fn count<T: ?Sized>(&mut self, least: usize, each: usize) -> Result<usize, Failed> {
        let count = u32::from_le_bytes(self.array::<T, 4>()?) as usize;
        if count > self.limits.elements {
            let (count, limit) = (count as u64, self.limits.elements);
            return Err(self.fail::<T>(ErrorKind::TooMany { count, limit }));
        }
        if count > self.body.len() / least.max(1) {
            return Err(self.cut::<T>(count.saturating_mul(least)));
        }
        self.charge::<T>(count.saturating_mul(each))?;
        Ok(count)
    }

    /// Reads the number of elements of a sequence of `T`. For bytes, only the message is a limit.
    #[inline]
    pub fn count_of<S: ?Sized, T: Decode<'a>>(&mut self) -> Result<usize, Failed> {
        const {
            assert!(
                T::LEAST > 0,
                "a collection of elements of no bytes has no limit"
            )
        };
        if size_of::<T>() == 1 {
            let len = self.len::<S>()?;
            self.charge::<S>(len)?;
            return Ok(len);
        }
        self.count::<S>(T::LEAST, size_of::<T>())
    }

    /// Takes `bytes` of memory from the message's budget, before they are allocated.
    #[inline]
    pub fn charge<T: ?Sized>(&mut self, bytes: usize) -> Result<(), Failed> {
        match self.budget.checked_sub(bytes) {
            Some(left) => {
                self.budget = left;
                Ok(())
            }
            None => {
                let (needed, left) = (bytes, self.budget);
                Err(self.fail::<T>(ErrorKind::OverBudget { needed, left }))
            }
        }
    }

    /// Goes one level down; [`leave`](Reader::leave) goes back up.
    #[inline]
    pub fn enter<T: ?Sized>(&mut self) -> Result<(), Failed> {
        if self.depth >= self.limits.depth {
            let limit = self.limits.depth;
            return Err(self.fail::<T>(ErrorKind::TooDeep { limit }));
        }
        self.depth += 1;
        Ok(())
    }

    /// Goes back up from [`enter`](Reader::enter).
    #[inline]
    pub fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Opens a block: until [`end_block`](Reader::end_block), nothing after it can be read.
    pub fn begin_block<T: ?Sized>(&mut self) -> Result<BlockRest<'a>, Failed> {
        let body_len = u32::from_le_bytes(self.array::<T, 4>()?) as usize;
        let texts_len = u32::from_le_bytes(self.array::<T, 4>()?) as usize;
        let Some((body, body_rest)) = self.body.split_at_checked(body_len) else {
            return Err(self.cut::<T>(body_len));
        };
        let Some((texts, texts_rest)) = self.texts.split_at_checked(texts_len) else {
            return Err(self.bad_text(texts_len));
        };
        (self.body, self.texts) = (body, texts);
        Ok(BlockRest {
            body: body_rest,
            texts: texts_rest,
        })
    }

    /// What is left of the open block: body and texts.
    pub fn left(&self) -> (&'a [u8], &'a str) {
        (self.body, self.texts)
    }

    /// Whether nothing is left of the open block.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.body.is_empty() && self.texts.is_empty()
    }

    /// Closes a block whose content was read to its end.
    pub fn end_block<T>(&mut self, rest: BlockRest<'a>) -> Result<(), Failed> {
        self.end::<T>()?;
        self.skip_block(rest);
        Ok(())
    }

    /// Closes a block; its unread rest is skipped.
    pub fn skip_block(&mut self, rest: BlockRest<'a>) {
        (self.body, self.texts) = (rest.body, rest.texts);
    }

    /// A field that was added in a later version: `None` where the block ends before it.
    pub fn late_field<T: Decode<'a>>(&mut self) -> Result<Option<T>, Failed> {
        if self.is_empty() {
            return Ok(None);
        }
        let value = Option::<T>::decode(self)?;
        // An absent last field must be left out, not written: one encoding per value.
        if value.is_none() && self.is_empty() {
            return Err(self.fail::<Option<T>>(ErrorKind::NotShortest));
        }
        Ok(value)
    }
}

/// What follows a block; [`Reader::end_block`] takes it.
#[derive(Debug)]
#[must_use = "the block must be ended"]
pub struct BlockRest<'a> {
    body: &'a [u8],
    texts: &'a str,
}
