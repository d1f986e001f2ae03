//! The output of `--follow`, compared with tshark's `-z follow` of the same bytes.

use super::*;

fn followed(form: Form, script: &[Script]) -> String {
    let mut flows = Flows::new();
    let target = Target {
        udp: false,
        stream: 0,
        form,
    };
    let (mut follow, mut out) = (Follow::new(target), String::new());
    for (step, number) in script.iter().zip(1..) {
        let payload = vec![b'a' + (number % 26) as u8; step.length];
        let tcp = step.tcp(&payload);
        let segment = flows.tcp(step.ends(), &tcp, number, Duration::from_millis(step.at));
        follow.tcp(&segment, step.ends(), &tcp, number, &mut out);
    }
    follow.end(&mut out);
    out
}

fn body(form: Form, script: &[Script]) -> String {
    let shown = followed(form, script);
    let (_, body) = shown
        .split_once("Node 1: 10.0.0.2:80\n")
        .expect("a heading");
    body.trim_end_matches(['=', '\n']).to_owned()
}

#[test]
fn the_heading_and_both_sides_are_as_tshark_writes_them() {
    let script = [
        c(0, 499, 0, S, 0),
        s(1, 999, 500, S | A, 0),
        c(2, 500, 1000, A, 2),
        s(3, 1000, 502, A, 3),
    ];
    let line = "===================================================================\n";
    let expected = format!(
        "\n{line}Follow: tcp,ascii\nFilter: tcp.stream eq 0\nNode 0: 10.0.0.1:1000\nNode 1: 10.0.0.2:80\n\
         2\ndd\n\t3\neee\n{line}"
    );
    assert_eq!(followed(Form::Ascii, &script), expected);
}

#[test]
fn early_segments_wait_for_those_before_them() {
    let script = [c(0, 500, 1, A, 2), c(1, 504, 1, A, 2), c(2, 502, 1, A, 2)];
    assert_eq!(body(Form::Ascii, &script), "2\nbb\n2\ndd\n2\ncc");
}

#[test]
fn without_a_handshake_an_acknowledgment_tells_where_bytes_begin() {
    let late = [c(0, 500, 1, A, 0), c(1, 502, 1, A, 2), c(2, 500, 1, A, 2)];
    assert_eq!(body(Form::Ascii, &late), "2\ndd\n2\ncc");
    let lost = [c(0, 500, 1, A, 0), c(1, 520, 1, A, 2)];
    let gap = "35\n[20 bytes missing in capture file].\n";
    assert_eq!(body(Form::Ascii, &lost), format!("{gap}2\ncc"));
    // None of these has a missing or repeated byte.
    let keep_alive = [c(0, 499, 1, A, 0), c(1, 500, 1, A, 2)];
    let overtaken = [c(0, 502, 1, A, 0), c(1, 500, 1, A, 2)];
    let reset = [c(0, 9, 1, R, 0), c(1, 500, 1, A, 2)];
    for script in [keep_alive, overtaken, reset] {
        assert_eq!(body(Form::Ascii, &script), "2\ncc");
    }
    let answered = [
        c(0, 700, 1, A, 0),
        c(1, 999, 500, S | A, 0),
        c(2, 1000, 500, A, 2),
    ];
    assert_eq!(body(Form::Ascii, &answered), "2\ndd");
}

#[test]
fn a_gap_that_the_other_side_has_acknowledged_is_shown() {
    let script = [c(0, 500, 1, A, 2), c(1, 522, 1, A, 2), s(2, 1, 524, A, 1)];
    let gap = "35\n[20 bytes missing in capture file].\n";
    assert_eq!(
        body(Form::Ascii, &script),
        format!("2\nbb\n{gap}2\ncc\n\t1\nd")
    );
}

