//! Where a message ends: the most attacked lines of the protocol (RFC 9112 §6).
//!
//! | message | body |
//! |---|---|
//! | response to HEAD, 1xx, 204, 304; 2xx to CONNECT | none, whatever its fields say |
//! | `Transfer-Encoding: chunked` | chunks, up to the last one |
//! | `Content-Length: N` | N bytes |
//! | other response | up to the end of the connection |
//! | other request | none |
//!
//! The RFC tells recipients how to handle a message with both fields, with several lengths, with
//! other codings, or with an empty element beside `chunked` (RFC 9110 §5.6.1.2). This one refuses
//! them all (see [`Rule`]).

use super::error::Rule;
use super::field::{Fields, Name};
use super::octets;

/// The versions that are supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0: one request a connection unless both sides say otherwise, no chunks.
    Http10,
    /// HTTP/1.1, and later ones with the same major number.
    Http11,
}

impl Version {
    /// The version as on the wire.
    pub fn text(self) -> &'static str {
        match self {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
        }
    }
}

/// How the end of a message's body is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    #[default]
    None,
    /// This many bytes.
    Length(u64),
    /// Chunks (RFC 9112 §7.1), for a [`ChunkReader`](super::ChunkReader).
    Chunked,
    /// All bytes up to the end of the connection: responses only.
    UntilClose,
}

/// The framing that the fields of a header section state.
pub(super) fn of_fields(version: Version, fields: Fields<'_>) -> Result<Option<Framing>, Rule> {
    let is_chunked = transfer_encoding(fields)?;
    let length = content_length(fields)?;
    match (is_chunked, length) {
        (true, _) if version == Version::Http10 => Err(Rule::CodingInOldVersion),
        (true, Some(_)) => Err(Rule::LengthAndCoding),
        (true, None) => Ok(Some(Framing::Chunked)),
        (false, Some(0)) => Ok(Some(Framing::None)),
        (false, length) => Ok(length.map(Framing::Length)),
    }
}

/// Whether there is a Transfer-Encoding; if there is, it must be `chunked` and nothing else.
fn transfer_encoding(fields: Fields<'_>) -> Result<bool, Rule> {
    let mut lines = fields.all(Name::TransferEncoding);
    let Some(value) = lines.next() else {
        return Ok(false);
    };
    if value.eq_ignore_ascii_case(b"chunked") && lines.next().is_none() {
        return Ok(true);
    }
    // Tell the two errors apart: another coding than chunked, or chunked in a wrong way.
    let all = || fields.elements(Name::TransferEncoding);
    let is_chunked = |element: &[u8]| element.eq_ignore_ascii_case(b"chunked");
    let chunked = all().filter(|element| is_chunked(coding(element))).count();
    let last = all().last().is_some_and(is_chunked);
    let tokens = all().all(|element| octets::is_token(coding(element)));
    match tokens && chunked == 1 && last && all().count() > 1 {
        true => Err(Rule::UnknownCoding),
        // A list that does not end in chunked is 400, even with an unknown coding (RFC 9112 §6.3).
        false => Err(Rule::BadCoding),
    }
}

/// The name of a transfer coding, without its parameters.
fn coding(element: &[u8]) -> &[u8] {
    let name = element.split(|&byte| byte == b';').next();
    octets::trim(name.unwrap_or_default())
}

fn content_length(fields: Fields<'_>) -> Result<Option<u64>, Rule> {
    let mut lines = fields.all(Name::ContentLength);
    let Some(value) = lines.next() else {
        return Ok(None);
    };
    if lines.next().is_some() {
        return Err(Rule::TwoLengths);
    }
    decimal(value).map(Some).ok_or(Rule::BadLength)
}

/// A number of decimal digits only. `None` for anything else and for numbers beyond 2^63, where
/// sums of lengths could overflow.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, byte| match byte {
        b'0'..=b'9' => number
            .checked_mul(10)?
            .checked_add(u64::from(byte - b'0'))
            .filter(|&number| number < 1 << 63),
        _ => None,
    })
}

/// The options of Connection that matter here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    pub close: bool,
    pub keep_alive: bool,
    pub upgrade: bool,
}

/// The options of Connection (RFC 9110 §7.6.1).
pub(super) fn connection(fields: Fields<'_>) -> Result<Options, Rule> {
    let mut options = Options::default();
    for option in fields.elements(Name::Connection) {
        if option.eq_ignore_ascii_case(b"close") {
            options.close = true;
        } else if option.eq_ignore_ascii_case(b"keep-alive") {
            options.keep_alive = true;
        } else if option.eq_ignore_ascii_case(b"upgrade") {
            options.upgrade = true;
        } else if !octets::is_token(option) {
            return Err(Rule::BadConnection);
        }
    }
    Ok(options)
}

impl Options {
    /// Whether the connection stays open after this message (RFC 9112 §9.3). A proxy that the client
    /// chose must not keep the connection of an HTTP/1.0 client. A gateway may, because towards its
    /// clients the rules of an origin server hold (RFC 9110 §3.7).
    pub(super) fn persists(self, version: Version) -> bool {
        !self.close && (version == Version::Http11 || self.keep_alive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_digits_only_and_fits_63_bits() {
        for (text, number) in [
            ("0", Some(0)),
            ("007", Some(7)),
            ("9223372036854775807", Some(i64::MAX as u64)),
            ("9223372036854775808", None),
            ("99999999999999999999", None),
            ("", None),
            ("+1", None),
            ("-1", None),
            ("1 ", None),
            ("0x1", None),
            ("1,1", None),
            ("\u{0661}", None),
        ] {
            assert_eq!(decimal(text.as_bytes()), number, "{text:?}");
        }
    }
}
