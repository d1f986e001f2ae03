//! The additional section: records that the client would ask for next (RFC 1034 §4.3.2, step 6).
//!
//! - The addresses of the hosts that NS, MX, SRV, SVCB and HTTPS records name, if a zone here has
//!   them, from wildcards too; glue for NS records only.
//! - The records at the target of an SVCB or HTTPS record in AliasMode (RFC 9460 §4.1; not those at
//!   the target of one in ServiceMode, for which no client asks).
//!
//! A host is added once, however many records name it. The hosts below a delegation come first,
//! because a reply that lacks one of them must say so (RFC 9471 §3.1). Nothing is added to a reply
//! that is already too long for its transport. So the work for a query is limited by what can be
//! sent, not by the number of records that the zone's owner has put at one name.

use std::collections::BTreeSet;

use super::MAX_ALIASES;
use crate::dns::code::RecordType;
use crate::dns::data::Data;
use crate::dns::message::Message;
use crate::dns::name::Name;
use crate::dns::zone::{RecordSet, Zone};

/// The fewest octets of a record: the root, type, class, TTL and length.
const MIN_RECORD: usize = 11;

/// How many more records a reply may get before it is certainly longer than `limit` octets.
pub(super) fn room(reply: &Message, limit: usize) -> usize {
    let records = reply.answers.len() + reply.authorities.len() + reply.additionals.len();
    (limit / MIN_RECORD + 1).saturating_sub(records)
}

/// Adds the records for a set that is in the reply under the name `owner`.
pub(super) fn add(reply: &mut Message, zone: &Zone, owner: &Name, set: &RecordSet, limit: usize) {
    let with_glue = set.kind == RecordType::NS;
    let take = |reply: &mut Message, host: &Name, kind| {
        let set = zone.node_of(host, with_glue)?.set(kind)?;
        let room = room(reply, limit);
        reply.additionals.extend(set.records(host).take(room));
        Some(set)
    };
    let (mut owner, mut set) = (owner.clone(), set);
    let (mut aliases, mut hosts) = (BTreeSet::new(), BTreeSet::new());
    loop {
        for host in in_order(set, &owner) {
            if room(reply, limit) == 0 {
                return;
            }
            if hosts.insert(host.clone()) {
                take(reply, &host, RecordType::A);
                take(reply, &host, RecordType::AAAA);
            }
        }
        let Some(target) = set.data.iter().find_map(alias) else {
            return;
        };
        aliases.insert(owner);
        if aliases.contains(target) || aliases.len() > MAX_ALIASES {
            return;
        }
        let Some(further) = take(reply, target, set.kind) else {
            return;
        };
        (owner, set) = (target.clone(), further);
    }
}

/// The hosts of a set; for a delegation, those below it first.
fn in_order(set: &RecordSet, owner: &Name) -> Vec<Name> {
    let host = |data: &Data| match data {
        // `.` is the owner itself (RFC 9460 §2.5.2).
        Data::Svcb(svcb) | Data::Https(svcb) if svcb.priority > 0 && svcb.target.is_root() => {
            Some(owner.clone())
        }
        _ => data.host().cloned(),
    };
    let mut hosts: Vec<Name> = set.data.iter().filter_map(host).collect();
    if set.kind == RecordType::NS {
        hosts.sort_by_key(|host| !host.is_within(owner));
    }
    hosts
}

/// The target of an SVCB or HTTPS record in AliasMode.
fn alias(data: &Data) -> Option<&Name> {
    match data {
        Data::Svcb(svcb) | Data::Https(svcb) if svcb.priority == 0 => data.host(),
        _ => None,
    }
}
