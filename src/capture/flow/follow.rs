//! Both sides of one stream, reassembled and shown in the form of `tshark -z follow`. Pure.
//!
//! ```text
//! 12                            bytes of node 0, then the bytes
//! hello world.
//!         5                     of node 1: after a tab
//! hello
//! ```
//!
//! Segments are shown in the order of their bytes. An early segment waits for those before it,
//! until the other side acknowledges it or too much waits; then a line marks the gap. Lines also
//! mark what tshark leaves out: bytes that were sent again, and gaps that were closed too late.
//!
//! Memory: at most [`Follow::WAITING`] bytes wait, in at most [`Follow::SEGMENTS`] segments per
//! side; bytes in order are written at once.

use std::fmt::Write as _;
use std::net::SocketAddr;

use crate::capture::decode::{Decoded, Layer, Tcp, TcpFlags};

use super::segment::{Ends, Marks, Segment};

/// How bytes are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As text, with a dot for other bytes.
    Ascii,
    /// A dump with offsets, counted for each side.
    Hex,
    /// Two hexadecimal digits per byte, one line per segment. Only gaps are marked.
    Raw,
}

/// Which stream to follow, and how: `tcp,0,ascii`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Whether it is a UDP conversation.
    pub udp: bool,
    /// Its number.
    pub stream: u32,
    /// The form in which it is shown.
    pub form: Form,
}

impl Target {
    /// Reads `tcp,N` or `udp,N`, each possibly followed by `,ascii`, `,hex` or `,raw`; `None` for
    /// anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(',');
        let udp = match words.next()? {
            "tcp" => false,
            "udp" => true,
            _ => return None,
        };
        let stream = words.next()?.parse().ok()?;
        let form = match words.next() {
            None | Some("ascii") => Form::Ascii,
            Some("hex") => Form::Hex,
            Some("raw") => Form::Raw,
            Some(_) => return None,
        };
        words.next().is_none().then_some(Self { udp, stream, form })
    }

    fn protocol(self) -> &'static str {
        if self.udp { "udp" } else { "tcp" }
    }
}

/// A segment that arrived before those that precede it.
#[derive(Clone, Debug)]
struct Early {
    from: u32,
    /// Its length on the wire, in bytes.
    length: u32,
    bytes: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
struct Side {
    /// The number of the next byte.
    next: Option<u32>,
    /// Only a segment without bytes gave `next`: no SYN was seen, and nothing is shown yet.
    guessed: bool,
    early: Vec<Early>,
    /// Bytes shown so far.
    offset: u64,
}

impl Side {
    /// The number of the next byte, now that bytes have arrived; the first of them has number
    /// `from`.
    fn begin(&mut self, from: u32) -> u32 {
        let next = *self.next.get_or_insert(from);
        let ahead = from.wrapping_sub(next);
        // If `next` was guessed, earlier bytes were not shown, so they are no repetition. And a
        // keep-alive has the number before its next byte (RFC 9293 §3.8.4), so then nothing is
        // missing.
        if std::mem::take(&mut self.guessed) && (ahead == 1 || ahead >= 1 << 31) {
            self.next = Some(from);
            return from;
        }
        next
    }
}

/// One stream while it is shown.
#[derive(Clone, Debug)]
pub struct Follow {
    target: Target,
    nodes: Option<Ends>,
    sides: [Side; 2],
    waiting: usize,
}

impl Follow {
    /// The most bytes that wait for those before them, on both sides together.
    pub const WAITING: usize = 16 * 1024 * 1024;
    /// The most segments that wait on a side.
    pub const SEGMENTS: usize = 4096;

    /// A stream of which nothing is shown yet.
    pub fn new(target: Target) -> Self {
        Self {
            target,
            nodes: None,
            sides: Default::default(),
            waiting: 0,
        }
    }

    /// Takes any packet; writes what can be shown now.
    pub fn packet(&mut self, decoded: &Decoded<'_>, out: &mut String) {
        let mut addresses = None;
        for layer in decoded.layers.as_slice() {
            addresses = layer.addresses().or(addresses);
            match (layer, addresses) {
                (Layer::Tcp(tcp), Some(between)) => {
                    if let Some(segment) = &decoded.segment {
                        let ends = Ends::between(between, tcp.source, tcp.destination);
                        self.tcp(segment, ends, tcp, decoded.number, out);
                    }
                }
                (Layer::Udp(udp), Some(between)) => {
                    if let Some(stream) = decoded.udp_stream {
                        let ends = Ends::between(between, udp.source, udp.destination);
                        self.udp(stream, ends, udp.payload, out);
                    }
                }
                _ => {}
            }
        }
    }

