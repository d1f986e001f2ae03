//! Replicas whose transport is a call: three threads, disks in memory, no socket.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::raft::registers::{Ask, Registers, Say};
use crate::raft::storage::SharedStorage;
use crate::raft::{Body, Membership, RoleName, SnapshotMeta};
use crate::wire;

/// No passing test waits this long.
const PATIENCE: Duration = Duration::from_secs(30);

fn soon() -> Deadline {
    Deadline::after(PATIENCE)
}

/// The nodes that messages reach. One that is taken out is cut off.
type Net = Arc<Mutex<BTreeMap<NodeId, Replica<Registers>>>>;

struct Calls(NodeId, Net);

impl Transport for Calls {
    fn send(&mut self, messages: Vec<Message>) {
        let net = self.1.lock().unwrap();
        if !net.contains_key(&self.0) {
            return;
        }
        for message in messages {
            if let Some(to) = net.get(&message.to) {
                // Not `deliver`: it may wait for a node that waits for this one.
                let _ = to.inbox.try_send(Letter::Messages(vec![message]));
            }
        }
    }
}

struct Cluster {
    net: Net,
    nodes: BTreeMap<NodeId, Replica<Registers>>,
    disks: BTreeMap<NodeId, SharedStorage>,
    config: ReplicaConfig,
}

fn founding(nodes: u64) -> Restored {
    let mut restored = Restored::default();
    restored.snapshot.meta.membership = Membership::of(1..=nodes);
    restored
}

impl Cluster {
    fn new(nodes: u64, mut config: ReplicaConfig) -> Self {
        if nodes > 1 {
            // Leaders are to stay while a busy machine does not run them.
            config.raft.election_timeout_min = Duration::from_secs(1);
            config.raft.election_timeout_max = Duration::from_secs(2);
        }
        let mut cluster = Self {
            net: Net::default(),
            nodes: BTreeMap::new(),
            disks: BTreeMap::new(),
            config,
        };
        for id in 1..=nodes {
            cluster
                .disks
                .insert(id, SharedStorage::new(founding(nodes)));
            cluster.start(id);
        }
        cluster
    }

    fn start(&mut self, id: NodeId) {
        let disk = self.disks.entry(id).or_default().clone();
        let restored = disk.load();
        let calls = Calls(id, self.net.clone());
        let started = Replica::start(
            id,
            self.config.clone(),
            (disk, restored),
            Registers::default(),
            calls,
        );
        let replica = started.unwrap();
        self.nodes.insert(id, replica.clone());
        self.net.lock().unwrap().insert(id, replica);
    }

    /// Takes a node off the network; it keeps running.
    fn cut_off(&self, id: NodeId) {
        self.net.lock().unwrap().remove(&id);
    }

    fn stop(&mut self, id: NodeId) {
        self.cut_off(id);
        self.nodes.remove(&id).unwrap().stop();
    }

    /// Proposes wherever a leader is, again until one takes it and answers.
    fn ask(&self, ask: &Ask) -> Say {
        let command = Command::from(wire::encode(&ask).unwrap());
        let deadline = soon();
        while !deadline.passed() {
            for replica in self.nodes.values() {
                let answer = replica.propose(command.clone(), soon());
                if let Ok(reply) = answer {
                    return wire::decode(&reply).unwrap();
                }
            }
            self.wait_for_leader();
        }
        panic!("no answer");
    }

    fn put(&self, key: &str, value: &str) {
        let (key, value) = (key.into(), value.into());
        assert_eq!(self.ask(&Ask::Put { key, value }), Say::Done);
    }

    /// A leader that a majority of the nodes here knows.
    fn wait_for_leader(&self) -> NodeId {
        let deadline = soon();
        while !deadline.passed() {
            let known = self.nodes.values().filter_map(Replica::leader);
            let mut votes = BTreeMap::new();
            known.for_each(|leader| *votes.entry(leader).or_insert(0) += 1);
            let agreed = votes
                .iter()
                .find(|(_, votes)| **votes * 2 > self.nodes.len());
            match agreed {
                Some((leader, _)) if self.nodes.contains_key(leader) => return *leader,
                _ => {}
            }
            // A new leader's first entry ends the wait.
            let (node, now) = (self.nodes.values().next().unwrap(), Duration::ZERO);
            let applied = node.applied_beyond(0, Deadline::after(now));
            node.applied_beyond(applied, Deadline::after(Duration::from_millis(50)));
        }
        panic!("no leader");
    }

    fn leader(&self) -> &Replica<Registers> {
        &self.nodes[&self.wait_for_leader()]
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.net.lock().unwrap().clear();
        self.nodes.values().for_each(Replica::stop);
    }
}

fn get(key: &'static str) -> impl Fn(&Registers) -> Option<String> + Send + Clone {
    move |registers| registers.get(key).map(str::to_string)
}

