//! The search for a legal order of one register's steps.
//!
//! Wing and Gong ("Testing and verifying concurrent objects", 1993): a step may come next if no
//! remaining step ended before it started. Try each legal one and go on; go back when none is left.
//! Lowe ("Testing for linearizability", 2017): remember the *configurations* (which steps are
//! taken, what the register holds) from which no order was found. Both are exponential at worst.
//! For a register, much more can be decided without a choice:
//!
//! 1. *A step that only reads is taken at once.* A get of the value that the register holds may
//!    come before anything else: it changes nothing, and to delay it gains nothing.
//! 2. *Of two puts of one value, take the one that must end first.* In any order they can be
//!    swapped.
//! 3. *No change while the value is needed.* If a get of the current value remains, and nothing
//!    that could make this value again starts before that get must end, the register cannot change.
//! 4. *A value that is needed only now is taken at once.* If all remaining gets of a value may come
//!    next, its put and these gets form a block. In any legal order, the block can move to the
//!    front, before the next change. The rule does not apply if a swap waits for the current value,
//!    or if a compare-and-swap has yet to fail that would succeed if this put moved.
//! 5. *An optional effect that no step saw is left out*, except to make a compare-and-swap fail.
//!    For that, each is as good as another, so the first is taken.
//!
//! If each value is put only once, these rules leave almost no choice, as Gibbons and Korach
//! ("Testing shared memories", 1997) found: such histories of any length are judged in nearly
//! linear time. The remaining choices are tried in the order of deadlines.

use std::collections::{BTreeMap, BTreeSet};

use super::register::{ABSENT, Effect, Register, Step, Word};
use crate::raft::dice::Dice;

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A legal order, as places in the steps; optional ones may be missing.
    Order(Vec<usize>),
    /// There is none.
    Nothing,
    /// The limit was reached first.
    GaveUp,
}

/// Searches; tries at most `limit` changes of the register.
pub(super) fn search(register: &Register, limit: u64) -> Found {
    Search::new(register).run(limit)
}

/// A configuration, and what is needed to go on and back from it.
struct Search<'a> {
    steps: &'a [Step],
    /// The remaining steps, by start; and those of them that are not optional, by end.
    by_start: Links,
    by_end: Links,
    /// The remaining steps, by the value that they concern.
    words: Vec<Concerned>,
    /// How many [`Effect::Differs`] remain.
    differs: usize,
    held: Word,
    /// The steps taken, each with what the register held before.
    taken: Vec<(usize, Word)>,
    /// The sum of the names of the steps taken: two sets with the same sum count as equal.
    name: u128,
}

/// The remaining steps that concern a value: the demand for it and the supply of it.
#[derive(Clone, Debug, Default)]
struct Concerned {
    /// Gets of it, by their end.
    holds: BTreeSet<(u64, usize)>,
    /// Swaps from it that happened, by their end.
    swaps: BTreeSet<(u64, usize)>,
    /// How many swaps from it may happen.
    wishes: usize,
    /// How many compare-and-swaps expect it and failed.
    differs: usize,
    /// Puts of it and swaps to it, optional or not, by their start.
    makers: BTreeSet<(u64, usize)>,
}

impl Concerned {
    fn nobody_asks(&self) -> bool {
        self.holds.is_empty() && self.swaps.is_empty() && self.wishes == 0
    }

    /// Whether it can be made again before the first of these must have taken effect.
    fn made_before(&self, due: Option<&(u64, usize)>) -> bool {
        let first = self.makers.first();
        due.is_none_or(|(end, _)| first.is_some_and(|(start, _)| start <= end))
    }
}

/// A place where there was a choice.
struct Fork {
    taken: usize,
    /// The steps not tried yet, the best last.
    choices: Vec<usize>,
}

