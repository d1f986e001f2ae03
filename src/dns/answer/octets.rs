//! From the octets of a query to those of the reply: what a server does for every packet.
//!
//! | query | reply |
//! |---|---|
//! | less than 12 octets, or QR set | none: two servers would answer each other for ever |
//! | another opcode than QUERY | NOTIMP |
//! | malformed, or not one question | FORMERR |
//! | an OPT record of a version above 0 | BADVERS (RFC 6891 §6.1.3) |
//! | another class than IN; a name in no zone | REFUSED |
//! | AXFR, IXFR over UDP | NOTIMP, FORMERR |
//! | AXFR, IXFR over TCP | for the caller: [`Outcome::Transfer`] |
//!
//! The question goes back octet by octet, with its case. A reply has an OPT record when the query
//! had one, however malformed the rest was. Over UDP it has at most 512 octets, or what the OPT
//! record allows and the server, too; what does not fit is left out by whole record sets, with TC.

use super::{Zones, prepared};
use crate::dns::code::{Class, Opcode, Rcode, RecordType};
use crate::dns::data::Data;
use crate::dns::edns::{CLASSIC_UDP, Edns, SAFE_UDP};
use crate::dns::error::DecodeError;
use crate::dns::header::Header;
use crate::dns::message::{MAX_MESSAGE, Message};
use crate::dns::reader::{HEADER, Reader};
use crate::dns::record::{Question, RecordHead};
use crate::dns::zone::{Key, Zone};

/// How a query came, which bounds the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// In a datagram.
    Udp {
        /// The longest reply in octets, whatever the query allows; [`SAFE_UDP`](crate::dns::SAFE_UDP)
        /// passes everywhere.
        most: u16,
    },
    /// In a stream: 65,535 octets.
    Tcp,
}

/// What becomes of a query.
#[derive(Debug)]
pub enum Outcome<'z> {
    /// Nothing is sent.
    Silence,
    /// The reply was written behind what `out` had.
    Reply(Answered<'z>),
    /// A zone is asked for as a whole, over TCP; nothing was written. Whoever may have it gets
    /// [`Zone::transfer`] of the zone and query, others [`refuse`] (RFC 5936 §5).
    Transfer(&'z Zone, Message),
}

/// What was answered, for logs, metrics and limits of rate.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'z> {
    /// How it ended.
    pub rcode: Rcode,
    /// The type that was asked for; `None` when the question could not be read. The name stands in
    /// the query from offset 12 on.
    pub kind: Option<RecordType>,
    /// The zone that answered.
    pub zone: Option<&'z Zone>,
}

/// Answers the octets of a query: writes the reply behind what `out` has. On the common way (one
/// plain question whose answer is prepared) it allocates nothing, if `out` has room.
pub fn reply<'z>(
    zones: &'z Zones,
    query: &[u8],
    transport: Transport,
    out: &mut Vec<u8>,
) -> Outcome<'z> {
    // Id, then QR in the first bit of the flags, somewhere in a whole header.
    match query {
        [_, _, 0..=127, ..] if query.len() >= HEADER => {}
        _ => return Outcome::Silence,
    }
    match prepared::reply(zones, query, transport, out) {
        Some(answered) => Outcome::Reply(answered),
        None => match Header::decode(query) {
            Ok(header) => reply_at_length(zones, query, header, transport, out),
            Err(_) => Outcome::Silence,
        },
    }
}

/// Answers by the algorithm.
pub(super) fn reply_at_length<'z>(
    zones: &'z Zones,
    query: &[u8],
    header: Header,
    transport: Transport,
    out: &mut Vec<u8>,
) -> Outcome<'z> {
    let message = match Message::decode(query) {
        _ if header.opcode != Opcode::QUERY => return fail(query, header, Rcode::NOTIMP, out),
        Ok(message) => message,
        Err(_) => return fail(query, header, Rcode::FORMERR, out),
    };
    let allowed = message.edns.as_ref().map(|edns| edns.udp_size);
    let (limit, payload) = limits(allowed, transport);
    let mut answer = match (&message.questions[..], transport) {
        ([question], Transport::Tcp) if is_transfer(&message, question) => {
            match zones.at(&question.name) {
                Some(zone) if !is_up_to_date(&message, zone) => {
                    return Outcome::Transfer(zone, message);
                }
                Some(zone) => current(zone, &message),
                // RFC 5936 §2.2.1.
                None => refusal(&message, Rcode::NOTAUTH),
            }
        }
        _ => zones.answer_within(&message, limit),
    };
    if let Some(edns) = &mut answer.edns {
        edns.udp_size = payload;
    }
    *out = answer.encode_within(limit, std::mem::take(out));
    Outcome::Reply(Answered {
        rcode: answer.header.rcode,
        kind: message.questions.first().map(|question| question.kind),
        zone: match &answer.questions[..] {
            [question] => zones
                .of(&Key::new(&question.name), question.kind)
                .map(|of| of.0),
            _ => None,
        },
    })
}

