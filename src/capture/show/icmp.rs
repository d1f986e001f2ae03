//! ICMP and ICMPv6 in words. Pure. RFC 792, RFC 4443, RFC 4861 (neighbours), RFC 2710 and 3810
//! (multicast listeners).

use std::net::Ipv6Addr;

use super::digits::Text;
use crate::capture::decode::Icmp;

const UNKNOWN: &str = "Unknown";

/// The name of a type of ICMP.
pub(super) fn kind(number: u8) -> &'static str {
    match number {
        0 => "Echo (ping) reply",
        3 => "Destination unreachable",
        4 => "Source quench (flow control)",
        5 => "Redirect",
        6 => "Alternate host address",
        8 => "Echo (ping) request",
        9 => "Router advertisement",
        10 => "Router solicitation",
        11 => "Time-to-live exceeded",
        12 => "Parameter problem",
        13 => "Timestamp request",
        14 => "Timestamp reply",
        15 => "Information request",
        16 => "Information reply",
        17 => "Address mask request",
        18 => "Address mask reply",
        30 => "Traceroute",
        40 => "Photuris",
        42 => "Extended Echo request",
        43 => "Extended Echo reply",
        _ => "Unknown ICMP (obsolete or malformed?)",
    }
}

/// The name of a code of ICMP; `None` where the type has no codes.
pub(super) fn code(kind: u8, code: u8) -> Option<&'static str> {
    let names: &[&str] = match kind {
        3 => &[
            "Network unreachable",
            "Host unreachable",
            "Protocol unreachable",
            "Port unreachable",
            "Fragmentation needed",
            "Source route failed",
            "Destination network unknown",
            "Destination host unknown",
            "Source host isolated",
            "Network administratively prohibited",
            "Host administratively prohibited",
            "Network unreachable for TOS",
            "Host unreachable for TOS",
            "Communication administratively filtered",
            "Host precedence violation",
            "Precedence cutoff in effect",
        ],
        5 => &[
            "Redirect for network",
            "Redirect for host",
            "Redirect for TOS and network",
            "Redirect for TOS and host",
        ],
        9 => &["Normal router advertisement"],
        11 => &[
            "Time to live exceeded in transit",
            "Fragment reassembly time exceeded",
        ],
        6 => &["Alternate address for host"],
        40 => &[
            "Bad SPI",
            "Authentication failed",
            "Decompression failed",
            "Decryption failed",
            "Need authentication",
            "Need authorization",
        ],
        42 | 43 => &["No error"],
        12 => &[
            "Pointer indicates the error",
            "Required option missing",
            "Bad length",
        ],
        _ => return None,
    };
    Some(names.get(usize::from(code)).copied().unwrap_or(UNKNOWN))
}

/// The name of a type of ICMPv6.
pub(super) fn kind6(number: u8) -> &'static str {
    match number {
        1 => "Destination Unreachable",
        2 => "Packet Too Big",
        3 => "Time Exceeded",
        4 => "Parameter Problem",
        128 => "Echo (ping) request",
        129 => "Echo (ping) reply",
        130 => "Multicast Listener Query",
        131 => "Multicast Listener Report",
        132 => "Multicast Listener Done",
        133 => "Router Solicitation",
        134 => "Router Advertisement",
        135 => "Neighbor Solicitation",
        136 => "Neighbor Advertisement",
        137 => "Redirect",
        143 => "Multicast Listener Report Message v2",
        151 => "Multicast Router Advertisement",
        152 => "Multicast Router Solicitation",
        153 => "Multicast Router Termination",
        160 => "Extended Echo request",
        161 => "Extended Echo reply",
        100 | 101 | 200 | 201 => "Private experimentation",
        _ => UNKNOWN,
    }
}

/// The name of a code of ICMPv6; `None` where the type has no codes.
pub(super) fn code6(kind: u8, code: u8) -> Option<&'static str> {
    let names: &[&str] = match kind {
        1 => &[
            "no route to destination",
            "Administratively prohibited",
            "Beyond scope of source address",
            "Address unreachable",
            "Port unreachable",
            "Source address failed ingress/egress policy",
            "Reject route to destination",
            "Error in Source Routing Header",
        ],
        3 => &[
            "hop limit exceeded in transit",
            "fragment reassembly time exceeded",
        ],
        160 | 161 => &["No error"],
        4 => &[
            "erroneous header field encountered",
            "unrecognized Next Header type encountered",
            "unrecognized IPv6 option encountered",
            "IPv6 First Fragment has incomplete IPv6 Header Chain",
        ],
        _ => return None,
    };
    Some(names.get(usize::from(code)).copied().unwrap_or(UNKNOWN))
}

/// Whether it has an identifier and a sequence number.
fn is_echo(icmp: &Icmp<'_>) -> bool {
    match icmp.v6 {
        true => matches!(icmp.kind, 128 | 129),
        false => matches!(icmp.kind, 0 | 8 | 13..=18),
    }
}

/// Whether the message is too short for the fields of its type.
pub(super) fn is_short(icmp: &Icmp<'_>) -> bool {
    let needs = match icmp.kind {
        135..=137 if icmp.v6 => 20,
        _ if is_echo(icmp) => 4,
        _ => 0,
    };
    icmp.body.len() < needs
}

