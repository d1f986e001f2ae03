//! The frame and the headers before IP, field by field: Ethernet, VLAN, cooked, loopback, ARP.
//! Pure.

use super::digits::Text;
use super::tree::{Bits, Tree, hardware, text};
use super::{arp as arp_words, numbers, time};
use crate::capture::decode::{Arp, Cooked, Decoded, Ethernet, Loopback, Vlan};

/// The packet as a whole: number, times, lengths.
pub(super) fn frame(tree: &mut Tree<'_>, decoded: &Decoded<'_>) {
    let packet = decoded.packet;
    let (wire, kept) = (u64::from(packet.length), packet.bytes.len());
    tree.block(
        format_args!(
            "Frame {}: {wire} bytes on wire ({} bits), {kept} bytes captured ({} bits)",
            decoded.number,
            wire * 8,
            kept * 8
        ),
        |tree| {
            let link = packet.link;
            tree.field("Encapsulation type", format_args!("{link} ({})", link.0));
            let arrival = |out: &mut Text| {
                time::calendar(out, packet.time, 0..10, 0);
                out.space();
                time::calendar(out, packet.time, 11..19, 9);
                out.text(" UTC");
            };
            tree.field("Arrival Time", text(arrival));
            let (seconds, nanoseconds) = (packet.time.as_secs(), packet.time.subsec_nanos());
            tree.field(
                "Epoch Time",
                format_args!("{seconds}.{nanoseconds:09} seconds"),
            );
            since(tree, "previous captured frame", decoded.since_previous);
            since(tree, "first frame", decoded.since_first);
            tree.field("Frame Number", decoded.number);
            tree.field("Frame Length", format_args!("{wire} bytes"));
            tree.field("Capture Length", format_args!("{kept} bytes"));
        },
    );
}

fn since(tree: &mut Tree<'_>, what: &str, nanoseconds: i64) {
    let seconds = text(|out| time::signed(out, nanoseconds, 9));
    tree.line(format_args!("[Time since {what}: {seconds} seconds]"));
}

/// An Ethernet type and its name.
fn ether_type(tree: &mut Tree<'_>, name: &str, number: u16) {
    let known = numbers::ether_type(number).unwrap_or("Unknown");
    tree.field(name, format_args!("{known} (0x{number:04x})"));
}

pub(super) fn ethernet(tree: &mut Tree<'_>, header: &Ethernet) {
    let (to, from) = (hardware(&header.destination), hardware(&header.source));
    let kind = if header.has_length() {
        "IEEE 802.3 Ethernet"
    } else {
        "Ethernet II"
    };
    tree.block(format_args!("{kind}, Src: {from}, Dst: {to}"), |tree| {
        address(tree, "Destination", &header.destination);
        address(tree, "Source", &header.source);
        if header.has_length() {
            tree.field("Length", header.ether_type);
        } else {
            ether_type(tree, "Type", header.ether_type);
        }
    });
}

/// A MAC address and the two bits of its first byte that have a meaning (IEEE 802 §8.2).
fn address(tree: &mut Tree<'_>, name: &str, octets: &[u8; 6]) {
    let [first, second, third, ..] = octets.map(u32::from);
    let bits = |mask| Bits {
        width: 24,
        mask,
        value: first << 16 | second << 8 | third,
    };
    tree.block(format_args!("{name}: {}", hardware(octets)), |tree| {
        let local = bits(0x02_0000);
        let is = match local.is_set() {
            true => "Locally administered address (this is NOT the factory default)",
            false => "Globally unique address (factory default)",
        };
        tree.line(format_args!("{local} = LG bit: {is}"));
        let group = bits(0x01_0000);
        let is = match group.is_set() {
            true => "Group address (multicast/broadcast)",
            false => "Individual address (unicast)",
        };
        tree.line(format_args!("{group} = IG bit: {is}"));
    });
}

pub(super) fn vlan(tree: &mut Tree<'_>, tag: &Vlan) {
    let eligible = u8::from(tag.drop_eligible);
    let (priority, id) = (tag.priority, tag.id);
    let word = u16::from(priority & 7) << 13 | u16::from(eligible) << 12 | id & 0xfff;
    tree.block(
        format_args!("802.1Q Virtual LAN, PRI: {priority}, DEI: {eligible}, ID: {id}"),
        |tree| {
            let bits = Bits::two(word, 0xe000);
            tree.line(format_args!("{bits} = Priority: {priority}"));
            let bits = Bits::two(word, 0x1000);
            let is = if bits.is_set() {
                "Eligible"
            } else {
                "Ineligible"
            };
            tree.line(format_args!("{bits} = DEI: {is}"));
            tree.line(format_args!("{} = ID: {id}", Bits::two(word, 0x0fff)));
            ether_type(tree, "Type", tag.ether_type);
        },
    );
}

pub(super) fn cooked(tree: &mut Tree<'_>, header: &Cooked) {
    tree.block(
        format_args!("Linux cooked capture v{}", header.version),
        |tree| {
            let number = header.packet_type;
            let name = numbers::packet_type(number);
            tree.field("Packet type", format_args!("{name} ({number})"));
            if let Some(index) = header.interface {
                tree.field("Interface index", index);
            }
            tree.field("Link-layer address type", header.hardware);
            tree.field("Link-layer address length", header.address_length);
            let length = usize::from(header.address_length.min(8));
            if let Some(address) = header.address.get(..length).filter(|_| length > 0) {
                tree.field("Source", hardware(address));
            }
            ether_type(tree, "Protocol", header.protocol);
        },
    );
}

pub(super) fn loopback(tree: &mut Tree<'_>, header: &Loopback) {
    let name = match header.family {
        2 => "IP",
        10 | 23 | 24 | 28 | 30 => "IPv6",
        _ => "Unknown",
    };
    tree.block(format_args!("Null/Loopback"), |tree| {
        tree.field("Family", format_args!("{name} ({})", header.family));
    });
}

pub(super) fn arp(tree: &mut Tree<'_>, message: &Arp) {
    let operation = arp_words::operation(message.operation);
    let note = match (arp_words::is_gratuitous(message), message.operation) {
        (true, 1) => "ARP Announcement",
        (true, _) => "reply/gratuitous ARP",
        (false, 1) if message.sender.is_unspecified() => "ARP Probe",
        _ => operation,
    };
    tree.block(
        format_args!("Address Resolution Protocol ({note})"),
        |tree| {
            tree.field("Hardware type", "Ethernet (1)");
            tree.field("Protocol type", "IPv4 (0x0800)");
            tree.field("Hardware size", 6);
            tree.field("Protocol size", 4);
            let number = message.operation;
            tree.field("Opcode", format_args!("{operation} ({number})"));
            tree.field("Sender MAC address", hardware(&message.sender_hardware));
            tree.field("Sender IP address", message.sender);
            tree.field("Target MAC address", hardware(&message.target_hardware));
            tree.field("Target IP address", message.target);
        },
    );
}
