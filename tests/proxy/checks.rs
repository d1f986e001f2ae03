//! Active health checks of backends that fail, hang, come back, come and go.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use groundwire::net::plain_words;
use groundwire::proxy::config::PoolConfig;
use groundwire::proxy::health::State;
use groundwire::proxy::proxy_protocol::Version;
use groundwire::proxy::{Pool, checks};
use groundwire::server::Stopper;
use groundwire::sys::process::{descriptor_limit, set_descriptor_limit};
use groundwire::telemetry::{Format, Level, Log};

use crate::scripted::Backend;
use crate::support::{Kept, PATIENCE, count_of, eventually, in_own_process, listener};
use crate::world::{Origin, member, pool, standing, state};

const TIMEOUT: Duration = Duration::from_millis(300);

fn config() -> PoolConfig {
    PoolConfig {
        health_path: Some("/well".into()),
        health_interval: Duration::from_millis(10),
        health_timeout: TIMEOUT,
        ..PoolConfig::named("www")
    }
}

/// Runs the checks of a pool during a test, which must leave their thread able to end.
fn checked(pool: &Arc<Pool>, test: impl FnOnce()) {
    let stopper = Stopper::new();
    let thread = checks::start(pool.clone(), Log::off(), stopper.clone()).unwrap();
    test();
    stopper.stop();
    thread.join().unwrap();
}

#[test]
fn a_backend_goes_down_when_checks_fail_and_comes_back_when_they_pass() {
    let (good, bad) = (Origin::new(), Origin::new());
    let pool = pool(config(), &[&good.address, &bad.address]);
    checked(&pool, || {
        for (status, is_down) in [(503, true), (302, false), (404, true), (204, false)] {
            bad.status.store(status, Ordering::Relaxed);
            eventually("the checks decide", || {
                (state(&pool, &bad.address) == State::Down) == is_down
            });
            assert_eq!(state(&pool, &good.address), State::Up);
        }
    });
    let address = bad.address.clone();
    bad.stop();
    checked(&pool, || {
        eventually("nobody listens there", || {
            state(&pool, &address) == State::Down
        });
    });
}

#[test]
fn a_backend_that_hangs_is_down_and_delays_no_other_ones_check() {
    let (silent, silent_address) = listener(); // accepts in the kernel, says nothing
    let good = Origin::new();
    let long = PoolConfig {
        health_timeout: PATIENCE,
        ..config()
    };
    let stopper = Stopper::new();
    let slow = pool(long, &[&silent_address, &good.address]);
    checks::start(slow, Log::off(), stopper.clone()).unwrap();
    eventually("the good one is asked while the other hangs", || {
        good.asked.load(Ordering::Relaxed) > 0
    });
    stopper.stop();
    silent.close();

    let (_silent, silent_address) = listener();
    let pool = pool(config(), &[&silent_address, &good.address]);
    checked(&pool, || {
        eventually("it is down", || {
            state(&pool, &silent_address) == State::Down
        });
        assert_eq!(state(&pool, &good.address), State::Up);
    });
}

#[test]
fn members_that_join_are_checked_and_those_that_have_gone_are_not() {
    let (first, second) = (Origin::new(), Origin::new());
    let pool = pool(config(), &[&first.address]);
    checked(&pool, || {
        eventually("the first is asked", || {
            first.asked.load(Ordering::Relaxed) > 0
        });
        pool.set_members(vec![member(&second.address)]);
        eventually("the second is asked", || {
            second.asked.load(Ordering::Relaxed) > 1
        });
        // The round in which the second was asked twice began without the first.
        let asked = first.asked.load(Ordering::Relaxed);
        let more = second.asked.load(Ordering::Relaxed) + 3;
        eventually("the second is asked more", || {
            second.asked.load(Ordering::Relaxed) >= more
        });
        assert_eq!(first.asked.load(Ordering::Relaxed), asked);
    });
}

