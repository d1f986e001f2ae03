//! A run as a user sees it: the page in a browser, and the cluster of threads in real time.

#[path = "support/mod.rs"]
mod support;

use std::fs;
use std::ops::ControlFlow;
use std::time::Duration;

use groundwire::raft::sim::page::Page;
use groundwire::raft::sim::scenario::Scenario;
use groundwire::raft::sim::tally::Tally;
use groundwire::raft::sim::threads::{Ended, Run};
use groundwire::raft::sim::timeline::{Loss, Moment, Timeline, What};
use groundwire::raft::sim::world::{self, Options};
use groundwire::raft::{Body, Entry, Event, Message, NodeId, Payload, RoleName};
use support::{Folder, browser};

const EVIL: &str = "</script><script>document.title='evil'</script><!--";

fn at(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// One second: at 200 ms node 1 is elected, at 400 ms it sends an entry to 2 that arrives, and one
/// to 3 that is lost; at 600 ms it is cut off, at 800 ms it crashes.
fn second() -> Timeline {
    let mut timeline = Timeline::new();
    let mut add = |time, node, role, term, what| {
        timeline.add(Moment::of(at(time), node, role, term, what));
    };
    for node in 1..=3 {
        let (snapshot, entries) = (0, Vec::new());
        let started = What::Started { snapshot, entries };
        add(0, node, RoleName::Follower, 0, started);
        add(0, node, RoleName::Follower, 0, What::Timer(at(200)));
    }
    let became = |role| {
        What::Event(Event::Became {
            role,
            term: 1,
            leader: None,
        })
    };
    add(200, 1, RoleName::Candidate, 1, became(RoleName::Candidate));
    add(210, 1, RoleName::Leader, 1, became(RoleName::Leader));
    let entry = Entry {
        term: 1,
        index: 1,
        payload: Payload::Command(EVIL.as_bytes().into()),
    };
    add(
        400,
        1,
        RoleName::Leader,
        1,
        What::Appended(vec![entry.clone()]),
    );
    for (number, to) in [(1, 2), (2, 3)] {
        let message = message(to, entry.clone());
        add(400, 1, RoleName::Leader, 1, What::Sent { number, message });
    }
    let (from, kind, loss) = (1, "AppendEntries", Loss::Weather);
    let number = 1;
    add(
        500,
        2,
        RoleName::Follower,
        1,
        What::Delivered { number, from, kind },
    );
    add(
        500,
        1,
        RoleName::Leader,
        1,
        What::Event(Event::Committed(1)),
    );
    let (number, to) = (2, 3);
    timeline.add(Moment::of_world(
        at(400),
        What::Dropped {
            number,
            from,
            to,
            kind,
            loss,
        },
    ));
    timeline.add(Moment::of_world(
        at(600),
        What::Parted(vec![vec![1], vec![2, 3]]),
    ));
    timeline.add(Moment::of(at(800), 1, RoleName::Leader, 1, What::Crashed));
    timeline
}

fn message(to: NodeId, entry: Entry) -> Message {
    Message {
        from: 1,
        to,
        term: 1,
        body: Body::AppendEntries {
            previous_index: 0,
            previous_term: 0,
            entries: vec![entry],
            commit: 0,
            round: 1,
        },
    }
}

/// What a script finds on the page of that second: an expression for each line.
fn found(expressions: &[&str]) -> Option<Vec<String>> {
    let page = Page {
        title: EVIL,
        facts: "three nodes",
        end: at(1000),
        timeline: &second(),
    };
    let html = page.html() + HELP + "<script>found([" + &expressions.join(",\n") + "])</script>";
    let folder = Folder::new();
    fs::write(folder.path("page.html"), html).unwrap();
    let dom = browser::sees(&format!("file://{}#t=0.3", folder.path("page.html")))?;
    let (_, lines) = dom.split_once("<pre>").expect("the script has ended");
    let (lines, _) = lines.split_once("</pre>").unwrap();
    Some(lines.lines().map(str::to_owned).collect())
}

/// What the expressions are made of.
const HELP: &str = "<script>
const count = what => document.querySelectorAll(what).length;
const role = id => document.querySelector(`[data-node='${id}']`).getAttribute('class');
const seenAt = time => { show(time / 1000); return `${role(1)}, ${role(2)}, ` + count('.dot[cx]') + count('.lost[opacity]'); };
const press = key => { dispatchEvent(new KeyboardEvent('keydown', { key })); return role(1); };
const found = lines => put(document.body, 'pre', '', lines.join('\\n'));
</script>";

#[test]
fn the_page_shows_roles_and_messages_at_a_time() {
    let times = [300, 100, 205, 440, 470, 700, 900];
    let expressions = times.map(|time| format!("seenAt({time})"));
    let expressions: Vec<&str> = expressions.iter().map(String::as_str).collect();
    let expected = [
        "node leader, node follower, 00",
        "node follower, node follower, 00",
        "node candidate, node follower, 00",
        "node leader, node follower, 20", // two messages on their way
        "node leader, node follower, 21", // one of them is lost
        "node leader, node follower, 00",
        "node down, node follower, 00",
    ];
    if let Some(found) = found(&expressions) {
        assert_eq!(found, expected);
    }
}

#[test]
fn the_page_parts_the_network_and_marks_what_is_committed() {
    let expressions = [
        "role(1)", // of the time in the address
        "(seenAt(450), count('.link.gone'))",
        "count('#logs .committed')",
        "(seenAt(650), count('.link.gone'))",
        "count('#logs .committed')",
    ];
    if let Some(found) = found(&expressions) {
        assert_eq!(found, ["node leader", "0", "0", "2", "1"]);
    }
}

#[test]
fn keys_go_from_event_to_event() {
    let expressions = [
        "press('Home')",
        "press('ArrowRight')", // the three starts are at 0, too
        "press('ArrowRight')",
        "press('ArrowLeft')",
        "press('End')",
        "document.getElementById('clock').textContent",
        "press(' ') && document.getElementById('play').textContent",
    ];
    let expected = [
        "node follower",
        "node candidate",
        "node leader",
        "node candidate",
        "node down",
        "1.000 s",
        "Pause",
    ];
    if let Some(found) = found(&expressions) {
        assert_eq!(found, expected);
    }
}

#[test]
fn a_value_is_never_a_part_of_the_page() {
    let expressions = ["count('script')", "document.title.indexOf('<')"];
    if let Some(found) = found(&expressions) {
        assert_eq!(found, ["4", "6"], "data, page, and the two of this test");
    }
}

/// Runs a scenario as threads.
fn run(scenario: &str) -> (Ended, Tally) {
    let scenario: Scenario = scenario.parse().unwrap();
    let mut tally = Tally::default();
    let ended = Run::start(&scenario, 42).unwrap().watch(|moment| {
        tally.count(&moment);
        ControlFlow::Continue(())
    });
    (ended.unwrap(), tally)
}

#[test]
fn threads_elect_replicate_and_recover_from_a_crash() {
    let (ended, tally) = run("nodes 3\nduration 1s\nclients 2\n\
         at 400ms crash leader\nat 700ms restart all\n");
    assert!(!ended.stopped && tally.broken.is_empty(), "{tally:?}");
    assert!(tally.committed > 0 && tally.answered > 0, "{tally:?}");
    assert!(tally.elections > 0, "{tally:?}");
}

#[test]
fn threads_survive_bad_weather_a_partition_and_a_change_of_members() {
    let (_, tally) = run(
        "nodes 3\nduration 1500ms\nclients 2\nclocks skew 5%\nsnapshots every 10 keep 2 part 64\n\
         weather delay 1ms..10ms loss 5% duplicate 5% reorder 5%\n\
         at 300ms add 4\nat 600ms partition leader | rest\nat 900ms heal\n\
         at 1000ms pause follower\nat 1200ms resume all\n",
    );
    assert_eq!(tally.broken, [""; 0], "{tally:?}");
    assert_eq!(tally.partitions, 1);
    assert!(tally.dropped > 0 && tally.duplicated > 0, "{tally:?}");
}

#[test]
fn a_cut_and_a_pause_are_told_the_same_in_real_and_in_virtual_time() {
    // Nobody campaigns, so that nothing else happens.
    let text = "nodes 3\nduration 300ms\ntimeouts 60s..60s heartbeat 1s\n\
         at 50ms cut 1 2 -> 3\nat 100ms pause 3\nat 200ms resume 3\n";
    let scenario: Scenario = text.parse().unwrap();
    let faults = |moment: &Moment| match &moment.what {
        What::Cut { .. } | What::Paused | What::Resumed => Some((moment.node, moment.what.clone())),
        _ => None,
    };
    let mut real = Vec::new();
    let threads = Run::start(&scenario, 42).unwrap();
    let stopper = threads.stopper();
    let ended = threads.watch(|moment| {
        real.extend(faults(&moment));
        if real.len() == 3 {
            stopper.stop();
        }
        ControlFlow::Continue(())
    });
    ended.unwrap();
    let (from, to) = (vec![1, 2], vec![3]);
    let expected = [
        (None, What::Cut { from, to }),
        (Some(3), What::Paused),
        (Some(3), What::Resumed),
    ];
    assert_eq!(real, expected);
    let options = Options { watch: true };
    let run = world::run(&scenario, 42, &options);
    let told: Vec<_> = run.timeline.moments().iter().filter_map(faults).collect();
    assert_eq!(told, expected);
}

#[test]
fn threads_lose_what_was_not_synced_unless_the_scenario_tears_it() {
    // No sync ever ends, so each election is forgotten.
    let crashes = (1..=6).map(|n| format!("at {0}ms crash 1\nat {0}ms restart 1\n", 400 * n));
    let text = "nodes 1\nduration 10s\ndisks sync 1h\n".to_string() + &crashes.collect::<String>();
    let run = Run::start(&text.parse().unwrap(), 42).unwrap();
    let mut terms = Vec::new();
    let ended = run.watch(|moment| {
        if let What::Started { .. } = moment.what {
            terms.push(moment.term);
        }
        match terms.len() {
            7 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    });
    ended.unwrap();
    assert_eq!(terms, [0; 7]);
}

#[test]
fn a_cluster_that_does_nothing_after_everything_healed_is_told() {
    // Nobody campaigns before the run's patience is over.
    let (ended, tally) = run("nodes 3\nduration 100ms\ntimeouts 60s..60s heartbeat 1s\n");
    assert!(!ended.stopped);
    assert_eq!(
        tally.broken,
        ["no progress within 5s after everything healed"]
    );
}

#[test]
fn a_run_ends_early_when_it_is_stopped() {
    let scenario: Scenario = "nodes 3\nduration 1h\n".parse().unwrap();
    let run = Run::start(&scenario, 42).unwrap();
    let stopper = run.stopper();
    let mut led = false;
    let ended = run.watch(|moment| {
        if moment.role == RoleName::Leader && !led {
            led = true;
            stopper.stop();
        }
        ControlFlow::Continue(())
    });
    assert!(ended.unwrap().stopped);
}
