//! Text built quickly: numbers, addresses and names written into a buffer that is kept from line to
//! line. Pure.
//!
//! A summary line is a few dozen small writes, and a capture has millions of lines; `core::fmt`
//! would take most of the time. The verbs here write only UTF-8, so the whole line is checked once
//! at its end ([`Text::as_str`]) and not piece by piece.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::telemetry::is_invisible;

/// How much of one text from the wire is shown, in bytes of output: enough for a DNS name with
/// every octet escaped, or a request target of a few hundred characters.
pub(super) const MOST_TEXT: usize = 1024;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The numbers below 1000 without leading zeros, each followed by its count of digits.
static SHORT: [[u8; 4]; 1000] = groups(false);
/// The same with three digits each.
static PADDED: [[u8; 4]; 1000] = groups(true);

const fn groups(padded: bool) -> [[u8; 4]; 1000] {
    let mut all = [[0; 4]; 1000];
    let mut value = 0;
    while value < all.len() {
        let digits = [value / 100, value / 10 % 10, value % 10];
        let count = match value {
            _ if padded => 3,
            0..10 => 1,
            10..100 => 2,
            _ => 3,
        };
        let mut at = 0;
        while at < count {
            all[value][at] = b'0' + digits[3 - count + at] as u8;
            at += 1;
        }
        all[value][3] = count as u8;
        value += 1;
    }
    all
}

/// A line under construction: the first `len` bytes of `bytes`. The bytes after them are room, so
/// that a number or padding can be written as a block of fixed size, of which only some bytes
/// count.
#[derive(Debug, Default)]
pub(super) struct Text {
    bytes: Vec<u8>,
    len: usize,
}

impl Text {
    /// Starts over, and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    /// Bytes so far.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The text written so far.
    pub(super) fn as_str(&self) -> &str {
        // Only whole characters are added, so nothing is lost here.
        let written = self.bytes.get(..self.len).unwrap_or_default();
        std::str::from_utf8(written).unwrap_or_default()
    }

    /// Adds one of our own texts unchanged.
    #[inline(always)]
    pub(super) fn text(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let place = self.len..self.len + bytes.len();
        if self.bytes.len() < place.end {
            self.grow(place.end);
        }
        if let Some(place) = self.bytes.get_mut(place) {
            place.copy_from_slice(bytes);
            self.len += bytes.len();
        }
    }

    /// Adds the first `count` bytes of a block.
    #[inline(always)]
    fn block<const N: usize>(&mut self, block: &[u8; N], count: usize) {
        if self.bytes.len() < self.len + N {
            self.grow(self.len + N);
        }
        let room = self.bytes.get_mut(self.len..).unwrap_or_default();
        if let Some(place) = room.first_chunk_mut::<N>() {
            *place = *block;
            self.len += count.min(N);
        }
    }

    #[cold]
    fn grow(&mut self, need: usize) {
        self.bytes.resize(need.next_power_of_two().max(512), 0);
    }

    /// Adds a byte of ASCII.
    #[inline]
    fn push(&mut self, ascii: u8) {
        self.block(&[ascii], 1);
    }

    /// Adds a space.
    #[inline]
    pub(super) fn space(&mut self) {
        self.push(b' ');
    }

    /// Adds a number.
    #[inline]
    pub(super) fn number(&mut self, value: impl Into<u64>) {
        let value = value.into();
        match u32::try_from(value) {
            Ok(small) => self.small(small),
            Err(_) => {
                self.number(value / 1_000_000_000);
                self.fixed((value % 1_000_000_000) as u32, 9);
            }
        }
    }

    #[inline]
    fn small(&mut self, value: u32) {
        if value < 1_000 {
            self.group(value, &SHORT);
        } else if value < 1_000_000 {
            self.group(value / 1_000, &SHORT);
            self.group(value, &PADDED);
        } else {
            self.large(value);
        }
    }

    fn large(&mut self, value: u32) {
        let (millions, rest) = (value / 1_000_000, value % 1_000_000);
        self.small(millions);
        self.group(rest / 1_000, &PADDED);
        self.group(rest, &PADDED);
    }

    /// Adds the last three digits.
    #[inline(always)]
    fn group(&mut self, value: u32, table: &[[u8; 4]; 1000]) {
        if let Some(group) = table.get((value % 1_000) as usize) {
            self.block(group, group[3].into());
        }
    }

