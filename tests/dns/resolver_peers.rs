//! `lookup` and the resolver ask the name servers of others, and find what dig(1) finds.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use groundwire::dns::{Ending, RecordType, Resolver, ResolverConfig};

use crate::daemons::{Daemon, PEERS, Peer};
use crate::scripted::{config, name, question};
use crate::support::{Folder, eventually, free_port};

/// A zone with something of everything that a resolver treats in its own way.
const LAB: &str = "\
$ORIGIN lab.example.
$TTL 3600
@ SOA ns1 who 1 3600 600 86400 300
@ NS ns1
@ MX 20 mx2
@ MX 10 mx1
@ CAA 0 issue \"ca.example\"
ns1 A 127.0.0.1
www A 192.0.2.1
www A 192.0.2.2
www AAAA 2001:db8::1
v4 A 192.0.2.4
alias CNAME alias2
alias2 CNAME www
dangling CNAME gone
moved DNAME target
x.target A 192.0.2.77
nomail MX 0 .
text TXT \"hello world\" \"a \\\"quote\\\"\" \"\\027[31m\"
_sip._tcp SRV 10 60 5060 www
_sip._tcp SRV 20 0 5060 v4
odd TYPE65280 \\# 3 010203
info HINFO \"cpu\" \"os\"
*.wild A 192.0.2.79
a.b.empty A 192.0.2.78
";

/// More text than a datagram of 1,232 octets takes.
fn zone() -> String {
    let long = (0..8).map(|n| format!("big TXT \"{n}{}\"\n", "x".repeat(200)));
    long.fold(LAB.to_string(), |zone, line| zone + &line)
}

const ASKED: [(&str, &str); 22] = [
    ("www", "A"),
    ("www", "AAAA"),
    ("WWW", "A"),
    ("v4", "AAAA"),
    ("alias", "A"),
    ("alias", "CNAME"),
    ("dangling", "A"),
    ("nomail", "MX"),
    ("text", "TXT"),
    ("_sip._tcp", "SRV"),
    ("odd", "TYPE65280"),
    ("info", "HINFO"),
    ("anything.wild", "A"),
    ("empty", "A"),
    ("gone", "A"),
    ("gone", "MX"),
    ("big", "TXT"),
    ("ns1", "A"),
    ("www", "MX"),
    ("b.empty", "TXT"),
    ("nothing.www", "A"),
    ("target", "A"),
];

fn output(program: &str, arguments: &[&str]) -> Vec<String> {
    let output = Command::new(program).args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<String> = text.lines().map(String::from).collect();
    // Servers give the records of a set in any order.
    lines.sort();
    lines
}

fn installed(tool: &str) -> bool {
    let found = Command::new(tool).arg("-v").output().is_ok();
    if !found {
        println!("skipped: {tool} is not installed");
    }
    found
}

const LOOKUP: &str = env!("CARGO_BIN_EXE_lookup");

fn same_as_dig(server: SocketAddr, name: &str, kind: &str) {
    let port = server.port().to_string();
    // From another address than the server's: see FROM in server_peers.rs.
    let from = ["-b", "127.0.0.3", "+short", "@127.0.0.1"];
    let dig = output("dig", &[&from[..], &["-p", &port, name, kind]].concat());
    let at = format!("@{server}");
    for more in [&["--short"][..], &["--short", "--tcp"]] {
        let ours = output(LOOKUP, &[more, &[&at, "-t", kind, name]].concat());
        assert_eq!(ours, dig, "{name} {kind} {more:?}");
    }
}

