//! The server over UDP: what is answered, what is cut, what is passed over in silence.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use groundwire::dns::server::{Config, Loaded, RateConfig};
use groundwire::dns::{Data, Message, Rcode, RecordType, Zones, zone};
use groundwire::telemetry::{Format, Level, Log, Registry};

use crate::support::{Kept, PATIENCE, Seeded, eventually};
use crate::world::{World, ask, ask_octets, ask_tcp, query, query_with_edns};

#[test]
fn a_name_is_answered_over_udp_and_tcp_alike() {
    let world = World::samples(Config::default());
    let query = query(7, "www.lab.test.", RecordType::A);
    let over_udp = ask(&world.udp(), &query);
    assert_eq!((over_udp.header.id, over_udp.answers.len()), (7, 2));
    assert!(over_udp.header.authoritative && !over_udp.header.truncated);
    assert_eq!(ask_tcp(&mut world.tcp(), &query), over_udp);
    let totals = world.stop();
    assert!(
        totals.starts_with("queries udp 1, tcp 1; replies 2,"),
        "{totals}"
    );
}

#[test]
fn an_answer_that_no_datagram_holds_has_tc_and_comes_whole_over_tcp() {
    let folder = crate::support::Folder::new();
    let file = folder.path("long.zone");
    let texts: String = (0..40).map(|n| format!("@ TXT \"{n:0>100}\"\n")).collect();
    let zone = format!(
        "$ORIGIN long.test.\n$TTL 60\n@ SOA ns h 1 1 1 1 1\n@ NS ns\nns A 192.0.2.1\n{texts}"
    );
    std::fs::write(&file, zone).unwrap();
    let world = World::of(Config::default(), &[&file]);
    for asked in [
        query(1, "long.test.", RecordType::TXT),
        query_with_edns(1, "long.test.", RecordType::TXT, 4096),
    ] {
        let cut = ask(&world.udp(), &asked);
        assert!(cut.header.truncated && cut.answers.is_empty(), "{cut:?}");
        assert_eq!(cut.edns.is_some(), asked.edns.is_some());
        let whole = ask_tcp(&mut world.tcp(), &asked);
        assert!(!whole.header.truncated);
        assert_eq!(whole.answers.len(), 40);
    }
    assert!(world.stop().contains("truncated 2,"));
}

#[test]
fn what_is_too_short_or_a_reply_is_not_answered_and_other_junk_is_formerr() {
    let world = World::samples(Config::default());
    let socket = world.udp();
    let whole = query(9, "www.lab.test.", RecordType::A).encode().unwrap();
    for length in 0..12 {
        socket.send(&whole[..length]).unwrap();
    }
    let mut reply = whole.clone();
    reply[2] |= 0x80;
    socket.send(&reply).unwrap();
    // What comes next is the answer to what is sent next: nothing came for all those.
    for length in 12..whole.len() {
        let answer = Message::decode(&ask_octets(&socket, &whole[..length])).unwrap();
        assert_eq!(answer.header.rcode, Rcode::FORMERR, "{length}");
    }
    let totals = world.stop();
    assert!(totals.contains("not answered 13"), "{totals}");
}

#[test]
fn a_hundred_thousand_random_datagrams_do_no_harm() {
    let mut random = Seeded::new(4);
    let world = World::samples(Config::default());
    let socket = world.udp();
    let whole = query_with_edns(9, "www.lab.test.", RecordType::A, 1232);
    let whole = whole.encode().unwrap();
    for round in 0..100_000 {
        let octets: Vec<u8> = if round % 2 == 0 {
            let length = random.below(64);
            (0..length).map(|_| random.next() as u8).collect()
        } else {
            let mut octets = whole.clone();
            for _ in 0..=random.below(4) {
                let at = random.below(octets.len());
                octets[at] = random.next() as u8;
            }
            octets
        };
        socket.send(&octets).unwrap();
        if round % 100 == 99 {
            is_alive(&world);
        }
    }
    world.stop();
}

/// Asks until there is an answer: a flood fills the queues, and what does not fit is lost.
fn is_alive(world: &World) {
    let socket = world.udp();
    socket
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let asked = query(9, "www.lab.test.", RecordType::A).encode().unwrap();
    eventually("it answers", || {
        socket.send(&asked).unwrap();
        socket.recv(&mut [0; 1500]).is_ok()
    });
}

#[test]
fn two_servers_that_are_set_on_each_other_fall_silent() {
    let one = World::samples(Config::default());
    let other = World::samples(Config::default());
    // A question in the other's name, as a forger writes it: a socket on its port cannot be had, so
    // the reply that it would cause is sent by hand.
    let asked = query(3, "www.lab.test.", RecordType::A).encode().unwrap();
    let reply = ask_octets(&one.udp(), &asked);
    let forger = other.udp();
    forger.send(&reply).unwrap();
    let answer = ask(&forger, &query(4, "www.lab.test.", RecordType::A));
    assert_eq!(answer.header.id, 4);
    assert!(other.stop().contains("not answered 1"));
    one.stop();
}

#[test]
fn whoever_asks_too_much_gets_a_few_replies_and_some_that_say_come_back_over_tcp() {
    let config = Config {
        rate: Some(RateConfig::per_second(5)),
        ..Config::default()
    };
    let world = World::samples(config);
    let socket = world.udp();
    let asked = query(1, "www.lab.test.", RecordType::A).encode().unwrap();
    for _ in 0..150 {
        socket.send(&asked).unwrap();
    }
    let last = query(2, "lab.test.", RecordType::MX).encode().unwrap();
    socket.send(&last).unwrap();
    let (mut whole, mut cut, mut buffer) = (0, 0, [0; 1500]);
    loop {
        let count = socket.recv(&mut buffer).unwrap();
        let reply = Message::decode(&buffer[..count]).unwrap();
        match (reply.header.id, reply.header.truncated) {
            (2, _) => break,
            (_, true) => {
                assert!(reply.answers.is_empty());
                cut += 1;
            }
            _ => whole += 1,
        }
    }
    // One socket is served by one worker, in order. A slow machine earns a few more.
    assert!(
        whole >= 5 && cut >= 20 && whole + cut < 140,
        "{whole} {cut}"
    );
    for _ in 0..50 {
        let asked = query(1, "www.lab.test.", RecordType::A);
        assert!(!ask_tcp(&mut world.tcp(), &asked).header.truncated);
    }
    world.stop();
}

