//! Why a history is not linearizable: the few operations that show it.
//!
//! Two cuts make the explanation small, and both keep it true:
//!
//! - *In time*: at the first answer with which no order is left. What had not been answered then
//!   may or may not have happened, and nothing later matters.
//! - *In number*: an operation that only reads can be left out of any legal order. So can a change
//!   whose value no operation saw, if no compare-and-swap failed. If there is no order without
//!   them, they are not the reason.

use super::operation::Operation;
use super::register::{Effect, Register, Step};
use super::search::{Found, search};

/// The operations on one key of which no order is legal. Without any of them, one would be, or they
/// would explain less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// On which key.
    pub key: Vec<u8>,
    /// The operations, in order of their start.
    pub operations: Vec<Operation>,
    /// When no order was possible any more, in microseconds. What ends later had not been
    /// answered then.
    pub until: u64,
    /// Which of them fits nowhere: with its answer, no order was possible any more.
    pub misfit: usize,
    /// A legal order of what had been answered before that: the last one possible.
    pub order: Vec<usize>,
}

impl Explanation {
    /// Explains why `register` has no legal order. As small as the limit allows, which ends each
    /// search.
    pub(super) fn new(key: &[u8], all: &[Operation], register: Register, limit: u64) -> Self {
        let has_none = |register: &Register| matches!(search(register, limit), Found::Nothing);
        let (part, until) = first_answer_too_many(register, has_none);
        let part = smallest(part, has_none);
        let steps = &part.steps;
        let place = |source| steps.iter().position(|step| step.source == source);
        let before = part.until(until.saturating_sub(1));
        let order = match search(&before, limit) {
            Found::Order(order) => order,
            Found::Nothing | Found::GaveUp => Vec::new(),
        };
        let order = order
            .iter()
            .filter_map(|at| place(before.steps[*at].source));
        let last = steps
            .iter()
            .position(|step| !step.optional && step.end == until);
        Self {
            key: key.to_vec(),
            operations: steps.iter().map(|step| all[step.source].clone()).collect(),
            until,
            misfit: last.unwrap_or_default(),
            order: order.collect(),
        }
    }
}

/// The register until the first answer with which it has no order, and when that was.
fn first_answer_too_many(
    register: Register,
    has_none: impl Fn(&Register) -> bool,
) -> (Register, u64) {
    let answered = register.steps.iter().filter(|step| !step.optional);
    let mut times: Vec<u64> = answered.map(|step| step.end).collect();
    times.sort_unstable();
    times.dedup();
    // Up to `times[most]` there is none; before `times[least]` there is one, or it is undecided.
    let (mut least, mut most) = (0, times.len().saturating_sub(1));
    while least < most {
        let middle = least + (most - least) / 2;
        match has_none(&register.until(times[middle])) {
            true => most = middle,
            false => least = middle + 1,
        }
    }
    let until = times.get(most).copied().unwrap_or(u64::MAX);
    (register.until(until), until)
}

/// Rounds of leaving out: each takes one more swap off the end of a chain.
const ROUNDS: usize = 8;

/// Leaves out what can be left out, in large parts first.
fn smallest(mut register: Register, has_none: impl Fn(&Register) -> bool) -> Register {
    for _ in 0..ROUNDS {
        let before = register.steps.len();
        register = thinned(register, only_looks, &has_none);
        register = thinned(register, unseen, &has_none);
        if register.steps.len() == before {
            break;
        }
    }
    register
}

/// Leaves out the steps that `may_go` names, as far as there is still no order without them.
fn thinned(
    mut register: Register,
    may_go: impl Fn(&Register) -> Vec<bool>,
    has_none: impl Fn(&Register) -> bool,
) -> Register {
    let mut part = register.steps.len().max(1);
    loop {
        let (mut from, mut go) = (0, may_go(&register));
        while from < register.steps.len() {
            let to = (from + part).min(register.steps.len());
            let gone = go[from..to].iter().filter(|go| **go).count();
            let without = register.without(|at| (from..to).contains(&at) && go[at]);
            from = to;
            if gone > 0 && has_none(&without) {
                register = without;
                go = may_go(&register);
                from = to - gone;
            }
        }
        if part == 1 {
            return register;
        }
        part = part.div_ceil(2);
    }
}

fn only_looks(register: &Register) -> Vec<bool> {
    let looks = |step: &Step| matches!(step.effect, Effect::Holds(_) | Effect::Differs(_));
    register.steps.iter().map(looks).collect()
}

/// For each step, whether it makes a value that no step asks for.
fn unseen(register: &Register) -> Vec<bool> {
    let mut asked = vec![false; register.words];
    let mut failed = false;
    for step in &register.steps {
        match step.effect {
            Effect::Holds(word) | Effect::Swaps(word, _) => asked[word] = true,
            Effect::Differs(_) => failed = true,
            Effect::Becomes(_) => {}
        }
    }
    let unseen = |step: &Step| match step.effect {
        Effect::Becomes(to) | Effect::Swaps(_, to) => !asked[to] && !failed,
        Effect::Holds(_) | Effect::Differs(_) => false,
    };
    register.steps.iter().map(unseen).collect()
}
