//! Network programming on nothing but Rust's standard library.
#![deny(unsafe_code)]

pub mod cli;
pub mod net;
pub mod sys;
pub mod telemetry;
