//! From a query's octets to a reply's, with what a server adds to an answer: counts, the rate
//! limit, the query log. The answer itself comes from [`answer::reply`], which is pure.

use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::Arc;

use super::counts::{Counts, Tally};
use super::current::{Current, Held};
use super::limiter::Limiter;
use super::query_log;
use super::rate_limit::{ReplyKind, Verdict};
use super::reply_octets as octets;
use crate::dns::Rcode;
use crate::dns::answer::{self, Answered, Outcome, Transport};
use crate::dns::message::Message;
use crate::dns::zone::{Key, Lookup, Zone};
use crate::net::Prefix;
use crate::telemetry::Log;

/// The state that all workers and connections of a server share.
#[derive(Debug)]
pub(super) struct Shared {
    /// The server's name in log lines.
    pub(super) name: String,
    /// Where log lines go.
    pub(super) log: Log,
    /// Where the query log goes: a line for each query.
    pub(super) query_log: Option<Log>,
    /// The zones.
    pub(super) current: Current,
    /// The counters.
    pub(super) counts: Arc<Counts>,
    /// Response rate limiting of UDP.
    pub(super) limiter: Option<Limiter>,
    /// The longest reply over UDP, in octets.
    pub(super) udp_size: u16,
    /// The networks whose clients may have whole zones.
    pub(super) transfer: Vec<Prefix>,
}

impl Shared {
    fn may_transfer(&self, peer: SocketAddr) -> bool {
        self.transfer
            .iter()
            .any(|prefix| prefix.contains(peer.ip()))
    }

    /// Answers a datagram into `out`, which is empty before; its content afterwards is sent.
    /// `worker` has the number of the caller's tally.
    pub(super) fn answer_datagram(
        &self,
        (worker, held): (usize, &mut Held),
        peer: SocketAddr,
        query: &[u8],
        out: &mut Vec<u8>,
    ) {
        let transport = Transport::Udp {
            most: self.udp_size,
        };
        let zones = held.zones(&self.current);
        let outcome = answer::reply(zones, query, transport, out);
        let tally = self.counts.udp.get(worker).unwrap_or(&self.counts.tcp);
        // There is no transfer over UDP; the reply says so.
        let Outcome::Reply(answered) = outcome else {
            return self.not_answered(tally, (peer, "udp"), query);
        };
        tally.query(answered.kind);
        let mut how: &dyn Display = &answered.rcode;
        match self.judge(peer, query, out, &answered) {
            Verdict::Drop => {
                out.clear();
                tally.rate_dropped.inc();
                how = &"dropped by the rate limit";
            }
            Verdict::Truncate => {
                octets::cut_to_question(out);
                tally.rate_truncated.inc();
                how = &"cut by the rate limit";
            }
            Verdict::Send if octets::is_truncated(out) => tally.truncated.inc(),
            Verdict::Send => {}
        }
        if !out.is_empty() {
            tally.reply(answered.rcode);
        }
        let sent = (out.len(), octets::is_truncated(out));
        self.log_query((peer, "udp"), query, how, sent);
    }

    /// The rate limit's verdict on a reply.
    fn judge(&self, peer: SocketAddr, query: &[u8], reply: &[u8], about: &Answered<'_>) -> Verdict {
        let Some(limiter) = &self.limiter else {
            return Verdict::Send;
        };
        let kind = match (about.rcode, about.zone) {
            (Rcode::NOERROR, Some(zone)) if octets::answers(reply) > 0 => {
                ReplyKind::Answer(name_of_answer(zone, octets::question_name(query)))
            }
            (Rcode::NOERROR | Rcode::NXDOMAIN, Some(zone)) => {
                ReplyKind::Negative(zone.apex().wire())
            }
            _ => ReplyKind::Error,
        };
        limiter.judge(peer.ip(), kind)
    }

    /// Answers a message of a stream: appends the reply after its length to `out`. A transfer is
    /// written to `send` in parts.
    pub(super) fn answer_message(
        &self,
        held: &mut Held,
        peer: SocketAddr,
        query: &[u8],
        out: &mut Vec<u8>,
        send: &mut dyn FnMut(&mut Vec<u8>) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        let tally = &self.counts.tcp;
        let start = out.len();
        out.extend_from_slice(&[0, 0]);
        let (kind, rcode) =
            match answer::reply(held.zones(&self.current), query, Transport::Tcp, out) {
                Outcome::Silence => {
                    out.truncate(start);
                    self.not_answered(tally, (peer, "tcp"), query);
                    return Ok(());
                }
                Outcome::Reply(answered) => (answered.kind, answered.rcode),
                Outcome::Transfer(zone, asked) if self.may_transfer(peer) => {
                    out.truncate(start);
                    return self.transfer(zone, &asked, (peer, query), out, send);
                }
                Outcome::Transfer(_, asked) => {
                    answer::refuse(&asked, out);
                    (asked.questions.first().map(|q| q.kind), Rcode::REFUSED)
                }
            };
        tally.query(kind);
        tally.reply(rcode);
        octets::set_length(out, start);
        let reply = out.get(start + 2..).unwrap_or_default();
        // Even over TCP, aliases and the set at their end may be too long together.
        let sent = (reply.len(), octets::is_truncated(reply));
        self.log_query((peer, "tcp"), query, &rcode, sent);
        Ok(())
    }

    fn transfer(
        &self,
        zone: &Zone,
        asked: &Message,
        (peer, query): (SocketAddr, &[u8]),
        out: &mut Vec<u8>,
        send: &mut dyn FnMut(&mut Vec<u8>) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        let mut size = 0;
        for message in zone.transfer(asked) {
            let start = out.len();
            out.extend_from_slice(&[0, 0]);
            out.extend_from_slice(&message);
            octets::set_length(out, start);
            size += message.len();
            send(out)?;
        }
        let (tally, apex, serial) = (&self.counts.tcp, zone.apex(), zone.serial());
        tally.query(asked.questions.first().map(|q| q.kind));
        tally.reply(Rcode::NOERROR);
        tally.transfers.inc();
        self.log_query((peer, "tcp"), query, &Rcode::NOERROR, (size, false));
        self.log.info(
            &self.name,
            "zone transferred",
            &[("peer", &peer), ("zone", apex), ("serial", &serial)],
        );
        Ok(())
    }

    fn not_answered(&self, tally: &Tally, from: (SocketAddr, &str), query: &[u8]) {
        tally.silent.inc();
        self.log_query(from, query, &"not answered", (0, false));
    }

    fn log_query(
        &self,
        from: (SocketAddr, &str),
        query: &[u8],
        how: &dyn Display,
        (size, is_truncated): (usize, bool),
    ) {
        if let Some(log) = &self.query_log {
            query_log::write((log, &self.name), from, query, (how, size, is_truncated));
        }
    }
}

/// The name under which the rate limit counts an answer: the one asked for, or the wildcard that
/// matched it. Otherwise a client could open an account for each name that it invents.
fn name_of_answer<'a>(zone: &'a Zone, asked: &'a [u8]) -> &'a [u8] {
    let meaning = Key::read(asked).map(|key| zone.look_up(&key));
    match meaning {
        Some(Lookup::Wildcard(index) | Lookup::Dname(index)) => {
            zone.nodes.get(index).map_or(asked, |node| node.name.wire())
        }
        _ => asked,
    }
}
