//! What all programs do alike: help, version, and what a wrong command line is told.

use std::fs::File;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use groundwire_cli_tests::{Running, path, program};

const SERVER: &[&str] = &[
    "--mode",
    "--workers",
    "--queue",
    "--scheduling",
    "--once",
    "--stop-word",
    "--stop-connection-word",
    "--max-line",
    "--idle-timeout",
    "--write-timeout",
    "--max-connections",
    "--drain",
    "--metrics",
    "--log",
    "-v, --verbose",
];

/// Each program, its options beyond `SERVER`'s, and operands that are one too many.
struct Program {
    name: &'static str,
    serves: bool,
    options: &'static [&'static str],
    extra: &'static [&'static str],
}

const PROGRAMS: &[Program] = &[
    Program {
        name: "address",
        serves: false,
        options: &["-j, --json"],
        extra: &[],
    },
    Program {
        name: "interfaces",
        serves: false,
        options: &["-j, --json"],
        extra: &["lo", "surplus"],
    },
    Program {
        name: "ping",
        serves: false,
        options: &[
            "-4, --ipv4",
            "-6, --ipv6",
            "-c, --count",
            "-i, --interval",
            "-W, --timeout",
            "-w, --deadline",
            "-s, --size",
            "-t, --ttl",
            "-q, --quiet",
            "-n, --numeric",
        ],
        extra: &["localhost", "surplus"],
    },
    Program {
        name: "tcp-echo-server",
        serves: true,
        options: &["--reuse-port", "--max-per-peer", "--allow", "--deny"],
        extra: &["127.0.0.1:0", "surplus"],
    },
    Program {
        name: "tcp-echo-client",
        serves: false,
        options: &[
            "--stop-word",
            "--max-line",
            "--check",
            "--raw",
            "-t, --timeout",
        ],
        extra: &[],
    },
    Program {
        name: "udp-echo-server",
        serves: false,
        options: &[
            "--sockets",
            "--allow",
            "--deny",
            "--metrics",
            "--log",
            "-v, --verbose",
        ],
        extra: &["127.0.0.1:0", "surplus"],
    },
    Program {
        name: "udp-echo-client",
        serves: false,
        options: &[
            "--stop-word",
            "--max-line",
            "--check",
            "--raw",
            "-t, --timeout",
            "-r, --retries",
        ],
        extra: &[],
    },
    Program {
        name: "unix-echo-server",
        serves: true,
        options: &["-T, --type", "--permissions"],
        extra: &["/nowhere/socket", "surplus"],
    },
    Program {
        name: "unix-echo-client",
        serves: false,
        options: &[
            "-T, --type",
            "--stop-word",
            "--max-line",
            "--check",
            "--raw",
            "-t, --timeout",
        ],
        extra: &[],
    },
    Program {
        name: "message-server",
        serves: false,
        options: &[
            "--mode",
            "--workers",
            "--queue",
            "--scheduling",
            "--max-line",
            "--max-frame",
            "--idle-timeout",
            "--item-timeout",
            "--write-timeout",
            "--max-connections",
            "--max-per-peer",
            "--allow",
            "--deny",
            "--drain",
            "--metrics",
            "--log",
            "-v, --verbose",
        ],
        extra: &["127.0.0.1:0", "surplus"],
    },
    Program {
        name: "message-client",
        serves: false,
        options: &[
            "-n, --number",
            "-s, --string",
            "-m, --map",
            "-p, --payload",
            "-t, --timeout",
        ],
        extra: &["127.0.0.1:1", "struct", "surplus"],
    },
    Program {
        name: "lookup",
        serves: false,
        options: &[
            "-t, --type",
            "-x, --reverse",
            "-p, --port",
            "--tcp",
            "--timeout",
            "--attempts",
            "--no-search",
            "--system",
            "--short",
            "--json",
            "-v, --verbose",
            "--trace",
            "--root",
            "--root-hints",
        ],
        extra: &[],
    },
    Program {
        name: "http-backend",
        serves: false,
        options: &[
            "--name",
            "--root",
            "--fail-rate",
            "--seed",
            "--max-header",
            "--max-message",
            "--idle-timeout",
            "--header-timeout",
            "--body-timeout",
            "--write-timeout",
            "--max-connections",
            "--max-per-peer",
            "--allow",
            "--deny",
            "--scheduling",
            "--drain",
            "--metrics",
            "--log",
            "-v, --verbose",
        ],
        extra: &["127.0.0.1:0", "surplus"],
    },
    Program {
        name: "rpc-server",
        serves: false,
        options: &[
            "--unix",
            "--quit",
            "--secret-file",
            "--workers",
            "--queue",
            "--in-flight",
            "--max-message",
            "--idle-timeout",
            "--scheduling",
            "--max-connections",
            "--max-per-peer",
            "--allow",
            "--deny",
            "--drain",
            "--metrics",
            "--log",
            "-v, --verbose",
        ],
        extra: &["127.0.0.1:0", "surplus"],
    },
    Program {
        name: "rpc-client",
        serves: false,
        options: &[
            "--unix",
            "-l, --list",
            "-s, --stats",
            "-t, --timeout",
            "-r, --retry",
            "--secret-file",
        ],
        extra: &["127.0.0.1:1", "Server.Quit", "surplus"],
    },
    Program {
        name: "dns-server",
        serves: false,
        options: &[
            "--listen",
            "--zone",
            "--check",
            "--workers",
            "--udp-size",
            "--transfer",
            "--rate-limit",
            "--rate-slip",
            "--rate-window",
            "--query-log",
            "--idle-timeout",
            "--write-timeout",
            "--scheduling",
            "--max-connections",
            "--max-per-peer",
            "--allow",
            "--deny",
            "--drain",
            "--metrics",
            "--log",
            "-v, --verbose",
        ],
        extra: &["surplus"],
    },
    Program {
        name: "loadgen",
        serves: false,
        options: &[
            "-c, --connections",
            "-t, --threads",
            "-s, --size",
            "-d, --duration",
            "-n, --requests",
            "-w, --warm-up",
            "-r, --rate",
            "--churn",
            "--hold",
            "--timeout",
            "--json",
        ],
        extra: &["tcp", "127.0.0.1:1", "surplus"],
    },
    Program {
        name: "tour",
        serves: false,
        options: &["-l, --list", "-w, --write"],
        extra: &["--list", "surplus"],
    },
];

