//! The house rules of docs/architecture.md, read off the source: floors, the place of `unsafe`, pure
//! files, what is deliberately absent. A failure names file and line.
//!
//! To add a room: give it a floor in `FLOORS`. To add a pure file: name it in `PURE`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Rooms and floors: a room imports lower floors only, and the neighbours in `ALSO`.
const FLOORS: [(&str, u8); 15] = [
    ("sys", 0),
    ("cli", 0),
    ("telemetry", 0),
    ("net", 0),
    ("server", 1),
    ("wire", 1),
    ("echo", 2),
    ("endpoint", 2),
    ("rpc", 2),
    ("dns", 2),
    ("http", 2),
    ("raft", 2),
    ("proxy", 3),
    ("kv", 3),
    ("capture", 3),
];
const ALSO: [(&str, &str); 1] = [("net", "sys")];

/// Files of protocol logic and text: bytes and values in, values out.
const PURE: [&str; 19] = [
    "net/address_error.rs",
    "net/class.rs",
    "net/host_port.rs",
    "net/ip.rs",
    "net/lines.rs",
    "net/network.rs",
    "net/prefix.rs",
    "net/services.rs",
    "net/zone.rs",
    "telemetry/exposition.rs",
    "telemetry/time.rs",
    "cli/args.rs",
    "cli/error.rs",
    "cli/help.rs",
    "cli/parse.rs",
    "cli/spec.rs",
    "cli/value.rs",
    "cli/words.rs",
    "server/access.rs",
];

/// What a pure file does not name: sockets, clocks, threads, randomness, files, the environment.
const IMPURE: [&str; 22] = [
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "UnixListener",
    "UnixDatagram",
    "OwnedFd",
    "BorrowedFd",
    "Instant",
    "SystemTime::now",
    "thread::",
    "std::thread",
    "Mutex",
    "Condvar",
    "mpsc",
    "RandomState",
    "HashMap",
    "std::fs",
    "File::",
    "std::env",
    "std::process",
    "stdin(",
];

/// Calls that end the program when they fail, where input might reach them.
const PANICS: [&str; 7] = [
    ".unwrap()",
    ".expect(",
    "panic!(",
    "todo!(",
    "unimplemented!(",
    "unreachable!(",
    "dbg!(",
];

/// Files that may panic, and for what.
const MAY_PANIC: [(&str, &str); 4] = [
    (
        "telemetry/metrics.rs",
        "a metric registered wrongly is a programmer's error",
    ),
    (
        "cli/args.rs",
        "an option that was not declared is a programmer's error",
    ),
    (
        "cli/spec.rs",
        "an option that was not declared is a programmer's error",
    ),
    (
        "cli/parse.rs",
        "options declared badly are a programmer's error",
    ),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files below `src`, with their path from there.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    collect(&root().join("src"), &mut found);
    assert!(
        found.len() > 40,
        "only {} files found: the test looks in the wrong place",
        found.len()
    );
    found.sort();
    found
}

fn collect(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path
                .strip_prefix(root().join("src"))
                .unwrap()
                .display()
                .to_string();
            found.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The room that a file stands in: `net/ip.rs` in `net`.
fn room(name: &str) -> &str {
    name.split(['/', '.']).next().unwrap_or_default()
}

/// The lines of code, numbered from 1: comments, strings and the test module are blanked.
fn code(text: &str) -> Vec<(usize, String)> {
    let end = text
        .find("\n#[cfg(test)]\nmod tests {")
        .unwrap_or(text.len());
    let mut in_string = false;
    let mut lines = Vec::new();
    for (number, line) in text[..end].lines().enumerate() {
        let mut kept = String::new();
        let mut letters = line.chars().peekable();
        while let Some(letter) = letters.next() {
            match (in_string, letter) {
                (true, '\\') => {
                    letters.next();
                }
                (true, '"') => in_string = false,
                (true, _) => {}
                (false, '"') => in_string = true,
                (false, '\'') => {
                    // A character such as '"' must not open a string; a lifetime has no end.
                    let rest: String = letters.clone().take(4).collect();
                    let literal = ["\"'", "\\\"'", "\\''", "\\\\'"]
                        .iter()
                        .find(|l| rest.starts_with(**l));
                    if let Some(literal) = literal {
                        for _ in literal.chars() {
                            letters.next();
                        }
                    }
                }
                (false, '/') if letters.peek() == Some(&'/') => break,
                (false, letter) => kept.push(letter),
            }
        }
        lines.push((number + 1, kept));
    }
    lines
}

/// `crate::ROOM` of every path in a line, `use crate::{a, b::c}` included.
fn imports(line: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for rest in line.split("crate::").skip(1) {
        let list = match rest.strip_prefix('{') {
            Some(list) => list.split(',').collect(),
            None => vec![rest],
        };
        for item in list {
            let name: String = item
                .trim()
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '_')
                .collect();
            rooms.push(name);
        }
    }
    rooms
}

