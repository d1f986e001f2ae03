//! loadgen against good servers, and against listeners that answer wrongly, late or not at all.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use groundwire_cli_tests::json::{self, Value};
use groundwire_cli_tests::{
    PATIENCE, Running, SCHED_BATCH, Server, descriptor_limit, path, program, scheduling_policies,
};

/// Runs it with `--json`; the exit code and the parsed line.
fn load(args: &[&str]) -> (Option<i32>, Value) {
    let output = program("loadgen")
        .arg("--json")
        .args(args)
        .output()
        .unwrap();
    let (stdout, stderr) = (output.stdout, String::from_utf8(output.stderr).unwrap());
    let stdout = String::from_utf8(stdout).unwrap();
    assert_eq!(stdout.lines().count(), 1, "{args:?}: {stdout}{stderr}");
    let value = json::parse(&stdout).unwrap_or_else(|| panic!("not JSON: {stdout}"));
    (output.status.code(), value)
}

fn number(value: &Value, name: &str) -> u64 {
    value.get(name).number() as u64
}

fn errors(value: &Value) -> Vec<(&str, u64)> {
    let kinds = ["connect", "timeout", "closed", "mismatch", "other"];
    let counts = kinds.map(|kind| (kind, number(value.get("errors"), kind)));
    counts.into_iter().filter(|(_, count)| *count > 0).collect()
}

/// An echo server on std; `reply` makes each reply from the line and its number on the
/// connection (from 0), or ends the connection.
fn listener(reply: impl Fn(&[u8], usize) -> Option<Vec<u8>> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        thread::scope(|scope| {
            for stream in listener.incoming().map_while(Result::ok) {
                scope.spawn(|| answer(stream, &reply));
            }
        });
    });
    address
}

fn answer(mut stream: TcpStream, reply: &impl Fn(&[u8], usize) -> Option<Vec<u8>>) {
    let lines = BufReader::new(stream.try_clone().unwrap());
    for (number, line) in lines.split(b'\n').map_while(Result::ok).enumerate() {
        let line = [&line[..], b"\n"].concat();
        match reply(&line, number) {
            Some(bytes) if stream.write_all(&bytes).is_ok() => {}
            _ => return,
        }
    }
}

#[test]
fn every_network_is_loaded_without_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let servers = [
        Server::tcp(&[]),
        Server::udp(&[]),
        Server::unix(&at("stream"), &[]),
        Server::unix(&at("datagram"), &["--type", "datagram"]),
        Server::unix(&at("seqpacket"), &["--type", "seqpacket"]),
    ];
    for server in &servers {
        let (code, value) = load(&[
            "-c",
            "4",
            "-t",
            "2",
            "-d",
            "200ms",
            "-w",
            "20ms",
            &server.network,
            &server.address,
        ]);
        assert_eq!(code, Some(0), "{}: {value:?}", server.network);
        assert_eq!(value.get("network").text(), server.network);
        assert_eq!(
            (number(&value, "connections"), number(&value, "threads")),
            (4, 2)
        );
        assert_eq!(number(&value, "size"), 128);
        assert!(number(&value, "requests") > 0, "{value:?}");
        assert!(value.get("requests_per_second").number() > 0.0, "{value:?}");
        assert_eq!(errors(&value), []);
        let latency =
            ["p50", "p90", "p99", "p99.9", "max"].map(|name| number(value.get("latency_ns"), name));
        assert!(latency[0] > 0 && latency.is_sorted(), "{latency:?}");
    }
}

#[test]
fn the_names_that_unix_echo_server_has_for_its_types_are_understood() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, network) in [
        ("stream", "unix"),
        ("datagram", "unixgram"),
        ("seqpacket", "unixpacket"),
    ] {
        let path = folder.path().join(kind);
        let path = path.to_str().unwrap();
        let _server = Server::unix(path, &["--type", kind]);
        let (code, value) = load(&["-n", "5", "-w", "0", kind, path]);
        assert_eq!(code, Some(0), "{kind}: {value:?}");
        assert_eq!(value.get("network").text(), network);
    }
}

#[test]
fn the_count_asked_for_is_the_count_measured() {
    let server = Server::tcp(&[]);
    // Requests that do not divide evenly by threads or connections.
    for (connections, threads, requests) in [
        ("1", "1", "1"),
        ("1", "1", "500"),
        ("3", "1", "100"),
        ("4", "3", "101"),
        ("8", "2", "3"),
    ] {
        let (code, value) = load(&[
            "-c",
            connections,
            "-t",
            threads,
            "-n",
            requests,
            "-w",
            "0",
            "tcp",
            &server.address,
        ]);
        assert_eq!(code, Some(0), "{value:?}");
        let measured = number(&value, "requests").to_string();
        assert_eq!(
            measured, requests,
            "{connections} connections, {threads} threads"
        );
    }
}

