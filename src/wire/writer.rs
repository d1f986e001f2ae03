//! Where values are written: the body and the texts of one message.

use super::error::{Error, ErrorKind};
use super::{Encode, Limits};

/// The bytes before the body: the length of the texts.
pub(super) const HEADER: usize = 4;

/// The first capacity of a buffer, in bytes: one allocation for most messages.
const FIRST: usize = 1024;

/// Rows of up to this many bytes are built on the stack.
const ROW: usize = 64;

/// A buffer for texts that grew past this, in bytes, is not kept.
const KEPT: usize = 64 << 10;

/// Collects one message: [`Encode::encode`] writes into it.
///
/// Fixed-width values go to the body in order. Texts are collected separately and follow the body,
/// so that the reader checks all of them for UTF-8 at once. A value that cannot be written (a text
/// of 4 GiB, nesting beyond the limit) is recorded and reported by `finish`, so the code in between
/// needs no error path.
#[derive(Debug)]
pub struct Writer {
    /// Earlier finished messages, then the header and the body so far.
    bytes: Vec<u8>,
    /// Where the current message begins.
    start: usize,
    texts: Vec<u8>,
    /// How many bytes of texts already follow the body; if there are any, the body is complete.
    placed: usize,
    depth: u32,
    limits: Limits,
    error: Option<Error>,
}

impl Default for Writer {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Writer {
    /// A writer with these limits.
    pub const fn new(limits: Limits) -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            texts: Vec::new(),
            placed: 0,
            depth: 0,
            limits,
            error: None,
        }
    }

    /// Starts a message after those finished before.
    pub(super) fn begin(&mut self) {
        if self.bytes.capacity() == 0 {
            self.bytes = Vec::with_capacity(FIRST);
        }
        self.start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; HEADER]);
        self.texts.clear();
        self.placed = 0;
        self.depth = 0;
        self.error = None;
    }

    /// Ends the message: sets the header, appends the texts. A message that failed is removed
    /// again.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        let len = self.bytes.len() - self.start + self.texts.len();
        let limit = self.limits.message;
        if len > limit {
            self.fail_at("message", ErrorKind::MessageTooLong { len, limit });
        }
        let texts = u32::try_from(self.placed + self.texts.len()).unwrap_or(u32::MAX);
        if let Some(header) = self.bytes.get_mut(self.start..self.start + HEADER) {
            header.copy_from_slice(&texts.to_le_bytes());
        }
        self.bytes.extend_from_slice(&self.texts);
        match self.error.take() {
            None => Ok(()),
            Some(error) => {
                self.bytes.truncate(self.start);
                Err(error)
            }
        }
    }

    /// Writes a whole message after those finished before.
    pub(super) fn message<T: Encode + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.begin();
        value.encode_whole(self);
        self.finish()
    }

    /// The finished messages.
    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// The same with other limits.
    pub(super) fn message_within<T: Encode + ?Sized>(
        &mut self,
        value: &T,
        limits: Limits,
    ) -> Result<(), Error> {
        self.limits = limits;
        self.message(value)
    }

    /// Takes the finished messages out. A buffer for texts that grew very long is freed.
    pub(super) fn take(&mut self) -> Vec<u8> {
        if self.texts.capacity() > KEPT {
            self.texts = Vec::new();
        }
        std::mem::take(&mut self.bytes)
    }

    /// Writes bytes to the body as they are.
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Writes a known number of bytes: a number, a tag.
    #[inline]
    pub fn put_array<const N: usize>(&mut self, bytes: [u8; N]) {
        self.bytes.extend_from_slice(&bytes);
    }

    /// Writes values of one width: room for all is made once, and each gets its row in it.
    #[inline]
    pub(super) fn put_rows<I>(
        &mut self,
        width: usize,
        items: impl ExactSizeIterator<Item = I>,
        write: impl Fn(I, &mut Row<'_>),
    ) {
        self.bytes.reserve(items.len() * width);
        let (mut place, mut wide) = ([0; ROW], Vec::new());
        let mut too_deep = false;
        let levels = self.limits.depth - self.depth;
        if width > ROW {
            wide = vec![0; width];
        }
        for item in items {
            let bytes = place.get_mut(..width).unwrap_or(&mut wide);
            let mut row = Row {
                bytes,
                texts: &mut self.texts,
                levels,
                too_deep: false,
            };
            write(item, &mut row);
            too_deep |= row.too_deep;
            self.bytes
                .extend_from_slice(place.get(..width).unwrap_or(&wide));
        }
        if too_deep {
            let limit = self.limits.depth;
            self.fail::<I>(ErrorKind::TooDeep { limit });
        }
    }

    /// The same for the last values of a message: the place of their texts is known, so they are
    /// copied there directly.
    #[inline]
    pub(super) fn put_last_rows<I>(
        &mut self,
        width: usize,
        items: impl ExactSizeIterator<Item = I>,
        write: impl Fn(I, &mut Row<'_>),
    ) {
        if width > ROW {
            return self.put_rows(width, items, write);
        }
        let mut at = self.bytes.len();
        let body = at + items.len() * width;
        self.bytes.resize(body, 0);
        let mut place = [0; ROW];
        let mut too_deep = false;
        let levels = self.limits.depth - self.depth;
        for item in items {
            let mut row = Row {
                bytes: place.get_mut(..width).unwrap_or_default(),
                texts: &mut self.bytes,
                levels,
                too_deep: false,
            };
            write(item, &mut row);
            too_deep |= row.too_deep;
            if let (Some(to), Some(from)) = (self.bytes.get_mut(at..at + width), place.get(..width))
            {
                to.copy_from_slice(from);
            }
            at += width;
        }
        self.placed = self.bytes.len() - body;
        if too_deep {
            let limit = self.limits.depth;
            self.fail::<I>(ErrorKind::TooDeep { limit });
        }
    }

    /// Writes the length of `text` to the body and `text` itself to the texts.
    #[inline]
    pub fn put_text(&mut self, text: &str) {
        self.put_len::<str>(text.len());
        self.texts.extend_from_slice(text.as_bytes());
    }

    /// Writes a number of bytes, as the four bytes of a `u32`.
    #[inline]
    pub fn put_len<T: ?Sized>(&mut self, len: usize) {
        match u32::try_from(len) {
            Ok(len) => self.put_array(len.to_le_bytes()),
            Err(_) => self.fail::<T>(ErrorKind::MessageTooLong {
                len,
                limit: u32::MAX as usize,
            }),
        }
    }

    /// Writes a number of elements, as the four bytes of a `u32`. The reader refuses more than
    /// [`Limits::elements`], so the writer does, too.
    #[inline]
    pub fn put_count<T: ?Sized>(&mut self, count: usize) {
        if count > self.limits.elements {
            self.fail::<T>(ErrorKind::TooMany {
                count: count as u64,
                limit: self.limits.elements,
            });
        }
        self.put_len::<T>(count);
    }

    /// Writes the number of elements of a sequence of `T`. For bytes, only the message is a limit.
    #[inline]
    pub fn put_count_of<S: ?Sized, T: Encode>(&mut self, count: usize) {
        const {
            assert!(
                !T::EMPTY,
                "a collection of elements of no bytes cannot be read"
            )
        };
        match size_of::<T>() {
            1 => self.put_len::<S>(count),
            _ => self.put_count::<S>(count),
        }
    }

    /// Goes one level down. `false` when that is deeper than the limit: then write nothing. After
    /// `true`, call [`leave`](Writer::leave).
    #[inline]
    pub fn enter<T: ?Sized>(&mut self) -> bool {
        if self.depth >= self.limits.depth {
            let limit = self.limits.depth;
            self.fail::<T>(ErrorKind::TooDeep { limit });
            return false;
        }
        self.depth += 1;
        true
    }

    /// Goes back up from [`enter`](Writer::enter).
    #[inline]
    pub fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Opens a block: a part with a length, which a reader that does not know its content can skip.
    pub fn begin_block(&mut self) -> BlockStart {
        let start = BlockStart {
            body: self.bytes.len(),
            texts: self.texts.len(),
        };
        self.put_array([0; 8]);
        start
    }

    /// Closes a block: sets how much body and how much text it has.
    pub fn end_block(&mut self, start: BlockStart) {
        let body = self.bytes.len() - start.body - 8;
        let texts = self.texts.len() - start.texts;
        // A length beyond u32 is longer than any message; `finish` refuses it.
        let clip = |len: usize| u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes();
        if let Some(lengths) = self.bytes.get_mut(start.body..start.body + 8) {
            let (first, second) = lengths.split_at_mut(4);
            first.copy_from_slice(&clip(body));
            second.copy_from_slice(&clip(texts));
        }
    }

    /// Adds to the texts without writing a length: for a block that was read and is passed on.
    pub(super) fn put_raw_text(&mut self, text: &str) {
        self.texts.extend_from_slice(text.as_bytes());
    }

    /// Records why the message cannot be written; the first reason is kept.
    #[cold]
    pub fn fail<T: ?Sized>(&mut self, kind: ErrorKind) {
        self.fail_at(std::any::type_name::<T>(), kind);
    }

    fn fail_at(&mut self, of: &'static str, kind: ErrorKind) {
        let offset = self.bytes.len() - self.placed - self.start;
        self.error.get_or_insert(Error { kind, offset, of });
    }
}

/// The place of one value of a known width: its fields are written front to back, without a check
/// for each, because the compiler knows the width.
#[derive(Debug)]
pub struct Row<'w> {
    bytes: &'w mut [u8],
    texts: &'w mut Vec<u8>,
    /// How many levels down are left.
    levels: u32,
    too_deep: bool,
}

