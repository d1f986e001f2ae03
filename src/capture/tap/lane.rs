//! A queue between two threads: one puts things in with the time at which they are due, the other
//! takes each out when it is due. A delay shifts the traffic; it does not slow it down.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::line::Line;
use crate::net::{Deadline, wait_until};
use crate::server::lock;

/// A queue of things that are due later, with room for a number of bytes.
pub(super) struct Lane<T> {
    begun: Instant,
    room: usize,
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    line: Line<(usize, T)>,
    /// Bytes in the queue.
    bytes: usize,
    closed: bool,
}

impl<T> Lane<T> {
    /// A lane whose times count from `begun`.
    pub(super) fn new(begun: Instant, room: usize) -> Self {
        Self {
            begun,
            room,
            state: Mutex::new(State {
                line: Line::default(),
                bytes: 0,
                closed: false,
            }),
            changed: Condvar::new(),
        }
    }

    /// Puts a thing of `size` bytes in; blocks while the lane is full. `false` if it is closed.
    pub(super) fn push(&self, due: Duration, size: usize, thing: T) -> bool {
        let full = |state: &mut State<T>| state.bytes > 0 && state.bytes + size > self.room;
        let waited = self
            .changed
            .wait_while(lock(&self.state), |state| !state.closed && full(state));
        let state = waited.unwrap_or_else(PoisonError::into_inner);
        self.put(state, size, |line| line.push(due, 0, (size, thing)))
    }

    /// Puts a datagram of a flow in, held to be overtaken by the flow's next one or not. `false` if
    /// there is no room.
    pub(super) fn offer(
        &self,
        due: Duration,
        size: usize,
        thing: T,
        (flow, held): (u64, bool),
    ) -> bool {
        let state = lock(&self.state);
        if state.bytes + size > self.room {
            return false;
        }
        self.put(state, size, |line| match held {
            true => line.hold(due, flow, (size, thing)),
            false => line.push(due, flow, (size, thing)),
        })
    }

    fn put(
        &self,
        mut state: MutexGuard<'_, State<T>>,
        size: usize,
        add: impl FnOnce(&mut Line<(usize, T)>),
    ) -> bool {
        if state.closed {
            return false;
        }
        state.bytes += size;
        add(&mut state.line);
        self.changed.notify_all();
        true
    }

    /// Blocks until the next thing is due; `None` when the lane is closed.
    pub(super) fn pop(&self) -> Option<T> {
        let mut state = lock(&self.state);
        while !state.closed {
            if let Some((size, thing)) = state.line.pop(self.begun.elapsed()) {
                state.bytes -= size;
                self.changed.notify_all();
                return Some(thing);
            }
            let due = state
                .line
                .next_due()
                .and_then(|due| self.begun.checked_add(due));
            let until = due.map_or(Deadline::NEVER, Deadline::at);
            state = wait_until(&self.changed, state, until);
        }
        None
    }

    /// Wakes both threads; things in the queue are lost.
    pub(super) fn close(&self) {
        lock(&self.state).closed = true;
        self.changed.notify_all();
    }
}
