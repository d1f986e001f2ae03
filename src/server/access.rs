//! Who may connect: allow and deny lists of address prefixes.
//!
//! Deny wins over allow. With an allow list, any peer that is not on it is refused; without one,
//! every peer that is not denied may connect. An IPv4 peer of a dual-stack socket appears as
//! `::ffff:a.b.c.d` (RFC 4291 §2.5.5.2) and is matched as the IPv4 address inside, or `--deny
//! 10.0.0.0/8` would let it through. Unix peers have no address; the permissions of the socket's
//! file decide.

use std::fmt;
use std::net::IpAddr;

use crate::net::{Addr, Prefix};

/// An access list; the default allows every peer.
#[derive(Clone, Debug, Default)]
pub struct AccessList {
    allow: Vec<Prefix>,
    deny: Vec<Prefix>,
}

/// The rule that keeps a peer out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unwelcome {
    /// It is on the deny list.
    Denied,
    /// There is an allow list, and it is not on it.
    NotAllowed,
}

impl fmt::Display for Unwelcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unwelcome::Denied => "denied by the access list",
            Unwelcome::NotAllowed => "not on the allow list",
        })
    }
}

impl std::error::Error for Unwelcome {}

impl AccessList {
    /// A list of prefixes that may connect (empty: all) and of those that may not.
    pub fn new(allow: Vec<Prefix>, deny: Vec<Prefix>) -> Self {
        Self { allow, deny }
    }

    /// Whether this peer may connect; if not, the rule that says so.
    pub fn judge(&self, peer: &Addr) -> Result<(), Unwelcome> {
        peer.ip()
            .map_or(Ok(()), |address| self.judge_ip(address.ip()))
    }

    fn judge_ip(&self, ip: IpAddr) -> Result<(), Unwelcome> {
        let among = |list: &[Prefix]| list.iter().any(|prefix| prefix.contains(ip));
        if among(&self.deny) {
            return Err(Unwelcome::Denied);
        }
        if self.allow.is_empty() || among(&self.allow) {
            return Ok(());
        }
        Err(Unwelcome::NotAllowed)
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
            (list(&[], &[]), "192.0.2.1", Ok(())),
            (
                list(&[], &["192.0.2.0/24"]),
                "192.0.2.1",
                Err(Unwelcome::Denied),
            ),
            (list(&[], &["192.0.2.0/24"]), "192.0.3.1", Ok(())),
            (list(&["10.0.0.0/8"], &[]), "10.255.255.255", Ok(())),
            (
                list(&["10.0.0.0/8"], &[]),
                "11.0.0.0",
                Err(Unwelcome::NotAllowed),
            ),
            (
                list(&["10.0.0.0/8"], &["10.1.0.0/16"]),
                "10.1.2.3",
                Err(Unwelcome::Denied),
            ),
            (list(&["::1"], &[]), "::1", Ok(())),
            (list(&["::1"], &[]), "127.0.0.1", Err(Unwelcome::NotAllowed)),
        ];
        for (list, ip, expected) in cases {
            assert_eq!(
                list.judge_ip(ip.parse().unwrap()),
                expected,
                "{ip} {list:?}"
            );
        }
    }

    #[test]
    fn an_ipv4_peer_of_an_ipv6_socket_is_matched_as_ipv4() {
        let list = list(&[], &["10.0.0.0/8"]);
        let judge = |ip: &str| list.judge_ip(ip.parse().unwrap());
        assert_eq!(judge("::ffff:10.1.2.3"), Err(Unwelcome::Denied));
        assert_eq!(judge("::ffff:11.1.2.3"), Ok(()));
    }

    #[test]
    fn unix_peers_are_left_to_the_files_permissions() {
        let list = list(&["10.0.0.0/8"], &["::/0"]);
        assert_eq!(list.judge(&Addr::Unix(None)), Ok(()));
    }
}
