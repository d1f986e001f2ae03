//! unix-echo-server and unix-echo-client: three types of socket, and the file between them.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::process::{Command as StdCommand, Output, Stdio};

use assert_cmd::Command;
use groundwire_cli_tests::{
    PATIENCE, Running, Server, eventually, installed, path, program, signal,
};
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

#[test]
fn permissions_are_digits() {
    let (_folder, path) = place();
    for bad in ["+600", "0o600", "1000", "8"] {
        let args = ["--permissions", bad, &path];
        let told = format!("unix-echo-server: --permissions {bad}: must be octal, 0 to 777");
        let hint = "Try 'unix-echo-server --help' for more information.";
        let mut server = program("unix-echo-server");
        let run = server.args(args).assert();
        run.code(2).stderr(format!("{told}\n{hint}\n"));
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
fn a_client_of_datagrams_needs_no_right_to_the_servers_folder() {
    let (folder, path) = place();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let args = ["--type", "datagram", "--permissions", "666"];
    let _server = Server::unix(&path, &args);
    let ask = ["--type", "datagram", &path, "hello"];
    let Some(output) = as_nobody("unix-echo-client", &ask) else {
        return;
    };
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert_eq!(output.stdout, b"->: hello\n");
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

#[test]
fn a_high_limit_on_records_costs_nothing_until_they_come() {
    let (_folder, path) = place();
    let args = [&path, "--type", "seqpacket", "--max-line", "1GiB"];
    // 2 GB of address space, less than two of the largest records.
    let server = Running::start_after("ulimit -v 2000000", "unix-echo-server", &args);
    let server = Server::announced_by(server);
    let idle: Vec<_> = (0..8)
        .map(|_| {
            let mut client = StdCommand::new(self::path("unix-echo-client"))
                .args(["--type", "seqpacket", &path])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let input = client.stdin.as_mut().unwrap();
            input.write_all(b"hello\n").unwrap();
            let mut reply = [0; 10];
            client
                .stdout
                .as_mut()
                .unwrap()
                .read_exact(&mut reply)
                .unwrap();
            client
        })
        .collect();
    let long = "x".repeat(100_000);
    let mut asked = client(&path, "seqpacket");
    asked.args(["--check", "--max-line", "1MiB"]);
    asked.write_stdin(long).assert().success();
    for client in idle {
        client.wait_with_output().unwrap();
    }
    assert_eq!(server.stop(), "served 9, active 0, refused 0, failed 0");
}

/// The memory that a process has in use, in KiB.
fn resident(pid: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let size = line.unwrap().split_whitespace().nth(1);
    size.unwrap().parse().unwrap()
}

#[test]
fn a_silent_connection_gives_back_the_memory_of_a_long_line() {
    let (_folder, path) = place();
    // So that what is freed leaves the process, where the test can see it, and is not kept for the
    // next allocation.
    let before = "export MALLOC_MMAP_THRESHOLD_=16384";
    let server = Server::announced_by(Running::start_after(before, "unix-echo-server", &[&path]));
    let ask = |stream: &mut UnixStream, line: &[u8]| {
        stream.write_all(line).unwrap();
        let mut echo = vec![0; line.len()];
        stream.read_exact(&mut echo).unwrap();
        assert_eq!(echo, line);
    };
    let mut peers: Vec<UnixStream> = (0..100)
        .map(|_| UnixStream::connect(&path).unwrap())
        .collect();
    peers.iter_mut().for_each(|peer| ask(peer, b"short\n"));
    let usual = resident(server.pid());
    let long = [&[b'x'; 60_000][..], b"\n"].concat();
    peers.iter_mut().for_each(|peer| ask(peer, &long));
    let given_back = || resident(server.pid()) < usual + 3_000;
    eventually("most of 100 times 64 KiB are given back", given_back);
    peers.iter_mut().for_each(|peer| ask(peer, &long));
    drop(peers);
    assert_eq!(server.stop(), "served 100, active 0, refused 0, failed 0");
}

#[test]
fn a_path_cannot_forge_a_line_or_steer_the_terminal() {
    let (folder, _) = place();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    for (name, shown) in [
        ("n\nlistening on x", "n\\nlistening on x"),
        ("\x1b[31m\u{202e}", "\\u001b[31m\\u202e"),
    ] {
        let server = Server::unix(&path(name), &[]);
        assert_eq!(server.address, format!("\"{}\"", path(shown)));
        let run = program("unix-echo-server").arg(path(name)).assert();
        let stderr = String::from_utf8(run.get_output().stderr.clone()).unwrap();
        assert_eq!(stderr.lines().count(), 1, "{stderr:?}");
        assert!(!stderr.contains('\x1b'), "{stderr:?}");
        server.stop();
    }
    let server = Server::unix(&path("two words"), &[]);
    assert_eq!(server.address, path("two words"));
}

#[test]
fn a_path_need_not_be_utf_8() {
    let (folder, _) = place();
    let path = folder.path().join(OsStr::from_bytes(b"s-\xff"));
    for (kind, network) in TYPES {
        let mut server = StdCommand::new(self::path("unix-echo-server"))
            .args(["--type", kind])
            .arg(&path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        let mut lines = BufReader::new(server.stdout.take().unwrap());
        lines.read_line(&mut first).unwrap();
        let mut client = program("unix-echo-client");
        let run = client.args(["--type", kind]).arg(&path).arg("hello");
        run.assert().success().stdout("->: hello\n");
        let mut load = program("loadgen");
        let run = load.args(["-n", "10", "-w", "0", network]).arg(&path);
        run.assert().success();
        signal(server.id(), "TERM");
        assert!(server.wait().unwrap().success(), "{kind}");
        assert!(!path.exists(), "{kind}");
    }
}
