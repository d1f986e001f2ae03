//! DNS in words: question and records in a line. Pure. RFC 1035, 6891 (OPT), 6762 (mDNS), 4795
//! (LLMNR).

use std::net::IpAddr;

use super::digits::Text;
use crate::capture::field::dns::{address, records as all_records};
use crate::dns::record::{Question, Record};
use crate::dns::{Data, Header, Message, Name, Opcode, Rcode, RecordType};

/// The longest list of records, in bytes; `…` stands for the rest.
const MOST: usize = 4096;

/// In mDNS the top bit of a class is not part of its number: it means "cache flush" in a record,
/// and "unicast reply wanted" in a question (RFC 6762 §5.4, §10.2).
const TOP_BIT: u16 = 0x8000;

/// The words for a response code.
pub(super) fn rcode(rcode: Rcode) -> Option<&'static str> {
    Some(match rcode.0 {
        0 => "No error",
        1 => "Format error",
        2 => "Server failure",
        3 => "No such name",
        4 => "Not implemented",
        5 => "Refused",
        6 => "Name exists",
        7 => "RRset exists",
        8 => "RRset does not exist",
        9 => "Not authoritative",
        10 => "Name out of zone",
        11 => "DSO-Type not implemented",
        16 => "Bad OPT version or TSIG signature failure",
        17 => "Key not recognized",
        18 => "Signature out of time window",
        _ => return None,
    })
}

/// The words for an opcode.
pub(super) fn opcode(opcode: Opcode) -> Option<&'static str> {
    Some(match opcode.0 {
        0 => "Standard query",
        1 => "Inverse query",
        2 => "Server status request",
        4 => "Zone change notification",
        5 => "Dynamic update",
        6 => "DNS Stateful operations (DSO)",
        _ => return None,
    })
}

/// Adds `Standard query response`.
pub(super) fn operation(out: &mut Text, header: &Header) {
    match opcode(header.opcode) {
        Some(name) => out.text(name),
        None => {
            out.text("Unknown operation (");
            out.number(header.opcode.0);
            out.text(")");
        }
    }
    if header.response {
        out.text(" response");
    }
}

/// Adds a response code.
pub(super) fn reply_code(out: &mut Text, code: Rcode) {
    match rcode(code) {
        Some(name) => out.text(name),
        None => {
            out.text("Unknown error (");
            out.number(code.0);
            out.text(")");
        }
    }
}

/// Adds a name without the dot at its end, its labels made visible.
pub(super) fn name(out: &mut Text, name: &Name) {
    if name.is_root() {
        return out.text("<Root>");
    }
    let mut first = true;
    for label in name.labels() {
        if !std::mem::take(&mut first) {
            out.text(".");
        }
        out.wire(label);
    }
}

/// Adds a record type.
pub(super) fn record_type(out: &mut Text, kind: RecordType) {
    match (kind.0, kind.name()) {
        (0, _) => out.text("Unused"),
        (_, Some(name)) => out.text(name),
        (number, None) => {
            out.text("Unknown (");
            out.number(number);
            out.text(")");
        }
    }
}

/// The info column. The part that cannot be decoded is marked with `broken`, after the rest.
pub(super) fn info(out: &mut Text, octets: &[u8], mdns: bool, broken: &str) {
    let whole = Message::decode(octets);
    let is_whole = whole.is_ok();
    match whole.or_else(|_| Message::decode_partial(octets)) {
        Ok(message) => records(out, &message, mdns),
        Err(_) => {
            if let Ok(header) = Header::decode(octets) {
                head(out, &header, &[], mdns);
            }
        }
    }
    if !is_whole {
        out.text(broken);
    }
}

fn records(out: &mut Text, message: &Message, mdns: bool) {
    let end = out.len() + MOST;
    head(out, &message.header, &message.questions, mdns);
    for record in all_records(message) {
        if out.len() > end {
            return out.text(" …");
        }
        out.space();
        one(out, record, mdns);
    }
    if message.edns.is_some() {
        out.text(" OPT");
    }
}

fn head(out: &mut Text, header: &Header, questions: &[Question], mdns: bool) {
    let end = out.len() + MOST;
    operation(out, header);
    out.text(" 0x");
    out.hex(header.id, 4);
    if header.response && header.rcode != Rcode::NOERROR {
        out.space();
        reply_code(out, header.rcode);
    }
    for question in questions {
        if out.len() > end {
            return out.text(" …");
        }
        out.space();
        record_type(out, question.kind);
        out.space();
        name(out, &question.name);
        if mdns && question.class.0 & TOP_BIT != 0 {
            out.text(", \"QU\" question");
        } else if mdns {
            out.text(", \"QM\" question");
        }
    }
}

/// One record: its type, and the most important part of its data.
fn one(out: &mut Text, record: &Record, mdns: bool) {
    record_type(out, record.data.kind());
    if mdns && record.class.0 & TOP_BIT != 0 {
        out.text(", cache flush");
    }
    match &record.data {
        Data::Txt(_) | Data::Caa(_) | Data::Ds(_) | Data::Sshfp(_) => {}
        Data::Svcb(_) | Data::Https(_) => {}
        Data::Tlsa(_) => owner(out, record),
        Data::Opaque(data) => match (data.kind(), data.bytes()) {
            (RecordType::NULL | RecordType::RP | RecordType::AFSDB, _) => owner(out, record),
            (RecordType::NSEC, bytes) => {
                out.space();
                raw_name(out, bytes);
            }
            _ => match address(&record.data) {
                Some(IpAddr::V4(address)) => {
                    out.space();
                    out.ipv4(address);
                }
                Some(IpAddr::V6(address)) => {
                    out.space();
                    out.ipv6(address);
                }
                None => {}
            },
        },
        data => {
            out.space();
            data_words(out, data);
        }
    }
}

/// The name at the start of an opaque RDATA: never compressed there (RFC 3597 §4).
fn raw_name(out: &mut Text, mut octets: &[u8]) {
    let mut between = "";
    while let Some((count @ 1..=63, rest)) = octets.split_first() {
        let Some((label, behind)) = rest.split_at_checked(usize::from(*count)) else {
            return;
        };
        out.text(between);
        out.wire(label);
        between = ".";
        octets = behind;
    }
}

fn owner(out: &mut Text, record: &Record) {
    out.space();
    name(out, &record.name);
}

/// The data of a record, if it fits into a line.
pub(super) fn data_words(out: &mut Text, data: &Data) {
    match data {
        Data::A(address) => out.ipv4(*address),
        Data::Aaaa(address) => out.ipv6(*address),
        Data::Ns(host) | Data::Cname(host) | Data::Ptr(host) | Data::Dname(host) => name(out, host),
        Data::Mx(mx) => {
            out.number(mx.preference);
            out.space();
            name(out, &mx.exchange);
        }
        Data::Srv(srv) => {
            for number in [srv.priority, srv.weight, srv.port] {
                out.number(number);
                out.space();
            }
            name(out, &srv.target);
        }
        Data::Soa(soa) => name(out, &soa.primary),
        Data::Hinfo(host) => {
            out.wire(host.cpu.octets());
            out.space();
            out.wire(host.os.octets());
        }
        Data::Naptr(rule) => {
            out.number(rule.order);
            out.space();
            out.number(rule.preference);
            out.space();
            out.wire(rule.flags.octets());
        }
        _ => {}
    }
}
