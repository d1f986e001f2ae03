//! A backend's response on its way to the client.
//!
//! ```text
//!   read: head and first bytes of the body ──> head rewritten, written with them in one call
//!   read: a part of the body ──> written as it is (length), in chunks of ours (chunks, until close)
//! ```
//!
//! While it waits for the backend, it must also notice when the client leaves. The usual path does
//! not pay for that: a read waits for [`SOON`], within which nearly all backends answer. Only then
//! does a `poll` wait for both.

use std::io::{self, IoSlice, Read, Write};
use std::time::{Duration, Instant};

use super::config::Forwarding;
use super::desk::{Date, Desk, PART};
use super::heads::{self, HopNames, Outgoing};
use super::upload::Upload;
use crate::http::{ChunkReader, Framing, Name, Piece, ResponseHead, Rule, Version, write};
use crate::net::{Conn, Deadline, Incoming, Ready};

/// How long a plain read waits before the client is watched, too.
const SOON: Duration = Duration::from_millis(500);
/// The first part of a body, up to this size, is copied after its head. A longer part is written
/// from where it is.
const COPIED: usize = 4096;

/// Interim responses (1xx) to one request, at most. Each renews the backend's time.
const INTERIM: usize = 100;

/// Why there is no response head to pass on.
#[derive(Debug)]
pub enum NoReply {
    /// The backend closed without sending anything.
    Closed,
    /// The backend closed, or failed, in the middle of the head.
    Cut,
    /// The backend took too long.
    TimedOut,
    /// What the backend sent breaks this rule.
    Broken(Rule),
    /// The backend sent interim responses only.
    OnlyInterim,
    /// The backend switched protocols, though the request did not ask for it.
    NotAsked,
    /// The client has left.
    ClientGone,
}

/// Why a response was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The backend closed or failed in the middle of the body.
    Backend,
    /// The backend was silent for too long.
    Silence,
    /// The backend's chunks break this rule.
    Broken(Rule),
    /// The client has left, or takes nothing more.
    Client,
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
    /// The client's version.
    pub version: Version,
    /// Whether the request asked for another protocol.
    pub upgrade: bool,
    /// What heads are to tell.
    pub forwarding: &'a Forwarding,
    /// How long the backend may take to send its whole head.
    pub first_byte: Duration,
    /// How long the backend may be silent after that.
    pub silence: Duration,
    /// How long a write to the client may take.
    pub write: Duration,
}

/// How a response with the backend's `framing` goes to a client that speaks `version`.
pub fn framing_for(framing: Framing, version: Version) -> Framing {
    match (framing, version) {
        (Framing::Chunked | Framing::UntilClose, Version::Http11) => Framing::Chunked,
        (Framing::Chunked | Framing::UntilClose, Version::Http10) => Framing::UntilClose,
        (other, _) => other,
    }
}

/// A response on its way: from where, to where, and what it has to fit.
#[derive(Clone, Copy)]
pub struct Reply<'a> {
    /// Who sends it.
    pub backend: &'a Conn,
    /// Who gets it.
    pub client: &'a Conn,
    /// The client, if the end of its stream means that it has left. It says nothing if it has sent
    /// more already, or if the server is stopping and has shut down reading itself.
    pub watched: Option<&'a Conn>,
    /// The upload in progress. Until it ends, the backend need not answer.
    pub upload: Option<&'a Upload>,
    /// What it has to fit.
    pub asked: Asked<'a>,
}

/// What the head of a final response says about the rest.
#[derive(Clone, Copy)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// How the backend ends the body.
    pub framing: Framing,
    /// Whether the backend keeps the connection open.
    pub keep_alive: bool,
}

