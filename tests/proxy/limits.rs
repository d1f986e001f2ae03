//! What clients may ask for at a time, and what the rest are told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use crate::balancer::Balancer;
use crate::client::Client;
use crate::scripted::{Backend, OK};
use crate::support::{PATIENCE, connect_from, eventually};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A backend that answers a request for each message.
fn on_word() -> (Backend, mpsc::Sender<()>) {
    let (go, wait) = mpsc::channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let backend = Backend::start(move |peer| {
        while peer.request().is_some() && wait.lock().unwrap().recv().is_ok() {
            peer.say(OK);
        }
    });
    (backend, go)
}

#[test]
fn a_full_backend_has_a_line_and_a_full_line_is_told_503() {
    let (backend, go) = on_word();
    let balancer = Balancer::before(
        [&backend],
        "backend-connections 1\nqueue 1\nqueue-timeout 1h\n",
    );
    let mut first = balancer.client();
    first.say(GET);
    eventually("the first is under way", || balancer.active() == 1);
    let mut second = balancer.client();
    second.say(GET);
    eventually("the second waits", || balancer.waiting() == 1);
    let third = balancer.get("/");
    assert_eq!(
        (third.status(), third.values("Retry-After").len()),
        (503, 1)
    );
    go.send(()).unwrap();
    assert_eq!(first.answer("GET").status(), 200);
    go.send(()).unwrap();
    assert_eq!(second.answer("GET").status(), 200);
    assert_eq!(backend.connections(), 1);
}

#[test]
fn a_request_that_waited_in_line_for_too_long_is_told_503() {
    let (backend, go) = on_word();
    let balancer = Balancer::before([&backend], "backend-connections 1\nqueue-timeout 50ms\n");
    let mut first = balancer.client();
    first.say(GET);
    eventually("the first is under way", || balancer.active() == 1);
    let mut second = balancer.client();
    second.say(GET);
    let told = second.answer("GET");
    assert_eq!((told.status(), told.values("Retry-After").len()), (503, 1));
    go.send(()).unwrap();
    assert_eq!(first.answer("GET").status(), 200);
    balancer.rests();
    second.say(GET); // it may ask again on the same connection
    go.send(()).unwrap();
    assert_eq!(second.answer("GET").status(), 200);
}

#[test]
fn many_in_line_are_all_served_one_at_a_time() {
    let (backend, go) = on_word();
    let lines = "backend-connections 2\nqueue 100\nqueue-timeout 1h\n";
    let balancer = Balancer::before([&backend], lines);
    let mut clients: Vec<Client> = (0..50).map(|_| balancer.client()).collect();
    clients.iter_mut().for_each(|client| client.say(GET));
    eventually("all but two wait", || balancer.waiting() == 48);
    clients.iter().for_each(|_| go.send(()).unwrap());
    for client in &mut clients {
        assert_eq!(client.answer("GET").status(), 200);
    }
    assert!(backend.connections() <= 2, "{}", backend.connections());
}

#[test]
fn nobody_waits_behind_a_request_that_may_not_have_the_backend_that_is_free() {
    let (full, go) = on_word();
    let failed = Arc::new(AtomicBool::new(false));
    let once = failed.clone();
    let free = Backend::start(move |peer| {
        while peer.request().is_some() {
            if !once.swap(true, Ordering::SeqCst) {
                return; // the first request is failed
            }
            peer.say(OK);
        }
    });
    let balancer = Balancer::before(
        [&full, &free],
        "backend-connections 1\nqueue-timeout 1h\nmax-failures 0\n",
    );
    let mut first = balancer.client();
    first.say(GET);
    eventually("the first is under way", || balancer.active() == 1);
    let mut second = balancer.client();
    second.say(GET);
    eventually("the second waits for the full one", || {
        balancer.waiting() == 1
    });
    assert!(failed.load(Ordering::SeqCst));
    assert_eq!(balancer.get("/").status(), 200, "by the one that is free");
    for client in [&mut first, &mut second] {
        go.send(()).unwrap();
        assert_eq!(client.answer("GET").status(), 200);
    }
}

/// What a client from this address is told without asking.
fn greeting(balancer: &Balancer, from: &str) -> u16 {
    let answer = Client::of(connect_from(&format!("{from}:0"), &balancer.address)).answer("GET");
    // A server with a clock sends it (RFC 9110 §6.6.1).
    assert_eq!(answer.values("Date").len(), 1);
    answer.status()
}

