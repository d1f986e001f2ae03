//! tcp-echo-server and tcp-echo-client as their users run them.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;

use groundwire_cli_tests::{PATIENCE, Server, installed, path, program};

fn server(arguments: &[&str]) -> Server {
    Server::start("tcp-echo-server", &[arguments, &["127.0.0.1:0"]].concat())
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn exchange(stream: &mut TcpStream, line: &str) {
    stream.write_all(line.as_bytes()).unwrap();
    let mut reply = vec![0; line.len()];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!(reply, line.as_bytes());
}

fn client(address: &str, words: &[&str], input: &str) -> (Option<i32>, String, String) {
    let mut command = program("tcp-echo-client");
    let output = command
        .arg(address)
        .args(words)
        .write_stdin(input)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

fn ok(out: &str) -> (Option<i32>, String, String) {
    (Some(0), out.into(), String::new())
}

#[test]
fn words_are_one_line_and_standard_input_is_line_by_line() {
    for mode in ["serial", "threads", "pool"] {
        let server = server(&["--mode", mode]);
        let address = &server.address;
        assert_eq!(
            client(address, &["hello", "there"], ""),
            ok("->: hello there\n")
        );
        let input = "one\n\ntwo\nno line end";
        assert_eq!(
            client(address, &[], input),
            ok("->: one\n->: \n->: two\n->: no line end\n")
        );
        assert_eq!(
            client(address, &[], "a\nSTOP\nb\n"),
            ok("->: a\n->: STOP\n")
        );
        assert_eq!(client(address, &[], ""), ok(""));
        assert_eq!(
            server.stop(),
            "served 4, active 0, refused 0, failed 0",
            "{mode}"
        );
    }
}

#[test]
fn text_of_a_user_is_neither_a_format_nor_an_order_to_the_terminal() {
    let server = server(&["-v"]);
    assert_eq!(
        client(&server.address, &["%s{}\x1b[2J"], ""),
        ok("->: %s{}\\u{1b}[2J\n")
    );
    server.signal("TERM");
    let (out, _, _) = server.wait();
    assert!(out.starts_with("-> %s{}\\u{1b}[2J\n"), "{out}");
}

#[test]
fn a_refused_connection_is_one_line_and_status_1() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let address = format!("127.0.0.1:{port}");
    let expected = format!("tcp-echo-client: connect tcp {address}: connection refused\n");
    assert_eq!(
        client(&address, &["x"], ""),
        (Some(1), String::new(), expected)
    );
    let bad = client("288.8.8.8:7", &["x"], "");
    let expected = "tcp-echo-client: address 288.8.8.8:7: octet 288 is above 255\n";
    assert_eq!(bad, (Some(1), String::new(), expected.into()));
}

#[test]
fn a_server_that_closes_or_keeps_silent_is_status_1_and_never_an_empty_reply() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let closing = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut line = [0; 2];
        stream.read_exact(&mut line).unwrap();
        drop(stream);
        listener
    });
    let (status, out, errors) = client(&address, &["x"], "");
    let expected = format!("tcp-echo-client: tcp {address}: the server closed the connection\n");
    assert_eq!((status, out.as_str(), errors), (Some(1), "", expected));

    let listener = closing.join().unwrap(); // accepts in its backlog and says nothing
    let (status, out, errors) = client(&address, &["--timeout", "100ms", "x"], "");
    let expected = format!("tcp-echo-client: tcp {address}: timed out\n");
    assert_eq!((status, out.as_str(), errors), (Some(1), "", expected));
    drop(listener);
}

#[test]
fn a_taken_port_is_an_error_before_anything_is_printed() {
    let server = server(&[]);
    let output = program("tcp-echo-server")
        .arg(&server.address)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"");
    let expected = format!(
        "tcp-echo-server: listen tcp {}: address already in use\n",
        server.address
    );
    assert_eq!(String::from_utf8(output.stderr).unwrap(), expected);
}

#[test]
fn once_serves_one_read_of_one_connection() {
    let server = server(&["--once"]);
    let mut stream = connect(&server.address);
    stream.write_all(b"no line end").unwrap();
    let mut heard = String::new();
    stream.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "no line end");
    drop(stream);
    let (out, _, status) = server.wait();
    assert_eq!(
        (out.as_str(), status.code()),
        ("served 1, active 0, refused 0, failed 0\n", Some(0))
    );
}

#[test]
fn stop_words_end_the_server_or_the_connection() {
    let server = server(&["--stop-word", "STOP", "--stop-connection-word", "BYE"]);
    let mut first = connect(&server.address);
    exchange(&mut first, "hello\n");
    exchange(&mut first, "BYE\n");
    assert_eq!(first.read(&mut [0]).unwrap(), 0);
    drop(first);
    let mut second = connect(&server.address);
    exchange(&mut second, "STOP\n");
    assert_eq!(second.read(&mut [0]).unwrap(), 0);
    drop(second);
    let (out, _, status) = server.wait();
    assert_eq!(
        (out.as_str(), status.code()),
        ("served 2, active 0, refused 0, failed 0\n", Some(0))
    );
}

