//! The experiment of the paper's Figure 16: how long five nodes have no leader after it crashed.
//!
//! The paper (§9.3) and the dissertation (§9.4) measured real machines; here the core runs in
//! virtual time, and one seed decides all. The rest is as there: the heartbeat is half the shortest
//! timeout, the followers hear the last one at the same time, the leader crashes anywhere in its
//! interval, and two of the four others cannot win, since their logs are shorter. What is timed ends
//! when all that live have heard the new leader.
//!
//! The paper's broadcast time, a network round trip and a disk write, is 15 ms, and it does not say
//! how much each is. On its network a round trip is far below a millisecond; so the first table has
//! 1 ms of it and 7 ms for a write, of which there are two (the candidate's, the voter's). In the
//! second one the network has all 15: then the pre-vote, which the paper's cluster did not have,
//! costs the most that it can. The third has machines of today: 0.2 ms and 1 ms, more than what one
//! put takes in `bench.py kv-put-1`.

use std::collections::BTreeMap;
use std::time::Duration;

use groundwire::raft::storage::Restored;
use groundwire::raft::{Body, Command, Config, Dice, Input, Membership, Message, Node, NodeId, Snapshot, SnapshotMeta};

const NODES: u64 = 5;
/// The one that leads first, and the two that cannot win after it.
const FIRST: NodeId = 1;
const BEHIND: [NodeId; 2] = [2, 3];
/// How long the first leader leads before it crashes, in heartbeats.
const SETTLED: u32 = 20;
/// A trial without a leader after this time counts as this long.
const GIVE_UP: Duration = Duration::from_secs(60);
/// Elections without any randomness take so long that there are fewer trials (as in the paper).
const FEWER: usize = 10;

/// Timeouts in milliseconds, and the figure's median: named in the text, or read off its curves.
const RANGES: [(u64, u64, &str); 10] = [
    (150, 150, "above 10,000 (text)"),
    (150, 151, "1,203 (curve)"),
    (150, 155, "287 (text)"),
    (150, 175, "141 (curve)"),
    (150, 200, "146 (curve)"),
    (150, 300, "171 (curve)"),
    (12, 24, "30 (curve)"),
    (25, 50, "43 (curve)"),
    (50, 100, "67 (curve)"),
    (100, 200, "121 (curve)"),
];

/// What makes up a broadcast.
#[derive(Clone, Copy)]
struct Times {
    one_way: Duration,
    write: Duration,
}

enum Event {
    Arrives(Message),
    Written { node: NodeId, number: u64 },
    Tick(NodeId),
}

struct Cluster {
    now: Duration,
    times: Times,
    dice: Dice,
    /// By time, and in the order in which they were put there.
    queue: BTreeMap<(Duration, u64), Event>,
    count: u64,
    nodes: BTreeMap<NodeId, Node>,
    /// When the disk of each has done what it was given.
    disks: BTreeMap<NodeId, Duration>,
    /// The first leader's entries do not reach these.
    behind: Vec<NodeId>,
    /// Whether nobody but the first node may campaign: so that there is a leader to begin with.
    arranged: bool,
}

fn node(id: NodeId, timeouts: (Duration, Duration), seed: u64) -> Node {
    let meta = SnapshotMeta { membership: Membership::of(1..=NODES), ..SnapshotMeta::default() };
    let restored = Restored { snapshot: Snapshot { meta, ..Snapshot::default() }, ..Restored::default() };
    let config = Config {
        election_timeout_min: timeouts.0,
        election_timeout_max: timeouts.1,
        heartbeat: timeouts.0 / 2,
        ..Config::default()
    };
    Node::new(id, config, restored, seed, Duration::ZERO)
}

impl Cluster {
    fn new(timeouts: (Duration, Duration), times: Times, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let nodes: BTreeMap<_, _> = (1..=NODES).map(|id| (id, node(id, timeouts, dice.number()))).collect();
        let disks = nodes.keys().map(|&id| (id, Duration::ZERO)).collect();
        let mut cluster = Self {
            now: Duration::ZERO,
            times,
            dice,
            queue: BTreeMap::new(),
            count: 0,
            nodes,
            disks,
            behind: Vec::new(),
            arranged: true,
        };
        for id in 1..=NODES {
            cluster.carry_out(id);
        }
        cluster
    }

    fn at(&mut self, time: Duration, event: Event) {
        self.count += 1;
        self.queue.insert((time, self.count), event);
    }

    /// A time that varies by a tenth, as all times do.
    fn about(&mut self, time: Duration) -> Duration {
        self.dice.between(time * 9 / 10, time * 11 / 10)
    }

