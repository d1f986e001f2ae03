//! The stops of the tour, in the order of the book.

use std::error::Error;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use groundwire::cli;
use groundwire::echo::{
    Asked, DatagramClient, EchoHandler, LineClient, MAX_LINE, datagram_handler,
};
use groundwire::net::{self, Conn, Deadline, MAX_UDP_PAYLOAD, Network};
use groundwire::server::{Config, DatagramConfig, DatagramServer, Running, Server, Stopper};
use groundwire::telemetry::Histogram;

use super::{balancer, calls, commands, consensus, names, packets, wire, zone};

/// How long anything here may take; loopback answers in microseconds.
pub const PATIENCE: Duration = Duration::from_secs(3);

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A stop of the tour.
pub struct Stop {
    pub name: &'static str,
    pub about: &'static str,
    pub visit: fn() -> Result<Told>,
}

/// What a stop prints.
pub struct Told {
    pub lines: Vec<String>,
    /// The files that show it.
    pub read: &'static str,
}

pub const STOPS: &[Stop] = &[
    Stop {
        name: "addresses",
        about: "what an address is, and what is none",
        visit: addresses,
    },
    Stop {
        name: "interfaces",
        about: "where this machine is on its networks",
        visit: packets::interfaces,
    },
    Stop {
        name: "ping",
        about: "an echo from this machine to itself",
        visit: packets::ping,
    },
    Stop {
        name: "tcp",
        about: "lines over a TCP connection",
        visit: tcp,
    },
    Stop {
        name: "udp",
        about: "datagrams over UDP",
        visit: udp,
    },
    Stop {
        name: "unix",
        about: "a stream and records without a network",
        visit: unix,
    },
    Stop {
        name: "message",
        about: "a string and a struct, each behind its command",
        visit: commands::message,
    },
    Stop {
        name: "command",
        about: "a command of one's own, and one that nobody knows",
        visit: commands::command,
    },
    Stop {
        name: "rpc",
        about: "calls by name: quick, slow, streamed, unknown",
        visit: calls::rpc,
    },
    Stop {
        name: "lookup",
        about: "a name, its alias, its address, and a name that is not there",
        visit: names::lookup,
    },
    Stop {
        name: "zone",
        about: "names that are ours, that are not there, that are somebody else's",
        visit: zone::zone,
    },
    Stop {
        name: "balancer",
        about: "three backends behind one address, and one of them killed",
        visit: balancer::balancer,
    },
    Stop {
        name: "raft",
        about: "five simulated nodes elect a leader, are parted, elect another, and heal",
        visit: consensus::raft,
    },
    Stop {
        name: "deadline",
        about: "a slow sender meets a point in time",
        visit: deadline,
    },
    Stop {
        name: "shutdown",
        about: "stopping a server without losing a line",
        visit: shutdown,
    },
    Stop {
        name: "load",
        about: "a thousand requests, and how long they took",
        visit: load,
    },
    Stop {
        name: wire::STOP,
        about: "what the stops before have sent, packet by packet",
        visit: wire::capture,
    },
];

fn addresses() -> Result<Told> {
    let mut lines = Vec::new();
    for text in ["127.0.0.1", "10.1.2.3", "fe80::1", "2001:db8::1", "1.1.1.1"] {
        let ip = net::parse_ip(text)?;
        lines.push(format!("{text} is {}", net::classify(ip)));
    }
    for text in ["288.8.8.8", "127.1", "010.0.0.1"] {
        match net::parse_ip(text) {
            Ok(ip) => return Err(format!("{text} was taken for {ip}").into()),
            Err(error) => lines.push(error.to_string()),
        }
    }
    let (host, port) = net::split_host_port("[::1]:7000")?;
    lines.push(format!("[::1]:7000 is host {host} and port {port}"));
    let prefix: net::Prefix = "10.0.0.0/8".parse()?;
    let inside = prefix.contains(net::parse_ip("::ffff:10.1.2.3")?);
    ensure(inside, "a v4-mapped address was not matched as IPv4")?;
    lines.push("10.0.0.0/8 contains 10.1.2.3, and ::ffff:10.1.2.3 as well".into());
    let (first, last) = prefix.hosts();
    let count = prefix.host_count();
    lines.push(format!("{prefix} has {count} hosts, {first} to {last}"));
    let name = net::reverse_name(first);
    lines.push(format!("the DNS knows {first} as {name}"));
    Ok(Told {
        lines,
        read: "src/net/ip.rs, class.rs, prefix.rs, hosts.rs, host_port.rs; docs/addresses.md",
    })
}

