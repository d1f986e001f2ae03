//! Services: SRV (RFC 2782) and NAPTR (RFC 3403).
//!
//! Their names are not compressed on writing, but are expanded on reading, because old servers did
//! compress them (RFC 3597 §4).

use std::fmt;

use super::strings::CharacterString;
use crate::dns::error::{DecodeError, TextError};
use crate::dns::name::Name;
use crate::dns::reader::Reader;
use crate::dns::text::Fields;
use crate::dns::writer::{Full, Writer};

/// Where a service is offered. The target `.` says that it is not offered (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Srv {
    /// Lower is tried first.
    pub priority: u16,
    /// The share among records of the same priority.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host.
    pub target: Name,
}

impl Srv {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            priority: r.u16()?,
            weight: r.u16()?,
            port: r.u16()?,
            target: r.name()?,
        })
    }

    pub(super) fn encode(&self, w: &mut Writer) -> Result<(), Full> {
        w.u16(self.priority)?;
        w.u16(self.weight)?;
        w.u16(self.port)?;
        w.name_in_full(&self.target)
    }

    pub(super) fn parse(f: &mut Fields<'_>) -> Result<Self, TextError> {
        Ok(Self {
            priority: f.number("priority")?,
            weight: f.number("weight")?,
            port: f.number("port")?,
            target: f.name("target")?,
        })
    }
}

impl fmt::Display for Srv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.priority, self.weight)?;
        write!(f, "{} {}", self.port, self.target)
    }
}

/// A rewriting rule of the dynamic delegation discovery system.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Naptr {
    /// Rules are tried in this order.
    pub order: u16,
    /// The order among rules of the same `order`.
    pub preference: u16,
    /// What happens after this rule.
    pub flags: CharacterString,
    /// The service.
    pub services: CharacterString,
    /// The substitution.
    pub regexp: CharacterString,
    /// The next name to ask for.
    pub replacement: Name,
}

impl Naptr {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            order: r.u16()?,
            preference: r.u16()?,
            flags: CharacterString::decode(r)?,
            services: CharacterString::decode(r)?,
            regexp: CharacterString::decode(r)?,
            replacement: r.name()?,
        })
    }

    pub(super) fn encode(&self, w: &mut Writer) -> Result<(), Full> {
        w.u16(self.order)?;
        w.u16(self.preference)?;
        self.flags.encode(w)?;
        self.services.encode(w)?;
        self.regexp.encode(w)?;
        w.name_in_full(&self.replacement)
    }

    pub(super) fn parse(f: &mut Fields<'_>) -> Result<Self, TextError> {
        Ok(Self {
            order: f.number("order")?,
            preference: f.number("preference")?,
            flags: CharacterString::parse(f, "flags")?,
            services: CharacterString::parse(f, "services")?,
            regexp: CharacterString::parse(f, "regexp")?,
            replacement: f.name("replacement")?,
        })
    }
}

impl fmt::Display for Naptr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.order, self.preference)?;
        write!(f, " {} {}", self.flags, self.services)?;
        write!(f, " {} {}", self.regexp, self.replacement)
    }
}
