//! `host:port`: split and joined.
//!
//! The rules are those of Go's `net.SplitHostPort`, which every user of a command line
//! has met:
//!
//! ```text
//! example.com:80        a name
//! 192.0.2.1:http        an IPv4 address; the port as a service name
//! [2001:db8::1]:443     an IPv6 address in brackets, or its colons and the port's mix
//! [fe80::1%eth0]:22     with a zone
//! :8080                 no host: any address of this machine
//! ```
//!
//! [`split_host_port`] only finds the two parts. [`HostPort::parse`] also reads them: the host into
//! a [`Host`], the port into a number. A text that looks like an address but is not one
//! (`127.1:80`, `288.8.8.8:53`) is an error there, never a name: a name look-up would read it by
//! laxer rules (see [`looks_like_ip`]).

use std::fmt;
use std::str::FromStr;

use super::address_error::{AddressError, Excerpt, Rule};
use super::ip::looks_like_ip;
use super::network::Transport;
use super::services::Services;
use super::zone::{ZonedIp, zoned};

/// The longest host name, in bytes, without the trailing dot: 255 bytes in a message
/// (RFC 1035 §2.3.4), less the first length byte and the root label.
pub const NAME_MAX_BYTES: usize = 253;

/// The longest label of a host name, in bytes (RFC 1035 §2.3.4).
pub const LABEL_MAX_BYTES: usize = 63;

/// Splits `host:port` at the last colon, and takes brackets off the host.
///
/// Neither part is checked further, and either may be empty. Fails if the port is missing, if there
/// are several colons and no brackets, or if a bracket is out of place.
///
/// ```
/// use groundwire::net::host_port::split_host_port;
///
/// assert_eq!(split_host_port("[::1]:80"), Ok(("::1", "80")));
/// assert_eq!(split_host_port(":http"), Ok(("", "http")));
/// assert!(split_host_port("::1:80").is_err());
/// ```
pub fn split_host_port(text: &str) -> Result<(&str, &str), AddressError> {
    split(text).map_err(|rule| AddressError::address(text, rule))
}

/// Puts a host and a port together, with brackets if the host has a colon.
///
/// [`split_host_port`] gives the same parts back, as long as neither has a bracket and the
/// port has no colon.
pub fn join_host_port(host: &str, port: impl fmt::Display) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// Reads a port: a number from 0 to 65535 (no sign, no space, no leading zero) or the
/// name of a service.
pub fn parse_port(
    text: &str,
    transport: Transport,
    services: &Services,
) -> Result<u16, AddressError> {
    port(text, transport, services).map_err(|rule| AddressError::port(text, rule))
}

/// The host part of an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// Empty: a listener takes it as every address of this machine, a dialer as loopback.
    Any,
    /// An IP address.
    Ip(ZonedIp),
    /// A host name, still to be looked up; its syntax is valid.
    Name(String),
}

impl FromStr for Host {
    type Err = AddressError;

    /// Reads a host without a port: empty, an address without brackets, or a name.
    ///
    /// A name is made of labels of letters, digits and hyphens (RFC 1123 §2.1), with an optional
    /// dot at the end for "absolute, no search list". Underscores are accepted: no host name should
    /// have one, but Windows and container networks use them.
    fn from_str(text: &str) -> Result<Host, AddressError> {
        host(text).map_err(|rule| match meant_as_ip(text) {
            true => AddressError::address(text, rule),
            false => AddressError::name(text, rule),
        })
    }
}

impl fmt::Display for Host {
    /// As `FromStr` reads it: an IPv6 address has no brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Any => Ok(()),
            Host::Ip(ip) => write!(f, "{ip}"),
            Host::Name(name) => f.write_str(name),
        }
    }
}

/// A host and a port.
///
/// ```
/// use groundwire::net::host_port::HostPort;
/// use groundwire::net::network::Transport;
/// use groundwire::net::services::Services;
///
/// let services = Services::builtin();
/// let address = HostPort::parse("[2001:DB8::1]:https", Transport::Tcp, &services).unwrap();
/// assert_eq!(address.port, 443);
/// assert_eq!(address.to_string(), "[2001:db8::1]:443");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// Where.
    pub host: Host,
    /// Which port; to a listener, 0 is any free one.
    pub port: u16,
}

impl HostPort {
    /// Reads `host:port`. A service name is looked up in `services`, for `transport`.
    pub fn parse(
        text: &str,
        transport: Transport,
        services: &Services,
    ) -> Result<HostPort, AddressError> {
        let read = || {
            let (host_text, port_text) = split(text)?;
            let host = host(host_text)?;
            if text.starts_with('[') && !host_text.contains(':') {
                return Err(Rule::BracketsWithoutIpv6); // RFC 3986 §3.2.2
            }
            let port = port(port_text, transport, services)?;
            Ok(HostPort { host, port })
        };
        read().map_err(|rule| AddressError::address(text, rule))
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&join_host_port(&self.host.to_string(), self.port))
    }
}

