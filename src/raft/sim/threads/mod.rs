//! A cluster of threads and channels, in real time: the first Raft cluster to read.
//!
//! ```text
//!  node 1 ──┐ messages  ┌─────────┐  deliveries ┌──> node 1's inbox
//!  node 2 ──┼─────────> │ network │ ────────────┼──> node 2's inbox
//!  node 3 ──┘           └─────────┘             └──> node 3's inbox
//!  clients ── calls ────────^   ^── faults ── control <── reports of all
//! ```
//!
//! Every box is a thread, every arrow a channel; threads share nothing else, and none polls or
//! sleeps: each thread waits for its inbox, at most until its next deadline. The node's loop
//! (`node.rs`) is the lesson; the network (`network.rs`) delays, loses, repeats and parts; the
//! control (`control.rs`) plays a [`Scenario`] and checks what can be seen from outside.
//!
//! The machine's scheduler decides the order here, so no two runs are equal. For runs that can be
//! repeated, use the deterministic simulation, with the same scenarios.

mod cast;
mod client;
mod control;
mod network;
mod node;
mod post;

use std::io;
use std::ops::ControlFlow;
use std::sync::mpsc::Sender;
use std::time::Duration;

use self::control::Control;
use self::post::Report;
use super::scenario::Scenario;
use super::timeline::Moment;

/// A cluster that runs.
pub struct Run(Control);

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How long it lasted.
    pub at: Duration,
    /// Whether it was stopped early: then progress was not checked.
    pub stopped: bool,
}

/// Ends a run early, from any thread.
#[derive(Clone)]
pub struct RunStopper(Sender<Report>);

impl Run {
    /// Starts the threads. Fails if the system cannot start as many.
    pub fn start(scenario: &Scenario, seed: u64) -> io::Result<Self> {
        Control::start(scenario.clone(), seed).map(Self)
    }

    /// A handle that ends the run early.
    pub fn stopper(&self) -> RunStopper {
        RunStopper(self.0.sender())
    }

    /// Blocks until the scenario is over, everything has healed, and an operation was answered
    /// after that: at most five seconds more. `each` sees all moments as they are reported, those
    /// of different threads perhaps a little out of order; it may end the run, too.
    ///
    /// All threads have ended when this returns.
    pub fn watch(self, each: impl FnMut(Moment) -> ControlFlow<()>) -> io::Result<Ended> {
        self.0.play(each)
    }
}

impl RunStopper {
    /// Ends it; returns at once.
    pub fn stop(&self) {
        // A run that is over needs no end.
        let _ = self.0.send(Report::Stop);
    }
}
