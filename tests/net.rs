//! The library's sockets, driven for real: on loopback, port 0, and in folders of their own.

mod support;

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::Shutdown;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use groundwire::net::{
    self, AcceptError, Addr, Conn, ConnPool, Deadline, Dialer, ListenConfig, Listener,
    MAX_UDP_PAYLOAD, Network, PoolConfig,
};
use groundwire::sys::socket::{self, Opt};
use std::os::fd::AsFd;
use support::{Folder, PATIENCE, Seeded};

fn listener() -> (Listener, String) {
    let listener = net::listen(Network::Tcp, "127.0.0.1:0").unwrap();
    let address = listener.local_addr().to_string();
    (listener, address)
}

/// Both ends of a TCP connection on loopback.
fn tcp_pair() -> (Conn, Conn) {
    let (listener, address) = listener();
    let ours = net::dial(Network::Tcp, &address).unwrap();
    let theirs = listener.accept().unwrap();
    ours.set_deadline(Deadline::after(PATIENCE));
    theirs.set_deadline(Deadline::after(PATIENCE));
    (ours, theirs)
}

#[test]
fn a_refused_connection_says_what_where_and_why() {
    let (listener, address) = listener();
    listener.close();
    let error = net::dial(Network::Tcp, &address).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("connect tcp {address}: connection refused")
    );
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn every_stream_network_carries_bytes_both_ways() {
    let folder = Folder::new();
    let path = folder.path("s");
    let has_ipv6 = net::listen(Network::Tcp6, "[::1]:0").is_ok();
    for (network, address) in [
        (Network::Tcp, "127.0.0.1:0"),
        (Network::Tcp4, "127.0.0.1:0"),
        (Network::Tcp6, "[::1]:0"),
        (Network::Unix, &path),
        (Network::Unixpacket, &path),
        (Network::Unix, "@groundwire-test-abstract"),
    ] {
        if network == Network::Tcp6 && !has_ipv6 {
            println!("skipped: no IPv6 on this machine");
            continue;
        }
        let listener = net::listen(network, address).unwrap();
        let mut ours = net::dial(network, &listener.local_addr().to_string()).unwrap();
        let mut theirs = listener.accept().unwrap();
        let mut buffer = [0; 8];
        ours.write_all(b"there").unwrap();
        assert_eq!(theirs.read(&mut buffer).unwrap(), 5, "{network}");
        theirs.write_all(b"back").unwrap();
        assert_eq!(ours.read(&mut buffer).unwrap(), 4, "{network}");
        drop(theirs);
        assert_eq!(ours.read(&mut buffer).unwrap(), 0, "{network}");
    }
}

#[test]
fn a_call_for_the_wrong_kind_of_network_names_the_right_one() {
    let cases = [
        (
            net::dial(Network::Udp, "127.0.0.1:1").unwrap_err(),
            "dial_datagrams",
        ),
        (
            net::listen(Network::Unixgram, "/x").unwrap_err(),
            "listen_datagrams",
        ),
        (
            net::dial_datagrams(Network::Tcp, "127.0.0.1:1").unwrap_err(),
            "use dial",
        ),
        (
            net::listen_datagrams(Network::Unix, "/x").unwrap_err(),
            "use listen",
        ),
    ];
    for (error, instead) in cases {
        assert!(error.to_string().contains(instead), "{error}");
    }
}

#[test]
fn a_bad_address_is_refused_before_any_look_up() {
    for (address, why) in [
        ("288.8.8.8:80", "octet 288 is above 255"),
        ("127.1:80", "four octets"),
        ("127.0.0.1:123456", "port must be 0 to 65535"),
        ("127.0.0.1", "port"),
    ] {
        let error = net::dial(Network::Tcp, address).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("address {address}: ")),
            "{error}"
        );
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn a_name_with_several_addresses_is_reached_on_the_one_that_listens() {
    // `localhost` is 127.0.0.1 and, on most machines, ::1 first.
    let (listener, address) = listener();
    let port = address.rsplit(':').next().unwrap();
    let conn = net::dial(Network::Tcp, &format!("localhost:{port}")).unwrap();
    assert_eq!(conn.peer_addr().to_string(), address);
    assert!(listener.accept().is_ok());
}

