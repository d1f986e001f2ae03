//! The operations on one key as what they do to a register: the form that is searched.
//!
//! Values become numbers. Four kinds of operation and five outcomes become four effects, some of
//! which are *optional*: they may be left out of an order, since it is not known that they
//! happened. Operations that can have no effect and tell nothing are left out here.

use std::collections::BTreeMap;

use super::operation::{Kind, Operation, Outcome};

/// A value's number; 0 is a register without a value.
pub(super) type Word = usize;

/// The register without a value, as each one begins.
pub(super) const ABSENT: Word = 0;

/// What an operation does when it takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing: the register holds this.
    Holds(Word),
    /// Nothing: the register holds something else (a compare-and-swap that did not swap).
    Differs(Word),
    /// The register holds this from now on.
    Becomes(Word),
    /// The register holds the first, and from now on the second.
    Swaps(Word, Word),
}

/// An operation on a register.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// It takes effect at this time or later,
    pub start: u64,
    /// and at this time or earlier.
    pub end: u64,
    /// How.
    pub effect: Effect,
    /// Whether it may take no effect at all.
    pub optional: bool,
    /// Its place in the whole history.
    pub source: usize,
}

/// The steps of a key, in order of their start, and how many values there are.
#[derive(Clone, Debug)]
pub(super) struct Register {
    pub steps: Vec<Step>,
    pub words: usize,
}

impl Register {
    /// `operations` are those of one key, each with its place in the whole history.
    pub fn new<'a>(operations: impl Iterator<Item = (usize, &'a Operation)>) -> Register {
        let mut numbers = Numbers::default();
        let mut steps = Vec::new();
        for (source, operation) in operations {
            let Some((effect, optional)) = numbers.effect(operation) else {
                continue;
            };
            let end = if optional { None } else { operation.end };
            steps.push(Step {
                start: operation.start,
                end: end.unwrap_or(u64::MAX).max(operation.start),
                effect,
                optional,
                source,
            });
        }
        steps.sort_by_key(|step| (step.start, step.source));
        Register {
            steps,
            words: numbers.words,
        }
    }

    /// The register as known at this time: what had not been answered then is optional.
    pub fn until(&self, time: u64) -> Register {
        let begun = self.steps.iter().filter(|step| step.start <= time);
        let known = begun.filter_map(|step| match step.effect {
            _ if step.end <= time => Some(*step),
            Effect::Holds(_) | Effect::Differs(_) => None,
            Effect::Becomes(_) | Effect::Swaps(..) => Some(Step {
                end: u64::MAX,
                optional: true,
                ..*step
            }),
        });
        Register {
            steps: known.collect(),
            words: self.words,
        }
    }

    /// All but the steps at these places.
    pub fn without(&self, go: impl Fn(usize) -> bool) -> Register {
        let kept = self.steps.iter().enumerate().filter(|(at, _)| !go(*at));
        Register {
            steps: kept.map(|(_, step)| *step).collect(),
            words: self.words,
        }
    }
}

/// Numbers for values, in the order of their first appearance.
struct Numbers<'a> {
    known: BTreeMap<&'a [u8], Word>,
    words: usize,
}

impl Default for Numbers<'_> {
    fn default() -> Self {
        Self {
            known: BTreeMap::new(),
            words: ABSENT + 1,
        }
    }
}

impl<'a> Numbers<'a> {
    /// The effect, and whether it is optional.
    fn effect(&mut self, operation: &'a Operation) -> Option<(Effect, bool)> {
        let effect = match (&operation.kind, &operation.outcome) {
            (_, Outcome::Failed) | (Kind::Get, Outcome::Unknown) => return None,
            // An answer to another question: it fits nowhere, as no register holds a value never
            // written.
            (kind, outcome) if !outcome.suits(kind) => Effect::Holds(self.fresh()),
            (Kind::Get, Outcome::Read(value)) => Effect::Holds(self.of(value.as_deref())),
            (Kind::Get, _) => return None,
            (Kind::Put(value), _) => Effect::Becomes(self.of(Some(value))),
            (Kind::Delete, _) => Effect::Becomes(ABSENT),
            (Kind::CompareAndSwap { expected, .. }, Outcome::Swapped(false)) => {
                Effect::Differs(self.of(expected.as_deref()))
            }
            (Kind::CompareAndSwap { expected, new }, _) => {
                Effect::Swaps(self.of(expected.as_deref()), self.of(Some(new)))
            }
        };
        match (effect, operation.outcome == Outcome::Unknown) {
            (Effect::Swaps(from, to), true) if from == to => None,
            (Effect::Swaps(from, to), false) if from == to => Some((Effect::Holds(from), false)),
            (effect, optional) => Some((effect, optional)),
        }
    }

    fn of(&mut self, value: Option<&'a [u8]>) -> Word {
        let Some(value) = value else {
            return ABSENT;
        };
        let known = self.known.get(value).copied();
        known.unwrap_or_else(|| {
            let word = self.fresh();
            self.known.insert(value, word);
            word
        })
    }

    fn fresh(&mut self) -> Word {
        self.words += 1;
        self.words - 1
    }
}
