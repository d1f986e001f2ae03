//! The server of datagrams, over UDP and Unix sockets.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::support::{Folder, Kept, PATIENCE, eventually};
use groundwire::echo::{DatagramClient, NoReply, datagram_handler};
use groundwire::net::{self, Addr, DatagramSocket, Deadline, Network};
use groundwire::server::{
    AccessList, DatagramConfig, DatagramHandler, DatagramServer, DatagramStats, Stopper,
};
use groundwire::telemetry::{Format, Level, Log};

/// A server on a thread of its own.
struct Running {
    socket: DatagramSocket,
    address: String,
    stats: Arc<DatagramStats>,
    stopper: Stopper,
    thread: JoinHandle<io::Result<()>>,
}

impl Running {
    fn start(network: Network, address: &str, handler: impl DatagramHandler + 'static) -> Self {
        let config = DatagramConfig::default();
        Self::with(config, network, address, handler)
    }

    fn with(
        config: DatagramConfig,
        network: Network,
        address: &str,
        handler: impl DatagramHandler + 'static,
    ) -> Self {
        let socket = net::listen_datagrams(network, address).unwrap();
        let server = DatagramServer::new(config, socket.clone(), handler);
        let (stats, stopper) = (server.stats(), Stopper::new());
        let watched = stopper.clone();
        Self {
            address: socket.local_addr().unwrap().to_string(),
            socket,
            stats,
            stopper,
            thread: thread::spawn(move || server.run(&watched)),
        }
    }

    /// Stops it; what it has counted.
    fn stop(self) -> String {
        self.stopper.stop();
        eventually("it has ended", || self.thread.is_finished());
        self.thread.join().unwrap().unwrap();
        self.stats.line()
    }
}

/// A client whose every call fails after [`PATIENCE`].
fn client(network: Network, address: &str) -> DatagramSocket {
    let client = net::dial_datagrams(network, address).unwrap();
    client.set_read_deadline(Deadline::after(PATIENCE));
    client.set_write_deadline(Deadline::after(PATIENCE));
    client
}

fn ask(client: &DatagramSocket, bytes: &[u8]) {
    client.send(bytes).unwrap();
    let mut buffer = vec![0; bytes.len() + 1];
    assert_eq!(client.recv(&mut buffer).unwrap(), bytes.len());
}

#[test]
fn a_datagram_server_echoes_drops_what_is_too_long_or_denied_and_stops() {
    let denied = AccessList::new(Vec::new(), vec!["127.0.0.9".parse().unwrap()]);
    let config = DatagramConfig {
        max_datagram: 100,
        access: denied,
        ..DatagramConfig::default()
    };
    let socket = net::listen_datagrams(Network::Udp, "127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let server = DatagramServer::new(config, socket, datagram_handler(None));
    let (stats, stopper) = (server.stats(), Stopper::new());
    let watched = stopper.clone();
    let running = thread::spawn(move || server.run(&watched));

    let foe = net::listen_datagrams(Network::Udp, "127.0.0.9:0").unwrap();
    foe.send_to(b"from a denied address", &address).unwrap();
    let friend = net::dial_datagrams(Network::Udp, &address.to_string()).unwrap();
    friend.set_read_deadline(Deadline::after(PATIENCE));
    friend.send(&[1; 101]).unwrap();
    let mut buffer = [0; 256];
    for size in [0, 1, 100] {
        friend.send(&vec![2; size]).unwrap();
        assert_eq!(friend.recv(&mut buffer).unwrap(), size);
    }
    stopper.stop();
    running.join().unwrap().unwrap();
    assert_eq!(stats.line(), "received 5, replied 3, refused 2, failed 0");
}

#[test]
fn unix_datagrams_are_echoed_and_a_sender_without_a_name_harms_nobody() {
    let folder = Folder::new();
    let path = folder.path("d");
    let config = DatagramConfig {
        max_datagram: 100,
        ..DatagramConfig::default()
    };
    let socket = net::listen_datagrams(Network::Unixgram, &path).unwrap();
    let server = DatagramServer::new(config, socket, datagram_handler(None));
    let (stats, stopper) = (server.stats(), Stopper::new());
    let watched = stopper.clone();
    let running = thread::spawn(move || server.run(&watched));

    let nameless = std::os::unix::net::UnixDatagram::unbound().unwrap();
    nameless.send_to(b"no way back", &path).unwrap();
    let client = net::dial_datagrams(Network::Unixgram, &path).unwrap();
    client.set_read_deadline(Deadline::after(PATIENCE));
    client.send(&[1; 101]).unwrap();
    let mut buffer = [0; 256];
    for size in [0, 1, 100] {
        client.send(&vec![2; size]).unwrap();
        assert_eq!(client.recv(&mut buffer).unwrap(), size);
    }
    stopper.stop();
    running.join().unwrap().unwrap();
    assert_eq!(stats.line(), "received 5, replied 3, refused 1, failed 1");
    drop(client);
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 0);
}

