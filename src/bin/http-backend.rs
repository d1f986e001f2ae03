//! An HTTP/1.1 server that is slow, wrong or dead on request. The lesson: a message on the wire.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use groundwire::cli::{self, Args, Failure, Spec};
use groundwire::net::{self, Network};
use groundwire::origin::{self, Origin};
use groundwire::server::{flags, program};

const SPEC: Spec = Spec {
    name: "http-backend",
    about: "Serve HTTP for tests: echo requests, serve files, be slow or wrong on request.",
    usage: &["[OPTION]... [ADDRESS]"],
    operands: &[(
        "ADDRESS",
        "where to listen, as HOST:PORT; port 0 picks one [127.0.0.1:9001]",
    )],
    options: &[
        origin::flags::NAME,
        origin::flags::ROOT,
        origin::flags::FAIL_RATE,
        origin::flags::SEED,
        origin::flags::MAX_HEADER,
        origin::flags::MAX_MESSAGE,
        origin::flags::IDLE_TIMEOUT,
        origin::flags::HEADER_TIMEOUT,
        origin::flags::BODY_TIMEOUT,
        origin::flags::WRITE_TIMEOUT,
        flags::MAX_CONNECTIONS,
        flags::MAX_PER_PEER,
        flags::ALLOW,
        flags::DENY,
        flags::SCHEDULING,
        flags::DRAIN,
        flags::METRICS,
        flags::LOG,
        flags::VERBOSE,
    ],
    statuses: None,
    epilogue: "The page / lists all pages. With --root, any other path is a file.\n\n\
               Examples:\n  http-backend --name b1 -v\n  http-backend --root docs --fail-rate 0.1 :9002",
};

fn main() -> ExitCode {
    cli::run(&SPEC, serve)
}

fn serve(args: Args) -> Result<(), Failure> {
    args.at_most(1)?;
    let address = args.operand_opt(0, "ADDRESS")?.unwrap_or("127.0.0.1:9001");
    let config = flags::config_of_threads(SPEC.name, &args)?;
    let config = flags::with_peers(config, &args)?;
    let listener = program::bind(Network::Tcp, || net::listen(Network::Tcp, address))?;
    let origin = origin::flags::config(&args, &listener.local_addr().to_string())?;
    program::serve_connections(&args, config, listener, Origin::new(origin))
}
