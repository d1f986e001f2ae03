//! Which pool answers a request: by host, and by a prefix of the path.
//!
//! ```text
//! route /                    www         every host, every path
//! route /api                 api         /api, /api/x, /api?x; not /apiary
//! route shop.example.com/    shop        this host only
//! route *.example.com/img/   images      every name below example.com, not itself
//! ```
//!
//! The host decides first: the exact name before a suffix, a longer suffix before a shorter one,
//! and these before routes for every host. Among the routes of one rank the longest prefix wins. If
//! no route of a host has a matching prefix, the next rank is tried.
//!
//! A prefix is compared byte by byte with the target's path as it was sent: `/%61pi` is not `/api`,
//! and `/public/../api` begins with `/public`. A route says which pool answers, not which client
//! may ask; access must be controlled by the backend.

use std::cmp::Reverse;
use std::fmt;
use std::net::Ipv6Addr;

use super::lines::quote;
use super::settings::Item;
use crate::http::octets::{self, NAME};
use crate::net::host_port::NAME_MAX_BYTES;
use crate::net::ip::parse_ipv6;

/// The longest path prefix of a route, in bytes.
const MAX_PREFIX: usize = 1024;

/// One `route` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The hosts that it is for.
    pub host: HostPattern,
    /// The beginning of the path; it starts with a slash.
    pub prefix: String,
    /// The name of the pool that answers.
    pub pool: String,
}

/// The hosts of a route; names are in lower case, without a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// Every host.
    Any,
    /// This host.
    Exact(String),
    /// This address, in whatever form it is written.
    Address(Ipv6Addr),
    /// Every host that ends in a dot and this: `*.example.com` is kept as `example.com`.
    Below(String),
}

impl Item for Route {
    /// Reads the values of a `route` line.
    fn read(values: &[String]) -> Result<Route, String> {
        let [pattern, pool] = values else {
            return Err("needs two values, [HOST]/PREFIX and POOL".into());
        };
        let Some(slash) = pattern.find('/') else {
            return Err("needs a path behind the host, at least /".into());
        };
        let (host, prefix) = pattern.split_at(slash);
        if prefix.len() > MAX_PREFIX {
            return Err(format!("the prefix is longer than {MAX_PREFIX} bytes"));
        }
        if prefix.contains(['?', '#']) || !prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("the prefix has what no path has".into());
        }
        Ok(Route {
            host: HostPattern::read(host)?,
            prefix: prefix.to_string(),
            pool: pool.clone(),
        })
    }
}

impl Route {
    fn covers(&self, path: &[u8]) -> bool {
        let Some(rest) = path.strip_prefix(self.prefix.as_bytes()) else {
            return false;
        };
        self.prefix.ends_with('/') || matches!(rest.first(), None | Some(b'/' | b'?'))
    }
}

impl HostPattern {
    fn read(text: &str) -> Result<HostPattern, String> {
        let name = text.to_ascii_lowercase();
        if name.is_empty() {
            return Ok(HostPattern::Any);
        }
        let (name, is_suffix) = match name.strip_prefix("*.") {
            Some(rest) => (rest.to_string(), true),
            None => (name, false),
        };
        let none = "the host is no name and no address";
        if let Some(literal) = name
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            let address = parse_ipv6(literal).ok().filter(|_| !is_suffix);
            return address.map(HostPattern::Address).ok_or(none.into());
        }
        if name.contains(':') {
            return Err("a host without port: routes hold for every listener".into());
        }
        // A final dot is removed from requested hosts, too.
        let name = name.strip_suffix('.').unwrap_or(&name).to_string();
        let is_good = octets::span(name.as_bytes(), NAME) == name.len(); // as in a Host field
        if name.len() > NAME_MAX_BYTES || name.is_empty() || !is_good {
            return Err(none.into());
        }
        Ok(match is_suffix {
            true => HostPattern::Below(name),
            false => HostPattern::Exact(name),
        })
    }

    fn matches(&self, host: &[u8]) -> bool {
        match self {
            HostPattern::Any => true,
            HostPattern::Exact(name) => host.eq_ignore_ascii_case(name.as_bytes()),
            HostPattern::Address(address) => {
                let text = std::str::from_utf8(host).unwrap_or_default();
                parse_ipv6(text).is_ok_and(|host| host == *address)
            }
            HostPattern::Below(suffix) => {
                let Some(at) = host.len().checked_sub(suffix.len()) else {
                    return false;
                };
                let (label, end) = host.split_at(at);
                label.len() > 1
                    && label.ends_with(b".")
                    && end.eq_ignore_ascii_case(suffix.as_bytes())
            }
        }
    }

    /// The larger, the more exactly it describes a host.
    fn rank(&self) -> (u8, usize) {
        match self {
            HostPattern::Any => (0, 0),
            HostPattern::Below(suffix) => (1, suffix.len()),
            HostPattern::Exact(_) | HostPattern::Address(_) => (2, 0),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostPattern::Any => Ok(()),
            HostPattern::Exact(name) => f.write_str(name),
            HostPattern::Address(address) => write!(f, "[{address}]"),
            HostPattern::Below(suffix) => write!(f, "*.{suffix}"),
        }
    }
}

impl fmt::Display for Route {
    /// In the form of a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pattern = format!("{}{}", self.host, self.prefix);
        write!(f, "{} {}", quote(&pattern), self.pool)
    }
}

/// Why no pool answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unrouted {
    /// No route names the host, and such hosts are refused: 421 (RFC 9110 §15.5.20).
    UnknownHost,
    /// No route of the host has a prefix of the path: 404.
    NoRoute,
}

