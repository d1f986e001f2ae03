//! Many at a time, and for long.
//!
//! `GROUNDWIRE_SOAK` is how many seconds the soak takes (2 without it).

use std::thread;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::program::{HTTP_BACKEND, LOAD_BALANCER, Program};
use crate::support::eventually;

/// A proxy before a backend, both processes of their own.
fn pair(flags: &[&str]) -> (Program, Program) {
    let backend = Program::start(HTTP_BACKEND, &["127.0.0.1:0"]);
    let url = format!("http://{}", backend.address);
    let base = [
        "--listen",
        "127.0.0.1:0",
        "--backend",
        &url,
        "--scheduling",
        "normal",
    ];
    let proxy = Program::start(LOAD_BALANCER, &[&base, flags].concat());
    (proxy, backend)
}

/// How long a request of fifty clients takes, by their turns: the middle of all, and the longest of
/// nine in ten.
fn latencies(fast: &mut [Client], mut between: impl FnMut()) -> (Duration, Duration) {
    let mut all = Vec::new();
    for _ in 0..10 {
        for client in fast.iter_mut() {
            let begun = Instant::now();
            assert_eq!(client.get("/").status(), 200);
            all.push(begun.elapsed());
        }
        between();
    }
    all.sort();
    (all[all.len() / 2], all[all.len() * 9 / 10])
}

#[test]
fn a_thousand_slow_clients_do_not_slow_fifty_fast_ones() {
    let (proxy, _backend) = pair(&[]);
    let mut fast: Vec<Client> = (0..50).map(|_| Client::to(&proxy.address)).collect();
    latencies(&mut fast, || {});
    let alone = latencies(&mut fast, || {});
    // Some drip a header section; some have asked for much and read nothing.
    let mut slow: Vec<Client> = (0..1000).map(|_| Client::to(&proxy.address)).collect();
    let (dripping, deaf) = slow.split_at_mut(800);
    for client in dripping.iter_mut() {
        client.say("GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ");
    }
    for client in deaf.iter_mut() {
        client.say("GET /bytes/10000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    let mut turns = dripping.chunks_mut(80);
    let beside = latencies(&mut fast, || {
        let some = turns.next().into_iter().flatten();
        some.for_each(|client| client.say("x"));
    });
    let most = |time: Duration| time * 5 + Duration::from_millis(20);
    assert!(beside.0 < most(alone.0), "middle: {alone:?}, {beside:?}");
    assert!(
        beside.1 < most(alone.1),
        "nine in ten: {alone:?}, {beside:?}"
    );
}

/// All that clients do, once.
fn work(address: &str) {
    let mut client = Client::to(address);
    (0..20).for_each(|_| assert_eq!(client.get("/").status(), 200));
    assert_eq!(client.get("/bytes/300000").body.len(), 300_000);
    assert_eq!(client.get("/status/404").status(), 404);
    client.say("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    client.say(vec![b'x'; 100_000]);
    assert_eq!(client.answer("POST").status(), 200);
    // Those that break a rule, that leave in the middle, whose backend dies.
    let mut wrong = Client::to(address);
    wrong.say("GET / HTTP/1.1\r\nHost : a\r\n\r\n");
    assert_eq!(wrong.answer("GET").status(), 400);
    wrong.ended();
    let mut leaves = Client::to(address);
    leaves.say("GET /bytes/100000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    leaves.at_least(100_000);
    let mut half = Client::to(address);
    half.say("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nhalf");
    half.conn.reset_on_close().unwrap();
    let mut dies = Client::to(address);
    dies.say("GET /die HTTP/1.1\r\nHost: a\r\n\r\n");
    let _ = dies.whole_or_cut("GET");
}

#[test]
fn what_the_proxy_uses_does_not_grow() {
    let flags = ["--max-failures", "0", "--retry-reserve", "1000"];
    let (proxy, _backend) = pair(&flags);
    let round = || {
        let workers: Vec<_> = (0..4).map(|_| proxy.address.clone()).collect();
        let workers = workers
            .into_iter()
            .map(|address| thread::spawn(move || work(&address)));
        let workers: Vec<_> = workers.collect();
        workers
            .into_iter()
            .for_each(|worker| worker.join().unwrap());
    };
    let rest = |descriptors: usize, threads: u64| {
        eventually("all connections have ended", || {
            proxy.descriptors() <= descriptors && proxy.status("Threads") <= threads
        });
    };
    (0..5).for_each(|_| round());
    // What it keeps: idle connections to the backend, threads that wait for clients.
    let (descriptors, threads) = (4 + 64, 64 + 16);
    rest(descriptors, threads);
    let before = proxy.status("VmRSS");
    let seconds = std::env::var("GROUNDWIRE_SOAK").map_or(2, |text| text.parse().unwrap());
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(seconds) {
        round();
    }
    rest(descriptors, threads);
    let after = proxy.status("VmRSS");
    assert!(after < before + 3000, "{before} kB, and then {after}");
}
