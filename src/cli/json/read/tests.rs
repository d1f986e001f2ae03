//! What is read, what is refused, and where.

use super::*;
use crate::cli::json::{Object, array, string};

fn refused(text: &[u8]) -> Option<(usize, Why)> {
    let error = Value::parse(text).err()?;
    Some((error.offset, error.why))
}

/// RFC 8259 §13.
#[test]
fn the_examples_of_the_rfc_are_read() {
    let image = r#"{ "Image": { "Width": 800, "Title": "View from 15th Floor",
        "Thumbnail": { "Url": "http://www.example.com/image/481989943", "Height": 125 },
        "Animated" : false, "IDs": [116, 943, 234, 38793] } }"#;
    let image = Value::parse(image.as_bytes()).unwrap();
    let image = image.get("Image").unwrap();
    let height = image.get("Thumbnail").unwrap().get("Height").unwrap();
    assert_eq!(height.as_u64(), Some(125));
    assert_eq!(image.get("Animated"), Some(&Value::Bool(false)));
    assert_eq!(image.get("IDs").unwrap().as_array().unwrap().len(), 4);
    for text in ["\"Hello world!\"", "42", "true"] {
        assert!(Value::parse(text.as_bytes()).is_ok());
    }
}

/// The cases of a table: one between two `~`, or a line's first or last.
fn cases(table: &str) -> impl Iterator<Item = &str> {
    table.split(['~', '\n']).map(str::trim)
}

/// The cases that JSONTestSuite (Seriot, "Parsing JSON is a minefield") requires to be read.
#[test]
fn what_must_be_read_is_read() {
    let table = r#"[] ~ {} ~ [[]   ] ~ [""] ~ "" ~ [null, 1, "1", {}] ~ [1,null,null,2] ~ [false]
        -0.1 ~ [123e65] ~ [0e+1] ~ [0e1] ~ [ 4] ~ [-0] ~ [-123] ~ [1E22] ~ [1E-2] ~ [1E+2] ~ [123e45]
        [123.456e78] ~ [1e-2] ~ [0.0] ~ [-0.0000000000000000000000000001] ~ [12312312312312312312312]
        [1e9999] ~ {"":0} ~ {"a":{"b":[]}} ~ {"foo\u0000bar":42} ~ ["\"\\\/\b\f\n\r\t"] ~ ["\\u0000"]
        ["a/*b*/c/*d//e"] ~ ["€𝄞"] ~ ["\uDBFF\uDFFF"] ~ ["\uFFFF"] ~ ["\u0061\u30af\u30EA"]"#;
    let unseen = [
        " [] ",
        "\t[\r\n1 ]\n",
        "[\"\u{7f}\"]",
        "[\"\u{2028}\u{ffff}\"]",
    ];
    for text in cases(table).chain(unseen) {
        assert_eq!(refused(text.as_bytes()), None, "{text}");
    }
}

