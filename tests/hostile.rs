//! Peers that do harm, on purpose or by accident, against an echo server. Each ends at most its own
//! connection.

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use groundwire::echo::{Asked, EchoConfig, EchoHandler, LineClient, MAX_LINE};
use groundwire::net::{self, Conn, Deadline, Network};
use groundwire::server::{Config, Mode, Running, Server};
use groundwire::telemetry::{Format, Level, Log};
use support::{
    Folder, Kept, PATIENCE, Seeded, connect, count_of, echo, echo_with, eventually, in_own_process,
    serve,
};

fn assert_still_serves(address: &str) {
    let mut client = LineClient::new(connect(address), MAX_LINE, PATIENCE);
    assert_eq!(
        client.ask(b"alive?\n").unwrap(),
        Asked::Reply(b"alive?\n".to_vec())
    );
}

fn read_all(conn: &mut Conn) -> Vec<u8> {
    let mut bytes = Vec::new();
    conn.read_to_end(&mut bytes).unwrap();
    bytes
}

fn wait_until_idle(server: &Running) {
    eventually("all connections have ended", || server.totals().active == 0);
}

#[test]
fn a_sender_of_single_bytes_gets_its_line() {
    let (server, address) = echo();
    let mut conn = connect(&address);
    for byte in b"slow but steady\n" {
        conn.write_all(&[*byte]).unwrap();
    }
    let mut reply = [0; 16];
    conn.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"slow but steady\n");
    drop(conn);
    server.stop().unwrap();
}

#[test]
fn bytes_that_are_no_text_come_back_as_they_went() {
    let (server, address) = echo();
    let mut conn = connect(&address);
    let every_byte: Vec<u8> = (0..=255).chain([0xc3, 0x28, 0xff, 0xfe, 0]).collect();
    conn.write_all(&every_byte).unwrap();
    conn.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut conn), every_byte);
    server.stop().unwrap();
}

#[test]
fn two_lines_in_one_write_are_two_replies_and_two_empty_lines_stay_in_step() {
    let (server, address) = echo();
    let mut client = LineClient::new(connect(&address), MAX_LINE, PATIENCE);
    let mut replies = Vec::new();
    replies.push(client.ask(b"one\ntwo\n").unwrap());
    replies.push(client.ask(b"\n").unwrap());
    replies.push(client.ask(b"\n").unwrap());
    client
        .finish(|line| replies.push(Asked::Reply(line.to_vec())))
        .unwrap();
    let lines = [&b"one\n"[..], b"two\n", b"\n", b"\n"];
    assert_eq!(replies, lines.map(|line| Asked::Reply(line.to_vec())));
    server.stop().unwrap();
}

#[test]
fn a_client_never_gets_bytes_of_another() {
    let (server, address) = echo();
    for number in 0..20 {
        let mut secret = connect(&address);
        let line = format!("{}\n", format!("secret {number} ").repeat(100));
        secret.write_all(line.as_bytes()).unwrap();
        secret.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_all(&mut secret), line.as_bytes());
        let mut other = connect(&address);
        other.write_all(b"x\n").unwrap();
        other.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_all(&mut other), b"x\n");
    }
    server.stop().unwrap();
}

#[test]
fn a_line_of_five_thousand_bytes_comes_back_whole() {
    let (server, address) = echo();
    let mut conn = connect(&address);
    let line = [vec![b'x'; 4_999], vec![b'\n']].concat();
    conn.write_all(&line).unwrap();
    let mut reply = vec![0; 5_000];
    conn.read_exact(&mut reply).unwrap();
    assert_eq!(reply, line);
    drop(conn);
    server.stop().unwrap();
}

#[test]
fn a_half_close_gets_the_rest_that_had_no_line_feed() {
    let (server, address) = echo();
    let mut conn = connect(&address);
    conn.write_all(b"line\nrest").unwrap();
    conn.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut conn), b"line\nrest");
    assert_eq!(server.stop().unwrap().served, 1);
}

