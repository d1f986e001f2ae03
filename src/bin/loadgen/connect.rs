//! Opening the connections of a run, and looking after those that are only held.

use std::ops::ControlFlow;
use std::thread;
use std::time::Instant;

use groundwire::cli::{Failure, Out, What};
use groundwire::net;
use groundwire::server::{Stopper, flags};

use crate::outcome::{Errors, Held, Outcome};
use crate::plan::Plan;
use crate::target::Target;
use crate::worker::STACK;

/// Too many open files, in the process (EMFILE) and in the system (ENFILE).
const NO_DESCRIPTOR: [i32; 2] = [24, 23];

/// Time-outs in a row after which a thread opens no more: the server, or the path to it, is silent.
const SILENCE: u32 = 2;

/// What a thread has opened.
#[derive(Default)]
struct Share {
    targets: Vec<Target>,
    errors: Errors,
    /// The first failure, in words.
    why: Option<String>,
    /// The error, if the address is not valid.
    wrong_call: Option<Failure>,
}

/// Opens all connections, a thread's share on a thread each, and tries each with one request.
pub fn all(
    plan: &Plan,
    stopper: &Stopper,
    outcome: &mut Outcome,
) -> Result<Vec<Vec<Target>>, Failure> {
    let mut shares = Vec::new();
    thread::scope(|scope| -> Result<(), Failure> {
        let mut threads = Vec::new();
        for number in 0..plan.threads {
            let thread = thread::Builder::new().stack_size(STACK);
            let connect = move || open_share(plan, stopper, number);
            let started = thread.spawn_scoped(scope, connect);
            if started.is_err() {
                stopper.stop(); // ends the threads that did start
            }
            threads.push(started.what(format_args!("starting thread {number}"))?);
        }
        for thread in threads {
            let joined = thread
                .join()
                .map_err(|_| Failure::Failed("a thread panicked".into()));
            let Share {
                targets,
                errors,
                why,
                wrong_call,
            } = joined?;
            if let Some(failure) = wrong_call {
                return Err(failure);
            }
            shares.push(targets);
            outcome.errors.add(errors);
            outcome.why = outcome.why.take().or(why);
        }
        Ok(())
    })?;
    Ok(shares)
}

/// Opens one thread's share; between two connections it checks whether to stop.
fn open_share(plan: &Plan, stopper: &Stopper, number: usize) -> Share {
    let mut share = Share::default();
    let silence = plan.timeout.saturating_mul(SILENCE);
    let mut heard = Instant::now();
    for index in 0..plan.share(plan.connections as u64, number) {
        if stopper.is_stopped() {
            break;
        }
        let opened = share.targets.len();
        if open_one(plan, (number as u64) << 32 | index, &mut share).is_break() {
            break;
        }
        if share.targets.len() > opened {
            heard = Instant::now();
        } else if opened == 0 || heard.elapsed() >= silence {
            break; // no thousand tries at a server that is down
        }
    }
    share
}

/// Opens one connection and tries it; `Break` if the next one would fail in the same way.
fn open_one(plan: &Plan, seed: u64, share: &mut Share) -> ControlFlow<()> {
    match Target::open(plan, seed) {
        Ok(mut target) => match target.exchange() {
            Ok(()) => share.targets.push(target),
            Err(trouble) => {
                share.errors.count(trouble);
                let what = format!("{} {}: {trouble}", plan.network, plan.shown_address());
                share.why.get_or_insert(what);
            }
        },
        Err(error) => {
            share.errors.connect += 1;
            share.why.get_or_insert(error.to_string());
            if matches!(error, net::Error::Address(_)) {
                share.wrong_call = Some(flags::failure(error));
                return ControlFlow::Break(());
            }
            if is_descriptor_shortage(&error) {
                return ControlFlow::Break(());
            }
        }
    }
    ControlFlow::Continue(())
}

fn is_descriptor_shortage(error: &net::Error) -> bool {
    let net::Error::Failed { source, .. } = error else {
        return false;
    };
    source
        .raw_os_error()
        .is_some_and(|number| NO_DESCRIPTOR.contains(&number))
}

/// Holds what was opened, idle, until the time is over or a signal comes; then looks at each
/// connection once, without a request: one that the server has closed meanwhile counts as lost.
pub fn hold(
    plan: &Plan,
    stopper: &Stopper,
    out: &Out,
    shares: &[Vec<Target>],
) -> Result<Held, Failure> {
    let connected = shares.iter().map(Vec::len).sum::<usize>();
    let begun = Instant::now();
    if connected > 0 {
        if !plan.json {
            out.line(format_args!("holding {connected} connections"))?;
        }
        stopper.wait_timeout(plan.hold.unwrap_or_default());
    }
    let lasted = begun.elapsed();
    let all = shares.iter().flatten();
    let lost = all.filter(|target| !target.is_open()).count();
    Ok(Held {
        connections: connected - lost,
        lost,
        lasted,
    })
}
