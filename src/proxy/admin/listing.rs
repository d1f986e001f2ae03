//! `/backends`: the state of all backends, as JSON.
//!
//! ```text
//! {"uptime_s": 12,                       since the status page began
//!  "pools": [
//!   {"name": "www", "balance": "round-robin",
//!    "waiting": 0,                       requests in the queue for a backend
//!    "usable": 1,                        backends that get requests
//!    "backends": [
//!     {"name": "10.0.0.7:9000",
//!      "state": "up",                    or slow-start, trying, ejected, down, draining
//!      "state_text": "up",               the same for people, with percent or time left
//!      "usable": true, "weight": 1, "backup": false,
//!      "share": 50.0,                    percent of the pool's requests, by weight, now
//!      "active": 3, "max": 100,          requests in flight, and their limit if there is one
//!      "requests": 9, "failures": 0, "retries": 0,          since the start
//!      "responses": {"1xx": 0, "2xx": 9, "3xx": 0, "4xx": 0, "5xx": 0},
//!      "latency_ms": {"p50": 0.25, "p99": 1.5}}]}]}         since the start
//! ```
//!
//! An ejected backend has `ejected_for_s`, the seconds until it is tried again. Numbers since the
//! start only grow, so two readings give rates.

use std::time::Duration;

use super::page::state_text;
use super::view::{BackendView, PoolView, word};
use crate::cli::json::{Object, array};

/// Writes the listing.
pub fn listing(pools: &[PoolView], uptime: Duration) -> String {
    let mut text = Object::new()
        .number("uptime_s", uptime.as_secs())
        .value("pools", array(pools.iter().map(pool)))
        .end();
    text.push('\n');
    text
}

fn pool(pool: &PoolView) -> String {
    Object::new()
        .text("name", &pool.name)
        .text("balance", pool.balance)
        .number("waiting", pool.waiting)
        .number("usable", pool.usable())
        .value("backends", array(pool.backends.iter().map(backend)))
        .end()
}

fn backend(backend: &BackendView) -> String {
    let mut object = Object::new()
        .text("name", &backend.name)
        .text("state", word(backend.state))
        .text("state_text", state_text(backend));
    if let Some(left) = backend.left {
        object = object.number("ejected_for_s", seconds(left));
    }
    object = object
        .value("usable", backend.is_usable())
        .number("weight", backend.weight)
        .value("backup", backend.backup)
        .number("share", format_args!("{:.1}", backend.share))
        .number("active", backend.active);
    if let Some(max) = backend.max {
        object = object.number("max", max);
    }
    let names = ["1xx", "2xx", "3xx", "4xx", "5xx"];
    let classes = names.iter().zip(backend.classes);
    let classes = classes.fold(Object::new(), |all, (name, count)| all.number(name, count));
    let milliseconds = |time: Duration| format!("{:.3}", time.as_secs_f64() * 1000.0);
    let latency = Object::new()
        .number("p50", milliseconds(backend.p50))
        .number("p99", milliseconds(backend.p99));
    object
        .number("requests", backend.requests)
        .number("failures", backend.failures)
        .number("retries", backend.retries)
        .value("responses", classes.end())
        .value("latency_ms", latency.end())
        .end()
}

/// Whole seconds, rounded up: 0 means now.
pub fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::backend as named;
    use super::*;
    use crate::proxy::balance::Algorithm;
    use crate::proxy::health::State;

    #[test]
    fn a_listing_has_every_number_and_escapes_names() {
        let until = Duration::from_secs(99);
        let backend = BackendView {
            left: Some(Duration::from_millis(1500)),
            classes: [0, 7, 1, 2, 3],
            p50: Duration::from_micros(250),
            p99: Duration::from_millis(12),
            max: Some(8),
            requests: 13,
            ..named("unix:/run/\"a\"", State::Ejected { until })
        };
        let pool = PoolView {
            name: "w\\w".into(),
            balance: Algorithm::RoundRobin,
            waiting: 4,
            backends: vec![backend],
        };
        assert_eq!(
            listing(&[pool], Duration::from_secs(12)),
            concat!(
                r#"{"uptime_s":12,"pools":[{"name":"w\\w","balance":"round-robin","waiting":4,"#,
                r#""usable":0,"backends":[{"name":"unix:/run/\"a\"","state":"ejected","#,
                r#""state_text":"ejected, 2 s left","ejected_for_s":2,"usable":false,"weight":1,"#,
                r#""backup":false,"share":0.0,"active":0,"max":8,"requests":13,"failures":0,"#,
                r#""retries":0,"responses":{"1xx":0,"2xx":7,"3xx":1,"4xx":2,"5xx":3},"#,
                r#""latency_ms":{"p50":0.250,"p99":12.000}}]}]}"#,
                "\n"
            )
        );
    }
}
