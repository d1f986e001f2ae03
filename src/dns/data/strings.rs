//! Strings: TXT and HINFO (RFC 1035 §3.3.14, §3.3.2).

use std::fmt::{self, Write};

use crate::dns::error::{DecodeError, Fault, TextError};
use crate::dns::reader::Reader;
use crate::dns::text::{Fields, MAX_STRING, write_quoted};
use crate::dns::writer::{Full, Writer};

/// One or more strings of at most 255 octets each: the data of TXT.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Strings {
    /// Each string after its length octet; at least one.
    wire: Box<[u8]>,
}

impl Strings {
    /// The data of these strings; `None` if there are none, if one is longer than 255 octets, or if
    /// all together take more than 65,535.
    pub fn new<S: AsRef<[u8]>>(strings: impl IntoIterator<Item = S>) -> Option<Self> {
        let mut wire = Vec::new();
        for string in strings {
            let string = string.as_ref();
            wire.push(u8::try_from(string.len()).ok()?);
            wire.extend_from_slice(string);
        }
        if wire.is_empty() || wire.len() > usize::from(u16::MAX) {
            return None;
        }
        Some(Self { wire: wire.into() })
    }

    /// The strings in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.wire[..];
        std::iter::from_fn(move || {
            let (length, after) = rest.split_first()?;
            let string = after.get(..usize::from(*length))?;
            rest = &after[string.len()..];
            Some(string)
        })
    }

    /// The strings joined without separators, as SPF and others read them (RFC 7208 §3.3).
    pub fn joined(&self) -> Vec<u8> {
        self.iter().flatten().copied().collect()
    }

    pub(super) fn wire(&self) -> &[u8] {
        &self.wire
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if r.left() == 0 {
            return Err(r.fail(Fault::NoString));
        }
        let mut check = r.clone();
        while check.left() > 0 {
            check.string()?;
        }
        Ok(Self {
            wire: r.rest().into(),
        })
    }

    pub(super) fn parse(f: &mut Fields<'_>) -> Result<Self, TextError> {
        let mut strings = vec![f.string("string")?];
        while f.left() > 0 {
            strings.push(f.string("string")?);
        }
        let count = strings.len();
        Self::new(strings).ok_or_else(|| {
            let why = "more than 65535 octets together".to_string();
            TextError::Field("strings", format!("{count} strings"), why)
        })
    }
}

impl fmt::Display for Strings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, string) in self.iter().enumerate() {
            if number > 0 {
                f.write_char(' ')?;
            }
            write_quoted(f, string)?;
        }
        Ok(())
    }
}

/// One string of at most 255 octets (RFC 1035 §3.3, `<character-string>`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CharacterString(Box<[u8]>);

impl CharacterString {
    /// A string of these octets; `None` if there are more than 255.
    pub fn new(octets: impl Into<Box<[u8]>>) -> Option<Self> {
        let octets = octets.into();
        (octets.len() <= MAX_STRING).then_some(Self(octets))
    }

    /// The octets.
    pub fn octets(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.string().map(|octets| Self(octets.into()))
    }

    pub(super) fn encode(&self, w: &mut Writer) -> Result<(), Full> {
        w.u8(self.0.len() as u8)?; // at most 255
        w.bytes(&self.0)
    }

    pub(super) fn parse(f: &mut Fields<'_>, what: &'static str) -> Result<Self, TextError> {
        f.string(what).map(|octets| Self(octets.into()))
    }
}

impl fmt::Display for CharacterString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_quoted(f, &self.0)
    }
}

/// CPU and operating system of a host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hinfo {
    /// The CPU.
    pub cpu: CharacterString,
    /// The operating system.
    pub os: CharacterString,
}

impl Hinfo {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            cpu: CharacterString::decode(r)?,
            os: CharacterString::decode(r)?,
        })
    }

    pub(super) fn encode(&self, w: &mut Writer) -> Result<(), Full> {
        self.cpu.encode(w)?;
        self.os.encode(w)
    }

    pub(super) fn parse(f: &mut Fields<'_>) -> Result<Self, TextError> {
        Ok(Self {
            cpu: CharacterString::parse(f, "CPU")?,
            os: CharacterString::parse(f, "operating system")?,
        })
    }
}

impl fmt::Display for Hinfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.cpu, self.os)
    }
}
