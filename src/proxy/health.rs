//! Whether a backend is fit to serve, from what was seen of it.
//!
//! There are two witnesses and a judge. The *requests* themselves (passive checks): failures in a
//! row eject a backend for a while. The *active checks*, if there are any, ask for a path of their
//! own: failures in a row take the backend down, passes in a row bring it up. And an operator may
//! drain it.
//!
//! ```text
//!             failures in a row                 its time is over
//!  Up ───────────────────────────> Ejected ───────────────────────> Trying
//!  ^                                  ^                               │ │
//!  │                                  └── the trial failed: twice ────┘ │
//!  │                                      the time                      │
//!  └──── SlowStart <──────────────────────────── the trial succeeded ───┘
//!
//!  any of these ──checks failed──> Down ──checks passed──> SlowStart
//!  any of these ──drain──> Draining ──enable──> SlowStart, or Down if the checks say so
//! ```
//!
//! Each ejection lasts twice as long as the one before, up to a longest one: a backend that is gone
//! for an hour should not cost a request every ten seconds. A backend that has then served for as
//! long as the longest ejection counts as cured, and its next ejection is short again. While it is
//! *tried*, one request at a time goes to it, and the first that ends decides: a backend that has
//! just come back may fail again under the whole load. A request sent before that tells how the
//! backend was then, so its end decides nothing, however late it comes. *Slow start* also protects
//! a backend that has just come back, and one with cold caches: its weight grows in a straight line
//! from next to nothing to its full value.
//!
//! What to do when every backend is out is not decided here, because that takes a view of all of
//! them. All times are since a moment that the caller chose. Pure, and without allocation.

use std::fmt;
use std::time::Duration;

/// How many parts a weight of 1 has. The usual weight is 1, and a slow start needs steps below it.
pub const PARTS: u32 = 100;

/// The settings of health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthConfig {
    /// Requests that fail in a row before the backend is ejected; 0: it never is. Default 5.
    pub max_failures: u32,
    /// How long the first ejection lasts; each one after it lasts twice as long. Default 10 s.
    pub ejection: Duration,
    /// How long an ejection lasts at most, and how long a backend must then serve until its
    /// ejections are forgotten. Default 5 min.
    pub longest_ejection: Duration,
    /// Active checks that pass in a row before a backend that is down is up. Default 2.
    pub rise: u32,
    /// Active checks that fail in a row before a backend is down. Default 3.
    pub fall: u32,
    /// How long the weight takes to grow to its full value after an absence; 0: no time. Default 0.
    pub slow_start: Duration,
}

impl Default for HealthConfig {
    fn default() -> Self {
        Self {
            max_failures: 5,
            ejection: Duration::from_secs(10),
            longest_ejection: Duration::from_secs(300),
            rise: 2,
            fall: 3,
            slow_start: Duration::ZERO,
        }
    }
}

/// The state of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It serves.
    Up,
    /// It gets this percentage (0 to 99) of its share, and gradually more.
    SlowStart(u8),
    /// It failed too often and gets no requests.
    Ejected {
        /// When it will be tried again.
        until: Duration,
    },
    /// Its ejection is over: it gets one request at a time until one has ended.
    Trying,
    /// Its active checks fail. It gets no requests.
    Down,
    /// An operator wants it to finish its requests. It gets no new ones.
    Draining,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            State::Up => "up",
            State::SlowStart(percent) => return write!(f, "slow start, {percent} %"),
            State::Ejected { .. } => "ejected",
            State::Trying => "trying",
            State::Down => "down",
            State::Draining => "draining",
        })
    }
}

/// A change of state, for the log. The end of an ejection or of a slow start comes with time and is
/// not reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Requests in a row failed.
    Ejected {
        /// How many.
        failures: u32,
        /// For how long.
        time: Duration,
    },
    /// The request that was to show whether it is back failed.
    EjectedAgain {
        /// For how long.
        time: Duration,
    },
    /// The request that was to show whether it is back succeeded.
    Back,
    /// Active checks in a row failed.
    Down {
        /// How many.
        checks: u32,
    },
    /// Active checks in a row passed.
    Up {
        /// How many.
        checks: u32,
    },
    /// An operator drains it.
    Draining,
    /// An operator has put it back.
    Enabled,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Ejected { failures, time } => {
                write!(f, "ejected for {time:?}: {failures} failures in a row")
            }
            Change::EjectedAgain { time } => {
                write!(f, "ejected for {time:?}: it was tried and failed again")
            }
            Change::Back => f.write_str("back: it was tried and answered"),
            Change::Down { checks } => write!(f, "down: {checks} checks in a row failed"),
            Change::Up { checks } => write!(f, "up: {checks} checks in a row passed"),
            Change::Draining => f.write_str("draining"),
            Change::Enabled => f.write_str("enabled"),
        }
    }
}

