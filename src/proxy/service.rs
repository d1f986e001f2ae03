//! The load balancer as a whole: binding its listeners, serving clients, reloading the
//! configuration.

use std::fmt;
use std::io;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use super::admin::{self, Admin, Pools, Token};
use super::backend::Member;
use super::checks;
use super::config::{self, Config, ListenAddress, Problem};
use super::handler::Clients;
use super::phase::Newcomers;
use super::pool::Pool;
use super::resolve::{self, Names, Resolved};
use super::setup::{Current, Setup};
use crate::net::{self, Addr, Deadline, ListenConfig, Listener, Network, plain_words};
use crate::server::{self, Running, Server, Stats, Stopper, Totals};
use crate::telemetry::{Log, Registry};

/// How much longer than the drain the listeners' threads may take to end.
const AFTER_DRAIN: Duration = Duration::from_secs(3);
/// How long, after a stop, a connection that has sent nothing yet may take to send its first request.
const FIRST_REQUEST: Duration = Duration::from_millis(500);
/// The stack of a client's thread, in bytes.
const STACK: usize = 96 * 1024;

/// Why the load balancer cannot start, or cannot change to another configuration.
#[derive(Debug)]
pub enum StartError {
    /// The configuration is wrong: at least one problem.
    Wrong(Vec<Problem>),
    /// It cannot listen.
    Listen(net::Error),
    /// The access log cannot be opened.
    AccessLog(String, io::Error),
    /// The admin token cannot be read.
    Token(String, io::Error),
    /// A thread cannot be started.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Wrong(problems) => f.write_str(&config::lines(problems)),
            StartError::Listen(error) => error.fmt(f),
            StartError::AccessLog(file, error) => {
                write!(f, "opening the access log: {file}: {}", plain_words(error))
            }
            StartError::Token(file, error) => {
                write!(f, "reading the admin token: {file}: {}", plain_words(error))
            }
            StartError::Thread(error) => write!(f, "starting a thread: {}", plain_words(error)),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StartError::Wrong(problems) => problems.first().map(|first| first as _),
            StartError::Listen(error) => Some(error),
            StartError::AccessLog(_, error)
            | StartError::Token(_, error)
            | StartError::Thread(error) => Some(error),
        }
    }
}

/// A load balancer that is bound and does not serve yet.
pub struct LoadBalancer {
    current: Arc<Current>,
    /// Each with whether its trusted peers speak the PROXY protocol.
    listeners: Vec<(Listener, bool)>,
    /// The listener of the status page.
    admin: Option<Listener>,
    server: server::Config,
    stats: Arc<Stats>,
}

/// A load balancer on its way to [`LoadBalancer`]: it has TCP listeners, and the look-ups are over.
/// Dropped, or at the death of the process, it leaves nothing behind.
pub struct Prepared {
    plan: Plan,
    server: server::Config,
    how: ListenConfig,
    /// One for each of the configuration, in its order; `None`: a Unix socket, not bound yet.
    listeners: Vec<Option<Listener>>,
    admin: Option<Listener>,
}

impl Prepared {
    /// Binds the Unix sockets, opens the files and starts the threads that look after the pools.
    pub fn bind(self) -> Result<LoadBalancer, StartError> {
        let config = &self.plan.config;
        let mut listeners = Vec::new();
        for (listen, early) in config.listeners.iter().zip(self.listeners) {
            let listener = early.map_or_else(|| bind(&self.how, &listen.address), Ok)?;
            listeners.push((listener, listen.proxy_protocol));
        }
        let (mut admin, mut secret) = (None, None);
        if let Some(address) = &config.admin {
            let how = ListenConfig::default();
            admin = Some(self.admin.map_or_else(|| bind(&how, address), Ok)?);
            secret = token(config)?;
        }
        let setup = put_to_work(self.plan, None, &self.server.log)?;
        let mut current = Current::new(setup);
        current.token = secret;
        Ok(LoadBalancer {
            current: Arc::new(current),
            listeners,
            admin,
            server: self.server,
            stats: Arc::default(),
        })
    }
}

fn bind(how: &ListenConfig, address: &ListenAddress) -> Result<Listener, StartError> {
    let (network, address) = address.parts();
    how.listen(network, &address).map_err(StartError::Listen)
}