#[test]
fn sizes_from_one_byte_to_a_mebibyte_come_back() {
    let server = Server::tcp(&["--max-line", "2MiB"]);
    for (size, bytes) in [
        ("1", 1),
        ("15", 15),
        ("16", 16),
        ("17", 17),
        ("1000", 1_000),
        ("64KiB", 65_536),
        ("1MiB", 1 << 20),
    ] {
        let (code, value) = load(&["-s", size, "-n", "20", "-w", "0", "tcp", &server.address]);
        assert_eq!(code, Some(0), "{size}: {value:?}");
        assert_eq!(
            (number(&value, "size"), number(&value, "requests")),
            (bytes, 20)
        );
    }
    let server = Server::udp(&[]);
    let (code, value) = load(&["-s", "65507", "-n", "20", "-w", "0", "udp", &server.address]);
    assert_eq!(
        (code, number(&value, "requests")),
        (Some(0), 20),
        "{value:?}"
    );
}

#[test]
fn a_fixed_rate_is_not_exceeded() {
    let server = Server::tcp(&[]);
    let (code, value) = load(&[
        "--rate",
        "200",
        "-d",
        "500ms",
        "-w",
        "0",
        "-c",
        "2",
        "tcp",
        &server.address,
    ]);
    assert_eq!(code, Some(0), "{value:?}");
    let requests = number(&value, "requests");
    assert!(
        (1..=100).contains(&requests),
        "{requests} requests in 0.5 s at 200 a second"
    );
    assert_eq!(errors(&value), []);
}

#[test]
fn a_fixed_rate_is_told_by_the_time_that_was_asked_for() {
    let server = Server::tcp(&[]);
    // The last of four is due, and done, when a quarter of the time is still to come.
    let args = ["--rate", "2", "-d", "2s", "-w", "0", "tcp", &server.address];
    let (code, value) = load(&args);
    assert_eq!(code, Some(0), "{value:?}");
    assert_eq!(number(&value, "due"), 4, "{value:?}");
    assert_eq!(value.get("seconds").number(), 2.0, "{value:?}");
}

#[test]
fn a_rate_beyond_what_the_server_can_do_is_measured_from_when_each_request_was_due() {
    // A request takes 5 ms here; 1000 a second are due in the warm-up and after.
    let address = listener(|line, _| {
        let (_wake, never) = mpsc::channel::<()>();
        let _ = never.recv_timeout(Duration::from_millis(5));
        Some(line.to_vec())
    });
    let args = [
        "--rate", "1000", "-d", "300ms", "-w", "300ms", "tcp", &address,
    ];
    let (code, value) = load(&args);
    assert_eq!(code, Some(0), "{value:?}");
    let (due, sent) = (number(&value, "due"), number(&value, "sent"));
    assert_eq!(due, 300, "the whole window, and nothing of the warm-up");
    assert!((1..100).contains(&sent), "{value:?}");
    assert_eq!(
        number(&value, "requests"),
        sent,
        "late replies count: {value:?}"
    );
    let max = number(value.get("latency_ns"), "max");
    assert!(
        max > 100_000_000,
        "{max} ns, though the last was due long before"
    );

    let output = program("loadgen").args(args).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("\nschedule  due 300, sent "), "{text}");
    assert!(text.contains(": the rest was not sent in time\n"), "{text}");
}

