//! udp-echo-server and udp-echo-client, and std sockets in the place of either.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::thread;

use assert_cmd::Command;
use groundwire_cli_tests::{PATIENCE, Server, program};

fn client(address: &str, args: &[&str]) -> Command {
    let mut client = program("udp-echo-client");
    client.args(args).arg(address);
    client
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn address(socket: &UdpSocket) -> String {
    socket.local_addr().unwrap().to_string()
}

/// What has come and was not taken.
fn waiting(socket: &UdpSocket) -> usize {
    socket.set_nonblocking(true).unwrap();
    let mut buffer = [0; 65_536];
    let count = std::iter::from_fn(|| socket.recv(&mut buffer).ok()).count();
    let error = socket.recv(&mut buffer).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    count
}

#[test]
fn words_and_lines_are_echoed() {
    let server = Server::udp(&["-v"]);
    assert_eq!(server.network, "udp");
    let run = client(&server.address, &[])
        .args(["hello,", "world"])
        .assert();
    run.success().stdout("->: hello, world\n").stderr("");
    let run = client(&server.address, &[])
        .write_stdin("a\n\nSTOP\nnever sent\n")
        .assert();
    run.success().stdout("->: a\n->: \n->: STOP\n");
    let shown: Vec<String> = (0..4).map(|_| server.line().unwrap()).collect();
    assert_eq!(shown, ["-> hello, world", "-> a", "-> ", "-> STOP"]);
    assert_eq!(server.stop(), "received 4, replied 4, refused 0, failed 0");
}

#[test]
fn the_largest_datagram_is_echoed_whole() {
    let server = Server::udp(&[]);
    let (largest, mut reply) = (vec![0xa5; 65_507], vec![0; 65_536]);
    let socket = socket();
    socket.send_to(&largest, &server.address).unwrap();
    let count = socket.recv(&mut reply).unwrap();
    assert!(reply[..count] == largest, "{count} bytes came back");

    let text = "0123456".repeat(65_507 / 7 + 1)[..65_507].to_string();
    let run = client(&server.address, &[])
        .write_stdin(text.clone())
        .assert();
    run.success().stdout(format!("->: {text}\n"));
}

#[test]
fn one_byte_more_than_udp_carries_is_a_failure() {
    let server = Server::udp(&[]);
    let run = client(&server.address, &[])
        .write_stdin("x".repeat(65_508))
        .assert();
    let says = format!(
        "udp-echo-client: udp {}: message too long\n",
        server.address
    );
    run.code(1).stdout("").stderr(says);
}

#[test]
fn each_asker_gets_its_own_reply_and_nobody_elses() {
    for sockets in ["1", "2"] {
        let server = Server::udp(&["--sockets", sockets]);
        let askers: Vec<UdpSocket> = (0..20).map(|_| socket()).collect();
        for (number, asker) in askers.iter().enumerate() {
            asker
                .send_to(format!("asker {number}").as_bytes(), &server.address)
                .unwrap();
        }
        let mut buffer = [0; 100];
        for (number, asker) in askers.iter().enumerate() {
            let (count, from) = asker.recv_from(&mut buffer).unwrap();
            assert_eq!(&buffer[..count], format!("asker {number}").as_bytes());
            assert_eq!(from.to_string(), server.address);
        }
        let totals = server.stop();
        assert_eq!(
            totals, "received 20, replied 20, refused 0, failed 0",
            "{sockets}"
        );
        // The server has ended, so nothing more can come.
        assert!(askers.iter().all(|asker| waiting(asker) == 0), "{sockets}");
    }
}

#[test]
fn an_empty_datagram_is_echoed_too() {
    let server = Server::udp(&[]);
    let socket = socket();
    socket.send_to(b"", &server.address).unwrap();
    assert_eq!(socket.recv(&mut [0; 10]).unwrap(), 0);
}

#[test]
fn a_taken_port_is_a_failure_and_nothing_is_announced() {
    let taken = socket();
    let at = address(&taken);
    let run = program("udp-echo-server").arg(&at).assert();
    let says = format!("udp-echo-server: listen udp {at}: address already in use\n");
    run.code(1).stdout("").stderr(says);
}

#[test]
fn a_port_where_nobody_listens_is_told_and_never_an_empty_reply() {
    let run = client("127.0.0.1:1", &[]).arg("hello").assert();
    run.code(1)
        .stdout("")
        .stderr("udp-echo-client: udp 127.0.0.1:1: connection refused\n");
}

#[test]
fn a_silent_peer_is_given_up_after_the_retries() {
    for (retries, attempts, says) in [("0", 1, "1 attempt"), ("2", 3, "3 attempts")] {
        let silent = socket();
        let at = address(&silent);
        let run = client(&at, &["--timeout", "100ms", "--retries", retries])
            .arg("hello")
            .assert();
        let says = format!("udp-echo-client: udp {at}: no reply after {says} of 100ms\n");
        run.code(1).stdout("").stderr(says);
        assert_eq!(waiting(&silent), attempts);
    }
}

#[test]
fn a_later_attempt_may_be_answered() {
    let peer = socket();
    let at = address(&peer);
    thread::spawn(move || {
        let mut buffer = [0; 100];
        peer.recv_from(&mut buffer).unwrap(); // "lost"
        while let Ok((count, asker)) = peer.recv_from(&mut buffer) {
            peer.send_to(&buffer[..count], asker).unwrap();
        }
    });
    let run = client(&at, &["-t", "200ms", "-r", "100"])
        .arg("hello")
        .assert();
    run.success().stdout("->: hello\n").stderr("");
}

#[test]
fn a_reply_from_a_strange_address_is_none() {
    let (asked, stranger) = (socket(), socket());
    let at = address(&asked);
    let replies = thread::spawn(move || {
        let mut buffer = [0; 100];
        let (count, asker) = asked.recv_from(&mut buffer).unwrap();
        stranger.send_to(&buffer[..count], asker).unwrap();
        asked
    });
    let run = client(&at, &["-t", "200ms", "-r", "0"])
        .arg("hello")
        .assert();
    let says = format!("udp-echo-client: udp {at}: no reply after 1 attempt of 200ms\n");
    run.code(1).stdout("").stderr(says);
    replies.join().unwrap();
}

#[test]
fn a_datagram_that_is_not_the_echo_is_passed_over() {
    let peer = socket();
    let at = address(&peer);
    let replies = thread::spawn(move || {
        let mut buffer = [0; 100];
        let (count, asker) = peer.recv_from(&mut buffer).unwrap();
        for strange in [&b""[..], b"hell", b"hello!"] {
            peer.send_to(strange, asker).unwrap();
        }
        peer.send_to(&buffer[..count], asker).unwrap();
    });
    client(&at, &["-r", "0", "-t", "20s"])
        .arg("hello")
        .assert()
        .success()
        .stdout("->: hello\n");
    replies.join().unwrap();
}

#[test]
fn the_access_list_decides_who_is_answered() {
    let server = Server::udp(&["-v", "--deny", "127.0.0.0/8"]);
    let run = client(&server.address, &["-t", "100ms", "-r", "1"])
        .arg("hello")
        .assert();
    run.code(1).stdout("");
    let log = server.error_line().unwrap();
    assert!(log.contains(" datagram dropped peer=127.0.0.1:"), "{log}");
    assert!(log.ends_with("why=\"denied by the access list\""), "{log}");
    assert_eq!(server.stop(), "received 2, replied 0, refused 2, failed 0");
}

#[test]
fn twice_verbose_logs_each_datagrams_peer_and_length_and_the_servers_life() {
    let server = Server::udp(&["-vv"]);
    client(&server.address, &[]).arg("hello").assert().success();
    let log = server.end_by("TERM").stderr;
    let lines: Vec<&str> = log.lines().collect();
    let [first, datagram, ended] = lines[..] else {
        panic!("{log}");
    };
    assert!(
        first.contains(" listening network=udp address=127.0.0.1:"),
        "{log}"
    );
    assert!(
        datagram.contains(" datagram received peer=127.0.0.1:"),
        "{log}"
    );
    assert!(datagram.ends_with(" bytes=5"), "{log}");
    assert!(
        ended.ends_with(" ended signal=SIGTERM received=1 replied=1 refused=0 failed=0"),
        "{log}"
    );
}

#[test]
fn a_peer_that_is_gone_does_not_end_the_server() {
    let server = Server::udp(&[]);
    for _ in 0..10 {
        // Gone before its reply comes: an ICMP error comes back to the server instead.
        socket().send_to(b"hello", &server.address).unwrap();
    }
    client(&server.address, &[])
        .arg("still here")
        .assert()
        .success()
        .stdout("->: still here\n");
}
