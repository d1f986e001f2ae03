//! unix-echo-server and unix-echo-client: three types of socket, and the file between them.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::process::{Command as StdCommand, Output};

use assert_cmd::Command;
use groundwire_cli_tests::{PATIENCE, Server, installed, path, program};
use tempfile::TempDir;

const TYPES: [(&str, &str); 3] = [
    ("stream", "unix"),
    ("datagram", "unixgram"),
    ("seqpacket", "unixpacket"),
];

/// A folder of its own and a path in it.
fn place() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket").to_str().unwrap().to_string();
    (folder, path)
}

fn client(path: &str, kind: &str) -> Command {
    let mut client = program("unix-echo-client");
    client.args(["--type", kind, path]);
    client
}

fn is_socket(path: &str) -> bool {
    fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket())
}

#[test]
fn each_type_echoes_words_and_lines_and_removes_its_file() {
    for (kind, network) in TYPES {
        let (_folder, path) = place();
        let server = Server::unix(&path, &["-v", "--type", kind]);
        assert_eq!((&*server.network, &server.address), (network, &path));
        assert!(is_socket(&path), "{kind}");
        let run = client(&path, kind).args(["hello,", "world"]).assert();
        run.success().stdout("->: hello, world\n").stderr("");
        let run = client(&path, kind)
            .write_stdin("a\nb %s{}\x1b\nSTOP\nnever sent\n")
            .assert();
        run.success()
            .stdout("->: a\n->: b %s{}\\u{1b}\n->: STOP\n")
            .stderr("");
        let shown: Vec<String> = (0..4).map(|_| server.line().unwrap()).collect();
        assert_eq!(
            shown,
            ["-> hello, world", "-> a", "-> b %s{}\\u{1b}", "-> STOP"],
            "{kind}"
        );
        let expected = match kind {
            "datagram" => "received 4, replied 4, refused 0, failed 0",
            _ => "served 2, active 0, refused 0, failed 0",
        };
        assert_eq!(server.stop(), expected, "{kind}");
        assert!(
            !fs::exists(&path).unwrap(),
            "{kind}: the file is left behind"
        );
    }
}

#[test]
fn check_and_raw_hold_for_lines_records_and_datagrams() {
    for kind in ["stream", "seqpacket", "datagram"] {
        let (_folder, path) = place();
        let server = Server::unix(&path, &["--type", kind]);
        let run = client(&path, kind)
            .args(["--check", "--raw"])
            .write_stdin("one\r\ntwo\nlast")
            .assert();
        let end = if kind == "datagram" { "" } else { "\r" };
        run.success().stdout(format!("one{end}\ntwo\nlast\n"));
        server.stop();
    }
}

#[test]
fn the_file_of_a_killed_server_is_replaced() {
    for (kind, _) in TYPES {
        let (_folder, path) = place();
        let killed = Server::unix(&path, &["--type", kind]).kill();
        assert_eq!(killed.code, None, "{kind}: {killed:?}");
        assert!(is_socket(&path), "{kind}: nothing was left to replace");
        let refused = client(&path, kind).arg("anybody?").assert();
        let network = TYPES.iter().find(|(one, _)| *one == kind).unwrap().1;
        let says = format!("unix-echo-client: connect {network} {path}: connection refused\n");
        refused.code(1).stdout("").stderr(says);
        let next = Server::unix(&path, &["--type", kind]);
        client(&path, kind)
            .arg("again")
            .assert()
            .success()
            .stdout("->: again\n");
        drop(next.stop());
    }
}

#[test]
fn a_file_that_a_server_answers_on_is_left_alone() {
    for (kind, network) in TYPES {
        let (_folder, path) = place();
        let _first = Server::unix(&path, &["--type", kind]);
        let run = program("unix-echo-server")
            .args(["--type", kind, &path])
            .assert();
        let says = format!(
            "unix-echo-server: listen {network} {path}: address already in use: \
             another process is listening there\n"
        );
        run.code(1).stdout("").stderr(says);
        client(&path, kind)
            .arg("still here")
            .assert()
            .success()
            .stdout("->: still here\n");
    }
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let (_folder, path) = place();
    fs::write(&path, "precious").unwrap();
    let run = program("unix-echo-server").arg(&path).assert();
    let says = format!(
        "unix-echo-server: listen unix {path}: address already in use: \
         a file that is not a socket is there\n"
    );
    run.code(1).stdout("").stderr(says);
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn a_file_that_was_replaced_meanwhile_is_not_removed_at_the_end() {
    let (_folder, path) = place();
    let server = Server::unix(&path, &[]);
    fs::remove_file(&path).unwrap();
    fs::write(&path, "somebody else's").unwrap();
    server.stop();
    assert_eq!(fs::read_to_string(&path).unwrap(), "somebody else's");
}

#[test]
fn a_missing_folder_and_a_missing_file_are_told() {
    let (_folder, path) = place();
    let inside = format!("{path}/socket");
    let run = program("unix-echo-server").arg(&inside).assert();
    let says = format!("unix-echo-server: listen unix {inside}: no such file or directory\n");
    run.code(1).stdout("").stderr(says);
    for (kind, network) in TYPES {
        let says =
            format!("unix-echo-client: connect {network} {path}: no such file or directory\n");
        client(&path, kind)
            .arg("hello")
            .assert()
            .code(1)
            .stdout("")
            .stderr(says);
    }
}

#[test]
fn a_path_is_107_bytes_long_at_most() {
    let (folder, _) = place();
    let room = 107 - folder.path().to_str().unwrap().len() - 1;
    let path = |bytes: usize| format!("{}/{}", folder.path().display(), "s".repeat(bytes));
    let server = Server::unix(&path(room), &[]);
    client(&path(room), "stream")
        .arg("just")
        .assert()
        .success()
        .stdout("->: just\n");
    drop(server);
    let long = path(room + 1);
    let why = "the path has 108 bytes, 107 are allowed";
    let run = program("unix-echo-server").arg(&long).assert();
    run.code(1)
        .stdout("")
        .stderr(format!("unix-echo-server: listen unix {long}: {why}\n"));
    let run = client(&long, "stream").arg("hello").assert();
    run.code(1)
        .stdout("")
        .stderr(format!("unix-echo-client: connect unix {long}: {why}\n"));
}

#[test]
fn an_abstract_name_needs_no_file() {
    let name = format!("@groundwire-cli-tests-{}", std::process::id());
    for (kind, _) in TYPES {
        let server = Server::unix(&name, &["--type", kind]);
        assert_eq!(server.address, name);
        client(&name, kind)
            .arg("hello")
            .assert()
            .success()
            .stdout("->: hello\n");
        assert!(!fs::exists(&name).unwrap());
        server.stop();
    }
}

#[test]
fn permissions_are_the_bits_of_the_file() {
    for bits in [0o600, 0o660, 0o777] {
        let (_folder, path) = place();
        let _server = Server::unix(&path, &["--permissions", &format!("{bits:o}")]);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, bits);
    }
}

