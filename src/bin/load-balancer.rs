//! Spreads HTTP/1.1 requests over backends. The lesson: what stands between a client and a server.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Arc;

use groundwire::cli::{self, Args, Failure, Opt, Out, Spec, UsageError, What};
use groundwire::proxy::config::{Config, LoadError, OPTIONS, Problem, load};
use groundwire::proxy::{Current, LoadBalancer, reload};
use groundwire::server::{flags, program};
use groundwire::telemetry::{Format, Level, Log, Registry};

const OWN: [Opt; 5] = [
    Opt::value(
        "config",
        "FILE",
        "read the configuration from a file instead of flags",
    ),
    Opt::flag(
        "check-config",
        "print the configuration as it is understood, and exit",
    ),
    flags::SCHEDULING,
    flags::LOG,
    flags::VERBOSE,
];

const ALL: [Opt; OWN.len() + OPTIONS.len()] = {
    let mut all = [OWN[0]; OWN.len() + OPTIONS.len()];
    let mut at = 0;
    while at < all.len() {
        all[at] = if at < OWN.len() {
            OWN[at]
        } else {
            OPTIONS[at - OWN.len()]
        };
        at += 1;
    }
    all
};

const SPEC: Spec = Spec {
    name: "load-balancer",
    about: "Forward HTTP/1.1 requests to backends, and avoid those that fail.",
    usage: &[
        "--listen ADDRESS --backend URL [OPTION]...",
        "--config FILE [--check-config]",
    ],
    operands: &[],
    options: &ALL,
    statuses: None,
    epilogue: "Quote an address with its words: --backend 'http://127.0.0.1:9001 weight=2'.\n\
               SIGHUP reads the file again and reopens the access log; requests in flight are\n\
               not affected.\n\n\
               Examples:\n  \
               load-balancer --listen :8080 --backend http://127.0.0.1:9001\n  \
               load-balancer --config site.conf --check-config",
};

fn main() -> ExitCode {
    cli::run(&SPEC, serve)
}

fn serve(args: Args) -> Result<(), Failure> {
    args.at_most(0)?;
    let config = configuration(&args)?;
    if args.flag("check-config") {
        return Out::lines().line(config.to_string().trim_end());
    }
    let server = server_config(&args)?;
    let mut limited = groundwire::server::Config {
        max_connections: config.limits.connections,
        ..server.clone()
    };
    let is_asked_for = limited.max_connections != Config::default().limits.connections;
    // A request has a connection on each side.
    program::make_room(&args, &mut limited, 2, is_asked_for);
    let (log, drain) = (server.log.clone(), config.timeouts.drain);
    let metrics = config.metrics.as_ref().map(|address| address.to_string());
    let flags = config.clone();
    // Until its look-ups are over, a signal ends the program on the spot.
    let prepared = LoadBalancer::prepare(config, server).map_err(Failure::of)?;
    program::begin()?;
    let balancer = prepared.bind().map_err(Failure::of)?;
    let balancer = balancer.at_most(limited.max_connections);
    let (bound, current, registry) = (balancer.bound(), balancer.current(), Registry::new());
    balancer.register(&registry);
    let page = balancer.admin().map(|address| address.to_string());
    let again = reader(&args, flags, current)?;
    program::serve(
        &args,
        (SPEC.name, &log, drain),
        &bound,
        (&registry, metrics.as_deref()),
        Some(again),
        |stopper| {
            if let Some(page) = page {
                flags::announce(&Out::lines(), format_args!("status page on http://{page}/"))?;
            }
            balancer.run(stopper, &registry).what("serving")
        },
    )
}

/// Reads the file again, for SIGHUP. Without a file, the flags are applied again: the access log may
/// have been moved, and the token file changed. The result is logged whatever `-v` says.
fn reader(
    args: &Args,
    flags: Config,
    current: Arc<Current>,
) -> Result<impl Fn() + Send + 'static, Failure> {
    let file = args.value("config").map(String::from);
    let log = Log::stderr(Level::Info, args.parse::<Format>("log")?);
    Ok(move || {
        let config = match &file {
            Some(file) => load(file).map_err(|error| error.to_string()),
            None => Ok(flags.clone()),
        };
        let done =
            config.and_then(|config| reload(&current, config, &log).map_err(|e| e.to_string()));
        let name = SPEC.name;
        match (done, &file) {
            (Ok(()), Some(file)) => log.info(name, "configuration read again", &[("file", file)]),
            (Ok(()), None) => log.info(name, "access log and token opened again", &[]),
            (Err(why), _) => log.error(
                name,
                "the configuration is wrong, the old one stays",
                &[("why", &why)],
            ),
        }
    })
}

fn configuration(args: &Args) -> Result<Config, Failure> {
    let Some(file) = args.value("config") else {
        let usage = |last| Failure::Usage(UsageError::rule(last));
        return Config::from_args(args).map_err(|problems| all_of(&problems, usage));
    };
    Config::only_a_file(args)?;
    load(file).map_err(|error| match error {
        LoadError::Wrong(problems) => all_of(&problems, Failure::Failed),
        LoadError::File { .. } => Failure::of(error),
    })
}

/// Prints a line for each problem but the last, which is returned as the failure.
fn all_of(problems: &[Problem], failure: impl FnOnce(String) -> Failure) -> Failure {
    let mut lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    let last = lines.pop().unwrap_or_default();
    lines.iter().for_each(|line| cli::complain(&SPEC, line));
    failure(last)
}

fn server_config(args: &Args) -> Result<groundwire::server::Config, Failure> {
    Ok(groundwire::server::Config {
        name: SPEC.name.into(),
        log: flags::log(args)?,
        scheduling: flags::scheduling(args)?,
        ..groundwire::server::Config::default()
    })
}
