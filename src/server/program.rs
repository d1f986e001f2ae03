//! The common body of the server programs: signals, metrics, the first line and the last one.
//!
//! A program makes its listener and its handler, and hands them over; what follows is the same
//! for all of them, so it stands here once.

use std::sync::Arc;
use std::thread;

use super::{
    Config, DatagramConfig, DatagramHandler, DatagramServer, DatagramStats, Handler, Server,
    Signals, Stopper, flags,
};
use crate::cli::{Args, Failure, Out, What};
use crate::net::{DatagramSocket, Listener};
use crate::telemetry::Registry;

/// Serves connections until SIGINT, SIGTERM or the handler stops the server.
///
/// Prints `listening on NETWORK ADDRESS` first and the totals last. Call it before the program
/// starts a thread: the signals must be blocked in all of them.
pub fn serve_connections<H: Handler + 'static>(
    args: &Args,
    config: Config,
    listener: Listener,
    handler: H,
) -> Result<(), Failure> {
    let signals = Signals::block().what("blocking signals")?;
    let what = format!("serving {} {}", listener.network(), listener.local_addr());
    let server = Server::new(config, handler);
    signals.stop(server.stopper()).what("waiting for signals")?;
    let registry = Registry::new();
    server.register(&registry);

    let out = Out::lines();
    let page = flags::metrics_page(args, &registry)?;
    let address = listener.local_addr();
    flags::announce(
        &out,
        format_args!("listening on {} {address}", listener.network()),
    )?;
    if let Some(page) = &page {
        flags::announce(
            &out,
            format_args!("metrics on http://{}/metrics", page.local_addr()),
        )?;
    }
    let totals = server.run(listener).what(what)?;
    flags::announce(&out, totals)
}

/// Serves datagrams, one thread a socket, until SIGINT or SIGTERM; prints likewise. The sockets
/// share one address and one set of counters; `handler` makes each its own.
pub fn serve_datagrams<H: DatagramHandler + 'static>(
    args: &Args,
    config: &DatagramConfig,
    sockets: Vec<DatagramSocket>,
    handler: impl Fn() -> H,
) -> Result<(), Failure> {
    let signals = Signals::block().what("blocking signals")?;
    let (stopper, stats) = (Stopper::new(), Arc::new(DatagramStats::default()));
    signals.stop(stopper.clone()).what("waiting for signals")?;
    let registry = Registry::new();
    stats.register(&registry);

    let out = Out::lines();
    let page = flags::metrics_page(args, &registry)?;
    if let Some(socket) = sockets.first() {
        let local = socket.local_addr().what("reading the local address")?;
        flags::announce(
            &out,
            format_args!("listening on {} {local}", socket.network()),
        )?;
    }
    if let Some(page) = &page {
        flags::announce(
            &out,
            format_args!("metrics on http://{}/metrics", page.local_addr()),
        )?;
    }
    let mut threads = Vec::new();
    for socket in sockets {
        let server = DatagramServer::new(config.clone(), socket, handler());
        let (server, stopper) = (server.counting_into(stats.clone()), stopper.clone());
        let thread = thread::Builder::new().name("datagrams".into());
        threads.push(
            thread
                .spawn(move || server.run(&stopper))
                .what("starting a thread")?,
        );
    }
    for thread in threads {
        let ended = thread
            .join()
            .map_err(|_| Failure::Failed("a serving thread panicked".into()))?;
        ended.what("serving datagrams")?;
    }
    flags::announce(&out, stats.line())
}
