//! Tunnels: upgrades and CONNECT, closed from either side first.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc;

use crate::balancer::Balancer;
use crate::client::Client;
use crate::program::{HTTP_BACKEND, LOAD_BALANCER, Program};
use crate::scripted::{Backend, OK};
use crate::support::PATIENCE;

const UPGRADE: &str =
    "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: chat/1\r\n\r\n";
const SWITCH: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat/1\r\n\r\n";

/// Switches, says hello at once, sends back what comes, and says goodbye at its end.
fn chat() -> Backend {
    Backend::start(|peer| {
        let head = peer.head().unwrap();
        assert!(head.contains("Upgrade: chat/1\r\n"), "{head}");
        peer.say(format!("{SWITCH}hello").as_bytes());
        loop {
            let bytes = peer.bytes();
            match bytes.is_empty() {
                true => break,
                false => peer.say(&bytes),
            };
        }
        peer.say(b"goodbye");
    })
}

/// Talks to the end of a tunnel whose other end is [`chat`]'s.
fn talk(client: &mut Client) {
    assert_eq!(client.at_least(5), b"hello");
    for _ in 0..3 {
        client.say("ping");
        assert_eq!(client.at_least(4), b"ping");
    }
    client.finish();
    assert_eq!(client.rest(), b"goodbye");
}

#[test]
fn an_upgrade_becomes_a_tunnel_that_a_client_may_half_close() {
    let backend = chat();
    let balancer = Balancer::before([&backend], "");
    let mut client = balancer.client();
    client.say(UPGRADE);
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.contains("Connection: Upgrade\r\n") && head.contains("Upgrade: chat/1\r\n"));
    talk(&mut client);
}

#[test]
fn a_backend_may_half_close_a_tunnel_and_still_hear_its_client() {
    let (tell, told) = mpsc::channel();
    let backend = Backend::start(move |peer| {
        peer.head();
        peer.say(SWITCH.as_bytes());
        peer.finish();
        let _ = tell.send(peer.bytes());
        let _ = tell.send(peer.bytes());
    });
    let balancer = Balancer::before([&backend], "");
    let mut client = balancer.client();
    client.say(UPGRADE);
    client.head();
    client.ended();
    client.say("last words");
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), b"last words");
    drop(client);
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), b"");
}

