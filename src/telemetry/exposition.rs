//! Metrics as text for Prometheus: the exposition format 0.0.4.
//!
//! ```text
//! # HELP groundwire_connections_active Connections live now.
//! # TYPE groundwire_connections_active gauge
//! groundwire_connections_active 3
//! ```
//!
//! Pure: readings go in, the page comes out. Times are counted in nanoseconds and shown in seconds,
//! as Prometheus requires. Source: prometheus.io, "Exposition formats".

use std::fmt::Write;

use super::family::{Families, Kind};

/// The media type of the page.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The upper bounds of a histogram's buckets: nanoseconds, and the same in seconds as shown.
pub(super) const BOUNDS: [(u64, &str); 16] = [
    (10_000, "0.00001"),
    (25_000, "0.000025"),
    (50_000, "0.00005"),
    (100_000, "0.0001"),
    (250_000, "0.00025"),
    (500_000, "0.0005"),
    (1_000_000, "0.001"),
    (2_500_000, "0.0025"),
    (5_000_000, "0.005"),
    (10_000_000, "0.01"),
    (25_000_000, "0.025"),
    (50_000_000, "0.05"),
    (100_000_000, "0.1"),
    (500_000_000, "0.5"),
    (1_000_000_000, "1"),
    (10_000_000_000, "10"),
];

/// A series as it was read.
pub(super) enum Sample {
    Number(i128),
    Buckets {
        /// How many values are at most each of [`BOUNDS`].
        cumulative: [u64; BOUNDS.len()],
        sum_nanos: u128,
        count: u64,
    },
}

/// The page.
pub(super) fn write(families: &Families<Sample>) -> String {
    let mut page = String::new();
    for (name, family) in &families.0 {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let help = escaped(&family.help, false);
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(page, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, sample) in &family.series {
            write_sample(&mut page, name, labels, sample);
        }
    }
    page
}

fn write_sample(page: &mut String, name: &str, labels: &[(String, String)], sample: &Sample) {
    match sample {
        Sample::Number(value) => {
            let _ = writeln!(page, "{name}{} {value}", braces(labels, None));
        }
        Sample::Buckets {
            cumulative,
            sum_nanos,
            count,
        } => {
            for ((_, bound), up_to) in BOUNDS.iter().zip(cumulative) {
                let _ = writeln!(page, "{name}_bucket{} {up_to}", braces(labels, Some(bound)));
            }
            let _ = writeln!(
                page,
                "{name}_bucket{} {count}",
                braces(labels, Some("+Inf"))
            );
            let seconds = *sum_nanos as f64 / 1e9;
            let labels = braces(labels, None);
            let _ = writeln!(
                page,
                "{name}_sum{labels} {seconds}\n{name}_count{labels} {count}"
            );
        }
    }
}

/// `{name="value",le="0.1"}`, or nothing.
fn braces(labels: &[(String, String)], bound: Option<&str>) -> String {
    let mut parts: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{name}=\"{}\"", escaped(value, true)))
        .collect();
    parts.extend(bound.map(|bound| format!("le=\"{bound}\"")));
    if parts.is_empty() {
        String::new()
    } else {
        format!("{{{}}}", parts.join(","))
    }
}

/// Backslash and line feed are escaped everywhere, the quote in label values only.
fn escaped(text: &str, in_quotes: bool) -> String {
    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
    if in_quotes {
        text.replace('"', "\\\"")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use crate::telemetry::{Histogram, Registry};
    use std::sync::Arc;

    #[test]
    fn the_page_is_sorted_escaped_and_ends_in_a_line_feed() {
        let registry = Registry::new();
        registry.gauge_fn("b", "Two\nlines \\ \"quoted\".", &[], || -3);
        registry
            .counter("a_total", "A.", &[("path", "x\"y\\z\n")])
            .add(7);
        registry.counter("a_total", "A.", &[]).add(u64::MAX);
        let expected = "# HELP a_total A.\n# TYPE a_total counter\n\
            a_total 18446744073709551615\na_total{path=\"x\\\"y\\\\z\\n\"} 7\n\
            # HELP b Two\\nlines \\\\ \"quoted\".\n# TYPE b gauge\nb -3\n";
        assert_eq!(registry.expose(), expected);
    }

    #[test]
    fn a_histogram_is_cumulative_and_in_seconds() {
        let registry = Registry::new();
        let histogram = Arc::new(Histogram::default());
        registry.adopt_histogram("t_seconds", "T.", &[("m", "get")], histogram.clone());
        for nanos in [5_000, 20_000, 20_000, 2_000_000_000] {
            histogram.record(nanos);
        }
        let page = registry.expose();
        for line in [
            "# TYPE t_seconds histogram",
            "t_seconds_bucket{m=\"get\",le=\"0.00001\"} 1",
            "t_seconds_bucket{m=\"get\",le=\"0.000025\"} 3",
            "t_seconds_bucket{m=\"get\",le=\"1\"} 3",
            "t_seconds_bucket{m=\"get\",le=\"+Inf\"} 4",
            "t_seconds_sum{m=\"get\"} 2.000045",
            "t_seconds_count{m=\"get\"} 4",
        ] {
            assert!(
                page.lines().any(|shown| shown == line),
                "{line} is not in\n{page}"
            );
        }
    }
}