impl<'a> Search<'a> {
    fn new(register: &'a Register) -> Self {
        let steps = &register.steps[..];
        let mut new = Self {
            steps,
            by_start: Links::new(0, [].into_iter()),
            by_end: Links::new(0, [].into_iter()),
            words: vec![Concerned::default(); register.words],
            differs: 0,
            held: ABSENT,
            taken: Vec::new(),
            name: 0,
        };
        (0..steps.len()).for_each(|at| new.count(at, Count::In));
        let starts = new.without_the_unseen();
        let mut ends = starts.clone();
        ends.retain(|at| !steps[*at].optional);
        ends.sort_by_key(|at| steps[*at].end);
        new.by_start = Links::new(steps.len(), starts.into_iter());
        new.by_end = Links::new(steps.len(), ends.into_iter());
        new
    }

    /// All steps but those that rule 5 leaves out in every configuration.
    fn without_the_unseen(&mut self) -> Vec<usize> {
        let mut kept: Vec<usize> = (0..self.steps.len()).collect();
        // A step that is left out may have been the only one that needed another.
        let mut before = usize::MAX;
        while kept.len() < before {
            before = kept.len();
            // Each useful one makes one compare-and-swap fail, so no more are needed. Of puts that
            // no step tells apart, those that start first can do what the others can.
            let mut room = self.differs;
            kept.retain(|at| {
                let step = &self.steps[*at];
                let stays = !step.optional
                    || match step.effect {
                        Effect::Becomes(to) if self.is_any(to) => {
                            let stays = room > 0;
                            room = room.saturating_sub(1);
                            stays
                        }
                        // A compare-and-swap that fails on the second value fails on the first,
                        // too.
                        Effect::Swaps(from, to) => {
                            !self.words[to].nobody_asks() || self.words[from].differs > 0
                        }
                        _ => true,
                    };
                if !stays {
                    self.count(*at, Count::Out);
                }
                stays
            });
        }
        kept
    }

    /// Whether all values like this are alike: no step asks for it, and no failed compare-and-swap
    /// expected it.
    fn is_any(&self, word: Word) -> bool {
        self.words[word].nobody_asks() && self.words[word].differs == 0
    }

    fn run(mut self, limit: u64) -> Found {
        if self.some_value_has_no_origin() {
            return Found::Nothing;
        }
        let (mut forks, mut failed, mut tried) = (Vec::<Fork>::new(), BTreeSet::new(), 0);
        loop {
            self.take_what_only_looks();
            if self.by_end.first().is_none() {
                return Found::Order(self.taken.iter().map(|(at, _)| *at).collect());
            }
            let choices = self.choices();
            // Configurations are worth remembering only if there is a choice.
            if choices.len() < 2 || failed.insert((self.name, self.held)) {
                let taken = self.taken.len();
                forks.push(Fork { taken, choices });
            }
            let Some(next) = self.go_back(&mut forks) else {
                return Found::Nothing;
            };
            if tried == limit {
                return Found::GaveUp;
            }
            tried += 1;
            self.take(next);
        }
    }

    /// Goes back to the last fork with a choice left, and returns that choice.
    fn go_back(&mut self, forks: &mut Vec<Fork>) -> Option<usize> {
        loop {
            let fork = forks.last_mut()?;
            if let Some(next) = fork.choices.pop() {
                let taken = fork.taken;
                if fork.choices.is_empty() {
                    // So that a history without choices keeps no forks.
                    forks.pop();
                }
                while self.taken.len() > taken {
                    self.put_back();
                }
                return Some(next);
            }
            forks.pop();
        }
    }

    /// Whether some value is needed more often than it can be made.
    fn some_value_has_no_origin(&self) -> bool {
        let mut words = self.words.iter().enumerate();
        words.any(|(word, concerned)| {
            let origins = concerned.makers.len() + usize::from(word == self.held);
            concerned.swaps.len() > origins || (!concerned.holds.is_empty() && origins == 0)
        })
    }

    /// The first end of a remaining step: what comes next must not start later.
    fn horizon(&self) -> u64 {
        self.by_end
            .first()
            .map_or(u64::MAX, |at| self.steps[at].end)
    }

    /// What may come next, by start.
    fn open(&self) -> impl Iterator<Item = usize> {
        let horizon = self.horizon();
        let all = std::iter::successors(self.by_start.first(), |at| self.by_start.after(*at));
        all.take_while(move |at| self.steps[*at].start <= horizon)
    }