#[test]
fn a_thread_with_several_datagrams_under_way_lets_the_server_send_all_replies_first() {
    for (connections, batch) in [(1, false), (2, true)] {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let address = socket.local_addr().unwrap().to_string();
        let mut child = Command::new(path("loadgen"))
            .args(["-t", "1", "-c", &connections.to_string()])
            .args(["-d", "1m", "udp", &address])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Each asks once when it is opened. What comes then is of the thread's loop.
        let mut request = [0; 128];
        for _ in 0..connections {
            let (len, peer) = socket.recv_from(&mut request).unwrap();
            socket.send_to(&request[..len], peer).unwrap();
        }
        let arrived = socket.recv(&mut request);
        let policies = scheduling_policies(child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(arrived.unwrap(), 128);
        assert_eq!(policies.contains(&SCHED_BATCH), batch, "{policies:?}");
    }
}

#[test]
fn churn_at_a_rate_opens_a_connection_for_each_request_that_is_due() {
    let server = Server::tcp(&[]);
    let (code, value) = load(&[
        "--churn",
        "--rate",
        "100",
        "-d",
        "300ms",
        "-w",
        "0",
        "tcp",
        &server.address,
    ]);
    assert_eq!(code, Some(0), "{value:?}");
    let requests = number(&value, "requests");
    assert!((1..=30).contains(&requests), "{value:?}");
    let served = format!("served {}, active 0, refused 0, failed 0", requests + 1);
    assert_eq!(server.stop(), served);
}

#[test]
fn churn_opens_a_connection_for_each_request() {
    let server = Server::tcp(&[]);
    let (code, value) = load(&[
        "--churn",
        "-n",
        "50",
        "-t",
        "2",
        "-c",
        "2",
        "-w",
        "0",
        "tcp",
        &server.address,
    ]);
    assert_eq!(
        (code, number(&value, "requests")),
        (Some(0), 50),
        "{value:?}"
    );
    // And the one that looks whether anybody is there.
    assert_eq!(server.stop(), "served 51, active 0, refused 0, failed 0");
}

#[test]
fn people_get_a_few_lines() {
    let server = Server::tcp(&[]);
    let run = program("loadgen")
        .args(["-n", "10", "-w", "0", "tcp", &server.address])
        .output()
        .unwrap();
    let text = String::from_utf8(run.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(run.status.code(), Some(0), "{text}");
    let head = format!(
        "tcp {}: 1 connections, 1 threads, 128 bytes, closed loop, ",
        server.address
    );
    assert!(lines[0].starts_with(&head), "{text}");
    assert!(lines[1].starts_with("requests  10  "), "{text}");
    assert!(lines[2].starts_with("latency   p50 "), "{text}");
    assert_eq!(lines[3..], ["errors    0"], "{text}");
}

#[test]
fn a_server_that_is_not_there_is_one_error_with_its_reason_and_a_report_all_the_same() {
    let churn: &[&str] = &["--churn"];
    for (network, flags) in [("tcp", &[][..]), ("udp", &[]), ("tcp", churn)] {
        let mut run = program("loadgen");
        let output = run
            .args(flags)
            .args(["-c", "50", "-t", "1", "--json", network, "127.0.0.1:1"])
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            output.status.code(),
            Some(1),
            "{network} {flags:?}: {stderr}"
        );
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(
            stderr.ends_with("127.0.0.1:1: connection refused\n"),
            "{stderr}"
        );
        let stdout = String::from_utf8(output.stdout).unwrap();
        let value = json::parse(&stdout).unwrap_or_else(|| panic!("not JSON: {stdout}"));
        assert_eq!(errors(&value), [("connect", 1)], "{network} {flags:?}");
        assert_eq!(number(&value, "requests"), 0);
    }
}

#[test]
fn a_server_that_echoes_wrongly_from_the_start_is_told_with_a_report() {
    let address = listener(|line, _| {
        let mut reply = line.to_vec();
        reply[64] ^= 1;
        Some(reply)
    });
    let run = program("loadgen")
        .args(["-c", "2", "-t", "1", "-n", "10", "tcp", &address])
        .output()
        .unwrap();
    let says = format!("loadgen: tcp {address}: the reply is not the request\n");
    assert_eq!(run.status.code(), Some(1));
    assert_eq!(String::from_utf8(run.stderr).unwrap(), says);
    let report = String::from_utf8(run.stdout).unwrap();
    assert!(report.ends_with("\nerrors    1 (mismatch 1)\n"), "{report}");
}

#[test]
fn a_line_that_is_longer_than_servers_take_gets_a_hint() {
    let server = Server::tcp(&[]);
    let run = program("loadgen")
        .args(["-s", "100KiB", "-n", "10", "tcp", &server.address])
        .output()
        .unwrap();
    let stderr = String::from_utf8(run.stderr).unwrap();
    assert_eq!(run.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("a request has 102400 bytes"), "{stderr}");
    assert!(stderr.contains("--max-line"), "{stderr}");
}

#[test]
fn a_record_that_is_longer_than_the_system_takes_is_told_as_that() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.sock");
    let server = Server::unix(path.to_str().unwrap(), &["--type", "seqpacket"]);
    let run = program("loadgen")
        .args(["-s", "64MiB", "-n", "1", "unixpacket", &server.address])
        .output()
        .unwrap();
    let says = format!("loadgen: unixpacket {}: message too long\n", server.address);
    assert_eq!(run.status.code(), Some(1));
    assert_eq!(String::from_utf8(run.stderr).unwrap(), says);
}

