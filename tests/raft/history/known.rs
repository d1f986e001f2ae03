//! Histories that a person can judge: each says in its test's name what a store did.

use groundwire::raft::history::{self, Explanation, Kind, Outcome, Verdict};

use super::operations;

#[track_caller]
fn legal(text: &str) {
    let verdict = history::check(&operations(text));
    assert!(verdict.is_linearizable(), "{verdict}");
}

#[track_caller]
fn illegal(text: &str) -> Explanation {
    match history::check(&operations(text)) {
        Verdict::NotLinearizable(explanation) => *explanation,
        other => panic!("{other}"),
    }
}

#[test]
fn an_empty_history_and_a_key_without_a_value_are_linearizable() {
    legal("");
    legal("1 0-1 get none");
    illegal("1 0-1 get a");
}

#[test]
fn overlapping_operations_may_take_effect_in_either_order() {
    legal("1 0-10 put a\n 2 0-10 put b\n 1 20-30 get a\n 2 20-30 get a");
    legal("1 0-10 put a\n 2 0-10 put b\n 1 20-30 get b\n 2 20-30 get b");
    // A get that overlaps the put sees it or does not,
    legal("1 0-10 put a\n 1 20-50 put b\n 2 25-30 get a\n 2 31-40 get b");
    // but all must see the same order.
    illegal("1 0-10 put a\n 2 0-10 put b\n 1 20-30 get a\n 2 40-50 get b");
    illegal("1 0-50 put a\n 2 0-5 get a\n 3 10-15 get none");
}

#[test]
fn a_get_may_not_be_stale() {
    let explanation = illegal("1 0-10 put a\n 2 20-30 put b\n 3 40-50 get a");
    assert_eq!(explanation.operations.len(), 3);
    assert_eq!((explanation.misfit, explanation.until), (2, 50));
    assert_eq!(explanation.order, [0, 1]);
}

#[test]
fn an_operation_that_ends_when_another_begins_overlaps_it() {
    legal("1 0-10 put a\n 2 10-20 get none");
    illegal("1 0-10 put a\n 2 11-20 get none");
}

/// Each process for itself, and all in one order: sequentially consistent, but not in real time.
#[test]
fn an_order_that_is_not_the_order_of_real_time_does_not_count() {
    illegal("1 0-10 put a\n 2 20-30 get none\n 2 40-50 get a");
}

#[test]
fn an_acknowledged_write_may_not_be_lost() {
    illegal("1 0-10 put a\n 1 20-30 get a\n 2 40-50 get none");
    illegal("1 0-10 put a\n 1 20-30 delete\n 2 40-50 get a");
    legal("1 0-10 put a\n 1 20-30 delete\n 2 40-50 get none");
}

#[test]
fn a_value_that_nobody_wrote_may_not_be_read() {
    let explanation = illegal("1 0-10 put a\n 2 0-10 get b\n 2 20-30 get a");
    assert_eq!(explanation.operations.len(), 1);
    assert_eq!(explanation.operations[0].kind, Kind::Get);
}

#[test]
fn a_compare_and_swap_may_not_be_applied_twice() {
    illegal(
        "1 0-10 put a
         1 20-30 cas a b ok
         2 40-50 put a
         3 60-70 get b",
    );
    illegal("1 0-10 put a\n 1 20-60 cas a b ok\n 2 20-60 cas a c ok");
    legal("1 0-10 put a\n 1 20-60 cas a b ok\n 2 20-60 cas b c ok\n 3 70-80 get c");
}

#[test]
fn a_compare_and_swap_fails_if_and_only_if_the_value_differs() {
    legal("1 0-10 cas a b mismatch\n 1 20-30 cas none a ok\n 1 40-50 cas none b mismatch");
    illegal("1 0-10 put a\n 1 20-30 cas a b mismatch");
    legal("1 0-10 put a\n 1 20-30 cas a b mismatch\n 2 5-25 put b\n 2 30-40 put a");
    illegal("1 0-10 put a\n 1 20-30 cas b c ok");
    legal("1 0-10 put a\n 1 20-30 cas a a ok\n 1 40-50 cas b b mismatch");
}

#[test]
fn an_unknown_write_may_appear_late_or_never() {
    legal("1 0-? put a\n 2 10-20 get none\n 2 30-40 get none");
    legal("1 0-? put a\n 2 10-20 get none\n 2 1000-2000 get a");
    legal("1 0-? delete\n 2 10-20 put a\n 2 30-40 get a\n 2 50-60 get none");
    legal("1 5-? cas a b\n 2 10-20 put a\n 2 30-40 get a\n 2 50-60 get b");
}

