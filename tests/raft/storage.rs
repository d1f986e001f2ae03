//! The storage on a real file system that runs out of space: a tmpfs of its own.
//!
//! Faults at each single call are planted in `src/raft/storage/disk/tests.rs`; here the kernel says
//! no by itself.

use std::path::Path;
use std::process::Command;

use groundwire::raft::storage::disk::Limits;
use groundwire::raft::storage::{DiskStorage, Storage, StorageError};
use groundwire::raft::{Entry, Index, Payload, Persist, Snapshot, SnapshotMeta};

/// Set to the folder of the small file system, in the process that runs on it.
const MARK: &str = "GROUNDWIRE_SMALL_DISK";

/// Runs a test once more, in namespaces of its own with a file system of 512 KiB. `None` in that
/// process; outside there is nothing left to do.
fn on_a_small_disk(test: &str) -> Option<()> {
    if std::env::var_os(MARK).is_some() {
        return None;
    }
    let script = "mount -t tmpfs -o size=512k groundwire /mnt || exit 77; \
                  exec \"$0\" --exact \"$1\" --nocapture";
    let run = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .arg(test)
        .env(MARK, "/mnt")
        .output();
    match run {
        Ok(run) if run.status.success() => {}
        Ok(run) if String::from_utf8_lossy(&run.stdout).contains("running 1 test") => {
            panic!("{}", String::from_utf8_lossy(&run.stdout));
        }
        _ => println!("skipped: no mount namespace here"),
    }
    Some(())
}

fn small_disk() -> String {
    std::env::var(MARK).unwrap()
}

fn entries(indices: impl IntoIterator<Item = Index>) -> Persist {
    let entry = |index| Entry {
        term: 1,
        index,
        payload: Payload::Command(vec![7; 5000].into()),
    };
    Persist {
        entries: indices.into_iter().map(entry).collect(),
        ..Persist::default()
    }
}

#[test]
fn a_full_disk_refuses_writes_keeps_the_log_and_goes_on_when_there_is_space() {
    if on_a_small_disk(
        "storage::a_full_disk_refuses_writes_keeps_the_log_and_goes_on_when_there_is_space",
    )
    .is_some()
    {
        return;
    }
    let disk = small_disk();
    let (path, ballast) = (
        Path::new(&disk).join("log"),
        Path::new(&disk).join("ballast"),
    );
    std::fs::write(&ballast, vec![1; 100 << 10]).unwrap();
    let (mut storage, _) = DiskStorage::open(&path, Limits::default()).unwrap();
    let mut next = 1;
    let refused = loop {
        match storage.write(&entries(next..next + 3)) {
            Ok(()) => next += 3,
            Err(error) => break error,
        }
        storage.sync().unwrap();
    };
    assert!(matches!(refused, StorageError::Full { .. }), "{refused}");
    assert!(next > 60, "the disk was full at entry {next}");
    // Neither a smaller write nor a snapshot is final when it finds no space.
    let meta = SnapshotMeta {
        last_index: 10,
        last_term: 1,
        ..SnapshotMeta::default()
    };
    let snapshot = Persist {
        snapshot: Some(Snapshot {
            meta,
            data: vec![2; 50_000].into(),
        }),
        ..Persist::default()
    };
    let refused = storage.write(&snapshot).unwrap_err();
    assert!(matches!(refused, StorageError::Full { .. }), "{refused}");
    std::fs::remove_file(&ballast).unwrap();
    storage.write(&snapshot).unwrap();
    storage.write(&entries(next..next + 3)).unwrap();
    storage.sync().unwrap();
    drop(storage);
    let (_, found) = DiskStorage::open(&path, Limits::default()).unwrap();
    assert_eq!(found.snapshot.meta.last_index, 10);
    let indices: Vec<Index> = found.entries.iter().map(|entry| entry.index).collect();
    assert_eq!(indices, (11..next + 3).collect::<Vec<_>>());
}
