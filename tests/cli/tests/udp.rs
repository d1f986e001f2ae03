//! udp-echo-server and udp-echo-client as their users run them.

use std::net::UdpSocket;
use std::process::Command;

use groundwire_cli_tests::{PATIENCE, Server, installed, program};

fn client(arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let output = program("udp-echo-client")
        .args(arguments)
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

#[test]
fn words_and_lines_come_back_and_are_counted() {
    let server = Server::start("udp-echo-server", &["-v", "127.0.0.1:0"]);
    let address = server.address.clone();
    assert_eq!(client(&[&address, "hello", "you"], "").1, "->: hello you\n");
    let lines = client(&[&address], "one\n\ntwo\nSTOP\nafter\n");
    assert_eq!(
        lines,
        (
            Some(0),
            "->: one\n->: \n->: two\n->: STOP\n".into(),
            String::new()
        )
    );
    assert_eq!(server.stop(), "received 5, replied 5, refused 0, failed 0");
}

#[test]
fn the_largest_datagram_comes_back_whole_on_any_of_the_sockets() {
    for sockets in ["1", "3"] {
        let server = Server::start("udp-echo-server", &["--sockets", sockets, "127.0.0.1:0"]);
        for _ in 0..10 {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.connect(&server.address).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            let sent: Vec<u8> = (0..65_507_u32).map(|n| n as u8).collect();
            socket.send(&sent).unwrap();
            let mut reply = vec![0; 65_536];
            assert_eq!(socket.recv(&mut reply).unwrap(), sent.len());
            assert!(reply[..sent.len()] == sent);
        }
        assert_eq!(
            server.stop(),
            "received 10, replied 10, refused 0, failed 0"
        );
    }
}

#[test]
fn a_closed_port_and_a_silent_one_are_told_apart_with_status_1() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let options = ["--timeout", "50ms", "--retries", "1"];
    let asked = client(&[&options[..], &[&address, "anybody?"]].concat(), "");
    let expected = format!("udp-echo-client: udp {address}: no reply after 2 attempts of 50ms\n");
    assert_eq!(asked, (Some(1), String::new(), expected));
    drop(silent);
    let asked = client(&[&address, "anybody?"], "");
    let expected = format!("udp-echo-client: udp {address}: connection refused\n");
    assert_eq!(asked, (Some(1), String::new(), expected));
}

#[test]
fn a_denied_address_gets_no_reply() {
    let server = Server::start("udp-echo-server", &["--deny", "127.0.0.0/8", "127.0.0.1:0"]);
    let options = ["--timeout", "50ms", "--retries", "0", &server.address, "x"];
    assert_eq!(client(&options, "").0, Some(1));
    assert_eq!(server.stop(), "received 1, replied 0, refused 1, failed 0");
}

#[test]
fn netcat_gets_its_datagram_back() {
    if !installed("nc") {
        return;
    }
    let server = Server::start("udp-echo-server", &["127.0.0.1:0"]);
    let (host, port) = server.address.rsplit_once(':').unwrap();
    let script = format!("printf hello | nc -u -W 1 {host} {port}");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "hello");
}
