//! Scenarios with the timelines that they must produce, in plain text: `scripts/*.txt`.
//!
//! A script is a scenario, a line `---`, and the story line by line. To add one: write the
//! scenario, run this test with `GROUNDWIRE_REWRITE=1`, and read what it wrote: is that what the
//! paper says?

use std::fs;
use std::path::{Path, PathBuf};

use super::HEADER;
use super::scenario::Scenario;
use super::timeline::Level;
use super::world::{Options, run};

const LINE: &str = "---\n";

fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/raft/sim/scripts");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the scripts")
        .map(|entry| entry.expect("a script").path())
        .collect();
    paths.sort();
    paths
}

/// The story of a scenario: its lines of level [`Level::Story`].
fn story(text: &str, path: &Path) -> String {
    let scenario: Scenario = text
        .parse()
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let options = Options {
        watch: true,
        ..Options::default()
    };
    let run = run(&scenario, scenario.seed.unwrap_or(1), &options);
    let story = run
        .timeline
        .moments()
        .iter()
        .filter(|moment| moment.level() == Level::Story);
    let lines: Vec<String> = story.map(|moment| moment.line() + "\n").collect();
    format!("{HEADER}\n{}", lines.concat())
}

#[test]
fn each_script_tells_its_story() {
    let rewrite = std::env::var_os("GROUNDWIRE_REWRITE").is_some();
    let paths = scripts();
    assert!(paths.len() > 20, "{} scripts", paths.len());
    for path in paths {
        let script = fs::read_to_string(&path).expect("a script");
        let (scenario, expected) = script.split_once(LINE).unwrap_or((&script, ""));
        let told = story(scenario, &path);
        assert!(!told.contains("BROKEN"), "{}:\n{told}", path.display());
        if rewrite {
            fs::write(&path, format!("{scenario}{LINE}{told}")).expect("a script can be written");
            continue;
        }
        let (first, begins) = (
            scenario.lines().count() + 2,
            expected.lines().zip(told.lines()),
        );
        let same = begins
            .take_while(|(expected, told)| expected == told)
            .count();
        assert!(
            told == expected,
            "{}:{}: expected {:?}, told {:?}; GROUNDWIRE_REWRITE=1 writes it anew",
            path.display(),
            first + same,
            expected.lines().nth(same),
            told.lines().nth(same),
        );
    }
}
