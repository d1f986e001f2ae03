//! Records a history while it happens.
//!
//! Call [`begin`](Recorder::begin) before an operation is sent, and [`end`](Recorder::end) after its
//! answer has come. Each call gets a time of its own: if the clock has not moved since the previous
//! call, a microsecond is added. So the order of the calls is kept: a client that asks again at the
//! moment of its answer is recorded as asking later.

use std::time::Duration;

use super::operation::{Kind, Operation, Outcome};

/// A history that grows. Many threads share one behind a lock.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    operations: Vec<Operation>,
    last: u64,
}

/// An operation that has begun.
#[derive(Debug)]
#[must_use = "the operation's end belongs to it"]
pub struct Begun(usize);

impl Recorder {
    /// An empty history.
    pub fn new() -> Recorder {
        Recorder::default()
    }

    /// A process is about to ask. `now` may have any origin, the same for all calls.
    pub fn begin(
        &mut self,
        process: u64,
        now: Duration,
        key: impl AsRef<[u8]>,
        kind: Kind,
    ) -> Begun {
        let start = self.tick(now);
        self.operations.push(Operation {
            process,
            key: key.as_ref().to_vec(),
            kind,
            start,
            end: None,
            outcome: Outcome::Unknown,
        });
        Begun(self.operations.len() - 1)
    }

    /// The process has been answered, or has given up: then the outcome is unknown.
    pub fn end(&mut self, begun: Begun, now: Duration, outcome: Outcome) {
        let end = self.tick(now);
        if let Some(operation) = self.operations.get_mut(begun.0) {
            operation.end = Some(end);
            operation.outcome = outcome;
        }
    }

    /// All that has begun, in this order. What has not ended is of unknown outcome.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    fn tick(&mut self, now: Duration) -> u64 {
        let now = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        self.last = now.max(self.last.saturating_add(1));
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_in_one_moment_is_recorded_in_order() {
        let (mut recorder, now) = (Recorder::new(), Duration::from_micros(7));
        let put = recorder.begin(1, now, "x", Kind::Put(b"a".to_vec()));
        recorder.end(put, now, Outcome::Done);
        let _never = recorder.begin(1, now, "x", Kind::Delete);
        let [put, delete] = recorder.operations() else {
            panic!("two operations");
        };
        assert_eq!(
            (put.start, put.end, &put.outcome),
            (7, Some(8), &Outcome::Done)
        );
        assert_eq!(
            (delete.start, delete.end, &delete.outcome),
            (9, None, &Outcome::Unknown)
        );
    }
}
