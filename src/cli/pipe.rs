//! A named pipe (`mkfifo`) as output: opening it for writing waits for its reader.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileTypeExt;

/// If the path is a named pipe, waits for its reader and returns an open end: while it is held,
/// opening the path for writing does not wait. `None` if the path is not a named pipe.
///
/// For a program that blocks signals: it calls this first, while a signal still ends it. With
/// signals blocked, Ctrl-C could not end the wait.
pub fn reader_of_pipe(path: &str) -> io::Result<Option<File>> {
    let is_pipe = fs::metadata(path).is_ok_and(|file| file.file_type().is_fifo());
    match is_pipe {
        true => File::options().write(true).open(path).map(Some),
        false => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_pipe_is_not_opened() {
        for path in ["/dev/null", "/dev/full", "/nowhere/at/all", "-"] {
            assert!(reader_of_pipe(path).unwrap().is_none(), "{path}");
        }
    }
}
