//! Answers made beforehand: the octets after the question, ready to be copied.
//!
//! When a zone is loaded, the algorithm answers for each of its sets, and the result is kept as a
//! template. A query for it later is a look-up and a copy, and allocates nothing:
//!
//! ```text
//!   header    id and RD of the query; AA, rcode and counts of the template
//!   question  of the query, octet by octet
//!   records   of the template; a pointer into the question or the records is moved by the
//!             difference between this question's length and that of the template's
//!   OPT       when the query had one
//! ```
//!
//! Moving pointers lets one template serve many names, because these end alike: a referral made for
//! the cut serves all names below it, and one SOA record serves all negative answers of the zone.
//! In a wildcard's answers the owners point to the start of the question, and these pointers stay.
//!
//! Answers without a template (ANY, DNAME, aliases asked for types other than addresses, and long
//! ones) take the long way: [`reply`](super::reply) falls back to the algorithm.

use super::octets::{Answered, Transport};
use super::zones::Zones;
use crate::dns::code::{Class, Rcode, RecordType};
use crate::dns::edns::DO;
use crate::dns::header::{AA, Header, QR, RD};
use crate::dns::message::Message;
use crate::dns::reader::HEADER;
use crate::dns::record::Question;
use crate::dns::zone::{Key, Lookup, Node, Zone};

/// The longest template: longer answers are rare, and their copies would double a large zone.
const MAX_TEMPLATE: usize = 4096;
/// Octets of an OPT record without options.
const OPT: usize = 11;

/// The common answers of a zone.
#[derive(Debug)]
pub(super) struct Prepared {
    /// For each node of the zone, under its number.
    nodes: Vec<Answers>,
    /// The SOA record, for negative answers.
    denial: Option<Template>,
}

/// The answers of a node.
#[derive(Debug, Default)]
struct Answers {
    /// For each type, in the order of types.
    sets: Box<[(RecordType, Template)]>,
    /// For all other types.
    others: Others,
}

#[derive(Debug, Default)]
enum Others {
    /// Take the long way.
    #[default]
    Asked,
    /// There is no such record.
    Denied,
    /// Refer to other servers.
    Referred(Template),
}

/// The octets of a reply after its question.
#[derive(Debug)]
struct Template {
    octets: Box<[u8]>,
    /// The offsets in them of pointers that move with the question's length.
    pointers: Box<[u16]>,
    /// The length of the name in the template's question.
    length: usize,
    authoritative: bool,
    rcode: Rcode,
    counts: [u16; 3],
}

/// The names for which a template holds, besides its own.
#[derive(Clone, Copy, PartialEq)]
enum For {
    /// None.
    Itself,
    /// The names that match a wildcard, which is the template's own name.
    Wildcard,
    /// All names below its own.
    AllBelow,
}

/// A query that the fast path can answer: one question, and perhaps OPT.
struct Plain<'q> {
    id: [u8; 2],
    flags: u16,
    question: &'q [u8],
    key: Key,
    kind: RecordType,
    edns: Option<Opt>,
}

struct Opt {
    payload: u16,
    dnssec_ok: bool,
}

impl<'q> Plain<'q> {
    fn read(query: &'q [u8]) -> Option<Self> {
        let (header, behind) = query.split_first_chunk::<HEADER>()?;
        let [id @ .., f1, f0, q1, q0, a1, a0, n1, n0, r1, r0] = *header;
        let id: [u8; 2] = id;
        let flags = u16::from_be_bytes([f1, f0]);
        // QUERY, one question, and no other record but one additional.
        if flags & 0x7800 != 0 || [q1, q0, a1, a0, n1, n0, r1] != [0, 1, 0, 0, 0, 0, 0] || r0 > 1 {
            return None;
        }
        let key = Key::read(behind)?;
        let (question, rest) = behind.split_at_checked(key.length() + 4)?;
        let [.., k1, k0, c1, c0] = *question else {
            return None;
        };
        let kind = RecordType(u16::from_be_bytes([k1, k0]));
        let is_special = [RecordType::ANY, RecordType::AXFR, RecordType::IXFR].contains(&kind);
        if u16::from_be_bytes([c1, c0]) != Class::IN.0 || is_special {
            return None;
        }
        let edns = match (r0, rest) {
            (0, []) => None,
            (1, [0, 0, 41, p1, p0, _, 0, d1, d0, l1, l0, options @ ..])
                if usize::from(u16::from_be_bytes([*l1, *l0])) == options.len()
                    && are_options(options) =>
            {
                Some(Opt {
                    payload: u16::from_be_bytes([*p1, *p0]),
                    dnssec_ok: u16::from_be_bytes([*d1, *d0]) & DO != 0,
                })
            }
            _ => return None,
        };
        Some(Self {
            id,
            flags,
            question,
            key,
            kind,
            edns,
        })
    }
}

