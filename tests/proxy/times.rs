//! Each time-out: what it ends, and what it leaves alone.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use groundwire::net::Deadline;

use crate::balancer::Balancer;
use crate::client::Client;
use crate::scripted::{Backend, OK};
use crate::support::{Folder, PATIENCE, nobody};

/// Sends a byte of these whenever nothing has come for 5 ms, and the last one for ever; what came.
fn drip(client: &mut Client, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.iter().copied();
    let (mut heard, mut part) = (Vec::new(), [0; 4096]);
    loop {
        client
            .conn
            .set_read_deadline(Deadline::after(Duration::from_millis(5)));
        match client.conn.read(&mut part) {
            Ok(0) => return heard,
            Ok(count) => heard.extend_from_slice(&part[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                let byte = bytes.next().unwrap_or(b'x');
                let _ = client.try_say([byte]);
            }
            Err(_) => return heard,
        }
    }
}

#[test]
fn a_header_section_that_drips_is_told_408_in_time_whatever_the_dripping() {
    let backend = Backend::saying(OK);
    let balancer = Balancer::before([&backend], "header-timeout 200ms\n");
    for start in [&b"GET / HTTP/1.1\r\nHost: a\r\nX: "[..], b"GET /", b"\r\n"] {
        let begun = Instant::now();
        let heard = drip(&mut balancer.client(), start);
        assert!(
            heard.starts_with(b"HTTP/1.1 408 "),
            "{}",
            String::from_utf8_lossy(&heard)
        );
        assert!(begun.elapsed() < PATIENCE / 2);
    }
    assert_eq!(backend.connections(), 0);
}

#[test]
fn an_idle_client_is_closed_without_a_word_before_a_request_and_behind_one() {
    let backend = Backend::saying(OK);
    let balancer = Balancer::before([&backend], "idle-timeout 100ms\n");
    balancer.client().ended();
    let mut client = balancer.client();
    assert_eq!(client.get("/").status(), 200);
    client.ended();
}

#[test]
fn a_body_that_stops_is_told_408_and_ends_at_the_backend() {
    let (tell, told) = mpsc::channel();
    let backend = Backend::start(move |peer| {
        peer.ended();
        let _ = tell.send(());
    });
    let balancer = Balancer::before([&backend], "body-timeout 100ms\nmax-failures 1\n");
    for body in [
        "Content-Length: 9\r\n\r\nhalf",
        "Transfer-Encoding: chunked\r\n\r\n9\r\nhalf",
    ] {
        let mut client = balancer.client();
        client.say(format!("POST / HTTP/1.1\r\nHost: a\r\n{body}"));
        let answer = client.answer("POST");
        assert_eq!(
            (answer.status(), answer.values("Connection")),
            (408, vec![&b"close"[..]])
        );
        told.recv_timeout(PATIENCE).unwrap();
    }
}

#[test]
fn a_reply_whose_head_drips_is_given_up_in_time() {
    let backend = Backend::start(|peer| {
        peer.request();
        peer.say(b"HTTP/1.1 200 OK\r\nX: ");
        let mut ended = false;
        while !ended {
            let moment = Deadline::after(Duration::from_millis(5));
            peer.conn.set_read_deadline(moment);
            let heard = peer.conn.read(&mut [0]);
            ended = heard.is_ok() || !peer.say(b"x");
        }
    });
    let balancer = Balancer::before([&backend], "first-byte-timeout 200ms\n");
    let begun = Instant::now();
    assert_eq!(balancer.get("/").status(), 504);
    assert!(begun.elapsed() < PATIENCE / 2);
}

#[test]
fn a_reply_that_stops_is_cut() {
    let backend = Backend::start(|peer| {
        peer.request();
        peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
        peer.ended();
    });
    let balancer = Balancer::before([&backend], "backend-idle-timeout 150ms\n");
    let mut client = balancer.client();
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.whole_or_cut("GET").is_err());
    assert_eq!(balancer.standings()[0].backend.counts.failures.get(), 1);
}

#[test]
fn a_client_that_reads_nothing_is_cut_and_its_backend_released() {
    let (tell, told) = mpsc::channel();
    let endless = Backend::start(move |peer| {
        peer.request();
        peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n");
        while peer.say(&[b'x'; 64 * 1024]) {}
        let _ = tell.send(());
    });
    let balancer = Balancer::before([&endless], "write-timeout 150ms\nmax-failures 1\n");
    let mut client = balancer.client();
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    told.recv_timeout(PATIENCE).unwrap();
    assert_eq!(balancer.standings()[0].backend.counts.failures.get(), 0);
    assert!(client.whole_or_cut("GET").is_err());
}

/// The write time-out of the next two tests, which go on for several of it.
const WRITE: Duration = Duration::from_millis(100);

