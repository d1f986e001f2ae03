//! Zone files: which are read, and which are refused, and where.

use super::*;
use crate::dns::message::Message;
use crate::dns::record::Question;

const HEAD: &str = "$ORIGIN z.test.\n$TTL 300\n@ SOA ns.else. h.else. 1 2 3 4 60\n@ NS ns.else.\n";

fn read_with(text: &str, files: &[(&str, &str)], limits: Limits) -> Result<Parsed, Vec<Problem>> {
    let mut include = |name: &str| {
        let file = files.iter().find(|file| file.0 == name);
        file.map(|file| file.1.to_string())
            .ok_or("not there".to_string())
    };
    parse("z", text, None, limits, &mut include)
}

/// The records of a text after the head, as text, without the head's.
fn records(text: &str) -> Vec<String> {
    let read = read_with(&format!("{HEAD}{text}"), &[], Limits::default());
    let zone = read
        .unwrap_or_else(|errors| panic!("{text:?}: {errors:?}"))
        .zone;
    let sets = zone.sets().flat_map(|(name, set)| set.records(name));
    let lines = sets.map(|record| record.to_string().replace('\t', " "));
    lines.skip(2).collect()
}

fn messages(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(Problem::to_string).collect()
}

/// The only error of a text after the head, which makes it start at line 5.
fn error(text: &str) -> String {
    match read_with(&format!("{HEAD}{text}"), &[], Limits::default()) {
        Ok(_) => panic!("{text:?} is taken"),
        Err(errors) => messages(&errors).join(" | "),
    }
}

#[test]
fn entries_are_read_in_all_their_forms() {
    let long = format!("t TXT \"{}\"\n", "x".repeat(255));
    for (text, expected) in [
        ("a 60 IN A 192.0.2.1\n", "a.z.test. 60 IN A 192.0.2.1"),
        ("a IN 60 A 192.0.2.1\n", "a.z.test. 60 IN A 192.0.2.1"),
        ("a in a 192.0.2.1\n", "a.z.test. 300 IN A 192.0.2.1"),
        ("a A 192.0.2.1", "a.z.test. 300 IN A 192.0.2.1"),
        ("a A 192.0.2.1\r\n", "a.z.test. 300 IN A 192.0.2.1"),
        ("a 1h30m A 192.0.2.1\n", "a.z.test. 5400 IN A 192.0.2.1"),
        (
            "a ( 60\n IN ; so far\n A\n ) 192.0.2.1\n",
            "a.z.test. 60 IN A 192.0.2.1",
        ),
        ("a ((A) 192.0.2.1)\n", "a.z.test. 300 IN A 192.0.2.1"),
        ("a. A 192.0.2.1\n$ORIGIN .\n", ""),
        (
            "$ORIGIN x\na A 192.0.2.1\n",
            "a.x.z.test. 300 IN A 192.0.2.1",
        ),
        ("$ORIGIN x\n@ A 192.0.2.1\n", "x.z.test. 300 IN A 192.0.2.1"),
        ("$ttl 1d\na A 192.0.2.1\n", "a.z.test. 86400 IN A 192.0.2.1"),
        ("a TXT \"x;y\" z;c\n", "a.z.test. 300 IN TXT \"x;y\" \"z\""),
        (
            "a TXT \"a\\\"b\" \"\"\n",
            "a.z.test. 300 IN TXT \"a\\\"b\" \"\"",
        ),
        (
            "a TXT a\\ b\\;c \"d\"\"e\"\n",
            "a.z.test. 300 IN TXT \"a b;c\" \"d\" \"e\"",
        ),
        ("a\\.b A 192.0.2.1\n", "a\\.b.z.test. 300 IN A 192.0.2.1"),
        (
            "a\\032b A 192.0.2.1\n",
            "a\\032b.z.test. 300 IN A 192.0.2.1",
        ),
        ("\"@\" A 192.0.2.1\n", "\\@.z.test. 300 IN A 192.0.2.1"),
        ("\\$a A 192.0.2.1\n", "\\$a.z.test. 300 IN A 192.0.2.1"),
        (
            "a HTTPS 1 . alpn=\"h2,h3\"\n",
            "a.z.test. 300 IN HTTPS 1 . alpn=\"h2,h3\"",
        ),
        ("a TYPE1 192.0.2.1\n", "a.z.test. 300 IN A 192.0.2.1"),
        ("a A \\# 4 C0000201\n", "a.z.test. 300 IN A 192.0.2.1"),
        (
            "a CLASS1 TYPE65280 \\# 0\n",
            "a.z.test. 300 IN TYPE65280 \\# 0",
        ),
        ("a 2147483648 A 192.0.2.1\n", "a.z.test. 0 IN A 192.0.2.1"),
        (
            " TXT owner of before\n",
            "z.test. 300 IN TXT \"owner\" \"of\" \"before\"",
        ),
        (
            &long,
            &format!("t.z.test. 300 IN TXT \"{}\"", "x".repeat(255)),
        ),
        ("; nothing\n\n   \n\t; but comments\n", ""),
    ] {
        if text.starts_with("a. ") {
            assert!(error(text).starts_with("z:5:1: a. is outside"), "{text:?}");
            continue;
        }
        assert_eq!(records(text).join(" | "), expected, "{text:?}");
    }
}

