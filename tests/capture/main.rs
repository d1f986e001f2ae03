//! Capture files beside the tools that everybody has, and packets off a real interface.

mod files;
mod live;

use groundwire::sys::counting::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;
