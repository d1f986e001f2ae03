//! Who talks to whom, how much and how long: the tables of `tshark -z conv`. Pure.
//!
//! Memory: about 170 bytes per conversation, at most [`Conversations::MOST`]; the packets of
//! further ones are counted, and the number is given at the end.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::net::IpAddr;

use crate::capture::decode::{Decoded, Layer};

/// The kind of ends that a conversation has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `eth`: hardware addresses.
    Ethernet,
    /// `ip`: IPv4 addresses.
    Ipv4,
    /// `ipv6`: IPv6 addresses.
    Ipv6,
    /// `tcp`: connections.
    Tcp,
    /// `udp`: addresses and ports.
    Udp,
}

impl Kind {
    /// Reads the name that tshark uses.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "eth" => Self::Ethernet,
            "ip" => Self::Ipv4,
            "ipv6" => Self::Ipv6,
            "tcp" => Self::Tcp,
            "udp" => Self::Udp,
            _ => return None,
        })
    }

    fn title(self) -> &'static str {
        match self {
            Self::Ethernet => "Ethernet",
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }

    /// The width of an end, in characters.
    fn width(self) -> usize {
        match self {
            Self::Tcp | Self::Udp => 26,
            _ => 20,
        }
    }
}

/// One end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Hardware([u8; 6]),
    Address(IpAddr),
    Port(IpAddr, u16),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hardware([a, b, c, d, e, g]) => {
                write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
            }
            Self::Address(address) => write!(f, "{address}"),
            Self::Port(address, port) => write!(f, "{address}:{port}"),
        }
    }
}

#[derive(Clone, Debug)]
struct Conversation {
    ends: (End, End),
    /// Packets to the first end, and from it.
    back: Count,
    forward: Count,
    /// Nanoseconds since the first packet.
    first: i64,
    last: i64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    frames: u64,
    bytes: u64,
}

/// The conversations of a capture.
#[derive(Clone, Debug)]
pub struct Conversations {
    kind: Kind,
    list: Vec<Conversation>,
    /// By both ends, the lower one first, and the connection's number.
    places: BTreeMap<(End, End, u32), usize>,
    left_out: u64,
}

impl Conversations {
    /// The most conversations with a row of their own.
    pub const MOST: usize = 1 << 20;

    /// An empty table.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            list: Vec::new(),
            places: BTreeMap::new(),
            left_out: 0,
        }
    }

    /// Counts a packet, if it belongs to such a conversation.
    pub fn packet(&mut self, decoded: &Decoded<'_>) {
        let Some((from, to)) = ends(self.kind, decoded.layers.as_slice()) else {
            return;
        };
        let stream = match (self.kind, decoded.segment) {
            (Kind::Tcp, Some(segment)) => segment.stream,
            _ => 0,
        };
        let key = (from.min(to), from.max(to), stream);
        let place = match self.places.get(&key) {
            Some(place) => *place,
            None if self.list.len() >= Self::MOST => {
                self.left_out += 1;
                return;
            }
            None => {
                self.places.insert(key, self.list.len());
                self.list.push(Conversation {
                    ends: (from, to),
                    back: Count::default(),
                    forward: Count::default(),
                    first: decoded.since_first,
                    last: decoded.since_first,
                });
                self.list.len() - 1
            }
        };
        if let Some(conversation) = self.list.get_mut(place) {
            let forward = conversation.ends.0 == from;
            let count = if forward {
                &mut conversation.forward
            } else {
                &mut conversation.back
            };
            count.frames += 1;
            count.bytes += u64::from(decoded.packet.length);
            conversation.first = conversation.first.min(decoded.since_first);
            conversation.last = conversation.last.max(decoded.since_first);
        }
    }

    /// The table, most packets first.
    pub fn table(&self, out: &mut String) {
        let width = self.kind.width() * 2 + 7;
        let _ = write!(
            out,
            "{RULE}{} Conversations\nFilter:<No Filter>\n\
             {:width$}|       <-      | |       ->      | |     Total     |    Relative    |   Duration   |\n\
             {:width$}| Frames  Bytes | | Frames  Bytes | | Frames  Bytes |      Start     |              |\n",
            self.kind.title(),
            "",
            ""
        );
        let mut rows: Vec<&Conversation> = self.list.iter().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.back.frames + row.forward.frames));
        for row in rows {
            self.row(row, out);
        }
        out.push_str(RULE);
        if self.left_out > 0 {
            let _ = writeln!(out, "{} packets of further conversations", self.left_out);
        }
    }

    fn row(&self, row: &Conversation, out: &mut String) {
        let width = self.kind.width();
        let (one, other) = (row.ends.0.to_string(), row.ends.1.to_string());
        let _ = write!(out, "{one:width$} <-> {other:width$}");
        let total = Count {
            frames: row.back.frames + row.forward.frames,
            bytes: row.back.bytes + row.forward.bytes,
        };
        for count in [row.back, row.forward, total] {
            let _ = write!(out, "  {:6} {:9}", count.frames, size(count.bytes));
        }
        let start = Seconds(row.first, 9).to_string();
        let duration = Seconds(row.last.saturating_sub(row.first), 4).to_string();
        let _ = writeln!(out, "  {start:>14}   {duration:>12}");
    }
}

const RULE: &str =
    "================================================================================\n";

/// Nanoseconds as seconds, with this many digits after the point, rounded.
struct Seconds(i64, u32);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = 10_u64.pow(9_u32.saturating_sub(self.1));
        let parts = (self.0.unsigned_abs() + unit / 2) / unit;
        let second = 10_u64.pow(self.1);
        let sign = if self.0 < 0 && parts > 0 { "-" } else { "" };
        let digits = self.1 as usize;
        write!(f, "{sign}{}.{:0digits$}", parts / second, parts % second)
    }
}

/// Bytes, in the largest unit of which there are at least ten.
fn size(bytes: u64) -> String {
    for (unit, name) in [
        (1_000_000_000_000, "TB"),
        (1_000_000_000, "GB"),
        (1_000_000, "MB"),
        (1000, "kB"),
    ] {
        if bytes / unit >= 10 {
            return format!("{} {name}", bytes / unit);
        }
    }
    format!("{bytes} bytes")
}

/// The ends of the innermost header of this kind.
fn ends(kind: Kind, layers: &[Layer<'_>]) -> Option<(End, End)> {
    let mut addresses = None;
    let mut found = None;
    for layer in layers {
        addresses = layer.addresses().or(addresses);
        found = match (kind, layer, addresses) {
            (Kind::Ethernet, Layer::Ethernet(ethernet), _) => Some((
                End::Hardware(ethernet.source),
                End::Hardware(ethernet.destination),
            )),
            (Kind::Ipv4, Layer::Ipv4(_), Some((from, to)))
            | (Kind::Ipv6, Layer::Ipv6(_), Some((from, to))) => {
                Some((End::Address(from), End::Address(to)))
            }
            (Kind::Tcp, Layer::Tcp(tcp), Some((from, to))) => {
                Some((End::Port(from, tcp.source), End::Port(to, tcp.destination)))
            }
            (Kind::Udp, Layer::Udp(udp), Some((from, to))) => {
                Some((End::Port(from, udp.source), End::Port(to, udp.destination)))
            }
            _ => found,
        };
    }
    found
}
