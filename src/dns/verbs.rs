//! The verbs of a [`Resolver`]: the look-ups that most programs need.
//!
//! They return values, not records, and only values that are safe to pass on: a name from a server
//! is checked to be a host name before it gets into a command line, a log or a page (Go without
//! this check was CVE-2021-33195). [`Resolver::search`] and [`Resolver::query`] return everything.

use std::net::{IpAddr, ToSocketAddrs};

use super::chain::{Answer, Ending};
use super::code::RecordType;
use super::data::{Data, Mx, Srv};
use super::error::NameError;
use super::failure::LookupError;
use super::name::Name;
use super::order::{sort_mx, sort_srv};
use super::record::Question;
use super::resolver::Resolver;
use crate::net::parse_ip;

impl Resolver {
    /// The addresses of a host, IPv4 ones first, at least one. An address is its own answer.
    pub fn lookup_host(&self, host: &str) -> Result<Vec<IpAddr>, LookupError> {
        if let Ok(address) = parse_ip(host) {
            return Ok(vec![address]);
        }
        let answers = self.search(host, &[RecordType::A, RecordType::AAAA])?;
        let records = answers.iter().flat_map(Answer::records);
        let addresses: Vec<IpAddr> = records.filter_map(|record| record.data.address()).collect();
        match answers.into_iter().next() {
            Some(answer) if addresses.is_empty() => Err(negative(answer)),
            _ => Ok(addresses),
        }
    }

    /// The names of an address, at least one: its PTR records, also through aliases (RFC 2317).
    pub fn lookup_addr(&self, address: IpAddr) -> Result<Vec<Name>, LookupError> {
        let question = Question::new(Name::reverse(address), RecordType::PTR);
        let answer = self.lookup(&question)?;
        host_names(answer, |data| match data {
            Data::Ptr(name) => Some(name.clone()),
            _ => None,
        })
    }

    /// The name servers of a zone, at least one.
    pub fn lookup_ns(&self, zone: &str) -> Result<Vec<Name>, LookupError> {
        let answer = self.one(zone, RecordType::NS)?;
        host_names(answer, |data| match data {
            Data::Ns(name) => Some(name.clone()),
            _ => None,
        })
    }

    /// The mail exchangers of a domain, at least one, in the order in which to try them. A domain
    /// that takes no mail is [`LookupError::NotOffered`].
    pub fn lookup_mx(&self, domain: &str) -> Result<Vec<Mx>, LookupError> {
        let answer = self.one(domain, RecordType::MX)?;
        let exchanger = |data: &Data| match data {
            Data::Mx(mx) => Some(mx.clone()),
            _ => None,
        };
        let mut exchangers = offered(answer, exchanger, |mx| &mx.exchange)?;
        sort_mx(&mut exchangers, &mut self.random());
        Ok(exchangers)
    }

    /// The hosts of a service (`_ldap._tcp.example.com`), at least one, in the order in which to
    /// try them (RFC 2782). A service that is not there is [`LookupError::NotOffered`].
    pub fn lookup_srv(&self, service: &str) -> Result<Vec<Srv>, LookupError> {
        let answer = self.one(service, RecordType::SRV)?;
        let host = |data: &Data| match data {
            Data::Srv(srv) => Some(srv.clone()),
            _ => None,
        };
        let mut hosts = offered(answer, host, |srv| &srv.target)?;
        sort_srv(&mut hosts, &mut self.random());
        Ok(hosts)
    }

    /// The name at the end of a host's aliases: its own if it has none.
    pub fn lookup_cname(&self, host: &str) -> Result<Name, LookupError> {
        let answer = self.one(host, RecordType::A)?;
        if let Ending::NoSuchName { .. } = answer.ending {
            return Err(negative(answer));
        }
        match is_host_name(&answer.name) {
            true => Ok(answer.name),
            false => Err(LookupError::NoHostName {
                name: answer.question.name,
                found: answer.name,
            }),
        }
    }

