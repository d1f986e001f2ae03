//! Everything at once, by seed: calls, deadlines, cancels, streams dropped half-way, and a server
//! that stops and starts again. Every call ends in its time, and what succeeds is right.
//!
//! `GROUNDWIRE_STRESS` is how many rounds each thread does (400 without it).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use groundwire::net::Network;
use groundwire::rpc::{
    CallError, ClientConfig, Failure, ReconnectConfig, Reconnecting, ServerConfig,
};
use groundwire::server::Config;

use crate::support::{Seeded, eventually};
use crate::world::*;

const THREADS: usize = 12;
/// What a busy machine may add to a call's time.
const MARGIN: Duration = Duration::from_secs(8);

fn small() -> ServerConfig {
    ServerConfig {
        in_flight: 8,
        workers: 4,
        queue: 8,
        window: 3,
        drain: Duration::from_millis(20),
        ..ServerConfig::default()
    }
}

fn draining() -> Config {
    Config {
        drain: Duration::from_millis(50),
        ..Config::default()
    }
}

/// Ends that a call may have here, and no other.
fn expected(error: &CallError) -> bool {
    matches!(
        error,
        CallError::DeadlineExceeded
            | CallError::Disconnected { .. }
            | CallError::TooManyCalls { .. }
            | CallError::Failed(
                Failure::DeadlineExceeded
                    | Failure::Cancelled
                    | Failure::Refused(_) // a stream that a stop has cut
                    | Failure::ShuttingDown
                    | Failure::Overloaded(_)
            )
    )
}

/// One thing that a caller does, by chance.
fn one(client: &Reconnecting, seeded: &mut Seeded) -> Result<(), CallError> {
    let time = Some(Duration::from_micros(1 << seeded.below(18)));
    let number = seeded.next() as i64 >> 8;
    match seeded.below(8) {
        0 | 1 => {
            let sum: i64 = client
                .client()?
                .call_within("Lab.Add", &(number, 1_i64), time)?;
            assert_eq!(sum, number + 1);
        }
        2 => assert_eq!(LabClient(client).add(number, 2)?, number + 2),
        3 => {
            let text = number.to_string().repeat(1 + seeded.below(2000));
            let same: String = client.client()?.call_within("Lab.Echo", &(&text,), time)?;
            assert_eq!(same, text);
        }
        4 => {
            let waits = client
                .client()?
                .call_within::<_, ()>("Lab.UntilCancelled", &(), time);
            assert!(waits.is_err(), "nobody ends it before its time");
            waits?;
        }
        5 => drop(client.client()?.start("Lab.UntilCancelled", &(), time)?),
        6 => {
            let (until, taken) = (seeded.below(40) as u64, seeded.below(60));
            let stream = client
                .client()?
                .stream::<_, u64>("Lab.Numbers", &(until,), time)?;
            for (expected, item) in stream.take(taken).enumerate() {
                assert_eq!(item?, expected as u64);
            }
        }
        _ => {
            let len = seeded.below(300_000) as u32;
            let client = client.client()?;
            let bytes = client.start("Lab.Bytes", &(len,), time)?;
            let more = client.start("Lab.Refuses", &("why",), time)?;
            let refused = more.wait::<()>().unwrap_err();
            let why = CallError::Failed(Failure::Refused("why".into()));
            assert!(refused == why || expected(&refused), "{refused:?}");
            assert_eq!(bytes.wait::<Vec<u8>>()?, vec![7; len as usize]);
        }
    }
    Ok(())
}

#[test]
fn every_call_ends_in_its_time_whatever_the_others_do() {
    let rounds = std::env::var("GROUNDWIRE_STRESS").ok();
    let rounds: usize = rounds.map_or(400, |text| text.parse().expect("GROUNDWIRE_STRESS"));
    let mut seeded = Seeded::new(11);
    let mut world = world_at("127.0.0.1:0", small(), draining());
    let address = world.address.clone();
    let config = ReconnectConfig {
        connections: 2,
        first_pause: Duration::from_millis(1),
        client: ClientConfig {
            time: Some(Duration::from_secs(2)),
            ping_after: Duration::from_millis(3),
            pong_within: Duration::from_secs(4),
            ..ClientConfig::default()
        },
        ..ReconnectConfig::default()
    };
    let client = Arc::new(Reconnecting::new(Network::Tcp, &address, config));
    let (done, well) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (client, mut seeded) = (client.clone(), seeded.child());
            let (done, well) = (done.clone(), well.clone());
            thread::spawn(move || {
                for _ in 0..rounds {
                    let begun = Instant::now();
                    match one(&client, &mut seeded) {
                        Ok(()) => drop(well.fetch_add(1, Ordering::Relaxed)),
                        Err(error) => assert!(expected(&error), "{error:?}"),
                    }
                    assert!(begun.elapsed() < Duration::from_secs(2) + MARGIN);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for part in 1..4 {
        eventually("calls go on", || {
            done.load(Ordering::Relaxed) > part * THREADS * rounds / 5
                || threads.iter().all(|thread| thread.is_finished())
        });
        world.running.stop().unwrap();
        world = world_at(&address, small(), draining());
    }
    let failed = threads
        .into_iter()
        .filter_map(|thread| thread.join().err())
        .count();
    assert_eq!(failed, 0, "threads that failed");
    assert_eq!(LabClient(&*client).add(20, 22).unwrap(), 42);
    let well = well.load(Ordering::Relaxed);
    println!("{well} of {} went well", THREADS * rounds);
    assert!(well > THREADS * rounds / 10);
}
