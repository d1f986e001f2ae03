//! Logs: index and term name one entry for all time, and leaders only append (Figure 3).

use std::collections::BTreeMap;

use super::{Checked, Rule, must};
use crate::raft::Log;
use crate::raft::{Body, Entry, Index, Message, NodeId, Term};

/// Every entry that any log ever held, by its index and term, with the term before it. If two logs
/// share an entry, then by induction all before it: that is Log Matching.
#[derive(Debug, Default)]
pub(super) struct Logs {
    seen: BTreeMap<Index, Vec<(Entry, Term)>>,
}

/// A node's log as it was after the node's last step, by its terms.
#[derive(Clone, Debug, Default)]
pub(super) struct Shadow {
    base: (Index, Term),
    terms: Vec<Term>,
    /// The last index that it acknowledged, and in which term.
    acknowledged: (Term, Index),
    /// Whether the last step did more than append.
    pub(super) rewritten: bool,
}

impl Shadow {
    fn last_index(&self) -> Index {
        self.base.0 + self.terms.len() as Index
    }

    fn term_at(&self, index: Index) -> Option<Term> {
        if index == self.base.0 {
            return Some(self.base.1);
        }
        let place = index.checked_sub(self.base.0 + 1)?;
        self.terms.get(place as usize).copied()
    }

    fn is_like(&self, log: &Log) -> bool {
        let last = self.last_index();
        let same_end = log.last_index() == last && Some(log.last_term()) == self.term_at(last);
        same_end && self.base.0 == log.base()
    }

    /// Remembers what a message acknowledges.
    pub(super) fn acknowledges(&mut self, message: &Message) {
        if let Body::Appended { matched, .. } = message.body {
            let (term, index) = self.acknowledged;
            if message.term > term || matched > index {
                self.acknowledged = (message.term, matched);
            }
        }
    }
}

impl Logs {
    /// A log that was not seen before, or not for a while: each entry of it.
    pub(super) fn whole(&mut self, id: NodeId, shadow: &mut Shadow, log: &Log) -> Checked {
        let base_term = log.term_at(log.base()).unwrap_or(0);
        shadow.base = (log.base(), base_term);
        shadow.terms.clear();
        shadow.rewritten = true;
        self.extend(id, shadow, log)
    }

    /// What a step did to a log. `leads`: the node led in this `term` before and after the step.
    pub(super) fn changed(
        &mut self,
        id: NodeId,
        shadow: &mut Shadow,
        log: &Log,
        (leads, term, committed): (bool, Term, Index),
    ) -> Checked {
        if shadow.is_like(log) {
            return Ok(());
        }
        let same = common(shadow, log);
        if same < shadow.last_index() {
            let first = same + 1;
            must(!leads, Rule::LeaderAppendOnly, || {
                format!("node {id}, leader of term {term}, dropped its entries from {first} on")
            })?;
            must(same >= committed, Rule::StateMachineSafety, || {
                format!("node {id} dropped entries from {first} on, and had committed {committed}")
            })?;
            let (of, until) = shadow.acknowledged;
            must(of != term || same >= until, Rule::Acknowledged, || {
                format!(
                    "node {id} dropped entries from {first} on, and in this term {of} had acknowledged {until}"
                )
            })?;
        }
        if log.base() != shadow.base.0 || same < shadow.last_index() {
            shadow.rewritten = true;
        }
        if log.base() != shadow.base.0 {
            return self.whole(id, shadow, log);
        }
        shadow.terms.truncate((same - shadow.base.0) as usize);
        self.extend(id, shadow, log)
    }

    /// Adds the entries after the shadow's end.
    fn extend(&mut self, id: NodeId, shadow: &mut Shadow, log: &Log) -> Checked {
        for index in shadow.last_index() + 1..=log.last_index() {
            let entry = log.entry(index);
            must(entry.is_some(), Rule::LogMatching, || {
                format!("node {id} has no entry {index}, but later ones")
            })?;
            let before = shadow.term_at(index - 1).unwrap_or(0);
            if let Some(entry) = entry {
                self.see(id, entry, before)?;
                shadow.terms.push(entry.term);
            }
        }
        Ok(())
    }

    fn see(&mut self, id: NodeId, entry: &Entry, before: Term) -> Checked {
        let (index, term) = (entry.index, entry.term);
        must(term >= before, Rule::LogMatching, || {
            format!("node {id} has entry {index} of term {term} behind one of term {before}")
        })?;
        let seen = self.seen.entry(index).or_default();
        let Some((first, before_first)) = seen.iter().find(|(seen, _)| seen.term == term) else {
            seen.push((entry.clone(), before));
            return Ok(());
        };
        must(first == entry, Rule::LogMatching, || {
            format!("node {id} has another entry {index} of term {term}: {entry:?}, not {first:?}")
        })?;
        must(*before_first == before, Rule::LogMatching, || {
            format!(
                "node {id} has entry {index} of term {term} behind one of term {before}, \
                 another log behind one of term {before_first}"
            )
        })
    }
}

/// The last index up to which the log is unchanged, or went into a snapshot.
fn common(shadow: &Shadow, log: &Log) -> Index {
    let mut same = shadow.last_index().min(log.last_index());
    // What is below the log's base went into a snapshot, which has its own check.
    while same > shadow.base.0 && same > log.base() && shadow.term_at(same) != log.term_at(same) {
        same -= 1;
    }
    // A log that begins after the old one's end kept none of it, and lost none.
    if log.base() >= shadow.last_index() {
        return shadow.last_index();
    }
    same
}