#[test]
fn a_unix_peer_that_never_reads_holds_up_neither_the_others_nor_the_end() {
    let folder = Folder::new();
    let path = folder.path("d");
    let server = Running::start(Network::Unixgram, &path, datagram_handler(None));
    let deaf = UnixDatagram::bind(folder.path("deaf")).unwrap();
    deaf.set_write_timeout(Some(PATIENCE)).unwrap();
    // How many a queue takes is the machine's: 10 by default, 512 where systemd sets it.
    let mut sent = 0;
    eventually("its queue is full", || {
        deaf.send_to(b"not waited for", &path).unwrap();
        sent += 1;
        server.stats.failed.get() > 0
    });
    let other = client(Network::Unixgram, &path);
    other.send(b"heard").unwrap();
    eventually("another peer is heard", || {
        server.stats.received.get() == sent + 1
    });
    // A long queue fills our own send buffer before; that is free again when the peer has gone.
    drop(deaf);
    ask(&other, b"asked");
    let stats = server.stats.clone();
    server.stop();
    let (replied, failed) = (stats.replied.get(), stats.failed.get());
    assert_eq!(replied + failed, sent + 2, "{}", stats.line());
}

#[test]
fn a_client_of_a_unix_server_that_never_reads_waits_for_its_time_out_only() {
    let folder = Folder::new();
    let path = folder.path("d");
    let _deaf = UnixDatagram::bind(&path).unwrap();
    let filling = UnixDatagram::unbound().unwrap();
    filling.set_nonblocking(true).unwrap();
    while filling.send_to(b"x", &path).is_ok() {}
    let socket = net::dial_datagrams(Network::Unixgram, &path).unwrap();
    let timeout = Duration::from_millis(50);
    let begun = Instant::now();
    let asked = DatagramClient::new(socket, timeout, 2).ask(b"?").map(drop);
    assert!(
        matches!(asked, Err(NoReply::Silence { attempts: 2, .. })),
        "{asked:?}"
    );
    assert!(begun.elapsed() >= timeout * 2 && begun.elapsed() < PATIENCE);
}

#[test]
fn what_had_arrived_at_the_stop_is_answered() {
    let folder = Folder::new();
    // A Unix queue is short: 10 by default.
    for (network, address, count) in [
        (Network::Udp, "127.0.0.1:0", 100),
        (Network::Unixgram, &*folder.path("d"), 8),
    ] {
        let (begun, has_begun) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let handler = move |_: &Addr, _: &mut [u8], len: usize| {
            let _ = begun.send(());
            let _ = released.recv(); // waits once; after that nobody is there to wait for
            Some(len)
        };
        let server = Running::start(network, address, handler);
        let client = client(network, &server.address);
        client.send(b"first").unwrap();
        has_begun.recv_timeout(PATIENCE).unwrap();
        for _ in 1..count {
            client.send(b"queued").unwrap();
        }
        server.stopper.stop();
        eventually("the socket is closed", || server.socket.is_closed());
        drop(release);
        let line = server.stop();
        let expected = format!("received {count}, replied {count}, refused 0, failed 0");
        assert_eq!(line, expected, "{network}");
        for _ in 0..count {
            client.recv(&mut [0; 8]).unwrap();
        }
    }
}

#[test]
fn a_limit_beyond_what_a_datagram_carries_is_no_limit() {
    let folder = Folder::new();
    for (network, address) in [
        (Network::Udp, "127.0.0.1:0"),
        (Network::Unixgram, &*folder.path("d")),
    ] {
        let config = DatagramConfig {
            max_datagram: usize::MAX,
            ..DatagramConfig::default()
        };
        let server = Running::with(config, network, address, datagram_handler(None));
        let client = client(network, &server.address);
        ask(&client, &[1; 60_000]);
        assert_eq!(server.stop(), "received 1, replied 1, refused 0, failed 0");
    }
}

#[test]
fn a_datagram_from_the_servers_own_address_does_not_go_round_for_ever() {
    for address in ["127.0.0.1:0", "0.0.0.0:0"] {
        let server = Running::start(Network::Udp, address, datagram_handler(None));
        let port = server.socket.local_addr().unwrap().ip().unwrap().port();
        let own = format!("127.0.0.1:{port}");
        let forged = Addr::Ip(own.parse().unwrap());
        server.socket.send_to(b"from itself", &forged).unwrap();
        ask(&client(Network::Udp, &own), b"from a client");
        let line = server.stop();
        assert_eq!(
            line, "received 2, replied 1, refused 1, failed 0",
            "{address}"
        );
    }
}

