//! The threads for slow methods: a bounded number of them, with a bounded queue.
//!
//! A thread is started when a job comes and no thread waits; it then stays. If a job does not fit
//! in the queue, it is refused at once: a caller that is refused can go elsewhere, one that waits
//! cannot.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use super::link::{Called, Link, lock};

/// Work to do, and the call that it is for.
pub(super) struct Job {
    pub(super) link: Arc<Link>,
    pub(super) called: Called,
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

/// A bounded set of threads.
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

    /// Drops the jobs of a connection that has ended. That frees their places in the queue, and the
    /// descriptor of the connection, which they keep open.
    pub(super) fn leave(&self, gone: &Arc<Link>) {
        let mut state = lock(&self.shared.state);
        state.queue.retain(|job| !Arc::ptr_eq(&job.link, gone));
    }

    /// Takes a job that no thread has begun out of the queue.
    pub(super) fn take_back(&self, link: &Arc<Link>, called: Called) -> Option<Job> {
        let is_it = |job: &Job| Arc::ptr_eq(&job.link, link) && job.called == called;
        let mut state = lock(&self.shared.state);
        let place = state.queue.iter().position(is_it)?;
        state.queue.remove(place)
    }

    /// Starts a thread; `false` if the system cannot.
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
