//! Zone files on a disk, and answers without memory.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use groundwire::dns::answer::reply;
use groundwire::dns::zone::{Limits, load, samples};
use groundwire::dns::{Edns, Message, Name, Outcome, Question, Transport, Zones};
use groundwire::sys::counting;

use crate::support::Folder;

const HEAD: &str = "$ORIGIN z.test.\n$TTL 300\n@ SOA ns.else. h.else. 1 2 3 4 60\n@ NS ns.else.\n";

#[test]
fn a_zone_includes_files_below_its_folder_and_no_others() {
    let folder = Folder::new();
    let write = |name: &str, text: &str| fs::write(folder.path(name), text).unwrap();
    fs::create_dir_all(folder.path("zones/sub")).unwrap();
    write("zones/sub/hosts", "a A 192.0.2.1\n");
    write("secret", "s A 192.0.2.2\n");
    symlink("sub/hosts", folder.path("zones/inside")).unwrap();
    symlink("../secret", folder.path("zones/outside")).unwrap();
    symlink("..", folder.path("zones/up")).unwrap();
    let pipe = Command::new("mkfifo")
        .arg(folder.path("zones/pipe"))
        .status();
    assert!(pipe.unwrap().success());
    fs::write(folder.path("zones/latin"), b"\n\nl TXT \"\xe9\"\n").unwrap();
    let zone = folder.path("zones/z");
    let read = |file: &str| {
        fs::write(&zone, format!("{HEAD}$INCLUDE {file}\n")).unwrap();
        let loaded = load(Path::new(&zone), None, Limits::default());
        loaded
            .map(|parsed| parsed.zone.record_count())
            .map_err(|error| error.to_string().replace(&zone, "Z"))
    };
    assert_eq!(read("sub/hosts"), Ok(3));
    assert_eq!(read("inside"), Ok(3));
    for (file, why) in [
        ("outside", "leads out of the folder of the zone"),
        ("up/secret", "leads out of the folder of the zone"),
        ("pipe", "not a regular file"),
        ("sub", "not a regular file"),
        ("latin", "line 3 is not UTF-8; write other octets as \\DDD"),
        ("none", "no such file or directory"),
    ] {
        let expected = format!("Z:5:10: $INCLUDE {file:?}: {why}");
        assert_eq!(read(file), Err(expected));
    }
}

#[test]
fn a_zone_that_cannot_be_read_is_an_error_with_its_path() {
    let folder = Folder::new();
    let path = folder.path("none");
    let error = load(Path::new(&path), None, Limits::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{path}: No such file or directory (os error 2)")
    );
    fs::write(&path, HEAD).unwrap();
    let small = Limits {
        octets: 10,
        records: 10,
    };
    let error = load(Path::new(&path), None, small).unwrap_err();
    assert_eq!(error.to_string(), format!("{path}: more than 10 octets"));
}

#[test]
fn on_the_common_way_an_answer_takes_no_memory() {
    let zones = samples()
        .unwrap()
        .into_iter()
        .map(|parsed| Arc::new(parsed.zone));
    let zones = Zones::new(zones).unwrap();
    for (name, kind) in [
        ("www.lab.test", "A"),
        ("WWW.Lab.Test", "AAAA"),
        ("lab.test", "MX"),
        ("a.chain.lab.test", "A"),
        ("there.lab.test", "A"),
        ("nowhere.lab.test", "A"),
        ("x.y.wild.lab.test", "TXT"),
        ("www.sub.lab.test", "A"),
        ("80.2.0.192.in-addr.arpa", "PTR"),
    ] {
        for edns in [None, Some(Edns::default())] {
            let question = Question::new(Name::parse(name).unwrap(), kind.parse().unwrap());
            let mut query = Message::query(1, question);
            query.edns = edns;
            let query = query.encode().unwrap();
            let mut out = Vec::with_capacity(1232);
            let udp = Transport::Udp { most: 1232 };
            let (outcome, held) = counting::peak(|| reply(&zones, &query, udp, &mut out));
            assert!(matches!(outcome, Outcome::Reply(_)));
            assert_eq!(held, 0, "{name} {kind}");
        }
    }
}
