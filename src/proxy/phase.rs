//! Where a client's connection is in its life, as far as a stop is concerned.
//!
//! ```text
//!   new ──first byte──> working <──> resting
//!    |                     |            |            a stop:
//!    a moment more         goes on      ends at once
//! ```

use std::net::Shutdown;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::net::Conn;
use crate::server::Session;

/// The connections that had sent nothing yet when the server was told to stop. Their first request
/// may be on its way, and its sender could not know; so they are given a moment.
#[derive(Clone, Default)]
pub struct Newcomers(Arc<Mutex<Vec<Newcomer>>>);

type Newcomer = (Arc<AtomicU8>, Conn);

impl Newcomers {
    /// The moment is over.
    pub fn end(&self) {
        let all = std::mem::take(&mut *self.lock());
        for (phase, conn) in all {
            if phase.swap(STOPPING, Ordering::SeqCst) == NEW {
                let _ = conn.shutdown(Shutdown::Read); // fails when it has ended already
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Newcomer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the connection rests between two requests, so that a stop may end it at once.
pub struct Phase(Arc<AtomicU8>);

const NEW: u8 = 0;
const RESTING: u8 = 1;
const WORKING: u8 = 2;
const STOPPING: u8 = 3;

impl Phase {
    /// Asks to be told of a stop instead of having the reading ended: a request's body may still be
    /// on its way, and a response takes its time.
    pub fn of(conn: &Conn, session: &Session<'_>, newcomers: &Newcomers) -> Self {
        let phase = Arc::new(AtomicU8::new(NEW));
        let (shared, conn, newcomers) = (phase.clone(), conn.clone(), newcomers.clone());
        session.at_stop(move || {
            if shared.load(Ordering::SeqCst) == NEW {
                newcomers.lock().push((shared.clone(), conn.clone()));
            } else if shared.swap(STOPPING, Ordering::SeqCst) == RESTING {
                let _ = conn.shutdown(Shutdown::Read); // fails when it has ended already
            }
        });
        Self(phase)
    }

    /// A request begins. `false` if the reading has been ended, or will be.
    pub fn work(&self) -> bool {
        let begin = |phase| (phase != STOPPING).then_some(WORKING);
        let order = Ordering::SeqCst;
        self.0.fetch_update(order, order, begin).is_ok()
    }

    /// A request has ended. `false`: there is to be no other.
    pub fn rest(&self) -> bool {
        let change = self
            .0
            .compare_exchange(WORKING, RESTING, Ordering::SeqCst, Ordering::SeqCst);
        change != Err(STOPPING)
    }

    pub fn is_stopping(&self) -> bool {
        self.0.load(Ordering::SeqCst) == STOPPING
    }
}
