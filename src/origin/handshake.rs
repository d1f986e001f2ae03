//! The handshake that turns an HTTP/1.1 connection into a WebSocket (RFC 6455 §4.2). Pure.
//!
//! ```text
//!  GET /ws HTTP/1.1                              HTTP/1.1 101 Switching Protocols
//!  Connection: Upgrade                           Connection: Upgrade
//!  Upgrade: websocket                            Upgrade: websocket
//!  Sec-WebSocket-Version: 13
//!  Sec-WebSocket-Key: base64 of 16 bytes   ──>   Sec-WebSocket-Accept: base64 of SHA-1 of (key GUID)
//! ```
//!
//! The answer proves that the server has understood the request: a cache, or a server that does not
//! know WebSocket, could not compute it.

use std::fmt;

use super::sha1::sha1;
use crate::http::{Request, base64, field};

/// What is hashed after the key (RFC 6455 §1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Why a request does not open a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It does not ask for one, or it has content and so cannot: 426, with what to ask for.
    NoUpgrade,
    /// Another version than 13: 426, with the version.
    Version,
    /// It is not a GET: 400.
    Method,
    /// The key is missing, given twice, or not 16 bytes in base64: 400.
    Key,
}

impl Refused {
    /// The status code of the refusal.
    pub fn status(self) -> u16 {
        match self {
            Refused::NoUpgrade | Refused::Version => 426,
            Refused::Method | Refused::Key => 400,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refused::NoUpgrade => "this page is for WebSocket clients (RFC 6455 §4.1)",
            Refused::Version => "the version of WebSocket here is 13 (RFC 6455 §4.4)",
            Refused::Method => "a WebSocket begins with GET (RFC 6455 §4.1)",
            Refused::Key => "Sec-WebSocket-Key is not 16 bytes in base64 (RFC 6455 §4.1)",
        })
    }
}

impl std::error::Error for Refused {}

/// The value of Sec-WebSocket-Accept for a request that opens a WebSocket.
pub fn accept(request: &Request) -> Result<String, Refused> {
    let mut protocols = request.fields.all("Upgrade").flat_map(field::elements);
    if !request.upgrade || !protocols.any(|name| name.eq_ignore_ascii_case(b"websocket")) {
        return Err(Refused::NoUpgrade);
    }
    if request.method != "GET" {
        return Err(Refused::Method);
    }
    if request.fields.get("Sec-WebSocket-Version") != Some(b"13") {
        return Err(Refused::Version);
    }
    let mut keys = request.fields.all("Sec-WebSocket-Key");
    match (keys.next(), keys.next()) {
        (Some(key), None) if is_key(key) => Ok(accept_value(key)),
        _ => Err(Refused::Key),
    }
}

fn is_key(value: &[u8]) -> bool {
    base64::decode(value).is_some_and(|bytes| bytes.len() == 16)
}

fn accept_value(key: &[u8]) -> String {
    base64::encode(&sha1(&[key, GUID].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Limits, ServerExchange};
    use std::io::Cursor;

    const ASKS: &str = "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n";
    const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";

    /// The result of the handshake for a request, read as the server reads it.
    fn accepted(start: &str, fields: &[&str]) -> Result<String, Refused> {
        let text = format!("{start}\r\nHost: a\r\n{}\r\n", fields.concat());
        let stream = Cursor::new(text.into_bytes());
        let mut exchange = ServerExchange::new(stream, Limits::default());
        accept(&exchange.next_request().unwrap().unwrap())
    }

    #[test]
    fn the_answer_is_the_one_of_the_rfc() {
        // RFC 6455 §1.3.
        let accept = accepted("GET /chat HTTP/1.1", &[ASKS, KEY, VERSION]);
        assert_eq!(accept.as_deref(), Ok("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    }

    #[test]
    fn what_is_no_handshake_is_refused_with_what_is_missing() {
        let get = "GET / HTTP/1.1";
        let short_key = "Sec-WebSocket-Key: c2hvcnQ=\r\n";
        for (start, fields, why) in [
            (get, &[KEY, VERSION][..], Refused::NoUpgrade),
            (
                get,
                &["Upgrade: websocket\r\n", KEY, VERSION],
                Refused::NoUpgrade,
            ),
            (
                get,
                &["Connection: Upgrade\r\nUpgrade: h2c\r\n", KEY, VERSION],
                Refused::NoUpgrade,
            ),
            ("GET / HTTP/1.0", &[ASKS, KEY, VERSION], Refused::NoUpgrade),
            ("POST / HTTP/1.1", &[ASKS, KEY, VERSION], Refused::Method),
            (
                get,
                // An Upgrade in a request with content is ignored (RFC 9110 §7.8).
                &[ASKS, KEY, VERSION, "Content-Length: 1\r\n"],
                Refused::NoUpgrade,
            ),
            (get, &[ASKS, KEY], Refused::Version),
            (
                get,
                &[ASKS, KEY, "Sec-WebSocket-Version: 8\r\n"],
                Refused::Version,
            ),
            (get, &[ASKS, VERSION], Refused::Key),
            (get, &[ASKS, VERSION, short_key], Refused::Key),
            (get, &[ASKS, VERSION, KEY, KEY], Refused::Key),
        ] {
            assert_eq!(accepted(start, fields), Err(why), "{start} {fields:?}");
        }
    }
}
