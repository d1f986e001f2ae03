//! The consensus room from outside: its storage on a disk that is really full.

mod storage;