#[test]
fn random_lines_in_random_pieces_come_back_byte_for_byte() {
    let (server, address) = echo();
    let mut random = Seeded::new(862);
    for _ in 0..30 {
        let mut sent = Vec::new();
        for _ in 0..random.below(40) {
            let line = (0..random.below(3_000)).map(|_| random.next() as u8 | 1);
            sent.extend(line.filter(|&byte| byte != b'\n'));
            sent.push(b'\n');
        }
        let conn = connect(&address);
        let echoed = thread::scope(|scope| {
            let reader = scope.spawn(|| read_all(&mut conn.clone()));
            let mut rest = &sent[..];
            while !rest.is_empty() {
                let (piece, left) = rest.split_at(1 + random.below(rest.len()));
                (&conn).write_all(piece).unwrap();
                rest = left;
            }
            conn.shutdown(Shutdown::Write).unwrap();
            reader.join().unwrap()
        });
        assert!(
            echoed == sent,
            "{} bytes sent, {} echoed",
            sent.len(),
            echoed.len()
        );
    }
    server.stop().unwrap();
}

#[test]
fn eight_peers_at_once_each_get_their_own_bytes_and_no_others() {
    let (server, address) = echo();
    let mut seeds = Seeded::new(1_729);
    thread::scope(|scope| {
        for number in 0..8 {
            let (mut random, address) = (seeds.child(), &address);
            scope.spawn(move || {
                let mut client = LineClient::new(connect(address), MAX_LINE, PATIENCE);
                for _ in 0..100 {
                    // A long line and then a short one, or the other way round.
                    let mut line = vec![b'a' + number; random.below(5_000)];
                    line.push(b'\n');
                    let reply = client.ask(&line).unwrap();
                    assert!(reply == Asked::Reply(line), "peer {number}: {reply:?}");
                }
                client.finish(|_| panic!("more than was asked for"))
            });
        }
    });
    let totals = server.stop().unwrap();
    assert_eq!((totals.served, totals.failed), (8, 0));
}

#[test]
fn a_line_without_an_end_is_cut_off_at_the_limit_and_costs_no_memory() {
    let name = "a_line_without_an_end_is_cut_off_at_the_limit_and_costs_no_memory";
    if in_own_process(name, &[]).is_some() {
        return;
    }
    let (server, address) = echo();
    assert_still_serves(&address);
    let before = resident_bytes();
    let mut conn = connect(&address);
    // 1 GiB is meant; the server must end it long before.
    let block = vec![b'x'; 1 << 20];
    let mut sent = 0_u64;
    let error = loop {
        match conn.write(&block) {
            Ok(count) => sent += count as u64,
            Err(error) => break error,
        }
        assert!(sent < 1 << 30, "the server took a line of 1 GiB");
    };
    assert!(
        matches!(
            error.kind(),
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
        ),
        "{error}"
    );
    eventually("it is counted as failed", || server.totals().failed == 1);
    let grown = resident_bytes().saturating_sub(before);
    // The block that we send, the line buffer, little else.
    assert!(grown < 4 << 20, "memory grew by {grown} bytes");
    assert_still_serves(&address);
    server.stop().unwrap();
}

/// Pages in memory, by `/proc/self/statm`.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[test]
fn a_line_over_the_limit_ends_in_a_clean_close_for_a_peer_that_stops_there() {
    let (server, address) = echo_with(EchoConfig {
        max_line: 100,
        ..EchoConfig::default()
    });
    let mut conn = connect(&address);
    conn.write_all(b"short\n").unwrap();
    let mut reply = [0; 6];
    conn.read_exact(&mut reply).unwrap();
    conn.write_all(&[b'x'; 500]).unwrap();
    assert_eq!(read_all(&mut conn), b"", "a reset instead of an end");
    drop(conn);
    assert_eq!(server.stop().unwrap().failed, 1);
}

