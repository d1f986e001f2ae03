//! Finds the header section in bytes that arrive in parts, and what its lines are.
//!
//! ```text
//!   advance(bytes) ──> false: it needs more bytes    each line is checked when it is complete,
//!        |             true: it is complete          so what is wrong is refused at once
//!        v
//!   request(bytes) or response(bytes, method)        what it means: framing, host, connection
//! ```
//!
//! A parser belongs to a connection and is used for one message after another
//! ([`reset`](HeadParser::reset)); its list of spans is its only memory, and is kept. If a peer
//! sends a line byte by byte, that line is read again and again, but no line before it. So the work
//! is bounded by the square of a line's limit, not of the section's.

use super::error::Rule;
use super::field::{self, Fields, Line, Span};
use super::framing::Version;
use super::limits::Limits;
use super::octets::{self, TARGET, TOKEN, VALUE};

/// The longest section that a parser accepts, whatever its limits are: offsets are 32 bits.
const LONGEST: usize = 1 << 30;

/// Requests or responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Request,
    Response,
}

/// The parts of the first line, as offsets from the beginning of the message.
#[derive(Clone, Copy, Debug)]
pub(super) struct StartLine {
    pub version: Version,
    /// In a request, the end of the method; the target begins one byte later.
    pub method_end: usize,
    /// In a request, the end of the target; in a response, of the reason phrase.
    pub end: usize,
    /// In a response.
    pub status: u16,
}

/// Reads header sections, one after another.
#[derive(Debug)]
pub struct HeadParser {
    kind: Kind,
    limits: Limits,
    /// Where the message begins: after the empty line that may precede a request.
    pub(super) begin: usize,
    /// Where the first line begins that was not read yet.
    at: usize,
    pub(super) start: Option<StartLine>,
    spans: Vec<Span>,
    is_whole: bool,
}

impl HeadParser {
    /// A parser for requests.
    pub fn requests(limits: Limits) -> Self {
        Self::new(Kind::Request, limits)
    }

    /// A parser for responses.
    pub fn responses(limits: Limits) -> Self {
        Self::new(Kind::Response, limits)
    }

    fn new(kind: Kind, mut limits: Limits) -> Self {
        limits.section = limits.section.min(LONGEST);
        Self {
            kind,
            limits,
            begin: 0,
            at: 0,
            start: None,
            spans: Vec::new(),
            is_whole: false,
        }
    }

    /// Starts with the next message. The caller has removed the bytes of the last one.
    pub fn reset(&mut self) {
        (self.begin, self.at, self.start) = (0, 0, None);
        self.spans.clear();
        self.is_whole = false;
    }

    /// The limits that it was made with.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Reads what has arrived. `bytes` is everything from the beginning of the message; the bytes
    /// of earlier calls have not changed. Returns whether the section is complete.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<bool, Rule> {
        if self.is_whole {
            return Ok(true);
        }
        if self.start.is_none() {
            self.skip_empty_line(bytes);
            let Some((start, next)) = self.start_line(bytes)? else {
                return Ok(false);
            };
            (self.start, self.at) = (Some(start), next);
        }
        loop {
            match field::line(bytes, self.at, self.limits.field_line)? {
                Line::More if bytes.len() - self.begin > self.limits.section => {
                    return Err(Rule::SectionTooLong);
                }
                Line::More => return Ok(false),
                Line::End(next) => {
                    self.at = next;
                    self.within_section()?;
                    self.is_whole = true;
                    return Ok(true);
                }
                Line::Field(span, next) => {
                    self.at = next;
                    self.within_section()?;
                    if self.spans.len() >= self.limits.fields {
                        return Err(Rule::TooManyFields);
                    }
                    self.spans.push(span);
                }
            }
        }
    }

    fn within_section(&self) -> Result<(), Rule> {
        match self.at - self.begin > self.limits.section {
            true => Err(Rule::SectionTooLong),
            false => Ok(()),
        }
    }

    /// The length of the section in bytes, with an empty line before it.
    pub(super) fn length(&self) -> usize {
        self.at
    }

    pub(super) fn fields<'a>(&'a self, bytes: &'a [u8]) -> Fields<'a> {
        Fields::new(bytes, &self.spans)
    }

    /// Skips one empty line before a request: old clients sent one after a body (RFC 9112 §2.2).
    fn skip_empty_line(&mut self, bytes: &[u8]) {
        if self.kind == Kind::Request && bytes.starts_with(b"\r\n") && self.at == 0 {
            (self.begin, self.at) = (2, 2);
        }
    }

    fn start_line(&self, bytes: &[u8]) -> Result<Option<(StartLine, usize)>, Rule> {
        let line = bytes.get(self.begin..).unwrap_or_default();
        let found = match self.kind {
            Kind::Request => request_line(line, self.limits.start_line)?,
            Kind::Response => status_line(line, self.limits.start_line)?,
        };
        Ok(found.map(|(start, length)| (start.moved(self.begin), self.begin + length)))
    }
}

impl StartLine {
    fn moved(mut self, by: usize) -> Self {
        self.method_end += by;
        self.end += by;
        self
    }
}

