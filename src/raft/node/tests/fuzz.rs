//! Random and mutated messages, slow disks, crashes: what must hold in any case.
//!
//! Two runs: a node alone among liars, and a small cluster whose honest messages are delayed,
//! repeated, lost. `GROUNDWIRE_FUZZ` is how many steps are tried (60,000 without it; `make fuzz`
//! sets it to ten million), `GROUNDWIRE_SEED` which ones.

use std::collections::BTreeMap;
use std::time::Duration;

use super::cluster::Cluster;
use super::words::{founding, meta};
use crate::raft::storage::Restored;
use crate::raft::{
    Apply, Ballot, Body, Change, Command, Config, Dice, Entry, Index, Input, Membership, Message,
    NodeId, Payload, Term,
};

fn seed() -> u64 {
    let chosen = std::env::var("GROUNDWIRE_SEED").ok();
    let seed = chosen.map_or(42, |text| text.parse().expect("GROUNDWIRE_SEED: a number"));
    println!("GROUNDWIRE_SEED={seed}");
    seed
}

fn steps() -> u64 {
    let wanted = std::env::var("GROUNDWIRE_FUZZ").ok();
    wanted.map_or(60_000, |text| {
        text.parse().expect("GROUNDWIRE_FUZZ: a number")
    })
}

/// Mostly small, sometimes at an edge.
fn number(dice: &mut Dice) -> u64 {
    let edges = [
        u64::MAX,
        u64::MAX - 1,
        1 << 63,
        1 << 62,
        (1 << 62) - 1,
        1 << 32,
    ];
    match dice.below(40) {
        0 => edges[dice.below(6) as usize],
        _ => dice.below(12),
    }
}

fn membership(dice: &mut Dice) -> Membership {
    let mut some = || (0..dice.below(5)).map(|_| dice.below(6)).collect();
    let (voters, outgoing, learners) = (some(), some(), some());
    Membership {
        voters,
        outgoing,
        learners,
        addresses: BTreeMap::new(),
    }
}

fn random_entries(dice: &mut Dice, previous: Index) -> Vec<Entry> {
    let mut index = previous;
    let mut term = dice.below(4);
    let mut entry = |dice: &mut Dice| {
        index = match dice.below(20) {
            0 => number(dice),
            _ => index.wrapping_add(1),
        };
        term += u64::from(dice.below(5) == 0);
        let payload = match dice.below(8) {
            0 => Payload::NoOp,
            1 => Payload::Membership(membership(dice)),
            _ => Payload::Command(Command::from(&format!("{term}.{index}"))),
        };
        Entry {
            term,
            index,
            payload,
        }
    };
    (0..dice.below(5)).map(|_| entry(dice)).collect()
}

fn body(dice: &mut Dice) -> Body {
    let ballot = [Ballot::Pre, Ballot::Real, Ballot::Transfer][dice.below(3) as usize];
    let (a, b, c, round) = (number(dice), number(dice), number(dice), number(dice));
    match dice.below(16) {
        0 => Body::RequestVote {
            ballot,
            last_index: a,
            last_term: b,
        },
        1 | 2 => Body::Vote {
            ballot,
            granted: a % 4 != 0,
        },
        3..=8 => Body::AppendEntries {
            previous_index: a,
            previous_term: b.min(dice.below(4)),
            entries: random_entries(dice, a),
            commit: c,
            round,
        },
        9 | 10 => Body::Appended { matched: a, round },
        11 => Body::Conflict {
            previous_index: a,
            term: Some(b).filter(|term| term % 2 == 0),
            first_index: c,
            round,
        },
        12 | 13 => Body::InstallSnapshot {
            meta: meta(a, b),
            offset: c % 5,
            data: Command::from("data"),
            done: c % 2 == 0,
            round,
        },
        14 => Body::SnapshotReceived {
            last_index: a,
            offset: b,
            round,
        },
        _ => Body::TimeoutNow,
    }
}

