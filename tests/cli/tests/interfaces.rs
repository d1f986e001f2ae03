//! interfaces: agrees with `ip`, on this machine and in a namespace with every kind of address.

use std::process::Command;

use groundwire_cli_tests::json::{self, Value};
use groundwire_cli_tests::{installed, namespace, program};

fn list(value: &Value) -> &[Value] {
    match value {
        Value::List(items) => items,
        other => panic!("{other:?} is no list"),
    }
}

/// The member of that name, if it is there.
fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Object(members) => members.iter().find(|(key, _)| key == name).map(|(_, v)| v),
        _ => None,
    }
}

fn texts(value: &Value) -> Vec<String> {
    let mut texts: Vec<String> = list(value)
        .iter()
        .map(|item| item.text().to_string())
        .collect();
    texts.sort();
    texts
}

/// An interface in a form that both programs' output can be brought into.
#[derive(Debug, PartialEq)]
struct Seen {
    index: f64,
    name: String,
    mtu: f64,
    mac: Option<String>,
    flags: Vec<String>,
    addresses: Vec<String>,
}

fn ours(text: &str) -> Vec<Seen> {
    let all = json::parse(text).unwrap();
    let address = |a: &Value| {
        let part =
            |name| member(a, name).map_or(String::new(), |v| format!(" {name} {}", v.text()));
        let (ip, prefix) = (a.get("address").text(), a.get("prefix").number());
        format!("{ip}/{prefix}{}{}", part("peer"), part("broadcast"))
    };
    let seen = |one: &Value| {
        // `ip` leaves RUNNING out, and says NO-CARRIER when it is missing.
        let mut flags = texts(one.get("flags"));
        let has = |flags: &[String], name: &str| flags.iter().any(|flag| flag == name);
        if has(&flags, "UP") && !has(&flags, "RUNNING") {
            flags.push("NO-CARRIER".into());
        }
        flags.retain(|flag| flag != "RUNNING");
        flags.sort();
        Seen {
            index: one.get("index").number(),
            name: one.get("name").text().into(),
            mtu: one.get("mtu").number(),
            mac: member(one, "mac").map(|mac| mac.text().into()),
            flags,
            addresses: list(one.get("addresses")).iter().map(address).collect(),
        }
    };
    list(&all).iter().map(seen).collect()
}

fn theirs(text: &str) -> Vec<Seen> {
    let all = json::parse(text).unwrap();
    let address = |a: &Value| {
        // On a link with two ends `address` is the other one.
        let peer = member(a, "address").map_or(String::new(), |v| format!(" peer {}", v.text()));
        let broadcast =
            member(a, "broadcast").map_or(String::new(), |v| format!(" broadcast {}", v.text()));
        format!(
            "{}/{}{peer}{broadcast}",
            a.get("local").text(),
            a.get("prefixlen").number()
        )
    };
    let seen = |one: &Value| Seen {
        index: one.get("ifindex").number(),
        name: one.get("ifname").text().into(),
        mtu: one.get("mtu").number(),
        mac: member(one, "address").map(|mac| mac.text().into()),
        // M-DOWN is its own: the other end of a pair is down.
        flags: texts(one.get("flags"))
            .into_iter()
            .filter(|flag| flag != "M-DOWN")
            .collect(),
        addresses: list(one.get("addr_info")).iter().map(address).collect(),
    };
    list(&all).iter().map(seen).collect()
}

fn printed(name: &str, args: &[&str]) -> String {
    let output = program(name).args(args).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn loopback_is_there_with_its_address() {
    let text = printed("interfaces", &["lo"]);
    assert!(
        text.starts_with("1: lo: <UP,LOOPBACK,RUNNING,LOWER_UP> mtu "),
        "{text}"
    );
    assert!(text.contains("\n    ip  127.0.0.1/8 loopback\n"), "{text}");
    assert!(
        text.contains(" packets, ") && text.ends_with(" dropped\n"),
        "{text}"
    );
}

#[test]
fn an_unknown_name_exits_with_1() {
    let output = program("interfaces").arg("nolink").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stderr, b"interfaces: nolink: no such interface\n");
    assert!(output.stdout.is_empty());
}

