//! The three modes: one after the other, a thread each, a pool.

use std::fs;
use std::io::{Read, Write};

use crate::support::{
    Folder, PATIENCE, connect, count_of, echo, eventually, in_own_process, serve,
};
use crate::{MODES, ask, client};
use groundwire::echo::{Asked, EchoHandler, LineClient, MAX_LINE};
use groundwire::net::{self, Conn, Network};
use groundwire::server::{Config, Mode, Server};

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
fn threads_are_used_again_and_all_end_with_the_server() {
    let name = "modes::threads_are_used_again_and_all_end_with_the_server";
    if in_own_process(name, &[]).is_some() {
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

/// All threads that serve connections: whether each sleeps, and how often they went to sleep.
fn sleepers() -> (bool, u64) {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let texts = tasks.filter_map(|task| fs::read_to_string(task.path().join("status")).ok());
    let (mut all_asleep, mut times) = (true, 0);
    for text in texts.filter(|text| text.starts_with("Name:\tconnection\n")) {
        all_asleep &= text.contains("\nState:\tS");
        let (_, count) = text.split_once("\nvoluntary_ctxt_switches:").unwrap();
        times += count.lines().next().unwrap().trim().parse::<u64>().unwrap();
    }
    (all_asleep, times)
}

#[test]
fn among_many_unix_streams_a_thread_is_woken_by_its_request_and_not_by_the_peer_that_reads() {
    const MANY: usize = 220;
    const ROUNDS: u64 = 20;
    let name = "modes::among_many_unix_streams_a_thread_is_woken_by_its_request_and_not_by_the_peer_that_reads";
    if in_own_process(name, &[]).is_some() {
        return;
    }
    let folder = Folder::new();
    let path = folder.path("s");
    let listener = net::listen(Network::Unix, &path).unwrap();
    let server = Server::new(Config::default(), EchoHandler::default());
    let server = server.start(listener).unwrap();
    let conns = [(); MANY].map(|()| net::dial(Network::Unix, &path).unwrap());
    let ask = |mut conn: &Conn| {
        conn.write_all(b"x\n").unwrap();
        eventually("the reply is there, and all sleep again", || {
            !conn.is_quiet() && sleepers().0
        });
        conn.read_exact(&mut [0; 2]).unwrap();
        eventually("all sleep", || sleepers().0);
    };
    conns.iter().for_each(ask);
    let before = sleepers().1;
    (0..ROUNDS).for_each(|_| ask(&conns[0]));
    let times = sleepers().1 - before;
    // Woken by the reading peer as well, it would have slept twice in each round.
    assert!(
        (ROUNDS..ROUNDS * 3 / 2).contains(&times),
        "{times} times in {ROUNDS} rounds"
    );
    drop(conns);
    server.stop().unwrap();
}
