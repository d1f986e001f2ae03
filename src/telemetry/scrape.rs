//! Series that come and go: they are read when a page is requested, because what they count does
//! not exist for the whole life of the program.

use std::collections::BTreeMap;

use super::exposition::{BOUNDS, Family, Kind, Sample, is_label_name, is_metric_name};
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
pub struct Scrape {
    pub(super) families: BTreeMap<String, Family>,
}

impl Scrape {
    /// Adds a number that only grows.
    pub fn counter(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: u64) {
        self.add(
            Kind::Counter,
            name,
            help,
            labels,
            Sample::Number(value.into()),
        );
    }

    /// Adds a number that goes up and down.
    pub fn gauge(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: i64) {
        self.add(
            Kind::Gauge,
            name,
            help,
            labels,
            Sample::Number(value.into()),
        );
    }

    /// Adds a histogram, whose values are nanoseconds.
    pub fn histogram(
        &mut self,
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
        values: &Histogram,
    ) {
        self.add(Kind::Histogram, name, help, labels, sample(values));
    }

    fn add(&mut self, kind: Kind, name: &str, help: &str, labels: &[(&str, &str)], sample: Sample) {
        assert!(is_metric_name(name), "{name:?} is no metric name");
        let good = labels.iter().all(|(label, _)| is_label_name(label));
        assert!(good, "metric {name}: a label of {labels:?} is none");
        let family = self.families.entry(name.into()).or_insert_with(|| Family {
            name: name.into(),
            help: help.into(),
            kind,
            series: Vec::new(),
        });
        let same = family.kind == kind && family.help == help;
        assert!(
            same,
            "metric {name} is there as another kind or with another help text"
        );
        let mut labels: Vec<(String, String)> = labels
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect();
        labels.sort();
        family.series.push((labels, sample));
    }

    /// The families, sorted by name, their series by labels.
    pub(super) fn families(self) -> Vec<Family> {
        let sorted = |mut family: Family| {
            family.series.sort_by(|(a, _), (b, _)| a.cmp(b));
            family.series.dedup_by(|(a, _), (b, _)| a == b);
            family
        };
        self.families.into_values().map(sorted).collect()
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

    use super::*;
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

    #[test]
    fn labels_in_another_order_are_the_same_labels() {
        let mut page = Scrape::default();
        page.gauge("a", "A.", &[("x", "1"), ("y", "2")], 1);
        page.gauge("a", "A.", &[("y", "2"), ("x", "1")], 2);
        assert_eq!(page.families()[0].series.len(), 1);
    }

    #[test]
    #[should_panic(expected = "another help text")]
    fn a_collector_with_another_help_text_is_a_programmers_error() {
        let mut page = Scrape::default();
        page.counter("a", "A.", &[], 1);
        page.counter("a", "B.", &[], 1);
    }

    #[test]
    #[should_panic(expected = "another kind")]
    fn a_collector_with_another_kind_is_a_programmers_error() {
        let mut page = Scrape::default();
        page.counter("a", "A.", &[], 1);
        page.gauge("a", "A.", &[], 1);
    }
}
