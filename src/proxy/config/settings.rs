//! Values of each kind: read from a line, and shown in the form of a line.
//!
//! A [`Setting`] is a field of the configuration that one word sets. Reading and showing are side
//! by side here, so that what `--check-config` prints reads as the same configuration.

use std::fmt::Display;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use super::address::host_port;
use super::lines::quote;
use crate::cli::{Count, DurationArg, Size, ValueError};
use crate::net::{HostPort, Prefix};

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Things: `100`, `10k`.
    Things,
    /// Bytes: `4096`, `16KiB`.
    Bytes,
}

/// A field that one word sets.
pub(super) trait Setting {
    /// Takes the values of a line; the error says why they are wrong.
    fn set(&mut self, values: &[String], unit: Unit) -> Result<(), String>;

    /// The values to show after the word: one text for each line needed.
    fn show(&self, unit: Unit) -> Vec<String>;

    /// Whether it is a number that is zero.
    fn is_zero(&self) -> bool {
        false
    }
}

/// A value that is one word of a fixed form, and is shown as it is read.
pub(super) trait Choice: FromStr<Err: Display> + Display {}

impl Choice for String {}

/// A value that may be given many times.
pub(super) trait Item: Sized + Display {
    /// Reads the values of one line.
    fn read(values: &[String]) -> Result<Self, String>;
}

impl<T: Choice> Setting for T {
    fn set(&mut self, values: &[String], _: Unit) -> Result<(), String> {
        *self = parsed(values)?;
        Ok(())
    }

    fn show(&self, _: Unit) -> Vec<String> {
        vec![quote(&self.to_string())]
    }
}

impl<T: Choice> Setting for Option<T> {
    fn set(&mut self, values: &[String], _: Unit) -> Result<(), String> {
        *self = match one(values)? {
            "off" => None,
            _ => Some(parsed(values)?),
        };
        Ok(())
    }

    fn show(&self, _: Unit) -> Vec<String> {
        vec![
            self.as_ref()
                .map_or("off".into(), |value| quote(&value.to_string())),
        ]
    }
}

impl<T: Item> Setting for Vec<T> {
    fn set(&mut self, values: &[String], _: Unit) -> Result<(), String> {
        self.push(T::read(values)?);
        Ok(())
    }

    fn show(&self, _: Unit) -> Vec<String> {
        self.iter().map(T::to_string).collect()
    }
}

impl Setting for bool {
    fn set(&mut self, values: &[String], _: Unit) -> Result<(), String> {
        *self = true;
        match values {
            [] => Ok(()),
            _ => Err("takes no value".into()),
        }
    }

    fn show(&self, _: Unit) -> Vec<String> {
        self.then(String::new).into_iter().collect()
    }
}

impl Setting for Duration {
    fn set(&mut self, values: &[String], _: Unit) -> Result<(), String> {
        *self = parsed::<DurationArg>(values)?.get();
        Ok(())
    }

    fn show(&self, _: Unit) -> Vec<String> {
        vec![duration(*self)]
    }

    fn is_zero(&self) -> bool {
        Duration::is_zero(self)
    }
}

impl Setting for usize {
    fn set(&mut self, values: &[String], unit: Unit) -> Result<(), String> {
        *self = number(values, unit)?;
        Ok(())
    }

    fn show(&self, unit: Unit) -> Vec<String> {
        vec![scaled(*self as u64, unit)]
    }

    fn is_zero(&self) -> bool {
        *self == 0
    }
}

impl Setting for u32 {
    fn set(&mut self, values: &[String], unit: Unit) -> Result<(), String> {
        *self = number(values, unit)?;
        Ok(())
    }

    fn show(&self, unit: Unit) -> Vec<String> {
        vec![scaled(u64::from(*self), unit)]
    }

    fn is_zero(&self) -> bool {
        *self == 0
    }
}

/// A limit; 0 means none.
impl Setting for Option<usize> {
    fn set(&mut self, values: &[String], unit: Unit) -> Result<(), String> {
        *self = Some(number(values, unit)?).filter(|number| *number > 0);
        Ok(())
    }

    fn show(&self, unit: Unit) -> Vec<String> {
        self.unwrap_or_default().show(unit)
    }
}

/// A limit; 0 means none.
impl Setting for Option<u32> {
    fn set(&mut self, values: &[String], unit: Unit) -> Result<(), String> {
        *self = Some(number(values, unit)?).filter(|number| *number > 0);
        Ok(())
    }

    fn show(&self, unit: Unit) -> Vec<String> {
        self.unwrap_or_default().show(unit)
    }
}

