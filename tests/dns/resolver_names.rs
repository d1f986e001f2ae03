//! What the resolver makes of good replies: aliases, the cache, the search list, names that are safe.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use groundwire::dns::data::{Mx, Srv};
use groundwire::dns::{
    Answer, Data, Ending, Failure, Hosts, LookupError, Message, Rcode, Record, RecordType,
    Resolver, ResolverConfig,
};

use crate::scripted::*;
use crate::support::PATIENCE;

/// A server where `nI.example` is an alias for the name that `next` says.
fn aliases(next: fn(usize) -> usize) -> SocketAddr {
    udp(move |query, send| {
        let label = query.questions[0].name.labels().next().unwrap().to_vec();
        let text = String::from_utf8(label).unwrap();
        let number: usize = text.trim_start_matches(['n', 'w']).parse().unwrap_or(0);
        let mut said = reply(query, GOOD);
        let target = name(&format!("n{}.example", next(number)));
        said.answers[0].data = Data::Cname(target);
        send(&octets(&said));
    })
}

#[test]
fn aliases_in_circles_and_without_end_are_given_up() {
    let circles: [fn(usize) -> usize; 3] = [|_| 0, |n| (n + 1) % 3, |n| n + 1];
    for next in circles {
        let said = ask(config(&[aliases(next)])).unwrap_err();
        assert!(said.contains("the aliases lead in a circle"), "{said}");
    }
}

#[test]
fn no_such_name_and_no_such_record_are_told_apart() {
    let server = udp(|query, send| {
        let mut said = reply(query, EVIL);
        said.answers.clear();
        if query.questions[0].name == name("gone.example") {
            said.header.rcode = Rcode::NXDOMAIN;
        }
        send(&octets(&said));
    });
    let resolver = Resolver::new(config(&[server]));
    let gone = resolver.lookup_host("gone.example").unwrap_err();
    let text = format!("gone.example.: no such name (says {server})");
    assert_eq!(gone.to_string(), text);
    let nothing = resolver.lookup_mx("here.example").unwrap_err();
    let text = format!("here.example.: no MX record (says {server})");
    assert_eq!(nothing.to_string(), text);
}

#[test]
fn a_host_with_addresses_of_one_family_has_those() {
    let server = udp(|query, send| {
        let mut said = reply(query, GOOD);
        if query.questions[0].kind == RecordType::AAAA {
            said.answers.clear();
        }
        send(&octets(&said));
    });
    let found = Resolver::new(config(&[server])).lookup_host("www.example");
    assert_eq!(found.unwrap(), [GOOD.parse::<std::net::IpAddr>().unwrap()]);
}

#[test]
fn both_families_are_asked_for_at_once() {
    // Neither is answered before both have come.
    let mut first: Option<(Message, SocketAddr)> = None;
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let server = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        loop {
            let (count, peer) = socket.recv_from(&mut buffer).unwrap();
            let query = Message::decode(&buffer[..count]).unwrap();
            let Some((other, other_peer)) = first.take() else {
                first = Some((query, peer));
                continue;
            };
            for (query, peer) in [(other, other_peer), (query, peer)] {
                let mut said = reply(&query, GOOD);
                if query.questions[0].kind == RecordType::AAAA {
                    said.answers[0].data = Data::Aaaa("2001:db8::80".parse().unwrap());
                }
                socket.send_to(&octets(&said), peer).unwrap();
            }
        }
    });
    let found = Resolver::new(config(&[server]))
        .lookup_host("www.example")
        .unwrap();
    let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(texts, [GOOD, "2001:db8::80"]);
}

#[test]
fn an_answer_is_kept_for_its_time_and_shared_by_threads() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let server = udp(move |query, send| {
        counter.fetch_add(1, Ordering::Relaxed);
        send(&good(query));
    });
    let resolver = Resolver::new(config(&[server]));
    resolver.lookup(&question("www.example")).unwrap();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let answer = resolver.lookup(&question("WWW.example")).unwrap();
                assert_eq!(answer.records().len(), 1);
            });
        }
    });
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    let none = Resolver::new(ResolverConfig {
        cache_entries: 0,
        ..config(&[server])
    });
    for _ in 0..2 {
        none.lookup(&question("www.example")).unwrap();
    }
    assert_eq!(asked.load(Ordering::Relaxed), 3);
}