/// The program run by one whom file permissions bind; `None` where there is no such user.
fn as_nobody(name: &str, args: &[&str]) -> Option<Output> {
    let run = path(name);
    let mut command = StdCommand::new(&run);
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        if !installed("setpriv") {
            return None;
        }
        command = StdCommand::new("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&run);
        let mut probe = StdCommand::new("setpriv");
        probe.args(command.get_args()).arg("--version");
        if !probe.output().is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: another user may not run {}", run.display());
            return None;
        }
    }
    Some(command.args(args).output().unwrap())
}

#[test]
fn a_denied_permission_is_told() {
    let (folder, path) = place();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let _server = Server::unix(&path, &["--permissions", "0"]);
    let Some(output) = as_nobody("unix-echo-client", &[&path, "hello"]) else {
        return;
    };
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(
        stderr,
        format!("unix-echo-client: connect unix {path}: permission denied\n")
    );

    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o500)).unwrap();
    let other = format!("{path}-2");
    let output = as_nobody("unix-echo-server", &[&other]).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(
        stderr,
        format!("unix-echo-server: listen unix {other}: permission denied\n")
    );
}

#[test]
fn a_client_of_another_type_is_told_so() {
    let (_folder, path) = place();
    let _server = Server::unix(&path, &["--type", "stream"]);
    for kind in ["datagram", "seqpacket"] {
        let output = client(&path, kind).arg("hello").output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{kind}: {stderr}");
        assert!(
            stderr.ends_with("protocol wrong type for socket\n"),
            "{kind}: {stderr}"
        );
    }
}

#[test]
fn the_words_that_stop_work_on_records_as_on_lines() {
    for kind in ["stream", "seqpacket"] {
        let (_folder, path) = place();
        let server = Server::unix(&path, &["--type", kind, "--stop-word", "END"]);
        let run = client(&path, kind)
            .args(["--stop-word", "END"])
            .write_stdin("a\nEND\n")
            .assert();
        run.success().stdout("->: a\n->: END\n");
        let ended = server.end();
        assert_eq!(ended.code, Some(0), "{kind}: {ended:?}");
        assert_eq!(
            ended.stdout,
            ["served 1, active 0, refused 0, failed 0"],
            "{kind}"
        );
        assert!(!fs::exists(&path).unwrap(), "{kind}");
    }
}

#[test]
fn options_about_connections_are_refused_for_datagrams() {
    let (_folder, path) = place();
    for options in [
        &["--once"][..],
        &["--stop-word", "STOP"],
        &["--stop-connection-word", "BYE"],
        &["--mode", "pool"],
        &["--workers", "4"],
        &["--queue", "64"],
        &["--scheduling", "auto"],
        &["--idle-timeout", "5m"],
        &["--write-timeout", "1s"],
        &["--max-connections", "10"],
        &["--drain", "1s"],
    ] {
        let run = program("unix-echo-server")
            .args(["-T", "datagram", &path])
            .args(options)
            .assert();
        let says = format!("{}: datagrams have no connection", options[0]);
        let stderr = String::from_utf8(run.code(2).stdout("").get_output().stderr.clone());
        assert!(stderr.unwrap().contains(&says), "{options:?}");
    }
}

#[test]
fn a_half_closed_stream_gets_its_whole_echo() {
    let (_folder, path) = place();
    let server = Server::unix(&path, &[]);
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"one\ntwo\nrest").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut echo = Vec::new();
    stream.read_to_end(&mut echo).unwrap();
    assert_eq!(echo, b"one\ntwo\nrest");
    assert_eq!(server.stop(), "served 1, active 0, refused 0, failed 0");
}
