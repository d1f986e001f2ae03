//! Replies and their meaning, written as zone lines.

use super::*;
use crate::dns::data::Soa;
use crate::dns::text::{Fields, Token};
use crate::dns::{Class, Header};

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// `OWNER TYPE DATA`, TTL 60.
fn record(line: &str) -> Record {
    let words: Vec<&str> = line.split_whitespace().collect();
    let tokens: Vec<Token> = words[2..]
        .iter()
        .map(|word| Token {
            text: word.to_string(),
            quoted: false,
        })
        .collect();
    let kind = words[1].parse().unwrap();
    let data = Data::parse(kind, &mut Fields::new(&tokens, Some(&Name::root()))).unwrap();
    Record::new(name(words[0]), 60, data)
}

fn reply(rcode: Rcode, answers: &[&str], soa: Option<&str>) -> Message {
    let mut message = Message::new(Header::query(0));
    message.header.rcode = rcode;
    message.answers = answers.iter().map(|line| record(line)).collect();
    message.authorities.extend(soa.map(|zone| {
        let soa = Soa {
            primary: name("ns.example"),
            mailbox: name("who.example"),
            serial: 1,
            refresh: 2,
            retry: 3,
            expire: 4,
            minimum: 30,
        };
        Record::new(name(zone), 40, Data::Soa(soa))
    }));
    message
}

fn follow(kind: RecordType, message: &Message) -> (Said, Chain) {
    let question = Question {
        name: name("www.example"),
        kind,
        class: Class::IN,
    };
    let mut chain = Chain::new(question.name.clone());
    (chain.follow(&question, message), chain)
}

/// The data found, in order, and the name at the end of the chain.
fn found(message: &Message) -> (String, String) {
    let (said, chain) = follow(RecordType::A, message);
    let Said::Ending(Ending::Records(records)) = said else {
        panic!("{said:?}");
    };
    let texts: Vec<String> = records.iter().map(|r| r.data.to_string()).collect();
    (texts.join(" "), chain.name.to_string())
}

#[test]
fn only_records_of_the_question_or_of_its_aliases_are_used() {
    let stray = reply(
        Rcode::NOERROR,
        &[
            "other.example A 6.6.6.6",
            "www.example A 192.0.2.1",
            "www.example AAAA ::6",
            "WWW.EXAMPLE A 192.0.2.2",
        ],
        None,
    );
    assert_eq!(found(&stray).0, "192.0.2.1 192.0.2.2");
    let only_stray = reply(Rcode::NOERROR, &["other.example A 6.6.6.6"], None);
    let (said, _) = follow(RecordType::A, &only_stray);
    assert_eq!(said, Said::Ending(Ending::NoSuchRecord { ttl: None }));
}

#[test]
fn records_and_aliases_of_another_class_are_not_used() {
    for line in ["www.example CNAME a.example", "www.example A 6.6.6.6"] {
        let mut other = reply(Rcode::NOERROR, &[line], None);
        other.answers[0].class = Class::CH;
        let (said, chain) = follow(RecordType::A, &other);
        assert_eq!(
            said,
            Said::Ending(Ending::NoSuchRecord { ttl: None }),
            "{line}"
        );
        assert!(chain.aliases.is_empty());
    }
}

#[test]
fn aliases_are_followed_by_owner_in_whatever_order_they_stand() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
        let lines = [
            "www.example CNAME a.example",
            "a.example CNAME b.example",
            "b.example A 192.0.2.1",
        ];
        let shuffled = order.map(|place| lines[place]);
        let end = found(&reply(Rcode::NOERROR, &shuffled, None));
        assert_eq!(end, ("192.0.2.1".into(), "b.example.".into()), "{order:?}");
    }
}

#[test]
fn an_alias_to_itself_or_in_a_circle_is_endless() {
    for lines in [
        &["www.example CNAME www.example"][..],
        &["www.example CNAME a.example", "a.example CNAME WWW.example"],
        &[
            "www.example CNAME a.example",
            "a.example CNAME b.example",
            "b.example CNAME a.example",
        ],
    ] {
        let (said, _) = follow(RecordType::A, &reply(Rcode::NOERROR, lines, None));
        assert_eq!(said, Said::Endless, "{lines:?}");
    }
}

