//! A backend's life told in seconds, and a seeded simulation of what must hold in any life.

use super::*;
use crate::net::Seeded;

const FULL: u32 = 10;
/// The full weight in parts.
const ALL: u32 = FULL * PARTS;
const TICK: Duration = Duration::from_nanos(1);

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn failing(health: &mut Health, now: u64, times: usize) -> Option<Change> {
    (0..times)
        .filter_map(|_| health.failed(s(now), s(now)))
        .last()
}

fn checking(health: &mut Health, ok: bool, now: Duration, times: usize) {
    (0..times).for_each(|_| _ = health.checked(ok, now));
}

/// Ejected at second 0 for ten seconds.
fn ejected() -> Health {
    let mut health = Health::new(HealthConfig::default());
    failing(&mut health, 0, 5).unwrap();
    health
}

#[test]
fn failures_in_a_row_eject_and_a_success_between_them_forgives() {
    let mut health = Health::new(HealthConfig::default());
    assert_eq!(failing(&mut health, 0, 4), None);
    assert_eq!(health.succeeded(s(1), s(1)), None);
    assert_eq!(failing(&mut health, 1, 4), None);
    assert_eq!(health.weight(FULL, s(1)), ALL);
    let change = health.failed(s(2), s(2)).unwrap();
    assert_eq!(change.to_string(), "ejected for 10s: 5 failures in a row");
    assert_eq!(health.state(s(2)), State::Ejected { until: s(12) });
    assert_eq!(health.weight(FULL, s(11)), 0);
    assert!(!health.admit(s(11)));
}

#[test]
fn with_no_limit_of_failures_nobody_is_ejected() {
    let config = HealthConfig {
        max_failures: 0,
        ..HealthConfig::default()
    };
    assert_eq!(failing(&mut Health::new(config), 0, 1000), None);
}

#[test]
fn after_an_ejection_one_request_at_a_time_tries_it() {
    let mut health = ejected();
    assert_eq!(health.state(s(10)), State::Trying);
    assert_eq!(health.weight(FULL, s(10)), PARTS);
    assert!(health.admit(s(10)));
    assert_eq!(health.weight(FULL, s(11)), 0);
    assert!(!health.admit(s(11)), "the second must go elsewhere");
    assert_eq!(health.succeeded(s(12), s(12)), Some(Change::Back));
    assert_eq!(health.state(s(12)), State::Up);
}

#[test]
fn a_trial_that_nobody_tells_of_does_not_keep_it_out_for_ever() {
    let mut health = ejected();
    assert!(health.admit(s(10)));
    assert!(!health.admit(s(19)));
    assert!(health.admit(s(20)));
    health.trial_ended(s(20));
    assert!(health.admit(s(21)), "the one before is over");
}

#[test]
fn each_ejection_lasts_twice_as_long_up_to_the_longest() {
    let mut health = ejected();
    let mut now = 10;
    for expected in [20, 40, 80, 160, 300, 300] {
        let time = s(expected);
        assert_eq!(
            health.failed(s(now), s(now)),
            Some(Change::EjectedAgain { time })
        );
        now += expected;
    }
}

#[test]
fn a_backend_that_fails_soon_after_it_is_back_is_ejected_for_longer_and_one_cured_is_not() {
    for (served, expected) in [(299, 20), (300, 10)] {
        let mut health = ejected();
        assert_eq!(health.succeeded(s(15), s(15)), Some(Change::Back));
        let change = failing(&mut health, 15 + served, 5);
        let (failures, time) = (5, s(expected));
        assert_eq!(change, Some(Change::Ejected { failures, time }), "{served}");
    }
}

#[test]
fn what_was_under_way_when_it_was_ejected_changes_nothing() {
    let mut health = ejected();
    assert_eq!(failing(&mut health, 5, 100), None);
    assert_eq!(health.succeeded(s(6), s(6)), None);
    assert_eq!(health.state(s(9)), State::Ejected { until: s(10) });
}

#[test]
fn what_was_under_way_when_it_was_ejected_is_no_trial_when_it_ends_later() {
    let mut health = ejected();
    assert_eq!(health.failed(s(0), s(11)), None);
    assert_eq!(health.succeeded(s(9), s(11)), None);
    assert_eq!(health.state(s(11)), State::Trying);
    assert!(health.admit(s(11)));
    assert_eq!(health.succeeded(s(11), s(12)), Some(Change::Back));
}

#[test]
fn the_late_end_of_a_trial_that_was_given_up_lets_no_third_one_in() {
    let mut health = ejected();
    assert!(health.admit(s(10)));
    assert!(health.admit(s(20)), "the first is given up");
    health.trial_ended(s(10));
    assert!(!health.admit(s(21)), "the second is under way");
}

