//! The common body of the server programs: signals, metrics, the first line and the last one.
//!
//! A program makes its listener and its handler, and hands them over. The rest is the same for all
//! server programs, so it is here once.

use std::fmt::Display;
use std::io;
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use super::{
    Config, DatagramConfig, DatagramHandler, DatagramServer, DatagramStats, Handler, MetricsPage,
    Server, Signals, Stopper, Totals, ended, flags,
};
use crate::cli::{Args, Failure, Out, What};
use crate::net::{self, Addr, DatagramSocket, Deadline, Listener, Network};
use crate::sys::process;
use crate::sys::signal::{self, Signal};
use crate::telemetry::{Fields, Log, Registry, shown};

/// How long printing the totals may take. The reader of a pipe may have stopped reading, and with
/// `-v` a handler may block while it writes a log line to that pipe.
const LAST_LINE: Duration = Duration::from_secs(2);

/// How long the threads of datagram sockets may take to end before the program ends without them.
const AFTER_STOP: Duration = Duration::from_secs(2);

/// How much longer than its drain a server's end may take: for the handlers that the cut wakes, the
/// threads of datagram sockets, and the totals. Each has a limit of its own; the sum is less than
/// this.
const OVERDUE: Duration = Duration::from_secs(5);

/// The same where the caller has more to do at the end: a leader hands over, a status page stays
/// until the last moment.
const LONG_OVERDUE: Duration = Duration::from_secs(10);

/// Descriptors beside those of live connections: standard streams, listeners, the metrics page with
/// its peers, connections that are about to be refused.
const SPARE_DESCRIPTORS: u64 = 64;

/// Binds where a server listens, and blocks the signals that end it. Call it before the program
/// starts a thread.
///
/// For a path it blocks the signals first: a signal between binding and serving then waits, and no
/// socket file is left behind. For an IP address it binds first: nothing can be left behind, and
/// the look-up of its name takes ten seconds when no name server answers. Until it is bound, Ctrl-C
/// ends the program on the spot.
pub fn bind<T>(
    network: Network,
    bind: impl FnOnce() -> Result<T, net::Error>,
) -> Result<T, Failure> {
    if network.is_unix() {
        begin()?;
    }
    let bound = bind().map_err(flags::failure)?;
    begin()?;
    Ok(bound)
}

/// Blocks the signals that end a server: the second half of [`bind`], for a server that binds in
/// another way.
pub fn begin() -> Result<(), Failure> {
    Signals::block().map(drop).what("blocking signals")
}

/// Serves connections until a signal (SIGINT, SIGTERM, SIGHUP) or the handler stops the server.
///
/// Prints `listening on NETWORK ADDRESS` first and the totals last. Call it before the program
/// starts a thread: the signals must be blocked in all of them.
pub fn serve_connections<H: Handler + 'static>(
    args: &Args,
    config: Config,
    listener: Listener,
    handler: H,
) -> Result<(), Failure> {
    serve_connections_with(args, config, listener, |_, _| handler)
}

/// The same with a handler that is made last: it may keep the stopper, to stop the server itself,
/// and add its own numbers to the registry, beside those of the server.
pub fn serve_connections_with<H: Handler + 'static>(
    args: &Args,
    mut config: Config,
    listener: Listener,
    handler: impl FnOnce(&Stopper, &Registry) -> H,
) -> Result<(), Failure> {
    let signals = Signals::block().what("blocking signals")?;
    let what = format!("serving {} {}", listener.network(), listener.local_addr());
    let life = Life::new(args, &config.name, &config.log);
    make_room(args, &mut config, 1, args.given("max-connections"));
    let (stopper, registry, log) = (Stopper::new(), Registry::new(), config.log.clone());
    let handler = handler(&stopper, &registry);
    let drain = config.drain;
    let server = Server::new(config, handler).stopped_by(stopper.clone());
    life.watch(signals, stopper.clone())?;
    stopper
        .exit_when_overdue(drain.saturating_add(OVERDUE))
        .what("starting a thread")?;
    server.register(&registry);

    let out = Out::lines();
    let page = flags::metrics_page(args.value("metrics"), &registry, &log)?;
    life.listens(&out, listener.network(), listener.local_addr())?;
    announce_page(&out, page.as_ref())?;
    let totals = server.run(listener).what(what)?;
    let Totals {
        served,
        refused,
        failed,
        cut,
        ..
    } = &totals;
    let fields: Fields<'_> = &[
        ("signal", &life.signal()),
        ("served", served),
        ("refused", refused),
        ("failed", failed),
        ("cut", cut),
    ];
    life.tell("ended", fields);
    announce_at_last(out, totals)
}

