//! From a list of arguments to [`Args`], by GNU's conventions.
//!
//! ```text
//! --name  --name=VALUE  --name VALUE     an option
//! -n      -nVALUE       -n VALUE         the same by its short name
//! -abn VALUE                             short flags joined; the last may take a value
//! -       anything else                  an operand
//! --                                     all that follows are operands
//! ```
//!
//! An option that needs a value takes the next argument whatever it looks
//! like, as GNU's does: `--offset -5` works, and `--mode --once` complains
//! about the mode `--once`. The first thing that is wrong, or the first
//! `--help`, ends the parse.
//!
//! A hyphen and a digit, `-17`, is a number and so an operand, unless the program has an option
//! whose short name is a digit.

use super::args::Args;
use super::error::{Stop, UsageError};
use super::help;
use super::spec::{HELP, Opt, Repeat, Spec, VERSION};
use std::ffi::OsString;

impl Spec {
    /// Parses the arguments, without the program's name before them.
    ///
    /// Operands stay [`OsString`]s, because a path need not be UTF-8; options and their values must
    /// be UTF-8.
    pub fn parse(&self, arguments: impl IntoIterator<Item = OsString>) -> Result<Args, Stop> {
        debug_assert_eq!(
            self.check(),
            Ok(()),
            "the options of {} are declared badly",
            self.name
        );
        let mut args = Args::new(*self);
        let mut rest = arguments.into_iter();
        let is_digit = |letter: char| letter.is_ascii_digit();
        let numbers = !self
            .all_options()
            .any(|opt| opt.short.is_some_and(is_digit));
        while let Some(argument) = rest.next() {
            match Argument::of(argument)? {
                Argument::Short(number) if numbers && number.starts_with(is_digit) => {
                    args.push_operand(format!("-{number}").into());
                }
                Argument::Operand(operand) => args.push_operand(operand),
                Argument::Long(text) => self.long(&text, &mut rest, &mut args)?,
                Argument::Short(letters) => self.short(&letters, &mut rest, &mut args)?,
                Argument::EndOfOptions => rest.by_ref().for_each(|o| args.push_operand(o)),
            }
        }
        Ok(args)
    }

    /// `text` is what follows the two hyphens.
    fn long(
        &self,
        text: &str,
        rest: &mut impl Iterator<Item = OsString>,
        args: &mut Args,
    ) -> Result<(), Stop> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_string())),
            None => (text, None),
        };
        let Some(opt) = self.all_options().find(|opt| opt.long == name) else {
            let long_names = self.all_options().map(|opt| opt.long);
            let meant = nearest(name, long_names).map(|near| format!("--{near}"));
            return Err(UsageError::Unknown {
                option: format!("--{name}"),
                meant,
            }
            .into());
        };
        match (opt.value, value) {
            (None, None) => self.record(args, opt, None),
            (None, Some(value)) => Err(UsageError::UnexpectedValue {
                option: format!("--{name}"),
                value,
            }
            .into()),
            (Some(_), Some(value)) => self.record(args, opt, Some(value)),
            (Some(metavar), None) => {
                let value = next_value(opt, metavar, rest)?;
                self.record(args, opt, Some(value))
            }
        }
    }

    /// `letters` is what follows the single hyphen: flags, and perhaps one option that takes the
    /// remaining letters, or the next argument, as its value.
    fn short(
        &self,
        letters: &str,
        rest: &mut impl Iterator<Item = OsString>,
        args: &mut Args,
    ) -> Result<(), Stop> {
        let mut letters = letters.chars();
        while let Some(letter) = letters.next() {
            let Some(opt) = self.all_options().find(|opt| opt.short == Some(letter)) else {
                let option = format!("-{letter}");
                return Err(UsageError::Unknown {
                    option,
                    meant: None,
                }
                .into());
            };
            let Some(metavar) = opt.value else {
                self.record(args, opt, None)?;
                continue;
            };
            let value = match letters.as_str() {
                "" => next_value(opt, metavar, rest)?,
                joined => joined.to_string(),
            };
            return self.record(args, opt, Some(value));
        }
        Ok(())
    }

    /// Records that the option was given, or stops for `--help` and `--version`.
    fn record(&self, args: &mut Args, opt: &Opt, value: Option<String>) -> Result<(), Stop> {
        if opt.long == HELP.long {
            return Err(Stop::Help(help::page(self)));
        }
        if opt.long == VERSION.long {
            return Err(Stop::Version(help::version(self)));
        }
        if opt.repeat == Repeat::Once && args.given(opt.long) {
            return Err(UsageError::Repeated {
                option: format!("--{}", opt.long),
            }
            .into());
        }
        args.push_option(opt.long, value);
        Ok(())
    }
}

