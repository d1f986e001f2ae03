//! What all programs do alike: help, version, and what a wrong command line is told.

use std::fs::File;
use std::process::{Command, Stdio};

use groundwire_cli_tests::{path, program};

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
        name: "tcp-echo-server",
        serves: true,
        options: &["--reuse-port", "--max-per-peer", "--allow", "--deny"],
        extra: &["127.0.0.1:0", "surplus"],
    },
    Program {
        name: "tcp-echo-client",
        serves: false,
        options: &["--stop-word", "--max-line", "-t, --timeout"],
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
        options: &["-T, --type", "--stop-word", "--max-line", "-t, --timeout"],
        extra: &[],
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
        options: &["-l, --list"],
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
        ("loadgen", "NETWORK"),
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
        ("--requests=9", "--duration=9s"),
    ] {
        let name = |option: &'static str| option.split('=').next().unwrap();
        let says = format!("{} and {} exclude each other", name(a), name(b));
        is_a_usage_error("loadgen", &[a, b, "tcp", "127.0.0.1:1"], &says);
    }
    is_a_usage_error(
        "loadgen",
        &["--churn", "udp", "127.0.0.1:1"],
        "--churn: udp has no connections",
    );
}

#[test]
fn an_address_that_is_none_is_told_why() {
    let table: [(&str, &[&str], &str); 3] = [
        (
            "tcp-echo-server",
            &["127.0.0.1:123456"],
            "port must be 0 to 65535",
        ),
        (
            "tcp-echo-client",
            &["127.0.0.1:123456", "x"],
            "port must be 0 to 65535",
        ),
        (
            "udp-echo-client",
            &["127.0.0.1:123456", "x"],
            "port must be 0 to 65535",
        ),
    ];
    for (name, args, why) in table {
        let output = program(name).args(args).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(stderr, format!("{name}: address {}: {why}\n", args[0]));
        assert!(matches!(output.status.code(), Some(1 | 2)), "{name}");
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
