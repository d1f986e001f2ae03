//! The client's way out: who writes for others does so for a while only, and a server that cannot
//! read before it has written is read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use groundwire::rpc::{CallError, Client, ClientConfig};
use groundwire::wire::{Encode, Writer};

use crate::by_hand::*;
use crate::support::eventually_blocked;
use crate::world::*;

/// A value that cannot be written.
struct Panics;

impl Encode for Panics {
    fn encode(&self, writer: &mut Writer) {
        writer.put(b"half of it");
        panic!("in the middle of an argument");
    }
}

#[test]
fn an_argument_that_panics_leaves_nothing_on_the_connection() {
    let world = world();
    let client = world.client();
    let panicking = client.clone();
    thread::spawn(move || panicking.call::<_, ()>("Lab.Add", &Panics))
        .join()
        .unwrap_err();
    assert_eq!(LabClient(client).add(1, 2).unwrap(), 3);
}

#[test]
fn calls_that_are_started_and_not_awaited_cannot_stop_both_sides() {
    // The server writes 64 MiB of answers before it reads on, and so many requests are on their
    // way to it: neither fits into the sockets.
    let world = world();
    let client = world.client_with(ClientConfig {
        write_timeout: Duration::from_secs(20),
        ..ClientConfig::default()
    });
    let begun = Instant::now();
    let time = Some(Duration::from_secs(60));
    let asked: Vec<_> = (0..64)
        .map(|_| client.start("Lab.Bytes", &(1_u32 << 20,), time).unwrap())
        .collect();
    let told: Vec<_> = (0..64)
        .map(|_| {
            client
                .start("Lab.Refuses", &("x".repeat(1 << 20),), time)
                .unwrap()
        })
        .collect();
    for pending in asked {
        assert_eq!(pending.wait::<Vec<u8>>().unwrap().len(), 1 << 20);
    }
    for pending in told {
        assert!(matches!(pending.wait::<()>(), Err(CallError::Failed(_))));
    }
    assert!(
        begun.elapsed() < Duration::from_secs(19),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn what_others_leave_with_the_one_that_writes_is_bounded() {
    let config = ClientConfig {
        write_timeout: Duration::from_secs(3),
        ..ClientConfig::default()
    };
    let (client, _silent) = by_hand(config);
    let large = "x".repeat(1 << 20);
    let notifying = |name: &str, client: &Client| {
        let (client, large) = (client.clone(), large.clone());
        let named = thread::Builder::new().name(name.into());
        let notify = move || {
            (0..100)
                .take_while(|_| client.notify("A.B", &large).is_ok())
                .count()
        };
        named.spawn(notify).unwrap()
    };
    // Nobody reads: one is stuck in its write, the others must not pile up megabytes behind it.
    let first = notifying("notify-1", &client);
    eventually_blocked("notify-1", 1);
    let second = notifying("notify-2", &client);
    eventually_blocked("notify-2", 1);
    // A call waits for its turn no longer than it may.
    let late = client.call_within::<_, ()>("A.B", &(), Some(Duration::from_millis(50)));
    assert_eq!(late, Err(CallError::DeadlineExceeded));
    assert_eq!(first.join().unwrap(), 0);
    assert!(second.join().unwrap() <= 1);
}

#[test]
fn one_caller_does_not_write_for_the_others_for_ever() {
    let world = world();
    let client = world.client();
    let over = Arc::new(AtomicBool::new(false));
    let flooding: Vec<_> = (0..3)
        .map(|_| {
            let (client, over) = (client.clone(), over.clone());
            thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    client.notify("Lab.None", &()).unwrap();
                }
            })
        })
        .collect();
    let lab = LabClient(client);
    for round in 0..3 {
        assert_eq!(lab.add(round, 1).unwrap(), round + 1);
    }
    over.store(true, Ordering::Relaxed);
    flooding
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
}
