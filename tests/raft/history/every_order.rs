//! The checker against one that tries every order: the same verdict on small random histories.

use std::collections::{BTreeMap, BTreeSet};

use groundwire::raft::history::{self, Kind, Operation, Outcome, Verdict};

use crate::seeded::Seeded;

type State = BTreeMap<Vec<u8>, Vec<u8>>;

/// Whether some order is legal, found by trying all: of all keys together, so that it does not
/// depend on linearizability being local.
fn some_order_is_legal(history: &[Operation]) -> bool {
    fn from(
        history: &[Operation],
        taken: u32,
        state: &State,
        seen: &mut BTreeSet<(u32, State)>,
    ) -> bool {
        if !seen.insert((taken, state.clone())) {
            return false;
        }
        let left = || (0..history.len()).filter(|at| taken & 1 << at == 0);
        if left().all(|at| matches!(history[at].outcome, Outcome::Unknown | Outcome::Failed)) {
            return true;
        }
        let end = |at: usize| match history[at].outcome {
            Outcome::Unknown | Outcome::Failed => u64::MAX,
            _ => history[at].end.unwrap_or(u64::MAX),
        };
        let first_end = left().map(end).min().unwrap_or(u64::MAX);
        left()
            .filter(|at| history[*at].start <= first_end)
            .any(|at| {
                let mut next = state.clone();
                legal(&history[at], &mut next) && from(history, taken | 1 << at, &next, seen)
            })
    }
    from(history, 0, &State::new(), &mut BTreeSet::new())
}

/// Applies an operation; false if its outcome is not what this state gives.
fn legal(operation: &Operation, state: &mut State) -> bool {
    let key = &operation.key;
    let held = state.get(key).cloned();
    match (&operation.kind, &operation.outcome) {
        (_, Outcome::Failed) => return false,
        (Kind::Get, Outcome::Read(value)) => return *value == held,
        (Kind::Get, _) => {}
        (Kind::Put(value), _) => drop(state.insert(key.clone(), value.clone())),
        (Kind::Delete, _) => drop(state.remove(key)),
        (Kind::CompareAndSwap { expected, new }, told) => {
            let equal = *expected == held;
            if equal {
                state.insert(key.clone(), new.clone());
            }
            return *told == Outcome::Unknown || *told == Outcome::Swapped(equal);
        }
    }
    true
}

/// What a random history is made of.
struct Shape {
    most: usize,
    keys: usize,
    values: usize,
    moments: usize,
    swaps: bool,
    /// Of so many operations one has no known outcome.
    unknown: usize,
}

fn random(dice: &mut Seeded, shape: &Shape) -> Vec<Operation> {
    let count = 1 + dice.below(shape.most);
    let operations = (0..count).map(|at| {
        let value = |dice: &mut Seeded| vec![b'a' + dice.below(shape.values) as u8];
        let perhaps = |dice: &mut Seeded| (dice.below(4) > 0).then(|| value(dice));
        let (kind, told) = match dice.below(if shape.swaps { 9 } else { 6 }) {
            0 | 1 => (Kind::Put(value(dice)), Outcome::Done),
            2 if dice.below(2) == 0 => (Kind::Delete, Outcome::Done),
            2..=5 => (Kind::Get, Outcome::Read(perhaps(dice))),
            _ => {
                let (expected, new) = (perhaps(dice), value(dice));
                let told = Outcome::Swapped(dice.below(3) > 0);
                (Kind::CompareAndSwap { expected, new }, told)
            }
        };
        let start = dice.below(shape.moments) as u64;
        let outcome = match (dice.below(shape.unknown), dice.below(12)) {
            (0, _) => Outcome::Unknown,
            (_, 0) => Outcome::Failed,
            _ => told,
        };
        Operation {
            process: at as u64,
            key: vec![b'x' + dice.below(shape.keys) as u8],
            kind,
            start,
            end: Some(start + dice.below(shape.moments) as u64),
            outcome,
        }
    });
    operations.collect()
}

/// The operations of an explanation as the paper would have them: a history that is cut.
fn cut(explanation: &history::Explanation) -> Vec<Operation> {
    let mut operations = explanation.operations.clone();
    for operation in &mut operations {
        if operation.end.is_some_and(|end| end > explanation.until) {
            operation.outcome = Outcome::Unknown;
        }
    }
    operations
}

#[test]
fn a_search_that_skips_orders_finds_what_a_search_of_all_orders_finds() {
    let shape = |most, keys, values, moments, swaps, unknown| Shape {
        most,
        keys,
        values,
        moments,
        swaps,
        unknown,
    };
    let shapes = [
        shape(5, 1, 3, 6, false, 6),
        shape(7, 1, 2, 8, true, 6),
        shape(8, 2, 2, 8, true, 6),
        shape(9, 1, 3, 30, true, 6),
        shape(10, 1, 6, 20, false, 6),
        shape(11, 1, 2, 40, true, 6),
        // Lost writes that nobody saw, and swaps that failed for them.
        shape(10, 1, 9, 20, true, 2),
        shape(9, 1, 5, 12, true, 3),
    ];
    let mut dice = Seeded::new(1990);
    let mut counts = [0, 0];
    for round in 0..8_000 {
        let history = random(&mut dice, &shapes[round % shapes.len()]);
        let expected = some_order_is_legal(&history);
        let verdict = history::check(&history);
        counts[usize::from(expected)] += 1;
        let lines: Vec<String> = history.iter().map(Operation::to_line).collect();
        assert_eq!(
            verdict.is_linearizable(),
            expected,
            "{}\n{verdict}",
            lines.join("\n")
        );
        assert_eq!(
            verdict,
            history::check(&history),
            "the same history, the same verdict"
        );
        if let Verdict::NotLinearizable(explanation) = verdict {
            let part = cut(&explanation);
            assert!(
                !some_order_is_legal(&part),
                "{}\n{explanation}",
                lines.join("\n")
            );
            assert_an_order_of_the_rest(&explanation);
        }
    }
    assert!(counts.iter().all(|count| *count > 1000), "{counts:?}");
}

/// The order that an explanation shows is a legal one of part of its operations.
fn assert_an_order_of_the_rest(explanation: &history::Explanation) {
    let mut state = State::new();
    for at in &explanation.order {
        let operation = &cut(explanation)[*at];
        assert!(legal(operation, &mut state), "{explanation}");
    }
    let misfit = &explanation.operations[explanation.misfit];
    assert_eq!(misfit.end, Some(explanation.until), "{explanation}");
}
