//! Whole numbers with a sign and a magnitude, for the calculator. Pure.

use std::fmt;
use std::str::FromStr;

crate::wire! {
    /// A whole number whose magnitude has 64 bits: its range is twice that of an `i64`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Signed {
        /// Below zero. A zero made here never is. A peer may send a negative one; its value is
        /// zero.
        negative: bool,
        /// The distance from zero.
        magnitude: u64,
    }
}

impl Signed {
    /// The sum, unless its magnitude is beyond 64 bits.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        Self::of(self.value() + other.value())
    }

    /// The difference, unless its magnitude is beyond 64 bits.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        Self::of(self.value() - other.value())
    }

    fn of(value: i128) -> Option<Self> {
        let magnitude = u64::try_from(value.unsigned_abs()).ok()?;
        Some(Self {
            negative: value < 0,
            magnitude,
        })
    }

    /// Uses 65 of the bits, so a sum of two does not overflow.
    fn value(self) -> i128 {
        let magnitude = i128::from(self.magnitude);
        if self.negative { -magnitude } else { magnitude }
    }
}

impl From<i64> for Signed {
    fn from(value: i64) -> Self {
        Self {
            negative: value < 0,
            magnitude: value.unsigned_abs(),
        }
    }
}

/// Why a text is not a [`Signed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSigned {
    /// The text is not decimal digits with an optional sign.
    NoNumber,
    /// The number is above 18446744073709551615, not counting the sign.
    TooLarge,
}

impl fmt::Display for NotSigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNumber => f.write_str("not a whole number"),
            Self::TooLarge => write!(f, "its magnitude is above {}", u64::MAX),
        }
    }
}

impl std::error::Error for NotSigned {}

impl FromStr for Signed {
    type Err = NotSigned;

    fn from_str(text: &str) -> Result<Self, NotSigned> {
        let (minus, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(NotSigned::NoNumber);
        }
        let magnitude = digits.parse().map_err(|_| NotSigned::TooLarge)?;
        Ok(Self {
            negative: minus && magnitude != 0,
            magnitude,
        })
    }
}

impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(text: &str) -> Signed {
        text.parse().unwrap()
    }

    const MOST: &str = "18446744073709551615";
    const LEAST: &str = "-18446744073709551615";

    #[test]
    fn sums_and_differences_are_those_of_numbers() {
        let table = [
            ("-17", "18", Some("1"), Some("-35")),
            ("17", "-17", Some("0"), Some("34")),
            ("-17", "-17", Some("-34"), Some("0")),
            ("0", "0", Some("0"), Some("0")),
            (MOST, "1", None, Some("18446744073709551614")),
            (LEAST, "1", Some("-18446744073709551614"), None),
            (MOST, LEAST, Some("0"), None),
            (MOST, MOST, None, Some("0")),
        ];
        for (a, b, sum, difference) in table {
            let text = |result: Option<Signed>| result.map(|number| number.to_string());
            let (a, b) = (signed(a), signed(b));
            assert_eq!(text(a.checked_add(b)).as_deref(), sum, "{a} + {b}");
            assert_eq!(text(a.checked_sub(b)).as_deref(), difference, "{a} - {b}");
        }
    }

    #[test]
    fn a_text_is_a_sign_and_digits_and_zero_has_no_sign() {
        for (text, printed) in [("-0", "0"), ("+5", "5"), ("-007", "-7"), (LEAST, LEAST)] {
            assert_eq!(signed(text).to_string(), printed);
        }
        assert_eq!(signed("-0"), signed("0"));
        assert_eq!(Signed::from(i64::MIN), signed("-9223372036854775808"));
        for wrong in ["", "-", "+-1", "--1", "1 ", "0x1", "1.5", "٣"] {
            assert_eq!(wrong.parse::<Signed>(), Err(NotSigned::NoNumber), "{wrong}");
        }
        let beyond = "-18446744073709551616".parse::<Signed>();
        assert_eq!(beyond, Err(NotSigned::TooLarge));
    }

    #[test]
    fn a_negative_zero_from_a_peer_is_a_zero() {
        let zero = Signed {
            negative: true,
            magnitude: 0,
        };
        assert_eq!(zero.to_string(), "0");
        assert_eq!(zero.checked_add(zero), Some(Signed::default()));
    }
}
