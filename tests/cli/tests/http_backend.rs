//! http-backend as its clients see it: bytes on a socket, curl, Python's websockets.

#[path = "http_backend/files.rs"]
mod files;
#[path = "http_backend/limits.rs"]
mod limits;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use groundwire_cli_tests::{Server, connect, finish, installed, program};

fn server(args: &[&str]) -> Server {
    Server::start(
        "http-backend",
        &[&["127.0.0.1:0", "--name", "b1"], args].concat(),
    )
}

/// Sends these bytes and reads to the end, which the server must make.
fn ask(server: &Server, request: &str) -> String {
    let mut stream = connect(&server.address);
    stream.write_all(request.as_bytes()).unwrap();
    rest(&mut stream)
}

fn rest(stream: &mut TcpStream) -> String {
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();
    String::from_utf8(reply).unwrap()
}

/// A request that ends its connection.
fn get(target: &str, fields: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}\r\n")
}

/// The status code and the body of a reply.
fn parts(reply: &str) -> (&str, &str) {
    let (head, body) = reply.split_once("\r\n\r\n").expect("a header section");
    (head.split(' ').nth(1).unwrap(), body)
}

/// A folder of this test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("groundwire-http-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(folder.join("www/sub")).unwrap();
        fs::write(folder.join("secret.txt"), "secret").unwrap();
        fs::write(folder.join("www/a.txt"), "0123456789").unwrap();
        fs::write(folder.join("www/sub/index.html"), "<p>sub").unwrap();
        Self(folder)
    }

    fn root(&self) -> String {
        self.0.join("www").display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn every_reply_has_the_name_and_the_first_page_lists_the_others() {
    let server = server(&[]);
    for target in [
        "/",
        "/echo",
        "/status/500",
        "/bytes/3",
        "/chunked",
        "/nothing",
        "/die",
    ] {
        let reply = ask(&server, &get(target, ""));
        assert!(reply.contains("\r\nX-Backend: b1\r\n"), "{target}: {reply}");
    }
    let home = ask(&server, &get("/", ""));
    assert!(
        parts(&home).1.starts_with("I am b1, you are 127.0.0.1:"),
        "{home}"
    );
    for page in [
        "/echo", "/slow", "/status", "/bytes", "/chunked", "/stream", "/die", "/ws",
    ] {
        assert!(home.contains(page), "{page}");
    }
}

#[test]
fn the_echo_is_the_request_with_body_and_trailers() {
    let server = server(&[]);
    let request = "PUT /echo?q HTTP/1.1\r\nHost: a\r\nX-Case: Yes\r\nContent-Length: 5\r\n\
                   Connection: close\r\n\r\nhello";
    assert_eq!(parts(&ask(&server, request)), ("200", request));
    let head =
        "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    let reply = ask(
        &server,
        &format!("{head}2\r\nhe\r\n3\r\nllo\r\n0\r\nX-Sum: 5\r\n\r\n"),
    );
    let data: String = parts(&reply).1.split("\r\n").collect();
    assert!(
        data.contains("POST /echo HTTP/1.1") && data.contains("llo"),
        "{reply}"
    );
    assert!(
        reply.contains("X-Sum: 5") && reply.ends_with("0\r\n\r\n"),
        "{reply}"
    );
}

#[test]
fn requests_that_are_sent_ahead_are_answered_in_order_and_the_connection_stays() {
    let server = server(&[]);
    let first = "GET /slow?ms=30 HTTP/1.1\r\nHost: a\r\n\r\n";
    let second = "POST /status/201 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    let replies = ask(&server, &format!("{first}{second}{}", get("/bytes/4", "")));
    let places = ["waited 30 ms", "HTTP/1.1 201", "\r\n\r\nThe "].map(|text| replies.find(text));
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{replies}"
    );
    assert_eq!(server.stop(), "served 1, active 0, refused 0, failed 0");
}

#[test]
fn replies_without_a_body_have_none_and_none_is_told() {
    let mut server = server(&["-v"]);
    for (request, status) in [
        (get("/status/204", ""), "204"),
        (get("/status/304", ""), "304"),
        (get("/status/205", ""), "205"),
        (get("/bytes/99", "").replacen("GET", "HEAD", 1), "200"),
        (
            get("/chunked?n=2&ms=600000", "").replacen("GET", "HEAD", 1),
            "200",
        ),
        (get("/echo", "").replacen("GET", "HEAD", 1), "200"),
        (get("/stream", "").replacen("GET", "HEAD", 1), "200"),
        (get("*", "").replacen("GET", "OPTIONS", 1), "204"),
    ] {
        assert_eq!(parts(&ask(&server, &request)), (status, ""), "{request}");
        let line = server.next_line();
        assert!(line.contains(" 0 B "), "{line}");
    }
}

