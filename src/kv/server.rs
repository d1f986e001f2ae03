//! The service of [`service`](super::service), on a replica.

use std::time::Duration;

use super::command::{Changes, Compacted, KeyValue, Keys, MAX_COMMAND, Page, Revision};
use super::machine::Machine;
use super::peers::{Book, check_address};
use super::service::{KvService, NodeStatus, Problem};
use crate::net::Deadline;
use crate::raft::replica::Failed;
use crate::raft::sessions::{Request, Sessions};
use crate::raft::{Change, Command, Index, NodeId, Refusal, Replica};
use crate::rpc::{Call, Failure};
use crate::wire;

/// The state machine of every node: the store, with sessions around it.
pub type Replicated = Sessions<Machine>;

/// No call waits longer, whatever its caller says; a watch asks again. (A change of the members may
/// wait longer: there is one at a time, and an added node may have much to catch up with.)
const LONGEST: Duration = Duration::from_secs(30);
/// How long a watch that found nothing waits before it looks again, even if other keys change: so a
/// hundred watches cost the node's thread at most 10,000 looks a second.
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);
/// How long a watch may wait for a change without asking whether its caller is still there.
const PATIENCE: Duration = Duration::from_millis(250);
/// The longest request, in bytes. Each entry must fit into a message to a peer (4 MiB), with the
/// bytes around it: a leader with an entry that it cannot send would be replaced.
const MAX_REQUEST: usize = MAX_COMMAND + 64;
/// The most changes in one answer.
const CHANGES: usize = 1000;

/// One node's service.
pub(super) struct Server {
    pub(super) replica: Replica<Replicated>,
    pub(super) book: Book,
}

/// What a method returns: the outer error is the connection's, the inner one the store's.
type Answer<T> = Result<Result<T, Problem>, Failure>;

impl Server {
    fn problem(&self, failed: Failed) -> Problem {
        match failed {
            Failed::Refused(Refusal::NotLeader(leader)) => {
                let leader = leader.or(self.replica.leader());
                Problem::Elsewhere(leader.and_then(|leader| self.book.address(leader)))
            }
            Failed::Refused(refusal @ Refusal::BadChange) => Problem::Never(refusal.to_string()),
            Failed::Refused(refusal) => Problem::NotDone(refusal.to_string()),
            Failed::Stopped => Problem::Elsewhere(None),
            Failed::Unknown => Problem::Unknown("no answer of the cluster in time".into()),
        }
    }

    /// Asks the state machine, linearizably.
    fn ask<T: Send + 'static>(
        &self,
        call: &Call<'_>,
        question: impl FnOnce(&Machine) -> T + Send + 'static,
    ) -> Answer<T> {
        let question = move |replicated: &Replicated| question(replicated.machine());
        let answer = self.replica.read(question, deadline(call));
        Ok(answer.map_err(|failed| match failed {
            // A read without an answer has not changed anything.
            Failed::Unknown => Problem::NotDone("no answer of the cluster in time".into()),
            failed => self.problem(failed),
        }))
    }

    /// Changes the members; `bad` says what is wrong with a change that makes no sense for them.
    fn change(&self, call: &Call<'_>, change: Change, bad: String) -> Answer<()> {
        let deadline = match call.deadline() {
            Deadline::NEVER => deadline(call),
            until => until,
        };
        let changed = self.replica.change(change, deadline);
        Ok(changed.map_err(|failed| self.problem_of(failed, bad)))
    }

    fn problem_of(&self, failed: Failed, bad: String) -> Problem {
        match failed {
            Failed::Refused(Refusal::BadChange) => Problem::Never(bad),
            failed => self.problem(failed),
        }
    }

    /// The changes that this node knows of.
    fn look(&self, keys: &Keys, from: Revision) -> Result<Result<Changes, Compacted>, Failed> {
        let keys = keys.clone();
        let question =
            move |replicated: &Replicated| replicated.machine().changes(&keys, from, CHANGES);
        self.replica.look(question, Deadline::after(LONGEST))
    }
}

/// Until when a call's caller waits, but not for ever.
fn deadline(call: &Call<'_>) -> Deadline {
    call.deadline().earlier(Deadline::after(LONGEST))
}

