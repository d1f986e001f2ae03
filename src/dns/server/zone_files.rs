//! The zone files of a server, `[NAME=]FILE` on the command line: all are read together, and read
//! again while the server runs.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use super::answerer::Shared;
use crate::dns::answer::{SameApex, Zones};
use crate::dns::zone::{self, Limits, LoadError, Parsed, Problem, Zone};
use crate::dns::{Name, NameError};
use crate::net::plain_words;

/// A zone file, and the name of its zone if the file does not say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneFile {
    /// Names in the file are relative to this until it sets another origin.
    pub origin: Option<Name>,
    /// The file's path.
    pub path: PathBuf,
}

impl FromStr for ZoneFile {
    type Err = NameError;

    /// Reads `lab.example=zones/lab.zone`, or a path alone. A path with `=` in its first part has
    /// to begin with `./`.
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

/// Zones that can be served, and their warnings.
#[derive(Debug)]
pub struct Loaded {
    /// The zones.
    pub zones: Zones,
    /// `file:line:column: what`, each.
    pub warnings: Vec<Problem>,
    /// A line per zone: its name, serial and number of records.
    pub summary: Vec<String>,
}

impl Loaded {
    /// Reads all files. On failure, has a line for each error of all files.
    pub fn read(files: &[ZoneFile]) -> Result<Self, Faults> {
        let (mut parsed, mut faults) = (Vec::new(), Vec::new());
        for file in files {
            match zone::load(&file.path, file.origin.as_ref(), Limits::default()) {
                Ok(mut zone) => {
                    zone.warnings.splice(0..0, other_name(file, &zone));
                    parsed.push(zone);
                }
                Err(LoadError::Zone(problems)) => {
                    faults.extend(problems.iter().map(Problem::to_string));
                    faults.extend(nameless(file, &problems));
                }
                Err(LoadError::File { path, source }) => {
                    faults.push(format!("{path}: {}", plain_words(&source)));
                }
            }
        }
        if faults.is_empty() {
            Self::of(parsed, files)
        } else {
            Err(Faults(faults))
        }
    }

    /// The sample zones.
    pub fn samples() -> Result<Self, Faults> {
        match zone::samples() {
            Ok(parsed) => Self::of(parsed, &[]),
            Err(problems) => Err(Faults(problems.iter().map(Problem::to_string).collect())),
        }
    }

    /// The zones of these files, one per file.
    fn of(parsed: Vec<Parsed>, files: &[ZoneFile]) -> Result<Self, Faults> {
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
        let zones = Zones::new(zones.iter().cloned())
            .map_err(|same| Faults(vec![same_apex(&same, &zones, files)]))?;
        Ok(Self {
            zones,
            warnings,
            summary,
        })
    }
}

/// The warning that a file's own name for its zone is not the name that was asked for.
fn other_name(file: &ZoneFile, parsed: &Parsed) -> Option<Problem> {
    let (asked, apex) = (file.origin.as_ref()?, parsed.zone.apex());
    let what = format!("the zone begins at {apex}, though {asked} was asked for");
    (asked != apex).then(|| Problem {
        file: file.path.display().to_string().into(),
        line: 1,
        column: 1,
        what,
    })
}

/// Which files have the same zone.
fn same_apex(same: &SameApex, zones: &[Arc<Zone>], files: &[ZoneFile]) -> String {
    let them = files
        .iter()
        .zip(zones)
        .filter(|one| *one.1.apex() == same.0);
    let paths: Vec<String> = them.map(|one| one.0.path.display().to_string()).collect();
    format!("{}: {same}", paths.join(", "))
}

/// A hint for a file with relative names and no origin to complete them.
fn nameless(file: &ZoneFile, problems: &[Problem]) -> Option<String> {
    let why = NameError::Relative.to_string();
    let is_nameless = file.origin.is_none() && problems.iter().any(|p| p.what.ends_with(&why));
    let path = file.path.display();
    is_nameless.then(|| format!("{path}: say its name: NAME={path}, or $ORIGIN NAME in it"))
}

/// A change that secondaries would not notice: they go by the serial (RFC 1982 §3.2).
fn serial_fault(before: &Zone, after: &Zone) -> Option<&'static str> {
    // Newer is a difference below 2^31.
    match after.serial().wrapping_sub(before.serial()) {
        0 if before.has_records_of(after) => None,
        0 => Some("the zone has changed and its serial has not"),
        1..0x8000_0000 => None,
        _ => Some("the serial has gone back"),
    }
}

