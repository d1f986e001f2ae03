//! TCP and UDP field by field. Pure. RFC 9293, 7323, 2018, 768.

use super::tcp::{self as words, FLAGS};
use super::tree::{Bits, Tree, hex, text};
use crate::capture::decode::{Decoded, SackBlocks, Tcp, TcpFlags, TcpOption, TcpOptions, Udp};
use crate::capture::flow::Segment;

pub(super) fn tcp(tree: &mut Tree<'_>, segment: &Tcp<'_>, decoded: &Decoded<'_>) {
    let place = decoded.segment.as_ref();
    let (sequence, acknowledgment) = place
        .map_or((segment.sequence, segment.acknowledgment), |place| {
            (place.sequence, place.acknowledgment)
        });
    let ack = match segment.flags.has(TcpFlags::ACK) {
        true => format!(", Ack: {acknowledgment}"),
        false => String::new(),
    };
    tree.block(
        format_args!(
            "Transmission Control Protocol, Src Port: {}, Dst Port: {}, Seq: {sequence}{ack}, Len: {}",
            segment.source, segment.destination, segment.length
        ),
        |tree| {
            tree.field("Source Port", segment.source);
            tree.field("Destination Port", segment.destination);
            if let Some(place) = place {
                tree.line(format_args!("[Stream index: {}]", place.stream));
            }
            tree.line(format_args!("[TCP Segment Len: {}]", segment.length));
            numbers(tree, segment, place);
            tcp_header(tree, segment, place);
            if !segment.options.is_empty() {
                let first = |place: &Segment| {
                    let raw = segment.acknowledgment;
                    raw.wrapping_sub(place.acknowledgment)
                };
                options(tree, segment.options, place.map_or(0, first));
            }
            if let Some(place) = place {
                analysis(tree, place);
            }
            if !segment.payload.is_empty() {
                let length = segment.payload.len();
                tree.line(format_args!("TCP payload ({length} bytes)"));
            }
        },
    );
}

/// Sequence and acknowledgment number, relative and as in the header.
fn numbers(tree: &mut Tree<'_>, segment: &Tcp<'_>, place: Option<&Segment>) {
    if let Some(place) = place {
        let relative = place.sequence;
        let note = "(relative sequence number)";
        tree.field("Sequence Number", format_args!("{relative}    {note}"));
        let next = relative.wrapping_add(segment.segment_length());
        tree.line(format_args!("[Next Sequence Number: {next}    {note}]"));
    }
    tree.field("Sequence Number (raw)", segment.sequence);
    if let Some(place) = place {
        let note = match segment.flags.has(TcpFlags::ACK) {
            true => "    (relative ack number)",
            false => "",
        };
        let relative = place.acknowledgment;
        tree.field("Acknowledgment Number", format_args!("{relative}{note}"));
    }
    tree.field("Acknowledgment number (raw)", segment.acknowledgment);
}

/// The fields after the numbers, up to the options.
fn tcp_header(tree: &mut Tree<'_>, segment: &Tcp<'_>, place: Option<&Segment>) {
    let (length, words) = (segment.header_length, segment.header_length / 4);
    let bits = Bits::byte(words << 4, 0xf0);
    tree.line(format_args!(
        "{bits} = Header Length: {length} bytes ({words})"
    ));
    flags(tree, segment.flags);
    tree.field("Window", segment.window);
    if let Some(place) = place {
        tree.line(format_args!("[Calculated window size: {}]", place.window));
        let factor = match place.window_shift {
            Some(shift) => (1u32 << shift.min(14)).to_string(),
            None => "-1 (unknown)".to_owned(),
        };
        if !segment.flags.has(TcpFlags::SYN) {
            tree.line(format_args!("[Window size scaling factor: {factor}]"));
        }
    }
    tree.checksum("Checksum", segment.checksum, segment.check);
    tree.field("Urgent Pointer", segment.urgent);
}

