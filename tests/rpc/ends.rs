//! How connections end: stops, lost servers, silent servers, other protocols.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::thread;
use std::time::Duration;

use groundwire::net::{self, Conn, Network};
use groundwire::rpc::{CallError, Client, ClientConfig, Failure, ServerConfig};
use groundwire::server::{AccessList, Config};

use crate::world::*;

#[test]
fn a_stop_lets_running_calls_finish_and_refuses_new_ones() {
    let world = world();
    let client = world.client();
    let running = client.start("Lab.Gate", &("running",), None).unwrap();
    assert_eq!(world.told(), "began running");
    world.running.stopper().stop();
    // The server has noticed or not, has read the call or not: it says that it was not run.
    for _ in 0..2 {
        let refused = client.call::<_, i64>("Lab.Add", &(1_i64, 1_i64));
        let error = refused.unwrap_err();
        assert_eq!(error, CallError::Failed(Failure::ShuttingDown));
        assert!(error.not_run());
    }
    assert!(!client.is_usable());
    world.open.send(()).unwrap();
    assert_eq!(running.wait::<String>().unwrap(), "running");
    assert_eq!(world.running.wait().unwrap().failed, 0);
}

#[test]
fn a_server_that_does_not_wait_fails_every_caller_at_once() {
    let rpc = ServerConfig {
        drain: Duration::ZERO,
        ..ServerConfig::default()
    };
    let world = world_with(rpc, Config::default());
    let client = world.client();
    let waiting: Vec<_> = (0..8)
        .map(|n| {
            client
                .start("Lab.UntilCancelled", &(), None)
                .map(|call| (n, call))
                .unwrap()
        })
        .collect();
    let threads: Vec<_> = waiting
        .into_iter()
        .map(|(_, call)| thread::spawn(move || call.wait::<()>()))
        .collect();
    for _ in 0..8 {
        assert_eq!(world.told(), "waits");
    }
    world.running.stopper().stop();
    for thread in threads {
        let error = thread.join().unwrap().unwrap_err();
        let known = matches!(
            error,
            CallError::Disconnected { sent: true, .. } | CallError::Failed(Failure::Cancelled)
        );
        assert!(known, "{error:?}");
    }
}

#[test]
fn a_server_that_is_silent_and_does_not_answer_a_ping_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let server = thread::spawn(move || {
        let (mut stream, _) = silent.accept().unwrap();
        // A proper greeting, and then nothing at all.
        let welcome = [
            vec![34, 0, 0, 0, 0, 0, 16, 0, 0, 8, 0, 0, 0, 4, 0, 0, 0, 0],
            vec![0; 8],
        ]
        .concat();
        stream.write_all(b"gwrpc 1\n").unwrap();
        stream
            .write_all(&(welcome.len() as u32).to_le_bytes())
            .unwrap();
        stream.write_all(&welcome).unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        received
    });
    let config = ClientConfig {
        ping_after: Duration::from_millis(30),
        pong_within: Duration::from_millis(30),
        ..ClientConfig::default()
    };
    let conn = net::dial(Network::Tcp, &address).unwrap();
    let client = Client::over(conn, config).unwrap();
    let error = client.call::<_, ()>("Lab.Add", &()).unwrap_err();
    assert!(
        error.to_string().contains("nor an answer to a ping"),
        "{error}"
    );
    assert!(!client.is_usable());
    drop(client);
    // The last frame is the ping: its length, its kind, its number.
    let received = server.join().unwrap();
    assert!(
        received.ends_with(&[9, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0]),
        "{received:?}"
    );
}

#[test]
fn a_server_that_answers_pings_is_waited_for() {
    let world = world();
    let config = ClientConfig {
        ping_after: Duration::from_millis(5),
        pong_within: Duration::from_secs(20),
        ..ClientConfig::default()
    };
    let client = world.client_with(config);
    let time = Some(Duration::from_millis(100));
    let late = client
        .call_within::<_, ()>("Lab.UntilCancelled", &(), time)
        .unwrap_err();
    let known = matches!(
        late,
        CallError::DeadlineExceeded | CallError::Failed(Failure::DeadlineExceeded)
    );
    assert!(known, "{late:?}");
    assert!(client.is_usable());
}

#[test]
fn peers_of_other_protocols_are_told_apart_in_both_directions() {
    let world = world();
    let mut conn = world.dial();
    conn.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let mut said = String::new();
    let _ = conn.read_to_string(&mut said);
    assert_eq!(
        said,
        "this is an RPC server (gwrpc 1); `GET / HT` is not its greeting\n"
    );

    for (greeting, expected) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            "the server speaks another protocol: `HTTP/1.1 400 Bad Request`",
        ),
        (b"gwrpc 2\n", "the server speaks version 2, not 1"),
        (b"", "the server closed the connection"),
    ] {
        let (ours, mut theirs) = Conn::pair().unwrap();
        theirs.write_all(greeting).unwrap();
        theirs.shutdown(Shutdown::Write).unwrap();
        let error = Client::over(ours, ClientConfig::default()).unwrap_err();
        assert!(error.to_string().ends_with(expected), "{error}");
        assert!(error.not_run());
    }
}

#[test]
fn a_server_without_a_free_place_says_so() {
    let config = Config {
        max_connections: 1,
        ..Config::default()
    };
    let world = world_with(ServerConfig::default(), config);
    let first = world.lab();
    assert_eq!(first.add(1, 1).unwrap(), 2);
    let refused = Client::over(world.dial(), ClientConfig::default()).unwrap_err();
    assert!(refused.not_run(), "{refused:?}");
}

#[test]
fn a_stranger_is_told_nothing() {
    let config = Config {
        access: AccessList::new(Vec::new(), vec!["127.0.0.0/8".parse().unwrap()]),
        ..Config::default()
    };
    let world = world_with(ServerConfig::default(), config);
    let mut heard = Vec::new();
    let _ = world.dial().read_to_end(&mut heard); // its end, or a reset
    assert!(heard.is_empty(), "{heard:?}");
}