#[test]
fn a_reset_on_either_side_of_a_tunnel_ends_the_other() {
    let (tell, told) = mpsc::channel();
    let (go, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let backend = Backend::start(move |peer| {
        peer.head();
        peer.say(SWITCH.as_bytes());
        match peer.number {
            0 => peer.ended(),
            _ => {
                let _ = wait.lock().unwrap().recv();
                peer.reset();
            }
        }
        let _ = tell.send(());
    });
    let balancer = Balancer::before([&backend], "");
    let mut client = balancer.client();
    client.say(UPGRADE);
    client.head();
    client.conn.reset_on_close().unwrap();
    drop(client);
    told.recv_timeout(PATIENCE).unwrap();
    let mut client = balancer.client();
    client.say(UPGRADE);
    client.head();
    go.send(()).unwrap();
    client.ended();
}

#[test]
fn a_silent_tunnel_ends_in_time_and_one_that_talks_in_one_direction_does_not() {
    let (tell, told) = mpsc::channel();
    let backend = Backend::start(move |peer| {
        peer.head();
        peer.say(SWITCH.as_bytes());
        loop {
            let bytes = peer.bytes();
            let _ = tell.send(bytes.len());
            if bytes.is_empty() {
                return;
            }
        }
    });
    let balancer = Balancer::before([&backend], "tunnel-timeout 200ms\n");
    let mut client = balancer.client();
    client.say(UPGRADE);
    client.head();
    let begun = std::time::Instant::now();
    while begun.elapsed() < std::time::Duration::from_millis(600) {
        client.say("x");
        assert!(told.recv_timeout(PATIENCE).unwrap() > 0);
    }
    client.ended();
    while told.recv_timeout(PATIENCE).unwrap() > 0 {}
}

#[test]
fn an_upgrade_that_the_backend_does_not_want_is_an_ordinary_answer() {
    let backend = Backend::saying(OK);
    let balancer = Balancer::before([&backend], "");
    let mut client = balancer.client();
    client.say(UPGRADE);
    assert_eq!(client.answer("GET").body, b"ok\n");
    assert_eq!(client.get("/").body, b"ok\n");
}

#[test]
fn bytes_behind_a_request_for_a_tunnel_are_refused_before_anybody_sees_them() {
    let backend = chat();
    let lines = format!("connect-allow {}\n", backend.address);
    let balancer = Balancer::before([&backend], &lines);
    let connect = format!("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n\r\n", backend.address);
    for request in [UPGRADE, &connect] {
        let mut client = balancer.client();
        client.say(format!(
            "{request}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
        ));
        assert_eq!(client.answer("GET").status(), 400);
        client.ended();
    }
    assert_eq!(backend.connections(), 0);
}

#[test]
fn connect_reaches_what_is_allowed_and_nothing_else() {
    let backend = Backend::start(|peer| {
        peer.say(b"hello");
        loop {
            let bytes = peer.bytes();
            if bytes.is_empty() {
                break;
            }
            peer.say(&bytes);
        }
        peer.say(b"goodbye");
    });
    let other = Backend::saying(OK);
    let lines = format!("connect-allow {}\n", backend.address);
    let balancer = Balancer::before([&other], &lines);
    let connect = |to: &str| {
        let mut client = balancer.client();
        client.say(format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n"));
        let head = client.head();
        (head, client)
    };
    let (head, mut client) = connect(&backend.address);
    assert_eq!(head, "HTTP/1.1 200 Connection Established\r\n\r\n");
    talk(&mut client);
    let (head, _client) = connect(&other.address);
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
    let none = Balancer::before([&other], "");
    let mut client = none.client();
    client.say(format!(
        "CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n\r\n",
        backend.address
    ));
    assert_eq!(client.answer("GET").status(), 501);
    assert_eq!(other.connections(), 0);
}

/// Runs the WebSocket peer; what it printed, or nothing where its library is not installed.
fn ws_peer(role: &str, url: &str) -> Option<String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/proxy/ws_peer.py");
    let output = Command::new("python3")
        .args([script, role, url])
        .output()
        .ok()?;
    if output.status.code() == Some(77) {
        println!("skipped: no websockets");
        return None;
    }
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed).into_owned();
    assert!(output.status.success(), "{printed}");
    Some(printed)
}

#[test]
fn websockets_talk_through_the_proxy_to_http_backend() {
    let backend = Program::start(HTTP_BACKEND, &["127.0.0.1:0"]);
    let url = format!("http://{}", backend.address);
    let proxy = Program::start(
        LOAD_BALANCER,
        &["--listen", "127.0.0.1:0", "--backend", &url],
    );
    let printed = ws_peer("echo", &format!("ws://{}/ws", proxy.address));
    assert!(printed.is_none_or(|printed| printed.contains("ok ")));
}

#[test]
fn websockets_talk_through_the_proxy_to_a_server_of_other_make() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/proxy/ws_peer.py");
    let mut server = Command::new("python3");
    let server = server.args([script, "server"]).stdin(Stdio::piped());
    let Ok(mut server) = server.stdout(Stdio::piped()).spawn() else {
        return println!("skipped: no python3");
    };
    let mut line = String::new();
    let _ = BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut line);
    if let Some(address) = line.trim_end().strip_prefix("listening on tcp ") {
        let balancer = Balancer::start(&format!("backend http://{address}\n"));
        let printed = ws_peer("client", &format!("ws://{}/", balancer.address));
        assert!(printed.is_none_or(|printed| printed.contains("ok ")));
    }
    drop(server.stdin.take());
    server.wait().unwrap();
}
