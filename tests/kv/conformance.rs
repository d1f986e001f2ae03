//! What every `Store` does: cases that run on any of them, one after the other on the same one.
//!
//! Each case keeps to keys of its own, so a store need not be empty. It must have no other clients:
//! that revisions follow each other is a part of the cases. To add a case: write a function, name
//! it in `CASES`.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use groundwire::kv::command::{MAX_KEY, MAX_VALUE};
use groundwire::kv::{
    Change, Expected, KeyValue, Keys, Refused, Revision, Store, StoreError, Swap, Watch,
};

use crate::support::PATIENCE;

type Case = (&'static str, fn(&dyn Store));

const CASES: [Case; 15] = [
    ("what was never put is not there", absent),
    ("a key holds what was put last", put_and_get),
    (
        "revisions count changes, versions those of a key",
        revisions,
    ),
    ("a deleted key is gone, and begins anew", delete),
    ("a swap by revision needs that revision", swap_by_revision),
    ("a swap by value needs that value", swap_by_value),
    ("a swap may delete", swap_to_nothing),
    ("pages go through a prefix in order", pages),
    ("a prefix of 0xff bytes has an end", prefix_ends),
    ("keys and values are any bytes", any_bytes),
    ("keys and values have limits", limits),
    ("a watch tells past and coming changes once", watch),
    ("a watch may begin at a revision to come", watch_to_come),
    ("large values come in parts", large),
    ("of concurrent swaps one wins", concurrent_swaps),
];

/// Runs all cases.
pub fn conforms(store: &dyn Store) {
    for (name, case) in CASES {
        println!("case: {name}");
        case(store);
    }
}

fn get(store: &dyn Store, key: &str) -> Option<KeyValue> {
    store.get(key.as_bytes()).unwrap()
}

fn value(store: &dyn Store, key: &str) -> Option<String> {
    get(store, key).map(|now| String::from_utf8(now.value).unwrap())
}

fn put(store: &dyn Store, key: &str, value: &str) -> Revision {
    store.put(key.as_bytes(), value.as_bytes()).unwrap()
}

fn swap(store: &dyn Store, key: &str, expected: Expected<'_>, value: Option<&str>) -> Swap {
    let value = value.map(str::as_bytes);
    store
        .compare_and_swap(key.as_bytes(), expected, value)
        .unwrap()
}

fn absent(store: &dyn Store) {
    assert_eq!(get(store, "absent"), None);
    assert_eq!(store.delete(b"absent"), Ok(None));
    assert!(store.list(b"absent", None, 9).unwrap().entries.is_empty());
}

fn put_and_get(store: &dyn Store) {
    for text in ["one", "", "two"] {
        put(store, "put", text);
        assert_eq!(value(store, "put").as_deref(), Some(text));
    }
    assert_eq!(get(store, "pu"), None);
    assert_eq!(get(store, "put2"), None);
}

fn revisions(store: &dyn Store) {
    let first = put(store, "revisions", "1");
    assert_eq!(put(store, "revisions/other", ""), first + 1);
    assert_eq!(put(store, "revisions", "1"), first + 2, "the same value");
    assert_eq!(store.delete(b"revisions/none"), Ok(None));
    let differs = swap(store, "revisions", Expected::Value(b"2"), Some("3"));
    assert_eq!(differs, Swap::Differs(first + 2));
    assert_eq!(put(store, "revisions", "4"), first + 3);
    let wanted = KeyValue {
        key: b"revisions".to_vec(),
        value: b"4".to_vec(),
        create_revision: first,
        mod_revision: first + 3,
        version: 3,
    };
    assert_eq!(get(store, "revisions"), Some(wanted));
    let page = store.list(b"revisions", None, 1).unwrap();
    assert_eq!(page.revision, first + 3);
}

fn delete(store: &dyn Store) {
    let first = put(store, "delete", "1");
    put(store, "delete", "2");
    assert_eq!(store.delete(b"delete"), Ok(Some(first + 2)));
    assert_eq!(get(store, "delete"), None);
    assert_eq!(store.delete(b"delete"), Ok(None));
    put(store, "delete", "3");
    let now = get(store, "delete").unwrap();
    assert_eq!((now.create_revision, now.version), (first + 3, 1));
}

fn swap_by_revision(store: &dyn Store) {
    let by = Expected::Revision;
    let Swap::Done(first) = swap(store, "swap/r", by(0), Some("1")) else {
        panic!("there was no such key");
    };
    assert_eq!(
        swap(store, "swap/r", by(0), Some("2")),
        Swap::Differs(first)
    );
    let done = swap(store, "swap/r", by(first), Some("2"));
    assert_eq!(done, Swap::Done(first + 1));
    let late = swap(store, "swap/r", by(first), Some("3"));
    assert_eq!(late, Swap::Differs(first + 1));
    assert_eq!(value(store, "swap/r").as_deref(), Some("2"));
    assert_eq!(
        swap(store, "swap/no", by(first), Some("")),
        Swap::Differs(0)
    );
}

fn swap_by_value(store: &dyn Store) {
    let by = Expected::Value;
    // A key that is not there has no value, not even an empty one.
    assert_eq!(swap(store, "swap/v", by(b""), Some("1")), Swap::Differs(0));
    let first = put(store, "swap/v", "");
    let done = swap(store, "swap/v", by(b""), Some("1"));
    assert_eq!(done, Swap::Done(first + 1));
    let differs = swap(store, "swap/v", by(b""), Some("2"));
    assert_eq!(differs, Swap::Differs(first + 1));
    let differs = swap(store, "swap/v", by(b"10"), Some("2"));
    assert_eq!(differs, Swap::Differs(first + 1));
    let done = swap(store, "swap/v", by(b"1"), Some(""));
    assert_eq!(done, Swap::Done(first + 2));
    assert_eq!(value(store, "swap/v").as_deref(), Some(""));
}

fn swap_to_nothing(store: &dyn Store) {
    let first = put(store, "swap/n", "1");
    let differs = swap(store, "swap/n", Expected::Value(b"2"), None);
    assert_eq!(differs, Swap::Differs(first));
    let done = swap(store, "swap/n", Expected::Revision(first), None);
    assert_eq!(done, Swap::Done(first + 1));
    assert_eq!(get(store, "swap/n"), None);
    let nothing = swap(store, "swap/n", Expected::Revision(0), None);
    assert_eq!(nothing, Swap::Done(first + 1), "nothing to delete");
}

/// All keys of a prefix, by pages of so many.
fn listed(store: &dyn Store, prefix: &[u8], limit: usize) -> Vec<Vec<u8>> {
    let mut keys: Vec<Vec<u8>> = Vec::new();
    loop {
        let after = keys.last().map(Vec::as_slice);
        let page = store.list(prefix, after, limit).unwrap();
        assert!(page.entries.len() <= limit);
        keys.extend(page.entries.into_iter().map(|entry| entry.key));
        if !page.more {
            return keys;
        }
    }
}

fn pages(store: &dyn Store) {
    for key in ["page/b", "page/a", "page0", "page/c", "page", "page/a/1"] {
        put(store, key, key);
    }
    let wanted: [&[u8]; 4] = [b"page/a", b"page/a/1", b"page/b", b"page/c"];
    for limit in 1..6 {
        assert_eq!(listed(store, b"page/", limit), wanted, "by {limit}");
    }
    let behind = |after: &[u8]| store.list(b"page/", Some(after), 9).unwrap().entries;
    assert_eq!(behind(b"page/b")[0].value, b"page/c");
    assert_eq!(behind(b"page/aa").len(), 2, "there need be no such key");
    assert_eq!(behind(b"a").len(), 4, "before the prefix");
    assert_eq!(behind(b"z").len(), 0, "behind it");
    let page = store.list(b"page/", None, 4).unwrap();
    assert_eq!((page.entries.len(), page.more), (4, false));
    let all = listed(store, b"", 7);
    assert!(all.is_sorted() && all.contains(&b"page0".to_vec()));
}

fn prefix_ends(store: &dyn Store) {
    let keys: [&[u8]; 5] = [
        b"\xfe\xff",
        b"\xfe\xff\xff1",
        b"\xff",
        b"\xff\xff",
        b"\xff\xff\xff2",
    ];
    for key in keys {
        store.put(key, b"").unwrap();
    }
    assert_eq!(listed(store, b"\xfe\xff", 1), keys[..2]);
    assert_eq!(listed(store, b"\xff", 2), keys[2..]);
    assert_eq!(listed(store, b"\xff\xff", 9), keys[3..]);
}

fn any_bytes(store: &dyn Store) {
    let all: Vec<u8> = (0..=255).collect();
    let key = [b"bytes/", all.as_slice()].concat();
    store.put(&key, &all).unwrap();
    let now = store.get(&key).unwrap().unwrap();
    assert_eq!((now.key, now.value), (key.clone(), all.clone()));
    store.put(b"\0", b"\0").unwrap();
    assert_eq!(listed(store, b"\0", 9), [b"\0"]);
    let swapped = store.compare_and_swap(&key, Expected::Value(&all), None);
    assert!(matches!(swapped, Ok(Swap::Done(_))));
}

fn limits(store: &dyn Store) {
    let (key, value) = (vec![b'l'; MAX_KEY], vec![b'v'; MAX_VALUE]);
    store.put(&key, &value).unwrap();
    let found = store.get(&key).unwrap().unwrap();
    assert!(found.value == value);
    let long = [key.as_slice(), b"l"].concat();
    for (key, why) in [(&b""[..], Refused::EmptyKey), (&long, Refused::KeyTooLong)] {
        let refused = StoreError::Refused(why);
        assert_eq!(store.get(key), Err(refused.clone()));
        assert_eq!(store.put(key, b""), Err(refused.clone()));
        assert_eq!(store.delete(key), Err(refused.clone()));
        let expected = Expected::Revision(0);
        let swap = store.compare_and_swap(key, expected, None);
        assert_eq!(swap, Err(refused.clone()));
        let watch = store.watch(Keys::One(key.to_vec()), 1);
        assert_eq!(watch.err(), Some(refused));
    }
    let large = vec![b'v'; MAX_VALUE + 1];
    let refused = StoreError::Refused(Refused::ValueTooLong);
    assert_eq!(store.put(b"limits", &large), Err(refused));
    assert_eq!(get(store, "limits"), None);
    store.delete(&key).unwrap();
}

/// So many changes, however many calls they take.
fn told(watch: &mut dyn Watch, count: usize) -> (Vec<Change>, Revision) {
    let (mut changes, mut next) = (Vec::new(), 0);
    while changes.len() < count {
        let found = watch.changes(PATIENCE).unwrap();
        assert!(!found.changes.is_empty(), "{} came", changes.len());
        changes.extend(found.changes);
        next = found.next;
    }
    (changes, next)
}

/// Revision, key, and value or none, of each.
fn seen(changes: &[Change]) -> Vec<(Revision, &str, Option<&str>)> {
    let text = |bytes| std::str::from_utf8(bytes).unwrap();
    let changes = changes.iter().map(|change| {
        let value = match change {
            Change::Put(now) => Some(text(now.value.as_slice())),
            Change::Deleted { .. } => None,
        };
        (change.revision(), text(change.key()), value)
    });
    changes.collect()
}

fn watch(store: &dyn Store) {
    let first = put(store, "watch", "1");
    put(store, "watch/a", "2");
    put(store, "other", "3");
    store.delete(b"watch").unwrap();
    let mut prefix = store.watch(Keys::Prefix(b"watch".to_vec()), first).unwrap();
    let mut one = store
        .watch(Keys::One(b"watch".to_vec()), first + 1)
        .unwrap();
    let (changes, next) = told(&mut *prefix, 3);
    let wanted = [
        (first, "watch", Some("1")),
        (first + 1, "watch/a", Some("2")),
        (first + 3, "watch", None),
    ];
    assert_eq!(seen(&changes), wanted);
    assert_eq!(next, first + 4);
    let (changes, _) = told(&mut *one, 1);
    assert_eq!(seen(&changes), wanted[2..]);

    let quiet = prefix.changes(Duration::from_millis(20)).unwrap();
    assert_eq!((quiet.changes.len(), quiet.next), (0, next));
    let (changes, _) = thread::scope(|scope| {
        let waiting = scope.spawn(|| told(&mut *prefix, 1));
        put(store, "watch/b", "5");
        waiting.join().unwrap()
    });
    assert_eq!(seen(&changes), [(first + 4, "watch/b", Some("5"))]);
    let mut again = store.watch(Keys::Prefix(b"watch".to_vec()), next).unwrap();
    assert_eq!(told(&mut *again, 1).0, changes, "another goes on there");
}

fn watch_to_come(store: &dyn Store) {
    let now = put(store, "to come", "1");
    let keys = Keys::One(b"to come".to_vec());
    let mut watch = store.watch(keys, now + 2).unwrap();
    let quiet = watch.changes(Duration::from_millis(20)).unwrap();
    assert_eq!((quiet.changes.len(), quiet.next), (0, now + 2));
    put(store, "to come", "2");
    put(store, "to come", "3");
    let (changes, _) = told(&mut *watch, 1);
    assert_eq!(seen(&changes), [(now + 2, "to come", Some("3"))]);
}

fn large(store: &dyn Store) {
    let count = 5;
    let value = vec![b'x'; MAX_VALUE];
    let keys: Vec<String> = (0..count)
        .map(|number| format!("large/{number:02}"))
        .collect();
    let puts = keys
        .iter()
        .map(|key| store.put(key.as_bytes(), &value).unwrap());
    let first = puts.collect::<Vec<_>>()[0];
    let listed = listed(store, b"large/", count);
    assert!(listed.iter().eq(keys.iter().map(|key| key.as_bytes())));
    let mut watch = store
        .watch(Keys::Prefix(b"large/".to_vec()), first)
        .unwrap();
    let (changes, _) = told(&mut *watch, count);
    assert_eq!(changes.len(), count);
    for key in keys {
        store.delete(key.as_bytes()).unwrap();
    }
}

fn concurrent_swaps(store: &dyn Store) {
    let (threads, each) = (4, 10);
    put(store, "count", "0");
    let start = Barrier::new(threads);
    let count_up = || {
        let now = get(store, "count").unwrap();
        let number: u64 = std::str::from_utf8(&now.value).unwrap().parse().unwrap();
        let next = (number + 1).to_string();
        let expected = Expected::Revision(now.mod_revision);
        matches!(swap(store, "count", expected, Some(&next)), Swap::Done(_))
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                start.wait();
                for _ in 0..each {
                    while !count_up() {}
                }
            });
        }
    });
    assert_eq!(value(store, "count"), Some((threads * each).to_string()));
}
