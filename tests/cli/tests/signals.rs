//! How servers end: SIGINT and SIGTERM, draining, a second signal.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use groundwire_cli_tests::{
    Running, Server, announced, ask, connect, eventually, hangups_are_ignored, named_pipe,
    namespace, path, program, signal,
};

/// `open(2)`; the number is the same on all but a few old architectures.
const O_NONBLOCK: i32 = 0o4000;

#[test]
fn either_signal_ends_a_server_with_0_and_its_totals() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let path = path.to_str().unwrap();
    let cases: [(&str, &[&str], &str); 6] = [
        (
            "tcp-echo-server",
            &["127.0.0.1:0"],
            "served 0, active 0, refused 0, failed 0",
        ),
        (
            "tcp-echo-server",
            &["127.0.0.1:0", "--mode", "serial"],
            "served 0, active 0, refused 0, failed 0",
        ),
        (
            "tcp-echo-server",
            &["127.0.0.1:0", "--mode", "pool"],
            "served 0, active 0, refused 0, failed 0",
        ),
        (
            "udp-echo-server",
            &["127.0.0.1:0", "--sockets", "2"],
            "received 0, replied 0, refused 0, failed 0",
        ),
        (
            "unix-echo-server",
            &[path],
            "served 0, active 0, refused 0, failed 0",
        ),
        (
            "unix-echo-server",
            &["--type", "datagram", path],
            "received 0, replied 0, refused 0, failed 0",
        ),
    ];
    for (program, args, totals) in cases {
        for name in ["TERM", "INT"] {
            let server = Server::start(program, args);
            server.signal(name);
            let ended = server.end();
            assert_eq!(ended.code, Some(0), "{program} {args:?} {name}: {ended:?}");
            assert_eq!(ended.stdout, [totals], "{program} {args:?} {name}");
            assert_eq!(ended.stderr, "", "{program} {args:?} {name}");
        }
    }
}

#[test]
fn a_line_that_was_sent_before_the_signal_is_echoed() {
    for mode in ["serial", "threads", "pool"] {
        let server = Server::tcp(&["--mode", mode]);
        let mut stream = connect(&server.address);
        // So the connection is accepted; a line that nobody has accepted is nobody's.
        assert_eq!(ask(&mut stream, "first"), "first", "{mode}");
        stream.write_all(b"second\nthird, without an end").unwrap();
        server.signal("TERM");
        let mut echo = Vec::new();
        stream.read_to_end(&mut echo).unwrap();
        assert_eq!(
            String::from_utf8(echo).unwrap(),
            "second\nthird, without an end",
            "{mode}"
        );
        drop(stream);
        let ended = server.end();
        assert_eq!(ended.code, Some(0), "{mode}: {ended:?}");
        assert_eq!(
            ended.stdout,
            ["served 1, active 0, refused 0, failed 0"],
            "{mode}"
        );
    }
}

#[test]
fn every_connection_is_drained_the_idle_ones_too() {
    let server = Server::tcp(&[]);
    let mut streams: Vec<TcpStream> = (0..20).map(|_| connect(&server.address)).collect();
    for stream in &mut streams {
        assert_eq!(ask(stream, "here"), "here");
    }
    for (number, stream) in streams.iter_mut().enumerate().step_by(2) {
        // In one write: of two small ones the kernel may hold the second back (RFC 9293 §3.7.4).
        stream
            .write_all(format!("last of {number}\n").as_bytes())
            .unwrap();
    }
    server.signal("INT");
    for (number, mut stream) in streams.into_iter().enumerate() {
        let mut echo = String::new();
        stream.read_to_string(&mut echo).unwrap();
        let expected = if number % 2 == 0 {
            format!("last of {number}\n")
        } else {
            String::new()
        };
        assert_eq!(echo, expected);
    }
    let ended = server.end();
    assert_eq!(
        ended.stdout,
        ["served 20, active 0, refused 0, failed 0"],
        "{ended:?}"
    );
}

/// A server one of whose handlers cannot finish: with `-v` it is about to show a line that is
/// longer than the pipe holds, to a reader that does not read.
fn stuck(drain: &str) -> (Running, String, impl Sized) {
    let args = ["127.0.0.1:0", "-v", "--drain", drain, "--max-line", "1MiB"];
    let (running, mut stdout) = Running::start_unread("tcp-echo-server", &args);
    let mut until = |end: &str| {
        let mut text = String::new();
        while !text.ends_with(end) {
            let mut byte = [0];
            stdout.read_exact(&mut byte).unwrap();
            text.push(char::from(byte[0]));
        }
        text
    };
    let (_, address) = announced(until("\n").trim_end());
    let mut stream = connect(&address);
    let mut line = vec![b'x'; 500_000];
    line.push(b'\n');
    stream.write_all(&line).unwrap();
    until("-> ");
    (running, address, (stdout, stream))
}

