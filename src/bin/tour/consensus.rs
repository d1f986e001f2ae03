//! The stop about Raft: five simulated nodes elect a leader, are partitioned, elect another, and heal.

use groundwire::raft::history::Outcome;
use groundwire::raft::sim::scenario::Scenario;
use groundwire::raft::sim::timeline::{Moment, What};
use groundwire::raft::sim::world::{Options, run};
use groundwire::raft::{Event, RoleName};

use super::stops::{Result, Told, ensure};

const SEED: u64 = 42;
const SCENARIO: &str = "nodes 5
duration 4s
clients 3 keys 4 pause 20ms..60ms mix get 5 put 5
at 1s partition leader follower | rest
at 2500ms heal
";

pub fn raft() -> Result<Told> {
    let scenario: Scenario = SCENARIO.parse()?;
    let watched = Options { watch: true };
    let shown = run(&scenario, SEED, &watched);
    let moments = shown.timeline.moments();
    if let Some((_, broken)) = &shown.broken {
        return Err(broken.to_string().into());
    }
    let leaders: Vec<&Moment> = moments.iter().filter(|moment| leads(moment)).collect();
    let terms = leaders.windows(2).all(|pair| pair[0].term < pair[1].term);
    ensure(
        leaders.len() >= 2 && terms,
        "no second leader in a later term",
    )?;
    let done = |outcome| matches!(outcome, &Outcome::Done | &Outcome::Read(_));
    let answered = shown.history.iter().filter(|op| done(&op.outcome)).count();
    ensure(answered > 0, "no operation was answered")?;

    let mut lines: Vec<String> = moments
        .iter()
        .filter(|moment| turns(moment) && moment.time < scenario.duration)
        .map(Moment::line)
        .collect();
    lines.push(format!(
        "{answered} operations of 3 clients were answered: their history is linearizable"
    ));
    lines.push("seed 42 gives these lines each time; raft-sim plays other stories".into());
    Ok(Told {
        lines,
        read: "src/raft/mod.rs, node/, sim/world.rs; docs/raft.md, docs/breaking-it.md",
    })
}

fn leads(moment: &Moment) -> bool {
    matches!(
        moment.what,
        What::Event(Event::Became {
            role: RoleName::Leader,
            ..
        })
    )
}

/// Whether the story takes a turn here.
fn turns(moment: &Moment) -> bool {
    leads(moment)
        || matches!(
            moment.what,
            What::Event(Event::LostQuorum | Event::Truncated(_)) | What::Parted(_) | What::Healed
        )
}
