//! Serves names: an authority for one or more zones over UDP and TCP. The lesson: who says so.
#![forbid(unsafe_code)]

use std::num::NonZero;
use std::process::ExitCode;
use std::time::Duration;

use groundwire::cli::{self, Args, Count, DurationArg, Failure, Opt, Out, Spec, UsageError, What};
use groundwire::dns::server::{Config, DnsServer, Loaded, Place, RateConfig, ZoneFile};
use groundwire::net::Prefix;
use groundwire::server::{flags, program};
use groundwire::telemetry::{Format, Level, Log, Registry};

const SPEC: Spec = Spec {
    name: "dns-server",
    about: "Answer DNS queries from zone files, over UDP and TCP.",
    usage: &["[OPTION]...", "[OPTION]... --check"],
    operands: &[],
    options: &[
        Opt::value(
            "listen",
            "ADDRESS",
            "answer at HOST:PORT, UDP and TCP [127.0.0.1:5353]",
        )
        .many(),
        Opt::value(
            "zone",
            "[NAME=]FILE",
            "serve this zone file; NAME is its origin if it sets none [samples]",
        )
        .many(),
        Opt::flag(
            "check",
            "read the zones, report what is wrong with them, and exit",
        ),
        Opt::value("workers", "N", "threads for UDP, at most 64").default("2"),
        Opt::value("udp-size", "N", "the longest reply over UDP, in octets").default("1232"),
        Opt::value(
            "transfer",
            "PREFIX",
            "these addresses may transfer whole zones (AXFR) [none]",
        )
        .many(),
        Opt::value(
            "idle-timeout",
            "TIME",
            "on TCP, how long to wait for the next query",
        )
        .default("10s"),
        Opt::value(
            "write-timeout",
            "TIME",
            "on TCP, how long a client may take to read its replies",
        )
        .default("10s"),
        flags::MAX_CONNECTIONS,
        flags::MAX_PER_PEER,
        flags::ALLOW,
        flags::DENY,
        flags::SCHEDULING,
        flags::DRAIN,
        Opt::value(
            "rate-limit",
            "N",
            "replies of one kind to one network over UDP, each second [no limit]",
        ),
        Opt::value(
            "rate-slip",
            "N",
            "of replies above the limit, send every Nth empty, with TC set; 0: none",
        )
        .default("2"),
        Opt::value(
            "rate-window",
            "N",
            "replies above the limit count for at most this many seconds",
        )
        .default("15"),
        Opt::flag("query-log", "log a line for each query"),
        flags::METRICS,
        flags::LOG,
        flags::VERBOSE,
    ],
    statuses: None,
    epilogue: "SIGHUP reads the zone files again; if there is an error, the old zones stay.\n\n\
               Examples:\n  dns-server --query-log\n  \
               dns-server --listen 127.0.0.1:5300 --zone lab.test=lab.zone\n  \
               dns-server --check --zone lab.test=lab.zone",
};

/// More workers than this are not faster anywhere, and each has its own buffers.
const MAX_WORKERS: usize = 64;

fn main() -> ExitCode {
    cli::run(&SPEC, serve)
}

fn serve(args: Args) -> Result<(), Failure> {
    args.at_most(0)?;
    let files: Vec<ZoneFile> = args.parse_all("zone")?;
    let (mut config, workers) = (config(&args)?, args.up_to("workers", MAX_WORKERS)?);
    let loaded = match files.is_empty() {
        true => Loaded::samples(),
        false => Loaded::read(&files),
    };
    let loaded = loaded.map_err(|faults| {
        faults
            .0
            .iter()
            .for_each(|fault| cli::complain(&SPEC, fault));
        Failure::Quiet(1)
    })?;
    for warning in &loaded.warnings {
        cli::complain(&SPEC, format_args!("warning: {warning}"));
    }
    if args.flag("check") {
        let out = Out::lines();
        return loaded.summary.iter().try_for_each(|zone| out.line(zone));
    }
    program::make_room(&args, &mut config.tcp, 1, args.given("max-connections"));
    let (log, drain) = (config.tcp.log.clone(), config.tcp.drain);
    let places = places(&args, workers)?;
    program::begin()?;
    // Not for the samples, which are known: files may hold other zones than the user thinks.
    for zone in loaded.summary.iter().filter(|_| !files.is_empty()) {
        config.log.info(SPEC.name, "zone read", &[("zone", zone)]);
    }
    let server = DnsServer::new(config, loaded, places);
    let registry = Registry::new();
    server.register(&registry);
    let (bound, reloader) = (server.bound(), server.reloader(files));
    let reload = move || {
        let _ = reloader.reload(); // it has logged why
    };
    program::serve(
        &args,
        (SPEC.name, &log, drain),
        &bound,
        (&registry, args.value("metrics")),
        Some(reload),
        |stopper| server.run(stopper).what("serving"),
    )
}

fn places(args: &Args, workers: usize) -> Result<Vec<Place>, Failure> {
    let addresses: Vec<&str> = args.values("listen").collect();
    if addresses.is_empty() {
        // Multicast DNS uses this port, too; where it runs, the first lesson would end here.
        let place = Place::bind("127.0.0.1:5353", workers).map_err(|error| {
            Failure::Failed(format!(
                "{}; try --listen 127.0.0.1:5300",
                cli::explain(&error)
            ))
        })?;
        return Ok(vec![place]);
    }
    let places = addresses.into_iter();
    let places = places.map(|address| Place::bind(address, workers).map_err(flags::failure));
    places.collect()
}

fn config(args: &Args) -> Result<Config, Failure> {
    // Reloads, transfers and (with --query-log) queries are logged whatever -v says.
    let log = Log::stderr(Level::Info, args.parse::<Format>("log")?);
    Ok(Config {
        tcp: flags::with_peers(flags::config_of_threads(SPEC.name, args)?, args)?,
        idle: timeout(args, "idle-timeout")?,
        write: timeout(args, "write-timeout")?,
        udp_size: udp_size(args)?,
        transfer: args.parse_all::<Prefix>("transfer")?,
        rate: rate(args)?,
        query_log: args.flag("query-log").then(|| log.clone()),
        log,
    })
}

fn timeout(args: &Args, option: &str) -> Result<Duration, Failure> {
    let time = args.parse::<DurationArg>(option)?.get();
    if time.is_zero() {
        // No query would be answered over TCP, and no error would say so.
        let (option, why) = (format!("--{option}"), "must be above 0");
        return Err(UsageError::bad_value(&option, "0", why).into());
    }
    Ok(time)
}

fn udp_size(args: &Args) -> Result<u16, Failure> {
    let size = args.parse::<Count>("udp-size")?.get();
    match u16::try_from(size) {
        Ok(size) if (512..=4096).contains(&size) => Ok(size),
        _ => Err(UsageError::bad_value("--udp-size", size, "must be 512 to 4096").into()),
    }
}

fn rate(args: &Args) -> Result<Option<RateConfig>, Failure> {
    let slip = args.parse::<u32>("rate-slip")?;
    let window = args.parse::<u32>("rate-window")?;
    let Some(per_second) = args.parse_opt::<NonZero<u32>>("rate-limit")? else {
        return Ok(None);
    };
    Ok(Some(RateConfig {
        slip,
        window,
        ..RateConfig::per_second(per_second.get())
    }))
}
