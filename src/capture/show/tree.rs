//! A packet with all its fields: a block per layer, a line per field. Pure.
//!
//! ```text
//! Transmission Control Protocol, Src Port: 51234, Dst Port: 7000, Seq: 0, Len: 0
//!     Source Port: 51234
//!     ...
//!     Flags: 0x002 (SYN)
//!         .... .... ..1. = Syn: Set
//! ```
//!
//! Names and order are those of `tshark -V`. Values in brackets are not in the packet but follow
//! from it.

use std::fmt::{self, Display, Write};

use super::digits::Text;
use super::{tree_application, tree_ip, tree_link, tree_transport};
use crate::capture::decode::{Check, Decoded, Layer};

/// The longest tree, in bytes: a person reads no more, and a hostile message can cause no more.
pub const MOST_TREE: usize = 1 << 20;

/// Adds all that is known about a packet, with a line end after each line, at most about
/// [`MOST_TREE`] bytes.
pub fn tree(decoded: &Decoded<'_>, out: &mut String) {
    let mut tree = Tree {
        end: out.len() + MOST_TREE,
        out,
        depth: 0,
    };
    tree_link::frame(&mut tree, decoded);
    for layer in decoded.layers.as_slice() {
        one(&mut tree, layer, decoded);
    }
}

/// One layer's block.
pub(super) fn one(tree: &mut Tree<'_>, layer: &Layer<'_>, decoded: &Decoded<'_>) {
    match layer {
        Layer::Ethernet(header) => tree_link::ethernet(tree, header),
        Layer::Vlan(tag) => tree_link::vlan(tree, tag),
        Layer::Cooked(header) => tree_link::cooked(tree, header),
        Layer::Loopback(header) => tree_link::loopback(tree, header),
        Layer::Arp(message) => tree_link::arp(tree, message),
        Layer::Ipv4(header) => tree_ip::ipv4(tree, header),
        Layer::Ipv6(header) => tree_ip::ipv6(tree, header),
        Layer::Extension(header) => tree_ip::extension(tree, header),
        Layer::Fragment(header) => tree_ip::fragment(tree, header),
        Layer::Icmp(message) => tree_ip::icmp(tree, message, decoded),
        Layer::Tcp(segment) => tree_transport::tcp(tree, segment, decoded),
        Layer::Udp(datagram) => tree_transport::udp(tree, datagram, decoded),
        Layer::Dns(octets) => tree_application::dns(tree, "Domain Name System", octets),
        Layer::Mdns(octets) => {
            tree_application::dns(tree, "Multicast Domain Name System", octets);
        }
        Layer::Llmnr(octets) => {
            tree_application::dns(tree, "Link-local Multicast Name Resolution", octets);
        }
        Layer::Http(section) => tree_application::http(tree, section),
        Layer::Rpc(frame) => tree_application::rpc(tree, frame),
        Layer::Frame(frame) => tree_application::frame(tree, frame),
        Layer::Data(bytes) => data(tree, bytes),
        Layer::Malformed(malformed) => tree.line(format_args!("[{malformed}]")),
    }
}

/// The output, and how far its lines are indented.
pub(super) struct Tree<'o> {
    out: &'o mut String,
    depth: usize,
    end: usize,
}

