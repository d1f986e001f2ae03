//! What a leader knows of one other node's log, and what it may send it (Figure 2, nextIndex and
//! matchIndex; flow control: dissertation §10.2).

use std::collections::VecDeque;
use std::time::Duration;

use crate::raft::entry::{Index, Snapshot};

/// How a leader feeds one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// It is not known where the logs differ: send one message, then wait for its reply.
    Probe {
        /// Whether a message is in flight.
        waiting: bool,
    },
    /// The logs match up to `next - 1`: messages follow each other without waiting.
    Replicate {
        /// The last index of each message in flight.
        in_flight: VecDeque<Index>,
    },
    /// It needs entries that are gone: send the snapshot, part by part.
    Snapshot {
        /// Which one: it stays the same to its end, even if there is a later one.
        snapshot: Snapshot,
        /// What the node has of it, in bytes.
        offset: u64,
        /// Whether a part is in flight.
        waiting: bool,
    },
}

/// One node as its leader sees it.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    /// The next entry to send.
    pub next: Index,
    /// The last entry known to be on its stable storage. Never goes back.
    pub matched: Index,
    /// The latest round that it has answered.
    pub round: u64,
    /// When it last answered.
    pub heard: Duration,
    pub flow: Flow,
}

impl Progress {
    /// For a node of which nothing is known: the first guess is that it has everything (Figure 2).
    pub fn new(last_index: Index, now: Duration) -> Self {
        Self {
            next: last_index + 1,
            matched: 0,
            round: 0,
            heard: now,
            flow: Flow::Probe { waiting: false },
        }
    }

    /// It answered, in this round.
    pub fn answered(&mut self, round: u64, now: Duration) {
        self.round = self.round.max(round);
        self.heard = now;
    }

    /// Its log equals the leader's up to `matched`. True if that was not known.
    pub fn matches(&mut self, matched: Index) -> bool {
        let news = matched > self.matched;
        self.matched = self.matched.max(matched);
        self.next = self.next.max(matched + 1);
        match &mut self.flow {
            Flow::Replicate { in_flight } => {
                while in_flight.front().is_some_and(|&last| last <= matched) {
                    in_flight.pop_front();
                }
            }
            // A reply to an older message says nothing about the snapshot.
            Flow::Snapshot { snapshot, .. } if matched < snapshot.meta.last_index => {}
            Flow::Probe { .. } | Flow::Snapshot { .. } => {
                self.next = self.matched + 1;
                self.flow = Flow::Replicate {
                    in_flight: VecDeque::new(),
                };
            }
        }
        news
    }

    /// Its log differs from the leader's before `previous + 1`: try again at `hint` (§5.3). Replies
    /// to older messages change nothing.
    pub fn conflicts(&mut self, previous: Index, hint: Index) {
        let stale = match &self.flow {
            Flow::Probe { .. } => previous + 1 != self.next,
            Flow::Replicate { .. } => previous >= self.next,
            Flow::Snapshot { .. } => true,
        };
        if stale || previous <= self.matched {
            return;
        }
        // At least one back, so it ends; never back to entries that match.
        self.next = hint.min(previous).max(self.matched + 1);
        self.flow = Flow::Probe { waiting: false };
    }

    /// A heartbeat is due: the last message may have been lost, so one more may be sent.
    pub fn may_repeat(&mut self) {
        match &mut self.flow {
            Flow::Probe { waiting } | Flow::Snapshot { waiting, .. } => *waiting = false,
            // A lost append is noticed when the heartbeat after it finds a gap.
            Flow::Replicate { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::entry::SnapshotMeta;

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn the_match_index_never_goes_back() {
        let mut progress = Progress::new(10, NOW);
        assert!(progress.matches(8));
        assert!(!progress.matches(5));
        assert_eq!((progress.matched, progress.next), (8, 9));
    }

    #[test]
    fn a_probe_backs_up_to_the_hint_and_at_least_by_one() {
        let mut progress = Progress::new(10, NOW);
        progress.conflicts(10, 4);
        assert_eq!(progress.next, 4);
        progress.conflicts(3, 9);
        assert_eq!(progress.next, 3);
    }

    #[test]
    fn a_late_conflict_changes_nothing() {
        let mut progress = Progress::new(10, NOW);
        progress.conflicts(10, 4);
        progress.conflicts(10, 2);
        assert_eq!(progress.next, 4, "an answer to an older probe");
        progress.matches(6);
        progress.conflicts(5, 2);
        assert_eq!(progress.next, 7, "what matched does so for ever");
    }

    #[test]
    fn a_reply_frees_the_window_up_to_its_index() {
        let mut progress = Progress::new(0, NOW);
        progress.matches(0);
        progress.flow = Flow::Replicate {
            in_flight: [1, 2, 3].into(),
        };
        progress.next = 4;
        progress.matches(2);
        assert_eq!(
            progress.flow,
            Flow::Replicate {
                in_flight: [3].into()
            }
        );
    }

    #[test]
    fn an_old_reply_does_not_end_a_snapshot() {
        let mut progress = Progress::new(10, NOW);
        progress.flow = Flow::Snapshot {
            snapshot: Snapshot {
                meta: SnapshotMeta {
                    last_index: 8,
                    ..SnapshotMeta::default()
                },
                ..Snapshot::default()
            },
            offset: 0,
            waiting: true,
        };
        progress.matches(3);
        assert!(matches!(progress.flow, Flow::Snapshot { .. }));
        progress.matches(8);
        assert!(matches!(progress.flow, Flow::Replicate { .. }));
        assert_eq!(progress.next, 9);
    }
}
