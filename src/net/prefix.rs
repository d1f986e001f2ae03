//! Address prefixes: `10.0.0.0/8`, `2001:db8::/32`, or one bare address.
//!
//! A prefix is an address and a length in bits; it contains every address that starts
//! with the same bits (RFC 4632 §3.1, RFC 4291 §2.3). Access lists are made of them.
//!
//! ```text
//! 10.0.0.0/8      00001010 | 00000000 00000000 00000000
//!                  prefix  |  host bits: all zero
//! ```
//!
//! Strict where a mistake would open a door: with a host bit set (`10.1.2.3/8`), the writer meant
//! either one host or the whole network, and only the writer knows which. The error suggests the
//! network, and a person decides.
//!
//! Families do not mix. IPv4 peers of an IPv6 socket appear as `::ffff:10.0.0.1`
//! (v4-mapped) and are matched as IPv4, so `10.0.0.0/8` contains them and `::/0` does
//! not. In the same way the prefix `::ffff:10.0.0.0/104` *is* `10.0.0.0/8`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::address_error::{AddressError, Excerpt, Rule};
use super::ip::{canonical, ip};

/// All addresses that start with the same bits.
///
/// ```
/// use groundwire::net::prefix::Prefix;
///
/// let private: Prefix = "10.0.0.0/8".parse().unwrap();
/// assert!(private.contains("10.1.2.3".parse().unwrap()));
/// assert!(private.contains("::ffff:10.1.2.3".parse().unwrap()));
///
/// let error = "10.1.2.3/8".parse::<Prefix>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "prefix 10.1.2.3/8: host bits are set, did you mean 10.0.0.0/8?"
/// );
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    // Never v4-mapped; every bit after the first `len` is zero.
    network: IpAddr,
    len: u8,
}

impl Prefix {
    /// The prefix of this network and length in bits.
    ///
    /// Fails if the length is above 32 (IPv4) or 128 (IPv6), or if a host bit is set.
    pub fn new(network: IpAddr, len: u8) -> Result<Prefix, AddressError> {
        let text = || format!("{network}/{len}");
        prefix(network, len).map_err(|rule| AddressError::prefix(&text(), rule))
    }

    /// The IPv4 prefix of a constant table; a wrong row does not compile.
    pub(super) const fn v4(octets: [u8; 4], len: u8) -> Prefix {
        let [a, b, c, d] = octets;
        let ip = Ipv4Addr::new(a, b, c, d);
        assert!(len <= 32 && ip.to_bits() & !mask_v4(len) == 0);
        Prefix {
            network: IpAddr::V4(ip),
            len,
        }
    }

    /// The IPv6 prefix of a constant table; a wrong row does not compile.
    pub(super) const fn v6(groups: [u16; 8], len: u8) -> Prefix {
        let [a, b, c, d, e, f, g, h] = groups;
        let ip = Ipv6Addr::new(a, b, c, d, e, f, g, h);
        assert!(len <= 128 && ip.to_bits() & !mask_v6(len) == 0);
        Prefix {
            network: IpAddr::V6(ip),
            len,
        }
    }

    /// The first address; all its host bits are zero.
    pub fn network(&self) -> IpAddr {
        self.network
    }

    /// The length in bits: 0 to 32 for IPv4, 0 to 128 for IPv6.
    #[expect(
        clippy::len_without_is_empty,
        reason = "no prefix is empty: /0 is everything"
    )]
    pub fn len(&self) -> u8 {
        self.len
    }

    /// Whether the address is in the prefix; a v4-mapped one counts as IPv4.
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.network, canonical(ip)) {
            (IpAddr::V4(network), IpAddr::V4(ip)) => {
                ip.to_bits() & mask_v4(self.len) == network.to_bits()
            }
            (IpAddr::V6(network), IpAddr::V6(ip)) => {
                ip.to_bits() & mask_v6(self.len) == network.to_bits()
            }
            _ => false,
        }
    }
}

impl From<IpAddr> for Prefix {
    /// The prefix of one address: /32 or /128.
    fn from(ip: IpAddr) -> Prefix {
        let network = canonical(ip);
        Prefix {
            network,
            len: bits(network),
        }
    }
}

