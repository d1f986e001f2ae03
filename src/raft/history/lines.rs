//! A history as text: one operation a line, each a JSON object.
//!
//! ```json
//! {"process":1,"operation":"put","key":"x","value":"a","start":10,"end":25,"outcome":"ok"}
//! {"process":2,"operation":"get","key":"x","value":null,"start":12,"end":20,"outcome":"ok"}
//! {"process":2,"operation":"cas","key":"x","expected":"a","value":"b","start":30,"outcome":"unknown"}
//! {"process":1,"operation":"delete","key":"x","start":40,"end":41,"outcome":"failed"}
//! ```
//!
//! | member | what |
//! |---|---|
//! | `process` | a number; a process does one operation after the other |
//! | `operation` | `get`, `put`, `delete`, `cas` (compare-and-swap) |
//! | `key`, `value`, `expected` | a string; bytes that are not UTF-8 as an array of numbers; no value is `null` |
//! | `value` | what was put or swapped in; of a get, what was read |
//! | `expected` | of a `cas` only |
//! | `start`, `end` | microseconds; `end` may be missing if the outcome is unknown |
//! | `outcome` | `ok`; `mismatch` (a `cas` that found another value); `failed` (surely not done); `unknown` |
//!
//! Other members are ignored.

use std::fmt;

use super::operation::{Kind, Operation, Outcome};
use crate::cli::json::{self, Object, Value};

/// Why a line is not an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineError {
    /// It is not JSON.
    NotJson(json::Error),
    /// A member is missing, or not what it should be.
    Member {
        /// Its name.
        name: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// It ends before it starts.
    EndsBeforeStart,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LineError::NotJson(error) => write!(f, "{error}"),
            LineError::Member { name, expected } => write!(f, "{name:?} should be {expected}"),
            LineError::EndsBeforeStart => f.write_str("the operation ends before it starts"),
        }
    }
}

impl std::error::Error for LineError {}

impl Operation {
    /// Reads a line.
    pub fn from_line(line: &[u8]) -> Result<Operation, LineError> {
        let value = Value::parse(line).map_err(LineError::NotJson)?;
        let number = |name| {
            let number = value.get(name).and_then(Value::as_u64);
            number.ok_or(member(name, "a whole number"))
        };
        let (kind, outcome) = asked_and_told(&value)?;
        let start = number("start")?;
        let end = match value.get("end") {
            None | Some(Value::Null) if outcome == Outcome::Unknown => None,
            _ => Some(number("end")?),
        };
        if end.is_some_and(|end| end < start) {
            return Err(LineError::EndsBeforeStart);
        }
        let key = bytes_or_none(&value, "key")?.ok_or(member("key", "a string"))?;
        Ok(Operation {
            process: number("process")?,
            key,
            kind,
            start,
            end,
            outcome,
        })
    }

    /// The operation as a line, without its newline.
    pub fn to_line(&self) -> String {
        let (name, value) = match (&self.kind, &self.outcome) {
            (Kind::Get, Outcome::Read(value)) => ("get", Some(value.as_deref())),
            (Kind::Get, _) => ("get", None),
            (Kind::Put(value), _) => ("put", Some(Some(value.as_slice()))),
            (Kind::Delete, _) => ("delete", None),
            (Kind::CompareAndSwap { new, .. }, _) => ("cas", Some(Some(new.as_slice()))),
        };
        let mut line = Object::new()
            .number("process", self.process)
            .text("operation", name)
            .value("key", text(Some(&self.key)));
        if let Kind::CompareAndSwap { expected, .. } = &self.kind {
            line = line.value("expected", text(expected.as_deref()));
        }
        if let Some(value) = value {
            line = line.value("value", text(value));
        }
        line = line.number("start", self.start);
        if let Some(end) = self.end {
            line = line.number("end", end);
        }
        let outcome = match self.outcome {
            Outcome::Done | Outcome::Read(_) | Outcome::Swapped(true) => "ok",
            Outcome::Swapped(false) => "mismatch",
            Outcome::Failed => "failed",
            Outcome::Unknown => "unknown",
        };
        line.text("outcome", outcome).end()
    }
}

fn member(name: &'static str, expected: &'static str) -> LineError {
    LineError::Member { name, expected }
}

