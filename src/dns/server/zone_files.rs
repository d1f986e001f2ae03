//! The zone files of a server: `[NAME=]FILE` on the command line, all read together, and read again
//! while it serves.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use super::answerer::Shared;
use crate::dns::answer::Zones;
use crate::dns::zone::{self, Limits, LoadError, Parsed, Problem};
use crate::dns::{Name, NameError};
use crate::net::plain_words;

/// A zone file, and the name that it is for, if it does not say so itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneFile {
    /// What names in it are relative to, until it says otherwise.
    pub origin: Option<Name>,
    /// Where it is.
    pub path: PathBuf,
}

impl FromStr for ZoneFile {
    type Err = NameError;

    /// Reads `lab.example=zones/lab.zone`, or a path alone. A path that has `=` in its first part
    /// begins with `./`.
    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.split_once('=') {
            Some((name, path)) if !name.contains('/') => Ok(Self {
                origin: Some(Name::parse(name)?),
                path: path.into(),
            }),
            _ => Ok(Self {
                origin: None,
                path: text.into(),
            }),
        }
    }
}

/// Zones that can be served, and what is doubtful about them.
#[derive(Debug)]
pub struct Loaded {
    /// The zones.
    pub zones: Zones,
    /// `file:line:column: what`, each.
    pub warnings: Vec<Problem>,
    /// A line for each zone: its name, serial and number of records.
    pub summary: Vec<String>,
}

impl Loaded {
    /// Reads all files. Fails with a line for each error, of all files.
    pub fn read(files: &[ZoneFile]) -> Result<Self, Faults> {
        let (mut parsed, mut faults) = (Vec::new(), Vec::new());
        for file in files {
            match zone::load(&file.path, file.origin.as_ref(), Limits::default()) {
                Ok(zone) => parsed.push(zone),
                Err(LoadError::Zone(problems)) => {
                    faults.extend(problems.iter().map(Problem::to_string));
                }
                Err(LoadError::File { path, source }) => {
                    faults.push(format!("{path}: {}", plain_words(&source)));
                }
            }
        }
        if faults.is_empty() {
            Self::of(parsed)
        } else {
            Err(Faults(faults))
        }
    }

    /// The sample zones.
    pub fn samples() -> Result<Self, Faults> {
        match zone::samples() {
            Ok(parsed) => Self::of(parsed),
            Err(problems) => Err(Faults(problems.iter().map(Problem::to_string).collect())),
        }
    }

    fn of(parsed: Vec<Parsed>) -> Result<Self, Faults> {
        let (mut zones, mut warnings, mut summary) = (Vec::new(), Vec::new(), Vec::new());
        for Parsed {
            zone,
            warnings: doubts,
        } in parsed
        {
            let (apex, serial, records) = (zone.apex(), zone.serial(), zone.record_count());
            summary.push(format!("{apex} serial {serial}, {records} records"));
            warnings.extend(doubts);
            zones.push(Arc::new(zone));
        }
        let zones = Zones::new(zones).map_err(|same| Faults(vec![same.to_string()]))?;
        Ok(Self {
            zones,
            warnings,
            summary,
        })
    }
}

/// Why zones cannot be served: a line for each error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(pub Vec<String>);

impl fmt::Display for Faults {
    /// The first, and how many more there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.first().map_or("no zone", String::as_str))?;
        match self.0.len().saturating_sub(1) {
            0 => Ok(()),
            more => write!(f, " (and {more} more)"),
        }
    }
}

impl std::error::Error for Faults {}

/// Reads the zone files again.
pub struct Reloader {
    files: Vec<ZoneFile>,
    shared: Arc<Shared>,
}

impl Reloader {
    pub(super) fn new(files: Vec<ZoneFile>, shared: Arc<Shared>) -> Self {
        Self { files, shared }
    }

    /// Reads all files and serves what they say from now on. When one is bad nothing changes, and
    /// each error is logged. Blocks on the file system; queries are answered meanwhile.
    pub fn reload(&self) -> Result<(), Faults> {
        let Shared {
            name,
            log,
            counts,
            current,
            ..
        } = &*self.shared;
        if self.files.is_empty() {
            log.info(name, "no zone file to read again", &[]);
            return Ok(());
        }
        match Loaded::read(&self.files) {
            Ok(loaded) => {
                current.replace(loaded.zones);
                counts.reloads.inc();
                for warning in &loaded.warnings {
                    log.warn(name, "doubtful", &[("at", warning)]);
                }
                for zone in &loaded.summary {
                    log.info(name, "zone read again", &[("zone", zone)]);
                }
                Ok(())
            }
            Err(faults) => {
                counts.reloads_failed.inc();
                for fault in &faults.0 {
                    log.error(name, "zones not replaced", &[("at", fault)]);
                }
                Err(faults)
            }
        }
    }
}
