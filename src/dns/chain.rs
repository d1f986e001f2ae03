//! What a reply says about its question: the records, or that there are none, or which name to ask
//! for next.
//!
//! ```text
//!   question  www.example. A
//!   answer    www.example.   CNAME  web.example.      followed by owner, in any order
//!             web.example.   A      192.0.2.1         the end of the chain: found
//!             other.example. A      6.6.6.6           not asked for: not used (RFC 2181 §5.4.1)
//! ```
//!
//! NXDOMAIN means that the name at the end of the chain does not exist, for any type (RFC 2308
//! §2.1, RFC 6604). NOERROR without a record of the type means that the name exists, but not with
//! this type (NODATA, §2.2).

use std::net::SocketAddr;

use super::code::{Class, Rcode, RecordType};
use super::data::Data;
use super::message::Message;
use super::name::Name;
use super::record::{Question, Record};

/// How many aliases of a name are followed. Real chains have two or three.
pub const MAX_ALIASES: usize = 16;

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What was asked.
    pub question: Question,
    /// The name at the end of the chain of aliases: the question's own if there are none.
    pub name: Name,
    /// The chain: CNAME and DNAME records, in the order in which they are followed.
    pub aliases: Vec<Record>,
    /// What is at the end of the chain.
    pub ending: Ending,
    /// The last server that was asked; `None` if this machine knew the answer.
    pub server: Option<SocketAddr>,
}

/// What is at the end of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Records of the type asked for, at least one.
    Records(Vec<Record>),
    /// The name does not exist (NXDOMAIN).
    NoSuchName {
        /// How many seconds this may be kept, if the reply says (RFC 2308 §5).
        ttl: Option<u32>,
    },
    /// The name exists, and has no record of the type (NODATA).
    NoSuchRecord {
        /// How many seconds this may be kept, if the reply says.
        ttl: Option<u32>,
    },
}

impl Answer {
    /// The records; empty if there are none.
    pub fn records(&self) -> &[Record] {
        match &self.ending {
            Ending::Records(records) => records,
            _ => &[],
        }
    }

    /// How many seconds the answer may be kept: the shortest of all TTLs in it. `None` for a
    /// negative answer without SOA, which should not be kept (RFC 2308 §5).
    pub fn ttl(&self) -> Option<u32> {
        let ending = match &self.ending {
            Ending::Records(records) => records.iter().map(|record| record.ttl).min(),
            Ending::NoSuchName { ttl } | Ending::NoSuchRecord { ttl } => *ttl,
        };
        let aliases = self.aliases.iter().map(|record| record.ttl);
        ending.map(|ttl| aliases.fold(ttl, u32::min))
    }

    /// Subtracts `seconds` from all TTLs.
    pub(super) fn age(&mut self, seconds: u32) {
        let ending = match &mut self.ending {
            Ending::Records(records) => {
                for record in records {
                    record.ttl = record.ttl.saturating_sub(seconds);
                }
                None
            }
            Ending::NoSuchName { ttl } | Ending::NoSuchRecord { ttl } => ttl.as_mut(),
        };
        let aliases = self.aliases.iter_mut().map(|record| &mut record.ttl);
        for ttl in aliases.chain(ending) {
            *ttl = ttl.saturating_sub(seconds);
        }
    }
}

/// What one reply says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The end of the chain.
    Ending(Ending),
    /// The chain leads out of this reply: ask for its last name.
    AskAgain,
    /// The chain returns to one of its names, or has more than [`MAX_ALIASES`] links.
    Endless,
}

/// What a reply alone says about its question; `None` if its aliases lead out of it or in a circle.
pub fn ending(question: &Question, message: &Message) -> Option<Ending> {
    match Chain::new(question.name.clone()).follow(question, message) {
        Said::Ending(ending) => Some(ending),
        Said::AskAgain | Said::Endless => None,
    }
}

/// A chain of aliases as it is followed, through one reply or several.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    /// The name reached so far.
    pub(super) name: Name,
    pub(super) aliases: Vec<Record>,
    seen: Vec<Name>,
}

impl Chain {
    pub(super) fn new(name: Name) -> Self {
        Self {
            seen: vec![name.clone()],
            name,
            aliases: Vec::new(),
        }
    }

    /// Follows the chain through a reply to the question, which asked for the name reached.
    pub(super) fn follow(&mut self, question: &Question, message: &Message) -> Said {
        let start = self.aliases.len();
        loop {
            let found = self.records(question, message);
            if !found.is_empty() {
                return Said::Ending(Ending::Records(found));
            }
            let Some((alias, target)) = self.alias(question.class, message) else {
                break;
            };
            self.aliases.push(alias);
            self.name = target;
            if self.seen.contains(&self.name) || self.aliases.len() > MAX_ALIASES {
                return Said::Endless;
            }
            self.seen.push(self.name.clone());
        }
        let ttl = self.negative_ttl(message);
        if message.header.rcode == Rcode::NXDOMAIN {
            return Said::Ending(Ending::NoSuchName { ttl });
        }
        // A server that follows an alias out of its zone knows nothing about the target, and sends
        // no SOA: that is not NODATA for certain (RFC 2308 §2.2), so the search goes on at the
        // target (RFC 1034 §5.3.3, step 4c).
        if self.aliases.len() > start && ttl.is_none() {
            return Said::AskAgain;
        }
        Said::Ending(Ending::NoSuchRecord { ttl })
    }

    fn records(&self, question: &Question, message: &Message) -> Vec<Record> {
        let wanted = |record: &&Record| {
            let kind = question.kind == RecordType::ANY || record.data.kind() == question.kind;
            kind && record.class == question.class && record.name == self.name
        };
        message.answers.iter().filter(wanted).cloned().collect()
    }

    /// The alias at the name reached, or above it, and where it leads.
    fn alias(&self, class: Class, message: &Message) -> Option<(Record, Name)> {
        let records = || message.answers.iter().filter(|r| r.class == class);
        let at_name = records().find_map(|record| match &record.data {
            Data::Cname(target) if record.name == self.name => Some((record, target.clone())),
            _ => None,
        });
        let above = || {
            records().find_map(|record| match &record.data {
                Data::Dname(target) => {
                    let moved = self.name.with_suffix(&record.name, target)?;
                    Some((record, moved.ok()?))
                }
                _ => None,
            })
        };
        let (record, target) = at_name.or_else(above)?;
        Some((record.clone(), target))
    }

    /// The smaller of the SOA's TTL and its minimum (RFC 2308 §5). Only the SOA of a zone that
    /// contains the name counts.
    fn negative_ttl(&self, message: &Message) -> Option<u32> {
        message
            .authorities
            .iter()
            .find_map(|record| match &record.data {
                Data::Soa(soa) if self.name.is_within(&record.name) => {
                    Some(record.ttl.min(soa.minimum))
                }
                _ => None,
            })
    }
}

#[cfg(test)]
mod tests;
