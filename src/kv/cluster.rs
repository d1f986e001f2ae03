//! Which cluster a node belongs to, so that two clusters never become one.
//!
//! Nodes are numbered from 1 in every cluster, so a node's number does not say to which cluster a
//! message belongs. With one wrong address, a leader of one cluster would replace the log of
//! another. So on each connection between nodes, both sides first name their cluster
//! (`Raft.Introduce`); a connection to another cluster carries no messages.
//!
//! The founders need not agree on the cluster's name first. As in etcd, each computes it from its
//! configuration: the members, their addresses, and a token that distinguishes clusters that use
//! the same addresses one after the other. A node that founds a cluster alone draws a random name:
//! otherwise two machines that each listen on `0.0.0.0:7301` would compute the same. A node that
//! joins has no name yet, and takes that of the first member that calls it by its node number. From
//! then on the name is in its folder.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::folder::Note;
use super::node::StartError;
use crate::net::unguessable;
use crate::raft::NodeId;
use crate::rpc::sha256::sha256;

crate::wire! {
    /// The name of a cluster: 16 hexadecimal digits.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct ClusterId(u64);
}

impl ClusterId {
    /// The name of the cluster that these nodes found. All must be given the same arguments.
    pub fn of(founders: &BTreeMap<NodeId, String>, token: &str) -> Self {
        let lines = founders.iter().map(|(id, at)| format!("{id}={at}\n"));
        let text = lines.collect::<String>() + token;
        let [a, b, c, d, e, f, g, h, ..] = sha256(text.as_bytes());
        Self(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }

    /// A name for a cluster with a single founder.
    pub(super) fn random() -> Self {
        Self(unguessable())
    }

    fn parse(text: &str) -> Option<Self> {
        // A truncated name would be the name of another cluster.
        let is_name = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u64::from_str_radix(text, 16).ok();
        number.filter(|_| is_name).map(Self)
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What a node knows of its cluster. Clones share it.
#[derive(Clone, Debug)]
pub struct Belonging {
    known: Arc<Mutex<Known>>,
    /// The file that holds it; none in tests.
    note: Option<Arc<Note>>,
}

#[derive(Clone, Copy, Debug)]
enum Known {
    /// The node joins, and no member has called yet.
    Awaited,
    /// The folder has a log but no name: it is older than such files, or got its log from such a
    /// cluster. Every caller is believed, as before there were names.
    Untold,
    /// It belongs to this cluster.
    To(ClusterId),
}

impl Belonging {
    /// For a founder: the name is stored before the cluster is founded.
    pub(super) fn found(note: Note, cluster: ClusterId) -> Result<Self, StartError> {
        note.write(&cluster.to_string())?;
        Ok(Self::with(Known::To(cluster), Some(note)))
    }

    /// For a node that has a folder, or joins with a new one.
    pub(super) fn read(note: Note, is_new: bool) -> Result<Self, StartError> {
        let known = match (note.read()?, is_new) {
            (Some(text), _) => Known::To(ClusterId::parse(&text).ok_or_else(|| {
                let why = "expected 16 hexadecimal digits";
                note.failed("reading")(io::Error::new(io::ErrorKind::InvalidData, why))
            })?),
            (None, true) => Known::Awaited,
            (None, false) => Known::Untold,
        };
        Ok(Self::with(known, Some(note)))
    }

    /// For a node without a folder.
    #[cfg(test)]
    pub(super) fn to(cluster: Option<ClusterId>) -> Self {
        Self::with(cluster.map_or(Known::Awaited, Known::To), None)
    }

    fn with(known: Known, note: Option<Note>) -> Self {
        Self {
            known: Arc::new(Mutex::new(known)),
            note: note.map(Arc::new),
        }
    }

    /// The cluster, if it is known.
    pub(super) fn cluster(&self) -> Option<ClusterId> {
        match *self.known.lock().unwrap_or_else(PoisonError::into_inner) {
            Known::To(cluster) => Some(cluster),
            Known::Awaited | Known::Untold => None,
        }
    }

    /// A node that says it is of cluster `theirs` calls. Returns this node's cluster; a node that
    /// joins takes the caller's.
    pub(super) fn called_by(
        &self,
        theirs: Option<ClusterId>,
    ) -> Result<Option<ClusterId>, StartError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match (*known, theirs) {
            (Known::Awaited, Some(theirs)) => {
                if let Some(note) = &self.note {
                    note.write(&theirs.to_string())?;
                }
                *known = Known::To(theirs);
            }
            (Known::Awaited, None) => *known = Known::Untold,
            (Known::To(_) | Known::Untold, _) => {}
        }
        match *known {
            Known::To(ours) => Ok(Some(ours)),
            Known::Awaited | Known::Untold => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::folder::cluster_note;

    fn founders(addresses: &[&str]) -> BTreeMap<NodeId, String> {
        (1..)
            .zip(addresses.iter().map(ToString::to_string))
            .collect()
    }

    #[test]
    fn the_founders_and_their_token_make_the_name() {
        // printf '1=a:1\n2=b:1\nt' | sha256sum
        let id = ClusterId::of(&founders(&["a:1", "b:1"]), "t");
        assert_eq!(id.to_string(), "6dad2eeecb70e50f");
        assert_eq!(ClusterId::parse("6dad2eeecb70e50f"), Some(id));
        for (others, token) in [
            (&["a:1", "b:1"][..], ""),
            (&["b:1", "a:1"], "t"),
            (&["a:1", "b:1", "c:1"], "t"),
        ] {
            assert_ne!(ClusterId::of(&founders(others), token), id);
        }
    }

    #[test]
    fn who_joins_belongs_to_the_first_that_calls_and_knows_it_when_it_starts_again() {
        let [first, second] = ["1", "2"].map(|token| ClusterId::of(&BTreeMap::new(), token));
        let folder = crate::cli::temporary("kv-cluster", "", |path| std::fs::create_dir(path));
        let folder = folder.unwrap();
        let read = |is_new| Belonging::read(cluster_note(&folder), is_new).unwrap();
        let joins = read(true);
        assert_eq!(joins.called_by(Some(first)).unwrap(), Some(first));
        assert_eq!(joins.called_by(None).unwrap(), Some(first));
        assert_eq!(joins.called_by(Some(second)).unwrap(), Some(first));
        assert_eq!(read(false).cluster(), Some(first));
        for torn in ["of three\n", "6dad2e", "+dad2eeecb70e50f\n"] {
            std::fs::write(folder.join("cluster-id"), torn).unwrap();
            let why = Belonging::read(cluster_note(&folder), false).unwrap_err();
            let expected = "cluster-id: expected 16 hexadecimal digits";
            assert!(why.to_string().ends_with(expected), "{why}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    /// It is not known to which cluster a folder from before there were names belongs.
    #[test]
    fn a_folder_that_does_not_say_is_not_given_away_to_who_calls() {
        let folder = crate::cli::temporary("kv-untold", "", |path| std::fs::create_dir(path));
        let folder = folder.unwrap();
        let untold = Belonging::read(cluster_note(&folder), false).unwrap();
        assert_eq!(untold.called_by(Some(ClusterId(7))).unwrap(), None);
        assert_eq!(untold.cluster(), None);
        std::fs::remove_dir_all(folder).unwrap();
    }

    /// The same holds for a node that got its log from such a cluster, in the run in which it
    /// joined.
    #[test]
    fn who_joins_a_cluster_without_a_name_is_not_given_away_either() {
        let joins = Belonging::to(None);
        assert_eq!(joins.called_by(None).unwrap(), None);
        assert_eq!(joins.called_by(Some(ClusterId(7))).unwrap(), None);
    }
}
