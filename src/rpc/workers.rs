//! The threads for slow methods: a bounded number of them, with a bounded queue.
//!
//! A thread is started when a job comes and no thread waits; it then stays. If a job does not fit
//! in the queue, it is refused at once: a caller that is refused can go elsewhere, one that waits
//! cannot.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use super::link::{Called, Link};
use crate::net::plain_words;
use crate::server::lock;

/// Work to do, and the call that it is for.
pub(super) struct Job {
    pub(super) link: Arc<Link>,
    pub(super) called: Called,
    pub(super) work: Box<dyn FnOnce() + Send>,
}

/// Why a job is not taken.
#[derive(Debug)]
pub(super) enum NoPlace {
    /// This many jobs wait already.
    QueueFull(usize),
    /// There is no thread, and the system starts none (a limit on threads or memory).
    NoThread(io::Error),
}

impl fmt::Display for NoPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoPlace::QueueFull(queue) => write!(f, "the queue for workers is full ({queue})"),
            NoPlace::NoThread(error) => write!(f, "starting a worker: {}", plain_words(error)),
        }
    }
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

    /// Gives a job to the next free thread, or drops it when there is no place for it.
    pub(super) fn submit(&self, job: Job) -> Result<(), NoPlace> {
        let mut state = lock(&self.shared.state);
        let idle = state.waiting.saturating_sub(state.queue.len());
        if idle == 0 {
            let more = state.threads < self.most;
            match more.then(|| self.start()) {
                Some(Ok(())) => state.threads += 1,
                Some(Err(error)) if state.threads == 0 => return Err(NoPlace::NoThread(error)),
                _ if state.queue.len() >= self.queue => {
                    return Err(NoPlace::QueueFull(self.queue));
                }
                _ => {} // one of the threads will come to it
            }
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

    fn start(&self) -> io::Result<()> {
        let shared = self.shared.clone();
        let thread = thread::Builder::new()
            .name("worker".into())
            .stack_size(self.stack_size);
        thread.spawn(move || shared.work()).map(drop)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{self, Network};
    use crate::rpc::ServerConfig;

    #[test]
    fn a_lack_of_threads_is_not_called_a_full_queue() {
        let listener = net::listen(Network::Tcp, "127.0.0.1:0").unwrap();
        let conn = net::dial(Network::Tcp, &listener.local_addr().to_string()).unwrap();
        let config = ServerConfig::default();
        let link = Arc::new(Link::new(conn, &config, config.limits));
        let job = || Job {
            link: link.clone(),
            called: Called::Id(1),
            work: Box::new(|| ()),
        };
        // No address space holds such a stack.
        let none = Workers::new(4, 1, 1 << 60);
        let refused = none.submit(job()).unwrap_err();
        assert!(matches!(refused, NoPlace::NoThread(_)), "{refused}");
        let why = refused.to_string();
        assert!(why.starts_with("starting a worker: "), "{why}");

        let full = Workers::new(1, 0, 64 << 10);
        lock(&full.shared.state).threads = 1; // a thread that is busy
        let refused = full.submit(job()).unwrap_err().to_string();
        assert_eq!(refused, "the queue for workers is full (0)");
    }
}
