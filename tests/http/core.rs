//! The cases against the parsers alone: whole, byte by byte, and cut anywhere.

use std::collections::BTreeSet;

use groundwire::http::Rule;

use crate::cases::{Case, Outcome, Verb, requests, responses};
use crate::feed::{Feed, Found};

/// Up to this length a case is cut at each byte.
const SHORT: usize = 1000;

fn feed(case: &Case, is_request: bool, parts: &[&[u8]]) -> Feed {
    let mut feed = match is_request {
        true => Feed::requests(),
        false => Feed::responses(&case.asked),
    };
    parts.iter().for_each(|part| feed.push(part));
    if case.closes {
        feed.end();
    }
    feed
}

/// Where a case is cut: everywhere, but inside a long one only here and there.
fn cuts(length: usize) -> impl Iterator<Item = usize> {
    let is_edge = move |at: usize| length < SHORT || at < 60 || at + 60 > length;
    (1..length).filter(move |&at| is_edge(at) || at % 499 == 0)
}

/// The case's bytes at once; and where the bytes were cut when something else was found then.
fn read(case: &Case, is_request: bool) -> (Feed, Option<String>) {
    let bytes = &case.bytes[..];
    let whole = feed(case, is_request, &[bytes]);
    let differs = |other: &Feed| other.found != whole.found || other.left() != whole.left();
    let ends: Vec<usize> = cuts(bytes.len()).chain([bytes.len()]).collect();
    for &at in &ends {
        let cut = feed(case, is_request, &[&bytes[..at], &bytes[at..]]);
        if differs(&cut) {
            let fault = format!("cut at {at}: {:?}, and whole: {:?}", cut.found, whole.found);
            return (whole, Some(fault));
        }
    }
    let begins = [0].into_iter().chain(ends.iter().copied());
    let parts: Vec<&[u8]> = begins
        .zip(&ends)
        .map(|(from, &to)| &bytes[from..to])
        .collect();
    let dripped = feed(case, is_request, &parts);
    let fault = differs(&dripped).then(|| format!("byte by byte: {:?}", dripped.found));
    (whole, fault)
}

/// What is wrong with what was found, in words.
fn fault(case: &Case, feed: &Feed) -> Option<String> {
    let mut found = feed.found.iter();
    for outcome in &case.outcomes {
        if outcome.by_proxy || matches!(outcome.verb, Verb::Answered(_)) {
            // The parsers find a message, or the begin of one.
            match found.next() {
                Some(Found::Message(_)) | None => continue,
                other => return Some(format!("{other:?} for {:?}", outcome.verb)),
            }
        }
        let fits = match (&outcome.verb, found.next()) {
            (Verb::Refused(status), Some(Found::Refused(rule))) => rule.status() == *status,
            (Verb::Cut(status), Some(Found::Cut(rule))) => rule.status() == *status,
            (Verb::Told(502), Some(Found::Refused(_))) => true,
            (Verb::Told(502 | 504), None) => true,
            (Verb::Broken, Some(Found::Cut(_)) | None) => true,
            (Verb::Interim(status), Some(Found::Message(message))) => message.status == *status,
            (Verb::Passed(status), Some(Found::Message(message))) => {
                message.status == *status && fits(outcome, message)
            }
            (Verb::Forwarded(method, target), Some(Found::Message(message))) => {
                let (m, t) = (&message.start.0, message.start.1.as_bytes());
                (m, t) == (method, target) && fits(outcome, message)
            }
            (Verb::Ended, None) => true,
            (Verb::Closed, Some(Found::Closed)) => true,
            // After the last response the parsers stop; the rest is not theirs.
            (Verb::Dropped, Some(Found::Closed)) => feed.left() > 0 || case.closes,
            (_, other) => return Some(format!("{other:?} for {:?}", outcome.verb)),
        };
        if !fits {
            return Some(format!("{:?} for {outcome:?}", feed.found));
        }
    }
    let goes_on = |found: &Found| matches!(found, Found::Message(_));
    match found.find(|found| goes_on(found)) {
        Some(_) if !case.outcomes.iter().any(|outcome| outcome.by_proxy) => {
            Some("one message more".into())
        }
        _ => None,
    }
}

/// Content and trailers only: the fields are the proxy's, which takes some out and adds others.
fn fits(outcome: &Outcome, message: &crate::feed::Message) -> bool {
    message.body == outcome.body && {
        let has = |field: &(String, Vec<u8>)| message.trailers.contains(field);
        outcome.trailers.iter().all(has)
    }
}

fn assert_all(cases: &[Case], is_request: bool) {
    let mut faults = Vec::new();
    for case in cases {
        let (feed, in_a_cut) = read(case, is_request);
        for fault in in_a_cut.into_iter().chain(fault(case, &feed)) {
            let fault: String = fault.chars().take(300).collect();
            faults.push(format!("{} {}: {fault}", case.place, case.name));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_request_is_read_or_refused_as_its_case_says_in_every_cut() {
    let cases = requests();
    assert!(cases.len() >= 220, "{} cases", cases.len());
    assert_all(&cases, true);
}

#[test]
fn every_response_is_read_or_refused_as_its_case_says_in_every_cut() {
    let cases = responses();
    assert!(cases.len() >= 70, "{} cases", cases.len());
    assert_all(&cases, false);
}

#[test]
fn every_rule_is_broken_by_a_case_and_every_case_has_a_name_of_its_own() {
    let mut broken = BTreeSet::new();
    for (cases, is_request) in [(requests(), true), (responses(), false)] {
        let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names.len(), cases.len(), "a name stands twice");
        for case in &cases {
            let found = feed(case, is_request, &[&case.bytes]).found;
            broken.extend(found.iter().filter_map(|found| match found {
                Found::Refused(rule) | Found::Cut(rule) => Some(format!("{rule:?}")),
                _ => None,
            }));
        }
    }
    for rule in Rule::ALL {
        assert!(
            broken.contains(&format!("{rule:?}")),
            "no case breaks {rule:?}"
        );
    }
}
