//! The names of networks: `tcp`, `udp4`, `unix` and their kin.
//!
//! A program that dials or listens names the network, with the names that Go's `net` package made
//! familiar. The name answers three questions before any address is read: which transport carries
//! the bytes, which IP families may be used, and whether there are connections at all.
//!
//! ```text
//! name         transport   IPv4   IPv6   connections
//! tcp          TCP         yes    yes    yes
//! tcp4         TCP         yes    no     yes
//! tcp6         TCP         no     yes    yes
//! udp          UDP         yes    yes    no
//! udp4         UDP         yes    no     no
//! udp6         UDP         no     yes    no
//! unix         (local)     -      -      yes
//! unixgram     (local)     -      -      no
//! unixpacket   (local)     -      -      yes
//! ip4:icmp     (ICMP)      yes    no     no
//! ip6:icmp     (ICMP)      no     yes    no
//! ```
//!
//! The last two are IP itself with one protocol inside, written as `ip4:PROTOCOL`. The protocol may
//! also be given by its number, as in Go: `ip4:1`, `ip6:58`, and `ip6:ipv6-icmp` by its other name.
//! There are no ports; [`icmp`](super::icmp) interprets the packets.
//!
//! To add a network:
//! 1. add a variant to [`Network`] and to [`Network::ALL`], and its name to [`Network::name`];
//! 2. answer the questions below for it (the compiler finds the `match`es);
//! 3. add its row to the table above and to the table in the tests;
//! 4. teach the dialer and the listener what to open for it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::address_error::{AddressError, Rule};
use super::ip::canonical;

/// What carries the bytes between two ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// A stream of bytes (RFC 9293).
    Tcp,
    /// Datagrams (RFC 768).
    Udp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        })
    }
}

/// A network to dial or to listen on.
///
/// ```
/// use groundwire::net::network::{Network, Transport};
///
/// let network: Network = "tcp4".parse().unwrap();
/// assert_eq!(network.transport(), Some(Transport::Tcp));
/// assert!(network.allows("127.0.0.1".parse().unwrap()));
/// assert!(!network.allows("::1".parse().unwrap()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Network {
    /// TCP over either family.
    Tcp,
    /// TCP over IPv4.
    Tcp4,
    /// TCP over IPv6.
    Tcp6,
    /// UDP over either family.
    Udp,
    /// UDP over IPv4.
    Udp4,
    /// UDP over IPv6.
    Udp6,
    /// A Unix-domain stream socket (`SOCK_STREAM`).
    Unix,
    /// A Unix-domain datagram socket (`SOCK_DGRAM`).
    Unixgram,
    /// A Unix-domain socket with connections and message boundaries (`SOCK_SEQPACKET`).
    Unixpacket,
    /// ICMP over IPv4 (RFC 792).
    Ip4Icmp,
    /// ICMPv6 (RFC 4443).
    Ip6Icmp,
}

/// Other ways to write a network.
const ALIASES: [(&str, Network); 3] = [
    ("ip4:1", Network::Ip4Icmp),
    ("ip6:58", Network::Ip6Icmp),
    ("ip6:ipv6-icmp", Network::Ip6Icmp),
];

impl Network {
    /// Every network, in the order in which messages list them.
    pub const ALL: [Network; 11] = [
        Network::Tcp,
        Network::Tcp4,
        Network::Tcp6,
        Network::Udp,
        Network::Udp4,
        Network::Udp6,
        Network::Unix,
        Network::Unixgram,
        Network::Unixpacket,
        Network::Ip4Icmp,
        Network::Ip6Icmp,
    ];

