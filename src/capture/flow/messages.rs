//! Where a message at the front of a stream's bytes ends, by protocol. Pure.
//!
//! HTTP/1 goes by its start line and its framing (RFC 9112), DNS over TCP by the two bytes before
//! each message (RFC 1035 §4.2.2), our frames and RPC by four (`wire/frame.rs`).

use crate::http::{Framing, HeadParser, Limits};
use crate::rpc::message::MAGIC;

use super::application::Protocol;

/// The longest message that is put together, in bytes; a longer one is passed over.
pub(super) const MOST: usize = 64 * 1024;

/// What stands at the front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Front {
    /// A message.
    Whole(Found),
    /// The beginning of one, or of something that may be one.
    More,
    /// Nothing that is known.
    No,
}

/// A message that was found, or a piece to pass over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// What it is.
    pub(super) protocol: Protocol,
    /// Its content: from, to. Empty where there is nothing to show.
    pub(super) content: (usize, usize),
    /// Bytes that it takes at the front.
    pub(super) used: usize,
    /// Bytes of a body behind it, `u64::MAX` up to the stream's end.
    pub(super) skip: u64,
    /// Whether it is a request whose response has no body.
    pub(super) is_head: bool,
}

impl Found {
    fn plain(protocol: Protocol, from: usize, to: usize) -> Self {
        Self {
            protocol,
            content: (from, to),
            used: to,
            skip: 0,
            is_head: false,
        }
    }
}

/// Looks at the front of `bytes`, which are not empty; it has said [`Front::More`] of the first
/// `seen` of them before, and does not search them again, lest a head that comes byte by byte cost
/// the square of its length. `None` as protocol: it is to be found out.
pub(super) fn front(
    protocol: Option<Protocol>,
    bytes: &[u8],
    seen: usize,
    after_head: bool,
) -> Front {
    match protocol {
        Some(Protocol::Dns) => dns(bytes),
        Some(Protocol::Frames) => frame(Protocol::Frames, bytes),
        Some(Protocol::Rpc) if bytes.starts_with(&MAGIC) => greeting(),
        Some(Protocol::Rpc) => match begins(bytes, &MAGIC) {
            true => Front::More,
            false => frame(Protocol::Rpc, bytes),
        },
        Some(Protocol::Http) => http(bytes, seen, after_head),
        Some(Protocol::Data) => Front::No,
        None if bytes.starts_with(&MAGIC) => greeting(),
        None if begins(bytes, &MAGIC) => Front::More,
        None => http(bytes, seen, after_head),
    }
}

fn greeting() -> Front {
    let mut found = Found::plain(Protocol::Rpc, 0, MAGIC.len());
    found.content = (0, 0);
    Front::Whole(found)
}

/// Whether `bytes` are the beginning of `whole`, or begin with it.
fn begins(bytes: &[u8], whole: &[u8]) -> bool {
    bytes.iter().zip(whole).all(|(a, b)| a == b)
}

fn dns(bytes: &[u8]) -> Front {
    let Some((length, rest)) = bytes.split_first_chunk() else {
        return Front::More;
    };
    let length = usize::from(u16::from_be_bytes(*length));
    match length {
        0..12 => Front::No,
        _ if rest.len() < length => Front::More,
        _ => Front::Whole(Found::plain(Protocol::Dns, 2, 2 + length)),
    }
}

fn frame(protocol: Protocol, bytes: &[u8]) -> Front {
    let Some((length, rest)) = bytes.split_first_chunk() else {
        return Front::More;
    };
    let length = u32::from_le_bytes(*length);
    let size = usize::try_from(length).unwrap_or(usize::MAX);
    if size > MOST - 4 {
        let mut found = Found::plain(protocol, 0, 4);
        (found.content, found.skip) = ((0, 0), u64::from(length));
        return Front::Whole(found);
    }
    if rest.len() < size {
        return Front::More;
    }
    Front::Whole(Found::plain(protocol, 4, 4 + size))
}

/// How a message of HTTP/1 may begin.
const STARTS: [&[u8]; 10] = [
    b"HTTP/1.",
    b"GET ",
    b"POST ",
    b"PUT ",
    b"HEAD ",
    b"DELETE ",
    b"OPTIONS ",
    b"CONNECT ",
    b"PATCH ",
    b"TRACE ",
];

/// Whether a message of HTTP/1 may begin here, and enough is there to say so.
pub(super) fn begins_http(bytes: &[u8]) -> bool {
    STARTS.iter().any(|start| bytes.starts_with(start))
}

fn http(bytes: &[u8], seen: usize, after_head: bool) -> Front {
    if !STARTS.iter().any(|start| begins(bytes, start)) {
        return Front::No;
    }
    // The empty line may have begun in what was seen.
    let from = seen.saturating_sub(3);
    let mut fours = bytes.get(from..).unwrap_or_default().windows(4);
    let Some(end) = fours.position(|four| four == b"\r\n\r\n") else {
        return Front::More;
    };
    let end = from + end;
    let mut found = Found::plain(Protocol::Http, 0, end + 4);
    let section = bytes.get(..end + 4).unwrap_or_default();
    // A section that breaks a rule is shown all the same; where its body ends is not known then.
    let body = if bytes.starts_with(b"HTTP/") {
        response_body(section, after_head)
    } else {
        found.is_head = bytes.starts_with(b"HEAD ");
        request_body(section)
    };
    found.skip = match body {
        Some(Framing::Length(length)) => length,
        Some(Framing::UntilClose) => u64::MAX,
        Some(Framing::None | Framing::Chunked) | None => 0,
    };
    Front::Whole(found)
}

fn request_body(section: &[u8]) -> Option<Framing> {
    let mut parser = HeadParser::requests(Limits::default());
    parser.advance(section).ok()?;
    Some(parser.request(section).ok()?.framing)
}

fn response_body(section: &[u8], after_head: bool) -> Option<Framing> {
    let mut parser = HeadParser::responses(Limits::default());
    parser.advance(section).ok()?;
    let method = if after_head { "HEAD" } else { "GET" };
    Some(parser.response(section, method).ok()?.framing)
}
