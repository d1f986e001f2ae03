//! `/ws`: the connection becomes a WebSocket that echoes (RFC 6455).

use std::io::{self, Read, Write};

use super::handshake::{Refused, accept};
use super::turn::{Sent, Turn};
use super::websocket::{Fault, Next, Reader, echo, write_close};
use super::wire::Wire;
use crate::http::Response;
use crate::net::Incoming;

/// The close code of a server that is stopping (RFC 6455 §7.4.1).
const GOING_AWAY: u16 = 1001;
/// A buffer that a long frame has made larger than this many bytes is freed.
const KEPT: usize = 4096;

/// Answers the handshake. After a 101, the frames follow until the end.
pub(super) fn page(turn: &mut Turn<'_, '_>) -> io::Result<Sent> {
    let accept = match accept(turn.request) {
        Ok(accept) => accept,
        Err(why) => return refuse(turn, why),
    };
    let switching = Response::new(101)
        .with("Connection", "Upgrade")
        .with("Upgrade", "websocket")
        .with("Sec-WebSocket-Accept", accept);
    let sent = turn.respond(switching)?;
    turn.exchange.close_after();
    turn.wire.put_back(&turn.exchange.take_rest());
    let bytes = converse(turn.wire, turn.config.max_message)?;
    Ok(Sent { bytes, ..sent })
}

fn refuse(turn: &mut Turn<'_, '_>, why: Refused) -> io::Result<Sent> {
    let response = Response::text(why.status(), format!("{why}\n"));
    if why.status() != 426 {
        return turn.respond(response);
    }
    let response = response
        .with("Connection", "Upgrade")
        .with("Upgrade", "websocket")
        .with("Sec-WebSocket-Version", "13");
    turn.respond(response)
}

/// Echoes until one side closes; returns how many bytes were sent.
fn converse(mut wire: &Wire<'_>, max_message: usize) -> io::Result<u64> {
    let mut reader = Reader::new(max_message);
    let (mut incoming, mut out) = (Incoming::new(KEPT), Vec::new());
    let mut bytes = 0;
    loop {
        wire.expect_next();
        let count = wire.read(incoming.spare())?;
        incoming.filled(count);
        out.clear();
        let next = match count {
            0 => {
                write_close(&mut out, Some(GOING_AWAY));
                Ok(Next::End)
            }
            _ => answer(&mut incoming, &mut reader, &mut out),
        };
        if let Err(fault) = next {
            write_close(&mut out, Some(fault.code()));
        }
        wire.write_all(&out)?;
        bytes += out.len() as u64;
        match next {
            Ok(Next::GoOn) => {}
            Ok(Next::End) => return Ok(bytes),
            Err(fault) => return Err(io::Error::new(io::ErrorKind::InvalidData, fault)),
        }
    }
}

/// Answers the frames that have arrived, up to a close; nothing counts after it.
fn answer(incoming: &mut Incoming, reader: &mut Reader, out: &mut Vec<u8>) -> Result<Next, Fault> {
    loop {
        let (taken, event) = reader.next(incoming.waiting())?;
        if taken == 0 {
            return Ok(Next::GoOn);
        }
        incoming.take(taken);
        if event.is_some_and(|event| echo(&event, out) == Next::End) {
            return Ok(Next::End);
        }
    }
}
