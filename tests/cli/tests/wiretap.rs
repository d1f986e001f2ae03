//! wiretap: what it prints, and its capture files before the judges: tshark and tcpdump.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use groundwire_cli_tests::{
    PATIENCE, Running, Server, announced, eventually, free_port, installed, named_pipe, program,
};

/// Starts a tap of `target` on a port of its own.
fn tap(target: &str, args: &[&str]) -> Server {
    Server::start("wiretap", &[args, &["127.0.0.1:0", target]].concat())
}

fn connect(server: &Server) -> TcpStream {
    let conn = TcpStream::connect(&server.address).unwrap();
    conn.set_read_timeout(Some(PATIENCE)).unwrap();
    conn
}

/// Says something to an echo server, half-closes, and reads to the end.
fn ask(mut conn: impl Read + Write, end: impl FnOnce(), bytes: &[u8]) -> Vec<u8> {
    conn.write_all(bytes).unwrap();
    end();
    let mut answer = Vec::new();
    conn.read_to_end(&mut answer).unwrap();
    answer
}

fn ask_tcp(server: &Server, bytes: &[u8]) -> Vec<u8> {
    let conn = connect(server);
    let half = conn.try_clone().unwrap();
    ask(conn, || half.shutdown(Shutdown::Write).unwrap(), bytes)
}

fn judged(file: &Path, args: &[&str]) -> Vec<String> {
    let output = Command::new("tshark")
        .arg("-r")
        .arg(file)
        .args(args)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(String::from).collect()
}

/// Wireshark has nothing to say (but that a reset is one), and tcpdump finds all checksums right.
fn assert_clean(file: &Path, packets: usize) {
    if installed("tshark") {
        let checks = [
            "-o",
            "tcp.check_checksum:TRUE",
            "-o",
            "ip.check_checksum:TRUE",
        ];
        let udp = ["-o", "udp.check_checksum:TRUE"];
        let wrong = "(_ws.malformed || _ws.expert.severity >= 6291456 || \
                     tcp.checksum.status == 0 || ip.checksum.status == 0 || \
                     udp.checksum.status == 0) && !(tcp.flags.reset == 1)";
        let found = judged(file, &[&checks[..], &udp, &["-Y", wrong]].concat());
        assert_eq!(found, Vec::<String>::new());
        assert_eq!(judged(file, &[]).len(), packets);
    }
    if installed("tcpdump") {
        let output = Command::new("tcpdump")
            .args(["-vvnr"])
            .arg(file)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(
            !text.contains("incorrect") && !text.contains("bad cksum"),
            "{text}"
        );
    }
}

#[test]
fn what_passes_is_shown_line_by_line_and_the_totals_are_last() {
    let echo = Server::tcp(&[]);
    let mut tap = tap(&echo.address, &[]);
    assert_eq!(
        ask_tcp(&tap, b"hello\nwor\x1b[1mld"),
        b"hello\nwor\x1b[1mld"
    );
    let mut shown: Vec<String> = (0..7).map(|_| tap.next_line()).collect();
    for line in &mut shown {
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(time.parse::<f64>().is_ok(), "{line}");
        *line = rest.to_string();
    }
    assert!(shown[0].starts_with("#0 opened 127.0.0.1:"), "{shown:?}");
    assert!(shown[0].ends_with(&format!(" -> {}", echo.address)));
    shown.sort(); // lines of two directions
    for line in [
        "#0 -> hello",
        "#0 -> wor\\u{1b}[1mld",
        "#0 -> end",
        "#0 <- hello",
        "#0 <- end",
    ] {
        assert!(shown.iter().any(|one| one == line), "{line} in {shown:?}");
    }
    let ended = tap.end_by("TERM");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let totals = "served 1, active 0, refused 0, failed 0; 15 bytes to the target, 15 to clients";
    assert_eq!(ended.stdout.last().map(String::as_str), Some(totals));
}

#[test]
fn a_capture_of_streams_is_clean_before_tshark_and_tcpdump_and_holds_what_passed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tap.pcap");
    let echo = Server::tcp(&[]);
    let tap = tap(
        &echo.address,
        &["--show", "none", "-w", file.to_str().unwrap()],
    );
    let bytes: Vec<u8> = (0..100_000_u32).map(|n| b'a' + (n % 23) as u8).collect();
    let mut lines = bytes.clone();
    lines.iter_mut().step_by(80).for_each(|byte| *byte = b'\n');
    assert!(ask_tcp(&tap, &lines) == lines);
    ask_tcp(&tap, b"once more");
    let ended = tap.end_by("INT");
    let last = ended.stdout.last().unwrap();
    let packets = last.split("; ").last().unwrap().split(' ').next().unwrap();
    assert_clean(&file, packets.parse().unwrap());
    if installed("tshark") {
        let follow = judged(&file, &["-q", "-z", "follow,tcp,raw,0"]);
        let hex: String = follow
            .iter()
            .filter(|line| !line.starts_with('\t'))
            .cloned()
            .collect();
        let sent: String = lines.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(
            hex.contains(&sent),
            "the stream put together is what was sent"
        );
        let fins = judged(&file, &["-Y", "tcp.flags.fin == 1"]);
        assert_eq!(fins.len(), 4, "{fins:?}");
    }
}

