//! Exactly once, expiry by the log, equal bytes; and a model over random retries.

use super::*;
use crate::raft::Dice;

/// Appends each command to a text, and replies with all of it.
#[derive(Debug, Default, PartialEq)]
struct Diary(String);

impl StateMachine for Diary {
    fn apply(&mut self, _: Index, command: &[u8]) -> Vec<u8> {
        self.0 += std::str::from_utf8(command).unwrap();
        self.0.clone().into_bytes()
    }

    fn snapshot(&self) -> Vec<u8> {
        self.0.clone().into_bytes()
    }

    fn restore(&mut self, data: &[u8]) -> Result<(), BadSnapshot> {
        self.0 = String::from_utf8(data.to_vec()).map_err(|e| BadSnapshot(e.to_string()))?;
        Ok(())
    }
}

fn diary(sessions: usize, reply_bytes: usize) -> Sessions<Diary> {
    let limits = Limits {
        sessions,
        window: 4,
        reply_bytes,
    };
    Sessions::new(Diary::default(), limits)
}

fn command(client: ClientId, sequence: u64, awaits_from: u64, command: &str) -> Request<'_> {
    Request::Command {
        client,
        sequence,
        awaits_from,
        command: command.as_bytes(),
    }
}

fn reply(text: &str) -> Answer {
    Answer::Reply(text.into())
}

#[test]
fn a_retry_gets_the_old_reply_and_changes_nothing() {
    let mut diary = diary(9, 999);
    assert_eq!(diary.answer(5, Request::Register), Answer::Registered(5));
    assert_eq!(diary.answer(6, command(5, 1, 1, "a")), reply("a"));
    assert_eq!(diary.answer(7, command(5, 2, 1, "b")), reply("ab"));
    assert_eq!(diary.answer(8, command(5, 1, 1, "a")), reply("a"));
    assert_eq!(diary.machine(), &Diary("ab".into()));
}

#[test]
fn commands_of_one_client_may_come_in_any_order() {
    let mut diary = diary(9, 999);
    diary.answer(5, Request::Register);
    assert_eq!(diary.answer(6, command(5, 3, 1, "c")), reply("c"));
    assert_eq!(diary.answer(7, command(5, 1, 1, "a")), reply("ca"));
    assert_eq!(diary.answer(8, command(5, 3, 1, "c")), reply("c"));
}

#[test]
fn what_is_no_longer_awaited_is_neither_remembered_nor_done_again() {
    let mut diary = diary(9, 999);
    diary.answer(5, Request::Register);
    diary.answer(6, command(5, 1, 1, "a"));
    diary.answer(7, command(5, 2, 2, "b"));
    let late = command(5, 1, 1, "a");
    assert_eq!(diary.answer(8, late), Answer::Forgotten);
    assert_eq!(diary.answer(9, command(5, 0, 0, "z")), Answer::Forgotten);
    assert_eq!(diary.reply_bytes, 2, "of #2");
}

#[test]
fn a_number_too_far_ahead_is_refused_so_that_replies_have_a_bound() {
    let mut diary = diary(9, 999);
    diary.answer(5, Request::Register);
    assert_eq!(diary.answer(6, command(5, 4, 1, "a")), reply("a"));
    let ahead = command(5, 5, 1, "b");
    assert_eq!(diary.answer(7, ahead), Answer::TooFarAhead);
    let far = command(5, u64::MAX, 1, "b");
    assert_eq!(diary.answer(8, far), Answer::TooFarAhead);
    assert_eq!(diary.answer(9, command(5, 5, 2, "b")), reply("ab"));
}

#[test]
fn the_session_whose_last_command_is_oldest_expires_first() {
    let mut diary = diary(2, 999);
    diary.answer(1, Request::Register);
    diary.answer(2, Request::Register);
    diary.answer(3, command(1, 1, 1, "a"));
    diary.answer(4, Request::Register);
    assert_eq!(diary.answer(5, command(2, 1, 1, "b")), Answer::NoSession);
    assert_eq!(diary.answer(6, command(1, 2, 1, "c")), reply("ac"));
    assert_eq!(diary.sessions.len(), 2);
}

#[test]
fn remembered_replies_have_a_limit_in_bytes_for_all_sessions_together() {
    let mut diary = diary(9, 3);
    diary.answer(1, Request::Register);
    diary.answer(2, Request::Register);
    diary.answer(3, command(1, 1, 1, "aa"));
    assert_eq!(diary.answer(4, command(2, 1, 1, "b")), reply("aab"));
    assert_eq!(diary.answer(5, command(1, 2, 1, "c")), Answer::NoSession);
    // The last one stays, whatever it holds: its window bounds it.
    assert_eq!(diary.answer(6, command(2, 2, 1, "c")), reply("aabc"));
}

#[test]
fn a_session_that_ended_and_one_that_never_was_are_none() {
    let mut diary = diary(9, 999);
    diary.answer(1, Request::Register);
    let ended = diary.answer(2, Request::End { client: 1 });
    assert_eq!(ended, Answer::Ended);
    for client in [1, 7] {
        let none = diary.answer(3, command(client, 1, 1, "a"));
        assert_eq!(none, Answer::NoSession);
    }
    assert_eq!(diary.machine(), &Diary::default());
}