/// What the requests tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// How many have failed since the last that did not.
    Failures(u32),
    /// Ejected until `until`, and tried after that; `trial` is when the request that tries it was
    /// sent.
    Withdrawn {
        until: Duration,
        trial: Option<Duration>,
    },
}

/// The health of one backend.
#[derive(Clone, Debug)]
pub struct Health {
    config: HealthConfig,
    trust: Trust,
    /// Ejections in a row, and when the last one ended.
    ejections: u32,
    last_ejection: Duration,
    is_down: bool,
    /// Active checks in a row that contradict `is_down`.
    dissenting: u32,
    is_draining: bool,
    /// When it came back from its last absence.
    back: Option<Duration>,
}

impl Health {
    /// A backend that was there from the start. It is up until it proves otherwise.
    pub fn new(config: HealthConfig) -> Self {
        Self {
            config,
            trust: Trust::Failures(0),
            ejections: 0,
            last_ejection: Duration::ZERO,
            is_down: false,
            dissenting: 0,
            is_draining: false,
            back: None,
        }
    }

    /// A backend that has joined others: it begins with a slow start.
    pub fn joining(config: HealthConfig, now: Duration) -> Self {
        let back = Some(now);
        Self {
            back,
            ..Self::new(config)
        }
    }

    /// The same health with other settings. If there are no active checks any more, their verdict
    /// is void, because nothing would ever correct it. So is an ejection, if ejections are turned
    /// off.
    pub fn by(self, config: HealthConfig, has_checks: bool) -> Self {
        Self {
            config,
            trust: match config.max_failures {
                0 => Trust::Failures(0),
                _ => self.trust,
            },
            is_down: self.is_down && has_checks,
            dissenting: if has_checks { self.dissenting } else { 0 },
            ..self
        }
    }

    /// The state.
    pub fn state(&self, now: Duration) -> State {
        if self.is_draining {
            return State::Draining;
        }
        if self.is_down {
            return State::Down;
        }
        match self.trust {
            Trust::Withdrawn { until, .. } if now < until => State::Ejected { until },
            Trust::Withdrawn { .. } => State::Trying,
            Trust::Failures(_) => match self.ramp(now) {
                Some(share) => State::SlowStart((share * 100.0) as u8),
                None => State::Up,
            },
        }
    }

    /// How long it is still ejected, if it is.
    pub fn ejected_for(&self, now: Duration) -> Option<Duration> {
        match self.state(now) {
            State::Ejected { until } => Some(until.saturating_sub(now)),
            _ => None,
        }
    }

    /// The weight, in [`PARTS`], of a backend whose full weight is `full`; 0: no requests now.
    /// Otherwise at least 1 part; and the parts of a weight of 1 when it is to be tried.
    pub fn weight(&self, full: u32, now: Duration) -> u32 {
        let full = full.saturating_mul(PARTS);
        match self.state(now) {
            State::Up => full,
            State::SlowStart(_) => {
                let share = self.ramp(now).unwrap_or(1.0);
                ((f64::from(full) * share) as u32).clamp(1.min(full), full)
            }
            State::Trying if !self.is_on_trial(now) => PARTS.min(full),
            _ => 0,
        }
    }

    /// Call this just before a request is sent to the backend. `false`: send it to another one,
    /// because several threads saw the same weight and only one may try the backend.
    pub fn admit(&mut self, now: Duration) -> bool {
        match self.state(now) {
            State::Up | State::SlowStart(_) => return true,
            State::Trying if !self.is_on_trial(now) => {}
            _ => return false,
        }
        if let Trust::Withdrawn { trial, .. } = &mut self.trust {
            *trial = Some(now);
        }
        true
    }

    /// How long until time alone lets the backend have a request again: until its ejection ends, or
    /// its trial is given up.
    pub fn opens_in(&self, now: Duration) -> Option<Duration> {
        let opens = match (self.state(now), self.trust) {
            (State::Ejected { until }, _) => until,
            (State::Trying, Trust::Withdrawn { trial, .. }) => {
                trial?.saturating_add(self.config.ejection)
            }
            _ => return None,
        };
        opens.checked_sub(now).filter(|left| !left.is_zero())
    }

