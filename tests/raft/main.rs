//! The consensus room from outside: its storage on a disk that is really full, and what clients of
//! a store may observe.

mod history;
#[path = "../support/seeded.rs"]
mod seeded;
mod storage;