#[test]
fn checks_take_it_down_and_up_by_fall_and_rise_in_a_row() {
    let mut health = Health::new(HealthConfig::default());
    let mut log = String::new();
    for (now, ok) in "+--+---+-+++-".chars().enumerate() {
        let change = health.checked(ok == '+', s(now as u64));
        log.push(match (change, health.state(s(now as u64))) {
            (Some(Change::Down { checks: 3 }), State::Down) => 'D',
            (Some(Change::Up { checks: 2 }), State::Up) => 'U',
            (None, State::Down) => 'd',
            (None, State::Up) => 'u',
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(log, "uuuuuuDdddUuu");
}

#[test]
fn checks_that_bring_it_up_void_an_ejection_and_checks_that_pass_all_along_do_not() {
    let mut health = ejected();
    assert_eq!(health.checked(true, s(1)), None);
    assert_eq!(health.checked(true, s(2)), None);
    assert_eq!(health.state(s(2)), State::Ejected { until: s(10) });
    checking(&mut health, false, s(3), 3);
    assert_eq!(health.state(s(20)), State::Down);
    checking(&mut health, true, s(4), 2);
    assert_eq!(health.state(s(4)), State::Up);
}

#[test]
fn after_each_absence_the_weight_grows_in_a_straight_line() {
    let config = HealthConfig {
        slow_start: s(100),
        ..HealthConfig::default()
    };
    let mut tried = Health::new(config);
    assert_eq!(tried.state(s(0)), State::Up, "it was there from the start");
    failing(&mut tried, 0, 5);
    tried.succeeded(s(1000), s(1000));
    let mut risen = Health::new(config);
    checking(&mut risen, false, s(999), 3);
    checking(&mut risen, true, s(1000), 2);
    let mut enabled = Health::new(config);
    enabled.drain();
    enabled.enable(s(1000));
    for health in [tried, risen, enabled, Health::joining(config, s(1000))] {
        for (now, weight, state) in [
            (1000, 1, State::SlowStart(0)),
            (1015, ALL * 15 / 100, State::SlowStart(15)),
            (1050, ALL / 2, State::SlowStart(50)),
            (1099, ALL * 99 / 100, State::SlowStart(99)),
            (1100, ALL, State::Up),
        ] {
            assert_eq!(health.weight(FULL, s(now)), weight, "{now}");
            assert_eq!(health.state(s(now)), state);
        }
        assert_eq!(health.weight(0, s(1050)), 0, "none stays none");
    }
}

#[test]
fn a_person_drains_and_enables_and_hears_whether_anything_has_changed() {
    let mut health = Health::new(HealthConfig::default());
    assert_eq!(health.enable(s(0)), None);
    assert_eq!(health.drain(), Some(Change::Draining));
    assert_eq!(health.drain(), None);
    assert_eq!((health.weight(FULL, s(1)), health.admit(s(1))), (0, false));
    assert_eq!(health.state(s(1)), State::Draining);
    assert_eq!(health.enable(s(2)), Some(Change::Enabled));
    assert_eq!(health.weight(FULL, s(2)), ALL);
}

#[test]
fn a_person_ends_an_ejection_but_not_what_the_checks_say() {
    let mut health = ejected();
    assert_eq!(health.enable(s(1)), Some(Change::Enabled));
    assert_eq!(health.state(s(1)), State::Up);
    checking(&mut health, false, s(2), 3);
    health.drain();
    health.enable(s(3));
    assert_eq!(health.state(s(3)), State::Down);
}

#[test]
fn in_any_life_weight_state_and_admission_agree_and_every_way_back_is_open() {
    let mut random = Seeded::new(5_05);
    for _ in 0..300 {
        let config = HealthConfig {
            slow_start: s(random.below(3) as u64 * 7),
            ..HealthConfig::default()
        };
        let (mut health, mut now) = (Health::new(config), s(0));
        for _ in 0..200 {
            now += Duration::from_millis(random.below(4_000) as u64);
            let _ = match random.below(12) {
                0..=2 => health.succeeded(now, now),
                3..=7 => health.failed(now, now),
                8 | 9 => health.checked(random.below(2) == 0, now),
                10 => health.drain(),
                _ => health.enable(now),
            };
            let weight = health.weight(FULL, now);
            let serves = match health.state(now) {
                State::Up => weight == ALL,
                State::SlowStart(percent) => percent < 100 && (1..=ALL).contains(&weight),
                State::Trying => weight == 0 || weight == PARTS,
                State::Ejected { until } => weight == 0 && until <= now + s(300) && until > now,
                State::Down | State::Draining => weight == 0,
            };
            assert!(serves, "{health:?} at {now:?}");
            assert_eq!(health.admit(now), weight > 0, "{health:?} at {now:?}");
            if let Some(left) = health.opens_in(now) {
                assert_eq!(health.weight(FULL, now + left - TICK), 0, "{health:?}");
                assert_eq!(health.weight(FULL, now + left), PARTS, "{health:?}");
            }
        }
        // Enabled, checked and given time, it serves with its full weight again.
        health.enable(now);
        checking(&mut health, true, now, 2);
        assert_eq!(health.weight(FULL, now + s(14)), ALL, "{health:?}");
    }
}

#[test]
fn the_end_of_time_is_no_overflow() {
    let mut health = ejected();
    for _ in 0..100 {
        health.failed(Duration::MAX, Duration::MAX);
        health.admit(Duration::MAX);
    }
    assert_eq!(
        health.succeeded(Duration::MAX, Duration::MAX),
        Some(Change::Back)
    );
}

#[test]
fn who_puts_a_backend_back_has_its_ejections_forgotten() {
    let mut health = ejected();
    health.admit(s(10));
    let again = health.failed(s(10), s(10));
    let time = s(20);
    assert_eq!(again, Some(Change::EjectedAgain { time }));
    health.enable(s(11));
    let (failures, time) = (5, s(10));
    let first = failing(&mut health, 12, 5);
    assert_eq!(first, Some(Change::Ejected { failures, time }));
}
