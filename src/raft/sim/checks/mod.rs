//! What must always hold, checked after each step of each node (Figure 3 and what it rests on).
//!
//! Checks see all nodes at once, and their disks: more than any node knows. Each is made
//! so that a step which changes nothing costs almost nothing.
//!
//! | rule | how it is checked | file |
//! |---|---|---|
//! | Election Safety | one node leads in a term; it has the votes of a quorum of its members | `votes` |
//! | one vote a term | the votes that left a node, over all its lives | `votes` |
//! | nothing revealed that is not stable | each message against the sender's disk | `votes` |
//! | Leader Append-Only | a leader's log against its log before | `logs` |
//! | Log Matching | index and term name one entry, and one entry before it, in all logs ever | `logs` |
//! | what was acknowledged stays | a follower's log in the term of its acknowledgement | `logs` |
//! | Leader Completeness | a new leader's log against what was committed in earlier terms | `commits` |
//! | State Machine Safety | one entry is committed, and applied, at an index; once, in order | `commits` |
//! | a commit has a quorum | the disks of a leader's members when its commit index rises | `commits` |
//! | Figure 8 | a leader's commit index rises to an entry of its own term | `commits` |
//! | adjacent memberships overlap | each quorum of one has a node in each quorum of the next | `members` |
//! | a membership goes with its entry | the members in effect against the log | `members` |
//! | a snapshot has the members of its index | its members against what was committed | `commits` |
//! | snapshots agree | the bytes of the machine at an index | `commits` |
//! | reads are linearizable | a read sees what was committed when it came | `commits` |

mod commits;
mod logs;
mod members;
pub(super) mod timer;
mod votes;

use std::collections::BTreeMap;
use std::fmt;

use crate::raft::storage::Restored;
use crate::raft::{Index, Membership, Message, Node, NodeId, RoleName, Term};

use commits::Commits;
use logs::{Logs, Shadow};
use votes::Votes;

/// Which rule does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// At most one leader in a term (§5.2).
    ElectionSafety,
    /// A node gives one vote in a term (§5.2).
    OneVote,
    /// Term and vote never go back (Figure 2).
    TermsGrow,
    /// A message reveals stable state only (Figure 2).
    StableFirst,
    /// A refused vote leaves the election timer alone (§5.2).
    ElectionTimer,
    /// A leader only appends (§5.3).
    LeaderAppendOnly,
    /// Index and term name one entry, and all before it (§5.3).
    LogMatching,
    /// What a follower acknowledged stays while the term lasts.
    Acknowledged,
    /// A leader has all that was committed in earlier terms (§5.4).
    LeaderCompleteness,
    /// One entry is committed at an index, and applied once, in order (§5.4.3).
    StateMachineSafety,
    /// A leader commits what a quorum has on its disks.
    CommitQuorum,
    /// A leader commits by counting entries of its own term only (§5.4.2, Figure 8).
    CommitOwnTerm,
    /// Quorums of adjacent memberships overlap (§6).
    Membership,
    /// The machine's bytes at an index are the same everywhere (§7).
    Snapshot,
    /// A read sees what was committed before it began (§8).
    Read,
    /// Clients saw what one machine alone could have answered.
    Linearizable,
    /// After all faults are over, a leader is elected and a write reaches all members.
    Progress,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rule::ElectionSafety => "election safety",
            Rule::OneVote => "one vote a term",
            Rule::TermsGrow => "terms grow",
            Rule::StableFirst => "stable before revealed",
            Rule::ElectionTimer => "election timer",
            Rule::LeaderAppendOnly => "leader append-only",
            Rule::LogMatching => "log matching",
            Rule::Acknowledged => "acknowledged entries stay",
            Rule::LeaderCompleteness => "leader completeness",
            Rule::StateMachineSafety => "state machine safety",
            Rule::CommitQuorum => "a commit stands on a quorum",
            Rule::CommitOwnTerm => "commit of the own term",
            Rule::Membership => "memberships overlap",
            Rule::Snapshot => "snapshots agree",
            Rule::Read => "linearizable read",
            Rule::Linearizable => "linearizable history",
            Rule::Progress => "progress",
        })
    }
}

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub rule: Rule,
    /// How.
    pub how: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.how)
    }
}

