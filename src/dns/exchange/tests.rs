//! An exchange with replies of every kind: which count, which are ignored, which server is next.

use super::*;
use crate::dns::{Class, Data, Name, Record, RecordType};

const A: &str = "192.0.2.1:53";
const B: &str = "192.0.2.2:53";

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn question() -> Question {
    Question {
        name: Name::parse("www.example.").unwrap(),
        kind: RecordType::A,
        class: Class::IN,
    }
}

fn exchange(servers: &[&str]) -> Exchange {
    let asking = Asking {
        servers: servers.iter().map(|server| address(server)).collect(),
        ..Asking::default()
    };
    Exchange::new(question(), asking, seconds(30))
}

/// A step that has to send: to whom, over what, and the message.
fn sent(exchange: &mut Exchange, now: u64, id: u16) -> (SocketAddr, Transport, Message) {
    match exchange.poll(seconds(now), id) {
        Step::Send {
            server,
            transport,
            octets,
            ..
        } => (server, transport, Message::decode(&octets).unwrap()),
        other => panic!("expected to send, got {other:?}"),
    }
}

fn waits(exchange: &mut Exchange, now: u64) -> bool {
    matches!(exchange.poll(seconds(now), 0), Step::Wait(_))
}

fn done(exchange: &mut Exchange) -> Result<Reply, Vec<Try>> {
    match exchange.poll(seconds(0), 0) {
        Step::Done(outcome) => outcome,
        other => panic!("expected the end, got {other:?}"),
    }
}

/// A good reply to a query.
fn reply(query: &Message) -> Message {
    let mut reply = Message::new(query.header.reply());
    reply.header.recursion_available = true;
    reply.questions = query.questions.clone();
    let data = Data::A("192.0.2.80".parse().unwrap());
    reply.answers.push(Record::new(question().name, 60, data));
    reply
}

fn octets(message: &Message) -> Vec<u8> {
    message.encode().unwrap()
}

fn with_rcode(query: &Message, rcode: Rcode) -> Message {
    let mut reply = reply(query);
    reply.answers.clear();
    reply.header.rcode = rcode;
    reply
}

#[test]
fn a_query_has_the_given_id_asks_for_recursion_and_offers_edns() {
    let (server, transport, query) = sent(&mut exchange(&[A]), 0, 4711);
    assert_eq!((server, transport), (address(A), Transport::Udp));
    assert_eq!(query.header.id, 4711);
    assert!(query.header.recursion_desired);
    assert_eq!(query.questions, [question()]);
    assert_eq!(query.edns, Some(Edns::default()));
}

#[test]
fn a_reply_that_does_not_match_is_passed_over_and_the_deadline_stays() {
    let mut exchange = exchange(&[A]);
    let (_, _, query) = sent(&mut exchange, 0, 7);
    let good = reply(&query);
    let change = |change: fn(&mut Message)| {
        let mut reply = good.clone();
        change(&mut reply);
        octets(&reply)
    };
    let junk = [
        change(|r| r.header.id = 8),
        change(|r| r.header.response = false),
        change(|r| r.header.opcode = Opcode::STATUS),
        change(|r| r.questions[0].kind = RecordType::AAAA),
        change(|r| r.questions[0].class = Class::CH),
        change(|r| r.questions[0].name = Name::parse("other.example").unwrap()),
        change(|r| r.questions.clear()),
        change(|r| r.questions.push(r.questions[0].clone())),
        Vec::new(),
        vec![0xff; 600],
        octets(&good)[..11].to_vec(),
    ];
    for octets in junk {
        exchange.received(seconds(0), address(A), &octets);
        assert_eq!(
            exchange.poll(seconds(4), 0),
            Step::Wait(seconds(5)),
            "{octets:?}"
        );
    }
    for other in [B, "192.0.2.1:54"] {
        exchange.received(seconds(0), address(other), &octets(&good));
        assert!(waits(&mut exchange, 4), "{other}");
    }
    exchange.received(seconds(0), address(A), &octets(&good));
    assert_eq!(done(&mut exchange).unwrap().message, good);
}

