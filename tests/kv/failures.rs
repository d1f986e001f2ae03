//! What the client of etcd tells when endpoints fail: not done, or perhaps done.
//!
//! The endpoints are sockets of ours that do what a failing server does.

use std::io::Read;
use std::net::TcpListener;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use groundwire::http::{Limits, Response, ServerExchange};
use groundwire::kv::etcd::{Config, Etcd};
use groundwire::kv::{Change, Keys, Refused, Store, StoreError};
use groundwire::net::Conn;

use crate::support::{PATIENCE, nobody};

/// Long enough for an endpoint that answers to do so in its share, a half, on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(2);

/// What an endpoint does with its connections.
#[derive(Clone, Copy)]
enum Endpoint {
    /// Nobody listens.
    Refuses,
    /// Nothing is read, nothing is answered.
    IsSilent,
    /// Reads the request and closes.
    Closes,
    /// Answers every request with this.
    Answers(u16, &'static str),
}

fn start(endpoint: Endpoint) -> String {
    if let Endpoint::Refuses = endpoint {
        return format!("http://{}", nobody());
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let mut silent = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            match endpoint {
                Endpoint::Refuses => {}
                Endpoint::IsSilent => silent.push(stream),
                Endpoint::Closes => drop(stream.read(&mut [0; 4096])),
                Endpoint::Answers(status, body) => {
                    thread::spawn(move || answer(Conn::from_tcp(stream).unwrap(), status, body));
                }
            }
        }
    });
    url
}

fn answer(conn: Conn, status: u16, body: &'static str) {
    let mut exchange = ServerExchange::new(conn, Limits::default());
    while let Ok(Some(_)) = exchange.next_request() {
        if exchange.read_all(4096).is_err()
            || exchange.respond(&Response::text(status, body)).is_err()
        {
            return;
        }
    }
}

