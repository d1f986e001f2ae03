//! The storage on real files: histories of writes, with a fault at each call, a cut at each byte,
//! each byte flipped. What must hold: it finds again what was written up to some point, at or after
//! the last sync; or it refuses to open.

mod calls;
mod refused;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::faults::{Fault, heal, plant};
use super::*;
use crate::raft::storage::memory::{parts, take};
use crate::raft::{Command, Dice, Payload, SnapshotMeta, Term};

/// Segments of a few records each.
const SMALL: Limits = Limits {
    segment: 512,
    record: 1 << 10,
    snapshot: 1 << 10,
};

/// A segment for all of a test.
const ROOMY: Limits = Limits {
    segment: 4 << 10,
    ..SMALL
};

/// A folder for one test, in memory where that is possible: these tests sync thousands of times.
struct Home(PathBuf);

impl Home {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let memory = PathBuf::from("/dev/shm");
        let above = if memory.is_dir() {
            memory
        } else {
            std::env::temp_dir()
        };
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = above.join(format!("groundwire-raft-{}-{count}", std::process::id()));
        let _ = fs::remove_dir_all(&path); // of a test that was killed
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// A folder for a storage that does not exist yet.
    fn fresh(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        let _ = fs::remove_dir_all(&path);
        path
    }

    /// A copy of a storage, with one file changed.
    fn changed(&self, from: &Path, file: &str, change: impl FnOnce(&mut Vec<u8>)) -> PathBuf {
        let to = self.fresh("changed");
        fs::create_dir(&to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
        let mut bytes = fs::read(to.join(file)).unwrap();
        change(&mut bytes);
        fs::write(to.join(file), bytes).unwrap();
        to
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn open(path: &Path) -> Result<(DiskStorage, Restored)> {
    DiskStorage::open(path, SMALL)
}

fn restored(path: &Path) -> Restored {
    open(path).unwrap().1
}

fn entry(index: Index, term: Term, command: &[u8]) -> Entry {
    let payload = Payload::Command(Command::from(command));
    Entry {
        index,
        term,
        payload,
    }
}

/// A write of these entries, all of one term.
fn entries(term: Term, indices: std::ops::RangeInclusive<Index>) -> Persist {
    let command = |index| format!("command {index} of term {term}").into_bytes();
    Persist {
        entries: indices.map(|i| entry(i, term, &command(i))).collect(),
        ..Persist::default()
    }
}

fn snapshot_at(last_index: Index, last_term: Term) -> Persist {
    let meta = SnapshotMeta {
        last_index,
        last_term,
        ..SnapshotMeta::default()
    };
    let data = Command::from(b"the state machine");
    Persist {
        snapshot: Some(Snapshot { meta, data }),
        ..Persist::default()
    }
}

/// A step of a history.
#[derive(Debug)]
enum Step {
    Write(Persist),
    Sync,
}

/// A node's writes, as the dice say: entries, conflicts, terms, snapshots of its own and received.
fn history(seed: u64, steps: usize) -> Vec<Step> {
    let mut dice = Dice::new(seed);
    let mut model = Restored::default();
    let mut term = 1;
    let mut history = Vec::new();
    for number in 1..=steps as u64 {
        let mut write = Persist {
            number,
            ..Persist::default()
        };
        let (low, last) = (model.snapshot.meta.last_index, model.last_index());
        let mut first = last + 1;
        match dice.below(10) {
            0 | 1 => {
                term += 1;
                let vote = dice.chance(0.5).then_some(3);
                write.hard_state = Some(HardState { term, vote });
                first = low + 1 + dice.below(last - low + 1);
            }
            2 if last > low => {
                let at = dice.below(last - low) as usize;
                let held = &model.entries[at];
                write.snapshot = snapshot_at(held.index, held.term).snapshot;
            }
            3 => {
                let ahead = last + dice.below(3) + 1;
                term += 1;
                write.hard_state = Some(HardState { term, vote: None });
                write.snapshot = snapshot_at(ahead, term).snapshot;
                write.drop_log = true;
                first = ahead + 1;
            }
            _ => {}
        }
        for index in first..first + dice.below(4) {
            let command = vec![dice.number() as u8; dice.below(60) as usize];
            write.entries.push(entry(index, term, &command));
        }
        take(&mut model, &write, usize::MAX);
        history.push(Step::Write(write));
        if dice.chance(0.4) {
            history.push(Step::Sync);
        }
    }
    history
}

/// What may be found after a crash: each state from the last sync on.
struct Expected(Vec<Restored>);

impl Expected {
    fn new() -> Self {
        Self(vec![Restored::default()])
    }

    fn last(&self) -> &Restored {
        self.0.last().unwrap()
    }

    fn wrote(&mut self, write: &Persist) {
        let before = self.last().clone();
        for count in 1..=parts(write) {
            let mut state = before.clone();
            take(&mut state, write, count);
            self.0.push(state);
        }
    }

    fn synced(&mut self) {
        self.0.drain(..self.0.len() - 1);
    }

    #[track_caller]
    fn hold(&self, found: &Restored, context: &str) {
        assert!(self.0.contains(found), "{context}: found {found:#?}");
    }
}

/// Runs a history until a step fails; returns what may be found then, and the error.
fn run(
    storage: &mut DiskStorage,
    history: &[Step],
    expected: &mut Expected,
) -> Result<(), StorageError> {
    for step in history {
        match step {
            Step::Write(write) => {
                let mut done = storage.write(write);
                if matches!(done, Err(StorageError::Full { .. })) {
                    done = storage.write(write);
                }
                expected.wrote(write);
                done?;
            }
            Step::Sync => {
                storage.sync()?;
                expected.synced();
            }
        }
    }
    Ok(())
}

#[test]
fn what_was_written_is_found_again_however_often_the_storage_is_opened() {
    let home = Home::new();
    for seed in 0..60 {
        let path = home.fresh("log");
        let mut expected = Expected::new();
        for part in history(seed, 40).chunks(7) {
            let (mut storage, found) = open(&path).unwrap();
            assert_eq!(found, *expected.last(), "seed {seed}");
            run(&mut storage, part, &mut expected).unwrap();
        }
        assert_eq!(restored(&path), *expected.last(), "seed {seed}");
    }
}

#[test]
fn a_crash_at_any_call_leaves_what_was_synced_and_a_prefix_of_the_rest() {
    let home = Home::new();
    for seed in 0..12 {
        let history = history(seed, 14);
        for call in 0.. {
            let path = home.fresh("log");
            let mut expected = Expected::new();
            plant(call, Fault::Dead);
            let opened = open(&path);
            if let Ok((mut storage, _)) = opened {
                let _ = run(&mut storage, &history, &mut expected);
            }
            if heal() {
                break;
            }
            let context = format!("seed {seed}, call {call}");
            let found = restored(&path);
            expected.hold(&found, &context);
            assert_eq!(restored(&path), found, "{context}: the second time");
        }
    }
}

#[test]
fn a_crash_while_a_crash_is_recovered_from_changes_nothing() {
    let home = Home::new();
    let history = history(3, 10);
    for call in (0..).step_by(3) {
        let mut last = false;
        for second in 0.. {
            let path = home.fresh("log");
            let mut expected = Expected::new();
            plant(call, Fault::Dead);
            if let Ok((mut storage, _)) = open(&path) {
                let _ = run(&mut storage, &history, &mut expected);
            }
            last = heal();
            plant(second, Fault::Dead);
            let _ = open(&path);
            let recovered = heal();
            expected.hold(&restored(&path), &format!("calls {call}, {second}"));
            if recovered {
                break;
            }
        }
        if last {
            break;
        }
    }
}

#[test]
fn a_write_on_a_full_disk_may_be_tried_again_and_nothing_is_lost() {
    let home = Home::new();
    for seed in 0..12 {
        let history = history(seed, 14);
        for call in 0.. {
            let path = home.fresh("log");
            let (mut storage, _) = open(&path).unwrap();
            let mut expected = Expected::new();
            plant(call, Fault::Full);
            let ran = run(&mut storage, &history, &mut expected);
            if heal() {
                break;
            }
            drop(storage);
            let context = format!("seed {seed}, call {call}: {ran:?}");
            match ran {
                Ok(()) => assert_eq!(restored(&path), *expected.last(), "{context}"),
                // A failed sync, cut or rename is final.
                Err(_) => expected.hold(&restored(&path), &context),
            }
        }
    }
}

#[test]
fn after_a_failed_call_the_storage_refuses_everything() {
    let home = Home::new();
    let history = history(5, 40);
    let mut doing = BTreeSet::new();
    for call in 0.. {
        let path = home.fresh("log");
        let (mut storage, _) = open(&path).unwrap();
        let mut expected = Expected::new();
        plant(call, Fault::Broken);
        let ran = run(&mut storage, &history, &mut expected);
        if heal() {
            break;
        }
        let Err(StorageError::Failed { doing: what, .. }) = ran else {
            panic!("call {call}: {ran:?}");
        };
        doing.insert(what);
        for refused in [storage.sync(), storage.write(&Persist::default())] {
            assert!(matches!(
                refused,
                Err(StorageError::Failed { doing: "use", .. })
            ));
        }
        drop(storage);
        expected.hold(&restored(&path), &format!("call {call}"));
    }
    let all = ["cut", "remove", "rename to", "sync", "write", "write to"];
    assert_eq!(doing, all.into());
}

/// Three writes, the second with a conflict.
fn three() -> [Persist; 3] {
    let mut second = entries(2, 3..=4);
    second.hard_state = Some(HardState {
        term: 2,
        vote: Some(1),
    });
    [entries(1, 1..=3), second, entries(2, 5..=5)]
}

/// A storage with [`three`] synced writes and perhaps more that was not synced; its log's file, the
/// length of what was synced, and of all.
fn three_synced(path: &Path, more: &[Persist]) -> (Expected, String, usize, usize) {
    let (mut storage, _) = DiskStorage::open(path, ROOMY).unwrap();
    let mut expected = Expected::new();
    for write in three() {
        storage.write(&write).unwrap();
        storage.sync().unwrap();
        expected.wrote(&write);
    }
    expected.synced();
    let synced = storage.tail.end;
    for write in more {
        storage.write(write).unwrap();
        expected.wrote(write);
    }
    let name = segment_name(storage.tail.number);
    (expected, name, synced, storage.tail.end)
}

#[test]
fn power_that_fails_within_unsynced_writes_leaves_a_prefix_wherever_they_are_cut() {
    let home = Home::new();
    let path = home.fresh("log");
    let more = [entries(2, 6..=7), entries(3, 7..=9)];
    let (expected, file, synced, end) = three_synced(&path, &more);
    let mut found = BTreeSet::new();
    for at in synced..=end {
        for fill in [None, Some(0), Some(0xff)] {
            let changed = home.changed(&path, &file, |bytes| {
                bytes.truncate(at);
                bytes.resize(fill.map_or(at, |_| 2 * end), fill.unwrap_or(0));
            });
            let state = restored(&changed);
            expected.hold(&state, &format!("cut at {at}, then {fill:?}"));
            found.insert(state.entries.len());
        }
    }
    assert_eq!(found, (5..=9).collect(), "each prefix comes up");
}

#[test]
fn a_disk_that_wrote_later_pages_first_is_no_corruption() {
    let home = Home::new();
    let path = home.fresh("log");
    let more = [entries(2, 6..=7), entries(3, 7..=9), entries(3, 10..=11)];
    let (expected, file, synced, end) = three_synced(&path, &more);
    let mut dice = Dice::new(7);
    for round in 0..500 {
        let changed = home.changed(&path, &file, |bytes| {
            for block in bytes[synced..end].chunks_mut(16) {
                if dice.chance(0.2) {
                    block.fill(0);
                }
            }
        });
        expected.hold(&restored(&changed), &format!("round {round}"));
    }
}

#[test]
fn a_flipped_bit_in_what_was_synced_is_refused_unless_it_is_in_the_last_write() {
    let home = Home::new();
    let path = home.fresh("log");
    let (expected, file, synced, _) = three_synced(&path, &[]);
    let whole = expected.last();
    let before_last = Restored {
        entries: whole.entries[..4].to_vec(),
        ..whole.clone()
    };
    let mut first_cut = None;
    for at in 0..synced + 40 {
        for bit in [0, 5] {
            let changed = home.changed(&path, &file, |bytes| bytes[at] ^= 1 << bit);
            match open(&changed) {
                Err(StorageError::Corrupt { offset, .. }) => {
                    assert_eq!(first_cut, None, "byte {at}");
                    assert!(offset <= at as u64, "byte {at} reported at {offset}");
                }
                Ok((_, found)) if at < synced => {
                    first_cut = first_cut.or(Some(at));
                    assert_eq!(found, before_last, "byte {at}");
                }
                found => assert_eq!(found.unwrap().1, *whole, "byte {at}"),
            }
        }
    }
    let last_record = 16
        + wire::encode(&Record::Entry(whole.entries[4].clone()))
            .unwrap()
            .len();
    assert_eq!(first_cut, Some(synced - last_record.next_multiple_of(8)));
}

#[test]
fn a_log_cut_short_of_its_last_write_is_refused_only_where_that_can_be_told() {
    let home = Home::new();
    let path = home.fresh("log");
    let (_, file, synced, _) = three_synced(&path, &[]);
    let mut earlier = Expected::new();
    three().iter().for_each(|write| earlier.wrote(write));
    for at in 0..=synced {
        let changed = home.changed(&path, &file, |bytes| bytes.truncate(at));
        match open(&changed) {
            Err(StorageError::Corrupt { .. }) => {}
            // A file that lost its end looks like one whose end was never written.
            Ok((_, found)) => earlier.hold(&found, &format!("cut at {at}")),
            Err(error) => panic!("cut at {at}: {error}"),
        }
    }
}

#[test]
fn damage_anywhere_in_a_whole_segment_or_a_missing_file_is_refused() {
    let home = Home::new();
    let path = home.fresh("log");
    let (mut storage, _) = open(&path).unwrap();
    storage.write(&snapshot_at(0, 0)).unwrap();
    for index in 1..=40 {
        storage.write(&entries(1, index..=index)).unwrap();
    }
    storage.sync().unwrap();
    let whole: Vec<u64> = storage.older.iter().map(|&(number, _)| number).collect();
    drop(storage);
    assert!(whole.len() >= 3, "{whole:?}");
    let refused = |changed: &Path, what: &str| match open(changed) {
        Err(StorageError::Corrupt { .. }) => {}
        other => panic!("{what}: {:?}", other.map(|(_, found)| found)),
    };
    for &number in &whole {
        let file = segment_name(number);
        let length = fs::read(path.join(&file)).unwrap().len();
        for at in 0..length {
            let changed = home.changed(&path, &file, |bytes| bytes[at] ^= 0x10);
            refused(&changed, &format!("byte {at} of {file}"));
            let changed = home.changed(&path, &file, |bytes| bytes.truncate(at));
            refused(&changed, &format!("{file} cut at {at}"));
        }
        let changed = home.changed(&path, &file, |_| {});
        fs::remove_file(changed.join(&file)).unwrap();
        refused(&changed, &format!("{file} missing"));
    }
    let changed = home.changed(&path, SNAPSHOT, |_| {});
    fs::remove_file(changed.join(SNAPSHOT)).unwrap();
    refused(&changed, "snapshot missing");
    let changed = home.changed(&path, SNAPSHOT, |bytes| bytes[30] ^= 1);
    refused(&changed, "snapshot damaged");
}

#[test]
fn records_within_a_command_and_old_bytes_behind_the_end_are_no_records() {
    let home = Home::new();
    let path = home.fresh("log");
    let (_, file, synced, end) = three_synced(&path, &[entries(2, 6..=7)]);
    let old = fs::read(path.join(&file)).unwrap();
    let torn = home.changed(&path, &file, |bytes| bytes[end - 1] ^= 1);
    let (mut storage, found) = DiskStorage::open(&torn, ROOMY).unwrap();
    assert_eq!(found.last_index(), 6);
    let left = fs::read(torn.join(&file)).unwrap();
    assert!(left.len() < end, "the torn write is gone for good");
    // A command that holds the bytes of records, and no length that fits them.
    let mut sly = entries(2, 7..=7);
    sly.entries[0] = entry(7, 2, &old[synced..end]);
    storage.write(&sly).unwrap();
    storage.sync().unwrap();
    drop(storage);
    assert_eq!(restored(&torn).entries[6], sly.entries[0]);
    // The same, torn: only the earlier records are read, nothing out of the command.
    let at = left.len() + 20;
    fs::write(torn.join(&file), {
        let mut bytes = fs::read(torn.join(&file)).unwrap();
        bytes[at] ^= 1;
        bytes
    })
    .unwrap();
    assert_eq!(restored(&torn).last_index(), 6);
}

#[test]
fn a_snapshot_removes_the_segments_that_it_covers_and_no_other() {
    let home = Home::new();
    let path = home.fresh("log");
    let (mut storage, _) = open(&path).unwrap();
    for index in 1..=40 {
        storage.write(&entries(1, index..=index)).unwrap();
    }
    let names = |storage: &DiskStorage| recovery::segments(&storage.folder.names().unwrap());
    let before = names(&storage);
    storage.write(&snapshot_at(20, 1)).unwrap();
    let after = names(&storage);
    assert!(after.len() < before.len() && after.len() > 1, "{after:?}");
    drop(storage);
    let (mut storage, found) = open(&path).unwrap();
    assert_eq!(found.entries.first().map(|entry| entry.index), Some(21));
    assert_eq!(found.last_index(), 40);
    let mut received = snapshot_at(90, 2);
    received.drop_log = true;
    storage.write(&received).unwrap();
    assert_eq!(names(&storage).len(), 1);
}

#[test]
fn a_folder_has_one_user_and_files_that_others_cannot_read() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    let path = home.fresh("log");
    let (mut storage, found) = open(&path).unwrap();
    assert!(found.is_new());
    assert!(matches!(open(&path), Err(StorageError::Locked { .. })));
    storage.write(&snapshot_at(0, 0)).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    for entry in fs::read_dir(&path).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
    drop(storage);
    assert!(!restored(&path).is_new());
    assert!(open(&home.0.join("no/such")).is_err());
}

#[test]
fn what_is_longer_than_its_limit_is_not_written() {
    let home = Home::new();
    let path = home.fresh("log");
    let (mut storage, _) = open(&path).unwrap();
    let mut write = entries(1, 1..=1);
    write.entries[0] = entry(1, 1, &[0; 2000]);
    let refused = storage.write(&write).unwrap_err().to_string();
    assert!(refused.contains("the limit is 1024"), "{refused}");
    drop(storage);
    assert!(restored(&path).is_new());
}