    fn step(&mut self, id: NodeId, input: Input) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.step(self.now, input);
            self.carry_out(id);
        }
    }

    /// Does what a node wants done.
    fn carry_out(&mut self, id: NodeId) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let output = node.output();
        let deadline = node.deadline();
        self.at(deadline, Event::Tick(id));
        for message in output.messages {
            let arrives = self.now + self.about(self.times.one_way);
            self.at(arrives, Event::Arrives(message));
        }
        if let Some(persist) = output.persist {
            let begins = self.now.max(self.disks[&id]);
            let done = begins + self.about(self.times.write);
            self.disks.insert(id, done);
            self.at(done, Event::Written { node: id, number: persist.number });
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Arrives(message) => {
                let news = matches!(&message.body, Body::AppendEntries { entries, .. } if !entries.is_empty());
                if !(news && message.from == FIRST && self.behind.contains(&message.to)) {
                    self.step(message.to, Input::Message(message));
                }
            }
            Event::Written { node, number } => self.step(node, Input::Persisted(number)),
            Event::Tick(id) => {
                let is_due = self.nodes.get(&id).is_some_and(|node| node.deadline() <= self.now);
                if is_due && (id == FIRST || !self.arranged) {
                    self.step(id, Input::Tick);
                }
            }
        }
    }

    /// Goes on until it is so, or until the time; tells whether it is.
    fn run_until(&mut self, end: Duration, is_so: impl Fn(&Self) -> bool) -> bool {
        while !is_so(self) {
            match self.queue.first_key_value() {
                Some((&(time, _), _)) if time <= end => {}
                _ => {
                    self.now = end;
                    return false;
                }
            }
            let Some(((time, _), event)) = self.queue.pop_first() else { return false };
            self.now = time;
            self.take(event);
        }
        true
    }

    /// The leader that all who live have heard.
    fn leader(&self) -> Option<NodeId> {
        let mut says = self.nodes.values().map(|node| node.status().leader);
        let leader = says.next()??;
        let agreed = self.nodes.contains_key(&leader) && says.all(|other| other == Some(leader));
        agreed.then_some(leader)
    }

    fn term(&self) -> u64 {
        self.nodes.values().map(|node| node.status().term).max().unwrap_or(0)
    }
}

/// One crash: how long there was no leader, and how many terms it took to get one.
fn trial(timeouts: (Duration, Duration), times: Times, seed: u64) -> (Duration, u64) {
    let mut cluster = Cluster::new(timeouts, times, seed);
    let led = cluster.run_until(GIVE_UP, |cluster| cluster.leader() == Some(FIRST));
    assert!(led, "seed {seed}: nobody hinders the first election");
    cluster.behind = BEHIND.to_vec();
    cluster.step(FIRST, Input::Propose { id: 0, command: Command::from("c") });
    let heartbeat = timeouts.0 / 2;
    let crash = cluster.now + heartbeat * SETTLED + cluster.dice.between(Duration::ZERO, heartbeat);
    cluster.run_until(crash, |_| false);
    assert_eq!(cluster.leader(), Some(FIRST), "seed {seed}");
    cluster.arranged = false;
    cluster.nodes.remove(&FIRST);
    for id in 1..=NODES {
        cluster.carry_out(id);
    }
    let term = cluster.term();
    cluster.run_until(crash + GIVE_UP, |cluster| cluster.leader().is_some());
    (cluster.now - crash, cluster.term() - term)
}

fn row(range: (u64, u64, &str), times: Times, trials: usize) {
    let (least, most, figure) = range;
    let timeouts = (Duration::from_millis(least), Duration::from_millis(most));
    let trials = if least == most { trials.div_ceil(FEWER) } else { trials };
    let (mut took, mut again) = (Vec::new(), 0);
    for seed in 0..trials {
        let (time, terms) = trial(timeouts, times, seed as u64);
        took.push(time.as_secs_f64() * 1e3);
        again += usize::from(terms > 1);
    }
    took.sort_by(f64::total_cmp);
    let at = |part: f64| took[((took.len() - 1) as f64 * part).round() as usize];
    let mean = took.iter().sum::<f64>() / trials as f64;
    let share = 100.0 * again as f64 / trials as f64;
    println!(
        "| {least} to {most} | {:.0} | {mean:.0} | {:.0} | {:.0} | {share:.0} % | {figure} |",
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

pub fn table(trials: usize) {
    for (round_trip, write) in [(1000, 7000), (15000, 0), (200, 1000)] {
        let times =
            Times { one_way: Duration::from_micros(round_trip) / 2, write: Duration::from_micros(write) };
        println!("Round trip {} us, a write {} us:\n", round_trip, write);
        println!("| timeouts (ms) | median | mean | p99 | longest | over one term | the figure's median |");
        println!("|---|---|---|---|---|---|---|");
        RANGES.into_iter().for_each(|range| row(range, times, trials));
        println!();
    }
}
