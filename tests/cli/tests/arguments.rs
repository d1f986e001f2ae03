//! What all programs do alike: help, version, and what a wrong command line is told.

#[path = "arguments/lost_output.rs"]
mod lost_output;
#[path = "arguments/programs.rs"]
mod programs;

use std::net::TcpListener;

use groundwire_cli_tests::program;
use programs::{PROGRAMS, SERVER};

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