    /// The request that was [admitted](Self::admit) at `asked` to try the backend has ended. If it
    /// showed nothing (its client left, say), another one may try.
    pub fn trial_ended(&mut self, asked: Duration) {
        if let Trust::Withdrawn { trial, .. } = &mut self.trust {
            // A trial that was given up may end while another one is in progress.
            if *trial == Some(asked) {
                *trial = None;
            }
        }
    }

    /// A request was answered. Call this for every reply that came to its end and is not the
    /// backend's failure. If the backend is being tried, call it as soon as the reply's header
    /// section is there, because a body may take long. A request sent at `asked`, before the end of
    /// an ejection, changes nothing.
    pub fn succeeded(&mut self, asked: Duration, now: Duration) -> Option<Change> {
        match self.trust {
            Trust::Failures(_) => {
                self.trust = Trust::Failures(0);
                None
            }
            Trust::Withdrawn { until, .. } if asked < until => None,
            Trust::Withdrawn { .. } => {
                self.trust = Trust::Failures(0);
                self.last_ejection = now;
                self.back = Some(now);
                Some(Change::Back)
            }
        }
    }

    /// A request failed, and the backend is at fault: no connection, no reply, a late one, or one
    /// that is not HTTP. A request sent at `asked`, before the end of an ejection, changes nothing.
    pub fn failed(&mut self, asked: Duration, now: Duration) -> Option<Change> {
        match self.trust {
            Trust::Failures(before) => {
                let failures = before.saturating_add(1);
                self.trust = Trust::Failures(failures);
                if self.config.max_failures == 0 || failures < self.config.max_failures {
                    return None;
                }
                let time = self.eject(now);
                Some(Change::Ejected { failures, time })
            }
            Trust::Withdrawn { until, .. } if asked < until => None,
            Trust::Withdrawn { .. } => {
                let time = self.eject(now);
                Some(Change::EjectedAgain { time })
            }
        }
    }

    /// An active check has passed (`ok`) or failed.
    pub fn checked(&mut self, ok: bool, now: Duration) -> Option<Change> {
        if ok != self.is_down {
            self.dissenting = 0;
            return None;
        }
        self.dissenting = self.dissenting.saturating_add(1);
        let checks = self.dissenting;
        let needed = if ok {
            self.config.rise
        } else {
            self.config.fall
        };
        if checks < needed {
            return None;
        }
        self.dissenting = 0;
        self.is_down = !ok;
        if !ok {
            return Some(Change::Down { checks });
        }
        // It is a new process, or the same one cured: what the requests told before is void.
        self.trust = Trust::Failures(0);
        self.back = Some(now);
        Some(Change::Up { checks })
    }

    /// An operator wants the backend to finish its requests and to get no new ones.
    pub fn drain(&mut self) -> Option<Change> {
        let was = std::mem::replace(&mut self.is_draining, true);
        (!was).then_some(Change::Draining)
    }

    /// An operator puts the backend back, and vouches for it: a drain or an ejection ends, and
    /// earlier ejections are forgotten. The verdict of the active checks stands.
    pub fn enable(&mut self, now: Duration) -> Option<Change> {
        let is_ejected = matches!(self.trust, Trust::Withdrawn { .. });
        if !self.is_draining && !is_ejected {
            return None;
        }
        self.is_draining = false;
        self.trust = Trust::Failures(0);
        self.ejections = 0;
        self.back = Some(now);
        Some(Change::Enabled)
    }

    /// Ejects the backend; returns for how long.
    fn eject(&mut self, now: Duration) -> Duration {
        let longest = self.config.longest_ejection.max(self.config.ejection);
        if now.saturating_sub(self.last_ejection) >= longest {
            self.ejections = 0;
        }
        let times = 2_u32.saturating_pow(self.ejections);
        let time = self.config.ejection.saturating_mul(times).min(longest);
        self.ejections = self.ejections.saturating_add(1);
        let until = now.saturating_add(time);
        self.last_ejection = until;
        self.trust = Trust::Withdrawn { until, trial: None };
        time
    }

    /// Whether a request that tries the backend is in flight. A trial that shows nothing for as
    /// long as a first ejection lasts is given up: the backend may hang.
    fn is_on_trial(&self, now: Duration) -> bool {
        match self.trust {
            Trust::Withdrawn {
                trial: Some(since), ..
            } => now.saturating_sub(since) < self.config.ejection,
            _ => false,
        }
    }

    /// During a slow start: the share reached so far, from 0 to below 1.
    fn ramp(&self, now: Duration) -> Option<f64> {
        let passed = now.saturating_sub(self.back?);
        let whole = self.config.slow_start;
        (passed < whole).then(|| passed.as_secs_f64() / whole.as_secs_f64())
    }
}

#[cfg(test)]
mod tests;
