//! Fields of TCP: `tcp.*`. Pure.
//!
//! A header without a place in a connection (quoted by an ICMP error, or cut) has no relative
//! numbers, no scaled window and no analysis.

use super::super::decode::{Tcp, TcpFlags, TcpOption, TcpOptions};
use super::super::flow::{Marks, Segment};
use super::{Field, Get, Kind, Out, Value, number, status};

const fn tcp(name: &'static str, kind: Kind, get: fn(&Tcp<'_>, Out<'_>)) -> Field {
    Field::new(name, kind, Get::Tcp(get))
}

/// A control bit.
const fn flag(name: &'static str, get: fn(&Tcp<'_>, Out<'_>)) -> Field {
    Field::new(name, Kind::Boolean, Get::Tcp(get))
}

const fn segment(name: &'static str, kind: Kind, get: fn(&Tcp<'_>, &Segment, Out<'_>)) -> Field {
    Field::new(name, kind, Get::Segment(get))
}

/// A result of the analysis.
const fn mark(name: &'static str, mark: Marks) -> Field {
    Field::new(name, Kind::Mark, Get::Mark(mark))
}

/// The same for a result of more than one mark.
const fn marks(name: &'static str, get: fn(&Tcp<'_>, &Segment, Out<'_>)) -> Field {
    Field::new(name, Kind::Mark, Get::Segment(get))
}