#[test]
fn what_is_wrong_is_refused_with_its_place() {
    for (text, expected) in [
        // Rules between records
        (
            "a CNAME b\na A 192.0.2.1\n",
            "z:5:1: a.z.test. has a CNAME record and A",
        ),
        (
            "a A 192.0.2.1\na CNAME b\n",
            "z:6:1: a.z.test. has a CNAME record and A",
        ),
        (
            "a CNAME b\na CNAME c\n",
            "z:6:1: a second CNAME record at a.z.test.",
        ),
        (
            "@ CNAME b\n",
            "z:5:1: CNAME record at z.test., where the zone begins",
        ),
        (
            "@ DS 1 13 2 AB\n",
            "z:5:1: DS record at z.test., where the zone begins (RFC 4035 §2.4)",
        ),
        (
            "@ SOA a. b. 1 2 3 4 5\n",
            "z:5:1: a second SOA record at z.test.",
        ),
        (
            "x SOA a. b. 1 2 3 4 5\n",
            "z:5:1: a second SOA record; the zone begins at z.test.",
        ),
        (
            "a.else. A 192.0.2.1\n",
            "z:5:1: a.else. is outside of the zone z.test.",
        ),
        (
            "d DNAME a.\nd DNAME b.\n",
            "z:6:1: a second DNAME record at d.z.test.",
        ),
        (
            "x.y.d TXT a\nd DNAME a.\n",
            "z:5:1: x.y.d.z.test. is below the DNAME record at d.z.test.",
        ),
        (
            "d DNAME a.\nd NS b.\n",
            "z:5:1: d.z.test. has a DNAME record and NS",
        ),
        ("* NS a.\n", "z:5:1: NS record at the wildcard *.z.test."),
        (
            "* DNAME a.\n",
            "z:5:1: DNAME record at the wildcard *.z.test.",
        ),
        // Fields
        (
            "s SRV 1 2 65536 h\n",
            "z:5:11: port \"65536\": not a number of 0 to 65535",
        ),
        (
            "a 4294967296 A 192.0.2.1\n",
            "z:5:3: TTL \"4294967296\": not a time of 0 to 4294967295 seconds",
        ),
        (
            "$TTL -1\n",
            "z:5:6: TTL \"-1\": not a time of 0 to 4294967295 seconds",
        ),
        ("a CH A 192.0.2.1\n", "z:5:3: class CH: only IN is served"),
        (
            "a CLASS7 A 192.0.2.1\n",
            "z:5:3: class CLASS7: only IN is served",
        ),
        ("a ANY x\n", "z:5:3: class ANY: only IN is served"),
        ("a AXFR x\n", "z:5:3: AXFR is no type of records in a zone"),
        ("a WHAT x\n", "z:5:3: \"WHAT\" is no record type"),
        (
            "a \"A\" 192.0.2.1\n",
            "z:5:3: \"A\" is a string and no record type",
        ),
        ("a IN IN A 192.0.2.1\n", "z:5:6: \"IN\" is no record type"),
        ("a 60 60 A 192.0.2.1\n", "z:5:6: \"60\" is no record type"),
        ("a\n", "z:5:1: type is missing"),
        ("a MX 10\n", "z:5:6: mail exchanger is missing"),
        (
            "a A 192.0.2.1 x\n",
            "z:5:15: \"x\" stands after the end of the data",
        ),
        (
            "a A 192.0.2.256\n",
            "z:5:5: IPv4 address \"192.0.2.256\": invalid IPv4 address syntax",
        ),
        (
            "a..b A 192.0.2.1\n",
            "z:5:1: owner \"a..b\": name has an empty label",
        ),
        (
            "a TYPE65280 x\n",
            "z:5:13: data \"x\": TYPE65280 is written \\# LENGTH HEX here",
        ),
        (
            "a A \\# 3 C00002\n",
            "z:5:8: length of the data \"3\": not the data of A: offset 0: the data ends too early",
        ),
        // Text
        (
            "a TXT \"x\ny A 192.0.2.1\n",
            "z:5:7: string does not end in its line",
        ),
        ("a TXT (x\nb A 192.0.2.1\n", "z:5:7: \"(\" is never closed"),
        ("a TXT x)\n", "z:5:8: \")\" closes nothing"),
        ("a TXT x\\", "z:5:7: backslash at the end of a line"),
        (
            "$GENERATE 1-2 a A 192.0.2.$\n",
            "z:5:1: \"$GENERATE\" is not a directive here",
        ),
        (
            "$\u{1b}[31m x\n",
            "z:5:1: \"$\\u{1b}[31m\" is not a directive here",
        ),
        ("$ORIGIN\n", "z:5:1: origin is missing"),
        (
            "$ORIGIN a b\n",
            "z:5:11: \"b\" stands after the end of the directive",
        ),
    ] {
        assert_eq!(error(text), expected, "{text:?}");
    }
    for (text, expected) in [
        ("", "z:1:1: no SOA record"),
        (
            "a A 192.0.2.1\n",
            "z:1:1: owner \"a\": relative name without an origin",
        ),
        (" A 192.0.2.1\n", "z:1:2: no owner, and none before it"),
        (
            "a. A 192.0.2.1\n",
            "z:1:1: no TTL, and no $TTL or TTL before it",
        ),
        ("z. 1 SOA a. b. 1 2 3 4 5\n", "z:1:1: z. has no NS record"),
    ] {
        let errors = read_with(text, &[], Limits::default()).unwrap_err();
        assert_eq!(messages(&errors).join(" | "), expected, "{text:?}");
    }
}