/// The name in `known` that a user who wrote `name` most likely meant, if one is similar enough.
///
/// ```
/// use groundwire::cli::nearest;
///
/// assert_eq!(nearest("workes", ["mode", "workers"]), Some("workers"));
/// assert_eq!(nearest("port", ["mode", "workers"]), None);
/// ```
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // One mistake per three letters: with more, the guess is noise.
    let length = name.chars().count();
    let limit = length.div_ceil(3);
    let distance = |known: &str| {
        // A prefix always counts as near, however much is missing.
        if name.len() > 1 && known.starts_with(name) {
            return 0;
        }
        // Each surplus letter is a mistake, so a very long name need not be compared letter by
        // letter.
        let more = length.abs_diff(known.chars().count());
        if more > limit {
            more
        } else {
            edits(name, known)
        }
    };
    let (distance, near) = known
        .into_iter()
        .map(|known| (distance(known), known))
        .min_by_key(|&(distance, _)| distance)?;
    (distance <= limit).then_some(near)
}

/// What an argument is by its form.
enum Argument {
    Operand(OsString),
    /// Without its two hyphens, not empty.
    Long(String),
    /// Without its hyphen, not empty.
    Short(String),
    EndOfOptions,
}

impl Argument {
    fn of(argument: OsString) -> Result<Argument, UsageError> {
        if argument == "--" {
            return Ok(Argument::EndOfOptions);
        }
        if argument == "-" || !argument.as_encoded_bytes().starts_with(b"-") {
            return Ok(Argument::Operand(argument));
        }
        let text = utf8(argument)?;
        match text.strip_prefix("--") {
            Some(long) => Ok(Argument::Long(long.to_string())),
            None => Ok(Argument::Short(text[1..].to_string())),
        }
    }
}

fn next_value(
    opt: &Opt,
    metavar: &'static str,
    rest: &mut impl Iterator<Item = OsString>,
) -> Result<String, UsageError> {
    match rest.next() {
        Some(value) => utf8(value),
        None => Err(UsageError::MissingValue {
            option: format!("--{}", opt.long),
            metavar,
        }),
    }
}

fn utf8(argument: OsString) -> Result<String, UsageError> {
    let lossy = |argument: OsString| argument.to_string_lossy().into_owned();
    argument.into_string().map_err(|raw| UsageError::NotUtf8 {
        argument: lossy(raw),
    })
}

