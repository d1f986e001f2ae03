//! Pools of backends by name, over our own DNS server with a zone that changes.

use std::collections::HashMap;
use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use groundwire::dns::server::{Config as DnsConfig, DnsServer, Loaded, Place, Reloader, ZoneFile};
use groundwire::proxy::config::{Backend, Config, PoolConfig};
use groundwire::proxy::resolve::{EMPTY_ANSWERS, Names, Resolved, resolve_all, resolver};
use groundwire::proxy::{Pool, Standing};
use groundwire::server::Stopper;
use groundwire::telemetry::{Format, Level, Log};

use crate::balancer::Balancer;
use crate::scripted::{self, OK};
use crate::support::{Folder, Kept, PATIENCE, eventually};

const PAUSES: RangeInclusive<Duration> = Duration::from_millis(5)..=Duration::from_millis(50);

/// A name server with one zone, which a test writes.
struct Server {
    file: String,
    reloader: Reloader,
    stopper: Stopper,
    thread: thread::JoinHandle<()>,
    config: Config,
    _folder: Folder,
}

impl Server {
    fn new(records: &str) -> Self {
        let folder = Folder::new();
        let file = folder.path("app.zone");
        fs::write(&file, zone(records)).unwrap();
        let files: Vec<ZoneFile> = vec![file.parse().unwrap()];
        let place = Place::bind("127.0.0.1:0", 1).unwrap();
        let address = place.listener.local_addr().ip().unwrap();
        let loaded = Loaded::read(&files).unwrap();
        let server = DnsServer::new(DnsConfig::default(), loaded, vec![place]);
        let reloader = server.reloader(files);
        let stopper = Stopper::new();
        let watched = stopper.clone();
        let config = Config {
            name_servers: vec![address],
            ..Config::default()
        };
        Self {
            file,
            reloader,
            stopper,
            thread: thread::spawn(move || drop(server.run(&watched).unwrap())),
            config,
            _folder: folder,
        }
    }

    fn now_has(&self, records: &str) {
        fs::write(&self.file, zone(records)).unwrap();
        self.reloader.reload().unwrap();
    }

    fn names(&self, lines: &str) -> Names {
        Names::new(&backends(lines), Arc::new(resolver(&self.config)), PAUSES)
    }

    fn stop(self) {
        self.stopper.stop();
        self.thread.join().unwrap();
    }
}

fn zone(records: &str) -> String {
    format!("$ORIGIN app.test.\n$TTL 0\n@ SOA ns h 1 1 1 1 0\n@ NS ns\nns A 192.0.2.1\n{records}\n")
}

fn backends(lines: &str) -> Vec<Backend> {
    let text = format!("listen 127.0.0.1:0\n{lines}\n");
    let config = Config::parse("test", &text, &mut |_| Err(String::new())).unwrap();
    config.pools.into_iter().next().unwrap().backends
}

/// The names of what is resolved, `!` for each failure.
fn shown(names: &mut Names) -> Vec<String> {
    let resolved = names.resolve();
    let members = resolved.members.into_iter().map(|member| member.name);
    members
        .chain(resolved.failures.iter().map(|_| "!".into()))
        .collect()
}

fn members(pool: &Pool) -> Vec<String> {
    let standings = pool.standings().into_iter();
    standings.map(|s| s.backend.name().to_string()).collect()
}

#[test]
fn addresses_stay_as_they_are_and_names_become_their_addresses() {
    let server = Server::new(
        "web A 10.0.0.8\nweb A 10.0.0.7\nweb AAAA ::1\nwww CNAME web\n\
         _http._tcp SRV 5 10 81 web\n_http._tcp SRV 9 10 82 other\nother A 10.0.0.9",
    );
    let lines = "backend http://10.0.0.1:80\nbackend unix:/run/a\nbackend http://www.app.test:80";
    let mut names = server.names(lines);
    assert!(names.has_names());
    assert_eq!(
        shown(&mut names),
        [
            "10.0.0.1:80",
            "unix:/run/a",
            "www.app.test/10.0.0.7:80",
            "www.app.test/10.0.0.8:80",
            "www.app.test/[::1]:80",
        ]
    );
    let mut service = server.names("backend srv:_http._tcp.app.test weight=2");
    let members = service.resolve().members;
    let wanted = [
        ("web.app.test/10.0.0.7:81", false),
        ("web.app.test/10.0.0.8:81", false),
        ("web.app.test/[::1]:81", false),
        ("other.app.test/10.0.0.9:82", true),
    ];
    let found = members.iter().map(|m| (m.name.as_str(), m.backup));
    assert_eq!(found.collect::<Vec<_>>(), wanted);
    assert!(members.iter().all(|member| member.weight == 2));
    assert!(!server.names("backend http://[::1]:80").has_names());
    server.stop();
}