#[test]
fn a_second_signal_ends_the_draining_at_once_with_128_and_its_number() {
    for (first, second, code) in [
        ("TERM", "TERM", 143),
        ("INT", "INT", 130),
        ("TERM", "INT", 130),
    ] {
        let (server, address, held) = stuck("60s");
        server.signal(first);
        let begun = Instant::now();
        eventually("the server listens no more", || {
            TcpStream::connect(&address).is_err()
        });
        // The same signal within 200 ms counts as the first one.
        eventually("a quarter of a second has passed", || {
            begun.elapsed() > Duration::from_millis(250)
        });
        server.signal(second);
        let ended = server.end();
        assert_eq!(ended.code, Some(code), "{first}, {second}: {ended:?}");
        drop(held);
    }
}

#[test]
fn a_reader_of_the_output_that_has_stopped_reading_does_not_keep_the_server_from_ending() {
    let (server, _, held) = stuck("300ms");
    server.signal("TERM");
    let ended = server.end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let says = "standard output: nobody reads it, the totals are not printed\n";
    assert!(ended.stderr.ends_with(says), "{ended:?}");
    drop(held);
}

#[test]
fn nor_does_it_keep_a_server_of_datagrams() {
    let args = ["127.0.0.1:0", "-v"];
    let (server, mut stdout) = Running::start_unread("udp-echo-server", &args);
    let mut first = Vec::new();
    while first.last() != Some(&b'\n') {
        let mut byte = [0];
        stdout.read_exact(&mut byte).unwrap();
        first.push(byte[0]);
    }
    let first = String::from_utf8(first).unwrap();
    let (_, address) = announced(first.trim_end());
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    // Two of these fill the pipe, if the second is not echoed. Datagrams may be lost: ask again.
    client
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let mut silent = 0;
    while silent < 3 {
        client.send_to(&[b'x'; 60_000], &address).unwrap();
        silent = if client.recv(&mut [0; 60_000]).is_ok() {
            0
        } else {
            silent + 1
        };
    }
    server.signal("TERM");
    let ended = server.end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    drop(stdout);
}

/// A new pipe: its writer, to fill it, and its reader, who does not read.
fn unread_pipe(pipe: &Path) -> File {
    named_pipe(pipe);
    let mut full = File::options();
    full.read(true).write(true).custom_flags(O_NONBLOCK);
    full.open(pipe).unwrap()
}

#[test]
fn a_reader_of_the_log_that_has_stopped_reading_does_not_keep_it_either() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("log");
    let mut full = unread_pipe(&pipe);
    let before = format!("exec 2>'{}'", pipe.display());
    let data = folder.path().join("data").display().to_string();
    let cases: [(&str, &[&str]); 6] = [
        ("tcp-echo-server", &["--drain", "0", "127.0.0.1:0"]),
        ("udp-echo-server", &["127.0.0.1:0"]),
        ("dns-server", &["--drain", "0", "--listen", "127.0.0.1:0"]),
        (
            "load-balancer",
            &[
                "--drain",
                "0",
                "--listen",
                "127.0.0.1:0",
                "--backend",
                "http://127.0.0.1:1",
            ],
        ),
        (
            "kv-server",
            &[
                "--drain",
                "0",
                "--listen",
                "127.0.0.1:0",
                "--id",
                "1",
                "--data",
                &data,
            ],
        ),
        ("wiretap", &["--drain", "0", "127.0.0.1:0", "127.0.0.1:1"]),
    ];
    let servers = cases.map(|(name, args)| {
        let args = [&["--log", "json"], args].concat();
        let server = Running::start_after(&before, name, &args);
        announced(&server.line().unwrap());
        server
    });
    while full.write(&[b'x'; 4096]).is_ok() {}
    for server in &servers {
        server.signal("TERM");
    }
    for server in servers {
        let ended = server.end();
        assert_eq!(ended.code, Some(1), "{ended:?}");
    }
}

#[test]
fn an_end_at_once_leaves_no_temporary_folder_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (pipe, among) = (folder.path().join("log"), folder.path().join("tmp"));
    std::fs::create_dir(&among).unwrap();
    // Nobody reads the log, so an end in order would take its time.
    let mut full = unread_pipe(&pipe);
    let before = format!(
        "export TMPDIR='{}'; exec 2>'{}'",
        among.display(),
        pipe.display()
    );
    let args = ["--local-cluster=1", "--listen=127.0.0.1:0", "--log=json"];
    let server = Running::start_after(&before, "kv-server", &args);
    let (_, address) = announced(&server.line().unwrap());
    let put = ["--servers", &address, "put", "key", "value"];
    program("kv-client").args(put).assert().success();
    while full.write(&[b'x'; 4096]).is_ok() {}
    let inside = || std::fs::read_dir(&among).unwrap().count();
    assert_eq!(inside(), 1);
    server.signal("TERM");
    server.signal("INT");
    let ended = server.end();
    assert!(matches!(ended.code, Some(130 | 143)), "{ended:?}");
    assert_eq!(inside(), 0);
}

#[test]
fn the_same_signal_twice_at_once_is_one() {
    for name in ["TERM", "HUP"] {
        if name == "HUP" && hangups_are_ignored() {
            println!("skipped: started under nohup, which its child respects");
            continue;
        }
        let (server, address, held) = stuck("60s");
        server.signal(name);
        eventually("the server listens no more", || {
            TcpStream::connect(&address).is_err()
        });
        server.signal(name);
        drop(held);
        let ended = server.end();
        assert_eq!(ended.code, Some(0), "{name}: {ended:?}");
    }
}