    /// Rule 1.
    fn take_what_only_looks(&mut self) {
        loop {
            let legal = |at: &usize| match self.steps[*at].effect {
                Effect::Holds(word) => word == self.held,
                Effect::Differs(word) => word != self.held,
                Effect::Becomes(_) | Effect::Swaps(..) => false,
            };
            let looks: Vec<usize> = self.open().filter(legal).collect();
            if looks.is_empty() {
                return;
            }
            looks.into_iter().for_each(|at| self.take(at));
        }
    }

    /// The steps to try next, the best last. No step that only reads is legal now.
    fn choices(&self) -> Vec<usize> {
        let scene = Scene::of(self);
        let mut ranked = Vec::new();
        for (&(way, is_swap), &at) in &scene.offers {
            let step = &self.steps[at];
            let to = match step.effect {
                Effect::Becomes(to) => to,
                _ => way,
            };
            let unwanted = step.optional && self.words[to].nobody_asks();
            if !self.may_leave(at) || (unwanted && !scene.stuck) {
                continue; // Rules 3 and 5.
            }
            let block = !unwanted && self.is_block(to, &scene);
            if block && !is_swap && !scene.swap_waits && !self.failure_depends_on(at) {
                return vec![at]; // Rule 4.
            }
            let due = scene.waiting.get(&to).map_or(u64::MAX, |(_, due)| *due);
            ranked.push((unwanted, !block, due.min(step.end), at));
        }
        ranked.sort_by(|a, b| b.cmp(a));
        ranked.into_iter().map(|(.., at)| at).collect()
    }

    /// Rule 3, for this change of the register.
    fn may_leave(&self, at: usize) -> bool {
        let here = &self.words[self.held];
        let mut swaps = here.swaps.iter().filter(|(_, other)| *other != at);
        here.made_before(here.holds.first())
            && here.made_before(swaps.next())
            && swaps.count() < here.makers.len().max(1)
    }

    /// Whether all steps that ask for a value may come next.
    fn is_block(&self, word: Word, scene: &Scene) -> bool {
        let waiting = scene.waiting.get(&word).map_or(0, |(count, _)| *count);
        let there = &self.words[word];
        there.swaps.is_empty() && there.wishes == 0 && there.holds.len() == waiting
    }

    /// Whether a compare-and-swap may remain that fails only because this put comes between it and
    /// the value that it expects. That value must have been made before the put's end.
    fn failure_depends_on(&self, at: usize) -> bool {
        let end = self.steps[at].end;
        let all = std::iter::successors(self.by_start.first(), |at| self.by_start.after(*at));
        let mut before = all.take_while(|other| self.steps[*other].start <= end);
        self.differs > 0
            && before.any(|other| match self.steps[other].effect {
                Effect::Becomes(to) | Effect::Swaps(_, to) => self.words[to].differs > 0,
                Effect::Holds(_) | Effect::Differs(_) => false,
            })
    }

    fn take(&mut self, at: usize) {
        let step = self.steps[at];
        self.taken.push((at, self.held));
        self.by_start.remove(at);
        if !step.optional {
            self.by_end.remove(at);
        }
        self.count(at, Count::Out);
        self.name = self.name.wrapping_add(name(at));
        if let Effect::Becomes(to) | Effect::Swaps(_, to) = step.effect {
            self.held = to;
        }
    }

    fn put_back(&mut self) {
        let Some((at, held)) = self.taken.pop() else {
            return;
        };
        let step = self.steps[at];
        self.held = held;
        self.name = self.name.wrapping_sub(name(at));
        self.count(at, Count::In);
        if !step.optional {
            self.by_end.restore(at);
        }
        self.by_start.restore(at);
    }

