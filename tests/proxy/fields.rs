//! What backends are told about clients, and what goes no further than one connection.

use std::sync::mpsc::{self, Receiver};

use crate::balancer::Balancer;
use crate::client::Client;
use crate::plain::Plain;
use crate::scripted::{Backend, OK};
use crate::support::PATIENCE;

const SIX: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nsix";

/// A backend that hands over what it gets.
fn recording(says: &'static [u8]) -> (Backend, Receiver<Plain>) {
    let (tell, told) = mpsc::channel();
    let backend = Backend::start(move |peer| {
        while let Some(request) = peer.request() {
            let _ = tell.send(request);
            peer.say(says);
        }
    });
    (backend, told)
}

/// What a backend gets of a request with these lines.
fn gets(lines: &str, request: &str) -> Plain {
    let (backend, told) = recording(OK);
    let balancer = Balancer::before([&backend], lines);
    let mut client = balancer.client();
    client.say(request);
    assert_eq!(client.answer("GET").status(), 200);
    told.recv_timeout(PATIENCE).unwrap()
}

fn texts(plain: &Plain, name: &str) -> Vec<String> {
    let values = plain.values(name).into_iter();
    values
        .map(|value| String::from_utf8_lossy(value).into_owned())
        .collect()
}

#[test]
fn who_the_client_is_is_told_as_the_mode_and_the_trust_in_it_say() {
    let request = "GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 192.0.2.7\r\n\
                   X-Forwarded-Proto: https\r\nX-Forwarded-Host: outside.test\r\n\
                   Forwarded: for=192.0.2.7;proto=https\r\n\r\n";
    let ours = "for=127.0.0.1;host=\"a.test\";proto=http";
    let theirs = "for=192.0.2.7;proto=https";
    let table: [(&str, &[&str], &[&str]); 7] = [
        ("", &["127.0.0.1"], &[]),
        ("forwarded\n", &["127.0.0.1"], &[ours]),
        (
            "forwarded-for keep\nforwarded\ntrust 10.0.0.0/8\n",
            &["127.0.0.1"],
            &[ours],
        ),
        (
            "trust 127.0.0.0/8\n",
            &["192.0.2.7", "127.0.0.1"],
            &[theirs],
        ),
        (
            "trust 127.0.0.0/8\nforwarded\n",
            &["192.0.2.7", "127.0.0.1"],
            &[theirs, ours],
        ),
        (
            "trust 127.0.0.0/8\nforwarded-for keep\nforwarded\n",
            &["192.0.2.7"],
            &[theirs],
        ),
        (
            "trust 127.0.0.0/8\nforwarded-for set\nforwarded\n",
            &["127.0.0.1"],
            &[ours],
        ),
    ];
    for (lines, clients, forwarded) in table {
        let (proto, host) = match clients[0] {
            "127.0.0.1" => ("http", "a.test"),
            _ => ("https", "outside.test"), // who is believed about one is about all
        };
        let got = gets(lines, request);
        assert_eq!(texts(&got, "X-Forwarded-For"), clients, "{lines}");
        assert_eq!(texts(&got, "X-Forwarded-Proto"), [proto], "{lines}");
        assert_eq!(texts(&got, "X-Forwarded-Host"), [host], "{lines}");
        assert_eq!(texts(&got, "Forwarded"), forwarded, "{lines}");
    }
}

#[test]
fn after_a_reload_a_connection_that_rested_is_heard_by_the_new_lines() {
    let (backend, told) = recording(OK);
    let balancer = Balancer::before([&backend], "trust 127.0.0.0/8\n");
    let mut client = balancer.client();
    let mut clients_told = || {
        client.say("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n");
        assert_eq!(client.answer("GET").status(), 200);
        texts(&told.recv_timeout(PATIENCE).unwrap(), "X-Forwarded-For")
    };
    assert_eq!(clients_told(), ["192.0.2.7", "127.0.0.1"]);
    balancer.rests();
    balancer.reload(&backend.line());
    assert_eq!(clients_told(), ["127.0.0.1"]);
}

#[test]
fn an_ipv4_client_of_an_ipv6_listener_is_told_as_ipv4() {
    let (backend, told) = recording(OK);
    let balancer = Balancer::before([&backend], "listen [::]:0\nforwarded\n");
    let port = balancer.address.rsplit(':').next().unwrap();
    let mut client = Client::to(&format!("127.0.0.1:{port}"));
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer("GET").status(), 200);
    let got = told.recv_timeout(PATIENCE).unwrap();
    assert_eq!(texts(&got, "X-Forwarded-For"), ["127.0.0.1"]);
    assert_eq!(
        texts(&got, "Forwarded"),
        ["for=127.0.0.1;host=\"a\";proto=http"]
    );
}

