//! Where a message at the start of a stream's bytes ends, by protocol. Pure.
//!
//! HTTP/1 goes by its start line and its framing (RFC 9112), DNS over TCP by the two-byte length
//! before each message (RFC 1035 §4.2.2), our frames and RPC by four bytes (`wire/frame.rs`).

use crate::http::{Framing, HeadParser, Limits};
use crate::rpc::message::MAGIC;

use super::application::Protocol;
use super::body::{Body, Chunks};

/// The longest message that is reassembled, in bytes; a longer one is skipped.
pub(super) const MOST: usize = 64 * 1024;

/// The result of looking at the start of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Front {
    /// A message.
    Whole(Found),
    /// The beginning of a message, or of something that may be one.
    More,
    /// Nothing that is known.
    No,
}

/// A message that was found, or a piece to skip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Its protocol.
    pub(super) protocol: Protocol,
    /// Where its content begins and ends. Empty if there is nothing to show.
    pub(super) content: (usize, usize),
    /// How many bytes it takes.
    pub(super) used: usize,
    /// The body after it.
    pub(super) body: Body,
    /// For HTTP: the kind of message.
    pub(super) start: Option<Start>,
}

/// A start line of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// A request.
    Request(Method),
    /// A response: its status, or 0 if that is not a number.
    Response(u16),
}

/// What a request's method says of the body of its response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Method {
    /// HEAD: the response has none, whatever its fields say.
    Head,
    /// CONNECT: on success, the connection becomes a tunnel.
    Connect,
    /// The fields decide.
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

/// Looks at the start of `bytes`, which are not empty. For the first `seen` of them the result was
/// [`Front::More`]; they are not searched again, because a head that arrives byte by byte would
/// cost the square of its length. `None` as protocol means that it is not known yet. A response
/// answers a request with the method `asked`.
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

/// The possible beginnings of an HTTP/1 message.
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

/// Whether an HTTP/1 message may begin here, with enough bytes to tell.
pub(super) fn begins_http(bytes: &[u8]) -> bool {
    STARTS.iter().any(|start| bytes.starts_with(start))
}

fn http(bytes: &[u8], seen: usize, asked: Method) -> Front {
    if !STARTS.iter().any(|start| begins(bytes, start)) {
        return Front::No;
    }
    // The empty line may have begun in the bytes already seen.
    let from = seen.saturating_sub(3);
    let fresh = bytes.get(from..).unwrap_or_default();
    let Some(end) = section_end(fresh) else {
        return Front::More;
    };
    let end = from + end;
    let mut found = Found::plain(Protocol::Http, 0, end);
    let section = bytes.get(..end).unwrap_or_default();
    let start = start_of(section);
    // A section that breaks a rule is still shown; but then the end of its body is not known.
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

/// Where the empty line ends. A line may end in LF alone, as from a script (RFC 9112 §2.2): code
/// that waited for CR would take the next message for a part of this one.
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

/// The section in the form that the parser accepts, with CR before every LF. `None` if no line
/// ended in LF alone, so that the parser refused the section for another reason.
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
