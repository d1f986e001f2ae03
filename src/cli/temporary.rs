//! Private files and folders in the temporary folder, which all users share.
//!
//! The process id makes a name that no other running process uses. But a killed process leaves its
//! files, and its id is used again: in a container, at every start. So a number follows, and a name
//! that is taken is left alone, whoever made it.

use std::env;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process;

use super::words::plain_words;

/// How many names are tried.
const NAMES: u32 = 1000;

/// Makes `NAME-PID-N` and `end` in the folder for temporary files (`TMPDIR`, else `/tmp`), with the
/// first N that is free, and returns its path. `make` creates it and must refuse an existing one,
/// as `fs::create_dir` and `File::create_new` do: it may be a link that points elsewhere.
///
/// Fails when `make` fails for any other reason, with the path in the message; with `AlreadyExists`
/// after 1,000 names.
pub fn temporary<T>(
    name: &str,
    end: &str,
    make: impl Fn(&Path) -> io::Result<T>,
) -> io::Result<PathBuf> {
    let (folder, process) = (env::temp_dir(), process::id());
    for number in 0..NAMES {
        let path = folder.join(format!("{name}-{process}-{number}{end}"));
        match make(&path) {
            Ok(_) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(making(error.kind(), path.display(), &plain_words(&error))),
        }
    }
    let all = folder.join(format!("{name}-{process}-*{end}"));
    let why = "all names are taken";
    Err(making(io::ErrorKind::AlreadyExists, all.display(), &why))
}

fn making(kind: io::ErrorKind, path: impl fmt::Display, why: &impl fmt::Display) -> io::Error {
    io::Error::new(kind, format!("making {path}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_name_that_is_taken_is_left_alone_and_another_is_found() {
        let make = || temporary("groundwire-unit", "", |path| fs::create_dir(path)).unwrap();
        let first = make();
        fs::write(first.join("mine"), "").unwrap();
        let second = make();
        assert_ne!(first, second);
        assert!(first.join("mine").exists() && !second.join("mine").exists());
        fs::remove_dir_all(&first).unwrap();
        let link = first;
        std::os::unix::fs::symlink(&second, &link).unwrap();
        let third = make();
        assert!(third != link && third != second);
        fs::remove_file(&link).unwrap();
        fs::remove_dir(&second).unwrap();
        fs::remove_dir(&third).unwrap();
    }

    #[test]
    fn when_nothing_can_be_made_it_says_where_and_why() {
        let refuse = |number: i32| {
            let refused = |_: &Path| Err::<(), _>(io::Error::from_raw_os_error(number));
            temporary("x", ".y", refused).unwrap_err().to_string()
        };
        let (folder, process) = (env::temp_dir(), process::id());
        let at = |number| format!("making {}/x-{process}-{number}.y", folder.display());
        assert_eq!(refuse(13), format!("{}: permission denied", at("0")));
        assert_eq!(refuse(17), format!("{}: all names are taken", at("*")));
    }
}
