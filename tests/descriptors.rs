//! The server at the limit of open descriptors. Alone in its file, because the limit is the
//! whole process's.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use groundwire::echo::EchoHandler;
use groundwire::net::{self, Network};
use groundwire::server::{Config, Server};
use groundwire::sys::process::{descriptor_limit, set_descriptor_limit};
use support::{count_of, eventually};

fn exchange(conn: &mut TcpStream, line: &[u8]) -> std::io::Result<()> {
    conn.write_all(line)?;
    let mut reply = vec![0; line.len()];
    conn.read_exact(&mut reply)?;
    assert_eq!(reply, line);
    Ok(())
}

#[test]
fn at_the_descriptor_limit_the_server_waits_without_spinning_and_then_goes_on() {
    let old = descriptor_limit().unwrap();
    let listener = net::listen(Network::Tcp, "127.0.0.1:0").unwrap();
    let address = listener.local_addr().to_string();
    let server = Server::new(Config::default(), EchoHandler::default());
    let stats = server.stats();
    let server = server.start(listener).unwrap();

    // Both ends of each connection are ours. Leave an odd number, so that the client's socket
    // is made and the server's is not.
    set_descriptor_limit(count_of("fd") as u64 + 20).unwrap();
    let mut served = Vec::new();
    let mut waiting = loop {
        let mut conn = match TcpStream::connect(&address) {
            Ok(conn) => conn,
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(24), "{error}");
                drop(served.pop());
                continue;
            }
        };
        if stats.accept_errors.get() > 0 {
            break conn;
        }
        conn.set_read_timeout(Some(std::time::Duration::from_millis(500)))
            .unwrap();
        match exchange(&mut conn, b"in\n") {
            Ok(()) => served.push(conn),
            Err(_) => break conn,
        }
    };
    eventually("the shortage is noticed", || stats.accept_errors.get() > 0);
    exchange(&mut served[0], b"those inside are served\n").unwrap();

    // Ten tries take at least 10 + 20 + ... ms of waiting: a loop that spins makes thousands.
    eventually("it tries again", || stats.accept_errors.get() >= 5);
    let tries = stats.accept_errors.get();
    assert!(tries < 1_000, "{tries} tries: the accept loop spins");

    served.clear();
    set_descriptor_limit(old).unwrap();
    waiting.set_read_timeout(Some(support::PATIENCE)).unwrap();
    exchange(&mut waiting, b"").unwrap();
    waiting.write_all(b"now\n").unwrap();
    let mut conn = TcpStream::connect(&address).unwrap();
    exchange(&mut conn, b"served again\n").unwrap();
    drop((conn, waiting));
    server.stop().unwrap();
}
