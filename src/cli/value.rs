//! Values that a user writes with a unit: durations, sizes, counts.
//!
//! | type | takes | unit |
//! |---|---|---|
//! | [`DurationArg`] | `500ms`, `10s`, `1.5h`, `0` | one of `us`, `ms`, `s`, `m`, `h`; required |
//! | [`Seconds`] | the same; `3`, `0.2`, `.2` | seconds if there is none |
//! | [`Size`] | `64`, `16k`, `64KiB`, `10MB` | bytes if there is none |
//! | [`Count`] | `100`, `10k`, `2M` | decimal |
//! | [`NonZeroCount`] | the same without 0 | decimal |
//!
//! A bare number is not a duration, because some users would take `30` for seconds and others for
//! milliseconds. For sizes, `K`, `M` and `G` are powers of 1024, as in coreutils; `KiB` says so
//! explicitly, and `kB` means 1000. For counts they are powers of 1000.
//!
//! To add a unit: 1. add it to its table; 2. to the list that the error shows.

use std::error::Error;
use std::fmt;
use std::num::NonZero;
use std::str::FromStr;
use std::time::Duration;

/// Nanoseconds in each unit of time.
const TIME_UNITS: &[(&str, u64)] = &[
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("h", 3600 * 1_000_000_000),
];
const TIME_UNIT_LIST: &str = "us, ms, s, m or h";

/// Bytes in each unit of size.
#[rustfmt::skip]
const SIZE_UNITS: &[(&str, u64)] = &[
    ("", 1), ("B", 1),
    ("k", 1 << 10), ("K", 1 << 10), ("KiB", 1 << 10), ("kB", 1_000), ("KB", 1_000),
    ("M", 1 << 20), ("MiB", 1 << 20), ("MB", 1_000_000),
    ("G", 1 << 30), ("GiB", 1 << 30), ("GB", 1_000_000_000),
];
const SIZE_UNIT_LIST: &str = "B, K, M, G, KiB, MiB, GiB, kB, MB or GB";

/// Things in each unit of counting.
const COUNT_UNITS: &[(&str, u64)] = &[("", 1), ("k", 1_000), ("M", 1_000_000)];
const COUNT_UNIT_LIST: &str = "k or M";

/// A length of time: `500ms`, `10s`, `2m`, `1h`, `1.5s`, or `0`.
///
/// At most 584 years, which is 64 bits of nanoseconds: so a program may add it to an `Instant`
/// without overflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DurationArg(Duration);

impl DurationArg {
    /// The duration.
    pub fn get(self) -> Duration {
        self.0
    }
}

impl FromStr for DurationArg {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<DurationArg, ValueError> {
        let (number, unit) = split_unit(text);
        if text == "0" {
            return Ok(DurationArg(Duration::ZERO));
        }
        let (whole, decimals) = split_point(number).ok_or(NOT_A_DURATION)?;
        if unit.is_empty() {
            return Err(ValueError::NoUnit {
                units: TIME_UNIT_LIST,
            });
        }
        let per_unit = u128::from(unit_value(unit, TIME_UNITS, TIME_UNIT_LIST)?);
        // No overflow: 64 bits times 42, and 30 bits times 42, are within 128.
        let most = "584 years";
        let whole = u128::from(digits(whole, NOT_A_DURATION, most)?) * per_unit;
        let part = u128::from(digits(decimals, NOT_A_DURATION, most)?) * per_unit;
        let nanos = whole + part / 10_u128.pow(decimals.len() as u32);
        let nanos = u64::try_from(nanos).map_err(|_| ValueError::TooLarge { most })?;
        Ok(DurationArg(Duration::from_nanos(nanos)))
    }
}

/// Seconds as `ping` and `nc` take them, `3`, `0.2`, `.2`; or a duration with its unit, `200ms`.
///
/// For programs that users know from elsewhere, where a bare number always meant seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(Duration);

impl Seconds {
    /// The duration.
    pub fn get(self) -> Duration {
        self.0
    }
}

impl FromStr for Seconds {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Seconds, ValueError> {
        let (_, unit) = split_unit(text);
        let duration: DurationArg = match (unit, text.starts_with('.')) {
            ("", true) => format!("0{text}s").parse()?,
            ("", false) => format!("{text}s").parse()?,
            _ => text.parse()?,
        };
        Ok(Seconds(duration.get()))
    }
}

/// A number of bytes: `64`, `16k`, `64KiB`, `10MB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u64);

impl Size {
    /// The bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }

    /// The bytes as a limit for memory.
    ///
    /// A number larger than the address space becomes its size, which is the same limit.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for Size {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Size, ValueError> {
        scaled(
            text,
            SIZE_UNITS,
            SIZE_UNIT_LIST,
            "a size such as 4096, 64KiB or 10MB",
        )
        .map(Size)
    }
}

