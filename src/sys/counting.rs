//! An allocator that counts, for tests: the most memory that a thread had, and how often it
//! allocated.
//!
//! It passes everything to the system's allocator and keeps three numbers per thread, so that tests
//! that run in parallel do not disturb each other. Memory that one thread allocates and another
//! frees is counted wrongly; a decoder does not do this.
//!
//! ```
//! use groundwire::sys::counting::{self, Counting};
//!
//! #[global_allocator]
//! static ALLOCATOR: Counting = Counting;
//!
//! let (bytes, most) = counting::peak(|| vec![0_u8; 1000]);
//! assert_eq!(most, 1000);
//! drop(bytes);
//! ```
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Bytes that this thread has, and the most it had since the last [`peak`] began.
    static HELD: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
    /// How often this thread allocated.
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counted. Declare it as the `#[global_allocator]`.
#[derive(Clone, Copy, Debug)]
pub struct Counting;

fn count(bytes: isize) {
    // An ending thread may free memory after its thread-locals are gone; that is not counted.
    let _ = HELD.try_with(|held| {
        let (now, most) = held.get();
        let now = now + bytes;
        held.set((now, most.max(now)));
    });
    if bytes > 0 {
        let _ = ASKED.try_with(|asked| asked.set(asked.get() + 1));
    }
}

// SAFETY: every call goes to `System` with what was passed in, and its result is returned as it is,
// so `System` keeps the contract. Counting allocates nothing: the thread-local is initialised by a
// constant and has no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the contract of `alloc`, which is passed on unchanged.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: `block` came from `System` through `alloc` or `realloc` with this layout.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // Both blocks may exist for a moment while the bytes are copied.
        count(new_size as isize);
        count(-(layout.size() as isize));
        // SAFETY: `block` came from `System` with this layout; the caller keeps the contract.
        unsafe { System.realloc(block, layout, new_size) }
    }
}

/// Runs `work`; also returns the most bytes that this thread held, beyond what it had before.
pub fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.with(|held| {
        let (now, _) = held.get();
        held.set((now, now));
        now
    });
    let value = work();
    let (_, most) = HELD.get();
    (value, usize::try_from(most - before).unwrap_or(0))
}

/// Runs `work`; also returns how often this thread allocated meanwhile.
pub fn allocations<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = ASKED.get();
    let value = work();
    (value, ASKED.get() - before)
}
