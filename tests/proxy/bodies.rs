//! Bodies: large ones both ways at once, early answers, interim ones, trailers.

use std::io::{Read, Write};
use std::sync::mpsc;
use std::thread;

use groundwire::net::Deadline;

use crate::balancer::Balancer;
use crate::client::Client;
use crate::program::{LOAD_BALANCER, Program};
use crate::scripted::{Backend, OK};
use crate::support::{Folder, PATIENCE, nobody};

const LARGE: usize = 50_000_000;
/// Kilobytes: buffers of a request are 64 KiB each, and there are a few.
const MEMORY: u64 = 2048;

/// A part of a text that goes on and on, from a place in it.
fn text(from: usize, length: usize) -> Vec<u8> {
    (from..from + length).map(|at| (at % 251) as u8).collect()
}

/// Reads this many bytes of the text and compares them.
fn check_text(mut from: impl Read, length: usize) {
    let pattern = text(0, 64 * 1024 + 251);
    let (mut at, mut part) = (0, vec![0; 64 * 1024]);
    while at < length {
        let room = part.len().min(length - at);
        let count = from.read(&mut part[..room]).unwrap();
        assert!(count > 0, "ended at {at}");
        let expected = &pattern[at % 251..][..count];
        assert!(part[..count] == *expected, "another text at {at}");
        at += count;
    }
}

/// Sends back what comes while it comes, framed by its length.
fn echo() -> Backend {
    Backend::start(|peer| {
        while let Some(head) = peer.head() {
            let line = head
                .lines()
                .find(|line| line.starts_with("Content-Length: "));
            let mut left: usize = line.unwrap()[16..].parse().unwrap();
            peer.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {left}\r\n\r\n").as_bytes());
            while left > 0 {
                let bytes = peer.bytes();
                if bytes.is_empty() || !peer.say(&bytes) {
                    return;
                }
                left -= bytes.len();
            }
        }
    })
}

#[test]
fn large_bodies_go_both_ways_at_once_in_little_memory() {
    let backend = echo();
    let url = format!("http://{}", backend.address);
    let proxy = Program::start(
        LOAD_BALANCER,
        &["--listen", "127.0.0.1:0", "--backend", &url],
    );
    let mut client = Client::to(&proxy.address);
    // What a connection and a small upload need is there already.
    client.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n");
    client.sees(b"\r\n\r\n");
    client.say("hi");
    client.answer("POST");
    let before = proxy.status("VmHWM");
    let mut client = Client::to(&proxy.address);
    client.say(format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {LARGE}\r\n\r\n"
    ));
    let writer = client.conn.clone();
    writer.set_write_deadline(Deadline::after(PATIENCE));
    let sender = thread::spawn(move || {
        let part = text(0, 251 * 256);
        let mut left = LARGE;
        while left > 0 {
            let count = left.min(part.len());
            (&writer).write_all(&part[..count]).unwrap();
            left -= count;
        }
    });
    let head = client.head();
    assert!(head.contains("Content-Length: 50000000\r\n"), "{head}");
    client.conn.set_read_deadline(Deadline::after(PATIENCE));
    check_text(&mut client, LARGE);
    sender.join().unwrap();
    let grown = proxy.status("VmHWM") - before;
    assert!(grown < MEMORY, "{grown} kB more");
}

