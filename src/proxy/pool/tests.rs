//! What a pool takes over from the one that it replaces.

use std::io::{ErrorKind, Read};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;

use super::*;
use crate::net::Destination;
use crate::telemetry::{Format, Level};

const HOUR: Duration = Duration::from_secs(3600);

fn member(port: u16, weight: u32) -> Member {
    Member {
        name: format!("127.0.0.1:{port}"),
        destination: Destination::Ip(([127, 0, 0, 1], port).into()),
        weight,
        max: None,
        backup: false,
    }
}

/// A pool that has been in use for an hour, with health settings changed by `set`.
fn old(members: &[Member], set: impl FnOnce(&mut PoolConfig)) -> Arc<Pool> {
    let mut config = PoolConfig::named("p");
    set(&mut config);
    let mut pool = Pool::new(config, Vec::new(), Log::off());
    pool.born = Instant::now().checked_sub(HOUR).unwrap();
    pool.lock().seats = members
        .iter()
        .map(|member| Seat {
            backend: Arc::new(Backend::new(member.clone(), &pool.config)),
            health: Health::new(pool.config.health),
        })
        .collect();
    Arc::new(pool)
}

/// The pool after a reload in which `set` has changed something.
fn reloaded(older: &Arc<Pool>, members: &[Member], set: impl FnOnce(&mut PoolConfig)) -> Arc<Pool> {
    let mut config = older.config.clone();
    set(&mut config);
    let pool = Arc::new(Pool::after(older, config, Log::off()));
    pool.take_over(members.to_vec());
    pool
}

#[test]
fn an_ejection_ends_at_the_same_time_after_a_reload() {
    let one = [member(1, 1)];
    let older = old(&one, |config| {
        config.health.max_failures = 1;
        config.health.ejection = HOUR / 2;
    });
    older.take(0, &[]).ok().unwrap().failed();
    let pool = reloaded(&older, &one, |config| config.queue = 7);
    let until = pool.standings()[0].until.unwrap();
    assert!(until <= HOUR / 2, "{until:?}");
}

#[test]
fn a_slow_start_goes_on_after_a_reload_from_where_it_was() {
    let one = [member(1, 100)];
    let set = |config: &mut PoolConfig| config.health.slow_start = HOUR * 2;
    let older = old(&one, set);
    // The backend came back at the beginning of the hour.
    older.lock().seats[0].health = Health::joining(older.config.health, Duration::ZERO);
    let pool = reloaded(&older, &one, |config| config.queue = 7);
    match pool.standings()[0].state {
        State::SlowStart(percent) => assert!(percent >= 50, "{percent}"),
        other => panic!("{other}"),
    }
}

#[test]
fn the_numbers_of_health_are_those_of_the_reload_also_for_who_stays() {
    let one = [member(1, 1)];
    let older = old(&one, |config| config.health.max_failures = 0);
    let pool = reloaded(&older, &one, |config| config.health.max_failures = 1);
    pool.take(0, &[]).ok().unwrap().failed();
    assert!(pool.standings()[0].until.is_some(), "it is not ejected");
}

#[test]
fn who_is_down_is_not_for_ever_when_there_are_no_checks_any_more() {
    let one = [member(1, 1)];
    let set = |config: &mut PoolConfig| {
        config.health_path = Some("/".into());
        config.health.fall = 1;
    };
    let older = old(&one, set);
    let backend = older.standings()[0].backend.clone();
    older.checked(&backend, Err(&"no"));
    let same = reloaded(&older, &one, |config| config.queue = 7);
    assert_eq!(same.standings()[0].state, State::Down);
    let none = reloaded(&older, &one, |config| config.health_path = None);
    assert_eq!(none.standings()[0].state, State::Up);
}

#[test]
fn who_stays_keeps_its_counts_and_what_is_under_way_and_who_joins_starts_slowly() {
    let older = old(&[member(1, 1)], |config| config.health.slow_start = HOUR);
    let lease = older.take(0, &[]).ok().unwrap();
    let pool = reloaded(&older, &[member(1, 1), member(2, 1)], |config| {
        config.connect_timeout *= 2
    });
    let of = |index: usize| pool.standings()[index].clone();
    assert_eq!((of(0).active, of(0).backend.counts.requests.get()), (1, 1));
    drop(lease);
    assert_eq!((of(0).active, of(1).active), (0, 0));
    assert_eq!(of(0).state, State::Up);
    assert!(
        matches!(of(1).state, State::SlowStart(_)),
        "{}",
        of(1).state
    );
}

