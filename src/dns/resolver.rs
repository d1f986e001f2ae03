//! The resolver: a configuration, a cache, and the verbs that programs use.
//!
//! ```text
//!   lookup_host("www")
//!     literal address?            192.0.2.1 is its own answer; 127.1 is an error
//!     candidates                  www.corp.example., www.    (resolv_conf.rs)
//!       A and AAAA at once        a thread each
//!         local                   hosts file, localhost      (local.rs)
//!         cache                                              (cache.rs)
//!         Lookup over sockets                                (lookup.rs, link.rs)
//! ```
//!
//! One deadline, [`ResolverConfig::deadline`], covers all that a verb does, however many servers,
//! attempts, aliases and candidates there are.

use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::cache::Cache;
use super::chain::{Answer, Ending};
use super::code::RecordType;
use super::edns::SAFE_UDP;
use super::exchange::{Asking, Exchange, Reply, Try};
use super::failure::LookupError;
use super::failures::Failures;
use super::hosts::Hosts;
use super::link::carry;
use super::local;
use super::lookup::{Failure, Lookup};
use super::name::Name;
use super::order::Sequence;
use super::record::Question;
use super::resolv_conf::{ResolvConf, candidates};
use crate::net::ip::looks_like_ip;
use crate::net::{ZonedIp, parse_ip, unguessable};
use crate::sys::process::interface_index;

/// The port of name servers (RFC 1035 §4.2).
pub const PORT: u16 = 53;
/// The longest deadline that can be set: one that the clock can hold.
const LONGEST: Duration = Duration::from_secs(86_400);
/// The most that is read of a configuration file, in octets. Hosts files that block advertisers
/// have some 10 MB, and the owner's own lines may be at the end.
const FILE_LIMIT: u64 = 32 * 1024 * 1024;

/// Which servers a [`Resolver`] asks, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolverConfig {
    /// The name servers. Default none; [`ResolverConfig::from_system`] has the machine's.
    pub servers: Vec<SocketAddr>,
    /// How many further servers the machine's resolv.conf names, which are not used. Default 0.
    pub unused_servers: usize,
    /// How long to wait for each reply. Default 5 s.
    pub timeout: Duration,
    /// How many times to ask each server, 100 at most; 0 asks none. Default 2.
    pub attempts: u32,
    /// How long everything together may take, a day at most. Default 30 s.
    pub deadline: Duration,
    /// Begin with another server each time. Default off.
    pub rotate: bool,
    /// The domains with which short names are completed. Default none.
    pub search: Vec<Name>,
    /// A name with at least this many dots is first asked for as it is. Default 1.
    pub ndots: usize,
    /// The UDP payload to offer by EDNS, in octets; `None` for no EDNS. Default [`SAFE_UDP`].
    pub edns_size: Option<u16>,
    /// Ask over TCP only. Default off.
    pub use_tcp: bool,
    /// What needs no query: the hosts file, and with it `localhost` and similar names (see
    /// `local.rs`). `None` to ask servers about every name. Default: an empty file.
    pub local: Option<Hosts>,
    /// How many answers to keep. Default 1,024; zero for none.
    pub cache_entries: usize,
    /// How many octets they may take together. Default 1 MiB.
    pub cache_octets: usize,
}

impl Default for ResolverConfig {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            unused_servers: 0,
            timeout: Duration::from_secs(5),
            attempts: 2,
            deadline: Duration::from_secs(30),
            rotate: false,
            search: Vec::new(),
            ndots: 1,
            edns_size: Some(SAFE_UDP),
            use_tcp: false,
            local: Some(Hosts::default()),
            cache_entries: 1_024,
            cache_octets: 1024 * 1024,
        }
    }
}

impl ResolverConfig {
    /// The configuration of this machine: `/etc/resolv.conf` and `/etc/hosts`. As in
    /// resolv.conf(5), a file that cannot be read counts as empty, and if no name server is named,
    /// the one on this machine is asked.
    pub fn from_system() -> Self {
        let conf = ResolvConf::parse(&read("/etc/resolv.conf"));
        let hosts = Hosts::parse(&read("/etc/hosts"));
        Self {
            local: Some(hosts),
            ..Self::of(&conf)
        }
    }