#[test]
fn a_server_whose_terminal_is_closed_removes_its_socket_file_and_prints_its_totals() {
    if hangups_are_ignored() {
        return println!("skipped: started under nohup, which its child respects");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let server = Server::unix(path.to_str().unwrap(), &[]);
    let ended = server.end_by("HUP");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, ["served 0, active 0, refused 0, failed 0"]);
    assert!(!path.exists());
}

#[test]
fn a_log_file_that_may_not_grow_any_more_does_not_end_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    // SIGXFSZ, which a write past the limit brings, would. The log is a line for each connection.
    let limit = format!("ulimit -f 1; exec 2>'{}'", log.display());
    let args = ["-v", "127.0.0.1:0"];
    let limited = Running::start_after(&limit, "tcp-echo-server", &args);
    let server = Server::announced_by(limited);
    for _ in 0..20 {
        let mut stream = connect(&server.address);
        assert_eq!(ask(&mut stream, "still here"), "still here");
    }
    let length = std::fs::metadata(&log).unwrap().len();
    assert!(
        length > 0 && length % 512 == 0,
        "the limit was met: {length}"
    );
    let ended = server.end_by("TERM");
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn nor_does_a_warning_to_such_a_file_before_the_server_has_bound() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    // So few descriptors are worth a warning.
    let limits = format!("ulimit -f 0; ulimit -n 100; exec 2>'{}'", log.display());
    let limited = Running::start_after(&limits, "dns-server", &["--listen", "127.0.0.1:0"]);
    let ended = Server::announced_by(limited).end_by("TERM");
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn a_signal_during_the_start_leaves_no_socket_file_behind() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("socket");
    for _ in 0..40 {
        let server = Running::start("unix-echo-server", &[file.to_str().unwrap()]);
        let ended = server.end_by("TERM");
        assert!(!file.exists(), "{ended:?}");
    }
}

/// Each looks a name up, mostly its own, at a name server that is not there, which takes it some ten
/// seconds; the signal comes when it has asked. A look-up that came to its end would end it with
/// status 1.
const LOOKING_UP: &str = "
echo nameserver 10.9.1.77 > /run/resolv.conf
mount --bind /run/resolv.conf /etc/resolv.conf 2>/dev/null || exit 0
interrupted() {
    \"$@\" </dev/null & pid=$!
    until grep -q ' 4D01090A:0035 ' /proc/net/udp || ! kill -0 $pid 2>/dev/null; do :; done
    kill -TERM $pid; wait $pid; echo $1 $?
}
interrupted tcp-echo-server dead.test:0
interrupted udp-echo-server dead.test:0
interrupted message-server dead.test:0
interrupted rpc-server dead.test:0
interrupted http-backend dead.test:0
interrupted dns-server --listen dead.test:5300
interrupted kv-server --local-cluster 1 --listen dead.test:7301
interrupted kv-server --id 1 --data /run/kv --listen dead.test:7301
interrupted wiretap dead.test:7000 127.0.0.1:1
interrupted netcat -l dead.test 7000
interrupted load-balancer --listen dead.test:8080 --backend http://127.0.0.1:1
interrupted load-balancer --listen :8080 --backend http://dead.test:1
interrupted load-balancer --listen unix:/run/balancer --backend http://dead.test:1
test ! -e /run/balancer || echo /run/balancer is left
";

#[test]
fn a_signal_ends_a_server_that_looks_a_name_up_at_once() {
    let Some(printed) = namespace::run(LOOKING_UP).filter(|printed| !printed.is_empty()) else {
        return;
    };
    let killed = |name| format!("{name} 143\n");
    let names = LOOKING_UP.lines();
    let names = names.filter_map(|line| line.strip_prefix("interrupted ")?.split(' ').next());
    let expected: String = names.map(killed).collect();
    let printed: String = printed
        .lines()
        .filter(|line| !line.is_empty() && !line.contains("Terminated"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(printed, expected);
}

#[test]
fn a_server_that_was_started_with_hangups_ignored_goes_on() {
    let program = path("tcp-echo-server");
    let mut child = Command::new("sh")
        .args(["-c", "trap '' HUP; exec \"$0\" 127.0.0.1:0"])
        .arg(program)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let (_, address) = announced(line.trim_end());
    signal(child.id(), "HUP");
    assert_eq!(ask(&mut connect(&address), "still here"), "still here");
    signal(child.id(), "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn while_it_drains_the_port_refuses_newcomers_and_the_old_ones_finish() {
    let (server, address, held) = stuck("60s");
    server.signal("TERM");
    eventually("the server listens no more", || {
        TcpStream::connect(&address).is_err()
    });
    let next = Server::start("tcp-echo-server", &[&address]);
    assert_eq!(
        ask(&mut connect(&next.address), "the next server"),
        "the next server"
    );
    drop(held); // its reader gone, the line is shown to nobody, and the handler goes on
    let ended = server.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
}
