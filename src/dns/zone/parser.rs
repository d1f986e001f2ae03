//! Zone files: from text to records (RFC 1035 §5.1, RFC 2308 §4).
//!
//! ```text
//!   $ORIGIN example.        completes names without a dot at their end
//!   $TTL 1h                 for records that state none
//!   $INCLUDE hosts.zone     another file of the same folder, with an origin of its own if one follows
//!   @  3600 IN NS  ns1      owner, TTL and class in either order and both optional, type, data
//!              A   192.0.2.1        no owner: the one before
//!      TYPE65280   \# 2 BEEF        any type, in octets (RFC 3597 §5)
//! ```
//!
//! A record without a TTL takes the `$TTL`; without `$TTL`, the TTL of the record before it (RFC
//! 1035 §5.1). An initial SOA record without either takes its own `minimum`, as in other tools;
//! because RFC 2308 §4 wants another source, there is a warning. A TTL may have units (`1h`), as in
//! other tools, though RFC 1035 has only decimal numbers.
//! After `$INCLUDE`, the origin is again what it was before it (RFC 1035 §5.1), and so is the owner,
//! but a `$TTL` lasts, whichever file it was in (RFC 2308 §4). `$GENERATE`, which is BIND's, is
//! refused.
//!
//! The caller provides a function for the text of included files: no file is read here.

use super::Zone;
use super::build;
use super::lexer::{Entry, Fault, Lexer};
use super::problem::{Place, Problem, Report};
use crate::dns::code::{Class, RecordType};
use crate::dns::data::Data;
use crate::dns::error::TextError;
use crate::dns::name::Name;
use crate::dns::record::Record;
use crate::dns::text::{Fields, Token, parse_seconds};

/// How deep files may include each other.
const MAX_DEPTH: usize = 8;

/// How large a zone may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Octets of all files together; 256 MiB by default.
    pub octets: usize,
    /// Records, and as many names, including empty non-terminals; 4 million by default.
    pub records: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            octets: 256 << 20,
            records: 4_000_000,
        }
    }
}

/// Returns the text of an included file, given its name as written, or why there is none.
pub type Include<'a> = &'a mut dyn FnMut(&str) -> Result<String, String>;

/// A zone that can be served, and its warnings.
#[derive(Debug)]
pub struct Parsed {
    /// The zone.
    pub zone: Zone,
    /// Faults that are not errors, but are probably not intended.
    pub warnings: Vec<Problem>,
}

/// A record and its place in the file.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) record: Record,
    pub(super) place: Place,
}

/// Reads a zone from the text of its file; `file` is its name in errors. Names are relative to
/// `origin` until the file sets another one. On failure, returns at least one error and at most
/// [`MAX_ERRORS`](super::MAX_ERRORS).
pub fn parse(
    file: &str,
    text: &str,
    origin: Option<&Name>,
    limits: Limits,
    include: Include<'_>,
) -> Result<Parsed, Vec<Problem>> {
    let mut parser = Parser {
        limits,
        include,
        folder: file.rfind('/').map_or("", |slash| &file[..=slash]),
        octets: 0,
        records: Vec::new(),
        report: Report::default(),
    };
    let mut scope = Scope {
        file: parser.report.add_file(file),
        depth: 0,
        origin: origin.cloned(),
        owner: None,
        default_ttl: None,
        last_ttl: None,
    };
    parser.read(text, &mut scope);
    let Parser {
        records,
        mut report,
        ..
    } = parser;
    // If a file was read only in part, missing records are no error.
    let zone = match report.errors.is_empty() {
        true => build::zone(records, limits, &mut report),
        false => None,
    };
    match zone {
        Some(zone) if report.errors.is_empty() => Ok(Parsed {
            zone,
            warnings: report.warnings,
        }),
        _ => Err(report.errors),
    }
}

/// The state that passes from one entry to the next.
#[derive(Clone)]
struct Scope {
    file: usize,
    depth: usize,
    origin: Option<Name>,
    owner: Option<Name>,
    default_ttl: Option<u32>,
    last_ttl: Option<u32>,
}

struct Parser<'a> {
    limits: Limits,
    include: Include<'a>,
    /// Prefixed to the names of included files in errors, so that the reader finds them.
    folder: &'a str,
    octets: usize,
    records: Vec<Placed>,
    report: Report,
}

