//! What is wrong with a zone, and where: `file:line:column: what`, a form that editors recognize.

use std::fmt;
use std::sync::Arc;

/// The number of errors after which reading stops: one mistake often causes many.
pub const MAX_ERRORS: usize = 20;
/// How many warnings are kept.
pub const MAX_WARNINGS: usize = 100;

/// A place in the files of a zone. Lines and columns count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: usize,
    pub(super) line: u32,
    pub(super) column: u32,
}

impl Place {
    /// The beginning of a file.
    pub(super) fn start(file: usize) -> Self {
        Self {
            file,
            line: 1,
            column: 1,
        }
    }
}

/// An error or a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file's name as given, with the zone's folder before that of an included file.
    /// Characters that could move a terminal's cursor are escaped.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem {
            file, line, column, ..
        } = self;
        write!(f, "{file}:{line}:{column}: {}", self.what)
    }
}

impl std::error::Error for Problem {}

/// The problems found so far while reading a zone.
#[derive(Debug, Default)]
pub(super) struct Report {
    files: Vec<Arc<str>>,
    pub(super) errors: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
    is_stopped: bool,
}

impl Report {
    /// Gives a file its number.
    pub(super) fn add_file(&mut self, name: &str) -> usize {
        let shown = name.chars().map(|letter| match letter.is_control() {
            true => letter.escape_default().to_string(),
            false => letter.to_string(),
        });
        self.files.push(shown.collect::<String>().into());
        self.files.len() - 1
    }

    pub(super) fn error(&mut self, place: Place, what: impl Into<String>) {
        if !self.is_full() {
            let problem = self.problem(place, what.into());
            self.errors.push(problem);
        }
    }

    /// An error after which nothing more is read.
    pub(super) fn stop(&mut self, place: Place, what: impl Into<String>) {
        self.error(place, what);
        self.is_stopped = true;
    }

    pub(super) fn warning(&mut self, place: Place, what: impl Into<String>) {
        if self.warnings.len() < MAX_WARNINGS {
            let problem = self.problem(place, what.into());
            self.warnings.push(problem);
        }
    }

    /// Whether reading stops: after an error of that kind, or after [`MAX_ERRORS`] others.
    pub(super) fn is_full(&self) -> bool {
        self.is_stopped || self.errors.len() >= MAX_ERRORS
    }

    fn problem(&self, place: Place, what: String) -> Problem {
        Problem {
            file: self.files.get(place.file).cloned().unwrap_or_default(),
            line: place.line,
            column: place.column,
            what,
        }
    }
}