    /// Takes a segment of any stream, packet `number`; writes what can be shown now.
    pub fn tcp(
        &mut self,
        segment: &Segment,
        ends: Ends,
        tcp: &Tcp<'_>,
        number: u64,
        out: &mut String,
    ) {
        if self.target.udp || segment.stream != self.target.stream {
            return;
        }
        let side = self.side_of(ends, out);
        // SYN takes a sequence number, before that of the first byte.
        let syn = tcp.flags.has(TcpFlags::SYN);
        let from = segment.sequence.wrapping_add(u32::from(syn));
        if tcp.flags.has(TcpFlags::ACK) {
            self.acknowledged(1 - side, segment.acknowledgment, out);
        }
        let state = self.state(side);
        // A repeated or late SYN changes nothing, unless it corrects a guess or opens a new
        // connection.
        let unknown = state.next.is_none() || state.guessed;
        if syn && (unknown || segment.marks.has(Marks::PORT_REUSED)) {
            (state.next, state.guessed) = (Some(from), false);
        }
        if tcp.length == 0 {
            // A reset may have any number.
            if state.next.is_none() && !tcp.flags.has(TcpFlags::RST) {
                (state.next, state.guessed) = (Some(from), true);
            }
            return;
        }
        let next = state.begin(from);
        if from.wrapping_sub(next) < 1 << 31 && from != next {
            self.wait(side, from, tcp, out);
        } else {
            self.arrived(side, from, tcp.length, tcp.payload, Some(number), out);
            self.drain(side, out);
        }
    }

    /// Takes a datagram of any conversation; an empty one is not shown.
    pub fn udp(&mut self, stream: u32, ends: Ends, payload: &[u8], out: &mut String) {
        // As in tshark, node 0 is the one that sent the first bytes.
        if self.target.udp && stream == self.target.stream && !payload.is_empty() {
            let side = self.side_of(ends, out);
            self.show(side, payload, out);
        }
    }

    /// The end of the capture: shows waiting segments after their gaps, and the closing line.
    pub fn end(&mut self, out: &mut String) {
        if self.nodes.is_none() {
            self.head(None, out);
        }
        for side in 0..2 {
            while self.jump(side, out) {}
        }
        out.push_str(LINE);
    }

    /// The waiting bytes, counted again, and the segments of the side that has more of them.
    #[cfg(test)]
    pub(super) fn waits(&self) -> (usize, usize) {
        let early = || self.sides.iter().map(|side| &side.early);
        let bytes: usize = early().flatten().map(|early| early.bytes.len()).sum();
        assert_eq!(bytes, self.waiting);
        (bytes, early().map(Vec::len).max().unwrap_or(0))
    }

    /// The sender's side: 0 for the one that was seen first. The first call writes the heading.
    fn side_of(&mut self, ends: Ends, out: &mut String) -> usize {
        match self.nodes {
            Some(nodes) => usize::from(nodes.source != ends.source),
            None => {
                self.nodes = Some(ends);
                self.head(Some(ends), out);
                0
            }
        }
    }

    fn state(&mut self, side: usize) -> &mut Side {
        let [zero, one] = &mut self.sides;
        if side == 0 { zero } else { one }
    }

    fn head(&self, ends: Option<Ends>, out: &mut String) {
        let (protocol, stream) = (self.target.protocol(), self.target.stream);
        let form = match self.target.form {
            Form::Ascii => "ascii",
            Form::Hex => "hex",
            Form::Raw => "raw",
        };
        let _ = write!(
            out,
            "\n{LINE}Follow: {protocol},{form}\nFilter: {protocol}.stream eq {stream}\n"
        );
        let _ = match ends {
            Some(ends) => writeln!(
                out,
                "Node 0: {}\nNode 1: {}",
                SocketAddr::from(ends.source),
                SocketAddr::from(ends.destination)
            ),
            None => writeln!(out, "Node 0: :0\nNode 1: :0"),
        };
    }

    /// Takes bytes that are in order, or partly repeated.
    fn arrived(
        &mut self,
        side: usize,
        from: u32,
        length: u32,
        bytes: &[u8],
        number: Option<u64>,
        out: &mut String,
    ) {
        let next = self.state(side).next.unwrap_or(from);
        let again = next.wrapping_sub(from).min(length);
        if let (1.., Some(number)) = (again, number) {
            let words = format!("{again} bytes sent again in packet {number}");
            self.note(side, &words, out);
        }
        if again == length {
            return;
        }
        self.state(side).next = Some(from.wrapping_add(length));
        let fresh = bytes.get(again as usize..).unwrap_or_default();
        self.show(side, fresh, out);
        let cut = (length as usize).saturating_sub(bytes.len().max(again as usize));
        if cut > 0 {
            self.missing(side, cut, out);
        }
    }

