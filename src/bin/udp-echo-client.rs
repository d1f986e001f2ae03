//! Sends datagrams to an echo server over UDP. The lesson: nobody promises an answer.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use groundwire::cli::{self, Args, Count, DurationArg, Failure, Opt, Spec};
use groundwire::echo::{DatagramClient, conversation};
use groundwire::net::{self, Network};
use groundwire::server::flags;

const SPEC: Spec = Spec {
    name: "udp-echo-client",
    about: "Send datagrams to a UDP echo server and print the replies.",
    usage: &["[OPTION]... HOST:PORT [MESSAGE]..."],
    operands: &[
        ("HOST:PORT", "the server; without HOST, this machine"),
        (
            "MESSAGE",
            "words to send as one datagram; without any, lines of standard input",
        ),
    ],
    options: &[
        conversation::STOP_WORD,
        conversation::MAX_LINE,
        conversation::CHECK,
        conversation::RAW,
        Opt::value("timeout", "TIME", "wait this long for each reply")
            .short('t')
            .default("1s"),
        Opt::value("retries", "N", "send again this many times")
            .short('r')
            .default("2"),
    ],
    statuses: None,
    epilogue: "It fails if no reply comes, or if the host says that nothing listens there. A\n\
               datagram that differs from what was sent is ignored as a late reply.\n\n\
               Example:\n  udp-echo-client --timeout 500ms localhost:7001 hello",
};

fn main() -> ExitCode {
    cli::run(&SPEC, talk)
}

fn talk(args: Args) -> Result<(), Failure> {
    args.at_least(1)?;
    let address = args.operand(0, "HOST:PORT")?;
    let timeout = args.parse::<DurationArg>("timeout")?.get();
    let attempts = args.parse::<Count>("retries")?.get().saturating_add(1);
    let socket = net::dial_datagrams(Network::Udp, address).map_err(flags::failure)?;
    let client = DatagramClient::new(socket, timeout, u32::try_from(attempts).unwrap_or(u32::MAX));
    conversation::by_datagrams(&args, &format!("udp {address}"), client)
}