#[test]
fn a_trusted_peer_that_says_nothing_is_told_about_itself() {
    for mode in ["set", "append", "keep"] {
        let lines = format!("trust 127.0.0.0/8\nforwarded\nforwarded-for {mode}\n");
        let got = gets(&lines, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(texts(&got, "X-Forwarded-For"), ["127.0.0.1"], "{mode}");
        assert_eq!(texts(&got, "X-Forwarded-Proto"), ["http"], "{mode}");
        assert_eq!(texts(&got, "X-Forwarded-Host"), ["a"], "{mode}");
        assert_eq!(texts(&got, "Forwarded").len(), 1, "{mode}");
    }
}

#[test]
fn via_names_us_and_the_version_that_came_on_both_ways() {
    let old = "GET / HTTP/1.0\r\nVia: 1.1 before\r\n\r\n";
    let new = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(
        texts(&gets("", old), "Via"),
        ["1.1 before", "1.0 groundwire"]
    );
    assert_eq!(texts(&gets("", new), "Via"), ["1.1 groundwire"]);
    assert_eq!(texts(&gets("via edge-1\n", new), "Via"), ["1.1 edge-1"]);
    assert_eq!(texts(&gets("via off\n", new), "Via"), Vec::<String>::new());
    let (backend, _told) = recording(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n");
    let balancer = Balancer::before([&backend], "");
    assert_eq!(texts(&balancer.get("/"), "Via"), ["1.0 groundwire"]);
}

#[test]
fn what_belongs_to_one_connection_goes_no_further() {
    let got = gets(
        "",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Mine\r\nConnection: x-too\r\n\
         X-Mine: 1\r\nX-Too: 1\r\nX-Else: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: close\r\n\
         TE: gzip\r\nUpgrade: h2c\r\nProxy-Authorization: Basic YTpi\r\n\r\n",
    );
    for name in [
        "Connection",
        "X-Mine",
        "X-Too",
        "Keep-Alive",
        "Proxy-Connection",
        "TE",
        "Upgrade",
    ] {
        assert_eq!(texts(&got, name), Vec::<String>::new(), "{name}");
    }
    assert_eq!(texts(&got, "X-Else"), ["1"]);
    let (backend, _told) = recording(
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive, x-mine\r\nX-Mine: 1\r\nX-Else: 1\r\n\
          Keep-Alive: timeout=5\r\nProxy-Connection: close\r\nContent-Length: 0\r\n\r\n",
    );
    let balancer = Balancer::before([&backend], "");
    let mut client = balancer.client();
    let answer = client.get("/");
    for name in ["Connection", "X-Mine", "Keep-Alive", "Proxy-Connection"] {
        assert_eq!(texts(&answer, name), Vec::<String>::new(), "{name}");
    }
    assert_eq!(texts(&answer, "X-Else"), ["1"]);
}

#[test]
fn a_target_with_a_host_wins_over_the_field() {
    let got = gets(
        "",
        "GET http://b.test:81/x?y HTTP/1.1\r\nHost: a.test\r\n\r\n",
    );
    assert_eq!(
        (got.word(1), texts(&got, "Host")),
        ("/x?y", vec!["b.test:81".into()])
    );
    assert_eq!(texts(&got, "X-Forwarded-Host"), ["b.test:81"]);
}

#[test]
fn a_request_without_a_host_is_given_the_one_of_the_backend() {
    // Its name in logs would be `localhost/127.0.0.1:9000`, which is no host.
    let (backend, told) = recording(OK);
    let port = backend.address.rsplit(':').next().unwrap();
    let balancer = Balancer::start(&format!("backend http://localhost:{port}\n"));
    let mut client = balancer.client();
    client.say("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(client.answer("GET").status(), 200);
    let request = told.recv_timeout(PATIENCE).unwrap();
    let host = format!("localhost:{port}");
    assert_eq!(texts(&request, "Host"), [host.as_str()]);
    assert_eq!(texts(&request, "X-Forwarded-Host"), [host.as_str()]);
}

#[test]
fn a_route_by_an_ipv6_address_is_taken_however_the_client_writes_it() {
    let (other, six) = (Backend::saying(OK), Backend::saying(SIX));
    let lines = format!(
        "route / other\nroute [::1]/ six\npool other\n{}pool six\n{}",
        other.line(),
        six.line()
    );
    let balancer = Balancer::start(&lines);
    for (host, body) in [
        ("[::1]", "six"),
        ("[0:0::0001]:8080", "six"),
        ("[::2]", "ok\n"),
        ("a", "ok\n"),
    ] {
        let mut client = balancer.client();
        client.say(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(client.answer("GET").body, body.as_bytes(), "{host}");
    }
}