#[test]
fn another_weight_does_not_end_a_drain() {
    let older = old(&[member(1, 1), member(2, 1)], |_| {});
    assert!(older.drain("127.0.0.1:1"));
    let members = [member(2, 1), member(1, 5)];
    let pool = reloaded(&older, &members, |config| config.queue = 7);
    let standing = pool.standings()[1].clone();
    assert_eq!(
        (standing.backend.member.weight, standing.state),
        (5, State::Draining)
    );
}

/// Waits in the queue of a pool, and must be woken when the lease ends.
fn is_woken_by_the_end_of(lease: Lease, pool: &Arc<Pool>) {
    let mut desk = pool.lock();
    desk.line.push(Waiting {
        ticket: 0,
        tried_some: false,
    });
    // Ending the lease needs the lock, too, which is free only while this thread waits.
    let ends = std::thread::spawn(move || drop(lease));
    let (mut desk, waited) = pool.shared.moved.wait_timeout(desk, HOUR / 60).unwrap();
    assert!(!waited.timed_out(), "nobody was woken");
    desk.line.clear();
    drop(desk);
    ends.join().unwrap();
    assert!(pool.take(0, &[]).is_ok(), "its place is not free");
}

#[test]
fn a_request_from_before_a_reload_wakes_who_waits_for_its_place() {
    let one = [member(1, 1)];
    let older = old(&one, |config| config.backend_connections = Some(1));
    let lease = older.take(0, &[]).ok().unwrap();
    // Two reloads: nothing of the pool in between remains.
    let between = reloaded(&older, &one, |config| config.queue = 7);
    let pool = reloaded(&between, &one, |config| config.queue = 8);
    drop(between);
    is_woken_by_the_end_of(lease, &pool);
    assert_eq!(pool.standings()[0].active, 0);
}

#[test]
fn a_request_in_line_since_before_a_reload_gets_the_place_of_one_from_after_it() {
    let one = [member(1, 1)];
    let older = old(&one, |config| config.backend_connections = Some(1));
    let first = older.take(0, &[]).ok().unwrap();
    let pool = reloaded(&older, &one, |config| config.queue = 7);
    drop(first);
    let lease = pool.take(0, &[]).ok().unwrap();
    is_woken_by_the_end_of(lease, &older);
}

#[test]
fn a_request_from_before_a_reload_that_shows_that_a_backend_is_back_is_believed() {
    let one = [member(1, 1)];
    let older = old(&one, |config| {
        config.health.max_failures = 1;
        config.health.ejection = HOUR / 2;
    });
    // Ejected at the beginning of the hour.
    let mut health = Health::new(older.config.health);
    health.failed(Duration::ZERO, Duration::ZERO);
    older.lock().seats[0].health = health;
    let trial = older.take(0, &[]).ok().unwrap();
    let pool = reloaded(&older, &one, |config| config.queue = 7);
    trial.succeeded();
    assert_eq!(pool.standings()[0].state, State::Up);
}

#[test]
fn a_drain_while_a_reload_is_under_way_is_kept() {
    let one = [member(1, 1)];
    let older = old(&one, |_| {});
    let pool = Pool::after(&older, older.config.clone(), Log::off());
    assert!(older.drain("127.0.0.1:1"));
    pool.take_over(one.to_vec());
    assert_eq!(pool.standings()[0].state, State::Draining);
}

#[test]
fn what_looks_after_the_older_pool_says_nothing_any_more() {
    let one = [member(1, 1)];
    let older = old(&one, |config| {
        config.health_path = Some("/".into());
        config.health.fall = 1;
    });
    let backend = older.standings()[0].backend.clone();
    let pool = reloaded(&older, &one, |config| config.health_path = None);
    older.set_members(vec![member(2, 1)]);
    older.checked(&backend, Err(&"no"));
    let standing = pool.standings()[0].clone();
    assert_eq!(
        (standing.backend.name(), standing.state),
        ("127.0.0.1:1", State::Up)
    );
}