impl Tree<'_> {
    /// Adds a line, unless the tree has its full length.
    pub(super) fn line(&mut self, text: fmt::Arguments<'_>) {
        if self.out.len() > self.end {
            return;
        }
        for _ in 0..self.depth {
            self.out.push_str("    ");
        }
        // Writing to a String cannot fail.
        let _ = self.out.write_fmt(text);
        self.out.push('\n');
        if self.out.len() > self.end {
            self.out.push_str("[more is not shown]\n");
        }
    }

    /// Adds a line; the lines that `within` adds are indented by one more step.
    pub(super) fn block(&mut self, text: fmt::Arguments<'_>, within: impl FnOnce(&mut Self)) {
        self.line(text);
        self.depth += 1;
        within(self);
        self.depth -= 1;
    }

    /// Whether this is within exactly one block.
    pub(super) fn is_outermost(&self) -> bool {
        self.depth <= 1
    }

    /// Adds `name: value`.
    pub(super) fn field(&mut self, name: &str, value: impl Display) {
        self.line(format_args!("{name}: {value}"));
    }

    /// Adds a line for one bit: its place, and whether it is set.
    pub(super) fn flag(&mut self, bits: Bits, name: &str) {
        let is = if bits.is_set() { "Set" } else { "Not set" };
        self.line(format_args!("{bits} = {name}: {is}"));
    }

    /// Adds a checksum and whether it is right.
    pub(super) fn checksum(&mut self, name: &str, value: u16, check: Check) {
        let status = self.checked(name, value, check, "unverified");
        self.line(format_args!("[{name} Status: {status}]"));
    }

    /// Adds a checksum, with this word if it is not verified; returns its status.
    pub(super) fn checked(
        &mut self,
        name: &str,
        value: u16,
        check: Check,
        unverified: &str,
    ) -> &'static str {
        match check {
            Check::Good => {
                self.field(name, format_args!("{value:#06x} [correct]"));
                "Good"
            }
            Check::Bad(right) => {
                self.field(
                    name,
                    format_args!("{value:#06x} incorrect, should be {right:#06x}"),
                );
                "Bad"
            }
            Check::Unverified => {
                self.field(name, format_args!("{value:#06x} [{unverified}]"));
                "Unverified"
            }
        }
    }
}

/// Some bits of a number, shown in their place: `.... ..1.`.
#[derive(Clone, Copy)]
pub(super) struct Bits {
    /// How many bits the number has.
    pub width: u32,
    /// The bits to show.
    pub mask: u32,
    /// The number.
    pub value: u32,
}

impl Bits {
    /// Bits of a byte.
    pub(super) fn byte(value: u8, mask: u8) -> Self {
        let (value, mask) = (value.into(), mask.into());
        Self {
            width: 8,
            mask,
            value,
        }
    }

    /// Bits of two bytes.
    pub(super) fn two(value: u16, mask: u16) -> Self {
        let (value, mask) = (value.into(), mask.into());
        Self {
            width: 16,
            mask,
            value,
        }
    }

    pub(super) fn is_set(self) -> bool {
        self.value & self.mask != 0
    }
}

impl Display for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in (0..self.width).rev() {
            let bit = 1 << place;
            let shown = match (self.mask & bit != 0, self.value & bit != 0) {
                (false, _) => '.',
                (true, false) => '0',
                (true, true) => '1',
            };
            f.write_char(shown)?;
            if place % 4 == 0 && place > 0 {
                f.write_char(' ')?;
            }
        }
        Ok(())
    }
}

/// The output of one of the line's functions, as a value to format.
pub(super) fn text(write: impl FnOnce(&mut Text)) -> String {
    let mut text = Text::default();
    write(&mut text);
    text.as_str().to_owned()
}

/// Bytes from the wire as text.
pub(super) fn wire(bytes: &[u8]) -> String {
    text(|out| out.wire(bytes))
}

/// Bytes in hexadecimal, the first 32 of them.
pub(super) fn hex(bytes: &[u8]) -> String {
    const SHOWN: usize = 32;
    text(|out| {
        out.hex_bytes(bytes.get(..SHOWN).unwrap_or(bytes));
        if bytes.len() > SHOWN {
            out.text("…");
        }
    })
}

/// A hardware address.
pub(super) fn hardware(bytes: &[u8]) -> String {
    text(|out| out.hardware(bytes))
}

fn data(tree: &mut Tree<'_>, bytes: &[u8]) {
    let count = bytes.len();
    let plural = if count == 1 { "" } else { "s" };
    tree.block(format_args!("Data ({count} byte{plural})"), |tree| {
        tree.field("Data", hex(bytes));
        tree.line(format_args!("[Length: {count}]"));
    });
}
