//! rpc-server and rpc-client: calls of each kind, the secret, stops, and how calls fail.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command as StdCommand, Stdio};
use std::thread;

use assert_cmd::Command;
use groundwire_cli_tests::{Server, connect, finish, installed, path, program};

/// What a client sends first: eight letters, and a hello with 32 bytes that are random elsewhere.
const HELLO: [u8; 61] = {
    let mut hello = [0; 61];
    let begin = *b"gwrpc 1\n\x31\0\0\0\x21\0\0\0\0\x11\x01\x40\0";
    let mut at = 0;
    while at < begin.len() {
        hello[at] = begin[at];
        at += 1;
    }
    hello
};
/// What a server without a secret answers: frames of 4 MiB, 256 calls, a window of 16 items.
const WELCOME: &[u8] =
    b"gwrpc 1\n\x1a\0\0\0\x22\0\0\0\0\x11\x01\x40\0\0\x01\0\0\x10\0\0\0\0\0\0\0\0\0\0\0\0";

fn server(args: &[&str]) -> Server {
    Server::start("rpc-server", &[&["127.0.0.1:0"], args].concat())
}

fn client(address: &str, args: &[&str]) -> Command {
    let mut client = program("rpc-client");
    client.arg(address).args(args);
    client
}

fn printed(address: &str, args: &[&str]) -> String {
    let output = client(address, args).assert().success();
    let output = output.stderr("").get_output().stdout.clone();
    String::from_utf8(output).unwrap()
}

/// An addition by a client that knows the secret in this file.
fn with(path: &str) -> Vec<&str> {
    let add = "Calculator.Add -17 18 --secret-file";
    add.split(' ').chain([path]).collect()
}

fn fails(address: &str, args: &[&str], why: &str) {
    let says = format!("rpc-client: {why}\n");
    client(address, args)
        .assert()
        .code(1)
        .stdout("")
        .stderr(says);
}

/// A server of the test's: for each connection it greets, reads a call, and sends this; then it
/// closes. Nothing to send: it closes at once.
fn answers(each: Vec<&'static [u8]>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for answer in each {
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_exact(&mut [0; HELLO.len()]).unwrap();
            stream.write_all(WELCOME).unwrap();
            read_frame(&mut stream);
            stream.write_all(answer).unwrap();
        }
    });
    address
}

fn read_frame(stream: &mut TcpStream) -> Vec<u8> {
    let mut len = [0; 4];
    stream.read_exact(&mut len).unwrap();
    let mut frame = vec![0; u32::from_le_bytes(len) as usize];
    stream.read_exact(&mut frame).unwrap();
    frame
}

#[test]
fn sums_and_differences_of_signed_numbers_are_printed() {
    let server = server(&[]);
    let calc = |method: &str, a: &str, b: &str| {
        printed(&server.address, &[&format!("Calculator.{method}"), a, b])
    };
    assert_eq!(calc("Add", "-17", "18"), "Reply (Add): 1\n");
    assert_eq!(calc("Subtract", "-17", "18"), "Reply (Subtract): -35\n");
    assert_eq!(calc("Subtract", "-17", "-17"), "Reply (Subtract): 0\n");
    let most = "18446744073709551615";
    assert_eq!(
        calc("Subtract", "0", most),
        format!("Reply (Subtract): -{most}\n")
    );
    let why = "calling Calculator.Add: the magnitude of the sum is beyond 64 bits";
    fails(&server.address, &["Calculator.Add", most, "1"], why);
    assert_eq!(server.stop(), "served 5, active 0, refused 0, failed 0");
}

#[test]
fn the_items_of_a_stream_are_printed_one_a_line() {
    let server = server(&[]);
    let count = printed(&server.address, &["Calculator.Count", "4", "6"]);
    let items = "Item (Count): 4\nItem (Count): 5\nItem (Count): 6\n";
    assert_eq!(count, format!("{items}Reply (Count): done\n"));
    let none = printed(&server.address, &["Calculator.Count", "6", "4"]);
    assert_eq!(none, "Reply (Count): done\n");
    // Far beyond the window.
    let many = printed(&server.address, &["Calculator.Count", "1", "1000"]);
    assert_eq!(many.lines().count(), 1001);
}

