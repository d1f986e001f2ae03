//! What a proxy changes in the header sections that it passes on (RFC 9110 §7.6).
//!
//! | field | to the backend | to the client |
//! |---|---|---|
//! | Connection and what it names, Keep-Alive, Proxy-*, TE, Transfer-Encoding, Upgrade | gone, and written anew where needed | the same |
//! | Content-Length | as the body was understood | the same |
//! | Host | as it was understood: the target's, if it names one | |
//! | Expect | passed on | |
//! | Max-Forwards with OPTIONS | one less | |
//! | X-Forwarded-For, -Proto, -Host, Forwarded | set, extended or kept, depending on the peer | |
//! | Via | one more line | one more line |
//! | Date | | added if missing (RFC 9110 §6.6.1) |
//! | all others | as they came, in their order | the same |
//!
//! Pure: heads in, bytes out.

use std::io::Write;
use std::net::IpAddr;

use super::config::{ForwardedFor, Forwarding};
use crate::http::{
    Field, Fields, Framing, Name, RequestHead, ResponseHead, Version, octets, write,
};

/// The sender of a request, as backends are told.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    /// The client's address, if it has one.
    pub ip: Option<IpAddr>,
    /// Whether the fields in which the peer tells of earlier hops are believed.
    pub trusted: bool,
    /// What backends are told.
    pub forwarding: &'a Forwarding,
}

/// Appends the head of a request as it goes to a backend. `host` is used if the request has none.
pub fn request(out: &mut Vec<u8>, head: &RequestHead<'_>, sender: &Sender<'_>, host: &str) {
    write::request_line(out, head.method, &head.target_text());
    let host = head.host.map_or(host, |host| host.text);
    write::field(out, "Host", host.as_bytes());
    let named = Named::of(head.fields);
    for field in head.fields.iter() {
        if passes_to_backend(&field, sender, head) && !named.names(&field) {
            write::field(out, field.name, field.value);
        }
    }
    forwarded(out, head, sender, host);
    if let Some(left) = forwards_left(head).ok().flatten() {
        write::number_field(out, "Max-Forwards", left.saturating_sub(1));
    }
    body(out, head.framing);
    if head.upgrade {
        upgrade(out, head.fields);
    } else if takes_trailers(head.fields) {
        // TE holds for one connection. Trailers are passed on, so the client's wish holds here,
        // too.
        write::field(out, "Connection", b"TE");
        write::field(out, "TE", b"trailers");
    }
    via(out, head.version, sender.forwarding);
    write::end(out);
}

/// How often a request may still be forwarded, if that counts: with OPTIONS and TRACE (RFC 9110
/// §7.6.2). An error if Max-Forwards is present but is not one decimal number.
pub fn forwards_left(head: &RequestHead<'_>) -> Result<Option<u64>, NoNumber> {
    if !counts_forwards(head) {
        return Ok(None);
    }
    let mut values = head.fields.all(Name::MaxForwards);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(digits), None) if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => {
            // A number too large for this type may become the largest possible.
            let number = digits.iter().fold(0_u64, |number, digit| {
                let next = number.saturating_mul(10);
                next.saturating_add(u64::from(digit - b'0'))
            });
            Ok(Some(number))
        }
        _ => Err(NoNumber),
    }
}

/// Max-Forwards is present but is not one decimal number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoNumber;

fn counts_forwards(head: &RequestHead<'_>) -> bool {
    matches!(head.method, "OPTIONS" | "TRACE")
}

/// How a response goes to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// How its body ends on this side.
    pub framing: Framing,
    /// Whether the client's connection stays open.
    pub keep_alive: bool,
    /// The client's version.
    pub version: Version,
    /// Whether the client's connection switches to another protocol.
    pub upgrade: bool,
}

/// Appends the head of a response as it goes to the client. `date` is used if the response has
/// none.
pub fn response(
    out: &mut Vec<u8>,
    head: &ResponseHead<'_>,
    outgoing: Outgoing,
    forwarding: &Forwarding,
    date: &str,
) {
    write::status_line(out, Version::Http11, head.status, head.reason);
    let named = Named::of(head.fields);
    // RFC 9110 §8.6: none in 1xx and 204. In a 304 and to HEAD it describes a body that is not
    // sent.
    let has_length = !matches!(head.status, 100..=199 | 204);
    let is_told = has_length && head.framing == Framing::None;
    for field in head.fields.iter() {
        let passes = match field.known {
            Name::ContentLength => is_told,
            known => !known.is_hop_by_hop(),
        };
        if passes && !named.names(&field) {
            write::field(out, field.name, field.value);
        }
    }
    if !head.is_interim() && head.fields.get(Name::Date).is_none() {
        write::field(out, "Date", date.as_bytes());
    }
    if has_length {
        body(out, outgoing.framing);
    }
    // RFC 9110 §15.5.22: 426 says which protocol is required.
    let is_required = head.status == 426 && head.fields.get(Name::Upgrade).is_some();
    if outgoing.upgrade || is_required {
        upgrade(out, head.fields);
    }
    if !outgoing.upgrade && !head.is_interim() {
        connection(out, outgoing.keep_alive, outgoing.version);
    }
    via(out, head.version, forwarding);
    write::end(out);
}

/// Appends the trailer fields that may be passed on (RFC 9110 §6.5.1), without the empty line.
pub fn trailers(out: &mut Vec<u8>, fields: Fields<'_>, hop: &HopNames) {
    for field in fields.iter() {
        let named = hop
            .0
            .iter()
            .any(|name| name.eq_ignore_ascii_case(field.name));
        if !named && !field.known.is_forbidden_in_trailers() {
            write::field(out, field.name, field.value);
        }
    }
}

