//! tcp-echo-server: what it prints, its limits, its ways to serve, its numbers.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};

use groundwire_cli_tests::{
    PATIENCE, Running, SCHED_BATCH, Server, announced, ask, connect, descriptor_limit, eventually,
    finish, installed, is_turned_away, json, program, scheduling_policies,
};

const SERVED_NOBODY: &str = "served 0, active 0, refused 0, failed 0";

#[test]
fn the_first_line_is_the_address_and_the_last_the_totals() {
    let server = Server::tcp(&[]);
    assert_eq!(server.network, "tcp");
    assert!(
        server.address.starts_with("127.0.0.1:") && server.port() != "0",
        "{}",
        server.address
    );
    let ended = server.end_by("TERM");
    assert_eq!(ended.stdout, [SERVED_NOBODY]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_taken_port_is_a_failure_and_nothing_is_announced() {
    let first = Server::tcp(&[]);
    let run = program("tcp-echo-server").arg(&first.address).assert();
    let says = format!(
        "tcp-echo-server: listen tcp {}: address already in use\n",
        first.address
    );
    run.code(1).stdout("").stderr(says);
    assert_eq!(
        ask(&mut connect(&first.address), "still here"),
        "still here"
    );
}

#[test]
fn servers_that_agree_share_a_port() {
    let first = Server::tcp(&["--reuse-port"]);
    let second = Server::start("tcp-echo-server", &[&first.address, "--reuse-port"]);
    assert_eq!(first.address, second.address);
    assert_eq!(first.stop(), SERVED_NOBODY);
    assert_eq!(
        ask(&mut connect(&second.address), "one of two"),
        "one of two"
    );
}

#[test]
fn every_mode_echoes_to_one_client_after_another() {
    let modes: [&[&str]; 4] = [
        &["--mode", "serial"],
        &["--mode", "threads"],
        &["--mode", "pool"],
        &["--mode", "pool", "--workers", "1", "--queue", "3"],
    ];
    for mode in modes {
        let server = Server::tcp(mode);
        for number in 0..5 {
            let mut stream = connect(&server.address);
            let line = format!("client {number}");
            assert_eq!(ask(&mut stream, &line), line, "{mode:?}");
            assert_eq!(finish(stream), b"", "{mode:?}");
        }
        assert_eq!(
            server.stop(),
            "served 5, active 0, refused 0, failed 0",
            "{mode:?}"
        );
    }
}

#[test]
fn threads_serve_clients_that_stay_and_each_gets_its_own_bytes() {
    let server = Server::tcp(&[]);
    let mut streams: Vec<TcpStream> = (0..40).map(|_| connect(&server.address)).collect();
    for round in 0..3 {
        for (number, stream) in streams.iter_mut().enumerate() {
            // Shorter each round: a reply of an old buffer would show.
            let line = format!("{number} {}", "x".repeat(200 - 90 * round));
            assert_eq!(ask(stream, &line), line);
        }
    }
    for stream in streams {
        assert_eq!(finish(stream), b"");
    }
    assert_eq!(server.stop(), "served 40, active 0, refused 0, failed 0");
}

#[test]
fn a_busy_pool_with_a_full_queue_refuses() {
    let server = Server::tcp(&["--mode", "pool", "--workers", "2", "--queue", "0"]);
    let mut held = [connect(&server.address), connect(&server.address)];
    for stream in &mut held {
        assert_eq!(ask(stream, "served"), "served");
    }
    assert!(is_turned_away(connect(&server.address)));
    assert_eq!(ask(&mut held[0], "first"), "first");
    assert_eq!(ask(&mut held[1], "second"), "second");
}

#[test]
fn a_bare_connect_and_close_ends_only_itself() {
    let server = Server::tcp(&["--mode", "serial"]);
    drop(connect(&server.address));
    assert_eq!(ask(&mut connect(&server.address), "next"), "next");
}

#[test]
fn five_thousand_bytes_and_two_lines_in_one_write_come_back_whole() {
    let server = Server::tcp(&[]);
    let long = "y".repeat(5_000);
    assert_eq!(ask(&mut connect(&server.address), &long), long);
    let mut stream = connect(&server.address);
    stream.write_all(b"one\ntwo\nrest").unwrap();
    assert_eq!(finish(stream), b"one\ntwo\nrest");
}

#[test]
fn once_serves_one_read_and_ends() {
    let server = Server::tcp(&["--once"]);
    let mut stream = connect(&server.address);
    stream.write_all(b"no line feed").unwrap();
    let mut echo = Vec::new();
    stream.read_to_end(&mut echo).unwrap();
    assert_eq!(echo, b"no line feed");
    drop(stream);
    let ended = server.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, ["served 1, active 0, refused 0, failed 0"]);
}

#[test]
fn once_refuses_a_second_connection_while_the_first_is_idle() {
    let server = Server::tcp(&["--once"]);
    let mut first = connect(&server.address);
    // Nobody tells when it was accepted; the one that comes before the other is the first.
    let second = connect(&server.address);
    assert!(is_turned_away(second));
    first.write_all(b"still served").unwrap();
    assert_eq!(finish(first), b"still served");
    let ended = server.end();
    assert_eq!(ended.stdout, ["served 1, active 0, refused 1, failed 0"]);
}

#[test]
fn the_stop_word_is_echoed_and_ends_the_server_for_all() {
    let server = Server::tcp(&["--stop-word", "STOP"]);
    let mut idle = connect(&server.address);
    assert_eq!(ask(&mut idle, "STOPPER"), "STOPPER");
    let mut stream = connect(&server.address);
    stream.write_all(b"STOP\nnot echoed\n").unwrap();
    assert_eq!(finish(stream), b"STOP\n");
    assert_eq!(finish(idle), b"");
    let ended = server.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, ["served 2, active 0, refused 0, failed 0"]);
}

