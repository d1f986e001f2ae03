//! The network of the deterministic simulation: what becomes of each message.
//!
//! A message is lost if its way is cut when it leaves or when it would arrive. Delay, duplication
//! and reordering are drawn for each message independently: Raft expects all of them.

use std::collections::BTreeSet;
use std::time::Duration;

use super::scenario::Weather;
use super::timeline::Loss;
use crate::raft::{Dice, NodeId};

/// A message that others are to overtake takes at most this many times as long.
const HELD_BACK: u32 = 10;

/// Which nodes hear which, and how well.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) weather: Weather,
    dice: Dice,
    /// The groups of a partition. A node in no group hears no other.
    groups: Option<Vec<Vec<NodeId>>>,
    cuts: BTreeSet<(NodeId, NodeId)>,
}

/// When the copies of a message arrive: none if it is lost.
pub(super) type Arrivals = Result<(Duration, Option<Duration>), Loss>;

impl Network {
    pub(super) fn new(weather: Weather, dice: Dice) -> Self {
        Self {
            weather,
            dice,
            groups: None,
            cuts: BTreeSet::new(),
        }
    }

    pub(super) fn part(&mut self, groups: Vec<Vec<NodeId>>) {
        self.groups = Some(groups);
        self.cuts.clear();
    }

    pub(super) fn cut(&mut self, from: NodeId, to: NodeId) {
        self.cuts.insert((from, to));
    }

    pub(super) fn heal(&mut self) {
        self.groups = None;
        self.cuts.clear();
    }

    /// Whether a message gets from one node to the other.
    pub(super) fn connects(&self, from: NodeId, to: NodeId) -> bool {
        let together = self.groups.as_ref().is_none_or(|groups| {
            let with_both = |group: &Vec<NodeId>| group.contains(&from) && group.contains(&to);
            groups.iter().any(with_both)
        });
        together && !self.cuts.contains(&(from, to))
    }

    /// Decides the fate of a message between two nodes that leaves now; delays count from now.
    pub(super) fn send(&mut self, from: NodeId, to: NodeId) -> Arrivals {
        match self.connects(from, to) {
            true => self.carry(),
            false => Err(Loss::Parted),
        }
    }

    /// The same for a client's message: partitions do not affect clients.
    pub(super) fn carry(&mut self) -> Arrivals {
        if self.dice.chance(self.weather.loss.of_one()) {
            return Err(Loss::Weather);
        }
        let first = self.delay();
        let again = self.dice.chance(self.weather.duplicate.of_one());
        Ok((first, again.then(|| self.delay())))
    }

    fn delay(&mut self) -> Duration {
        let delay = self.weather.delay.draw(&mut self.dice);
        match self.dice.chance(self.weather.reorder.of_one()) {
            true => self
                .dice
                .between(delay, self.weather.delay.most * HELD_BACK),
            false => delay,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::sim::scenario::Share;

    fn network(weather: Weather) -> Network {
        Network::new(weather, Dice::new(1))
    }

    #[test]
    fn a_partition_keeps_groups_apart_and_a_cut_one_direction() {
        let mut network = network(Weather::default());
        network.part(vec![vec![1, 2], vec![3]]);
        network.cut(1, 2);
        let connected = |network: &Network| {
            let pairs = [(1, 2), (2, 1), (1, 3), (3, 2), (4, 1), (4, 4)];
            pairs.map(|(from, to)| network.connects(from, to))
        };
        assert_eq!(
            connected(&network),
            [false, true, false, false, false, false]
        );
        assert_eq!(network.send(3, 1), Err(Loss::Parted));
        network.heal();
        assert_eq!(connected(&network), [true; 6]);
    }

    #[test]
    fn weather_loses_repeats_and_delays() {
        let mut storm = network(Weather {
            loss: Share::percent(30),
            duplicate: Share::percent(30),
            reorder: Share::percent(30),
            ..Weather::default()
        });
        let fates: Vec<Arrivals> = (0..1000).map(|_| storm.carry()).collect();
        let lost = fates.iter().filter(|fate| fate.is_err()).count();
        let repeated = fates
            .iter()
            .filter(|fate| matches!(fate, Ok((_, Some(_)))))
            .count();
        let delays: Vec<Duration> = fates.iter().flatten().map(|(delay, _)| *delay).collect();
        assert!((200..400).contains(&lost), "{lost}");
        assert!((100..320).contains(&repeated), "{repeated}");
        let [early, late] = [1, 50].map(Duration::from_millis);
        assert!(delays.iter().all(|delay| (early..=late).contains(delay)));
        assert!(
            delays.iter().any(|&delay| delay > late / 2),
            "none is held back"
        );
    }
}