#[test]
fn what_is_doubtful_is_taken_with_a_warning() {
    for (text, expected) in [
        (
            "a 60 A 192.0.2.1\na 50 A 192.0.2.2\n",
            "z:6:1: TTLs of a.z.test. A differ: 50, the smallest, counts",
        ),
        (
            "a A 192.0.2.1\na A 192.0.2.1\n",
            "z:6:1: a.z.test. A 192.0.2.1 is there twice",
        ),
        (
            "a MX 1 c\nc CNAME x.else.\n",
            "z:5:1: a.z.test. MX leads to c.z.test., which is an alias (RFC 2181 §10.3)",
        ),
        (
            "a SRV 1 1 1 c\nc CNAME x.else.\n",
            "z:5:1: a.z.test. SRV leads to c.z.test., which is an alias (RFC 2782, \"Target\")",
        ),
        (
            "a SRV 1 1 1 nx\n",
            "z:5:1: a.z.test. SRV leads to nx.z.test., which has no address",
        ),
        (
            "s NS ns.s\n",
            "z:5:1: s.z.test. NS leads to ns.s.z.test., which has no address",
        ),
        (
            "s NS a.else.\nx.s TXT y\n",
            "z:6:1: x.s.z.test. TXT is not served: s.z.test. is delegated",
        ),
        (
            "s NS a.else.\ns TXT y\n",
            "z:6:1: s.z.test. TXT is not served: s.z.test. is delegated",
        ),
        (
            "s NS ns.s\nns.s A 192.0.2.1\nx.s A 192.0.2.2\n",
            "z:7:1: x.s.z.test. A is not served: s.z.test. is delegated",
        ),
        (
            "a 4294967295 A 192.0.2.1\n",
            "z:5:3: TTL 4294967295 is above 2147483647 and counts as 0 (RFC 2181 §8)",
        ),
        (
            "a MX 0 .\na MX 1 x.else.\n",
            "z:5:1: a.z.test. MX says that there is no mail, and names a host (RFC 7505 §3)",
        ),
        // No reason to warn
        ("s NS ns.s\nns.s A 192.0.2.1\n", ""),
        ("a MX 0 .\nb SRV 0 0 0 .\n", ""),
        ("a MX 1 w\n* A 192.0.2.1\n", ""),
        ("s NS ns.t\nt NS ns.else.\n", ""),
        ("s NS s\ns A 192.0.2.1\ns DS 1 1 1 AA\n", ""),
        ("s NS ns.t\nt NS ns.else.\nns.t A 192.0.2.1\n", ""),
        ("a CNAME b.else.\na KEY \\# 1 00\na NSEC \\# 1 00\n", ""),
    ] {
        let parsed = read_with(&format!("{HEAD}{text}"), &[], Limits::default()).unwrap();
        assert_eq!(messages(&parsed.warnings).join(" | "), expected, "{text:?}");
    }
    let text = "z. SOA a. b. 1 2 3 4 77\nz. NS a.\n";
    let parsed = read_with(text, &[], Limits::default()).unwrap();
    let expected = "z:1:1: no TTL and no $TTL before it: the SOA's minimum is taken";
    assert_eq!(messages(&parsed.warnings), [expected]);
    assert!(parsed.zone.sets().all(|(_, set)| set.ttl == 77));
}

