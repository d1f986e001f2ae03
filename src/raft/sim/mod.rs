//! Simulations of a cluster: what may happen to it, and what people see of it.

pub mod page;
pub mod scenario;
pub mod tally;
pub mod timeline;
mod words;

pub use words::HEADER;