#[test]
fn a_connection_too_many_is_told_503_and_one_of_a_crowd_429() {
    let backend = Backend::saying(OK);
    let lines = "max-connections 2\nmax-per-peer 1\ndeny 127.0.0.9\n";
    let balancer = Balancer::before([&backend], lines);
    let mut first = balancer.client();
    assert_eq!(first.get("/").status(), 200);
    assert_eq!(greeting(&balancer, "127.0.0.1"), 429);
    assert_eq!(greeting(&balancer, "127.0.0.9"), 403);
    let mut second = Client::of(connect_from("127.0.0.2:0", &balancer.address));
    assert_eq!(second.get("/").status(), 200);
    assert_eq!(greeting(&balancer, "127.0.0.3"), 503);
    drop(first);
    eventually("a place is free", || {
        let mut third = Client::of(connect_from("127.0.0.3:0", &balancer.address));
        // Told without asking, or served.
        third.try_say(GET).is_ok() && third.whole_or_cut("GET").is_ok_and(|a| a.status() == 200)
    });
}

#[test]
fn behind_a_proxy_the_clients_are_counted_and_not_the_proxy() {
    let backend = Backend::saying(OK);
    let lines = "listen 127.0.0.1:0 proxy-protocol\ntrust 127.0.0.1/32\nmax-per-peer 1\n";
    let balancer = Balancer::before([&backend], lines);
    let from = |client: &str| {
        let mut conn = balancer.client();
        conn.say(format!("PROXY TCP4 {client} 198.51.100.1 1111 80\r\n{GET}"));
        let status = conn.answer("GET").status();
        (conn, status)
    };
    let (first, status) = from("192.0.2.1");
    assert_eq!(status, 200);
    assert_eq!(from("192.0.2.1").1, 429);
    assert_eq!(from("192.0.2.2").1, 200);
    drop(first);
    eventually("its place is free", || from("192.0.2.1").1 == 200);
}

#[test]
fn requests_faster_than_the_rate_are_told_429_and_when_to_come_again() {
    let backend = Backend::saying(OK);
    let balancer = Balancer::before([&backend], "rate-limit 1\nrate-burst 2\n");
    let mut client = balancer.client();
    assert_eq!(client.get("/").status(), 200);
    assert_eq!(client.get("/").status(), 200);
    let told = (0..20)
        .map(|_| client.get("/"))
        .find(|answer| answer.status() != 200);
    let told = told.unwrap();
    assert_eq!(
        (told.status(), told.values("Retry-After")),
        (429, vec![&b"1"[..]])
    );
    // Somebody else is not to blame.
    let mut other = Client::of(connect_from("127.0.0.2:0", &balancer.address));
    assert_eq!(other.get("/").status(), 200);
}

#[test]
fn a_reload_fills_nobodys_bucket_unless_the_rate_is_another() {
    let backend = Backend::saying(OK);
    let lines = |rate| format!("rate-limit {rate}\nrate-burst 40\n{}", backend.line());
    let balancer = Balancer::start(&lines(1));
    let mut client = balancer.client();
    let mut until_429 = || {
        let served = (0..1_000).take_while(|_| client.get("/").status() == 200);
        served.count()
    };
    assert!(until_429() >= 40);
    balancer.reload(&lines(1));
    assert!(until_429() < 40);
    balancer.reload(&lines(2));
    assert!(until_429() >= 40);
}

#[test]
fn a_body_above_the_limit_is_told_413_however_it_is_framed() {
    let backend = Backend::saying(OK);
    let balancer = Balancer::before([&backend], "max-body 4\nmax-failures 1\n");
    let bodies = [
        ("Content-Length: 4\r\n\r\nbody", 200),
        (
            "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
            200,
        ),
        ("Content-Length: 5\r\n\r\nabody", 413),
        (
            "Transfer-Encoding: chunked\r\n\r\n5\r\nabody\r\n0\r\n\r\n",
            413,
        ),
        (
            "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n1\r\ns\r\n0\r\n\r\n",
            413,
        ),
    ];
    for (body, status) in bodies {
        let mut client = balancer.client();
        client.say(format!("POST / HTTP/1.1\r\nHost: a\r\n{body}"));
        assert_eq!(client.answer("POST").status(), status, "{body}");
    }
    assert_eq!(
        balancer.get("/").status(),
        200,
        "the backend is not to blame"
    );
}

#[test]
fn a_chunk_that_announces_more_than_the_limit_is_refused_before_it_comes() {
    let (tell, told) = mpsc::channel();
    let backend = Backend::start(move |peer| {
        peer.ended();
        let _ = tell.send(());
    });
    let balancer = Balancer::before([&backend], "max-body 10\n");
    let mut client = balancer.client();
    client.say("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nx");
    assert_eq!(client.answer("POST").status(), 413);
    told.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn a_balancer_that_is_its_own_backend_ends_the_loop_by_the_number_of_fields() {
    let limit = "max-fields 20\n";
    let balancer = Balancer::start(&format!("backend http://127.0.0.1:1\n{limit}"));
    let address = &balancer.address;
    balancer.reload(&format!("backend http://{address}\n{limit}"));
    // Each time around adds a Via (RFC 9110 §7.6: no message to itself without protection).
    assert_eq!(balancer.get("/").status(), 431);
}