fn flags(tree: &mut Tree<'_>, flags: TcpFlags) {
    const NAMES: [&str; 9] = [
        "Fin",
        "Syn",
        "Reset",
        "Push",
        "Acknowledgment",
        "Urgent",
        "ECN-Echo",
        "Congestion Window Reduced",
        "Accurate ECN",
    ];
    let names = text(|out| words::flags(out, flags));
    let bits = |mask| Bits {
        width: 12,
        mask,
        value: flags.0.into(),
    };
    tree.block(format_args!("Flags: 0x{:03x} ({names})", flags.0), |tree| {
        tree.flag(bits(0xe00), "Reserved");
        for ((mask, _), name) in FLAGS.iter().zip(NAMES).rev() {
            tree.flag(bits(u32::from(*mask)), name);
        }
    });
}

/// `first` is the base of relative acknowledgments.
fn options(tree: &mut Tree<'_>, bytes: &[u8], first: u32) {
    tree.block(format_args!("Options: ({} bytes)", bytes.len()), |tree| {
        for option in TcpOptions::of(bytes) {
            self::option(tree, option, first);
        }
    });
}

fn option(tree: &mut Tree<'_>, option: TcpOption<'_>, first: u32) {
    match option {
        TcpOption::End => named(tree, "End of Option List (EOL)"),
        TcpOption::NoOperation => named(tree, "No-Operation (NOP)"),
        TcpOption::MaximumSegmentSize(size) => {
            tree.line(format_args!(
                "TCP Option - Maximum segment size: {size} bytes"
            ));
        }
        TcpOption::WindowScale(shift) => tree.line(format_args!(
            "TCP Option - Window scale: {shift} (multiply by {})",
            1u32 << shift.min(14)
        )),
        TcpOption::SackPermitted => named(tree, "SACK permitted"),
        TcpOption::Sack(blocks) => sack(tree, blocks, first),
        TcpOption::Timestamps { value, echo } => tree.block(
            format_args!("TCP Option - Timestamps: TSval {value}, TSecr {echo}"),
            |tree| {
                tree.field("Timestamp value", value);
                tree.field("Timestamp echo reply", echo);
            },
        ),
        TcpOption::Other { kind, value } => {
            let name = match kind {
                19 => "TCP MD5 signature",
                28 => "User Timeout",
                29 => "TCP Authentication Option",
                30 => "Multipath TCP",
                34 => "TCP Fast Open",
                253 | 254 => "Experimental",
                _ => "Unknown",
            };
            tree.line(format_args!("TCP Option - {name} ({kind}): {}", hex(value)));
        }
        TcpOption::Malformed { kind, .. } => {
            tree.line(format_args!("TCP Option - [Malformed] ({kind})"));
        }
    }
}

fn named(tree: &mut Tree<'_>, name: &str) {
    tree.line(format_args!("TCP Option - {name}"));
}

fn sack(tree: &mut Tree<'_>, blocks: SackBlocks<'_>, first: u32) {
    tree.block(format_args!("TCP Option - SACK"), |tree| {
        for (left, right) in blocks {
            let (left, right) = (left.wrapping_sub(first), right.wrapping_sub(first));
            tree.field("left edge", format_args!("{left}, right edge: {right}"));
        }
    });
}

fn analysis(tree: &mut Tree<'_>, place: &Segment) {
    if place.marks.is_empty() {
        return;
    }
    let marks = text(|out| words::marks(out, Some(place)));
    tree.block(format_args!("[SEQ/ACK analysis]"), |tree| {
        tree.line(format_args!("{}", marks.trim_end()));
    });
}

pub(super) fn udp(tree: &mut Tree<'_>, datagram: &Udp<'_>, decoded: &Decoded<'_>) {
    let (from, to) = (datagram.source, datagram.destination);
    let name = "User Datagram Protocol";
    tree.block(
        format_args!("{name}, Src Port: {from}, Dst Port: {to}"),
        |tree| {
            tree.field("Source Port", from);
            tree.field("Destination Port", to);
            if !datagram.is_whole {
                return;
            }
            tree.field("Length", datagram.length);
            tree.checksum("Checksum", datagram.checksum, datagram.check);
            if let Some(stream) = decoded.udp_stream {
                tree.line(format_args!("[Stream index: {stream}]"));
            }
            let length = datagram.payload.len();
            tree.line(format_args!("UDP payload ({length} bytes)"));
        },
    );
}
