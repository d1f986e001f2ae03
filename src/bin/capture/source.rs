//! Where packets come from: a file, standard input, an interface.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};

use groundwire::capture::file::{CaptureReader, Interface};
use groundwire::capture::live::{Arrival, Counts, Live, LiveError, Stop};
use groundwire::capture::{Packet, live};
use groundwire::cli::{Failure, What, explain};
use groundwire::net;

use super::plan::{From, Plan};

pub enum Source {
    File {
        name: String,
        reader: CaptureReader<Box<dyn Read>>,
    },
    Live {
        name: String,
        live: Live,
        interfaces: [Interface; 1],
    },
}

/// What comes next.
pub enum Next<'a> {
    /// A packet, and the interfaces that are known so far.
    Packet(Packet<'a>, &'a [Interface]),
    /// Nothing is waiting: the next call blocks.
    Idle,
    End,
}

impl Source {
    pub fn open(plan: &Plan) -> Result<Self, Failure> {
        match &plan.from {
            From::File(name) => {
                let (name, stream): (&str, Box<dyn Read>) = match name.as_str() {
                    // Without std's buffer: the reader has its own.
                    "-" => ("standard input", Box::new(File::from(stdin()?))),
                    path => (path, Box::new(File::open(path).what(path)?)),
                };
                let reader = CaptureReader::open(stream).what(name)?;
                let name = name.to_string();
                Ok(Self::File { name, reader })
            }
            From::Interface(wanted) => {
                let name = interface_name(wanted)?;
                let live = Live::open(&name, plan.live).map_err(|error| refused(&name, error))?;
                let interface = Interface::new(live.link(), plan.live.snap, Some(&name));
                Ok(Self::Live {
                    name,
                    live,
                    interfaces: [interface],
                })
            }
        }
    }

    pub fn next(&mut self) -> Result<Next<'_>, Failure> {
        match self {
            Self::File { name, reader } => match reader.next_with_interfaces().what(name)? {
                Some((packet, interfaces)) => Ok(Next::Packet(packet, interfaces)),
                None => Ok(Next::End),
            },
            Self::Live {
                name,
                live,
                interfaces,
            } => match live.next_packet().what(name)? {
                Arrival::Packet(packet) => Ok(Next::Packet(packet, interfaces)),
                Arrival::Idle => Ok(Next::Idle),
                Arrival::Stopped => Ok(Next::End),
            },
        }
    }

    /// What is known of interfaces before the first packet.
    pub fn interfaces(&self) -> &[Interface] {
        match self {
            Self::File { reader, .. } => reader.interfaces(),
            Self::Live { interfaces, .. } => interfaces,
        }
    }

    /// Its name and what ends it, of a live capture.
    pub fn live(&self) -> Option<(&str, Stop)> {
        match self {
            Self::File { .. } => None,
            Self::Live { name, live, .. } => Some((name, live.stopper())),
        }
    }

    pub fn counts(&mut self) -> Option<Counts> {
        match self {
            Self::File { .. } => None,
            Self::Live { live, .. } => Some(live.counts()),
        }
    }
}

fn stdin() -> Result<OwnedFd, Failure> {
    io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .what("standard input")
}

/// The interfaces that `-D` lists and `-i` takes by number: those of the machine, then "any".
pub fn names() -> Result<Vec<String>, Failure> {
    let found = net::interfaces().map_err(Failure::of)?;
    let mut names: Vec<String> = found.into_iter().map(|one| one.name).collect();
    names.push(live::ANY.to_string());
    Ok(names)
}

/// The name, where the user gave a number of the list.
fn interface_name(wanted: &str) -> Result<String, Failure> {
    let Ok(number) = wanted.parse::<usize>() else {
        return Ok(wanted.to_string());
    };
    let name = number
        .checked_sub(1)
        .and_then(|at| names().ok()?.into_iter().nth(at));
    name.ok_or_else(|| Failure::Failed(format!("{wanted}: no such interface (-D lists them)")))
}

fn refused(name: &str, error: LiveError) -> Failure {
    let LiveError::NotPermitted = error else {
        return Failure::Failed(format!("{name}: {}", explain(&error)));
    };
    let program = std::env::current_exe();
    let program = program.map_or_else(|_| "capture".to_string(), |path| path.display().to_string());
    Failure::Failed(format!(
        "{name}: not permitted: run it with sudo, or give it the right once: \
         sudo setcap cap_net_raw+ep {program}"
    ))
}
