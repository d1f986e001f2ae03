//! Sends a string or a struct to `message-server`, and prints the reply.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use groundwire::cli::{self, Args, DurationArg, Failure, Opt, Out, Spec, UsageError};
use groundwire::echo::printable;
use groundwire::endpoint::{Client, ClientError, Message, Record, flags};
use groundwire::net::{Dialer, Network};
use groundwire::server::flags::failure;

const SPEC: Spec = Spec {
    name: "message-client",
    about: "Send a command with a string or a struct, and print the reply.",
    usage: &[
        "[OPTION]... HOST:PORT string TEXT...",
        "[OPTION]... HOST:PORT struct",
    ],
    operands: &[
        ("HOST:PORT", "the server"),
        ("COMMAND", "string or struct"),
        ("TEXT", "words to send as one string"),
    ],
    options: &[
        flags::NUMBER,
        flags::STRING,
        flags::MAP,
        flags::PAYLOAD,
        Opt::value(
            "timeout",
            "TIME",
            "wait this long to connect, and for the reply",
        )
        .short('t')
        .default("10s"),
    ],
    statuses: None,
    epilogue: "It prints what it sends, and the reply as `->: LINE`. Without -n, -s, -m\n\
               and -p it sends an example struct. Each struct contains another one.\n\n\
               Examples:\n  message-client localhost:7100 string hello there\n  \
               message-client localhost:7100 struct -n 7 -m one=1 -m two=2 -p 00ff",
};

/// What is to be sent.
enum Sent {
    Text(String),
    Record(Record),
}

fn main() -> ExitCode {
    cli::run(&SPEC, talk)
}

fn talk(args: Args) -> Result<(), Failure> {
    args.at_least(2)?;
    let address = args.operand(0, "HOST:PORT")?;
    let sent = sent(&args)?;
    let timeout = args.parse::<DurationArg>("timeout")?.get();
    let dialer = Dialer {
        timeout: Some(timeout),
        ..Dialer::default()
    };
    let conn = dialer.dial(Network::Tcp, address).map_err(failure)?;
    let mut client = Client::new(conn, timeout);

    let out = Out::lines();
    let reply = match &sent {
        Sent::Text(text) => {
            out.line(Message::Text(text))?;
            client.string(text)
        }
        Sent::Record(record) => {
            out.line(Message::Record(record))?;
            client.record(record)
        }
    };
    let reply = reply.map_err(|why| format!("tcp {address}: {why}"))?;
    out.line(format_args!("->: {}", printable(reply.as_bytes())))
}

fn sent(args: &Args) -> Result<Sent, UsageError> {
    match args.operand(1, "COMMAND")? {
        "string" if flags::makes_a_record(args) => {
            Err(UsageError::rule("-n, -s, -m and -p belong to struct"))
        }
        "string" => {
            args.at_least(3)?;
            let words = args.texts(2, "TEXT").collect::<Result<Vec<_>, _>>()?;
            let text = words.join(" ");
            if !Client::is_line(&text) {
                return Err(UsageError::bad_value("TEXT", &text, ClientError::NoLine));
            }
            Ok(Sent::Text(text))
        }
        "struct" => {
            args.at_most(2)?;
            flags::record(args).map(Sent::Record)
        }
        other => Err(UsageError::bad_value(
            "COMMAND",
            other,
            "must be string or struct",
        )),
    }
}