#[test]
fn one_flipped_bit_is_one_mismatch_and_exit_status_1() {
    let flipped = AtomicBool::new(false);
    let address = listener(move |line, number| {
        let mut reply = line.to_vec();
        if number == 9 && !flipped.swap(true, Ordering::Relaxed) {
            reply[64] ^= 1;
        }
        Some(reply)
    });
    let (code, value) = load(&["-n", "50", "-w", "0", "tcp", &address]);
    assert_eq!(code, Some(1), "{value:?}");
    assert_eq!(errors(&value), [("mismatch", 1)]);
    assert_eq!(
        number(&value, "requests"),
        49,
        "a failed request counts to the number asked for"
    );
}

#[test]
fn a_server_that_closes_and_one_that_falls_silent_are_told_apart() {
    let closes = listener(|line, number| (number < 10).then(|| line.to_vec()));
    let (code, value) = load(&["-n", "15", "-w", "0", "tcp", &closes]);
    assert_eq!(
        (code, errors(&value)),
        (Some(1), vec![("closed", 1)]),
        "{value:?}"
    );

    let silent = listener(|line, number| {
        Some(if number < 10 {
            line.to_vec()
        } else {
            Vec::new()
        })
    });
    let (code, value) = load(&["--timeout", "300ms", "-n", "15", "-w", "0", "tcp", &silent]);
    assert_eq!(
        (code, errors(&value)),
        (Some(1), vec![("timeout", 1)]),
        "{value:?}"
    );
}

#[test]
fn waiting_for_a_lost_reply_after_the_end_is_not_measured_time() {
    let silent =
        listener(|line, number| Some(line[..line.len() * usize::from(number < 10)].into()));
    let run = ["-d", "300ms", "--timeout", "2s", "-w", "0", "tcp", &silent];
    let (code, value) = load(&run);
    assert_eq!((code, errors(&value)), (Some(1), vec![("timeout", 1)]));
    let seconds = value.get("seconds").number();
    assert!((0.25..0.35).contains(&seconds), "{value:?}");
}

#[test]
fn a_server_that_takes_no_more_connections_does_not_hold_up_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let mut request = [0; 128];
        let mut open: Vec<TcpStream> = Vec::new();
        for _ in 0..4 {
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_exact(&mut request).unwrap();
            stream.write_all(&request).unwrap();
            open.push(stream);
        }
        // The run has begun. When the backlog is full and a last connection has waited in vain, it is
        // over: now each connection fails, and so would each that is to replace it.
        for stream in &mut open {
            stream.read_exact(&mut request).unwrap();
        }
        let connect = |_| TcpStream::connect_timeout(&address, Duration::from_secs(3)).ok();
        let waiting: Vec<TcpStream> = (0..10_000).map_while(connect).collect();
        drop(open);
        (listener, waiting)
    });
    let run = ["-c", "4", "-t", "1", "-d", "2s", "-w", "0"];
    let address = address.to_string();
    let run = [&run[..], &["--timeout", "10s", "tcp", &address]].concat();
    let (code, value) = load(&run);
    assert_eq!((code, errors(&value)), (Some(1), vec![("closed", 4)]));
    server.join().unwrap();
}

#[test]
fn a_datagram_that_finds_no_room_is_given_up_after_the_time_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("full.sock");
    let socket = UnixDatagram::bind(&path).unwrap();
    let address = path.to_str().unwrap().to_string();
    let server = thread::spawn(move || {
        let mut request = [0; 128];
        for number in 1..=4 {
            let (len, peer) = socket.recv_from(&mut request).unwrap();
            let filler = || {
                let filler = UnixDatagram::unbound().unwrap();
                filler.set_nonblocking(true).unwrap();
                filler.send_to(b"filler", &path)
            };
            while number == 4 && filler().is_ok() {}
            let peer = peer.as_pathname().unwrap();
            socket.send_to(&request[..len], peer).unwrap();
        }
        socket
    });
    let run = ["-c", "4", "-t", "1", "-d", "2s", "-w", "0"];
    let run = [&run[..], &["--timeout", "3s", "unixgram", &address]].concat();
    let (code, value) = load(&run);
    // The other three would have to wait as long, one after the other, when the time is over.
    assert_eq!((code, errors(&value)), (Some(1), vec![("timeout", 1)]));
    server.join().unwrap();
}

