//! From the root down to the answer, one referral after the other, without a resolver's help.

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::Instant;

use groundwire::cli::{self, Failure, Out};
use groundwire::dns::chain::ending;
use groundwire::dns::exchange::Asking;
use groundwire::dns::walk::Referral;
use groundwire::dns::{self, Ending, Name, Question, RecordType, Reply, Resolver};

use crate::ask::{Asked, NO_ANSWER, NOT_FOUND};
use crate::{SPEC, plain};

/// How deep look-ups of name servers without glue may nest. If `a.test` is served by `ns.b.test` and
/// `b.test` by `ns.a.test`, there is no end.
const MAX_DEPTH: usize = 4;
/// How many queries a walk may take, all together. A zone can name hundreds of servers without an
/// address, each a walk of its own (the NXNS attack, CVE-2020-8616), or a thousand addresses of
/// another network's machines.
const MAX_QUERIES: usize = 100;

/// Shows the way to each of the records asked for; returns the exit status.
pub fn walk(
    asked: &Asked,
    resolver: &Resolver,
    roots: &[SocketAddr],
    port: u16,
    out: &Out,
) -> Result<u8, Failure> {
    let mut worst = 0;
    for question in asked.questions() {
        let walker = Walker {
            resolver,
            roots,
            port,
            queries: Cell::new(MAX_QUERIES),
            begun: Instant::now(),
        };
        let status = match walker.down(&question, 0, &mut |line| out.line(line)) {
            Ok(reply) => tell(&question, &reply, out)?,
            Err(Ended::Output(failure)) => return Err(failure),
            Err(Ended::Lost(why)) => {
                cli::complain(
                    &SPEC,
                    format_args!("{} {}: {why}", question.name, question.kind),
                );
                NO_ANSWER
            }
        };
        worst = worst.max(status);
    }
    Ok(worst)
}

fn tell(question: &Question, reply: &Reply, out: &Out) -> Result<u8, Failure> {
    let message = &reply.message;
    for record in &message.answers {
        out.line(record)?;
    }
    let name = plain(&question.name);
    match ending(question, message) {
        Some(Ending::NoSuchName { .. }) => {
            out.line(format_args!("Host {name} not found: 3(NXDOMAIN)"))?;
        }
        Some(Ending::NoSuchRecord { .. }) => {
            out.line(format_args!("{name} has no {} record", question.kind))?;
        }
        // An alias whose target is elsewhere counts as found.
        Some(Ending::Records(_)) | None => return Ok(0),
    }
    Ok(NOT_FOUND)
}

/// Why a walk did not reach an answer.
enum Ended {
    Lost(String),
    Output(Failure),
}

struct Walker<'a> {
    resolver: &'a Resolver,
    roots: &'a [SocketAddr],
    port: u16,
    /// How many queries are left.
    queries: Cell<usize>,
    begun: Instant,
}

impl Walker<'_> {
    /// The reply of an authoritative server. `say` gets a line for each step.
    fn down(
        &self,
        question: &Question,
        depth: usize,
        say: &mut dyn FnMut(String) -> Result<(), Failure>,
    ) -> Result<Reply, Ended> {
        let (mut zone, mut servers) = (Name::root(), self.roots.to_vec());
        loop {
            let begun = Instant::now();
            let reply = self.ask(question, servers)?;
            let millis = begun.elapsed().as_secs_f64() * 1e3;
            let referral = Referral::read(&reply.message, &question.name, &zone);
            let said = match &referral {
                Some(referral) => format!("refers to {}", names(referral)),
                None if reply.message.is_referral() => {
                    return Err(Ended::Lost(format!(
                        "{} refers to nowhere below {zone}",
                        reply.server
                    )));
                }
                None => format!("{}", reply.message.header.rcode),
            };
            say(format!(
                "; {zone} at {} ({millis:.1} msec): {said}",
                reply.server
            ))
            .map_err(Ended::Output)?;
            let Some(referral) = referral else {
                return Ok(reply);
            };
            servers = self.servers(&referral, depth)?;
            zone = referral.zone;
        }
    }

    fn ask(&self, question: &Question, mut servers: Vec<SocketAddr>) -> Result<Reply, Ended> {
        let left = self.queries.get();
        if left == 0 {
            return Err(Ended::Lost(format!("not found with {MAX_QUERIES} queries")));
        }
        let config = self.resolver.config();
        if self.begun.elapsed() > config.deadline {
            let seconds = config.deadline.as_secs();
            return Err(Ended::Lost(format!("not found within {seconds} s")));
        }
        // Each server is asked once before one is asked again.
        servers.truncate(left);
        let attempts = (left / servers.len().max(1)) as u32; // 100 at most
        let asking = Asking {
            servers,
            timeout: config.timeout,
            attempts: config.attempts.min(attempts),
            use_tcp: config.use_tcp,
            recursion: false,
            ..Asking::default()
        };
        let outcome = self.resolver.query_with(question, asking);
        let spent = match &outcome {
            Ok((_, tries)) => tries.len() + 1,
            Err(dns::Failure::NoAnswer { tries, .. }) => tries.len(),
            Err(_) => 1,
        };
        self.queries.set(left.saturating_sub(spent));
        let reply = outcome.map(|(reply, _)| reply);
        reply.map_err(|failure| Ended::Lost(failure.to_string()))
    }

    /// The addresses of a referral's servers: from the glue, else from a walk for each name.
    fn servers(&self, referral: &Referral, depth: usize) -> Result<Vec<SocketAddr>, Ended> {
        let mut addresses = referral.addresses();
        let names_of = |kind| referral.servers.iter().map(move |server| (&server.0, kind));
        let mut unknown = names_of(RecordType::A).chain(names_of(RecordType::AAAA));
        while let (true, Some((name, kind))) =
            (addresses.is_empty() && depth < MAX_DEPTH, unknown.next())
        {
            let question = Question::new(name.clone(), kind);
            // A server that cannot be found is no reason to give up the others.
            if let Ok(reply) = self.down(&question, depth + 1, &mut |_| Ok(())) {
                let own = reply.message.answers.iter().filter(|r| r.name == *name);
                addresses.extend(own.filter_map(|record| record.data.address()));
            }
        }
        if addresses.is_empty() {
            let servers = names(referral);
            return Err(Ended::Lost(format!("no address is known of {servers}")));
        }
        let at_port = |address| SocketAddr::new(address, self.port);
        Ok(addresses.into_iter().map(at_port).collect())
    }
}

fn names(referral: &Referral) -> String {
    let names: Vec<String> = referral
        .servers
        .iter()
        .map(|(name, _)| name.to_string())
        .collect();
    format!("{} ({})", referral.zone, names.join(", "))
}
