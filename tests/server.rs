//! The server driven over real sockets: modes, limits, failures of handlers, and the end.

mod support;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use groundwire::echo::{Asked, EchoConfig, EchoHandler, LineClient, MAX_LINE, datagram_handler};
use groundwire::net::{self, Conn, Deadline, Dialer, Network};
use groundwire::server::{
    AccessList, Config, DatagramConfig, DatagramServer, End, MetricsPage, Mode, Refusal, Server,
    Session, Stopper,
};
use groundwire::telemetry::{Format, Level, Log, Registry};
use support::{Folder, Kept, PATIENCE, connect, count_of, echo, eventually, in_own_process, serve};

const MODES: [Mode; 3] = [
    Mode::Serial,
    Mode::Threads,
    Mode::Pool {
        workers: 2,
        queue: 8,
    },
];

fn ask(client: &mut LineClient, line: &[u8]) -> Asked {
    client.ask(line).unwrap()
}

fn client(address: &str) -> LineClient {
    LineClient::new(connect(address), MAX_LINE, PATIENCE)
}

#[test]
fn every_mode_serves_one_client_after_the_other_and_counts_them() {
    for mode in MODES {
        let (server, address) = serve(
            Config {
                mode,
                ..Config::default()
            },
            EchoHandler::default(),
        );
        for number in 0..5 {
            let mut client = client(&address);
            let line = format!("line {number}\n").into_bytes();
            assert_eq!(
                ask(&mut client, &line),
                Asked::Reply(line.clone()),
                "{mode:?}"
            );
            client
                .finish(|_| panic!("more than was asked for"))
                .unwrap();
        }
        let totals = server.stop().unwrap();
        assert_eq!(
            (totals.served, totals.active, totals.failed),
            (5, 0, 0),
            "{mode:?}"
        );
    }
}

#[test]
fn in_serial_mode_the_second_client_waits_its_turn_and_is_served() {
    let config = Config {
        mode: Mode::Serial,
        ..Config::default()
    };
    let (server, address) = serve(config, EchoHandler::default());
    let mut first = client(&address);
    ask(&mut first, b"first\n");
    let mut second = connect(&address);
    second.write_all(b"second\n").unwrap();
    // While the first one is served, it is answered and the second is not.
    ask(&mut first, b"first again\n");
    assert!(second.is_quiet(), "two were served at one time");
    first.finish(|_| ()).unwrap();
    let mut reply = [0; 7];
    second.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"second\n");
    drop(second);
    assert_eq!(server.stop().unwrap().served, 2);
}

#[test]
fn unix_streams_and_records_are_served_and_the_file_goes_with_the_server() {
    let folder = Folder::new();
    let path = folder.path("s");
    for network in [Network::Unix, Network::Unixpacket] {
        for mode in MODES {
            let config = Config {
                mode,
                ..Config::default()
            };
            let listener = net::listen(network, &path).unwrap();
            let server = Server::new(config, EchoHandler::default());
            let server = server.start(listener).unwrap();
            let conn = net::dial(network, &path).unwrap();
            let mut client = LineClient::new(conn, MAX_LINE, PATIENCE);
            let reply = ask(&mut client, b"by a file\n");
            assert_eq!(reply, Asked::Reply(b"by a file\n".to_vec()), "{network}");
            drop(client);
            let totals = server.stop().unwrap();
            assert_eq!((totals.served, totals.failed), (1, 0), "{network} {mode:?}");
            assert!(!folder.0.join("s").exists(), "{network} {mode:?}");
        }
    }
}

#[test]
fn threads_and_pool_serve_several_clients_at_the_same_time() {
    for mode in [
        Mode::Threads,
        Mode::Pool {
            workers: 3,
            queue: 0,
        },
    ] {
        let (server, address) = serve(
            Config {
                mode,
                ..Config::default()
            },
            EchoHandler::default(),
        );
        let mut clients: Vec<LineClient> = (0..3).map(|_| client(&address)).collect();
        for client in &mut clients {
            assert_eq!(
                ask(client, b"still there?\n"),
                Asked::Reply(b"still there?\n".to_vec())
            );
        }
        drop(clients);
        server.stop().unwrap();
    }
}

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