impl std::error::Error for Broken {}

/// `Err` if a rule is broken.
pub(super) type Checked = Result<(), Broken>;

/// `Err` with `how`, unless `holds`.
fn must(holds: bool, rule: Rule, how: impl FnOnce() -> String) -> Checked {
    match holds {
        true => Ok(()),
        false => Err(Broken { rule, how: how() }),
    }
}

/// The disks of all nodes.
pub(super) type Disks<'a> = &'a dyn Fn(NodeId) -> Option<&'a Restored>;

/// What was seen of one node.
#[derive(Clone, Debug, Default)]
struct Seat {
    /// What it was after its last step; `None` while it is down.
    role: Option<RoleName>,
    term: Term,
    commit: Index,
    log: Shadow,
    /// The members in effect and the index of their entry.
    members: (Index, Membership),
}

/// What has been seen of a run.
#[derive(Debug, Default)]
pub(super) struct Checks {
    seats: BTreeMap<NodeId, Seat>,
    votes: Votes,
    logs: Logs,
    pub(super) commits: Commits,
}

impl Checks {
    /// A node starts, at first or again, with what its disk holds.
    pub(super) fn started(&mut self, node: &Node, restored: &Restored) -> Checked {
        let status = node.status();
        self.votes.started(status.id, restored)?;
        let seat = self.seats.entry(status.id).or_default();
        *seat = Seat {
            role: Some(status.role),
            term: status.term,
            commit: status.commit,
            members: (node.log().membership_index(), status.membership),
            log: Shadow::default(),
        };
        self.logs.whole(status.id, &mut seat.log, node.log())
    }

    /// A node is gone.
    pub(super) fn crashed(&mut self, id: NodeId) {
        if let Some(seat) = self.seats.get_mut(&id) {
            seat.role = None;
        }
    }

    /// The message leaves its sender.
    pub(super) fn leaves(&mut self, message: &Message, node: &Node, disk: &Restored) -> Checked {
        self.votes.leaves(message, node, disk)?;
        if let Some(seat) = self.seats.get_mut(&message.from) {
            seat.log.acknowledges(message);
        }
        Ok(())
    }

    /// A node has taken a step.
    pub(super) fn stepped(&mut self, id: NodeId, node: &Node, disks: Disks<'_>) -> Checked {
        let Some(mut seat) = self.seats.remove(&id) else {
            return Ok(());
        };
        let checked = self.look(id, &mut seat, node, disks);
        self.seats.insert(id, seat);
        checked
    }

    fn look(&mut self, id: NodeId, seat: &mut Seat, node: &Node, disks: Disks<'_>) -> Checked {
        let (role, term, commit) = (node.role(), node.hard_state().term, node.commit());
        must(term >= seat.term, Rule::TermsGrow, || {
            format!("node {id} went from term {} back to {term}", seat.term)
        })?;
        let leads = role == RoleName::Leader;
        let led = seat.role == Some(RoleName::Leader) && seat.term == term;
        let log = node.log();
        self.logs
            .changed(id, &mut seat.log, log, (leads && led, term, seat.commit))?;
        let may_differ = seat.members.0 != log.membership_index() || seat.log.rewritten;
        if may_differ {
            members::in_effect(id, log)?;
        }
        if leads && !led {
            self.votes.elected(id, term, node, &seat.members.1, disks)?;
            self.commits.complete(id, term, log)?;
        }
        if commit != seat.commit {
            let before = (seat.commit, &seat.members);
            self.commits.risen(id, node, before, disks)?;
        }
        if may_differ {
            seat.members = (log.membership_index(), log.membership().clone());
        }
        seat.log.rewritten = false;
        (seat.role, seat.term, seat.commit) = (Some(role), term, commit);
        Ok(())
    }
}
