//! Asks name servers about a name. The lesson: a name is a question, and which server answers it.
#![forbid(unsafe_code)]

mod ask;
mod json;
mod sections;
mod trace;
mod words;

use std::fs;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use groundwire::cli::{
    self, Args, DurationArg, Failure, NonZeroCount, Opt, Out, Spec, UsageError, What,
};
use groundwire::dns::walk::{ROOT_HINTS, root_addresses};
use groundwire::dns::{
    LookupError, Name, PORT, RecordType, Resolver, ResolverConfig, socket_address,
};
use groundwire::net::ip::looks_like_ip;
use groundwire::net::{ZonedIp, parse_ip, split_host_port};

use ask::{Asked, Style};

const SPEC: Spec = Spec {
    name: "lookup",
    about: "Look up names and addresses in the domain name system.",
    usage: &["[OPTION]... [@SERVER[:PORT]]... NAME|ADDRESS..."],
    operands: &[
        (
            "NAME",
            "a name, completed by the search list when it has few dots",
        ),
        ("ADDRESS", "an IP address, to find its names"),
        (
            "@SERVER",
            "ask this server, by address or name [those of /etc/resolv.conf]",
        ),
    ],
    options: &[
        Opt::value(
            "type",
            "TYPE",
            "records to ask for: mx, txt, TYPE65280 ... [a and aaaa]",
        )
        .short('t')
        .many(),
        Opt::flag("reverse", "every operand is an address").short('x'),
        Opt::value("port", "PORT", "the port of servers named without one")
            .short('p')
            .default("53"),
        Opt::flag("tcp", "ask over TCP only"),
        Opt::value(
            "timeout",
            "TIME",
            "wait this long for each reply [resolv.conf, or 5s]",
        ),
        Opt::value(
            "attempts",
            "N",
            "ask each server this many times [resolv.conf, or 2]",
        ),
        Opt::flag(
            "no-search",
            "take names as they are, without the search list",
        ),
        Opt::flag("system", "ask the system's own resolver, for addresses"),
        Opt::flag("short", "print the data of the records only"),
        Opt::flag("json", "print one JSON object a line"),
        Opt::flag("verbose", "print whole replies, useless ones too").short('v'),
        Opt::flag("trace", "walk down from the root instead, and show the way"),
        Opt::value("root", "ADDRESS", "begin --trace at this server, for a lab").many(),
        Opt::value(
            "root-hints",
            "FILE",
            "begin --trace at the servers in a file [IANA's list]",
        ),
    ],
    statuses: Some(
        "0 found, 1 no such name or no such record, 2 called wrongly, 3 no server could answer",
    ),
    epilogue: "Without @SERVER, /etc/hosts is read first, and no server is asked for localhost;\n\
               but -v and --trace take every name as it is, and ask servers for it.\n\n\
               Examples:\n  lookup localhost\n  lookup -t mx @127.0.0.1:5353 lab.test\n  \
               lookup --short 192.0.2.1",
};

fn main() -> ExitCode {
    cli::run(&SPEC, lookup)
}

fn lookup(args: Args) -> Result<(), Failure> {
    let port: u16 = args.parse("port")?;
    let kinds: Vec<RecordType> = args.parse_all("type")?;
    // Servers answer ANY like any query; a zone transfer is another kind of exchange.
    let mut metas = kinds.iter().filter(|kind| kind.is_meta());
    if let Some(kind) = metas.find(|kind| **kind != RecordType::ANY) {
        let why = "there are no records of this type to look up";
        return Err(UsageError::bad_value("--type", kind, why).into());
    }
    let (servers, operands) = operands(&args)?;
    let style = style(&args, !servers.is_empty(), !kinds.is_empty())?;
    let wanted = operands
        .iter()
        .map(|text| Asked::new(text, &kinds, args.flag("reverse")));
    let wanted: Vec<Asked> = wanted.collect::<Result<_, _>>()?;
    let out = Out::lines();
    let mut status = 0;
    if args.flag("system") {
        for asked in &wanted {
            status = status.max(ask::system(asked, style, &out)?);
        }
    } else {
        let resolver = Resolver::new(config(&args, &servers, port)?);
        let roots = if style == Style::Trace {
            roots(&args, port)?
        } else {
            Vec::new()
        };
        for asked in &wanted {
            status = status.max(match style {
                Style::Trace => trace::walk(asked, &resolver, &roots, port, &out)?,
                Style::Sections => ask::messages(asked, &resolver, &out)?,
                _ => ask::answers(asked, &resolver, style, &out)?,
            });
        }
    }
    match status {
        0 => Ok(()),
        status => Err(Failure::Quiet(status)),
    }
}

