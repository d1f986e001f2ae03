//! Ports as a scan takes them: `22`, `ssh`, `20-30`. Pure.

use std::fmt;
use std::ops::RangeInclusive;

use crate::net::host_port::parse_port;
use crate::net::{AddressError, Services, Transport};

/// Why a text is not a port or a range of ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortsError {
    /// One of the two ends is not a port.
    Port(AddressError),
    /// The range ends before it begins.
    Backwards(u16, u16),
}

impl fmt::Display for PortsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PortsError::Port(error) => error.fmt(f),
            PortsError::Backwards(low, high) => {
                write!(f, "the range {low}-{high} ends before it begins")
            }
        }
    }
}

impl std::error::Error for PortsError {}

/// Parses a port, a service name, or a range of two numbers with a hyphen. A name may have a
/// hyphen, too (`http-alt`): it is a range only if there are just digits before the hyphen.
pub fn parse_ports(
    text: &str,
    transport: Transport,
    services: &Services,
) -> Result<RangeInclusive<u16>, PortsError> {
    let port = |text| parse_port(text, transport, services).map_err(PortsError::Port);
    match text.split_once('-') {
        Some((low, high)) if !low.is_empty() && low.bytes().all(|b| b.is_ascii_digit()) => {
            let (low, high) = (port(low)?, port(high)?);
            if high < low {
                return Err(PortsError::Backwards(low, high));
            }
            Ok(low..=high)
        }
        _ => port(text).map(|port| port..=port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_names_and_ranges_are_ports() {
        let services = Services::parse("http-alt 8080/tcp");
        let parse = |text| parse_ports(text, Transport::Tcp, &services);
        assert_eq!(parse("22"), Ok(22..=22));
        assert_eq!(parse("20-30"), Ok(20..=30));
        assert_eq!(parse("7-7"), Ok(7..=7));
        assert_eq!(parse("https"), Ok(443..=443));
        assert_eq!(parse("http-alt"), Ok(8080..=8080));
        assert_eq!(parse("30-20"), Err(PortsError::Backwards(30, 20)));
        for wrong in [
            "",
            "-",
            "1-",
            "-1",
            "1-65536",
            "70000",
            "1-2-3",
            "nobody-knows",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
