//! Frames: messages one after the other on a stream.
//!
//! ```text
//! frame = | u32 length, little-endian | that many bytes |
//! ```
//!
//! A stream may end between two frames; an end within a frame is an error. A length is compared
//! with the limit before anything else, and memory grows with the bytes that have arrived, never
//! with what the length claims.
//!
//! [`FrameBuffer`] is the pure part: bytes are put in, frames are taken out. [`FrameReader`] uses
//! it on any `Read`; [`Frames`] collects what one write sends. The stream has the deadlines
//! ([`Conn::set_read_deadline`](crate::net::Conn::set_read_deadline)): set one when
//! [`FrameBuffer::is_empty`] turns false, so that a peer that sends one byte a minute runs into it.

use std::fmt;
use std::io::{self, Read};

use super::{Encode, Error, Limits, Writer};
use crate::net::Incoming;

/// The bytes before a frame's content.
const HEADER: usize = 4;
/// A buffer that grew past this, for one long frame, is freed when it is empty.
const KEPT: usize = 64 << 10;

/// Why no frame could be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum FrameError {
    /// The stream failed; a deadline that passed is `TimedOut` or `WouldBlock`.
    Io(io::Error),
    /// The stream ended within a frame.
    Cut {
        /// Bytes of the frame that have arrived, its header included.
        arrived: usize,
    },
    /// A frame is longer than the limit; nothing was allocated for it.
    TooLong {
        /// The length that the header claims, in bytes.
        len: usize,
        /// The limit, in bytes.
        limit: usize,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Cut { arrived } => {
                write!(f, "the stream ended within a frame, after {arrived} bytes")
            }
            Self::TooLong { len, limit } => {
                write!(f, "frame of {len} bytes, the limit is {limit}")
            }
        }
    }
}

impl std::error::Error for FrameError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Cut { .. } | Self::TooLong { .. } => None,
        }
    }
}

impl From<io::Error> for FrameError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Bytes in, frames out.
#[derive(Debug)]
pub struct FrameBuffer {
    incoming: Incoming,
    limit: usize,
}

impl FrameBuffer {
    /// A buffer for frames of at most `limit` bytes, the header not counted.
    pub fn new(limit: usize) -> Self {
        Self {
            incoming: Incoming::new(KEPT),
            limit,
        }
    }

    /// Sets another limit for later frames: a low limit is good until a peer has authenticated.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Room to read into, never empty. The buffer has 4 KiB at first and doubles when it is full,
    /// so that a header alone cannot make it grow.
    pub fn spare(&mut self) -> &mut [u8] {
        self.incoming.spare()
    }

    /// Says how many bytes were read into [`spare`](Self::spare).
    pub fn filled(&mut self, count: usize) {
        self.incoming.filled(count);
    }

    /// Puts bytes in that the caller already has.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let spare = self.spare();
            let (now, later) = bytes.split_at(bytes.len().min(spare.len()));
            for (place, byte) in spare.iter_mut().zip(now) {
                *place = *byte;
            }
            self.filled(now.len());
            bytes = later;
        }
    }

    /// Takes the next frame's content, if it is complete.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, FrameError> {
        let Some((header, content)) = self.waiting().split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let (len, limit) = (u32::from_le_bytes(*header) as usize, self.limit);
        if len > limit {
            return Err(FrameError::TooLong { len, limit });
        }
        if content.len() < len {
            return Ok(None);
        }
        Ok(self.incoming.take(HEADER + len).get(HEADER..))
    }

    /// Whether a whole frame, or the header of one that is too long, has arrived.
    pub fn has_frame(&self) -> bool {
        let header = self.waiting().split_first_chunk::<HEADER>();
        header.is_some_and(|(header, rest)| {
            let len = u32::from_le_bytes(*header) as usize;
            len > self.limit || rest.len() >= len
        })
    }

    /// Whether nothing waits, not even a part of a frame.
    pub fn is_empty(&self) -> bool {
        self.incoming.is_empty()
    }

    /// All waiting bytes, in frames or not: for a greeting before the first frame.
    pub fn waiting(&self) -> &[u8] {
        self.incoming.waiting()
    }

    /// Drops the first `count` waiting bytes.
    pub fn skip(&mut self, count: usize) {
        self.incoming.take(count);
    }

    /// What the end of the stream means now: `Ok` between frames, else a cut frame.
    pub fn end(&self) -> Result<(), FrameError> {
        match self.incoming.len() {
            0 => Ok(()),
            arrived => Err(FrameError::Cut { arrived }),
        }
    }
}