#[test]
fn a_check_that_a_reload_has_overtaken_counts_where_the_same_is_asked() {
    let one = [member(1, 1)];
    let older = old(&one, |config| {
        config.health_path = Some("/".into());
        config.health.fall = 1;
    });
    let after = |set: fn(&mut PoolConfig)| {
        let backend = older.standings()[0].backend.clone();
        let pool = reloaded(&older, &one, set);
        older.checked(&backend, Err(&"no"));
        pool.standings()[0].state
    };
    assert_eq!(after(|c| c.health_timeout *= 2), State::Up);
    assert_eq!(after(|c| c.health_path = Some("/well".into())), State::Up);
    assert_eq!(after(|c| c.queue = 7), State::Down);
}

#[test]
fn who_is_ejected_is_back_when_there_are_no_ejections_any_more() {
    let one = [member(1, 1)];
    let older = old(&one, |config| config.health.max_failures = 1);
    older.take(0, &[]).ok().unwrap().failed();
    let pool = reloaded(&older, &one, |config| config.health.max_failures = 0);
    assert_eq!(pool.standings()[0].state, State::Up);
}

#[test]
fn a_slow_start_takes_from_a_weight_of_one_too() {
    let two = [member(1, 1), member(2, 1)];
    let pool = old(&two, |config| config.health.slow_start = HOUR * 4);
    // It came back at the beginning of the hour: a quarter of its slow start is over.
    pool.lock().seats[1].health = Health::joining(pool.config.health, Duration::ZERO);
    let leases = (0..100).map(|_| pool.take(0, &[]).ok().unwrap());
    let names = leases.map(|lease| lease.backend.name().to_string());
    let slow = names.filter(|name| name == "127.0.0.1:2").count();
    assert!((19..=21).contains(&slow), "{slow} of 100");
}

/// Ejects the second backend, for this much longer.
fn eject_second(pool: &Pool, left: Duration) {
    let failed = pool.born.elapsed() + left - pool.config.health.ejection;
    pool.lock().seats[1].health.failed(failed, failed);
}

#[test]
fn the_end_of_an_ejection_is_seen_by_who_waits_for_another_backend() {
    let pool = old(&[member(1, 1), member(2, 1)], |config| {
        config.health.max_failures = 1;
        config.health.ejection = HOUR / 2;
        config.backend_connections = Some(1);
        config.queue_timeout = Duration::from_secs(20);
    });
    eject_second(&pool, Duration::from_millis(200));
    let begun = Instant::now();
    let _busy = pool.take(0, &[]).ok().unwrap();
    // The other backend, unless this thread was denied the CPU for this long before.
    let _other = pool.take(0, &[]).ok().unwrap();
    assert!(begun.elapsed() < pool.config.queue_timeout / 2);
}

#[test]
fn a_queue_time_out_that_no_clock_can_hold_is_none() {
    let pool = old(&[member(1, 1), member(2, 1)], |config| {
        config.health.max_failures = 1;
        config.health.ejection = HOUR / 2;
        config.backend_connections = Some(1);
        config.queue_timeout = Duration::MAX;
    });
    eject_second(&pool, Duration::from_millis(20)); // so one of these requests waits
    let both = [(); 2].map(|()| pool.take(0, &[]).ok().unwrap());
    assert_ne!(both[0].backend.name(), both[1].backend.name());
}

#[test]
fn a_trial_of_which_nobody_tells_is_over_for_who_waits_in_line() {
    let ejection = Duration::from_millis(200);
    let pool = old(&[member(1, 1), member(2, 1)], |config| {
        config.health.max_failures = 1;
        config.health.ejection = ejection;
        config.queue_timeout = Duration::from_secs(20);
        config.backend_connections = Some(2);
    });
    pool.lock().seats[1].health.failed(HOUR / 2, HOUR / 2);
    let begun = Instant::now();
    // Two for the first backend, and the trial of the other.
    let _busy = [(); 3].map(|()| pool.take(0, &[]).ok().unwrap());
    let _next = pool.take(0, &[]).ok().unwrap();
    assert!(begun.elapsed() < pool.config.queue_timeout / 2);
}

#[test]
fn a_trial_whose_client_leaves_is_followed_by_another_one_at_once() {
    let one = [member(1, 1)];
    let pool = old(&one, |config| {
        config.health.max_failures = 1;
        config.health.ejection = HOUR / 2;
    });
    pool.lock().seats[0]
        .health
        .failed(Duration::ZERO, Duration::ZERO);
    let trial = pool.take(0, &[]).ok().unwrap();
    assert!(pool.take(0, &[]).is_err(), "one at a time");
    drop(trial);
    let next = pool.take(0, &[]).expect("nobody tries it any more");
    next.failed();
    drop(next);
    assert!(pool.standings()[0].until.is_some(), "it is not ejected");
}

