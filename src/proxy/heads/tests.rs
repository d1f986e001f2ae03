//! Heads as they arrive and as they are passed on: what a proxy removes, keeps and adds, in tables.

use super::*;
use crate::http::{HeadParser, Limits};

fn on_the_wire(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

fn in_lines(wire: Vec<u8>) -> String {
    let text = String::from_utf8(wire).unwrap();
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
    text.replace("\r\n", "\n")
}

/// A request's head after it was passed on, from a client with this address.
fn request_of(text: &str, ip: &str, trusted: bool, forwarding: &Forwarding) -> String {
    let bytes = on_the_wire(text);
    let mut parser = HeadParser::requests(Limits::default());
    assert_eq!(parser.advance(&bytes), Ok(true), "{text}");
    let head = parser.request(&bytes).unwrap();
    let ip = ip.parse().ok();
    let sender = Sender {
        ip,
        trusted,
        forwarding,
    };
    let mut out = Vec::new();
    request(&mut out, &head, &sender, "backend:9001");
    in_lines(out)
}

/// Only the field lines of a request that was passed on, without those about client and proxy.
fn fields_of(start: &str, fields: &str) -> String {
    let text = format!("{start}\nHost: a\n{fields}\n");
    let passed = request_of(&text, "192.0.2.7", false, &Forwarding::default());
    let (_, lines) = passed.split_once("\nHost: a\n").unwrap();
    let ours = |line: &&str| line.starts_with("X-Forwarded-") || line.starts_with("Via: ");
    let lines = lines.lines().filter(|line| !line.is_empty() && !ours(line));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_plain_request_is_told_who_asked_and_who_passed_it_on() {
    let text = "GET /a?b HTTP/1.1\naccept: */*\nHost: A:80\nUser-Agent: curl\n\n";
    let passed = request_of(text, "192.0.2.7", false, &Forwarding::default());
    let expected = "GET /a?b HTTP/1.1\nHost: A:80\naccept: */*\nUser-Agent: curl\n\
                    X-Forwarded-For: 192.0.2.7\nX-Forwarded-Proto: http\nX-Forwarded-Host: A:80\n\
                    Via: 1.1 groundwire\n\n";
    assert_eq!(passed, expected);
}

#[test]
fn a_request_goes_on_in_our_version_with_the_host_that_it_named() {
    for (start, rest, first, via) in [
        (
            "GET / HTTP/1.0",
            "",
            "GET / HTTP/1.1\nHost: backend:9001\n",
            "1.0",
        ),
        (
            "GET / HTTP/1.0",
            "Host: a\n",
            "GET / HTTP/1.1\nHost: a\n",
            "1.0",
        ),
        (
            "GET / HTTP/1.9",
            "Host: a\n",
            "GET / HTTP/1.1\nHost: a\n",
            "1.1",
        ),
        (
            "GET http://b:1/c HTTP/1.1",
            "Host: a\n",
            "GET /c HTTP/1.1\nHost: b:1\n",
            "1.1",
        ),
        (
            "OPTIONS http://b HTTP/1.1",
            "Host: a\n",
            "OPTIONS * HTTP/1.1\nHost: b\n",
            "1.1",
        ),
    ] {
        let text = format!("{start}\n{rest}\n");
        let passed = request_of(&text, "192.0.2.7", false, &Forwarding::default());
        assert!(passed.starts_with(first), "{passed}");
        assert!(
            passed.ends_with(&format!("\nVia: {via} groundwire\n\n")),
            "{passed}"
        );
        assert_eq!(passed.matches("\nHost: ").count(), 1, "{passed}");
    }
}

#[test]
fn what_concerns_one_connection_goes_no_further() {
    for (came, goes) in [
        ("Connection: close\n", ""),
        ("Connection: keep-alive\nKeep-Alive: timeout=5\n", ""),
        ("Proxy-Connection: keep-alive\n", ""),
        (
            "Proxy-Authorization: Basic eA==\nAuthorization: Basic eQ==\n",
            "Authorization: Basic eQ==\n",
        ),
        ("Connection: X-Hop\nX-Hop: 1\nX-Hop-2: 2\n", "X-Hop-2: 2\n"),
        (
            "x-hop: 1\nConnection: a, ,X-HOP\nConnection: b\nB: 2\nC: 3\n",
            "C: 3\n",
        ),
        // A client must not remove what says where the message goes and where it ends.
        ("Connection: Host\n", ""),
        (
            "Connection: Content-Length\nContent-Length: 3\n",
            "Content-Length: 3\n",
        ),
        (
            "Connection: Transfer-Encoding\nTransfer-Encoding: chunked\n",
            "Transfer-Encoding: chunked\n",
        ),
        (
            "Connection: Expect\nContent-Length: 3\nExpect: 100-continue\n",
            "Expect: 100-continue\nContent-Length: 3\n",
        ),
        // With underscores it is another name.
        (
            "X_Forwarded_For: 1\nContent_Length: 2\n",
            "X_Forwarded_For: 1\nContent_Length: 2\n",
        ),
        (
            "TE: trailers\nConnection: TE\n",
            "Connection: TE\nTE: trailers\n",
        ),
        (
            "TE: gzip;q=0.5, Trailers\n",
            "Connection: TE\nTE: trailers\n",
        ),
        ("TE: gzip\nConnection: TE\n", ""),
        ("Upgrade: websocket\n", ""),
        (
            "Upgrade: websocket\nConnection: Upgrade\n",
            "Connection: Upgrade\nUpgrade: websocket\n",
        ),
        (
            "Upgrade: h2c\nConnection: Upgrade, HTTP2-Settings\nHTTP2-Settings: A\n",
            "",
        ),
        ("Max-Forwards: 0\n", "Max-Forwards: 0\n"),
        (
            "Cookie: a\nX: 1\ncookie: b\nX: 1\n",
            "Cookie: a\nX: 1\ncookie: b\nX: 1\n",
        ),
    ] {
        assert_eq!(fields_of("POST / HTTP/1.1", came), goes, "{came}");
    }
}

#[test]
fn what_a_request_of_the_old_version_cannot_ask_is_not_asked_for_it() {
    for (came, goes) in [
        ("Connection: keep-alive\n", ""),
        ("Upgrade: websocket\nConnection: Upgrade\n", ""),
        (
            "Content-Length: 3\nExpect: 100-continue\n",
            "Content-Length: 3\n",
        ),
    ] {
        assert_eq!(fields_of("POST / HTTP/1.0", came), goes, "{came}");
    }
}

#[test]
fn a_length_of_zero_is_passed_on_and_none_is_made_up() {
    assert_eq!(
        fields_of("POST / HTTP/1.1", "Content-Length: 0\n"),
        "Content-Length: 0\n"
    );
    assert_eq!(fields_of("POST / HTTP/1.1", ""), "");
    // As the body was understood, not as it was written.
    assert_eq!(
        fields_of("POST / HTTP/1.1", "Content-Length: 007\n"),
        "Content-Length: 7\n"
    );
}

#[test]
fn options_may_be_forwarded_once_less() {
    for (came, goes) in [
        ("1", "0"),
        ("010", "9"),
        ("99999999999999999999", "18446744073709551614"),
    ] {
        let came = format!("Max-Forwards: {came}\n");
        assert_eq!(
            fields_of("OPTIONS * HTTP/1.1", &came),
            format!("Max-Forwards: {goes}\n")
        );
    }
}

#[test]
fn what_is_said_of_the_client_is_believed_of_trusted_peers_only() {
    let came = "GET / HTTP/1.1\nHost: a\nConnection: X-Forwarded-For, Forwarded\n\
                X-Forwarded-For: 10.9.8.7\nX-Forwarded-Proto: https\nX-Forwarded-Host: b\n\
                Forwarded: for=10.9.8.7\n\n";
    let anew = "X-Forwarded-For: 192.0.2.7\nX-Forwarded-Proto: http\nX-Forwarded-Host: a\n\
                Forwarded: for=192.0.2.7;host=\"a\";proto=http\n";
    let kept = "X-Forwarded-For: 10.9.8.7\nX-Forwarded-Proto: https\nX-Forwarded-Host: b\n\
                Forwarded: for=10.9.8.7\n";
    let added = "X-Forwarded-For: 192.0.2.7\nForwarded: for=192.0.2.7;host=\"a\";proto=http\n";
    let added = format!("{kept}{added}");
    for (mode, trusted, expected) in [
        (ForwardedFor::Set, false, anew),
        (ForwardedFor::Append, false, anew),
        (ForwardedFor::Keep, false, anew),
        (ForwardedFor::Set, true, anew),
        (ForwardedFor::Append, true, &added),
        (ForwardedFor::Keep, true, kept),
    ] {
        let forwarding = Forwarding {
            forwarded_for: mode,
            forwarded: true,
            via: None,
            ..Forwarding::default()
        };
        let passed = request_of(came, "192.0.2.7", trusted, &forwarding);
        let head = "GET / HTTP/1.1\nHost: a\n";
        assert_eq!(passed, format!("{head}{expected}\n"), "{mode:?} {trusted}");
        // With nothing to keep, the fields are written.
        let plain = request_of(
            "GET / HTTP/1.1\nHost: a\n\n",
            "192.0.2.7",
            trusted,
            &forwarding,
        );
        assert_eq!(plain, format!("{head}{anew}\n"), "{mode:?} {trusted}");
    }
}

#[test]
fn clients_with_other_addresses_or_none_are_told_of_in_their_way() {
    let forwarding = Forwarding {
        forwarded: true,
        via: None,
        ..Forwarding::default()
    };
    let text = "GET / HTTP/1.1\nHost: a\n\n";
    let v6 = request_of(text, "2001:db8::1", false, &forwarding);
    assert!(v6.contains("\nX-Forwarded-For: 2001:db8::1\n"), "{v6}");
    assert!(v6.contains("\nForwarded: for=\"[2001:db8::1]\";"), "{v6}");
    let local = request_of(text, "a UNIX socket", false, &forwarding);
    assert!(!local.contains("X-Forwarded-For"), "{local}");
    assert!(local.contains("\nForwarded: for=unknown;"), "{local}");
}

const PLAIN: Outgoing = Outgoing {
    framing: Framing::None,
    keep_alive: true,
    version: Version::Http11,
    upgrade: false,
};

/// A response's head after it was passed on, to a request with this method.
fn response_to(method: &str, text: &str, outgoing: Outgoing) -> String {
    let bytes = on_the_wire(text);
    let mut parser = HeadParser::responses(Limits::default());
    assert_eq!(parser.advance(&bytes), Ok(true), "{text}");
    let head = parser.response(&bytes, method).unwrap();
    let mut out = Vec::new();
    response(&mut out, &head, outgoing, &Forwarding::default(), "now");
    in_lines(out)
}

#[test]
fn a_plain_response_has_a_date_and_says_who_passed_it_on() {
    let outgoing = Outgoing {
        framing: Framing::Length(2),
        ..PLAIN
    };
    let came = "HTTP/1.0 200 As it was\nServer: s\nContent-Length: 2\nKeep-Alive: 5\n\n";
    let goes = "HTTP/1.1 200 As it was\nServer: s\nDate: now\nContent-Length: 2\n\
                Via: 1.0 groundwire\n\n";
    assert_eq!(response_to("GET", came, outgoing), goes);
    let came = "HTTP/1.1 200 \nDate: then\nConnection: Date\nContent-Length: 2\n\n";
    let goes = "HTTP/1.1 200 \nDate: then\nContent-Length: 2\nVia: 1.1 groundwire\n\n";
    assert_eq!(response_to("GET", came, outgoing), goes);
}

#[test]
fn a_response_without_content_has_the_length_that_its_status_allows() {
    for (method, status, came, goes) in [
        (
            "HEAD",
            "200 OK",
            "Content-Length: 9\n",
            "Content-Length: 9\n",
        ),
        ("HEAD", "200 OK", "Transfer-Encoding: chunked\n", ""),
        ("HEAD", "204 No Content", "Content-Length: 9\n", ""),
        (
            "GET",
            "304 Not Modified",
            "Content-Length: 9\n",
            "Content-Length: 9\n",
        ),
        ("GET", "304 Not Modified", "", ""),
        ("GET", "204 No Content", "Content-Length: 0\n", ""),
        (
            "GET",
            "200 OK",
            "Content-Length: 0\n",
            "Content-Length: 0\n",
        ),
    ] {
        let text = format!("HTTP/1.1 {status}\nDate: then\n{came}\n");
        let expected = format!("HTTP/1.1 {status}\nDate: then\n{goes}Via: 1.1 groundwire\n\n");
        assert_eq!(response_to(method, &text, PLAIN), expected, "{method}");
    }
}

#[test]
fn a_response_says_where_it_ends_as_the_client_can_read_it() {
    for (framing, keep_alive, version, goes) in [
        (
            Framing::Chunked,
            true,
            Version::Http11,
            "Transfer-Encoding: chunked\n",
        ),
        (
            Framing::Chunked,
            false,
            Version::Http11,
            "Transfer-Encoding: chunked\nConnection: close\n",
        ),
        (
            Framing::UntilClose,
            false,
            Version::Http10,
            "Connection: close\n",
        ),
        (
            Framing::Length(3),
            true,
            Version::Http10,
            "Content-Length: 3\nConnection: keep-alive\n",
        ),
    ] {
        let outgoing = Outgoing {
            framing,
            keep_alive,
            version,
            upgrade: false,
        };
        let came = "HTTP/1.1 200 OK\nDate: then\nConnection: close\nTransfer-Encoding: chunked\n\n";
        let expected = format!("HTTP/1.1 200 OK\nDate: then\n{goes}Via: 1.1 groundwire\n\n");
        assert_eq!(response_to("GET", came, outgoing), expected);
    }
}

#[test]
fn an_interim_response_has_neither_a_date_nor_a_connection_of_ours() {
    let came = "HTTP/1.1 103 Early Hints\nLink: </a>\nConnection: close\nContent-Length: 3\n\n";
    let goes = "HTTP/1.1 103 Early Hints\nLink: </a>\nVia: 1.1 groundwire\n\n";
    let outgoing = Outgoing {
        keep_alive: false,
        ..PLAIN
    };
    assert_eq!(response_to("GET", came, outgoing), goes);
}

#[test]
fn the_protocol_that_is_switched_to_or_asked_for_is_named() {
    let came = "HTTP/1.1 101 Switching Protocols\nDate: then\nUpgrade: websocket\n\
                Connection: upgrade\nSec-WebSocket-Accept: x\n\n";
    let goes = "HTTP/1.1 101 Switching Protocols\nDate: then\nSec-WebSocket-Accept: x\n\
                Connection: Upgrade\nUpgrade: websocket\nVia: 1.1 groundwire\n\n";
    let outgoing = Outgoing {
        upgrade: true,
        keep_alive: false,
        ..PLAIN
    };
    assert_eq!(response_to("GET", came, outgoing), goes);
    let came = "HTTP/1.1 426 Upgrade Required\nDate: then\nUpgrade: websocket\n\
                Connection: upgrade\nContent-Length: 0\n\n";
    let goes = "HTTP/1.1 426 Upgrade Required\nDate: then\nContent-Length: 0\n\
                Connection: Upgrade\nUpgrade: websocket\nVia: 1.1 groundwire\n\n";
    assert_eq!(response_to("GET", came, PLAIN), goes);
}

#[test]
fn trailers_carry_nothing_that_a_head_must_say() {
    let bytes =
        on_the_wire("0\nX-Sum: 7\nContent-Length: 1\nHost: b\nx-sum: 8\nTransfer-Encoding: a\n\n");
    let mut reader = crate::http::ChunkReader::new(&Limits::default());
    assert!(matches!(
        reader.advance(&bytes),
        Ok(crate::http::Piece::End(_))
    ));
    let mut out = Vec::new();
    trailers(&mut out, reader.trailers(&bytes), &HopNames::default());
    assert_eq!(in_lines(out), "X-Sum: 7\nx-sum: 8\n");
}
