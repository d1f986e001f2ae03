//! Says whether recorded histories are linearizable. The lesson: a promise that can be checked from
//! outside.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::process::ExitCode;

use groundwire::cli::json::{Object, array, string};
use groundwire::cli::{self, Args, Failure, NonZeroCount, Opt, Out, Spec, What};
use groundwire::raft::history::{self, Operation, Verdict};

/// The longest line, in bytes.
const LONGEST_LINE: u64 = 4 << 20;

const SPEC: Spec = Spec {
    name: "judge",
    about: "Say whether recorded histories of a key-value store are linearizable.",
    usage: &["[OPTION]... [FILE]..."],
    operands: &[(
        "FILE",
        "a history as JSON lines, one operation a line; - is standard input [-]",
    )],
    options: &[
        Opt::value(
            "limit",
            "N",
            "give up on a key after trying this many changes of it",
        )
        .default("2M"),
        Opt::flag("json", "print a JSON object for each file").short('j'),
        Opt::flag("verbose", "print each operation as it was read").short('v'),
    ],
    statuses: Some(
        "0 all are linearizable, 1 one is not, is undecided or cannot be read, \
         2 called wrongly",
    ),
    epilogue: "Each line has process, operation (get, put, delete, cas), key, value, start\n\
               and end in microseconds, and outcome (ok, mismatch, failed, unknown); a cas\n\
               also has expected.\n\n\
               Examples:\n  judge history.jsonl\n  judge --limit 20M --json *.jsonl",
};

fn main() -> ExitCode {
    cli::run(&SPEC, judge)
}

fn judge(args: Args) -> Result<(), Failure> {
    let limit = args.parse::<NonZeroCount>("limit")?.get();
    let mut files = args.texts(0, "FILE").collect::<Result<Vec<_>, _>>()?;
    if files.is_empty() {
        files.push("-");
    }
    let (out, mut good) = (Out::lines(), true);
    for file in files {
        match read(file) {
            Ok(history) => good &= report(&out, file, &history, &args, limit)?,
            Err(failure) => {
                cli::complain(&SPEC, failure);
                good = false;
            }
        }
    }
    good.then_some(()).ok_or(Failure::Quiet(1))
}

/// Judges one history and prints the verdict. True if it is linearizable.
fn report(
    out: &Out,
    file: &str,
    history: &[Operation],
    args: &Args,
    limit: u64,
) -> Result<bool, Failure> {
    if args.flag("verbose") {
        for one in history {
            let key = String::from_utf8_lossy(&one.key);
            let end = one.end.map_or("?".to_string(), |end| end.to_string());
            let (process, start) = (one.process, one.start);
            out.line(format_args!(
                "process {process} {start}-{end} us key {key:?}: {one}"
            ))?;
        }
    }
    let verdict = history::check_within(history, limit);
    match args.flag("json") {
        true => out.line(object(file, &verdict))?,
        false => out.line(format_args!("{}: {verdict}", file.escape_debug()))?,
    }
    Ok(verdict.is_linearizable())
}

fn object(file: &str, verdict: &Verdict) -> String {
    let object = Object::new().text("file", file);
    let lossy = |key: &[u8]| String::from_utf8_lossy(key).into_owned();
    match verdict {
        Verdict::Linearizable(size) => object
            .text("verdict", "linearizable")
            .number("operations", size.operations)
            .number("keys", size.keys)
            .number("processes", size.processes)
            .end(),
        Verdict::NotLinearizable(explanation) => {
            let lines = explanation.operations.iter().map(Operation::to_line);
            let order = explanation.order.iter().map(usize::to_string);
            object
                .text("verdict", "not linearizable")
                .value("key", string(&lossy(&explanation.key)))
                .number("until", explanation.until)
                .value("operations", array(lines))
                .number("misfit", explanation.misfit)
                .value("order", array(order))
                .end()
        }
        Verdict::Undecided { key, limit } => object
            .text("verdict", "undecided")
            .value("key", string(&lossy(key)))
            .number("limit", limit)
            .end(),
    }
}

/// All operations of a file. Blank lines are skipped.
fn read(file: &str) -> Result<Vec<Operation>, Failure> {
    let mut input: Box<dyn BufRead> = match file {
        "-" => Box::new(io::stdin().lock()),
        path => Box::new(BufReader::new(
            File::open(path).what(format_args!("opening {path}"))?,
        )),
    };
    let (mut history, mut line) = (Vec::new(), Vec::new());
    for number in 1.. {
        line.clear();
        let mut limited = input.by_ref().take(LONGEST_LINE);
        limited
            .read_until(b'\n', &mut line)
            .what(format_args!("reading {file}"))?;
        if line.is_empty() {
            break;
        }
        if line.len() as u64 == LONGEST_LINE && !line.ends_with(b"\n") {
            return Err(
                format!("{file}:{number}: the line is longer than {LONGEST_LINE} bytes").into(),
            );
        }
        if !line.trim_ascii().is_empty() {
            let operation = Operation::from_line(&line).what(format_args!("{file}:{number}"))?;
            history.push(operation);
        }
    }
    Ok(history)
}