/// A message out of nothing, whose term is near the node's.
fn made_up(dice: &mut Dice, term: Term) -> Message {
    let near = (term + dice.below(3)).saturating_sub(u64::from(dice.below(4) == 0));
    Message {
        from: dice.below(6),
        to: if dice.below(30) == 0 { 2 } else { 1 },
        term: if dice.below(30) == 0 && dice.below(100) == 0 {
            number(dice)
        } else {
            near
        },
        body: body(dice),
    }
}

/// What was seen of a node, to compare with what is seen next.
#[derive(Default)]
struct Seen {
    commit: Index,
    /// The terms of committed entries: they never change.
    committed: BTreeMap<Index, Term>,
    /// The highest index that its disk ever held.
    on_disk: Index,
    applied: Index,
}

impl Seen {
    /// Checks what must hold after any step, whatever was heard.
    fn check(&mut self, cluster: &mut Cluster) {
        let (node, disk) = (cluster.node(1), &cluster.disks[&1]);
        let status = node.status();
        assert!(status.commit >= self.commit, "the commit index went back");
        assert!(status.applied <= status.commit && status.commit <= status.last_index);
        self.commit = status.commit;
        self.on_disk = self.on_disk.max(disk.last_index());
        let mut before = (node.log().base(), node.log().term_at(node.log().base()));
        for entry in node.log().entries() {
            assert!(
                entry.index == before.0 + 1 && Some(entry.term) >= before.1,
                "{entry:?}"
            );
            before = (entry.index, Some(entry.term));
            if entry.index <= status.commit {
                let kept = *self.committed.entry(entry.index).or_insert(entry.term);
                assert_eq!(kept, entry.term, "committed, then changed: {entry:?}");
            }
        }
        assert!(before.1 <= Some(status.term), "a log from the future");
        self.check_applied(cluster);
        assert!(cluster.messages.len() < 1000, "a message brings so many?");
        for message in std::mem::take(&mut cluster.messages) {
            assert!(self.is_stable(&cluster.disks[&1], &message), "{message:?}");
        }
    }

    fn check_applied(&mut self, cluster: &mut Cluster) {
        let disk = &cluster.disks[&1];
        for apply in cluster.applied.remove(&1).unwrap_or_default() {
            match apply {
                Apply::Snapshot(snapshot) => {
                    let index = snapshot.meta.last_index;
                    assert!(disk.last_index() >= index && index >= self.applied);
                    self.applied = index;
                }
                Apply::Entry(entry) => {
                    assert_eq!(entry.index, self.applied + 1, "once, in order");
                    self.applied = entry.index;
                    let is_there = disk.entries.contains(&entry);
                    assert!(is_there || disk.snapshot.meta.last_index >= entry.index);
                }
            }
        }
    }

    /// Whether all that a message reveals is on disk.
    fn is_stable(&self, disk: &Restored, message: &Message) -> bool {
        let hard = disk.hard_state;
        match &message.body {
            Body::RequestVote {
                ballot: Ballot::Pre,
                ..
            } => hard.term + 1 >= message.term,
            Body::Vote {
                ballot: Ballot::Pre,
                ..
            } => true,
            Body::Vote { granted: true, .. } => {
                hard.term > message.term
                    || hard.term == message.term && hard.vote == Some(message.to)
            }
            Body::Appended { matched, .. } => hard.term >= message.term && *matched <= self.on_disk,
            _ => hard.term >= message.term,
        }
    }
}

/// A node that starts with some log; its disk writes when the dice say so.
fn among_liars(dice: &mut Dice) -> (Cluster, Seen) {
    let mut disk = founding(&Membership::of(1..=3));
    let mut terms: Vec<Term> = (0..dice.below(6)).map(|_| dice.below(3) + 1).collect();
    terms.sort_unstable();
    disk.entries = super::words::entries(&terms);
    disk.hard_state.term = 3;
    let config = Config {
        keep_entries: dice.below(3),
        ..Config::default()
    };
    let mut cluster = Cluster::from([(1, disk)], config);
    cluster.slow.insert(1);
    (cluster, Seen::default())
}

