//! What the words mean to a user: the program's options, with defaults and help.
//!
//! A flag is a line: `--backend "http://127.0.0.1:9001 weight=2"` is `backend http://... weight=2`.
//! `pool`, `route` and `include` have no flag: several pools need a file. With `--config`,
//! everything is in the file. So one place says what runs, and SIGHUP reads the same as a restart.

use super::lines::{quote, split};
use super::problem::{Place, Problem};
use super::read::Reader;
use super::service::Config;
use crate::cli::{Args, Opt, Repeat, UsageError};

const LIMITS: &str = "Limits on clients";
const TIMES: &str = "Time-outs of clients";
const CLIENT: &str = "What backends are told";
const BACKENDS: &str = "Backends";
const HEALTH: &str = "Health of backends";
const TELLING: &str = "Log and status";

/// The words that take options after their address.
const WITH_OPTIONS: [&str; 2] = ["listen", "backend"];

/// The options that stand for lines, for the program's table of options. The program adds `config`,
/// `check-config` and those of its process.
#[rustfmt::skip]
pub const OPTIONS: &[Opt] = &[
    Opt::value("listen", "ADDRESS",
        "where clients connect: HOST:PORT or unix:PATH; after it, proxy-protocol makes it accept PROXY headers").many(),
    Opt::flag("reuse-port", "let another process listen on the same port, to take over"),
    Opt::flag("reject-unknown-host", "answer 421 for a host that no route names"),
    Opt::value("connect-allow", "HOST:PORT", "allow CONNECT to this address; without any, CONNECT is refused").many(),
    Opt::value("backend", "URL",
        "http://HOST:PORT, unix:PATH or srv:NAME; after it, weight=N, max=N, backup").many().under(BACKENDS),
    Opt::value("balance", "HOW",
        "round-robin, least-connections, random-of-two or client-hash").default("round-robin").under(BACKENDS),
    Opt::value("backend-connections", "N",
        "connections to one backend at a time; 0: no limit").default("0").under(BACKENDS),
    Opt::value("queue", "N", "requests that may wait for one backend").default("100").under(BACKENDS),
    Opt::value("queue-timeout", "TIME", "how long they may wait").default("5s").under(BACKENDS),
    Opt::value("retries", "N", "how many other backends to try, where that is safe").default("2").under(BACKENDS),
    Opt::value("retry-budget", "N", "retries for each 100 requests, at most").default("20").under(BACKENDS),
    Opt::value("retry-reserve", "N", "retries a second that are always allowed").default("5").under(BACKENDS),
    Opt::value("connect-timeout", "TIME", "time to connect to a backend").default("5s").under(BACKENDS),
    Opt::value("first-byte-timeout", "TIME", "time until a reply begins").default("60s").under(BACKENDS),
    Opt::value("backend-idle-timeout", "TIME", "silence in a reply").default("60s").under(BACKENDS),
    Opt::value("keep-alive", "N", "idle connections to keep for each backend").default("64").under(BACKENDS),
    Opt::value("keep-alive-time", "TIME", "how long to keep one idle").default("30s").under(BACKENDS),
    Opt::value("max-age", "TIME", "how long to use a connection in all").default("10m").under(BACKENDS),
    Opt::value("proxy-protocol", "V", "send PROXY headers: v1, v2 or off").default("off").under(BACKENDS),
    Opt::value("name-server", "ADDRESS:PORT",
        "look up names of backends here [the servers of /etc/resolv.conf]").many().under(BACKENDS),
    Opt::value("resolve-min", "TIME", "look up names no more often, however short the TTL").default("1s").under(BACKENDS),
    Opt::value("resolve-max", "TIME", "look up names no less often, however long the TTL").default("60s").under(BACKENDS),
    Opt::value("health-path", "PATH", "check backends by requesting this; 2xx and 3xx are healthy").under(HEALTH),
    Opt::value("health-interval", "TIME", "how often to check").default("5s").under(HEALTH),
    Opt::value("health-timeout", "TIME", "how long a check may take").default("2s").under(HEALTH),
    Opt::value("rise", "N", "good checks in a row that bring a backend back").default("2").under(HEALTH),
    Opt::value("fall", "N", "bad checks in a row that take a backend out").default("3").under(HEALTH),
    Opt::value("max-failures", "N", "failed requests in a row that eject a backend; 0: never").default("5").under(HEALTH),
    Opt::value("ejection", "TIME", "how long it is out; doubles each time").default("10s").under(HEALTH),
    Opt::value("longest-ejection", "TIME", "up to this long").default("5m").under(HEALTH),
    Opt::value("slow-start", "TIME", "how long a returning backend gets less; 0: not at all").default("0").under(HEALTH),
    Opt::value("max-connections", "N", "refuse more than this many at a time").default("10000").under(LIMITS),
    Opt::value("max-per-peer", "N", "refuse more than this many from one address; 0: no limit").default("0").under(LIMITS),
    Opt::value("rate-limit", "N", "requests a second from one address; 0: no limit").default("0").under(LIMITS),
    Opt::value("rate-burst", "N", "requests at once after a pause; 0: as --rate-limit").default("0").under(LIMITS),
    Opt::value("rate-clients", "N", "addresses whose rates are remembered").default("65536").under(LIMITS),
    Opt::value("allow", "PREFIX", "serve only these addresses, such as 10.0.0.0/8").many().under(LIMITS),
    Opt::value("deny", "PREFIX", "refuse these addresses; overrides --allow").many().under(LIMITS),
    Opt::value("max-body", "SIZE", "longest body of a request; 0: no limit").default("0").under(LIMITS),
    Opt::value("max-request-line", "SIZE", "longest request line").default("8KiB").under(LIMITS),
    Opt::value("max-field-line", "SIZE", "longest field line").default("8KiB").under(LIMITS),
    Opt::value("max-header", "SIZE", "longest header section").default("32KiB").under(LIMITS),
    Opt::value("max-fields", "N", "most field lines in a section").default("100").under(LIMITS),
    Opt::value("max-chunk-line", "SIZE", "longest line that begins a chunk").default("256").under(LIMITS),
    Opt::value("max-trailers", "SIZE", "longest trailer section").default("8KiB").under(LIMITS),
    Opt::value("header-timeout", "TIME", "time for a whole header section").default("10s").under(TIMES),
    Opt::value("idle-timeout", "TIME", "time between two requests").default("60s").under(TIMES),
    Opt::value("body-timeout", "TIME", "silence in a request's body").default("30s").under(TIMES),
    Opt::value("write-timeout", "TIME", "time to take each part of a reply, up to 64 KiB").default("30s").under(TIMES),
    Opt::value("tunnel-timeout", "TIME", "silence in a tunnel").default("1h").under(TIMES),
    Opt::value("drain", "TIME", "time for running requests to end after a signal").default("25s").under(TIMES),
    Opt::value("forwarded-for", "HOW",
        "X-Forwarded-* of trusted peers: set, append or keep").default("append").under(CLIENT),
    Opt::flag("forwarded", "write the Forwarded field, too").under(CLIENT),
    Opt::value("via", "NAME", "our name in the Via field, or off").default("groundwire").under(CLIENT),
    Opt::value("trust", "PREFIX",
        "believe the X-Forwarded-*, Forwarded and PROXY headers of these").many().under(CLIENT),
    Opt::value("access-log", "FILE", "a line for each request; - is standard output").default("off").under(TELLING),
    Opt::value("access-format", "FORMAT",
        "common, combined, extended or json").default("combined").under(TELLING),
    Opt::value("admin", "ADDRESS", "where to serve the status page, or off").default("off").under(TELLING),
    Opt::value("admin-token-file", "FILE",
        "a token that lets other machines drain and enable backends, or off").default("off").under(TELLING),
    Opt::value("metrics", "ADDRESS", "where to serve /metrics alone, or off").default("off").under(TELLING),
];