#[test]
fn many_errors_are_reported_up_to_a_bound() {
    assert_eq!(
        error("a A x\nb A 192.0.2.1\nc A y\n")
            .matches("invalid IPv4")
            .count(),
        2
    );
    let text = format!("{HEAD}{}", "a A x\n".repeat(1000));
    let errors = read_with(&text, &[], Limits::default()).unwrap_err();
    assert_eq!(errors.len(), MAX_ERRORS);
}

#[test]
fn files_include_others_of_their_folder_and_keep_their_own_origin_and_owner() {
    let files = [
        ("sub/hosts", "a A 192.0.2.1\n$ORIGIN x\nb A 192.0.2.2\n"),
        ("self", "$INCLUDE self\n"),
        ("bad", "\na A x\n"),
    ];
    let read = |text: &str| read_with(&format!("{HEAD}{text}"), &files, Limits::default());
    let zone = read("o TXT x\n$INCLUDE sub/hosts in\n TXT y\nc A 192.0.2.3\n")
        .unwrap()
        .zone;
    let names: Vec<String> = zone
        .sets()
        .map(|(name, set)| format!("{name} {}", set.kind))
        .collect();
    let expected = [
        "z.test. SOA",
        "z.test. NS",
        "o.z.test. TXT",
        "a.in.z.test. A",
        "b.x.in.z.test. A",
        "c.z.test. A",
    ];
    assert_eq!(names, expected);
    assert!(zone.sets().all(|(_, set)| set.ttl == 300));
    for (text, expected) in [
        (
            "$INCLUDE bad\n",
            "bad:2:5: IPv4 address \"x\": invalid IPv4 address syntax",
        ),
        (
            "$INCLUDE self\n",
            "self:1:10: files include each other more than 8 deep",
        ),
        ("$INCLUDE none\n", "z:5:10: $INCLUDE \"none\": not there"),
        ("$INCLUDE\n", "z:5:1: file is missing"),
    ] {
        assert_eq!(messages(&read(text).unwrap_err()), [expected], "{text:?}");
    }
    for outside in ["/etc/passwd", "../x", "a/../../x", "..", "a\0b", "\"\""] {
        let errors = read(&format!("$INCLUDE {outside}\n")).unwrap_err();
        assert!(
            errors[0].what.contains("not a path below"),
            "{outside}: {errors:?}"
        );
    }
}

