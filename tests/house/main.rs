//! The house rules of docs/architecture.md, checked on the source: floors, the place of `unsafe`,
//! pure files, what is deliberately absent. A failure names file and line.
//!
//! Each check is a function from a file's name and text to a list of faults. The tests here feed it
//! the repository, `mutations` feeds it code that breaks a rule and code that only looks like it.
//!
//! To add a room: give it a floor in `FLOORS`. To add a pure file: name it in `PURE`. Both are in
//! `rules`.

mod floors;
mod headers;
mod look_alikes;
mod mutations;
mod paths;
mod purity;
mod rules;
#[path = "../support/rust_code.rs"]
mod rust_code;
mod unsafety;
mod violations;
mod words;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use floors::import_faults;
use headers::header_faults;
use purity::purity_faults;
use rules::{FLOORS, MAY_PANIC, PURE, TEST_ONLY};
use unsafety::{crate_denies_unsafe, table_faults, unsafe_faults};
use words::{panic_faults, sleep_faults};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files below `src`, with their path from there.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    collect(&root().join("src"), &root().join("src"), &mut found);
    found.sort();
    assert!(
        found.len() > 40,
        "only {} files found: the test looks in the wrong place",
        found.len()
    );
    found
}

/// All Rust files below `tests`, with their path from the root; but not those of `tests/peers`,
/// which are what others would write.
fn tests() -> Vec<(String, String)> {
    let mut found = Vec::new();
    collect(&root(), &root().join("tests"), &mut found);
    found.retain(|(name, _)| !name.starts_with("tests/peers/"));
    assert!(found.iter().any(|(name, _)| name == "tests/house/main.rs"));
    found
}

