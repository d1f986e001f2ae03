//! The text of a record's data: tokens, and the cursor that reads fields from them.
//!
//! `zone/lexer.rs` cuts a zone file into tokens; here a token becomes a number, a name or a string
//! (RFC 1035 §5.1). A token still has its escapes, because `"a\.b"` means one thing in a string and
//! another in a name.

use std::fmt::{self, Write};
use std::str::FromStr;

use super::error::TextError;
use super::name::Name;
use super::name_text::unescape;

/// The longest `<character-string>`, in octets (RFC 1035 §3.3).
pub const MAX_STRING: usize = 255;

/// A word of a zone file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its text as written, with escapes and without quotation marks.
    pub text: String,
    /// Whether it was in quotation marks.
    pub quoted: bool,
}

/// A cursor over the tokens of a record's data.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    tokens: &'a [Token],
    origin: Option<&'a Name>,
}

impl<'a> Fields<'a> {
    /// Reads from these tokens; relative names are completed with `origin`.
    pub fn new(tokens: &'a [Token], origin: Option<&'a Name>) -> Self {
        Self { tokens, origin }
    }

    /// How many tokens are left.
    pub fn left(&self) -> usize {
        self.tokens.len()
    }

    /// The next token, which stays.
    pub fn peek(&self) -> Option<&'a Token> {
        self.tokens.first()
    }

    /// Takes the next token as it is.
    pub fn token(&mut self, what: &'static str) -> Result<&'a Token, TextError> {
        let (first, rest) = self.tokens.split_first().ok_or(TextError::Missing(what))?;
        self.tokens = rest;
        Ok(first)
    }

    /// Takes a name.
    pub fn name(&mut self, what: &'static str) -> Result<Name, TextError> {
        let token = self.token(what)?;
        let name = Name::parse_under(&token.text, self.origin);
        name.map_err(|error| field(what, token, error))
    }

    /// Takes a decimal number of 8, 16 or 32 bits, without a sign.
    pub fn number<N: TryFrom<u32>>(&mut self, what: &'static str) -> Result<N, TextError> {
        let token = self.token(what)?;
        // `parse` would accept a plus sign.
        let digits = Some(&token.text).filter(|t| t.bytes().all(|octet| octet.is_ascii_digit()));
        let number = digits.and_then(|digits| digits.parse::<u32>().ok());
        if let Some(number) = number.and_then(|number| N::try_from(number).ok()) {
            return Ok(number);
        }
        let largest = u32::MAX >> (32 - 8 * size_of::<N>().clamp(1, 4));
        Err(field(
            what,
            token,
            format!("not a number of 0 to {largest}"),
        ))
    }

    /// Takes a number of seconds, plain or with units: `3600`, `1h30m`, `1w`.
    pub fn seconds(&mut self, what: &'static str) -> Result<u32, TextError> {
        let token = self.token(what)?;
        parse_seconds(&token.text)
            .ok_or_else(|| field(what, token, "not a time of 0 to 4294967295 seconds"))
    }

    /// Takes a value that std or this crate can parse.
    pub fn parsed<V: FromStr<Err: fmt::Display>>(
        &mut self,
        what: &'static str,
    ) -> Result<V, TextError> {
        let token = self.token(what)?;
        let value = token.text.parse();
        value.map_err(|error: V::Err| field(what, token, error))
    }

    /// Takes a string of at most 255 octets.
    pub fn string(&mut self, what: &'static str) -> Result<Vec<u8>, TextError> {
        let token = self.token(what)?;
        let octets = unescaped(&token.text).ok_or_else(|| {
            field(
                what,
                token,
                "backslash must stand before a character or three digits up to 255",
            )
        })?;
        match octets.len() {
            0..=MAX_STRING => Ok(octets),
            more => Err(field(
                what,
                token,
                format!("{more} octets, {MAX_STRING} are allowed"),
            )),
        }
    }

    /// Takes all tokens that are left as hexadecimal digits, which may be split by white space.
    pub fn hex(&mut self, what: &'static str) -> Result<Vec<u8>, TextError> {
        let Some(first) = self.peek() else {
            return Err(TextError::Missing(what));
        };
        let mut octets = Vec::new();
        let mut high = None;
        for token in std::mem::take(&mut self.tokens) {
            for letter in token.text.chars() {
                let digit = letter
                    .to_digit(16)
                    .ok_or_else(|| field(what, token, "not hexadecimal"))?;
                match high.take() {
                    None => high = Some(digit),
                    Some(high) => octets.push((high << 4 | digit) as u8),
                }
            }
        }
        match high {
            None => Ok(octets),
            Some(_) => Err(field(what, first, "odd number of hexadecimal digits")),
        }
    }

    /// An error if tokens are left.
    pub fn finish(&self) -> Result<(), TextError> {
        match self.tokens.first() {
            None => Ok(()),
            Some(token) => Err(TextError::TooMany(token.text.clone())),
        }
    }
}

