//! Where a caller waits for the events of its call.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};

use super::failure::CallError;
use crate::net::{Deadline, wait_until};
use crate::server::lock;

/// An event of a call.
#[derive(Debug)]
pub(super) enum Event {
    /// The result: a wire message. Nothing follows.
    Reply(Vec<u8>),
    /// An item of a stream: a wire message.
    Item(Vec<u8>),
    /// There will be no result.
    Ended(CallError),
}

/// The slot of one call.
#[derive(Debug, Default)]
pub(super) struct Slot {
    inner: Mutex<Inner>,
    changed: Condvar,
    /// Whether its caller waits, and so could be made the reader. Changed under the table's lock,
    /// or by the caller itself.
    waiting: AtomicBool,
}

#[derive(Debug, Default)]
struct Inner {
    events: VecDeque<Event>,
    /// The caller must read the connection.
    leads: bool,
    /// The caller is asleep.
    asleep: bool,
    /// Items that have arrived and were not taken yet.
    items: u32,
}

impl Inner {
    fn take(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        if let Some(Event::Item(_)) = event {
            self.items = self.items.saturating_sub(1);
        }
        event
    }
}

impl Slot {
    /// Adds an event. The lock is released before the caller is woken, because the caller needs it
    /// at once.
    pub(super) fn put(&self, event: Event) {
        let mut inner = lock(&self.inner);
        inner.events.push_back(event);
        let asleep = inner.asleep;
        drop(inner);
        self.wake(asleep);
    }

    /// Counts an item that is about to be added; `false` if more than `most` are not taken yet.
    pub(super) fn expects(&self, most: u32) -> bool {
        let mut inner = lock(&self.inner);
        inner.items += 1;
        inner.items <= most
    }

    fn wake(&self, asleep: bool) {
        // Without this check, notifying a condition that has no waiter costs a system call each
        // time.
        if asleep {
            self.changed.notify_one();
        }
    }

    pub(super) fn take(&self) -> Option<Event> {
        lock(&self.inner).take()
    }

    /// Makes the caller the reader.
    pub(super) fn lead(&self) {
        let mut inner = lock(&self.inner);
        inner.leads = true;
        let asleep = inner.asleep;
        drop(inner);
        self.wake(asleep);
    }

    /// Whether the caller was made the reader; takes the role back from the slot.
    pub(super) fn take_lead(&self) -> bool {
        std::mem::take(&mut lock(&self.inner).leads)
    }

    pub(super) fn set_waiting(&self, waiting: bool) {
        self.waiting.store(waiting, Ordering::Relaxed);
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Waits until there is an event, or the caller must read, or the deadline has passed. The bool
    /// says whether the caller must read, even if there is an event.
    pub(super) fn wait(&self, deadline: Deadline) -> (Option<Event>, bool) {
        let mut inner = lock(&self.inner);
        while inner.events.is_empty() && !inner.leads && !deadline.passed() {
            inner.asleep = true;
            inner = wait_until(&self.changed, inner, deadline);
            inner.asleep = false;
        }
        let leads = std::mem::take(&mut inner.leads);
        (inner.take(), leads)
    }
}
