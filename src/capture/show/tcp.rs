//! TCP in words: ports, flags, numbers, options. Pure. RFC 9293, 7323 (options), 2018 (SACK).

use super::digits::Text;
use crate::capture::decode::{Check, Tcp, TcpFlags, TcpOption, TcpOptions};
use crate::capture::flow::{Marks, Segment};

/// In Wireshark's order, which puts each finding before the earlier ones. A duplicate ACK is
/// followed by its number.
pub(super) const MARKS: [(Marks, &str); 15] = [
    (Marks::ZERO_WINDOW_PROBE_ACK, "[TCP ZeroWindowProbeAck] "),
    (Marks::ZERO_WINDOW, "[TCP ZeroWindow] "),
    (Marks::ZERO_WINDOW_PROBE, "[TCP ZeroWindowProbe] "),
    (Marks::DUPLICATE_ACK, "[TCP Dup ACK"),
    (Marks::KEEP_ALIVE_ACK, "[TCP Keep-Alive ACK] "),
    (Marks::KEEP_ALIVE, "[TCP Keep-Alive] "),
    (Marks::WINDOW_FULL, "[TCP Window Full] "),
    (Marks::WINDOW_UPDATE, "[TCP Window Update] "),
    (Marks::ACKED_UNSEEN, "[TCP ACKed unseen segment] "),
    (Marks::LOST_BEFORE, "[TCP Previous segment not captured] "),
    (Marks::OUT_OF_ORDER, "[TCP Out-Of-Order] "),
    (
        Marks::SPURIOUS_RETRANSMISSION,
        "[TCP Spurious Retransmission] ",
    ),
    (Marks::FAST_RETRANSMISSION, "[TCP Fast Retransmission] "),
    (Marks::RETRANSMISSION, "[TCP Retransmission] "),
    (Marks::PORT_REUSED, "[TCP Port numbers reused] "),
];

/// The control bits from the lowest, with the reserved ones as one.
pub(super) const FLAGS: [(u16, &str); 10] = [
    (TcpFlags::FIN, "FIN"),
    (TcpFlags::SYN, "SYN"),
    (TcpFlags::RST, "RST"),
    (TcpFlags::PSH, "PSH"),
    (TcpFlags::ACK, "ACK"),
    (TcpFlags::URG, "URG"),
    (TcpFlags::ECE, "ECE"),
    (TcpFlags::CWR, "CWR"),
    (TcpFlags::AE, "AE"),
    (0xe00, "Reserved"),
];

/// The findings of the analysis.
pub(super) fn marks(out: &mut Text, segment: Option<&Segment>) {
    let Some(segment) = segment.filter(|segment| !segment.marks.is_empty()) else {
        return;
    };
    for (mark, name) in MARKS {
        if !segment.marks.has(mark) {
            continue;
        }
        out.text(name);
        if mark == Marks::DUPLICATE_ACK {
            if let Some((packet, count)) = segment.duplicate_of {
                out.space();
                out.number(packet);
                number(out, "#", count);
            }
            out.text("] ");
        }
    }
}

/// The info column without [`marks`].
pub(super) fn info(out: &mut Text, tcp: &Tcp<'_>, segment: Option<&Segment>) {
    out.number(tcp.source);
    out.text(" → ");
    out.number(tcp.destination);
    out.text(" [");
    flags(out, tcp.flags);
    let numbers = segment.map_or(
        (tcp.sequence, tcp.acknowledgment, tcp.window.into()),
        |segment| (segment.sequence, segment.acknowledgment, segment.window),
    );
    number(out, "] Seq=", numbers.0);
    if tcp.flags.has(TcpFlags::ACK) {
        number(out, " Ack=", numbers.1);
    }
    number(out, " Win=", numbers.2);
    if tcp.flags.has(TcpFlags::URG) {
        number(out, " Urg=", tcp.urgent.into());
    }
    if matches!(tcp.check, Check::Bad(_)) {
        out.text(" [TCP CHECKSUM INCORRECT]");
    }
    number(out, " Len=", tcp.length);
    if !tcp.options.is_empty() {
        options(out, tcp.options, tcp.acknowledgment.wrapping_sub(numbers.1));
    }
}

/// Adds the names of the flags.
pub(super) fn flags(out: &mut Text, flags: TcpFlags) {
    // Nearly all segments have one of these combinations.
    match flags.0 {
        0x02 => return out.text("SYN"),
        0x10 => return out.text("ACK"),
        0x11 => return out.text("FIN, ACK"),
        0x12 => return out.text("SYN, ACK"),
        0x18 => return out.text("PSH, ACK"),
        0 => return out.text("<None>"),
        _ => {}
    }
    let mut between = "";
    for (bits, name) in FLAGS {
        if flags.has(bits) {
            out.text(between);
            out.text(name);
            between = ", ";
        }
    }
}

/// `first` is the base of relative acknowledgments, and of the blocks of SACK.
fn options(out: &mut Text, bytes: &[u8], first: u32) {
    for option in TcpOptions::of(bytes) {
        match option {
            TcpOption::MaximumSegmentSize(size) => number(out, " MSS=", size.into()),
            TcpOption::WindowScale(shift) => number(out, " WS=", 1 << shift.min(14)),
            TcpOption::SackPermitted => out.text(" SACK_PERM"),
            TcpOption::Timestamps { value, echo } => {
                number(out, " TSval=", value);
                number(out, " TSecr=", echo);
            }
            TcpOption::Sack(blocks) => {
                for (left, right) in blocks {
                    number(out, " SLE=", left.wrapping_sub(first));
                    number(out, " SRE=", right.wrapping_sub(first));
                }
            }
            TcpOption::Other { kind: 19, .. } => out.text(" MD5"),
            TcpOption::Other { kind: 34, value } => {
                out.text(if value.is_empty() { " TFO=R" } else { " TFO=C" });
            }
            // TFO before it had a kind of its own: RFC 6994 with the number 0xf989.
            TcpOption::Other {
                kind: 254,
                value: [0xf9, 0x89, cookie @ ..],
            } => out.text(if cookie.is_empty() {
                " TFO=R"
            } else {
                " TFO=C"
            }),
            TcpOption::End | TcpOption::NoOperation => {}
            TcpOption::Other { .. } | TcpOption::Malformed { .. } => {}
        }
    }
}

#[inline]
fn number(out: &mut Text, label: &str, value: u32) {
    out.text(label);
    out.number(value);
}
