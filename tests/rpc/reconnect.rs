//! A client that connects again.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use groundwire::net::{Conn, Dialer, ListenConfig, Network};
use groundwire::rpc::{CallError, ClientConfig, ReconnectConfig, Reconnecting, ServerConfig};
use groundwire::server::Config;

use crate::support::nobody;
use crate::world::*;

fn quick() -> ReconnectConfig {
    ReconnectConfig {
        first_pause: Duration::from_millis(1),
        ..ReconnectConfig::default()
    }
}

#[test]
fn a_connection_is_made_when_it_is_needed_and_again_when_it_broke() {
    let first = world();
    let address = first.address.clone();
    let lab = LabClient(std::sync::Arc::new(Reconnecting::new(
        Network::Tcp,
        &address,
        quick(),
    )));
    assert_eq!(lab.add(1, 2).unwrap(), 3);
    assert_eq!(lab.add(3, 4).unwrap(), 7);
    assert_eq!(
        first.running.stop().unwrap().served,
        1,
        "one connection for both"
    );
    let error = lab.add(1, 2).unwrap_err();
    assert!(
        matches!(error, CallError::Disconnected { sent: false, .. }),
        "{error:?}"
    );
    let again = world_at(&address, ServerConfig::default(), Config::default());
    assert_eq!(lab.add(1, 2).unwrap(), 3);
    assert_eq!(again.running.stop().unwrap().served, 1);
}

#[test]
fn a_call_that_was_perhaps_run_is_tried_again_only_if_it_may_be() {
    // A server that reads one call and closes: for the caller, it may have been run.
    let world = world();
    let breaking = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = breaking.local_addr().unwrap().to_string();
    let target = world.address.clone();
    let proxy = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let mut served = 0;
        while let Ok((mut client, _)) = breaking.accept() {
            let mut server = std::net::TcpStream::connect(&target).unwrap();
            // The greeting goes through; the call goes through; the reply does not come back.
            let (mut buffer, mut bytes) = ([0; 4096], 0);
            bytes += client.read(&mut buffer).unwrap();
            if bytes == 0 {
                break;
            }
            server.write_all(&buffer[..bytes]).unwrap();
            let n = server.read(&mut buffer).unwrap();
            client.write_all(&buffer[..n]).unwrap();
            let n = client.read(&mut buffer).unwrap();
            server.write_all(&buffer[..n]).unwrap();
            let _ = server.read(&mut buffer).unwrap();
            served += 1;
        }
        served
    });
    let lab = Reconnecting::new(Network::Tcp, &address, quick());
    let lab = LabClient(&lab);
    let error = lab.count().unwrap_err();
    assert!(
        matches!(error, CallError::Disconnected { sent: true, .. }),
        "{error:?}"
    );
    assert_eq!(world.runs.load(Ordering::SeqCst), 1, "run once");
    let error = lab.count_again().unwrap_err();
    assert!(
        matches!(error, CallError::Disconnected { sent: true, .. }),
        "{error:?}"
    );
    assert_eq!(world.runs.load(Ordering::SeqCst), 6, "five tries more");
    drop(std::net::TcpStream::connect(&address).unwrap());
    assert_eq!(proxy.join().unwrap(), 6);
}

#[test]
fn a_call_to_a_server_that_does_not_greet_ends_in_its_time_for_all_who_wait() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let mut config = quick();
    config.client.time = Some(Duration::from_millis(200));
    let lab = std::sync::Arc::new(Reconnecting::new(Network::Tcp, &address, config));
    let begun = std::time::Instant::now();
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            let lab = LabClient(lab.clone());
            std::thread::spawn(move || lab.add(1, 2).unwrap_err())
        })
        .collect();
    for thread in waiting {
        let error = thread.join().unwrap();
        assert!(error.not_run(), "{error:?}");
    }
    // The greeting alone may take ten seconds.
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_call_whose_next_pause_would_outlast_its_time_says_why_the_last_try_failed() {
    let address = nobody();
    let mut config = ReconnectConfig {
        first_pause: Duration::from_secs(4),
        ..ReconnectConfig::default()
    };
    config.client.time = Some(Duration::from_secs(2));
    let lab = Reconnecting::new(Network::Tcp, &address, config);
    let error = LabClient(&lab).add(1, 2).unwrap_err().to_string();
    assert!(error.contains("connection refused"), "{error}");
}

#[test]
fn connecting_takes_no_longer_than_the_call_may() {
    let config = ListenConfig {
        backlog: 0,
        ..ListenConfig::default()
    };
    let full = config.listen(Network::Tcp, "127.0.0.1:0").unwrap();
    let address = full.local_addr().to_string();
    let hasty = Dialer {
        timeout: Some(Duration::from_millis(200)),
        ..Dialer::default()
    };
    // Until the kernel answers no more.
    let dial = |_| hasty.dial(Network::Tcp, &address).ok();
    let held: Vec<Conn> = (0..100).map_while(dial).collect();
    assert!(held.len() < 100, "the backlog never fills");
    let patient = ReconnectConfig {
        dialer: Dialer {
            timeout: Some(Duration::from_secs(60)),
            ..Dialer::default()
        },
        client: ClientConfig {
            time: Some(Duration::from_millis(100)),
            ..ClientConfig::default()
        },
        ..quick()
    };
    let lab = LabClient(Reconnecting::new(Network::Tcp, &address, patient));
    let begun = Instant::now();
    let error = lab.add(1, 2).unwrap_err();
    assert!(error.not_run(), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(30));
}
