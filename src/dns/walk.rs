//! The way down from the root: the meaning of a referral, and the addresses of the root.
//!
//! ```text
//!   ask .             www.lab.example. A   ->  authority:  example.      NS  ns.example.
//!                                              additional: ns.example.   A   192.0.2.1   (glue)
//!   ask 192.0.2.1     www.lab.example. A   ->  authority:  lab.example.  NS  ...
//! ```
//!
//! A referral counts only if it leads further down and towards the question; its glue counts only
//! if the server that sent it is an authority for that name. Otherwise any server could send its
//! clients anywhere, or upwards in a circle (RFC 1034 §5.3.3, RFC 2181 §5.4.1).

use std::net::IpAddr;

use super::data::Data;
use super::message::Message;
use super::name::Name;
use crate::net::parse_ip;

/// Where a server sends those who ask for names below a zone cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referral {
    /// The zone that begins at the cut.
    pub zone: Name,
    /// Its name servers, each with the addresses in the reply, if any.
    pub servers: Vec<(Name, Vec<IpAddr>)>,
}

impl Referral {
    /// Reads the referral in a reply about `name` from a server of `zone`. `None` if it is no
    /// referral, or one that must not be followed.
    pub fn read(message: &Message, name: &Name, zone: &Name) -> Option<Self> {
        if !message.is_referral() {
            return None;
        }
        let cut = message
            .authorities
            .iter()
            .find_map(|record| match record.data {
                Data::Ns(_) => Some(&record.name),
                _ => None,
            })?;
        if cut == zone || !cut.is_within(zone) || !name.is_within(cut) {
            return None;
        }
        let servers = message
            .authorities
            .iter()
            .filter_map(|record| match &record.data {
                Data::Ns(server) if record.name == *cut => Some(server.clone()),
                _ => None,
            });
        Some(Self {
            zone: cut.clone(),
            servers: servers
                .map(|server| {
                    let glue = glue(message, &server, zone);
                    (server, glue)
                })
                .collect(),
        })
    }

    /// All addresses in the reply, IPv4 first: most labs have only those.
    pub fn addresses(&self) -> Vec<IpAddr> {
        let mut all: Vec<IpAddr> = self.servers.iter().flat_map(|s| s.1.clone()).collect();
        all.sort_by_key(IpAddr::is_ipv6);
        all
    }
}

fn glue(message: &Message, server: &Name, zone: &Name) -> Vec<IpAddr> {
    if !server.is_within(zone) {
        return Vec::new();
    }
    let own = message
        .additionals
        .iter()
        .filter(|record| record.name == *server);
    own.filter_map(|record| record.data.address()).collect()
}

/// The root servers' addresses, IPv4 and IPv6 each, as IANA lists them (2023-11-27).
pub const ROOT_HINTS: &str = "\
a.root-servers.net. A 198.41.0.4      a.root-servers.net. AAAA 2001:503:ba3e::2:30
b.root-servers.net. A 170.247.170.2   b.root-servers.net. AAAA 2801:1b8:10::b
c.root-servers.net. A 192.33.4.12     c.root-servers.net. AAAA 2001:500:2::c
d.root-servers.net. A 199.7.91.13     d.root-servers.net. AAAA 2001:500:2d::d
e.root-servers.net. A 192.203.230.10  e.root-servers.net. AAAA 2001:500:a8::e
f.root-servers.net. A 192.5.5.241     f.root-servers.net. AAAA 2001:500:2f::f
g.root-servers.net. A 192.112.36.4    g.root-servers.net. AAAA 2001:500:12::d0d
h.root-servers.net. A 198.97.190.53   h.root-servers.net. AAAA 2001:500:1::53
i.root-servers.net. A 192.36.148.17   i.root-servers.net. AAAA 2001:7fe::53
j.root-servers.net. A 192.58.128.30   j.root-servers.net. AAAA 2001:503:c27::2:30
k.root-servers.net. A 193.0.14.129    k.root-servers.net. AAAA 2001:7fd::1
l.root-servers.net. A 199.7.83.42     l.root-servers.net. AAAA 2001:500:9f::42
m.root-servers.net. A 202.12.27.33    m.root-servers.net. AAAA 2001:dc3::35
";