/// Frames from a stream that blocks.
#[derive(Debug)]
pub struct FrameReader<R> {
    stream: R,
    buffer: FrameBuffer,
}

impl<R: Read> FrameReader<R> {
    /// Reads frames of at most `limit` bytes from a stream.
    pub fn new(stream: R, limit: usize) -> Self {
        Self {
            stream,
            buffer: FrameBuffer::new(limit),
        }
    }

    /// The next frame's content; `None` at the end of the stream. Blocks until the frame is
    /// complete, or until the stream's deadline.
    pub fn read(&mut self) -> Result<Option<&[u8]>, FrameError> {
        while !self.buffer.has_frame() {
            if self.fill()? == 0 {
                self.buffer.end()?;
                return Ok(None);
            }
        }
        self.buffer.next_frame()
    }

    /// Reads once, what is there; returns how many bytes, 0 at the end of the stream.
    pub fn fill(&mut self) -> io::Result<usize> {
        loop {
            match self.stream.read(self.buffer.spare()) {
                Ok(count) => {
                    self.buffer.filled(count);
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The buffer of bytes that were read and not yet taken.
    pub fn buffer(&mut self) -> &mut FrameBuffer {
        &mut self.buffer
    }
}

/// Frames collected in one buffer, which is kept for reuse.
#[derive(Debug)]
pub struct Frames {
    writer: Writer,
    limits: Limits,
}

impl Frames {
    /// An empty buffer for messages within `limits`.
    pub fn new(limits: Limits) -> Self {
        Self {
            writer: Writer::new(limits),
            limits,
        }
    }

    /// Adds a message as one frame. A value that cannot be written adds nothing.
    pub fn push<T: Encode + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.push_behind(&[], value)
    }

    /// Adds a frame of some bytes and a message after them.
    pub fn push_behind<T: Encode + ?Sized>(
        &mut self,
        parts: &[&[u8]],
        value: &T,
    ) -> Result<(), Error> {
        let start = self.len();
        let frame = Unfinished {
            frames: self,
            start,
        };
        let bytes = frame.frames.writer.bytes();
        bytes.extend_from_slice(&[0; HEADER]);
        for part in parts {
            bytes.extend_from_slice(part);
        }
        frame.frames.writer.message(value)?;
        frame.finish();
        Ok(())
    }

    /// Adds a frame of bytes as they are.
    pub fn push_bytes(&mut self, parts: &[&[u8]]) {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let bytes = self.writer.bytes();
        bytes.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
        for part in parts {
            bytes.extend_from_slice(part);
        }
    }

    /// How many bytes the frames have together.
    pub fn len(&mut self) -> usize {
        self.writer.bytes().len()
    }

    /// Drops everything after the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.writer.bytes().truncate(len);
    }

    /// Adds bytes without a frame: a greeting.
    pub fn push_raw(&mut self, bytes: &[u8]) {
        self.writer.bytes().extend_from_slice(bytes);
    }

    /// The frames, one after the other.
    pub fn bytes(&mut self) -> &[u8] {
        self.writer.bytes()
    }

    /// Whether there is none.
    pub fn is_empty(&mut self) -> bool {
        self.writer.bytes().is_empty()
    }

    /// Drops the frames; a buffer that grew very long is freed.
    pub fn clear(&mut self) {
        let bytes = self.writer.bytes();
        bytes.clear();
        if bytes.capacity() > KEPT {
            self.writer = Writer::new(self.limits);
        }
    }
}

/// A frame that is being added. Dropping it before it is finished removes it again: a value may
/// panic while it is written, and half a frame would corrupt all that follow.
struct Unfinished<'a> {
    frames: &'a mut Frames,
    start: usize,
}

impl Unfinished<'_> {
    fn finish(mut self) {
        let bytes = self.frames.writer.bytes();
        let len = u32::try_from(bytes.len() - self.start - HEADER).unwrap_or(u32::MAX);
        if let Some(header) = bytes.get_mut(self.start..self.start + HEADER) {
            header.copy_from_slice(&len.to_le_bytes());
        }
        self.start = bytes.len();
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        self.frames.truncate(self.start);
    }
}