/// A port on which `[::1]` listens as configured; `None` without IPv6.
fn on_ipv6(config: &ListenConfig) -> Option<(Listener, u16)> {
    let Ok(listener) = config.listen(Network::Tcp6, "[::1]:0") else {
        println!("skipped: no IPv6 on this machine");
        return None;
    };
    let port = listener.local_addr().ip().unwrap().port();
    Some((listener, port))
}

#[test]
fn no_host_means_both_loopback_addresses_and_either_will_do() {
    // `:port` is [::1] and 127.0.0.1 on every machine, whatever its /etc/hosts says.
    let (ipv4, address) = listener();
    let port = address.rsplit(':').next().unwrap();
    let conn = net::dial(Network::Tcp, &format!(":{port}")).unwrap();
    assert_eq!(conn.peer_addr(), ipv4.local_addr());
    if let Some((ipv6, port)) = on_ipv6(&ListenConfig::default()) {
        let conn = net::dial(Network::Tcp, &format!(":{port}")).unwrap();
        assert_eq!(conn.peer_addr(), ipv6.local_addr());
    }
}

#[test]
fn when_every_address_fails_the_error_names_each_with_its_cause() {
    let Some((listener, port)) = on_ipv6(&ListenConfig::default()) else {
        return;
    };
    drop(listener);
    let error = net::dial(Network::Tcp, &format!(":{port}")).unwrap_err();
    let expected = format!(
        "connect tcp :{port}: [::1]:{port} connection refused, \
         127.0.0.1:{port} connection refused"
    );
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn an_address_that_does_not_answer_costs_a_moment_and_not_the_whole_timeout() {
    let config = ListenConfig {
        backlog: 0,
        ..ListenConfig::default()
    };
    // The IPv4 port may be another test's: try until both are ours.
    let (_silent, _held, ipv4, port) = loop {
        let Some((silent, port)) = on_ipv6(&config) else {
            return;
        };
        if let Ok(ipv4) = net::listen(Network::Tcp4, &format!("127.0.0.1:{port}")) {
            let (held, _) = fill_backlog(Network::Tcp6, &silent);
            break (silent, held, ipv4, port);
        }
    };
    let patient = Dialer {
        timeout: None,
        ..Dialer::default()
    };
    let conn = patient.dial(Network::Tcp, &format!(":{port}")).unwrap();
    assert_eq!(conn.peer_addr(), ipv4.local_addr());
    // Without a time-out the kernel would try [::1] for two minutes: the loser was woken.
    support::eventually("no attempt is left behind", || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
        let mut names = tasks.map(|task| std::fs::read_to_string(task.path().join("comm")));
        !names.any(|name| name.is_ok_and(|name| name == "connect\n"))
    });
}

#[test]
fn a_free_port_dialled_from_itself_is_refused_and_not_connected_to_itself() {
    let (listener, address) = listener();
    listener.close();
    drop(listener);
    let dialer = Dialer {
        local: Some(address.parse().unwrap()),
        ..Dialer::default()
    };
    let error = dialer.dial(Network::Tcp, &address).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}");
}

#[test]
fn keep_alive_and_no_delay_can_be_turned_off_at_both_ends() {
    let quiet = ListenConfig {
        no_delay: false,
        ..ListenConfig::default()
    };
    let listener = quiet.listen(Network::Tcp, "127.0.0.1:0").unwrap();
    let dialer = Dialer {
        keep_alive: None,
        no_delay: false,
        ..Dialer::default()
    };
    let address = listener.local_addr().to_string();
    let ours = dialer.dial(Network::Tcp, &address).unwrap();
    let theirs = listener.accept().unwrap();
    assert_eq!(socket::get(ours.as_fd(), Opt::KeepAlive).unwrap(), 0);
    for conn in [&ours, &theirs] {
        assert_eq!(socket::get(conn.as_fd(), Opt::NoDelay).unwrap(), 0);
    }
    let (_ours, theirs) = tcp_pair();
    assert_ne!(socket::get(theirs.as_fd(), Opt::NoDelay).unwrap(), 0);
}

