//! One request: a backend for it, the request to it, its response back. If that fails, another
//! backend, if that is allowed.
//!
//! ```text
//!   Pool::take ──> connect ──> send head and body ──> head of the response ──> pass it on
//!       ^             |             |                    |                       |
//!       +── another ──+─────────────+────────────────────+                       +── cut: the client's
//!           (retry.rs decides: nothing of a response has gone out)                   connection closes
//! ```

use std::io::{IoSlice, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::backend::Backend;
use super::balance::stable_hash;
use super::desk::Desk;
use super::heads::{self, HopNames, Outgoing, Sender};
use super::pool::{Lease, NoBackend, Pool};
use super::proxy_protocol::{self, Header};
use super::reply::{self, Asked, Cut, Head, NoReply, Reply};
use super::retry::{self, Effect, Outcome};
use super::tunnel;
use super::turn::Turn;
use super::upload::{Plan, Upload, UploadError};
use crate::http::{Framing, Rule};
use crate::net::{Addr, Conn, Deadline, Incoming, Pooled};

/// The request's body.
pub enum Body<'a> {
    /// There is none.
    Empty,
    /// All of it, in memory.
    Buffered(&'a [u8]),
    /// It is still to come; the buffer begins with what is here. `None` while an upload has it.
    Streamed(Option<Incoming>),
}

/// The outcome, for the log and for what follows.
#[derive(Default)]
pub struct Done {
    /// The status that the client got; 0 if none.
    pub status: u16,
    /// Bytes of the response's body.
    pub sent: u64,
    /// Bytes of the request's body.
    pub received: u64,
    /// Whether another request may follow.
    pub keep_alive: bool,
    /// Whether the client's connection is to end by a reset.
    pub resets: bool,
    /// An answer of this program that is still to be sent, with this Retry-After.
    pub answer: Option<(u16, Option<Duration>)>,
    /// The backend that answered, or that was tried last.
    pub backend: Option<Arc<Backend>>,
    /// How long a new connection took.
    pub connect: Option<Duration>,
    /// From the request's end to the response's head.
    pub first_byte: Option<Duration>,
    /// Attempts after the first.
    pub retries: u32,
    /// What went wrong, in a few words.
    pub failure: Option<&'static str>,
    /// The rule that was broken, if one was.
    pub rule: Option<Rule>,
}

/// An attempt that failed before any part of a response was passed on.
struct Failed {
    outcome: Outcome,
    status: u16,
    why: &'static str,
    rule: Option<Rule>,
}

impl Failed {
    fn new(outcome: Outcome, status: u16, why: &'static str) -> Self {
        Self {
            outcome,
            status,
            why,
            rule: None,
        }
    }

    fn by(self, rule: Option<Rule>) -> Self {
        Self { rule, ..self }
    }
}

/// Passes a request on to this pool. What is left of the client's input is put back into a streamed
/// body.
pub fn forward(turn: &mut Turn<'_>, pool: &Arc<Pool>, desk: &mut Desk) -> Done {
    let mut done = Done::default();
    let client = turn.ip().map_or(0, hash_of);
    let mut tried: Vec<Arc<Backend>> = Vec::new();
    let effect = Effect::of(turn.head.method);
    let mut fresh = false;
    for attempt in 1.. {
        let lease = match pool.take(client, &tried) {
            Ok(lease) => lease,
            Err(none) => return no_backend(done, none, attempt),
        };
        // Counted only here, because there may be no other backend.
        if let Some(failed) = &done.backend {
            failed.counts.retries.inc();
            done.retries += 1;
        }
        done.backend = Some(lease.backend.clone());
        let failed = match try_once(turn, desk, &lease, fresh, &mut done) {
            Ok(()) => return done,
            Err(failed) => failed,
        };
        if failed.outcome.blames_backend() && failed.status >= 500 {
            lease.failed();
        }
        (done.failure, done.rule) = (Some(failed.why), failed.rule);
        done.answer = Some((failed.status, None));
        done.keep_alive = failed.outcome != Outcome::PartOfReply || failed.status == 504;
        let (retry, body) = (pool.config.retry, body_kind(&turn.body));
        let client_left = failed.status == 499;
        if client_left || !retry.may_retry(effect, failed.outcome, body, attempt) {
            break;
        }
        if failed.outcome.blames_backend() {
            if !pool.may_spend_retry() {
                break;
            }
            tried.push(lease.backend.clone());
        } else {
            fresh = true; // a kept connection was at fault: use no other
        }
    }
    if done.answer == Some((499, None)) {
        done.answer = None;
        done.status = 499;
    }
    done
}

fn no_backend(mut done: Done, none: NoBackend, attempt: u32) -> Done {
    if attempt > 1 {
        return done; // the last attempt's failure tells more
    }
    let (wait, why) = match none {
        NoBackend::Out(until) => (
            until.unwrap_or(Duration::from_secs(1)),
            "no backend in service",
        ),
        NoBackend::QueueFull => (Duration::from_secs(1), "queue full"),
        NoBackend::QueueTimeout => (Duration::from_secs(1), "queue time-out"),
    };
    done.answer = Some((503, Some(wait)));
    done.failure = Some(why);
    done.keep_alive = true;
    done
}

fn body_kind(body: &Body<'_>) -> retry::Body {
    match body {
        Body::Empty | Body::Buffered(_) => retry::Body::Kept,
        Body::Streamed(_) => retry::Body::Streamed,
    }
}

fn try_once(
    turn: &mut Turn<'_>,
    desk: &mut Desk,
    lease: &Lease,
    fresh: bool,
    done: &mut Done,
) -> Result<(), Failed> {
    let begun = Instant::now();
    let effect = Effect::of(turn.head.method);
    let repeatable = retry::is_repeatable(effect, body_kind(&turn.body));
    done.connect = None; // the last attempt's was for another backend
    let backend = lease.backend.connect(fresh, repeatable);
    let backend = backend.map_err(|error| match error.is_shortage() {
        true => {
            lease.pool.is_short(&error);
            Failed::new(Outcome::Shortage, 503, "no descriptor or memory to connect")
        }
        false => Failed::new(Outcome::ConnectFailed, 502, "connect failed"),
    })?;
    done.connect = backend.is_fresh().then(|| begun.elapsed());
    send(turn, desk, lease, &backend)?;
    let upload = start_upload(turn, lease, &backend)?;
    let sent = Instant::now();
    let mut told = false;
    desk.reply.take(usize::MAX);
    let head = match way(turn, lease, &backend, upload.as_ref()).head(desk, &mut told) {
        Ok(head) => head,
        Err(none) => {
            let failed = no_reply(turn, none, upload, &backend, told, done);
            if failed.outcome == Outcome::Shortage {
                lease.pool.is_short(&failed.why);
            }
            return Err(failed);
        }
    };
    let came = Instant::now();
    lease.begun();
    // An answer before the body's end: what follows on the client's connection is that body.
    let is_early = upload.as_ref().is_some_and(|upload| !upload.gets_through());
    // The time counts from the end of the body, if there is one.
    let ended = upload.as_ref().and_then(Upload::ended).unwrap_or(sent);
    done.first_byte = Some(came.saturating_duration_since(ended.max(sent)));
    let answered = Answered {
        head,
        lease,
        backend,
        upload,
        is_early,
        begun,
    };
    pass_on(turn, desk, answered, done);
    Ok(())
}

fn way<'a>(
    turn: &Turn<'a>,
    lease: &Lease,
    backend: &'a Conn,
    upload: Option<&'a Upload>,
) -> Reply<'a> {
    let (config, pool) = (&turn.setup.config, &lease.pool.config);
    Reply {
        backend,
        client: turn.conn,
        watched: turn.watched.then_some(turn.conn),
        upload,
        asked: Asked {
            method: turn.head.method,
            version: turn.head.version,
            upgrade: turn.head.upgrade,
            forwarding: &config.forwarding,
            first_byte: pool.first_byte_timeout,
            silence: pool.backend_idle_timeout,
            write: config.timeouts.write,
        },
    }
}