#[test]
fn a_request_from_before_an_ejection_does_not_end_it_when_it_ends_behind_it() {
    let pool = old(&[member(1, 1)], |config| {
        config.health.max_failures = 1;
        config.health.ejection = Duration::from_nanos(1);
        config.health.longest_ejection = HOUR;
    });
    let leases = [(); 3].map(|()| pool.take(0, &[]).ok().unwrap());
    leases.iter().take(2).for_each(Lease::failed);
    assert_eq!(pool.standings()[0].state, State::Trying);
    leases[2].succeeded();
    assert_eq!(pool.standings()[0].state, State::Trying);
    let trial = pool.take(0, &[]).ok().unwrap();
    trial.succeeded();
    assert_eq!(pool.standings()[0].state, State::Up);
}

#[test]
fn a_backup_gets_nothing_because_the_others_are_full_unless_they_are_to_be_tried() {
    let backup = Member {
        backup: true,
        ..member(2, 1)
    };
    let pool = old(&[member(1, 1), backup], |config| {
        config.health.max_failures = 1;
        config.health.ejection = Duration::from_nanos(1);
        config.backend_connections = Some(1);
        config.queue = 0;
    });
    let busy = pool.take(0, &[]).ok().unwrap();
    let next = pool.take(0, &[]).map(drop);
    assert!(matches!(next, Err(NoBackend::QueueFull)), "{next:?}");
    busy.failed();
    assert_eq!(pool.standings()[0].state, State::Trying);
    let next = pool.take(0, &[]).ok().unwrap();
    assert_eq!(next.backend.name(), "127.0.0.1:2");
}

#[test]
fn a_place_that_is_free_is_for_who_waits_and_not_for_who_has_just_come() {
    let pool = old(&[member(1, 1)], |config| config.queue = 0);
    // A request waits that was told of a free place, and has not taken it yet.
    pool.lock().line.push(Waiting {
        ticket: 7,
        tried_some: false,
    });
    let newcomer = pool.take(0, &[]).map(drop);
    assert!(matches!(newcomer, Err(NoBackend::QueueFull)));
    pool.lock().line.clear();
    assert!(pool.take(0, &[]).is_ok());
}

#[test]
fn a_second_attempt_is_no_request_to_the_budget_of_retries() {
    let pool = old(&[member(1, 1), member(2, 1)], |config| {
        config.retry.budget_percent = 100;
        config.retry.budget_per_second = 0;
    });
    let first = pool.take(0, &[]).ok().unwrap();
    let second = pool.take(0, std::slice::from_ref(&first.backend));
    assert!(second.is_ok() && pool.may_spend_retry());
    assert!(!pool.may_spend_retry(), "one request, one retry");
}

#[test]
fn idle_connections_of_a_backend_that_has_gone_are_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let pool = old(&[member(port, 1)], |_| ());
    // A request in flight keeps the backend, but not the idle connections of others.
    let lease = pool.take(0, &[]).ok().unwrap();
    lease.backend.connect(true, true).unwrap().keep();
    let (mut peer, _) = listener.accept().unwrap();
    peer.set_nonblocking(true).unwrap();
    let open = peer.read(&mut [0]).map_err(|error| error.kind());
    assert_eq!(open, Err(ErrorKind::WouldBlock));
    pool.set_members(Vec::new());
    peer.set_nonblocking(false).unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_lasting_lack_of_descriptors_is_one_log_line_however_many_requests_fail() {
    let (log, mut reader) = UnixStream::pair().unwrap();
    let log = Log::to_writer(Level::Error, Format::Text, Box::new(log));
    let pool = Pool::new(PoolConfig::named("p"), Vec::new(), log);
    for _ in 0..3 {
        pool.is_short(&"connect tcp 127.0.0.1:1: too many open files");
    }
    drop(pool);
    let mut told = String::new();
    reader.read_to_string(&mut told).unwrap();
    let line = "load-balancer requests fail for lack of descriptors, memory or threads pool=p \
                cause=\"connect tcp 127.0.0.1:1: too many open files\"\n";
    assert!(told.ends_with(line) && told.lines().count() == 1, "{told}");
}
