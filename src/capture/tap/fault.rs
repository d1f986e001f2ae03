//! Injected faults, from a seed: what happens to the bytes and datagrams of one direction. Pure.
//!
//! A plan is asked about each chunk that arrives. It says how many of its bytes make the next
//! write, when the write is due, and whether the connection ends there. Which byte is corrupted and
//! where the connection ends depends only on the offset in the stream, not on how the stream was
//! split into chunks, so a seed repeats them exactly. Jitter is drawn once per write.
//!
//! ```text
//!  arrives ──> corrupt ──> throttle: a link of this many bytes a second ──> delay ──> due
//! ```
//!
//! The caller provides the time: any clock that counts from a fixed moment.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::capture::flow::Direction;
use crate::cli::{DurationArg, Size};
use crate::server::mix;

/// A throttled link takes at most what it carries in this part of a second at a time, so that a
/// slow link gives a trickle and not one burst a minute.
const SLICES: u64 = 20;
/// How long a datagram waits to be overtaken by the next one before it is sent anyway.
pub const HOLD: Duration = Duration::from_millis(100);

/// Which faults to inject, and in which direction. The default is none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// Everything arrives later, the end of the stream too.
    pub delay: Option<Delay>,
    /// At most this many bytes a second; more than 0.
    pub throttle: Option<u64>,
    /// The connection is closed after this many bytes.
    pub cut: Option<u64>,
    /// The connection is reset after this many bytes.
    pub reset: Option<u64>,
    /// In some bytes, one bit is flipped.
    pub corrupt: Option<Corrupt>,
    /// Writes of at most this many bytes; more than 0.
    pub split: Option<usize>,
    /// Datagrams that are lost.
    pub drop: Share,
    /// Datagrams that arrive twice.
    pub duplicate: Share,
    /// Datagrams that the next one overtakes.
    pub reorder: Share,
    /// In which direction.
    pub which: Which,
}

/// The direction of the faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// Both, each counted separately.
    #[default]
    Both,
    /// Towards the target.
    ToTarget,
    /// Towards the client.
    ToClient,
}

/// A delay and its variation: `50ms`, `50ms±10ms`, `50ms+-10ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    /// The mean.
    pub time: Duration,
    /// At most this much more or less.
    pub jitter: Duration,
}

/// Which bytes are corrupted: each with a probability (`0.001`, `0.1%`), or `every:1000`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Corrupt {
    /// Each byte with this probability.
    Some(Share),
    /// One in this many bytes; more than 0.
    Every(u64),
}

/// A probability, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Share(f64);

/// A text that describes no fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadFault(pub(super) &'static str);

impl fmt::Display for BadFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for BadFault {}

impl FromStr for Share {
    type Err = BadFault;

    fn from_str(text: &str) -> Result<Self, BadFault> {
        let (number, whole) = match text.strip_suffix('%') {
            Some(number) => (number, 100.0),
            None => (text, 1.0),
        };
        let share = number.parse::<f64>().ok().map(|number| number / whole);
        match share {
            Some(share) if (0.0..=1.0).contains(&share) => Ok(Self(share)),
            _ => Err(BadFault(
                "expected a probability from 0 to 1, as 0.01 or 1%",
            )),
        }
    }
}

impl FromStr for Delay {
    type Err = BadFault;

    fn from_str(text: &str) -> Result<Self, BadFault> {
        let parts = text.split_once('±').or_else(|| text.split_once("+-"));
        let (time, jitter) = parts.unwrap_or((text, "0"));
        let read = |text: &str| text.parse::<DurationArg>().map(DurationArg::get);
        match (read(time), read(jitter)) {
            (Ok(time), Ok(jitter)) if jitter <= time => Ok(Self { time, jitter }),
            (Ok(_), Ok(_)) => Err(BadFault("the jitter must not exceed the delay")),
            _ => Err(BadFault("expected a time as 50ms or 50ms±10ms")),
        }
    }
}

impl FromStr for Corrupt {
    type Err = BadFault;

    fn from_str(text: &str) -> Result<Self, BadFault> {
        let Some(every) = text.strip_prefix("every:") else {
            let why = BadFault("expected a probability as 0.001 or 0.1%, or every:1000");
            return text.parse().map(Corrupt::Some).map_err(|_| why);
        };
        match every.parse::<Size>().map(Size::bytes) {
            Ok(every) if every > 0 => Ok(Corrupt::Every(every)),
            _ => Err(BadFault("expected a number of bytes above 0 after every:")),
        }
    }
}

