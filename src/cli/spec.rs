//! What a program declares about its command line.
//!
//! A [`Spec`] is a constant, so that a reader finds all the options of a program in one table at
//! the head of its file, and the parser, the help page and the defaults cannot disagree. `--help`
//! (`-h`) and `--version` (`-V`) belong to every program and are not declared. (A program that uses
//! `-V` for something else declares it; its version is `--version` only.)
//!
//! To add an option to a program: 1. add its line to the table; 2. ask [`Args`](super::Args) for it
//! by its long name. Asking for an undeclared name panics: that is our mistake, never the user's.

use super::help;

/// The flag that every program has, to print its help page.
pub(super) const HELP: Opt = Opt::flag("help", "print this help and exit").short('h');

/// The flag that every program has, to print its version.
pub(super) const VERSION: Opt = Opt::flag("version", "print the version and exit").short('V');

/// The same, for a program that uses `-V` for something else.
const LONG_VERSION: Opt = Opt::flag("version", "print the version and exit");

/// A program's command line, declared as a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// The program's name, as a user types it.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub about: &'static str,
    /// The synopses, one per line, without the program's name: `[OPTION]... ADDRESS`.
    pub usage: &'static [&'static str],
    /// The operands' names, in order, and what each is for.
    pub operands: &'static [(&'static str, &'static str)],
    /// The options, in the order of the help page.
    pub options: &'static [Opt],
    /// The exit statuses, `0 ..., 1 ..., 2 ...`, if they mean more than in every program: done,
    /// failed, wrong command line.
    pub statuses: Option<&'static str>,
    /// Printed as it is near the end of the help page: usually examples.
    pub epilogue: &'static str,
}

/// One option of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opt {
    /// The name after the two hyphens; the program also asks by this name.
    pub long: &'static str,
    /// The letter after one hyphen, if there is one.
    pub short: Option<char>,
    /// What the help page calls the value; `None` makes this a flag.
    pub value: Option<&'static str>,
    /// Whether it may be given more than once.
    pub repeat: Repeat,
    /// What it does: lower case, no full stop, no default (that is added).
    pub help: &'static str,
    /// The value when it is not given, written as a user would.
    pub default: Option<&'static str>,
    /// Its heading on the help page.
    pub heading: &'static str,
}

/// How often an option may be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// At most once. A second time is an error: "the last one wins" hides typing mistakes.
    Once,
    /// As often as the user likes; flags are counted, values are collected.
    Many,
}

impl Opt {
    /// An option without a value.
    pub const fn flag(long: &'static str, help: &'static str) -> Opt {
        Opt {
            long,
            short: None,
            value: None,
            repeat: Repeat::Once,
            help,
            default: None,
            heading: "Options",
        }
    }

    /// An option with a value, which the help page calls `metavar`.
    pub const fn value(long: &'static str, metavar: &'static str, help: &'static str) -> Opt {
        let mut opt = Opt::flag(long, help);
        opt.value = Some(metavar);
        opt
    }

    /// Adds the one-letter name.
    pub const fn short(mut self, letter: char) -> Opt {
        self.short = Some(letter);
        self
    }

    /// Sets the value when it is not given; the help page shows it.
    pub const fn default(mut self, value: &'static str) -> Opt {
        self.default = Some(value);
        self
    }

    /// Lets it be given more than once.
    pub const fn many(mut self) -> Opt {
        self.repeat = Repeat::Many;
        self
    }

    /// Lists it on the help page under another heading than "Options".
    pub const fn under(mut self, heading: &'static str) -> Opt {
        self.heading = heading;
        self
    }
}

impl Spec {
    /// Every option, with the two that are not declared.
    pub(super) fn all_options(&self) -> impl Iterator<Item = &Opt> {
        self.options.iter().chain(self.undeclared())
    }

    /// The two that are not declared.
    pub(super) fn undeclared(&self) -> [&'static Opt; 2] {
        let taken = self.options.iter().any(|opt| opt.short == VERSION.short);
        [&HELP, if taken { &LONG_VERSION } else { &VERSION }]
    }

    /// The declared option of this name; panics on a name that is not declared.
    pub(super) fn declared(&self, long: &str) -> &Opt {
        match self.options.iter().find(|opt| opt.long == long) {
            Some(opt) => opt,
            None => panic!("{} asks for --{long}, which it does not declare", self.name),
        }
    }

    /// Checks the table for mistakes of its author, for a unit test of the program.
    ///
    /// The error has a line for each mistake: names that are taken or badly formed, defaults that
    /// could never be used, options of one heading that are not adjacent, lines too long for a
    /// terminal. [`parse`](Spec::parse) asserts it in debug builds.
    pub fn check(&self) -> Result<(), String> {
        let mut mistakes = Vec::new();
        self.check_texts(&mut mistakes);
        self.check_headings(&mut mistakes);
        for (index, opt) in self.options.iter().enumerate() {
            self.check_names(index, opt, &mut mistakes);
            check_value(opt, &mut mistakes);
        }
        if mistakes.is_empty() {
            Ok(())
        } else {
            Err(mistakes.join("\n"))
        }
    }

    fn check_texts(&self, mistakes: &mut Vec<String>) {
        if self.name.is_empty() || self.about.is_empty() || self.usage.is_empty() {
            mistakes.push("the name, the about or the usage is missing".to_string());
        }
        for line in help::page(self)
            .lines()
            .filter(|line| line.chars().count() > help::WIDTH)
        {
            mistakes.push(format!("longer than {} columns: {line}", help::WIDTH));
        }
    }

