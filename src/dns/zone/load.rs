//! Zone files from the file system: the thin shell around [`parse`].
//!
//! An included file must be in the folder of the zone's own file or below it. Its path is resolved
//! before it is read, so neither `..` nor a symbolic link leads out. Only regular files are read,
//! and of each file no more than the limit.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::parser::{Limits, Parsed, parse};
use super::problem::Problem;
use crate::dns::name::Name;
use crate::net::plain_words;

/// Why a zone could not be loaded.
#[derive(Debug)]
pub enum LoadError {
    /// The file cannot be read.
    File {
        /// The path as it was given.
        path: String,
        /// The system's error.
        source: io::Error,
    },
    /// The problems found: at least one error.
    Zone(Vec<Problem>),
}

impl fmt::Display for LoadError {
    /// One line per error.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::File { path, source } => write!(f, "{path}: {source}"),
            LoadError::Zone(problems) => {
                let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
                f.write_str(&lines.join("\n"))
            }
        }
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            LoadError::File { source, .. } => Some(source),
            LoadError::Zone(problems) => problems.first().map(|first| first as _),
        }
    }
}

/// Reads a zone from a file and the files that it includes. Names are relative to `origin` until
/// the file sets another one. Blocks on the file system only.
pub fn load(path: &Path, origin: Option<&Name>, limits: Limits) -> Result<Parsed, LoadError> {
    let shown = path.display().to_string();
    let fail = |source| LoadError::File {
        path: shown.clone(),
        source,
    };
    let whole = path.canonicalize().map_err(fail)?;
    let text = read(&whole, limits.octets).map_err(fail)?;
    let folder = whole.parent().unwrap_or(Path::new("/"));
    let mut include = |name: &str| {
        let file = folder.join(name).canonicalize();
        let file = file.map_err(|error| plain_words(&error))?;
        if !file.starts_with(folder) {
            return Err("leads out of the folder of the zone".into());
        }
        read(&file, limits.octets).map_err(|error| plain_words(&error))
    };
    parse(&shown, &text, origin, limits, &mut include).map_err(LoadError::Zone)
}

fn read(path: &Path, limit: usize) -> io::Result<String> {
    let refuse = |why: String| Err(io::Error::new(io::ErrorKind::InvalidData, why));
    // Checked before the file is opened: opening a pipe would block.
    if !path.metadata()?.is_file() {
        return refuse("not a regular file".into());
    }
    let mut octets = Vec::new();
    let most = (limit as u64).saturating_add(1);
    File::open(path)?.take(most).read_to_end(&mut octets)?;
    if octets.len() > limit {
        return refuse(format!("more than {limit} octets"));
    }
    match String::from_utf8(octets) {
        Ok(text) => Ok(text),
        Err(error) => {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = 1 + good.iter().filter(|octet| **octet == b'\n').count();
            refuse(format!(
                "line {line} is not UTF-8; write other octets as \\DDD"
            ))
        }
    }
}
