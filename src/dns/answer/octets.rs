//! From the octets of a query to those of the reply: what a server does for each packet.
//!
//! | query | reply |
//! |---|---|
//! | less than 12 octets, or QR set | none: otherwise two servers would answer each other for ever |
//! | another opcode than QUERY | NOTIMP |
//! | malformed, or not one question | FORMERR (RFC 9619 §4) |
//! | an OPT record of a version above 0 | BADVERS (RFC 6891 §6.1.3) |
//! | a signature (TSIG) | NOTAUTH and BADKEY: the server knows no key (RFC 8945 §5.2.1) |
//! | another class than IN; a name in no zone | REFUSED |
//! | AXFR over UDP | NOTIMP |
//! | IXFR over UDP, or from a client that is up to date | the SOA record (RFC 1995 §2) |
//! | AXFR or another IXFR over TCP | for the caller: [`Outcome::Transfer`] |
//!
//! The question is copied octet by octet, so its case is kept. A reply has an OPT record if one can
//! be found in the query, however malformed the rest is. Over UDP a reply has at most 512 octets,
//! or the smaller of what the OPT record and the server allow; if it does not fit, whole record
//! sets are left out, with TC.

use super::{Zones, prepared, tsig};
use crate::dns::code::{Class, Opcode, Rcode, RecordType};
use crate::dns::data::Data;
use crate::dns::edns::{CLASSIC_UDP, DO, Edns, SAFE_UDP};
use crate::dns::header::{COUNTS, Header};
use crate::dns::message::{MAX_MESSAGE, Message};
use crate::dns::reader::{HEADER, Reader};
use crate::dns::record::Question;
use crate::dns::zone::{Key, Zone};

/// The transport of a query, which limits the reply.
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

/// What to do with a query.
#[derive(Debug)]
pub enum Outcome<'z> {
    /// Nothing is sent.
    Silence,
    /// The reply was appended to `out`.
    Reply(Answered<'z>),
    /// A client asks for a whole zone over TCP; nothing was written. If the client may have it,
    /// send [`Zone::transfer`] of the zone and query, otherwise [`refuse`] (RFC 5936 §5).
    Transfer(&'z Zone, Message),
}

/// What was answered, for logs, metrics and rate limits.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'z> {
    /// The response code.
    pub rcode: Rcode,
    /// The type that was asked for; `None` if the question could not be read. The name is in the
    /// query, at offset 12.
    pub kind: Option<RecordType>,
    /// The zone that answered.
    pub zone: Option<&'z Zone>,
}

/// Answers the octets of a query: appends the reply to `out`. The common case (one plain question
/// whose answer is prepared) allocates nothing, if `out` has room.
pub fn reply<'z>(
    zones: &'z Zones,
    query: &[u8],
    transport: Transport,
    out: &mut Vec<u8>,
) -> Outcome<'z> {
    // The id, QR in the first bit of the flags, and the rest of a whole header.
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
    // Checked before the rest is read, which costs time.
    if header.opcode != Opcode::QUERY {
        return fail(query, header, Rcode::NOTIMP, out);
    }
    let message = match has_one_question(query) {
        true => Message::decode(query).ok(),
        false => None,
    };
    let Some(message) = message else {
        return fail(query, header, Rcode::FORMERR, out);
    };
    let question = message.questions.first();
    let kind = question.map(|question| question.kind);
    let allowed = message.edns.as_ref().map(|edns| edns.udp_size);
    let (limit, payload) = limits(allowed, transport);
    match tsig::of(&message, heads(query).map(|(kind, _)| kind)) {
        Ok(None) => {}
        Ok(Some(signature)) if tsig::refuse(&message, signature, limit, out).is_ok() => {
            return Outcome::Reply(Answered {
                rcode: Rcode::NOTAUTH,
                kind,
                zone: None,
            });
        }
        _ => return fail(query, header, Rcode::FORMERR, out),
    }
    let mut answer = match (question, transport) {
        (Some(question), Transport::Tcp) if is_transfer(&message, question) => {
            match zones.at(&question.name) {
                Some(zone) if !is_up_to_date(&message, zone) => {
                    return Outcome::Transfer(zone, message);
                }
                Some(_) => zones.answer_within(&message, limit),
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
        kind,
        zone: question
            .and_then(|question| zones.of(&Key::new(&question.name), question.kind))
            .map(|of| of.0),
    })
}

