//! tcp-echo-client against a real server, against listeners that misbehave, and in pipes.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command as StdCommand, Stdio};
use std::thread;

use assert_cmd::Command;
use groundwire_cli_tests::{Server, path, program};

fn client(address: &str, args: &[&str]) -> Command {
    let mut client = program("tcp-echo-client");
    client.arg(address).args(args);
    client
}

/// A server for one connection that reads a line and then does as told; with its address.
fn listener(behave: impl FnOnce(std::net::TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut byte = [0];
        while stream
            .read(&mut byte)
            .is_ok_and(|count| count == 1 && byte[0] != b'\n')
        {}
        behave(stream);
    });
    address
}

#[test]
fn words_go_as_one_line_and_the_reply_is_printed() {
    let server = Server::tcp(&[]);
    let run = client(&server.address, &["hello,", "big  world"]).assert();
    run.success().stdout("->: hello, big  world\n").stderr("");
    assert_eq!(server.stop(), "served 1, active 0, refused 0, failed 0");
}

#[test]
fn many_lines_in_one_write_are_answered_one_by_one() {
    let server = Server::tcp(&[]);
    let lines: Vec<String> = (0..300).map(|n| format!("line {n}")).collect();
    let replies: String = lines.iter().map(|line| format!("->: {line}\n")).collect();
    let run = client(&server.address, &[])
        .write_stdin(lines.join("\n"))
        .assert();
    run.success().stdout(replies).stderr("");
}

#[test]
fn with_check_a_reply_that_is_not_what_was_sent_is_a_failure_and_without_it_is_not() {
    let wrong = |mut stream: std::net::TcpStream| stream.write_all(b"HTTP/1.1 400\n").unwrap();
    let address = listener(wrong);
    client(&address, &["hi"]).assert().success();
    let address = listener(wrong);
    let run = client(&address, &["--check", "hi"]).assert();
    let why = format!("tcp-echo-client: tcp {address}: the reply is not what was sent\n");
    run.code(1).stdout("->: HTTP/1.1 400\n").stderr(why);

    let address = listener(|mut stream| stream.write_all(b"hi\nand more\n").unwrap());
    let run = client(&address, &["--check", "hi"]).assert();
    let why = format!("tcp-echo-client: tcp {address}: the server sent more than the replies\n");
    run.code(1).stderr(why);

    let server = Server::tcp(&[]);
    let run = client(&server.address, &["--check"])
        .write_stdin("a\r\n\nlast")
        .assert();
    run.success().stdout("->: a\n->: \n->: last\n");
}

#[test]
fn raw_replies_are_the_bytes_that_came() {
    let server = Server::tcp(&[]);
    let bytes = b"one\r\n\x1b[0m \xff\n\n";
    let run = client(&server.address, &["--raw", "--check"])
        .write_stdin(&bytes[..])
        .assert();
    run.success().stdout(&bytes[..]);
    let run = client(&server.address, &["--raw", "words"]).assert();
    run.success().stdout("words\n");
}

#[test]
fn empty_lines_stay_in_step() {
    let server = Server::tcp(&[]);
    let run = client(&server.address, &[])
        .write_stdin("\n\na\n\nb\n")
        .assert();
    run.success().stdout("->: \n->: \n->: a\n->: \n->: b\n");
}

#[test]
fn the_last_line_needs_no_line_feed() {
    let server = Server::tcp(&[]);
    let run = client(&server.address, &[]).write_stdin("a\nlast").assert();
    run.success().stdout("->: a\n->: last\n");
}

#[test]
fn the_end_of_the_input_ends_the_client() {
    let server = Server::tcp(&[]);
    client(&server.address, &[])
        .write_stdin("")
        .assert()
        .success()
        .stdout("")
        .stderr("");
    assert_eq!(server.stop(), "served 1, active 0, refused 0, failed 0");
}

#[test]
fn the_stop_word_is_sent_and_ends_the_client() {
    let server = Server::tcp(&[]);
    let run = client(&server.address, &[])
        .write_stdin("a\nSTOP\nnever sent\n")
        .assert();
    run.success().stdout("->: a\n->: STOP\n");
    let run = client(&server.address, &["--stop-word=quit"])
        .write_stdin("STOP\nquit\nx\n")
        .assert();
    run.success().stdout("->: STOP\n->: quit\n");
}

#[test]
fn a_long_line_comes_back_whole() {
    let server = Server::tcp(&[]);
    let line = "0123456789".repeat(6_000);
    let run = client(&server.address, &[])
        .write_stdin(line.clone())
        .assert();
    run.success().stdout(format!("->: {line}\n"));
}