pub fn tcp() -> Result<Told> {
    let (server, address) = echo_server(Network::Tcp, "127.0.0.1:0")?;
    let tap = wire::tap(&address)?;
    let mut conn = net::dial(Network::Tcp, &tap.address)?;
    conn.set_deadline(Deadline::after(PATIENCE));
    let local = conn.local_addr()?;
    let sent = b"one\ntwo\nand a rest without an end";
    conn.write_all(sent)?;
    conn.shutdown(Shutdown::Write)?;
    let mut echoed = Vec::new();
    conn.read_to_end(&mut echoed)?;
    ensure(echoed == sent, "the echo differs from what was sent")?;
    drop(conn);
    tap.stop()?;
    let totals = server.stop()?;
    let lines = vec![
        format!("server on {address}, client on {local}"),
        format!(
            "client -> server  {} bytes in one write: two lines and a rest",
            sent.len()
        ),
        "client -> server  FIN: the half-close, \"I have said everything\"".into(),
        format!(
            "server -> client  the same {} bytes, then its own FIN",
            echoed.len()
        ),
        format!("the server says: {totals}"),
    ];
    Ok(Told {
        lines,
        read: "src/echo/server.rs, src/net/lines.rs; docs/tcp.md",
    })
}

fn udp() -> Result<Told> {
    let socket = net::listen_datagrams(Network::Udp, "127.0.0.1:0")?;
    let address = socket.local_addr()?.to_string();
    let (stopper, server) = (Stopper::new(), DatagramConfig::default());
    let server = DatagramServer::new(server, socket, datagram_handler(None));
    let stats = server.stats();
    let watched = stopper.clone();
    let running = thread::Builder::new().spawn(move || server.run(&watched))?;
    let tap = wire::tap_datagrams(&address)?;
    let socket = net::dial_datagrams(Network::Udp, &tap.address)?;
    let mut client = DatagramClient::new(socket, PATIENCE, 2);
    let small = client.ask(b"ping")?.len();
    let large = client.ask(&vec![b'x'; MAX_UDP_PAYLOAD])?.len();
    tap.stop()?;
    stopper.stop();
    running.join().map_err(|_| "the server panicked")??;
    ensure((small, large) == (4, MAX_UDP_PAYLOAD), "a datagram was cut")?;

    // Nothing listens there now: the kernel answers with ICMP "port unreachable".
    let socket = net::dial_datagrams(Network::Udp, &address)?;
    let refused = match DatagramClient::new(socket, PATIENCE, 1).ask(b"anybody?") {
        Err(error) => error.to_string(),
        Ok(_) => return Err("a closed port replied".into()),
    };
    let lines = vec![
        format!("client -> {address}  one datagram of {small} bytes, and one comes back"),
        format!("client -> {address}  one of {large} bytes, the most that IPv4 carries: whole"),
        format!("after the server is gone: {refused}, told by ICMP"),
        format!("the server says: {}", stats.line()),
    ];
    Ok(Told {
        lines,
        read: "src/server/datagrams.rs, src/echo/client.rs; docs/udp.md",
    })
}

fn unix() -> Result<Told> {
    let folder = Folder::new()?;
    let path = folder.0.join(SOCKET);
    let mut lines = Vec::new();
    for (network, what) in [
        (Network::Unix, "a stream: lines, like TCP"),
        (
            Network::Unixpacket,
            "sequenced packets: each write is one read",
        ),
    ] {
        let (server, _) = echo_server(network, &path)?;
        let conn = net::dial(network, &path)?;
        let owner = conn.peer_credentials()?;
        let mut client = LineClient::new(conn, MAX_LINE, PATIENCE);
        let reply = client.ask(b"hello\n")?;
        ensure(
            reply == Asked::Reply(b"hello\n".to_vec()),
            "the echo differs",
        )?;
        client.finish(|_| ())?;
        server.stop()?;
        ensure(
            !folder.0.join(SOCKET).exists(),
            "the socket file was left behind",
        )?;
        lines.push(format!(
            "{network}: {what}; the server is process {}",
            owner.pid
        ));
    }
    lines.push("no port, no packets: the kernel copies from one buffer to the other".into());
    lines.push("the file is gone again: a listener removes it when it closes".into());
    Ok(Told {
        lines,
        read: "src/net/unix_file.rs, src/net/conn.rs; docs/unix-sockets.md",
    })
}

