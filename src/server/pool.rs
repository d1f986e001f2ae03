//! A fixed number of workers and a bounded queue.
//!
//! The workers share the server by an `Arc`. A `std::thread::scope` would let them borrow it, but
//! would wait for all of them: then one handler that ignores the cut could keep the server from
//! ending. Only the queue is between the accepting thread and the workers. When it is full, a new
//! connection is refused at once; otherwise it would wait for an unknown time.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::Handler;
use super::live::{Refusal, Seat};
use super::shared::{Shared, lock, no_thread};
use crate::net::{Conn, Listener, plain_words};

/// A bounded queue that can be closed. `push` never blocks, `pop` does.
struct Queue<T> {
    /// How many items may be in the queue or with a worker.
    capacity: usize,
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    items: VecDeque<T>,
    /// Items that workers have taken and not finished.
    busy: usize,
    closed: bool,
}

impl<T> Queue<T> {
    /// A queue for `waiting` items beyond those that the workers hold. A worker that has not
    /// started yet counts as well: it will soon take its item.
    fn new(workers: usize, waiting: usize) -> Self {
        let state = State {
            items: VecDeque::new(),
            busy: 0,
            closed: false,
        };
        Self {
            capacity: workers.saturating_add(waiting),
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    /// Adds an item, or gives it back when there is no room.
    fn push(&self, item: T) -> Result<(), T> {
        let mut state = self.lock();
        if state.closed || state.items.len() + state.busy >= self.capacity {
            return Err(item);
        }
        state.items.push_back(item);
        self.changed.notify_one();
        Ok(())
    }

    /// Blocks for an item; `None` when the queue is closed and empty. The worker then calls
    /// [`done`](Self::done).
    fn pop(&self) -> Option<T> {
        let state = self.lock();
        let mut state = self
            .changed
            .wait_while(state, |state| state.items.is_empty() && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        let item = state.items.pop_front()?;
        state.busy += 1;
        Some(item)
    }

    /// Says that an item is finished.
    fn done(&self) {
        self.lock().busy -= 1;
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        lock(&self.state)
    }
}

/// Serves until the listener is closed; `until_stopped` blocks until then, on the caller's thread.
pub(crate) fn run<H: Handler + 'static>(
    shared: &Arc<Shared<H>>,
    listener: &Listener,
    workers: usize,
    queue: usize,
    until_stopped: impl FnOnce(&dyn Fn(Conn, Seat)),
) -> io::Result<()> {
    let workers = workers.max(1);
    let queue: Arc<Queue<(Conn, Seat)>> = Arc::new(Queue::new(workers, queue));
    let mut threads = Vec::new();
    let result = start(shared, listener, workers, &queue, &mut threads).and_then(|acceptor| {
        until_stopped(&|conn, seat| enqueue(shared, &queue, conn, seat));
        acceptor
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the accepting thread panicked")))
    });
    queue.close();
    if shared.stats.totals().active == 0 {
        // Each worker is ending; one that panicked has counted and logged it.
        threads.into_iter().for_each(|worker| drop(worker.join()));
    }
    result // a handler has outlasted even the cut: return without it
}

/// Starts the workers and then the thread that accepts.
fn start<H: Handler + 'static>(
    shared: &Arc<Shared<H>>,
    listener: &Listener,
    workers: usize,
    queue: &Arc<Queue<(Conn, Seat)>>,
    threads: &mut Vec<JoinHandle<()>>,
) -> io::Result<JoinHandle<io::Result<()>>> {
    for number in 0..workers {
        let (shared, queue) = (shared.clone(), queue.clone());
        let worker = thread::Builder::new()
            .name(format!("worker-{number}"))
            .stack_size(shared.config.stack_size);
        let started = worker.spawn(move || work(&shared, &queue));
        threads.push(started.map_err(|error| {
            let why = format!("starting worker {number}: {}", plain_words(&error));
            io::Error::new(error.kind(), why)
        })?);
    }
    let (shared, listener, queue) = (shared.clone(), listener.clone(), queue.clone());
    thread::Builder::new()
        .name("accept".into())
        .spawn(move || accept(&shared, &listener, &queue))
        .map_err(no_thread)
}

fn work<H: Handler>(shared: &Shared<H>, queue: &Queue<(Conn, Seat)>) {
    while let Some((conn, seat)) = queue.pop() {
        // A peer that sees the end may connect again at once, and must find its old place free.
        let closed_last = conn.clone();
        shared.serve(conn, seat);
        queue.done();
        drop(closed_last);
    }
}

fn enqueue<H: Handler>(shared: &Shared<H>, queue: &Queue<(Conn, Seat)>, conn: Conn, seat: Seat) {
    if let Err((conn, seat)) = queue.push((conn, seat)) {
        shared.refuse(&conn, Refusal::QueueFull);
        drop(seat);
    }
}

fn accept<H: Handler>(
    shared: &Shared<H>,
    listener: &Listener,
    queue: &Queue<(Conn, Seat)>,
) -> io::Result<()> {
    loop {
        match shared.next(listener) {
            Ok(Some((conn, seat))) => enqueue(shared, queue, conn, seat),
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
        let queue = Queue::new(1, 1);
        assert_eq!(queue.push(1), Ok(()));
        assert_eq!(queue.push(2), Ok(()));
        assert_eq!(queue.push(3), Err(3));
        assert_eq!(queue.pop(), Some(1));
        queue.done();
        queue.close();
        assert_eq!(queue.push(4), Err(4), "though there is room");
        assert_eq!([queue.pop(), queue.pop()], [Some(2), None]);
    }

    #[test]
    fn a_queue_of_no_length_takes_what_its_workers_can_hold_and_more_when_they_are_done() {
        let queue = Queue::new(2, 0);
        assert_eq!(
            (queue.push(1), queue.push(2), queue.push(3)),
            (Ok(()), Ok(()), Err(3))
        );
        assert_eq!((queue.pop(), queue.push(3)), (Some(1), Err(3)));
        queue.done();
        assert_eq!(queue.push(3), Ok(()));
    }
}
