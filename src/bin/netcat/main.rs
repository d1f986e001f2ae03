//! Connects standard input and output to a socket: the tool that every lesson begins with.
//!
//! The options are those of OpenBSD's `nc`; where the meaning differs, `--help` says so.
//!
//! Reading order: `plan` (what is asked for), `client`, `listener`, `scan`.
#![forbid(unsafe_code)]

mod client;
mod listener;
mod plan;
mod scan;

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use groundwire::cli::{self, Args, Failure, Opt, Spec, What};
use groundwire::netcat::Error;
use groundwire::sys::signal::{self, Signal};
use plan::{Plan, Role};

const SPEC: Spec = Spec {
    name: "netcat",
    about: "Copy standard input to a connection, and what it receives to standard output.",
    usage: &[
        "[OPTION]... HOST PORT",
        "-z [OPTION]... HOST PORT...",
        "-l [OPTION]... [HOST] PORT",
        "-U [-l] [OPTION]... PATH",
    ],
    operands: &[
        (
            "HOST",
            "an IP address or a name; with -l, where to listen [all addresses]",
        ),
        (
            "PORT",
            "a number or the name of a service; with -z also ranges, 20-30",
        ),
        ("PATH", "a Unix socket; @NAME is an abstract name"),
    ],
    options: &[
        Opt::flag("listen", "wait for a connection instead of making one").short('l'),
        Opt::flag(
            "keep-open",
            "with -l: after a connection, wait for the next one",
        )
        .short('k'),
        Opt::flag("udp", "datagrams: UDP, or with -U Unix datagrams").short('u'),
        Opt::flag("unix", "a Unix socket").short('U'),
        Opt::flag(
            "seqpacket",
            "with -U: records; each read of the input is one",
        ),
        Opt::flag("ipv4", "use IPv4 only").short('4'),
        Opt::flag("ipv6", "use IPv6 only").short('6'),
        Opt::value("port", "PORT", "the port to connect from, or to listen on").short('p'),
        Opt::value(
            "source",
            "ADDRESS",
            "the IP address to connect from, or to listen on",
        )
        .short('s'),
        Opt::flag("numeric", "do not look up names").short('n'),
        Opt::flag("verbose", "say what happens, on standard error")
            .short('v')
            .many(),
        Opt::flag("scan", "only test which ports are open")
            .short('z')
            .under("Scanning"),
        Opt::value(
            "timeout",
            "SECONDS",
            "end after this long without connection or data [never]",
        )
        .short('w')
        .under("Ends"),
        Opt::value(
            "quit-after",
            "SECONDS",
            "end this long after the input's end; -1: never [never]",
        )
        .short('q')
        .under("Ends"),
        Opt::flag(
            "shutdown",
            "half-close at the input's end: the default here",
        )
        .short('N')
        .under("Ends"),
        Opt::flag("no-input", "do not read standard input, nor half-close")
            .short('d')
            .under("Ends"),
        Opt::value(
            "interval",
            "SECONDS",
            "wait after each line, and between scanned ports",
        )
        .short('i')
        .under("Data"),
        Opt::flag("crlf", "send CR LF for each LF")
            .short('C')
            .under("Data"),
        Opt::flag("telnet", "refuse all Telnet negotiation")
            .short('t')
            .under("Data"),
        Opt::flag(
            "hexdump",
            "show all data with time and offset, on standard error",
        )
        .under("Data"),
        Opt::value("proxy", "HOST[:PORT]", "connect through this proxy")
            .short('x')
            .under("Proxy"),
        Opt::value("proxy-protocol", "PROTOCOL", "connect, 4 or 5 [5]")
            .short('X')
            .under("Proxy"),
    ],
    statuses: Some("0 done (with -z: a port is open), 1 failed, 2 called wrongly"),
    epilogue: "Differences from OpenBSD's nc, and why:\n\
        \x20 At the end of the input it half-closes, as nc does only with -N: most\n\
        \x20 servers answer once they have the whole request. -d turns this off.\n\
        \x20 It ends when both sides have ended. nc -l ends when the peer half-closes,\n\
        \x20 even if the reply is not yet sent; nc HOST waits for input after the\n\
        \x20 peer has closed. netcat does not wait for a terminal, and a reset (on Unix\n\
        \x20 sockets a close) ends it at once.\n\
        \x20 -l -u hears every peer, with and without -k; the input goes to the latest.\n\
        \x20 It reports failures even without -v; a broken connection is status 1.\n\
        \x20 -t removes Telnet commands from the data. -X 4 sends names to the proxy (4a).\n\
        \x20 Port ranges need -z. Seconds may be fractions, or have a unit: 200ms.\n\
        \x20 -l -U removes its socket at the end; nc leaves the file behind.\n\
        \x20 There is no option to run programs (-e, -c), for safety, as in nc.\n\n\
        With -l, a signal during a connection makes it exit with 128 plus the signal's\n\
        number.\n\n\
        Examples:\n  printf 'GET / HTTP/1.0\\r\\n\\r\\n' | netcat 127.0.0.1 80\n  \
        netcat -l 7000 > copy\n  netcat -zv 127.0.0.1 20-30",
};

fn main() -> ExitCode {
    cli::run(&SPEC, netcat)
}

fn netcat(args: Args) -> Result<(), Failure> {
    // With SIGXFSZ blocked, a file that reaches its size limit is an error to report.
    signal::block(&[Signal::FileSize]).what("blocking signals")?;
    let plan = Arc::new(Plan::from_args(&args)?);
    match &plan.role {
        Role::Connect(target) => client::connect(&plan, target),
        Role::Listen(address) => listener::listen(&plan, address),
        Role::Scan { host, ports } => scan::scan(&plan, host, ports),
    }
}

/// A line about what happens, with `-v`.
fn tell(plan: &Plan, line: impl Display) {
    if plan.verbose {
        // In one write; a lost line is no reason to end.
        let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
    }
}

/// An error of the room as this program's failure. A closed output pipe ends it silently.
fn failed(error: Error) -> Failure {
    match error {
        Error::Output(why) if why.kind() == std::io::ErrorKind::BrokenPipe => Failure::ClosedPipe,
        other => Failure::Failed(other.to_string()),
    }
}
