//! The faults, and in which order they come.

use std::fmt;

use crate::seeded::Seeded;

/// What is done to the cluster. Each is mended before the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9`, and a start later.
    KillFollower,
    KillLeader,
    /// Of all nodes at once.
    KillAll,
    /// SIGSTOP, and SIGCONT when there is another leader.
    PauseLeader,
    /// Its packets to the other nodes are dropped, and theirs; clients still reach it.
    CutLeader,
    /// The same, but for one follower, which reaches all.
    Bridge,
    /// Two nodes here, three there.
    Halves,
    /// Nobody reaches a node.
    Unplug,
    /// A node's disk has no space.
    FullDisk,
    /// The last record of a stopped node's log is not whole.
    TornTail,
    /// A bit of a stopped node's log is another one, its snapshot ends too early.
    Damage,
}

const ALL: [Fault; 11] = [
    Fault::KillFollower,
    Fault::KillLeader,
    Fault::KillAll,
    Fault::PauseLeader,
    Fault::CutLeader,
    Fault::Bridge,
    Fault::Halves,
    Fault::Unplug,
    Fault::FullDisk,
    Fault::TornTail,
    Fault::Damage,
];

impl Fault {
    /// Whether it takes a network, or a disk, that is the node's alone.
    fn needs_cables(self) -> bool {
        use Fault::{Bridge, CutLeader, FullDisk, Halves, Unplug};
        matches!(self, CutLeader | Bridge | Halves | Unplug | FullDisk)
    }
}

/// In the words of someone who watches.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::KillFollower => "kill -9 of a follower",
            Fault::KillLeader => "kill -9 of the leader",
            Fault::KillAll => "kill -9 of all at once",
            Fault::PauseLeader => "the leader is stopped, and goes on later",
            Fault::CutLeader => "the leader is cut off from its followers",
            Fault::Bridge => "the leader reaches one follower only",
            Fault::Halves => "two nodes are cut off from three",
            Fault::Unplug => "a node is cut off from everybody",
            Fault::FullDisk => "a full disk",
            Fault::TornTail => "a log whose last record is torn",
            Fault::Damage => "a flipped bit in a log, a snapshot cut short",
        })
    }
}

/// Each fault once, in an order that the dice give.
pub fn round(dice: &mut Seeded, cables: bool) -> Vec<Fault> {
    let mut faults = ALL.to_vec();
    faults.retain(|fault| cables || !fault.needs_cables());
    for at in (1..faults.len()).rev() {
        faults.swap(at, dice.below(at + 1));
    }
    faults
}