/// The servers, without their `@`, and what to look up.
fn operands(args: &Args) -> Result<(Vec<&str>, Vec<&str>), UsageError> {
    let (mut servers, mut names) = (Vec::new(), Vec::new());
    for text in args.texts(0, "NAME") {
        let text = text?;
        match text.strip_prefix('@') {
            Some(server) => servers.push(server),
            None => names.push(text),
        }
    }
    match names.is_empty() {
        true => Err(UsageError::MissingOperand {
            name: "NAME".into(),
        }),
        false => Ok((servers, names)),
    }
}

fn style(args: &Args, servers: bool, kinds: bool) -> Result<Style, UsageError> {
    let styles = [
        ("short", Style::Short),
        ("json", Style::Json),
        ("verbose", Style::Sections),
        ("trace", Style::Trace),
    ];
    let mut given = styles.iter().filter(|(name, _)| args.flag(name));
    let style = match (given.next(), given.next()) {
        (Some((one, _)), Some((other, _))) => {
            return Err(UsageError::rule(format!(
                "--{one} and --{other} exclude each other"
            )));
        }
        (Some((_, style)), None) => *style,
        _ => Style::Words,
    };
    if style != Style::Trace && (args.given("root") || args.given("root-hints")) {
        return Err(UsageError::rule("--root and --root-hints are for --trace"));
    }
    if style == Style::Trace && servers {
        return Err(UsageError::rule("--trace begins at --root, not at @SERVER"));
    }
    let by_hand = servers || kinds || matches!(style, Style::Sections | Style::Trace);
    if args.flag("system") && (by_hand || args.flag("reverse")) {
        let text = "--system finds addresses of names: no @SERVER, -t, -x, -v, --trace";
        return Err(UsageError::rule(text));
    }
    Ok(style)
}

fn config(args: &Args, servers: &[&str], port: u16) -> Result<ResolverConfig, Failure> {
    let mut config = ResolverConfig::from_system();
    config.use_tcp |= args.flag("tcp");
    if let Some(timeout) = args.parse_opt::<DurationArg>("timeout")? {
        if timeout.get().is_zero() {
            let why = "must not be zero";
            return Err(UsageError::bad_value("--timeout", "0", why).into());
        }
        config.timeout = timeout.get();
    }
    if let Some(attempts) = args.parse_opt::<NonZeroCount>("attempts")? {
        config.attempts = u32::try_from(attempts.get()).unwrap_or(u32::MAX);
    }
    if args.flag("no-search") {
        config.search.clear();
    }
    if !servers.is_empty() {
        // A user who names a server wants to know what it says, also about `localhost`.
        let mut named = Vec::new();
        for server in servers {
            named.extend(addresses(server, port)?);
        }
        config.servers = named;
        config.local = None;
    } else if config.unused_servers > 0 && args.flag("verbose") {
        let (used, more) = (config.servers.len(), config.unused_servers);
        let text = format!(
            "/etc/resolv.conf: the first {used} name servers are used, {more} more are not"
        );
        cli::complain(&SPEC, text);
    }
    if args.given("timeout") || args.given("attempts") {
        config.deadline = config.deadline.max(asked_for(&config));
    }
    if servers.is_empty() && port != PORT {
        config
            .servers
            .iter_mut()
            .for_each(|server| server.set_port(port));
    }
    Ok(config)
}

/// The longest time that the user's settings can take: for each server and attempt, over UDP and, if
/// the reply is truncated, over TCP.
fn asked_for(config: &ResolverConfig) -> Duration {
    let servers = u32::try_from(config.servers.len()).unwrap_or(u32::MAX);
    let waits = servers.saturating_mul(config.attempts).saturating_mul(2);
    config.timeout.saturating_mul(waits)
}