#[test]
fn a_line_beyond_the_limit_is_refused_before_it_is_sent() {
    let server = Server::tcp(&[]);
    let run = client(&server.address, &["--max-line", "16"])
        .write_stdin("x".repeat(100))
        .assert();
    let says = "tcp-echo-client: standard input: line longer than 16 bytes\n";
    run.code(1).stdout("").stderr(says);
}

#[test]
fn text_is_shown_literally_and_control_characters_escaped() {
    let server = Server::tcp(&[]);
    let run = client(&server.address, &["%s{}%n{0}\x1b[31m\u{9b}"]).assert();
    run.success().stdout("->: %s{}%n{0}\\u{1b}[31m\\u{9b}\n");
    let run = client(&server.address, &[])
        .write_stdin(&b"a\xff\x00b\n"[..])
        .assert();
    run.success().stdout("->: a\u{fffd}\\u{0}b\n");
}

#[test]
fn a_refused_connection_is_one_clear_line() {
    let run = client("127.0.0.1:1", &["hello"]).assert();
    let says = "tcp-echo-client: connect tcp 127.0.0.1:1: connection refused\n";
    run.code(1).stdout("").stderr(says);
}

#[test]
fn a_server_that_closes_without_a_reply_is_a_failure() {
    let address = listener(drop);
    let run = client(&address, &["hello"]).assert();
    let says = format!("tcp-echo-client: tcp {address}: the server closed the connection\n");
    run.code(1).stdout("").stderr(says);
}

#[test]
fn half_a_reply_is_shown_and_a_failure() {
    let address = listener(|mut stream| stream.write_all(b"hel").unwrap());
    let run = client(&address, &["hello"]).assert();
    let says = format!("tcp-echo-client: tcp {address}: the server closed the connection\n");
    run.code(1).stdout("->: hel\n").stderr(says);
}

#[test]
fn what_the_server_sends_after_the_last_line_is_shown() {
    let address = listener(|mut stream| {
        stream.write_all(b"hello\n").unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap(); // the client has half-closed
        stream.write_all(b"bye\nbye").unwrap();
    });
    client(&address, &["hello"])
        .assert()
        .success()
        .stdout("->: hello\n->: bye\n->: bye\n");
}

#[test]
fn a_server_that_never_replies_is_given_up_in_time() {
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let address = listener(move |_stream| {
        let _ = wait.recv(); // until the test is over
    });
    let run = client(&address, &["--timeout", "200ms", "hello"]).assert();
    run.code(1)
        .stdout("")
        .stderr(format!("tcp-echo-client: tcp {address}: timed out\n"));
    drop(done);
}

#[test]
fn a_reply_that_trickles_for_ever_is_given_up_in_time() {
    let address = listener(|mut stream| while stream.write_all(b".").is_ok() {});
    let run = client(
        &address,
        &["--timeout", "200ms", "--max-line", "1GiB", "hello"],
    )
    .assert();
    run.code(1)
        .stdout("")
        .stderr(format!("tcp-echo-client: tcp {address}: timed out\n"));
}

#[test]
fn a_reply_without_an_end_is_cut_at_the_limit() {
    let address = listener(|mut stream| while stream.write_all(&[b'x'; 4096]).is_ok() {});
    let run = client(&address, &["hello"]).assert();
    let says = format!("tcp-echo-client: tcp {address}: line longer than 65536 bytes\n");
    run.code(1).stdout("").stderr(says);
}

#[test]
fn lost_output_is_a_failure() {
    let server = Server::tcp(&[]);
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut client = StdCommand::new(path("tcp-echo-client"));
    client
        .args([&server.address, "hello"])
        .stdout(full)
        .stderr(Stdio::piped());
    let output = client.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(
        stderr,
        "tcp-echo-client: standard output: no space left on device\n"
    );
}

#[test]
fn a_reader_that_has_had_enough_ends_it_quietly() {
    let server = Server::tcp(&[]);
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input");
    // More than a pipe holds, so that the client must notice that `head` has gone.
    std::fs::write(&input, "a line of twenty-four b\n".repeat(5_000)).unwrap();
    let client = path("tcp-echo-client");
    let output = StdCommand::new("sh")
        .args([
            "-c",
            "{ \"$1\" \"$2\" <\"$3\"; echo \"exit $?\" >&2; } | head -1",
            "sh",
        ])
        .args([client.as_os_str(), server.address.as_ref(), input.as_ref()])
        .output()
        .unwrap();
    let (stdout, stderr) = (output.stdout, output.stderr);
    assert_eq!(
        String::from_utf8(stdout).unwrap(),
        "->: a line of twenty-four b\n"
    );
    assert_eq!(String::from_utf8(stderr).unwrap(), "exit 0\n");
}