#[test]
fn chunks_of_all_sizes_go_both_ways() {
    let (tell, told) = mpsc::channel();
    let backend = Backend::start(move |peer| {
        let request = peer.request().unwrap();
        let _ = tell.send(request.body.clone());
        peer.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for part in request.body.chunks(70_001) {
            peer.say(format!("{:X};name=value\r\n", part.len()).as_bytes());
            peer.say(part);
            peer.say(b"\r\n");
        }
        peer.say(b"0\r\n\r\n");
    });
    let balancer = Balancer::before([&backend], "");
    let mut client = balancer.client();
    client.say("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let sizes = [1, 2, 15, 16, 4096, 65_535, 65_536, 65_537, 300_000];
    let all = text(0, sizes.iter().sum());
    let mut at = 0;
    for size in sizes {
        client.say(format!("{size:x}\r\n"));
        client.say(&all[at..at + size]);
        client.say("\r\n");
        at += size;
    }
    client.say("0\r\n\r\n");
    assert!(client.answer("POST").body == all);
    assert!(told.recv().unwrap() == all);
}

#[test]
fn an_early_answer_reaches_a_client_that_still_sends() {
    let refuse =
        b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let backend = Backend::start(move |peer| {
        peer.head();
        peer.say(refuse);
        peer.ended();
    });
    let balancer = Balancer::before([&backend], "");
    let mut client = balancer.client();
    client.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000\r\n\r\n");
    let mut writer = client.conn.clone();
    let sender = thread::spawn(move || while writer.write_all(&[b'x'; 64 * 1024]).is_ok() {});
    let answer = client.answer("POST");
    assert_eq!(
        (answer.status(), answer.values("Connection")),
        (413, vec![&b"close"[..]])
    );
    drop(client);
    sender.join().unwrap();
    assert_eq!(backend.connections(), 1);
}

#[test]
fn a_client_that_asks_before_it_sends_is_told_by_the_backend() {
    let backend = Backend::start(|peer| {
        while let Some(head) = peer.head() {
            assert!(head.contains("Expect: 100-continue\r\n"), "{head}");
            if head.starts_with("POST /no ") {
                peer.say(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
                return peer.ended();
            }
            peer.say(b"HTTP/1.1 100 Continue\r\n\r\n");
            assert_eq!(peer.bytes(), b"body");
            peer.say(OK);
        }
    });
    let balancer = Balancer::before([&backend], "");
    let ask = |path: &str| {
        let mut client = balancer.client();
        let fields = "Host: a\r\nExpect: 100-continue\r\nContent-Length: 4";
        client.say(format!("POST {path} HTTP/1.1\r\n{fields}\r\n\r\n"));
        client
    };
    let mut allowed = ask("/yes");
    assert_eq!(allowed.answer("POST").status(), 100);
    allowed.say("body");
    assert_eq!(allowed.answer("POST").status(), 200);
    // The connection goes on, for the body was read.
    allowed
        .say("POST /yes HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    assert_eq!(allowed.answer("POST").status(), 100);
    allowed.say("body");
    assert_eq!(allowed.answer("POST").status(), 200);
    let mut refused = ask("/no");
    let answer = refused.answer("POST");
    assert_eq!(
        (answer.status(), answer.values("Connection")),
        (401, vec![&b"close"[..]])
    );
}

#[test]
fn interim_answers_go_to_those_who_know_them() {
    let backend = Backend::saying(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x\r\nX: y\r\n\r\n\
          HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n",
    );
    let balancer = Balancer::before([&backend], "");
    let mut client = balancer.client();
    let hints = client.get("/");
    assert_eq!(
        (hints.status(), hints.values("Link")),
        (103, vec![&b"</a.css>"[..]])
    );
    assert_eq!(hints.values("X"), Vec::<&[u8]>::new());
    assert_eq!(client.answer("GET").status(), 102);
    assert_eq!(client.answer("GET").body, b"ok\n");
    let mut old = balancer.client();
    old.say("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(old.answer("GET").status(), 200);
    old.ended();
}

#[test]
fn trailers_go_both_ways() {
    let (tell, told) = mpsc::channel();
    let backend = Backend::start(move |peer| {
        let _ = tell.send(peer.request().unwrap());
        peer.say(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n\
              0\r\nX-Sum: 7\r\nContent-Length: 1\r\n\r\n",
        );
    });
    let balancer = Balancer::before([&backend], "");
    let mut client = balancer.client();
    client.say(
        "POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n\
         2\r\nhi\r\n0\r\nX-Sum: 5\r\nHost: b\r\n\r\n",
    );
    let answer = client.answer("POST");
    let request = told.recv().unwrap();
    assert_eq!(
        (&answer.body[..], &request.body[..]),
        (&b"ok"[..], &b"hi"[..])
    );
    assert_eq!(request.values("TE"), [b"trailers"]);
    // What frames or routes is never a trailer (RFC 9110 section 6.5.1).
    assert_eq!(answer.trailers, [("X-Sum".to_string(), b"7".to_vec())]);
    assert_eq!(request.trailers, [("X-Sum".to_string(), b"5".to_vec())]);
}

#[test]
fn the_access_log_counts_what_came_with_the_head_and_what_came_later() {
    let backend = Backend::saying(OK);
    let folder = Folder::new();
    let path = folder.path("log");
    let lines = format!("access-log \"{path}\"\naccess-format json\n");
    let balancer = Balancer::before([&backend], &lines);
    let mut client = balancer.client();
    client.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    client.answer("POST");
    client.say("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.say("7\r\ngoodbye\r\n0\r\n\r\n");
    client.answer("POST");
    drop(client);
    for body in [
        "Content-Length: 9\r\n\r\nhalf",
        "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ] {
        let mut client = balancer.client();
        client.say(format!("POST /half HTTP/1.1\r\nHost: a\r\n{body}"));
        client.finish();
        client.ended();
    }
    drop(balancer);
    let log = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    assert!(lines[0].contains("\"received\":5,"), "{log}");
    assert!(lines[1].contains("\"received\":7,"), "{log}");
    let halves = lines.iter().filter(|line| line.contains("\"/half\""));
    let halves: Vec<bool> = halves.map(|l| l.contains("\"received\":4,")).collect();
    assert_eq!(halves, [true, true], "{log}");
}

#[test]
fn the_access_log_names_the_rule_that_either_side_broke() {
    let backend = Backend::start(|peer| {
        while let Some(head) = peer.head() {
            peer.say(match head.split(' ').nth(1) {
                Some("/head") => {
                    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"
                }
                Some("/chunks") => b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc",
                Some("/early") => OK,
                _ => b"",
            });
        }
    });
    let folder = Folder::new();
    let path = folder.path("log");
    let lines = format!("access-log \"{path}\"\naccess-format json\nretries 0\n");
    let balancer = Balancer::before([&backend], &lines);
    let chunked = "Transfer-Encoding: chunked\r\n\r\n1 \r\n";
    let size = "the request's body breaks a rule: a chunk size is not a hexadecimal number";
    let table = [
        (
            "/head",
            "\r\n",
            "the backend's response breaks a rule: more than one Content-Length",
        ),
        (
            "/chunks",
            "\r\n",
            "the response's chunks break a rule: a chunk's data is not followed by CRLF",
        ),
        ("/body", chunked, size),
        ("/early", chunked, size),
    ];
    for (target, rest, _) in table {
        let mut client = balancer.client();
        client.say(format!("POST {target} HTTP/1.1\r\nHost: a\r\n{rest}"));
        let _ = client.whole_or_cut("POST"); // either will do
    }
    drop(balancer);
    let log = std::fs::read_to_string(&path).unwrap();
    for (target, _, failure) in table {
        let target = format!("\"target\":\"{target}\"");
        let line = log.lines().find(|line| line.contains(&target)).unwrap();
        let failure = format!("\"failure\":\"{failure}\"");
        assert!(line.contains(&failure), "{line}");
    }
}

#[test]
fn the_access_log_counts_a_body_that_no_backend_got() {
    let folder = Folder::new();
    let path = folder.path("log");
    let refuses = nobody();
    let lines = format!(
        "access-log \"{path}\"\naccess-format json\nroute /a a\n\
         pool a\nbackend http://{refuses}\n"
    );
    let balancer = Balancer::start(&lines);
    let mut client = balancer.client();
    for (target, status) in [("/a", 502), ("/nowhere", 404)] {
        client.say(format!(
            "POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
        ));
        assert_eq!(client.answer("POST").status(), status);
    }
    drop(balancer);
    let log = std::fs::read_to_string(&path).unwrap();
    assert_eq!(log.matches("\"received\":5,").count(), 2, "{log}");
}
