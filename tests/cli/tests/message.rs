//! message-server and message-client: a conversation, seen from both sides, and how it fails.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::process::{Command as StdCommand, Stdio};
use std::thread;

use assert_cmd::Command;
use groundwire_cli_tests::{
    Running, Server, connect, eventually, finish, installed, path, program,
};

const EXAMPLE: &str = r#"STRUCT
  n: 23
  s: "string data"
  m: {"one": 1, "three": 3, "two": 2}
  p: 3 bytes 616263
  c:
    n: 256
    s: "inner"
    m: {}
    p: 0 bytes
    c: none
"#;

fn server(args: &[&str]) -> Server {
    Server::start("message-server", &[&["127.0.0.1:0"], args].concat())
}

fn client(address: &str, args: &[&str]) -> Command {
    let mut client = program("message-client");
    client.arg(address).args(args);
    client
}

/// A server for one connection that reads to the end of the first line and replies this.
fn replies(reply: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 14];
        stream.read_exact(&mut request).unwrap();
        assert_eq!(&request, b"STRING\nhello!\n");
        stream.write_all(reply).unwrap();
    });
    address
}

#[test]
fn a_string_is_printed_on_both_sides_and_thanked_for() {
    let server = server(&[]);
    assert_eq!(server.network, "tcp");
    let run = client(&server.address, &["string", "hello", "there"]).assert();
    let printed = "STRING \"hello there\"\n->: Thank you.\n";
    run.success().stdout(printed).stderr("");
    let ended = server.end_by("TERM");
    let totals = "served 1, active 0, refused 0, failed 0";
    assert_eq!(ended.stdout, ["-> STRING \"hello there\"", totals]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_struct_is_printed_on_both_sides_outer_and_inner() {
    let server = server(&[]);
    let run = client(&server.address, &["struct"]).assert();
    let printed = format!("{EXAMPLE}->: Thank you.\n");
    run.success().stdout(printed).stderr("");
    let ended = server.end_by("INT");
    let (totals, lines) = ended.stdout.split_last().unwrap();
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    assert_eq!(lines, format!("-> {EXAMPLE}"));
    assert_eq!(totals, "served 1, active 0, refused 0, failed 0");
    assert_eq!(ended.code, Some(0));
}

#[test]
fn the_fields_of_a_struct_can_be_chosen() {
    let server = server(&[]);
    let fields = "-n -5 -s text -m b=2 -m a=-1 -p 00ff";
    let args: Vec<&str> = ["struct"].into_iter().chain(fields.split(' ')).collect();
    client(&server.address, &args).assert().success();
    let lines: Vec<String> = (0..5).map(|_| server.line().unwrap()).collect();
    let expected = [
        "-> STRUCT",
        "  n: -5",
        "  s: \"text\"",
        "  m: {\"a\": -1, \"b\": 2}",
        "  p: 2 bytes 00ff",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn verbose_shows_each_command_and_its_peer() {
    let server = server(&["-v"]);
    let mut stream = connect(&server.address);
    let peer = stream.local_addr().unwrap();
    stream.write_all(b"STRING\none\nSTRING\ntwo\n").unwrap();
    let replies = finish(stream);
    assert_eq!(replies, b"Thank you.\nThank you.\n");
    for text in ["one", "two"] {
        assert_eq!(server.line().unwrap(), format!("{peer} STRING"));
        assert_eq!(server.line().unwrap(), format!("-> STRING {text:?}"));
    }
}

#[test]
fn netcat_is_a_client_for_strings() {
    if !installed("nc") {
        return;
    }
    let server = server(&[]);
    let (host, port) = server.address.rsplit_once(':').unwrap();
    let mut netcat = StdCommand::new("nc")
        .args(["-N", host, port])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = netcat.stdin.take().unwrap();
    input
        .write_all(b"STRING\nby hand\nSTRING\r\nby telnet\r\n")
        .unwrap();
    drop(input);
    let output = netcat.wait_with_output().unwrap();
    assert_eq!(output.stdout, b"Thank you.\nThank you.\n");
    assert_eq!(server.line().unwrap(), "-> STRING \"by hand\"");
    assert_eq!(server.line().unwrap(), "-> STRING \"by telnet\"");
}

#[test]
fn plain_text_is_answered_line_by_line_and_an_unknown_command_ends_it() {
    let server = server(&[]);
    let mut stream = connect(&server.address);
    for line in ["one", "two"] {
        stream
            .write_all(format!("STRING\n{line}\n").as_bytes())
            .unwrap();
        let mut reply = [0; 11];
        stream.read_exact(&mut reply).unwrap();
        assert_eq!(&reply, b"Thank you.\n");
    }
    stream.write_all(b"FOO\nSTRING\nsmuggled\n").unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "error: unknown command FOO; known: STRING, STRUCT\n");
    drop(stream);
    let ended = server.end_by("TERM");
    let totals = "served 0, active 0, refused 0, failed 1";
    let printed = ["-> STRING \"one\"", "-> STRING \"two\"", totals];
    assert_eq!(ended.stdout, printed);
    assert_eq!(ended.code, Some(0));
    let told = "unknown command FOO; known: STRING, STRUCT";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
}

#[test]
fn the_limits_are_those_of_the_command_line() {
    let server = server(&["--max-line", "10", "--max-frame", "64"]);
    let run = client(&server.address, &["string", "nine char"]).assert();
    run.success();
    let run = client(&server.address, &["string", "ten letters"]).assert();
    let why = "the server replied: error: STRING: byte 10: line longer than 10 bytes";
    let says = format!("message-client: tcp {}: {why}\n", server.address);
    run.code(1).stdout("STRING \"ten letters\"\n").stderr(says);
    let run = client(&server.address, &["struct"]).assert();
    let why = "the server replied: error: STRUCT: byte 0: frame of ";
    let output = run.code(1).get_output().stderr.clone();
    let stderr = String::from_utf8(output).unwrap();
    assert!(
        stderr.contains(why) && stderr.ends_with("the limit is 64\n"),
        "{stderr}"
    );
}

#[test]
fn a_silent_peer_meets_the_idle_time_out_and_half_a_command_the_item_time_out() {
    let server = server(&["--idle-timeout", "50ms", "--item-timeout", "50ms"]);
    for begun in ["", "STR", "STRING\nhal"] {
        let mut stream = connect(&server.address);
        stream.write_all(begun.as_bytes()).unwrap();
        assert_eq!(stream.read(&mut [0; 16]).unwrap(), 0, "{begun:?}");
    }
}

#[test]
fn the_metrics_page_counts_each_command() {
    let server = server(&["--metrics", "127.0.0.1:0"]);
    let line = server.line().unwrap();
    let page = line.strip_prefix("metrics on http://").unwrap();
    let page = page.strip_suffix("/metrics").unwrap();
    for _ in 0..2 {
        let run = client(&server.address, &["string", "hello"]).assert();
        run.success();
    }
    let mut stream = connect(page);
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    for (command, count) in [("STRING", 2), ("STRUCT", 0)] {
        let line = format!("groundwire_endpoint_commands_total{{command=\"{command}\"}} {count}");
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
}

#[test]
fn a_stop_ends_idle_connections_and_counts_them_as_served() {
    let server = server(&[]);
    let mut stream = connect(&server.address);
    stream.write_all(b"STRING\nx\n").unwrap();
    let mut reply = [0; 11];
    stream.read_exact(&mut reply).unwrap();
    server.signal("TERM");
    assert_eq!(stream.read(&mut [0; 16]).unwrap(), 0);
    stream.shutdown(Shutdown::Both).unwrap();
    drop(stream);
    let ended = server.end();
    let totals = "served 1, active 0, refused 0, failed 0";
    assert_eq!(ended.stdout.last().unwrap(), totals);
    assert_eq!(ended.code, Some(0));
}

#[test]
fn a_refused_connection_is_one_clear_line() {
    let run = client("127.0.0.1:1", &["string", "hello"]).assert();
    let says = "message-client: connect tcp 127.0.0.1:1: connection refused\n";
    run.code(1).stdout("").stderr(says);
}

#[test]
fn an_error_reply_an_early_close_and_control_characters_are_told() {
    let cases: [(&'static [u8], i32, &str, &str); 4] = [
        (
            b"error: no\x1b[2J\n",
            1,
            "",
            "the server replied: error: no\\u{1b}[2J",
        ),
        (b"", 1, "", "the server closed the connection"),
        (b"Thank", 1, "", "the server closed the connection"),
        (b"it's \x1b[2J\n", 0, "->: it's \\u{1b}[2J\n", ""),
    ];
    for (reply, status, printed, told) in cases {
        let address = replies(reply);
        let run = client(&address, &["string", "hello!"]).assert();
        let told = match told {
            "" => String::new(),
            told => format!("message-client: tcp {address}: {told}\n"),
        };
        let printed = format!("STRING \"hello!\"\n{printed}");
        run.code(status).stdout(printed).stderr(told);
    }
}

#[test]
fn a_wrong_command_line_exits_with_2_and_connects_to_nobody() {
    let nobody = "127.0.0.1:1";
    let table: &[(&[&str], &str)] = &[
        (&[nobody], "COMMAND: missing operand"),
        (&[nobody, "string"], "TEXT: missing operand"),
        (
            &[nobody, "shout", "x"],
            "COMMAND shout: must be string or struct",
        ),
        (&[nobody, "struct", "x"], "x: extra operand"),
        (
            &[nobody, "string", "x", "-n", "1"],
            "-n, -s, -m and -p belong to struct",
        ),
        (
            &[nobody, "struct", "-n", "x"],
            "--number x: not a whole number",
        ),
        (&[nobody, "struct", "-m", "x"], "--map x: expected KEY=N"),
        (
            &[nobody, "struct", "-m", "a=1", "-m", "a=2"],
            "--map a=2: the key was given before",
        ),
        (
            &[nobody, "struct", "-p", "0"],
            "--payload 0: expected two hex digits a byte, as 00ff",
        ),
    ];
    for (args, told) in table {
        let hint = "Try 'message-client --help' for more information.";
        let says = format!("message-client: {told}\n{hint}\n");
        let run = program("message-client").args(*args).assert();
        run.code(2).stdout("").stderr(says);
    }
    let no_port = "address host: the port is missing, write host:port";
    let wrong: [(&str, &[&str], &str); 3] = [
        ("client", &["host", "string", "x"], no_port),
        ("server", &["host"], no_port),
        (
            "server",
            &["--max-frame", "0"],
            "--max-frame 0: must be 1 to 1GiB",
        ),
    ];
    for (end, args, told) in wrong {
        let name = format!("message-{end}");
        let hint = format!("Try '{name} --help' for more information.");
        let says = format!("{name}: {told}\n{hint}\n");
        let run = program(&name).args(args).assert();
        run.code(2).stdout("").stderr(says);
    }
}

#[test]
fn a_string_that_is_no_line_is_a_usage_error_and_connects_to_nobody() {
    let why = "a string is one line: no line feed in it, no carriage return at its end\n";
    for text in ["a\nSTRING\nb", "a\r"] {
        let run = client("127.0.0.1:1", &["string", text]).assert();
        let run = run.code(2).stdout("");
        let said = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn a_server_goes_on_when_the_reader_of_its_output_has_gone() {
    let (server, stdout) =
        groundwire_cli_tests::Running::start_unread("message-server", &["127.0.0.1:0"]);
    let mut stdout = std::io::BufReader::new(stdout);
    let mut first = String::new();
    std::io::BufRead::read_line(&mut stdout, &mut first).unwrap();
    let (_, address) = groundwire_cli_tests::announced(first.trim_end());
    drop(stdout);
    for _ in 0..3 {
        client(&address, &["string", "hello"]).assert().success();
    }
    let ended = server.end_by("TERM");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_closed_pipe_ends_the_client_quietly() {
    let server = server(&[]);
    let output = StdCommand::new("sh")
        .args([
            "-c",
            "{ \"$1\" \"$2\" struct; echo \"exit $?\" >&2; } | :",
            "sh",
        ])
        .args([path("message-client").as_os_str(), server.address.as_ref()])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "exit 0\n");
}

#[test]
fn what_cannot_be_printed_is_told_and_does_not_stop_the_service() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("received");
    let limit = format!("ulimit -f 1; exec >'{}'", file.display());
    let server = Running::start_after(&limit, "message-server", &["127.0.0.1:0"]);
    let printed = || std::fs::read_to_string(&file).unwrap_or_default();
    eventually("it listens", || printed().ends_with('\n'));
    let address = printed().trim_end().replace("listening on tcp ", "");
    let long = "x".repeat(600); // the limit is 512 bytes, or 1,024 in some shells
    for _ in 0..3 {
        let run = client(&address, &["string", &long]).assert();
        run.success()
            .stdout(format!("STRING \"{long}\"\n->: Thank you.\n"));
    }
    server.signal("TERM");
    let ended = server.end();
    let lost = "message-server lines are lost cause=\"standard output: file too large\"";
    assert_eq!(ended.stderr.matches(lost).count(), 1, "{}", ended.stderr);
    assert_eq!(ended.code, Some(1), "the totals are lost, too");
}