/// The addresses in a file of root hints (`named.root`), IPv4 first: each word after an `A` or
/// `AAAA`. `;` begins a comment.
pub fn root_addresses(hints: &str) -> Vec<IpAddr> {
    let mut addresses = Vec::new();
    for line in hints.lines() {
        let line = line.split(';').next().unwrap_or_default();
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        for pair in words.windows(2) {
            if let [kind, address] = pair {
                let is_type = ["A", "AAAA"].iter().any(|t| kind.eq_ignore_ascii_case(t));
                addresses.extend(is_type.then(|| parse_ip(address).ok()).flatten());
            }
        }
    }
    addresses.sort_by_key(IpAddr::is_ipv6);
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::{Header, Record};

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn referral(zone: &str, servers: &[&str], glue: &[(&str, &str)]) -> Message {
        let mut message = Message::new(Header::query(0));
        let ns = |server: &&str| Record::new(name(zone), 60, Data::Ns(name(server)));
        message.authorities = servers.iter().map(ns).collect();
        let address = |(owner, address): &(&str, &str)| {
            Record::new(name(owner), 60, Data::A(address.parse().unwrap()))
        };
        message.additionals = glue.iter().map(address).collect();
        message
    }

    #[test]
    fn a_referral_names_the_zone_its_servers_and_their_addresses() {
        let message = referral(
            "lab.example",
            &["ns1.lab.example", "ns.other.test"],
            &[
                ("NS1.lab.example", "192.0.2.1"),
                ("ns.other.test", "192.0.2.6"),
            ],
        );
        let read = Referral::read(&message, &name("www.lab.example"), &name("example")).unwrap();
        assert_eq!(read.zone, name("lab.example"));
        // A server of example is no authority for other.test: its glue for that is left out.
        assert_eq!(read.addresses(), ["192.0.2.1".parse::<IpAddr>().unwrap()]);
        assert_eq!(read.servers.len(), 2);
    }

    #[test]
    fn a_referral_upwards_sideways_or_to_the_same_zone_is_not_followed() {
        for cut in [".", "example", "other.example", "test", "x.www.lab.example"] {
            let message = referral(cut, &["ns.example"], &[]);
            let read = Referral::read(&message, &name("www.lab.example"), &name("example"));
            assert_eq!(read, None, "{cut}");
        }
        let mut authoritative = referral("lab.example", &["ns.example"], &[]);
        authoritative.header.authoritative = true;
        let read = Referral::read(&authoritative, &name("www.lab.example"), &name("example"));
        assert_eq!(read, None);
    }

    #[test]
    fn only_the_servers_of_the_zone_that_is_referred_to_are_taken() {
        let mut message = referral("lab.example", &["ns.lab.example"], &[]);
        let others = referral("other.example", &["ns.other.example"], &[]);
        message.authorities.extend(others.authorities);
        let read = Referral::read(&message, &name("www.lab.example"), &name("example")).unwrap();
        let servers: Vec<&Name> = read.servers.iter().map(|(server, _)| server).collect();
        assert_eq!(servers, [&name("ns.lab.example")]);
    }

    #[test]
    fn root_hints_are_read_from_ianas_file_and_our_own_list() {
        let file = ";  comment 1 A 192.0.2.66\n\
                    .                        3600000      NS    A.ROOT-SERVERS.NET.\n\
                    A.ROOT-SERVERS.NET.      3600000      AAAA  2001:503:ba3e::2:30\n\
                    A.ROOT-SERVERS.NET.      3600000      A     198.41.0.4\n";
        let texts: Vec<String> = root_addresses(file).iter().map(IpAddr::to_string).collect();
        assert_eq!(texts, ["198.41.0.4", "2001:503:ba3e::2:30"]);
        let own = root_addresses(ROOT_HINTS);
        assert_eq!(own.iter().filter(|address| address.is_ipv4()).count(), 13);
        assert_eq!(own.len(), 26);
    }
}
