//! The nodes together: who leads, and whether all is well.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use groundwire::kv::service::NodeStatus;
use groundwire::kv::{Client, ClientConfig};
use groundwire::raft::NodeId;

use crate::network::Network;
use crate::node::Node;
use crate::within_bound;

/// Where nodes may be.
pub const PLACES: RangeInclusive<usize> = 1..=5;

/// `--peers` of those that found the cluster.
pub fn founders(network: &Network) -> String {
    let peers = PLACES.map(|place| format!("{place}={}", network.address(place)));
    peers.collect::<Vec<_>>().join(",")
}

pub struct Cluster {
    pub network: Network,
    /// In the order of their places.
    nodes: Vec<Node>,
    pub client: Client,
    folder: PathBuf,
    next_id: NodeId,
}

impl Cluster {
    /// Founds a cluster with a node in each place.
    pub fn found(network: Network, folder: &Path) -> Self {
        let addresses = PLACES.map(|place| network.address(place));
        let config = ClientConfig {
            try_time: Duration::from_secs(1),
            dial_timeout: Duration::from_millis(500),
            time: crate::BOUND,
            ..ClientConfig::new(addresses.collect())
        };
        let nodes = PLACES.map(|place| {
            let mut node = Node::founder(place, &network, folder);
            node.start(&network);
            node
        });
        Self {
            nodes: nodes.collect(),
            network,
            client: Client::new(config),
            folder: folder.to_owned(),
            next_id: *PLACES.end() as NodeId + 1,
        }
    }

    pub fn addresses(&self) -> Vec<String> {
        PLACES.map(|place| self.network.address(place)).collect()
    }

    /// All places but some.
    pub fn others(&self, but: &[usize]) -> Vec<usize> {
        PLACES.filter(|place| !but.contains(place)).collect()
    }

    pub fn node(&mut self, place: usize) -> &mut Node {
        &mut self.nodes[place - 1]
    }

    pub fn start(&mut self, place: usize) {
        self.nodes[place - 1].start(&self.network);
    }

    /// A fresh node in this place, under a number that nobody had.
    pub fn replace(&mut self, place: usize) -> NodeId {
        let id = self.next_id;
        self.next_id += 1;
        let mut node = Node::joiner(id, place, &self.network, &self.folder);
        node.start(&self.network);
        self.nodes[place - 1] = node;
        id
    }

    /// How the node of a place sees itself, if it answers.
    pub fn status(&self, place: usize) -> Option<NodeStatus> {
        self.client.status(&self.network.address(place)).ok()
    }

    /// Waits until one of these nodes leads, in a term above `above`, and the others of them follow
    /// it. Returns where it is and its term.
    pub fn leader_of(&self, places: &[usize], above: u64) -> (usize, u64) {
        within_bound("one of the nodes leads the others", || {
            let status = |place: &usize| self.status(*place);
            let seen: Vec<_> = places.iter().map(status).collect::<Option<_>>()?;
            let leads = seen.iter().position(|node| node.role == "leader")?;
            let (id, term) = (seen[leads].id, seen[leads].term);
            let follow = |node: &NodeStatus| (node.leader, node.term) == (Some(id), term);
            (term > above && seen.iter().all(follow)).then_some((places[leads], term))
        })
    }

    /// The leader of the whole cluster, and its term.
    pub fn leader(&self) -> (usize, u64) {
        self.leader_of(&self.others(&[]), 0)
    }

    /// Waits until these nodes have on their disks and applied what is committed now.
    pub fn catch_up(&self, places: &[usize]) {
        let most = |commit: u64, place: &usize| {
            let seen = within_bound("the node answers", || self.status(*place));
            commit.max(seen.commit)
        };
        let commit = places.iter().fold(0, most);
        let caught_up = |place: &usize| {
            self.status(*place)
                .is_some_and(|node| node.applied >= commit)
        };
        within_bound("the nodes catch up", || {
            places.iter().all(caught_up).then_some(())
        });
    }

    /// Waits until all is well: each node runs, one leads, the others follow and have caught up,
    /// and all agree who the members are.
    pub fn settle(&mut self) {
        for node in &mut self.nodes {
            assert!(node.runs(), "node {} has ended: {}", node.id, node.said());
        }
        self.leader();
        self.catch_up(&self.others(&[]));
        let ids: Vec<NodeId> = self.nodes.iter().map(|node| node.id).collect();
        within_bound("all agree who the members are", || {
            let agrees = |place| {
                let members = self.status(place)?.membership;
                let voters: Vec<NodeId> = members.voters.iter().copied().collect();
                let mut expected = ids.clone();
                expected.sort();
                (voters == expected && !members.is_joint()).then_some(())
            };
            PLACES.map(agrees).collect::<Option<()>>()
        });
    }
}

/// What the disks hold is kept with the rest, if the test fails.
impl Drop for Cluster {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            node.kill();
            if std::thread::panicking() && self.network.has_cables() {
                let mut copy = Command::new("cp");
                let _ = copy.arg("-r").arg(&node.data).arg(&self.folder).status();
            }
        }
    }
}
