//! A backend's response on its way to the client.
//!
//! ```text
//!   read: head and first bytes of the body ──> head rewritten, written with them in one call
//!   read: a part of the body ──> written as it is (length), in chunks of ours (chunks, until close)
//! ```
//!
//! A wait for the backend is also a wait for the client to leave. The steady path does not pay for
//! that: a read waits for [`SOON`], in which nearly all backends answer, and only then does a
//! `poll` wait for both.

use std::io::{self, IoSlice, Read, Write};
use std::time::{Duration, Instant};

use super::config::Forwarding;
use super::desk::{Date, Desk, PART};
use super::heads::{self, Outgoing};
use super::upload::Upload;
use crate::http::{ChunkReader, Framing, Name, Piece, ResponseHead, Rule, Version, write};
use crate::net::{Conn, Deadline, Incoming, Ready};

/// How long a plain read waits before the client is watched, too.
const SOON: Duration = Duration::from_millis(500);
/// A body's first part up to this size is copied behind its head; above, both are written from
/// where they are.
const COPIED: usize = 4096;

/// Interim responses (1xx) to one request, at most. Each gives the backend its time anew.
const INTERIM: usize = 100;

/// What became of a response before its head was passed on.
#[derive(Debug)]
pub enum NoReply {
    /// The backend closed, and had sent nothing.
    Closed,
    /// It closed, or failed, in the middle of the head.
    Cut,
    /// It took too long.
    TimedOut,
    /// What it sent breaks this rule.
    Broken(Rule),
    /// Interim responses, one after the other.
    OnlyInterim,
    /// It switched protocols, though nobody asked.
    NotAsked,
    /// The client has left.
    ClientGone,
}

/// Why a response ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The backend closed or failed in the middle of the body.
    Backend,
    /// It was silent for too long.
    Silence,
    /// Its chunks break this rule.
    Broken(Rule),
    /// The client has left, or takes nothing any more.
    Client,
}

/// The client's side of a wait.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// The client, unless nobody may draw conclusions from its end: it has sent more already, or the
    /// server is stopping and has ended the reading itself.
    pub client: Option<&'a Conn>,
    /// The upload, while which a backend need not answer.
    pub upload: Option<&'a Upload>,
}

impl Watch<'_> {
    /// From when a backend's time counts that would count from `begun`. While the body is on its
    /// way it does not: the upload has its own limits.
    fn counted_from(&self, begun: Instant) -> Option<Instant> {
        match self.upload {
            None => Some(begun),
            Some(upload) => upload.ended().map(|end| end.max(begun)),
        }
    }
}

enum Failed {
    TimedOut,
    ClientGone,
    Io,
}

impl From<Failed> for Cut {
    fn from(failed: Failed) -> Cut {
        match failed {
            Failed::TimedOut => Cut::Silence,
            Failed::ClientGone => Cut::Client,
            Failed::Io => Cut::Backend,
        }
    }
}

/// What a response has to fit.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The method.
    pub method: &'a str,
    /// What the client speaks.
    pub version: Version,
    /// Whether it asked for another protocol.
    pub upgrade: bool,
    /// What is told in heads.
    pub forwarding: &'a Forwarding,
    /// How long the backend may take until its head is there, in all.
    pub first_byte: Duration,
    /// How long it may be silent later.
    pub silence: Duration,
    /// How long a write to the client may take.
    pub write: Duration,
}

/// How a response that the backend frames like this goes to a client that speaks `version`.
pub fn framing_for(framing: Framing, version: Version) -> Framing {
    match (framing, version) {
        (Framing::Chunked | Framing::UntilClose, Version::Http11) => Framing::Chunked,
        (Framing::Chunked | Framing::UntilClose, Version::Http10) => Framing::UntilClose,
        (other, _) => other,
    }
}

/// The way of a response: from whom, to whom, and what it has to fit.
#[derive(Clone, Copy)]
pub struct Reply<'a> {
    /// Who sends it.
    pub backend: &'a Conn,
    /// Who gets it.
    pub client: &'a Conn,
    /// Whose end ends the wait for it.
    pub watch: Watch<'a>,
    /// What it has to fit.
    pub asked: Asked<'a>,
}

/// What the head of a final response says about its own way.
#[derive(Clone, Copy)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// How the backend ends the body.
    pub framing: Framing,
    /// Whether the backend's connection goes on.
    pub keep_alive: bool,
}