/// Where a server listens: `ADDRESS`, `ADDRESS:PORT`, `[IPv6]:PORT`, `NAME`, `NAME:PORT`.
fn addresses(server: &str, port: u16) -> Result<Vec<SocketAddr>, Failure> {
    let usage = |why: String| Failure::from(UsageError::bad_value("@SERVER", server, why));
    let bare = server
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let whole = bare.unwrap_or(server);
    let (host, port) = match split_host_port(server) {
        _ if whole.parse::<ZonedIp>().is_ok() => (whole, port),
        Ok((host, digits)) => (
            host,
            digits.parse().map_err(|_| usage("not a port".into()))?,
        ),
        Err(_) => (server, port),
    };
    if let Ok(address) = host.parse::<ZonedIp>() {
        let address = socket_address(&address, port).what(format_args!("@{server}"))?;
        return Ok(vec![address]);
    }
    if looks_like_ip(host) {
        return Err(usage("not a valid IP address".into()));
    }
    let found = Resolver::from_system().lookup_host(host);
    let found = found.map_err(|error| match error {
        LookupError::Name(_, why) => usage(why.to_string()),
        error => {
            cli::complain(&SPEC, format_args!("@{server}: {error}"));
            Failure::Quiet(ask::NO_ANSWER)
        }
    })?;
    Ok(found
        .into_iter()
        .map(|address| (address, port).into())
        .collect())
}

/// The longest file of root hints, in octets; IANA's has 3 KB.
const HINTS_LIMIT: u64 = 1024 * 1024;

fn roots(args: &Args, port: u16) -> Result<Vec<SocketAddr>, Failure> {
    let mut roots = Vec::new();
    for root in args.values("root") {
        roots.extend(addresses(root, port)?);
    }
    let hints = match args.value("root-hints") {
        Some(path) => hints(path)?,
        None if roots.is_empty() => root_addresses(ROOT_HINTS),
        None => Vec::new(),
    };
    let at_port = |address| SocketAddr::new(address, port);
    roots.extend(hints.into_iter().map(at_port));
    Ok(roots)
}

/// The addresses in a file of root hints, at least one.
fn hints(path: &str) -> Result<Vec<IpAddr>, Failure> {
    let reading = format!("reading {path}");
    let mut octets = Vec::new();
    let file = fs::File::open(path).what(&reading)?;
    file.take(HINTS_LIMIT)
        .read_to_end(&mut octets)
        .what(&reading)?;
    let found = root_addresses(&String::from_utf8_lossy(&octets));
    match found.is_empty() {
        true => Err(format!("{path}: there is no address in it").into()),
        false => Ok(found),
    }
}

/// An operand as an address; an error if it looks like one but is not; `None` for a name.
fn operand_address(text: &str, must: bool) -> Result<Option<IpAddr>, UsageError> {
    match parse_ip(text) {
        Ok(address) => Ok(Some(address)),
        Err(error) if must || looks_like_ip(text) => Err(UsageError::rule(format!(
            "{} is not a valid IP address: {}",
            text.escape_debug(),
            error.rule()
        ))),
        Err(_) => Ok(None),
    }
}

/// The name without the dot at its end, as host(1) writes what was asked for.
fn plain(name: &Name) -> String {
    let text = name.to_string();
    match text.strip_suffix('.') {
        Some(rest) if !rest.is_empty() => rest.to_string(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asks_for_a_long_wait_is_not_cut_short() {
        let deadline = |options: &[&str]| {
            let args = SPEC.parse(options.iter().map(Into::into)).unwrap();
            let config = config(&args, &["192.0.2.1", "192.0.2.2"], PORT).unwrap();
            config.deadline.as_secs()
        };
        let usual = ResolverConfig::default().deadline.as_secs();
        assert_eq!(deadline(&["a.test"]), usual);
        assert_eq!(
            deadline(&["--timeout", "1s", "--attempts", "1", "a.test"]),
            usual
        );
        assert!(deadline(&["--timeout", "40s", "--attempts", "3", "a.test"]) >= 240);
        assert!(deadline(&["--timeout", "9999h", "--attempts", "100", "a.test"]) > usual);
    }
}
