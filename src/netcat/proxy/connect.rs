//! HTTP's CONNECT (RFC 9110 §9.3.6): a request, and after the header section of a 2xx reply the
//! stream is the target's.

use super::{MAX_HEAD, NO_HOST, ProxyError, authority};
use crate::net::Host;

/// What a header section is to begin with.
const START: &[u8] = b"HTTP/1.";

/// What is known of the reply.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is not whole.
    More,
    /// It is, and it says yes.
    Connected,
}

/// The request; its target is in authority form (RFC 9112 §3.2.3).
pub fn request(host: &Host, port: u16) -> Result<Vec<u8>, ProxyError> {
    let target = authority(host, port).ok_or(NO_HOST)?;
    Ok(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").into_bytes())
}

/// Looks at the reply so far, to be called after each byte.
pub fn check(head: &[u8]) -> Result<Reply, ProxyError> {
    let begins_well = head
        .iter()
        .zip(START)
        .all(|(given, wanted)| given == wanted);
    if !begins_well {
        return Err(ProxyError::NotTheProtocol("HTTP", head.to_vec()));
    }
    if !head.ends_with(b"\r\n\r\n") && !head.ends_with(b"\n\n") {
        return match head.len() < MAX_HEAD {
            true => Ok(Reply::More),
            false => Err(ProxyError::TooLong),
        };
    }
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let status = String::from_utf8_lossy(line.trim_ascii_end());
    let status = status.split_once(' ').map_or("", |(_, rest)| rest);
    match status.get(..3) {
        Some("407") => Err(ProxyError::Authentication),
        Some(code) if code.starts_with('2') => Ok(Reply::Connected),
        // In quotes only where it could do harm on a terminal.
        _ => Err(ProxyError::Refused(status.escape_debug().to_string())),
    }
}
