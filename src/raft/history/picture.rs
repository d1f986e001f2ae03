//! An explanation for a person: a line for each operation, one below the other, time from left to
//! right.

use std::fmt;

use super::explanation::Explanation;
use super::operation::{Operation, shown};

/// The most operations in a picture: the last to begin, and the one that fits nowhere.
const MOST: usize = 20;

/// The most columns for time.
const WIDTH: usize = 60;

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.operations.len();
        match count {
            1 => writeln!(f, "key {}: this operation is not legal:", shown(&self.key))?,
            _ => writeln!(
                f,
                "key {}: no order of these {count} operations is legal:",
                shown(&self.key)
            )?,
        }
        let drawn = self.drawn();
        if drawn.len() < count {
            writeln!(
                f,
                "  ... {} that began earlier are not drawn",
                count - drawn.len()
            )?;
        }
        self.draw(&drawn, f)?;
        let order: Vec<String> = self
            .order
            .iter()
            .filter_map(|at| self.in_order(*at))
            .collect();
        let skipped = order.len().saturating_sub(MOST);
        let dots = if skipped > 0 { "... " } else { "" };
        let last = order.get(skipped..).unwrap_or_default().join("; ");
        match last.is_empty() {
            true => write!(f, "  before it, nothing had to be explained"),
            false => write!(f, "  legal before it: {dots}{last}"),
        }
    }
}

impl Explanation {
    /// The places of the operations that are drawn.
    fn drawn(&self) -> Vec<usize> {
        let from = self.operations.len().saturating_sub(MOST);
        let shown = |at: &usize| *at >= from || *at == self.misfit;
        (0..self.operations.len()).filter(shown).collect()
    }

    fn in_order(&self, at: usize) -> Option<String> {
        let operation = self.operations.get(at)?;
        Some(format!("{operation} (process {})", operation.process))
    }

    fn draw(&self, drawn: &[usize], f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operations = || {
            drawn
                .iter()
                .filter_map(|at| Some((*at, self.operations.get(*at)?)))
        };
        let scale = Scale::new(operations().map(|(_, operation)| operation), self.until);
        let words: Vec<String> = operations().map(|(_, one)| one.to_string()).collect();
        let widest = words
            .iter()
            .map(|words| words.chars().count())
            .max()
            .unwrap_or(0);
        for ((at, operation), words) in operations().zip(&words) {
            let line = scale.line(operation);
            let mark = if at == self.misfit {
                "  <- fits nowhere"
            } else {
                ""
            };
            let process = operation.process;
            let row = format!("  process {process:<4} {words:<widest$}  {line}{mark}");
            writeln!(f, "{}", row.trim_end())?;
        }
        let (first, last) = (scale.first(), self.until);
        writeln!(
            f,
            "  from {first} us to {last} us; the order of starts and ends is drawn, not their distance"
        )
    }
}

/// The moments of a picture, in order: each is a column or more.
struct Scale {
    moments: Vec<u64>,
    until: u64,
    step: usize,
}

impl Scale {
    fn new<'a>(operations: impl Iterator<Item = &'a Operation>, until: u64) -> Scale {
        let mut moments: Vec<u64> = vec![until];
        for operation in operations {
            moments.push(operation.start);
            moments.extend(operation.end.filter(|end| *end <= until));
        }
        moments.sort_unstable();
        moments.dedup();
        let step = (WIDTH / moments.len()).clamp(1, 6);
        Scale {
            moments,
            until,
            step,
        }
    }

    fn first(&self) -> u64 {
        self.moments.first().copied().unwrap_or_default()
    }

    fn column(&self, moment: u64) -> usize {
        self.step * self.moments.partition_point(|other| *other < moment)
    }

    /// `|-----|`, or `|----->` where the answer is not known until the end.
    fn line(&self, operation: &Operation) -> String {
        let known = operation
            .end
            .filter(|end| *end <= self.until && !operation.may_come_later());
        let (from, to) = (
            self.column(operation.start),
            self.column(known.unwrap_or(self.until)),
        );
        let space = self.column(self.until) + 1;
        let last = if known.is_some() { "|" } else { ">" };
        let line = match to > from {
            true => format!("{:from$}|{:-<2$}{last}", "", "", to - from - 1),
            false => format!("{:from$}|", ""),
        };
        format!("{line:<space$}")
    }
}