impl fmt::Display for Unrouted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unrouted::UnknownHost => "no route names the host",
            Unrouted::NoRoute => "no route of the host has a prefix of the path",
        })
    }
}

impl std::error::Error for Unrouted {}

/// The routes in the order in which they are tried, each with its pool's index in the
/// configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Router {
    routes: Vec<(Route, usize)>,
    reject_unknown_host: bool,
}

impl Router {
    /// A router for these routes, each with the index of its pool.
    pub(super) fn new(routes: impl Iterator<Item = (Route, usize)>, reject: bool) -> Router {
        let mut routes: Vec<(Route, usize)> = routes.collect();
        routes.sort_by_key(|(route, _)| Reverse((route.host.rank(), route.prefix.len())));
        Router {
            routes,
            reject_unknown_host: reject,
        }
    }

    /// The index of the pool that answers for a host (without a port, an IPv6 address without
    /// brackets) and a path (with or without a query; `*` counts as `/`). Compares with each route
    /// at most once; allocates nothing.
    pub fn choose(&self, host: &[u8], path: &[u8]) -> Result<usize, Unrouted> {
        let host = host.strip_suffix(b".").unwrap_or(host); // a name may end in a dot
        let path = if path == b"*" { b"/" } else { path };
        let mut is_known = !self.reject_unknown_host;
        for (route, pool) in &self.routes {
            if !route.host.matches(host) {
                continue;
            }
            is_known |= route.host != HostPattern::Any;
            if is_known && route.covers(path) {
                return Ok(*pool);
            }
        }
        Err(match is_known {
            true => Unrouted::NoRoute,
            false => Unrouted::UnknownHost,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines::split;
    use super::*;

    fn route(line: &str) -> Result<Route, String> {
        Route::read(&split(line).unwrap())
    }

    fn router(lines: &[&str], reject: bool) -> Router {
        let routes = lines.iter().map(|line| route(line).unwrap());
        Router::new(routes.enumerate().map(|(at, route)| (route, at)), reject)
    }

    const ROUTES: [&str; 8] = [
        "/ www",
        "/api api",
        "shop.example.com/ shop",
        "*.example.com/img/ images",
        "*.eu.example.com/img/ european",
        "SHOP.example.com/api shop-api",
        "[::1]/ loopback",
        "absolute.test./ absolute",
    ];

    #[test]
    fn the_closest_host_then_the_longest_prefix_wins() {
        let router = router(&ROUTES, false);
        let table = [
            ("a", "/", 0),
            ("a", "*", 0),
            ("a", "/api", 1),
            ("a", "/api/", 1),
            ("a", "/api?x=/", 1),
            ("a", "/apiary", 0),
            ("a", "/%61pi", 0),
            ("Shop.Example.COM", "/img/x", 2),
            ("shop.example.com.", "/", 2),
            ("shop.example.com", "/api/x", 5),
            ("x.example.com", "/img/x", 3),
            ("x.example.com", "/img", 0),
            ("x.eu.example.com", "/img/x", 4),
            ("example.com", "/img/x", 0),
            (".example.com", "/img/x", 0),
            ("xexample.com", "/img/x", 0),
            ("::1", "/", 6),
            ("0:0::0001", "/", 6),
            ("::2", "/", 0),
            ("absolute.test", "/", 7),
            ("absolute.test.", "/", 7),
        ];
        for (host, path, pool) in table {
            let chosen = router.choose(host.as_bytes(), path.as_bytes());
            assert_eq!(chosen, Ok(pool), "{host}{path}");
        }
    }

    #[test]
    fn a_host_that_no_route_names_can_be_refused() {
        let router = router(&ROUTES, true);
        let choose = |host: &str, path: &str| router.choose(host.as_bytes(), path.as_bytes());
        assert_eq!(choose("a", "/"), Err(Unrouted::UnknownHost));
        assert_eq!(choose("", "/"), Err(Unrouted::UnknownHost));
        assert_eq!(choose("shop.example.com", "/"), Ok(2));
        assert_eq!(
            choose("x.example.com", "/"),
            Ok(0),
            "its name is known, its path falls through"
        );
    }

    #[test]
    fn a_path_without_route_is_told_from_an_unknown_host() {
        let router = router(&["a/x x", "/y y"], false);
        assert_eq!(router.choose(b"a", b"/z"), Err(Unrouted::NoRoute));
        assert_eq!(router.choose(b"b", b"/x"), Err(Unrouted::NoRoute));
    }

    #[test]
    fn a_route_is_shown_as_it_is_read_or_refused() {
        for line in ["/ a", "/x a", "a.b/x/ c", "*.a/ b", "[::1]/ b"] {
            assert_eq!(route(line).unwrap().to_string(), line);
        }
        let table = [
            ("/", "needs two values, [HOST]/PREFIX and POOL"),
            ("/ a b", "needs two values, [HOST]/PREFIX and POOL"),
            ("a b", "needs a path behind the host, at least /"),
            (
                "a:80/ b",
                "a host without port: routes hold for every listener",
            ),
            ("*/ b", "the host is no name and no address"),
            ("./ b", "the host is no name and no address"),
            ("a*/ b", "the host is no name and no address"),
            ("*./ b", "the host is no name and no address"),
            ("[]/ b", "the host is no name and no address"),
            ("[::g]/ b", "the host is no name and no address"),
            ("[127.0.0.1]/ b", "the host is no name and no address"),
            ("*.[::1]/ b", "the host is no name and no address"),
            ("/x?y b", "the prefix has what no path has"),
        ];
        for (line, why) in table {
            assert_eq!(route(line), Err(why.to_string()), "{line}");
        }
    }
}
