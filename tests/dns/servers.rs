//! Our answers beside those of NSD, Knot and BIND over the same zone files: the sample zones and
//! `edge.zone`, every name of theirs, and names beside, below and in other letters, by every type.
//!
//! Code and flags are to be equal, and so are the records of each section, whatever their order. The
//! differences that are allowed are listed in [`differs`], each with its reason; those that concern
//! one server alone in [`is_its_own_way`].

use std::collections::BTreeSet;
use std::sync::Arc;

use groundwire::dns::answer::reply;
use groundwire::dns::zone::{Limits, SAMPLES, parse};
use groundwire::dns::{
    Data, Edns, Message, Name, Outcome, Question, Rcode, Record, RecordType, Transport, Zone, Zones,
};

use crate::daemons::{Daemon, PEERS, Peer, question_end};
use crate::support::PATIENCE;

fn read(text: &str) -> Zone {
    let mut no_file = |_: &str| Err("no file".into());
    let parsed = parse("zone", text, None, Limits::default(), &mut no_file);
    parsed.unwrap().zone
}

/// The zones' texts, by their apexes.
pub fn texts() -> Vec<(Name, String)> {
    let texts = SAMPLES.iter().map(|(_, text)| *text);
    let texts = texts.chain([include_str!("edge.zone")]);
    let texts = texts.map(|text| (read(text).apex().clone(), text.to_string()));
    texts.collect()
}

/// All names of the zones and those above, in other letters, too, and names that do not exist.
fn names(zones: &[Zone]) -> BTreeSet<Vec<u8>> {
    let mut names = BTreeSet::new();
    for (name, _) in zones.iter().flat_map(Zone::sets) {
        let mut above = Some(name.clone());
        while let Some(name) = above {
            above = name.parent();
            let other_case = name.wire().to_ascii_uppercase();
            names.extend([other_case, name.wire().to_vec()]);
            for label in ["nx", "*", "WwW"] {
                let below = name.child(label.as_bytes()).unwrap();
                let deeper = below.child(b"x").unwrap();
                names.extend([below, deeper].map(|name| name.wire().to_vec()));
            }
        }
    }
    names
}

fn name(wire: &[u8]) -> Name {
    let mut labels = Vec::new();
    let mut rest = wire;
    while let Some((length, behind)) = rest.split_first() {
        let (label, behind) = behind.split_at(usize::from(*length));
        labels.push(label);
        rest = behind;
    }
    labels.pop(); // the root
    Name::from_labels(labels).unwrap()
}

/// The types that the zones have, those that are special to some server, and some that nobody has.
fn kinds() -> Vec<RecordType> {
    let words = "A NS CNAME SOA PTR HINFO MX TXT KEY AAAA SRV NAPTR DNAME OPT DS SSHFP RRSIG NSEC \
                 NSEC3 TLSA SVCB HTTPS TSIG TYPE254 ANY CAA TYPE65280 TYPE0";
    words
        .split_whitespace()
        .map(|word| word.parse().unwrap())
        .collect()
}

/// A query for each type, with EDNS and without.
fn queries(name: &Name) -> impl Iterator<Item = Vec<u8>> {
    let kinds = kinds().into_iter().zip(1u16..);
    kinds.map(move |(kind, id)| {
        let mut query = Message::query(id, Question::new(name.clone(), kind));
        query.edns = (id % 2 == 0).then(Edns::default);
        query.encode().unwrap()
    })
}

fn ours(zones: &Zones, query: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let outcome = reply(zones, query, Transport::Udp { most: 1232 }, &mut out);
    assert!(matches!(outcome, Outcome::Reply(_)));
    out
}

/// Records in an order of their own, their names in one case.
fn lines<'r>(records: impl IntoIterator<Item = &'r Record>) -> BTreeSet<String> {
    let lines = records.into_iter().map(Record::to_string);
    lines.map(|line| line.to_ascii_lowercase()).collect()
}

fn is_of(kind: RecordType) -> impl Fn(&&Record) -> bool {
    move |record| record.data.kind() == kind
}