    /// Adds a step to the remaining ones of its values, or removes it.
    fn count(&mut self, at: usize, count: Count) {
        let step = &self.steps[at];
        let change = |number: &mut usize| match count {
            Count::In => *number += 1,
            Count::Out => *number -= 1,
        };
        let place = |places: &mut BTreeSet<(u64, usize)>, time: u64| match count {
            Count::In => places.insert((time, at)),
            Count::Out => places.remove(&(time, at)),
        };
        match step.effect {
            Effect::Holds(word) => drop(place(&mut self.words[word].holds, step.end)),
            Effect::Differs(word) => {
                change(&mut self.differs);
                change(&mut self.words[word].differs);
            }
            Effect::Becomes(to) => drop(place(&mut self.words[to].makers, step.start)),
            Effect::Swaps(from, to) => {
                match step.optional {
                    true => change(&mut self.words[from].wishes),
                    false => drop(place(&mut self.words[from].swaps, step.end)),
                }
                place(&mut self.words[to].makers, step.start);
            }
        }
    }
}

/// Which way to count.
#[derive(Clone, Copy)]
enum Count {
    In,
    Out,
}

/// Stands for every value that only makes a compare-and-swap fail: all are equally good for that.
const ANY: Word = Word::MAX;

/// What can happen next in a configuration.
struct Scene {
    /// The steps that could change the register, one for each way: that which must end first (rule
    /// 2). A swap and a put of the same value are two ways; all puts of [`ANY`] value are one way.
    offers: BTreeMap<(Word, bool), usize>,
    /// The gets of other values: how many, and when the first of them must have taken effect.
    waiting: BTreeMap<Word, (usize, u64)>,
    /// Whether a compare-and-swap has yet to fail, but would not on the current value.
    stuck: bool,
    /// Whether a swap from the current value may come next.
    swap_waits: bool,
}

impl Scene {
    fn of(search: &Search<'_>) -> Scene {
        let mut scene = Scene {
            offers: BTreeMap::new(),
            waiting: BTreeMap::new(),
            stuck: false,
            swap_waits: false,
        };
        for at in search.open() {
            let step = &search.steps[at];
            let way = match step.effect {
                Effect::Becomes(to) if step.optional && search.is_any(to) => (ANY, false),
                Effect::Becomes(to) => (to, false),
                Effect::Swaps(from, to) if from == search.held => {
                    scene.swap_waits = true;
                    (to, true)
                }
                Effect::Swaps(from, _) => {
                    let due = &mut scene.waiting.entry(from).or_insert((0, u64::MAX)).1;
                    *due = step.end.min(*due);
                    continue;
                }
                Effect::Holds(word) => {
                    let (count, due) = scene.waiting.entry(word).or_insert((0, u64::MAX));
                    (*count, *due) = (*count + 1, step.end.min(*due));
                    continue;
                }
                Effect::Differs(_) => {
                    scene.stuck = true;
                    continue;
                }
            };
            let best = scene.offers.entry(way).or_insert(at);
            let urgency = |step: &Step| (step.end, step.optional);
            if urgency(step) < urgency(&search.steps[*best]) {
                *best = at;
            }
        }
        scene
    }
}

/// A number for a step. The sums of two sets of them are the same by chance only: with a billion
/// sets, once in 10^20 searches.
fn name(at: usize) -> u128 {
    let mut dice = Dice::new(at as u64);
    u128::from(dice.number()) << 64 | u128::from(dice.number())
}

/// A list of places from which any can be removed at once, and restored in reverse order
/// (Knuth's dancing links).
struct Links {
    /// One more than there are places: the last is before the first and after the last.
    next: Vec<usize>,
    back: Vec<usize>,
}

impl Links {
    fn new(places: usize, order: impl Iterator<Item = usize>) -> Links {
        let mut links = Links {
            next: vec![places; places + 1],
            back: vec![places; places + 1],
        };
        let mut last = places;
        for at in order {
            (links.next[last], links.back[at]) = (at, last);
            last = at;
        }
        (links.next[last], links.back[places]) = (places, last);
        links
    }

    fn first(&self) -> Option<usize> {
        self.after(self.next.len() - 1)
    }

    fn after(&self, at: usize) -> Option<usize> {
        let next = self.next[at];
        (next + 1 < self.next.len()).then_some(next)
    }

    fn remove(&mut self, at: usize) {
        let (next, back) = (self.next[at], self.back[at]);
        (self.next[back], self.back[next]) = (next, back);
    }

    fn restore(&mut self, at: usize) {
        let (next, back) = (self.next[at], self.back[at]);
        (self.next[back], self.back[next]) = (at, at);
    }
}
