//! The text of a zone file, cut into entries of tokens (RFC 1035 §5.1).
//!
//! ```text
//!   www  IN  TXT  ( "one string" ; a comment
//!                   two )
//!   |    |   |      |            |
//!   |    |   |      |            |
//!   tokens; the entry goes on past the line's end while a parenthesis is open
//! ```
//!
//! An entry that begins with white space has no owner of its own. A quoted string must end on its
//! line. RFC 1035 allows a line end in it, but then a forgotten mark would swallow the rest of the
//! file; `\010` says the same.
//! A quotation mark within a word (`alpn="h2,h3"`) stays in the token, and so do escapes: their
//! meaning depends on the field. After an error, reading goes on with the next line.

use std::iter::Peekable;
use std::str::Chars;

use super::problem::Place;
use crate::dns::text::Token;

/// The longest token, in octets: 65,535 octets of RDATA in hexadecimal digits.
const MAX_TOKEN: usize = 2 * 65_535;
/// The most tokens of an entry: 65,535 octets of RDATA in empty strings, and the fields before
/// them.
const MAX_TOKENS: usize = 65_535 + 8;
/// The longest entry, in octets of its tokens: 65,535 octets of RDATA in escapes, twice over.
const MAX_ENTRY: usize = 8 * 65_535;

/// A directive or a record.
#[derive(Debug)]
pub(super) struct Entry {
    /// Whether it begins with white space: the owner is that of the record before.
    pub(super) is_indented: bool,
    /// Its tokens, at least one.
    pub(super) tokens: Vec<Token>,
    /// Where each token begins.
    pub(super) places: Vec<Place>,
}

/// Text that cannot be split into tokens: where, and why.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) place: Place,
    pub(super) what: String,
}

impl Fault {
    pub(super) fn new(place: Place, what: impl Into<String>) -> Self {
        let what = what.into();
        Self { place, what }
    }
}

/// Splits a text into entries.
pub(super) struct Lexer<'t> {
    rest: Peekable<Chars<'t>>,
    here: Place,
    /// Where the open parentheses are.
    open: Vec<Place>,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(file: usize, text: &'t str) -> Self {
        // Some editors begin a file with a byte order mark, which is not part of its text.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self {
            rest: text.chars().peekable(),
            here: Place::start(file),
            open: Vec::new(),
        }
    }

    fn take(&mut self) -> Option<char> {
        let letter = self.rest.next()?;
        if letter == '\n' {
            self.here.line += 1;
            self.here.column = 1;
        } else {
            self.here.column += 1;
        }
        Some(letter)
    }

    /// Reads the tokens of one entry: none on an empty line.
    fn entry(&mut self) -> Result<Entry, Fault> {
        let mut entry = Entry {
            is_indented: matches!(self.rest.peek(), Some(' ' | '\t')),
            tokens: Vec::new(),
            places: Vec::new(),
        };
        let mut octets = 0;
        loop {
            let place = self.here;
            let token = match self.take() {
                None if self.open.is_empty() => return Ok(entry),
                None => return Err(self.never_closed()),
                Some('\n') if self.open.is_empty() => return Ok(entry),
                Some(' ' | '\t' | '\r' | '\n') => continue,
                Some(';') => {
                    self.skip_line();
                    continue;
                }
                Some('(') => {
                    self.open.push(place);
                    continue;
                }
                Some(')') => {
                    if self.open.pop().is_none() {
                        return Err(Fault::new(place, "\")\" closes nothing"));
                    }
                    continue;
                }
                Some('"') => self.quoted(place)?,
                Some(first) => self.word(place, first)?,
            };
            octets += token.text.len();
            if octets > MAX_ENTRY || entry.tokens.len() >= MAX_TOKENS {
                return Err(Fault::new(place, "more than a record can hold"));
            }
            entry.tokens.push(token);
            entry.places.push(place);
        }
    }

    fn never_closed(&mut self) -> Fault {
        let place = self.open.first().copied().unwrap_or(self.here);
        self.open.clear();
        Fault::new(place, "\"(\" is never closed")
    }

    /// Goes to the end of the line, without taking it.
    fn skip_line(&mut self) {
        while self.rest.peek().is_some_and(|letter| *letter != '\n') {
            self.take();
        }
    }

    /// Reads a string after its opening quotation mark.
    fn quoted(&mut self, place: Place) -> Result<Token, Fault> {
        let mut text = String::new();
        self.string(place, &mut text)?;
        text.pop(); // the closing mark
        Ok(Token { text, quoted: true })
    }

    /// Takes everything up to and including the next quotation mark.
    fn string(&mut self, place: Place, text: &mut String) -> Result<(), Fault> {
        loop {
            match self.letter(place, text)? {
                Some('"') => return Ok(()),
                Some(_) => {}
                None => return Err(Fault::new(place, "string does not end in its line")),
            }
        }
    }

    fn word(&mut self, place: Place, first: char) -> Result<Token, Fault> {
        let mut text = String::from(first);
        if first == '\\' {
            self.escaped(place, &mut text)?;
        }
        while let Some(next) = self.rest.peek() {
            if matches!(next, ' ' | '\t' | '\r' | '\n' | ';' | '(' | ')') {
                break;
            }
            if self.letter(place, &mut text)? == Some('"') {
                self.string(place, &mut text)?;
            }
        }
        Ok(Token {
            text,
            quoted: false,
        })
    }

    /// Takes a character. If it is escaped, `text` gets all of it and the result is `\\`. `None` at
    /// the end of the line, which is not taken.
    fn letter(&mut self, place: Place, text: &mut String) -> Result<Option<char>, Fault> {
        if text.len() >= MAX_TOKEN {
            return Err(Fault::new(
                place,
                format!("word of more than {MAX_TOKEN} octets"),
            ));
        }
        match self.rest.peek() {
            None | Some('\n') => return Ok(None),
            Some(_) => {}
        }
        let letter = self.take();
        text.extend(letter);
        if letter == Some('\\') {
            self.escaped(place, text)?;
        }
        Ok(letter)
    }

    /// Takes what follows a backslash. Of `\DDD` it takes only the first digit: the others are
    /// plain.
    fn escaped(&mut self, place: Place, text: &mut String) -> Result<(), Fault> {
        match self.rest.peek() {
            None | Some('\n' | '\r') => Err(Fault::new(place, "backslash at the end of a line")),
            Some(_) => {
                text.extend(self.take());
                Ok(())
            }
        }
    }
}

impl Iterator for Lexer<'_> {
    type Item = Result<Entry, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.rest.peek().is_some() {
            match self.entry() {
                Ok(entry) if entry.tokens.is_empty() => {}
                Ok(entry) => return Some(Ok(entry)),
                Err(fault) => {
                    self.open.clear();
                    self.skip_line();
                    self.take();
                    return Some(Err(fault));
                }
            }
        }
        None
    }
}
