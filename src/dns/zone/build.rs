//! From records to a zone, and the rules that records have to keep together.
//!
//! Records that would make a zone's answers contradict each other are an error, and the zone is not
//! served:
//!
//! | rule | source |
//! |---|---|
//! | one SOA record; its owner is the apex, where NS records are, too | RFC 1035 §5.2, RFC 2181 §6.1 |
//! | no record outside the zone | RFC 1035 §5.2 |
//! | a CNAME record alone at its name, but for RRSIG, NSEC and KEY | RFC 1034 §3.6.2, RFC 4035 §2.5 |
//! | one DNAME record at a name, nothing below it, no NS beside it but at the apex | RFC 6672 §2.3, §2.4 |
//! | no DNAME record at a wildcard | RFC 4592 §4.4 |
//! | no DS record at the apex: it belongs to the parent zone | RFC 4035 §2.4 |
//!
//! NS records at a wildcard are an error here, too. RFC 4592 §4.2 only discourages them, but leaves
//! open what they mean, so there is nothing that a server could answer.
//!
//! Faults that other servers accept are a warning: TTLs that differ within a set (the smallest
//! counts, RFC 2181 §5.2), duplicate records (RFC 2181 §5), servers without an address, hosts that
//! are aliases (RFC 2181 §10.3, RFC 2782), a null MX among others (RFC 7505 §3), data hidden by a
//! delegation.

use std::collections::BTreeSet;

use super::parser::{Limits, Placed};
use super::problem::{Place, Report};
use super::table::Key;
use super::{Lookup, Node, RecordSet, Zone};
use crate::dns::code::RecordType;
use crate::dns::data::Data;
use crate::dns::header::Header;
use crate::dns::message::{MAX_MESSAGE, Message};
use crate::dns::name::Name;

/// The most octets of a record set: a message less header, question and OPT.
const MAX_SET: usize = MAX_MESSAGE - 12 - 255 - 4 - 11;
/// This many records of a set are compared with each new one; further ones are found by their hash.
const FEW: usize = 16;
/// The octets of a record before its data, if its owner is a pointer.
const MIN_RECORD: usize = 12;

/// Builds the zone of these records; `None` if they do not say where it begins.
pub(super) fn zone(records: Vec<Placed>, limits: Limits, report: &mut Report) -> Option<Zone> {
    let is_soa = |placed: &&Placed| matches!(placed.record.data, Data::Soa(_));
    let Some(soa) = records.iter().find(is_soa) else {
        report.error(Place::start(0), "no SOA record");
        return None;
    };
    let mut zone = Zone::empty(soa.record.name.clone());
    let soa_place = soa.place;
    // The first record of each set, in whose place the rules between sets report.
    let mut firsts = Vec::new();
    let mut hashes = BTreeSet::new();
    for Placed { record, place } in records {
        if !record.name.is_within(zone.apex()) {
            let what = format!("{} is outside of the zone {}", record.name, zone.apex());
            report.error(place, what);
            continue;
        }
        let kind = record.data.kind();
        let node = zone.grow(&record.name);
        if zone.nodes.len() > limits.records {
            let what = format!("zone of more than {} names", limits.records);
            report.stop(place, what);
            return None;
        }
        let is_there = |set: &RecordSet, data: &Data| is_there(set, data, node, &mut hashes);
        let placed = (record.ttl, record.data, place);
        match add(&mut zone.nodes[node], placed, is_there, report) {
            Added::NewSet => firsts.push((node, kind, place)),
            Added::ToSet => {}
        }
    }
    zone.connect();
    let servers = servers(&zone);
    for (node, kind, place) in firsts {
        check_set(&zone, node, kind, place, report);
        check_cut(&zone, &servers, node, kind, place, report);
    }
    if zone.apex_node().set(RecordType::NS).is_none() {
        report.error(soa_place, format!("{} has no NS record", zone.apex()));
    }
    Some(zone)
}

/// Where a record was added.
enum Added {
    NewSet,
    ToSet,
}

fn add(
    node: &mut Node,
    (ttl, data, place): (u32, Data, Place),
    is_there: impl FnOnce(&RecordSet, &Data) -> bool,
    report: &mut Report,
) -> Added {
    let kind = data.kind();
    let name = &node.name;
    let Some(set) = node.sets.iter_mut().find(|set| set.kind == kind) else {
        node.sets.push(RecordSet {
            kind,
            ttl,
            data: vec![data],
        });
        return Added::NewSet;
    };
    if set.data.len() * MIN_RECORD > MAX_SET {
        report.error(
            place,
            format!("{name} {kind} has more records than a message can hold"),
        );
    } else if is_there(set, &data) {
        report.warning(place, format!("{name} {kind} {data} is there twice"));
    } else if matches!(
        kind,
        RecordType::SOA | RecordType::CNAME | RecordType::DNAME
    ) {
        report.error(place, format!("a second {kind} record at {name}"));
    } else {
        set.data.push(data);
    }
    if set.ttl != ttl {
        let least = set.ttl.min(ttl);
        let what = format!("TTLs of {name} {kind} differ: {least}, the smallest, counts");
        report.warning(place, what);
        set.ttl = least;
    }
    Added::ToSet
}

/// Whether a set already has this data. `hashes` has those of the node's records beyond the first
/// few, so that a long set is not compared with each new record.
fn is_there(
    set: &RecordSet,
    data: &Data,
    node: usize,
    hashes: &mut BTreeSet<(usize, RecordType, u64)>,
) -> bool {
    if set.data.iter().take(FEW).any(|one| one == data) || set.data.len() < FEW {
        return set.data.contains(data);
    }
    // FNV-1a, without case because names are equal without it.
    let hash = data
        .to_wire()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, octet| {
            (hash ^ u64::from(octet.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3)
        });
    !hashes.insert((node, set.kind, hash)) && set.data.contains(data)
}