/// Why zones cannot be served: a line per error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(pub Vec<String>);

impl fmt::Display for Faults {
    /// The first error, and how many more there are.
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

    /// Reads all files and serves the new zones from now on. If one has errors, nothing changes,
    /// and each error is logged. Blocks on the file system; queries are answered meanwhile.
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
                let mut before = current.hold();
                let before = before.zones(current);
                for zone in loaded.zones.iter() {
                    let fault = before.at(zone.apex()).and_then(|b| serial_fault(b, zone));
                    let fields: [(&str, &dyn fmt::Display); 2] =
                        [("zone", zone.apex()), ("serial", &zone.serial())];
                    if let Some(fault) = fault {
                        log.warn(name, fault, &fields);
                    }
                }
                current.replace(loaded.zones);
                counts.reloads.inc();
                counts.loaded_now();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(serial: u32, text: &str) -> Zone {
        let text = format!("$ORIGIN z.\n$TTL 60\n@ SOA a. b. {serial} 1 1 1 1\n@ NS a.\n{text}");
        let mut none = |_: &str| Err(String::new());
        let parsed = zone::parse("z", &text, None, Limits::default(), &mut none);
        parsed.unwrap().zone
    }

    #[test]
    fn a_serial_that_secondaries_would_not_follow_is_told_of() {
        let before = zone(u32::MAX, "a A 192.0.2.1\nb A 192.0.2.2\n");
        let fault = |serial, text| serial_fault(&before, &zone(serial, text));
        assert_eq!(fault(u32::MAX, "b A 192.0.2.2\na A 192.0.2.1\n"), None);
        for changed in [
            "a A 192.0.2.1\n",
            "a A 192.0.2.1\nb A 192.0.2.3\n",
            "a A 192.0.2.1\nc A 192.0.2.2\n",
        ] {
            assert!(fault(u32::MAX, changed).unwrap().contains("has not"));
            assert_eq!(fault(0, changed), None);
            assert_eq!(fault(0x7fff_fffe, changed), None);
        }
        for back in [u32::MAX - 1, 0x8000_0000] {
            assert_eq!(fault(back, ""), Some("the serial has gone back"));
        }
    }

    #[test]
    fn a_file_that_is_not_of_the_zone_asked_for_is_told_of_and_one_of_none_gets_a_hint() {
        let folder = std::env::temp_dir().join(format!("groundwire-zones-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("z");
        let read = |origin: Option<&str>, head: &str| {
            std::fs::write(
                &path,
                format!("{head}@ 60 SOA a. b. 1 1 1 1 1\n@ 60 NS a.\n"),
            )
            .unwrap();
            let origin = origin.map(|name| Name::parse(name).unwrap());
            Loaded::read(&[ZoneFile {
                origin,
                path: path.clone(),
            }])
        };
        let warnings = read(Some("other.test"), "$ORIGIN lab.test.\n")
            .unwrap()
            .warnings;
        assert_eq!(
            warnings[0].what,
            "the zone begins at lab.test., though other.test. was asked for"
        );
        assert!(
            read(Some("LAB.test"), "$ORIGIN lab.test.\n")
                .unwrap()
                .warnings
                .is_empty()
        );
        let Err(faults) = read(None, "") else {
            panic!("it has no name")
        };
        assert!(
            faults.0.last().unwrap().contains("say its name: NAME="),
            "{faults:?}"
        );
        let other = folder.join("other");
        std::fs::copy(&path, &other).unwrap();
        let file = |name: &str, path: &PathBuf| ZoneFile {
            origin: Some(Name::parse(name).unwrap()),
            path: path.clone(),
        };
        let files = [("a.test", &path), ("b.test", &path), ("A.test", &other)];
        let Err(faults) = Loaded::read(&files.map(|(name, path)| file(name, path))) else {
            panic!("two begin at one name")
        };
        let (one, two) = (path.display(), other.display());
        let what = format!("{one}, {two}: two zones begin at A.test.");
        assert_eq!(faults.0, [what]);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