#[test]
fn without_the_option_no_word_stops_the_server() {
    let server = Server::tcp(&[]);
    assert_eq!(ask(&mut connect(&server.address), "STOP"), "STOP");
    assert_eq!(
        ask(&mut connect(&server.address), "still here"),
        "still here"
    );
}

#[test]
fn the_stop_connection_word_ends_only_its_connection() {
    let server = Server::tcp(&["--stop-connection-word", "BYE"]);
    let mut other = connect(&server.address);
    let mut stream = connect(&server.address);
    assert_eq!(ask(&mut other, "a"), "a");
    stream.write_all(b"b\nBYE\nc\n").unwrap();
    let mut echo = Vec::new();
    stream.read_to_end(&mut echo).unwrap();
    assert_eq!(echo, b"b\nBYE\n");
    assert_eq!(ask(&mut other, "d"), "d");
}

#[test]
fn above_max_connections_one_is_refused_and_a_free_seat_is_given_again() {
    let server = Server::tcp(&["--max-connections", "1"]);
    let mut first = connect(&server.address);
    assert_eq!(ask(&mut first, "a"), "a");
    assert!(is_turned_away(connect(&server.address)));
    assert_eq!(finish(first), b"");
    let mut next = connect(&server.address);
    assert_eq!(ask(&mut next, "b"), "b");
    assert_eq!(finish(next), b"");
    assert_eq!(server.stop(), "served 2, active 0, refused 1, failed 0");
}

#[test]
fn one_address_gets_no_more_than_max_per_peer() {
    let server = Server::tcp(&["--max-per-peer", "2"]);
    let mut held = [connect(&server.address), connect(&server.address)];
    for stream in &mut held {
        assert_eq!(ask(stream, "a"), "a");
    }
    assert!(is_turned_away(connect(&server.address)));
    drop(held);
    assert_eq!(server.stop(), "served 2, active 0, refused 1, failed 0");
}

