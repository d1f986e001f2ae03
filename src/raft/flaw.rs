//! Bugs on purpose: each leaves out one rule of the core, in tests only.
//!
//! They check the checker: a simulation that does not find a planted bug would not find a real one
//! (`sim/hunt.rs` runs them; `node/tests/flaws.rs` shows each by hand). In any other build
//! [`Node::planted`](super::Node) is always `false`, so the compiler removes them all.
//!
//! To add one: 1. a variant here with the rule that it breaks; 2. `self.planted(Flaw::...)` at the
//! place of the rule; 3. a run by hand.

/// One rule that is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Figure 2, persistent state: the vote is not written.
    VoteNotPersisted,
    /// Figure 2: entries are acknowledged before they are on stable storage.
    AnswerBeforeStable,
    /// §5.2: one vote a term.
    VoteTwice,
    /// §5.4.1: no vote for a log that is behind.
    VoteForStaleLog,
    /// §5.2: a voter counts once.
    CountRepeatedVotes,
    /// §5.2: a vote counts in its own term only.
    CountVotesOfEarlierTerms,
    /// §5.1, §5.3: what was acknowledged in an earlier term may be gone.
    CountAnswersOfEarlierTerms,
    /// §5.4.2, Figure 8: only entries of the current term commit by counting.
    CommitOldTerm,
    /// §5.3: only a real conflict truncates.
    TruncateOnStaleAppend,
    /// §5.3: the commit index stops at what is known to match.
    CommitBeyondMatch,
    /// §5.3: the match index comes from the message that is answered.
    MatchFromNext,
    /// §5.3: entries are appended only after one that matches.
    AppendWithoutMatch,
    /// Dissertation §10.2.1: a leader counts its own log only as far as it is stable.
    CountUnstableSelf,
    /// §8: a read is confirmed by a majority.
    ReadWithoutQuorum,
    /// §8: by a round that began after the read came.
    ReadByEarlierRound,
    /// §8: not before an entry of the leader's own term has committed.
    ReadBeforeNoOp,
    /// §6: many servers change through a joint membership.
    SingleStepChange,
    /// §6: a joint membership needs both majorities.
    JointByNewMajority,
    /// §6: a membership is undone with its entry.
    #[cfg(test)]
    MembershipNotUndone,
    /// §7: a snapshot has the members of its last index, not those that came later.
    SnapshotOfLaterMembers,
    /// §7: a log that does not continue the snapshot goes.
    #[cfg(test)]
    SnapshotKeepsLog,
    /// §7: a snapshot that is behind is ignored.
    InstallStaleSnapshot,
    /// §5.2: a refused vote does not set the election timer back.
    TimerResetByRefusedVote,
}

impl Flaw {
    /// All of them.
    #[cfg(test)]
    pub const ALL: [Flaw; 23] = [
        Flaw::VoteNotPersisted,
        Flaw::AnswerBeforeStable,
        Flaw::VoteTwice,
        Flaw::VoteForStaleLog,
        Flaw::CountRepeatedVotes,
        Flaw::CountVotesOfEarlierTerms,
        Flaw::CountAnswersOfEarlierTerms,
        Flaw::CommitOldTerm,
        Flaw::TruncateOnStaleAppend,
        Flaw::CommitBeyondMatch,
        Flaw::MatchFromNext,
        Flaw::AppendWithoutMatch,
        Flaw::CountUnstableSelf,
        Flaw::ReadWithoutQuorum,
        Flaw::ReadByEarlierRound,
        Flaw::ReadBeforeNoOp,
        Flaw::SingleStepChange,
        Flaw::JointByNewMajority,
        Flaw::MembershipNotUndone,
        Flaw::SnapshotOfLaterMembers,
        Flaw::SnapshotKeepsLog,
        Flaw::InstallStaleSnapshot,
        Flaw::TimerResetByRefusedVote,
    ];
}