#[test]
fn a_closed_pipe_ends_a_stream_quietly_and_the_server_goes_on() {
    let server = server(&[]);
    let script = "{ \"$1\" \"$2\" Calculator.Count 1 18446744073709551615; echo $? >&2; } | :";
    let output = StdCommand::new("sh")
        .args(["-c", script, "sh"])
        .args([path("rpc-client").as_os_str(), server.address.as_ref()])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "0\n");
    printed(&server.address, &["Calculator.Add", "1", "2"]);
}

#[test]
fn the_list_has_every_method_and_what_is_special_about_it() {
    let server = server(&[]);
    let list = "Calculator.Add           repeatable
Calculator.Count         stream
Calculator.Sleep         slow
Calculator.Subtract      repeatable
Server.Methods           repeatable
Server.Stats             repeatable
";
    assert_eq!(printed(&server.address, &["--list"]), list);
    assert_eq!(printed(&server.address, &["Server.Methods"]), list);
}

#[test]
fn the_stats_count_calls_and_failures() {
    let server = server(&[]);
    printed(&server.address, &["Calculator.Add", "1", "2"]);
    let most = "18446744073709551615";
    let why = "calling Calculator.Add: the magnitude of the sum is beyond 64 bits";
    fails(&server.address, &["Calculator.Add", most, "1"], why);
    let stats = printed(&server.address, &["--stats"]);
    let add = stats
        .lines()
        .find(|line| line.starts_with("Calculator.Add "))
        .unwrap();
    assert!(
        add.contains(" calls 2, failed 1, refused 0, p50 "),
        "{stats}"
    );
    assert_eq!(stats.lines().count(), 6);
}

#[test]
fn names_that_the_server_does_not_know_are_shown_as_it_tells_them() {
    let server = server(&[]);
    for (name, why) in [
        ("Calculator.Divide", "no method Calculator.Divide"),
        ("Clock.Time", "no service Clock"),
        ("Server.Quit", "no method Server.Quit"),
    ] {
        fails(&server.address, &[name], &format!("calling {name}: {why}"));
    }
    assert_eq!(server.stop(), "served 3, active 0, refused 0, failed 0");
}

#[test]
fn quit_ends_a_server_that_offers_it() {
    let server = server(&["--quit"]);
    let quit = printed(&server.address, &["Server.Quit"]);
    assert_eq!(quit, "Reply (Quit): done\n");
    let ended = server.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, ["served 1, active 0, refused 0, failed 0"]);
}

#[test]
fn both_sides_must_know_the_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        write_secret(&path, text.as_bytes());
        path.to_str().unwrap().to_string()
    };
    // The last line feed is no part of it.
    let right = file("right", "correct horse battery\n");
    let same = file("same", "correct horse battery");
    let wrong = file("wrong", "incorrect horse battery\n");
    let guarded = server(&["--secret-file", &right]);
    let add = ["Calculator.Add", "-17", "18"];
    assert_eq!(printed(&guarded.address, &with(&same)), "Reply (Add): 1\n");
    let why = "calling Calculator.Add: the secret is not the server's";
    fails(&guarded.address, &with(&wrong), why);
    let why = "calling Calculator.Add: the server asks for a secret";
    fails(&guarded.address, &add, why);
    let totals = guarded.stop();
    assert!(totals.starts_with("served "), "{totals}");

    let open = server(&[]);
    let why = format!(
        "greeting {}: the server does not ask for the secret",
        open.address
    );
    fails(&open.address, &with(&right), &why);
}

