//! A fixed number of workers and a bounded queue, in a `std::thread::scope`.
//!
//! The scope lets the workers borrow the server and guarantees that all of them have ended when
//! it returns. The queue is the only thing between the accepting thread and the workers: when it
//! is full, a newcomer is refused at once instead of waiting for nobody knows how long.

use std::collections::VecDeque;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::Handler;
use super::live::{Refusal, Seat};
use super::shared::Shared;
use crate::net::{Conn, Listener};

/// A bounded queue that can be closed. `push` never blocks, `pop` does.
struct Queue<T> {
    capacity: usize,
    state: Mutex<(VecDeque<T>, usize, bool)>,
    changed: Condvar,
}

impl<T> Queue<T> {
    fn new(capacity: usize) -> Self {
        Self {
            capacity,
            state: Mutex::new((VecDeque::new(), 0, false)),
            changed: Condvar::new(),
        }
    }

    /// Adds an item, or gives it back: a worker that waits counts as room.
    fn push(&self, item: T) -> Result<(), T> {
        let mut state = self.lock();
        let (items, idle, closed) = &mut *state;
        if *closed || items.len() >= self.capacity + *idle {
            return Err(item);
        }
        items.push_back(item);
        self.changed.notify_one();
        Ok(())
    }

    /// Blocks for an item; `None` when the queue is closed and empty.
    fn pop(&self) -> Option<T> {
        let mut state = self.lock();
        state.1 += 1;
        let mut state = self
            .changed
            .wait_while(state, |(items, _, closed)| items.is_empty() && !*closed)
            .unwrap_or_else(PoisonError::into_inner);
        state.1 -= 1;
        state.0.pop_front()
    }

    fn close(&self) {
        self.lock().2 = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, (VecDeque<T>, usize, bool)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves until the listener is closed; `until_stopped` blocks until then, on the caller's thread.
pub(crate) fn run<H: Handler>(
    shared: &Shared<H>,
    listener: &Listener,
    workers: usize,
    queue: usize,
    until_stopped: impl FnOnce(),
) -> io::Result<()> {
    let queue: Queue<(Conn, Seat)> = Queue::new(queue);
    thread::scope(|scope| {
        let mut started = Ok(());
        for number in 0..workers.max(1) {
            let worker = thread::Builder::new()
                .name(format!("worker-{number}"))
                .stack_size(shared.config.stack_size);
            let queue = &queue;
            if let Err(error) = worker.spawn_scoped(scope, move || work(shared, queue)) {
                started = Err(error);
                break;
            }
        }
        let acceptor = started.and_then(|()| {
            let queue = &queue;
            thread::Builder::new()
                .name("accept".into())
                .spawn_scoped(scope, move || accept(shared, listener, queue))
        });
        let result = acceptor.and_then(|acceptor| {
            until_stopped();
            acceptor
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("the accepting thread panicked")))
        });
        queue.close();
        result
    })
}

fn work<H: Handler>(shared: &Shared<H>, queue: &Queue<(Conn, Seat)>) {
    while let Some((conn, seat)) = queue.pop() {
        shared.serve(conn, seat);
    }
}

fn accept<H: Handler>(
    shared: &Shared<H>,
    listener: &Listener,
    queue: &Queue<(Conn, Seat)>,
) -> io::Result<()> {
    loop {
        match shared.next(listener) {
            Ok(Some(pair)) => {
                if let Err((conn, seat)) = queue.push(pair) {
                    shared.refuse(&conn, Refusal::QueueFull);
                    drop(seat);
                }
            }
            Ok(None) => return Ok(()),
            Err(error) => {
                shared.stopper.stop();
                return Err(error);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_gives_the_item_back_and_a_closed_one_empties_before_it_ends() {
        let queue = Queue::new(2);
        assert_eq!(queue.push(1), Ok(()));
        assert_eq!(queue.push(2), Ok(()));
        assert_eq!(queue.push(3), Err(3));
        queue.close();
        assert_eq!(queue.push(4), Err(4));
        assert_eq!(
            [queue.pop(), queue.pop(), queue.pop()],
            [Some(1), Some(2), None]
        );
    }

    #[test]
    fn a_queue_of_no_length_takes_what_an_idle_worker_can_serve_at_once() {
        let queue = Queue::new(0);
        assert_eq!(queue.push(0), Err(0));
        thread::scope(|scope| {
            let worker = scope.spawn(|| queue.pop());
            while queue.push(7).is_err() {
                thread::yield_now();
            }
            assert_eq!(worker.join().unwrap(), Some(7));
        });
    }
}
