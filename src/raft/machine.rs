//! The state machine that every node of a cluster runs on the same log (§2).
//!
//! Because all nodes apply the same commands in the same order, a machine must be deterministic:
//! no clock, no randomness, no address of anything, no iteration over a `HashMap`. Then all of them
//! hold the same state at the same index, and give the same replies.

use std::fmt;

use super::entry::Index;

/// A deterministic state machine. One thread owns it.
pub trait StateMachine: Send + 'static {
    /// Applies a committed command and returns the reply for its client. `index` is the command's
    /// place in the log: it rises from call to call, with gaps where the log holds other entries.
    ///
    /// A command that makes no sense gets an error of the machine's own as its reply, and changes
    /// nothing, on every node.
    fn apply(&mut self, index: Index, command: &[u8]) -> Vec<u8>;

    /// The whole state as bytes: equal states give equal bytes.
    fn snapshot(&self) -> Vec<u8>;

    /// Becomes what [`snapshot`](Self::snapshot) wrote, on this or another node. After an error
    /// the machine is as it was before.
    fn restore(&mut self, data: &[u8]) -> Result<(), BadSnapshot>;
}

/// Bytes are no snapshot of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadSnapshot(pub String);

impl fmt::Display for BadSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a snapshot of this state machine: {}", self.0)
    }
}

impl std::error::Error for BadSnapshot {}
