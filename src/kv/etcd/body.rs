//! Requests to etcd and its answers, as JSON (etcd 3.4, `Documentation/dev-guide/
//! api_grpc_gateway.md` and `etcdserver/etcdserverpb/rpc.proto`).
//!
//! The gateway turns JSON to the messages of gRPC by the rules of proto3: bytes are base64, 64-bit
//! integers are strings, and a member that is zero, empty or false is left out.

use std::fmt;

use crate::cli::json::{Limits, Object, Value, array};
use crate::http::base64;
use crate::kv::command::{Change, Compacted, Expected, KeyValue, Keys, Page, Revision, Swap};

/// How deep etcd's answers may nest: they need five levels, later versions perhaps more.
const DEPTH: usize = 16;

/// To `/v3/kv/range`: one key.
pub fn get(key: &[u8]) -> String {
    Object::new().text("key", base64::encode(key)).end()
}

/// To `/v3/kv/range`: the keys with a prefix, after the key `after`, `limit` of them.
pub fn list(prefix: &[u8], after: Option<&[u8]>, limit: usize) -> String {
    // The first possible key after a key is that key with a zero byte appended.
    let behind = after.map(|after| [after, b"\0"].concat());
    let from = behind.unwrap_or_default().max(prefix.to_vec());
    let range = Object::new()
        .text("key", range_start(&from))
        .text("range_end", base64::encode(&prefix_end(prefix)));
    range.text("limit", limit).end()
}

/// To `/v3/kv/put`.
pub fn put(key: &[u8], value: &[u8]) -> String {
    let put = Object::new().text("key", base64::encode(key));
    put.text("value", base64::encode(value)).end()
}

/// To `/v3/kv/deleterange`: one key.
pub fn delete(key: &[u8]) -> String {
    get(key)
}

/// To `/v3/kv/txn`: changes the key if it is as expected, else asks for its revision.
pub fn compare_and_swap(key: &[u8], expected: Expected<'_>, value: Option<&[u8]>) -> String {
    let compare = Object::new()
        .text("key", base64::encode(key))
        .text("result", "EQUAL");
    // A key that does not exist has the mod revision 0, and equals no value.
    let compare = match expected {
        Expected::Revision(revision) => {
            let compare = compare.text("target", "MOD");
            compare.text("mod_revision", revision)
        }
        Expected::Value(value) => {
            let compare = compare.text("target", "VALUE");
            compare.text("value", base64::encode(value))
        }
    };
    let change = match value {
        Some(value) => Object::new().value("request_put", put(key, value)),
        None => Object::new().value("request_delete_range", delete(key)),
    };
    let look = Object::new().text("key", base64::encode(key));
    let look = look.value("keys_only", true).end();
    let look = Object::new().value("request_range", look);
    Object::new()
        .value("compare", array([compare.end()]))
        .value("success", array([change.end()]))
        .value("failure", array([look.end()]))
        .end()
}

/// To `/v3/watch`.
pub fn watch(keys: &Keys, from: Revision) -> String {
    let create = match keys {
        Keys::One(key) => Object::new().text("key", base64::encode(key)),
        Keys::Prefix(prefix) => Object::new()
            .text("key", range_start(prefix))
            .text("range_end", base64::encode(&prefix_end(prefix))),
    };
    // 0 would mean "from now on". Without `fragment`, all past changes come in one line.
    let create = create.text("start_revision", from.max(1));
    let create = create.value("fragment", true).end();
    Object::new().value("create_request", create).end()
}

/// The lowest possible key is a zero byte, since no key is empty.
fn range_start(from: &[u8]) -> String {
    base64::encode(if from.is_empty() { b"\0" } else { from })
}

/// The first key after all that begin with `prefix`: the last byte below 255 is counted up, and the
/// bytes after it are dropped. If there is none, a zero byte: the end of all keys (rpc.proto).
fn prefix_end(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < 0xff {
            end.push(last + 1);
            return end;
        }
    }
    vec![0]
}

/// An answer that does not follow etcd's documentation.
#[derive(Debug, PartialEq, Eq)]
pub struct Strange(pub String);

impl fmt::Display for Strange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not an answer of etcd: {}", self.0)
    }
}

/// The JSON of an answer of at most `most` bytes.
pub fn parse(text: &[u8], most: usize) -> Result<Value, Strange> {
    let limits = Limits {
        size: most,
        depth: DEPTH,
    };
    Value::parse_within(text, &limits).map_err(|error| Strange(error.to_string()))
}

/// From `/v3/kv/range`.
pub fn page(answer: &Value) -> Result<Page, Strange> {
    Ok(Page {
        entries: items(answer, "kvs")
            .map(key_value)
            .collect::<Result<_, _>>()?,
        more: truth(answer, "more"),
        revision: revision(answer)?,
    })
}

/// From `/v3/kv/put`; of every answer: the store's revision.
pub fn revision(answer: &Value) -> Result<Revision, Strange> {
    let header = answer.get("header");
    match header.map(|header| number(header, "revision")) {
        Some(Ok(revision)) if revision > 0 => Ok(revision),
        Some(Err(strange)) => Err(strange),
        _ => Err(Strange("it has no revision".into())),
    }
}

