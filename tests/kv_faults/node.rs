//! One `kv-server` process, and its disk.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use groundwire::raft::NodeId;

use crate::cluster::founders;
use crate::network::Network;
use crate::within_bound;

/// The node of a place. A place keeps its address; who is there may change.
pub struct Node {
    pub id: NodeId,
    pub place: usize,
    /// What is given once: `--peers`, or `--join`.
    origin: Vec<String>,
    /// Its folder.
    pub data: PathBuf,
    /// What it says on standard error.
    pub log: PathBuf,
    process: Option<Child>,
}

impl Node {
    /// One of those that found the cluster.
    pub fn founder(place: usize, network: &Network, folder: &Path) -> Self {
        let origin = vec!["--peers".to_string(), founders(network)];
        Self::new(place as NodeId, place, origin, network, folder)
    }

    /// A new one, in the place of one that is gone.
    pub fn joiner(id: NodeId, place: usize, network: &Network, folder: &Path) -> Self {
        Self::new(id, place, vec!["--join".to_string()], network, folder)
    }

    fn new(
        id: NodeId,
        place: usize,
        origin: Vec<String>,
        network: &Network,
        folder: &Path,
    ) -> Self {
        let disk = network.disk(place, folder);
        fs::create_dir_all(&disk).unwrap();
        Self {
            id,
            place,
            origin,
            data: disk.join(format!("node-{id}")),
            log: folder.join(format!("node-{id}.log")),
            process: None,
        }
    }

    pub fn start(&mut self, network: &Network) {
        let log = File::options().create(true).append(true).open(&self.log);
        let child = network
            .program(self.place, env!("CARGO_BIN_EXE_kv-server"))
            .args(["--id", &self.id.to_string(), "--data"])
            .arg(&self.data)
            .args(["--listen", &network.address(self.place)])
            // So often that a follower that was away is sent one.
            .args(["--snapshot-entries", "300"])
            .args(&self.origin)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.unwrap())
            .spawn();
        let before = self.process.replace(child.unwrap());
        assert!(before.is_none(), "node {} runs already", self.id);
    }

    pub fn runs(&mut self) -> bool {
        let process = self.process.as_mut();
        process.is_some_and(|process| process.try_wait().unwrap().is_none())
    }

    /// `kill -9`
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    pub fn pause(&self) {
        self.signal("-STOP");
    }

    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.process.as_ref().unwrap().id().to_string();
        let kill = Command::new("sh")
            .args(["-c", "kill \"$0\" \"$1\"", signal, &pid])
            .status();
        assert!(kill.unwrap().success());
    }

    /// Waits until it ends by itself.
    pub fn ends(&mut self) -> ExitStatus {
        let mut process = self.process.take().unwrap();
        within_bound("the node ends", || process.try_wait().unwrap())
    }

    /// What it has said on standard error so far.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap()).into_owned()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}
