//! EDNS(0): what does not fit into a header of 12 octets (RFC 6891).
//!
//! It travels as a record of type OPT whose fields have other meanings:
//!
//! ```text
//!   NAME    the root
//!   TYPE    41
//!   CLASS   the largest UDP payload that the sender takes
//!   TTL     8 bits: upper part of the rcode | 8: version | 1: DO | 15: Z
//!   RDATA   options: code (16 bits), length (16), octets
//! ```

use super::code::RecordType;
use super::error::{DecodeError, EncodeError, Fault};
use super::reader::Reader;
use super::record::RecordHead;
use super::writer::Writer;

/// The UDP payload that every host has to accept (RFC 1035 §4.2.1), in octets.
pub const CLASSIC_UDP: u16 = 512;
/// The UDP payload that passes nearly everywhere without fragments, in octets: the minimum MTU of
/// IPv6, 1,280, less its header and UDP's (DNS Flag Day 2020).
pub const SAFE_UDP: u16 = 1232;

/// DO, in the lower half of the TTL; the other bits there are reserved.
pub(super) const DO: u16 = 1 << 15;

/// The OPT record of a message. The upper bits of its rcode are in the header's rcode here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Edns {
    /// The largest UDP payload that the sender accepts, in octets, as sent: less than 512 counts as
    /// 512 (RFC 6891 §6.2.5).
    pub udp_size: u16,
    /// The version; only 0 is defined.
    pub version: u8,
    /// DO: the sender wants DNSSEC records (RFC 3225).
    pub dnssec_ok: bool,
    /// Z: the 15 reserved bits of the flags.
    pub reserved: u16,
    /// The options, in order.
    pub options: Vec<EdnsOption>,
}

/// An option of an OPT record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EdnsOption {
    /// Its code.
    pub code: u16,
    /// Its value.
    pub data: Box<[u8]>,
}

impl Default for Edns {
    /// Version 0, [`SAFE_UDP`], nothing else.
    fn default() -> Self {
        Self {
            udp_size: SAFE_UDP,
            version: 0,
            dnssec_ok: false,
            reserved: 0,
            options: Vec::new(),
        }
    }
}

impl Edns {
    /// The OPT record of the reply to a query with this one: DO goes back as it came (RFC 3225 §3).
    pub(super) fn reply(&self) -> Self {
        Self {
            dnssec_ok: self.dnssec_ok,
            ..Self::default()
        }
    }

    /// Reads the rest of the record, from RDLENGTH on; also returns the upper 8 bits of the rcode.
    pub(super) fn decode(head: &RecordHead, r: &mut Reader<'_>) -> Result<(Self, u8), DecodeError> {
        if !head.name.is_root() {
            return Err(r.fail(Fault::NamedOpt));
        }
        let length = r.u16()?;
        let options = r.within(length.into(), read_options)?;
        let [upper, version, high, low] = head.ttl.to_be_bytes();
        let flags = u16::from_be_bytes([high, low]);
        let edns = Self {
            udp_size: head.class,
            version,
            dnssec_ok: flags & DO != 0,
            reserved: flags & !DO,
            options,
        };
        Ok((edns, upper))
    }

    pub(super) fn encode(&self, upper: u8, w: &mut Writer) -> Result<(), EncodeError> {
        if self.reserved & DO != 0 {
            return Err(EncodeError::OutOfRange("reserved flags of EDNS"));
        }
        w.u8(0)?;
        w.u16(RecordType::OPT.0)?;
        w.u16(self.udp_size)?;
        w.u8(upper)?;
        w.u8(self.version)?;
        let dnssec_ok = if self.dnssec_ok { DO } else { 0 };
        w.u16(dnssec_ok | self.reserved)?;
        w.with_length(|w| {
            for option in &self.options {
                w.u16(option.code)?;
                w.with_length(|w| w.bytes(&option.data))?;
            }
            Ok(())
        })?;
        Ok(())
    }

    /// The length of the record, in octets.
    pub(super) fn len(&self) -> usize {
        let options = self.options.iter();
        11 + options.map(|option| 4 + option.data.len()).sum::<usize>()
    }
}

fn read_options(r: &mut Reader<'_>) -> Result<Vec<EdnsOption>, DecodeError> {
    let mut options = Vec::new();
    while r.left() > 0 {
        let code = r.u16()?;
        let length = r.u16()?;
        let data = r.bytes(length.into())?.into();
        options.push(EdnsOption { code, data });
    }
    Ok(options)
}
