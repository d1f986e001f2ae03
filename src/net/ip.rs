//! IP addresses as text: strict parsing that says what is wrong.
//!
//! `std` parses addresses too, but its error is "invalid IP address syntax", which does not help to
//! find the one wrong octet. The parsers here accept exactly the texts that `std` accepts (a test
//! compares them) and name the [`Rule`] that any other text breaks.
//!
//! Why strict? The C library reads `127.1` as 127.0.0.1, `010.0.0.1` as 8.0.0.1 and `0x7f000001` as
//! 127.0.0.1. A filter that reads an address in one way, in front of a program that reads it in
//! another way, lets through what it was written to stop. So a text that is not in a standard form
//! is refused, and [`looks_like_ip`] keeps refused texts from reaching a name look-up, which would
//! be lenient again.
//!
//! The forms (RFC 4291 §2.2):
//!
//! ```text
//! 192.0.2.1                    four octets, decimal, no leading zero
//! 2001:db8:0:0:0:0:0:1         eight groups of one to four hexadecimal digits
//! 2001:db8::1                  `::` once, for one or more groups of zeros
//! ::ffff:192.0.2.1             the last two groups as a dotted quad
//! fe80::1%eth0                 with a zone (RFC 4007 §11), see [`super::zone`]
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::address_error::{AddressError, Excerpt, Rule};

/// Parses `192.0.2.1`: four octets, each 0 to 255, in decimal without leading zeros.
pub fn parse_ipv4(text: &str) -> Result<Ipv4Addr, AddressError> {
    let parsed = match text {
        "" => Err(Rule::Empty),
        _ if !reads_as_ipv4(text) => Err(Rule::NotIpv4),
        _ => ipv4(text),
    };
    parsed.map_err(|rule| AddressError::address(text, rule))
}

/// Parses an IPv6 address in any form of RFC 4291 §2.2, without a zone.
pub fn parse_ipv6(text: &str) -> Result<Ipv6Addr, AddressError> {
    let parsed = match text {
        "" => Err(Rule::Empty),
        _ if text.contains('%') => Err(Rule::ZoneNotAllowed),
        _ if !text.contains(':') => Err(Rule::NotIpv6),
        _ => ipv6(text),
    };
    parsed.map_err(|rule| AddressError::address(text, rule))
}

/// Parses an address of either family, without a zone.
///
/// ```
/// use groundwire::net::ip::parse_ip;
///
/// assert!(parse_ip("2001:db8::1").unwrap().is_ipv6());
/// let error = parse_ip("127.1").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "address 127.1: an IPv4 address has four octets, this has 2"
/// );
/// ```
pub fn parse_ip(text: &str) -> Result<IpAddr, AddressError> {
    ip(text).map_err(|rule| AddressError::address(text, rule))
}

/// Whether a text is an attempt at an address. Such a text must never go to a name look-up.
///
/// True of a text with a colon, and of one whose labels are all numbers as the C library
/// reads them, decimal or `0x...`: `getaddrinfo` would turn `127.1` and `0x7f000001`
/// into an address without asking any name server. No host has such a name
/// (RFC 1123 §2.1: the highest label is alphabetic). The text need not be a valid
/// address: [`parse_ip`] says what is wrong with it.
pub fn looks_like_ip(text: &str) -> bool {
    let has_digit = text.bytes().any(|b| b.is_ascii_digit());
    text.contains(':') || (has_digit && text.split('.').all(is_c_number))
}

