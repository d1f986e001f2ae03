//! From text to a JSON value (RFC 8259), strictly: bytes in; a value, or an error and its place,
//! out.
//!
//! Where the RFC leaves a choice, this reader refuses, so that no other reader can understand an
//! accepted text in a different way:
//!
//! | text | RFC 8259 | here |
//! |---|---|---|
//! | two members of one name | §4: "SHOULD be unique" | refused |
//! | half of a surrogate pair, `"\ud800"` | §8.2: "unpredictable" | refused |
//! | a byte order mark | §8.1: "MAY ignore" | refused |
//! | depth, size | §9: "may set limits" | [`Limits`] |
//! | a number that fits no machine type | §6: "may set limits" | kept, as text |

use std::collections::BTreeMap;
use std::fmt;

use super::value::Value;

/// How much a reader accepts. A value takes up to about 40 times its text in memory (`[1,1,1,...`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest text, in bytes. Default 4 MiB.
    pub size: usize,
    /// How deeply arrays and objects may nest. Each level takes stack. Default 64.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            size: 4 << 20,
            depth: 64,
        }
    }
}

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The byte, from 0, at which reading stopped.
    pub offset: usize,
    /// The rule that is broken.
    pub why: Why,
}

/// How a text can fail to be JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Longer than [`Limits::size`], which is this.
    TooLong(usize),
    /// Deeper than [`Limits::depth`], which is this.
    TooDeep(usize),
    /// Not UTF-8 (§8.1).
    NotUtf8,
    /// This was expected here; the text has something else, or ends.
    Expected(&'static str),
    /// A control character in a string, which must be escaped (§7).
    Control,
    /// A backslash that begins none of the escapes of §7.
    Escape,
    /// Half of a surrogate pair.
    Surrogate,
    /// A second member of this name.
    Repeated(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not JSON: at byte {}: ", self.offset)?;
        match &self.why {
            Why::TooLong(most) => write!(f, "longer than {most} bytes"),
            Why::TooDeep(most) => write!(f, "nested deeper than {most}"),
            Why::NotUtf8 => f.write_str("not UTF-8"),
            Why::Expected(what) => write!(f, "expected {what}"),
            Why::Control => f.write_str("a control character that is not escaped"),
            Why::Escape => f.write_str("no such escape"),
            Why::Surrogate => f.write_str("half of a surrogate pair"),
            Why::Repeated(name) => write!(f, "a second member {name:?}"),
        }
    }
}

impl std::error::Error for Error {}

/// The whole text: one value and the space around it.
pub(super) fn value(text: &[u8], limits: &Limits) -> Result<Value, Error> {
    let error = |offset, why| Error { offset, why };
    if text.len() > limits.size {
        return Err(error(limits.size, Why::TooLong(limits.size)));
    }
    let text = std::str::from_utf8(text).map_err(|e| error(e.valid_up_to(), Why::NotUtf8))?;
    let mut reader = Reader {
        text,
        at: 0,
        most_depth: limits.depth,
    };
    reader.skip_space();
    let value = reader.value(0)?;
    reader.skip_space();
    match reader.peek() {
        None => Ok(value),
        Some(_) => reader.expected("the end"),
    }
}

/// A text and a place in it, always between two characters.
struct Reader<'a> {
    text: &'a str,
    at: usize,
    most_depth: usize,
}

