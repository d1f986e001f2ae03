//! What a command may be called.
//!
//! Few bytes are allowed, on purpose: a name appears in logs, in error replies and on terminals,
//! where a space, a control character or a letter that looks like another one does harm.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

/// The longest name, in bytes.
pub const MAX_NAME: usize = 64;

/// A command's name: 1 to 64 bytes of `A-Z a-z 0-9 . _ -`. Upper and lower case differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<str>);

/// Why some bytes are not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadName {
    /// The name is empty.
    Empty,
    /// More than [`MAX_NAME`] bytes.
    TooLong,
    /// A byte that no name has.
    Byte {
        /// Its place, from 0.
        at: usize,
        /// The byte.
        byte: u8,
    },
}

impl Name {
    /// The name that these bytes are.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadName> {
        if bytes.is_empty() {
            return Err(BadName::Empty);
        }
        let head = bytes.get(..MAX_NAME).unwrap_or(bytes);
        if let Some(at) = head.iter().position(|byte| !is_allowed(*byte)) {
            let byte = head.get(at).copied().unwrap_or_default();
            return Err(BadName::Byte { at, byte });
        }
        match std::str::from_utf8(bytes) {
            Ok(text) if text.len() <= MAX_NAME => Ok(Self(text.into())),
            _ => Err(BadName::TooLong),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

impl BadName {
    /// The first byte that is wrong, from 0.
    pub fn offset(&self) -> usize {
        match self {
            BadName::Empty => 0,
            BadName::TooLong => MAX_NAME,
            BadName::Byte { at, .. } => *at,
        }
    }
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadName::Empty => f.write_str("a command has a name"),
            BadName::TooLong => write!(f, "a command's name has at most {MAX_NAME} bytes"),
            BadName::Byte { byte, .. } if byte.is_ascii_graphic() || *byte == b' ' => {
                write!(f, "'{}' in a command's name", char::from(*byte))
            }
            BadName::Byte { byte, .. } => write!(f, "0x{byte:02x} in a command's name"),
        }
    }
}

impl std::error::Error for BadName {}

impl FromStr for Name {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        Self::parse(text.as_bytes())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_1_to_64_bytes_of_few_kinds() {
        let longest = "x".repeat(MAX_NAME);
        for good in ["STRING", "a", "0", ".", "v1.get_all-now", &longest] {
            assert_eq!(Name::parse(good.as_bytes()).unwrap().as_str(), good);
        }
        let too_long = "x".repeat(MAX_NAME + 1);
        let cases: [(&[u8], BadName); 8] = [
            (b"", BadName::Empty),
            (too_long.as_bytes(), BadName::TooLong),
            (b"GET /", BadName::Byte { at: 3, byte: b' ' }),
            (b" A", BadName::Byte { at: 0, byte: b' ' }),
            (b"A\r", BadName::Byte { at: 1, byte: b'\r' }),
            (b"A\0", BadName::Byte { at: 1, byte: 0 }),
            ("é".as_bytes(), BadName::Byte { at: 0, byte: 0xc3 }),
            (b"\x16\x03\x01", BadName::Byte { at: 0, byte: 0x16 }),
        ];
        for (bytes, why) in cases {
            assert_eq!(Name::parse(bytes), Err(why), "{bytes:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_name_is_told_without_control_characters() {
        let told = |bytes: &[u8]| Name::parse(bytes).unwrap_err().to_string();
        assert_eq!(told(b"GET /"), "' ' in a command's name");
        assert_eq!(told(b"\x1b[31m"), "0x1b in a command's name");
        assert_eq!(told(b""), "a command has a name");
        assert_eq!(told(&[b'x'; 65]), "a command's name has at most 64 bytes");
    }
}
