//! The consensus room from outside: its storage on a disk that is really full, and what clients may
//! see of a store.

mod history;
#[path = "../support/seeded.rs"]
mod seeded;
mod storage;