#[test]
fn ip_agrees_on_this_machine() {
    if !installed("ip") {
        return;
    }
    let ip = Command::new("ip").args(["-j", "addr"]).output().unwrap();
    let Ok(text) = String::from_utf8(ip.stdout) else {
        return eprintln!("skipped: a name that is no UTF-8");
    };
    if json::parse(&text).is_none() {
        return eprintln!("skipped: this ip has no -j");
    }
    assert_eq!(ours(&printed("interfaces", &["--json"])), theirs(&text));
}

/// Every kind of address, a link that is down, one without a carrier, and traffic in the counters.
const ODD: &str = "
ip link add odd-name.7 type veth peer name other
ip link set odd-name.7 mtu 9000 up
ip addr add 192.0.2.1 peer 198.51.100.7/24 dev odd-name.7
ip addr add 203.0.113.9/31 dev odd-name.7
ip addr add fd00::1 peer fd00::2/128 dev odd-name.7
ping -q -c3 -i 0.01 10.9.1.1 >/dev/null
ping -q -c3 -i 0.01 127.0.0.1 >/dev/null
ip -n r link set v1 down
ip -j addr; ip -s -j link; interfaces --json; ip -s -j link
";

#[test]
fn ip_agrees_on_odd_addresses_flags_and_counters() {
    let Some(text) = namespace::run(ODD) else {
        return;
    };
    let lines: Vec<&str> = text.lines().collect();
    let [addresses, before, ours_text, after] = lines[..] else {
        panic!("{text}");
    };
    assert_eq!(ours(ours_text), theirs(addresses));
    assert!(
        ours_text.contains("\"peer\":\"198.51.100.7\""),
        "{ours_text}"
    );

    // The kernel sends a packet of its own now and then, so a counter may go on in between.
    let [ours, before, after] = [ours_text, before, after].map(|text| json::parse(text).unwrap());
    let (ours, before, after) = (list(&ours), list(&before), list(&after));
    assert_eq!(ours.len(), before.len());
    for (our, (before, after)) in ours.iter().zip(before.iter().zip(after)) {
        for way in ["rx", "tx"] {
            for what in ["packets", "bytes", "errors", "dropped"] {
                let theirs = |one: &Value| one.get("stats64").get(way).get(what).number();
                let counted = our.get(way).get(what).number();
                assert!(
                    (theirs(before)..=theirs(after)).contains(&counted),
                    "{way} {what} of {}",
                    our.get("name").text()
                );
            }
        }
    }
    let lo = ours
        .iter()
        .find(|one| one.get("name").text() == "lo")
        .unwrap();
    assert!(lo.get("rx").get("packets").number() >= 6.0, "{ours_text}");
}

#[test]
fn an_interface_with_hundreds_of_other_names_is_listed_like_any() {
    let script = "
for n in $(seq 480); do printf 'link property add dev v0 altname %0127d\\n' $n; done >/run/names
ip -batch /run/names && interfaces v0
";
    let Some(text) = namespace::run(script) else {
        return;
    };
    assert!(text.contains(": v0: <"), "{text}");
    assert!(text.contains("    ip  10.9.1.2/24 "), "{text}");
}

#[test]
fn names_that_are_no_utf_8_can_be_told_apart_and_asked_for() {
    let script = r#"
ip link add "$(printf 'a\376')" type veth peer name "$(printf 'a\377')"
interfaces | grep -c '^[0-9]*: a..xf[ef]: '
interfaces 'a\xfe' | head -1; interfaces 'a\\xff' | head -1; interfaces "$(printf 'a\357\277\275')"
"#;
    let Some(text) = namespace::run(script) else {
        return;
    };
    let lines: Vec<&str> = text.lines().collect();
    let [count, fe, ff, none] = lines[..] else {
        panic!("{text}");
    };
    assert_eq!(count, "2");
    assert!(fe.contains(": a\\\\xfe: <"), "{text}");
    assert!(ff.contains(": a\\\\xff: <"), "{text}");
    assert!(none.ends_with(": no such interface"), "{text}");
}
