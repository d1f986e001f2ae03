//! The look-ups that failed a moment ago: whoever asks again at once does not ask the servers again
//! (RFC 9520 §3.2). Otherwise a program that retries in a loop multiplies the load of servers that
//! have trouble already.
//!
//! The time is an argument, as in `cache.rs`.

use std::collections::VecDeque;
use std::time::Duration;

use super::lookup::Failure;
use super::record::Question;

/// How long a failure is kept: the shortest time that the RFC allows, because a failed look-up has
/// tried all servers, and often for seconds.
const KEPT: Duration = Duration::from_secs(1);
/// How many failures are kept at most.
const MOST: usize = 100;

/// Failures by question, the oldest first.
#[derive(Debug)]
pub(super) struct Failures {
    recent: VecDeque<(Question, Failure, Duration)>,
    most: usize,
}

impl Failures {
    /// For a cache of so many answers; for one that keeps nothing, this keeps nothing either.
    pub(super) fn beside(cache_entries: usize) -> Self {
        Self {
            recent: VecDeque::new(),
            most: cache_entries.min(MOST),
        }
    }

    /// How a look-up of this question failed a moment ago.
    pub(super) fn get(&mut self, question: &Question, now: Duration) -> Option<Failure> {
        let is_old = |since: Duration| now.saturating_sub(since) >= KEPT;
        while self.recent.front().is_some_and(|old| is_old(old.2)) {
            self.recent.pop_front();
        }
        let found = self.recent.iter().find(|(asked, ..)| asked == question);
        found.map(|(_, failure, _)| failure.clone())
    }

    pub(super) fn put(&mut self, question: &Question, failure: &Failure, now: Duration) {
        if self.recent.len() >= self.most {
            self.recent.pop_front();
        }
        if self.most > 0 {
            let kept = (question.clone(), failure.clone(), now);
            self.recent.push_back(kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::{Name, RecordType};

    fn question(name: &str) -> Question {
        Question::new(Name::parse(name).unwrap(), RecordType::A)
    }

    fn failure(name: &str) -> Failure {
        let name = Name::parse(name).unwrap();
        Failure::Endless { name }
    }

    #[test]
    fn a_failure_holds_for_a_second_and_for_its_question_only() {
        let (mut failures, ms) = (Failures::beside(10), Duration::from_millis);
        failures.put(&question("a."), &failure("loop."), ms(5_000));
        let aaaa = Question::new(Name::parse("a.").unwrap(), RecordType::AAAA);
        for (asked, now, known) in [
            (question("a."), 5_000, true),
            (question("A."), 5_999, true),
            (question("b."), 5_999, false),
            (aaaa, 5_999, false),
            (question("a."), 6_000, false),
        ] {
            let kept = failures.get(&asked, ms(now));
            assert_eq!(kept, known.then(|| failure("loop.")), "{asked:?} {now}");
        }
    }

    #[test]
    fn the_oldest_make_room_and_without_a_cache_none_is_kept() {
        let names: Vec<String> = (0..=MOST).map(|number| format!("n{number}.")).collect();
        for (entries, first, last) in [(1_000, false, true), (0, false, false)] {
            let mut failures = Failures::beside(entries);
            for name in &names {
                failures.put(&question(name), &failure(name), Duration::ZERO);
            }
            let mut knows = |name: &String| failures.get(&question(name), KEPT / 2).is_some();
            assert_eq!((knows(&names[0]), knows(&names[MOST])), (first, last));
        }
    }
}
