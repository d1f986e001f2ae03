//! Echoes over a Unix socket: lines of a stream, datagrams, or records of sequenced packets.
#![forbid(unsafe_code)]

use std::path::Path;
use std::process::ExitCode;

use groundwire::cli::{self, Args, Failure, Opt, Spec, UsageError};
use groundwire::echo::{self, EchoHandler};
use groundwire::net::{ListenConfig, Network};
use groundwire::server::{DatagramConfig, flags, program};

const SPEC: Spec = Spec {
    name: "unix-echo-server",
    about: "Echo what peers send to a Unix socket.",
    usage: &["[OPTION]... PATH"],
    operands: &[(
        "PATH",
        "the socket's file, at most 107 bytes; @NAME is an abstract name",
    )],
    options: &[
        Opt::value("type", "TYPE", "stream, datagram or seqpacket")
            .short('T')
            .default("stream"),
        Opt::value(
            "permissions",
            "OCTAL",
            "permission bits of the file, such as 600 [by the umask]",
        ),
        flags::MODE,
        flags::WORKERS,
        flags::QUEUE,
        flags::SCHEDULING,
        echo::flags::ONCE,
        echo::flags::STOP_WORD,
        echo::flags::STOP_CONNECTION_WORD,
        echo::flags::MAX_LINE,
        echo::flags::IDLE_TIMEOUT,
        echo::flags::WRITE_TIMEOUT,
        flags::MAX_CONNECTIONS,
        flags::DRAIN,
        flags::METRICS,
        flags::LOG,
        flags::VERBOSE_AND_SHOW,
    ],
    statuses: None,
    epilogue: "With --type datagram there are no connections: options about them are refused.\n\
               A socket file that a killed server left behind is replaced, unless a server\n\
               answers on it. The file is removed at the end.\n\n\
               Examples:\n  unix-echo-server /tmp/echo.sock\n\
               \x20 unix-echo-server --type seqpacket --permissions 600 /tmp/echo.sock",
};

/// Options without a meaning for `--type datagram`.
const CONNECTIONS_ONLY: [&str; 11] = [
    "mode",
    "workers",
    "queue",
    "scheduling",
    "once",
    "stop-word",
    "stop-connection-word",
    "idle-timeout",
    "write-timeout",
    "max-connections",
    "drain",
];

fn main() -> ExitCode {
    cli::run(&SPEC, serve)
}

fn serve(args: Args) -> Result<(), Failure> {
    args.exactly(1)?;
    let path = args.path(0, "PATH")?;
    let listening = ListenConfig {
        unix_mode: permissions(&args, path)?,
        ..ListenConfig::default()
    };
    match args.value("type").unwrap_or_default() {
        "stream" => serve_connections(&args, &listening, Network::Unix, path),
        "seqpacket" => serve_connections(&args, &listening, Network::Unixpacket, path),
        "datagram" => serve_datagrams(&args, &listening, path),
        other => {
            let why = "must be stream, datagram or seqpacket";
            Err(UsageError::bad_value("--type", other, why).into())
        }
    }
}

fn serve_connections(
    args: &Args,
    listening: &ListenConfig,
    network: Network,
    path: &Path,
) -> Result<(), Failure> {
    let config = echo::flags::limited(flags::config(SPEC.name, args)?, args);
    let handler = EchoHandler::new(echo::flags::config(args)?);
    let listener = program::bind(network, || listening.listen(network, path))?;
    program::serve_connections(args, config, listener, handler)
}

fn serve_datagrams(args: &Args, listening: &ListenConfig, path: &Path) -> Result<(), Failure> {
    if let Some(name) = CONNECTIONS_ONLY.iter().find(|name| args.given(name)) {
        return Err(
            UsageError::rule(format_args!("--{name}: datagrams have no connection")).into(),
        );
    }
    let config = DatagramConfig {
        name: SPEC.name.into(),
        log: flags::log(args)?,
        max_datagram: echo::flags::config(args)?.max_line,
        ..DatagramConfig::default()
    };
    let network = Network::Unixgram;
    let socket = program::bind(network, || listening.listen_datagrams(network, path))?;
    let show = flags::Show::if_verbose(args)?;
    program::serve_datagrams(args, &config, vec![socket], || {
        echo::datagram_handler(show.clone())
    })
}

fn permissions(args: &Args, path: &Path) -> Result<Option<u32>, UsageError> {
    let Some(text) = args.value("permissions") else {
        return Ok(None);
    };
    if path.as_os_str().as_encoded_bytes().starts_with(b"@") {
        // Anyone in this network namespace may connect: the bits would have no effect.
        return Err(UsageError::rule(
            "--permissions: an abstract name has no file",
        ));
    }
    // The parser would take a sign, too.
    let digits = text.bytes().all(|digit| digit.is_ascii_digit());
    match u32::from_str_radix(text, 8) {
        Ok(mode) if digits && mode <= 0o777 => Ok(Some(mode)),
        _ => Err(UsageError::bad_value(
            "--permissions",
            text,
            "must be octal, 0 to 777",
        )),
    }
}