/// Raises the soft limit on descriptors to what the connections need, `each` so many.
///
/// Where the hard limit is lower, lowers `max_connections` to what it leaves room for: a server that
/// runs out of descriptors refuses nobody, and newcomers wait in the backlog, so enough idle peers
/// would lock out all others. That is a warning if the number was asked for, and if there is no room
/// for one connection; then the number stays, and `accept` tells of each shortage.
pub fn make_room(args: &Args, config: &mut Config, each: usize, is_asked_for: bool) {
    let most = config.most_at_once();
    let needed = (most.saturating_mul(each) as u64).saturating_add(SPARE_DESCRIPTORS);
    let Ok(old) = process::descriptor_limit() else {
        return; // nothing to compare with; `accept` will report it
    };
    if old >= needed {
        return;
    }
    let limit = process::set_descriptor_limit(needed).unwrap_or(old);
    if limit >= needed {
        return;
    }
    let room = limit.saturating_sub(SPARE_DESCRIPTORS) / each.max(1) as u64;
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    if room > 0 {
        config.max_connections = room;
    }
    // For a program that has not called `begin` yet, because it binds later: past the file size
    // limit the line is lost, and the program goes on.
    let _ = signal::block(&[Signal::FileSize]);
    let fields: Fields<'_> = &[("limit", &limit), ("needed", &needed), ("room", &room)];
    let message = "fewer descriptors than connections need";
    match is_asked_for || room == 0 {
        true => config.log.warn(&config.name, message, fields),
        false => flags::life_log(args, &config.log).info(&config.name, message, fields),
    }
}

/// Logs the program's own start and end, for readers who do not see standard output.
struct Life {
    name: String,
    log: Log,
    /// The signal that stopped it. Logged only at the end, because a log whose reader is stuck must
    /// not keep a signal from stopping the server.
    signal: Arc<OnceLock<Signal>>,
}

impl Life {
    fn new(args: &Args, name: &str, log: &Log) -> Self {
        Self {
            name: name.to_string(),
            log: flags::life_log(args, log),
            signal: Arc::default(),
        }
    }

    fn tell(&self, message: &str, fields: Fields<'_>) {
        self.log.info(&self.name, message, fields);
    }

    /// Prints and logs where the server listens.
    fn listens(&self, out: &Out, network: Network, address: &Addr) -> Result<(), Failure> {
        flags::announce(
            out,
            format_args!("listening on {network} {}", shown(address)),
        )?;
        self.tell("listening", &[("network", &network), ("address", address)]);
        Ok(())
    }

    /// Lets the signals stop the server, and remembers the first one.
    fn watch(&self, signals: Signals, stopper: Stopper) -> Result<(), Failure> {
        let heard = self.signal.clone();
        signals
            .stop_and_tell(stopper, move |signal| {
                heard.get_or_init(|| signal);
            })
            .what("starting a thread")
    }

    /// The same, but SIGHUP calls `reload`. A reload may take a while, and the thread that waits
    /// for signals must receive the next one, so the reload has a thread of its own. Several
    /// SIGHUPs during a reload cause one more.
    fn watch_and_reload(
        &self,
        signals: Signals,
        stopper: Stopper,
        reload: impl Fn() + Send + 'static,
    ) -> Result<(), Failure> {
        let (ask, asked) = mpsc::sync_channel(1);
        // Both threads start with the signals blocked: the second inherits it from this one.
        let heard = self.signal.clone();
        let tell = move |signal| {
            heard.get_or_init(|| signal);
        };
        let hangup = move || {
            let _ = ask.try_send(()); // full: a reload that has not begun yet is enough
        };
        signals
            .reload_or_stop(stopper, hangup, tell)
            .what("starting a thread")?;
        let thread = thread::Builder::new().name("reload".into());
        thread
            .spawn(move || asked.into_iter().for_each(|()| reload()))
            .what("starting a thread")?;
        Ok(())
    }

    /// The name of the signal that ended the server, if it was one.
    fn signal(&self) -> &'static str {
        self.signal.get().map_or("none", |signal| signal.name())
    }
}

/// Serves datagrams, one thread per socket, until SIGINT, SIGTERM or SIGHUP; prints the same lines.
/// The sockets share one address and one set of counters; `handler` makes a handler for each.
pub fn serve_datagrams<H: DatagramHandler + 'static>(
    args: &Args,
    config: &DatagramConfig,
    sockets: Vec<DatagramSocket>,
    handler: impl Fn() -> H,
) -> Result<(), Failure> {
    let signals = Signals::block().what("blocking signals")?;
    let (stopper, stats) = (Stopper::new(), Arc::new(DatagramStats::default()));
    let life = Life::new(args, &config.name, &config.log);
    life.watch(signals, stopper.clone())?;
    stopper
        .exit_when_overdue(OVERDUE)
        .what("starting a thread")?;
    let (registry, log) = (Registry::new(), config.log.clone());
    stats.register(&registry);

    let out = Out::lines();
    let page = flags::metrics_page(args.value("metrics"), &registry, &log)?;
    if let Some(socket) = sockets.first() {
        let local = socket.local_addr().what("reading the local address")?;
        life.listens(&out, socket.network(), &local)?;
    }
    announce_page(&out, page.as_ref())?;
    let ends = start_sockets(config, sockets, &stats, &stopper, handler)?;
    stopper.wait();
    let deadline = Deadline::after(AFTER_STOP);
    // Until all have ended. If a handler is stuck, the program ends without it.
    while let Ok(end) = ends.recv_timeout(deadline.remaining().unwrap_or(AFTER_STOP)) {
        end.what("serving datagrams")?;
    }
    let [received, replied] = [&stats.received, &stats.replied].map(|c| c.get());
    let [refused, failed] = [&stats.refused, &stats.failed].map(|c| c.get());
    let fields: Fields<'_> = &[
        ("signal", &life.signal()),
        ("received", &received),
        ("replied", &replied),
        ("refused", &refused),
        ("failed", &failed),
    ];
    life.tell("ended", fields);
    announce_at_last(out, stats.line())
}