/// The section by whose records two replies differ.
fn differs(ours: &Message, theirs: &Message) -> Option<&'static str> {
    let flags = |message: &Message| {
        let header = message.header;
        (header.rcode, header.authoritative, header.truncated)
    };
    if flags(ours) != flags(theirs) {
        return Some("code or flags");
    }
    // How little of ANY is enough, everybody decides for himself (RFC 8482 §4).
    if ours.questions.iter().any(|q| q.kind == RecordType::ANY) && !ours.answers.is_empty() {
        return theirs.answers.is_empty().then_some("answer to ANY");
    }
    if lines(&ours.answers) != lines(&theirs.answers) {
        return Some("answer");
    }
    // The servers of the zone may accompany a positive answer; RFC 1034 §4.3.2 does not ask for them.
    let is_company = theirs.header.authoritative && ours.authorities.is_empty();
    let authorities = theirs.authorities.iter();
    let authorities = authorities.filter(|r| !is_company || !is_of(RecordType::NS)(r));
    if lines(&ours.authorities) != lines(authorities) {
        return Some("authority");
    }
    // Addresses that "may be useful" are for everybody to choose (RFC 1034 §4.3.2 step 6), but not
    // glue: the addresses of servers below the cut that is referred to (RFC 9471 §3.1).
    let glue = |message: &Message| {
        let cuts = message.authorities.iter().filter(is_of(RecordType::NS));
        let cuts: Vec<Name> = cuts.map(|record| record.name.clone()).collect();
        let records = message.additionals.iter();
        let is_glue = |record: &&Record| cuts.iter().any(|cut| record.name.is_within(cut));
        lines(records.filter(is_glue).collect::<Vec<_>>())
    };
    let is_referral = !ours.authorities.is_empty();
    (is_referral && glue(ours) != glue(theirs)).then_some("glue")
}

/// The types of DNSSEC for which a server does not follow an alias.
fn signing(peer: Peer) -> &'static [RecordType] {
    use RecordType as Type;
    match peer {
        Peer::Nsd => &[Type::NSEC3],
        Peer::Knot => &[Type::NSEC, Type::RRSIG],
        Peer::Bind => &[Type::NSEC, Type::RRSIG, Type::SIG, Type::KEY],
    }
}

/// Differences that are one server's, against the two others or the RFC.
fn is_its_own_way(peer: Peer, ours: &Message, theirs: &Message) -> bool {
    let kind = ours.questions.first().map(|question| question.kind);
    let targets = ours.answers.iter().filter_map(|record| match &record.data {
        Data::Cname(target) => Some(target),
        _ => None,
    });
    let targets: Vec<&Name> = targets.collect();
    let is_looping = |target: &&&Name| {
        let mut aliases = ours.answers.iter().filter(is_of(RecordType::CNAME));
        aliases.any(|record| record.name == ***target)
    };
    let loops = targets.len() == ours.answers.len() && targets.iter().all(|t| is_looping(&t));
    let leaves = |target: &Name| {
        let owner = ours.answers.first().map(|record| &record.name);
        let lab = Name::parse("lab.test").unwrap();
        target.is_within(&lab) && owner.is_some_and(|owner| !owner.is_within(&lab))
    };
    match peer {
        // An alias into another zone of the same server: RFC 1034 §4.3.2 step 3a goes back to step
        // 1, which looks for the zone; NSD does so, too.
        Peer::Knot | Peer::Bind if targets.iter().any(|t| leaves(t)) => true,
        // Types that may stand beside an alias, or that nobody may ask for: each has a list of its
        // own. Where there is no such record, RFC 1034 §3.6.2 knows no exception.
        _ if !targets.is_empty() && signing(peer).iter().any(|it| kind == Some(*it)) => true,
        // A loop of aliases is data like other data, as it is to NSD and Knot.
        Peer::Bind if loops && theirs.header.rcode == Rcode::SERVFAIL => true,
        // A SOA record that is not there is denied with a TTL of 0, against RFC 2308 §3.
        Peer::Bind if kind == Some(RecordType::SOA) && theirs.authorities.len() == 1 => {
            let mut theirs = theirs.clone();
            theirs.authorities[0].ttl = ours.authorities[0].ttl;
            differs(ours, &theirs).is_none()
        }
        // RFC 6672 §3.2 goes back to step 1 with the new name, whatever the type is.
        Peer::Bind if kind == Some(RecordType::ANY) => ours
            .answers
            .iter()
            .any(|record| is_of(RecordType::DNAME)(&record)),
        // Types that cannot be data: to the others they are data that is not there.
        Peer::Bind => {
            let special = [RecordType::OPT, RecordType::TSIG, RecordType(254)];
            let refused = [Rcode::FORMERR, Rcode::NOTIMP].contains(&theirs.header.rcode);
            refused && special.iter().any(|it| kind == Some(*it))
        }
        Peer::Knot if kind == Some(RecordType(0)) => theirs.header.rcode == Rcode::NOTIMP,
        // Where a name gets too long it goes on with the DNAME's target, and adds what is there.
        Peer::Knot => theirs.header.rcode == Rcode::YXDOMAIN,
        Peer::Nsd => false,
    }
}

