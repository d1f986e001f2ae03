//! ICMP sockets on loopback, where this user may have one.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{PATIENCE, eventually, eventually_blocked};
use groundwire::net::icmp::message::Echo;
use groundwire::net::icmp::socket::Incoming;
use groundwire::net::{self, Deadline, Error, IcmpSocket, Network};

/// A socket that gives up after [`PATIENCE`]; `None`, and why, where that is not allowed or the
/// machine lacks the family.
fn open(network: Network) -> Option<IcmpSocket> {
    match IcmpSocket::open(network) {
        Ok(socket) => {
            socket.set_read_deadline(Deadline::after(PATIENCE));
            Some(socket)
        }
        Err(error) => {
            println!("skipped: {error}");
            assert!(matches!(
                error,
                Error::Forbidden { .. } | Error::Failed { .. }
            ));
            None
        }
    }
}

fn echo(sequence: u16, payload: &[u8]) -> Echo<'_> {
    Echo {
        id: 0, // the socket puts its own
        sequence,
        payload,
    }
}

#[test]
fn a_request_comes_back_with_the_sockets_id_and_its_payload() {
    for (network, host) in [(Network::Ip4Icmp, "127.0.0.1"), (Network::Ip6Icmp, "::1")] {
        let Some(socket) = open(network) else {
            continue;
        };
        let to = net::host_addresses(host).unwrap()[0];
        for size in [0, 1, 56, 20_000] {
            let payload = vec![0x5a; size];
            if let Err(error) = socket.send_to(&echo(9, &payload), &to) {
                println!("skipped: {error}");
                continue;
            }
            let mut buffer = vec![0; size + 100];
            let incoming = socket.recv_from(&mut buffer).unwrap();
            let Incoming::Reply {
                from, ttl, echo, ..
            } = incoming
            else {
                panic!("{incoming:?}");
            };
            assert_eq!(from.ip(), to.ip());
            assert!(ttl.is_some_and(|hops| hops > 0));
            assert_eq!((echo.id, echo.sequence), (socket.id(), 9));
            assert!(echo.payload == payload, "{network}, {size} bytes");
        }
    }
}

#[test]
fn a_reply_tells_how_long_it_has_waited_in_the_socket() {
    let Some(socket) = open(Network::Ip4Icmp) else {
        return;
    };
    let to = net::host_addresses("127.0.0.1").unwrap()[0];
    // The kernel tells arrivals a little after the first socket has asked for them; before, it tells
    // when they are read.
    let (_sender, nothing) = mpsc::channel::<()>();
    let mut sequence = 0;
    eventually("a reply knows when it came", || {
        sequence += 1;
        let sent = Instant::now();
        socket.send_to(&echo(sequence, b"x"), &to).unwrap();
        let other_work = Duration::from_millis(5);
        assert!(nothing.recv_timeout(other_work).is_err());
        let mut buffer = [0; 100];
        let incoming = socket.recv_from(&mut buffer).unwrap();
        let Incoming::Reply { waited, .. } = incoming else {
            panic!("{incoming:?}");
        };
        (other_work / 2..sent.elapsed()).contains(&waited)
    });
}

#[test]
fn two_sockets_hear_their_own_replies_only() {
    let (Some(a), Some(b)) = (open(Network::Ip4Icmp), open(Network::Ip4Icmp)) else {
        return;
    };
    assert_ne!(a.id(), b.id());
    let to = net::host_addresses("127.0.0.1").unwrap()[0];
    b.send_to(&echo(1, b"of b"), &to).unwrap();
    a.send_to(&echo(2, b"of a"), &to).unwrap();
    for (socket, sequence) in [(&a, 2), (&b, 1)] {
        let mut buffer = [0; 200];
        let Incoming::Reply { echo, .. } = socket.recv_from(&mut buffer).unwrap() else {
            panic!("no reply");
        };
        assert_eq!(echo.sequence, sequence);
    }
}

#[test]
fn silence_ends_at_the_deadline() {
    let Some(socket) = open(Network::Ip4Icmp) else {
        return;
    };
    let begun = Instant::now();
    socket.set_read_deadline(Deadline::after(Duration::from_millis(100)));
    let error = socket.recv_from(&mut [0; 100]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(
        error.to_string().starts_with("receive ip4:icmp id "),
        "{error}"
    );
    assert!(begun.elapsed() >= Duration::from_millis(100) && begun.elapsed() < PATIENCE);
}

#[test]
fn a_short_wait_is_not_rounded_to_the_kernels_clock_tick() {
    let Some(socket) = open(Network::Ip4Icmp) else {
        return;
    };
    let wait = || {
        let begun = Instant::now();
        socket.set_read_deadline(Deadline::at(begun + Duration::from_millis(1)));
        assert!(socket.recv_from(&mut [0; 100]).is_err());
        begun.elapsed()
    };
    // The best of many: a busy machine makes most of them longer, but not all.
    let best = (0..100).map(|_| wait()).min().unwrap();
    assert!(best < Duration::from_micros(3_500), "{best:?}"); // a tick is often 4 ms
}

#[test]
fn close_wakes_a_thread_that_waits_for_a_reply() {
    for network in [Network::Ip4Icmp, Network::Ip6Icmp] {
        let Some(socket) = open(network).map(Arc::new) else {
            continue;
        };
        let (tell, told) = mpsc::channel();
        let waiting = Arc::clone(&socket);
        let receive = move || {
            let kind = waiting
                .recv_from(&mut [0; 100])
                .map(drop)
                .unwrap_err()
                .kind();
            tell.send(kind).unwrap();
        };
        let receiving = thread::Builder::new().name("echo-waiting".into());
        receiving.spawn(receive).unwrap();
        eventually_blocked("echo-waiting", 1);
        socket.close();
        assert_eq!(
            told.recv_timeout(PATIENCE).unwrap(),
            ErrorKind::NotConnected
        );
        assert_eq!(
            socket.recv_from(&mut [0; 100]).unwrap_err().kind(),
            ErrorKind::NotConnected
        );
    }
}

#[test]
fn a_request_that_cannot_leave_says_where_to_and_why() {
    let Some(socket) = open(Network::Ip4Icmp) else {
        return;
    };
    let to = net::host_addresses("127.0.0.1").unwrap()[0];
    let too_long = vec![0; 70_000];
    let error = socket.send_to(&echo(1, &too_long), &to).unwrap_err();
    // "long" or "large", says the C library.
    let (text, expected) = (error.to_string(), "send ip4:icmp 127.0.0.1: message too l");
    assert!(text.starts_with(expected), "{text}");
    socket.set_ttl(1).unwrap();
    assert!(socket.set_ttl(0).is_err());
}

#[test]
fn a_network_without_icmp_has_no_icmp_socket_and_icmp_nothing_else() {
    let refused = |error: Error| error.to_string();
    assert_eq!(
        refused(IcmpSocket::open(Network::Udp).unwrap_err()),
        "open udp: not possible on this network, use dial"
    );
    let instead = "ip4:icmp: not possible on this network, use IcmpSocket";
    let (icmp, host) = (Network::Ip4Icmp, "127.0.0.1");
    for error in [
        net::dial(icmp, host).map(drop).unwrap_err(),
        net::dial_datagrams(icmp, host).map(drop).unwrap_err(),
    ] {
        assert_eq!(refused(error), format!("connect {instead}"));
    }
    for error in [
        net::listen(icmp, host).map(drop).unwrap_err(),
        net::listen_datagrams(icmp, host).map(drop).unwrap_err(),
    ] {
        assert_eq!(refused(error), format!("listen {instead}"));
    }
}
