//! Dialling: addresses and names, refusals, options, time-outs.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{
    Folder, PATIENCE, eventually, eventually_blocked, free_port, in_own_process, listener, nobody,
    tcp_pair,
};
use groundwire::net::{self, Conn, Dialer, ListenConfig, Listener, Network};
use groundwire::sys::socket::{self, Opt};

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
fn an_address_that_is_on_every_link_is_said_to_need_a_zone() {
    let errors = [
        net::dial(Network::Tcp, "[fe80::1]:1").map(drop),
        net::dial_datagrams(Network::Udp, "[fe80::1]:1").map(drop),
        net::dial_datagrams(Network::Udp, "[ff02::1]:1").map(drop),
        net::dial_datagrams(Network::Udp, "[ff01::1]:1").map(drop),
        net::listen(Network::Tcp, "[fe80::1]:0").map(drop),
        net::listen_datagrams(Network::Udp, "[fe80::1]:0").map(drop),
    ];
    for error in errors.map(Result::unwrap_err) {
        let error = error.to_string();
        let no_ipv6 = [
            "address family not supported",
            "cannot assign",
            "unreachable",
        ];
        assert!(
            error.ends_with("needs a zone, as in fe80::1%eth0")
                || no_ipv6.iter().any(|why| error.contains(why)),
            "{error}"
        );
    }
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
    if on_ipv6(&ListenConfig::default()).is_none() {
        return;
    }
    let port = free_port();
    let error = net::dial(Network::Tcp, &format!(":{port}")).unwrap_err();
    let expected = format!(
        "connect tcp :{port}: [::1]:{port} connection refused, \
         127.0.0.1:{port} connection refused"
    );
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
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
    eventually("no attempt is left behind", || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
        let mut names = tasks.map(|task| std::fs::read_to_string(task.path().join("comm")));
        !names.any(|name| name.is_ok_and(|name| name == "connect\n"))
    });
}

#[test]
fn when_every_address_fails_they_stand_in_the_order_of_the_attempts() {
    let config = ListenConfig {
        backlog: 0,
        ..ListenConfig::default()
    };
    // [::1] never answers, and 127.0.0.1 refuses long before that is given up.
    let (silent, port) = loop {
        let Some((silent, port)) = on_ipv6(&config) else {
            return;
        };
        if net::listen(Network::Tcp4, &format!("127.0.0.1:{port}")).is_ok() {
            break (silent, port);
        }
    };
    let _held = fill_backlog(Network::Tcp6, &silent);
    let dialer = Dialer {
        timeout: Some(Duration::from_secs(2)),
        ..Dialer::default()
    };
    let error = dialer.dial(Network::Tcp, &format!(":{port}")).unwrap_err();
    let expected =
        format!("connect tcp :{port}: [::1]:{port} timed out, 127.0.0.1:{port} connection refused");
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.kind(), ErrorKind::TimedOut);
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
fn a_process_that_is_stopped_and_continued_gives_up_at_the_deadline_all_the_same() {
    const NAME: &str =
        "dial::a_process_that_is_stopped_and_continued_gives_up_at_the_deadline_all_the_same";
    // Going on after a stop interrupts every blocking call that has a time-out (signal(7)).
    if in_own_process(NAME, &[]).is_some() {
        return;
    }
    let folder = Folder::new();
    let path = folder.path("s");
    for (network, address) in [(Network::Tcp, "127.0.0.1:0"), (Network::Unix, &path)] {
        let config = ListenConfig {
            backlog: 0,
            ..ListenConfig::default()
        };
        let listener = config.listen(network, address).unwrap();
        let (_held, _) = fill_backlog(network, &listener);
        let script = "while kill -STOP $PPID && kill -CONT $PPID; do sleep 0.05; done";
        let mut stopper = Command::new("sh").args(["-c", script]).spawn().unwrap();
        let (tell, told) = mpsc::channel();
        let address = listener.local_addr().to_string();
        let begun = Instant::now();
        thread::spawn(move || {
            let dialer = Dialer {
                timeout: Some(Duration::from_secs(1)),
                ..Dialer::default()
            };
            tell.send(dialer.dial(network, &address).map(drop)).unwrap();
        });
        let dialled = told.recv_timeout(PATIENCE);
        stopper.kill().unwrap();
        stopper.wait().unwrap();
        let error = dialled
            .expect("it begins anew after every stop")
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        let elapsed = begun.elapsed();
        assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
    }
}

