//! Fields of DNS messages: `dns.*`. Pure.
//!
//! Header fields are read from the twelve bytes of the header. Names and records come from
//! [`Message`](crate::dns::Message), which is decoded only when such a field is asked for. A
//! malformed message has the fields before the fault.

use std::borrow::Cow;
use std::net::IpAddr;

use super::super::decode::Layer;
use super::{Field, Get, Kind, Out, Value, number};
use crate::dns::{Data, Message, Name, Record, RecordType};

const RESPONSE: u16 = 0x8000;

const fn header(name: &'static str, kind: Kind, get: fn(&[u8], Out<'_>)) -> Field {
    Field::new(name, kind, Get::DnsHeader(get))
}

const fn message(name: &'static str, kind: Kind, get: fn(&Message, Out<'_>)) -> Field {
    Field::new(name, kind, Get::Message(get))
}

const fn record(name: &'static str, kind: Kind, get: fn(&Record, Out<'_>)) -> Field {
    Field::new(name, kind, Get::Record(get))
}

const fn protocol(name: &'static str, get: Get) -> Field {
    Field::new(name, Kind::Protocol, get)
}

pub(super) const FIELDS: &[Field] = &[
    protocol(
        "dns",
        Get::Dns(|message, out| out(Value::Protocol("dns", message))),
    ),
    protocol(
        "mdns",
        Get::Mdns(|message, out| out(Value::Protocol("mdns", message))),
    ),
    protocol(
        "llmnr",
        Get::Llmnr(|message, out| out(Value::Protocol("llmnr", message))),
    ),
    header("dns.id", Kind::Hex(2), |m, out| word(m, 0, out)),
    header("dns.flags", Kind::Hex(2), |m, out| word(m, 2, out)),
    header("dns.flags.response", Kind::Boolean, |m, out| {
        flag(m, RESPONSE, out);
    }),
    header("dns.flags.opcode", Kind::Unsigned(2), |m, out| {
        if let Some(flags) = flags(m) {
            number(out, flags >> 11 & 15);
        }
    }),
    header("dns.flags.authoritative", Kind::Boolean, |m, out| {
        response_flag(m, 0x400, out);
    }),
    header("dns.flags.truncated", Kind::Boolean, |m, out| {
        flag(m, 0x200, out);
    }),
    header("dns.flags.recdesired", Kind::Boolean, |m, out| {
        flag(m, 0x100, out);
    }),
    header("dns.flags.recavail", Kind::Boolean, |m, out| {
        response_flag(m, 0x80, out);
    }),
    header("dns.flags.z", Kind::Boolean, |m, out| flag(m, 0x40, out)),
    // A query has this field only if the bit is set (RFC 6840 §5.7).
    header("dns.flags.authenticated", Kind::Boolean, |m, out| {
        if flags(m).is_some_and(|flags| flags & (RESPONSE | 0x20) != 0) {
            flag(m, 0x20, out);
        }
    }),
    header("dns.flags.checkdisable", Kind::Boolean, |m, out| {
        flag(m, 0x10, out);
    }),
    header("dns.flags.rcode", Kind::Unsigned(2), |m, out| {
        if let Some(flags) = flags(m).filter(|flags| flags & RESPONSE != 0) {
            number(out, flags & 15);
        }
    }),
    header("dns.count.queries", Kind::Unsigned(2), |m, out| {
        word(m, 4, out);
    }),
    header("dns.count.answers", Kind::Unsigned(2), |m, out| {
        word(m, 6, out);
    }),
    header("dns.count.auth_rr", Kind::Unsigned(2), |m, out| {
        word(m, 8, out);
    }),
    header("dns.count.add_rr", Kind::Unsigned(2), |m, out| {
        word(m, 10, out);
    }),
    message("dns.qry.name", Kind::Text, |message, out| {
        message.questions.iter().for_each(|q| name(&q.name, out));
    }),
    message("dns.qry.type", Kind::Unsigned(2), |message, out| {
        message.questions.iter().for_each(|q| number(out, q.kind.0));
    }),
    message("dns.qry.class", Kind::Hex(2), |message, out| {
        message
            .questions
            .iter()
            .for_each(|q| number(out, q.class.0));
    }),
    // Not for SRV records, whose names Wireshark splits: service, protocol, name.
    message("dns.resp.name", Kind::Text, |message, out| {
        let records = records(message).filter(|record| !matches!(record.data, Data::Srv(_)));
        records.for_each(|record| name(&record.name, out));
        message.edns.iter().for_each(|_| name(&Name::root(), out));
    }),
    message("dns.resp.type", Kind::Unsigned(2), |message, out| {
        records(message).for_each(|record| number(out, record.data.kind().0));
        message
            .edns
            .iter()
            .for_each(|_| number(out, RecordType::OPT.0));
    }),
    record("dns.resp.class", Kind::Hex(2), |record, out| {
        number(out, record.class.0);
    }),
    record("dns.resp.ttl", Kind::Unsigned(4), |record, out| {
        number(out, record.ttl);
    }),
    record("dns.a", Kind::Ipv4, |record, out| {
        if let Some(IpAddr::V4(address)) = address(&record.data) {
            out(Value::Ipv4(address));
        }
    }),
    record("dns.aaaa", Kind::Ipv6, |record, out| {
        if let Some(IpAddr::V6(address)) = address(&record.data) {
            out(Value::Ipv6(address));
        }
    }),
    record("dns.cname", Kind::Text, |record, out| {
        if let Data::Cname(target) = &record.data {
            name(target, out);
        }
    }),
    record("dns.ns", Kind::Text, |record, out| {
        if let Data::Ns(server) = &record.data {
            name(server, out);
        }
    }),
    record("dns.ptr.domain_name", Kind::Text, |record, out| {
        if let Data::Ptr(target) = &record.data {
            name(target, out);
        }
    }),
    record("dns.mx.preference", Kind::Unsigned(2), |record, out| {
        if let Data::Mx(mx) = &record.data {
            number(out, mx.preference);
        }
    }),
    record("dns.mx.mail_exchange", Kind::Text, |record, out| {
        if let Data::Mx(mx) = &record.data {
            name(&mx.exchange, out);
        }
    }),
    record("dns.txt", Kind::Text, |record, out| {
        if let Data::Txt(strings) = &record.data {
            strings.iter().for_each(|string| text(string, out));
        }
    }),
    record("dns.srv.service", Kind::Text, |record, out| {
        srv_label(record, 0, out);
    }),
    record("dns.srv.proto", Kind::Text, |record, out| {
        srv_label(record, 1, out);
    }),
    record("dns.srv.name", Kind::Text, |record, out| {
        let parent = record.name.parent().and_then(|name| name.parent());
        if let (Data::Srv(_), Some(parent)) = (&record.data, parent) {
            name(&parent, out);
        }
    }),
    record("dns.srv.priority", Kind::Unsigned(2), |record, out| {
        if let Data::Srv(srv) = &record.data {
            number(out, srv.priority);
        }
    }),
    record("dns.srv.weight", Kind::Unsigned(2), |record, out| {
        if let Data::Srv(srv) = &record.data {
            number(out, srv.weight);
        }
    }),
    record("dns.srv.port", Kind::Unsigned(2), |record, out| {
        if let Data::Srv(srv) = &record.data {
            number(out, srv.port);
        }
    }),
    record("dns.srv.target", Kind::Text, |record, out| {
        if let Data::Srv(srv) = &record.data {
            name(&srv.target, out);
        }
    }),
    record("dns.soa.mname", Kind::Text, |record, out| {
        if let Data::Soa(soa) = &record.data {
            name(&soa.primary, out);
        }
    }),
    record("dns.soa.rname", Kind::Text, |record, out| {
        if let Data::Soa(soa) = &record.data {
            name(&soa.mailbox, out);
        }
    }),
    record("dns.soa.serial_number", Kind::Unsigned(4), |record, out| {
        if let Data::Soa(soa) = &record.data {
            number(out, soa.serial);
        }
    }),
    message(
        "dns.rr.udp_payload_size",
        Kind::Unsigned(2),
        |message, out| {
            if let Some(edns) = &message.edns {
                number(out, edns.udp_size);
            }
        },
    ),
    message("dns.resp.z.do", Kind::Boolean, |message, out| {
        if let Some(edns) = &message.edns {
            out(Value::Boolean(edns.dnssec_ok));
        }
    }),
];