#[test]
fn after_a_hundred_guesses_the_query_goes_to_tcp() {
    let mut exchange = exchange(&[A, B]);
    let (_, _, query) = sent(&mut exchange, 0, 7);
    let mut forged = reply(&query);
    forged.header.id = 8;
    for _ in 1..MAX_STRAYS {
        exchange.received(seconds(0), address(A), &octets(&forged));
        exchange.received(seconds(0), address(B), &octets(&forged));
    }
    assert!(waits(&mut exchange, 0));
    exchange.received(seconds(0), address(A), &octets(&forged));
    let (server, transport, _) = sent(&mut exchange, 0, 9);
    assert_eq!((server, transport), (address(A), Transport::Tcp));
}

#[test]
fn a_reply_may_change_the_case_of_the_question() {
    let mut exchange = exchange(&[A]);
    let (_, _, query) = sent(&mut exchange, 0, 7);
    let mut flipped = reply(&query);
    flipped.questions[0].name = Name::parse("WWW.eXAMPLE.").unwrap();
    exchange.received(seconds(0), address(A), &octets(&flipped));
    assert!(done(&mut exchange).is_ok());
}

#[test]
fn servers_take_turns_for_all_attempts_and_their_failures_are_told() {
    let mut exchange = exchange(&[A, B]);
    for (now, server) in [(0, A), (5, B), (10, A), (15, B)] {
        assert_eq!(sent(&mut exchange, now, 1).0, address(server));
        assert!(waits(&mut exchange, now + 4));
    }
    let Step::Done(Err(tries)) = exchange.poll(seconds(20), 0) else {
        panic!("it goes on");
    };
    assert_eq!(tries.len(), 4);
    assert_eq!(tries[1].to_string(), "udp 192.0.2.2:53: no reply in time");
}

#[test]
fn the_deadline_ends_everything_whatever_is_left_to_try() {
    let asking = Asking {
        servers: vec![address(A)],
        attempts: 100,
        ..Asking::default()
    };
    let mut exchange = Exchange::new(question(), asking, seconds(7));
    sent(&mut exchange, 0, 1);
    sent(&mut exchange, 5, 1);
    assert_eq!(exchange.poll(seconds(6), 0), Step::Wait(seconds(7)));
    assert!(matches!(exchange.poll(seconds(7), 0), Step::Done(Err(tries)) if tries.len() == 2));
}

#[test]
fn a_server_whose_port_is_closed_is_not_tried_for_ever() {
    let asking = Asking {
        servers: vec![address(A)],
        attempts: u32::MAX,
        ..Asking::default()
    };
    let mut exchange = Exchange::new(question(), asking, seconds(30));
    for _ in 0..MAX_ATTEMPTS {
        sent(&mut exchange, 0, 1);
        exchange.unreachable("connection refused");
    }
    assert_eq!(
        done(&mut exchange).unwrap_err().len(),
        MAX_ATTEMPTS as usize
    );
}

#[test]
fn without_a_server_or_an_attempt_it_is_over_at_once() {
    assert_eq!(done(&mut exchange(&[])), Err(Vec::new()));
    let asking = Asking {
        servers: vec![address(A)],
        attempts: 0,
        ..Asking::default()
    };
    let mut none = Exchange::new(question(), asking, seconds(30));
    assert_eq!(done(&mut none), Err(Vec::new()));
}

#[test]
fn a_server_that_will_not_answer_is_asked_once_and_the_next_is_asked() {
    for rcode in [Rcode::SERVFAIL, Rcode::REFUSED, Rcode::NOTAUTH, Rcode(15)] {
        let mut exchange = exchange(&[A, B]);
        let (_, _, query) = sent(&mut exchange, 0, 1);
        exchange.received(seconds(0), address(A), &octets(&with_rcode(&query, rcode)));
        let (server, _, query) = sent(&mut exchange, 0, 2);
        assert_eq!(server, address(B), "{rcode}");
        exchange.received(seconds(0), address(B), &octets(&with_rcode(&query, rcode)));
        let tries = done(&mut exchange).unwrap_err();
        let told: Vec<&Trouble> = tries.iter().map(|one| &one.trouble).collect();
        assert_eq!(told, [&Trouble::Refused(rcode); 2]);
    }
}

