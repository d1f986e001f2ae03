//! What is wrong with a configuration, and where, in the form `file:line: word value: why` that
//! editors understand.

use std::fmt;
use std::sync::Arc;

use crate::telemetry::is_invisible;

/// Reading stops after this many problems: one mistake often makes many.
pub const MAX_PROBLEMS: usize = 20;

/// Where a problem is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// On a line of a file.
    Line {
        /// The file as it was named.
        name: Arc<str>,
        /// The line, from 1; 0 for the file as a whole.
        line: u32,
    },
    /// On the command line.
    Flags,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// The word, its value and the reason; characters that could control a terminal are escaped.
    pub what: String,
}

impl Problem {
    /// A problem; `what` begins with the word of the line.
    pub(super) fn new(place: &Place, what: impl fmt::Display) -> Problem {
        Problem {
            place: place.clone(),
            what: visible(&what.to_string()),
        }
    }
}

impl fmt::Display for Problem {
    /// A flag gets its hyphens here, since `what` begins with its word.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Line { name, line: 0 } => write!(f, "{}: {}", visible(name), self.what),
            Place::Line { name, line } => write!(f, "{}:{line}: {}", visible(name), self.what),
            Place::Flags => write!(f, "--{}", self.what),
        }
    }
}

impl std::error::Error for Problem {}

/// One line for each problem.
pub(in crate::proxy) fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n")
}

fn visible(text: &str) -> String {
    let mut shown = String::new();
    for letter in text.chars() {
        if is_invisible(letter) {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_names_its_place_and_steers_no_terminal() {
        let name: Arc<str> = "lb.conf".into();
        let at = |line| Place::Line {
            name: name.clone(),
            line,
        };
        let table = [
            (at(3), "queue x: no", "lb.conf:3: queue x: no"),
            (at(0), "listen: missing", "lb.conf: listen: missing"),
            (Place::Flags, "queue x: no", "--queue x: no"),
            (at(1), "\u{1b}[2J", "lb.conf:1: \\u{1b}[2J"),
        ];
        for (place, what, text) in table {
            assert_eq!(Problem::new(&place, what).to_string(), text);
        }
    }
}
