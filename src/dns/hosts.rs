//! `/etc/hosts`: names that this machine knows without asking (hosts(5)).
//!
//! ```text
//!   # comment
//!   192.0.2.1   www.example.com  www     # an address, its first name, further names
//! ```
//!
//! A name may be on several lines, with IPv4 and IPv6 addresses: all count, in the order of the
//! file. Names compare without case and with or without a dot at their end. A line whose address
//! cannot be read is skipped, as every reader of the file does: a mistake in one line must not hide
//! the others.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::name::Name;
use crate::net::{ZonedIp, parse_ip};

/// The names and addresses of a hosts file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts {
    /// By the name's wire form in lower case.
    addresses: BTreeMap<Box<[u8]>, Vec<IpAddr>>,
    names: BTreeMap<IpAddr, Vec<Name>>,
}

impl Hosts {
    /// Reads the text of a hosts file.
    pub fn parse(text: &str) -> Self {
        let mut hosts = Self::default();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_ascii_whitespace();
            let Some(address) = words.next().and_then(address) else {
                continue;
            };
            for name in words.filter_map(|word| Name::parse(word).ok()) {
                hosts.add(address, name);
            }
        }
        hosts
    }

    fn add(&mut self, address: IpAddr, name: Name) {
        let addresses = self.addresses.entry(key(&name)).or_default();
        // The search is among the name's addresses, which are few. An address may have a hundred
        // thousand names, in a list of names to block.
        if !addresses.contains(&address) {
            addresses.push(address);
            self.names.entry(address).or_default().push(name);
        }
    }

    /// The addresses of a name, in the order of the file; empty if the file does not have the name.
    pub fn addresses(&self, name: &Name) -> &[IpAddr] {
        self.addresses.get(&key(name)).map_or(&[], Vec::as_slice)
    }

    /// The names of an address, in the order of the file.
    pub fn names(&self, address: IpAddr) -> &[Name] {
        self.names.get(&address).map_or(&[], Vec::as_slice)
    }
}

fn key(name: &Name) -> Box<[u8]> {
    name.wire().to_ascii_lowercase().into()
}

/// The address of a line. One with a zone (`fe80::1%eth0`) is valid on that link only, which an
/// `IpAddr` cannot express: it is skipped.
fn address(word: &str) -> Option<IpAddr> {
    match word.parse::<ZonedIp>() {
        Ok(zoned) if zoned.zone().is_some() => None,
        _ => parse_ip(word).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn all_addresses_of_a_name_are_kept_in_order_whatever_its_case_or_dot() {
        let hosts = Hosts::parse(
            "# the file\n\
             192.0.2.1\tWWW.Example.com www  # two names\r\n\
             2001:db8::1 www.example.com.\n\
             \n\
             192.0.2.2 www\n\
             192.0.2.1 www",
        );
        let both = ips(&["192.0.2.1", "2001:db8::1"]);
        assert_eq!(hosts.addresses(&name("www.example.com")), both);
        assert_eq!(hosts.addresses(&name("wWw.eXample.com.")), both);
        assert_eq!(
            hosts.addresses(&name("www")),
            ips(&["192.0.2.1", "192.0.2.2"])
        );
        assert_eq!(hosts.addresses(&name("example.com")), ips(&[]));
        let first: IpAddr = "192.0.2.1".parse().unwrap();
        assert_eq!(hosts.names(first), [name("www.example.com"), name("www")]);
        assert_eq!(hosts.names("192.0.2.9".parse().unwrap()), []);
    }

    #[test]
    fn a_line_that_cannot_be_read_spoils_only_itself() {
        let hosts = Hosts::parse(
            "127.1 short\n288.8.8.8 big\nfe80::1%eth0 linked\n#192.0.2.7 off\n192.0.2.8\n\
             192.0.2.9 bad..name good",
        );
        for absent in ["short", "big", "linked", "off"] {
            assert_eq!(hosts.addresses(&name(absent)), ips(&[]), "{absent}");
        }
        assert_eq!(hosts.addresses(&name("good")), ips(&["192.0.2.9"]));
    }
}