#[test]
fn a_reply_may_take_longer_than_the_write_time_out_if_it_moves() {
    const PART: usize = 16 * 1024;
    let (go, wait) = mpsc::channel();
    let wait = Mutex::new(wait);
    let backend = Backend::start(move |peer| {
        peer.request();
        peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n");
        while wait.lock().unwrap().recv().is_ok() && peer.say(&[b'x'; PART]) {}
    });
    let balancer = Balancer::before([&backend], "write-timeout 100ms\n");
    let mut client = balancer.client();
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.sees(b"\r\n\r\n");
    client.at_least(0);
    let begun = Instant::now();
    while begun.elapsed() < 3 * WRITE {
        go.send(()).unwrap();
        client.at_least(PART);
    }
}

#[test]
fn an_upload_may_take_longer_than_all_time_outs_if_it_moves() {
    let (tell, told) = mpsc::channel();
    let backend = Backend::start(move |peer| {
        peer.head();
        let mut left = 3000;
        while left > 0 {
            let count = peer.bytes().len();
            assert!(count > 0, "cut");
            let _ = tell.send(count);
            left -= count;
        }
        peer.say(OK);
        peer.ended();
    });
    let lines = "write-timeout 100ms\nheader-timeout 100ms\nidle-timeout 100ms\n\
                 first-byte-timeout 200ms\nbackend-idle-timeout 100ms\n";
    let balancer = Balancer::before([&backend], lines);
    let mut client = balancer.client();
    client.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\n");
    let (begun, mut left) = (Instant::now(), 3000);
    while begun.elapsed() < 5 * WRITE && left > 1 {
        client.say("x");
        left -= told.recv_timeout(PATIENCE).unwrap();
        // As long as somebody takes who thinks a little.
        client
            .conn
            .set_read_deadline(Deadline::after(Duration::from_millis(1)));
        let _ = client.conn.read(&mut [0]);
    }
    client.say(vec![b'x'; left]);
    assert_eq!(client.answer("POST").status(), 200);
}

#[test]
fn a_connect_that_nobody_answers_ends_in_time_and_goes_on_to_another_backend() {
    // A listener whose queue is full: the kernel drops what comes.
    let script = "import socket, sys\ns = socket.create_server(('127.0.0.1', 0), backlog=0)\n\
                  print(s.getsockname()[1], flush=True)\nsys.stdin.read()";
    let python = Command::new("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut python) = python else {
        return println!("skipped: no python3");
    };
    let mut port = String::new();
    BufReader::new(python.stdout.as_mut().unwrap())
        .read_line(&mut port)
        .unwrap();
    let full = format!("127.0.0.1:{}", port.trim());
    let address = full.parse().unwrap();
    let mut queue = Vec::new();
    while let Ok(conn) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        queue.push(conn);
    }
    let line = format!("backend http://{full}\nconnect-timeout 100ms\nmax-failures 0\n");
    let alone = Balancer::start(&line);
    assert!(matches!(alone.get("/").status(), 502 | 504));
    let good = Backend::saying(OK);
    let balancer = Balancer::before([&good], &line);
    assert_eq!(
        (0..2)
            .map(|_| balancer.get("/").status())
            .collect::<Vec<_>>(),
        [200, 200]
    );
    drop(python.stdin.take());
    python.wait().unwrap();
}

/// A number of a line of the access log.
fn logged(line: &str, name: &str) -> Option<f64> {
    let (_, behind) = line.split_once(&format!("\"{name}\":"))?;
    behind.split([',', '}']).next()?.parse().ok()
}

#[test]
fn the_time_to_a_reply_is_logged_from_the_end_of_the_body() {
    const PAUSE: Duration = Duration::from_millis(200);
    let (tell, told) = mpsc::channel();
    let backend = Backend::start(move |peer| {
        peer.head();
        let _ = tell.send(());
        peer.bytes();
        peer.say(OK);
        peer.ended();
    });
    let folder = Folder::new();
    let path = folder.path("log");
    let lines = format!("access-log \"{path}\"\naccess-format json\n");
    let balancer = Balancer::before([&backend], &lines);
    let mut client = balancer.client();
    client.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n");
    told.recv_timeout(PATIENCE).unwrap();
    client.conn.set_read_deadline(Deadline::after(PAUSE));
    let _ = client.conn.read(&mut [0]);
    client.say("x");
    assert_eq!(client.answer("POST").status(), 200);
    drop(balancer);
    let log = std::fs::read_to_string(&path).unwrap();
    let [total, first] = ["total_ms", "first_byte_ms"].map(|name| logged(&log, name).unwrap());
    // The pause is within the one and not within the other.
    assert!(total - first > PAUSE.as_secs_f64() * 900.0, "{log}");
}

#[test]
fn a_connection_to_another_backend_is_not_told_of_the_one_that_refused() {
    let fails = Backend::start(|peer| drop(peer.request()));
    let refuses = nobody();
    let folder = Folder::new();
    let path = folder.path("log");
    let lines = format!("backend http://{refuses}\naccess-log \"{path}\"\naccess-format json\n");
    let balancer = Balancer::before([&fails], &lines);
    assert_eq!(balancer.get("/").status(), 502);
    drop(balancer);
    let log = std::fs::read_to_string(&path).unwrap();
    assert!(
        log.contains(&format!("\"upstream\":\"{refuses}\"")),
        "{log}"
    );
    assert_eq!(logged(&log, "connect_ms"), None, "{log}");
}