#[test]
fn a_dialler_sets_what_it_was_told_and_connects_from_the_local_address() {
    let (_listener, address) = listener();
    let dialer = Dialer {
        keep_alive: Some(Duration::from_millis(7_500)),
        local: Some("127.0.0.2:0".parse().unwrap()),
        ..Dialer::default()
    };
    let conn = dialer.dial(Network::Tcp, &address).unwrap();
    assert!(
        conn.local_addr()
            .unwrap()
            .to_string()
            .starts_with("127.0.0.2:")
    );
    for (option, value) in [
        (Opt::KeepAlive, 1),
        (Opt::KeepAliveIdle, 8),
        (Opt::KeepAliveInterval, 8),
    ] {
        assert_eq!(
            socket::get(conn.as_fd(), option).unwrap(),
            value,
            "{option:?}"
        );
    }
    assert_ne!(socket::get(conn.as_fd(), Opt::NoDelay).unwrap(), 0);
}

/// Connects until nobody more fits into the backlog; what was held up, and the last error.
fn fill_backlog(network: Network, listener: &Listener) -> (Vec<Conn>, net::Error) {
    let dialer = Dialer {
        timeout: Some(Duration::from_millis(200)),
        ..Dialer::default()
    };
    let address = listener.local_addr().to_string();
    let mut held = Vec::new();
    loop {
        match dialer.dial(network, &address) {
            Ok(conn) => held.push(conn),
            Err(error) => return (held, error),
        }
        assert!(held.len() < 100, "the backlog never fills");
    }
}

