//! Groundwire: a thread a connection, and a thread a caller. Limits and metrics are on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use groundwire::net::{self, Network};
use groundwire::rpc::{Call, Client, ClientConfig, Failure, RpcHandler, STACK_SIZE, ServerConfig};
use groundwire::server::{Config, Server};
use groundwire::telemetry::Registry;

groundwire::rpc_service! {
    trait Sums, client SumsClient, as "Sums" {
        [repeatable] fn add(a: i64, b: i64) -> i64, as "Add";
    }
}

struct Adder;

impl Sums for Adder {
    fn add(&self, _: &Call<'_>, a: i64, b: i64) -> Result<i64, Failure> {
        Ok(a + b)
    }
}

pub fn serve() {
    let listener = net::listen(Network::Tcp, "127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr());
    let handler = RpcHandler::new(ServerConfig::default(), vec![Adder.into_service()]);
    let registry = Registry::new();
    handler.register(&registry);
    let config = Config { stack_size: STACK_SIZE, ..Config::default() };
    Server::new(config, handler).run(listener).unwrap();
}

pub fn call(address: &str, callers: usize, connections: usize, time: Duration) {
    let config = ClientConfig { batch: callers > 1, ..ClientConfig::default() };
    let clients: Vec<Client> = (0..connections)
        .map(|_| Client::over(net::dial(Network::Tcp, address).unwrap(), config.clone()).unwrap())
        .collect();
    let (begun, over) = (Instant::now(), AtomicBool::new(false));
    let (mut times, mut wrong) = (Vec::new(), 0);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..callers)
            .map(|number| {
                let client = SumsClient(clients[number % connections].clone());
                let over = &over;
                scope.spawn(move || {
                    let (mut times, mut wrong, mut n) = (Vec::with_capacity(1 << 20), 0, 0_i64);
                    while !over.load(Ordering::Relaxed) {
                        let sent = Instant::now();
                        wrong += u64::from(client.add(number as i64, n).unwrap() != number as i64 + n);
                        times.push(sent.elapsed().as_nanos() as u64);
                        n += 1;
                    }
                    (times, wrong)
                })
            })
            .collect();
        thread::sleep(time);
        over.store(true, Ordering::Relaxed);
        for thread in threads {
            let (some, bad) = thread.join().unwrap();
            times.extend(some);
            wrong += bad;
        }
    });
    crate::report(times, wrong, begun.elapsed());
}
