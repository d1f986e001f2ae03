//! Where a message at the front of a stream's bytes ends, by protocol. Pure.
//!
//! HTTP/1 goes by its start line and its framing (RFC 9112), DNS over TCP by the two bytes before
//! each message (RFC 1035 §4.2.2), our frames and RPC by four (`wire/frame.rs`).

use crate::http::{Framing, HeadParser, Limits};
use crate::rpc::message::MAGIC;

use super::application::Protocol;
use super::body::{Body, Chunks};

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
    /// The body behind it.
    pub(super) body: Body,
    /// Of HTTP: which kind of message.
    pub(super) start: Option<Start>,
}

/// A start line of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// Of a request.
    Request(Method),
    /// Of a response: its status, 0 where that is no number.
    Response(u16),
}

/// What a request's method says of the body of its response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Method {
    /// HEAD: it has none, whatever its fields say.
    Head,
    /// CONNECT: with success, the connection becomes a tunnel.
    Connect,
    /// The fields tell.
    #[default]
    Other,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Self::Head => "HEAD",
            Self::Connect => "CONNECT",
            Self::Other => "GET",
        }
    }
}

impl Found {
    fn plain(protocol: Protocol, from: usize, to: usize) -> Self {
        Self {
            protocol,
            content: (from, to),
            used: to,
            body: Body::None,
            start: None,
        }
    }
}

/// Looks at the front of `bytes`, which are not empty; it has said [`Front::More`] of the first
/// `seen` of them before, and does not search them again, lest a head that comes byte by byte cost
/// the square of its length. `None` as protocol: it is to be found out. A response is one to `asked`.
pub(super) fn front(protocol: Option<Protocol>, bytes: &[u8], seen: usize, asked: Method) -> Front {
    match protocol {
        Some(Protocol::Dns) => dns(bytes),
        Some(Protocol::Frames) => frame(Protocol::Frames, bytes),
        Some(Protocol::Rpc) if bytes.starts_with(&MAGIC) => greeting(),
        Some(Protocol::Rpc) => match begins(bytes, &MAGIC) {
            true => Front::More,
            false => frame(Protocol::Rpc, bytes),
        },
        Some(Protocol::Http) => http(bytes, seen, asked),
        Some(Protocol::Data) => Front::No,
        None if bytes.starts_with(&MAGIC) => greeting(),
        None if begins(bytes, &MAGIC) => Front::More,
        None => http(bytes, seen, asked),
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
        (found.content, found.body) = ((0, 0), Body::Length(u64::from(length)));
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

fn http(bytes: &[u8], seen: usize, asked: Method) -> Front {
    if !STARTS.iter().any(|start| begins(bytes, start)) {
        return Front::No;
    }
    // The empty line may have begun in what was seen.
    let from = seen.saturating_sub(3);
    let fresh = bytes.get(from..).unwrap_or_default();
    let Some(end) = section_end(fresh) else {
        return Front::More;
    };
    let end = from + end;
    let mut found = Found::plain(Protocol::Http, 0, end);
    let section = bytes.get(..end).unwrap_or_default();
    let start = start_of(section);
    // A section that breaks a rule is shown all the same; where its body ends is not known then.
    let framing = |section: &[u8]| match start {
        Start::Request(_) => request_framing(section),
        Start::Response(_) => response_framing(section, asked),
    };
    let framing_of_bare = || framing(&with_carriage_returns(section)?);
    found.start = Some(start);
    found.body = match framing(section).or_else(framing_of_bare) {
        Some(Framing::Length(length)) => Body::Length(length),
        Some(Framing::Chunked) => Body::Chunked(Chunks::START),
        Some(Framing::UntilClose) => Body::UntilClose,
        Some(Framing::None) | None => Body::None,
    };
    Front::Whole(found)
}

/// Where the empty line ends. A line may end in LF alone, as a script's does (RFC 9112 §2.2): who
/// waited for CR there would take the next message for a part of this one.
fn section_end(bytes: &[u8]) -> Option<usize> {
    let feeds = (0..bytes.len()).filter(|at| bytes.get(*at) == Some(&b'\n'));
    feeds
        .map(|at| at + 1)
        .find_map(|next| match bytes.get(next..)? {
            [b'\n', ..] => Some(next + 1),
            [b'\r', b'\n', ..] => Some(next + 2),
            _ => None,
        })
}

/// The section as the parser wants it, which takes no line that ends in LF alone; `None` where it has
/// no such line, and so is refused for something else.
fn with_carriage_returns(section: &[u8]) -> Option<Vec<u8>> {
    let lines = || section.split_inclusive(|byte| *byte == b'\n');
    if lines().all(|line| line.ends_with(b"\r\n")) {
        return None;
    }
    let whole = lines().flat_map(|line| {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        [text.strip_suffix(b"\r").unwrap_or(text), b"\r\n"]
    });
    Some(whole.flatten().copied().collect())
}

/// `HTTP/1.1 204 No Content` or `HEAD / HTTP/1.1`.
fn start_of(section: &[u8]) -> Start {
    if section.starts_with(b"HTTP/1.") {
        let status = section
            .get(9..12)
            .and_then(|status| std::str::from_utf8(status).ok());
        return Start::Response(status.and_then(|status| status.parse().ok()).unwrap_or(0));
    }
    Start::Request(if section.starts_with(b"HEAD ") {
        Method::Head
    } else if section.starts_with(b"CONNECT ") {
        Method::Connect
    } else {
        Method::Other
    })
}

fn request_framing(section: &[u8]) -> Option<Framing> {
    let mut parser = HeadParser::requests(Limits::default());
    parser.advance(section).ok()?;
    Some(parser.request(section).ok()?.framing)
}

fn response_framing(section: &[u8], asked: Method) -> Option<Framing> {
    let mut parser = HeadParser::responses(Limits::default());
    parser.advance(section).ok()?;
    Some(parser.response(section, asked.name()).ok()?.framing)
}
