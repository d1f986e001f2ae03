//! What a server counts: one set of numbers for the line at exit, the tests and the metrics page.

use std::fmt;
use std::sync::Arc;

use crate::telemetry::{Counter, Gauge, Histogram, Registry};

/// A server's counters: relaxed atomics, readable at any time.
#[derive(Debug, Default)]
pub struct Stats {
    /// Connections whose handler ended well.
    pub served: Counter,
    /// Connections live now, those in a queue included.
    pub active: Gauge,
    /// Connections turned away: access list, limits, queue, shutdown.
    pub refused: Counter,
    /// Connections whose handler ended with an error or a panic.
    pub failed: Counter,
    /// Panics of the handler: while serving a connection, which has then failed, or while refusing
    /// one.
    pub panicked: Counter,
    /// Connections shut down because they outlasted the drain deadline.
    pub cut: Counter,
    /// Failed `accept` calls.
    pub accept_errors: Counter,
    /// How long the served and failed connections lasted, in nanoseconds.
    pub lifetime: Arc<Histogram>,
}

/// A reading of [`Stats`]. Displays as `served 3, active 0, refused 1, failed 0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// See [`Stats::served`].
    pub served: u64,
    /// See [`Stats::active`].
    pub active: u64,
    /// See [`Stats::refused`].
    pub refused: u64,
    /// See [`Stats::failed`].
    pub failed: u64,
    /// See [`Stats::panicked`].
    pub panicked: u64,
    /// See [`Stats::cut`].
    pub cut: u64,
}

impl Stats {
    /// The numbers now. Each is exact; together they may be a moment apart.
    pub fn totals(&self) -> Totals {
        Totals {
            served: self.served.get(),
            active: u64::try_from(self.active.get()).unwrap_or(0),
            refused: self.refused.get(),
            failed: self.failed.get(),
            panicked: self.panicked.get(),
            cut: self.cut.get(),
        }
    }

    /// Puts the counters into a registry, under the prefix `groundwire_connections`.
    pub fn register(self: &Arc<Self>, registry: &Registry) {
        type Pick = fn(&Stats) -> u64;
        let rows: [(&str, &str, Pick); 6] = [
            ("served", "Connections whose handler ended well.", |s| {
                s.served.get()
            }),
            ("refused", "Connections turned away.", |s| s.refused.get()),
            ("failed", "Connections that ended with an error.", |s| {
                s.failed.get()
            }),
            ("panicked", "Times that the handler panicked.", |s| {
                s.panicked.get()
            }),
            ("cut", "Connections cut at the drain deadline.", |s| {
                s.cut.get()
            }),
            ("accept_errors", "Failed accept calls.", |s| {
                s.accept_errors.get()
            }),
        ];
        for (name, help, pick) in rows {
            let stats = self.clone();
            let name = format!("groundwire_connections_{name}_total");
            registry.counter_fn(&name, help, &[], move || pick(&stats));
        }
        let (name, help) = (
            "groundwire_connection_seconds",
            "How long connections lasted.",
        );
        registry.adopt_histogram(name, help, &[], self.lifetime.clone());
        let stats = self.clone();
        let help = "Connections live now.";
        registry.gauge_fn("groundwire_connections_active", help, &[], move || {
            stats.active.get()
        });
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals {
            served,
            active,
            refused,
            failed,
            panicked,
            cut,
        } = self;
        write!(
            f,
            "served {served}, active {active}, refused {refused}, failed {failed}"
        )?;
        if *panicked > 0 {
            write!(f, " (panicked {panicked})")?;
        }
        if *cut > 0 {
            write!(f, ", cut at the drain deadline {cut}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_read_as_one_line_and_name_rare_troubles_only_when_there_are_any() {
        let stats = Stats::default();
        stats.served.add(3);
        assert_eq!(
            stats.totals().to_string(),
            "served 3, active 0, refused 0, failed 0"
        );
        stats.failed.add(2);
        stats.panicked.inc();
        stats.cut.inc();
        assert_eq!(
            stats.totals().to_string(),
            "served 3, active 0, refused 0, failed 2 (panicked 1), cut at the drain deadline 1"
        );
    }
}
