//! The meaning of numbers in headers, in Wireshark's words: Ethernet types, IP protocols. Pure.

/// The protocol of an Ethernet type (<https://www.iana.org/assignments/ieee-802-numbers>).
pub(super) fn ether_type(number: u16) -> Option<&'static str> {
    Some(match number {
        0x0800 => "IPv4",
        0x0806 => "ARP",
        0x0842 => "WoL",
        0x8035 => "RARP",
        0x8100 => "802.1Q Virtual LAN",
        0x86dd => "IPv6",
        0x8808 => "MAC Control",
        0x8809 => "Slow Protocols",
        0x8847 => "MPLS",
        0x8863 => "PPPoED",
        0x8864 => "PPPoES",
        0x888e => "EAPOL",
        0x88a8 => "802.1ad",
        0x88cc => "LLDP",
        0x88e5 => "MACsec",
        0x88f7 => "PTP",
        0x9000 => "LOOP",
        _ => return None,
    })
}

/// The protocol of an IP protocol number or next header
/// (<https://www.iana.org/assignments/protocol-numbers>).
pub(super) fn ip_protocol(number: u8) -> &'static str {
    match number {
        0 => "IPv6 Hop-by-Hop Option",
        1 => "ICMP",
        2 => "IGMP",
        4 => "IPIP",
        6 => "TCP",
        8 => "EGP",
        17 => "UDP",
        33 => "DCCP",
        41 => "IPv6",
        43 => "Routing Header for IPv6",
        44 => "Fragment Header for IPv6",
        46 => "RSVP",
        47 => "Generic Routing Encapsulation",
        50 => "Encap Security Payload",
        51 => "Authentication Header",
        58 => "ICMPv6",
        59 => "No Next Header for IPv6",
        60 => "Destination Options for IPv6",
        88 => "EIGRP",
        89 => "OSPF IGP",
        103 => "PIM",
        112 => "VRRP",
        115 => "L2TP",
        132 => "SCTP",
        135 => "Mobility Header",
        136 => "UDPlite",
        137 => "MPLS in IP",
        253 | 254 => "Experimentation",
        255 => "Reserved",
        _ => "Unassigned",
    }
}

/// The words for the packet type of a Linux cooked header.
pub(super) fn packet_type(number: u16) -> &'static str {
    match number {
        0 => "Unicast to us",
        1 => "Broadcast",
        2 => "Multicast",
        3 => "Unicast to another host",
        4 => "Sent by us",
        _ => "Unknown",
    }
}
