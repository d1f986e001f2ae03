//! Keeps README.md and docs/ true: links, code fragments, commands, the list of chapters.
//!
//! The conventions of the book:
//!
//! - A fence is `console`, `text`, `rust`, `toml`, `json` or `ini`, nothing else, and never bare.
//! - `console` is one shell session, and it is run. Lines that begin with `$ ` are commands; the
//!   lines under each are its output, both streams together. `...` inside a line stands for any
//!   characters, a line of only `...` for any number of lines. A command that ends in ` &` runs in
//!   the background: its output is awaited before the next command.
//! - `rust` follows a line that links to a file, and is in that file word for word (except
//!   indentation); a line `// ...` stands for omitted lines.
//! - `text` is a drawing or the record of something that is not run here.
//!
//! In a session the built programs come first in the PATH; `cargo run -- X` is `tour X`; `make X`
//! is only looked up in the Makefile, because the targets include this test; ports are private to
//! the session where the machine allows that (`unshare`).

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use groundwire::cli::temporary;

/// How long a command of the book may take to print what it should.
const PATIENCE: Duration = Duration::from_secs(30);
const LANGUAGES: [&str; 6] = ["console", "text", "rust", "toml", "json", "ini"];
/// What asks for an ICMP socket, which a machine may not allow; a session that does is then left out,
/// and that is said.
const PINGS: &str = "ping";
/// Tools that a machine may lack; a session that uses one is then left out, and that is said.
const OPTIONAL: [&str; 7] = ["curl", "dig", "nc", "socat", "strace", "tshark", "python3"];
/// Sites that may be linked to; they are not fetched.
const SITES: [&str; 4] = [
    "https://www.rfc-editor.org/",
    "https://man7.org/linux/man-pages/",
    "https://prometheus.io/",
    "https://datatracker.ietf.org/doc/draft-",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// README.md and the chapters, with their paths from the root.
fn pages() -> Vec<(String, String)> {
    let mut names = vec!["README.md".to_string()];
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") {
            names.push(format!("docs/{name}"));
        }
    }
    names.sort();
    let read = |name: String| {
        let text = fs::read_to_string(root().join(&name)).unwrap();
        (name, text)
    };
    names.into_iter().map(read).collect()
}

/// A fenced block.
#[derive(Debug, PartialEq)]
struct Fence {
    language: String,
    /// The number of its first line inside, from 1.
    line: usize,
    /// The nearest line above that is not empty.
    above: String,
    body: Vec<String>,
}

fn fences(text: &str) -> Vec<Fence> {
    let (mut found, mut open, mut above) = (Vec::new(), None::<Fence>, String::new());
    for (number, line) in text.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => {
                let (language, above) = (language.to_string(), above.clone());
                open = Some(Fence {
                    language,
                    line: number + 2,
                    above,
                    body: Vec::new(),
                });
            }
            (Some(_), Some("")) => found.extend(open.take()),
            (Some(fence), _) => fence.body.push(line.to_string()),
            (None, None) if !line.trim().is_empty() => above = line.to_string(),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a fence is not closed: {open:?}");
    found
}

/// The text without its fenced blocks.
fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut inside = false;
    let mut kept = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            inside = !inside;
        } else if !inside {
            kept.push((number + 1, line));
        }
    }
    kept
}

/// The targets of `[words](target)` in a line.
fn links(line: &str) -> Vec<&str> {
    let parts = line.split("](").skip(1);
    parts
        .filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
        .collect()
}

/// The anchor that a heading gets: as GitHub makes it.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// What is wrong with a link of a page, if anything.
fn link_fault(page: &str, text: &str, target: &str) -> Option<String> {
    if target.contains("://") {
        let known = SITES.iter().any(|site| target.starts_with(site));
        return (!known).then(|| format!("{target} is on no agreed site"));
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let folder = Path::new(page).parent().unwrap();
    let file = root().join(folder).join(path);
    if !path.is_empty() && !file.exists() {
        return Some(format!("{target} leads nowhere"));
    }
    if anchor.is_empty() {
        return None;
    }
    let linked = if path.is_empty() {
        text.to_string()
    } else {
        fs::read_to_string(file).unwrap()
    };
    let lines = prose(&linked);
    let mut headings = lines.iter().filter(|(_, line)| line.starts_with('#'));
    let found = headings.any(|(_, line)| slug(line) == anchor);
    (!found).then(|| format!("{target}: no such heading"))
}

/// The lines without the indentation that all of them share, and without trailing space.
fn unindented(lines: &[&str]) -> String {
    let width = |line: &&&str| line.len() - line.trim_start().len();
    let shared = lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|l| width(&l))
        .min();
    let cut = |line: &&str| {
        line.get(shared.unwrap_or(0)..)
            .unwrap_or("")
            .trim_end()
            .to_string()
    };
    lines.iter().map(cut).collect::<Vec<_>>().join("\n")
}

