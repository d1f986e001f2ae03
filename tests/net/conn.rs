//! Connections: both halves, clones, deadlines, and ways to end.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{PATIENCE, eventually, eventually_blocked, tcp_pair};
use groundwire::net::{Conn, Deadline, Ready};

#[test]
fn after_a_half_close_the_peers_reply_still_arrives() {
    let (mut ours, mut theirs) = tcp_pair();
    ours.write_all(b"question").unwrap();
    ours.shutdown(Shutdown::Write).unwrap();
    let mut asked = String::new();
    theirs.read_to_string(&mut asked).unwrap();
    theirs.write_all(b"answer").unwrap();
    drop(theirs);
    let mut answered = String::new();
    ours.read_to_string(&mut answered).unwrap();
    assert_eq!((asked.as_str(), answered.as_str()), ("question", "answer"));
}

#[test]
fn clones_share_the_socket_and_vectored_writes_keep_their_order() {
    let (ours, mut theirs) = tcp_pair();
    let mut clone = ours.clone();
    drop(ours);
    let parts = [IoSlice::new(b"a"), IoSlice::new(b""), IoSlice::new(b"bc")];
    assert_eq!(clone.write_vectored(&parts).unwrap(), 3);
    let mut buffer = [0; 3];
    theirs.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"abc");
    let reader = clone.clone();
    clone.set_read_deadline(Deadline::after(Duration::ZERO));
    assert_eq!(
        (&reader).read(&mut buffer).unwrap_err().kind(),
        ErrorKind::TimedOut
    );
}

#[test]
fn the_socket_closes_with_the_last_clone_and_not_before() {
    let (ours, mut theirs) = tcp_pair();
    let last = ours.clone();
    drop(ours);
    assert!(theirs.is_quiet(), "it closed with the first clone");
    (&last).write_all(b"x").unwrap();
    drop(last);
    assert_eq!(theirs.read(&mut [0; 4]).unwrap(), 1);
    assert_eq!(theirs.read(&mut [0; 4]).unwrap(), 0);
}

#[test]
fn a_shutdown_by_another_thread_wakes_a_blocked_read() {
    let (tcp, _tcp_peer) = tcp_pair();
    let (unix, _unix_peer) = Conn::pair().unwrap();
    for conn in [tcp, unix] {
        let mut reader = conn.clone();
        let reading = thread::Builder::new().name("reading".into());
        let reading = reading.spawn(move || reader.read(&mut [0])).unwrap();
        eventually_blocked("reading", 1);
        conn.shutdown(Shutdown::Read).unwrap();
        assert_eq!(reading.join().unwrap().unwrap(), 0, "{conn:?}");
    }
}

#[test]
fn quiet_is_only_what_is_open_and_has_nothing_unread() {
    let (ours, mut theirs) = tcp_pair();
    assert!(ours.is_quiet(), "idle");
    theirs.write_all(b"x").unwrap();
    eventually("the byte arrives", || !ours.is_quiet());
    assert_eq!((&ours).read(&mut [0; 4]).unwrap(), 1);
    assert!(ours.is_quiet(), "looking takes nothing, and all was read");
    drop(theirs);
    eventually("the end arrives", || !ours.is_quiet());
}

#[test]
fn a_unix_peer_is_known_by_its_process_and_a_tcp_peer_is_not() {
    let (unix, _peer) = Conn::pair().unwrap();
    let pid = unix.peer_credentials().unwrap().pid;
    assert_eq!(pid.to_string(), std::process::id().to_string());
    let (tcp, _peer) = tcp_pair();
    let error = tcp.peer_credentials().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn a_socket_that_did_not_block_waits_for_its_peer_as_every_connection_does() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let mut tcp_peer = listener.accept().unwrap().0;
    let (unix, mut unix_peer) = UnixStream::pair().unwrap();
    tcp.set_nonblocking(true).unwrap();
    unix.set_nonblocking(true).unwrap();
    let conns = [Conn::from_tcp(tcp).unwrap(), Conn::from_unix(unix).unwrap()];
    let readers = conns.map(|mut conn| {
        let reader = thread::Builder::new().name("was nonblock".into());
        let read = move || conn.read(&mut [0; 8]);
        reader.spawn(read).unwrap()
    });
    eventually_blocked("was nonblock", 2);
    tcp_peer.write_all(b"x").unwrap();
    unix_peer.write_all(b"x").unwrap();
    for reader in readers {
        assert_eq!(reader.join().unwrap().unwrap(), 1);
    }
}

