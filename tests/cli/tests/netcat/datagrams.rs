//! Datagrams: who is waited for, who is answered, and who has gone.

use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;

use super::driven::{Driven, pattern};
use super::listener;
use groundwire_cli_tests::PATIENCE;

#[test]
fn a_datagram_listener_waits_for_its_first_peer_without_a_limit() {
    let (mut netcat, address) = listener(&["-u", "-w", "0.05"]);
    netcat.send(b"early\n");
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let longer = std::time::Duration::from_millis(200);
    peer.set_read_timeout(Some(longer)).unwrap();
    let nothing = peer.recv(&mut [0]).unwrap_err();
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
    peer.send_to(b"late", &address).unwrap();
    netcat.succeeds_with(b"late");
}

#[test]
fn input_that_came_before_the_first_peer_goes_to_it() {
    let (mut netcat, address) = listener(&["-u"]);
    netcat.send(b"early\n");
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    peer.send_to(b"hello", &address).unwrap();
    let mut heard = [0; 64];
    assert_eq!(peer.recv(&mut heard).unwrap(), 6);
}

#[test]
fn a_unix_peer_without_a_name_does_not_take_the_input_from_one_with_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let mut netcat = Driven::netcat(&["-lvU", "-u", path.to_str().unwrap()]);
    assert!(netcat.error_line().starts_with("listening on "));
    let named = UnixDatagram::bind(folder.path().join("named")).unwrap();
    named.set_read_timeout(Some(PATIENCE)).unwrap();
    named.send_to(b"a", &path).unwrap();
    assert_eq!(netcat.receive(1), b"a");
    let long = pattern(2, 100_000);
    let nameless = UnixDatagram::unbound().unwrap();
    nameless.send_to(&long, &path).unwrap();
    assert!(netcat.receive(long.len()) == long);
    netcat.send(b"answer\n");
    let mut heard = [0; 64];
    assert_eq!(named.recv(&mut heard).unwrap(), 7);
}

#[test]
fn a_unix_datagram_peer_that_has_gone_is_a_failure_of_sending() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let peer = UnixDatagram::bind(&path).unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut netcat = Driven::netcat(&["-U", "-u", path.to_str().unwrap()]);
    netcat.send(b"a");
    assert_eq!(peer.recv(&mut [0; 64]).unwrap(), 1);
    drop(peer);
    netcat.send(b"b");
    let ended = netcat.end();
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("sending: "), "{}", ended.stderr);
}
