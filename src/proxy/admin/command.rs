//! `POST /backends/POOL/NAME/drain` and `/enable`: what is requested, and who may request it.
//!
//! A request may come from this machine, or have the token. But a browser on this machine sends
//! requests for any page from anywhere. So a request without the token must show that no page of
//! another site made it ("cross-site request forgery"):
//!
//! - Its Host is an address or `localhost`. A page of another site can get here only by a name of
//!   its own that resolves to this address ("DNS rebinding"), and then the browser sends that name.
//! - Its Origin, which browsers send with every POST (the Fetch standard), is the address that it
//!   asks. Or it has no Origin but an `X-Requested-By`, which no page can add without asking first
//!   (CORS).
//! - It has no field of a proxy: behind one, every client would appear to be on this machine.
//!
//! A request with the token needs none of this: no page knows it.

use crate::http::{Request, percent};
use crate::net::{Addr, parse_ip};
use crate::rpc::sha256::{equal, sha256};

/// The change to a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// It finishes its requests and gets no new ones.
    Drain,
    /// It gets requests again.
    Enable,
}

impl Verb {
    /// The word in the path and in the log.
    pub fn word(self) -> &'static str {
        match self {
            Verb::Drain => "drain",
            Verb::Enable => "enable",
        }
    }
}

/// A command for a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    pub pool: String,
    pub backend: String,
    pub verb: Verb,
}

impl Command {
    /// Parses a path. Names are percent-encoded; a slash in a backend's name may be literal.
    pub fn of(path: &str) -> Option<Self> {
        let (pool, rest) = path.strip_prefix("/backends/")?.split_once('/')?;
        let (backend, verb) = rest.rsplit_once('/')?;
        let verb = [Verb::Drain, Verb::Enable]
            .into_iter()
            .find(|known| known.word() == verb)?;
        Some(Self {
            pool: decoded(pool)?,
            backend: decoded(backend)?,
            verb,
        })
    }
}

/// A secret that grants a right. Only its digest is kept.
#[derive(Clone, Copy)]
pub struct Secret([u8; 32]);

impl Secret {
    /// The shortest secret, in bytes.
    pub const SHORTEST: usize = 16;

    /// A secret of these bytes; `None` if they are too few.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() >= Self::SHORTEST).then(|| Self(sha256(bytes)))
    }

    /// Compares digests, so the time taken does not show where two secrets differ.
    fn is(&self, given: &[u8]) -> bool {
        equal(&self.0, &sha256(given))
    }
}

/// Whether the sender of this request may make changes; if not, why.
pub fn may_change(
    request: &Request,
    peer: &Addr,
    token: Option<&Secret>,
) -> Result<(), &'static str> {
    if let Some(given) = request.fields.get("Authorization") {
        let given = bearer(given);
        return match token.zip(given) {
            Some((token, given)) if token.is(given) => Ok(()),
            Some(_) => Err("this is not the token"),
            None if token.is_none() => Err("there is no token here: see admin-token-file"),
            None => Err("Authorization must be: Bearer TOKEN"),
        };
    }
    let through = ["Forwarded", "X-Forwarded-For", "Via"];
    if through
        .iter()
        .any(|name| request.fields.get(name).is_some())
    {
        return Err("through a proxy only with the token");
    }
    if !is_here(peer) {
        return Err("only from this machine, or with the field Authorization: Bearer TOKEN");
    }
    is_no_page_of_others(request)
}

/// The token of `Bearer TOKEN` (RFC 6750 §2.1); the scheme is case-insensitive (RFC 9110 §11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    const SCHEME: &[u8] = b"Bearer ";
    let (scheme, token) = value.split_at_checked(SCHEME.len())?;
    scheme
        .eq_ignore_ascii_case(SCHEME)
        .then(|| token.trim_ascii())
}

fn is_here(peer: &Addr) -> bool {
    match peer {
        Addr::Ip(address) => address.ip().to_canonical().is_loopback(),
        Addr::Unix(_) => true, // the mode of the socket file says who may connect
    }
}

