//! Fields of a packet in a line, as `tshark -T fields -e FIELD -E OPTION` prints them. Pure.
//!
//! ```text
//! frame.number,tcp.port            header=y separator=,
//! "5","80,40000"                   quote=d
//! "12",                            no value: nothing, not even quotes
//! ```
//!
//! As in tshark, a quote or a separator within a value is not escaped: choose characters that do
//! not occur in the values.

use std::fmt;

use super::super::decode::Decoded;
use super::{Field, Messages, Value};
use crate::cli::nearest;

/// Which of several values of a field are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Occurrence {
    First,
    Last,
    All,
}

/// The options, by their names in `-E`.
const OPTIONS: &str = "header=y|n separator=/t|/s|C occurrence=f|l|a aggregator=,|/s|C quote=d|s|n";

/// The fields of a line, and how it is written.
#[derive(Clone, Debug)]
pub struct Line {
    fields: Vec<&'static Field>,
    header: bool,
    separator: char,
    occurrence: Occurrence,
    aggregator: char,
    quote: Option<char>,
}

/// What is wrong with the options of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineError {
    /// No field has this name; a similar name, if there is one.
    Field(String, Option<&'static str>),
    /// No such option, or no such value of it.
    Option(String),
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LineError::Field(name, near) => {
                write!(f, "no field has the name {name:?}")?;
                near.map_or(Ok(()), |near| write!(f, "; is it {near}?"))
            }
            LineError::Option(option) => {
                write!(f, "{option:?} is none of the options {OPTIONS}")
            }
        }
    }
}

impl std::error::Error for LineError {}

impl Line {
    /// A line of these fields, separated by tabs, several values by commas, without header and
    /// quotes.
    pub fn new<'n>(fields: impl IntoIterator<Item = &'n str>) -> Result<Self, LineError> {
        let find = |name: &str| {
            Field::find(name).ok_or_else(|| {
                let near = nearest(name, Field::all().map(Field::name));
                LineError::Field(name.to_string(), near)
            })
        };
        Ok(Self {
            fields: fields.into_iter().map(find).collect::<Result<_, _>>()?,
            header: false,
            separator: '\t',
            occurrence: Occurrence::All,
            aggregator: ',',
            quote: None,
        })
    }

    /// Sets an option: `separator=,`. Only the first character of a separator counts; `/t` is a
    /// tab, `/s` a space.
    pub fn set(&mut self, option: &str) -> Result<(), LineError> {
        let wrong = || LineError::Option(option.to_string());
        let (name, value) = option.split_once('=').ok_or_else(wrong)?;
        let character = match value {
            "/t" => Some('\t'),
            "/s" => Some(' '),
            _ => value.chars().next(),
        };
        let character = character.ok_or_else(wrong)?;
        match (name, character) {
            ("header", 'y' | 'Y') => self.header = true,
            ("header", 'n' | 'N') => self.header = false,
            ("separator", _) => self.separator = character,
            ("aggregator", _) => self.aggregator = character,
            ("occurrence", 'f') => self.occurrence = Occurrence::First,
            ("occurrence", 'l') => self.occurrence = Occurrence::Last,
            ("occurrence", 'a') => self.occurrence = Occurrence::All,
            ("quote", 'd') => self.quote = Some('"'),
            ("quote", 's') => self.quote = Some('\''),
            ("quote", 'n') => self.quote = None,
            _ => return Err(wrong()),
        }
        Ok(())
    }

    /// Adds the header line with its end, if the option is set.
    pub fn header(&self, out: &mut String) {
        if !self.header {
            return;
        }
        for (at, field) in self.fields.iter().enumerate() {
            self.separate(at, out);
            out.push_str(field.name());
        }
        out.push('\n');
    }

    /// Adds the line of a packet, with its end.
    pub fn packet(&self, decoded: &Decoded<'_>, out: &mut String) {
        let messages = Messages::default();
        for (at, field) in self.fields.iter().enumerate() {
            self.separate(at, out);
            let start = out.len();
            let mut count = 0u64;
            field.values_with(decoded, &messages, &mut |value| {
                self.value(field, value, (start, count), out);
                count += 1;
            });
            if count > 0 {
                out.extend(self.quote);
            }
        }
        out.push('\n');
    }

    /// Adds a value, after `count` others of its field, whose text begins at `start`.
    fn value(
        &self,
        field: &Field,
        value: Value<'_>,
        (start, count): (usize, u64),
        out: &mut String,
    ) {
        match self.occurrence {
            Occurrence::First if count > 0 => return,
            Occurrence::Last => out.truncate(start),
            Occurrence::All if count > 0 => out.push(self.aggregator),
            _ => {}
        }
        if out.len() == start {
            out.extend(self.quote);
        }
        value.show(field.kind(), out);
    }

    fn separate(&self, at: usize, out: &mut String) {
        if at > 0 {
            out.push(self.separator);
        }
    }
}
