//! The sums of a run: the table at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use super::timeline::{Moment, What};
use super::words::milliseconds;
use crate::cli::json::Object;
use crate::raft::{Event, Index, NodeId, RoleName, Term};

/// Counts of a run. Feed it each moment in order of time.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Campaigns that were begun, pre-votes not counted.
    pub elections: u64,
    /// The leader of each term.
    pub leaders: BTreeMap<Term, NodeId>,
    /// Each kind of message: how many were sent.
    pub sent: BTreeMap<&'static str, u64>,
    /// Messages that arrived, copies included.
    pub delivered: u64,
    /// Messages that did not.
    pub dropped: u64,
    /// Copies that the network made.
    pub duplicated: u64,
    /// The highest commit index of any node.
    pub committed: Index,
    /// Crashes.
    pub crashes: u64,
    /// Partitions.
    pub partitions: u64,
    /// Operations that clients began.
    pub asked: u64,
    /// Operations that ended with an answer of whatever kind.
    pub answered: u64,
    /// What broke.
    pub broken: Vec<String>,
    nodes: BTreeMap<NodeId, Last>,
    leading: BTreeSet<NodeId>,
    leaderless: Leaderless,
}

/// The last known state of a node.
#[derive(Clone, Debug)]
struct Last {
    role: RoleName,
    term: Term,
    log: Index,
    commit: Index,
    running: bool,
}

/// Stretches of time in which no running node was a leader.
#[derive(Clone, Debug, Default)]
struct Leaderless {
    /// Whether there is a leader now. Before the first election there is none.
    led: bool,
    /// When it became so.
    since: Duration,
    longest: Duration,
    longest_from: Duration,
}

impl Tally {
    /// Counts what happened next.
    pub fn count(&mut self, moment: &Moment) {
        self.see(moment);
        match &moment.what {
            What::Event(Event::Became { role, term, .. }) => self.became(moment, *role, *term),
            What::Event(Event::Committed(index)) => self.committed = self.committed.max(*index),
            What::Crashed => self.crashes += 1,
            What::Sent { message, .. } => {
                *self.sent.entry(message.body.name()).or_default() += 1;
            }
            What::Duplicated { .. } => self.duplicated += 1,
            What::Dropped { .. } => self.dropped += 1,
            What::Delivered { .. } => self.delivered += 1,
            What::Parted(_) => self.partitions += 1,
            What::Asked { .. } => self.asked += 1,
            What::Answered { .. } => self.answered += 1,
            What::Broken(text) => self.broken.push(text.clone()),
            _ => {}
        }
    }

    fn became(&mut self, moment: &Moment, role: RoleName, term: Term) {
        match (role, moment.node) {
            (RoleName::Candidate, _) => self.elections += 1,
            (RoleName::Leader, Some(node)) => {
                self.leaders.entry(term).or_insert(node);
            }
            _ => {}
        }
    }

    /// Keeps what a node is, and whether there is a leader.
    fn see(&mut self, moment: &Moment) {
        let Some(id) = moment.node else { return };
        let node = self.nodes.entry(id).or_insert(Last {
            role: moment.role,
            term: moment.term,
            log: 0,
            commit: 0,
            running: true,
        });
        match &moment.what {
            // Reported by observers from outside, which are not always up to date.
            What::Sent { .. } | What::Dropped { .. } | What::Duplicated { .. } => return,
            What::Crashed => node.running = false,
            What::Started { snapshot, entries } => {
                node.running = true;
                node.log = entries.last().map_or(*snapshot, |entry| entry.index);
                node.commit = *snapshot;
            }
            What::Appended(entries) => {
                node.log = entries.last().map_or(node.log, |entry| entry.index);
            }
            What::Event(Event::Truncated(index)) => node.log = index.saturating_sub(1),
            What::Event(Event::Installed(index)) => {
                node.log = node.log.max(*index);
                node.commit = node.commit.max(*index);
            }
            What::Event(Event::Committed(index)) => node.commit = *index,
            _ => {}
        }
        (node.role, node.term) = (moment.role, moment.term);
        if node.running && node.role == RoleName::Leader {
            self.leading.insert(id);
        } else {
            self.leading.remove(&id);
        }
        self.leaderless.note(!self.leading.is_empty(), moment.time);
    }

