//! Messages of all kinds on connections that are used again: old versions, no bodies, pipelines.

use std::sync::{Mutex, mpsc};

use groundwire::net::Deadline;

use crate::balancer::Balancer;
use crate::scripted::{Backend, OK};
use crate::support::PATIENCE;

#[test]
fn a_client_of_http_1_0_is_answered_in_its_own_way() {
    let backend = Backend::start(|peer| {
        while let Some(request) = peer.request() {
            assert_eq!(request.word(2), "HTTP/1.1");
            peer.say(match request.word(1) {
                "/chunks" => {
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nok\n\r\n0\r\n\r\n"
                }
                _ => b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n",
            });
        }
    });
    let balancer = Balancer::before([&backend], "");
    let mut client = balancer.client();
    client.say("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let answer = client.answer("GET");
    assert_eq!(answer.values("Connection"), [b"keep-alive"]);
    // No chunks for 1.0, and so the end of the connection is the body's.
    client.say("GET /chunks HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let answer = client.answer("GET");
    assert_eq!(answer.values("Transfer-Encoding"), Vec::<&[u8]>::new());
    assert_eq!(
        (answer.values("Connection"), &answer.body[..]),
        (vec![&b"close"[..]], &b"ok\n"[..])
    );
    client.ended();
    let mut client = balancer.client();
    client.say("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(client.answer("GET").body, b"ok\n");
    client.ended();
}

#[test]
fn options_that_go_no_further_are_answered_with_what_passes_here() {
    let backend = Backend::saying(OK);
    let balancer = Balancer::before([&backend], "");
    let mut client = balancer.client();
    client.say("OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n");
    let answer = client.answer("OPTIONS");
    let methods = &b"GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH"[..];
    assert_eq!(
        (answer.status(), answer.values("Allow")),
        (200, vec![methods])
    );
    assert_eq!(backend.connections(), 0);
}

#[test]
fn a_backend_of_http_1_0_is_used_once_for_each_connection() {
    let backend = Backend::start(|peer| {
        peer.request();
        peer.say(b"HTTP/1.0 200 OK\r\n\r\nold");
    });
    let balancer = Balancer::before([&backend], "");
    let mut client = balancer.client();
    for _ in 0..3 {
        assert_eq!(client.get("/").body, b"old");
    }
    assert_eq!(backend.connections(), 3);
}

#[test]
fn a_backend_that_keeps_connections_is_connected_to_once() {
    let kept = [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nok\n\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nok\n",
    ];
    for says in kept {
        let backend = Backend::saying(says);
        let balancer = Balancer::before([&backend], "");
        let mut client = balancer.client();
        (0..5).for_each(|_| assert_eq!(client.get("/").body, b"ok\n"));
        balancer.rests();
        let mut other = balancer.client();
        (0..5).for_each(|_| assert_eq!(other.get("/").body, b"ok\n"));
        assert_eq!(
            backend.connections(),
            1,
            "{}",
            String::from_utf8_lossy(says)
        );
    }
}

#[test]
fn answers_without_a_body_leave_the_connection_usable() {
    let backend = Backend::start(|peer| {
        while let Some(request) = peer.request() {
            peer.say(match (request.word(0), request.word(1)) {
                (_, "/204") => b"HTTP/1.1 204 No Content\r\n\r\n",
                (_, "/304") => {
                    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\nETag: \"a\"\r\n\r\n"
                }
                ("HEAD", "/chunks") => b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                ("HEAD", _) => b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
                _ => b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n",
            });
        }
    });
    let balancer = Balancer::before([&backend], "");
    let mut client = balancer.client();
    let asked = [
        ("HEAD", "/", 200, &[&b"9"[..]][..]),
        ("HEAD", "/chunks", 200, &[]),
        ("GET", "/204", 204, &[]),
        ("GET", "/304", 304, &[b"9"]),
        ("GET", "/", 200, &[b"3"]),
    ];
    for (method, path, status, lengths) in asked {
        client.say(format!("{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let answer = client.answer(method);
        assert_eq!(
            (answer.status(), answer.values("Content-Length")),
            (status, lengths.to_vec())
        );
    }
    assert_eq!(backend.connections(), 1);
}

#[test]
fn a_body_where_none_can_be_is_nobodys_next_response() {
    let (tell, told) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel();
    let may_go_on = Mutex::new(may_go_on);
    let backend = Backend::start(move |peer| {
        while let Some(request) = peer.request() {
            let (head, body): (&[u8], &[u8]) = match (request.word(0), request.word(1)) {
                ("HEAD", _) => (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", OK),
                (_, "/204") => (b"HTTP/1.1 204 No Content\r\n\r\n", OK),
                (_, "/304") => (b"HTTP/1.1 304 Not Modified\r\n\r\n", OK),
                _ => (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nright", b""),
            };
            peer.say(head);
            if !body.is_empty() {
                may_go_on.lock().unwrap().recv_timeout(PATIENCE).unwrap();
                peer.say(body);
                assert!(peer.conn.wait_acknowledged(Deadline::after(PATIENCE)));
                tell.send(()).unwrap();
            }
        }
    });
    let balancer = Balancer::before([&backend], "");
    for (method, path) in [("HEAD", "/"), ("GET", "/204"), ("GET", "/304")] {
        let mut client = balancer.client();
        client.say(format!("{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        client.answer(method);
        go_on.send(()).unwrap();
        told.recv_timeout(PATIENCE).unwrap();
        assert_eq!(client.get("/").body, b"right", "{method} {path}");
    }
}

#[test]
fn a_response_with_broken_chunks_is_seen_as_cut_and_not_as_none() {
    let backend =
        Backend::saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n-1\r\n");
    let balancer = Balancer::before([&backend], "");
    let mut client = balancer.client();
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let heard = client.whole_or_cut("GET").unwrap_err().heard;
    let heard = String::from_utf8_lossy(&heard);
    assert!(heard.starts_with("HTTP/1.1 200 OK\r\n"), "{heard}");
    assert!(heard.ends_with("\r\n\r\n2\r\nhi\r\n"), "{heard}");
}

#[test]
fn fifty_requests_at_once_are_answered_in_order() {
    let backend = Backend::start(|peer| {
        while let Some(request) = peer.request() {
            let body = format!(
                "{} {}",
                request.word(1),
                String::from_utf8_lossy(&request.body)
            );
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            peer.say((head + &body).as_bytes());
        }
    });
    let balancer = Balancer::before([&backend], "");
    let mut client = balancer.client();
    let bodies = [
        "",
        "Content-Length: 2\r\n\r\nhi",
        "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    ];
    let request = |number: usize| match bodies[number % 3] {
        "" => format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n"),
        body => format!("POST /{number} HTTP/1.1\r\nHost: a\r\n{body}"),
    };
    client.say((0..50).map(request).collect::<String>());
    for number in 0..50 {
        let body = if number % 3 == 0 { "" } else { "hi" };
        let answer = client.answer("POST");
        assert_eq!(
            String::from_utf8_lossy(&answer.body),
            format!("/{number} {body}")
        );
    }
}
