//! The query log: a line for each query, with the question as asked and the outcome.
//!
//! ```text
//! INFO  dns-server query client=127.0.0.1:40000 transport=udp name=www.lab.example. class=IN
//!       type=A flags=rd,ad,edns=1232 rcode=NOERROR size=117
//! ```
//!
//! `truncated=yes` follows when the reply was cut.
//!
//! Names come from strangers. Their presentation form escapes octets that are not printable ASCII,
//! and the log escapes what would break its line.

use std::fmt::Display;
use std::net::SocketAddr;

use crate::dns::{Header, Message};
use crate::telemetry::Log;

/// Writes the line of a query: the client and transport, the outcome, the octets of the reply and
/// whether it has TC.
pub(super) fn write(
    (log, name): (&Log, &str),
    (peer, transport): (SocketAddr, &str),
    query: &[u8],
    (how, size, is_truncated): (&dyn Display, usize, bool),
) {
    let asked = Message::decode(query).ok();
    let question = asked.as_ref().and_then(|asked| asked.questions.first());
    let [qname, class, kind] = match question {
        Some(q) => [q.name.to_string(), q.class.to_string(), q.kind.to_string()],
        None => ["-"; 3].map(String::from),
    };
    let flags = flags(query, asked.as_ref());
    let truncated: &[(&str, &dyn Display)] = match is_truncated {
        true => &[("truncated", &"yes")],
        false => &[],
    };
    let fields: [(&str, &dyn Display); 8] = [
        ("client", &peer),
        ("transport", &transport),
        ("name", &qname),
        ("class", &class),
        ("type", &kind),
        ("flags", &flags),
        ("rcode", how),
        ("size", &size),
    ];
    log.info(name, "query", &[&fields, truncated].concat());
}

/// The flags that are set, and EDNS: `rd,ad,do,edns=1232`.
fn flags(query: &[u8], asked: Option<&Message>) -> String {
    let mut flags = Vec::new();
    if let Ok(header) = Header::decode(query) {
        let named = [
            (header.response, "qr"),
            (header.truncated, "tc"),
            (header.recursion_desired, "rd"),
            (header.authentic_data, "ad"),
            (header.checking_disabled, "cd"),
        ];
        let set = named.into_iter().filter(|(is_set, _)| *is_set);
        flags.extend(set.map(|(_, name)| name.to_string()));
    }
    if let Some(edns) = asked.and_then(|asked| asked.edns.as_ref()) {
        flags.extend(edns.dnssec_ok.then(|| "do".to_string()));
        flags.push(format!("edns={}", edns.udp_size));
    }
    if flags.is_empty() {
        flags.push("-".into());
    }
    flags.join(",")
}