impl Reply<'_> {
    /// Reads until the head of the final response is there, and leaves it on the desk; passes interim
    /// ones on. `told` says whether any was.
    pub fn head(&self, desk: &mut Desk, told: &mut bool) -> Result<Head, NoReply> {
        for _ in 0..=INTERIM {
            self.whole_head(desk)?;
            let Desk {
                parser,
                reply,
                out,
                date,
                ..
            } = desk;
            let head = parser.response(reply.waiting(), self.asked.method);
            let head = head.map_err(NoReply::Broken)?;
            if head.status == 101 && !self.asked.upgrade {
                return Err(NoReply::NotAsked);
            }
            if !head.is_interim() {
                return Ok(Head {
                    status: head.status,
                    framing: head.framing,
                    keep_alive: head.keep_alive,
                });
            }
            let length = head.length;
            // RFC 9110 §15.2: a client that speaks 1.0 knows none.
            if self.asked.version == Version::Http11 {
                *told = true;
                self.interim(&head, out, date)?;
            }
            reply.take(length);
        }
        Err(NoReply::OnlyInterim)
    }

    /// Reads until a head is whole. One that drips does not renew its time.
    fn whole_head(&self, desk: &mut Desk) -> Result<(), NoReply> {
        let Desk { parser, reply, .. } = desk;
        parser.reset();
        let (begun, limit) = (Instant::now(), self.asked.first_byte);
        let is_late = |from: Instant| from.elapsed() >= limit;
        while !parser.advance(reply.waiting()).map_err(NoReply::Broken)? {
            if !reply.is_empty() && self.watch.counted_from(begun).is_some_and(is_late) {
                return Err(NoReply::TimedOut);
            }
            match self.more(reply, begun, limit) {
                Ok(0) | Err(Failed::Io) if reply.is_empty() => return Err(NoReply::Closed),
                Ok(0) | Err(Failed::Io) => return Err(NoReply::Cut),
                Ok(_) => {}
                Err(Failed::TimedOut) => return Err(NoReply::TimedOut),
                Err(Failed::ClientGone) => return Err(NoReply::ClientGone),
            }
        }
        Ok(())
    }

    fn interim(
        &self,
        head: &ResponseHead<'_>,
        out: &mut Vec<u8>,
        date: &mut Date,
    ) -> Result<(), NoReply> {
        let outgoing = Outgoing {
            framing: Framing::None,
            keep_alive: true,
            version: self.asked.version,
            upgrade: false,
        };
        out.clear();
        write_head(out, head, outgoing, self.asked.forwarding, date);
        self.begin_write();
        let mut client = self.client;
        client.write_all(out).map_err(|_| NoReply::ClientGone)
    }

    /// Reads more of what the backend sends, whose time counts from `begun`; 0 at its end.
    fn more(&self, reply: &mut Incoming, begun: Instant, limit: Duration) -> Result<usize, Failed> {
        let mut backend = self.backend;
        backend.set_read_deadline(Deadline::after(SOON.min(limit)));
        loop {
            match backend.read(reply.spare()) {
                Ok(count) => {
                    reply.filled(count);
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
                Err(_) => return Err(Failed::Io),
            }
            let end = self.wait(begun, limit)?;
            backend.set_read_deadline(end);
        }
    }

    /// Waits until there is something to read, and says until when to try.
    fn wait(&self, begun: Instant, limit: Duration) -> Result<Deadline, Failed> {
        let watch = self.watch;
        loop {
            let from = watch.counted_from(begun);
            let end = from.map_or(Deadline::after(limit), |from| {
                from.checked_add(limit)
                    .map_or(Deadline::NEVER, Deadline::at)
            });
            let Some(client) = watch.client else {
                if end.passed() {
                    return Err(Failed::TimedOut);
                }
                return Ok(end);
            };
            match self.backend.wait_readable_or_end(client, end) {
                // A moment to read what is there, however late it is.
                Ok(Ready::Readable) => return Ok(Deadline::after(SOON)),
                Ok(Ready::OtherEnded) => match watch.upload {
                    // The end may be behind a whole body, or in the middle of it: the upload finds
                    // out.
                    Some(upload) if !upload.ends() => return Ok(Deadline::after(SOON)),
                    _ => return Err(Failed::ClientGone),
                },
                Ok(Ready::TimedOut) if from.is_some() => return Err(Failed::TimedOut),
                Ok(Ready::TimedOut) => {}
                Err(_) => return Err(Failed::Io),
            }
        }
    }

    /// Gives the next write to the client its time.
    fn begin_write(&self) {
        let deadline = Deadline::after(self.asked.write);
        self.client.set_write_deadline(deadline);
    }

    /// Passes the response on whose head [`head`](Self::head) found, to its end. Returns the bytes of
    /// its body that were sent, and why it was cut, if it was.
    pub fn body(self, desk: &mut Desk, outgoing: Outgoing) -> (u64, Result<(), Cut>) {
        let Desk {
            parser,
            reply,
            out,
            date,
            chunks,
        } = desk;
        out.clear();
        // It was read before, so it is whole and right.
        let Ok(head) = parser.response(reply.waiting(), self.asked.method) else {
            return (0, Err(Cut::Backend));
        };
        let (length, framing) = (head.length, head.framing);
        write_head(out, &head, outgoing, self.asked.forwarding, date);
        reply.take(length);
        let mut passing = Passing {
            way: self,
            out,
            sent: 0,
        };
        let in_chunks = outgoing.framing == Framing::Chunked;
        let result = match framing {
            Framing::None => passing.flush(),
            Framing::Length(length) => passing.length(reply, length),
            Framing::Chunked => {
                chunks.reset();
                passing.chunks(reply, chunks, in_chunks)
            }
            Framing::UntilClose => passing.until_close(reply, in_chunks),
        };
        (passing.sent, result)
    }
}

