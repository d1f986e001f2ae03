//! What a command reads from and writes to: the connection's one reader and one writer.
//!
//! Replies are collected, and sent when nothing is left to read without waiting. So a peer that
//! sent a hundred commands at once gets a hundred replies in one write, and a peer that waits for
//! its reply gets it, because we never wait with an unsent reply.

use std::fmt::Display;
use std::io::{self, BufWriter, Read, Write};
use std::time::Duration;

use super::EndpointConfig;
use super::fault::{Cause, Fault, of_message};
use super::inbox::{HEADER, Inbox};
use super::name::{BadName, MAX_NAME, Name};
use crate::net::{Addr, Conn, Deadline, say_which, without_line_end};
use crate::wire::{self, DecodeOwned, Encode};

/// How many bytes of replies are collected before they are sent; a longer reply is sent by itself.
const REPLIES: usize = 4096;

/// A connection with its buffers. Dropping it sends the remaining replies, even after a panic.
pub(super) struct Stream {
    conn: Conn,
    config: EndpointConfig,
    inbox: Inbox,
    replies: BufWriter<Conn>,
    /// An item was refused, so the beginning of the next one is not known.
    lost: bool,
}

impl Stream {
    pub(super) fn new(conn: Conn, config: EndpointConfig) -> Self {
        let replies = BufWriter::with_capacity(REPLIES, conn.clone());
        Self {
            conn,
            config,
            inbox: Inbox::default(),
            replies,
            lost: false,
        }
    }

    /// Whether nothing more can be read, since an item was too long or cut.
    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }

    /// The next command's name; `None` at the end of the stream.
    pub(super) fn name(&mut self) -> Result<Option<Name>, Fault> {
        if self.inbox.is_empty() {
            let idle = Deadline::after_option(self.config.idle_timeout);
            self.conn.set_read_deadline(idle);
            if self.fill("no command", self.config.idle_timeout)? == 0 {
                return Ok(None);
            }
        }
        let name = self.item(0, |inbox| {
            // With its line feed, and the carriage return that telnet sends.
            match inbox.line(MAX_NAME + 2) {
                Ok(line) => Ok(line.map(|line| Name::parse(without_line_end(line)))),
                Err(_) => Ok(Some(Err(BadName::TooLong))),
            }
        })?;
        name.map(Some)
            .map_err(|bad| Cause::Name(bad).at(bad.offset()))
    }

    /// The next item, when `take` finds it whole in the buffer; `offset` is its place in the
    /// payload. One deadline covers the whole item, so that one byte a minute does not renew it.
    fn item<T>(
        &mut self,
        offset: usize,
        mut take: impl FnMut(&mut Inbox) -> Result<Option<T>, Cause>,
    ) -> Result<T, Fault> {
        let limit = self.config.item_timeout;
        let mut waited = false;
        self.lost = true;
        loop {
            let taken = take(&mut self.inbox);
            if let Some(item) = taken.map_err(|cause| cause.within_item(offset))? {
                self.lost = false;
                return Ok(item);
            }
            if !waited {
                self.conn.set_read_deadline(Deadline::after_option(limit));
                waited = true;
            }
            if self.fill("no whole name, line or frame", limit)? == 0 {
                return Err(Cause::Cut.at(offset + self.inbox.len()));
            }
        }
    }

    /// Reads once, what is there; `what` and `limit` are for the text of a time-out. The peer may
    /// be waiting for our replies, so they are sent first.
    fn fill(&mut self, what: &str, limit: Option<Duration>) -> io::Result<usize> {
        self.flush()?;
        let count = (&self.conn).read(self.inbox.spare());
        let count = count.map_err(|error| say_which(error, what, limit))?;
        self.inbox.filled(count);
        Ok(count)
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.arm();
        let written = self.replies.write_all(bytes);
        written.map_err(|error| self.untaken(error))
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        if self.replies.buffer().is_empty() {
            return Ok(());
        }
        self.arm();
        let flushed = self.replies.flush();
        flushed.map_err(|error| self.untaken(error))
    }

    fn untaken(&self, error: io::Error) -> io::Error {
        say_which(error, "replies not taken", self.config.write_timeout)
    }

    fn arm(&self) {
        let deadline = Deadline::after_option(self.config.write_timeout);
        self.conn.set_write_deadline(deadline);
    }
}

/// One call of a command: where it reads its payload and writes its reply.
///
/// Every read blocks until the item is whole, at most the item time-out; an item beyond its limit
/// is refused as soon as this is known. Return an error as it is: the peer is told, and the
/// connection ends. A command may also handle the error and go on, but only after an item that was
/// read to its end: a text that is not UTF-8, a frame that is not a message. After an item that is
/// too long, cut or late, the connection ends whatever the command returns.
pub struct Call<'a> {
    stream: &'a mut Stream,
    /// How many bytes of the payload were read.
    offset: usize,
}

impl<'a> Call<'a> {
    pub(super) fn new(stream: &'a mut Stream) -> Self {
        Self { stream, offset: 0 }
    }

    /// The calling peer.
    pub fn peer(&self) -> &Addr {
        self.stream.conn.peer_addr()
    }

    /// A line, any bytes, without its line feed (and the carriage return before it).
    pub fn line(&mut self) -> Result<Vec<u8>, Fault> {
        let limit = self.stream.config.max_line;
        let take = |inbox: &mut Inbox| {
            let line = inbox.line(limit)?;
            Ok(line.map(|line| (line.len(), without_line_end(line).to_vec())))
        };
        let (len, line) = self.stream.item(self.offset, take)?;
        self.offset += len;
        Ok(line)
    }

    /// A line of UTF-8, without its line end.
    pub fn text(&mut self) -> Result<String, Fault> {
        let start = self.offset;
        String::from_utf8(self.line()?).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            Cause::NotUtf8.at(start + valid)
        })
    }

    /// A frame's content: any bytes, after their number, a little-endian `u32`.
    pub fn frame(&mut self) -> Result<Vec<u8>, Fault> {
        let limit = self.stream.config.frame.message;
        let take = |inbox: &mut Inbox| Ok(inbox.frame(limit)?.map(<[u8]>::to_vec));
        let content = self.stream.item(self.offset, take)?;
        self.offset += HEADER + content.len();
        Ok(content)
    }

    /// A frame that holds a message of [`wire`](mod@crate::wire).
    pub fn message<T: DecodeOwned>(&mut self) -> Result<T, Fault> {
        let limits = self.stream.config.frame;
        // Decoded in the buffer, without a copy.
        let take = |inbox: &mut Inbox| {
            let content = inbox.frame(limits.message)?;
            Ok(content.map(|content| (content.len(), wire::decode_within::<T>(content, limits))))
        };
        let (len, decoded) = self.stream.item(self.offset, take)?;
        let value = decoded.map_err(|error| of_message(self.offset, &error))?;
        self.offset += HEADER + len;
        Ok(value)
    }

    /// The fault of a payload that was read and that this command refuses.
    pub fn refusal(&self, why: impl Display) -> Fault {
        Cause::Other(why.to_string()).at(self.offset)
    }

    /// Replies with a line; the line feed is added. The text should have none of its own.
    pub fn reply(&mut self, line: impl Display) -> Result<(), Fault> {
        Ok(self.stream.write(format!("{line}\n").as_bytes())?)
    }

    /// Replies with a frame that holds a message.
    pub fn reply_message<T: Encode + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        let mut frame = wire::Frames::new(self.stream.config.frame);
        frame
            .push(value)
            .map_err(|error| Cause::Message(error.kind).at(self.offset))?;
        Ok(self.stream.write(frame.bytes())?)
    }
}
