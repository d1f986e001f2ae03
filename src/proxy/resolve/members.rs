//! From the answers of name servers to the members of a pool.
//!
//! ```text
//!   http://app.internal:9000             A 10.0.0.7   A 10.0.0.8      app.internal/10.0.0.7:9000
//!                                                                     app.internal/10.0.0.8:9000
//!   srv:_http._tcp.app.internal          0 3 9000 a.internal.         a.internal/10.0.0.7:9000  weight 3
//!                                        0 1 9001 b.internal.         b.internal/10.0.0.8:9001  weight 1
//!                                        9 1 9000 c.internal.         c.internal/10.0.0.9:9000  backup
//! ```
//!
//! The same answer always makes the same members, in whatever order its records are (servers rotate
//! them). That matters because, to the pool, a member at another address is another member, without
//! the first one's connections and health.
//!
//! Source: RFC 2782. Its priorities have many steps; a pool has members in use and backups. So the
//! lowest-numbered priority that has an address is in use, and all others are backups.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::dns::data::Srv;
use crate::dns::{Answer, Data, RecordType, is_host_name};
use crate::net::Destination;
use crate::proxy::backend::Member;
use crate::proxy::config::{Backend, MAX_WEIGHT};

/// The addresses of a host, sorted, each once. If no server answered for one of the families, its
/// `known` addresses stay.
pub fn addresses(host: &str, answers: &[Answer], known: &[Member]) -> Vec<IpAddr> {
    let records = answers.iter().flat_map(Answer::records);
    let mut addresses: Vec<IpAddr> = records.filter_map(|record| record.data.address()).collect();
    let is_unanswered = |ip: &IpAddr| {
        let kind = match ip {
            IpAddr::V4(_) => RecordType::A,
            IpAddr::V6(_) => RecordType::AAAA,
        };
        answers.iter().all(|answer| answer.question.kind != kind)
    };
    let known = known.iter().filter_map(|member| member_of(host, member));
    addresses.extend(known.filter(is_unanswered));
    addresses.sort();
    addresses.dedup();
    addresses
}

/// The address of a member, if it belongs to this host.
fn member_of(host: &str, member: &Member) -> Option<IpAddr> {
    let (name, _) = member.name.split_once('/')?;
    match member.destination {
        Destination::Ip(address) if name == host.trim_end_matches('.') => Some(address.ip()),
        _ => None,
    }
}

/// The hosts of a service. A target `.` says that there are none (RFC 2782). A target that is not a
/// host name is left out: it would get into logs and pages.
pub fn offers(answer: &Answer) -> Vec<Srv> {
    let records = answer.records().iter();
    let srv = records.filter_map(|record| match &record.data {
        Data::Srv(srv) => Some(srv.clone()),
        _ => None,
    });
    srv.filter(|srv| !srv.target.is_root() && is_host_name(&srv.target))
        .collect()
}

/// How long answers may be used: the shortest time of those with records. A host with addresses of
/// one family has a negative answer for the other, which does not matter. If no answer has records,
/// the shortest time of all.
pub fn time_to_live(answers: &[Answer]) -> Option<Duration> {
    let positive = answers.iter().filter(|answer| !answer.records().is_empty());
    let shortest = positive.filter_map(Answer::ttl).min();
    let seconds = shortest.or_else(|| answers.iter().filter_map(Answer::ttl).min());
    seconds.map(|seconds| Duration::from_secs(seconds.into()))
}

/// The member of a `backend` line that needs no look-up.
pub fn of_address(backend: &Backend, name: String, destination: Destination) -> Member {
    Member {
        name,
        destination,
        weight: backend.weight,
        max: backend.max,
        backup: backend.backup,
    }
}

/// The members of a line with a host's name: one for each address.
pub fn of_host(backend: &Backend, host: &str, port: u16, addresses: &[IpAddr]) -> Vec<Member> {
    let member = |&address: &IpAddr| {
        let address = SocketAddr::new(address, port);
        let name = format!("{}/{address}", host.trim_end_matches('.'));
        of_address(backend, name, Destination::Ip(address))
    };
    addresses.iter().map(member).collect()
}