/// From `/v3/kv/deleterange`.
pub fn deleted(answer: &Value) -> Result<Option<Revision>, Strange> {
    let revision = revision(answer)?;
    Ok((number(answer, "deleted")? > 0).then_some(revision))
}

/// From `/v3/kv/txn`.
pub fn swap(answer: &Value) -> Result<Swap, Strange> {
    let revision = revision(answer)?;
    if truth(answer, "succeeded") {
        return Ok(Swap::Done(revision));
    }
    let looked = items(answer, "responses").next();
    let looked = looked.and_then(|first| first.get("response_range"));
    let looked = looked.ok_or_else(|| Strange("it has no response_range".into()))?;
    let found = items(looked, "kvs").next();
    let found = found.map_or(Ok(0), |key| number(key, "mod_revision"))?;
    Ok(Swap::Differs(found))
}

/// One line from `/v3/watch`.
#[derive(Debug, PartialEq, Eq)]
pub enum Told {
    /// The watch has begun, or still runs.
    Nothing,
    /// Something changed.
    Changes {
        /// The changes, at least one.
        changes: Vec<Change>,
        /// More changes may follow that belong to the revision of the last one.
        is_fragment: bool,
    },
    /// The watch begins too early.
    Compacted(Compacted),
    /// The watch is over: why.
    Ended(String),
}

/// From `/v3/watch`.
pub fn told(line: &Value) -> Result<Told, Strange> {
    let Some(result) = line.get("result") else {
        return match line.get("error") {
            Some(error) => Ok(Told::Ended(text(error, "message"))),
            None => Err(Strange("it has neither result nor error".into())),
        };
    };
    let oldest = number(result, "compact_revision")?;
    if oldest > 0 {
        return Ok(Told::Compacted(Compacted { oldest }));
    }
    if truth(result, "canceled") {
        return Ok(Told::Ended(text(result, "cancel_reason")));
    }
    let changes = items(result, "events").map(change);
    let changes: Vec<Change> = changes.collect::<Result<_, _>>()?;
    let is_fragment = truth(result, "fragment");
    Ok(match changes[..] {
        [] => Told::Nothing,
        _ => Told::Changes {
            changes,
            is_fragment,
        },
    })
}

fn change(event: &Value) -> Result<Change, Strange> {
    let now = event.get("kv");
    let now = key_value(now.ok_or_else(|| Strange("an event without kv".into()))?)?;
    match event.get("type").and_then(Value::as_text) {
        None | Some("PUT") => Ok(Change::Put(now)),
        Some("DELETE") => Ok(Change::Deleted {
            key: now.key,
            revision: now.mod_revision,
        }),
        Some(other) => Err(Strange(format!("an event of type {other:?}"))),
    }
}

fn key_value(value: &Value) -> Result<KeyValue, Strange> {
    Ok(KeyValue {
        key: bytes(value, "key")?,
        value: bytes(value, "value")?,
        create_revision: number(value, "create_revision")?,
        mod_revision: number(value, "mod_revision")?,
        version: number(value, "version")?,
    })
}

/// The items of a member; none if it is left out.
fn items<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    let items = value.get(name).and_then(Value::as_array);
    items.unwrap_or_default().iter()
}

fn truth(value: &Value, name: &str) -> bool {
    value.get(name).and_then(Value::as_bool).unwrap_or(false)
}

/// The text of a member, for a person to read.
pub fn text(value: &Value, name: &str) -> String {
    let text = value.get(name).and_then(Value::as_text);
    text.unwrap_or("no reason given").into()
}

/// A number, written as text or not. etcd's are signed, but none here is negative.
fn number(value: &Value, name: &str) -> Result<u64, Strange> {
    let number = match value.get(name) {
        None => Some(0),
        Some(Value::Text(digits)) => digits.parse().ok(),
        Some(number) => number.as_u64(),
    };
    let number = number.filter(|&number| i64::try_from(number).is_ok());
    number.ok_or_else(|| Strange(format!("{name} is no number")))
}