impl FromStr for Which {
    type Err = BadFault;

    fn from_str(text: &str) -> Result<Self, BadFault> {
        match text {
            "both" => Ok(Which::Both),
            "to-target" => Ok(Which::ToTarget),
            "to-client" => Ok(Which::ToClient),
            _ => Err(BadFault("must be both, to-target or to-client")),
        }
    }
}

impl Faults {
    /// Whether any of the faults is random, so that the seed matters.
    pub fn are_random(&self) -> bool {
        self.corrupt.is_some()
            || [self.drop, self.duplicate, self.reorder]
                .iter()
                .any(|share| share.0 > 0.0)
            || self.delay.is_some_and(|delay| !delay.jitter.is_zero())
    }

    /// The faults in this direction.
    fn on(&self, way: Direction) -> Self {
        match (self.which, way) {
            (Which::ToTarget, Direction::Back) | (Which::ToClient, Direction::Forward) => {
                Self::default()
            }
            _ => *self,
        }
    }
}

/// The faults in one direction of one connection (or for the datagrams of one client).
#[derive(Clone, Debug)]
pub struct Plan {
    faults: Faults,
    jitter: Dice,
    bits: Dice,
    fates: Dice,
    /// Bytes so far.
    passed: u64,
    /// The offset of the next byte to corrupt.
    wrong: u64,
    /// When a throttled link will have sent all bytes so far.
    free: Duration,
    /// When the last write was due.
    last: Duration,
    holding: bool,
}

/// The next write of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// How many of the bytes it has.
    pub take: usize,
    /// When it is due.
    pub due: Duration,
    /// What follows it.
    pub then: Then,
}

/// What follows a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// More bytes, or the end.
    GoOn,
    /// The connection is closed.
    Cut,
    /// It is reset.
    Reset,
}

/// What happens to a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// How often it arrives: 0 means lost.
    pub copies: u8,
    /// Whether the next one overtakes it, if one comes within [`HOLD`].
    pub held: bool,
    /// When it is due.
    pub due: Duration,
}

impl Plan {
    /// The plan for one direction of connection `number`, counted from 0.
    pub fn new(faults: &Faults, seed: u64, number: u64, way: Direction) -> Self {
        let salt = number.wrapping_mul(2) + u64::from(way == Direction::Back);
        let mut seeds = Dice(mix(seed) ^ mix(salt));
        let mut plan = Self {
            faults: faults.on(way),
            jitter: Dice(seeds.number()),
            bits: Dice(seeds.number()),
            fates: Dice(seeds.number()),
            passed: 0,
            wrong: 0,
            free: Duration::ZERO,
            last: Duration::ZERO,
            holding: false,
        };
        plan.wrong = plan.gap() - 1;
        plan
    }

    /// Whether writes may be due later than their bytes arrive.
    pub fn is_slow(&self) -> bool {
        self.faults.delay.is_some() || self.faults.throttle.is_some()
    }

    /// Whether datagrams have to wait.
    pub fn holds_datagrams(&self) -> bool {
        self.is_slow() || self.faults.reorder.0 > 0.0
    }

    /// How many bytes may wait: what the delayed link holds when it is full, but at most `most`. A
    /// throttled link without a delay still takes the next slice while one is on its way.
    pub fn room(&self, most: usize) -> usize {
        let Some(rate) = self.faults.throttle else {
            return most;
        };
        let delay = self.faults.delay.map_or(Duration::ZERO, |delay| {
            delay.time.saturating_add(delay.jitter)
        });
        let seconds = delay.as_secs_f64() + 2.0 / SLICES as f64;
        ((rate as f64 * seconds) as usize).clamp(1, most)
    }

    /// The next write of these bytes, which arrived at `now`; corrupts them in place. Call again
    /// with the rest of them, until none is left or the connection ends.
    pub fn step(&mut self, now: Duration, bytes: &mut [u8]) -> Step {
        let limits = [self.faults.cut, self.faults.reset];
        let limit = limits.into_iter().flatten().min().unwrap_or(u64::MAX);
        let most = limit.saturating_sub(self.passed);
        let slice = self
            .faults
            .throttle
            .map_or(u64::MAX, |rate| (rate / SLICES).max(1));
        let split = self
            .faults
            .split
            .map_or(u64::MAX, |split| split.max(1) as u64);
        let take = (bytes.len() as u64).min(most).min(slice).min(split) as usize;
        self.corrupt(bytes.get_mut(..take).unwrap_or_default());
        let then = match self.passed >= limit {
            false => Then::GoOn,
            true if self.faults.reset == Some(limit) => Then::Reset,
            true => Then::Cut,
        };
        let due = self.in_order(now, take);
        Step { take, due, then }
    }