/// A connection from another address of this machine.
fn connect_from(local: &str, address: &str) -> Conn {
    let dialer = Dialer {
        local: Some(local.parse().unwrap()),
        ..Dialer::default()
    };
    let conn = dialer.dial(Network::Tcp, address).unwrap();
    conn.set_deadline(Deadline::after(PATIENCE));
    conn
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
fn a_panic_or_an_error_ends_its_connection_only_and_is_counted() {
    for mode in MODES {
        let handler = |mut conn: &Conn, _: &Session<'_>| {
            let mut order = [0; 1];
            conn.read_exact(&mut order)?;
            match &order {
                b"p" => panic!("asked to panic by {}", conn.peer_addr()),
                b"e" => Err(io::Error::other("asked to fail")),
                _ => conn.write_all(b"well").map(|()| End::Ours),
            }
        };
        let (server, address) = serve(
            Config {
                mode,
                ..Config::default()
            },
            handler,
        );
        for order in [b"p", b"e", b"p", b"w"] {
            let mut conn = connect(&address);
            conn.write_all(order).unwrap();
            let mut heard = String::new();
            let _ = conn.read_to_string(&mut heard);
            assert_eq!(heard, if order == b"w" { "well" } else { "" }, "{mode:?}");
        }
        let totals = server.stop().unwrap();
        assert_eq!(
            (totals.served, totals.failed, totals.panicked),
            (1, 3, 2),
            "{mode:?}"
        );
        assert_eq!(totals.active, 0, "{mode:?}");
    }
}

#[test]
fn a_panic_with_a_whole_backtrace_fits_the_small_stack() {
    // The deepest thing a connection's thread does: unwinding, symbols, formatting.
    let name = "a_panic_with_a_whole_backtrace_fits_the_small_stack";
    if let Some(printed) = in_own_process(name, &[("RUST_BACKTRACE", "full")]) {
        for part in ["asked to panic by 127.0.0.1:", "stack backtrace:"] {
            assert!(printed.contains(part), "no {part:?} in: {printed}");
        }
        return;
    }
    let handler = |conn: &Conn, _: &Session<'_>| -> io::Result<End> {
        panic!("asked to panic by {}", conn.peer_addr());
    };
    let (server, address) = serve(Config::default(), handler);
    for _ in 0..3 {
        let _ = connect(&address).read(&mut [0]);
    }
    assert_eq!(server.stop().unwrap().panicked, 3);
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
fn stopping_gives_idle_peers_a_clean_end_and_lets_work_finish() {
    for mode in MODES {
        let (begun, has_begun) = mpsc::sync_channel(0);
        let (release, released) = mpsc::channel::<()>();
        let released = Mutex::new(released);
        let handler = move |mut conn: &Conn, _: &Session<'_>| {
            let mut word = [0; 1];
            if conn.read(&mut word)? == 1 && word[0] == b'w' {
                begun.send(()).unwrap();
                released.lock().unwrap().recv().unwrap();
                conn.write_all(b"done")?;
            }
            Ok(End::Peer)
        };
        let (server, address) = serve(
            Config {
                mode,
                ..Config::default()
            },
            handler,
        );
        let mut working = connect(&address);
        working.write_all(b"w").unwrap();
        has_begun.recv_timeout(PATIENCE).unwrap();
        // In serial mode a second one would wait in the backlog, which is reset by the end.
        let idle = (mode != Mode::Serial).then(|| connect(&address));
        if idle.is_some() {
            eventually("both are live", || server.totals().active == 2);
        }
        let stopping = thread::spawn(move || server.stop());
        if let Some(mut idle) = idle {
            assert_eq!(idle.read(&mut [0]).unwrap(), 0, "{mode:?}");
        }
        release.send(()).unwrap();
        let mut heard = String::new();
        working.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "done", "{mode:?}");
        drop(working);
        let totals = stopping.join().unwrap().unwrap();
        assert_eq!((totals.active, totals.cut), (0, 0), "{mode:?}");
        assert!(TcpStream::connect(&address).is_err(), "{mode:?}");
    }
}

