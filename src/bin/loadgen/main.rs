//! Loads an echo server and reports how fast and how evenly it answers.
//!
//! Two ways to ask, with different meanings. *Closed loop* (the default): each connection sends
//! its next request when the reply to the last one has come, so a slow server is asked less.
//! *Fixed rate* (`--rate`): requests are due at fixed moments, whether or not the server keeps
//! up, and a latency counts from the moment a request was due, not from when it could at last
//! be sent. Otherwise a server that stalls for a second would show one slow request instead of
//! a second's worth of them (*coordinated omission*).
//!
//! Reading order: `plan` (what is asked for), `target` (one connection), `connect` (all of them),
//! `schedule` (when requests are due), `worker` (a thread's loop), `outcome` (the result),
//! `report` (the words for it).
#![forbid(unsafe_code)]

mod connect;
mod outcome;
mod plan;
mod report;
mod schedule;
mod target;
mod worker;

use std::process::ExitCode;

use groundwire::cli::{self, Args, Failure, Opt, Out, Spec, What};
use groundwire::server::{Signals, Stopper};
use plan::Plan;

const SPEC: Spec = Spec {
    name: "loadgen",
    about: "Send requests to an echo server and measure its replies.",
    usage: &["[OPTION]... NETWORK ADDRESS"],
    operands: &[
        (
            "NETWORK",
            "tcp, udp, unix, unixgram or unixpacket; or as --type of unix-echo-server: stream, datagram, seqpacket",
        ),
        ("ADDRESS", "HOST:PORT, or the path of a Unix socket"),
    ],
    options: &[
        Opt::value("connections", "N", "connections, at most 1M")
            .short('c')
            .default("1"),
        Opt::value(
            "threads",
            "N",
            "threads that share them, at most 4096 [one per CPU]",
        )
        .short('t'),
        Opt::value("size", "SIZE", "bytes of a request, its line feed included")
            .short('s')
            .default("128"),
        Opt::value("duration", "TIME", "measure this long")
            .short('d')
            .default("5s"),
        Opt::value("requests", "N", "measure this many requests instead").short('n'),
        Opt::value("warm-up", "TIME", "before that, run unmeasured")
            .short('w')
            .default("500ms"),
        Opt::value("rate", "N", "requests due a second, in all [closed loop]").short('r'),
        Opt::flag("churn", "a new connection for each request"),
        Opt::value(
            "source",
            "ADDRESS",
            "connect from this address, with ports of its own; of several, connections take turns",
        )
        .many(),
        Opt::value(
            "hold",
            "TIME",
            "one request each, then hold the connections open, idle, and count those that the server closes",
        ),
        Opt::value(
            "timeout",
            "TIME",
            "give up on a connection or reply after this long",
        )
        .default("5s"),
        Opt::flag("json", "print one JSON object"),
    ],
    statuses: Some(
        "0 done, 1 a request failed, a held connection was lost or nothing was measured, \
         2 called wrongly",
    ),
    epilogue: "Every reply is compared with its request. At --rate a latency counts from the\n\
               moment the request was due; fewer sent than due means overload.\n\n\
               Examples:\n  loadgen -c 64 -d 10s tcp 127.0.0.1:7000\n\
               \x20 loadgen --rate 1000 --size 1KiB udp 127.0.0.1:7001",
};

fn main() -> ExitCode {
    cli::run(&SPEC, load)
}

fn load(args: Args) -> Result<(), Failure> {
    let plan = Plan::from_args(&args)?;
    let signals = Signals::block().what("blocking signals")?;
    let stopper = Stopper::new();
    signals.stop(stopper.clone()).what("starting a thread")?;
    let out = Out::lines();
    let outcome = worker::run(&plan, &stopper, &out)?;
    if plan.json {
        out.line(report::json(&plan, &outcome))?;
    } else {
        out.write_all(report::text(&plan, &outcome).as_bytes())?;
        out.flush()?;
    }
    outcome.failure(&plan).map_or(Ok(()), |why| Err(why.into()))
}