/// Asserts the manners of a wrong call: status 2, one sentence and the hint, nothing on stdout.
fn is_a_usage_error(name: &str, args: &[&str], says: &str) {
    let output = program(name).args(args).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let expected = format!("{name}: {says}\nTry '{name} --help' for more information.\n");
    assert_eq!(output.status.code(), Some(2), "{name} {args:?}: {stderr}");
    assert_eq!(stderr, expected, "{name} {args:?}");
    assert!(output.stdout.is_empty(), "{name} {args:?}");
}

#[test]
fn help_names_every_option_and_exits_with_0() {
    for one in PROGRAMS {
        let shared = if one.serves { SERVER } else { &[] };
        for flag in ["--help", "-h"] {
            let output = program(one.name).arg(flag).output().unwrap();
            let page = String::from_utf8(output.stdout).unwrap();
            assert_eq!(output.status.code(), Some(0), "{} {flag}", one.name);
            assert!(output.stderr.is_empty(), "{} {flag}", one.name);
            assert!(page.starts_with(&format!("Usage: {} ", one.name)), "{page}");
            let both = ["-h, --help", "-V, --version"];
            for option in shared.iter().chain(one.options).chain(&both) {
                assert!(
                    page.contains(&format!(" {option} ")),
                    "{}: {option}\n{page}",
                    one.name
                );
            }
            let declared = page.lines().filter(|line| {
                let line = line.trim_start();
                line.starts_with("--") || line.starts_with('-') && line.contains(", --")
            });
            let known = shared.len() + one.options.len() + both.len();
            assert_eq!(
                declared.count(),
                known,
                "an option that this test does not know:\n{page}"
            );
        }
    }
}

