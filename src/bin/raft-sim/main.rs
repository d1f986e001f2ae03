//! Watch a Raft cluster: elections, logs, crashes, partitions, line by line or as a page.
//!
//! Two ways to run one scenario. As *threads*, in real time: nodes, clients and the network are
//! threads, and what they do appears as it happens. *Deterministic*: one thread, virtual time, one
//! seed that decides everything; done at once, and the same bytes each time.
//!
//! Reading order: `plan` (the arguments), this file, `show` (what is printed).
#![forbid(unsafe_code)]

mod plan;
mod show;

use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Duration;

use groundwire::cli::{self, Args, Failure, Opt, Out, Spec, What};
use groundwire::raft::sim::threads::Run;
use groundwire::raft::sim::world::{self, Options};
use groundwire::server::{Signals, Stopper};
use groundwire::sys::signal::{self, Signal};
use plan::Plan;
use show::Show;

const SPEC: Spec = Spec {
    name: "raft-sim",
    about: "Run a simulated Raft cluster through a scenario and show what happens.",
    usage: &["[OPTION]...", "--list", "--show SCENARIO"],
    operands: &[],
    options: &[
        Opt::value("scenario", "SCENARIO", "a name from --list, or a file")
            .short('s')
            .default("election"),
        Opt::value("nodes", "N", "founding voters [the scenario's]").short('n'),
        Opt::value(
            "seed",
            "N",
            "the seed of all random choices [the scenario's, or 42]",
        ),
        Opt::value("duration", "TIME", "run for this long [the scenario's]").short('d'),
        Opt::flag(
            "deterministic",
            "run in virtual time: at once, and the same each time",
        ),
        Opt::flag("messages", "show each message, too").short('m'),
        Opt::flag("quiet", "show the table at the end only").short('q'),
        Opt::flag("json", "print one JSON object a line, the table last"),
        Opt::value("html", "FILE", "write a page on which time can be scrubbed"),
        Opt::flag("list", "list the scenarios that have a name"),
        Opt::value("show", "SCENARIO", "print a scenario's text"),
    ],
    statuses: Some(
        "0 all checks held, 1 a safety property broke or nothing worked after everything healed, \
         2 called wrongly",
    ),
    epilogue: "In real time, SIGINT ends the run early and prints the table.\n\n\
               Examples:\n  raft-sim --scenario leader-crash\n\
               \x20 raft-sim -s partition --deterministic --seed 7 --html partition.html",
};

fn main() -> ExitCode {
    cli::run(&SPEC, simulate)
}

fn simulate(args: Args) -> Result<(), Failure> {
    args.exactly(0)?;
    if args.flag("list") {
        return show::list(&Out::bulk());
    }
    if let Some(name) = args.value("show") {
        return show::text(&Out::bulk(), name, &args);
    }
    // With SIGXFSZ blocked, a file that reaches its size limit is an error to report.
    signal::block(&[Signal::FileSize]).what("blocking signals")?;
    let plan = Plan::from_args(&args)?;
    let mut show = Show::new(&plan)?;
    let end = match plan.deterministic {
        true => in_virtual_time(&plan, &mut show)?,
        false => as_threads(&plan, &mut show)?,
    };
    show.end(end)
}

/// Runs the scenario in virtual time, then prints it; returns when it ended.
fn in_virtual_time(plan: &Plan, show: &mut Show<'_>) -> Result<Duration, Failure> {
    let options = Options { watch: true };
    let run = world::run(&plan.scenario, plan.seed, &options);
    for moment in run.timeline.moments() {
        show.moment(moment)?;
    }
    Ok(run.lasted)
}

/// Runs the scenario in real time; returns when it ended.
fn as_threads(plan: &Plan, show: &mut Show<'_>) -> Result<Duration, Failure> {
    let signals = Signals::block().what("blocking signals")?;
    let run = Run::start(&plan.scenario, plan.seed).what("starting the threads")?;
    let stopper = run.stopper();
    let on_signal = move |_| stopper.stop();
    let started = signals.stop_and_tell(Stopper::new(), on_signal);
    started.what("starting a thread")?;
    let mut shown = Ok(());
    let ended = run.watch(|moment| {
        shown = show.moment(&moment);
        match shown {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    });
    shown?;
    Ok(ended.what("starting a thread")?.at)
}
