//! The flags of `rpc-server` and `rpc-client`.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use super::{Secret, ServerConfig};
use crate::cli::{Args, Count, DurationArg, Failure, NonZeroCount, Opt, What};
use crate::server::Config;
use crate::server::flags::{MAX_WORKERS, limit};
use crate::wire::Limits;

/// `--workers N`
pub const WORKERS: Opt = Opt::value(
    "workers",
    "N",
    "threads for slow methods and streams, at most 4096",
)
.default("64");
/// `--queue N`
pub const QUEUE: Opt = Opt::value(
    "queue",
    "N",
    "calls that may wait for a worker; more are refused",
)
.default("1024");
/// `--in-flight N`
pub const IN_FLIGHT: Opt = Opt::value(
    "in-flight",
    "N",
    "calls in flight on a connection; more are refused",
)
.default("256");
/// `--max-message SIZE`
pub const MAX_MESSAGE: Opt =
    Opt::value("max-message", "SIZE", "refuse a longer argument or result").default("4MiB");
/// `--idle-timeout TIME`
pub const IDLE_TIMEOUT: Opt = Opt::value(
    "idle-timeout",
    "TIME",
    "end a connection without calls that is silent for this long; 0: never",
)
.default("10m");
/// `--secret-file FILE`
pub const SECRET_FILE: Opt = Opt::value(
    "secret-file",
    "FILE",
    "the secret of both sides, 16 bytes or more, in a file that only its owner can read",
);

/// The permissions of the group and of others. A file with a secret must have none of them.
const OTHERS: u32 = 0o077;
/// The longest secret, in bytes, so that a wrong file is noticed and not read to its end.
const MOST_SECRET: usize = 4096;

/// The configuration that the flags give, in addition to that of the server around it.
pub fn config(server: &Config, args: &Args) -> Result<ServerConfig, Failure> {
    Ok(ServerConfig {
        name: server.name.clone(),
        log: server.log.clone(),
        limits: Limits {
            message: args.size("max-message")?,
            ..Limits::default()
        },
        in_flight: args.parse::<NonZeroCount>("in-flight")?.as_usize(),
        workers: args.up_to("workers", MAX_WORKERS)?,
        queue: args.parse::<Count>("queue")?.as_usize(),
        idle_timeout: limit(args, "idle-timeout")?,
        // The last tenth is for the answers of the calls that are cancelled.
        drain: args.parse::<DurationArg>("drain")?.get() / 10 * 9,
        secret: secret(args)?,
        ..ServerConfig::default()
    })
}

/// The secret in the file that `--secret-file` names: the whole file without a final line feed. The
/// secret is never an argument itself, because everybody on a machine can see those. It is not read
/// from a file that others can open.
pub fn secret(args: &Args) -> Result<Option<Secret>, Failure> {
    let Some(path) = args.value("secret-file") else {
        return Ok(None);
    };
    let what = format!("--secret-file {path}");
    let file = File::open(path).what(&what)?;
    let mode = file.metadata().what(&what)?.permissions().mode() & 0o777;
    if mode & OTHERS != 0 {
        return Err(
            format!("{what}: its mode {mode:03o} lets others at it: chmod 600 {path}").into(),
        );
    }
    let mut bytes = Vec::new();
    file.take(MOST_SECRET as u64 + 2)
        .read_to_end(&mut bytes)
        .what(&what)?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    let len = bytes.len();
    if len > MOST_SECRET {
        return Err(format!("{what}: a secret has at most {MOST_SECRET} bytes").into());
    }
    let secret = Secret::new(&bytes).ok_or_else(|| {
        let least = Secret::SHORTEST;
        format!("{what}: a secret of {len} bytes, at least {least} are needed")
    })?;
    Ok(Some(secret))
}