/// Whether these are whole options of an OPT record. Their meaning is not needed: clients send
/// cookies and padding to every server, and a server ignores the options that it does not know (RFC
/// 6891 §6.1.2).
fn are_options(mut octets: &[u8]) -> bool {
    while let [_, _, high, low, rest @ ..] = octets {
        match rest.get(usize::from(u16::from_be_bytes([*high, *low]))..) {
            Some(further) => octets = further,
            None => return false,
        }
    }
    octets.is_empty()
}

/// Answers a plain query whose answer is prepared; `None` sends it the long way.
pub(super) fn reply<'z>(
    zones: &'z Zones,
    query: &[u8],
    transport: Transport,
    out: &mut Vec<u8>,
) -> Option<Answered<'z>> {
    let plain = Plain::read(query)?;
    let (zone, prepared) = zones.of(&plain.key, plain.kind)?;
    let prepared = prepared?;
    let meaning = zone.look_up(&plain.key);
    let (template, rcode) = prepared.find(meaning, plain.kind)?;
    template.write(&plain, rcode, transport, out)?;
    Some(Answered {
        rcode,
        kind: Some(plain.kind),
        zone: Some(zone),
    })
}

impl Prepared {
    /// Prepares the answers of all nodes of a zone, which is one of `zones`.
    pub(super) fn new(zone: &Zone, zones: &Zones) -> Self {
        let mut denial = Message::new(Header::query(0));
        denial.questions = vec![Question::new(zone.apex().clone(), RecordType::SOA)];
        super::deny(&mut denial, zone);
        denial.header.authoritative = true;
        let nodes = zone.nodes.iter().enumerate();
        Self {
            nodes: nodes
                .map(|(index, node)| Answers::new(zones, index, node))
                .collect(),
            denial: Template::new(&denial, For::AllBelow),
        }
    }

    fn find(&self, meaning: Lookup, kind: RecordType) -> Option<(&Template, Rcode)> {
        match meaning {
            Lookup::Node(index) | Lookup::Wildcard(index) => {
                let answers = self.nodes.get(index)?;
                let found = answers.sets.binary_search_by_key(&kind, |set| set.0);
                if let Some((_, template)) = found.ok().and_then(|found| answers.sets.get(found)) {
                    return Some((template, template.rcode));
                }
                match answers.others {
                    Others::Denied => Some((self.denial.as_ref()?, Rcode::NOERROR)),
                    _ => None,
                }
            }
            Lookup::Cut { is_exact, .. } if is_exact && kind == RecordType::DS => None,
            Lookup::Cut { cut, .. } => match &self.nodes.get(cut)?.others {
                Others::Referred(template) => Some((template, Rcode::NOERROR)),
                _ => None,
            },
            Lookup::Nothing => Some((self.denial.as_ref()?, Rcode::NXDOMAIN)),
            Lookup::Dname(_) => None,
        }
    }
}