pub(super) const FIELDS: &[Field] = &[
    tcp("tcp", Kind::Protocol, |tcp, out| {
        out(Value::Protocol("tcp", tcp.payload));
    }),
    tcp("tcp.srcport", Kind::Unsigned(2), |tcp, out| {
        number(out, tcp.source);
    }),
    tcp("tcp.dstport", Kind::Unsigned(2), |tcp, out| {
        number(out, tcp.destination);
    }),
    tcp("tcp.port", Kind::Unsigned(2), |tcp, out| {
        number(out, tcp.source);
        number(out, tcp.destination);
    }),
    segment("tcp.stream", Kind::Unsigned(4), |_, segment, out| {
        number(out, segment.stream);
    }),
    tcp("tcp.len", Kind::Unsigned(4), |tcp, out| {
        number(out, tcp.length);
    }),
    segment("tcp.seq", Kind::Unsigned(4), |_, segment, out| {
        number(out, segment.sequence);
    }),
    tcp("tcp.seq_raw", Kind::Unsigned(4), |tcp, out| {
        number(out, tcp.sequence);
    }),
    segment("tcp.nxtseq", Kind::Unsigned(4), |tcp, segment, out| {
        number(out, segment.sequence.wrapping_add(tcp.segment_length()));
    }),
    segment("tcp.ack", Kind::Unsigned(4), |_, segment, out| {
        number(out, segment.acknowledgment);
    }),
    tcp("tcp.ack_raw", Kind::Unsigned(4), |tcp, out| {
        number(out, tcp.acknowledgment);
    }),
    tcp("tcp.hdr_len", Kind::Unsigned(1), |tcp, out| {
        number(out, tcp.header_length);
    }),
    tcp("tcp.flags", Kind::Hex(2), |tcp, out| {
        number(out, tcp.flags.0);
    }),
    flag("tcp.flags.ae", |tcp, out| bit(tcp, TcpFlags::AE, out)),
    flag("tcp.flags.cwr", |tcp, out| bit(tcp, TcpFlags::CWR, out)),
    flag("tcp.flags.ece", |tcp, out| bit(tcp, TcpFlags::ECE, out)),
    flag("tcp.flags.urg", |tcp, out| bit(tcp, TcpFlags::URG, out)),
    flag("tcp.flags.ack", |tcp, out| bit(tcp, TcpFlags::ACK, out)),
    flag("tcp.flags.push", |tcp, out| bit(tcp, TcpFlags::PSH, out)),
    flag("tcp.flags.reset", |tcp, out| bit(tcp, TcpFlags::RST, out)),
    flag("tcp.flags.syn", |tcp, out| bit(tcp, TcpFlags::SYN, out)),
    flag("tcp.flags.fin", |tcp, out| bit(tcp, TcpFlags::FIN, out)),
    tcp("tcp.flags.str", Kind::Text, letters),
    tcp("tcp.window_size_value", Kind::Unsigned(2), |tcp, out| {
        number(out, tcp.window);
    }),
    segment("tcp.window_size", Kind::Unsigned(4), |_, segment, out| {
        number(out, segment.window);
    }),
    tcp("tcp.checksum", Kind::Hex(2), |tcp, out| {
        number(out, tcp.checksum);
    }),
    tcp("tcp.checksum.status", Kind::Unsigned(1), |tcp, out| {
        status(out, tcp.check);
    }),
    tcp("tcp.urgent_pointer", Kind::Unsigned(2), |tcp, out| {
        number(out, tcp.urgent);
    }),
    tcp("tcp.payload", Kind::Bytes, |tcp, out| {
        if !tcp.payload.is_empty() {
            out(Value::Bytes(tcp.payload));
        }
    }),
    tcp("tcp.options", Kind::Bytes, |tcp, out| {
        if !tcp.options.is_empty() {
            out(Value::Bytes(tcp.options));
        }
    }),
    tcp("tcp.option_kind", Kind::Unsigned(1), |tcp, out| {
        kinds(tcp.options, out);
    }),
    tcp("tcp.options.mss_val", Kind::Unsigned(2), |tcp, out| {
        options(tcp, |option| {
            if let TcpOption::MaximumSegmentSize(size) = option {
                number(out, size);
            }
        });
    }),
    tcp("tcp.options.wscale.shift", Kind::Unsigned(1), |tcp, out| {
        options(tcp, |option| {
            if let TcpOption::WindowScale(shift) = option {
                number(out, shift);
            }
        });
    }),
    tcp(
        "tcp.options.wscale.multiplier",
        Kind::Unsigned(2),
        |tcp, out| {
            options(tcp, |option| {
                if let TcpOption::WindowScale(shift) = option {
                    // More than 14 counts as 14 (RFC 7323 §2.3).
                    number(out, 1u16 << shift.min(14));
                }
            });
        },
    ),
    tcp("tcp.options.sack_perm", Kind::Bytes, |tcp, out| {
        options(tcp, |option| {
            if option == TcpOption::SackPermitted {
                out(Value::Bytes(&[4, 2]));
            }
        });
    }),
    segment("tcp.options.sack_le", Kind::Unsigned(4), |tcp, of, out| {
        sack(tcp, of, |(left, _)| number(out, left));
    }),
    segment("tcp.options.sack_re", Kind::Unsigned(4), |tcp, of, out| {
        sack(tcp, of, |(_, right)| number(out, right));
    }),
    tcp("tcp.options.sack.count", Kind::Unsigned(1), |tcp, out| {
        options(tcp, |option| {
            if let TcpOption::Sack(blocks) = option {
                out(Value::Unsigned(blocks.count() as u64));
            }
        });
    }),
    tcp(
        "tcp.options.timestamp.tsval",
        Kind::Unsigned(4),
        |tcp, out| {
            options(tcp, |option| {
                if let TcpOption::Timestamps { value, .. } = option {
                    number(out, value);
                }
            });
        },
    ),
    tcp(
        "tcp.options.timestamp.tsecr",
        Kind::Unsigned(4),
        |tcp, out| {
            options(tcp, |option| {
                if let TcpOption::Timestamps { echo, .. } = option {
                    number(out, echo);
                }
            });
        },
    ),
    marks("tcp.analysis.flags", |_, segment, out| {
        if !segment.marks.is_empty() {
            out(Value::Mark);
        }
    }),
    marks("tcp.analysis.retransmission", |_, segment, out| {
        // Fast and spurious retransmissions are also retransmissions.
        let marks = [
            Marks::RETRANSMISSION,
            Marks::FAST_RETRANSMISSION,
            Marks::SPURIOUS_RETRANSMISSION,
        ];
        if marks.iter().any(|mark| segment.marks.has(*mark)) {
            out(Value::Mark);
        }
    }),
    mark(
        "tcp.analysis.fast_retransmission",
        Marks::FAST_RETRANSMISSION,
    ),
    mark(
        "tcp.analysis.spurious_retransmission",
        Marks::SPURIOUS_RETRANSMISSION,
    ),
    mark("tcp.analysis.out_of_order", Marks::OUT_OF_ORDER),
    mark("tcp.analysis.reused_ports", Marks::PORT_REUSED),
    mark("tcp.analysis.lost_segment", Marks::LOST_BEFORE),
    mark("tcp.analysis.ack_lost_segment", Marks::ACKED_UNSEEN),
    // Wireshark has it twice: as a field and as a warning.
    marks("tcp.analysis.duplicate_ack", |_, segment, out| {
        marked(segment, Marks::DUPLICATE_ACK, out);
        marked(segment, Marks::DUPLICATE_ACK, out);
    }),
    segment(
        "tcp.analysis.duplicate_ack_num",
        Kind::Unsigned(4),
        |_, segment, out| {
            if let Some((_, count)) = segment.duplicate_of {
                number(out, count);
            }
        },
    ),
    segment(
        "tcp.analysis.duplicate_ack_frame",
        Kind::Unsigned(4),
        |_, segment, out| {
            if let Some((packet, _)) = segment.duplicate_of {
                number(out, packet);
            }
        },
    ),
    mark("tcp.analysis.keep_alive", Marks::KEEP_ALIVE),
    mark("tcp.analysis.keep_alive_ack", Marks::KEEP_ALIVE_ACK),
    mark("tcp.analysis.zero_window", Marks::ZERO_WINDOW),
    mark("tcp.analysis.zero_window_probe", Marks::ZERO_WINDOW_PROBE),
    mark(
        "tcp.analysis.zero_window_probe_ack",
        Marks::ZERO_WINDOW_PROBE_ACK,
    ),
    mark("tcp.analysis.window_update", Marks::WINDOW_UPDATE),
    mark("tcp.analysis.window_full", Marks::WINDOW_FULL),
];

