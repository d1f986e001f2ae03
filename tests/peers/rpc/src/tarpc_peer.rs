//! tarpc over TCP with its bincode codec, on tokio's default runtime.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::{future, prelude::*};
use tarpc::server::{BaseChannel, Channel};
use tarpc::tokio_serde::formats::Bincode;
use tarpc::{client, context};

#[tarpc::service]
pub trait Sums {
    async fn add(a: i64, b: i64) -> i64;
}

#[derive(Clone)]
struct Adder;

impl Sums for Adder {
    async fn add(self, _: context::Context, a: i64, b: i64) -> i64 {
        a + b
    }
}

#[tokio::main]
pub async fn serve() {
    let listener = tarpc::serde_transport::tcp::listen("127.0.0.1:0", Bincode::default).await.unwrap();
    println!("{}", listener.local_addr());
    listener
        .filter_map(|accepted| future::ready(accepted.ok()))
        .for_each(|transport| {
            let channel = BaseChannel::with_defaults(transport);
            tokio::spawn(channel.execute(Adder.serve()).for_each(|response| {
                tokio::spawn(response);
                future::ready(())
            }));
            future::ready(())
        })
        .await;
}

#[tokio::main]
pub async fn call(address: &str, callers: usize, connections: usize, time: Duration) {
    let mut clients = Vec::new();
    for _ in 0..connections {
        let transport = tarpc::serde_transport::tcp::connect(address, Bincode::default).await.unwrap();
        clients.push(SumsClient::new(client::Config::default(), transport).spawn());
    }
    let (begun, over) = (Instant::now(), Arc::new(AtomicBool::new(false)));
    let tasks: Vec<_> = (0..callers)
        .map(|number| {
            let (client, over) = (clients[number % connections].clone(), over.clone());
            tokio::spawn(async move {
                let (mut times, mut wrong, mut n) = (Vec::with_capacity(1 << 20), 0, 0_i64);
                while !over.load(Ordering::Relaxed) {
                    let sent = Instant::now();
                    let sum = client.add(context::current(), number as i64, n).await.unwrap();
                    wrong += u64::from(sum != number as i64 + n);
                    times.push(sent.elapsed().as_nanos() as u64);
                    n += 1;
                }
                (times, wrong)
            })
        })
        .collect();
    tokio::time::sleep(time).await;
    over.store(true, Ordering::Relaxed);
    let (mut times, mut wrong) = (Vec::new(), 0);
    for task in tasks {
        let (some, bad) = task.await.unwrap();
        times.extend(some);
        wrong += bad;
    }
    crate::report(times, wrong, begun.elapsed());
}