/// Sends the head, and the body if it is here.
fn send(
    turn: &mut Turn<'_>,
    desk: &mut Desk,
    lease: &Lease,
    backend: &Pooled,
) -> Result<(), Failed> {
    let config = &turn.setup.config;
    let out = &mut desk.out;
    out.clear();
    let version = lease.backend.proxy_protocol;
    if let Some(version) = version.filter(|_| backend.is_fresh()) {
        if turn.local.is_none() {
            *turn.local = local_address(turn.conn);
        }
        let header = match (turn.source, *turn.local) {
            (Some(source), Some(destination)) => Header::Tcp {
                source,
                destination,
            },
            _ => Header::Unknown,
        };
        proxy_protocol::write(version, header, out);
    }
    let sender = Sender {
        ip: turn.ip(),
        trusted: turn.trusted,
        forwarding: &config.forwarding,
    };
    heads::request(out, &turn.head, &sender, &lease.backend.host);
    backend.set_write_deadline(Deadline::after(config.timeouts.write));
    let body = match &turn.body {
        Body::Buffered(bytes) => *bytes,
        _ => &[],
    };
    let both = &mut [IoSlice::new(out), IoSlice::new(body)];
    let (mut parts, mut is_part_sent) = (&mut both[..], false);
    if body.is_empty() {
        parts = &mut parts[..1];
    }
    while !parts.is_empty() {
        let mut conn: &Conn = backend;
        // A single part is the common case, and `send` is cheaper than `sendmsg`.
        let written = match &*parts {
            [one] => conn.write(one),
            several => conn.write_vectored(several),
        };
        match written {
            Ok(count) if count > 0 => IoSlice::advance_slices(&mut parts, count),
            _ => {
                let outcome = Outcome::of_failed_write(backend.is_fresh(), is_part_sent);
                return Err(Failed::new(outcome, 502, "sending the request failed"));
            }
        }
        is_part_sent = true;
    }
    Ok(())
}

