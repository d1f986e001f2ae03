//! Mutated zone files: each is refused with the lines that are wrong, or it is a zone whose records
//! print as a file that reads as the same zone; and none takes more memory than its length allows.
//!
//! A twentieth of `GROUNDWIRE_FUZZ` (200,000 without it) is how many are tried.

use std::panic::{AssertUnwindSafe, catch_unwind};

use groundwire::dns::Name;
use groundwire::dns::zone::{Limits, SAMPLES, Zone, parse};
use groundwire::sys::counting;

use crate::generate::Seeded;

/// Bytes for each octet of a zone file: `a NS a` is a node, a set and a name of two octets each.
const FACTOR: usize = 400;
const SLACK: usize = 64 << 10;

/// What every zone needs, before some lines of others.
const HEAD: &str = "$ORIGIN x.\n$TTL 1h\n@ SOA ns host 1 2h 1h 2w (\n  300 )\n@ NS ns.y.\n";

fn read(text: &str) -> Option<Zone> {
    let mut include = |file: &str| match file {
        "again" => Ok("inner A 192.0.2.9\n".into()),
        _ => Err("there is none".into()),
    };
    let origin = Name::parse("x").ok();
    let (parsed, held) = counting::peak(|| {
        parse(
            "fuzz",
            text,
            origin.as_ref(),
            Limits::default(),
            &mut include,
        )
    });
    let allowed = text.len() * FACTOR + SLACK;
    assert!(held <= allowed, "{held} bytes held, {allowed} allowed");
    match parsed {
        Ok(parsed) => Some(parsed.zone),
        Err(problems) => {
            assert!(!problems.is_empty());
            problems
                .iter()
                .for_each(|problem| drop(problem.to_string()));
            None
        }
    }
}

/// Each record on a line of its own.
fn printed(zone: &Zone) -> String {
    let mut lines = String::new();
    for (owner, set) in zone.sets() {
        for data in &set.data {
            lines += &format!("{owner} {} IN {} {data}\n", set.ttl, set.kind);
        }
    }
    lines
}

fn check(text: &str) -> bool {
    let Some(zone) = read(text) else {
        return false;
    };
    let lines = printed(&zone);
    let again = read(&lines).expect(&lines);
    assert_eq!(again.record_count(), zone.record_count(), "{lines}");
    assert_eq!(printed(&again), lines);
    true
}

#[test]
fn mutated_zone_files_are_refused_or_print_as_they_are_read() {
    let wanted = std::env::var("GROUNDWIRE_FUZZ").ok();
    let wanted: u64 = wanted.map_or(200_000, |text| {
        text.parse().expect("GROUNDWIRE_FUZZ: a number")
    });
    let (mut seeded, wanted) = (Seeded::new(14), wanted / 20);
    let texts = [include_str!("edge.zone"), SAMPLES[0].1, SAMPLES[1].1];
    let lines: Vec<&str> = texts.iter().flat_map(|text| text.lines()).collect();
    let mut taken = 0;
    for _ in 0..wanted {
        let from = seeded.below(lines.len());
        let until = (from + seeded.below(8)).min(lines.len());
        let mut text = format!("{HEAD}{}\n$INCLUDE again\n", lines[from..until].join("\n"));
        if seeded.below(4) > 0 {
            let mut octets = text.into_bytes();
            let other = lines[seeded.below(lines.len())];
            seeded.mutate(&mut octets, other.as_bytes());
            text = String::from_utf8_lossy(&octets).into_owned();
        }
        let tried = catch_unwind(AssertUnwindSafe(|| check(&text)));
        taken += u64::from(tried.unwrap_or_else(|_| panic!("the zone file was:\n{text}")));
    }
    println!("{wanted} zone files tried, {taken} of them were zones");
    assert!(taken > wanted / 50 && taken < wanted, "{taken} of {wanted}");
}