/// Kind and outcome: they share `value`.
fn asked_and_told(line: &Value) -> Result<(Kind, Outcome), LineError> {
    let told = line.get("outcome").and_then(Value::as_text);
    let wanted = || bytes_or_none(line, "value")?.ok_or(member("value", "a string"));
    let (kind, ok) = match line.get("operation").and_then(Value::as_text) {
        Some("get") if told == Some("ok") => {
            (Kind::Get, Outcome::Read(bytes_or_none(line, "value")?))
        }
        Some("get") => (Kind::Get, Outcome::Unknown),
        Some("put") => (Kind::Put(wanted()?), Outcome::Done),
        Some("delete") => (Kind::Delete, Outcome::Done),
        Some("cas") => {
            let (expected, new) = (bytes_or_none(line, "expected")?, wanted()?);
            (
                Kind::CompareAndSwap { expected, new },
                Outcome::Swapped(true),
            )
        }
        _ => return Err(member("operation", "get, put, delete or cas")),
    };
    let outcome = match told {
        Some("ok") => ok,
        Some("mismatch") if matches!(kind, Kind::CompareAndSwap { .. }) => Outcome::Swapped(false),
        Some("failed") => Outcome::Failed,
        Some("unknown") => Outcome::Unknown,
        _ => {
            return Err(member(
                "outcome",
                "ok, failed, unknown or, of a cas, mismatch",
            ));
        }
    };
    Ok((kind, outcome))
}

/// A string, an array of bytes, or `null`.
fn bytes_or_none(line: &Value, name: &'static str) -> Result<Option<Vec<u8>>, LineError> {
    let byte = |item: &Value| item.as_u64().and_then(|number| u8::try_from(number).ok());
    let bytes = match line.get(name) {
        Some(Value::Null) => return Ok(None),
        Some(Value::Text(text)) => Some(text.clone().into_bytes()),
        Some(Value::Array(items)) => items.iter().map(byte).collect(),
        _ => None,
    };
    let expected = "a string, an array of bytes, or null where there is none";
    bytes.map(Some).ok_or(member(name, expected))
}

fn text(bytes: Option<&[u8]>) -> String {
    let Some(bytes) = bytes else {
        return "null".to_string();
    };
    match std::str::from_utf8(bytes) {
        Ok(text) => json::string(text),
        Err(_) => json::array(bytes.iter().map(u8::to_string)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_all_of_an_operation_both_ways() {
        let lines = [
            r#"{"process":1,"operation":"put","key":"x","value":"a","start":10,"end":25,"outcome":"ok"}"#,
            r#"{"process":2,"operation":"get","key":"x","value":null,"start":12,"end":20,"outcome":"ok"}"#,
            r#"{"process":2,"operation":"get","key":"","value":[255,0],"start":12,"end":20,"outcome":"ok"}"#,
            r#"{"process":2,"operation":"get","key":"x","start":12,"end":20,"outcome":"failed"}"#,
            r#"{"process":3,"operation":"cas","key":[200],"expected":null,"value":"b","start":0,"end":0,"outcome":"mismatch"}"#,
            r#"{"process":3,"operation":"cas","key":"x","expected":"a","value":"b","start":0,"end":9,"outcome":"ok"}"#,
            r#"{"process":1,"operation":"delete","key":"x","start":18446744073709551615,"outcome":"unknown"}"#,
        ];
        for line in lines {
            let operation = Operation::from_line(line.as_bytes()).unwrap();
            assert_eq!(operation.to_line(), line);
            assert!(operation.outcome.suits(&operation.kind), "{line}");
        }
    }

    #[test]
    fn a_line_that_is_no_operation_is_told_why() {
        let table = [
            (
                r#"{"process":1"#,
                "not JSON: at byte 12: expected a comma or }",
            ),
            ("7", r#""operation" should be get, put, delete or cas"#),
            (
                r#""operation":"swap""#,
                r#""operation" should be get, put, delete or cas"#,
            ),
            (
                r#""operation":"put","outcome":"ok""#,
                "\"value\" should be a string, an array of bytes, or null where there is none",
            ),
            (
                r#""operation":"put","value":null,"outcome":"ok""#,
                "\"value\" should be a string",
            ),
            (
                r#""operation":"get","outcome":"ok","value":[256]"#,
                "\"value\" should be a string, an array of bytes, or null where there is none",
            ),
            (
                r#""operation":"delete","outcome":"mismatch""#,
                "\"outcome\" should be ok, failed, unknown or, of a cas, mismatch",
            ),
            (
                r#""operation":"delete","outcome":"ok","start":-1"#,
                "\"start\" should be a whole number",
            ),
            (
                r#""operation":"delete","outcome":"ok","start":1"#,
                "\"end\" should be a whole number",
            ),
            (
                r#""operation":"delete","outcome":"ok","start":2,"end":1"#,
                "the operation ends before it starts",
            ),
            (
                r#""operation":"delete","outcome":"unknown","start":1,"key":null"#,
                "\"key\" should be a string",
            ),
            (
                r#""operation":"delete","outcome":"unknown","start":1,"key":"k""#,
                "\"process\" should be a whole number",
            ),
        ];
        for (members, why) in table {
            let line = match members.starts_with('"') {
                true => format!("{{{members}}}"),
                false => members.to_string(),
            };
            let error = Operation::from_line(line.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), why, "{line}");
        }
    }
}