#[test]
fn what_outlasts_the_drain_time_is_cut_and_counted() {
    let config = Config {
        drain: Duration::from_millis(50),
        ..Config::default()
    };
    // A peer that never reads, and a handler that wants to write for ever.
    let handler = |mut conn: &Conn, _: &Session<'_>| loop {
        conn.write_all(&[0; 65_536])?;
    };
    let (server, address) = serve(config, handler);
    let _silent = connect(&address);
    eventually("it is served", || server.totals().active == 1);
    let begun = Instant::now();
    let totals = server.stop().unwrap();
    assert_eq!((totals.cut, totals.active, totals.failed), (1, 0, 1));
    assert!(begun.elapsed() < PATIENCE);
}

#[test]
fn a_handler_that_outlasts_even_the_cut_does_not_keep_the_server() {
    for mode in [Mode::Serial, Mode::Threads] {
        let (begun, has_begun) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let released = Mutex::new(released);
        let handler = move |_: &Conn, _: &Session<'_>| {
            begun.send(()).unwrap();
            let _ = released.lock().unwrap().recv(); // no socket call that could fail
            Ok(End::Ours)
        };
        let config = Config {
            mode,
            drain: Duration::from_millis(50),
            ..Config::default()
        };
        let (server, address) = serve(config, handler);
        let _conn = connect(&address);
        has_begun.recv_timeout(PATIENCE).unwrap();
        let totals = server.stop().unwrap();
        assert_eq!((totals.cut, totals.active), (1, 1), "{mode:?}");
        drop(release);
    }
}

#[test]
fn what_waits_in_the_queue_at_the_stop_is_answered_as_far_as_it_had_come() {
    let mode = Mode::Pool {
        workers: 1,
        queue: 4,
    };
    let config = Config {
        mode,
        ..Config::default()
    };
    let (server, address) = serve(config, EchoHandler::default());
    let mut served = client(&address);
    ask(&mut served, b"busy\n");
    let mut queued = connect(&address);
    queued.write_all(b"line\nrest").unwrap();
    eventually("it is queued", || server.totals().active == 2);
    let totals = server.stop().unwrap();
    let mut heard = Vec::new();
    queued.read_to_end(&mut heard).unwrap();
    assert_eq!(heard, b"line\nrest");
    let counts = (totals.served, totals.cut, totals.active);
    assert_eq!(counts, (2, 0, 0));
}

/// Asks for the same line again and again until the server ends; how many whole replies came.
fn ask_until_the_end(address: &str, line: &[u8], warm: &mpsc::Sender<()>) -> u64 {
    let mut client = client(address);
    let mut replies = 0;
    loop {
        match client.ask(line) {
            Ok(Asked::Reply(reply)) => assert_eq!(reply, line),
            Ok(Asked::Closed(rest)) => {
                assert!(rest.is_empty(), "cut in the middle of a line");
                return replies;
            }
            // Writing to a server that has closed may fail before we read its end.
            Err(error) => {
                let kind = error.kind();
                let gone = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
                assert!(gone.contains(&kind), "{error}");
                return replies;
            }
        }
        replies += 1;
        if replies == 50 {
            warm.send(()).unwrap();
        }
    }
}