/// The error for a token that could not be read.
pub(super) fn field(what: &'static str, token: &Token, why: impl fmt::Display) -> TextError {
    TextError::Field(what, token.text.clone(), why.to_string())
}

/// Reads seconds, plain or as numbers with the units w, d, h, m, s, as BIND and others do.
pub(super) fn parse_seconds(text: &str) -> Option<u32> {
    let mut total = 0u64;
    let mut number: Option<u64> = None;
    for letter in text.chars() {
        if let Some(digit) = letter.to_digit(10) {
            let value = number.unwrap_or(0) * 10 + u64::from(digit);
            number = Some(value).filter(|value| *value <= u64::from(u32::MAX));
            number?;
            continue;
        }
        let unit = match letter.to_ascii_lowercase() {
            'w' => 604_800,
            'd' => 86_400,
            'h' => 3_600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        total = total.checked_add(number.take()? * unit)?;
    }
    // `3600` has a number and no unit; `1h30` is refused, as BIND does.
    match number {
        Some(plain) if total == 0 && text.bytes().all(|octet| octet.is_ascii_digit()) => {
            u32::try_from(plain).ok()
        }
        Some(_) => None,
        None if text.is_empty() => None,
        None => u32::try_from(total).ok(),
    }
}

/// The octets that a token's text stands for.
pub(super) fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'\\' => unescape(&mut rest).ok()?,
            other => other,
        });
    }
    Some(octets)
}

/// Writes a string in quotation marks, with what is not printable ASCII as `\DDD`.
pub(super) fn write_quoted(f: &mut fmt::Formatter<'_>, string: &[u8]) -> fmt::Result {
    f.write_char('"')?;
    for octet in string {
        match octet {
            b'"' | b'\\' => write!(f, "\\{}", char::from(*octet))?,
            0x20..=0x7e => f.write_char(char::from(*octet))?,
            other => write!(f, "\\{other:03}")?,
        }
    }
    f.write_char('"')
}

/// Writes octets as hexadecimal digits, capital ones as other tools do.
pub(super) fn write_hex(f: &mut fmt::Formatter<'_>, octets: &[u8]) -> fmt::Result {
    octets.iter().try_for_each(|octet| write!(f, "{octet:02X}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_read_with_units_and_refused_beyond_32_bits() {
        for (text, seconds) in [
            ("0", Some(0)),
            ("3600", Some(3600)),
            ("1h30m", Some(5400)),
            ("1W2d", Some(777_600)),
            ("90s", Some(90)),
            ("4294967295", Some(u32::MAX)),
            ("4294967296", None),
            ("7102w", None),
            ("1h30", None),
            ("h", None),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1x", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(parse_seconds(text), seconds, "{text:?}");
        }
    }

    #[test]
    fn numbers_have_no_sign_and_stay_in_their_range() {
        let read = |text: &str| {
            let tokens = [Token {
                text: text.into(),
                quoted: false,
            }];
            Fields::new(&tokens, None).number::<u16>("port")
        };
        assert_eq!(read("65535"), Ok(65535));
        for bad in ["65536", "+1", "-1", "", "0x10", "1 "] {
            let error = read(bad).unwrap_err().to_string();
            assert_eq!(error, format!("port {bad:?}: not a number of 0 to 65535"));
        }
    }
}
