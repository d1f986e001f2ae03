//! The PROXY protocol: from those in front of us, and to those behind.

use std::sync::mpsc::{self, Receiver};

use crate::balancer::Balancer;
use crate::client::Client;
use crate::scripted::{Backend, OK};
use crate::support::{PATIENCE, connect_from};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const LISTEN: &str = "listen 127.0.0.1:0 proxy-protocol\ntrust 127.0.0.1/32\n";
const V1: &[u8] = b"PROXY TCP4 192.0.2.7 198.51.100.1 1111 80\r\n";
/// Version 2, PROXY, TCP over IPv4, 12 bytes of addresses.
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\xc6\x33\x64\x01\x04\x57\0\x50";

/// A backend that hands over the first bytes of each connection, up to the end of a head.
fn first_bytes() -> (Backend, Receiver<Vec<u8>>) {
    let (tell, told) = mpsc::channel();
    let backend = Backend::start(move |peer| {
        let mut heard = Vec::new();
        while !heard.ends_with(b"Via: 1.1 groundwire\r\n\r\n") {
            let bytes = peer.bytes();
            if bytes.is_empty() {
                return;
            }
            heard.extend_from_slice(&bytes);
        }
        let _ = tell.send(heard);
        peer.say(OK);
        peer.serve(OK);
    });
    (backend, told)
}

fn line(heard: &[u8], name: &str) -> String {
    let text = String::from_utf8_lossy(heard).into_owned();
    let line = text.lines().find(|line| line.starts_with(name));
    line.unwrap_or_default().to_string()
}

#[test]
fn the_client_is_whom_a_trusted_peer_introduces() {
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"; // about itself, as a health check
    let table = [
        (V1, "192.0.2.7"),
        (V2, "192.0.2.7"),
        (
            b"PROXY TCP6 2001:db8::7 2001:db8::1 1111 80\r\n",
            "2001:db8::7",
        ),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        (local, "127.0.0.1"),
    ];
    let (backend, told) = first_bytes();
    let balancer = Balancer::before([&backend], &format!("{LISTEN}keep-alive 0\n"));
    for (header, client) in table {
        // In one piece with the request, and byte by byte.
        let mut whole = balancer.client();
        whole.say([header, GET.as_bytes()].concat());
        assert_eq!(whole.answer("GET").status(), 200);
        let mut cut = balancer.client();
        header.iter().for_each(|byte| cut.say([*byte]));
        cut.say(GET);
        assert_eq!(cut.answer("GET").status(), 200);
        for _ in 0..2 {
            let heard = told.recv_timeout(PATIENCE).unwrap();
            assert_eq!(
                line(&heard, "X-Forwarded-For"),
                format!("X-Forwarded-For: {client}")
            );
        }
    }
}

#[test]
fn who_is_not_trusted_or_introduces_nobody_is_closed_without_a_word() {
    let backend = Backend::saying(OK);
    let balancer = Balancer::before([&backend], LISTEN);
    let mut stranger = Client::of(connect_from("127.0.0.2:0", &balancer.address));
    let _ = stranger.try_say([V1, GET.as_bytes()].concat());
    stranger.ended();
    for bytes in [
        GET.as_bytes(),
        b"PROXY TCP4 nonsense\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\0",
    ] {
        let mut client = balancer.client();
        let _ = client.try_say(bytes);
        client.ended();
    }
    assert_eq!(backend.connections(), 0);
}

#[test]
fn an_introduction_that_drips_ends_in_time() {
    let backend = Backend::saying(OK);
    let balancer = Balancer::before([&backend], &format!("{LISTEN}header-timeout 100ms\n"));
    let mut client = balancer.client();
    client.say("PROXY TCP4 ");
    client.ended();
}

#[test]
fn a_backend_is_told_who_comes_in_the_version_that_it_wants() {
    for version in ["v1", "v2"] {
        let (backend, told) = first_bytes();
        let balancer = Balancer::before([&backend], &format!("proxy-protocol {version}\n"));
        let mut client = balancer.client();
        assert_eq!(client.get("/").status(), 200);
        let heard = told.recv_timeout(PATIENCE).unwrap();
        let (own, to) = (
            client.conn.local_addr().unwrap().ip().unwrap(),
            &balancer.address,
        );
        let to: std::net::SocketAddr = to.parse().unwrap();
        let expected = match version {
            "v1" => {
                let ports = format!("{} {}", own.port(), to.port());
                format!("PROXY TCP4 127.0.0.1 127.0.0.1 {ports}\r\n").into_bytes()
            }
            _ => [
                &V2[..16],
                &[127, 0, 0, 1, 127, 0, 0, 1],
                &own.port().to_be_bytes(),
                &to.port().to_be_bytes(),
            ]
            .concat(),
        };
        let request = [&expected[..], b"GET / HTTP/1.1\r\n"].concat();
        assert!(
            heard.starts_with(&request),
            "{}",
            String::from_utf8_lossy(&heard)
        );
        // A connection speaks for one client, and is no other's.
        assert_eq!(balancer.get("/").status(), 200);
        assert!(
            told.recv_timeout(PATIENCE)
                .unwrap()
                .starts_with(&expected[..8])
        );
        assert_eq!(backend.connections(), 2);
    }
}

#[test]
fn an_introduction_is_passed_on() {
    let (backend, told) = first_bytes();
    let balancer = Balancer::before([&backend], &format!("{LISTEN}proxy-protocol v1\n"));
    let mut client = balancer.client();
    client.say([V2, GET.as_bytes()].concat());
    assert_eq!(client.answer("GET").status(), 200);
    assert!(told.recv_timeout(PATIENCE).unwrap().starts_with(V1));
}

#[test]
fn a_client_that_a_trusted_peer_introduces_is_not_trusted_with_it() {
    let (backend, told) = first_bytes();
    let balancer = Balancer::before([&backend], &format!("{LISTEN}forwarded-for append\n"));
    let get = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.9.8.7\r\n\r\n";
    let mut client = balancer.client();
    client.say([V1, get.as_bytes()].concat());
    assert_eq!(client.answer("GET").status(), 200);
    let heard = String::from_utf8(told.recv_timeout(PATIENCE).unwrap()).unwrap();
    assert!(!heard.contains("10.9.8.7"), "{heard}");
    assert!(heard.contains("X-Forwarded-For: 192.0.2.7\r\n"), "{heard}");
}
