//! What a user may tune of a node, with defaults.

use std::time::Duration;

const LEAST_TIMEOUT: Duration = Duration::from_millis(2);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Times and limits of a [`Node`](super::Node).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The shortest election timeout (§5.2). For this long, a follower that has heard its leader
    /// refuses its vote, and a leader may hear no majority. Default 150 ms.
    pub election_timeout_min: Duration,
    /// The longest; each election draws its own between the two. Default 300 ms.
    pub election_timeout_max: Duration,
    /// How often a leader sends heartbeats. Default 50 ms.
    pub heartbeat: Duration,
    /// The most bytes of entries in one AppendEntries; one entry may be longer. Default 256 KiB.
    pub max_batch: usize,
    /// The most AppendEntries to one follower that wait for their reply. Default 64.
    pub max_in_flight: usize,
    /// The most bytes of entries that wait for commitment; beyond this, clients are refused.
    /// Default 64 MiB.
    pub max_uncommitted: usize,
    /// The size of a snapshot's parts in bytes. Default 256 KiB.
    pub snapshot_part: usize,
    /// The largest snapshot that a follower accepts, in bytes. Default 1 GiB.
    pub max_snapshot: usize,
    /// How many entries that a snapshot covers stay in the log, for followers that lag a little.
    /// Default 1,024.
    pub keep_entries: u64,
    /// ... and how many bytes of them at most. Default 16 MiB.
    pub keep_bytes: usize,
}

impl Config {
    /// The first setting that a node would not accept as it is, for a program to report.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use groundwire::raft::Config;
    ///
    /// let heartbeat = Duration::from_secs(1);
    /// let config = Config { heartbeat, ..Config::default() };
    /// assert!(config.problem().is_some_and(|problem| problem.starts_with("heartbeat")));
    /// ```
    pub fn problem(&self) -> Option<&'static str> {
        let usable = self.clone().usable();
        let (least, most) = (usable.election_timeout_min, usable.election_timeout_max);
        let checks = [
            (
                self.election_timeout_min == least,
                "shortest election timeout: not between 2 ms and a day",
            ),
            (
                self.election_timeout_max == most,
                "longest election timeout: not between the shortest and a day",
            ),
            (
                self.heartbeat == usable.heartbeat,
                "heartbeat: not between 1 ms and half of the shortest election timeout",
            ),
            (self.max_in_flight > 0, "messages in flight: none"),
            (self.snapshot_part > 0, "a snapshot's part: no bytes"),
        ];
        let wrong = checks.into_iter().find(|(holds, _)| !holds);
        wrong.map(|(_, problem)| problem)
    }

    /// The nearest settings with which a node works: time moves between its deadlines, followers
    /// hear a leader before they campaign, and whatever is sent in parts comes to an end.
    pub(super) fn usable(self) -> Self {
        let least = self.election_timeout_min.clamp(LEAST_TIMEOUT, DAY);
        Self {
            election_timeout_min: least,
            election_timeout_max: self.election_timeout_max.clamp(least, DAY),
            heartbeat: self.heartbeat.clamp(LEAST_TIMEOUT / 2, least / 2),
            max_in_flight: self.max_in_flight.max(1),
            snapshot_part: self.snapshot_part.max(1),
            ..self
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            election_timeout_min: Duration::from_millis(150),
            election_timeout_max: Duration::from_millis(300),
            heartbeat: Duration::from_millis(50),
            max_batch: 256 << 10,
            max_in_flight: 64,
            max_uncommitted: 64 << 20,
            snapshot_part: 256 << 10,
            max_snapshot: 1 << 30,
            keep_entries: 1024,
            keep_bytes: 16 << 20,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_makes_no_sense_is_named_and_mended() {
        type Change = fn(&mut Config);
        let changes: [(Change, &str); 8] = [
            (|c| c.election_timeout_min = Duration::ZERO, "shortest"),
            (|c| c.election_timeout_min = Duration::MAX, "shortest"),
            (
                |c| c.election_timeout_max = Duration::from_millis(149),
                "longest",
            ),
            (|c| c.election_timeout_max = Duration::MAX, "longest"),
            (|c| c.heartbeat = Duration::ZERO, "heartbeat"),
            (|c| c.heartbeat = Duration::from_millis(76), "heartbeat"),
            (|c| c.max_in_flight = 0, "messages in flight"),
            (|c| c.snapshot_part = 0, "a snapshot's part"),
        ];
        for (change, expected) in changes {
            let mut config = Config::default();
            change(&mut config);
            let problem = config.problem().unwrap_or_default();
            assert!(problem.starts_with(expected), "{problem}");
            assert_eq!(config.usable().problem(), None, "{expected}");
        }
        assert_eq!(Config::default().problem(), None);
    }
}
