//! DNS, HTTP, and our own protocols field by field. Pure. RFC 1035, 6891, 9112.

use super::dns as words;
use super::tree::{Bits, Tree, hex, text, wire};
use crate::dns::record::{Question, Record};
use crate::dns::{Data, Edns, Header, Message, Name};
use crate::rpc::message::Message as RpcMessage;

pub(super) fn dns(tree: &mut Tree<'_>, name: &str, octets: &[u8]) {
    let is_response = Header::decode(octets).is_ok_and(|header| header.response);
    let kind = if is_response { "response" } else { "query" };
    tree.block(
        format_args!("{name} ({kind})"),
        |tree| match Message::decode(octets) {
            Ok(message) => whole(tree, &message),
            Err(error) => {
                if let Ok(message) = Message::decode_partial(octets) {
                    head(tree, &message.header);
                    sections(tree, &message);
                }
                let why = wire(error.to_string().as_bytes());
                tree.line(format_args!("[Malformed Packet: DNS: {why}]"));
            }
        },
    );
}

fn whole(tree: &mut Tree<'_>, message: &Message) {
    head(tree, &message.header);
    tree.field("Questions", message.questions.len());
    tree.field("Answer RRs", message.answers.len());
    tree.field("Authority RRs", message.authorities.len());
    tree.field("Additional RRs", additionals(message));
    sections(tree, message);
}

fn additionals(message: &Message) -> usize {
    message.additionals.len() + usize::from(message.edns.is_some())
}

fn sections(tree: &mut Tree<'_>, message: &Message) {
    questions(tree, &message.questions);
    section(tree, "Answers", &message.answers);
    section(tree, "Authoritative nameservers", &message.authorities);
    if additionals(message) > 0 {
        tree.block(format_args!("Additional records"), |tree| {
            message
                .additionals
                .iter()
                .for_each(|record| one(tree, record));
            if let Some(edns) = &message.edns {
                opt(tree, edns);
            }
        });
    }
}

fn head(tree: &mut Tree<'_>, header: &Header) {
    tree.field("Transaction ID", format_args!("0x{:04x}", header.id));
    let value = header.flags();
    let operation = text(|out| words::operation(out, header));
    let code = text(|out| words::reply_code(out, header.rcode));
    let outcome = match header.response {
        true => format!(", {code}"),
        false => String::new(),
    };
    tree.block(
        format_args!("Flags: 0x{value:04x} {operation}{outcome}"),
        |tree| {
            tree.flag(Bits::two(value, 0x8000), "Response");
            let bits = Bits::two(value, 0x7800);
            tree.line(format_args!("{bits} = Opcode: {}", header.opcode.0));
            for (mask, name) in [
                (0x0400, "Authoritative"),
                (0x0200, "Truncated"),
                (0x0100, "Recursion desired"),
                (0x0080, "Recursion available"),
                (0x0040, "Z: reserved"),
                (0x0020, "Answer authenticated"),
                (0x0010, "Checking disabled"),
            ] {
                tree.flag(Bits::two(value, mask), name);
            }
            let bits = Bits::two(value, 0x000f);
            let number = header.rcode.0;
            tree.line(format_args!("{bits} = Reply code: {code} ({number})"));
        },
    );
}

fn shown(name: &Name) -> String {
    text(|out| words::name(out, name))
}

fn questions(tree: &mut Tree<'_>, questions: &[Question]) {
    if questions.is_empty() {
        return;
    }
    tree.block(format_args!("Queries"), |tree| {
        for question in questions {
            let name = shown(&question.name);
            let kind = text(|out| words::record_type(out, question.kind));
            let class = question.class;
            tree.block(format_args!("{name}: type {kind}, class {class}"), |tree| {
                tree.field("Name", &name);
                tree.line(format_args!(
                    "[Label Count: {}]",
                    question.name.label_count()
                ));
                tree.field("Type", format_args!("{kind} ({})", question.kind.0));
                tree.field("Class", format_args!("{class} (0x{:04x})", class.0));
            });
        }
    });
}

fn section(tree: &mut Tree<'_>, title: &str, records: &[Record]) {
    if !records.is_empty() {
        tree.block(format_args!("{title}"), |tree| {
            records.iter().for_each(|record| one(tree, record));
        });
    }
}

fn one(tree: &mut Tree<'_>, record: &Record) {
    let name = shown(&record.name);
    let number = record.data.kind();
    let kind = text(|out| words::record_type(out, number));
    let class = record.class;
    tree.block(format_args!("{name}: type {kind}, class {class}"), |tree| {
        tree.field("Name", &name);
        tree.field("Type", format_args!("{kind} ({})", number.0));
        tree.field("Class", format_args!("{class} (0x{:04x})", class.0));
        tree.field("Time to live", format_args!("{} seconds", record.ttl));
        data(tree, &record.data);
    });
}

/// The data: field by field for the types that people ask for often, otherwise as in a zone file.
fn data(tree: &mut Tree<'_>, data: &Data) {
    match data {
        Data::A(address) => tree.field("Address", address),
        Data::Aaaa(address) => tree.field("AAAA Address", address),
        Data::Ns(host) => tree.field("Name Server", shown(host)),
        Data::Cname(host) => tree.field("CNAME", shown(host)),
        Data::Ptr(host) => tree.field("Domain Name", shown(host)),
        Data::Mx(mx) => {
            tree.field("Preference", mx.preference);
            tree.field("Mail Exchange", shown(&mx.exchange));
        }
        Data::Soa(soa) => {
            tree.field("Primary name server", shown(&soa.primary));
            tree.field("Responsible authority's mailbox", shown(&soa.mailbox));
            tree.field("Serial Number", soa.serial);
            tree.field("Refresh Interval", format_args!("{} seconds", soa.refresh));
            tree.field("Retry Interval", format_args!("{} seconds", soa.retry));
            tree.field("Expire limit", format_args!("{} seconds", soa.expire));
            tree.field("Minimum TTL", format_args!("{} seconds", soa.minimum));
        }
        Data::Srv(srv) => {
            tree.field("Priority", srv.priority);
            tree.field("Weight", srv.weight);
            tree.field("Port", srv.port);
            tree.field("Target", shown(&srv.target));
        }
        Data::Txt(strings) => strings
            .iter()
            .for_each(|string| tree.field("TXT", wire(string))),
        Data::Opaque(octets) => tree.field("Data", hex(octets.bytes())),
        other => tree.field("Data", wire(other.to_string().as_bytes())),
    }
}

