//! The metrics page: counters for a Prometheus server, over the least HTTP that will do.
//!
//! A scrape is one GET of `/metrics`; the answer closes the connection. So this reads one request
//! head (at most 8 KiB, within 2 seconds), looks at its request line (RFC 9112 §3) and nothing
//! else, and answers. One request at a time on one thread: a slow scraper delays only the next.

use std::io::{self, Read, Write};
use std::thread;
use std::time::Duration;

use super::stop::Stopper;
use crate::net::{self, AcceptError, Addr, Conn, Deadline, Listener, Network};
use crate::telemetry::{CONTENT_TYPE, Registry};

const HEAD_LIMIT: usize = 8 * 1024;
/// The wait after an `accept` that failed for want of descriptors.
const BACK_OFF: Duration = Duration::from_millis(200);
const TIME_LIMIT: Duration = Duration::from_secs(2);

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
    loop {
        match listener.accept() {
            // A scraper that goes away in the middle harms nobody.
            Ok(conn) => drop(answer(conn, registry)),
            Err(AcceptError::Closed | AcceptError::Fatal(_)) => return,
            Err(AcceptError::Lost(_)) => {}
            Err(AcceptError::Exhausted(_)) => drop(stopper.wait_timeout(BACK_OFF)),
        }
    }
}

fn answer(mut conn: Conn, registry: &Registry) -> io::Result<()> {
    let deadline = Deadline::after(TIME_LIMIT);
    conn.set_deadline(deadline);
    let head = read_head(&mut conn)?;
    let (status, page) = judge(&head);
    let body = match page {
        Page::Metrics => registry.expose(),
        Page::Error => format!("{status}\n"),
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

/// Reads up to the empty line that ends the head, or [`HEAD_LIMIT`], or the end of the stream.
fn read_head(conn: &mut Conn) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(1024);
    let mut part = [0; 1024];
    while head.len() < HEAD_LIMIT && !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match conn.read(&mut part)? {
            0 => break,
            count => head.extend_from_slice(part.get(..count).unwrap_or(&[])),
        }
    }
    Ok(head)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Page {
    Metrics,
    Error,
}

/// Status line and page for a request head.
fn judge(head: &[u8]) -> (&'static str, Page) {
    if !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let status = if head.len() < HEAD_LIMIT {
            "400 Bad Request"
        } else {
            "431 Request Header Fields Too Large"
        };
        return (status, Page::Error);
    }
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or(&[]);
    let mut parts = line.split(|&byte| byte == b' ');
    let (method, target, version) = (parts.next(), parts.next(), parts.next());
    let known = matches!(version, Some(b"HTTP/1.1" | b"HTTP/1.0")) && parts.next().is_none();
    match (known, method, target.map(path)) {
        (false, _, _) => ("400 Bad Request", Page::Error),
        (_, Some(b"GET" | b"HEAD"), Some(b"/metrics")) => ("200 OK", Page::Metrics),
        (_, Some(b"GET" | b"HEAD"), _) => ("404 Not Found", Page::Error),
        _ => ("405 Method Not Allowed", Page::Error),
    }
}

/// The path of a request target, which a proxy's client sends in absolute form
/// (`http://host/path`; to be accepted, RFC 9112 §3.2.2).
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
            (
                "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n",
                "200",
                Page::Metrics,
            ),
            ("GET /metrics?x=1 HTTP/1.0\r\n\r\n", "200", Page::Metrics),
            ("HEAD /metrics HTTP/1.1\r\n\r\n", "200", Page::Metrics),
            (
                "GET http://a:7100/metrics HTTP/1.1\r\n\r\n",
                "200",
                Page::Metrics,
            ),
            (
                "GET HTTP://a/metrics?x=/ HTTP/1.1\r\n\r\n",
                "200",
                Page::Metrics,
            ),
            ("GET http://a HTTP/1.1\r\n\r\n", "404", Page::Error),
            (
                "GET http://a/b/metrics HTTP/1.1\r\n\r\n",
                "404",
                Page::Error,
            ),
            ("HEAD / HTTP/1.1\r\n\r\n", "404", Page::Error),
            ("GET / HTTP/1.1\r\n\r\n", "404", Page::Error),
            ("GET /metricsx HTTP/1.1\r\n\r\n", "404", Page::Error),
            ("POST /metrics HTTP/1.1\r\n\r\n", "405", Page::Error),
            ("GET /metrics HTTP/2.0\r\n\r\n", "400", Page::Error),
            ("GET /metrics HTTP/1.1 x\r\n\r\n", "400", Page::Error),
            ("GET /metrics\r\n\r\n", "400", Page::Error),
            ("GET /metrics HTTP/1.1\r\n", "400", Page::Error),
            ("", "400", Page::Error),
            (&long, "431", Page::Error),
        ];
        for (head, status, body) in cases {
            let (got, kind) = judge(head.as_bytes());
            assert!(
                got.starts_with(status) && kind == body,
                "{head:.40} gave {got} {kind:?}"
            );
        }
    }
}