    /// The configuration that follows from a resolv.conf.
    pub fn of(conf: &ResolvConf) -> Self {
        let mut servers: Vec<SocketAddr> = conf
            .servers
            .iter()
            .filter_map(|server| socket_address(server, PORT).ok())
            .collect();
        if conf.servers.is_empty() {
            servers.push((IpAddr::from([127, 0, 0, 1]), PORT).into());
        }
        Self {
            servers,
            unused_servers: conf.unused,
            timeout: conf.timeout,
            attempts: conf.attempts,
            rotate: conf.rotate,
            search: conf.search.clone(),
            ndots: conf.ndots,
            use_tcp: conf.use_tcp,
            ..Self::default()
        }
    }
}

/// The address of a server; the zone of a link-local address becomes the number of its interface.
pub fn socket_address(server: &ZonedIp, port: u16) -> io::Result<SocketAddr> {
    let (IpAddr::V6(ip), Some(zone)) = (server.ip(), server.zone()) else {
        return Ok((server.ip(), port).into());
    };
    let index = match zone.index() {
        Some(index) => index,
        None => interface_index(zone.as_str())?,
    };
    Ok(SocketAddrV6::new(ip, port, 0, index).into())
}

/// A file's text; empty if there is no file. An octet that is not UTF-8 spoils only its own word.
fn read(path: &str) -> String {
    let mut octets = Vec::new();
    let file = File::open(path);
    // The part read before an error is used, as other resolvers do.
    let _ = file.and_then(|file| file.take(FILE_LIMIT).read_to_end(&mut octets));
    String::from_utf8_lossy(&octets).into_owned()
}

/// Looks names up. Share one between threads: they share its cache.
///
/// ```
/// use groundwire::dns::{ResolverConfig, Resolver};
///
/// let resolver = Resolver::new(ResolverConfig::default());
/// let addresses = resolver.lookup_host("localhost")?;
/// assert_eq!(addresses[0].to_string(), "127.0.0.1");
/// assert!(resolver.lookup_host("127.1").is_err());
/// # Ok::<(), groundwire::dns::LookupError>(())
/// ```
#[derive(Debug)]
pub struct Resolver {
    config: ResolverConfig,
    cache: Mutex<Cache>,
    failures: Mutex<Failures>,
    /// The zero of the cache's clock.
    started: Instant,
    /// How many look-ups there were, for `rotate`.
    turn: AtomicUsize,
}

impl Resolver {
    /// A resolver with an empty cache.
    pub fn new(mut config: ResolverConfig) -> Self {
        config.deadline = config.deadline.min(LONGEST);
        Self {
            cache: Mutex::new(Cache::new(config.cache_entries, config.cache_octets)),
            failures: Mutex::new(Failures::beside(config.cache_entries)),
            config,
            started: Instant::now(),
            turn: AtomicUsize::new(0),
        }
    }

    /// A resolver that asks as this machine is set up to. The files are read once, now.
    pub fn from_system() -> Self {
        Self::new(ResolverConfig::from_system())
    }

    /// Its configuration.
    pub fn config(&self) -> &ResolverConfig {
        &self.config
    }

    /// Asks servers one question and returns the first usable reply as it is, without following
    /// aliases and without the cache. Blocks for [`ResolverConfig::deadline`] at most.
    pub fn query(&self, question: &Question) -> Result<Reply, Failure> {
        self.query_with_tries(question).map(|(reply, _)| reply)
    }

    /// The same, with the tries before the reply and what each server said.
    pub fn query_with_tries(&self, question: &Question) -> Result<(Reply, Vec<Try>), Failure> {
        self.query_with(question, self.asking())
    }