#[test]
fn the_version_is_one_line() {
    for one in PROGRAMS {
        for flag in ["--version", "-V"] {
            let output = program(one.name).arg(flag).output().unwrap();
            let line = String::from_utf8(output.stdout).unwrap();
            assert_eq!(output.status.code(), Some(0));
            assert!(
                line.starts_with(&format!("{} (groundwire) ", one.name)),
                "{line}"
            );
            assert_eq!(line.lines().count(), 1, "{line}");
        }
    }
}

#[test]
fn an_unknown_option_exits_with_2_and_a_hint() {
    for one in PROGRAMS {
        is_a_usage_error(one.name, &["--xyzzy"], "--xyzzy: no such option");
    }
    let near = "--max-conections: no such option; did you mean --max-connections?";
    is_a_usage_error("tcp-echo-server", &["--max-conections", "3"], near);
}

#[test]
fn operands_too_many_and_too_few_are_refused() {
    for one in PROGRAMS.iter().filter(|one| !one.extra.is_empty()) {
        is_a_usage_error(one.name, one.extra, "surplus: extra operand");
    }
    let missing = [
        ("tcp-echo-client", "HOST:PORT"),
        ("udp-echo-client", "HOST:PORT"),
        ("unix-echo-server", "PATH"),
        ("unix-echo-client", "PATH"),
        ("message-client", "HOST:PORT"),
        ("rpc-client", "HOST:PORT"),
        ("loadgen", "NETWORK"),
        ("address", "VALUE"),
        ("ping", "HOST"),
    ];
    for (name, operand) in missing {
        is_a_usage_error(name, &[], &format!("{operand}: missing operand"));
    }
}