#[test]
fn a_connection_made_while_the_process_was_stopped_is_made() {
    const NAME: &str = "dial::a_connection_made_while_the_process_was_stopped_is_made";
    if in_own_process(NAME, &[]).is_some() {
        return;
    }
    let config = ListenConfig {
        backlog: 0,
        ..ListenConfig::default()
    };
    for network in [Network::Tcp, Network::Unix] {
        let folder = Folder::new();
        let path = folder.path("s");
        let address = if network == Network::Tcp {
            "127.0.0.1:0"
        } else {
            &path
        };
        let listener = config.listen(network, address).unwrap();
        let (held, _) = fill_backlog(network, &listener);
        let address = listener.local_addr().to_string();
        let dialling = thread::Builder::new().name("dialling".into());
        let dialling = dialling
            .spawn(move || net::dial(network, &address))
            .unwrap();
        eventually_blocked("dialling", 1);
        let script = "kill -STOP $PPID; kill -CONT $PPID";
        let stopped = Command::new("sh").args(["-c", script]).status().unwrap();
        assert!(stopped.success());
        // Room in the backlog at last. TCP finds it by sending its SYN once more.
        for _ in 0..held.len() {
            drop(listener.accept().unwrap());
        }
        let dialled = dialling.join().unwrap();
        assert!(dialled.is_ok(), "{network}: {dialled:?}");
        assert_eq!(
            dialled.unwrap().peer_addr().to_string(),
            listener.local_addr().to_string()
        );
    }
}

#[test]
fn a_free_port_dialled_from_itself_is_refused_and_not_connected_to_itself() {
    let address = nobody();
    let dialer = Dialer {
        local: Some(address.parse().unwrap()),
        ..Dialer::default()
    };
    // Linux takes the unspecified address for this machine.
    let unspecified = address.replace("127.0.0.1", "0.0.0.0");
    for itself in [address, unspecified] {
        let error = dialer.dial(Network::Tcp, &itself).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}");
    }
}

#[test]
fn an_unspecified_local_address_serves_peers_of_both_families_and_its_port_holds() {
    let mut peers = vec![listener()];
    peers.extend(on_ipv6(&ListenConfig::default()).map(|(ipv6, port)| {
        let address = format!("[::1]:{port}");
        (ipv6, address)
    }));
    for (listener, address) in &peers {
        for local in ["0.0.0.0:0", "[::]:0"] {
            let port = free_port();
            let mut local: SocketAddr = local.parse().unwrap();
            local.set_port(port);
            let dialer = Dialer {
                local: Some(local),
                ..Dialer::default()
            };
            let conn = dialer.dial(Network::Tcp, address).unwrap();
            let ours = conn.local_addr().unwrap().ip().unwrap();
            assert_eq!(ours.port(), port, "{address} from {local}");
            assert_eq!(listener.accept().unwrap().peer_addr().ip(), Some(ours));
            let socket = dialer.dial_datagrams(Network::Udp, address).unwrap();
            let ours = socket.local_addr().unwrap().ip().unwrap();
            assert_eq!(ours.port(), port, "{address} from {local}");
        }
    }
}

#[test]
fn a_dialler_sets_what_it_was_told_and_connects_from_the_local_address() {
    let (_listener, address) = listener();
    let dialer = Dialer {
        keep_alive: Some(Duration::from_millis(7_500)),
        unacknowledged: Some(Duration::from_millis(2_500)),
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
        (Opt::UserTimeout, 2_500),
    ] {
        assert_eq!(
            socket::get(conn.as_fd(), option).unwrap(),
            value,
            "{option:?}"
        );
    }
    assert_ne!(socket::get(conn.as_fd(), Opt::NoDelay).unwrap(), 0);
}

#[test]
fn keep_alive_beyond_what_the_kernel_takes_is_cut_to_it() {
    let (_listener, address) = listener();
    for (asked, set) in [
        (Duration::ZERO, 1),
        (Duration::from_secs(12 * 3600), 32_767),
        (Duration::MAX, 32_767),
    ] {
        let dialer = Dialer {
            keep_alive: Some(asked),
            ..Dialer::default()
        };
        let conn = dialer.dial(Network::Tcp, &address).unwrap();
        for option in [Opt::KeepAliveIdle, Opt::KeepAliveInterval] {
            assert_eq!(socket::get(conn.as_fd(), option).unwrap(), set, "{asked:?}");
        }
    }
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