#[test]
fn a_sender_of_single_bytes_cannot_renew_a_deadline() {
    let (mut ours, theirs) = tcp_pair();
    let (enough, stop) = mpsc::channel::<()>();
    let sender = thread::spawn(move || {
        while stop.recv_timeout(Duration::from_millis(5)) == Err(RecvTimeoutError::Timeout) {
            if (&theirs).write_all(b"x").is_err() {
                break;
            }
        }
    });
    let begun = Instant::now();
    ours.set_read_deadline(Deadline::after(Duration::from_millis(150)));
    let error = io::copy(&mut ours, &mut io::sink()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(begun.elapsed() >= Duration::from_millis(150) && begun.elapsed() < PATIENCE);
    drop(enough);
    sender.join().unwrap();
}

#[test]
fn a_passed_deadline_fails_a_read_even_with_bytes_waiting_and_a_new_one_revives_it() {
    let (mut ours, mut theirs) = tcp_pair();
    theirs.write_all(b"x").unwrap();
    ours.set_deadline(Deadline::after(Duration::ZERO));
    assert_eq!(
        ours.read(&mut [0; 4]).unwrap_err().kind(),
        ErrorKind::TimedOut
    );
    assert_eq!(ours.write(b"y").unwrap_err().kind(), ErrorKind::TimedOut);
    ours.set_deadline(Deadline::after(PATIENCE));
    assert_eq!(ours.read(&mut [0; 4]).unwrap(), 1);
}

#[test]
fn a_write_gives_up_when_the_peer_does_not_read() {
    let (mut ours, _theirs) = tcp_pair();
    let begun = Instant::now();
    ours.set_write_deadline(Deadline::after(Duration::from_millis(150)));
    let block = vec![0; 1 << 20];
    let error = loop {
        if let Err(error) = ours.write_all(&block) {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(begun.elapsed() >= Duration::from_millis(150) && begun.elapsed() < PATIENCE);
}

#[test]
fn a_peer_that_reads_a_little_at_a_time_cannot_renew_a_write_deadline() {
    let limit = Duration::from_millis(150);
    let block = vec![0; 16 << 20]; // for which this reader takes more than a second
    for (ours, theirs) in [tcp_pair(), Conn::pair().unwrap()] {
        let (enough, stop) = mpsc::channel::<()>();
        let reader = thread::spawn(move || {
            let mut little = vec![0; 64 << 10];
            while stop.recv_timeout(Duration::from_millis(5)) == Err(RecvTimeoutError::Timeout) {
                if !matches!((&theirs).read(&mut little), Ok(1..)) {
                    break;
                }
            }
        });
        ours.set_write_deadline(Deadline::after(limit));
        let error = (&ours).write_all(&block).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{ours:?}");
        ours.set_write_deadline(Deadline::after(limit));
        let mut parts = [IoSlice::new(b"head"), IoSlice::new(&block)];
        let error = ours.write_all_vectored(&mut parts).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{ours:?} in parts");
        drop((enough, ours));
        reader.join().unwrap();
    }
}

#[test]
fn all_parts_are_written_in_order_although_the_buffer_is_too_small_for_them() {
    let (tcp, tcp_peer) = tcp_pair();
    let (unix, unix_peer) = Conn::pair().unwrap();
    let block: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    for (ours, mut theirs) in [(tcp, tcp_peer), (unix, unix_peer)] {
        let reader = thread::spawn(move || {
            let mut heard = Vec::new();
            theirs.read_to_end(&mut heard).map(|_| heard)
        });
        let mut parts: Vec<_> = block.chunks(1_500).map(IoSlice::new).collect();
        parts.insert(0, IoSlice::new(b""));
        parts.insert(7, IoSlice::new(b""));
        ours.write_all_vectored(&mut parts).unwrap();
        ours.write_all_vectored(&mut []).unwrap();
        ours.write_all_vectored(&mut [IoSlice::new(b"")]).unwrap();
        drop(ours);
        assert!(reader.join().unwrap().unwrap() == block);
    }
}

#[test]
fn a_vectored_write_gives_up_when_the_peer_does_not_read() {
    let (ours, _theirs) = tcp_pair();
    let block = vec![0; 1 << 20];
    ours.set_write_deadline(Deadline::after(Duration::from_millis(150)));
    let error = loop {
        let mut parts = [IoSlice::new(b"head"), IoSlice::new(&block)];
        if let Err(error) = ours.write_all_vectored(&mut parts) {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    // What has room is not sent either, once the deadline has passed.
    let late = (&ours).write_vectored(&[IoSlice::new(b"x")]).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::TimedOut);
}

#[test]
fn a_wait_for_two_ends_when_this_one_is_readable_whatever_the_other_does() {
    let (ours, mut theirs) = tcp_pair();
    let (other, other_peer) = Conn::pair().unwrap();
    let wait = |within| ours.wait_readable_or_end(&other, Deadline::after(within));
    (&other_peer).write_all(b"next question").unwrap();
    assert_eq!(wait(Duration::ZERO).unwrap(), Ready::TimedOut);
    assert_eq!(wait(Duration::from_millis(20)).unwrap(), Ready::TimedOut);
    theirs.write_all(b"answer").unwrap();
    assert_eq!(wait(PATIENCE).unwrap(), Ready::Readable);
    drop(other_peer);
    assert_eq!(wait(PATIENCE).unwrap(), Ready::Readable);
    assert_eq!((&ours).read(&mut [0; 16]).unwrap(), 6);
    assert_eq!(wait(PATIENCE).unwrap(), Ready::OtherEnded);
    drop(theirs);
    eventually("the end arrives", || !ours.is_quiet());
    assert_eq!(wait(Duration::ZERO).unwrap(), Ready::Readable);
}

#[test]
fn a_wait_for_two_is_woken_by_every_way_in_which_the_other_ends() {
    type Act = fn(&Conn, Conn);
    let close: Act = |_, peer| drop(peer);
    let half_close: Act = |_, peer| {
        peer.shutdown(Shutdown::Write).unwrap();
        std::mem::forget(peer); // still open: only its sending has ended
    };
    let reset: Act = |_, peer| peer.reset_on_close().unwrap();
    let shut_reading: Act = |other, peer| {
        other.shutdown(Shutdown::Read).unwrap();
        std::mem::forget(peer);
    };
    let shut_both: Act = |other, _| other.shutdown(Shutdown::Both).unwrap();
    for act in [close, half_close, reset, shut_reading, shut_both] {
        for (other, peer) in [tcp_pair(), Conn::pair().unwrap()] {
            let (ours, _theirs) = tcp_pair();
            let watched = other.clone();
            let waiting = thread::Builder::new().name("waiting-for-two".into());
            let waiting = waiting
                .spawn(move || ours.wait_readable_or_end(&watched, Deadline::after(PATIENCE)))
                .unwrap();
            eventually_blocked("waiting-for-two", 1);
            act(&other, peer);
            assert_eq!(waiting.join().unwrap().unwrap(), Ready::OtherEnded);
        }
    }
}

#[test]
fn closing_with_care_gets_our_last_bytes_to_a_peer_that_is_still_sending() {
    let (mut ours, mut theirs) = tcp_pair();
    theirs.write_all(&vec![b'x'; 100_000]).unwrap();
    ours.write_all(b"last words").unwrap();
    let closer = thread::spawn(move || ours.close(Deadline::after(PATIENCE), 1 << 20));
    let mut heard = String::new();
    theirs.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "last words");
    drop(theirs);
    assert_eq!(closer.join().unwrap(), 100_000);
}

#[test]
fn a_reset_on_close_reaches_the_peer_as_one() {
    let (ours, mut theirs) = tcp_pair();
    ours.reset_on_close().unwrap();
    drop(ours);
    assert_eq!(
        theirs.read(&mut [0]).unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
}

#[test]
fn closing_with_care_ends_at_its_limit_of_bytes_though_the_peer_goes_on() {
    let (ours, mut theirs) = Conn::pair().unwrap();
    theirs.write_all(&[b'x'; 10_000]).unwrap();
    let dropped = ours.close(Deadline::after(PATIENCE), 1);
    assert!((1..10_000).contains(&dropped), "{dropped}");
}