/// A limit; 0 means none.
impl Setting for Option<u64> {
    fn set(&mut self, values: &[String], unit: Unit) -> Result<(), String> {
        *self = Some(number(values, unit)?).filter(|number| *number > 0);
        Ok(())
    }

    fn show(&self, unit: Unit) -> Vec<String> {
        vec![scaled(self.unwrap_or_default(), unit)]
    }
}

impl Item for Prefix {
    fn read(values: &[String]) -> Result<Prefix, String> {
        parsed(values)
    }
}

impl Item for SocketAddr {
    fn read(values: &[String]) -> Result<SocketAddr, String> {
        one(values)?
            .parse()
            .map_err(|_| "must be ADDRESS:PORT, as 192.0.2.53:53".to_string())
    }
}

impl Item for HostPort {
    fn read(values: &[String]) -> Result<HostPort, String> {
        host_port(one(values)?)
    }
}

/// The only value of a line.
fn one(values: &[String]) -> Result<&str, String> {
    match values {
        [value] => Ok(value),
        [] => Err("needs a value".into()),
        _ => Err("takes one value".into()),
    }
}

fn parsed<T: FromStr<Err: Display>>(values: &[String]) -> Result<T, String> {
    one(values)?.parse().map_err(|why: T::Err| why.to_string())
}

fn number<T: TryFrom<u64>>(values: &[String], unit: Unit) -> Result<T, String> {
    let number = match unit {
        Unit::Things => parsed::<Count>(values)?.get(),
        Unit::Bytes => parsed::<Size>(values)?.bytes(),
    };
    // Only a u32 can be too small for the number that was read.
    let most = ValueError::TooLarge { most: "2^32 - 1" };
    T::try_from(number).map_err(|_| most.to_string())
}

/// The number in the largest unit that divides it.
fn scaled(number: u64, unit: Unit) -> String {
    let units = match unit {
        Unit::Things => return number.to_string(),
        Unit::Bytes => [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)],
    };
    let fits = |(_, size): &&(&str, u64)| number > 0 && number % size == 0;
    match units.iter().find(fits) {
        Some((name, size)) => format!("{}{name}", number / size),
        None => number.to_string(),
    }
}

/// The duration in the largest unit that divides it; below a microsecond, with decimals.
fn duration(time: Duration) -> String {
    let nanos = time.as_nanos();
    let units = [
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
    ];
    if nanos == 0 {
        return "0".into();
    }
    match units.iter().find(|(_, size)| nanos % size == 0) {
        Some((name, size)) => format!("{}{name}", nanos / size),
        None => format!("{}.{:03}us", nanos / 1000, nanos % 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(values: &str) -> Vec<String> {
        values.split_whitespace().map(str::to_string).collect()
    }

    fn read<T: Setting>(mut slot: T, values: &str, unit: Unit) -> Result<String, String> {
        slot.set(&line(values), unit)?;
        Ok(slot.show(unit).join(","))
    }

    #[test]
    fn a_value_is_shown_in_its_largest_whole_unit() {
        let table = [
            ("0", "0"),
            ("1000us", "1ms"),
            ("90s", "90s"),
            ("120s", "2m"),
            ("1.5h", "90m"),
            ("1.5us", "1.500us"),
            ("0.001us", "0.001us"),
        ];
        for (values, shown) in table {
            assert_eq!(read(Duration::ZERO, values, Unit::Things), Ok(shown.into()));
            assert_eq!(read(Duration::ZERO, shown, Unit::Things), Ok(shown.into()));
        }
        assert_eq!(read(0_usize, "10k", Unit::Things), Ok("10000".into()));
        assert_eq!(read(0_usize, "10k", Unit::Bytes), Ok("10KiB".into()));
        assert_eq!(read(0_usize, "10kB", Unit::Bytes), Ok("10000".into()));
        assert_eq!(read(None::<u64>, "3GiB", Unit::Bytes), Ok("3GiB".into()));
        assert_eq!(read(None::<usize>, "0", Unit::Things), Ok("0".into()));
    }

    #[test]
    fn a_value_of_the_wrong_kind_or_number_is_refused() {
        let things = Unit::Things;
        let table = [
            (
                read(Duration::ZERO, "5", things),
                "needs a unit: us, ms, s, m or h",
            ),
            (read(0_usize, "", things), "needs a value"),
            (read(0_usize, "1 2", things), "takes one value"),
            (read(0_u32, "5000M", things), "too large, at most 2^32 - 1"),
            (read(false, "on", things), "takes no value"),
            (
                read(Vec::<SocketAddr>::new(), "a:1", things),
                "must be ADDRESS:PORT, as 192.0.2.53:53",
            ),
        ];
        for (found, why) in table {
            assert_eq!(found, Err(why.to_string()));
        }
    }
}
