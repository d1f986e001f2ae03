//! The flags that every server program takes, and the [`Config`] that they make.
//!
//! A program lists the constants in its table of options, and calls [`config`] with the result.

use std::fmt::Display;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::access::AccessList;
use super::config::{Config, Mode};
use super::metrics_page::MetricsPage;
use super::scheduling::Scheduling;
use super::shared::is_due;
use crate::cli::{Args, Count, DurationArg, Failure, NonZeroCount, Opt, Out, UsageError};
use crate::net::{self, Prefix};
use crate::telemetry::{Format, Level, Log, Registry};

/// `--mode MODE`
pub const MODE: Opt =
    Opt::value("mode", "MODE", "serial, threads (one each) or pool").default("threads");
/// `--workers N`
pub const WORKERS: Opt =
    Opt::value("workers", "N", "threads of --mode pool, at most 4096").default("4");
/// The most workers of a pool. Each needs a stack and three mappings; at some ten thousand workers,
/// the kernel's limit on mappings (`vm.max_map_count`) would end the process.
pub const MAX_WORKERS: usize = 4096;
/// `--queue N`
pub const QUEUE: Opt = Opt::value(
    "queue",
    "N",
    "connections that may wait for a worker of --mode pool",
)
.default("64");
/// `--max-connections N`
pub const MAX_CONNECTIONS: Opt = Opt::value(
    "max-connections",
    "N",
    "refuse more than this many at a time",
)
.default("10000");
/// `--max-per-peer N`
pub const MAX_PER_PEER: Opt = Opt::value(
    "max-per-peer",
    "N",
    "refuse more than this many from one address",
);
/// `--drain TIME`
pub const DRAIN: Opt = Opt::value(
    "drain",
    "TIME",
    "after a signal, how long connections may take to end",
)
.default("5s");
/// `--allow PREFIX`
pub const ALLOW: Opt = Opt::value(
    "allow",
    "PREFIX",
    "serve only these addresses, such as 10.0.0.0/8",
)
.many();
/// `--deny PREFIX`
pub const DENY: Opt = Opt::value(
    "deny",
    "PREFIX",
    "refuse these addresses; overrides --allow",
)
.many();
/// `--metrics ADDRESS`
pub const METRICS: Opt = Opt::value(
    "metrics",
    "ADDRESS",
    "serve counters for Prometheus at http://ADDRESS/metrics",
);
/// `--log FORMAT`
pub const LOG: Opt =
    Opt::value("log", "FORMAT", "text or json lines on standard error").default("text");
/// `--scheduling POLICY`
pub const SCHEDULING: Opt = Opt::value(
    "scheduling",
    "POLICY",
    "normal, batch (for many busy peers) or auto",
)
.default("auto");
/// `-v`, `--verbose`
pub const VERBOSE: Opt = Opt::flag("verbose", "log connections; twice: log everything")
    .short('v')
    .many();
/// `-v`, `--verbose` of a server that shows on standard output what its peers send.
pub const VERBOSE_AND_SHOW: Opt = Opt::flag(
    "verbose",
    "show what peers send, log connections; twice: log everything",
)
.short('v')
.many();

/// The configuration from the flags, for a network whose peers have addresses.
pub fn config_with_peers(name: &str, args: &Args) -> Result<Config, UsageError> {
    with_peers(config(name, args)?, args)
}

/// The same without [`MAX_PER_PEER`], [`ALLOW`] and [`DENY`]: for Unix sockets.
pub fn config(name: &str, args: &Args) -> Result<Config, UsageError> {
    Ok(Config {
        mode: mode(args)?,
        ..config_of_threads(name, args)?
    })
}

/// The same without [`MODE`], [`WORKERS`] and [`QUEUE`]: for protocols whose connections last long
/// and carry many requests, so that each has its own thread.
pub fn config_of_threads(name: &str, args: &Args) -> Result<Config, UsageError> {
    Ok(Config {
        name: name.to_string(),
        log: log(args)?,
        max_connections: args.parse::<NonZeroCount>("max-connections")?.as_usize(),
        scheduling: scheduling(args)?,
        drain: args.parse::<DurationArg>("drain")?.get(),
        ..Config::default()
    })
}

/// Adds the values of [`MAX_PER_PEER`], [`ALLOW`] and [`DENY`] to a configuration.
pub fn with_peers(config: Config, args: &Args) -> Result<Config, UsageError> {
    Ok(Config {
        max_per_peer: args
            .parse_opt::<NonZeroCount>("max-per-peer")?
            .map(NonZeroCount::as_usize),
        access: access(args)?,
        ..config
    })
}

/// `--allow` and `--deny` together.
pub fn access(args: &Args) -> Result<AccessList, UsageError> {
    Ok(AccessList::new(
        args.parse_all::<Prefix>("allow")?,
        args.parse_all::<Prefix>("deny")?,
    ))
}

