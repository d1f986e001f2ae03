//! Other people's tools ask the server, NSD and Knot the same, over UDP and TCP: dig, kdig, drill.
//!
//! What the sections hold, `servers` compares octet by octet; here the way over sockets is compared, so
//! status, flags and answers of the tools' output will do.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use groundwire::dns::server::{Config, Loaded, ZoneFile};
use groundwire::dns::zone::{Limits, parse};

use crate::daemons::{Daemon, Peer};
use crate::servers::texts;
use crate::support::Folder;
use crate::world::{World, installed, output};

/// Our server with the zones of `servers`, transfers allowed.
fn ours(folder: &Folder) -> World {
    let files = texts()
        .into_iter()
        .enumerate()
        .map(|(number, (apex, text))| {
            let path = folder.0.join(number.to_string());
            std::fs::write(&path, text).unwrap();
            ZoneFile {
                origin: Some(apex),
                path,
            }
        });
    let files: Vec<ZoneFile> = files.collect();
    let config = Config {
        transfer: vec!["127.0.0.0/8".parse().unwrap()],
        ..Config::default()
    };
    let loaded = Loaded::read(&files).unwrap();
    World::new(config, loaded, files, "127.0.0.1:0")
}

/// Names and types that are in the zones, and for each name one type that may not be there.
fn questions() -> Vec<(String, String)> {
    let mut questions = BTreeSet::new();
    for (_, text) in texts() {
        let mut no_file = |_: &str| Err("no file".into());
        let zone = parse("zone", &text, None, Limits::default(), &mut no_file);
        for (name, set) in zone.unwrap().zone.sets() {
            questions.insert((name.to_string(), set.kind.to_string()));
            questions.insert((name.to_string(), "A".into()));
            questions.insert((format!("nx.{name}"), "AAAA".into()));
        }
    }
    // An alias into another zone of the same server is followed or not: see `servers`.
    questions.retain(|(name, _)| !name.ends_with("toother.edge.test."));
    questions.into_iter().collect()
}

/// A tool's lines that matter: status, flags, answers; the names of types and letters in one case.
fn essence(printed: &str) -> Vec<String> {
    let mut essence = Vec::new();
    let mut answers = BTreeSet::new();
    let mut is_answer = false;
    for line in printed.lines() {
        let line = line.to_ascii_lowercase();
        if let Some((_, status)) = line.split_once("->>header<<-") {
            essence.extend(std::mem::take(&mut answers));
            let words = status
                .split([';', ','])
                .filter(|part| !part.contains(" id: "));
            essence.push(words.collect());
        } else if let Some(flags) = line.strip_prefix(";; flags: ") {
            let flags = flags.split(';').next().unwrap_or_default();
            essence.push(format!("flags {flags}"));
        } else if line.starts_with(";; ") {
            is_answer = line.contains("answer section");
        } else if is_answer && !line.is_empty() {
            let words: Vec<&str> = line.split_whitespace().collect();
            answers.insert(words.join(" "));
        }
    }
    essence.extend(answers);
    essence
}

/// Where dig and kdig ask from. dig's socket takes any port with SO_REUSEPORT, so of some ten thousand
/// queries one would get the very port of a server that shares it likewise: from the server's own
/// address it would be connected to itself, and hear its query as the reply.
const FROM: [&str; 2] = ["-b", "127.0.0.3"];

/// Asks all questions with one run of a tool that takes many.
fn ask_all(
    tool: &str,
    server: SocketAddr,
    transport: &str,
    questions: &[(String, String)],
) -> String {
    let (ip, port) = (format!("@{}", server.ip()), server.port().to_string());
    let mut arguments = vec![ip.as_str(), "-p", &port];
    let options = ["+norec", "+noedns", "+noidnout", "+noidnin", transport];
    arguments.extend(
        options
            .iter()
            .filter(|option| tool == "dig" || !option.starts_with("+noidn")),
    );
    let mut all: Vec<&str> = [&FROM[..], &arguments].concat();
    for (name, kind) in questions {
        all.extend(["-q", name, "-t", kind]);
        all.extend(&arguments[3..]);
    }
    output(tool, &all)
}

#[test]
fn dig_and_kdig_hear_the_same_from_us_nsd_and_knot_over_udp_and_tcp() {
    let folder = Folder::new();
    let world = ours(&folder);
    let questions = questions();
    let daemons: Vec<Daemon> = [Peer::Nsd, Peer::Knot]
        .into_iter()
        .filter_map(|peer| Daemon::start(peer, &texts()))
        .collect();
    for tool in ["dig", "kdig"]
        .into_iter()
        .filter(|tool| installed(&[tool]))
    {
        for transport in ["+notcp", "+tcp"] {
            for part in questions.chunks(50) {
                let ours = essence(&ask_all(tool, world.address, transport, part));
                let answered = ours.iter().filter(|line| line.contains("status:")).count();
                assert_eq!(answered, part.len(), "{tool} {transport}");
                for daemon in &daemons {
                    let theirs = essence(&ask_all(tool, daemon.address(), transport, part));
                    assert_eq!(ours, theirs, "{tool} {transport}");
                }
            }
        }
    }
    world.stop();
}

#[test]
fn drill_hears_the_same_from_us_nsd_and_knot_over_udp_and_tcp() {
    if !installed(&["drill"]) {
        return;
    }
    let folder = Folder::new();
    let world = ours(&folder);
    let daemons: Vec<Daemon> = [Peer::Nsd, Peer::Knot]
        .into_iter()
        .filter_map(|peer| Daemon::start(peer, &texts()))
        .collect();
    for transport in ["-u", "-t"] {
        for (name, kind) in questions() {
            let ask = |server: SocketAddr| {
                let (port, at) = (server.port().to_string(), format!("@{}", server.ip()));
                let arguments = [transport, "-o", "rd", "-p", &port, &name, &at, &kind];
                essence(&output("drill", &arguments))
            };
            let ours = ask(world.address);
            assert!(!ours.is_empty(), "{name} {kind}");
            for daemon in &daemons {
                assert_eq!(ours, ask(daemon.address()), "{name} {kind} {transport}");
            }
        }
    }
    world.stop();
}

#[test]
fn dig_and_kdig_transfer_the_zones_as_they_do_from_nsd() {
    let folder = Folder::new();
    let world = ours(&folder);
    let Some(daemon) = Daemon::start(Peer::Nsd, &texts()) else {
        return;
    };
    for tool in ["dig", "kdig"]
        .into_iter()
        .filter(|tool| installed(&[tool]))
    {
        for (apex, _) in texts() {
            let apex = apex.to_string();
            let [ours, theirs] = [world.address, daemon.address()].map(|server| {
                let (port, at) = (server.port().to_string(), format!("@{}", server.ip()));
                let printed = output(tool, &[&at, "-p", &port, "axfr", &apex]);
                let records = printed
                    .lines()
                    .filter(|line| !line.starts_with(';') && !line.is_empty());
                let records =
                    records.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
                // NSD keeps names in lower case.
                let records = records.map(|line| line.to_ascii_lowercase());
                let mut records: Vec<String> = records.collect();
                records.sort();
                records
            });
            assert!(ours.len() > 3, "{tool} {apex}: {ours:?}");
            assert_eq!(ours, theirs, "{tool} {apex}");
        }
    }
    world.stop();
}