/// Binds a TCP address, and leaves a Unix socket for later.
fn bind_tcp(how: &ListenConfig, address: &ListenAddress) -> Result<Option<Listener>, StartError> {
    match address {
        ListenAddress::Tcp(_) => bind(how, address).map(Some),
        ListenAddress::Unix(_) => Ok(None),
    }
}

impl LoadBalancer {
    /// Binds the listeners and puts the configuration into use. `server` says how threads run and
    /// where log lines go; its limits are replaced by those of `config`, which is checked first
    /// ([`Config::checked`]). Blocks while names are looked up, for ten seconds at most for each 16
    /// backends.
    pub fn bind(config: Config, server: server::Config) -> Result<Self, StartError> {
        Self::prepare(config, server)?.bind()
    }

    /// The part of [`bind`](Self::bind) that may take long and that a signal may end at any moment:
    /// binds TCP addresses and looks the names of backends up. A program blocks signals after it.
    pub fn prepare(config: Config, mut server: server::Config) -> Result<Prepared, StartError> {
        let config = config.checked().map_err(StartError::Wrong)?;
        server.max_connections = config.limits.connections;
        server.max_per_peer = config.limits.per_peer;
        server.access = config.access();
        server.drain = config.timeouts.drain;
        server.stack_size = STACK;
        let how = ListenConfig {
            reuse_port: config.reuse_port,
            ..ListenConfig::default()
        };
        let all = config.listeners.iter();
        let listeners = all.map(|listen| bind_tcp(&how, &listen.address));
        let listeners = listeners.collect::<Result<_, _>>()?;
        let admin = match &config.admin {
            Some(address) => bind_tcp(&ListenConfig::default(), address)?,
            None => None,
        };
        Ok(Prepared {
            plan: plan(config, None, &server.log),
            server,
            how,
            listeners,
            admin,
        })
    }

    /// Serves no more clients at one time, whatever the configuration says: for a process that has
    /// fewer descriptors. A reload does not change it.
    pub fn at_most(mut self, clients: usize) -> Self {
        self.server.max_connections = self.server.max_connections.min(clients);
        self
    }

    /// The addresses that it listens on.
    pub fn bound(&self) -> Vec<(Network, Addr)> {
        let all = self.listeners.iter();
        all.map(|(listener, _)| (listener.network(), listener.local_addr().clone()))
            .collect()
    }

    /// The address of the status page.
    pub fn admin(&self) -> Option<&Addr> {
        self.admin.as_ref().map(Listener::local_addr)
    }

    /// The setup in use, which [`reload`] replaces.
    pub fn current(&self) -> Arc<Current> {
        self.current.clone()
    }

    /// Registers its counters and those of its backends.
    pub fn register(&self, registry: &Registry) {
        self.stats.register(registry);
        admin::register(registry, pools_of(&self.current));
    }

    /// Serves until the stopper is used and the drain is over; returns the totals. Fails when a
    /// thread cannot be started or a listener breaks; that stops the rest, too. The status page
    /// shows the metrics of `registry`.
    pub fn run(mut self, stopper: &Stopper, registry: &Registry) -> io::Result<Totals> {
        let (current, stats) = (self.current.clone(), self.stats.clone());
        let page = self.start_page(registry)?;
        let served = self.serve(stopper);
        let setup = current.get();
        setup.end_pools();
        if let Some(log) = &setup.access_log {
            log.flush();
        }
        if let Some(page) = page {
            page.stop()?; // last, so that the drain can be watched
        }
        served.map(|()| stats.totals())
    }

    fn start_page(&mut self, registry: &Registry) -> io::Result<Option<Running>> {
        let Some(listener) = self.admin.take() else {
            return Ok(None);
        };
        let pools = pools_of(&self.current);
        let (token, log) = (self.current.token.clone(), self.server.log.clone());
        let page = Admin::new(pools, registry.clone(), token, log);
        page.start(listener).map(Some)
    }

