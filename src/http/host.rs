//! The host that a request is for: `Host`, and the authority of a request target (RFC 9110 §4.2,
//! §7.2).
//!
//! The host selects the route, so two servers on the path must not read different ones. What cannot
//! be a name in DNS (user information, percent signs, an empty name, a list) is refused.

use super::error::Rule;
use super::octets::{self, NAME};
use crate::net::parse_ip;

/// A host and an optional port, as they were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    /// Both, as on the wire: `example.com:8080`, `[::1]`.
    pub text: &'a str,
    /// The name or address, an IPv6 address without its brackets.
    pub host: &'a str,
    /// The port, if there is one.
    pub port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Parses `host`, `host:port`, `[v6]`, `[v6]:port`. A colon without a port means no port (RFC
    /// 3986 §3.2.3).
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Rule> {
        let text = std::str::from_utf8(bytes).map_err(|_| Rule::BadHost)?;
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']').ok_or(Rule::BadHost)?;
                if !address.contains(':') || parse_ip(address).is_err() {
                    return Err(Rule::BadHost);
                }
                (address, port)
            }
            None => {
                let end = octets::span(bytes, NAME);
                text.split_at_checked(end).ok_or(Rule::BadHost)?
            }
        };
        if host.is_empty() {
            return Err(Rule::BadHost);
        }
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            None => return Err(Rule::BadHost),
            Some("") => None,
            Some(digits) => Some(number(digits)?),
        };
        Ok(Authority { text, host, port })
    }
}

fn number(digits: &str) -> Result<u16, Rule> {
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let port = digits.parse().ok().filter(|_| is_number);
    port.ok_or(Rule::BadHost)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_or_addresses_with_a_port_or_without() {
        for (text, host, port) in [
            ("example.com", "example.com", None),
            ("a_b-c.d:80", "a_b-c.d", Some(80)),
            ("a:", "a", None),
            ("a:00080", "a", Some(80)),
            ("127.0.0.1:0", "127.0.0.1", Some(0)),
            ("[::1]", "::1", None),
            ("[2001:db8::1]:65535", "2001:db8::1", Some(65535)),
        ] {
            let read = Authority::parse(text.as_bytes()).unwrap();
            assert_eq!((read.text, read.host, read.port), (text, host, port));
        }
    }

    #[test]
    fn what_two_servers_could_read_differently_is_no_host() {
        for text in [
            "",
            ":80",
            "a:b",
            "a:65536",
            "a:+1",
            "a b",
            "a,b",
            "u@a",
            "a/b",
            "a?b",
            "a%2eb",
            "[]",
            "[::1",
            "[::1]x",
            "[127.0.0.1]",
            "[fe80::1%25eth0]",
            "::1",
            "\u{e9}.com",
            "a:1:2",
        ] {
            assert_eq!(
                Authority::parse(text.as_bytes()),
                Err(Rule::BadHost),
                "{text:?}"
            );
        }
    }
}