/// Identifier and sequence number of an echo or a message of the same form.
pub(super) fn echo(icmp: &Icmp<'_>) -> Option<(u16, u16)> {
    let [a, b, c, d] = icmp.body.first_chunk::<4>().filter(|_| is_echo(icmp))?;
    Some((u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])))
}

/// Whether it is an echo request, or the reply to one.
pub(super) fn is_request(icmp: &Icmp<'_>) -> Option<bool> {
    match (icmp.v6, icmp.kind) {
        (false, 8) | (true, 128) => Some(true),
        (false, 0) | (true, 129) => Some(false),
        _ => None,
    }
}

/// The target of a neighbour solicitation, advertisement or redirect (RFC 4861 §4.3 to §4.5).
pub(super) fn target(icmp: &Icmp<'_>) -> Option<Ipv6Addr> {
    let octets = icmp.body.get(4..)?.first_chunk::<16>();
    octets
        .filter(|_| icmp.v6 && matches!(icmp.kind, 135..=137))
        .map(|octets| Ipv6Addr::from(*octets))
}

/// The options of a neighbour or router message: the type, and the bytes after the length (RFC 4861
/// §4.6). An option with an impossible length ends them.
pub(super) fn options<'a>(icmp: &Icmp<'a>) -> impl Iterator<Item = (u8, &'a [u8])> + use<'a> {
    let fixed = match icmp.kind {
        133 => 4,
        134 => 12,
        135 | 136 => 20,
        137 => 36,
        _ => usize::MAX,
    };
    let mut rest = icmp.body.get(fixed..).unwrap_or_default();
    std::iter::from_fn(move || {
        let [kind, eights, ..] = rest else {
            return None;
        };
        let (option, behind) = rest.split_at_checked(usize::from(*eights) * 8)?;
        rest = behind;
        option.get(2..).map(|value| (*kind, value))
    })
}

/// The link-layer address that an option of this type carries.
fn link_address<'a>(icmp: &Icmp<'a>, wanted: u8) -> Option<&'a [u8]> {
    let (_, value) = options(icmp).find(|(kind, _)| *kind == wanted)?;
    value.get(..6)
}

/// The info column. `hops` is the TTL or hop limit of the packet.
pub(super) fn info(out: &mut Text, icmp: &Icmp<'_>, hops: u8) {
    if icmp.v6 {
        return info6(out, icmp, hops);
    }
    let start = out.len();
    out.text(kind(icmp.kind));
    out.left(start, 20);
    if let Some((id, sequence)) = echo(icmp) {
        out.text(" id=0x");
        out.hex(id, 4);
        out.text(", seq=");
        out.number(sequence);
        out.text("/");
        out.number(sequence.swap_bytes());
        out.text(", ttl=");
        out.number(hops);
    } else if let Some(name) = code(icmp.kind, icmp.code) {
        out.text(" (");
        out.text(name);
        if name == UNKNOWN {
            out.text(" code: ");
            out.number(icmp.code);
        }
        out.text(")");
    }
}

fn info6(out: &mut Text, icmp: &Icmp<'_>, hops: u8) {
    out.text(kind6(icmp.kind));
    if kind6(icmp.kind) == UNKNOWN {
        return unknown(out, icmp.kind);
    }
    if let Some((id, sequence)) = echo(icmp) {
        out.text(" id=0x");
        out.hex(id, 4);
        out.text(", seq=");
        out.number(sequence);
        out.text(", hop limit=");
        out.number(hops);
        return;
    }
    match icmp.kind {
        133 | 134 => from(out, icmp),
        135 => {
            if let Some(target) = target(icmp) {
                out.text(" for ");
                out.ipv6(target);
            }
            from(out, icmp);
        }
        136 => advertisement(out, icmp),
        _ => {
            if let Some(name) = code6(icmp.kind, icmp.code) {
                out.text(" (");
                out.text(name);
                if name == UNKNOWN {
                    unknown(out, icmp.code);
                }
                out.text(")");
            }
        }
    }
}

fn unknown(out: &mut Text, number: u8) {
    out.text(" (");
    out.number(number);
    out.text(")");
}

fn from(out: &mut Text, icmp: &Icmp<'_>) {
    if let Some(address) = link_address(icmp, 1) {
        out.text(" from ");
        out.hardware(address);
    }
}

fn advertisement(out: &mut Text, icmp: &Icmp<'_>) {
    let Some(target) = target(icmp) else { return };
    out.space();
    out.ipv6(target);
    let flags = icmp.body.first().copied().unwrap_or_default();
    let mut before = " (";
    for (bit, name) in [(0x80, "rtr"), (0x40, "sol"), (0x20, "ovr")] {
        if flags & bit != 0 {
            out.text(before);
            out.text(name);
            before = ", ";
        }
    }
    out.text(if before == " (" { " (none)" } else { ")" });
    if let Some(address) = link_address(icmp, 2) {
        out.text(" is at ");
        out.hardware(address);
    }
}