#[test]
fn an_unknown_write_that_appeared_may_not_vanish() {
    let explanation = illegal("1 0-? put a\n 2 10-20 get a\n 2 30-40 get none");
    assert_eq!(explanation.operations.len(), 3);
    illegal("1 0-? put a\n 2 10-20 put b\n 2 30-40 get a\n 2 50-60 get b");
    illegal("1 30-? put a\n 2 10-20 get a");
}

#[test]
fn an_unknown_write_may_be_the_reason_that_a_compare_and_swap_failed() {
    illegal("1 0-10 put a\n 3 20-30 cas a b mismatch\n 3 40-50 get c\n 2 60-? put c");
    legal("1 0-10 put a\n 2 15-? put c\n 3 20-30 cas a b mismatch");
    legal("1 0-10 put a\n 2 15-? put c\n 3 20-30 cas a b mismatch\n 3 40-50 put a\n 3 60-70 get a");
    illegal("1 0-10 put a\n 2 15-? put c\n 3 20-30 cas a b mismatch\n 3 40-50 get a");
}

#[test]
fn a_failed_operation_has_not_happened() {
    let mut history = operations("1 0-10 put a\n 2 20-30 get a");
    history[0].outcome = Outcome::Failed;
    assert!(!history::check(&history).is_linearizable());
}

#[test]
fn an_outcome_that_does_not_suit_its_operation_fits_nowhere() {
    let mut history = operations("1 0-10 put a\n 2 20-30 get a");
    history[1].outcome = Outcome::Done;
    assert!(!history::check(&history).is_linearizable());
}

#[test]
fn keys_are_judged_one_by_one_and_the_first_wrong_one_is_named() {
    let mut history = operations("1 0-10 put a\n 1 20-30 get a\n 2 40-50 get a\n 3 40-50 get b");
    history[2].key = b"y".to_vec();
    history[3].key = b"w".to_vec();
    let Verdict::NotLinearizable(explanation) = history::check(&history) else {
        panic!("it is not");
    };
    assert_eq!(explanation.key, b"w");
    history.truncate(2);
    let words = history::check(&history).to_string();
    assert_eq!(words, "linearizable: 2 operations, 1 key, 1 process");
}

#[test]
fn a_limit_ends_the_search_undecided() {
    let history = operations("1 0-10 put a\n 2 0-10 put b\n 3 20-30 get a");
    let verdict = history::check_within(&history, 1);
    assert_eq!(
        verdict.to_string(),
        "undecided: key \"x\": no order found in 1 steps"
    );
    assert!(history::check_within(&history, 2).is_linearizable());
}

#[test]
fn the_picture_shows_the_few_operations_that_explain_it() {
    let explanation = illegal(
        "1 0-9 put z
         2 0-9 get z
         1 10-20 put a
         2 11-17 get a
         3 25-35 put b
         4 30-70 put c
         3 50-60 get a
         4 80-90 get z",
    );
    let picture = r#"key "x": no order of these 3 operations is legal:
  process 1    put "a"     |-----|
  process 3    put "b"                 |-----|
  process 3    get -> "a"                          |-----|  <- fits nowhere
  from 10 us to 60 us; the order of starts and ends is drawn, not their distance
  legal before it: put "a" (process 1); put "b" (process 3)"#;
    let shown: Vec<String> = explanation
        .to_string()
        .lines()
        .map(|l| l.trim_end().into())
        .collect();
    assert_eq!(shown.join("\n"), picture);
}

#[test]
fn of_writes_that_nobody_saw_one_is_as_good_as_another() {
    // Each swap fails since a lost put came before it. Which of them did makes no difference; tried
    // in every order they would take years.
    let mut history = operations("");
    for at in 0..200 {
        history.extend(operations(&format!("{at} 0-? put lost{at}")));
    }
    for at in 1..=20 {
        let (put, swap) = (10 * at, 10 * at + 5);
        let text = format!("1 {put}-{put} put {at}\n1 {swap}-{swap} cas {at} x no");
        history.extend(operations(&text));
    }
    let limit = 1000;
    assert!(history::check_within(&history, limit).is_linearizable());
    history.extend(operations("1 999-999 get 20"));
    let verdict = history::check_within(&history, limit);
    assert!(
        verdict.to_string().starts_with("not linearizable"),
        "{verdict}"
    );
}
