//! What a node counts, for graphs: under the prefix `groundwire_raft`, labelled with the node.

use std::sync::Arc;

use super::Shared;
use crate::raft::{Index, NodeId};
use crate::telemetry::{Counter, Gauge, Histogram, Registry};

/// A node's numbers; the node's thread changes them, any thread reads.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) leads: Gauge,
    pub(super) term: Gauge,
    pub(super) commit: Gauge,
    pub(super) applied: Gauge,
    /// How often it became leader.
    pub(super) won: Counter,
    pub(super) proposals: Counter,
    pub(super) reads: Counter,
    pub(super) snapshots: Counter,
    /// How long each write with its sync took, in nanoseconds. The number of proposals divided by
    /// the number of these is how many share a sync.
    pub(super) writing: Arc<Histogram>,
}

impl Counts {
    pub(super) fn set(gauge: &Gauge, number: Index) {
        gauge.set(i64::try_from(number).unwrap_or(i64::MAX));
    }
}

/// The name after the prefix, the help text, and the field.
type Row<T> = (&'static str, &'static str, fn(&Counts) -> &T);

const GAUGES: [Row<Gauge>; 4] = [
    ("leads", "1 while the node leads.", |counts| &counts.leads),
    ("term", "The node's term.", |counts| &counts.term),
    (
        "commit_index",
        "Up to where the log is committed.",
        |counts| &counts.commit,
    ),
    (
        "applied_index",
        "Up to where it is applied here.",
        |counts| &counts.applied,
    ),
];

const COUNTERS: [Row<Counter>; 4] = [
    (
        "elections_won_total",
        "Times that the node became leader.",
        |counts| &counts.won,
    ),
    (
        "proposals_total",
        "Commands that the node put in its log as leader.",
        |counts| &counts.proposals,
    ),
    (
        "reads_total",
        "Linearizable reads that it answered.",
        |counts| &counts.reads,
    ),
    ("snapshots_total", "Snapshots that it took.", |counts| {
        &counts.snapshots
    }),
];

pub(super) fn register(registry: &Registry, id: NodeId, shared: &Arc<Shared>) {
    let id = id.to_string();
    let labels = [("node", id.as_str())];
    for (name, help, of) in GAUGES {
        let shared = shared.clone();
        let name = format!("groundwire_raft_{name}");
        registry.gauge_fn(&name, help, &labels, move || of(&shared.counts).get());
    }
    for (name, help, of) in COUNTERS {
        let shared = shared.clone();
        let name = format!("groundwire_raft_{name}");
        registry.counter_fn(&name, help, &labels, move || of(&shared.counts).get());
    }
    registry.adopt_histogram(
        "groundwire_raft_write_seconds",
        "How long it took to write and sync what came together.",
        &labels,
        shared.counts.writing.clone(),
    );
}
