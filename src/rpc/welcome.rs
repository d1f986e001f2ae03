//! The server's half of the greeting: is the peer a client, does it know the secret, which limits
//! hold.

use std::io::{self, Write};

use super::auth::{Secret, Side, proof, proves};
use super::failure::Failure;
use super::message::{Hello, MAGIC, MAX_GREETING, MAX_WINDOW, Message, Push, Welcome};
use super::nonce::nonce;
use super::server::{ServerConfig, limits_for, max_frame};
use crate::net::{Conn, Deadline};
use crate::wire::{FrameError, FrameReader, Frames, Limits, decode};

/// Reads the client's greeting and answers it; returns the reader of its calls, and the limits for
/// messages to it. `None`: the peer has left.
pub(super) fn welcome<'c>(
    config: &ServerConfig,
    conn: &'c Conn,
) -> io::Result<Option<(FrameReader<&'c Conn>, Limits)>> {
    conn.set_deadline(Deadline::after(config.frame_timeout));
    let mut reader = FrameReader::new(conn, MAX_GREETING);
    if read_magic(conn, &mut reader)?.is_none() {
        return Ok(None);
    }
    let mut out = Frames::new(Limits::default());
    out.push_raw(&MAGIC);
    let hello = match read_hello(&mut reader) {
        Ok(Some(hello)) => hello,
        Ok(None) => return Ok(None),
        Err(error) => {
            if error.kind() == io::ErrorKind::InvalidData {
                out.failed(0, &Failure::Refused(error.to_string()));
                let _ = (&*conn).write_all(out.bytes());
            }
            return Err(error);
        }
    };
    let mine = nonce()?;
    let max_frame = max_frame(&config.limits);
    let welcome = Welcome {
        max_frame: clip(max_frame),
        in_flight: clip(config.in_flight),
        window: config.window.clamp(1, MAX_WINDOW),
        nonce: config.secret.is_some().then_some(mine),
    };
    out.welcome(&welcome).map_err(invalid)?;
    (&*conn).write_all(out.bytes())?;
    if let Some(secret) = &config.secret {
        if exchange_proofs(conn, &mut reader, secret, &hello.nonce, &mine)?.is_none() {
            return Ok(None);
        }
    }
    reader.buffer().set_limit(max_frame);
    let answers = limits_for(config.limits, hello.max_frame as usize);
    Ok(Some((reader, answers)))
}

/// Reads the client's proof and answers with ours; a client without one is refused.
fn exchange_proofs(
    conn: &Conn,
    reader: &mut FrameReader<&Conn>,
    secret: &Secret,
    theirs: &[u8; 32],
    mine: &[u8; 32],
) -> io::Result<Option<()>> {
    let proven = match reader.read() {
        Ok(Some(frame)) => Message::parse(frame).ok(),
        Ok(None) => return Ok(None),
        // A longer frame is a call from a client that has left out the proof.
        Err(FrameError::TooLong { .. }) => None,
        Err(error) => return Err(unread(error)),
    };
    let mut out = Frames::new(Limits::default());
    match proven {
        Some(Message::Prove(given)) if proves(given, secret, Side::Client, theirs, mine) => {
            let own = proof(secret, Side::Server, theirs, mine);
            out.bare(Message::Prove(&own));
            (&*conn).write_all(out.bytes())?;
            Ok(Some(()))
        }
        _ => {
            out.failed(0, &Failure::Unauthenticated);
            (&*conn).write_all(out.bytes())?;
            Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "the peer does not know the secret",
            ))
        }
    }
}

/// A number, cut to a field of four bytes.
pub(super) fn clip(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

pub(super) fn invalid(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// The error when a frame could not be read.
fn unread(error: FrameError) -> io::Error {
    match error {
        FrameError::Io(error) => error,
        other => invalid(other),
    }
}

/// The first frame; `None` when the peer has left. The caller reports an `InvalidData` to the peer.
fn read_hello(reader: &mut FrameReader<&Conn>) -> io::Result<Option<Hello>> {
    let Some(frame) = reader.read().map_err(unread)? else {
        return Ok(None);
    };
    match Message::parse(frame).map_err(invalid)? {
        Message::Hello(hello) => decode(hello).map(Some).map_err(invalid),
        _ => Err(invalid("the first frame is no hello")),
    }
}

/// Reads the first bytes of a connection. A peer that speaks another protocol learns it from its
/// first read.
fn read_magic(conn: &Conn, reader: &mut FrameReader<&Conn>) -> io::Result<Option<()>> {
    loop {
        let waiting = reader.buffer().waiting();
        let first = waiting.get(..MAGIC.len()).unwrap_or(waiting);
        if !MAGIC.starts_with(first) {
            let shown = first.escape_ascii().to_string();
            let text = format!("this is an RPC server (gwrpc 1); `{shown}` is not its greeting\n");
            let _ = (&*conn).write_all(text.as_bytes());
            return Err(invalid(format!(
                "the peer speaks another protocol: `{shown}`"
            )));
        }
        if first.len() == MAGIC.len() {
            reader.buffer().skip(MAGIC.len());
            return Ok(Some(()));
        }
        if reader.fill()? == 0 {
            return Ok(None);
        }
    }
}