#[test]
fn a_proposal_is_answered_and_every_node_applies_it() {
    let cluster = Cluster::new(3, ReplicaConfig::default());
    cluster.put("k", "v");
    let read = cluster.leader().read(get("k"), soon());
    assert_eq!(read, Ok(Some("v".into())));
    for replica in cluster.nodes.values() {
        let mut applied = 0;
        while replica.look(get("k"), soon()).unwrap().is_none() {
            applied = replica.applied_beyond(applied, soon());
        }
    }
}

#[test]
fn one_node_alone_is_a_cluster() {
    let cluster = Cluster::new(1, ReplicaConfig::default());
    cluster.put("k", "v");
    let read = cluster.leader().read(get("k"), soon());
    assert_eq!(read, Ok(Some("v".into())));
}

#[test]
fn a_follower_refuses_and_names_the_leader() {
    let cluster = Cluster::new(3, ReplicaConfig::default());
    let leader = cluster.wait_for_leader();
    let follower = cluster
        .nodes
        .iter()
        .find(|(id, _)| **id != leader)
        .unwrap()
        .1;
    let deadline = soon();
    while follower.leader() != Some(leader) {
        assert!(!deadline.passed());
        follower.applied_beyond(0, soon());
    }
    let refused = Err(Failed::Refused(Refusal::NotLeader(Some(leader))));
    assert_eq!(follower.propose(Command::from("x"), soon()), refused);
    assert_eq!(follower.read(get("k"), soon()).map(drop), refused.map(drop));
}

#[test]
fn a_leader_that_is_cut_off_answers_that_the_outcome_is_unknown() {
    let cluster = Cluster::new(3, ReplicaConfig::default());
    cluster.put("k", "v");
    let leader = cluster.wait_for_leader();
    cluster.cut_off(leader);
    let put = Ask::Put {
        key: "k".into(),
        value: "w".into(),
    };
    let command = Command::from(wire::encode(&put).unwrap());
    let answer = cluster.nodes[&leader].propose(command, soon());
    assert_eq!(answer, Err(Failed::Unknown));
    // It has resigned by now, so what comes is refused.
    let again = cluster.nodes[&leader].read(get("k"), soon());
    assert_eq!(again, Err(Failed::Refused(Refusal::NotLeader(None))));
}

