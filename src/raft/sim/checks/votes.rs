//! Votes and terms: what a node has sent binds it for ever, over all crashes (Figure 2).

use std::collections::BTreeMap;

use super::{Checked, Disks, Rule, must};
use crate::raft::storage::Restored;
use crate::raft::{Ballot, Body, Membership, Message, Node, NodeId, Term};

/// The votes of all nodes, and the leaders.
#[derive(Debug, Default)]
pub(super) struct Votes {
    /// By term and voter.
    given: BTreeMap<(Term, NodeId), NodeId>,
    leaders: BTreeMap<Term, NodeId>,
    /// The highest term that a node has let others see.
    revealed: BTreeMap<NodeId, Term>,
}

impl Votes {
    /// A node starts: its disk must know what it has let others see.
    pub(super) fn started(&mut self, id: NodeId, restored: &Restored) -> Checked {
        let hard = restored.hard_state;
        let revealed = self.revealed.get(&id).copied().unwrap_or(0);
        must(hard.term >= revealed, Rule::TermsGrow, || {
            format!(
                "node {id} starts in term {}, and has spoken in {revealed}",
                hard.term
            )
        })?;
        let given = self.given.get(&(hard.term, id));
        must(
            given.is_none_or(|to| hard.vote == Some(*to)),
            Rule::OneVote,
            || {
                format!(
                    "node {id} starts and has forgotten its vote in term {}",
                    hard.term
                )
            },
        )
    }

    /// A message leaves: what it reveals is on the sender's disk.
    pub(super) fn leaves(&mut self, message: &Message, node: &Node, disk: &Restored) -> Checked {
        let Message {
            from,
            to,
            term,
            body,
        } = message;
        let pre = matches!(
            body,
            Body::RequestVote {
                ballot: Ballot::Pre,
                ..
            } | Body::Vote {
                ballot: Ballot::Pre,
                ..
            }
        );
        if pre {
            return Ok(());
        }
        let stable = disk.hard_state;
        must(stable.term >= *term, Rule::StableFirst, || {
            format!(
                "node {from} sends a {} of term {term}, its disk knows {}",
                body.name(),
                stable.term
            )
        })?;
        let revealed = self.revealed.entry(*from).or_default();
        *revealed = (*revealed).max(*term);
        match body {
            Body::Vote { granted: true, .. } => self.votes(*term, *from, *to, disk),
            Body::RequestVote { .. } => self.votes(*term, *from, *from, disk),
            // A message that waited while the term changed is about a log that may be gone.
            Body::Appended { matched, .. } if *term == node.hard_state().term => {
                acknowledged(*from, *matched, node, disk)
            }
            _ => Ok(()),
        }
    }

    fn votes(&mut self, term: Term, voter: NodeId, to: NodeId, disk: &Restored) -> Checked {
        let given = *self.given.entry((term, voter)).or_insert(to);
        must(given == to, Rule::OneVote, || {
            format!("node {voter} votes for {given} and for {to} in term {term}")
        })?;
        let stable = disk.hard_state;
        let known = stable.term > term || stable.vote == Some(to);
        must(known, Rule::StableFirst, || {
            format!(
                "node {voter} votes for {to} in term {term}, its disk knows {:?}",
                stable.vote
            )
        })
    }

    /// A node begins to lead: no other did in this term, and a quorum voted for it.
    pub(super) fn elected(
        &mut self,
        id: NodeId,
        term: Term,
        node: &Node,
        members_before: &Membership,
        disks: Disks<'_>,
    ) -> Checked {
        let leader = *self.leaders.entry(term).or_insert(id);
        must(leader == id, Rule::ElectionSafety, || {
            format!("nodes {leader} and {id} both lead in term {term}")
        })?;
        let own = disks(id)
            .is_some_and(|disk| disk.hard_state.term == term && disk.hard_state.vote == Some(id));
        let for_it = |voter| match voter == id {
            true => own,
            false => self.given.get(&(term, voter)) == Some(&id),
        };
        let elected =
            members_before.has_quorum(for_it) || node.log().membership().has_quorum(for_it);
        must(elected, Rule::ElectionSafety, || {
            let voters: Vec<NodeId> = node
                .log()
                .membership()
                .members()
                .into_iter()
                .filter(|&voter| for_it(voter))
                .collect();
            format!("node {id} leads in term {term} with the votes of {voters:?} only")
        })
    }
}

/// What a follower acknowledges is on its disk.
fn acknowledged(id: NodeId, matched: u64, node: &Node, disk: &Restored) -> Checked {
    // What went into a snapshot in memory was committed: any entry at that index is the right one.
    let stable = match node.log().term_at(matched) {
        _ if matched <= disk.snapshot.meta.last_index => true,
        Some(term) => super::commits::holds(disk, matched, term),
        None => matched < node.log().base() && matched <= disk.last_index(),
    };
    must(stable, Rule::StableFirst, || {
        format!(
            "node {id} acknowledges entry {matched}, its disk ends at {}",
            disk.last_index()
        )
    })
}
