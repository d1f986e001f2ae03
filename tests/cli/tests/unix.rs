//! unix-echo-server and unix-echo-client as their users run them.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use groundwire_cli_tests::{Server, installed, program};
use tempfile::TempDir;

fn folder() -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("echo.sock").display().to_string();
    (folder, path)
}

fn client(arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let output = program("unix-echo-client")
        .args(arguments)
        .write_stdin(input)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn every_type_echoes_and_leaves_no_file() {
    for kind in ["stream", "datagram", "seqpacket"] {
        let (folder, path) = folder();
        let server = Server::start("unix-echo-server", &["--type", kind, &path]);
        let asked = client(&["--type", kind, &path, "hello", "there"], "");
        assert_eq!(
            asked,
            (Some(0), "->: hello there\n".into(), String::new()),
            "{kind}"
        );
        let asked = client(&["--type", kind, &path], "one\ntwo\n");
        assert_eq!(
            asked,
            (Some(0), "->: one\n->: two\n".into(), String::new()),
            "{kind}"
        );
        let totals = server.stop();
        assert!(
            totals.starts_with("served 2") || totals.starts_with("received 3"),
            "{totals}"
        );
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            0,
            "{kind}"
        );
    }
}

#[test]
fn a_killed_servers_file_is_replaced_and_a_living_ones_is_not() {
    for kind in ["stream", "datagram", "seqpacket"] {
        let (_folder, path) = folder();
        let killed = Server::start("unix-echo-server", &["--type", kind, &path]);
        killed.signal("KILL");
        killed.wait();
        assert!(Path::new(&path).exists());
        let living = Server::start("unix-echo-server", &["--type", kind, &path]);
        let second = program("unix-echo-server")
            .args(["--type", kind, &path])
            .output()
            .unwrap();
        assert_eq!(
            (second.status.code(), second.stdout.len()),
            (Some(1), 0),
            "{kind}"
        );
        let errors = String::from_utf8(second.stderr).unwrap();
        assert!(
            errors.ends_with("another process is listening there\n"),
            "{errors}"
        );
        assert_eq!(
            client(&["--type", kind, &path, "x"], "").0,
            Some(0),
            "{kind}"
        );
        living.stop();
    }
}

#[test]
fn errors_say_which_path_and_why() {
    let (folder, path) = folder();
    let missing = client(&[&path, "x"], "");
    let expected = format!("unix-echo-client: connect unix {path}: no such file or directory\n");
    assert_eq!(missing, (Some(1), String::new(), expected));

    let long = format!("/tmp/{}", "p".repeat(110));
    let (status, _, errors) = client(&[&long, "x"], "");
    assert_eq!(status, Some(1));
    assert!(errors.contains("115 bytes, 107 are allowed"), "{errors}");
    let nowhere = folder.path().join("no/such/folder").display().to_string();
    let output = program("unix-echo-server").arg(&nowhere).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(
        errors.ends_with(": no such file or directory\n"),
        "{errors}"
    );

    let notes = folder.path().join("notes");
    std::fs::write(&notes, "keep me").unwrap();
    let output = program("unix-echo-server").arg(&notes).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(std::fs::read_to_string(&notes).unwrap(), "keep me");
}

#[test]
fn the_file_gets_the_permissions_and_who_lacks_them_is_told() {
    let (folder, path) = folder();
    let server = Server::start("unix-echo-server", &["--permissions", "600", &path]);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // As another user, where this one may become it.
    let program = groundwire_cli_tests::path("unix-echo-client");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let readable = program
        .ancestors()
        .all(|p| std::fs::metadata(p).is_ok_and(|m| m.permissions().mode() & 0o005 == 0o005));
    let output = Command::new("setpriv")
        .args(["--reuid", "65534", "--clear-groups"])
        .arg(&program)
        .args([&path, "x"])
        .output();
    match output {
        Ok(output) if readable && output.status.code() == Some(1) => {
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            let expected = format!("unix-echo-client: connect unix {path}: permission denied\n");
            assert_eq!(errors, expected);
        }
        _ => println!("skipped: cannot become another user here"),
    }
    server.stop();
}

#[test]
fn socat_talks_to_the_stream() {
    if !installed("socat") {
        return;
    }
    let (_folder, path) = folder();
    let server = Server::start("unix-echo-server", &[&path]);
    let script = format!("printf 'a\\nb\\n' | socat - UNIX-CONNECT:{path}");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "a\nb\n");
    server.stop();
}