/// The members of a line with a service's name: one for each record and each address of its host.
pub fn of_service(backend: &Backend, found: &[(Srv, Vec<IpAddr>)]) -> Vec<Member> {
    let mut found: Vec<&(Srv, Vec<IpAddr>)> = found.iter().filter(|(_, a)| !a.is_empty()).collect();
    found.sort_by_key(|(srv, _)| (srv.priority, srv.target.to_string(), srv.port));
    let in_use = found.first().map(|(srv, _)| srv.priority);
    let weigh = weights(found.iter().map(|(srv, _)| srv.weight), backend.weight);
    let members = found.iter().flat_map(|(srv, addresses)| {
        let line = Backend {
            weight: weigh(srv.weight),
            backup: backend.backup || Some(srv.priority) != in_use,
            ..backend.clone()
        };
        of_host(&line, &srv.target.to_string(), srv.port, addresses)
    });
    members.collect()
}

/// A member that the old line found, for a new line with the same address. If the old line was a
/// backup, the priority of its record is no longer known.
pub fn by_line(member: Member, old: &Backend, new: &Backend) -> Member {
    let weight = u64::from(member.weight) * u64::from(new.weight) / u64::from(old.weight.max(1));
    let weight = u32::try_from(weight).unwrap_or(MAX_WEIGHT);
    Member {
        weight: weight.clamp(1.min(new.weight), MAX_WEIGHT),
        max: new.max,
        backup: new.backup || (member.backup && !old.backup),
        ..member
    }
}

/// The weights of records in lowest terms, times the line's, 1 to [`MAX_WEIGHT`]. Orchestrators
/// divide 100 among the hosts: two have 50 each and, when a third joins, three have 33. In lowest
/// terms that is 1 each, before and after, so the members do not change. A weight of 0 ("a very
/// small chance of being selected", RFC 2782) counts as 1.
fn weights(all: impl Iterator<Item = u16> + Clone, of_line: u32) -> impl Fn(u16) -> u32 {
    let common = all.clone().map(|weight| weight.max(1)).fold(0, divisor);
    let weigh = move |weight: u16| u64::from(weight.max(1) / common.max(1)) * u64::from(of_line);
    let (largest, limit) = (weigh(all.max().unwrap_or(1)), u64::from(MAX_WEIGHT));
    move |weight| {
        let weight = match largest > limit {
            true => weigh(weight) * limit / largest,
            false => weigh(weight),
        };
        u32::try_from(weight).unwrap_or(MAX_WEIGHT).max(1)
    }
}

/// The greatest common divisor (Euclid).
fn divisor(a: u16, b: u16) -> u16 {
    match b {
        0 => a,
        _ => divisor(b, a % b),
    }
}