impl Parser<'_> {
    fn read(&mut self, text: &str, scope: &mut Scope) {
        self.octets += text.len();
        if self.octets > self.limits.octets {
            let what = format!("zone of more than {} octets", self.limits.octets);
            return self.report.stop(Place::start(scope.file), what);
        }
        for entry in Lexer::new(scope.file, text) {
            let read = entry.and_then(|entry| self.entry(&entry, scope));
            if let Err(fault) = read {
                self.report.error(fault.place, fault.what);
            }
            if self.report.is_full() {
                return;
            }
        }
    }

    fn entry(&mut self, entry: &Entry, scope: &mut Scope) -> Result<(), Fault> {
        let words = &mut Words::new(entry);
        match words.peek() {
            Some(token) if token.text.starts_with('$') && !token.quoted && !entry.is_indented => {
                self.directive(words, scope)
            }
            _ => self.record(words, entry.is_indented, scope),
        }
    }

    fn directive(&mut self, words: &mut Words<'_>, scope: &mut Scope) -> Result<(), Fault> {
        let place = words.place();
        let directive = words.take("directive")?;
        match directive.text.to_ascii_uppercase().as_str() {
            "$ORIGIN" => scope.origin = Some(words.name("origin", scope)?),
            "$TTL" => {
                let place = words.place();
                let token = words.take("TTL")?;
                let ttl = parse_seconds(&token.text).ok_or_else(|| bad_ttl(place, token))?;
                scope.default_ttl = Some(self.bounded_ttl(ttl, place));
            }
            "$INCLUDE" => return self.include(words, scope),
            _ => {
                let what = format!("{:?} is not a directive here", directive.text);
                return Err(Fault::new(place, what));
            }
        }
        words.finish()
    }

    fn include(&mut self, words: &mut Words<'_>, scope: &mut Scope) -> Result<(), Fault> {
        let place = words.place();
        let name = &words.take("file")?.text;
        let mut inner = scope.clone();
        if words.peek().is_some() {
            inner.origin = Some(words.name("origin", scope)?);
        }
        words.finish()?;
        if scope.depth >= MAX_DEPTH {
            let what = format!("files include each other more than {MAX_DEPTH} deep");
            return Err(Fault::new(place, what));
        }
        let refused = |why: &str| Fault::new(place, format!("$INCLUDE {name:?}: {why}"));
        if !is_below(name) {
            return Err(refused("not a path below the folder of the zone"));
        }
        let text = (self.include)(name).map_err(|why| refused(&why))?;
        inner.depth += 1;
        inner.file = self.report.add_file(&format!("{}{name}", self.folder));
        self.read(&text, &mut inner);
        (scope.default_ttl, scope.last_ttl) = (inner.default_ttl, inner.last_ttl);
        Ok(())
    }

    fn record(
        &mut self,
        words: &mut Words<'_>,
        is_indented: bool,
        scope: &mut Scope,
    ) -> Result<(), Fault> {
        let place = words.place();
        let owner = match (is_indented, &scope.owner) {
            (false, _) => words.name("owner", scope)?,
            (true, Some(owner)) => owner.clone(),
            (true, None) => return Err(Fault::new(place, "no owner, and none before it")),
        };
        scope.owner = Some(owner.clone());
        let (ttl, kind) = self.ttl_and_type(words)?;
        // Set even if the data are wrong: later records may depend on it.
        scope.last_ttl = ttl.or(scope.last_ttl);
        let data = words.data(kind, scope)?;
        let ttl = match (ttl, scope.default_ttl, scope.last_ttl, &data) {
            (Some(stated), ..) => stated,
            (_, Some(default), ..) => default,
            (_, _, Some(last), _) => last,
            (.., Data::Soa(soa)) => {
                let what = "no TTL and no $TTL before it: the SOA's minimum is taken";
                self.report.warning(place, what);
                self.bounded_ttl(soa.minimum, place)
            }
            _ => return Err(Fault::new(place, "no TTL, and no $TTL or TTL before it")),
        };
        scope.last_ttl = Some(ttl);
        if self.records.len() >= self.limits.records {
            let what = format!("zone of more than {} records", self.limits.records);
            self.report.stop(place, what);
            return Ok(());
        }
        let record = Record::new(owner, ttl, data);
        self.records.push(Placed { record, place });
        Ok(())
    }

    /// Reads `[TTL] [class] type` or `[class] [TTL] type`.
    fn ttl_and_type(&mut self, words: &mut Words<'_>) -> Result<(Option<u32>, RecordType), Fault> {
        let (mut ttl, mut class) = (None, None);
        loop {
            let place = words.place();
            let token = words.take("type")?;
            let text = token.text.as_str();
            if token.quoted {
                let what = format!("{text:?} is a string and no record type");
                return Err(Fault::new(place, what));
            }
            // No type or class begins with a digit.
            if ttl.is_none() && text.starts_with(|first: char| first.is_ascii_digit()) {
                let seconds = parse_seconds(text).ok_or_else(|| bad_ttl(place, token))?;
                ttl = Some(self.bounded_ttl(seconds, place));
                continue;
            }
            match text.parse() {
                Ok(Class::IN) if class.is_none() => class = Some(Class::IN),
                Ok(other) if class.is_none() => {
                    let what = format!("class {other}: only IN is served");
                    return Err(Fault::new(place, what));
                }
                _ => match text.parse::<RecordType>() {
                    Ok(kind) if !kind.is_meta() => return Ok((ttl, kind)),
                    Ok(kind) => {
                        let what = format!("{kind} is no type of records in a zone");
                        return Err(Fault::new(place, what));
                    }
                    Err(_) => {
                        let what = format!("{text:?} is no record type");
                        return Err(Fault::new(place, what));
                    }
                },
            }
        }
    }

    /// A TTL with the top bit set counts as 0 (RFC 2181 §8).
    fn bounded_ttl(&mut self, ttl: u32, place: Place) -> u32 {
        if ttl >> 31 == 0 {
            return ttl;
        }
        let what = format!("TTL {ttl} is above 2147483647 and counts as 0 (RFC 2181 §8)");
        self.report.warning(place, what);
        0
    }
}

