//! A value of a field, its kind, and its printed form. Pure.
//!
//! The printed forms are those of `tshark -T fields`: numbers in decimal, or `0x` and all digits of
//! the field's width; booleans `1` and `0`; bytes as hexadecimal digits; times as seconds with nine
//! digits; text with its control characters as escapes, so that a line stays a line.

use std::cmp::Ordering;
use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::telemetry::{civil_from_days, is_invisible};

/// The kind of a field's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A protocol: present or not. If it carries bytes, `contains` searches them.
    Protocol,
    /// Present or not, without a value.
    Mark,
    /// True or false.
    Boolean,
    /// A number of this many bytes, printed in decimal.
    Unsigned(u8),
    /// The same, printed in hexadecimal.
    Hex(u8),
    /// A number of four bytes with a sign.
    Signed,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// A hardware address.
    Ether,
    /// Bytes.
    Bytes,
    /// Text.
    Text,
    /// The time between two moments, in seconds.
    Interval,
    /// A point in time, in UTC.
    Moment,
}

impl Kind {
    /// In words, for errors and for the book.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Protocol => "protocol",
            Kind::Mark => "mark",
            Kind::Boolean => "boolean",
            Kind::Unsigned(_) | Kind::Hex(_) => "unsigned number",
            Kind::Signed => "signed number",
            Kind::Ipv4 => "IPv4 address",
            Kind::Ipv6 => "IPv6 address",
            Kind::Ether => "hardware address",
            Kind::Bytes => "bytes",
            Kind::Text => "text",
            Kind::Interval => "time in seconds",
            Kind::Moment => "moment",
        }
    }

    /// Whether values of the two kinds can be compared.
    pub fn is_comparable(self, other: Kind) -> bool {
        self.name() == other.name() && !matches!(self, Kind::Protocol | Kind::Mark)
    }
}

/// A value of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// A protocol's name, and the bytes that it carries, as far as they were kept.
    Protocol(&'static str, &'a [u8]),
    /// The mark is present.
    Mark,
    /// True or false.
    Boolean(bool),
    /// A number.
    Unsigned(u64),
    /// A number with a sign.
    Signed(i64),
    /// An IPv4 address.
    Ipv4(Ipv4Addr),
    /// An IPv6 address.
    Ipv6(Ipv6Addr),
    /// A hardware address.
    Ether([u8; 6]),
    /// Bytes.
    Bytes(&'a [u8]),
    /// Text.
    Text(&'a str),
    /// Nanoseconds between two moments; for a [`Kind::Moment`], since 1970-01-01 UTC.
    Interval(i128),
}

impl Value<'_> {
    /// Which value is larger; `None` if they are of different kinds. Bytes and text compare byte by
    /// byte.
    pub fn order(&self, other: &Value<'_>) -> Option<Ordering> {
        Some(match (self, other) {
            (Value::Boolean(a), Value::Boolean(b)) => a.cmp(b),
            (Value::Unsigned(a), Value::Unsigned(b)) => a.cmp(b),
            (Value::Signed(a), Value::Signed(b)) => a.cmp(b),
            (Value::Ipv4(a), Value::Ipv4(b)) => a.cmp(b),
            (Value::Ipv6(a), Value::Ipv6(b)) => a.cmp(b),
            (Value::Ether(a), Value::Ether(b)) => a.cmp(b),
            (Value::Interval(a), Value::Interval(b)) => a.cmp(b),
            _ => self.octets()?.cmp(other.octets()?),
        })
    }

    /// The bytes of text, bytes, hardware addresses and protocols.
    pub fn octets(&self) -> Option<&[u8]> {
        match self {
            Value::Text(text) => Some(text.as_bytes()),
            Value::Bytes(bytes) | Value::Protocol(_, bytes) => Some(bytes),
            Value::Ether(address) => Some(address),
            _ => None,
        }
    }

    /// Adds the printed form of a value of a field of this kind.
    pub fn show(&self, kind: Kind, out: &mut String) {
        match *self {
            Value::Protocol(name, _) => out.push_str(name),
            Value::Mark => out.push('1'),
            Value::Boolean(value) => out.push(if value { '1' } else { '0' }),
            Value::Unsigned(value) => match kind {
                Kind::Hex(bytes) => push_hex(out, value, bytes),
                _ => push_decimal(out, value),
            },
            Value::Signed(value) => {
                out.push_str(if value < 0 { "-" } else { "" });
                push_decimal(out, value.unsigned_abs());
            }
            Value::Ipv4(address) => push_display(out, address),
            Value::Ipv6(address) => push_display(out, address),
            Value::Ether(address) => push_bytes(out, &address, ":"),
            Value::Bytes(bytes) => push_bytes(out, bytes, ""),
            Value::Text(text) => push_text(out, text),
            Value::Interval(nanos) if kind == Kind::Moment => push_moment(out, nanos),
            Value::Interval(nanos) => push_seconds(out, nanos),
        }
    }
}