impl FromStr for Prefix {
    type Err = AddressError;

    /// Reads `address/length`, or an address alone for just that address.
    fn from_str(text: &str) -> Result<Prefix, AddressError> {
        parse(text).map_err(|rule| AddressError::prefix(text, rule))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.len)
    }
}

fn parse(text: &str) -> Result<Prefix, Rule> {
    match text.split_once('/') {
        None => Ok(Prefix::from(ip(text)?)),
        Some((address, len)) => {
            let network = ip(address)?;
            prefix(network, length(len, bits(network))?)
        }
    }
}

fn length(text: &str, max: u8) -> Result<u8, Rule> {
    if text.is_empty() {
        return Err(Rule::LengthMissing);
    }
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Rule::LengthNotDigits(Excerpt::new(text)));
    }
    if text.len() > 1 && text.starts_with('0') {
        return Err(Rule::LengthLeadingZero(Excerpt::new(text)));
    }
    text.parse().map_err(|_| Rule::LengthRange(max))
}

fn prefix(network: IpAddr, len: u8) -> Result<Prefix, Rule> {
    if len > bits(network) {
        return Err(Rule::LengthRange(bits(network)));
    }
    let first = first_address(network, len);
    if first != network {
        return Err(Rule::HostBitsSet(format!("{first}/{len}")));
    }
    // Peers are matched in canonical form, so a v4-mapped prefix would never match a peer. A length
    // below 96 bits cuts off the mark ::ffff, so the check above has refused it.
    Ok(match canonical(network) {
        IpAddr::V4(v4) if network.is_ipv6() => Prefix {
            network: IpAddr::V4(v4),
            len: len - 96,
        },
        _ => Prefix { network, len },
    })
}

/// The address with all its host bits zero; `len` is at most [`bits`].
pub(super) fn first_address(ip: IpAddr, len: u8) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() & mask_v4(len))),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & mask_v6(len))),
    }
}

