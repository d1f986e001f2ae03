//! SOCKS 5 (RFC 1928): first the method of authentication, then the request.
//!
//! ```text
//! greeting       5  methods (1)  none (0)                      reply    5  method
//! request        5  connect (1)  0  type  address  port (2)    reply    5  code  0  type  address  port
//! ```
//!
//! Addresses are of type 1 (4 bytes), 3 (a length and a name), or 4 (16 bytes).

use super::{NO_HOST, ProxyError};
use crate::net::Host;
use std::net::IpAddr;

/// Version 5, one method, none (RFC 1928 §3).
pub const GREETING: [u8; 3] = [5, 1, 0];
/// The length of the reply to it, in bytes.
pub const GREETING_REPLY: usize = 2;
/// The start of a reply that tells its length, in bytes: up to the first byte of the address.
pub const REPLY_START: usize = 5;

/// The request (§4). A name is left to the proxy, which may know names that this machine does not.
pub fn request(host: &Host, port: u16) -> Result<Vec<u8>, ProxyError> {
    let mut bytes = vec![5, 1, 0];
    match host {
        Host::Any => return Err(NO_HOST),
        Host::Ip(ip) => match ip.ip() {
            IpAddr::V4(ip) => {
                bytes.push(1);
                bytes.extend(ip.octets());
            }
            IpAddr::V6(ip) => {
                bytes.push(4);
                bytes.extend(ip.octets());
            }
        },
        Host::Name(name) => {
            let Ok(length) = u8::try_from(name.len()) else {
                return Err(ProxyError::Target("SOCKS 5 has names of at most 255 bytes"));
            };
            bytes.extend([3, length]);
            bytes.extend(name.bytes());
        }
    }
    bytes.extend(port.to_be_bytes());
    Ok(bytes)
}

/// Whether the proxy continues without authentication.
pub fn check_greeting(bytes: &[u8]) -> Result<(), ProxyError> {
    match bytes {
        [5, 0] => Ok(()),
        [5, _] => Err(ProxyError::Authentication),
        _ => Err(ProxyError::NotTheProtocol("SOCKS 5", bytes.to_vec())),
    }
}

/// Checks the start of the reply (§6); returns how many bytes follow.
pub fn check(bytes: &[u8]) -> Result<usize, ProxyError> {
    match *bytes {
        // One byte of the address has been read already.
        [5, 0, _, 1, _] => Ok(3 + 2),
        [5, 0, _, 3, length] => Ok(usize::from(length) + 2),
        [5, 0, _, 4, _] => Ok(15 + 2),
        [5, code, _, _, _] if code != 0 => Err(ProxyError::Refused(meaning(code))),
        _ => Err(ProxyError::NotTheProtocol("SOCKS 5", bytes.to_vec())),
    }
}

fn meaning(code: u8) -> String {
    let words = match code {
        1 => "general failure",
        2 => "not allowed by its rules",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "time to live expired",
        7 => "it cannot connect",
        8 => "it does not know this kind of address",
        _ => return format!("code {code}"),
    };
    words.to_string()
}