const NANOS: i128 = 1_000_000_000;
const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn push_display(out: &mut String, value: impl std::fmt::Display) {
    // Writing to a String cannot fail.
    let _ = write!(out, "{value}");
}

/// Decimal digits, faster than `fmt`.
fn push_decimal(out: &mut String, mut value: u64) {
    let mut digits = [0u8; 20];
    let mut first = digits.len();
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + (value % 10) as u8;
        (first, value) = (at, value / 10);
        if value == 0 {
            break;
        }
    }
    let digits = digits.get(first..).unwrap_or_default();
    out.extend(digits.iter().map(|digit| char::from(*digit)));
}

fn push_digit(out: &mut String, value: u8) {
    let digit = DIGITS.get(usize::from(value & 0xf));
    out.push(char::from(*digit.unwrap_or(&b'0')));
}

fn push_hex(out: &mut String, value: u64, bytes: u8) {
    out.push_str("0x");
    for digit in (0..u32::from(bytes) * 2).rev() {
        push_digit(out, (value >> (digit * 4)) as u8);
    }
}

fn push_bytes(out: &mut String, bytes: &[u8], between: &str) {
    for (at, byte) in bytes.iter().enumerate() {
        out.push_str(if at > 0 { between } else { "" });
        push_digit(out, byte >> 4);
        push_digit(out, *byte);
    }
}

fn push_text(out: &mut String, text: &str) {
    for char in text.chars() {
        match char {
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\x0b' => out.push_str("\\v"),
            '\x0c' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\0'..=' ' | '\x7f' if char != ' ' => {
                let _ = write!(out, "\\{:03o}", u32::from(char));
            }
            // As in tshark: a terminal obeys U+009B, and U+202E reverses the text after it.
            _ if is_invisible(char) => {
                let _ = match u32::from(char) {
                    code @ ..0x1_0000 => write!(out, "\\u{code:04X}"),
                    code => write!(out, "\\U{code:08X}"),
                };
            }
            _ => out.push(char),
        }
    }
}

fn push_seconds(out: &mut String, nanos: i128) {
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    let second = NANOS.unsigned_abs();
    let _ = write!(out, "{sign}{}.{:09}", nanos / second, nanos % second);
}

/// `Nov 14, 2023 22:13:20.123456789 UTC`.
fn push_moment(out: &mut String, nanos: i128) {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (seconds, nanos) = (nanos.div_euclid(NANOS), nanos.rem_euclid(NANOS));
    let days = i64::try_from(seconds.div_euclid(86_400)).unwrap_or(0);
    let (year, month, day) = civil_from_days(days);
    let second = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let month = MONTHS.get(month as usize - 1).copied().unwrap_or_default();
    let _ = write!(
        out,
        "{month} {day:2}, {year} {hour:02}:{minute:02}:{second:02}.{nanos:09} UTC"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_brings_nothing_to_the_terminal_that_has_no_shape() {
        let mut out = String::new();
        push_text(&mut out, "a\u{1b}\u{9b}\u{202e}\u{e0001}\u{e9}");
        assert_eq!(out, "a\\033\\u009B\\u202E\\U000E0001\u{e9}");
    }
}
