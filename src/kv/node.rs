//! One node of the cluster, put together: storage, replica, peers, and both services on one
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
use super::machine::{self, Machine};
use super::peers::{self, Peers, PeersConfig};
use super::server::{Replicated, Server};
use super::service::KvService;
use crate::net::{Deadline, Listener};
use crate::raft::replica::Ended;
use crate::raft::sessions::{self, Sessions};
use crate::raft::storage::{DiskStorage, Restored, Storage, StorageError, disk};
use crate::raft::{Membership, NodeId, Persist, Replica, ReplicaConfig, Snapshot, SnapshotMeta};
use crate::rpc::{self, RpcHandler};
use crate::server::{self, Running, Stats, Stopper, Totals};
use crate::telemetry::Registry;

/// How long a hand-over may take at the end of a node.
const HAND_OVER: Duration = Duration::from_secs(2);

/// What a node is made of.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Who it is. Never used again for another node of the cluster.
    pub id: NodeId,
    /// Its data folder. Made where it is missing, but not those above it.
    pub data: PathBuf,
    /// Where nodes listen, this one included. They found the cluster, if the folder is new and
    /// `joins` is not set; an address here wins over the one that the membership remembers.
    pub addresses: BTreeMap<NodeId, String>,
    /// Tells the cluster that several found from others with the same addresses. Empty is well.
    pub token: String,
    /// The node is new in a cluster that others have founded: it waits to be added. Its folder
    /// remembers it.
    pub joins: bool,
    /// The replica.
    pub replica: ReplicaConfig,
    /// The way to the others.
    pub peers: PeersConfig,
    /// The services.
    pub rpc: rpc::ServerConfig,
    /// The server around them.
    pub server: server::Config,
    /// Where its connections are counted: nodes of one process may share it.
    pub stats: Arc<Stats>,
}

/// Why a node does not start.
#[derive(Debug)]
pub enum StartError {
    /// Its storage does not open.
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
    /// The folder is new, and nobody says who founds the cluster.
    NoFounders,
    /// No thread can be had.
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
            // Its text is this one's.
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

/// A node whose folder is open, and which nobody hears yet.
#[derive(Debug)]
pub struct Opened {
    config: NodeConfig,
    disk: (DiskStorage, Restored),
    belonging: Belonging,
}

impl Opened {
    /// Opens the folder, which no other process has from now on; founds the cluster in a new one.
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

    /// Starts the node and its server on a listener. Its numbers go into the registry; of several
    /// nodes with one registry, the calls of the first only.
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
        let machine = Sessions::new(
            Machine::new(machine::Limits::default()),
            sessions::Limits::default(),
        );
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

/// A node that runs.
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

    /// Who it is.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Its replica.
    pub fn replica(&self) -> &Replica<Replicated> {
        &self.replica
    }

    /// Blocks until the node has stopped: why, if it did so by itself.
    pub fn wait(&self) -> Result<(), Ended> {
        self.replica.wait()
    }

    /// Used as soon as the node hears no more calls: it was stopped, or its listener broke, which
    /// [`Node::stop`] then tells.
    pub fn deaf(&self) -> Stopper {
        self.running.stopper()
    }

    /// Gives leadership, if it has it, to the voter that answers and is furthest in the log; so the
    /// cluster need not miss it for an election timeout. Whether that worked does not matter to who stops.
    pub fn hand_over(&self) {
        let deadline = Deadline::after(HAND_OVER);
        let Ok(status) = self.replica.status(deadline) else {
            return;
        };
        if let Some(to) = status.successor {
            let _ = self.replica.transfer(to, deadline);
        }
    }

    /// Stops the node: lets calls finish, lets go of the folder. Blocks for the drain time at most.
    pub fn stop(self) -> io::Result<Totals> {
        let totals = self.running.stop();
        self.replica.stop();
        totals
    }

    /// Stops it as a crash would: the replica first, whatever is under way.
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
    let membership = Membership {
        voters: addresses.keys().copied().collect(),
        addresses: addresses.clone(),
        ..Membership::default()
    };
    restored.snapshot = Snapshot {
        meta: SnapshotMeta {
            membership,
            ..SnapshotMeta::default()
        },
        ..Snapshot::default()
    };
    storage.write(&Persist {
        snapshot: Some(restored.snapshot.clone()),
        ..Persist::default()
    })?;
    storage.sync()?;
    Ok(())
}
