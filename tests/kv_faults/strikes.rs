//! What each fault is, what must hold while it lasts, and its mending.

use std::path::Path;

use groundwire::kv::service::NodeStatus;
use groundwire::kv::{Client, StoreError};
use groundwire::raft::Membership;

use crate::cluster::{Cluster, PLACES};
use crate::disk;
use crate::load::Load;
use crate::plan::Fault;
use crate::seeded::Seeded;
use crate::within_bound;

/// Bytes of a log in whose middle there surely is something that was synced.
const LONG: u64 = 4096;

/// Strikes, looks, and mends. That the cluster is whole afterwards is for the caller to see.
pub fn strike(fault: Fault, cluster: &mut Cluster, load: &Load, dice: &mut Seeded) {
    match fault {
        Fault::KillFollower => kill_follower(cluster, load, dice),
        Fault::KillLeader => kill_leader(cluster, load),
        Fault::KillAll => kill_all(cluster),
        Fault::PauseLeader => pause_leader(cluster, load),
        Fault::CutLeader => cut_leader(cluster, load),
        Fault::Bridge => bridge(cluster, load, dice),
        Fault::Halves => halves(cluster, load, dice),
        Fault::Unplug => unplug(cluster, load, dice),
        Fault::FullDisk => full_disk(cluster, load, dice),
        Fault::TornTail => torn_tail(cluster, dice),
        Fault::Damage => damage(cluster, load, dice),
    }
}

fn any(places: &[usize], dice: &mut Seeded) -> usize {
    places[dice.below(places.len())]
}

fn follower(cluster: &Cluster, dice: &mut Seeded) -> usize {
    let (leader, _) = cluster.leader();
    any(&cluster.others(&[leader]), dice)
}

fn kill_follower(cluster: &mut Cluster, load: &Load, dice: &mut Seeded) {
    let victim = follower(cluster, dice);
    cluster.node(victim).kill();
    load.proceeds("without a follower");
    cluster.start(victim);
}

fn kill_leader(cluster: &mut Cluster, load: &Load) {
    let (leader, term) = cluster.leader();
    cluster.node(leader).kill();
    cluster.leader_of(&cluster.others(&[leader]), term);
    load.proceeds("with a new leader");
    cluster.start(leader);
}

fn kill_all(cluster: &mut Cluster) {
    for place in PLACES {
        cluster.node(place).kill();
    }
    for place in PLACES {
        cluster.start(place);
    }
}

fn pause_leader(cluster: &mut Cluster, load: &Load) {
    let (leader, term) = cluster.leader();
    cluster.node(leader).pause();
    cluster.leader_of(&cluster.others(&[leader]), term);
    load.proceeds("while the old leader stands still");
    cluster.node(leader).resume();
}

/// The history shows whether the old leader, whom clients go on asking, tells them what is old.
fn cut_leader(cluster: &mut Cluster, load: &Load) {
    let (leader, term) = cluster.leader();
    let others = cluster.others(&[leader]);
    cluster.network.cut(&[leader], &others);
    cluster.leader_of(&others, term);
    load.proceeds("without the leader that is cut off");
    within_bound("a leader without followers steps down", || {
        cluster.status(leader).filter(|node| node.leader.is_none())
    });
    cluster.network.mend(&[leader], &others);
}

/// The follower between them hears two leaders, and must neither take the old one for the new one
/// nor call elections for ever.
fn bridge(cluster: &mut Cluster, load: &Load, dice: &mut Seeded) {
    let (leader, term) = cluster.leader();
    let between = any(&cluster.others(&[leader]), dice);
    let three = cluster.others(&[leader, between]);
    cluster.network.cut(&[leader], &three);
    cluster.leader_of(&cluster.others(&[leader]), term);
    load.proceeds("with four of five");
    cluster.network.mend(&[leader], &three);
}

fn halves(cluster: &mut Cluster, load: &Load, dice: &mut Seeded) {
    let one = any(&cluster.others(&[]), dice);
    let other = any(&cluster.others(&[one]), dice);
    let (two, three) = ([one, other], cluster.others(&[one, other]));
    cluster.network.cut(&two, &three);
    cluster.leader_of(&three, 0);
    load.proceeds("with three of five");
    within_bound("the two know no leader", || {
        let alone = |place: &usize| {
            cluster
                .status(*place)
                .is_some_and(|node| node.leader.is_none())
        };
        two.iter().all(alone).then_some(())
    });
    cluster.network.mend(&two, &three);
}

