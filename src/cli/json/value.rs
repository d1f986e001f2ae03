//! A JSON value that was read, and the questions to ask it.
//!
//! Numbers stay text, digit for digit: a 64-bit integer does not fit into the `f64` that many
//! readers turn it into (RFC 8259 §6 warns about 2^53). The caller knows which type it should have.

use std::collections::BTreeMap;

use super::read::{self, Error, Limits};

/// Any JSON value (RFC 8259 §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number as it was written: `1500`, `-0.5e3`.
    Number(String),
    /// A string with its escapes undone.
    Text(String),
    /// An array.
    Array(Vec<Value>),
    /// An object. Its members have no order (§4), and no two have the same name.
    Object(BTreeMap<String, Value>),
}

impl Value {
    /// Reads one value, with nothing but space around it, within [`Limits::default`].
    pub fn parse(text: &[u8]) -> Result<Value, Error> {
        read::value(text, &Limits::default())
    }

    /// Reads one value within these limits.
    pub fn parse_within(text: &[u8], limits: &Limits) -> Result<Value, Error> {
        read::value(text, limits)
    }

    /// The member of that name, if this is an object that has one.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.as_object()?.get(name)
    }

    /// The members, if this is an object.
    pub fn as_object(&self) -> Option<&BTreeMap<String, Value>> {
        match self {
            Value::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The items, if this is an array.
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The text, if this is one. A number is not.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The truth value, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The number, if it is written as a whole one (not `1.0`, not `1e3`) and fits.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Value::Number(number) => number.parse().ok(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Value {
        Value::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_question_of_the_wrong_kind_has_no_answer() {
        let value = parse(r#"{"text":"7","number":7,"list":[true],"none":null}"#);
        let get = |name| value.get(name).unwrap();
        assert_eq!(get("text").as_text(), Some("7"));
        assert_eq!(get("text").as_u64(), None);
        assert_eq!(get("number").as_text(), None);
        assert_eq!(get("number").as_u64(), Some(7));
        assert_eq!(get("list").as_array(), Some(&[Value::Bool(true)][..]));
        assert_eq!(get("list").get("text"), None);
        assert_eq!(Value::Bool(true).as_bool(), Some(true));
        assert_eq!((get("none"), value.get("other")), (&Value::Null, None));
    }

    #[test]
    fn whole_numbers_survive_beyond_two_to_the_53() {
        let most = u64::MAX.to_string();
        assert_eq!(parse(&most).as_u64(), Some(u64::MAX));
        assert_eq!(parse("9007199254740993").as_u64(), Some(9007199254740993));
        let not_u64 = ["18446744073709551616", "-1", "1.0", "1e3", "\"1\""];
        for text in not_u64 {
            assert_eq!(parse(text).as_u64(), None, "{text}");
        }
    }
}
