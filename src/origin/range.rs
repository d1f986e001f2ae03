//! Which part of a file a request asks for: `Range: bytes=...` (RFC 9110 §14). Pure.
//!
//! One range is answered with 206, one that begins after the end with 416. Anything else (other
//! units, several ranges, a syntax error) is answered with the whole file. §14.2 allows that, and
//! every client accepts it.

use std::ops::Range;

/// What to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it: 200.
    Whole,
    /// These bytes of it: 206.
    Bytes(Range<u64>),
    /// Nothing, because the range begins after the end: 416.
    Unsatisfiable,
}

impl Part {
    /// Parses the value of a Range field, for a file of `size` bytes.
    pub fn of(value: &[u8], size: u64) -> Part {
        let text = std::str::from_utf8(value).unwrap_or_default();
        let spec = match text.split_once('=') {
            Some((unit, spec)) if unit.eq_ignore_ascii_case("bytes") => spec.trim(),
            _ => return Part::Whole,
        };
        match spec.split_once('-') {
            Some(("", suffix)) => number(suffix).map_or(Part::Whole, |count| last(count, size)),
            Some((first, "")) => {
                number(first).map_or(Part::Whole, |first| between(first, u64::MAX, size))
            }
            Some((first, last)) => match (number(first), number(last)) {
                (Some(first), Some(last)) if first <= last => between(first, last, size),
                _ => Part::Whole,
            },
            None => Part::Whole,
        }
    }
}

fn between(first: u64, last: u64, size: u64) -> Part {
    if first >= size {
        return Part::Unsatisfiable;
    }
    Part::Bytes(first..last.saturating_add(1).min(size))
}

fn last(count: u64, size: u64) -> Part {
    match (count, size) {
        (0, _) => Part::Unsatisfiable,
        // Satisfiable (§14.1.2), but a Content-Range cannot say which bytes these are.
        (_, 0) => Part::Whole,
        _ => Part::Bytes(size.saturating_sub(count)..size),
    }
}

/// Digits only (std also accepts a plus sign). A number beyond 64 bits counts as the largest.
fn number(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_a_part_of_the_file_or_lies_behind_it() {
        for (value, size, part) in [
            ("bytes=0-0", 10, Part::Bytes(0..1)),
            ("bytes=2-5", 10, Part::Bytes(2..6)),
            ("Bytes= 2-5", 10, Part::Bytes(2..6)),
            ("bytes=2-", 10, Part::Bytes(2..10)),
            ("bytes=2-99", 10, Part::Bytes(2..10)),
            ("bytes=9-18446744073709551616", 10, Part::Bytes(9..10)),
            ("bytes=-3", 10, Part::Bytes(7..10)),
            ("bytes=-99", 10, Part::Bytes(0..10)),
            ("bytes=10-", 10, Part::Unsatisfiable),
            ("bytes=10-12", 10, Part::Unsatisfiable),
            ("bytes=18446744073709551616-", 10, Part::Unsatisfiable),
            ("bytes=-0", 10, Part::Unsatisfiable),
            ("bytes=0-", 0, Part::Unsatisfiable),
            ("bytes=-0", 0, Part::Unsatisfiable),
            ("bytes=-1", 0, Part::Whole),
        ] {
            assert_eq!(Part::of(value.as_bytes(), size), part, "{value} of {size}");
        }
    }

    #[test]
    fn what_is_no_single_range_of_bytes_is_ignored() {
        for value in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-2",
            "bytes=a-b",
            "bytes=+1-2",
            "bytes=1-2,4-5",
            "bytes=1",
            "lines=1-2",
            "bytes=--1",
            "bytes=1 - 2",
            "\u{e9}",
        ] {
            assert_eq!(Part::of(value.as_bytes(), 10), Part::Whole, "{value:?}");
        }
        assert_eq!(Part::of(b"bytes=\xff-", 10), Part::Whole);
    }
}