#[test]
fn every_name_by_every_type_is_answered_as_others_answer_it() {
    let texts = texts();
    let all: Vec<Zone> = texts.iter().map(|(_, text)| read(text)).collect();
    let names = names(&all);
    let zones = Zones::new(all.into_iter().map(Arc::new)).unwrap();
    for peer in PEERS {
        let Some(daemon) = Daemon::start(peer, &texts) else {
            continue;
        };
        let (mut asked, mut own_ways, mut faults) = (0, 0, 0);
        for name in names.iter().map(|wire| name(wire)) {
            let queries: Vec<Vec<u8>> = queries(&name).collect();
            let replies = daemon.ask(&queries, PATIENCE).expect("replies");
            asked += queries.len();
            for (query, theirs) in queries.iter().zip(replies) {
                let ours = self::ours(&zones, query);
                let question = 12..question_end(query);
                assert_eq!(ours.get(question.clone()), query.get(question), "{name}");
                let [ours, theirs] = [ours, theirs].map(|reply| Message::decode(&reply).unwrap());
                match differs(&ours, &theirs) {
                    None => {}
                    Some(_) if is_its_own_way(peer, &ours, &theirs) => own_ways += 1,
                    Some(what) => {
                        faults += 1;
                        let what = format!("{what} of {peer:?} for {name}");
                        println!("{what}\n  ours   {ours:?}\n  theirs {theirs:?}");
                    }
                }
            }
        }
        println!("{peer:?}: {asked} questions, {own_ways} answered in its own way");
        assert_eq!(faults, 0, "{peer:?} answers differently");
    }
}

#[test]
fn a_transfer_has_the_records_that_those_of_others_have() {
    let texts = texts();
    for peer in PEERS {
        let Some(daemon) = Daemon::start(peer, &texts) else {
            continue;
        };
        for (apex, text) in &texts {
            let question = Question::new(apex.clone(), RecordType::AXFR);
            let query = Message::query(7, question);
            let zone = read(text);
            let ours = zone.transfer(&query);
            let ours: Vec<Message> = ours.map(|m| Message::decode(&m).unwrap()).collect();
            let theirs = daemon.transfer(&query);
            let all = |messages: &[Message]| lines(messages.iter().flat_map(|m| &m.answers));
            assert_eq!(all(&ours), all(&theirs), "{apex} of {peer:?}");
            // RFC 5936 §2.2.1: AA is set. NSD leaves it off.
            assert!(ours.iter().all(|message| message.header.authoritative));
            assert_eq!(ours[0].questions, theirs[0].questions);
            let ends = |messages: &[Message]| {
                let (first, last) = (&messages[0].answers, &messages[messages.len() - 1].answers);
                (first[0].clone(), last[last.len() - 1].clone())
            };
            assert_eq!(ends(&ours), ends(&theirs));
        }
    }
}
