//! The server at the limit of open descriptors. Alone in its file, because the limit is that of the
//! whole process.

mod support;

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use groundwire::echo::EchoHandler;
use groundwire::net::{self, Network};
use groundwire::server::{Config, Server};
use groundwire::sys::address::RawAddress;
use groundwire::sys::process::{descriptor_limit, set_descriptor_limit};
use groundwire::sys::socket::{self, Kind};
use groundwire::telemetry::{Format, Level, Log};
use support::{Kept, PATIENCE, count_of, eventually};

fn exchange(mut conn: &TcpStream, line: &[u8]) {
    conn.set_read_timeout(Some(PATIENCE)).unwrap();
    conn.write_all(line).unwrap();
    let mut reply = vec![0; line.len()];
    conn.read_exact(&mut reply).unwrap();
    assert_eq!(reply, line);
}

#[test]
fn at_the_descriptor_limit_the_server_waits_without_spinning_and_then_goes_on() {
    let kept = Kept::default();
    let log = Log::to_writer(Level::Error, Format::Text, Box::new(kept.clone()));
    let config = Config {
        log,
        ..Config::default()
    };
    let listener = net::listen(Network::Tcp, "127.0.0.1:0").unwrap();
    let address = listener.local_addr().clone();
    let server = Server::new(config, EchoHandler::default());
    let stats = server.stats();
    let server = server.start(listener).unwrap();

    // The clients' sockets are made before the shortage, so that only the server feels it.
    let peer = RawAddress::ip(&address.ip().unwrap());
    let clients: Vec<TcpStream> = (0..24)
        .map(|_| socket::new(&peer, Kind::Stream).unwrap().into())
        .collect();
    let begun = Instant::now();
    let old = descriptor_limit().unwrap();
    set_descriptor_limit(count_of("fd") as u64 + 12).unwrap();
    for client in &clients {
        socket::connect(client.as_fd(), &peer).unwrap();
    }
    eventually("there is a shortage", || stats.accept_errors.get() > 0);
    exchange(&clients[0], b"those inside are served\n");

    // Between six tries lie five waits, of at least 10, 20, 40, 80 and 160 ms; a loop that spins
    // makes thousands of tries in that time.
    let (tries, watched) = (stats.accept_errors.get(), Instant::now());
    eventually("it tries again", || stats.accept_errors.get() >= tries + 6);
    let elapsed = watched.elapsed();
    assert!(elapsed >= Duration::from_millis(300), "in {elapsed:?}");

    let served = stats.active.get() as usize;
    assert!((5..=14).contains(&served), "{served} of 24 are served");
    let waiting = clients.into_iter().skip(served).collect::<Vec<_>>();
    for client in &waiting {
        exchange(client, b"those who waited are served, too\n");
    }
    set_descriptor_limit(old).unwrap();
    drop(waiting);
    let totals = server.stop().unwrap();
    assert_eq!((totals.served, totals.failed), (24, 0));

    let text = kept.text();
    let complaint = format!(
        "cannot accept, waiting until descriptors or memory come free cause=\"{}\"",
        net::plain_words(&io::Error::from_raw_os_error(24)), // EMFILE
    );
    assert!(
        text.lines().all(|line| line.ends_with(&complaint)),
        "{text}"
    );
    // One line in ten seconds, however many tries.
    let allowed = 1 + begun.elapsed().as_secs() as usize / 10;
    assert!((1..=allowed).contains(&text.lines().count()), "{text}");
}
