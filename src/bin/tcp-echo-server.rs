//! Echoes lines over TCP until it is stopped. The lesson: one service, three ways to serve many.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use groundwire::cli::{self, Args, Failure, Opt, Spec};
use groundwire::echo::{self, EchoHandler};
use groundwire::net::{ListenConfig, Network};
use groundwire::server::{flags, program};

const SPEC: Spec = Spec {
    name: "tcp-echo-server",
    about: "Echo each line that a TCP peer sends, until it closes.",
    usage: &["[OPTION]... [ADDRESS]"],
    operands: &[(
        "ADDRESS",
        "where to listen, as HOST:PORT; port 0 picks one; without a host (:7000), every interface, open to other machines [127.0.0.1:7000]",
    )],
    options: &[
        flags::MODE,
        flags::WORKERS,
        flags::QUEUE,
        flags::SCHEDULING,
        Opt::flag(
            "reuse-port",
            "let other servers listen on the port, too, and share its load",
        ),
        echo::flags::ONCE,
        echo::flags::STOP_WORD,
        echo::flags::STOP_CONNECTION_WORD,
        echo::flags::MAX_LINE,
        echo::flags::IDLE_TIMEOUT,
        echo::flags::WRITE_TIMEOUT,
        flags::MAX_CONNECTIONS,
        flags::MAX_PER_PEER,
        flags::ALLOW,
        flags::DENY,
        flags::DRAIN,
        flags::METRICS,
        flags::LOG,
        flags::VERBOSE_AND_SHOW,
    ],
    statuses: None,
    epilogue: "It prints the address first and the totals last. SIGINT and SIGTERM end it when\n\
               its connections have ended; a second signal ends it at once.\n\n\
               Examples:\n  tcp-echo-server\n  tcp-echo-server --mode pool --workers 8 -v :7000",
};

fn main() -> ExitCode {
    cli::run(&SPEC, serve)
}

fn serve(args: Args) -> Result<(), Failure> {
    args.at_most(1)?;
    let address = args.operand_opt(0, "ADDRESS")?.unwrap_or("127.0.0.1:7000");
    let config = flags::config_with_peers(SPEC.name, &args)?;
    let handler = EchoHandler::new(echo::flags::config(&args)?);
    let listening = ListenConfig {
        reuse_port: args.flag("reuse-port"),
        ..ListenConfig::default()
    };
    let listener = program::bind(Network::Tcp, || listening.listen(Network::Tcp, address))?;
    let config = echo::flags::limited(config, &args);
    program::serve_connections(&args, config, listener, handler)
}
