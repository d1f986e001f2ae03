//! address: what it tells, and what it says to a text that is none.

use groundwire_cli_tests::{json, program};

/// Standard output, standard error and status.
fn address(args: &[&str], input: &str) -> (String, String, Option<i32>) {
    let output = program("address")
        .args(args)
        .write_stdin(input)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        text(output.stdout),
        text(output.stderr),
        output.status.code(),
    )
}

#[test]
fn a_network_is_told_with_its_hosts() {
    let (out, err, code) = address(&["192.0.2.6/31"], "");
    for fact in [
        "192.0.2.6/31\n",
        "    kind      network\n",
        "    class     documentation\n",
        "    reverse   6.2.0.192.in-addr.arpa\n",
        "    mask      255.255.255.254\n",
        "    first     192.0.2.6\n",
        "    last      192.0.2.7\n",
        "    hosts     2\n",
    ] {
        assert!(out.contains(fact), "{fact}{out}");
    }
    assert!(!out.contains("broadcast"), "{out}");
    assert_eq!((err.as_str(), code), ("", Some(0)));
}

#[test]
fn with_a_bad_value_the_others_are_told_and_the_status_is_1() {
    let (out, err, code) = address(&["288.8.8.8", "::1"], "");
    assert_eq!(err, "address: address 288.8.8.8: octet 288 is above 255\n");
    assert!(out.starts_with("::1\n"), "{out}");
    assert_eq!(code, Some(1));
}

#[test]
fn a_hyphen_reads_lines() {
    let (out, err, code) = address(&["-"], "10.0.0.1\n\n  fe80::1%eth0 \r\nlocalhost:http");
    let heads: Vec<&str> = out.lines().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(
        heads,
        ["10.0.0.1", "fe80::1%eth0", "localhost:http"],
        "{err}"
    );
    assert!(out.contains("    zone      eth0\n"), "{out}");
    assert!(out.contains("    port      80\n"), "{out}");
    assert_eq!(code, Some(0));
}

#[test]
fn what_is_no_text_and_what_has_no_end_is_refused_and_never_a_panic() {
    let (_, err, code) = address(&["-"], "\u{1b}[31m\n10.0.0.1\u{7}\n");
    assert!(!err.contains('\u{1b}') && !err.contains('\u{7}'), "{err:?}");
    assert_eq!(code, Some(1));
    let (_, err, code) = address(&["-"], &"1".repeat(100_000));
    assert!(err.starts_with("address: standard input: "), "{err}");
    assert_eq!(code, Some(1));
}

#[test]
fn json_is_an_array_with_an_object_for_each_value() {
    let (out, _, code) = address(&["--json", "10.1.2.3/8", "::1"], "");
    let json::Value::List(values) = json::parse(&out).unwrap() else {
        panic!("{out}");
    };
    assert_eq!(values.len(), 2);
    assert_eq!(values[0].get("network").text(), "10.0.0.0/8");
    assert_eq!(values[0].get("hosts").number(), 16_777_214.0);
    assert_eq!(values[1].get("reverse").text().split('.').count(), 34);
    assert_eq!(code, Some(0));
}
