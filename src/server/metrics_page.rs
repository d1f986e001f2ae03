//! The metrics page: counters for a Prometheus server, over the minimum of HTTP.
//!
//! A scrape is one GET of `/metrics`; the connection is closed after the answer. So this reads one
//! request head (at most 8 KiB, within 2 seconds), looks only at its request line (RFC 9112 §3),
//! and answers. Bytes that cannot begin a request (those of a TLS client, for example) get an error
//! at once. What a server of documents must do is left out: to refuse a request without `Host` (RFC
//! 9112 §3.2), and to date its answers (RFC 9110 §6.6.1).
//!
//! Each request has a thread of its own, so that a silent peer delays no other. At most eight are
//! in flight; one more takes the place of the oldest, which is the most likely to stay silent.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use super::shared::lock;
use super::stop::Stopper;
use crate::net::{self, AcceptError, Addr, Conn, Deadline, Listener, Network};
use crate::telemetry::{CONTENT_TYPE, Registry};

const HEAD_LIMIT: usize = 8 * 1024;
/// The wait after an `accept` that failed for want of descriptors.
const BACK_OFF: Duration = Duration::from_millis(200);
const TIME_LIMIT: Duration = Duration::from_secs(2);
/// Requests in flight at one time.
const MOST: usize = 8;
/// The stack of a request's thread, in bytes: its buffers are on the heap.
const STACK: usize = 128 * 1024;
/// The longest method that a request line may begin with; the longest known is 17 letters.
const LONGEST_METHOD: usize = 32;

/// A running metrics page. Closes when dropped.
pub struct MetricsPage {
    listener: Listener,
    stopper: Stopper,
}

