//! The end that waits for a connection.

use std::ffi::OsStr;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use groundwire::cli::{Failure, What};
use groundwire::net::{self, AcceptError, Addr, Conn, Listener, Network};
use groundwire::netcat::{Error, Feed, Output, relay, serve};
use groundwire::server::{Signals, Stopper, program};
use groundwire::telemetry::shown;

use crate::plan::Plan;
use crate::{SPEC, failed, tell};

/// How long the end may take after a signal.
const AFTER_SIGNAL: Duration = Duration::from_secs(1);

/// Takes one connection and copies until both sides have ended; with `-k`, one after the other.
pub fn listen(plan: &Arc<Plan>, address: &OsStr) -> Result<(), Failure> {
    let output = Output::standard().what("standard output")?;
    let (news, told) = mpsc::channel();
    match plan.network {
        Network::Udp | Network::Udp4 | Network::Udp6 | Network::Unixgram => {
            datagrams(plan, address, output, news)?;
        }
        _ => streams(plan, address, output, news)?,
    }
    ending(&told)
}

fn streams(
    plan: &Arc<Plan>,
    address: &OsStr,
    mut output: Output,
    news: Sender<News>,
) -> Result<(), Failure> {
    let listener = program::bind(plan.network, || net::listen(plan.network, address))?;
    announce(plan, listener.local_addr());
    let feed = Feed::start(plan.settings.clone()).map_err(failed)?;
    let waiting = listener.clone();
    stop_by(&feed, news.clone(), move || waiting.close())?;
    let plan = Arc::clone(plan);
    start(news, move || {
        connections(&plan, &listener, &feed, &mut output)
    })
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
            // Later clients are refused at once instead of waiting in vain.
            listener.close();
        }
        tell(plan, format_args!("connection from {}", Peer(&conn)));
        let result = relay(&conn, feed, output);
        if feed.has_quit() || !plan.keep_open {
            return result.map(|()| Work::Connection).map_err(failed);
        }
        match result {
            // Standard output is gone: nothing more can be delivered.
            Err(error @ Error::Output(_)) => return Err(failed(error)),
            Err(error) => groundwire::cli::complain(&SPEC, error),
            Ok(()) => {}
        }
    }
}

/// What the work was doing when it ended.
enum Work {
    Waiting,
    Connection,
}

/// What the main thread waits for.
enum News {
    /// The first signal's number.
    Signal(i32),
    Ended(Result<Work, Failure>),
}

fn datagrams(
    plan: &Arc<Plan>,
    address: &OsStr,
    mut output: Output,
    news: Sender<News>,
) -> Result<(), Failure> {
    let socket = program::bind(plan.network, || {
        net::listen_datagrams(plan.network, address)
    })?;
    let local = socket.local_addr().what("reading the address")?;
    announce(plan, &local);
    let feed = Feed::start(plan.settings.clone()).map_err(failed)?;
    stop_by(&feed, news.clone(), || ())?;
    let plan = Arc::clone(plan);
    start(news, move || {
        let served = serve(&socket, &feed, &mut output, |peer| {
            tell(&plan, format_args!("datagram from {}", shown(peer)));
        });
        // The feed also holds the socket, to the end of the process: its file would stay.
        socket.close();
        // No connection to interrupt: a signal is the usual end.
        served.map(|()| Work::Waiting).map_err(failed)
    })
}

/// On the first signal, reports it and quits.
fn stop_by(
    feed: &Arc<Feed>,
    news: Sender<News>,
    close: impl FnOnce() + Send + 'static,
) -> Result<(), Failure> {
    let signals = Signals::block().what("blocking signals")?;
    let feed = Arc::clone(feed);
    let stop = signals.stop_and_tell(Stopper::new(), move |signal| {
        let _ = news.send(News::Signal(signal.number())); // fails if all has ended
        close();
        feed.quit();
    });
    stop.what("starting a thread")
}

/// Starts the work on a thread of its own: a write to a full pipe cannot be woken, and after a
/// signal the program ends without it.
fn start(
    news: Sender<News>,
    work: impl FnOnce() -> Result<Work, Failure> + Send + 'static,
) -> Result<(), Failure> {
    let run = move || {
        let ended = panic::catch_unwind(AssertUnwindSafe(work));
        let ended = ended.unwrap_or_else(|_| Err("its thread panicked".to_string().into()));
        let _ = news.send(News::Ended(ended)); // fails if the main thread has left
    };
    let thread = thread::Builder::new().name("work".into());
    thread.spawn(run).map(drop).what("starting a thread")
}

/// A signal that interrupted a connection gives 128 plus its number, as in a shell; a signal while
/// waiting for a connection is no failure.
fn ending(told: &Receiver<News>) -> Result<(), Failure> {
    let number = match told.recv() {
        Ok(News::Signal(number)) => number,
        Ok(News::Ended(result)) => return result.map(drop),
        Err(_) => return Ok(()), // cannot happen: the work reports its end
    };
    match told.recv_timeout(AFTER_SIGNAL) {
        Ok(News::Ended(Ok(Work::Waiting))) => Ok(()),
        Ok(News::Ended(Err(failure))) => Err(failure),
        _ => Err(Failure::Quiet(u8::try_from(128 + number).unwrap_or(1))),
    }
}

fn announce(plan: &Plan, address: &Addr) {
    tell(
        plan,
        format_args!("listening on {} {address}", plan.network),
    );
}

/// The peer of a connection, as shown.
struct Peer<'a>(&'a Conn);

impl std::fmt::Display for Peer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.0.peer_addr(), self.0.peer_credentials()) {
            (Addr::Unix(None), Ok(who)) => write!(f, "process {}", who.pid),
            // A Unix peer has chosen its own name: show it escaped.
            (address, _) => f.write_str(&shown(address)),
        }
    }
}
