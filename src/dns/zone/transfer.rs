//! A zone as the messages of a transfer (AXFR, RFC 5936 §2.2).
//!
//! The SOA record comes first, and again at the end. Between them come all other records in any
//! order, including glue and data hidden by a delegation, as many in a message as fit. The first
//! message has the question, and an OPT record if the query had one. Unlike in other replies, names
//! keep the case that they have in the zone (§3.4): no name points to one of another case.

use super::Zone;
use crate::dns::code::RecordType;
use crate::dns::error::EncodeError;
use crate::dns::message::{MAX_MESSAGE, Message};
use crate::dns::record::Record;
use crate::dns::writer::Writer;

/// The length in octets at which a message of a transfer ends: offsets below it fit into a
/// compression pointer (RFC 1035 §4.1.4). A message with a single record may be longer.
const MESSAGE: usize = 0x4000;

/// The messages of a transfer, each without the length prefix of TCP.
#[derive(Debug)]
pub struct Transfer<'z> {
    zone: &'z Zone,
    head: Message,
    /// The node, set and record that come next.
    at: [usize; 3],
    /// Where the SOA record is to be sent next.
    soa: Soa,
}

/// The next use of the SOA record.
#[derive(Debug, PartialEq)]
enum Soa {
    First,
    Last,
    Sent,
}

impl Zone {
    /// The messages that answer this query for the whole zone. The caller has checked that its
    /// question is for this zone.
    pub fn transfer(&self, query: &Message) -> Transfer<'_> {
        let mut head = query.reply();
        head.header.authoritative = true;
        Transfer {
            zone: self,
            head,
            at: [0; 3],
            soa: Soa::First,
        }
    }

    /// The SOA record.
    pub(in crate::dns) fn soa_record(&self) -> Option<Record> {
        let set = self.apex_node().set(RecordType::SOA)?;
        set.records(self.apex()).next()
    }
}

impl Transfer<'_> {
    /// The next record to send.
    fn record(&self) -> Option<Record> {
        match self.soa {
            Soa::First => self.zone.soa_record(),
            Soa::Sent => None,
            Soa::Last => {
                let [node, set, record] = self.at;
                match self.zone.nodes.get(node) {
                    None => self.zone.soa_record(),
                    Some(node) => {
                        let set = node.sets.get(set)?;
                        let data = set.data.get(record)?.clone();
                        Some(Record::new(node.name.clone(), set.ttl, data))
                    }
                }
            }
        }
    }

    /// Goes to the next record, skipping names without records and the SOA record.
    fn advance(&mut self) {
        match self.soa {
            Soa::First => self.soa = Soa::Last,
            _ if self.at[0] >= self.zone.nodes.len() => {
                self.soa = Soa::Sent;
                return;
            }
            _ => self.at[2] += 1,
        }
        while let Some(node) = self.zone.nodes.get(self.at[0]) {
            match node.sets.get(self.at[1]) {
                None => self.at = [self.at[0] + 1, 0, 0],
                Some(set) if set.kind != RecordType::SOA && self.at[2] < set.data.len() => return,
                Some(_) => self.at = [self.at[0], self.at[1] + 1, 0],
            }
        }
    }

    fn message(&mut self) -> Result<Vec<u8>, EncodeError> {
        let mut writer = Writer::keeping_case(Vec::new(), MAX_MESSAGE);
        let w = &mut writer;
        self.head.header.write(w)?;
        self.head.questions.iter().try_for_each(|q| q.encode(w))?;
        let edns = self.head.edns.as_ref().map_or(0, |edns| edns.len());
        let mut answers = 0;
        while let Some(record) = self.record() {
            let mark = w.mark();
            if record.encode(w).is_err() || w.len() + edns > MAX_MESSAGE {
                w.back_to(mark);
                break;
            }
            answers += 1;
            self.advance();
            if w.len() >= MESSAGE {
                break;
            }
        }
        if answers == 0 {
            return Err(EncodeError::TooLong);
        }
        self.head.write_end(w, [answers, 0, 0])?;
        // Later messages need neither question nor OPT (RFC 5936 §2.2.1, §2.2.5).
        self.head.questions.clear();
        self.head.edns = None;
        Ok(writer.finish())
    }
}

impl Iterator for Transfer<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if self.soa == Soa::Sent {
            return None;
        }
        self.message().ok()
    }
}
