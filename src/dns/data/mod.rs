//! The data of records (RDATA): a type for each, with its octets and its text, both ways.
//!
//! | file | records | source |
//! |---|---|---|
//! | `mod.rs` | A, AAAA, NS, CNAME, PTR, DNAME, MX | RFC 1035 §3.3, §3.4.1, 3596, 6672 |
//! | `soa.rs` | SOA | RFC 1035 §3.3.13 |
//! | `strings.rs` | TXT, HINFO | RFC 1035 §3.3.2, §3.3.14 |
//! | `service.rs` | SRV, NAPTR | RFC 2782, 3403 |
//! | `svcb.rs` | SVCB, HTTPS | RFC 9460 |
//! | `security.rs` | CAA, TLSA, SSHFP, DS | RFC 8659, 6698, 4255, 4034 |
//! | `opaque.rs` | all others | RFC 3597 |
//!
//! *Compression.* Names in the types of RFC 1035 are written compressed, in later types never. On
//! reading, names in later types are expanded only where RFC 3597 §4 asks for it. *Classes.* A and
//! AAAA mean addresses in class IN only. In NONE and ANY, records are the conditions and deletions
//! of an update, mostly without data (RFC 2136 §2.4, §2.5): octets of whatever type.
//!
//! To add a record type: 1. a variant here, with its type in [`Data::kind`]; 2. its four verbs,
//! `decode`, `encode`, `parse`, `Display`, in a file of its topic; 3. a line in each `match` below;
//! 4. a row in the table of the tests.

mod opaque;
mod security;
mod service;
mod soa;
mod strings;
mod svcb;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use opaque::Opaque;
pub use security::{Caa, Ds, Sshfp, Tlsa};
pub use service::{Naptr, Srv};
pub use soa::Soa;
pub use strings::{CharacterString, Hinfo, Strings};
pub use svcb::{Parameter, Svcb};

use super::code::{Class, RecordType};
use super::error::{DecodeError, TextError};
use super::name::Name;
use super::reader::Reader;
use super::text::Fields;
use super::writer::{Full, Writer};

/// The longest RDATA, in octets: the most that RDLENGTH can express (RFC 1035 §3.2.1).
pub const MAX_RDATA: usize = 65_535;

/// The data of a record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Data {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// A name server of the zone that begins here.
    Ns(Name),
    /// The name for which this one is an alias.
    Cname(Name),
    /// The name that a reverse name points to.
    Ptr(Name),
    /// The tree of names for which the tree below this name is an alias.
    Dname(Name),
    /// A mail exchanger.
    Mx(Mx),
    /// The start of a zone.
    Soa(Soa),
    /// Text.
    Txt(Strings),
    /// CPU and operating system; today an answer to ANY (RFC 8482).
    Hinfo(Hinfo),
    /// Host and port of a service.
    Srv(Srv),
    /// A rewriting rule.
    Naptr(Naptr),
    /// Who may issue certificates.
    Caa(Caa),
    /// A certificate or its key.
    Tlsa(Tlsa),
    /// A fingerprint of a host's key.
    Sshfp(Sshfp),
    /// A digest of the key of a delegated zone.
    Ds(Ds),
    /// How to reach a service.
    Svcb(Svcb),
    /// How to reach an HTTP origin: SVCB under its own type.
    Https(Svcb),
    /// Any other type: octets.
    Opaque(Opaque),
}

/// A mail exchanger (RFC 1035 §3.3.9). `0 .` says that the domain takes no mail (RFC 7505).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mx {
    /// Lower is tried first.
    pub preference: u16,
    /// The host.
    pub exchange: Name,
}

impl Data {
    /// The record type of this data.
    pub fn kind(&self) -> RecordType {
        match self {
            Data::A(_) => RecordType::A,
            Data::Aaaa(_) => RecordType::AAAA,
            Data::Ns(_) => RecordType::NS,
            Data::Cname(_) => RecordType::CNAME,
            Data::Ptr(_) => RecordType::PTR,
            Data::Dname(_) => RecordType::DNAME,
            Data::Mx(_) => RecordType::MX,
            Data::Soa(_) => RecordType::SOA,
            Data::Txt(_) => RecordType::TXT,
            Data::Hinfo(_) => RecordType::HINFO,
            Data::Srv(_) => RecordType::SRV,
            Data::Naptr(_) => RecordType::NAPTR,
            Data::Caa(_) => RecordType::CAA,
            Data::Tlsa(_) => RecordType::TLSA,
            Data::Sshfp(_) => RecordType::SSHFP,
            Data::Ds(_) => RecordType::DS,
            Data::Svcb(_) => RecordType::SVCB,
            Data::Https(_) => RecordType::HTTPS,
            Data::Opaque(data) => data.kind(),
        }
    }