#[test]
fn bytes_that_are_no_request_are_answered_as_such() {
    let mut diary = diary(9, 999);
    let answer = diary.apply(1, b"?");
    assert_eq!(wire::decode::<Answer>(&answer).unwrap(), Answer::Malformed);
    let request = wire::encode(&Request::Register).unwrap();
    let answer = diary.apply(2, &request);
    let registered = wire::decode::<Answer>(&answer).unwrap();
    assert_eq!(registered, Answer::Registered(2));
}

#[test]
fn a_snapshot_carries_the_sessions_and_goes_on_as_the_original() {
    let mut one = diary(2, 999);
    one.answer(1, Request::Register);
    one.answer(2, Request::Register);
    one.answer(3, command(1, 1, 1, "a"));
    let mut other = diary(2, 999);
    other.restore(&one.snapshot()).unwrap();
    assert_eq!(other.snapshot(), one.snapshot());
    for sessions in [&mut one, &mut other] {
        assert_eq!(sessions.answer(4, command(1, 1, 1, "a")), reply("a"));
        sessions.answer(5, Request::Register);
        let expired = sessions.answer(6, command(2, 1, 1, "b"));
        assert_eq!(expired, Answer::NoSession);
    }
    assert_eq!(other.snapshot(), one.snapshot());
}

#[test]
fn a_cut_snapshot_is_refused_and_changes_nothing() {
    let mut one = diary(9, 999);
    one.answer(1, Request::Register);
    one.answer(2, command(1, 1, 1, "a"));
    let whole = one.snapshot();
    for len in 0..whole.len() {
        let mut other = diary(9, 999);
        assert!(other.restore(&whole[..len]).is_err(), "{len} bytes");
        assert_eq!(other.sessions.len(), 0);
    }
}

#[test]
fn a_client_numbers_its_commands_and_keeps_within_the_window() {
    let mut client = ClientSession::new(7);
    assert_eq!([client.begin(2), client.begin(2)], [Some(1), Some(2)]);
    assert_eq!(client.begin(2), None, "1 is awaited");
    client.end(2);
    assert_eq!(client.begin(2), None, "1 still is");
    assert_eq!(client.request(1, b"a"), command(7, 1, 1, "a"));
    client.end(1);
    assert_eq!(client.begin(2), Some(3));
    assert_eq!(client.request(3, b"b"), command(7, 3, 3, "b"));
}

/// Clients that send each command one to three times, the copies delayed by any number of
/// others: each takes effect once, and all its copies that are still awaited get one reply.
#[test]
fn whatever_is_repeated_and_reordered_each_command_is_done_once() {
    for seed in 0..200 {
        let mut dice = Dice::new(seed);
        let mut sessions = diary(9, 99_999);
        sessions.answer(1, Request::Register);
        let mut client = ClientSession::new(1);
        let mut copies: Vec<(u64, u64, String)> = Vec::new();
        let mut first_replies: BTreeMap<u64, Answer> = BTreeMap::new();
        for index in 2..300 {
            if let Some(sequence) = client.begin(4) {
                let Request::Command { awaits_from, .. } = client.request(sequence, b"") else {
                    panic!("a command");
                };
                for _ in 0..=dice.below(3) {
                    copies.push((sequence, awaits_from, format!("<{sequence}>")));
                }
            }
            if copies.is_empty() {
                continue;
            }
            let copy = copies.swap_remove(dice.below(copies.len() as u64) as usize);
            let answer = sessions.answer(index, command(1, copy.0, copy.1, &copy.2));
            if answer != Answer::Forgotten {
                let first = first_replies.entry(copy.0).or_insert(answer.clone());
                assert_eq!(*first, answer, "seed {seed}");
                client.end(copy.0);
            }
        }
        for sequence in first_replies.keys() {
            let mark = format!("<{sequence}>");
            let times = sessions.machine().0.matches(&mark).count();
            assert_eq!(times, 1, "seed {seed}: command {sequence}");
        }
    }
}

#[test]
fn the_bytes_of_replies_are_counted_across_a_snapshot_and_the_end_of_a_session() {
    let mut diary = diary(9, 999);
    for index in [1, 2] {
        diary.answer(index, Request::Register);
    }
    diary.answer(3, command(1, 1, 1, "a"));
    diary.answer(4, command(2, 1, 1, "b"));
    let mut restored = super::tests::diary(9, 999);
    restored.restore(&diary.snapshot()).unwrap();
    for mut diary in [diary, restored] {
        assert_eq!(diary.reply_bytes, 3);
        diary.answer(5, Request::End { client: 1 });
        assert_eq!(diary.reply_bytes, 2);
    }
}

#[test]
fn a_reply_beyond_the_limit_does_not_end_its_own_session() {
    let mut diary = diary(9, 1);
    diary.answer(1, Request::Register);
    assert_eq!(diary.answer(2, command(1, 1, 1, "abc")), reply("abc"));
    assert_eq!(diary.answer(3, command(1, 1, 1, "abc")), reply("abc"));
}
