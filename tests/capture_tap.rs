//! The relay over real sockets: ends are passed on as they are, faults occur where the plan says,
//! and a delay shifts the bytes without reducing their rate.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use groundwire::capture::tap::fault::Faults;
use groundwire::capture::tap::{DatagramRelay, Passed, Recorder, Relay, RelayConfig, Show};
use groundwire::net::{self, Dialer, Network};
use groundwire::server::{Config, Running, Server, Stopper};
use groundwire::telemetry::Log;

/// A safety net for a broken test.
const PATIENCE: Duration = Duration::from_secs(30);

fn config(network: Network, target: &str, faults: Faults) -> RelayConfig {
    RelayConfig {
        target: (network, target.to_string()),
        dialer: Dialer::default(),
        faults,
        seed: 7,
        idle: None,
    }
}

fn silent() -> Arc<Recorder> {
    Arc::new(Recorder::new(Show::None, 7, Vec::new(), Log::off()))
}

/// A relay, and both ends of a connection through it.
struct Through {
    client: TcpStream,
    target: TcpStream,
    running: Running,
    passed: Arc<Passed>,
}

fn through_with(config: impl FnOnce(&str) -> RelayConfig) -> Through {
    through_by(Config::default(), config)
}

fn through_by(server: Config, config: impl FnOnce(&str) -> RelayConfig) -> Through {
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let relay = Relay::new(config(&target.local_addr().unwrap().to_string()), silent());
    let passed = relay.passed();
    let listener = net::listen(Network::Tcp, "127.0.0.1:0").unwrap();
    let address = listener.local_addr().to_string();
    let running = Server::new(server, relay).start(listener).unwrap();
    let client = TcpStream::connect(address).unwrap();
    let (target, _) = target.accept().unwrap();
    for side in [&client, &target] {
        side.set_read_timeout(Some(PATIENCE)).unwrap();
    }
    Through {
        client,
        target,
        running,
        passed,
    }
}

fn through(faults: Faults) -> Through {
    through_with(|target| config(Network::Tcp, target, faults))
}

fn read_all(mut from: &TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Closing with unread bytes is a reset: Linux's way, without an option that std lacks.
fn reset(stream: TcpStream, mut other: &TcpStream) {
    other.write_all(b"unread").unwrap();
    let mut one = [0];
    assert_eq!(stream.peek(&mut one).unwrap(), 1);
    drop(stream);
}

#[test]
fn a_half_close_goes_through_and_the_other_direction_goes_on() {
    for fault in [None, Some("1ms")] {
        let delay = fault.map(|text| text.parse().unwrap());
        let Through {
            mut client,
            mut target,
            running,
            passed,
        } = through(Faults {
            delay,
            ..Faults::default()
        });
        client.write_all(b"question").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_all(&target), b"question");
        target.write_all(b"answer").unwrap();
        target.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_all(&client), b"answer");
        assert_eq!(running.stop().unwrap().served, 1);
        assert_eq!((passed.to_target.get(), passed.to_client.get()), (8, 6));
    }
}

#[test]
fn the_target_may_close_first() {
    let Through {
        mut client, target, ..
    } = through(Faults::default());
    target.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&client), b"");
    client.write_all(b"still here").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&target), b"still here");
}

#[test]
fn a_reset_of_either_side_is_a_reset_for_the_other() {
    for by_client in [true, false] {
        let Through { client, target, .. } = through(Faults::default());
        let (resets, mut hears) = if by_client {
            (client, target)
        } else {
            (target, client)
        };
        reset(resets, &hears);
        let error = hears.read(&mut [0; 8]).unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::ConnectionReset,
            "by client: {by_client}"
        );
    }
}

