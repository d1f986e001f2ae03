//! What is refused lest it cannot be read, or is missed, at the next start.

use super::*;

#[test]
fn a_snapshot_that_could_not_be_read_again_is_not_written() {
    let home = Home::new();
    let path = home.fresh("log");
    let (mut storage, _) = open(&path).unwrap();
    let mut write = snapshot_at(0, 0);
    write.snapshot.as_mut().unwrap().data = Command::from(&[0; 2000][..]);
    let refused = storage.write(&write).unwrap_err().to_string();
    assert!(refused.contains("longer than the limit"), "{refused}");
    drop(storage);
    assert!(restored(&path).is_new());
}

#[test]
fn a_snapshot_without_its_log_is_no_new_storage() {
    let home = Home::new();
    let path = home.fresh("log");
    let (mut storage, _) = open(&path).unwrap();
    storage.write(&snapshot_at(0, 0)).unwrap();
    let names = recovery::segments(&storage.folder.names().unwrap());
    drop(storage);
    for number in names {
        fs::remove_file(path.join(segment_name(number))).unwrap();
    }
    let refused = open(&path).map(drop).unwrap_err().to_string();
    assert!(refused.contains("a snapshot, but no log"), "{refused}");
}
