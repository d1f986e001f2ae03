//! What a run prints: lines as things happen, the table at the end, and the page.

use std::time::Duration;

use groundwire::cli::{Args, Failure, Out, What as _};
use groundwire::raft::sim::HEADER;
use groundwire::raft::sim::page::Page;
use groundwire::raft::sim::scenario::{self, NAMES, Scenario};
use groundwire::raft::sim::tally::Tally;
use groundwire::raft::sim::timeline::{Level, Moment, Timeline};

use crate::plan::Plan;

/// Prints a run.
pub struct Show<'a> {
    plan: &'a Plan,
    out: Out,
    tally: Tally,
    /// All moments, if there will be a page.
    timeline: Timeline,
}

impl<'a> Show<'a> {
    /// Prints the heading.
    pub fn new(plan: &'a Plan) -> Result<Self, Failure> {
        let show = Self {
            plan,
            out: Out::lines(),
            tally: Tally::default(),
            timeline: Timeline::new(),
        };
        if !plan.json {
            show.out
                .line(format_args!("{}: {}", plan.name, facts(plan)))?;
        }
        if !plan.json && !plan.quiet {
            show.out.line(HEADER)?;
        }
        Ok(show)
    }

    /// Counts a moment, and prints it if it is worth a line.
    pub fn moment(&mut self, moment: &Moment) -> Result<(), Failure> {
        self.tally.count(moment);
        let most = match self.plan.messages {
            true => Level::Message,
            false => Level::Story,
        };
        if !self.plan.quiet && moment.level() <= most {
            self.out.line(match self.plan.json {
                true => moment.json(),
                false => moment.line(),
            })?;
        }
        if self.plan.html.is_some() {
            self.timeline.add(moment.clone());
        }
        Ok(())
    }

    /// Prints the table, writes the page, and says whether all checks held.
    pub fn end(self, at: Duration) -> Result<(), Failure> {
        match self.plan.json {
            true => self.out.line(self.tally.json(at))?,
            false => self
                .out
                .line(format_args!("\n{}", self.tally.table(at).trim_end()))?,
        }
        if let Some(path) = &self.plan.html {
            let page = Page {
                title: &self.plan.name,
                facts: &facts(self.plan),
                end: at,
                timeline: &self.timeline,
            };
            std::fs::write(path, page.html()).what(format_args!("writing {}", path.display()))?;
        }
        match self.tally.broken.first() {
            None => Ok(()),
            Some(broken) => Err(Failure::Failed(format!("{}: {broken}", self.plan.name))),
        }
    }
}

fn facts(plan: &Plan) -> String {
    let time = match plan.deterministic {
        true => "virtual time",
        false => "real time",
    };
    let Scenario {
        nodes, duration, ..
    } = plan.scenario;
    let seed = plan.seed;
    format!("{nodes} nodes, {duration:?} of {time}, seed {seed}")
}

/// Prints the names, each with the first sentence of its text.
pub fn list(out: &Out) -> Result<(), Failure> {
    for name in NAMES {
        out.line(format_args!("{name:<14}{}", about(name)))?;
    }
    out.flush()
}

/// In a list, a longer sentence ends at its colon.
const LONG: usize = 90;

/// The first sentence of the comment at the head of a scenario.
fn about(name: &str) -> String {
    let Some(text) = scenario::text(name) else {
        return "all that can go wrong, as the seed will have it".into();
    };
    let comment = text.lines().map_while(|line| line.strip_prefix("# "));
    let comment: Vec<&str> = comment.collect();
    let comment = comment.join(" ");
    let upto = |end: &str, text: &str| text.split(end).next().unwrap_or_default().to_owned();
    let first = upto(". ", &comment);
    match first.len() > LONG {
        true => upto(": ", &first),
        false => first.trim_end_matches('.').to_owned(),
    }
}

/// Prints a scenario as a file: in its original text, unless options change it.
pub fn text(out: &Out, name: &str, args: &Args) -> Result<(), Failure> {
    let changed = args.given("nodes") || args.given("duration");
    let written = scenario::text(name).filter(|_| !changed);
    let text = match written {
        Some(text) => text.to_owned(),
        None => crate::plan::scenario(name, args)?.to_string(),
    };
    out.write_all(text.as_bytes())?;
    out.flush()
}
