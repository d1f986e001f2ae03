//! Zones: the part of the name tree for which one server is an authority, from text to look-ups.
//!
//! A zone is a tree of nodes: one for each name that has records, or has such names below it:
//!
//! ```text
//!   example.            SOA NS          the apex
//!   ├─ www              A
//!   ├─ b                                an empty non-terminal: no records, but it exists
//!   │  └─ a             TXT
//!   ├─ *                TXT             a wildcard: answers for names that do not exist
//!   ├─ old              DNAME           names below are renamed
//!   └─ sub              NS              a cut: below it other servers have authority (a delegation)
//!      └─ ns            A               glue: served with the delegation only
//! ```
//!
//! A name means one of five things in a zone, its `Lookup`. Once the tree is connected, RFC 1034
//! §4.3.2 step 3 and RFC 4592 §3.3 can be read in the code: each node knows the cut that it is at
//! or below, and its wildcard. A zone never changes; a new version is a new zone.
//!
//! In reading order: `problem`, `lexer`, `parser`, `build` (the rules), `table`, `load` (files),
//! `transfer`, `sample`. Source: RFC 1034, 1035, 2181, 2308, 4592, 6672.

mod build;
mod lexer;
mod load;
mod parser;
mod problem;
mod sample;
mod table;
mod transfer;

pub use load::{LoadError, load};
pub use parser::{Include, Limits, Parsed, parse};
pub use problem::{MAX_ERRORS, MAX_WARNINGS, Problem};
pub use sample::{SAMPLES, samples};
pub(super) use table::{Key, Table};
pub use transfer::Transfer;

use super::code::RecordType;
use super::data::{Data, Soa};
use super::name::Name;
use super::record::Record;

/// A zone.
#[derive(Debug)]
pub struct Zone {
    /// The apex first, and each node after its parent.
    pub(super) nodes: Vec<Node>,
    table: Table,
    /// How many labels the apex has.
    depth: usize,
}

/// A name of a zone and its record sets; an empty non-terminal has none.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: Name,
    pub(super) sets: Vec<RecordSet>,
    parent: Option<usize>,
    /// The delegation that this node is at or below.
    pub(super) cut: Option<usize>,
    /// The node with a DNAME record that this node is, or is below.
    dname: Option<usize>,
    /// The node `*` directly below.
    wildcard: Option<usize>,
}

/// The records of one name and type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSet {
    /// Their type.
    pub kind: RecordType,
    /// Their TTL in seconds.
    pub ttl: u32,
    /// Their data: at least one item, no duplicates, in the order of the file.
    pub data: Vec<Data>,
}

/// The meaning of a name in a zone. The numbers are those of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lookup {
    /// The name exists, and this zone is the authority for it.
    Node(usize),
    /// The name is delegated at `cut`; `is_exact` if it is the cut itself.
    Cut { cut: usize, is_exact: bool },
    /// The name does not exist, and is below a name with a DNAME record.
    Dname(usize),
    /// The name does not exist, and a wildcard matches it.
    Wildcard(usize),
    /// The name does not exist.
    Nothing,
}

impl Node {
    fn new(name: Name, parent: Option<usize>) -> Self {
        Self {
            name,
            sets: Vec::new(),
            parent,
            cut: None,
            dname: None,
            wildcard: None,
        }
    }

    pub(super) fn set(&self, kind: RecordType) -> Option<&RecordSet> {
        self.sets.iter().find(|set| set.kind == kind)
    }
}

impl RecordSet {
    /// The records of this set, under a name.
    pub(super) fn records(&self, owner: &Name) -> impl Iterator<Item = Record> {
        self.data
            .iter()
            .map(|data| Record::new(owner.clone(), self.ttl, data.clone()))
    }
}

impl Zone {
    fn empty(apex: Name) -> Self {
        let key = Key::new(&apex);
        let mut table = Table::default();
        table.add(&key, 0, 0);
        Self {
            nodes: vec![Node::new(apex, None)],
            table,
            depth: key.labels(),
        }
    }

    /// The name at which the zone begins.
    pub fn apex(&self) -> &Name {
        &self.apex_node().name
    }

    pub(super) fn apex_node(&self) -> &Node {
        // Every zone is created with its apex.
        &self.nodes[0]
    }

    /// The SOA record's data and TTL.
    pub fn soa(&self) -> Option<(&Soa, u32)> {
        let set = self.apex_node().set(RecordType::SOA)?;
        match set.data.first() {
            Some(Data::Soa(soa)) => Some((soa, set.ttl)),
            _ => None,
        }
    }

