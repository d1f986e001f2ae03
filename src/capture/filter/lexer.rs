//! From the text of a filter to its tokens, each with its place. Pure.

use super::error::{FilterError, Problem};

/// A token of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'t> {
    /// A name, a number, an address, `and`: the parser decides which.
    Word(&'t str),
    /// Text in double quotes, without them, its escapes resolved.
    Quoted(Vec<u8>),
    /// An operator or a punctuation mark.
    Sign(&'static str),
    /// The end of the text.
    End,
}

/// A token and the offset of its first byte in the text.
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

/// Takes tokens from a text.
pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// The error for a fault at this byte of the text.
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

    /// The next token; at the end of the text, [`Token::End`] every time.
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

    /// A quoted text, whose opening quote comes next.
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

/// The meaning of the characters after a `\`.
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

/// The word at the start of the text. The two dots of a range (`80..90`) end it.
fn word(text: &str) -> &str {
    let end = text.find(|char| !is_word(char)).unwrap_or(text.len());
    let word = text.get(..end).unwrap_or_default();
    word.split("..").next().unwrap_or_default()
}
