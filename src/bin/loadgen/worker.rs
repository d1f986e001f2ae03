//! The threads that make the load: each drives its share of the connections.
//!
//! A thread with several connections sends on all of them before it waits on the first, so that
//! each connection has one request in flight all the time.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use groundwire::cli::{Failure, Out, What};
use groundwire::net;
use groundwire::server::{Stopper, flags};
use groundwire::sys::process;
use groundwire::telemetry::Histogram;

use crate::connect;
use crate::outcome::{Errors, Outcome, Pace};
use crate::plan::Plan;
use crate::schedule::Schedule;
use crate::target::{Target, Trouble};

/// The stack of a thread, in bytes: its buffers are on the heap.
pub const STACK: usize = 128 * 1024;

/// When a run is measured, and when it ends.
#[derive(Clone, Copy)]
struct Clock {
    start: Instant,
    measure_from: Instant,
    end: Instant,
}

/// Runs the plan to its end or to a signal.
pub fn run(plan: &Plan, stopper: &Stopper, out: &Out) -> Result<Outcome, Failure> {
    // Each connection is a descriptor, and the usual soft limit is only 1,024.
    raise_descriptor_limit(plan.connections as u64 + 64).what("raising the file limit")?;
    let mut outcome = Outcome::default();
    let shares = if plan.churn {
        // Try one first: a server that is down is one error and not a hundred thousand.
        if let Err(error) = Target::open(plan, 0) {
            if matches!(error, net::Error::Address(_)) {
                return Err(flags::failure(error));
            }
            outcome.errors.connect += 1;
            outcome.why = Some(error.to_string());
            return Ok(outcome);
        }
        Vec::new()
    } else {
        connect::all(plan, stopper, &mut outcome)?
    };
    if plan.hold.is_some() {
        outcome.held = Some(connect::hold(plan, stopper, out, &shares)?);
        return Ok(outcome);
    }
    if !plan.churn && shares.iter().all(Vec::is_empty) {
        return Ok(outcome); // no connection could be opened
    }
    drive(plan, stopper, shares, outcome)
}

/// Runs the threads, each with its share of the connections.
fn drive(
    plan: &Plan,
    stopper: &Stopper,
    shares: Vec<Vec<Target>>,
    outcome: Outcome,
) -> Result<Outcome, Failure> {
    let outcome = Mutex::new(outcome);
    let start = Instant::now();
    let measure_from = start + plan.warm_up;
    // A run by count ends by its count; the limit is for a server that stops answering.
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
                    .what(format_args!("starting thread {number}"))
            })
            .collect();
        if threads.is_err() {
            stopper.stop(); // ends the threads that did start
        }
        threads.map(drop)
    })?;
    let mut outcome = outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
    // A reply that comes after the end is not counted, so the wait for it is not either.
    let ended = Instant::now().min(clock.end);
    outcome.elapsed = ended.saturating_duration_since(measure_from);
    Ok(outcome)
}

/// Lets the server finish its batch of replies when this thread has several datagrams in flight. A
/// server answers them all with one system call; without this, the first reply would wake this
/// thread at once, which takes the CPU from the server before it has sent the second.
fn wait_our_turn() {
    // A refused change costs some speed and nothing else.
    let _ = process::set_scheduling(process::Scheduling::Batch);
}

fn raise_descriptor_limit(wanted: u64) -> io::Result<()> {
    if process::descriptor_limit()? < wanted {
        process::set_descriptor_limit(wanted)?;
    }
    Ok(())
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
    pace: Option<Pace>,
}

