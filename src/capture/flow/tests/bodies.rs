//! Bodies of HTTP: where the next message begins, however the bytes are cut.

use super::super::body::{Body, Chunks};
use super::application::Talk;
use crate::http::{ChunkReader, Limits, Piece};

/// How much of the input a strict reader accepts as a body.
fn strict(mut input: &[u8]) -> usize {
    let (whole, mut reader) = (input.len(), ChunkReader::new(&Limits::default()));
    loop {
        let taken = match reader.advance(input).expect("a body") {
            Piece::More(taken) => taken,
            Piece::Data { to, .. } => to,
            Piece::End(taken) => return whole - input.len() + taken,
        };
        input = &input[taken..];
    }
}

const CHUNKED: [&str; 5] = [
    "0\r\n\r\n",
    "3\r\nabc\r\n0\r\n\r\n",
    "003;a=\"b c\"\r\nabc\r\nA\r\n0123456789\r\n00\r\n\r\n",
    "4\r\n\r\n\r\n\r\n0\r\n\r\n",
    "1\r\na\r\n0;x\r\nA: 1\r\nB:2\r\n\r\n",
];

#[test]
fn a_chunked_body_ends_where_the_strict_reader_ends() {
    for body in CHUNKED {
        let bytes = format!("{body}GET / HTTP/1.1\r\n\r\n").into_bytes();
        assert_eq!(strict(&bytes), body.len());
        for cut in 0..bytes.len() {
            let mut state = Body::Chunked(Chunks::START);
            let (one, other) = bytes.split_at(cut);
            let taken = state.take(one) + state.take(other);
            assert_eq!(taken, body.len(), "{body:?} cut at {cut}");
        }
        let mut state = Body::Chunked(Chunks::START);
        let taken: usize = bytes.chunks(1).map(|byte| state.take(byte)).sum();
        assert_eq!(taken, body.len(), "{body:?} by bytes");
    }
}

#[test]
fn what_is_no_chunk_ends_the_body_with_the_segment() {
    for wrong in ["x", "3\r\nabcd", "fffffffffffffffff", "-1\r\n"] {
        let mut state = Body::Chunked(Chunks::START);
        assert_eq!(state.take(wrong.as_bytes()), wrong.len(), "{wrong}");
        assert_eq!(state, Body::None, "{wrong}");
    }
}

#[test]
fn a_gap_within_a_chunk_is_passed_over_and_any_other_loses_the_end() {
    let mut state = Body::Chunked(Chunks::START);
    state.take(b"8\r\nab");
    state.miss(5);
    assert_eq!(state.take(b"h\r\n0\r\n\r\nGET"), 8);
    let mut state = Body::Chunked(Chunks::START);
    state.take(b"8\r\nab");
    state.miss(7);
    assert_eq!(state, Body::None);
}

#[test]
fn responses_without_a_body_are_known_by_request_and_status() {
    let length = "Content-Length: 5\r\n\r\n";
    let table = [
        (
            "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
            format!("HTTP/1.1 200 OK\r\n{length}"),
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            format!("HTTP/1.1 304 Not Modified\r\n{length}"),
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n".to_owned(),
        ),
    ];
    for (request, response) in table {
        let mut talk = Talk::new(&[], 80);
        talk.client(request.as_bytes());
        let both = format!("{response}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab");
        let told = talk.server(both.as_bytes());
        assert_eq!(
            told,
            format!("http{} http38 data2 ", response.len()),
            "{response}"
        );
    }
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let mut talk = Talk::new(&[], 80);
    let told = talk.client(
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\nHEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    assert_eq!(told, "http27 http28 http27 ");
    let answers = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab\
        HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\
        HTTP/1.1 100 Continue\r\n\r\n\
        HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n\
        HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 to the end";
    let expected = "http38 data2 http38 http25 http47 data12 http19 data19 ";
    assert_eq!(talk.server(answers), expected);
    assert_eq!(talk.server(b"HTTP/1.1 200 OK\r\n\r\n"), "data19 ");
}

/// All layers, with adjacent pieces of data joined.
fn whole(told: &[String]) -> String {
    let mut all = String::new();
    let mut data = 0;
    for word in told.iter().flat_map(|told| told.split_whitespace()) {
        match word.strip_prefix("data") {
            Some(length) => data += length.parse::<usize>().expect("a length"),
            None if word == "more" => {}
            None => {
                all += &format!("data{data} {word} ");
                data = 0;
            }
        }
    }
    all + &format!("data{data}")
}

#[test]
fn an_exchange_cut_at_any_byte_is_the_same() {
    let request: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nGET\r\n0\r\nA: b\r\n\r\nHEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
    let response: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nHTTP/\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n";
    for cut in 1..request.len().max(response.len()) {
        let mut talk = Talk::new(&[], 80);
        let parts = |bytes: &'static [u8]| bytes.split_at(cut.min(bytes.len()));
        let (one, other) = parts(request);
        let told = [talk.client(one), talk.client(other)];
        assert_eq!(whole(&told), "data0 http56 data19 http28 data0", "{cut}");
        let (one, other) = parts(response);
        let told = [talk.server(one), talk.server(other)];
        assert_eq!(
            whole(&told),
            "data0 http25 data0 http47 data15 http38 data0",
            "{cut}"
        );
    }
}

#[test]
fn behind_an_upgrade_all_is_data_and_in_a_tunnel_any_protocol_is_found() {
    let mut talk = Talk::new(&[], 80);
    talk.client(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    let told = talk.server(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    assert_eq!(told, "http69 data18 ");
    assert_eq!(talk.client(b"GET / HTTP/1.1\r\n\r\n"), "data18 ");

    let mut talk = Talk::new(&[], 80);
    talk.client(b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
    assert_eq!(talk.server(b"HTTP/1.1 200 OK\r\n\r\n"), "http19 ");
    assert_eq!(talk.client(b"gwrpc 1\n\x03\0\0\0abc"), "rpc3 ");
    assert_eq!(talk.server(b"\x02\0\0\0ab"), "rpc2 ");
}
