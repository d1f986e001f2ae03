//! Mutated messages: each is refused, or it is a value that is written with the same bytes; and
//! neither takes more memory than the message is allowed.
//!
//! `GROUNDWIRE_FUZZ` is how many messages are tried (200,000 without it; `make fuzz` sets it to
//! ten million). What a run ever finds goes into `corpus.txt`, one line a message, which is tried
//! first: `NAME hex`, where NAME is a row of [`TYPES`].

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;
use std::panic::catch_unwind;
use std::time::{Duration, SystemTime};

use groundwire::sys::counting;
use groundwire::wire::{Decode, Encode, Limits, decode, encode};

use crate::generate::Seeded;
use crate::types::*;

type All = (
    (bool, char, u8, i16, f32, u128, usize),
    (String, Vec<u8>, Option<String>, Result<u8, String>),
    (
        BTreeMap<String, u16>,
        HashMap<u8, String>,
        BTreeSet<String>,
        HashSet<i16>,
    ),
    (Duration, SystemTime, SocketAddr, std::net::IpAddr),
    (
        Vec<Vec<u16>>,
        Vec<Option<Box<u64>>>,
        [u16; 3],
        [String; 2],
        std::path::PathBuf,
    ),
);

fn all() -> All {
    let text = |text: &str| text.to_string();
    (
        (true, 'é', 7, -2, 1.5, 1 << 100, 9),
        (
            text("text"),
            vec![1, 2, 3],
            Some(text("x")),
            Err(text("no")),
        ),
        (
            [(text("a"), 1), (text("b"), 2)].into(),
            [(1, text("p")), (2, text("q"))].into(),
            [text("m"), text("n")].into(),
            [-1, 5].into(),
        ),
        (
            Duration::new(3, 4),
            SystemTime::UNIX_EPOCH,
            "[::1]:80".parse().unwrap(),
            "192.0.2.1".parse().unwrap(),
        ),
        (
            vec![vec![1, 2], vec![]],
            vec![None, Some(Box::new(1))],
            [1, 2, 3],
            [text("v"), text("w")],
            "/tmp".into(),
        ),
    )
}

/// What is tried: a name, a message to begin with, and the check of a message.
struct Type {
    name: &'static str,
    message: Vec<u8>,
    check: Check,
}

/// Whether a message was taken; panics if it was taken wrongly.
type Check = fn(&[u8]) -> bool;

fn types() -> Vec<Type> {
    let tree = Tree::Node {
        value: 7_u32,
        left: Box::new(Tree::Leaf),
        right: Box::new(Tree::Node {
            value: 8,
            left: Box::new(Tree::Leaf),
            right: Box::new(Tree::Leaf),
        }),
    };
    let shapes = Shape::Group(vec![
        Shape::Line(1.0, 2.0, "l".into()),
        Shape::Named {
            name: "n".into(),
            corners: vec![(1, 2), (3, 4)],
        },
        Shape::Nested(Box::new(Shape::Empty)),
    ]);
    let users = vec![
        NewUser {
            name: "a".into(),
            mail: Some("m".into()),
            age: None,
        },
        NewUser {
            name: "b".into(),
            mail: None,
            age: Some(1),
        },
    ];
    let events = vec![
        NewEvent::Logout {
            seconds: 1,
            why: "w".into(),
        },
        NewEvent::Quit,
    ];
    let log = vec![(1_u8, "a".to_string(), 2_u64); 5];
    let rows = |name, message, check: Check| Type {
        name,
        message,
        check,
    };
    vec![
        rows("record", encode(&record()).unwrap(), canonical::<Record>),
        rows("all", encode(&all()).unwrap(), canonical::<All>),
        rows("tree", encode(&tree).unwrap(), canonical::<Tree<u32>>),
        rows("shapes", encode(&shapes).unwrap(), canonical::<Shape>),
        rows("users", encode(&users).unwrap(), bounded::<Vec<NewUser>>),
        rows(
            "old users",
            encode(&users).unwrap(),
            bounded::<Vec<OldUser>>,
        ),
        rows(
            "events",
            encode(&events).unwrap(),
            canonical::<Vec<NewEvent>>,
        ),
        rows(
            "old events",
            encode(&events).unwrap(),
            canonical::<Vec<OldEvent>>,
        ),
        rows(
            "rows",
            encode(&log).unwrap(),
            canonical::<Vec<(u8, String, u64)>>,
        ),
        rows(
            "view",
            encode(&View {
                name: "n",
                raw: b"r",
            })
            .unwrap(),
            canonical_view,
        ),
    ]
}

