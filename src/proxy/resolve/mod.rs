//! Backends by name: looking them up, and following their changes.
//!
//! ```text
//!   backend lines ──> Names::resolve ──> members ──> Pool::set_members
//!                        ^  |                           those that stay keep their connections,
//!                        |  v                           those that have gone finish their work
//!        name servers ───┘  └── the shortest TTL: how long until the next look-up
//! ```
//!
//! This is how a pool follows an orchestrator that starts and ends backends as it likes. A name
//! stands for all its addresses. It is looked up again when its answer has expired, but not more
//! often than `resolve-min` and not less often than `resolve-max`. So the resolver itself keeps no
//! answers.
//!
//! What can go wrong, and what it means:
//!
//! - *There is no answer*, or it is an error. Then nothing is known, so the line's members stay.
//!   The look-up is tried again after a pause that grows to `resolve-max`. If only one family of
//!   addresses got no answer, the members of that family stay.
//! - *There is no such name, or it has no address.* This is how an orchestrator says that a service
//!   has no backend at the moment (some with NXDOMAIN, some with an empty answer; both mean the
//!   same here). It is also what a name server says that has just started and has read only half of
//!   its zones. So the members go when it has been said [`EMPTY_ANSWERS`] times, `resolve-min`
//!   apart. That costs a service without backends a few seconds of refused connections instead of a
//!   quick 503, and saves one that has them.
//! - *Some addresses are gone.* They go at once, because the service still has others.
//!
//! All this holds across a reload, too: a name that stays in the file keeps its members.
//!
//! Each line is judged by itself, and lines are looked up at the same time: a name that cannot be
//! looked up does not hold up the members of others.
//!
//! `members` is the pure half.

mod members;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::iter;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::backend::Member;
use super::config::{Backend, BackendAddress, Config};
use super::pool::Pool;
use crate::dns::{
    Answer, LookupError, Name, RecordType, Resolver, ResolverConfig, data::Srv, socket_address,
};
use crate::net::{Destination, Host, HostPort};
use crate::server::Stopper;
use crate::telemetry::Log;

/// How many times in a row a name must have no address until that is believed.
pub const EMPTY_ANSWERS: u32 = 3;
/// How long one look-up may take: a starting program waits for it.
const DEADLINE: Duration = Duration::from_secs(10);
/// How many names are looked up at the same time.
const AT_ONCE: usize = 16;
/// The shortest pause, for a configuration made in code that says 0.
const SHORTEST: Duration = Duration::from_millis(10);
const ADDRESSES: [RecordType; 2] = [RecordType::A, RecordType::AAAA];

/// The resolver for a configuration: set up as on this machine, but with the configuration's name
/// servers if there are any, and without a cache.
pub fn resolver(config: &Config) -> Resolver {
    let mut manners = ResolverConfig {
        cache_entries: 0,
        deadline: DEADLINE,
        ..ResolverConfig::from_system()
    };
    if !config.name_servers.is_empty() {
        manners.servers.clone_from(&config.name_servers);
        manners.unused_servers = 0;
    }
    Resolver::new(manners)
}

/// The `backend` lines of a pool, and the members that their names led to.
pub struct Names {
    lines: Vec<Line>,
    resolver: Arc<Resolver>,
    /// `resolve-min` to `resolve-max`.
    pauses: RangeInclusive<Duration>,
    /// The longest pause after the next failure.
    back_off: Duration,
    /// How long the last answers may be used.
    holds: Duration,
}

struct Line {
    backend: Backend,
    members: Vec<Member>,
    /// Answers in a row without an address, while there are members.
    empty: u32,
}

/// The lines and their members, for the pool that replaces this one.
pub(super) type Found = Vec<(Backend, Vec<Member>)>;

/// What one line leads to, and how long that may be used; `None`: for ever.
type Outcome = Result<(Vec<Member>, Option<Duration>), LookupError>;

/// The result of a look-up of all names.
pub struct Resolved {
    /// The backends. A line that failed has those from before.
    pub members: Vec<Member>,
    /// The look-ups that failed.
    pub failures: Vec<LookupError>,
    /// The lines for which DNS has no backend: the name is mistaken, or has none at present.
    pub empty: Vec<Backend>,
}

impl Names {
    /// Looks nothing up yet. `pauses` are the shortest and the longest time between two look-ups.
    pub fn new(
        backends: &[Backend],
        resolver: Arc<Resolver>,
        pauses: RangeInclusive<Duration>,
    ) -> Self {
        let line = |backend: &Backend| Line {
            backend: backend.clone(),
            members: Vec::new(),
            empty: 0,
        };
        Self {
            lines: backends.iter().map(line).collect(),
            resolver,
            back_off: *pauses.start(),
            pauses,
            holds: Duration::ZERO,
        }
    }

