//! The files of Unix sockets: left by the dead, kept by the living, their bits and their length.

use std::io::ErrorKind;

use crate::support::Folder;
use groundwire::net::{self, ListenConfig, Network};

#[test]
fn a_dead_servers_socket_file_is_replaced_and_a_live_ones_is_not() {
    let folder = Folder::new();
    for network in [Network::Unix, Network::Unixpacket] {
        let path = folder.path("dead");
        // std leaves the file behind when its listener is dropped: the same as a killed server.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let listener = net::listen(network, &path).unwrap();
        let error = net::listen(network, &path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let text = error.to_string();
        let expected = "address already in use: another process is listening there";
        assert_eq!(text, format!("listen {network} {path}: {expected}"));
        assert!(
            net::dial(network, &path).is_ok(),
            "the live server lost its file"
        );
        drop(listener);
        assert!(
            !std::path::Path::new(&path).exists(),
            "the file was left behind"
        );
    }
}

#[test]
fn a_unix_datagram_socket_is_replaced_when_dead_and_refused_when_alive() {
    let folder = Folder::new();
    let path = folder.path("d");
    drop(std::os::unix::net::UnixDatagram::bind(&path).unwrap());
    let alive = net::listen_datagrams(Network::Unixgram, &path).unwrap();
    let error = net::listen_datagrams(Network::Unixgram, &path).unwrap_err();
    let expected = "address already in use: another process is listening there";
    assert_eq!(
        error.to_string(),
        format!("listen unixgram {path}: {expected}")
    );
    drop(alive);
    assert!(!folder.0.join("d").exists(), "the file was left behind");
}

#[test]
fn what_is_no_socket_and_what_another_server_put_there_is_never_removed() {
    let folder = Folder::new();
    let path = folder.path("notes.txt");
    std::fs::write(&path, "keep me").unwrap();
    let error = net::listen(Network::Unix, &path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "keep me");

    // Many times, since a file system may give the second file the inode number of the first.
    let path = folder.path("socket");
    for _ in 0..50 {
        let first = net::listen(Network::Unix, &path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let second = net::listen(Network::Unix, &path).unwrap();
        first.close();
        let reached = net::dial(Network::Unix, &path);
        assert!(reached.is_ok(), "the first removed the second's file");
        second.close();
        assert!(!std::path::Path::new(&path).exists());
        let third = net::listen(Network::Unix, &path).unwrap();
        drop((first, second));
        let reached = net::dial(Network::Unix, &path);
        assert!(reached.is_ok(), "a drop removed the third's file");
        third.close();
    }
}

#[test]
fn a_unix_socket_file_gets_its_permission_bits() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let path = folder.path("private");
    let config = ListenConfig {
        unix_mode: Some(0o600),
        ..ListenConfig::default()
    };
    let _listener = config.listen(Network::Unix, &path).unwrap();
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[test]
fn a_unix_path_of_108_bytes_is_refused_with_the_numbers() {
    let path = format!("/tmp/{}", "p".repeat(103));
    for error in [
        net::listen(Network::Unix, &path).unwrap_err(),
        net::dial(Network::Unix, &path).unwrap_err(),
    ] {
        assert!(
            error.to_string().contains("108 bytes, 107 are allowed"),
            "{error}"
        );
    }
    let error = net::dial(Network::Unix, "/tmp/groundwire-no-such-socket").unwrap_err();
    assert!(
        error.to_string().ends_with("no such file or directory"),
        "{error}"
    );
}