#[test]
fn half_an_answer_ends_early_and_a_stream_ends_with_its_server() {
    let server = server(&[]);
    let reply = ask(&server, &get("/die", ""));
    assert!(reply.contains("Content-Length: 128\r\n"), "{reply}");
    assert_eq!(parts(&reply).1.len(), 64);
    let mut stream = connect(&server.address);
    stream
        .write_all(get("/stream?ms=600000", "").as_bytes())
        .unwrap();
    let mut begin = [0; 64];
    stream.read_exact(&mut begin).unwrap();
    server.signal("TERM");
    let all = [
        String::from_utf8_lossy(&begin).into_owned(),
        rest(&mut stream),
    ]
    .concat();
    assert!(
        all.contains("data: 1\n\n") && all.ends_with("0\r\n\r\n"),
        "{all}"
    );
    assert_eq!(server.end().code, Some(0));
}

#[test]
fn a_reply_that_was_begun_comes_without_its_pauses_when_the_server_stops() {
    let server = server(&[]);
    let mut stream = connect(&server.address);
    let request = get("/chunked?n=2&ms=600000", "");
    stream.write_all(request.as_bytes()).unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"chunk 1 of 2\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        seen.extend(byte);
    }
    server.signal("TERM");
    let reply = rest(&mut stream);
    assert!(
        reply.contains("chunk 2 of 2") && reply.ends_with("X-Chunks: 2\r\n\r\n"),
        "{reply}"
    );
    assert_eq!(server.end().code, Some(0));
}

#[test]
fn a_client_that_leaves_ends_what_it_waited_for() {
    let mut server = server(&["-v"]);
    let mut stream = connect(&server.address);
    stream
        .write_all(get("/slow?ms=600000", "").as_bytes())
        .unwrap();
    assert_eq!(finish(stream), b"");
    assert!(server.next_line().contains(" GET /slow?ms=600000 - 0 B "));
}

#[test]
fn what_cannot_be_read_is_refused_with_its_rule_and_the_connection_ends() {
    let limits = ["--max-header", "1KiB", "--header-timeout", "50ms"];
    let server = server(&[&limits[..], &["--body-timeout", "50ms"]].concat());
    let long = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "x".repeat(2000)
    );
    for (request, status, why) in [
        ("GET / HTTP/1.1\r\n\r\n", "400", "the request has no Host"),
        ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", "505", "version"),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "501",
            "coding",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
            "400",
            "hexadecimal",
        ),
        (
            "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
            "501",
            "no proxy",
        ),
        (
            "GET /slow?ms=x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            "400",
            "ms must be",
        ),
        ("GET / HT", "408", "timed out"),
        (
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n",
            "408",
            "timed out",
        ),
        (&long, "431", "too long"),
    ] {
        let reply = ask(&server, request);
        let (code, body) = parts(&reply);
        assert!(code == status && body.contains(why), "{request:?}: {reply}");
        assert!(reply.contains("\r\nConnection: close\r\n"), "{reply}");
    }
}

#[test]
fn a_failure_behind_the_begin_of_a_reply_makes_no_second_reply() {
    let server = server(&[]);
    let head = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let reply = ask(&server, &format!("{head}2\r\nhe\r\nx\r\n"));
    assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
    assert!(
        !reply.contains("400") && !reply.ends_with("0\r\n\r\n"),
        "{reply}"
    );
}

#[test]
fn a_stranger_is_told_nothing() {
    let server = server(&["--deny", "127.0.0.1"]);
    assert_eq!(rest(&mut connect(&server.address)), "");
}

#[test]
fn a_request_that_was_sent_ahead_is_the_last_one_when_the_server_stops() {
    let server = server(&[]);
    let mut stream = connect(&server.address);
    let first = "GET /chunked?n=2&ms=600000 HTTP/1.1\r\nHost: a\r\n\r\n";
    let second = "GET /bytes/4 HTTP/1.1\r\nHost: a\r\n\r\n";
    stream
        .write_all([first, second].concat().as_bytes())
        .unwrap();
    stream.read_exact(&mut [0; 1]).unwrap(); // the reply has begun
    server.signal("TERM");
    let replies = rest(&mut stream);
    let last = replies.split_once("X-Chunks: 2\r\n\r\n").unwrap().1;
    assert_eq!(parts(last), ("200", "The "));
    assert!(last.contains("\r\nConnection: close\r\n"), "{last}");
    assert_eq!(server.end().code, Some(0));
}

#[test]
fn a_refusal_does_not_wait_for_the_body() {
    let server = server(&[]);
    let request =
        "POST /status/413 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n";
    for request in [request, &request.replace("Expect: 100-continue\r\n", "")] {
        let reply = ask(&server, request);
        assert!(
            reply.starts_with("HTTP/1.1 413 ") && reply.contains("Connection: close"),
            "{reply}"
        );
    }
}

#[test]
fn a_share_fails_and_the_same_ones_with_the_same_seed() {
    let fates = || {
        let server = server(&["--fail-rate", "0.5", "--seed", "7"]);
        let replies = (0..20).map(|_| ask(&server, &get("/status/200", "")));
        replies
            .map(|reply| parts(&reply).1.to_string())
            .collect::<Vec<_>>()
    };
    let first = fates();
    for body in ["200\n", "bad luck\n", "The quick"] {
        assert!(
            first.iter().any(|reply| reply.starts_with(body)),
            "{first:?}"
        );
    }
    assert_eq!(first, fates());
}

