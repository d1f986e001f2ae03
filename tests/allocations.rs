//! What a proxied request costs in memory: no allocation, after the first requests of its
//! connection.

use std::io::{Read, Write};
use std::thread;

use groundwire::net::{self, Conn, Deadline, Network};
use groundwire::proxy::config::Config;
use groundwire::proxy::{Clients, LoadBalancer};
use groundwire::server::{self, Server};
use groundwire::sys::counting::{self, Counting};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);
const REPLY: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\nhello";

/// Answers every request that it reads; requests have no bodies here.
fn backend() -> String {
    let listener = net::listen(Network::Tcp, "127.0.0.1:0").unwrap();
    let address = listener.local_addr().to_string();
    thread::spawn(move || {
        while let Ok(mut conn) = listener.accept() {
            thread::spawn(move || {
                conn.set_deadline(Deadline::after(PATIENCE));
                let mut buffer = [0; 4096];
                while conn.read(&mut buffer).is_ok_and(|count| count > 0) {
                    if conn.write_all(REPLY).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// Sends so many requests, one after the other, and closes.
fn ask(mut conn: Conn, times: usize) {
    conn.set_deadline(Deadline::after(PATIENCE));
    let mut buffer = [0; 4096];
    for _ in 0..times {
        conn.write_all(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        let mut reply = Vec::new();
        while !reply.ends_with(b"\r\n\r\nhello") {
            let count = conn.read(&mut buffer).unwrap();
            assert!(count > 0, "the proxy closed");
            reply.extend_from_slice(&buffer[..count]);
        }
    }
}

#[test]
fn a_thousand_requests_more_allocate_nothing_more() {
    let lines = format!("listen 127.0.0.1:0\nbackend http://{}\n", backend());
    let config = Config::parse("test", &lines, &mut |_| Err("no file".into())).unwrap();
    let balancer = LoadBalancer::bind(config, server::Config::default()).unwrap();
    let clients = || Clients::new(balancer.current(), false);
    let allocations = |times| {
        let (ours, theirs) = Conn::pair().unwrap();
        let client = thread::spawn(move || ask(theirs, times));
        let server = Server::new(server::Config::default(), clients());
        let (served, count) = counting::allocations(|| server.serve_conn(ours));
        served.unwrap();
        client.join().unwrap();
        count
    };
    allocations(10); // the first connection to the backend, the first desk
    let (few, many) = (allocations(10), allocations(1010));
    // A Date that is missing would be written once a second; here the backend sends one.
    assert_eq!(few, many);
}
