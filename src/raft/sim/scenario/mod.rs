//! A scenario: what happens to a cluster and when, as text and as a value.
//!
//! ```text
//! nodes 5                       # founding voters, numbered from 1
//! duration 10s
//! weather delay 1ms..10ms loss 5% duplicate 2% reorder 10%
//! clients 3 keys 4 pause 5ms..50ms mix get 5 put 3 cas 2
//! at 2s crash leader
//! at 3s partition 1 2 | rest
//! at 4s heal
//! at 4s restart all
//! ```
//!
//! A line that is left out has its default ([`Scenario::default`]). `#` begins a comment. A line
//! `---` ends the scenario: after it, a script (`scripts/`) has the story that it leads to. Actions
//! happen in the order of their times; those of one time in the order of the lines.
//!
//! | line | means |
//! |---|---|
//! | `nodes N` | N founding voters, numbered from 1 |
//! | `learners N` | founding learners, numbered after them |
//! | `seed N` | the seed of all random choices, unless the program is given another |
//! | `duration T` | how long the faults last |
//! | `timeouts A..B heartbeat T` | the election timeout (§5.2) and the leader's heartbeat |
//! | `weather delay A..B loss P duplicate P reorder P` | of every message; each part may be left out |
//! | `disks sync A..B tear P` | how long a sync takes; the share of crashes that tear the last write |
//! | `clocks skew P` | each clock runs wrong by at most this much |
//! | `snapshots every N keep N part N` | a snapshot every N entries (0: never); entries kept; bytes a part |
//! | `clients N keys N pause A..B mix get N put N cas N` | clients, and how often they do what |
//! | `log N: 1 1 4 term 5` | node N starts with entries of these terms, and this current term |
//! | `at T ACTION` | see [`Action`] |
//!
//! A node in an action is a number, `leader` (of the highest term among those that run), `follower`
//! (a running voter that does not lead, drawn by the seed), `all`, or `rest` (in a partition).
//!
//! To add an action: 1. a variant of [`Action`]; 2. its words in `parse.rs`; 3. in `show.rs`; 4. a
//! line in the table of the round-trip test; 5. both worlds (`stage.rs`, `threads/control.rs`).

mod founding;
mod named;
mod parse;
mod show;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::raft::{Change, Dice, Input, NodeId, Term};

pub use named::{NAMES, chaos, named, text};
pub use parse::ScenarioError;

/// The most nodes of a scenario, joining ones included.
pub const MAX_NODES: u64 = 64;
/// The most clients.
pub const MAX_CLIENTS: u64 = 64;
/// The most keys.
pub const MAX_KEYS: u64 = 1024;
/// The longest scenario and the latest action.
pub const MAX_DURATION: Duration = Duration::from_secs(3600);
/// The line that ends a scenario; text after it does not belong to it.
pub const END: &str = "---";
/// The most bytes of a scenario's text.
pub const MAX_TEXT: usize = 256 << 10;

/// A cluster, its surroundings, and what happens to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// How many founding voters; their numbers begin with 1.
    pub nodes: u64,
    /// How many founding learners; numbered after the voters.
    pub learners: u64,
    /// The seed of all random choices, unless the caller gives another.
    pub seed: Option<u64>,
    /// How long it lasts. A check of progress may come after it.
    pub duration: Duration,
    /// The nodes' times.
    pub timeouts: Timeouts,
    /// The network at the start.
    pub weather: Weather,
    /// All nodes' disks.
    pub disks: Disks,
    /// Each node's clock runs at 1 plus or minus at most this share.
    pub skew: Share,
    /// When nodes make snapshots.
    pub snapshots: Snapshots,
    /// The clients that ask all the time.
    pub clients: Clients,
    /// Nodes that do not start empty.
    pub logs: BTreeMap<NodeId, Preset>,
    /// What happens, in order of time.
    pub actions: Vec<Timed>,
}