/// How often a word may be given; `pool` and `include` have no option.
pub(super) fn repeats(word: &str) -> bool {
    let opt = OPTIONS.iter().find(|opt| opt.long == word);
    opt.is_none_or(|opt| opt.repeat == Repeat::Many)
}

impl Config {
    /// The configuration that the flags give. The arguments must have been parsed with [`OPTIONS`].
    /// Reports all problems, like [`Config::parse`].
    pub fn from_args(args: &Args) -> Result<Config, Vec<Problem>> {
        let mut no_file = |_: &str| Err("there is no file".into());
        let mut reader = Reader::new(&mut no_file);
        for opt in OPTIONS.iter().filter(|opt| args.given(opt.long)) {
            if opt.value.is_none() {
                reader.apply(&Place::Flags, &[opt.long.to_string()]);
                continue;
            }
            for value in args.values(opt.long) {
                match line(opt.long, value) {
                    Ok(words) => reader.apply(&Place::Flags, &words),
                    Err(why) => reader.problem(&Place::Flags, format!("{}: {why}", opt.long)),
                }
            }
        }
        reader.finish(&Place::Flags)
    }

    /// Refuses flags that belong into the file of `--config`.
    pub fn only_a_file(args: &Args) -> Result<(), UsageError> {
        match OPTIONS.iter().find(|opt| args.given(opt.long)) {
            None => Ok(()),
            Some(opt) => Err(UsageError::rule(format_args!(
                "--{}: belongs into the file of --config",
                opt.long
            ))),
        }
    }
}

