//! Takes commands with strings and structs over TCP. The lesson: where one message ends.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use groundwire::cli::{self, Args, Failure, Spec};
use groundwire::endpoint::{self, Commands, Endpoint, Message, Name};
use groundwire::net::{self, Addr, Network};
use groundwire::server::{Config, flags, program};
use groundwire::telemetry::{Counter, Registry};

const SPEC: Spec = Spec {
    name: "message-server",
    about: "Receive commands that carry a string or a struct.",
    usage: &["[OPTION]... [ADDRESS]"],
    operands: &[(
        "ADDRESS",
        "where to listen, as HOST:PORT; port 0 picks one [127.0.0.1:7100]",
    )],
    options: &[
        flags::MODE,
        flags::WORKERS,
        flags::QUEUE,
        flags::SCHEDULING,
        endpoint::flags::MAX_LINE,
        endpoint::flags::MAX_FRAME,
        endpoint::flags::IDLE_TIMEOUT,
        endpoint::flags::ITEM_TIMEOUT,
        endpoint::flags::WRITE_TIMEOUT,
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
    epilogue: "It prints what it receives; with -v, also each command and its peer. STRING\n\
               takes a line and STRUCT takes a frame; the reply to both is a line.\n\n\
               Examples:\n  message-server\n  printf 'STRING\\nhello\\n' | nc -N 127.0.0.1 7100",
};

fn main() -> ExitCode {
    cli::run(&SPEC, serve)
}

fn serve(args: Args) -> Result<(), Failure> {
    args.at_most(1)?;
    let address = args.operand_opt(0, "ADDRESS")?.unwrap_or("127.0.0.1:7100");
    let config = Config {
        stack_size: endpoint::STACK_SIZE,
        ..flags::config_with_peers(SPEC.name, &args)?
    };
    let limits = endpoint::flags::config(&args)?;
    let listener = program::bind(Network::Tcp, || net::listen(Network::Tcp, address))?;

    let received = flags::Show::new(&args)?;
    let called = flags::Show::if_verbose(&args)?;
    let commands = Commands::built_in(move |_: &Addr, message: Message<'_>| {
        received.line(format_args!("-> {message}"));
    });
    program::serve_connections_with(&args, config, listener, |_, registry| {
        let counters = counters(&commands, registry);
        Endpoint::new(limits, commands).watched(move |peer: &Addr, name: &Name| {
            if let Some(counter) = counters.get(name) {
                counter.inc();
            }
            if let Some(called) = &called {
                called.line(format_args!("{peer} {name}"));
            }
        })
    })
}

/// A counter for each command, on the page of `--metrics`.
fn counters(commands: &Commands, registry: &Registry) -> BTreeMap<Name, Arc<Counter>> {
    let counter = |name: Name| {
        let labels = [("command", name.as_str())];
        let help = "Commands that were called.";
        let counter = registry.counter("groundwire_endpoint_commands_total", help, &labels);
        (name, counter)
    };
    commands.names().into_iter().map(counter).collect()
}
