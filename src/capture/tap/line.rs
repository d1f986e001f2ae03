//! Things that are due later, in the order in which they are due. Pure.
//!
//! Several flows share a line. A thing that is held waits for the next one of its own flow; things
//! of other flows do not release it.

use std::collections::BTreeMap;
use std::time::Duration;

/// Things with the times at which they are due; of those due at the same time, the first in is
/// first out.
#[derive(Debug)]
pub struct Line<T> {
    waiting: BTreeMap<Key, (u64, T)>,
    /// How many came so far.
    count: u64,
    /// Those that wait to be overtaken, by flow.
    held: BTreeMap<u64, Vec<Key>>,
}

/// When it is due, and its number.
type Key = (Duration, u64);

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self {
            waiting: BTreeMap::new(),
            count: 0,
            held: BTreeMap::new(),
        }
    }
}

impl<T> Line<T> {
    /// Adds a thing of a flow, due at this time. A held thing of the flow then goes directly after
    /// it.
    pub fn push(&mut self, due: Duration, flow: u64, thing: T) {
        self.insert(due, flow, thing);
        for key in self.held.remove(&flow).unwrap_or_default() {
            if let Some((_, late)) = self.waiting.remove(&key) {
                self.insert(due, flow, late);
            }
        }
    }

    /// Adds a thing that the flow's next [`push`](Self::push) overtakes; without one, it is due at
    /// `due`.
    pub fn hold(&mut self, due: Duration, flow: u64, thing: T) {
        let key = self.insert(due, flow, thing);
        self.held.entry(flow).or_default().push(key);
    }

    /// When the first one is due.
    pub fn next_due(&self) -> Option<Duration> {
        self.waiting.first_key_value().map(|((due, _), _)| *due)
    }

    /// Takes the first one, if it is due.
    pub fn pop(&mut self, now: Duration) -> Option<T> {
        let is_due = self.next_due().is_some_and(|due| due <= now);
        if !is_due {
            return None;
        }
        let (key, (flow, thing)) = self.waiting.pop_first()?;
        if let Some(held) = self.held.get_mut(&flow) {
            held.retain(|one| *one != key);
            if held.is_empty() {
                self.held.remove(&flow);
            }
        }
        Some(thing)
    }

    fn insert(&mut self, due: Duration, flow: u64, thing: T) -> Key {
        let key = (due, self.count);
        self.count += 1;
        self.waiting.insert(key, (flow, thing));
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn out(line: &mut Line<char>, now: Duration) -> String {
        std::iter::from_fn(|| line.pop(now)).collect()
    }

    #[test]
    fn what_is_due_first_comes_first_and_nothing_before_its_time() {
        let mut line = Line::default();
        for (due, thing) in [(3, 'c'), (1, 'a'), (3, 'd'), (2, 'b')] {
            line.push(MS * due, 0, thing);
        }
        assert_eq!(line.next_due(), Some(MS));
        assert_eq!(out(&mut line, MS * 2), "ab");
        assert_eq!(out(&mut line, MS * 9), "cd");
        assert_eq!(line.next_due(), None);
    }

    #[test]
    fn a_held_one_is_overtaken_once_or_goes_at_its_time() {
        let mut line = Line::default();
        line.hold(MS * 100, 0, 'a');
        line.push(MS * 5, 0, 'b');
        line.push(MS * 5, 0, 'c');
        assert_eq!(out(&mut line, MS * 5), "bac");
        line.hold(MS * 100, 0, 'd');
        assert_eq!(out(&mut line, MS * 99), "");
        assert_eq!(out(&mut line, MS * 100), "d");
        line.push(MS * 100, 0, 'e'); // the held one has gone already
        assert_eq!(out(&mut line, MS * 100), "e");
    }

    #[test]
    fn another_flow_does_not_let_a_held_one_go_and_both_copies_of_one_are_overtaken() {
        let mut line = Line::default();
        line.hold(MS * 100, 1, 'a');
        line.hold(MS * 100, 1, 'a');
        line.hold(MS * 100, 2, 'x');
        line.push(MS * 5, 3, '-');
        line.push(MS * 5, 2, 'y');
        assert_eq!(out(&mut line, MS * 5), "-yx");
        line.push(MS * 6, 1, 'b');
        assert_eq!(out(&mut line, MS * 6), "baa");
        assert!(line.held.is_empty());
        line.hold(MS * 100, 1, 'c');
        assert_eq!(out(&mut line, MS * 100), "c");
        assert!(line.held.is_empty(), "what has gone is not remembered");
    }
}
