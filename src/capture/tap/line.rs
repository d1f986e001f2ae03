//! What is on its way: things that are due later, in the order in which they are. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

/// Things with the time at which each is due; of those due at one time the first in comes first out.
#[derive(Debug)]
pub struct Line<T> {
    waiting: BTreeMap<(Duration, u64), T>,
    /// How many came so far.
    count: u64,
    /// The one that waits to be overtaken.
    held: Option<(Duration, u64)>,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self {
            waiting: BTreeMap::new(),
            count: 0,
            held: None,
        }
    }
}

impl<T> Line<T> {
    /// Adds one that is due then. One that was held goes right behind it.
    pub fn push(&mut self, due: Duration, thing: T) {
        self.insert(due, thing);
        if let Some(late) = self.held.take().and_then(|key| self.waiting.remove(&key)) {
            self.insert(due, late);
        }
    }

    /// Adds one that the next [`push`](Self::push) overtakes; without one it is due then.
    pub fn hold(&mut self, due: Duration, thing: T) {
        self.held = Some(self.insert(due, thing));
    }

    /// When the first one is due.
    pub fn next_due(&self) -> Option<Duration> {
        self.waiting.first_key_value().map(|((due, _), _)| *due)
    }

    /// Takes the first one, if it is due.
    pub fn pop(&mut self, now: Duration) -> Option<T> {
        let is_due = self.next_due().is_some_and(|due| due <= now);
        let first = if is_due {
            self.waiting.pop_first()
        } else {
            None
        };
        first.map(|(_, thing)| thing)
    }

    fn insert(&mut self, due: Duration, thing: T) -> (Duration, u64) {
        let key = (due, self.count);
        self.count += 1;
        self.waiting.insert(key, thing);
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
            line.push(MS * due, thing);
        }
        assert_eq!(line.next_due(), Some(MS));
        assert_eq!(out(&mut line, MS * 2), "ab");
        assert_eq!(out(&mut line, MS * 9), "cd");
        assert_eq!(line.next_due(), None);
    }

    #[test]
    fn a_held_one_is_overtaken_once_or_goes_at_its_time() {
        let mut line = Line::default();
        line.hold(MS * 100, 'a');
        line.push(MS * 5, 'b');
        line.push(MS * 5, 'c');
        assert_eq!(out(&mut line, MS * 5), "bac");
        line.hold(MS * 100, 'd');
        assert_eq!(out(&mut line, MS * 99), "");
        assert_eq!(out(&mut line, MS * 100), "d");
        line.push(MS * 100, 'e'); // the held one has gone already
        assert_eq!(out(&mut line, MS * 100), "e");
    }
}