#[test]
fn a_secret_is_16_bytes_or_more_and_readable() {
    let folder = tempfile::tempdir().unwrap();
    let short = folder.path().join("short");
    write_secret(&short, b"fifteen letters\n");
    let long = folder.path().join("long");
    write_secret(&long, &[b'x'; 5000]);
    let none = folder.path().join("none");
    for (path, why) in [
        (short, "a secret of 15 bytes, at least 16 are needed"),
        (long, "a secret has at most 4096 bytes"),
        (none, "no such file or directory"),
    ] {
        let path = path.to_str().unwrap();
        for (name, args) in [
            ("rpc-server", &["127.0.0.1:0"][..]),
            ("rpc-client", &["127.0.0.1:1", "Server.Stats"]),
        ] {
            let run = program(name)
                .args(args)
                .args(["--secret-file", path])
                .assert();
            let says = format!("{name}: --secret-file {path}: {why}\n");
            run.code(1).stdout("").stderr(says);
        }
    }
}

#[test]
fn a_secret_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    write_secret(&path, b"correct horse battery");
    for mode in [0o640, 0o604, 0o666, 0o601] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        for (name, args) in [
            ("rpc-server", &["127.0.0.1:0"][..]),
            ("rpc-client", &["127.0.0.1:1", "Server.Stats"]),
        ] {
            let run = program(name)
                .args(args)
                .arg("--secret-file")
                .arg(&path)
                .assert();
            let path = path.display();
            let says = format!(
                "{name}: --secret-file {path}: its mode {mode:o} lets others at it: chmod 600 {path}\n"
            );
            run.code(1).stdout("").stderr(says);
        }
    }
    fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
    let path = path.to_str().unwrap();
    let guarded = server(&["--secret-file", path]);
    assert_eq!(printed(&guarded.address, &with(path)), "Reply (Add): 1\n");
}

/// A file that nobody else can read.
fn write_secret(path: &Path, text: &[u8]) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_unix_socket_serves_as_well_and_its_file_goes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rpc.sock");
    let path = path.to_str().unwrap();
    let server = Server::start("rpc-server", &["--unix", path]);
    assert_eq!(
        (server.network.as_str(), server.address.as_str()),
        ("unix", path)
    );
    let run = program("rpc-client")
        .args(["--unix", path, "Calculator.Add", "-17", "18"])
        .assert();
    run.success().stdout("Reply (Add): 1\n");
    assert_eq!(server.stop(), "served 1, active 0, refused 0, failed 0");
    assert!(!fs::exists(path).unwrap());
    let run = program("rpc-client")
        .args(["--unix", path, "--list"])
        .assert();
    let says = format!("rpc-client: connect unix {path}: no such file or directory\n");
    run.code(1).stderr(says);
}

#[test]
fn a_refused_connection_is_one_clear_line() {
    for args in [&["--list"][..], &["Calculator.Add", "1", "2", "--retry"]] {
        fails(
            "127.0.0.1:1",
            args,
            "connect tcp 127.0.0.1:1: connection refused",
        );
    }
}

#[test]
fn a_call_ends_at_its_deadline() {
    let server = server(&[]);
    let slow = ["Calculator.Sleep", "30000", "--timeout", "100ms"];
    let why = "calling Calculator.Sleep: no reply within 100ms";
    fails(&server.address, &slow, why);
    // It was told to the server, whose method has ended: nothing is left to wait for.
    assert_eq!(server.stop(), "served 1, active 0, refused 0, failed 0");
}

#[test]
fn the_idle_time_ends_a_silent_connection_and_no_running_call() {
    let server = server(&["--idle-timeout", "50ms"]);
    let done = printed(&server.address, &["Calculator.Sleep", "300"]);
    assert_eq!(done, "Reply (Sleep): done\n");
    let mut silent = connect(&server.address);
    silent.write_all(&HELLO).unwrap();
    silent.read_exact(&mut [0; WELCOME.len()]).unwrap();
    assert_eq!(silent.read(&mut [0; 16]).unwrap(), 0);
}

