//! The help page and the version line, made from a [`Spec`].
//!
//! ```text
//! Usage: name SYNOPSIS            a line for each, under one another
//! ABOUT
//!
//! Operands:
//!   NAME            what it is for
//!
//! Options:                        or another heading
//!   -s, --long METAVAR  help, wrapped at 80 columns (default: value)
//!
//! EPILOGUE
//!
//! FOOTER                          units, where the table has such values; exit statuses
//! ```

use super::spec::{Opt, Repeat, Spec};

/// The width of the page, in columns: every terminal has as many.
pub(super) const WIDTH: usize = 80;

/// A left cell wider than this gets a line of its own, so that one long option does not move all
/// help texts to the right.
const WIDEST_LEFT: usize = 28;

/// Columns between the cells.
const GAP: usize = 2;

/// The version line: the program, the package it comes from, its version.
pub(super) fn version(spec: &Spec) -> String {
    let (package, version) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    format!("{} ({package}) {version}\n", spec.name)
}

/// The whole help page, ending in a newline.
pub(super) fn page(spec: &Spec) -> String {
    let sections = sections(spec);
    let left = left_width(&sections);
    let mut page = usage(spec) + &wrapped(spec.about, 0);
    for (heading, rows) in &sections {
        page += &format!("\n{heading}:\n");
        for row in rows {
            page += &row.text(left);
        }
    }
    if !spec.epilogue.is_empty() {
        page += &format!("\n{}\n", spec.epilogue.trim_end());
    }
    page + "\n" + &footer(spec)
}

/// The units of the table's values, and the meaning of the exit statuses.
fn footer(spec: &Spec) -> String {
    let units = [
        (
            "TIME",
            "TIME is a number with its unit: 500us, 250ms, 1.5s, 5m, 2h; 0 needs none.",
        ),
        (
            "SIZE",
            "SIZE is in bytes, or with a unit: 512, 64KiB, 1M, 10MB.",
        ),
    ];
    let mut text = String::new();
    for (value, words) in units {
        if spec.options.iter().any(|opt| opt.value == Some(value)) {
            text += &wrapped(words, 0);
        }
    }
    let statuses = spec
        .statuses
        .unwrap_or("0 done, 1 failed, 2 called wrongly");
    text + &wrapped(&format!("Exit status: {statuses}."), 0)
}

fn usage(spec: &Spec) -> String {
    let mut text = String::new();
    for (index, synopsis) in spec.usage.iter().enumerate() {
        let lead = if index == 0 { "Usage:" } else { "      " };
        let start = format!("{lead} {}", spec.name);
        // A synopsis that wraps continues under its own beginning.
        let indent = start.chars().count() + 1;
        text += &format!("{start} {}", wrapped(synopsis, indent));
    }
    text
}

/// A line of two cells.
struct Row {
    left: String,
    help: String,
}

impl Row {
    fn text(&self, left: usize) -> String {
        let column = 2 + left + GAP;
        let help = wrapped(&self.help, column);
        if self.left.chars().count() > left {
            return format!("  {}\n{:column$}{help}", self.left, "");
        }
        format!("  {:left$}{:GAP$}{help}", self.left, "")
    }
}

/// The headings in the order of the table, with their rows.
fn sections(spec: &Spec) -> Vec<(&str, Vec<Row>)> {
    let mut sections: Vec<(&str, Vec<Row>)> = Vec::new();
    for (name, help) in spec.operands {
        let row = Row {
            left: name.to_string(),
            help: help.to_string(),
        };
        add(&mut sections, "Operands", row);
    }
    for opt in spec.options {
        add(&mut sections, opt.heading, option_row(opt));
    }
    for opt in spec.undeclared() {
        add(&mut sections, opt.heading, option_row(opt));
    }
    sections
}

fn add<'a>(sections: &mut Vec<(&'a str, Vec<Row>)>, heading: &'a str, row: Row) {
    match sections.iter_mut().find(|(name, _)| *name == heading) {
        Some((_, rows)) => rows.push(row),
        None => sections.push((heading, vec![row])),
    }
}

fn option_row(opt: &Opt) -> Row {
    let short = opt
        .short
        .map_or("    ".to_string(), |letter| format!("-{letter}, "));
    let value = opt.value.map_or(String::new(), |name| format!(" {name}"));
    let default = opt
        .default
        .map_or(String::new(), |value| format!(" (default: {value})"));
    let repeat = if opt.repeat == Repeat::Many {
        " (may be repeated)"
    } else {
        ""
    };
    Row {
        left: format!("{short}--{}{value}", opt.long),
        help: format!("{}{default}{repeat}", opt.help),
    }
}

