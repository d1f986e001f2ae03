//! IP and ICMP field by field. Pure. RFC 791, 8200, 792, 4443, 4861.

use super::tree::{Bits, Tree, hardware, hex, one};
use super::{icmp as words, numbers};
use crate::capture::decode::{
    Decoded, Extension, Fragment, Icmp, Ipv4, Ipv4Option, Ipv4Options, Ipv6, quote, quoted,
};

pub(super) fn ipv4(tree: &mut Tree<'_>, header: &Ipv4<'_>) {
    let (from, to) = (header.source, header.destination);
    let name = "Internet Protocol Version 4";
    tree.block(format_args!("{name}, Src: {from}, Dst: {to}"), |tree| {
        let words = header.header_length / 4;
        let first = 0x40 | words & 0xf;
        tree.line(format_args!("{} = Version: 4", Bits::byte(first, 0xf0)));
        let bits = Bits::byte(first, 0x0f);
        let length = header.header_length;
        tree.line(format_args!(
            "{bits} = Header Length: {length} bytes ({words})"
        ));
        services(tree, header.tos);
        tree.field("Total Length", header.total_length);
        tree.field("Identification", format_args!("0x{0:04x} ({0})", header.id));
        ipv4_fragment(tree, header);
        tree.field("Time to Live", header.ttl);
        let protocol = numbers::ip_protocol(header.protocol);
        tree.field("Protocol", format_args!("{protocol} ({})", header.protocol));
        // Wireshark's words for this checksum differ from those for the others.
        let (sum, check) = (header.checksum, header.check);
        let status = tree.checked("Header Checksum", sum, check, "validation disabled");
        tree.line(format_args!("[Header checksum status: {status}]"));
        tree.field("Source Address", from);
        tree.field("Destination Address", to);
        if !header.options.is_empty() {
            ipv4_options(tree, header.options);
        }
    });
}

/// Differentiated services (RFC 2474) and congestion notification (RFC 3168).
fn services(tree: &mut Tree<'_>, tos: u8) {
    let (point, ecn) = (tos >> 2, tos & 3);
    tree.block(
        format_args!(
            "Differentiated Services Field: 0x{tos:02x} (DSCP: {point}, ECN: {})",
            ecn_name(ecn)
        ),
        |tree| {
            let bits = Bits::byte(tos, 0xfc);
            let name = "Differentiated Services Codepoint";
            tree.line(format_args!("{bits} = {name}: {point}"));
            let bits = Bits::byte(tos, 0x03);
            let name = "Explicit Congestion Notification";
            tree.line(format_args!("{bits} = {name}: {} ({ecn})", ecn_name(ecn)));
        },
    );
}

fn ecn_name(ecn: u8) -> &'static str {
    match ecn {
        0 => "Not-ECT",
        1 => "ECT(1)",
        2 => "ECT(0)",
        _ => "CE",
    }
}

fn ipv4_fragment(tree: &mut Tree<'_>, header: &Ipv4<'_>) {
    let flags = header.flags << 5;
    let mut names = String::new();
    for (bit, name) in [
        (4, ", Reserved"),
        (2, ", Don't fragment"),
        (1, ", More fragments"),
    ] {
        if header.flags & bit != 0 {
            names.push_str(name);
        }
    }
    let bits = Bits::byte(flags, 0xe0);
    tree.block(
        format_args!("{bits} = Flags: 0x{:x}{names}", header.flags),
        |tree| {
            tree.flag(Bits::byte(flags, 0x80), "Reserved bit");
            tree.flag(Bits::byte(flags, 0x40), "Don't fragment");
            tree.flag(Bits::byte(flags, 0x20), "More fragments");
        },
    );
    let bits = Bits::two(header.fragment_offset / 8, 0x1fff);
    let offset = header.fragment_offset;
    tree.line(format_args!("{bits} = Fragment Offset: {offset}"));
}

fn ipv4_options(tree: &mut Tree<'_>, options: &[u8]) {
    tree.block(format_args!("Options: ({} bytes)", options.len()), |tree| {
        for option in Ipv4Options::of(options) {
            ipv4_option(tree, option);
        }
    });
}

