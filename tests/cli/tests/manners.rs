//! What all programs have in common: help, version, usage errors, exit status, closed pipes.

use std::process::{Command, Stdio};

use groundwire_cli_tests::{path, program};

const PROGRAMS: [&str; 8] = [
    "tour",
    "tcp-echo-server",
    "tcp-echo-client",
    "udp-echo-server",
    "udp-echo-client",
    "unix-echo-server",
    "unix-echo-client",
    "loadgen",
];

fn run(name: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = program(name).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn help_and_version_go_to_standard_output_with_status_0() {
    for name in PROGRAMS {
        let (status, help, errors) = run(name, &["--help"]);
        assert_eq!((status, errors.as_str()), (Some(0), ""), "{name}");
        assert!(
            help.contains(name) && help.contains("--version"),
            "{name}: {help}"
        );
        assert!(
            help.lines().all(|line| line.chars().count() <= 80),
            "{name}: {help}"
        );
        let (status, version, _) = run(name, &["--version"]);
        assert_eq!(
            (status, version),
            (Some(0), format!("{name} (groundwire) 0.1.0\n"))
        );
    }
}

#[test]
fn an_unknown_option_is_a_usage_error_that_shows_the_way() {
    for name in PROGRAMS {
        let (status, out, errors) = run(name, &["--no-such-option"]);
        assert_eq!((status, out.as_str()), (Some(2), ""), "{name}");
        assert!(errors.starts_with(&format!("{name}: ")), "{errors}");
        assert!(errors.contains("--help"), "{errors}");
    }
}

#[test]
fn bad_values_are_usage_errors_that_name_option_value_and_reason() {
    for (name, arguments, expected) in [
        (
            "tcp-echo-server",
            &["--workers", "x", "--mode", "pool"][..],
            "--workers x",
        ),
        (
            "tcp-echo-server",
            &["--mode", "fast"],
            "serial, threads or pool",
        ),
        (
            "tcp-echo-server",
            &["--allow", "300.0.0.0/8"],
            "octet 300 is above 255",
        ),
        (
            "tcp-echo-server",
            &["--deny", "10.1.2.3/8"],
            "did you mean 10.0.0.0/8",
        ),
        ("tcp-echo-server", &["--drain", "5"], "--drain 5"),
        ("tcp-echo-server", &["--max-line", "0"], "--max-line 0"),
        ("tcp-echo-server", &["--log", "xml"], "text or json"),
        ("tcp-echo-server", &["one", "two"], "two"),
        ("tcp-echo-client", &[], "HOST:PORT"),
        (
            "udp-echo-client",
            &["--retries", "-1", "h:1"],
            "--retries -1",
        ),
        (
            "unix-echo-server",
            &["--type", "tcp", "/tmp/x"],
            "stream, datagram or seqpacket",
        ),
        (
            "unix-echo-server",
            &["--permissions", "999", "/tmp/x"],
            "octal",
        ),
        (
            "unix-echo-server",
            &["--type", "datagram", "--once", "/tmp/x"],
            "--once",
        ),
        ("loadgen", &["sctp", "h:1"], "sctp"),
        ("loadgen", &["--size", "65508", "udp", "h:1"], "65507"),
        ("loadgen", &["--churn", "udp", "h:1"], "no connections"),
        ("tour", &["moon"], "the stops are"),
    ] {
        let (status, out, errors) = run(name, arguments);
        assert_eq!(
            (status, out.as_str()),
            (Some(2), ""),
            "{name} {arguments:?}"
        );
        assert!(errors.contains(expected), "{name} {arguments:?}: {errors}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_panic_and_no_failure() {
    for name in PROGRAMS {
        let mut child = Command::new(path(name))
            .arg("--help")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{name}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{name}");
    }
}

#[test]
fn a_full_disk_is_an_error_with_status_1() {
    let full = std::fs::File::create("/dev/full").unwrap();
    let output = Command::new(path("tour"))
        .arg("--list")
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(errors, "tour: standard output: no space left on device\n");
}

#[test]
fn the_tour_makes_every_stop_in_time() {
    let (status, listed, _) = run("tour", &["--list"]);
    assert_eq!(status, Some(0));
    let begun = std::time::Instant::now();
    let (status, shown, errors) = run("tour", &[]);
    assert_eq!((status, errors.as_str()), (Some(0), ""));
    assert!(begun.elapsed().as_secs() < 10, "the tour takes too long");
    for stop in listed
        .lines()
        .filter_map(|line| line.split_whitespace().next())
    {
        assert!(shown.contains(&format!(" {stop}: ")), "{stop} is missing");
        assert_eq!(run("tour", &[stop]).0, Some(0), "{stop}");
    }
}