impl Worker<'_> {
    fn work(self, targets: Vec<Target>) {
        let mut tally = Tally::default();
        match (self.plan.churn, self.plan.rate) {
            (true, None) => self.churn(&mut tally),
            (true, Some(rate)) => self.churn_at(rate, &mut tally),
            (false, None) => self.closed_loop(targets, &mut tally),
            (false, Some(rate)) => self.fixed_rate(targets, rate, &mut tally),
        }
        let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        outcome.latency.merge(&tally.latency);
        outcome.errors.add(tally.errors);
        if let Some(Pace { due, sent }) = tally.pace {
            let pace = outcome.pace.get_or_insert_default();
            pace.due += due;
            pace.sent += sent;
        }
    }

    fn closed_loop(&self, mut targets: Vec<Target>, tally: &mut Tally) {
        if targets.len() > 1 && !self.plan.network.is_stream() {
            wait_our_turn();
        }
        let mut sent = vec![Instant::now(); targets.len()];
        while self.goes_on(tally) && !targets.is_empty() {
            let mut failed = Vec::new();
            // The last round of a run by count may be a part of one.
            let mut round = usize::try_from(self.left(tally)).unwrap_or(usize::MAX);
            for (index, (target, at)) in targets.iter_mut().zip(&mut sent).enumerate().take(round) {
                *at = Instant::now();
                if self.is_over(*at) {
                    round = index; // else each of the others might block, one after the other
                    break;
                }
                if let Err(trouble) = target.send() {
                    failed.push((index, trouble));
                }
            }
            for (index, (target, at)) in targets.iter_mut().zip(&sent).enumerate().take(round) {
                if failed.iter().any(|(other, _)| *other == index) {
                    continue;
                }
                match target.receive() {
                    Ok(()) => self.measure_in_time(tally, *at),
                    Err(trouble) => failed.push((index, trouble)),
                }
            }
            self.reopen(&mut targets, failed, tally);
        }
    }

    fn fixed_rate(&self, mut targets: Vec<Target>, rate: u64, tally: &mut Tally) {
        let mut turn = 0;
        self.keep_schedule(rate, tally, |tally, due| {
            if targets.is_empty() {
                return false;
            }
            turn = (turn + 1) % targets.len();
            match targets.get_mut(turn).map(Target::exchange) {
                Some(Err(trouble)) => self.reopen(&mut targets, vec![(turn, trouble)], tally),
                _ => self.measure(tally, due),
            }
            true
        });
    }

    fn churn_at(&self, rate: u64, tally: &mut Tally) {
        self.keep_schedule(rate, tally, |tally, due| {
            match self.ask_anew() {
                Ok(()) => self.measure(tally, due),
                Err(trouble) => self.fail(tally, trouble),
            }
            true
        });
    }

    /// Calls `ask` for each request with the moment when it is due; `ask` returns whether to
    /// continue.
    fn keep_schedule(
        &self,
        rate: u64,
        tally: &mut Tally,
        mut ask: impl FnMut(&mut Tally, Instant) -> bool,
    ) {
        let schedule = Schedule {
            rate,
            threads: self.plan.threads,
            number: self.number,
        };
        let Clock {
            start,
            measure_from,
            end,
        } = self.clock;
        self.keep_up(schedule, (start, measure_from), tally, &mut ask);
        // A new schedule: the measured time does not owe what the warm-up did not send.
        let sent = self.keep_up(schedule, (measure_from, end), tally, &mut ask);
        let span = Instant::now().min(end).duration_since(measure_from);
        let asked_for = self
            .plan
            .requests
            .map_or(u64::MAX, |all| self.plan.share(all, self.number));
        let due = schedule.due_within(span).min(asked_for).max(sent);
        tally.pace = Some(Pace { due, sent });
    }

    /// Makes the requests that are due from `from` to `until`, and returns how many. Lasts until
    /// the end, even if the last one is done before.
    fn keep_up(
        &self,
        schedule: Schedule,
        (from, until): (Instant, Instant),
        tally: &mut Tally,
        ask: &mut impl FnMut(&mut Tally, Instant) -> bool,
    ) -> u64 {
        let mut sent = 0;
        while let Some(due) = from.checked_add(schedule.due(sent)) {
            let now = Instant::now();
            if now >= until || !self.goes_on(tally) {
                break;
            }
            let early = due.min(until).saturating_duration_since(now);
            if !early.is_zero() && self.stopper.wait_timeout(early) {
                break;
            }
            if due >= until || !ask(tally, due) {
                break;
            }
            sent += 1;
        }
        sent
    }

    fn churn(&self, tally: &mut Tally) {
        while self.goes_on(tally) {
            let begun = Instant::now();
            match self.ask_anew() {
                Ok(()) => self.measure_in_time(tally, begun),
                Err(trouble) => self.fail(tally, trouble),
            }
        }
    }

    /// One request on a connection of its own.
    fn ask_anew(&self) -> Result<(), Trouble> {
        let opened = Target::open(self.plan, (self.number as u64) << 32);
        opened
            .map_err(|_| Trouble::Connect)
            .and_then(|mut target| target.exchange())
    }

    fn goes_on(&self, tally: &Tally) -> bool {
        self.left(tally) > 0 && !self.is_over(Instant::now())
    }

    fn is_over(&self, now: Instant) -> bool {
        now >= self.clock.end || self.stopper.is_stopped()
    }

    /// How many requests this thread has still to measure.
    fn left(&self, tally: &Tally) -> u64 {
        let share = |all| self.plan.share(all, self.number);
        let share = self.plan.requests.map_or(u64::MAX, share);
        share.saturating_sub(tally.measured)
    }

    /// Records a latency, unless it belongs to the warm-up or came after the end.
    fn measure_in_time(&self, tally: &mut Tally, since: Instant) {
        let now = Instant::now();
        if now <= self.clock.end {
            self.record(tally, since, now);
        }
    }

    /// Records a latency, unless it belongs to the warm-up. A request that was due in time counts
    /// however late its reply is: to leave out the late ones is coordinated omission.
    fn measure(&self, tally: &mut Tally, since: Instant) {
        self.record(tally, since, Instant::now());
    }

    fn record(&self, tally: &mut Tally, since: Instant, now: Instant) {
        if since >= self.clock.measure_from {
            tally.measured += 1;
            let nanos = now.saturating_duration_since(since).as_nanos();
            tally
                .latency
                .record(u64::try_from(nanos).unwrap_or(u64::MAX));
        }
    }

    /// Counts a failure. A failed request counts towards `--requests`; otherwise a run against a
    /// dead server would never end.
    fn fail(&self, tally: &mut Tally, trouble: Trouble) {
        tally.errors.count(trouble);
        tally.measured += 1;
    }

    /// Replaces failed connections while requests are left; gives up those that it cannot replace.
    fn reopen(
        &self,
        targets: &mut Vec<Target>,
        mut failed: Vec<(usize, Trouble)>,
        tally: &mut Tally,
    ) {
        failed.sort_by_key(|(index, _)| std::cmp::Reverse(*index));
        for (index, trouble) in failed {
            self.fail(tally, trouble);
            if !self.goes_on(tally) {
                continue; // each open might take the whole time-out
            }
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
