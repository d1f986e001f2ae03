//! The threads that make the load: each drives its share of the connections.
//!
//! A thread with several connections sends on all of them before it waits on the first, so that
//! each connection has one request under way all the time.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use groundwire::cli::{Failure, Out, What};
use groundwire::server::Stopper;
use groundwire::sys::process;
use groundwire::telemetry::Histogram;

use crate::plan::Plan;
use crate::target::{Target, Trouble};

const STACK: usize = 128 * 1024;

/// Failed requests by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Errors {
    pub connect: u64,
    pub timeout: u64,
    pub closed: u64,
    pub mismatch: u64,
    pub other: u64,
}

impl Errors {
    fn count(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::Connect => self.connect += 1,
            Trouble::Timeout => self.timeout += 1,
            Trouble::Closed => self.closed += 1,
            Trouble::Mismatch => self.mismatch += 1,
            Trouble::Other => self.other += 1,
        }
    }

    fn add(&mut self, other: Errors) {
        self.connect += other.connect;
        self.timeout += other.timeout;
        self.closed += other.closed;
        self.mismatch += other.mismatch;
        self.other += other.other;
    }

    /// All kinds together.
    pub fn total(&self) -> u64 {
        self.connect + self.timeout + self.closed + self.mismatch + self.other
    }
}

/// What came of a run.
#[derive(Default)]
pub struct Outcome {
    /// Latencies of the measured requests, in nanoseconds.
    pub latency: Histogram,
    /// Failures, those of the warm-up included.
    pub errors: Errors,
    /// How long was measured.
    pub elapsed: Duration,
}

impl Outcome {
    /// Measured requests that were answered rightly.
    pub fn requests(&self) -> u64 {
        self.latency.count()
    }
}

/// When a run is measured, and when it ends.
#[derive(Clone, Copy)]
struct Clock {
    start: Instant,
    measure_from: Instant,
    end: Instant,
}

/// Runs the plan to its end or to a signal.
pub fn run(plan: &Plan, stopper: &Stopper, out: &Out) -> Result<Outcome, Failure> {
    // Each connection is a descriptor; the usual soft limit of 1,024 is below what is asked for.
    raise_descriptor_limit(plan.connections as u64 + 64).what("raising the file limit")?;
    let outcome = Mutex::new(Outcome::default());
    let shares = if plan.churn {
        // One first, so that a server that is not there is one error and not a hundred thousand.
        drop(Target::open(plan, 0).map_err(Failure::of)?);
        Vec::new()
    } else {
        connect_all(plan, &outcome)?
    };
    if let Some(hold) = plan.hold {
        let connected: usize = shares.iter().map(Vec::len).sum();
        out.line(format_args!("holding {connected} connections"))?;
        stopper.wait_timeout(hold);
        return Ok(outcome.into_inner().unwrap_or_else(PoisonError::into_inner));
    }
    let start = Instant::now();
    let measure_from = start + plan.warm_up;
    // A run by count ends by its count; the time is for a server that stops answering.
    let longest = if plan.requests.is_some() {
        Duration::from_secs(86_400)
    } else {
        plan.duration
    };
    let clock = Clock {
        start,
        measure_from,
        end: measure_from + longest,
    };
    let mut shares = shares.into_iter();
    thread::scope(|scope| {
        let threads: Result<Vec<_>, Failure> = (0..plan.threads)
            .map(|number| {
                let targets = shares.next().unwrap_or_default();
                let worker = Worker {
                    plan,
                    stopper,
                    clock,
                    number,
                    outcome: &outcome,
                };
                let thread = thread::Builder::new().stack_size(STACK);
                thread
                    .spawn_scoped(scope, move || worker.work(targets))
                    .what("starting a thread")
            })
            .collect();
        if threads.is_err() {
            stopper.stop(); // ends those that did start
        }
        threads.map(drop)
    })?;
    let mut outcome = outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
    // A reply that comes after the end is not counted, so the wait for it is not either.
    let ended = Instant::now().min(clock.end);
    outcome.elapsed = ended.saturating_duration_since(measure_from);
    Ok(outcome)
}

fn raise_descriptor_limit(wanted: u64) -> io::Result<()> {
    if process::descriptor_limit()? < wanted {
        process::set_descriptor_limit(wanted)?;
    }
    Ok(())
}

/// Opens all connections, a thread's share on a thread each, and tries each with one request.
fn connect_all(plan: &Plan, outcome: &Mutex<Outcome>) -> Result<Vec<Vec<Target>>, Failure> {
    let (mut shares, mut first_error, mut errors) = (Vec::new(), None, Errors::default());
    thread::scope(|scope| -> Result<(), Failure> {
        let mut threads = Vec::new();
        for number in 0..plan.threads {
            let thread = thread::Builder::new().stack_size(STACK);
            let connect = move || connect_share(plan, number);
            threads.push(
                thread
                    .spawn_scoped(scope, connect)
                    .what("starting a thread")?,
            );
        }
        for thread in threads {
            let joined = thread
                .join()
                .map_err(|_| Failure::Failed("a thread panicked".into()));
            let (targets, why, failed) = joined?;
            shares.push(targets);
            first_error = first_error.take().or(why);
            errors.add(failed);
        }
        Ok(())
    })?;
    outcome
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .errors
        .add(errors);
    match first_error {
        Some(why) if shares.iter().all(Vec::is_empty) => Err(Failure::Failed(why)),
        _ => Ok(shares),
    }
}