/// A number of things: `100`, `10k`, `2M`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count(u64);

impl Count {
    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }

    /// The number as a limit for what is held in memory; see [`Size::as_usize`].
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for Count {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Count, ValueError> {
        scaled(
            text,
            COUNT_UNITS,
            COUNT_UNIT_LIST,
            "a count such as 100, 10k or 2M",
        )
        .map(Count)
    }
}

/// A [`Count`] where 0 makes no sense: of workers, of connections to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NonZeroCount(NonZero<u64>);

impl NonZeroCount {
    /// The number.
    pub fn get(self) -> u64 {
        self.0.get()
    }

    /// The number as a limit for what is held in memory; see [`Size::as_usize`].
    pub fn as_usize(self) -> usize {
        usize::try_from(self.get()).unwrap_or(usize::MAX)
    }
}

impl FromStr for NonZeroCount {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<NonZeroCount, ValueError> {
        let count: Count = text.parse()?;
        NonZero::new(count.get())
            .map(NonZeroCount)
            .ok_or(ValueError::Zero)
    }
}

/// Why a text is not the value that it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueError {
    /// It doesn't have the form at all.
    Malformed {
        /// The form, with examples.
        expected: &'static str,
    },
    /// A bare number, where a unit is required.
    NoUnit {
        /// The known units.
        units: &'static str,
    },
    /// A number, then something that is not a unit.
    UnknownUnit {
        /// What follows the number.
        unit: String,
        /// The known units.
        units: &'static str,
    },
    /// More than can be represented.
    TooLarge {
        /// The bound.
        most: &'static str,
    },
    /// Zero, where it makes no sense.
    Zero,
}

const NOT_A_DURATION: ValueError = ValueError::Malformed {
    expected: "a duration such as 500ms, 10s or 1.5h",
};

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueError::Malformed { expected } => write!(f, "expected {expected}"),
            ValueError::NoUnit { units } => write!(f, "needs a unit: {units}"),
            ValueError::UnknownUnit { unit, units } => {
                write!(f, "unknown unit {unit:?}, expected {units}")
            }
            ValueError::TooLarge { most } => write!(f, "too large, at most {most}"),
            ValueError::Zero => f.write_str("must not be zero"),
        }
    }
}

impl Error for ValueError {}

/// A whole number times its unit.
fn scaled(
    text: &str,
    table: &[(&str, u64)],
    units: &'static str,
    expected: &'static str,
) -> Result<u64, ValueError> {
    let most = "2^64 - 1";
    let (number, unit) = split_unit(text);
    if number.is_empty() || number.contains('.') {
        return Err(ValueError::Malformed { expected });
    }
    let per_unit = unit_value(unit, table, units)?;
    let number = digits(number, ValueError::Malformed { expected }, most)?;
    number
        .checked_mul(per_unit)
        .ok_or(ValueError::TooLarge { most })
}

/// The number at the beginning, perhaps empty, and what follows it.
fn split_unit(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    text.split_at(end)
}

/// The digits before and after the point: `1`, `1.5`, but not `.5`, `1.`, `1.2.3`.
///
/// Nine decimals at most, because the resolution is a nanosecond.
fn split_point(number: &str) -> Option<(&str, &str)> {
    let (whole, decimals) = match number.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (number, ""),
    };
    let good = !whole.is_empty() && !decimals.contains('.') && decimals.len() <= 9;
    good.then_some((whole, decimals))
}

/// The number that the digits make; no digits make 0.
fn digits(text: &str, malformed: ValueError, most: &'static str) -> Result<u64, ValueError> {
    let mut number: u64 = 0;
    for c in text.chars() {
        let digit = c.to_digit(10).ok_or_else(|| malformed.clone())?;
        let longer = number
            .checked_mul(10)
            .and_then(|n| n.checked_add(u64::from(digit)));
        number = longer.ok_or(ValueError::TooLarge { most })?;
    }
    Ok(number)
}

