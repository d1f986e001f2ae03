//! Clients that are slow, silent or greedy: each is left in time.

use std::io::ErrorKind::{ConnectionReset, WouldBlock};
use std::io::{Read, Write};

use super::{ask, get, server};
use groundwire_cli_tests::connect;

#[test]
fn a_header_section_has_its_time_from_its_first_byte_however_it_comes() {
    let server = server(&["--header-timeout", "100ms"]);
    // Its first bytes come with the request before it, or in the pause of that.
    let echo = "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n";
    for first in [echo, &echo.replace("echo", "slow?ms=50")] {
        let reply = ask(&server, &format!("{first}GET / HT"));
        assert!(reply.contains("HTTP/1.1 408 "), "{reply}");
    }
    let mut stream = connect(&server.address);
    // A byte at a time.
    let pace = std::time::Duration::from_millis(20);
    stream.set_read_timeout(Some(pace)).unwrap();
    let is_open = |_: &u32| {
        let written = stream.write_all(b"G");
        written.is_ok() && matches!(stream.read(&mut [0; 512]), Err(e) if e.kind() == WouldBlock)
    };
    assert!((0..500).take_while(is_open).count() < 500);
}

#[test]
fn silence_between_requests_ends_a_connection_and_is_no_failure() {
    let server = server(&["--idle-timeout", "1s"]);
    assert_eq!(ask(&server, ""), "");
    let reply = ask(&server, "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(reply.matches("HTTP/1.1 200 ").count(), 1, "{reply}");
    assert_eq!(server.stop(), "served 2, active 0, refused 0, failed 0");
}

#[test]
fn a_client_that_sends_too_much_ahead_of_a_reply_is_left() {
    let server = server(&["--max-header", "1KiB"]);
    let mut stream = connect(&server.address);
    stream
        .write_all(get("/slow?ms=600000", "").as_bytes())
        .unwrap();
    let _ = stream.write_all(&[b'x'; 1 << 16]); // fails when it is left before the last of it
    let mut reply = Vec::new();
    match stream.read_to_end(&mut reply) {
        Ok(_) => assert!(reply.is_empty()),
        Err(error) => assert_eq!(error.kind(), ConnectionReset),
    }
    assert_eq!(server.stop(), "served 0, active 0, refused 0, failed 1");
}

#[test]
fn a_client_that_reads_nothing_is_left_after_the_write_time_out() {
    let server = server(&["--write-timeout", "50ms"]);
    let mut stream = connect(&server.address);
    stream
        .write_all(get("/bytes/1000000000", "").as_bytes())
        .unwrap();
    let line = server.error_line().unwrap();
    assert!(line.contains("timed out"), "{line}");
    assert_eq!(server.stop(), "served 0, active 0, refused 0, failed 1");
}
