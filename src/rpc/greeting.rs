//! The client's half of the greeting: what both sides agree on before the first call.

use std::io::{self, Write};

use super::auth::{Side, proof, proves};
use super::client::ClientConfig;
use super::failure::{CallError, Failure};
use super::message::{
    Hello, MAGIC, MAX_GREETING, MAX_WINDOW, Message, Push, Welcome, read_failure,
};
use super::nonce::nonce;
use super::server::max_frame;
use super::welcome::{clip, invalid};
use crate::net::{Conn, Deadline, plain_words};
use crate::wire::{FrameReader, Frames, Limits, decode};

/// What the server allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Agreed {
    pub(super) max_frame: usize,
    pub(super) in_flight: usize,
    pub(super) window: u32,
}

/// Greets the server; returns the reader of its replies, and what it allows.
pub(super) fn greet(
    conn: &Conn,
    config: &ClientConfig,
    deadline: Deadline,
) -> Result<(FrameReader<Conn>, Agreed), CallError> {
    let failed = |error: io::Error| CallError::Disconnected {
        why: format!("greeting {}: {}", conn.peer_addr(), plain_words(&error)),
        sent: false,
    };
    conn.set_deadline(deadline.earlier(Deadline::after(config.write_timeout)));
    let mine = nonce().map_err(failed)?;
    let mut out = Frames::new(Limits::default());
    out.push_raw(&MAGIC);
    let max_frame = max_frame(&config.limits);
    let hello = Hello {
        max_frame: clip(max_frame),
        nonce: mine,
    };
    out.hello(&hello).map_err(CallError::BadArgument)?;
    (&*conn).write_all(out.bytes()).map_err(failed)?;
    let mut reader = FrameReader::new(conn.clone(), MAX_GREETING);
    read_magic(&mut reader).map_err(failed)?;
    let welcome = match read(&mut reader).map_err(failed)? {
        Answer::Welcome(welcome) => welcome,
        Answer::Failed(failure) => return Err(CallError::Failed(failure)),
        Answer::Proof(_) => return Err(failed(invalid("the first frame is no welcome"))),
    };
    match (&config.secret, welcome.nonce) {
        (None, None) => {}
        (Some(secret), Some(theirs)) => {
            out.clear();
            let own = proof(secret, Side::Client, &mine, &theirs);
            out.bare(Message::Prove(&own));
            (&*conn).write_all(out.bytes()).map_err(failed)?;
            match read(&mut reader).map_err(failed)? {
                Answer::Proof(given) if proves(&given, secret, Side::Server, &mine, &theirs) => {}
                Answer::Failed(failure) => return Err(CallError::Failed(failure)),
                _ => return Err(failed(invalid("the server does not know the secret"))),
            }
        }
        (None, Some(_)) => return Err(CallError::Failed(Failure::Unauthenticated)),
        (Some(_), None) => return Err(failed(invalid("the server does not ask for the secret"))),
    }
    reader.buffer().set_limit(max_frame);
    let agreed = Agreed {
        max_frame: welcome.max_frame as usize,
        in_flight: (welcome.in_flight as usize).max(1),
        window: welcome.window.clamp(1, MAX_WINDOW),
    };
    Ok((reader, agreed))
}

/// What a server may send before the first reply.
enum Answer {
    Welcome(Welcome),
    Proof([u8; 32]),
    Failed(Failure),
}

fn read(reader: &mut FrameReader<Conn>) -> io::Result<Answer> {
    let frame = reader.read().map_err(invalid)?;
    let frame = frame.ok_or_else(|| invalid("the server closed the connection"))?;
    match Message::parse(frame).map_err(invalid)? {
        Message::Welcome(bytes) => decode(bytes).map(Answer::Welcome).map_err(invalid),
        Message::Prove(given) => Ok(Answer::Proof(*given)),
        Message::Failed { failure, .. } => Ok(Answer::Failed(read_failure(failure))),
        other => Err(invalid(format!(
            "a server does not begin with {}",
            super::message::kind(&other)
        ))),
    }
}

fn read_magic(reader: &mut FrameReader<Conn>) -> io::Result<()> {
    loop {
        let waiting = reader.buffer().waiting();
        let first = waiting.get(..MAGIC.len()).unwrap_or(waiting);
        if !MAGIC.starts_with(first) {
            let shown = String::from_utf8_lossy(waiting.get(..64).unwrap_or(waiting));
            let line = shown.lines().next().unwrap_or_default();
            let line = line.escape_debug().to_string();
            return Err(invalid(match line.strip_prefix("gwrpc ") {
                Some(version) => format!("the server speaks version {version}, not 1"),
                None => format!("the server speaks another protocol: `{line}`"),
            }));
        }
        if first.len() == MAGIC.len() {
            reader.buffer().skip(MAGIC.len());
            return Ok(());
        }
        if reader.fill()? == 0 {
            return Err(invalid("the server closed the connection"));
        }
    }
}
