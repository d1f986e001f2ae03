//! The requests that wait, and for what: proposals and changes for their entry, reads for their
//! turn, a hand-over for its outcome.
//!
//! For a request in the log, index and term decide. When the entry at its index is applied with its
//! term, the request is done; with another term, it was replaced and is lost for ever. When
//! leadership is lost, the outcome is not known yet. The caller is told so at once: it can try
//! again with the next leader instead of waiting until this node learns the outcome.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::Failed;
use super::ticket::Ticket;
use crate::raft::{Index, NodeId, Refusal, RoleName, Term};

/// A question to the state machine, with the ticket for the answer.
pub(super) struct Question<M>(Box<Put<M>>);

type Put<M> = dyn FnOnce(Result<&M, Failed>) + Send;

impl<M> Question<M> {
    pub(super) fn new<R: Send + 'static>(
        question: impl FnOnce(&M) -> R + Send + 'static,
        ticket: Ticket<R>,
    ) -> Self {
        Self(Box::new(move |machine| {
            ticket.answer(machine.map(question));
        }))
    }

    pub(super) fn put_to(self, machine: &M) {
        (self.0)(Ok(machine));
    }
}

/// A request given to the core, until it is accepted or refused, or the read may be answered.
pub(super) enum Asked<M> {
    Propose(Ticket<Vec<u8>>),
    Change(Ticket<()>),
    Read(Question<M>),
}

/// A request in the log.
pub(super) enum Standing {
    Command(Ticket<Vec<u8>>),
    Change(Ticket<()>),
}

/// A hand-over in progress.
struct Transfer {
    id: u64,
    to: NodeId,
    given_up: Duration,
    ticket: Ticket<()>,
}

/// All requests that wait.
pub(super) struct Waiting<M> {
    next_id: u64,
    asked: BTreeMap<u64, Asked<M>>,
    /// In order of index.
    standing: VecDeque<(Index, Term, Standing)>,
    transfer: Option<Transfer>,
}

impl<M> Waiting<M> {
    pub(super) fn new() -> Self {
        Self {
            next_id: 1,
            asked: BTreeMap::new(),
            standing: VecDeque::new(),
            transfer: None,
        }
    }

    fn next_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    /// Enters a request; returns the id under which the core knows it.
    pub(super) fn ask(&mut self, asked: Asked<M>) -> u64 {
        let id = self.next_id();
        self.asked.insert(id, asked);
        id
    }

    /// Enters a hand-over that is given up at a time. An earlier one ends without an answer.
    pub(super) fn transfer(&mut self, to: NodeId, given_up: Duration, ticket: Ticket<()>) -> u64 {
        let id = self.next_id();
        self.transfer = Some(Transfer {
            id,
            to,
            given_up,
            ticket,
        });
        id
    }

    /// The request is in the log. True if it is a command.
    pub(super) fn accepted(&mut self, id: u64, index: Index, term: Term) -> bool {
        let standing = match self.asked.remove(&id) {
            Some(Asked::Propose(ticket)) => Standing::Command(ticket),
            Some(Asked::Change(ticket)) => Standing::Change(ticket),
            Some(Asked::Read(_)) | None => return false,
        };
        let is_command = matches!(standing, Standing::Command(_));
        self.standing.push_back((index, term, standing));
        is_command
    }

    /// The request was not begun.
    pub(super) fn refused(&mut self, id: u64, refusal: Refusal) {
        let failed = Failed::Refused(refusal);
        match self.asked.remove(&id) {
            Some(Asked::Propose(ticket)) => ticket.answer(Err(failed)),
            Some(Asked::Change(ticket)) => ticket.answer(Err(failed)),
            Some(Asked::Read(question)) => (question.0)(Err(failed)),
            None => {
                let transfer = self.transfer.take_if(|transfer| transfer.id == id);
                if let Some(transfer) = transfer {
                    transfer.ticket.answer(Err(failed));
                }
            }
        }
    }

    /// The change was begun, and this node will not learn its outcome.
    pub(super) fn unknown(&mut self, id: u64) {
        self.asked.remove(&id); // the dropped ticket answers
    }

    /// The read may be answered now.
    pub(super) fn read(&mut self, id: u64, machine: &M) {
        if let Some(Asked::Read(question)) = self.asked.remove(&id) {
            question.put_to(machine);
        }
    }

    /// The entry at this index is applied. Returns its request, if it was made here.
    pub(super) fn applied(&mut self, index: Index, term: Term) -> Option<Standing> {
        self.skipped(index.saturating_sub(1));
        self.standing.front().filter(|(at, ..)| *at == index)?;
        let (_, asked_in, standing) = self.standing.pop_front()?;
        if asked_in == term {
            return Some(standing);
        }
        let lost = Failed::Refused(Refusal::NotLeader(None));
        match standing {
            Standing::Command(ticket) => ticket.answer(Err(lost)),
            Standing::Change(ticket) => ticket.answer(Err(lost)),
        }
        None
    }

    /// A snapshot replaced all entries up to this index: which entries they were is not known.
    pub(super) fn skipped(&mut self, index: Index) {
        while self.standing.front().is_some_and(|(at, ..)| *at <= index) {
            self.standing.pop_front(); // the dropped ticket answers
        }
    }

    /// Leadership is lost. The core itself answers requests that are not in the log.
    pub(super) fn deposed(&mut self) {
        self.standing.clear(); // dropped tickets answer that the outcome is not known
    }

    /// Answers the hand-over if it has ended.
    pub(super) fn look_at_transfer(
        &mut self,
        role: RoleName,
        leader: Option<NodeId>,
        now: Duration,
    ) {
        let leads = role == RoleName::Leader;
        let over = |transfer: &mut Transfer| now >= transfer.given_up || !leads && leader.is_some();
        if let Some(transfer) = self.transfer.take_if(over) {
            let arrived = !leads && leader == Some(transfer.to);
            let answer = if arrived {
                Ok(())
            } else {
                Err(Failed::Unknown)
            };
            transfer.ticket.answer(answer);
        }
    }
}