/// The address as its packets carry it: a v4-mapped IPv6 address becomes the IPv4 address inside
/// it; any other address stays as it is.
///
/// A listener on `[::]` sees an IPv4 peer 10.0.0.1 as `::ffff:10.0.0.1`. An access list
/// that compared this with the prefix `10.0.0.0/8` would find no match and let a denied
/// peer in, so every comparison of addresses takes the canonical form first.
pub fn canonical(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

/// Two addresses for a format that has one family for both: their canonical forms or, if the
/// families of these differ, the IPv4 one as `::ffff:a.b.c.d` (RFC 4291 §2.5.5.2).
pub fn in_one_family(one: IpAddr, other: IpAddr) -> (IpAddr, IpAddr) {
    match (canonical(one), canonical(other)) {
        (IpAddr::V4(v4), v6 @ IpAddr::V6(_)) => (IpAddr::V6(v4.to_ipv6_mapped()), v6),
        (v6 @ IpAddr::V6(_), IpAddr::V4(v4)) => (v6, IpAddr::V6(v4.to_ipv6_mapped())),
        same => same,
    }
}

// The functions below return only the broken rule. The caller chooses the text that the message
// shows, because it may have been given a longer one (`host:port`, a prefix).

pub(super) fn ip(text: &str) -> Result<IpAddr, Rule> {
    match text {
        "" => Err(Rule::Empty),
        _ if text.contains('%') => Err(Rule::ZoneNotAllowed),
        _ if text.contains(':') => Ok(IpAddr::V6(ipv6(text)?)),
        _ if reads_as_ipv4(text) => Ok(IpAddr::V4(ipv4(text)?)),
        _ => Err(Rule::NotAnAddress),
    }
}

/// Whether the error message should use the rules for IPv4.
fn reads_as_ipv4(text: &str) -> bool {
    let first = text.split('.').next().unwrap_or_default();
    let starts_with_number = !first.is_empty() && first.bytes().all(|b| b.is_ascii_digit());
    !text.contains(':') && (starts_with_number || looks_like_ip(text))
}

/// A label that inet_aton(3) takes for a number; an empty one too, for `1..2`.
fn is_c_number(label: &str) -> bool {
    match label.strip_prefix("0x").or(label.strip_prefix("0X")) {
        Some(hex) => hex.bytes().all(|b| b.is_ascii_hexdigit()),
        None => label.bytes().all(|b| b.is_ascii_digit()),
    }
}

fn ipv4(text: &str) -> Result<Ipv4Addr, Rule> {
    let count = text.split('.').count();
    if count != 4 {
        return Err(Rule::OctetCount(count));
    }
    let mut octets = [0; 4];
    for (value, part) in octets.iter_mut().zip(text.split('.')) {
        *value = octet(part)?;
    }
    Ok(Ipv4Addr::from(octets))
}

fn octet(text: &str) -> Result<u8, Rule> {
    if text.is_empty() {
        return Err(Rule::OctetEmpty);
    }
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Rule::OctetNotDigits(Excerpt::new(text)));
    }
    if text.len() > 1 && text.starts_with('0') {
        return Err(Rule::OctetLeadingZero(Excerpt::new(text)));
    }
    // Only digits are left, so the only way to fail is to be too large.
    text.parse()
        .map_err(|_| Rule::OctetTooLarge(Excerpt::new(text)))
}

fn ipv6(text: &str) -> Result<Ipv6Addr, Rule> {
    let Some((before, after)) = text.split_once("::") else {
        let all = groups(text)?;
        return match all.count {
            8 => Ok(Ipv6Addr::from(all.values)),
            count => Err(Rule::GroupCount(count)),
        };
    };
    if after.contains("::") {
        return Err(Rule::SecondDoubleColon);
    }
    if before.contains('.') {
        return Err(Rule::DottedQuadNotLast);
    }
    let (head, tail) = (groups(before)?, groups(after)?);
    let present = head.count + tail.count;
    if present > 7 {
        return Err(Rule::NothingLeftOut(present));
    }
    // The groups before `::` stand at the front, those after it at the very end.
    let mut values = head.values;
    values[8 - tail.count..].copy_from_slice(&tail.values[..tail.count]);
    Ok(Ipv6Addr::from(values))
}

/// The groups of one side of `::`. `count` goes on past eight, for the message; values past the
/// eighth are not kept.
#[derive(Default)]
struct Groups {
    values: [u16; 8],
    count: usize,
}

impl Groups {
    fn push(&mut self, group: u16) {
        if let Some(slot) = self.values.get_mut(self.count) {
            *slot = group;
        }
        self.count += 1;
    }
}

fn groups(text: &str) -> Result<Groups, Rule> {
    let mut groups = Groups::default();
    if text.is_empty() {
        return Ok(groups); // `::1` has nothing before the `::`
    }
    let mut parts = text.split(':').peekable();
    while let Some(part) = parts.next() {
        if !part.contains('.') {
            groups.push(group(part)?);
        } else if parts.peek().is_some() {
            return Err(Rule::DottedQuadNotLast);
        } else {
            let [a, b, c, d] = ipv4(part)?.octets();
            groups.push(u16::from_be_bytes([a, b]));
            groups.push(u16::from_be_bytes([c, d]));
        }
    }
    Ok(groups)
}

