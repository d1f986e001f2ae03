//! Metrics by name: a *family* has one kind, one help text, and a *series* for each set of labels.
//!
//! Pure. What a series holds is up to the user: the registry keeps where to read a value, a page
//! the value that was read.

use std::collections::BTreeMap;

/// What kind of metric a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// Names and values, sorted by name.
pub(super) type Labels = Vec<(String, String)>;

/// All series of one name.
pub(super) struct Family<S> {
    pub help: String,
    pub kind: Kind,
    pub series: BTreeMap<Labels, S>,
}

/// Families by name.
pub(super) struct Families<S>(pub BTreeMap<String, Family<S>>);

impl<S> Default for Families<S> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<S> Families<S> {
    /// The series of this name and these labels, in any order; made if there is none.
    ///
    /// Panics on a programmer's error: a name or label that Prometheus's grammar does not allow, or
    /// one name with two kinds or two help texts.
    pub fn series(
        &mut self,
        kind: Kind,
        (name, help): (&str, &str),
        labels: &[(&str, &str)],
        made: impl FnOnce() -> S,
    ) -> &S {
        assert!(is_metric_name(name), "{name:?} is no metric name");
        let bad = labels.iter().find(|(label, _)| !is_label_name(label));
        assert!(bad.is_none(), "metric {name}: {bad:?} is no label");
        let family = self.0.entry(name.into()).or_insert_with(|| Family {
            help: help.into(),
            kind,
            series: BTreeMap::new(),
        });
        assert!(
            family.kind == kind,
            "metric {name} is there as another kind"
        );
        assert!(
            family.help == help,
            "metric {name} is there with another help text"
        );
        let owned = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
        let mut labels: Labels = labels.iter().map(owned).collect();
        labels.sort();
        family.series.entry(labels).or_insert_with(made)
    }

    /// The same families, with what `read` makes of each series.
    pub fn map<T>(&self, read: impl Fn(&S) -> T) -> Families<T> {
        let mapped = self.0.iter().map(|(name, family)| {
            let series = family.series.iter();
            let family = Family {
                help: family.help.clone(),
                kind: family.kind,
                series: series.map(|(l, s)| (l.clone(), read(s))).collect(),
            };
            (name.clone(), family)
        });
        Families(mapped.collect())
    }
}

/// `[a-zA-Z_:][a-zA-Z0-9_:]*`
fn is_metric_name(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit())
        && !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
}

/// `[a-zA-Z_][a-zA-Z0-9_]*`, and not `le`, which the format uses itself.
fn is_label_name(text: &str) -> bool {
    is_metric_name(text) && !text.contains(':') && text != "le"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_by_prometheus_grammar() {
        for (text, metric, label) in [
            ("a_b:c1", true, false),
            ("_x", true, true),
            ("1a", false, false),
            ("", false, false),
            ("a-b", false, false),
            ("le", true, false),
            ("\u{e9}", false, false),
        ] {
            assert_eq!(
                (is_metric_name(text), is_label_name(text)),
                (metric, label),
                "{text}"
            );
        }
    }

    #[test]
    fn labels_in_another_order_are_the_same_labels_and_the_first_series_stays() {
        let mut families = Families::default();
        let (x, y) = (("x", "1"), ("y", "2"));
        families.series(Kind::Gauge, ("a", "A."), &[x, y], || 1);
        assert_eq!(*families.series(Kind::Gauge, ("a", "A."), &[y, x], || 2), 1);
        assert_eq!(*families.series(Kind::Gauge, ("a", "A."), &[], || 3), 3);
    }

    #[test]
    #[should_panic(expected = "metric a is there as another kind")]
    fn one_name_with_two_kinds_is_a_programmers_error() {
        let mut families = Families::default();
        families.series(Kind::Counter, ("a", "A."), &[], || ());
        families.series(Kind::Gauge, ("a", "A."), &[], || ());
    }

    #[test]
    #[should_panic(expected = "metric a is there with another help text")]
    fn one_name_with_two_help_texts_is_a_programmers_error() {
        let mut families = Families::default();
        families.series(Kind::Counter, ("a", "A."), &[("x", "1")], || ());
        families.series(Kind::Counter, ("a", "B."), &[("x", "2")], || ());
    }

    #[test]
    #[should_panic(expected = "\"a b\" is no metric name")]
    fn a_name_with_a_space_is_a_programmers_error() {
        Families::default().series(Kind::Counter, ("a b", "A."), &[], || ());
    }
}