/// Whether the pieces of a fragment stand in a file, in this order.
fn stands_in(fragment: &[String], file: &str) -> bool {
    let lines: Vec<&str> = file.lines().collect();
    let mut from = 0;
    let pieces = fragment.split(|line| line.trim() == "// ...");
    for piece in pieces.map(|piece| piece.iter().map(String::as_str).collect::<Vec<_>>()) {
        if piece.is_empty() {
            continue;
        }
        let wanted = unindented(&piece);
        let found = (from..lines.len().saturating_sub(piece.len() - 1))
            .find(|&at| unindented(&lines[at..at + piece.len()]) == wanted);
        match found {
            Some(at) => from = at + piece.len(),
            None => return false,
        }
    }
    true
}

/// A command of a session and the lines that it should print.
#[derive(Debug, PartialEq)]
struct Step {
    command: String,
    expected: Vec<String>,
}

fn steps(body: &[String]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in body {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => {
                steps.push(Step {
                    command: command.to_string(),
                    expected: Vec::new(),
                });
            }
            (None, Some(step)) if step.command.ends_with('\\') && line.starts_with("> ") => {
                step.command.push('\n');
                step.command.push_str(&line[2..]);
            }
            (None, Some(step)) => step.expected.push(line.clone()),
            (None, None) => panic!("a session begins with a command, not with {line:?}"),
        }
    }
    steps
}

/// Whether a printed line is the expected one, `...` standing for anything.
fn matches(expected: &str, printed: &str) -> bool {
    let mut parts = expected.split("...");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = printed.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// A shell under test, and what it prints.
struct Session {
    shell: Child,
    printed: Receiver<String>,
    /// Whether anything runs beside the commands.
    has_jobs: bool,
    /// What such a job has printed while the command before was still under way.
    early: VecDeque<String>,
    folder: PathBuf,
}

const PREAMBLE: &str = r#"
exec 2>&1
cargo() {
  case "$1" in
    build) return 0 ;;
    run) shift; program=tour
      while [ $# -gt 0 ]; do
        case "$1" in
          --bin) program=$2; shift 2 ;;
          --) shift; break ;;
          -*) shift ;;
          *) echo "cargo run $1: not in the book's conventions"; return 1 ;;
        esac
      done
      "$program" "$@" ;;
    *) echo "cargo $1: not in the book's conventions"; return 1 ;;
  esac
}
make() { command make --no-print-directory -C "$GROUNDWIRE" -n "$@" >/dev/null; }
git() { [ "$1" = clone ]; }
cd() { [ "$1" = groundwire ] || builtin cd "$@"; }
"#;

impl Session {
    fn start() -> Self {
        let folder = temporary("groundwire-book", "", |path| fs::create_dir(path)).unwrap();
        for name in [
            "src",
            "docs",
            "tests",
            "README.md",
            "Cargo.toml",
            "Cargo.lock",
            "Makefile",
        ] {
            std::os::unix::fs::symlink(root().join(name), folder.join(name)).unwrap();
        }
        let programs = Path::new(env!("CARGO_BIN_EXE_tour")).parent().unwrap();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        let mut command = if private_network() {
            let mut command = Command::new("unshare");
            command.args(["--user", "--map-root-user", "--net", "bash", "--norc"]);
            command
        } else {
            let mut command = Command::new("bash");
            command.arg("--norc");
            command
        };
        command
            .env("PATH", path)
            .env("GROUNDWIRE", root())
            .env("TMPDIR", &folder)
            .env("LC_ALL", "C");
        command.current_dir(&folder).process_group(0);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut shell = command.spawn().unwrap();
        let output = BufReader::new(shell.stdout.take().unwrap());
        let (tell, printed) = mpsc::channel();
        thread::spawn(move || {
            for line in output.split(b'\n').map_while(Result::ok) {
                if tell
                    .send(String::from_utf8_lossy(&line).into_owned())
                    .is_err()
                {
                    break;
                }
            }
        });
        let mut session = Self {
            shell,
            printed,
            has_jobs: false,
            early: VecDeque::new(),
            folder,
        };
        session.send(PREAMBLE);
        if private_network() {
            session.send("ip link set lo up");
        }
        session
    }

