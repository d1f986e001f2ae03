//! The end that waits to be connected to.

use std::ffi::OsStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use groundwire::cli::{Failure, What};
use groundwire::net::{self, AcceptError, Addr, Conn, Listener, Network};
use groundwire::netcat::{Error, Feed, Output, relay, serve};
use groundwire::server::{Signals, Stopper, flags};

use crate::plan::Plan;
use crate::{SPEC, failed, tell};

/// Takes one connection and copies until both ends have ended; with `-k` one after the other.
pub fn listen(plan: &Plan, address: &OsStr) -> Result<(), Failure> {
    let signals = Signals::block().what("blocking signals")?;
    let mut output = Output::standard().what("standard output")?;
    match plan.network {
        Network::Udp | Network::Udp4 | Network::Udp6 | Network::Unixgram => {
            datagrams(plan, address, signals, &mut output)
        }
        _ => {
            let listener = net::listen(plan.network, address).map_err(flags::failure)?;
            announce(plan, listener.local_addr());
            let feed = Feed::start(plan.settings.clone()).what("standard input")?;
            let waiting = listener.clone();
            let interrupted = stop_by(signals, &feed, move || waiting.close())?;
            let result = connections(plan, &listener, &feed, &mut output);
            ending(result, interrupted.load(Ordering::SeqCst))
        }
    }
}

/// One connection, or all of them.
fn connections(
    plan: &Plan,
    listener: &Listener,
    feed: &Feed,
    output: &mut Output,
) -> Result<Work, Failure> {
    loop {
        let conn = match listener.accept() {
            Ok(conn) => conn,
            Err(AcceptError::Closed) => return Ok(Work::Waiting),
            Err(AcceptError::Lost(_)) => continue,
            Err(error) => return Err(Failure::of(error)),
        };
        if !plan.keep_open {
            // Whoever comes now is refused, and does not wait for nothing.
            listener.close();
        }
        tell(plan, format_args!("connection from {}", Peer(&conn)));
        let result = relay(&conn, feed, output);
        if feed.has_quit() || !plan.keep_open {
            return result.map(|()| Work::Connection).map_err(failed);
        }
        match result {
            // Nobody is left to read what comes.
            Err(error @ Error::Output(_)) => return Err(failed(error)),
            Err(error) => groundwire::cli::complain(&SPEC, error),
            Ok(()) => {}
        }
    }
}

/// What was going on at the end.
#[derive(PartialEq)]
enum Work {
    Waiting,
    Connection,
}

fn datagrams(
    plan: &Plan,
    address: &OsStr,
    signals: Signals,
    output: &mut Output,
) -> Result<(), Failure> {
    let socket = net::listen_datagrams(plan.network, address).map_err(flags::failure)?;
    let local = socket.local_addr().what("reading the address")?;
    announce(plan, &local);
    let feed = Feed::start(plan.settings.clone()).what("standard input")?;
    stop_by(signals, &feed, || ())?;
    // There is nothing that a signal could break off: to be ended by one is the way.
    serve(&socket, &feed, output, |peer| {
        tell(plan, format_args!("datagram from {peer}"));
    })
    .map_err(failed)
}

/// On the first signal quits, and notes its number in what is returned.
fn stop_by(
    signals: Signals,
    feed: &Arc<Feed>,
    close: impl FnOnce() + Send + 'static,
) -> Result<Arc<AtomicI32>, Failure> {
    let number = Arc::new(AtomicI32::new(0));
    let (noted, feed) = (Arc::clone(&number), Arc::clone(feed));
    let stop = signals.stop_and_tell(Stopper::new(), move |signal| {
        noted.store(signal.number(), Ordering::SeqCst);
        close();
        feed.quit();
    });
    stop.what("waiting for signals")?;
    Ok(number)
}

/// A signal that broke a connection off is told as shells tell a death by signal; to wait for a
/// connection and be told not to is no failure.
fn ending(result: Result<Work, Failure>, signal: i32) -> Result<(), Failure> {
    match result? {
        Work::Connection if signal != 0 => {
            Err(Failure::Quiet(u8::try_from(128 + signal).unwrap_or(1)))
        }
        _ => Ok(()),
    }
}

fn announce(plan: &Plan, address: &Addr) {
    tell(
        plan,
        format_args!("listening on {} {address}", plan.network),
    );
}

/// Who has connected.
struct Peer<'a>(&'a Conn);

impl std::fmt::Display for Peer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.0.peer_addr(), self.0.peer_credentials()) {
            (Addr::Unix(None), Ok(who)) => write!(f, "process {}", who.pid),
            (address, _) => address.fmt(f),
        }
    }
}