impl Default for Scenario {
    /// Three nodes, ten seconds, a calm network, no clients, and nothing happens.
    fn default() -> Self {
        Self {
            nodes: 3,
            learners: 0,
            seed: None,
            duration: Duration::from_secs(10),
            timeouts: Timeouts::default(),
            weather: Weather::default(),
            disks: Disks::default(),
            skew: Share::NONE,
            snapshots: Snapshots::default(),
            clients: Clients::default(),
            logs: BTreeMap::new(),
            actions: Vec::new(),
        }
    }
}

/// A part of 1, in ten-thousandths: 250 is 2.5%.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(pub u32);

impl Share {
    /// Never.
    pub const NONE: Self = Self(0);

    /// A share in percent.
    pub const fn percent(percent: u32) -> Self {
        Self(percent.saturating_mul(100))
    }

    /// The same as a number between 0.0 and 1.0: what [`Dice::chance`](crate::raft::Dice) takes.
    pub fn of_one(self) -> f64 {
        f64::from(self.0) / 10_000.0
    }
}

/// A length of time between two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The shortest.
    pub least: Duration,
    /// The longest.
    pub most: Duration,
}

impl Span {
    /// From one number of milliseconds to another.
    pub const fn millis(least: u64, most: u64) -> Self {
        Self {
            least: Duration::from_millis(least),
            most: Duration::from_millis(most),
        }
    }

    /// One of them, as the dice say.
    pub(super) fn draw(self, dice: &mut Dice) -> Duration {
        dice.between(self.least, self.most)
    }
}

/// The nodes' election timeout and heartbeat; see [`Config`](crate::raft::Config).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// The election timeout is drawn from here.
    pub election: Span,
    /// How often a leader sends heartbeats.
    pub heartbeat: Duration,
}

impl Default for Timeouts {
    /// The paper's election timeouts, 150 to 300 ms (§9.3), and a heartbeat of 50 ms.
    fn default() -> Self {
        Self {
            election: Span::millis(150, 300),
            heartbeat: Duration::from_millis(50),
        }
    }
}

/// What the network does to each message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weather {
    /// How long it takes.
    pub delay: Span,
    /// How likely it is lost.
    pub loss: Share,
    /// How likely it comes twice.
    pub duplicate: Share,
    /// How likely it takes up to ten times as long, so that later ones overtake it.
    pub reorder: Share,
}

impl Default for Weather {
    /// A calm local network: 1 to 5 ms, nothing lost.
    fn default() -> Self {
        Self {
            delay: Span::millis(1, 5),
            loss: Share::NONE,
            duplicate: Share::NONE,
            reorder: Share::NONE,
        }
    }
}

/// What disks do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disks {
    /// How long a sync takes.
    pub sync: Span,
    /// In which share of the crashes a part of what was not synced survives.
    pub tear: Share,
}

impl Default for Disks {
    /// A good disk: a sync in 1 to 2 ms.
    fn default() -> Self {
        Self {
            sync: Span::millis(1, 2),
            tear: Share::NONE,
        }
    }
}

/// When nodes make snapshots, and what of the log they keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshots {
    /// After this many applied entries; 0: only when told to.
    pub every: u64,
    /// How many entries that a snapshot covers stay in the log.
    pub keep: u64,
    /// The bytes in one part of a snapshot that is sent.
    pub part: u64,
}

impl Default for Snapshots {
    /// Only when told to; then nothing is kept, and parts are 64 KiB.
    fn default() -> Self {
        Self {
            every: 0,
            keep: 0,
            part: 64 << 10,
        }
    }
}

/// Clients that ask one thing after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clients {
    /// How many.
    pub number: u64,
    /// From how many keys each draws; `k1` is the first.
    pub keys: u64,
    /// How long each waits between an answer and its next request.
    pub pause: Span,
    /// How often they get, compared with the other two.
    pub get: u32,
    /// How often they put.
    pub put: u32,
    /// How often they compare and swap.
    pub cas: u32,
}

impl Default for Clients {
    /// None; if there are any: 4 keys, 5 to 50 ms, get 5 put 3 cas 2.
    fn default() -> Self {
        Self {
            number: 0,
            keys: 4,
            pause: Span::millis(5, 50),
            get: 5,
            put: 3,
            cas: 2,
        }
    }
}

