//! Exchanges over prepared bytes: what is read, what is answered, and the mistakes of a caller.

use super::*;

/// A stream with prepared input, given in parts of `part` bytes, that keeps what is written.
struct Script<'a> {
    input: &'a [u8],
    part: usize,
    written: Vec<u8>,
}

impl Read for Script<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.part.min(out.len()).min(self.input.len());
        let (now, later) = self.input.split_at(count);
        out[..count].copy_from_slice(now);
        self.input = later;
        Ok(count)
    }
}

impl Write for Script<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn script(input: &str, part: usize) -> Script<'_> {
    Script {
        input: input.as_bytes(),
        part,
        written: Vec::new(),
    }
}

/// Answers every request with its method, target and body; returns the replies without Date
/// lines.
fn serve(input: &str, part: usize) -> (String, Option<u16>) {
    let mut server = ServerExchange::new(script(input, part), Limits::default());
    let mut run = || -> Result<(), ExchangeError> {
        while let Some(request) = server.next_request()? {
            let body = String::from_utf8(server.read_all(10)?).unwrap();
            let text = format!("{} {} {body}", request.method, request.target);
            server.respond(&Response::text(200, text))?;
            if !server.keeps_alive() {
                break;
            }
        }
        Ok(())
    };
    let status = run().err().map(|error| error.status().unwrap_or(0));
    let written = String::from_utf8(server.stream().written.clone()).unwrap();
    let lines = written.split_inclusive("\r\n");
    let kept = lines.filter(|l| !l.starts_with("Date: ") && !l.starts_with("Content-Type"));
    (kept.collect(), status)
}

#[test]
fn requests_are_answered_one_after_the_other_however_they_come() {
    let input = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi\
                 PUT /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
                 1\r\nx\r\n2\r\nyz\r\n0\r\nT: u\r\n\r\n\
                 HEAD /c HTTP/1.0\r\n\r\nGET /never HTTP/1.1\r\n";
    let wanted = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nPOST /a hi\
                  HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nPUT /b xyz\
                  HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\n";
    for part in 1..50 {
        assert_eq!(serve(input, part), (wanted.into(), None), "{part}");
    }
}

#[test]
fn a_client_that_waits_is_told_to_go_on_only_when_its_body_is_wanted() {
    let head = "PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: ";
    let good = format!("{head}2\r\n\r\n");
    let (reply, status) = serve(&good, good.len());
    assert_eq!(
        (reply.as_str(), status),
        ("HTTP/1.1 100 Continue\r\n\r\n", Some(0))
    );
    let long = format!("{head}11\r\n\r\n");
    assert_eq!(serve(&long, 999), (String::new(), Some(413)));
    let early = format!("{good}hi");
    assert!(serve(&early, 999).0.starts_with("HTTP/1.1 200 OK"));
}

#[test]
fn what_is_cut_too_long_or_wrong_ends_the_exchange_with_its_status() {
    let post = |rest: &str| format!("POST / HTTP/1.1\r\nHost: h\r\n{rest}");
    for (input, status) in [
        (String::new(), None),
        ("\r\n".into(), None),
        ("GET".into(), Some(0)),
        (post("Content-Length: 3\r\n\r\nab"), Some(0)),
        (
            post("Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n"),
            Some(0),
        ),
        (
            post("Transfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n"),
            Some(413),
        ),
        (post("Transfer-Encoding: chunked\r\n\r\n1 \r\n"), Some(400)),
        ("GET / HTTP/3.0\r\n".into(), Some(505)),
    ] {
        for part in [1, 7, 1000] {
            assert_eq!(serve(&input, part), (String::new(), status), "{input:?}");
        }
    }
}

#[test]
fn a_client_reads_every_kind_of_body_and_passes_interim_responses_over() {
    let input = "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi\
                 HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n\
                 HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 500 x\r\n\r\nto the end";
    for part in [1, 3, 500] {
        let mut client = ClientExchange::new(script(input, part), Limits::default());
        let mut replies = Vec::new();
        for _ in 0..4 {
            client.send(&Request::new("GET", "/", "h")).unwrap();
            let reply = client.receive("GET", 10).unwrap();
            replies.push((reply.status, String::from_utf8(reply.body).unwrap()));
        }
        let wanted = [(200, "hi"), (200, "ab"), (204, ""), (500, "to the end")];
        assert_eq!(
            replies,
            wanted.map(|(status, body)| (status, body.to_string()))
        );
        assert!(!client.keeps_alive());
        assert!(matches!(client.receive("GET", 10), Err(ExchangeError::Cut)));
    }
}

#[test]
fn a_body_that_the_client_does_not_read_is_no_response() {
    let forged = "HTTP/1.1 200 OK\r\n\r\n";
    let input = format!(
        "HTTP/1.1 404 x\r\nContent-Length: {}\r\n\r\n{forged}HTTP/1.1 204 y\r\n\r\n",
        forged.len()
    );
    let mut client = ClientExchange::new(script(&input, 999), Limits::default());
    for status in [404, 204] {
        client.send(&Request::new("GET", "/", "h")).unwrap();
        assert_eq!(client.receive_head("GET").unwrap().status, status);
    }
}

#[test]
fn a_request_without_a_body_is_not_told_to_go_on_with_it() {
    let input = "GET / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n";
    let (reply, status) = serve(input, 999);
    assert!(reply.starts_with("HTTP/1.1 200 OK"), "{reply}");
    assert_eq!(status, None);
}

