//! The metrics page: counters for a Prometheus server.
//!
//! A scrape is one GET of `/metrics`; the answer closes the connection. A request's head has at most
//! 8 KiB and 2 seconds. What cannot become a request any more (the bytes of a TLS client, say) is
//! told so at once.
//!
//! Each request has a thread of its own, so that a silent peer delays nobody. At most eight are
//! under way; one more takes the place of the oldest, which is the likeliest to be silent for ever.

use std::collections::VecDeque;
use std::io;
use std::net::Shutdown;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::stop::Stopper;
use crate::http::{Limits, Request, Response, ServerExchange};
use crate::net::{self, AcceptError, Addr, Conn, Deadline, Listener, Network};
use crate::telemetry::{CONTENT_TYPE, Registry};

/// A scraper's request has a few short lines.
const MESSAGE: Limits = Limits {
    start_line: 4096,
    field_line: 4096,
    fields: 64,
    section: 8 * 1024,
    chunk_line: 64,
    trailers: 1024,
};
/// What a peer may still send while our last bytes are on their way, in bytes.
const LINGER: u64 = 8 * 1024;
/// The wait after an `accept` that failed for want of descriptors.
const BACK_OFF: Duration = Duration::from_millis(200);
const TIME_LIMIT: Duration = Duration::from_secs(2);
/// Requests under way at one time.
const MOST: usize = 8;
/// The stack of a request's thread, in bytes: its buffers are on the heap.
const STACK: usize = 128 * 1024;

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
                // Without a thread to be had the connection closes. One whose scraper goes away in
                // the middle harms nobody.
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

/// A connection's place among them, which is given up on drop.
struct Place {
    number: u64,
    under_way: UnderWay,
}

impl UnderWay {
    /// Adds a connection; one too many ends the oldest, whose thread then ends by itself.
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
        // Only the code of this type runs under the lock, and it does not panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let others = |(number, _): &(u64, Conn)| *number != self.number;
        self.under_way.lock().retain(others);
    }
}

fn answer(conn: Conn, registry: &Registry) -> io::Result<()> {
    conn.set_read_deadline(Deadline::after(TIME_LIMIT));
    let mut exchange = ServerExchange::new(conn.clone(), MESSAGE);
    let response = match exchange.next_request() {
        Ok(Some(request)) => reply(&request, registry),
        Ok(None) => return Ok(()),
        Err(error) => match error.status() {
            Some(status) => Response::status(status),
            None => return Err(error.into()),
        },
    };
    // Afresh: one whose request came late, or never, still has to be told.
    let deadline = Deadline::after(TIME_LIMIT);
    conn.set_write_deadline(deadline);
    exchange.close_after();
    exchange.respond(&response)?;
    conn.close(deadline, LINGER);
    Ok(())
}

fn reply(request: &Request, registry: &Registry) -> Response {
    match (request.method.as_str(), request.path()) {
        ("GET" | "HEAD", "/metrics") => {
            Response::new(200).with_body(CONTENT_TYPE, registry.expose())
        }
        ("GET" | "HEAD", _) => Response::status(404),
        _ => Response::status(405).with("Allow", "GET, HEAD"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_request_for_the_page_gets_it() {
        for (method, target, status) in [
            ("GET", "/metrics", 200),
            ("GET", "/metrics?x=1", 200),
            ("HEAD", "/metrics", 200),
            ("HEAD", "/", 404),
            ("GET", "/", 404),
            ("GET", "/metricsx", 404),
            ("GET", "/b/metrics", 404),
            ("POST", "/metrics", 405),
            ("get", "/metrics", 405),
            ("OPTIONS", "*", 405),
        ] {
            let response = reply(&Request::new(method, target, "a"), &Registry::new());
            assert_eq!(response.status, status, "{method} {target}");
        }
    }
}
