//! Our own protocols in words: RPC's messages and bare frames. Pure. `rpc/message.rs`,
//! `wire/frame.rs`.

use super::digits::Text;
use crate::rpc::message::{Message, read_failure};

/// How many bytes of a bare frame are shown.
const SHOWN: usize = 16;

/// One message of RPC.
pub(super) fn info(out: &mut Text, frame: &[u8]) {
    match Message::parse(frame) {
        Ok(message) => one(out, &message),
        Err(error) => {
            out.text("[Malformed Packet: RPC: ");
            out.wire(error.to_string().as_bytes());
            out.text("]");
        }
    }
}

fn one(out: &mut Text, message: &Message<'_>) {
    out.text(message.name());
    match *message {
        Message::Call {
            id,
            method,
            argument,
            ..
        } => {
            number(out, " id=", id);
            out.space();
            out.wire(method.as_bytes());
            number(out, " Len=", argument.len() as u64);
        }
        Message::Notify { method, argument } => {
            out.space();
            out.wire(method.as_bytes());
            number(out, " Len=", argument.len() as u64);
        }
        Message::Cancel { id } => number(out, " id=", id),
        Message::More { id, count } => {
            number(out, " id=", id);
            number(out, " count=", count.into());
        }
        Message::Reply { id, result: bytes } | Message::Item { id, item: bytes } => {
            number(out, " id=", id);
            number(out, " Len=", bytes.len() as u64);
        }
        Message::Failed { id, failure } => {
            number(out, " id=", id);
            out.text(" (");
            out.wire(read_failure(failure).to_string().as_bytes());
            out.text(")");
        }
        Message::Ping(value) | Message::Pong(value) => number(out, " number=", value),
        Message::Goodbye { last } => number(out, " last=", last),
        Message::Prove(_) => {}
        Message::Hello(bytes) | Message::Welcome(bytes) => {
            number(out, " Len=", bytes.len() as u64);
        }
    }
}

fn number(out: &mut Text, label: &str, value: u64) {
    out.text(label);
    out.number(value);
}

/// One frame of the wire format. Only the two ends know what its bytes mean.
pub(super) fn frame(out: &mut Text, bytes: &[u8]) {
    number(out, "Frame Len=", bytes.len() as u64);
    if !bytes.is_empty() {
        out.space();
        out.hex_bytes(bytes.get(..SHOWN).unwrap_or(bytes));
    }
    if bytes.len() > SHOWN {
        out.text("…");
    }
}