fn deadline() -> Result<Told> {
    let (mut slow, mut reader) = Conn::pair()?;
    let (enough, stop) = mpsc::channel::<()>();
    let send = move || {
        // A byte every 20 ms, for ever: each read succeeds, and the line never ends.
        while stop.recv_timeout(Duration::from_millis(20)) == Err(RecvTimeoutError::Timeout) {
            if slow.write_all(b"x").is_err() {
                break;
            }
        }
    };
    let sender = thread::Builder::new().spawn(send)?;
    let limit = Duration::from_millis(200);
    let begun = Instant::now();
    reader.set_read_deadline(Deadline::after(limit));
    let (mut reads, mut byte) = (0, [0; 1]);
    let error = loop {
        match reader.read(&mut byte) {
            Ok(count) => reads += count,
            Err(error) => break error,
        }
    };
    let took = begun.elapsed();
    drop((enough, reader));
    sender.join().map_err(|_| "the sender panicked")?;
    ensure(
        error.kind() == std::io::ErrorKind::TimedOut,
        "the read failed otherwise",
    )?;
    ensure(took >= limit, "the deadline came early")?;
    let lines = vec![
        format!("{reads} reads of one byte each succeeded, and none renewed the deadline"),
        format!(
            "after {} ms (limit {} ms): {error}",
            took.as_millis(),
            limit.as_millis()
        ),
        "a time-out for each read would have waited for ever".into(),
    ];
    Ok(Told {
        lines,
        read: "src/net/deadline.rs; docs/tcp.md",
    })
}

fn shutdown() -> Result<Told> {
    let (server, address) = echo_server(Network::Tcp, "127.0.0.1:0")?;
    let idle = net::dial(Network::Tcp, &address)?;
    let mut busy = LineClient::new(net::dial(Network::Tcp, &address)?, MAX_LINE, PATIENCE);
    let first = busy.ask(b"served before the stop\n")?;
    ensure(
        matches!(first, Asked::Reply(_)),
        "the server did not answer",
    )?;
    let begun = Instant::now();
    let totals = thread::scope(|scope| {
        let stopping = thread::Builder::new().spawn_scoped(scope, || server.stop())?;
        idle.set_read_deadline(Deadline::after(PATIENCE));
        let mut rest = Vec::new();
        (&idle).read_to_end(&mut rest)?;
        busy.finish(|_| ())?;
        drop(idle);
        stopping
            .join()
            .map_err(|_| "the server panicked")?
            .map_err(Box::<dyn Error>::from)
    })?;
    let refused = match net::dial(Network::Tcp, &address) {
        Err(error) => error.to_string(),
        Ok(_) => return Err("a stopped server accepted".into()),
    };
    let lines = vec![
        "an idle connection and one that has just been answered; then stop".into(),
        "both read the end of the stream, not a reset: their server read first, then closed".into(),
        format!(
            "after {} ms the server says: {totals}",
            begun.elapsed().as_millis()
        ),
        refused,
    ];
    Ok(Told {
        lines,
        read: "src/server/mod.rs, live.rs, stop.rs; docs/shutdown.md",
    })
}

fn load() -> Result<Told> {
    const REQUESTS: usize = 1_000;
    let (server, address) = echo_server(Network::Tcp, "127.0.0.1:0")?;
    let mut client = LineClient::new(net::dial(Network::Tcp, &address)?, MAX_LINE, PATIENCE);
    let latency = Histogram::new();
    let begun = Instant::now();
    for number in 0..REQUESTS {
        let request = format!("request {number}\n").into_bytes();
        let sent = Instant::now();
        let reply = client.ask(&request)?;
        latency.record(u64::try_from(sent.elapsed().as_nanos())?);
        ensure(reply == Asked::Reply(request), "the echo differs")?;
    }
    let took = begun.elapsed();
    client.finish(|_| ())?;
    server.stop()?;
    let micros = |quantile| latency.quantile(quantile) / 1_000;
    let lines = vec![
        format!(
            "{REQUESTS} requests, one after the other, in {} ms",
            took.as_millis()
        ),
        format!(
            "half took at most {} us, all but 1 % at most {} us",
            micros(0.5),
            micros(0.99)
        ),
        "each is two wake-ups: the server's thread, then ours".into(),
    ];
    Ok(Told {
        lines,
        read: "src/telemetry/histogram.rs, src/bin/loadgen/; docs/load.md",
    })
}

/// An echo server on a thread of its own, and where it listens.
fn echo_server(
    network: Network,
    address: &(impl AsRef<OsStr> + ?Sized),
) -> Result<(Running, String)> {
    let listener = net::listen(network, address)?;
    let address = listener.local_addr().to_string();
    let server = Server::new(Config::default(), EchoHandler::default());
    Ok((server.start(listener)?, address))
}

pub fn ensure(holds: bool, otherwise: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}

/// The only file in a [`Folder`].
const SOCKET: &str = "echo.sock";

/// A fresh folder that goes when the stop is over.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let path = cli::temporary("groundwire-tour", "", |path| std::fs::create_dir(path))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // By name: `remove_dir_all` has to open the folder, and the process may be out of descriptors.
        let _ = std::fs::remove_file(self.0.join(SOCKET));
        let _ = std::fs::remove_dir(&self.0);
    }
}
