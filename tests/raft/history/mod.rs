//! Histories: those that a person can judge, small ones that every order is tried on, long ones.
//!
//! A history is written one operation a line, `PROCESS START-END WHAT`: `1 0-10 put a`,
//! `2 5-9 get none`, `3 4-9 cas a b ok`. `?` as the end is an unknown outcome.

mod every_order;
mod known;
mod long;

use groundwire::raft::history::{Kind, Operation, Outcome};

/// The operations of such a text, on the key `x`.
fn operations(text: &str) -> Vec<Operation> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(operation).collect()
}

fn operation(line: &str) -> Operation {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (start, end) = words[1].split_once('-').unwrap();
    let value = |at: usize| (words[at] != "none").then(|| words[at].as_bytes().to_vec());
    let (kind, told) = match words[2] {
        "get" => (Kind::Get, Outcome::Read(value(3))),
        "put" => (Kind::Put(value(3).unwrap()), Outcome::Done),
        "delete" => (Kind::Delete, Outcome::Done),
        _ => {
            let (expected, new) = (value(3), value(4).unwrap());
            let swapped = words.get(5) == Some(&"ok");
            let kind = Kind::CompareAndSwap { expected, new };
            (kind, Outcome::Swapped(swapped))
        }
    };
    let end = end.parse().ok();
    Operation {
        process: words[0].parse().unwrap(),
        key: b"x".to_vec(),
        kind,
        start: start.parse().unwrap(),
        end,
        outcome: end.map_or(Outcome::Unknown, |_| told),
    }
}