/// The reply to a query that the server refuses for a reason of its own: a transfer to a client
/// that may not have the zone.
pub fn refuse(query: &Message, out: &mut Vec<u8>) {
    *out = refusal(query, Rcode::REFUSED).encode_within(MAX_MESSAGE, std::mem::take(out));
}

fn refusal(query: &Message, rcode: Rcode) -> Message {
    let mut reply = query.reply();
    reply.header.rcode = rcode;
    reply
}

/// The limit of the reply, and of a query that the server takes over UDP, in octets. The query
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

/// Whether an IXFR client already has this version of the zone (RFC 1995 §2). Others get the whole
/// zone, as from any server that keeps no changes (§4).
fn is_up_to_date(query: &Message, zone: &Zone) -> bool {
    let asks_for_changes = query.questions.iter().any(|q| q.kind == RecordType::IXFR);
    let has = query
        .authorities
        .iter()
        .find_map(|record| match &record.data {
            Data::Soa(soa) => Some(soa.serial),
            _ => None,
        });
    // Not older: the difference is below 2^31 (RFC 1982 §3.2).
    let is_current = |serial: u32| serial.wrapping_sub(zone.serial()) < 1 << 31;
    asks_for_changes && has.is_some_and(is_current)
}

/// Answers a query that cannot be read or done, with the question if it can be read.
fn fail<'z>(query: &[u8], header: Header, rcode: Rcode, out: &mut Vec<u8>) -> Outcome<'z> {
    let mut reply = Message::new(header.reply());
    reply.header.rcode = rcode;
    if has_one_question(query) {
        let head = Message::decode_head(query);
        reply.questions = head.map(|head| head.1).unwrap_or_default();
    }
    reply.edns = find_opt(query).as_ref().map(Edns::reply);
    *out = reply.encode_within(CLASSIC_UDP.into(), std::mem::take(out));
    Outcome::Reply(Answered {
        rcode,
        kind: reply.questions.first().map(|question| question.kind),
        zone: None,
    })
}

/// Whether the header says that there is exactly one question.
fn has_one_question(query: &[u8]) -> bool {
    query.get(COUNTS..COUNTS + 2) == Some(&[0, 1])
}

/// Finds the OPT record in a message that may be malformed, in that record or after it. Only its
/// fixed fields count.
fn find_opt(query: &[u8]) -> Option<Edns> {
    let (_, ttl) = heads(query).find(|(kind, _)| *kind == RecordType::OPT)?;
    Some(Edns {
        dnssec_ok: ttl & u32::from(DO) != 0,
        ..Edns::default()
    })
}

/// The type and TTL of each record of a message that may be malformed, as far as they can be read.
/// Pointers are not followed, so this is one walk over the octets.
fn heads(query: &[u8]) -> impl Iterator<Item = (RecordType, u32)> {
    let mut r = Reader::new(query);
    let mut left = skip_questions(&mut r).unwrap_or(0);
    std::iter::from_fn(move || {
        left = left.checked_sub(1)?;
        skip_name(&mut r)?;
        let (kind, _class) = (r.u16().ok()?, r.u16().ok()?);
        let ttl = r.u32().ok()?;
        let rdata = r.u16().and_then(|length| r.bytes(length.into()));
        if rdata.is_err() {
            left = 0;
        }
        Some((RecordType(kind), ttl))
    })
}

/// Skips the header and the questions; returns the number of records that follow.
fn skip_questions(r: &mut Reader<'_>) -> Option<u32> {
    let (_, counts) = Header::read(r).ok()?;
    for _ in 0..counts.questions {
        skip_name(r)?;
        r.u32().ok()?;
    }
    let records = [counts.answers, counts.authorities, counts.additionals];
    Some(records.map(u32::from).iter().sum())
}

fn skip_name(r: &mut Reader<'_>) -> Option<()> {
    loop {
        match r.u8().ok()? {
            0 => return Some(()),
            length @ 1..=63 => r.bytes(length.into()).ok()?,
            _ => return r.u8().ok().map(drop),
        };
    }
}