#[test]
fn limits_and_lists_refuse() {
    let one = server(&["--max-connections", "1"]);
    let mut inside = connect(&one.address);
    exchange(&mut inside, "in\n");
    assert!(matches!(
        connect(&one.address).read(&mut [0]),
        Ok(0) | Err(_)
    ));
    drop(inside);
    assert_eq!(one.stop(), "served 1, active 0, refused 1, failed 0");

    let denied = server(&["--deny", "127.0.0.0/8"]);
    assert!(matches!(
        connect(&denied.address).read(&mut [0]),
        Ok(0) | Err(_)
    ));
    assert_eq!(denied.stop(), "served 0, active 0, refused 1, failed 0");

    let short = server(&["--max-line", "10"]);
    let mut stream = connect(&short.address);
    stream.write_all(b"longer than ten bytes").unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    drop(stream);
    assert_eq!(short.stop(), "served 0, active 0, refused 0, failed 1");

    let hasty = server(&["--idle-timeout", "50ms"]);
    assert_eq!(connect(&hasty.address).read(&mut [0]).unwrap(), 0);
    hasty.stop();
}

#[test]
fn the_metrics_page_is_the_second_line_and_tells_what_was_done() {
    let mut server = server(&["--metrics", "127.0.0.1:0"]);
    let line = server.next_line();
    let url = line.strip_prefix("metrics on ").unwrap().to_string();
    exchange(&mut connect(&server.address), "x\n");
    if installed("curl") {
        let output = Command::new("curl").args(["-sf", &url]).output().unwrap();
        assert!(output.status.success());
        let page = String::from_utf8(output.stdout).unwrap();
        assert!(
            page.contains("# TYPE groundwire_connections_served_total counter\n"),
            "{page}"
        );
        assert!(
            page.contains("groundwire_connections_refused_total 0\n"),
            "{page}"
        );
    }
    server.stop();
}

#[test]
fn json_log_lines_are_one_object_each() {
    let server = server(&["-v", "--log", "json"]);
    exchange(&mut connect(&server.address), "x\n");
    server.signal("TERM");
    let (_, errors, status) = server.wait();
    assert_eq!(status.code(), Some(0));
    assert!(errors.lines().count() >= 2, "{errors}");
    for line in errors.lines() {
        assert!(
            line.starts_with("{\"time\":\"2") && line.ends_with("\"}"),
            "{line}"
        );
        assert!(
            line.contains(",\"level\":\"debug\",\"target\":\"tcp-echo-server\","),
            "{line}"
        );
    }
}

#[test]
fn a_signal_drains_and_what_was_sent_before_it_is_echoed() {
    for signal in ["TERM", "INT"] {
        let server = server(&[]);
        let mut idle = connect(&server.address);
        let mut busy = connect(&server.address);
        exchange(&mut idle, "first\n");
        exchange(&mut busy, "served\n");
        server.signal(signal);
        assert_eq!(idle.read(&mut [0]).unwrap(), 0, "a reset instead of an end");
        assert_eq!(busy.read(&mut [0]).unwrap(), 0);
        drop((idle, busy));
        let (out, errors, status) = server.wait();
        assert_eq!((status.code(), errors.as_str()), (Some(0), ""), "{signal}");
        assert_eq!(out, "served 2, active 0, refused 0, failed 0\n", "{signal}");
    }
}

#[test]
fn a_second_signal_exits_at_once() {
    let server = server(&["--drain", "1h", "--write-timeout", "0"]);
    let mut stream = connect(&server.address);
    exchange(&mut stream, "hello\n");
    // Fill both directions, so that the handler blocks in a write that nobody reads.
    stream
        .set_write_timeout(Some(std::time::Duration::from_millis(300)))
        .unwrap();
    while stream.write_all(&b"never read\n".repeat(1_000)).is_ok() {}
    server.signal("TERM");
    // The first signal has been taken when the port is closed.
    while TcpStream::connect(&server.address).is_ok() {}
    server.signal("TERM");
    let (_, _, status) = server.wait();
    assert_eq!(status.code(), Some(128 + 15));
    drop(stream);
}

#[test]
fn a_closed_standard_output_does_not_stop_the_service() {
    let mut child = Command::new(path("tcp-echo-server"))
        .args(["-v", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut first = [0; 64];
    let count = out.read(&mut first).unwrap();
    let line = String::from_utf8_lossy(&first[..count]).into_owned();
    drop(out);
    let address = line.split_whitespace().last().unwrap();
    let mut stream = connect(address);
    exchange(&mut stream, "shown to nobody\n");
    exchange(&mut stream, "twice\n");
    stream.shutdown(Shutdown::Write).unwrap();
    Command::new("kill")
        .arg(child.id().to_string())
        .status()
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn netcat_and_socat_are_served_and_answered() {
    let server = server(&[]);
    if installed("nc") {
        let (host, port) = server.address.rsplit_once(':').unwrap();
        let script = format!("printf 'a\\nb\\nrest' | nc -N {host} {port}");
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "a\nb\nrest");
    }
    if installed("socat") {
        let script = format!("printf 'a\\nb\\n' | socat - TCP:{}", server.address);
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "a\nb\n");
    }
}
