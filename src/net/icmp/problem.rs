//! What an ICMP error message means, in the familiar words of iputils' `ping`.

use std::fmt;

use super::message::{Family, types};

/// Why a packet was not delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Problem {
    family: Family,
    kind: u8,
    code: u8,
    info: u32,
}

impl Problem {
    /// The problem of this type and code; `None` when the type is not that of an error message.
    /// `info` is the MTU or the pointer, for types that have one.
    pub fn new(family: Family, kind: u8, code: u8, info: u32) -> Option<Problem> {
        types::is_problem(family, kind).then_some(Problem {
            family,
            kind,
            code,
            info,
        })
    }

    /// The type and code.
    pub fn numbers(&self) -> (u8, u8) {
        (self.kind, self.code)
    }

    /// Whether the packet has run out of hops: the expected answer to a low TTL.
    pub fn is_out_of_hops(&self) -> bool {
        matches!(
            (self.family, self.kind, self.code),
            (Family::V4, 11, 0) | (Family::V6, 3, 0)
        )
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.family {
            Family::V4 => self.fmt_v4(f),
            Family::V6 => self.fmt_v6(f),
        }
    }
}

/// Codes of destination unreachable (RFC 792, RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1). Number 4 has a
/// next-hop MTU (RFC 1191 §4).
const UNREACHABLE_V4: [&str; 16] = [
    "Destination Net Unreachable",
    "Destination Host Unreachable",
    "Destination Protocol Unreachable",
    "Destination Port Unreachable",
    "Frag needed and DF set",
    "Source Route Failed",
    "Destination Net Unknown",
    "Destination Host Unknown",
    "Source Host Isolated",
    "Destination Net Prohibited",
    "Destination Host Prohibited",
    "Destination Net Unreachable for Type of Service",
    "Destination Host Unreachable for Type of Service",
    "Packet filtered",
    "Precedence Violation",
    "Precedence Cutoff",
];

/// Codes of destination unreachable (RFC 4443 §3.1).
const UNREACHABLE_V6: [&str; 7] = [
    "No route",
    "Administratively prohibited",
    "Beyond scope of source address",
    "Address unreachable",
    "Port unreachable",
    "Source address failed ingress/egress policy",
    "Reject route to destination",
];

impl Problem {
    fn fmt_v4(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unreachable = UNREACHABLE_V4.get(usize::from(self.code));
        match (self.kind, self.code, unreachable) {
            (3, 4, Some(text)) => write!(f, "{text} (mtu = {})", self.info),
            (3, _, Some(text)) => f.write_str(text),
            (3, code, None) => write!(f, "Dest Unreachable, Bad Code: {code}"),
            (11, 0, _) => f.write_str("Time to live exceeded"),
            (11, 1, _) => f.write_str("Frag reassembly time exceeded"),
            (11, code, _) => write!(f, "Time exceeded, Bad Code: {code}"),
            _ => write!(f, "Parameter problem: pointer = {}", self.info),
        }
    }

    fn fmt_v6(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unreachable = UNREACHABLE_V6.get(usize::from(self.code));
        match (self.kind, self.code, unreachable) {
            (1, _, Some(text)) => write!(f, "Destination unreachable: {text}"),
            (1, code, None) => write!(f, "Destination unreachable: Unknown code {code}"),
            (2, _, _) => write!(f, "Packet too big: mtu={}", self.info),
            (3, 0, _) => f.write_str("Time exceeded: Hop limit"),
            (3, 1, _) => f.write_str("Time exceeded: Defragmentation failure"),
            (3, code, _) => write!(f, "Time exceeded: code {code}"),
            (4, 0, _) => write!(f, "Parameter problem: Wrong header field at {}", self.info),
            (4, 1, _) => write!(f, "Parameter problem: Unknown header at {}", self.info),
            (4, 2, _) => write!(f, "Parameter problem: Unknown option at {}", self.info),
            (4, code, _) => write!(f, "Parameter problem: code {code} at {}", self.info),
            (kind, _, _) => write!(f, "unknown icmp type: {kind}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_told_as_ping_tells_them() {
        use Family::{V4, V6};
        let table = [
            (V4, 3, 0, 0, "Destination Net Unreachable"),
            (V4, 3, 1, 0, "Destination Host Unreachable"),
            (V4, 3, 3, 0, "Destination Port Unreachable"),
            (V4, 3, 4, 1_400, "Frag needed and DF set (mtu = 1400)"),
            (V4, 3, 13, 0, "Packet filtered"),
            (V4, 3, 99, 0, "Dest Unreachable, Bad Code: 99"),
            (V4, 11, 0, 0, "Time to live exceeded"),
            (V4, 11, 1, 0, "Frag reassembly time exceeded"),
            (V4, 12, 0, 20, "Parameter problem: pointer = 20"),
            (V6, 1, 0, 0, "Destination unreachable: No route"),
            (V6, 1, 3, 0, "Destination unreachable: Address unreachable"),
            (V6, 1, 9, 0, "Destination unreachable: Unknown code 9"),
            (V6, 2, 0, 1_280, "Packet too big: mtu=1280"),
            (V6, 3, 0, 0, "Time exceeded: Hop limit"),
            (V6, 4, 1, 40, "Parameter problem: Unknown header at 40"),
            (V6, 100, 1, 0, "unknown icmp type: 100"),
        ];
        for (family, kind, code, info, words) in table {
            let problem = Problem::new(family, kind, code, info).unwrap();
            assert_eq!(problem.to_string(), words);
            assert_eq!(problem.numbers(), (kind, code));
        }
    }

    #[test]
    fn each_family_has_its_own_error_types() {
        for kind in 0..=255 {
            let (v4, v6) = (matches!(kind, 3 | 11 | 12), kind < 128);
            assert_eq!(Problem::new(Family::V4, kind, 0, 0).is_some(), v4, "{kind}");
            assert_eq!(Problem::new(Family::V6, kind, 0, 0).is_some(), v6, "{kind}");
        }
    }

    #[test]
    fn every_code_has_words() {
        for family in [Family::V4, Family::V6] {
            for kind in (0..=255).filter(|kind| types::is_problem(family, *kind)) {
                for code in 0..=255 {
                    let problem = Problem::new(family, kind, code, 0).unwrap();
                    assert!(!problem.to_string().is_empty());
                }
            }
        }
    }

    #[test]
    fn only_the_hop_limit_is_out_of_hops() {
        let is = |family, kind, code| {
            Problem::new(family, kind, code, 0)
                .unwrap()
                .is_out_of_hops()
        };
        assert!(is(Family::V4, 11, 0) && is(Family::V6, 3, 0));
        assert!(!is(Family::V4, 11, 1) && !is(Family::V4, 3, 0) && !is(Family::V6, 1, 0));
    }
}
