//! The server over TCP: many queries on a connection, slow and silent clients, crowds, transfers.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use groundwire::dns::server::Config;
use groundwire::dns::{Message, Rcode, RecordType};
use groundwire::server::Config as TcpConfig;

use crate::support::eventually;
use crate::world::{World, ask_tcp, framed, query, read_message};

#[test]
fn ten_thousand_queries_on_one_connection_are_answered_in_their_order() {
    let world = World::samples(Config::default());
    let mut stream = world.tcp();
    let mut writing = stream.try_clone().unwrap();
    let writer = std::thread::spawn(move || {
        let names = [
            "www.lab.test.",
            "none.lab.test.",
            "ftp.lab.test.",
            "example.",
        ];
        let mut all = Vec::new();
        for id in 0..10_000 {
            let query = query(id, names[usize::from(id) % 4], RecordType::A);
            all.extend(framed(&query.encode().unwrap()));
        }
        writing.write_all(&all).unwrap();
        writing.shutdown(Shutdown::Write).unwrap();
    });
    for id in 0..10_000 {
        let reply = read_message(&mut stream);
        let expected = [
            Rcode::NOERROR,
            Rcode::NXDOMAIN,
            Rcode::NOERROR,
            Rcode::REFUSED,
        ];
        assert_eq!(reply.header.id, id);
        assert_eq!(reply.header.rcode, expected[usize::from(id) % 4]);
    }
    // It half-closed after its last question, and got all its answers, then our end.
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    writer.join().unwrap();
    let totals = world.stop();
    assert!(totals.contains("tcp 10000; replies 10000"), "{totals}");
}

#[test]
fn a_message_is_answered_however_its_octets_are_cut() {
    let world = World::samples(Config::default());
    let octets = framed(&query(5, "www.lab.test.", RecordType::A).encode().unwrap());
    let mut stream = world.tcp();
    stream.set_nodelay(true).unwrap();
    for octet in &octets {
        stream.write_all(&[*octet]).unwrap();
    }
    assert_eq!(read_message(&mut stream).answers.len(), 2);
    world.stop();
}

/// How long the server takes to end a connection to which `send` is done again and again.
fn ended_after(stream: &mut TcpStream, mut send: impl FnMut(&mut TcpStream)) -> Duration {
    let begun = Instant::now();
    stream
        .set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    loop {
        match stream.read(&mut [0; 64]) {
            Ok(0) => return begun.elapsed(),
            Err(e) if e.kind() == ErrorKind::WouldBlock => send(stream),
            Err(e) if e.kind() == ErrorKind::ConnectionReset => return begun.elapsed(),
            other => panic!("{other:?}"),
        }
        assert!(begun.elapsed() < crate::support::PATIENCE, "never ended");
    }
}

#[test]
fn silent_clients_and_those_that_send_an_octet_now_and_then_are_ended() {
    let idle = Duration::from_millis(300);
    let config = Config {
        idle,
        ..Config::default()
    };
    let world = World::samples(config);
    assert!(ended_after(&mut world.tcp(), |_| ()) >= idle);
    let mut dripping = world.tcp();
    let octets = framed(&[7; 60_000]);
    let mut rest = octets.iter();
    let took = ended_after(&mut dripping, |stream| {
        let _ = stream.write_all(&[*rest.next().unwrap()]);
    });
    assert!(took >= idle);
    // A question that comes in time renews the time.
    let mut busy = world.tcp();
    ask_tcp(&mut busy, &query(1, "lab.test.", RecordType::SOA));
    assert!(ended_after(&mut busy, |_| ()) >= idle);
    world.stop();
}