impl Row<'_> {
    /// Writes the next bytes of the row.
    #[inline]
    pub fn put_array<const N: usize>(&mut self, bytes: [u8; N]) {
        if let Some((place, rest)) = std::mem::take(&mut self.bytes).split_first_chunk_mut::<N>() {
            *place = bytes;
            self.bytes = rest;
        }
    }

    /// Writes the length of `text` to the row and `text` itself to the texts.
    #[inline]
    pub fn put_text(&mut self, text: &str) {
        // A length beyond u32 is longer than any message; `finish` refuses it.
        let len = u32::try_from(text.len()).unwrap_or(u32::MAX);
        self.put_array(len.to_le_bytes());
        self.texts.extend_from_slice(text.as_bytes());
    }

    /// Goes one level down; `false` when that is deeper than the limit.
    #[inline]
    pub fn enter(&mut self) -> bool {
        match self.levels.checked_sub(1) {
            Some(left) => self.levels = left,
            None => self.too_deep = true,
        }
        !self.too_deep
    }

    /// Goes back up from [`enter`](Row::enter).
    #[inline]
    pub fn leave(&mut self) {
        self.levels += 1;
    }
}

/// Where a block began; [`Writer::end_block`] takes it.
#[derive(Debug)]
#[must_use = "the block must be ended"]
pub struct BlockStart {
    body: usize,
    texts: usize,
}
