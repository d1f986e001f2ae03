//! The vectors of docs/wire-format.md: each is written and read here, and by the decoder in
//! Python beside this file, which knows the specification and not this code.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use groundwire::wire::{DecodeOwned, Encode, decode, encode};

groundwire::wire! {
    #[derive(Debug, PartialEq)]
    enum Shape { Empty, Circle(f64), Named { name: String, corners: Vec<(i32, i32)> }, Group(Vec<Shape>) }

    #[derive(Debug, PartialEq)]
    struct User { name: String, .. mail: Option<String>, age: Option<u8> }

    #[derive(Debug, PartialEq)]
    enum Event { Login(String), Logout { seconds: u32, why: String }, .. Other }
}

use crate::types::Record;

const CHAPTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/wire-format.md");

/// `a ; b ; hex` of the block that follows a line beginning with `head`.
fn rows(head: &str) -> Vec<(String, String, Vec<u8>)> {
    let text = std::fs::read_to_string(CHAPTER).unwrap();
    let begun = text.lines().skip_while(|line| !line.starts_with(head));
    let block = begun.skip_while(|line| *line != "```text").skip(1);
    let rows = block.take_while(|line| *line != "```").map(|line| {
        let mut parts = line.rsplitn(2, " ; ");
        let hex = parts.next().unwrap();
        let (kind, value) = parts.next().expect(line).split_once(" ; ").expect(line);
        (kind.to_string(), value.to_string(), bytes(hex))
    });
    rows.collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
    digits
        .chunks(2)
        .map(|pair| (pair[0] * 16 + pair[1]) as u8)
        .collect()
}

/// The rows that were compared.
struct Checked(Vec<(String, String, Vec<u8>)>, usize);

impl Checked {
    fn row<T: Encode + DecodeOwned + PartialEq + std::fmt::Debug>(
        &mut self,
        kind: &str,
        json: &str,
        value: T,
    ) {
        let hex = self.find(kind, json);
        assert_eq!(encode(&value).unwrap(), hex, "{kind} {json} written");
        assert_eq!(decode::<T>(&hex).unwrap(), value, "{kind} {json} read");
    }

    /// For another Rust type of the same format.
    fn also<T: Encode + DecodeOwned + PartialEq + std::fmt::Debug>(
        &mut self,
        kind: &str,
        json: &str,
        value: T,
    ) {
        self.row(kind, json, value);
        self.1 -= 1;
    }

    fn find(&mut self, kind: &str, json: &str) -> Vec<u8> {
        let found = self.0.iter().find(|row| row.0 == kind && row.1 == json);
        self.1 += 1;
        found
            .unwrap_or_else(|| panic!("no vector {kind} ; {json}"))
            .2
            .clone()
    }
}