#[test]
fn resets_refusals_unix_sockets_and_datagrams_are_clean_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let text = |name: &str| path(name).to_str().unwrap().to_string();

    let nobody = format!("127.0.0.1:{}", free_port());
    let refused = tap(&nobody, &["-w", &text("refused.pcap")]);
    assert!(connect(&refused).read(&mut [0]).is_err());
    assert_eq!(refused.end_by("TERM").code, Some(0));
    assert_clean(&path("refused.pcap"), 2);

    let echo = Server::tcp(&[]);
    let resets = tap(
        &echo.address,
        &["--reset", "3", "-w", &text("reset.pcapng")],
    );
    let mut conn = connect(&resets);
    conn.write_all(b"hello\n").unwrap();
    assert!(conn.read_to_end(&mut Vec::new()).is_err());
    assert_eq!(resets.end_by("TERM").code, Some(0));
    assert_clean(&path("reset.pcapng"), 6);
    let section = fs::read(path("reset.pcapng")).unwrap();
    assert!(section.starts_with(b"\n\r\r\n"), "pcapng by its name");

    let unix = Server::unix(&text("echo.sock"), &[]);
    let (listen, file) = (text("tap.sock"), text("unix.pcap"));
    let through = Server::start("wiretap", &["-w", &file, &listen, &unix.address]);
    assert_eq!((&*through.network, &*through.address), ("unix", &*listen));
    let conn = UnixStream::connect(&listen).unwrap();
    let half = conn.try_clone().unwrap();
    assert_eq!(
        ask(conn, || half.shutdown(Shutdown::Write).unwrap(), b"hi\n"),
        b"hi\n"
    );
    assert_eq!(through.end_by("TERM").code, Some(0));
    assert_clean(&path("unix.pcap"), 11);
    assert!(!fs::exists(&listen).unwrap());

    let echo = Server::udp(&[]);
    let datagrams = tap(&echo.address, &["-u", "-w", &text("udp.pcap")]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    for length in [0, 1, 2, 3000] {
        socket
            .send_to(&vec![7; length], &datagrams.address)
            .unwrap();
        assert_eq!(socket.recv(&mut [0; 4000]).unwrap(), length);
    }
    let ended = datagrams.end_by("TERM");
    let totals =
        "clients 1, to target 4 (3003 bytes), to client 4 (3003 bytes), lost 0, failed 0; ";
    assert!(
        ended.stdout.last().unwrap().starts_with(totals),
        "{ended:?}"
    );
    assert_clean(&path("udp.pcap"), 8);
}

#[test]
fn a_datagram_whose_target_is_not_there_is_told_and_more_of_them_are_no_more_warnings() {
    let nobody = "/no/such.sock";
    let running = Running::start("wiretap", &["-v", "-u", "127.0.0.1:0", nobody]);
    let (_, address) = announced(&running.line().unwrap());
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let cause = format!("cause=\"connect unixgram {nobody}: no such file or directory\"");
    for level in ["WARN", "INFO", "INFO"] {
        socket.send_to(b"hello", &address).unwrap();
        let error = running.error_line().unwrap();
        assert!(error.contains(level), "{error}");
        assert!(error.ends_with(&cause), "{error}");
    }
    assert_eq!(running.end_by("TERM").code, Some(0));
}

#[test]
fn a_seed_is_printed_and_repeats_its_faults() {
    let echo = Server::tcp(&[]);
    let run = |seed: &str| {
        let mut tap = tap(&echo.address, &["--corrupt", "2%", "--seed", seed]);
        assert_eq!(tap.next_line(), format!("seed {seed}"));
        ask_tcp(&tap, &[b'a'; 1000])
    };
    let first = run("42");
    assert_ne!(first, [b'a'; 1000]);
    assert_eq!(run("42"), first);
    assert_ne!(run("43"), first);
}

#[test]
fn packets_are_shown_decoded() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = listener.local_addr().unwrap();
    let mut tap = tap(&target.to_string(), &["--show", "packets"]);
    let mut client = connect(&tap);
    client
        .write_all(b"GET /lesson HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    let lines: Vec<String> = (0..4).map(|_| tap.next_line()).collect();
    assert!(
        lines[0].contains("[SYN] Seq=0 Win=65535 Len=0 MSS=1460"),
        "{lines:?}"
    );
    assert!(
        lines[3].contains("HTTP") && lines[3].contains("GET /lesson HTTP/1.1"),
        "{lines:?}"
    );
}

