//! Field lines: the names that matter to an intermediary, values, and lists of elements.
//!
//! ```text
//!  Connection: keep-alive, X-Hop\r\n
//!  name      | |  value         |        a Span records where they are; nothing is copied
//! ```
//!
//! A header section is kept as the bytes that arrived and one [`Span`] for each line. [`Fields`]
//! reads both. Names are compared once, without regard to case (RFC 9110 §5.1): the span records
//! the [`Name`].

use super::error::Rule;
use super::octets::{self, TOKEN, VALUE};

macro_rules! names {
    ($($name:ident $text:literal,)+) => {
        /// A field name that this crate looks for, or any other.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)] // they are named after the fields
        pub enum Name {
            $($name,)+
            Other,
        }

        impl Name {
            /// The known name of these bytes, or other.
            pub fn of(bytes: &[u8]) -> Name {
                match bytes.len() {
                    $(length if length == $text.len()
                        && bytes.eq_ignore_ascii_case($text.as_bytes()) => Name::$name,)+
                    _ => Name::Other,
                }
            }
        }
    };
}

// One list for the enum and the comparison, the most frequent names first.
names! {
    Host "Host",
    UserAgent "User-Agent",
    Accept "Accept",
    Connection "Connection",
    ContentLength "Content-Length",
    ContentType "Content-Type",
    Date "Date",
    Server "Server",
    TransferEncoding "Transfer-Encoding",
    Te "TE",
    Trailer "Trailer",
    Upgrade "Upgrade",
    KeepAlive "Keep-Alive",
    ProxyConnection "Proxy-Connection",
    ProxyAuthenticate "Proxy-Authenticate",
    ProxyAuthorization "Proxy-Authorization",
    ProxyAuthenticationInfo "Proxy-Authentication-Info",
    Expect "Expect",
    Via "Via",
    Forwarded "Forwarded",
    XForwardedFor "X-Forwarded-For",
    XForwardedProto "X-Forwarded-Proto",
    XForwardedHost "X-Forwarded-Host",
    MaxForwards "Max-Forwards",
    Referer "Referer",
    Authorization "Authorization",
    Cookie "Cookie",
    SetCookie "Set-Cookie",
    ContentEncoding "Content-Encoding",
    ContentRange "Content-Range",
    Range "Range",
    CacheControl "Cache-Control",
    Allow "Allow",
}

impl Name {
    /// Whether it concerns one connection only, so that it is never passed on (RFC 9110 §7.6.1).
    /// The three for authentication at a proxy (§11.7) are between the client and that proxy.
    pub fn is_hop_by_hop(self) -> bool {
        matches!(
            self,
            Name::Connection
                | Name::TransferEncoding
                | Name::Te
                | Name::Upgrade
                | Name::KeepAlive
                | Name::ProxyConnection
                | Name::ProxyAuthenticate
                | Name::ProxyAuthorization
                | Name::ProxyAuthenticationInfo
        )
    }

    /// Whether it is not allowed in a trailer section: it says where the message goes, how long it
    /// is, who sent it, or how to read it (RFC 9110 §6.5.1).
    pub fn is_forbidden_in_trailers(self) -> bool {
        !matches!(self, Name::Other | Name::Server | Name::Via | Name::Date)
    }
}

/// Where a field line's name and value are, as offsets from the beginning of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub(super) name: Name,
    start: u32,
    colon: u32,
    value: u32,
    end: u32,
}

/// A field line as it arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The known name, or other.
    pub known: Name,
    /// The name as it was written.
    pub name: &'a [u8],
    /// The value, without the white space around it.
    pub value: &'a [u8],
}

/// What [`line`] found.
pub(super) enum Line {
    /// The line is not complete yet.
    More,
    /// The empty line that ends the section, and the offset after it.
    End(usize),
    /// A field line, and the offset after it.
    Field(Span, usize),
}

/// Reads one line of a section: `bytes[at..]`, of at most `limit` bytes.
pub(super) fn line(bytes: &[u8], at: usize, limit: usize) -> Result<Line, Rule> {
    let rest = bytes.get(at..).unwrap_or_default();
    match rest {
        [] | [b'\r'] => return Ok(Line::More),
        [b'\r', b'\n', ..] => return Ok(Line::End(at + 2)),
        [b'\r', ..] => return Err(Rule::BareCarriageReturn),
        [b'\n', ..] => return Err(Rule::BareLineFeed),
        [b' ' | b'\t', ..] => return Err(Rule::FoldedLine),
        [b':', ..] => return Err(Rule::EmptyName),
        _ => {}
    }
    let colon = octets::span(rest, TOKEN);
    let after = rest.get(colon..).unwrap_or_default();
    match after.first() {
        _ if colon > limit => return Err(Rule::FieldTooLong),
        Some(b':') => {}
        None => return Ok(Line::More),
        Some(_) => return Err(Rule::BadName),
    }
    let raw = after.get(1..).unwrap_or_default();
    let length = octets::span(raw, VALUE);
    let end = colon + 1 + length;
    if end > limit {
        return Err(Rule::FieldTooLong);
    }
    match raw.get(length..).unwrap_or_default() {
        [] | [b'\r'] => Ok(Line::More),
        [b'\r', b'\n', ..] => {
            let value = octets::trim(raw.get(..length).unwrap_or_default());
            let lead = octets_before(raw, value);
            let span = Span::new(bytes, at, colon, colon + 1 + lead, value.len());
            Ok(Line::Field(span, at + end + 2))
        }
        [b'\r', ..] => Err(Rule::BareCarriageReturn),
        [b'\n', ..] => Err(Rule::BareLineFeed),
        [_, ..] => Err(Rule::BadValue),
    }
}