fn bit(tcp: &Tcp<'_>, bit: u16, out: Out<'_>) {
    out(Value::Boolean(tcp.flags.has(bit)));
}

pub(super) fn marked(segment: &Segment, mark: Marks, out: Out<'_>) {
    if segment.marks.has(mark) {
        out(Value::Mark);
    }
}

/// `·······A··S·`: one letter per bit, the highest bit first.
fn letters(tcp: &Tcp<'_>, out: Out<'_>) {
    let mut text = String::new();
    for (at, letter) in "RRRACEUAPRSF".chars().enumerate() {
        let is_set = tcp.flags.has(0x800 >> at);
        text.push(if is_set { letter } else { '·' });
    }
    out(Value::Text(&text));
}

fn options<'a>(tcp: &Tcp<'a>, each: impl FnMut(TcpOption<'a>)) {
    TcpOptions::of(tcp.options).for_each(each);
}

/// The kind of each whole option; each byte of padding at the end is an option of kind 0.
fn kinds(bytes: &[u8], out: Out<'_>) {
    let mut rest = bytes;
    for option in TcpOptions::of(bytes) {
        let length = match (option, rest) {
            (TcpOption::End, _) => break,
            (TcpOption::NoOperation, _) => 1,
            (_, [_, length, ..]) if *length >= 2 => usize::from(*length),
            _ => return,
        };
        let Some(behind) = rest.get(length..) else {
            return;
        };
        number(out, kind(option));
        rest = behind;
    }
    if rest.iter().all(|byte| *byte == 0) {
        rest.iter().for_each(|_| number(out, 0u8));
    } else {
        number(out, 0u8);
    }
}

fn kind(option: TcpOption<'_>) -> u8 {
    match option {
        TcpOption::End => 0,
        TcpOption::NoOperation => 1,
        TcpOption::MaximumSegmentSize(_) => 2,
        TcpOption::WindowScale(_) => 3,
        TcpOption::SackPermitted => 4,
        TcpOption::Sack(_) => 5,
        TcpOption::Timestamps { .. } => 8,
        TcpOption::Other { kind, .. } | TcpOption::Malformed { kind, .. } => kind,
    }
}

/// The blocks, as numbers relative to the same base as the acknowledgment number.
fn sack(tcp: &Tcp<'_>, segment: &Segment, mut each: impl FnMut((u32, u32))) {
    let first = tcp.acknowledgment.wrapping_sub(segment.acknowledgment);
    options(tcp, |option| {
        if let TcpOption::Sack(blocks) = option {
            for (left, right) in blocks {
                each((left.wrapping_sub(first), right.wrapping_sub(first)));
            }
        }
    });
}