impl KvService for Server {
    fn propose(&self, call: &Call<'_>, request: Command) -> Answer<Vec<u8>> {
        if request.bytes().len() > MAX_REQUEST {
            let why = format!("a request is at most {MAX_REQUEST} bytes");
            return Ok(Err(Problem::Never(why)));
        }
        // A request that no replica can decode need not go into the log.
        if let Err(error) = wire::decode::<Request<'_>>(request.bytes()) {
            return Ok(Err(Problem::Never(format!("not a request: {error}"))));
        }
        let answer = self.replica.propose(request, deadline(call));
        Ok(answer.map_err(|failed| self.problem(failed)))
    }

    fn get(&self, call: &Call<'_>, key: Vec<u8>) -> Answer<Option<KeyValue>> {
        self.ask(call, move |machine| machine.get(&key))
    }

    fn list(
        &self,
        call: &Call<'_>,
        prefix: Vec<u8>,
        after: Option<Vec<u8>>,
        limit: u64,
    ) -> Answer<Page> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        self.ask(call, move |machine| {
            machine.list(&prefix, after.as_deref(), limit)
        })
    }

    fn changes(&self, call: &Call<'_>, keys: Keys, from: Revision, wait: u64) -> Answer<Changes> {
        let until = Deadline::after(Duration::from_millis(wait)).earlier(deadline(call));
        let mut from = from;
        loop {
            // Before the look, so that changes applied after the look are not missed.
            let seen = self
                .replica
                .applied_beyond(0, Deadline::after(Duration::ZERO));
            let changes = match self.look(&keys, from) {
                Ok(Ok(changes)) => changes,
                Ok(Err(compacted)) => return Ok(Err(Problem::Compacted(compacted))),
                Err(failed) => return Ok(Err(self.problem(failed))),
            };
            if !changes.changes.is_empty() || until.passed() {
                return Ok(Ok(changes));
            }
            // Changes of other keys are not looked at again, and may be compacted meanwhile.
            from = changes.next;
            // Cut off from the others, it would wait for changes that they made long ago.
            if self.replica.leader().is_none() {
                return Ok(Err(Problem::Elsewhere(None)));
            }
            call.wait(BETWEEN_LOOKS.min(until.remaining().unwrap_or(BETWEEN_LOOKS)))?;
            let slice = Deadline::after(PATIENCE).earlier(until);
            self.replica.applied_beyond(seen, slice);
        }
    }

    fn status(&self, call: &Call<'_>) -> Answer<NodeStatus> {
        let asked = self.replica.status(deadline(call)).and_then(|status| {
            let question = |replicated: &Replicated| {
                let machine = replicated.machine();
                (machine.revision(), machine.bytes() as u64)
            };
            let (revision, bytes) = self.replica.look(question, deadline(call))?;
            Ok((status, revision, bytes))
        });
        let (status, revision, bytes) = match asked {
            Ok(asked) => asked,
            Err(failed) => return Ok(Err(self.problem(failed))),
        };
        let mut membership = status.membership;
        for node in membership.members() {
            if let Some(address) = self.book.address(node) {
                membership.addresses.insert(node, address);
            }
        }
        Ok(Ok(NodeStatus {
            id: status.id,
            role: status.role.to_string(),
            term: status.term,
            leader: status.leader,
            first_index: status.first_index,
            last_index: status.last_index,
            commit: status.commit,
            applied: status.applied,
            revision,
            bytes,
            membership,
        }))
    }

    fn add(&self, call: &Call<'_>, node: NodeId, address: String, learner: bool) -> Answer<()> {
        // No node could call it, and a change that makes it a voter would wait for it for ever.
        if let Err(why) = check_address(&address) {
            return Ok(Err(Problem::Never(why)));
        }
        if node == 0 {
            let why = "node 0: nodes are counted from 1";
            return Ok(Err(Problem::Never(why.to_string())));
        }
        let change = match learner {
            false => Change::Add { node, address },
            true => Change::AddLearner { node, address },
        };
        self.change(call, change, format!("node {node} is a member already"))
    }

    fn remove(&self, call: &Call<'_>, node: NodeId) -> Answer<()> {
        let bad = format!("node {node} is no member, or the only voter");
        self.change(call, Change::Remove { node }, bad)
    }

    fn transfer(&self, call: &Call<'_>, to: NodeId) -> Answer<()> {
        match self.replica.transfer(to, deadline(call)) {
            // It leads already: nothing to hand over.
            Err(Failed::Refused(Refusal::BadChange)) if self.replica.leader() == Some(to) => {
                Ok(Ok(()))
            }
            done => {
                let bad = format!("node {to} is no voter");
                Ok(done.map_err(|failed| self.problem_of(failed, bad)))
            }
        }
    }

    fn snapshot(&self, call: &Call<'_>) -> Answer<Index> {
        let index = self.replica.snapshot(deadline(call));
        Ok(index.map_err(|failed| self.problem(failed)))
    }
}
