//! SOA: the start of a zone, its version and its times (RFC 1035 §3.3.13, RFC 2308 §4).

use std::fmt;

use crate::dns::error::{DecodeError, TextError};
use crate::dns::name::Name;
use crate::dns::reader::Reader;
use crate::dns::text::Fields;
use crate::dns::writer::{Full, Writer};

/// The start of a zone. Times are in seconds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Soa {
    /// MNAME: the primary name server of the zone.
    pub primary: Name,
    /// RNAME: the mailbox of the person responsible; its first label is the part before the `@`.
    pub mailbox: Name,
    /// The version of the zone, compared modulo 2^32 (RFC 1982).
    pub serial: u32,
    /// How long until secondaries look for a new version.
    pub refresh: u32,
    /// How long until they try again if that failed.
    pub retry: u32,
    /// How long without an answer until they stop serving the zone.
    pub expire: u32,
    /// How long a negative answer may be kept; the TTL is the upper limit (RFC 2308 §4).
    pub minimum: u32,
}

impl Soa {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            primary: r.name()?,
            mailbox: r.name()?,
            serial: r.u32()?,
            refresh: r.u32()?,
            retry: r.u32()?,
            expire: r.u32()?,
            minimum: r.u32()?,
        })
    }

    pub(super) fn encode(&self, w: &mut Writer) -> Result<(), Full> {
        w.name(&self.primary)?;
        w.name(&self.mailbox)?;
        w.u32(self.serial)?;
        w.u32(self.refresh)?;
        w.u32(self.retry)?;
        w.u32(self.expire)?;
        w.u32(self.minimum)
    }

    pub(super) fn parse(f: &mut Fields<'_>) -> Result<Self, TextError> {
        Ok(Self {
            primary: f.name("primary name server")?,
            mailbox: f.name("mailbox")?,
            serial: f.number("serial")?,
            refresh: f.seconds("refresh")?,
            retry: f.seconds("retry")?,
            expire: f.seconds("expire")?,
            minimum: f.seconds("minimum")?,
        })
    }
}

impl fmt::Display for Soa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.primary, self.mailbox, self.serial)?;
        write!(f, " {} {}", self.refresh, self.retry)?;
        write!(f, " {} {}", self.expire, self.minimum)
    }
}