impl Answers {
    fn new(zones: &Zones, index: usize, node: &Node) -> Self {
        let is_wildcard = node.name.is_wildcard();
        let answer = |kind, names| {
            let question = Question::new(node.name.clone(), kind);
            let mut query = Message::query(0, question);
            query.edns = None;
            Template::new(&zones.answer_within(&query, MAX_TEMPLATE), names)
        };
        if node.cut == Some(index) {
            let referral = answer(RecordType::NS, For::AllBelow);
            return Self {
                sets: Box::default(),
                others: referral.map_or(Others::Asked, Others::Referred),
            };
        }
        if node.cut.is_some() {
            return Self::default();
        }
        let is_alias = node.set(RecordType::CNAME).is_some();
        let mut kinds: Vec<RecordType> = node.sets.iter().map(|set| set.kind).collect();
        if is_alias && !is_wildcard {
            // The target of a wildcard's alias may depend on the name: it may be the name itself.
            kinds.extend([RecordType::A, RecordType::AAAA]);
        }
        kinds.sort_unstable();
        let names = if is_wildcard {
            For::Wildcard
        } else {
            For::Itself
        };
        let count = kinds.len();
        let sets: Box<[_]> = kinds
            .into_iter()
            .filter_map(|kind| Some((kind, answer(kind, names)?)))
            .collect();
        let is_whole = sets.len() == count && !is_alias;
        Self {
            sets,
            others: if is_whole {
                Others::Denied
            } else {
                Others::Asked
            },
        }
    }
}

impl Template {
    /// Keeps the octets after the question of a message; `None` if they do not make a template.
    fn new(message: &Message, names: For) -> Option<Self> {
        let [question] = &message.questions[..] else {
            return None;
        };
        let (octets, pointers) = message.encode_traced().ok()?;
        let length = question.name.wire().len();
        let start = HEADER + length + 4;
        let octets = octets.get(start..).filter(|o| o.len() <= MAX_TEMPLATE)?;
        let mut moving = Vec::new();
        let mut staying = 0;
        for pointer in pointers {
            let at = pointer.checked_sub(start)?;
            match octets.get(at..at + 2)? {
                // A pointer to the name itself stays in an owner, but would be wrong in data.
                [0xc0, 12] if names == For::Wildcard => staying += 1,
                _ => moving.push(at as u16), // below MAX_TEMPLATE
            }
        }
        if staying > message.answers.len() {
            return None;
        }
        if names == For::Itself {
            moving.clear();
        }
        let sections = [&message.answers, &message.authorities, &message.additionals];
        Some(Self {
            octets: octets.into(),
            pointers: moving.into(),
            length,
            authoritative: message.header.authoritative,
            rcode: message.header.rcode,
            counts: sections.map(|section| section.len() as u16), // 11 octets each, at least
        })
    }

    /// Writes the reply; `None`, with nothing written, if it does not fit.
    fn write(
        &self,
        query: &Plain<'_>,
        rcode: Rcode,
        transport: Transport,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let edns = query.edns.as_ref();
        let (limit, payload) = super::octets::limits(edns.map(|opt| opt.payload), transport);
        let length = HEADER + query.question.len() + self.octets.len();
        if length + edns.map_or(0, |_| OPT) > limit {
            return None;
        }
        let authoritative = if self.authoritative { AA } else { 0 };
        let flags = QR | authoritative | query.flags & RD | rcode.0;
        let [answers, authorities, additionals] = self.counts;
        let additionals = additionals + u16::from(edns.is_some());
        out.extend_from_slice(&query.id);
        for word in [flags, 1, answers, authorities, additionals] {
            out.extend_from_slice(&word.to_be_bytes());
        }
        out.extend_from_slice(query.question);
        let records = out.len();
        out.extend_from_slice(&self.octets);
        let further = query.key.length().wrapping_sub(self.length) as u16;
        for at in &self.pointers {
            let at = records + usize::from(*at);
            if let Some([high, low]) = out.get_mut(at..at + 2) {
                // The upper two bits, which mark a pointer, stay: offsets are far below 2^14.
                let moved = u16::from_be_bytes([*high, *low]).wrapping_add(further);
                [*high, *low] = moved.to_be_bytes();
            }
        }
        if let Some(opt) = edns {
            let [p1, p0] = payload.to_be_bytes();
            let dnssec_ok = if opt.dnssec_ok { 0x80 } else { 0 };
            out.extend_from_slice(&[0, 0, 41, p1, p0, 0, 0, dnssec_ok, 0, 0, 0]);
        }
        Some(())
    }
}
