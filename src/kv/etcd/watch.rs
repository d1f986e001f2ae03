//! Watches at etcd: one answer that does not end, with a line for each event.
//!
//! The stream has a connection of its own. When it breaks, the next call opens another, to any
//! endpoint that answers, from the revision after the last change that was reported.

use std::fmt::Display;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::body::{self, Told};
use super::failure;
use super::link::{Exchange, Link};
use crate::http::ExchangeError;
use crate::kv::command::{Change, Changes, Keys, Revision};
use crate::kv::store::{StoreError, WENT_BACK, Watch};
use crate::net::Deadline;

/// The shortest wait, so that changes that have already arrived are returned even with a wait of 0.
const LEAST_WAIT: Duration = Duration::from_millis(5);

/// A watch in progress.
pub(super) struct EtcdWatch {
    link: Arc<Link>,
    keys: Keys,
    /// All changes before it have been reported.
    next: Revision,
    stream: Option<Lines>,
}

impl EtcdWatch {
    pub(super) fn new(link: Arc<Link>, keys: Keys, from: Revision) -> Self {
        Self {
            link,
            keys,
            next: from.max(1),
            stream: None,
        }
    }

    fn open(&self) -> Result<Lines, StoreError> {
        let body = body::watch(&self.keys, self.next);
        let most = self.link.config().max_answer;
        let exchange = self.link.open("/v3/watch", &body).map_err(super::plain)?;
        Ok(Lines::new(exchange, most))
    }
}

impl Watch for EtcdWatch {
    fn changes(&mut self, wait: Duration) -> Result<Changes, StoreError> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.open()?,
        };
        let until = Deadline::after(wait.max(LEAST_WAIT));
        // After an error there is no stream left: the next call opens another.
        let mut changes = Vec::new();
        while changes.is_empty() {
            match told(&mut stream, until)? {
                None => break,
                Some(Told::Compacted(compacted)) => return Err(compacted.into()),
                Some(Told::Changes {
                    changes: told,
                    is_fragment,
                }) => {
                    let whole = stream.whole_revisions(told, is_fragment).map_err(broken)?;
                    if !whole.go_on_from(self.next) {
                        return Err(broken(WENT_BACK));
                    }
                    (changes, self.next) = (whole.changes, whole.next);
                }
                Some(Told::Nothing | Told::Ended(_)) => {}
            }
        }
        self.stream = Some(stream);
        Ok(Changes {
            changes,
            next: self.next,
        })
    }
}

/// The next message of the stream; `None` at the deadline.
fn told(stream: &mut Lines, until: Deadline) -> Result<Option<Told>, StoreError> {
    let Some(line) = stream.next(until).map_err(broken)? else {
        return Ok(None);
    };
    let told = body::parse(&line, line.len()).and_then(|line| body::told(&line));
    match told.map_err(broken)? {
        Told::Ended(why) => Err(failure::of_end(&why)),
        told => Ok(Some(told)),
    }
}

fn broken(why: impl Display) -> StoreError {
    StoreError::NotDone(format!("the watch broke: {why}"))
}

/// The bytes of a change, with its overhead, roughly.
fn size(change: &Change) -> usize {
    let value = match change {
        Change::Put(now) => now.value.len(),
        Change::Deleted { .. } => 0,
    };
    change.key().len() + value + size_of::<Change>()
}

/// The answer's body, line by line.
struct Lines {
    exchange: Exchange,
    /// The bytes received and not yet returned.
    bytes: Vec<u8>,
    /// How many of these bytes are searched, and have no end of a line.
    searched: usize,
    most: usize,
    /// Changes of a revision that may have more.
    held: Vec<Change>,
}

impl Lines {
    fn new(exchange: Exchange, most: usize) -> Self {
        Self {
            exchange,
            bytes: Vec::new(),
            searched: 0,
            most,
            held: Vec::new(),
        }
    }

    /// The changes to report, and the revision to continue from. Those of a fragment's last
    /// revision are held back: if the stream broke then, a new one could not begin within that
    /// revision.
    fn whole_revisions(
        &mut self,
        told: Vec<Change>,
        is_fragment: bool,
    ) -> Result<Changes, ExchangeError> {
        self.held.extend(told);
        let last = self.held.last().map_or(0, Change::revision);
        if !is_fragment {
            let (changes, next) = (std::mem::take(&mut self.held), last + 1);
            return Ok(Changes { changes, next });
        }
        let mut changes = self.held.iter();
        let begun = changes.position(|change| change.revision() == last);
        let held = self.held.split_off(begun.unwrap_or(0));
        // The changes of one transaction of etcd are shorter than the longest line.
        if held.iter().map(size).sum::<usize>() > self.most {
            return Err(ExchangeError::TooLong(self.most as u64));
        }
        let (changes, next) = (std::mem::replace(&mut self.held, held), last);
        Ok(Changes { changes, next })
    }

    /// The next line; `None` at the deadline.
    fn next(&mut self, until: Deadline) -> Result<Option<Vec<u8>>, ExchangeError> {
        self.exchange.stream().set_read_deadline(until);
        let mut part = [0; 4096];
        loop {
            if let Some(line) = self.whole() {
                return Ok(Some(line));
            }
            if self.bytes.len() > self.most {
                return Err(ExchangeError::TooLong(self.most as u64));
            }
            match self.exchange.read(&mut part) {
                Ok(0) => return Err(ExchangeError::Cut),
                Ok(count) => self
                    .bytes
                    .extend_from_slice(part.get(..count).unwrap_or_default()),
                Err(ExchangeError::Io(error)) if error.kind() == io::ErrorKind::TimedOut => {
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes a line, if one has arrived as a whole.
    fn whole(&mut self) -> Option<Vec<u8>> {
        let unsearched = self.bytes.iter().skip(self.searched);
        let Some(end) = unsearched.copied().position(|byte| byte == b'\n') else {
            self.searched = self.bytes.len();
            return None;
        };
        let rest = self.bytes.split_off(self.searched + end + 1);
        self.searched = 0;
        Some(std::mem::replace(&mut self.bytes, rest))
    }
}
