//! Zones that change while queries come.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use groundwire::dns::server::Config;
use groundwire::dns::{Data, RecordType};
use groundwire::telemetry::{Format, Level, Log};

use crate::support::{Folder, Kept};
use crate::world::{World, ask, ask_tcp, query};

/// A zone in which all that can be asked tells its version.
fn zone(version: u32) -> String {
    let last = version % 250 + 1;
    format!(
        "$ORIGIN v.test.\n$TTL 60\n@ SOA ns h {version} 1 1 1 1\n@ NS ns\nns A 192.0.2.{last}\n\
         a A 192.0.2.{last}\na A 198.51.100.{last}\n"
    )
}

#[test]
fn a_reload_serves_the_new_zone_and_a_bad_one_changes_nothing() {
    let (folder, kept) = (Folder::new(), Kept::default());
    let file = folder.path("v.zone");
    fs::write(&file, zone(1)).unwrap();
    let config = Config {
        log: Log::to_writer(Level::Info, Format::Text, Box::new(kept.clone())),
        ..Config::default()
    };
    let world = World::of(config, &[&file]);
    let (udp, mut tcp) = (world.udp(), world.tcp());
    let soa = query(1, "v.test.", RecordType::SOA);
    let mut serials = || {
        [ask(&udp, &soa), ask_tcp(&mut tcp, &soa)].map(|reply| match &reply.answers[0].data {
            Data::Soa(soa) => soa.serial,
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(serials(), [1, 1]);
    fs::write(&file, zone(2)).unwrap();
    assert_eq!(serials(), [1, 1]);
    world.reloader.reload().unwrap();
    assert_eq!(serials(), [2, 2]);

    fs::write(&file, zone(3) + "a CNAME b\n\nb A 192.0.2\n").unwrap();
    assert!(world.reloader.reload().is_err());
    assert_eq!(serials(), [2, 2]);
    fs::remove_file(&file).unwrap();
    assert!(world.reloader.reload().is_err());
    assert_eq!(serials(), [2, 2]);

    fs::write(&file, zone(4)).unwrap();
    world.reloader.reload().unwrap();
    assert_eq!(serials(), [4, 4]);
    let text = kept.text();
    assert!(text.contains(&format!("{file}:10:5: ")), "{text}");
    assert!(
        text.contains("zone read again zone=\"v.test. serial 4, 5 records\""),
        "{text}"
    );
    assert!(world.stop().contains("reloads 2 (and 2 refused)"));
}

#[test]
fn reloads_under_load_lose_no_query_and_mix_no_versions() {
    let folder = Folder::new();
    let file = folder.path("v.zone");
    fs::write(&file, zone(0)).unwrap();
    let world = Arc::new(World::of(Config::default(), &[&file]));
    let done = Arc::new(AtomicBool::new(false));
    let askers: Vec<_> = (0..3)
        .map(|_| {
            let (world, done) = (world.clone(), done.clone());
            thread::spawn(move || {
                let (udp, mut tcp) = (world.udp(), world.tcp());
                let (mut asked, question) = (0_u64, query(1, "a.v.test.", RecordType::A));
                while !done.load(Ordering::Relaxed) {
                    // Each question is answered before the next: one that is lost ends the test.
                    for reply in [ask(&udp, &question), ask_tcp(&mut tcp, &question)] {
                        let last = reply.answers.iter().map(|record| match &record.data {
                            Data::A(address) => address.octets()[3],
                            other => panic!("{other:?}"),
                        });
                        let last: Vec<u8> = last.collect();
                        assert!(last.len() == 2 && last[0] == last[1], "{last:?}");
                        asked += 1;
                    }
                }
                asked
            })
        })
        .collect();
    for version in 1..=200 {
        let good = version % 3 != 0;
        let text = if good {
            zone(version)
        } else {
            "a A 192.0.2\n".into()
        };
        fs::write(&file, text).unwrap();
        assert_eq!(world.reloader.reload().is_ok(), good);
    }
    done.store(true, Ordering::Relaxed);
    let asked: u64 = askers.into_iter().map(|asker| asker.join().unwrap()).sum();
    let Ok(world) = Arc::try_unwrap(world) else {
        panic!("somebody holds the server");
    };
    let totals = world.stop();
    assert!(
        totals.contains(&format!("replies {asked},")),
        "{asked}: {totals}"
    );
    assert!(totals.contains("reloads 134 (and 66 refused)"), "{totals}");
}
