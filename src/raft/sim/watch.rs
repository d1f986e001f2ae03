//! Checks a cluster from outside, while it runs.
//!
//! Of the five safety properties (Figure 3), two are visible outside the nodes: *Election Safety*,
//! at most one leader a term, and *State Machine Safety*, no two nodes apply different entries at
//! one index. The deterministic simulation looks into the nodes and checks all five.

use std::collections::BTreeMap;

use crate::raft::{Entry, Index, NodeId, Term};

/// What has been seen so far.
#[derive(Debug, Default)]
pub struct Watch {
    leaders: BTreeMap<Term, NodeId>,
    applied: BTreeMap<Index, (NodeId, Entry)>,
}

impl Watch {
    /// A node says that it leads.
    pub fn leads(&mut self, node: NodeId, term: Term) -> Result<(), String> {
        match *self.leaders.entry(term).or_insert(node) {
            first if first == node => Ok(()),
            first => Err(format!(
                "Election Safety: {first} and {node} lead in term {term}"
            )),
        }
    }

    /// A node has applied an entry.
    pub fn applies(&mut self, node: NodeId, entry: Entry) -> Result<(), String> {
        let index = entry.index;
        match self.applied.get(&index) {
            Some((first, other)) if *other != entry => Err(format!(
                "State Machine Safety: at index {index}, {first} applied {:?} of term {}, {node} \
                 {:?} of term {}",
                other.payload, other.term, entry.payload, entry.term
            )),
            Some(_) => Ok(()),
            None => {
                self.applied.insert(index, (node, entry));
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::Payload;

    #[test]
    fn a_second_leader_of_a_term_breaks_election_safety() {
        let mut watch = Watch::default();
        assert_eq!(watch.leads(1, 1), Ok(()));
        assert_eq!(watch.leads(1, 1), Ok(()));
        assert_eq!(watch.leads(2, 2), Ok(()));
        let broken = watch.leads(3, 1).unwrap_err();
        assert_eq!(broken, "Election Safety: 1 and 3 lead in term 1");
    }

    #[test]
    fn another_entry_at_an_index_breaks_state_machine_safety() {
        let entry = |term| Entry {
            term,
            index: 7,
            payload: Payload::NoOp,
        };
        let mut watch = Watch::default();
        assert_eq!(watch.applies(1, entry(2)), Ok(()));
        assert_eq!(watch.applies(2, entry(2)), Ok(()));
        assert!(watch.applies(3, entry(1)).is_err());
    }
}