impl Reader<'_> {
    /// `depth` counts the arrays and objects around the value.
    fn value(&mut self, depth: usize) -> Result<Value, Error> {
        match self.peek() {
            Some(b'{' | b'[') if depth >= self.most_depth => {
                self.fail(self.at, Why::TooDeep(self.most_depth))
            }
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.array(depth + 1),
            Some(b'"') => self.string().map(Value::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ if self.take("null") => Ok(Value::Null),
            _ if self.take("true") => Ok(Value::Bool(true)),
            _ if self.take("false") => Ok(Value::Bool(false)),
            _ => self.expected("a value"),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, Error> {
        let mut members = BTreeMap::new();
        self.at += 1;
        self.skip_space();
        if self.take("}") {
            return Ok(Value::Object(members));
        }
        loop {
            self.skip_space();
            let name_at = self.at;
            let name = self.string()?;
            self.skip_space();
            if !self.take(":") {
                return self.expected("a colon");
            }
            self.skip_space();
            let value = self.value(depth)?;
            if members.contains_key(&name) {
                return self.fail(name_at, Why::Repeated(name));
            }
            members.insert(name, value);
            self.skip_space();
            if self.take("}") {
                return Ok(Value::Object(members));
            }
            if !self.take(",") {
                return self.expected("a comma or }");
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, Error> {
        let mut items = Vec::new();
        self.at += 1;
        self.skip_space();
        if self.take("]") {
            return Ok(Value::Array(items));
        }
        loop {
            self.skip_space();
            items.push(self.value(depth)?);
            self.skip_space();
            if self.take("]") {
                return Ok(Value::Array(items));
            }
            if !self.take(",") {
                return self.expected("a comma or ]");
            }
        }
    }

    /// `-`? whole, then perhaps a fraction, then perhaps an exponent (§6).
    fn number(&mut self) -> Result<Value, Error> {
        let from = self.at;
        self.take("-");
        // A leading zero stands alone: `01` is a number and a surplus digit.
        if !self.take("0") {
            self.digits()?;
        }
        if self.take(".") {
            self.digits()?;
        }
        if self.take("e") || self.take("E") {
            let _ = self.take("+") || self.take("-");
            self.digits()?;
        }
        Ok(Value::Number(self.since(from).to_string()))
    }

    fn digits(&mut self) -> Result<(), Error> {
        let from = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        match self.at > from {
            true => Ok(()),
            false => self.expected("a digit"),
        }
    }

    /// A string with its quotes (§7).
    fn string(&mut self) -> Result<String, Error> {
        if !self.take("\"") {
            return self.expected("a string");
        }
        let mut text = String::new();
        loop {
            let from = self.at;
            // Every byte that ends a piece is ASCII, so the piece is whole characters.
            while self
                .peek()
                .is_some_and(|b| b >= b' ' && b != b'"' && b != b'\\')
            {
                self.at += 1;
            }
            text.push_str(self.since(from));
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(_) => return self.fail(self.at, Why::Control),
                None => return self.expected("the end of a string"),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Error> {
        let from = self.at;
        self.at += 1;
        let letter = self.peek();
        self.at += 1;
        Ok(match letter {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(from),
            _ => return self.fail(from, Why::Escape),
        })
    }

    /// What follows `\u`, and the second half if it begins a surrogate pair.
    fn unicode_escape(&mut self, from: usize) -> Result<char, Error> {
        let first = self.hex(from)?;
        let second = match first {
            0xd800..0xdc00 if self.take("\\u") => Some(self.hex(from)?),
            _ => None,
        };
        // Two units that are not a pair decode to an error and a rest; both are checked.
        let mut letters = char::decode_utf16([first].into_iter().chain(second));
        match (letters.next(), letters.next()) {
            (Some(Ok(letter)), None) => Ok(letter),
            _ => self.fail(from, Why::Surrogate),
        }
    }

    fn hex(&mut self, from: usize) -> Result<u16, Error> {
        let digits = self.text.get(self.at..self.at + 4).unwrap_or_default();
        // `from_str_radix` alone would accept `+123`.
        let good = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        match u16::from_str_radix(digits, 16) {
            Ok(unit) if good => {
                self.at += 4;
                Ok(unit)
            }
            _ => self.fail(from, Why::Escape),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Skips `wanted` if it is next.
    fn take(&mut self, wanted: &str) -> bool {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let found = rest.starts_with(wanted.as_bytes());
        self.at += if found { wanted.len() } else { 0 };
        found
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn since(&self, from: usize) -> &str {
        self.text.get(from..self.at).unwrap_or_default()
    }

    fn expected<T>(&self, what: &'static str) -> Result<T, Error> {
        self.fail(self.at, Why::Expected(what))
    }

    fn fail<T>(&self, offset: usize, why: Why) -> Result<T, Error> {
        Err(Error { offset, why })
    }
}

#[cfg(test)]
mod tests;
