//! A named pipe (`mkfifo`) that is to be written: whoever opens it waits for its reader.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileTypeExt;

/// Waits for the reader where there is a named pipe of this path, and keeps it until the end that is
/// returned is dropped: opening the path does not wait meanwhile. `None` where there is no such pipe.
///
/// For a program that blocks signals: it calls this before, while a signal still ends it. Nobody
/// would hear one in the midst of opening the pipe.
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