#[test]
fn the_access_list_decides_who_comes_in() {
    let cases: [(&[&str], bool); 5] = [
        (&["--deny", "127.0.0.0/8"], false),
        (&["--allow", "10.0.0.0/8"], false),
        (&["--allow", "10.0.0.0/8", "--allow", "127.0.0.0/8"], true),
        (&["--allow", "127.0.0.0/8", "--deny", "127.0.0.1/32"], false),
        (&["--deny", "10.0.0.0/8"], true),
    ];
    for (args, comes_in) in cases {
        let server = Server::tcp(args);
        let mut stream = connect(&server.address);
        if comes_in {
            assert_eq!(ask(&mut stream, "a"), "a", "{args:?}");
            assert_eq!(finish(stream), b"");
            assert_eq!(
                server.stop(),
                "served 1, active 0, refused 0, failed 0",
                "{args:?}"
            );
        } else {
            assert!(is_turned_away(stream), "{args:?}");
            assert_eq!(
                server.stop(),
                "served 0, active 0, refused 1, failed 0",
                "{args:?}"
            );
        }
    }
}

#[test]
fn a_line_beyond_the_limit_ends_its_connection_with_the_cause_in_the_log() {
    let server = Server::tcp(&["--max-line", "16"]);
    let mut other = connect(&server.address);
    let mut stream = connect(&server.address);
    assert_eq!(ask(&mut stream, "fifteen bytes.."), "fifteen bytes..");
    stream.write_all(&[b'x'; 17]).unwrap();
    assert!(is_turned_away(stream));
    let log = server.error_line().unwrap();
    assert!(log.contains(" connection failed peer=127.0.0.1:"), "{log}");
    assert!(
        log.ends_with("cause=\"line longer than 16 bytes\""),
        "{log}"
    );
    assert_eq!(ask(&mut other, "unharmed"), "unharmed");
    assert_eq!(finish(other), b"");
    assert_eq!(server.stop(), "served 1, active 0, refused 0, failed 1");
}

#[test]
fn an_idle_connection_is_ended_and_bytes_alone_do_not_renew_its_time() {
    let server = Server::tcp(&["--idle-timeout", "300ms", "--max-line", "1GiB"]);
    let silent = connect(&server.address);
    assert!(is_turned_away(silent));
    let mut slow = connect(&server.address);
    // A line that has no end, for as long as the server takes it.
    eventually("the slow sender is cut off", || {
        slow.write_all(b".").is_err()
    });
    for _ in 0..2 {
        let log = server.error_line().unwrap();
        assert!(log.contains(" connection failed peer=127.0.0.1:"), "{log}");
        assert!(log.ends_with("cause=\"timed out\""), "{log}");
    }
    assert_eq!(server.stop(), "served 0, active 0, refused 0, failed 2");
}

#[test]
fn a_peer_that_does_not_read_its_echo_is_ended() {
    let server = Server::tcp(&["--write-timeout", "200ms"]);
    let mut stream = connect(&server.address);
    let lines = b"a line nobody reads\n".repeat(1_000);
    // More than the buffers of both sides hold; then the reset.
    eventually("the server gives up", || stream.write_all(&lines).is_err());
    let log = server.error_line().unwrap();
    assert!(log.ends_with("stage=writing cause=\"timed out\""), "{log}");
    assert_eq!(server.stop(), "served 0, active 0, refused 0, failed 1");
}

#[test]
fn verbose_shows_each_line_and_logs_connections() {
    let server = Server::tcp(&["-v"]);
    let mut stream = connect(&server.address);
    stream.write_all(b"one\n\x1b[2J%s{}\r\nrest").unwrap();
    assert_eq!(finish(stream), b"one\n\x1b[2J%s{}\r\nrest");
    assert_eq!(server.line().unwrap(), "-> one");
    assert_eq!(server.line().unwrap(), "-> \\u{1b}[2J%s{}");
    assert_eq!(server.line().unwrap(), "-> rest");
    let log = server.end_by("TERM").stderr;
    assert!(
        log.contains(" DEBUG tcp-echo-server connection opened peer=127.0.0.1:"),
        "{log}"
    );
    assert!(
        log.contains(" DEBUG tcp-echo-server connection closed peer=127.0.0.1:"),
        "{log}"
    );
}