fn group(text: &str) -> Result<u16, Rule> {
    if text.is_empty() {
        return Err(Rule::GroupEmpty);
    }
    if !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Rule::GroupNotHex(Excerpt::new(text)));
    }
    // Four hexadecimal digits always fit, so the only way to fail is to have more; but
    // `from_str_radix` would let `00001` pass.
    match u16::from_str_radix(text, 16) {
        Ok(value) if text.len() <= 4 => Ok(value),
        _ => Err(Rule::GroupTooLong(Excerpt::new(text))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::generate::Seeded;
    use super::*;

    #[test]
    fn a_refused_address_is_told_the_rule_it_breaks() {
        let cases = [
            ("", "\"\": the text is empty"),
            (
                "localhost",
                "localhost: this is neither an IPv4 nor an IPv6 address",
            ),
            (
                "example.com",
                "example.com: this is neither an IPv4 nor an IPv6 address",
            ),
            (
                "127.1",
                "127.1: an IPv4 address has four octets, this has 2",
            ),
            (
                "2130706433",
                "2130706433: an IPv4 address has four octets, this has 1",
            ),
            (
                "0x7f.1",
                "0x7f.1: an IPv4 address has four octets, this has 2",
            ),
            (
                "0x7f.0.0.1",
                "0x7f.0.0.1: octet 0x7f is not a decimal number",
            ),
            (
                "1.2.3.4.5",
                "1.2.3.4.5: an IPv4 address has four octets, this has 5",
            ),
            ("1.2.3.", "1.2.3.: an octet is empty"),
            ("1..2.3", "1..2.3: an octet is empty"),
            ("1.2.3.4 ", "1.2.3.4 : octet 4  is not a decimal number"),
            ("1.2.3.-4", "1.2.3.-4: octet -4 is not a decimal number"),
            (
                "1.2.3.\u{664}",
                "1.2.3.\u{664}: octet \u{664} is not a decimal number",
            ),
            ("010.0.0.1", "010.0.0.1: octet 010 has a leading zero"),
            ("1.2.3.00", "1.2.3.00: octet 00 has a leading zero"),
            ("288.8.8.8", "288.8.8.8: octet 288 is above 255"),
            (
                "1.2.3.99999999999",
                "1.2.3.99999999999: octet 99999999999 is above 255",
            ),
            (
                "1:2:3",
                "1:2:3: an IPv6 address has eight groups, this has 3",
            ),
            (
                "1:2:3:4:5:6:7:8:9",
                "1:2:3:4:5:6:7:8:9: an IPv6 address has eight groups, this has 9",
            ),
            (":1", ":1: a group is empty (only :: leaves out groups)"),
            (
                "1:2:3:4:5:6:7:",
                "1:2:3:4:5:6:7:: a group is empty (only :: leaves out groups)",
            ),
            (":::", ":::: a group is empty (only :: leaves out groups)"),
            (
                "1::00001",
                "1::00001: group 00001 has more than four digits",
            ),
            (
                "1::10000",
                "1::10000: group 10000 has more than four digits",
            ),
            ("1::g", "1::g: group g is not a hexadecimal number"),
            ("1::+1", "1::+1: group +1 is not a hexadecimal number"),
            ("1::2::3", "1::2::3: :: may stand only once"),
            (
                "1:2:3:4::5:6:7:8",
                "1:2:3:4::5:6:7:8: :: must stand for one group or more, but 8 are present",
            ),
            (
                "1:2:3:4:5:6::1.2.3.4",
                "1:2:3:4:5:6::1.2.3.4: :: must stand for one group or more, but 8 are present",
            ),
            (
                "1.2.3.4::",
                "1.2.3.4::: a dotted quad may stand only at the end of an IPv6 address",
            ),
            (
                "::1.2.3.4:5",
                "::1.2.3.4:5: a dotted quad may stand only at the end of an IPv6 address",
            ),
            (
                "::ffff:1.2.3",
                "::ffff:1.2.3: an IPv4 address has four octets, this has 3",
            ),
            (
                "::ffff:1.2.3.256",
                "::ffff:1.2.3.256: octet 256 is above 255",
            ),
            (
                "fe80::1%eth0",
                "fe80::1%eth0: a zone (%) is not allowed here",
            ),
            ("a\nb", "a\\nb: this is neither an IPv4 nor an IPv6 address"),
        ];
        for (text, expected) in cases {
            let message = parse_ip(text).unwrap_err().to_string();
            assert_eq!(message, format!("address {expected}"));
        }
    }

    #[test]
    fn the_forms_of_rfc_4291_are_read() {
        let cases: [(&str, [u16; 8]); 9] = [
            ("::", [0; 8]),
            ("::1", [0, 0, 0, 0, 0, 0, 0, 1]),
            ("1::", [1, 0, 0, 0, 0, 0, 0, 0]),
            (
                "2001:DB8:0:0:8:800:200c:417A",
                [0x2001, 0xdb8, 0, 0, 8, 0x800, 0x200c, 0x417a],
            ),
            ("ff01::0101", [0xff01, 0, 0, 0, 0, 0, 0, 0x101]),
            ("1:2:3:4:5:6:7::", [1, 2, 3, 4, 5, 6, 7, 0]),
            ("::2:3:4:5:6:7:8", [0, 2, 3, 4, 5, 6, 7, 8]),
            (
                "::FFFF:129.144.52.38",
                [0, 0, 0, 0, 0, 0xffff, 0x8190, 0x3426],
            ),
            ("1:2:3:4:5:6:7.8.9.10", [1, 2, 3, 4, 5, 6, 0x708, 0x90a]),
        ];
        for (text, groups) in cases {
            assert_eq!(parse_ipv6(text), Ok(Ipv6Addr::from(groups)), "{text}");
            assert_eq!(
                parse_ip(text),
                Ok(IpAddr::V6(Ipv6Addr::from(groups))),
                "{text}"
            );
        }
    }

    #[test]
    fn the_other_family_is_refused_by_name() {
        let v4 = |text| parse_ipv4(text).unwrap_err().rule().clone();
        let v6 = |text| parse_ipv6(text).unwrap_err().rule().clone();
        assert_eq!(v4("::1"), Rule::NotIpv4);
        assert_eq!(v4("::ffff:1.2.3.4"), Rule::NotIpv4);
        assert_eq!(v4("localhost"), Rule::NotIpv4);
        assert_eq!(v4(""), Rule::Empty);
        assert_eq!(v6("1.2.3.4"), Rule::NotIpv6);
        assert_eq!(v6("fe80::1%2"), Rule::ZoneNotAllowed);
        assert_eq!(v6(""), Rule::Empty);
    }

    #[test]
    fn what_a_resolver_would_take_for_an_address_looks_like_one() {
        let cases = [
            ("127.0.0.1", true),
            ("127.1", true),
            ("288.8.8.8", true),
            ("2130706433", true),
            ("0x7f000001", true),
            ("0X7F.1", true),
            ("1.", true),
            ("1..2", true),
            ("::1", true),
            ("fe80::1%eth0", true),
            ("host:80", true),
            ("", false),
            (".", false),
            ("localhost", false),
            ("example.com", false),
            ("1.2.3.4.example", false),
            ("1a", false),
            ("dead.beef", false),
            ("x0.1", false),
        ];
        for (text, expected) in cases {
            assert_eq!(looks_like_ip(text), expected, "{text}");
        }
    }

    #[test]
    fn a_mapped_address_is_the_ipv4_address_inside() {
        let v4 = Ipv4Addr::new(10, 0, 0, 1);
        assert_eq!(canonical(IpAddr::V6(v4.to_ipv6_mapped())), IpAddr::V4(v4));
        for text in ["10.0.0.1", "::1", "::10.0.0.1", "64:ff9b::10.0.0.1"] {
            let ip = parse_ip(text).unwrap();
            assert_eq!(canonical(ip), ip, "{text} is not v4-mapped");
        }
    }

    #[test]
    fn of_two_families_the_ipv4_address_is_mapped_whichever_it_is() {
        for (one, other, of_one, of_other) in [
            ("10.0.0.1", "::ffff:10.0.0.2", "10.0.0.1", "10.0.0.2"),
            ("10.0.0.1", "2001:db8::1", "::ffff:10.0.0.1", "2001:db8::1"),
            ("::1", "::ffff:10.0.0.2", "::1", "::ffff:10.0.0.2"),
        ] {
            let [one, other, of_one, of_other] =
                [one, other, of_one, of_other].map(|text| parse_ip(text).unwrap());
            assert_eq!(in_one_family(one, other), (of_one, of_other));
        }
    }

    #[test]
    fn the_parsers_agree_with_std_on_200_000_texts() {
        let mut seeded = Seeded::new(4291);
        let (mut accepted, mut refused) = (0, 0);
        for _ in 0..200_000 {
            let text = seeded.address_like();
            assert_eq!(
                parse_ipv4(&text).ok(),
                text.parse().ok(),
                "{text:?} as IPv4"
            );
            assert_eq!(
                parse_ipv6(&text).ok(),
                text.parse().ok(),
                "{text:?} as IPv6"
            );
            assert_eq!(parse_ip(&text).ok(), text.parse().ok(), "{text:?}");
            match parse_ip(&text) {
                Ok(_) => accepted += 1,
                Err(_) => refused += 1,
            }
        }
        // Otherwise the generator makes too few valid texts, and the agreement proves little.
        assert!(
            accepted > 40_000 && refused > 40_000,
            "{accepted} {refused}"
        );
    }

    #[test]
    fn every_address_is_read_back_as_it_is_printed() {
        let mut seeded = Seeded::new(5952);
        for _ in 0..50_000 {
            let ip = seeded.ip();
            assert_eq!(parse_ip(&ip.to_string()), Ok(ip));
            assert!(looks_like_ip(&ip.to_string()), "{ip}");
        }
    }
}
