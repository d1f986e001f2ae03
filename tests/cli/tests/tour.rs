//! tour: what `cargo run` shows first.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use groundwire_cli_tests::{path, program};

/// The names of the stops, as `--list` tells them.
fn stops() -> Vec<String> {
    let output = program("tour").arg("--list").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    let first = |line: &str| line.split_whitespace().next().unwrap().to_string();
    text.lines().map(first).collect()
}

#[test]
fn the_whole_tour_succeeds_within_ten_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let mut tour = program("tour");
    let output = tour.env("TMPDIR", folder.path()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    assert!(output.stderr.is_empty());
    let stops = stops();
    assert!(stops.len() >= 5, "{stops:?}");
    for (number, stop) in stops.iter().enumerate() {
        let heading = format!("{}/{} {stop}: ", number + 1, stops.len());
        assert!(
            text.lines().any(|line| line.starts_with(&heading)),
            "{heading}\n{text}"
        );
    }
    let last = text.lines().last().unwrap();
    assert!(
        last.starts_with(&format!("{0} of {0} stops in ", stops.len())),
        "{last}"
    );
}

#[test]
fn only_the_named_stops_are_made_in_their_order_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let mut tour = program("tour");
    let tour = tour.args(["udp", "tcp"]).env("TMPDIR", folder.path());
    let output = tour.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.starts_with("1/2 udp: ") && text.contains("\n2/2 tcp: "),
        "{text}"
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// The flags of the first three packets of a file, as `capture` shows them.
fn first_flags(file: &Path) -> String {
    let mut capture = program("capture");
    let capture = capture.arg("-r").arg(file);
    let capture = capture.args(["-c", "3", "-T", "fields", "-e", "tcp.flags"]);
    let output = capture.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

const HANDSHAKE: &str = "0x0002\n0x0012\n0x0010\n";

#[test]
fn the_packets_of_the_stops_are_written_where_asked_and_begin_with_a_handshake() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tour.pcap");
    let mut tour = program("tour");
    let tour = tour.arg("--write").arg(&file).args(["tcp", "udp"]);
    tour.assert().success();
    assert_eq!(first_flags(&file), HANDSHAKE);
}

#[test]
fn the_stop_that_reads_packets_writes_a_new_file_and_shows_the_handshake_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut tour = program("tour");
    let tour = tour.arg("capture").env("TMPDIR", folder.path());
    let output = tour.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    for (number, flags) in ["[SYN]", "[SYN, ACK]", "[ACK]"].iter().enumerate() {
        let shown = format!("      {} 0.000000000 ", number + 1);
        let mut lines = text.lines().filter(|line| line.starts_with(&shown));
        assert!(lines.any(|line| line.contains(flags)), "{flags}\n{text}");
    }
    let (_, file) = text.split_once("capture -r ").unwrap();
    let file = Path::new(file.lines().next().unwrap());
    assert_eq!(file.parent(), Some(folder.path()));
    assert_eq!(first_flags(file), HANDSHAKE);
}

#[test]
fn a_stop_that_fails_says_why_in_plain_words_and_the_others_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("gone");
    let mut tour = program("tour");
    let tour = tour.args(["unix", "addresses"]).env("TMPDIR", &gone);
    let output = tour.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let errors = String::from_utf8(output.stderr).unwrap();
    let made = format!("tour: unix: making {}/groundwire-tour-", gone.display());
    assert!(errors.starts_with(&made), "{errors}");
    assert!(
        errors.ends_with("-0: no such file or directory\n"),
        "{errors}"
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let last = text.lines().last().unwrap();
    assert!(last.starts_with("1 of 2 stops in "), "{last}");
}

#[test]
fn a_tour_without_descriptors_fails_and_leaves_nothing_behind() {
    for limit in 4..=9 {
        let folder = tempfile::tempdir().unwrap();
        let script = format!("ulimit -n {limit}; exec \"$0\" unix");
        let output = Command::new("sh")
            .args(["-c", &script])
            .arg(path("tour"))
            .env("TMPDIR", folder.path())
            .output()
            .unwrap();
        assert!(output.status.code().is_some(), "{limit}: {output:?}");
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert!(left.is_empty(), "{limit}: {left:?}");
    }
}

#[test]
fn the_temporary_folder_may_have_any_name() {
    let folder = tempfile::tempdir().unwrap();
    let odd = folder.path().join(OsStr::from_bytes(b"\xff"));
    std::fs::create_dir(&odd).unwrap();
    let mut tour = program("tour");
    tour.arg("unix").env("TMPDIR", &odd).assert().success();
}

#[test]
fn an_unknown_stop_exits_with_2_and_names_the_known_ones() {
    let output = program("tour").args(["tcp", "nowhere"]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    let known = stops().join(", ");
    assert!(
        stderr.starts_with(&format!("tour: STOP nowhere: the stops are {known}\n")),
        "{stderr}"
    );
    assert!(output.stdout.is_empty());
}
