//! What `/metrics` shows of backends. They come and go, so it is read when the page is requested.

use crate::proxy::Pool;
use crate::telemetry::Scrape;

use super::view::{STATES, is_usable, word};

/// Adds the series of a pool and its backends.
pub fn add(page: &mut Scrape, pool: &Pool) {
    let of_pool = [("pool", pool.name())];
    let waiting = i64::try_from(pool.waiting()).unwrap_or(i64::MAX);
    page.gauge(
        "groundwire_pool_waiting",
        "Requests in line for a backend.",
        &of_pool,
        waiting,
    );
    for standing in pool.standings() {
        let backend = &standing.backend;
        let labels = [("pool", pool.name()), ("backend", backend.name())];
        let counts = &backend.counts;
        let connections = backend.conns.stats();
        for (name, help, value) in [
            (
                "groundwire_backend_requests_total",
                "Requests sent to a backend, retries among them.",
                counts.requests.get(),
            ),
            (
                "groundwire_backend_failures_total",
                "Requests that a backend failed: no connection, no response, a broken or a late one.",
                counts.failures.get(),
            ),
            (
                "groundwire_backend_retries_total",
                "Requests that were sent again, there or elsewhere, after a backend failed them.",
                counts.retries.get(),
            ),
            (
                "groundwire_backend_connections_total",
                "Connections made to a backend.",
                connections.dialled,
            ),
        ] {
            page.counter(name, help, &labels, value);
        }
        for (class, counter) in ["1xx", "2xx", "3xx", "4xx", "5xx"]
            .iter()
            .zip(&counts.classes)
        {
            page.counter(
                "groundwire_backend_responses_total",
                "Responses of a backend by the first digit of their status.",
                &[labels[0], labels[1], ("class", class)],
                counter.get(),
            );
        }
        page.histogram(
            "groundwire_backend_seconds",
            "From the choice of a backend to the end of its response.",
            &labels,
            &counts.latency,
        );
        let idle = i64::try_from(connections.idle).unwrap_or(i64::MAX);
        for (name, help, value) in [
            (
                "groundwire_backend_active",
                "Requests under way at a backend.",
                i64::from(standing.active),
            ),
            (
                "groundwire_backend_connections_idle",
                "Connections to a backend that wait for a request.",
                idle,
            ),
            (
                "groundwire_backend_usable",
                "1 while a backend gets requests, else 0.",
                i64::from(is_usable(standing.state)),
            ),
        ] {
            page.gauge(name, help, &labels, value);
        }
        for state in STATES {
            page.gauge(
                "groundwire_backend_state",
                "1 for the state that a backend is in, 0 for the others.",
                &[labels[0], labels[1], ("state", state)],
                i64::from(state == word(standing.state)),
            );
        }
    }
}