#[test]
fn sixteen_aliases_are_followed_and_seventeen_are_not() {
    let chain = |count: usize| {
        let mut lines = vec!["www.example CNAME n1.example".to_string()];
        lines.extend((1..count).map(|n| format!("n{n}.example CNAME n{}.example", n + 1)));
        lines.push(format!("n{count}.example A 192.0.2.1"));
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        follow(RecordType::A, &reply(Rcode::NOERROR, &lines, None)).0
    };
    assert!(matches!(chain(16), Said::Ending(Ending::Records(_))));
    assert_eq!(chain(17), Said::Endless);
}

#[test]
fn an_alias_that_leads_out_of_the_reply_is_asked_for_and_one_to_nothing_is_not() {
    let out = reply(Rcode::NOERROR, &["www.example CNAME web.test"], None);
    let (said, chain) = follow(RecordType::A, &out);
    assert_eq!((said, chain.name), (Said::AskAgain, name("web.test")));
    // With the SOA of the target's zone, the server says that it has nothing there.
    let alias = ["www.example CNAME web.example"];
    let nothing = reply(Rcode::NOERROR, &alias, Some("example"));
    let (said, _) = follow(RecordType::A, &nothing);
    assert_eq!(said, Said::Ending(Ending::NoSuchRecord { ttl: Some(30) }));
}

#[test]
fn a_question_for_the_alias_itself_does_not_follow_it() {
    let message = reply(Rcode::NOERROR, &["www.example CNAME web.test"], None);
    let (said, chain) = follow(RecordType::CNAME, &message);
    assert!(matches!(said, Said::Ending(Ending::Records(_))));
    assert_eq!(chain.name, name("www.example"));
    let (said, _) = follow(RecordType::ANY, &message);
    assert!(matches!(said, Said::Ending(Ending::Records(r)) if r.len() == 1));
}

#[test]
fn a_dname_moves_all_names_below_it() {
    let lines = ["example DNAME other.test", "www.other.test A 192.0.2.1"];
    let end = found(&reply(Rcode::NOERROR, &lines, None));
    assert_eq!(end, ("192.0.2.1".into(), "www.other.test.".into()));
    // For clients that do not know DNAME, servers add the CNAME that follows from it.
    let lines = [
        "example DNAME other.test",
        "www.example CNAME www.other.test",
        "www.other.test A 192.0.2.1",
    ];
    assert_eq!(found(&reply(Rcode::NOERROR, &lines, None)).0, "192.0.2.1");
}

#[test]
fn a_dname_that_leads_below_itself_ends() {
    let growing = reply(Rcode::NOERROR, &["example DNAME a.example"], None);
    assert_eq!(follow(RecordType::A, &growing).0, Said::Endless);
}

#[test]
fn nxdomain_behind_an_alias_is_about_the_name_that_the_alias_leads_to() {
    let lines = ["www.example CNAME gone.example"];
    let (said, chain) = follow(
        RecordType::A,
        &reply(Rcode::NXDOMAIN, &lines, Some("example")),
    );
    assert_eq!(said, Said::Ending(Ending::NoSuchName { ttl: Some(30) }));
    assert_eq!(chain.name, name("gone.example"));
}

#[test]
fn no_such_name_and_no_such_record_are_told_apart() {
    let (said, _) = follow(RecordType::A, &reply(Rcode::NXDOMAIN, &[], None));
    assert_eq!(said, Said::Ending(Ending::NoSuchName { ttl: None }));
    let (said, _) = follow(RecordType::A, &reply(Rcode::NOERROR, &[], Some("example")));
    assert_eq!(said, Said::Ending(Ending::NoSuchRecord { ttl: Some(30) }));
}

#[test]
fn an_soa_of_a_zone_that_the_name_is_not_in_says_nothing_about_it() {
    let (said, _) = follow(RecordType::A, &reply(Rcode::NOERROR, &[], Some("test")));
    assert_eq!(said, Said::Ending(Ending::NoSuchRecord { ttl: None }));
}
