//! A pool of connections: what it keeps, for how long, and what it throws away.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use crate::support::{Folder, PATIENCE, eventually, listener};
use groundwire::net::{
    self, Conn, ConnPool, Deadline, Dialer, Listener, Liveness, Network, PoolConfig, Pooled,
};

/// A listener, and an empty pool of connections to it.
fn pool(config: PoolConfig) -> (Listener, ConnPool) {
    let (listener, _) = listener();
    let address = listener.local_addr().ip().unwrap();
    let pool = ConnPool::new(Dialer::default(), Network::Tcp, address, config);
    (listener, pool)
}

/// A loan, and the other end of it, which the listener has just accepted.
fn loan(listener: &Listener, pool: &ConnPool) -> (Pooled, Conn) {
    let loan = pool.get_fresh().unwrap();
    let theirs = listener.accept().unwrap();
    theirs.set_deadline(Deadline::after(PATIENCE));
    (loan, theirs)
}

#[test]
fn a_pool_uses_a_kept_connection_again_and_closes_a_dropped_one() {
    let (listener, pool) = pool(PoolConfig::default());
    let first = pool.get(Liveness::Check).unwrap();
    let mut theirs = listener.accept().unwrap();
    assert!(first.is_fresh());
    first.keep();
    let again = pool.get(Liveness::Check).unwrap();
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
fn a_pool_leads_to_a_name_or_a_unix_path_as_well_as_to_an_ip_address() {
    let folder = Folder::new();
    let path = folder.path("s");
    for (network, listening) in [(Network::Tcp4, "localhost:0"), (Network::Unix, &path)] {
        let listener = net::listen(network, listening).unwrap();
        let address = match listener.local_addr().ip() {
            Some(address) => format!("localhost:{}", address.port()),
            None => path.clone(),
        };
        let config = PoolConfig::default();
        let pool = ConnPool::new(Dialer::default(), network, address.as_str(), config);
        pool.get(Liveness::Check).unwrap().keep();
        assert!(!pool.get(Liveness::Check).unwrap().is_fresh(), "{network}");
    }
}

#[test]
fn an_ip_address_that_the_network_or_the_local_address_excludes_is_not_dialled() {
    let v6: SocketAddr = "[::1]:9".parse().unwrap();
    let from_v4 = Dialer {
        local: Some("127.0.0.1:0".parse().unwrap()),
        ..Dialer::default()
    };
    for (dialer, network, why) in [
        (
            Dialer::default(),
            Network::Tcp4,
            "connect tcp4 [::1]:9: the network is of the other family",
        ),
        (
            from_v4,
            Network::Tcp,
            "connect tcp [::1]:9: the local address is of the other family",
        ),
        (
            Dialer::default(),
            Network::Udp,
            "connect udp: not possible on this network, use dial_datagrams",
        ),
    ] {
        assert_eq!(dialer.dial_ip(network, v6).unwrap_err().to_string(), why);
    }
}

#[test]
fn the_connection_used_last_is_given_out_first() {
    let (listener, pool) = pool(PoolConfig::default());
    let (first, first_peer) = loan(&listener, &pool);
    let (second, second_peer) = loan(&listener, &pool);
    first.keep();
    second.keep();
    for mut peer in [second_peer, first_peer] {
        let again = pool.get(Liveness::Check).unwrap();
        (&*again).write_all(b"?").unwrap();
        assert_eq!(peer.read(&mut [0]).unwrap(), 1);
    }
}

#[test]
fn a_kept_connection_does_not_bring_the_last_loans_deadlines_along() {
    let (listener, pool) = pool(PoolConfig::default());
    let (first, mut theirs) = loan(&listener, &pool);
    first.set_deadline(Deadline::after(Duration::ZERO));
    first.keep();
    let again = pool.get(Liveness::Check).unwrap();
    assert!(!again.is_fresh());
    let mut conn: &Conn = &again;
    conn.write_all(b"?").unwrap();
    theirs.write_all(b"!").unwrap();
    conn.read_exact(&mut [0]).unwrap();
}

#[test]
fn a_pool_at_rest_closes_what_is_too_old_when_it_is_told_to_prune() {
    let (_listener, pool) = pool(PoolConfig::default());
    pool.get_fresh().unwrap().keep();
    pool.prune();
    assert_eq!(pool.stats().idle, 1);
    for short_idle in [true, false] {
        let (short, long) = (Duration::from_micros(1), Duration::from_secs(60));
        let (listener, pool) = self::pool(PoolConfig {
            idle_time: if short_idle { short } else { long },
            // Old enough to be given back, and too old in a moment.
            max_age: if short_idle {
                long
            } else {
                Duration::from_millis(300)
            },
            ..PoolConfig::default()
        });
        let (loan, mut theirs) = loan(&listener, &pool);
        loan.keep();
        eventually("it is too old", || {
            pool.prune();
            pool.stats().idle == 0
        });
        assert_eq!(theirs.read(&mut [0]).unwrap(), 0, "it was not closed");
    }
}

#[test]
fn a_pool_discards_connections_that_the_peer_has_closed_or_spoken_on() {
    let (listener, pool) = pool(PoolConfig::default());
    for talkative in [false, true] {
        let (loan, mut theirs) = loan(&listener, &pool);
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
    assert!(pool.get(Liveness::Check).unwrap().is_fresh());
    assert_eq!(pool.stats().discarded, 2);
}

#[test]
fn a_connection_used_a_moment_ago_is_not_looked_at_by_a_caller_who_takes_the_risk() {
    let (listener, pool) = pool(PoolConfig::default());
    for (liveness, stale) in [
        (Liveness::CheckAfter(PATIENCE), true),
        (Liveness::CheckAfter(Duration::ZERO), false),
    ] {
        let (loan, theirs) = loan(&listener, &pool);
        let clone = Conn::clone(&loan);
        drop(theirs);
        eventually("the end arrives", || !clone.is_quiet());
        loan.keep();
        assert_eq!(!pool.get(liveness).unwrap().is_fresh(), stale);
    }
}

#[test]
fn a_pool_keeps_no_more_and_no_longer_than_configured() {
    for (max_idle, idle_time, max_age, kept) in [
        (2, PATIENCE, PATIENCE, 2),
        (0, PATIENCE, PATIENCE, 0),
        (9, Duration::ZERO, PATIENCE, 0),
        (9, PATIENCE, Duration::ZERO, 0),
    ] {
        let (listener, pool) = pool(PoolConfig {
            max_idle,
            idle_time,
            max_age,
        });
        let (loans, mut peers): (Vec<_>, Vec<_>) = (0..4).map(|_| loan(&listener, &pool)).unzip();
        loans.into_iter().for_each(Pooled::keep);
        let stats = pool.stats();
        assert_eq!((stats.idle, stats.discarded), (kept, 4 - kept as u64));
        // The longest idle ones had to go.
        for closed in &mut peers[..4 - kept] {
            assert_eq!(closed.read(&mut [0]).unwrap(), 0);
        }
        let again = pool.get(Liveness::Check).unwrap();
        assert_eq!(again.is_fresh(), kept == 0);
    }
}

#[test]
fn clearing_closes_what_is_idle_at_once_and_what_is_on_loan_when_it_is_given_back() {
    let (listener, pool) = pool(PoolConfig::default());
    let (idle, mut idle_peer) = loan(&listener, &pool);
    let (lent, mut lent_peer) = loan(&listener, &pool);
    idle.keep();
    pool.clear();
    assert_eq!(idle_peer.read(&mut [0]).unwrap(), 0);
    assert!(lent_peer.is_quiet(), "a loan goes on");
    lent.keep();
    assert_eq!(lent_peer.read(&mut [0]).unwrap(), 0);
    assert_eq!((pool.stats().idle, pool.stats().discarded), (0, 2));
    let (later, _peer) = loan(&listener, &pool);
    later.keep();
    assert_eq!(pool.stats().idle, 1);
}

#[test]
fn a_doubtful_connection_is_looked_at_even_for_a_caller_who_takes_the_risk() {
    let (listener, pool) = pool(PoolConfig::default());
    for talks in [false, true] {
        let (loan, mut theirs) = loan(&listener, &pool);
        if talks {
            theirs.write_all(b"more than it should").unwrap();
            eventually("it has arrived", || !loan.is_quiet());
        }
        loan.keep_doubtful();
        let again = pool.get(Liveness::CheckAfter(PATIENCE)).unwrap();
        assert_eq!(again.is_fresh(), talks);
    }
}
