//! Faults of the disk, planted by tests: which fault, and at which call. It records the calls, too.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This call finds no space.
    Full,
    /// This call fails.
    Broken,
    /// The process is gone: this call and all later ones do nothing.
    Dead,
}

thread_local! {
    /// Calls until the fault, and which.
    static PLANTED: Cell<Option<(usize, Fault)>> = const { Cell::new(None) };
    /// The calls since they were last asked for.
    static CALLS: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

/// The call after the next `calls` has this fault.
pub fn plant(calls: usize, fault: Fault) {
    PLANTED.set(Some((calls, fault)));
}

/// Takes the fault away; returns whether it is still to come.
pub fn heal() -> bool {
    !matches!(PLANTED.take(), None | Some((0, Fault::Dead)))
}

/// What this thread has called since it last asked.
pub fn calls() -> Vec<&'static str> {
    CALLS.take()
}

/// One call of this thread.
pub fn attempt(call: &'static str) -> io::Result<()> {
    CALLS.with_borrow_mut(|calls| calls.push(call));
    let Some((calls, fault)) = PLANTED.get() else {
        return Ok(());
    };
    if calls > 0 {
        PLANTED.set(Some((calls - 1, fault)));
        return Ok(());
    }
    if fault != Fault::Dead {
        PLANTED.set(None);
    }
    Err(match fault {
        Fault::Full => ErrorKind::StorageFull.into(),
        Fault::Broken | Fault::Dead => io::Error::other("planted"),
    })
}