fn is_no_page_of_others(request: &Request) -> Result<(), &'static str> {
    let host = request.host.as_deref().unwrap_or_default();
    if !is_address_or_localhost(host) {
        return Err("without the token, Host must be an address or localhost");
    }
    match request.fields.get("Origin") {
        Some(origin) => {
            let ours = format!("http://{host}");
            match origin.eq_ignore_ascii_case(ours.as_bytes()) {
                true => Ok(()),
                false => Err("a page from elsewhere may not do this"),
            }
        }
        None if request.fields.get("X-Requested-By").is_some() => Ok(()),
        None => Err("needs the field X-Requested-By, with any value: so it comes from no page"),
    }
}

fn is_address_or_localhost(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || parse_ip(name).is_ok()
}

/// `None` if the text is not a valid encoding of UTF-8.
fn decoded(text: &str) -> Option<String> {
    String::from_utf8(percent::decode(text)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_read_from_its_path() {
        let command = |pool: &str, backend: &str, verb| {
            Some(Command {
                pool: pool.into(),
                backend: backend.into(),
                verb,
            })
        };
        for (path, wanted) in [
            (
                "/backends/www/10.0.0.7:90/drain",
                command("www", "10.0.0.7:90", Verb::Drain),
            ),
            (
                "/backends/www/app/10.0.0.7:90/enable",
                command("www", "app/10.0.0.7:90", Verb::Enable),
            ),
            (
                "/backends/a%2Fb/unix%3A%2Frun%2Fa/drain",
                command("a/b", "unix:/run/a", Verb::Drain),
            ),
            ("/backends/www/a%2/drain", None),
            ("/backends/www/a%+1/drain", None),
            ("/backends/www/a%é/drain", None),
            ("/backends/www/a%FF/drain", None),
            ("/backends/www/drain", None),
            ("/backends/www/a/stop", None),
            ("/backends", None),
        ] {
            assert_eq!(Command::of(path), wanted, "{path}");
        }
    }

    #[test]
    fn only_this_machine_without_a_page_and_the_token_may_change_something() {
        let token = Secret::new(b"0123456789abcdef").unwrap();
        let here = Addr::Ip("127.0.0.1:5000".parse().unwrap());
        let mapped = Addr::Ip("[::ffff:127.0.0.1]:5000".parse().unwrap());
        let there = Addr::Ip("192.0.2.1:5000".parse().unwrap());
        let by = ("X-Requested-By", "me");
        let origin = ("Origin", "http://127.0.0.1:90");
        let right = ("Authorization", "bearer 0123456789abcdef");
        let wrong = ("Authorization", "Bearer 0123456789abcdeF");
        let local = "127.0.0.1:90";
        type Row<'a> = (&'a Addr, &'a str, &'a [(&'a str, &'a str)], bool);
        #[rustfmt::skip]
        let table: &[Row<'_>] = &[
            (&here, local, &[by], true),
            (&here, local, &[origin], true),
            (&mapped, "[::1]:90", &[by], true),
            (&Addr::Unix(None), "LocalHost", &[by], true),
            (&here, local, &[], false),
            (&here, local, &[("Origin", "null"), by], false),
            (&here, local, &[("Origin", "http://evil.example"), by], false),
            (&here, "localhost:90", &[origin], false),
            (&here, "evil.example:90", &[by], false),
            (&here, "evil.example:90", &[("Origin", "http://evil.example:90")], false),
            (&here, "127.0.0.1.evil.example", &[by], false),
            (&here, "", &[by], false),
            (&here, local, &[by, ("Via", "1.1 p")], false),
            (&here, local, &[by, ("X-Forwarded-For", "192.0.2.1")], false),
            (&there, local, &[by], false),
            (&there, local, &[right], true),
            (&there, "lb.example", &[right, ("Via", "1.1 p")], true),
            (&there, local, &[wrong], false),
            (&here, local, &[wrong, by], false),
            (&here, local, &[("Authorization", "Basic x"), by], false),
        ];
        for (peer, host, fields, may) in table {
            let mut request = Request::new("POST", "/", host);
            fields.iter().for_each(|(n, v)| request.fields.add(n, v));
            let found = may_change(&request, peer, Some(&token));
            assert_eq!(found.is_ok(), *may, "{peer} {host} {fields:?} {found:?}");
            let only_local = fields.iter().all(|(name, _)| *name != "Authorization");
            let without = may_change(&request, peer, None);
            assert_eq!(without.is_ok(), *may && only_local, "without a token");
        }
        assert!(Secret::new(b"0123456789abcde").is_none());
    }
}
