//! The loop: send if a request is due, else wait for a packet, at most until the next is due.
//!
//! There is one thread and one blocking call. Its deadline is the moment at which the loop has
//! something else to do: the next request, the end of the wait, the end of everything. A signal
//! closes the socket, which ends the call as well.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use groundwire::cli::{self, Failure, Out};
use groundwire::net::icmp::message::Echo;
use groundwire::net::icmp::socket::Incoming;
use groundwire::net::icmp::tally::Tally;
use groundwire::net::{Deadline, Error, IcmpSocket, unguessable};

use super::SPEC;
use super::plan::{Plan, Target};
use super::report::Report;

/// Room for any packet: an error message may be longer than the request that it is about.
const PACKET: usize = 65_535;

/// How long the last look into the socket takes when a reply is missing.
const LAST_LOOK: Duration = Duration::from_millis(20);

/// How long the loop looks at least when its next event is due already.
const SHORT_LOOK: Duration = Duration::from_millis(1);

/// A ping in progress.
pub struct Run<'a> {
    plan: &'a Plan,
    target: &'a Target,
    socket: &'a IcmpSocket,
    report: Report<'a>,
    tally: Tally,
    begun: Instant,
    /// When the next request is due, and when the last one was.
    due: Duration,
    last_sent: Duration,
    /// Whether any request could be sent.
    has_sent: bool,
}

impl<'a> Run<'a> {
    pub fn new(
        plan: &'a Plan,
        target: &'a Target,
        socket: &'a IcmpSocket,
        out: &'a Out,
    ) -> Result<Self, Failure> {
        let report = Report::new(plan, target, out);
        report.head()?;
        Ok(Run {
            plan,
            target,
            socket,
            report,
            tally: Tally::new(socket.id(), unguessable(), plan.size),
            begun: Instant::now(),
            due: Duration::ZERO,
            last_sent: Duration::ZERO,
            has_sent: false,
        })
    }

    /// Pings until the count, the deadline or a signal ends it; then says what came of it.
    pub fn finish(mut self) -> Result<(), Failure> {
        let ended = self.ping();
        if self.has_sent {
            let statistics = self.tally.statistics();
            self.report.summary(statistics, self.last_sent)?;
        }
        ended?;
        let statistics = self.tally.statistics();
        let wanted = match (self.plan.count, self.plan.deadline) {
            (Some(count), Some(_)) => count,
            _ => 1,
        };
        match statistics.received >= wanted {
            true => Ok(()),
            false => Err(Failure::Quiet(1)),
        }
    }

    fn ping(&mut self) -> Result<(), Failure> {
        let mut buffer = vec![0; PACKET];
        while !self.is_over() {
            if self.is_sending() && self.now() >= self.due {
                self.send()?;
            }
            // Always read once: if this process was not scheduled since the request left, the reply
            // is here already, and with a deadline it may be the last one needed.
            let until = self.next_event().max(self.now() + SHORT_LOOK);
            self.socket
                .set_read_deadline(Deadline::at(self.begun + until));
            let received = self.socket.recv_from(&mut buffer);
            let now = self.now();
            match received {
                Ok(incoming) => self.take(&incoming, now)?,
                Err(error) if error.kind() == ErrorKind::TimedOut => {}
                // A signal has closed the socket.
                Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(()),
                Err(error) => return Err(Failure::of(error)),
            }
        }
        self.last_look(&mut buffer)
    }

    /// Takes replies that had arrived when the time was over: on a busy machine a reply may be in the
    /// socket while this process is not scheduled.
    fn last_look(&mut self, buffer: &mut [u8]) -> Result<(), Failure> {
        self.socket.set_read_deadline(Deadline::after(LAST_LOOK));
        while !self.tally.is_settled() {
            let Ok(incoming) = self.socket.recv_from(buffer) else {
                break;
            };
            self.take(&incoming, self.now())?;
        }
        Ok(())
    }

    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Whether requests are left to send. With a deadline, `--count` counts replies.
    fn is_sending(&self) -> bool {
        let done = match self.plan.deadline {
            None => self.tally.statistics().transmitted,
            Some(_) => self.tally.statistics().received,
        };
        self.plan.count.is_none_or(|count| done < count)
    }

    fn is_over(&self) -> bool {
        let now = self.now();
        // As in iputils: with a deadline, an error message ends the run.
        let has_word = self.tally.statistics().errors > 0;
        if self
            .plan
            .deadline
            .is_some_and(|deadline| now >= deadline || has_word)
        {
            return true;
        }
        !self.is_sending() && (self.tally.is_settled() || now >= self.last_sent + self.patience())
    }

    /// How long to wait for replies after the last request.
    fn patience(&self) -> Duration {
        match self.tally.statistics().round_trips() {
            Some([_, _, longest, _]) => (longest * 2).max(self.plan.interval),
            None => self.plan.timeout,
        }
    }

    /// When the loop has something to do, if no packet comes.
    fn next_event(&self) -> Duration {
        let next = match self.is_sending() {
            true => self.due,
            false => self.last_sent + self.patience(),
        };
        self.plan
            .deadline
            .map_or(next, |deadline| next.min(deadline))
    }

    fn send(&mut self) -> Result<(), Failure> {
        let now = self.now();
        let (sequence, payload) = self.tally.request(now);
        let echo = Echo {
            id: self.socket.id(),
            sequence,
            payload: &payload,
        };
        self.last_sent = now;
        // As in iputils, two requests are at least the interval apart, however late the last one was.
        self.due = now + self.plan.interval;
        match self.socket.send_to(&echo, &self.target.address) {
            Ok(()) => {
                self.has_sent = true;
                Ok(())
            }
            Err(error) => self.not_sent(error),
        }
    }

    /// A request could not be sent. If it is the first, none can be: that is a failure. Later, a queue
    /// may be full or a cable unplugged, and the next request may leave.
    fn not_sent(&mut self, error: Error) -> Result<(), Failure> {
        if !self.has_sent {
            return Err(Failure::of(error));
        }
        self.tally.failed();
        cli::complain(&SPEC, error);
        Ok(())
    }

    fn take(&mut self, incoming: &Incoming<'_>, now: Duration) -> Result<(), Failure> {
        match *incoming {
            Incoming::Reply {
                from,
                ttl,
                waited,
                echo,
            } => match self.tally.reply(&echo, now.saturating_sub(waited)) {
                Some(arrival) => self.report.reply(from, &echo, ttl, &arrival),
                None => Ok(()),
            },
            Incoming::Problem {
                from,
                problem,
                request,
            } => match self.tally.problem(&request) {
                true => self.report.problem(from, request.sequence, &problem),
                false => Ok(()),
            },
        }
    }
}
