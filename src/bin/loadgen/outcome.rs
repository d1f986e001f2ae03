//! The outcome of a run: latencies, failures by kind, and why it failed if it did.

use std::time::Duration;

use groundwire::telemetry::Histogram;

use crate::plan::Plan;
use crate::target::Trouble;

/// The longest line that our servers accept by default (`--max-line`), in bytes.
const USUAL_LINE: usize = 64 * 1024;

/// Failed requests by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Errors {
    pub connect: u64,
    pub timeout: u64,
    pub closed: u64,
    pub mismatch: u64,
    pub other: u64,
    /// The first of the others: their kind alone says nothing.
    pub first: Option<Trouble>,
}

impl Errors {
    pub fn count(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::Connect => self.connect += 1,
            Trouble::Timeout => self.timeout += 1,
            Trouble::Closed => self.closed += 1,
            Trouble::Mismatch => self.mismatch += 1,
            Trouble::Other(_) => {
                self.other += 1;
                self.first.get_or_insert(trouble);
            }
        }
    }

    pub fn add(&mut self, other: Errors) {
        self.connect += other.connect;
        self.timeout += other.timeout;
        self.closed += other.closed;
        self.mismatch += other.mismatch;
        self.other += other.other;
        self.first = self.first.or(other.first);
    }

    /// All kinds together.
    pub fn total(&self) -> u64 {
        self.rows().iter().map(|(_, count)| count).sum()
    }

    /// Each kind by its name.
    pub fn rows(&self) -> [(&'static str, u64); 5] {
        [
            ("connect", self.connect),
            ("timeout", self.timeout),
            ("closed", self.closed),
            ("mismatch", self.mismatch),
            ("other", self.other),
        ]
    }

    /// ` (connect 1, other 2, as cannot allocate memory)`: only the kinds that occurred.
    pub fn kinds(&self) -> String {
        let mut seen: Vec<String> = self
            .rows()
            .iter()
            .filter(|(_, n)| *n > 0)
            .map(|(name, n)| format!("{name} {n}"))
            .collect();
        seen.extend(self.first.map(|why| format!("as {why}")));
        if seen.is_empty() {
            String::new()
        } else {
            format!(" ({})", seen.join(", "))
        }
    }
}

/// How a fixed rate was kept in the measured time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Requests that fell due.
    pub due: u64,
    /// Those of them that could be sent before the end.
    pub sent: u64,
}

/// What became of connections that were held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Those still open at the end.
    pub connections: usize,
    /// Those that the server closed meanwhile.
    pub lost: usize,
    pub lasted: Duration,
}

/// The outcome of a run.
#[derive(Default)]
pub struct Outcome {
    /// Latencies of the measured requests, in nanoseconds.
    pub latency: Histogram,
    /// Failures, those of the warm-up included.
    pub errors: Errors,
    /// How long the measurement took.
    pub elapsed: Duration,
    /// At a fixed rate.
    pub pace: Option<Pace>,
    /// With `--hold`.
    pub held: Option<Held>,
    /// The first failure to connect, in words.
    pub why: Option<String>,
}

impl Outcome {
    /// Measured requests with a correct reply.
    pub fn requests(&self) -> u64 {
        self.latency.count()
    }

    /// Why the run is a failure, if it is one: a request failed, a held connection was lost, or
    /// nothing was measured.
    pub fn failure(&self, plan: &Plan) -> Option<String> {
        let server = format!("{} {}", plan.network, plan.shown_address());
        let total = self.errors.total();
        let mut text = match (&self.why, self.held) {
            (Some(why), _) => why.clone(),
            (None, _) if total > 0 => {
                let s = if total == 1 { "" } else { "s" };
                format!("{server}: {total} request{s} failed{}", self.errors.kinds())
            }
            (None, Some(held)) if held.lost > 0 => {
                format!("{server}: {} held connections were lost", held.lost)
            }
            (None, None) if self.requests() == 0 => {
                return Some(format!("{server}: ended before a reply was measured"));
            }
            (None, Some(held)) if held.connections == 0 => {
                return Some(format!("{server}: ended before a connection was held"));
            }
            _ => return None,
        };
        if self.errors.closed > 0 && plan.size > USUAL_LINE {
            text += &format!(
                "; a request has {} bytes, and a server may take 64 KiB (see its --max-line)",
                plan.size
            );
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_that_happened_are_named() {
        assert_eq!(Errors::default().kinds(), "");
        let errors = Errors {
            timeout: 2,
            mismatch: 1,
            ..Errors::default()
        };
        assert_eq!(errors.kinds(), " (timeout 2, mismatch 1)");

        let mut others = Errors::default();
        for number in [24, 12] {
            let mut one = Errors::default();
            one.count(Trouble::Other(Some(number)));
            others.add(one);
        }
        let first = Trouble::Other(Some(24)); // EMFILE
        assert_eq!(others.kinds(), format!(" (other 2, as {first})"));
    }
}
