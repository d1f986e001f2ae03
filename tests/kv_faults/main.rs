//! `kv-server` as real processes, and the faults of machines and networks.
//!
//! Five nodes, each with a network namespace and a small disk of its own; clients that write and
//! read all the time; faults by a seeded plan. After each fault has ended, the cluster recovers
//! within a bounded time. In the end no acknowledged write is missing, and the history of the
//! clients' calls and replies is linearizable.
//!
//! Where namespaces are not allowed, the nodes run on loopback, with the faults that need none.
//!
//! `GROUNDWIRE_SEED=N` repeats a plan (but not its timing, which depends on the machine);
//! `GROUNDWIRE_SOAK=SECONDS` runs for this long, reports what happens, and keeps its files.
//!
//! In reading order: `plan` (which faults, and when), `strikes` (what each fault does), `network`,
//! `node`, `cluster`, `disk` (the targets), `load` (the clients, the history).

mod cluster;
mod disk;
mod load;
mod network;
mod node;
mod plan;
#[path = "../support/seeded.rs"]
mod seeded;
mod strikes;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use groundwire::cli::temporary;
use groundwire::server::Stopper;

use cluster::Cluster;
use load::Load;
use network::Network;
use seeded::Seeded;

/// Within this time the cluster goes on after a fault, and is whole after its mending. It is
/// seconds on an idle machine; this one may be building something.
const BOUND: Duration = Duration::from_secs(60);

#[test]
fn real_processes_lose_no_acknowledged_write_whatever_is_done_to_them() {
    if let Some(folder) = network::inside() {
        run(Network::cables(), &folder);
        return;
    }
    let kept = Kept::new();
    if !network::run_inside(&kept.0, soak().is_some()) {
        println!("on loopback: no partition, no full disk");
        run(Network::loopback(), &kept.0);
    }
}

/// A round of all faults, or as many rounds as there is time for.
fn run(network: Network, folder: &Path) {
    let begun = Instant::now();
    // A long run is another plan each time.
    let seed = soak().map_or(6, |_| std::time::UNIX_EPOCH.elapsed().unwrap().as_secs());
    let mut dice = Seeded::new(seed);
    let cables = network.has_cables();
    let mut cluster = Cluster::found(network, folder);
    cluster.settle();
    let load = Load::start(&cluster.addresses(), &mut dice, folder);
    loop {
        for fault in plan::round(&mut dice, cables) {
            let struck = Instant::now();
            load.next_phase();
            strikes::strike(fault, &mut cluster, &load, &mut dice);
            cluster.settle();
            load.proceeds("after the mending");
            load.look_back();
            let (at, took) = (struck - begun, struck.elapsed());
            println!(
                "{:6.1} s  {fault}: whole again after {took:.1?}",
                at.as_secs_f64()
            );
        }
        if soak().is_none_or(|time| begun.elapsed() >= time) {
            break;
        }
    }
    load.judge();
}

fn soak() -> Option<Duration> {
    let text = std::env::var("GROUNDWIRE_SOAK").ok()?;
    Some(Duration::from_secs(
        text.parse().expect("GROUNDWIRE_SOAK: seconds"),
    ))
}

/// Looks every few milliseconds whether something has come true that nobody announces; fails the
/// test after [`BOUND`].
fn within_bound<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    let never = Stopper::new();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < BOUND, "not within {BOUND:?}: {what}");
        never.wait_timeout(Duration::from_millis(20));
    }
}

/// The folder of a run: the nodes' logs and the history. It stays if the test fails, or was asked
/// to go on for long.
struct Kept(PathBuf);

impl Kept {
    fn new() -> Self {
        Self(temporary("groundwire-kv-faults", "", |path| fs::create_dir(path)).unwrap())
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if std::thread::panicking() || soak().is_some() {
            println!("kept: {}", self.0.display());
        } else {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}
