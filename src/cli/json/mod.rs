//! JSON (RFC 8259): written for programs with `--json`, read from files and peers.
//!
//! An [`Object`] writes its members in the order in which they were added; [`Value::parse`] reads,
//! strictly and within [`Limits`].
//!
//! ```
//! use groundwire::cli::json::{Object, Value, array};
//!
//! let port = Object::new().text("name", "eth\"0").number("mtu", 1500_u32);
//! let text = array([port.end()]);
//! assert_eq!(text, r#"[{"name":"eth\"0","mtu":1500}]"#);
//!
//! let value = Value::parse(text.as_bytes()).unwrap();
//! let port = value.as_array().and_then(|ports| ports.first()).unwrap();
//! assert_eq!(port.get("mtu").and_then(Value::as_u64), Some(1500));
//! ```
//!
//! The files: this one writes JSON, `read` reads it, `value` is the result.

mod read;
mod value;

pub use read::{Error, Limits, Why};
pub use value::Value;

use std::fmt::{Display, Write};

/// An object that is being written.
#[derive(Debug, Clone, Default)]
pub struct Object(String);

impl Object {
    /// An object without members.
    pub fn new() -> Object {
        Object::default()
    }

    /// Adds a text.
    pub fn text(self, name: &str, value: impl Display) -> Object {
        let value = string(&value.to_string());
        self.value(name, value)
    }

    /// Adds a text if there is one.
    pub fn text_opt(self, name: &str, value: Option<impl Display>) -> Object {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    /// Adds a number. It is written as `Display` writes it, so no NaN and no infinity.
    pub fn number(self, name: &str, value: impl Display) -> Object {
        self.value(name, value)
    }

    /// Adds a value that is already JSON: an object, an array, `true`.
    pub fn value(mut self, name: &str, value: impl Display) -> Object {
        let comma = if self.0.is_empty() { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = write!(self.0, "{comma}{}:{value}", string(name));
        self
    }

    /// The object as text.
    pub fn end(self) -> String {
        format!("{{{}}}", self.0)
    }
}

/// An array of values that are already JSON.
pub fn array(items: impl IntoIterator<Item = String>) -> String {
    let items: Vec<String> = items.into_iter().collect();
    format!("[{}]", items.join(","))
}

/// A text with its quotes, and with every character escaped that RFC 8259 §7 wants escaped or that
/// could control a terminal.
pub fn string(text: &str) -> String {
    let mut quoted = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            _ if letter.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(letter));
            }
            _ => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_and_other_letters_stay() {
        assert_eq!(string("a\"b\\c"), r#""a\"b\\c""#);
        assert_eq!(string("\n\u{7f}\u{9b}"), r#""\u000a\u007f\u009b""#);
        assert_eq!(string("grün 🦀"), "\"grün 🦀\"");
    }

    #[test]
    fn members_and_items_stand_in_order() {
        assert_eq!(Object::new().end(), "{}");
        assert_eq!(array([]), "[]");
        let inner = Object::new().number("n", -1.5).end();
        let outer = Object::new()
            .text("a", "x")
            .text_opt("b", None::<&str>)
            .text_opt("c", Some(7))
            .value("d", array([inner, "true".into()]));
        assert_eq!(outer.end(), r#"{"a":"x","c":"7","d":[{"n":-1.5},true]}"#);
    }
}
