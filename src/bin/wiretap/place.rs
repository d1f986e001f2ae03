//! Where to listen and where to: the network by the shape of the address.

use groundwire::net::Network;

/// A network and an address on it.
#[derive(Debug, PartialEq)]
pub struct Place {
    pub network: Network,
    pub address: String,
}

impl Place {
    /// A path (`/run/s`, `./s`, `unix:s`, `@abstract`) is a Unix socket, all else is `HOST:PORT`.
    pub fn parse(text: &str, is_datagrams: bool) -> Self {
        let path = text.strip_prefix("unix:").or_else(|| {
            let begins = ["/", "./", "../", "@"];
            begins
                .iter()
                .any(|begin| text.starts_with(begin))
                .then_some(text)
        });
        let network = match (path, is_datagrams) {
            (Some(_), false) => Network::Unix,
            (Some(_), true) => Network::Unixgram,
            (None, false) => Network::Tcp,
            (None, true) => Network::Udp,
        };
        Self {
            network,
            address: path.unwrap_or(text).to_string(),
        }
    }
}

#[test]
fn the_shape_of_an_address_tells_its_network() {
    for (text, network, address) in [
        ("127.0.0.1:80", Network::Tcp, "127.0.0.1:80"),
        (":80", Network::Tcp, ":80"),
        ("[::1]:80", Network::Tcp, "[::1]:80"),
        ("unix:s", Network::Unix, "s"),
        ("/run/s", Network::Unix, "/run/s"),
        ("../s", Network::Unix, "../s"),
        ("@s", Network::Unix, "@s"),
    ] {
        let address = address.to_string();
        assert_eq!(Place::parse(text, false), Place { network, address });
    }
    assert_eq!(Place::parse("localhost:domain", true).network, Network::Udp);
    assert_eq!(Place::parse("/dev/log", true).network, Network::Unixgram);
}
