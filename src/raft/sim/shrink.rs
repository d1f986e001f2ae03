//! Makes a failing scenario small: removes what the failure does not need.
//!
//! It leaves out each part in turn; if the run still fails, the part stays out. This is repeated
//! until no part can go. What is left is what a person has to understand.

use std::time::Duration;

use super::scenario::{Scenario, Share, Snapshots, Weather};

/// The most runs that shrinking may take.
const MOST_RUNS: usize = 2000;

/// The smallest scenario found for which `fails` is still true. `scenario` itself is one.
pub fn shrink(scenario: &Scenario, mut fails: impl FnMut(&Scenario) -> bool) -> Scenario {
    let mut smallest = scenario.clone();
    let mut runs = 0;
    let mut again = true;
    while again {
        again = false;
        let mut place = 0;
        // A candidate that fails becomes the smallest, so another one is now at this place.
        while let Some(smaller) = candidates(&smallest).into_iter().nth(place) {
            runs += 1;
            if runs > MOST_RUNS {
                return smallest;
            }
            match fails(&smaller) {
                true => (smallest, again) = (smaller, true),
                false => place += 1,
            }
        }
    }
    smallest
}

/// The scenario with one thing less, the largest parts first.
fn candidates(of: &Scenario) -> Vec<Scenario> {
    let mut all = without_actions(of);
    let mut with = |change: &dyn Fn(&mut Scenario)| {
        let mut smaller = of.clone();
        change(&mut smaller);
        if smaller != *of {
            all.push(smaller);
        }
    };
    with(&|smaller| smaller.clients.number = 0);
    with(&|smaller| smaller.clients.number = smaller.clients.number.min(1));
    with(&|smaller| smaller.clients.keys = 1);
    with(&|smaller| smaller.nodes = 3.min(smaller.nodes));
    with(&|smaller| smaller.learners = 0);
    with(&|smaller| smaller.skew = Share::NONE);
    with(&|smaller| smaller.disks.tear = Share::NONE);
    with(&|smaller| smaller.snapshots = Snapshots::default());
    with(&|smaller| smaller.weather.duplicate = Share::NONE);
    with(&|smaller| smaller.weather.reorder = Share::NONE);
    with(&|smaller| smaller.weather.loss = Share::NONE);
    with(&|smaller| smaller.weather.delay = Weather::default().delay);
    with(&|smaller| smaller.duration = shorter(smaller));
    // Not smaller, but easier to read: round times.
    for step in [100, 10, 1].map(Duration::from_millis) {
        with(&|smaller| {
            let last = smaller.actions.last().map(|timed| timed.at);
            let end = whole(smaller.duration, step);
            smaller.duration = end.max(last.unwrap_or_default());
        });
        for place in 0..of.actions.len() {
            with(&|smaller| {
                let timed = &mut smaller.actions[place];
                timed.at = whole(timed.at, step);
                smaller.actions.sort_by_key(|timed| timed.at);
            });
        }
    }
    all
}

/// The scenario without a run of its actions: the first half, the second half, quarters, and so
/// on down to each one alone.
fn without_actions(of: &Scenario) -> Vec<Scenario> {
    let mut all = Vec::new();
    let mut length = of.actions.len();
    while length > 0 {
        for from in (0..of.actions.len()).step_by(length) {
            let mut smaller = of.clone();
            let until = (from + length).min(of.actions.len());
            smaller.actions.drain(from..until);
            all.push(smaller);
        }
        length /= 2;
    }
    all
}

/// The duration to a little after the last action, if that is not longer.
fn shorter(scenario: &Scenario) -> Duration {
    let last = scenario.actions.last().map(|timed| timed.at);
    let end = last.unwrap_or_default() + Duration::from_millis(500);
    end.min(scenario.duration)
}

/// The time without what is less than a step.
fn whole(time: Duration, step: Duration) -> Duration {
    time - Duration::from_nanos((time.as_nanos() % step.as_nanos()) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::sim::scenario::chaos;

    #[test]
    fn what_the_failure_needs_is_left() {
        let text = "
            nodes 5
            duration 10s
            weather delay 1ms..30ms loss 20%
            clients 3
            at 1s crash 1
            at 2000123us crash leader
            at 3s heal
            at 4023456us restart all
            at 5s snapshot 2
        ";
        let scenario: Scenario = text.parse().expect("a scenario");
        let mut runs = 0;
        let small = shrink(&scenario, |scenario| {
            runs += 1;
            let text = scenario.to_string();
            // The restart must not come before 4.02 s.
            let late = !text.contains("at 4s restart all");
            text.contains("crash leader")
                && text.contains("restart all")
                && text.contains("loss")
                && late
        });
        let expected = "nodes 3\nduration 4500ms\nweather delay 1ms..5ms loss 20%\n\
                        at 2s crash leader\nat 4020ms restart all\n";
        let shown = small.to_string();
        let lines: Vec<&str> = shown
            .lines()
            .filter(|line| !line.starts_with("clients"))
            .collect();
        assert_eq!(lines.join("\n") + "\n", expected, "after {runs} runs");
    }

    #[test]
    fn shrinking_ends_even_if_everything_fails() {
        let mut runs = 0;
        let small = shrink(&chaos(7, 5, Duration::from_secs(10)), |_| {
            runs += 1;
            true
        });
        assert!(
            small.actions.is_empty() && runs < MOST_RUNS,
            "{runs}: {small}"
        );
    }
}