    /// Serves at all listeners, and drains; the error is the first of theirs.
    fn serve(self, stopper: &Stopper) -> io::Result<()> {
        let (tell, told) = mpsc::channel();
        let (mut newcomers, mut served) = (Vec::new(), Ok(()));
        for (listener, behind_proxy) in self.listeners {
            let clients = Clients::new(self.current.clone(), behind_proxy);
            newcomers.push(clients.newcomers());
            let mut server = self.server.clone();
            if behind_proxy {
                server.max_per_peer = None; // every peer is the proxy: its clients are counted
            }
            let server = Server::new(server, clients)
                .stopped_by(stopper.clone())
                .counting_into(self.stats.clone());
            let (tell, ends) = (tell.clone(), stopper.clone());
            let serve = move || {
                let ended = server::ended(|| server.run(listener));
                ends.stop(); // never run with only some of the listeners
                let _ = tell.send(ended);
            };
            let thread = thread::Builder::new().name("listener".into());
            if let Err(error) = thread.spawn(serve) {
                served = Err(server::no_thread(error));
                stopper.stop();
                break;
            }
        }
        drop(tell); // so that the channel ends with the last listener
        stopper.wait();
        let until = Deadline::after(self.server.drain.saturating_add(AFTER_DRAIN));
        let moment = Deadline::after(FIRST_REQUEST.min(self.server.drain));
        for limit in [moment, until] {
            // The second time, it leaves without those that have not ended.
            while let Ok(ended) = told.recv_timeout(limit.remaining().unwrap_or_default()) {
                served = served.and(ended.map(drop));
            }
            newcomers.iter().for_each(Newcomers::end);
        }
        served
    }
}

fn pools_of(current: &Arc<Current>) -> Pools {
    let current = current.clone();
    Arc::new(move || current.get().pools.clone())
}

fn token(config: &Config) -> Result<Option<Token>, StartError> {
    let Some(file) = &config.admin_token_file else {
        return Ok(None);
    };
    let token = admin::read_token(file);
    token
        .map(Some)
        .map_err(|error| StartError::Token(file.clone(), error))
}

/// Puts another configuration into use, for all requests that begin from now on. What belongs to
/// the listeners (addresses, limits of connections, access lists, the drain) stays as it was. The
/// token is the one in its file now. `config` is checked as at the start; if it is wrong, nothing
/// changes.
pub fn reload(current: &Current, config: Config, log: &Log) -> Result<(), StartError> {
    let config = config.checked().map_err(StartError::Wrong)?;
    let older = current.get();
    let fixed = |config: &Config| {
        let limits = (config.limits.connections, config.limits.per_peer);
        let token = config.admin_token_file.clone();
        let pages = (config.admin.clone(), token, config.metrics.clone());
        let access = (config.allow.clone(), config.deny.clone());
        let door = (config.listeners.clone(), config.reuse_port);
        (door, limits, pages, access, config.timeouts.drain)
    };
    if fixed(&config) != fixed(&current.first) {
        log.warn(
            "load-balancer",
            "listeners, their limits and access lists, pages and the drain change only with a restart",
            &[],
        );
    }
    let token = match &current.token {
        Some(old) if config.admin_token_file == current.first.admin_token_file => {
            token(&config)?.map(|new| (old, new))
        }
        _ => None,
    };
    let plan = plan(config, Some(&older), log);
    current.replace(put_to_work(plan, Some(&older), log)?);
    if let Some((old, new)) = token {
        old.replace_by(&new);
    }
    Ok(())
}

/// What a configuration will use: its pools, those that are new among them with what their names
/// led to.
struct Plan {
    config: Config,
    pools: Vec<Arc<Pool>>,
    young: Vec<(Arc<Pool>, Names, Resolved)>,
}