/// Starts a thread for each socket; how each ends is received.
fn start_sockets<H: DatagramHandler + 'static>(
    config: &DatagramConfig,
    sockets: Vec<DatagramSocket>,
    stats: &Arc<DatagramStats>,
    stopper: &Stopper,
    handler: impl Fn() -> H,
) -> Result<mpsc::Receiver<io::Result<()>>, Failure> {
    let (tell, told) = mpsc::channel();
    for socket in sockets {
        let server = DatagramServer::new(config.clone(), socket, handler());
        let server = server.counting_into(stats.clone());
        let (stopper, tell) = (stopper.clone(), tell.clone());
        let serve = move || {
            let end = ended(|| server.run(&stopper));
            stopper.stop(); // after a panic, too: the others must not serve on alone
            let _ = tell.send(end);
        };
        let thread = thread::Builder::new().name("datagrams".into());
        thread.spawn(serve).what("starting a thread")?;
    }
    Ok(told)
}

/// The frame of a server with sockets of several kinds: prints where it listens (`bound`), serves
/// the metrics of `registry` at an address if there is one, lets `run` serve until SIGINT or
/// SIGTERM use the stopper, and prints the totals that `run` returns. SIGHUP calls `reload`, on a
/// thread of its own; without `reload`, SIGHUP ends the server, too, unless it was ignored at the
/// start. If `run` is not done ten seconds after `drain`, because nobody reads the log, the program
/// exits with status 1.
///
/// Call it before the program starts a thread, like the others; bind first.
pub fn serve<T: Display + Send + 'static>(
    args: &Args,
    (name, log, drain): (&str, &Log, Duration),
    bound: &[(Network, Addr)],
    (registry, metrics): (&Registry, Option<&str>),
    reload: Option<impl Fn() + Send + 'static>,
    run: impl FnOnce(&Stopper) -> Result<T, Failure>,
) -> Result<(), Failure> {
    let signals = Signals::block().what("blocking signals")?;
    let (stopper, life) = (Stopper::new(), Life::new(args, name, log));
    match reload {
        Some(reload) => life.watch_and_reload(signals, stopper.clone(), reload)?,
        None => life.watch(signals, stopper.clone())?,
    }
    stopper
        .exit_when_overdue(drain.saturating_add(LONG_OVERDUE))
        .what("starting a thread")?;
    let out = Out::lines();
    let page = flags::metrics_page(metrics, registry, log)?;
    for (network, address) in bound {
        life.listens(&out, *network, address)?;
    }
    announce_page(&out, page.as_ref())?;
    let totals = run(&stopper)?;
    life.tell("ended", &[("signal", &life.signal()), ("totals", &totals)]);
    announce_at_last(out, totals)
}

/// The same for a program with one socket, no metrics and nothing to read again: SIGHUP ends it, too.
pub fn serve_until_signal<T: Display + Send + 'static>(
    args: &Args,
    frame: (&str, &Log, Duration),
    (network, address): (Network, &Addr),
    run: impl FnOnce(&Stopper) -> Result<T, Failure>,
) -> Result<(), Failure> {
    let (bound, registry) = ([(network, address.clone())], Registry::new());
    serve(args, frame, &bound, (&registry, None), None::<fn()>, run)
}

/// Prints where the metrics page is, if there is one.
fn announce_page(out: &Out, page: Option<&MetricsPage>) -> Result<(), Failure> {
    let Some(page) = page else {
        return Ok(());
    };
    flags::announce(
        out,
        format_args!("metrics on http://{}/metrics", page.local_addr()),
    )
}

/// Prints the totals, but waits at most [`LAST_LINE`] for their reader. If no thread can be started
/// for that, prints on the current one, which [`Stopper::exit_when_overdue`] bounds.
fn announce_at_last(out: Out, totals: impl Display) -> Result<(), Failure> {
    let (tell, told) = mpsc::channel();
    let last = Arc::new((out, totals.to_string()));
    let (thread, printed) = (thread::Builder::new().name("totals".into()), last.clone());
    let print = move || tell.send(flags::announce(&printed.0, &printed.1));
    if thread.spawn(print).is_err() {
        return flags::announce(&last.0, &last.1);
    }
    told.recv_timeout(LAST_LINE).unwrap_or_else(|_| {
        let why = "standard output: nobody reads it, the totals are not printed";
        Err(Failure::Failed(why.into()))
    })
}
