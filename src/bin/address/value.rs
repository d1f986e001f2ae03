//! What a text may be: an address, an address in a network, a host and a port, a name.

use std::net::IpAddr;
use std::str::FromStr;

use groundwire::net::{
    AddressError, Host, HostPort, Prefix, Rule, Transport, ZonedIp, parse_ip, system_services,
};

/// A text that was understood.
#[derive(Debug, PartialEq)]
pub enum Value {
    Ip(ZonedIp),
    /// `10.1.2.3/8`: as an interface has it, with host bits, or a network alone.
    Network(IpAddr, Prefix),
    HostPort(HostPort),
    Name(String),
}

impl FromStr for Value {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Value, AddressError> {
        if text.contains('/') {
            return network(text);
        }
        if text.starts_with('[') || text.matches(':').count() == 1 {
            return host_port(text).map(Value::HostPort);
        }
        match text.parse()? {
            Host::Ip(ip) => Ok(Value::Ip(ip)),
            Host::Name(name) => Ok(Value::Name(name)),
            // Only the empty text comes here: the parser of addresses has the error for it.
            Host::Any => Ok(Value::Ip(text.parse()?)),
        }
    }
}

/// `Prefix` refuses host bits, because in an access list they are a mistake. Here the user asks
/// about them. The address stays as it is written: `::ffff:10.0.0.0/104` is an IPv6 text.
fn network(text: &str) -> Result<Value, AddressError> {
    let parsed = text.parse::<Prefix>();
    let parts = text.split_once('/');
    let address = parts.and_then(|(address, _)| parse_ip(address).ok());
    let around = || {
        let (_, len) = parts?;
        Prefix::around(address?, len.parse().ok()?)
    };
    let prefix = match parsed {
        Err(refused) if matches!(refused.rule(), Rule::HostBitsSet(_)) => {
            around().ok_or(refused)?
        }
        other => other?,
    };
    let ip = address.unwrap_or(prefix.network());
    Ok(Value::Network(ip, prefix))
}

/// The port may be a service of either transport; the error is TCP's.
fn host_port(text: &str) -> Result<HostPort, AddressError> {
    let parse = |transport| HostPort::parse(text, transport, system_services());
    parse(Transport::Tcp).or_else(|error| parse(Transport::Udp).map_err(|_| error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_what_its_form_says() {
        let value = |text: &str| text.parse::<Value>().map(|value| format!("{value:?}"));
        for (text, kind) in [
            ("10.1.2.3", "Ip("),
            ("::", "Ip("),
            ("fe80::1%eth0", "Ip("),
            ("10.1.2.3/8", "Network(10.1.2.3, "),
            ("10.0.0.0/8", "Network(10.0.0.0, "),
            ("2001:db8::5/64", "Network(2001:db8::5, "),
            ("[::1]:80", "HostPort("),
            ("127.0.0.1:http", "HostPort("),
            (":80", "HostPort("),
            ("localhost", "Name("),
        ] {
            let found = value(text).unwrap();
            assert!(found.starts_with(kind), "{text}: {found}");
        }
        for (text, why) in [
            ("", "address \"\": the text is empty"),
            ("288.8.8.8", "address 288.8.8.8: octet 288 is above 255"),
            ("10.0.0.0/33", "prefix 10.0.0.0/33: length must be 0 to 32"),
            (
                "10.1.2.3/8/9",
                "prefix 10.1.2.3/8/9: length 8/9 is not a decimal number",
            ),
            (
                "[::1]",
                "address [::1]: the port is missing, write host:port",
            ),
        ] {
            assert_eq!(value(text).unwrap_err().to_string(), why);
        }
    }
}
