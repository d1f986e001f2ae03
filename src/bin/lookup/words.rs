//! Answers in the words of host(1), and as data alone. Names and data are not to be trusted; their
//! `Display` writes everything that is not printable ASCII as `\DDD`.

use std::net::IpAddr;

use groundwire::dns::{Answer, Data, Ending, Name, Record};

use crate::plain;

/// The lines of host(1).
pub fn host(answers: &[Answer]) -> Vec<String> {
    let mut lines = aliases(&chain(answers));
    let records = answers.iter().flat_map(Answer::records);
    let before = lines.len();
    lines.extend(records.map(record));
    if lines.len() == before {
        lines.extend(nothing(answers));
    }
    lines
}

/// The data of all records, aliases first, as `dig +short`.
pub fn short(answers: &[Answer]) -> Vec<String> {
    let chain = chain(answers);
    let records = answers.iter().flat_map(Answer::records);
    let data = chain.iter().chain(records).map(|record| &record.data);
    data.map(ToString::to_string).collect()
}

/// The aliases of all answers, each once: those of A and AAAA are the same.
fn chain(answers: &[Answer]) -> Vec<Record> {
    let mut chain: Vec<Record> = Vec::new();
    for alias in answers.iter().flat_map(|answer| &answer.aliases) {
        let known = |other: &Record| other.name == alias.name && other.data == alias.data;
        if !chain.iter().any(known) {
            chain.push(alias.clone());
        }
    }
    chain
}

pub fn aliases(chain: &[Record]) -> Vec<String> {
    chain.iter().map(record).collect()
}

pub fn address(name: &Name, address: IpAddr) -> String {
    let family = if address.is_ipv6() { "IPv6 " } else { "" };
    format!("{} has {family}address {address}", plain(name))
}

fn record(record: &Record) -> String {
    let name = plain(&record.name);
    match &record.data {
        Data::A(v4) => address(&record.name, IpAddr::V4(*v4)),
        Data::Aaaa(v6) => address(&record.name, IpAddr::V6(*v6)),
        Data::Cname(target) => format!("{name} is an alias for {target}"),
        Data::Dname(target) => format!("{name} has DNAME record {target}"),
        Data::Mx(mx) if mx.exchange.is_root() => format!("{name} takes no mail (0 .)"),
        Data::Mx(mx) => format!(
            "{name} mail is handled by {} {}",
            mx.preference, mx.exchange
        ),
        Data::Ns(server) => format!("{name} name server {server}"),
        Data::Ptr(target) => format!("{name} domain name pointer {target}"),
        Data::Srv(srv) if srv.target.is_root() => format!("{name} service not available"),
        Data::Txt(strings) => format!("{name} descriptive text {strings}"),
        data => format!("{name} has {} record {data}", data.kind()),
    }
}

/// Why there is nothing: no such name, or no such records.
fn nothing(answers: &[Answer]) -> Option<String> {
    let first = answers.first()?;
    let name = plain(&first.name);
    if let Ending::NoSuchName { .. } = first.ending {
        return Some(format!("Host {name} not found: 3(NXDOMAIN)"));
    }
    let kinds: Vec<String> = answers
        .iter()
        .map(|answer| answer.question.kind.to_string())
        .collect();
    Some(format!("{name} has no {} record", kinds.join(" or ")))
}
