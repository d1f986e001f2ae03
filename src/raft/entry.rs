//! The words of Raft as types: terms, log indices, entries, what a node must remember.
//!
//! Everything here is a value. The names are the paper's (Figure 2); a log index and a term are
//! plain numbers, since they are counted, compared and subtracted on every page of it.

use std::fmt;
use std::sync::Arc;

use super::membership::Membership;
use crate::wire::{Decode, Encode, Failed, Reader, Writer};

/// A node's number, from 1 on; never used again for another node of the same cluster.
pub type NodeId = u64;

/// A period with at most one leader (§5.1). 0 before the first election.
pub type Term = u64;

/// A place in the log, from 1 on (Figure 2). 0 is the place before the first entry.
pub type Index = u64;

/// The bytes of a client's command: Raft neither reads nor changes them. Cloning shares them.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Command(Arc<[u8]>);

impl Command {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl<T: AsRef<[u8]> + ?Sized> From<&T> for Command {
    fn from(bytes: &T) -> Self {
        Self(bytes.as_ref().into())
    }
}

impl From<Vec<u8>> for Command {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

/// As text if it is text, as the commands of lessons and tests are.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::str::from_utf8(&self.0) {
            Ok(text) => write!(f, "{text:?}"),
            Err(_) => write!(f, "{} bytes", self.0.len()),
        }
    }
}

impl Encode for Command {
    fn encode(&self, writer: &mut Writer) {
        self.0.as_ref().encode(writer);
    }
}

impl<'a> Decode<'a> for Command {
    const LEAST: usize = 4;

    fn decode(reader: &mut Reader<'a>) -> Result<Self, Failed> {
        let bytes = <&[u8]>::decode(reader)?;
        reader.charge::<Self>(bytes.len())?;
        Ok(Self::from(bytes))
    }
}

crate::wire! {
    /// One place of the log (Figure 2).
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Entry {
        /// The term in which a leader received it.
        pub term: Term,
        /// Its place.
        pub index: Index,
        /// What it says.
        pub payload: Payload
    }

    /// What an entry is for.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Payload {
        /// Nothing: a new leader's first entry, with which those before it commit (§8).
        NoOp,
        /// For the state machine.
        Command(Command),
        /// The cluster's members from here on (§6).
        Membership(Membership)
    }

    /// What must be on stable storage in addition to the log (Figure 2, "persistent state").
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct HardState {
        /// The latest term that the node has seen.
        pub term: Term,
        /// The candidate that got its vote in this term.
        pub vote: Option<NodeId>
    }

    /// What a snapshot replaces (§7).
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct SnapshotMeta {
        /// The last entry that it holds.
        pub last_index: Index,
        /// That entry's term.
        pub last_term: Term,
        /// The members as of that entry.
        pub membership: Membership
    }

    /// The state machine at a point of the log.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Snapshot {
        /// Which point.
        pub meta: SnapshotMeta,
        /// The state machine's own bytes, client sessions included.
        pub data: Command
    }
}

impl Entry {
    /// What batches and limits count: the bytes of its command, and some for the entry, so that
    /// empty entries have a limit, too.
    pub fn size(&self) -> usize {
        const OVERHEAD: usize = 32;
        match &self.payload {
            Payload::Command(command) => command.bytes().len() + OVERHEAD,
            Payload::NoOp | Payload::Membership(_) => OVERHEAD,
        }
    }
}
