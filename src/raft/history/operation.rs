//! An operation of a client, as seen from outside.

use std::fmt;

/// What one process did to one key, when, and what it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The client, which does one operation after the other.
    pub process: u64,
    /// On which key.
    pub key: Vec<u8>,
    /// What it asked for.
    pub kind: Kind,
    /// When it asked, in microseconds since any moment that the whole history shares.
    pub start: u64,
    /// When it was answered. None: never. Has no meaning if the outcome is unknown.
    pub end: Option<u64>,
    /// What it was told.
    pub outcome: Outcome,
}

/// What an operation asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The value of the key.
    Get,
    /// The key is to have this value.
    Put(Vec<u8>),
    /// The key is to have none.
    Delete,
    /// The key is to have the new value if it has the expected one; None expects that it has none.
    CompareAndSwap {
        /// What it must have.
        expected: Option<Vec<u8>>,
        /// What it then gets.
        new: Vec<u8>,
    },
}

/// What a client finally knows about its operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A put or a delete: done.
    Done,
    /// A get: this is the value, or there is none.
    Read(Option<Vec<u8>>),
    /// A compare-and-swap: whether the values were equal, so that it swapped.
    Swapped(bool),
    /// It has surely not happened and never will.
    Failed,
    /// It may have happened, may happen at any later time, or never.
    Unknown,
}

impl Outcome {
    /// Whether an operation of this kind can have this outcome.
    pub fn suits(&self, kind: &Kind) -> bool {
        match self {
            Outcome::Done => matches!(kind, Kind::Put(_) | Kind::Delete),
            Outcome::Read(_) => matches!(kind, Kind::Get),
            Outcome::Swapped(_) => matches!(kind, Kind::CompareAndSwap { .. }),
            Outcome::Failed | Outcome::Unknown => true,
        }
    }
}

impl Operation {
    /// Whether it may still take effect after its end.
    pub(super) fn may_come_later(&self) -> bool {
        self.outcome == Outcome::Unknown
    }
}

/// What was asked and answered, without key and process: `get -> "a"`, `cas "a" to "b", unknown`.
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Get => f.write_str("get")?,
            Kind::Put(value) => write!(f, "put {}", shown(value))?,
            Kind::Delete => f.write_str("delete")?,
            Kind::CompareAndSwap { expected, new } => {
                write!(f, "cas {} to {}", shown_or_none(expected), shown(new))?;
            }
        }
        match &self.outcome {
            Outcome::Done | Outcome::Swapped(true) => Ok(()),
            Outcome::Read(value) => write!(f, " -> {}", shown_or_none(value)),
            Outcome::Swapped(false) => f.write_str(", not equal"),
            Outcome::Failed => f.write_str(", failed"),
            Outcome::Unknown => f.write_str(", unknown"),
        }
    }
}

/// How many characters of a key or value are shown.
const SHOWN: usize = 24;

/// Bytes for a person: quoted, escaped where they are not text, and not too long.
pub(super) fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let beginning: String = text.chars().take(SHOWN).collect();
    let more = if beginning.len() < text.len() {
        "..."
    } else {
        ""
    };
    format!("{beginning:?}{more}")
}

fn shown_or_none(value: &Option<Vec<u8>>) -> String {
    value.as_deref().map_or("none".to_string(), shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_reads_as_a_person_would_say_it() {
        let cas = Kind::CompareAndSwap {
            expected: None,
            new: b"a\n".to_vec(),
        };
        let table = [
            (Kind::Get, Outcome::Read(None), "get -> none"),
            (
                Kind::Put(vec![b'x'; 25]),
                Outcome::Failed,
                "put \"xxxxxxxxxxxxxxxxxxxxxxxx\"..., failed",
            ),
            (Kind::Delete, Outcome::Done, "delete"),
            (cas.clone(), Outcome::Swapped(true), "cas none to \"a\\n\""),
            (
                cas.clone(),
                Outcome::Swapped(false),
                "cas none to \"a\\n\", not equal",
            ),
            (cas, Outcome::Unknown, "cas none to \"a\\n\", unknown"),
        ];
        for (kind, outcome, words) in table {
            assert!(outcome.suits(&kind));
            let operation = Operation {
                process: 1,
                key: b"k".to_vec(),
                kind,
                start: 0,
                end: None,
                outcome,
            };
            assert_eq!(operation.to_string(), words);
        }
    }
}
