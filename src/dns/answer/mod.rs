//! Answers: what a server replies from its zones, by the algorithm of RFC 1034 §4.3.2.
//!
//! ```text
//!   octets ──> reply ──> fast path: `prepared`, the octets of answers made beforehand
//!                  └──> Message ──> Zones::answer: the algorithm, in values ──> octets
//! ```
//!
//! Both ways give the same answers; a test compares them over whole zones. The algorithm in short:
//! find the zone that contains the name, and the meaning of the name there; follow aliases and
//! begin again. The end is data, no data, no such name, or a referral to other servers.
//!
//! | the name | answer | authority | AA | rcode |
//! |---|---|---|---|---|
//! | has the type | its set | | yes | NOERROR |
//! | is an alias | the CNAME record, then the target's answer | | yes | the target's (RFC 6604) |
//! | exists without it (NODATA) | | SOA | yes | NOERROR |
//! | does not exist | | SOA | yes | NXDOMAIN |
//! | is delegated | | NS of the cut | no | NOERROR |
//! | is in no zone | | | no | REFUSED |
//!
//! *Negative answers* may be cached for the smaller of the SOA's TTL and its `minimum`, so the SOA
//! record has that TTL (RFC 2308 §3). *Additional* addresses come with the records that name hosts
//! (`additional`). *ANY* gets one of the name's record sets (RFC 8482 §4.1), the one with the
//! fewest records: they are real, unlike a HINFO record made up for the purpose, and hardly worth
//! reflecting at a victim. *Positive answers* have no NS records in the authority section: nothing
//! requires them, and they make the message longer.
//!
//! Sources: RFC 1034, 1035, 2308, 4592, 6604, 6672, 6891, 8482; each rule names its own.

mod additional;
mod octets;
mod prepared;
mod tsig;
mod zones;

pub use octets::{Answered, Outcome, Transport, refuse, reply};
pub use zones::{SameApex, Zones};

use super::code::{Class, Opcode, Rcode, RecordType};
use super::data::Data;
use super::message::{MAX_MESSAGE, Message};
use super::name::Name;
use super::record::{Question, Record};
use super::zone::{Key, Lookup, Node, Zone};

/// How many aliases an answer follows.
const MAX_ALIASES: usize = 16;

impl Zones {
    /// Answers a message that is known to be a query (checked in [`reply`]). Transfers are answered
    /// by [`Zone::transfer`], over TCP only; here IXFR gets the SOA record, which tells the client
    /// whether there is something to fetch.
    ///
    /// The answer is complete: encoding cuts it to the transport's limit.
    pub fn answer(&self, query: &Message) -> Message {
        self.answer_within(query, MAX_MESSAGE)
    }

    /// The same for a transport with this limit in octets. If the answer is certainly longer,
    /// records that would be cut may be missing.
    fn answer_within(&self, query: &Message, limit: usize) -> Message {
        let mut reply = query.reply();
        let refusal = match (&query.questions[..], &query.edns) {
            _ if query.header.opcode != Opcode::QUERY => Rcode::NOTIMP,
            (_, Some(edns)) if edns.version != 0 => Rcode::BADVERS,
            ([question], _) => return self.answer_question(question, reply, limit),
            // More than one must get this (RFC 9619 §4). None is a question for a cookie (RFC 7873
            // §5.4), which this server does not have.
            _ => {
                reply.questions.clear();
                Rcode::FORMERR
            }
        };
        reply.header.rcode = refusal;
        reply
    }

    fn answer_question(&self, question: &Question, mut reply: Message, limit: usize) -> Message {
        let refusal = match question.kind {
            _ if question.class != Class::IN => Rcode::REFUSED,
            RecordType::AXFR => Rcode::NOTIMP,
            RecordType::IXFR => match self.at(&question.name) {
                // The SOA record tells a client with an older version to ask over TCP (RFC 1995 §2).
                Some(zone) => {
                    reply.header.authoritative = true;
                    reply.answers.extend(zone.soa_record());
                    return reply;
                }
                None => Rcode::NOTAUTH,
            },
            // Types that never have data: NODATA, as for any type that a name lacks.
            _ => Rcode::NOERROR,
        };
        if refusal != Rcode::NOERROR {
            reply.header.rcode = refusal;
            return reply;
        }
        let mut search = Search {
            zones: self,
            kind: question.kind,
            limit,
            reply,
        };
        search.follow(&question.name);
        search.reply
    }
}

/// A question on its way through the zones.
struct Search<'z> {
    zones: &'z Zones,
    kind: RecordType,
    /// How many octets the reply may have.
    limit: usize,
    reply: Message,
}

