//! Who is turned away: beyond a limit, by the access list, by a full queue.

use std::fs;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::process::Command;
use std::sync::{Arc, mpsc};

use crate::support::{Kept, PATIENCE, connect, connect_from, eventually, in_own_process, serve};
use crate::{ask, client};
use groundwire::echo::{Asked, EchoHandler, LineClient, MAX_LINE};
use groundwire::net::Conn;
use groundwire::server::{AccessList, Config, End, Mode, Refusal, Session};
use groundwire::telemetry::{Format, Level, Log};

#[test]
fn beyond_the_limit_a_peer_is_closed_and_counted_and_room_comes_free_again() {
    let (tell, told) = mpsc::channel();
    struct Telling(mpsc::Sender<Refusal>, EchoHandler);
    impl groundwire::server::Handler for Telling {
        fn serve(&self, conn: &Conn, session: &Session<'_>) -> io::Result<End> {
            self.1.serve(conn, session)
        }
        fn refused(&self, mut conn: &Conn, why: Refusal) {
            conn.write_all(b"busy\n").unwrap();
            self.0.send(why).unwrap();
        }
    }
    for (config, why) in [
        (
            Config {
                max_connections: 2,
                ..Config::default()
            },
            Refusal::TooMany,
        ),
        (
            Config {
                max_per_peer: Some(2),
                ..Config::default()
            },
            Refusal::TooManyFromPeer,
        ),
    ] {
        let (server, address) = serve(config, Telling(tell.clone(), EchoHandler::default()));
        let mut first = client(&address);
        let mut second = client(&address);
        ask(&mut first, b"1\n");
        ask(&mut second, b"2\n");
        let mut third = connect(&address);
        let mut heard = String::new();
        third.read_to_string(&mut heard).unwrap();
        assert_eq!(
            (heard.as_str(), told.recv_timeout(PATIENCE).unwrap()),
            ("busy\n", why)
        );
        drop(first);
        eventually("a seat comes free", || server.totals().active == 1);
        assert_eq!(
            ask(&mut client(&address), b"3\n"),
            Asked::Reply(b"3\n".to_vec())
        );
        drop(second);
        assert_eq!(server.stop().unwrap().refused, 1);
    }
}

/// Bytes of address space that this process has: field VmSize of `proc_pid_status(5)`.
fn address_space() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmSize:"));
    let kilobytes = line.unwrap().split_whitespace().nth(1).unwrap();
    kilobytes.parse::<u64>().unwrap() * 1024
}

fn limit_address_space(bytes: &str) -> bool {
    let (pid, soft) = (std::process::id().to_string(), format!("--as={bytes}:"));
    let set = Command::new("prlimit")
        .args(["--pid", &pid, &soft])
        .status();
    set.is_ok_and(|status| status.success())
}

#[test]
fn who_is_refused_by_the_handler_is_told_and_counted_as_at_the_door() {
    struct Choosy;
    impl groundwire::server::Handler for Choosy {
        fn serve(&self, mut conn: &Conn, _: &Session<'_>) -> io::Result<End> {
            conn.read_exact(&mut [0])?;
            Ok(End::Refused(Refusal::TooManyFrom([192, 0, 2, 1].into())))
        }
        fn refused(&self, mut conn: &Conn, why: Refusal) {
            write!(conn, "{why}").unwrap();
        }
    }
    // An `Arc` of the handler is the handler, for a second server.
    let choosy = Arc::new(Choosy);
    let (other, _) = serve(Config::default(), choosy.clone());
    let kept = Kept::default();
    let config = Config {
        log: Log::to_writer(Level::Warn, Format::Text, Box::new(kept.clone())),
        ..Config::default()
    };
    let (server, address) = serve(config, choosy);
    let mut conn = connect(&address);
    conn.write_all(b"x, and more than is read").unwrap();
    let mut heard = String::new();
    conn.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "too many connections from 192.0.2.1");
    assert_eq!(other.stop().unwrap().refused, 0);
    let totals = server.stop().unwrap();
    let line = format!(" peer={} why=\"{heard}\"\n", conn.local_addr().unwrap());
    assert!(kept.text().ends_with(&line), "{}", kept.text());
    assert_eq!((totals.served, totals.refused, totals.failed), (0, 1, 0));
}

#[test]
fn newcomers_are_served_once_a_shortage_of_threads_is_over() {
    let name = "limits::newcomers_are_served_once_a_shortage_of_threads_is_over";
    if in_own_process(name, &[]).is_some() {
        return;
    }
    let config = Config {
        stack_size: 256 << 20, // more than the limit below has room for
        ..Config::default()
    };
    let (server, address) = serve(config, EchoHandler::default());
    // One serves the first, and the next waits already: the third would need a thread.
    let mut first = client(&address);
    ask(&mut first, b"1\n");
    if !limit_address_space(&(address_space() + (128 << 20)).to_string()) {
        eprintln!("skipped: no prlimit");
        return;
    }
    let mut second = client(&address);
    ask(&mut second, b"2\n");
    let mut third = connect(&address);
    third.write_all(b"3\n").unwrap();
    // Both of the others stay and are served; nobody is left to accept the third.
    ask(&mut second, b"2 again\n");
    assert!(third.is_quiet(), "there was no shortage");
    assert!(limit_address_space("unlimited"));
    let mut reply = [0; 2];
    third.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"3\n");
    drop((first, second, third));
    assert_eq!(server.stop().unwrap().served, 3);
}