impl Reply<'_> {
    /// Reads until the head of the final response is complete, and leaves it on the desk; passes
    /// interim responses on. `told` says whether there was one.
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
            // RFC 9110 §15.2: HTTP/1.0 has no interim responses.
            if self.asked.version == Version::Http11 {
                *told = true;
                self.interim(&head, out, date)?;
            }
            reply.take(length);
        }
        Err(NoReply::OnlyInterim)
    }

    /// Reads until a head is complete. Sending it slowly does not extend its time.
    fn whole_head(&self, desk: &mut Desk) -> Result<(), NoReply> {
        let Desk { parser, reply, .. } = desk;
        parser.reset();
        let (begun, limit) = (Instant::now(), self.asked.first_byte);
        let is_late = |from: Instant| from.elapsed() >= limit;
        while !parser.advance(reply.waiting()).map_err(NoReply::Broken)? {
            if !reply.is_empty() && self.counted_from(begun).is_some_and(is_late) {
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

    /// Reads more from the backend, whose time counts from `begun`; 0 at the end of the stream.
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

    /// When the backend's time starts, which would otherwise be `begun`. It does not run while the
    /// body is on its way: the upload has its own limits.
    fn counted_from(&self, begun: Instant) -> Option<Instant> {
        match self.upload {
            None => Some(begun),
            Some(upload) => upload.ended().map(|end| end.max(begun)),
        }
    }

    /// Waits until there is something to read; returns the deadline for reading it.
    fn wait(&self, begun: Instant, limit: Duration) -> Result<Deadline, Failed> {
        loop {
            let from = self.counted_from(begun);
            let end = from.map_or(Deadline::after(limit), |from| {
                from.checked_add(limit)
                    .map_or(Deadline::NEVER, Deadline::at)
            });
            let Some(client) = self.watched else {
                if end.passed() {
                    return Err(Failed::TimedOut);
                }
                return Ok(end);
            };
            match self.backend.wait_readable_or_end(client, end) {
                // Some time to read what is here, even if it is late.
                Ok(Ready::Readable) => return Ok(Deadline::after(SOON)),
                Ok(Ready::OtherEnded) => match self.upload {
                    // The client's stream may end after the whole body or in the middle of it. The
                    // upload will notice.
                    Some(upload) if !upload.ends() => return Ok(Deadline::after(SOON)),
                    _ => return Err(Failed::ClientGone),
                },
                Ok(Ready::TimedOut) if from.is_some() => return Err(Failed::TimedOut),
                Ok(Ready::TimedOut) => {}
                Err(_) => return Err(Failed::Io),
            }
        }
    }

    /// Starts the time-out of the next write to the client.
    fn begin_write(&self) {
        let deadline = Deadline::after(self.asked.write);
        self.client.set_write_deadline(deadline);
    }

    /// Passes on the response whose head [`head`](Self::head) has found, to its end. Returns how
    /// many bytes of its body were sent, and why it was cut, if it was.
    pub fn body(self, desk: &mut Desk, outgoing: Outgoing) -> (u64, Result<(), Cut>) {
        let Desk {
            parser,
            reply,
            out,
            date,
            chunks,
        } = desk;
        out.clear();
        // It was parsed before, so it is complete and valid.
        let Ok(head) = parser.response(reply.waiting(), self.asked.method) else {
            return (0, Err(Cut::Backend));
        };
        let (length, framing) = (head.length, head.framing);
        let hop = HopNames::of(head.fields, framing);
        write_head(out, &head, outgoing, self.asked.forwarding, date);
        reply.take(length);
        let mut passing = Passing {
            way: self,
            hop,
            out,
            in_chunks: outgoing.framing == Framing::Chunked,
            sent: 0,
        };
        let result = match framing {
            Framing::None => passing.flush(),
            Framing::Length(length) => passing.length(reply, length),
            Framing::Chunked => {
                chunks.reset();
                passing.chunks(reply, chunks)
            }
            Framing::UntilClose => passing.until_close(reply),
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
    // Needed only for a response that has none.
    let date = match head.fields.get(Name::Date) {
        Some(_) => "",
        None => date.now(),
    };
    heads::response(out, head, outgoing, forwarding, date);
}

/// A body on its way to the client. The bytes in `out` are written first.
struct Passing<'a> {
    way: Reply<'a>,
    /// What ends here of the trailer section.
    hop: HopNames,
    out: &'a mut Vec<u8>,
    /// Whether the client gets it in chunks.
    in_chunks: bool,
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

    fn until_close(&mut self, reply: &mut Incoming) -> Result<(), Cut> {
        loop {
            self.part(reply.take(usize::MAX))?;
            self.flush()?;
            match self.way.more(reply, Instant::now(), self.way.asked.silence) {
                Ok(0) => break,
                Ok(_) => {}
                Err(failed) => return Err(failed.into()), // a reset ends no body (RFC 9112 §8)
            }
        }
        if self.in_chunks {
            write::chunk_line(self.out, 0);
            write::end(self.out);
        }
        self.flush()
    }

    fn chunks(&mut self, reply: &mut Incoming, reader: &mut ChunkReader) -> Result<(), Cut> {
        loop {
            let bytes = reply.waiting();
            let piece = match reader.advance(bytes) {
                Ok(piece) => piece,
                Err(rule) => {
                    // Send what is valid. If a connection ends without any head, a client assumes
                    // that it was closed before the request, and sends the request again.
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
                    self.part(bytes.get(from..to).unwrap_or_default())?;
                    reply.take(to);
                }
                Piece::End(taken) => {
                    if self.in_chunks {
                        write::chunk_line(self.out, 0);
                        heads::trailers(self.out, reader.trailers(bytes), &self.hop);
                        write::end(self.out);
                    }
                    reply.take(taken);
                    return self.flush();
                }
            }
        }
    }

    fn part(&mut self, bytes: &[u8]) -> Result<(), Cut> {
        match self.in_chunks {
            true => self.chunk(bytes),
            false => self.plain(bytes),
        }
    }

    /// Sends bytes as they are; a small part is joined with what waits, or with what follows.
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
            return Ok(()); // an empty chunk would end the body
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
