//! A call that a worker runs: a slow method, or a stream.
//!
//! `server` reads it and hands it over to `workers`; a thread there, or the reader itself if the call
//! was cancelled meanwhile, [runs](Work::run) it. Then it is answered once and leaves the table of its
//! connection; if that ends before, the call is dropped unanswered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::failure::Failure;
use super::link::{CallState, Called, Link};
use super::server::{ServerConfig, nanos};
use super::service::{Answer, Call, Method, Running};
use crate::net::Deadline;
use crate::wire::Frames;

/// A call on its way to a worker.
pub(super) struct Work {
    /// `None`: the caller wants no answer.
    pub(super) id: Option<u64>,
    /// Its name in the table of the connection's calls, and its entry there.
    pub(super) called: Called,
    pub(super) state: Arc<CallState>,
    pub(super) method: Arc<Method>,
    pub(super) deadline: Deadline,
    pub(super) argument: Held,
    pub(super) link: Arc<Link>,
    pub(super) config: Arc<ServerConfig>,
}

impl Work {
    /// Runs the call and sends its answer. If its time is over by now, or the caller has cancelled
    /// it, the method does not run.
    pub(super) fn run(self) {
        let mut out = Frames::new(self.link.answers);
        let call = Call {
            peer: self.link.conn.peer_addr(),
            deadline: self.deadline,
            limits: self.config.limits,
            running: Some(Running {
                id: self.id,
                link: &self.link,
                state: &self.state,
            }),
        };
        let begun = Instant::now();
        let mut answer = Answer {
            frames: &mut out,
            id: self.id,
        };
        if self.deadline.passed() {
            answer.refuse(&Failure::DeadlineExceeded);
        } else if self.state.is_cancelled() {
            answer.refuse(&Failure::Cancelled);
        } else {
            let (argument, config) = (&self.argument.bytes, &self.config);
            self.method.carry_out(&call, argument, &mut answer, config);
            let time = nanos(begun.elapsed());
            self.method.stats.time.record(time);
        }
        // Released before the answer is sent, so that the caller can use the room at once.
        drop(self.argument);
        // After an error the connection has ended.
        let _ = self.link.finish(self.called, out.bytes());
    }
}

/// An argument that a worker has or that waits for one. Its bytes count towards the limit.
pub(super) struct Held {
    bytes: Vec<u8>,
    among: Arc<AtomicUsize>,
}

impl Held {
    /// Copies an argument; `None` if the total would exceed `most` bytes.
    pub(super) fn new(argument: &[u8], among: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        let all = among.fetch_add(argument.len(), Ordering::Relaxed) + argument.len();
        if all > most {
            among.fetch_sub(argument.len(), Ordering::Relaxed);
            return None;
        }
        Some(Self {
            bytes: argument.to_vec(),
            among: among.clone(),
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.among.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}