fn connect_share(plan: &Plan, number: usize) -> (Vec<Target>, Option<String>, Errors) {
    let (mut targets, mut first_error, mut errors) = (Vec::new(), None, Errors::default());
    let count = plan.share(plan.connections as u64, number);
    for index in 0..count {
        match Target::open(plan, (number as u64) << 32 | index) {
            Ok(mut target) => match target.exchange() {
                Ok(()) => targets.push(target),
                Err(trouble) => {
                    errors.count(trouble);
                    let what = format!("{} {}: {trouble}", plan.network, plan.address);
                    first_error.get_or_insert(what);
                }
            },
            Err(error) => {
                errors.count(Trouble::Connect);
                first_error.get_or_insert(error.to_string());
            }
        }
        if first_error.is_some() && targets.is_empty() {
            break; // a server that is not there is not asked a thousand times
        }
    }
    (targets, first_error, errors)
}

struct Worker<'a> {
    plan: &'a Plan,
    stopper: &'a Stopper,
    clock: Clock,
    number: usize,
    outcome: &'a Mutex<Outcome>,
}

/// What one thread has counted.
#[derive(Default)]
struct Tally {
    latency: Histogram,
    errors: Errors,
    measured: u64,
}

impl Worker<'_> {
    fn work(self, targets: Vec<Target>) {
        let mut tally = Tally::default();
        match (self.plan.churn, self.plan.rate) {
            (true, _) => self.churn(&mut tally),
            (false, None) => self.closed_loop(targets, &mut tally),
            (false, Some(rate)) => self.fixed_rate(targets, rate, &mut tally),
        }
        let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        outcome.latency.merge(&tally.latency);
        outcome.errors.add(tally.errors);
    }

    fn closed_loop(&self, mut targets: Vec<Target>, tally: &mut Tally) {
        let mut sent = vec![Instant::now(); targets.len()];
        while self.goes_on(tally) && !targets.is_empty() {
            let mut failed = Vec::new();
            // The last round of a run by count may be a part of one.
            let round = usize::try_from(self.left(tally)).unwrap_or(usize::MAX);
            for (index, (target, at)) in targets.iter_mut().zip(&mut sent).enumerate().take(round) {
                *at = Instant::now();
                if let Err(trouble) = target.send() {
                    failed.push((index, trouble));
                }
            }
            for (index, (target, at)) in targets.iter_mut().zip(&sent).enumerate().take(round) {
                if failed.iter().any(|(other, _)| *other == index) {
                    continue;
                }
                match target.receive() {
                    Ok(()) => self.measure(tally, *at),
                    Err(trouble) => failed.push((index, trouble)),
                }
            }
            self.reopen(&mut targets, failed, tally);
        }
    }

    /// The k-th request of all is due k/rate after the start; this thread makes every T-th.
    fn fixed_rate(&self, mut targets: Vec<Target>, rate: u64, tally: &mut Tally) {
        let step = Duration::from_secs_f64(self.plan.threads as f64 / rate as f64);
        let mut due =
            self.clock.start + step.mul_f64(self.number as f64 / self.plan.threads as f64);
        let mut turn = 0;
        while self.goes_on(tally) && due < self.clock.end && !targets.is_empty() {
            if let Some(early) = due.checked_duration_since(Instant::now()) {
                if self.stopper.wait_timeout(early) {
                    break;
                }
            }
            turn = (turn + 1) % targets.len();
            let exchanged = targets.get_mut(turn).map(Target::exchange);
            match exchanged {
                Some(Err(trouble)) => self.reopen(&mut targets, vec![(turn, trouble)], tally),
                _ => self.measure(tally, due),
            }
            due += step;
        }
    }

    fn churn(&self, tally: &mut Tally) {
        while self.goes_on(tally) {
            let begun = Instant::now();
            let opened = Target::open(self.plan, self.number as u64);
            match opened
                .map_err(|_| Trouble::Connect)
                .and_then(|mut target| target.exchange())
            {
                Ok(()) => self.measure(tally, begun),
                Err(trouble) => self.fail(tally, trouble),
            }
        }
    }

    fn goes_on(&self, tally: &Tally) -> bool {
        self.left(tally) > 0 && Instant::now() < self.clock.end && !self.stopper.is_stopped()
    }

    /// How many requests this thread has still to measure.
    fn left(&self, tally: &Tally) -> u64 {
        let share = |all| self.plan.share(all, self.number);
        let share = self.plan.requests.map_or(u64::MAX, share);
        share.saturating_sub(tally.measured)
    }

    fn measure(&self, tally: &mut Tally, since: Instant) {
        let now = Instant::now();
        if since >= self.clock.measure_from && now <= self.clock.end {
            tally.measured += 1;
            let nanos = now.saturating_duration_since(since).as_nanos();
            tally
                .latency
                .record(u64::try_from(nanos).unwrap_or(u64::MAX));
        }
    }

    /// Counts a failure; a failed request counts to the number asked for, or a run by count
    /// against a dead server would never end.
    fn fail(&self, tally: &mut Tally, trouble: Trouble) {
        tally.errors.count(trouble);
        tally.measured += 1;
    }

    /// Replaces failed connections; those that cannot be replaced are given up.
    fn reopen(
        &self,
        targets: &mut Vec<Target>,
        mut failed: Vec<(usize, Trouble)>,
        tally: &mut Tally,
    ) {
        failed.sort_by_key(|(index, _)| std::cmp::Reverse(*index));
        for (index, trouble) in failed {
            self.fail(tally, trouble);
            match Target::open(self.plan, (self.number as u64) << 32 | index as u64) {
                Ok(fresh) => {
                    if let Some(target) = targets.get_mut(index) {
                        *target = fresh;
                    }
                }
                Err(_) => {
                    self.fail(tally, Trouble::Connect);
                    drop(targets.swap_remove(index));
                }
            }
        }
    }
}