#[test]
fn a_default_ttl_of_an_included_file_holds_for_what_follows() {
    let files = [("ttl", "$TTL 60\n"), ("record", "b 77 TXT x\n")];
    let ttl = |head: &str, text: &str| {
        let text =
            format!("{head}@ SOA ns.else. h.else. 1 2 3 4 60\n@ NS ns.else.\n{text}c TXT x\n");
        let zone = read_with(&text, &files, Limits::default()).unwrap().zone;
        zone.sets().last().map(|(_, set)| set.ttl)
    };
    let origin = "$ORIGIN z.test.\n";
    assert_eq!(
        ttl(&format!("{origin}$TTL 300\n"), "$INCLUDE ttl\n"),
        Some(60)
    );
    assert_eq!(ttl(origin, "$INCLUDE record\n"), Some(77));
    assert_eq!(ttl(&format!("$INCLUDE ttl\n{origin}"), ""), Some(60));
}

#[test]
fn an_included_file_may_be_written_as_any_path_below_and_is_shown_behind_its_folder() {
    for (path, shown) in [
        ("./x", "lab/./x"),
        ("a//x", "lab/a//x"),
        ("\u{1b}", "lab/\\u{1b}"),
    ] {
        let mut include = |name: &str| {
            assert_eq!(name, path);
            Ok("a A x\n".to_string())
        };
        let text = format!("{HEAD}$INCLUDE {path}\n");
        let errors = parse("lab/z", &text, None, Limits::default(), &mut include).unwrap_err();
        assert_eq!(&*errors[0].file, shown);
    }
}

#[test]
fn a_stated_ttl_counts_for_what_follows_though_the_data_are_bad() {
    let text = "$ORIGIN z.test.\n@ 60 SOA x\n@ NS ns.else.\na A 192.0.2.1\n";
    let errors = read_with(text, &[], Limits::default()).unwrap_err();
    assert_eq!(messages(&errors), ["z:2:10: mailbox is missing"]);
}

#[test]
fn memory_is_bounded_for_one_entry_and_for_names_that_lead_to_others() {
    let many = format!("a TXT ( {})\n", "\"\" ".repeat(70_000));
    assert_eq!(error(&many), "z:5:196632: more than a record can hold");
    let long = format!("a TXT {}\n", "\\065\\065\\065 ".repeat(60_000));
    assert!(error(&long).ends_with("more than a record can hold"));
    let most = "\"\" ".repeat(65_535);
    assert_eq!(
        error(&format!("a TXT {most}\n")),
        "z:5:1: a.z.test. TXT is longer than a message"
    );
    let limits = Limits {
        records: 4,
        ..Limits::default()
    };
    let read = |text: &str| read_with(&format!("{HEAD}{text}"), &[], limits);
    assert!(read("a.b.c TXT x\n").is_ok());
    let errors = read("a.b.c.d TXT x\n").unwrap_err();
    assert_eq!(messages(&errors), ["z:5:1: zone of more than 4 names"]);
}

#[test]
fn a_set_is_as_long_as_a_message_holds_with_its_names_compressed() {
    let many: String = (0..2500).map(|n| format!("big MX 1 h{n}.w\n")).collect();
    let text = format!("{HEAD}{many}*.w A 192.0.2.1\n");
    assert!(read_with(&text, &[], Limits::default()).is_ok());
    let more: String = (0..3500).map(|n| format!("big MX 1 h{n}.w\n")).collect();
    assert_eq!(
        error(&more),
        "z:5:1: big.z.test. MX is longer than a message"
    );
}

