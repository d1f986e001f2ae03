//! `lookup --trace` walks a tree of servers in a lab: one address each, all at one port.

use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};
use std::process::{Command, Output};
use std::sync::mpsc::channel;

use groundwire::dns::text::{Fields, Token};
use groundwire::dns::{Data, Message, Name, Rcode, Record, RecordType};

use crate::scripted::{GOOD, name, octets, on, reply};

/// Sockets at this many addresses of the machine, 127.0.0.1 and on, with one port.
fn sockets(count: u8) -> Vec<UdpSocket> {
    for _ in 0..100 {
        let first = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        let others = (2..=count).map(|n| UdpSocket::bind((Ipv4Addr::new(127, 0, 0, n), port)).ok());
        if let Some(others) = others.collect::<Option<Vec<_>>>() {
            return std::iter::once(first).chain(others).collect();
        }
    }
    panic!("no port is free at all addresses");
}

/// A referral to `zone`, whose server has this name and, if it is known, this address.
fn referral(query: &Message, zone: &str, server: &str, glue: Option<&str>) -> Message {
    let mut said = reply(query, GOOD);
    said.answers.clear();
    said.header.recursion_available = false;
    said.authorities
        .push(Record::new(name(zone), 60, Data::Ns(name(server))));
    let address = glue.map(|text| Data::A(text.parse().unwrap()));
    said.additionals
        .extend(address.map(|data| Record::new(name(server), 60, data)));
    said
}

fn token(text: &str) -> Token {
    Token {
        text: text.into(),
        quoted: false,
    }
}

fn authoritative(query: &Message) -> Message {
    let mut said = reply(query, GOOD);
    said.header.authoritative = true;
    said
}

