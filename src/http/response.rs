//! A response's header section and what it means (RFC 9112 §4, RFC 9110 §15).

use super::error::Rule;
use super::field::Fields;
use super::framing::{self, Framing, Version};
use super::parser::HeadParser;

/// A response's header section. It borrows the bytes that it was read from.
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'a> {
    /// The status code, 100 to 599.
    pub status: u16,
    /// The reason phrase. It has no meaning and may be empty.
    pub reason: &'a [u8],
    /// The version.
    pub version: Version,
    /// The field lines.
    pub fields: Fields<'a>,
    /// Where the body ends.
    pub framing: Framing,
    /// Whether the server keeps the connection (RFC 9112 §9.3). Never after
    /// [`Framing::UntilClose`].
    pub keep_alive: bool,
    /// The length of the section in bytes.
    pub length: usize,
}

impl HeadParser {
    /// The response whose section [`advance`](Self::advance) found complete in `bytes`, to a
    /// request with this method.
    pub fn response<'a>(&'a self, bytes: &'a [u8], method: &str) -> Result<ResponseHead<'a>, Rule> {
        let start = self.start.as_ref().ok_or(Rule::BadStatusLine)?;
        let (fields, version, status) = (self.fields(bytes), start.version, start.status);
        // Checked even if it is not used: a server that sends two lengths is broken, whatever the
        // status.
        let said = framing::of_fields(version, fields)?;
        let options = framing::connection(fields)?;
        let framing = match status {
            100..=199 | 204 | 304 => Framing::None,
            200..=299 if method == "CONNECT" => Framing::None,
            _ if method == "HEAD" => Framing::None,
            _ => said.unwrap_or(Framing::UntilClose),
        };
        Ok(ResponseHead {
            status,
            reason: reason(bytes, self.begin, start.end),
            version,
            fields,
            framing,
            keep_alive: options.persists(version) && framing != Framing::UntilClose,
            length: self.length(),
        })
    }
}

impl ResponseHead<'_> {
    /// Whether another response to the same request follows (RFC 9110 §15.2). A 101 is the last
    /// one: another protocol follows it.
    pub fn is_interim(&self) -> bool {
        (100..=199).contains(&self.status) && self.status != 101
    }
}

/// The text after `HTTP/1.1 200 `.
fn reason(bytes: &[u8], begin: usize, end: usize) -> &[u8] {
    const BEFORE: usize = "HTTP/1.1 200 ".len();
    bytes.get(begin + BEFORE..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Limits;

    fn read(text: &str, method: &str) -> Result<String, Rule> {
        let mut parser = HeadParser::responses(Limits::default());
        for end in 0..=text.len() {
            if parser.advance(&text.as_bytes()[..end])? {
                let head = parser.response(text.as_bytes(), method)?;
                let reason = String::from_utf8_lossy(head.reason);
                return Ok(format!(
                    "{} {reason:?} {:?} {}",
                    head.status, head.framing, head.keep_alive
                ));
            }
        }
        Ok("more".into())
    }

    #[test]
    fn the_body_ends_as_status_method_and_fields_say() {
        for (text, method, meaning) in [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n",
                "GET",
                "200 \"OK\" Length(3) true",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n",
                "HEAD",
                "200 \"OK\" None true",
            ),
            (
                "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
                "GET",
                "200 \"\" None true",
            ),
            ("HTTP/1.1 200 \r\n\r\n", "GET", "200 \"\" UntilClose false"),
            (
                "HTTP/1.1 200 Not so OK\r\n\r\n",
                "CONNECT",
                "200 \"Not so OK\" None true",
            ),
            (
                "HTTP/1.1 304 x\r\nContent-Length: 3\r\n\r\n",
                "GET",
                "304 \"x\" None true",
            ),
            (
                "HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n",
                "GET",
                "204 \"x\" None true",
            ),
            (
                "HTTP/1.1 100 Continue\r\n\r\n",
                "GET",
                "100 \"Continue\" None true",
            ),
            (
                "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n",
                "GET",
                "200 \"OK\" Length(3) false",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
                "GET",
                "200 \"OK\" Chunked false",
            ),
        ] {
            assert_eq!(read(text, method).as_deref(), Ok(meaning), "{text:?}");
        }
    }

    #[test]
    fn a_response_that_breaks_a_rule_is_refused() {
        for (text, rule) in [
            ("HTTP/1.1 20 OK\r\n\r\n", Rule::BadStatusLine),
            ("HTTP/1.1 2000 OK\r\n\r\n", Rule::BadStatusLine),
            ("HTTP/1.1 099 OK\r\n\r\n", Rule::BadStatusLine),
            ("HTTP/1.1 600 OK\r\n\r\n", Rule::BadStatusLine),
            ("HTTP/1.1  200 OK\r\n\r\n", Rule::BadStatusLine),
            ("HTTP/2.0 200 OK\r\n\r\n", Rule::UnknownVersion),
            ("ICY 200 OK\r\n\r\n", Rule::BadStatusLine),
            ("HTTP/1.1 200 O\0K\r\n\r\n", Rule::BadStatusLine),
            ("HTTP/1.1 200 OK\n\n", Rule::BareLineFeed),
            ("\r\nHTTP/1.1 200 OK\r\n\r\n", Rule::BadStatusLine),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
                Rule::TwoLengths,
            ),
            (
                "HTTP/1.1 304 OK\r\nContent-Length: x\r\n\r\n",
                Rule::BadLength,
            ),
        ] {
            assert_eq!(read(text, "GET"), Err(rule), "{text:?}");
        }
    }
}
