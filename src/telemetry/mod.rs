//! What a program reports about itself while it runs: log lines for people, numbers for graphs.
//!
//! - A *log line* is one event: time, level, target, message, and fields (`key=value`). [`Log`] writes
//!   it as text or JSON, always as exactly one line.
//! - A *counter* only grows, a *gauge* goes up and down, a *histogram* counts values by size. All
//!   three are atomics that any thread may change at any time without waiting.
//! - A [`Registry`] collects them under names and prints them for a Prometheus server, with series
//!   that come and go ([`Scrape`]).
//!
//! Reading order: `time` (a moment as text), `visible` (which characters of a peer's text are
//! escaped), `log`, `metrics`, `histogram`, `family` (series by name), `scrape`, `exposition` (the
//! page). `time`, `visible`, `family` and `exposition` are pure. The room imports no other room.

mod exposition;
mod family;
mod histogram;
mod log;
mod metrics;
mod scrape;
mod time;
mod visible;

pub use exposition::CONTENT_TYPE;
pub use histogram::Histogram;
pub use log::{Fields, Format, Level, Log, MAX_VALUE, UnknownName, shown};
pub use metrics::{Counter, Gauge, Registry};
pub use scrape::Scrape;
pub(crate) use time::civil_from_days;
pub use time::{CommonLogTime, Rfc3339};
pub use visible::{is_invisible, push_visible};