/// Makes the pools that are new, and looks their names up; keeps those that have not changed.
fn plan(config: Config, older: Option<&Setup>, log: &Log) -> Plan {
    let resolver = Arc::new(resolve::resolver(&config));
    let times = config.resolve_min..=config.resolve_max;
    let asks = |config: &Config| {
        let times = (config.resolve_min, config.resolve_max);
        (config.name_servers.clone(), times)
    };
    let asks_alike = older.is_some_and(|older| asks(&older.config) == asks(&config));
    let (mut pools, mut young, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for wanted in &config.pools {
        let known = older.and_then(|older| older.pool(&wanted.name));
        // A pool's threads use the name servers and intervals that they were started with.
        if let Some(known) = known.filter(|known| asks_alike && known.config == *wanted) {
            pools.push(known.clone());
            continue;
        }
        let mut own = Names::new(&wanted.backends, resolver.clone(), times.clone());
        if let Some(known) = known {
            own.remember(&known.found());
        }
        let pool = Arc::new(match known {
            Some(known) => Pool::after(known, wanted.clone(), log.clone()),
            None => Pool::new(wanted.clone(), Vec::new(), log.clone()),
        });
        pools.push(pool.clone());
        young.push(pool);
        names.push(own);
    }
    let resolved = resolve::resolve_all(&mut names);
    let young = young.into_iter().zip(names).zip(resolved);
    Plan {
        config,
        pools,
        young: young.map(|((pool, n), r)| (pool, n, r)).collect(),
    }
}

/// Opens the access log and starts the threads of the new pools.
fn put_to_work(plan: Plan, older: Option<&Setup>, log: &Log) -> Result<Setup, StartError> {
    let Plan {
        config,
        pools,
        young,
    } = plan;
    for (pool, _, resolved) in &young {
        tell_missing(pool, resolved, log);
    }
    let target = config.access_log.as_ref().map(|target| target.to_string());
    let failed = |error| StartError::AccessLog(target.unwrap_or_default(), error);
    let setup = Setup::new(config, pools, older).map_err(failed)?;
    if let Some(access) = &setup.access_log {
        access.complain_to(log.clone());
    }
    let mut begun = Vec::new();
    for (pool, names, resolved) in young {
        begun.push((pool.clone(), pool.take_over(resolved.members)));
        pool.set_found(names.found());
        if let Err(error) = look_after(pool, names, log) {
            give_back(begun, older);
            return Err(StartError::Thread(error));
        }
    }
    // The threads of replaced pools end only now: nothing can fail any more.
    for gone in older.iter().flat_map(|older| &older.pools) {
        if !setup.pools.iter().any(|pool| Arc::ptr_eq(pool, gone)) {
            gone.life().stop();
        }
    }
    Ok(setup)
}

/// Logs which names of a new pool led to no backend.
fn tell_missing(pool: &Pool, resolved: &Resolved, log: &Log) {
    for failure in &resolved.failures {
        let fields: [(&str, &dyn fmt::Display); 2] = [("pool", &pool.name()), ("why", failure)];
        log.warn("load-balancer", "a backend's name is not known", &fields);
    }
    for backend in &resolved.empty {
        let fields: [(&str, &dyn fmt::Display); 2] = [("pool", &pool.name()), ("backend", backend)];
        log.warn("load-balancer", "a backend's name has no address", &fields);
    }
}

/// Gives the older pools their members back, because the pools that had taken over will not be
/// used.
fn give_back(begun: Vec<(Arc<Pool>, Vec<Member>)>, older: Option<&Setup>) {
    for (pool, before) in begun {
        pool.life().stop();
        if let Some(older) = older.and_then(|older| older.pool(pool.name())) {
            older.take_over(before);
        }
    }
}

/// Starts the threads of a pool, which end with the pool.
fn look_after(pool: Arc<Pool>, names: Names, log: &Log) -> io::Result<()> {
    let life = pool.life().clone();
    names.follow(pool.clone(), log.clone(), life.clone())?;
    checks::start(pool, log.clone(), life).map(drop)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_broken_listener_ends_the_others_and_the_checks_of_backends() {
        let text = "listen 127.0.0.1:0\nlisten 127.0.0.1:0\nbackend http://127.0.0.1:1\n";
        let config = Config::parse("test", text, &mut |_| Err("no includes".into())).unwrap();
        let balancer = LoadBalancer::bind(config, server::Config::default()).unwrap();
        // A socket that somebody else has made non-blocking.
        let broken = balancer.listeners[1]
            .0
            .as_fd()
            .try_clone_to_owned()
            .unwrap();
        TcpListener::from(broken).set_nonblocking(true).unwrap();
        let (bound, current, stopper) = (balancer.bound(), balancer.current(), Stopper::new());
        balancer.run(&stopper, &Registry::new()).unwrap_err();
        let other = bound[0].1.ip().unwrap();
        assert!(TcpStream::connect(other).is_err(), "it listens");
        assert!(current.get().pools[0].life().is_stopped(), "it checks");
    }

    #[test]
    fn one_that_never_serves_does_not_go_on_checking_its_backends() {
        let text = "listen 127.0.0.1:0\nbackend http://127.0.0.1:1\n";
        let config = Config::parse("test", text, &mut |_| Err("no includes".into())).unwrap();
        let balancer = LoadBalancer::bind(config, server::Config::default()).unwrap();
        let pool = balancer.current().get().pools[0].clone();
        assert!(!pool.life().is_stopped());
        drop(balancer);
        assert!(pool.life().is_stopped());
    }
}
