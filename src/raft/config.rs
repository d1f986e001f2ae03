//! What a user may tune of a node, with defaults.

use std::time::Duration;

/// Times and limits of a [`Node`](super::Node).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The shortest election timeout (§5.2). Also how long a follower that has heard its leader
    /// refuses others its vote, and how long a leader may hear no majority. Default 150 ms.
    pub election_timeout_min: Duration,
    /// The longest; each election draws its own between the two. Default 300 ms.
    pub election_timeout_max: Duration,
    /// How often a leader lets itself be heard. Default 50 ms.
    pub heartbeat: Duration,
    /// The most bytes of commands in one AppendEntries; one entry may be longer. Default 256 KiB.
    pub max_batch: usize,
    /// The most AppendEntries to one follower that wait for their reply. Default 64.
    pub max_in_flight: usize,
    /// The most bytes of commands that wait for commitment; beyond them clients are refused.
    /// Default 64 MiB.
    pub max_uncommitted: usize,
    /// The size of a snapshot's parts in bytes. Default 256 KiB.
    pub snapshot_part: usize,
    /// The largest snapshot that is taken from a leader, in bytes. Default 1 GiB.
    pub max_snapshot: usize,
    /// How many entries stay in the log behind a snapshot, for followers that lag a little.
    /// Default 1,024.
    pub keep_entries: u64,
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
        }
    }
}
