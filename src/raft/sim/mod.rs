//! Simulations of a cluster: what may happen to it, and what people see of it.

mod calls;
pub mod checks;
mod client;
mod ending;
mod history;
mod host;
mod network;
mod outputs;
pub mod page;
mod queue;
pub mod scenario;
mod stage;
pub mod tally;
pub mod threads;
pub mod timeline;
pub mod watch;
mod words;
pub mod world;

pub use words::HEADER;
