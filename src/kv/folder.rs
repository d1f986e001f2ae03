//! What a data folder records about itself, in small files beside those of Raft: its node, that
//! node's cluster, and whether other nodes founded that cluster.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::node::StartError;
use crate::raft::NodeId;

/// The number of the folder's node.
const OWNER: &str = "node-id";
/// The name of that node's cluster.
const CLUSTER: &str = "cluster-id";
/// This file exists if other nodes founded that cluster.
const JOINS: &str = "joins";
/// The longest file, in bytes: each holds at most one number, so a longer one is not ours.
const LONGEST: u64 = 64;

/// Makes the file that names the folder's node; refuses another node's folder. A node that took
/// over another's votes could vote twice in its own name.
pub(super) fn own(data: &Path, id: NodeId) -> Result<(), StartError> {
    let owner = Note::new(data, OWNER);
    match owner.read()? {
        None => owner.write(&id.to_string()),
        Some(text) if text == id.to_string() => Ok(()),
        Some(text) => Err(StartError::NotOurs {
            path: owner.path,
            owner: text.chars().take(20).collect(),
        }),
    }
}

/// Whether the node joins a cluster that others founded: `said` now, or when its folder was new.
/// Until its first entry, only this file distinguishes it from a founder: without it, a node
/// restarted without `--join` would found a cluster of its own.
pub(super) fn joins(data: &Path, said: bool) -> Result<bool, StartError> {
    let note = Note::new(data, JOINS);
    let known = note.read()?.is_some();
    if said && !known {
        note.write("yes")?;
    }
    Ok(said || known)
}

/// The file that names the cluster of the folder's node.
pub(super) fn cluster_note(data: &Path) -> Note {
    Note::new(data, CLUSTER)
}

/// A file of one line.
#[derive(Debug)]
pub(super) struct Note {
    folder: PathBuf,
    path: PathBuf,
}

impl Note {
    fn new(folder: &Path, name: &str) -> Self {
        Self {
            folder: folder.into(),
            path: folder.join(name),
        }
    }

    /// Its text; `None` if it is missing, or was made but not written before a crash.
    pub(super) fn read(&self) -> Result<Option<String>, StartError> {
        let mut text = String::new();
        let read =
            File::open(&self.path).and_then(|file| file.take(LONGEST).read_to_string(&mut text));
        match read {
            Ok(_) => Ok(Some(text.trim().to_string()).filter(|text| !text.is_empty())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(self.failed("reading")(cause)),
        }
    }

    /// Writes its text to stable storage, where the votes that it goes with are.
    pub(super) fn write(&self, text: &str) -> Result<(), StartError> {
        self.write_line(text).map_err(self.failed("writing"))
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&self.path)?;
        file.write_all(format!("{text}\n").as_bytes())?;
        file.sync_all()?;
        File::open(&self.folder)?.sync_all()
    }

    /// The error of a node that cannot start, or take a call, because of this file.
    pub(super) fn failed(&self, doing: &'static str) -> impl FnOnce(io::Error) -> StartError {
        let path = self.path.clone();
        move |cause| StartError::Folder { doing, path, cause }
    }
}
