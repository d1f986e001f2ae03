//! A client: a thread that calls, waits for the answer, and rests; `sim/client.rs` decides what to
//! ask.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use super::super::client::{Client, Next, Outcome, PATIENCE};
use super::super::timeline::What;
use super::post::{Answer, Asker, Letter, Report, Spectator};
use crate::raft::NodeId;

/// What a client is doing, up to a given time.
#[derive(Clone, Copy)]
enum Stage {
    /// Nothing, between two operations.
    Rests,
    /// Waits for an answer.
    Waits,
    /// Waits before it calls again.
    Pauses,
}

/// The thread's state.
pub(super) struct ClientThread {
    pub(super) name: u64,
    pub(super) client: Client,
    /// What it asks for at the moment, in words.
    pub(super) request: String,
    pub(super) inbox: Receiver<Answer>,
    /// The other end of the inbox, for nodes to answer.
    pub(super) reply_to: Sender<Answer>,
    pub(super) network: Sender<Letter>,
    /// The nodes it knows.
    pub(super) nodes: Vec<NodeId>,
    pub(super) spectator: Spectator,
}

impl ClientThread {
    /// Does one operation after another until there is none left or the run is over.
    pub(super) fn run(mut self) {
        let rest = self.client.pause();
        let mut stage = (Stage::Rests, self.now() + rest);
        loop {
            match self.inbox.recv_timeout(self.spectator.time.until(stage.1)) {
                Ok(Answer::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(Answer::Reply(of, reply)) => {
                    let now = self.now();
                    let next = self.client.reply(now, of, reply, &self.nodes);
                    stage = self.follow(next, stage);
                }
                Err(RecvTimeoutError::Timeout) => match self.wake(stage) {
                    Some(then) => stage = then,
                    None => return,
                },
            }
        }
    }

    fn now(&self) -> Duration {
        self.spectator.time.now()
    }

    /// The stage is over.
    fn wake(&mut self, stage: (Stage, Duration)) -> Option<(Stage, Duration)> {
        match stage.0 {
            Stage::Rests => {
                let request = self.client.begin(self.now(), self.name as usize)?;
                self.spectator.of_world(What::Asked {
                    client: self.name,
                    number: self.client.operation,
                    operation: request.to_string(),
                });
                self.request = request.to_string();
                Some(self.call())
            }
            Stage::Pauses => Some(self.call()),
            Stage::Waits => {
                let next = self.client.silence(self.now(), &self.nodes);
                Some(self.follow(next, stage))
            }
        }
    }

    fn call(&mut self) -> (Stage, Duration) {
        if let Some(call) = self.client.call() {
            let asker = Asker {
                of: (self.client.operation, self.client.call),
                inbox: self.reply_to.clone(),
            };
            // If the network is gone, the run is over, and the inbox will say so.
            let _ = self
                .network
                .send(Letter::Call(self.client.target, call, asker));
        }
        (Stage::Waits, self.now() + PATIENCE)
    }

    fn follow(&mut self, next: Next, stage: (Stage, Duration)) -> (Stage, Duration) {
        match next {
            Next::Nothing => stage,
            Next::Again(pause) => (Stage::Pauses, self.now() + pause),
            Next::Over(outcome) => {
                self.spectator.of_world(What::Answered {
                    client: self.name,
                    number: self.client.operation,
                    operation: self.request.clone(),
                    outcome: outcome.to_string(),
                });
                self.spectator.tell(Report::Over {
                    client: self.name,
                    known: outcome != Outcome::Unknown,
                });
                (Stage::Rests, self.now() + self.client.pause())
            }
        }
    }
}
