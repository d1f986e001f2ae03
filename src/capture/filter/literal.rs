//! Values in the text of a filter: the meaning of a word or a quoted text for a field's kind. Pure.
//!
//! Numbers are decimal, hexadecimal (`0x1bb`), binary (`0b11`) or octal (`0673`), as in Wireshark.
//! Text that is a single word needs no quotes.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::error::Problem;
use super::lexer::Token;
use crate::capture::field::{Kind, Value};

/// A value that the values of packets are compared with.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Boolean(bool),
    Unsigned(u64),
    Signed(i64),
    /// An address and the mask of its prefix, which is applied to both sides of a comparison.
    Ipv4(u32, u32),
    Ipv6(u128, u128),
    Ether([u8; 6]),
    Octets(Vec<u8>),
    Interval(i128),
}

impl Literal {
    /// Reads a value that a field of this kind could have.
    pub(super) fn read(token: &Token<'_>, kind: Kind) -> Result<Self, Problem> {
        let word = match token {
            Token::Quoted(bytes) if is_octets(kind) => return Ok(Literal::Octets(bytes.clone())),
            Token::Quoted(bytes) => {
                return Err(Problem::Value(
                    String::from_utf8_lossy(bytes).into_owned(),
                    kind,
                ));
            }
            Token::Word(word) => *word,
            Token::Sign(_) | Token::End => return Err(Problem::Expected("a value")),
        };
        let value = match kind {
            Kind::Boolean => boolean(word),
            Kind::Unsigned(bytes) | Kind::Hex(bytes) => return unsigned(word, bytes, kind),
            Kind::Signed => word.parse().ok().map(Literal::Signed),
            Kind::Ipv4 => return ipv4(word),
            Kind::Ipv6 => return ipv6(word),
            Kind::Ether => octets(word)
                .and_then(|bytes| bytes.try_into().ok())
                .map(Literal::Ether),
            Kind::Bytes | Kind::Protocol => octets(word).map(Literal::Octets),
            Kind::Text => Some(Literal::Octets(word.as_bytes().to_vec())),
            Kind::Interval => interval(word).map(Literal::Interval),
            Kind::Mark | Kind::Moment => None,
        };
        value.ok_or_else(|| Problem::Value(word.to_string(), kind))
    }

    /// Reads the operand of `contains`.
    pub(super) fn part(token: &Token<'_>, kind: Kind) -> Result<Self, Problem> {
        match (token, kind) {
            (Token::Word(word), Kind::Ether) => octets(word)
                .map(Literal::Octets)
                .ok_or_else(|| Problem::Value(word.to_string(), Kind::Bytes)),
            _ => Self::read(token, kind),
        }
    }

    /// This value in the form that a packet's value has.
    pub(super) fn value(&self) -> Value<'_> {
        match self {
            Literal::Boolean(value) => Value::Boolean(*value),
            Literal::Unsigned(value) => Value::Unsigned(*value),
            Literal::Signed(value) => Value::Signed(*value),
            Literal::Ipv4(address, mask) => Value::Ipv4(Ipv4Addr::from(address & mask)),
            Literal::Ipv6(address, mask) => Value::Ipv6(Ipv6Addr::from(address & mask)),
            Literal::Ether(address) => Value::Ether(*address),
            Literal::Octets(bytes) => Value::Bytes(bytes),
            Literal::Interval(nanos) => Value::Interval(*nanos),
        }
    }

    /// The packet's value, with the mask of this prefix applied.
    pub(super) fn masked<'v>(&self, value: Value<'v>) -> Value<'v> {
        match (self, value) {
            (Literal::Ipv4(_, mask), Value::Ipv4(address)) => {
                Value::Ipv4(Ipv4Addr::from(u32::from(address) & mask))
            }
            (Literal::Ipv6(_, mask), Value::Ipv6(address)) => {
                Value::Ipv6(Ipv6Addr::from(u128::from(address) & mask))
            }
            _ => value,
        }
    }
}

/// Whether a quoted text can be a value of this kind.
fn is_octets(kind: Kind) -> bool {
    matches!(kind, Kind::Text | Kind::Bytes | Kind::Protocol)
}