#[test]
fn a_bad_value_is_told_why_before_anything_happens() {
    let count = "expected a count such as 100, 10k or 2M";
    let time = "expected a duration such as 500ms, 10s or 1.5h";
    let size = "expected a size such as 4096, 64KiB or 10MB";
    let tcp = "tcp-echo-server";
    let table: &[(&str, &[&str], &str)] = &[
        (tcp, &["--mode", "foo"], "must be serial, threads or pool"),
        (tcp, &["--workers", "x"], count),
        (tcp, &["--workers", "0"], "must not be zero"),
        (tcp, &["--queue", "x"], count),
        (
            tcp,
            &["--scheduling", "foo"],
            "must be normal, batch or auto",
        ),
        (tcp, &["--max-connections", "0"], "must not be zero"),
        (tcp, &["--max-per-peer", "x"], count),
        (tcp, &["--max-line", "x"], size),
        (tcp, &["--max-line", "0"], "must be 1 to 1GiB"),
        (tcp, &["--idle-timeout", "soon"], time),
        (
            tcp,
            &["--write-timeout", "5"],
            "needs a unit: us, ms, s, m or h",
        ),
        (tcp, &["--drain", "x"], time),
        (tcp, &["--log", "xml"], "must be text or json"),
        (
            tcp,
            &["--allow", "300.0.0.0/8"],
            "prefix 300.0.0.0/8: octet 300 is above 255",
        ),
        ("udp-echo-server", &["--sockets", "0"], "must not be zero"),
        ("ping", &["--count", "0", "::1"], "must be 1 or more"),
        ("ping", &["--size", "65508", "::1"], "must be 0 to 65507"),
        ("ping", &["--ttl", "0", "::1"], "must be 1 to 255"),
        ("ping", &["--ttl", "256", "::1"], "must be 1 to 255"),
        ("ping", &["--interval", "0", "::1"], "must be 2ms or more"),
        ("ping", &["--timeout", "soon", "::1"], time),
        (
            "unix-echo-server",
            &["--permissions", "888", "p"],
            "must be octal, 0 to 777",
        ),
        (
            "unix-echo-server",
            &["--type", "raw", "p"],
            "must be stream, datagram or seqpacket",
        ),
        (
            "unix-echo-client",
            &["--type", "raw", "p"],
            "must be stream, datagram or seqpacket",
        ),
        ("tcp-echo-client", &["--timeout", "x", "127.0.0.1:1"], time),
        (
            "tcp-echo-client",
            &["--max-line", "x", "127.0.0.1:1", "words"],
            size,
        ),
        (
            "udp-echo-client",
            &["--max-line", "x", "127.0.0.1:1", "words"],
            size,
        ),
        ("udp-echo-client", &["--retries", "x", "127.0.0.1:1"], count),
        (
            "loadgen",
            &["--connections", "0", "tcp", "127.0.0.1:1"],
            "must not be zero",
        ),
        ("loadgen", &["--duration", "x", "tcp", "127.0.0.1:1"], time),
        ("loadgen", &["--rate", "x", "tcp", "127.0.0.1:1"], count),
    ];
    for (name, args, why) in table {
        is_a_usage_error(name, args, &format!("{} {}: {why}", args[0], args[1]));
    }
    is_a_usage_error(
        "loadgen",
        &["--size", "65508", "udp", "127.0.0.1:1"],
        "--size 65508: must be 1 to 65507 on udp",
    );
    let most = "--connections 1000001: must be at most 1000000";
    is_a_usage_error("loadgen", &["-c", "1000001", "tcp", "127.0.0.1:1"], most);
    let most = "--connections 18446744073709551615: must be at most 1000000";
    let huge = ["-c", "18446744073709551615", "tcp", "127.0.0.1:1"];
    is_a_usage_error("loadgen", &huge, most);
    for (a, b) in [
        ("--hold=1s", "--churn"),
        ("--hold=1s", "--rate=9"),
        ("--hold=1s", "--requests=9"),
        ("--hold=1s", "--duration=9s"),
        ("--hold=1s", "--warm-up=9s"),
        ("--requests=9", "--duration=9s"),
    ] {
        let name = |option: &'static str| option.split('=').next().unwrap();
        let says = format!("{} and {} exclude each other", name(a), name(b));
        is_a_usage_error("loadgen", &[a, b, "tcp", "127.0.0.1:1"], &says);
    }
    is_a_usage_error(
        "loadgen",
        &["ip4:1", "127.0.0.1"],
        "NETWORK ip4:icmp: has no echo server, use ping",
    );
    is_a_usage_error(
        "loadgen",
        &["--churn", "udp", "127.0.0.1:1"],
        "--churn: udp has no connections",
    );
}

#[test]
fn an_address_that_is_none_is_a_wrong_call() {
    let bad = "127.0.0.1:123456";
    let says = format!("address {bad}: port must be 0 to 65535");
    for args in [
        ("tcp-echo-server", &[bad][..]),
        ("udp-echo-server", &[bad]),
        ("tcp-echo-client", &[bad, "x"]),
        ("udp-echo-client", &[bad, "x"]),
        ("loadgen", &["tcp", bad]),
        ("loadgen", &["--churn", "tcp", bad]),
    ] {
        is_a_usage_error(args.0, args.1, &says);
    }
    let no_port = program("tcp-echo-server")
        .arg("localhost")
        .output()
        .unwrap();
    assert_eq!(no_port.status.code(), Some(2), "{no_port:?}");
}

#[test]
fn trouble_with_the_metrics_address_names_the_flag() {
    let says = "--metrics: address 127.0.0.1:123456: port must be 0 to 65535";
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for name in ["tcp-echo-server", "udp-echo-server"] {
        is_a_usage_error(name, &["--metrics=127.0.0.1:123456", "127.0.0.1:0"], says);
        let args = ["--metrics", taken.as_str(), "127.0.0.1:0"];
        let why = format!("{name}: --metrics: listen tcp {taken}: address already in use\n");
        let run = program(name).args(args).assert();
        run.code(1).stdout("").stderr(why);
    }
}

