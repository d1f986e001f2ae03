//! What the clients of a run did and saw, recorded for the judge.

use std::collections::BTreeMap;
use std::time::Duration;

use super::checks::{Broken, Checked, Rule};
use super::client::Outcome;
use super::scenario::Request;
use crate::raft::history::{self, Begun, Kind, Operation, Recorder, Verdict};

/// The limit of the search for each key's order; the operations of a run need less.
const LIMIT: u64 = 200_000;

/// The operations of all clients.
#[derive(Debug, Default)]
pub(super) struct Recording {
    recorder: Recorder,
    /// By client: its operation in progress.
    under_way: BTreeMap<usize, (Begun, Request)>,
    /// The process that a client is now; after an unknown outcome it becomes another.
    processes: BTreeMap<usize, u64>,
    last_process: u64,
}

impl Recording {
    pub(super) fn operations(&self) -> &[Operation] {
        self.recorder.operations()
    }

    /// A client is about to ask.
    pub(super) fn begin(&mut self, client: usize, now: Duration, request: &Request) {
        let process = *self.processes.entry(client).or_insert_with(|| {
            self.last_process += 1;
            self.last_process
        });
        let kind = match request {
            Request::Get { .. } => Kind::Get,
            Request::Put { value, .. } => Kind::Put(value.clone().into()),
            Request::Cas { old, new, .. } => Kind::CompareAndSwap {
                expected: Some(old.clone().into()).filter(|old: &Vec<u8>| !old.is_empty()),
                new: new.clone().into(),
            },
        };
        let begun = self.recorder.begin(process, now, request.key(), kind);
        self.under_way.insert(client, (begun, request.clone()));
    }

    /// It has its answer, or gave up.
    pub(super) fn end(
        &mut self,
        client: usize,
        now: Duration,
        outcome: &Outcome,
    ) -> Option<Request> {
        let (begun, request) = self.under_way.remove(&client)?;
        let seen = match outcome {
            Outcome::Holds(value) => history::Outcome::Read(value.clone().map(Into::into)),
            Outcome::Done => match request {
                Request::Cas { .. } => history::Outcome::Swapped(true),
                _ => history::Outcome::Done,
            },
            Outcome::Differs(_) => history::Outcome::Swapped(false),
            Outcome::Unknown => history::Outcome::Unknown,
        };
        if *outcome == Outcome::Unknown {
            self.processes.remove(&client);
        }
        self.recorder.end(begun, now, seen);
        Some(request)
    }

    /// Whether one copy could have given all the answers. A run that cannot be judged has not
    /// passed.
    pub(super) fn judge(&self) -> Checked {
        self.judge_within(LIMIT)
    }

    fn judge_within(&self, limit: u64) -> Checked {
        match history::check_within(self.operations(), limit) {
            Verdict::Linearizable(_) => Ok(()),
            verdict @ (Verdict::NotLinearizable(_) | Verdict::Undecided { .. }) => Err(Broken {
                rule: Rule::Linearizable,
                how: verdict.to_string(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_nobody_can_judge_has_not_passed() {
        let mut recording = Recording::default();
        let (key, value) = ("k".to_owned(), "v".to_owned());
        recording.begin(0, Duration::ZERO, &Request::Put { key, value });
        recording.end(0, Duration::ZERO, &Outcome::Done);
        assert_eq!(recording.judge(), Ok(()));
        let broken = recording.judge_within(0).expect_err("undecided");
        let how = "linearizable history: undecided: key \"k\": no order found in 0 steps";
        assert_eq!(broken.to_string(), how);
    }
}
