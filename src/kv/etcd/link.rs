//! From a request to an answer: which endpoint, which connection, how long.
//!
//! ```text
//!  call ─> the endpoint that answered last, then the others in turn
//!            └─ a kept connection that is quiet, else a new one ── POST ─> etcd
//! ```
//!
//! The next endpoint is asked only if this one surely changed nothing: always for reads,
//! for changes if the request was not sent as a whole.

use std::fmt::Display;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::body;
use super::failure::{Effect, of_answer};
use super::{BadEndpoint, Config};
use crate::cli::json::Value;
use crate::http::{Authority, ClientExchange, ExchangeError, Limits, Request};
use crate::kv::store::StoreError;
use crate::net::host_port::split_host_port;
use crate::net::{Conn, Deadline, Dialer, Network};

pub(super) type Exchange = ClientExchange<Conn>;

/// How many connections are kept for the next calls.
const KEPT: usize = 16;

/// Metadata of gRPC, as the gateway takes it (`rpctypes/metadatafields.go`): the stream ends with `no
/// leader` if its member has none.
const REQUIRE_LEADER: &str = "Grpc-Metadata-hasleader";

/// The endpoints of one cluster and the connections to them.
pub(super) struct Link {
    config: Config,
    /// `host:port` of each.
    endpoints: Vec<String>,
    /// The one to ask first: the one that answered last.
    first: AtomicUsize,
    kept: Mutex<Vec<(usize, Exchange)>>,
}

/// Why a call has no answer.
pub(super) enum NoAnswer {
    /// The answer is longer than [`Config::max_answer`].
    TooLong,
    /// Everything else.
    Failed(StoreError),
}

impl From<StoreError> for NoAnswer {
    fn from(error: StoreError) -> Self {
        NoAnswer::Failed(error)
    }
}

impl Link {
    pub(super) fn new(endpoints: &[&str], config: Config) -> Result<Self, BadEndpoint> {
        let parsed = endpoints.iter().map(|text| endpoint(text));
        let endpoints: Vec<String> = parsed.collect::<Result<_, _>>()?;
        if endpoints.is_empty() {
            return Err(BadEndpoint("no endpoint is given".into()));
        }
        Ok(Self {
            config,
            endpoints,
            first: AtomicUsize::new(0),
            kept: Mutex::new(Vec::new()),
        })
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// Posts `body` to `path` and returns the answer: within [`Config::timeout`], whatever the
    /// number of endpoints.
    pub(super) fn call(&self, path: &str, body: &str, effect: Effect) -> Result<Value, NoAnswer> {
        self.in_turn(|endpoint, share, deadline| {
            let mut exchange = match self.take_kept(endpoint) {
                Some(exchange) => exchange,
                None => self.connect(endpoint, share)?,
            };
            // A change is not sent twice, so wait for its one answer until the deadline.
            let until = match effect {
                Effect::Read => share,
                Effect::Change => deadline,
            };
            let answer = self.exchange(&mut exchange, (endpoint, path, body), effect, until)?;
            self.keep(endpoint, exchange);
            Ok(answer)
        })
    }

    /// Posts `body` to `path` on a connection of its own, and returns the connection once the
    /// answer's head is read. A member that is cut off from the others would stay silent as long as
    /// that lasts; with [`REQUIRE_LEADER`], it reports that it has no leader.
    pub(super) fn open(&self, path: &str, body: &str) -> Result<Exchange, NoAnswer> {
        self.in_turn(|endpoint, share, _| {
            let mut exchange = self.connect(endpoint, share)?;
            exchange.stream().set_deadline(share);
            let failed = |error: &dyn Display| self.not_done(endpoint, error);
            let mut request = self.request(endpoint, path, body);
            request.fields.add(REQUIRE_LEADER, "true");
            exchange.send(&request).map_err(|e| failed(&e))?;
            let head = exchange.receive_head("POST").map_err(|e| failed(&e))?;
            if head.status == 200 {
                return Ok(exchange);
            }
            let why = read_all(&mut exchange, self.config.max_answer).map_err(|e| failed(&e))?;
            Err(self.told(endpoint, of_answer(head.status, &why, Effect::Read)))
        })
    }

    /// Tries one endpoint after the other, until one did something, or may have. Each gets an equal
    /// share of the time left.
    fn in_turn<T>(
        &self,
        attempt: impl Fn(usize, Deadline, Deadline) -> Result<T, NoAnswer>,
    ) -> Result<T, NoAnswer> {
        let deadline = Deadline::after(self.config.timeout);
        let count = self.endpoints.len();
        let first = self.first.load(Ordering::Relaxed);
        let mut failures = Vec::new();
        for turn in 0..count {
            let endpoint = (first + turn) % count;
            let left = deadline.remaining().unwrap_or(self.config.timeout);
            let share = Deadline::after(left / (count - turn) as u32);
            match attempt(endpoint, share, deadline) {
                Err(NoAnswer::Failed(StoreError::NotDone(why))) => failures.push(why),
                Err(NoAnswer::Failed(unknown @ StoreError::Unknown(_))) => {
                    self.first
                        .store((first + turn + 1) % count, Ordering::Relaxed);
                    return Err(unknown.into());
                }
                result => {
                    self.first.store(endpoint, Ordering::Relaxed);
                    return result;
                }
            }
        }
        Err(StoreError::NotDone(failures.join("; ")).into())
    }

    fn exchange(
        &self,
        exchange: &mut Exchange,
        (endpoint, path, body): (usize, &str, &str),
        effect: Effect,
        until: Deadline,
    ) -> Result<Value, NoAnswer> {
        exchange.stream().set_deadline(until);
        let request = self.request(endpoint, path, body);
        // Not sent as a whole: a truncated body is not a request, so nothing was done.
        let sent = exchange.send(&request);
        sent.map_err(|error| self.not_done(endpoint, &error))?;
        let most = self.config.max_answer;
        let response = exchange.receive("POST", most as u64).map_err(|error| {
            let why = self.about(endpoint, &error);
            match error {
                ExchangeError::TooLong(_) if effect == Effect::Read => NoAnswer::TooLong,
                _ => effect.unanswered(why).into(),
            }
        })?;
        if response.status != 200 {
            return Err(self.told(endpoint, of_answer(response.status, &response.body, effect)));
        }
        let answer = body::parse(&response.body, most);
        Ok(answer.map_err(|strange| effect.unanswered(self.about(endpoint, &strange)))?)
    }

    fn request(&self, endpoint: usize, path: &str, body: &str) -> Request {
        let mut request = Request::new("POST", path, self.name(endpoint));
        request.fields.add("Content-Type", "application/json");
        request.body = body.as_bytes().to_vec();
        request
    }

    fn connect(&self, endpoint: usize, share: Deadline) -> Result<Exchange, StoreError> {
        let most = self.config.connect_timeout;
        let dialer = Dialer {
            timeout: Some(share.remaining().map_or(most, |left| left.min(most))),
            ..Dialer::default()
        };
        let conn = dialer.dial(Network::Tcp, self.name(endpoint));
        let conn = conn.map_err(|error| StoreError::NotDone(error.to_string()))?;
        Ok(ClientExchange::new(conn, Limits::default()))
    }

    /// A kept connection to this endpoint, if there is one that it has not closed as far as is
    /// known.
    fn take_kept(&self, endpoint: usize) -> Option<Exchange> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(_, exchange)| exchange.stream().is_quiet());
        let place = kept.iter().rposition(|(to, _)| *to == endpoint)?;
        Some(kept.swap_remove(place).1)
    }

    fn keep(&self, endpoint: usize, exchange: Exchange) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if exchange.keeps_alive() && kept.len() < KEPT {
            kept.push((endpoint, exchange));
        }
    }

    fn name(&self, endpoint: usize) -> &str {
        self.endpoints.get(endpoint).map_or("", String::as_str)
    }

    /// A failure, with the endpoint's name.
    fn about(&self, endpoint: usize, error: &dyn Display) -> String {
        format!("etcd {}: {error}", self.name(endpoint))
    }

    /// An endpoint's own error, with its name if another endpoint may answer otherwise.
    fn told(&self, endpoint: usize, error: StoreError) -> NoAnswer {
        NoAnswer::Failed(match error {
            StoreError::NotDone(why) => self.not_done(endpoint, &why),
            StoreError::Unknown(why) => StoreError::Unknown(self.about(endpoint, &why)),
            final_everywhere => final_everywhere,
        })
    }

    fn not_done(&self, endpoint: usize, error: &dyn Display) -> StoreError {
        StoreError::NotDone(self.about(endpoint, error))
    }
}

