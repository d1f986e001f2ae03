//! The header of a message: 12 octets (RFC 1035 §4.1.1; AD and CD as in RFC 6895 §2).
//!
//! ```text
//!    0                   1
//!    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5
//!   +-------------------------------+
//!   |              ID               |
//!   |Q| Opcode|A|T|R|R|Z|A|C| RCODE |      Q: QR, then AA TC RD RA Z AD CD
//!   |   QDCOUNT: questions          |
//!   |   ANCOUNT: answers            |
//!   |   NSCOUNT: authorities        |
//!   |   ARCOUNT: additional records |
//!   +-------------------------------+
//! ```

use super::code::{Opcode, Rcode};
use super::error::{DecodeError, EncodeError};
use super::reader::Reader;
use super::writer::{Full, Writer};

/// The header of a message, without the counts, which follow from its sections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    /// Matches a reply to its query.
    pub id: u16,
    /// QR: a reply, not a query.
    pub response: bool,
    /// The kind of request, 4 bits.
    pub opcode: Opcode,
    /// AA: the server is an authority for the name in the question.
    pub authoritative: bool,
    /// TC: the message was cut; the client should ask again over TCP.
    pub truncated: bool,
    /// RD: the client wants the server to ask others.
    pub recursion_desired: bool,
    /// RA: the server offers to do so.
    pub recursion_available: bool,
    /// Z: reserved.
    pub reserved: bool,
    /// AD: the server has verified the data (RFC 4035 §3.2.3).
    pub authentic_data: bool,
    /// CD: the client verifies for itself (RFC 4035 §3.2.2).
    pub checking_disabled: bool,
    /// How the request ended: 4 bits here, 12 with EDNS.
    pub rcode: Rcode,
}

/// The counts of the sections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) questions: u16,
    pub(super) answers: u16,
    pub(super) authorities: u16,
    pub(super) additionals: u16,
}

/// The offset of the flags, in octets.
pub(super) const FLAGS: usize = 2;
/// The offset of the first count, in octets.
pub(super) const COUNTS: usize = 4;

pub(super) const QR: u16 = 1 << 15;
pub(super) const AA: u16 = 1 << 10;
const TC: u16 = 1 << 9;
pub(super) const RD: u16 = 1 << 8;
const RA: u16 = 1 << 7;
const Z: u16 = 1 << 6;
const AD: u16 = 1 << 5;
const CD: u16 = 1 << 4;

impl Header {
    /// The header of a query: all flags off.
    pub fn query(id: u16) -> Self {
        Self::from_words(id, 0)
    }

    /// The header of a reply: id, opcode and RD are the query's (RFC 1035 §4.1.1), all else is off.
    /// CD, too, as in answers with authority (RFC 4035 §3.1.6); a server that asks others for its
    /// client copies it (§3.2.2).
    pub fn reply(&self) -> Self {
        Self {
            response: true,
            opcode: self.opcode,
            recursion_desired: self.recursion_desired,
            ..Self::query(self.id)
        }
    }

    /// Reads the header of a message, whatever follows it: a server needs it to answer a malformed
    /// message. The rcode has only the header's 4 bits.
    pub fn decode(message: &[u8]) -> Result<Self, DecodeError> {
        Self::read(&mut Reader::new(message)).map(|(header, _)| header)
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<(Self, Counts), DecodeError> {
        let header = Self::from_words(r.u16()?, r.u16()?);
        let counts = Counts {
            questions: r.u16()?,
            answers: r.u16()?,
            authorities: r.u16()?,
            additionals: r.u16()?,
        };
        Ok((header, counts))
    }

    /// Whether each number fits into its field; with EDNS the rcode has 8 more bits.
    pub(super) fn check(&self, has_edns: bool) -> Result<(), EncodeError> {
        let rcodes = if has_edns { 0xfff } else { 15 };
        match self {
            Self { opcode, .. } if opcode.0 > 15 => Err(EncodeError::OutOfRange("opcode")),
            Self { rcode, .. } if rcode.0 > rcodes => Err(EncodeError::OutOfRange("rcode")),
            _ => Ok(()),
        }
    }

    /// Writes the header with counts of zero; a number too large for its field loses its upper
    /// bits.
    pub(super) fn write(&self, w: &mut Writer) -> Result<(), Full> {
        w.u16(self.id)?;
        w.u16(self.flags())?;
        w.bytes(&[0; 8])
    }

    fn from_words(id: u16, flags: u16) -> Self {
        let is = |bit| flags & bit != 0;
        Self {
            id,
            response: is(QR),
            opcode: Opcode((flags >> 11 & 15) as u8),
            authoritative: is(AA),
            truncated: is(TC),
            recursion_desired: is(RD),
            recursion_available: is(RA),
            reserved: is(Z),
            authentic_data: is(AD),
            checking_disabled: is(CD),
            rcode: Rcode(flags & 15),
        }
    }

    /// The flags as in the message.
    pub(crate) fn flags(&self) -> u16 {
        let bit = |on: bool, bit| if on { bit } else { 0 };
        bit(self.response, QR)
            | u16::from(self.opcode.0 & 15) << 11
            | bit(self.authoritative, AA)
            | bit(self.truncated, TC)
            | bit(self.recursion_desired, RD)
            | bit(self.recursion_available, RA)
            | bit(self.reserved, Z)
            | bit(self.authentic_data, AD)
            | bit(self.checking_disabled, CD)
            | self.rcode.0 & 15
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_65536_flag_words_survive_the_way_through_a_header() {
        for flags in 0..=u16::MAX {
            assert_eq!(Header::from_words(7, flags).flags(), flags);
        }
    }

    #[test]
    fn a_reply_copies_id_opcode_and_rd_and_nothing_else() {
        let query = Header::from_words(9, 0x7fff);
        let reply = query.reply();
        assert_eq!((reply.id, reply.opcode), (9, query.opcode));
        assert_eq!(reply.flags(), QR | 0x7800 | RD);
    }

    #[test]
    fn a_header_of_less_than_12_octets_is_an_error() {
        for length in 0..12 {
            assert!(Header::decode(&[0; 12][..length]).is_err());
        }
        assert!(Header::decode(&[0; 12]).is_ok());
    }
}
