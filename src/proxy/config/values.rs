//! Values that one word of a line gives: a choice of names, or a text of a certain form.

use std::fmt;
use std::str::FromStr;

use super::address::ListenAddress;
use super::settings::Choice;
use crate::http::octets::is_token;
use crate::proxy::access_log::Format;
use crate::proxy::balance::Algorithm;
use crate::proxy::proxy_protocol::Version;

/// What happens to the `X-Forwarded-*` fields of a trusted peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardedFor {
    /// They are replaced, like those of any other peer.
    Set,
    /// The peer's address is appended to `X-Forwarded-For`; the others are kept.
    Append,
    /// They are kept as they are.
    Keep,
}

impl ForwardedFor {
    const NAMES: [(&str, ForwardedFor); 3] = [
        ("set", ForwardedFor::Set),
        ("append", ForwardedFor::Append),
        ("keep", ForwardedFor::Keep),
    ];
}

impl FromStr for ForwardedFor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let row = Self::NAMES.iter().find(|(name, _)| *name == text);
        row.map(|(_, value)| *value)
            .ok_or("must be set, append or keep")
    }
}

impl fmt::Display for ForwardedFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = Self::NAMES.iter().find(|(_, value)| value == self);
        f.write_str(row.map_or("", |(name, _)| name))
    }
}

/// Where the lines of the access log go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// Standard output.
    Stdout,
    /// The end of the file at this path.
    Path(String),
}

impl FromStr for LogTarget {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "" => Err("must be a file, - or off"),
            "-" => Ok(LogTarget::Stdout),
            path => Ok(LogTarget::Path(path.into())),
        }
    }
}

impl fmt::Display for LogTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LogTarget::Stdout => "-",
            LogTarget::Path(path) => path,
        })
    }
}

/// A name in a `Via` field: a pseudonym (RFC 9110 §7.6.3), which is a token (§5.6.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pseudonym(String);

impl Pseudonym {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Pseudonym {
    fn default() -> Self {
        Pseudonym("groundwire".into())
    }
}

impl FromStr for Pseudonym {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.len() <= 64 && is_token(text.as_bytes()) {
            true => Ok(Pseudonym(text.into())),
            false => Err("must be a token of at most 64 letters, digits and marks, or off"),
        }
    }
}

impl fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Choice for Algorithm {}
impl Choice for ForwardedFor {}
impl Choice for Format {}
impl Choice for ListenAddress {}
impl Choice for LogTarget {}
impl Choice for Pseudonym {}
impl Choice for Version {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_shown_as_it_is_read() {
        for text in ["set", "append", "keep"] {
            assert_eq!(text.parse::<ForwardedFor>().unwrap().to_string(), text);
        }
        for text in ["-", "/var/log/a"] {
            assert_eq!(text.parse::<LogTarget>().unwrap().to_string(), text);
        }
        assert_eq!("a.b-1".parse::<Pseudonym>().unwrap().as_str(), "a.b-1");
    }

    #[test]
    fn a_pseudonym_cannot_break_the_field() {
        for text in ["", "a b", "a,b", "a\r\nX: y", "(a)", "é"] {
            assert!(text.parse::<Pseudonym>().is_err(), "{text}");
        }
        assert!("x".repeat(65).parse::<Pseudonym>().is_err());
    }
}
