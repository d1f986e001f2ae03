//! Answers over the sample zones, and rule by rule over small ones.

use std::sync::Arc;

use super::octets::reply_at_length;
use super::*;
use crate::dns::edns::SAFE_UDP;
use crate::dns::header::Header;
use crate::dns::zone::{Limits, parse, samples};

const UDP: Transport = Transport::Udp { most: SAFE_UDP };

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// Zones of these texts, each with a SOA record and an NS record before it.
fn zones(texts: &[(&str, &str)]) -> Zones {
    let read = texts.iter().map(|(apex, text)| {
        let head = format!("$ORIGIN {apex}\n$TTL 300\n@ 600 SOA ns.else. h.else. 1 2 3 4 60\n");
        let text = format!("{head}@ NS ns.else.\n{text}");
        let mut no_file = |_: &str| Err("no file".into());
        let parsed = parse("test", &text, None, Limits::default(), &mut no_file);
        Arc::new(parsed.unwrap().zone)
    });
    Zones::new(read).unwrap()
}

fn sample() -> Zones {
    let read = samples().unwrap().into_iter();
    Zones::new(read.map(|parsed| Arc::new(parsed.zone))).unwrap()
}

/// Both ways over octets, short and long: the replies, decoded.
fn both_ways(zones: &Zones, query: &Message, transport: Transport) -> [(Message, Option<bool>); 2] {
    let octets = query.encode().unwrap();
    let (mut short, mut long) = (Vec::new(), Vec::new());
    let header = Header::decode(&octets).unwrap();
    let is_prepared = prepared::reply(zones, &octets, transport, &mut Vec::new()).is_some();
    let Outcome::Reply(first) = reply(zones, &octets, transport, &mut short) else {
        panic!("no reply");
    };
    let Outcome::Reply(second) = reply_at_length(zones, &octets, header, transport, &mut long)
    else {
        panic!("no reply");
    };
    assert_eq!((first.rcode, first.kind), (second.rcode, second.kind));
    let apex = |answered: Answered<'_>| answered.zone.map(|zone| zone.apex().clone());
    assert_eq!(apex(first), apex(second));
    let question = |octets: &[u8]| octets[12..][..octets.len().min(12 + 17) - 12].to_vec();
    assert_eq!(question(&short), question(&long));
    [
        (Message::decode(&short).unwrap(), Some(is_prepared)),
        (Message::decode(&long).unwrap(), None),
    ]
}

#[test]
fn prepared_answers_are_those_of_the_algorithm_for_all_names_and_types() {
    let zones = sample();
    let mut names = Vec::new();
    for zone in zones.iter() {
        for node in &zone.nodes {
            names.push(node.name.clone());
            for label in ["nothing", "*", "WWW"] {
                let below = node.name.child(label.as_bytes()).unwrap();
                names.extend([below.child(b"deeper").unwrap(), below]);
            }
        }
    }
    let mut prepared = 0;
    for name in &names {
        for kind in RecordType::NAMED {
            for edns in [None, Some(Edns::default())] {
                let mut query = Message::query(77, Question::new(name.clone(), *kind));
                query.header.recursion_desired = edns.is_some();
                query.edns = edns;
                let [(short, is_prepared), (long, _)] = both_ways(&zones, &query, UDP);
                assert_eq!(short, long, "{name} {kind}");
                prepared += usize::from(is_prepared == Some(true));
            }
        }
    }
    assert!(prepared > names.len() * 60, "{prepared} of {}", names.len());
}
