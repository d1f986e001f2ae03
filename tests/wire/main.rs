//! The wire format from outside: vectors, the macro, versions, hostile bytes, frames.

mod derived;
mod frames;
mod fuzz;
mod generate;
mod hostile;
#[path = "../support/seeded.rs"]
mod seeded;
mod types;
mod vectors;

#[global_allocator]
static ALLOCATOR: groundwire::sys::counting::Counting = groundwire::sys::counting::Counting;