#[test]
fn what_only_a_pool_has_is_refused_without_one() {
    let tcp = "tcp-echo-server";
    is_a_usage_error(tcp, &["--workers", "8"], "--workers: needs --mode pool");
    let serial = ["--mode=serial", "--queue=8"];
    is_a_usage_error(tcp, &serial, "--queue: needs --mode pool");
    let many = ["--mode=pool", "--workers=4097"];
    is_a_usage_error(tcp, &many, "--workers 4097: must be at most 4096");
}

#[test]
fn help_ends_with_units_and_exit_statuses() {
    for one in PROGRAMS {
        let output = program(one.name).arg("--help").output().unwrap();
        let page = String::from_utf8(output.stdout).unwrap();
        let (_, statuses) = page.split_once("\nExit status: 0 ").unwrap();
        assert!(statuses.ends_with(".\n"), "{page}");
        let own = ["address", "loadgen", "lookup", "ping"].contains(&one.name);
        assert_eq!(
            statuses != "done, 1 failed, 2 called wrongly.\n",
            own,
            "{page}"
        );
        let told = page.to_lowercase().matches("status").count();
        assert_eq!(told, 1, "the statuses are told once: {page}");
        for unit in ["TIME", "SIZE"] {
            let taken = page.contains(&format!(" {unit} "));
            assert_eq!(taken, page.contains(&format!("\n{unit} is ")), "{page}");
        }
    }
}

#[test]
fn lost_output_is_a_failure() {
    for one in PROGRAMS {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut help = Command::new(path(one.name));
        let output = help
            .arg("--help")
            .stdout(full)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", one.name);
        let expected = format!("{}: standard output: no space left on device\n", one.name);
        assert_eq!(stderr, expected);
    }
}

#[test]
fn a_file_that_may_not_grow_is_a_failure_like_a_full_disk() {
    let folder = tempfile::tempdir().unwrap();
    let packets = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/handshake.pcap");
    let file = folder.path().join("file");
    let name = file.to_str().unwrap();
    let cases: [(&str, &[&str], String); 3] = [
        ("capture", &["-r", packets, "-w", name], name.into()),
        (
            "raft-sim",
            &["--deterministic", "--quiet", "--html", name],
            format!("writing {name}"),
        ),
        (
            "tour",
            &["capture", "--write", name],
            format!("writing {name}"),
        ),
    ];
    for (program, args, what) in cases {
        let ended = Running::start_after("ulimit -f 0", program, args).end();
        assert_eq!(ended.code, Some(1), "{program}: {ended:?}");
        let expected = format!("{program}: {what}: file too large\n");
        assert_eq!(ended.stderr, expected);
    }
}

#[test]
fn a_stop_word_that_no_line_can_be_is_a_usage_error() {
    let (server, client) = ("tcp-echo-server", "tcp-echo-client");
    let port = "127.0.0.1:1";
    let feed = "a line has no line feed inside";
    let long = "longer than --max-line, 3 bytes";
    for (name, option) in [
        (server, "--stop-word"),
        (server, "--stop-connection-word"),
        (client, "--stop-word"),
    ] {
        let says = format!("{option} \"a\\nb\": {feed}");
        is_a_usage_error(name, &[option, "a\nb", port], &says);
        let says = format!("{option} four: {long}");
        is_a_usage_error(name, &["--max-line", "3", option, "four", port], &says);
    }
    // The default is no promise.
    let run = program(client).args(["--max-line", "3", port]).assert();
    run.code(1);
}

#[test]
fn permissions_of_a_name_without_a_file_are_a_usage_error() {
    is_a_usage_error(
        "unix-echo-server",
        &["--permissions", "600", "@name"],
        "--permissions: an abstract name has no file",
    );
}