#[test]
fn names_invented_below_a_wildcard_are_one_name_to_the_rate_limit() {
    let config = Config {
        rate: Some(RateConfig {
            slip: 1,
            ..RateConfig::per_second(5)
        }),
        ..Config::default()
    };
    let world = World::samples(config);
    let socket = world.udp();
    let cut = (0..200).filter(|number| {
        let name = format!("n{number}.wild.lab.test.");
        ask(&socket, &query(1, &name, RecordType::TXT))
            .header
            .truncated
    });
    assert!(cut.count() > 100);
    world.stop();
}

#[test]
fn each_query_has_a_line_in_the_log_that_no_name_can_break() {
    let kept = Kept::default();
    let log = Log::to_writer(Level::Info, Format::Text, Box::new(kept.clone()));
    let config = Config {
        query_log: Some(log),
        ..Config::default()
    };
    let world = World::samples(config);
    let socket = world.udp();
    ask(
        &socket,
        &query_with_edns(1, "www.lab.test.", RecordType::A, 1232),
    );
    ask(
        &socket,
        &query(1, "a\\010b\\ c.lab.test.", RecordType(65280)),
    );
    ask_octets(&socket, &[0; 12]);
    ask_tcp(&mut world.tcp(), &query(1, "lab.test.", RecordType::AXFR));
    world.stop();
    let text = kept.text();
    let lines: Vec<&str> = text.lines().collect();
    let has =
        |number: usize, words: &str| assert!(lines[number].contains(words), "{words}\n{text}");
    has(
        0,
        "transport=udp name=www.lab.test. class=IN type=A flags=\"edns=1232\" rcode=NOERROR size=73",
    );
    has(1, "type=TYPE65280 flags=- rcode=NXDOMAIN");
    has(2, "name=- class=- type=- flags=- rcode=FORMERR size=12");
    has(
        3,
        "transport=tcp name=lab.test. class=IN type=AXFR flags=- rcode=REFUSED",
    );
    assert_eq!(lines.len(), 4, "{text}");
}

#[test]
fn a_reply_that_even_a_stream_cuts_is_logged_as_cut() {
    let kept = Kept::default();
    let config = Config {
        query_log: Some(Log::to_writer(
            Level::Info,
            Format::Text,
            Box::new(kept.clone()),
        )),
        ..Config::default()
    };
    // A set that just fits into a message, and aliases which it does not fit beside.
    let mut text = "$ORIGIN z.\n$TTL 60\n@ SOA a b 1 1 1 1 1\n@ NS a.\n".to_string();
    (100..343).for_each(|n| text += &format!("big TXT {n}{}\n", "x".repeat(252)));
    let alias = |n| format!("{}.{n}", ["y"; 3].map(|y| y.repeat(60)).join("."));
    (0..3).for_each(|n| text += &format!("{} CNAME {}\n", alias(n), alias(n + 1)));
    text += &format!("{} CNAME big\n", alias(3));
    let mut none = |_: &str| Err(String::new());
    let zone = zone::parse("z", &text, None, zone::Limits::default(), &mut none).unwrap();
    let loaded = Loaded {
        zones: Zones::new([Arc::new(zone.zone)]).unwrap(),
        warnings: Vec::new(),
        summary: Vec::new(),
    };
    let world = World::new(config, loaded, Vec::new(), "127.0.0.1:0");
    for (name, is_cut) in [("big.z.".into(), false), (alias(0) + ".z.", true)] {
        let reply = ask_tcp(&mut world.tcp(), &query(1, &name, RecordType::TXT));
        assert_eq!(reply.header.truncated, is_cut, "{name}");
    }
    world.stop();
    let text = kept.text();
    let cut: Vec<bool> = text
        .lines()
        .map(|l| l.ends_with(" truncated=yes"))
        .collect();
    assert_eq!(cut, [false, true], "{text}");
}

#[test]
fn a_server_on_all_addresses_answers_from_the_one_that_was_asked() {
    let loaded = groundwire::dns::server::Loaded::samples().unwrap();
    let world = World::new(Config::default(), loaded, Vec::new(), "0.0.0.0:0");
    for address in ["127.0.0.1", "127.0.0.7"] {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.connect((address, world.address.port())).unwrap();
        let reply = ask(&socket, &query(1, "ns1.lab.test.", RecordType::A));
        assert!(matches!(reply.answers[0].data, Data::A(_)));
    }
    world.stop();
}

#[test]
fn the_counters_tell_type_transport_and_code() {
    let place = groundwire::dns::server::Place::bind("127.0.0.1:0", 1).unwrap();
    let loaded = groundwire::dns::server::Loaded::samples().unwrap();
    let server = groundwire::dns::server::DnsServer::new(Config::default(), loaded, vec![place]);
    let registry = Registry::new();
    server.register(&registry);
    let page = registry.expose();
    for name in [
        "groundwire_dns_queries_total{transport=\"udp\",type=\"A\"} 0",
        "groundwire_connections_served_total 0",
        "groundwire_datagrams_received_total 0",
    ] {
        assert!(page.contains(name), "{name}\n{page}");
    }
}
