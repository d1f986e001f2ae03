//! The flags of `http-backend`.

use std::path::Path;

use super::luck::Luck;
use super::{OriginConfig, Root};
use crate::cli::{Args, Failure, Opt, UsageError, plain_words};
use crate::http::Limits;
use crate::server::flags::{Show, limit};

/// `--name NAME`
pub const NAME: Opt = Opt::value(
    "name",
    "NAME",
    "send this name in every reply [the address]",
);
/// `--root FOLDER`
pub const ROOT: Opt = Opt::value("root", "FOLDER", "serve the files of this folder, too");
/// `--fail-rate SHARE`
pub const FAIL_RATE: Opt = Opt::value(
    "fail-rate",
    "SHARE",
    "fail this share of requests, such as 0.1, by a 503 or half a reply",
)
.default("0");
/// `--seed N`
pub const SEED: Opt = Opt::value("seed", "N", "decides which requests fail").default("1");
/// `--max-header SIZE`
pub const MAX_HEADER: Opt = Opt::value(
    "max-header",
    "SIZE",
    "refuse a request with a longer header section",
)
.default("32KiB");
/// `--max-message SIZE`
pub const MAX_MESSAGE: Opt = Opt::value(
    "max-message",
    "SIZE",
    "end a WebSocket with a longer message",
)
.default("1MiB");
/// `--idle-timeout TIME`
pub const IDLE_TIMEOUT: Opt = Opt::value(
    "idle-timeout",
    "TIME",
    "end a connection whose next request takes longer; 0: never",
)
.default("60s");
/// `--header-timeout TIME`
pub const HEADER_TIMEOUT: Opt = Opt::value(
    "header-timeout",
    "TIME",
    "end one whose header section takes longer; 0: never",
)
.default("10s");
/// `--body-timeout TIME`
pub const BODY_TIMEOUT: Opt = Opt::value(
    "body-timeout",
    "TIME",
    "end one whose body is silent for this long; 0: never",
)
.default("30s");
/// `--write-timeout TIME`
pub const WRITE_TIMEOUT: Opt = Opt::value(
    "write-timeout",
    "TIME",
    "end one that does not read its reply; 0: never",
)
.default("30s");

/// The configuration that the flags give, for an origin at this address. With `-v`, each request is
/// shown as a line.
pub fn config(args: &Args, address: &str) -> Result<OriginConfig, Failure> {
    let name = args.value("name").unwrap_or(address);
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_graphic()) {
        let why = "must be visible ASCII characters";
        return Err(UsageError::bad_value("--name", name, why).into());
    }
    let section = args.size("max-header")?;
    let limits = Limits::default();
    let show = Show::if_verbose(args)?;
    Ok(OriginConfig {
        name: name.to_string(),
        root: args.value("root").map(root).transpose()?,
        luck: luck(args)?,
        limits: Limits {
            section,
            start_line: limits.start_line.min(section),
            field_line: limits.field_line.min(section),
            ..limits
        },
        max_message: args.size("max-message")?,
        idle_timeout: limit(args, "idle-timeout")?,
        header_timeout: limit(args, "header-timeout")?,
        body_timeout: limit(args, "body-timeout")?,
        write_timeout: limit(args, "write-timeout")?,
        on_request: show.map(|show| -> Box<dyn Fn(&super::Access<'_>) + Send + Sync> {
            Box::new(move |access| show.line(access))
        }),
    })
}

fn root(folder: &str) -> Result<Root, Failure> {
    let opened = Root::new(Path::new(folder));
    opened.map_err(|error| Failure::Failed(format!("--root {folder}: {}", plain_words(&error))))
}

fn luck(args: &Args) -> Result<Luck, UsageError> {
    let rate: f64 = args.parse("fail-rate")?;
    if !(0.0..=1.0).contains(&rate) {
        return Err(UsageError::bad_value("--fail-rate", rate, "must be 0 to 1"));
    }
    Ok(Luck::new(rate, args.parse("seed")?))
}
