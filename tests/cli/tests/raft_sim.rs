//! raft-sim: the same seed, the same bytes; lines, JSON, a page, a table; what it refuses.

use std::fs;
use std::process::Command;

use groundwire_cli_tests::{Running, json, path, program};

/// Standard output, standard error and status.
fn raft_sim(args: &[&str]) -> (String, String, Option<i32>) {
    let output = program("raft-sim").args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        text(output.stdout),
        text(output.stderr),
        output.status.code(),
    )
}

#[test]
fn a_seed_decides_every_byte_of_a_deterministic_run() {
    let run = |seed| {
        raft_sim(&[
            "-s",
            "chaos",
            "--deterministic",
            "-d",
            "3s",
            "-m",
            "--seed",
            seed,
        ])
    };
    let (first, err, code) = run("7");
    assert_eq!((err.as_str(), code), ("", Some(0)));
    assert_eq!(run("7").0, first);
    assert_ne!(run("8").0, first);
}

#[test]
fn each_scenario_holds_its_checks_and_can_be_shown_and_run_from_a_file() {
    let (list, _, code) = raft_sim(&["--list"]);
    assert_eq!((list.lines().count(), code), (11, Some(0)), "{list}");
    let folder = tempfile::tempdir().unwrap();
    for line in list.lines() {
        assert!(line.len() < 120, "{line}");
        let name = line.split_whitespace().next().unwrap();
        let (by_name, err, code) = raft_sim(&["-s", name, "--deterministic", "-q"]);
        assert_eq!((err.as_str(), code), ("", Some(0)), "{name}");
        let file = folder.path().join(name);
        fs::write(&file, raft_sim(&["--show", name]).0).unwrap();
        let file = file.to_str().unwrap();
        assert_eq!(raft_sim(&["-s", file, "--deterministic", "-q"]).0, by_name);
    }
}

#[test]
fn every_line_of_json_is_an_object_and_the_last_is_the_table() {
    let (out, _, code) = raft_sim(&["-s", "leader-crash", "--deterministic", "--json", "-m"]);
    assert_eq!(code, Some(0));
    let lines = out.lines().map(|line| json::parse(line).expect(line));
    let lines: Vec<json::Value> = lines.collect();
    let words = |word: &str| {
        let of = |line: &&json::Value| line.get("what").text() == word;
        lines.iter().filter(of).count()
    };
    assert_eq!(words("started"), 5 + words("crashed"));
    let end = lines.last().unwrap();
    assert_eq!(end.get("what").text(), "end");
    assert_eq!(end.get("crashes").number(), words("crashed") as f64);
    assert_eq!(end.get("delivered").number(), words("delivered") as f64);
    assert_eq!(end.get("asked").number(), words("asked") as f64);
    assert_eq!(end.get("broken").number(), 0.0);
}

#[test]
fn lines_stand_below_their_header_and_messages_only_when_they_are_wanted() {
    let args = ["-s", "election", "--deterministic", "-d", "1s"];
    let (story, ..) = raft_sim(&args);
    let (all, ..) = raft_sim(&[&args[..], &["-m"]].concat());
    let (table, ..) = raft_sim(&[&args[..], &["-q"]].concat());
    assert_eq!(story.lines().nth(1), all.lines().nth(1));
    assert!(story.contains("  leads\n") && !story.contains("Heartbeat after"));
    assert!(all.contains("Heartbeat after") && !table.contains("  leads\n"));
    assert!(story.ends_with(table.split_once('\n').unwrap().1));
}

#[test]
fn a_page_is_written_beside_the_lines() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    let page = page.to_str().unwrap();
    let (_, err, code) = raft_sim(&["--deterministic", "-q", "--html", page]);
    assert_eq!((err.as_str(), code), ("", Some(0)));
    let html = fs::read_to_string(page).unwrap();
    assert!(html.starts_with("<!doctype html>") && html.contains("\"what\":\"became\""));
    for outside in ["http://", "https://", "src=", "href=", "@import"] {
        let found = html
            .replace("http://www.w3.org/2000/svg", "")
            .contains(outside);
        assert!(!found, "{outside}");
    }
    let (_, err, code) = raft_sim(&["--deterministic", "-q", "--html", "/nowhere/page.html"]);
    assert!(
        err.starts_with("raft-sim: writing /nowhere/page.html: "),
        "{err}"
    );
    assert_eq!(code, Some(1));
}

#[test]
fn threads_end_with_their_table_on_a_signal() {
    for name in ["INT", "TERM"] {
        let running = Running::start("raft-sim", &["-s", "replication", "-d", "1h"]);
        while !running.line().unwrap().ends_with(" leads") {}
        let ended = running.end_by(name);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        let won = |line: &String| line.starts_with("elections ");
        assert!(ended.stdout.iter().any(won), "{ended:?}");
    }
}

#[test]
fn a_closed_pipe_ends_it_without_a_word() {
    for flag in ["--deterministic", "--seed=1"] {
        let script = format!("{{ \"$0\" -s replication {flag} 2>&1; echo $? >&2; }} | head -1");
        let mut shell = Command::new("sh");
        let output = shell.args(["-c", &script]).arg(path("raft-sim")).output();
        let output = output.unwrap();
        assert!(output.stdout.starts_with(b"replication: 3 nodes"));
        assert_eq!(output.stderr, b"0\n");
    }
}

#[test]
fn what_cannot_be_run_is_refused_with_the_reason() {
    for (args, expected, status) in [
        (&["--nodes", "65"][..], "--nodes 65: must be at most 64", 2),
        (&["--nodes", "0"], "--nodes 0: ", 2),
        (
            &["-q", "-m"],
            "--quiet and --messages contradict each other",
            2,
        ),
        (&["--duration", "2h"], "--duration ", 2),
        (&["--deterministic", "-d", "1h"], "--duration ", 2),
        (&["operand"], "", 2),
        (
            &["-s", "/nowhere"],
            "scenario /nowhere: no such name (see --list), and as a file",
            1,
        ),
        (&["--show", "peace"], "scenario peace: no such name", 1),
    ] {
        let (out, err, code) = raft_sim(args);
        assert!(err.starts_with("raft-sim: "), "{args:?}: {err}");
        assert!(err.contains(expected), "{args:?}: {err}");
        assert_eq!((out.as_str(), code), ("", Some(status)), "{args:?}");
    }
}

#[test]
fn a_mistake_in_a_file_is_told_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad");
    fs::write(&file, "nodes 3\nat 1s explode 2\n").unwrap();
    let (_, err, code) = raft_sim(&["-s", file.to_str().unwrap()]);
    let file = file.display();
    assert!(err.starts_with(&format!("raft-sim: {file}: ")), "{err}");
    assert!(err.contains("line 2") && err.contains("explode"), "{err}");
    assert_eq!(code, Some(1));
}