/// The words of the line that a flag stands for.
fn line(word: &'static str, value: &str) -> Result<Vec<String>, String> {
    // For a flag with one value, the quotes of the shell suffice.
    let values = match WITH_OPTIONS.contains(&word) {
        true => split(value)?,
        false => split(&quote(value))?,
    };
    Ok([word.to_string()].into_iter().chain(values).collect())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::super::pool::PoolConfig;
    use super::super::words::{self, POOL, Row, SERVICE};
    use super::*;
    use crate::cli::Spec;

    const SPEC: Spec = Spec {
        name: "load-balancer",
        about: "Spread requests.",
        usage: &["[OPTION]..."],
        operands: &[],
        options: OPTIONS,
        statuses: None,
        epilogue: "",
    };

    fn config(line: &str) -> Result<Config, Vec<String>> {
        let arguments = line
            .split('|')
            .map(|argument| OsString::from(argument.trim()));
        let args = SPEC.parse(arguments).unwrap();
        let told = |problems: Vec<Problem>| problems.iter().map(Problem::to_string).collect();
        Config::from_args(&args).map_err(told)
    }

    #[test]
    fn the_options_are_declared_well() {
        assert_eq!(SPEC.check(), Ok(()));
    }

    #[test]
    fn every_word_but_three_has_an_option_and_every_option_a_word() {
        let mut words: Vec<&str> = words::all().collect();
        words.retain(|word| !["pool", "route", "include"].contains(word));
        let mut options: Vec<&str> = OPTIONS.iter().map(|opt| opt.long).collect();
        words.sort_unstable();
        options.sort_unstable();
        assert_eq!(words, options);
        let count = words.len();
        words.dedup();
        assert_eq!(words.len(), count, "a word twice");
    }

    fn assert_default<T: Clone + PartialEq>(rows: &'static [Row<T>], default: &T) {
        for row in rows {
            let opt = OPTIONS.iter().find(|opt| opt.long == row.word);
            let Some(text) = opt.and_then(|opt| opt.default) else {
                continue;
            };
            let mut changed = default.clone();
            let set = (row.field)(&mut changed).set(&[text.to_string()], row.unit);
            assert_eq!(set, Ok(()), "{}", row.word);
            assert!(
                changed == *default,
                "{}: {text} is not the default",
                row.word
            );
        }
    }

    #[test]
    fn the_defaults_of_the_help_page_are_those_of_the_configuration() {
        assert_default(&SERVICE, &Config::default());
        assert_default(&POOL, &PoolConfig::named("default"));
    }

    #[test]
    fn flags_make_the_same_configuration_as_lines() {
        let flags = config(
            "--listen|127.0.0.1:0|--backend|http://a:1 weight=2|--backend=http://b:2|\
             --queue|7|--reuse-port|--via|off|--allow|10.0.0.0/8|--access-log|#a \"b",
        );
        let lines = "allow 10.0.0.0/8\nvia off\nreuse-port\nlisten 127.0.0.1:0\nqueue 7\n\
                     access-log \"#a \\\"b\"\n\
                     backend http://a:1 weight=2\nbackend http://b:2";
        let file = Config::parse("x", lines, &mut |_| Err(String::new()));
        assert_eq!(flags, Ok(file.unwrap()));
    }

    #[test]
    fn a_wrong_flag_is_told_with_its_hyphens() {
        let table = [
            (
                "--queue|x",
                "--queue x: expected a count such as 100, 10k or 2M",
            ),
            ("--listen|\"", "--listen: a quote that is not closed"),
            ("--queue|1", "--listen: needed, an address to serve"),
            ("--listen|:80", "--backend: needed, somebody to answer"),
            ("--listen|:80|--queue|1", "--backend: pool default has none"),
        ];
        for (line, first) in table {
            let told = config(line).err().unwrap_or_default();
            assert_eq!(told.first().map(String::as_str), Some(first));
        }
        let args = SPEC.parse(["--queue".into(), "1".into()]).unwrap();
        let refused = Config::only_a_file(&args).unwrap_err().to_string();
        assert_eq!(refused, "--queue: belongs into the file of --config");
    }
}