fn opt(tree: &mut Tree<'_>, edns: &Edns) {
    tree.block(format_args!("<Root>: type OPT"), |tree| {
        tree.field("UDP payload size", edns.udp_size);
        tree.field("EDNS0 version", edns.version);
        let is = if edns.dnssec_ok { "Set" } else { "Not set" };
        tree.field("DO bit", is);
        for option in &edns.options {
            tree.field(
                "Option",
                format_args!("{} ({} bytes)", option.code, option.data.len()),
            );
        }
    });
}

pub(super) fn http(tree: &mut Tree<'_>, section: &[u8]) {
    tree.block(format_args!("Hypertext Transfer Protocol"), |tree| {
        let lines = section.split_inclusive(|byte| *byte == b'\n').map(ended);
        // A request may have an empty line before its first one (RFC 9112 §2.2).
        let mut lines = lines.skip_while(|(line, _)| line.is_empty());
        if let Some((start, end)) = lines.next() {
            tree.block(format_args!("{}{end}", wire(start)), |tree| {
                start_line(tree, start);
            });
        }
        for (line, end) in lines {
            tree.line(format_args!("{}{end}", wire(line)));
        }
    });
}

/// A line, and its end in words: CRLF, LF alone, or none if the section is cut.
fn ended(line: &[u8]) -> (&[u8], &'static str) {
    match line {
        [line @ .., b'\r', b'\n'] => (line, "\\r\\n"),
        [line @ .., b'\n'] => (line, "\\n"),
        line => (line, ""),
    }
}

/// The three parts of a start line: RFC 9112 §3, §4.
fn start_line(tree: &mut Tree<'_>, line: &[u8]) {
    let mut parts = line.splitn(3, |byte| *byte == b' ').map(wire);
    let mut part = || parts.next().unwrap_or_default();
    if line.starts_with(b"HTTP/") {
        tree.field("Response Version", part());
        tree.field("Status Code", part());
        tree.field("Response Phrase", part());
    } else {
        tree.field("Request Method", part());
        tree.field("Request URI", part());
        tree.field("Request Version", part());
    }
}

pub(super) fn rpc(tree: &mut Tree<'_>, frame: &[u8]) {
    tree.block(format_args!("Remote Procedure Call"), |tree| {
        let message = match RpcMessage::parse(frame) {
            Ok(message) => message,
            Err(error) => {
                let why = wire(error.to_string().as_bytes());
                return tree.line(format_args!("[Malformed Packet: RPC: {why}]"));
            }
        };
        tree.field("Frame Length", frame.len());
        let kind = frame.first().copied().unwrap_or_default();
        let name = message.name();
        tree.field("Message", format_args!("{name} ({kind})"));
        rpc_fields(tree, &message);
    });
}

fn rpc_fields(tree: &mut Tree<'_>, message: &RpcMessage<'_>) {
    match *message {
        RpcMessage::Call {
            id,
            micros,
            method,
            argument,
        } => {
            tree.field("Id", id);
            match micros {
                0 => tree.field("Time limit", "none"),
                _ => tree.field("Time limit", format_args!("{micros} microseconds")),
            }
            tree.field("Method", wire(method.as_bytes()));
            bytes(tree, "Argument", argument);
        }
        RpcMessage::Notify { method, argument } => {
            tree.field("Method", wire(method.as_bytes()));
            bytes(tree, "Argument", argument);
        }
        RpcMessage::Cancel { id } => tree.field("Id", id),
        RpcMessage::More { id, count } => {
            tree.field("Id", id);
            tree.field("Items that may follow", count);
        }
        RpcMessage::Ping(number) | RpcMessage::Pong(number) => tree.field("Number", number),
        RpcMessage::Reply { id, result } => {
            tree.field("Id", id);
            bytes(tree, "Result", result);
        }
        RpcMessage::Failed { id, failure } => {
            tree.field("Id", id);
            let failure = crate::rpc::message::read_failure(failure).to_string();
            tree.field("Failure", wire(failure.as_bytes()));
        }
        RpcMessage::Item { id, item } => {
            tree.field("Id", id);
            bytes(tree, "Item", item);
        }
        RpcMessage::Goodbye { last } => tree.field("Highest id answered", last),
        RpcMessage::Prove(proof) => bytes(tree, "Proof", proof),
        RpcMessage::Hello(rest) | RpcMessage::Welcome(rest) => bytes(tree, "Greeting", rest),
    }
}

fn bytes(tree: &mut Tree<'_>, name: &str, bytes: &[u8]) {
    tree.field(name, format_args!("({} bytes) {}", bytes.len(), hex(bytes)));
}

pub(super) fn frame(tree: &mut Tree<'_>, frame: &[u8]) {
    tree.block(format_args!("Frame of our wire format"), |tree| {
        tree.field("Length", frame.len());
        tree.field("Data", hex(frame));
    });
}
