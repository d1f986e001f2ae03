//! A [`Store`] that is an etcd cluster, for a service that outgrows the embedded one.
//!
//! etcd (3.4 and later) also offers its gRPC calls as HTTP/1.1 with JSON, below `/v3`. That costs a
//! third more bytes, for base64, and avoids all of HTTP/2 and protobuf:
//!
//! ```text
//!  put            POST /v3/kv/put           {"key":"aw==","value":"dg=="}
//!  <              {"header":{"revision":"7", ...}}
//!  get, list      POST /v3/kv/range
//!  delete         POST /v3/kv/deleterange
//!  swap           POST /v3/kv/txn           compare, then put or delete, else look
//!  watch          POST /v3/watch            an answer of lines, which does not end
//! ```
//!
//! What it does not do: TLS, etcd's users and tokens, leases. Revisions are those of the whole
//! etcd, which other clients change, too; a transaction of theirs may make several changes in one
//! revision.
//!
//! The files: `body`, requests and answers (pure); `failure`, the meaning of errors (pure); `link`,
//! endpoints and connections; `watch`, the answer that does not end.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::command::{Command, Expected, KeyValue, Keys, Page, Revision, Swap, check_key};
use super::store::{Store, StoreError, Watch};
use crate::cli::json::Value;
use body::Strange;
use failure::Effect;
use link::{Link, NoAnswer};
use watch::EtcdWatch;

mod body;
mod failure;
mod link;
mod watch;

/// The most keys in one page: an answer comes as a whole, so it must not have all keys.
const MAX_PAGE: usize = 1000;

/// Times and limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// For a call with all its attempts; for a watch, to open it. Default 5 s.
    pub timeout: Duration,
    /// For one connection, the look-up of its name included. Default 1 s.
    pub connect_timeout: Duration,
    /// The longest answer, and the longest line of a watch, in bytes. Default 16 MiB.
    pub max_answer: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(1),
            max_answer: 16 << 20,
        }
    }
}

/// The endpoints cannot be used: which, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadEndpoint(pub String);

impl fmt::Display for BadEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "etcd endpoint {}", self.0)
    }
}

impl std::error::Error for BadEndpoint {}

/// An etcd cluster. Cloning shares its connections.
///
/// ```no_run
/// use groundwire::kv::etcd::{Config, Etcd};
/// use groundwire::kv::{Expected, Store};
///
/// let etcd = Etcd::new(&["http://10.0.0.1:2379", "http://10.0.0.2:2379"], Config::default())?;
/// // Only one of many clients wins: a key that does not exist has the revision 0.
/// etcd.compare_and_swap(b"leader", Expected::Revision(0), Some(b"me"))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Etcd {
    link: Arc<Link>,
}

impl Etcd {
    /// The cluster at these endpoints, `http://HOST:PORT` each. Nothing is connected yet.
    pub fn new(endpoints: &[&str], config: Config) -> Result<Self, BadEndpoint> {
        let link = Arc::new(Link::new(endpoints, config)?);
        Ok(Self { link })
    }

    fn read(&self, body: &str) -> Result<Page, NoAnswer> {
        let answer = self.link.call("/v3/kv/range", body, Effect::Read)?;
        let page =
            body::page(&answer).map_err(|strange| Effect::Read.unanswered(strange.to_string()));
        Ok(page?)
    }

    fn change<T>(
        &self,
        path: &str,
        body: &str,
        read: impl Fn(&Value) -> Result<T, Strange>,
    ) -> Result<T, StoreError> {
        let answer = self.link.call(path, body, Effect::Change).map_err(plain)?;
        read(&answer).map_err(|strange| Effect::Change.unanswered(strange.to_string()))
    }
}

/// For calls whose answers are short.
fn plain(failed: NoAnswer) -> StoreError {
    match failed {
        NoAnswer::Failed(error) => error,
        NoAnswer::TooLong => StoreError::NotDone("the answer is longer than the limit".into()),
    }
}

impl Store for Etcd {
    fn get(&self, key: &[u8]) -> Result<Option<KeyValue>, StoreError> {
        check_key(key)?;
        let page = self.read(&body::get(key)).map_err(plain)?;
        Ok(page.entries.into_iter().next())
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<Revision, StoreError> {
        Command::Put { key, value }.check()?;
        self.change("/v3/kv/put", &body::put(key, value), body::revision)
    }

    fn delete(&self, key: &[u8]) -> Result<Option<Revision>, StoreError> {
        check_key(key)?;
        self.change("/v3/kv/deleterange", &body::delete(key), body::deleted)
    }

    fn compare_and_swap(
        &self,
        key: &[u8],
        expected: Expected<'_>,
        value: Option<&[u8]>,
    ) -> Result<Swap, StoreError> {
        let command = Command::CompareAndSwap {
            key,
            expected,
            value,
        };
        command.check()?;
        let body = body::compare_and_swap(key, expected, value);
        self.change("/v3/kv/txn", &body, body::swap)
    }

    fn list(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Page, StoreError> {
        let mut limit = limit.clamp(1, MAX_PAGE);
        loop {
            match self.read(&body::list(prefix, after, limit)) {
                // The values are large: ask for fewer.
                Err(NoAnswer::TooLong) if limit > 1 => limit /= 2,
                page => return page.map_err(plain),
            }
        }
    }

    fn watch(&self, keys: Keys, from: Revision) -> Result<Box<dyn Watch>, StoreError> {
        keys.check()?;
        Ok(Box::new(EtcdWatch::new(self.link.clone(), keys, from)))
    }
}
