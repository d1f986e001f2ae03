//! What to ask for an operand, whom to ask, and in which form to print the answer.

use std::net::IpAddr;

use groundwire::cli::{self, Failure, Out, UsageError};
use groundwire::dns::chain::ending;
use groundwire::dns::{self, Ending, LookupError, Name, Question, RecordType, Resolver, System};

use crate::{SPEC, json, operand_address, sections, words};

/// The form of the output.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Words,
    Short,
    Json,
    Sections,
    Trace,
}

/// The exit status of "there is no such name, or no such record".
pub const NOT_FOUND: u8 = 1;
/// The exit status of "no server could answer".
pub const NO_ANSWER: u8 = 3;

/// An operand, read.
pub struct Asked {
    /// As the resolver takes it: an address has become its reverse name.
    pub text: String,
    pub name: Name,
    pub kinds: Vec<RecordType>,
    address: Option<IpAddr>,
}

impl Asked {
    /// Reads an operand, which with `-x` (`must`) has to be an address.
    pub fn new(text: &str, kinds: &[RecordType], must: bool) -> Result<Self, UsageError> {
        let address = operand_address(text, must)?;
        let name = match address {
            Some(address) => Name::reverse(address),
            None => Name::parse(text).map_err(|why| UsageError::bad_value("NAME", text, why))?,
        };
        let usual: &[RecordType] = match address {
            Some(_) => &[RecordType::PTR],
            None => &[RecordType::A, RecordType::AAAA],
        };
        Ok(Self {
            text: address.map_or(text.to_string(), |_| name.to_string()),
            kinds: if kinds.is_empty() { usual } else { kinds }.to_vec(),
            name,
            address,
        })
    }

    pub fn questions(&self) -> impl Iterator<Item = Question> {
        self.kinds
            .iter()
            .map(|&kind| Question::new(self.name.clone(), kind))
    }
}

/// Prints the answers about an operand; returns the exit status.
pub fn answers(asked: &Asked, resolver: &Resolver, style: Style, out: &Out) -> Result<u8, Failure> {
    let outcomes = match resolver.search_each(&asked.text, &asked.kinds) {
        Ok(outcomes) => outcomes,
        Err(error) => return failed(asked, &error, style, out),
    };
    let (mut answers, mut failures) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Ok(answer) => answers.push(answer),
            Err(failure) => failures.push(LookupError::from(failure)),
        }
    }
    for line in match style {
        Style::Json => answers.iter().map(json::answer).collect(),
        Style::Short => words::short(&answers),
        _ => words::host(&answers),
    } {
        out.line(line)?;
    }
    // Other types have records; for these no server could answer.
    for error in &failures {
        if style == Style::Json {
            out.line(json::failure(&asked.name, error))?;
        }
        cli::complain(&SPEC, error);
    }
    Ok(match failures.is_empty() {
        true => status(answers.iter().map(|answer| &answer.ending)),
        false => NO_ANSWER,
    })
}

/// A name is found if it has any record: a host with an IPv4 address only is no failure.
fn status<'a>(mut endings: impl Iterator<Item = &'a Ending>) -> u8 {
    match endings.any(|ending| matches!(ending, Ending::Records(_))) {
        true => 0,
        false => NOT_FOUND,
    }
}

fn failed(asked: &Asked, error: &LookupError, style: Style, out: &Out) -> Result<u8, Failure> {
    match (style, error) {
        (Style::Json, _) => out.line(json::failure(&asked.name, error))?,
        (_, LookupError::Failed(dns::Failure::NoAnswer { aliases, .. })) => {
            let lines = match style {
                Style::Short => aliases.iter().map(|alias| alias.data.to_string()).collect(),
                _ => words::aliases(aliases),
            };
            lines
                .into_iter()
                .try_for_each(|line: String| out.line(line))?;
        }
        _ => {}
    }
    cli::complain(&SPEC, error);
    Ok(NO_ANSWER)
}

/// Prints whole replies: the last one for each type, after those that were of no use. Returns the
/// exit status.
pub fn messages(asked: &Asked, resolver: &Resolver, out: &Out) -> Result<u8, Failure> {
    let mut status = NOT_FOUND;
    for question in asked.questions() {
        let outcome = resolver.query_with_tries(&question);
        let tries = match &outcome {
            Ok((_, tries)) | Err(dns::Failure::NoAnswer { tries, .. }) => tries.as_slice(),
            Err(_) => &[],
        };
        for failed in tries {
            out.line(sections::failed(failed))?;
        }
        let reply = match outcome {
            Ok((reply, _)) => reply,
            Err(failure) => {
                cli::complain(&SPEC, failure);
                status = NO_ANSWER;
                continue;
            }
        };
        out.line(sections::reply(&reply))?;
        // An alias whose target is elsewhere counts as found.
        let found = matches!(
            ending(&question, &reply.message),
            Some(Ending::Records(_)) | None
        );
        if found && status == NOT_FOUND {
            status = 0;
        }
    }
    Ok(status)
}

/// Prints what the system's own resolver finds.
pub fn system(asked: &Asked, style: Style, out: &Out) -> Result<u8, Failure> {
    if asked.address.is_some() {
        let why = "--system finds addresses of names, not names of addresses";
        return Err(UsageError::rule(why).into());
    }
    match System.lookup_host(&asked.text) {
        Ok(addresses) => {
            for address in &addresses {
                match style {
                    Style::Short => out.line(address)?,
                    Style::Json => out.line(json::address(&asked.name, *address))?,
                    _ => out.line(words::address(&asked.name, *address))?,
                }
            }
            Ok(0)
        }
        Err(error) => {
            let said = cli::explain(&error);
            // EAI_AGAIN, in the words of glibc and of musl; std does not give the number.
            let again = ["Temporary failure", "Try again"];
            let status = match again.iter().any(|words| said.contains(words)) {
                true => NO_ANSWER,
                false => NOT_FOUND,
            };
            cli::complain(&SPEC, said);
            Ok(status)
        }
    }
}