    /// The same with these servers and settings: for a resolver that starts at the root.
    pub fn query_with(
        &self,
        question: &Question,
        asking: Asking,
    ) -> Result<(Reply, Vec<Try>), Failure> {
        let mut exchange = Exchange::new(question.clone(), asking, self.config.deadline);
        match carry(&mut exchange, Instant::now()) {
            Ok(reply) => Ok((reply, exchange.take_tries())),
            Err(tries) => Err(Failure::NoAnswer {
                question: question.clone(),
                aliases: Vec::new(),
                tries,
            }),
        }
    }

    /// Looks up one question for exactly this name: in what this machine knows, then in the cache,
    /// then at the servers. "No such name" and "no such record" are answers, not errors. Blocks for
    /// [`ResolverConfig::deadline`] at most. A failure is kept for a second, if answers are.
    pub fn lookup(&self, question: &Question) -> Result<Answer, Failure> {
        self.lookup_by(question, Instant::now() + self.config.deadline)
    }

    fn lookup_by(&self, question: &Question, deadline: Instant) -> Result<Answer, Failure> {
        let hosts = self.config.local.as_ref();
        if let Some(answer) = hosts.and_then(|hosts| local::answer(question, hosts)) {
            return Ok(answer);
        }
        let kept = self.cache().get(question, self.started.elapsed());
        if let Some(answer) = kept {
            return Ok(answer);
        }
        let known = self.failures().get(question, self.started.elapsed());
        if let Some(failure) = known {
            return Err(failure);
        }
        let begun = Instant::now();
        let left = deadline.saturating_duration_since(begun);
        let mut lookup = Lookup::new(question.clone(), self.asking(), left);
        let outcome = carry(&mut lookup, begun);
        let now = self.started.elapsed();
        match &outcome {
            Ok(answer) if !lookup.is_cut() => self.cache().put(answer, now),
            Ok(_) => {}
            Err(failure) => self.failures().put(question, failure, now),
        }
        outcome
    }

    /// Looks up records of these types for a name as a user writes it, by the search list; one
    /// answer per type, in order. They belong to the first candidate that has any of the records.
    /// If none has, the answers are negative: from a candidate that exists, otherwise from the name
    /// as written.
    ///
    /// What this machine knows about the name as written takes precedence over the list, as in the
    /// C library; otherwise a server could define `localhost` by answering
    /// `localhost.corp.example`.
    ///
    /// If the servers of a candidate fail, the search goes on, as in the C library's `res_search`;
    /// the failure is the outcome if nothing else is found. If the name as written is asked for
    /// first, its outcome counts, not the failures of its completions. If no server replied at all,
    /// the remaining completions are skipped, because they would wait in vain, too.
    pub fn search(&self, text: &str, kinds: &[RecordType]) -> Result<Vec<Answer>, LookupError> {
        let outcomes = self.search_each(text, kinds)?;
        Ok(outcomes.into_iter().flatten().collect())
    }

    /// The same with the outcome of each type: one may have records and another may have failed.
    pub fn search_each(
        &self,
        text: &str,
        kinds: &[RecordType],
    ) -> Result<Vec<Result<Answer, Failure>>, LookupError> {
        let name = parse_name(text)?;
        let deadline = Instant::now() + self.config.deadline;
        let candidates = match self.knows(&name, kinds) {
            true => vec![name.clone()],
            false => candidates(text, &name, &self.config.search, self.config.ndots),
        };
        let as_is_first = candidates.first() == Some(&name);
        let mut negative: Option<Vec<Answer>> = None;
        let mut failure: Option<Failure> = None;
        let mut silence = false;
        for candidate in candidates {
            let as_is = candidate == name;
            if silence && !as_is {
                continue;
            }
            let outcomes = self.ask_all(&candidate, kinds, deadline);
            let mut answers = outcomes.iter().flatten();
            if answers.any(|answer| !answer.records().is_empty()) {
                return Ok(outcomes);
            }
            // A failure counts only if no other candidate has a record.
            let answers: Vec<Answer> = match outcomes.into_iter().collect() {
                Ok(answers) => answers,
                Err(failed) => {
                    let failed: Failure = failed;
                    silence |= failed.is_silence();
                    if as_is || !as_is_first {
                        failure.get_or_insert(failed);
                    }
                    continue;
                }
            };
            let better = match &negative {
                None => true,
                Some(before) => !exists(before) && (exists(&answers) || as_is),
            };
            if better {
                negative = Some(answers);
            }
        }
        let negative = negative.unwrap_or_default();
        match failure {
            Some(failure) if as_is_first || !exists(&negative) => Err(failure.into()),
            _ => Ok(negative.into_iter().map(Ok).collect()),
        }
    }

