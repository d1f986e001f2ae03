//! From the text of a filter to its words, each with its place. Pure.

use super::error::{FilterError, Problem};

/// A word of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'t> {
    /// A name, a number, an address, `and`: what it is, the parser knows.
    Word(&'t str),
    /// Text in double quotes, without them, its escapes resolved.
    Quoted(Vec<u8>),
    /// An operator or a mark of punctuation.
    Sign(&'static str),
    /// No more.
    End,
}

/// A token and the byte of the text that it begins at.
#[derive(Clone, Debug)]
pub(super) struct Placed<'t> {
    pub token: Token<'t>,
    pub from: usize,
}

/// Longer ones first.
const SIGNS: [&str; 21] = [
    "!==", "===", "==", "!=", "~=", ">=", "<=", "&&", "||", "..", ">", "<", "!", "&", "(", ")",
    "{", "}", ",", "[", "]",
];

/// Takes tokens off a text.
pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// The error that the text has at this byte.
    pub(super) fn error(&self, from: usize, problem: Problem) -> FilterError {
        let before = self.text.get(..from).unwrap_or_default();
        FilterError {
            column: before.chars().count() + 1,
            problem,
        }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The next token; at the end of the text, [`Token::End`] again and again.
    pub(super) fn next(&mut self) -> Result<Placed<'t>, FilterError> {
        self.at = self.text.len() - self.rest().trim_start().len();
        let (from, rest) = (self.at, self.rest());
        let token = match rest.chars().next() {
            None => Token::End,
            Some('"') => self.quoted()?,
            Some(first) if is_word(first) && !rest.starts_with("..") => {
                let word = word(rest);
                self.at += word.len();
                Token::Word(word)
            }
            Some(first) => match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => {
                    self.at += sign.len();
                    Token::Sign(sign)
                }
                None => return Err(self.error(from, Problem::Character(first))),
            },
        };
        Ok(Placed { token, from })
    }

    /// A text in quotes, of which the first one comes next.
    fn quoted(&mut self) -> Result<Token<'t>, FilterError> {
        let from = self.at;
        let mut bytes = Vec::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((at, char)) = chars.next() {
            match char {
                '"' => {
                    self.at = from + at + 1;
                    return Ok(Token::Quoted(bytes));
                }
                '\\' => {
                    let escape = escape(&mut chars.by_ref().map(|(_, char)| char));
                    let wrong = || self.error(from + at, Problem::Escape);
                    bytes.push(escape.ok_or_else(wrong)?);
                }
                _ => bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        Err(self.error(from, Problem::OpenQuote))
    }
}

/// What stands behind a `\`.
fn escape(chars: &mut impl Iterator<Item = char>) -> Option<u8> {
    Some(match chars.next()? {
        '"' => b'"',
        '\\' => b'\\',
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'x' => {
            let high = chars.next()?.to_digit(16)?;
            let low = chars.next()?.to_digit(16)?;
            u8::try_from(high << 4 | low).ok()?
        }
        _ => return None,
    })
}

fn is_word(char: char) -> bool {
    char.is_alphanumeric() || "._-+:/@%*?;".contains(char)
}

/// The word that the text begins with. The two dots of a range (`80..90`) end it.
fn word(text: &str) -> &str {
    let end = text.find(|char| !is_word(char)).unwrap_or(text.len());
    let word = text.get(..end).unwrap_or_default();
    word.split("..").next().unwrap_or_default()
}