#[test]
fn the_first_refusal_by_a_limit_is_a_warning_and_those_that_follow_it_are_not() {
    let server = Server::tcp(&["--max-connections", "1"]);
    let mut stream = connect(&server.address);
    assert_eq!(ask(&mut stream, "a"), "a");
    assert!(is_turned_away(connect(&server.address)));
    assert!(is_turned_away(connect(&server.address)));
    drop(stream);
    let log = server.end_by("TERM").stderr;
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(
        log.contains(" WARN  tcp-echo-server connection refused peer="),
        "{log}"
    );
    assert!(log.ends_with(" why=\"too many connections\"\n"), "{log}");
}

#[test]
fn json_log_lines_are_json() {
    let server = Server::tcp(&[
        "-v",
        "--log",
        "json",
        "--max-line",
        "8",
        "--max-connections",
        "1",
    ]);
    let mut stream = connect(&server.address);
    assert_eq!(ask(&mut stream, "a"), "a");
    assert!(is_turned_away(connect(&server.address)));
    stream.write_all(b"much too long").unwrap();
    assert!(is_turned_away(stream));
    let log = server.end_by("TERM").stderr;
    let parsed = |line: &str| json::parse(line).unwrap_or_else(|| panic!("not JSON: {line}"));
    let lines: Vec<json::Value> = log.lines().map(parsed).collect();
    let message = |line: &json::Value| line.get("message").text().to_string();
    let life = ["listening", "ended"];
    let told: Vec<String> = lines.iter().map(message).collect();
    let (first, end) = (lines.first().unwrap(), lines.last().unwrap());
    assert_eq!([&told[0], &told[told.len() - 1]], life);
    assert_eq!(end.get("signal").text(), "SIGTERM");
    assert_eq!(first.get("network").text(), "tcp");
    let counted = ["served", "refused", "failed"].map(|name| end.get(name).text());
    assert_eq!(counted, ["0", "1", "1"]);
    let middle = lines
        .iter()
        .filter(|line| !life.contains(&line.get("message").text()));
    let lines: Vec<&json::Value> = middle.collect();
    let messages: Vec<&str> = lines
        .iter()
        .map(|line| line.get("message").text())
        .collect();
    let expected = [
        "connection opened",
        "connection refused",
        "connection failed",
    ];
    assert_eq!(messages, expected, "{log}");
    assert_eq!(lines[1].get("why").text(), "too many connections");
    assert_eq!(lines[2].get("level").text(), "warn");
    assert_eq!(lines[2].get("target").text(), "tcp-echo-server");
    assert_eq!(lines[2].get("cause").text(), "line longer than 8 bytes");
}

/// The samples of a metrics page, `name value`, after a look at its head.
fn scrape(url: &str) -> Vec<(String, String)> {
    let address = url
        .strip_prefix("http://")
        .unwrap()
        .strip_suffix("/metrics")
        .unwrap();
    let mut stream = connect(address);
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(
        head.contains("Content-Type: text/plain; version=0.0.4"),
        "{head}"
    );
    assert!(
        head.contains(&format!("Content-Length: {}", body.len())),
        "{head}"
    );
    let samples = body.lines().filter(|line| !line.starts_with('#'));
    let pair = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
        (name.into(), value.into())
    };
    samples.map(pair).collect()
}

fn sample<'a>(samples: &'a [(String, String)], name: &str) -> &'a str {
    let found = samples.iter().find(|(one, _)| one == name);
    &found
        .unwrap_or_else(|| panic!("no {name} in {samples:?}"))
        .1
}