#[test]
fn the_longest_message_is_that_of_the_command_line_and_failures_pass_all_the_same() {
    let server = server(&["--max-message", "16"]);
    // A result that is too long, and a failure that is, but for its kind.
    let why = "calling Server.Methods: too large: ";
    fails(&server.address, &["--list"], why);
    let output = client(&server.address, &["Calculator.Add", "1", "2"])
        .assert()
        .code(1)
        .get_output()
        .stderr
        .clone();
    let stderr = String::from_utf8(output).unwrap();
    assert!(
        stderr.ends_with(": message of 22 bytes, the limit is 16\n"),
        "{stderr}"
    );
}

#[test]
fn a_connection_has_so_many_calls_under_way_and_no_more() {
    let server = server(&["--in-flight", "1"]);
    let mut stream = connect(&server.address);
    sleep_call(&mut stream, 30_000);
    stream.write_all(&sleep_frame(8, 1)).unwrap();
    let refused = read_frame(&mut stream);
    assert!(refused.starts_with(&[17, 8, 0]), "{refused:?}");
    let text = String::from_utf8_lossy(&refused);
    assert!(
        text.ends_with("1 calls are under way on this connection"),
        "{text}"
    );
}

#[test]
fn beyond_its_limits_the_server_is_overloaded() {
    let server = server(&["--max-connections", "1"]);
    let mut first = connect(&server.address);
    first.write_all(&HELLO).unwrap();
    first.read_exact(&mut [0; WELCOME.len()]).unwrap();
    let why = "calling Calculator.Add: the server is overloaded: too many connections";
    fails(&server.address, &["Calculator.Add", "1", "2"], why);
    drop(finish(first));
}

#[test]
fn no_worker_and_no_place_in_the_queue_is_overload_and_says_so() {
    let server = server(&["--workers", "1", "--queue", "0"]);
    let mut busy = connect(&server.address);
    sleep_call(&mut busy, 30_000);
    let why =
        "calling Calculator.Sleep: the server is overloaded: the queue for workers is full (0)";
    fails(&server.address, &["Calculator.Sleep", "1"], why);
    // Quick methods want no worker.
    printed(&server.address, &["Calculator.Add", "1", "2"]);
}

/// Greets, calls `Calculator.Sleep`, and returns when the server has begun it: the ping behind
/// the call has been answered.
fn sleep_call(stream: &mut TcpStream, millis: u64) {
    stream.write_all(&HELLO).unwrap();
    stream.read_exact(&mut [0; WELCOME.len()]).unwrap();
    let mut call = sleep_frame(7, millis);
    call.extend([9, 0, 0, 0, 5, 1, 0, 0, 0, 0, 0, 0, 0]);
    stream.write_all(&call).unwrap();
    assert_eq!(read_frame(stream), [19, 1, 0, 0, 0, 0, 0, 0, 0]);
}

/// A call of `Calculator.Sleep` without a deadline.
fn sleep_frame(id: u64, millis: u64) -> Vec<u8> {
    let mut call = vec![46, 0, 0, 0, 1];
    call.extend(id.to_le_bytes());
    call.extend(0_u64.to_le_bytes());
    call.push(16);
    call.extend(b"Calculator.Sleep");
    call.extend([0; 4]);
    call.extend(millis.to_le_bytes());
    call
}

