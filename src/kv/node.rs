//! One whole node of the cluster: storage, replica, peers, and both services on one
//! listener.
//!
//! ```text
//!  clients ──> Kv.*  ──> Server ──┐                        ┌──> DiskStorage
//!  peers ────> Raft.* ────────────┴──> Replica (a thread) ─┼──> Sessions<Machine>
//!                                                          └──> Peers ──> the others' Raft.*
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::cluster::{Belonging, ClusterId};
use super::folder;
use super::machine::Machine;
use super::peers::{self, Peers, PeersConfig};
use super::server::{Replicated, Server};
use super::service::KvService;
use crate::net::{Deadline, Listener};
use crate::raft::sessions::{self, Sessions};
use crate::raft::storage::{DiskStorage, Restored, Storage, StorageError, disk};
use crate::raft::{Membership, NodeId, Persist, Replica, ReplicaConfig};
use crate::rpc::{self, RpcHandler};
use crate::server::{self, Running, Stats, Stopper, Totals};
use crate::telemetry::Registry;

/// How long a hand-over may take when a node stops.
const HAND_OVER: Duration = Duration::from_secs(2);

/// The configuration of a node.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Its number, never used again for another node of the cluster.
    pub id: NodeId,
    /// Its data folder. Made if it is missing, but not its parents.
    pub data: PathBuf,
    /// Where nodes listen, this one included. If the folder is new and `joins` is not set, these
    /// nodes found the cluster. An address here overrides the one in the membership.
    pub addresses: BTreeMap<NodeId, String>,
    /// Distinguishes the cluster from others founded with the same addresses. May be empty.
    pub token: String,
    /// The node is new in a cluster that others have founded: it waits to be added. Its folder
    /// records that.
    pub joins: bool,
    /// The replica.
    pub replica: ReplicaConfig,
    /// The connections to its peers.
    pub peers: PeersConfig,
    /// The RPC services.
    pub rpc: rpc::ServerConfig,
    /// The server around them.
    pub server: server::Config,
    /// The counters of its connections, which nodes of one process may share.
    pub stats: Arc<Stats>,
}

/// Why a node does not start.
#[derive(Debug)]
pub enum StartError {
    /// Its storage cannot be opened.
    Storage(StorageError),
    /// Its folder cannot be used.
    Folder {
        /// What was attempted.
        doing: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// The folder is another node's.
    NotOurs {
        /// The file that says so.
        path: PathBuf,
        /// What it says.
        owner: String,
    },
    /// The folder is new, and the configuration names no founders.
    NoFounders,
    /// No thread could be started.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Storage(error) => error.fmt(f),
            StartError::Folder { doing, path, cause } => {
                write!(f, "{doing} {}: {cause}", path.display())
            }
            StartError::NotOurs { path, owner } => {
                write!(f, "{}: this folder is node {owner}'s", path.display())
            }
            StartError::NoFounders => {
                f.write_str("the data folder is new: name the founding nodes, or join")
            }
            StartError::Thread(cause) => write!(f, "starting a thread: {cause}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // `Display` shows the storage's error itself, so its source comes next.
            StartError::Storage(error) => error.source(),
            StartError::Folder { cause, .. } | StartError::Thread(cause) => Some(cause),
            StartError::NotOurs { .. } | StartError::NoFounders => None,
        }
    }
}

impl From<StorageError> for StartError {
    fn from(error: StorageError) -> Self {
        StartError::Storage(error)
    }
}

/// A node whose folder is open, but which does not run yet.
#[derive(Debug)]
pub struct Opened {
    config: NodeConfig,
    disk: (DiskStorage, Restored),
    belonging: Belonging,
}