/// How many bits an address of this family has.
pub(super) fn bits(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// `len` ones, then zeros. A shift by the full width is an overflow in Rust, so the checked shift
/// handles /0 (which shifts by all 32 bits).
pub(super) const fn mask_v4(len: u8) -> u32 {
    match u32::MAX.checked_shl(32 - len as u32) {
        Some(mask) => mask,
        None => 0,
    }
}

pub(super) const fn mask_v6(len: u8) -> u128 {
    match u128::MAX.checked_shl(128 - len as u32) {
        Some(mask) => mask,
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::generate::Seeded;
    use super::*;

    #[test]
    fn a_prefix_contains_what_starts_with_its_bits() {
        let cases = [
            ("10.0.0.0/8", "9.255.255.255", false),
            ("10.0.0.0/8", "10.0.0.0", true),
            ("10.0.0.0/8", "10.255.255.255", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("172.16.0.0/12", "172.31.255.255", true),
            ("172.16.0.0/12", "172.32.0.0", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
            ("192.0.2.6/31", "192.0.2.7", true),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "ffff::1", true),
            ("::/0", "1.2.3.4", false),
            ("::/0", "::ffff:1.2.3.4", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::", false),
            ("2001:db8::1", "2001:db8::1", true),
            ("2001:db8::1", "2001:db8::", false),
            ("2001:db8::/65", "2001:db8::7fff:ffff:ffff:ffff", true),
            ("2001:db8::/65", "2001:db8::8000:0:0:0", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("10.0.0.0/8", "::10.1.2.3", false),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "::ffff:10.1.2.3", true),
            ("::ffff:10.0.0.1", "10.0.0.1", true),
            ("::ffff:0:0/96", "1.2.3.4", true),
        ];
        for (prefix, ip, expected) in cases {
            let contains = prefix
                .parse::<Prefix>()
                .unwrap()
                .contains(ip.parse().unwrap());
            assert_eq!(contains, expected, "{prefix} contains {ip}");
        }
    }

    #[test]
    fn a_prefix_is_printed_in_its_one_form() {
        let cases = [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("::1", "::1/128"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:DB8:0::/32", "2001:db8::/32"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::/80", "::/80"),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Prefix>().unwrap().to_string(), expected);
        }
    }

    #[test]
    fn a_bad_prefix_is_told_the_rule_it_breaks() {
        let cases = [
            ("", "\"\": the text is empty"),
            ("/8", "/8: the text is empty"),
            ("10.0.0.0/", "10.0.0.0/: the length after / is missing"),
            ("10.0.0.0/33", "10.0.0.0/33: length must be 0 to 32"),
            ("10.0.0.0/256", "10.0.0.0/256: length must be 0 to 32"),
            ("::/129", "::/129: length must be 0 to 128"),
            ("::/99999999999", "::/99999999999: length must be 0 to 128"),
            ("10.0.0.0/08", "10.0.0.0/08: length 08 has a leading zero"),
            (
                "10.0.0.0/+8",
                "10.0.0.0/+8: length +8 is not a decimal number",
            ),
            (
                "10.0.0.0/-1",
                "10.0.0.0/-1: length -1 is not a decimal number",
            ),
            (
                "10.0.0.0/ 8",
                "10.0.0.0/ 8: length  8 is not a decimal number",
            ),
            (
                "10.0.0.0/8/8",
                "10.0.0.0/8/8: length 8/8 is not a decimal number",
            ),
            (
                "10.0.0.0/255.0.0.0",
                "10.0.0.0/255.0.0.0: length 255.0.0.0 is not a decimal number",
            ),
            (
                "10.1.2.3/8",
                "10.1.2.3/8: host bits are set, did you mean 10.0.0.0/8?",
            ),
            (
                "1.2.3.4/0",
                "1.2.3.4/0: host bits are set, did you mean 0.0.0.0/0?",
            ),
            (
                "2001:db8::1/32",
                "2001:db8::1/32: host bits are set, did you mean 2001:db8::/32?",
            ),
            (
                "::ffff:10.0.0.1/64",
                "::ffff:10.0.0.1/64: host bits are set, did you mean ::/64?",
            ),
            ("10/8", "10/8: an IPv4 address has four octets, this has 1"),
            ("288.0.0.0/8", "288.0.0.0/8: octet 288 is above 255"),
            (
                "fe80::%eth0/10",
                "fe80::%eth0/10: a zone (%) is not allowed here",
            ),
            ("all", "all: this is neither an IPv4 nor an IPv6 address"),
        ];
        for (text, expected) in cases {
            let message = text.parse::<Prefix>().unwrap_err().to_string();
            assert_eq!(message, format!("prefix {expected}"));
        }
    }

    #[test]
    fn a_made_prefix_obeys_the_rules_of_a_read_one() {
        let error = Prefix::new("10.1.0.0".parse().unwrap(), 8).unwrap_err();
        assert_eq!(
            error.to_string(),
            "prefix 10.1.0.0/8: host bits are set, did you mean 10.0.0.0/8?"
        );
        assert!(Prefix::new("10.0.0.0".parse().unwrap(), 33).is_err());
        assert_eq!(Prefix::new("::".parse().unwrap(), 0), "::/0".parse());
    }

    #[test]
    fn contains_agrees_with_comparing_bit_by_bit() {
        let mut seeded = Seeded::new(4632);
        for _ in 0..50_000 {
            let ip = canonical(seeded.ip());
            let len = seeded.below(bits(ip) as usize + 1) as u8;
            let prefix = Prefix::new(first_address(ip, len), len).unwrap();
            assert_eq!(prefix.to_string().parse(), Ok(prefix));
            assert!(prefix.contains(ip), "{prefix} {ip}");
            let flip = seeded.below(bits(ip) as usize) as u8;
            let near = flip_bit(ip, flip);
            assert_eq!(prefix.contains(near), flip >= len, "{prefix} {near}");
        }
    }

    /// The address with bit `at` changed, counted from the left.
    fn flip_bit(ip: IpAddr, at: u8) -> IpAddr {
        match ip {
            IpAddr::V4(ip) => IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() ^ (1 << (31 - at)))),
            IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() ^ (1 << (127 - at)))),
        }
    }
}