fn ipv4_option(tree: &mut Tree<'_>, option: Ipv4Option<'_>) {
    let known = |name: &str, kind: u8| format!("IP Option - {name} ({kind})");
    let head = match option {
        Ipv4Option::End => known("End of Options List (EOL)", 0),
        Ipv4Option::NoOperation => known("No-Operation (NOP)", 1),
        Ipv4Option::Route { kind, .. } => match kind {
            7 => known("Record Route", kind),
            131 => known("Loose Source Route", kind),
            _ => known("Strict Source Route", kind),
        },
        Ipv4Option::RouterAlert(value) => known("Router Alert", 148) + &format!(": {value}"),
        Ipv4Option::Other { kind, value } => known("Unknown", kind) + ": " + &hex(value),
        Ipv4Option::Malformed { kind, .. } => known("[Malformed]", kind),
    };
    tree.block(format_args!("{head}"), |tree| {
        let Ipv4Option::Route {
            pointer, addresses, ..
        } = option
        else {
            return;
        };
        tree.field("Pointer", pointer);
        for address in addresses.chunks_exact(4) {
            if let [a, b, c, d] = *address {
                tree.field("Route", std::net::Ipv4Addr::new(a, b, c, d));
            }
        }
    });
}

pub(super) fn ipv6(tree: &mut Tree<'_>, header: &Ipv6) {
    let (from, to) = (header.source, header.destination);
    let name = "Internet Protocol Version 6";
    tree.block(format_args!("{name}, Src: {from}, Dst: {to}"), |tree| {
        tree.line(format_args!("{} = Version: 6", Bits::byte(0x60, 0xf0)));
        let class = header.traffic_class;
        let word = 0x6000_0000 | u32::from(class) << 20 | header.flow_label & 0xf_ffff;
        let bits = |mask| Bits {
            width: 32,
            mask,
            value: word,
        };
        tree.line(format_args!(
            "{} = Traffic Class: 0x{class:02x} (DSCP: {}, ECN: {})",
            bits(0x0ff0_0000),
            class >> 2,
            ecn_name(class & 3)
        ));
        let label = header.flow_label;
        tree.line(format_args!(
            "{} = Flow Label: 0x{label:05x}",
            bits(0xf_ffff)
        ));
        tree.field("Payload Length", header.payload_length);
        next_header(tree, header.next_header);
        tree.field("Hop Limit", header.hop_limit);
        tree.field("Source Address", from);
        tree.field("Destination Address", to);
    });
}

fn next_header(tree: &mut Tree<'_>, number: u8) {
    let name = numbers::ip_protocol(number);
    tree.field("Next Header", format_args!("{name} ({number})"));
}

pub(super) fn extension(tree: &mut Tree<'_>, header: &Extension<'_>) {
    let name = numbers::ip_protocol(header.kind);
    tree.block(format_args!("{name}"), |tree| {
        next_header(tree, header.next_header);
        tree.line(format_args!("[Length: {} bytes]", header.bytes.len()));
        tree.field("Data", hex(header.bytes));
    });
}

pub(super) fn fragment(tree: &mut Tree<'_>, header: &Fragment) {
    tree.block(format_args!("Fragment Header for IPv6"), |tree| {
        next_header(tree, header.next_header);
        let word = header.offset & 0xfff8 | u16::from(header.more);
        let eights = header.offset / 8;
        let bits = Bits::two(word, 0xfff8);
        tree.line(format_args!(
            "{bits} = Offset: {eights} ({} bytes)",
            header.offset
        ));
        let more = if header.more { "Yes" } else { "No" };
        let bits = Bits::two(word, 0x0001);
        tree.line(format_args!("{bits} = More Fragments: {more}"));
        tree.field("Identification", format_args!("0x{:08x}", header.id));
    });
}