impl Opened {
    /// Opens the folder and locks out other processes; founds the cluster if the folder is new.
    pub fn open(config: NodeConfig) -> Result<Self, StartError> {
        let (mut storage, mut restored) = DiskStorage::open(&config.data, disk::Limits::default())?;
        folder::own(&config.data, config.id)?;
        let note = folder::cluster_note(&config.data);
        let is_new = restored.is_new();
        let joins = is_new && folder::joins(&config.data, config.joins)?;
        if joins && !config.joins {
            let why = "the folder was made to join a cluster; to found one, remove it";
            let fields: [(&str, &dyn fmt::Display); 2] =
                [("folder", &config.data.display()), ("why", &why)];
            let log = &config.replica.log;
            log.warn(&format!("node {}", config.id), "waits to be added", &fields);
        }
        let belonging = if is_new && !joins {
            if config.addresses.is_empty() {
                return Err(StartError::NoFounders);
            }
            let cluster = match config.addresses.len() {
                1 => ClusterId::random(),
                _ => ClusterId::of(&config.addresses, &config.token),
            };
            let belonging = Belonging::found(note, cluster)?;
            found(&mut storage, &mut restored, &config.addresses)?;
            belonging
        } else {
            Belonging::read(note, is_new)?
        };
        Ok(Self {
            config,
            disk: (storage, restored),
            belonging,
        })
    }

    /// Starts the node and its server on a listener. Its metrics go into the registry; if several
    /// nodes share one, only the first node's calls are counted.
    pub fn start(self, listener: Listener, registry: &Registry) -> Result<Node, StartError> {
        let Self {
            config,
            disk,
            belonging,
        } = self;
        let id = config.id;
        let log = config.peers.log.clone();
        let peers = Peers::new(id, config.addresses, belonging.clone(), config.peers);
        let book = peers.book();
        let machine = Sessions::new(Machine::default(), sessions::Limits::default());
        let replica =
            Replica::start(id, config.replica, disk, machine, peers).map_err(StartError::Thread)?;
        let services = vec![
            peers::service(id, replica.clone(), book.clone(), belonging, log),
            Server {
                replica: replica.clone(),
                book,
            }
            .into_service(),
        ];
        let handler = RpcHandler::new(config.rpc, services);
        handler.register(registry);
        replica.register(registry, id);
        let server = server::Server::new(config.server, handler).counting_into(config.stats);
        let running = server.start(listener).map_err(StartError::Thread)?;
        Ok(Node {
            id,
            replica,
            running,
        })
    }
}

/// A running node.
pub struct Node {
    id: NodeId,
    replica: Replica<Replicated>,
    running: Running,
}

impl Node {
    /// Opens the folder, and starts the node: [`Opened::open`] and [`Opened::start`].
    pub fn start(
        config: NodeConfig,
        listener: Listener,
        registry: &Registry,
    ) -> Result<Self, StartError> {
        Opened::open(config)?.start(listener, registry)
    }

    /// Its number.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Its replica.
    pub fn replica(&self) -> &Replica<Replicated> {
        &self.replica
    }

    /// A stopper that is used as soon as the node accepts no more calls: because it was stopped, or
    /// because its listener broke, which [`Node::stop`] then returns.
    pub fn deaf(&self) -> Stopper {
        self.running.stopper()
    }

    /// If the node leads, hands leadership to the best voter, so that the cluster is not without a
    /// leader for an election timeout. The result is ignored: the node stops in any case.
    pub fn hand_over(&self) {
        let deadline = Deadline::after(HAND_OVER);
        let Ok(status) = self.replica.status(deadline) else {
            return;
        };
        if let Some(to) = status.successor {
            let _ = self.replica.transfer(to, deadline);
        }
    }

    /// Stops the node: lets calls finish, then releases the folder. Blocks for at most the drain
    /// time.
    pub fn stop(self) -> io::Result<Totals> {
        let totals = self.running.stop();
        self.replica.stop();
        totals
    }

    /// Stops it like a crash: the replica first, whatever is in flight.
    pub fn kill(self) {
        self.replica.stop();
        let _ = self.running.stop();
    }
}

/// Writes the first snapshot of a new cluster: nothing but its members.
fn found(
    storage: &mut impl Storage,
    restored: &mut Restored,
    addresses: &BTreeMap<NodeId, String>,
) -> Result<(), StartError> {
    restored.snapshot.meta.membership = Membership {
        voters: addresses.keys().copied().collect(),
        addresses: addresses.clone(),
        ..Membership::default()
    };
    storage.write(&Persist {
        snapshot: Some(restored.snapshot.clone()),
        ..Persist::default()
    })?;
    storage.sync()?;
    Ok(())
}
