//! loadgen as its users run it.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use groundwire_cli_tests::{Server, program};
use tempfile::TempDir;

fn loadgen(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = program("loadgen").args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// The number behind `"name":` in a line of JSON.
fn number(json: &str, name: &str) -> f64 {
    let (_, rest) = json.split_once(&format!("\"{name}\":")).unwrap();
    rest.split([',', '}']).next().unwrap().parse().unwrap()
}

#[test]
fn every_network_is_measured_and_every_reply_compared() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (stream, datagram, packet) = (path("s"), path("d"), path("p"));
    let cases: [(&str, &str, &[&str]); 5] = [
        ("tcp", "tcp-echo-server", &["127.0.0.1:0"]),
        ("udp", "udp-echo-server", &["127.0.0.1:0"]),
        ("unix", "unix-echo-server", &[&stream]),
        (
            "unixgram",
            "unix-echo-server",
            &["--type", "datagram", &datagram],
        ),
        (
            "unixpacket",
            "unix-echo-server",
            &["--type", "seqpacket", &packet],
        ),
    ];
    for (network, name, arguments) in cases {
        let server = Server::start(name, arguments);
        for size in ["1", "20", "5000"] {
            let options = ["--json", "-c", "3", "-n", "300", "-w", "0", "-s", size];
            let arguments = [&options[..], &[network, &server.address]].concat();
            let (status, json, errors) = loadgen(&arguments);
            assert_eq!(
                (status, errors.as_str()),
                (Some(0), ""),
                "{network} {size}: {json}"
            );
            assert_eq!(number(&json, "requests"), 300.0, "{json}");
            assert!(number(&json, "p50") > 0.0 && number(&json, "max") >= number(&json, "p99"));
        }
        server.stop();
    }
}

#[test]
fn a_fixed_rate_is_kept_and_churn_connects_for_each_request() {
    let server = Server::start("tcp-echo-server", &["127.0.0.1:0"]);
    let rate = [
        "--json", "--rate", "200", "-c", "2", "-d", "500ms", "-w", "0",
    ];
    let (status, json, _) = loadgen(&[&rate[..], &["tcp", &server.address]].concat());
    assert_eq!(status, Some(0));
    // 100 are due in half a second; never more, whatever the machine does.
    assert!(number(&json, "requests") <= 101.0, "{json}");
    let churn = ["--json", "--churn", "-c", "2", "-n", "50", "-w", "0"];
    let (status, json, _) = loadgen(&[&churn[..], &["tcp", &server.address]].concat());
    assert_eq!((status, number(&json, "requests")), (Some(0), 50.0));
    // Two for --rate, one to see whether anybody is there, fifty for --churn.
    assert_eq!(server.stop(), "served 53, active 0, refused 0, failed 0");
}

#[test]
fn held_connections_are_counted_and_let_go() {
    let server = Server::start("tcp-echo-server", &["127.0.0.1:0"]);
    let options = ["-c", "50", "--hold", "50ms", "tcp", &server.address];
    let (status, out, _) = loadgen(&options);
    assert_eq!(status, Some(0));
    assert!(out.starts_with("holding 50 connections\n"), "{out}");
    assert_eq!(server.stop(), "served 50, active 0, refused 0, failed 0");
}

#[test]
fn a_server_that_is_not_there_is_one_line_and_status_1() {
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    for options in [&["-c", "100"][..], &["--churn"]] {
        let (status, out, errors) = loadgen(&[options, &["tcp", &address]].concat());
        assert_eq!((status, out.as_str()), (Some(1), ""));
        assert_eq!(
            errors,
            format!("loadgen: connect tcp {address}: connection refused\n")
        );
    }
}

#[test]
fn a_reply_with_one_bit_changed_is_a_mismatch_and_status_1() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        // Right for the first request, wrong from the second on.
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (mut buffer, mut seen) = ([0; 128], 0);
            while stream.read_exact(&mut buffer).is_ok() {
                buffer[40] ^= u8::from(seen > 0);
                seen += 1;
                if stream.write_all(&buffer).is_err() {
                    break;
                }
            }
        }
    });
    let (status, out, _) = loadgen(&["-n", "4", "-w", "0", "tcp", &address]);
    assert_eq!(status, Some(1));
    assert!(out.contains("(mismatch "), "{out}");
}
