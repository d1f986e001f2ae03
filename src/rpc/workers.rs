//! The threads for slow methods: at most so many, with a queue that is bounded.
//!
//! A thread is started when a job comes and none waits; it then stays. What does not fit in the
//! queue is refused at once: a caller that learns so can go elsewhere, one that waits cannot.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use super::link::{Link, lock};

/// A piece of work, and on which connection it was asked for.
pub(super) struct Job {
    pub(super) link: Arc<Link>,
    pub(super) work: Box<dyn FnOnce() + Send>,
}

struct State {
    queue: VecDeque<Job>,
    threads: usize,
    waiting: usize,
    closed: bool,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

/// A bounded crew of threads.
pub(super) struct Workers {
    shared: Arc<Shared>,
    most: usize,
    queue: usize,
    stack_size: usize,
}

impl Workers {
    pub(super) fn new(most: usize, queue: usize, stack_size: usize) -> Self {
        let state = State {
            queue: VecDeque::new(),
            threads: 0,
            waiting: 0,
            closed: false,
        };
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                wake: Condvar::new(),
            }),
            most: most.max(1),
            queue,
            stack_size,
        }
    }

    /// Gives a job to the next free thread; gives it back when the queue is full.
    pub(super) fn submit(&self, job: Job) -> Result<(), Job> {
        let mut state = lock(&self.shared.state);
        let idle = state.waiting.saturating_sub(state.queue.len());
        if idle == 0 && state.threads < self.most && self.start() {
            state.threads += 1;
        } else if idle == 0 && (state.queue.len() >= self.queue || state.threads == 0) {
            return Err(job);
        }
        state.queue.push_back(job);
        self.shared.wake.notify_one();
        Ok(())
    }

    /// Drops what waits for a connection that is gone: its place is for others, and the descriptor
    /// that it keeps open, too.
    pub(super) fn leave(&self, gone: &Arc<Link>) {
        let mut state = lock(&self.shared.state);
        state.queue.retain(|job| !Arc::ptr_eq(&job.link, gone));
    }

    /// Starts a thread; `false` when the system has none left.
    fn start(&self) -> bool {
        let shared = self.shared.clone();
        let thread = thread::Builder::new()
            .name("worker".into())
            .stack_size(self.stack_size);
        thread.spawn(move || shared.work()).is_ok()
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        lock(&self.shared.state).closed = true;
        self.shared.wake.notify_all();
    }
}

impl Shared {
    fn work(&self) {
        let mut state = lock(&self.state);
        loop {
            if let Some(job) = state.queue.pop_front() {
                drop(state);
                // The job catches the panics of the method that it runs.
                (job.work)();
                state = lock(&self.state);
            } else if state.closed {
                return;
            } else {
                state.waiting += 1;
                state = self
                    .wake
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                state.waiting -= 1;
            }
        }
    }
}