#[test]
fn a_name_without_addresses_loses_its_members_only_when_it_is_said_again_and_again() {
    let server = Server::new("web A 10.0.0.7");
    let mut names = server.names("backend http://web.app.test:80\nbackend http://10.0.0.1:80");
    let both = ["web.app.test/10.0.0.7:80", "10.0.0.1:80"];
    for gone in ["", "web TXT no-address-any-more"] {
        server.now_has("web A 10.0.0.7");
        assert_eq!(shown(&mut names), both);
        server.now_has(gone); // first no such name, then no such record
        for _ in 1..EMPTY_ANSWERS {
            assert_eq!(shown(&mut names), both);
        }
        assert_eq!(shown(&mut names), ["10.0.0.1:80"]);
        assert_eq!(shown(&mut names), ["10.0.0.1:80"]);
    }
    server.now_has("web A 10.0.0.7\nweb A 10.0.0.8");
    assert_eq!(shown(&mut names).len(), 3);
    server.now_has("web A 10.0.0.8");
    assert_eq!(shown(&mut names)[0], "web.app.test/10.0.0.8:80");
    server.stop();
}

#[test]
fn a_line_that_cannot_be_looked_up_keeps_its_members_and_holds_nobody_elses() {
    let server = Server::new("web A 10.0.0.7");
    // A name that this server is not asked for: it refuses.
    let mut names = server.names("backend http://web.app.test:80\nbackend http://x.other.test:80");
    assert_eq!(shown(&mut names), ["web.app.test/10.0.0.7:80", "!"]);
    server.now_has("web A 10.0.0.8");
    assert_eq!(shown(&mut names), ["web.app.test/10.0.0.8:80", "!"]);
    server.stop();
    assert_eq!(shown(&mut names), ["web.app.test/10.0.0.8:80", "!", "!"]);
}

#[test]
fn a_name_without_addresses_is_told_beside_one_that_has_some() {
    let server = Server::new("a A 127.0.0.1");
    let lines = "backend http://a.app.test:80\nbackend http://mistaken.app.test:80\n";
    let resolved = server.names(lines).resolve();
    assert_eq!(resolved.members.len(), 1);
    assert!(resolved.failures.is_empty());
    let empty: Vec<String> = resolved.empty.iter().map(Backend::to_string).collect();
    assert_eq!(empty, ["http://mistaken.app.test:80"]);
    server.stop();
}

#[test]
fn a_reload_while_no_name_server_answers_keeps_the_backends_that_are_known() {
    let server = Server::new("web A 127.0.0.1\n_http._tcp SRV 0 1 9 web");
    let origin = scripted::Backend::saying(OK);
    let port = origin.address.rsplit(':').next().unwrap();
    let lines = format!(
        "name-server {}\nbackend http://web.app.test:{port} weight=50\n\
         backend srv:_http._tcp.app.test backup\n",
        server.config.name_servers[0]
    );
    let balancer = Balancer::start(&lines);
    assert_eq!(balancer.get("/").status(), 200);
    server.stop();
    balancer.reload(&lines.replace("weight=50", "weight=7 max=3"));
    let members = balancer.standings().into_iter();
    let shown = |s: Standing| {
        let member = &s.backend.member;
        format!("{} {} {:?}", member.name, member.weight, member.max)
    };
    let names: Vec<String> = members.map(shown).collect();
    let wanted = [
        format!("web.app.test/{} 7 Some(3)", origin.address),
        "web.app.test/127.0.0.1:9 1 None".into(),
    ];
    assert_eq!(names, wanted);
    assert_eq!(balancer.get("/").status(), 200);
}

#[test]
fn after_a_reload_the_new_name_server_is_asked_for_the_same_backends() {
    let (old, new) = (
        Server::new("web A 127.0.0.1"),
        Server::new("web A 127.0.0.2"),
    );
    let lines = |server: &Server| {
        let address = server.config.name_servers[0];
        format!("name-server {address}\nbackend http://web.app.test:80\n")
    };
    let balancer = Balancer::start(&lines(&old));
    balancer.reload(&lines(&new));
    let names = balancer.standings().into_iter();
    let names: Vec<String> = names.map(|s| s.backend.name().to_string()).collect();
    assert_eq!(names, ["web.app.test/127.0.0.2:80"]);
    old.stop();
    new.stop();
}