    /// The address that an A or AAAA record holds.
    pub fn address(&self) -> Option<IpAddr> {
        match *self {
            Data::A(address) => Some(address.into()),
            Data::Aaaa(address) => Some(address.into()),
            _ => None,
        }
    }

    /// The host that this leads to, whose addresses are asked for next: of NS, MX, SRV, SVCB and
    /// HTTPS. `.` is no host (but their owner in SVCB and HTTPS records in ServiceMode).
    pub fn host(&self) -> Option<&Name> {
        let host = match self {
            Data::Ns(host) => host,
            Data::Mx(mx) => &mx.exchange,
            Data::Srv(srv) => &srv.target,
            Data::Svcb(svcb) | Data::Https(svcb) => &svcb.target,
            _ => return None,
        };
        Some(host).filter(|host| !host.is_root())
    }

    /// Reads the data of a record: all that `r` has left, which ends where RDLENGTH says.
    pub(super) fn decode(
        kind: RecordType,
        class: Class,
        r: &mut Reader<'_>,
    ) -> Result<Data, DecodeError> {
        Ok(match kind {
            _ if matches!(class, Class::NONE | Class::ANY) => Data::Opaque(Opaque::rest(kind, r)),
            RecordType::A if class == Class::IN => Data::A(r.array::<4>()?.into()),
            RecordType::AAAA if class == Class::IN => Data::Aaaa(r.array::<16>()?.into()),
            RecordType::NS => Data::Ns(r.name()?),
            RecordType::CNAME => Data::Cname(r.name()?),
            RecordType::PTR => Data::Ptr(r.name()?),
            RecordType::DNAME => Data::Dname(r.name_in_full()?),
            RecordType::MX => Data::Mx(Mx {
                preference: r.u16()?,
                exchange: r.name()?,
            }),
            RecordType::SOA => Data::Soa(Soa::decode(r)?),
            RecordType::TXT => Data::Txt(Strings::decode(r)?),
            RecordType::HINFO => Data::Hinfo(Hinfo::decode(r)?),
            RecordType::SRV => Data::Srv(Srv::decode(r)?),
            RecordType::NAPTR => Data::Naptr(Naptr::decode(r)?),
            RecordType::CAA => Data::Caa(Caa::decode(r)?),
            RecordType::TLSA => Data::Tlsa(Tlsa::decode(r)?),
            RecordType::SSHFP => Data::Sshfp(Sshfp::decode(r)?),
            RecordType::DS => Data::Ds(Ds::decode(r)?),
            RecordType::SVCB => Data::Svcb(Svcb::decode(r)?),
            RecordType::HTTPS => Data::Https(Svcb::decode(r)?),
            other => Data::Opaque(Opaque::decode(other, r)?),
        })
    }

    /// Whether data of this class reads back as the same. An address outside of IN does not, nor do
    /// octets whose type has a form of its own or is not a record's.
    pub(super) fn is_of(&self, class: Class) -> bool {
        match self {
            Data::Opaque(data) if data.kind() == RecordType::OPT => false,
            Data::Opaque(data) => {
                let mut alone = Reader::alone(data.bytes());
                let again =
                    alone.within(data.bytes().len(), |r| Data::decode(data.kind(), class, r));
                again.as_ref() == Ok(self)
            }
            Data::A(_) | Data::Aaaa(_) => class == Class::IN,
            _ => !matches!(class, Class::NONE | Class::ANY),
        }
    }

