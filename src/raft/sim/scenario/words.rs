//! A line of a scenario, word by word: numbers, times, spans, shares, each with its limits.

use std::time::Duration;

use super::{MAX_DURATION, Share, Span};
use crate::cli::DurationArg;

/// The most characters of a key or value.
const MAX_WORD: usize = 64;

/// The words of one line.
pub(super) struct Words<'a> {
    rest: std::iter::Peekable<std::str::SplitWhitespace<'a>>,
}

impl<'a> Words<'a> {
    pub(super) fn new(line: &'a str) -> Self {
        let rest = line.split_whitespace().peekable();
        Self { rest }
    }

    pub(super) fn next(&mut self) -> Option<&'a str> {
        self.rest.next()
    }

    pub(super) fn peek(&mut self) -> Option<&'a str> {
        self.rest.peek().copied()
    }

    /// Takes this word if it comes next; true if it did.
    pub(super) fn take(&mut self, word: &str) -> bool {
        self.rest.next_if_eq(&word).is_some()
    }

    pub(super) fn the(&mut self, word: &str) -> Result<(), String> {
        match self.take(word) {
            true => Ok(()),
            false => Err(format!(
                "`{word}` is expected, not `{}`",
                self.peek().unwrap_or_default()
            )),
        }
    }

    pub(super) fn word(&mut self, expected: &str) -> Result<&'a str, String> {
        self.next()
            .ok_or_else(|| format!("{expected} is expected at the end of the line"))
    }

    /// A key or value.
    pub(super) fn text(&mut self, expected: &str) -> Result<String, String> {
        let word = self.word(expected)?;
        match word.chars().count() {
            0..=MAX_WORD => Ok(word.to_owned()),
            length => Err(format!(
                "{expected} of {length} characters, at most {MAX_WORD}"
            )),
        }
    }

    pub(super) fn number(&mut self, expected: &str, least: u64, most: u64) -> Result<u64, String> {
        number(self.word(expected)?, expected, least, most)
    }

    pub(super) fn time(&mut self, expected: &str) -> Result<Duration, String> {
        time(self.word(expected)?)
    }

    /// `1ms..10ms`, or `5ms` for exactly that.
    pub(super) fn span(&mut self) -> Result<Span, String> {
        let word = self.word("a time or a span such as 1ms..10ms")?;
        let (least, most) = word.split_once("..").unwrap_or((word, word));
        let (least, most) = (time(least)?, time(most)?);
        match least <= most {
            true => Ok(Span { least, most }),
            false => Err(format!("`{word}` begins above its end")),
        }
    }

    /// `5%`, `0.25%`.
    pub(super) fn share(&mut self) -> Result<Share, String> {
        let word = self.word("a share such as 5%")?;
        let wrong = || format!("`{word}`: expected a share of 0% to 100%, such as 2.5%");
        let number = word.strip_suffix('%').ok_or_else(wrong)?;
        let (whole, rest) = number.split_once('.').unwrap_or((number, "0"));
        let scale = match rest.len() {
            1 => 10,
            2 => 1,
            _ => return Err(wrong()),
        };
        let whole = self::number(whole, "", 0, 100).map_err(|_| wrong())?;
        let rest = self::number(rest, "", 0, 99).map_err(|_| wrong())?;
        match whole * 100 + rest * scale {
            share @ 0..=10_000 => Ok(Share(share as u32)),
            _ => Err(wrong()),
        }
    }

    pub(super) fn end(&mut self) -> Result<(), String> {
        match self.next() {
            None => Ok(()),
            Some(word) => Err(format!("`{word}`: the end of the line is expected")),
        }
    }
}

pub(super) fn number(word: &str, expected: &str, least: u64, most: u64) -> Result<u64, String> {
    let digits = word.bytes().all(|byte| byte.is_ascii_digit());
    match word.parse() {
        Ok(number) if digits && (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("`{word}`: expected {expected}, {least} to {most}")),
    }
}

pub(super) fn time(word: &str) -> Result<Duration, String> {
    let time: DurationArg = word.parse().map_err(|error| format!("`{word}`: {error}"))?;
    let time = time.get();
    if time > MAX_DURATION {
        return Err(format!("`{word}`: at most one hour"));
    }
    match time.subsec_nanos() % 1000 {
        0 => Ok(time),
        _ => Err(format!("`{word}`: whole microseconds are expected")),
    }
}