/// `METHOD SP TARGET SP VERSION CRLF` (RFC 9112 §3), and its length.
fn request_line(line: &[u8], limit: usize) -> Result<Option<(StartLine, usize)>, Rule> {
    if matches!(line, [] | [b'\r']) {
        return Ok(None);
    }
    let method = octets::span(line, TOKEN);
    match line.get(method) {
        _ if method > limit => return Err(Rule::MethodTooLong),
        None => return Ok(None),
        Some(b' ') if method > 0 => {}
        Some(_) => return Err(Rule::BadMethod),
    }
    let rest = line.get(method + 1..).unwrap_or_default();
    let target = octets::span(rest, TARGET);
    let end = method + 1 + target;
    match rest.get(target) {
        _ if end > limit => return Err(Rule::TargetTooLong),
        None => return Ok(None),
        Some(b' ') if target > 0 => {}
        Some(b'#') => return Err(Rule::Fragment),
        Some(_) => return Err(Rule::BadRequestLine),
    }
    let rest = line.get(end + 1..).unwrap_or_default();
    let Some((version, length)) = version(rest)? else {
        return Ok(None);
    };
    let whole = end + 1 + length;
    if whole > limit {
        return Err(Rule::TargetTooLong);
    }
    let start = StartLine {
        version,
        method_end: method,
        end,
        status: 0,
    };
    Ok(line_end(rest, length, Rule::BadRequestLine)?.then_some((start, whole + 2)))
}

/// `VERSION SP CODE SP REASON CRLF` (RFC 9112 §4), and its length. The second space may be missing
/// if there is no reason: many servers leave it out, and nothing becomes ambiguous.
fn status_line(line: &[u8], limit: usize) -> Result<Option<(StartLine, usize)>, Rule> {
    let Some((version, length)) = version(line).map_err(|rule| match rule {
        Rule::UnknownVersion => Rule::UnknownVersion,
        _ => Rule::BadStatusLine,
    })?
    else {
        return Ok(None);
    };
    let rest = line.get(length..).unwrap_or_default();
    let Some(status) = status_code(rest)? else {
        return Ok(None);
    };
    let reason = match rest.get(4) {
        None => return Ok(None),
        Some(b' ') => octets::span(rest.get(5..).unwrap_or_default(), VALUE) + 1,
        Some(_) => 0,
    };
    let end = length + 4 + reason;
    if end > limit {
        return Err(Rule::StatusLineTooLong);
    }
    let start = StartLine {
        version,
        method_end: 0,
        end,
        status,
    };
    Ok(line_end(rest, 4 + reason, Rule::BadStatusLine)?.then_some((start, end + 2)))
}

/// A space and three digits, the first of which is 1 to 5 (RFC 9110 §15).
fn status_code(rest: &[u8]) -> Result<Option<u16>, Rule> {
    let mut code = 0;
    for (index, byte) in rest.iter().take(4).enumerate() {
        match (index, byte) {
            (0, b' ') => {}
            (1, b'1'..=b'5') | (2 | 3, b'0'..=b'9') => code = code * 10 + u16::from(byte - b'0'),
            _ => return Err(Rule::BadStatusLine),
        }
    }
    Ok((rest.len() >= 4).then_some(code))
}

/// `HTTP/1.x`, and its length of eight. A minor version above 1 is treated as 1.1 (RFC 9110 §2.5).
fn version(bytes: &[u8]) -> Result<Option<(Version, usize)>, Rule> {
    const NAME: &[u8] = b"HTTP/";
    let known = bytes.len().min(NAME.len());
    if bytes.get(..known) != NAME.get(..known) {
        return Err(Rule::BadVersion);
    }
    match bytes.get(NAME.len()..).unwrap_or_default() {
        [] | [b'0'..=b'9'] | [b'0'..=b'9', b'.'] => Ok(None),
        [b'1', b'.', b'0', ..] => Ok(Some((Version::Http10, 8))),
        [b'1', b'.', b'1'..=b'9', ..] => Ok(Some((Version::Http11, 8))),
        [b'0'..=b'9', b'.', b'0'..=b'9', ..] => Err(Rule::UnknownVersion),
        _ => Err(Rule::BadVersion),
    }
}

/// Whether there is a CRLF at `at`; `false` when it has not arrived yet.
fn line_end(bytes: &[u8], at: usize, otherwise: Rule) -> Result<bool, Rule> {
    match bytes.get(at..).unwrap_or_default() {
        [] | [b'\r'] => Ok(false),
        [b'\r', b'\n', ..] => Ok(true),
        [b'\r', ..] => Err(Rule::BareCarriageReturn),
        [b'\n', ..] => Err(Rule::BareLineFeed),
        _ => Err(otherwise),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_too_long_before_its_last_line_is_whole() {
        let limits = Limits {
            section: 64,
            ..Limits::default()
        };
        let mut parser = HeadParser::requests(limits);
        let mut bytes = b"GET / HTTP/1.1\r\nX: ".to_vec();
        bytes.resize(64, b'x');
        assert_eq!(parser.advance(&bytes), Ok(false));
        bytes.push(b'x');
        assert_eq!(parser.advance(&bytes), Err(Rule::SectionTooLong));
    }
}
