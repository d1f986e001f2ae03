//! Listening: ports taken and shared, IPv4 on IPv6, and what closing does.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::sync::mpsc;
use std::thread;

use crate::support::{Folder, PATIENCE, eventually_blocked, listener};
use groundwire::net::{self, AcceptError, Deadline, ListenConfig, Listener, Network};

#[test]
fn a_taken_port_is_refused_and_a_shared_one_is_not() {
    let (_first, address) = listener();
    let error = net::listen(Network::Tcp, &address).unwrap_err().to_string();
    let wrong = format!("listen tcp {address}: address ");
    // "already in use" or "in use", says the C library.
    assert!(
        error.starts_with(&wrong) && error.ends_with("in use"),
        "{error}"
    );

    let sharing = ListenConfig {
        reuse_port: true,
        ..ListenConfig::default()
    };
    let first = sharing.listen(Network::Tcp, "127.0.0.1:0").unwrap();
    assert!(
        sharing
            .listen(Network::Tcp, &first.local_addr().to_string())
            .is_ok()
    );
}

#[test]
fn an_ipv6_wildcard_takes_ipv4_peers_unless_told_not_to() {
    let Ok(both) = net::listen(Network::Tcp, "[::]:0") else {
        println!("skipped: no IPv6 on this machine");
        return;
    };
    let port = |l: &Listener| l.local_addr().ip().unwrap().port();
    assert!(net::dial(Network::Tcp4, &format!("127.0.0.1:{}", port(&both))).is_ok());
    let only = net::listen(Network::Tcp6, "[::]:0").unwrap();
    let error = net::dial(Network::Tcp4, &format!("127.0.0.1:{}", port(&only))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    let told = ListenConfig {
        ipv6_only: Some(true),
        ..ListenConfig::default()
    };
    let told = told.listen(Network::Tcp, ":0").unwrap();
    assert!(net::dial(Network::Tcp4, &format!("127.0.0.1:{}", port(&told))).is_err());
    let any = net::listen(Network::Tcp4, ":0").unwrap();
    assert!(any.local_addr().to_string().starts_with("0.0.0.0:"));
}

#[test]
fn a_wildcard_whose_ipv6_port_is_taken_is_refused_and_not_left_with_ipv4_alone() {
    let only_ipv6 = ListenConfig {
        ipv6_only: Some(true),
        ..ListenConfig::default()
    };
    for wildcard in [true, false] {
        let address = if wildcard { "[::]:0" } else { "[::1]:0" };
        let Ok(taken) = only_ipv6.listen(Network::Tcp, address) else {
            println!("skipped: no IPv6 on this machine");
            return;
        };
        let port = taken.local_addr().ip().unwrap().port();
        let address = if wildcard {
            format!(":{port}")
        } else {
            format!("localhost:{port}")
        };
        match net::listen(Network::Tcp, &address) {
            Err(error) => assert_eq!(error.kind(), ErrorKind::AddrInUse, "{error}"),
            // Where localhost is not ::1 there is nothing to be refused.
            Ok(_) => assert!(!wildcard && !localhost_is_ipv6_first(), "{address}"),
        }
    }
}

fn localhost_is_ipv6_first() -> bool {
    use std::net::ToSocketAddrs;
    let mut found = ("localhost", 0).to_socket_addrs().unwrap();
    found.next().is_some_and(|address| address.is_ipv6())
}

#[test]
fn close_wakes_every_thread_that_is_blocked_in_accept() {
    let folder = Folder::new();
    let path = folder.path("s");
    for (network, address) in [
        (Network::Tcp, "127.0.0.1:0"),
        (Network::Unix, &path),
        (Network::Unixpacket, &path),
    ] {
        let listener = net::listen(network, address).unwrap();
        let (tell, told) = mpsc::channel();
        for _ in 0..8 {
            let (listener, tell) = (listener.clone(), tell.clone());
            let accepting = thread::Builder::new().name("accepting".into());
            let accept = move || tell.send(listener.accept().map(drop)).unwrap();
            accepting.spawn(accept).unwrap();
        }
        eventually_blocked("accepting", 8);
        listener.close();
        for _ in 0..8 {
            let result = told.recv_timeout(PATIENCE).unwrap();
            assert!(
                matches!(result, Err(AcceptError::Closed)),
                "{network}: {result:?}"
            );
        }
        assert!(
            matches!(listener.accept(), Err(AcceptError::Closed)),
            "{network}"
        );
        listener.close();
    }
}

#[test]
fn a_closed_listener_hands_out_nobody_of_its_backlog() {
    let folder = Folder::new();
    let path = folder.path("s");
    for (network, address) in [
        (Network::Tcp, "127.0.0.1:0"),
        (Network::Unix, &path),
        (Network::Unixpacket, &path),
    ] {
        let listener = net::listen(network, address).unwrap();
        let _waiting = net::dial(network, &listener.local_addr().to_string()).unwrap();
        listener.close();
        let accepted = listener.accept();
        assert!(
            matches!(accepted, Err(AcceptError::Closed)),
            "{network}: {accepted:?}"
        );
    }
}

#[test]
fn the_backlog_of_a_closed_listener_is_reset_at_once_and_not_left_waiting() {
    let folder = Folder::new();
    let path = folder.path("s");
    for (network, address) in [
        (Network::Tcp, "127.0.0.1:0"),
        (Network::Unix, &path),
        (Network::Unixpacket, &path),
    ] {
        let listener = net::listen(network, address).unwrap();
        let mut waiting = net::dial(network, &listener.local_addr().to_string()).unwrap();
        waiting.set_deadline(Deadline::after(PATIENCE));
        waiting.write_all(b"anybody?").unwrap();
        listener.close();
        let heard = waiting.read(&mut [0]).map_err(|error| error.kind());
        assert_eq!(heard, Err(ErrorKind::ConnectionReset), "{network}");
    }
}

#[test]
fn closing_after_the_backlog_returns_those_who_wait_in_it_and_wakes_who_accepts() {
    let folder = Folder::new();
    let path = folder.path("s");
    for (network, address) in [
        (Network::Tcp, "127.0.0.1:0"),
        (Network::Unix, &path),
        (Network::Unixpacket, &path),
    ] {
        let listener = net::listen(network, address).unwrap();
        let address = listener.local_addr().to_string();
        let mut peers: Vec<_> = (0..20)
            .map(|_| net::dial(network, &address).unwrap())
            .collect();
        let served = listener.close_after_backlog();
        assert_eq!(served.len(), 20, "{network}");
        assert!(listener.is_closed() && listener.close_after_backlog().is_empty());
        assert!(net::dial(network, &address).is_err(), "{network}");
        for (peer, conn) in peers.iter_mut().zip(&served) {
            peer.set_deadline(Deadline::after(PATIENCE));
            let mut conn: &net::Conn = conn;
            conn.write_all(b"x").unwrap();
            assert_eq!(peer.read(&mut [0; 4]).unwrap(), 1, "{network}");
            // The connections do block, whatever was done to their listener.
            conn.set_read_deadline(Deadline::after(PATIENCE));
            peer.write_all(b"y").unwrap();
            assert_eq!(conn.read(&mut [0; 4]).unwrap(), 1, "{network}");
        }

        let listener = net::listen(network, &address).unwrap();
        let accepting = listener.clone();
        let thread = thread::Builder::new().name("waiting".into());
        let thread = thread.spawn(move || accepting.accept().map(drop)).unwrap();
        eventually_blocked("waiting", 1);
        assert!(listener.close_after_backlog().is_empty());
        assert!(matches!(thread.join().unwrap(), Err(AcceptError::Closed)));
    }
}

#[test]
fn a_listener_that_somebody_else_made_non_blocking_is_broken_and_not_closed() {
    let (listener, _) = listener();
    let other = std::net::TcpListener::from(listener.as_fd().try_clone_to_owned().unwrap());
    other.set_nonblocking(true).unwrap();
    let failed = listener.accept().map(drop).unwrap_err();
    assert!(
        matches!(&failed, AcceptError::Fatal(error) if error.kind() == ErrorKind::WouldBlock),
        "{failed}"
    );
    listener.close();
    let closed = listener.accept().map(drop).unwrap_err();
    assert!(matches!(closed, AcceptError::Closed), "{closed}");
}