#[test]
fn proposals_that_come_together_share_writes() {
    // Of three nodes another may be elected meanwhile, if the machine is busy.
    let cluster = Cluster::new(1, ReplicaConfig::default());
    let leader = cluster.leader();
    let threads: Vec<_> = (0..32)
        .map(|n| {
            let leader = leader.clone();
            std::thread::spawn(move || {
                for round in 0..20 {
                    let (key, value) = (format!("{n}"), format!("{round}"));
                    let put = wire::encode(&Ask::Put { key, value }).unwrap();
                    leader.propose(put.into(), soon()).unwrap();
                }
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    let counts = &leader.shared.counts;
    let (proposals, writes) = (counts.proposals.get(), counts.writing.count());
    assert!(
        proposals >= 640 && writes < proposals,
        "{writes} writes for {proposals}"
    );
}

#[test]
fn only_commands_in_the_log_and_reads_that_were_answered_are_counted() {
    let put = |key: &str| {
        let (key, value) = (key.into(), "v".into());
        Command::from(wire::encode(&Ask::Put { key, value }).unwrap())
    };
    let counted = |replica: &Replica<Registers>| {
        let counts = &replica.shared.counts;
        (counts.proposals.get(), counts.reads.get())
    };
    let started = Replica::start(
        1,
        ReplicaConfig::default(),
        (SharedStorage::new(founding(3)), founding(3)),
        Registers::default(),
        Calls(1, Net::default()), // without its peers it cannot lead
    );
    let alone = started.unwrap();
    let refused = |failed| matches!(failed, Failed::Refused(Refusal::NotLeader(_)));
    assert!(refused(alone.propose(put("k"), soon()).unwrap_err()));
    assert!(refused(alone.read(get("k"), soon()).unwrap_err()));
    assert_eq!(counted(&alone), (0, 0));
    alone.stop();

    let cluster = Cluster::new(1, ReplicaConfig::default());
    let leader = cluster.leader();
    let (node, address) = (2, "there".into());
    let learner = Change::AddLearner { node, address };
    leader.change(learner, soon()).unwrap();
    leader.propose(put("k"), soon()).unwrap();
    leader.read(get("k"), soon()).unwrap();
    assert_eq!(counted(leader), (1, 1));
}

#[test]
fn a_restarted_node_has_what_it_had() {
    let mut cluster = Cluster::new(3, ReplicaConfig::default());
    cluster.put("k", "v");
    for id in 1..=3 {
        cluster.stop(id);
    }
    (1..=3).for_each(|id| cluster.start(id));
    let deadline = soon();
    loop {
        match cluster.leader().read(get("k"), soon()) {
            Ok(value) => return assert_eq!(value, Some("v".into())),
            Err(_) => assert!(!deadline.passed()),
        }
    }
}

#[test]
fn a_snapshot_is_taken_when_the_log_has_grown_and_a_new_node_gets_it() {
    let mut config = ReplicaConfig {
        snapshot_entries: 10,
        ..ReplicaConfig::default()
    };
    config.raft.keep_entries = 0;
    let mut cluster = Cluster::new(1, config);
    for n in 0..25 {
        cluster.put(&n.to_string(), "v");
    }
    let first = cluster.leader().status(soon()).unwrap().first_index;
    assert!(first > 10, "{first}");
    cluster.start(2);
    let add = Change::Add {
        node: 2,
        address: "there".into(),
    };
    cluster.nodes[&1].change(add, soon()).unwrap();
    let status = cluster.nodes[&1].status(soon()).unwrap();
    assert_eq!(status.membership.voters, BTreeSet::from([1, 2]));
    let mut applied = 0;
    while cluster.nodes[&2].look(get("24"), soon()).unwrap().is_none() {
        applied = cluster.nodes[&2].applied_beyond(applied, soon());
    }
}

#[test]
fn a_snapshot_that_is_asked_for_is_on_the_disk_when_it_is_answered() {
    let cluster = Cluster::new(1, ReplicaConfig::default());
    cluster.put("k", "v");
    let index = cluster.leader().snapshot(soon()).unwrap();
    assert_eq!(cluster.disks[&1].load().snapshot.meta.last_index, index);
    assert!(index >= 2, "{index}: the no-op and the put");
    assert_eq!(
        cluster.leader().snapshot(soon()),
        Ok(index),
        "nothing is new"
    );
}

#[test]
fn a_node_that_is_removed_leads_until_then_and_the_change_is_answered() {
    let cluster = Cluster::new(3, ReplicaConfig::default());
    cluster.put("k", "v");
    let node = cluster.wait_for_leader();
    let removed = cluster.nodes[&node].change(Change::Remove { node }, soon());
    assert_eq!(removed, Ok(()));
    let never = cluster.leader().change(Change::Remove { node }, soon());
    assert!(matches!(never, Err(Failed::Refused(_))), "{never:?}");
}

#[test]
fn leadership_goes_where_it_is_asked_to() {
    let cluster = Cluster::new(3, ReplicaConfig::default());
    cluster.put("k", "v");
    let leader = cluster.wait_for_leader();
    let to = leader % 3 + 1;
    cluster.nodes[&leader].transfer(to, soon()).unwrap();
    assert_eq!(
        cluster.nodes[&to].status(soon()).unwrap().role,
        RoleName::Leader
    );
    let refused = cluster.nodes[&leader].transfer(to, soon());
    assert_eq!(refused, Err(Failed::Refused(Refusal::NotLeader(Some(to)))));
}

#[test]
fn a_config_with_endless_times_is_corrected_for_a_transfer_too() {
    let mut config = ReplicaConfig::default();
    config.raft.election_timeout_max = Duration::MAX;
    let cluster = Cluster::new(1, config);
    let refused = cluster.nodes[&1].transfer(2, soon());
    assert!(matches!(refused, Err(Failed::Refused(_))), "{refused:?}");
}

#[test]
fn a_full_disk_stops_the_commands_and_not_the_node() {
    let cluster = Cluster::new(1, ReplicaConfig::default());
    cluster.put("k", "v");
    cluster.disks[&1].set_full(true);
    let lost = cluster.nodes[&1].propose(Command::from("x"), soon());
    assert_eq!(
        lost,
        Err(Failed::Unknown),
        "it is in the log, not on the disk"
    );
    let refused = cluster.nodes[&1].propose(Command::from("x"), soon());
    assert_eq!(refused, Err(Failed::Refused(Refusal::DiskFull)));
    cluster.disks[&1].set_full(false);
    cluster.put("k", "w");
}

#[test]
fn a_node_that_is_stuck_lets_commands_in_up_to_a_limit_in_bytes() {
    let cluster = Cluster::new(1, ReplicaConfig::default());
    let node = cluster.nodes[&1].clone();
    let (stuck, is_stuck) = mpsc::channel::<()>();
    let (release, released) = mpsc::channel::<()>();
    let question = move |_: &Registers| {
        let _ = stuck.send(());
        let _ = released.recv();
    };
    let asking = thread::spawn({
        let node = node.clone();
        move || node.look(question, soon())
    });
    is_stuck.recv().unwrap();
    let passed = Deadline::after(Duration::ZERO);
    let half = Command::from(vec![0; INBOX_BYTES / 2]);
    for expected in [
        Failed::Unknown,
        Failed::Unknown,
        Failed::Refused(Refusal::Busy),
    ] {
        assert_eq!(node.propose(half.clone(), passed), Err(expected));
    }
    drop(release);
    asking.join().unwrap().unwrap();
    cluster.put("k", "v");
}

/// A disk that fails after the first writes.
struct Broken(SharedStorage, u32);

impl Storage for Broken {
    fn write(&mut self, write: &crate::raft::Persist) -> Result<(), StorageError> {
        self.0.write(write)
    }

    fn sync(&mut self) -> Result<(), StorageError> {
        if self.1 == 0 {
            return Err(StorageError::Failed {
                doing: "syncing",
                path: "disk".into(),
                cause: io::Error::other("the page is gone"),
            });
        }
        self.1 -= 1;
        self.0.sync()
    }
}

#[test]
fn a_failed_sync_ends_the_node_and_says_why() {
    let disk = Broken(SharedStorage::default(), 1);
    let calls = Calls(1, Net::default());
    let started = Replica::start(
        1,
        ReplicaConfig::default(),
        (disk, founding(1)),
        Registers::default(),
        calls,
    );
    let replica = started.unwrap();
    let ended = replica.wait().unwrap_err();
    assert_eq!(ended.to_string(), "syncing disk: the page is gone");
    assert_eq!(
        replica.propose(Command::from("x"), soon()),
        Err(Failed::Stopped)
    );
    replica.stop();
}

/// Who stops a node and who reports its failure may be two threads.
#[test]
fn who_stops_a_node_does_not_take_its_failure_from_who_waits_for_it() {
    let disk = (Broken(SharedStorage::default(), 1), founding(1));
    let (config, calls) = (ReplicaConfig::default(), Calls(1, Net::default()));
    let replica = Replica::start(1, config, disk, Registers::default(), calls).unwrap();
    replica.applied_beyond(Index::MAX, soon()); // until it has ended by itself
    replica.stop();
    let ended = replica.wait().unwrap_err();
    assert_eq!(ended.to_string(), "syncing disk: the page is gone");
}

#[test]
fn a_snapshot_of_nonsense_ends_the_node_and_leaves_its_disk_as_it_was() {
    let disk = SharedStorage::new(founding(3));
    let held = disk.load();
    let started = Replica::start(
        1,
        ReplicaConfig::default(),
        (disk.clone(), held.clone()),
        Registers::default(),
        Calls(1, Net::default()),
    );
    let replica = started.unwrap();
    let part = Body::InstallSnapshot {
        meta: SnapshotMeta {
            last_index: 9,
            last_term: 1,
            membership: Membership::of(1..=3),
        },
        offset: 0,
        data: Command::from("nonsense"),
        done: true,
        round: 1,
    };
    replica.deliver(vec![Message {
        from: 2,
        to: 1,
        term: 1,
        body: part,
    }]);
    let ended = replica.wait().unwrap_err();
    assert!(matches!(ended, Ended::Snapshot(_)), "{ended}");
    let left = disk.load();
    assert_eq!(
        (left.snapshot, left.entries),
        (held.snapshot, held.entries),
        "so that it can start again"
    );
}

/// While its disk is full a node may be sent a second snapshot, by a leader that was elected since.
#[test]
fn of_two_snapshots_that_waited_for_the_disk_the_later_one_counts() {
    let disk = SharedStorage::new(founding(3));
    let started = Replica::start(
        1,
        ReplicaConfig::default(),
        (disk.clone(), disk.load()),
        Registers::default(),
        Calls(1, Net::default()),
    );
    let replica = started.unwrap();
    let install = |term, last_index, value: &str| {
        let mut registers = Registers::default();
        let (key, value) = ("k".into(), value.into());
        registers.ask(Ask::Put { key, value });
        let part = Body::InstallSnapshot {
            meta: SnapshotMeta {
                last_index,
                last_term: term,
                membership: Membership::of(1..=3),
            },
            offset: 0,
            data: Command::from(registers.snapshot()),
            done: true,
            round: 1,
        };
        let (from, to, body) = (2, 1, part);
        replica.deliver(vec![Message {
            from,
            to,
            term,
            body,
        }]);
    };
    disk.set_full(true);
    install(1, 9, "first");
    // Then its write has been tried, and the next one is another.
    while replica.look(get("k"), soon()).unwrap().is_none() {}
    install(2, 20, "second");
    while replica.status(soon()).unwrap().commit < 20 {}
    disk.set_full(false);
    assert_eq!(replica.applied_beyond(19, soon()), 20);
    let held = replica.look(get("k"), soon()).unwrap();
    assert_eq!(held.as_deref(), Some("second"));
    replica.stop();
}