    /// Whether this machine answers one of these questions itself.
    fn knows(&self, name: &Name, kinds: &[RecordType]) -> bool {
        let is_known = |hosts: &Hosts, kind: RecordType| {
            local::answer(&Question::new(name.clone(), kind), hosts).is_some()
        };
        let hosts = self.config.local.as_ref();
        hosts.is_some_and(|hosts| kinds.iter().any(|kind| is_known(hosts, *kind)))
    }

    /// Asks for all types at once; one outcome per type, in order.
    fn ask_all(
        &self,
        name: &Name,
        kinds: &[RecordType],
        deadline: Instant,
    ) -> Vec<Result<Answer, Failure>> {
        let ask = |kind: RecordType| {
            let question = Question::new(name.clone(), kind);
            self.lookup_by(&question, deadline)
        };
        let Some((&first, others)) = kinds.split_first() else {
            return Vec::new();
        };
        thread::scope(|scope| {
            let running: Vec<_> = others
                .iter()
                .map(|&kind| {
                    let named = thread::Builder::new().name(format!("lookup {kind}"));
                    (kind, named.spawn_scoped(scope, move || ask(kind)))
                })
                .collect();
            let mut outcomes = vec![ask(first)];
            for (kind, thread) in running {
                // No thread could be started, or it panicked: ask on this one.
                let joined = thread.ok().and_then(|thread| thread.join().ok());
                outcomes.push(joined.unwrap_or_else(|| ask(kind)));
            }
            outcomes
        })
    }

    fn asking(&self) -> Asking {
        let config = &self.config;
        let mut servers = config.servers.clone();
        if config.rotate && !servers.is_empty() {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            let first = turn % servers.len();
            servers.rotate_left(first);
        }
        Asking {
            servers,
            timeout: config.timeout,
            attempts: config.attempts,
            edns: config.edns_size,
            use_tcp: config.use_tcp,
            recursion: true,
        }
    }

    pub(super) fn random(&self) -> Sequence {
        Sequence::new(unguessable())
    }

    /// The cache, even after a thread panicked with the lock held: each change is one call, so the
    /// cache is whole.
    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failures(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether negative answers are about a name that exists.
fn exists(answers: &[Answer]) -> bool {
    let mut endings = answers.iter().map(|answer| &answer.ending);
    endings.any(|ending| matches!(ending, Ending::NoSuchRecord { .. }))
}

/// Reads a name that a user wrote. Text that looks like an IP address is refused: servers would be
/// asked for it as a name, and their answer would mean nothing.
pub(super) fn parse_name(text: &str) -> Result<Name, LookupError> {
    if looks_like_ip(text) {
        if let Err(error) = parse_ip(text) {
            return Err(LookupError::Address(error));
        }
    }
    Name::parse(text).map_err(|why| LookupError::Name(text.to_string(), why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_hosts_file_the_last_line_is_read_too() {
        let name = format!("groundwire-hosts-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let blocked = "0.0.0.0 ads.example # as many as it takes\n".repeat(300_000);
        std::fs::write(&path, blocked + "192.0.2.7 printer\n").unwrap();
        let text = read(path.to_str().unwrap());
        std::fs::remove_file(&path).unwrap();
        assert!(text.ends_with("printer\n"), "{} octets", text.len());
    }
}