    /// Takes over what lines with the same addresses have found, adapted to what they say now. It
    /// stays if a look-up fails.
    pub(super) fn remember(&mut self, found: &Found) {
        for line in &mut self.lines {
            let (new, mut all) = (&line.backend, found.iter());
            if let Some((old, known)) = all.find(|(old, _)| old.address == new.address) {
                let known = known.iter().cloned();
                line.members = known.map(|m| members::by_line(m, old, new)).collect();
            }
        }
    }

    pub(super) fn found(&self) -> Found {
        let found = |line: &Line| (line.backend.clone(), line.members.clone());
        self.lines.iter().map(found).collect()
    }

    /// Whether there is anything to look up.
    pub fn has_names(&self) -> bool {
        self.lines.iter().any(Line::has_name)
    }

    /// Looks all names up, as [`resolve_all`] does.
    pub fn resolve(&mut self) -> Resolved {
        let outcomes = look_up_all(std::slice::from_ref(self));
        self.judge(outcomes)
    }

    /// Takes over what the look-up of each line has brought, line by line.
    fn judge(&mut self, outcomes: impl IntoIterator<Item = Outcome>) -> Resolved {
        let (mut failures, mut empty) = (Vec::new(), Vec::new());
        let (mut ttl, mut is_unsure) = (None::<Duration>, false);
        for (line, outcome) in self.lines.iter_mut().zip(outcomes) {
            match outcome {
                Ok((members, holds)) => {
                    if members.is_empty() {
                        empty.push(line.backend.clone());
                    }
                    is_unsure |= !line.believe(members);
                    ttl = ttl.into_iter().chain(holds).min();
                }
                Err(error) => failures.push(error),
            }
        }
        let (shortest, longest) = (*self.pauses.start(), *self.pauses.end());
        self.holds = match is_unsure {
            true => shortest,
            false => ttl.unwrap_or(shortest).min(longest).max(shortest),
        };
        if failures.is_empty() {
            self.back_off = shortest;
        } else {
            self.holds = self.holds.min(self.back_off);
            self.back_off = self.back_off.saturating_mul(2).min(longest);
        }
        let members = self.lines.iter().flat_map(|line| line.members.clone());
        Resolved {
            members: members::each_once(members),
            failures,
            empty,
        }
    }

    /// Starts the thread that keeps `pool` up to date. It ends at the stop, after a look-up in
    /// progress. `None` when there is nothing to look up.
    pub fn follow(
        self,
        pool: Arc<Pool>,
        log: Log,
        stopper: Stopper,
    ) -> io::Result<Option<thread::JoinHandle<()>>> {
        if !self.has_names() {
            return Ok(None);
        }
        let thread = thread::Builder::new().name("names".into());
        thread
            .spawn(move || self.run(&pool, &log, &stopper))
            .map(Some)
    }

    fn run(mut self, pool: &Pool, log: &Log, stopper: &Stopper) {
        let mut was_failing = false;
        while !stopper.wait_timeout(self.holds.max(SHORTEST)) {
            let Resolved {
                members, failures, ..
            } = self.resolve();
            pool.set_found(self.found());
            tell_failures(pool, log, was_failing, &failures);
            was_failing = !failures.is_empty();
            let standings = pool.standings().into_iter();
            let before: Vec<Member> = standings.map(|s| s.backend.member.clone()).collect();
            if members != before && !stopper.is_stopped() {
                pool.set_members(members.clone());
                // Logged only now: whoever reads the log may rely on the new backends.
                tell_change(pool, log, &before, &members);
            }
        }
    }
}

impl Line {
    fn has_name(&self) -> bool {
        match &self.backend.address {
            BackendAddress::Tcp(address) => matches!(address.host, Host::Name(_)),
            BackendAddress::Unix(_) => false,
            BackendAddress::Service(_) => true,
        }
    }

    /// Takes the answer over; `false` if it is not believed yet.
    fn believe(&mut self, members: Vec<Member>) -> bool {
        if members.is_empty() && !self.members.is_empty() {
            self.empty += 1;
            if self.empty < EMPTY_ANSWERS {
                return false;
            }
        }
        self.empty = 0;
        self.members = members;
        true
    }
}

/// Looks the names of all these pools up, 16 at a time, so that one that nobody answers for holds up
/// no other. Blocks for ten seconds at most for each 16 names.
pub fn resolve_all(pools: &mut [Names]) -> Vec<Resolved> {
    let mut outcomes = look_up_all(pools).into_iter();
    let mut judged = |names: &mut Names| names.judge(outcomes.by_ref().take(names.lines.len()));
    pools.iter_mut().map(&mut judged).collect()
}