fn collect(from: &Path, folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            collect(from, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(from).unwrap().display().to_string();
            found.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The room that a file stands in: `net/ip.rs` in `net`.
fn room(name: &str) -> &str {
    name.split(['/', '.']).next().unwrap_or_default()
}

/// File and line, as an editor takes them.
fn place(name: &str, line: usize) -> String {
    let folder = if name.starts_with("tests/") {
        ""
    } else {
        "src/"
    };
    format!("{folder}{name}:{line}")
}

fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// The faults that a check finds in these files.
fn all_faults(
    files: &[(String, String)],
    check: impl Fn(&str, &str) -> Vec<String>,
) -> Vec<String> {
    let faults = files.iter().flat_map(|(name, text)| check(name, text));
    faults.collect()
}

#[test]
fn rooms_import_lower_floors_only_and_telemetry_and_cli_know_nobody() {
    assert_none(&all_faults(&sources(), import_faults));
}

#[test]
fn every_room_has_a_floor_and_a_file_that_introduces_it() {
    let all = sources();
    let rooms: BTreeSet<&str> = all.iter().map(|(name, _)| room(name)).collect();
    for room in rooms
        .into_iter()
        .filter(|room| !matches!(*room, "bin" | "lib"))
    {
        let has_floor = FLOORS.iter().any(|(name, _)| *name == room);
        assert!(has_floor, "src/{room} has no floor");
        let file = format!("{room}/mod.rs");
        assert!(all.iter().any(|(name, _)| *name == file), "no src/{file}");
    }
}

#[test]
fn unsafe_stands_in_sys_only_and_each_use_has_its_argument() {
    let all = sources();
    assert_none(&all_faults(&all, unsafe_faults));
    for (name, text) in &all {
        let first_of_a_program = match name.strip_prefix("bin/") {
            Some(program) => !program.contains('/') || program.ends_with("/main.rs"),
            None => false,
        };
        if name == "lib.rs" || first_of_a_program {
            let denied = crate_denies_unsafe(text);
            assert!(denied, "src/{name} neither denies nor forbids unsafe code");
        }
    }
}

#[test]
fn the_table_of_sys_has_each_of_its_files_and_the_calls_that_it_makes() {
    let all = sources();
    let index = all.iter().find(|(name, _)| name == "sys/mod.rs").unwrap();
    let files = all.iter().filter_map(|(name, text)| {
        let file = name.strip_prefix("sys/")?.strip_suffix(".rs")?;
        (!matches!(file, "mod" | "abi")).then_some((file, text.as_str()))
    });
    let files: Vec<(&str, &str)> = files.collect();
    assert_none(&table_faults(&index.1, &files));
    for row in ["[`poll`] | none |", "[`poll`] | `ioctl` |", "[`gone`] |"] {
        let wrong = index.1.replace("[`poll`] | `poll` |", row);
        assert_eq!(table_faults(&wrong, &files).len(), 1, "{row}");
    }
}

#[test]
fn the_declarations_of_the_c_library_are_those_of_its_headers() {
    let path = root().join("src/sys/abi.rs");
    let abi = fs::read_to_string(path).unwrap();
    let Some(faults) = header_faults(&abi) else {
        return println!("skipped: no C compiler, or no headers of glibc and Linux");
    };
    assert_none(&faults);
    for (right, wrong) in [
        ("TCP_KEEPINTVL: c_int = 5", "TCP_KEEPINTVL: c_int = 6"),
        ("O_NOFOLLOW: c_int", "O_NOFOLLOWS: c_int"),
        (
            "0o100_000\n} else {\n    0o400_000",
            "0o200_000\n} else {\n    0o200_000",
        ),
        ("bits: [c_ulong; SigSet::WORDS]", "bits: [c_ulong; 8]"),
        ("current: c_ulong", "current: c_uint"),
        ("returned: c_short", "returned: c_int"),
        (
            "namelen: c_uint,\n    pub iov:",
            "namelen: usize,\n    pub iov:",
        ),
        ("count: c_ulong, milliseconds", "count: c_int, milliseconds"),
        ("len: *mut c_uint) -> c_int", "len: *mut c_int) -> c_int"),
        ("flags: c_int) -> isize", "flags: c_int) -> c_int"),
        ("listen(fd: c_int, backlog: c_int)", "listen(fd: c_int)"),
    ] {
        assert!(abi.contains(right), "{right}");
        let found = header_faults(&abi.replacen(right, wrong, 1)).unwrap();
        assert!(!found.is_empty(), "{wrong}");
    }
}

#[test]
fn pure_files_name_no_socket_clock_thread_file_or_randomness() {
    let all = sources();
    for pure in PURE {
        assert!(all.iter().any(|(name, _)| name == pure), "{pure} is gone");
    }
    let check = |name: &str, text: &str| match PURE.contains(&name) {
        true => purity_faults(name, text, &all),
        false => Vec::new(),
    };
    assert_none(&all_faults(&all, check));
}

#[test]
fn a_file_that_names_nothing_impure_is_on_the_list_of_the_pure() {
    let all = sources();
    for (name, text) in &all {
        // A room's first file lists its parts; `sys` is declarations and calls of C.
        let is_index = name == "lib.rs" || name.ends_with("/mod.rs");
        if is_index || matches!(room(name), "sys" | "bin") || PURE.contains(&name.as_str()) {
            continue;
        }
        let faults = purity_faults(name, text, &all);
        assert!(!faults.is_empty(), "src/{name} is pure: name it in PURE");
    }
}

#[test]
fn nothing_that_input_might_reach_panics() {
    let check = |name: &str, text: &str| {
        let mut faults = panic_faults(name, text);
        let allowance = MAY_PANIC.iter().find(|(file, ..)| *file == name);
        if allowance.is_some_and(|(_, most, _)| faults.len() <= *most) {
            faults.clear();
        }
        faults
    };
    let all = sources();
    assert_none(&all_faults(&all, check));
    for file in TEST_ONLY {
        let (room, name) = file.rsplit_once('/').unwrap();
        let parents = [format!("{room}/mod.rs"), format!("{room}.rs")];
        let (_, text) = all.iter().find(|(name, _)| parents.contains(name)).unwrap();
        let name = name.trim_end_matches(".rs");
        let declared = ["", "pub(super) "].map(|who| format!("#[cfg(test)]\n{who}mod {name};\n"));
        let within = (parents.iter()).any(|parent| TEST_ONLY.contains(&parent.as_str()));
        let for_tests = within || declared.iter().any(|declared| text.contains(declared));
        assert!(for_tests, "src/{file} is not for tests only");
    }
}

#[test]
fn every_file_is_introduced_and_none_is_longer_than_600_lines() {
    for (name, text) in sources() {
        assert!(text.starts_with("//! "), "src/{name} has no introduction");
        let lines = text.lines().count();
        assert!(lines <= 600, "src/{name} has {lines} lines");
    }
    for (name, text) in tests() {
        assert!(text.starts_with("//! "), "{name} has no introduction");
    }
}

#[test]
fn nothing_sleeps_and_nothing_is_asynchronous() {
    assert_none(&all_faults(&sources(), sleep_faults));
    assert_none(&all_faults(&tests(), sleep_faults));
}

/// A bare machine has no program `kill`. A test that runs it in vain leaves servers behind; every
/// shell has one of its own.
#[test]
fn tests_kill_by_a_shell() {
    let call = format!("Command::new({:?})", "kill");
    let tests = tests().into_iter();
    let faults = tests.filter(|(_, text)| text.contains(&call));
    assert_none(&faults.map(|(name, _)| name).collect::<Vec<_>>());
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
