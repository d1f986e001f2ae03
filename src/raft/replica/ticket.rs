//! One answer for one caller: the node's thread holds the [`Ticket`], the caller waits.
//!
//! One allocation a call, and no channel. A ticket that is dropped answers by itself, so no caller
//! waits for a node that has stopped, or whose state machine panicked.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::Failed;
use crate::net::{Deadline, wait_until};

#[derive(Debug)]
struct Slot<T> {
    state: Mutex<State<T>>,
    given: Condvar,
}

#[derive(Debug)]
struct State<T> {
    answer: Option<Result<T, Failed>>,
    /// Whether the caller sleeps: if not, a wake-up would be a wasted system call.
    asleep: bool,
}

/// The right to answer, once.
#[derive(Debug)]
pub(super) struct Ticket<T> {
    slot: Arc<Slot<T>>,
    /// What a drop answers; `None` once it is answered.
    otherwise: Option<Failed>,
}

/// The caller's half.
#[derive(Debug)]
pub(super) struct Awaited<T>(Arc<Slot<T>>);

/// Both halves.
pub(super) fn ticket<T>() -> (Ticket<T>, Awaited<T>) {
    let slot = Arc::new(Slot {
        state: Mutex::new(State {
            answer: None,
            asleep: false,
        }),
        given: Condvar::new(),
    });
    let ticket = Ticket {
        slot: slot.clone(),
        otherwise: Some(Failed::Stopped),
    };
    (ticket, Awaited(slot))
}

impl<T> Ticket<T> {
    /// From here on the node may carry the request out, so a drop answers [`Failed::Unknown`].
    pub(super) fn begun(mut self) -> Self {
        self.otherwise = Some(Failed::Unknown);
        self
    }

    /// Whether its caller has given up waiting.
    pub(super) fn is_abandoned(&self) -> bool {
        Arc::strong_count(&self.slot) == 1
    }

    pub(super) fn answer(mut self, answer: Result<T, Failed>) {
        self.otherwise = None;
        self.slot.put(answer);
    }
}

impl<T> Drop for Ticket<T> {
    fn drop(&mut self) {
        if let Some(failed) = self.otherwise.take() {
            self.slot.put(Err(failed));
        }
    }
}

impl<T> Slot<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, answer: Result<T, Failed>) {
        let mut state = self.lock();
        state.answer = Some(answer);
        let asleep = state.asleep;
        drop(state);
        if asleep {
            self.given.notify_one();
        }
    }
}

impl<T> Awaited<T> {
    /// Blocks until the answer is here; [`Failed::Unknown`] if the deadline passes first.
    pub(super) fn wait(self, deadline: Deadline) -> Result<T, Failed> {
        let mut state = self.0.lock();
        loop {
            if let Some(answer) = state.answer.take() {
                return answer;
            }
            if deadline.passed() {
                return Err(Failed::Unknown);
            }
            state.asleep = true;
            state = wait_until(&self.0.given, state, deadline);
            state.asleep = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_that_is_dropped_answers_whether_its_request_was_begun() {
        let (not_begun, awaited) = ticket::<()>();
        drop(not_begun);
        assert_eq!(awaited.wait(Deadline::NEVER), Err(Failed::Stopped));
        let (begun, awaited) = ticket::<()>();
        drop(begun.begun());
        assert_eq!(awaited.wait(Deadline::NEVER), Err(Failed::Unknown));
    }

    #[test]
    fn an_answer_reaches_the_thread_that_waits() {
        let (ticket, awaited) = ticket();
        let waiting = std::thread::spawn(move || awaited.wait(Deadline::NEVER));
        ticket.answer(Ok(7));
        assert_eq!(waiting.join().unwrap(), Ok(7));
    }

    #[test]
    fn who_gives_up_waiting_leaves_a_ticket_that_says_so() {
        let (ticket, awaited) = ticket::<()>();
        assert!(!ticket.is_abandoned());
        let passed = Deadline::after(std::time::Duration::ZERO);
        assert_eq!(awaited.wait(passed), Err(Failed::Unknown));
        assert!(ticket.is_abandoned());
    }
}
