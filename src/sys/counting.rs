//! An allocator that counts, for tests: how much memory did this thread have at most, and how often
//! did it ask for some?
//!
//! It hands everything to the system's allocator and keeps three numbers for each thread, so that
//! tests that run side by side do not disturb each other. Memory that one thread takes and another
//! gives back is counted wrongly; a decoder's is not.
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
    /// How often it asked.
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counted. Put it behind `#[global_allocator]`.
#[derive(Clone, Copy, Debug)]
pub struct Counting;

fn count(bytes: isize) {
    // A thread that ends may free after its thread-locals are gone; nobody asks then.
    let _ = HELD.try_with(|held| {
        let (now, most) = held.get();
        let now = now + bytes;
        held.set((now, most.max(now)));
    });
    if bytes > 0 {
        let _ = ASKED.try_with(|asked| asked.set(asked.get() + 1));
    }
}

// SAFETY: every call goes to `System` with what was passed in, and its result is returned as it
// is, so the contract is the one `System` keeps. The counting allocates nothing: the thread-local
// is a constant without a destructor.
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
        // Both may exist for a moment while the bytes are copied.
        count(new_size as isize);
        count(-(layout.size() as isize));
        // SAFETY: `block` came from `System` with this layout; the caller keeps the contract.
        unsafe { System.realloc(block, layout, new_size) }
    }
}

/// Runs `work`; says how many bytes this thread held at most, beyond what it had before.
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

/// Runs `work`; says how often this thread asked for memory meanwhile.
pub fn allocations<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = ASKED.get();
    let value = work();
    (value, ASKED.get() - before)
}