/// The outcomes of all lines of all pools, in their order.
fn look_up_all(pools: &[Names]) -> Vec<Outcome> {
    let mut lines = Vec::new();
    for names in pools {
        lines.extend(names.lines.iter().map(|line| (line, &*names.resolver)));
    }
    let look_up =
        |(line, resolver): &(&Line, &Resolver)| look_up(&line.backend, &line.members, resolver);
    let next = AtomicUsize::new(0);
    let work = || {
        let turns = iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        let mine = turns.map_while(|turn| Some((turn, look_up(lines.get(turn)?))));
        mine.collect::<Vec<_>>()
    };
    let names = lines.iter().filter(|(line, _)| line.has_name()).count();
    let mut found: BTreeMap<usize, Outcome> = thread::scope(|scope| {
        let thread = |_| thread::Builder::new().name("lookup".into());
        let helpers = (1..names.min(AT_ONCE)).map(thread);
        let helpers = helpers.map(|thread| thread.spawn_scoped(scope, work));
        let helpers: Vec<_> = helpers.flatten().collect();
        let own = work();
        // A thread that could not be started, or panicked, leaves its lines to this one.
        let theirs = helpers.into_iter().flat_map(|helper| helper.join());
        own.into_iter().chain(theirs.flatten()).collect()
    });
    let outcome = |(turn, line)| found.remove(&turn).unwrap_or_else(|| look_up(line));
    lines.iter().enumerate().map(outcome).collect()
}

/// The members of a line, whose members so far are `known`.
fn look_up(backend: &Backend, known: &[Member], resolver: &Resolver) -> Outcome {
    match &backend.address {
        BackendAddress::Unix(path) => {
            let to = Destination::Text(path.into());
            let member = members::of_address(backend, format!("unix:{path}"), to);
            Ok((vec![member], None))
        }
        BackendAddress::Tcp(address) => match &address.host {
            Host::Name(name) => {
                let answers = resolver.search(name, &ADDRESSES)?;
                let found = members::addresses(name, &answers, known);
                let members = members::of_host(backend, name, address.port, &found);
                Ok((members, hold(&answers)))
            }
            Host::Ip(_) | Host::Any => Ok((vec![literal(backend, address)?], None)),
        },
        BackendAddress::Service(name) => look_up_service(backend, name, known, resolver),
    }
}

/// A literal address. Without a host, which a configuration never has, it means this machine.
fn literal(backend: &Backend, address: &HostPort) -> Result<Member, LookupError> {
    let name = address.to_string();
    let to = match &address.host {
        Host::Ip(ip) => socket_address(ip, address.port)
            .map_err(|error| LookupError::System(name.clone(), error))?,
        Host::Any | Host::Name(_) => ([127, 0, 0, 1], address.port).into(),
    };
    Ok(members::of_address(backend, name, Destination::Ip(to)))
}

fn look_up_service(
    backend: &Backend,
    name: &Name,
    known: &[Member],
    resolver: &Resolver,
) -> Outcome {
    // With its final dot, the name is not completed by the search list.
    let services = resolver.search(&name.to_string(), &[RecordType::SRV])?;
    let mut holds = hold(&services);
    let mut found = Vec::new();
    let offers: Vec<Srv> = services.iter().flat_map(members::offers).collect();
    for srv in offers {
        let host = srv.target.to_string();
        let answers = resolver.search(&host, &ADDRESSES)?;
        holds = holds.into_iter().chain(hold(&answers)).min();
        found.push((srv, members::addresses(&host, &answers, known)));
    }
    Ok((members::of_service(backend, &found), holds))
}

/// An answer without a lifetime expires at once.
fn hold(answers: &[Answer]) -> Option<Duration> {
    Some(members::time_to_live(answers).unwrap_or_default())
}

/// Logs a line when look-ups begin to fail, and one when they no longer do.
fn tell_failures(pool: &Pool, log: &Log, was_failing: bool, failures: &[LookupError]) {
    let fields: [(&str, &dyn fmt::Display); 1] = [("pool", &pool.name())];
    match (was_failing, failures.first()) {
        (false, Some(first)) => {
            let fields = [fields[0], ("cause", first)];
            let message = "cannot look up backends, those known stay";
            log.warn("load-balancer", message, &fields);
        }
        (true, None) => log.warn("load-balancer", "backends are looked up again", &fields),
        _ => {}
    }
}

fn tell_change(pool: &Pool, log: &Log, before: &[Member], after: &[Member]) {
    let missing = |these: &[Member], those: &[Member]| {
        let names = these.iter().filter(|member| !those.contains(member));
        let names: Vec<&str> = names.map(|member| member.name.as_str()).collect();
        names.join(",")
    };
    let (joined, left) = (missing(after, before), missing(before, after));
    let fields: [(&str, &dyn fmt::Display); 4] = [
        ("pool", &pool.name()),
        ("joined", &joined),
        ("left", &left),
        ("backends", &after.len()),
    ];
    log.warn("load-balancer", "backends by name changed", &fields);
}