#[test]
fn more_connections_than_allowed_are_closed_and_the_others_served() {
    let config = Config {
        tcp: TcpConfig {
            max_connections: 5,
            ..Config::default().tcp
        },
        ..Config::default()
    };
    let world = World::samples(config);
    let mut served: Vec<TcpStream> = (0..5).map(|_| world.tcp()).collect();
    let question = query(1, "lab.test.", RecordType::SOA);
    for stream in &mut served {
        ask_tcp(stream, &question);
    }
    for _ in 0..20 {
        let mut refused = world.tcp();
        let ended = refused.read(&mut [0]);
        let reset = |e: &std::io::Error| e.kind() == ErrorKind::ConnectionReset;
        assert!(matches!(ended, Ok(0)) || ended.is_err_and(|e| reset(&e)));
    }
    for stream in &mut served {
        ask_tcp(stream, &question);
    }
    drop(served);
    eventually("there is room again", || {
        let mut stream = world.tcp();
        let sent = stream.write_all(&framed(&question.encode().unwrap()));
        sent.is_ok() && matches!(stream.read(&mut [0; 2]), Ok(n) if n > 0)
    });
    world.stop();
}

#[test]
fn a_client_that_asks_and_never_reads_is_ended_by_the_deadline_of_writing() {
    let config = Config {
        write: Duration::from_millis(300),
        ..Config::default()
    };
    let world = World::samples(config);
    let mut deaf = world.tcp();
    let octets = framed(&query(1, "lab.test.", RecordType::NS).encode().unwrap());
    let many = octets.repeat(1_000);
    // Until the buffers of both sides are full and the server gives up.
    let ended = loop {
        if let Err(error) = deaf.write_all(&many) {
            break error.kind();
        }
    };
    let by_server = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
    assert!(by_server.contains(&ended), "{ended:?}");
    assert_eq!(
        ask_tcp(&mut world.tcp(), &query(1, "lab.test.", RecordType::SOA))
            .answers
            .len(),
        1
    );
    world.stop();
}

fn transfer(stream: &mut TcpStream, asked: &Message) -> Vec<Message> {
    stream.write_all(&framed(&asked.encode().unwrap())).unwrap();
    let (mut messages, mut marks) = (Vec::new(), 0);
    while marks < 2 {
        let message = read_message(stream);
        let is_mark = |r: &&groundwire::dns::Record| r.data.kind() == RecordType::SOA;
        marks += message.answers.iter().filter(is_mark).count();
        if message.header.rcode != Rcode::NOERROR {
            marks = 2;
        }
        messages.push(message);
    }
    messages
}

#[test]
fn a_transfer_is_for_those_who_may_have_it_and_the_connection_goes_on() {
    let asked = query(8, "lab.test.", RecordType::AXFR);
    for (allowed, whole) in [("192.0.2.0/24", false), ("127.0.0.0/8", true)] {
        let config = Config {
            transfer: vec![allowed.parse().unwrap()],
            ..Config::default()
        };
        let world = World::samples(config);
        let mut stream = world.tcp();
        let messages = transfer(&mut stream, &asked);
        if whole {
            let records: usize = messages.iter().map(|message| message.answers.len()).sum();
            assert!(records > 40, "{records}");
            assert!(messages.iter().all(|message| message.header.authoritative));
        } else {
            assert_eq!(messages[0].header.rcode, Rcode::REFUSED);
        }
        let after = ask_tcp(&mut stream, &query(9, "www.lab.test.", RecordType::A));
        assert_eq!((after.header.id, after.answers.len()), (9, 2));
        assert!(
            world
                .stop()
                .contains(&format!("transfers {},", u8::from(whole)))
        );
    }
}

#[test]
fn a_stop_ends_idle_connections_at_once_and_answers_what_was_asked() {
    let world = World::samples(Config::default());
    let mut stream = world.tcp();
    ask_tcp(&mut stream, &query(1, "lab.test.", RecordType::SOA));
    let begun = Instant::now();
    world.stop();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn a_drain_without_an_end_is_waited_for() {
    let tcp = TcpConfig {
        drain: Duration::MAX,
        ..TcpConfig::default()
    };
    let world = World::samples(Config {
        tcp,
        ..Config::default()
    });
    let mut stream = world.tcp();
    ask_tcp(&mut stream, &query(1, "www.lab.test.", RecordType::A));
    let totals = world.stop();
    assert!(totals.contains("served 1, active 0"), "{totals}");
}