    /// The version of the zone: the serial of its SOA record.
    pub fn serial(&self) -> u32 {
        self.soa().map_or(0, |(soa, _)| soa.serial)
    }

    /// How many records there are.
    pub fn record_count(&self) -> usize {
        self.sets().map(|(_, set)| set.data.len()).sum()
    }

    /// Whether both zones have the same records and TTLs, with each set in the same order.
    pub fn has_records_of(&self, other: &Zone) -> bool {
        let set_of = |name: &Name, kind| {
            let index = self.exact(&Key::new(name))?;
            self.nodes.get(index)?.set(kind)
        };
        self.record_count() == other.record_count()
            && other
                .sets()
                .all(|(name, set)| set_of(name, set.kind) == Some(set))
    }

    /// All names and their record sets, the apex first, without names that have no records.
    pub fn sets(&self) -> impl Iterator<Item = (&Name, &RecordSet)> {
        let nodes = self.nodes.iter();
        nodes.flat_map(|node| node.sets.iter().map(|set| (&node.name, set)))
    }

    /// The number of a name's node; creates it, and those above it, if it is new.
    fn grow(&mut self, name: &Name) -> usize {
        let key = Key::new(name);
        let (closest, _) = self.closest(&key).unwrap_or_default();
        let known = self.nodes[closest].name.label_count();
        let mut parent = closest;
        for without in (0..key.labels() - known).rev() {
            let labels = name.labels().skip(without);
            // The suffix of a valid name is valid.
            let Ok(name) = Name::from_labels(labels) else {
                break;
            };
            self.nodes.push(Node::new(name, Some(parent)));
            parent = self.nodes.len() - 1;
            self.table.add(&key, without, parent);
        }
        parent
    }

    /// Links each node to the nodes above and below it. A parent comes before its children, so one
    /// pass is enough.
    fn connect(&mut self) {
        for index in 0..self.nodes.len() {
            let node = &self.nodes[index];
            let above = node.parent.map(|parent| &self.nodes[parent]);
            let is_cut = index != 0 && node.set(RecordType::NS).is_some();
            let cut = above.and_then(|above| above.cut);
            let cut = cut.or(is_cut.then_some(index));
            let has_dname = node.set(RecordType::DNAME).is_some();
            let dname = above.and_then(|above| above.dname);
            let dname = dname.or(has_dname.then_some(index));
            let wildcard_of = node.parent.filter(|_| node.name.is_wildcard());
            let node = &mut self.nodes[index];
            (node.cut, node.dname) = (cut, dname);
            if let Some(parent) = wildcard_of {
                self.nodes[parent].wildcard = Some(index);
            }
        }
    }

    /// The closest encloser of a name: the longest existing name that is above it or is the name
    /// itself, and whether it is the name itself. `None` if the name is outside the zone.
    fn closest(&self, key: &Key) -> Option<(usize, bool)> {
        let above = key.labels().checked_sub(self.depth)?;
        (0..=above).find_map(|without| Some((self.find(key, without)?, without == 0)))
    }

    /// The number of a name's own node, whatever it means.
    fn exact(&self, key: &Key) -> Option<usize> {
        self.find(key, 0)
    }

    fn find(&self, key: &Key, without: usize) -> Option<usize> {
        let name = |number| self.nodes.get(number).map(|node: &Node| &node.name);
        self.table.find(key, without, name)
    }

    /// The meaning of a name within the zone.
    pub(super) fn look_up(&self, key: &Key) -> Lookup {
        let Some((index, is_exact)) = self.closest(key) else {
            return Lookup::Nothing;
        };
        let node = &self.nodes[index];
        match (node.cut, node.wildcard) {
            (Some(cut), _) => Lookup::Cut {
                cut,
                is_exact: is_exact && cut == index,
            },
            _ if is_exact => Lookup::Node(index),
            // Nothing is below a DNAME record: the closest encloser is its owner.
            _ if node.dname == Some(index) => Lookup::Dname(index),
            (None, Some(wildcard)) => Lookup::Wildcard(wildcard),
            (None, None) => Lookup::Nothing,
        }
    }

    /// The node that has a host's records: its own, or a matching wildcard; one at or below a cut
    /// only `with_glue`.
    pub(super) fn node_of(&self, host: &Name, with_glue: bool) -> Option<&Node> {
        let key = Key::new(host);
        let index = match self.look_up(&key) {
            Lookup::Node(index) | Lookup::Wildcard(index) => index,
            Lookup::Cut { .. } if with_glue => self.exact(&key)?,
            _ => return None,
        };
        self.nodes.get(index)
    }
}

#[cfg(test)]
mod tests;