#[test]
fn connecting_and_vanishing_ten_thousand_times_leaks_nothing() {
    let name = "connecting_and_vanishing_ten_thousand_times_leaks_nothing";
    if in_own_process(name, &[]).is_some() {
        return;
    }
    let before = (count_of("fd"), count_of("task"));
    let (server, address) = echo();
    for number in 0..10_000 {
        let mut conn = TcpStream::connect(&address).unwrap();
        match number % 3 {
            0 => {}
            1 => drop(conn.write_all(b"half a li")),
            // Gone with the echo unread, which makes a reset.
            _ => drop(conn.write_all(b"a line\n")),
        }
    }
    eventually("all have ended", || {
        let totals = server.totals();
        totals.served + totals.failed == 10_000 && totals.active == 0
    });
    assert_still_serves(&address);
    assert_eq!(server.stop().unwrap().refused, 0);
    eventually("all descriptors and threads are given back", || {
        (count_of("fd"), count_of("task")) == before
    });
}

#[test]
fn a_reset_in_the_middle_ends_that_connection_only() {
    let (server, address) = echo();
    let mut bystander = LineClient::new(connect(&address), MAX_LINE, PATIENCE);
    bystander.ask(b"before\n").unwrap();
    let mut conn = connect(&address);
    conn.write_all(b"half a li").unwrap();
    conn.reset_on_close().unwrap();
    drop(conn);
    eventually("it is counted as failed", || server.totals().failed == 1);
    let reply = bystander.ask(b"after\n").unwrap();
    assert_eq!(reply, Asked::Reply(b"after\n".to_vec()));
    bystander.finish(|_| ()).unwrap();
    server.stop().unwrap();
}

#[test]
fn a_reset_while_the_server_writes_ends_that_connection_only() {
    let (server, address) = echo();
    let mut bystander = LineClient::new(connect(&address), MAX_LINE, PATIENCE);
    bystander.ask(b"before\n").unwrap();
    let conn = connect(&address);
    // Nothing is read, so at some time the server's write blocks, and then ours.
    let lines = b"never read\n".repeat(10_000);
    conn.set_write_deadline(Deadline::after(Duration::from_millis(200)));
    let blocked = loop {
        if let Err(error) = (&conn).write_all(&lines) {
            break error;
        }
    };
    assert_eq!(blocked.kind(), ErrorKind::TimedOut);
    assert_eq!(server.totals().failed, 0);
    conn.reset_on_close().unwrap();
    drop(conn);
    eventually("it is counted as failed", || server.totals().failed == 1);
    let reply = bystander.ask(b"after\n").unwrap();
    assert_eq!(reply, Asked::Reply(b"after\n".to_vec()));
    bystander.finish(|_| ()).unwrap();
    server.stop().unwrap();
}

#[test]
fn a_record_over_the_limit_ends_its_connection_and_is_not_echoed_cut() {
    let folder = Folder::new();
    let listener = net::listen(Network::Unixpacket, &folder.path("s")).unwrap();
    let handler = EchoHandler::new(EchoConfig {
        max_line: 100,
        ..EchoConfig::default()
    });
    let server = Server::new(Config::default(), handler);
    let server = server.start(listener).unwrap();
    let mut conn = net::dial(Network::Unixpacket, &folder.path("s")).unwrap();
    conn.set_deadline(Deadline::after(PATIENCE));
    let mut buffer = [0; 200];
    conn.write_all(&[1; 100]).unwrap();
    assert_eq!(conn.read(&mut buffer).unwrap(), 100);
    conn.write_all(&[2; 101]).unwrap();
    assert_eq!(conn.read(&mut buffer).unwrap(), 0);
    drop(conn);
    assert_eq!(server.stop().unwrap().failed, 1);
}

#[test]
fn a_peer_that_does_not_read_is_given_up_at_the_write_deadline() {
    let write_timeout = Some(Duration::from_millis(100));
    let (server, address) = echo_with(EchoConfig {
        write_timeout,
        ..EchoConfig::default()
    });
    let mut conn = connect(&address);
    conn.set_write_deadline(Deadline::after(PATIENCE));
    let lines = b"never read\n".repeat(10_000);
    let error = loop {
        if let Err(error) = conn.write_all(&lines) {
            break error;
        }
    };
    assert_ne!(
        error.kind(),
        ErrorKind::TimedOut,
        "the server did not give up: {error}"
    );
    eventually("it is counted as failed", || server.totals().failed == 1);
    assert_still_serves(&address);
    server.stop().unwrap();
}

