//! SOCKS 4, and 4a for names: one request, one reply of eight bytes.
//!
//! ```text
//! request    4  connect (1)  port (2)  address (4)  user  0  [name  0]
//! reply      0  code  port (2)  address (4)
//! ```
//!
//! The address 0.0.0.x, with x not 0, says that a name follows (4a).

use super::{NO_HOST, ProxyError};
use crate::net::Host;
use std::net::IpAddr;

/// The length of the reply, in bytes.
pub const REPLY: usize = 8;
/// "Request granted".
const GRANTED: u8 = 90;

/// The request, with an empty user name.
pub fn request(host: &Host, port: u16) -> Result<Vec<u8>, ProxyError> {
    let mut bytes = vec![4, 1];
    bytes.extend(port.to_be_bytes());
    match host {
        Host::Any => return Err(NO_HOST),
        Host::Ip(ip) => match ip.ip() {
            IpAddr::V4(ip) if ip.octets().starts_with(&[0; 3]) && !ip.is_unspecified() => {
                return Err(ProxyError::Target(
                    "SOCKS 4 takes 0.0.0.x for the sign of a name",
                ));
            }
            IpAddr::V4(ip) => {
                bytes.extend(ip.octets());
                bytes.push(0);
            }
            IpAddr::V6(_) => return Err(ProxyError::Target("SOCKS 4 has no IPv6 addresses")),
        },
        Host::Name(name) => {
            bytes.extend([0, 0, 0, 1, 0]);
            bytes.extend(name.bytes());
            bytes.push(0);
        }
    }
    Ok(bytes)
}

/// Whether the request was granted.
pub fn check(bytes: &[u8]) -> Result<(), ProxyError> {
    match *bytes {
        [0, GRANTED, ..] => Ok(()),
        [0, 91, ..] => Err(ProxyError::Refused("rejected or failed".to_string())),
        [0, 92 | 93, ..] => Err(ProxyError::Authentication),
        [0, code, ..] => Err(ProxyError::Refused(format!("code {code}"))),
        _ => Err(ProxyError::NotTheProtocol("SOCKS 4", bytes.to_vec())),
    }
}
