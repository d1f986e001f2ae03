//! The time column, as `tshark -t` has it. Pure.

use std::time::{Duration, UNIX_EPOCH};

use super::digits::Text;
use crate::capture::decode::Decoded;
use crate::telemetry::Rfc3339;

/// The origin and form of the time column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeFormat {
    /// `r`: seconds since the first packet.
    #[default]
    Relative,
    /// `d`: seconds since the previous packet.
    Delta,
    /// `e`: seconds since 1970-01-01 00:00 UTC.
    Epoch,
    /// `a`, `u`: the time of day, in UTC. (tshark's `a` is in local time, but the standard library
    /// knows no time zones.)
    Clock,
    /// `ad`, `ud`: date and time of day, in UTC.
    Date,
}

impl TimeFormat {
    /// Reads the letters of `tshark -t`.
    pub fn from_letters(letters: &str) -> Option<Self> {
        Some(match letters {
            "r" => Self::Relative,
            "d" => Self::Delta,
            "e" => Self::Epoch,
            "a" | "u" => Self::Clock,
            "ad" | "ud" => Self::Date,
            _ => return None,
        })
    }
}

/// The time column of a packet, at least 10 characters wide.
pub(super) fn column(out: &mut Text, decoded: &Decoded<'_>, format: TimeFormat, digits: usize) {
    let start = out.len();
    let time = decoded.packet.time;
    match format {
        TimeFormat::Relative => signed(out, decoded.since_first, digits),
        TimeFormat::Delta => signed(out, decoded.since_previous, digits),
        TimeFormat::Epoch => seconds(out, time, digits),
        TimeFormat::Clock => calendar(out, time, 11..19, digits),
        TimeFormat::Date => {
            calendar(out, time, 0..10, 0);
            out.space();
            calendar(out, time, 11..19, digits);
        }
    }
    out.right(start, 10);
}

/// Nanoseconds as seconds, with this many digits of their fraction.
pub(super) fn signed(out: &mut Text, nanoseconds: i64, digits: usize) {
    if nanoseconds < 0 {
        out.text("-");
    }
    seconds(
        out,
        Duration::from_nanos(nanoseconds.unsigned_abs()),
        digits,
    );
}

fn seconds(out: &mut Text, time: Duration, digits: usize) {
    out.number(time.as_secs());
    fraction(out, time, digits);
}

fn fraction(out: &mut Text, time: Duration, digits: usize) {
    if let Some(lost @ 0..=8) = 9usize.checked_sub(digits) {
        out.text(".");
        let shown = time.subsec_nanos() / 10u32.pow(lost as u32);
        out.fixed(shown, digits);
    }
}

/// A part of `2026-11-21T04:38:29.123Z`, and the fraction.
pub(super) fn calendar(
    out: &mut Text,
    time: Duration,
    part: std::ops::Range<usize>,
    digits: usize,
) {
    let moment = UNIX_EPOCH.checked_add(time).unwrap_or(UNIX_EPOCH);
    let text = Rfc3339(moment).to_string();
    out.text(text.get(part).unwrap_or_default());
    fraction(out, time, digits);
}