/// The names in Connection, kept for the trailer section: it comes when the head is gone, and what
/// they name ends here, too (RFC 9110 §7.6.1). Nearly always empty, without an allocation.
#[derive(Debug, Default)]
pub struct HopNames(Vec<Vec<u8>>);

impl HopNames {
    /// The names in the head of a message; none if it has no trailer section.
    pub fn of(fields: Fields<'_>, framing: Framing) -> Self {
        if framing != Framing::Chunked {
            return Self::default();
        }
        let names = fields.elements(Name::Connection);
        Self(
            names
                .filter(|name| !is_common(name))
                .map(<[u8]>::to_vec)
                .collect(),
        )
    }
}

/// Appends a Connection field where the version's default differs.
pub fn connection(out: &mut Vec<u8>, keep_alive: bool, version: Version) {
    match (keep_alive, version) {
        (false, _) => write::field(out, "Connection", b"close"),
        (true, Version::Http10) => write::field(out, "Connection", b"keep-alive"),
        (true, Version::Http11) => {}
    }
}

fn upgrade(out: &mut Vec<u8>, fields: Fields<'_>) {
    write::field(out, "Connection", b"Upgrade");
    for value in fields.all(Name::Upgrade) {
        write::field(out, "Upgrade", value);
    }
}

fn body(out: &mut Vec<u8>, framing: Framing) {
    match framing {
        Framing::Length(length) => write::number_field(out, "Content-Length", length),
        Framing::Chunked => write::field(out, "Transfer-Encoding", b"chunked"),
        Framing::None | Framing::UntilClose => {}
    }
}

fn passes_to_backend(field: &Field<'_>, sender: &Sender<'_>, head: &RequestHead<'_>) -> bool {
    let keeps = sender.trusted && sender.forwarding.forwarded_for != ForwardedFor::Set;
    match field.known {
        Name::Host => false,
        // Without a body, the length goes on as it came: methods that may have a body send 0.
        Name::ContentLength => head.framing == Framing::None,
        Name::XForwardedFor | Name::XForwardedProto | Name::XForwardedHost | Name::Forwarded => {
            keeps
        }
        Name::Expect => head.expects_continue,
        Name::MaxForwards => !counts_forwards(head),
        known => !known.is_hop_by_hop(),
    }
}

/// The fields that describe the client (X-Forwarded-*: customary; Forwarded: RFC 7239).
fn forwarded(out: &mut Vec<u8>, head: &RequestHead<'_>, sender: &Sender<'_>, host: &str) {
    let mode = sender.forwarding.forwarded_for;
    let believed =
        |name| sender.trusted && mode != ForwardedFor::Set && head.fields.get(name).is_some();
    let kept = sender.trusted && mode == ForwardedFor::Keep;
    if let Some(ip) = sender
        .ip
        .filter(|_| !(kept && believed(Name::XForwardedFor)))
    {
        // Another line is another element (RFC 9110 §5.3).
        out.extend_from_slice(b"X-Forwarded-For: ");
        let _ = write!(out, "{ip}"); // a Vec takes it
        write::end(out);
    }
    if !believed(Name::XForwardedProto) {
        write::field(out, "X-Forwarded-Proto", b"http");
    }
    if !believed(Name::XForwardedHost) {
        write::field(out, "X-Forwarded-Host", host.as_bytes());
    }
    if sender.forwarding.forwarded && !(kept && believed(Name::Forwarded)) {
        let _ = match sender.ip {
            Some(IpAddr::V6(ip)) => write!(out, "Forwarded: for=\"[{ip}]\""),
            Some(ip) => write!(out, "Forwarded: for={ip}"),
            None => write!(out, "Forwarded: for=unknown"),
        };
        let _ = write!(out, ";host=\"{host}\";proto=http\r\n");
    }
}

fn via(out: &mut Vec<u8>, version: Version, forwarding: &Forwarding) {
    if let Some(name) = &forwarding.via {
        let number = match version {
            Version::Http10 => "1.0 ",
            Version::Http11 => "1.1 ",
        };
        out.extend_from_slice(b"Via: ");
        out.extend_from_slice(number.as_bytes());
        out.extend_from_slice(name.as_str().as_bytes());
        write::end(out);
    }
}

fn takes_trailers(fields: Fields<'_>) -> bool {
    fields
        .elements(Name::Te)
        .any(|element| element.eq_ignore_ascii_case(b"trailers"))
}

/// The fields that Connection names, which concern only this connection.
struct Named<'a> {
    fields: Fields<'a>,
    /// Whether it names more than the three options that every message may have.
    any: bool,
}

impl<'a> Named<'a> {
    fn of(fields: Fields<'a>) -> Self {
        let any = !fields.elements(Name::Connection).all(is_common);
        Self { fields, any }
    }

    /// Whether Connection names this field. Fields that the message needs do not count, nor those
    /// that tell who the client is: otherwise a client could have a trusted peer's word removed.
    fn names(&self, field: &Field<'_>) -> bool {
        self.any
            && !matches!(
                field.known,
                Name::ContentLength
                    | Name::Date
                    | Name::Expect
                    | Name::Forwarded
                    | Name::XForwardedFor
                    | Name::XForwardedProto
                    | Name::XForwardedHost
            )
            && octets::is_token(field.name)
            && self
                .fields
                .elements(Name::Connection)
                .any(|option| option.eq_ignore_ascii_case(field.name))
    }
}

/// Whether this is one of the three options that every message may have.
fn is_common(option: &[u8]) -> bool {
    [&b"close"[..], b"keep-alive", b"upgrade"]
        .iter()
        .any(|known| option.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests;
