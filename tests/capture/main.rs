//! Capture files compared with common tools, and packets from a real interface.

mod captures;
mod files;
mod judge;
mod lines;
mod live;
#[path = "../support/seeded.rs"]
mod seeded;
mod tcpdump;
mod traffic;

use groundwire::sys::counting::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;