pub(super) fn icmp(tree: &mut Tree<'_>, message: &Icmp<'_>, decoded: &Decoded<'_>) {
    let name = match message.v6 {
        true => "Internet Control Message Protocol v6",
        false => "Internet Control Message Protocol",
    };
    tree.block(format_args!("{name}"), |tree| {
        icmp_head(tree, message);
        tree.checksum("Checksum", message.checksum, message.check);
        if let Some((id, sequence)) = words::echo(message) {
            tree.field("Identifier", format_args!("{id} (0x{id:04x})"));
            tree.field("Sequence Number", format_args!("{sequence}"));
            let rest = message.body.get(4..).unwrap_or_default();
            tree.field("Data", hex(rest));
        } else if message.is_error() {
            icmp_error(tree, message, decoded);
        } else if let Some(target) = words::target(message) {
            neighbour(tree, message);
            tree.field("Target Address", target);
        } else {
            tree.field("Data", hex(message.body));
        }
        if message.v6 {
            options(tree, message);
        }
    });
}

fn icmp_head(tree: &mut Tree<'_>, message: &Icmp<'_>) {
    let (kind, code) = (message.kind, message.code);
    let (name, meaning) = match message.v6 {
        true => (words::kind6(kind), words::code6(kind, code)),
        false => (words::kind(kind), words::code(kind, code)),
    };
    match message.v6 {
        true => tree.field("Type", format_args!("{name} ({kind})")),
        false => tree.field("Type", format_args!("{kind} ({name})")),
    }
    match meaning {
        Some(meaning) => tree.field("Code", format_args!("{code} ({meaning})")),
        None => tree.field("Code", code),
    }
}

fn icmp_error(tree: &mut Tree<'_>, message: &Icmp<'_>, decoded: &Decoded<'_>) {
    let Some((word, rest)) = message.body.split_first_chunk::<4>() else {
        return tree.line(format_args!("[Malformed Packet: ICMP]"));
    };
    let packet = quote(message).unwrap_or(rest);
    let extensions = rest.get(packet.len()..).unwrap_or_default();
    let value = u32::from_be_bytes(*word);
    match (message.v6, message.kind, message.code) {
        (true, 2, _) => tree.field("MTU", value),
        (true, 4, _) => tree.field("Pointer", value),
        (false, 3, 4) => tree.field("MTU of next hop", value & 0xffff),
        (false, 5, _) => tree.field("Gateway Address", std::net::Ipv4Addr::from(value)),
        (false, 12, _) => tree.field("Pointer", value >> 24),
        _ if !extensions.is_empty() => {} // it gives the packet's length
        _ => tree.field("Unused", format_args!("{value:08x}")),
    }
    // An error never quotes an error (RFC 1122 §3.2.2), unless someone made it to nest deeply.
    if !tree.is_outermost() {
        return tree.field("Data", hex(packet));
    }
    for layer in quoted(packet).as_slice() {
        // The state of this packet's connection does not apply to the packet that it quotes.
        let bare = Decoded {
            segment: None,
            udp_stream: None,
            quoted_stream: None,
            ..*decoded
        };
        one(tree, layer, &bare);
    }
    if !extensions.is_empty() {
        tree.field("Extensions", hex(extensions));
    }
}

fn neighbour(tree: &mut Tree<'_>, message: &Icmp<'_>) {
    let flags = message.body.first().copied().unwrap_or_default();
    if message.kind == 136 {
        tree.flag(Bits::byte(flags, 0x80), "Router");
        tree.flag(Bits::byte(flags, 0x40), "Solicited");
        tree.flag(Bits::byte(flags, 0x20), "Override");
    }
}

fn options(tree: &mut Tree<'_>, message: &Icmp<'_>) {
    for (kind, value) in words::options(message) {
        let (name, address) = match (kind, value.get(..6)) {
            (1, Some(address)) => ("Source link-layer address", hardware(address)),
            (2, Some(address)) => ("Target link-layer address", hardware(address)),
            (3, _) => ("Prefix information", hex(value)),
            (4, _) => ("Redirected header", hex(value)),
            (5, _) => ("MTU", hex(value)),
            _ => ("Unknown", hex(value)),
        };
        tree.line(format_args!("ICMPv6 Option ({name} ({kind}) : {address})"));
    }
}