// As in `ip.rs`, the functions below return only the broken rule; the caller adds the text.

fn split(text: &str) -> Result<(&str, &str), Rule> {
    if text.is_empty() {
        return Err(Rule::Empty);
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(inside) => split_bracketed(inside)?,
        None => split_plain(text)?,
    };
    let is_bracket = |c: &char| matches!(c, '[' | ']');
    match host.chars().chain(port.chars()).find(is_bracket) {
        Some(bracket) => Err(Rule::BracketUnexpected(bracket)),
        None => Ok((host, port)),
    }
}

/// Splits `host]:port`; the opening bracket is already gone.
fn split_bracketed(inside: &str) -> Result<(&str, &str), Rule> {
    let (host, rest) = inside.split_once(']').ok_or(Rule::BracketMissing)?;
    let port = rest.strip_prefix(':').ok_or(Rule::PortMissing)?;
    match port.contains(':') {
        true => Err(Rule::TooManyColons),
        false => Ok((host, port)),
    }
}

fn split_plain(text: &str) -> Result<(&str, &str), Rule> {
    let (host, port) = text.rsplit_once(':').ok_or(Rule::PortMissing)?;
    match host.contains(':') {
        true => Err(Rule::TooManyColons),
        false => Ok((host, port)),
    }
}

fn port(text: &str, transport: Transport, services: &Services) -> Result<u16, Rule> {
    if text.is_empty() {
        return Err(Rule::PortEmpty);
    }
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        let known = services.port(text, transport);
        return known.ok_or_else(|| Rule::UnknownService(Excerpt::new(text), transport));
    }
    if text.len() > 1 && text.starts_with('0') {
        return Err(Rule::PortLeadingZero(Excerpt::new(text)));
    }
    text.parse().map_err(|_| Rule::PortRange)
}

fn host(text: &str) -> Result<Host, Rule> {
    if text.is_empty() {
        return Ok(Host::Any);
    }
    if meant_as_ip(text) {
        return Ok(Host::Ip(zoned(text)?));
    }
    check_name(text)?;
    Ok(Host::Name(text.to_string()))
}

/// No name has a `%`, so a text with one means a zone.
fn meant_as_ip(text: &str) -> bool {
    looks_like_ip(text) || text.contains('%')
}

fn check_name(text: &str) -> Result<(), Rule> {
    let name = text.strip_suffix('.').unwrap_or(text);
    if name.len() > NAME_MAX_BYTES {
        return Err(Rule::NameTooLong(name.len()));
    }
    name.split('.').try_for_each(check_label)
}

