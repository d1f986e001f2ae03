//! How a command line can be wrong, and the three ways in which parsing ends early.

use std::error::Error;
use std::fmt;

/// Parsing ended before the program could start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// `--help`: the page, for standard output.
    Help(String),
    /// `--version`: the line, for standard output.
    Version(String),
    /// The command line is wrong.
    Usage(UsageError),
}

impl From<UsageError> for Stop {
    fn from(error: UsageError) -> Stop {
        Stop::Usage(error)
    }
}

/// What is wrong with a command line. Displays as `what: why`.
///
/// `option` is always written with its hyphens, by its long name if there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsageError {
    /// There is no such option; `meant` is the most similar declared one.
    Unknown {
        /// As the user wrote it.
        option: String,
        /// A similar declared name.
        meant: Option<String>,
    },
    /// Given twice, although allowed only once.
    Repeated {
        /// The option.
        option: String,
    },
    /// A flag was given a value: `--once=yes`.
    UnexpectedValue {
        /// The flag.
        option: String,
        /// The value that it was given.
        value: String,
    },
    /// The command line ends where the value should be.
    MissingValue {
        /// The option.
        option: String,
        /// What the help page calls its value.
        metavar: &'static str,
    },
    /// An option or its value is not UTF-8.
    NotUtf8 {
        /// The argument, with replacement characters.
        argument: String,
    },
    /// The value is not one that the option or operand can take.
    BadValue {
        /// The option with its hyphens, or the operand's name.
        what: String,
        /// The value as given.
        value: String,
        /// Why not.
        why: String,
    },
    /// An operand is missing.
    MissingOperand {
        /// Its name on the help page.
        name: String,
    },
    /// One operand too many.
    ExtraOperand {
        /// The first surplus one.
        operand: String,
    },
    /// A rule of the program itself, in its own words: two options that exclude each other.
    Rule(String),
}

impl UsageError {
    /// A violated rule of the program: `--listen and --udp exclude each other`.
    pub fn rule(text: impl fmt::Display) -> UsageError {
        UsageError::Rule(text.to_string())
    }

    /// A value that parsed but that the program cannot take.
    ///
    /// `what` is the option with its hyphens, or the operand's name.
    pub fn bad_value(what: &str, value: impl fmt::Display, why: impl fmt::Display) -> UsageError {
        let (value, why) = (value.to_string(), why.to_string());
        UsageError::BadValue {
            what: what.to_string(),
            value,
            why,
        }
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UsageError::Unknown {
                option,
                meant: None,
            } => {
                write!(f, "{}: no such option", shown(option))
            }
            UsageError::Unknown {
                option,
                meant: Some(near),
            } => {
                write!(f, "{}: no such option; did you mean {near}?", shown(option))
            }
            UsageError::Repeated { option } => write!(f, "{option}: may be given only once"),
            UsageError::UnexpectedValue { option, value } => {
                write!(f, "{option}={}: takes no value", shown(value))
            }
            UsageError::MissingValue { option, metavar } => {
                write!(f, "{option}: needs a value, {metavar}")
            }
            UsageError::NotUtf8 { argument } => write!(f, "{}: not UTF-8 text", shown(argument)),
            UsageError::BadValue { what, value, why } => {
                write!(f, "{what} {}: {why}", shown(value))
            }
            UsageError::MissingOperand { name } => write!(f, "{name}: missing operand"),
            UsageError::ExtraOperand { operand } => {
                write!(f, "{}: extra operand", shown(operand))
            }
            UsageError::Rule(text) => f.write_str(text),
        }
    }
}

impl Error for UsageError {}

/// The text as it is if it is plain; else quoted and escaped, so that an empty value is visible and
/// a control character cannot act on the terminal.
fn shown(text: &str) -> String {
    let plain = |c: char| !c.is_whitespace() && !c.is_control();
    if !text.is_empty() && text.chars().all(plain) {
        text.to_string()
    } else {
        format!("{text:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_reads_as_what_and_why() {
        let option = || "--mode".to_string();
        #[rustfmt::skip]
        let table = [
            (UsageError::Unknown { option: "-x".into(), meant: None }, "-x: no such option"),
            (UsageError::Unknown { option: "--mod".into(), meant: Some(option()) },
                "--mod: no such option; did you mean --mode?"),
            (UsageError::Repeated { option: option() }, "--mode: may be given only once"),
            (UsageError::UnexpectedValue { option: "--once".into(), value: "yes".into() },
                "--once=yes: takes no value"),
            (UsageError::MissingValue { option: option(), metavar: "MODE" },
                "--mode: needs a value, MODE"),
            (UsageError::NotUtf8 { argument: "\u{fffd}".into() }, "\u{fffd}: not UTF-8 text"),
            (UsageError::bad_value("--mode", "x", "no such mode"), "--mode x: no such mode"),
            (UsageError::bad_value("--mode", "", "empty"), "--mode \"\": empty"),
            (UsageError::bad_value("--mode", "\u{1b}[2J", "bad"), "--mode \"\\u{1b}[2J\": bad"),
            (UsageError::MissingOperand { name: "HOST".into() }, "HOST: missing operand"),
            (UsageError::ExtraOperand { operand: "a b".into() }, "\"a b\": extra operand"),
            (UsageError::rule("-a and -b exclude each other"), "-a and -b exclude each other"),
        ];
        for (error, text) in table {
            assert_eq!(error.to_string(), text);
        }
    }
}
