//! From `main` to the exit status.
//!
//! [`run`] is the whole `main` of a program. Its decisions are the pure
//! `ending`; the rest only reads argv and writes the two streams.

use super::args::Args;
use super::error::{Stop, UsageError};
use super::out::Out;
use super::spec::Spec;
use super::words::{explain, one_line};
use std::error::Error;
use std::ffi::OsString;
use std::fmt::{self, Display};
use std::io::{self, Write};
use std::process::ExitCode;

/// The status of a program that failed.
const FAILED: u8 = 1;

/// The status of a program whose command line is wrong.
const USAGE: u8 = 2;

/// Why a program does not end with success.
///
/// There is no `From<io::Error>`, on purpose: `program: connection refused` does not help. Say what
/// was attempted with [`What::what`], or pass an error that says it already to [`Failure::of`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The command line is wrong: status 2.
    Usage(UsageError),
    /// It failed, `what: why`: status 1.
    Failed(String),
    /// It ends with this status and has already printed its message.
    Quiet(u8),
    /// The reader has closed standard output: status 0, because the reader had all that it wanted.
    ClosedPipe,
}

impl Failure {
    /// A failure whose error already says what was attempted.
    pub fn of(error: impl Error + 'static) -> Failure {
        Failure::Failed(explain(&error))
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(error) => write!(f, "{error}"),
            Failure::Failed(text) => f.write_str(text),
            Failure::Quiet(status) => write!(f, "exit status {status}"),
            Failure::ClosedPipe => f.write_str("standard output: its reader went away"),
        }
    }
}

impl From<UsageError> for Failure {
    fn from(error: UsageError) -> Failure {
        Failure::Usage(error)
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Failure {
        Failure::Failed(text)
    }
}

impl From<Box<dyn Error>> for Failure {
    fn from(error: Box<dyn Error>) -> Failure {
        Failure::Failed(explain(&*error))
    }
}

/// Says what was attempted when it failed.
pub trait What<T> {
    /// Turns the error into a [`Failure`] that reads `what: why`.
    ///
    /// ```
    /// use groundwire::cli::What;
    ///
    /// let path = "/no/such/file";
    /// let read = std::fs::read(path).what(format_args!("reading {path}"));
    /// let failure = read.unwrap_err();
    /// assert_eq!(failure.to_string(), "reading /no/such/file: no such file or directory");
    /// ```
    fn what(self, what: impl Display) -> Result<T, Failure>;
}

impl<T, E: Error + 'static> What<T> for Result<T, E> {
    fn what(self, what: impl Display) -> Result<T, Failure> {
        self.map_err(|error| Failure::Failed(format!("{what}: {}", explain(&error))))
    }
}

/// Runs a program: parses its arguments, calls `body`, reports how it ended.
///
/// Help and the version go to standard output, errors to standard error; the
/// exit statuses are in the head of [the room](crate::cli). `body` is not
/// called unless the command line parses.
pub fn run(spec: &Spec, body: impl FnOnce(Args) -> Result<(), Failure>) -> ExitCode {
    let ending = ending(spec, std::env::args_os().skip(1), body);
    let printed = print(&ending.stdout);
    let ending = ending.printed(spec, printed);
    write_stderr(&ending.stderr);
    ExitCode::from(ending.status)
}

/// Prints `program: text` to standard error: when the program goes on, or before it ends with
/// [`Failure::Quiet`].
pub fn complain(spec: &Spec, text: impl Display) {
    let text = one_line(&text.to_string());
    write_stderr(&format!("{}: {text}\n", spec.name));
}