#[test]
fn the_limit_for_each_peer_is_no_limit_for_the_others() {
    let config = Config {
        max_per_peer: Some(1),
        ..Config::default()
    };
    let (server, address) = serve(config, EchoHandler::default());
    let mut clients = ["127.0.0.1:0", "127.0.0.2:0", "127.0.0.3:0"].map(|local| {
        let conn = connect_from(local, &address);
        LineClient::new(conn, MAX_LINE, PATIENCE)
    });
    for client in &mut clients {
        assert_eq!(ask(client, b"x\n"), Asked::Reply(b"x\n".to_vec()));
    }
    let mut second = connect_from("127.0.0.2:0", &address);
    assert_eq!(second.read(&mut [0]).unwrap(), 0);
    drop(clients);
    assert_eq!(server.stop().unwrap().refused, 1);
}

#[test]
fn with_an_allow_list_only_those_on_it_are_served() {
    let access = AccessList::new(vec!["127.0.0.2/32".parse().unwrap()], Vec::new());
    let config = Config {
        access,
        ..Config::default()
    };
    let (server, address) = serve(config, EchoHandler::default());
    assert_eq!(connect(&address).read(&mut [0]).unwrap(), 0);
    let mut welcome = connect_from("127.0.0.2:0", &address);
    welcome.write_all(b"x\n").unwrap();
    welcome.read_exact(&mut [0; 2]).unwrap();
    drop(welcome);
    let totals = server.stop().unwrap();
    assert_eq!((totals.served, totals.refused), (1, 1));
}

#[test]
fn a_denied_address_is_closed_without_a_byte() {
    let access = AccessList::new(Vec::new(), vec!["127.0.0.0/8".parse().unwrap()]);
    let (server, address) = serve(
        Config {
            access,
            ..Config::default()
        },
        EchoHandler::default(),
    );
    let mut heard = Vec::new();
    connect(&address).read_to_end(&mut heard).unwrap();
    assert!(heard.is_empty());
    let totals = server.stop().unwrap();
    assert_eq!((totals.served, totals.refused), (0, 1));
}

#[test]
fn a_full_queue_refuses_and_a_served_one_does_not() {
    let mode = Mode::Pool {
        workers: 1,
        queue: 1,
    };
    let (server, address) = serve(
        Config {
            mode,
            ..Config::default()
        },
        EchoHandler::default(),
    );
    let mut served = client(&address);
    ask(&mut served, b"x\n");
    let mut queued = connect(&address);
    queued.write_all(b"waits its turn\n").unwrap();
    eventually("the second is queued", || server.totals().active == 2);
    let mut heard = Vec::new();
    connect(&address)
        .read_to_end(&mut heard)
        .unwrap_or_default();
    assert!(heard.is_empty());
    assert_eq!(server.totals().refused, 1);
    drop(served);
    let mut reply = [0; 15];
    queued.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"waits its turn\n");
    drop(queued);
    server.stop().unwrap();
}

#[test]
fn who_comes_after_the_end_of_a_served_peer_finds_the_pool_with_room() {
    let mode = Mode::Pool {
        workers: 1,
        queue: 0,
    };
    let config = Config {
        mode,
        ..Config::default()
    };
    let (server, address) = serve(config, EchoHandler::default());
    for _ in 0..2_000 {
        let mut peer = connect(&address);
        peer.shutdown(Shutdown::Write).unwrap();
        assert_eq!(peer.read(&mut [0]).unwrap(), 0); // the server's end
    }
    let totals = server.stop().unwrap();
    assert_eq!((totals.served, totals.refused), (2_000, 0));
}

#[test]
fn a_pool_of_no_workers_has_one() {
    let mode = Mode::Pool {
        workers: 0,
        queue: 0,
    };
    let config = Config {
        mode,
        ..Config::default()
    };
    let (server, address) = serve(config, EchoHandler::default());
    assert_eq!(
        ask(&mut client(&address), b"x\n"),
        Asked::Reply(b"x\n".to_vec())
    );
    server.stop().unwrap();
}

#[test]
fn refusals_by_a_limit_are_one_warning() {
    let kept = Kept::default();
    let config = Config {
        max_connections: 0,
        log: Log::to_writer(Level::Warn, Format::Text, Box::new(kept.clone())),
        ..Config::default()
    };
    let (server, address) = serve(config, EchoHandler::default());
    for _ in 0..3 {
        let _ = connect(&address).read(&mut [0]); // its end, or a reset
    }
    assert_eq!(server.stop().unwrap().refused, 3);
    let text = kept.text();
    assert_eq!(text.matches("connection refused").count(), 1, "{text}");
}