    /// Adds the last `width` digits of a number, at most 9, with leading zeros.
    #[inline]
    pub(super) fn fixed(&mut self, value: u32, width: usize) {
        match width {
            9 => {
                self.group(value / 1_000_000, &PADDED);
                self.group(value / 1_000, &PADDED);
                self.group(value, &PADDED);
            }
            6 => {
                self.group(value / 1_000, &PADDED);
                self.group(value, &PADDED);
            }
            _ => {
                for place in (0..width.min(9)).rev() {
                    self.push(digit(value / 10u32.pow(place as u32)));
                }
            }
        }
    }

    /// Adds the last `width` hexadecimal digits of a number, at most 16.
    pub(super) fn hex(&mut self, value: impl Into<u64>, width: u32) {
        let value = value.into();
        for place in (0..width.min(16)).rev() {
            self.push(hex_digit((value >> (place * 4)) as u8));
        }
    }

    /// Adds bytes in hexadecimal, without separators.
    pub(super) fn hex_bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.push(hex_digit(byte >> 4));
            self.push(hex_digit(*byte));
        }
    }

    /// Adds a hardware address: two digits per byte, separated by colons.
    pub(super) fn hardware(&mut self, address: &[u8]) {
        for (at, byte) in address.iter().enumerate() {
            if at > 0 {
                self.push(b':');
            }
            self.hex(*byte, 2);
        }
    }

    /// Adds an IPv4 address.
    #[inline]
    pub(super) fn ipv4(&mut self, address: Ipv4Addr) {
        let [a, b, c, d] = address.octets();
        self.group(a.into(), &SHORT);
        for octet in [b, c, d] {
            self.push(b'.');
            self.group(octet.into(), &SHORT);
        }
    }

    /// Adds an IPv6 address as in RFC 5952 §4: lower case, no leading zeros, and `::` for the
    /// longest run of two or more zero groups (the first of them). A v4-mapped one ends in the
    /// dotted quad (§5).
    pub(super) fn ipv6(&mut self, address: Ipv6Addr) {
        if let [0, 0, 0, 0, 0, 0xffff, ..] = address.segments() {
            self.text("::ffff:");
            let [.., a, b, c, d] = address.octets();
            return self.ipv4(Ipv4Addr::new(a, b, c, d));
        }
        let run = longest_run(address.segments());
        for (at, group) in address.segments().into_iter().enumerate() {
            if at == run.start && run.len() > 1 {
                self.text("::");
            }
            if run.contains(&at) && run.len() > 1 {
                continue;
            }
            if at > 0 && (run.len() < 2 || at != run.end) {
                self.push(b':');
            }
            let width = (16 - group.leading_zeros()).div_ceil(4).max(1);
            self.hex(group, width);
        }
    }

    /// Pads the text since `start`, which is ASCII, with spaces on the left up to a width.
    #[inline]
    pub(super) fn right(&mut self, start: usize, width: usize) {
        let len = self.len;
        self.left(start, width);
        let fill = self.len - len;
        if fill > 0 && start <= len {
            self.bytes.copy_within(start..len, start + fill);
            if let Some(front) = self.bytes.get_mut(start..start + fill) {
                front.fill(b' ');
            }
        }
    }

    /// As [`Text::right`], but pads on the right, with at most 32 spaces.
    #[inline]
    pub(super) fn left(&mut self, start: usize, width: usize) {
        let fill = width.saturating_sub(self.len.saturating_sub(start));
        self.block(&[b' '; 32], fill);
    }

    /// Adds bytes from the wire as text that cannot act on a terminal: U+FFFD for what is not
    /// UTF-8, and escapes for invisible characters. The text ends after [`MOST_TEXT`] bytes,
    /// completed to a whole character; then comes `…`.
    pub(super) fn wire(&mut self, bytes: &[u8]) {
        let end = self.len + MOST_TEXT;
        for chunk in bytes.utf8_chunks() {
            for c in chunk.valid().chars() {
                if self.len >= end {
                    return self.text("…");
                }
                self.visible(c);
            }
            if !chunk.invalid().is_empty() {
                if self.len >= end {
                    return self.text("…");
                }
                self.text("\u{fffd}");
            }
        }
    }

    /// Adds a character, or its escape: as in tshark (`\n`, `\033`), or `\u{202e}`.
    fn visible(&mut self, c: char) {
        match c {
            ' '..='~' => self.push(c as u8),
            '\n' => self.text("\\n"),
            '\r' => self.text("\\r"),
            '\t' => self.text("\\t"),
            '\0'..='\x7f' => {
                self.push(b'\\');
                for place in [6, 3, 0] {
                    self.push(digit(u32::from(c) >> place & 7));
                }
            }
            c if is_invisible(c) => c.escape_unicode().for_each(|c| self.push(c as u8)),
            c => self.text(c.encode_utf8(&mut [0; 4])),
        }
    }
}

