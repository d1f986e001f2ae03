//! Revisions, pages, watches, limits, snapshots.

use super::*;
use crate::kv::command::{MAX_KEY, MAX_VALUE};
use crate::raft::Dice;

fn put(store: &mut Machine, key: &str, value: &str) -> Reply {
    store.command(Command::Put {
        key: key.as_bytes(),
        value: value.as_bytes(),
    })
}

fn delete(store: &mut Machine, key: &str) -> Reply {
    let key = key.as_bytes();
    store.command(Command::Delete { key })
}

fn swap(store: &mut Machine, key: &str, expected: Expected<'_>, value: Option<&str>) -> Swap {
    let command = Command::CompareAndSwap {
        key: key.as_bytes(),
        expected,
        value: value.map(str::as_bytes),
    };
    match store.command(command) {
        Reply::Swap(swap) => swap,
        other => panic!("{other:?}"),
    }
}

/// Value, create revision, mod revision, version.
fn get(store: &Machine, key: &str) -> Option<(String, u64, u64, u64)> {
    let now = store.get(key.as_bytes())?;
    let value = String::from_utf8(now.value).unwrap();
    Some((value, now.create_revision, now.mod_revision, now.version))
}

fn keys(page: &Page) -> Vec<&str> {
    page.entries
        .iter()
        .map(|entry| std::str::from_utf8(&entry.key).unwrap())
        .collect()
}

fn small(bytes: usize, changes: usize) -> Machine {
    Machine::new(Limits {
        bytes,
        changes,
        change_bytes: 1000,
    })
}

#[test]
fn revisions_are_those_of_the_table_at_the_head_of_the_file() {
    let mut store = Machine::default();
    assert_eq!(put(&mut store, "a", "1"), Reply::Put(2));
    assert_eq!(get(&store, "a"), Some(("1".into(), 2, 2, 1)));
    assert_eq!(put(&mut store, "a", "2"), Reply::Put(3));
    assert_eq!(get(&store, "a"), Some(("2".into(), 2, 3, 2)));
    assert_eq!(delete(&mut store, "b"), Reply::Deleted(None));
    assert_eq!(delete(&mut store, "a"), Reply::Deleted(Some(4)));
    assert_eq!(get(&store, "a"), None);
    assert_eq!(put(&mut store, "a", "3"), Reply::Put(5));
    assert_eq!(get(&store, "a"), Some(("3".into(), 5, 5, 1)));
    assert_eq!(store.revision(), 5);
}

#[test]
fn a_swap_is_done_only_where_the_key_is_as_expected() {
    let mut store = Machine::default();
    let by_value = Expected::Value(b"1");
    assert_eq!(swap(&mut store, "a", by_value, Some("2")), Swap::Differs(0));
    let absent = Expected::Revision(0);
    assert_eq!(swap(&mut store, "a", absent, Some("1")), Swap::Done(2));
    assert_eq!(swap(&mut store, "a", absent, Some("1")), Swap::Differs(2));
    assert_eq!(swap(&mut store, "a", by_value, Some("2")), Swap::Done(3));
    let second = Expected::Revision(2);
    assert_eq!(swap(&mut store, "a", second, None), Swap::Differs(3));
    let third = Expected::Revision(3);
    assert_eq!(swap(&mut store, "a", third, None), Swap::Done(4));
    assert_eq!(swap(&mut store, "a", absent, None), Swap::Done(4));
    assert_eq!(get(&store, "a"), None);
}

#[test]
fn pages_go_through_a_prefix_in_order_and_no_further() {
    let mut store = Machine::default();
    for key in ["b", "a/2", "a/3", "a0", "a/1", "a"] {
        put(&mut store, key, "");
    }
    let page = store.list(b"a/", None, 2);
    assert_eq!((keys(&page), page.more), (vec!["a/1", "a/2"], true));
    let page = store.list(b"a/", Some(b"a/2"), 2);
    assert_eq!((keys(&page), page.more), (vec!["a/3"], false));
    assert_eq!(keys(&store.list(b"a/", Some(b"A"), 1)), ["a/1"]);
    assert_eq!(keys(&store.list(b"a/", Some(b"b"), 9)), [""; 0]);
    assert_eq!(keys(&store.list(b"", None, 0)), ["a"], "0 is taken as 1");
    assert_eq!(store.list(b"", None, usize::MAX).entries.len(), 6);
}

#[test]
fn a_page_has_a_limit_in_bytes_and_one_entry_at_least() {
    let mut store = Machine::default();
    let large = "x".repeat(MAX_VALUE);
    put(&mut store, "a", &large);
    put(&mut store, "b", "");
    let page = store.list(b"", None, 9);
    assert_eq!((keys(&page), page.more), (vec!["a"], true));
    let keys = Keys::Prefix(Vec::new());
    let found = store.changes(&keys, 1, 9).unwrap();
    assert_eq!((found.changes.len(), found.next), (1, 3));
}

#[test]
fn a_watch_is_told_each_change_once_and_where_to_go_on() {
    let mut store = Machine::default();
    put(&mut store, "a", "1");
    put(&mut store, "b", "1");
    delete(&mut store, "a");
    let one = Keys::One(b"a".to_vec());
    let found = store.changes(&one, 1, 9).unwrap();
    let made: Vec<u64> = found.changes.iter().map(Change::revision).collect();
    assert_eq!((made, found.next), (vec![2, 4], 5));
    let found = store.changes(&one, 1, 1).unwrap();
    assert_eq!((found.changes.len(), found.next), (1, 4));
    let found = store.changes(&one, found.next, 1).unwrap();
    assert!(matches!(found.changes[..], [Change::Deleted { .. }]));
    let to_come = store.changes(&one, 77, 9).unwrap();
    assert_eq!((to_come.changes.len(), to_come.next), (0, 77));
}

