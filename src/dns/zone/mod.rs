//! Zones: the part of the names that one server speaks for, from text to a structure for looking up.
//!
//! A zone is a tree of nodes, one for each name that has records or has such names below it:
//!
//! ```text
//!   example.            SOA NS          the apex
//!   ├─ www              A
//!   ├─ b                                an empty non-terminal: no records, and yet it exists
//!   │  └─ a             TXT
//!   ├─ *                TXT             a wildcard: speaks for names that do not exist
//!   ├─ old              DNAME           names below are renamed
//!   └─ sub              NS              a cut: from here on others speak (a delegation)
//!      └─ ns            A               glue: served with the delegation only
//! ```
//!
//! What a name means is one of five things, `Lookup`; RFC 1034 §4.3.2 step 3 and RFC 4592 §3.3
//! read like that once the tree is connected: each node knows the cut that it is at or below, and
//! its wildcard. A zone does not change once it is made; a new version is a new zone.
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
    /// The apex first, and each node behind its parent.
    pub(super) nodes: Vec<Node>,
    table: Table,
    /// How many labels the apex has.
    depth: usize,
}

/// A name of a zone and its record sets: none at an empty non-terminal.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: Name,
    pub(super) sets: Vec<RecordSet>,
    parent: Option<usize>,
    /// The delegation that this node is at or below.
    pub(super) cut: Option<usize>,
    /// The node with a DNAME record that this one is or is below.
    dname: Option<usize>,
    /// The node `*` right below.
    wildcard: Option<usize>,
}

/// The records of one name and type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSet {
    /// Their type.
    pub kind: RecordType,
    /// Their TTL in seconds.
    pub ttl: u32,
    /// Their data: at least one, each once, in the order of the file.
    pub data: Vec<Data>,
}

/// What a name means in a zone. The numbers are those of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lookup {
    /// It exists, and this zone speaks for it.
    Node(usize),
    /// It is delegated at `cut`; `is_exact` when it is the cut itself.
    Cut { cut: usize, is_exact: bool },
    /// It does not exist, and is below a name with a DNAME record.
    Dname(usize),
    /// It does not exist, and a wildcard speaks for it.
    Wildcard(usize),
    /// It does not exist.
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
        // The apex is made with the zone.
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

    /// Whether another zone has the same records with the same TTLs, those of a set in one order.
    pub fn has_records_of(&self, other: &Zone) -> bool {
        let set_of = |name: &Name, kind| {
            let (index, is_exact) = self.closest(&Key::new(name))?;
            self.nodes.get(index).filter(|_| is_exact)?.set(kind)
        };
        self.record_count() == other.record_count()
            && other
                .sets()
                .all(|(name, set)| set_of(name, set.kind) == Some(set))
    }

    /// All names and their record sets, the apex first; a name without records is not among them.
    pub fn sets(&self) -> impl Iterator<Item = (&Name, &RecordSet)> {
        let nodes = self.nodes.iter();
        nodes.flat_map(|node| node.sets.iter().map(|set| (&node.name, set)))
    }

    /// The number of a name's node; makes it, and those above, when it is new.
    fn grow(&mut self, name: &Name) -> usize {
        let key = Key::new(name);
        let (closest, _) = self.closest(&key).unwrap_or_default();
        let known = self.nodes[closest].name.label_count();
        let mut parent = closest;
        for without in (0..key.labels() - known).rev() {
            let labels = name.labels().skip(without);
            // A name's suffix keeps its limits.
            let Ok(name) = Name::from_labels(labels) else {
                break;
            };
            self.nodes.push(Node::new(name, Some(parent)));
            parent = self.nodes.len() - 1;
            self.table.add(&key, without, parent);
        }
        parent
    }

    /// Tells each node what is above and below it. A parent stands before its children, so that
    /// one pass hands everything down.
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

    /// The closest encloser of a name: the longest name above it, or itself, that exists, and
    /// whether it is the name itself. `None` when the name is outside of the zone.
    fn closest(&self, key: &Key) -> Option<(usize, bool)> {
        let above = key.labels().checked_sub(self.depth)?;
        (0..=above).find_map(|without| {
            let name = |number| self.nodes.get(number).map(|node: &Node| &node.name);
            let found = self.table.find(key, without, name)?;
            Some((found, without == 0))
        })
    }

    /// What a name within the zone means.
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

    /// The node from which a host's records are taken: its own, or a wildcard that speaks for it; one
    /// at or below a cut only `with_glue`.
    pub(super) fn node_of(&self, host: &Name, with_glue: bool) -> Option<&Node> {
        let key = Key::new(host);
        let index = match self.look_up(&key) {
            Lookup::Node(index) | Lookup::Wildcard(index) => index,
            Lookup::Cut { .. } if with_glue => self.closest(&key).filter(|found| found.1)?.0,
            _ => return None,
        };
        self.nodes.get(index)
    }
}

#[cfg(test)]
mod tests;