/// For rare formats.
impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text(text);
        Ok(())
    }
}

#[inline]
fn digit(value: u32) -> u8 {
    b'0' + (value % 10) as u8
}

#[inline]
fn hex_digit(value: u8) -> u8 {
    HEX.get(usize::from(value & 0xf)).copied().unwrap_or(b'0')
}

/// The first of the longest runs of zero.
fn longest_run(groups: [u16; 8]) -> std::ops::Range<usize> {
    let mut longest = 0..0;
    let mut start = 0;
    for (at, group) in groups.into_iter().enumerate() {
        if group != 0 {
            start = at + 1;
        } else if at + 1 - start > longest.len() {
            longest = start..at + 1;
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Text)) -> String {
        let mut text = Text::default();
        write(&mut text);
        text.as_str().to_owned()
    }

    #[test]
    fn numbers_are_what_fmt_makes_of_them() {
        let edges = (0..20).flat_map(|power| {
            let ten = 10u64.pow(power);
            [ten - 1, ten, ten + 1]
        });
        for value in edges.chain([u64::MAX, u32::MAX.into(), 1 << 32]) {
            assert_eq!(text(|t| t.number(value)), value.to_string());
            assert_eq!(text(|t| t.hex(value, 16)), format!("{value:016x}"));
        }
        assert_eq!(text(|t| t.fixed(42, 9)), "000000042");
        assert_eq!(text(|t| t.fixed(1_234, 3)), "234");
        assert_eq!(text(|t| t.fixed(1, 0)), "");
    }

    #[test]
    fn addresses_are_what_the_standard_library_makes_of_them() {
        for address in ["0.0.0.0", "127.0.0.1", "255.255.255.255", "10.99.100.9"] {
            let parsed = address.parse().unwrap();
            assert_eq!(text(|t| t.ipv4(parsed)), address);
        }
        // Every placement of zeros, with groups of one to four digits in between.
        for zeros in 0..=255u8 {
            let groups: [u16; 8] =
                std::array::from_fn(|at| [1 << (at * 2), 0][usize::from(zeros >> at & 1)]);
            let address = Ipv6Addr::from(groups);
            assert_eq!(text(|t| t.ipv6(address)), address.to_string());
        }
        let mapped = Ipv4Addr::new(1, 2, 3, 4).to_ipv6_mapped();
        assert_eq!(text(|t| t.ipv6(mapped)), mapped.to_string());
    }

    #[test]
    fn columns_are_filled_to_their_width_and_never_cut() {
        for (width, right, left) in [(0, "ab", "ab"), (2, "ab", "ab"), (5, "   ab", "ab   ")] {
            let shown = |fill: fn(&mut Text, usize, usize)| {
                text(|t| {
                    t.text("x|");
                    t.text("ab");
                    fill(t, 2, width);
                })
            };
            assert_eq!(shown(Text::right), format!("x|{right}"));
            assert_eq!(shown(Text::left), format!("x|{left}"));
        }
    }

    #[test]
    fn nothing_from_the_wire_steers_a_terminal() {
        let hostile = b"a\x1b[31m\n\r\t\x00\x7f\xff\xe2\x80\xae\xc3\xa9";
        assert_eq!(
            text(|t| t.wire(hostile)),
            "a\\033[31m\\n\\r\\t\\000\\177\u{fffd}\\u{202e}\u{e9}"
        );
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        let shown = text(|t| t.wire(&[b'a'; 5000]));
        assert_eq!(shown.len(), MOST_TEXT + "…".len());
        assert!(shown.ends_with("a…"));
        let shown = text(|t| t.wire(&[0xff; 5000]));
        assert_eq!(shown.chars().count(), MOST_TEXT.div_ceil(3) + 1);
        assert!(shown.ends_with("\u{fffd}…"));
    }
}
