//! What is sent again, to whom, and what never is.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use crate::balancer::Balancer;
use crate::scripted::{Backend, OK};
use crate::support::{Folder, PATIENCE};

const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";

#[test]
fn kept_connections_that_a_backend_has_closed_cost_no_request() {
    let (tell, told) = mpsc::channel();
    let hasty = Backend::start(move |peer| {
        peer.request();
        peer.say(OK);
        peer.finish(); // does not say so before
        let _ = tell.send(());
    });
    let balancer = Balancer::before([&hasty], "retries 0\n");
    let mut client = balancer.client();
    for number in 0..20 {
        assert_eq!(client.get("/").status(), 200, "GET {number}");
        told.recv_timeout(PATIENCE).unwrap();
        client.say(POST);
        assert_eq!(client.answer("POST").status(), 200, "POST {number}");
        told.recv_timeout(PATIENCE).unwrap();
    }
    assert_eq!(balancer.standings()[0].backend.counts.failures.get(), 0);
}

#[test]
fn when_one_kept_connection_was_stale_the_request_goes_on_a_new_one() {
    let (tell, told) = mpsc::channel();
    // Each connection is good for one request, and does not say so before the second.
    let backend = Backend::start(move |peer| {
        if peer.request().is_some() {
            let (go, gate) = mpsc::channel();
            let _ = tell.send(go);
            let _ = gate.recv_timeout(PATIENCE);
            peer.say(OK);
            peer.request();
        }
    });
    let balancer = Balancer::before([&backend], "retries 0\nmax-failures 0\n");
    let mut clients: Vec<_> = (0..4).map(|_| balancer.client()).collect();
    let mut gates = Vec::new();
    for client in &mut clients {
        client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        gates.push(told.recv_timeout(PATIENCE).unwrap());
    }
    gates.iter().for_each(|gate| gate.send(()).unwrap());
    for client in &mut clients {
        assert_eq!(client.answer("GET").status(), 200);
    }
    // Four are kept now.
    clients[0].say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let gate = told.recv_timeout(PATIENCE).expect("a fifth connection");
    gate.send(()).unwrap();
    assert_eq!(clients[0].answer("GET").status(), 200);
    assert_eq!(backend.connections(), 5);
}

#[test]
fn a_post_whose_connection_ends_without_a_reply_is_not_sent_again() {
    for kept in [false, true] {
        let posts = Arc::new(AtomicUsize::new(0));
        let count = posts.clone();
        let script = move |peer: &mut crate::scripted::Peer| {
            while let Some(request) = peer.request() {
                if request.word(0) == "POST" {
                    count.fetch_add(1, Ordering::SeqCst);
                    return;
                }
                peer.say(OK);
            }
        };
        let one = Backend::start(script.clone());
        let other = Backend::start(script);
        let balancer = Balancer::before([&one, &other], "max-failures 0\n");
        let mut client = balancer.client();
        if kept {
            client.get("/");
            client.get("/");
        }
        client.say(POST);
        assert_eq!(client.answer("POST").status(), 502, "kept: {kept}");
        assert_eq!(posts.load(Ordering::SeqCst), 1, "kept: {kept}");
    }
}

#[test]
fn what_one_backend_failed_goes_to_another_one_with_its_body() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let bad = |name: &'static str| {
        let seen = seen.clone();
        Backend::start(move |peer| {
            let request = peer.request().unwrap();
            seen.lock().unwrap().push((name, request.body));
        })
    };
    let (one, two) = (bad("one"), bad("two"));
    let good = Backend::start(|peer| {
        let request = peer.request().unwrap();
        assert_eq!(request.body, b"hi");
        peer.say(OK);
    });
    let balancer = Balancer::before([&one, &two, &good], "retries 2\nmax-failures 0\n");
    let mut client = balancer.client();
    client.say("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(client.answer("PUT").status(), 200);
    let mut seen = seen.lock().unwrap().clone();
    seen.sort();
    assert_eq!(seen, [("one", b"hi".to_vec()), ("two", b"hi".to_vec())]);
}

#[test]
fn a_body_that_was_streamed_is_not_sent_again() {
    let bad = |tell: mpsc::Sender<()>| {
        Backend::start(move |peer| {
            peer.head();
            let _ = tell.send(());
            peer.bytes();
        })
    };
    let (tell, told) = mpsc::channel();
    let (one, two) = (bad(tell.clone()), bad(tell));
    let balancer = Balancer::before([&one, &two], "retries 2\nmax-failures 0\n");
    let mut client = balancer.client();
    client.say("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n");
    told.recv_timeout(PATIENCE).unwrap();
    client.say("hi");
    assert_eq!(client.answer("PUT").status(), 502);
    assert_eq!(one.connections() + two.connections(), 1);
}

#[test]
fn no_more_is_sent_again_than_the_budget_allows() {
    let (bad, good) = (
        Backend::start(|peer| drop(peer.request())),
        Backend::saying(OK),
    );
    let fails = |lines: &str| {
        let lines = format!("max-failures 0\n{lines}");
        let balancer = Balancer::before([&bad, &good], &lines);
        let mut client = balancer.client();
        let statuses = (0..40).map(|_| client.get("/").status());
        statuses.filter(|status| *status == 502).count()
    };
    assert_eq!(fails("retry-budget 100\nretry-reserve 0\n"), 0);
    assert_eq!(fails("retry-budget 0\nretry-reserve 0\n"), 20);
    assert_eq!(fails("retries 0\n"), 20);
    let some = fails("retry-budget 20\nretry-reserve 0\n");
    assert!((11..20).contains(&some), "{some} failed");
}

#[test]
fn what_nobody_else_can_take_is_not_counted_as_sent_again() {
    let bad = Backend::start(|peer| drop(peer.request()));
    let folder = Folder::new();
    let log = folder.path("log");
    let lines = format!("max-failures 0\naccess-log \"{log}\"\naccess-format extended\n");
    let balancer = Balancer::before([&bad], &lines);
    assert_eq!(balancer.get("/").status(), 502);
    balancer.rests();
    let counts = balancer.standings()[0].backend.counts.clone();
    assert_eq!((counts.requests.get(), counts.retries.get()), (1, 0));
    drop(balancer);
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains(" retries=0 "), "{log}");
}
