//! What the clients of a run did and saw.

use std::time::Duration;

use super::checks::Checked;
use super::client::Outcome;
use super::scenario::Request;

/// The operations of all clients.
#[derive(Debug, Default)]
pub(super) struct Recording {
    operations: Vec<(usize, Request, Duration, Option<(Duration, Outcome)>)>,
}

impl Recording {
    pub(super) fn len(&self) -> usize {
        self.operations.len()
    }

    pub(super) fn begin(&mut self, client: usize, now: Duration, request: &Request) {
        self.operations.push((client, request.clone(), now, None));
    }

    pub(super) fn end(
        &mut self,
        client: usize,
        now: Duration,
        outcome: &Outcome,
    ) -> Option<Request> {
        let last = self
            .operations
            .iter_mut()
            .rev()
            .find(|operation| operation.0 == client)?;
        last.3 = Some((now, outcome.clone()));
        Some(last.1.clone())
    }

    pub(super) fn judge(&self) -> Checked {
        Ok(())
    }
}