fn start_upload(
    turn: &mut Turn<'_>,
    lease: &Lease,
    backend: &Conn,
) -> Result<Option<Upload>, Failed> {
    let Body::Streamed(incoming) = &mut turn.body else {
        return Ok(None);
    };
    let config = &turn.setup.config;
    let plan = Plan {
        framing: turn.head.framing,
        hop: HopNames::of(turn.head.fields, turn.head.framing),
        limits: config.limits.message,
        most: config.limits.body,
        silence: config.timeouts.body,
        write: config.timeouts.write,
    };
    let Some(bytes) = incoming.take() else {
        return Err(Failed::new(Outcome::PartOfReply, 502, "the body is gone"));
    };
    match Upload::start(turn.conn, backend, bytes, plan) {
        Ok(upload) => Ok(Some(upload)),
        Err(bytes) => {
            *incoming = Some(bytes);
            lease.pool.is_short(&"no thread for a request's body");
            Err(Failed::new(
                Outcome::Shortage,
                503,
                "no thread for the body",
            ))
        }
    }
}

/// What follows from the lack of a response.
fn no_reply(
    turn: &mut Turn<'_>,
    none: NoReply,
    upload: Option<Upload>,
    backend: &Pooled,
    told: bool,
    done: &mut Done,
) -> Failed {
    if let Some(error) = end_upload(turn, upload, done) {
        // The upload ended the connection, so it is known who is at fault.
        let (status, why) = told_of(error);
        let is_stale = error == UploadError::BackendGone && !backend.is_fresh() && !told;
        let outcome = match none {
            _ if error == UploadError::NotSent => Outcome::Shortage,
            NoReply::Closed if is_stale => Outcome::StaleConnection,
            _ => Outcome::PartOfReply,
        };
        return Failed::new(outcome, status, why).by(error.rule());
    }
    let outcome = match none {
        _ if told => Outcome::PartOfReply,
        NoReply::Closed if !backend.is_fresh() => Outcome::StaleConnection,
        NoReply::TimedOut => Outcome::PartOfReply, // another backend would take as long
        _ => Outcome::SentNoReply,
    };
    let rule = match none {
        NoReply::Broken(rule) => Some(rule),
        _ => None,
    };
    let (status, why) = match none {
        NoReply::Closed => (502, "the backend closed without a response"),
        NoReply::Cut => (502, "the backend's response was cut in its head"),
        NoReply::TimedOut => (504, "the backend took too long"),
        NoReply::Broken(_) => (502, "the backend's response breaks a rule"),
        NoReply::OnlyInterim => (502, "the backend sent interim responses only"),
        NoReply::NotAsked => (502, "the backend switched protocols unasked"),
        NoReply::ClientGone => (499, "the client left before the response"),
    };
    Failed::new(outcome, status, why).by(rule)
}

/// The status and the words for a body that did not get through.
fn told_of(error: UploadError) -> (u16, &'static str) {
    match error {
        UploadError::Broken(rule) => (rule.status(), "the request's body breaks a rule"),
        UploadError::TooLong => (413, "the request's body is too long"),
        UploadError::TimedOut => (408, "the client sent no more of the body"),
        UploadError::ClientGone => (499, "the client left while it sent the body"),
        UploadError::BackendGone => (502, "the backend closed in the middle of the body"),
        UploadError::NotSent => (502, "sending the request's body failed"),
        UploadError::BackendStuck => (504, "the backend took no more of the body"),
    }
}