/// The log that `--log` and `-v` select: warnings, with `-v` connections, with `-vv` everything.
/// Without `-v`, a JSON log also has the informational lines, because its reader is a program.
pub fn log(args: &Args) -> Result<Log, UsageError> {
    let format = args.parse::<Format>("log")?;
    let level = match (args.count("verbose"), format) {
        (0, Format::Text) => Level::Warn,
        (0, Format::Json) => Level::Info,
        (1, _) => Level::Debug,
        _ => Level::Trace,
    };
    Ok(Log::stderr(level, format))
}

/// Where a program logs its own start and end: in that log if it is JSON or `-vv`. Otherwise
/// nowhere, because the first and the last line of standard output say the same.
pub fn life_log(args: &Args, log: &Log) -> Log {
    let machine = args.value("log") == Some("json");
    if machine || args.count("verbose") > 1 {
        log.clone()
    } else {
        Log::off()
    }
}

/// A duration flag for which 0 means no limit.
pub fn limit(args: &Args, name: &str) -> Result<Option<Duration>, UsageError> {
    let duration = args.parse::<DurationArg>(name)?.get();
    Ok(if duration.is_zero() {
        None
    } else {
        Some(duration)
    })
}

fn mode(args: &Args) -> Result<Mode, UsageError> {
    // Read in every mode, so that a wrong value is reported even where it is not used.
    let workers = args.up_to("workers", MAX_WORKERS)?;
    let queue = args.parse::<Count>("queue")?.as_usize();
    let mode = args.value("mode").unwrap_or_default();
    let of_a_pool = ["workers", "queue"]
        .into_iter()
        .find(|name| args.given(name));
    if let (Some(name), "serial" | "threads") = (of_a_pool, mode) {
        return Err(UsageError::rule(format_args!(
            "--{name}: needs --mode pool"
        )));
    }
    match mode {
        "serial" => Ok(Mode::Serial),
        "threads" => Ok(Mode::Threads),
        "pool" => Ok(Mode::Pool { workers, queue }),
        other => Err(UsageError::bad_value(
            "--mode",
            other,
            "must be serial, threads or pool",
        )),
    }
}

/// The policy that `--scheduling` names.
pub fn scheduling(args: &Args) -> Result<Scheduling, UsageError> {
    match args.value("scheduling").unwrap_or_default() {
        "normal" => Ok(Scheduling::Normal),
        "batch" => Ok(Scheduling::Batch),
        "auto" => Ok(Scheduling::Auto),
        other => Err(UsageError::bad_value(
            "--scheduling",
            other,
            "must be normal, batch or auto",
        )),
    }
}

/// Starts the page at the address of `--metrics`, if one is given. The page also shows how many
/// lines the log has lost.
pub fn metrics_page(
    address: Option<&str>,
    registry: &Registry,
    log: &Log,
) -> Result<Option<MetricsPage>, Failure> {
    let (name, help) = (
        "groundwire_log_lines_lost_total",
        "Log lines that could not be written.",
    );
    let log = log.clone();
    registry.counter_fn(name, help, &[], move || log.lost());
    match address {
        None => Ok(None),
        Some(address) => MetricsPage::start(address, registry.clone())
            .map(Some)
            .map_err(|error| match failure(error) {
                Failure::Usage(why) => UsageError::rule(format_args!("--metrics: {why}")).into(),
                why => Failure::Failed(format!("--metrics: {why}")),
            }),
    }
}

/// How a program ends on an error with an address of its command line: a text that is not an
/// address is a usage error (status 2), anything else a failure (status 1).
pub fn failure(error: net::Error) -> Failure {
    match error {
        net::Error::Address(error) => UsageError::rule(error).into(),
        error => Failure::of(error),
    }
}

/// Prints a line of a server. A reader of standard output that has gone away does not stop the
/// service.
pub fn announce(out: &Out, line: impl Display) -> Result<(), Failure> {
    match out.line(line) {
        Err(Failure::ClosedPipe) => Ok(()),
        other => other,
    }
}

/// Lines on standard output about what peers send. A reader that has gone away does not stop the
/// service, nor does a full disk; but then lines are lost, and the log says so, one line in a while.
#[derive(Clone)]
pub struct Show(Arc<Shown>);

struct Shown {
    out: Out,
    program: &'static str,
    log: Log,
    complained: Mutex<Option<Instant>>,
}

impl Show {
    /// Logs where `--log` says.
    pub fn new(args: &Args) -> Result<Self, UsageError> {
        Ok(Self(Arc::new(Shown {
            out: Out::lines(),
            program: args.program(),
            log: log(args)?,
            complained: Mutex::new(None),
        })))
    }

    /// The same if `-v` is given.
    pub fn if_verbose(args: &Args) -> Result<Option<Self>, UsageError> {
        let verbose = args.count("verbose") > 0;
        verbose.then(|| Self::new(args)).transpose()
    }

    /// Prints a line.
    pub fn line(&self, text: impl Display) {
        let shown = &self.0;
        if let Err(Failure::Failed(why)) = shown.out.line(text) {
            if is_due(&shown.complained) {
                let fields: [(&str, &dyn Display); 1] = [("cause", &why)];
                shown.log.error(shown.program, "lines are lost", &fields);
            }
        }
    }
}
