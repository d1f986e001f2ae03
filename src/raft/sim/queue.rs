//! Future events, in order of time; of the same time, in the order in which they were planned.

use std::collections::BTreeMap;
use std::time::Duration;

/// Events that wait for their time.
#[derive(Debug)]
pub(super) struct Queue<T> {
    waiting: BTreeMap<(Duration, u64), T>,
    planned: u64,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        Self {
            waiting: BTreeMap::new(),
            planned: 0,
        }
    }

    /// Plans an event.
    pub(super) fn plan(&mut self, time: Duration, event: T) {
        self.planned += 1;
        self.waiting.insert((time, self.planned), event);
    }

    /// When the next event is.
    pub(super) fn first(&self) -> Option<Duration> {
        self.waiting.keys().next().map(|(time, _)| *time)
    }

    /// The next event, if its time has come.
    pub(super) fn due(&mut self, now: Duration) -> Option<T> {
        let first = self.waiting.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// The next event, with its time.
    pub(super) fn next(&mut self) -> Option<(Duration, T)> {
        let ((time, _), event) = self.waiting.pop_first()?;
        Some((time, event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_the_order_of_time_then_of_planning() {
        let mut queue = Queue::new();
        for (millis, name) in [(2, "c"), (1, "a"), (2, "d"), (1, "b")] {
            queue.plan(Duration::from_millis(millis), name);
        }
        let names: Vec<&str> = std::iter::from_fn(|| queue.next().map(|(_, name)| name)).collect();
        assert_eq!(names, ["a", "b", "c", "d"]);
    }

    #[test]
    fn an_event_is_due_from_its_time_on() {
        let mut queue = Queue::new();
        let [early, late] = [1, 2].map(Duration::from_millis);
        assert_eq!(queue.first(), None);
        queue.plan(late, "b");
        queue.plan(early, "a");
        assert_eq!(queue.first(), Some(early));
        assert_eq!(queue.due(Duration::ZERO), None);
        assert_eq!(queue.due(early), Some("a"));
        assert_eq!(queue.due(early), None);
        assert_eq!(queue.due(late), Some("b"));
    }
}