#[test]
fn replies_of_no_use_are_kept_with_their_tries_and_each_has_its_own_time() {
    let mut exchange = exchange(&[A, B]);
    let (_, _, query) = sent(&mut exchange, 0, 1);
    let refusal = with_rcode(&query, Rcode::REFUSED);
    exchange.received(seconds(3), address(A), &octets(&refusal));
    let (_, _, query) = sent(&mut exchange, 3, 2);
    exchange.received(seconds(5), address(B), &octets(&reply(&query)));
    assert_eq!(done(&mut exchange).unwrap().took, seconds(2));
    let tries = exchange.take_tries();
    let kept = tries[0].reply.as_ref().unwrap();
    assert_eq!((tries.len(), kept.took), (1, seconds(3)));
    assert_eq!((&kept.message, kept.server), (&refusal, address(A)));
}

#[test]
fn an_error_without_a_question_is_an_answer_and_a_success_without_one_is_not() {
    let mut exchange = exchange(&[A, B]);
    let (_, _, query) = sent(&mut exchange, 0, 1);
    let mut bare = with_rcode(&query, Rcode::NXDOMAIN);
    bare.questions.clear();
    exchange.received(seconds(0), address(A), &octets(&bare));
    assert!(waits(&mut exchange, 0));
    bare.header.rcode = Rcode::SERVFAIL;
    exchange.received(seconds(0), address(A), &octets(&bare));
    assert_eq!(sent(&mut exchange, 0, 2).0, address(B));
}

#[test]
fn a_lame_server_is_left_for_the_next_and_a_referral_is_used_when_it_is_wanted() {
    let mut exchange = exchange(&[A, B]);
    let (_, _, query) = sent(&mut exchange, 0, 1);
    let mut lame = with_rcode(&query, Rcode::NOERROR);
    lame.header.recursion_available = false;
    exchange.received(seconds(0), address(A), &octets(&lame));
    assert_eq!(sent(&mut exchange, 0, 2).0, address(B));

    let asking = Asking {
        servers: vec![address(A)],
        recursion: false,
        ..Asking::default()
    };
    let mut walking = Exchange::new(question(), asking, seconds(30));
    let (_, _, query) = sent(&mut walking, 0, 1);
    assert!(!query.header.recursion_desired);
    lame.header.recursion_desired = false;
    walking.received(seconds(0), address(A), &octets(&lame));
    assert!(done(&mut walking).is_ok());
}

#[test]
fn a_referral_is_told_from_a_lame_server_by_its_direction() {
    for (zone, told) in [
        ("example", "udp 192.0.2.1:53: refers to ns1.example., ns2."),
        // Upwards or elsewhere, not towards the question.
        (".", "udp 192.0.2.1:53: neither an answer nor recursion"),
        ("test", "udp 192.0.2.1:53: neither an answer nor recursion"),
    ] {
        let mut exchange = exchange(&[A]);
        let (_, _, query) = sent(&mut exchange, 0, 1);
        let mut referral = with_rcode(&query, Rcode::NOERROR);
        referral.header.recursion_available = false;
        for server in ["ns1.example", "ns2"] {
            let data = Data::Ns(Name::parse(server).unwrap());
            let owner = Name::parse(zone).unwrap();
            referral.authorities.push(Record::new(owner, 60, data));
        }
        exchange.received(seconds(0), address(A), &octets(&referral));
        let tries = done(&mut exchange).unwrap_err();
        assert_eq!(tries.len(), 1);
        assert_eq!(tries[0].to_string(), told);
    }
}

#[test]
fn an_old_server_is_asked_once_more_without_edns() {
    for rcode in [Rcode::FORMERR, Rcode::NOTIMP] {
        let mut exchange = exchange(&[A]);
        let (_, _, query) = sent(&mut exchange, 0, 1);
        let mut refusal = with_rcode(&query, rcode);
        refusal.questions.clear();
        exchange.received(seconds(0), address(A), &octets(&refusal));
        let (server, _, query) = sent(&mut exchange, 0, 2);
        assert_eq!((server, &query.edns), (address(A), &None), "{rcode}");
        exchange.received(seconds(0), address(A), &octets(&with_rcode(&query, rcode)));
        let tries = done(&mut exchange).unwrap_err();
        let told: Vec<&Trouble> = tries.iter().map(|one| &one.trouble).collect();
        assert_eq!(
            told,
            [&Trouble::RefusedEdns(rcode), &Trouble::Refused(rcode)]
        );
    }
}

