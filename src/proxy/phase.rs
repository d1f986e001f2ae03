//! Where a client's connection is when the server is told to stop.
//!
//! ```text
//!   new ──first byte──> working <──> resting
//!    |  stop               | stop       | stop: reading is shut down at once
//!    v                     v            v
//!   last ──first byte──> stopping: the request in flight goes on; its answer says it is the last
//!    |  grace over         ^
//!    +──> reading is shut down
//! ```

use std::net::Shutdown;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::net::Conn;
use crate::server::Session;

const NEW: u8 = 0;
const RESTING: u8 = 1;
const WORKING: u8 = 2;
const LAST: u8 = 3;
const STOPPING: u8 = 4;

const ORDER: Ordering = Ordering::SeqCst;

/// The connections that had sent nothing when the server was told to stop. Their first request may
/// be on its way, sent before the client could know of the stop. So they get a moment of grace.
#[derive(Clone, Default)]
pub struct Newcomers(Arc<Mutex<Vec<Newcomer>>>);

type Newcomer = (Arc<AtomicU8>, Conn);

impl Newcomers {
    /// Ends the grace: shuts down reading on connections that are still silent.
    pub fn end(&self) {
        let all = std::mem::take(&mut *self.lock());
        for (phase, conn) in all {
            if phase.swap(STOPPING, ORDER) == LAST {
                let _ = conn.shutdown(Shutdown::Read); // fails when it has ended already
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Newcomer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the connection is in the drawing above. At rest between two requests, a stop may end it at
/// once.
pub struct Phase(Arc<AtomicU8>);

impl Phase {
    /// Registers for the stop. Without that, the server would shut down reading, though a request's
    /// body may still be on its way, and a response takes its time.
    pub fn of(conn: &Conn, session: &Session<'_>, newcomers: &Newcomers) -> Self {
        let phase = Arc::new(AtomicU8::new(NEW));
        let (shared, conn, newcomers) = (phase.clone(), conn.clone(), newcomers.clone());
        session.at_stop(move || {
            if shared.compare_exchange(NEW, LAST, ORDER, ORDER).is_ok() {
                newcomers.lock().push((shared.clone(), conn.clone()));
            } else if shared.swap(STOPPING, ORDER) == RESTING {
                let _ = conn.shutdown(Shutdown::Read); // fails when it has ended already
            }
        });
        Self(phase)
    }

    /// A request begins, or goes on. `false` if it is the last one, because the server is stopping.
    pub fn work(&self) -> bool {
        let mut before = self.0.load(ORDER);
        loop {
            let goes_on = matches!(before, NEW | RESTING | WORKING);
            let after = if goes_on { WORKING } else { STOPPING };
            match self.0.compare_exchange_weak(before, after, ORDER, ORDER) {
                Ok(_) => return goes_on,
                Err(other) => before = other,
            }
        }
    }

    /// A request has ended. `false` if no other may follow.
    pub fn rest(&self) -> bool {
        let change = self.0.compare_exchange(WORKING, RESTING, ORDER, ORDER);
        change.is_ok()
    }

    /// Whether the server is stopping, so that the request in flight is the last one.
    pub fn is_stopping(&self) -> bool {
        self.0.load(ORDER) == STOPPING
    }
}