#[test]
fn a_signal_lets_the_running_call_finish() {
    let server = server(&[]);
    let mut stream = connect(&server.address);
    sleep_call(&mut stream, 300);
    server.signal("TERM");
    // The goodbye, and the reply to call 7: whichever is first.
    let mut frames = [read_frame(&mut stream), read_frame(&mut stream)];
    frames.sort();
    let reply = [&[16, 7, 0, 0, 0, 0, 0, 0, 0][..], &[0; 4]].concat();
    let goodbye = vec![20, 7, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(frames, [reply, goodbye]);
    assert_eq!(stream.read(&mut [0; 16]).unwrap(), 0);
    drop(stream);
    let ended = server.end();
    assert_eq!(ended.stdout, ["served 1, active 0, refused 0, failed 0"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}

#[test]
fn the_drain_time_ends_a_call_that_takes_longer() {
    let server = server(&["--drain", "5s"]);
    let mut stream = connect(&server.address);
    sleep_call(&mut stream, 60_000);
    server.signal("INT");
    // It is told so (7 is Cancelled) before its connection would be cut.
    let mut frames = [read_frame(&mut stream), read_frame(&mut stream)];
    frames.sort();
    assert_eq!((frames[0][0], frames[0][1], frames[0][13]), (17, 7, 7));
    assert_eq!(frames[1], [20, 7, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(stream.read(&mut [0; 16]).unwrap(), 0);
    drop(stream);
    let ended = server.end();
    assert_eq!(ended.stdout, ["served 1, active 0, refused 0, failed 0"]);
    assert_eq!(ended.code, Some(0));
}

#[test]
fn a_stream_that_is_under_way_at_a_stop_is_printed_to_its_end() {
    let server = server(&["--drain", "60s"]);
    // Ten times what a pipe holds: the client cannot be done before its lines are read.
    let args = [&server.address, "Calculator.Count", "1", "30000"];
    let mut client = StdCommand::new(path("rpc-client"))
        .args(args)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(client.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "Item (Count): 1");
    server.signal("TERM");
    assert_eq!(
        lines.last().unwrap().unwrap(),
        "Reply (Count): done",
        "the last line"
    );
    assert!(client.wait().unwrap().success());
    assert_eq!(
        server.end().stdout,
        ["served 1, active 0, refused 0, failed 0"]
    );
}

#[test]
fn the_metrics_page_has_each_methods_count() {
    let server = server(&["--metrics", "127.0.0.1:0"]);
    let line = server.line().unwrap();
    let page = line.strip_prefix("metrics on http://").unwrap();
    let page = page.strip_suffix("/metrics").unwrap();
    for _ in 0..3 {
        printed(&server.address, &["Calculator.Add", "1", "2"]);
    }
    let mut stream = connect(page);
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    for line in [
        "groundwire_rpc_seconds_count{method=\"Calculator.Add\"} 3",
        "groundwire_rpc_failed_total{method=\"Calculator.Add\"} 0",
        "groundwire_rpc_seconds_count{method=\"Calculator.Sleep\"} 0",
        "groundwire_connections_served_total 3",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
}

#[test]
fn a_peer_of_another_protocol_is_told_where_it_is() {
    let server = server(&[]);
    let mut http = connect(&server.address);
    http.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let said = String::from_utf8(finish(http)).unwrap();
    let told = "this is an RPC server (gwrpc 1); `GET / HT` is not its greeting\n";
    assert_eq!(said, told);
    if installed("nc") {
        let mut netcat = StdCommand::new("nc")
            .args(["127.0.0.1", server.port()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        netcat
            .stdin
            .as_mut()
            .unwrap()
            .write_all(b"hello\n")
            .unwrap();
        let output = netcat.wait_with_output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.ends_with("`hello\\n` is not its greeting\n"), "{said}");
    }
}

#[test]
fn a_lost_reply_is_unknown_and_only_a_repeatable_method_is_tried_again() {
    // The reply to call 1: the number 1.
    const ONE: &[u8] = b"\x16\0\0\0\x10\x01\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0";
    let lost = |method: &str, address: &str| {
        let what = "the server closed the connection; whether";
        format!("reading from {address}: {what} {method} was run is not known")
    };
    let add = ["Calculator.Add", "-17", "18"];
    let address = answers(vec![b""]);
    fails(&address, &add, &lost("Calculator.Add", &address));

    let address = answers(vec![b"", ONE]);
    let again = [&add[..], &["--retry"]].concat();
    assert_eq!(printed(&address, &again), "Reply (Add): 1\n");

    let address = answers(vec![b"", b""]);
    let slow = ["Calculator.Sleep", "1", "--retry"];
    fails(&address, &slow, &lost("Calculator.Sleep", &address));
}

#[test]
fn what_a_server_says_does_not_drive_the_terminal() {
    // A refusal with the text ESC [ 2 J.
    const REFUSED: &[u8] =
        b"\x1e\0\0\0\x11\x01\0\0\0\0\0\0\0\x04\0\0\0\x0a\x04\0\0\0\x04\0\0\0\x04\0\0\0\x1b[2J";
    let address = answers(vec![REFUSED]);
    let why = "calling Calculator.Add: \\u{1b}[2J";
    fails(&address, &["Calculator.Add", "1", "2"], why);
}

#[test]
fn a_wrong_command_line_exits_with_2_and_connects_to_nobody() {
    let nobody = "127.0.0.1:1";
    let table: &[(&str, &[&str], &str)] = &[
        ("rpc-client", &[nobody], "SERVICE.METHOD: missing operand"),
        (
            "rpc-client",
            &[nobody, "Add"],
            "SERVICE.METHOD Add: expected both names, as Calculator.Add",
        ),
        (
            "rpc-client",
            &[nobody, "Calculator.Add", "1"],
            "B: missing operand",
        ),
        (
            "rpc-client",
            &[nobody, "Calculator.Add", "1", "x"],
            "B x: not a whole number",
        ),
        (
            "rpc-client",
            &[nobody, "Calculator.Add", "1", "18446744073709551616"],
            "B 18446744073709551616: its magnitude is above 18446744073709551615",
        ),
        (
            "rpc-client",
            &[nobody, "Calculator.Sleep", "-1"],
            "MILLISECONDS -1: must not be negative",
        ),
        (
            "rpc-client",
            &[nobody, "Calculator.Divide", "1", "2"],
            "SERVICE.METHOD Calculator.Divide: its arguments are not known here; it can be called without",
        ),
        ("rpc-client", &["--list", nobody, "x"], "x: extra operand"),
        (
            "rpc-client",
            &["--list", "--stats", nobody],
            "--list and --stats exclude each other",
        ),
        (
            "rpc-client",
            &["127.0.0.1:123456", "--list"],
            "address 127.0.0.1:123456: port must be 0 to 65535",
        ),
        (
            "rpc-server",
            &["127.0.0.1:123456"],
            "address 127.0.0.1:123456: port must be 0 to 65535",
        ),
        (
            "rpc-server",
            &["--unix", "/nowhere/s", "127.0.0.1:0"],
            "127.0.0.1:0: extra operand",
        ),
        (
            "rpc-server",
            &["--unix", "/nowhere/s", "--deny", "10.0.0.0/8"],
            "--deny: peers of a Unix socket have no address",
        ),
        (
            "rpc-server",
            &["--workers", "0"],
            "--workers 0: must not be zero",
        ),
        (
            "rpc-server",
            &["--workers", "4097"],
            "--workers 4097: must be at most 4096",
        ),
        (
            "rpc-server",
            &["--max-message", "0"],
            "--max-message 0: must be 1 to 1GiB",
        ),
    ];
    for (name, args, told) in table {
        let hint = format!("Try '{name} --help' for more information.");
        let says = format!("{name}: {told}\n{hint}\n");
        program(name)
            .args(*args)
            .assert()
            .code(2)
            .stdout("")
            .stderr(says);
    }
}

#[test]
fn half_a_name_and_no_time_at_all_are_usage_errors() {
    for (args, why) in [
        (
            &["127.0.0.1:1", "."][..],
            "expected both names, as Calculator.Add",
        ),
        (
            &["127.0.0.1:1", ".Add"],
            "expected both names, as Calculator.Add",
        ),
        (
            &["--timeout", "0", "127.0.0.1:1", "Calculator.Add", "1", "2"],
            "must not be zero",
        ),
    ] {
        let run = program("rpc-client").args(args).assert().code(2).stdout("");
        let said = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
        assert!(said.contains(why), "{args:?}: {said}");
    }
}