#[test]
fn every_vector_is_written_and_read_as_the_specification_says() {
    let mut checked = Checked(rows("## Vectors"), 0);
    let c = &mut checked;
    c.row("u8", "7", 7_u8);
    c.row("u16", "258", 258_u16);
    c.row("u32", "16909060", 16_909_060_u32);
    c.row("u64", r#""72623859790382856""#, 72_623_859_790_382_856_u64);
    c.row("u128", r#""1""#, 1_u128);
    c.row("i8", "-1", -1_i8);
    c.row("i16", "-2", -2_i16);
    c.row("i32", "-3", -3_i32);
    c.row("i64", r#""-9223372036854775808""#, i64::MIN);
    c.row("i128", r#""-1""#, -1_i128);
    c.row("usize", r#""5""#, 5_usize);
    c.row("isize", r#""-5""#, -5_isize);
    c.row("f32", r#""41ac0000""#, 21.5_f32);
    c.row("bool", "true", true);
    c.row("bool", "false", false);
    c.row("char", r#""é""#, 'é');
    c.row("unit", "null", ());
    c.row("string", r#""""#, String::new());
    c.row("string", r#""grün""#, "grün".to_string());
    c.also("string", r#""grün""#, Box::<str>::from("grün"));
    c.also("string", r#""grün""#, std::sync::Arc::<str>::from("grün"));
    c.row("bytes", r#""00ff""#, vec![0_u8, 255]);
    c.row("path", r#""2f746d70""#, PathBuf::from("/tmp"));
    c.row("option<u8>", "null", None::<u8>);
    c.row("option<u8>", "[9]", Some(9_u8));
    c.row("option<option<bool>>", "[null]", Some(None::<bool>));
    c.row("result<u8,string>", "[0, 1]", Ok::<u8, String>(1));
    c.row(
        "result<u8,string>",
        r#"[1, "no"]"#,
        Err::<u8, _>("no".to_string()),
    );
    c.row("list<u16>", "[]", Vec::<u16>::new());
    c.row("list<u16>", "[1, 2]", vec![1_u16, 2]);
    c.also(
        "list<u16>",
        "[1, 2]",
        std::collections::VecDeque::from([1_u16, 2]),
    );
    c.also("list<u16>", "[1, 2]", Box::<[u16]>::from([1_u16, 2]));
    c.row(
        "list<string>",
        r#"["a", "", "bc"]"#,
        ["a", "", "bc"].map(String::from).to_vec(),
    );
    c.row("list<list<u8>>", "[[1], []]", vec![vec![1_u8], vec![]]);
    c.row("array<u8,3>", "[1, 2, 3]", [1_u8, 2, 3]);
    c.row(
        "array<string,2>",
        r#"["x", "y"]"#,
        ["x", "y"].map(String::from),
    );
    c.row(
        "tuple<u8,string,bool>",
        r#"[1, "t", true]"#,
        (1_u8, "t".to_string(), true),
    );
    let map = [("one".to_string(), 1_i64), ("two".to_string(), 2)];
    c.row(
        "map<string,i64>",
        r#"[["one", 1], ["two", 2]]"#,
        BTreeMap::from(map.clone()),
    );
    c.also(
        "map<string,i64>",
        r#"[["one", 1], ["two", 2]]"#,
        HashMap::<_, _>::from(map),
    );
    c.row(
        "map<i8,unit>",
        "[[-1, null], [1, null]]",
        BTreeMap::from([(1_i8, ()), (-1, ())]),
    );
    c.row("set<u8>", "[1, 3]", BTreeSet::from([3_u8, 1]));
    c.also("set<u8>", "[1, 3]", HashSet::<_>::from([3_u8, 1]));
    c.row(
        "set<string>",
        r#"["B", "a", "ab"]"#,
        BTreeSet::from(["a", "B", "ab"].map(String::from)),
    );
    c.row("duration", "[3, 5]", Duration::new(3, 5));
    c.row(
        "time",
        "[1700000000, 1]",
        UNIX_EPOCH + Duration::new(1_700_000_000, 1),
    );
    c.row(
        "time",
        "[-1, 500000000]",
        UNIX_EPOCH - Duration::from_millis(500),
    );
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    c.row("ip", r#""192.0.2.1""#, ip("192.0.2.1"));
    c.row("ip", r#""2001:db8::1""#, ip("2001:db8::1"));
    let socket = |text: &str| text.parse::<SocketAddr>().unwrap();
    c.row("socket", r#""192.0.2.1:80""#, socket("192.0.2.1:80"));
    c.row("socket", r#""[fe80::1%3]:80""#, socket("[fe80::1%3]:80"));
    c.row("shape", "[0]", Shape::Empty);
    c.row("shape", r#"[1, "3ff8000000000000"]"#, Shape::Circle(1.5));
    let named = Shape::Named {
        name: "n".into(),
        corners: vec![(1, -2)],
    };
    c.row("shape", r#"[2, "n", [[1, -2]]]"#, named);
    c.row(
        "shape",
        "[3, [[0], [0]]]",
        Shape::Group(vec![Shape::Empty, Shape::Empty]),
    );
    let inner = Record {
        n: 256,
        s: "inner".into(),
        ..Record::default()
    };
    let outer = Record {
        c: Some(Box::new(inner)),
        s: "string data".into(),
        ..crate::types::record()
    };
    let json = r#"[23, "string data", [["one", 1], ["three", 3], ["two", 2]], "616263", [[256, "inner", [], "", null]]]"#;
    c.row("record", json, outer);
    let user = |mail: Option<&str>, age| User {
        name: "ann".into(),
        mail: mail.map(String::from),
        age,
    };
    c.row("user", r#"["ann", null, null]"#, user(None, None));
    c.row("user", r#"["ann", ["a@b"], null]"#, user(Some("a@b"), None));
    c.row("user", r#"["ann", null, [7]]"#, user(None, Some(7)));
    c.row("event", r#"[0, "ann"]"#, Event::Login("ann".into()));
    c.row(
        "event",
        r#"[1, 9, "tired"]"#,
        Event::Logout {
            seconds: 9,
            why: "tired".into(),
        },
    );
    // Equal by their bits only.
    for (json, bits) in [
        ("8000000000000000", 1 << 63),
        ("7ff8000000000001", 0x7ff8_0000_0000_0001),
    ] {
        let hex = c.find("f64", &format!("\"{json}\""));
        assert_eq!(encode(&f64::from_bits(bits)).unwrap(), hex);
        assert_eq!(decode::<f64>(&hex).unwrap().to_bits(), bits);
    }
    assert_eq!(
        checked.1,
        checked.0.len(),
        "vectors that were compared, and those in the chapter"
    );
}

fn refuses<T: DecodeOwned + std::fmt::Debug>(why: &str, message: &[u8]) {
    if let Ok(value) = decode::<T>(message) {
        panic!("{why}: read as {value:?}");
    }
}

#[test]
fn every_refused_vector_is_refused() {
    let rows = rows("Refused:");
    assert!(rows.len() > 25, "{} rows", rows.len());
    for (kind, why, hex) in rows {
        let refuse = match kind.as_str() {
            "u32" => refuses::<u32>,
            "bool" => refuses::<bool>,
            "char" => refuses::<char>,
            "option<u8>" => refuses::<Option<u8>>,
            "result<u8,string>" => refuses::<Result<u8, String>>,
            "string" => refuses::<String>,
            "tuple<string,string>" => refuses::<(String, String)>,
            "bytes" => refuses::<Vec<u8>>,
            "list<u64>" => refuses::<Vec<u64>>,
            "list<list<u64>>" => refuses::<Vec<Vec<u64>>>,
            "map<string,i64>" => |why: &str, hex: &[u8]| {
                refuses::<BTreeMap<String, i64>>(why, hex);
                refuses::<HashMap<String, i64>>(why, hex);
            },
            "set<u8>" => |why: &str, hex: &[u8]| {
                refuses::<BTreeSet<u8>>(why, hex);
                refuses::<HashSet<u8>>(why, hex);
            },
            "duration" => refuses::<Duration>,
            "time" => refuses::<std::time::SystemTime>,
            "ip" => refuses::<IpAddr>,
            "socket" => refuses::<SocketAddr>,
            "shape" => refuses::<Shape>,
            "user" => refuses::<User>,
            "event" => refuses::<Event>,
            other => panic!("no Rust type for {other}"),
        };
        refuse(&why, &hex);
    }
}

#[test]
fn a_decoder_in_another_language_agrees_on_every_vector() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wire/peer.py");
    let output = match Command::new("python3").args([script, CHAPTER]).output() {
        Ok(output) => output,
        Err(error) => return println!("skipped: python3: {error}"),
    };
    let (said, errors) = (output.stdout, String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{errors}");
    let expected = format!(
        "{} vectors, {} refused\n",
        rows("## Vectors").len(),
        rows("Refused:").len()
    );
    assert_eq!(String::from_utf8(said).unwrap(), expected);
}