impl MetricsPage {
    /// Listens on `address` (`host:port`) and serves the registry from a thread of its own.
    pub fn start(address: &str, registry: Registry) -> Result<Self, net::Error> {
        let listener = net::listen(Network::Tcp, address)?;
        let (incoming, stopper) = (listener.clone(), Stopper::new());
        let watched = stopper.clone();
        let failed = net::Error::failed("listen", Network::Tcp, &address);
        thread::Builder::new()
            .name("metrics".into())
            .spawn(move || serve(&incoming, &registry, &watched))
            .map_err(failed)?;
        Ok(Self { listener, stopper })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> &Addr {
        self.listener.local_addr()
    }
}

impl Drop for MetricsPage {
    fn drop(&mut self) {
        self.stopper.stop();
        self.listener.close();
    }
}

fn serve(listener: &Listener, registry: &Registry, stopper: &Stopper) {
    let under_way = UnderWay::default();
    for number in 0.. {
        match listener.accept() {
            Ok(conn) => {
                let place = under_way.enter(number, &conn);
                let registry = registry.clone();
                let thread = thread::Builder::new().name("metrics page".into());
                // If no thread can be started, the connection closes. An error, such as a scraper
                // that goes away midway, needs no report.
                let _ = thread.stack_size(STACK).spawn(move || {
                    let _ = answer(conn, &registry);
                    drop(place);
                });
            }
            Err(AcceptError::Closed | AcceptError::Fatal(_)) => return,
            Err(AcceptError::Lost(_)) => {}
            Err(AcceptError::Exhausted(_)) => drop(stopper.wait_timeout(BACK_OFF)),
        }
    }
}

/// The connections that are being answered, the oldest first, with their numbers.
#[derive(Clone, Default)]
struct UnderWay(Arc<Mutex<VecDeque<(u64, Conn)>>>);

/// A connection's place among them, given up on drop.
struct Place {
    number: u64,
    under_way: UnderWay,
}

impl UnderWay {
    /// Adds a connection. If that is one too many, ends the oldest; its thread then ends by itself.
    fn enter(&self, number: u64, conn: &Conn) -> Place {
        let mut conns = self.lock();
        if conns.len() >= MOST {
            if let Some((_, oldest)) = conns.pop_front() {
                let _ = oldest.shutdown(Shutdown::Both); // fails when its peer is gone already
            }
        }
        conns.push_back((number, conn.clone()));
        let under_way = self.clone();
        Place { number, under_way }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(u64, Conn)>> {
        lock(&self.0)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let others = |(number, _): &(u64, Conn)| *number != self.number;
        self.under_way.lock().retain(others);
    }
}

fn answer(mut conn: Conn, registry: &Registry) -> io::Result<()> {
    conn.set_read_deadline(Deadline::after(TIME_LIMIT));
    let head = read_head(&mut conn)?;
    // A new deadline: a peer whose request came late, or never, still gets an answer.
    let deadline = Deadline::after(TIME_LIMIT);
    conn.set_write_deadline(deadline);
    let (status, body) = match judge(&head) {
        Ok(()) => ("200 OK", registry.expose()),
        Err(status) => (status, format!("{status}\n")),
    };
    let mut reply = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: {}\r\n\
         Allow: GET, HEAD\r\nConnection: close\r\n\r\n",
        body.len()
    );
    // The answer to HEAD has no body, whatever its status is (RFC 9110 §9.3.2).
    if !head.starts_with(b"HEAD ") {
        reply.push_str(&body);
    }
    conn.write_all(reply.as_bytes())?;
    conn.close(deadline, HEAD_LIMIT as u64);
    Ok(())
}

/// Reads up to the empty line that ends the head, [`HEAD_LIMIT`], the end of the stream, the first
/// byte that cannot belong to a request, or the time limit, if anything has arrived by then.
fn read_head(conn: &mut Conn) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(1024);
    let mut part = [0; 1024];
    while head.len() < HEAD_LIMIT && may_be_request(&head) && !is_whole(&head) {
        match conn.read(&mut part) {
            Ok(0) => break,
            Ok(count) => head.extend_from_slice(part.get(..count).unwrap_or(&[])),
            Err(error) if error.kind() == io::ErrorKind::TimedOut && !head.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    Ok(head)
}

fn is_whole(head: &[u8]) -> bool {
    head.windows(4).any(|end| end == b"\r\n\r\n")
}

/// Whether these bytes may begin a request: a method in letters, a space, and a first line that ends
/// in both CR and LF. (RFC 9112 §3.1 allows methods with other characters. None is served here.)
fn may_be_request(head: &[u8]) -> bool {
    let method = head.split(|&byte| byte == b' ').next().unwrap_or(&[]);
    let line_feed = head.iter().position(|&byte| byte == b'\n');
    let line = head.get(..line_feed.unwrap_or(0)).unwrap_or(&[]);
    method.len() <= LONGEST_METHOD
        && method.iter().all(u8::is_ascii_alphabetic)
        && (line_feed.is_none() || line.ends_with(b"\r"))
}

/// Whether a head is a request for the page; if not, the status to answer with.
fn judge(head: &[u8]) -> Result<(), &'static str> {
    if !is_whole(head) {
        return Err(match head.len() < HEAD_LIMIT {
            true => "400 Bad Request",
            false => "431 Request Header Fields Too Large",
        });
    }
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or(&[]);
    let mut parts = line.split(|&byte| byte == b' ');
    let (method, target, version) = (parts.next(), parts.next(), parts.next());
    let known = matches!(version, Some(b"HTTP/1.1" | b"HTTP/1.0")) && parts.next().is_none();
    match (known, method, target.map(path)) {
        (false, _, _) => Err("400 Bad Request"),
        (_, Some(b"GET" | b"HEAD"), Some(b"/metrics")) => Ok(()),
        (_, Some(b"GET" | b"HEAD"), _) => Err("404 Not Found"),
        _ => Err("405 Method Not Allowed"),
    }
}

/// The path of a request target. Clients of a proxy send the absolute form (`http://host/path`),
/// which a server must accept (RFC 9112 §3.2.2).
fn path(target: &[u8]) -> &[u8] {
    const SCHEME: &[u8] = b"http://";
    let target = target.split(|&byte| byte == b'?').next().unwrap_or(&[]);
    match target.split_at_checked(SCHEME.len()) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(SCHEME) => {
            let root = rest.iter().position(|&byte| byte == b'/');
            root.and_then(|root| rest.get(root..)).unwrap_or(b"/")
        }
        _ => target,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_request_for_the_page_gets_it() {
        let long = format!("GET /metrics HTTP/1.1\r\nX: {}", "x".repeat(HEAD_LIMIT));
        let cases = [
            ("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "200"),
            ("GET /metrics?x=1 HTTP/1.0\r\n\r\n", "200"),
            ("HEAD /metrics HTTP/1.1\r\n\r\n", "200"),
            ("GET http://a:7100/metrics HTTP/1.1\r\n\r\n", "200"),
            ("GET HTTP://a/metrics?x=/ HTTP/1.1\r\n\r\n", "200"),
            ("GET http://a HTTP/1.1\r\n\r\n", "404"),
            ("GET http://a/b/metrics HTTP/1.1\r\n\r\n", "404"),
            ("HEAD / HTTP/1.1\r\n\r\n", "404"),
            ("GET / HTTP/1.1\r\n\r\n", "404"),
            ("GET /metricsx HTTP/1.1\r\n\r\n", "404"),
            ("POST /metrics HTTP/1.1\r\n\r\n", "405"),
            ("GET /metrics HTTP/2.0\r\n\r\n", "400"),
            ("GET /metrics HTTP/1.1 x\r\n\r\n", "400"),
            ("GET /metrics\r\n\r\n", "400"),
            ("GET /metrics HTTP/1.1\r\n", "400"),
            ("", "400"),
            (&long, "431"),
        ];
        for (head, status) in cases {
            let got = judge(head.as_bytes()).err().unwrap_or("200");
            assert!(got.starts_with(status), "{head:.40} gave {got}");
        }
    }

    #[test]
    fn no_more_of_a_head_is_read_than_its_limit() {
        let (mut ours, mut theirs) = Conn::pair().unwrap();
        let endless = format!("GET /metrics HTTP/1.1\r\nX: {}", "x".repeat(4 * HEAD_LIMIT));
        theirs.write_all(endless.as_bytes()).unwrap();
        drop(theirs);
        assert_eq!(read_head(&mut ours).unwrap().len(), HEAD_LIMIT);
    }
}
