//! The flags of the echo servers over streams.

use super::{EchoConfig, printable};
use crate::cli::{Args, Failure, Opt, UsageError};
use crate::server::Config;
use crate::server::flags::{Show, limit};

/// `--once`
pub const ONCE: Opt = Opt::flag("once", "serve one connection, one read, then end");
/// `--stop-word WORD`
pub const STOP_WORD: Opt = Opt::value(
    "stop-word",
    "WORD",
    "echo this line, then end the server gracefully",
);
/// `--stop-connection-word WORD`
pub const STOP_CONNECTION_WORD: Opt = Opt::value(
    "stop-connection-word",
    "WORD",
    "echo this line, then end its connection",
);
/// `--idle-timeout TIME`
pub const IDLE_TIMEOUT: Opt = Opt::value(
    "idle-timeout",
    "TIME",
    "end a connection whose next line takes longer; 0: never",
)
.default("5m");
/// `--write-timeout TIME`
pub const WRITE_TIMEOUT: Opt = Opt::value(
    "write-timeout",
    "TIME",
    "end a connection that does not read its echo; 0: never",
)
.default("10s");
/// `--max-line SIZE`
pub const MAX_LINE: Opt = Opt::value(
    "max-line",
    "SIZE",
    "end a connection with a longer line or record",
)
.default("64KiB");

/// The server's configuration; with `--once` it allows one connection, and a second one is refused
/// instead of served at the same time.
pub fn limited(config: Config, args: &Args) -> Config {
    if !args.flag("once") {
        return config;
    }
    Config {
        max_connections: 1,
        ..config
    }
}

/// The stop word, if one was given. Refuses a word that no line can match: its user would believe
/// that the server can be stopped with it.
pub(super) fn stop_word<'a>(
    args: &'a Args,
    name: &str,
    max_line: usize,
) -> Result<Option<&'a str>, UsageError> {
    let Some(word) = args.value(name).filter(|_| args.given(name)) else {
        return Ok(args.value(name));
    };
    let why = if word.contains('\n') {
        "a line has no line feed inside".to_string()
    } else if word.len() > max_line {
        format!("longer than --max-line, {max_line} bytes")
    } else {
        return Ok(Some(word));
    };
    Err(UsageError::bad_value(&format!("--{name}"), word, why))
}

/// The configuration from the flags; with `-v` each line is printed as `-> LINE`.
pub fn config(args: &Args) -> Result<EchoConfig, Failure> {
    let max_line = args.size("max-line")?;
    Ok(EchoConfig {
        max_line,
        idle_timeout: limit(args, "idle-timeout")?,
        write_timeout: limit(args, "write-timeout")?,
        once: args.flag("once"),
        stop_word: stop_word(args, "stop-word", max_line)?.map(String::from),
        stop_connection_word: stop_word(args, "stop-connection-word", max_line)?.map(String::from),
        on_line: match Show::if_verbose(args)? {
            None => None,
            Some(show) => Some(Box::new(move |line: &[u8]| {
                show.line(format_args!("-> {}", printable(line)));
            })),
        },
    })
}