    /// When the end of a stream is due that arrived at `now`.
    pub fn end(&mut self, now: Duration) -> Duration {
        self.in_order(now, 0)
    }

    /// What happens to a datagram that arrived at `now`; corrupts it in place.
    pub fn datagram(&mut self, now: Duration, bytes: &mut [u8]) -> Fate {
        self.corrupt(bytes);
        // Three draws each time, so that one fault does not shift the others.
        let shares = [self.faults.drop, self.faults.duplicate, self.faults.reorder];
        let [lost, twice, late] = shares.map(|share| self.fates.chance(share));
        let due = self.due(now, bytes.len());
        let held = late && !lost && !self.holding;
        if !lost {
            self.holding = held;
        }
        let copies = match (lost, twice) {
            (true, _) => 0,
            (false, false) => 1,
            (false, true) => 2,
        };
        Fate { copies, held, due }
    }

    /// A datagram of this size found no room before the link, so the link has not sent it.
    /// Otherwise a lost flood would keep the link busy for later datagrams.
    pub fn lost(&mut self, count: usize) {
        self.free = self.free.saturating_sub(self.takes(count));
    }

    /// When the bytes of a stream are due: they do not overtake each other, whatever the jitter.
    fn in_order(&mut self, now: Duration, count: usize) -> Duration {
        self.last = self.last.max(self.due(now, count));
        self.last
    }

    /// When this many bytes have passed the link and the delay.
    fn due(&mut self, now: Duration, count: usize) -> Duration {
        if self.faults.throttle.is_some() {
            self.free = self.free.max(now).saturating_add(self.takes(count));
        }
        let delay = self.faults.delay.map_or(Duration::ZERO, |delay| {
            let least = delay.time.saturating_sub(delay.jitter);
            let span = delay.jitter.saturating_mul(2);
            least.saturating_add(span.mul_f64(self.jitter.part()))
        });
        self.free.max(now).saturating_add(delay)
    }

    /// How long a throttled link takes for this many bytes.
    fn takes(&self, count: usize) -> Duration {
        self.faults.throttle.map_or(Duration::ZERO, |rate| {
            let seconds = count as f64 / rate.max(1) as f64;
            Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
        })
    }

    /// Flips one bit of each byte that is to be corrupted.
    fn corrupt(&mut self, bytes: &mut [u8]) {
        let begin = self.passed;
        self.passed += bytes.len() as u64;
        while self.faults.corrupt.is_some() && self.wrong < self.passed {
            let bit = self.bits.number() % 8;
            if let Some(byte) = bytes.get_mut((self.wrong - begin) as usize) {
                *byte ^= 1 << bit;
            }
            self.wrong = self.wrong.saturating_add(self.gap());
        }
    }

    /// The distance from one corrupted byte to the next; at least 1. A probability needs one draw
    /// from the geometric distribution, instead of one per byte.
    fn gap(&mut self) -> u64 {
        match self.faults.corrupt {
            None => u64::MAX,
            Some(Corrupt::Some(Share(share))) if share <= 0.0 => u64::MAX,
            Some(Corrupt::Every(every)) => every.max(1),
            Some(Corrupt::Some(Share(share))) if share >= 1.0 => 1,
            Some(Corrupt::Some(Share(share))) => {
                // Above 0, so that the logarithm is finite; `as` limits what is too large.
                let part = 1.0 - self.bits.part();
                ((part.ln() / (-share).ln_1p()) as u64).saturating_add(1)
            }
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): good for faults, not for secrets.
#[derive(Clone, Debug)]
struct Dice(u64);

impl Dice {
    fn number(&mut self) -> u64 {
        let number = mix(self.0);
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        number
    }

    /// At least 0 and less than 1.
    fn part(&mut self) -> f64 {
        // An f64 holds 53 bits exactly.
        (self.number() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn chance(&mut self, share: Share) -> bool {
        self.part() < share.0
    }
}

#[cfg(test)]
mod tests;
