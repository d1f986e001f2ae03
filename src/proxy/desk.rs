//! The buffers of a request in flight. When the request has ended, the next one uses them.
//!
//! An idle client holds one small buffer for what it may send. The large ones (what a backend
//! answers, what is to be written) belong to requests: far fewer requests are in flight than
//! clients are connected. The free sets, called desks, form a stack: the one put back last is taken
//! first, because it is still in the CPU's cache.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::http::{ChunkReader, HeadParser, Limits, date};
use crate::net::Incoming;

/// How much of a body is read at once, in bytes. A larger part saves few calls; a smaller one costs
/// many.
pub const PART: usize = 64 * 1024;
/// How many free desks are kept.
const KEPT: usize = 1024;
/// A write buffer that has grown beyond this is not kept, in bytes.
const LARGEST: usize = 2 * PART;

/// The buffers of one request.
pub struct Desk {
    /// What the backend has sent. Small until a body does not fit, then large for good.
    pub reply: Incoming,
    /// Reads the heads of the backend's responses.
    pub parser: HeadParser,
    /// Reads the chunks of the backend's responses.
    pub chunks: ChunkReader,
    /// What is to be written to the backend or to the client.
    pub out: Vec<u8>,
    /// The present time in the form of a Date field.
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

/// A date that is formatted once a second.
#[derive(Default)]
pub struct Date {
    second: u64,
    text: String,
}

impl Date {
    /// The present time.
    pub fn now(&mut self) -> &str {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let second = now.map_or(0, |since| since.as_secs());
        if second != self.second || self.text.is_empty() {
            (self.second, self.text) = (second, date::imf_fixdate(second));
        }
        &self.text
    }
}

/// The desks that are free.
pub struct Desks {
    limits: Limits,
    free: Mutex<Vec<Desk>>,
}

impl Desks {
    /// With no desk yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            free: Mutex::default(),
        }
    }

    /// Takes a desk: a free one, or a new one.
    pub fn take(&self) -> Desk {
        let free = self.lock().pop();
        free.unwrap_or_else(|| Desk::new(self.limits))
    }

    /// Puts a desk back.
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
