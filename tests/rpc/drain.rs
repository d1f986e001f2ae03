//! The end of a server under streams and calls: what was begun is heard to its end.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use groundwire::net::{Conn, Network};
use groundwire::rpc::message::Push;
use groundwire::rpc::{CallError, Client, ClientConfig, Failure, RpcHandler, ServerConfig};
use groundwire::server::{Config, Server};

use crate::by_hand::by_hand;
use crate::hostile::{call, frame, greeted};
use crate::support::{Folder, PATIENCE};
use crate::world::*;

/// Longer than a test may take, so that nothing here ends by the drain deadline.
const LONG: Duration = Duration::from_secs(60);
const ITEMS: u64 = 2_000;

fn patient(window: u32) -> (ServerConfig, Config) {
    let rpc = ServerConfig {
        window,
        drain: LONG,
        ..ServerConfig::default()
    };
    let config = Config {
        drain: LONG,
        ..Config::default()
    };
    (rpc, config)
}

#[test]
fn a_long_stream_is_received_whole_over_tcp_and_unix_though_the_server_stops() {
    let dir = Folder::new();
    let path = dir.path("socket");
    for (network, address) in [(Network::Tcp, "127.0.0.1:0"), (Network::Unix, &path)] {
        let (rpc, config) = patient(4);
        let world = world_on(network, address, rpc, config);
        let client = world.client();
        let mut numbers = client
            .stream::<_, u64>("Lab.Numbers", &(ITEMS,), Some(LONG))
            .unwrap();
        assert_eq!(numbers.next().unwrap().unwrap(), 0);
        world.running.stopper().stop();
        let refused = client.call::<_, i64>("Lab.Add", &(1_i64, 1_i64));
        assert_eq!(
            refused.unwrap_err(),
            CallError::Failed(Failure::ShuttingDown)
        );
        // The last ones are taken when the server is gone: asking for more fails, and no matter.
        for expected in 1..ITEMS - 4 {
            assert_eq!(numbers.next().unwrap().unwrap(), expected, "{network}");
        }
        let totals = world.running.wait().unwrap();
        assert_eq!((totals.served, totals.failed, totals.cut), (1, 0, 0));
        let last: Result<Vec<u64>, _> = numbers.collect();
        assert!(last.unwrap().into_iter().eq(ITEMS - 4..ITEMS), "{network}");
    }
}

#[test]
fn a_long_stream_is_received_whole_in_memory_though_the_server_stops() {
    let (ours, theirs) = Conn::pair().unwrap();
    let (rpc, config) = patient(4);
    let (told, _events) = channel();
    let (_open, gates) = channel();
    let handler = RpcHandler::new(rpc, vec![TestLab::new(told, gates).into_service()]);
    let server = Server::new(config, handler);
    let stopper = server.stopper();
    let serving = thread::spawn(move || server.serve_conn(theirs));
    let lab = LabClient(Client::over(ours, ClientConfig::default()).unwrap());
    let mut numbers = lab.numbers(ITEMS).unwrap();
    assert_eq!(numbers.next().unwrap().unwrap(), 0);
    stopper.stop();
    assert_eq!(
        lab.add(1, 1).unwrap_err(),
        CallError::Failed(Failure::ShuttingDown)
    );
    let rest: Result<Vec<u64>, _> = numbers.collect();
    assert!(rest.unwrap().into_iter().eq(1..ITEMS));
    drop(lab);
    serving.join().unwrap().unwrap();
}

#[test]
fn a_stream_that_nobody_reads_ends_at_the_drain_deadline() {
    let (rpc, config) = patient(2);
    let rpc = ServerConfig {
        drain: Duration::from_millis(100),
        ..rpc
    };
    let world = world_with(rpc, config);
    let numbers = world.lab().numbers(100_u64).unwrap();
    assert_eq!(world.told(), "sent 0");
    assert_eq!(world.told(), "sent 1");
    let begun = Instant::now();
    let totals = world.running.stop().unwrap();
    assert!((Duration::from_millis(100)..PATIENCE).contains(&begun.elapsed()));
    assert_eq!((totals.served, totals.failed, totals.cut), (1, 0, 0));
    let mut numbers = numbers.skip(2);
    let error = numbers.next().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the server stops in the middle of it");
}

#[test]
fn a_call_that_waits_ends_at_the_drain_deadline_and_one_that_does_not_look_is_cut() {
    for (method, cut) in [("Lab.UntilCancelled", 0), ("Lab.Gate", 1)] {
        let rpc = ServerConfig {
            drain: Duration::ZERO,
            ..ServerConfig::default()
        };
        let config = Config {
            drain: Duration::from_millis(500),
            ..Config::default()
        };
        let world = world_with(rpc, config);
        let client = world.client();
        let call = match cut {
            0 => client.start(method, &(), None).unwrap(),
            _ => client.start(method, &("deaf",), None).unwrap(),
        };
        world.told();
        let totals = world.running.stop().unwrap();
        assert_eq!(totals.cut, cut, "{method}");
        let error = call.wait::<()>().unwrap_err();
        match cut {
            0 => assert_eq!(error, CallError::Failed(Failure::Cancelled)),
            _ => assert!(
                matches!(error, CallError::Disconnected { sent: true, .. }),
                "{error:?}"
            ),
        }
    }
}