/// What a node has on its disk when the scenario begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preset {
    /// The terms of its log's entries, from index 1 on. All are no-ops.
    pub log: Vec<Term>,
    /// Its current term; at least the last entry's.
    pub term: Term,
}

/// An action and its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timed {
    /// When, from the start.
    pub at: Duration,
    /// What.
    pub action: Action,
}

/// Which node is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// This one.
    Node(NodeId),
    /// The leader of the highest term among those that run.
    Leader,
    /// A running voter that does not lead; the seed draws it.
    Follower,
    /// Every node.
    All,
    /// Every node that no other group of the partition names.
    Rest,
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// `get KEY`
    Get {
        /// Which key.
        key: String,
    },
    /// `put KEY VALUE`
    Put {
        /// Which key.
        key: String,
        /// Its new value.
        value: String,
    },
    /// `cas KEY OLD NEW`: changes the value if it is the old one.
    Cas {
        /// Which key.
        key: String,
        /// What its value must be.
        old: String,
        /// What it becomes.
        new: String,
    },
}

impl Request {
    /// The key.
    pub fn key(&self) -> &str {
        match self {
            Request::Get { key } | Request::Put { key, .. } | Request::Cas { key, .. } => key,
        }
    }
}

/// Something that is done to the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// `crash WHO...`: the process ends, and what was not synced is lost.
    Crash(Vec<Who>),
    /// `restart WHO...`: those of them that had crashed.
    Restart(Vec<Who>),
    /// `pause WHO...`: the process stops, and does not notice. What arrives waits.
    Pause(Vec<Who>),
    /// `resume WHO...`: those of them that were paused.
    Resume(Vec<Who>),
    /// `partition 1 2 | 3 4 5`: no message between groups. `isolate WHO...` is short for
    /// `partition WHO... | rest`. A node in no group reaches no other. Replaces the partition and
    /// the cuts before it.
    Partition(Vec<Vec<Who>>),
    /// `cut 1 2 -> 3`: no message in this direction, in addition to earlier cuts.
    Cut {
        /// Whose messages are lost.
        from: Vec<Who>,
        /// On the way to whom.
        to: Vec<Who>,
    },
    /// `heal`: no partition, no cuts.
    Heal,
    /// `weather ...`: another network from here on; what the line leaves out has its default.
    Weather(Weather),
    /// `clock WHO... +T`: their clocks jump forward.
    Clock {
        /// Whose.
        who: Vec<Who>,
        /// How far.
        by: Duration,
    },
    /// `get`, `put` or `cas`, by a separate client; with `on WHO`, at that node only.
    Ask {
        /// What.
        request: Request,
        /// At which node; without it, at the leader.
        on: Option<Who>,
    },
    /// `add N`: becomes a voter; a node that is not there yet starts empty.
    Add(NodeId),
    /// `learner N`: becomes a learner; a node that is not there yet starts empty.
    Learner(NodeId),
    /// `remove WHO`: is no longer a member.
    Remove(Who),
    /// `voters 1 2 3`: exactly these vote from here on, in one change.
    Voters(BTreeSet<NodeId>),
    /// `transfer WHO`: leadership goes there.
    Transfer(Who),
    /// `snapshot WHO...`: they put their log into a snapshot.
    Snapshot(Vec<Who>),
}

impl Action {
    /// What the leader is asked, if this is a change of membership or a transfer, and if `one` finds
    /// the node that is meant.
    pub(super) fn order(
        &self,
        id: u64,
        mut one: impl FnMut(Who) -> Option<NodeId>,
    ) -> Option<Input> {
        let address = String::new();
        let change = match *self {
            Action::Add(node) => Change::Add { node, address },
            Action::Learner(node) => Change::AddLearner { node, address },
            Action::Remove(who) => Change::Remove { node: one(who)? },
            Action::Voters(ref voters) => Change::Voters(voters.clone()),
            Action::Transfer(who) => return Some(Input::Transfer { id, to: one(who)? }),
            _ => return None,
        };
        Some(Input::Change { id, change })
    }
}
