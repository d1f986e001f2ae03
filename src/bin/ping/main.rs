//! Asks a host with ICMP echo requests whether it is up, and measures how long its replies take.
//!
//! The output and the exit status are those of iputils' `ping`, which scripts and people know.
//!
//! Reading order: `plan` (what is asked for), `run` (the loop), `report` (the words).
#![forbid(unsafe_code)]

mod plan;
mod report;
mod run;

use std::process::ExitCode;
use std::sync::Arc;

use groundwire::cli::{self, Args, Failure, Opt, Out, Spec, What};
use groundwire::net::{self, IcmpSocket};
use groundwire::server::{Signals, Stopper};
use plan::{Plan, Target};
use run::Run;

const SPEC: Spec = Spec {
    name: "ping",
    about: "Send ICMP echo requests to a host and time its replies.",
    usage: &["[OPTION]... HOST"],
    operands: &[("HOST", "an IP address or a name")],
    options: &[
        Opt::flag("ipv4", "use IPv4 only").short('4'),
        Opt::flag("ipv6", "use IPv6 only").short('6'),
        Opt::value("count", "N", "stop after this many requests [never]").short('c'),
        Opt::value("interval", "SECONDS", "time from one request to the next")
            .short('i')
            .default("1"),
        Opt::value(
            "timeout",
            "SECONDS",
            "how long to wait for a first reply, at the end",
        )
        .short('W')
        .default("10"),
        Opt::value("deadline", "SECONDS", "end after this long; 0 is never")
            .short('w')
            .default("0"),
        Opt::value("size", "BYTES", "payload bytes of a request, 0 to 65507")
            .short('s')
            .default("56"),
        Opt::value(
            "ttl",
            "HOPS",
            "how many hops a request may take, 1 to 255 [the system's]",
        )
        .short('t'),
        Opt::flag("quiet", "print only the first line and the summary").short('q'),
        Opt::flag("numeric", "show addresses only, no name").short('n'),
    ],
    statuses: Some(
        "0 a reply came (with --count and --deadline: that many came in time), 1 none or \
         too few came, 2 any other failure",
    ),
    epilogue: "SECONDS may have a unit: 200ms. Once a reply has come, the wait at the end is\n\
               two round trips or one interval. With a count and a deadline, requests are\n\
               sent until that many are answered. With a deadline, the first ICMP error\n\
               message ends it, too.\n\n\
               Examples:\n  ping -c 3 localhost\n  ping -i 0.2 -w 5 -q 192.0.2.1",
};

fn main() -> ExitCode {
    cli::run(&SPEC, |args| ping(args).map_err(trouble))
}

fn ping(args: Args) -> Result<(), Failure> {
    args.exactly(1)?;
    let plan = Plan::from_args(&args)?;
    let target = Target::find(args.operand(0, "HOST")?, plan.family)?;
    let socket = Arc::new(IcmpSocket::open(target.network()).map_err(Failure::of)?);
    if let Some(ttl) = plan.ttl {
        socket.set_ttl(ttl).map_err(Failure::of)?;
    }
    // Not earlier: Ctrl-C has to end a wait for the resolver.
    let signals = Signals::block().what("blocking signals")?;
    let waiting = Arc::clone(&socket);
    let stop = signals.stop_and_tell(Stopper::new(), move |_| waiting.close());
    stop.what("starting a thread")?;
    Run::new(&plan, &target, &socket, &Out::lines())?.finish()
}

/// `ping` exits with 2 where other programs exit with 1: its 1 is a host that does not reply.
fn trouble(failure: Failure) -> Failure {
    match failure {
        Failure::Failed(text) => {
            cli::complain(&SPEC, text);
            Failure::Quiet(2)
        }
        other => other,
    }
}

/// An error of `net` as this program's failure.
fn failed(error: net::Error) -> Failure {
    groundwire::server::flags::failure(error)
}
