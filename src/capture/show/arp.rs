//! ARP in words. Pure. RFC 826; announcements and probes: RFC 5227 §1.1.

use super::digits::Text;
use crate::capture::decode::Arp;

/// The protocol column.
pub(super) fn protocol(arp: &Arp) -> &'static str {
    match arp.operation {
        3 | 4 => "RARP",
        8 | 9 => "Inverse ARP",
        _ => "ARP",
    }
}

/// The name of an operation.
pub(super) fn operation(number: u16) -> &'static str {
    match number {
        1 => "request",
        2 => "reply",
        3 => "reverse request",
        4 => "reverse reply",
        8 => "Inverse request",
        9 => "Inverse reply",
        _ => "unknown",
    }
}

/// Whether a host asks for its own address, to announce it to all.
pub(super) fn is_gratuitous(arp: &Arp) -> bool {
    arp.sender == arp.target && matches!(arp.operation, 1 | 2)
}

/// The info column.
pub(super) fn info(out: &mut Text, arp: &Arp) {
    match arp.operation {
        1 if is_gratuitous(arp) => {
            out.text("ARP Announcement for ");
            out.ipv4(arp.sender);
        }
        2 if is_gratuitous(arp) => {
            out.text("Gratuitous ARP for ");
            out.ipv4(arp.sender);
            out.text(" (Reply)");
        }
        1 => who_has(out, arp),
        2 => {
            out.ipv4(arp.sender);
            out.text(" is at ");
            out.hardware(&arp.sender_hardware);
        }
        3 | 8 => {
            out.text("Who is ");
            out.hardware(&arp.target_hardware);
            out.text("? Tell ");
            out.hardware(&arp.sender_hardware);
        }
        4 => is_at(out, &arp.target_hardware, arp.target),
        9 => is_at(out, &arp.sender_hardware, arp.sender),
        0 => out.text("Reserved opcode 0"),
        other => {
            out.text("Unknown ARP opcode 0x");
            out.hex(other, 4);
        }
    }
}

fn who_has(out: &mut Text, arp: &Arp) {
    out.text("Who has ");
    out.ipv4(arp.target);
    if arp.sender.is_unspecified() {
        return out.text("? (ARP Probe)");
    }
    out.text("? Tell ");
    out.ipv4(arp.sender);
}

fn is_at(out: &mut Text, hardware: &[u8], address: std::net::Ipv4Addr) {
    out.hardware(hardware);
    out.text(" is at ");
    out.ipv4(address);
}