#[test]
fn no_line_that_was_echoed_is_lost_when_the_server_stops_under_load() {
    let pool = Mode::Pool {
        workers: 16,
        queue: 0,
    };
    for mode in [Mode::Threads, pool].repeat(5) {
        let echoed = Arc::new(AtomicU64::new(0));
        let counter = echoed.clone();
        let handler = EchoHandler::new(EchoConfig {
            on_line: Some(Box::new(move |_| {
                counter.fetch_add(1, Ordering::SeqCst);
            })),
            ..EchoConfig::default()
        });
        let config = Config {
            mode,
            ..Config::default()
        };
        let (server, address) = serve(config, handler);
        let (tell, told) = mpsc::channel();
        let threads: Vec<_> = (0..16)
            .map(|number| {
                let (address, tell) = (address.clone(), tell.clone());
                let line = format!("client {number}\n").into_bytes();
                thread::spawn(move || ask_until_the_end(&address, &line, &tell))
            })
            .collect();
        (0..16).for_each(|_| told.recv_timeout(PATIENCE).unwrap());
        let totals = server.stop().unwrap();
        let received: u64 = threads.into_iter().map(|t| t.join().unwrap()).sum();
        assert_eq!(received, echoed.load(Ordering::SeqCst), "{mode:?}");
        let counts = (totals.served, totals.failed, totals.cut);
        assert_eq!(counts, (16, 0, 0), "{mode:?}");
        let refused = net::dial(Network::Tcp, &address).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "{mode:?}");
    }
}

#[test]
fn a_handler_can_stop_the_server() {
    let config = EchoConfig {
        stop_word: Some("STOP".into()),
        ..EchoConfig::default()
    };
    let (server, address) = support::echo_with(config);
    let mut client = client(&address);
    assert_eq!(
        ask(&mut client, b"STOP\n"),
        Asked::Reply(b"STOP\n".to_vec())
    );
    client.finish(|_| ()).unwrap();
    assert_eq!(server.wait().unwrap().served, 1);
}

#[test]
fn log_lines_say_who_and_why() {
    let kept = Kept::default();
    let log = Log::to_writer(Level::Debug, Format::Text, Box::new(kept.clone()));
    let handler = |mut conn: &Conn, _: &Session<'_>| {
        let mut order = [0; 1];
        conn.read_exact(&mut order)?;
        assert_ne!(&order, b"p", "not this");
        Err(io::Error::other("this\nand that"))
    };
    let access = AccessList::new(Vec::new(), vec!["127.0.0.9".parse().unwrap()]);
    let config = Config {
        log,
        access,
        ..Config::default()
    };
    let (server, address) = serve(config, handler);
    let mut peers = Vec::new();
    for (local, order) in [
        ("127.0.0.1:0", b"e"),
        ("127.0.0.2:0", b"p"),
        ("127.0.0.9:0", b"x"),
    ] {
        let mut conn = connect_from(local, &address);
        peers.push(conn.local_addr().unwrap());
        // The one that is refused may be gone before its order is written.
        let _ = conn.write_all(order).and_then(|()| conn.read(&mut [0]));
    }
    server.stop().unwrap();
    let text = kept.text();
    let [failed, panicked, refused] = &peers[..] else {
        unreachable!("three peers")
    };
    for expected in [
        format!("DEBUG server connection opened peer={failed} id=0"),
        format!("WARN  server connection failed peer={failed} cause=\"this\\nand that\""),
        format!("ERROR server handler panicked peer={panicked} cause="),
        format!("INFO  server connection refused peer={refused} why=\"not on the access list\""),
    ] {
        assert!(text.lines().any(|line| line.contains(&expected)), "{text}");
    }
}

#[test]
fn the_metrics_page_agrees_with_what_was_done() {
    let server = Server::new(Config::default(), EchoHandler::default());
    let registry = Registry::new();
    server.register(&registry);
    let page = MetricsPage::start("127.0.0.1:0", registry).unwrap();
    let listener = net::listen(Network::Tcp, "127.0.0.1:0").unwrap();
    let address = listener.local_addr().to_string();
    let server = server.start(listener).unwrap();
    client(&address).finish(|_| ()).unwrap();
    eventually("it is counted", || server.totals().served == 1);

    let scrape = |request: &str| {
        let mut conn = connect(&page.local_addr().to_string());
        conn.write_all(request.as_bytes()).unwrap();
        conn.shutdown(Shutdown::Write).unwrap();
        let mut reply = String::new();
        conn.read_to_string(&mut reply).unwrap();
        reply
    };
    let reply = scrape("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4"));
    assert!(head.contains(&format!("Content-Length: {}", body.len())));
    assert!(
        body.contains("\ngroundwire_connections_served_total 1\n"),
        "{body}"
    );
    assert!(
        body.contains("\ngroundwire_connection_seconds_count 1\n"),
        "{body}"
    );
    assert!(scrape("HEAD /metrics HTTP/1.1\r\n\r\n").ends_with("\r\n\r\n"));
    assert!(scrape("\x16\x03\x01 not http at all\r\n\r\n").starts_with("HTTP/1.1 400"));
    server.stop().unwrap();
    let address = page.local_addr().to_string();
    drop(page);
    eventually("the page is closed", || {
        TcpStream::connect(&address).is_err()
    });
}

