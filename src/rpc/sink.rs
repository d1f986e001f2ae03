//! Where a method sends the items of a stream.

use std::marker::PhantomData;

use super::failure::Failure;
use super::link::NoCredit;
use super::message::Push;
use super::service::Running;
use crate::net::Deadline;
use crate::wire::{Encode, Frames};

/// The items of a streamed reply.
///
/// The caller says how many items it accepts, and [`send`](Sink::send) waits for that. So a caller
/// that reads slowly slows the method down and does not fill memory.
pub struct Sink<'a, T> {
    id: u64,
    running: Running<'a>,
    deadline: Deadline,
    frames: Frames,
    items: PhantomData<fn(&T)>,
}

impl<'a, T: Encode> Sink<'a, T> {
    pub(super) fn new(id: u64, running: Running<'a>, deadline: Deadline) -> Self {
        Self {
            id,
            running,
            deadline,
            frames: Frames::new(running.link.answers),
            items: PhantomData,
        }
    }

    /// Sends one item. Blocks while the caller has enough, at most until the call's deadline, and
    /// for the server's idle time-out. Fails when the caller no longer waits, or when the server is
    /// stopping and its drain time is over. Return the failure: it ends the method.
    pub fn send(&mut self, item: &T) -> Result<(), Failure> {
        let Running { link, state, .. } = self.running;
        let credit = state.take_credit(self.deadline, link.patience);
        credit.map_err(|why| match why {
            NoCredit::Cancelled => Failure::Cancelled,
            NoCredit::Late => Failure::DeadlineExceeded,
            NoCredit::Silence => Failure::Refused("nobody asked for more items in time".into()),
            NoCredit::Stopped => Failure::Refused("the server stops in the middle of it".into()),
        })?;
        let pushed = self.frames.item(self.id, item);
        pushed.map_err(|error| Failure::TooLarge(format!("an item: {error}")))?;
        let written = link.write(self.frames.bytes());
        self.frames.clear();
        written.map_err(|_| Failure::Cancelled)
    }
}