#[test]
fn connecting_gives_up_at_the_deadline_when_the_backlog_is_full() {
    let folder = Folder::new();
    let path = folder.path("s");
    for (network, address) in [
        (Network::Tcp, "127.0.0.1:0"),
        (Network::Unix, &path),
        (Network::Unixpacket, &path),
    ] {
        let config = ListenConfig {
            backlog: 0,
            ..ListenConfig::default()
        };
        let listener = config.listen(network, address).unwrap();
        let begun = Instant::now();
        let (_held, error) = fill_backlog(network, &listener);
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let address = listener.local_addr();
        let expected = format!("connect {network} {address}: timed out");
        assert_eq!(error.to_string(), expected);
        let elapsed = begun.elapsed();
        assert!(elapsed >= Duration::from_millis(200) && elapsed < PATIENCE);
    }
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
        support::eventually_blocked("accepting", 8);
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
fn a_taken_port_is_refused_and_a_shared_one_is_not() {
    let (_first, address) = listener();
    let error = net::listen(Network::Tcp, &address).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("listen tcp {address}: address already in use")
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
fn a_dead_servers_socket_file_is_replaced_and_a_live_ones_is_not() {
    let folder = Folder::new();
    for network in [Network::Unix, Network::Unixpacket] {
        let path = folder.path("dead");
        // std leaves the file behind when its listener is dropped: the same as a killed server.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let listener = net::listen(network, &path).unwrap();
        let error = net::listen(network, &path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let text = error.to_string();
        let expected = "address already in use: another process is listening there";
        assert_eq!(text, format!("listen {network} {path}: {expected}"));
        assert!(
            net::dial(network, &path).is_ok(),
            "the live server lost its file"
        );
        drop(listener);
        assert!(
            !std::path::Path::new(&path).exists(),
            "the file was left behind"
        );
    }
}

#[test]
fn a_unix_datagram_socket_is_replaced_when_dead_and_refused_when_alive() {
    let folder = Folder::new();
    let path = folder.path("d");
    drop(std::os::unix::net::UnixDatagram::bind(&path).unwrap());
    let alive = net::listen_datagrams(Network::Unixgram, &path).unwrap();
    let error = net::listen_datagrams(Network::Unixgram, &path).unwrap_err();
    let expected = "address already in use: another process is listening there";
    assert_eq!(
        error.to_string(),
        format!("listen unixgram {path}: {expected}")
    );
    drop(alive);
    assert!(!folder.0.join("d").exists(), "the file was left behind");
}

#[test]
fn what_is_no_socket_and_what_another_server_put_there_is_never_removed() {
    let folder = Folder::new();
    let path = folder.path("notes.txt");
    std::fs::write(&path, "keep me").unwrap();
    let error = net::listen(Network::Unix, &path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "keep me");

    // Many times, since a file system may give the second file the inode number of the first.
    let path = folder.path("socket");
    for _ in 0..50 {
        let first = net::listen(Network::Unix, &path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let second = net::listen(Network::Unix, &path).unwrap();
        first.close();
        let reached = net::dial(Network::Unix, &path);
        assert!(reached.is_ok(), "the first removed the second's file");
        second.close();
        assert!(!std::path::Path::new(&path).exists());
        let third = net::listen(Network::Unix, &path).unwrap();
        drop((first, second));
        let reached = net::dial(Network::Unix, &path);
        assert!(reached.is_ok(), "a drop removed the third's file");
        third.close();
    }
}

#[test]
fn a_unix_socket_file_gets_its_permission_bits() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let path = folder.path("private");
    let config = ListenConfig {
        unix_mode: Some(0o600),
        ..ListenConfig::default()
    };
    let _listener = config.listen(Network::Unix, &path).unwrap();
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[test]
fn a_unix_path_of_108_bytes_is_refused_with_the_numbers() {
    let path = format!("/tmp/{}", "p".repeat(103));
    for error in [
        net::listen(Network::Unix, &path).unwrap_err(),
        net::dial(Network::Unix, &path).unwrap_err(),
    ] {
        assert!(
            error.to_string().contains("108 bytes, 107 are allowed"),
            "{error}"
        );
    }
    let error = net::dial(Network::Unix, "/tmp/groundwire-no-such-socket").unwrap_err();
    assert!(
        error.to_string().ends_with("no such file or directory"),
        "{error}"
    );
}

#[test]
fn after_a_half_close_the_peers_reply_still_arrives() {
    let (mut ours, mut theirs) = tcp_pair();
    ours.write_all(b"question").unwrap();
    ours.shutdown(Shutdown::Write).unwrap();
    let mut asked = String::new();
    theirs.read_to_string(&mut asked).unwrap();
    theirs.write_all(b"answer").unwrap();
    drop(theirs);
    let mut answered = String::new();
    ours.read_to_string(&mut answered).unwrap();
    assert_eq!((asked.as_str(), answered.as_str()), ("question", "answer"));
}

#[test]
fn clones_share_the_socket_and_vectored_writes_keep_their_order() {
    let (ours, mut theirs) = tcp_pair();
    let mut clone = ours.clone();
    drop(ours);
    let parts = [IoSlice::new(b"a"), IoSlice::new(b""), IoSlice::new(b"bc")];
    assert_eq!(clone.write_vectored(&parts).unwrap(), 3);
    let mut buffer = [0; 3];
    theirs.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"abc");
    let reader = clone.clone();
    clone.set_read_deadline(Deadline::after(Duration::ZERO));
    assert_eq!(
        (&reader).read(&mut buffer).unwrap_err().kind(),
        ErrorKind::TimedOut
    );
}

#[test]
fn the_socket_closes_with_the_last_clone_and_not_before() {
    let (ours, mut theirs) = tcp_pair();
    let last = ours.clone();
    drop(ours);
    assert!(theirs.is_quiet(), "it closed with the first clone");
    (&last).write_all(b"x").unwrap();
    drop(last);
    assert_eq!(theirs.read(&mut [0; 4]).unwrap(), 1);
    assert_eq!(theirs.read(&mut [0; 4]).unwrap(), 0);
}

#[test]
fn a_shutdown_by_another_thread_wakes_a_blocked_read() {
    let (tcp, _tcp_peer) = tcp_pair();
    let (unix, _unix_peer) = Conn::pair().unwrap();
    for conn in [tcp, unix] {
        let mut reader = conn.clone();
        let reading = thread::Builder::new().name("reading".into());
        let reading = reading.spawn(move || reader.read(&mut [0])).unwrap();
        support::eventually_blocked("reading", 1);
        conn.shutdown(Shutdown::Read).unwrap();
        assert_eq!(reading.join().unwrap().unwrap(), 0, "{conn:?}");
    }
}

#[test]
fn quiet_is_only_what_is_open_and_has_nothing_unread() {
    let (ours, mut theirs) = tcp_pair();
    assert!(ours.is_quiet(), "idle");
    theirs.write_all(b"x").unwrap();
    support::eventually("the byte arrives", || !ours.is_quiet());
    assert_eq!((&ours).read(&mut [0; 4]).unwrap(), 1);
    assert!(ours.is_quiet(), "looking takes nothing, and all was read");
    drop(theirs);
    support::eventually("the end arrives", || !ours.is_quiet());
}

#[test]
fn a_unix_peer_is_known_by_its_process_and_a_tcp_peer_is_not() {
    let (unix, _peer) = Conn::pair().unwrap();
    let pid = unix.peer_credentials().unwrap().pid;
    assert_eq!(pid.to_string(), std::process::id().to_string());
    let (tcp, _peer) = tcp_pair();
    let error = tcp.peer_credentials().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn a_sender_of_single_bytes_cannot_renew_a_deadline() {
    let (mut ours, theirs) = tcp_pair();
    let (enough, stop) = mpsc::channel::<()>();
    let sender = thread::spawn(move || {
        while stop.recv_timeout(Duration::from_millis(5)) == Err(RecvTimeoutError::Timeout) {
            if (&theirs).write_all(b"x").is_err() {
                break;
            }
        }
    });
    let begun = Instant::now();
    ours.set_read_deadline(Deadline::after(Duration::from_millis(150)));
    let error = io::copy(&mut ours, &mut io::sink()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(begun.elapsed() >= Duration::from_millis(150) && begun.elapsed() < PATIENCE);
    drop(enough);
    sender.join().unwrap();
}

#[test]
fn a_passed_deadline_fails_a_read_even_with_bytes_waiting_and_a_new_one_revives_it() {
    let (mut ours, mut theirs) = tcp_pair();
    theirs.write_all(b"x").unwrap();
    ours.set_deadline(Deadline::after(Duration::ZERO));
    assert_eq!(
        ours.read(&mut [0; 4]).unwrap_err().kind(),
        ErrorKind::TimedOut
    );
    assert_eq!(ours.write(b"y").unwrap_err().kind(), ErrorKind::TimedOut);
    ours.set_deadline(Deadline::after(PATIENCE));
    assert_eq!(ours.read(&mut [0; 4]).unwrap(), 1);
}

#[test]
fn a_write_gives_up_when_the_peer_does_not_read() {
    let (mut ours, _theirs) = tcp_pair();
    let begun = Instant::now();
    ours.set_write_deadline(Deadline::after(Duration::from_millis(150)));
    let block = vec![0; 1 << 20];
    let error = loop {
        if let Err(error) = ours.write_all(&block) {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(begun.elapsed() >= Duration::from_millis(150) && begun.elapsed() < PATIENCE);
}

#[test]
fn closing_with_care_gets_our_last_bytes_to_a_peer_that_is_still_sending() {
    let (mut ours, mut theirs) = tcp_pair();
    theirs.write_all(&vec![b'x'; 100_000]).unwrap();
    ours.write_all(b"last words").unwrap();
    let closer = thread::spawn(move || ours.close(Deadline::after(PATIENCE), 1 << 20));
    let mut heard = String::new();
    theirs.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "last words");
    drop(theirs);
    assert_eq!(closer.join().unwrap(), 100_000);
}

#[test]
fn a_reset_on_close_reaches_the_peer_as_one() {
    let (ours, mut theirs) = tcp_pair();
    ours.reset_on_close().unwrap();
    drop(ours);
    assert_eq!(
        theirs.read(&mut [0]).unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
}

#[test]
fn records_and_datagrams_of_random_sizes_arrive_one_by_one_and_whole() {
    let folder = Folder::new();
    let listener = net::listen(Network::Unixpacket, &folder.path("s")).unwrap();
    let sender = net::dial(Network::Unixpacket, &folder.path("s")).unwrap();
    let receiver = listener.accept().unwrap();
    receiver.set_read_deadline(Deadline::after(PATIENCE));
    let gram = net::listen_datagrams(Network::Unixgram, &folder.path("d")).unwrap();
    gram.set_read_deadline(Deadline::after(PATIENCE));
    let gram_sender = net::dial_datagrams(Network::Unixgram, &folder.path("d")).unwrap();

    let mut random = Seeded::new(7_331);
    let mut buffer = vec![0; 20_001];
    for _ in 0..200 {
        // Several before the first is read, so that they could run together.
        let sent: Vec<Vec<u8>> = (0..1 + random.below(4))
            .map(|_| vec![random.next() as u8; 1 + random.below(20_000)])
            .collect();
        for record in &sent {
            (&sender).write_all(record).unwrap();
            gram_sender.send(record).unwrap();
        }
        for record in &sent {
            let count = (&receiver).read(&mut buffer).unwrap();
            assert!(buffer[..count] == record[..], "{count} of {}", record.len());
            let (count, _) = gram.recv_from(&mut buffer).unwrap();
            assert!(buffer[..count] == record[..], "{count} of {}", record.len());
        }
    }
}

#[test]
fn datagrams_arrive_whole_from_none_to_the_most_that_udp_carries() {
    let server = net::listen_datagrams(Network::Udp, "127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap().to_string();
    let client = net::dial_datagrams(Network::Udp, &address).unwrap();
    server.set_read_deadline(Deadline::after(PATIENCE));
    let mut buffer = vec![0; MAX_UDP_PAYLOAD + 1];
    for size in [0, 1, 1_500, MAX_UDP_PAYLOAD] {
        client.send(&vec![7; size]).unwrap();
        let (count, peer) = server.recv_from(&mut buffer).unwrap();
        assert_eq!((count, peer), (size, client.local_addr().unwrap()));
    }
    assert!(client.send(&vec![7; MAX_UDP_PAYLOAD + 1]).is_err());
}

#[test]
fn a_dialled_datagram_socket_hears_its_peer_only() {
    let server = net::listen_datagrams(Network::Udp, "127.0.0.1:0").unwrap();
    let stranger = net::listen_datagrams(Network::Udp, "127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap().to_string();
    let client = net::dial_datagrams(Network::Udp, &address).unwrap();
    client.set_read_deadline(Deadline::after(PATIENCE));
    let own = client.local_addr().unwrap();
    stranger.send_to(b"strange", &own).unwrap();
    server.send_to(b"right", &own).unwrap();
    let mut buffer = [0; 16];
    assert_eq!(client.recv(&mut buffer).unwrap(), 5);
}

#[test]
fn a_closed_udp_port_answers_with_a_refusal() {
    let server = net::listen_datagrams(Network::Udp, "127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap().to_string();
    drop(server);
    let client = net::dial_datagrams(Network::Udp, &address).unwrap();
    client.set_read_deadline(Deadline::after(PATIENCE));
    client.send(b"anybody?").unwrap();
    assert_eq!(
        client.recv(&mut [0; 8]).unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
}

#[test]
fn a_silent_datagram_peer_is_waited_for_until_the_deadline_only() {
    let silent = net::listen_datagrams(Network::Udp, "127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let client = net::dial_datagrams(Network::Udp, &address).unwrap();
    client.send(b"anybody?").unwrap();
    let begun = Instant::now();
    client.set_read_deadline(Deadline::after(Duration::from_millis(100)));
    let error = client.recv(&mut [0; 8]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(begun.elapsed() >= Duration::from_millis(100) && begun.elapsed() < PATIENCE);
}

#[test]
fn close_wakes_a_thread_that_waits_for_a_datagram() {
    let folder = Folder::new();
    let bound = net::listen_datagrams(Network::Udp, "127.0.0.1:0").unwrap();
    let address = bound.local_addr().unwrap().to_string();
    let sockets = [
        net::listen_datagrams(Network::Udp, "127.0.0.1:0").unwrap(),
        net::dial_datagrams(Network::Udp, &address).unwrap(),
        net::listen_datagrams(Network::Unixgram, &folder.path("d")).unwrap(),
    ];
    for socket in sockets {
        let (tell, told) = mpsc::channel();
        let waiting = socket.clone();
        let receive = move || tell.send(waiting.recv_from(&mut [0; 8]).map(drop)).unwrap();
        let receiving = thread::Builder::new().name("receiving".into());
        receiving.spawn(receive).unwrap();
        support::eventually_blocked("receiving", 1);
        socket.close();
        let error = told.recv_timeout(PATIENCE).unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected, "{socket:?}");
    }
    assert!(!folder.0.join("d").exists());
}

#[test]
fn a_unix_datagram_finds_its_way_back_and_leaves_no_file() {
    let folder = Folder::new();
    let path = folder.path("d");
    let server = net::listen_datagrams(Network::Unixgram, &path).unwrap();
    let client = net::dial_datagrams(Network::Unixgram, &path).unwrap();
    client.send(b"there").unwrap();
    let mut buffer = [0; 16];
    let (count, peer) = server.recv_from(&mut buffer).unwrap();
    assert!(matches!(peer, Addr::Unix(Some(_))));
    server.send_to(&buffer[..count], &peer).unwrap();
    assert_eq!(client.recv(&mut buffer).unwrap(), 5);
    drop((client, server));
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 0);
}

fn pool(config: PoolConfig) -> ConnPool {
    ConnPool::new(Dialer::default(), config)
}

#[test]
fn a_pool_uses_a_kept_connection_again_and_closes_a_dropped_one() {
    let (listener, address) = listener();
    let pool = pool(PoolConfig::default());
    let first = pool.get(Network::Tcp, &address).unwrap();
    let mut theirs = listener.accept().unwrap();
    assert!(first.is_fresh());
    first.keep();
    let again = pool.get(Network::Tcp, &address).unwrap();
    assert!(!again.is_fresh());
    drop(again);
    assert_eq!(
        theirs.read(&mut [0]).unwrap(),
        0,
        "a dropped loan must close"
    );
    let stats = pool.stats();
    assert_eq!((stats.dialled, stats.reused, stats.idle), (1, 1, 0));
}

#[test]
fn a_pool_discards_connections_that_the_peer_has_closed_or_spoken_on() {
    let (listener, address) = listener();
    let pool = pool(PoolConfig::default());
    for talkative in [false, true] {
        let loan = pool.get(Network::Tcp, &address).unwrap();
        let mut theirs = listener.accept().unwrap();
        let clone = Conn::clone(&loan);
        loan.keep();
        if talkative {
            theirs.write_all(b"unasked").unwrap();
        } else {
            drop(theirs);
        }
        // What the peer did has arrived when the connection is no longer quiet.
        support::eventually("the peer's act arrives", || !clone.is_quiet());
    }
    assert!(pool.get(Network::Tcp, &address).unwrap().is_fresh());
    assert_eq!(pool.stats().discarded, 2);
}

#[test]
fn a_pool_keeps_no_more_and_no_longer_than_configured() {
    let (_listener, address) = listener();
    let small = PoolConfig {
        max_idle_per_address: 2,
        max_idle: 2,
        ..PoolConfig::default()
    };
    for (config, idle) in [
        (small, 2),
        (
            PoolConfig {
                max_idle: 1,
                ..PoolConfig::default()
            },
            1,
        ),
        (
            PoolConfig {
                idle_time: Duration::ZERO,
                ..PoolConfig::default()
            },
            1,
        ),
        (
            PoolConfig {
                max_age: Duration::ZERO,
                ..PoolConfig::default()
            },
            1,
        ),
    ] {
        let pool = pool(config.clone());
        let loans: Vec<_> = (0..4)
            .map(|_| pool.get_fresh(Network::Tcp, &address).unwrap())
            .collect();
        loans.into_iter().for_each(net::Pooled::keep);
        assert_eq!(pool.stats().idle, idle, "{config:?}");
        let expired = config.idle_time.is_zero() || config.max_age.is_zero();
        assert_eq!(
            pool.get(Network::Tcp, &address).unwrap().is_fresh(),
            expired,
            "{config:?}"
        );
        pool.clear();
        assert_eq!(pool.stats().idle, 0);
    }
}

#[test]
fn a_full_pool_closes_the_connection_that_was_idle_longest_whatever_its_address() {
    let (one, first_address) = listener();
    let (two, second_address) = listener();
    let pool = pool(PoolConfig {
        max_idle: 1,
        ..PoolConfig::default()
    });
    pool.get(Network::Tcp, &first_address).unwrap().keep();
    let mut oldest = one.accept().unwrap();
    oldest.set_deadline(Deadline::after(PATIENCE));
    pool.get(Network::Tcp, &second_address).unwrap().keep();
    let _newest = two.accept().unwrap();
    assert_eq!(oldest.read(&mut [0]).unwrap(), 0, "it was not closed");
    let stats = pool.stats();
    assert_eq!((stats.dialled, stats.discarded, stats.idle), (2, 1, 1));
    let again = pool.get(Network::Tcp, &second_address).unwrap();
    assert!(!again.is_fresh());
}
