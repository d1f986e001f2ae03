//! Whether a backend is fit to serve, from what was seen of it.
//!
//! Two witnesses and a judge. The *requests* themselves (passive checks): failures in a row eject a
//! backend for a while. The *active checks*, if there are any, ask it on a path of their own: failed
//! ones in a row take it down, passed ones bring it up. And a *person* may drain it.
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
//! The ejection doubles each time, up to a longest one: a backend that is gone for an hour should not
//! cost a request every ten seconds. One that has then served for as long as the longest ejection
//! is taken for cured, and the next ejection is short again. While it is *trying*, one request at a
//! time goes to it, and the first that ends decides: a backend that has just come back and is met by
//! the whole crowd may fall over again. A request that was sent before tells how the backend was
//! then, so its end decides nothing, however late it comes. *Slow start* is against the same, and for
//! caches that are cold: the weight grows from next to nothing to its full value in a straight line.
//!
//! What to do when every backend is out is not decided here, for it takes all of them to see it.
//! All times are since a moment that the caller chose. Pure, and without allocation.

use std::fmt;
use std::time::Duration;

/// The parts of a weight of 1, which is the usual one: a slow start needs steps below it.
pub const PARTS: u32 = 100;

/// The numbers of health.
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
    /// How long the weight takes to grow to its full value after an absence; 0: it has it at
    /// once. Default 0.
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

/// How a backend is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It serves.
    Up,
    /// It serves so many percent (0 to 99) of its share, and more by and by.
    SlowStart(u8),
    /// It failed too often and gets nothing.
    Ejected {
        /// When it will be tried again.
        until: Duration,
    },
    /// Its ejection is over: it gets one request at a time until one has ended.
    Trying,
    /// Its active checks fail. It gets nothing.
    Down,
    /// A person wants it to finish what it has. It gets nothing new.
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

/// What has become of a backend, for the log. That an ejection or a slow start is over comes with
/// time and is no change here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// So many requests in a row failed.
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
    /// So many active checks in a row failed.
    Down {
        /// How many.
        checks: u32,
    },
    /// So many active checks in a row passed.
    Up {
        /// How many.
        checks: u32,
    },
    /// A person drains it.
    Draining,
    /// A person has put it back.
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

/// What the requests say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// So many have failed since the last that did not.
    Failures(u32),
    /// Ejected, and after `until` tried: since `trial`, if a request is on its way.
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
    /// Ejections in a row, and when the last one was over.
    ejections: u32,
    last_ejection: Duration,
    is_down: bool,
    /// Active checks in a row that speak against what `is_down` says.
    dissenting: u32,
    is_draining: bool,
    /// When it came back from its last absence.
    back: Option<Duration>,
}

impl Health {
    /// A backend that was there from the start. It is up until the contrary is seen.
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

    /// The same health by other numbers. Where there are no active checks any more, what they said
    /// is void: nobody would ever say the contrary. So is an ejection where there are none any more.
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

    /// How it is.
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

    /// Its weight, of `full`, in [`PARTS`]; 0: it gets nothing now. At least 1 part where it gets
    /// something, and as much as a weight of 1 when it is to be tried.
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

    /// To be called when a request is about to be sent to it; `false`: it must go to another one,
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

    /// How long until time alone lets it have a request again: until its ejection ends, or its trial is
    /// given up.
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

    /// The request that was [admitted](Self::admit) at `asked` to try it is over. If it has told
    /// nothing, since its client has left, say, another one may try.
    pub fn trial_ended(&mut self, asked: Duration) {
        if let Trust::Withdrawn { trial, .. } = &mut self.trust {
            // One that was given up may end while another one tries.
            if *trial == Some(asked) {
                *trial = None;
            }
        }
    }

    /// A request was answered: to be called for every reply that came to its end and is not the backend's
    /// failure; and where it is to be tried, as soon as the reply's header section is there, for a
    /// body may last. It was sent at `asked`: where that was before the end of an ejection, it changes
    /// nothing.
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

    /// A request failed, and it was the backend's fault: no connection, no reply, not in time, or
    /// none that is HTTP. One that was sent at `asked`, before the end of an ejection, changes nothing.
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
        // It is another process by now, or the same one cured: what the requests said before is void.
        self.trust = Trust::Failures(0);
        self.back = Some(now);
        Some(Change::Up { checks })
    }

    /// A person asks it to finish what it has and to get nothing new.
    pub fn drain(&mut self) -> Option<Change> {
        let was = std::mem::replace(&mut self.is_draining, true);
        (!was).then_some(Change::Draining)
    }

    /// A person puts it back, and vouches for it: a drain and an ejection end, and all ejections are
    /// forgotten. What the active checks say holds on.
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

    /// Withdraws the trust in it; returns for how long.
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

    /// Whether a request is on its way that will show whether it is back. One that has told nothing
    /// for as long as an ejection is given up: its backend may hang.
    fn is_on_trial(&self, now: Duration) -> bool {
        match self.trust {
            Trust::Withdrawn {
                trial: Some(since), ..
            } => now.saturating_sub(since) < self.config.ejection,
            _ => false,
        }
    }

    /// During its slow start: the share that it has reached, from 0 to below 1.
    fn ramp(&self, now: Duration) -> Option<f64> {
        let passed = now.saturating_sub(self.back?);
        let whole = self.config.slow_start;
        (passed < whole).then(|| passed.as_secs_f64() / whole.as_secs_f64())
    }
}

#[cfg(test)]
mod tests;