    /// The texts of a name, at least one, each with its strings joined. They may hold any octets.
    pub fn lookup_txt(&self, name: &str) -> Result<Vec<Vec<u8>>, LookupError> {
        let answer = self.one(name, RecordType::TXT)?;
        records(answer, |data| match data {
            Data::Txt(strings) => Some(strings.joined()),
            _ => None,
        })
    }

    fn one(&self, text: &str, kind: RecordType) -> Result<Answer, LookupError> {
        let answers = self.search(text, &[kind])?;
        // There is one answer for one type; this error only avoids an assumption.
        let none = || LookupError::Name(text.to_string(), NameError::Empty);
        answers.into_iter().next().ok_or_else(none)
    }
}

/// The system's own resolver, `getaddrinfo(3)`, next to ours: it also uses the sources that
/// `/etc/nsswitch.conf` names, such as LDAP or mDNS, and has no limit on how long it blocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

impl System {
    /// The addresses of a host, in the system's order, at least one. An address is its own answer.
    pub fn lookup_host(&self, host: &str) -> Result<Vec<IpAddr>, LookupError> {
        if let Ok(address) = parse_ip(host) {
            return Ok(vec![address]);
        }
        super::resolver::parse_name(host)?;
        let failed = |error| LookupError::System(host.to_string(), error);
        let mut addresses = Vec::new();
        for address in (host, 0).to_socket_addrs().map_err(failed)? {
            if !addresses.contains(&address.ip()) {
                addresses.push(address.ip());
            }
        }
        Ok(addresses)
    }
}

/// Whether a name can be a host's: letters, digits, hyphens, and underscores, which real names
/// have. No label starts with a hyphen, because a program would take it for an option (RFC 1123
/// §2.1).
pub fn is_host_name(name: &Name) -> bool {
    let good = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
    name.labels()
        .all(|label| !label.starts_with(b"-") && label.iter().all(good))
}

/// The values of an answer's records; its own error if there are none.
fn records<T>(answer: Answer, value: impl Fn(&Data) -> Option<T>) -> Result<Vec<T>, LookupError> {
    let found = answer.records().iter();
    let values: Vec<T> = found.filter_map(|record| value(&record.data)).collect();
    match values.is_empty() {
        true => Err(negative(answer)),
        false => Ok(values),
    }
}

/// The hosts at which something is offered, without those that are no host names. `.` says that it
/// is not offered, and must be the only record; among others it is a mistake and is left out (RFC
/// 7505 §3).
fn offered<T>(
    answer: Answer,
    value: impl Fn(&Data) -> Option<T>,
    host: impl Fn(&T) -> &Name,
) -> Result<Vec<T>, LookupError> {
    let (name, kind) = (answer.name.clone(), answer.question.kind);
    let mut hosts = records(answer, value)?;
    hosts.retain(|one| !host(one).is_root());
    if hosts.is_empty() {
        return Err(LookupError::NotOffered { name, kind });
    }
    checked(&name, hosts, host)
}

fn host_names(
    answer: Answer,
    value: impl Fn(&Data) -> Option<Name>,
) -> Result<Vec<Name>, LookupError> {
    let name = answer.name.clone();
    checked(&name, records(answer, value)?, |name| name)
}

/// Leaves out names that are no host names; an error if nothing is left.
fn checked<T>(
    asked: &Name,
    values: Vec<T>,
    name: impl Fn(&T) -> &Name,
) -> Result<Vec<T>, LookupError> {
    let bad = values.iter().map(&name).find(|name| !is_host_name(name));
    let bad = bad.cloned();
    let good: Vec<T> = values
        .into_iter()
        .filter(|value| is_host_name(name(value)))
        .collect();
    match bad {
        Some(found) if good.is_empty() => Err(LookupError::NoHostName {
            name: asked.clone(),
            found,
        }),
        _ => Ok(good),
    }
}

/// The error for a negative answer when the caller needs a record.
fn negative(answer: Answer) -> LookupError {
    let (name, server) = (answer.name, answer.server);
    match answer.ending {
        Ending::NoSuchName { .. } => LookupError::NoSuchName { name, server },
        _ => LookupError::NoSuchRecord {
            name,
            kind: answer.question.kind,
            server,
        },
    }
}