/// Each name once: two lines may lead to one address by one name, but pages and commands identify a
/// backend by its name.
pub fn each_once(members: impl Iterator<Item = Member>) -> Vec<Member> {
    let mut kept: Vec<Member> = Vec::new();
    for member in members {
        if !kept.iter().any(|other| other.name == member.name) {
            kept.push(member);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::{Ending, Name, Question, Record};
    use crate::proxy::config::BackendAddress;

    fn line(weight: u32, backup: bool) -> Backend {
        Backend {
            address: BackendAddress::Unix("/not/used".into()),
            weight,
            max: Some(7),
            backup,
        }
    }

    fn srv(priority: u16, weight: u16, port: u16, target: &str) -> Srv {
        let target = Name::parse(target).unwrap();
        Srv {
            priority,
            weight,
            port,
            target,
        }
    }

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    /// `NAME weight`, with a star after it for a backup.
    fn shown(members: &[Member]) -> Vec<String> {
        let show =
            |m: &Member| format!("{} {}{}", m.name, m.weight, if m.backup { "*" } else { "" });
        members.iter().map(show).collect()
    }

    fn answer(ending: Ending) -> Answer {
        let name = Name::parse("app.").unwrap();
        Answer {
            question: Question::new(name.clone(), RecordType::A),
            name,
            aliases: Vec::new(),
            ending,
            server: None,
        }
    }

    fn records(data: &[(u32, Data)]) -> Answer {
        let name = Name::parse("app.").unwrap();
        let record = |(ttl, data): &(u32, Data)| Record::new(name.clone(), *ttl, data.clone());
        answer(Ending::Records(data.iter().map(record).collect()))
    }

    #[test]
    fn members_of_a_line_that_has_changed_are_what_it_says_now() {
        let found = [
            (srv(0, 2, 90, "a"), ips(&["10.0.0.7"])),
            (srv(0, 1, 90, "b"), ips(&["10.0.0.8"])),
            (srv(9, 1, 90, "c"), ips(&["10.0.0.9"])),
        ];
        let (old, new) = (line(3, false), line(5, false));
        let by = |old, new| -> Vec<Member> {
            let members = of_service(old, &found).into_iter();
            members.map(|m| by_line(m, old, new)).collect()
        };
        assert_eq!(by(&old, &new), of_service(&new, &found));
        let backup = line(5, true);
        assert_eq!(by(&old, &backup), of_service(&backup, &found));
        assert!(by(&backup, &new).iter().all(|member| !member.backup));
        let none = Backend {
            max: None,
            ..new.clone()
        };
        assert_eq!(by(&old, &none), of_service(&none, &found));
    }

    #[test]
    fn a_host_is_a_member_for_each_address() {
        let members = of_host(&line(3, true), "app.", 90, &ips(&["10.0.0.7", "::1"]));
        assert_eq!(shown(&members), ["app/10.0.0.7:90 3*", "app/[::1]:90 3*"]);
        assert_eq!(members[0].max, Some(7));
        assert_eq!(
            members[1].destination,
            Destination::Ip("[::1]:90".parse().unwrap())
        );
    }

    #[test]
    fn the_order_of_records_and_repetitions_make_no_difference() {
        let data = |last: [u8; 3]| last.map(|n| (9, Data::A([10, 0, 0, n].into())));
        for last in [[7, 8, 8], [8, 7, 8], [8, 8, 7]] {
            assert_eq!(
                addresses("app", &[records(&data(last))], &[]),
                ips(&["10.0.0.7", "10.0.0.8"])
            );
        }
        let mut found = vec![
            (srv(1, 1, 80, "b."), ips(&["10.0.0.8"])),
            (srv(1, 1, 80, "a."), ips(&["10.0.0.7"])),
        ];
        let members = of_service(&line(1, false), &found);
        found.reverse();
        assert_eq!(of_service(&line(1, false), &found), members);
    }

    #[test]
    fn of_a_service_the_lowest_priority_with_an_address_is_in_use() {
        let found = [
            (srv(30, 1, 80, "c."), ips(&["10.0.0.9"])),
            (srv(20, 2, 81, "b."), ips(&["10.0.0.8"])),
            (srv(20, 6, 80, "a."), ips(&["10.0.0.7", "10.0.0.6"])),
            (srv(10, 1, 80, "gone."), ips(&[])),
        ];
        assert_eq!(
            shown(&of_service(&line(1, false), &found)),
            [
                "a/10.0.0.7:80 6",
                "a/10.0.0.6:80 6",
                "b/10.0.0.8:81 2",
                "c/10.0.0.9:80 1*"
            ]
        );
        assert!(of_service(&line(1, false), &[]).is_empty());
    }

    #[test]
    fn weights_are_in_lowest_terms_and_in_bounds() {
        for (records, of_line, wanted) in [
            (vec![33, 33, 33], 1, vec![1, 1, 1]),
            (vec![50, 50], 5, vec![5, 5]),
            (vec![0, 0], 1, vec![1, 1]),
            (vec![0, 10, 20], 1, vec![1, 10, 20]),
            (vec![65_535, 1], 1, vec![1000, 1]),
            (vec![65_534, 32_767, 1], 1000, vec![1000, 500, 1]),
        ] {
            let found: Vec<_> = records
                .iter()
                .zip(1..)
                .map(|(&weight, port)| (srv(0, weight, port, "a."), ips(&["10.0.0.1"])))
                .collect();
            let members = of_service(&line(of_line, false), &found);
            let weights: Vec<u32> = members.iter().map(|member| member.weight).collect();
            assert_eq!(weights, wanted, "{records:?}");
        }
    }

    #[test]
    fn targets_that_are_no_hosts_are_left_out() {
        let data = ["a.", ".", "a\\010b."].map(|target| (9, Data::Srv(srv(0, 1, 80, target))));
        assert_eq!(offers(&records(&data)), [srv(0, 1, 80, "a.")]);
    }

    #[test]
    fn the_time_to_live_is_the_shortest_of_answers_with_records() {
        let found = |ttl| records(&[(ttl, Data::A([10, 0, 0, 7].into()))]);
        let nothing = |ttl| answer(Ending::NoSuchRecord { ttl });
        for (answers, wanted) in [
            (vec![found(30), found(20), nothing(Some(5))], Some(20)),
            (vec![nothing(Some(9)), nothing(Some(5))], Some(5)),
            (vec![nothing(None)], None),
            (vec![], None),
        ] {
            assert_eq!(time_to_live(&answers), wanted.map(Duration::from_secs));
        }
    }

    #[test]
    fn a_name_stands_for_one_member() {
        let members = |weight| of_host(&line(weight, false), "app", 80, &ips(&["10.0.0.7"]));
        let twice = members(2).into_iter().chain(members(1));
        assert_eq!(shown(&each_once(twice)), ["app/10.0.0.7:80 2"]);
    }
}
