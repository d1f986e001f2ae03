//! Questions about the parsed command line.
//!
//! Every question names an option by its long name. A name that the [`Spec`] does not declare, a
//! flag asked for its value, and a default that does not parse are mistakes of the program's
//! author: they panic with a message that names the option.
//!
//! | the option is | ask |
//! |---|---|
//! | a flag | `flag`, `count` |
//! | a value with a default | `parse`, `value` |
//! | a value without one | `parse_opt`, `value` |
//! | a value that may be repeated | `parse_all`, `values` |

use super::error::UsageError;
use super::spec::{Opt, Repeat, Spec};
use super::value::{NonZeroCount, Size};
use super::words;
use std::any::TypeId;
use std::ffi::OsString;
use std::fmt::Display;
use std::num::ParseIntError;
use std::path::Path;
use std::str::FromStr;

/// A parsed command line; made by [`Spec::parse`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Args {
    spec: Spec,
    /// In the order of the command line; flags have no value.
    options: Vec<(&'static str, Option<String>)>,
    operands: Vec<OsString>,
}

impl Args {
    /// The program's name, as its error messages begin.
    pub fn program(&self) -> &'static str {
        self.spec.name
    }

    pub(super) fn new(spec: Spec) -> Args {
        Args {
            spec,
            options: Vec::new(),
            operands: Vec::new(),
        }
    }

    pub(super) fn push_option(&mut self, long: &'static str, value: Option<String>) {
        self.options.push((long, value));
    }

    pub(super) fn push_operand(&mut self, operand: OsString) {
        self.operands.push(operand);
    }
}

/// Options, by their long names. Each method panics when it does not fit what the [`Spec`] declares:
/// no such option, a flag asked for its value or the reverse, one value of an option that may be
/// repeated, [`parse`](Self::parse) of one without a default. These are mistakes of the program, never
/// of its user.
impl Args {
    /// Whether the option is on the command line.
    pub fn given(&self, name: &str) -> bool {
        let long = self.spec.declared(name).long;
        self.options.iter().any(|(given, _)| *given == long)
    }

    /// Refuses both options of any of these pairs: one would have no effect, or contradict the other.
    pub fn exclusive(&self, pairs: &[(&str, &str)]) -> Result<(), UsageError> {
        let both = |(one, other): &&(&str, &str)| self.given(one) && self.given(other);
        match pairs.iter().find(both) {
            None => Ok(()),
            Some((one, other)) => Err(UsageError::rule(format_args!(
                "--{one} and --{other} exclude each other"
            ))),
        }
    }

    /// Whether the flag was given.
    pub fn flag(&self, name: &str) -> bool {
        self.count(name) > 0
    }

    /// How many times the flag was given.
    pub fn count(&self, name: &str) -> usize {
        let opt = self.spec.declared(name);
        assert!(
            opt.value.is_none(),
            "--{name} takes a value, it is not a flag"
        );
        self.options
            .iter()
            .filter(|(given, _)| *given == opt.long)
            .count()
    }

    /// The value given, else the declared default, else `None`.
    pub fn value(&self, name: &str) -> Option<&str> {
        let opt = self.valued(name);
        assert!(
            opt.repeat == Repeat::Once,
            "--{name} may be repeated: ask for its values"
        );
        self.values(name).next().or(opt.default)
    }