    /// The longest stretch up to `end` in which no running node was a leader: its length and when
    /// it began. A leader that is cut off from the others counts until it steps down.
    pub fn leaderless(&self, end: Duration) -> (Duration, Duration) {
        let mut stretches = self.leaderless.clone();
        stretches.note(true, end);
        (stretches.longest, stretches.longest_from)
    }

    /// The table, of a run that lasted until `end`.
    pub fn table(&self, end: Duration) -> String {
        let mut table = String::new();
        // Writing to a String cannot fail.
        let mut row = |name: &str, value: String| {
            let _ = writeln!(table, "{name:<20}{value}");
        };
        let (longest, from) = self.leaderless(end);
        let leaders = self.leaders.iter();
        let leaders: Vec<String> = leaders
            .map(|(term, node)| format!("{node} ({term})"))
            .collect();
        row("time", format!("{} s", milliseconds(end)));
        row(
            "elections",
            format!("{}, won {}", self.elections, leaders.len()),
        );
        row("leaders (term)", abridged(&leaders));
        row(
            "longest leaderless",
            format!("{} s, from {}", milliseconds(longest), milliseconds(from)),
        );
        row("entries committed", self.committed.to_string());
        row(
            "client operations",
            format!("{}, answered {}", self.asked, self.answered),
        );
        row(
            "crashes, partitions",
            format!("{}, {}", self.crashes, self.partitions),
        );
        row(
            "messages",
            format!(
                "{} sent, {} delivered, {} dropped, {} repeated",
                self.sent.values().sum::<u64>(),
                self.delivered,
                self.dropped,
                self.duplicated
            ),
        );
        for (kind, count) in &self.sent {
            row(&format!("  {kind}"), format!("{count:>7}"));
        }
        table + &self.nodes_table()
    }

    fn nodes_table(&self) -> String {
        let mut table = String::from("\nnode  role           term  log  committed\n");
        for (id, node) in &self.nodes {
            let role = if node.running {
                node.role.to_string()
            } else {
                "down".into()
            };
            let _ = writeln!(
                table,
                "{id:>4}  {role:<13}  {:>4}  {:>3}  {:>9}",
                node.term, node.log, node.commit
            );
        }
        table
    }

    /// The same as one JSON object.
    pub fn json(&self, end: Duration) -> String {
        let (longest, from) = self.leaderless(end);
        let kinds = self.sent.iter();
        let kinds = kinds.fold(Object::new(), |object, (kind, count)| {
            object.number(kind, count)
        });
        Object::new()
            .text("what", "end")
            .number("time", milliseconds(end))
            .number("elections", self.elections)
            .number("won", self.leaders.len())
            .number("highest_term", self.leaders.keys().last().unwrap_or(&0))
            .number("longest_leaderless", milliseconds(longest))
            .number("longest_leaderless_from", milliseconds(from))
            .number("committed", self.committed)
            .number("asked", self.asked)
            .number("answered", self.answered)
            .number("crashes", self.crashes)
            .number("partitions", self.partitions)
            .value("sent", kinds.end())
            .number("delivered", self.delivered)
            .number("dropped", self.dropped)
            .number("duplicated", self.duplicated)
            .number("broken", self.broken.len())
            .end()
    }
}

impl Leaderless {
    /// There is a leader from `time` on, or there is none.
    fn note(&mut self, led: bool, time: Duration) {
        if led == self.led {
            return;
        }
        let lasted = time.saturating_sub(self.since);
        if led && lasted > self.longest {
            (self.longest, self.longest_from) = (lasted, self.since);
        }
        (self.led, self.since) = (led, time);
    }
}

/// The first few, and how many more there are.
fn abridged(items: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<&str> = items.iter().take(SHOWN).map(String::as_str).collect();
    match items.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{}, and {more} more", shown.join(", ")),
    }
}
