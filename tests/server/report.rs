//! What the server says of itself: log lines and the metrics page.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use crate::client;
use crate::support::{Kept, connect, connect_from, eventually, serve};
use groundwire::echo::EchoHandler;
use groundwire::net::{self, Conn, Network};
use groundwire::server::{AccessList, Config, MetricsPage, Server, Session};
use groundwire::telemetry::{Format, Level, Log, Registry};

#[test]
fn log_lines_say_who_and_why() {
    let kept = Kept::default();
    let log = Log::to_writer(Level::Debug, Format::Text, Box::new(kept.clone()));
    let handler = |mut conn: &Conn, _: &Session<'_>| {
        let mut order = [0; 1];
        conn.read_exact(&mut order)?;
        assert_ne!(&order, b"p", "not this");
        Err(io::Error::other("this\nand that"))
    };
    let access = AccessList::new(Vec::new(), vec!["127.0.0.9".parse().unwrap()]);
    let config = Config {
        log,
        access,
        ..Config::default()
    };
    let (server, address) = serve(config, handler);
    let mut peers = Vec::new();
    for (local, order) in [
        ("127.0.0.1:0", b"e"),
        ("127.0.0.2:0", b"p"),
        ("127.0.0.9:0", b"x"),
    ] {
        let mut conn = connect_from(local, &address);
        peers.push(conn.local_addr().unwrap());
        // The one that is refused may be gone before its order is written.
        let _ = conn.write_all(order).and_then(|()| conn.read(&mut [0]));
    }
    server.stop().unwrap();
    let text = kept.text();
    let [failed, panicked, refused] = &peers[..] else {
        unreachable!("three peers")
    };
    for expected in [
        format!("DEBUG server connection opened peer={failed} id=0"),
        format!("WARN  server connection failed peer={failed} cause=\"this\\nand that\""),
        format!("ERROR server handler panicked peer={panicked} cause="),
        format!("INFO  server connection refused peer={refused} why=\"denied by the access list\""),
    ] {
        assert!(text.lines().any(|line| line.contains(&expected)), "{text}");
    }
}

#[test]
fn the_metrics_page_agrees_with_what_was_done() {
    let server = Server::new(Config::default(), EchoHandler::default());
    let registry = Registry::new();
    server.register(&registry);
    let page = MetricsPage::start("127.0.0.1:0", registry).unwrap();
    let listener = net::listen(Network::Tcp, "127.0.0.1:0").unwrap();
    let address = listener.local_addr().to_string();
    let server = server.start(listener).unwrap();
    client(&address).finish(|_| ()).unwrap();
    eventually("it is counted", || server.totals().served == 1);

    let scrape = |request: &str| {
        let mut conn = connect(&page.local_addr().to_string());
        conn.write_all(request.as_bytes()).unwrap();
        conn.shutdown(Shutdown::Write).unwrap();
        let mut reply = String::new();
        conn.read_to_string(&mut reply).unwrap();
        reply
    };
    let reply = scrape("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4"));
    assert!(head.contains(&format!("Content-Length: {}", body.len())));
    assert!(
        body.contains("\ngroundwire_connections_served_total 1\n"),
        "{body}"
    );
    assert!(
        body.contains("\ngroundwire_connection_seconds_count 1\n"),
        "{body}"
    );
    for (path, status) in [("/metrics", "200"), ("/other", "404")] {
        let reply = scrape(&format!("HEAD {path} HTTP/1.1\r\n\r\n"));
        assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{reply}");
        assert!(reply.ends_with("\r\n\r\n"), "a body: {reply}");
    }
    assert!(scrape("GET http://x/metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200"));
    assert!(scrape("\x16\x03\x01 not http at all\r\n\r\n").starts_with("HTTP/1.1 400"));
    server.stop().unwrap();
    let address = page.local_addr().to_string();
    drop(page);
    eventually("the page is closed", || {
        TcpStream::connect(&address).is_err()
    });
}

const SCRAPE: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

/// The status line, and how long it took to come.
fn first_line(mut conn: Conn, request: &[u8]) -> (String, Duration) {
    let begun = Instant::now();
    conn.write_all(request).unwrap();
    let mut reply = String::new();
    conn.read_to_string(&mut reply).unwrap();
    let line = reply.lines().next().unwrap_or_default().to_string();
    (line, begun.elapsed())
}

#[test]
fn silent_peers_do_not_delay_a_scrape_and_the_oldest_make_room() {
    let page = MetricsPage::start("127.0.0.1:0", Registry::new()).unwrap();
    let address = page.local_addr().to_string();
    let mut silent: Vec<Conn> = (0..10).map(|_| connect(&address)).collect();
    let (line, took) = first_line(connect(&address), SCRAPE);
    assert_eq!(line, "HTTP/1.1 200 OK");
    assert!(took < Duration::from_secs(2), "{took:?}");
    // Eight at one time: the scrape is the eleventh, so three had to go.
    for conn in &mut silent[..3] {
        let begun = Instant::now();
        assert_eq!(conn.read(&mut [0]).unwrap(), 0);
        assert!(begun.elapsed() < Duration::from_secs(1));
    }
}

#[test]
fn what_is_no_request_is_told_so_before_the_close() {
    let page = MetricsPage::start("127.0.0.1:0", Registry::new()).unwrap();
    let address = page.local_addr().to_string();
    for (bytes, at_once) in [
        (&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], true),
        (b"GET /metrics HTTP/1.1\nHost: x\n\n", true),
        (b"\r\n", true),
        (&[b'x'; 100], true),
        (b"GET /metrics HTTP/1.1\r\nHost: ", false),
    ] {
        let (line, took) = first_line(connect(&address), bytes);
        assert_eq!(line, "HTTP/1.1 400 Bad Request", "{bytes:?}");
        assert_eq!(took < Duration::from_secs(2), at_once, "{bytes:?} {took:?}");
    }
}

#[test]
fn a_flood_of_resets_is_one_warning_and_says_the_stage() {
    let kept = Kept::default();
    let config = Config {
        log: Log::to_writer(Level::Info, Format::Text, Box::new(kept.clone())),
        ..Config::default()
    };
    let (server, address) = serve(config, EchoHandler::default());
    for _ in 0..20 {
        let mut conn = connect(&address);
        conn.write_all(b"here\n").unwrap();
        conn.read_exact(&mut [0; 5]).unwrap();
        conn.reset_on_close().unwrap();
    }
    eventually("all have failed", || server.totals().failed == 20);
    server.stop().unwrap();
    let text = kept.text();
    let failed: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("connection failed"))
        .collect();
    let warnings = failed.iter().filter(|line| line.contains(" WARN "));
    assert_eq!((failed.len(), warnings.count()), (20, 1), "{text}");
    let end = "stage=reading cause=\"connection reset by peer\"";
    assert!(failed.iter().all(|line| line.ends_with(end)), "{text}");
}
