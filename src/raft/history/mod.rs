//! Histories of a key-value store, and whether they are linearizable.
//!
//! # The question
//!
//! A replicated store promises that it looks like one copy: each operation seems to take effect at
//! one instant between its start and its end (Herlihy and Wing, "Linearizability: a correctness
//! condition for concurrent objects", 1990). Clients record what they did and what they were
//! told. [`check`] looks for an order of these operations which
//!
//! - keeps *real time*: what ended before another began comes before it;
//! - is *legal*: each get returns what was put last, each compare-and-swap swaps exactly when the
//!   value is the expected one. In the beginning no key has a value.
//!
//! ```text
//!   process 1  put "a"    |-----|
//!   process 2  put "b"             |-----|
//!   process 3  get -> "a"                   |-----|   <- fits nowhere
//! ```
//!
//! # What makes it answerable
//!
//! - *It is local* (the paper's Theorem 1): a history is linearizable if and only if that of each
//!   key is. So each key is judged alone.
//! - *An unknown outcome is not a failure.* A put whose answer was lost may take effect at any time
//!   after its start, even long after its client gave up, or never. If it counted as failed,
//!   correct stores would be judged wrong.
//! - *It is quick in practice.* Deciding is NP-complete in general (Gibbons and Korach, 1997), but
//!   quick for what real clients do, above all if each value is put only once: write tests that
//!   way. A limit ends the other cases, and the verdict says so.
//!
//! Two operations of which one ends in the microsecond in which the other begins count as
//! overlapping; a [`Recorder`] avoids this.
//!
//! # The files, in reading order
//!
//! `operation` (what is recorded), `recorder` (recording it), `lines` (as JSON lines, for `judge`),
//! `register` (one key's operations as four effects), `search` (the order), `explanation` (the few
//! operations that have none), `picture` (a drawing of it).
//!
//! ```
//! use groundwire::raft::history::{self, Kind, Outcome, Recorder};
//! use std::time::Duration;
//!
//! let mut recorder = Recorder::new();
//! let now = Duration::ZERO; // what your clock says
//! let put = recorder.begin(1, now, "x", Kind::Put(b"a".to_vec()));
//! recorder.end(put, now, Outcome::Done);
//! let get = recorder.begin(2, now, "x", Kind::Get);
//! recorder.end(get, now, Outcome::Read(None));
//!
//! let verdict = history::check(recorder.operations());
//! assert!(!verdict.is_linearizable());
//! assert!(verdict.to_string().contains("get -> none"));
//! ```

mod explanation;
mod lines;
mod operation;
mod picture;
mod recorder;
mod register;
mod search;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

pub use explanation::Explanation;
pub use lines::LineError;
pub use operation::{Kind, Operation, Outcome};
pub use recorder::{Begun, Recorder};

use register::Register;
use search::{Found, search};

/// How many changes of a key's value [`check`] tries before it gives up on the key. This takes
/// some seconds, and at most about 200 MB.
pub const LIMIT: u64 = 2_000_000;

/// Whether a history is linearizable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// For each key there is a legal order.
    Linearizable(Size),
    /// For this key there is none; it is the first such key.
    NotLinearizable(Box<Explanation>),
    /// For this key the limit was reached first; no other key is wrong.
    Undecided {
        /// The first such key.
        key: Vec<u8>,
        /// The limit.
        limit: u64,
    },
}

/// How much was judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Operations.
    pub operations: usize,
    /// Different keys.
    pub keys: usize,
    /// Different processes.
    pub processes: usize,
}

impl Verdict {
    /// Whether there is a legal order for each key. False if it is undecided.
    pub fn is_linearizable(&self) -> bool {
        matches!(self, Verdict::Linearizable(_))
    }
}

/// The verdict in a line; or several, with a picture, if the history is not linearizable.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Linearizable(size) => write!(f, "linearizable: {size}"),
            Verdict::NotLinearizable(explanation) => write!(f, "not linearizable: {explanation}"),
            Verdict::Undecided { key, limit } => {
                let key = operation::shown(key);
                write!(f, "undecided: key {key}: no order found in {limit} steps")
            }
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |number: usize, one: &str| match number {
            1 => format!("1 {one}"),
            _ => format!("{number} {one}s"),
        };
        let (operations, keys) = (count(self.operations, "operation"), count(self.keys, "key"));
        match self.processes {
            1 => write!(f, "{operations}, {keys}, 1 process"),
            processes => write!(f, "{operations}, {keys}, {processes} processes"),
        }
    }
}

/// Judges a history, whose operations may be in any order. An operation whose outcome does not suit
/// its kind fits nowhere.
pub fn check(history: &[Operation]) -> Verdict {
    check_within(history, LIMIT)
}

/// Judges a history; gives up on a key after trying `limit` changes of its value.
pub fn check_within(history: &[Operation], limit: u64) -> Verdict {
    let mut keys = BTreeMap::<&[u8], Vec<usize>>::new();
    for (at, operation) in history.iter().enumerate() {
        keys.entry(&operation.key).or_default().push(at);
    }
    let mut undecided = None;
    for (key, places) in &keys {
        let register = Register::new(places.iter().map(|at| (*at, &history[*at])));
        match search(&register, limit) {
            Found::Order(_) => {}
            Found::GaveUp => undecided = undecided.or(Some(key)),
            Found::Nothing => {
                let explanation = Explanation::new(key, history, register, limit);
                return Verdict::NotLinearizable(Box::new(explanation));
            }
        }
    }
    if let Some(key) = undecided {
        let key = key.to_vec();
        return Verdict::Undecided { key, limit };
    }
    let processes: BTreeSet<u64> = history.iter().map(|one| one.process).collect();
    Verdict::Linearizable(Size {
        operations: history.len(),
        keys: keys.len(),
        processes: processes.len(),
    })
}
