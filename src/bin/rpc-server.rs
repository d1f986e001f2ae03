//! Offers a calculator whose methods are called by name. The lesson: a call that may not come back.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use groundwire::cli::{self, Args, Failure, Opt, Spec, UsageError};
use groundwire::net::{self, Network};
use groundwire::rpc::{self, Calculate, Calculator, RpcHandler};
use groundwire::server::{Config, flags, program};

const SPEC: Spec = Spec {
    name: "rpc-server",
    about: "Offer a calculator whose methods other programs can call.",
    usage: &["[OPTION]... [ADDRESS]", "[OPTION]... --unix PATH"],
    operands: &[(
        "ADDRESS",
        "where to listen, as HOST:PORT; port 0 picks one [127.0.0.1:7200]",
    )],
    options: &[
        Opt::value("unix", "PATH", "listen on this Unix socket instead"),
        Opt::flag("quit", "offer Server.Quit, which ends the server"),
        rpc::flags::SECRET_FILE,
        rpc::flags::WORKERS,
        rpc::flags::QUEUE,
        rpc::flags::IN_FLIGHT,
        rpc::flags::MAX_MESSAGE,
        rpc::flags::IDLE_TIMEOUT,
        flags::SCHEDULING,
        flags::MAX_CONNECTIONS,
        flags::MAX_PER_PEER,
        flags::ALLOW,
        flags::DENY,
        flags::DRAIN,
        flags::METRICS,
        flags::LOG,
        flags::VERBOSE,
    ],
    statuses: None,
    epilogue: "`rpc-client --list` shows its methods. A secret keeps strangers out but hides\n\
               nothing: anyone on the path can read and change what is sent.\n\n\
               Examples:\n  rpc-server\n  rpc-server --unix /tmp/rpc.sock --quit",
};

/// Options without a meaning for `--unix`.
const OF_ADDRESSES: [&str; 3] = ["max-per-peer", "allow", "deny"];

fn main() -> ExitCode {
    cli::run(&SPEC, serve)
}

fn serve(args: Args) -> Result<(), Failure> {
    let (network, address) = place(&args)?;
    let config = Config {
        stack_size: rpc::STACK_SIZE,
        ..flags::with_peers(flags::config_of_threads(SPEC.name, &args)?, &args)?
    };
    let calls = rpc::flags::config(&config, &args)?;
    let listener = program::bind(network, || net::listen(network, address))?;
    program::serve_connections_with(&args, config, listener, |stopper, registry| {
        let mut services = vec![Calculator.into_service()];
        if args.flag("quit") {
            services.push(rpc::quit(stopper.clone()));
        }
        let handler = RpcHandler::new(calls, services);
        handler.register(registry);
        handler
    })
}

/// Where to listen.
fn place(args: &Args) -> Result<(Network, &str), UsageError> {
    let Some(path) = args.value("unix") else {
        args.at_most(1)?;
        let address = args.operand_opt(0, "ADDRESS")?;
        return Ok((Network::Tcp, address.unwrap_or("127.0.0.1:7200")));
    };
    args.at_most(0)?;
    match OF_ADDRESSES.iter().find(|name| args.given(name)) {
        Some(name) => Err(UsageError::rule(format_args!(
            "--{name}: peers of a Unix socket have no address"
        ))),
        None => Ok((Network::Unix, path)),
    }
}
