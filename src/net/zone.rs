//! Zones: which link a link-local address is on (RFC 4007 §11).
//!
//! `fe80::1` exists on every link, so it identifies a host only together with a link:
//! `fe80::1%eth0`. This file parses the text; the kernel is asked which interface it names when a
//! socket needs it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use super::address_error::{AddressError, Excerpt, Rule};
use super::ip::ip;

/// The most bytes of an interface name: `IFNAMSIZ` of `<net/if.h>`, less the final NUL.
pub const ZONE_MAX_BYTES: usize = 15;

/// The interface that a link-local address belongs to: the part after `%` (RFC 4007 §11).
///
/// A name (`eth0`) or an interface index (`2`); 1 to 15 bytes of printable ASCII without
/// space, `%`, `/`, `:`, `[` and `]`, as Linux names interfaces and as brackets can hold.
/// Whether this machine has the interface is not known here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Zone(String);

impl Zone {
    /// The name or index as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The interface index, if the zone is written as a number.
    pub fn index(&self) -> Option<u32> {
        let digits = self.0.bytes().all(|b| b.is_ascii_digit());
        if digits { self.0.parse().ok() } else { None }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An address, with a zone if it is an IPv6 address that has one: `fe80::1%eth0`.
///
/// `fe80::1` exists on every link; only the zone says which one is meant. The fields are
/// private because an IPv4 address never has a zone.
///
/// ```
/// use groundwire::net::ZonedIp;
///
/// let peer: ZonedIp = "fe80::1%eth0".parse().unwrap();
/// assert_eq!(peer.zone().unwrap().as_str(), "eth0");
/// assert_eq!(peer.to_string(), "fe80::1%eth0");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZonedIp {
    ip: IpAddr,
    zone: Option<Zone>,
}

impl ZonedIp {
    /// An IPv6 address on one link.
    pub fn with_zone(ip: Ipv6Addr, zone: Zone) -> ZonedIp {
        ZonedIp {
            ip: IpAddr::V6(ip),
            zone: Some(zone),
        }
    }

    /// The address.
    pub fn ip(&self) -> IpAddr {
        self.ip
    }

    /// The zone, if one was given.
    pub fn zone(&self) -> Option<&Zone> {
        self.zone.as_ref()
    }
}

impl From<IpAddr> for ZonedIp {
    fn from(ip: IpAddr) -> ZonedIp {
        ZonedIp { ip, zone: None }
    }
}

impl FromStr for ZonedIp {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<ZonedIp, AddressError> {
        zoned(text).map_err(|rule| AddressError::address(text, rule))
    }
}

impl fmt::Display for ZonedIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.zone {
            None => write!(f, "{}", self.ip),
            Some(zone) => write!(f, "{}%{zone}", self.ip),
        }
    }
}

pub(super) fn zoned(text: &str) -> Result<ZonedIp, Rule> {
    let Some((address, zone_text)) = text.split_once('%') else {
        return Ok(ZonedIp::from(ip(text)?));
    };
    match ip(address)? {
        IpAddr::V4(_) => Err(Rule::ZoneOnIpv4),
        IpAddr::V6(ip) => Ok(ZonedIp::with_zone(ip, zone(zone_text)?)),
    }
}

fn zone(text: &str) -> Result<Zone, Rule> {
    if text.is_empty() {
        return Err(Rule::ZoneEmpty);
    }
    if text.len() > ZONE_MAX_BYTES {
        return Err(Rule::ZoneTooLong(text.len()));
    }
    let forbidden = |c: &char| !c.is_ascii_graphic() || matches!(c, '%' | '/' | ':' | '[' | ']');
    match text.chars().find(forbidden) {
        Some(c) => Err(Rule::ZoneCharacter(Excerpt::new(&c.to_string()))),
        None => Ok(Zone(text.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_an_interface_name_or_index() {
        let cases = [
            ("fe80::1%eth0", Some("eth0"), None),
            ("fe80::1%2", Some("2"), Some(2)),
            ("fe80::1%4294967296", Some("4294967296"), None), // too large: a name
            ("fe80::1%fifteen-bytes-x", Some("fifteen-bytes-x"), None),
            ("ff02::1%wlan0.7@x", Some("wlan0.7@x"), None),
            ("fe80::1", None, None),
            ("192.0.2.1", None, None),
        ];
        for (text, zone, index) in cases {
            let parsed: ZonedIp = text.parse().unwrap();
            assert_eq!(parsed.zone().map(Zone::as_str), zone, "{text}");
            assert_eq!(parsed.zone().and_then(Zone::index), index, "{text}");
            assert_eq!(parsed.to_string(), text);
        }
    }

    #[test]
    fn a_bad_zone_is_told_the_rule_it_breaks() {
        let cases = [
            ("1.2.3.4%eth0", "an IPv4 address has no zone (%)"),
            ("fe80::1%", "the zone after % is empty"),
            (
                "fe80::1%sixteen-bytes-xx",
                "a zone has at most 15 bytes, this has 16",
            ),
            ("fe80::1%a b", "a zone cannot have the character ' '"),
            ("fe80::1%a%b", "a zone cannot have the character '%'"),
            ("fe80::1%a]", "a zone cannot have the character ']'"),
            ("fe80::1%a\0", "a zone cannot have the character '\\0'"),
            (
                "fe80::1%\u{e9}",
                "a zone cannot have the character '\u{e9}'",
            ),
            ("fe80::g%eth0", "group g is not a hexadecimal number"),
            ("%eth0", "the text is empty"),
        ];
        for (text, expected) in cases {
            let message = text.parse::<ZonedIp>().unwrap_err().to_string();
            assert!(
                message.ends_with(&format!(": {expected}")),
                "{text:?}: {message}"
            );
        }
    }
}