fn unplug(cluster: &mut Cluster, load: &Load, dice: &mut Seeded) {
    let victim = any(&cluster.others(&[]), dice);
    cluster.network.unplug(victim);
    cluster.leader_of(&cluster.others(&[victim]), 0);
    load.proceeds("without a node");
    cluster.network.plug(victim);
}

/// Any node: a leader whose disk is full must leave it to another.
fn full_disk(cluster: &mut Cluster, load: &Load, dice: &mut Seeded) {
    let victim = any(&cluster.others(&[]), dice);
    let before = cluster.node(victim).said().len();
    let data = cluster.node(victim).data.clone();
    within_bound("the node says that its disk is full", || {
        // Again and again: the log's file has a megabyte ahead, which its end gives back.
        disk::fill(&data);
        let said = cluster.node(victim).said();
        said[before..].contains("no space left").then_some(())
    });
    load.proceeds("while a disk is full");
    assert!(cluster.node(victim).runs(), "a full disk ends no node");
    within_bound("it still answers", || cluster.status(victim));
    disk::free(&data);
}

/// A crash in the middle of a write. What is cut here was synced, and the node has answered for
/// it; so first all others must have it, or this would be a loss that no algorithm survives.
fn torn_tail(cluster: &mut Cluster, dice: &mut Seeded) {
    let victim = follower(cluster, dice);
    cluster.node(victim).kill();
    cluster.catch_up(&cluster.others(&[victim]));
    let log = disk::newest_log(&cluster.node(victim).data);
    disk::cut(&log, disk::length(&log) - 1 - dice.below(8) as u64);
    cluster.start(victim);
}

/// What was synced and is not there any more cannot be made good: the node must not start, and
/// another takes its place.
fn damage(cluster: &mut Cluster, load: &Load, dice: &mut Seeded) {
    let victim = follower(cluster, dice);
    let log = kill_with_a_long_log(victim, cluster, load);
    let length = disk::length(&log);
    let (byte, bit) = (
        length / 4 + dice.below(length as usize / 2) as u64,
        dice.below(8),
    );
    disk::flip(&log, byte, bit);
    refuses_to_start(victim, cluster, &log);
    disk::flip(&log, byte, bit);
    let snapshot = log.with_file_name("snapshot");
    disk::cut(&snapshot, snapshot.metadata().unwrap().len() / 2);
    refuses_to_start(victim, cluster, &snapshot);

    let (old, data) = (cluster.node(victim).id, cluster.node(victim).data.clone());
    load.proceeds("without the node that is damaged");
    change(
        cluster,
        |client| client.remove(old),
        |members| !members.contains(old),
    );
    std::fs::remove_dir_all(&data).unwrap();
    let new = cluster.replace(victim);
    let address = cluster.network.address(victim);
    change(
        cluster,
        |client| client.add(new, &address, false),
        |members| members.is_voter(new),
    );
}

/// Asks for a change of members until it is so: the answer may be lost together with a leader.
fn change(
    cluster: &Cluster,
    ask: impl Fn(&Client) -> Result<(), StoreError>,
    is_so: impl Fn(&Membership) -> bool,
) {
    within_bound("the members change", || {
        let asked = ask(&cluster.client);
        let leads = |node: &NodeStatus| node.role == "leader";
        let mut seen = PLACES.filter_map(|place| cluster.status(place));
        let changed = seen.any(|node| leads(&node) && is_so(&node.membership));
        (asked.is_ok() || changed).then_some(())
    });
}

/// A snapshot empties the log: if one has just been taken, there is nothing to damage.
fn kill_with_a_long_log(victim: usize, cluster: &mut Cluster, load: &Load) -> std::path::PathBuf {
    loop {
        cluster.node(victim).kill();
        let log = disk::newest_log(&cluster.node(victim).data);
        if disk::length(&log) >= LONG {
            return log;
        }
        cluster.start(victim);
        cluster.settle();
        load.proceeds("with a short log");
    }
}

/// It names the file and the place in it, and ends with status 1.
fn refuses_to_start(victim: usize, cluster: &mut Cluster, file: &Path) {
    let before = cluster.node(victim).said().len();
    cluster.start(victim);
    let status = cluster.node(victim).ends();
    let said = cluster.node(victim).said();
    let (said, file) = (&said[before..], file.display());
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("{file}: at byte ")), "{said}");
}