#[test]
fn a_pool_follows_its_names_and_the_log_tells() {
    let server = Server::new("web A 127.0.0.1");
    let mut names = server.names("backend http://web.app.test:80");
    let first = names.resolve().members;
    let config = PoolConfig::named("www");
    let pool = Arc::new(Pool::new(config, first, Log::off()));
    let kept = Kept::default();
    let log = Log::to_writer(Level::Warn, Format::Text, Box::new(kept.clone()));
    let stopper = Stopper::new();
    let thread = names.follow(pool.clone(), log, stopper.clone()).unwrap();

    let stays = pool.standings()[0].backend.clone();
    server.now_has("web A 127.0.0.1\nweb A 127.0.0.2");
    eventually("the second joins", || members(&pool).len() == 2);
    let after = pool.standings();
    assert!(Arc::ptr_eq(&after[0].backend, &stays), "it is another one");
    server.now_has("web A 127.0.0.2");
    eventually("the first leaves", || {
        members(&pool) == ["web.app.test/127.0.0.2:80"]
    });
    server.now_has("");
    eventually("nobody is left", || members(&pool).is_empty());
    server.now_has("web A 127.0.0.3");
    eventually("one is back", || {
        members(&pool) == ["web.app.test/127.0.0.3:80"]
    });
    server.stop();
    eventually("nobody answers any more", || {
        kept.text().contains("cannot look up backends")
    });
    assert_eq!(members(&pool), ["web.app.test/127.0.0.3:80"]);
    stopper.stop();
    thread.unwrap().join().unwrap();
    let text = kept.text();
    for part in [
        "joined=web.app.test/127.0.0.2:80 left=\"\" backends=2",
        "joined=\"\" left=web.app.test/127.0.0.1:80 backends=1",
        "joined=\"\" left=web.app.test/127.0.0.2:80 backends=0",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert_eq!(text.matches("cannot look up").count(), 1, "{text}");
}

/// The name that a query asks for, on the wire, and its type.
fn asked(query: &[u8]) -> (&[u8], u8) {
    let end = 12 + query[12..].iter().position(|octet| *octet == 0).unwrap();
    (&query[12..=end], query[end + 2])
}

/// A reply to a query for addresses; without data, that it failed.
fn reply(query: &[u8], data: Option<&[u8]>) -> Vec<u8> {
    let (name, kind) = asked(query);
    let (code, count) = data.map_or((0x82, 0), |_| (0x80, 1));
    let mut reply = query[..2].to_vec();
    reply.extend([0x81, code, 0, 1, 0, count, 0, 0, 0, 0]);
    reply.extend(name);
    reply.extend([0, kind, 0, 1]);
    if let Some(data) = data {
        reply.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 0, 0, data.len() as u8]);
        reply.extend(data);
    }
    reply
}

fn address(kind: u8) -> &'static [u8] {
    if kind == 1 { &[10, 0, 0, 7] } else { &[7; 16] }
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// A name server that knows one address of each family for every name, and of the second one only
/// while `knows` says so; it fails otherwise.
fn half_a_server(knows: Arc<AtomicBool>) -> SocketAddr {
    let socket = socket();
    let local = socket.local_addr().unwrap();
    let mut query = [0; 512];
    thread::spawn(move || {
        while let Ok((_, from)) = socket.recv_from(&mut query) {
            let (_, kind) = asked(&query);
            let knows = kind == 1 || knows.load(Ordering::SeqCst);
            let data = knows.then(|| address(kind));
            socket.send_to(&reply(&query, data), from).unwrap();
        }
    });
    local
}

/// A name server that answers nobody before it was asked for so many names.
fn server_for(names: usize) -> SocketAddr {
    let socket = socket();
    let local = socket.local_addr().unwrap();
    let (mut query, mut waiting) = ([0; 512], HashMap::new());
    thread::spawn(move || {
        while let Ok((_, from)) = socket.recv_from(&mut query) {
            let name = asked(&query).0.to_vec();
            waiting
                .entry(name)
                .or_insert(Vec::new())
                .push((query, from));
            if waiting.len() >= names {
                for (query, from) in waiting.values_mut().flat_map(|queries| queries.drain(..)) {
                    let data = Some(address(asked(&query).1));
                    socket.send_to(&reply(&query, data), from).unwrap();
                }
            }
        }
    });
    local
}

#[test]
fn the_names_of_all_pools_are_looked_up_at_the_same_time() {
    let config = Config {
        name_servers: vec![server_for(3)],
        ..Config::default()
    };
    let resolver = Arc::new(resolver(&config));
    let pool = |lines: &str| Names::new(&backends(lines), resolver.clone(), PAUSES);
    let mut pools = [
        pool("backend http://a.test.:80\nbackend http://10.0.0.1:80\nbackend http://b.test.:80"),
        pool("backend http://c.test.:80"),
    ];
    let shown = |resolved: Resolved| {
        assert!(resolved.failures.is_empty(), "{:?}", resolved.failures);
        let names = resolved.members.into_iter().map(|member| member.name);
        names.filter(|name| !name.contains('[')).collect::<Vec<_>>()
    };
    let found: Vec<_> = resolve_all(&mut pools).into_iter().map(shown).collect();
    let [a, b, c] = ["a", "b", "c"].map(|name| format!("{name}.test/10.0.0.7:80"));
    assert_eq!(found, [vec![a, "10.0.0.1:80".into(), b], vec![c]]);
}

#[test]
fn the_addresses_of_a_family_that_nobody_answers_for_stay() {
    let knows = Arc::new(AtomicBool::new(true));
    let config = Config {
        name_servers: vec![half_a_server(knows.clone())],
        ..Config::default()
    };
    let lines = backends("backend http://web.test.:80");
    let mut names = Names::new(&lines, Arc::new(resolver(&config)), PAUSES);
    let both = [
        "web.test/10.0.0.7:80",
        "web.test/[707:707:707:707:707:707:707:707]:80",
    ];
    assert_eq!(shown(&mut names), both);
    knows.store(false, Ordering::SeqCst);
    assert_eq!(shown(&mut names), both);
}