#[test]
fn the_search_list_is_gone_through_until_a_name_exists() {
    let (tell, heard) = std::sync::mpsc::channel();
    let server = udp(move |query, send| {
        let asked = &query.questions[0].name;
        tell.send(asked.to_string()).unwrap();
        let mut said = reply(query, GOOD);
        if *asked != name("www.b.example") {
            said.header.rcode = Rcode::NXDOMAIN;
            said.answers.clear();
        }
        send(&octets(&said));
    });
    let resolver = Resolver::new(ResolverConfig {
        search: vec![name("a.example"), name("b.example")],
        ..config(&[server])
    });
    let answers = resolver.search("www", &[RecordType::A]).unwrap();
    assert_eq!(answers[0].name, name("www.b.example"));
    let order: Vec<String> = heard.try_iter().collect();
    assert_eq!(order, ["www.a.example.", "www.b.example."]);
    let gone = resolver.search("gone", &[RecordType::A]).unwrap();
    assert_eq!(gone[0].question.name, name("gone"));
    assert!(matches!(gone[0].ending, Ending::NoSuchName { .. }));
}

/// What becomes of a search for `text` along a.example and b.example, and the names asked for; the
/// server says this of each: an rcode without records, or closes the connection.
fn search(
    text: &str,
    says: fn(&str) -> Result<Rcode, ()>,
) -> (Vec<String>, Result<Vec<Answer>, LookupError>) {
    let (tell, heard) = std::sync::mpsc::channel();
    let server = tcp(any(), move |query, stream| {
        let asked = query.questions[0].name.to_string();
        tell.send(asked.clone()).unwrap();
        let mut said = reply(query, GOOD);
        if let Ok(rcode) = says(&asked) {
            said.header.rcode = rcode;
            said.answers.clear();
            send(stream, &framed(&octets(&said)));
        }
    });
    let resolver = Resolver::new(ResolverConfig {
        search: vec![name("a.example"), name("b.example")],
        use_tcp: true,
        ..config(&[server])
    });
    let outcome = resolver.search(text, &[RecordType::A]);
    (heard.try_iter().collect(), outcome)
}

#[test]
fn a_candidate_whose_servers_fail_does_not_end_the_search_and_is_told_when_nothing_is_found() {
    let (asked, outcome) = search("www", |name| match name {
        "www.a.example." => Ok(Rcode::SERVFAIL),
        "www.b.example." => Ok(Rcode::REFUSED),
        _ => Ok(Rcode::NXDOMAIN),
    });
    assert_eq!(asked, ["www.a.example.", "www.b.example.", "www."]);
    let said = outcome.unwrap_err().to_string();
    assert!(said.starts_with("www.a.example. A: no server"), "{said}");
}

#[test]
fn a_candidate_that_exists_without_the_record_counts_more_than_the_failure_of_another() {
    let (asked, outcome) = search("www", |name| match name {
        "www.a.example." => Ok(Rcode::NOERROR),
        "www.b.example." => Ok(Rcode::SERVFAIL),
        _ => Ok(Rcode::REFUSED),
    });
    assert_eq!(asked.len(), 3);
    assert_eq!(outcome.unwrap()[0].name, name("www.a.example"));
}

#[test]
fn of_a_name_that_is_asked_for_as_it_is_first_that_outcome_counts() {
    let (asked, outcome) = search("www.x", |name| match name {
        "www.x." => Ok(Rcode::NXDOMAIN),
        _ => Ok(Rcode::SERVFAIL),
    });
    assert_eq!(asked.len(), 3);
    assert_eq!(outcome.unwrap()[0].name, name("www.x"));
    let (asked, outcome) = search("www.x", |name| match name {
        "www.x." => Ok(Rcode::SERVFAIL),
        _ => Ok(Rcode::NOERROR),
    });
    assert_eq!(asked.len(), 3);
    let said = outcome.unwrap_err().to_string();
    assert!(said.starts_with("www.x. A: no server"), "{said}");
}