/// The rest of an answer, of at most `most` bytes.
fn read_all(exchange: &mut Exchange, most: usize) -> Result<Vec<u8>, ExchangeError> {
    let (mut body, mut part) = (Vec::new(), [0; 4096]);
    loop {
        let count = exchange.read(&mut part)?;
        if count == 0 {
            return Ok(body);
        }
        if body.len() + count > most {
            return Err(ExchangeError::TooLong(most as u64));
        }
        body.extend_from_slice(part.get(..count).unwrap_or_default());
    }
}

/// The `host:port` of `http://host:port`.
fn endpoint(text: &str) -> Result<String, BadEndpoint> {
    let bad = |why: &dyn Display| BadEndpoint(format!("{text}: {why}"));
    let address = match text.split_once("://") {
        Some(("http", address)) => address,
        Some(("https", _)) => return Err(bad(&"TLS is not spoken here: use a tunnel that does")),
        _ => return Err(bad(&"want http://HOST:PORT")),
    };
    let address = address.strip_suffix('/').unwrap_or(address);
    split_host_port(address).map_err(|error| bad(&error))?;
    match Authority::parse(address.as_bytes()) {
        Ok(_) => Ok(address.to_string()),
        Err(rule) => Err(bad(&rule)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_host_and_a_port_over_plain_http() {
        assert_eq!(endpoint("http://[::1]:2379/").unwrap(), "[::1]:2379");
        for bad in [
            "127.0.0.1:2379",
            "https://etcd:2379",
            "http://etcd",
            "http://etcd:2379/v3",
            "http://a b:1",
            "",
        ] {
            let BadEndpoint(why) = endpoint(bad).unwrap_err();
            assert!(why.starts_with(bad), "{why}");
        }
        assert!(Link::new(&[], Config::default()).is_err());
    }
}
