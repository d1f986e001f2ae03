//! Relays traffic, shows it, records it as packets, and breaks it on purpose. The lesson:
//! what is on the wire, without privilege; and what a program does when the wire is bad.
#![forbid(unsafe_code)]

mod options;
mod place;

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use groundwire::capture::flow::Rule;
use groundwire::capture::tap::{DatagramRelay, Recorder, Relay, RelayConfig, Show};
use groundwire::cli::{self, Args, Failure, Out, What};
use groundwire::net::{Addr, ListenConfig, Network, plain_words};
use groundwire::server::{Config, Server, Stopper, flags, program};

use options::SPEC;
use place::Place;

/// How long the relay of datagrams may take to end.
const AFTER_STOP: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    cli::run(&SPEC, tap)
}

fn tap(args: Args) -> Result<(), Failure> {
    args.exactly(2)?;
    let is_datagrams = args.flag("udp");
    let listen = Place::parse(args.operand(0, "LISTEN")?, is_datagrams);
    let target = Place::parse(args.operand(1, "TARGET")?, is_datagrams);
    let options = options::read(&args, &target)?;
    let path = args.value("write").unwrap_or_default();
    let _pipe = cli::reader_of_pipe(path).what(format_args!("writing {path}"))?;
    // Bind first: do not overwrite a file for a relay that cannot start.
    let tap = if is_datagrams { datagrams } else { streams };
    tap(&args, &listen, options)
}

/// What the options come to.
struct Options {
    relay: RelayConfig,
    server: Config,
    show: Show,
    decode_as: Vec<Rule>,
    snap: u32,
}

fn streams(args: &Args, listen: &Place, mut options: Options) -> Result<(), Failure> {
    let (how, network) = (ListenConfig::default(), listen.network);
    let listener = program::bind(network, || how.listen(network, &listen.address))?;
    program::make_room(args, &mut options.server, 2, args.given("max-connections"));
    let bound = (listener.network(), listener.local_addr().clone());
    serve(args, options, bound, |options, recorder, stopper| {
        let relay = Relay::new(options.relay, recorder);
        let passed = relay.passed();
        let server = Server::new(options.server, relay).stopped_by(stopper.clone());
        let totals = server.run(listener).what("serving")?;
        let [there, back] = [&passed.to_target, &passed.to_client].map(|count| count.get());
        Ok(format!(
            "{totals}; {there} bytes to the target, {back} to clients"
        ))
    })
}

fn datagrams(args: &Args, listen: &Place, mut options: Options) -> Result<(), Failure> {
    let (how, network) = (ListenConfig::default(), listen.network);
    let socket = program::bind(network, || how.listen_datagrams(network, &listen.address))?;
    program::make_room(args, &mut options.server, 1, args.given("max-connections"));
    let local = socket.local_addr().what("reading the local address")?;
    let bound = (socket.network(), local);
    serve(args, options, bound, |options, recorder, stopper| {
        let (log, most) = (options.server.log, options.server.max_connections);
        let relay = DatagramRelay::new(options.relay, recorder, log, socket, most);
        let totals = relay.totals();
        leave_behind(stopper, move |stopper| relay.run(stopper)).what("serving")?;
        Ok(totals.to_string())
    })
}

/// Runs on a thread of its own. Once stopped, waits at most [`AFTER_STOP`] for that thread: it may be
/// stuck writing to a full pipe.
fn leave_behind(
    stopper: &Stopper,
    run: impl FnOnce(&Stopper) -> io::Result<()> + Send + 'static,
) -> io::Result<()> {
    let (tell, told) = mpsc::channel();
    let watched = stopper.clone();
    let serve = move || {
        let ended = panic::catch_unwind(AssertUnwindSafe(|| run(&watched)));
        watched.stop(); // after a panic, too
        let _ = tell.send(ended);
    };
    let thread = thread::Builder::new().name("relay".into());
    thread.spawn(serve).map_err(|error| {
        let why = format!("starting a thread: {}", plain_words(&error));
        io::Error::new(error.kind(), why)
    })?;
    stopper.wait();
    match told.recv_timeout(AFTER_STOP) {
        Ok(ended) => ended.unwrap_or_else(|_| Err(io::Error::other("a thread panicked"))),
        Err(_) => Ok(()),
    }
}

/// Makes the recorder, and serves. The last line has the totals, and the packets in the file.
fn serve(
    args: &Args,
    options: Options,
    (network, address): (Network, Addr),
    run: impl FnOnce(Options, Arc<Recorder>, &Stopper) -> Result<String, Failure>,
) -> Result<(), Failure> {
    let (server, relay) = (&options.server, &options.relay);
    let (log, drain) = (server.log.clone(), server.drain);
    let (seed, is_random) = (relay.seed, relay.faults.are_random());
    let mut recorder = Recorder::new(options.show, seed, options.decode_as.clone(), log.clone());
    if let Some(path) = args.value("write") {
        let with_file = recorder.with_file(Path::new(path), options.snap);
        recorder = with_file.what(format_args!("writing {path}"))?;
    }
    let recorder = Arc::new(recorder);
    let frame = (SPEC.name, &log, drain);
    program::serve_until_signal(args, frame, (network, &address), |stopper| {
        if is_random {
            flags::announce(&Out::lines(), format_args!("seed {seed}"))?;
        }
        let totals = run(options, recorder.clone(), stopper)?;
        Ok(match args.value("write") {
            Some(path) => format!("{totals}; {} packets in {path}", recorder.written()),
            None => totals,
        })
    })?;
    if recorder.is_incomplete() {
        return Err(Failure::Quiet(1)); // it was reported when it happened
    }
    Ok(())
}