#[test]
fn a_file_that_cannot_grow_is_told_once_ends_whole_and_the_relay_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tap.pcap");
    let echo = Server::tcp(&[]);
    // The nearest to a full disk that needs no privilege: a limit on the length of files.
    let args = [
        "--show",
        "none",
        "-w",
        file.to_str().unwrap(),
        "127.0.0.1:0",
        &echo.address,
    ];
    let limited = Running::start_after("ulimit -f 16", "wiretap", &args);
    let tap = Server::announced_by(limited);
    for _ in 0..3 {
        let bytes = vec![b'\n'; 60_000];
        assert!(ask_tcp(&tap, &bytes) == bytes);
    }
    let ended = tap.end_by("TERM");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let told = "the capture file ends here, the relay goes on";
    assert_eq!(ended.stderr.matches(told).count(), 1, "{}", ended.stderr);
    let why = "cause=\"file too large\"";
    assert!(ended.stderr.contains(why), "{}", ended.stderr);
    let last = ended.stdout.last().unwrap();
    assert!(
        last.starts_with("served 3, ") && last.contains("180000 to clients"),
        "{last}"
    );
    let packets = last.split("; ").last().unwrap().split(' ').next().unwrap();
    assert_clean(&file, packets.parse().unwrap());

    let full = program("wiretap")
        .args(["-w", "/dev/full", "127.0.0.1:0", &echo.address])
        .assert();
    full.code(1)
        .stderr("wiretap: writing /dev/full: no space left on device\n");
}

#[test]
fn a_signal_ends_a_tap_of_datagrams_though_nobody_reads_its_output() {
    let target = UdpSocket::bind("127.0.0.1:0").unwrap();
    let patience = std::time::Duration::from_millis(500);
    target.set_read_timeout(Some(patience)).unwrap();
    let address = target.local_addr().unwrap().to_string();
    let (tap, stdout) = Running::start_unread("wiretap", &["-u", "127.0.0.1:0", &address]);
    let mut stdout = BufReader::with_capacity(1, stdout);
    let mut first = String::new();
    stdout.read_line(&mut first).unwrap();
    let (_, listening) = announced(first.trim_end());
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    // Shown before it is passed on: once the pipe is full, the target hears nothing.
    let passes = std::iter::repeat_with(|| {
        client.send_to(&[b'x'; 30_000], &listening).unwrap();
        target.recv(&mut [0; 65_536]).is_ok()
    });
    assert!(passes.take(100).any(|passed| !passed));
    let ended = tap.end_by("TERM");
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let why = "wiretap: standard output: nobody reads it, the totals are not printed\n";
    assert_eq!(ended.stderr, why);
}

#[test]
fn a_signal_ends_a_tap_that_waits_for_the_reader_of_its_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    named_pipe(&pipe);
    let pipe = pipe.to_str().unwrap();
    let tap = Running::start("wiretap", &["-w", pipe, "127.0.0.1:0", "127.0.0.1:9"]);
    let status = format!("/proc/{}/status", tap.pid());
    eventually("it waits", || {
        fs::read_to_string(&status).unwrap().contains("State:\tS")
    });
    assert_eq!(tap.end_by("TERM").status.signal(), Some(15));
}

#[test]
fn wrong_calls_are_told() {
    for (args, says) in [
        (&["127.0.0.1:0"][..], "wiretap: TARGET: missing operand"),
        (
            &["--drop", "1%", "a:1", "b:1"],
            "wiretap: --drop: needs --udp",
        ),
        (
            &["-u", "--cut", "1", "a:1", "b:1"],
            "wiretap: --cut: datagrams have no connection",
        ),
        (
            &["--split", "0", "a:1", "b:1"],
            "wiretap: --split 0: must not be zero",
        ),
        (
            &["--as", "smtp", "a:1", "b:1"],
            "wiretap: --as smtp: must be dns, http, rpc, frames or data",
        ),
        (
            &["--as", "dns", "a:1", "b:1"],
            "wiretap: --as is for --show packets",
        ),
        (
            &["127.0.0.1:0", "b"],
            "wiretap: address b: the port is missing, write host:port",
        ),
        (
            &["127.0.0.1:0", "b:nosuch"],
            "wiretap: address b:nosuch: nosuch is neither a port number nor a known tcp service",
        ),
    ] {
        let output = program("wiretap").args(args).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.starts_with(says), "{stderr}");
    }
}