/// Whether a message can hold the set, whatever name it is asked for by.
fn fits(name: &Name, set: &RecordSet) -> bool {
    let mut message = Message::new(Header::query(0));
    message.answers = set.records(name).collect();
    message
        .encode()
        .is_ok_and(|octets| octets.len() - 12 <= MAX_SET)
}

/// Checks a set against its neighbours.
fn check_set(zone: &Zone, index: usize, kind: RecordType, place: Place, report: &mut Report) {
    let node = &zone.nodes[index];
    let (name, is_apex) = (&node.name, index == 0);
    let Some(set) = node.set(kind) else { return };
    let octets: usize = set
        .data
        .iter()
        .map(|data| MIN_RECORD + data.to_wire().len())
        .sum();
    if octets > MAX_SET && !fits(name, set) {
        report.error(place, format!("{name} {kind} is longer than a message"));
    }
    match kind {
        RecordType::SOA if !is_apex => {
            let what = format!("a second SOA record; the zone begins at {}", zone.apex());
            report.error(place, what);
        }
        RecordType::CNAME if is_apex => {
            report.error(
                place,
                format!("CNAME record at {name}, where the zone begins"),
            );
        }
        RecordType::CNAME => {
            let allowed = [kind, RecordType::RRSIG, RecordType::NSEC, RecordType::KEY];
            let mut others = node.sets.iter().map(|set| set.kind);
            if let Some(other) = others.find(|other| !allowed.contains(other)) {
                report.error(place, format!("{name} has a CNAME record and {other}"));
            }
        }
        RecordType::DS if is_apex => {
            let what = format!("DS record at {name}, where the zone begins (RFC 4035 §2.4)");
            report.error(place, what);
        }
        RecordType::DNAME if node.set(RecordType::NS).is_some() && !is_apex => {
            report.error(place, format!("{name} has a DNAME record and NS"));
        }
        RecordType::DNAME | RecordType::NS if name.is_wildcard() => {
            report.error(place, format!("{kind} record at the wildcard {name}"));
        }
        RecordType::NS | RecordType::MX | RecordType::SRV => {
            check_hosts(zone, name, set, place, report);
        }
        _ => {}
    }
    let above = node.parent.and_then(|parent| zone.nodes.get(parent));
    if let Some(dname) = above.and_then(|above| above.dname.map(|dname| &zone.nodes[dname])) {
        report.error(
            place,
            format!("{name} is below the DNAME record at {}", dname.name),
        );
    }
}

/// Warns of data hidden by a delegation: all but itself, the DS record, and the servers' addresses.
fn check_cut(
    zone: &Zone,
    servers: &BTreeSet<usize>,
    index: usize,
    kind: RecordType,
    place: Place,
    report: &mut Report,
) {
    let node = &zone.nodes[index];
    let Some(cut) = node.cut else { return };
    let is_served = match kind {
        RecordType::A | RecordType::AAAA => servers.contains(&index),
        // RFC 4035 §2.3, §2.4.
        RecordType::NS | RecordType::DS | RecordType::NSEC | RecordType::RRSIG => cut == index,
        _ => false,
    };
    if !is_served {
        let (name, cut) = (&node.name, &zone.nodes[cut].name);
        let what = format!("{name} {kind} is not served: {cut} is delegated");
        report.warning(place, what);
    }
}

/// The nodes of the hosts that NS records name.
fn servers(zone: &Zone) -> BTreeSet<usize> {
    let sets = zone
        .nodes
        .iter()
        .filter_map(|node| node.set(RecordType::NS));
    let hosts = sets.flat_map(|set| set.data.iter().filter_map(Data::host));
    hosts
        .filter_map(|host| zone.exact(&Key::new(host)))
        .collect()
}

/// Checks the hosts that the records of a set name.
fn check_hosts(zone: &Zone, name: &Name, set: &RecordSet, place: Place, report: &mut Report) {
    let hosts: Vec<&Name> = set.data.iter().filter_map(Data::host).collect();
    if set.kind == RecordType::MX && !hosts.is_empty() && hosts.len() < set.data.len() {
        let what = "MX says that there is no mail, and names a host (RFC 7505 §3)";
        report.warning(place, format!("{name} {what}"));
    }
    for host in hosts {
        check_host(zone, name, set.kind, host, place, report);
    }
}

/// Checks the host that a record names, if it is in this zone.
fn check_host(
    zone: &Zone,
    name: &Name,
    kind: RecordType,
    host: &Name,
    place: Place,
    report: &mut Report,
) {
    if !host.is_within(zone.apex()) {
        return;
    }
    let node = zone.node_of(host, true);
    let has = |kind| node.is_some_and(|node| node.set(kind).is_some());
    match zone.look_up(&Key::new(host)) {
        // The target may be in another zone.
        Lookup::Dname(_) => {}
        _ if has(RecordType::CNAME) => {
            let rule = match kind {
                RecordType::SRV => "RFC 2782, \"Target\"",
                _ => "RFC 2181 §10.3",
            };
            let what = format!("{name} {kind} leads to {host}, which is an alias ({rule})");
            report.warning(place, what);
        }
        _ if has(RecordType::A) || has(RecordType::AAAA) => {}
        // The address of a server below another delegation belongs there.
        Lookup::Cut { cut, .. } if kind == RecordType::NS && zone.nodes[cut].name != *name => {}
        _ => report.warning(
            place,
            format!("{name} {kind} leads to {host}, which has no address"),
        ),
    }
}