/// Its cases that must be refused, and those it leaves open that this reader refuses.
#[test]
fn what_must_be_refused_is_refused() {
    let table = r#"[1 true] ~ [a ~ ["": 1] ~ [""], ~ [,1] ~ [1,,2] ~ ["x",,] ~ ["x"]] ~ ["",] ~ ["x" ~ [x
        [3[4]] ~ [,] ~ [-] ~ [   , ""] ~ [*] ~ [1, ~ [1} ~ [ ~ ] ~ [][] ~ [\n] ~ [fals] ~ [nul] ~ [tru]
        nulll ~ TRUE ~ [++1234] ~ [+1] ~ [-01] ~ [-1.0.] ~ [-2.] ~ [-NaN] ~ [.-1] ~ [.2e-3] ~ [0.1.2]
        [0.3e] ~ [0.3e+] ~ [0.e1] ~ [0E] ~ [0E+] ~ [0e] ~ [1.0e+] ~ [1.0e-] ~ [1 000.0] ~ [1eE2] ~ [2.e3]
        [9.e+] ~ [Inf] ~ [NaN] ~ [１] ~ [1+2] ~ [0x1] ~ [0x42] ~ [-Infinity] ~ [--1.] ~ [-foo] ~ [- 1]
        [-012] ~ [012] ~ [-.123] ~ [1.] ~ [1ea] ~ [.123] ~ [1.2a-3] ~ [1.8H-308] ~ [0]e ~ {"x", null}
        {"x"::"b"} ~ {"a":"a" 123} ~ {key: 'value'} ~ {"a" b} ~ {:"b"} ~ {"a" "b"} ~ {"a": ~ {"a" ~ {"a
        {1:1} ~ {null:null} ~ {"id":0,,,} ~ {'a':0} ~ {"id":0,} ~ {"a":"b"}# ~ {"a":"b"}/**/ ~ {, ~ {[
        {"a":"b",,"c":"d"} ~ {"a":"a ~ {"a":"b"} "x" ~ {"x":1] ~ ["\ ~ ["\a"] ~ ["\x00"] ~ ["\\\"]
        ["\🌀"] ~ ["\u"] ~ ["\u00A"] ~ ["\u00é"] ~ ["\uqqqq"] ~ ["\uD834\uDd"] ~ ["\u+123"] ~ [é] ~ *
        ['single quote'] ~ abc ~ " ~ "\u1 ~ <.> ~ [<null>] ~ 2@ ~ {}} ~ {"": ~ {] ~ [1]x ~ ★ ~ [true
        {"asd":"asd" ~ ["asd] ~ aå ~ {'a' ~ # ~ {"a":1,"a":1} ~ ["\uDFAA"] ~ ["\uD888\u1234"]"#;
    let unseen = [
        "",
        " ",
        "[\u{c}1]",
        "123\0",
        "[\"\\\t\"]",
        "[\"new\nline\"]",
        "[\"\t\"]",
        "[\"a\0a\"]",
        "\u{2060}[]",
        "\u{feff}{}",
        "[\u{a0}]",
    ];
    for text in cases(table).chain(unseen) {
        assert!(refused(text.as_bytes()).is_some(), "{text:?}");
    }
    let not_utf8: [&[u8]; 4] = [
        b"[\"\xff\"]",
        b"[\xe5]",
        b"[\"\xed\xa0\x80\"]",
        b"\xff\xfe[\0]\0",
    ];
    for text in not_utf8 {
        assert!(matches!(refused(text), Some((_, Why::NotUtf8))), "{text:?}");
    }
}

#[test]
fn an_error_names_the_byte_and_the_rule() {
    let table = [
        ("[1,]", 3, "expected a value"),
        ("[1 2]", 3, "expected a comma or ]"),
        ("{\"a\"}", 4, "expected a colon"),
        ("{\"a\":1 ", 7, "expected a comma or }"),
        ("01", 1, "expected the end"),
        ("1.", 2, "expected a digit"),
        ("\"ab", 3, "expected the end of a string"),
        ("\"a\nb\"", 2, "a control character that is not escaped"),
        ("\"a\\x\"", 2, "no such escape"),
        (
            "{\"a\":1,\"b\":2,\"\\u0061\":3}",
            13,
            "a second member \"a\"",
        ),
        ("\"\\ud800\"", 1, "half of a surrogate pair"),
    ];
    for (text, offset, why) in table {
        let error = Value::parse(text.as_bytes()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("not JSON: at byte {offset}: {why}"),
            "{text}"
        );
    }
}

#[test]
fn a_surrogate_pair_is_one_character_and_half_of_one_is_refused() {
    let pair = Value::parse(br#""\uD834\udd1e""#).unwrap();
    assert_eq!(pair.as_text(), Some("𝄞"));
    let halves = [
        r"\ud834",
        r"\udd1e",
        r"\ud834x",
        r"\ud834\n",
        r"\udd1e\ud834",
        r"\ud834\ud834",
        r"\ud834\u0041",
    ];
    for half in halves {
        let text = format!("\"{half}\"");
        assert_eq!(
            refused(text.as_bytes()),
            Some((1, Why::Surrogate)),
            "{half}"
        );
    }
}

#[test]
fn size_and_depth_are_limited_to_the_byte_and_the_bracket() {
    let limits = Limits { size: 8, depth: 2 };
    let parse = |text: &str| Value::parse_within(text.as_bytes(), &limits);
    assert!(parse("12345678").is_ok() && parse("[[1],[]]").is_ok() && parse("{\"\":{}}").is_ok());
    let why = |text| parse(text).unwrap_err();
    assert_eq!(
        (why("123456789").offset, why("123456789").why),
        (8, Why::TooLong(8))
    );
    assert_eq!(
        (why("[[[]]]").offset, why("[[[]]]").why),
        (2, Why::TooDeep(2))
    );
    // A hundred thousand brackets cost no stack.
    assert!(matches!(
        refused("[".repeat(100_000).as_bytes()),
        Some((64, Why::TooDeep(64)))
    ));
}

#[test]
fn what_the_writer_writes_is_read_back() {
    for text in ["", "a\"b\\c/", "\n\u{7f}\u{9b}\0", "grün 🦀", "\u{2028}"] {
        let read = Value::parse(string(text).as_bytes()).unwrap();
        assert_eq!(read.as_text(), Some(text));
    }
    let inner = Object::new().number("n", -1.5).end();
    let outer = Object::new()
        .text("t", "x")
        .value("a", array([inner, "true".into()]))
        .end();
    let read = Value::parse(outer.as_bytes()).unwrap();
    let items = read.get("a").unwrap().as_array().unwrap();
    let number = Value::Number("-1.5".into());
    assert_eq!(items.first().unwrap().get("n"), Some(&number));
    assert_eq!(items.get(1), Some(&Value::Bool(true)));
}

#[test]
fn a_text_that_is_cut_anywhere_is_refused_without_a_panic() {
    let whole = r#"{"a\u0041\ud834\udd1e":[-1.5e+3,true,null,"é\n"],"b":{}}"#;
    assert_eq!(refused(whole.as_bytes()), None);
    for end in 0..whole.len() {
        assert!(refused(&whole.as_bytes()[..end]).is_some(), "{end}");
    }
}
