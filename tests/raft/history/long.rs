//! Long histories of a store that is simulated here: legal by construction, or with one lie.

use std::collections::BTreeMap;

use groundwire::raft::history::{self, Kind, Operation, Outcome, Verdict};

use crate::seeded::Seeded;

/// A crowd of clients.
struct Crowd {
    processes: usize,
    keys: usize,
    operations: usize,
    /// One in so many operations is never answered.
    unknown: usize,
    /// Values are drawn from so many; 0: each is put once.
    values: usize,
}

/// What they record of a store that is always right: each operation takes effect at one moment,
/// between its start and its end, or later if its outcome is unknown.
fn record(crowd: &Crowd, dice: &mut Seeded) -> Vec<Operation> {
    let mut history: Vec<Operation> = Vec::new();
    let mut store = BTreeMap::<Vec<u8>, Vec<u8>>::new();
    // Who is next, by time; then which operation takes effect (none: the process asks again).
    let mut agenda = BTreeMap::<(u64, usize), Option<usize>>::new();
    for process in 0..crowd.processes {
        agenda.insert((dice.below(100) as u64, process), None);
    }
    let mut others = crowd.processes;
    while let Some(((now, process), due)) = agenda.pop_first() {
        if let Some(at) = due {
            apply(&mut history[at], &mut store);
            continue;
        }
        if history.len() == crowd.operations {
            continue;
        }
        let (wait, rest) = (dice.below(200) as u64, dice.below(200) as u64);
        let end = now + wait + rest;
        let lost = dice.below(crowd.unknown) == 0;
        let at = history.len();
        history.push(Operation {
            process: process as u64,
            key: format!("key {}", dice.below(crowd.keys)).into_bytes(),
            kind: kind(crowd, at, &history, dice),
            start: now,
            end: (!lost).then_some(end),
            outcome: Outcome::Unknown,
        });
        others += 1;
        if !lost {
            agenda.insert((now + wait, others), Some(at));
        } else if dice.below(2) == 0 {
            agenda.insert((now + dice.below(20_000) as u64, others), Some(at));
        }
        agenda.insert((end + 1 + dice.below(50) as u64, process), None);
    }
    history
}

fn kind(crowd: &Crowd, at: usize, history: &[Operation], dice: &mut Seeded) -> Kind {
    let value = match crowd.values {
        0 => format!("{at}").into_bytes(),
        values => format!("{}", dice.below(values)).into_bytes(),
    };
    match dice.below(10) {
        0..=3 => Kind::Put(value),
        4 => {
            // What somebody has put lately, so that some find it.
            let recent = history.iter().rev().take(20);
            let mut puts = recent.filter_map(|operation| match &operation.kind {
                Kind::Put(value) => Some(value.clone()),
                _ => None,
            });
            let expected = puts.next_back();
            Kind::CompareAndSwap {
                expected,
                new: value,
            }
        }
        5 if dice.below(4) == 0 => Kind::Delete,
        _ => Kind::Get,
    }
}

fn apply(operation: &mut Operation, store: &mut BTreeMap<Vec<u8>, Vec<u8>>) {
    let held = store.get(&operation.key).cloned();
    let told = match &operation.kind {
        Kind::Get => Outcome::Read(held),
        Kind::Put(value) => {
            store.insert(operation.key.clone(), value.clone());
            Outcome::Done
        }
        Kind::Delete => {
            store.remove(&operation.key);
            Outcome::Done
        }
        Kind::CompareAndSwap { expected, new } => {
            let equal = *expected == held;
            if equal {
                store.insert(operation.key.clone(), new.clone());
            }
            Outcome::Swapped(equal)
        }
    };
    if operation.end.is_some() {
        operation.outcome = told;
    }
}

fn crowd(keys: usize, values: usize, unknown: usize) -> Crowd {
    Crowd {
        processes: 64,
        keys,
        operations: 100_000,
        unknown,
        values,
    }
}

#[test]
fn a_hundred_thousand_operations_of_a_right_store_are_linearizable() {
    let mut dice = Seeded::new(64);
    for (keys, values, unknown) in [(8, 0, 50), (1, 0, 50), (8, 5, usize::MAX)] {
        let history = record(&crowd(keys, values, unknown), &mut dice);
        assert_eq!(history.len(), 100_000);
        let verdict = history::check(&history);
        assert!(verdict.is_linearizable(), "{keys} keys: {verdict}");
    }
}

#[test]
fn one_stale_read_among_a_hundred_thousand_operations_is_found_and_shown_small() {
    let mut dice = Seeded::new(65);
    let mut history = record(&crowd(8, 0, 50), &mut dice);
    // A get late in the history returns what the same key held when the history was young.
    let read = |operation: &Operation| matches!(operation.outcome, Outcome::Read(Some(_)));
    let late = (90_000..).find(|at| read(&history[*at])).unwrap();
    let young = (1000..).find(|at| read(&history[*at]) && history[*at].key == history[late].key);
    history[late].outcome = history[young.unwrap()].outcome.clone();
    let Verdict::NotLinearizable(explanation) = history::check(&history) else {
        panic!("a stale read was not found");
    };
    assert_eq!(explanation.operations[explanation.misfit], history[late]);
    assert!(explanation.operations.len() <= 6, "{explanation}");
}
