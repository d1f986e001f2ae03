//! Simulations of a cluster: what may happen to it, and how that is shown.
//!
//! Two simulations play the same scenarios ([`scenario`]) and report what happened in the same
//! words ([`timeline`]):
//!
//! - [`world`]: one thread, virtual time, one seed decides all. The safety properties are checked
//!   after each step ([`checks`]), and a failing scenario is made small (`shrink`).
//! - [`threads`]: a thread a node, channels, real time.

mod calls;
pub mod checks;
mod client;
mod ending;
mod history;
mod host;
#[cfg(test)]
mod hunt;
mod network;
mod outputs;
pub mod page;
mod queue;
pub mod scenario;
#[cfg(test)]
mod scripts;
#[cfg(test)]
mod seeds;
#[cfg(test)]
mod shrink;
mod stage;
pub mod tally;
pub mod threads;
pub mod timeline;
pub mod watch;
mod words;
pub mod world;

pub use words::HEADER;