/// The address of an A or AAAA record of any class: mDNS gives a bit of the class another meaning
/// (RFC 6762 §10.2).
pub(in crate::capture) fn address(data: &Data) -> Option<IpAddr> {
    match data {
        Data::Opaque(data) => match (data.kind(), data.bytes()) {
            (RecordType::A, bytes) => Some(IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?)),
            (RecordType::AAAA, bytes) => Some(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?)),
            _ => None,
        },
        _ => data.address(),
    }
}

/// The messages of a packet, as far as they can be decoded.
pub(super) fn messages(layers: &[Layer<'_>]) -> Vec<Message> {
    let messages = layers.iter().filter_map(|layer| match layer {
        Layer::Dns(octets) | Layer::Llmnr(octets) => Message::decode_partial(octets).ok(),
        Layer::Mdns(octets) => Message::decode_partial(octets).ok().map(with_classes),
        _ => None,
    });
    messages.collect()
}

/// In mDNS the top bit of a class is not part of its number: it means "unicast reply wanted" in a
/// question, and "cache flush" in a record (RFC 6762 §5.4, §10.2).
fn with_classes(mut message: Message) -> Message {
    const NUMBER: u16 = 0x7fff;
    for question in &mut message.questions {
        question.class.0 &= NUMBER;
    }
    let sections = [
        &mut message.answers,
        &mut message.authorities,
        &mut message.additionals,
    ];
    for record in sections.into_iter().flatten() {
        record.class.0 &= NUMBER;
    }
    message
}

/// Whether LLMNR's header has this field. In the places of AA and RD it has other bits, and it has
/// no RA, Z, AD and CD (RFC 4795 §2.1.1).
pub(super) fn is_of_llmnr(field: &str) -> bool {
    let bit = field.strip_prefix("dns.flags.");
    bit.is_none_or(|bit| matches!(bit, "response" | "opcode" | "truncated" | "rcode"))
}

/// The records of all sections.
pub(in crate::capture) fn records(message: &Message) -> impl Iterator<Item = &Record> {
    let sections = [&message.answers, &message.authorities, &message.additionals];
    sections.into_iter().flatten()
}

fn word(message: &[u8], at: usize, out: Out<'_>) {
    if let Some(bytes) = message.get(at..).and_then(<[u8]>::first_chunk) {
        number(out, u16::from_be_bytes(*bytes));
    }
}

fn flags(message: &[u8]) -> Option<u16> {
    let bytes = message.get(2..)?.first_chunk()?;
    Some(u16::from_be_bytes(*bytes))
}

fn flag(message: &[u8], bit: u16, out: Out<'_>) {
    if let Some(flags) = flags(message) {
        out(Value::Boolean(flags & bit != 0));
    }
}

/// A flag that has a meaning only in responses.
fn response_flag(message: &[u8], bit: u16, out: Out<'_>) {
    if let Some(flags) = flags(message).filter(|flags| flags & RESPONSE != 0) {
        out(Value::Boolean(flags & bit != 0));
    }
}

/// A name as Wireshark prints it: labels joined by dots, no dot at the end, bytes unchanged.
fn name(name: &Name, out: Out<'_>) {
    if name.is_root() {
        return out(Value::Text("<Root>"));
    }
    let mut bytes = Vec::new();
    for label in name.labels() {
        bytes.extend_from_slice(if bytes.is_empty() { b"" } else { b"." });
        bytes.extend_from_slice(label);
    }
    text(&bytes, out);
}

fn text(bytes: &[u8], out: Out<'_>) {
    let text: Cow<'_, str> = String::from_utf8_lossy(bytes);
    out(Value::Text(&text));
}

/// A label in the names of SRV records: `_service._proto.name` (RFC 2782).
fn srv_label(record: &Record, at: usize, out: Out<'_>) {
    let is_srv = matches!(record.data, Data::Srv(_));
    if let Some(label) = record.name.labels().nth(at).filter(|_| is_srv) {
        text(label, out);
    }
}