fn boolean(word: &str) -> Option<Literal> {
    let is = |texts: [&str; 2]| texts.iter().any(|text| word.eq_ignore_ascii_case(text));
    match (is(["1", "true"]), is(["0", "false"])) {
        (true, _) => Some(Literal::Boolean(true)),
        (_, true) => Some(Literal::Boolean(false)),
        _ => None,
    }
}

/// A number without a kind: a mask.
pub(super) fn integer(word: &str) -> Option<u64> {
    let lower = word.to_ascii_lowercase();
    let (digits, radix) = match lower.as_bytes() {
        [b'0', b'x', ..] => (lower.get(2..)?, 16),
        [b'0', b'b', ..] => (lower.get(2..)?, 2),
        [b'0', _, ..] => (lower.get(1..)?, 8),
        _ => (lower.as_str(), 10),
    };
    // from_str_radix would accept a sign.
    let starts = digits.bytes().next()?.is_ascii_alphanumeric();
    u64::from_str_radix(digits, radix).ok().filter(|_| starts)
}

fn unsigned(word: &str, bytes: u8, kind: Kind) -> Result<Literal, Problem> {
    let most = u64::MAX >> (64 - 8 * u32::from(bytes.clamp(1, 8)));
    match integer(word) {
        Some(number) if number <= most => Ok(Literal::Unsigned(number)),
        Some(_) => Err(Problem::TooLarge(most)),
        None => Err(Problem::Value(word.to_string(), kind)),
    }
}

/// An address, and how many of its bits count.
fn prefix(word: &str, kind: Kind, most: u8) -> Result<(&str, u8), Problem> {
    let Some((address, bits)) = word.split_once('/') else {
        return Ok((word, most));
    };
    match bits.parse::<u32>() {
        Ok(bits) if bits > most.into() => Err(Problem::Prefix(most)),
        Ok(bits) => Ok((address, u8::try_from(bits).unwrap_or(most))),
        Err(_) => Err(Problem::Value(word.to_string(), kind)),
    }
}

fn ipv4(word: &str) -> Result<Literal, Problem> {
    let (address, bits) = prefix(word, Kind::Ipv4, 32)?;
    let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
    match address.parse::<Ipv4Addr>() {
        Ok(address) => Ok(Literal::Ipv4(address.into(), mask)),
        Err(_) => Err(Problem::Value(word.to_string(), Kind::Ipv4)),
    }
}

fn ipv6(word: &str) -> Result<Literal, Problem> {
    let (address, bits) = prefix(word, Kind::Ipv6, 128)?;
    let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
    match address.parse::<Ipv6Addr>() {
        Ok(address) => Ok(Literal::Ipv6(address.into(), mask)),
        Err(_) => Err(Problem::Value(word.to_string(), Kind::Ipv6)),
    }
}

/// `02:00:5e`, `02-00-5e`, `0200.5e00` or `02005e`.
fn octets(word: &str) -> Option<Vec<u8>> {
    let between = word.chars().find(|char| !char.is_ascii_hexdigit());
    let groups: Vec<&str> = match between {
        Some(between @ (':' | '-' | '.')) => word.split(between).collect(),
        Some(_) => return None,
        None => vec![word],
    };
    let mut bytes = Vec::new();
    for group in groups {
        let digits: Option<Vec<u8>> = group
            .chars()
            .map(|char| char.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect();
        let digits = digits.filter(|digits| !digits.is_empty() && digits.len() % 2 == 0)?;
        bytes.extend(digits.chunks_exact(2).map(|pair| match pair {
            [high, low] => high << 4 | low,
            _ => 0,
        }));
    }
    Some(bytes)
}

/// Seconds, with at most nine digits after the point.
fn interval(word: &str) -> Option<i128> {
    let (sign, digits) = match word.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, word),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(part) || part.len() > 9 || whole.is_empty() {
        return None;
    }
    let seconds: u64 = whole.parse().ok()?;
    let nanos: u32 = format!("{part:0<9}").parse().ok()?;
    Some(sign * (i128::from(seconds) * 1_000_000_000 + i128::from(nanos)))
}
