//! Connections by way of a proxy: ncat's for HTTP, a scripted one for SOCKS.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use super::driven::{Driven, wait_for_listener};
use groundwire_cli_tests::{PATIENCE, free_port, installed, program};

/// A proxy for one client: reads what has to come, replies, says what it has for the client in the
/// same write, and returns what the client sent then.
fn scripted(
    script: &'static [(&'static [u8], &'static [u8])],
) -> (String, thread::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let proxy = thread::spawn(move || {
        let mut stream: TcpStream = listener.accept().unwrap().0;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        for (expected, reply) in script {
            let mut heard = vec![0; expected.len()];
            stream.read_exact(&mut heard).unwrap();
            assert_eq!(heard, *expected);
            stream.write_all(reply).unwrap();
        }
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        rest
    });
    (address, proxy)
}

fn through(address: &str, protocol: &str, target: &[&str]) -> assert_cmd::Command {
    let mut netcat = program("netcat");
    netcat.args(["-x", address, "-X", protocol]).args(target);
    netcat
}

#[test]
fn socks5_leads_to_the_target_whose_first_words_come_with_the_reply() {
    let (address, proxy) = scripted(&[
        (b"\x05\x01\x00", b"\x05\x00"),
        (
            b"\x05\x01\x00\x03\x08lab.test\x00\x16",
            b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x16SSH-2.0\n",
        ),
    ]);
    let run = through(&address, "5", &["lab.test", "22"])
        .write_stdin("hello")
        .assert();
    run.success().stdout("SSH-2.0\n").stderr("");
    assert_eq!(proxy.join().unwrap(), b"hello");
}

#[test]
fn socks4_leads_to_the_target() {
    let (address, proxy) = scripted(&[(
        b"\x04\x01\x00\x16\x0a\x00\x00\x01\x00",
        b"\x00\x5a\x00\x00\x00\x00\x00\x00SSH-2.0\n",
    )]);
    let run = through(&address, "4", &["10.0.0.1", "22"])
        .write_stdin("hello")
        .assert();
    run.success().stdout("SSH-2.0\n");
    assert_eq!(proxy.join().unwrap(), b"hello");
}

#[test]
fn a_refusal_is_a_failure_with_its_reason() {
    let (address, _proxy) = scripted(&[
        (b"\x05\x01\x00", b"\x05\x00"),
        (
            b"\x05\x01\x00\x01\x0a\x00\x00\x01\x00\x16",
            b"\x05\x05\x00\x01\0\0\0\0\0\0",
        ),
    ]);
    let says = format!(
        "netcat: connect 10.0.0.1:22 through {address}: the proxy refused: connection refused\n"
    );
    through(&address, "5", &["10.0.0.1", "22"])
        .assert()
        .code(1)
        .stdout("")
        .stderr(says);
}

#[test]
fn connect_leads_through_ncats_proxy() {
    if !installed("ncat") {
        return;
    }
    let port = free_port().to_string();
    let _proxy = Driven::start("ncat", &["-lk", "--proxy-type", "http", "127.0.0.1", &port]);
    wait_for_listener(&port);
    let address = format!("127.0.0.1:{port}");
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = target.local_addr().unwrap().port().to_string();
    let served = thread::spawn(move || {
        let mut stream = target.accept().unwrap().0;
        let mut heard = [0; 5];
        stream.read_exact(&mut heard).unwrap();
        stream.write_all(b"welcome\n").unwrap();
        heard
    });
    let args = ["-x", &address, "-X", "connect", "127.0.0.1", &port];
    let mut netcat = Driven::netcat(&args);
    netcat.send(b"hello");
    assert_eq!(netcat.receive(8), b"welcome\n");
    assert_eq!(served.join().unwrap(), *b"hello");
    netcat.close_input(); // not before: this proxy passes no half-close on, it ends
    netcat.succeeds_with(b"");
}