#[test]
fn the_file_limit_is_raised_where_it_is_too_low_and_never_lowered() {
    let server = Server::tcp(&[]);
    let loadgen = groundwire_cli_tests::path("loadgen");
    // The shell sets its own soft limit, which the program inherits.
    for (limit, expected) in [(200, 200), (70, 94)] {
        let script = format!("ulimit -S -n {limit}; exec \"$0\" \"$@\"");
        let mut child = Command::new("sh")
            .args(["-c", &script, loadgen.to_str().unwrap()])
            .args(["--hold", "1h", "-c", "30", "tcp", &server.address])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        assert_eq!(line, "holding 30 connections\n");
        let soft = descriptor_limit(child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(soft, expected);
    }
}

#[test]
fn a_signal_ends_a_long_run_with_its_report() {
    let (sender, receiver) = mpsc::channel();
    let address = listener(move |line, number| {
        if number == 50 {
            sender.send(()).unwrap();
        }
        Some(line.to_vec())
    });
    let running = Running::start(
        "loadgen",
        &["--json", "-d", "1h", "-w", "0", "tcp", &address],
    );
    receiver.recv_timeout(PATIENCE).unwrap();
    let ended = running.end_by("INT");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let value = json::parse(&ended.stdout[0]).unwrap();
    assert!(number(&value, "requests") >= 49, "{value:?}");
    assert_eq!(errors(&value), []);
}

#[test]
fn held_connections_stay_open_until_a_signal() {
    let server = Server::tcp(&[]);
    let running = Running::start(
        "loadgen",
        &["--hold", "1h", "-c", "30", "tcp", &server.address],
    );
    assert_eq!(running.line().unwrap(), "holding 30 connections");
    let ended = running.end_by("TERM");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended.stdout[0].starts_with("held 30 of 30 connections for "),
        "{ended:?}"
    );
    assert!(ended.stdout[0].ends_with(" s, lost 0"), "{ended:?}");
    assert_eq!(ended.stdout[1..], ["errors    0"]);
    assert_eq!(server.stop(), "served 30, active 0, refused 0, failed 0");
}

#[test]
fn held_connections_that_the_server_closes_are_lost_and_that_is_a_failure() {
    let server = Server::tcp(&["--idle-timeout", "100ms"]);
    let (code, value) = load(&["--hold", "1s", "-c", "5", "tcp", &server.address]);
    assert_eq!(code, Some(1), "{value:?}");
    assert_eq!((number(&value, "held"), number(&value, "lost")), (0, 5));
    assert!(value.get("held_seconds").number() >= 1.0, "{value:?}");
}

#[test]
fn a_signal_ends_the_connecting_of_many() {
    let (sender, receiver) = mpsc::channel();
    let address = listener(move |line, _| {
        let _ = sender.send(());
        let (_wake, never) = mpsc::channel::<()>();
        let _ = never.recv_timeout(Duration::from_millis(20));
        Some(line.to_vec())
    });
    // At 20 ms each this would go on for hours.
    let running = Running::start("loadgen", &["-c", "1M", "-t", "1", "tcp", &address]);
    receiver.recv_timeout(PATIENCE).unwrap();
    let ended = running.end_by("TERM");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended
            .stderr
            .ends_with(": ended before a reply was measured\n"),
        "{ended:?}"
    );
}

#[test]
fn a_server_that_falls_silent_ends_the_connecting() {
    let newcomers = AtomicUsize::new(0);
    // The first connection is answered, and one after a silence; those that follow never.
    let address = listener(move |line, number| {
        let answered = number > 0 || [0, 2].contains(&newcomers.fetch_add(1, Ordering::Relaxed));
        Some(if answered { line.to_vec() } else { Vec::new() })
    });
    let run = ["-c", "20", "-t", "1", "-d", "100ms", "-w", "0"];
    let run = [&run[..], &["--timeout", "200ms", "tcp", &address]].concat();
    let (code, value) = load(&run);
    assert_eq!(
        (code, errors(&value)),
        (Some(1), vec![("timeout", 1 + 2)]),
        "{value:?}"
    );
    assert!(number(&value, "requests") > 0, "{value:?}");
}

#[test]
fn a_lack_of_descriptors_ends_the_connecting_at_once() {
    let server = Server::tcp(&[]);
    let script = "ulimit -n 30; exec \"$0\" -c 1M -t 2 -n 10 -w 0 tcp $1";
    let output = Command::new("sh")
        .args(["-c", script])
        .arg(path("loadgen"))
        .arg(&server.address)
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.ends_with(": too many open files\n"), "{stderr}");
    assert!(stdout.ends_with("\nerrors    2 (connect 2)\n"), "{stdout}");
}
