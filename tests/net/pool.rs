//! A pool of connections: what it keeps, for how long, and what it throws away.

use std::io::{Read, Write};
use std::time::Duration;

use crate::support::{PATIENCE, eventually, listener};
use groundwire::net::{self, Conn, ConnPool, Deadline, Dialer, Network, PoolConfig};

fn pool(config: PoolConfig) -> ConnPool {
    ConnPool::new(Dialer::default(), config)
}

#[test]
fn a_pool_uses_a_kept_connection_again_and_closes_a_dropped_one() {
    let (listener, address) = listener();
    let pool = pool(PoolConfig::default());
    let first = pool.get(Network::Tcp, &address).unwrap();
    let mut theirs = listener.accept().unwrap();
    assert!(first.is_fresh());
    first.keep();
    let again = pool.get(Network::Tcp, &address).unwrap();
    assert!(!again.is_fresh());
    drop(again);
    assert_eq!(
        theirs.read(&mut [0]).unwrap(),
        0,
        "a dropped loan must close"
    );
    let stats = pool.stats();
    assert_eq!((stats.dialled, stats.reused, stats.idle), (1, 1, 0));
}

#[test]
fn a_kept_connection_does_not_bring_the_last_loans_deadlines_along() {
    let (listener, address) = listener();
    let pool = pool(PoolConfig::default());
    let first = pool.get(Network::Tcp, &address).unwrap();
    let mut theirs = listener.accept().unwrap();
    first.set_deadline(Deadline::after(Duration::ZERO));
    first.keep();
    let again = pool.get(Network::Tcp, &address).unwrap();
    assert!(!again.is_fresh());
    let mut conn: &Conn = &again;
    conn.write_all(b"?").unwrap();
    theirs.write_all(b"!").unwrap();
    conn.read_exact(&mut [0]).unwrap();
}

#[test]
fn a_pool_at_rest_closes_what_is_too_old_when_it_is_told_to_prune() {
    let (listener, address) = listener();
    for (idle_time, kept) in [(Duration::from_secs(60), 1), (Duration::ZERO, 0)] {
        let pool = pool(PoolConfig {
            idle_time,
            ..PoolConfig::default()
        });
        pool.get(Network::Tcp, &address).unwrap().keep();
        let mut theirs = listener.accept().unwrap();
        theirs.set_deadline(Deadline::after(PATIENCE));
        pool.prune();
        assert_eq!(pool.stats().idle, kept);
        if kept == 0 {
            assert_eq!(theirs.read(&mut [0]).unwrap(), 0, "it was not closed");
        }
    }
}

#[test]
fn a_pool_discards_connections_that_the_peer_has_closed_or_spoken_on() {
    let (listener, address) = listener();
    let pool = pool(PoolConfig::default());
    for talkative in [false, true] {
        let loan = pool.get(Network::Tcp, &address).unwrap();
        let mut theirs = listener.accept().unwrap();
        let clone = Conn::clone(&loan);
        loan.keep();
        if talkative {
            theirs.write_all(b"unasked").unwrap();
        } else {
            drop(theirs);
        }
        // What the peer did has arrived when the connection is no longer quiet.
        eventually("the peer's act arrives", || !clone.is_quiet());
    }
    assert!(pool.get(Network::Tcp, &address).unwrap().is_fresh());
    assert_eq!(pool.stats().discarded, 2);
}

#[test]
fn a_pool_keeps_no_more_and_no_longer_than_configured() {
    let (_listener, address) = listener();
    let small = PoolConfig {
        max_idle_per_address: 2,
        max_idle: 2,
        ..PoolConfig::default()
    };
    for (config, idle) in [
        (small, 2),
        (
            PoolConfig {
                max_idle: 1,
                ..PoolConfig::default()
            },
            1,
        ),
        (
            PoolConfig {
                idle_time: Duration::ZERO,
                ..PoolConfig::default()
            },
            1,
        ),
        (
            PoolConfig {
                max_age: Duration::ZERO,
                ..PoolConfig::default()
            },
            1,
        ),
    ] {
        let pool = pool(config.clone());
        let loans: Vec<_> = (0..4)
            .map(|_| pool.get_fresh(Network::Tcp, &address).unwrap())
            .collect();
        loans.into_iter().for_each(net::Pooled::keep);
        assert_eq!(pool.stats().idle, idle, "{config:?}");
        let expired = config.idle_time.is_zero() || config.max_age.is_zero();
        assert_eq!(
            pool.get(Network::Tcp, &address).unwrap().is_fresh(),
            expired,
            "{config:?}"
        );
        pool.clear();
        assert_eq!(pool.stats().idle, 0);
    }
}

#[test]
fn a_full_pool_closes_the_connection_that_was_idle_longest_whatever_its_address() {
    let (one, first_address) = listener();
    let (two, second_address) = listener();
    let pool = pool(PoolConfig {
        max_idle: 1,
        ..PoolConfig::default()
    });
    pool.get(Network::Tcp, &first_address).unwrap().keep();
    let mut oldest = one.accept().unwrap();
    oldest.set_deadline(Deadline::after(PATIENCE));
    pool.get(Network::Tcp, &second_address).unwrap().keep();
    let _newest = two.accept().unwrap();
    assert_eq!(oldest.read(&mut [0]).unwrap(), 0, "it was not closed");
    let stats = pool.stats();
    assert_eq!((stats.dialled, stats.discarded, stats.idle), (2, 1, 1));
    let again = pool.get(Network::Tcp, &second_address).unwrap();
    assert!(!again.is_fresh());
}
