//! What this machine answers itself: names in the hosts file, and names that no server is asked
//! for.
//!
//! | name | answer | source |
//! |---|---|---|
//! | `localhost`, `*.localhost` | 127.0.0.1, ::1 | RFC 6761 §6.3 |
//! | `invalid`, `*.invalid` | no such name | RFC 6761 §6.4 |
//! | `onion`, `*.onion` | no such name | RFC 7686 §2 |
//! | what `/etc/hosts` has | its addresses, its names | hosts(5) |
//!
//! Not names below `local`, which RFC 6762 §22.1 would keep from servers: without multicast DNS there
//! is nobody else to ask.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::chain::{Answer, Ending};
use super::code::{Class, RecordType};
use super::data::Data;
use super::hosts::Hosts;
use super::name::Name;
use super::record::{Question, Record};

/// The answer to a question for which no server is asked.
pub(super) fn answer(question: &Question, hosts: &Hosts) -> Option<Answer> {
    if question.class != Class::IN {
        return None;
    }
    let top = question.name.labels().last().unwrap_or_default();
    let is_top = |name: &str| top.eq_ignore_ascii_case(name.as_bytes());
    let loopback = [
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    ];
    let ending = if is_top("localhost") {
        addresses(question, &loopback)
    } else if is_top("invalid") || is_top("onion") {
        Ending::NoSuchName { ttl: None }
    } else if question.kind == RecordType::PTR {
        let address = question.name.reverse_address()?;
        match hosts.names(address) {
            [] if loopback.contains(&address) => {
                pointers(question, &[Name::parse("localhost").ok()?])
            }
            [] => return None,
            names => pointers(question, names),
        }
    } else {
        match hosts.addresses(&question.name) {
            [] => return None,
            known if matches!(question.kind, RecordType::A | RecordType::AAAA) => {
                addresses(question, known)
            }
            // The hosts file has only addresses; servers may have other types.
            _ => return None,
        }
    };
    Some(Answer {
        question: question.clone(),
        name: question.name.clone(),
        aliases: Vec::new(),
        ending,
        server: None,
    })
}

fn addresses(question: &Question, known: &[IpAddr]) -> Ending {
    let data = known.iter().map(|address| match address {
        IpAddr::V4(v4) => Data::A(*v4),
        IpAddr::V6(v6) => Data::Aaaa(*v6),
    });
    records(question, data)
}

fn pointers(question: &Question, names: &[Name]) -> Ending {
    records(question, names.iter().cloned().map(Data::Ptr))
}

/// The records of the question's type, with a TTL of 0: they need no cache.
fn records(question: &Question, data: impl Iterator<Item = Data>) -> Ending {
    let wanted = data.filter(|data| data.kind() == question.kind);
    let found: Vec<Record> = wanted
        .map(|data| Record::new(question.name.clone(), 0, data))
        .collect();
    match found.is_empty() {
        true => Ending::NoSuchRecord { ttl: None },
        false => Ending::Records(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str, kind: RecordType) -> Option<String> {
        let hosts = Hosts::parse("192.0.2.7 printer\n192.0.2.8 router.example router");
        let question = Question {
            name: Name::parse(text).unwrap(),
            kind,
            class: Class::IN,
        };
        let answer = answer(&question, &hosts)?;
        Some(match &answer.ending {
            Ending::Records(records) => {
                let texts = records.iter().map(|record| record.data.to_string());
                texts.collect::<Vec<_>>().join(" ")
            }
            Ending::NoSuchName { .. } => "no such name".into(),
            Ending::NoSuchRecord { .. } => "no such record".into(),
        })
    }

    #[test]
    fn localhost_is_this_machine_and_no_server_hears_of_it() {
        for (name, kind, expected) in [
            ("localhost", RecordType::A, "127.0.0.1"),
            ("LocalHost.", RecordType::AAAA, "::1"),
            ("a.b.localhost", RecordType::A, "127.0.0.1"),
            ("localhost", RecordType::MX, "no such record"),
            ("1.0.0.127.in-addr.arpa", RecordType::PTR, "localhost."),
        ] {
            assert_eq!(asked(name, kind).as_deref(), Some(expected), "{name}");
        }
    }

    #[test]
    fn invalid_and_onion_names_do_not_exist_and_no_server_hears_of_them() {
        for name in ["invalid", "a.INVALID", "onion", "abc.onion."] {
            let said = asked(name, RecordType::A);
            assert_eq!(said.as_deref(), Some("no such name"), "{name}");
        }
        for other in ["invalid.example", "localhost.example", "notlocalhost", "."] {
            assert_eq!(asked(other, RecordType::A), None, "{other}");
        }
    }

    #[test]
    fn the_hosts_file_has_addresses_and_their_names_and_leaves_the_rest_to_servers() {
        for (name, kind, expected) in [
            ("printer", RecordType::A, Some("192.0.2.7")),
            ("printer", RecordType::AAAA, Some("no such record")),
            ("printer", RecordType::MX, None),
            (
                "8.2.0.192.in-addr.arpa",
                RecordType::PTR,
                Some("router.example. router."),
            ),
            ("9.2.0.192.in-addr.arpa", RecordType::PTR, None),
        ] {
            assert_eq!(asked(name, kind).as_deref(), expected, "{name} {kind}");
        }
    }
}
