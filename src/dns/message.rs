//! Messages: a header, questions, three sections of records, and EDNS (RFC 1035 §4, RFC 6891).
//!
//! [`Message::decode`] and [`Message::encode`] are inverses: each reads what the other writes to
//! the same value. A message that would read back as something else is not written
//! ([`EncodeError`]). Names are equal whatever their case: a compressed name takes the case of the
//! name that its pointer leads to.
//!
//! A message too long for its transport is cut by whole record sets (RFC 2181 §9):
//! [`Message::encode_within`].
//!
//! The counts are the sender's claim; nothing is allocated by them.

use super::code::{Rcode, RecordType};
use super::edns::Edns;
use super::error::{DecodeError, EncodeError, Fault};
use super::header::{COUNTS, Counts, FLAGS, Header};
use super::reader::Reader;
use super::record::{Question, Record, RecordHead};
use super::writer::{Full, Writer};

/// The longest message, in octets: the most that the length prefix of TCP can express (RFC 1035
/// §4.2.2).
pub const MAX_MESSAGE: usize = 65_535;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Flags and codes.
    pub header: Header,
    /// The questions: one, in practice.
    pub questions: Vec<Question>,
    /// Records that answer it.
    pub answers: Vec<Record>,
    /// Records that say whom to ask, or why there is no answer.
    pub authorities: Vec<Record>,
    /// Records that the client would ask for next. OPT is not here but in `edns`.
    pub additionals: Vec<Record>,
    /// The OPT record.
    pub edns: Option<Edns>,
}

impl Message {
    /// A query of one question, with [`Edns::default`]; RD is off.
    pub fn query(id: u16, question: Question) -> Self {
        Self {
            questions: vec![question],
            edns: Some(Edns::default()),
            ..Self::new(Header::query(id))
        }
    }

    /// A message with only a header.
    pub fn new(header: Header) -> Self {
        Self {
            header,
            questions: Vec::new(),
            answers: Vec::new(),
            authorities: Vec::new(),
            additionals: Vec::new(),
            edns: None,
        }
    }

    /// The start of a reply to this query: its question, and an OPT record if it has one (RFC 6891
    /// §6.1.1).
    pub(super) fn reply(&self) -> Self {
        Self {
            questions: self.questions.clone(),
            edns: self.edns.as_ref().map(Edns::reply),
            ..Self::new(self.header.reply())
        }
    }

    /// Reads a message. Octets after its end are ignored, as most tools do.
    pub fn decode(octets: &[u8]) -> Result<Self, DecodeError> {
        Self::decode_prefix(octets).map(|(message, _)| message)
    }

    /// Reads a message and returns how many of the octets it takes.
    pub fn decode_prefix(octets: &[u8]) -> Result<(Self, usize), DecodeError> {
        let r = &mut Reader::new(octets);
        let (header, counts) = Header::read(r)?;
        let mut message = Self::new(header);
        message.read_sections(counts, r)?;
        Ok((message, r.offset()))
    }

    /// Reads only the header and the questions: enough to match a reply to its query when the rest
    /// is malformed.
    pub fn decode_head(octets: &[u8]) -> Result<(Header, Vec<Question>), DecodeError> {
        let r = &mut Reader::new(octets);
        let (header, counts) = Header::read(r)?;
        let mut questions = Vec::new();
        read_questions(&mut questions, counts.questions, r)?;
        Ok((header, questions))
    }

    /// Reads a message as far as possible: the header, then as many questions and records as can be
    /// read. For tools that show messages, cut or broken. To act on a message, read all of it with
    /// [`Message::decode`].
    pub fn decode_partial(octets: &[u8]) -> Result<Self, DecodeError> {
        let r = &mut Reader::new(octets);
        let (header, counts) = Header::read(r)?;
        let mut message = Self::new(header);
        // The items read before the error stay.
        let _ = message.read_sections(counts, r);
        Ok(message)
    }

    fn read_sections(&mut self, counts: Counts, r: &mut Reader<'_>) -> Result<(), DecodeError> {
        read_questions(&mut self.questions, counts.questions, r)?;
        read_records(&mut self.answers, counts.answers, r)?;
        read_records(&mut self.authorities, counts.authorities, r)?;
        self.read_additionals(counts.additionals, r)
    }

    fn read_additionals(&mut self, count: u16, r: &mut Reader<'_>) -> Result<(), DecodeError> {
        for _ in 0..count {
            let at = r.clone();
            let head = RecordHead::decode(r)?;
            if head.kind != RecordType::OPT {
                self.additionals.push(Record::decode(head, r)?);
                continue;
            }
            if self.edns.is_some() {
                return Err(at.fail(Fault::TwoOpts));
            }
            let (edns, upper) = Edns::decode(&head, r)?;
            self.edns = Some(edns);
            self.header.rcode = Rcode(u16::from(upper) << 4 | self.header.rcode.0 & 15);
        }
        Ok(())
    }