#[test]
fn a_check_is_a_request_that_says_who_asks_behind_a_header_with_its_own_addresses() {
    let (listener, address) = listener();
    let config = PoolConfig {
        proxy_protocol: Some(Version::V1),
        health_timeout: PATIENCE,
        ..config()
    };
    let pool = pool(config, &[&address]);
    let stopper = Stopper::new();
    checks::start(pool, Log::off(), stopper.clone()).unwrap();
    let mut conn = listener.accept().unwrap();
    let from = conn.peer_addr().ip().unwrap();
    let to = conn.local_addr().unwrap().ip().unwrap();
    let wanted = format!(
        "PROXY TCP4 127.0.0.1 127.0.0.1 {} {}\r\nGET /well HTTP/1.1\r\nHost: {address}\r\n\
         User-Agent: groundwire-health\r\nConnection: close\r\n\r\n",
        from.port(),
        to.port()
    );
    let mut request = vec![0; wanted.len()];
    conn.read_exact(&mut request).unwrap();
    assert_eq!(String::from_utf8(request).unwrap(), wanted);
    stopper.stop();
}

#[test]
fn the_log_says_why_a_check_failed() {
    let origin = Origin::new();
    origin.status.store(500, Ordering::Relaxed);
    let pool = pool(config(), &[&origin.address]);
    let kept = Kept::default();
    let log = Log::to_writer(Level::Debug, Format::Text, Box::new(kept.clone()));
    let stopper = Stopper::new();
    let thread = checks::start(pool.clone(), log, stopper.clone()).unwrap();
    let line = format!(
        "check failed pool=www backend={} cause=\"status 500\"",
        origin.address
    );
    eventually("it is logged", || kept.text().contains(&line));
    stopper.stop();
    thread.join().unwrap();
    assert_eq!(standing(&pool, &origin.address).active, 0);
}

#[test]
fn a_body_without_end_does_not_fail_a_check() {
    let endless = Backend::start(|peer| {
        peer.request();
        if peer.say(b"HTTP/1.1 200 OK\r\n\r\n") {
            while peer.say(&[b'x'; 4096]) {}
        }
    });
    let pool = pool(config(), &[&endless.address]);
    let backend = standing(&pool, &endless.address).backend;
    while state(&pool, &endless.address) != State::Down {
        pool.checked(&backend, Err(&"it was not ready"));
    }
    checked(&pool, || {
        eventually("it is back", || state(&pool, &endless.address) == State::Up);
    });
}

#[test]
fn a_check_for_which_a_descriptor_is_missing_says_nothing_about_the_backend() {
    const NAME: &str =
        "checks::a_check_for_which_a_descriptor_is_missing_says_nothing_about_the_backend";
    if in_own_process(NAME, &[]).is_some() {
        return;
    }
    let (_listener, address) = listener();
    let mut config = config();
    config.health.fall = 1;
    let pool = pool(config, &[&address]);
    let kept = Kept::default();
    let log = Log::to_writer(Level::Debug, Format::Text, Box::new(kept.clone()));
    let old = descriptor_limit().unwrap();
    set_descriptor_limit(count_of("fd") as u64 + 8).unwrap();
    let open = |_| File::open("/dev/null").ok();
    let all: Vec<File> = (0..100).map_while(open).collect();
    assert!(all.len() < 100, "there is a limit");
    let stopper = Stopper::new();
    let thread = checks::start(pool.clone(), log, stopper.clone()).unwrap();
    let shortage = plain_words(&io::Error::from_raw_os_error(24)); // EMFILE
    // The first is over when the second is told of.
    eventually("two checks have failed", || {
        kept.text().matches(&shortage).count() >= 2
    });
    let found = state(&pool, &address);
    stopper.stop();
    thread.join().unwrap();
    drop(all);
    set_descriptor_limit(old).unwrap();
    assert_eq!(found, State::Up, "{}", kept.text());
}

#[test]
fn without_a_path_the_thread_asks_nobody_and_ends_at_the_stop() {
    let origin = Origin::new();
    let config = PoolConfig {
        health_path: None,
        keep_alive_time: Duration::from_millis(1),
        ..config()
    };
    let pool = pool(config, &[&origin.address]);
    checked(&pool, || ());
    assert_eq!(origin.asked.load(Ordering::Relaxed), 0);
}
