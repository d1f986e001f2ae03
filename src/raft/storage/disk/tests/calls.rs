//! The order of the calls. A process that is killed leaves its writes to the kernel, so no crash in
//! the histories of these tests would miss a sync; power that fails would.

use super::super::faults::calls;
use super::*;

#[test]
fn what_is_prepared_is_stable_before_it_has_its_name_and_the_name_before_it_is_used() {
    let home = Home::new();
    let path = home.fresh("log");
    calls();
    let (mut storage, _) = open(&path).unwrap();
    let made = ["sync above", "sync names"];
    let prepared = ["write", "write", "sync"];
    let named = ["rename", "sync names"];
    assert_eq!(calls(), [&made[..], &prepared, &named].concat());

    storage.write(&entries(1, 1..=3)).unwrap();
    storage.sync().unwrap();
    calls();
    storage.write(&snapshot_at(3, 1)).unwrap();
    let sealed = ["cut", "sync"];
    let snapshot = ["write", "write", "write", "sync"];
    let removed = ["remove", "sync names"];
    let wanted = [&sealed[..], &snapshot, &prepared, &named, &named, &removed];
    assert_eq!(calls(), wanted.concat());
}

#[test]
fn a_sync_syncs_what_was_written_since_the_last_one() {
    let home = Home::new();
    let (mut storage, _) = open(&home.fresh("log")).unwrap();
    storage.write(&entries(1, 1..=1)).unwrap();
    storage.write(&entries(1, 2..=2)).unwrap();
    calls();
    storage.sync().unwrap();
    assert_eq!(calls(), ["sync"]);
    storage.sync().unwrap();
    assert_eq!(calls(), [""; 0], "nothing is new");
}

#[test]
fn what_is_found_at_the_start_is_made_stable_before_it_is_told() {
    let home = Home::new();
    let path = home.fresh("log");
    let (mut storage, _) = open(&path).unwrap();
    storage.write(&entries(1, 1..=3)).unwrap();
    drop(storage); // not synced
    calls();
    let (_, found) = open(&path).unwrap();
    assert_eq!(found.last_index(), 3);
    assert_eq!(calls(), ["sync names", "write", "cut", "sync"]);
}