#[test]
fn where_nobody_replies_only_the_name_as_written_is_still_asked_for() {
    let (asked, outcome) = search("www", |_| Err(()));
    assert_eq!(asked, ["www.a.example.", "www."]);
    let said = outcome.unwrap_err().to_string();
    assert!(said.starts_with("www.a.example. A: no server"), "{said}");
    assert_eq!(search("www.x", |_| Err(())).0, ["www.x."]);
}

#[test]
fn a_hosts_file_that_blocks_a_hundred_thousand_names_is_read_in_good_time() {
    const NAMES: usize = 100_000;
    let line = |number| format!("0.0.0.0 ads{number}.tracker.example\n");
    let text: String = (0..NAMES).map(line).collect();
    let (tell, told) = std::sync::mpsc::channel();
    thread::spawn(move || tell.send(Hosts::parse(&text)));
    // Half a second; minutes where each name is compared with those before it.
    let hosts = told.recv_timeout(PATIENCE).expect("it is read");
    let address = "0.0.0.0".parse().unwrap();
    assert_eq!(hosts.names(address).len(), NAMES);
    assert_eq!(hosts.addresses(&name("ads7.tracker.example")), [address]);
}

#[test]
fn what_this_machine_knows_of_a_name_as_written_comes_before_the_search_list() {
    let (tell, heard) = std::sync::mpsc::channel();
    // As a zone with a wildcard: it has an address for everything.
    let server = udp(move |query, send| {
        tell.send(query.questions[0].name.to_string()).unwrap();
        send(&octets(&reply(query, GOOD)));
    });
    let resolver = Resolver::new(ResolverConfig {
        search: vec![name("corp.example")],
        local: Some(Hosts::parse("192.0.2.7 printer")),
        ..config(&[server])
    });
    for (text, address) in [("localhost", "127.0.0.1"), ("printer", "192.0.2.7")] {
        let found = resolver.search(text, &[RecordType::A]).unwrap();
        assert_eq!(found[0].records()[0].data.to_string(), address, "{text}");
    }
    let found = resolver.search("abc.onion", &[RecordType::A]).unwrap();
    assert!(matches!(found[0].ending, Ending::NoSuchName { .. }));
    assert_eq!(heard.try_iter().next(), None, "no server hears of these");
    resolver.search("www", &[RecordType::A]).unwrap();
    assert_eq!(
        heard.try_iter().next().as_deref(),
        Some("www.corp.example.")
    );
}

#[test]
fn with_rotate_the_servers_take_turns() {
    let counts: [Arc<AtomicU16>; 2] = Default::default();
    let servers = counts.clone().map(|count| {
        udp(move |query, send| {
            count.fetch_add(1, Ordering::Relaxed);
            send(&good(query));
        })
    });
    let resolver = Resolver::new(ResolverConfig {
        rotate: true,
        cache_entries: 0,
        ..config(&servers)
    });
    for _ in 0..6 {
        resolver.lookup(&question("www.example")).unwrap();
    }
    assert_eq!(counts.map(|count| count.load(Ordering::Relaxed)), [3, 3]);
}

#[test]
fn literals_and_what_looks_like_one_never_reach_a_server() {
    let (server, heard) = silent();
    let resolver = Resolver::new(impatient(&[server]));
    let found = resolver.lookup_host("192.0.2.1").unwrap();
    assert_eq!(found[0].to_string(), "192.0.2.1");
    for text in ["127.1", "288.8.8.8", "0x7f000001", "::g"] {
        let error = resolver.lookup_host(text).unwrap_err();
        assert!(matches!(error, LookupError::Address(_)), "{text}: {error}");
    }
    assert_eq!(resolver.lookup_host("a.localhost").unwrap().len(), 2);
    assert!(resolver.lookup_host("x.invalid").is_err());
    assert_eq!(heard.try_iter().count(), 0);
}

#[test]
fn the_hosts_file_comes_first() {
    let (server, heard) = silent();
    let resolver = Resolver::new(ResolverConfig {
        local: Some(Hosts::parse("192.0.2.7 printer.example")),
        ..impatient(&[server])
    });
    let found = resolver.lookup_host("Printer.Example").unwrap();
    assert_eq!(found[0].to_string(), "192.0.2.7");
    let names = resolver.lookup_addr("192.0.2.7".parse().unwrap()).unwrap();
    assert_eq!(names, [name("printer.example")]);
    assert_eq!(heard.try_iter().count(), 0);
}