fn check_label(label: &str) -> Result<(), Rule> {
    if label.is_empty() {
        return Err(Rule::LabelEmpty);
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if let Some(c) = label.chars().find(|c| !allowed(*c)) {
        let c = Excerpt::new(&c.to_string());
        return Err(Rule::LabelCharacter(Excerpt::new(label), c));
    }
    if label.len() > LABEL_MAX_BYTES {
        return Err(Rule::LabelTooLong(Excerpt::new(label)));
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(Rule::LabelHyphen(Excerpt::new(label)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::generate::Seeded;
    use super::super::ip::parse_ip;
    use super::*;

    fn parse(text: &str) -> Result<HostPort, AddressError> {
        HostPort::parse(text, Transport::Tcp, &Services::builtin())
    }

    #[test]
    fn a_text_is_split_at_the_colon_before_the_port() {
        let cases = [
            ("localhost:http", "localhost", "http"),
            ("localhost:80", "localhost", "80"),
            ("192.0.2.1:80", "192.0.2.1", "80"),
            ("[::1]:80", "::1", "80"),
            ("[fe80::1%eth0]:80", "fe80::1%eth0", "80"),
            ("[192.0.2.1]:80", "192.0.2.1", "80"),
            ("[localhost]:80", "localhost", "80"),
            (":8080", "", "8080"),
            ("[]:80", "", "80"),
            ("localhost:", "localhost", ""),
            ("[::1]:", "::1", ""),
            (":", "", ""),
            ("[]:", "", ""),
            ("a b:c d", "a b", "c d"),
        ];
        for (text, host, port) in cases {
            assert_eq!(split_host_port(text), Ok((host, port)), "{text}");
        }
    }

    #[test]
    fn a_text_that_cannot_be_split_is_told_why() {
        let cases = [
            ("", Rule::Empty),
            ("localhost", Rule::PortMissing),
            ("192.0.2.1", Rule::PortMissing),
            ("[::1]", Rule::PortMissing),
            ("[::1]80", Rule::PortMissing),
            ("[a]b:80", Rule::PortMissing),
            ("]", Rule::PortMissing),
            ("::1", Rule::TooManyColons),
            ("::1:80", Rule::TooManyColons),
            ("a:b:80", Rule::TooManyColons),
            ("fe80::1%eth0:80", Rule::TooManyColons),
            ("[::1]::80", Rule::TooManyColons),
            ("[a]:b:80", Rule::TooManyColons),
            ("::", Rule::TooManyColons),
            ("[::1:80", Rule::BracketMissing),
            ("[", Rule::BracketMissing),
            ("a[b:80", Rule::BracketUnexpected('[')),
            ("a]b:80", Rule::BracketUnexpected(']')),
            ("a[b]:80", Rule::BracketUnexpected('[')),
            ("[[a]:80", Rule::BracketUnexpected('[')),
            ("[a]:[80", Rule::BracketUnexpected('[')),
            ("[a]:80]", Rule::BracketUnexpected(']')),
            ("a:80]", Rule::BracketUnexpected(']')),
        ];
        for (text, rule) in cases {
            let error = split_host_port(text).unwrap_err();
            assert_eq!(error, AddressError::address(text, rule), "{text}");
        }
    }

    #[test]
    fn a_port_is_a_number_or_a_service_name() {
        use Transport::{Tcp, Udp};
        let services = Services::parse("radio 8000/tcp\nover 65535/udp\n");
        let cases = [
            ("0", Tcp, Ok(0)),
            ("80", Tcp, Ok(80)),
            ("65535", Udp, Ok(65535)),
            ("http", Tcp, Ok(80)),
            ("HTTP", Tcp, Ok(80)),
            ("radio", Tcp, Ok(8000)),
            ("over", Udp, Ok(65535)),
            (
                "",
                Tcp,
                Err("\"\": the port is empty, write 0 for any free one"),
            ),
            ("65536", Tcp, Err("65536: port must be 0 to 65535")),
            (
                "99999999999",
                Tcp,
                Err("99999999999: port must be 0 to 65535"),
            ),
            ("080", Tcp, Err("080: port 080 has a leading zero")),
            (
                "+80",
                Tcp,
                Err("+80: +80 is neither a port number nor a known tcp service"),
            ),
            (
                "-1",
                Tcp,
                Err("-1: -1 is neither a port number nor a known tcp service"),
            ),
            (
                " 80",
                Tcp,
                Err(" 80:  80 is neither a port number nor a known tcp service"),
            ),
            (
                "0x50",
                Tcp,
                Err("0x50: 0x50 is neither a port number nor a known tcp service"),
            ),
            (
                "radio",
                Udp,
                Err("radio: radio is neither a port number nor a known udp service"),
            ),
        ];
        for (text, transport, expected) in cases {
            let parsed = parse_port(text, transport, &services).map_err(|e| e.to_string());
            let expected = expected.map_err(|e: &str| format!("port {e}"));
            assert_eq!(parsed, expected, "{text}");
        }
    }

    #[test]
    fn an_address_is_printed_in_its_one_form() {
        let cases = [
            ("localhost:80", "localhost:80"),
            ("localhost:http", "localhost:80"),
            ("Example.COM.:443", "Example.COM.:443"),
            ("my_db-1:5432", "my_db-1:5432"),
            ("192.0.2.1:80", "192.0.2.1:80"),
            ("[2001:DB8::0:1]:80", "[2001:db8::1]:80"),
            ("[fe80::1%eth0]:22", "[fe80::1%eth0]:22"),
            ("[::ffff:10.0.0.1]:0", "[::ffff:10.0.0.1]:0"),
            (":8080", ":8080"),
            ("3com.com:80", "3com.com:80"),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn the_host_is_any_an_address_or_a_name() {
        let name = |text: &str| Host::Name(text.to_string());
        let ip = |text: &str| Host::Ip(text.parse().unwrap());
        let label = "a".repeat(LABEL_MAX_BYTES);
        let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
        let absolute = format!("{longest}.");
        assert_eq!(longest.len(), NAME_MAX_BYTES);
        let cases = [
            ("", Host::Any),
            ("localhost", name("localhost")),
            ("192.0.2.1", ip("192.0.2.1")),
            ("fe80::1%2", ip("fe80::1%2")),
            (&label, name(&label)),
            (&longest, name(&longest)),
            (&absolute, name(&absolute)),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse(), Ok(expected.clone()), "{text}");
            assert_eq!(expected.to_string(), text);
        }
    }

    #[test]
    fn a_bad_host_name_is_told_the_rule_it_breaks() {
        let long = format!("{}a", "a.".repeat(127));
        let label = "a".repeat(LABEL_MAX_BYTES + 1);
        let too_long = format!(
            "{}...: a host name has at most 253 bytes, this has 255",
            &long[..64]
        );
        let label_too_long = format!("{label}: label {label} has more than 63 bytes");
        let letters = "a host name has letters, digits and hyphens";
        let space = format!("a b.c: label a b has the character ' ', {letters}");
        let umlaut = format!("b\u{fc}ro: label b\u{fc}ro has the character '\u{fc}', {letters}");
        let newline = format!("a\\n: label a\\n has the character '\\n', {letters}");
        let cases = [
            (".", ".: a label of the host name is empty"),
            ("a..b", "a..b: a label of the host name is empty"),
            (".a", ".a: a label of the host name is empty"),
            ("a..", "a..: a label of the host name is empty"),
            ("-a.b", "-a.b: label -a starts or ends with a hyphen"),
            ("a.b-", "a.b-: label b- starts or ends with a hyphen"),
            ("a b.c", &space),
            ("b\u{fc}ro", &umlaut),
            ("a\n", &newline),
            (&long, &too_long),
            (&label, &label_too_long),
        ];
        for (text, expected) in cases {
            let message = text.parse::<Host>().unwrap_err().to_string();
            assert_eq!(message, format!("host name {expected}"));
        }
    }

    #[test]
    fn an_error_shows_the_whole_text_and_the_rule() {
        let cases = [
            ("127.0.0.1:123456", "port must be 0 to 65535"),
            ("127.0.0.1", "the port is missing, write host:port"),
            ("127.0.0.1:", "the port is empty, write 0 for any free one"),
            (
                "::1:80",
                "too many colons, put an IPv6 address in brackets: [::1]:80",
            ),
            ("[::1:80", "the closing ] is missing"),
            ("127.1:80", "an IPv4 address has four octets, this has 2"),
            ("288.8.8.8:53", "octet 288 is above 255"),
            ("010.0.0.1:80", "octet 010 has a leading zero"),
            (
                "0x7f000001:80",
                "an IPv4 address has four octets, this has 1",
            ),
            ("1.2.3.4%eth0:80", "an IPv4 address has no zone (%)"),
            ("[fe80::1%]:80", "the zone after % is empty"),
            (
                "name%eth0:80",
                "this is neither an IPv4 nor an IPv6 address",
            ),
            ("[1.2.3.4]:80", "brackets are for IPv6 addresses only"),
            ("[localhost]:80", "brackets are for IPv6 addresses only"),
            ("[]:80", "brackets are for IPv6 addresses only"),
            ("[1:2]:80", "an IPv6 address has eight groups, this has 2"),
            ("a..b:80", "a label of the host name is empty"),
            (
                "a:nonsuch",
                "nonsuch is neither a port number nor a known tcp service",
            ),
        ];
        for (text, rule) in cases {
            assert_eq!(
                parse(text).unwrap_err().to_string(),
                format!("address {text}: {rule}")
            );
        }
    }

    #[test]
    fn splitting_what_was_joined_gives_the_parts_back() {
        const ALPHABET: &[u8] = b"abc019.-_%: ";
        let mut seeded = Seeded::new(3986);
        for _ in 0..50_000 {
            let host = random_text(&mut seeded, ALPHABET);
            let port = random_text(&mut seeded, b"0123456789ahtp-");
            let joined = join_host_port(&host, &port);
            assert_eq!(split_host_port(&joined), Ok((&*host, &*port)), "{joined}");
        }
    }

    #[test]
    fn every_address_is_read_back_as_it_is_printed() {
        let mut seeded = Seeded::new(3987);
        let services = Services::builtin();
        for _ in 0..20_000 {
            let host = Host::Ip(ZonedIp::from(seeded.ip()));
            let port = seeded.next() as u16;
            let address = HostPort { host, port };
            let again = HostPort::parse(&address.to_string(), Transport::Udp, &services);
            assert_eq!(again, Ok(address));
        }
    }

    #[test]
    fn no_text_is_a_name_here_and_an_address_elsewhere() {
        let mut seeded = Seeded::new(3988);
        for _ in 0..50_000 {
            let text = seeded.address_like();
            if let Ok(Host::Name(name)) = text.parse() {
                assert!(parse_ip(&name).is_err(), "{name}");
                assert!(
                    name.bytes()
                        .any(|b| b.is_ascii_alphabetic() || b"-_".contains(&b))
                );
            }
        }
    }

    fn random_text(seeded: &mut Seeded, alphabet: &[u8]) -> String {
        let len = seeded.below(8);
        let mut text = String::new();
        for _ in 0..len {
            text.push(char::from(alphabet[seeded.below(alphabet.len())]));
        }
        text
    }
}