#[test]
fn a_datagram_server_echoes_drops_what_is_too_long_or_denied_and_stops() {
    let denied = AccessList::new(Vec::new(), vec!["127.0.0.9".parse().unwrap()]);
    let config = DatagramConfig {
        max_datagram: 100,
        access: denied,
        ..DatagramConfig::default()
    };
    let socket = net::listen_datagrams(Network::Udp, "127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let server = DatagramServer::new(config, socket, datagram_handler(false));
    let (stats, stopper) = (server.stats(), Stopper::new());
    let watched = stopper.clone();
    let running = thread::spawn(move || server.run(&watched));

    let foe = net::listen_datagrams(Network::Udp, "127.0.0.9:0").unwrap();
    foe.send_to(b"from a denied address", &address).unwrap();
    let friend = net::dial_datagrams(Network::Udp, &address.to_string()).unwrap();
    friend.set_read_deadline(Deadline::after(PATIENCE));
    friend.send(&[1; 101]).unwrap();
    let mut buffer = [0; 256];
    for size in [0, 1, 100] {
        friend.send(&vec![2; size]).unwrap();
        assert_eq!(friend.recv(&mut buffer).unwrap(), size);
    }
    stopper.stop();
    running.join().unwrap().unwrap();
    assert_eq!(stats.line(), "received 5, replied 3, refused 2, failed 0");
}

#[test]
fn unix_datagrams_are_echoed_and_a_sender_without_a_name_harms_nobody() {
    let folder = Folder::new();
    let path = folder.path("d");
    let config = DatagramConfig {
        max_datagram: 100,
        ..DatagramConfig::default()
    };
    let socket = net::listen_datagrams(Network::Unixgram, &path).unwrap();
    let server = DatagramServer::new(config, socket, datagram_handler(false));
    let (stats, stopper) = (server.stats(), Stopper::new());
    let watched = stopper.clone();
    let running = thread::spawn(move || server.run(&watched));

    let nameless = std::os::unix::net::UnixDatagram::unbound().unwrap();
    nameless.send_to(b"no way back", &path).unwrap();
    let client = net::dial_datagrams(Network::Unixgram, &path).unwrap();
    client.set_read_deadline(Deadline::after(PATIENCE));
    client.send(&[1; 101]).unwrap();
    let mut buffer = [0; 256];
    for size in [0, 1, 100] {
        client.send(&vec![2; size]).unwrap();
        assert_eq!(client.recv(&mut buffer).unwrap(), size);
    }
    stopper.stop();
    running.join().unwrap().unwrap();
    assert_eq!(stats.line(), "received 5, replied 3, refused 1, failed 1");
    drop(client);
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 0);
}

#[test]
fn threads_are_used_again_and_all_end_with_the_server() {
    if in_own_process("threads_are_used_again_and_all_end_with_the_server", &[]).is_some() {
        return;
    }
    let before = count_of("task");
    let (server, address) = echo();
    let mut most = 0;
    for _ in 0..300 {
        let mut client = client(&address);
        ask(&mut client, b"x\n");
        client.finish(|_| ()).unwrap();
        most = most.max(count_of("task"));
    }
    // The server's own, one that waits, and few that have not come back from the last client.
    assert!(most < before + 30, "{before}, then {most}");
    server.stop().unwrap();
    eventually("all threads have ended", || count_of("task") == before);
}