/// In one write, so that the lines of two threads do not mix. Errors are ignored: there is nowhere
/// to report them.
fn write_stderr(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Prints a page; does nothing if it is empty.
fn print(page: &str) -> Result<(), Failure> {
    if page.is_empty() {
        // Does not touch standard output: a thread that is stuck in a write to a stalled pipe holds
        // its lock.
        return Ok(());
    }
    Out::lines().write_all(page.as_bytes())
}

/// What is printed on the two streams at the end, and the exit status.
#[derive(Debug, Default, PartialEq, Eq)]
struct Ending {
    status: u8,
    stdout: String,
    stderr: String,
}

/// Parses and runs the program; returns its ending, which is not printed yet.
fn ending(
    spec: &Spec,
    arguments: impl IntoIterator<Item = OsString>,
    body: impl FnOnce(Args) -> Result<(), Failure>,
) -> Ending {
    let result = match spec.parse(arguments) {
        Ok(args) => body(args),
        Err(Stop::Usage(error)) => Err(Failure::Usage(error)),
        Err(Stop::Help(page) | Stop::Version(page)) => {
            return Ending {
                stdout: page,
                ..Ending::default()
            };
        }
    };
    result.map_or_else(|failure| Ending::of(spec, failure), |()| Ending::default())
}

impl Ending {
    fn of(spec: &Spec, failure: Failure) -> Ending {
        let name = spec.name;
        let (status, stderr) = match failure {
            Failure::Usage(error) => {
                let hint = format!("Try '{name} --help' for more information.");
                (USAGE, format!("{name}: {error}\n{hint}\n"))
            }
            Failure::Failed(text) => (FAILED, format!("{name}: {}\n", one_line(&text))),
            Failure::Quiet(status) => (status, String::new()),
            Failure::ClosedPipe => (0, String::new()),
        };
        Ending {
            status,
            stdout: String::new(),
            stderr,
        }
    }

    /// The ending after its page, if any, was printed. Lost output turns success into a failure; it
    /// does not hide an earlier failure.
    fn printed(self, spec: &Spec, result: Result<(), Failure>) -> Ending {
        match result {
            Err(failure) if self.status == 0 => Ending::of(spec, failure),
            _ => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Opt;

    const SPEC: Spec = Spec {
        name: "demo",
        about: "Show.",
        usage: &["[OPTION]..."],
        operands: &[],
        options: &[Opt::value("workers", "N", "how many").default("4")],
        statuses: None,
        epilogue: "",
    };

    fn end(line: &str, body: impl FnOnce(Args) -> Result<(), Failure>) -> (u8, String) {
        let ending = ending(&SPEC, line.split_whitespace().map(OsString::from), body);
        (ending.status, format!("{}{}", ending.stdout, ending.stderr))
    }

    fn says(status: u8, text: &str) -> (u8, String) {
        (status, text.to_string())
    }

    #[test]
    fn each_failure_has_its_status_and_its_words() {
        let hint = "Try 'demo --help' for more information.\n";
        let usage = |text: &str| says(2, &format!("demo: {text}\n{hint}"));
        let table = [
            (Ok(()), says(0, "")),
            (Err(Failure::ClosedPipe), says(0, "")),
            (Err(Failure::Quiet(3)), says(3, "")),
            (
                Err(Failure::from("a: b".to_string())),
                says(1, "demo: a: b\n"),
            ),
            (Err(UsageError::rule("no").into()), usage("no")),
        ];
        for (result, expected) in table {
            assert_eq!(end("", |_| result), expected);
        }
        let body = |args: Args| Ok(args.parse::<u8>("workers").map(drop)?);
        assert_eq!(end("", body), says(0, ""));
        assert_eq!(
            end("--workers x", body),
            usage("--workers x: not a whole number")
        );
    }

    #[test]
    fn the_body_runs_only_if_the_command_line_parses() {
        let never = |_| panic!("the body ran");
        let (status, text) = end("--wrkers", never);
        assert_eq!(status, 2);
        assert!(text.starts_with("demo: --wrkers: no such option; did you mean --workers?\nTry "));
        let (status, text) = end("--help", never);
        assert!(
            status == 0 && text.starts_with("Usage: demo [OPTION]...\n"),
            "{text}"
        );
        let (status, text) = end("--version", never);
        assert!(
            status == 0 && text.starts_with("demo (groundwire) "),
            "{text}"
        );
    }

    #[test]
    fn lost_output_is_a_failure_but_hides_no_earlier_one() {
        let full = || Err(Failure::Failed("standard output: full".to_string()));
        let well = Ending::default();
        assert_eq!(
            well.printed(&SPEC, full()).stderr,
            "demo: standard output: full\n"
        );
        for result in [Ok(()), Err(Failure::ClosedPipe), full()] {
            let failed = Ending::of(&SPEC, Failure::Failed("a: b".to_string()));
            let ending = failed.printed(&SPEC, result);
            assert_eq!((ending.status, ending.stderr.as_str()), (1, "demo: a: b\n"));
        }
    }

    #[test]
    fn an_error_is_told_with_what_was_attempted() {
        let refused = || io::Error::other("Refused");
        let result: Result<(), Failure> = Err(refused()).what("dialing");
        assert_eq!(result, Err(Failure::Failed("dialing: refused".to_string())));
        assert_eq!(
            Failure::of(refused()),
            Failure::Failed("refused".to_string())
        );
        let boxed: Box<dyn Error> = Box::new(refused());
        assert_eq!(Failure::from(boxed), Failure::Failed("refused".to_string()));
    }
}