#[test]
fn a_target_that_is_not_there_is_a_reset_for_the_client() {
    // Port 1 belongs to a service that no machine runs any more.
    let relay = Relay::new(
        config(Network::Tcp, "127.0.0.1:1", Faults::default()),
        silent(),
    );
    let listener = net::listen(Network::Tcp, "127.0.0.1:0").unwrap();
    let address = listener.local_addr().to_string();
    let running = Server::new(Config::default(), relay)
        .start(listener)
        .unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let error = client.read(&mut [0; 8]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(running.stop().unwrap().failed, 1);
}

#[test]
fn a_cut_closes_both_sides_behind_exactly_so_many_bytes() {
    let Through {
        mut client, target, ..
    } = through(Faults {
        cut: Some(5),
        which: "to-target".parse().unwrap(),
        ..Faults::default()
    });
    client.write_all(b"hello, world").unwrap();
    assert_eq!(read_all(&target), b"hello");
    assert_eq!(read_all(&client), b"");
}

#[test]
fn a_reset_on_purpose_reaches_both_sides() {
    let Through {
        client, mut target, ..
    } = through(Faults {
        reset: Some(0),
        which: "to-client".parse().unwrap(),
        ..Faults::default()
    });
    target.write_all(b"x").unwrap();
    for mut side in [client, target] {
        let error = side.read(&mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
}

#[test]
fn a_seed_corrupts_the_same_bytes_of_the_same_connection_again() {
    let run = || {
        let Through {
            mut client, target, ..
        } = through(Faults {
            corrupt: Some("1%".parse().unwrap()),
            which: "to-target".parse().unwrap(),
            ..Faults::default()
        });
        client.write_all(&[0; 10_000]).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        read_all(&target)
    };
    let first = run();
    assert!(first.iter().any(|byte| *byte != 0));
    assert_eq!(run(), first);
}

#[test]
fn a_delay_is_kept_and_what_follows_does_not_wait_again() {
    let delay = Duration::from_millis(200);
    let Through {
        mut client, target, ..
    } = through(Faults {
        delay: Some("200ms".parse().unwrap()),
        ..Faults::default()
    });
    let bytes: Vec<u8> = (0..4_000_000_u32).map(|n| (n % 251) as u8).collect();
    let begun = Instant::now();
    let sender = thread::spawn({
        let bytes = bytes.clone();
        move || {
            client.write_all(&bytes).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
        }
    });
    assert!(
        read_all(&target) == bytes,
        "the bytes arrive whole and in order"
    );
    sender.join().unwrap();
    let took = begun.elapsed();
    assert!(took >= delay, "{took:?}");
    // 4 MB are some thirty chunks: each waiting for the one before would be six seconds.
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn a_throttled_direction_takes_its_time() {
    let Through {
        mut client, target, ..
    } = through(Faults {
        throttle: Some(20_000),
        which: "to-target".parse().unwrap(),
        ..Faults::default()
    });
    let begun = Instant::now();
    client.write_all(&[1; 10_000]).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&target).len(), 10_000);
    assert!(begun.elapsed() >= Duration::from_millis(500));
}

#[test]
fn an_idle_connection_is_ended_when_it_was_asked_for() {
    let idle = Some(Duration::from_millis(50));
    let Through { client, target, .. } = through_with(|target| RelayConfig {
        idle,
        ..config(Network::Tcp, target, Faults::default())
    });
    assert_eq!(read_all(&client), b"");
    assert_eq!(read_all(&target), b"");
}

#[test]
fn a_connection_whose_bytes_are_still_on_a_slow_link_is_not_idle() {
    let faults = Faults {
        throttle: Some(10_000),
        which: "to-target".parse().unwrap(),
        ..Faults::default()
    };
    // One read of the relay, and three seconds on the link: a piece goes every 50 ms.
    let sent = vec![7; 30_000];
    let Through {
        mut client, target, ..
    } = through_with(|target| RelayConfig {
        idle: Some(Duration::from_secs(2)),
        ..config(Network::Tcp, target, faults)
    });
    client.write_all(&sent).unwrap();
    let mut got = vec![0; sent.len()];
    (&target).read_exact(&mut got).unwrap();
    assert_eq!(got, sent);
    assert_eq!(read_all(&target), b"", "and then it is");
}

#[test]
fn a_stop_ends_idle_connections_and_lets_answers_finish() {
    let Through {
        client,
        mut target,
        running,
        ..
    } = through(Faults::default());
    running.stopper().stop();
    assert_eq!(
        read_all(&target),
        b"",
        "the target hears that no more will come"
    );
    target.write_all(b"last words").unwrap();
    drop(target);
    assert_eq!(read_all(&client), b"last words");
    assert_eq!(running.wait().unwrap().cut, 0);
}

#[test]
fn a_cut_ends_a_connection_whose_client_has_half_closed_and_whose_target_is_silent() {
    let server = Config {
        drain: Duration::from_millis(50),
        ..Config::default()
    };
    let Through {
        client,
        target,
        running,
        ..
    } = through_by(server, |target| {
        config(Network::Tcp, target, Faults::default())
    });
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&target), b"");
    let totals = running.stop().unwrap();
    assert_eq!((totals.cut, totals.active), (1, 0));
}

#[test]
fn datagrams_go_there_and_back_for_two_clients_and_reordered_ones_swap() {
    let target = UdpSocket::bind("127.0.0.1:0").unwrap();
    target.set_read_timeout(Some(PATIENCE)).unwrap();
    let socket = net::listen_datagrams(Network::Udp, "127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let faults = Faults {
        reorder: "1".parse().unwrap(),
        which: "to-target".parse().unwrap(),
        ..Faults::default()
    };
    let config = config(
        Network::Udp,
        &target.local_addr().unwrap().to_string(),
        faults,
    );
    let relay = DatagramRelay::new(config, silent(), Log::off(), socket, 10);
    let stopper = Stopper::new();
    let running = thread::spawn({
        let stopper = stopper.clone();
        move || relay.run(&stopper)
    });
    let mut seen = [0; 16];
    for _ in 0..2 {
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.connect(&address).unwrap();
        for text in ["first", "second"] {
            client.send(text.as_bytes()).unwrap();
        }
        for expected in ["second", "first"] {
            let (count, from) = target.recv_from(&mut seen).unwrap();
            assert_eq!(&seen[..count], expected.as_bytes());
            target.send_to(b"reply", from).unwrap();
            assert_eq!(client.recv(&mut seen).unwrap(), 5);
        }
    }
    stopper.stop();
    running.join().unwrap().unwrap();
}