    /// Keeps an early segment, sorted by its number.
    fn wait(&mut self, side: usize, from: u32, tcp: &Tcp<'_>, out: &mut String) {
        let state = self.state(side);
        let base = state.next.unwrap_or(from);
        let at = state
            .early
            .partition_point(|early| early.from.wrapping_sub(base) <= from.wrapping_sub(base));
        state.early.insert(
            at,
            Early {
                from,
                length: tcp.length,
                bytes: tcp.payload.to_vec(),
            },
        );
        self.waiting += tcp.payload.len();
        // The segments given up may be smaller than the new one, so repeat.
        while self.waits_too_much(side) && self.jump(side, out) {}
    }

    fn waits_too_much(&mut self, side: usize) -> bool {
        self.state(side).early.len() > Self::SEGMENTS || self.waiting > Self::WAITING
    }

    /// Shows the early segments that are in order now.
    fn drain(&mut self, side: usize, out: &mut String) {
        loop {
            let state = self.state(side);
            let next = state.next;
            let ready = |early: &Early| {
                next.is_none_or(|next| early.from.wrapping_sub(next).wrapping_sub(1) >= 1 << 31)
            };
            if !state.early.first().is_some_and(ready) {
                return;
            }
            let early = state.early.remove(0);
            self.waiting = self.waiting.saturating_sub(early.bytes.len());
            self.arrived(side, early.from, early.length, &early.bytes, None, out);
        }
    }

    /// The other side acknowledges bytes that were not seen: they will not come any more.
    fn acknowledged(&mut self, side: usize, ack: u32, out: &mut String) {
        while let Some(first) = self.state(side).early.first() {
            if ack.wrapping_sub(first.from).wrapping_sub(1) >= 1 << 31 {
                return;
            }
            self.jump(side, out);
        }
    }

    /// Gives up the gap before the first early segment. Returns whether there was one.
    fn jump(&mut self, side: usize, out: &mut String) -> bool {
        let state = self.state(side);
        let Some(from) = state.early.first().map(|early| early.from) else {
            return false;
        };
        let gap = from.wrapping_sub(state.next.unwrap_or(from));
        state.next = Some(from);
        self.missing(side, gap as usize, out);
        self.drain(side, out);
        true
    }

    /// A gap, in tshark's words: it shows them as bytes, followed by a zero.
    fn missing(&mut self, side: usize, bytes: usize, out: &mut String) {
        let words = format!("[{bytes} bytes missing in capture file]\0");
        self.show(side, words.as_bytes(), out);
    }

    /// A line that tshark does not have.
    fn note(&self, side: usize, words: &str, out: &mut String) {
        if self.target.form != Form::Raw {
            let tab = if side == 1 { "\t" } else { "" };
            let _ = writeln!(out, "{tab}[{words}]");
        }
    }

    fn show(&mut self, side: usize, bytes: &[u8], out: &mut String) {
        if bytes.is_empty() {
            return;
        }
        let tab = if side == 1 { "\t" } else { "" };
        match self.target.form {
            Form::Ascii => {
                let _ = writeln!(out, "{tab}{}", bytes.len());
                out.extend(bytes.iter().map(|byte| printable(*byte)));
                out.push('\n');
            }
            Form::Raw => {
                out.push_str(tab);
                for byte in bytes {
                    let _ = write!(out, "{byte:02x}");
                }
                out.push('\n');
            }
            Form::Hex => hex(tab, self.state(side).offset, bytes, out),
        }
        self.state(side).offset += bytes.len() as u64;
    }
}

const LINE: &str = "===================================================================\n";

/// Shows line ends as they are, and a dot for other bytes that are not text.
fn printable(byte: u8) -> char {
    match byte {
        b'\n' | b'\r' | b' '..=b'~' => char::from(byte),
        _ => '.',
    }
}

/// 16 bytes a line in two groups: the offset, the bytes, the text.
fn hex(tab: &str, offset: u64, bytes: &[u8], out: &mut String) {
    let mut at = offset;
    for line in bytes.chunks(16) {
        let _ = write!(out, "{tab}{at:08X}  ");
        let mut text = String::new();
        for (place, byte) in line.iter().enumerate() {
            if place == 8 {
                out.push(' ');
                text.push(' ');
            }
            let _ = write!(out, "{byte:02x} ");
            text.push(match byte {
                b' '..=b'~' => char::from(*byte),
                _ => '.',
            });
        }
        let missing = 16 - line.len();
        let width = missing * 3 + usize::from(line.len() <= 8);
        let _ = writeln!(out, "{:width$} {text}", "");
        at += line.len() as u64;
    }
}