const GOOD: Endpoint = Endpoint::Answers(200, r#"{"header":{"revision":"7"}}"#);

fn client(endpoints: &[Endpoint]) -> Etcd {
    let urls: Vec<String> = endpoints.iter().copied().map(start).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let config = Config {
        timeout: TIMEOUT,
        ..Config::default()
    };
    Etcd::new(&urls, config).unwrap()
}

#[test]
fn an_endpoint_that_nobody_listens_on_is_passed_over() {
    let etcd = client(&[Endpoint::Refuses, GOOD]);
    assert_eq!(etcd.get(b"k"), Ok(None));
    assert_eq!(etcd.put(b"k", b"v"), Ok(7));
    let etcd = client(&[Endpoint::Refuses, Endpoint::Refuses]);
    let Err(StoreError::NotDone(why)) = etcd.put(b"k", b"v") else {
        panic!("done by nobody");
    };
    assert_eq!(why.matches("connection refused").count(), 2, "{why}");
}

#[test]
fn a_read_goes_on_to_the_next_endpoint_and_keeps_within_its_time() {
    for first in [Endpoint::IsSilent, Endpoint::Closes] {
        let etcd = client(&[first, GOOD]);
        assert_eq!(etcd.get(b"k"), Ok(None));
    }
    let etcd = client(&[Endpoint::IsSilent; 3]);
    let begun = Instant::now();
    assert!(matches!(etcd.get(b"k"), Err(StoreError::NotDone(_))));
    assert!(begun.elapsed() >= TIMEOUT);
}

#[test]
fn a_change_that_was_sent_and_not_answered_is_unknown_and_not_sent_elsewhere() {
    for first in [
        Endpoint::IsSilent,
        Endpoint::Closes,
        Endpoint::Answers(200, "what?"),
        Endpoint::Answers(502, "Bad Gateway"),
    ] {
        let etcd = client(&[first, GOOD]);
        let put = etcd.put(b"k", b"v");
        assert!(matches!(put, Err(StoreError::Unknown(_))), "{put:?}");
        assert_eq!(etcd.put(b"k", b"v"), Ok(7), "the next one is asked first");
    }
}

#[test]
fn what_an_endpoint_says_is_told_with_its_name() {
    let answers = |message| Endpoint::Answers(503, message);
    let leaderless = answers(r#"{"code":14,"message":"etcdserver: no leader"}"#);
    let late = answers(r#"{"code":14,"message":"etcdserver: request timed out"}"#);
    let urls = [start(leaderless), start(late)];
    let etcd = Etcd::new(&[&urls[0], &urls[1]], Config::default()).unwrap();
    let at = urls.map(|url| url.replace("http://", "etcd "));
    let why = format!("{}: etcdserver: request timed out", at[1]);
    assert_eq!(etcd.put(b"k", b"v"), Err(StoreError::Unknown(why.clone())));
    let both = format!("{}: etcdserver: no leader; {why}", at[0]);
    assert_eq!(etcd.get(b"k"), Err(StoreError::NotDone(both)));
}

#[test]
fn a_refusal_is_final() {
    let full = r#"{"code":8,"message":"etcdserver: mvcc: database space exceeded"}"#;
    let etcd = client(&[Endpoint::Answers(429, full), GOOD]);
    let refused = Err(StoreError::Refused(Refused::Full));
    assert_eq!(etcd.put(b"k", b"v"), refused);
}

/// An etcd whose connections are each sent these lines, in parts of seven bytes, and then closed.
/// The requests come out of the other end.
fn watched(connections: &'static [&'static [&'static str]]) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (send, requests) = mpsc::channel();
    thread::spawn(move || {
        for lines in connections {
            let conn = Conn::from_tcp(listener.accept().unwrap().0).unwrap();
            let mut exchange = ServerExchange::new(conn, Limits::default());
            exchange.next_request().unwrap();
            let request = exchange.read_all(4096).unwrap();
            send.send(String::from_utf8(request).unwrap()).unwrap();
            exchange.begin(&Response::new(200), None).unwrap();
            for part in (lines.join("\n") + "\n").as_bytes().chunks(7) {
                exchange.write(part).unwrap();
            }
        }
    });
    (url, requests)
}

/// A member of etcd that is cut off from the others: it tells nothing of what they do, and says why
/// to those only that ask for it.
fn cut_off() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let conn = Conn::from_tcp(listener.accept().unwrap().0).unwrap();
        let mut exchange = ServerExchange::new(conn, Limits::default());
        let request = exchange.next_request().unwrap().unwrap();
        exchange.read_all(4096).unwrap();
        match request.fields.get("Grpc-Metadata-hasleader") {
            Some(b"true") => {
                let why = r#"{"error":{"grpc_code":14,"message":"etcdserver: no leader"}}"#;
                exchange.respond(&Response::text(503, why)).unwrap();
            }
            _ => {
                exchange.begin(&Response::new(200), None).unwrap();
                exchange
                    .write(b"{\"result\":{\"created\":true}}\n")
                    .unwrap();
                let mut stream = exchange.stream();
                let _ = stream.read(&mut [0]); // until the client has gone
            }
        }
    });
    url
}

#[test]
fn a_watch_does_not_stay_with_a_member_that_has_no_leader() {
    let (second, _requests) = watched(&[&[
        r#"{"result":{"created":true}}"#,
        r#"{"result":{"events":[{"kv":{"key":"YQ==","mod_revision":"5"}}]}}"#,
    ]]);
    let etcd = Etcd::new(&[&cut_off(), &second], Config::default()).unwrap();
    let mut watch = etcd.watch(Keys::One(b"a".to_vec()), 5).unwrap();
    let told = watch.changes(TIMEOUT).unwrap();
    assert_eq!((told.changes.len(), told.next), (1, 6));
}

#[test]
fn a_watch_that_breaks_within_a_revision_loses_nothing_and_tells_nothing_twice() {
    const CREATED: &str = r#"{"result":{"created":true}}"#;
    let (url, requests) = watched(&[
        &[
            CREATED,
            r#"{"result":{"fragment":true,"events":[{"kv":{"key":"YQ==","mod_revision":"5"}},{"kv":{"key":"YQ==","mod_revision":"6"}}]}}"#,
        ],
        &[
            CREATED,
            r#"{"result":{"fragment":true,"events":[{"kv":{"key":"YQ==","mod_revision":"6"}}]}}"#,
            r#"{"result":{"events":[{"kv":{"key":"Yg==","mod_revision":"6"}}]}}"#,
            r#"{"result":{"canceled":true,"cancel_reason":"enough"}}"#,
        ],
    ]);
    let etcd = Etcd::new(&[&url], Config::default()).unwrap();
    let mut watch = etcd.watch(Keys::Prefix(b"a".to_vec()), 5).unwrap();
    let mut told = || {
        let changes = watch.changes(PATIENCE)?;
        let revisions: Vec<u64> = changes.changes.iter().map(Change::revision).collect();
        Ok((revisions, changes.next))
    };
    assert_eq!(told(), Ok((vec![5], 6)), "6 may have more");
    let broken = "the watch broke: the stream ended in the middle of a message";
    assert_eq!(told(), Err(StoreError::NotDone(broken.into())));
    assert_eq!(told(), Ok((vec![6, 6], 7)));
    let ended = "the watch broke: enough";
    assert_eq!(told(), Err(StoreError::NotDone(ended.into())));
    for from in ["5", "6"] {
        let request = requests.recv_timeout(PATIENCE).unwrap();
        let start = format!(r#""start_revision":"{from}""#);
        assert!(request.contains(&start), "{request}");
    }
}

#[test]
fn a_watch_takes_no_revisions_from_before_those_it_asked_for() {
    let (url, _requests) = watched(&[&[
        r#"{"result":{"created":true}}"#,
        r#"{"result":{"events":[{"kv":{"key":"YQ==","mod_revision":"4"}}]}}"#,
    ]]);
    let etcd = Etcd::new(&[&url], Config::default()).unwrap();
    let mut watch = etcd.watch(Keys::One(b"a".to_vec()), 5).unwrap();
    let why = "the watch broke: its changes go back behind the revision that was asked for";
    assert_eq!(
        watch.changes(PATIENCE),
        Err(StoreError::NotDone(why.into()))
    );
}
