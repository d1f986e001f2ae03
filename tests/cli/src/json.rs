//! Strict enough to tell JSON (RFC 8259) from what only looks like it.

/// A parsed text.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number.
    Number(f64),
    /// A string with its escapes undone.
    Text(String),
    /// An array.
    List(Vec<Value>),
    /// An object, in the order of the text.
    Object(Vec<(String, Value)>),
}

impl Value {
    /// The member of that name. Panics when there is none, or two: a test's way of asking.
    pub fn get(&self, name: &str) -> &Value {
        let Value::Object(members) = self else {
            panic!("{self:?} is no object");
        };
        let mut found = members.iter().filter(|(key, _)| key == name);
        match (found.next(), found.next()) {
            (Some((_, value)), None) => value,
            _ => panic!("not one member {name:?} in {self:?}"),
        }
    }

    /// The number that this is.
    pub fn number(&self) -> f64 {
        match self {
            Value::Number(number) => *number,
            _ => panic!("{self:?} is no number"),
        }
    }

    /// The text that this is.
    pub fn text(&self) -> &str {
        match self {
            Value::Text(text) => text,
            _ => panic!("{self:?} is no text"),
        }
    }
}

/// Parses a whole text; `None` when it is not JSON.
pub fn parse(text: &str) -> Option<Value> {
    let mut rest = text.trim_matches([' ', '\t', '\n', '\r']);
    let value = value(&mut rest)?;
    rest.is_empty().then_some(value)
}

fn value(rest: &mut &str) -> Option<Value> {
    skip_space(rest);
    match rest.chars().next()? {
        '{' => members(rest, '}', member).map(Value::Object),
        '[' => members(rest, ']', value).map(Value::List),
        '"' => string(rest).map(Value::Text),
        _ => {
            let end = rest
                .find([',', '}', ']', ' ', '\t', '\n', '\r'])
                .unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            *rest = after;
            scalar(word)
        }
    }
}

fn scalar(word: &str) -> Option<Value> {
    match word {
        "null" => Some(Value::Null),
        "true" => Some(Value::Bool(true)),
        "false" => Some(Value::Bool(false)),
        number => {
            // Rust also reads `+1`, `.5`, `1.`, `01`, `inf` and `NaN`.
            let digits = number.strip_prefix('-').unwrap_or(number);
            let starts = digits.starts_with(|c: char| c.is_ascii_digit());
            let zero = digits.strip_prefix('0').unwrap_or("");
            let leading = zero.starts_with(|c: char| c.is_ascii_digit());
            let bare = digits
                .split('.')
                .nth(1)
                .is_some_and(|d| !d.starts_with(|c: char| c.is_ascii_digit()));
            let good = starts && !leading && !bare;
            good.then(|| number.parse().ok().map(Value::Number))?
        }
    }
}

/// `{...}` or `[...]`, separated by commas, no comma after the last.
fn members<T>(
    rest: &mut &str,
    close: char,
    one: impl Fn(&mut &str) -> Option<T>,
) -> Option<Vec<T>> {
    *rest = &rest[1..];
    let mut found = Vec::new();
    skip_space(rest);
    if take(rest, close) {
        return Some(found);
    }
    loop {
        found.push(one(rest)?);
        skip_space(rest);
        if take(rest, close) {
            return Some(found);
        }
        if !take(rest, ',') {
            return None;
        }
    }
}

fn member(rest: &mut &str) -> Option<(String, Value)> {
    skip_space(rest);
    let name = string(rest)?;
    skip_space(rest);
    take(rest, ':').then(|| value(rest).map(|value| (name, value)))?
}

fn string(rest: &mut &str) -> Option<String> {
    if !take(rest, '"') {
        return None;
    }
    let mut text = String::new();
    loop {
        let c = rest.chars().next()?;
        *rest = &rest[c.len_utf8()..];
        match c {
            '"' => return Some(text),
            '\\' => text.push(escape(rest)?),
            c if c < ' ' => return None,
            c => text.push(c),
        }
    }
}

/// The character that an escape stands for; a surrogate becomes U+FFFD.
fn escape(rest: &mut &str) -> Option<char> {
    let c = rest.chars().next()?;
    *rest = &rest[c.len_utf8()..];
    match c {
        '"' | '\\' | '/' => Some(c),
        'b' => Some('\u{8}'),
        'f' => Some('\u{c}'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'u' => {
            let digits = rest.get(..4)?;
            *rest = &rest[4..];
            let hex = digits.chars().all(|c| c.is_ascii_hexdigit());
            let code = hex.then(|| u32::from_str_radix(digits, 16).ok())??;
            Some(char::from_u32(code).unwrap_or('\u{fffd}'))
        }
        _ => None,
    }
}

fn take(rest: &mut &str, c: char) -> bool {
    let after = rest.strip_prefix(c);
    *rest = after.unwrap_or(rest);
    after.is_some()
}

fn skip_space(rest: &mut &str) {
    *rest = rest.trim_start_matches([' ', '\t', '\n', '\r']);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_json_is_read() {
        let value =
            parse(r#" {"a":[1,-0.5,2e3],"b":{"c":"x\n\u0041\""},"d":null,"e":[]} "#).unwrap();
        assert_eq!(value.get("b").get("c").text(), "x\nA\"");
        let numbers = [1.0, -0.5, 2000.0].map(Value::Number).to_vec();
        assert_eq!(value.get("a"), &Value::List(numbers));
        assert_eq!(value.get("d"), &Value::Null);
    }

    #[test]
    fn what_only_looks_like_json_is_refused() {
        let texts = [
            "",
            "{",
            "{\"a\":1,}",
            "{a:1}",
            "[1 2]",
            "[1,]",
            "01",
            "+1",
            ".5",
            "1.",
            "NaN",
            "inf",
            "\"a",
            "\"a\nb\"",
            "\"\\x\"",
            "\"\\u12\"",
            "{} {}",
            "'a'",
            "{\"a\"}",
        ];
        for text in texts {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