fn bad_ttl(place: Place, token: &Token) -> Fault {
    let text = &token.text;
    let what = format!("TTL {text:?}: not a time of 0 to 4294967295 seconds");
    Fault::new(place, what)
}

/// Whether a path, by its text alone, stays below the folder that it is relative to.
fn is_below(path: &str) -> bool {
    let leads_elsewhere = path.starts_with('/') || path.split('/').any(|part| part == "..");
    !path.is_empty() && !path.contains('\0') && !leads_elsewhere
}

/// A cursor over the tokens of an entry.
struct Words<'e> {
    entry: &'e Entry,
    at: usize,
}

impl<'e> Words<'e> {
    fn new(entry: &'e Entry) -> Self {
        Self { entry, at: 0 }
    }

    fn peek(&self) -> Option<&'e Token> {
        self.entry.tokens.get(self.at)
    }

    /// Where the next token begins; after the last token, where the last one begins.
    fn place(&self) -> Place {
        let places = &self.entry.places;
        let place = places.get(self.at).or(places.last());
        // An entry has at least one token.
        place.copied().unwrap_or(Place::start(0))
    }

    fn take(&mut self, what: &str) -> Result<&'e Token, Fault> {
        let token = self.peek();
        let token = token.ok_or_else(|| Fault::new(self.place(), format!("{what} is missing")))?;
        self.at += 1;
        Ok(token)
    }

    fn name(&mut self, what: &str, scope: &Scope) -> Result<Name, Fault> {
        let place = self.place();
        let Token { text, quoted } = self.take(what)?;
        // In quotation marks, `@` is a plain character.
        let name = if *quoted && text == "@" { "\\@" } else { text };
        Name::parse_under(name, scope.origin.as_ref())
            .map_err(|error| Fault::new(place, format!("{what} {text:?}: {error}")))
    }

    fn data(&self, kind: RecordType, scope: &Scope) -> Result<Data, Fault> {
        let tokens = self.entry.tokens.get(self.at..).unwrap_or_default();
        let mut fields = Fields::new(tokens, scope.origin.as_ref());
        Data::parse(kind, &mut fields).map_err(|error| {
            let text = match &error {
                TextError::Missing(_) => None,
                TextError::Field(_, text, _) | TextError::TooMany(text) => Some(text),
            };
            // Fields are taken from the left: the wrong one is the last one taken, or else (digits
            // over several tokens) one with the text in the error.
            let taken = tokens.len() - fields.left();
            let is_it = |token: &Token| Some(&token.text) == text;
            let last = taken.checked_sub(1).filter(|last| is_it(&tokens[*last]));
            let index = last.or(tokens.iter().position(is_it));
            let at = self.at + index.unwrap_or(tokens.len());
            Fault::new(Words { at, ..*self }.place(), error.to_string())
        })
    }

    fn finish(&self) -> Result<(), Fault> {
        match self.peek() {
            None => Ok(()),
            Some(token) => {
                let what = format!("{:?} stands after the end of the directive", token.text);
                Err(Fault::new(self.place(), what))
            }
        }
    }
}