#[test]
fn changes_beyond_the_window_are_compacted_and_say_where_it_begins() {
    let mut store = small(9999, 2);
    let all = Keys::Prefix(Vec::new());
    assert!(store.changes(&all, 0, 9).is_ok(), "nothing is forgotten");
    for value in ["1", "2", "3"] {
        put(&mut store, "a", value);
    }
    let compacted = Err(Compacted { oldest: 3 });
    assert_eq!(store.changes(&all, 2, 9), compacted);
    assert_eq!(store.changes(&all, 3, 9).unwrap().changes.len(), 2);
    put(&mut store, "a", &"x".repeat(900));
    assert_eq!(store.oldest_change(), 6, "larger than the whole window");
    assert!(store.changes(&all, 6, 9).unwrap().changes.is_empty());
}

#[test]
fn a_full_store_refuses_more_bytes_but_no_deletion_and_no_shorter_value() {
    let mut store = small(2 * OVERHEAD + 4, 9);
    put(&mut store, "a", "1");
    put(&mut store, "b", "1");
    let full = Reply::Refused(Refused::Full);
    assert_eq!(put(&mut store, "a", "12"), full);
    assert_eq!(put(&mut store, "c", ""), full);
    assert_eq!(store.revision(), 3);
    assert_eq!(put(&mut store, "a", "2"), Reply::Put(4));
    assert_eq!(delete(&mut store, "b"), Reply::Deleted(Some(5)));
    assert_eq!(put(&mut store, "c", "1"), Reply::Put(6));
    assert_eq!(store.bytes(), 2 * OVERHEAD + 4);
}

#[test]
fn keys_and_values_have_limits() {
    let mut store = Machine::default();
    let key = "k".repeat(MAX_KEY);
    let value = "v".repeat(MAX_VALUE);
    assert_eq!(put(&mut store, &key, &value), Reply::Put(2));
    for (key, value, why) in [
        ("", "", Refused::EmptyKey),
        (&format!("{key}k"), "", Refused::KeyTooLong),
        ("k", &format!("{value}v"), Refused::ValueTooLong),
    ] {
        assert_eq!(put(&mut store, key, value), Reply::Refused(why));
    }
    let refused = store.apply(1, b"?");
    let malformed = Reply::Refused(Refused::Malformed);
    assert_eq!(wire::decode::<Reply>(&refused).unwrap(), malformed);
    assert_eq!(store.revision(), 2);
}

/// Random commands on few keys.
fn random(seed: u64, count: u64) -> Machine {
    let mut dice = Dice::new(seed);
    let mut store = small(1200, 9);
    for _ in 0..count {
        let key = ["a", "ab", "b", "c"][dice.below(4) as usize];
        let value = "v".repeat(dice.below(300) as usize);
        match dice.below(3) {
            0 => drop(delete(&mut store, key)),
            _ => drop(put(&mut store, key, &value)),
        }
    }
    store
}

#[test]
fn a_restored_store_is_the_same_and_goes_on_the_same() {
    for seed in 0..50 {
        let mut one = random(seed, 100);
        let mut other = small(1200, 9);
        other.restore(&one.snapshot()).unwrap();
        for store in [&mut one, &mut other] {
            delete(store, "a");
            put(store, "b", "end");
        }
        let counted = |store: &Machine| (store.bytes, store.change_bytes, store.snapshot());
        assert_eq!(counted(&one), counted(&other), "seed {seed}");
    }
}

#[test]
fn what_is_counted_is_what_is_held() {
    let store = random(7, 500);
    let held = store.keys.iter().map(|(key, held)| cost(key, &held.value));
    assert_eq!(store.bytes(), held.sum());
    let remembered: usize = store.changes.iter().map(change_cost).sum();
    assert_eq!(store.change_bytes, remembered);
}

#[test]
fn no_cut_or_flipped_snapshot_panics_and_a_refused_one_changes_nothing() {
    let one = random(3, 20);
    let whole = one.snapshot();
    for at in 0..whole.len() {
        let mut other = Machine::default();
        assert!(other.restore(&whole[..at]).is_err(), "cut at {at}");
        assert_eq!(other.revision(), 1);
        let mut flipped = whole.clone();
        flipped[at] ^= 0x80;
        if other.restore(&flipped).is_ok() {
            put(&mut other, "a", "1"); // nothing overflows
        }
    }
}

#[test]
fn a_snapshot_of_what_no_store_can_hold_is_refused() {
    let key = |packer: &mut Packer, counts| pack(packer, b"k", b"v", counts);
    let restored = |revision, counts, change| {
        let mut packer = Packer::default();
        packer.number(revision);
        packer.number(1);
        key(&mut packer, counts);
        packer.number(1);
        packer.number(PUT);
        key(&mut packer, [change, change, 1]);
        Machine::default().restore(&packer.end())
    };
    assert!(restored(3, [2, 3, 2], 3).is_ok());
    for (revision, counts, change, what) in [
        (0, [0, 0, 0], 0, "a revision before the first"),
        (
            u64::MAX,
            [2, 3, 2],
            u64::MAX,
            "a revision that etcd has not",
        ),
        (3, [2, 4, 2], 3, "a key changed by a revision to come"),
        (3, [3, 2, 2], 3, "a key changed before it was created"),
        (3, [2, 3, 0], 3, "a key without a change"),
        (3, [2, 3, 4], 3, "more changes than revisions"),
        (3, [2, 3, 2], 2, "a change in the place of another one"),
    ] {
        assert!(restored(revision, counts, change).is_err(), "{what}");
    }
}
