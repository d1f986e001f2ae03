//! Types without a form of their own here: octets, kept and written as they came (RFC 3597).
//!
//! Pointers in unknown RDATA mean nothing outside their message and must not be followed. Types
//! that RFC 1035 and its contemporaries defined with names in them are the exception (RFC 3597 §4):
//! their names are expanded, so that the octets can be copied into another message.

use std::fmt;

use super::{Data, MAX_RDATA};
use crate::dns::code::{Class, RecordType};
use crate::dns::error::{DecodeError, TextError};
use crate::dns::reader::Reader;
use crate::dns::text::{Fields, field, write_hex};

/// The octets of a record's data.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Opaque {
    kind: RecordType,
    bytes: Box<[u8]>,
}

/// A part of the RDATA of an old type that has names in it.
enum Part {
    Octets(usize),
    Name,
    Rest,
}

impl Opaque {
    /// Data of a type; `None` if there are more than 65,535 octets. A type with a form of its own
    /// cannot be written this way:
    /// [`EncodeError::NotOfClass`](crate::dns::EncodeError::NotOfClass).
    pub fn new(kind: RecordType, bytes: impl Into<Box<[u8]>>) -> Option<Self> {
        let bytes = bytes.into();
        (bytes.len() <= MAX_RDATA).then_some(Self { kind, bytes })
    }

    /// The type of the record.
    pub fn kind(&self) -> RecordType {
        self.kind
    }

    /// The octets.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// All octets that are left, unchanged.
    pub(super) fn rest(kind: RecordType, r: &mut Reader<'_>) -> Self {
        let bytes = r.rest().into();
        Self { kind, bytes }
    }

    pub(super) fn decode(kind: RecordType, r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let parts: &[Part] = match kind {
            RecordType::MD | RecordType::MF | RecordType::MB | RecordType::MG | RecordType::MR => {
                &[Part::Name]
            }
            RecordType::MINFO | RecordType::RP => &[Part::Name, Part::Name],
            RecordType::AFSDB | RecordType::RT => &[Part::Octets(2), Part::Name],
            RecordType::PX => &[Part::Octets(2), Part::Name, Part::Name],
            RecordType::SIG => &[Part::Octets(18), Part::Name, Part::Rest],
            RecordType::NXT => &[Part::Name, Part::Rest],
            _ => return Ok(Self::rest(kind, r)),
        };
        let mut bytes = Vec::new();
        for part in parts {
            match part {
                Part::Octets(count) => bytes.extend(r.bytes(*count)?),
                Part::Name => bytes.extend(r.name()?.wire()),
                Part::Rest => bytes.extend(r.rest()),
            }
        }
        let bytes = bytes.into();
        Ok(Self { kind, bytes })
    }

    /// Reads `\# LENGTH HEX`; octets of a type with a form of its own become that form.
    pub(super) fn parse_generic(kind: RecordType, f: &mut Fields<'_>) -> Result<Data, TextError> {
        f.token("\\#")?;
        let length_token = f.peek().cloned();
        let length: u16 = f.number("length of the data")?;
        let bytes = match length {
            0 => Vec::new(),
            _ => f.hex("data")?,
        };
        f.finish()?;
        let wrong = |why: String| match &length_token {
            Some(token) => field("length of the data", token, why),
            None => TextError::Missing("length of the data"),
        };
        if bytes.len() != usize::from(length) {
            return Err(wrong(format!("{} octets follow", bytes.len())));
        }
        let mut rdata = Reader::alone(&bytes);
        let decoded = rdata.within(bytes.len(), |r| Data::decode(kind, Class::IN, r));
        decoded.map_err(|error| wrong(format!("not the data of {kind}: {error}")))
    }

    /// The error that a type can be written in the generic form only.
    pub(super) fn needs_generic(kind: RecordType, f: &mut Fields<'_>) -> TextError {
        match f.token("data") {
            Ok(token) => field(
                "data",
                token,
                format!("{kind} is written \\# LENGTH HEX here"),
            ),
            Err(missing) => missing,
        }
    }
}

impl fmt::Display for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_generic(f, &self.bytes)
    }
}

/// Writes `\# LENGTH HEX`.
pub(super) fn write_generic(f: &mut fmt::Formatter<'_>, octets: &[u8]) -> fmt::Result {
    write!(f, "\\# {}", octets.len())?;
    if octets.is_empty() {
        return Ok(());
    }
    f.write_str(" ")?;
    write_hex(f, octets)
}
