//! Counters and gauges, and the registry that collects them.
//!
//! All are relaxed atomics: another thread may see a count a moment late, but no count is lost.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::exposition::{self, Sample};
use super::family::{Families, Kind};
use super::histogram::Histogram;
use super::scrape::{self, Scrape};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds `count`.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// The number now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// Adds `change`, which may be negative.
    pub fn add(&self, change: i64) {
        self.0.fetch_add(change, Ordering::Relaxed);
    }

    /// Sets it.
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The number now.
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Metrics by name and labels. A handle: clones share the metrics.
///
/// Registering panics on a programmer's error: a name or label that Prometheus's grammar does not
/// allow, or one name with two kinds or two help texts.
#[derive(Clone, Default)]
pub struct Registry {
    families: Arc<Mutex<Families<Source>>>,
    collectors: Arc<Mutex<Vec<Collector>>>,
}

type Collector = Arc<dyn Fn(&mut Scrape) + Send + Sync>;

enum Source {
    Counter(Arc<Counter>),
    CounterFn(Box<dyn Fn() -> u64 + Send + Sync>),
    GaugeFn(Box<dyn Fn() -> i64 + Send + Sync>),
    Histogram(Arc<Histogram>),
}

impl Registry {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// The counter of this name and these labels, made at the first call.
    pub fn counter(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Arc<Counter> {
        let made = || Source::Counter(Arc::default());
        let mut families = self.lock();
        match families.series(Kind::Counter, (name, help), labels, made) {
            Source::Counter(counter) => counter.clone(),
            _ => panic!("metric {name} is registered as a function"),
        }
    }

    /// Registers an existing histogram of nanoseconds under a name; a second one of the same name
    /// and labels is ignored.
    pub fn adopt_histogram(
        &self,
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
        histogram: Arc<Histogram>,
    ) {
        let made = || Source::Histogram(histogram);
        self.lock()
            .series(Kind::Histogram, (name, help), labels, made);
    }

    /// A counter that is read by calling `read`; a second one of the same name is ignored.
    pub fn counter_fn(
        &self,
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
        read: impl Fn() -> u64 + Send + Sync + 'static,
    ) {
        let made = || Source::CounterFn(Box::new(read));
        self.lock()
            .series(Kind::Counter, (name, help), labels, made);
    }

    /// A gauge that is read by calling `read`; a second one of the same name is ignored.
    pub fn gauge_fn(
        &self,
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
        read: impl Fn() -> i64 + Send + Sync + 'static,
    ) {
        let made = || Source::GaugeFn(Box::new(read));
        self.lock().series(Kind::Gauge, (name, help), labels, made);
    }

    /// Calls `add` for every page, to add series of things that come and go.
    pub fn collect(&self, add: impl Fn(&mut Scrape) + Send + Sync + 'static) {
        self.lock_collectors().push(Arc::new(add));
    }

    /// All metrics in Prometheus's text format, sorted by name and labels.
    pub fn expose(&self) -> String {
        let mut page = Scrape(self.lock().map(Source::read));
        // Called without holding our lock: a collector may take locks of its own.
        let collectors = self.lock_collectors().clone();
        collectors.iter().for_each(|add| add(&mut page));
        exposition::write(&page.0)
    }

    fn lock_collectors(&self) -> MutexGuard<'_, Vec<Collector>> {
        self.collectors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Families<Source>> {
        self.families.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lock().0.keys()).finish()
    }
}

impl Source {
    fn read(&self) -> Sample {
        match self {
            Source::Counter(counter) => Sample::Number(i128::from(counter.get())),
            Source::CounterFn(read) => Sample::Number(i128::from(read())),
            Source::GaugeFn(read) => Sample::Number(i128::from(read())),
            Source::Histogram(histogram) => scrape::sample(histogram),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn one_name_and_one_set_of_labels_is_one_counter_in_any_order() {
        let registry = Registry::new();
        registry
            .counter("a_total", "A.", &[("x", "1"), ("y", "2")])
            .inc();
        registry
            .counter("a_total", "A.", &[("y", "2"), ("x", "1")])
            .add(2);
        registry.counter("a_total", "A.", &[]).inc();
        assert_eq!(
            registry
                .counter("a_total", "A.", &[("x", "1"), ("y", "2")])
                .get(),
            3
        );
        assert_eq!(registry.counter("a_total", "A.", &[]).get(), 1);
    }

    #[test]
    fn a_histograms_page_is_cumulative_while_threads_record() {
        let registry = Registry::new();
        let histogram = Arc::new(Histogram::default());
        registry.adopt_histogram("t_seconds", "T.", &[], histogram.clone());
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        histogram.record(1_000);
                    }
                });
            }
            let faults = (0..2_000).find_map(|_| {
                let page = registry.expose();
                let counts = page.lines().filter(|line| !line.contains("_sum"));
                let counts = counts.filter_map(|line| line.rsplit(' ').next()?.parse().ok());
                let counts: Vec<u64> = counts.collect();
                (!counts.is_sorted() || counts.len() != 18).then_some(page)
            });
            done.store(true, Ordering::Relaxed);
            assert_eq!(faults, None);
        });
    }

    #[test]
    fn counts_of_many_threads_add_up() {
        let (counter, gauge) = (Counter::default(), Gauge::default());
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        counter.inc();
                        gauge.add(2);
                        gauge.add(-1);
                    }
                });
            }
        });
        assert_eq!((counter.get(), gauge.get()), (8000, 8000));
        gauge.set(-5);
        assert_eq!(gauge.get(), -5);
    }
}
