//! The facts about a value, a row each: the same rows for people and as JSON.

use std::net::IpAddr;

use groundwire::cli::json::Object;
use groundwire::net::class::{classify, row};
use groundwire::net::ip::canonical;
use groundwire::net::{Host, HostPort, Prefix, ZonedIp, reverse_name};

use super::value::Value;

/// A fact: its name and its value.
pub type Fact = (&'static str, Is);

/// A text, or a number of any size.
#[derive(Debug, PartialEq)]
pub enum Is {
    Text(String),
    Number(String),
}

fn text(name: &'static str, is: impl ToString) -> Fact {
    (name, Is::Text(is.to_string()))
}

fn number(name: &'static str, is: impl ToString) -> Fact {
    (name, Is::Number(is.to_string()))
}

/// Everything about a value, in the order in which it is read.
pub fn of(value: &Value) -> Vec<Fact> {
    let mut facts = Vec::new();
    match value {
        Value::Ip(ip) => {
            facts.push(text("kind", "address"));
            add_ip(&mut facts, ip);
        }
        Value::Network(ip, prefix) => {
            let is_network = canonical(*ip) == prefix.network();
            let kind = match is_network {
                true => "network",
                false => "address in a network",
            };
            facts.push(text("kind", kind));
            add_ip(&mut facts, &ZonedIp::from(*ip));
            add_prefix(&mut facts, prefix);
        }
        Value::HostPort(target) => add_host_port(&mut facts, target),
        Value::Name(name) => {
            facts.push(text("kind", "name"));
            facts.push(text("host", name));
        }
    }
    facts
}

fn add_ip(facts: &mut Vec<Fact>, zoned: &ZonedIp) {
    let (ip, plain) = (zoned.ip(), canonical(zoned.ip()));
    facts.push(text("address", ip));
    facts.push(text("family", if ip.is_ipv4() { "IPv4" } else { "IPv6" }));
    if let Some(zone) = zoned.zone() {
        facts.push(text("zone", zone));
    }
    match (ip, plain) {
        (IpAddr::V4(v4), _) => facts.push(text("mapped", v4.to_ipv6_mapped())),
        (_, IpAddr::V4(v4)) => facts.push(text("ipv4", v4)),
        (IpAddr::V6(v6), _) => {
            let groups = v6.segments().map(|group| format!("{group:04x}"));
            facts.push(text("full", groups.join(":")));
        }
    }
    facts.push(text("class", classify(ip)));
    if let Some((block, _, source)) = row(ip) {
        facts.push(text("block", format_args!("{block}, {source}")));
    }
    facts.push(text("reverse", reverse_name(ip)));
}

fn add_prefix(facts: &mut Vec<Fact>, prefix: &Prefix) {
    let (first, last) = prefix.hosts();
    facts.push(text("network", prefix));
    facts.push(number("length", prefix.len()));
    if let Some(mask) = prefix.mask() {
        facts.push(text("mask", mask));
    }
    if let Some(broadcast) = prefix.broadcast() {
        facts.push(text("broadcast", broadcast));
    }
    facts.push(text("first", first));
    facts.push(text("last", last));
    facts.push(number("hosts", prefix.host_count()));
}

fn add_host_port(facts: &mut Vec<Fact>, target: &HostPort) {
    facts.push(text("kind", "host and port"));
    facts.push(number("port", target.port));
    match &target.host {
        // A listener takes all addresses, a dialer this machine's loopback.
        Host::Any => facts.push(text("host", "any")),
        Host::Name(name) => facts.push(text("host", name)),
        Host::Ip(ip) => {
            facts.push(text("host", ip));
            add_ip(facts, ip);
        }
    }
}

/// The value and a line for each fact, for people.
pub fn paragraph(value: &str, facts: &[Fact]) -> String {
    let mut lines = vec![value.to_string()];
    for (name, is) in facts {
        let (Is::Text(is) | Is::Number(is)) = is;
        lines.push(format!("    {name:<9} {is}"));
    }
    lines.join("\n")
}

/// The same as an object.
pub fn object(value: &str, facts: &[Fact]) -> String {
    let object = Object::new().text("value", value);
    let add = |object: Object, (name, is): &Fact| match is {
        Is::Text(text) => object.text(name, text),
        Is::Number(number) => object.number(name, number),
    };
    facts.iter().fold(object, add).end()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(value: &str) -> String {
        paragraph(value, &of(&value.parse().unwrap()))
    }

    #[test]
    fn an_address_in_a_network_has_both_told() {
        assert_eq!(
            told("192.168.1.17/24"),
            "192.168.1.17/24
    kind      address in a network
    address   192.168.1.17
    family    IPv4
    mapped    ::ffff:192.168.1.17
    class     private
    block     192.168.0.0/16, RFC 1918
    reverse   17.1.168.192.in-addr.arpa
    network   192.168.1.0/24
    length    24
    mask      255.255.255.0
    broadcast 192.168.1.255
    first     192.168.1.1
    last      192.168.1.254
    hosts     254"
        );
    }

    #[test]
    fn zones_and_mapped_addresses_are_told() {
        let zoned = told("fe80::1%eth0");
        assert!(zoned.contains("\n    zone      eth0\n"), "{zoned}");
        assert!(zoned.contains("\n    full      fe80:0000:0000:0000:0000:0000:0000:0001\n"));
        let mapped = told("::ffff:10.0.0.1");
        assert!(
            mapped.contains("\n    family    IPv6\n    ipv4      10.0.0.1\n"),
            "{mapped}"
        );
        let network = told("::ffff:10.0.0.0/104");
        assert!(network.contains("    kind      network\n"), "{network}");
        assert!(
            network.contains("\n    family    IPv6\n    ipv4      10.0.0.0\n"),
            "{network}"
        );
        assert!(
            network.contains("\n    network   10.0.0.0/8\n"),
            "{network}"
        );
    }

    #[test]
    fn json_has_the_same_facts() {
        let value = "[::1]:80";
        let object = object(value, &of(&value.parse().unwrap()));
        assert!(
            object.starts_with("{\"value\":\"[::1]:80\",\"kind\":\"host and port\",\"port\":80,")
        );
        assert!(object.contains("\"class\":\"loopback\""), "{object}");
    }
}
