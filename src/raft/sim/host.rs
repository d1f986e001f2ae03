//! One machine of the deterministic simulation: a node with its disk, its state machine, its clock.

use std::collections::BTreeMap;
use std::time::Duration;

use super::scenario::Share;
use crate::raft::registers::Registers;
use crate::raft::sessions::{Limits, Sessions};
use crate::raft::storage::MemoryStorage;
use crate::raft::{Dice, Index, Input, Node, NodeId, Term};

/// Errors of clocks are in parts of a million.
const MILLION: i128 = 1_000_000;

/// A clock that runs at its own rate.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    /// How much too fast, in millionths.
    fast: i64,
    /// How far it has jumped ahead.
    ahead: Duration,
}

impl Clock {
    /// A clock whose rate is wrong by at most this share, as the dice say.
    pub(super) fn skewed(skew: Share, dice: &mut Dice) -> Self {
        let most = u64::from(skew.0) * 100;
        let fast = dice.below(2 * most + 1) as i64 - most as i64;
        Self {
            fast,
            ahead: Duration::ZERO,
        }
    }

    /// Jumps.
    pub(super) fn jump(&mut self, by: Duration) {
        self.ahead += by;
    }

    /// What it shows at a time of the simulation.
    pub(super) fn shows(self, world: Duration) -> Duration {
        let nanos = world.as_nanos() as i128 * (MILLION + i128::from(self.fast)) / MILLION;
        self.ahead + Duration::from_nanos(nanos as u64)
    }

    /// The first time of the simulation at which it shows this or more.
    pub(super) fn when(self, shown: Duration) -> Duration {
        let nanos = shown.saturating_sub(self.ahead).as_nanos() as i128 * MILLION;
        let rate = MILLION + i128::from(self.fast);
        Duration::from_nanos(((nanos + rate - 1) / rate) as u64)
    }
}

/// A client that waits for an answer of a node.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    /// Which client.
    pub(super) client: usize,
    /// Which of its operations, and which call.
    pub(super) of: (u64, u64),
    /// Of a read: the key, and how much was committed when it came.
    pub(super) read: Option<(String, Index)>,
}

/// The machine.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) id: NodeId,
    /// `None` while it is down.
    pub(super) node: Option<Node>,
    /// Counts its starts: events planned for an earlier life are ignored.
    pub(super) life: u64,
    pub(super) storage: MemoryStorage,
    /// When the disk will have done all its writes.
    pub(super) disk_free: Duration,
    pub(super) machine: Sessions<Registers>,
    /// The last index that went into the machine.
    pub(super) applied: Index,
    /// The index of the latest snapshot of its own.
    pub(super) compacted: Index,
    pub(super) clock: Clock,
    /// When a tick is planned.
    pub(super) tick: Option<Duration>,
    /// The election timeout that was last reported.
    pub(super) timer: Duration,
    /// Whether its output will be taken a little later.
    pub(super) flush: bool,
    /// While it is paused: what arrived.
    pub(super) paused: Option<Vec<Input>>,
    /// The clients that wait, by the id that the node was given.
    pub(super) waiting: BTreeMap<u64, Waiting>,
    /// By index: the request whose command is there, if the entry has this term.
    pub(super) accepted: BTreeMap<Index, (Term, u64)>,
}

impl Host {
    /// A machine that is down, with this on its disk.
    pub(super) fn new(id: NodeId, storage: MemoryStorage, clock: Clock) -> Self {
        Self {
            id,
            node: None,
            life: 0,
            storage,
            disk_free: Duration::ZERO,
            machine: Sessions::new(Registers::default(), Limits::default()),
            applied: 0,
            compacted: 0,
            clock,
            tick: None,
            timer: Duration::ZERO,
            flush: false,
            paused: None,
            waiting: BTreeMap::new(),
            accepted: BTreeMap::new(),
        }
    }

    /// Begins another life with this node; the machine is empty until the node restores it.
    pub(super) fn start(&mut self, node: Node) {
        self.stop();
        self.node = Some(node);
        self.life += 1;
    }

    /// All that is not on the disk is gone.
    pub(super) fn stop(&mut self) {
        let storage = std::mem::take(&mut self.storage);
        let (life, clock) = (self.life, self.clock);
        *self = Self {
            life,
            ..Self::new(self.id, storage, clock)
        };
    }

    /// Whether it runs and is not paused.
    pub(super) fn is_awake(&self) -> bool {
        self.node.is_some() && self.paused.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_shows_a_time_at_the_moment_it_says_and_not_before() {
        for seed in 0..100 {
            let mut clock = Clock::skewed(Share::percent(10), &mut Dice::new(seed));
            clock.jump(Duration::from_millis(seed));
            for micros in [0, 1, 333_333, 5_000_000] {
                let shown = clock.ahead + Duration::from_micros(micros);
                let world = clock.when(shown);
                assert!(clock.shows(world) >= shown, "{clock:?} {micros}");
                let before = world.saturating_sub(Duration::from_nanos(2));
                assert!(
                    world.is_zero() || clock.shows(before) < shown,
                    "{clock:?} {micros}"
                );
            }
        }
    }
}
