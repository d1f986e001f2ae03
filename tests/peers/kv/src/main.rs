//! Clients that write to a cluster of `kv-server`, or read from it, one request each at a time.
//!
//! ```text
//! kv-load put|get SERVERS CLIENTS SECONDS
//! ```
//!
//! Each client is one of its own, with its session and its connection. Prints requests a second, the
//! 50th and the 99th percentile in microseconds, and how many failed. Reads are linearizable; there
//! are no others.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use groundwire::kv::store::{Store, StoreError};
use groundwire::kv::{Client, ClientConfig};
use groundwire::raft::Dice;

// As in tests/peers/etcd.
const KEYS: u64 = 1000;
const VALUE: [u8; 128] = [b'v'; 128];
const WARMING: Duration = Duration::from_millis(200);

/// What all clients share.
struct Run {
    /// All are connected; the clock begins.
    ready: Barrier,
    warm: AtomicBool,
    over: AtomicBool,
}

fn request(client: &Client, what: &str, key: &[u8]) -> Result<(), StoreError> {
    if what == "put" {
        return client.put(key, &VALUE).map(drop);
    }
    let found = client.get(key)?;
    assert!(found.is_none_or(|pair| pair.value.len() == VALUE.len()), "another value than was put");
    Ok(())
}

/// One client: nanoseconds of each request, and how many failed.
fn client(number: u64, what: &str, servers: &[String], run: &Run) -> (Vec<u64>, u64) {
    let client = Client::new(ClientConfig::new(servers.to_vec()));
    let mut dice = Dice::new(number);
    let (mut times, mut failed) = (Vec::with_capacity(1 << 16), 0);
    // The connection, and what a client asks for once.
    let first = request(&client, what, b"a connection before the clock runs");
    run.ready.wait();
    first.unwrap_or_else(|why| panic!("the first request: {why}"));
    while !run.over.load(Ordering::Relaxed) {
        let key = format!("key-{:04}", dice.below(KEYS));
        let sent = Instant::now();
        if let Err(why) = request(&client, what, key.as_bytes()) {
            eprintln!("kv-load: {why}");
            failed += 1;
        }
        if run.warm.load(Ordering::Relaxed) {
            times.push(sent.elapsed().as_nanos() as u64);
        }
    }
    (times, failed)
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, servers, clients, seconds] = &arguments[..] else {
        panic!("usage: kv-load put|get SERVERS CLIENTS SECONDS");
    };
    let servers: Vec<String> = servers.split(',').map(String::from).collect();
    let clients: u64 = clients.parse().expect("CLIENTS: a number");
    let time = Duration::from_secs_f64(seconds.parse().expect("SECONDS: a number"));
    let run = Run {
        ready: Barrier::new(clients as usize + 1),
        warm: AtomicBool::new(false),
        over: AtomicBool::new(false),
    };
    let (mut times, mut failed, mut elapsed) = (Vec::new(), 0, Duration::ZERO);
    thread::scope(|scope| {
        let start = |number| {
            let (servers, run) = (&servers, &run);
            scope.spawn(move || client(number, what, servers, run))
        };
        let threads: Vec<_> = (0..clients).map(start).collect();
        run.ready.wait();
        thread::sleep(WARMING);
        run.warm.store(true, Ordering::Relaxed);
        let begun = Instant::now();
        thread::sleep(time);
        run.over.store(true, Ordering::Relaxed);
        for thread in threads {
            let (mine, bad) = thread.join().expect("a client without a panic");
            times.extend(mine);
            failed += bad;
        }
        elapsed = begun.elapsed();
    });
    times.sort_unstable();
    let at = |part: f64| times.get((times.len() as f64 * part) as usize).copied().unwrap_or(0) as f64 / 1e3;
    println!("{:.0} {:.1} {:.1} {failed}", times.len() as f64 / elapsed.as_secs_f64(), at(0.5), at(0.99));
}