/// The offset in `raw` at which its part `value` begins.
fn octets_before(raw: &[u8], value: &[u8]) -> usize {
    if value.is_empty() {
        return 0;
    }
    raw.iter()
        .position(|byte| !matches!(byte, b' ' | b'\t'))
        .unwrap_or(0)
}

impl Span {
    /// Offsets are below the limit of a section, which [`HeadParser`](super::HeadParser) keeps below
    /// 4 GiB.
    fn new(bytes: &[u8], at: usize, colon: usize, value: usize, length: usize) -> Self {
        let name = bytes.get(at..at + colon).unwrap_or_default();
        Span {
            name: Name::of(name),
            start: at as u32,
            colon: (at + colon) as u32,
            value: (at + value) as u32,
            end: (at + value + length) as u32,
        }
    }

    fn field<'a>(&self, bytes: &'a [u8]) -> Field<'a> {
        let part = |from: u32, to: u32| bytes.get(from as usize..to as usize).unwrap_or_default();
        Field {
            known: self.name,
            name: part(self.start, self.colon),
            value: part(self.value, self.end),
        }
    }
}

/// The field lines of a section, in order.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fields<'a> {
    bytes: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Fields<'a> {
    pub(super) fn new(bytes: &'a [u8], spans: &'a [Span]) -> Self {
        Self { bytes, spans }
    }

    /// The number of lines.
    pub fn len(self) -> usize {
        self.spans.len()
    }

    /// Whether there are no lines.
    pub fn is_empty(self) -> bool {
        self.spans.is_empty()
    }

    /// The lines.
    pub fn iter(self) -> impl Iterator<Item = Field<'a>> {
        self.spans.iter().map(move |span| span.field(self.bytes))
    }

    /// The values of all lines with this name.
    pub fn all(self, name: Name) -> impl Iterator<Item = &'a [u8]> {
        self.spans
            .iter()
            .filter(move |span| span.name == name)
            .map(move |span| span.field(self.bytes).value)
    }

    /// The value of the first line with this name.
    pub fn get(self, name: Name) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// The elements of a list-based field (RFC 9110 §5.6.1), from all its lines, without white
    /// space and empty elements.
    pub fn elements(self, name: Name) -> impl Iterator<Item = &'a [u8]> {
        self.all(name).flat_map(elements)
    }
}

/// The elements of one list value.
pub fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|&byte| byte == b',')
        .map(octets::trim)
        .filter(|element| !element.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Result<Option<(String, String, usize)>, Rule> {
        match line(text.as_bytes(), 0, 40)? {
            Line::More => Ok(None),
            Line::End(next) => Ok(Some((String::new(), String::new(), next))),
            Line::Field(span, next) => {
                let field = span.field(text.as_bytes());
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                Ok(Some((text(field.name), text(field.value), next)))
            }
        }
    }

    #[test]
    fn a_line_is_a_name_a_colon_and_a_value_without_the_space_around() {
        for (text, name, value) in [
            ("Host: a\r\n", "Host", "a"),
            ("host:a\r\nx", "host", "a"),
            ("A:\r\n", "A", ""),
            ("A: \t \r\n", "A", ""),
            ("A:  b c\t\r\n", "A", "b c"),
            ("A: \u{e9}\r\n", "A", "\u{e9}"),
            ("\r\n", "", ""),
        ] {
            let next = text.find('\n').unwrap() + 1;
            let wanted = (name.to_string(), value.to_string(), next);
            assert_eq!(one(text), Ok(Some(wanted)), "{text:?}");
        }
    }

    #[test]
    fn what_is_cut_wants_more_and_what_is_wrong_is_refused_at_once() {
        let whole = "Host: a b\r\n";
        for cut in 0..whole.len() {
            assert_eq!(one(&whole[..cut]), Ok(None), "{cut}");
        }
        for (text, rule) in [
            ("A : b", Rule::BadName),
            ("A\u{b}: b", Rule::BadName),
            ("A b: c", Rule::BadName),
            ("A\r\n", Rule::BadName),
            ("\u{e9}: b", Rule::BadName),
            (": b", Rule::EmptyName),
            (" A: b", Rule::FoldedLine),
            ("\tA: b", Rule::FoldedLine),
            ("A: b\n", Rule::BareLineFeed),
            ("\n", Rule::BareLineFeed),
            ("A: b\rc", Rule::BareCarriageReturn),
            ("\rA", Rule::BareCarriageReturn),
            ("A: b\0", Rule::BadValue),
            ("A: b\u{7f}", Rule::BadValue),
        ] {
            assert_eq!(one(text), Err(rule), "{text:?}");
        }
    }

    #[test]
    fn a_line_of_the_limit_passes_and_one_byte_more_does_not() {
        let of = |length: usize| format!("A: {}\r\n", "b".repeat(length - 3));
        assert!(one(&of(40)).unwrap().is_some());
        assert_eq!(one(&of(41)), Err(Rule::FieldTooLong));
        assert_eq!(one(&of(41)[..41]), Err(Rule::FieldTooLong));
        assert_eq!(one(&"A".repeat(41)), Err(Rule::FieldTooLong));
    }

    #[test]
    fn lists_are_read_over_all_lines_and_empty_elements_do_not_count() {
        let bytes = b"Connection: a, ,b\r\nX: c\r\nconnection:,d ,\r\n\r\n";
        let (mut at, mut spans) = (0, Vec::new());
        while let Line::Field(span, next) = line(bytes, at, 99).unwrap() {
            spans.push(span);
            at = next;
        }
        let fields = Fields::new(bytes, &spans);
        let elements: Vec<_> = fields.elements(Name::Connection).collect();
        assert_eq!(elements, [b"a", b"b", b"d"]);
        assert_eq!((fields.len(), fields.get(Name::Host)), (3, None));
    }
}