/// The reply to a query that is refused for a reason of the server's own: a transfer to somebody
/// who may not have it.
pub fn refuse(query: &Message, out: &mut Vec<u8>) {
    *out = refusal(query, Rcode::REFUSED).encode_within(MAX_MESSAGE, std::mem::take(out));
}

fn refusal(query: &Message, rcode: Rcode) -> Message {
    let mut reply = Message::new(query.header.reply());
    reply.questions = query.questions.clone();
    reply.edns = query.edns.as_ref().map(|_| Edns::default());
    reply.header.rcode = rcode;
    reply
}

/// How long the reply may be, and how long a query the server takes over UDP, in octets. The query
/// allows what its OPT record says, at least 512 (RFC 6891 §6.2.5).
pub(super) fn limits(allowed: Option<u16>, transport: Transport) -> (usize, u16) {
    match transport {
        Transport::Udp { most } => {
            let most = most.max(CLASSIC_UDP);
            let allowed = allowed.unwrap_or_default().max(CLASSIC_UDP);
            (usize::from(allowed.min(most)), most)
        }
        Transport::Tcp => (MAX_MESSAGE, SAFE_UDP),
    }
}

fn is_transfer(query: &Message, question: &Question) -> bool {
    let version = query.edns.as_ref().map_or(0, |edns| edns.version);
    let kinds = [RecordType::AXFR, RecordType::IXFR];
    version == 0 && question.class == Class::IN && kinds.contains(&question.kind)
}

/// Whether somebody asks for changes and has the zone as it is (RFC 1995 §2). Those who do not get
/// it as a whole, as from any server that keeps no changes (§4).
fn is_up_to_date(query: &Message, zone: &Zone) -> bool {
    let asks_for_changes = query.questions.iter().any(|q| q.kind == RecordType::IXFR);
    let has = query
        .authorities
        .iter()
        .find_map(|record| match &record.data {
            Data::Soa(soa) => Some(soa.serial),
            _ => None,
        });
    // Newer is a difference below 2^31 (RFC 1982 §3.2).
    let is_current = |serial: u32| serial.wrapping_sub(zone.serial()) < 1 << 31;
    asks_for_changes && has.is_some_and(is_current)
}

/// The reply to somebody who is up to date: the SOA record alone.
fn current(zone: &Zone, query: &Message) -> Message {
    let mut reply = refusal(query, Rcode::NOERROR);
    reply.header.authoritative = true;
    reply.answers.extend(zone.soa_record());
    reply
}

/// Answers what cannot be read, or not be done: with the question when there is one to be read.
fn fail<'z>(query: &[u8], header: Header, rcode: Rcode, out: &mut Vec<u8>) -> Outcome<'z> {
    let mut reply = Message::new(header.reply());
    reply.header.rcode = rcode;
    let questions = Message::decode_head(query).map(|(_, questions)| questions);
    reply.questions = questions.unwrap_or_default();
    if reply.questions.len() != 1 {
        reply.questions.clear();
    }
    if has_opt(query) {
        reply.edns = Some(Edns::default());
    }
    *out = reply.encode_within(CLASSIC_UDP.into(), std::mem::take(out));
    Outcome::Reply(Answered {
        rcode,
        kind: reply.questions.first().map(|question| question.kind),
        zone: None,
    })
}

/// Whether an OPT record begins somewhere in a message, which may be malformed in it or behind it.
fn has_opt(query: &[u8]) -> bool {
    let find = || -> Result<bool, DecodeError> {
        let r = &mut Reader::new(query);
        let (_, counts) = Header::read(r)?;
        for _ in 0..counts.questions {
            Question::decode(r)?;
        }
        let records = [counts.answers, counts.authorities, counts.additionals];
        for _ in 0..records.map(u32::from).iter().sum() {
            if RecordHead::decode(r)?.kind == RecordType::OPT {
                return Ok(true);
            }
            let length = r.u16()?;
            r.bytes(length.into())?;
        }
        Ok(false)
    };
    find().unwrap_or(false)
}
