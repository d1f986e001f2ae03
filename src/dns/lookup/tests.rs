//! Look-ups through several replies: aliases that lead from one to the next.

use super::*;
use crate::dns::{Class, Data, Ending, Message, Rcode, Record, RecordType};

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn lookup() -> Lookup {
    let question = Question {
        name: name("n0.example"),
        kind: RecordType::A,
        class: Class::IN,
    };
    let asking = Asking {
        servers: vec!["192.0.2.1:53".parse().unwrap()],
        ..Asking::default()
    };
    Lookup::new(question, asking, Duration::from_secs(30))
}

/// Runs a look-up to its end against a server; also returns the names it asked for.
fn run(
    mut lookup: Lookup,
    mut serve: impl FnMut(&mut Message),
) -> (Vec<String>, Result<Answer, Failure>) {
    let mut asked = Vec::new();
    loop {
        match lookup.poll(Duration::ZERO, asked.len() as u16) {
            Step::Done(outcome) => return (asked, outcome),
            Step::Wait(_) => panic!("the reply was passed over"),
            Step::Send { server, octets, .. } => {
                let query = Message::decode(&octets).unwrap();
                asked.push(query.questions[0].name.to_string());
                let mut reply = Message::new(query.header.reply());
                reply.questions = query.questions;
                reply.header.authoritative = true;
                serve(&mut reply);
                lookup.received(Duration::ZERO, server, &reply.encode().unwrap());
            }
        }
    }
}

fn alias(reply: &mut Message, to: &str) {
    let owner = reply.questions[0].name.clone();
    reply
        .answers
        .push(Record::new(owner, 60, Data::Cname(name(to))));
}

fn number(reply: &Message) -> usize {
    let label = reply.questions[0].name.labels().next().unwrap().to_vec();
    String::from_utf8(label[1..].to_vec())
        .unwrap()
        .parse()
        .unwrap()
}

#[test]
fn an_alias_without_its_target_is_asked_for_again() {
    let (asked, outcome) = run(lookup(), |reply| match number(reply) {
        0 => alias(reply, "n1.example"),
        _ => {
            let data = Data::A("192.0.2.9".parse().unwrap());
            reply
                .answers
                .push(Record::new(name("n1.example"), 60, data));
        }
    });
    assert_eq!(asked, ["n0.example.", "n1.example."]);
    let answer = outcome.unwrap();
    assert_eq!(answer.name, name("n1.example"));
    assert_eq!((answer.aliases.len(), answer.records().len()), (1, 1));
}

#[test]
fn aliases_in_a_circle_across_servers_end() {
    let (asked, outcome) = run(lookup(), |reply| match number(reply) {
        0 => alias(reply, "n1.example"),
        1 => alias(reply, "n2.example"),
        _ => alias(reply, "n0.example"),
    });
    assert_eq!(asked.len(), 3);
    assert!(matches!(outcome, Err(Failure::Endless { name: end }) if end == name("n0.example")));
}

#[test]
fn an_endless_chain_across_servers_ends_after_sixteen_aliases() {
    let (asked, outcome) = run(lookup(), |reply| {
        let next = format!("n{}.example", number(reply) + 1);
        alias(reply, &next);
    });
    assert_eq!(asked.len(), MAX_ALIASES + 1);
    assert!(matches!(outcome, Err(Failure::Endless { .. })));
}

#[test]
fn when_nobody_knows_the_target_the_failure_has_the_aliases_that_lead_there() {
    let (_, outcome) = run(lookup(), |reply| match number(reply) {
        0 => alias(reply, "n1.example"),
        _ => reply.header.rcode = Rcode::REFUSED,
    });
    let Err(Failure::NoAnswer {
        question,
        aliases,
        tries,
    }) = outcome
    else {
        panic!("{outcome:?}");
    };
    assert_eq!(question.name, name("n1.example"));
    assert_eq!(aliases.len(), 1);
    assert_eq!(tries[0].trouble, Trouble::Refused(Rcode::REFUSED));
}

#[test]
fn a_negative_answer_is_an_answer() {
    let (_, outcome) = run(lookup(), |reply| reply.header.rcode = Rcode::NXDOMAIN);
    assert_eq!(outcome.unwrap().ending, Ending::NoSuchName { ttl: None });
}

#[test]
fn a_failure_says_what_was_asked_of_whom_and_why_it_failed() {
    let (_, outcome) = run(lookup(), |reply| reply.header.rcode = Rcode::SERVFAIL);
    assert_eq!(
        outcome.unwrap_err().to_string(),
        "n0.example. A: no server could answer; udp 192.0.2.1:53: SERVFAIL"
    );
    let question = lookup().question;
    let mut alone = Lookup::new(question, Asking::default(), Duration::from_secs(1));
    let Step::Done(Err(failure)) = alone.poll(Duration::ZERO, 0) else {
        panic!("there is nobody to ask");
    };
    assert_eq!(
        failure.to_string(),
        "n0.example. A: there is no server to ask, or no time left"
    );
}

#[test]
fn whatever_a_reply_is_made_of_the_lookup_ends() {
    const SEED: u64 = 0x6e61_6d65;
    println!("seed {SEED:#x}");
    let mut state = SEED;
    // A linear congruential generator (Knuth's constants): its upper bits are good enough here.
    let mut random = move |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for round in 0..5_000 {
        let mut lookup = lookup();
        let (mut now, mut sends) = (Duration::ZERO, 0);
        loop {
            match lookup.poll(now, round) {
                Step::Done(_) => break,
                Step::Wait(until) => now = until,
                Step::Send { server, octets, .. } => {
                    sends += 1;
                    assert!(sends <= 4 * (MAX_ALIASES + 1), "round {round}");
                    let query = Message::decode(&octets).unwrap();
                    let mut reply = Message::new(query.header.reply());
                    reply.questions = query.questions;
                    reply.header.authoritative = true;
                    for _ in 0..random(4) {
                        alias(&mut reply, &format!("n{}.example", random(9)));
                    }
                    let mut octets = reply.encode().unwrap();
                    for _ in 0..random(4) {
                        let place = random(octets.len());
                        octets[place] = random(256) as u8;
                    }
                    octets.truncate(octets.len() - random(2) * random(20));
                    lookup.received(now, server, &octets);
                }
            }
        }
    }
}
