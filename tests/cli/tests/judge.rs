//! judge: verdicts, exit statuses, what it says of a file that is no history.

use groundwire_cli_tests::json::{self, Value};
use groundwire_cli_tests::program;

const PUT: &str =
    r#"{"process":1,"operation":"put","key":"x","value":"a","start":1,"end":2,"outcome":"ok"}"#;
const STALE: &str =
    r#"{"process":2,"operation":"get","key":"x","value":null,"start":3,"end":4,"outcome":"ok"}"#;

/// Status, standard output, standard error.
fn judge(arguments: &[&str], input: &str) -> (i32, String, String) {
    let output = program("judge")
        .args(arguments)
        .write_stdin(input)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn a_legal_history_is_linearizable_and_the_status_is_0() {
    let expected = "-: linearizable: 1 operation, 1 key, 1 process\n";
    assert_eq!(judge(&[], PUT), (0, expected.into(), String::new()));
    assert_eq!(judge(&["-"], &format!("\n{PUT}\n")).1, expected);
    assert_eq!(
        judge(&[], "").1,
        "-: linearizable: 0 operations, 0 keys, 0 processes\n"
    );
    let words = judge(&["-v"], PUT).1;
    assert!(
        words.starts_with("process 1 1-2 us key \"x\": put \"a\"\n"),
        "{words}"
    );
}

#[test]
fn an_illegal_history_is_drawn_and_the_status_is_1() {
    let (status, out, err) = judge(&[], &format!("{PUT}\n{STALE}\n"));
    assert_eq!((status, err.as_str()), (1, ""));
    assert!(
        out.contains("get -> none") && out.contains("<- fits nowhere"),
        "{out}"
    );
}

#[test]
fn json_says_what_the_picture_says() {
    let (status, out, _) = judge(&["--json"], &format!("{PUT}\n{STALE}\n"));
    let verdict = json::parse(&out).unwrap();
    assert_eq!(
        (status, verdict.get("verdict").text()),
        (1, "not linearizable")
    );
    assert_eq!(verdict.get("misfit").number(), 1.0);
    assert!(matches!(verdict.get("operations"), Value::List(lines) if lines.len() == 2));
    let verdict = json::parse(&judge(&["--json"], PUT).1).unwrap();
    assert_eq!(verdict.get("operations").number(), 1.0);
}

#[test]
fn a_search_that_reaches_its_limit_is_undecided_and_the_status_is_1() {
    let two = format!("{PUT}\n{}\n", PUT.replace("\"a\"", "\"b\""));
    let (status, out, _) = judge(&["--limit", "1"], &two);
    assert_eq!(status, 1);
    assert!(out.starts_with("-: undecided: key \"x\""), "{out}");
}

#[test]
fn a_file_that_is_no_history_is_named_with_its_line() {
    let (status, out, err) = judge(&[], &format!("{PUT}\n{{}}\n"));
    assert_eq!((status, out.as_str()), (1, ""));
    assert_eq!(
        err,
        "judge: -:2: \"operation\" should be get, put, delete or cas\n"
    );
    let (status, _, err) = judge(&["/no/such/file"], "");
    assert_eq!(status, 1);
    assert_eq!(
        err,
        "judge: opening /no/such/file: no such file or directory\n"
    );
    assert_eq!(judge(&["--limit", "0"], "").0, 2);
}