#[test]
fn a_cancel_during_the_drain_ends_its_call_and_the_connection() {
    let (rpc, config) = patient(2);
    let world = world_with(rpc, config);
    let client = world.client();
    let waiting = client.start("Lab.UntilCancelled", &(), None).unwrap();
    assert_eq!(world.told(), "waits");
    let numbers = client
        .stream::<_, u64>("Lab.Numbers", &(100_u64,), None)
        .unwrap();
    assert_eq!(world.told(), "sent 0");
    assert_eq!(world.told(), "sent 1");
    world.running.stopper().stop();
    let refused = client.call::<_, i64>("Lab.Add", &(1_i64, 1_i64));
    assert_eq!(
        refused.unwrap_err(),
        CallError::Failed(Failure::ShuttingDown)
    );
    drop(numbers);
    assert_eq!(world.told(), "Cancelled at 2");
    drop(waiting);
    assert_eq!(world.told(), "Err(Cancelled)");
    // Nothing is left to finish: the end does not wait for the drain deadline.
    let totals = world.running.wait().unwrap();
    assert_eq!((totals.served, totals.failed, totals.cut), (1, 0, 0));
}

#[test]
fn pings_are_answered_and_calls_refused_until_the_last_one_is_finished() {
    let (rpc, config) = patient(2);
    let world = world_with(rpc, config);
    let mut conn = greeted(&world);
    let text = [&[1, 0, 0, 0][..], &1_u32.to_le_bytes(), b"x"].concat();
    conn.write_all(&call(7, "Lab.Gate", &text)).unwrap();
    assert_eq!(world.told(), "began x");
    world.running.stopper().stop();
    conn.write_all(&frame(&[5, 9, 0, 0, 0, 0, 0, 0, 0]))
        .unwrap();
    assert_eq!(next_frame(&mut conn)[..2], [19, 9], "the pong");
    assert_eq!(next_frame(&mut conn)[..2], [20, 7], "the goodbye");
    for id in [8, 9] {
        conn.write_all(&call(id, "Lab.Echo", &text)).unwrap();
        let refused = next_frame(&mut conn);
        assert_eq!((refused[0], refused[1], refused[13]), (17, id as u8, 5));
    }
    world.open.send(()).unwrap();
    assert_eq!(next_frame(&mut conn)[..2], [16, 7], "the reply");
    assert_eq!(conn.read(&mut [0; 16]).unwrap(), 0);
    drop(conn);
    let totals = world.running.wait().unwrap();
    assert_eq!((totals.served, totals.failed, totals.cut), (1, 0, 0));
}

#[test]
fn a_peer_that_leaves_during_the_drain_takes_its_calls_back() {
    let (rpc, config) = patient(2);
    let world = world_with(rpc, config);
    let mut conn = greeted(&world);
    conn.write_all(&call(7, "Lab.UntilCancelled", &[0; 4]))
        .unwrap();
    assert_eq!(world.told(), "waits");
    world.running.stopper().stop();
    drop(conn);
    assert_eq!(world.told(), "Err(Cancelled)");
    world.running.wait().unwrap();
}

#[test]
fn idle_connections_end_at_once() {
    let (rpc, config) = patient(2);
    let world = world_with(rpc, config);
    let labs: Vec<_> = (0..8).map(|_| world.lab()).collect();
    for lab in &labs {
        assert_eq!(lab.echo("x").unwrap(), "x");
    }
    let begun = Instant::now();
    let totals = world.running.stop().unwrap();
    assert!(begun.elapsed() < PATIENCE);
    assert_eq!((totals.served, totals.failed, totals.cut), (8, 0, 0));
}

#[test]
fn a_server_that_reads_no_more_is_heard_to_its_end() {
    // On a Unix socket the end of the reading makes our next write fail.
    let (client, mut server) = by_hand(ClientConfig::default());
    let mut numbers = client.stream::<_, u64>("A.S", &(), Some(PATIENCE)).unwrap();
    let stream = server.call();
    let running = client.start("A.B", &(), Some(PATIENCE)).unwrap();
    let id = server.call();
    server.say(|out| (0..4_u64).for_each(|n| out.item(stream, &n).unwrap()));
    server.conn.shutdown(Shutdown::Read).unwrap();
    let error = client.call::<_, ()>("A.C", &()).unwrap_err();
    let none_sent = matches!(error, CallError::Disconnected { sent: false, .. });
    assert!(none_sent && error.not_run(), "{error:?}");
    assert!(!client.is_usable());
    assert_eq!(
        client.call::<_, ()>("A.D", &()).unwrap_err(),
        CallError::Failed(Failure::ShuttingDown)
    );
    // Asking for more items fails as well, and the items come.
    for expected in 0..4 {
        assert_eq!(numbers.next().unwrap().unwrap(), expected);
    }
    server.reply(id, 42);
    assert_eq!(running.wait::<u64>(), Ok(42));
    drop(server);
    let error = numbers.next().unwrap().unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("the server closed the connection"),
        "{error}"
    );
}

/// The next frame's content.
fn next_frame(conn: &mut Conn) -> Vec<u8> {
    let mut len = [0; 4];
    conn.read_exact(&mut len).unwrap();
    let mut content = vec![0; u32::from_le_bytes(len) as usize];
    conn.read_exact(&mut content).unwrap();
    content
}