fn bytes(value: &Value, name: &str) -> Result<Vec<u8>, Strange> {
    let bytes = match value.get(name) {
        None => Some(Vec::new()),
        Some(text) => text.as_text().and_then(|t| base64::decode(t.as_bytes())),
    };
    bytes.ok_or_else(|| Strange(format!("{name} is not base64")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Value {
        parse(text.as_bytes(), 4096).unwrap()
    }

    #[test]
    fn a_prefix_ends_where_its_last_byte_counts_up() {
        for (prefix, end) in [
            (&b"a"[..], &b"b"[..]),
            (b"a/", b"a0"),
            (b"a\xff", b"b"),
            (b"\xfe\xff\xff", b"\xff"),
            (b"\xff\xff", b"\0"),
            (b"", b"\0"),
        ] {
            assert_eq!(prefix_end(prefix), end, "{prefix:?}");
        }
    }

    #[test]
    fn a_list_goes_on_behind_a_key_but_not_before_the_prefix() {
        let from = |after: Option<&[u8]>| {
            let body = json(&list(b"b", after, 7));
            assert_eq!(number(&body, "limit"), Ok(7));
            assert_eq!(bytes(&body, "range_end").unwrap(), b"c");
            bytes(&body, "key").unwrap()
        };
        assert_eq!(from(None), b"b");
        assert_eq!(from(Some(b"b1")), b"b1\0");
        assert_eq!(from(Some(b"a")), b"b");
        assert_eq!(bytes(&json(&list(b"", None, 1)), "key").unwrap(), b"\0");
    }

    #[test]
    fn a_swap_is_a_transaction_of_three_parts() {
        let body = compare_and_swap(b"k", Expected::Revision(9), Some(b"v"));
        let wanted = r#"{"compare":[{"key":"aw==","result":"EQUAL","target":"MOD","mod_revision":"9"}],"success":[{"request_put":{"key":"aw==","value":"dg=="}}],"failure":[{"request_range":{"key":"aw==","keys_only":true}}]}"#;
        assert_eq!(body, wanted);
        let body = compare_and_swap(b"k", Expected::Value(b"v"), None);
        let wanted = r#"{"compare":[{"key":"aw==","result":"EQUAL","target":"VALUE","value":"dg=="}],"success":[{"request_delete_range":{"key":"aw=="}}],"failure":[{"request_range":{"key":"aw==","keys_only":true}}]}"#;
        assert_eq!(body, wanted);
    }

    #[test]
    fn a_page_is_read_with_what_is_left_out_as_zero() {
        let answer = r#"{"header":{"cluster_id":"14841639068965178418","revision":"9"},"kvs":[{"key":"aw==","create_revision":"7","mod_revision":8,"version":"2"}],"count":"1"}"#;
        let found = page(&json(answer)).unwrap();
        let entry = KeyValue {
            key: b"k".to_vec(),
            value: Vec::new(),
            create_revision: 7,
            mod_revision: 8,
            version: 2,
        };
        let wanted = Page {
            entries: vec![entry],
            more: false,
            revision: 9,
        };
        assert_eq!(found, wanted);
    }

    #[test]
    fn answers_to_changes_are_read() {
        let put = json(r#"{"header":{"revision":"9"}}"#);
        assert_eq!(revision(&put), Ok(9));
        assert_eq!(deleted(&put), Ok(None));
        let gone = json(r#"{"header":{"revision":"9"},"deleted":"1"}"#);
        assert_eq!(deleted(&gone), Ok(Some(9)));
        let done = json(r#"{"header":{"revision":"9"},"succeeded":true,"responses":[{}]}"#);
        assert_eq!(swap(&done), Ok(Swap::Done(9)));
        for (kvs, found) in [("", 0), (r#""kvs":[{"mod_revision":"5"}]"#, 5)] {
            let range = format!(r#"{{"response_range":{{{kvs}}}}}"#);
            let answer = format!(r#"{{"header":{{"revision":"9"}},"responses":[{range}]}}"#);
            assert_eq!(swap(&json(&answer)), Ok(Swap::Differs(found)));
        }
    }

    #[test]
    fn lines_of_a_watch_are_read() {
        for (line, wanted) in [
            (r#"{"result":{"created":true}}"#, Told::Nothing),
            (
                r#"{"result":{"canceled":true,"compact_revision":"7"}}"#,
                Told::Compacted(Compacted { oldest: 7 }),
            ),
            (
                r#"{"result":{"canceled":true,"cancel_reason":"why"}}"#,
                Told::Ended("why".into()),
            ),
            (
                r#"{"error":{"grpc_code":14,"message":"why"}}"#,
                Told::Ended("why".into()),
            ),
            (
                r#"{"result":{"events":[{"type":"DELETE","kv":{"key":"aw==","mod_revision":"4"}}]}}"#,
                Told::Changes {
                    changes: vec![Change::Deleted {
                        key: b"k".to_vec(),
                        revision: 4,
                    }],
                    is_fragment: false,
                },
            ),
        ] {
            assert_eq!(told(&json(line)), Ok(wanted), "{line}");
        }
    }

    #[test]
    fn what_is_no_answer_of_etcd_is_an_error() {
        assert!(parse(b"404 page not found", 4096).is_err());
        assert!(parse(&[b'['; 4096], 4096).is_err());
        for text in [
            "{}",
            "[]",
            r#"{"header":{}}"#,
            r#"{"header":{"revision":"-1"}}"#,
            r#"{"header":{"revision":"18446744073709551615"}}"#,
            r#"{"header":{"revision":"9"},"kvs":[{"key":"?"}]}"#,
        ] {
            assert!(page(&json(text)).is_err(), "{text}");
        }
        let unsure = json(r#"{"header":{"revision":"9"}}"#);
        assert!(swap(&unsure).is_err());
        assert!(told(&json("{}")).is_err());
        assert!(told(&json(r#"{"result":{"events":[{}]}}"#)).is_err());
    }
}
