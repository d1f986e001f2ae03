//! Other people's programs at the other end: netcat-openbsd, socat, curl, where they are installed.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command as StdCommand};

use assert_cmd::Command;
use groundwire_cli_tests::{PATIENCE, Server, eventually, free_port, installed, path, program};

/// netcat in OpenBSD's version: others have other options.
fn has_nc() -> bool {
    if !installed("nc") {
        return false;
    }
    let help = StdCommand::new("nc").arg("-h").output().unwrap();
    let open = String::from_utf8_lossy(&[help.stdout, help.stderr].concat()).contains("OpenBSD");
    if !open {
        eprintln!("skipped: nc is not netcat-openbsd");
    }
    open
}

fn tool(name: &str, args: &[&str]) -> Command {
    let mut tool = Command::new(name);
    tool.timeout(PATIENCE).args(args);
    tool
}

/// Killed by its own handle at the end.
struct Peer(Child);

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn nc_half_closes_and_gets_the_whole_echo() {
    if !has_nc() {
        return;
    }
    let server = Server::tcp(&[]);
    // Far more than one buffer holds, and no line feed at the end.
    let text = "a line for the echo\n".repeat(100_000) + "and a rest";
    let run = tool("nc", &["-N", "127.0.0.1", server.port()])
        .write_stdin(text.clone())
        .output();
    let output = run.unwrap();
    assert!(output.status.success(), "{:?}", output.status);
    assert!(
        output.stdout == text.as_bytes(),
        "{} of {} bytes",
        output.stdout.len(),
        text.len()
    );
    assert_eq!(server.stop(), "served 1, active 0, refused 0, failed 0");
}

#[test]
fn nc_looks_whether_the_port_is_open_and_nothing_happens() {
    if !has_nc() {
        return;
    }
    let server = Server::tcp(&[]);
    for _ in 0..3 {
        tool("nc", &["-z", "127.0.0.1", server.port()])
            .assert()
            .success();
    }
    tool("nc", &["-N", "127.0.0.1", server.port()])
        .write_stdin("hello\n")
        .assert()
        .stdout("hello\n");
}

#[test]
fn nc_talks_to_the_unix_server() {
    if !has_nc() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket").to_str().unwrap().to_string();
    let _server = Server::unix(&path, &[]);
    let run = tool("nc", &["-N", "-U", &path])
        .write_stdin("one\ntwo\n")
        .assert();
    run.success().stdout("one\ntwo\n");
}

#[test]
fn nc_talks_to_the_udp_server() {
    if !has_nc() {
        return;
    }
    let server = Server::udp(&[]);
    // Without an end in UDP, nc listens for a second of silence.
    let run = tool("nc", &["-u", "-w1", "127.0.0.1", server.port()])
        .write_stdin("hello\n")
        .assert();
    run.stdout("hello\n");
    assert_eq!(server.stop(), "received 1, replied 1, refused 0, failed 0");
}

#[test]
fn socat_talks_to_servers_of_every_kind() {
    if !installed("socat") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let (tcp, udp) = (Server::tcp(&[]), Server::udp(&[]));
    let stream = Server::unix(&path("stream"), &[]);
    let seqpacket = Server::unix(&path("seqpacket"), &["--type", "seqpacket"]);
    let datagram = Server::unix(&path("datagram"), &["--type", "datagram"]);
    let addresses = [
        format!("TCP:{}", tcp.address),
        format!("UDP:{}", udp.address),
        format!("UNIX-CONNECT:{}", stream.address),
        format!("UNIX-CONNECT:{},type=5", seqpacket.address),
        format!("UNIX-SENDTO:{},bind={}", datagram.address, path("client")),
    ];
    for address in addresses {
        // `-t`: after the end of its input, how long it listens on where there is no end to come.
        let run = tool("socat", &["-t1", "-", &address])
            .write_stdin("hello\n")
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.stdout, b"hello\n", "{address}: {stderr}");
    }
}

#[test]
fn the_tcp_client_talks_to_a_server_of_socats() {
    if !installed("socat") {
        return;
    }
    let free = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let listen = format!("TCP-LISTEN:{},bind=127.0.0.1,reuseaddr,fork", free.port());
    let _peer = Peer(
        StdCommand::new("socat")
            .args([&listen, "EXEC:cat"])
            .spawn()
            .unwrap(),
    );
    eventually("socat listens", || TcpStream::connect(free).is_ok());
    let mut client = program("tcp-echo-client");
    let run = client
        .arg(free.to_string())
        .write_stdin("one\ntwo\nSTOP\n")
        .assert();
    run.success().stdout("->: one\n->: two\n->: STOP\n");
}

#[test]
fn the_unix_client_talks_to_a_server_of_socats() {
    if !installed("socat") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listen = format!("UNIX-LISTEN:{},fork", path.display());
    let _peer = Peer(
        StdCommand::new("socat")
            .args([&listen, "EXEC:cat"])
            .spawn()
            .unwrap(),
    );
    eventually("socat listens", || UnixStream::connect(&path).is_ok());
    let run = program("unix-echo-client")
        .arg(&path)
        .args(["hello", "socat"])
        .assert();
    run.success().stdout("->: hello socat\n");
}

#[test]
fn on_a_terminal_the_client_prompts() {
    if !installed("socat") {
        return;
    }
    let server = Server::tcp(&[]);
    // Quoted, since socat reads the colon of an address as its own; and found by PATH, since socat
    // divides the command at its spaces.
    let client = format!("EXEC:'tcp-echo-client {}',pty,rawer", server.address);
    let client_path = path("tcp-echo-client");
    let programs = client_path.parent().unwrap().to_str().unwrap();
    let all = format!("{programs}:{}", std::env::var("PATH").unwrap());
    let run = tool("socat", &["-t20", "-", &client])
        .env("PATH", all)
        .write_stdin("hello\nSTOP\n")
        .output()
        .unwrap();
    let shown = String::from_utf8(run.stdout).unwrap();
    assert_eq!(shown, ">> ->: hello\n>> ->: STOP\n");
}

#[test]
fn curl_reads_the_metrics() {
    if !installed("curl") {
        return;
    }
    let server = Server::udp(&["--metrics", "127.0.0.1:0"]);
    let second = server.line().unwrap();
    let url = second.strip_prefix("metrics on ").unwrap();
    program("udp-echo-client")
        .args([&server.address, "hello"])
        .assert()
        .success();
    let page = tool(
        "curl",
        &["--fail", "--silent", "--show-error", "--noproxy", "*", url],
    )
    .output()
    .unwrap();
    assert!(
        page.status.success(),
        "{}",
        String::from_utf8_lossy(&page.stderr)
    );
    let page = String::from_utf8(page.stdout).unwrap();
    assert!(
        page.contains("\ngroundwire_datagrams_received_total 1\n"),
        "{page}"
    );
    assert!(
        page.contains("\ngroundwire_datagrams_replied_total 1\n"),
        "{page}"
    );
    let missing = url.replace("/metrics", "/elsewhere");
    tool("curl", &["--fail", "--silent", "--noproxy", "*", &missing])
        .assert()
        .code(22);
}