/// A server with these data for every question.
fn says(data: Vec<Data>) -> Resolver {
    let server = udp(move |query, send| {
        let mut said = reply(query, GOOD);
        let owner = said.answers[0].name.clone();
        let record = |data: &Data| Record::new(owner.clone(), 60, data.clone());
        said.answers = data.iter().map(record).collect();
        send(&octets(&said));
    });
    Resolver::new(config(&[server]))
}

#[test]
fn names_that_a_shell_or_a_terminal_might_act_on_are_not_handed_out() {
    for bad in [
        "a\\;rm.example",
        "\\027[31m.example",
        "-o.example",
        "a b.example",
    ] {
        let address = "192.0.2.1".parse().unwrap();
        let resolver = says(vec![Data::Ptr(name(bad))]);
        let error = resolver.lookup_addr(address).unwrap_err();
        assert!(matches!(error, LookupError::NoHostName { .. }), "{error}");
        assert!(
            error
                .to_string()
                .bytes()
                .all(|octet| (b' '..=b'~').contains(&octet))
        );
        let mixed = says(vec![Data::Ptr(name(bad)), Data::Ptr(name("fine.example"))]);
        assert_eq!(mixed.lookup_addr(address).unwrap(), [name("fine.example")]);
    }
}

#[test]
fn a_null_mx_means_no_mail_and_mail_exchangers_come_by_preference() {
    let mx = |preference, exchange| {
        let exchange = name(exchange);
        Data::Mx(Mx {
            preference,
            exchange,
        })
    };
    let error = says(vec![mx(0, ".")]).lookup_mx("example").unwrap_err();
    assert_eq!(error.to_string(), "example.: takes no mail");
    let resolver = says(vec![mx(30, "c"), mx(10, "a"), mx(20, "b")]);
    let found = resolver.lookup_mx("example").unwrap();
    let order: Vec<u16> = found.iter().map(|mx| mx.preference).collect();
    assert_eq!(order, [10, 20, 30]);
}

#[test]
fn a_service_at_the_root_is_not_available_and_others_come_by_priority() {
    let srv = |priority, target| {
        Data::Srv(Srv {
            priority,
            weight: 0,
            port: 1,
            target: name(target),
        })
    };
    let error = says(vec![srv(0, ".")])
        .lookup_srv("_sip._tcp.example")
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "_sip._tcp.example.: service not available"
    );
    let resolver = says(vec![srv(2, "b"), srv(1, "a")]);
    let found = resolver.lookup_srv("_sip._tcp.example").unwrap();
    assert_eq!(found[0].target, name("a"));
}

#[test]
fn a_reverse_name_that_is_an_alias_is_followed() {
    // As RFC 2317 does it for networks smaller than a /24.
    let server = udp(|query, send| {
        let mut said = reply(query, GOOD);
        let target = name("1.0-25.2.0.192.in-addr.arpa");
        said.answers[0].data = Data::Cname(target.clone());
        let pointer = Data::Ptr(name("host.example"));
        said.answers.push(Record::new(target, 60, pointer));
        send(&octets(&said));
    });
    let names = Resolver::new(config(&[server])).lookup_addr("192.0.2.1".parse().unwrap());
    assert_eq!(names.unwrap(), [name("host.example")]);
}

#[test]
fn names_that_are_none_are_refused_before_anybody_is_asked() {
    let resolver = Resolver::new(ResolverConfig::default());
    for text in ["", "a..b", &"x".repeat(64)] {
        let error = resolver.lookup_host(text).unwrap_err();
        assert!(matches!(error, LookupError::Name(..)), "{text:?}: {error}");
    }
    let nobody = resolver.lookup(&question("www.example")).unwrap_err();
    assert!(matches!(nobody, Failure::NoAnswer { tries, .. } if tries.is_empty()));
}

#[test]
fn a_deadline_without_end_is_a_long_one() {
    let resolver = Resolver::new(ResolverConfig {
        deadline: Duration::MAX,
        ..ResolverConfig::default()
    });
    let found = resolver.search_each("localhost", &[RecordType::A]).unwrap();
    assert!(found[0].is_ok());
}