    /// The name, as `FromStr` reads it and `Display` prints it.
    pub fn name(self) -> &'static str {
        match self {
            Network::Tcp => "tcp",
            Network::Tcp4 => "tcp4",
            Network::Tcp6 => "tcp6",
            Network::Udp => "udp",
            Network::Udp4 => "udp4",
            Network::Udp6 => "udp6",
            Network::Unix => "unix",
            Network::Unixgram => "unixgram",
            Network::Unixpacket => "unixpacket",
            Network::Ip4Icmp => "ip4:icmp",
            Network::Ip6Icmp => "ip6:icmp",
        }
    }

    /// The transport above IP; none for the Unix-domain networks and for ICMP, which have no ports.
    pub fn transport(self) -> Option<Transport> {
        match self {
            Network::Tcp | Network::Tcp4 | Network::Tcp6 => Some(Transport::Tcp),
            Network::Udp | Network::Udp4 | Network::Udp6 => Some(Transport::Udp),
            Network::Unix | Network::Unixgram | Network::Unixpacket => None,
            Network::Ip4Icmp | Network::Ip6Icmp => None,
        }
    }

    /// Whether its addresses are paths in the file system instead of `host:port`.
    pub fn is_unix(self) -> bool {
        matches!(
            self,
            Network::Unix | Network::Unixgram | Network::Unixpacket
        )
    }

    /// Whether it is ICMP: an address is a host alone, and the socket an
    /// [`IcmpSocket`](super::IcmpSocket).
    pub fn is_icmp(self) -> bool {
        matches!(self, Network::Ip4Icmp | Network::Ip6Icmp)
    }

    /// Whether it is connection-oriented: a server accepts, and a peer can hang up.
    ///
    /// True of `unixpacket` too, although it keeps message boundaries and so is no *byte* stream.
    pub fn is_stream(self) -> bool {
        match self {
            Network::Tcp | Network::Tcp4 | Network::Tcp6 => true,
            Network::Udp | Network::Udp4 | Network::Udp6 => false,
            Network::Unix | Network::Unixpacket => true,
            Network::Unixgram | Network::Ip4Icmp | Network::Ip6Icmp => false,
        }
    }

    /// Whether an address of this family may be used; never for a Unix-domain network.
    ///
    /// A v4-mapped address counts as IPv4, because that is what its packets are.
    pub fn allows(self, ip: IpAddr) -> bool {
        let ip = canonical(ip);
        match self {
            Network::Tcp | Network::Udp => true,
            Network::Tcp4 | Network::Udp4 | Network::Ip4Icmp => ip.is_ipv4(),
            Network::Tcp6 | Network::Udp6 | Network::Ip6Icmp => ip.is_ipv6(),
            Network::Unix | Network::Unixgram | Network::Unixpacket => false,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Network {
    type Err = AddressError;

    /// Reads a name exactly as listed, or one of the other ways to write it: lower case, no spaces.
    fn from_str(text: &str) -> Result<Network, AddressError> {
        let names = Network::ALL.into_iter().map(|n| (n.name(), n));
        let mut known = names.chain(ALIASES);
        let found = known.find_map(|(name, n)| (name == text).then_some(n));
        found.ok_or_else(|| AddressError::network(text, Rule::UnknownNetwork))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_answers_as_the_table_at_the_head_says() {
        use Transport::{Tcp, Udp};
        // name, transport, allows IPv4, allows IPv6, connections
        let table = [
            ("tcp", Some(Tcp), true, true, true),
            ("tcp4", Some(Tcp), true, false, true),
            ("tcp6", Some(Tcp), false, true, true),
            ("udp", Some(Udp), true, true, false),
            ("udp4", Some(Udp), true, false, false),
            ("udp6", Some(Udp), false, true, false),
            ("unix", None, false, false, true),
            ("unixgram", None, false, false, false),
            ("unixpacket", None, false, false, true),
            ("ip4:icmp", None, true, false, false),
            ("ip6:icmp", None, false, true, false),
        ];
        assert_eq!(table.len(), Network::ALL.len());
        for ((name, transport, v4, v6, stream), listed) in table.into_iter().zip(Network::ALL) {
            let network: Network = name.parse().unwrap();
            assert_eq!(network, listed, "{name}");
            assert_eq!(network.to_string(), name);
            assert_eq!(network.transport(), transport, "{name}");
            assert_eq!(network.is_unix(), name.starts_with("unix"), "{name}");
            assert_eq!(network.is_icmp(), name.ends_with(":icmp"), "{name}");
            assert_eq!(network.allows("192.0.2.1".parse().unwrap()), v4, "{name}");
            assert_eq!(
                network.allows("::ffff:192.0.2.1".parse().unwrap()),
                v4,
                "{name} mapped"
            );
            assert_eq!(network.allows("2001:db8::1".parse().unwrap()), v6, "{name}");
            assert_eq!(network.is_stream(), stream, "{name}");
        }
    }

    #[test]
    fn a_protocol_may_be_written_by_its_number_or_its_other_name() {
        for (text, name) in [
            ("ip4:1", "ip4:icmp"),
            ("ip6:58", "ip6:icmp"),
            ("ip6:ipv6-icmp", "ip6:icmp"),
        ] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn an_unknown_network_is_told_the_known_ones() {
        let known = "unknown network, the known ones are \
                     tcp, tcp4, tcp6, udp, udp4, udp6, unix, unixgram, unixpacket, \
                     ip4:icmp, ip6:icmp";
        for text in ["tcp5", "TCP", " tcp", "ip:icmp", "ip4:6", "ip6:1", "tcp\n"] {
            let message = text.parse::<Network>().unwrap_err().to_string();
            let shown = text.escape_debug();
            assert_eq!(message, format!("network {shown}: {known}"));
        }
        let message = "".parse::<Network>().unwrap_err().to_string();
        assert_eq!(message, format!("network \"\": {known}"));
    }
}