#[test]
fn records_that_are_there_twice_are_found_in_long_sets_too() {
    let many: String = (0..100).map(|n| format!("a NS h{n}.else.\n")).collect();
    for again in [0, 15, 16, 17, 99] {
        let text = format!("{HEAD}{many}a NS H{again}.else.\n");
        let parsed = read_with(&text, &[], Limits::default()).unwrap();
        let expected = format!("z:105:1: a.z.test. NS H{again}.else. is there twice");
        assert_eq!(messages(&parsed.warnings), [expected]);
    }
}

#[test]
fn size_is_limited_over_all_files() {
    let limits = |octets, records| Limits { octets, records };
    let enough = limits(HEAD.len(), 2);
    assert!(read_with(HEAD, &[], enough).is_ok());
    for (less, what) in [
        (
            limits(HEAD.len() - 1, 2),
            "z:1:1: zone of more than 113 octets",
        ),
        (limits(1000, 1), "z:4:1: zone of more than 1 records"),
    ] {
        let errors = read_with(HEAD, &[], less).unwrap_err();
        let octets = HEAD.len() - 1;
        assert_eq!(
            messages(&errors),
            [what.replace("113", &octets.to_string())]
        );
    }
    let text = format!("{HEAD}$INCLUDE x\n");
    let errors = read_with(&text, &[("x", HEAD)], limits(text.len(), 9)).unwrap_err();
    assert!(errors[0].to_string().starts_with("x:1:1: zone of more"));
    let word = error(&format!("a TXT {}\n", "x".repeat(200_000)));
    assert_eq!(word, "z:5:7: word of more than 131070 octets");
    let many: String = (0..6000).map(|n| format!("a TXT {n}\n")).collect();
    assert!(error(&many).contains("more records than a message can hold"));
}

#[test]
fn a_transfer_has_the_soa_record_at_both_ends_and_each_other_once() {
    let many: String = (0..3000)
        .map(|n| format!("h{n} TXT {n} {n}\nx.e{n}.y A 192.0.2.1\n"))
        .collect();
    let zone = read_with(&format!("{HEAD}{many}"), &[], Limits::default())
        .unwrap()
        .zone;
    let query = Message::query(9, Question::new(zone.apex().clone(), RecordType::AXFR));
    let octets: Vec<Vec<u8>> = zone.transfer(&query).collect();
    assert!(octets.len() > 5 && octets.iter().all(|message| message.len() < 17_000));
    let messages: Vec<Message> = octets.iter().map(|m| Message::decode(m).unwrap()).collect();
    for (index, message) in messages.iter().enumerate() {
        assert_eq!(message.header.id, 9);
        assert_eq!(message.questions.len(), usize::from(index == 0));
        assert_eq!(message.edns.is_some(), index == 0);
    }
    let sent: Vec<Record> = messages
        .into_iter()
        .flat_map(|message| message.answers)
        .collect();
    assert_eq!(sent.first(), sent.last());
    assert_eq!(sent.len(), zone.record_count() + 1);
    let expected: Vec<Record> = zone
        .sets()
        .flat_map(|(name, set)| set.records(name))
        .collect();
    assert_eq!(sent[..expected.len()], expected);
}

#[test]
fn a_transfer_keeps_the_case_of_each_name_whatever_case_others_have() {
    let text = format!("{HEAD}MiXeD A 192.0.2.1\nmail MX 1 mixed\nx.mIXED PTR WWW.Z.test.\n");
    let zone = read_with(&text, &[], Limits::default()).unwrap().zone;
    let apex = Name::parse("Z.TEST").unwrap();
    let query = Message::query(9, Question::new(apex, RecordType::AXFR));
    let messages = zone.transfer(&query).map(|m| Message::decode(&m).unwrap());
    let sent: Vec<String> = messages
        .flat_map(|message| message.answers)
        .map(|record| record.to_string())
        .collect();
    let records = zone
        .sets()
        .flat_map(|(name, set)| set.records(name))
        .chain(zone.soa_record());
    let held: Vec<String> = records.map(|record| record.to_string()).collect();
    assert_eq!(sent, held);
}