    fn send(&mut self, text: &str) {
        let input = self.shell.stdin.as_mut().unwrap();
        writeln!(input, "{text}").unwrap();
        input.flush().unwrap();
    }

    /// Runs a step; says what was printed instead of what was expected.
    fn run(&mut self, step: &Step, number: usize) -> Result<(), String> {
        let mark = format!("--- end of command {number} ---");
        self.send(&format!("{}\necho '{mark}'", step.command));
        let (mut seen, mut printed, mut rest) = (false, Vec::new(), &step.expected[..]);
        let mut later = VecDeque::new();
        self.has_jobs |= step.command.ends_with('&');
        let deadline = Instant::now() + PATIENCE;
        loop {
            while rest.first().is_some_and(|line| line == "...") && seen && rest.len() == 1 {
                rest = &[];
            }
            if seen && rest.is_empty() {
                self.early = later;
                return Ok(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let early = self.early.pop_front();
            let is_early = early.is_some();
            let Some(line) = early.or_else(|| self.printed.recv_timeout(left).ok()) else {
                return Err(format!("expected {:?}, printed {printed:?}", step.expected));
            };
            if line == mark {
                seen = true;
                continue;
            }
            printed.push(line.clone());
            // A job in the background may print before the shell says that the command is done:
            // that belongs to the command after.
            if rest.is_empty() && !seen && self.has_jobs && !is_early {
                later.push_back(line);
                continue;
            }
            rest = match rest {
                [any, next, ..] if any == "..." && matches(next, &line) => &rest[2..],
                [any, ..] if any == "..." => rest,
                [next, ..] if matches(next, &line) => &rest[1..],
                _ => return Err(format!("expected {:?}, printed {printed:?}", step.expected)),
            };
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The whole group: the shell and what it left in the background. By a shell's own `kill`:
        // the program of that name is not everywhere.
        let kill = format!("kill -KILL -{}", self.shell.id());
        let _ = Command::new("bash")
            .args(["-c", &kill])
            .stderr(Stdio::null())
            .status();
        let _ = self.shell.wait();
        // The end of their output is their end: then the next session can have their ports.
        while self.printed.recv_timeout(PATIENCE).is_ok() {}
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Whether a session can have a loopback interface of its own.
fn private_network() -> bool {
    let script = [
        "--user",
        "--map-root-user",
        "--net",
        "ip",
        "link",
        "set",
        "lo",
        "up",
    ];
    let tried = Command::new("unshare")
        .args(script)
        .stderr(Stdio::null())
        .status();
    tried.is_ok_and(|status| status.success())
}

/// Whether a command of the session has this word.
fn uses(steps: &[Step], tool: &str) -> bool {
    let mut words = steps
        .iter()
        .flat_map(|step| step.command.split([' ', '(', '|']));
    words.any(|word| word == tool)
}

/// Why the session may not ping, if it would: in a network of its own it is root and may.
fn may_not_ping(steps: &[Step]) -> Option<String> {
    if !uses(steps, PINGS) || private_network() {
        return None;
    }
    let ping = Path::new(env!("CARGO_BIN_EXE_ping"));
    let tried = Command::new(ping)
        .args(["-c1", "127.0.0.1"])
        .output()
        .unwrap();
    let refused = tried.status.code() == Some(2);
    refused.then(|| String::from_utf8_lossy(&tried.stderr).trim().to_string())
}

/// A tool that the session needs and this machine lacks.
fn missing_tool(steps: &[Step]) -> Option<&'static str> {
    let absent = |tool: &&&str| {
        let script = format!("command -v {tool}");
        let found = Command::new("sh")
            .args(["-c", &script])
            .stdout(Stdio::null())
            .status();
        !found.is_ok_and(|status| status.success())
    };
    let used = OPTIONAL.iter().filter(|tool| uses(steps, tool));
    used.chain([&"bash"]).find(absent).copied()
}

fn run_session(body: &[String]) -> Result<(), String> {
    let steps = steps(body);
    if let Some(tool) = missing_tool(&steps) {
        println!("skipped: {tool} is not installed");
        return Ok(());
    }
    if let Some(why) = may_not_ping(&steps) {
        println!("skipped: {why}");
        return Ok(());
    }
    let mut session = Session::start();
    for (number, step) in steps.iter().enumerate() {
        let said = session.run(step, number);
        said.map_err(|why| format!("$ {}\n    {why}", step.command))?;
    }
    // What is printed now was printed after the last expected line.
    session.send("echo '--- end ---'");
    let early = session.early.pop_front().map(Ok);
    match early.unwrap_or_else(|| session.printed.recv_timeout(PATIENCE)) {
        Ok(line) if line == "--- end ---" => Ok(()),
        other => Err(format!("more was printed than is shown: {other:?}")),
    }
}

fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_link_leads_somewhere() {
    let mut faults = Vec::new();
    for (name, text) in pages() {
        for (number, line) in prose(&text) {
            let wrong = links(line)
                .into_iter()
                .filter_map(|link| link_fault(&name, &text, link));
            faults.extend(wrong.map(|fault| format!("{name}:{number}: {fault}")));
        }
    }
    assert_none(&faults);
}

/// As a reader of the text itself wants it: to be copied, and found with a search.
#[test]
fn every_code_span_is_on_one_line() {
    for (name, text) in pages() {
        for (number, line) in prose(&text) {
            // A fence that is set in has three.
            let is_fence = line.trim_start().starts_with("```");
            let is_whole = is_fence || line.matches('`').count() % 2 == 0;
            assert!(is_whole, "{name}:{number}: a code span is broken: {line}");
        }
    }
}

#[test]
fn every_fragment_stands_in_the_file_above_it() {
    let mut faults = Vec::new();
    for (name, text) in pages() {
        for fence in fences(&text) {
            let place = format!("{name}:{}", fence.line);
            if !LANGUAGES.contains(&fence.language.as_str()) {
                faults.push(format!("{place}: a fence of language {:?}", fence.language));
            }
            if fence.language != "rust" {
                continue;
            }
            let Some(target) = links(&fence.above).pop() else {
                faults.push(format!("{place}: no file is linked above this fragment"));
                continue;
            };
            let folder = Path::new(&name).parent().unwrap();
            let file = fs::read_to_string(root().join(folder).join(target)).unwrap_or_default();
            if !stands_in(&fence.body, &file) {
                faults.push(format!("{place}: this fragment is not in {target}"));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn every_command_shown_runs_and_prints_what_is_shown() {
    let (mut faults, mut number) = (Vec::new(), 0);
    for (name, text) in pages() {
        for fence in fences(&text)
            .into_iter()
            .filter(|fence| fence.language == "console")
        {
            number += 1;
            if let Err(why) = run_session(&fence.body) {
                faults.push(format!("{name}:{}: {why}", fence.line));
            }
        }
    }
    assert!(number > 10, "only {number} sessions found");
    assert_none(&faults);
}

#[test]
fn every_program_has_a_row_in_the_readme_and_a_place_in_a_chapter() {
    let mut programs = Vec::new();
    for entry in fs::read_dir(root().join("src/bin")).unwrap() {
        let path = entry.unwrap().path();
        programs.push(path.file_stem().unwrap().to_string_lossy().into_owned());
    }
    let pages = pages();
    let (_, readme) = pages.iter().find(|(name, _)| name == "README.md").unwrap();
    let rows: Vec<Vec<&str>> = readme
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    for program in &programs {
        let row = rows.iter().find(|row| row[1] == format!("`{program}`"));
        let row = row.unwrap_or_else(|| panic!("README.md has no row for {program}"));
        let mut example = row[3].trim_matches('`').split_whitespace();
        assert_eq!(
            example.next(),
            Some(program.as_str()),
            "README.md: the example of {program}"
        );
        let built = Path::new(env!("CARGO_BIN_EXE_tour")).with_file_name(program);
        let help = Command::new(built).arg("--help").output().unwrap();
        // Built for tests, it asserts first that its options are declared well.
        let complaint = String::from_utf8_lossy(&help.stderr);
        assert!(help.status.success(), "{program}: {complaint}");
        let help = String::from_utf8(help.stdout).unwrap();
        for flag in example.filter(|word| word.starts_with('-')) {
            assert!(help.contains(flag), "README.md: {program} has no {flag}");
        }
        let mut chapters = pages.iter().filter(|(name, _)| name.starts_with("docs/"));
        assert!(
            chapters.any(|(_, text)| text.contains(program)),
            "no chapter shows {program}"
        );
    }
    for row in &rows {
        let name = row[1].trim_matches('`');
        assert!(
            programs.iter().any(|program| program == name),
            "README.md: there is no {name}"
        );
    }
}

#[test]
fn the_summary_lists_every_chapter_once() {
    let summary = fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    let mut listed: Vec<String> = summary
        .lines()
        .flat_map(links)
        .map(|target| format!("docs/{target}"))
        .collect();
    listed.sort();
    let names = pages().into_iter().map(|(name, _)| name);
    let chapters: Vec<String> = names
        .filter(|name| name.starts_with("docs/") && name != "docs/SUMMARY.md")
        .collect();
    assert_eq!(listed, chapters);
}

#[test]
fn the_targets_that_the_readme_lists_are_those_of_the_makefile() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let help = Command::new("make")
        .args(["--no-print-directory", "help"])
        .current_dir(root())
        .output();
    let Ok(help) = help else {
        return println!("skipped: make is not installed");
    };
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(
        readme.contains(help.trim_end()),
        "README.md does not show this:\n{help}"
    );
}

/// The lines of code of all files in a folder of `src`, or of one file: no comments, no empty lines,
/// no tests.
fn code_lines(place: &str) -> usize {
    let path = root().join("src").join(place);
    let files = match fs::read_dir(&path) {
        Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
        Err(_) => vec![path],
    };
    let count = |file: PathBuf| {
        let text = fs::read_to_string(file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap().lines();
        let code = code.map(str::trim);
        code.filter(|line| !line.is_empty() && !line.starts_with("//"))
            .count()
    };
    files.into_iter().map(count).sum()
}

#[test]
fn sizes_that_the_architecture_names_are_true_to_a_quarter() {
    let text = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    for (said, after, place) in [
        ("The price is some ", " lines of declarations", "sys"),
        ("shared.rs), some ", " lines of code.", "server/shared.rs"),
    ] {
        let (_, rest) = text.split_once(said).unwrap();
        let claimed: usize = rest.split_once(after).unwrap().0.parse().unwrap();
        let counted = code_lines(place);
        let apart = claimed.abs_diff(counted);
        assert!(
            apart * 4 <= counted,
            "{place}: {counted} lines, not {claimed}"
        );
    }
}

#[test]
fn the_checks_find_what_they_look_for() {
    let body = |text: &str| text.lines().map(String::from).collect::<Vec<_>>();
    let page = "see\n```rust\nlet a = 1;\n```\ntext\n\n```console\n$ echo a \\\n> b\na b\n```\n";
    let found = fences(page);
    assert_eq!((found[0].line, found[0].above.as_str()), (3, "see"));
    assert_eq!(steps(&found[1].body)[0].expected, ["a b"]);
    assert_eq!(links("[a](b.md#c) and [d](e)"), ["b.md#c", "e"]);
    assert_eq!(slug("## What `can` go wrong?"), "what-can-go-wrong");
    assert!(link_fault("docs/x.md", "", "no-such-file.md").is_some());
    assert!(link_fault("README.md", "# A b", "#a-b").is_none());
    assert!(link_fault("README.md", "# A b", "#c").is_some());
    assert!(link_fault("README.md", "", "https://example.com/").is_some());

    let file = "fn a() {\n    one();\n    two();\n}\nfn b() {}\n";
    assert!(stands_in(&body("one();\ntwo();"), file));
    assert!(stands_in(&body("fn a() {\n// ...\nfn b() {}"), file));
    assert!(!stands_in(&body("one();\nthree();"), file));
    assert!(!stands_in(&body("fn b() {}\n// ...\nfn a() {"), file));

    assert!(matches("served ... in ... s", "served 3 in 0.1 s") && matches("a", "a"));
    assert!(!matches("served ... s", "refused 3 s") && !matches("a", "ab"));
}

#[test]
fn a_session_passes_only_with_the_output_that_is_shown() {
    let body = |text: &str| text.lines().map(String::from).collect::<Vec<_>>();
    if let Some(tool) = missing_tool(&[]) {
        return println!("skipped: {tool} is not installed");
    }
    assert_eq!(run_session(&body("$ echo one; echo two\none\n...")), Ok(()));
    assert_eq!(
        run_session(&body("$ seq 9\n1\n...\n8\n9\n$ false; echo $?\n1")),
        Ok(())
    );
    // A job's line that is early belongs to the command after, and to no later one.
    let early = "$ mkfifo f\n$ (read x <f; echo $x; echo >f) &\n$ echo word >f; cat f >/dev/null\n";
    let shown = format!("{early}$ true\nword");
    assert_eq!(run_session(&body(&shown)), Ok(()));
    let [missing, late] = [early.to_string(), format!("{early}$ true\n$ true\nword")];
    for wrong in [
        &missing,
        &late,
        "$ echo one\ntwo",
        "$ echo one",
        "$ seq 9\n1\n...\n7",
        "$ cargo publish",
    ] {
        assert!(run_session(&body(wrong)).is_err(), "{wrong}");
    }
}
