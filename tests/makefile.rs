//! What the Makefile promises beyond calling cargo: where it finds the programs, and what it needs.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// `make install` with a cargo that fails, from `target` into `prefix`; `None` without make.
fn install(target: &Path, prefix: &Path) -> Option<Output> {
    let mut make = Command::new("make");
    make.arg("install")
        .arg("CARGO=false")
        .arg(format!("PREFIX={}", prefix.display()))
        .env_remove("DESTDIR")
        .env("CARGO_TARGET_DIR", target)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    make.output().ok()
}

#[test]
fn install_takes_the_programs_from_cargos_target_folder_and_needs_no_cargo_for_it() {
    // With a space, as folders of people have.
    let name = format!("groundwire install-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    let (target, prefix) = (folder.join("target"), folder.join("prefix"));
    fs::create_dir_all(target.join("release")).unwrap();
    let built = Path::new(env!("CARGO_BIN_EXE_tour")).parent().unwrap();
    let mut names = Vec::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin")).unwrap() {
        let name = entry.unwrap().path().with_extension("");
        let name = name.file_name().unwrap().to_os_string();
        std::os::unix::fs::symlink(built.join(&name), target.join("release").join(&name)).unwrap();
        names.push(name);
    }
    let Some(output) = install(&target, &prefix) else {
        let _ = fs::remove_dir_all(&folder);
        return println!("skipped: make is not installed");
    };
    assert!(output.status.success(), "{output:?}");
    for name in &names {
        assert!(prefix.join("bin").join(name).is_file(), "{name:?}");
    }
    // One is missing: now it has to build, which this cargo cannot.
    fs::remove_file(target.join("release/tour")).unwrap();
    let output = install(&target, &prefix);
    assert!(output.is_some_and(|output| !output.status.success()));
    fs::remove_dir_all(&folder).unwrap();
}
