//! Configurations from the file system: the thin shell around [`Config::parse`].

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::problem::{Problem, lines};
use super::service::Config;
use crate::cli::plain_words;

/// The largest file, in bytes: some ten thousand backends.
const MAX_BYTES: u64 = 1 << 20;

/// Why a configuration could not be loaded.
#[derive(Debug)]
pub enum LoadError {
    /// The file cannot be read.
    File {
        /// Its path as it was given.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// The configuration is wrong: at least one problem.
    Wrong(Vec<Problem>),
}

impl fmt::Display for LoadError {
    /// One line for each problem.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::File { path, source } => write!(f, "{path}: {}", plain_words(source)),
            LoadError::Wrong(problems) => f.write_str(&lines(problems)),
        }
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            LoadError::File { source, .. } => Some(source),
            LoadError::Wrong(problems) => problems.first().map(|first| first as _),
        }
    }
}

/// Reads a file and those that it includes. Blocks on the file system only. A file above 1 MiB, or
/// one that is not a regular file, is an error.
pub fn load(path: &str) -> Result<Config, LoadError> {
    let text = read(path).map_err(|source| LoadError::File {
        path: path.to_string(),
        source,
    })?;
    let mut include = |path: &str| read(path).map_err(|why| plain_words(&why));
    Config::parse(path, &text, &mut include).map_err(LoadError::Wrong)
}

fn read(path: &str) -> io::Result<String> {
    // Checked before it is opened: opening a FIFO would wait for its writer.
    if !Path::new(path).metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::other("larger than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::other("not UTF-8 text"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_and_what_it_includes_are_read_from_its_folder() {
        let folder = std::env::temp_dir().join(format!("groundwire-config-{}", std::process::id()));
        fs::create_dir_all(folder.join("pools")).unwrap();
        let path = folder.join("lb.conf").display().to_string();
        fs::write(&path, "listen :80\ninclude pools/a\n").unwrap();
        fs::write(folder.join("pools/a"), "include b\n").unwrap();
        fs::write(folder.join("pools/b"), "backend http://a:1\n").unwrap();
        assert_eq!(load(&path).unwrap().pools.len(), 1);

        fs::write(folder.join("pools/b"), "include .\ninclude c\nx\n").unwrap();
        let error = load(&path).unwrap_err().to_string();
        let lines: Vec<&str> = error
            .lines()
            .map(|line| line.split("/pools/").last().unwrap())
            .collect();
        assert_eq!(lines[0], "b:1: include .: not a regular file");
        assert_eq!(lines[1], "b:2: include c: no such file or directory");
        assert_eq!(lines[2], "b:3: x: no such word");
        fs::remove_dir_all(&folder).unwrap();
        assert!(
            load(&path)
                .unwrap_err()
                .to_string()
                .ends_with("lb.conf: no such file or directory")
        );
    }
}