    /// The values given, in order; defaults are not used.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let long = self.valued(name).long;
        let of_name = self.options.iter().filter(move |(given, _)| *given == long);
        of_name.filter_map(|(_, value)| value.as_deref())
    }

    /// The value, or the declared default, as a `T`.
    pub fn parse<T>(&self, name: &str) -> Result<T, UsageError>
    where
        T: FromStr<Err: Display> + 'static,
    {
        // Asserted before the given value is read, or only some users would meet the panic.
        let default = self.valued(name).default;
        assert!(
            default.is_some(),
            "--{name} has no default: ask with parse_opt"
        );
        let value = self.parse_opt(name)?;
        Ok(value.expect("an option with a default always has a value"))
    }

    /// The value, or the declared default if there is one, as a `T`.
    pub fn parse_opt<T>(&self, name: &str) -> Result<Option<T>, UsageError>
    where
        T: FromStr<Err: Display> + 'static,
    {
        let Some(text) = self.value(name) else {
            return Ok(None);
        };
        match convert(&format!("--{name}"), text) {
            Err(error) if !self.given(name) => panic!("a bad default: {error}"),
            result => result.map(Some),
        }
    }

    /// Each of the values given as a `T`, in order.
    pub fn parse_all<T>(&self, name: &str) -> Result<Vec<T>, UsageError>
    where
        T: FromStr<Err: Display> + 'static,
    {
        let what = format!("--{name}");
        self.values(name).map(|text| convert(&what, text)).collect()
    }

    /// The option as a number of bytes that are held in memory: 1 to 1 GiB.
    pub fn size(&self, name: &str) -> Result<usize, UsageError> {
        let size = self.parse::<Size>(name)?.as_usize();
        if size == 0 || size > 1 << 30 {
            let what = format!("--{name}");
            return Err(UsageError::bad_value(&what, size, "must be 1 to 1GiB"));
        }
        Ok(size)
    }

    /// The option as a number of things to make, such as threads: 1 to `most`.
    pub fn up_to(&self, name: &str, most: usize) -> Result<usize, UsageError> {
        let number = self.parse::<NonZeroCount>(name)?.as_usize();
        if number > most {
            let (what, why) = (format!("--{name}"), format!("must be at most {most}"));
            return Err(UsageError::bad_value(&what, number, why));
        }
        Ok(number)
    }

    fn valued(&self, name: &str) -> &Opt {
        let opt = self.spec.declared(name);
        assert!(opt.value.is_some(), "--{name} is a flag, it has no value");
        opt
    }
}

/// Operands. An `index` counts from 0; a `name` is what an error calls it.
impl Args {
    /// All operands, in order, as the system passed them.
    pub fn operands(&self) -> &[OsString] {
        &self.operands
    }

    /// The operands from this one on, as text.
    pub fn texts(
        &self,
        index: usize,
        name: &str,
    ) -> impl Iterator<Item = Result<&str, UsageError>> {
        self.operands.iter().skip(index).map(move |raw| {
            let lossy = || UsageError::bad_value(name, raw.to_string_lossy(), "not UTF-8 text");
            raw.to_str().ok_or_else(lossy)
        })
    }

    /// The operand as text, if it is there.
    pub fn operand_opt(&self, index: usize, name: &str) -> Result<Option<&str>, UsageError> {
        self.texts(index, name).next().transpose()
    }

    /// The operand as text; missing is an error.
    pub fn operand(&self, index: usize, name: &str) -> Result<&str, UsageError> {
        self.operand_opt(index, name)?.ok_or_else(|| missing(name))
    }

    /// The operand as a path, which need not be UTF-8; missing is an error.
    pub fn path(&self, index: usize, name: &str) -> Result<&Path, UsageError> {
        self.operands
            .get(index)
            .map(Path::new)
            .ok_or_else(|| missing(name))
    }

    /// The operand as a `T`; missing is an error.
    pub fn parse_operand<T>(&self, index: usize, name: &str) -> Result<T, UsageError>
    where
        T: FromStr<Err: Display> + 'static,
    {
        convert(name, self.operand(index, name)?)
    }

    /// Refuses fewer than `count` operands; the error has the declared name of the first missing.
    pub fn at_least(&self, count: usize) -> Result<(), UsageError> {
        let given = self.operands.len();
        if given >= count {
            return Ok(());
        }
        // A last operand that repeats (`FILE...`) is declared once.
        let declared = self.spec.operands.get(given).or(self.spec.operands.last());
        Err(missing(declared.map_or("operand", |(name, _)| name)))
    }

