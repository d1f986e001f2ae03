//! The options of wiretap, and what they come to.

use groundwire::capture::flow::Rule;
use groundwire::capture::tap::fault::Faults;
use groundwire::capture::tap::{MADE_UP_TARGET, RelayConfig};
use groundwire::cli::{Args, DurationArg, Failure, NonZeroCount, Opt, Size, Spec, UsageError};
use groundwire::net::host_port::HostPort;
use groundwire::net::{Dialer, Transport, system_services, unguessable};
use groundwire::server::{Config, flags};

use super::Options;
use super::place::Place;

const FAULTS: &str = "Faults";
const DATAGRAM_FAULTS: &str = "Faults of datagrams (with -u)";
const LIMITS: &str = "Limits";

pub const SPEC: Spec = Spec {
    name: "wiretap",
    about: "Relay traffic between LISTEN and TARGET: show it, record it as packets, inject faults.",
    usage: &["[OPTION]... LISTEN TARGET"],
    operands: &[
        (
            "LISTEN",
            "where clients connect: HOST:PORT (port 0 picks one, no host is every interface), or a Unix socket: /path, unix:path, @name",
        ),
        (
            "TARGET",
            "where to connect for each client, in the same forms",
        ),
    ],
    options: &[
        Opt::flag("udp", "datagrams instead of streams").short('u'),
        Opt::value("show", "HOW", "text, hex, lines, packets or none").default("lines"),
        Opt::value(
            "as",
            "PROTOCOL",
            "for --show packets: dns, http, rpc or frames",
        ),
        Opt::value(
            "write",
            "FILE",
            "record what passes as packets: pcap, or pcapng if FILE ends in .pcapng",
        )
        .short('w'),
        Opt::value(
            "snap",
            "BYTES",
            "record at most this much of a packet; 0 is all",
        )
        .short('s')
        .default("0"),
        Opt::value(
            "delay",
            "TIME",
            "delay all data, for example by 50ms or 50ms±10ms",
        )
        .under(FAULTS),
        Opt::value(
            "throttle",
            "RATE",
            "pass at most this many bytes a second, such as 64K",
        )
        .under(FAULTS),
        Opt::value(
            "corrupt",
            "HOW",
            "flip a bit: 0.001 or 0.1% of bytes, or every:1000",
        )
        .under(FAULTS),
        Opt::value("cut", "BYTES", "close both sides after this many").under(FAULTS),
        Opt::value("reset", "BYTES", "reset both sides after this many").under(FAULTS),
        Opt::value("split", "BYTES", "write at most this many at once").under(FAULTS),
        Opt::value(
            "direction",
            "WHICH",
            "inject faults both ways, to-target or to-client",
        )
        .default("both")
        .under(FAULTS),
        Opt::value("seed", "N", "the seed of all random choices [a new one]").under(FAULTS),
        Opt::value("drop", "SHARE", "lose 0.01 or 1% of datagrams").under(DATAGRAM_FAULTS),
        Opt::value("duplicate", "SHARE", "send this share twice").under(DATAGRAM_FAULTS),
        Opt::value("reorder", "SHARE", "send this share after the next one").under(DATAGRAM_FAULTS),
        Opt::value(
            "idle-timeout",
            "TIME",
            "end a connection that is silent this long [never; datagrams 60s]",
        )
        .under(LIMITS),
        Opt::value("connect-timeout", "TIME", "time to connect to the target")
            .default("10s")
            .under(LIMITS),
        flags::MAX_CONNECTIONS.under(LIMITS).default("1000"),
        flags::DRAIN.under(LIMITS),
        flags::VERBOSE.under("Log"),
        flags::LOG.under("Log"),
    ],
    statuses: None,
    epilogue: "It prints the address first and the totals last. -> marks data to the target. It\n\
               shows and records what leaves the tap, after the faults. The packets have\n\
               made-up headers, as if client and target were connected; the ends of Unix\n\
               sockets are 127.0.0.1, ports 49151 and from 49152 upwards. Faults count each\n\
               direction of each connection separately. On Unix sockets a reset is an end.\n\n\
               Examples:\n\
               \x20 wiretap 127.0.0.1:8080 127.0.0.1:80\n\
               \x20 wiretap -w http.pcap --show none :8080 example.test:http\n\
               \x20 wiretap -u --drop 10% --seed 7 127.0.0.1:5300 127.0.0.1:53\n\
               \x20 wiretap --delay 100ms±20ms --split 1 /tmp/tap.sock /run/server.sock",
};

/// Options that only datagrams or only streams have.
const DATAGRAMS_ONLY: [&str; 3] = ["drop", "duplicate", "reorder"];
const STREAMS_ONLY: [&str; 4] = ["cut", "reset", "split", "drain"];