#[test]
fn curl_is_a_client() {
    if !installed("curl") {
        return;
    }
    let folder = Folder::new("curl");
    let server = server(&["--root", &folder.root()]);
    let curl = |args: &[&str], target: &str| {
        let url = format!("http://{}{target}", server.address);
        let run = Command::new("curl")
            .args(["-s", "-m", "20"])
            .args(args)
            .arg(url)
            .output()
            .unwrap();
        (run.status.code(), String::from_utf8(run.stdout).unwrap())
    };
    let upload = "x".repeat(300_000);
    let file = folder.0.join("upload");
    fs::write(&file, &upload).unwrap();
    let from = format!("@{}", file.display());
    for framing in ["Expect: 100-continue", "Transfer-Encoding: chunked"] {
        let (code, echoed) = curl(&["-H", framing, "--data-binary", &from], "/echo");
        assert!(code == Some(0) && echoed.ends_with(&upload), "{framing}");
    }
    assert_eq!(curl(&["-r", "2-4"], "/a.txt"), (Some(0), "234".into()));
    assert_eq!(
        curl(&["-0"], "/chunked?n=1"),
        (Some(0), "chunk 1 of 1\n".into())
    );
    assert_eq!(curl(&["-L"], "/sub").1, "<p>sub");
    assert_eq!(curl(&[], "/die").0, Some(18), "a partial file, says curl");
    let (_, status) = curl(&["-o", "/dev/null", "-w", "%{http_code}"], "/status/418");
    assert_eq!(status, "418");
    assert_eq!(curl(&[], "/bytes/200000").1.len(), 200_000);
}

/// The conversation of RFC 6455 with a client that others wrote.
const WEBSOCKETS: &str = r#"
import sys
from websockets.sync.client import connect
from websockets.exceptions import ConnectionClosed
url = sys.argv[1]
with connect(url, max_size=None) as ws:
    for message in ["hello", "\u00e9" * 70000, b"\0" * 300000, ""]:
        ws.send(message)
        assert ws.recv() == message
    ws.send(["a", "b", "c"])
    assert ws.recv() == "abc"
    assert ws.ping(b"x").wait(20)
    ws.close(1000, "bye")
    assert ws.close_code == 1000
with connect(url) as ws:
    ws.send(b"x" * 1048577)
    try:
        ws.recv()
    except ConnectionClosed as closed:
        assert closed.rcvd.code == 1009, closed
print("done")
"#;

#[test]
fn pythons_websockets_is_a_client() {
    let python = std::env::var("GROUNDWIRE_PYTHON").unwrap_or_else(|_| "python3".into());
    let has = Command::new(&python)
        .args(["-c", "import websockets.sync.client"])
        .output();
    if !has.is_ok_and(|run| run.status.success()) {
        eprintln!("skipped: {python} has no package websockets");
        return;
    }
    let server = server(&[]);
    let url = format!("ws://{}/ws", server.address);
    let run = Command::new(python)
        .args(["-c", WEBSOCKETS, &url])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&run.stdout), "done\n", "{run:?}");
}

#[test]
fn a_websocket_needs_its_handshake() {
    let server = server(&[]);
    let plain = ask(&server, &get("/ws", ""));
    assert!(plain.starts_with("HTTP/1.1 426 ") && plain.contains("Sec-WebSocket-Version: 13"));
    let asks = "Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let mut stream = connect(&server.address);
    // The first frame comes with the handshake, a masked "Hello"; then a frame without a mask.
    let request = [
        b"GET /ws HTTP/1.1\r\n",
        asks.as_bytes(),
        b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x81\x00",
    ];
    stream.write_all(&request.concat()).unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();
    let text = String::from_utf8_lossy(&reply);
    assert!(
        text.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"),
        "{text}"
    );
    assert!(
        reply.ends_with(b"\r\n\r\n\x81\x05Hello\x88\x02\x03\xea"),
        "{text}"
    );
}

#[test]
fn a_websocket_is_told_when_the_server_goes_away() {
    let server = server(&[]);
    let mut stream = connect(&server.address);
    let request = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    stream.read_exact(&mut [0; 1]).unwrap();
    server.signal("TERM");
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();
    assert!(reply.ends_with(b"\r\n\r\n\x88\x02\x03\xe9"));
    assert_eq!(server.end().code, Some(0));
}

#[test]
fn wrong_arguments_are_told() {
    for (args, status, why) in [
        (&["--fail-rate", "2"][..], 2, "must be 0 to 1"),
        (&["--name", "a b"], 2, "visible ASCII"),
        (&["--root", "/nowhere"], 1, "--root /nowhere: "),
        (&["--max-header", "0"], 2, "must be 1 to 1GiB"),
    ] {
        let run = program("http-backend")
            .arg("127.0.0.1:0")
            .args(args)
            .assert();
        let output = run.code(status).get_output().clone();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(
            told.starts_with("http-backend: ") && told.contains(why),
            "{told}"
        );
    }
}