fn write_head(
    out: &mut Vec<u8>,
    head: &ResponseHead<'_>,
    outgoing: Outgoing,
    forwarding: &Forwarding,
    date: &mut Date,
) {
    // Written once a second, and only for a response that has none.
    let date = match head.fields.get(Name::Date) {
        Some(_) => "",
        None => date.now(),
    };
    heads::response(out, head, outgoing, forwarding, date);
}

/// A body on its way to the client. What is in `out` is written before all else.
struct Passing<'a> {
    way: Reply<'a>,
    out: &'a mut Vec<u8>,
    sent: u64,
}

impl Passing<'_> {
    fn length(&mut self, reply: &mut Incoming, length: u64) -> Result<(), Cut> {
        let mut left = length;
        loop {
            let count = left.min(reply.len() as u64) as usize;
            self.plain(reply.take(count))?;
            left -= count as u64;
            if left == 0 {
                return self.flush();
            }
            self.more(reply)?;
        }
    }

    fn until_close(&mut self, reply: &mut Incoming, in_chunks: bool) -> Result<(), Cut> {
        loop {
            let bytes = reply.take(usize::MAX);
            match in_chunks {
                true => self.chunk(bytes)?,
                false => self.plain(bytes)?,
            }
            self.flush()?;
            match self.way.more(reply, Instant::now(), self.way.asked.silence) {
                Ok(0) => break,
                Ok(_) => {}
                Err(failed) => return Err(failed.into()), // a reset is no end (RFC 9112 §8)
            }
        }
        if in_chunks {
            write::chunk_line(self.out, 0);
            write::end(self.out);
        }
        self.flush()
    }

    fn chunks(
        &mut self,
        reply: &mut Incoming,
        reader: &mut ChunkReader,
        in_chunks: bool,
    ) -> Result<(), Cut> {
        loop {
            let bytes = reply.waiting();
            let piece = match reader.advance(bytes) {
                Ok(piece) => piece,
                Err(rule) => {
                    // What is good goes out: an end without a head looks like a connection that had
                    // been closed before the request, which clients send again.
                    self.flush()?;
                    return Err(Cut::Broken(rule));
                }
            };
            match piece {
                Piece::More(taken) => {
                    reply.take(taken);
                    self.flush()?;
                    self.more(reply)?;
                }
                Piece::Data { from, to } => {
                    let data = bytes.get(from..to).unwrap_or_default();
                    match in_chunks {
                        true => self.chunk(data)?,
                        false => self.plain(data)?,
                    }
                    reply.take(to);
                }
                Piece::End(taken) => {
                    if in_chunks {
                        write::chunk_line(self.out, 0);
                        heads::trailers(self.out, reader.trailers(bytes));
                        write::end(self.out);
                    }
                    reply.take(taken);
                    return self.flush();
                }
            }
        }
    }

    /// Sends bytes as they are: small ones with what is waiting, or with what follows.
    fn plain(&mut self, bytes: &[u8]) -> Result<(), Cut> {
        self.sent += bytes.len() as u64;
        if bytes.len() <= COPIED {
            self.out.extend_from_slice(bytes);
            return Ok(());
        }
        let mut parts = [IoSlice::new(self.out), IoSlice::new(bytes)];
        self.way.begin_write();
        let written = self.way.client.write_all_vectored(&mut parts);
        self.out.clear();
        written.map_err(|_| Cut::Client)
    }

    fn chunk(&mut self, bytes: &[u8]) -> Result<(), Cut> {
        if bytes.is_empty() {
            return Ok(()); // a chunk of nothing is the last one
        }
        self.sent += bytes.len() as u64;
        write::chunk_line(self.out, bytes.len());
        self.out.extend_from_slice(bytes);
        write::end(self.out);
        match self.out.len() > PART {
            true => self.flush(),
            false => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<(), Cut> {
        if self.out.is_empty() {
            return Ok(());
        }
        self.way.begin_write();
        let mut client = self.way.client;
        let written = client.write_all(self.out);
        self.out.clear();
        written.map_err(|_| Cut::Client)
    }

    fn more(&mut self, reply: &mut Incoming) -> Result<(), Cut> {
        self.flush()?;
        reply.widen(PART);
        match self.way.more(reply, Instant::now(), self.way.asked.silence) {
            Ok(0) => Err(Cut::Backend),
            Ok(_) => Ok(()),
            Err(failed) => Err(failed.into()),
        }
    }
}