#[test]
fn a_reply_leaves_from_the_address_that_was_asked() {
    for (listening, asked) in [
        ("0.0.0.0:0", &["127.0.0.1", "127.0.0.2"][..]),
        ("[::]:0", &["[::1]", "127.0.0.1", "127.0.0.3"]),
    ] {
        if net::listen_datagrams(Network::Udp, listening).is_err() {
            eprintln!("skipped: no IPv6 here");
            continue;
        }
        let server = Running::start(Network::Udp, listening, datagram_handler(None));
        let port = server.socket.local_addr().unwrap().ip().unwrap().port();
        // Where IPv6 is switched off for the interfaces, `[::]` takes IPv4 and `[::1]` is no address.
        let is_here = |ip: &&str| net::listen_datagrams(Network::Udp, &format!("{ip}:0")).is_ok();
        let asked: Vec<&str> = asked.iter().copied().filter(is_here).collect();
        for ip in &asked {
            // A connected socket takes replies of the address that it asked only.
            let client = client(Network::Udp, &format!("{ip}:{port}"));
            for size in [5, 0, 1_000] {
                ask(&client, &vec![1; size]);
            }
            // Several in one batch.
            for _ in 0..20 {
                client.send(b"together").unwrap();
            }
            for _ in 0..20 {
                assert_eq!(client.recv(&mut [0; 9]).unwrap(), 8);
            }
        }
        let count = 23 * asked.len();
        let expected = format!("received {count}, replied {count}, refused 0, failed 0");
        assert_eq!(server.stop(), expected);
    }
}

#[test]
fn what_came_before_the_server_ran_is_answered_from_the_address_that_was_asked() {
    for (listening, asked) in [("0.0.0.0:0", "127.0.0.2"), ("[::]:0", "127.0.0.3")] {
        let Ok(socket) = net::listen_datagrams(Network::Udp, listening) else {
            eprintln!("skipped: no IPv6 here");
            continue;
        };
        let port = socket.local_addr().unwrap().ip().unwrap().port();
        let client = client(Network::Udp, &format!("{asked}:{port}"));
        client.send(b"early").unwrap();
        let server = DatagramServer::new(DatagramConfig::default(), socket, datagram_handler(None));
        let stopper = Stopper::new();
        let watched = stopper.clone();
        let thread = thread::spawn(move || server.run(&watched));
        assert_eq!(client.recv(&mut [0; 8]).unwrap(), 5, "{listening}");
        stopper.stop();
        thread.join().unwrap().unwrap();
    }
}

#[test]
fn peers_that_take_no_answer_are_one_warning() {
    let (folder, kept) = (Folder::new(), Kept::default());
    let config = DatagramConfig {
        log: Log::to_writer(Level::Warn, Format::Text, Box::new(kept.clone())),
        ..DatagramConfig::default()
    };
    let path = folder.path("s");
    let server = Running::with(config, Network::Unixgram, &path, datagram_handler(None));
    // Never read: after some answers its queue is full.
    let peer = UnixDatagram::bind(folder.path("never")).unwrap();
    eventually("twenty answers were not sent", || {
        peer.send_to(b"there", &path).unwrap();
        server.stats.failed.get() >= 20
    });
    server.stop();
    let text = kept.text();
    assert_eq!(text.matches("reply not sent").count(), 1, "{text}");
}

#[test]
fn a_panic_leaves_its_datagram_without_a_reply_and_the_others_answered() {
    let folder = Folder::new();
    let path = folder.path("d");
    for (network, address) in [(Network::Udp, "127.0.0.1:0"), (Network::Unixgram, &*path)] {
        let server = Running::start(
            network,
            address,
            |_: &Addr, buffer: &mut [u8], len: usize| {
                assert_ne!(buffer.first(), Some(&b'p'), "asked to panic");
                Some(len)
            },
        );
        let client = client(network, &server.address);
        client.send(b"panic").unwrap();
        ask(&client, b"well");
        assert_eq!(server.stop(), "received 2, replied 1, refused 0, failed 1");
    }
}

#[test]
fn an_answer_that_cannot_be_sent_keeps_nobody_elses_back() {
    let socket = net::listen_datagrams(Network::Udp, "127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let client = client(Network::Udp, &address);
    // Both wait before the server runs, so they are of one batch.
    client.send(b"too much").unwrap();
    client.send(b"x").unwrap();
    let config = DatagramConfig {
        max_datagram: usize::MAX,
        ..DatagramConfig::default()
    };
    // More than a datagram carries: EMSGSIZE.
    let handler = |_: &Addr, _: &mut [u8], len: usize| Some(if len > 1 { 65_520 } else { len });
    let server = DatagramServer::new(config, socket, handler);
    let (stats, stopper) = (server.stats(), Stopper::new());
    let watched = stopper.clone();
    let thread = thread::spawn(move || server.run(&watched));
    assert_eq!(client.recv(&mut [0; 8]).unwrap(), 1);
    stopper.stop();
    thread.join().unwrap().unwrap();
    assert_eq!(stats.line(), "received 2, replied 1, refused 0, failed 1");
}