#[test]
fn the_metrics_page_counts_what_was_done() {
    let server = Server::tcp(&[
        "--metrics",
        "127.0.0.1:0",
        "--max-connections",
        "3",
        "--max-line",
        "8",
    ]);
    let second = server.line().unwrap();
    let url = second
        .strip_prefix("metrics on ")
        .unwrap_or_else(|| panic!("{second}"));
    for _ in 0..3 {
        assert_eq!(finish(connect(&server.address)), b"");
    }
    let mut too_long = connect(&server.address);
    too_long.write_all(b"much too long").unwrap();
    assert!(is_turned_away(too_long));
    let log = server.error_line().unwrap();
    assert!(log.contains("connection failed"), "{log}");
    eventually("the failed connection has left", || {
        sample(&scrape(url), "groundwire_connections_active") == "0"
    });
    let held: Vec<TcpStream> = (0..3).map(|_| connect(&server.address)).collect();
    assert!(is_turned_away(connect(&server.address)));

    let samples = scrape(url);
    let expected = [
        ("groundwire_connections_served_total", "3"),
        ("groundwire_connections_refused_total", "1"),
        ("groundwire_connections_failed_total", "1"),
        ("groundwire_connections_panicked_total", "0"),
        ("groundwire_connections_cut_total", "0"),
        ("groundwire_connections_accept_errors_total", "0"),
        ("groundwire_connections_active", "3"),
        ("groundwire_connection_seconds_count", "4"),
    ];
    for (name, value) in expected {
        assert_eq!(sample(&samples, name), value, "{name}");
    }
    drop(held);
    assert_eq!(server.stop(), "served 6, active 0, refused 1, failed 1");
}

#[test]
fn log_lines_that_a_full_disk_does_not_take_are_counted() {
    let args = ["--metrics", "127.0.0.1:0", "--max-connections", "1"];
    let running = Running::start_after(
        "exec 2>/dev/full",
        "tcp-echo-server",
        &[&args[..], &["127.0.0.1:0"]].concat(),
    );
    let server = Server::announced_by(running);
    let second = server.line().unwrap();
    let url = second
        .strip_prefix("metrics on ")
        .unwrap_or_else(|| panic!("{second}"));
    let lost = || sample(&scrape(url), "groundwire_log_lines_lost_total").to_string();
    assert_eq!(lost(), "0");
    let mut held = connect(&server.address);
    assert_eq!(ask(&mut held, "first"), "first");
    assert!(is_turned_away(connect(&server.address)));
    eventually("the warning is lost", || lost() == "1");
}

#[test]
fn a_metrics_address_that_is_taken_ends_the_start() {
    let other = Server::tcp(&[]);
    let run = program("tcp-echo-server")
        .args(["127.0.0.1:0", "--metrics", &other.address])
        .assert();
    let says = format!(
        "tcp-echo-server: --metrics: listen tcp {}: address already in use\n",
        other.address
    );
    run.code(1).stdout("").stderr(says);
}

#[test]
fn a_closed_standard_output_does_not_stop_the_service() {
    let (running, mut stdout) =
        groundwire_cli_tests::Running::start_unread("tcp-echo-server", &["127.0.0.1:0", "-v"]);
    let mut first = Vec::new();
    while first.last() != Some(&b'\n') {
        let mut byte = [0];
        stdout.read_exact(&mut byte).unwrap();
        first.push(byte[0]);
    }
    drop(stdout);
    let (_, address) = announced(String::from_utf8(first).unwrap().trim_end());
    let mut stream = connect(&address);
    for line in ["one", "two", "three"] {
        assert_eq!(ask(&mut stream, line), line);
    }
    assert_eq!(finish(stream), b"");
    let ended = running.end_by("TERM");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.stderr.contains("panicked"), "{ended:?}");
}

#[test]
fn the_totals_add_up_over_good_bad_and_refused_connections() {
    let server = Server::tcp(&["--max-connections", "2", "--max-line", "4"]);
    let mut good = connect(&server.address);
    assert_eq!(ask(&mut good, "a"), "a");
    let mut bad = connect(&server.address);
    assert_eq!(ask(&mut bad, "b"), "b");
    for _ in 0..3 {
        assert!(is_turned_away(connect(&server.address)));
    }
    bad.write_all(b"too long").unwrap();
    bad.shutdown(Shutdown::Write).unwrap();
    assert!(is_turned_away(bad));
    assert_eq!(finish(good), b"");
    assert_eq!(server.stop(), "served 1, active 0, refused 3, failed 1");
}

#[test]
fn the_default_address_is_the_one_in_the_help() {
    // Not bound here: another program of this machine may have it.
    let page = program("tcp-echo-server")
        .arg("--help")
        .output()
        .unwrap()
        .stdout;
    assert!(
        String::from_utf8(page)
            .unwrap()
            .contains("[127.0.0.1:7000]")
    );
}