fn asks(peer: Peer) {
    let Some(daemon) = Daemon::start(peer, &[(name("lab.example"), zone())]) else {
        return;
    };
    let server = daemon.address();
    if installed("dig") {
        for (label, kind) in ASKED {
            same_as_dig(server, &format!("{label}.lab.example."), kind);
        }
        for kind in ["SOA", "NS", "MX", "CAA"] {
            same_as_dig(server, "lab.example.", kind);
        }
    }
    let resolver = Resolver::new(config(&[server]));
    let addresses = resolver.lookup_host("alias.lab.example").unwrap();
    let mut texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    texts.sort();
    assert_eq!(texts, ["192.0.2.1", "192.0.2.2", "2001:db8::1"]);
    // dig prints the DNAME beside the alias that follows from it; the alias is what leads there.
    let moved = resolver.lookup_host("x.moved.lab.example").unwrap();
    assert_eq!(moved[0].to_string(), "192.0.2.77");
    let canonical = resolver.lookup_cname("alias.lab.example").unwrap();
    assert_eq!(canonical, name("www.lab.example"));
    let exchangers = resolver.lookup_mx("lab.example").unwrap();
    assert_eq!(exchangers[0].exchange, name("mx1.lab.example"));
    assert_eq!(
        resolver.lookup_ns("lab.example").unwrap(),
        [name("ns1.lab.example")]
    );
    assert_eq!(resolver.lookup_txt("big.lab.example").unwrap().len(), 8);
    let services = resolver.lookup_srv("_sip._tcp.lab.example").unwrap();
    assert_eq!(services[1].target, name("v4.lab.example"));
    let gone = resolver.lookup(&question("dangling.lab.example")).unwrap();
    assert_eq!(gone.name, name("gone.lab.example"));
    assert_eq!(gone.ending, Ending::NoSuchName { ttl: Some(300) });
}

#[test]
fn lookup_finds_at_nsd_knot_and_bind_what_dig_finds_there() {
    for peer in PEERS {
        asks(peer);
    }
}

/// A forwarder with names of its own, on a free port.
struct Dnsmasq {
    child: Child,
    address: SocketAddr,
    _folder: Folder,
}

impl Dnsmasq {
    fn start(upstream: SocketAddr) -> Option<Self> {
        if !Path::new("/usr/sbin/dnsmasq").exists() {
            println!("skipped: dnsmasq is not installed");
            return None;
        }
        let folder = Folder::new();
        fs::write(folder.path("hosts"), "192.0.2.50 printer.lan\n").unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let options = [
            format!("--port={}", address.port()),
            format!("--addn-hosts={}", folder.path("hosts")),
            format!(
                "--server=/lab.example/{}#{}",
                upstream.ip(),
                upstream.port()
            ),
            format!("--pid-file={}", folder.path("pid")),
            "--address=/fixed.lan/192.0.2.60".into(),
            "--cname=alias.lan,printer.lan".into(),
            "--mx-host=lan,mail.lan,5".into(),
            "--local=/lan/".into(),
        ];
        let child = Command::new("/usr/sbin/dnsmasq")
            .args([
                "--keep-in-foreground",
                "--no-resolv",
                "--no-hosts",
                "--conf-file=/dev/null",
            ])
            .args([
                "--listen-address=127.0.0.1",
                "--bind-interfaces",
                "--user=",
                "--group=",
            ])
            .args(options)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut running = Self {
            child,
            address,
            _folder: folder,
        };
        eventually("dnsmasq answers", || {
            let ended = running.child.try_wait().unwrap();
            assert!(ended.is_none(), "dnsmasq has ended: {ended:?}");
            let config = ResolverConfig {
                timeout: Duration::from_millis(100),
                ..config(&[running.address])
            };
            Resolver::new(config).lookup_host("printer.lan").is_ok()
        });
        Some(running)
    }
}

impl Drop for Dnsmasq {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn dnsmasq_is_asked_for_its_own_names_and_for_those_of_others() {
    let Some(daemon) = Daemon::start(Peer::Nsd, &[(name("lab.example"), zone())]) else {
        return;
    };
    let Some(forwarder) = Dnsmasq::start(daemon.address()) else {
        return;
    };
    let server = forwarder.address;
    if installed("dig") {
        for (asked, kind) in [
            ("printer.lan.", "A"),
            ("alias.lan.", "A"),
            ("fixed.lan.", "A"),
            ("lan.", "MX"),
            ("gone.lan.", "A"),
            ("alias.lab.example.", "A"),
            ("big.lab.example.", "TXT"),
            ("gone.lab.example.", "A"),
        ] {
            same_as_dig(server, asked, kind);
        }
    }
    let resolver = Resolver::new(config(&[server]));
    let names = resolver.lookup_addr("192.0.2.50".parse().unwrap()).unwrap();
    assert_eq!(names, [name("printer.lan")]);
    let answers = resolver.search("gone.lan", &[RecordType::A]).unwrap();
    assert!(matches!(answers[0].ending, Ending::NoSuchName { .. }));
}