#[test]
fn a_node_among_liars_neither_panics_nor_loses_what_is_committed() {
    let mut dice = Dice::new(seed());
    let (mut cluster, mut seen) = among_liars(&mut dice);
    for step in 0..steps() {
        if step % 200 == 0 {
            (cluster, seen) = among_liars(&mut dice);
        }
        match dice.below(20) {
            0..=12 => {
                let message = made_up(&mut dice, cluster.term(1));
                cluster.step(1, Input::Message(message));
            }
            13..=15 if cluster.lags(1) => cluster.write_one(1),
            16 => {
                cluster.time_out(1);
                assert!(cluster.node(1).deadline() > cluster.now, "time must go on");
            }
            17 if dice.below(4) == 0 => {
                cluster.start(1);
                seen = Seen::default();
            }
            18 => cluster.now += Duration::from_millis(dice.below(200)),
            _ => client(&mut cluster, &mut dice, 1, seen.applied),
        }
        seen.check(&mut cluster);
    }
}

/// A request of a client or of the shell.
fn client(cluster: &mut Cluster, dice: &mut Dice, id: NodeId, applied: Index) {
    let node = dice.below(5) + 1;
    let address = String::new();
    match dice.below(12) {
        0..=4 => cluster.propose(id, &dice.below(100).to_string()),
        5 | 6 => cluster.read(id, 1),
        7 => cluster.change(id, Change::Add { node, address }),
        8 => cluster.change(id, Change::Remove { node }),
        9 => {
            let voters = (1..=5).filter(|_| dice.below(2) == 0).collect();
            cluster.change(id, Change::Voters(voters));
        }
        10 => cluster.step(id, Input::Transfer { id: 1, to: node }),
        _ => {
            let data = Command::from(&format!("up to {applied}"));
            cluster.step(
                id,
                Input::Compact {
                    index: applied,
                    data,
                },
            );
        }
    }
}

/// The state machines of a cluster: each state is a number that all commands so far decide.
#[derive(Default)]
struct States {
    /// By index: the state of the first node to get there.
    known: BTreeMap<Index, u64>,
    of: BTreeMap<NodeId, (Index, u64)>,
    leaders: BTreeMap<Term, NodeId>,
    /// What had been applied anywhere when a read came, by its number.
    asked: BTreeMap<u64, Index>,
}

impl States {
    /// Takes in what all nodes applied and read, and checks that they agree (Figure 3).
    fn check(&mut self, cluster: &mut Cluster) {
        for (id, applied) in std::mem::take(&mut cluster.applied) {
            applied.into_iter().for_each(|apply| self.apply(id, apply));
        }
        for (id, read) in cluster.reads.drain(..) {
            let at = self.of.get(&id).map_or(0, |state| state.0);
            assert!(at >= self.asked[&read], "read {read} of node {id} is stale");
        }
        for leader in cluster.leaders() {
            let term = cluster.term(leader);
            let first = *self.leaders.entry(term).or_insert(leader);
            assert_eq!(first, leader, "two leaders of term {term}");
        }
    }

    fn apply(&mut self, id: NodeId, apply: Apply) {
        let (at, state) = self.of.get(&id).copied().unwrap_or_default();
        let next = match apply {
            Apply::Snapshot(snapshot) => {
                let text = String::from_utf8_lossy(snapshot.data.bytes()).into_owned();
                (snapshot.meta.last_index, text.parse().expect("a state"))
            }
            Apply::Entry(entry) => {
                assert_eq!(entry.index, at + 1, "node {id}: once, in order");
                let said = format!("{entry:?}");
                let mix = |sum: u64, byte| sum.wrapping_mul(0x100_0000_01b3) ^ u64::from(byte);
                (entry.index, said.bytes().fold(state, mix))
            }
        };
        assert!(next.0 > at, "node {id} goes back");
        let known = *self.known.entry(next.0).or_insert(next.1);
        assert_eq!(known, next.1, "node {id} at {}", next.0);
        self.of.insert(id, next);
    }

    fn compact(&self, cluster: &mut Cluster, id: NodeId) {
        if let Some((index, state)) = self.of.get(&id).copied() {
            let data = Command::from(&state.to_string());
            cluster.step(id, Input::Compact { index, data });
        }
    }
}