#[test]
fn a_body_that_nobody_reads_is_passed_over_up_to_its_limit() {
    for (length, goes_on) in [(PASSED_OVER, true), (PASSED_OVER + 1, false)] {
        let body = "x".repeat(length as usize);
        let input = format!(
            "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{body}\
             GET /next HTTP/1.1\r\nHost: h\r\n\r\n"
        );
        let mut server = ServerExchange::new(script(&input, 4096), Limits::default());
        server.next_request().unwrap().unwrap();
        server.respond(&Response::new(200)).unwrap();
        let next = server.next_request();
        assert_eq!(next.is_ok(), goes_on, "{next:?}");
    }
}

type Server<'a> = ServerExchange<Script<'a>>;

/// What goes to the client when `answer` answers the first of two requests, without Date; then
/// the mistakes that it was told, and the target of the next request.
fn answered(answer: fn(&mut Server<'_>) -> io::Result<()>) -> String {
    let get = "GET /next HTTP/1.1\r\nHost: h\r\n\r\n".repeat(2);
    let mut server = ServerExchange::new(script(&get, 999), Limits::default());
    server.next_request().unwrap().unwrap();
    let result = answer(&mut server);
    let written = String::from_utf8(server.stream().written.clone()).unwrap();
    let lines = written.split_inclusive("\r\n");
    let mut told: String = lines.filter(|l| !l.starts_with("Date: ")).collect();
    if let Err(error) = result {
        told += &format!("|{error}");
    }
    let next = server.next_request().unwrap();
    told + "|" + next.map_or("end", |_| "next")
}

#[test]
fn a_response_is_as_long_as_it_says_or_the_connection_ends() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
    let begin: fn(&mut Server<'_>) -> io::Result<()> =
        |s| s.begin(&Response::new(200).with("content-length", "7"), Some(2));
    assert_eq!(answered(begin), format!("{head}|end"));
    let whole: fn(&mut Server<'_>) -> io::Result<()> = |s| {
        s.begin(&Response::new(200), Some(2))?;
        s.write(b"ab")?;
        s.finish(&[])
    };
    assert_eq!(answered(whole), format!("{head}ab|next"));
    let short = answered(|s| {
        s.begin(&Response::new(200), Some(2))?;
        s.write(b"a")?;
        s.finish(&[])
    });
    assert_eq!(
        short,
        format!("{head}a|a body shorter than its Content-Length|end")
    );
    let long = answered(|s| {
        s.begin(&Response::new(200), Some(2))?;
        s.write(b"abc")
    });
    assert_eq!(
        long,
        format!("{head}|a body longer than its Content-Length|end")
    );
}

#[test]
fn a_request_has_one_response() {
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let twice = answered(|s| {
        s.respond(&Response::new(200))?;
        s.respond(&Response::new(200))
    });
    assert_eq!(twice, format!("{ok}|a second response to one request|next"));
    let more = answered(|s| {
        s.respond(&Response::new(200))?;
        s.write(b"more")
    });
    assert_eq!(more, format!("{ok}|a body that was not begun|next"));
    let hint = answered(|s| {
        s.respond(&Response::text(103, "not sent"))?;
        s.respond(&Response::new(200))
    });
    let hint_line = "HTTP/1.1 103 \r\nContent-Type: text/plain; charset=utf-8\r\n\r\n";
    assert_eq!(hint, format!("{hint_line}{ok}|next"));
    assert_eq!(answered(|_| Ok(())), "|end");
    let strange = answered(|s| s.respond(&Response::new(700)));
    assert_eq!(strange, "|a status code that is not 100 to 599|end");
}

#[test]
fn a_request_that_would_be_read_as_another_is_not_sent() {
    for (method, target, host) in [
        ("GE T", "/", "h"),
        ("", "/", "h"),
        ("GET", "", "h"),
        ("GET", "/a b", "h"),
        ("GET", "/\r\nX: y", "h"),
        ("GET", "/", "h\r\nX: y"),
    ] {
        let mut client = ClientExchange::new(script("", 1), Limits::default());
        let refused = client.send(&Request::new(method, target, host));
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert!(client.stream().written.is_empty(), "{method} {target}");
    }
}

#[test]
fn a_request_that_was_received_can_be_sent_on() {
    let input = "PUT /a HTTP/1.1\r\nHost: h\r\nA: b\r\nContent-Length: 2\r\n\r\nhi";
    let mut server = ServerExchange::new(script(input, 999), Limits::default());
    let mut request = server.next_request().unwrap().unwrap();
    request.body = server.read_all(9).unwrap();
    let mut client = ClientExchange::new(script("", 1), Limits::default());
    client.send(&request).unwrap();
    let written = String::from_utf8(client.stream().written.clone()).unwrap();
    assert_eq!(written, input);
}

#[test]
fn a_status_that_has_no_body_is_sent_without_the_one_that_was_given() {
    for status in [204, 304] {
        let input = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
        let mut server = ServerExchange::new(script(input, 999), Limits::default());
        server.next_request().unwrap().unwrap();
        server.respond(&Response::text(status, "not sent")).unwrap();
        let written = String::from_utf8(server.stream().written.clone()).unwrap();
        assert!(written.ends_with("\r\n\r\n"), "{written}");
    }
}

#[test]
fn after_a_close_of_its_own_a_client_sends_nothing_more() {
    let input = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    for keep_alive in [true, false] {
        let mut client = ClientExchange::new(script(input, 500), Limits::default());
        let mut request = Request::new("GET", "/", "h");
        request.keep_alive = keep_alive;
        client.send(&request).unwrap();
        client.receive("GET", 10).unwrap();
        assert_eq!(client.keeps_alive(), keep_alive);
    }
}
