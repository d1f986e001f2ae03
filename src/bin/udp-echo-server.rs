//! Echoes datagrams over UDP until it is stopped. The lesson: no connections, so one thread serves all.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use groundwire::cli::{self, Args, Failure, NonZeroCount, Opt, Spec};
use groundwire::echo;
use groundwire::net::{ListenConfig, Network};
use groundwire::server::{DatagramConfig, flags, program};

const SPEC: Spec = Spec {
    name: "udp-echo-server",
    about: "Echo each datagram to its sender, whole, up to 65,507 bytes.",
    usage: &["[OPTION]... [ADDRESS]"],
    operands: &[(
        "ADDRESS",
        "where to listen, as HOST:PORT; port 0 picks one; without a host (:7001), every interface, open to other machines [127.0.0.1:7001]",
    )],
    options: &[
        Opt::value("sockets", "N", "sockets that share the port, a thread each").default("1"),
        flags::ALLOW,
        flags::DENY,
        flags::METRICS,
        flags::LOG,
        flags::VERBOSE_AND_SHOW,
    ],
    statuses: None,
    epilogue: "It prints the address first and the totals last.\n\n\
               Example:\n  udp-echo-server -v 127.0.0.1:7001",
};

fn main() -> ExitCode {
    cli::run(&SPEC, serve)
}

fn serve(args: Args) -> Result<(), Failure> {
    args.at_most(1)?;
    let address = args.operand_opt(0, "ADDRESS")?.unwrap_or("127.0.0.1:7001");
    let count = args.parse::<NonZeroCount>("sockets")?.as_usize();
    let config = DatagramConfig {
        name: SPEC.name.into(),
        log: flags::log(&args)?,
        access: flags::access(&args)?,
        ..DatagramConfig::default()
    };
    let listening = ListenConfig {
        reuse_port: count > 1,
        ..ListenConfig::default()
    };
    let listen = |address: &str| listening.listen_datagrams(Network::Udp, address);
    let first = program::bind(Network::Udp, || listen(address))?;
    // The others bind the address that the first got, which matters if it asked for port 0.
    let bound = first
        .local_addr()
        .map_or(address.to_string(), |local| local.to_string());
    let mut sockets = vec![first];
    while sockets.len() < count {
        sockets.push(listen(&bound).map_err(flags::failure)?);
    }
    let show = flags::Show::if_verbose(&args)?;
    program::serve_datagrams(&args, &config, sockets, || {
        echo::datagram_handler(show.clone())
    })
}
