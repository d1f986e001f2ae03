//! Fields of our own protocols: `rpc.*` and `frames.*`. Pure.
//!
//! In Wireshark, `rpc` is another protocol (ONC RPC, RFC 5531); here it is that of [`crate::rpc`].
//! A frame that is not one of its messages has only a length.

use super::{Field, Get, Kind, Out, Value, number};
use crate::rpc::message::Message;

const fn rpc(name: &'static str, kind: Kind, get: fn(&[u8], Out<'_>)) -> Field {
    Field::new(name, kind, Get::Rpc(get))
}

const fn frames(name: &'static str, kind: Kind, get: fn(&[u8], Out<'_>)) -> Field {
    Field::new(name, kind, Get::Frame(get))
}

pub(super) const FIELDS: &[Field] = &[
    rpc("rpc", Kind::Protocol, |frame, out| {
        out(Value::Protocol("rpc", frame));
    }),
    rpc("rpc.length", Kind::Unsigned(4), |frame, out| {
        out(Value::Unsigned(frame.len() as u64));
    }),
    rpc("rpc.kind", Kind::Text, |frame, out| {
        if let Ok(message) = Message::parse(frame) {
            out(Value::Text(message.name()));
        }
    }),
    rpc("rpc.id", Kind::Unsigned(8), |frame, out| {
        if let Some(id) = Message::parse(frame).ok().and_then(|m| id(&m)) {
            number(out, id);
        }
    }),
    rpc("rpc.method", Kind::Text, |frame, out| {
        if let Ok(Message::Call { method, .. } | Message::Notify { method, .. }) =
            Message::parse(frame)
        {
            out(Value::Text(method));
        }
    }),
    rpc("rpc.micros", Kind::Unsigned(8), |frame, out| {
        if let Ok(Message::Call { micros, .. }) = Message::parse(frame) {
            number(out, micros);
        }
    }),
    frames("frames", Kind::Protocol, |frame, out| {
        out(Value::Protocol("frames", frame));
    }),
    frames("frames.length", Kind::Unsigned(4), |frame, out| {
        out(Value::Unsigned(frame.len() as u64));
    }),
    frames("frames.body", Kind::Bytes, |frame, out| {
        out(Value::Bytes(frame));
    }),
];

/// The call that a message belongs to.
fn id(message: &Message<'_>) -> Option<u64> {
    match *message {
        Message::Call { id, .. }
        | Message::Cancel { id }
        | Message::More { id, .. }
        | Message::Reply { id, .. }
        | Message::Failed { id, .. }
        | Message::Item { id, .. } => Some(id),
        _ => None,
    }
}
