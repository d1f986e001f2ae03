//! Series that come and go: they are read when a page is requested, because what they count does
//! not exist for the whole life of the program.

use super::exposition::{BOUNDS, Sample};
use super::family::{Families, Kind};
use super::histogram::Histogram;

/// A page of metrics that is being collected. A collector ([`Registry::collect`]) adds the series
/// of the moment.
///
/// Names are checked as in the [`Registry`]: a wrong one is a programmer's error and panics. Of two
/// series with the same name and labels the first is shown.
///
/// [`Registry`]: super::Registry
/// [`Registry::collect`]: super::Registry::collect
#[derive(Default)]
pub struct Scrape(pub(super) Families<Sample>);

impl Scrape {
    /// Adds a number that only grows.
    pub fn counter(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: u64) {
        let made = || Sample::Number(value.into());
        self.0.series(Kind::Counter, (name, help), labels, made);
    }

    /// Adds a number that goes up and down.
    pub fn gauge(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: i64) {
        let made = || Sample::Number(value.into());
        self.0.series(Kind::Gauge, (name, help), labels, made);
    }

    /// Adds a histogram, whose values are nanoseconds.
    pub fn histogram(
        &mut self,
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
        values: &Histogram,
    ) {
        let made = || sample(values);
        self.0.series(Kind::Histogram, (name, help), labels, made);
    }
}

/// A histogram as it is now.
pub(super) fn sample(values: &Histogram) -> Sample {
    let (cumulative, count) = values.cumulative(BOUNDS.map(|(nanos, _)| nanos));
    Sample::Buckets {
        cumulative,
        sum_nanos: values.sum(),
        count,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use crate::telemetry::Registry;

    #[test]
    fn a_collector_shows_what_is_there_beside_what_is_registered() {
        let (registry, there) = (Registry::new(), Arc::new(AtomicU64::new(2)));
        registry.counter("b_total", "B.", &[("x", "own")]).add(7);
        let seen = there.clone();
        registry.collect(move |page| {
            for number in (0..seen.load(Ordering::Relaxed)).rev() {
                let name = number.to_string();
                page.counter("b_total", "B.", &[("x", &name)], number);
                page.gauge("a", "A.", &[], -1);
            }
        });
        let own = "# HELP b_total B.\n# TYPE b_total counter\n";
        let both = "b_total{x=\"0\"} 0\nb_total{x=\"1\"} 1\nb_total{x=\"own\"} 7\n";
        let a = "# HELP a A.\n# TYPE a gauge\na -1\n";
        assert_eq!(registry.expose(), format!("{a}{own}{both}"));
        there.store(0, Ordering::Relaxed);
        assert_eq!(registry.expose(), format!("{own}b_total{{x=\"own\"}} 7\n"));
    }
}