    /// Writes the message, at most [`MAX_MESSAGE`] octets. An rcode above 15 needs `edns`.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        self.header.check(self.edns.is_some())?;
        let mut writer = Writer::new(Vec::new(), MAX_MESSAGE);
        self.write_whole(&mut writer)?;
        Ok(writer.finish())
    }

    /// Appends the message to `out`, in at most `limit` octets. If it does not fit, record sets are
    /// left out from the end and TC is set. For additional records TC is set only if they are glue
    /// below the delegation of a referral (possibly one at the end of aliases): without glue the
    /// referral is useless (RFC 9471 §3.1). A record that [`Message::encode`] refuses counts as one
    /// that does not fit; a number too large for its field in the header loses its upper bits.
    pub fn encode_within(&self, limit: usize, out: Vec<u8>) -> Vec<u8> {
        let limit = limit.clamp(usize::from(super::CLASSIC_UDP), MAX_MESSAGE);
        let mut w = Writer::new(out, limit);
        let start = w.mark();
        if self.write_cut(&mut w, limit).is_err() {
            // Not even the question and OPT fit. They take some 300 octets at most, unless there
            // are long options or many questions.
            let mut bare = Message::new(self.header);
            bare.header.truncated = true;
            w.back_to(start);
            let fits = bare.write_whole(&mut w);
            debug_assert_eq!(fits, Ok(()), "12 octets fit into 512");
        }
        w.finish()
    }

    fn write_whole(&self, w: &mut Writer) -> Result<(), EncodeError> {
        self.header.write(w)?;
        self.questions.iter().try_for_each(|q| q.encode(w))?;
        for section in self.sections() {
            section.iter().try_for_each(|record| record.encode(w))?;
        }
        self.write_end(w, self.sections().map(<[Record]>::len))
    }

    /// Writes what follows the sections: the OPT record, and the counts.
    pub(super) fn write_end(&self, w: &mut Writer, counts: [usize; 3]) -> Result<(), EncodeError> {
        if let Some(edns) = &self.edns {
            edns.encode((self.header.rcode.0 >> 4) as u8, w)?;
        }
        let [answers, authorities, additionals] = counts;
        let additionals = additionals + usize::from(self.edns.is_some());
        let counts = [self.questions.len(), answers, authorities, additionals];
        for (number, count) in counts.into_iter().enumerate() {
            w.patch(COUNTS + 2 * number, u16::try_from(count).map_err(|_| Full)?);
        }
        Ok(())
    }

    /// Writes the message and returns the offsets of its compression pointers.
    pub(super) fn encode_traced(&self) -> Result<(Vec<u8>, Vec<usize>), EncodeError> {
        let mut writer = Writer::tracing(MAX_MESSAGE);
        self.write_whole(&mut writer)?;
        Ok(writer.finish_traced())
    }

    fn write_cut(&self, w: &mut Writer, limit: usize) -> Result<(), EncodeError> {
        self.header.write(w)?;
        self.questions.iter().try_for_each(|q| q.encode(w))?;
        let edns = self.edns.as_ref().map_or(0, Edns::len);
        w.set_limit(limit.checked_sub(edns).ok_or(Full)?);
        let mut counts = [0; 3];
        let mut truncated = self.header.truncated;
        for (number, section) in self.sections().into_iter().enumerate() {
            counts[number] = write_sets(section, w);
            if counts[number] < section.len() {
                let left = section.get(counts[number]..).unwrap_or_default();
                truncated |= number < 2 || self.has_glue(left);
                break;
            }
        }
        w.set_limit(limit);
        let flags = Header {
            truncated,
            ..self.header
        };
        w.patch(FLAGS, flags.flags());
        self.write_end(w, counts)
    }

    fn sections(&self) -> [&[Record]; 3] {
        [&self.answers, &self.authorities, &self.additionals]
    }

    /// Whether some of these are addresses below the delegation of this referral, if it is one.
    fn has_glue(&self, records: &[Record]) -> bool {
        let servers = self.authorities.first();
        let cut = servers.filter(|record| record.data.kind() == RecordType::NS);
        let is_alias = |record: &Record| record.data.kind() == RecordType::CNAME;
        let refers =
            self.answers.last().is_none_or(is_alias) && self.header.rcode == Rcode::NOERROR;
        cut.is_some_and(|cut| {
            refers
                && records
                    .iter()
                    .any(|record| record.name.is_within(&cut.name))
        })
    }

    /// Whether this refers the client to other servers (RFC 1034 §4.3.2, step 3b).
    pub fn is_referral(&self) -> bool {
        self.header.rcode == Rcode::NOERROR
            && !self.header.authoritative
            && self.answers.is_empty()
            && self
                .authorities
                .iter()
                .any(|record| record.data.kind() == RecordType::NS)
    }
}

/// Writes whole record sets while they fit; returns how many records that were.
fn write_sets(section: &[Record], w: &mut Writer) -> usize {
    let mut written = 0;
    for set in section.chunk_by(Record::is_same_set) {
        let mark = w.mark();
        if set.iter().try_for_each(|record| record.encode(w)).is_err() {
            w.back_to(mark);
            break;
        }
        written += set.len();
    }
    written
}

fn read_questions(
    questions: &mut Vec<Question>,
    count: u16,
    r: &mut Reader<'_>,
) -> Result<(), DecodeError> {
    // A question has at least 5 octets.
    questions.reserve_exact(usize::from(count).min(r.left() / 5));
    for _ in 0..count {
        questions.push(Question::decode(r)?);
    }
    Ok(())
}

fn read_records(
    records: &mut Vec<Record>,
    count: u16,
    r: &mut Reader<'_>,
) -> Result<(), DecodeError> {
    // A record has at least 11 octets: the allocation depends on the message's length, not a count.
    records.reserve_exact(usize::from(count).min(r.left() / 11));
    for _ in 0..count {
        let at = r.clone();
        let head = RecordHead::decode(r)?;
        if head.kind == RecordType::OPT {
            return Err(at.fail(Fault::MisplacedOpt));
        }
        records.push(Record::decode(head, r)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