    /// Writes the data, without its length.
    pub(super) fn encode(&self, w: &mut Writer) -> Result<(), Full> {
        match self {
            Data::A(address) => w.bytes(&address.octets()),
            Data::Aaaa(address) => w.bytes(&address.octets()),
            Data::Ns(name) | Data::Cname(name) | Data::Ptr(name) => w.name(name),
            Data::Dname(name) => w.name_in_full(name),
            Data::Mx(mx) => {
                w.u16(mx.preference)?;
                w.name(&mx.exchange)
            }
            Data::Soa(data) => data.encode(w),
            Data::Txt(data) => w.bytes(data.wire()),
            Data::Hinfo(data) => data.encode(w),
            Data::Srv(data) => data.encode(w),
            Data::Naptr(data) => data.encode(w),
            Data::Caa(data) => data.encode(w),
            Data::Tlsa(data) => data.encode(w),
            Data::Sshfp(data) => data.encode(w),
            Data::Ds(data) => data.encode(w),
            Data::Svcb(data) | Data::Https(data) => data.encode(w),
            Data::Opaque(data) => w.bytes(data.bytes()),
        }
    }

    /// The octets of the data alone, names in full: the same for two equal records.
    pub fn to_wire(&self) -> Vec<u8> {
        let mut writer = Writer::uncompressed(Vec::new(), usize::MAX);
        let fits = self.encode(&mut writer);
        debug_assert_eq!(fits, Ok(()), "there is no limit");
        writer.finish()
    }

    /// Reads the text of a record's data, in the form of its type or in the generic form of RFC
    /// 3597 §5 (`\# 4 C0000201`), which works for every type. An error if fields are left over.
    pub fn parse(kind: RecordType, fields: &mut Fields<'_>) -> Result<Data, TextError> {
        if fields.peek().is_some_and(|t| t.text == "\\#" && !t.quoted) {
            return Opaque::parse_generic(kind, fields);
        }
        let f = &mut *fields;
        let data = match kind {
            RecordType::A => Data::A(f.parsed("IPv4 address")?),
            RecordType::AAAA => Data::Aaaa(f.parsed("IPv6 address")?),
            RecordType::NS => Data::Ns(f.name("name server")?),
            RecordType::CNAME => Data::Cname(f.name("canonical name")?),
            RecordType::PTR => Data::Ptr(f.name("name")?),
            RecordType::DNAME => Data::Dname(f.name("target")?),
            RecordType::MX => Data::Mx(Mx {
                preference: f.number("preference")?,
                exchange: f.name("mail exchanger")?,
            }),
            RecordType::SOA => Data::Soa(Soa::parse(f)?),
            RecordType::TXT => Data::Txt(Strings::parse(f)?),
            RecordType::HINFO => Data::Hinfo(Hinfo::parse(f)?),
            RecordType::SRV => Data::Srv(Srv::parse(f)?),
            RecordType::NAPTR => Data::Naptr(Naptr::parse(f)?),
            RecordType::CAA => Data::Caa(Caa::parse(f)?),
            RecordType::TLSA => Data::Tlsa(Tlsa::parse(f)?),
            RecordType::SSHFP => Data::Sshfp(Sshfp::parse(f)?),
            RecordType::DS => Data::Ds(Ds::parse(f)?),
            RecordType::SVCB => Data::Svcb(Svcb::parse(f)?),
            RecordType::HTTPS => Data::Https(Svcb::parse(f)?),
            other => return Err(Opaque::needs_generic(other, f)),
        };
        fields.finish()?;
        match data.to_wire().len() {
            0..=MAX_RDATA => Ok(data),
            octets => Err(TextError::Field(
                "data",
                kind.to_string(),
                format!("{octets} octets, {MAX_RDATA} are allowed"),
            )),
        }
    }
}

impl fmt::Display for Data {
    /// The text as in a zone file, names with a dot at their end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Data::A(address) => address.fmt(f),
            Data::Aaaa(address) => address.fmt(f),
            Data::Ns(name) | Data::Cname(name) | Data::Ptr(name) | Data::Dname(name) => name.fmt(f),
            Data::Mx(mx) => write!(f, "{} {}", mx.preference, mx.exchange),
            Data::Soa(data) => data.fmt(f),
            Data::Txt(data) => data.fmt(f),
            Data::Hinfo(data) => data.fmt(f),
            Data::Srv(data) => data.fmt(f),
            Data::Naptr(data) => data.fmt(f),
            Data::Caa(data) => data.fmt(f),
            Data::Tlsa(data) => data.fmt(f),
            Data::Sshfp(data) => data.fmt(f),
            Data::Ds(data) => data.fmt(f),
            Data::Svcb(data) | Data::Https(data) => data.fmt(f),
            Data::Opaque(data) => data.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