fn walk(port: u16, asked: &str) -> Output {
    let port = port.to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_lookup"));
    command.args([
        "--trace",
        "--root",
        "127.0.0.1",
        "-p",
        &port,
        "-t",
        "a",
        asked,
    ]);
    command.args(["--timeout", "10s"]).output().unwrap()
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn asked(query: &Message) -> &Name {
    assert!(
        !query.header.recursion_desired,
        "nobody is asked to ask others"
    );
    &query.questions[0].name
}

#[test]
fn the_way_leads_from_the_root_down_to_who_is_in_charge() {
    let [root, child]: [UdpSocket; 2] = sockets(2).try_into().unwrap();
    let port = root.local_addr().unwrap().port();
    on(root, |query, send| {
        asked(query);
        send(&octets(&referral(
            query,
            "example",
            "ns.example",
            Some("127.0.0.2"),
        )));
    });
    on(child, |query, send| {
        let mut said = authoritative(query);
        if *asked(query) == name("gone.example") {
            said.answers.clear();
            said.header.rcode = Rcode::NXDOMAIN;
        }
        send(&octets(&said));
    });
    let found = walk(port, "www.example");
    let text = printed(&found);
    let steps: Vec<&str> = text.lines().collect();
    assert_eq!(found.status.code(), Some(0));
    assert!(
        steps[0].starts_with(&format!("; . at 127.0.0.1:{port} (")),
        "{text}"
    );
    assert!(
        steps[0].ends_with("refers to example. (ns.example.)"),
        "{text}"
    );
    assert!(
        steps[1].starts_with(&format!("; example. at 127.0.0.2:{port} (")),
        "{text}"
    );
    assert_eq!(steps[2], format!("www.example.\t60\tIN\tA\t{GOOD}"));
    let gone = walk(port, "gone.example");
    assert_eq!(gone.status.code(), Some(1));
    assert!(printed(&gone).ends_with("Host gone.example not found: 3(NXDOMAIN)\n"));
}

#[test]
fn a_name_server_without_an_address_is_looked_up_by_a_walk_of_its_own() {
    let [root, child, other]: [UdpSocket; 3] = sockets(3).try_into().unwrap();
    let port = root.local_addr().unwrap().port();
    on(root, |query, send| {
        let said = match asked(query).is_within(&name("test")) {
            true => referral(query, "test", "ns.test", Some("127.0.0.3")),
            false => referral(query, "example", "ns.test", None),
        };
        send(&octets(&said));
    });
    on(child, |query, send| send(&octets(&authoritative(query))));
    on(other, |query, send| {
        let mut said = authoritative(query);
        said.answers[0].data = Data::A("127.0.0.2".parse().unwrap());
        send(&octets(&said));
    });
    let found = walk(port, "www.example");
    assert_eq!(found.status.code(), Some(0), "{}", printed(&found));
    assert!(printed(&found).contains(&format!("; example. at 127.0.0.2:{port}")));
}

#[test]
fn a_name_server_that_has_an_ipv6_address_only_is_found_too() {
    let [root, other]: [UdpSocket; 2] = sockets(2).try_into().unwrap();
    let port = root.local_addr().unwrap().port();
    let Ok(child) = UdpSocket::bind((Ipv6Addr::LOCALHOST, port)) else {
        println!("skipped: no IPv6 here, or the port is taken");
        return;
    };
    on(root, |query, send| {
        let said = match asked(query).is_within(&name("test")) {
            true => referral(query, "test", "ns.test", Some("127.0.0.2")),
            false => referral(query, "example", "ns.test", None),
        };
        send(&octets(&said));
    });
    on(other, |query, send| {
        let mut said = authoritative(query);
        said.answers.clear();
        if query.questions[0].kind == RecordType::AAAA {
            let here = Data::Aaaa(Ipv6Addr::LOCALHOST);
            said.answers
                .push(Record::new(asked(query).clone(), 60, here));
        }
        send(&octets(&said));
    });
    on(child, |query, send| send(&octets(&authoritative(query))));
    let found = walk(port, "www.example");
    assert_eq!(found.status.code(), Some(0), "{}", printed(&found));
    assert!(printed(&found).contains(&format!("; example. at [::1]:{port}")));
}

#[test]
fn a_referral_upwards_sideways_or_in_a_circle_ends_the_walk() {
    for zone in [".", "test", "example"] {
        let [root, child]: [UdpSocket; 2] = sockets(2).try_into().unwrap();
        let port = root.local_addr().unwrap().port();
        on(root, |query, send| {
            send(&octets(&referral(
                query,
                "example",
                "ns.example",
                Some("127.0.0.2"),
            )));
        });
        on(child, move |query, send| {
            send(&octets(&referral(
                query,
                zone,
                "ns.example",
                Some("127.0.0.1"),
            )));
        });
        let lost = walk(port, "www.example");
        let said = String::from_utf8_lossy(&lost.stderr).into_owned();
        assert_eq!(lost.status.code(), Some(3), "{zone}");
        assert!(said.contains("refers to nowhere below example."), "{said}");
    }
}

#[test]
fn name_servers_that_need_each_other_to_be_found_end_the_walk() {
    let [root]: [UdpSocket; 1] = sockets(1).try_into().unwrap();
    let port = root.local_addr().unwrap().port();
    on(root, |query, send| {
        let (zone, server) = match asked(query).is_within(&name("test")) {
            true => ("test", "ns.example"),
            false => ("example", "ns.test"),
        };
        send(&octets(&referral(query, zone, server, None)));
    });
    let lost = walk(port, "www.example");
    let said = String::from_utf8_lossy(&lost.stderr).into_owned();
    assert_eq!(lost.status.code(), Some(3));
    assert!(
        said.contains("no address is known of example. (ns.test.)"),
        "{said}"
    );
}

#[test]
fn an_alias_to_a_name_without_the_record_is_not_found_and_one_that_leads_elsewhere_is() {
    for (has_soa, status) in [(true, 1), (false, 0)] {
        let [root]: [UdpSocket; 1] = sockets(1).try_into().unwrap();
        let port = root.local_addr().unwrap().port();
        on(root, move |query, send| {
            let mut said = authoritative(query);
            said.answers[0].data = Data::Cname(name("other.example"));
            let soa = "ns.example. mail.example. 1 1 1 1 1".split(' ');
            let soa: Vec<Token> = soa.map(token).collect();
            let soa = Data::parse(RecordType::SOA, &mut Fields::new(&soa, None)).unwrap();
            let soa = Record::new(name("example"), 60, soa);
            said.authorities.extend(has_soa.then_some(soa));
            send(&octets(&said));
        });
        let found = walk(port, "www.example");
        let text = printed(&found);
        assert_eq!(found.status.code(), Some(status), "{text}");
        let told = text.ends_with("www.example has no A record\n");
        assert_eq!(told, has_soa, "{text}");
    }
}

#[test]
fn a_referral_to_more_servers_than_a_walk_has_queries_is_not_followed_to_all_of_them() {
    let [root, others]: [UdpSocket; 2] = sockets(2).try_into().unwrap();
    let port = root.local_addr().unwrap().port();
    on(root, |query, send| {
        let mut said = referral(query, "example", "ns.example", Some("127.0.0.2"));
        let address = said.additionals[0].clone();
        said.additionals.resize(3_000, address);
        // It has some 48,000 octets, which one datagram takes: names are pointers.
        send(&said.encode().unwrap());
    });
    let (count, asked_others) = channel();
    on(others, move |query, send| {
        count.send(()).unwrap();
        let mut said = reply(query, GOOD);
        said.answers.clear();
        said.header.rcode = Rcode::REFUSED;
        send(&octets(&said));
    });
    let lost = walk(port, "www.example");
    assert_eq!(lost.status.code(), Some(3));
    assert_eq!(asked_others.try_iter().count(), 99, "100, less the root's");
}
