//! The pages whose bodies are written piece by piece, and so may be of any length.

use std::io;
use std::time::Duration;

use super::turn::{PIECE, Sent, Turn};
use super::wire::Pause;
use crate::http::{ExchangeError, Framing, Request, Response, write};

/// What `/bytes` consists of: lines, so that a reader sees where one is cut.
const LINE: &str = "The quick brown fox jumps over the lazy dog, and then once more\n";

/// `/bytes/N`
pub(super) fn bytes(turn: &mut Turn<'_, '_>, count: u64) -> io::Result<Sent> {
    if count <= PIECE as u64 {
        let lines = LINE.repeat((count as usize).div_ceil(LINE.len()));
        let body = lines.get(..count as usize).unwrap_or(&lines);
        return turn.text(200, body);
    }
    turn.begin(text(), Some(count))?;
    let lines = LINE.repeat(PIECE / LINE.len());
    let mut left = if turn.is_head() { 0 } else { count };
    while left > 0 {
        let part = left.min(lines.len() as u64) as usize;
        turn.write(lines.as_bytes().get(..part).unwrap_or_default())?;
        left -= part as u64;
    }
    turn.finish(&[])
}

/// `/chunked`: `count` chunks of one line each, `pause` apart, and a trailer with their number.
pub(super) fn chunked(turn: &mut Turn<'_, '_>, count: u64, pause: Duration) -> io::Result<Sent> {
    turn.begin(text().with("Trailer", "X-Chunks"), None)?;
    let chunks = if turn.is_head() { 0 } else { count };
    for number in 1..=chunks {
        turn.write(format!("chunk {number} of {count}\n").as_bytes())?;
        // After a stop the rest is sent without pauses.
        if number < count && turn.wire.pause(pause)? == Pause::Left {
            return Ok(turn.cut());
        }
    }
    turn.finish(&[("X-Chunks", &count.to_string())])
}

/// `/stream`: an event every `interval` (in the format of browsers' `EventSource`), until the client
/// leaves or the server stops.
pub(super) fn stream(turn: &mut Turn<'_, '_>, interval: Duration) -> io::Result<Sent> {
    let response = Response::new(200)
        .with("Content-Type", "text/event-stream")
        .with("Cache-Control", "no-store");
    turn.begin(response, None)?;
    if turn.is_head() {
        return turn.finish(&[]);
    }
    let interval = interval.max(Duration::from_millis(1));
    for number in 1_u64.. {
        turn.write(format!("data: {number}\n\n").as_bytes())?;
        match turn.wire.pause(interval)? {
            Pause::Over => {}
            Pause::Stopping => break,
            Pause::Left => return Ok(turn.cut()),
        }
    }
    turn.finish(&[])
}

/// `/die`: half an answer.
pub(super) fn die(turn: &mut Turn<'_, '_>) -> io::Result<Sent> {
    turn.begin(text(), Some(2 * LINE.len() as u64))?;
    turn.write(LINE.as_bytes())?;
    Ok(turn.cut())
}

/// `/echo`: the header section as it was read, the body as it arrives, the trailer section.
///
/// Nothing is kept, so a client that sends a lot must read meanwhile, or the write time-out ends
/// the connection.
pub(super) fn echo(turn: &mut Turn<'_, '_>) -> Result<Sent, ExchangeError> {
    let section = section(turn.request);
    let length = match turn.request.framing {
        Framing::Length(length) => Some(section.len() as u64 + length),
        Framing::None => Some(section.len() as u64),
        Framing::Chunked | Framing::UntilClose => None,
    };
    let mut piece = vec![0; PIECE];
    // Before the reply begins: this read sends 100 (Continue) to a client that waits for it.
    let mut count = turn.read(&mut piece)?;
    turn.begin(text(), length)?;
    turn.write(&section)?;
    while count > 0 {
        turn.write(piece.get(..count).unwrap_or_default())?;
        count = turn.read(&mut piece)?;
    }
    let mut trailers = Vec::new();
    for (name, value) in turn.exchange.trailers().iter() {
        write::field(&mut trailers, name, value);
    }
    turn.write(&trailers)?;
    Ok(turn.finish(&[])?)
}

/// The request line and the field lines, and the empty line after them.
fn section(request: &Request) -> Vec<u8> {
    let (method, version) = (&request.method, request.version.text());
    let mut section = format!("{method} {} {version}\r\n", request.target).into_bytes();
    for (name, value) in request.fields.iter() {
        write::field(&mut section, name, value);
    }
    write::end(&mut section);
    section
}

fn text() -> Response {
    Response::new(200).with("Content-Type", "text/plain; charset=utf-8")
}
