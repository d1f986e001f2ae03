//! Who may connect: allow and deny lists of address prefixes.
//!
//! Deny wins over allow; with an allow list, whoever is not on it is refused; without one,
//! everybody else is welcome. An IPv4 peer of a dual-stack socket appears as `::ffff:a.b.c.d`
//! (RFC 4291 §2.5.5.2) and is matched as the IPv4 address that it is, or `--deny 10.0.0.0/8`
//! would let it through. Unix peers have no address and are not concerned: their file's
//! permissions decide.

use std::net::IpAddr;

use crate::net::{Addr, Prefix};

/// An access list; the default lets everybody in.
#[derive(Clone, Debug, Default)]
pub struct AccessList {
    allow: Vec<Prefix>,
    deny: Vec<Prefix>,
}

impl AccessList {
    /// A list of prefixes that may connect (empty: all) and of those that may not.
    pub fn new(allow: Vec<Prefix>, deny: Vec<Prefix>) -> Self {
        Self { allow, deny }
    }

    /// Whether this peer may connect.
    pub fn permits(&self, peer: &Addr) -> bool {
        peer.ip()
            .is_none_or(|address| self.permits_ip(address.ip()))
    }

    fn permits_ip(&self, ip: IpAddr) -> bool {
        let among = |list: &[Prefix]| list.iter().any(|prefix| prefix.contains(ip));
        !among(&self.deny) && (self.allow.is_empty() || among(&self.allow))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(allow: &[&str], deny: &[&str]) -> AccessList {
        let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        AccessList::new(parse(allow), parse(deny))
    }

    #[test]
    fn deny_wins_over_allow_and_an_allow_list_refuses_the_rest() {
        let cases = [
            (list(&[], &[]), "192.0.2.1", true),
            (list(&[], &["192.0.2.0/24"]), "192.0.2.1", false),
            (list(&[], &["192.0.2.0/24"]), "192.0.3.1", true),
            (list(&["10.0.0.0/8"], &[]), "10.255.255.255", true),
            (list(&["10.0.0.0/8"], &[]), "11.0.0.0", false),
            (list(&["10.0.0.0/8"], &["10.1.0.0/16"]), "10.1.2.3", false),
            (list(&["::1"], &[]), "::1", true),
            (list(&["::1"], &[]), "127.0.0.1", false),
        ];
        for (list, ip, expected) in cases {
            assert_eq!(
                list.permits_ip(ip.parse().unwrap()),
                expected,
                "{ip} {list:?}"
            );
        }
    }

    #[test]
    fn an_ipv4_peer_of_an_ipv6_socket_is_matched_as_ipv4() {
        let list = list(&[], &["10.0.0.0/8"]);
        assert!(!list.permits_ip("::ffff:10.1.2.3".parse().unwrap()));
        assert!(list.permits_ip("::ffff:11.1.2.3".parse().unwrap()));
    }

    #[test]
    fn unix_peers_are_left_to_the_files_permissions() {
        assert!(list(&["10.0.0.0/8"], &["::/0"]).permits(&Addr::Unix(None)));
    }
}