/// A server whose shell has set its limits.
fn limited(ulimit: &str, args: &[&str]) -> Server {
    let args = [&["127.0.0.1:0"], args].concat();
    Server::announced_by(Running::start_after(ulimit, "tcp-echo-server", &args))
}

#[test]
fn the_descriptor_limit_is_raised_to_what_connections_need_and_never_lowered() {
    for (soft, args, expected) in [
        (70, &["--max-connections", "100"][..], 164),
        (700, &["--max-connections", "100"], 700),
        (30, &["--mode", "serial"], 65),
        (
            30,
            &["--mode", "pool", "--workers", "2", "--queue", "3"],
            69,
        ),
    ] {
        let server = limited(&format!("ulimit -S -n {soft}"), args);
        assert_eq!(descriptor_limit(server.pid()), expected, "{args:?}");
        assert_eq!(server.end_by("TERM").stderr, "", "{args:?}");
    }
}

#[test]
fn idle_peers_beyond_the_soft_limit_lock_nobody_out() {
    let server = limited("ulimit -S -n 20", &["--max-connections", "100"]);
    let _idle: Vec<TcpStream> = (0..50).map(|_| connect(&server.address)).collect();
    assert_eq!(ask(&mut connect(&server.address), "served"), "served");
}

#[test]
fn a_hard_limit_below_what_connections_need_is_warned_of() {
    let server = limited("ulimit -n 70", &["--max-connections", "100"]);
    let warning = "WARN  tcp-echo-server fewer descriptors than connections need limit=70 needed=164 \
         room=6";
    let said = server.error_line().unwrap();
    assert!(said.ends_with(warning), "{said}");
    assert_eq!(descriptor_limit(server.pid()), 70);
    server.stop();
}

#[test]
fn of_a_default_it_serves_as_many_as_descriptors_allow_and_refuses_the_others() {
    let server = limited("ulimit -n 70", &[]);
    let mut served: Vec<TcpStream> = (0..6).map(|_| connect(&server.address)).collect();
    for stream in &mut served {
        assert_eq!(ask(stream, "served"), "served");
    }
    assert!(is_turned_away(connect(&server.address)));
    drop(served);
    let ended = server.end_by("TERM");
    let lines: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(lines.len(), 1, "of the limits, nothing: {lines:?}");
    assert!(
        lines[0].ends_with("why=\"too many connections\""),
        "{lines:?}"
    );
}

#[test]
fn a_server_of_many_that_has_little_to_do_does_not_wait_behind_other_programs() {
    for (options, waits) in [(&[][..], false), (&["--scheduling", "batch"], true)] {
        let server = Server::tcp(options);
        let mut clients: Vec<_> = (0..8).map(|_| connect(&server.address)).collect();
        // Each thread chooses before it reads, so it has chosen by the second reply.
        for _ in 0..2 {
            for client in &mut clients {
                assert_eq!(ask(client, "hello"), "hello");
            }
        }
        let policies = scheduling_policies(server.pid());
        assert_eq!(policies.contains(&SCHED_BATCH), waits, "{policies:?}");
    }
}

#[test]
fn a_policy_that_the_program_was_started_with_stays() {
    let batch = "chrt --batch --pid 0 $$";
    if !installed("chrt") {
        return;
    }
    for program in ["tcp-echo-server", "udp-echo-server"] {
        let running = Running::start_after(batch, program, &["127.0.0.1:0"]);
        let server = Server::announced_by(running);
        if server.network == "tcp" {
            assert_eq!(ask(&mut connect(&server.address), "hello"), "hello");
        } else {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            for _ in 0..2 {
                socket.send_to(b"hello", &server.address).unwrap();
                assert_eq!(socket.recv(&mut [0; 8]).unwrap(), 5);
            }
        }
        let policies = scheduling_policies(server.pid());
        assert!(
            policies.iter().all(|&policy| policy == SCHED_BATCH),
            "{policies:?}"
        );
    }
}
