//! Reading a message from a stream: what both sides of an exchange have in common.

use std::fmt;
use std::io::{self, Read};

use super::chunked::{ChunkReader, Piece};
use super::error::Rule;
use super::framing::Framing;
use super::message::FieldList;
use super::parser::HeadParser;
use crate::net::Incoming;

/// How much of an idle connection's buffer is kept, in bytes.
const KEPT: usize = 4096;

/// Why an exchange failed.
#[derive(Debug)]
pub enum ExchangeError {
    /// The message breaks a rule of the protocol.
    Rule(Rule),
    /// The body is longer than the reader allows, which is this many bytes.
    TooLong(u64),
    /// The stream ended in the middle of a message.
    Cut,
    /// The stream failed.
    Io(io::Error),
}

impl ExchangeError {
    /// The status code for the client, if there is a client to answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            ExchangeError::Rule(rule) => Some(rule.status()),
            ExchangeError::TooLong(_) => Some(413),
            ExchangeError::Io(error) if error.kind() == io::ErrorKind::TimedOut => Some(408),
            ExchangeError::Cut | ExchangeError::Io(_) => None,
        }
    }
}

impl fmt::Display for ExchangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExchangeError::Rule(rule) => write!(f, "{rule} ({})", rule.section()),
            ExchangeError::TooLong(limit) => write!(f, "a body of more than {limit} bytes"),
            ExchangeError::Cut => f.write_str("the stream ended in the middle of a message"),
            ExchangeError::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ExchangeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ExchangeError::Io(error) => Some(error),
            // `Display` shows the rule already, with its section; as a source it would appear
            // twice.
            ExchangeError::Rule(_) | ExchangeError::TooLong(_) | ExchangeError::Cut => None,
        }
    }
}

impl From<Rule> for ExchangeError {
    fn from(rule: Rule) -> Self {
        ExchangeError::Rule(rule)
    }
}

impl From<io::Error> for ExchangeError {
    fn from(error: io::Error) -> Self {
        ExchangeError::Io(error)
    }
}

impl From<ExchangeError> for io::Error {
    fn from(error: ExchangeError) -> Self {
        match error {
            ExchangeError::Io(error) => error,
            ExchangeError::Cut => io::Error::new(io::ErrorKind::UnexpectedEof, error.to_string()),
            other => io::Error::new(io::ErrorKind::InvalidData, other.to_string()),
        }
    }
}

/// The reading half of either side.
pub(super) struct Reading {
    pub incoming: Incoming,
    pub parser: HeadParser,
    chunks: ChunkReader,
    /// How what is left of the body ends; none at its end.
    pub left: Framing,
    pub trailers: FieldList,
}

impl Reading {
    pub fn new(parser: HeadParser) -> Self {
        Self {
            incoming: Incoming::new(KEPT),
            chunks: ChunkReader::new(parser.limits()),
            parser,
            left: Framing::None,
            trailers: FieldList::default(),
        }
    }

    /// Reads until a header section is complete. `false`: the stream ended before its first byte.
    pub fn head(&mut self, stream: &mut impl Read) -> Result<bool, ExchangeError> {
        self.parser.reset();
        while !self.parser.advance(self.incoming.waiting())? {
            if !self.more(stream)? {
                let nothing = self.is_between_messages();
                return nothing.then_some(false).ok_or(ExchangeError::Cut);
            }
        }
        Ok(true)
    }

    /// Whether no byte of a message has arrived. An empty line before a request does not count.
    pub fn is_between_messages(&self) -> bool {
        self.left == Framing::None && matches!(self.incoming.waiting(), [] | b"\r\n")
    }

    pub fn begin_body(&mut self, framing: Framing, head: usize) {
        self.incoming.take(head);
        self.chunks.reset();
        self.trailers = FieldList::default();
        self.left = framing;
    }

    /// Reads some of the body; 0 at its end.
    pub fn body(&mut self, stream: &mut impl Read, out: &mut [u8]) -> Result<usize, ExchangeError> {
        loop {
            let (skip, ready) = match self.left {
                Framing::None => return Ok(0),
                Framing::Length(left) => (0, left.min(self.incoming.len() as u64) as usize),
                Framing::UntilClose => (0, self.incoming.len()),
                Framing::Chunked => match self.chunk()? {
                    Some(found) => found,
                    None => continue,
                },
            };
            self.incoming.take(skip);
            if ready > 0 {
                return Ok(self.hand_out(ready, out));
            }
            if !self.more(stream)? {
                let ended = self.left == Framing::UntilClose;
                self.left = Framing::None;
                return ended.then_some(0).ok_or(ExchangeError::Cut);
            }
        }
    }

    /// The data of a chunk: how many bytes to skip, and how many bytes of data follow. `None`: the
    /// body has ended. Bytes that are not handed out are given back to the reader of chunks, which
    /// finds them again in the next call.
    fn chunk(&mut self) -> Result<Option<(usize, usize)>, ExchangeError> {
        match self.chunks.advance(self.incoming.waiting())? {
            Piece::More(taken) => Ok(Some((taken, 0))),
            Piece::Data { from, to } => Ok(Some((from, to - from))),
            Piece::End(taken) => {
                self.trailers = FieldList::of(self.chunks.trailers(self.incoming.waiting()));
                self.incoming.take(taken);
                self.left = Framing::None;
                Ok(None)
            }
        }
    }

    fn hand_out(&mut self, ready: usize, out: &mut [u8]) -> usize {
        let count = ready.min(out.len());
        let bytes = self.incoming.take(count);
        if let Some(place) = out.get_mut(..bytes.len()) {
            place.copy_from_slice(bytes);
        }
        match &mut self.left {
            Framing::Length(left) if *left == count as u64 => self.left = Framing::None,
            Framing::Length(left) => *left -= count as u64,
            Framing::Chunked => self.chunks.give_back((ready - count) as u64),
            _ => {}
        }
        count
    }

    /// `false` at the end of the stream.
    fn more(&mut self, stream: &mut impl Read) -> Result<bool, ExchangeError> {
        let count = stream.read(self.incoming.spare())?;
        self.incoming.filled(count);
        Ok(count > 0)
    }

    pub fn all(&mut self, stream: &mut impl Read, limit: u64) -> Result<Vec<u8>, ExchangeError> {
        if matches!(self.left, Framing::Length(left) if left > limit) {
            return Err(ExchangeError::TooLong(limit)); // before anything is read
        }
        let (mut body, mut part) = (Vec::new(), [0; 4096]);
        loop {
            let count = self.body(stream, &mut part)?;
            if count == 0 {
                return Ok(body);
            }
            if body.len() as u64 + count as u64 > limit {
                return Err(ExchangeError::TooLong(limit));
            }
            body.extend_from_slice(part.get(..count).unwrap_or_default());
        }
    }
}