/// The least number of single-letter changes (insert, delete, replace, or swap two neighbours) that
/// turn `a` into `b`: the optimal string alignment distance.
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    // rows[i][j] is the distance between the first i letters of a and j of b.
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let same = usize::from(a[i - 1] != b[j - 1]);
            let mut least = (rows[i - 1][j] + 1)
                .min(row[j - 1] + 1)
                .min(rows[i - 1][j - 1] + same);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: Spec = Spec {
        name: "demo",
        about: "Show.",
        usage: &["[OPTION]... [FILE]..."],
        operands: &[],
        options: &[
            Opt::flag("once", "serve once").short('1'),
            Opt::flag("verbose", "say more").short('v').many(),
            Opt::value("port", "PORT", "the port").short('p'),
            Opt::value("workers", "N", "how many"),
            Opt::value("allow", "NET", "who").short('a').many(),
        ],
        statuses: None,
        epilogue: "",
    };

    fn parse(line: &str) -> Result<Args, Stop> {
        SPEC.parse(line.split_whitespace().map(OsString::from))
    }

    /// The parsed arguments as text, for a table.
    fn summary(args: &Args) -> String {
        let mut words = vec![format!("once={}", args.flag("once"))];
        words.push(format!("v={}", args.count("verbose")));
        words.push(format!("port={}", args.value("port").unwrap_or("none")));
        words.push(format!(
            "allow={:?}",
            args.values("allow").collect::<Vec<_>>()
        ));
        words.push(format!("{:?}", args.operands()));
        words.join(" ")
    }

    #[test]
    fn options_and_operands_come_in_any_order_and_spelling() {
        #[rustfmt::skip]
        let table = [
            ("", r#"once=false v=0 port=none allow=[] []"#),
            ("--port=1", r#"once=false v=0 port=1 allow=[] []"#),
            ("--port 1", r#"once=false v=0 port=1 allow=[] []"#),
            ("-p1", r#"once=false v=0 port=1 allow=[] []"#),
            ("-p 1", r#"once=false v=0 port=1 allow=[] []"#),
            ("-p=1", r#"once=false v=0 port==1 allow=[] []"#),
            ("--port=a=b", r#"once=false v=0 port=a=b allow=[] []"#),
            ("--port=", r#"once=false v=0 port= allow=[] []"#),
            ("--port -5", r#"once=false v=0 port=-5 allow=[] []"#),
            ("--port --once", r#"once=false v=0 port=--once allow=[] []"#),
            ("--port --", r#"once=false v=0 port=-- allow=[] []"#),
            ("-vv", r#"once=false v=2 port=none allow=[] []"#),
            ("-v --verbose", r#"once=false v=2 port=none allow=[] []"#),
            ("-1vvp80", r#"once=true v=2 port=80 allow=[] []"#),
            ("-1vvp 80", r#"once=true v=2 port=80 allow=[] []"#),
            ("-ax -a y --allow z", r#"once=false v=0 port=none allow=["x", "y", "z"] []"#),
            ("f --once g", r#"once=true v=0 port=none allow=[] ["f", "g"]"#),
            ("- --once", r#"once=true v=0 port=none allow=[] ["-"]"#),
            ("-v -- --once -- -v", r#"once=false v=1 port=none allow=[] ["--once", "--", "-v"]"#),
        ];
        for (line, expected) in table {
            assert_eq!(
                parse(line).map(|args| summary(&args)),
                Ok(expected.to_string()),
                "{line}"
            );
        }
    }

    #[test]
    fn a_wrong_command_line_is_told_what_and_why() {
        #[rustfmt::skip]
        let table = [
            ("--wrokers 1", "--wrokers: no such option; did you mean --workers?"),
            ("--worker=1", "--worker: no such option; did you mean --workers?"),
            ("--ver", "--ver: no such option; did you mean --verbose?"),
            ("--hlep", "--hlep: no such option; did you mean --help?"),
            ("--zzz", "--zzz: no such option"),
            ("--=1", "--: no such option"),
            ("-vx", "-x: no such option"),
            ("-5", "-5: no such option"),
            ("--once --once", "--once: may be given only once"),
            ("-11", "--once: may be given only once"),
            ("-p1 --port 2", "--port: may be given only once"),
            ("--once=yes", "--once=yes: takes no value"),
            ("--help=yes", "--help=yes: takes no value"),
            ("--port", "--port: needs a value, PORT"),
            ("-vp", "--port: needs a value, PORT"),
        ];
        for (line, expected) in table {
            match parse(line) {
                Err(Stop::Usage(error)) => assert_eq!(error.to_string(), expected, "{line}"),
                other => panic!("{line}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_negative_number_is_an_operand_where_no_option_is_a_digit() {
        const PORT: [Opt; 1] = [Opt::value("port", "PORT", "the port").short('p')];
        let without = Spec {
            options: &PORT,
            ..SPEC
        };
        let parse = |line: &str| without.parse(line.split_whitespace().map(OsString::from));
        let args = parse("add -17 -p -5 18").unwrap();
        assert_eq!(args.operands(), ["add", "-17", "18"]);
        assert_eq!(args.value("port"), Some("-5"));
        assert!(matches!(parse("-x17"), Err(Stop::Usage(_))));
    }

    #[test]
    fn help_and_version_stop_where_they_stand() {
        for line in ["--help", "-h", "-vh", "--help --bad", "f -h"] {
            assert!(matches!(parse(line), Err(Stop::Help(_))), "{line}");
        }
        for line in ["--version", "-V", "-V -h"] {
            assert!(matches!(parse(line), Err(Stop::Version(_))), "{line}");
        }
        assert!(matches!(parse("--bad --help"), Err(Stop::Usage(_))));
        assert!(parse("-- --help").is_ok());
        assert!(parse("--port --help").is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn only_an_operand_may_be_other_than_utf8() {
        use std::os::unix::ffi::OsStringExt;
        let raw = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        let args = SPEC.parse([raw(b"f\xff")]).unwrap();
        assert_eq!(args.operands(), [raw(b"f\xff")]);
        for line in [
            vec![raw(b"--port=\xff")],
            vec![raw(b"-p"), raw(b"\xff")],
            vec![raw(b"-\xff")],
        ] {
            let stop = SPEC.parse(line).unwrap_err();
            assert!(
                matches!(stop, Stop::Usage(UsageError::NotUtf8 { .. })),
                "{stop:?}"
            );
        }
    }

    #[test]
    fn the_edit_distance_counts_single_mistakes() {
        let table = [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("port", "port", 0),
            ("prot", "port", 1),
            ("por", "port", 1),
            ("pport", "port", 1),
            ("pört", "port", 1),
            ("kitten", "sitting", 3),
        ];
        for (a, b, distance) in table {
            assert_eq!(edits(a, b), distance, "{a} {b}");
        }
    }

    #[test]
    fn a_very_long_name_is_quickly_found_unlike_all_others() {
        // Letter by letter, this would take about 10^12 comparisons.
        let endless = "a".repeat(10_000_000);
        let known = "b".repeat(100_000);
        assert_eq!(nearest(&endless, [known.as_str(), "ab"]), None);
        assert_eq!(nearest(&endless[..3], ["aab"]), Some("aab"));
    }
}
