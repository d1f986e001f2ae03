//! The service of a node for its clients: methods and answers, declared once for both sides.
//!
//! Every answer is `Ok` or a [`Problem`], which says whether anything happened and which node to
//! ask next. A method that changes something takes a request of `raft::sessions`, with the client's
//! session and number in it, so that it may be sent again to any node.
//!
//! *One call at a time on a connection.* `propose`, `get` and `list` are quick methods that wait
//! for the cluster on the connection's own thread: with a worker, two switches of threads would
//! cost a third of the time of a call. Later calls on the same connection wait, too. So
//! [`Client`](super::Client) uses a connection for each caller, which suits servers with a thread
//! for each connection. Your own client should do the same.

use super::command::{Changes, Compacted, KeyValue, Keys, Page, Revision};
use crate::raft::{Command, Index, Membership, NodeId, Term};

crate::wire! {
    /// Why there is no answer.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Problem {
        /// Nothing was done. Another node leads; its address, if it is known.
        Elsewhere(Option<String>),
        /// Nothing was done; it may succeed later.
        NotDone(String),
        /// It may have been done, or may still be.
        Unknown(String),
        /// It will never be done, however often it is requested.
        Never(String),
        /// A watch from a revision that is too old.
        Compacted(Compacted),
        ..
        /// A problem of a later version.
        Other
    }

    /// How a node sees itself and its cluster.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct NodeStatus {
        /// Its number.
        pub id: NodeId,
        /// `leader`, `follower`, `candidate` or `pre-candidate`.
        pub role: String,
        /// Its term.
        pub term: Term,
        /// The leader, as far as it knows.
        pub leader: Option<NodeId>,
        /// The first index that its log holds.
        pub first_index: Index,
        /// The last one.
        pub last_index: Index,
        /// The commit index.
        pub commit: Index,
        /// The last index applied to its state machine.
        pub applied: Index,
        /// The store's revision there.
        pub revision: Revision,
        /// Bytes of keys and values there.
        pub bytes: u64,
        /// The members in effect, and where they listen.
        pub membership: Membership,
        ..
    }
}

crate::rpc_service! {
    /// A replicated store.
    pub trait KvService, client KvClient, as "Kv" {
        /// A `Request` of [`sessions`](crate::raft::sessions) as bytes: a message with a
        /// [`Command`](super::Command) as bytes in it; its `Answer`, with a
        /// [`Reply`](super::Reply) in it, likewise.
        [repeatable] fn propose(request: Command) -> Result<Vec<u8>, Problem>, as "Propose";
        /// What a key holds, linearizably.
        [repeatable] fn get(key: Vec<u8>) -> Result<Option<KeyValue>, Problem>, as "Get";
        /// Keys by prefix, after the key `after`, linearizably: at most `limit` and at most 1 MiB,
        /// but at least one if there is one.
        [repeatable] fn list(prefix: Vec<u8>, after: Option<Vec<u8>>, limit: u64)
            -> Result<Page, Problem>, as "List";
        /// Changes of keys from a revision on. Waits until there are some; after `wait`
        /// milliseconds, returns none. Any node that knows a leader answers.
        [slow, repeatable] fn changes(keys: Keys, from: Revision, wait: u64)
            -> Result<Changes, Problem>, as "Changes";
        /// How the node sees itself and its cluster.
        [repeatable] fn status() -> Result<NodeStatus, Problem>, as "Status";
        /// Adds a node, as a voter once it has caught up, or as a learner. Makes a learner a voter,
        /// or changes its address. Returns when that is done.
        [slow] fn add(node: NodeId, address: String, learner: bool)
            -> Result<(), Problem>, as "Add";
        /// Removes a node.
        [slow] fn remove(node: NodeId) -> Result<(), Problem>, as "Remove";
        /// Makes another node the leader. Returns when it leads.
        [slow] fn transfer(to: NodeId) -> Result<(), Problem>, as "Transfer";
        /// Takes a snapshot on this node. Returns its last index, once it is on the disk.
        [slow] fn snapshot() -> Result<Index, Problem>, as "Snapshot";
    }
}
