//! HTTP's CONNECT (RFC 9110 §9.3.6): a request. After the header section of a 2xx reply, the stream
//! is the target's. Interim replies (1xx) may come before it.

use super::{MAX_HEAD, NO_HOST, ProxyError, authority};
use crate::net::Host;

/// How a header section must begin.
const START: &[u8] = b"HTTP/1.";
/// At most this many bytes of a proxy's line are shown.
const MOST_TOLD: usize = 200;

/// The state of the reply.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is not complete yet.
    More,
    /// It is complete, and the connection was made.
    Connected,
}

/// The request; its target is in authority form (RFC 9112 §3.2.3).
pub fn request(host: &Host, port: u16) -> Result<Vec<u8>, ProxyError> {
    let target = authority(host, port).ok_or(NO_HOST)?;
    Ok(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").into_bytes())
}

/// The header sections of the replies so far: interim ones, and the final one.
#[derive(Clone, Debug, Default)]
pub struct Heads {
    /// All header sections together, so that endless short ones also reach the limit.
    bytes: Vec<u8>,
    /// Where the last section begins.
    start: usize,
}

impl Heads {
    /// Takes the next byte.
    pub fn take(&mut self, byte: u8) -> Result<Reply, ProxyError> {
        self.bytes.push(byte);
        let head = self.bytes.get(self.start..).unwrap_or_default();
        let mut pairs = head.iter().zip(START);
        if !pairs.all(|(given, wanted)| given == wanted) {
            return Err(ProxyError::NotTheProtocol("HTTP", head.to_vec()));
        }
        // An empty line; the CR before either LF may be missing (RFC 9112 §2.2).
        let is_whole = head.ends_with(b"\n\r\n") || head.ends_with(b"\n\n");
        if is_whole && judge(head)? == Reply::Connected {
            return Ok(Reply::Connected);
        }
        if self.bytes.len() >= MAX_HEAD {
            return Err(ProxyError::TooLong);
        }
        if is_whole {
            self.start = self.bytes.len();
        }
        Ok(Reply::More)
    }
}

/// The meaning of a complete header section; after an interim one, more follows.
fn judge(head: &[u8]) -> Result<Reply, ProxyError> {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.trim_ascii_end();
    let line = line.get(..MOST_TOLD).unwrap_or(line);
    let Some((code, rest)) = status(line) else {
        return Err(ProxyError::NotTheProtocol("HTTP", line.to_vec()));
    };
    match code {
        // Skipped (RFC 9110 §15.2), except "switching protocols", which was not requested.
        [b'1', ..] if code != b"101" => Ok(Reply::More),
        [b'2', ..] => Ok(Reply::Connected),
        b"407" => Err(ProxyError::Authentication),
        _ => {
            // Escaped only where it could affect a terminal.
            let words = String::from_utf8_lossy(rest);
            Err(ProxyError::Refused(words.escape_debug().to_string()))
        }
    }
}

/// The three digits of a status line, and the line from there on: `HTTP/1.1 200 OK` (RFC 9112 §4).
/// The space after the digits may be missing if no text follows.
fn status(line: &[u8]) -> Option<(&[u8; 3], &[u8])> {
    let [b'0'..=b'9', b' ', rest @ ..] = line.strip_prefix(START)? else {
        return None;
    };
    let (code, words) = rest.split_first_chunk::<3>()?;
    let is_code = code.iter().all(u8::is_ascii_digit) && matches!(words, [] | [b' ', ..]);
    is_code.then_some((code, rest))
}