#[test]
fn bytes_sent_again_are_marked_and_only_new_ones_shown() {
    let script = [c(0, 500, 1, A, 4), c(1, 500, 1, A, 4), c(2, 502, 1, A, 4)];
    let expected =
        "4\nbbbb\n[4 bytes sent again in packet 2]\n[2 bytes sent again in packet 3]\n2\ndd";
    assert_eq!(body(Form::Ascii, &script), expected);
}

#[test]
fn a_syn_that_comes_again_or_late_changes_nothing() {
    let again = [
        c(0, 499, 0, S, 0),
        s(1, 999, 500, S | A, 0),
        c(2, 500, 1000, A, 2),
        s(3, 1000, 502, A, 3),
        c(4, 499, 0, S, 0),
        s(5, 999, 500, S | A, 0),
        c(6, 502, 1003, A, 1),
        s(7, 1003, 503, A, 1),
    ];
    assert_eq!(body(Form::Ascii, &again), "2\ndd\n\t3\neee\n1\nh\n\t1\ni");
    let late = [
        c(0, 500, 1000, A, 2),
        c(1, 499, 0, S, 0),
        c(2, 502, 1000, A, 1),
    ];
    assert_eq!(body(Form::Ascii, &late), "2\nbb\n1\nd");
}

#[test]
fn hex_and_raw_are_as_tshark_writes_them() {
    let script = [c(0, 500, 1, A, 18), s(1, 1, 518, A, 8)];
    let expected = "00000000  62 62 62 62 62 62 62 62  62 62 62 62 62 62 62 62  bbbbbbbb bbbbbbbb\n\
                    00000010  62 62                                             bb\n\
                    \t00000000  63 63 63 63 63 63 63 63                           cccccccc";
    assert_eq!(body(Form::Hex, &script), expected);
    let raw = format!("{}\n\t{}", "62".repeat(18), "63".repeat(8));
    assert_eq!(body(Form::Raw, &script), raw);
}

/// The most bytes and segments that waited at any time of a script.
fn waited(script: impl Iterator<Item = Script>) -> (usize, usize) {
    let (mut flows, mut most) = (Flows::new(), (0, 0));
    let target = Target::parse("tcp,0,raw").unwrap();
    let (mut follow, mut out) = (Follow::new(target), String::new());
    for (step, number) in script.zip(1..) {
        let payload = vec![b'a'; step.length];
        let tcp = step.tcp(&payload);
        let segment = flows.tcp(step.ends(), &tcp, number, Duration::ZERO);
        follow.tcp(&segment, step.ends(), &tcp, number, &mut out);
        out.clear();
        let (bytes, segments) = follow.waits();
        most = (most.0.max(bytes), most.1.max(segments));
    }
    most
}

#[test]
fn what_waits_is_bounded_in_segments_and_in_bytes() {
    let first = || std::iter::once(c(0, 500, 1, A, 1));
    let many = (0..10_000).map(|n| c(0, 1000 + 10 * n, 1, A, 1));
    assert_eq!(waited(first().chain(many)).1, Follow::SEGMENTS);
    // Small ones first, so that giving one up makes little room for the next.
    let small = (0..1000).map(|n| c(0, 1000 + 10 * n, 1, A, 1));
    let large = (1..700).map(|n| c(0, 70_000 * n, 1, A, 65_000));
    let (bytes, _) = waited(first().chain(small).chain(large));
    assert!(bytes <= Follow::WAITING, "{bytes}");
    assert!(bytes > Follow::WAITING - 65_000, "{bytes}");
}

#[test]
fn a_target_is_read_and_nothing_else() {
    let target = |text| Target::parse(text).map(|target| (target.udp, target.stream, target.form));
    assert_eq!(target("tcp,3"), Some((false, 3, Form::Ascii)));
    assert_eq!(target("udp,0,hex"), Some((true, 0, Form::Hex)));
    for wrong in [
        "",
        "tcp",
        "tcp,",
        "tcp,x",
        "tcp,1,utf8",
        "tcp,1,raw,2",
        "icmp,1",
    ] {
        assert_eq!(target(wrong), None, "{wrong}");
    }
}