#[test]
fn a_cut_reply_is_not_used_but_asked_for_again_over_tcp() {
    let mut exchange = exchange(&[A, B]);
    let (_, _, query) = sent(&mut exchange, 0, 1);
    let mut cut = reply(&query);
    cut.header.truncated = true;
    exchange.received(seconds(0), address(A), &octets(&cut));
    let (server, transport, query) = sent(&mut exchange, 0, 2);
    assert_eq!((server, transport), (address(A), Transport::Tcp));
    // There is no other transport after TCP: the records that came are used.
    let mut cut = reply(&query);
    cut.header.truncated = true;
    exchange.received(seconds(0), address(A), &octets(&cut));
    assert_eq!(done(&mut exchange).unwrap().transport, Transport::Tcp);
}

#[test]
fn a_reply_that_is_cut_over_tcp_before_the_first_record_is_no_nodata() {
    let asking = Asking {
        servers: vec![address(A)],
        use_tcp: true,
        ..Asking::default()
    };
    let mut exchange = Exchange::new(question(), asking, seconds(30));
    let (_, _, query) = sent(&mut exchange, 0, 1);
    let mut cut = with_rcode(&query, Rcode::NOERROR);
    cut.header.truncated = true;
    exchange.received(seconds(0), address(A), &octets(&cut));
    sent(&mut exchange, 0, 2);
    exchange.unreachable("connection refused");
    let tries = done(&mut exchange).unwrap_err();
    assert_eq!(tries[0].trouble, Trouble::Cut);
}

#[test]
fn tc_with_garbage_behind_the_question_goes_to_tcp_and_when_that_fails_to_the_next_server() {
    let mut exchange = exchange(&[A, B]);
    let (_, _, query) = sent(&mut exchange, 0, 1);
    let mut cut = reply(&query);
    cut.header.truncated = true;
    let mut garbage = octets(&cut);
    garbage.truncate(garbage.len() - 3);
    exchange.received(seconds(0), address(A), &garbage);
    assert_eq!(sent(&mut exchange, 0, 2).1, Transport::Tcp);
    exchange.unreachable("connection refused");
    let (server, transport, _) = sent(&mut exchange, 0, 3);
    assert_eq!((server, transport), (address(B), Transport::Udp));
}

#[test]
fn a_broken_body_behind_the_right_question_sends_us_to_the_next_server() {
    let mut exchange = exchange(&[A, B]);
    let (_, _, query) = sent(&mut exchange, 0, 1);
    let mut broken = octets(&reply(&query));
    broken.truncate(broken.len() - 1);
    exchange.received(seconds(0), address(A), &broken);
    let (server, _, query) = sent(&mut exchange, 0, 2);
    assert_eq!(server, address(B));
    exchange.received(seconds(0), address(B), &octets(&reply(&query)));
    assert!(done(&mut exchange).is_ok());
}

#[test]
fn an_extended_rcode_is_read_whole() {
    let mut exchange = exchange(&[A]);
    let (_, _, query) = sent(&mut exchange, 0, 1);
    let mut bad = with_rcode(&query, Rcode::BADVERS);
    bad.edns = Some(Edns::default());
    exchange.received(seconds(0), address(A), &octets(&bad));
    let tries = done(&mut exchange).unwrap_err();
    assert_eq!(tries[0].trouble, Trouble::Refused(Rcode::BADVERS));
}

#[test]
fn octets_behind_the_message_do_no_harm() {
    let mut exchange = exchange(&[A]);
    let (_, _, query) = sent(&mut exchange, 0, 1);
    let mut long = octets(&reply(&query));
    long.extend([0xff; 9]);
    exchange.received(seconds(0), address(A), &long);
    assert!(done(&mut exchange).is_ok());
}

#[test]
fn what_comes_when_nothing_is_awaited_changes_nothing() {
    let mut exchange = exchange(&[A]);
    exchange.received(seconds(0), address(A), &[0; 12]);
    exchange.unreachable("nobody was asked");
    let (_, _, query) = sent(&mut exchange, 0, 1);
    exchange.received(seconds(0), address(A), &octets(&reply(&query)));
    exchange.received(
        seconds(0),
        address(A),
        &octets(&with_rcode(&query, Rcode::SERVFAIL)),
    );
    assert!(done(&mut exchange).is_ok());
}
