//! What is done to a node's disk.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The file that takes the space.
const FILLER: &str = "filler";

/// Takes all space that is left where this folder is.
pub fn fill(data: &Path) {
    let filler = data.with_file_name(FILLER);
    let mut file = File::options()
        .create(true)
        .append(true)
        .open(filler)
        .unwrap();
    for part in [1 << 20, 4096, 1] {
        let zeros = vec![0; part];
        let why = (0..)
            .find_map(|_| file.write_all(&zeros).err())
            .map(|error| error.kind());
        assert_eq!(why, Some(ErrorKind::StorageFull));
    }
}

/// Gives it back.
pub fn free(data: &Path) {
    fs::remove_file(data.with_file_name(FILLER)).unwrap();
}

/// The file that the node last wrote its log to.
pub fn newest_log(data: &Path) -> PathBuf {
    let names = fs::read_dir(data)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let is_log = |path: &PathBuf| {
        path.file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("log-")
    };
    names.filter(is_log).max().expect("a log")
}

/// Bytes of it up to the zeros with which it is filled ahead; up to 7 of the last record may be
/// zeros, too.
pub fn length(log: &Path) -> u64 {
    let bytes = fs::read(log).unwrap();
    let last = bytes.iter().rposition(|byte| *byte != 0);
    last.map_or(0, |last| last as u64 + 1)
}

/// Cuts a file.
pub fn cut(file: &Path, length: u64) {
    let file = File::options().write(true).open(file).unwrap();
    file.set_len(length).unwrap();
}

/// Turns a bit.
pub fn flip(file: &Path, byte: u64, bit: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[byte as usize] ^= 1 << bit;
    fs::write(file, bytes).unwrap();
}