/// The options, checked; a usage error if they contradict each other.
pub fn read(args: &Args, target: &Place) -> Result<Options, Failure> {
    let is_datagrams = args.flag("udp");
    let (others, what) = match is_datagrams {
        true => (&STREAMS_ONLY[..], "datagrams have no connection"),
        false => (&DATAGRAMS_ONLY[..], "needs --udp"),
    };
    if let Some(name) = others.iter().find(|name| args.given(name)) {
        return Err(UsageError::rule(format_args!("--{name}: {what}")).into());
    }
    if args.value("write") == Some("-") {
        // Standard output begins with the address that it listens on.
        let why = "standard output is taken; for a pipe into Wireshark make one with mkfifo";
        return Err(UsageError::bad_value("--write", "-", why).into());
    }
    check(target, is_datagrams)?;
    let idle = args
        .parse_opt::<DurationArg>("idle-timeout")?
        .map(DurationArg::get);
    Ok(Options {
        relay: RelayConfig {
            target: (target.network, target.address.clone()),
            dialer: Dialer {
                timeout: flags::limit(args, "connect-timeout")?,
                ..Dialer::default()
            },
            faults: faults(args)?,
            seed: args.parse_opt::<u64>("seed")?.unwrap_or_else(new_seed),
            idle: idle.filter(|time| !time.is_zero()),
        },
        server: Config {
            name: SPEC.name.into(),
            log: flags::log(args)?,
            max_connections: args.parse::<NonZeroCount>("max-connections")?.as_usize(),
            drain: args.parse::<DurationArg>("drain")?.get(),
            ..Config::default()
        },
        show: args.parse("show")?,
        decode_as: decode_as(args, target)?,
        snap: u32::try_from(args.parse::<Size>("snap")?.bytes()).unwrap_or(u32::MAX),
    })
}

/// An impossible target is an error now, and not at the first client.
fn check(target: &Place, is_datagrams: bool) -> Result<(), UsageError> {
    if target.network.is_unix() {
        return Ok(());
    }
    let transport = match is_datagrams {
        true => Transport::Udp,
        false => Transport::Tcp,
    };
    let parsed = HostPort::parse(&target.address, transport, system_services());
    parsed.map(drop).map_err(UsageError::rule)
}

fn faults(args: &Args) -> Result<Faults, UsageError> {
    Ok(Faults {
        delay: args.parse_opt("delay")?,
        throttle: above_0(args, "throttle")?,
        cut: bytes(args, "cut")?,
        reset: bytes(args, "reset")?,
        corrupt: args.parse_opt("corrupt")?,
        split: above_0(args, "split")?.map(|split| usize::try_from(split).unwrap_or(usize::MAX)),
        drop: args.parse_opt("drop")?.unwrap_or_default(),
        duplicate: args.parse_opt("duplicate")?.unwrap_or_default(),
        reorder: args.parse_opt("reorder")?.unwrap_or_default(),
        which: args.parse("direction")?,
    })
}

/// The rule for `--as`: the target's port, as the recorded packets have it.
fn decode_as(args: &Args, target: &Place) -> Result<Vec<Rule>, UsageError> {
    let Some(name) = args.value("as") else {
        return Ok(Vec::new());
    };
    let transport = if args.flag("udp") { "udp" } else { "tcp" };
    let port = match target.network.is_unix() {
        true => MADE_UP_TARGET.to_string(),
        false => target
            .address
            .rsplit(':')
            .next()
            .unwrap_or_default()
            .to_string(),
    };
    if port.parse::<u16>().is_err() {
        let why = "needs a TARGET whose port is a number";
        return Err(UsageError::bad_value("--as", name, why));
    }
    let rule = Rule::parse(&format!("{transport}.port=={port},{name}"));
    let why = "must be dns, http, rpc, frames or data";
    let rule = rule.ok_or_else(|| UsageError::bad_value("--as", name, why))?;
    if args.value("show") != Some("packets") {
        return Err(UsageError::rule("--as is for --show packets"));
    }
    Ok(vec![rule])
}

fn bytes(args: &Args, name: &str) -> Result<Option<u64>, UsageError> {
    Ok(args.parse_opt::<Size>(name)?.map(Size::bytes))
}

fn above_0(args: &Args, name: &str) -> Result<Option<u64>, UsageError> {
    match bytes(args, name)? {
        Some(0) => Err(UsageError::bad_value(
            &format!("--{name}"),
            0,
            "must not be zero",
        )),
        other => Ok(other),
    }
}

/// A new seed each time, short enough to type.
fn new_seed() -> u64 {
    unguessable() >> 40
}