fn floor(room: &str) -> Option<u8> {
    FLOORS
        .iter()
        .find(|(name, _)| *name == room)
        .map(|(_, floor)| *floor)
}

/// What is wrong with an import, if anything.
fn import_fault(from: &str, to: &str) -> Option<String> {
    let Some(own) = floor(from) else {
        return Some(format!("room {from} has no floor: give it one"));
    };
    // A name that is no room is an item of the crate root, of which there are none, or our own.
    let other = floor(to)?;
    let allowed = from == to || other < own || ALSO.contains(&(from, to));
    (!allowed).then(|| format!("{from} (floor {own}) imports {to} (floor {other})"))
}

fn unsafe_faults(name: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let raw: Vec<&str> = text.lines().collect();
    for (number, line) in code(text) {
        let words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
        let is_unsafe = words.clone().any(|word| word == "unsafe");
        let lifts = line.contains("allow(unsafe_code)");
        if (is_unsafe || lifts) && room(name) != "sys" {
            faults.push(format!("src/{name}:{number}: unsafe outside of src/sys"));
        }
        if line.contains("extern") && is_unsafe && name != "sys/abi.rs" {
            faults.push(format!(
                "src/{name}:{number}: C declared outside of src/sys/abi.rs"
            ));
        }
        if is_unsafe && line.contains("unsafe {") {
            let above = raw[..number - 1].iter().rev().take(12);
            let mut argued = false;
            for line in above {
                argued |= line.contains("// SAFETY:");
                let comment = line.trim().starts_with("//");
                if argued || (!comment && (line.ends_with(';') || line.trim() == "}")) {
                    break;
                }
            }
            if !argued {
                faults.push(format!("src/{name}:{number}: no SAFETY line above"));
            }
        }
    }
    faults
}

fn purity_faults(name: &str, text: &str) -> Vec<String> {
    let lines = code(text);
    let named = lines.iter().flat_map(|(number, line)| {
        let found = IMPURE.iter().filter(|word| line.contains(**word));
        found.map(move |word| format!("src/{name}:{number}: a pure file names {word}"))
    });
    named.collect()
}

fn panic_faults(name: &str, text: &str) -> Vec<String> {
    let lines = code(text);
    let named = lines.iter().flat_map(|(number, line)| {
        let found = PANICS.iter().filter(|call| line.contains(**call));
        found.map(move |call| format!("src/{name}:{number}: {call} that input might reach"))
    });
    named.collect()
}

fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn rooms_import_lower_floors_only_and_telemetry_and_cli_know_nobody() {
    let mut faults = Vec::new();
    for (name, text) in sources() {
        let own = room(&name);
        if matches!(own, "bin" | "lib") {
            continue;
        }
        for (number, line) in code(&text) {
            for other in imports(&line) {
                let fault = import_fault(own, &other);
                faults.extend(fault.map(|fault| format!("src/{name}:{number}: {fault}")));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn unsafe_stands_in_sys_only_and_each_block_has_its_argument() {
    let all = sources();
    let faults: Vec<String> = all
        .iter()
        .flat_map(|(name, text)| unsafe_faults(name, text))
        .collect();
    assert_none(&faults);
    let (_, lib) = all.iter().find(|(name, _)| name == "lib.rs").unwrap();
    assert!(
        lib.contains("\n#![deny(unsafe_code)]\n"),
        "src/lib.rs does not deny unsafe code"
    );
}

#[test]
fn pure_files_name_no_socket_clock_thread_file_or_randomness() {
    let all = sources();
    for pure in PURE {
        let (name, text) = all
            .iter()
            .find(|(name, _)| name == pure)
            .unwrap_or_else(|| panic!("{pure} is gone"));
        assert_none(&purity_faults(name, text));
    }
}

#[test]
fn nothing_that_input_might_reach_panics() {
    let mut faults = Vec::new();
    for (name, text) in sources() {
        if !MAY_PANIC.iter().any(|(file, _)| *file == name) && name != "net/generate.rs" {
            faults.extend(panic_faults(&name, &text));
        }
    }
    assert_none(&faults);
}

#[test]
fn every_file_is_introduced_and_none_is_longer_than_600_lines() {
    for (name, text) in sources() {
        assert!(text.starts_with("//! "), "src/{name} has no introduction");
        let lines = text.lines().count();
        assert!(lines <= 600, "src/{name} has {lines} lines");
    }
}

#[test]
fn nothing_sleeps_and_nothing_is_asynchronous() {
    let mut all = sources();
    for entry in fs::read_dir(root().join("tests")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            all.push((
                format!("../tests/{name}"),
                fs::read_to_string(path).unwrap(),
            ));
        }
    }
    for (name, text) in all {
        for (number, line) in code(&text) {
            for word in ["sleep(", "park_timeout", "async fn", "async move", ".await"] {
                assert!(!line.contains(word), "src/{name}:{number}: {word}");
            }
        }
    }
}

#[test]
fn the_package_depends_on_nothing() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    assert_eq!(
        lock.matches("[[package]]").count(),
        1,
        "Cargo.lock lists more than this package"
    );
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let mut section = "";
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        } else if section.contains("dependencies") && !line.is_empty() && !line.starts_with('#') {
            panic!("Cargo.toml: {section} has {line}");
        }
    }
    assert!(manifest.contains("exclude = [\"tests/cli\", \"tests/peers\"]"));
    assert!(
        root().join("tests/cli/Cargo.lock").exists(),
        "tests/cli has no lock file of its own"
    );
    assert!(!root().join("build.rs").exists());
}

#[test]
fn the_top_level_holds_what_was_agreed() {
    let listed = Command::new("git")
        .args(["ls-files"])
        .current_dir(root())
        .output();
    let listed = match listed {
        Ok(output) if output.status.success() => String::from_utf8(output.stdout).unwrap(),
        _ => return println!("skipped: this is no git checkout"),
    };
    let agreed = [
        ".ci",
        ".gitignore",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "Makefile",
        "README.md",
        "docs",
        "src",
        "tests",
    ];
    for entry in listed.lines().filter_map(|path| path.split('/').next()) {
        assert!(
            agreed.contains(&entry),
            "{entry} is not among the agreed entries"
        );
    }
}

#[test]
fn the_checks_find_what_they_look_for() {
    assert_eq!(imports("use crate::server::{End, Handler};"), ["server"]);
    assert_eq!(imports("use crate::{cli::Args, net};"), ["cli", "net"]);
    assert!(import_fault("net", "server").is_some() && import_fault("net", "sys").is_none());
    assert!(import_fault("cli", "net").is_some() && import_fault("telemetry", "sys").is_some());
    assert!(import_fault("server", "echo").is_some() && import_fault("echo", "server").is_none());
    assert!(import_fault("attic", "net").is_some());

    let block = "fn f() {\n    unsafe { g() };\n}\n";
    assert_eq!(unsafe_faults("net/x.rs", block).len(), 2);
    assert_eq!(unsafe_faults("sys/x.rs", block).len(), 1);
    assert!(unsafe_faults("sys/x.rs", "// SAFETY: fine\nunsafe { g() };\n").is_empty());
    assert!(unsafe_faults("net/x.rs", "// unsafe { }\nlet s = \"unsafe {\";\n").is_empty());

    assert_eq!(
        purity_faults("net/ip.rs", "let t = Instant::now();\n").len(),
        1
    );
    assert!(
        purity_faults(
            "net/ip.rs",
            "//! an Instant\nlet c = '\"'; let s = \"Instant\";\n"
        )
        .is_empty()
    );
    assert_eq!(
        panic_faults("net/x.rs", "let a = '\"';\nb.unwrap();\n").len(),
        1
    );
    let tested = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { c.unwrap() }\n}\n";
    assert!(panic_faults("net/x.rs", tested).is_empty());
}