fn unit_value(unit: &str, table: &[(&str, u64)], units: &'static str) -> Result<u64, ValueError> {
    match table.iter().find(|(name, _)| *name == unit) {
        Some((_, value)) => Ok(*value),
        None => Err(ValueError::UnknownUnit {
            unit: unit.to_string(),
            units,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value, or the error's text, so that a table can hold both.
    fn read<T: FromStr<Err = ValueError>, V>(text: &str, get: fn(T) -> V) -> Result<V, String> {
        text.parse()
            .map(get)
            .map_err(|error: ValueError| error.to_string())
    }

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        let table = [
            ("0", 0),
            ("0s", 0),
            ("1us", 1_000),
            ("1.5us", 1_500),
            ("500ms", 500_000_000),
            ("10s", 10_000_000_000),
            ("1.5s", 1_500_000_000),
            ("0.05s", 50_000_000),
            ("1.000000001s", 1_000_000_001),
            ("2m", 120_000_000_000),
            ("1h", 3_600_000_000_000),
            ("5124095h", 5_124_095 * 3_600_000_000_000),
        ];
        for (text, nanos) in table {
            assert_eq!(
                read(text, DurationArg::get),
                Ok(Duration::from_nanos(nanos)),
                "{text}"
            );
        }
    }

    #[test]
    fn a_bad_duration_is_told_why() {
        let form = "expected a duration such as 500ms, 10s or 1.5h";
        let (unit, long) = (
            "needs a unit: us, ms, s, m or h",
            "too large, at most 584 years",
        );
        let table = [
            ("", form),
            ("s", form),
            ("-5s", form),
            ("+5s", form),
            (".5s", form),
            ("5.s", form),
            ("1.2.3s", form),
            ("0.0000000001s", form),
            ("5", unit),
            ("00", unit),
            ("0.0", unit),
            ("5d", "unknown unit \"d\", expected us, ms, s, m or h"),
            ("5 s", "unknown unit \" s\", expected us, ms, s, m or h"),
            ("1h30m", "unknown unit \"h30m\", expected us, ms, s, m or h"),
            ("5S", "unknown unit \"S\", expected us, ms, s, m or h"),
            ("5µs", "unknown unit \"µs\", expected us, ms, s, m or h"),
            ("5124096h", long),
            ("18446744073709551615h", long),
            ("18446744073709551616us", long),
            ("99999999999999999999999999999999999999999h", long),
        ];
        for (text, why) in table {
            assert_eq!(read(text, DurationArg::get), Err(why.to_string()), "{text}");
        }
    }

    #[test]
    fn seconds_are_taken_bare_and_with_units() {
        for (text, millis) in [
            ("1", 1000),
            ("0.2", 200),
            (".2", 200),
            ("200ms", 200),
            ("2m", 120_000),
            ("0", 0),
        ] {
            let expected = Ok(Duration::from_millis(millis));
            assert_eq!(read(text, Seconds::get), expected, "{text}");
        }
        for text in ["", ".", "..2", ".2.3", "-1", "x", "1x", "1.2.3", ".2s"] {
            assert!(text.parse::<Seconds>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_longest_duration_can_be_added_to_an_instant() {
        let longest = Duration::from_nanos(u64::MAX);
        assert!(std::time::Instant::now().checked_add(longest).is_some());
    }

    #[test]
    fn a_size_is_in_bytes_or_says_its_unit() {
        let table = [
            ("0", 0),
            ("64", 64),
            ("64B", 64),
            ("16k", 16 << 10),
            ("16K", 16 << 10),
            ("64KiB", 64 << 10),
            ("64kB", 64_000),
            ("64KB", 64_000),
            ("1M", 1 << 20),
            ("1MiB", 1 << 20),
            ("1MB", 1_000_000),
            ("2G", 2 << 30),
            ("2GiB", 2 << 30),
            ("2GB", 2_000_000_000),
            ("18446744073709551615", u64::MAX),
        ];
        for (text, bytes) in table {
            assert_eq!(read(text, Size::bytes), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn a_bad_size_is_told_why() {
        let form = "expected a size such as 4096, 64KiB or 10MB";
        let units = "expected B, K, M, G, KiB, MiB, GiB, kB, MB or GB";
        let table = [
            ("", form.to_string()),
            ("K", form.to_string()),
            ("-1", form.to_string()),
            ("1.5K", form.to_string()),
            ("1Kb", format!("unknown unit \"Kb\", {units}")),
            ("1 K", format!("unknown unit \" K\", {units}")),
            (
                "18446744073709551616",
                "too large, at most 2^64 - 1".to_string(),
            ),
            (
                "18446744073709551615K",
                "too large, at most 2^64 - 1".to_string(),
            ),
        ];
        for (text, why) in table {
            assert_eq!(read(text, Size::bytes), Err(why), "{text}");
        }
    }

    #[test]
    fn a_count_is_decimal_and_may_refuse_zero() {
        assert_eq!(read("0", Count::get), Ok(0));
        assert_eq!(read("10k", Count::get), Ok(10_000));
        assert_eq!(read("2M", Count::get), Ok(2_000_000));
        assert_eq!(read("2M", NonZeroCount::get), Ok(2_000_000));
        assert_eq!(read("7", NonZeroCount::as_usize), Ok(7));
        let refused = [
            ("0", "must not be zero"),
            ("0k", "must not be zero"),
            ("x", "expected a count such as 100, 10k or 2M"),
            ("1KiB", "unknown unit \"KiB\", expected k or M"),
            ("18446744073709551615M", "too large, at most 2^64 - 1"),
        ];
        for (text, why) in refused {
            assert_eq!(
                read(text, NonZeroCount::get),
                Err(why.to_string()),
                "{text}"
            );
        }
    }
}