impl<'z> Search<'z> {
    /// Looks up a name, then the names for which it is an alias (RFC 1034 §4.3.2).
    fn follow(&mut self, asked: &Name) {
        let mut name = asked.clone();
        for aliases in 0..=MAX_ALIASES {
            let key = Key::new(&name);
            let Some((zone, _)) = self.zones.of(&key, self.kind) else {
                // An alias leads out of our zones; another server knows its target's rcode.
                if aliases == 0 {
                    self.reply.header.rcode = Rcode::REFUSED;
                }
                return;
            };
            let Some(target) = self.step(zone, &name, &key) else {
                return;
            };
            // An alias that leads back: the records show it, and there is nothing to add.
            if self.has(RecordType::CNAME, &target) {
                return;
            }
            name = target;
        }
    }

    /// Acts on the meaning of a name; returns the alias's target to go on with.
    fn step(&mut self, zone: &'z Zone, name: &Name, key: &Key) -> Option<Name> {
        let node = |index: usize| zone.nodes.get(index);
        let meaning = zone.look_up(key);
        // DS records are at the cut, but belong to the parent zone (RFC 4035 §3.1.4.1).
        let is_for_parent = self.kind == RecordType::DS;
        match meaning {
            Lookup::Cut { cut, is_exact } if !(is_exact && is_for_parent) => {
                self.refer(zone, node(cut)?);
                return None;
            }
            _ => {}
        }
        // AA is about the first name (RFC 1035 §4.1.1): a referral after an alias leaves it set.
        self.reply.header.authoritative = true;
        match meaning {
            Lookup::Node(index) | Lookup::Wildcard(index) | Lookup::Cut { cut: index, .. } => {
                self.take(zone, node(index)?, name)
            }
            Lookup::Dname(index) => self.rename(node(index)?, name),
            Lookup::Nothing => {
                self.reply.header.rcode = Rcode::NXDOMAIN;
                deny(&mut self.reply, zone);
                None
            }
        }
    }

    /// Takes the records asked for from a node, possibly a wildcard, with the name asked for as
    /// owner.
    fn take(&mut self, zone: &'z Zone, node: &'z Node, name: &Name) -> Option<Name> {
        let wanted = match self.kind {
            RecordType::ANY => node
                .sets
                .iter()
                .min_by_key(|set| (set.data.len(), set.kind)),
            kind => node.set(kind),
        };
        if let Some(set) = wanted {
            let room = additional::room(&self.reply, self.limit);
            self.reply.answers.extend(set.records(name).take(room));
            // ANY gets the least, without additional records.
            if self.kind != RecordType::ANY {
                additional::add(&mut self.reply, zone, name, set, self.limit);
            }
            return None;
        }
        let Some(alias) = node.set(RecordType::CNAME) else {
            deny(&mut self.reply, zone);
            return None;
        };
        self.reply.answers.extend(alias.records(name));
        match alias.data.first() {
            Some(Data::Cname(target)) => Some(target.clone()),
            _ => None,
        }
    }

    /// Answers below a DNAME record: the record, and a CNAME record made from it with the same TTL
    /// (RFC 6672 §3.1, §3.2). If the new name is too long, the rcode is YXDOMAIN.
    fn rename(&mut self, node: &'z Node, name: &Name) -> Option<Name> {
        let set = node.set(RecordType::DNAME)?;
        let Some(Data::Dname(target)) = set.data.first() else {
            return None;
        };
        // The chain may lead past the same DNAME record twice.
        if !self.has(RecordType::DNAME, &node.name) {
            self.reply.answers.extend(set.records(&node.name));
        }
        let Ok(renamed) = name.with_suffix(&node.name, target)? else {
            self.reply.header.rcode = Rcode::YXDOMAIN;
            return None;
        };
        let alias = Data::Cname(renamed.clone());
        let alias = Record::new(name.clone(), set.ttl, alias);
        self.reply.answers.push(alias);
        // If the query is for CNAME, this record is the answer.
        (self.kind != RecordType::CNAME).then_some(renamed)
    }

    /// Whether the answer already has such a record.
    fn has(&self, kind: RecordType, owner: &Name) -> bool {
        let mut answers = self.reply.answers.iter();
        answers.any(|record| record.data.kind() == kind && record.name == *owner)
    }

    /// Refers to the servers of a delegated zone (RFC 1034 §4.3.2, step 3b).
    fn refer(&mut self, zone: &'z Zone, cut: &'z Node) {
        if let Some(servers) = cut.set(RecordType::NS) {
            let room = additional::room(&self.reply, self.limit);
            let records = servers.records(&cut.name).take(room);
            self.reply.authorities.extend(records);
            additional::add(&mut self.reply, zone, &cut.name, servers, self.limit);
        }
    }
}

/// Adds the SOA record of a negative answer (RFC 2308 §2, §3).
fn deny(reply: &mut Message, zone: &Zone) {
    if let (Some(mut record), Some((soa, ttl))) = (zone.soa_record(), zone.soa()) {
        record.ttl = ttl.min(soa.minimum);
        reply.authorities.push(record);
    }
}

#[cfg(test)]
mod packets;
#[cfg(test)]
mod tests;