#[test]
fn an_idle_peer_and_one_that_drips_are_ended_at_the_idle_deadline() {
    let kept = Kept::default();
    let config = Config {
        log: Log::to_writer(Level::Warn, Format::Text, Box::new(kept.clone())),
        ..Config::default()
    };
    let handler = EchoHandler::new(EchoConfig {
        idle_timeout: Some(Duration::from_millis(100)),
        max_line: 1 << 30, // so that the deadline ends the line, and not its length
        ..EchoConfig::default()
    });
    let (server, address) = serve(config, handler);
    let mut idle = connect(&address);
    assert_eq!(idle.read(&mut [0]).unwrap(), 0);
    let dripping = connect(&address);
    let (mut reader, mut writer) = (dripping.clone(), dripping.clone());
    let drip = thread::spawn(move || while writer.write_all(b"x").is_ok() {});
    let ended = reader.read(&mut [0]);
    let late = ended.as_ref().err().map(std::io::Error::kind) == Some(ErrorKind::TimedOut);
    let _ = dripping.shutdown(Shutdown::Both);
    drip.join().unwrap();
    assert!(!late, "the drip kept its connection: {ended:?}");
    wait_until_idle(&server);
    assert_eq!(server.stop().unwrap().failed, 2);
    let text = kept.text();
    assert_eq!(text.matches("cause=\"timed out\"").count(), 2, "{text}");
    assert_eq!(text.matches(" stage=reading cause").count(), 2, "{text}");
}

#[test]
fn a_peer_whose_writes_end_in_the_middle_of_lines_is_not_taken_for_one_that_drips() {
    let idle_timeout = Duration::from_secs(1);
    let (server, address) = echo_with(EchoConfig {
        idle_timeout: Some(idle_timeout),
        ..EchoConfig::default()
    });
    let mut conn = connect(&address);
    conn.write_all(b"ab").unwrap();
    // Each write ends one line and begins the next: no line takes long, no read ends at a line.
    let (begun, mut reply) = (Instant::now(), [0; 3]);
    while begun.elapsed() < idle_timeout * 3 / 2 {
        let came = conn.write_all(b"\nab");
        let came = came.and_then(|()| conn.read_exact(&mut reply));
        let elapsed = begun.elapsed();
        assert!(came.is_ok(), "ended after {elapsed:?}: {came:?}");
    }
    drop(conn);
    assert_eq!(server.stop().unwrap().failed, 0);
}

#[test]
fn a_flood_beyond_the_limit_is_refused_and_those_inside_are_served() {
    let config = Config {
        max_connections: 20,
        ..Config::default()
    };
    let (server, address) = serve(config, EchoHandler::default());
    let mut inside: Vec<LineClient> = (0..20)
        .map(|_| {
            let mut client = LineClient::new(connect(&address), MAX_LINE, PATIENCE);
            client.ask(b"in\n").unwrap();
            client
        })
        .collect();
    for _ in 0..500 {
        let mut outside = connect(&address);
        let heard = outside.read(&mut [0]);
        assert!(matches!(heard, Ok(0)) || heard.is_err(), "{heard:?}");
    }
    for client in &mut inside {
        assert_eq!(
            client.ask(b"still\n").unwrap(),
            Asked::Reply(b"still\n".to_vec())
        );
    }
    drop(inside);
    wait_until_idle(&server);
    assert_still_serves(&address);
    assert_eq!(server.stop().unwrap().refused, 500);
}

#[test]
fn a_port_scan_does_not_end_the_server() {
    let pool = Mode::Pool {
        workers: 2,
        queue: 100,
    };
    for mode in [Mode::Serial, Mode::Threads, pool] {
        let config = Config {
            mode,
            ..Config::default()
        };
        let (server, address) = serve(config, EchoHandler::default());
        for _ in 0..10 {
            drop(TcpStream::connect(&address).unwrap());
            let mut conn = TcpStream::connect(&address).unwrap();
            conn.write_all(b"\n").unwrap();
            drop(conn);
        }
        assert_still_serves(&address);
        server.stop().unwrap();
    }
}
