//! The tour: every service of the house, started, used and explained, inside one process.
//!
//! Each stop starts its service on loopback with port 0 (or a socket in a folder of its own), runs
//! a client against it, checks the answer, and says what crossed the wire and which file shows it.
//!
//! To add a stop: 1. write a function like those in `stops.rs`; 2. give it a row in `STOPS`.
#![forbid(unsafe_code)]

mod balancer;
mod calls;
mod commands;
mod consensus;
mod names;
mod packets;
mod stops;
mod wire;
mod zone;

use std::process::ExitCode;
use std::time::Instant;

use groundwire::cli::{self, Args, Failure, Opt, Out, Spec, UsageError, What};
use groundwire::sys::signal::{self, Signal};
use stops::{STOPS, Stop, Told};

const SPEC: Spec = Spec {
    name: "tour",
    about: "Show each service at work, and which file to read for it.",
    usage: &["[OPTION]... [STOP]..."],
    operands: &[("STOP", "the stops to make, in this order [all]")],
    options: &[
        Opt::flag("list", "list the stops").short('l'),
        Opt::value(
            "write",
            "FILE",
            "record packets in FILE [for the stop capture, a new file in $TMPDIR]",
        )
        .short('w'),
    ],
    statuses: None,
    epilogue: "It fails if a stop does not show what it promises.\n\n\
               Examples:\n  tour\n  tour tcp udp",
};

fn main() -> ExitCode {
    cli::run(&SPEC, tour)
}

fn tour(args: Args) -> Result<(), Failure> {
    let out = Out::lines();
    if args.flag("list") {
        args.at_most(0)?;
        return STOPS
            .iter()
            .try_for_each(|s| out.line(format_args!("{:10} {}", s.name, s.about)));
    }
    let chosen = chosen(&args)?;
    // With SIGXFSZ blocked, a file that reaches its size limit is an error to report.
    signal::block(&[Signal::FileSize]).what("blocking signals")?;
    record(&args, &chosen)?;
    let begun = Instant::now();
    let mut failed = Vec::new();
    for (number, stop) in chosen.iter().enumerate() {
        let (number, all) = (number + 1, chosen.len());
        out.line(format_args!("{number}/{all} {}: {}", stop.name, stop.about))?;
        match (stop.visit)() {
            Ok(Told { lines, read }) => {
                for line in lines {
                    out.line(format_args!("    {line}"))?;
                }
                out.line(format_args!("    read: {read}\n"))?;
            }
            Err(why) => {
                out.line(format_args!("    this stop failed\n"))?;
                cli::complain(
                    &SPEC,
                    format_args!("{}: {}", stop.name, cli::explain(&*why)),
                );
                failed.push(stop.name);
            }
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let good = chosen.len() - failed.len();
    out.line(format_args!(
        "{good} of {} stops in {seconds:.1} s",
        chosen.len()
    ))?;
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Failure::Quiet(1))
    }
}

/// Begins to record packets, if `--write` asks for it or the stop `capture` is chosen. Without
/// `--write`, a temporary folder that cannot be written to fails only that stop, not the tour.
fn record(args: &Args, chosen: &[&Stop]) -> Result<(), Failure> {
    if let Some(path) = args.value("write") {
        return wire::begin(path.as_ref()).what(format_args!("writing {path}"));
    }
    if chosen.iter().any(|stop| stop.name == wire::STOP) {
        let _ = wire::begin_anywhere();
    }
    Ok(())
}

fn chosen(args: &Args) -> Result<Vec<&'static Stop>, UsageError> {
    if args.operands().is_empty() {
        return Ok(STOPS.iter().collect());
    }
    let mut chosen = Vec::new();
    for name in args.texts(0, "STOP") {
        let name = name?;
        let stop = STOPS.iter().find(|stop| stop.name == name);
        let known = || {
            let names: Vec<&str> = STOPS.iter().map(|stop| stop.name).collect();
            UsageError::bad_value(
                "STOP",
                name,
                format_args!("the stops are {}", names.join(", ")),
            )
        };
        chosen.push(stop.ok_or_else(known)?);
    }
    Ok(chosen)
}