    /// The options of one heading must be adjacent, or the page would print the heading twice.
    fn check_headings(&self, mistakes: &mut Vec<String>) {
        let mut seen: Vec<&str> = Vec::new();
        for opt in self.options {
            if seen.last() == Some(&opt.heading) {
                continue;
            }
            if seen.contains(&opt.heading) {
                mistakes.push(format!(
                    "--{}: apart from its heading {}",
                    opt.long, opt.heading
                ));
            }
            seen.push(opt.heading);
        }
    }

    fn check_names(&self, index: usize, opt: &Opt, mistakes: &mut Vec<String>) {
        let long = opt.long;
        if !well_formed(long) {
            mistakes.push(format!("--{long}: not lower-case words joined by hyphens"));
        }
        if opt
            .short
            .is_some_and(|letter| !letter.is_ascii_alphanumeric())
        {
            mistakes.push(format!("--{long}: its short name is no letter or digit"));
        }
        let mut earlier = self.options[..index].iter().chain(self.undeclared());
        if earlier.clone().any(|other| other.long == long) {
            mistakes.push(format!("--{long}: the name is taken"));
        }
        if opt.short.is_some() && earlier.any(|other| other.short == opt.short) {
            mistakes.push(format!("--{long}: its short name is taken"));
        }
    }
}

/// Two characters or more (`--x` reads like a short option), words of letters and digits.
fn well_formed(long: &str) -> bool {
    let word = |part: &str| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    long.len() > 1 && long.split('-').all(word)
}

fn check_value(opt: &Opt, mistakes: &mut Vec<String>) {
    let long = opt.long;
    if opt.help.is_empty() {
        mistakes.push(format!("--{long}: no help"));
    }
    match (opt.value, opt.default) {
        (None, Some(_)) => mistakes.push(format!("--{long}: a flag has no default")),
        (Some(_), Some(_)) if opt.repeat == Repeat::Many => mistakes.push(format!(
            "--{long}: a default for an option of many values is never used"
        )),
        _ => {}
    }
    if opt
        .value
        .is_some_and(|name| name.is_empty() || name.chars().any(char::is_lowercase))
    {
        mistakes.push(format!("--{long}: its value's name is not in capitals"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Stop;

    const GOOD: Spec = Spec {
        name: "demo",
        about: "Show.",
        usage: &["[OPTION]..."],
        operands: &[],
        options: &[],
        statuses: None,
        epilogue: "",
    };

    #[test]
    fn a_good_table_passes() {
        const GOOD_TABLE: &[Opt] = &[
            Opt::value("mode", "MODE", "how").short('m').default("a"),
            Opt::flag("verbose", "say more").short('v').many(),
            Opt::value("idle-time", "TIME", "close after").under("Limits"),
        ];
        assert_eq!(
            Spec {
                options: GOOD_TABLE,
                ..GOOD
            }
            .check(),
            Ok(())
        );
    }

    #[test]
    fn a_program_may_have_the_letter_of_the_version_for_itself() {
        const TREE: &[Opt] = &[Opt::flag("tree", "t").short('V')];
        let spec = Spec {
            options: TREE,
            ..GOOD
        };
        assert_eq!(spec.check(), Ok(()));
        assert!(
            spec.parse(["-V".into()])
                .is_ok_and(|args| args.flag("tree"))
        );
        let page = help::page(&spec);
        assert!(
            page.contains("      --version") && !page.contains("-V, --version"),
            "{page}"
        );
        assert!(matches!(
            spec.parse(["--version".into()]),
            Err(Stop::Version(_))
        ));
    }

    #[test]
    fn each_mistake_of_an_author_is_named() {
        const A: Opt = Opt::flag("aa", "a").short('a');
        #[rustfmt::skip]
        const TABLE: &[(&[Opt], &str)] = &[
            (&[A, Opt::flag("aa", "again")], "--aa: the name is taken"),
            (&[A, Opt::flag("bb", "b").short('a')], "--bb: its short name is taken"),
            (&[Opt::flag("help", "mine")], "--help: the name is taken"),
            (&[Opt::flag("vv", "v").short('h')], "--vv: its short name is taken"),
            (&[Opt::flag("x", "x")], "--x: not lower-case words joined by hyphens"),
            (&[Opt::flag("A-b", "x")], "--A-b: not lower-case words joined by hyphens"),
            (&[Opt::flag("ab-", "x")], "--ab-: not lower-case words joined by hyphens"),
            (&[Opt::flag("ab", "x").short('-')], "--ab: its short name is no letter or digit"),
            (&[Opt::flag("ab", "")], "--ab: no help"),
            (&[Opt::flag("ab", "x").default("1")], "--ab: a flag has no default"),
            (&[Opt::value("ab", "n", "x")], "--ab: its value's name is not in capitals"),
            (&[Opt::value("ab", "N", "x").many().default("1")],
                "--ab: a default for an option of many values is never used"),
            (&[A, Opt::flag("bb", "b").under("Limits"), Opt::flag("cc", "c")],
                "--cc: apart from its heading Options"),
        ];
        for &(options, mistake) in TABLE {
            assert_eq!(Spec { options, ..GOOD }.check(), Err(mistake.to_string()));
        }
    }

    #[test]
    fn a_line_too_long_for_a_terminal_is_a_mistake() {
        const LONG: &str = "12345678901234567890123456789012345678901234567890\
                            1234567890123456789012345678901";
        let found = Spec {
            epilogue: LONG,
            ..GOOD
        }
        .check();
        assert_eq!(found, Err(format!("longer than 80 columns: {LONG}")));
    }

    #[test]
    #[should_panic(expected = "demo asks for --nothing, which it does not declare")]
    fn asking_for_what_is_not_declared_panics() {
        GOOD.declared("nothing");
    }
}