/// A message that is taken is the one encoding of its value.
fn canonical<T: Encode + for<'a> Decode<'a>>(message: &[u8]) -> bool {
    let value = bounded_value::<T>(message);
    if let Some(value) = &value {
        assert_eq!(encode(value).unwrap(), message, "written otherwise");
    }
    value.is_some()
}

/// As [`canonical`], for a type that skips what it does not know: once written, it stays.
fn bounded<T: Encode + for<'a> Decode<'a>>(message: &[u8]) -> bool {
    let value = bounded_value::<T>(message);
    if let Some(value) = &value {
        let again = encode(value).unwrap();
        assert_eq!(encode(&decode::<T>(&again).unwrap()).unwrap(), again);
    }
    value.is_some()
}

fn canonical_view(message: &[u8]) -> bool {
    let (view, held) = counting::peak(|| decode::<View>(message));
    assert_eq!(held, 0, "a borrowed value allocates nothing");
    if let Ok(view) = &view {
        assert_eq!(encode(view).unwrap(), message);
    }
    view.is_ok()
}

fn bounded_value<T: for<'a> Decode<'a>>(message: &[u8]) -> Option<T> {
    let (value, held) = counting::peak(|| decode::<T>(message));
    let allowed = message.len() * (Limits::default().memory_factor + 1) + (64 << 10);
    assert!(held <= allowed, "{held} bytes held, {allowed} allowed");
    value.ok()
}

fn hex(message: &[u8]) -> String {
    message.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn try_message(of: &Type, message: &[u8]) -> bool {
    let check = of.check;
    match catch_unwind(|| check(message)) {
        Ok(taken) => taken,
        Err(_) => panic!(
            "a line for tests/wire/corpus.txt:\n{} {}",
            of.name,
            hex(message)
        ),
    }
}

#[test]
fn what_was_found_once_stays_mended() {
    let corpus = include_str!("corpus.txt");
    let types = types();
    for line in corpus.lines().filter(|line| !line.starts_with('#')) {
        let (name, digits) = line.rsplit_once(' ').expect(line);
        let of = types.iter().find(|of| of.name == name).expect(line);
        let message: Vec<u8> = (0..digits.len() / 2)
            .map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        try_message(of, &message);
    }
}

#[test]
fn every_prefix_and_every_flipped_bit_is_refused_or_another_value() {
    for of in types() {
        for len in 0..of.message.len() {
            try_message(&of, &of.message[..len]);
        }
        for bit in 0..of.message.len() * 8 {
            let mut message = of.message.clone();
            message[bit / 8] ^= 1 << (bit % 8);
            try_message(&of, &message);
        }
    }
}

#[test]
fn mutated_messages_are_refused_or_values_and_never_cost_more_than_they_may() {
    let wanted = std::env::var("GROUNDWIRE_FUZZ").ok();
    let wanted: u64 = wanted.map_or(200_000, |text| {
        text.parse().expect("GROUNDWIRE_FUZZ: a number")
    });
    let (mut seeded, types) = (Seeded::new(3), types());
    let mut taken = 0;
    for _ in 0..wanted {
        let of = &types[seeded.below(types.len())];
        let other = &types[seeded.below(types.len())];
        let mut message = of.message.clone();
        seeded.mutate(&mut message, &other.message);
        taken += u64::from(try_message(of, &message));
    }
    println!("{wanted} messages tried, {taken} of them were values");
    // A mutator whose messages are all refused at the first byte would find nothing.
    assert!(
        taken > wanted / 20 && taken < wanted,
        "{taken} of {wanted} taken"
    );
}
