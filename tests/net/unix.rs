//! The files of Unix sockets: left by the dead, kept by the living, their bits and their length.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::sync::Barrier;
use std::thread;

use crate::support::Folder;
use groundwire::net::{self, ListenConfig, Network};

/// What is in a folder, by name.
fn names(folder: &Folder) -> Vec<String> {
    let entries = std::fs::read_dir(&folder.0).unwrap().flatten();
    entries
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

/// Lets two servers start at the same moment on a dead one's file, many times. `start` is handed
/// the path; what it returned for each of the two is told to `judge`.
fn race<T: Send>(folder: &Folder, start: impl Fn(&str) -> T + Sync, judge: impl Fn(&str, [T; 2])) {
    let path = folder.path("s");
    let (begin, start) = (Barrier::new(2), &start);
    for _ in 0..2_000 {
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let started = thread::scope(|scope| {
            let one = || {
                begin.wait();
                start(&path)
            };
            [scope.spawn(one), scope.spawn(one)].map(|thread| thread.join().unwrap())
        });
        judge(&path, started);
        assert_eq!(names(folder), [""; 0], "something was left behind");
    }
}

#[test]
fn of_two_servers_that_start_together_on_a_dead_ones_file_exactly_one_listens() {
    let folder = Folder::new();
    let start = |path: &str| net::listen(Network::Unix, path);
    race(&folder, start, |path, started| {
        let listening = started.iter().filter(|started| started.is_ok()).count();
        assert_eq!(listening, 1, "{started:?}");
        let errors = started.iter().filter_map(|started| started.as_ref().err());
        assert!(errors.into_iter().all(|e| e.kind() == ErrorKind::AddrInUse));
        assert_eq!(names(&folder), ["s"]);
        assert!(net::dial(Network::Unix, path).is_ok(), "nobody is there");
    });
}

#[test]
fn of_two_datagram_sockets_that_start_together_exactly_one_is_bound() {
    let folder = Folder::new();
    let start = |path: &str| net::listen_datagrams(Network::Unixgram, path);
    race(&folder, start, |path, started| {
        let bound = started.iter().filter(|started| started.is_ok()).count();
        assert_eq!(bound, 1, "{started:?}");
        let client = net::dial_datagrams(Network::Unixgram, path);
        assert!(client.is_ok(), "nobody is there");
    });
}

#[test]
fn a_server_that_ends_does_not_take_the_file_of_the_one_that_starts() {
    let folder = Folder::new();
    let path = folder.path("s");
    for _ in 0..1_000 {
        let ending = net::listen(Network::Unix, &path).unwrap();
        let next = thread::scope(|scope| {
            let end = scope.spawn(|| drop(ending));
            let next = loop {
                match net::listen(Network::Unix, &path) {
                    Ok(next) => break next,
                    Err(error) => assert_eq!(error.kind(), ErrorKind::AddrInUse, "{error}"),
                }
            };
            end.join().unwrap();
            next
        });
        assert!(net::dial(Network::Unix, &path).is_ok(), "the file is gone");
        drop(next);
    }
}

#[test]
fn a_start_lock_holds_others_off_while_it_is_held_and_nobody_once_its_holder_is_dead() {
    let folder = Folder::new();
    let (path, lock) = (folder.path("s"), folder.path("s.groundwire-lock"));
    let held = groundwire::sys::lock::take(lock.as_ref()).unwrap();
    let error = net::listen(Network::Unix, &path).unwrap_err();
    let expected = "address already in use: another process is starting there";
    assert_eq!(error.to_string(), format!("listen unix {path}: {expected}"));
    drop(held); // the file stays, as after a kill
    let listener = net::listen(Network::Unix, &path).unwrap();
    assert_eq!(names(&folder), ["s"]);
    drop(listener);

    std::fs::write(&lock, "somebody's notes").unwrap();
    drop(net::listen(Network::Unix, &path).unwrap());
    assert_eq!(names(&folder), ["s.groundwire-lock"], "not ours, so kept");

    std::fs::remove_file(&lock).unwrap();
    std::fs::create_dir(&lock).unwrap();
    let error = net::listen(Network::Unix, &path).unwrap_err().to_string();
    let expected = format!("listen unix {path}: opening its lock {lock}: is a directory");
    assert_eq!(error, expected);
}

#[test]
fn the_longest_legal_path_is_listened_on() {
    let folder = Folder::new();
    let room = 107 - folder.path("").len();
    let path = folder.path(&"p".repeat(room));
    let listener = net::listen(Network::Unix, &path).unwrap();
    assert_eq!(listener.local_addr().to_string(), path);
    assert!(net::dial(Network::Unix, &path).is_ok());
}

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
    let folder = Folder::new();
    let path = folder.path("private");
    // 666 is more than the usual umask leaves.
    for mode in [0o600, 0o666] {
        let config = ListenConfig {
            unix_mode: Some(mode),
            ..ListenConfig::default()
        };
        let shown = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        let _listener = config.listen(Network::Unix, &path).unwrap();
        assert_eq!(shown(), mode);
        drop(_listener);
        let _socket = config.listen_datagrams(Network::Unixgram, &path).unwrap();
        assert_eq!(shown(), mode);
    }
}

#[test]
fn a_private_socket_file_is_never_wider_than_asked_for_not_even_for_a_moment() {
    let folder = Folder::new();
    let path = folder.path("private");
    let config = ListenConfig {
        unix_mode: Some(0o600),
        ..ListenConfig::default()
    };
    let done = std::sync::atomic::AtomicBool::new(false);
    let order = std::sync::atomic::Ordering::Relaxed;
    thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let (mut seen, mut widest) = (0, 0);
            while !done.load(order) {
                if let Ok(file) = std::fs::metadata(&path) {
                    seen += 1;
                    widest |= file.permissions().mode() & 0o777;
                }
            }
            (seen, widest)
        });
        for _ in 0..3_000 {
            drop(config.listen_datagrams(Network::Unixgram, &path).unwrap());
        }
        done.store(true, order);
        let (seen, widest) = watch.join().unwrap();
        assert!(seen > 0, "the file was never looked at");
        assert_eq!(widest, 0o600, "{widest:o}");
    });
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
