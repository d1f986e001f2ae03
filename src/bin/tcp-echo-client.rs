//! Talks to an echo server over TCP, line by line. The lesson: which side closes first, and how.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use groundwire::cli::{self, Args, DurationArg, Failure, Opt, Spec};
use groundwire::echo::{self, conversation};
use groundwire::net::{Dialer, Network};
use groundwire::server::flags;

const SPEC: Spec = Spec {
    name: "tcp-echo-client",
    about: "Send lines to a TCP echo server and print the replies.",
    usage: &["[OPTION]... HOST:PORT [MESSAGE]..."],
    operands: &[
        ("HOST:PORT", "the server; without HOST, this machine"),
        (
            "MESSAGE",
            "words to send as one line; without any, lines of standard input",
        ),
    ],
    options: &[
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
    epilogue: "It prompts with `>> ` on a terminal and prints each reply as `->: LINE`. At\n\
               the end of the input or after STOP it half-closes, prints what still comes,\n\
               and ends. It compares replies with what was sent only with --check.\n\n\
               Examples:\n  tcp-echo-client localhost:7000\n  tcp-echo-client localhost:7000 hello",
};

fn main() -> ExitCode {
    cli::run(&SPEC, talk)
}

fn talk(args: Args) -> Result<(), Failure> {
    args.at_least(1)?;
    let address = args.operand(0, "HOST:PORT")?;
    let timeout = args.parse::<DurationArg>("timeout")?.get();
    let max_line = conversation::max_line(&args)?;
    let dialer = Dialer {
        timeout: Some(timeout),
        ..Dialer::default()
    };
    let conn = dialer.dial(Network::Tcp, address).map_err(flags::failure)?;
    let what = format!("tcp {address}");
    let client = echo::LineClient::new(conn, max_line, timeout);
    conversation::on_connection(&args, &what, client)
}
