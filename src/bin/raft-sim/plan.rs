//! What to run and how to show it: the arguments, checked.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use groundwire::cli::{Args, DurationArg, Failure, NonZeroCount, UsageError, What};
use groundwire::raft::sim::scenario::{self, Scenario};

/// The seed where neither the user nor the scenario names one.
const SEED: u64 = 42;

/// The longest run that is kept whole: some hundred megabytes of moments.
const KEPT: Duration = Duration::from_secs(600);

/// What to run, checked.
pub struct Plan {
    /// What the scenario was called.
    pub name: String,
    pub scenario: Scenario,
    pub seed: u64,
    pub deterministic: bool,
    pub messages: bool,
    pub quiet: bool,
    pub json: bool,
    pub html: Option<PathBuf>,
}

impl Plan {
    pub fn from_args(args: &Args) -> Result<Self, Failure> {
        let name = args.parse::<String>("scenario")?;
        let scenario = scenario(&name, args)?;
        if args.flag("quiet") && args.flag("messages") {
            return Err(UsageError::rule("--quiet and --messages contradict each other").into());
        }
        let kept = args.flag("deterministic") || args.given("html");
        if kept && scenario.duration > KEPT {
            let why = format!("must be at most {KEPT:?} with --deterministic or --html");
            let long = format!("{:?}", scenario.duration);
            return Err(UsageError::bad_value("--duration", long, why).into());
        }
        let stem = Path::new(&name).file_stem().unwrap_or_default();
        Ok(Self {
            name: stem.to_string_lossy().into_owned(),
            seed: seed(args)?.or(scenario.seed).unwrap_or(SEED),
            scenario,
            deterministic: args.flag("deterministic"),
            messages: args.flag("messages"),
            quiet: args.flag("quiet"),
            json: args.flag("json"),
            html: args.value("html").map(PathBuf::from),
        })
    }
}

fn seed(args: &Args) -> Result<Option<u64>, UsageError> {
    args.parse_opt::<u64>("seed")
}

/// The scenario of this name or in this file, with the user's changes.
pub fn scenario(name: &str, args: &Args) -> Result<Scenario, Failure> {
    let nodes = args.parse_opt::<NonZeroCount>("nodes")?;
    let nodes = nodes.map(NonZeroCount::get);
    if let Some(many) = nodes.filter(|&nodes| nodes > scenario::MAX_NODES) {
        let why = format!("must be at most {}", scenario::MAX_NODES);
        return Err(UsageError::bad_value("--nodes", many, why).into());
    }
    let duration = args.parse_opt::<DurationArg>("duration")?;
    let duration = duration.map(DurationArg::get);
    if let Some(long) = duration.filter(|&long| long > scenario::MAX_DURATION) {
        let why = format!("must be at most {:?}", scenario::MAX_DURATION);
        return Err(UsageError::bad_value("--duration", format!("{long:?}"), why).into());
    }
    let seed = seed(args)?.unwrap_or(SEED);
    if name == "chaos" {
        let duration = duration.unwrap_or(Duration::from_secs(10));
        return Ok(scenario::chaos(seed, nodes.unwrap_or(5), duration));
    }
    let mut scenario = match scenario::named(name, seed) {
        Some(scenario) => scenario,
        None => read(Path::new(name))?,
    };
    scenario.nodes = nodes.unwrap_or(scenario.nodes);
    scenario.duration = duration.unwrap_or(scenario.duration);
    scenario
        .actions
        .retain(|timed| timed.at <= scenario.duration);
    Ok(scenario)
}

fn read(path: &Path) -> Result<Scenario, Failure> {
    let shown = path.display();
    let file = File::open(path).what(format_args!(
        "scenario {shown}: no such name (see --list), and as a file"
    ))?;
    let mut text = String::new();
    let limit = scenario::MAX_TEXT as u64 + 1;
    let read = file.take(limit).read_to_string(&mut text);
    read.what(format_args!("reading {shown}"))?;
    let parsed = text.parse::<Scenario>();
    parsed.map_err(|error| Failure::Failed(format!("{shown}: {error}")))
}
