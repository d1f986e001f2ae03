//! A look-up: a question, the aliases on the way, and the answer at their end.
//!
//! An [`Exchange`] gets a reply, and `chain.rs` reads it. If its chain of aliases leads out of the
//! reply, the next exchange asks for the name reached. No name is visited twice, and aliases are
//! counted over all replies, so servers cannot send a client in circles. Pure, like both.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::chain::{Answer, Chain, MAX_ALIASES, Said};
use super::exchange::{Asking, Exchange, Step, Trouble, Try};
use super::name::Name;
use super::record::{Question, Record};

/// Why a look-up has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No server had a usable reply.
    NoAnswer {
        /// The question asked last: at the end of the aliases.
        question: Question,
        /// The aliases that led there.
        aliases: Vec<Record>,
        /// The tries.
        tries: Vec<Try>,
    },
    /// The aliases lead in a circle, or through more than [`MAX_ALIASES`] names.
    Endless {
        /// The name at which the look-up stopped.
        name: Name,
    },
}

impl Failure {
    /// Whether no server replied at all, so that another name would fare no better.
    pub(super) fn is_silence(&self) -> bool {
        let silent = |one: &Try| matches!(one.trouble, Trouble::Timeout | Trouble::Unreachable(_));
        match self {
            Failure::NoAnswer { tries, .. } => tries.iter().all(silent),
            Failure::Endless { .. } => false,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::NoAnswer {
                question, tries, ..
            } => {
                write!(f, "{} {}: ", question.name, question.kind)?;
                if tries.is_empty() {
                    return f.write_str("there is no server to ask, or no time left");
                }
                f.write_str("no server could answer")?;
                let told = |(number, one): &(usize, &Try)| {
                    let same = |before: &Try| {
                        (before.server, before.transport) == (one.server, one.transport)
                            && before.trouble == one.trouble
                    };
                    tries.iter().take(*number).any(same)
                };
                let mut each = tries.iter().enumerate().filter(|one| !told(one));
                each.try_for_each(|(_, one)| write!(f, "; {one}"))
            }
            Failure::Endless { name } => {
                write!(
                    f,
                    "{name}: the aliases lead in a circle, or are more than {MAX_ALIASES}"
                )
            }
        }
    }
}

impl std::error::Error for Failure {}

/// A look-up in progress.
#[derive(Clone, Debug)]
pub struct Lookup {
    question: Question,
    asking: Asking,
    deadline: Duration,
    chain: Chain,
    exchange: Exchange,
    /// Whether a reply that was used has TC.
    is_cut: bool,
}

impl Lookup {
    /// Looks `question` up; gives up at `deadline`.
    pub fn new(question: Question, asking: Asking, deadline: Duration) -> Self {
        Self {
            chain: Chain::new(question.name.clone()),
            exchange: Exchange::new(question.clone(), asking.clone(), deadline),
            question,
            asking,
            deadline,
            is_cut: false,
        }
    }

    /// Whether a reply that was used was cut, even over TCP: a record set of the answer may lack
    /// records, so the answer should not be kept (RFC 1035 §7.4).
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// What to do at the time `now`; see [`Exchange::poll`].
    pub fn poll(&mut self, now: Duration, id: u16) -> Step<Result<Answer, Failure>> {
        loop {
            let reply = match self.exchange.poll(now, id) {
                Step::Done(Ok(reply)) => reply,
                Step::Done(Err(tries)) => return Step::Done(Err(self.no_answer(tries))),
                Step::Wait(until) => return Step::Wait(until),
                Step::Send {
                    server,
                    transport,
                    octets,
                    until,
                } => {
                    return Step::Send {
                        server,
                        transport,
                        octets,
                        until,
                    };
                }
            };
            self.is_cut |= reply.message.header.truncated;
            match self.chain.follow(&self.question, &reply.message) {
                Said::Ending(ending) => {
                    return Step::Done(Ok(Answer {
                        question: self.question.clone(),
                        name: self.chain.name.clone(),
                        aliases: self.chain.aliases.clone(),
                        ending,
                        server: Some(reply.server),
                    }));
                }
                Said::Endless => {
                    let name = self.chain.name.clone();
                    return Step::Done(Err(Failure::Endless { name }));
                }
                Said::AskAgain => {
                    let question = Question {
                        name: self.chain.name.clone(),
                        ..self.question.clone()
                    };
                    self.exchange = Exchange::new(question, self.asking.clone(), self.deadline);
                }
            }
        }
    }

    /// See [`Exchange::received`].
    pub fn received(&mut self, now: Duration, from: SocketAddr, octets: &[u8]) {
        self.exchange.received(now, from, octets);
    }

    /// See [`Exchange::unreachable`].
    pub fn unreachable(&mut self, why: impl Into<String>) {
        self.exchange.unreachable(why);
    }

    fn no_answer(&self, tries: Vec<Try>) -> Failure {
        Failure::NoAnswer {
            question: self.exchange.question().clone(),
            aliases: self.chain.aliases.clone(),
            tries,
        }
    }
}

#[cfg(test)]
mod tests;
