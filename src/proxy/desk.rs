//! The buffers that a request needs while it is under way, used again by the next one.
//!
//! A client that is idle holds one small buffer for what it may send. The large ones (what a backend
//! answers, what is to be written) belong to requests, of which far fewer are under way than there
//! are clients, so they are kept in a heap of desks: the one put back last, still in the CPU's
//! cache, is taken first.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::http::{ChunkReader, HeadParser, Limits, date};
use crate::net::Incoming;

/// How much of a body is read at once, in bytes: more saves few calls, less costs many.
pub const PART: usize = 64 * 1024;
/// How many desks are kept.
const KEPT: usize = 1024;
/// A larger buffer for writing is not kept.
const LARGEST: usize = 2 * PART;

/// The buffers of one request.
pub struct Desk {
    /// What the backend has sent. Small until a body is seen that is not, and large from then on.
    pub reply: Incoming,
    /// Reads the heads of its responses.
    pub parser: HeadParser,
    /// Reads the chunks of its responses.
    pub chunks: ChunkReader,
    /// What is to be written to either side.
    pub out: Vec<u8>,
    /// The time now as a Date field has it.
    pub date: Date,
}

impl Desk {
    fn new(limits: Limits) -> Self {
        Self {
            reply: Incoming::new(PART),
            parser: HeadParser::responses(limits),
            chunks: ChunkReader::new(&limits),
            out: Vec::new(),
            date: Date::default(),
        }
    }
}

/// A date that is written once a second.
#[derive(Default)]
pub struct Date {
    second: u64,
    text: String,
}

impl Date {
    /// Now.
    pub fn now(&mut self) -> &str {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let second = now.map_or(0, |since| since.as_secs());
        if second != self.second || self.text.is_empty() {
            (self.second, self.text) = (second, date::imf_fixdate(second));
        }
        &self.text
    }
}

/// The desks that nobody uses now.
pub struct Desks {
    limits: Limits,
    free: Mutex<Vec<Desk>>,
}

impl Desks {
    /// None yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            free: Mutex::default(),
        }
    }

    /// One to work on.
    pub fn take(&self) -> Desk {
        let free = self.lock().pop();
        free.unwrap_or_else(|| Desk::new(self.limits))
    }

    /// Puts it back.
    pub fn put(&self, mut desk: Desk) {
        desk.reply.take(usize::MAX);
        desk.out.clear();
        if desk.out.capacity() > LARGEST {
            desk.out = Vec::new();
        }
        let mut free = self.lock();
        if free.len() < KEPT {
            free.push(desk);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Desk>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
