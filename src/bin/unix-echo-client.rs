//! Talks to an echo server over a Unix socket of any type.
#![forbid(unsafe_code)]

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use groundwire::cli::{self, Args, DurationArg, Failure, Opt, Spec, UsageError};
use groundwire::echo::{DatagramClient, LineClient, conversation};
use groundwire::net::{self, Dialer, Network};

const SPEC: Spec = Spec {
    name: "unix-echo-client",
    about: "Send lines to a Unix echo server and print the replies.",
    usage: &["[OPTION]... PATH [MESSAGE]..."],
    operands: &[
        ("PATH", "the server's socket; @NAME is an abstract name"),
        (
            "MESSAGE",
            "words to send as one line; without any, lines of standard input",
        ),
    ],
    options: &[
        Opt::value("type", "TYPE", "stream, datagram or seqpacket")
            .short('T')
            .default("stream"),
        conversation::STOP_WORD,
        conversation::MAX_LINE,
        conversation::CHECK,
        conversation::RAW,
        Opt::value(
            "timeout",
            "TIME",
            "wait this long to connect, and for each reply",
        )
        .short('t')
        .default("10s"),
    ],
    statuses: None,
    epilogue: "It compares replies with what was sent only with --check.\n\n\
               Example:\n  unix-echo-client /tmp/echo.sock hello",
};

fn main() -> ExitCode {
    cli::run(&SPEC, talk)
}

fn talk(args: Args) -> Result<(), Failure> {
    args.at_least(1)?;
    let path = args.path(0, "PATH")?;
    let timeout = args.parse::<DurationArg>("timeout")?.get();
    let max_line = conversation::max_line(&args)?;
    match args.value("type").unwrap_or_default() {
        "stream" => connect(&args, Network::Unix, path, max_line, timeout),
        "seqpacket" => connect(&args, Network::Unixpacket, path, max_line, timeout),
        "datagram" => {
            let socket = net::dial_datagrams(Network::Unixgram, path).map_err(Failure::of)?;
            let client = DatagramClient::new(socket, timeout, 1);
            conversation::by_datagrams(&args, &format!("unixgram {}", path.display()), client)
        }
        other => {
            let why = "must be stream, datagram or seqpacket";
            Err(UsageError::bad_value("--type", other, why).into())
        }
    }
}

fn connect(
    args: &Args,
    network: Network,
    path: &Path,
    max_line: usize,
    timeout: Duration,
) -> Result<(), Failure> {
    let dialer = Dialer {
        timeout: Some(timeout),
        ..Dialer::default()
    };
    let conn = dialer.dial(network, path).map_err(Failure::of)?;
    let client = LineClient::new(conn, max_line, timeout);
    conversation::on_connection(args, &format!("{network} {}", path.display()), client)
}