    /// Refuses more than `count` operands; the error shows the first surplus one.
    pub fn at_most(&self, count: usize) -> Result<(), UsageError> {
        match self.operands.get(count) {
            None => Ok(()),
            Some(extra) => {
                let operand = extra.to_string_lossy().into_owned();
                Err(UsageError::ExtraOperand { operand })
            }
        }
    }

    /// Refuses any other number of operands than `count`.
    pub fn exactly(&self, count: usize) -> Result<(), UsageError> {
        self.at_least(count)?;
        self.at_most(count)
    }
}

fn missing(name: &str) -> UsageError {
    UsageError::MissingOperand {
        name: name.to_string(),
    }
}

fn convert<T>(what: &str, text: &str) -> Result<T, UsageError>
where
    T: FromStr<Err: Display> + 'static,
{
    // std accepts a `+` before an integer; no other value here may have one.
    let is_whole = TypeId::of::<T::Err>() == TypeId::of::<ParseIntError>();
    if is_whole && text.starts_with('+') {
        return Err(UsageError::bad_value(what, text, "is written without +"));
    }
    text.parse()
        .map_err(|why| UsageError::bad_value(what, text, words::why_not::<T>(text, &why)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Count, DurationArg};
    use std::num::NonZero;

    const SPEC: Spec = Spec {
        name: "demo",
        about: "Show.",
        usage: &["[OPTION]... HOST PORT"],
        operands: &[("HOST", "where"), ("PORT", "which")],
        options: &[
            Opt::flag("once", "serve once"),
            Opt::value("workers", "N", "how many").default("4"),
            Opt::value("size", "SIZE", "how large"),
            Opt::value("allow", "N", "who").many(),
            Opt::value("broken", "N", "its default does not parse").default("four"),
        ],
        statuses: None,
        epilogue: "",
    };

    fn args(line: &str) -> Args {
        SPEC.parse(line.split_whitespace().map(OsString::from))
            .unwrap()
    }

    fn text<T>(result: Result<T, UsageError>) -> String {
        result
            .err()
            .map_or("fine".to_string(), |error| error.to_string())
    }

    #[test]
    fn a_value_is_the_given_one_or_the_default() {
        assert_eq!(args("").value("workers"), Some("4"));
        assert!(!args("").given("workers"));
        assert_eq!(args("--workers 9").value("workers"), Some("9"));
        assert!(args("--workers 9").given("workers"));
        assert_eq!(args("").value("size"), None);
        assert_eq!(args("").parse::<u16>("workers"), Ok(4));
        assert_eq!(args("").parse_opt::<u16>("size"), Ok(None));
        assert_eq!(
            args("--allow 1 --allow 2").parse_all::<u8>("allow"),
            Ok(vec![1, 2])
        );
        assert_eq!(args("").parse_all::<u8>("allow"), Ok(vec![]));
    }

    #[test]
    fn options_that_exclude_each_other_are_refused_together_only() {
        let pairs = [("once", "size"), ("once", "workers")];
        for fine in ["", "--once", "--workers 9 --size 1"] {
            assert_eq!(args(fine).exclusive(&pairs), Ok(()), "{fine}");
        }
        let why = text(args("--workers 9 --once").exclusive(&pairs));
        assert_eq!(why, "--once and --workers exclude each other");
    }

    #[test]
    fn a_bad_value_is_told_why() {
        let workers = |value: &str| args(&format!("--workers={value}"));
        #[rustfmt::skip]
        let table = [
            (text(workers("x").parse::<u16>("workers")), "--workers x: not a whole number"),
            (text(workers("1.5").parse::<u16>("workers")), "--workers 1.5: not a whole number"),
            (text(workers("0").up_to("workers", 8)), "--workers 0: must not be zero"),
            (text(workers("8").up_to("workers", 8)), "fine"),
            (text(workers("9").up_to("workers", 8)), "--workers 9: must be at most 8"),
            (text(workers("").parse::<u16>("workers")), "--workers \"\": not a whole number"),
            (text(workers("-1").parse::<u16>("workers")), "--workers -1: must not be negative"),
            (text(workers("+1").parse::<u16>("workers")), "--workers +1: is written without +"),
            (text(workers("+1").parse::<NonZero<u16>>("workers")),
                "--workers +1: is written without +"),
            (text(workers("70000").parse::<u16>("workers")),
                "--workers 70000: too large, at most 65535"),
            (text(workers("0").parse::<NonZero<u16>>("workers")), "--workers 0: must not be zero"),
            (text(workers("0").parse::<NonZeroCount>("workers")), "--workers 0: must not be zero"),
            (text(workers("x").parse::<Count>("workers")),
                "--workers x: expected a count such as 100, 10k or 2M"),
            (text(workers("5").parse::<DurationArg>("workers")),
                "--workers 5: needs a unit: us, ms, s, m or h"),
            (text(workers("5q").parse::<Size>("workers")),
                "--workers 5q: unknown unit \"q\", expected B, K, M, G, KiB, MiB, GiB, kB, MB or GB"),
            (text(args("--allow 1 --allow b").parse_all::<u8>("allow")),
                "--allow b: not a whole number"),
        ];
        for (found, expected) in table {
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn operands_are_counted_and_named() {
        #[rustfmt::skip]
        let table = [
            (text(args("").exactly(2)), "HOST: missing operand"),
            (text(args("a").exactly(2)), "PORT: missing operand"),
            (text(args("a 1").exactly(2)), "fine"),
            (text(args("a 1 b").exactly(2)), "b: extra operand"),
            (text(args("a 1").at_least(3)), "PORT: missing operand"),
            (text(args("a").at_most(2)), "fine"),
            (text(args("").operand(0, "HOST")), "HOST: missing operand"),
            (text(args("").path(0, "FILE")), "FILE: missing operand"),
            (text(args("a x").parse_operand::<u16>(1, "PORT")), "PORT x: not a whole number"),
        ];
        for (found, expected) in table {
            assert_eq!(found, expected);
        }
        assert_eq!(args("a 80").operand(0, "HOST"), Ok("a"));
        assert_eq!(args("a 80").path(0, "FILE"), Ok(Path::new("a")));
        assert_eq!(args("a 80").parse_operand::<u16>(1, "PORT"), Ok(80));
    }

    #[cfg(unix)]
    #[test]
    fn an_operand_that_is_not_text_is_still_a_path() {
        use std::os::unix::ffi::OsStringExt;
        let args = SPEC.parse([OsString::from_vec(b"f\xff".to_vec())]).unwrap();
        assert_eq!(
            text(args.operand(0, "HOST")),
            "HOST f\u{fffd}: not UTF-8 text"
        );
        assert!(args.path(0, "HOST").is_ok());
    }

    #[test]
    #[should_panic(expected = "demo asks for --nothing, which it does not declare")]
    fn an_undeclared_name_panics() {
        args("").flag("nothing");
    }

    #[test]
    #[should_panic(expected = "--workers takes a value, it is not a flag")]
    fn a_value_asked_as_a_flag_panics() {
        args("").flag("workers");
    }

    #[test]
    #[should_panic(expected = "--once is a flag, it has no value")]
    fn a_flag_asked_for_its_value_panics() {
        args("").value("once");
    }

    #[test]
    #[should_panic(expected = "--allow may be repeated: ask for its values")]
    fn one_value_of_many_panics() {
        args("").value("allow");
    }

    #[test]
    #[should_panic(expected = "--size has no default: ask with parse_opt")]
    fn parse_without_a_default_panics() {
        let _ = args("--size 4").parse::<Size>("size");
    }

    #[test]
    #[should_panic(expected = "a bad default: --broken four: not a whole number")]
    fn a_default_that_does_not_parse_panics() {
        let _ = args("").parse::<u16>("broken");
    }
}