/// One random step of a cluster: honest nodes, a bad network, disks that lag, crashes.
fn trouble(cluster: &mut Cluster, states: &mut States, dice: &mut Dice, step: u64) {
    // Half of what happens happens to a leader, if there is one.
    let anyone = dice.below(5) + 1;
    let leader = cluster.leaders().pop().filter(|_| dice.below(2) == 0);
    let id = leader.unwrap_or(anyone);
    let runs = cluster.nodes.contains_key(&id);
    match dice.below(200) {
        0..=129 if !cluster.messages.is_empty() => {
            let at = dice.below(cluster.messages.len().min(12) as u64) as usize;
            let message = cluster.messages.remove(at).expect("a message");
            if dice.below(20) == 0 {
                cluster.messages.push_back(message.clone());
            }
            if dice.below(20) > 0 {
                cluster.deliver(message);
            }
        }
        130..=149 if cluster.lags(id) => cluster.write_one(id),
        150..=169 => {
            cluster.now += Duration::from_millis(dice.below(20));
            let due = |node: &crate::raft::Node| node.deadline() <= cluster.now;
            if cluster.nodes.get(&id).is_some_and(due) {
                cluster.step(id, Input::Tick);
            }
        }
        170 if dice.below(3) == 0 => cluster.crash(id),
        171 | 172 if !runs => {
            states.of.remove(&id);
            cluster.start(id);
        }
        173 if dice.below(2) == 0 => cluster.isolated = [id].into(),
        174 | 175 => cluster.isolated.clear(),
        176 if cluster.slow.contains(&id) => cluster.catch_up(id),
        176 => drop(cluster.slow.insert(id)),
        177 | 178 if runs => states.compact(cluster, id),
        179 | 180 if runs => {
            states
                .asked
                .insert(step, states.known.keys().last().copied().unwrap_or(0));
            cluster.read(id, step);
        }
        181 if runs => {
            let node = dice.below(5) + 1;
            let voters = (1..=5).filter(|_| dice.below(3) > 0).collect();
            let change = match dice.below(3) {
                0 => Change::Add {
                    node,
                    address: String::new(),
                },
                1 => Change::Remove { node },
                _ => Change::Voters(voters),
            };
            cluster.change(id, change);
        }
        182 if runs => cluster.step(
            id,
            Input::Transfer {
                id: 1,
                to: dice.below(5) + 1,
            },
        ),
        183.. if runs => cluster.propose(id, &step.to_string()),
        _ => {}
    }
}

/// All faults end: within three seconds there is a leader, and a command is committed.
fn heal(cluster: &mut Cluster, states: &mut States) {
    cluster.isolated.clear();
    for id in 1..=5 {
        if !cluster.nodes.contains_key(&id) {
            states.of.remove(&id);
            cluster.start(id);
        }
        cluster.catch_up(id);
    }
    cluster.pass(Duration::from_secs(3));
    states.check(cluster);
    let leader = cluster
        .leaders()
        .into_iter()
        .max_by_key(|&id| cluster.term(id));
    let leader = leader.expect("a leader after all faults");
    let before = cluster.commit(leader);
    cluster.propose(leader, "healed");
    cluster.pass(Duration::from_secs(1));
    states.check(cluster);
    assert!(cluster.commit(leader) > before, "nothing is committed");
}

#[test]
fn a_cluster_in_trouble_agrees_and_goes_on_when_it_ends() {
    const RUN: u64 = 2000;
    let mut dice = Dice::new(seed());
    for run in 0..steps().div_ceil(RUN) {
        let config = Config {
            keep_entries: dice.below(3),
            snapshot_part: 1 + dice.below(30) as usize,
            max_batch: 1 + dice.below(100) as usize,
            max_in_flight: 1 + dice.below(4) as usize,
            ..Config::default()
        };
        let start = founding(&Membership::of(1..=3));
        let disk = |id| {
            (
                id,
                if id <= 3 {
                    start.clone()
                } else {
                    Restored::default()
                },
            )
        };
        let mut cluster = Cluster::from((1..=5).map(disk), config);
        let mut states = States::default();
        for step in 0..RUN {
            trouble(&mut cluster, &mut states, &mut dice, step);
            states.check(&mut cluster);
        }
        println!("run {run}: {:?} entries", states.known.keys().last());
        heal(&mut cluster, &mut states);
    }
}
