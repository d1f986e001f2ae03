//! Shows packets from a capture file, or as they pass an interface.
//!
//! Options and output are those of tshark and tcpdump, which scripts and people know.
//!
//! Reading order: `plan` (what is asked for), `source` (where packets come from), `run` (the loop),
//! `view` (what is shown of each), `save` (`-w`).
#![forbid(unsafe_code)]

mod plan;
mod run;
mod save;
mod source;
mod view;

use std::fs::File;
use std::io::{self, Write};
use std::process::ExitCode;

use groundwire::cli::{self, Args, Failure, Opt, Out, Spec, UsageError, What};
use groundwire::server::{Signals, Stopper};
use groundwire::sys::signal::{self, Signal};
use plan::Plan;
use run::Run;
use source::Source;
use view::View;

const SPEC: Spec = Spec {
    name: "capture",
    about: "Show the packets of a capture file, or those that pass an interface.",
    usage: &["-r FILE [OPTION]...", "-i INTERFACE [OPTION]...", "-D"],
    operands: &[],
    options: &[
        Opt::value(
            "read",
            "FILE",
            "read a pcap or pcapng file; - is standard input",
        )
        .short('r'),
        Opt::value("interface", "NAME", "capture on this interface, or on any").short('i'),
        Opt::flag("list", "list the interfaces and exit").short('D'),
        Opt::value("count", "N", "stop after this many packets [no limit]").short('c'),
        // Repeatable for users who type tcpdump's -nn by habit.
        Opt::flag("numeric", "no effect: names are never looked up")
            .short('n')
            .many(),
        Opt::value("filter", "FILTER", "show and write only packets that match")
            .short('Y')
            .under("Which packets"),
        Opt::value(
            "capture-filter",
            "FILTER",
            "ignore all other packets, as if they did not exist",
        )
        .short('f')
        .under("Which packets"),
        Opt::value(
            "decode-as",
            "RULE",
            "decode a port as a protocol, such as tcp.port==7100,frames",
        )
        .short('d')
        .many()
        .under("Which packets"),
        Opt::flag("tree", "show all fields of each packet")
            .short('V')
            .under("What is shown"),
        Opt::flag("hex", "show the bytes of each packet")
            .short('x')
            .under("What is shown"),
        Opt::value("type", "TYPE", "text, or fields: a line with those of -e")
            .short('T')
            .under("What is shown"),
        Opt::value("field", "FIELD", "a field to show, such as tcp.srcport")
            .short('e')
            .many()
            .under("What is shown"),
        Opt::value(
            "field-option",
            "OPTION",
            "such as header=y, separator=/t, quote=d",
        )
        .short('E')
        .many()
        .under("What is shown"),
        Opt::value(
            "time",
            "LETTER",
            "relative, delta, epoch, absolute, utc: r d e a ad u ud",
        )
        .short('t')
        .default("r")
        .under("What is shown"),
        Opt::flag("explain", "say in words what each TCP segment means").under("What is shown"),
        Opt::value(
            "follow",
            "STREAM",
            "show the data of a stream: tcp,0 or udp,0,hex",
        )
        .under("What is shown"),
        Opt::value(
            "statistics",
            "TABLE",
            "a table at the end: conv,tcp, or udp, ip, ipv6, eth",
        )
        .short('z')
        .many()
        .under("What is shown"),
        Opt::flag("checksums", "verify checksums").under("What is shown"),
        Opt::flag("quiet", "show no packets")
            .short('q')
            .under("What is shown"),
        Opt::flag(
            "print",
            "show the line of each packet even with -w, -V or -x",
        )
        .short('P')
        .under("What is shown"),
        Opt::flag("line-buffered", "flush the text of each packet at once")
            .short('l')
            .under("What is shown"),
        Opt::value("write", "FILE", "write the packets; - is standard output")
            .short('w')
            .under("Writing"),
        Opt::value(
            "format",
            "FORMAT",
            "pcap, nsecpcap or pcapng [by FILE's name]",
        )
        .short('F')
        .under("Writing"),
        Opt::value(
            "snap",
            "BYTES",
            "keep at most this much of a packet; 0 is all",
        )
        .short('s')
        .default("262144")
        .under("Capturing"),
        Opt::flag("no-promiscuous", "leave out packets addressed to others")
            .short('p')
            .under("Capturing"),
        Opt::value("buffer", "SIZE", "the kernel's buffer for waiting packets")
            .short('B')
            .default("2MiB")
            .under("Capturing"),
    ],
    statuses: None,
    epilogue: "FILE is written as pcapng, or as pcap if its name ends in .pcap. Capturing needs\n\
               a privilege: use sudo, or once: sudo setcap cap_net_raw+ep PATH-OF-CAPTURE.\n\n\
               Examples:\n  capture -r trace.pcapng -Y 'tcp.flags.syn==1'\n  capture -i lo -c 10 -w trace.pcap",
};

fn main() -> ExitCode {
    cli::run(&SPEC, capture)
}

fn capture(args: Args) -> Result<(), Failure> {
    if let Some(extra) = args.operands().first() {
        // Here tshark takes a display filter, and tcpdump one in its own language.
        let extra = extra.to_string_lossy();
        let why = "extra operand: a file is for -r, a filter for -Y";
        return Err(UsageError::rule(format_args!("{extra}: {why}")).into());
    }
    if args.flag("list") {
        return list();
    }
    // With SIGXFSZ blocked, a file that reaches its size limit is an error to report.
    signal::block(&[Signal::FileSize]).what("blocking signals")?;
    let plan = Plan::from_args(&args)?;
    let view = View::from_args(&args)?;
    let (mut source, _pipe) = open(&plan)?;
    // The file to write is made once it is known that there is something to read.
    Run::new(plan, view)?.run(&mut source)
}

/// A live capture ends at the first signal and prints its counts; reading a file just ends. If a live
/// capture writes to a named pipe, the pipe has a reader when this returns.
fn open(plan: &Plan) -> Result<(Source, Option<File>), Failure> {
    let source = Source::open(plan)?;
    let Some((name, stop)) = source.live() else {
        return Ok((source, None));
    };
    let path = plan.save.as_ref().map_or("-", |save| &save.path);
    let pipe = cli::reader_of_pipe(path).what(path)?;
    let signals = Signals::block().what("blocking signals")?;
    let stop = signals.stop_and_tell(Stopper::new(), move |_| stop.stop());
    stop.what("starting a thread")?;
    // Standard error: standard output may be the packets.
    let _ = io::stderr().write_all(format!("Capturing on '{name}'\n").as_bytes());
    Ok((source, pipe))
}

fn list() -> Result<(), Failure> {
    let out = Out::bulk();
    for (at, name) in source::names()?.iter().enumerate() {
        out.line(format_args!("{}. {}", at + 1, name.escape_debug()))?;
    }
    out.flush()
}