fn left_width(sections: &[(&str, Vec<Row>)]) -> usize {
    let rows = sections.iter().flat_map(|(_, rows)| rows);
    let widths = rows.map(|row| row.left.chars().count());
    widths
        .filter(|&width| width <= WIDEST_LEFT)
        .max()
        .unwrap_or(0)
}

/// The words in lines that end by [`WIDTH`], if their first word begins at
/// `column`; later lines are indented to it. A longer word is not cut.
fn wrapped(words: &str, column: usize) -> String {
    let mut text = String::new();
    let mut at = column;
    for word in words.split_whitespace() {
        let width = word.chars().count();
        if at == column {
            // The first word of a line needs no space before it.
        } else if at + 1 + width > WIDTH {
            text += &format!("\n{:column$}", "");
            at = column;
        } else {
            text.push(' ');
            at += 1;
        }
        text += word;
        at += width;
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: Spec = Spec {
        name: "demo-server",
        about: "Send back what a client sends, until it closes its side of the connection, and count.",
        usage: &["[OPTION]... [ADDRESS]", "--list"],
        operands: &[("ADDRESS", "where to listen")],
        options: &[
            Opt::flag("once", "serve one connection, one read, then close"),
            Opt::value("mode", "MODE", "serial, threads or pool")
                .short('m')
                .default("threads"),
            Opt::flag("verbose", "say more").short('v').many(),
            Opt::value(
                "time-for-the-first-byte",
                "DURATION",
                "close a silent connection",
            )
            .under("Limits")
            .default("10s"),
            Opt::value(
                "lines",
                "N",
                "close a connection after this many lines, counting empty ones",
            )
            .under("Limits"),
        ],
        statuses: None,
        epilogue: "Example:\n  demo-server --once 127.0.0.1:7000\n",
    };

    const PAGE: &str = "\
Usage: demo-server [OPTION]... [ADDRESS]
       demo-server --list
Send back what a client sends, until it closes its side of the connection, and
count.

Operands:
  ADDRESS          where to listen

Options:
      --once       serve one connection, one read, then close
  -m, --mode MODE  serial, threads or pool (default: threads)
  -v, --verbose    say more (may be repeated)
  -h, --help       print this help and exit
  -V, --version    print the version and exit

Limits:
      --time-for-the-first-byte DURATION
                   close a silent connection (default: 10s)
      --lines N    close a connection after this many lines, counting empty ones

Example:
  demo-server --once 127.0.0.1:7000

Exit status: 0 done, 1 failed, 2 called wrongly.
";

    #[test]
    fn the_page_is_aligned_and_wrapped() {
        assert_eq!(page(&SPEC), PAGE);
        assert_eq!(SPEC.check(), Ok(()));
    }

    #[test]
    fn a_program_without_options_still_has_help_and_version() {
        let spec = Spec {
            operands: &[],
            options: &[],
            epilogue: "",
            about: "Go.",
            ..SPEC
        };
        let expected = "Usage: demo-server [OPTION]... [ADDRESS]\n       demo-server --list\nGo.\n\n\
                        Options:\n  -h, --help     print this help and exit\n  \
                        -V, --version  print the version and exit\n\n\
                        Exit status: 0 done, 1 failed, 2 called wrongly.\n";
        assert_eq!(page(&spec), expected);
    }

    #[test]
    fn the_footer_has_the_units_of_the_values_that_are_there() {
        const WAIT: &[Opt] = &[Opt::value("wait", "TIME", "how long")];
        let spec = Spec {
            options: WAIT,
            ..SPEC
        };
        assert!(footer(&spec).starts_with("TIME is a number with its unit: "));
        assert!(!footer(&spec).contains("SIZE"));
        assert!(footer(&SPEC).starts_with("Exit status: 0 "));
    }

    #[test]
    fn a_program_with_statuses_of_its_own_tells_those_and_no_others() {
        let spec = Spec {
            statuses: Some("0 yes, 1 no"),
            ..SPEC
        };
        assert_eq!(footer(&spec), "Exit status: 0 yes, 1 no.\n");
    }

    #[test]
    fn words_wrap_at_the_last_column_and_are_never_cut() {
        let just = "x".repeat(WIDTH - 10 - 2);
        assert_eq!(wrapped(&format!("{just} y"), 10), format!("{just} y\n"));
        let indent = " ".repeat(10);
        assert_eq!(
            wrapped(&format!("{just}x y"), 10),
            format!("{just}x\n{indent}y\n")
        );
        let long = "x".repeat(100);
        assert_eq!(wrapped(&long, 10), format!("{long}\n"));
        assert_eq!(wrapped("", 10), "\n");
    }

    #[test]
    fn the_version_names_program_and_package() {
        let expected = concat!("demo-server (groundwire) ", env!("CARGO_PKG_VERSION"), "\n");
        assert_eq!(version(&SPEC), expected);
    }
}
