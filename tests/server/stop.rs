//! The end: what is idle, at work, queued, or deaf when the server stops.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{PATIENCE, connect, echo_with, eventually, serve};
use crate::{MODES, ask, client};
use groundwire::echo::{Asked, EchoConfig, EchoHandler};
use groundwire::net::{self, Conn, ListenConfig, Network};
use groundwire::server::{Config, End, Mode, Server, Session};

#[test]
fn a_listener_that_somebody_else_closes_stops_its_server() {
    for mode in MODES {
        let listener = net::listen(Network::Tcp, "127.0.0.1:0").unwrap();
        let config = Config {
            mode,
            ..Config::default()
        };
        let server = Server::new(config, |_: &Conn, _: &Session<'_>| Ok(End::Ours));
        let stopper = server.stopper();
        let running = server.start(listener.clone()).unwrap();
        listener.close();
        assert!(stopper.wait_timeout(PATIENCE), "{mode:?}");
        assert_eq!(running.wait().unwrap().served, 0);
    }
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
fn on_a_shared_port_those_who_waited_in_the_backlog_at_the_stop_are_served() {
    let answer = |mut conn: &Conn, _: &Session<'_>| {
        conn.read_exact(&mut [0])?;
        conn.write_all(b"answer")?;
        Ok(End::Peer)
    };
    let sharing = ListenConfig {
        reuse_port: true,
        ..ListenConfig::default()
    };
    let (workers, queue) = (2, 20);
    for mode in [Mode::Serial, Mode::Threads, Mode::Pool { workers, queue }] {
        let listener = sharing.listen(Network::Tcp, "127.0.0.1:0").unwrap();
        let address = listener.local_addr().to_string();
        let mut peers: Vec<_> = (0..20).map(|_| connect(&address)).collect();
        for peer in &mut peers {
            peer.write_all(b"?").unwrap();
        }
        let config = Config {
            mode,
            ..Config::default()
        };
        // Stopped before it begins: its threads and its end compete for the backlog.
        let server = Server::new(config, answer);
        server.stopper().stop();
        let totals = server.start(listener).unwrap().wait().unwrap();
        assert_eq!((totals.served, totals.refused), (20, 0), "{mode:?}");
        for peer in &mut peers {
            let mut heard = String::new();
            peer.read_to_string(&mut heard).unwrap();
            assert_eq!(heard, "answer", "{mode:?}");
        }
    }
}

#[test]
fn a_handler_that_asked_is_told_of_the_drain_and_hears_its_peer_all_through_it() {
    let (begun, has_begun) = mpsc::sync_channel(0);
    let (told, notices) = mpsc::channel();
    let handler = move |mut conn: &Conn, session: &Session<'_>| {
        let told = told.clone();
        session.at_stop(move || told.send(()).unwrap());
        begun.send(()).unwrap();
        let mut word = [0; 5];
        conn.read_exact(&mut word)?;
        conn.write_all(&word)?;
        Ok(End::Ours)
    };
    let (server, address) = serve(Config::default(), handler);
    let mut peer = connect(&address);
    has_begun.recv_timeout(PATIENCE).unwrap();
    peer.write_all(b"wo").unwrap();
    let stopping = thread::spawn(move || server.stop());
    notices.recv_timeout(PATIENCE).unwrap();
    peer.write_all(b"rds").unwrap();
    let mut heard = String::new();
    peer.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "words");
    let totals = stopping.join().unwrap().unwrap();
    assert_eq!((totals.served, totals.failed, totals.cut), (1, 0, 0));
}

#[test]
fn a_notice_that_panics_or_comes_late_leaves_the_drain_what_it_was() {
    let (begun, has_begun) = mpsc::sync_channel(0);
    let (told, notices) = mpsc::channel();
    let handler = move |mut conn: &Conn, session: &Session<'_>| {
        session.at_stop(|| panic!("as asked"));
        begun.send(()).unwrap();
        // Shut for reading after all, since the notice failed.
        let ended = conn.read(&mut [0])?;
        let told = told.clone();
        session.at_stop(move || told.send(ended).unwrap());
        Ok(End::Peer)
    };
    let (server, address) = serve(Config::default(), handler);
    let _peer = connect(&address);
    has_begun.recv_timeout(PATIENCE).unwrap();
    let totals = server.stop().unwrap();
    assert_eq!(notices.try_recv(), Ok(0), "given at once");
    assert_eq!((totals.served, totals.panicked, totals.cut), (1, 0, 0));
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
    for mode in MODES {
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

#[test]
fn a_reply_under_way_at_the_stop_arrives_although_its_peer_goes_on_sending() {
    const REPLY: usize = 400_000; // more than a receiver's window, less than the send buffer
    for mode in MODES {
        let handler = |mut conn: &Conn, _: &Session<'_>| {
            while conn.read(&mut [0])? > 0 {}
            conn.write_all(&[7; REPLY]).map(|()| End::Peer)
        };
        let config = Config {
            mode,
            drain: PATIENCE,
            ..Config::default()
        };
        let (server, address) = serve(config, handler);
        let mut conn = connect(&address);
        eventually("it is served", || server.totals().active == 1);
        let (stopper, totals) = (server.stopper(), server);
        stopper.stop();
        eventually("its handler is done", || totals.totals().served == 1);
        // As a client would that does not know yet. Without the care the server has announced its
        // end, and is going, so this is answered by a reset that destroys the rest.
        conn.write_all(b"x").unwrap();
        let mut reply = Vec::new();
        let ended = conn.read_to_end(&mut reply);
        assert_eq!((reply.len(), ended.is_ok()), (REPLY, true), "{mode:?}");
        assert_eq!(totals.wait().unwrap().cut, 0, "{mode:?}");
    }
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
    let (server, address) = echo_with(config);
    let mut client = client(&address);
    assert_eq!(
        ask(&mut client, b"STOP\n"),
        Asked::Reply(b"STOP\n".to_vec())
    );
    client.finish(|_| ()).unwrap();
    assert_eq!(server.wait().unwrap().served, 1);
}