/// Ends the upload and takes the client's buffer back; returns why the body did not get through.
fn end_upload(turn: &mut Turn<'_>, upload: Option<Upload>, done: &mut Done) -> Option<UploadError> {
    let ended = upload?.finish();
    turn.body = Body::Streamed(Some(ended.incoming));
    done.received = ended.received;
    ended.result.err()
}

/// A backend whose response has begun.
struct Answered<'a> {
    head: Head,
    lease: &'a Lease,
    backend: Pooled,
    upload: Option<Upload>,
    is_early: bool,
    begun: Instant,
}

fn through_tunnel(
    turn: &Turn<'_>,
    desk: &mut Desk,
    lease: &Lease,
    backend: &Conn,
    done: &mut Done,
) {
    let silence = turn.setup.config.timeouts.tunnel;
    match tunnel::run(turn.conn, backend, &mut desk.reply, silence) {
        Some(through) => (done.sent, done.received) = (through.down, through.up),
        None => {
            lease.pool.is_short(&tunnel::NO_THREAD);
            done.failure = Some(tunnel::NO_THREAD);
        }
    }
}

/// Passes on the response whose head is on the desk.
fn pass_on(turn: &mut Turn<'_>, desk: &mut Desk, answered: Answered<'_>, done: &mut Done) {
    let Answered {
        head,
        lease,
        backend,
        upload,
        is_early,
        begun,
    } = answered;
    lease.backend.count_response(head.status);
    let framing = reply::framing_for(head.framing, turn.head.version);
    let switched = head.status == 101;
    let outgoing = Outgoing {
        framing,
        keep_alive: turn.head.keep_alive
            && !turn.phase.is_stopping()
            && !is_early
            && framing != Framing::UntilClose,
        version: turn.head.version,
        upgrade: switched,
    };
    let (sent, passed) = way(turn, lease, &backend, upload.as_ref()).body(desk, outgoing);
    if passed.is_ok() {
        lease.succeeded(); // not earlier: a head alone would make up for the last body that was cut
    }
    (done.status, done.sent, done.answer) = (head.status, sent, None);
    (done.failure, done.rule) = (None, None);
    if switched && passed.is_ok() {
        through_tunnel(turn, desk, lease, &backend, done);
    }
    let body_error = end_upload(turn, upload, done);
    let latency = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
    lease.backend.counts.latency.record(latency);
    let is_whole = passed.is_ok() && body_error.is_none() && !switched;
    done.keep_alive = outgoing.keep_alive && is_whole;
    if let Err(cut) = passed {
        was_cut(cut, body_error, lease, done);
        // If the end of the stream ends the body, only a reset can show that this is not the end.
        done.resets = framing == Framing::UntilClose;
    } else if let Some(error) = body_error.filter(|error| error.spares_backend()) {
        // The response came before the end of the request's body, which failed all the same.
        (done.failure, done.rule) = (Some(told_of(error).1), error.rule());
    } else if head.keep_alive && is_whole && !is_early && desk.reply.is_empty() {
        // Many servers send a body where none is allowed, a moment after the head. It would be read
        // as the response to the next request.
        let may_say_more = turn.head.method == "HEAD" || matches!(head.status, 204 | 304);
        match may_say_more {
            true => backend.keep_doubtful(),
            false => backend.keep(),
        }
    }
}

/// Records why a response was cut, and blames the backend if it is at fault. When the client fails
/// the upload, the backend's connection is ended, which only looks like the backend's fault.
fn was_cut(cut: Cut, body_error: Option<UploadError>, lease: &Lease, done: &mut Done) {
    let failed_upload = body_error.filter(|error| error.spares_backend());
    done.rule = match cut {
        Cut::Broken(rule) => Some(rule),
        _ => failed_upload.and_then(UploadError::rule),
    };
    done.failure = Some(match (cut, failed_upload) {
        (Cut::Backend, Some(error)) => told_of(error).1,
        (Cut::Backend, None) => "the response was cut by the backend",
        (Cut::Silence, _) => "the backend was silent in the middle of the response",
        (Cut::Broken(_), _) => "the response's chunks break a rule",
        (Cut::Client, _) => "the client left during the response",
    });
    if cut != Cut::Client && (cut != Cut::Backend || failed_upload.is_none()) {
        lease.failed();
    }
}

/// The local address of a connection, if it has one.
pub fn local_address(conn: &Conn) -> Option<SocketAddr> {
    conn.local_addr().ok().as_ref().and_then(Addr::ip)
}

fn hash_of(ip: IpAddr) -> u64 {
    match ip {
        IpAddr::V4(ip) => stable_hash(&ip.octets()),
        IpAddr::V6(ip) => stable_hash(&ip.octets()),
    }
}
